/* What a balanced network has to save, to show and to write: lists, and balanced.h5. */
#include <stdio.h>
#include <string.h>

#include "balanced.h"
#include "engram/memory.h"
#include "engram/sonata.h"

/* ---- state ---- */

static void take_fast(void *raw, int64_t from, int64_t count, void *elements) {
    const balanced *b = raw;
    for (int64_t e = 0; e < count; e++)
        ((double *)elements)[e] = b->fast[(size_t)((from + e) % b->part.total) * (size_t)b->padded + (size_t)((from + e) / b->part.total)];
}

static void put_fast(void *raw, int64_t from, int64_t count, const void *elements) {
    balanced *b = raw;
    for (int64_t e = 0; e < count; e++)
        b->fast[(size_t)((from + e) % b->part.total) * (size_t)b->padded + (size_t)((from + e) / b->part.total)] = ((const double *)elements)[e];
}

static double *feedforward_at(balanced *b, int64_t element) {
    int64_t i = element / b->dimensions, j = element % b->dimensions;
    return &b->feedforward[(i / TILE * b->dimensions + j) * TILE + i % TILE];
}

static void take_feedforward(void *raw, int64_t from, int64_t count, void *elements) {
    for (int64_t e = 0; e < count; e++) ((double *)elements)[e] = *feedforward_at(raw, from + e);
}

static void put_feedforward(void *raw, int64_t from, int64_t count, const void *elements) {
    for (int64_t e = 0; e < count; e++) *feedforward_at(raw, from + e) = ((const double *)elements)[e];
}

static bool feedforward_learns(const balanced *b) {
    for (int k = 0; k < b->learning->feedforward_rate.count; k++)
        if (b->learning->feedforward_rate.values[k] > 0) return true;
    return false;
}

static void list_weights(balanced *b, state_list *list) {
    const int J = b->dimensions;
    const state_pieces fast = {.self = b, .mine = (int64_t)b->part.mine * b->part.total, .take = take_fast, .put = put_fast};
    const state_pieces feedforward = {.self = b, .mine = (int64_t)b->part.mine * J, .take = take_feedforward, .put = put_feedforward};
    if (b->learned_fast) state_add_pieces(list, "balanced", "fast", H5_FLOAT64, fast);
    if (feedforward_learns(b)) state_add_pieces(list, "balanced", "feedforward", H5_FLOAT64, feedforward);
    if (b->literal) return;
    if (b->slow_rule == SLOW_FILTERED) state_add(list, "balanced", "slow", H5_FLOAT64, LAYOUT_ROWS, J, b->slow);
    if (b->slow_rule == SLOW_PROJECTED) state_add(list, "balanced", "matrix", H5_FLOAT64, LAYOUT_SHARED, (int64_t)J * J, b->matrix);
    const int64_t units = basis_row(&b->basis);
    if (b->slow_rule == SLOW_BASIS) state_add(list, "balanced", "basis", H5_FLOAT64, LAYOUT_SHARED, J * units, b->basis.weight);
}

static void list_loop(balanced *b, state_list *list) {
    const int J = b->dimensions;
    state_add(list, "balanced", "voltage", H5_FLOAT64, LAYOUT_NEURONS, 0, b->voltage);
    state_add(list, "balanced", "filtered", H5_FLOAT64, LAYOUT_NEURONS, 0, b->filtered);
    state_add(list, "balanced", "teacher", H5_FLOAT64, LAYOUT_SHARED, J, b->teacher_state);
    state_add(list, "balanced", "decoded", H5_FLOAT64, LAYOUT_SHARED, J, b->decoded);
    state_add(list, "balanced", "slow_current", H5_FLOAT64, LAYOUT_SHARED, J, b->slow_now);
    state_add(list, "balanced", "input", H5_FLOAT64, LAYOUT_SHARED, J, b->input);
    state_add(list, "balanced", "square", H5_FLOAT64, LAYOUT_SHARED, 1, &b->square_now);
    state_add(list, "balanced", "interval", H5_FLOAT64, LAYOUT_SHARED, 1, &b->interval);
    state_add(list, "balanced", "since", H5_INT64, LAYOUT_SHARED, 1, &b->since);
    if (!b->neuron->delay) return;
    state_add(list, "balanced", "underway", H5_INT64, LAYOUT_SHARED, 1, &b->underway);
    state_add(list, "balanced", "due", H5_INT64, LAYOUT_SHARED, b->neuron->delay + 1, b->due);
    state_add(list, "balanced", "waiting", H5_INT64, LAYOUT_SHARED, b->neuron->delay + 1, b->waiting);
}

void balanced_state(void *raw, state_part part, state_list *list) {
    balanced *b = raw;
    if (part == STATE_WEIGHTS) list_weights(b, list);
    if (part == STATE_LOOP && b->continues) list_loop(b, list);
    if (b->literal) literal_state(b, part, list);
}

