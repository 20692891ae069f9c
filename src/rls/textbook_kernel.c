#include "textbook_kernel.h"

#include <math.h>

#ifdef ENGRAM_SINGLE
typedef float real;
#define NAME(x) x##_single
#else
typedef double real;
#define NAME(x) x##_double
#endif

enum { LANES = 8 };

/** q = P r, column by column (P is symmetric: its rows), four at a time so that q is loaded a quarter as often. */
static void product(const real *restrict p, int64_t ld, int count, const real *restrict r, real *restrict q) {
    for (int b = 0; b < ld; b++) q[b] = 0;
    int a = 0;
    for (; a + 4 <= count; a += 4) {
        const real *p0 = p + a * ld, *p1 = p0 + ld, *p2 = p1 + ld, *p3 = p2 + ld;
        const real r0 = r[a], r1 = r[a + 1], r2 = r[a + 2], r3 = r[a + 3];
        for (int b = 0; b < ld; b++) q[b] += (r0 * p0[b] + r1 * p1[b]) + (r2 * p2[b] + r3 * p3[b]);
    }
    for (; a < count; a++)
        for (int b = 0; b < ld; b++) q[b] += r[a] * p[a * ld + b];
}

double NAME(textbook_step)(real *restrict p, int64_t ld, int count, const real *restrict r, real *restrict q, int rows, real *restrict weight,
                           const double *error, int with_gain) {
    product(p, ld, count, r, q);
    double lane[LANES] = {0}, s = 0;
    for (int a = 0; a < ld; a += LANES) /* ld is a multiple of LANES, r is zero from count on */
        for (int l = 0; l < LANES; l++) lane[l] += (double)r[a + l] * (double)q[a + l];
    for (int l = 0; l < LANES; l++) s += lane[l];
    double gain = 1 / (1 + s);
    for (int row = 0; row < rows; row++) {
        real step = (real)((with_gain ? gain : 1.0) * error[row]);
        real *restrict w = weight + (int64_t)row * count;
        for (int a = 0; a < count; a++) w[a] -= step * q[a];
    }
    real root = (real)sqrt(gain); /* P - (root q)(root q)': the products commute, so P stays symmetric to the bit */
    for (int a = 0; a < ld; a++) q[a] *= root;
    for (int a = 0; a < count; a++) {
        real *restrict row = p + a * ld;
        const real qa = q[a];
        for (int b = 0; b < ld; b++) row[b] -= qa * q[b];
    }
    return gain;
}

double NAME(textbook_sum)(const real *restrict weight, int count, const int32_t *restrict source, const double *restrict r) {
    double lane[LANES] = {0}, sum = 0;
    int a = 0;
    for (; a + LANES <= count; a += LANES)
        for (int l = 0; l < LANES; l++) lane[l] += (double)weight[a + l] * r[source[a + l]];
    for (int l = 0; l < LANES; l++) sum += lane[l];
    for (; a < count; a++) sum += (double)weight[a] * r[source[a]];
    return sum;
}
