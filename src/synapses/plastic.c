#include <string.h>

#include "engram/context.h"
#include "engram/memory.h"
#include "engram/synapses.h"

/** @param initial row by row */
static void store_weights(plastic_synapses *plastic, const double *initial, int64_t count) {
    size_t size = plastic->single ? sizeof(float) : sizeof(double);
    plastic->weight = memory_new(MEMORY_WEIGHTS, (size_t)count, size);
    plastic->initial = memory_new(MEMORY_WEIGHTS, (size_t)count, size);
    for (int g = 0; g < plastic->groups; g++)
        for (int row = plastic->group_row[g]; row < plastic->group_row[g + 1]; row++)
            for (int64_t at = plastic->row_start[row]; at < plastic->row_start[row + 1]; at++)
                plastic_set_weight(plastic, plastic_slot(plastic, g, row, at - plastic->row_start[row]), initial[at]);
    memcpy(plastic->initial, plastic->weight, (size_t)count * size);
}

/** Lists of stretches by source: groups, and so neurons, ascend within a source. */
static void build_out_lists(plastic_synapses *plastic) {
    int64_t count = plastic->group_start[plastic->groups];
    plastic->out_start = memory_new(MEMORY_WEIGHTS, (size_t)plastic->sources + 1, sizeof(int64_t));
    plastic->out_target = memory_new(MEMORY_WEIGHTS, (size_t)count, sizeof(uint32_t));
    plastic->out_slot = memory_new(MEMORY_WEIGHTS, (size_t)count, sizeof(uint32_t));
    plastic->alone = true;
    for (int g = 0; g < plastic->groups; g++) plastic->alone = plastic->alone && plastic->group_row[g + 1] - plastic->group_row[g] == 1;
    for (int64_t k = 0; k < count; k++) plastic->out_start[plastic->source[k] + 1]++;
    for (int64_t j = 0; j < plastic->sources; j++) plastic->out_start[j + 1] += plastic->out_start[j];
    int64_t *next = memory_new(MEMORY_BUFFERS, (size_t)plastic->sources + 1, sizeof(int64_t));
    memcpy(next, plastic->out_start, ((size_t)plastic->sources + 1) * sizeof(int64_t));
    for (int g = 0; g < plastic->groups; g++)
        for (int64_t k = plastic->group_start[g]; k < plastic->group_start[g + 1]; k++) {
            int first = plastic->group_row[g];
            int64_t at = next[plastic->source[k]]++;
            plastic->out_target[at] = (uint32_t)(plastic->alone ? plastic->row_neuron[first] : g);
            plastic->out_slot[at] = (uint32_t)plastic_slot(plastic, g, first, k - plastic->group_start[g]);
        }
    memory_free(next);
}

plastic_synapses *plastic_new(const plastic_parts *parts) {
    plastic_synapses *plastic = memory_new(MEMORY_WEIGHTS, 1, sizeof *plastic);
    *plastic = (plastic_synapses){.sources = parts->sources, .neurons = parts->neurons, .rows = parts->rows, .row_neuron = parts->row_neuron,
                                  .groups = parts->groups, .group_row = parts->group_row, .group_start = parts->group_start,
                                  .source = parts->source, .single = parts->single, .longest = 1};
    plastic->row_start = memory_new(MEMORY_WEIGHTS, (size_t)parts->rows + 1, sizeof(int64_t));
    for (int g = 0; g < parts->groups; g++)
        for (int row = parts->group_row[g]; row < parts->group_row[g + 1]; row++)
            plastic->row_start[row + 1] = plastic->row_start[row] + parts->group_start[g + 1] - parts->group_start[g];
    int64_t count = plastic->row_start[parts->rows];
    if (count > UINT32_MAX) context_abort("%lld plastic synapses on one rank; at most %u: use more ranks", (long long)count, UINT32_MAX);
    store_weights(plastic, parts->initial, count);
    memory_free(parts->initial);
    build_out_lists(plastic);
    return plastic;
}

