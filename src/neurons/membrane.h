/* What models with a noisy leaky membrane share: white noise of one value, one per type or one per neuron, and random initial voltages. */
#ifndef ENGRAM_NEURONS_MEMBRANE_H
#define ENGRAM_NEURONS_MEMBRANE_H

#include "engram/neurons.h"

enum { NOISE_VOLTAGE, NOISE_CURRENT };
enum { START_NORMAL, START_UNIFORM, START_FIXED };

/** Complain about key noise_sd unless it has 1, 2 or @p total values. */
status membrane_check_noise(const config *config, const param_numbers *sd, int64_t total);

/** Sigma of neuron @p gid. */
double membrane_noise_sd(const neurons *neurons, const param_numbers *sd, int64_t gid);

/** v += sigma factor noise, for neurons first .. end-1. @param noise [end - first] unit normals @param v [mine] */
void membrane_add_noise(const neurons *neurons, const param_numbers *sd, double factor, int first, int end, const double *restrict noise, double *restrict v);

/** The same in single precision. */
void membrane_add_noise_single(const neurons *neurons, const param_numbers *sd, double factor, int first, int end, const float *restrict noise,
                               float *restrict v);

/** Initial voltages of repetition @p stream: low + (high - low) times N(0,1), U(0,1) or 0. @param start START_* @param[out] v [mine] */
void membrane_start(const neurons *neurons, int start, uint64_t stream, double low, double high, double *v);

/** Refractory period in whole steps: a neuron integrates when since_spike is at least this. */
int32_t membrane_refractory_steps(const neurons *neurons, double refractory);

#endif
