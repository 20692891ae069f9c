/* Nothing learns: a plain simulation of the static network. */
#include "engram/network.h"

static const param_table table = {"none", "no plastic synapses: simulate only", NULL, 0, 1};

static status build(const context *context, const config *config, const void *raw, plastic_request *request, network *network, plastic_synapses **result) {
    (void)context, (void)config, (void)raw, (void)network;
    row_list list = row_list_new();
    *result = row_list_finish(&list, request);
    return STATUS_OK;
}

const plastic_kind plastic_none = {.parameters = &table, .build = build};
