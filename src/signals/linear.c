/* Linear teachers dx/dt = A x + c: f_i = sum over j of A_ij x_j in ascending order of j, products and sums rounded one by one, as a plain program has them. */
#include "signals.h"

linear_teacher *linear_new(int dimensions) {
    linear_teacher *teacher = memory_new(MEMORY_TARGETS, 1, sizeof *teacher);
    teacher->dimensions = dimensions;
    teacher->matrix = memory_new(MEMORY_TARGETS, (size_t)dimensions * (size_t)dimensions, sizeof(double));
    teacher->columns = memory_new(MEMORY_TARGETS, (size_t)dimensions * (size_t)dimensions, sizeof(double));
    return teacher;
}

void linear_ready(linear_teacher *teacher) {
    int dimensions = teacher->dimensions;
    for (int i = 0; i < dimensions; i++)
        for (int j = 0; j < dimensions; j++) teacher->columns[j * dimensions + i] = teacher->matrix[i * dimensions + j];
}

void linear_close(void *raw) {
    linear_teacher *teacher = raw;
    if (!teacher) return;
    memory_free(teacher->matrix), memory_free(teacher->columns);
    memory_free(teacher);
}

/** @param columns [dimensions][dimensions] @param[out] f [dimensions] */
static inline void multiply(const double *restrict columns, int dimensions, const double *restrict x, double *restrict f) {
    for (int i = 0; i < dimensions; i++) f[i] = columns[i] * x[0];
    for (int j = 1; j < dimensions; j++)
        for (int i = 0; i < dimensions; i++) f[i] += columns[j * dimensions + i] * x[j];
}

void linear_field(const void *raw, const double *x, double *f) {
    const linear_teacher *teacher = raw;
    multiply(teacher->columns, teacher->dimensions, x, f);
}

const double *linear_matrix(const void *raw) {
    return ((const linear_teacher *)raw)->matrix;
}

/** @param f [dimensions] scratch @param[in,out] x [count+1][dimensions] */
static inline void walk(const double *restrict columns, int dimensions, double dt, int count, const double *restrict c, double *x, double *restrict f) {
    for (int n = 0; n < count; n++, c += dimensions, x += dimensions) {
        multiply(columns, dimensions, x, f);
        for (int j = 0; j < dimensions; j++) x[dimensions + j] = x[j] + dt * (f[j] + c[j]);
    }
}

void linear_advance(const void *raw, double dt, int count, const double *c, double *x) {
    const linear_teacher *teacher = raw;
    double fixed[16];
    switch (teacher->dimensions) { /* the same arithmetic; a known length is faster */
        case 1: walk(teacher->columns, 1, dt, count, c, x, fixed); return;
        case 2: walk(teacher->columns, 2, dt, count, c, x, fixed); return;
        case 3: walk(teacher->columns, 3, dt, count, c, x, fixed); return;
        case 4: walk(teacher->columns, 4, dt, count, c, x, fixed); return;
        case 6: walk(teacher->columns, 6, dt, count, c, x, fixed); return;
        case 8: walk(teacher->columns, 8, dt, count, c, x, fixed); return;
        case 16: walk(teacher->columns, 16, dt, count, c, x, fixed); return;
        default: break;
    }
    double *f = memory_new(MEMORY_BUFFERS, (size_t)teacher->dimensions, sizeof *f);
    walk(teacher->columns, teacher->dimensions, dt, count, c, x, f);
    memory_free(f);
}
