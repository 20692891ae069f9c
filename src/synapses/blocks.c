#include "engram/blocks.h"

#include <string.h>

#include "engram/context.h"
#include "engram/memory.h"

enum { WORD_WEIGHT = 19, SLICE_MAX = 1 << 16, DELAY_MASK = BLOCK_STEPS - 1 };

/* Neurons of a slice whose slabs fit a second-level cache beside what streams through it. */
enum { SLICE_COUNTED = 1 << 15, SLICE_FIXED = 1 << 14, SLICE_DOUBLE = 1 << 13 };

/* ---- building ---- */

static bool in_units(blocks_form form) {
    return form == BLOCKS_FIXED || form == BLOCKS_TOGETHER;
}

static int bits_for(int count) {
    int bits = 4;
    while (1 << bits < count) bits++;
    return bits;
}

static int most_of(const blocks_setting *setting) {
    static const int fits[] = {[BLOCKS_COUNTED] = SLICE_COUNTED, [BLOCKS_FIXED] = SLICE_FIXED, [BLOCKS_TOGETHER] = 2 * SLICE_FIXED,
                               [BLOCKS_DOUBLE] = SLICE_DOUBLE};
    const int most = setting->slice_size > 0 ? setting->slice_size : fits[setting->form];
    return most < SLICE_MAX ? most : SLICE_MAX;
}

int blocks_slices(const blocks_setting *setting) {
    const int most = most_of(setting);
    return setting->mine ? (setting->mine + most - 1) / most : 1;
}

static_blocks *blocks_new(const blocks_setting *setting) {
    static_blocks *blocks = memory_new(MEMORY_STATIC, 1, sizeof *blocks);
    const int slices = blocks_slices(setting);
    *blocks = (static_blocks){.form = setting->form, .sources = setting->sources, .excitatory = setting->excitatory, .longest = setting->longest,
                              .unit = setting->unit, .slices = slices};
    blocks->slice = memory_new(MEMORY_STATIC, (size_t)slices, sizeof *blocks->slice);
    for (int v = 0; v < slices; v++) {
        blocks_slice *slice = &blocks->slice[v];
        slice->first = (int)((int64_t)setting->mine * v / slices);
        slice->count = (int)((int64_t)setting->mine * (v + 1) / slices) - slice->first;
        slice->bits = bits_for(slice->count);
        slice->start = memory_new(MEMORY_STATIC, (size_t)setting->sources + 1, sizeof *slice->start);
        slice->offset = memory_new(MEMORY_STATIC, (size_t)(setting->sources * (setting->longest + 1)), sizeof *slice->offset);
    }
    return blocks;
}

void blocks_free(static_blocks *blocks) {
    if (!blocks) return;
    for (int v = 0; v < blocks->slices; v++) {
        blocks_slice *slice = &blocks->slice[v];
        memory_free(slice->start), memory_free(slice->offset), memory_free(slice->word), memory_free(slice->weight);
    }
    memory_free(blocks->slice);
    memory_free(blocks);
}

static void set_room(const static_blocks *blocks, blocks_slice *slice, int64_t room) {
    slice->word = memory_resize(MEMORY_STATIC, slice->word, (size_t)room, sizeof *slice->word);
    if (blocks->form == BLOCKS_DOUBLE) slice->weight = memory_resize(MEMORY_STATIC, slice->weight, (size_t)room, sizeof *slice->weight);
    slice->room = room;
}

void blocks_reserve(static_blocks *blocks, int slice, int64_t synapses) {
    if (synapses > blocks->slice[slice].room) set_room(blocks, &blocks->slice[slice], synapses);
}

void blocks_finish(static_blocks *blocks) {
    for (int v = 0; v < blocks->slices; v++) {
        const long long done = blocks->slice[v].done, wanted = blocks->sources;
        if (done != wanted) context_abort("blocks: %lld sources of %lld", done, wanted);
        set_room(blocks, &blocks->slice[v], blocks->slice[v].start[blocks->sources]);
    }
}

