/* The recursion without its memory traffic: nothing is approximated, sums are only taken in another order.
 *
 * P r is never computed: r <- decay r + s between two instants, so y = P r is kept up to date by the rows of P that belong to sources that spiked.
 * P is not written at every instant: the columns q of P <- P - q q' wait in Q, and P <- P - Q Q' is done for all of them at once.
 * With P as of the last flush, y = P r, z = Q'r, rho = r'P r:
 *     arrival     y <- decay y + P s ,  z <- decay z + Q's ,  rho accordingly
 *     instant     k = y - Q z  (P r of today's P) ,  r'k = rho - z'z ,  g = 1/(1 + r'k) ,  w_i <- w_i - g e_i k ,  Q gets the column sqrt(g) k
 *     flush       P <- P - Q Q' ,  y <- y - Q z ,  rho <- rho - z'z
 * When sources have time constants of their own, r is not one decay away from what it was: then all sources count as having arrived anew.
 *
 * An instant costs what it moves through memory. y, and each column of Q, of all groups lie one behind the other, so that a pass over the groups reads
 * and writes a few long streams; only the rows of P are picked from here and there, and asked for ahead of time. */
#include <math.h>
#include <string.h>

#include "engram/memory.h"
#include "engram/rls.h"
#include "spike_driven_kernel.h"

struct rls_store {
    plastic_synapses *plastic;
    rls_settings settings;
    int block;             /* columns that wait before a flush */
    int pending;           /* columns that wait now, the same in all groups */
    int64_t *row_base;     /* [groups+1] where a group's y and columns begin, elements */
    int64_t *p_base;       /* [groups+1] where its P begins */
    int64_t stride;        /* from y to the first column, and from a column to the next */
    void *rows;            /* float or double: [1 + block][stride]: y of all groups, then the columns */
    void *p;               /* per group [K][ld] */
    void *scratch;         /* [block][largest ld] */
    group_products *products; /* [groups] */
    double *z;             /* [groups][block] */
    double *sum;           /* [rows] w.r as of the last instant */
    void *arrived;         /* [sources] as the kernels want it */
    int64_t *hit_start;    /* [groups+1] */
    void *hits;            /* what arrived at each group since the last instant */
    int64_t hits_room;
    double decay;          /* of the interval; 0 when all sources arrived anew */
};

static int sources_of(const plastic_synapses *plastic, int group) {
    return (int)(plastic->group_start[group + 1] - plastic->group_start[group]);
}

/** Length of a row: whole cache lines, and not a multiple of 1 KiB, which would map all rows to the same cache sets. */
static int padded(int count) {
    int ld = (count + SPIKE_DRIVEN_LANES - 1) / SPIKE_DRIVEN_LANES * SPIKE_DRIVEN_LANES;
    return ld % 256 == 0 && ld > 0 ? ld + SPIKE_DRIVEN_LANES : ld;
}

static size_t real_size(const rls_store *store) {
    return store->plastic->single ? sizeof(float) : sizeof(double);
}

static size_t hit_size(const rls_store *store) {
    return store->plastic->single ? sizeof(hit_single) : sizeof(hit_double);
}

/** Measured on Zen 5 (tools/bench/rls): the best block hardly depends on the machine, and results depend on it, so it is not measured anew. */
static int default_block(int64_t largest) {
    return largest <= 128 ? 16 : largest <= 512 ? 32 : 64;
}

static void *at(const rls_store *store, void *array, int64_t element) {
    return (char *)array + (size_t)element * real_size(store);
}

/** Streams that begin at the same place within a page would fight for the same cache sets. */
static int64_t stride_of(int64_t elements) {
    enum { LINE = SPIKE_DRIVEN_LANES, LINES_OF_PAGE = 64, SKEW = 5 };
    int64_t lines = (elements + LINE - 1) / LINE;
    return (lines + (SKEW + LINES_OF_PAGE - lines % LINES_OF_PAGE) % LINES_OF_PAGE) * LINE;
}

/** Arrays of a group. */
typedef struct { int ld, sources; void *y, *q, *p; } group_arrays;

