/* The recursion of spike_driven.c for groups of many neurons: P of a group lies block-cyclic over all ranks, and the weights wait as well as P.
 *
 * With P and W as of the last flush and the pending columns Q [K][m], E [M][m], today's are P - Q Q' and W - E Q':
 *     arrival     y <- decay y + P s ,  z <- decay z + Q's ,  u <- decay u + (W - E Q') s
 *     instant     k = y - Q z ,  g = 1/(1 + r'k) ,  u_i <- u_i - g e_i r'k ,  Q gets the column sqrt(g) k ,  E the column sqrt(g) e
 *     flush       P <- P - Q Q' ,  W <- W - E Q' ,  y <- y - Q z
 *
 * Each rank multiplies its block of P with what arrived; one collective an instant, the sum (or, on a grid of one column, the concatenation) of these products,
 * gives all ranks y, and so k. Q is kept whole on every rank, which makes the flush local: nothing else is sent. On a grid of one column every element of
 * everything is computed by the same operations whatever the number of ranks. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "distributed_kernel.h"
#include "layout.h"
#include "engram/memory.h"
#include "engram/rls.h"
#include "process_grid.h"

/** A group, known to all ranks. */
typedef struct {
    int64_t id;
    int count;                 /* K */
    int32_t *source;           /* [K] ascending */
    int8_t *signs;             /* [K] of initial weights */
    int32_t *position;         /* [sources] place among the K, or -1 */
    int local;                 /* which of my groups, or -1 */
    int first_row, members;    /* my rows */
    int64_t weights;           /* where they begin */
    int64_t p_rows, p_columns, ld; /* my block of P */
    int64_t y_begin;           /* its rows among those of all groups */
    void *p;                   /* [p_columns][ld] */
    void *q;                   /* [block][K] */
    void *e;                   /* [block][members] */
    void *r, *k;               /* [K] as of the last instant */
    double *z;                 /* [block] Q'r */
    int hits, p_hits;          /* what arrived since the last instant */
    int32_t *hit, *p_hit;      /* [K] places among the K; those of my columns, as local columns */
    void *value, *p_value;     /* [K] */
} dense_group;

struct rls_store {
    plastic_synapses *plastic;
    rls_settings settings;
    process_grid grid;
    bool single;
    int block, pending;
    int groups;
    dense_group *group;
    int64_t products;          /* rows of P that I hold, all groups */
    void *y, *all_products;    /* [products]; [sum of K] in the order of ranks */
    int *counts, *offsets;     /* [ranks] of all_products */
    double *sum;               /* [rows] w.r as of the last instant */
    void *step;                /* [rows] */
    void *factor;              /* [block] */
    void *scratch;             /* of the flush */
};

static size_t real_size(const rls_store *store) {
    return store->single ? sizeof(float) : sizeof(double);
}

static double get(const rls_store *store, const void *array, int64_t at) {
    return store->single ? (double)((const float *)array)[at] : ((const double *)array)[at];
}

static void put(const rls_store *store, void *array, int64_t at, double value) {
    if (store->single)
        ((float *)array)[at] = (float)value;
    else
        ((double *)array)[at] = value;
}

static void *at(const rls_store *store, void *array, int64_t element) {
    return (char *)array + element * (int64_t)real_size(store);
}

static void *reals(const rls_store *store, memory_category category, int64_t count) {
    return memory_new(category, (size_t)count, real_size(store));
}

static void combine(const rls_store *store, int64_t length, double decay, const void *from, distributed_rows rows, void *to) {
    if (store->single)
        distributed_combine_single(length, (float)decay, from, &rows, to);
    else
        distributed_combine_double(length, decay, from, &rows, to);
}

/** One row for every pending column, times store->factor. */
static distributed_rows pending_rows(const rls_store *store, const void *row, int64_t stride) {
    return (distributed_rows){.row = row, .stride = stride, .factor = store->factor, .count = store->pending};
}

