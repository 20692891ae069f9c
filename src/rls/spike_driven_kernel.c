/* Compiled once for each precision (ENGRAM_HALF, ENGRAM_SINGLE, else double). Written in vectors, so that the compiler has nothing to reorder; products and
 * sums are fused (src/CMakeLists.txt): every group, on whatever rank, goes through the same instructions. */
#include <math.h>
#include <string.h>

#include "engram/memory.h"
#include "spike_driven.h"

#if defined ENGRAM_HALF
#ifdef __F16C__
#include <immintrin.h>
#else
#include "half.h"
#endif
typedef float real;
typedef uint16_t stored; /* IEEE 754 binary16 */
typedef hit_single hit;
#define KERNEL spike_driven_half
#elif defined ENGRAM_SINGLE
typedef float real, stored;
typedef hit_single hit;
#define KERNEL spike_driven_single
#else
typedef double real, stored;
typedef hit_double hit;
#define KERNEL spike_driven_double
#endif

/* Bytes of a vector: of registers that the processor has, as gcc keeps larger ones in memory, and so many elements square fit in its registers. No sum runs
 * over lanes: results do not depend on it.
 * WIDE: squares side by side of which the flush has TILE_ROWS rows in registers at a time. Where a vector times an element of memory is one instruction, and
 * there are 32 registers, a square is as good. */
#ifdef __AVX512F__
#define VECTOR 64
#define WIDE 1
#else
#define VECTOR 32
#define WIDE 3
#endif
enum { LANES = VECTOR / sizeof(real), TILE_ROWS = 4 };

typedef real lanes __attribute__((vector_size(VECTOR), aligned(VECTOR)));

/* ---- elements of P ---- */

#ifdef ENGRAM_HALF
static inline lanes load_p(const stored *from) {
#if defined __AVX512F__
    return (lanes)_mm512_cvtph_ps(_mm256_load_si256((const __m256i *)from));
#elif defined __F16C__
    return (lanes)_mm256_cvtph_ps(_mm_load_si128((const __m128i *)from));
#else
    lanes values;
    for (int i = 0; i < LANES; i++) values[i] = half_value(from[i]);
    return values;
#endif
}