static group_arrays arrays_of(const rls_store *store, int group) {
    int sources = sources_of(store->plastic, group), ld = padded(sources);
    int64_t base = store->row_base[group];
    return (group_arrays){ld, sources, at(store, store->rows, base), at(store, store->rows, store->stride + base), at(store, store->p, store->p_base[group])};
}

static void set_initial_p(rls_store *store, int group, double *scratch) {
    group_arrays arrays = arrays_of(store, group);
    rls_initial_p(store->plastic, group, &store->settings, arrays.ld, scratch);
    for (int64_t a = 0; a < arrays.sources; a++)
        for (int64_t b = 0; b < arrays.sources; b++)
            if (store->plastic->single)
                ((float *)arrays.p)[a * arrays.ld + b] = (float)scratch[a * arrays.ld + b];
            else
                ((double *)arrays.p)[a * arrays.ld + b] = scratch[a * arrays.ld + b];
}

static rls_store *create(const context *context, plastic_synapses *plastic, const rls_settings *settings) {
    rls_store *store = memory_new(MEMORY_P, 1, sizeof *store);
    int64_t largest = 0, anywhere;
    store->plastic = plastic;
    store->settings = *settings;
    for (int g = 0; g < plastic->groups; g++)
        if (sources_of(plastic, g) > largest) largest = sources_of(plastic, g);
    CHECK_MPI(MPI_Allreduce(&largest, &anywhere, 1, MPI_INT64_T, MPI_MAX, context->comm)); /* the same block on any number of ranks */
    store->block = settings->block > 0 ? settings->block : default_block(anywhere);
    store->row_base = memory_new(MEMORY_P, (size_t)plastic->groups + 1, sizeof(int64_t));
    store->p_base = memory_new(MEMORY_P, (size_t)plastic->groups + 1, sizeof(int64_t));
    for (int g = 0; g < plastic->groups; g++) {
        int64_t sources = sources_of(plastic, g), ld = padded((int)sources);
        store->row_base[g + 1] = store->row_base[g] + ld;
        store->p_base[g + 1] = store->p_base[g] + sources * ld;
    }
    store->stride = stride_of(store->row_base[plastic->groups]);
    store->rows = memory_new(MEMORY_P, (size_t)store->stride * (size_t)(1 + store->block), real_size(store));
    store->p = memory_new(MEMORY_P, (size_t)store->p_base[plastic->groups], real_size(store));
    store->scratch = memory_new(MEMORY_BUFFERS, (size_t)store->block * (size_t)padded((int)largest), real_size(store));
    store->products = memory_new(MEMORY_P, (size_t)plastic->groups, sizeof *store->products);
    store->z = memory_new(MEMORY_P, (size_t)plastic->groups * (size_t)store->block, sizeof(double));
    store->sum = memory_new(MEMORY_BUFFERS, (size_t)plastic->rows, sizeof(double));
    store->arrived = memory_new(MEMORY_BUFFERS, (size_t)plastic->sources, real_size(store));
    store->hit_start = memory_new(MEMORY_BUFFERS, (size_t)plastic->groups + 1, sizeof(int64_t));
    double *scratch = memory_new(MEMORY_BUFFERS, (size_t)(largest * padded((int)largest)), sizeof(double));
    for (int g = 0; g < plastic->groups; g++) {
        store->products[g].z = store->z + (int64_t)g * store->block;
        set_initial_p(store, g, scratch);
    }
    memory_free(scratch);
    return store;
}

static void destroy(rls_store *store) {
    if (!store) return;
    memory_free(store->row_base), memory_free(store->p_base), memory_free(store->rows), memory_free(store->p), memory_free(store->scratch), memory_free(store->products), memory_free(store->z);
    memory_free(store->sum), memory_free(store->arrived), memory_free(store->hit_start), memory_free(store->hits);
    memory_free(store);
}

static void flush(rls_store *store) {
    for (int g = 0; g < store->plastic->groups && store->pending; g++) {
        group_arrays arrays = arrays_of(store, g);
        if (store->plastic->single)
            spike_driven_flush_single(arrays.ld, arrays.sources, arrays.p, arrays.q, store->stride, store->pending, arrays.y, &store->products[g], store->scratch);
        else
            spike_driven_flush_double(arrays.ld, arrays.sources, arrays.p, arrays.q, store->stride, store->pending, arrays.y, &store->products[g], store->scratch);
    }
    store->pending = 0;
}

