/* Bistable memory: dx/dt = rate x (a - x) (a + x) + c, attractors at +-a. Our form: a bistable attractor was shown by Alemi et al. 2018. */
#include "signals.h"

typedef struct { double rate, attractor; } parameters;

static const param params[] = {
    {"rate", PARAM_NUMBER, UNIT_RATE, "8 1/s", 0, 1e6, NULL, "in front of the cubic", offsetof(parameters, rate)},
    {"attractor", PARAM_NUMBER, UNIT_NONE, "0.5", 1e-6, 1e6, NULL, "the stable states are plus and minus this", offsetof(parameters, attractor)},
};
static const param_table table = {"bistable", "two stable states, 1 dimension", params, sizeof params / sizeof *params, sizeof(parameters)};

static status open_bistable(const signal_setting *setting, const void *raw, void **self) {
    (void)setting;
    parameters *mine = memory_new(MEMORY_TARGETS, 1, sizeof *mine);
    *mine = *(const parameters *)raw;
    *self = mine;
    return STATUS_OK;
}

static inline void field(const void *self, const double *x, double *f) {
    const parameters *p = self;
    f[0] = p->rate * x[0] * (p->attractor - x[0]) * (p->attractor + x[0]);
}

TEACHER_ADVANCE(1, field)

const teacher_kind teacher_bistable = {.parameters = &table, .dimensions = 1, .open = open_bistable, .close = memory_free, .field = field, .advance = advance,
                                       .box = (const double[]){1.1}};
