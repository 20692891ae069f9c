/* The recursion as it is written (patterns/README.md 3.2), one P per group. Correct, simple, bound by memory: the oracle of the other stores.
 * Two layouts: full (textbook), rows padded; and the upper triangle only (packed), half the memory. */
#include <math.h>
#include <string.h>

#include "engram/memory.h"
#include "engram/rls.h"
#include "layout.h"
#include "textbook_kernel.h"

struct rls_store {
    plastic_synapses *plastic;
    rls_settings settings;
    bool packed;
    int64_t *p_start; /* [groups+1] first entry of a group's P */
    void *p;          /* float or double */
    void *r, *q;      /* [largest ld] scratch */
};

static int64_t sources_of(const plastic_synapses *plastic, int group) {
    return plastic->group_start[group + 1] - plastic->group_start[group];
}

static size_t real_size(const plastic_synapses *plastic) {
    return plastic->single ? sizeof(float) : sizeof(double);
}

/** Entries of P that a group stores. */
static int64_t stored(const rls_store *store, int64_t count) {
    return store->packed ? count * (count + 1) / 2 : count * rls_row_length(count);
}

/** Place of P[a][b], a <= b, within a group. */
static int64_t place(const rls_store *store, int64_t count, int64_t a, int64_t b) {
    return store->packed ? a * count - a * (a - 1) / 2 + b - a : a * rls_row_length(count) + b;
}

static void set_initial_p(rls_store *store, int group, double *scratch) {
    const plastic_synapses *plastic = store->plastic;
    int64_t count = sources_of(plastic, group), ld = rls_row_length(count);
    rls_initial_p(plastic, group, &store->settings, ld, scratch);
    for (int64_t a = 0; a < count; a++)
        for (int64_t b = store->packed ? a : 0; b < count; b++) {
            int64_t at = store->p_start[group] + place(store, count, a, b);
            if (plastic->single)
                ((float *)store->p)[at] = (float)scratch[a * ld + b];
            else
                ((double *)store->p)[at] = scratch[a * ld + b];
        }
}

static rls_store *create(plastic_synapses *plastic, const rls_settings *settings, bool packed) {
    rls_store *store = memory_new(MEMORY_P, 1, sizeof *store);
    store->plastic = plastic;
    store->settings = *settings;
    store->packed = packed;
    store->p_start = memory_new(MEMORY_P, (size_t)plastic->groups + 1, sizeof(int64_t));
    int64_t largest = 0;
    for (int g = 0; g < plastic->groups; g++) {
        int64_t count = sources_of(plastic, g);
        store->p_start[g + 1] = store->p_start[g] + stored(store, count);
        if (count > largest) largest = count;
    }
    store->p = memory_new(MEMORY_P, (size_t)store->p_start[plastic->groups], real_size(plastic));
    store->r = memory_new(MEMORY_BUFFERS, (size_t)rls_row_length(largest), sizeof(double));
    store->q = memory_new(MEMORY_BUFFERS, (size_t)rls_row_length(largest), sizeof(double));
    double *scratch = memory_new(MEMORY_BUFFERS, (size_t)(largest * rls_row_length(largest)), sizeof(double));
    for (int g = 0; g < plastic->groups; g++) set_initial_p(store, g, scratch);
    memory_free(scratch);
    return store;
}

static rls_store *create_full(const context *context, plastic_synapses *plastic, const rls_settings *settings) {
    (void)context;
    return create(plastic, settings, false);
}

static rls_store *create_packed(const context *context, plastic_synapses *plastic, const rls_settings *settings) {
    (void)context;
    return create(plastic, settings, true);
}

static void destroy(rls_store *store) {
    if (!store) return;
    memory_free(store->p_start);
    memory_free(store->p);
    memory_free(store->r);
    memory_free(store->q);
    memory_free(store);
}

static void predict(rls_store *store, const rls_activity *activity, double *sum) {
    const plastic_synapses *plastic = store->plastic;
    for (int g = 0; g < plastic->groups; g++) {
        int count;
        const int32_t *source = plastic_sources(plastic, g, &count);
        int members = plastic->group_row[g + 1] - plastic->group_row[g];
        for (int row = plastic->group_row[g]; row < plastic->group_row[g + 1]; row++) {
            int64_t at = plastic_slot(plastic, g, row, 0);
            sum[row] = plastic->single ? textbook_sum_single((const float *)plastic->weight + at, members, count, source, activity->r)
                                       : textbook_sum_double((const double *)plastic->weight + at, members, count, source, activity->r);
        }
    }
}

/** r~. @param frozen [count] inputs whose elements are 0; NULL: none */
static void gather_r(rls_store *store, const int32_t *source, int64_t count, const double *r, double scale, const uint8_t *frozen) {
    for (int64_t a = 0; a < rls_row_length(count); a++) {
        double value = a < count && !(frozen && frozen[a]) ? scale * r[source[a]] : 0;
        if (store->plastic->single)
            ((float *)store->r)[a] = (float)value;
        else
            ((double *)store->r)[a] = value;
    }
}

