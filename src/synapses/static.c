#include <string.h>
#ifdef __AVX512BW__
#include <immintrin.h>
#endif

#include "engram/blocks.h"
#include "engram/memory.h"

void synapse_rows_free(synapse_rows *rows) {
    memory_free(rows->start);
    memory_free(rows->source);
    memory_free(rows->weight);
    memory_free(rows->delay);
    memset(rows, 0, sizeof *rows);
}

/** Several synapses of a pair, the last one at @p at: by delay, as blocks have them, so that it does not show which form a rank has.
 *  @param begin of the source's synapses */
static void settle_twin(static_synapses *synapses, int64_t begin, int64_t at) {
    const double weight = synapses->weight[at];
    const uint16_t delay = synapses->delay[at];
    for (; at > begin && synapses->target[at - 1] == synapses->target[at] && synapses->delay[at - 1] > delay; at--) {
        synapses->weight[at] = synapses->weight[at - 1], synapses->weight[at - 1] = weight;
        synapses->delay[at] = synapses->delay[at - 1], synapses->delay[at - 1] = delay;
    }
}

static_synapses *static_from_rows(const synapse_rows *rows, int64_t sources, int64_t excitatory) {
    static_synapses *synapses = memory_new(MEMORY_STATIC, 1, sizeof *synapses);
    int64_t count = rows->start[rows->targets];
    synapses->sources = sources;
    synapses->excitatory = excitatory;
    synapses->start = memory_new(MEMORY_STATIC, (size_t)sources + 1, sizeof(int64_t));
    synapses->target = memory_new(MEMORY_STATIC, (size_t)count, sizeof(uint32_t));
    synapses->weight = memory_new(MEMORY_STATIC, (size_t)count, sizeof(double));
    synapses->longest = rows->longest > 0 ? rows->longest : 1;
    synapses->unit = rows->unit, synapses->together = rows->together;
    if (rows->delay) synapses->delay = memory_new(MEMORY_STATIC, (size_t)count, sizeof(uint16_t));
    for (int64_t s = 0; s < count; s++) synapses->start[rows->source[s] + 1]++;
    for (int64_t j = 0; j < sources; j++) synapses->start[j + 1] += synapses->start[j];
    int64_t *next = memory_new(MEMORY_BUFFERS, (size_t)sources + 1, sizeof(int64_t));
    memcpy(next, synapses->start, ((size_t)sources + 1) * sizeof(int64_t));
    for (int i = 0; i < rows->targets; i++) {
        int64_t degree = rows->start[i + 1] - rows->start[i];
        if (degree > synapses->largest_in_degree) synapses->largest_in_degree = degree;
        for (int64_t s = rows->start[i]; s < rows->start[i + 1]; s++) {
            int64_t at = next[rows->source[s]]++;
            synapses->target[at] = (uint32_t)i;
            synapses->weight[at] = rows->weight[s];
            if (rows->delay) synapses->delay[at] = rows->delay[s];
            if (rows->delay && rows->delay[s] > synapses->longest) synapses->longest = rows->delay[s];
            if (rows->delay) settle_twin(synapses, synapses->start[rows->source[s]], at);
        }
    }
    memory_free(next);
    return synapses;
}

/** From blocks: sources ascend within a target, several synapses of a pair by delay. @param[in,out] rows with room */
static void rows_of_blocks(const static_synapses *synapses, int64_t first_gid, synapse_rows *rows) {
    const static_blocks *blocks = synapses->blocks;
    blocks_synapse *row = memory_new(MEMORY_BUFFERS, (size_t)static_largest_out_degree(synapses), sizeof *row);
    for (int64_t j = 0; j < blocks->sources; j++)
        for (int v = 0; v < blocks->slices; v++)
            for (int k = 0, count = blocks_row(blocks, v, j, row); k < count; k++) rows->start[row[k].target + 1]++;
    for (int i = 0; i < rows->targets; i++) rows->start[i + 1] += rows->start[i];
    int64_t *next = memory_new(MEMORY_BUFFERS, (size_t)rows->targets + 1, sizeof(int64_t));
    memcpy(next, rows->start, ((size_t)rows->targets + 1) * sizeof(int64_t));
    for (int64_t j = 0; j < blocks->sources; j++)
        for (int v = 0; v < blocks->slices; v++)
            for (int k = 0, count = blocks_row(blocks, v, j, row); k < count; k++) {
                const uint32_t i = row[k].target;
                const int64_t at = next[i]++;
                const double typed = synapses->type_weight[first_gid + i >= synapses->excitatory][j >= synapses->excitatory];
                rows->source[at] = (int32_t)j;
                rows->delay[at] = row[k].delay;
                rows->weight[at] = blocks->form == BLOCKS_COUNTED ? typed : row[k].weight;
            }
    memory_free(next), memory_free(row);
}

