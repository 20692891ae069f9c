/* Compiled once for each precision (ENGRAM_HALF, ENGRAM_SINGLE, else double; spike_driven_elements.h). Written in vectors, so that the compiler has nothing to
 * reorder; products and sums are fused (src/CMakeLists.txt): every group, on whatever rank, goes through the same instructions. */
#include <math.h>

#include "spike_driven_arrivals.h"
#include "spike_driven_elements.h"
#include "spike_driven_flush.h"

/* ---- one group's instant ---- */

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
