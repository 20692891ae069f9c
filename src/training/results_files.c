/* The HDF5 files of a run, in SONATA layout where SONATA has one: what the system lists, and what was recorded. */
#include <math.h>
#include <stdlib.h>

#include "engram/h5.h"
#include "engram/memory.h"
#include "engram/sonata.h"
#include "results.h"

/** What nodes.h5 says of a population of this rank: arrays of its types and columns. */
typedef struct {
    int64_t *type;
    double *value;
    sonata_column columns[COLUMNS_MAX];
} node_arrays;

static sonata_nodes fill_nodes(const node_population *population, int first_type, node_arrays *arrays) {
    size_t mine = (size_t)population->part.mine;
    arrays->type = memory_new(MEMORY_BUFFERS, mine, sizeof(int64_t));
    arrays->value = memory_new(MEMORY_BUFFERS, mine * (size_t)population->columns, sizeof(double));
    for (int64_t i = 0; i < population->part.mine; i++) arrays->type[i] = first_type + (population->type ? population->type(population->self, i) : 0);
    for (int c = 0; c < population->columns; c++) {
        const node_column *column = &population->column[c];
        double *values = arrays->value + (size_t)c * mine;
        for (int64_t i = 0; i < population->part.mine; i++) values[i] = column->value(population->self, column->index, i);
        arrays->columns[c] = (sonata_column){column->name, values};
    }
    return (sonata_nodes){.population = population->name,
                          .first = population->part.first,
                          .mine = population->part.mine,
                          .type = arrays->type,
                          .type_count = population->types,
                          .type_names = population->type_name,
                          .column_count = population->columns,
                          .columns = arrays->columns};
}

/** @param[out] populations of which names and types stay, whose texts are those of the list */
static status write_nodes(const results *results, const char *configuration, const node_list *list, sonata_nodes *populations) {
    node_arrays arrays[POPULATIONS_MAX];
    int types = 0;
    for (int p = 0; p < list->count; p++) {
        populations[p] = fill_nodes(&list->entry[p], types, &arrays[p]);
        types += list->entry[p].types;
    }
    char *path = results_path(results, "nodes.h5");
    status written = sonata_write_nodes(results->context, path, configuration, list->count, populations);
    free(path);
    for (int p = 0; p < list->count; p++) memory_free(arrays[p].type), memory_free(arrays[p].value);
    return written;
}

static status write_edges(const results *results, const char *configuration, const edge_list *list) {
    char *path = results_path(results, "edges.h5");
    status written = sonata_write_edges(results->context, path, configuration, list->count, list->entry);
    free(path);
    for (int p = 0; p < list->count; p++)
        if (list->release[p]) list->release[p](list->entry[p].self);
    return written;
}

status results_write_network(const results *results, const char *configuration, int kept) {
    const learning_system *system = results->system;
    node_list nodes = {0};
    edge_list edges = {0};
    sonata_nodes populations[POPULATIONS_MAX];
    status written = STATUS_OK;
    if (system->nodes) {
        system->nodes(results->self, &nodes);
        written = write_nodes(results, configuration, &nodes, populations);
    }
    if (kept != EDGES_NONE && system->edges) {
        system->edges(results->self, kept == EDGES_PLASTIC, &edges);
        written = status_worse(written, write_edges(results, configuration, &edges));
    }
    if (nodes.count == 0) return written;
    char *path = results_path(results, "nodes.h5");
    written = status_worse(written, sonata_write_circuit(results->context, path, nodes.count, populations, edges.count, edges.entry));
    free(path);
    return written;
}

status results_write_own(const results *results, const char *configuration) {
    char *path = results_path(results, results->system->results_name);
    h5_file *file = h5_create(results->context, path, configuration);
    results->system->results(results->self, file);
    free(path);
    return h5_commit(file);
}