/** r = 0. */
static void trial_begin(rls_store *store) {
    flush(store);
    for (int g = 0; g < store->plastic->groups; g++) {
        group_arrays arrays = arrays_of(store, g);
        memset(arrays.y, 0, (size_t)arrays.ld * real_size(store));
        store->products[g].rho = 0;
    }
    memset(store->sum, 0, (size_t)store->plastic->rows * sizeof(double));
}

/* ---- what arrived ---- */

static void make_room(rls_store *store, int64_t hits) {
    if (hits <= store->hits_room) return;
    store->hits_room = hits + hits / 2;
    store->hits = memory_resize(MEMORY_BUFFERS, store->hits, (size_t)store->hits_room, hit_size(store));
}

/** The sources that arrived at each group. @param values [sources] what arrived: zero for most */
static void find_hits(rls_store *store, const double *values) {
    const plastic_synapses *plastic = store->plastic;
    int64_t found = 0;
    for (int64_t j = 0; j < plastic->sources; j++)
        if (plastic->single) ((float *)store->arrived)[j] = (float)values[j];
        else ((double *)store->arrived)[j] = values[j];
    for (int g = 0; g < plastic->groups; g++) {
        int count;
        const int32_t *source = plastic_sources(plastic, g, &count);
        make_room(store, found + count);
        if (plastic->single) found += spike_driven_find_single(source, count, store->arrived, (hit_single *)store->hits + found);
        else found += spike_driven_find_double(source, count, store->arrived, (hit_double *)store->hits + found);
        store->hit_start[g + 1] = found;
    }
}

static void advance_sums(rls_store *store) {
    const plastic_synapses *plastic = store->plastic;
    for (int g = 0; g < plastic->groups; g++) {
        int64_t first = store->hit_start[g];
        int count = (int)(store->hit_start[g + 1] - first), members = plastic->group_row[g + 1] - plastic->group_row[g];
        for (int row = plastic->group_row[g]; row < plastic->group_row[g + 1]; row++) {
            int64_t slot = plastic_slot(plastic, g, row, 0);
            store->sum[row] = plastic->single ? spike_driven_sum_single(store->sum[row], store->decay, (float *)plastic->weight + slot, members, (hit_single *)store->hits + first, count)
                                              : spike_driven_sum_double(store->sum[row], store->decay, (double *)plastic->weight + slot, members, (hit_double *)store->hits + first, count);
        }
    }
}

static void predict(rls_store *store, const rls_activity *activity, double *sum) {
    bool uniform = !isnan(activity->decay);
    store->decay = uniform ? activity->decay : 0;
    find_hits(store, uniform ? activity->arrived : activity->r);
    advance_sums(store);
    memcpy(sum, store->sum, (size_t)store->plastic->rows * sizeof(double));
}

/* ---- the instant ---- */

/** Ask for the rows of P that the group will need; they come from memory while the groups before it are worked on. */
static void prefetch(const rls_store *store, int group) {
    if (group >= store->plastic->groups) return;
    size_t line = 64, row = (size_t)(store->row_base[group + 1] - store->row_base[group]) * real_size(store);
    const char *p = at(store, store->p, store->p_base[group]);
    for (int64_t h = store->hit_start[group]; h < store->hit_start[group + 1]; h++) {
        int64_t a = store->plastic->single ? ((hit_single *)store->hits)[h].at : ((hit_double *)store->hits)[h].at;
        for (size_t byte = 0; byte < row; byte += line) __builtin_prefetch(p + (size_t)a * row + byte, 0, 3);
    }
}

static void advance_group(rls_store *store, int g, const group_arrays *arrays) {
    int64_t first = store->hit_start[g];
    int count = (int)(store->hit_start[g + 1] - first);
    if (store->plastic->single)
        spike_driven_advance_single(arrays->ld, arrays->p, arrays->q, store->stride, store->pending, arrays->y, &store->products[g], store->decay, (hit_single *)store->hits + first, count);
    else
        spike_driven_advance_double(arrays->ld, arrays->p, arrays->q, store->stride, store->pending, arrays->y, &store->products[g], store->decay, (hit_double *)store->hits + first, count);
}