synapse_rows static_to_rows(const static_synapses *synapses, int targets, int64_t first_gid) {
    int64_t count = synapses->start[synapses->sources];
    synapse_rows rows = {.targets = targets,
                         .start = memory_new(MEMORY_BUFFERS, (size_t)targets + 1, sizeof(int64_t)),
                         .source = memory_new(MEMORY_BUFFERS, (size_t)count, sizeof(int32_t)),
                         .weight = memory_new(MEMORY_BUFFERS, (size_t)count, sizeof(double)),
                         .delay = synapses->delay || synapses->blocks ? memory_new(MEMORY_BUFFERS, (size_t)count, sizeof(uint16_t)) : NULL,
                         .longest = synapses->longest,
                         .unit = synapses->unit,
                         .together = synapses->together};
    if (synapses->blocks) {
        rows_of_blocks(synapses, first_gid, &rows);
        return rows;
    }
    uint32_t *scratch = memory_new(MEMORY_BUFFERS, (size_t)static_largest_out_degree(synapses), sizeof(uint32_t));
    for (int64_t j = 0; j < synapses->sources; j++) {
        const uint32_t *target = static_targets(synapses, j, scratch);
        for (int64_t k = 0; k < synapses->start[j + 1] - synapses->start[j]; k++) rows.start[target[k] + 1]++;
    }
    for (int i = 0; i < targets; i++) rows.start[i + 1] += rows.start[i];
    int64_t *next = memory_new(MEMORY_BUFFERS, (size_t)targets + 1, sizeof(int64_t));
    memcpy(next, rows.start, ((size_t)targets + 1) * sizeof(int64_t));
    for (int64_t j = 0; j < synapses->sources; j++) {
        const uint32_t *target = static_targets(synapses, j, scratch);
        for (int64_t s = synapses->start[j]; s < synapses->start[j + 1]; s++) {
            uint32_t i = target[s - synapses->start[j]];
            int64_t at = next[i]++;
            rows.source[at] = (int32_t)j;
            if (rows.delay) rows.delay[at] = synapses->delay[s];
            rows.weight[at] = synapses->weight ? synapses->weight[s]
                                               : synapses->type_weight[first_gid + i >= synapses->excitatory][j >= synapses->excitatory];
        }
    }
    memory_free(next);
    memory_free(scratch);
    return rows;
}

void static_free(static_synapses *synapses) {
    if (!synapses) return;
    memory_free(synapses->start);
    memory_free(synapses->target);
    memory_free(synapses->narrow), memory_free(synapses->split);
    memory_free(synapses->bits);
    memory_free(synapses->weight);
    memory_free(synapses->delay);
    blocks_free(synapses->blocks);
    memory_free(synapses);
}

/* ---- forms ---- */

/* Bits pay from one target among so many neurons on: measured with tools/bench/loop. 0: never, where masks are no operands of additions. */
#ifdef __AVX512BW__
enum { DENSE = 24 };
#else
enum { DENSE = 0 };
#endif

static const uint32_t *bits_of(const static_synapses *synapses, int64_t source) {
    return synapses->bits + source * synapses->words;
}

int64_t static_largest_out_degree(const static_synapses *synapses) {
    int64_t largest = 0;
    for (int64_t j = 0; j < synapses->sources; j++)
        if (synapses->start[j + 1] - synapses->start[j] > largest) largest = synapses->start[j + 1] - synapses->start[j];
    return largest;
}

/** Targets of a source in a slice: narrow[begin] .. narrow[end - 1]. */
typedef struct { int64_t begin, end; } run;

static inline run run_of(const static_synapses *synapses, int64_t source, int slice) {
    const uint32_t *split = synapses->split; /* NULL with one slice */
    const int64_t start = synapses->start[source], at = source * (synapses->slices - 1) + slice;
    return (run){start + (slice ? split[at - 1] : 0), slice < synapses->slices - 1 ? start + split[at] : synapses->start[source + 1]};
}