static void subtract(const rls_store *store, distributed_product product) {
    product.count = store->pending;
    if (store->single)
        distributed_subtract_single(&product, store->scratch);
    else
        distributed_subtract_double(&product, store->scratch);
}

static double dot(const rls_store *store, int64_t length, const void *a, const void *b) {
    return store->single ? distributed_dot_single(length, a, b) : distributed_dot_double(length, a, b);
}

/* ---- groups of all ranks ---- */

/** Ids of my groups; a rank's own where groups are not shared. Collective. @return owned */
static int64_t *ids_of(const context *context, const plastic_synapses *plastic) {
    int64_t *ids = memory_new(MEMORY_BUFFERS, (size_t)plastic->groups, sizeof *ids), before = context_first(context, plastic->groups, NULL);
    for (int g = 0; g < plastic->groups; g++) ids[g] = plastic->group_id ? plastic->group_id[g] : before + g;
    return ids;
}

/** The next id after @p last on any rank, who tells of it, and which of my groups it is. Collective. @return false: there is none */
static bool next_group(const context *context, const plastic_synapses *plastic, const int64_t *ids, int64_t last, dense_group *group, int *teller) {
    int mine = 0, rank;
    int64_t candidate, smallest;
    while (mine < plastic->groups && ids[mine] <= last) mine++;
    candidate = mine < plastic->groups ? ids[mine] : INT64_MAX;
    CHECK_MPI(MPI_Allreduce(&candidate, &smallest, 1, MPI_INT64_T, MPI_MIN, context->comm));
    if (smallest == INT64_MAX) return false;
    *group = (dense_group){.id = smallest, .local = candidate == smallest ? mine : -1};
    rank = group->local >= 0 ? context->rank : context->ranks;
    CHECK_MPI(MPI_Allreduce(&rank, teller, 1, MPI_INT, MPI_MIN, context->comm));
    return true;
}

/** Sources and signs, from a rank that has rows of the group. Collective. */
static void hear_of_group(const context *context, const plastic_synapses *plastic, dense_group *group, int teller) {
    int g = group->local, count = 0;
    const int32_t *source = g >= 0 ? plastic_sources(plastic, g, &count) : NULL;
    CHECK_MPI(MPI_Bcast(&count, 1, MPI_INT, teller, context->comm));
    group->count = count;
    group->source = memory_new(MEMORY_P, (size_t)count, sizeof(int32_t));
    group->signs = memory_new(MEMORY_P, (size_t)count, 1);
    if (g >= 0) {
        if (count) memcpy(group->source, source, (size_t)count * sizeof(int32_t));
        rls_prior_signs(plastic, g, group->signs);
        group->first_row = plastic->group_row[g];
        group->members = plastic->group_row[g + 1] - plastic->group_row[g];
        group->weights = plastic->row_start[group->first_row];
    }
    CHECK_MPI(MPI_Bcast(group->source, count, MPI_INT32_T, teller, context->comm));
    CHECK_MPI(MPI_Bcast(group->signs, count, MPI_INT8_T, teller, context->comm));
    group->position = memory_new(MEMORY_P, (size_t)plastic->sources, sizeof(int32_t));
    for (int64_t j = 0; j < plastic->sources; j++) group->position[j] = -1;
    for (int a = 0; a < count; a++) group->position[group->source[a]] = a;
}

static void find_groups(const context *context, rls_store *store) {
    int64_t *ids = ids_of(context, store->plastic), last = -1;
    dense_group group;
    for (int teller; next_group(context, store->plastic, ids, last, &group, &teller); last = group.id) {
        hear_of_group(context, store->plastic, &group, teller);
        store->group = memory_resize(MEMORY_P, store->group, (size_t)store->groups + 1, sizeof group);
        store->group[store->groups++] = group;
    }
    memory_free(ids);
}

/* ---- memory ---- */

