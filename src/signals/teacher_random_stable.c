/* A random stable linear system, of our own: damped rotations in planes of their own, in random directions of the space,
 *     A = Q B Q',   B = blocks [[-decay, 2 pi f], [-2 pi f, -decay]],   and -decay alone where J is odd.
 * Frequencies f are evenly spread on a logarithmic scale: block b of n has slowest (fastest/slowest)^((b + 1/2)/n). So all eigenvalues have the real part
 * -decay. Q is orthogonal and uniform: columns of independent normals, made orthogonal one after the other (Gram & Schmidt, twice for accuracy). */
#include "signals.h"

typedef struct { double slowest, fastest, decay; } parameters;

static const param params[] = {
    {"slowest", PARAM_NUMBER, UNIT_RATE, "0.2 Hz", 0, 1e6, NULL, "frequency: those of the planes are spread from here", offsetof(parameters, slowest)},
    {"fastest", PARAM_NUMBER, UNIT_RATE, "2 Hz", 0, 1e6, NULL, "frequency: to here", offsetof(parameters, fastest)},
    {"decay", PARAM_NUMBER, UNIT_RATE, "1 1/s", 0, 1e6, NULL, "minus the real part of all eigenvalues", offsetof(parameters, decay)},
};
static const param_table table = {"random_stable", "random stable linear system, any number of dimensions", params, sizeof params / sizeof *params,
                                  sizeof(parameters)};

static status check(const signal_setting *setting, const void *raw) {
    const parameters *p = raw;
    if (p->slowest > 0 && p->slowest <= p->fastest) return STATUS_OK;
    return config_complain(setting->config, SIGNALS_TEACHER, "slowest", "%g Hz; allowed are more than 0, and at most fastest (%g Hz)", p->slowest, p->fastest);
}

static double product(const double *a, const double *b, int count) {
    double sum = 0;
    for (int i = 0; i < count; i++) sum += a[i] * b[i];
    return sum;
}

/** @param[out] q [J][J] rows are orthogonal and of length 1 */
static void make_orthogonal(uint64_t seed, int dimensions, double *q) {
    for (int k = 0; k < dimensions; k++) {
        double *row = q + k * dimensions;
        for (int i = 0; i < dimensions; i++) row[i] = random_normal(seed, RANDOM_TEACHER, (uint64_t)k, (uint64_t)i);
        for (int pass = 0; pass < 2; pass++)
            for (int m = 0; m < k; m++) {
                double along = product(row, q + m * dimensions, dimensions);
                for (int i = 0; i < dimensions; i++) row[i] -= along * q[m * dimensions + i];
            }
        double length = sqrt(product(row, row, dimensions));
        for (int i = 0; i < dimensions; i++) row[i] /= length;
    }
}

static status open_random(const signal_setting *setting, const void *raw, void **self) {
    const parameters *p = raw;
    int dimensions = setting->dimensions, blocks = dimensions / 2;
    linear_teacher *teacher = linear_new(dimensions);
    double *q = memory_new(MEMORY_BUFFERS, (size_t)dimensions * (size_t)dimensions, sizeof *q);
    make_orthogonal(setting->seed, dimensions, q);
    for (int b = 0; b < blocks; b++) { /* w (u v' - v u') */
        const double *u = q + 2 * b * dimensions, *v = u + dimensions;
        double w = SIGNALS_TURN * p->slowest * pow(p->fastest / p->slowest, (b + 0.5) / blocks);
        for (int i = 0; i < dimensions; i++)
            for (int j = 0; j < dimensions; j++) teacher->matrix[i * dimensions + j] += w * (u[i] * v[j] - v[i] * u[j]);
    }
    for (int i = 0; i < dimensions; i++) teacher->matrix[i * dimensions + i] -= p->decay;
    linear_ready(teacher);
    memory_free(q);
    *self = teacher;
    return STATUS_OK;
}

const teacher_kind teacher_random_stable = {.parameters = &table, .check = check, .open = open_random, LINEAR_HOOKS};
