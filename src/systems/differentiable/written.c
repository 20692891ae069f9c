/* Differentiable synapses as they are written (Huh & Sejnowski 2018; README.md 3 and 4). A step k = 0 .. K - 1:
 *
 *   I_k = W s_k + Wf F_k + U x_k + Io ;  u_k = v_k + dt f(v_k, I_k) ;  q_k = G(u_k) - G(v_k)
 *   s_k+1 = a s_k + c q_k ;  F_k+1 = af F_k + cf q_k ;  v_k+1 = u_k, reset where it is beyond threshold
 *   o_k+1 = O s_k+1
 *   cost += dt (mask |o - target|^2 + lambda |s|^2)/2
 *
 * with a = exp(-dt/tau), c = (1 - a)/dt: a spike releases int s dt = 1, for any dt. Backwards: the transpose of that, not a discretised equation. */
#include "written.h"

#include <stdlib.h>
#include <string.h>

#include "engram/memory.h"

static double *numbers(int64_t count) {
    return memory_new(MEMORY_STATE, (size_t)count, sizeof(double));
}

void written_weights_new(written_weights *w, const written_shape *shape) {
    const int64_t N = shape->neurons;
    *w = (written_weights){.W = numbers(N * N), .fast = numbers(N * N), .U = numbers(N * shape->inputs), .O = numbers(shape->outputs * N),
                           .current = numbers(N), .start = numbers(N)};
}

void written_weights_clear(written_weights *w) {
    double *arrays[] = {w->W, w->fast, w->U, w->O, w->current, w->start};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) memory_free(arrays[k]);
}

void written_sample_new(written_sample *sample, const written_shape *shape) {
    const int64_t N = shape->neurons, K = shape->steps;
    *sample = (written_sample){.shape = *shape, .v = numbers((K + 1) * N), .s = numbers((K + 1) * N), .F = numbers((K + 1) * N), .u = numbers(K * N),
                               .I = numbers(K * N), .q = numbers(K * N), .o = numbers((K + 1) * shape->outputs)};
}

void written_sample_clear(written_sample *sample) {
    double *arrays[] = {sample->v, sample->s, sample->F, sample->u, sample->I, sample->q, sample->o};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) memory_free(arrays[k]);
}

/** y += A x. @param A [rows][columns] */
static void add_product(const double *A, int rows, int columns, const double *x, double *y) {
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) y[i] += A[(size_t)i * (size_t)columns + (size_t)j] * x[j];
}

/** y += A' x. */
static void add_transposed(const double *A, int rows, int columns, const double *x, double *y) {
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) y[j] += A[(size_t)i * (size_t)columns + (size_t)j] * x[i];
}

/** A += x y'. */
static void add_outer(double *A, int rows, int columns, const double *x, const double *y) {
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) A[(size_t)i * (size_t)columns + (size_t)j] += x[i] * y[j];
}

static double decay_of(double dt, double tau) {
    return exp(-dt / tau);
}

void written_sample_forward(written_sample *sample, const written_weights *w) {
    const written_shape *shape = &sample->shape;
    const model *m = &shape->model;
    const int N = shape->neurons, no = shape->outputs;
    const double a = decay_of(shape->dt, shape->tau), af = decay_of(shape->dt, shape->tau_fast), c = (1 - a) / shape->dt, cf = (1 - af) / shape->dt;
    sample->cost = 0;
    memcpy(sample->v, w->start, (size_t)N * sizeof(double));
    memset(sample->s, 0, (size_t)N * sizeof(double)), memset(sample->F, 0, (size_t)N * sizeof(double));
    for (int k = 0; k < shape->steps; k++) {
        const double *v = sample->v + k * N, *s = sample->s + k * N, *F = sample->F + k * N;
        double *I = sample->I + k * N, *u = sample->u + k * N, *q = sample->q + k * N, *o = sample->o + (k + 1) * no, error = 0, currents = 0;
        memcpy(I, w->current, (size_t)N * sizeof(double));
        add_product(w->W, N, N, s, I), add_product(w->fast, N, N, F, I), add_product(w->U, N, shape->inputs, sample->input + k * shape->inputs, I);
        for (int i = 0; i < N; i++) {
            u[i] = v[i] + shape->dt * speed_of(m, v[i], I[i]);
            q[i] = charge_at(m, u[i]) - charge_at(m, v[i]);
            const int crossed = crossing_of(m, u[i]);
            sample->v[(k + 1) * N + i] = crossed ? reset_ratio(m, I[i]) * (u[i] - crossed) : u[i];
            sample->s[(k + 1) * N + i] = a * s[i] + c * q[i];
            sample->F[(k + 1) * N + i] = af * F[i] + cf * q[i];
            currents += sample->s[(k + 1) * N + i] * sample->s[(k + 1) * N + i];
        }
        memset(o, 0, (size_t)no * sizeof(double));
        add_product(w->O, no, N, sample->s + (k + 1) * N, o);
        for (int r = 0; r < no; r++) error += (o[r] - sample->target[(k + 1) * no + r]) * (o[r] - sample->target[(k + 1) * no + r]);
        sample->cost += shape->dt * (sample->mask[k + 1] * error + shape->lambda * currents) / 2;
    }
}

void written_sample_backward(const written_sample *sample, const written_weights *w, written_weights *gradient) {
    const written_shape *shape = &sample->shape;
    const model *m = &shape->model;
    const int N = shape->neurons, no = shape->outputs;
    const double dt = shape->dt, a = decay_of(dt, shape->tau), af = decay_of(dt, shape->tau_fast), c = (1 - a) / dt, cf = (1 - af) / dt;
    double *vh = calloc((size_t)(4 * N + no), sizeof(double)), *sh = vh + N, *Fh = sh + N, *e = Fh + N, *slope = e + N;
    for (int k = shape->steps - 1; k >= 0; k--) {
        const double *after = sample->s + (k + 1) * N, *v = sample->v + k * N, *u = sample->u + k * N, *I = sample->I + k * N;
        for (int r = 0; r < no; r++) slope[r] = dt * sample->mask[k + 1] * (sample->o[(k + 1) * no + r] - sample->target[(k + 1) * no + r]);
        for (int i = 0; i < N; i++) sh[i] += dt * shape->lambda * after[i];
        add_transposed(w->O, no, N, slope, sh);
        add_outer(gradient->O, no, N, slope, after);
        for (int i = 0; i < N; i++) {
            const int crossed = crossing_of(m, u[i]);
            const double Q = c * sh[i] + cf * Fh[i], pi = (crossed ? reset_ratio(m, I[i]) : 1) * vh[i] + gate_at(m, u[i]) * Q;
            e[i] = dt * speed_by_current(m, v[i]) * pi + (crossed ? vh[i] * (u[i] - crossed) * reset_ratio_by_current(m, I[i]) : 0);
            vh[i] = pi * (1 + dt * speed_by_voltage(m, v[i], I[i])) - gate_at(m, v[i]) * Q;
            gradient->current[i] += e[i];
            sh[i] *= a, Fh[i] *= af;
        }
        add_outer(gradient->W, N, N, e, sample->s + k * N), add_outer(gradient->fast, N, N, e, sample->F + k * N);
        add_outer(gradient->U, N, shape->inputs, e, sample->input + k * shape->inputs);
        add_transposed(w->W, N, N, e, sh), add_transposed(w->fast, N, N, e, Fh);
    }
    for (int i = 0; i < N; i++) gradient->start[i] += vh[i];
    free(vh);
}
