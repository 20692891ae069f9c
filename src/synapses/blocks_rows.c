/* Blocks from sources that are drawn target by target (blocks.h), in the memory that the blocks will have and little more. A synapse is dealt, as target,
 * source and mark, to the bucket of its source: buckets, of some sources that follow one another, are chains of pieces of the array of words. Then, bucket by
 * bucket, synapses are ordered by source, in the caches; those of a source get weights and delays, are ordered by delay, and go where they belong. Pieces of
 * later buckets that are in the way are moved to where pieces have become free. */
#include <string.h>

#include "blocks_inside.h"
#include "engram/memory.h"

enum {
    SOURCE_BITS = 16 - BLOCKS_MARK_BITS,
    BUCKET = 1 << SOURCE_BITS, /* sources */
    PIECE_LEAST = 64, PIECE_MOST = 1 << 12, PIECES = 16, /* words of a piece; what is left over is to be half of one of so many pieces of a bucket */
    NONE = -1,
};

struct blocks_rows {
    const static_blocks *blocks;
    int slice, buckets, piece;
    int places, pieces;  /**< places are where pieces can lie; pieces: those that are in use or were */
    uint32_t *word;      /**< [places][piece] */
    int64_t *next;       /**< [buckets] where the next word of a bucket goes; once all are there, how many its last piece has */
    int32_t *first, *last;/**< [buckets] pieces */
    int32_t *link;       /**< [places] the next piece of the bucket */
    int32_t *place;      /**< [places] of a piece */
    int32_t *piece_at;   /**< [places] or NONE */
    int32_t *free_place; /**< [free_places] those behind what is written are of use */
    int free_places;
};

static int buckets_of(int64_t sources) {
    return (int)((sources + BUCKET - 1) / BUCKET);
}

static int piece_for(double synapses, int buckets) {
    int piece = PIECE_MOST;
    while (piece > PIECE_LEAST && (double)piece * PIECES * buckets > synapses) piece /= 2;
    return piece;
}

static int32_t take_piece(blocks_rows *kept) {
    const int32_t piece = kept->pieces++;
    kept->place[piece] = piece, kept->piece_at[piece] = piece, kept->link[piece] = NONE;
    return piece;
}

blocks_rows *blocks_rows_new(static_blocks *blocks, int slice, int64_t synapses) {
    blocks_rows *kept = memory_new(MEMORY_BUFFERS, 1, sizeof *kept);
    *kept = (blocks_rows){.blocks = blocks, .slice = slice, .buckets = buckets_of(blocks->sources)};
    kept->piece = piece_for((double)synapses, kept->buckets);
    kept->places = (int)(synapses / kept->piece) + kept->buckets; /* one of each bucket is not full */
    blocks_set_room(blocks, &blocks->slice[slice], (int64_t)kept->places * kept->piece);
    kept->word = blocks->slice[slice].word;
    kept->next = memory_new(MEMORY_BUFFERS, (size_t)kept->buckets, sizeof *kept->next);
    int32_t **const lists[] = {&kept->first, &kept->last, &kept->link, &kept->place, &kept->piece_at, &kept->free_place};
    for (size_t k = 0; k < sizeof lists / sizeof *lists; k++)
        *lists[k] = memory_new(MEMORY_BUFFERS, (size_t)(k < 2 ? kept->buckets : kept->places), sizeof **lists);
    for (int b = 0; b < kept->buckets; b++) {
        kept->first[b] = kept->last[b] = take_piece(kept);
        kept->next[b] = (int64_t)kept->first[b] * kept->piece;
    }
    return kept;
}

void blocks_rows_free(blocks_rows *kept) {
    memory_free(kept->next), memory_free(kept->first), memory_free(kept->last);
    memory_free(kept->link), memory_free(kept->place), memory_free(kept->piece_at), memory_free(kept->free_place);
    memory_free(kept);
}

double blocks_rows_bytes(const blocks_setting *setting, double synapses) {
    const double of_slice = synapses / blocks_slices(setting), sources = (double)setting->sources, buckets = buckets_of(setting->sources);
    const double piece = piece_for(of_slice, (int)buckets), places = floor(of_slice / piece) + buckets;
    const double left = (places * piece - of_slice) * (setting->form == BLOCKS_DOUBLE ? 12 : 4); /* given back in the end */
    return left + 16 * (places + buckets) + (4 * fmin(BUCKET, sources) + 14) * of_slice / sources; /* lists; a bucket by source; a source */
}

