/* The teacher of a published program of the first author of Alemi et al. 2018, in a public port: A = rate [[-1, -8], [1, 0]]. */
#include "signals.h"

typedef struct { double rate; } parameters;

static const param params[] = {
    {"rate", PARAM_NUMBER, UNIT_RATE, "3 1/s", 0, 1e6, NULL, "in front of the matrix", offsetof(parameters, rate)},
};
static const param_table table = {"demo", "a published demonstration, 2 dimensions: rate [[-1, -8], [1, 0]]", params, 1, sizeof(parameters)};

static status open_demo(const signal_setting *setting, const void *raw, void **self) {
    (void)setting;
    double rate = ((const parameters *)raw)->rate;
    linear_teacher *teacher = linear_new(2);
    memcpy(teacher->matrix, (double[]){-rate, -8 * rate, rate, 0}, 4 * sizeof(double));
    linear_ready(teacher);
    *self = teacher;
    return STATUS_OK;
}

const teacher_kind teacher_demo = {.parameters = &table, .dimensions = 2, .open = open_demo, LINEAR_HOOKS};
