/* The recursion without its memory traffic: nothing is approximated, sums are only taken in another order.
 *
 * P r is never computed: r <- decay r + s between two instants, so k = P r is kept up to date by the rows of P that belong to sources that spiked.
 * P is not written at every instant: with c = scale^2 g, the updates P <- P - c k k' wait as columns k, and are done for all of them at once.
 * With P as of the last flush, k_m and c_m of the updates since, k_0, g_0 and rho_0 = r'k_0 of the last instant (after its update P r was g_0 k_0):
 *     instant     k <- decay g_0 k_0 + P s - sum over m of c_m (k_m's) k_m
 *                 rho <- decay^2 g_0 rho_0 + decay g_0 s'k_0 + s'k          (r'k)
 *                 g <- 1/(1 + scale^2 rho) ,  w_i <- w_i - g e_i scale k ,  k and c = scale^2 g wait
 *     flush       P <- P - sum over m of c_m k_m k_m'
 * When sources have time constants of their own, r is not one decay away from what it was: then all sources count as having arrived anew.
 * Weights are written at every instant, so that one that would change its sign, where signs are kept, is found at once.
 * From then on its input no longer arrives; and at the next instant all others of its group count as having arrived anew, so that nothing is left of it in k
 * and rho. (To subtract it leaves rounding errors, by which rho can be negative.)
 *
 * Stored in half precision are P and the columns that wait, each of these in a unit of its own; k of the last instant, from which the next one is made, and
 * weights are in single, as the arithmetic is. P that is made of rounded columns is that of slightly other k, no worse than P that is rounded itself.
 *
 * An instant costs what it moves through memory. Each column of all groups lies one group behind the other, so that a pass over the groups reads
 * and writes a few long streams; only the rows of P are picked from here and there, and asked for ahead of time. */
#include <math.h>
#include <string.h>

#include "engram/memory.h"
#include "layout.h"
#include "spike_driven.h"

static int sources_of(const plastic_synapses *plastic, int group) {
    return (int)(plastic->group_start[group + 1] - plastic->group_start[group]);
}

static int most_members(const plastic_synapses *plastic) {
    int most = 1;
    for (int g = 0; g < plastic->groups; g++)
        if (plastic->group_row[g + 1] - plastic->group_row[g] > most) most = plastic->group_row[g + 1] - plastic->group_row[g];
    return most;
}

/** No element of P, nor of what it departs from I/lambda, is larger than the largest element of I/lambda: half precision goes to 65504 (and down to 2^-24,
 *  2^-39 of that element). */
static double unit_of(const rls_settings *settings) {
    int exponent;
    (void)frexp(fmax(1 / settings->lambda, 1 / settings->lambda_feedforward), &exponent); /* below 2^exponent */
    return ldexp(1, exponent - 15);
}

static void set_initial_p(rls_store *store, int group, double *scratch) {
    int64_t count = sources_of(store->plastic, group);
    rls_initial_p(store->plastic, group, &store->settings, count, scratch);
    for (int64_t a = 0; a < count; a++) {
        double ridge = store->kernel->diagonal_of(store, group, a); /* nothing is stored yet */
        if (scratch[a * count + a] >= ridge / 2) scratch[a * count + a] -= ridge;
        store->kernel->set_row(store, group, a, scratch + a * count);
    }
}

static rls_store *create(const context *context, plastic_synapses *plastic, const rls_settings *settings) {
    rls_store *store = memory_new(MEMORY_P, 1, sizeof *store);
    size_t groups = (size_t)plastic->groups;
    int64_t largest = plastic_largest(plastic), anywhere;
    const spike_driven_kernel *kernel = store->kernel = settings->half ? &spike_driven_half : plastic->single ? &spike_driven_single : &spike_driven_double;
    store->plastic = plastic;
    store->settings = *settings;
    store->unit = settings->half ? unit_of(settings) : 1;
    store->departing = settings->half;
    CHECK_MPI(MPI_Allreduce(&largest, &anywhere, 1, MPI_INT64_T, MPI_MAX, context->comm)); /* the same block on any number of ranks */
    store->block = settings->block > 0 ? settings->block : rls_default_block(anywhere);
    store->factors = (int)rls_row_length(store->block);
    store->ld = memory_new(MEMORY_P, groups, sizeof(int));
    store->waiting_base = memory_new(MEMORY_P, groups + 1, sizeof(int64_t));
    store->p_base = memory_new(MEMORY_P, groups + 1, sizeof(int64_t));
    for (int g = 0; g < plastic->groups; g++) {
        int64_t sources = sources_of(plastic, g), ld = store->ld[g] = (int)rls_row_length(sources);
        store->waiting_base[g + 1] = store->waiting_base[g] + ld;
        store->p_base[g + 1] = store->p_base[g] + sources * ld;
    }
    store->waiting = memory_new(MEMORY_P, (size_t)store->block * (size_t)store->waiting_base[groups], kernel->stored_size);
    if (settings->half) store->latest = memory_new(MEMORY_P, (size_t)store->waiting_base[groups], kernel->real_size);
    store->factor = memory_new(MEMORY_P, (size_t)store->factors * groups, kernel->real_size);
    store->p = memory_new(MEMORY_P, (size_t)store->p_base[groups], kernel->stored_size);
    store->products = memory_new(MEMORY_P, groups, sizeof *store->products);
    store->sum = memory_new(MEMORY_BUFFERS, (size_t)plastic->rows, sizeof(double));
    store->scratch = memory_new(MEMORY_BUFFERS, (size_t)store->block * (size_t)rls_row_length(largest), kernel->real_size);
    store->step = memory_new(MEMORY_BUFFERS, (size_t)most_members(plastic), kernel->real_size);
    store->touched = memory_new(MEMORY_BUFFERS, (size_t)plastic->sources, 1);
    store->arrived = memory_new(MEMORY_BUFFERS, (size_t)plastic->sources, kernel->real_size);
    store->hit_start = memory_new(MEMORY_BUFFERS, groups + 1, sizeof(int64_t));
    if (plastic->alone && plastic->rows > 0) {
        store->row_of = memory_new(MEMORY_BUFFERS, (size_t)plastic->row_neuron[plastic->rows - 1] + 1, sizeof(int32_t));
        for (int row = 0; row < plastic->rows; row++) store->row_of[plastic->row_neuron[row]] = row;
    }
    double *scratch = memory_new(MEMORY_BUFFERS, (size_t)(largest * largest), sizeof(double));
    for (int g = 0; g < plastic->groups; g++) set_initial_p(store, g, scratch);
    memory_free(scratch);
    return store;
}

