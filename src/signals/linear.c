/* Linear teachers dx/dt = A x + c: f_i = sum over j of A_ij x_j in ascending order of j, products and sums rounded one by one, as a plain program has them. */
#include "engram/doubles.h"
#include "signals.h"

/** Rows are added up side by side, LANES in a vector: the sum of each is the same whatever their number. */
enum { SMALL = 4 };

linear_teacher *linear_new(int dimensions) {
    linear_teacher *teacher = memory_new(MEMORY_TARGETS, 1, sizeof *teacher);
    teacher->dimensions = dimensions;
    teacher->stride = dimensions <= SMALL ? dimensions : (dimensions + LANES - 1) / LANES * LANES;
    teacher->matrix = memory_new(MEMORY_TARGETS, (size_t)dimensions * (size_t)dimensions, sizeof(double));
    teacher->columns = memory_new(MEMORY_TARGETS, (size_t)dimensions * (size_t)teacher->stride, sizeof(double));
    return teacher;
}

void linear_ready(linear_teacher *teacher) {
    int dimensions = teacher->dimensions;
    for (int i = 0; i < dimensions; i++)
        for (int j = 0; j < dimensions; j++) teacher->columns[j * teacher->stride + i] = teacher->matrix[i * dimensions + j];
}

void linear_close(void *raw) {
    linear_teacher *teacher = raw;
    if (!teacher) return;
    memory_free(teacher->matrix), memory_free(teacher->columns);
    memory_free(teacher);
}

/** A known, small number of rows. @param columns [dimensions][dimensions] @param[out] f [dimensions] */
static inline void multiply_small(const double *restrict columns, int dimensions, const double *restrict x, double *restrict f) {
    for (int i = 0; i < dimensions; i++) {
        double sum = columns[i] * x[0];
        for (int j = 1; j < dimensions; j++) sum += columns[j * dimensions + i] * x[j];
        f[i] = sum;
    }
}

/** @p blocks vectors of rows, a known number. @param[out] f [blocks][LANES] */
static inline void multiply_rows(const linear_teacher *teacher, const double *restrict columns, int blocks, const double *restrict x, double *restrict f) {
    lanes sum[4];
    for (int b = 0; b < blocks; b++) sum[b] = load(columns + b * LANES) * x[0];
    for (int j = 1; j < teacher->dimensions; j++) {
        columns += teacher->stride;
        for (int b = 0; b < blocks; b++) sum[b] += load(columns + b * LANES) * x[j];
    }
    memcpy(f, sum, (size_t)blocks * sizeof *sum);
}

/** @param[out] f [stride] */
static void multiply(const linear_teacher *teacher, const double *restrict x, double *restrict f) {
    int block = 0, blocks = teacher->stride / LANES;
    for (; block + 4 <= blocks; block += 4) multiply_rows(teacher, teacher->columns + block * LANES, 4, x, f + block * LANES);
    for (; block + 2 <= blocks; block += 2) multiply_rows(teacher, teacher->columns + block * LANES, 2, x, f + block * LANES);
    for (; block < blocks; block++) multiply_rows(teacher, teacher->columns + block * LANES, 1, x, f + block * LANES);
}

void linear_field(const void *raw, const double *x, double *f) {
    const linear_teacher *teacher = raw;
    const double *matrix = teacher->matrix;
    for (int i = 0; i < teacher->dimensions; i++, matrix += teacher->dimensions) {
        double sum = matrix[0] * x[0];
        for (int j = 1; j < teacher->dimensions; j++) sum += matrix[j] * x[j];
        f[i] = sum;
    }
}

const double *linear_matrix(const void *raw) {
    return ((const linear_teacher *)raw)->matrix;
}

/** @param dimensions at most SMALL @param[in,out] x [count+1][dimensions] */
static inline void walk_small(const double *restrict columns, int dimensions, double dt, int count, const double *restrict c, double *restrict x) {
    double now[SMALL], f[SMALL];
    for (int j = 0; j < dimensions; j++) now[j] = x[j];
    for (int n = 0; n < count; n++, c += dimensions) {
        multiply_small(columns, dimensions, now, f);
        x += dimensions;
        for (int j = 0; j < dimensions; j++) x[j] = now[j] = now[j] + dt * (f[j] + c[j]);
    }
}

static void walk(const linear_teacher *teacher, double dt, int count, const double *restrict c, double *x) {
    int dimensions = teacher->dimensions;
    double *f = memory_new(MEMORY_BUFFERS, (size_t)teacher->stride, sizeof *f);
    for (int n = 0; n < count; n++, c += dimensions, x += dimensions) {
        double *restrict next = x + dimensions;
        multiply(teacher, x, f);
        for (int j = 0; j < dimensions; j++) next[j] = x[j] + dt * (f[j] + c[j]);
    }
    memory_free(f);
}

void linear_advance(const void *raw, double dt, int count, const double *c, double *x) {
    const linear_teacher *teacher = raw;
    switch (teacher->dimensions) {
        case 1: walk_small(teacher->columns, 1, dt, count, c, x); break;
        case 2: walk_small(teacher->columns, 2, dt, count, c, x); break;
        case 3: walk_small(teacher->columns, 3, dt, count, c, x); break;
        case 4: walk_small(teacher->columns, 4, dt, count, c, x); break;
        default: walk(teacher, dt, count, c, x); break;
    }
}
