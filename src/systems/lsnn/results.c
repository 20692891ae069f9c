/* What these networks have to save, to show and to write: lists, and lsnn.h5. Rank 0 writes what all have. */
#include <string.h>

#include "engram/memory.h"
#include "engram/sonata.h"
#include "passes.h"

#define READOUT_POPULATION "readouts"

/* ---- state ---- */

status lsnn_fits(const void *raw, const char *path) {
    const lsnn *net = raw;
    return net->channels ? task_fits(net->config, task_sizes(net->task), net->channels, path) : STATUS_OK;
}

void lsnn_state(void *raw, state_part part, state_list *list) {
    lsnn *net = raw;
    const int64_t units = net->shape.inputs + net->shape.neurons;
    if (part == STATE_WEIGHTS) {
        state_add_optional(list, "lsnn", "channels", H5_INT64, LAYOUT_SHARED, TASK_CHANNELS, &net->channels); /* first: others depend on it */
        state_add(list, "lsnn", "weight", H5_FLOAT32, LAYOUT_SHARED, net->parameters, net->weight);
        state_add(list, "lsnn", "delay", H5_UINT8, LAYOUT_SHARED, units * net->shape.neurons, net->delay);
    }
    if (part != STATE_LEARNING) return;
    task_state(net->task, list);
    if (net->adam.count) adam_state(&net->adam, "lsnn", list);
    if (net->feedback) state_add(list, "lsnn", "feedback", H5_FLOAT32, LAYOUT_SHARED, (int64_t)net->shape.neurons * net->shape.outputs, net->feedback);
    if (!net->rewiring.count) return;
    state_add(list, "lsnn", "sign", H5_INT8, LAYOUT_SHARED, net->rewiring.count, net->rewiring.sign);
    state_add_optional(list, "lsnn", "begun", H5_INT8, LAYOUT_SHARED, net->first[MATRICES], &net->begun);
}

/* ---- variables: of the first sample of a batch ---- */

void lsnn_variables(void *raw, variable_list *list) {
    const lsnn *net = raw;
    variable_add(list, (variable){"v", "1", "membrane potential of the first sample", "the potential", NULL, net ? net->reported : NULL, true, true});
    variable_add(list, (variable){"threshold", "1", "threshold of the first sample", NULL, NULL, net ? net->reported_threshold : NULL, true, true});
}

void lsnn_known_variables(config *config, variable_list *list) {
    (void)config;
    lsnn_variables(NULL, list);
}

void lsnn_refresh(void *raw) {
    lsnn *net = raw;
    const size_t N = (size_t)net->shape.neurons;
    if (net->told == 0 || net->used == 0 || !net->tile[0].traced) return;
    memcpy(net->reported, net->scratch->trace + (size_t)(net->told - 1) * N, N * sizeof(float));
    memcpy(net->reported_threshold, net->scratch->trace_threshold + (size_t)(net->told - 1) * N, N * sizeof(float));
}

/* ---- nodes and edges ---- */

static int type_of(const void *raw, int64_t node) {
    const lsnn *net = raw;
    return node >= net->shape.neurons - net->shape.adaptive;
}

static double bias_of(const void *raw, int index, int64_t node) {
    const lsnn *net = raw;
    (void)index;
    return net->weight[net->first[MATRICES] + node];
}

/** All of them on rank 0. */
static partition of_first(const lsnn *net, int64_t total) {
    const int rank = net->context.rank;
    return (partition){.total = total, .first = rank ? total : 0, .mine = rank ? 0 : (int)total, .ranks = net->context.ranks};
}

void lsnn_nodes(void *raw, node_list *list) {
    const lsnn *net = raw;
    const node_population neurons = {.name = NEURON_POPULATION, .part = net->owned, .self = net, .type = type_of, .type_name = {"lif", "adaptive_lif"},
                                     .types = 2};
    const node_population inputs = {.name = UNIT_POPULATION, .part = of_first(net, net->shape.inputs), .self = net, .type_name = {"virtual"}, .types = 1};
    const node_population readouts = {.name = READOUT_POPULATION, .part = of_first(net, net->shape.outputs), .self = net, .type_name = {"leaky_readout"},
                                      .types = 1};
    node_add(list, neurons);
    node_add(list, inputs);
    node_column_add(node_add(list, readouts), "dynamics_params/bias", 0, bias_of);
}

/** Connections of a matrix, ordered by target, then source. */
typedef struct {
    const lsnn *net;
    int matrix;
    int64_t *start;  /* [targets+1] */
    int32_t *source; /* [edges] */
    int32_t *target;
} matrix_edges;

static size_t dense(const matrix_edges *edges, int64_t e) {
    const shape *shape = &edges->net->shape;
    const int pre = edges->source[e] + (edges->matrix == MATRIX_INPUT ? 0 : shape->inputs);
    const int post = edges->target[e] + (edges->matrix == MATRIX_READOUT ? shape->neurons : 0);
    return (size_t)pre * (size_t)shape->posts + (size_t)post;
}

static void make_sources(void *raw, int64_t from, int64_t count, uint64_t *ids) {
    const matrix_edges *edges = raw;
    for (int64_t e = 0; e < count; e++) ids[e] = (uint64_t)edges->source[from + e];
}

