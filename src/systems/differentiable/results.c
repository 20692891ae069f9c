/* What these networks have to save, to show and to write: lists, and differentiable.h5. Rank 0 writes what all have. */
#include <string.h>

#include "engram/memory.h"
#include "engram/sonata.h"
#include "differentiable.h"

#define READOUT_POPULATION "readouts"

/* ---- state ---- */

status differentiable_fits(const void *raw, const char *path) {
    const differentiable *net = raw;
    return net->channels ? task_fits(net->config, task_sizes(net->task), net->channels, path) : STATUS_OK;
}

void differentiable_state(void *raw, state_part part, state_list *list) {
    differentiable *net = raw;
    if (part == STATE_WEIGHTS) {
        state_add_optional(list, "differentiable", "channels", H5_INT64, LAYOUT_SHARED, TASK_CHANNELS, &net->channels); /* first: others depend on it */
        state_add(list, "differentiable", "weight", H5_FLOAT32, LAYOUT_SHARED, net->parameters, net->weight);
        state_add(list, "differentiable", "start", H5_FLOAT32, LAYOUT_SHARED, net->shape.neurons, net->start);
    }
    if (part != STATE_LEARNING) return;
    if (net->adam.count) adam_state(&net->adam, "differentiable", list);
    task_state(net->task, list);
}

/* ---- variables: of the first sample of a batch ---- */

void differentiable_variables(void *raw, variable_list *list) {
    const differentiable *net = raw;
    variable_add(list, (variable){"v", "1", "voltage of the first sample", "the voltage", NULL, net ? net->reported : NULL, true, true});
}

void differentiable_known_variables(config *config, variable_list *list) {
    (void)config;
    differentiable_variables(NULL, list);
}

void differentiable_refresh(void *raw) {
    differentiable *net = raw;
    const size_t N = (size_t)net->shape.neurons;
    if (net->told == 0 || net->used == 0 || !net->tile[0].traced) return;
    memcpy(net->reported, net->scratch.trace + (size_t)(net->told - 1) * N, N * sizeof(float));
}

/* ---- nodes and edges ---- */

static double current_of(const void *raw, int index, int64_t node) {
    const differentiable *net = raw;
    (void)index;
    return net->weight[net->first[PART_CURRENT] + node];
}

static double start_of(const void *raw, int index, int64_t node) {
    const differentiable *net = raw;
    (void)index;
    return net->start[node];
}

/** All of them on rank 0. */
static partition of_first(const differentiable *net, int64_t total) {
    const int rank = net->context.rank;
    return (partition){.total = total, .first = rank ? total : 0, .mine = rank ? 0 : (int)total, .ranks = net->context.ranks};
}

void differentiable_nodes(void *raw, node_list *list) {
    const differentiable *net = raw;
    const node_population neurons = {.name = NEURON_POPULATION, .part = net->owned, .self = net, .type_name = {config_variant_name(net->config, "neuron")},
                                     .types = 1};
    const node_population inputs = {.name = UNIT_POPULATION, .part = of_first(net, net->shape.inputs), .self = net, .type_name = {"virtual"}, .types = 1};
    const node_population readouts = {.name = READOUT_POPULATION, .part = of_first(net, net->shape.outputs), .self = net, .type_name = {"linear_readout"},
                                      .types = 1};
    node_population *all = node_add(list, neurons);
    node_column_add(all, "dynamics_params/current", 0, current_of);
    if (net->network->start == START_FIXED) node_column_add(all, "dynamics_params/start", 0, start_of);
    node_add(list, inputs);
    node_add(list, readouts);
}

/** All entries of a part but those of a neuron onto itself, ordered by target, then source. */
typedef struct {
    const differentiable *net;
    int part, sources, targets;
    bool itself;       /* sources and targets are the same neurons */
    int64_t *start;    /* [targets+1] */
} part_edges;

/** @param[out] source of an edge @return its target */
static int64_t ends_of(const part_edges *edges, int64_t e, int64_t *source) {
    const int64_t row = edges->sources - (edges->itself ? 1 : 0), target = e / row, place = e % row;
    *source = place + (edges->itself && place >= target);
    return target;
}

