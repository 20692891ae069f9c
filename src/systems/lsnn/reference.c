/* The same network as it is written (README.md 2 and 3), in double, one sample at a time, every number kept: what the tiles are compared with. `soft` replaces
 * the step function by the integral of psi, with refractory steps from a hard run, so that the recursion is the gradient of what is computed. */
#include <stdlib.h>
#include <string.h>

#include "engram/memory.h"
#include "reference.h"

/** Integral of gamma max(0, 1 - |x|) from -1. */
static double soft_step(double x, double gamma) {
    if (x <= -1) return 0;
    if (x >= 1) return gamma;
    return gamma * (x < 0 ? (1 + x) * (1 + x) / 2 : 1 - (1 - x) * (1 - x) / 2);
}

static double *row(double *array, int t, int count) {
    return array + (size_t)t * (size_t)count;
}

/** exp(-dt/tau) of a neuron's threshold, and 1 less that. */
static double rho_of(const shape *s, int j) {
    return s->decay ? s->decay[2 * j] : s->rho;
}

static double more_of(const shape *s, int j) {
    return s->decay ? s->decay[2 * j + 1] : 1 - s->rho;
}

void reference_new(reference *r, const shape *shape) {
    const size_t N = (size_t)shape->neurons, T = (size_t)shape->steps + 1, pres = (size_t)shape->inputs + N;
    r->shape = shape;
    r->weight = memory_new(MEMORY_WEIGHTS, pres * (size_t)shape->posts, sizeof(double));
    r->gradient = memory_new(MEMORY_WEIGHTS, pres * (size_t)shape->posts, sizeof(double));
    r->input = memory_new(MEMORY_STATE, T * (size_t)shape->inputs, sizeof(double));
    r->v = memory_new(MEMORY_STATE, T * N, sizeof(double));
    r->b = memory_new(MEMORY_STATE, T * N, sizeof(double));
    r->z = memory_new(MEMORY_STATE, T * N, sizeof(double));
    r->psi = memory_new(MEMORY_STATE, T * N, sizeof(double));
    r->J = memory_new(MEMORY_STATE, (T + (size_t)shape->delays) * (size_t)shape->posts, sizeof(double));
    r->mask = memory_new(MEMORY_STATE, T * N, 1);
    r->logit = memory_new(MEMORY_STATE, (size_t)(shape->reads * shape->outputs), sizeof(double));
    r->slope = memory_new(MEMORY_STATE, (size_t)(shape->reads * shape->outputs), sizeof(double));
    r->rate_slope = memory_new(MEMORY_STATE, N, sizeof(double));
}

void reference_clear(reference *r) {
    double *arrays[] = {r->weight, r->gradient, r->input, r->v, r->b, r->z, r->psi, r->J, r->logit, r->slope, r->rate_slope};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) memory_free(arrays[k]);
    memory_free(r->mask);
}

static void deliver(const reference *r, const uint8_t *delay, int pre, double height, int t) {
    const shape *s = r->shape;
    for (int p = 0; p < s->neurons + s->outputs; p++) {
        const size_t e = (size_t)pre * (size_t)s->posts + (size_t)p;
        r->J[(size_t)(t + delay[e]) * (size_t)s->posts + (size_t)p] += height * r->weight[e];
    }
}