/** Rounds to nearest, ties to even. */
static inline void store_p(stored *to, lanes values) {
#if defined __AVX512F__
    _mm256_store_si256((__m256i *)to, _mm512_cvtps_ph((__m512)values, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
#elif defined __F16C__
    _mm_store_si128((__m128i *)to, _mm256_cvtps_ph((__m256)values, _MM_FROUND_TO_NEAREST_INT));
#else
    for (int i = 0; i < LANES; i++) to[i] = half_nearest(values[i]);
#endif
}

static inline real load_one(stored from) {
#ifdef __F16C__
    return _cvtsh_ss(from);
#else
    return half_value(from);
#endif
}

static inline stored stored_of(real value) {
#ifdef __F16C__
    return _cvtss_sh(value, _MM_FROUND_TO_NEAREST_INT);
#else
    return half_nearest(value);
#endif
}
#else
static inline real load_one(stored from) {
    return from;
}

static inline stored stored_of(real value) {
    return value;
}

static inline lanes load_p(const stored *from) {
    return *(const lanes *)from;
}

static inline void store_p(stored *to, lanes values) {
    *(lanes *)to = values;
}
#endif

/* An element of the diagonal of P keeps its digits however small it becomes: down to half of I/lambda what it departs from that is stored, which is at most 0,
 * below half of it the element itself, which is above 0. So the sign of what is stored says which of the two it is. Only half precision needs it;
 * others store P. */

/** Whether an element of the diagonal is stored as what it departs from I/lambda. */
static inline bool departs(const stored *diagonal) {
#ifdef ENGRAM_HALF
    return (uint16_t)(*diagonal - 1) >= 0x7fff; /* 0, or negative */
#else
    (void)diagonal;
    return false;
#endif
}

/** A group's arrays. */
typedef struct { int group, sources, ld; const stored *p; real *factor; } view;

static view view_of(const rls_store *store, int group) {
    const plastic_synapses *plastic = store->plastic;
    return (view){group,
                  (int)(plastic->group_start[group + 1] - plastic->group_start[group]),
                  (int)store->ld[group],
                  (const stored *)store->p + store->p_base[group],
                  (real *)store->factor + (int64_t)group * store->factors};
}

/** A group's column that waits. */
static inline stored *column_of(const rls_store *store, int group, int m) {
    return (stored *)store->waiting + (int64_t)m * store->waiting_base[store->plastic->groups] + store->waiting_base[group];
}

/** Where k of an instant goes that is to be column @p m: the column itself, unless that is rounded. */
static inline real *place_of(const rls_store *store, int group, int m) {
#ifdef ENGRAM_HALF
    (void)m;
    return (real *)store->latest + store->waiting_base[group];
#else
    return column_of(store, group, m);
#endif
}

/** Ask for memory that will be needed soon, into the second cache: there is more of it than the first has room for, and than it can ask for at a time.
 *  Inlined by force: gcc takes a function that only asks for one without effect and drops its calls. */
static inline __attribute__((always_inline)) void ask_for(const void *from, int64_t bytes) {
    for (const char *line = from, *end = line + bytes; line < end; line += 64) __builtin_prefetch(line, 0, 1);
}

/* ---- what arrived ---- */

static int find_hits(const int32_t *restrict source, int count, const uint8_t *restrict touched, const real *restrict arrived, hit *restrict hits) {
    int found = 0;
    for (int a = 0; a < count; a++) { /* no branch to be mispredicted */
        hits[found].at = a;
        found += touched[source[a]];
    }
    for (int k = 0; k < found; k++) hits[k].value = arrived[source[hits[k].at]];
    return found;
}

/** Frozen inputs do not arrive. @return hits that are left */
static int leave_out_frozen(const uint8_t *restrict frozen, hit *restrict hits, int found) {
    int left = 0;
    for (int k = 0; k < found; k++)
        if (frozen[hits[k].at] == PLASTIC_FREE) hits[left++] = hits[k];
    return left;
}

/** After an instant at which inputs were frozen: the others arrive anew, with all of r. @return hits */
static int arrive_anew(uint8_t *restrict frozen, const int32_t *restrict source, int count, const double *restrict r, hit *restrict hits) {
    int found = 0;
    for (int a = 0; a < count; a++) {
        if (frozen[a] == PLASTIC_FROZEN_NOW) frozen[a] = PLASTIC_FROZEN;
        if (frozen[a] == PLASTIC_FREE && r[source[a]] != 0) hits[found++] = (hit){a, (real)r[source[a]]};
    }
    return found;
}

/** What arrives at a group where weights keep their signs. @return hits */
static int find_free_hits(rls_store *store, int group, const double *r, hit *hits, int found) {
    int count;
    const int32_t *source = plastic_sources(store->plastic, group, &count);
    uint8_t *frozen = store->plastic->frozen + store->plastic->row_start[store->plastic->group_row[group]];
    if (count == 0 || !memchr(frozen, PLASTIC_FROZEN_NOW, (size_t)count)) return leave_out_frozen(frozen, hits, found);
    store->products[group] = (group_products){0, 0}; /* nothing is left of the last instant */
    return arrive_anew(frozen, source, count, r, hits);
}

static double advanced_sum(double sum, double decay, const real *restrict weight, int64_t stride, const hit *restrict hits, int count) {
    sum *= decay;
    for (int k = 0; k < count; k++) sum += (double)weight[hits[k].at * stride] * (double)hits[k].value;
    return sum;
}

static void make_room(rls_store *store, int64_t hits) {
    if (hits <= store->hits_room) return;
    store->hits_room = hits + hits / 2;
    store->hits = memory_resize(MEMORY_BUFFERS, store->hits, (size_t)store->hits_room, sizeof(hit));
}

/** What arrived at a group, behind @p found others, by looking at all its sources. @return hits so far */
static int64_t find_group_hits(rls_store *store, int group, int64_t found) {
    int count;
    const int32_t *source = plastic_sources(store->plastic, group, &count);
    make_room(store, found + count + 1);
    found += find_hits(source, count, store->touched, store->arrived, (hit *)store->hits + found);
    return store->hit_start[group + 1] = found;
}

/** A group's weights of what arrived come from memory while sums of others advance. */
static inline __attribute__((always_inline)) void ask_for_weights(const rls_store *store, int group) {
    const plastic_synapses *plastic = store->plastic;
    const int row = plastic->group_row[group], members = plastic->group_row[group + 1] - row;
    const real *weight = (const real *)plastic->weight + plastic_slot(plastic, group, row, 0);
    const hit *hits = store->hits;
    for (int64_t k = store->hit_start[group]; k < store->hit_start[group + 1]; k++)
        ask_for(weight + (int64_t)hits[k].at * members, members * (int64_t)sizeof(real));
}

/** The sums of a group's members. */
static void advance_sums(rls_store *store, int group) {
    const plastic_synapses *plastic = store->plastic;
    const int row = plastic->group_row[group], end = plastic->group_row[group + 1];
    const hit *hits = (const hit *)store->hits + store->hit_start[group];
    const int count = (int)(store->hit_start[group + 1] - store->hit_start[group]);
    for (int member = row; member < end; member++)
        store->sum[member] = advanced_sum(store->sum[member], store->decay, (const real *)plastic->weight + plastic_slot(plastic, group, member, 0), end - row,
                                          hits, count);
}

/** Synapses of the sources that spiked. */
static int64_t count_reached(const rls_store *store, const int32_t *touched, int64_t count) {
    int64_t reached = 0;
    for (int64_t k = 0; k < count; k++)
        if (store->touched[touched[k]]) reached += store->plastic->out_start[touched[k] + 1] - store->plastic->out_start[touched[k]];
    return reached;
}

/** The list of a source that spiked, or its beginning: the rest of a long one comes by itself, as it is read. */
static inline __attribute__((always_inline)) void ask_for_list(const plastic_synapses *plastic, int32_t source) {
    enum { BEGINNING = 128 }; /* synapses */
    const int64_t first = plastic->out_start[source], count = plastic->out_start[source + 1] - first, some = count < BEGINNING ? count : BEGINNING;
    ask_for(plastic->out_target + first, some * (int64_t)sizeof *plastic->out_target);
    ask_for(plastic->out_slot + first, some * (int64_t)sizeof *plastic->out_slot);
}

/** By the lists of the sources that spiked. @param row_of NULL: lists have groups */
static inline __attribute__((always_inline)) void find_reached_of(const rls_store *store, const int32_t *row_of, const int32_t *touched, int64_t count) {
    enum { AHEAD = 8 }; /* sources */
    const plastic_synapses *plastic = store->plastic;
    const int64_t *restrict row_start = plastic->row_start, *restrict out_start = plastic->out_start;
    const uint32_t *restrict target = plastic->out_target, *restrict slot = plastic->out_slot;
    const int32_t *restrict group_row = plastic->group_row;
    int64_t *restrict next = store->hit_start + 1; /* hits of a group; where its next one goes; in the end where they end */
    memset(next, 0, (size_t)plastic->groups * sizeof *next);
    for (int64_t k = 0; k < count; k++) {
        if (k + AHEAD < count) ask_for_list(plastic, touched[k + AHEAD]);
        if (!store->touched[touched[k]]) continue;
        for (int64_t s = out_start[touched[k]]; s < out_start[touched[k] + 1]; s++) next[row_of ? row_of[target[s]] : (int32_t)target[s]]++;
    }
    for (int64_t g = 0, before = 0; g < plastic->groups; g++) {
        const int64_t here = next[g];
        next[g] = before;
        before += here;
    }
    hit *restrict hits = store->hits;
    for (int64_t j = 0; j < plastic->sources; j++) {
        const uint8_t *from = memchr(store->touched + j, 1, (size_t)(plastic->sources - j));
        if (!from) break;
        j = from - store->touched;
        const real value = ((const real *)store->arrived)[j];
        for (int64_t s = out_start[j]; s < out_start[j + 1]; s++) {
            const int32_t group = row_of ? row_of[target[s]] : (int32_t)target[s], row = row_of ? group : group_row[group];
            const uint32_t at = slot[s] - (uint32_t)row_start[row];
            hits[next[group]++] = (hit){(int32_t)(row_of ? at : at / (uint32_t)(group_row[group + 1] - row)), value};
        }
    }
}

/** What arrived at every group, in the order of its sources. @param reached how many there are */
static void find_reached(rls_store *store, const int32_t *touched, int64_t count, int64_t reached) {
    make_room(store, reached + 1);
    if (store->row_of) find_reached_of(store, store->row_of, touched, count);
    else find_reached_of(store, NULL, touched, count);
}

static void predict(rls_store *store, const int32_t *touched, int64_t count_touched, const double *values, const double *r) {
    enum { AHEAD = 8, FEW = 4 }; /* groups; a synapse that is reached costs as much as so many that are looked at */
    const plastic_synapses *plastic = store->plastic;
    real *arrived = store->arrived;
    int64_t found = 0;
    for (int64_t k = 0; k < count_touched; k++) {
        int64_t j = touched ? touched[k] : k;
        arrived[j] = (real)values[j];
        store->touched[j] = arrived[j] != 0;
    }
    const int64_t reached = touched && !plastic->frozen ? count_reached(store, touched, count_touched) : INT64_MAX;
    const bool few = reached < plastic->group_start[plastic->groups] / FEW;
    if (few) find_reached(store, touched, count_touched, reached);
    for (int g = 0; g < plastic->groups && !few; g++) {
        const int64_t before = found;
        found = find_group_hits(store, g, found);
        if (!plastic->frozen) continue;
        advance_sums(store, g); /* of inputs that are frozen, too */
        store->hit_start[g + 1] = found = before + find_free_hits(store, g, r, (hit *)store->hits + before, (int)(found - before));
    }
    for (int g = 0; g < plastic->groups && !plastic->frozen; g++) {
        if (g + AHEAD < plastic->groups) ask_for_weights(store, g + AHEAD);
        advance_sums(store, g);
    }
    for (int64_t k = 0; k < count_touched; k++) store->touched[touched ? touched[k] : k] = 0;
}

/* ---- one group's instant ---- */

/** An element of I/lambda. */
static double ridge_of(const rls_store *store, int group, int64_t a) {
    return 1 / (store->plastic->source[store->plastic->group_start[group] + a] < store->plastic->neurons ? store->settings.lambda
                                                                                                         : store->settings.lambda_feedforward);
}

/** What P has on its diagonal besides what is stored. */
static double diagonal_of(const rls_store *store, int group, int64_t a) {
    const stored *p = (const stored *)store->p + store->p_base[group];
    return departs(p + a * store->ld[group] + a) ? ridge_of(store, group, a) : 0;
}

static double dot_hits(const real *values, const hit *hits, int count) {
    double sum = 0;
    for (int k = 0; k < count; k++) sum += (double)values[hits[k].at] * (double)hits[k].value;
    return sum;
}

/** What a group will need of P and of the columns, asked for in pieces while another one is computed: memory works meanwhile. */
typedef struct {
    int group;
    int ld;
    const stored *p;
    const hit *hits;
    int count;
    const stored *column; /**< the first one that waits */
    int64_t stride;       /**< elements to the next */
    int columns;          /**< with that of the instant */
} upcoming;

/** @param group may be past the last one: nothing then */
static upcoming upcoming_of(const rls_store *store, int group) {
    const plastic_synapses *plastic = store->plastic;
    if (group >= plastic->groups) return (upcoming){0};
    return (upcoming){.group = group,
                      .ld = store->ld[group],
                      .p = (const stored *)store->p + store->p_base[group],
                      .hits = (const hit *)store->hits + store->hit_start[group],
                      .count = (int)(store->hit_start[group + 1] - store->hit_start[group]),
                      .column = column_of(store, group, 0),
                      .stride = store->waiting_base[plastic->groups],
                      .columns = store->pending + 1};
}

/** Elements [from, to) of the row of hit @p k. */
static inline __attribute__((always_inline)) void ask_for_row(const upcoming *next, int k, int from, int to) {
    if (k < next->count && from < to) ask_for(next->p + (int64_t)next->hits[k].at * next->ld + from, (to - from) * (int64_t)sizeof(stored));
}

static inline __attribute__((always_inline)) void ask_for_column(const upcoming *next, int m) {
    if (m < next->columns) ask_for(next->column + m * next->stride, next->ld * (int64_t)sizeof(stored));
}

/** All else that it will need. @param count, ld of the group meanwhile: as many rows, so far, and columns were asked for */
static inline __attribute__((always_inline)) void ask_for_rest(const rls_store *store, const upcoming *next, int count, int ld) {
    if (!next->columns) return;
    const plastic_synapses *plastic = store->plastic;
    for (int k = 0; k < next->count; k++) ask_for_row(next, k, k < count ? ld : 0, next->ld);
    for (int m = count; m < next->columns; m++) ask_for_column(next, m);
    ask_for((const real *)store->factor + (int64_t)next->group * store->factors, store->pending * (int64_t)sizeof(real));
    ask_for(place_of(store, next->group, store->newest), next->ld * (int64_t)sizeof(real));
    const int64_t first = plastic->row_start[plastic->group_row[next->group]], end = plastic->row_start[plastic->group_row[next->group + 1]];
    ask_for((const real *)plastic->weight + first, (end - first) * (int64_t)sizeof(real));
}

/** to <- times from + sum of values of rows of P + sum of minus[m] times column m. */
typedef struct {
    int ld;
    const stored *p;
    real unit;
    const hit *hits;
    int count;
    const stored *const *column; /* [pending] */
    int pending;
    const real *minus;
    const real *from;
    real times;
    real *to;
    const upcoming *next;
} combination;

/** A strip of it in registers. */
#define COMBINE(vectors)                                                                                              \
    do {                                                                                                              \
        lanes sum[vectors];                                                                                           \
        for (int v = 0; v < vectors; v++) sum[v] = *(const lanes *)(c->from + at + v * LANES) * c->times;             \
        for (int k = 0; k < c->count; k++) {                                                                          \
            const stored *row = c->p + (int64_t)c->hits[k].at * c->ld + at;                                           \
            real value = c->hits[k].value * c->unit;                                                                  \
            ask_for_row(c->next, k, at, at + vectors * LANES);                                                        \
            for (int v = 0; v < vectors; v++) sum[v] += load_p(row + v * LANES) * value;                              \
        }                                                                                                             \
        for (int m = 0; m < c->pending; m++) {                                                                        \
            const stored *column = c->column[m] + at;                                                                 \
            const real minus = c->minus[m];                                                                           \
            for (int v = 0; v < vectors; v++) sum[v] += load_p(column + v * LANES) * minus;                           \
        }                                                                                                             \
        for (int v = 0; v < vectors; v++) *(lanes *)(c->to + at + v * LANES) = sum[v];                                \
    } while (0)

static void combine(const combination *c) {
    int at = 0;
    for (; at + 8 * LANES <= c->ld; at += 8 * LANES) COMBINE(8);
    switch ((c->ld - at) / LANES) {
    case 7: COMBINE(7); break;
    case 6: COMBINE(6); break;
    case 5: COMBINE(5); break;
    case 4: COMBINE(4); break;
    case 3: COMBINE(3); break;
    case 2: COMBINE(2); break;
    case 1: COMBINE(1); break;
    default: break;
    }
}

/** k = P r into @p to, rho = r'k. @param next asked for meanwhile: as many of its rows and columns as there are hits */
static double advance(const rls_store *store, const view *group, const hit *hits, int count, const upcoming *next, real *to) {
    const group_products *last = &store->products[group->group];
    const real *newest = place_of(store, group->group, store->newest);
    const stored *column[SPIKE_DRIVEN_BLOCK_MAX];
    real minus[SPIKE_DRIVEN_BLOCK_MAX];
    int pending = count ? store->pending : 0;
    for (int m = 0; m < pending; m++) minus[m] = 0, column[m] = column_of(store, group->group, m);
    for (int k = 0; k < count; k++) {
        ask_for_column(next, k);
        for (int m = 0; m < pending; m++) /* as many in every group: the loop's end is foreseen */
            minus[m] -= load_one(column[m][hits[k].at]) * hits[k].value;
    }
    for (int m = 0; m < pending; m++) minus[m] *= group->factor[m];
    double before = last->gain * dot_hits(newest, hits, count); /* s'P r as of the last instant */
    combine(&(combination){group->ld, group->p, (real)store->unit, hits, count, column, pending, minus, newest, (real)(store->decay * last->gain), to, next});
    if (store->departing)
        for (int k = 0; k < count; k++) to[hits[k].at] += (real)diagonal_of(store, group->group, hits[k].at) * hits[k].value;
    return store->decay * (store->decay * last->gain * last->rho + before) + dot_hits(to, hits, count);
}

/** w_i <- w_i - step_i k. @param weight [sources][members] */
static void move_weights(real *restrict weight, int members, int sources, const real *restrict step, const real *restrict k) {
    if (members == 1)
        for (int a = 0; a < sources; a++) weight[a] -= step[0] * k[a];
    else
        for (int a = 0; a < sources; a++)
            for (int i = 0; i < members; i++) weight[(int64_t)a * members + i] -= step[i] * k[a];
}

/** Weights of a group of one member that keep the signs of initial (synapses.h); all [count]. */
typedef struct {
    int count;
    const int32_t *source;
    real *weight;
    const real *initial;
    uint8_t *frozen;
} signed_weights;

/** The same for one member, where weights keep their signs: one that would not stays and is frozen.
 *  @return what the sum w.r would have changed by for them, per step */
static double move_within_signs(const signed_weights *of, real step, const real *restrict k, const double *restrict r) {
    real *restrict weight = of->weight;
    const real *restrict initial = of->initial;
    uint8_t *restrict frozen = of->frozen;
    const int32_t *restrict source = of->source;
    const int sources = of->count;
    int frozen_now = 0;
    double kept = 0;
    for (int a = 0; a < sources; a++) {
        const real moved = weight[a] - step * k[a];
        const int is_free = frozen[a] == PLASTIC_FREE, flips = ((initial[a] > 0) & (moved < 0)) | ((initial[a] < 0) & (moved > 0));
        weight[a] = (is_free & !flips) ? moved : weight[a];
        frozen[a] = (is_free & flips) ? PLASTIC_FROZEN_NOW : frozen[a];
        frozen_now += is_free & flips;
    }
    for (int a = 0; a < sources && frozen_now; a++) {
        if (frozen[a] != PLASTIC_FROZEN_NOW) continue;
        kept += (double)k[a] * r[source[a]];
        frozen_now--;
    }
    return kept;
}

static double learn(rls_store *store, const view *group, double rho, const double *r, const double *error, double scale, const real *k) {
    const plastic_synapses *plastic = store->plastic;
    int row = plastic->group_row[group->group], members = plastic->group_row[group->group + 1] - row;
    double gain = 1 / (1 + scale * scale * rho);
    real *step = store->step;
    for (int i = 0; i < members; i++) {
        double own = (store->settings.gain ? gain : 1) * error[row + i] * scale;
        store->sum[row + i] -= own * rho;
        step[i] = (real)own;
    }
    const int64_t first = plastic->row_start[row];
    real *weight = (real *)plastic->weight + first;
    if (plastic->frozen) {
        double own = (store->settings.gain ? gain : 1) * error[row] * scale;
        const signed_weights of = {.count = group->sources, .source = plastic->source + plastic->group_start[group->group], .weight = weight,
                                   .initial = (const real *)plastic->initial + first, .frozen = plastic->frozen + first};
        store->sum[row] += own * move_within_signs(&of, step[0], k, r);
    } else {
        move_weights(weight, members, group->sources, step, k);
    }
    store->products[group->group] = (group_products){rho, gain};
    return gain;
}

/** Let P <- P - factor k k' wait as column @p m, with the factor that belongs to it: in half precision that of k in a unit by which no element is above
 *  2^13, as k_a^2 <= P_aa r'P r and P_aa <= 2^15 units of P. @param k where place_of() has it */
static void keep_column(const rls_store *store, const view *group, int m, const real *restrict k, double rho, double factor) {
#ifdef ENGRAM_HALF
    const double most = sqrt(rho * store->unit * 0x1p15);
    int exponent;
    (void)frexp(most, &exponent);
    const double unit = most > 0x1p-80 ? ldexp(1, exponent - 13) : 1; /* sources that were silent for long: all is rounded to 0, where 1/unit would overflow */
    const real times = (real)(1 / unit);
    stored *restrict column = column_of(store, group->group, m);
    for (int at = 0; at < group->ld; at += LANES) store_p(column + at, *(const lanes *)(k + at) * times);
    factor *= unit * unit;
#else
    (void)store, (void)k, (void)rho;
#endif
    group->factor[m] = (real)factor;
}

/* ---- the flush ---- */

/** Of two rows that stand w apart: squares of w x w elements off the diagonal change places. Choices: elements of the second row count from LANES. */
#define EXCHANGE(w, first, second)                                              \
    for (int i = 0; i < LANES; i++)                                             \
        if (!(i & (w))) {                                                       \
            lanes x = square[i], y = square[i + (w)];                           \
            square[i] = __builtin_shufflevector(x, y, CHOICE first);            \
            square[i + (w)] = __builtin_shufflevector(x, y, CHOICE second);     \
        }
#define CHOICE(...) __VA_ARGS__

static inline __attribute__((always_inline)) void transpose(lanes *square) {
#if VECTOR == 64 && (defined ENGRAM_HALF || defined ENGRAM_SINGLE)
#pragma GCC unroll 16
    EXCHANGE(8, (0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23), (8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31))
#pragma GCC unroll 16
    EXCHANGE(4, (0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27), (4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31))
#pragma GCC unroll 16
    EXCHANGE(2, (0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29), (2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31))
#pragma GCC unroll 16
    EXCHANGE(1, (0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30), (1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31))
#elif VECTOR == 64 || defined ENGRAM_HALF || defined ENGRAM_SINGLE
#pragma GCC unroll 8
    EXCHANGE(4, (0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15))
#pragma GCC unroll 8
    EXCHANGE(2, (0, 1, 8, 9, 4, 5, 12, 13), (2, 3, 10, 11, 6, 7, 14, 15))
#pragma GCC unroll 8
    EXCHANGE(1, (0, 8, 2, 10, 4, 12, 6, 14), (1, 9, 3, 11, 5, 13, 7, 15))
#else
#pragma GCC unroll 4
    EXCHANGE(2, (0, 1, 4, 5), (2, 3, 6, 7))
#pragma GCC unroll 4
    EXCHANGE(1, (0, 4, 2, 6), (1, 5, 3, 7))
#endif
}

/** Subtract q q' from a square of P, in registers. @param across, down what the columns have at its columns and at its rows, LANES of each column */
static inline __attribute__((always_inline)) void subtract(lanes *square, const real *restrict across, const real *restrict down, int pending) {
    for (int m = 0; m < pending; m++, across += LANES, down += LANES) {
        const lanes row = *(const lanes *)across;
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++) square[i] -= row * down[i];
    }
}

static inline __attribute__((always_inline)) void load(lanes *square, const stored *p, int64_t ld) {
#pragma GCC unroll 16
    for (int i = 0; i < LANES; i++) square[i] = load_p(p + i * ld);
}

static inline __attribute__((always_inline)) void store(const lanes *square, stored *p, int64_t ld) {
#pragma GCC unroll 16
    for (int i = 0; i < LANES; i++) store_p(p + i * ld, square[i]);
}

/** To the mirror image of a square, of which @p rows exist. @param to its first element */
static inline __attribute__((always_inline)) void store_mirrored(lanes *square, stored *to, int64_t ld, int rows) {
    transpose(square);
    if (rows == LANES)
        store(square, to, ld);
    else
        for (int i = 0; i < rows; i++) store_p(to + i * ld, square[i]);
}

/** A group's P and what is subtracted from it: [(ld/LANES)][pending][LANES]. */
typedef struct {
    int64_t ld, sources;
    stored *p;
    const real *q;
    int pending;
} difference;

static inline int rows_of_square(const difference *of, int64_t at) {
    return of->sources - at < LANES ? (int)(of->sources - at) : LANES;
}

/** The square at row @p a, column @p c > a, and its mirror image. */
static void subtract_beside(const difference *of, int64_t a, int64_t c) {
    lanes square[LANES];
    load(square, of->p + a * of->ld + c, of->ld);
    subtract(square, of->q + c * of->pending, of->q + a * of->pending, of->pending);
    store(square, of->p + a * of->ld + c, of->ld);
    store_mirrored(square, of->p + c * of->ld + a, of->ld, rows_of_square(of, c));
}

#if WIDE > 1
/** Compilers would read a vector that is used several times from memory each time, and then loads take longer than products. */
static inline __attribute__((always_inline)) lanes in_register(lanes vector) {
#ifdef __AVX__
    __asm__("" : "+x"(vector));
#endif
    return vector;
}

/** Subtract q q' from TILE_ROWS rows, from row @p a on, of @p squares squares side by side, from column @p c on. */
static inline __attribute__((always_inline)) void subtract_tile(const difference *of, int64_t a, int64_t c, int squares) {
    const int64_t ld = of->ld, stride = (int64_t)of->pending * LANES;
    stored *restrict p = of->p + a * ld + c;
    const real *restrict across = of->q + c * of->pending, *restrict down = of->q + a / LANES * stride + a % LANES;
    lanes tile[WIDE][TILE_ROWS];
#pragma GCC unroll 4
    for (int s = 0; s < squares; s++)
#pragma GCC unroll 4
        for (int i = 0; i < TILE_ROWS; i++) tile[s][i] = load_p(p + i * ld + s * LANES);
    for (int m = of->pending; m > 0; m--, across += LANES, down += LANES) {
        lanes row[WIDE];
#pragma GCC unroll 4
        for (int s = 0; s < squares; s++) row[s] = in_register(*(const lanes *)(across + s * stride));
#pragma GCC unroll 4
        for (int i = 0; i < TILE_ROWS; i++)
#pragma GCC unroll 4
            for (int s = 0; s < squares; s++) tile[s][i] -= row[s] * down[i];
    }
#pragma GCC unroll 4
    for (int s = 0; s < squares; s++)
#pragma GCC unroll 4
        for (int i = 0; i < TILE_ROWS; i++) store_p(p + i * ld + s * LANES, tile[s][i]);
}

/** As subtract_beside(), @p squares squares side by side. */
static inline __attribute__((always_inline)) void subtract_wide(const difference *of, int64_t a, int64_t c, int squares) {
    for (int i = 0; i < LANES; i += TILE_ROWS) subtract_tile(of, a + i, c, squares);
    for (int s = 0; s < squares; s++, c += LANES) {
        lanes square[LANES];
        load(square, of->p + a * of->ld + c, of->ld);
        store_mirrored(square, of->p + c * of->ld + a, of->ld, rows_of_square(of, c));
    }
}
#endif

/** New elements of the diagonal, in @p square and before they are rounded: once one has fallen below half of I/lambda it is stored itself.
 *  One that is not above 0 cannot be: that is remembered, and the smallest there is stands for it. @param p the square's first element as it was
 *  @param a its row in the group */
static void keep_diagonal(rls_store *restrict store, int group, lanes *square, const stored *restrict p, int64_t a, int rows) {
    const int64_t ld = store->ld[group];
    for (int i = 0; i < rows; i++) {
        const bool departed = departs(p + i * ld + i);
        const real whole = departed ? (real)(ridge_of(store, group, a + i) / store->unit) : 0, now = square[i][i] + whole;
        if (departed && now >= whole / 2) continue;
        if (!(now > 0) && !store->lost) store->lost = store->plastic->group_row[group] + 1;
        square[i][i] = now > 0x1p-24f ? now : (real)0x1p-24;
    }
}

/** The square on the diagonal at @p a. */
static void subtract_on_diagonal(rls_store *restrict store, int group, const difference *of, int64_t a) {
    const int rows = rows_of_square(of, a);
    stored *p = of->p + a * of->ld + a;
    lanes square[LANES];
    if (rows == LANES)
        load(square, p, of->ld);
    else
        for (int i = 0; i < LANES; i++) square[i] = load_p(p + (i < rows ? i : 0) * of->ld); /* there is no memory behind P */
    subtract(square, of->q + a * of->pending, of->q + a * of->pending, of->pending);
    if (store->departing) keep_diagonal(store, group, square, p, a, rows);
    for (int i = 0; i < rows; i++) store_p(p + i * of->ld, square[i]);
}

/** Where a P is too large to be asked for ahead: the squares below @p squares squares at row @p a, column @p c, and the mirror images of those that follow. */
static inline __attribute__((always_inline)) void ask_for_squares(const difference *of, int64_t a, int64_t c, int64_t squares) {
    const int64_t width = squares * LANES, beyond = c + 2 * width < of->sources ? c + 2 * width : of->sources;
    for (int64_t i = c + width; i < beyond; i++) ask_for(of->p + i * of->ld + a, LANES * (int64_t)sizeof(stored));
    for (int64_t i = a + LANES; i < a + 2 * LANES && i < of->sources; i++) ask_for(of->p + i * of->ld + c, width * (int64_t)sizeof(stored));
}

/** P <- P - q q': squares on and above the diagonal, and their mirror images. @param next what is asked for meanwhile, a piece with each square; NULL: what
 *  comes of this P */
static void subtract_products(rls_store *store, int group, const difference *of, const char *next, int64_t next_bytes) {
    const int64_t all = (of->sources + LANES - 1) / LANES, piece = next_bytes / (all * (all + 1) / 2) / 64 * 64 + 64;
    const char *end = next ? next + next_bytes : NULL;
    for (int64_t a = 0; a < of->sources; a += LANES)
        for (int64_t c = a, squares; c < of->sources; c += squares * LANES) {
            const int64_t left = (of->sources - c + LANES - 1) / LANES;
            squares = c == a ? 1 : left < WIDE ? left : WIDE;
            if (next) {
                const int64_t here = squares * piece < end - next ? squares * piece : end - next;
                ask_for(next, here);
                next += here;
            } else {
                ask_for_squares(of, a, c, squares);
            }
            if (c == a) subtract_on_diagonal(store, group, of, a);
            else if (squares == 1) subtract_beside(of, a, c);
#if WIDE > 1
            else if (squares == 2) subtract_wide(of, a, c, 2);
            else subtract_wide(of, a, c, WIDE);
#endif
        }
}

/** The first @p pending columns of a group, with the root of their factors, in the units of P, laid out as they are used again and again: LANES elements of
 *  each of them, then the next LANES. @param next the group whose columns are asked for meanwhile, or -1 */
static void collect_columns(const rls_store *store, const view *group, int pending, real *restrict q, int next) {
    for (int m = 0; m < pending; m++) {
        const real root = (real)sqrt((double)group->factor[m] / store->unit);
        const stored *column = column_of(store, group->group, m);
        if (next >= 0) ask_for(column_of(store, next, m), store->ld[next] * (int64_t)sizeof(stored));
        for (int64_t at = 0; at < group->ld; at += LANES) *(lanes *)(q + at * pending + m * LANES) = load_p(column + at) * root;
    }
}

/** P <- P - sum of factor k k' over the first @p pending columns, of one group; what the next one needs for that is asked for meanwhile. */
static void flush_group(rls_store *store, const view *group, int pending) {
    enum { FITS = 300 << 10 }; /* bytes: a P of this size is in the second cache by the time it is wanted */
    const int g = group->group;
    if (group->sources == 0) return; /* a neuron without plastic inputs */
    stored *p = (stored *)store->p + store->p_base[g];
    const int64_t next_bytes = g + 1 < store->plastic->groups ? (store->p_base[g + 2] - store->p_base[g + 1]) * (int64_t)sizeof(stored) : 0;
    const bool fits = next_bytes > 0 && next_bytes <= FITS;
    const difference of = {.ld = group->ld, .sources = group->sources, .p = p, .q = store->scratch, .pending = pending};
    collect_columns(store, group, pending, store->scratch, fits ? g + 1 : -1);
    subtract_products(store, g, &of, fits ? (const char *)((stored *)store->p + store->p_base[g + 1]) : NULL, fits ? next_bytes : 0);
}

static void flush(rls_store *store) {
    for (int g = 0; g < store->plastic->groups && store->pending; g++) {
        const view group = view_of(store, g);
        flush_group(store, &group, store->pending);
    }
    store->pending = 0;
}

/* ---- the instant of all groups ---- */

/** How many groups ahead memory is asked for: at most 8, and no more than leave room in the second cache for what is worked on. */
static int groups_ahead(const rls_store *store) {
    enum { ROOM = 128 << 10, MOST = 8 }; /* bytes */
    const int64_t groups = store->plastic->groups, hits = store->hit_start[groups], elements = store->waiting_base[groups];
    if (groups == 0 || elements < groups) return 1; /* hardly any neuron has plastic inputs */
    const int64_t ahead = ROOM / ((hits / groups + store->pending + 1) * (elements / groups) * (int64_t)sizeof(stored));
    return ahead < 1 ? 1 : ahead < MOST ? (int)ahead : MOST;
}

static int update(rls_store *store, const double *r, const double *error, const double *scale, double *gain) {
    const plastic_synapses *plastic = store->plastic;
    const int ahead = groups_ahead(store);
    const bool full = store->pending + 1 == store->block;
    int first_bad = -1;
    for (int g = 0; g < ahead; g++) {
        const upcoming next = upcoming_of(store, g);
        ask_for_rest(store, &next, 0, 0);
    }
    for (int g = 0; g < plastic->groups; g++) {
        view group = view_of(store, g);
        int row = plastic->group_row[g], count = (int)(store->hit_start[g + 1] - store->hit_start[g]);
        double own_scale = scale ? scale[row] : 1;
        real *to = place_of(store, g, store->pending);
        const upcoming next = upcoming_of(store, g + ahead);
        double rho = advance(store, &group, (hit *)store->hits + store->hit_start[g], count, &next, to);
        ask_for_rest(store, &next, count, group.ld);
        double value = learn(store, &group, rho, r, error, own_scale, to);
        keep_column(store, &group, store->pending, to, rho, own_scale * own_scale * value);
        for (int member = row; member < plastic->group_row[g + 1]; member++) gain[member] = value;
        if (first_bad < 0 && !(value > 0 && value <= 1)) first_bad = row;
        if (full) flush_group(store, &group, store->block); /* while its columns are in the caches */
    }
    store->newest = store->pending;
    store->pending = full ? 0 : store->pending + 1;
    return first_bad;
}

static void refresh(rls_store *store) {
    store->newest = store->block - 1;
    for (int g = 0; g < store->plastic->groups; g++) {
        view group = view_of(store, g);
        store->products[g] = (group_products){0, 0};
        double rho = advance(store, &group, (hit *)store->hits + store->hit_start[g], (int)(store->hit_start[g + 1] - store->hit_start[g]), &(upcoming){0},
                             place_of(store, g, store->newest));
        store->products[g] = (group_products){rho, 1};
    }
}

/* ---- P in and out ---- */

static void get_row(const rls_store *store, int group, int64_t a, double *row) {
    view view = view_of(store, group);
    for (int64_t b = 0; b < view.sources; b += LANES) {
        lanes values = load_p(view.p + a * view.ld + b);
        for (int l = 0; l < LANES && b + l < view.sources; l++) row[b + l] = (double)values[l] * store->unit;
    }
}

static void set_row(rls_store *store, int group, int64_t a, const double *row) {
    view view = view_of(store, group);
    stored *to = (stored *)store->p + store->p_base[group] + a * view.ld;
    for (int64_t b = 0; b < view.sources; b += LANES) {
        lanes values = {0};
        for (int l = 0; l < LANES && b + l < view.sources; l++) values[l] = (real)(row[b + l] / store->unit);
        store_p(to + b, values);
    }
}

static void take_stretch(const rls_store *store, int group, int64_t a, int64_t b, int64_t count, void *elements) {
    const stored *from = view_of(store, group).p + a * store->ld[group] + b;
    real *to = elements;
    for (int64_t i = 0; i < count; i++) to[i] = (real)((double)load_one(from[i]) * store->unit);
}

static void put_stretch(rls_store *store, int group, int64_t a, int64_t b, int64_t count, const void *elements) {
    const real *from = elements;
    int64_t ld = store->ld[group];
    stored *p = (stored *)store->p + store->p_base[group];
    for (int64_t i = 0; i < count; i++) p[a * ld + b + i] = p[(b + i) * ld + a] = stored_of((real)((double)from[i] / store->unit));
}

const spike_driven_kernel KERNEL = {
    .real_size = sizeof(real),
    .stored_size = sizeof(stored),
    .hit_size = sizeof(hit),
    .predict = predict,
    .update = update,
    .flush = flush,
    .refresh = refresh,
    .diagonal_of = diagonal_of,
    .get_row = get_row,
    .set_row = set_row,
    .take_stretch = take_stretch,
    .put_stretch = put_stretch,
};
