/* Who fires next (README.md 4.2). The rows of a block give every neuron's voltage in closed form; a bound on how far they bend from a chord leaves a few
 * candidates, whose rows are then looked at one by one. Whatever the length of blocks, what is compared with a threshold is the same:
 *     v = alpha_m V ;  v = fma(F_ij, d_mj, v), j ascending ;  (+ noise) */
#include <string.h>

#include "balanced.h"
#include "engram/doubles.h"
#include "engram/memory.h"
#include "engram/random.h"

/* ---- noise: a term of its own, which spikes do not change ---- */

/** Noise of row noise_row + 1, .. @p to, in @p noise. It is 0 at row 0. */
static void advance_noise(balanced *b, int from, int to, double *noise) {
    double sd = b->noise * sqrt(2 * (1 - b->membrane_decay)); /* of a step, in T: sigma_V sqrt(dt) with sigma_V = a T sqrt(2 lambda_V) */
    for (int m = from; m < to; m++) {
        int64_t step = b->chunk_first + b->at + m;
        if (step / 4 != b->noise_block) {
            b->noise_block = step / 4;
            random_noise(b->seed, RANDOM_VOLTAGE_NOISE, (uint64_t)b->part.first, b->part.mine, b->regime.stream << 40 | (uint64_t)b->noise_block, b->padded,
                         b->noise_draws);
        }
        const double *draw = b->noise_draws + (step % 4) * b->padded, *threshold = b->threshold;
        for (int i = 0; i < b->part.mine; i++)
            noise[i] = b->membrane_decay * noise[i] + (threshold[i] < INFINITY ? sd * threshold[i] : 0) * draw[i];
    }
}

/* ---- what is due ---- */

void search_jump(balanced *b, int m, const spike *spike) {
    const course *course = &b->course;
    jump *jump = &b->jump;
    jump->due = true;
    jump->alpha = course->alpha[m];
    jump->neuron = spike ? spike->neuron : -1;
    for (int j = 0; j < b->dimensions; j++) jump->d[j] = course->d[(size_t)j * (size_t)course->room + (size_t)m];
    if (spike && !b->fast)
        for (int j = 0; j < b->dimensions; j++) jump->d[j] -= spike->feedforward[j];
    jump->learned = false;
    jump->power = course->power[b->at + m];
    if (spike) jump->filtered = (spike->filtered * jump->power + 1) / jump->power;
    if (!b->noise_now) return;
    advance_noise(b, b->noise_row, m, b->noise_now);
}

/** The voltages of a piece, neurons from @p i on, at the row of the jump, and behind it. @param F theirs */
static inline __attribute__((always_inline)) lanes leap(balanced *b, int i, const double *F, lanes v, const int J) {
    const jump *jump = &b->jump;
    v = v * jump->alpha;
    for (int j = 0; j < J; j++) v = fma_lanes(load(F + j * TILE), all(jump->d[j]), v);
    if (b->noise_now) v += load(b->noise_now + i);
    if (!b->fast || jump->neuron < 0) return v;
    double *column = b->fast + (size_t)jump->neuron * (size_t)b->padded + i;
    lanes weight = load(column);
    if (b->regime.fast_rate != 0) { /* FAST: V before the jump, r before its increment */
        lanes cost = load(b->filtered + i) * (jump->power * b->quadratic_cost);
        weight += b->regime.fast_rate * (b->beta * (v + cost) - weight);
        store(column, weight);
    }
    return v - weight;
}

/** The jump as it concerns the neuron that fired alone: mu on the diagonal, and its r. */
static void leap_of_own(balanced *b) {
    int64_t i = b->jump.neuron - b->part.first;
    if (b->jump.neuron < 0 || i < 0 || i >= b->part.mine) return;
    double own = b->quadratic_cost;
    if (b->fast) {
        own *= b->regime.fast_rate;
        b->fast[(size_t)b->jump.neuron * (size_t)b->padded + (size_t)i] += own;
    }
    b->voltage[i] -= own;
    b->filtered[i] = b->jump.filtered;
    for (int j = 0; j < b->dimensions && b->jump.learned; j++) b->feedforward[(i / TILE * b->dimensions + j) * TILE + i % TILE] = b->jump.feedforward[j];
}

