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

/** Sums of weights that reach a stretch, in its precision. */
typedef struct { union { _Alignas(64) double in_double[STRETCH]; float in_single[STRETCH]; } excitatory, inhibitory; static_input at; } sums;

/** What the drive takes up in a step: what spikes and background bring, and current noise. @param[out] taken for what is not in the drive's own arrays */
static drive_told from_outside(simulation *sim, const trial *trial, int64_t step, int first, int end, sums *taken) {
    const static_input arriving = static_input_from(&sim->drive->arriving, first);
    const bool single = sim->drive->single;
    drive_told told = {.sd = sim->current_noise, .sd_single = sim->current_noise_single};
    taken->at = arriving; /* counts stay where they are */
    taken->at.excitatory = arriving.excitatory && !single ? taken->excitatory.in_double : NULL;
    taken->at.inhibitory = arriving.inhibitory && !single ? taken->inhibitory.in_double : NULL;
    taken->at.excitatory_single = arriving.excitatory && single ? taken->excitatory.in_single : NULL;
    taken->at.inhibitory_single = arriving.inhibitory && single ? taken->inhibitory.in_single : NULL;
    bool here = arrivals_take(sim, first, end, &taken->at);
    if (!here && single && arriving.excitatory) { /* whatever form the synapses of this rank have, what is added is added in single precision */
        drive_take_single(sim->drive, first, end, &taken->at);
        here = true;
    }
    if (here && arriving.excitatory) told.arrived = &taken->at;
    if (sim->network.background) background_add(sim->network.background, trial->stream, step - 1, first, end, here ? &taken->at : &arriving);
    if (sim->current_noise) told.normals = neurons_noise(sim->neurons, trial->stream, step - 1, first, end);
    if (sim->current_noise_single) told.normals_single = neurons_noise_single(sim->neurons, trial->stream, step - 1, first, end);
    return told;
}

void stretch_take_up(simulation *sim, const trial *trial, int64_t step, int first, int end) {
    _Alignas(64) double input[STRETCH]; /* not that of the next step: learning may still move the drive */
    sums taken;
    const drive_told told = from_outside(sim, trial, step, first, end, &taken);
    drive_advance(sim->drive, &told, first, end, sim->network.bias + first, 0, input);
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
        sums taken;
        const drive_told told = from_outside(sim, trial, step, first, end, &taken);
        drive_advance(sim->drive, &told, first, end, all_alike(sim, stimulus, first) ? NULL : each, bias[first], input);
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
    sums taken;
    const drive_told told = from_outside(sim, trial, step, first, end, &taken);
    const float *each = stimulus ? outside : sim->bias_single + first;
    drive_advance_single(sim->drive, &told, first, end, all_alike(sim, stimulus, first) ? NULL : each, sim->bias_single[first], input);
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
