/* dx/dt = -rate x + c, in any number of dimensions: for the unsupervised stage of training, with the rate of the decoder. */
#include "signals.h"

typedef struct { double rate; } parameters;

static const param params[] = {
    {"rate", PARAM_NUMBER, UNIT_RATE, "10 1/s", 0, 1e6, NULL, "of decay", offsetof(parameters, rate)},
};
static const param_table table = {"leak", "leaky integration of the command", params, 1, sizeof(parameters)};

static status open_leak(const signal_setting *setting, const void *raw, void **self) {
    linear_teacher *teacher = linear_new(setting->dimensions);
    for (int i = 0; i < setting->dimensions; i++) teacher->matrix[i * setting->dimensions + i] = -((const parameters *)raw)->rate;
    linear_ready(teacher);
    *self = teacher;
    return STATUS_OK;
}

const teacher_kind teacher_leak = {.parameters = &table, .open = open_leak, LINEAR_HOOKS};
