/* D, which is F' of rule dendritic: columns of pixels, TILE of them side by side, this rank's blocks of them. It changes at spikes (README.md 3.1),
 *     D += (a x0 - c D z0) z0',
 * which is done for several spikes in one pass over it, at the latest when the next image comes. Where W of rule dendritic is not kept, every step with spikes
 * makes the change of the one before and W s = -D'(D s) in one pass (readout_columns); D z0 is known there without a pass of its own. */
#include <string.h>

#include "dendritic.h"
#include "engram/doubles.h"
#include "engram/memory.h"

enum { GROUP = 4 }; /* events that are learned from at once */
_Static_assert(TILE == PIECES * LANES, "tiles of this system are those of doubles.h");

void readout_new(dendritic *d) {
    decoder *decoder = &d->decoder;
    const int ranks = d->context.ranks, rank = d->context.rank;
    const size_t padded = (size_t)d->padded;
    decoder->tiles = d->pixels / TILE;
    decoder->blocks = decoder->tiles < BLOCKS ? decoder->tiles : BLOCKS;
    for (int b = 0; b <= decoder->blocks; b++) decoder->block_first[b] = decoder->tiles * b / decoder->blocks;
    decoder->my_first = decoder->blocks * rank / ranks;
    decoder->my_blocks = decoder->blocks * (rank + 1) / ranks - decoder->my_first;
    decoder->first = decoder->block_first[decoder->my_first];
    decoder->mine = decoder->block_first[decoder->my_first + decoder->my_blocks] - decoder->first;
    const size_t mine = (size_t)decoder->mine * TILE;
    decoder->weight = memory_new(MEMORY_WEIGHTS, mine * padded, sizeof(double));
    decoder->decoded = memory_new(MEMORY_STATE, mine, sizeof(double));
    decoder->coded = memory_new(MEMORY_STATE, mine, sizeof(double));
    decoder->traced = memory_new(MEMORY_STATE, mine, sizeof(double));
    decoder->trace = memory_new(MEMORY_BUFFERS, EVENTS * padded, sizeof(double));
    decoder->seen = memory_new(MEMORY_BUFFERS, EVENTS * mine, sizeof(double));
    decoder->partial = memory_new(MEMORY_BUFFERS, BLOCKS * padded, sizeof(double));
}

void readout_clear(decoder *decoder) {
    double *arrays[] = {decoder->weight, decoder->decoded, decoder->coded, decoder->traced, decoder->trace, decoder->seen, decoder->partial};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) memory_free(arrays[k]);
}

void readout_push(dendritic *d, double gain, double loss, const double *seen, const double *trace) {
    decoder *decoder = &d->decoder;
    const size_t mine = (size_t)decoder->mine * TILE, padded = (size_t)d->padded, event = (size_t)decoder->events++;
    decoder->gain[event] = gain, decoder->loss[event] = loss;
    memcpy(decoder->seen + event * mine, seen + decoder->first * TILE, mine * sizeof(double));
    memcpy(decoder->trace + event * padded, trace, padded * sizeof(double));
    if (decoder->events == EVENTS) readout_settle(d);
}

/** z0.z0' of two events. */
static double overlap(const decoder *decoder, int padded, int a, int b) {
    return dot(decoder->trace + (size_t)a * (size_t)padded, decoder->trace + (size_t)b * (size_t)padded, padded);
}

/** @p events, a constant, beginning with @p first, on a tile: D z0 of all of them from the weights as they are, and what earlier ones of them add to it. */
static inline __attribute__((always_inline)) void learn(const decoder *decoder, int padded, int first, const int events, int tile,
                                                        double (*overlaps)[GROUP]) {
    double *weight = decoder->weight + (size_t)tile * (size_t)padded * TILE;
    const double *trace[GROUP];
    lanes decoded[GROUP][PIECES], change[GROUP][PIECES], w[PIECES];
    for (int e = 0; e < events; e++) {
        trace[e] = decoder->trace + (size_t)(first + e) * (size_t)padded;
        for (int p = 0; p < PIECES; p++) decoded[e][p] = all(0);
    }
    for (int k = 0; k < padded; k++) {
        for (int p = 0; p < PIECES; p++) w[p] = load_once(weight + k * TILE + p * LANES);
        for (int e = 0; e < events; e++)
            for (int p = 0; p < PIECES; p++) decoded[e][p] = fma_lanes(w[p], all(trace[e][k]), decoded[e][p]);
    }
    for (int e = 0; e < events; e++) {
        const double *seen = decoder->seen + ((size_t)(first + e) * (size_t)decoder->mine + (size_t)tile) * TILE;
        for (int p = 0; p < PIECES; p++) {
            for (int before = 0; before < e; before++) decoded[e][p] = fma_lanes(change[before][p], all(overlaps[before][e]), decoded[e][p]);
            change[e][p] = all(decoder->gain[first + e]) * load(seen + p * LANES) - all(decoder->loss[first + e]) * decoded[e][p];
        }
    }
    for (int k = 0; k < padded; k++) {
        for (int p = 0; p < PIECES; p++) w[p] = load(weight + k * TILE + p * LANES);
        for (int e = 0; e < events; e++)
            for (int p = 0; p < PIECES; p++) w[p] = fma_lanes(change[e][p], all(trace[e][k]), w[p]);
        for (int p = 0; p < PIECES; p++) store(weight + k * TILE + p * LANES, w[p]);
    }
}

