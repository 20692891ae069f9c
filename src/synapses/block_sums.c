/* Delivery of static synapses in blocks of steps (blocks.h).
 *
 * When it becomes known who fired, what each spike does in this block and in each of those to come is noted as a run of its source's synapses. A step then adds
 * the runs that are noted for this block: in a block's first step those of all spikes in flight, oldest first, in the others those of the last step.
 *
 * Sums of weights in units are 16 bits wide, which is half the bytes in the cache. One that does not fit is seen when it is made: the block is then begun anew
 * with 32 bits, from who has fired, and so are some blocks behind it. Sums are whole numbers, and the same in either width. */
#include <string.h>

#include "blocks_inside.h"
#include "engram/memory.h"

enum { WIDE_BLOCKS = 128 }; /* that follow one whose sums did not fit */

/** Synapses of a source that a spike reaches within a block. */
typedef struct {
    int64_t begin;
    uint16_t count;
    uint8_t turn;       /**< added to the delay in a word it gives the slab */
    uint8_t inhibitory; /**< source: 1 */
} run;

typedef struct { run *run; int count, room; } run_list;

struct block_sums {
    int slices, phase; /**< step of the block that is delivered next */
    bool waiting;      /**< its sums are complete, and not taken by all */
    unsigned loads;    /**< of the flight */
    int wide;          /**< blocks that have 32 bits where 16 are usual, this one among them */
    int ahead, at;     /**< blocks that a spike reaches, its own among them; where in `list` this block is */
    run_list *list;    /**< [slices][ahead] ring */
    char *block;       /**< all sums */
    char **sum;        /**< [slices] in it: [2][BLOCK_STEPS][1 << bits]: excitatory, inhibitory; or of both */
    size_t *slab;      /**< [slices] elements of [BLOCK_STEPS][1 << bits] */
};

/** Bytes of the widest sum. */
static const size_t sum_bytes[] = {[BLOCKS_COUNTED] = sizeof(uint16_t), [BLOCKS_FIXED] = sizeof(int32_t), [BLOCKS_TOGETHER] = sizeof(int32_t),
                                    [BLOCKS_DOUBLE] = sizeof(double)};

/** Sums of excitatory and inhibitory input, or of both. */
static int signs_of(blocks_form form) {
    return form == BLOCKS_TOGETHER ? 1 : 2;
}

static bool is_narrow(const static_blocks *blocks, const block_sums *sums) {
    return blocks_in_units(blocks->form) && !sums->wide;
}

static size_t bytes_of_sum(const static_blocks *blocks, const block_sums *sums) {
    return is_narrow(blocks, sums) ? sizeof(int16_t) : sum_bytes[blocks->form];
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
        bytes += (size_t)signs_of(setting->form) * BLOCK_STEPS * sum_bytes[setting->form] << blocks_bits((int)count);
    }
    return (double)room_for(bytes);
}

double block_runs_bytes(const blocks_setting *setting, double synapses, double spikes, double most) {
    const int slices = blocks_slices(setting), ahead = blocks_reached(setting->longest);
    const double reached = synapses / (double)setting->sources / slices * fmin(1, (double)BLOCK_STEPS / setting->longest); /* by a spike in a block */
    const double runs = spikes * setting->longest * (1 - exp(-reached)), room = fmax(runs + 3 * sqrt(runs), most);
    return slices * ahead * (sizeof(run_list) + sizeof(run) * (1.5 * room + 64)); /* lists grow by half */
}

block_sums *block_sums_new(const static_blocks *blocks) {
    block_sums *sums = memory_new(MEMORY_STATE, 1, sizeof *sums);
    sums->slices = blocks->slices;
    sums->ahead = blocks_reached(blocks->longest);
    sums->list = memory_new(MEMORY_STATE, (size_t)blocks->slices * (size_t)sums->ahead, sizeof *sums->list);
    sums->sum = memory_new(MEMORY_STATE, (size_t)blocks->slices, sizeof *sums->sum);
    sums->slab = memory_new(MEMORY_STATE, (size_t)blocks->slices, sizeof *sums->slab);
    const size_t each = (size_t)signs_of(blocks->form) * sum_bytes[blocks->form];
    size_t bytes = 0;
    for (int v = 0; v < blocks->slices; v++) {
        sums->slab[v] = (size_t)BLOCK_STEPS << blocks->slice[v].bits;
        bytes += each * sums->slab[v];
    }
    sums->block = memory_new(MEMORY_STATE, room_for(bytes), 1);
    char *at = sums->block;
    if (bytes >= SMALL) at += (HUGE_PAGE - (uintptr_t)at % HUGE_PAGE) % HUGE_PAGE;
    for (int v = 0; v < blocks->slices; v++) {
        sums->sum[v] = at;
        at += each * sums->slab[v];
    }
    return sums;
}