void reference_forward(reference *r, const uint8_t *delay, bool soft, bool keep_mask) {
    const shape *s = r->shape;
    const int N = s->neurons, T = s->steps;
    double *y = calloc((size_t)s->outputs, sizeof *y);
    memset(r->J, 0, (size_t)(T + 1 + s->delays) * (size_t)s->posts * sizeof(double));
    memset(r->v, 0, (size_t)N * sizeof(double)), memset(r->b, 0, (size_t)N * sizeof(double)), memset(r->z, 0, (size_t)N * sizeof(double));
    memset(r->logit, 0, (size_t)(s->reads * s->outputs) * sizeof(double));
    for (int t = 0;; t++) {
        const double *z = row(r->z, t, N), *v = row(r->v, t, N), *b = row(r->b, t, N);
        for (int c = 0; c < s->inputs && t < T; c++)
            if (row(r->input, t, s->inputs)[c] != 0) deliver(r, delay, c, row(r->input, t, s->inputs)[c], t);
        for (int j = 0; j < N; j++)
            if (z[j] != 0) deliver(r, delay, s->inputs + j, z[j], t); /* what arrives behind T is never read */
        for (int o = 0; o < s->outputs && t > 0; o++) {
            y[o] = s->kappa * y[o] + (1 - s->kappa) * row(r->J, t, s->posts)[N + o];
            if (t > s->first_read) r->logit[(t - s->first_read - 1) / s->read_steps * s->outputs + o] += y[o] / s->read_steps;
        }
        if (t == T) break;
        for (int j = 0; j < N; j++) {
            const double beta = j >= N - s->adaptive ? s->beta : 0, next_b = rho_of(s, j) * b[j] + more_of(s, j) * z[j], Th = s->threshold + beta * next_b;
            const double x = (v[j] - Th) / Th;
            uint8_t *refractory = r->mask + (size_t)t * (size_t)N + j;
            for (int k = 0; k < s->refractory && k <= t && !keep_mask; k++) *refractory = (k > 0 && *refractory) || z[j - k * N] != 0;
            row(r->b, t + 1, N)[j] = next_b;
            row(r->psi, t, N)[j] = *refractory ? 0 : s->gamma * fmax(0, 1 - fabs(x));
            row(r->z, t + 1, N)[j] = *refractory ? 0 : soft ? soft_step(x, s->gamma) : x > 0;
            row(r->v, t + 1, N)[j] = s->alpha * v[j] + (1 - s->alpha) * row(r->J, t, s->posts)[j] - z[j] * Th;
        }
    }
    free(y);
}

void reference_backward(reference *r, const uint8_t *delay) {
    const shape *s = r->shape;
    const int N = s->neurons, T = s->steps, pres = s->inputs + N;
    double *vh = calloc((size_t)(4 * N + s->outputs), sizeof *vh), *bh = vh + N, *zh = bh + N, *next = zh + N, *q = next + N;
    double *JH = r->J; /* slopes in J take its place, step by step */
    memset(JH, 0, (size_t)(T + 1 + s->delays) * (size_t)s->posts * sizeof(double));
    memset(r->gradient, 0, (size_t)pres * (size_t)s->posts * sizeof(double));
    for (int t = T; t >= 0; t--) {
        const double *z = row(r->z, t, N), *v = row(r->v, t, N);
        for (int o = 0; o < s->outputs; o++) {
            q[o] = s->kappa * q[o] + (t > s->first_read ? r->slope[(t - s->first_read - 1) / s->read_steps * s->outputs + o] / s->read_steps : 0);
            row(JH, t, s->posts)[N + o] = t > 0 ? (1 - s->kappa) * q[o] : 0;
        }
        for (int j = 0; j < N; j++) {
            next[j] = r->rate_slope[j];
            if (t == T) continue;
            const double beta = j >= N - s->adaptive ? s->beta : 0, Th = s->threshold + beta * row(r->b, t + 1, N)[j], psi = row(r->psi, t, N)[j];
            const double Thh = -z[j] * vh[j] - zh[j] * psi * v[j] / (Th * Th), b1 = bh[j] + beta * Thh;
            row(JH, t, s->posts)[j] = (1 - s->alpha) * vh[j];
            next[j] += -Th * vh[j] + more_of(s, j) * b1;
            vh[j] = s->alpha * vh[j] + zh[j] * psi / Th;
            bh[j] = rho_of(s, j) * b1;
        }
        for (int pre = 0; pre < pres; pre++) {
            const double height = pre < s->inputs ? (t < T ? row(r->input, t, s->inputs)[pre] : 0) : z[pre - s->inputs];
            for (int p = 0; p < N + s->outputs; p++) {
                const size_t e = (size_t)pre * (size_t)s->posts + (size_t)p;
                const double slope = JH[(size_t)(t + delay[e]) * (size_t)s->posts + (size_t)p];
                if (pre >= s->inputs) next[pre - s->inputs] += r->weight[e] * slope;
                r->gradient[e] += height * slope;
            }
        }
        memcpy(zh, next, (size_t)N * sizeof *zh);
    }
    free(vh);
}
