/* Evidence accumulation (Bellec et al. 2020; NEST's example of e-prop): cues on the left and on the right, one after another; after a delay the readouts say on
 * which side there were more. One side is chosen for a sample, and each cue comes from it with probability `reliability`. Four groups of Poisson inputs:
 * left, right, recall, noise. The label is the side that had more cues. */
#include <math.h>
#include <stdio.h>

#include "encoders.h"
#include "engram/memory.h"

enum { GROUPS = 4, RECALL = 2, NOISE = 3, CUES_MAX = 255, DRAW_SIDE = 0, DRAW_CUE = 1 };

typedef struct {
    int64_t cues, channels;
    double cue, gap, delay, recall, rate, noise_rate, reliability;
} parameters;

static const param params[] = {
    {"cues", PARAM_INTEGER, UNIT_NONE, "7", 1, CUES_MAX, NULL, "of a sample, an odd number", offsetof(parameters, cues)},
    {"cue", PARAM_NUMBER, UNIT_TIME, "100 ms", 1e-3, 1e6, NULL, "how long a cue is shown", offsetof(parameters, cue)},
    {"gap", PARAM_NUMBER, UNIT_TIME, "50 ms", 1e-3, 1e6, NULL, "between cues", offsetof(parameters, gap)},
    {"delay", PARAM_NUMBER, UNIT_TIME, "1050 ms", 1e-3, 1e6, NULL, "between the last cue and recall", offsetof(parameters, delay)},
    {"recall", PARAM_NUMBER, UNIT_TIME, "150 ms", 1e-3, 1e6, NULL, "how long recall lasts; readouts are averaged over it", offsetof(parameters, recall)},
    {"channels", PARAM_INTEGER, UNIT_NONE, "10", 1, 10000, NULL, "inputs of each of the four groups (left, right, recall, noise)",
     offsetof(parameters, channels)},
    {"rate", PARAM_NUMBER, UNIT_RATE, "40 Hz", 1e-6, 1e6, NULL, "of inputs whose cue is shown", offsetof(parameters, rate)},
    {"noise_rate", PARAM_NUMBER, UNIT_RATE, "10 Hz", 0, 1e6, NULL, "of the group noise, all the time", offsetof(parameters, noise_rate)},
    {"reliability", PARAM_NUMBER, UNIT_NONE, "0.7", 0.5, 1, NULL, "probability of a cue on the chosen side", offsetof(parameters, reliability), MAY_TEST},
};
static const param_table table = {"evidence", "cues left and right, and later: on which side were more?", params, sizeof params / sizeof *params,
                                  sizeof(parameters)};

typedef struct {
    uint64_t seed;
    int cues, channels, cue, gap, delay, recall; /* steps */
    double chance, noise, reliability;
} evidence;

static int steps_of(const task_setting *setting, double ms) {
    return (int)llround(ms / setting->dt);
}

static status check(const task_setting *setting, const void *raw) {
    const parameters *p = raw;
    const struct { const char *key; double value; } times[] = {{"cue", p->cue}, {"gap", p->gap}, {"delay", p->delay}, {"recall", p->recall}};
    const struct { const char *key; double value; } rates[] = {{"rate", p->rate}, {"noise_rate", p->noise_rate}};
    status result = STATUS_OK;
    for (size_t t = 0; t < sizeof times / sizeof *times; t++)
        result = status_worse(result, config_check_steps(setting->config, TASK_SECTION, times[t].key, times[t].value, setting->dt));
    for (size_t r = 0; r < sizeof rates / sizeof *rates; r++)
        if (rates[r].value / 1000 * setting->dt >= 1)
            result = config_complain(setting->config, TASK_SECTION, rates[r].key, "%g Hz is %g spikes a step; less than 1 is possible", rates[r].value,
                                     rates[r].value / 1000 * setting->dt);
    if (p->cues % 2 == 0) result = config_complain(setting->config, TASK_SECTION, "cues", "%lld can be as many on both sides; an odd number is wanted",
                                                   (long long)p->cues);
    return result;
}

static status shape_of(const task_setting *setting, const void *raw, task_shape *shape) {
    const parameters *p = raw;
    const int recall = steps_of(setting, p->recall);
    const int steps = (int)p->cues * (steps_of(setting, p->cue) + steps_of(setting, p->gap)) - steps_of(setting, p->gap) + steps_of(setting, p->delay) + recall;
    *shape = (task_shape){.inputs = GROUPS * (int)p->channels, .outputs = 2, .steps = steps, .reads = 1, .read_steps = recall,
                          .bytes = (int64_t)sizeof(evidence)};
    const double cued = (double)p->cues * steps_of(setting, p->cue) + recall;
    shape->shown = (p->rate * cued / steps + p->noise_rate) / GROUPS / 1000 * setting->dt;
    return STATUS_OK;
}

static status open_task(const task_setting *setting, const void *raw, const task_shape *shape, void **self, char about[TASK_TEXT_BYTES]) {
    const parameters *p = raw;
    evidence *task = *self = memory_new(MEMORY_TARGETS, 1, sizeof *task);
    *task = (evidence){.seed = setting->seed, .cues = (int)p->cues, .channels = (int)p->channels, .cue = steps_of(setting, p->cue),
                       .gap = steps_of(setting, p->gap), .delay = steps_of(setting, p->delay), .recall = shape->read_steps,
                       .chance = p->rate / 1000 * setting->dt, .noise = p->noise_rate / 1000 * setting->dt, .reliability = p->reliability};
    snprintf(about, TASK_TEXT_BYTES, "%d cues of %g ms, %g ms before recall", task->cues, p->cue, p->delay);
    return STATUS_OK;
}

static void show(const evidence *task, const task_sample *sample, uint64_t number, int group, encoder_span span) {
    for (int c = 0; c < task->channels; c++) {
        span.channel = group * task->channels + c, span.inputs = GROUPS * task->channels;
        encode_poisson(sample, span, group == NOISE ? task->noise : task->chance, (encoder_draws){task->seed, number});
    }
}

static void draw_sample(void *raw, task_pick pick, const task_sample *sample) {
    const evidence *task = raw;
    const uint64_t number = task_sample_id(pick);
    const int side = random_uniform(task->seed, RANDOM_TASK, number, DRAW_SIDE) < 0.5, each = task->cue + task->gap;
    const int cues_end = task->cues * each - task->gap, recall = cues_end + task->delay;
    int right = 0;
    for (int c = 0; c < task->cues; c++) {
        const int other = random_uniform(task->seed, RANDOM_TASK, number, (uint64_t)(DRAW_CUE + c)) >= task->reliability, shown = side ^ other;
        right += shown;
        show(task, sample, number, shown, (encoder_span){.first = c * each, .steps = task->cue});
    }
    show(task, sample, number, RECALL, (encoder_span){.first = recall, .steps = task->recall});
    show(task, sample, number, NOISE, (encoder_span){.first = 0, .steps = recall + task->recall});
    sample->label[0] = 2 * right > task->cues;
}

const task_kind task_evidence = {.parameters = &table, .check = check, .shape = shape_of, .open = open_task, .close = memory_free, .draw = draw_sample};
