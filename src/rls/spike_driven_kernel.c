/* Compiled once for each precision (ENGRAM_SINGLE). Sums run in vectors of fixed length whatever the machine's are, so that the compiler has nothing to reorder;
 * products and sums may be fused (this file alone is compiled so): every group, on whatever rank, goes through the same instructions. */
#include "spike_driven_kernel.h"

#include <math.h>
#include <string.h>

#ifdef ENGRAM_SINGLE
typedef float real;
typedef hit_single hit;
#define NAME(name) spike_driven_##name##_single
#else
typedef double real;
typedef hit_double hit;
#define NAME(name) spike_driven_##name##_double
#endif

enum { LANES = 64 / sizeof(real), STRIP = 4 * LANES, ROWS = 6 };

typedef real lanes __attribute__((vector_size(LANES * sizeof(real)), aligned(64)));

int NAME(find)(const int32_t *restrict source, int count, const real *restrict arrived, hit *restrict hits) {
    int found = 0;
    for (int a = 0; a < count; a++) {
        real value = arrived[source[a]];
        hits[found].at = a;
        hits[found].value = value;
        found += value != 0; /* no branch to be mispredicted */
    }
    return found;
}

double NAME(sum)(double sum, double decay, const real *restrict weight, int64_t stride, const hit *restrict hits, int count) {
    sum *= decay;
    for (int k = 0; k < count; k++) sum += (double)weight[hits[k].at * stride] * (double)hits[k].value;
    return sum;
}

static double dot_hits(const real *values, const hit *hits, int count) {
    double sum = 0;
    for (int k = 0; k < count; k++) sum += (double)values[hits[k].at] * (double)hits[k].value;
    return sum;
}

/** A strip of @p vectors vectors of  result <- initial + sum over k of factor(k) row(k),  in registers: rows are read in stretches of several cache lines. */
#define ADD_ROWS(vectors, initial, result, count, row, factor)                                                       \
    do {                                                                                                             \
        lanes sum[vectors];                                                                                          \
        for (int v = 0; v < vectors; v++) sum[v] = initial;                                                          \
        for (int k = 0; k < count; k++) {                                                                            \
            const real *from = (row) + c, times = factor;                                                            \
            for (int v = 0; v < vectors; v++) sum[v] += *(const lanes *)(from + v * LANES) * times;                  \
        }                                                                                                            \
        for (int v = 0; v < vectors; v++) *(lanes *)(result + c + v * LANES) = sum[v];                               \
    } while (0)

/** All strips of a row of ld elements. */
#define ADD_ROWS_IN_STRIPS(initial, result, count, row, factor)                                       \
    do {                                                                                              \
        int c = 0;                                                                                    \
        for (; c + 8 * LANES <= ld; c += 8 * LANES) ADD_ROWS(8, initial, result, count, row, factor); \
        for (; c + 4 * LANES <= ld; c += 4 * LANES) ADD_ROWS(4, initial, result, count, row, factor); \
        for (; c < ld; c += LANES) ADD_ROWS(1, initial, result, count, row, factor);                  \
    } while (0)

#define VECTOR(array) (*(const lanes *)((array) + c + v * LANES))

/** y <- decay y + sum of value P[at][:] over the hits. */
static void add_rows(int ld, const real *p, real *y, real decay, const hit *hits, int count) {
    ADD_ROWS_IN_STRIPS(VECTOR(y) * decay, y, count, p + (int64_t)hits[k].at * ld, hits[k].value);
}

/** to <- y - Q z. */
static void subtract_pending(int ld, const real *q, int64_t stride, int pending, const real *y, const double *z, real *to) {
    real minus[SPIKE_DRIVEN_BLOCK_MAX];
    for (int m = 0; m < pending; m++) minus[m] = (real)-z[m];
    ADD_ROWS_IN_STRIPS(VECTOR(y), to, pending, q + k * stride, minus[k]);
}