static void make_weights(void *raw, int64_t from, int64_t count, double *values) {
    const matrix_edges *edges = raw;
    for (int64_t e = 0; e < count; e++) values[e] = edges->net->synapses.weight[dense(edges, from + e)];
}

static void make_delays(void *raw, int64_t from, int64_t count, double *values) {
    const matrix_edges *edges = raw;
    for (int64_t e = 0; e < count; e++) values[e] = (1 + edges->net->synapses.delay[dense(edges, from + e)]) * edges->net->dt;
}

static void release(void *raw) {
    matrix_edges *edges = raw;
    memory_free(edges->start), memory_free(edges->source), memory_free(edges->target), memory_free(edges);
}

static matrix_edges *list_edges(const lsnn *net, int matrix, int sources, int targets) {
    const bool mine = net->context.rank == 0;
    const float *weight = net->weight + net->first[matrix];
    int64_t count = 0, most = 0;
    for (int64_t k = 0; k < net->first[matrix + 1] - net->first[matrix] && mine; k++) most += weight[k] != 0;
    matrix_edges *edges = memory_new(MEMORY_OUTPUT, 1, sizeof *edges);
    *edges = (matrix_edges){.net = net, .matrix = matrix, .start = memory_new(MEMORY_OUTPUT, (size_t)targets + 1, sizeof(int64_t)),
                            .source = memory_new(MEMORY_OUTPUT, (size_t)most + 1, sizeof(int32_t)),
                            .target = memory_new(MEMORY_OUTPUT, (size_t)most + 1, sizeof(int32_t))};
    for (int target = 0; target < targets && mine; target++) {
        edges->start[target] = count;
        for (int source = 0; source < sources; source++)
            if (weight[(int64_t)source * targets + target] != 0) edges->source[count] = source, edges->target[count++] = target;
    }
    edges->start[targets] = count;
    return edges;
}

void lsnn_edges(void *raw, bool plastic_only, edge_list *list) {
    static const char *const names[] = {"input", "recurrent", "readout"};
    lsnn *net = raw;
    (void)plastic_only; /* all of them learn */
    for (int m = 0; m < MATRICES; m++) {
        const int sources = m == MATRIX_INPUT ? net->shape.inputs : net->shape.neurons, targets = m == MATRIX_READOUT ? net->shape.outputs : net->shape.neurons;
        const partition part = of_first(net, targets);
        matrix_edges *edges = list_edges(net, m, sources, targets);
        const sonata_edges population = {.population = names[m], .source_population = m == MATRIX_INPUT ? UNIT_POPULATION : NEURON_POPULATION,
                                         .target_population = m == MATRIX_READOUT ? READOUT_POPULATION : NEURON_POPULATION, .source_neurons = sources,
                                         .target_first = part.first, .target_mine = part.mine, .start = edges->start, .self = edges, .sources = make_sources,
                                         .weights = make_weights, .delays = make_delays, .wide = 0};
        edge_add(list, population, release);
    }
}

/* ---- lsnn.h5, run.json ---- */

static void write_matrix(h5_file *file, const char *name, const char *help, h5_type type, int rows, int columns, const void *values) {
    const h5_dataset shape = {.type = type, .dimensions = 2, .shape = {rows, columns}, .axis = H5_UNDIVIDED};
    h5_write(file, name, shape, values);
    h5_attribute_text(file, name, "help", help);
}

void lsnn_results(void *raw, h5_file *file) {
    static const struct { const char *name, *help, *begun; } of[MATRICES] = {
        [MATRIX_INPUT] = {"input", "weights [input][neuron]; 0: no connection", "input_begun"},
        [MATRIX_RECURRENT] = {"recurrent", "weights [presynaptic neuron][neuron]", "recurrent_begun"},
        [MATRIX_READOUT] = {"readout", "weights [neuron][class]", "readout_begun"},
    };
    const lsnn *net = raw;
    const shape *shape = &net->shape;
    for (int m = 0; m < MATRICES; m++) {
        const int rows = m == MATRIX_INPUT ? shape->inputs : shape->neurons, columns = m == MATRIX_READOUT ? shape->outputs : shape->neurons;
        write_matrix(file, of[m].name, of[m].help, H5_FLOAT32, rows, columns, net->weight + net->first[m]);
        if (!net->begun) continue; /* not rewired */
        write_matrix(file, of[m].begun, "signs of the connections before the first loop; 0: none", H5_INT8, rows, columns, net->begun + net->first[m]);
    }
    h5_write(file, "bias", h5_whole(H5_FLOAT32, shape->outputs), net->weight + net->first[MATRICES]);
    h5_attribute_text(file, "bias", "help", "of readouts [class]");
}

void lsnn_figures(const void *raw, figure_list *list) {
    const lsnn *net = raw;
    figure_add_count(list, NULL, "inputs", net->shape.inputs);
    if (net->classes) figure_add_count(list, NULL, "classes", net->classes);
    if (net->shape.targets) figure_add_count(list, NULL, "readouts", net->shape.outputs);
    figure_add_count(list, NULL, "steps", net->shape.steps);
    figure_add_count(list, NULL, "connections", lsnn_connections(net));
}