static void set_initial_p(const rls_store *store, dense_group *group) {
    rls_prior prior = rls_prior_of(group->signs, group->count, &store->settings);
    for (int64_t c = 0; c < group->p_columns; c++)
        for (int64_t a = 0, column = grid_global(c, store->grid.column, store->grid.columns); a < group->p_rows; a++)
            put(store, group->p, c * group->ld + a, rls_prior_p(&prior, grid_global(a, store->grid.row, store->grid.rows), column));
}

static void make_group(rls_store *store, dense_group *group) {
    int64_t count = group->count, block = store->block;
    group->p_rows = grid_local(count, store->grid.row, store->grid.rows);
    group->p_columns = grid_local(count, store->grid.column, store->grid.columns);
    group->ld = rls_row_length(group->p_rows > 0 ? group->p_rows : 1); /* ScaLAPACK wants one even where nothing is */
    group->y_begin = store->products;
    store->products += group->p_rows;
    group->p = reals(store, MEMORY_P, group->p_columns * group->ld);
    group->q = reals(store, MEMORY_P, block * count);
    group->e = reals(store, MEMORY_P, block * group->members);
    group->r = reals(store, MEMORY_P, count);
    group->k = reals(store, MEMORY_P, count);
    group->z = memory_new(MEMORY_P, (size_t)block, sizeof(double));
    group->hit = memory_new(MEMORY_BUFFERS, (size_t)count, sizeof(int32_t));
    group->p_hit = memory_new(MEMORY_BUFFERS, (size_t)count, sizeof(int32_t));
    group->value = reals(store, MEMORY_BUFFERS, count);
    group->p_value = reals(store, MEMORY_BUFFERS, count);
    set_initial_p(store, group);
}

static void free_group(dense_group *group) {
    void *const arrays[] = {group->source, group->signs, group->position, group->p,     group->q,     group->e,      group->r,
                            group->k,      group->z,     group->hit,      group->p_hit, group->value, group->p_value};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) memory_free(arrays[k]);
}

/** Room for the exchange of products and for the flush. */
static void make_buffers(rls_store *store) {
    int64_t scratch = 0, all = 0;
    store->counts = memory_new(MEMORY_BUFFERS, (size_t)store->grid.context.ranks, sizeof(int));
    store->offsets = memory_new(MEMORY_BUFFERS, (size_t)store->grid.context.ranks, sizeof(int));
    for (int g = 0; g < store->groups; g++) {
        const dense_group *group = &store->group[g];
        int64_t panels = group->p_columns + group->p_rows; /* a block of Q for my columns, and one for my rows */
        int64_t p = distributed_scratch(group->p_rows, group->p_columns, store->block) + panels * store->block;
        int64_t w = distributed_scratch(group->members, group->count, store->block);
        if (p > scratch) scratch = p;
        if (w > scratch) scratch = w;
        all += group->count;
        for (int rank = 0; rank < store->grid.context.ranks; rank++)
            store->counts[rank] += (int)grid_local(group->count, rank / store->grid.columns, store->grid.rows);
    }
    for (int rank = 1; rank < store->grid.context.ranks; rank++) store->offsets[rank] = store->offsets[rank - 1] + store->counts[rank - 1];
    store->y = reals(store, MEMORY_P, store->products);
    store->all_products = reals(store, MEMORY_BUFFERS, all);
    store->sum = memory_new(MEMORY_BUFFERS, (size_t)store->plastic->rows, sizeof(double));
    store->step = reals(store, MEMORY_BUFFERS, store->plastic->rows);
    store->factor = reals(store, MEMORY_BUFFERS, store->block);
    store->scratch = reals(store, MEMORY_BUFFERS, scratch);
}

static void deliver_pending(void *self, const int32_t *spike, int count, double *input);

