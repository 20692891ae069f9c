#include "engram/stimulus.h"

#include <math.h>
#include <string.h>

#include "engram/memory.h"
#include "engram/random.h"

static const param common_params[] = {
    {"start", PARAM_NUMBER, UNIT_TIME, "800 ms", 0, 1e9, NULL, "start of the stimulus, from the start of a loop", offsetof(stimulus_settings, start)},
    {"stop", PARAM_NUMBER, UNIT_TIME, "1000 ms", 0, 1e9, NULL, "end of the stimulus and start of the target window", offsetof(stimulus_settings, stop)},
    {"noise_sd", PARAM_NUMBER, UNIT_NONE, "0", 0, 1e6, NULL,
     "from the end of the stimulus on: SD of frozen noise, an Ornstein-Uhlenbeck path for each neuron and task, the same in every loop and test",
     offsetof(stimulus_settings, noise_sd), MAY_TEST},
    {"noise_tau", PARAM_NUMBER, UNIT_TIME, "20 ms", 1e-3, 1e9, NULL, "its correlation time", offsetof(stimulus_settings, noise_tau), MAY_TEST},
};
const param_table stimulus_common = {"stimulus", "external input that cues a task", common_params, sizeof common_params / sizeof *common_params,
                                     sizeof(stimulus_settings)};

stimulus *stimulus_new(config *config, partition part, uint64_t seed, double dt) {
    stimulus *stimulus = memory_new(MEMORY_TARGETS, 1, sizeof *stimulus);
    stimulus->kind = stimulus_kinds[config_variant_index(config, "stimulus")];
    stimulus->parameters = config_variant(config, "stimulus");
    stimulus->settings = config_common(config, "stimulus");
    stimulus->part = part;
    stimulus->seed = seed;
    stimulus->dt = dt;
    stimulus->on = llround(stimulus->settings->start / dt);
    stimulus->off = llround(stimulus->settings->stop / dt);
    stimulus->value = memory_new(MEMORY_TARGETS, (size_t)part.mine, sizeof(double));
    stimulus->noise = memory_new(MEMORY_TARGETS, 4 * (size_t)part.mine, sizeof(double));
    return stimulus;
}

void stimulus_free(stimulus *stimulus) {
    if (!stimulus) return;
    memory_free(stimulus->value);
    memory_free(stimulus->noise);
    memory_free(stimulus);
}

int64_t stimulus_last(const stimulus *stimulus, int64_t loop_steps) {
    if (stimulus->settings->noise_sd > 0) return loop_steps;
    return stimulus->kind->next && stimulus->off > stimulus->on ? stimulus->off : 0;
}

/** Frozen noise: x <- a x + sd sqrt(1 - a^2) xi, a = exp(-dt/tau), exact for any dt, from its stationary distribution. @param sample 1, 2, ... */
static const double *window_noise(stimulus *stimulus, int task, int64_t sample) {
    int mine = stimulus->part.mine;
    int64_t draw = sample - 1;
    if ((draw & 3) == 0)
        random_noise(stimulus->seed, RANDOM_WINDOW_NOISE, (uint64_t)stimulus->part.first, mine, ((uint64_t)task << 40) + (uint64_t)(draw >> 2), mine,
                     stimulus->noise);
    const double *restrict xi = stimulus->noise + (draw & 3) * mine;
    double *restrict x = stimulus->value;
    const double sd = stimulus->settings->noise_sd, keep = draw ? exp(-stimulus->dt / stimulus->settings->noise_tau) : 0, kick = sd * sqrt(1 - keep * keep);
    if (!draw) memset(x, 0, (size_t)mine * sizeof *x);
    for (int i = 0; i < mine; i++) x[i] = keep * x[i] + kick * xi[i];
    return x;
}

const double *stimulus_at(stimulus *stimulus, int task, int64_t step) {
    if (step > stimulus->off && stimulus->settings->noise_sd > 0) return window_noise(stimulus, task, step - stimulus->off);
    if (!stimulus->kind->next || step <= stimulus->on || step > stimulus->kind->last(stimulus)) return NULL;
    if (step == stimulus->on + 1) {
        stimulus->task = task;
        stimulus->kind->begin(stimulus);
    }
    stimulus->kind->next(stimulus, step - stimulus->on);
    return stimulus->value;
}