/** What of synapses.frozen belongs to a group; NULL where signs may change. */
static uint8_t *frozen_of(const plastic_synapses *plastic, int group) {
    return plastic->frozen ? plastic->frozen + plastic->row_start[plastic->group_row[group]] : NULL;
}

/** The kernel for this layout and precision. @return g */
static double step_group(rls_store *store, int group, int count, const double *error) {
    plastic_synapses *plastic = store->plastic;
    const int row = plastic->group_row[group], rows = plastic->group_row[group + 1] - row;
    const int64_t at = plastic->row_start[row], p_start = store->p_start[group];
    if (plastic->single) {
        const textbook_group_single single = {.count = count, .rows = rows, .ld = rls_row_length(count),
                                              .p = (float *)store->p + p_start, .r = store->r, .q = store->q,
                                              .weight = (float *)plastic->weight + at, .error = error + row, .with_gain = store->settings.gain,
                                              .initial = (const float *)plastic->initial + at, .frozen = frozen_of(plastic, group)};
        return store->packed ? packed_step_single(&single) : textbook_step_single(&single);
    }
    const textbook_group_double wide = {.count = count, .rows = rows, .ld = rls_row_length(count),
                                        .p = (double *)store->p + p_start, .r = store->r, .q = store->q,
                                        .weight = (double *)plastic->weight + at, .error = error + row, .with_gain = store->settings.gain,
                                        .initial = (const double *)plastic->initial + at, .frozen = frozen_of(plastic, group)};
    return store->packed ? packed_step_double(&wide) : textbook_step_double(&wide);
}

static int update(rls_store *store, const rls_activity *activity, const double *error, const double *scale, double *gain, double *after) {
    const plastic_synapses *plastic = store->plastic;
    int first_bad = -1;
    for (int g = 0; g < plastic->groups; g++) {
        int count, row = plastic->group_row[g];
        const int32_t *source = plastic_sources(plastic, g, &count);
        gather_r(store, source, count, activity->r, scale ? scale[row] : 1.0, frozen_of(plastic, g));
        double value = step_group(store, g, count, error);
        for (int member = row; member < plastic->group_row[g + 1]; member++) gain[member] = value;
        if (first_bad < 0 && !(value > 0 && value <= 1)) first_bad = row;
    }
    if (after) predict(store, activity, after);
    return first_bad;
}

static void export_p(const rls_store *store, int group, double *p) {
    int64_t count = sources_of(store->plastic, group);
    for (int64_t a = 0; a < count; a++)
        for (int64_t b = 0; b < count; b++) {
            bool swap = store->packed && b < a;
            int64_t at = store->p_start[group] + place(store, count, swap ? b : a, swap ? a : b);
            p[a * count + b] = store->plastic->single ? (double)((const float *)store->p)[at] : ((const double *)store->p)[at];
        }
}

/** The triangle is stored as one stretch (packed) or as one stretch a row. */
static void take_p(const rls_store *store, int group, int64_t from, int64_t count, void *elements) {
    size_t size = real_size(store->plastic);
    int64_t sources = sources_of(store->plastic, group);
    const char *p = (const char *)store->p + (size_t)store->p_start[group] * size;
    for (int64_t a = rls_triangle_row(sources, from), b = a + from - rls_triangle_before(sources, a), here; count > 0; count -= here, b = ++a) {
        here = sources - b < count ? sources - b : count;
        memcpy(elements, p + (size_t)place(store, sources, a, b) * size, (size_t)here * size);
        elements = (char *)elements + (size_t)here * size;
    }
}

/** Elements (a, b), (a, b+1), ... as column a, from row b on. */
static void mirror(const rls_store *store, char *p, int64_t sources, int64_t a, int64_t b, int64_t count) {
    for (int64_t i = b; i < b + count; i++)
        if (store->plastic->single) ((float *)p)[place(store, sources, i, a)] = ((const float *)p)[place(store, sources, a, i)];
        else ((double *)p)[place(store, sources, i, a)] = ((const double *)p)[place(store, sources, a, i)];
}

static void put_p(rls_store *store, int group, int64_t from, int64_t count, const void *elements) {
    size_t size = real_size(store->plastic);
    int64_t sources = sources_of(store->plastic, group);
    char *p = (char *)store->p + (size_t)store->p_start[group] * size;
    for (int64_t a = rls_triangle_row(sources, from), b = a + from - rls_triangle_before(sources, a), here; count > 0; count -= here, b = ++a) {
        here = sources - b < count ? sources - b : count;
        memcpy(p + (size_t)place(store, sources, a, b) * size, elements, (size_t)here * size);
        if (!store->packed) mirror(store, p, sources, a, b, here);
        elements = (const char *)elements + (size_t)here * size;
    }
}

const rls_store_kind rls_textbook = {
    .name = "textbook", .scales = true, .help = "one full P per group, rank-1 update at every instant", .create = create_full, .destroy = destroy,
    .predict = predict, .update = update, .take_p = take_p, .put_p = put_p, .export_p = export_p,
};

const rls_store_kind rls_packed = {
    .name = "packed", .scales = true, .help = "as textbook, but only the upper triangle of P is stored", .create = create_packed, .destroy = destroy,
    .predict = predict, .update = update, .take_p = take_p, .put_p = put_p, .export_p = export_p,
};
