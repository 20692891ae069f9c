#include "engram/stimulus.h"

#include <math.h>
#include <string.h>

#include "engram/memory.h"

static const param common_params[] = {
    {"start", PARAM_NUMBER, UNIT_TIME, "800 ms", 0, 1e9, NULL, "start of the stimulus, from the start of a loop", offsetof(stimulus_settings, start)},
    {"stop", PARAM_NUMBER, UNIT_TIME, "1000 ms", 0, 1e9, NULL, "end of the stimulus and start of the target window", offsetof(stimulus_settings, stop)},
};
const param_table stimulus_common = {"stimulus", "external input that cues a task", common_params, 2, sizeof(stimulus_settings)};

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

const double *stimulus_at(stimulus *stimulus, int task, int64_t step) {
    if (!stimulus->kind->next || step <= stimulus->on || step > stimulus->kind->last(stimulus)) return NULL;
    if (step == stimulus->on + 1) {
        stimulus->task = task;
        stimulus->kind->begin(stimulus);
    }
    stimulus->kind->next(stimulus, step - stimulus->on);
    return stimulus->value;
}
