/* Oscillations out of the network itself (pattern generation of Bellec et al. 2020): every readout is to follow a sum of sines that is the same in all samples,
 * y(t) = sum of amplitude sin(2 pi frequency t + phase), while the input tells only where in the sample it is, or no more than that it begins. Amplitudes and
 * phases are drawn for each readout and frequency; a readout is scaled so that its amplitudes add up to 1. */
#include <math.h>
#include <stdio.h>

#include "encoders.h"
#include "engram/memory.h"

enum { INPUT_CLOCK, INPUT_PULSE, FREQUENCIES_MAX = 256 };
enum { DRAW_AMPLITUDE, DRAW_PHASE };
#define OF_ALL_SAMPLES UINT64_MAX /* no sample has that number */

typedef struct {
    double duration, rate, pulse, ignored, smallest;
    param_numbers frequencies, phases;
    int64_t outputs, channels, parts;
    int input;
} parameters;

static const param params[] = {
    {"duration", PARAM_NUMBER, UNIT_TIME, "1 s", 1, 6e4, NULL, "of a sample", offsetof(parameters, duration)},
    {"frequencies", PARAM_NUMBERS, UNIT_RATE, "[1, 2, 3, 5]", 1e-3, 500, NULL, "of the sines that a readout is the sum of", offsetof(parameters, frequencies)},
    {"phases", PARAM_NUMBERS, UNIT_NONE, "[]", -1e3, 1e3, NULL, "of each frequency, in turns; []: drawn, for each readout", offsetof(parameters, phases)},
    {"smallest", PARAM_NUMBER, UNIT_NONE, "0.25", 0, 1, NULL, "amplitudes are drawn between this and 1, then scaled; 1: all the same",
     offsetof(parameters, smallest)},
    {"outputs", PARAM_INTEGER, UNIT_NONE, "1", 1, 1000, NULL, "readouts", offsetof(parameters, outputs)},
    {"input", PARAM_CHOICE, UNIT_NONE, "clock", 0, 0, "clock pulse", "groups of channels fire one after another; or all do, at the start",
     offsetof(parameters, input)},
    {"parts", PARAM_INTEGER, UNIT_NONE, "5", 1, 1000, NULL, "of a clock: groups of channels, one for each part of the sample", offsetof(parameters, parts)},
    {"channels", PARAM_INTEGER, UNIT_NONE, "4", 1, 10000, NULL, "of a group", offsetof(parameters, channels)},
    {"rate", PARAM_NUMBER, UNIT_RATE, "100 Hz", 1e-6, 1e6, NULL, "of a channel that fires", offsetof(parameters, rate)},
    {"pulse", PARAM_NUMBER, UNIT_TIME, "50 ms", 1, 6e4, NULL, "how long channels fire at the start", offsetof(parameters, pulse)},
    {"ignored", PARAM_NUMBER, UNIT_TIME, "0 ms", 0, 6e4, NULL, "at the begin, in which errors do not count", offsetof(parameters, ignored)},
};
static const param_table table = {"oscillation", "readouts follow sums of sines", params, sizeof params / sizeof *params, sizeof(parameters)};

typedef struct {
    uint64_t seed;
    int steps, outputs, groups, channels, pulse, ignored; /* pulse: steps; 0: a clock */
    double chance;
    float *target;                /* [steps][outputs] */
} oscillation;

static status check(const task_setting *setting, const void *raw) {
    const parameters *p = raw;
    config *config = setting->config;
    status result = config_check_steps(config, TASK_SECTION, "duration", p->duration, setting->dt);
    if (p->rate / 1000 * setting->dt >= 1)
        result = config_complain(config, TASK_SECTION, "rate", "%g Hz is %g spikes a step; less than 1 is possible", p->rate, p->rate / 1000 * setting->dt);
    if (p->frequencies.count < 1 || p->frequencies.count > FREQUENCIES_MAX)
        result = config_complain(config, TASK_SECTION, "frequencies", "%d of them; allowed are 1 to %d", p->frequencies.count, FREQUENCIES_MAX);
    if (p->phases.count && p->phases.count != p->frequencies.count)
        result = config_complain(config, TASK_SECTION, "phases", "%d of them, but there are %d frequencies", p->phases.count, p->frequencies.count);
    if (p->input == INPUT_PULSE && p->pulse > p->duration)
        result = config_complain(config, TASK_SECTION, "pulse", "%g ms is more than duration, %g ms", p->pulse, p->duration);
    if (p->input == INPUT_CLOCK && (double)p->parts * setting->dt > p->duration)
        result = config_complain(config, TASK_SECTION, "parts", "%lld parts of %g ms; a part has a step at least", (long long)p->parts, p->duration);
    if (p->ignored >= p->duration)
        result = config_complain(config, TASK_SECTION, "ignored", "%g ms of %g ms: no error would count", p->ignored, p->duration);
    return result;
}