static rls_store *create(const context *context, plastic_synapses *plastic, const rls_settings *settings) {
    enum { DEFAULT_BLOCK = 64 };
    rls_store *store = memory_new(MEMORY_P, 1, sizeof *store);
    store->plastic = plastic;
    store->settings = *settings;
    store->single = plastic->single;
    store->grid = grid_new(context, settings->grid_columns > 0 ? settings->grid_columns : 1);
    store->block = settings->block > 0 ? settings->block : DEFAULT_BLOCK;
    find_groups(context, store);
    for (int g = 0; g < store->groups; g++) make_group(store, &store->group[g]);
    make_buffers(store);
    plastic->pending = (plastic_pending){.self = store, .deliver = deliver_pending};
    return store;
}

static void destroy(rls_store *store) {
    if (!store) return;
    store->plastic->pending = (plastic_pending){0};
    for (int g = 0; g < store->groups; g++) free_group(&store->group[g]);
    grid_free(&store->grid);
    void *const arrays[] = {store->group, store->counts, store->offsets, store->y, store->all_products, store->sum, store->step, store->factor, store->scratch};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) memory_free(arrays[k]);
    memory_free(store);
}

/* ---- flush ---- */

/** My rows (or columns) of the pending columns, as the local parts of P have them. @param to [pending][local] */
static void pick_q(const rls_store *store, const dense_group *group, int64_t local, int process, int processes, void *to) {
    size_t size = real_size(store);
    for (int m = 0; m < store->pending; m++)
        for (int64_t l = 0; l < local; l += GRID_BLOCK) {
            int64_t here = local - l < GRID_BLOCK ? local - l : GRID_BLOCK;
            memcpy(at(store, to, m * local + l), at(store, group->q, m * (int64_t)group->count + grid_global(l, process, processes)), (size_t)here * size);
        }
}

/** -(Q'r) of my columns alone: what the rank's products have to lose. */
static void measure_lost(const rls_store *store, const dense_group *group, const void *q_columns, void *r_columns) {
    for (int64_t c = 0; c < group->p_columns; c++) put(store, r_columns, c, get(store, group->r, grid_global(c, store->grid.column, store->grid.columns)));
    for (int m = 0; m < store->pending; m++)
        put(store, store->factor, m, -dot(store, group->p_columns, at(store, (void *)(uintptr_t)q_columns, m * group->p_columns), r_columns));
}

static void flush_group(rls_store *store, dense_group *group) {
    int64_t packing = distributed_scratch(group->p_rows, group->p_columns, store->block);
    void *q_rows = at(store, store->scratch, packing), *q_columns = at(store, q_rows, group->p_rows * store->pending), *y = at(store, store->y, group->y_begin);
    pick_q(store, group, group->p_rows, store->grid.row, store->grid.rows, q_rows);
    pick_q(store, group, group->p_columns, store->grid.column, store->grid.columns, q_columns);
    measure_lost(store, group, q_columns, group->p_value);
    combine(store, group->p_rows, 1, y, pending_rows(store, q_rows, group->p_rows), y);
    subtract(store, (distributed_product){.matrix = group->p, .picks = group->p_columns, .length = group->p_rows, .ld = group->ld,
                                          .left = q_columns, .left_stride = group->p_columns, .right = q_rows, .right_stride = group->p_rows});
    if (group->members == 0) return;
    subtract(store, (distributed_product){.matrix = at(store, store->plastic->weight, group->weights),
                                          .picks = group->count, .length = group->members, .ld = group->members,
                                          .left = group->q, .left_stride = group->count, .right = group->e, .right_stride = group->members});
}

static void flush(rls_store *store) {
    for (int g = 0; g < store->groups && store->pending; g++) flush_group(store, &store->group[g]);
    store->pending = 0;
}

/** r = 0. */
static void trial_begin(rls_store *store) {
    flush(store);
    for (int g = 0; g < store->groups; g++) memset(store->group[g].r, 0, (size_t)store->group[g].count * real_size(store));
    memset(store->y, 0, (size_t)store->products * real_size(store));
    memset(store->sum, 0, (size_t)store->plastic->rows * sizeof(double));
}

