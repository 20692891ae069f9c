#include "textbook_kernel.h"

#include <math.h>

#include "engram/synapses.h"

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

/** w <- w - step q, but for weights that are frozen, and for those that would change sign: they are from now on. */
static void update_within_signs(int count, real step, const real *restrict q, real *restrict weight, const real *restrict initial, uint8_t *restrict frozen) {
    for (int a = 0; a < count; a++) {
        const real moved = weight[a] - step * q[a];
        if (frozen[a]) continue;
        if ((initial[a] > 0 && moved < 0) || (initial[a] < 0 && moved > 0))
            frozen[a] = PLASTIC_FROZEN;
        else
            weight[a] = moved;
    }
}

/** w <- w - [g] e q for every member; then q <- sqrt(g) q, so that P - q q' is the update: its products commute, P stays symmetric to the bit. */
static void update_weights(const NAME(textbook_group) *group, double gain) {
    const int count = group->count, rows = group->rows;
    const real gain_or_one = group->with_gain ? (real)gain : 1, root = (real)sqrt(gain);
    real *restrict q = group->q;
    real *restrict weight = group->weight;
    if (group->frozen)
        update_within_signs(count, gain_or_one * (real)group->error[0], q, weight, group->initial, group->frozen);
    else
        for (int a = 0; a < count; a++, weight += rows)
            for (int row = 0; row < rows; row++) weight[row] -= gain_or_one * (real)group->error[row] * q[a];
    for (int a = 0; a < count; a++) q[a] *= root;
}

/** r.q in double, in LANES partial sums whatever the vector length. */
static double dot(const real *restrict r, const real *restrict q, int count) {
    double lane[LANES] = {0}, sum = 0;
    int a = 0;
    for (; a + LANES <= count; a += LANES)
        for (int l = 0; l < LANES; l++) lane[l] += (double)r[a + l] * (double)q[a + l];
    for (int l = 0; l < LANES; l++) sum += lane[l];
    for (; a < count; a++) sum += (double)r[a] * (double)q[a];
    return sum;
}

double NAME(textbook_step)(const NAME(textbook_group) *group) {
    const int count = group->count;
    const int64_t ld = group->ld;
    real *restrict p = group->p;
    real *restrict q = group->q;
    const real *restrict r = group->r;
    product(p, ld, count, r, q);
    double gain = 1 / (1 + dot(r, q, count));
    update_weights(group, gain);
    for (int a = 0; a < count; a++) {
        real *restrict row = p + a * ld;
        const real qa = q[a];
        for (int b = 0; b < ld; b++) row[b] -= qa * q[b];
    }
    return gain;
}

double NAME(packed_step)(const NAME(textbook_group) *group) {
    const int count = group->count;
    real *restrict p = group->p;
    real *restrict q = group->q;
    const real *restrict r = group->r;
    for (int a = 0; a < count; a++) q[a] = 0;
    const real *restrict reading = p;
    for (int a = 0; a < count; reading += count - a, a++) { /* row a: its dot product with r, and as column a of the lower half */
        real lane[2 * LANES] = {0}, sum = reading[0] * r[a];
        const real *restrict row = reading + 1, *restrict right = r + a + 1;
        real *restrict below = q + a + 1;
        const int length = count - a - 1;
        const real ra = r[a];
        for (int b = 0; b < length; b++) below[b] += ra * row[b];
        int b = 0;
        for (; b + 2 * LANES <= length; b += 2 * LANES)
            for (int l = 0; l < 2 * LANES; l++) lane[l] += row[b + l] * right[b + l];
        for (int l = 0; l < 2 * LANES; l++) sum += lane[l];
        for (; b < length; b++) sum += row[b] * right[b];
        q[a] += sum;
    }
    double gain = 1 / (1 + dot(r, q, count));
    update_weights(group, gain);
    real *restrict writing = p;
    for (int a = 0; a < count; writing += count - a, a++) {
        const real qa = q[a];
        const real *restrict right = q + a;
        for (int b = 0; b < count - a; b++) writing[b] -= qa * right[b];
    }
    return gain;
}

double NAME(textbook_sum)(const real *restrict weight, int64_t stride, int count, const int32_t *restrict source, const double *restrict r) {
    double lane[LANES] = {0}, sum = 0;
    int a = 0;
    for (; a + LANES <= count; a += LANES)
        for (int l = 0; l < LANES; l++) lane[l] += (double)weight[(a + l) * stride] * r[source[a + l]];
    for (int l = 0; l < LANES; l++) sum += lane[l];
    for (; a < count; a++) sum += (double)weight[a * stride] * r[source[a]];
    return sum;
}
