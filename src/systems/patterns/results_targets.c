/* targets.h5 of the system, and nodes of nodes.h5. */
#include <stdio.h>
#include <string.h>

#include "engram/h5.h"
#include "engram/memory.h"
#include "patterns.h"
#include "results_parts.h"

/* ---- nodes ---- */

enum { EXCITATORY, POPULATION, BIAS, TRAINED, UNIT, TAU };

static double value_of(const void *self, int column, int64_t node) {
    const simulation *sim = self;
    int64_t gid = sim->part.first + node;
    switch (column) {
    case EXCITATORY: return cell_is_excitatory(sim->network.cells, gid);
    case POPULATION: return population_of(sim->network.cells, gid);
    case BIAS: return sim->network.bias[node];
    case TRAINED: return sim->trained[gid];
    case UNIT: return sim->targets.unit[gid];
    default: return sim->tau ? sim->tau[gid] : ((const plastic_settings *)config_common(sim->config, "plastic"))->tau;
    }
}

static int type_of(const void *self, int64_t node) {
    return value_of(self, EXCITATORY, node) == 0;
}

void patterns_nodes(void *self, node_list *list) {
    patterns *patterns = self;
    const simulation *sim = patterns->sim;
    const char *model = sim->neurons->model->parameters->name;
    snprintf(patterns->type_name[0], sizeof patterns->type_name[0], "%s_excitatory", model);
    snprintf(patterns->type_name[1], sizeof patterns->type_name[1], "%s_inhibitory", model);
    node_population *neurons = node_add(list, (node_population){.name = NEURON_POPULATION, .part = sim->part, .self = sim, .type = type_of,
                                                                .type_name = {patterns->type_name[0], patterns->type_name[1]}, .types = 2});
    node_column_add(neurons, "excitatory", EXCITATORY, value_of);
    if (sim->network.cells->populations) node_column_add(neurons, "population", POPULATION, value_of);
    node_column_add(neurons, "dynamics_params/bias", BIAS, value_of);
    node_column_add(neurons, "trained", TRAINED, value_of);
    node_column_add(neurons, "recorded_unit", UNIT, value_of);
    node_column_add(neurons, "dynamics_params/tau_plastic", TAU, value_of);
    partition units = partition_of(&sim->context, sim->plastic->sources - sim->plastic->neurons);
    if (units.total > 0) node_add(list, (node_population){.name = UNIT_POPULATION, .part = units, .self = sim, .type_name = {"virtual"}, .types = 1});
}

/* ---- targets ---- */

void patterns_write_columns(const simulation *sim, h5_file *file, const char *name, int64_t rows, const double *values) {
    h5_write(file, name, h5_compressed(h5_columns(H5_FLOAT64, &sim->part, rows)), values);
}

void patterns_write_names(const simulation *sim, h5_file *file, const char *group) {
    const targets *targets = &sim->targets;
    char name[64];
    snprintf(name, sizeof name, "%s/recorded_unit", group);
    h5_write(file, name, h5_whole(H5_INT32, sim->part.total), targets->unit);
    snprintf(name, sizeof name, "%s/unit_name", group);
    if (targets->unit_name) h5_write_texts(file, name, targets->units, (const char *const *)targets->unit_name);
    snprintf(name, sizeof name, "%s/condition_name", group);
    if (targets->condition_name) h5_write_texts(file, name, targets->tasks, (const char *const *)targets->condition_name);
    const network_settings *network = config_common(sim->config, "network");
    snprintf(name, sizeof name, "%s/population_name", group);
    if (network->projections) h5_write_texts(file, name, network->cells.populations, network_population_names(network));
}

static void write_ids(const simulation *sim, h5_file *file) {
    patterns_write_names(sim, file, "targets");
    h5_write(file, "targets/trained", h5_whole(H5_UINT8, sim->part.total), sim->trained);
}

/** Of a table of neurons that have targets, with what is written of the others. */
typedef struct {
    const target_columns *columns;
    int64_t rows;
    const double *values; /* [rows][columns] */
    double none;
} spread;