/* ---- candidates ---- */

/** How far rows between the ends of a block can lie from the chord: delta + bend |V| for every neuron. */
typedef struct { double alpha_from, alpha_to, delta, bend; double from[DIMENSIONS_MAX], to[DIMENSIONS_MAX]; bool at_start; } chord;

static chord chord_of(const balanced *b, const block *block) {
    const course *course = &b->course;
    int from = block->from > 0 ? block->from : 0, rows = block->to - from;
    chord chord = {.alpha_from = course->alpha[from], .alpha_to = course->alpha[block->to], .at_start = from == 0};
    double square[CHUNK_MAX + 1], most = 0, size = 0;
    for (int m = 0; m <= rows; m++) square[m] = 0;
    for (int j = 0; j < b->dimensions; j++) {
        const double *d = course->d + (size_t)j * (size_t)course->room + from;
        double begin = d[0], slope = rows ? (d[rows] - d[0]) / rows : 0;
        chord.from[j] = d[0], chord.to[j] = d[rows];
        size += fmax(d[0] * d[0], d[rows] * d[rows]);
        for (int m = 0; m < rows; m++) {
            double off = d[m] - (begin + slope * m);
            square[m] += off * off;
        }
    }
    for (int m = 0; m < rows; m++) most = fmax(most, square[m]);
    double slope = rows ? (chord.alpha_to - chord.alpha_from) / rows : 0;
    for (int m = 0; m < rows; m++) chord.bend = fmax(chord.bend, fabs(course->alpha[from + m] - (chord.alpha_from + slope * m)));
    chord.delta = b->largest_norm * (sqrt(most) * (1 + 1e-12) + 1e-12 * sqrt(size)); /* and what rounding may do */
    chord.bend += 1e-12;
    return chord;
}

static inline __attribute__((always_inline)) void pass(balanced *b, const chord *chord, const int J) {
    const bool due = b->jump.due;
    for (int i = 0; i < b->padded; i += TILE) {
        lanes v[PIECES], end[PIECES], begin[PIECES];
        const double *F = b->feedforward + (size_t)i * (size_t)J;
        for (int p = 0; p < PIECES; p++) {
            v[p] = load(b->voltage + i + p * LANES);
            if (due) {
                v[p] = leap(b, i + p * LANES, F + p * LANES, v[p], J);
                store(b->voltage + i + p * LANES, v[p]);
            }
        }
        if (!chord) continue;
        for (int p = 0; p < PIECES; p++) end[p] = v[p] * chord->alpha_to, begin[p] = v[p];
        for (int j = 0; j < J; j++)
            for (int p = 0; p < PIECES; p++) end[p] = fma_lanes(load(F + j * TILE + p * LANES), all(chord->to[j]), end[p]);
        if (!chord->at_start) {
            for (int p = 0; p < PIECES; p++) begin[p] = v[p] * chord->alpha_from;
            for (int j = 0; j < J; j++)
                for (int p = 0; p < PIECES; p++) begin[p] = fma_lanes(load(F + j * TILE + p * LANES), all(chord->from[j]), begin[p]);
        }
        for (int p = 0; p < PIECES; p++) {
            const lanes above = larger(end[p], begin[p]) + chord->delta + chord->bend * magnitude(v[p]) - load(b->threshold + i + p * LANES);
            for (unsigned bits = lanes_above(above, all(0)); bits; bits &= bits - 1) b->candidate[b->candidates++] = i + p * LANES + __builtin_ctz(bits);
        }
    }
}

void search_candidates(balanced *b, const block *block) {
    chord chord;
    bool looks = block && !b->noise_now;
    if (looks) chord = chord_of(b, block);
    b->candidates = 0;
    if (!b->jump.due && !looks) return;
    if (b->dimensions == 1) pass(b, looks ? &chord : NULL, 1);
    else if (b->dimensions == 2) pass(b, looks ? &chord : NULL, 2);
    else if (b->dimensions == 3) pass(b, looks ? &chord : NULL, 3);
    else if (b->dimensions == 4) pass(b, looks ? &chord : NULL, 4);
    else if (b->dimensions == 16) pass(b, looks ? &chord : NULL, 16);
    else pass(b, looks ? &chord : NULL, b->dimensions);
    if (!b->jump.due) return;
    leap_of_own(b);
    b->jump.due = false;
    if (!b->noise_now) return;
    memset(b->noise_now, 0, (size_t)b->padded * sizeof *b->noise_now);
    b->noise_row = 0;
}