static void make_sources(void *raw, int64_t from, int64_t count, uint64_t *ids) {
    for (int64_t e = 0; e < count; e++) {
        int64_t source;
        ends_of(raw, from + e, &source);
        ids[e] = (uint64_t)source;
    }
}

static void make_weights(void *raw, int64_t from, int64_t count, double *values) {
    const part_edges *edges = raw;
    for (int64_t e = 0; e < count; e++) {
        int64_t source;
        const int64_t target = ends_of(edges, from + e, &source);
        values[e] = edges->net->weight[edges->net->first[edges->part] + target * edges->sources + source];
    }
}

static void make_delays(void *raw, int64_t from, int64_t count, double *values) {
    const part_edges *edges = raw;
    (void)from;
    for (int64_t e = 0; e < count; e++) values[e] = edges->net->dt;
}

static void release(void *raw) {
    part_edges *edges = raw;
    memory_free(edges->start), memory_free(edges);
}

static void add_part(const differentiable *net, int part, edge_list *list) {
    static const char *const names[PARTS] = {"slow", "fast", "input", NULL, "readout"};
    const int N = net->shape.neurons, sources = part == PART_INPUT ? net->shape.inputs : N, targets = part == PART_READOUT ? net->shape.outputs : N;
    const partition mine = of_first(net, targets);
    part_edges *edges = memory_new(MEMORY_OUTPUT, 1, sizeof *edges);
    *edges = (part_edges){.net = net, .part = part, .sources = sources, .targets = targets, .itself = part <= PART_FAST,
                          .start = memory_new(MEMORY_OUTPUT, (size_t)targets + 1, sizeof(int64_t))};
    for (int t = 0; t <= mine.mine; t++) edges->start[t] = (int64_t)t * (sources - (edges->itself ? 1 : 0));
    const sonata_edges population = {.population = names[part], .source_population = part == PART_INPUT ? UNIT_POPULATION : NEURON_POPULATION,
                                     .target_population = part == PART_READOUT ? READOUT_POPULATION : NEURON_POPULATION, .source_neurons = sources,
                                     .target_first = mine.first, .target_mine = mine.mine, .start = edges->start, .self = edges, .sources = make_sources,
                                     .weights = make_weights, .delays = make_delays, .wide = 0};
    edge_add(list, population, release);
}

void differentiable_edges(void *raw, bool plastic_only, edge_list *list) {
    const differentiable *net = raw;
    (void)plastic_only; /* all of them learn */
    for (int part = 0; part < PARTS; part++)
        if (part != PART_CURRENT && net->first[part + 1] > net->first[part]) add_part(net, part, list);
}

/* ---- differentiable.h5, run.json ---- */

static void write_matrix(const differentiable *net, h5_file *file, const char *name, const char *help, int part, int rows) {
    const int64_t count = net->first[part + 1] - net->first[part];
    if (count == 0) return;
    const h5_dataset shape = {.type = H5_FLOAT32, .dimensions = 2, .shape = {rows, count / rows}, .axis = H5_UNDIVIDED};
    h5_write(file, name, shape, net->weight + net->first[part]);
    h5_attribute_text(file, name, "help", help);
}

void differentiable_results(void *raw, h5_file *file) {
    const differentiable *net = raw;
    const int N = net->shape.neurons;
    write_matrix(net, file, "slow", "W [neuron][presynaptic neuron]", PART_SLOW, N);
    write_matrix(net, file, "fast", "Wf [neuron][presynaptic neuron]", PART_FAST, N);
    write_matrix(net, file, "input", "U [neuron][input]", PART_INPUT, N);
    write_matrix(net, file, "readout", "O [readout][neuron]", PART_READOUT, net->shape.outputs);
    h5_write(file, "current", h5_whole(H5_FLOAT32, N), net->weight + net->first[PART_CURRENT]);
    h5_attribute_text(file, "current", "help", "Io [neuron], 1/ms");
}

void differentiable_figures(const void *raw, figure_list *list) {
    const differentiable *net = raw;
    figure_add_count(list, NULL, "inputs", net->shape.inputs);
    figure_add_count(list, NULL, "readouts", net->shape.outputs);
    figure_add_count(list, NULL, "steps", net->shape.steps);
    figure_add_count(list, NULL, "parameters", net->parameters);
    figure_add(list, NULL, "difficulty", task_difficulty(net->task));
}
