/* The HDF5 files of a run, in SONATA layout where SONATA has one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engram/h5.h"
#include "engram/memory.h"
#include "engram/sonata.h"
#include "../../training/results.h"

status results_write_nodes(const simulation *sim, const results *results, const char *configuration) {
    int mine = sim->part.mine;
    size_t count = (size_t)mine;
    enum { EXCITATORY, BIAS, TRAINED, UNIT, TAU, COLUMNS };
    const char *names[COLUMNS] = {"excitatory", "dynamics_params/bias", "trained", "recorded_unit", "dynamics_params/tau_plastic"};
    double *value[COLUMNS];
    sonata_column columns[COLUMNS];
    double tau = ((const plastic_settings *)config_common(sim->config, "plastic"))->tau;
    for (int c = 0; c < COLUMNS; c++) value[c] = memory_new(MEMORY_BUFFERS, count, sizeof(double));
    int64_t *type = memory_new(MEMORY_BUFFERS, count, sizeof(int64_t));
    for (int i = 0; i < mine; i++) {
        int64_t gid = sim->part.first + i;
        value[EXCITATORY][i] = cell_is_excitatory(sim->network.cells, gid);
        value[BIAS][i] = sim->network.bias[i];
        value[TRAINED][i] = sim->trained[gid];
        value[UNIT][i] = sim->targets.unit[gid];
        value[TAU][i] = sim->tau ? sim->tau[gid] : tau;
        type[i] = !cell_is_excitatory(sim->network.cells, gid);
    }
    for (int c = 0; c < COLUMNS; c++) columns[c] = (sonata_column){names[c], value[c]};
    const char *model = sim->neurons->model->parameters->name;
    char excitatory[64], inhibitory[64];
    snprintf(excitatory, sizeof excitatory, "%s_excitatory", model);
    snprintf(inhibitory, sizeof inhibitory, "%s_inhibitory", model);
    const char *types[] = {excitatory, inhibitory}, *unit_types[] = {"virtual"};
    partition units = partition_of(&sim->context, sim->plastic->sources - sim->plastic->neurons); /* feed-forward */
    int64_t *unit_type = memory_new(MEMORY_BUFFERS, (size_t)units.mine, sizeof(int64_t));
    for (int i = 0; i < units.mine; i++) unit_type[i] = 2; /* behind the types of neurons */
    const sonata_nodes populations[] = {{.population = RESULTS_POPULATION, .first = sim->part.first, .mine = mine, .type = type, .type_count = 2, .type_names = types, .column_count = COLUMNS, .columns = columns},
                                        {.population = RESULTS_UNITS, .first = units.first, .mine = units.mine, .type = unit_type, .type_count = 1, .type_names = unit_types}};
    char *path = results_path(results, "nodes.h5");
    status written = sonata_write_nodes(&sim->context, path, configuration, units.total > 0 ? 2 : 1, populations);
    free(path);
    memory_free(unit_type);
    for (int c = 0; c < COLUMNS; c++) memory_free(value[c]);
    memory_free(type);
    return written;
}

void results_write_columns(const simulation *sim, h5_file *file, const char *name, int64_t rows, const double *values) {
    int64_t shape[2] = {rows, sim->part.total};
    h5_write(file, name, H5_FLOAT64, 2, shape, 1, sim->part.first, sim->part.mine, values, true);
}

void results_write_names(const simulation *sim, h5_file *file, const char *group) {
    const targets *targets = &sim->targets;
    int64_t total = sim->part.total;
    char name[64];
    snprintf(name, sizeof name, "%s/recorded_unit", group);
    h5_write(file, name, H5_INT32, 1, &total, -1, 0, 0, targets->unit, false);
    snprintf(name, sizeof name, "%s/unit_name", group);
    if (targets->unit_name) h5_write_texts(file, name, targets->units, (const char *const *)targets->unit_name);
    snprintf(name, sizeof name, "%s/condition_name", group);
    if (targets->condition_name) h5_write_texts(file, name, targets->tasks, (const char *const *)targets->condition_name);
}

static void write_ids(const simulation *sim, h5_file *file) {
    int64_t total = sim->part.total;
    results_write_names(sim, file, "targets");
    h5_write(file, "targets/trained", H5_UINT8, 1, &total, -1, 0, 0, sim->trained, false);
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
    results_write_columns(sim, file, name, steps, rows);
    memory_free(rows);
}

void results_write_times(const simulation *sim, h5_file *file, const char *name) {
    int64_t instants = sim->targets.instants;
    double *time = memory_new(MEMORY_BUFFERS, (size_t)instants, sizeof(double));
    for (int64_t k = 0; k < instants; k++) time[k] = (double)(sim->window + (k + 1) * sim->every) * sim->dt;
    h5_write(file, name, H5_FLOAT64, 1, &instants, -1, 0, 0, time, false);
    h5_attribute_text(file, name, "units", "ms");
    memory_free(time);
}

