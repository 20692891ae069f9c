#include "membrane.h"

#include <math.h>

#include "engram/random.h"

status membrane_check_noise(const config *config, const param_numbers *sd, int64_t total) {
    if (sd->count == 1 || sd->count == 2 || sd->count == total) return STATUS_OK;
    return config_complain(config, "neuron", "noise_sd", "%d values; allowed are 1, 2 (excitatory, inhibitory) or one per neuron (%lld)", sd->count,
                           (long long)total);
}

double membrane_noise_sd(const neurons *neurons, const param_numbers *sd, int64_t gid) {
    if (sd->count == 1) return sd->values[0];
    if (sd->count == 2) return sd->values[neuron_excitatory(neurons, gid) ? 0 : 1];
    return sd->values[gid];
}

void membrane_add_noise(const neurons *neurons, const param_numbers *sd, double factor, int first, int end, const double *restrict noise, double *restrict v) {
    if (sd->count == 1) {
        const double amplitude = sd->values[0] * factor;
        for (int i = first; i < end; i++) v[i] += amplitude * noise[i - first];
    } else {
        for (int i = first; i < end; i++) v[i] += membrane_noise_sd(neurons, sd, neurons->part.first + i) * factor * noise[i - first];
    }
}

void membrane_add_noise_single(const neurons *neurons, const param_numbers *sd, double factor, int first, int end, const float *restrict noise,
                               float *restrict v) {
    const float amplitude = (float)(sd->values[0] * factor);
    for (int i = first; i < end && sd->count == 1; i++) v[i] += amplitude * noise[i - first];
    for (int i = first; i < end && sd->count > 1; i++)
        v[i] += (float)(membrane_noise_sd(neurons, sd, neurons->part.first + i) * factor) * noise[i - first];
}

void membrane_start(const neurons *neurons, int start, uint64_t stream, double low, double high, double *v) {
    double range = high - low;
    for (int i = 0; i < neurons->part.mine; i++) {
        uint64_t gid = (uint64_t)(neurons->part.first + i);
        switch (start) {
        case START_NORMAL: v[i] = random_normal(neurons->seed, RANDOM_INITIAL, gid, stream << 8) * range + low; break;
        case START_UNIFORM: v[i] = random_uniform(neurons->seed, RANDOM_INITIAL, gid, stream << 8) * range + low; break;
        default: v[i] = low;
        }
    }
}

int32_t membrane_refractory_steps(const neurons *neurons, double refractory) {
    return (int32_t)lrint(refractory / neurons->dt);
}
