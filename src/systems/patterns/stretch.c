#include "stretch.h"

#include <string.h>

#include "engram/memory.h"
#include "perturbation.h"

void stretch_prepare(simulation *sim) {
    const size_t mine = (size_t)sim->part.mine;
    const double *bias = sim->network.bias;
    memory_free(sim->bias_alike), memory_free(sim->bias_single);
    sim->bias_alike = memory_new(MEMORY_STATE, mine / STRETCH + 1, sizeof(bool));
    for (int first = 0, end; first < sim->part.mine; first = end) {
        bool alike = true;
        end = stretch_end(sim, first);
        for (int i = first; i < end; i++) alike &= bias[i] == bias[first];
        sim->bias_alike[first / STRETCH] = alike;
    }
    sim->bias_single = neurons_are_single(sim->neurons) ? memory_new(MEMORY_STATE, mine, sizeof(float)) : NULL;
    for (int i = 0; i < sim->part.mine && sim->bias_single; i++) sim->bias_single[i] = (float)bias[i];
}

/** What else the drive takes up in a step: what spikes and background bring, which arrives, and current noise, which is told. */
static drive_noise from_outside(simulation *sim, const trial *trial, int64_t step, int first, int end) {
    static_input *arriving = &sim->drive->arriving;
    double *negative = arriving->inhibitory ? arriving->inhibitory : arriving->excitatory;
    arrivals_take(sim, first, end);
    if (sim->network.background) background_add(sim->network.background, trial->stream, step - 1, first, end, arriving->excitatory, negative);
    const double *normals = sim->current_noise ? neurons_noise(sim->neurons, trial->stream, step - 1, first, end) : NULL;
    return (drive_noise){normals, sim->current_noise};
}

void stretch_take_up(simulation *sim, const trial *trial, int64_t step, int first, int end) {
    _Alignas(64) double input[STRETCH]; /* not that of the next step: learning may still move the drive */
    const drive_noise noise = from_outside(sim, trial, step, first, end);
    drive_advance(sim->drive, &noise, first, end, sim->network.bias + first, 0, input);
}

/** Is the input from outside the same for all neurons of the stretch? */
static bool all_alike(const simulation *sim, const double *stimulus, int first) {
    return !stimulus && sim->bias_alike[first / STRETCH];
}

static void advance_double(simulation *sim, const trial *trial, int64_t step, const double *restrict stimulus, int first, int end) {
    const double *restrict bias = sim->network.bias;
    _Alignas(64) double input[STRETCH], outside[STRETCH]; /* whole cache lines, whole vectors */
    for (int i = first; i < end && stimulus; i++) outside[i - first] = bias[i] + stimulus[i];
    const double *restrict each = stimulus ? outside : bias + first;
    if (sim->drive->readout) {
        drive_total(sim->drive, first, end, input);
        for (int i = 0; i < end - first; i++) input[i] = each[i] + input[i];
    } else {
        const drive_noise noise = from_outside(sim, trial, step, first, end);
        drive_advance(sim->drive, &noise, first, end, all_alike(sim, stimulus, first) ? NULL : each, bias[first], input);
    }
    if (sim->perturbation) perturbation_add_noise(sim->perturbation, trial->stream, step - 1, first, end, input);
    if (sim->input) memcpy(sim->input + first, input, (size_t)(end - first) * sizeof *input);
    neurons_step(sim->neurons, trial->stream, step - 1, first, end, input);
}

/** The same in single precision, which the readout form has not. */
static void advance_single(simulation *sim, const trial *trial, int64_t step, const double *restrict stimulus, int first, int end) {
    const double *restrict bias = sim->network.bias;
    _Alignas(64) float input[STRETCH], outside[STRETCH];
    for (int i = first; i < end && stimulus; i++) outside[i - first] = (float)(bias[i] + stimulus[i]);
    const drive_noise noise = from_outside(sim, trial, step, first, end);
    const float *each = stimulus ? outside : sim->bias_single + first;
    drive_advance_single(sim->drive, &noise, first, end, all_alike(sim, stimulus, first) ? NULL : each, sim->bias_single[first], input);
    if (sim->perturbation) {
        double added[STRETCH] = {0};
        perturbation_add_noise(sim->perturbation, trial->stream, step - 1, first, end, added);
        for (int i = 0; i < end - first; i++) input[i] += (float)added[i];
    }
    for (int i = first; i < end && sim->input; i++) sim->input[i] = input[i - first];
    neurons_step_single(sim->neurons, trial->stream, step - 1, first, end, input);
}

void stretch_advance(simulation *sim, const trial *trial, int64_t step, const double *stimulus, int first, int end) {
    (neurons_are_single(sim->neurons) ? advance_single : advance_double)(sim, trial, step, stimulus, first, end);
}