/* ---- what arrived ---- */

/** The sources of a group that arrived, and those of them that are columns of my block. @param values [sources] */
static void find_hits(const rls_store *store, dense_group *group, const double *values) {
    const process_grid *grid = &store->grid;
    group->hits = group->p_hits = 0;
    for (int a = 0; a < group->count; a++) {
        double value = values[group->source[a]];
        if (value == 0) continue;
        put(store, group->value, group->hits, value);
        group->hit[group->hits++] = a;
        int block = a / GRID_BLOCK;
        if (block % grid->columns != grid->column) continue;
        put(store, group->p_value, group->p_hits, value);
        group->p_hit[group->p_hits++] = block / grid->columns * GRID_BLOCK + a % GRID_BLOCK;
    }
}

/** What @p hits of the group's sources bring to pending column m:  sum of q value. */
static double pending_product(const rls_store *store, const dense_group *group, int m) {
    double sum = 0;
    for (int h = 0; h < group->hits; h++) sum += get(store, group->q, m * (int64_t)group->count + group->hit[h]) * get(store, group->value, h);
    return sum;
}

/** u <- decay u + (W - E Q') s, and z likewise. */
static void advance_sums(rls_store *store, dense_group *group, double decay) {
    void *step = at(store, store->step, group->first_row);
    for (int m = 0; m < store->pending; m++) {
        double arrived = pending_product(store, group, m);
        group->z[m] = decay * group->z[m] + arrived;
        put(store, store->factor, m, -arrived);
    }
    if (group->members == 0) return;
    memset(step, 0, (size_t)group->members * real_size(store));
    const distributed_rows hits = {.row = at(store, store->plastic->weight, group->weights), .stride = group->members,
                                   .index = group->hit, .factor = group->value, .count = group->hits};
    combine(store, group->members, 1, step, hits, step);
    combine(store, group->members, 1, step, pending_rows(store, group->e, group->members), step);
    for (int i = 0; i < group->members; i++) store->sum[group->first_row + i] = decay * store->sum[group->first_row + i] + get(store, step, i);
}

static void advance(rls_store *store, const double *values, double decay) {
    for (int g = 0; g < store->groups; g++) {
        dense_group *group = &store->group[g];
        void *y = at(store, store->y, group->y_begin);
        find_hits(store, group, values);
        advance_sums(store, group, decay);
        const distributed_rows hits = {.row = group->p, .stride = group->ld, .index = group->p_hit, .factor = group->p_value, .count = group->p_hits};
        combine(store, group->p_rows, decay, y, hits, y);
    }
}

static void predict(rls_store *store, const rls_activity *activity, double *sum) {
    bool uniform = !isnan(activity->decay);
    advance(store, uniform ? activity->arrived : activity->r, uniform ? activity->decay : 0);
    memcpy(sum, store->sum, (size_t)store->plastic->rows * sizeof(double));
}

/* ---- the instant ---- */

/** k <- P r of all groups, with P as of the last flush. Collective: the one exchange of an instant. */
static void gather_products(rls_store *store) {
    MPI_Datatype type = store->single ? MPI_FLOAT : MPI_DOUBLE;
    const process_grid *grid = &store->grid;
    int64_t all = 0;
    if (grid->columns == 1)
        CHECK_MPI(MPI_Allgatherv(store->y, (int)store->products, type, store->all_products, store->counts, store->offsets, type, grid->context.comm));
    for (int g = 0; g < store->groups; all += store->group[g++].count) {
        dense_group *group = &store->group[g];
        void *sums = at(store, store->all_products, all);
        if (grid->columns > 1) memset(sums, 0, (size_t)group->count * real_size(store));
        for (int64_t l = 0; l < group->p_rows && grid->columns > 1; l++)
            put(store, sums, grid_global(l, grid->row, grid->rows), get(store, store->y, group->y_begin + l));
    }
    if (grid->columns > 1) CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, store->all_products, (int)all, type, MPI_SUM, grid->context.comm));
}