void NAME(advance)(int ld, const real *restrict p, const real *restrict q, int64_t stride, int pending, real *restrict y, group_products *restrict products, double decay,
                   const hit *restrict hits, int count) {
    /* r'Pr of r = decay r_before + s:  decay^2 rho + decay s'y_before + s'y_now */
    double before = dot_hits(y, hits, count);
    add_rows(ld, p, y, (real)decay, hits, count);
    products->rho = decay * (decay * products->rho + before) + dot_hits(y, hits, count);
    for (int m = 0; m < pending; m++) products->z[m] = decay * products->z[m] + dot_hits(q + m * stride, hits, count);
}

double NAME(learn)(int ld, int sources, real *restrict q, int64_t stride, int pending, const real *restrict y, group_products *restrict products, double scale, int with_gain,
                   int rows, real *restrict weight, const double *restrict error, double *restrict sum) {
    real *restrict column = q + pending * stride;
    double rk = products->rho;
    for (int m = 0; m < pending; m++) rk -= products->z[m] * products->z[m];
    double gain = 1 / (1 + scale * scale * rk), root = sqrt(gain) * scale;
    subtract_pending(ld, q, stride, pending, y, products->z, column);
    for (int row = 0; row < rows; row++) {
        double step = (with_gain ? gain : 1) * error[row] * scale;
        const real factor = (real)step;
        for (int a = 0; a < sources; a++) weight[(int64_t)a * rows + row] -= factor * column[a];
        sum[row] -= step * rk;
    }
    for (int c = 0; c < ld; c += LANES) *(lanes *)(column + c) *= (real)root;
    products->z[pending] = root * rk;
    return gain;
}

/** A block of @p rows rows and a strip of @p vectors vectors of P <- P - Q Q', in registers. */
#define FLUSH_TILE(rows, vectors)                                                                                                    \
    do {                                                                                                                             \
        lanes tile[rows][vectors];                                                                                                   \
        for (int i = 0; i < rows; i++)                                                                                               \
            for (int v = 0; v < vectors; v++) tile[i][v] = *(lanes *)(p + (int64_t)(a + i) * ld + c + v * LANES);                     \
        for (int m = 0; m < pending; m++) {                                                                                          \
            const real *column = q + (int64_t)m * ld;                                                                                \
            for (int i = 0; i < rows; i++)                                                                                           \
                for (int v = 0; v < vectors; v++) tile[i][v] -= *(const lanes *)(column + c + v * LANES) * column[a + i];             \
        }                                                                                                                            \
        for (int i = 0; i < rows; i++)                                                                                               \
            for (int v = 0; v < vectors; v++) *(lanes *)(p + (int64_t)(a + i) * ld + c + v * LANES) = tile[i][v];                     \
    } while (0)

static void subtract_products(int ld, int sources, real *restrict p, const real *restrict q, int pending) {
    for (int c = 0; c < ld; c += STRIP) {
        int vectors = (ld - c) / LANES, a = 0;
        if (vectors >= 4)
            for (; a + ROWS <= sources; a += ROWS) FLUSH_TILE(ROWS, 4);
        else if (vectors == 3)
            for (; a + ROWS <= sources; a += ROWS) FLUSH_TILE(ROWS, 3);
        else if (vectors == 2)
            for (; a + ROWS <= sources; a += ROWS) FLUSH_TILE(ROWS, 2);
        else
            for (; a + ROWS <= sources; a += ROWS) FLUSH_TILE(ROWS, 1);
        int begin = c, end = c + STRIP < ld ? c + STRIP : ld, rest = a;
        for (c = begin; c < end; c += LANES)
            for (a = rest; a < sources; a++) FLUSH_TILE(1, 1);
        c = begin;
    }
}

void NAME(flush)(int ld, int sources, real *restrict p, const real *restrict q, int64_t stride, int pending, real *restrict y, group_products *restrict products,
                 real *restrict scratch) {
    for (int m = 0; m < pending; m++) memcpy(scratch + (int64_t)m * ld, q + m * stride, (size_t)ld * sizeof *scratch); /* close together while they are used again and again */
    subtract_products(ld, sources, p, scratch, pending);
    subtract_pending(ld, scratch, ld, pending, y, products->z, y);
    for (int m = 0; m < pending; m++) products->rho -= products->z[m] * products->z[m];
}