static void make_spread(void *self, int64_t from, int64_t count, void *elements) {
    const spread *spread = self;
    const target_columns *columns = spread->columns;
    double *all = elements;
    for (int64_t k = 0; k < spread->rows; k++) {
        const double *row = spread->values + k * columns->count;
        for (int64_t i = 0; i < count; i++) {
            const int column = target_column(columns, (int)(from + i));
            all[k * count + i] = column < 0 ? spread->none : row[column];
        }
    }
}

/** [instants][N]. @param values [instants][columns] @param none of neurons without a target */
static void write_targets(const simulation *sim, h5_file *file, const char *name, const double *values, double none) {
    const targets *targets = &sim->targets;
    spread some = {&targets->columns, targets->instants, values, none};
    if (targets->kind->pair) h5_write_made(file, name, h5_compressed(h5_columns(H5_FLOAT64, &sim->part, targets->instants)), make_spread, &some);
    else patterns_write_columns(sim, file, name, targets->instants, values);
}

/** The external input of one task, every step from the start of the stimulus to its end, or with frozen noise to the end of the loop: [steps][N]. */
static void write_stimulus(const simulation *sim, h5_file *file, int task) {
    stimulus *stimulus = sim->stimulus;
    int64_t last = stimulus_last(stimulus, sim->loop_steps), steps = last - stimulus->on;
    if (steps <= 0) return;
    double *rows = memory_new(MEMORY_OUTPUT, (size_t)steps * (size_t)sim->part.mine, sizeof(double));
    for (int64_t step = stimulus->on + 1; step <= last; step++) {
        const double *now = stimulus_at(stimulus, task, step);
        if (now) memcpy(rows + (step - stimulus->on - 1) * sim->part.mine, now, (size_t)sim->part.mine * sizeof(double));
    }
    char name[64];
    snprintf(name, sizeof name, "targets/%d/stimulus", task);
    patterns_write_columns(sim, file, name, steps, rows);
    memory_free(rows);
}

void patterns_write_times(const simulation *sim, h5_file *file, const char *name) {
    int64_t instants = sim->targets.instants;
    double *time = memory_new(MEMORY_BUFFERS, (size_t)instants, sizeof(double));
    for (int64_t k = 0; k < instants; k++) time[k] = (double)(sim->window + (k + 1) * sim->every) * sim->dt;
    h5_write(file, name, h5_whole(H5_FLOAT64, instants), time);
    h5_attribute_text(file, name, "units", "ms");
    memory_free(time);
}

void patterns_results(void *self, h5_file *file) {
    const simulation *sim = ((patterns *)self)->sim;
    double *const *drive = ((patterns *)self)->average;
    bool stimulus = ((patterns *)self)->output->stimulus;
    char name[64];
    int64_t instants = sim->targets.instants;
    h5_group(file, "targets");
    write_ids(sim, file);
    patterns_write_times(sim, file, "targets/time");
    for (int task = 0; task < sim->targets.tasks; task++) {
        snprintf(name, sizeof name, "targets/%d", task);
        h5_group(file, name);
        const char *condition = targets_condition(&sim->targets, task);
        if (condition) h5_attribute_text(file, name, "condition", condition);
        snprintf(name, sizeof name, "targets/%d/target", task);
        write_targets(sim, file, name, targets_at(&sim->targets, task, 0), targets_none(&sim->targets));
        h5_attribute_text(file, name, "quantity", sim->targets.quantity == QUANTITY_RATE ? "rate" : "drive");
        if (sim->targets.rate) {
            snprintf(name, sizeof name, "targets/%d/rate", task);
            write_targets(sim, file, name, sim->targets.rate + (int64_t)task * instants * sim->targets.columns.count, 0);
            h5_attribute_text(file, name, "units", "Hz");
        }
        if (drive[task]) {
            snprintf(name, sizeof name, "targets/%d/drive", task);
            patterns_write_columns(sim, file, name, instants, drive[task]);
        }
        if (stimulus) write_stimulus(sim, file, task);
    }
}