void block_sums_free(block_sums *sums) {
    if (!sums) return;
    for (int k = 0; k < sums->slices * sums->ahead; k++) memory_free(sums->list[k].run);
    memory_free(sums->list), memory_free(sums->block), memory_free(sums->sum), memory_free(sums->slab);
    memory_free(sums);
}

/* ---- runs ---- */

/** Runs of the block that is @p ahead blocks behind this one. */
static run_list *list_of(const block_sums *sums, int v, int ahead) {
    return &sums->list[v * sums->ahead + (sums->at + ahead) % sums->ahead];
}

static void make_room(run_list *list, int count) {
    if (list->count + count <= list->room) return;
    list->room = (list->count + count) * 3 / 2 + 64;
    list->run = memory_resize(MEMORY_STATE, list->run, (size_t)list->room, sizeof *list->run);
}

/** Note what spikes of the step @p ago steps before this one do. */
static void note_spikes(const static_blocks *blocks, int v, block_sums *sums, const spike_flight *flight, int ago) {
    enum { AHEAD = 12 };
    const blocks_slice *slice = &blocks->slice[v];
    const int longest = blocks->longest, row = longest + 1;
    const uint8_t turn = (uint8_t)((sums->phase - ago - 1) & BLOCK_MASK);
    int count;
    const int32_t *spike = flight_spikes(flight, ago, &count);
    for (int b = 0; b < sums->ahead; b++) make_room(list_of(sums, v, b), count);
    for (int k = 0; k < count; k++) {
        if (k + AHEAD < count) {
            const char *next = (const char *)(slice->offset + (int64_t)spike[k + AHEAD] * row);
            __builtin_prefetch(slice->start + spike[k + AHEAD]);
            for (int line = 0; line < row * (int)sizeof(uint16_t); line += 64) __builtin_prefetch(next + line);
        }
        const uint16_t *offset = slice->offset + (int64_t)spike[k] * row;
        const int64_t start = slice->start[spike[k]];
        const uint8_t inhibitory = spike[k] >= blocks->excitatory;
        int begin = offset[ago], high = ago + BLOCK_STEPS - sums->phase; /* the longest delay that ends in this block */
        for (int b = 0; begin < offset[longest]; b++, high += BLOCK_STEPS) {
            const int end = offset[high < longest ? high : longest];
            run_list *list = list_of(sums, v, b);
            list->run[list->count] = (run){start + begin, (uint16_t)(end - begin), turn, inhibitory};
            list->count += end > begin;
            begin = end;
        }
    }
}

/* ---- sums ---- */

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

/* ADD adds synapse k of run r, a word; SLAB is its place in the slabs, SIGNED_SLAB with inhibitory ones behind, UNITS its weight.
 * @return whether sums did not fit */
#define SLAB ((word[k] + turn) & mask)
#define SIGNED_SLAB (SLAB | (word[k] >> 31 << sign))
#define UNITS ((int32_t)word[k] >> BLOCKS_WEIGHT)
/* Leaves at once when the sum does not fit: all are then made anew. gcc 12 makes of the builtin a sum in a register, a store and a condition that is kept,
 * which takes half as long again. */