/** A group's part of what was gathered, in the order of its sources. @param before sum of K of the groups before; [ranks] rows of groups before of each rank */
static void take_products(rls_store *store, dense_group *group, int64_t before, int64_t *behind) {
    const process_grid *grid = &store->grid;
    size_t size = real_size(store);
    if (grid->columns > 1) {
        memcpy(group->k, at(store, store->all_products, before), (size_t)group->count * size);
        return;
    }
    for (int rank = 0; rank < grid->rows; rank++) {
        int64_t rows = grid_local(group->count, rank, grid->rows);
        for (int64_t l = 0; l < rows; l += GRID_BLOCK) {
            int64_t here = rows - l < GRID_BLOCK ? rows - l : GRID_BLOCK;
            memcpy(at(store, group->k, grid_global(l, rank, grid->rows)), at(store, store->all_products, store->offsets[rank] + behind[rank] + l),
                   (size_t)here * size);
        }
        behind[rank] += rows;
    }
}

/** @return g */
static double learn_group(rls_store *store, dense_group *group, const double *r, const double *error) {
    for (int a = 0; a < group->count; a++) put(store, group->r, a, r[group->source[a]]);
    for (int m = 0; m < store->pending; m++) put(store, store->factor, m, -group->z[m]);
    combine(store, group->count, 1, group->k, pending_rows(store, group->q, group->count), group->k);
    double rk = dot(store, group->count, group->r, group->k), gain = 1 / (1 + rk), root = sqrt(gain), weight_gain = store->settings.gain ? gain : 1;
    void *column = at(store, group->q, store->pending * (int64_t)group->count), *errors = at(store, group->e, store->pending * (int64_t)group->members);
    for (int a = 0; a < group->count; a++) put(store, column, a, root * get(store, group->k, a));
    for (int i = 0; i < group->members; i++) {
        double e = error[group->first_row + i];
        put(store, errors, i, weight_gain / root * e);
        store->sum[group->first_row + i] -= weight_gain * e * rk;
    }
    group->z[store->pending] = root * rk;
    return gain;
}

static int update(rls_store *store, const rls_activity *activity, const double *error, const double *scale, double *gain, double *after) {
    int first_bad = -1;
    int64_t before = 0, *behind = memory_new(MEMORY_BUFFERS, (size_t)store->grid.context.ranks, sizeof *behind);
    if (scale) context_abort("rls: a distributed P cannot be weighed by the slopes of single neurons");
    gather_products(store);
    for (int g = 0; g < store->groups; before += store->group[g++].count) {
        dense_group *group = &store->group[g];
        take_products(store, group, before, behind);
        double value = learn_group(store, group, activity->r, error);
        for (int i = 0; i < group->members; i++) gain[group->first_row + i] = value;
        if (first_bad < 0 && group->members && !(value > 0 && value <= 1)) first_bad = group->first_row;
    }
    memory_free(behind);
    if (++store->pending == store->block) flush(store);
    if (after) memcpy(after, store->sum, (size_t)store->plastic->rows * sizeof(double));
    return first_bad;
}

/** Between two flushes plastic_deliver() reads old weights: take away E Q' of the sources that spiked. */
static void deliver_pending(void *self, const int32_t *spike, int count, double *input) {
    rls_store *store = self;
    for (int g = 0; g < store->groups && store->pending; g++) {
        dense_group *group = &store->group[g];
        bool reached = false;
        if (group->members == 0) continue;
        for (int m = 0; m < store->pending; m++) put(store, store->factor, m, 0);
        for (int k = 0; k < count; k++) {
            int a = group->position[spike[k]];
            if (a < 0) continue;
            reached = true;
            for (int m = 0; m < store->pending; m++)
                put(store, store->factor, m, get(store, store->factor, m) + get(store, group->q, m * (int64_t)group->count + a));
        }
        if (!reached) continue;
        void *step = at(store, store->step, group->first_row);
        memset(step, 0, (size_t)group->members * real_size(store));
        combine(store, group->members, 1, step, pending_rows(store, group->e, group->members), step);
        for (int i = 0; i < group->members; i++) input[store->plastic->row_neuron[group->first_row + i]] -= get(store, step, i);
    }
}