static void destroy(rls_store *store) {
    if (!store) return;
    memory_free(store->ld), memory_free(store->waiting_base), memory_free(store->p_base);
    memory_free(store->waiting), memory_free(store->factor), memory_free(store->latest), memory_free(store->p), memory_free(store->products);
    memory_free(store->sum), memory_free(store->scratch), memory_free(store->step);
    memory_free(store->touched), memory_free(store->arrived), memory_free(store->hit_start), memory_free(store->hits), memory_free(store->row_of);
    memory_free(store);
}

/** Inputs that were frozen at the last instant: there will be nothing left of them, as k begins anew. */
static void forget_last_instant(rls_store *store) {
    const plastic_synapses *plastic = store->plastic;
    for (int64_t slot = 0; plastic->frozen && slot < plastic->row_start[plastic->rows]; slot++)
        if (plastic->frozen[slot] == PLASTIC_FROZEN_NOW) plastic->frozen[slot] = PLASTIC_FROZEN;
}

/** r = 0. */
static void trial_begin(rls_store *store) {
    store->kernel->flush(store);
    forget_last_instant(store);
    memset(store->products, 0, (size_t)store->plastic->groups * sizeof *store->products);
    memset(store->sum, 0, (size_t)store->plastic->rows * sizeof(double));
}

static void predict(rls_store *store, const rls_activity *activity, double *sum) {
    bool uniform = !isnan(activity->decay);
    store->decay = uniform ? activity->decay : 0;
    if (uniform) store->kernel->predict(store, activity->touched, activity->touched_count, activity->arrived, activity->r);
    else store->kernel->predict(store, NULL, store->plastic->sources, activity->r, activity->r);
    memcpy(sum, store->sum, (size_t)store->plastic->rows * sizeof(double));
}

static int update(rls_store *store, const rls_activity *activity, const double *error, const double *scale, double *gain, double *after) {
    int first_bad = store->kernel->update(store, activity->r, error, scale, gain); /* with what predict() found */
    if (first_bad < 0) first_bad = store->lost - 1;
    if (after) memcpy(after, store->sum, (size_t)store->plastic->rows * sizeof(double));
    return first_bad;
}

/** Flush; and take P r, its product with r and the sums from P, r and the weights, as a resumed run has to. */
static void settle(rls_store *store, const double *r) {
    store->kernel->flush(store);
    forget_last_instant(store);
    if (!r) return;
    store->decay = 0;
    store->kernel->predict(store, NULL, store->plastic->sources, r, r);
    store->kernel->refresh(store);
}

/* ---- P in and out ---- */

static void take_p(const rls_store *store, int group, int64_t from, int64_t count, void *elements) {
    int64_t sources = sources_of(store->plastic, group);
    for (int64_t a = rls_triangle_row(sources, from), b = a + from - rls_triangle_before(sources, a), here; count > 0; count -= here, b = ++a) {
        here = sources - b < count ? sources - b : count;
        store->kernel->take_stretch(store, group, a, b, here, elements);
        elements = (char *)elements + (size_t)here * store->kernel->real_size;
    }
}

static void put_p(rls_store *store, int group, int64_t from, int64_t count, const void *elements) {
    int64_t sources = sources_of(store->plastic, group);
    for (int64_t a = rls_triangle_row(sources, from), b = a + from - rls_triangle_before(sources, a), here; count > 0; count -= here, b = ++a) {
        here = sources - b < count ? sources - b : count;
        store->kernel->put_stretch(store, group, a, b, here, elements);
        elements = (const char *)elements + (size_t)here * store->kernel->real_size;
    }
}

static void export_p(const rls_store *store, int group, double *p) {
    int64_t count = sources_of(store->plastic, group);
    for (int64_t a = 0; a < count; a++) {
        store->kernel->get_row(store, group, a, p + a * count);
        p[a * count + a] += store->kernel->diagonal_of(store, group, a);
    }
}

const rls_store_kind rls_spike_driven = {
    .name = "spike_driven",
    .scales = true,
    .halves = true,
    .help = "P r kept up to date by spikes, rank-1 updates done many at a time",
    .create = create,
    .destroy = destroy,
    .trial_begin = trial_begin,
    .predict = predict,
    .update = update,
    .settle = settle,
    .take_p = take_p,
    .put_p = put_p,
    .export_p = export_p,
};