static status shape_of(const task_setting *setting, const void *raw, task_shape *shape) {
    const parameters *p = raw;
    const int groups = p->input == INPUT_CLOCK ? (int)p->parts : 1;
    *shape = (task_shape){.inputs = groups * (int)p->channels, .outputs = (int)p->outputs, .steps = (int)llround(p->duration / setting->dt)};
    shape->shown = p->rate / 1000 * setting->dt * (p->input == INPUT_PULSE ? p->pulse / p->duration : 1.0 / groups);
    shape->bytes = (int64_t)sizeof(oscillation) + (int64_t)shape->steps * shape->outputs * (int64_t)sizeof(float);
    return STATUS_OK;
}

/** What readout @p output is to follow. */
static void make_target(oscillation *task, const parameters *p, double dt, int output) {
    const int count = p->frequencies.count;
    double amplitude[FREQUENCIES_MAX], phase[FREQUENCIES_MAX], total = 0;
    for (int f = 0; f < count; f++) {
        const uint64_t base = (uint64_t)output << 32 | (uint64_t)f << 1;
        amplitude[f] = p->smallest + (1 - p->smallest) * random_uniform(task->seed, RANDOM_TASK, OF_ALL_SAMPLES, base | DRAW_AMPLITUDE);
        phase[f] = p->phases.count ? p->phases.values[f] : random_uniform(task->seed, RANDOM_TASK, OF_ALL_SAMPLES, base | DRAW_PHASE);
        total += amplitude[f];
    }
    for (int t = 0; t < task->steps; t++) {
        double y = 0;
        for (int f = 0; f < count; f++) y += amplitude[f] / total * sin(2 * M_PI * (p->frequencies.values[f] / 1000 * (t + 1) * dt + phase[f]));
        task->target[(size_t)t * (size_t)task->outputs + (size_t)output] = (float)y;
    }
}

static status open_task(const task_setting *setting, const void *raw, const task_shape *shape, void **self, char about[TASK_TEXT_BYTES]) {
    const parameters *p = raw;
    oscillation *task = *self = memory_new(MEMORY_TARGETS, 1, sizeof *task);
    const bool clock = p->input == INPUT_CLOCK;
    *task = (oscillation){.seed = setting->seed, .steps = shape->steps, .outputs = shape->outputs, .channels = (int)p->channels,
                          .groups = clock ? (int)p->parts : 1, .pulse = clock ? 0 : (int)llround(p->pulse / setting->dt),
                          .ignored = (int)ceil(p->ignored / setting->dt - 1e-9), .chance = p->rate / 1000 * setting->dt};
    task->target = memory_new(MEMORY_TARGETS, (size_t)shape->steps * (size_t)shape->outputs, sizeof(float));
    for (int o = 0; o < task->outputs; o++) make_target(task, p, setting->dt, o);
    snprintf(about, TASK_TEXT_BYTES, "%d sine%s in %g ms out of a %s", p->frequencies.count, p->frequencies.count > 1 ? "s" : "", p->duration,
             clock ? "clock" : "pulse");
    return STATUS_OK;
}

static void close_task(void *raw) {
    oscillation *task = raw;
    memory_free(task->target);
    memory_free(task);
}

static void draw_sample(void *raw, task_pick pick, const task_sample *sample) {
    const oscillation *task = raw;
    const encoder_draws draws = {task->seed, task_sample_id(pick)};
    for (int group = 0; group < task->groups; group++)
        for (int c = 0; c < task->channels; c++) {
            const int64_t first = (int64_t)task->steps * group / task->groups, end = (int64_t)task->steps * (group + 1) / task->groups;
            const encoder_span span = {.channel = group * task->channels + c, .inputs = task->groups * task->channels, .first = (int)first,
                                       .steps = task->pulse ? task->pulse : (int)(end - first)};
            encode_poisson(sample, span, task->chance, draws);
        }
    for (int t = 0; t < task->steps; t++) {
        for (int o = 0; o < task->outputs; o++)
            sample->target[((size_t)t * (size_t)task->outputs + (size_t)o) * TASK_LANES + (size_t)sample->lane] =
                task->target[(size_t)t * (size_t)task->outputs + (size_t)o];
        sample->weight[t * TASK_LANES + sample->lane] = t >= task->ignored;
    }
}

const task_kind task_oscillation = {.parameters = &table, .check = check, .shape = shape_of, .open = open_task, .close = close_task, .draw = draw_sample,
                                    .gives = TASK_SPIKES | TASK_TARGETS};
