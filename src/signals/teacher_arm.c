/* Linearised planar arm, of our own: state (p1, p2, v1/w, v2/w), A = [[0, w I], [-w S, -w B]], w = 2 pi frequency.
 * That an arm with two joints was learned is in the reviews of Bourdoukan & Deneve 2015; its matrices are not known to us. */
#include "signals.h"

enum { J = 4 };

typedef struct { double frequency; param_numbers stiffness, damping; } parameters;

static const param params[] = {
    {"frequency", PARAM_NUMBER, UNIT_RATE, "0.5 Hz", 0, 1e6, NULL, "w = 2 pi frequency", offsetof(parameters, frequency)},
    {"stiffness", PARAM_NUMBERS, UNIT_NONE, "[1, 0.3, 0.3, 1]", -1e6, 1e6, NULL, "S, 2 x 2, row by row", offsetof(parameters, stiffness)},
    {"damping", PARAM_NUMBERS, UNIT_NONE, "[0.9, 0.2, 0.2, 0.7]", -1e6, 1e6, NULL, "B, 2 x 2, row by row", offsetof(parameters, damping)},
};
static const param_table table = {"arm", "linearised planar arm, 4 dimensions: two positions and two velocities/w", params, sizeof params / sizeof *params,
                                  sizeof(parameters)};

static status check_matrix(const signal_setting *setting, const char *key, const param_numbers *matrix) {
    if (matrix->count == 4) return STATUS_OK;
    return config_complain(setting->config, SIGNALS_TEACHER, key, "%d numbers instead of the 4 of a 2 x 2 matrix", matrix->count);
}

static status check(const signal_setting *setting, const void *raw) {
    const parameters *p = raw;
    return status_worse(check_matrix(setting, "stiffness", &p->stiffness), check_matrix(setting, "damping", &p->damping));
}

static status open_arm(const signal_setting *setting, const void *raw, void **self) {
    (void)setting;
    const parameters *p = raw;
    double w = SIGNALS_TURN * p->frequency;
    linear_teacher *teacher = linear_new(J);
    for (int i = 0; i < 2; i++) {
        teacher->matrix[i * J + 2 + i] = w;
        for (int j = 0; j < 2; j++) {
            teacher->matrix[(2 + i) * J + j] = -w * p->stiffness.values[2 * i + j];
            teacher->matrix[(2 + i) * J + 2 + j] = -w * p->damping.values[2 * i + j];
        }
    }
    linear_ready(teacher);
    *self = teacher;
    return STATUS_OK;
}

const teacher_kind teacher_arm = {.parameters = &table, .dimensions = J, .check = check, .open = open_arm, LINEAR_HOOKS};
