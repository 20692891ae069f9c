/* Damped oscillator: A = [[0, w], [-w, -2 damping w]], w = 2 pi frequency. */
#include "signals.h"

typedef struct { double frequency, damping; } parameters;

static const param params[] = {
    {"frequency", PARAM_NUMBER, UNIT_RATE, "1 Hz", 0, 1e6, NULL, "of the undamped oscillator", offsetof(parameters, frequency)},
    {"damping", PARAM_NUMBER, UNIT_NONE, "0.16", -1e3, 1e3, NULL, "damping ratio; 1 is critical", offsetof(parameters, damping)},
};
static const param_table table = {"oscillator", "damped harmonic oscillator, 2 dimensions: position and velocity/w", params, sizeof params / sizeof *params,
                                  sizeof(parameters)};

static status open_oscillator(const signal_setting *setting, const void *raw, void **self) {
    (void)setting;
    const parameters *p = raw;
    double w = SIGNALS_TURN * p->frequency;
    linear_teacher *teacher = linear_new(2);
    memcpy(teacher->matrix, (double[]){0, w, -w, -2 * p->damping * w}, 4 * sizeof(double));
    linear_ready(teacher);
    *self = teacher;
    return STATUS_OK;
}

const teacher_kind teacher_oscillator = {.parameters = &table, .dimensions = 2, .open = open_oscillator, LINEAR_HOOKS};
