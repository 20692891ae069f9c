/* Exclusive or of two pulses that are remembered (Huh & Sejnowski 2018): input 0 shows two pulses of either sign, input 1 asks for the answer: a pulse,
 * positive if their signs differ, negative if they are the same; none if there was only one. Gaps between pulses are drawn, up to a length that grows
 * while the task is learned: a curriculum.
 *
 * A pulse is (1 - cos 2 pi t/pulse)/2. LEAD ms, pulse, gap, pulse, gap, question, `wait`, answer; gaps uniform in gap_from .. the longest of now. That grows by
 * `raise` when the mean of what is read right (exponential, MEMORY) passes raise_at, which sets the mean back by BACK. Tests: gap_to. */
#include <math.h>
#include <stdio.h>

#include "encoders.h"
#include "engram/memory.h"

enum { CHANNELS = 2, CLASSES = 3, NONE = 1 };
enum { DRAW_FIRST, DRAW_SECOND, DRAW_GAP, DRAW_ASK, DRAW_LONE, DRAW_WHICH };
static const double LEAD = 10, MEMORY = 0.95, BACK = 0.03, CUT = 0.5, MEAN = 0.5;

typedef struct { double gap_from, gap_to, raise, raise_at, pulse, wait, lone, weight; } parameters;

static const param params[] = {
    {"gap_from", PARAM_NUMBER, UNIT_TIME, "10 ms", 0, 1e6, NULL, "shortest gap between pulses, and the longest that training begins with",
     offsetof(parameters, gap_from)},
    {"gap_to", PARAM_NUMBER, UNIT_TIME, "40 ms", 0, 1e6, NULL, "longest gap, which the curriculum may reach and tests have", offsetof(parameters, gap_to)},
    {"raise", PARAM_NUMBER, UNIT_TIME, "1 ms", 1e-6, 1e6, NULL, "of the longest gap of training at a time", offsetof(parameters, raise)},
    {"raise_at", PARAM_NUMBER, UNIT_NONE, "0.85", 0, 1, NULL,
     "part of the samples that is read right at which it is raised", offsetof(parameters, raise_at)},
    {"pulse", PARAM_NUMBER, UNIT_TIME, "50 ms", 1e-3, 1e6, NULL, "duration of a pulse", offsetof(parameters, pulse)},
    {"wait", PARAM_NUMBER, UNIT_TIME, "20 ms", 0, 1e6, NULL, "from the end of the question to the answer", offsetof(parameters, wait)},
    {"lone", PARAM_NUMBER, UNIT_NONE, "0.2", 0, 1, NULL, "part of the samples with one pulse only", offsetof(parameters, lone)},
    {"weight", PARAM_NUMBER, UNIT_NONE, "3", 0, 1e6, NULL, "of errors during the answer; 1 elsewhere", offsetof(parameters, weight)},
};
static const param_table table = {"delayed_xor", "the exclusive or of two pulses is asked for later", params,
                                  sizeof params / sizeof *params, sizeof(parameters)};

typedef struct {
    parameters is;
    uint64_t seed;
    double dt;
    int steps, pulse, wait;  /* steps */
    double longest, mean;    /* ms that gaps of training have at most; of what is read right */
} delayed_xor;

static status check(const task_setting *setting, const void *raw) {
    const parameters *p = raw;
    status result = config_check_steps(setting->config, TASK_SECTION, "pulse", p->pulse, setting->dt);
    if (p->gap_from > p->gap_to)
        result = config_complain(setting->config, TASK_SECTION, "gap_from", "%g ms is more than gap_to, %g ms", p->gap_from, p->gap_to);
    return result;
}

static int steps_of(double ms, double dt) {
    return (int)llround(ms / dt);
}

static status shape_of(const task_setting *setting, const void *raw, task_shape *shape) {
    const parameters *p = raw;
    const double dt = setting->dt;
    *shape = (task_shape){.inputs = CHANNELS, .outputs = 1, .classes = CLASSES, .reads = 1, .bytes = (int64_t)sizeof(delayed_xor),
                          .steps = steps_of(LEAD, dt) + 4 * steps_of(p->pulse, dt) + 2 * steps_of(p->gap_to, dt) + steps_of(p->wait, dt)};
    return STATUS_OK;
}