status results_write_spikes(const results *results, const char *name, const char *configuration, const spike_recorder *recorder, int64_t from) {
    const system_facts *facts = results->facts;
    int mine = facts->owned.mine;
    int64_t count = recorder->count - from;
    int64_t *next = memory_new(MEMORY_BUFFERS, (size_t)mine + 1, sizeof(int64_t));
    double *times = memory_new(MEMORY_BUFFERS, (size_t)count, sizeof(double));
    uint64_t *ids = memory_new(MEMORY_BUFFERS, (size_t)count, sizeof(uint64_t));
    for (int64_t k = from; k < recorder->count; k++) next[recorder->neuron[k] + 1]++;
    for (int i = 0; i < mine; i++) next[i + 1] += next[i];
    for (int64_t k = from; k < recorder->count; k++) { /* in order of time for each neuron: a stable counting sort by neuron */
        int64_t at = next[recorder->neuron[k]]++;
        times[at] = (double)recorder->step[k] * facts->dt;
        ids[at] = (uint64_t)(facts->owned.first + recorder->neuron[k]);
    }
    char *path = results_path(results, name);
    status written = sonata_write_spikes(results->context, path, configuration, NEURON_POPULATION, count, times, ids);
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

status results_read_spikes(const results *results, const char *name, int64_t last_step, spike_recorder *recorder) {
    const system_facts *facts = results->facts;
    char times_name[64], ids_name[64], *path = results_path(results, name);
    snprintf(times_name, sizeof times_name, "spikes/%s/timestamps", NEURON_POPULATION);
    snprintf(ids_name, sizeof ids_name, "spikes/%s/node_ids", NEURON_POPULATION);
    h5_reader *reader = h5_reader_open(path);
    free(path);
    int64_t count = h5_reader_length(reader, ids_name), first = first_id_from(reader, ids_name, count, facts->owned.first);
    int64_t mine = first_id_from(reader, ids_name, count, facts->owned.first + facts->owned.mine) - first;
    double *times = memory_new(MEMORY_BUFFERS, (size_t)mine, sizeof(double));
    uint64_t *ids = memory_new(MEMORY_BUFFERS, (size_t)mine, sizeof(uint64_t));
    h5_reader_stream(reader, times_name, H5_FLOAT64, count, first, mine);
    h5_reader_take(reader, times, mine);
    h5_reader_stream(reader, ids_name, H5_UINT64, count, first, mine);
    h5_reader_take(reader, ids, mine);
    status result = h5_reader_close(reader);
    for (int64_t k = 0; k < mine && result == STATUS_OK; k++) {
        int64_t step = llround(times[k] / facts->dt);
        int32_t neuron = (int32_t)((int64_t)ids[k] - facts->owned.first);
        recorder->base = step; /* as if recorded in this step */
        if (step <= last_step) spike_recorder_step(recorder, 0, &neuron, 1);
    }
    memory_free(times), memory_free(ids);
    return result;
}

status results_write_report(const results *results, const char *configuration, const report_recorder *recorder) {
    const system_facts *facts = results->facts;
    int count = recorder->settings->report.count;
    sonata_variable *variables = memory_new(MEMORY_BUFFERS, (size_t)count, sizeof *variables);
    uint64_t *ids = memory_new(MEMORY_BUFFERS, (size_t)recorder->mine, sizeof(uint64_t));
    for (int v = 0; v < count; v++) variables[v] = (sonata_variable){recorder->variable[v].name, recorder->variable[v].unit, recorder->data[v]};
    for (int n = 0; n < recorder->mine; n++) ids[n] = (uint64_t)(facts->owned.first + recorder->neuron[n]);
    char *path = results_path(results, "report.h5");
    double interval = (double)recorder->interval * facts->dt;
    sonata_report report = {.population = NEURON_POPULATION, .start = interval, .interval = interval, .samples = recorder->taken, .mine = recorder->mine,
                            .ids = ids, .variable_count = count, .variables = variables};
    status written = sonata_write_report(results->context, path, configuration, &report);
    free(path);
    memory_free(variables), memory_free(ids);
    return written;
}