#if defined __x86_64__ && defined __GNUC__ && !defined __clang__ && !defined ENGRAM_SANITIZED /* clang does not unroll the assembly, and needs none */
#define ADD_NARROW(sum, units) __asm__ goto("addw %w1, %0\n\tjo %l[narrow]" : : "m"(*(sum)), "r"(units) : "cc", "memory" : narrow)
#else
#define ADD_NARROW(sum, units) if (__builtin_add_overflow(*(sum), (int16_t)(units), sum)) goto narrow
#endif
#define DELIVER(name, type, ADD)                                                                                                                              \
    static bool name(const blocks_slice *slice, const run *runs, int count, type *sums) {                                                                     \
        const uint32_t mask = ((uint32_t)BLOCK_STEPS << slice->bits) - 1;                                                                                     \
        const int sign = slice->bits + 3; /* of BLOCK_STEPS: where inhibitory sums begin */                                                                   \
        const double *const weights = slice->weight;                                                                                                          \
        cursor ahead = cursor_begin(runs, count, slice->word, weights);                                                                                       \
        for (const run *r = runs; r < runs + count; r++) {                                                                                                    \
            const uint32_t *word = slice->word + r->begin, turn = (uint32_t)r->turn << slice->bits;                                                           \
            const double *weight = weights ? weights + r->begin : NULL;                                                                                       \
            type *const to = sums + (size_t)(r->inhibitory ? mask + 1 : 0);                                                                                   \
            int left = r->count;                                                                                                                              \
            for (; left >= LINE; left -= LINE, word += LINE, weight = weight ? weight + LINE : NULL) {                                                        \
                cursor_next(&ahead, slice->word, weights);                                                                                                    \
                _Pragma("GCC unroll 16") for (int k = 0; k < LINE; k++) ADD;                                                                                  \
            }                                                                                                                                                 \
            if (left) cursor_next(&ahead, slice->word, weights);                                                                                              \
            for (int k = 0; k < left; k++) ADD;                                                                                                               \
            (void)weight, (void)to, (void)sign;                                                                                                               \
        }                                                                                                                                                     \
        return false;                                                                                                                                         \
    narrow: __attribute__((unused));                                                                                                                          \
        return true;                                                                                                                                          \
    }
DELIVER(deliver_counted, uint16_t, to[SLAB]++)
DELIVER(deliver_together, int32_t, sums[SLAB] += UNITS)
DELIVER(deliver_fixed, int32_t, sums[SIGNED_SLAB] += UNITS)
DELIVER(deliver_together_narrow, int16_t, ADD_NARROW(&sums[SLAB], UNITS))
DELIVER(deliver_fixed_narrow, int16_t, ADD_NARROW(&sums[SIGNED_SLAB], UNITS))
DELIVER(deliver_double, double, (weight[k] > 0 ? sums : sums + mask + 1)[SLAB] += weight[k])

/** @return whether sums did not fit */
static bool deliver_list(const static_blocks *blocks, int v, const block_sums *sums, const run_list *list) {
    const blocks_slice *slice = &blocks->slice[v];
    const bool narrow = is_narrow(blocks, sums);
    void *to = sums->sum[v];
    if (list->count == 0) return false;
    switch (blocks->form) {
    case BLOCKS_COUNTED: return deliver_counted(slice, list->run, list->count, to);
    case BLOCKS_FIXED:
        if (narrow) return deliver_fixed_narrow(slice, list->run, list->count, to);
        return deliver_fixed(slice, list->run, list->count, to);
    case BLOCKS_TOGETHER:
        if (narrow) return deliver_together_narrow(slice, list->run, list->count, to);
        return deliver_together(slice, list->run, list->count, to);
    case BLOCKS_DOUBLE: return deliver_double(slice, list->run, list->count, to);
    }
    return false;
}

/** A block begins here, and what is in flight is delivered anew. */
static void begin_anew(const static_blocks *blocks, block_sums *sums, unsigned loads) {
    for (int v = 0; v < sums->slices; v++) {
        memset(sums->sum[v], 0, (size_t)signs_of(blocks->form) * sums->slab[v] * sum_bytes[blocks->form]);
        for (int b = 0; b < sums->ahead; b++) list_of(sums, v, b)->count = 0;
    }
    sums->loads = loads;
    sums->phase = 0;
}

/** @param known steps, as of now, of which it became known who fired @return whether sums did not fit */
static bool add(const static_blocks *blocks, block_sums *sums, const spike_flight *flight, int known) {
    const int most = blocks->longest < flight->longest ? blocks->longest : flight->longest;
    bool over = false;
    for (int v = 0; v < blocks->slices; v++) {
        if (!blocks->slice[v].count) continue;
        for (int ago = (known < most ? known : most) - 1; ago >= flight->lag; ago--) note_spikes(blocks, v, sums, flight, ago);
        run_list *now = list_of(sums, v, 0);
        over |= deliver_list(blocks, v, sums, now);
        now->count = 0;
    }
    return over;
}