const uint32_t *static_targets(const static_synapses *synapses, int64_t source, uint32_t *scratch) {
    const int64_t begin = synapses->start[source];
    if (synapses->target) return synapses->target + begin;
    if (synapses->narrow) {
        for (int v = 0; v < synapses->slices; v++)
            for (run run = run_of(synapses, source, v); run.begin < run.end; run.begin++)
                scratch[run.begin - begin] = (uint32_t)(v * synapses->slice_size) + synapses->narrow[run.begin];
        return scratch;
    }
    int64_t at = 0;
    for (int w = 0; w < synapses->words; w++)
        for (uint32_t left = bits_of(synapses, source)[w]; left; left &= left - 1) scratch[at++] = (uint32_t)(32 * w + __builtin_ctz(left));
    return scratch;
}

/** Is no pair connected twice? For synapses in lists. */
static bool all_single(const static_synapses *synapses) {
    for (int64_t j = 0; j < synapses->sources; j++)
        for (int64_t s = synapses->start[j] + 1; s < synapses->start[j + 1]; s++)
            if (synapses->target[s] == synapses->target[s - 1]) return false;
    return true;
}

int static_slices(double synapses, double sources, int64_t targets) {
    enum { NEURONS = 1 << 15, FEW = 16 }; /* whose counts fit the second-level cache beside all else; targets that are worth a jump */
    for (int64_t size = NEURONS; size <= UINT16_MAX + 1; size *= 2) {
        const int64_t slices = (targets + size - 1) / size;
        if (slices <= 1) return 1;
        if (synapses >= FEW * sources * (double)slices) return (int)slices;
    }
    return 0;
}

static_form static_form_for(double synapses, double sources, int64_t targets) {
    if (DENSE != 0 && targets && synapses * DENSE >= sources * (double)targets) return STATIC_BITS;
    return static_slices(synapses, sources, targets) ? STATIC_NARROW : STATIC_LISTS;
}

blocks_form static_blocks_form(bool typed, double unit, bool together) {
    if (typed) return BLOCKS_COUNTED;
    return unit > 0 ? together ? BLOCKS_TOGETHER : BLOCKS_FIXED : BLOCKS_DOUBLE;
}

static_form static_blocks_or_lists(double synapses, double sources, int64_t targets, int longest, blocks_form form) {
    if (longest > BLOCKS_LONGEST || targets > INT32_MAX) return STATIC_LISTS;
    const blocks_setting setting = {.form = form, .sources = (int64_t)sources, .longest = longest, .mine = (int)targets};
    return blocks_bytes(&setting, 0) <= (double)sizeof(uint32_t) * synapses ? STATIC_BLOCKS : STATIC_LISTS;
}

static blocks_form form_in_blocks(const static_synapses *synapses) {
    return static_blocks_form(static_typed(synapses), synapses->unit, synapses->together);
}

bool static_typed(const static_synapses *synapses) {
    return synapses->blocks ? synapses->blocks->form == BLOCKS_COUNTED : !synapses->weight;
}

static_form static_best_form(const static_synapses *synapses, int targets) {
    if (synapses->delay || synapses->blocks) {
        const bool fits = static_largest_out_degree(synapses) <= BLOCKS_ROW_MAX;
        const double count = (double)synapses->start[synapses->sources];
        return fits ? static_blocks_or_lists(count, (double)synapses->sources, targets, synapses->longest, form_in_blocks(synapses)) : STATIC_LISTS;
    }
    if (synapses->weight) return STATIC_LISTS;
    const double count = (double)synapses->start[synapses->sources], sources = (double)synapses->sources;
    static_form form = static_form_for(count, sources, targets);
    bool single = form != STATIC_BITS || synapses->bits || (synapses->target && all_single(synapses));
    return single ? form : static_slices(count, sources, targets) ? STATIC_NARROW : STATIC_LISTS;
}

/** By delay, slice by slice. */
static void to_blocks(static_synapses *synapses, int targets) {
    static_blocks *blocks = blocks_new(&(blocks_setting){.form = form_in_blocks(synapses), .sources = synapses->sources, .excitatory = synapses->excitatory,
                                                         .longest = synapses->longest, .mine = targets, .unit = synapses->unit});
    blocks_synapse *row = memory_new(MEMORY_BUFFERS, (size_t)static_largest_out_degree(synapses), sizeof *row);
    for (int v = 0; v < blocks->slices; v++) {
        const blocks_slice *slice = &blocks->slice[v];
        if (blocks->slices == 1) blocks_reserve(blocks, v, synapses->start[synapses->sources]);
        for (int64_t j = 0; j < synapses->sources; j++) {
            int count = 0;
            for (int64_t s = synapses->start[j]; s < synapses->start[j + 1]; s++)
                if (synapses->target[s] - (uint32_t)slice->first < (uint32_t)slice->count)
                    row[count++] = (blocks_synapse){synapses->target[s], synapses->delay[s], synapses->weight ? synapses->weight[s] : 0};
            blocks_append(blocks, v, row, count);
        }
    }
    blocks_finish(blocks);
    memory_free(row);
    memory_free(synapses->target), memory_free(synapses->weight), memory_free(synapses->delay);
    synapses->target = NULL, synapses->weight = NULL, synapses->delay = NULL;
    synapses->blocks = blocks;
}

