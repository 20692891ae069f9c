/* All synapses of the network that are there at the start learn, and no others (Kim & Chow 2018; patterns/README.md 3.5). The rows of trained neurons move
 * from the static network to the plastic set with their weights; those of untrained neurons stay static. */
#include <string.h>

#include "delays.h"
#include "engram/memory.h"
#include "engram/network.h"

static const param_table table = {"existing", "all synapses of the network learn (Kim & Chow 2018)", NULL, 0, 1};

static status check(const config *config, const void *raw, const network_settings *settings) {
    (void)raw, (void)settings;
    if (strcmp(network_kinds[config_variant_index(config, "network")]->parameters->name, "none") == 0)
        return config_complain(config, "plastic", "kind", "'existing' makes the static synapses plastic, but network kind none has no synapses");
    return STATUS_OK;
}

/** Keep only the rows of untrained neurons. */
static void keep_untrained(const synapse_rows *rows, const plastic_request *request, network *network) {
    synapse_rows kept = {.targets = rows->targets, .unit = rows->unit, .together = rows->together,
                         .start = memory_new(MEMORY_BUFFERS, (size_t)rows->targets + 1, sizeof(int64_t)),
                         .source = memory_new(MEMORY_BUFFERS, (size_t)rows->start[rows->targets], sizeof(int32_t)),
                         .weight = memory_new(MEMORY_BUFFERS, (size_t)rows->start[rows->targets], sizeof(double)),
                         .delay = rows->delay ? memory_new(MEMORY_BUFFERS, (size_t)rows->start[rows->targets], sizeof(uint16_t)) : NULL,
                         .longest = rows->longest};
    for (int i = 0; i < rows->targets; i++) {
        int64_t count = request->trained[network->part.first + i] ? 0 : rows->start[i + 1] - rows->start[i];
        memcpy(kept.source + kept.start[i], rows->source + rows->start[i], (size_t)count * sizeof(int32_t));
        memcpy(kept.weight + kept.start[i], rows->weight + rows->start[i], (size_t)count * sizeof(double));
        if (kept.delay) memcpy(kept.delay + kept.start[i], rows->delay + rows->start[i], (size_t)count * sizeof(uint16_t));
        kept.start[i + 1] = kept.start[i] + count;
    }
    static_free(network->synapses);
    network->synapses = static_from_rows(&kept, network->part.total, network->cells->excitatory);
    static_pack(network->synapses, static_best_form(network->synapses, network->part.mine), network->part.mine);
    synapse_rows_free(&kept);
}

static status build(const context *context, const config *config, const void *raw, plastic_request *request, network *network, plastic_synapses **result) {
    (void)config, (void)raw;
    synapse_rows rows = static_to_rows(network->synapses, network->part.mine, network->part.first);
    row_list list = row_list_new();
    int64_t longest = 0; /* may exceed N: a file may have several synapses between a pair */
    for (int i = 0; i < rows.targets; i++)
        if (rows.start[i + 1] - rows.start[i] > longest) longest = rows.start[i + 1] - rows.start[i];
    size_t room = (size_t)(longest + request->feedforward);
    int32_t *source = memory_new(MEMORY_BUFFERS, room, sizeof(int32_t));
    double *weight = memory_new(MEMORY_BUFFERS, room, sizeof(double));
    for (int i = 0; i < rows.targets; i++) {
        if (!request->trained[network->part.first + i]) continue;
        int count = (int)(rows.start[i + 1] - rows.start[i]);
        memcpy(source, rows.source + rows.start[i], (size_t)count * sizeof(int32_t));
        memcpy(weight, rows.weight + rows.start[i], (size_t)count * sizeof(double));
        count = plastic_append_feedforward(request, source, weight, count);
        row_list_group(&list, network->part.first + i, source, count);
        row_list_row(&list, i, weight);
    }
    memory_free(source);
    memory_free(weight);
    *result = row_list_finish(&list, request);
    status delays = plastic_take_delays(context, &rows, request, ": network.delay_by: source", *result);
    keep_untrained(&rows, request, network);
    synapse_rows_free(&rows);
    return delays;
}

static status size(const config *config, const void *raw, const network_settings *settings, const network_size *network, plastic_size *size) {
    (void)config, (void)raw, (void)settings;
    *size = (plastic_size){.inputs = network->inputs, .variance = network->variance, .group_size = 1, .takes_static = true,
                           .longest = network->longest, .least = network->least};
    return STATUS_OK;
}

const plastic_kind plastic_existing = {.parameters = &table, .check = check, .build = build, .size = size};