static uint32_t word_of(const static_blocks *blocks, const blocks_slice *slice, const blocks_synapse *synapse) {
    uint32_t word = synapse->target - (uint32_t)slice->first;
    word |= (uint32_t)(synapse->delay & DELAY_MASK) << slice->bits;
    if (!in_units(blocks->form)) return word;
    return word | (uint32_t)blocks_units(synapse->weight, blocks->unit) << WORD_WEIGHT;
}

void blocks_append(static_blocks *blocks, int v, const blocks_synapse *synapse, int count) {
    blocks_slice *slice = &blocks->slice[v];
    const int64_t source = slice->done++, begin = slice->start[source];
    uint16_t *offset = slice->offset + source * (blocks->longest + 1);
    if (count > BLOCKS_ROW_MAX) context_abort("blocks: %d synapses of a source", count);
    if (begin + count > slice->room) set_room(blocks, slice, (begin + count) + (begin + count) / 2 + 1024);
    for (int k = 0; k < count; k++) offset[synapse[k].delay]++;
    for (int d = 1; d <= blocks->longest; d++) offset[d] = (uint16_t)(offset[d] + offset[d - 1]);
    for (int k = count - 1; k >= 0; k--) { /* from behind, so that equal ones keep their order: offset[d] then is where those of d begin */
        const int64_t at = begin + --offset[synapse[k].delay];
        slice->word[at] = word_of(blocks, slice, &synapse[k]);
        if (slice->weight) slice->weight[at] = synapse[k].weight;
    }
    for (int d = 0; d < blocks->longest; d++) offset[d] = offset[d + 1];
    offset[blocks->longest] = (uint16_t)count;
    slice->start[source + 1] = begin + count;
}

struct blocks_rows {
    const static_blocks *blocks;
    const int64_t *start; /* [targets+1], less start[0] they are places in: */
    int targets;
    int32_t *source;
    uint8_t *delay;
    int16_t *units; /* of weights */
    double *weight; /* BLOCKS_DOUBLE */
};

blocks_rows *blocks_rows_new(const static_blocks *blocks, int v, const int64_t *start) {
    blocks_rows *kept = memory_new(MEMORY_BUFFERS, 1, sizeof *kept);
    *kept = (blocks_rows){.blocks = blocks, .start = start, .targets = blocks->slice[v].count};
    const size_t count = (size_t)(start[kept->targets] - start[0]);
    kept->source = memory_new(MEMORY_BUFFERS, count, sizeof *kept->source);
    kept->delay = memory_new(MEMORY_BUFFERS, count, sizeof *kept->delay);
    if (in_units(blocks->form)) kept->units = memory_new(MEMORY_BUFFERS, count, sizeof *kept->units);
    else kept->weight = memory_new(MEMORY_BUFFERS, count, sizeof *kept->weight);
    return kept;
}

void blocks_rows_free(blocks_rows *kept) {
    memory_free(kept->source), memory_free(kept->delay), memory_free(kept->units), memory_free(kept->weight);
    memory_free(kept);
}

void blocks_rows_take(blocks_rows *kept, int first, const synapse_rows *rows) {
    const int64_t at = kept->start[first] - kept->start[0], count = rows->start[rows->targets];
    if (count != kept->start[first + rows->targets] - kept->start[first]) context_abort("blocks: %lld synapses", (long long)count);
    memcpy(kept->source + at, rows->source, (size_t)count * sizeof *rows->source);
    for (int64_t s = 0; s < count; s++) kept->delay[at + s] = (uint8_t)rows->delay[s];
    if (kept->weight) memcpy(kept->weight + at, rows->weight, (size_t)count * sizeof *rows->weight);
    else
        for (int64_t s = 0; s < count; s++) kept->units[at + s] = blocks_units(rows->weight[s], kept->blocks->unit);
}