static status open_task(const task_setting *setting, const void *raw, const task_shape *shape, void **self, char about[TASK_TEXT_BYTES]) {
    const parameters *p = raw;
    delayed_xor *task = *self = memory_new(MEMORY_TARGETS, 1, sizeof *task);
    *task = (delayed_xor){.is = *p, .seed = setting->seed, .dt = setting->dt, .steps = shape->steps, .pulse = steps_of(p->pulse, setting->dt),
                          .wait = steps_of(p->wait, setting->dt), .longest = p->gap_from};
    snprintf(about, TASK_TEXT_BYTES, "gaps of %g to %g ms", p->gap_from, p->gap_to);
    return STATUS_OK;
}

/** A pulse of a sign, from a step on. @param stride between steps */
static void add_pulse(const delayed_xor *task, float *to, int stride, int first, double sign) {
    for (int t = 0; t < task->pulse; t++)
        to[(first + t) * stride] += (float)(sign * (1 - cos(2 * M_PI * t / task->pulse)) / 2);
}

static void draw_sample(void *raw, task_pick pick, const task_sample *sample) {
    const delayed_xor *task = raw;
    const uint64_t id = task_sample_id(pick);
    double drawn[DRAW_WHICH + 1], sign[2];
    for (int d = 0; d <= DRAW_WHICH; d++) drawn[d] = random_uniform(task->seed, RANDOM_TASK, id, (uint64_t)d);
    const double most = (pick.set == TASK_TEST ? task->is.gap_to : task->longest) - task->is.gap_from;
    for (int k = 0; k < 2; k++) sign[k] = drawn[DRAW_FIRST + k] < 0.5 ? -1 : 1;
    const bool lone = drawn[DRAW_LONE] < task->is.lone;
    const double answer = lone ? 0 : sign[0] != sign[1] ? 1 : -1;
    if (lone) sign[drawn[DRAW_WHICH] < 0.5] = 0;
    const int first = steps_of(LEAD, task->dt), second = first + task->pulse + steps_of(task->is.gap_from + most * drawn[DRAW_GAP], task->dt);
    const int asked = second + task->pulse + steps_of(task->is.gap_from + most * drawn[DRAW_ASK], task->dt), read = asked + task->pulse + task->wait;
    float *values = sample->values + sample->lane;
    add_pulse(task, values, CHANNELS * TASK_LANES, first, sign[0]);
    add_pulse(task, values, CHANNELS * TASK_LANES, second, sign[1]);
    add_pulse(task, values + TASK_LANES, CHANNELS * TASK_LANES, asked, 1);
    add_pulse(task, sample->target + sample->lane, TASK_LANES, read, answer);
    for (int t = 0; t < task->steps; t++)
        sample->weight[t * TASK_LANES + sample->lane] = t >= read && t < read + task->pulse ? (float)task->is.weight : 1;
    sample->label[0] = NONE + (int)answer;
    sample->window[0] = read, sample->window[1] = read + task->pulse;
}

static int said(void *raw, const task_sample *sample, const float *output) {
    (void)raw;
    double sum = 0;
    for (int t = sample->window[0]; t < sample->window[1]; t++) sum += output[t * TASK_LANES + sample->lane];
    const double mean = sum / (sample->window[1] - sample->window[0]) / MEAN;
    return NONE + (mean > CUT) - (mean < -CUT);
}

static void learned(void *raw, double right) {
    delayed_xor *task = raw;
    task->mean = MEMORY * task->mean + (1 - MEMORY) * right;
    if (task->mean <= task->is.raise_at || task->longest >= task->is.gap_to) return;
    task->longest = fmin(task->longest + task->is.raise, task->is.gap_to);
    task->mean = task->is.raise_at - BACK;
}

static void list_state(void *raw, state_list *list) {
    delayed_xor *task = raw;
    state_add(list, "task", "longest_gap", H5_FLOAT64, LAYOUT_SHARED, 1, &task->longest);
    state_add(list, "task", "mean_right", H5_FLOAT64, LAYOUT_SHARED, 1, &task->mean);
}

static double difficulty(const void *raw) {
    return ((const delayed_xor *)raw)->longest;
}

const task_kind task_delayed_xor = {.parameters = &table, .check = check, .shape = shape_of, .open = open_task, .close = memory_free, .draw = draw_sample,
                                    .gives = TASK_VALUES | TASK_TARGETS, .said = said, .learned = learned, .state = list_state, .difficulty = difficulty};