void plastic_free(plastic_synapses *plastic) {
    if (!plastic) return;
    memory_free(plastic->row_neuron);
    memory_free(plastic->row_start);
    memory_free(plastic->group_row);
    memory_free(plastic->group_start);
    memory_free(plastic->source);
    memory_free(plastic->group_id);
    memory_free(plastic->weight);
    memory_free(plastic->initial);
    memory_free(plastic->frozen);
    memory_free(plastic->out_start);
    memory_free(plastic->out_target);
    memory_free(plastic->out_slot);
    memory_free(plastic->delay);
    memory_free(plastic);
}

int64_t plastic_largest(const plastic_synapses *plastic) {
    int64_t largest = 0;
    for (int g = 0; g < plastic->groups; g++)
        if (plastic->group_start[g + 1] - plastic->group_start[g] > largest) largest = plastic->group_start[g + 1] - plastic->group_start[g];
    return largest;
}

int64_t plastic_count_frozen(const plastic_synapses *plastic) {
    int64_t count = 0;
    for (int64_t slot = 0; plastic->frozen && slot < plastic->row_start[plastic->rows]; slot++) count += plastic->frozen[slot] != PLASTIC_FREE;
    return count;
}

void plastic_change(const plastic_synapses *plastic, double *squares) {
    for (int g = 0; g < plastic->groups; g++) {
        int64_t sources = plastic->group_start[g + 1] - plastic->group_start[g];
        int first = plastic->group_row[g], end = plastic->group_row[g + 1];
        for (int row = first; row < end; row++) squares[row] = 0;
        for (int64_t a = 0; a < sources; a++)
            for (int row = first; row < end; row++) {
                int64_t slot = plastic_slot(plastic, g, row, a);
                double moved = plastic_weight(plastic, slot) - plastic_initial(plastic, slot);
                squares[row] += moved * moved;
            }
    }
}

/* ---- weights in the order of a checkpoint: row by row ---- */

enum { AT_ONCE = 16 }; /* members that lie in one cache line */

/** Rows of a group that follow each other, each from source begin to end-1: all sources, or one row. */
typedef struct { int group, row, rows; int64_t begin, end; } rectangle;

/** The last of @p count ascending starts that is not above @p at. */
static int last_start(const int64_t *start, int count, int64_t at) {
    int low = 0, high = count;
    while (high - low > 1) {
        int middle = low + (high - low) / 2;
        if (start[middle] <= at) low = middle;
        else high = middle;
    }
    return low;
}

static int group_of_row(const plastic_synapses *plastic, int row) {
    int low = 0, high = plastic->groups;
    while (high - low > 1) {
        int middle = low + (high - low) / 2;
        if (plastic->group_row[middle] <= row) low = middle;
        else high = middle;
    }
    return low;
}

/** What begins with element @p from and is no more than @p count elements. */
static rectangle rectangle_at(const plastic_synapses *plastic, int64_t from, int64_t count) {
    rectangle r = {.row = last_start(plastic->row_start, plastic->rows, from), .rows = 1};
    r.group = group_of_row(plastic, r.row);
    int64_t sources = plastic->group_start[r.group + 1] - plastic->group_start[r.group];
    r.begin = from - plastic->row_start[r.row];
    r.end = sources - r.begin < count ? sources : r.begin + count;
    while (r.begin == 0 && r.rows < AT_ONCE && r.row + r.rows < plastic->group_row[r.group + 1] && (r.rows + 1) * sources <= count) r.rows++;
    return r;
}

#define COPY(real, suffix)                                                                                                                                 \
    static void take_##suffix(const plastic_synapses *plastic, const rectangle *r, real *to) {                                                             \
        const real *weight = plastic->weight;                                                                                                              \
        int64_t length = r->end - r->begin, slot = plastic_slot(plastic, r->group, r->row, r->begin);                                                      \
        int members = plastic->group_row[r->group + 1] - plastic->group_row[r->group];                                                                     \
        for (int64_t a = 0; a < length; a++, slot += members)                                                                                              \
            for (int i = 0; i < r->rows; i++) to[i * length + a] = weight[slot + i];                                                                       \
    }                                                                                                                                                      \
    static void put_##suffix(const plastic_synapses *plastic, const rectangle *r, const real *from) {                                                      \
        real *weight = plastic->weight;                                                                                                                    \
        int64_t length = r->end - r->begin, slot = plastic_slot(plastic, r->group, r->row, r->begin);                                                      \
        int members = plastic->group_row[r->group + 1] - plastic->group_row[r->group];                                                                     \
        for (int64_t a = 0; a < length; a++, slot += members)                                                                                              \
            for (int i = 0; i < r->rows; i++) weight[slot + i] = from[i * length + a];                                                                     \
    }