void balanced_settle(void *raw) {
    balanced *b = raw;
    if (!feedforward_learns(b)) return;
    decoder_settle(b);
    if (b->literal) literal_settle(b);
}

/* ---- variables ---- */

void balanced_variables(void *raw, variable_list *list) {
    const balanced *b = raw;
    variable_add(list, (variable){"v", "1", "membrane voltage, before the jump of a spike of the same step", "the voltage", b ? b->reported : NULL, NULL,
                                   true, true});
}

void balanced_known_variables(config *config, variable_list *list) {
    (void)config;
    balanced_variables(NULL, list);
}

void balanced_refresh(void *raw) {
    balanced *b = raw;
    if (b->literal) memcpy(b->reported, b->voltage, (size_t)b->part.mine * sizeof(double));
    else search_voltage(b, b->row, b->reported);
}

/* ---- nodes and edges ---- */

enum { NODE_DIMENSIONS = 8 }; /* F is shown there up to so many of them; balanced.h5 has all */

static double threshold_of(const void *raw, int index, int64_t node) {
    (void)index;
    return ((const balanced *)raw)->threshold[node];
}

static double entry_of(const void *raw, int index, int64_t node) {
    return feedforward_of(raw, node, index);
}

void balanced_nodes(void *raw, node_list *list) {
    const balanced *b = raw;
    const node_population neurons = {.name = NEURON_POPULATION, .part = b->part, .self = b, .type_name = {"balanced"}, .types = 1};
    static const char *const names[NODE_DIMENSIONS] = {"dynamics_params/f0", "dynamics_params/f1", "dynamics_params/f2", "dynamics_params/f3",
                                                       "dynamics_params/f4", "dynamics_params/f5", "dynamics_params/f6", "dynamics_params/f7"};
    node_population *all = node_add(list, neurons);
    node_column_add(all, "dynamics_params/threshold", 0, threshold_of);
    for (int j = 0; j < b->dimensions && j < NODE_DIMENSIONS; j++) node_column_add(all, names[j], j, entry_of);
}

/** A matrix of synapses onto the rank's neurons, made while it is written. */
typedef struct {
    const balanced *b;
    bool fast;
    int64_t sources;
    double *rows;   /* [sources][J]: W = F rows'; NULL: W_f itself */
    int64_t *start; /* [mine+1] */
} matrix_edges;

static void make_sources(void *raw, int64_t from, int64_t count, uint64_t *ids) {
    const matrix_edges *edges = raw;
    for (int64_t e = 0; e < count; e++) ids[e] = (uint64_t)((from + e) % edges->sources);
}

static void make_weights(void *raw, int64_t from, int64_t count, double *values) {
    const matrix_edges *edges = raw;
    const balanced *b = edges->b;
    for (int64_t e = 0; e < count; e++) {
        int64_t i = (from + e) / edges->sources, k = (from + e) % edges->sources;
        double sum = 0;
        if (edges->fast && b->fast) sum = b->fast[(size_t)k * (size_t)b->padded + (size_t)i];
        else if (!edges->fast && b->literal) sum = literal_weight(b, i, k);
        else
            for (int j = 0; j < b->dimensions; j++) sum = fma(feedforward_of(b, i, j), edges->rows[k * b->dimensions + j], sum);
        if (edges->fast && !b->fast && b->part.first + i == k) sum += b->quadratic_cost;
        values[e] = edges->fast ? -sum : sum;
    }
}

static void release(void *raw) {
    matrix_edges *edges = raw;
    memory_free(edges->rows), memory_free(edges->start), memory_free(edges);
}

static void add_matrix(balanced *b, const char *name, bool fast, int64_t sources, double *rows, edge_list *list) {
    matrix_edges *edges = memory_new(MEMORY_OUTPUT, 1, sizeof *edges);
    *edges = (matrix_edges){.b = b, .fast = fast, .sources = sources, .rows = rows,
                             .start = memory_new(MEMORY_OUTPUT, (size_t)b->part.mine + 1, sizeof(int64_t))};
    for (int64_t i = 0; i <= b->part.mine; i++) edges->start[i] = i * sources;
    const sonata_edges population = {.population = name, .source_population = NEURON_POPULATION, .target_population = NEURON_POPULATION,
                                     .source_neurons = sources, .target_first = b->part.first, .target_mine = b->part.mine, .start = edges->start,
                                     .self = edges, .sources = make_sources, .weights = make_weights, .delay = b->dt_ms * (double)b->neuron->delay, .wide = 1};
    edge_add(list, population, release);
}

bool balanced_writes_edges(int64_t neurons, bool fast) {
    enum { EDGES_MOST = 40000000 };
    return fast || neurons <= EDGES_MOST / neurons;
}