/** offset[d] becomes the number of the source's synapses with delays up to d, its start what the sources before have. @return false: too many of a source */
static bool count_sources(const static_blocks *blocks, blocks_slice *slice, const blocks_rows *kept, int64_t count) {
    for (int64_t s = 0; s < count; s++) slice->start[kept->source[s] + 1]++;
    bool fits = true;
    for (int64_t j = 0; j < blocks->sources; j++) {
        fits &= slice->start[j + 1] <= BLOCKS_ROW_MAX;
        slice->start[j + 1] += slice->start[j];
    }
    if (!fits) return false;
    const int row = blocks->longest + 1;
    for (int64_t s = 0; s < count; s++) slice->offset[(int64_t)kept->source[s] * row + kept->delay[s]]++;
    for (int64_t j = 0; j < blocks->sources; j++) {
        uint16_t *offset = slice->offset + j * row;
        for (int d = 0; d < blocks->longest; d++) offset[d + 1] = (uint16_t)(offset[d + 1] + offset[d]);
    }
    return true;
}

bool blocks_fill(static_blocks *blocks, int v, const blocks_rows *kept) {
    blocks_slice *slice = &blocks->slice[v];
    const int64_t count = kept->start[kept->targets] - kept->start[0];
    const int row = blocks->longest + 1;
    if (!count_sources(blocks, slice, kept, count)) return false;
    set_room(blocks, slice, count);
    for (int i = kept->targets - 1; i >= 0; i--) /* from behind, as blocks_append() does it */
        for (int64_t s = kept->start[i + 1] - kept->start[0] - 1; s >= kept->start[i] - kept->start[0]; s--) {
            const int64_t source = kept->source[s], at = slice->start[source] + --slice->offset[source * row + kept->delay[s]];
            slice->word[at] = (uint32_t)i | (uint32_t)(kept->delay[s] & DELAY_MASK) << slice->bits;
            if (kept->units) slice->word[at] |= (uint32_t)kept->units[s] << WORD_WEIGHT;
            else slice->weight[at] = kept->weight[s];
        }
    for (int64_t j = 0; j < blocks->sources; j++) {
        uint16_t *offset = slice->offset + j * row;
        memmove(offset, offset + 1, (size_t)blocks->longest * sizeof *offset);
        offset[blocks->longest] = (uint16_t)(slice->start[j + 1] - slice->start[j]);
    }
    slice->done = blocks->sources;
    return true;
}

int blocks_row(const static_blocks *blocks, int v, int64_t source, blocks_synapse *row) {
    const blocks_slice *slice = &blocks->slice[v];
    const int64_t begin = slice->start[source];
    const int count = (int)(slice->start[source + 1] - begin);
    const uint16_t *offset = slice->offset + source * (blocks->longest + 1);
    const uint32_t mask = ((uint32_t)1 << slice->bits) - 1;
    for (int k = 0, delay = 1; k < count; k++) {
        const uint32_t word = slice->word[begin + k];
        while (offset[delay] <= k) delay++;
        row[k] = (blocks_synapse){.target = (word & mask) + (uint32_t)slice->first, .delay = (uint16_t)delay};
        if (blocks->form == BLOCKS_DOUBLE) row[k].weight = slice->weight[begin + k];
        else if (in_units(blocks->form)) row[k].weight = blocks->unit * ((int32_t)word >> WORD_WEIGHT);
    }
    return count;
}

static const size_t sum_bytes[] = {[BLOCKS_COUNTED] = sizeof(uint16_t), [BLOCKS_FIXED] = sizeof(int32_t), [BLOCKS_TOGETHER] = sizeof(int32_t),
                                    [BLOCKS_DOUBLE] = sizeof(double)};

/** Sums of excitatory and inhibitory input, or of both. */
static int signs_of(blocks_form form) {
    return form == BLOCKS_TOGETHER ? 1 : 2;
}

double blocks_bytes(const blocks_setting *setting, double synapses) {
    const double of_source = 8 + 2.0 * (setting->longest + 1), each = 4 + (setting->form == BLOCKS_DOUBLE ? 8 : 0);
    return blocks_slices(setting) * (double)setting->sources * of_source + each * synapses;
}

double blocks_rows_bytes(const blocks_setting *setting, double synapses) {
    return (5 + (in_units(setting->form) ? 2 : 8)) * synapses / blocks_slices(setting);
}