void blocks_rows_take(blocks_rows *kept, int target, int mark, const int32_t *source, int count) {
    const uint32_t common = (uint32_t)target | (uint32_t)mark << (32 - BLOCKS_MARK_BITS);
    const int64_t inside = kept->piece - 1;
    for (int s = 0; s < count; s++) {
        const int bucket = source[s] >> SOURCE_BITS;
        int64_t at = kept->next[bucket];
        kept->word[at++] = common | (uint32_t)(source[s] & (BUCKET - 1)) << 16;
        if ((at & inside) == 0) { /* the piece is full */
            const int32_t piece = take_piece(kept);
            kept->last[bucket] = kept->link[kept->last[bucket]] = piece;
            at = (int64_t)piece * kept->piece;
        }
        kept->next[bucket] = at;
    }
}

/** Words of a piece of the bucket. @return their number */
static int words_of(const blocks_rows *kept, int bucket, int32_t piece, const uint32_t **word) {
    const int64_t begin = (int64_t)kept->place[piece] * kept->piece;
    *word = kept->word + begin;
    return piece == kept->last[bucket] ? (int)kept->next[bucket] : kept->piece;
}

static int source_of(uint32_t word) {
    return (int)(word >> 16 & (BUCKET - 1));
}

/** @param[out] start [BUCKET+1] of the sources in the bucket */
static void count_sources(const blocks_rows *kept, int bucket, int64_t *start) {
    int64_t many[BUCKET] = {0};
    const uint32_t *word;
    for (int32_t piece = kept->first[bucket]; piece != NONE; piece = kept->link[piece])
        for (int k = 0, count = words_of(kept, bucket, piece, &word); k < count; k++) many[source_of(word[k])]++;
    start[0] = 0;
    for (int j = 0; j < BUCKET; j++) start[j + 1] = start[j] + many[j];
}

/** Its words by source, those of a source as they came. The bucket's places become free. */
static void empty_bucket(blocks_rows *kept, int bucket, const int64_t *start, uint32_t *sorted) {
    int64_t next[BUCKET];
    const uint32_t *word;
    memcpy(next, start, sizeof next);
    for (int32_t piece = kept->first[bucket]; piece != NONE; piece = kept->link[piece]) {
        for (int k = 0, count = words_of(kept, bucket, piece, &word); k < count; k++) sorted[next[source_of(word[k])]++] = word[k];
        kept->piece_at[kept->place[piece]] = NONE;
        kept->free_place[kept->free_places++] = kept->place[piece];
    }
}

/** Pieces at places from .. past-1 go elsewhere. */
static void make_way(blocks_rows *kept, int from, int past) {
    const size_t words = (size_t)kept->piece;
    for (int place = from; place < past; place++) {
        const int32_t piece = kept->piece_at[place];
        if (piece == NONE) continue;
        int32_t other;
        do other = kept->free_place[--kept->free_places];
        while (other < past);
        memcpy(kept->word + other * (int64_t)words, kept->word + place * (int64_t)words, words * sizeof *kept->word);
        kept->place[piece] = other, kept->piece_at[other] = piece, kept->piece_at[place] = NONE;
    }
}

/** Room for the synapses of one source. */
typedef struct { int room; uint32_t *word; uint16_t *delay; double *weight; } row;

/** Words of a source as they will be, from those that were dealt. */
static void make_words(const static_blocks *blocks, const blocks_slice *slice, const uint32_t *dealt, int count, const row *row) {
    const uint16_t *restrict delay = row->delay;
    const double *restrict weight = row->weight;
    uint32_t *restrict word = row->word;
    for (int k = 0; k < count; k++) word[k] = blocks_dealt_target(dealt[k]) | (uint32_t)(delay[k] & BLOCK_MASK) << slice->bits;
    if (!blocks_in_units(blocks->form)) return;
    for (int k = 0; k < count; k++) word[k] |= (uint32_t)blocks_units(weight[k], blocks->unit) << BLOCKS_WEIGHT;
}