/* ---- the first of them ---- */

/** A neuron's own first row above threshold in [from, to]; to + 1: none. @param[out] excess V - T there */
static int first_row(const balanced *b, int i, int from, int to, double *excess) {
    const course *course = &b->course;
    const int J = b->dimensions;
    const double v0 = b->voltage[i], threshold = b->threshold[i], *F = b->feedforward + (size_t)(i / TILE) * (size_t)J * TILE + i % TILE;
    for (int m = from; m <= to; m += LANES) {
        lanes v = load(course->alpha + m) * v0;
        for (int j = 0; j < J; j++) v = fma_lanes(load(course->d + (size_t)j * (size_t)course->room + m), all(F[j * TILE]), v);
        const unsigned above = lanes_above(v, all(threshold));
        if (!above) continue;
        const int first = __builtin_ctz(above);
        if (m + first > to) break;
        *excess = v[first] - threshold;
        return m + first;
    }
    return to + 1;
}

/** Where noise is on: all rows of all neurons until one fires. @return its row, or to + 1 */
static int first_noisy_row(balanced *b, const block *block, int *neuron, double *excess) {
    const course *course = &b->course;
    const int J = b->dimensions;
    memcpy(b->noise_next, b->noise_now, (size_t)b->padded * sizeof *b->noise_next);
    for (int m = block->from + 1, row = b->noise_row; m <= block->to; row = m++) {
        advance_noise(b, row, m, b->noise_next);
        *excess = 0;
        for (int i = 0; i < b->padded; i += LANES) {
            const double *F = b->feedforward + (size_t)(i / TILE) * (size_t)J * TILE + i % TILE;
            lanes v = load(b->voltage + i) * course->alpha[m];
            for (int j = 0; j < J; j++) v = fma_lanes(load(F + j * TILE), all(course->d[(size_t)j * (size_t)course->room + (size_t)m]), v);
            v += load(b->noise_next + i) - load(b->threshold + i);
            for (unsigned bits = lanes_above(v, all(*excess)); bits; bits &= bits - 1) {
                const int l = __builtin_ctz(bits);
                if (v[l] > *excess) *excess = v[l], *neuron = i + l;
            }
        }
        if (*excess > 0) return m;
    }
    return block->to + 1;
}

void search_first(balanced *b, const block *block, spike *spike) {
    int limit = block->to, winner = -1;
    double best = 0, excess;
    if (b->noise_now) {
        int row = first_noisy_row(b, block, &winner, &best);
        if (row > block->to) winner = -1;
        else limit = row;
    }
    for (int n = 0; n < b->candidates; n++) {
        int i = b->candidate[n], row = first_row(b, i, block->from + 1, limit, &excess);
        if (row > limit || (winner >= 0 && row == limit && !(excess > best))) continue; /* ascending: on ties the lower one stays */
        limit = row, winner = i, best = excess;
    }
    if (winner < 0) return;
    spike->neuron = b->part.first + winner;
    spike->state = limit;
    spike->excess = best;
    spike->filtered = b->filtered[winner];
    for (int j = 0; j < b->dimensions; j++) spike->feedforward[j] = feedforward_of(b, winner, j);
    for (int j = 0; j < b->dimensions && b->slow; j++) spike->slow[j] = b->slow[(size_t)winner * (size_t)b->dimensions + (size_t)j];
}

void search_passed(balanced *b, const block *block) {
    if (!b->noise_now || block->to <= b->noise_row) return;
    double *now = b->noise_now;
    b->noise_now = b->noise_next, b->noise_next = now;
    b->noise_row = block->to;
}

void search_voltage(const balanced *b, int m, double *voltage) {
    const course *course = &b->course;
    for (int i = 0; i < b->part.mine; i++) {
        double v = course->alpha[m] * b->voltage[i];
        for (int j = 0; j < b->dimensions; j++) v = fma(feedforward_of(b, i, j), course->d[(size_t)j * (size_t)course->room + (size_t)m], v);
        voltage[i] = v;
    }
}