/* Sums are added to here and there: in small pages the translation of addresses takes longer than the addition. From SMALL bytes on they lie in huge pages. */
enum { HUGE_PAGE = 2 << 20, SMALL = 256 << 10 };

static size_t room_for(size_t bytes) {
    return bytes < SMALL ? bytes : (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE + HUGE_PAGE;
}

double block_sums_bytes(const blocks_setting *setting) {
    size_t bytes = 0;
    const int slices = blocks_slices(setting);
    for (int v = 0; v < slices; v++) {
        const int64_t count = (int64_t)setting->mine * (v + 1) / slices - (int64_t)setting->mine * v / slices;
        bytes += (size_t)signs_of(setting->form) * BLOCK_STEPS * sum_bytes[setting->form] << bits_for((int)count);
    }
    return (double)room_for(bytes);
}

/* ---- delivery ---- */

/** Synapses of a source that a spike reaches within the block. */
typedef struct {
    int64_t begin;
    int count;
    uint32_t turn; /**< added to a word it gives the slab */
    bool inhibitory; /**< source */
} run;

struct block_sums {
    int slices, phase; /**< step of the block that is delivered next */
    bool waiting;      /**< its sums are complete, and not taken by all */
    unsigned loads;    /**< of the flight */
    size_t size;       /**< bytes of a sum */
    char *block;       /**< all sums */
    char **sum;        /**< [slices] in it: [2][BLOCK_STEPS][1 << bits]: excitatory, inhibitory */
    size_t *slab;      /**< [slices] bytes of [BLOCK_STEPS][1 << bits] */
    run *run;
    int room;
};

block_sums *block_sums_new(const static_blocks *blocks) {
    block_sums *sums = memory_new(MEMORY_STATE, 1, sizeof *sums);
    sums->slices = blocks->slices;
    sums->size = sum_bytes[blocks->form];
    sums->sum = memory_new(MEMORY_STATE, (size_t)blocks->slices, sizeof *sums->sum);
    sums->slab = memory_new(MEMORY_STATE, (size_t)blocks->slices, sizeof *sums->slab);
    size_t bytes = 0;
    for (int v = 0; v < blocks->slices; v++) {
        sums->slab[v] = BLOCK_STEPS * sums->size << blocks->slice[v].bits;
        bytes += (size_t)signs_of(blocks->form) * sums->slab[v];
    }
    sums->block = memory_new(MEMORY_STATE, room_for(bytes), 1);
    char *at = sums->block;
    if (bytes >= SMALL) at += (HUGE_PAGE - (uintptr_t)at % HUGE_PAGE) % HUGE_PAGE;
    for (int v = 0; v < blocks->slices; v++) {
        sums->sum[v] = at;
        at += (size_t)signs_of(blocks->form) * sums->slab[v];
    }
    return sums;
}

void block_sums_free(block_sums *sums) {
    if (!sums) return;
    memory_free(sums->block), memory_free(sums->sum), memory_free(sums->slab), memory_free(sums->run);
    memory_free(sums);
}

/** Append the runs of spikes of the step @p ago steps before this one. @return the new number of runs */
static int list_spikes(const static_blocks *blocks, const blocks_slice *slice, block_sums *sums, const spike_flight *flight, int ago, int runs) {
    enum { AHEAD = 12 };
    const int left = BLOCK_STEPS - sums->phase, row = blocks->longest + 1; /* steps of the block, this one among them */
    const int low = ago + 1, high = ago + left < blocks->longest ? ago + left : blocks->longest; /* delays */
    int count;
    const int32_t *spike = flight_spikes(flight, ago, &count);
    if (low > high) return runs;
    if (runs + count > sums->room) {
        sums->room = (runs + count) * 3 / 2 + 64;
        sums->run = memory_resize(MEMORY_STATE, sums->run, (size_t)sums->room, sizeof *sums->run);
    }
    const uint32_t turn = (uint32_t)((sums->phase - ago - 1) & DELAY_MASK) << slice->bits;
    for (int k = 0; k < count; k++) {
        if (k + AHEAD < count) {
            __builtin_prefetch(slice->start + spike[k + AHEAD]);
            __builtin_prefetch(slice->offset + (int64_t)spike[k + AHEAD] * row + low - 1);
        }
        const uint16_t *offset = slice->offset + (int64_t)spike[k] * row;
        const int begin = offset[low - 1], end = offset[high];
        sums->run[runs] = (run){slice->start[spike[k]] + begin, end - begin, turn, spike[k] >= blocks->excitatory};
        runs += end > begin;
    }
    return runs;
}

/** Where the stream of synapses is fetched from, some lines before they are needed. */
typedef struct {
    const run *run, *end;
    int64_t at, behind; /**< of the run: next synapse, one behind its last */
} cursor;

enum { LINE = 16, LINES_AHEAD = 24 }; /* LINE: words of a cache line */

static inline void cursor_next(cursor *ahead, const uint32_t *word, const double *weight) {
    if (ahead->run == ahead->end) return;
    __builtin_prefetch(word + ahead->at);
    if (weight) __builtin_prefetch(weight + ahead->at), __builtin_prefetch(weight + ahead->at + LINE / 2);
    ahead->at += LINE;
    if (ahead->at < ahead->behind) return;
    if (++ahead->run == ahead->end) return;
    ahead->at = ahead->run->begin, ahead->behind = ahead->at + ahead->run->count;
}

static cursor cursor_begin(const run *runs, int count, const uint32_t *word, const double *weight) {
    cursor ahead = {runs, runs + count, runs->begin, runs->begin + runs->count};
    for (int line = 0; line < LINES_AHEAD; line++) cursor_next(&ahead, word, weight);
    return ahead;
}

/* ADD adds synapse k, word w, of run r to the sum at (w + turn) & mask. */
#define DELIVER(name, type, ADD)                                                                                                                              \
    static void name(const blocks_slice *slice, const run *runs, int count, type *sums) {                                                                     \
        const uint32_t mask = ((uint32_t)BLOCK_STEPS << slice->bits) - 1;                                                                                     \
        const int sign = slice->bits + 3; /* of BLOCK_STEPS: where inhibitory sums begin */                                                                   \
        const double *const weights = slice->weight;                                                                                                          \
        cursor ahead = cursor_begin(runs, count, slice->word, weights);                                                                                       \
        for (const run *r = runs; r < runs + count; r++) {                                                                                                    \
            const uint32_t *word = slice->word + r->begin, turn = r->turn;                                                                                    \
            const double *weight = weights ? weights + r->begin : NULL;                                                                                       \
            type *const to = sums + (size_t)(r->inhibitory ? mask + 1 : 0);                                                                                   \
            int left = r->count;                                                                                                                              \
            for (; left >= LINE; left -= LINE, word += LINE, weight = weight ? weight + LINE : NULL) {                                                        \
                cursor_next(&ahead, slice->word, weights);                                                                                                    \
                _Pragma("GCC unroll 16") for (int k = 0; k < LINE; k++) ADD;                                                                                  \
            }                                                                                                                                                 \
            if (left) cursor_next(&ahead, slice->word, weights);                                                                                              \
            for (int k = 0; k < left; k++) ADD;                                                                                                               \
            (void)weight, (void)to, (void)sign;                                                                                                                \
        }                                                                                                                                                     \
    }
DELIVER(deliver_counted, uint16_t, to[(word[k] + turn) & mask]++)
DELIVER(deliver_together, int32_t, sums[(word[k] + turn) & mask] += (int32_t)word[k] >> WORD_WEIGHT)
DELIVER(deliver_fixed, int32_t, sums[((word[k] + turn) & mask) | (word[k] >> 31 << sign)] += (int32_t)word[k] >> WORD_WEIGHT)
DELIVER(deliver_double, double, (weight[k] > 0 ? sums : sums + mask + 1)[(word[k] + turn) & mask] += weight[k])

static void deliver_runs(const static_blocks *blocks, int v, block_sums *sums, int runs) {
    const blocks_slice *slice = &blocks->slice[v];
    void *to = sums->sum[v];
    if (!runs) return;
    switch (blocks->form) {
    case BLOCKS_COUNTED: deliver_counted(slice, sums->run, runs, to); break;
    case BLOCKS_FIXED: deliver_fixed(slice, sums->run, runs, to); break;
    case BLOCKS_TOGETHER: deliver_together(slice, sums->run, runs, to); break;
    case BLOCKS_DOUBLE: deliver_double(slice, sums->run, runs, to); break;
    }
}

void blocks_add(const static_blocks *blocks, block_sums *sums, const spike_flight *flight, int fresh) {
    if (sums->loads != flight->loads) { /* a block begins here, and what is in flight is delivered anew */
        for (int v = 0; v < sums->slices; v++) memset(sums->sum[v], 0, (size_t)signs_of(blocks->form) * sums->slab[v]);
        sums->loads = flight->loads;
        sums->phase = 0;
    }
    for (int v = 0; v < blocks->slices; v++) {
        int runs = 0, oldest = sums->phase == 0 ? blocks->longest - 1 : flight->lag + fresh - 1;
        if (!blocks->slice[v].count) continue;
        if (oldest > flight->longest - 1) oldest = flight->longest - 1;
        for (int ago = oldest; ago >= flight->lag; ago--) runs = list_spikes(blocks, &blocks->slice[v], sums, flight, ago, runs);
        deliver_runs(blocks, v, sums, runs);
    }
    sums->waiting = true;
}

/** Sums of this step of a slice: uint16_t, int32_t in units, or double. */
static void *sums_of(const static_blocks *blocks, const block_sums *sums, int v, bool inhibitory) {
    return sums->sum[v] + (inhibitory ? sums->slab[v] : 0) + ((size_t)sums->phase * sums->size << blocks->slice[v].bits);
}

static void move_units(const int32_t *restrict from, int count, double unit, double *restrict to) {
    for (int i = 0; i < count; i++) to[i] = unit * (double)from[i];
}

/** Local indices first .. end-1, of one slice. */
static void take_of_slice(const static_blocks *blocks, block_sums *sums, int v, int first, int end, static_input *input) {
    for (int inhibitory = 0; inhibitory < signs_of(blocks->form); inhibitory++) {
        char *from = (char *)sums_of(blocks, sums, v, inhibitory) + (size_t)(first - blocks->slice[v].first) * sums->size;
        const size_t bytes = (size_t)(end - first) * sums->size;
        uint16_t *counts = inhibitory ? input->inhibitory_count : input->excitatory_count;
        double *values = inhibitory ? input->inhibitory : input->excitatory;
        if (blocks->form == BLOCKS_COUNTED) memcpy(counts + first, from, bytes);
        else if (blocks->form == BLOCKS_DOUBLE) memcpy(values + first, from, bytes);
        else move_units((const int32_t *)(const void *)from, end - first, blocks->unit, values + first);
        memset(from, 0, bytes);
    }
}

void blocks_take(const static_blocks *blocks, block_sums *sums, int first, int end, static_input *input) {
    for (int v = 0; v < blocks->slices && sums->waiting; v++) {
        const blocks_slice *slice = &blocks->slice[v];
        const int from = slice->first > first ? slice->first : first, to = slice->first + slice->count < end ? slice->first + slice->count : end;
        if (from < to) take_of_slice(blocks, sums, v, from, to, input);
    }
}

void blocks_next(block_sums *sums) {
    if (sums->waiting) sums->phase = (sums->phase + 1) & DELAY_MASK;
    sums->waiting = false;
}

void blocks_deliver(const static_blocks *blocks, block_sums *sums, const spike_flight *flight, int fresh, static_input *input) {
    const blocks_slice *last = &blocks->slice[blocks->slices - 1];
    blocks_add(blocks, sums, flight, fresh);
    blocks_take(blocks, sums, 0, last->first + last->count, input);
    blocks_next(sums);
}