static void settle(rls_store *store, const double *r) {
    flush(store);
    if (!r) return;
    memset(store->y, 0, (size_t)store->products * real_size(store));
    for (int g = 0; g < store->groups; g++)
        for (int a = 0; a < store->group[g].count; a++) put(store, store->group[g].r, a, r[store->group[g].source[a]]);
    advance(store, r, 0);
}

/* ---- P in and out ---- */

/** Columns of P that a rank writes to a checkpoint: [first, first + count). */
typedef struct { int64_t first, count; } column_range;

static column_range range_of(const dense_group *group, int rank, int ranks) {
    int64_t first = (int64_t)group->count * rank / ranks;
    return (column_range){first, (int64_t)group->count * (rank + 1) / ranks - first};
}

enum { PANEL = 64 }; /* columns that a rank holds whole while P is written or read */

/** What carries P between its distribution and whole columns. */
typedef struct {
    process_grid row, column; /* all ranks beside, and below each other */
    void *columns;            /* [PANEL][K] mine, of which those from the diagonal on count */
    void *rows;               /* [K][PANEL] the same transposed */
} p_panels;

/** Where a submatrix begins in a distributed matrix; indices count from 1. */
typedef struct {
    void *matrix;
    int row, column;
    int *description; /* grid_describe() */
} grid_place;

/** Copy a submatrix of m x n from one distribution to another. Collective. */
static void redistribute(const rls_store *store, int m, int n, grid_place from, grid_place to) {
    const int blacs = store->grid.blacs;
    if (store->single)
        Cpsgemr2d(m, n, from.matrix, from.row, from.column, from.description, to.matrix, to.row, to.column, to.description, blacs);
    else
        Cpdgemr2d(m, n, from.matrix, from.row, from.column, from.description, to.matrix, to.row, to.column, to.description, blacs);
}

/** Move the columns from @p from on of every rank's range, below the diagonal block and with it, from P to the panels; or from the panels to P, where
 *  they become rows too. Collective. */
static void move_panels(const rls_store *store, const dense_group *group, p_panels *panels, int64_t from, bool out) {
    int p[DESCRIPTOR_LENGTH], columns[DESCRIPTOR_LENGTH], rows[DESCRIPTOR_LENGTH], ranks = store->grid.context.ranks;
    grid_describe(&store->grid, group->count, group->ld, p);
    grid_describe_columns(&panels->row, group->count, PANEL, columns);
    grid_describe_rows(&panels->column, group->count, PANEL, rows);
    for (int rank = 0; rank < ranks; rank++) {
        column_range range = range_of(group, rank, ranks);
        int width = (int)(range.count - from < PANEL ? range.count - from : PANEL);
        int first = (int)(range.first + from) + 1, rest = group->count + 1 - first;
        int place = rank * PANEL + 1;
        if (width <= 0) continue;
        const grid_place in_p = {group->p, first, first, p};
        const grid_place in_columns = {panels->columns, first, place, columns}, in_rows = {panels->rows, place, first, rows};
        if (out) {
            redistribute(store, rest, width, in_p, in_columns);
        } else {
            redistribute(store, rest, width, in_columns, in_p);
            redistribute(store, width, rest, in_rows, in_p);
        }
    }
}

/** Complete the diagonal block that begins at @p first, and transpose. */
static void mirror_panel(const rls_store *store, const dense_group *group, p_panels *panels, int64_t first, int64_t width) {
    for (int64_t c = 0; c < width; c++)
        for (int64_t b = first; b < first + c; b++)
            put(store, panels->columns, c * group->count + b, get(store, panels->columns, (b - first) * group->count + first + c));
    for (int64_t b = first; b < group->count; b++)
        for (int64_t c = 0; c < width; c++) put(store, panels->rows, b * PANEL + c, get(store, panels->columns, c * group->count + b));
}

