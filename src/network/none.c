/* No static synapses: the noise-driven network of Arthur et al. 2023's 66,002-neuron fit. */
#include <math.h>
#include <stdio.h>

#include "engram/network.h"

typedef struct { double bias; } none_parameters;

static const param parameters[] = {
    {"bias", PARAM_NUMBER, UNIT_NONE, "0", -1e6, 1e6, NULL, "constant input of every neuron", offsetof(none_parameters, bias)},
};
static const param_table table = {"none", "no static synapses", parameters, sizeof parameters / sizeof *parameters, sizeof(none_parameters)};

static status build(const context *context, const config *config, const void *raw, network *network) {
    (void)context, (void)config;
    const none_parameters *p = raw;
    for (int i = 0; i < network->part.mine; i++) network->bias[i] = p->bias;
    return STATUS_OK;
}

static void advise(const void *raw, const network_settings *settings, const double *needed, char *text, size_t size) {
    (void)raw, (void)settings;
    double least = fmin(needed[0], needed[1]); /* of those that are not NAN */
    if (!isnan(least)) snprintf(text, size, "network.bias above %.4g", least);
}

const network_kind network_none = {.parameters = &table, .build = build, .advise = advise};