status results_write_targets(const simulation *sim, const results *results, const char *configuration, double *const *drive, bool stimulus) {
    char *path = results_path(results, "targets.h5"), name[64];
    h5_file *file = h5_create(&sim->context, path, configuration);
    int64_t instants = sim->targets.instants;
    h5_group(file, "targets");
    write_ids(sim, file);
    results_write_times(sim, file, "targets/time");
    for (int task = 0; task < sim->targets.tasks; task++) {
        snprintf(name, sizeof name, "targets/%d", task);
        h5_group(file, name);
        if (sim->targets.condition_name) h5_attribute_text(file, name, "condition", sim->targets.condition_name[task]);
        snprintf(name, sizeof name, "targets/%d/target", task);
        results_write_columns(sim, file, name, instants, targets_at(&sim->targets, sim->part.mine, task, 0));
        h5_attribute_text(file, name, "quantity", sim->targets.quantity == QUANTITY_RATE ? "rate" : "drive");
        if (sim->targets.rate) {
            snprintf(name, sizeof name, "targets/%d/rate", task);
            results_write_columns(sim, file, name, instants, sim->targets.rate + (int64_t)task * instants * sim->part.mine);
            h5_attribute_text(file, name, "units", "Hz");
        }
        if (drive[task]) {
            snprintf(name, sizeof name, "targets/%d/drive", task);
            results_write_columns(sim, file, name, instants, drive[task]);
        }
        if (stimulus) write_stimulus(sim, file, task);
    }
    free(path);
    return h5_commit(file);
}

status results_write_spikes(const simulation *sim, const results *results, const char *name, const char *configuration, const spike_recorder *recorder, int64_t from) {
    int mine = sim->part.mine;
    int64_t count = recorder->count - from;
    int64_t *next = memory_new(MEMORY_BUFFERS, (size_t)mine + 1, sizeof(int64_t));
    double *times = memory_new(MEMORY_BUFFERS, (size_t)count, sizeof(double));
    uint64_t *ids = memory_new(MEMORY_BUFFERS, (size_t)count, sizeof(uint64_t));
    for (int64_t k = from; k < recorder->count; k++) next[recorder->neuron[k] + 1]++;
    for (int i = 0; i < mine; i++) next[i + 1] += next[i];
    for (int64_t k = from; k < recorder->count; k++) { /* in order of time for each neuron: a stable counting sort by neuron */
        int64_t at = next[recorder->neuron[k]]++;
        times[at] = (double)recorder->step[k] * sim->dt;
        ids[at] = (uint64_t)(sim->part.first + recorder->neuron[k]);
    }
    char *path = results_path(results, name);
    status written = sonata_write_spikes(&sim->context, path, configuration, RESULTS_POPULATION, count, times, ids);
    free(path);
    memory_free(next), memory_free(times), memory_free(ids);
    return written;
}

/** First of the sorted @p count ids that is at least @p id. */
static int64_t first_id_from(h5_reader *reader, const char *dataset, int64_t count, int64_t id) {
    int64_t low = 0, high = count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        uint64_t found = 0;
        h5_reader_stream(reader, dataset, H5_UINT64, count, middle, 1);
        h5_reader_take(reader, &found, 1);
        if ((int64_t)found < id) low = middle + 1;
        else high = middle;
    }
    return low;
}

status results_read_spikes(const simulation *sim, const results *results, const char *name, int64_t last_step, spike_recorder *recorder) {
    char times_name[64], ids_name[64], *path = results_path(results, name);
    snprintf(times_name, sizeof times_name, "spikes/%s/timestamps", RESULTS_POPULATION);
    snprintf(ids_name, sizeof ids_name, "spikes/%s/node_ids", RESULTS_POPULATION);
    h5_reader *reader = h5_reader_open(path);
    free(path);
    int64_t count = h5_reader_length(reader, ids_name), first = first_id_from(reader, ids_name, count, sim->part.first);
    int64_t mine = first_id_from(reader, ids_name, count, sim->part.first + sim->part.mine) - first;
    double *times = memory_new(MEMORY_BUFFERS, (size_t)mine, sizeof(double));
    uint64_t *ids = memory_new(MEMORY_BUFFERS, (size_t)mine, sizeof(uint64_t));
    h5_reader_stream(reader, times_name, H5_FLOAT64, count, first, mine);
    h5_reader_take(reader, times, mine);
    h5_reader_stream(reader, ids_name, H5_UINT64, count, first, mine);
    h5_reader_take(reader, ids, mine);
    status result = h5_reader_close(reader);
    for (int64_t k = 0; k < mine && result == STATUS_OK; k++) {
        int64_t step = llround(times[k] / sim->dt);
        int32_t neuron = (int32_t)((int64_t)ids[k] - sim->part.first);
        recorder->base = step; /* as if recorded in this step */
        if (step <= last_step) spike_recorder_step(recorder, sim, 0, &neuron, 1);
    }
    memory_free(times), memory_free(ids);
    return result;
}

status results_write_report(const simulation *sim, const results *results, const char *configuration, const report_recorder *recorder) {
    int count = recorder->settings->report.count;
    sonata_variable *variables = memory_new(MEMORY_BUFFERS, (size_t)count, sizeof *variables);
    uint64_t *ids = memory_new(MEMORY_BUFFERS, (size_t)recorder->mine, sizeof(uint64_t));
    for (int v = 0; v < count; v++)
        variables[v] = (sonata_variable){recorder->settings->report.values[v], report_unit(sim, recorder->settings->report.values[v]), recorder->data[v]};
    for (int n = 0; n < recorder->mine; n++) ids[n] = (uint64_t)(sim->part.first + recorder->neuron[n]);
    char *path = results_path(results, "report.h5");
    double interval = (double)recorder->interval * sim->dt;
    status written = sonata_write_report(&sim->context, path, configuration, RESULTS_POPULATION, interval, interval, recorder->taken, recorder->mine, ids, count, variables);
    free(path);
    memory_free(variables), memory_free(ids);
    return written;
}