void readout_settle(dendritic *d) {
    decoder *decoder = &d->decoder;
    for (int first = 0; first < decoder->events; first += GROUP) {
        const int events = decoder->events - first < GROUP ? decoder->events - first : GROUP;
        double overlaps[GROUP][GROUP];
        for (int a = 0; a < events; a++)
            for (int b = a + 1; b < events; b++) overlaps[a][b] = overlap(decoder, d->padded, first + a, first + b);
        for (int tile = 0; tile < decoder->mine; tile++) {
            switch (events) { /* constants, for registers */
            case 1: learn(decoder, d->padded, first, 1, tile, overlaps); break;
            case 2: learn(decoder, d->padded, first, 2, tile, overlaps); break;
            case 3: learn(decoder, d->padded, first, 3, tile, overlaps); break;
            default: learn(decoder, d->padded, first, GROUP, tile, overlaps);
            }
        }
    }
    decoder->events = 0;
}

/** Whether all pixels of a tile are dark: it adds nothing. */
static bool dark(const double *pixel) {
    for (int q = 0; q < TILE; q++)
        if (pixel[q] != 0) return false;
    return true;
}

/** One pass over a tile: D += change trace' (if it @p learns, a constant), and D' pixel, added to the @p sums of neurons. */
static inline __attribute__((always_inline)) void pass(double *weight, int padded, const bool learns, const lanes *change, const double *trace,
                                                       const lanes *pixel, double *sums) {
    for (int k = 0; k < padded; k += TILE) {
        lanes products[TILE][PIECES], added[PIECES];
        for (int j = 0; j < TILE; j++)
            for (int p = 0; p < PIECES; p++) {
                double *at = weight + (k + j) * TILE + p * LANES;
                lanes w = load(at);
                if (learns) w = fma_lanes(change[p], all(trace[k + j]), w), store(at, w);
                products[j][p] = w * pixel[p];
            }
        across_each((const lanes(*)[PIECES])products, added);
        for (int p = 0; p < PIECES; p++) store(sums + k + p * LANES, load(sums + k + p * LANES) + added[p]);
    }
}

/** Sums of neurons over this rank's tiles begin, each block of them by itself: gather_blocks() adds them up. */
static void begin_sums(decoder *decoder, size_t padded) {
    memset(decoder->partial + (size_t)decoder->my_first * padded, 0, (size_t)decoder->my_blocks * padded * sizeof(double));
}

/** Where a tile of this rank's is added: the sums of its block, by the inverse of block_first. */
static double *sums_of(const decoder *decoder, size_t padded, int tile) {
    return decoder->partial + (size_t)(((decoder->first + tile + 1) * decoder->blocks - 1) / decoder->tiles) * padded;
}

unsigned readout_project(dendritic *d, const double *image, double *product, unsigned bits) {
    decoder *decoder = &d->decoder;
    const size_t padded = (size_t)d->padded;
    image += decoder->first * TILE;
    begin_sums(decoder, padded);
    for (int tile = 0; tile < decoder->mine; tile++, image += TILE) {
        lanes pixel[PIECES];
        if (dark(image)) continue;
        for (int p = 0; p < PIECES; p++) pixel[p] = load(image + p * LANES);
        pass(decoder->weight + (size_t)tile * padded * TILE, d->padded, false, NULL, NULL, pixel, sums_of(decoder, padded, tile));
    }
    return gather_blocks(d, decoder->partial, product, bits);
}

/** A tile in a step with spikes: the change that waits, what spikes add to D z, and -D' of that. README.md 4.2 */
static inline __attribute__((always_inline)) void spike(dendritic *d, int tile, int spikes, const bool learns, double overlap, double *sums) {
    decoder *decoder = &d->decoder;
    double *weight = decoder->weight + (size_t)tile * (size_t)d->padded * TILE;
    lanes change[PIECES], jump[PIECES];
    for (int p = 0; p < PIECES; p++) {
        const int at = tile * TILE + p * LANES;
        const lanes power = all(d->power), lambda = all(d->lambda);
        change[p] = learns ? all(decoder->gain[0]) * load(decoder->seen + at) - all(decoder->loss[0]) * load(decoder->coded + at) : all(0);
        jump[p] = all(0);
        for (int s = 0; s < spikes; s++) {
            const int k = d->spiking[s];
            const lanes w = load(weight + k * TILE + p * LANES);
            jump[p] += learns ? fma_lanes(change[p], all(decoder->trace[k]), w) : w;
        }
        const lanes decoded = fma_lanes(change[p], all(overlap), power * load(decoder->traced + at));
        store(decoder->coded + at, decoded + jump[p]);
        store(decoder->traced + at, fma_lanes(lambda, decoded, jump[p]));
        jump[p] = -jump[p];
    }
    pass(weight, d->padded, learns, change, decoder->trace, jump, sums);
}