static double learn_group(rls_store *store, int g, const group_arrays *arrays, const double *error, double scale) {
    plastic_synapses *plastic = store->plastic;
    int row = plastic->group_row[g], rows = plastic->group_row[g + 1] - row, with_gain = store->settings.gain;
    int64_t slot = plastic->row_start[row];
    if (plastic->single)
        return spike_driven_learn_single(arrays->ld, arrays->sources, arrays->q, store->stride, store->pending, arrays->y, &store->products[g], scale, with_gain, rows, (float *)plastic->weight + slot,
                                         error + row, store->sum + row);
    return spike_driven_learn_double(arrays->ld, arrays->sources, arrays->q, store->stride, store->pending, arrays->y, &store->products[g], scale, with_gain, rows, (double *)plastic->weight + slot,
                                     error + row, store->sum + row);
}

static int update(rls_store *store, const rls_activity *activity, const double *error, const double *scale, double *gain, double *after) {
    enum { AHEAD = 4 };
    (void)activity; /* what predict() found */
    const plastic_synapses *plastic = store->plastic;
    int first_bad = -1;
    for (int g = 0; g < AHEAD; g++) prefetch(store, g);
    for (int g = 0; g < plastic->groups; g++) {
        int row = plastic->group_row[g];
        group_arrays arrays = arrays_of(store, g);
        prefetch(store, g + AHEAD);
        advance_group(store, g, &arrays);
        double value = learn_group(store, g, &arrays, error, scale ? scale[row] : 1.0);
        for (int member = row; member < plastic->group_row[g + 1]; member++) gain[member] = value;
        if (first_bad < 0 && !(value > 0 && value <= 1)) first_bad = row;
    }
    if (++store->pending == store->block) flush(store);
    if (after) memcpy(after, store->sum, (size_t)plastic->rows * sizeof(double));
    return first_bad;
}

/** Flush; and take y, rho and the sums from P, r and the weights, as a resumed run has to. */
static void settle(rls_store *store, const double *r) {
    flush(store);
    if (!r) return;
    store->decay = 0;
    find_hits(store, r);
    advance_sums(store);
    for (int g = 0; g < store->plastic->groups; g++) {
        group_arrays arrays = arrays_of(store, g);
        memset(arrays.y, 0, (size_t)arrays.ld * real_size(store));
        store->products[g].rho = 0;
        advance_group(store, g, &arrays);
    }
}

/* ---- P in and out ---- */

static void pack_p(const rls_store *store, int group, void *triangle) {
    group_arrays arrays = arrays_of(store, group);
    size_t size = real_size(store);
    char *to = triangle;
    for (size_t a = 0, count = (size_t)arrays.sources; a < count; to += (count - a) * size, a++)
        memcpy(to, (char *)arrays.p + (a * (size_t)arrays.ld + a) * size, (count - a) * size);
}

static void unpack_p(rls_store *store, int group, const void *triangle) {
    group_arrays arrays = arrays_of(store, group);
    size_t size = real_size(store), ld = (size_t)arrays.ld;
    const char *from = triangle;
    for (size_t a = 0; a < (size_t)arrays.sources; a++)
        for (size_t b = a; b < (size_t)arrays.sources; b++, from += size) {
            memcpy((char *)arrays.p + (a * ld + b) * size, from, size);
            memcpy((char *)arrays.p + (b * ld + a) * size, from, size);
        }
}

static void export_p(const rls_store *store, int group, double *p) {
    group_arrays arrays = arrays_of(store, group);
    for (int64_t a = 0; a < arrays.sources; a++)
        for (int64_t b = 0; b < arrays.sources; b++)
            p[a * arrays.sources + b] = store->plastic->single ? (double)((float *)arrays.p)[a * arrays.ld + b] : ((double *)arrays.p)[a * arrays.ld + b];
}

const rls_store_kind rls_spike_driven = {
    .name = "spike_driven", .scales = true, .help = "P r kept up to date by spikes, rank-1 updates done many at a time", .create = create, .destroy = destroy, .trial_begin = trial_begin,
    .predict = predict, .update = update, .settle = settle, .pack_p = pack_p, .unpack_p = unpack_p, .export_p = export_p,
};