/** Slice by slice.
 *  @param[in,out] synapses empty, sources, longest and unit known @return false: a source has more synapses onto a slice than blocks hold */
static bool blocks_from_parts(const static_parts *parts, static_synapses *synapses) {
    static_blocks *blocks = blocks_new(&(blocks_setting){.form = static_blocks_form(false, parts->unit, parts->together), .sources = parts->sources,
                                                         .excitatory = parts->excitatory, .longest = parts->longest, .mine = parts->targets,
                                                         .unit = parts->unit});
    synapses->blocks = blocks;
    bool fits = true;
    for (int v = 0; v < blocks->slices && fits; v++) {
        const blocks_slice *slice = &blocks->slice[v];
        blocks_rows *kept = blocks_rows_new(blocks, v, parts->start[slice->first + slice->count] - parts->start[slice->first]);
        parts->deal(parts->of, slice->first, slice->count, kept);
        fits = blocks_fill(blocks, kept, &(blocks_law){.of = parts->of, .draw = parts->draw});
        for (int64_t j = 0; j < parts->sources && fits; j++) synapses->start[j + 1] += slice->start[j + 1];
        blocks_rows_free(kept);
    }
    for (int i = 0; i < parts->targets; i++)
        if (parts->start[i + 1] - parts->start[i] > synapses->largest_in_degree) synapses->largest_in_degree = parts->start[i + 1] - parts->start[i];
    return fits;
}

static_synapses *static_from_parts(const static_parts *parts) {
    const double count = (double)parts->start[parts->targets];
    const blocks_form form = static_blocks_form(false, parts->unit, parts->together);
    if (static_may_be_in_blocks(parts->own_delays, parts->unit) &&
        static_blocks_or_lists(count, (double)parts->sources, parts->targets, parts->longest, form) == STATIC_BLOCKS) {
        static_synapses *synapses = memory_new(MEMORY_STATIC, 1, sizeof *synapses);
        *synapses = (static_synapses){.sources = parts->sources, .excitatory = parts->excitatory, .longest = parts->longest, .unit = parts->unit,
                                        .together = parts->together};
        synapses->start = memory_new(MEMORY_STATIC, (size_t)parts->sources + 1, sizeof *synapses->start);
        if (blocks_from_parts(parts, synapses)) return synapses;
        static_free(synapses);
    }
    synapse_rows rows = parts->make(parts->of);
    rows.unit = parts->unit, rows.together = parts->together;
    static_synapses *synapses = static_from_rows(&rows, parts->sources, parts->excitatory);
    synapse_rows_free(&rows);
    return synapses;
}

static void from_blocks(static_synapses *synapses, int targets) {
    const bool typed = static_typed(synapses);
    synapse_rows rows = static_to_rows(synapses, targets, 0);
    static_synapses *lists = static_from_rows(&rows, synapses->sources, synapses->excitatory);
    synapse_rows_free(&rows);
    blocks_free(synapses->blocks);
    synapses->blocks = NULL;
    synapses->target = lists->target, synapses->delay = lists->delay;
    if (typed) memory_free(lists->weight);
    else synapses->weight = lists->weight;
    memory_free(lists->start), memory_free(lists);
}

/** Back to lists of four bytes. */
static void unpack(static_synapses *synapses, int targets) {
    if (synapses->blocks) from_blocks(synapses, targets);
    if (synapses->target) return;
    uint32_t *target = memory_new(MEMORY_STATIC, (size_t)synapses->start[synapses->sources], sizeof *target);
    for (int64_t j = 0; j < synapses->sources; j++) static_targets(synapses, j, target + synapses->start[j]);
    memory_free(synapses->narrow), memory_free(synapses->split), memory_free(synapses->bits);
    synapses->target = target;
    synapses->narrow = NULL, synapses->split = NULL, synapses->bits = NULL;
}