void blocks_add(const static_blocks *blocks, block_sums *sums, const spike_flight *flight, int fresh) {
    int known = flight->lag + fresh;
    if (sums->loads != flight->loads) begin_anew(blocks, sums, flight->loads), known = flight->longest;
    if (add(blocks, sums, flight, known)) {
        sums->wide = WIDE_BLOCKS;
        begin_anew(blocks, sums, flight->loads);
        add(blocks, sums, flight, flight->longest);
    }
    sums->waiting = true;
}

/** Sums of this step of neurons first .. of a slice (local indices): uint16_t, int16_t or int32_t in units, or double. */
static void *sums_of(const static_blocks *blocks, const block_sums *sums, int v, int inhibitory, int first) {
    const blocks_slice *slice = &blocks->slice[v];
    const size_t before = (inhibitory ? sums->slab[v] : 0) + ((size_t)sums->phase << slice->bits) + (size_t)(first - slice->first);
    return sums->sum[v] + before * bytes_of_sum(blocks, sums);
}

#define MOVE_UNITS(name, from_type, to_type)                                                                                                                  \
    static void name(const from_type *restrict from, int count, double unit, to_type *restrict to) {                                                          \
        const to_type each = (to_type)unit;                                                                                                                   \
        for (int i = 0; i < count; i++) to[i] = each * (to_type)from[i];                                                                                      \
    }
MOVE_UNITS(move_wide, int32_t, double)
MOVE_UNITS(move_narrow, int16_t, double)
MOVE_UNITS(move_wide_single, int32_t, float)
MOVE_UNITS(move_narrow_single, int16_t, float)

/** Sums of weights, of neurons that follow one another. @param[out] values in double precision, or NULL: single */
static void move_weights(const static_blocks *blocks, const block_sums *sums, const void *from, int count, double *values, float *single) {
    const bool narrow = is_narrow(blocks, sums);
    if (blocks->form == BLOCKS_DOUBLE) {
        for (int i = 0; i < count && single; i++) single[i] = (float)((const double *)from)[i];
        if (values) memcpy(values, from, (size_t)count * sizeof *values);
    } else if (values) {
        if (narrow) move_narrow(from, count, blocks->unit, values);
        else move_wide(from, count, blocks->unit, values);
    } else {
        if (narrow) move_narrow_single(from, count, blocks->unit, single);
        else move_wide_single(from, count, blocks->unit, single);
    }
}

/** Local indices first .. end-1, of one slice. @param input of the first of them on */
static void take_of_slice(const static_blocks *blocks, block_sums *sums, int v, int first, int end, const static_input *input) {
    for (int inhibitory = 0; inhibitory < signs_of(blocks->form); inhibitory++) {
        void *from = sums_of(blocks, sums, v, inhibitory, first);
        const size_t bytes = (size_t)(end - first) * bytes_of_sum(blocks, sums);
        if (blocks->form == BLOCKS_COUNTED) memcpy(inhibitory ? input->inhibitory_count : input->excitatory_count, from, bytes);
        else if (inhibitory) move_weights(blocks, sums, from, end - first, input->inhibitory, input->inhibitory_single);
        else move_weights(blocks, sums, from, end - first, input->excitatory, input->excitatory_single);
        memset(from, 0, bytes);
    }
}

bool blocks_take(const static_blocks *blocks, block_sums *sums, int first, int end, const static_input *input) {
    for (int v = 0; v < blocks->slices && sums->waiting; v++) {
        const blocks_slice *slice = &blocks->slice[v];
        const int from = slice->first > first ? slice->first : first, to = slice->first + slice->count < end ? slice->first + slice->count : end;
        if (from >= to) continue;
        const static_input part = static_input_from(input, from - first);
        take_of_slice(blocks, sums, v, from, to, &part);
    }
    return sums->waiting;
}

void blocks_next(block_sums *sums) {
    if (!sums->waiting) return;
    sums->waiting = false;
    sums->phase = (sums->phase + 1) & BLOCK_MASK;
    if (sums->phase) return;
    sums->at = (sums->at + 1) % sums->ahead;
    sums->wide -= sums->wide > 0; /* all sums are 0 now, in any width */
}

void blocks_deliver(const static_blocks *blocks, block_sums *sums, const spike_flight *flight, int fresh, static_input *input) {
    const blocks_slice *last = &blocks->slice[blocks->slices - 1];
    blocks_add(blocks, sums, flight, fresh);
    blocks_take(blocks, sums, 0, last->first + last->count, input);
    blocks_next(sums);
}