/** The upper triangle of a group's P to the file, or from the reader: each rank passes its range of rows, which are columns too. Collective. */
static void walk_group(rls_store *store, int g, h5_file *file, h5_reader *reader) {
    dense_group *group = &store->group[g];
    const context *context = &store->grid.context;
    column_range mine = range_of(group, context->rank, context->ranks), longest = range_of(group, context->ranks - 1, context->ranks);
    int64_t total = rls_triangle_before(group->count, group->count), first = rls_triangle_before(group->count, mine.first);
    int64_t count = rls_triangle_before(group->count, mine.first + mine.count) - first;
    p_panels panels = {grid_new(context, context->ranks), grid_new(context, 1), reals(store, MEMORY_BUFFERS, PANEL * (int64_t)group->count),
                       reals(store, MEMORY_BUFFERS, PANEL * (int64_t)group->count)};
    char name[32];
    snprintf(name, sizeof name, "rls/group/%d", g);
    if (file)
        h5_stream_begin(file, name, store->single ? H5_FLOAT32 : H5_FLOAT64, total, first, count);
    else
        h5_reader_stream(reader, name, store->single ? H5_FLOAT32 : H5_FLOAT64, total, first, count);
    for (int64_t from = 0; from < longest.count; from += PANEL) {
        int64_t width = mine.count - from < PANEL ? mine.count - from : PANEL;
        if (file) move_panels(store, group, &panels, from, true);
        for (int64_t c = 0, a = mine.first + from; c < width; c++, a++) {
            void *row = at(store, panels.columns, c * group->count + a);
            if (file)
                h5_stream_put(file, row, group->count - a);
            else
                h5_reader_take(reader, row, group->count - a);
        }
        if (reader && width > 0) mirror_panel(store, group, &panels, mine.first + from, width);
        if (reader) move_panels(store, group, &panels, from, false);
    }
    if (file) h5_stream_end(file);
    memory_free(panels.columns), memory_free(panels.rows);
    grid_free(&panels.row), grid_free(&panels.column);
}

static void save(rls_store *store, h5_file *file) {
    for (int g = 0; g < store->groups; g++) walk_group(store, g, file, NULL);
}

static void load(rls_store *store, h5_reader *reader) {
    for (int g = 0; g < store->groups; g++) walk_group(store, g, NULL, reader);
}

static void export_p(const rls_store *store, int group, double *p) {
    const process_grid *grid = &store->grid;
    for (int g = 0; g < store->groups; g++) {
        const dense_group *from = &store->group[g];
        double *whole = from->local == group ? p : memory_new(MEMORY_BUFFERS, (size_t)from->count * (size_t)from->count, sizeof(double));
        memset(whole, 0, (size_t)from->count * (size_t)from->count * sizeof(double));
        for (int64_t c = 0; c < from->p_columns; c++)
            for (int64_t a = 0; a < from->p_rows; a++)
                whole[grid_global(a, grid->row, grid->rows) * from->count + grid_global(c, grid->column, grid->columns)] =
                    get(store, from->p, c * from->ld + a);
        CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, whole, from->count * from->count, MPI_DOUBLE, MPI_SUM, grid->context.comm));
        if (whole != p) memory_free(whole);
    }
}

const rls_store_kind rls_distributed = {
    .name = "distributed",
    .divided = true,
    .help = "as spike_driven, P over all ranks by ScaLAPACK and weights delayed too: for large groups",
    .create = create,
    .destroy = destroy,
    .trial_begin = trial_begin,
    .predict = predict,
    .update = update,
    .settle = settle,
    .save = save,
    .load = load,
    .export_p = export_p,
};
