/* Blocks from rows that come target by target (blocks.h), without all of them in memory twice, and without writing here and there in all of it: synapses are
 * dealt to buckets of sources that follow one another, as the words that they will be; bucket by bucket they then go to their places, which fit the caches. */
#include "blocks_inside.h"
#include "engram/memory.h"

enum { SOURCE_BITS = 8, BUCKET = 1 << SOURCE_BITS, BLOCK_BITS = 5 }; /* sources of a bucket; BLOCK_STEPS << BLOCK_BITS: above BLOCKS_LONGEST */

typedef struct {
    int64_t count, room;
    uint32_t *word;
    uint16_t *key;  /**< source in the bucket and, in the lower BLOCK_BITS, what the word has not of the delay */
    double *weight; /**< BLOCKS_DOUBLE */
} bucket;

struct blocks_rows {
    const static_blocks *blocks;
    int slice, buckets;
    bucket *bucket; /**< [buckets] */
};

blocks_rows *blocks_rows_new(const static_blocks *blocks, int slice) {
    blocks_rows *kept = memory_new(MEMORY_BUFFERS, 1, sizeof *kept);
    *kept = (blocks_rows){.blocks = blocks, .slice = slice, .buckets = (int)((blocks->sources + BUCKET - 1) / BUCKET)};
    kept->bucket = memory_new(MEMORY_BUFFERS, (size_t)kept->buckets, sizeof *kept->bucket);
    return kept;
}

static void empty(bucket *bucket) {
    memory_free(bucket->word), memory_free(bucket->key), memory_free(bucket->weight);
    bucket->word = NULL, bucket->key = NULL, bucket->weight = NULL;
}

void blocks_rows_free(blocks_rows *kept) {
    for (int b = 0; b < kept->buckets; b++) empty(&kept->bucket[b]);
    memory_free(kept->bucket), memory_free(kept);
}

double blocks_rows_bytes(const blocks_setting *setting, double synapses) {
    const double grown = 1.0 / 16, each = setting->form == BLOCKS_DOUBLE ? 14 : 6, left = setting->form == BLOCKS_DOUBLE ? 12 : 4; /* left: in blocks */
    return ((1 + grown) * each - left) * synapses / blocks_slices(setting);
}

/** By an eighth: what is left over is a sixteenth, on average. */
static void make_room(bucket *bucket, bool double_weights) {
    bucket->room = bucket->room + bucket->room / 8 + 256;
    bucket->word = memory_resize(MEMORY_BUFFERS, bucket->word, (size_t)bucket->room, sizeof *bucket->word);
    bucket->key = memory_resize(MEMORY_BUFFERS, bucket->key, (size_t)bucket->room, sizeof *bucket->key);
    if (double_weights) bucket->weight = memory_resize(MEMORY_BUFFERS, bucket->weight, (size_t)bucket->room, sizeof *bucket->weight);
}

enum { SOME = 256 }; /* synapses that are made ready at once */

/** Words and keys of a target's synapses begin .. begin+count-1. */
static void make_words(const blocks_rows *kept, uint32_t target, const synapse_rows *rows, int64_t begin, int count, uint32_t *restrict word,
                       uint16_t *restrict key) {
    const blocks_slice *slice = &kept->blocks->slice[kept->slice];
    const int32_t *source = rows->source + begin;
    const uint16_t *delay = rows->delay + begin;
    const double *weight = rows->weight + begin;
    for (int s = 0; s < count; s++) key[s] = (uint16_t)((source[s] & (BUCKET - 1)) << BLOCK_BITS | delay[s] / BLOCK_STEPS);
    for (int s = 0; s < count; s++) word[s] = blocks_word(kept->blocks, slice, &(blocks_synapse){.target = target, .delay = delay[s], .weight = weight[s]});
}