/** In the place of the lists: they may fill half of the memory. */
static void to_narrow(static_synapses *synapses, int targets) {
    const int64_t count = synapses->start[synapses->sources];
    const int chosen = static_slices((double)count, (double)synapses->sources, targets), slices = chosen ? chosen : targets / (UINT16_MAX + 1) + 1;
    const int size = slices > 1 ? ((targets - 1) / slices / 64 + 1) * 64 : targets;
    synapses->slices = slices, synapses->slice_size = size;
    if (slices > 1) synapses->split = memory_new(MEMORY_STATIC, (size_t)synapses->sources * (size_t)(slices - 1), sizeof *synapses->split);
    char *bytes = (char *)synapses->target; /* read as what is in it, written as what will be */
    for (int64_t j = 0; j < synapses->sources; j++) {
        int64_t split = j * (slices - 1);
        uint32_t base = 0;
        for (int64_t s = synapses->start[j]; s < synapses->start[j + 1]; s++) {
            uint32_t target;
            memcpy(&target, bytes + s * (int64_t)sizeof target, sizeof target);
            for (; target - base >= (uint32_t)size; base += (uint32_t)size) synapses->split[split++] = (uint32_t)(s - synapses->start[j]);
            const uint16_t within = (uint16_t)(target - base);
            memcpy(bytes + s * (int64_t)sizeof within, &within, sizeof within);
        }
        for (; split < (j + 1) * (slices - 1); split++) synapses->split[split] = (uint32_t)(synapses->start[j + 1] - synapses->start[j]);
    }
    synapses->narrow = memory_resize(MEMORY_STATIC, synapses->target, (size_t)count, sizeof *synapses->narrow);
    synapses->target = NULL;
}

void static_pack(static_synapses *synapses, static_form form, int targets) {
    if (form == STATIC_BLOCKS && synapses->blocks) return;
    unpack(synapses, targets);
    if (form == STATIC_LISTS) return;
    if (form == STATIC_BLOCKS) {
        to_blocks(synapses, targets);
        return;
    }
    if (form == STATIC_NARROW) {
        to_narrow(synapses, targets);
        return;
    }
    synapses->words = (targets + 31) / 32;
    synapses->whole_words = targets / 32;
    synapses->bits = memory_new(MEMORY_STATIC, (size_t)(synapses->sources * synapses->words), sizeof *synapses->bits);
    for (int64_t j = 0; j < synapses->sources; j++)
        for (int64_t s = synapses->start[j]; s < synapses->start[j + 1]; s++)
            synapses->bits[j * synapses->words + synapses->target[s] / 32] |= (uint32_t)1 << synapses->target[s] % 32;
    memory_free(synapses->target);
    synapses->target = NULL;
}

/* ---- delivery ---- */

/** Lists of the next spike come from afar: have their first lines fetched, the processor goes on by itself. */
static void prefetch(const void *list, int64_t bytes) {
    enum { LINE = 64, LINES = 8 };
    for (int64_t at = 0; at < bytes && at < LINE * LINES; at += LINE) __builtin_prefetch((const char *)list + at);
}

#define DELIVER_LISTS(name, type, member)                                                                                                                    \
    static void name(const static_synapses *synapses, const int32_t *spike, int count, uint16_t *restrict counts) {                                          \
        const type *restrict target = synapses->member;                                                                                                      \
        for (int k = 0; k < count; k++) {                                                                                                                    \
            if (k + 1 < count) {                                                                                                                             \
                int64_t next = synapses->start[spike[k + 1]];                                                                                                \
                prefetch(target + next, (synapses->start[spike[k + 1] + 1] - next) * (int64_t)sizeof *target);                                               \
            }                                                                                                                                                \
            for (int64_t s = synapses->start[spike[k]], end = synapses->start[spike[k] + 1]; s < end; s++) counts[target[s]]++;                               \
        }                                                                                                                                                    \
    }
DELIVER_LISTS(deliver_lists, uint32_t, target)
DELIVER_LISTS(deliver_narrow, uint16_t, narrow)

