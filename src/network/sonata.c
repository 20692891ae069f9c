/* Own connectomes: static or plastic synapses read from a SONATA edges file. */
#include <stdlib.h>

#include "engram/memory.h"
#include "engram/network.h"
#include "engram/sonata.h"

typedef struct {
    char *path, *population;
    double bias;
} sonata_parameters;

static const param network_parameters[] = {
    {"path", PARAM_PATH, UNIT_NONE, NULL, 0, 0, NULL, "SONATA edges file; ids are the gids of this network", offsetof(sonata_parameters, path)},
    {"population", PARAM_TEXT, UNIT_NONE, "", 0, 0, NULL, "edge population; may be left out when the file has one", offsetof(sonata_parameters, population)},
    {"bias", PARAM_NUMBER, UNIT_NONE, "0", -1e6, 1e6, NULL, "constant input of every neuron", offsetof(sonata_parameters, bias)},
};
static const param_table network_table = {"sonata", "static synapses from a SONATA edges file", network_parameters, 3, sizeof(sonata_parameters)};

static status read_rows(const context *context, const config *config, const sonata_parameters *p, const network *network, int64_t sources, synapse_rows *rows) {
    char *path = config_resolve_path(config, p->path);
    sonata_synapses read = {0};
    status result = sonata_read_edges(context, path, p->population, sources, network->part.total, network->part.first, network->part.mine, &read);
    if (result == STATUS_OK) {
        *rows = (synapse_rows){.targets = network->part.mine,
                               .start = memory_new(MEMORY_BUFFERS, (size_t)network->part.mine + 1, sizeof(int64_t)),
                               .source = memory_new(MEMORY_BUFFERS, (size_t)read.count, sizeof(int32_t)),
                               .weight = memory_new(MEMORY_BUFFERS, (size_t)read.count, sizeof(double))};
        for (int64_t s = 0; s < read.count; s++) {
            rows->start[read.targets[s] - network->part.first + 1]++;
            rows->source[s] = (int32_t)read.sources[s];
            rows->weight[s] = read.weights[s];
        }
        for (int i = 0; i < network->part.mine; i++) rows->start[i + 1] += rows->start[i];
    }
    memory_free(read.targets);
    memory_free(read.sources);
    memory_free(read.weights);
    free(path);
    return result;
}

static status network_build_sonata(const context *context, const config *config, const void *raw, network *network) {
    const sonata_parameters *p = raw;
    synapse_rows rows = {0};
    status result = status_agree(context, read_rows(context, config, p, network, network->part.total, &rows)); /* all, before the next collective */
    if (result != STATUS_OK) {
        synapse_rows_free(&rows);
        return result;
    }
    int64_t count = rows.start[rows.targets], all = 0;
    CHECK_MPI(MPI_Allreduce(&count, &all, 1, MPI_INT64_T, MPI_SUM, context->comm));
    network->in_degree = (double)all / (double)network->part.total / 2;
    network->synapses = static_from_rows(&rows, network->part.total, network->excitatory);
    synapse_rows_free(&rows);
    for (int i = 0; i < network->part.mine; i++) network->bias[i] = p->bias;
    return STATUS_OK;
}

/** Edges of the file, as if their targets were chosen at random. @param[out] variance of a neuron's inputs */
static status count_inputs(const config *config, const sonata_parameters *p, const network_settings *settings, double *inputs, double *variance) {
    char *path = config_resolve_path(config, p->path);
    int64_t edges = 0;
    status result = sonata_count_edges(path, p->population, &edges);
    free(path);
    *inputs = (double)edges / (double)settings->neurons;
    *variance = *inputs * (1 - 1 / (double)settings->neurons);
    return result;
}

static status network_size_sonata(const config *config, const void *raw, const network_settings *settings, network_size *size) {
    size->any = true;
    status result = count_inputs(config, raw, settings, &size->inputs, &size->variance);
    size->in_degree = size->inputs / 2;
    return result;
}

const network_kind network_sonata = {.parameters = &network_table, .build = network_build_sonata, .size = network_size_sonata};

static const param plastic_parameters[] = {
    {"path", PARAM_PATH, UNIT_NONE, NULL, 0, 0, NULL, "SONATA edges file with the plastic synapses and their initial weights", offsetof(sonata_parameters, path)},
    {"population", PARAM_TEXT, UNIT_NONE, "", 0, 0, NULL, "edge population; may be left out when the file has one", offsetof(sonata_parameters, population)},
};
static const param_table plastic_table = {"sonata", "plastic synapses from a SONATA edges file", plastic_parameters, 2, sizeof(sonata_parameters)};

static status check_no_twins(const synapse_rows *rows, const network *network, const char *path) {
    for (int i = 0; i < rows->targets; i++)
        for (int64_t s = rows->start[i] + 1; s < rows->start[i + 1]; s++)
            if (rows->source[s] == rows->source[s - 1])
                return status_fail(STATUS_INPUT, "%s: two plastic synapses from neuron %d to neuron %lld; a pair may have one", path, rows->source[s],
                                   (long long)(network->part.first + i));
    return STATUS_OK;
}

static status plastic_build_sonata(const context *context, const config *config, const void *raw, plastic_request *request, network *network,
                                   plastic_synapses **result) {
    const sonata_parameters *p = raw;
    int64_t total = network->part.total;
    synapse_rows rows;
    status code = read_rows(context, config, p, network, total, &rows);
    if (code != STATUS_OK) return code;
    code = check_no_twins(&rows, network, p->path);
    row_list list = row_list_new();
    int64_t room = total + request->feedforward;
    int32_t *source = memory_new(MEMORY_BUFFERS, (size_t)room, sizeof(int32_t));
    double *weight = memory_new(MEMORY_BUFFERS, (size_t)room, sizeof(double));
    for (int i = 0; i < rows.targets && code == STATUS_OK; i++) {
        if (!request->trained[network->part.first + i]) continue;
        int count = 0;
        for (int64_t s = rows.start[i]; s < rows.start[i + 1]; s++, count++) {
            source[count] = rows.source[s];
            weight[count] = rows.weight[s];
        }
        count = plastic_append_feedforward(request, source, weight, count);
        row_list_group(&list, network->part.first + i, source, count);
        row_list_row(&list, i, weight);
    }
    memory_free(source);
    memory_free(weight);
    synapse_rows_free(&rows);
    *result = row_list_finish(&list, request);
    return code;
}

static status plastic_size_sonata(const config *config, const void *raw, const network_settings *settings, const network_size *network, plastic_size *size) {
    (void)network;
    return count_inputs(config, raw, settings, &size->inputs, &size->variance);
}

const plastic_kind plastic_sonata = {.parameters = &plastic_table, .build = plastic_build_sonata, .size = plastic_size_sonata};