unsigned readout_columns(dendritic *d, int spikes, unsigned bits) {
    decoder *decoder = &d->decoder;
    const size_t padded = (size_t)d->padded;
    const bool learns = decoder->events > 0;
    const double overlap = learns ? d->power * dot(decoder->trace, d->trace, d->padded) : 0;
    begin_sums(decoder, padded);
    for (int tile = 0; tile < decoder->mine; tile++) {
        if (learns) spike(d, tile, spikes, true, overlap, sums_of(decoder, padded, tile));
        else spike(d, tile, spikes, false, 0, sums_of(decoder, padded, tile));
    }
    decoder->events = 0;
    return gather_blocks(d, decoder->partial, d->column, bits);
}

/** D z, z = power trace. @param[out] decoded [mine tiles][TILE] */
static void decode(const dendritic *d, const double *trace, double power, double *decoded) {
    const decoder *decoder = &d->decoder;
    for (int tile = 0; tile < decoder->mine; tile++) {
        const double *weight = decoder->weight + (size_t)tile * (size_t)d->padded * TILE;
        lanes sum[PIECES] = {{0}};
        for (int k = 0; k < d->padded; k++)
            for (int p = 0; p < PIECES; p++) sum[p] = fma_lanes(load(weight + k * TILE + p * LANES), all(trace[k] * power), sum[p]);
        for (int p = 0; p < PIECES; p++) store(decoded + tile * TILE + p * LANES, sum[p]);
    }
}

void readout_begin(dendritic *d) {
    decode(d, d->trace, d->power, d->decoder.decoded);
}

void readout_restart(dendritic *d) {
    decoder *decoder = &d->decoder;
    const size_t padded = (size_t)d->padded;
    begin_sums(decoder, padded);
    for (int tile = 0; tile < decoder->mine; tile++) {
        const double *weight = decoder->weight + (size_t)tile * padded * TILE;
        double *sums = sums_of(decoder, padded, tile);
        for (size_t k = 0; k < padded; k++) sums[k] -= dot(weight + k * TILE, weight + k * TILE, TILE);
    }
    gather_blocks(d, decoder->partial, d->autapse, 0);
    decode(d, d->memory, 1, decoder->coded);
    decode(d, d->trace, 1, decoder->traced);
}

void readout_follow(dendritic *d, int spikes) {
    decoder *decoder = &d->decoder;
    for (int tile = 0; tile < decoder->mine; tile++) {
        const double *weight = decoder->weight + (size_t)tile * (size_t)d->padded * TILE;
        for (int at = 0; at < TILE; at += LANES) {
            lanes decoded = load(decoder->decoded + tile * TILE + at) * all(d->lambda);
            for (int k = 0; k < spikes; k++) decoded += load(weight + d->spiking[k] * TILE + at);
            store(decoder->decoded + tile * TILE + at, decoded);
        }
    }
}

double readout_error(const dendritic *d, const double *x) {
    const decoder *decoder = &d->decoder;
    lanes sum[PIECES] = {{0}};
    x += decoder->first * TILE;
    for (int tile = 0; tile < decoder->mine; tile++)
        for (int p = 0; p < PIECES; p++) {
            const int at = tile * TILE + p * LANES;
            const lanes error = load(x + at) - load(decoder->decoded + at);
            sum[p] = fma_lanes(error, error, sum[p]);
        }
    return across(sum);
}

double *readout_gather(dendritic *d) {
    const decoder *decoder = &d->decoder;
    const int M = d->inputs, ranks = d->context.ranks;
    double *whole = memory_new(MEMORY_OUTPUT, (size_t)d->neurons * (size_t)M, sizeof(double));
    double *tiles = memory_new(MEMORY_OUTPUT, (size_t)d->padded * (size_t)d->pixels, sizeof(double));
    for (int rank = 0; rank < ranks; rank++) {
        const int first = decoder->block_first[decoder->blocks * rank / ranks], next = decoder->block_first[decoder->blocks * (rank + 1) / ranks];
        d->offsets[rank] = first * TILE;
        d->counts[rank] = (next - first) * TILE;
    }
    MPI_Datatype row; /* counts of whole networks' tiles may be beyond int */
    CHECK_MPI(MPI_Type_contiguous(d->padded, MPI_DOUBLE, &row));
    CHECK_MPI(MPI_Type_commit(&row));
    CHECK_MPI(MPI_Allgatherv(decoder->weight, decoder->mine * TILE, row, tiles, d->counts, d->offsets, row, d->context.comm));
    CHECK_MPI(MPI_Type_free(&row));
    for (int j = 0; j < d->neurons; j++)
        for (int i = 0; i < M; i++)
            whole[(size_t)j * (size_t)M + (size_t)i] = tiles[((size_t)(i / TILE) * (size_t)d->padded + (size_t)j) * TILE + (size_t)(i % TILE)];
    memory_free(tiles);
    return whole;
}
