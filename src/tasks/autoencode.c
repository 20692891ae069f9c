/* Autoencoding of an oscillation (Huh & Sejnowski 2018): readouts are to follow a point that goes round a circle, which is what the inputs show.
 *
 * x(t) = A (cos(2 pi f t + phase), +-sin(2 pi f t + phase)); A, f, phase and the sense of rotation are drawn for each sample. Errors count after `ignored`. */
#include <math.h>
#include <stdio.h>

#include "encoders.h"
#include "engram/memory.h"

enum { PLANE = 2 };
enum { DRAW_FREQUENCY, DRAW_AMPLITUDE, DRAW_PHASE, DRAW_SENSE };

typedef struct { double duration, ignored, slowest, fastest, smallest, largest; } parameters;

static const param params[] = {
    {"duration", PARAM_NUMBER, UNIT_TIME, "400 ms", 1e-3, 1e6, NULL, "of a sample", offsetof(parameters, duration)},
    {"ignored", PARAM_NUMBER, UNIT_TIME, "50 ms", 0, 1e6, NULL, "at its begin, in which errors do not count", offsetof(parameters, ignored)},
    {"slowest", PARAM_NUMBER, UNIT_RATE, "1 Hz", 0, 1e6, NULL, "oscillation", offsetof(parameters, slowest)},
    {"fastest", PARAM_NUMBER, UNIT_RATE, "5 Hz", 0, 1e6, NULL, "oscillation", offsetof(parameters, fastest)},
    {"smallest", PARAM_NUMBER, UNIT_NONE, "0.6", 0, 1e6, NULL, "amplitude", offsetof(parameters, smallest)},
    {"largest", PARAM_NUMBER, UNIT_NONE, "1.2", 1e-9, 1e6, NULL, "amplitude", offsetof(parameters, largest)},
};
static const param_table table = {"autoencode", "an oscillation in the plane is followed", params, sizeof params / sizeof *params, sizeof(parameters)};

typedef struct {
    parameters is;
    uint64_t seed;
    double dt;
    int steps, ignored;
} autoencode;

static status check(const task_setting *setting, const void *raw) {
    const parameters *p = raw;
    status result = config_check_steps(setting->config, TASK_SECTION, "duration", p->duration, setting->dt);
    if (p->ignored >= p->duration)
        result = config_complain(setting->config, TASK_SECTION, "ignored", "%g ms of %g ms: no error would count", p->ignored, p->duration);
    if (p->slowest > p->fastest)
        result = config_complain(setting->config, TASK_SECTION, "slowest", "%g Hz is more than fastest, %g Hz", p->slowest, p->fastest);
    if (p->smallest > p->largest) result = config_complain(setting->config, TASK_SECTION, "smallest", "%g is more than largest, %g", p->smallest, p->largest);
    return result;
}

static status shape_of(const task_setting *setting, const void *raw, task_shape *shape) {
    const parameters *p = raw;
    *shape = (task_shape){.inputs = PLANE, .outputs = PLANE, .steps = (int)llround(p->duration / setting->dt), .bytes = (int64_t)sizeof(autoencode)};
    return STATUS_OK;
}

static status open_task(const task_setting *setting, const void *raw, const task_shape *shape, void **self, char about[TASK_TEXT_BYTES]) {
    const parameters *p = raw;
    autoencode *task = *self = memory_new(MEMORY_TARGETS, 1, sizeof *task);
    *task = (autoencode){.is = *p, .seed = setting->seed, .dt = setting->dt, .steps = shape->steps, .ignored = (int)ceil(p->ignored / setting->dt - 1e-9)};
    snprintf(about, TASK_TEXT_BYTES, "%g ms of %g to %g Hz", p->duration, p->slowest, p->fastest);
    return STATUS_OK;
}

static void draw_sample(void *raw, task_pick pick, const task_sample *sample) {
    const autoencode *task = raw;
    const uint64_t id = task_sample_id(pick);
    double drawn[DRAW_SENSE + 1];
    for (int d = 0; d <= DRAW_SENSE; d++) drawn[d] = random_uniform(task->seed, RANDOM_TASK, id, (uint64_t)d);
    const double frequency = (task->is.slowest + (task->is.fastest - task->is.slowest) * drawn[DRAW_FREQUENCY]) / 1000;
    const double amplitude = task->is.smallest + (task->is.largest - task->is.smallest) * drawn[DRAW_AMPLITUDE];
    const double sense = drawn[DRAW_SENSE] < 0.5 ? -1 : 1;
    for (int t = 0; t <= task->steps; t++) {
        const double angle = 2 * M_PI * (frequency * t * task->dt + drawn[DRAW_PHASE]);
        const float point[PLANE] = {(float)(amplitude * cos(angle)), (float)(sense * amplitude * sin(angle))};
        for (int d = 0; d < PLANE; d++) {
            if (t < task->steps) sample->values[(t * PLANE + d) * TASK_LANES + sample->lane] = point[d];
            if (t > 0) sample->target[((t - 1) * PLANE + d) * TASK_LANES + sample->lane] = point[d];
        }
        if (t > task->ignored) sample->weight[(t - 1) * TASK_LANES + sample->lane] = 1;
    }
}

const task_kind task_autoencode = {.parameters = &table, .check = check, .shape = shape_of, .open = open_task, .close = memory_free, .draw = draw_sample,
                                   .gives = TASK_VALUES | TASK_TARGETS};
