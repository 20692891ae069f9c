/* Every neuron learns from every neuron (autapses included): all rows have the same sources and share one inverse correlation matrix. */
#include <math.h>

#include "delays.h"
#include "engram/memory.h"
#include "engram/network.h"
#include "engram/random.h"

typedef struct { double sigma; delay_settings delay; } all_parameters;

static const param parameters[] = {
    {"sigma", PARAM_NUMBER, UNIT_NONE, "0", 0, 1e6, NULL, "initial weights are N(0, sigma^2/N)", offsetof(all_parameters, sigma)},
    DELAY_PARAMETERS(all_parameters, delay, "all plastic synapses of a neuron"),
};
static const param_table table = {"all_to_all", "every neuron learns from every neuron", parameters, sizeof parameters / sizeof *parameters,
                                  sizeof(all_parameters)};

static status check(const config *config, const void *raw, const network_settings *settings) {
    return delays_check(config, "plastic", &((const all_parameters *)raw)->delay, settings->dt);
}

static status build(const context *context, const config *config, const void *raw, plastic_request *request, network *network, plastic_synapses **result) {
    (void)config;
    const all_parameters *p = raw;
    int64_t total = network->part.total;
    row_list list = row_list_new();
    int32_t *source = memory_new(MEMORY_BUFFERS, (size_t)(total + request->feedforward), sizeof(int32_t));
    double *weight = memory_new(MEMORY_BUFFERS, (size_t)(total + request->feedforward), sizeof(double));
    for (int64_t j = 0; j < total; j++) source[j] = (int32_t)j;
    int count = plastic_append_feedforward(request, source, weight, (int)total), started = 0;
    for (int i = 0; i < network->part.mine; i++) {
        int64_t gid = network->part.first + i;
        if (!request->trained[gid]) continue;
        if (!started++) row_list_group(&list, 0, source, count);
        for (int64_t j = 0; j < total && p->sigma > 0; j++)
            weight[j] = p->sigma / sqrt((double)total) * random_normal(network->seed, RANDOM_PLASTIC_WEIGHT, (uint64_t)gid, (uint64_t)j);
        row_list_row(&list, i, weight);
    }
    memory_free(source);
    memory_free(weight);
    *result = row_list_finish(&list, request);
    (*result)->shared = true;
    (*result)->signs_differ = p->sigma > 0;
    plastic_draw_delays(context, &p->delay, network, *result);
    return STATUS_OK;
}

static status size(const config *config, const void *raw, const network_settings *settings, const network_size *network, plastic_size *size) {
    (void)config, (void)network;
    *size = (plastic_size){.inputs = (double)settings->neurons, .group_size = settings->neurons, .shared = true};
    const delay_rule delays = delays_rule(&((const all_parameters *)raw)->delay, settings->dt);
    size->longest = delays.longest, size->least = delays.least;
    return STATUS_OK;
}

const plastic_kind plastic_all_to_all = {.parameters = &table, .check = check, .build = build, .size = size};