/** Slice by slice, so that its counts stay in the caches. What is read is here and there: where runs are is asked for first, then what is in them. */
static void deliver_slices(const static_synapses *synapses, const int32_t *spike, int count, uint16_t *counts) {
    enum { AHEAD = 10 };
    const uint16_t *narrow = synapses->narrow;
    for (int v = 0; v < synapses->slices; v++) {
        uint16_t *restrict of_slice = counts + (int64_t)v * synapses->slice_size;
        for (int k = -AHEAD; k < count; k++) {
            if (k + 2 * AHEAD < count) {
                __builtin_prefetch(synapses->start + spike[k + 2 * AHEAD]);
                __builtin_prefetch(synapses->split + (int64_t)spike[k + 2 * AHEAD] * (synapses->slices - 1) + v);
            }
            if (k + AHEAD < count) {
                const run next = run_of(synapses, spike[k + AHEAD], v);
                prefetch(narrow + next.begin, (next.end - next.begin) * (int64_t)sizeof *narrow);
            }
            if (k < 0) continue;
            const run run = run_of(synapses, spike[k], v);
            for (int64_t s = run.begin; s < run.end; s++) of_slice[narrow[s]]++;
        }
    }
}

enum { TOGETHER = 4 }; /* sources whose bits are added to the counts at once */

static void add_bits(uint32_t word, uint16_t *counts) {
    for (; word; word &= word - 1) counts[__builtin_ctz(word)]++;
}

/** counts += the bits of some sources, for the whole words among them; a word is 32 counts. */
#ifdef __AVX512BW__
static inline __attribute__((always_inline)) void add_words(const uint32_t *const *bits, const int sources, int words, uint16_t *counts) {
    const __m512i one = _mm512_set1_epi16(1);
    for (int w = 0; w < words; w++) {
        __m512i sum = _mm512_loadu_si512(counts + 32 * w);
        for (int k = 0; k < sources; k++) sum = _mm512_mask_add_epi16(sum, bits[k][w], sum, one);
        _mm512_storeu_si512(counts + 32 * w, sum);
    }
}
#else
static void add_words(const uint32_t *const *bits, const int sources, int words, uint16_t *counts) {
    for (int k = 0; k < sources; k++)
        for (int w = 0; w < words; w++) add_bits(bits[k][w], counts + 32 * w);
}
#endif

static void deliver_bits(const static_synapses *synapses, const int32_t *spike, int count, uint16_t *counts) {
    const int whole = synapses->whole_words;
    for (int k = 0; k < count; k += TOGETHER) {
        const uint32_t *bits[TOGETHER];
        const int here = count - k < TOGETHER ? count - k : TOGETHER;
        for (int n = 0; n < here; n++) bits[n] = bits_of(synapses, spike[k + n]);
        for (int n = 0; n < TOGETHER && k + TOGETHER + n < count; n++) prefetch(bits_of(synapses, spike[k + TOGETHER + n]), 4 * (int64_t)synapses->words);
        switch (here) { /* constants, so that each is compiled for itself */
        case 1: add_words(bits, 1, whole, counts); break;
        case 2: add_words(bits, 2, whole, counts); break;
        case 3: add_words(bits, 3, whole, counts); break;
        default: add_words(bits, TOGETHER, whole, counts);
        }
        for (int n = 0; n < here && whole < synapses->words; n++)
            add_bits(bits[n][whole], counts + 32 * whole);
    }
}

static void deliver_typed(const static_synapses *synapses, const int32_t *spike, int count, uint16_t *counts) {
    if (synapses->bits) deliver_bits(synapses, spike, count, counts);
    else if (synapses->split) deliver_slices(synapses, spike, count, counts);
    else (synapses->narrow ? deliver_narrow : deliver_lists)(synapses, spike, count, counts);
}

static void deliver_weighted(const static_synapses *synapses, const int32_t *spike, int count, static_input *input) {
    for (int k = 0; k < count; k++)
        for (int64_t s = synapses->start[spike[k]], end = synapses->start[spike[k] + 1]; s < end; s++) {
            double weight = synapses->weight[s];
            (weight > 0 || synapses->together ? input->excitatory : input->inhibitory)[synapses->target[s]] += weight;
        }
}

void static_deliver(const static_synapses *synapses, const int32_t *spike, int count, static_input *input) {
    if (!count) return; /* then there may be no list */
    if (synapses->weight) {
        deliver_weighted(synapses, spike, count, input);
        return;
    }
    int excitatory = 0;
    while (excitatory < count && spike[excitatory] < synapses->excitatory) excitatory++;
    if (synapses->bits && excitatory < count) prefetch(bits_of(synapses, spike[excitatory]), 4 * (int64_t)synapses->words);
    deliver_typed(synapses, spike, excitatory, input->excitatory_count);
    deliver_typed(synapses, spike + excitatory, count - excitatory, input->inhibitory_count);
}