COPY(float, single)
COPY(double, double)

static void take_weights(void *self, int64_t from, int64_t count, void *elements) {
    const plastic_synapses *plastic = self;
    for (int64_t done = 0, here; done < count; done += here) {
        rectangle r = rectangle_at(plastic, from + done, count - done);
        here = r.rows * (r.end - r.begin);
        if (plastic->single) take_single(plastic, &r, (float *)elements + done);
        else take_double(plastic, &r, (double *)elements + done);
    }
}

static void put_weights(void *self, int64_t from, int64_t count, const void *elements) {
    const plastic_synapses *plastic = self;
    for (int64_t done = 0, here; done < count; done += here) {
        rectangle r = rectangle_at(plastic, from + done, count - done);
        here = r.rows * (r.end - r.begin);
        if (plastic->single) put_single(plastic, &r, (const float *)elements + done);
        else put_double(plastic, &r, (const double *)elements + done);
    }
}

void plastic_state(plastic_synapses *plastic, state_list *list) {
    state_pieces weights = {.self = plastic, .mine = plastic->row_start[plastic->rows], .take = take_weights, .put = put_weights};
    if (plastic->alone) weights = (state_pieces){.self = plastic->weight, .mine = weights.mine}; /* they lie row by row */
    state_add_pieces(list, "plastic", "weight", plastic->single ? H5_FLOAT32 : H5_FLOAT64, weights);
}

#define DELIVER(real, suffix)                                                                                                                              \
    static void deliver_alone_##suffix(const plastic_synapses *plastic, int32_t source, double *restrict input) {                                          \
        const uint32_t *restrict neuron = plastic->out_target, *restrict slot = plastic->out_slot;                                                         \
        const real *restrict weight = plastic->weight;                                                                                                     \
        for (int64_t s = plastic->out_start[source], end = plastic->out_start[source + 1]; s < end; s++) input[neuron[s]] += (double)weight[slot[s]];      \
    }                                                                                                                                                      \
    static void deliver_groups_##suffix(const plastic_synapses *plastic, int32_t source, double *restrict input) {                                         \
        for (int64_t s = plastic->out_start[source], end = plastic->out_start[source + 1]; s < end; s++) {                                                 \
            int first = plastic->group_row[plastic->out_target[s]], members = plastic->group_row[plastic->out_target[s] + 1] - first;                      \
            const int32_t *restrict neuron = plastic->row_neuron + first;                                                                                  \
            const real *restrict weight = (const real *)plastic->weight + plastic->out_slot[s];                                                            \
            if (members > 0 && neuron[members - 1] - neuron[0] == members - 1)                                                                             \
                for (int i = 0; i < members; i++) input[neuron[0] + i] += (double)weight[i];                                                               \
            else                                                                                                                                           \
                for (int i = 0; i < members; i++) input[neuron[i]] += (double)weight[i];                                                                   \
        }                                                                                                                                                  \
    }
DELIVER(float, single)
DELIVER(double, double)

void plastic_deliver(const plastic_synapses *plastic, const int32_t *spike, int count, double *input) {
    for (int k = 0; k < count; k++)
        if (plastic->alone)
            (plastic->single ? deliver_alone_single : deliver_alone_double)(plastic, spike[k], input);
        else
            (plastic->single ? deliver_groups_single : deliver_groups_double)(plastic, spike[k], input);
    if (plastic->pending.deliver) plastic->pending.deliver(plastic->pending.self, spike, count, input);
}