/** By delay, those of one as they came. */
static void write_row(const static_blocks *blocks, blocks_slice *slice, int64_t source, int count, const row *row) {
    const int64_t begin = slice->start[source];
    uint16_t *restrict offset = slice->offset + source * (blocks->longest + 1);
    uint32_t next[BLOCKS_LONGEST + 1], *restrict to = slice->word + begin;
    for (int k = 0; k < count; k++) offset[row->delay[k]]++;
    for (int d = 1; d <= blocks->longest; d++) {
        next[d] = offset[d - 1];
        offset[d] = (uint16_t)(offset[d] + offset[d - 1]);
    }
    for (int k = 0; k < count; k++) {
        const uint32_t at = next[row->delay[k]]++;
        to[at] = row->word[k];
        if (slice->weight) slice->weight[begin + at] = row->weight[k];
    }
    slice->start[source + 1] = begin + count;
}

/** Words of a bucket. */
static int64_t count_bucket(const blocks_rows *kept, int bucket) {
    int64_t count = 0;
    const uint32_t *word;
    for (int32_t piece = kept->first[bucket]; piece != NONE; piece = kept->link[piece]) count += words_of(kept, bucket, piece, &word);
    return count;
}

/** All words are there. */
static void end_dealing(blocks_rows *kept) {
    for (int b = 0; b < kept->buckets; b++) kept->next[b] -= (int64_t)kept->last[b] * kept->piece;
    for (int32_t place = kept->pieces; place < kept->places; place++) {
        kept->piece_at[place] = NONE;
        kept->free_place[kept->free_places++] = place;
    }
}

static int64_t largest_bucket(const blocks_rows *kept) {
    int64_t largest = 0;
    for (int b = 0; b < kept->buckets; b++) {
        const int64_t count = count_bucket(kept, b);
        if (count > largest) largest = count;
    }
    return largest;
}

/** For the sources of a bucket. @return false: one has more than blocks hold */
static bool make_room(const int64_t *start, row *row) {
    int64_t most = 0;
    for (int j = 0; j < BUCKET; j++)
        if (start[j + 1] - start[j] > most) most = start[j + 1] - start[j];
    if (most > BLOCKS_ROW_MAX) return false;
    if (most <= row->room) return true;
    row->room = (int)(most + most / 8);
    row->word = memory_resize(MEMORY_BUFFERS, row->word, (size_t)row->room, sizeof *row->word);
    row->delay = memory_resize(MEMORY_BUFFERS, row->delay, (size_t)row->room, sizeof *row->delay);
    row->weight = memory_resize(MEMORY_BUFFERS, row->weight, (size_t)row->room, sizeof *row->weight);
    return true;
}

/** @param sorted [largest bucket] */
static bool fill(static_blocks *blocks, blocks_rows *kept, const blocks_law *law, uint32_t *sorted, row *row) {
    blocks_slice *slice = &blocks->slice[kept->slice];
    int64_t start[BUCKET + 1], written = 0;
    int cleared = 0;
    for (int b = 0; b < kept->buckets; b++) {
        const int64_t first = (int64_t)b * BUCKET;
        count_sources(kept, b, start);
        if (!make_room(start, row)) return false;
        empty_bucket(kept, b, start, sorted);
        written += start[BUCKET];
        const int past = (int)((written + kept->piece - 1) / kept->piece);
        make_way(kept, cleared, past);
        cleared = past;
        for (int j = 0; j < BUCKET && first + j < blocks->sources; j++) {
            const int count = (int)(start[j + 1] - start[j]);
            law->draw(law->of, first + j, slice->first, sorted + start[j], count, row->delay, row->weight);
            make_words(blocks, slice, sorted + start[j], count, row);
            write_row(blocks, slice, first + j, count, row);
        }
    }
    return true;
}

bool blocks_fill(static_blocks *blocks, blocks_rows *kept, const blocks_law *law) {
    blocks_slice *slice = &blocks->slice[kept->slice];
    end_dealing(kept);
    uint32_t *sorted = memory_new(MEMORY_BUFFERS, (size_t)largest_bucket(kept), sizeof *sorted);
    row row = {0};
    const bool fits = fill(blocks, kept, law, sorted, &row);
    memory_free(sorted), memory_free(row.word), memory_free(row.delay), memory_free(row.weight);
    if (!fits) return false;
    slice->done = blocks->sources;
    blocks_set_room(blocks, slice, slice->start[blocks->sources]);
    return true;
}