void balanced_edges(void *raw, bool plastic_only, edge_list *list) {
    balanced *b = raw;
    if (!balanced_writes_edges(b->part.total, b->fast != NULL)) {
        log_line(&b->context, "edges.h5: without the %lld x %lld synapses, which are products of F and what balanced.h5 has", (long long)b->part.total,
                 (long long)b->part.total);
        return;
    }
    if (!plastic_only || b->learned_fast) /* which of the others learn when is a matter of stages */
        add_matrix(b, "fast", true, b->part.total, b->fast ? NULL : weights_gather_feedforward(b), list);
    if (b->slow_rule == SLOW_FILTERED || b->slow_rule == SLOW_PROJECTED)
        add_matrix(b, "slow", false, b->part.total, b->literal ? NULL : weights_gather_slow(b), list);
}

/* ---- balanced.h5, run.json ---- */

static void write_shared(h5_file *file, const char *name, int64_t rows, int64_t columns, const double *data) {
    const h5_dataset whole = {.type = H5_FLOAT64, .dimensions = 2, .shape = {rows, columns}, .axis = H5_UNDIVIDED};
    h5_write(file, name, whole, data);
}

/** Rows without what pads them to whole vectors. */
static void pack(const double *rows, int count, int padded, int columns, double *packed) {
    for (int j = 0; j < count; j++) memcpy(packed + (size_t)j * (size_t)columns, rows + (size_t)j * (size_t)padded, (size_t)columns * sizeof(double));
}

/** W_s of literal stepping over a basis: no G is there. */
static void write_synapses(h5_file *file, const balanced *b) {
    const int64_t inputs = literal_inputs(b);
    double *rows = memory_new(MEMORY_OUTPUT, (size_t)(b->part.mine * inputs), sizeof(double));
    for (int64_t e = 0; e < b->part.mine * inputs; e++) rows[e] = literal_weight(b, e / inputs, e % inputs);
    h5_write(file, "basis/synapses", h5_rows(H5_FLOAT64, &b->part, inputs), rows);
    h5_attribute_text(file, "basis/synapses", "help", "W_s [neuron][unit] of literal stepping, in place of F times weight");
    memory_free(rows);
}

void balanced_results(void *raw, h5_file *file) {
    balanced *b = raw;
    const int J = b->dimensions;
    double *rows = memory_new(MEMORY_OUTPUT, (size_t)b->part.mine * (size_t)J, sizeof(double));
    double *matrix = memory_new(MEMORY_OUTPUT, (size_t)(J * J), sizeof(double));
    for (int64_t e = 0; e < (int64_t)b->part.mine * J; e++) rows[e] = *feedforward_at(b, e);
    h5_write(file, "feedforward", h5_rows(H5_FLOAT64, &b->part, J), rows);
    h5_attribute_text(file, "feedforward", "help",
                      "F [neuron][dimension]: decoding, input and feedback weights; slow weights are F times slow or basis/weight");
    if (b->slow_rule == SLOW_FILTERED && !b->literal) h5_write(file, "slow", h5_rows(H5_FLOAT64, &b->part, J), b->slow);
    if ((b->slow_rule == SLOW_FILTERED || b->slow_rule == SLOW_PROJECTED) && !b->literal) {
        weights_matrix(b, matrix);
        write_shared(file, "matrix", J, J, matrix);
        h5_attribute_text(file, "matrix", "help", "M that the slow weights implement: A + lambda I if all is learned, 1/s");
    }
    if (teacher_matrix(b->teacher)) write_shared(file, "teacher", J, J, teacher_matrix(b->teacher));
    if (b->slow_rule == SLOW_BASIS) {
        const int units = basis_row(&b->basis);
        double *packed = memory_new(MEMORY_OUTPUT, (size_t)(J * b->basis.units), sizeof(double));
        h5_group(file, "basis");
        pack(b->basis.weight, J, units, b->basis.units, packed);
        if (b->literal) write_synapses(file, b);
        else write_shared(file, "basis/weight", J, b->basis.units, packed);
        pack(b->basis.direction, J, units, b->basis.units, packed);
        write_shared(file, "basis/direction", J, b->basis.units, packed);
        write_shared(file, "basis/offset", 1, b->basis.units, b->basis.offset);
        memory_free(packed);
    }
    write_shared(file, "decoded", 1, J, b->decoded);
    write_shared(file, "state", 1, J, b->teacher_state);
    memory_free(rows), memory_free(matrix);
}

void balanced_figures(const void *raw, figure_list *list) {
    const balanced *b = raw;
    figure_add(list, "weights", "fast_norm", weights_fast_norm(b));
    figure_add(list, "weights", "slow_norm", weights_slow_norm(b));
    figure_add(list, NULL, "command_scale", command_scale(b->command));
    figure_add(list, NULL, "reductions_per_spike", b->sums.spikes ? (double)b->sums.reductions / (double)b->sums.spikes : NAN);
    figure_add(list, NULL, "nerr_raw", b->sums.square > 0 ? b->sums.error / b->sums.square : NAN);
}