void blocks_rows_take(blocks_rows *kept, int first, const synapse_rows *rows) {
    const static_blocks *blocks = kept->blocks;
    const bool double_weights = blocks->form == BLOCKS_DOUBLE;
    uint32_t word[SOME];
    uint16_t key[SOME];
    for (int i = 0; i < rows->targets; i++) {
        const uint32_t target = (uint32_t)(blocks->slice[kept->slice].first + first + i);
        for (int64_t begin = rows->start[i]; begin < rows->start[i + 1]; begin += SOME) {
            const int some = rows->start[i + 1] - begin < SOME ? (int)(rows->start[i + 1] - begin) : SOME;
            make_words(kept, target, rows, begin, some, word, key);
            for (int s = 0; s < some; s++) {
                bucket *to = &kept->bucket[rows->source[begin + s] >> SOURCE_BITS];
                if (to->count == to->room) make_room(to, double_weights);
                to->word[to->count] = word[s];
                to->key[to->count] = key[s];
                if (double_weights) to->weight[to->count] = rows->weight[begin + s];
                to->count++;
            }
        }
    }
}

static int source_of(const bucket *bucket, int64_t k) {
    return bucket->key[k] >> BLOCK_BITS;
}

static int delay_of(const blocks_slice *slice, const bucket *bucket, int64_t k) {
    return (int)(bucket->key[k] & ((1 << BLOCK_BITS) - 1)) * BLOCK_STEPS + (int)(bucket->word[k] >> slice->bits & BLOCK_MASK);
}

/** offset[d] becomes the number of a source's synapses with delays up to d. @param[in,out] start of the sources @return false: too many of a source */
static bool count_sources(const blocks_slice *slice, const bucket *from, int sources, int row, uint16_t *restrict offset, int64_t *restrict start) {
    int64_t many[BUCKET] = {0};
    for (int64_t k = 0; k < from->count; k++) {
        const int source = source_of(from, k);
        many[source]++;
        offset[source * row + delay_of(slice, from, k)]++;
    }
    for (int j = 0; j < sources; j++) {
        if (many[j] > BLOCKS_ROW_MAX) return false;
        start[j + 1] = start[j] + many[j];
        for (int d = 1; d < row; d++) offset[j * row + d] = (uint16_t)(offset[j * row + d] + offset[j * row + d - 1]);
    }
    return true;
}

/** Their sources' synapses, behind those of the buckets before. @param[in,out] offset, start of the first source. @return false: too many of a source */
static bool fill_bucket(const static_blocks *blocks, blocks_slice *slice, const bucket *from, int64_t first) {
    const int row = blocks->longest + 1, sources = (int)(blocks->sources - first < BUCKET ? blocks->sources - first : BUCKET);
    uint16_t *offset = slice->offset + first * row;
    int64_t *start = slice->start + first;
    if (!count_sources(slice, from, sources, row, offset, start)) return false;
    blocks_set_room(blocks, slice, start[sources]);
    for (int64_t k = from->count - 1; k >= 0; k--) { /* from behind, as blocks_append() does it */
        const int source = source_of(from, k);
        const int64_t at = start[source] + --offset[source * row + delay_of(slice, from, k)];
        slice->word[at] = from->word[k];
        if (from->weight) slice->weight[at] = from->weight[k];
    }
    for (int j = 0; j < sources; j++) {
        uint16_t *of = offset + j * row;
        for (int d = 0; d + 1 < row; d++) of[d] = of[d + 1];
        of[row - 1] = (uint16_t)(start[j + 1] - start[j]);
    }
    return true;
}

/** Addresses for all of them, so that what grows bucket by bucket lies in large pages. */
static void reserve(const static_blocks *blocks, blocks_slice *slice, const blocks_rows *kept) {
    int64_t count = 0;
    for (int b = 0; b < kept->buckets; b++) count += kept->bucket[b].count;
    memory_free(slice->word), memory_free(slice->weight);
    slice->word = memory_reserve(MEMORY_STATIC, (size_t)count, sizeof *slice->word);
    slice->weight = blocks->form == BLOCKS_DOUBLE ? memory_reserve(MEMORY_STATIC, (size_t)count, sizeof *slice->weight) : NULL;
    slice->room = 0;
}

bool blocks_fill(static_blocks *blocks, blocks_rows *kept) {
    blocks_slice *slice = &blocks->slice[kept->slice];
    reserve(blocks, slice, kept);
    for (int b = 0; b < kept->buckets; b++) {
        if (!fill_bucket(blocks, slice, &kept->bucket[b], (int64_t)b * BUCKET)) return false;
        empty(&kept->bucket[b]);
    }
    slice->done = blocks->sources;
    return true;
}
