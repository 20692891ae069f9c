/* Damped pendulum, scaled: angle theta = 2 x1, w = 2 pi frequency; our form: a pendulum was shown by Alemi et al. 2018.
 *     dx1/dt = w x2,   dx2/dt = -w sin(2 x1)/2 - damping x2.
 * Without targets.initial a trial begins at rest at an angle uniform on +-spread; one that leaves the box is drawn anew (targets.limits). */
#include "signals.h"

typedef struct { double frequency, damping, spread; } parameters;

static const param params[] = {
    {"frequency", PARAM_NUMBER, UNIT_RATE, "0.5 Hz", 0, 1e6, NULL, "of small swings", offsetof(parameters, frequency)},
    {"damping", PARAM_NUMBER, UNIT_RATE, "0.6 1/s", 0, 1e6, NULL, "decay of the velocity", offsetof(parameters, damping)},
    {"spread", PARAM_NUMBER, UNIT_NONE, "2.4", 0, 3.141592653589793, NULL, "radians: a trial begins at an angle within plus and minus this",
     offsetof(parameters, spread)},
};
static const param_table table = {"pendulum", "damped pendulum, 2 dimensions: half the angle, and velocity", params, sizeof params / sizeof *params,
                                  sizeof(parameters)};

typedef struct { double w, damping, spread; uint64_t seed; } swing;

static status open_swing(const signal_setting *setting, const void *raw, void **self) {
    const parameters *p = raw;
    swing *swing = memory_new(MEMORY_TARGETS, 1, sizeof *swing);
    swing->w = SIGNALS_TURN * p->frequency;
    swing->damping = p->damping;
    swing->spread = p->spread;
    swing->seed = setting->seed;
    *self = swing;
    return STATUS_OK;
}

static inline void field(const void *self, const double *x, double *f) {
    const swing *swing = self;
    f[0] = swing->w * x[1];
    f[1] = -swing->w * sin(2 * x[0]) / 2 - swing->damping * x[1];
}

TEACHER_ADVANCE(2, field)

static void begin(void *self, int task, uint64_t stream, double *x) {
    const swing *swing = self;
    x[0] = swing->spread * (2 * random_uniform(swing->seed, RANDOM_TEACHER_START, 0, signals_counter(stream, (uint64_t)task)) - 1) / 2;
    x[1] = 0;
}

const teacher_kind teacher_pendulum = {.parameters = &table, .dimensions = 2, .open = open_swing, .close = memory_free, .field = field, .begin = begin,
                                       .advance = advance, .box = (const double[]){1.4, 1.4}, .limits = (const double[]){1.45, 0}};
