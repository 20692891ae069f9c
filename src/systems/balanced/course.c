/* What runs between two spikes, the same for all neurons (README.md 4): V_i(m) = alpha_m V_i(0) + F_i.d_m, and what d is made of.
 *
 * A step, from row m to row m + 1, n = at + m being the step of the chunk:
 *   1  e = x[n] - x^_m
 *   2  d = (1 - lambda_V dt) d + dt (c[n] + K e + h_m)
 *   3  learning, with e and r or x^ of row m:  S += eta dt e p ;  h = (1 - lambda dt)(h + eta dt e rho_m)
 *   4  x^ and r decay
 * Rows are made ahead of what is certain: nothing else changes before course_commit(). */
#include <string.h>

#include "balanced.h"
#include "engram/memory.h"

void course_new(balanced *b) {
    course *course = &b->course;
    size_t J = (size_t)b->dimensions, rows = (size_t)b->chunk + 1;
    course->room = b->chunk + 1 + 2 * TILE; /* search reads whole vectors behind the last row */
    course->alpha = memory_new(MEMORY_STATE, (size_t)course->room, sizeof(double));
    course->d = memory_new(MEMORY_STATE, J * (size_t)course->room, sizeof(double));
    course->decoded = memory_new(MEMORY_STATE, J * rows, sizeof(double));
    course->slow = memory_new(MEMORY_STATE, J * rows, sizeof(double));
    course->change = memory_new(MEMORY_STATE, J * rows, sizeof(double));
    course->square = memory_new(MEMORY_STATE, rows, sizeof(double));
    course->power = memory_new(MEMORY_STATE, rows, sizeof(double));
    course->alpha[0] = course->power[0] = 1;
    for (int m = 0; m < b->chunk; m++) {
        course->alpha[m + 1] = b->membrane_decay * course->alpha[m];
        course->power[m + 1] = b->decay * course->power[m];
    }
}

void course_clear(balanced *b) {
    course *course = &b->course;
    memory_free(course->alpha), memory_free(course->d), memory_free(course->decoded), memory_free(course->slow);
    memory_free(course->change), memory_free(course->square), memory_free(course->power);
}

void course_begin(balanced *b) {
    course *course = &b->course;
    int J = b->dimensions;
    course->made = 0;
    for (int j = 0; j < J; j++) {
        course->d[(size_t)j * (size_t)course->room] = 0;
        course->decoded[j] = b->decoded[j];
        course->slow[j] = b->slow_now[j];
        course->change[j] = b->slow_rule == SLOW_FILTERED ? b->change_now[j] : 0;
    }
    course->square[0] = b->square_now;
    if (b->slow_rule == SLOW_BASIS) ray_begin(b, 0);
}

/** Rows made .. to of a network whose slow weights multiply r or x^. Inlined for each number of dimensions that is common. */
static inline __attribute__((always_inline)) void extend_linear(balanced *b, int to, const int J) {
    course *course = &b->course;
    const size_t room = (size_t)course->room;
    const double dt = b->dt, K = b->regime.feedback, rate = b->regime.slow_rate * dt, dk = b->decay, dv = b->membrane_decay;
    const bool filtered = b->slow_rule == SLOW_FILTERED, learns = rate != 0;
    for (int m = course->made; m < to; m++) {
        const double *c = b->commands + (size_t)(b->at + m) * (size_t)J, *x = b->states + (size_t)(b->at + m) * (size_t)J;
        const double *decoded = course->decoded + (size_t)m * (size_t)J, *slow = course->slow + (size_t)m * (size_t)J;
        const double *change = course->change + (size_t)m * (size_t)J;
        double *next_decoded = course->decoded + (size_t)(m + 1) * (size_t)J, *next_slow = course->slow + (size_t)(m + 1) * (size_t)J;
        double *next_change = course->change + (size_t)(m + 1) * (size_t)J, *d = course->d + m;
        double square = 0, part = 0;
        if (learns && filtered) square = course->square[m], part = course->power[b->at + m];
        else if (learns) {
            for (int j = 0; j < J; j++) square = fma(decoded[j], decoded[j], square);
            part = course->power[m];
        }
        for (int j = 0; j < J; j++) {
            double error = x[j] - decoded[j], change_of_slow = rate * error;
            d[(size_t)j * room + 1] = fma(dt, c[j] + K * error + slow[j], dv * d[(size_t)j * room]);
            next_change[j] = fma(change_of_slow, part, change[j]);
            next_slow[j] = dk * fma(change_of_slow, square, slow[j]);
            next_decoded[j] = dk * decoded[j];
        }
        course->square[m + 1] = dk * dk * course->square[m];
    }
}

/** The same with slow weights over a nonlinear basis. */
static void extend_basis(balanced *b, int to) {
    course *course = &b->course;
    const size_t J = (size_t)b->dimensions, room = (size_t)course->room;
    const double dt = b->dt, K = b->regime.feedback, dk = b->decay, dv = b->membrane_decay;
    double error[DIMENSIONS_MAX];
    for (int m = course->made; m < to; m++) {
        const double *c = b->commands + (size_t)(b->at + m) * J, *x = b->states + (size_t)(b->at + m) * J;
        const double *decoded = course->decoded + (size_t)m * J;
        double *slow = course->slow + (size_t)m * J, *next_decoded = course->decoded + (size_t)(m + 1) * J, *d = course->d + m;
        for (size_t j = 0; j < J; j++) error[j] = x[j] - decoded[j];
        ray_step(b, m, error, slow);
        for (size_t j = 0; j < J; j++) {
            d[j * room + 1] = fma(dt, c[j] + K * error[j] + slow[j], dv * d[j * room]);
            next_decoded[j] = dk * decoded[j];
        }
        course->square[m + 1] = dk * dk * course->square[m];
    }
}

void course_extend(balanced *b, int to) {
    if (to <= b->course.made) return;
    if (b->slow_rule == SLOW_BASIS) extend_basis(b, to);
    else if (b->dimensions == 1) extend_linear(b, to, 1);
    else if (b->dimensions == 2) extend_linear(b, to, 2);
    else if (b->dimensions == 3) extend_linear(b, to, 3);
    else if (b->dimensions == 4) extend_linear(b, to, 4);
    else if (b->dimensions == 16) extend_linear(b, to, 16);
    else extend_linear(b, to, b->dimensions);
    b->course.made = to;
}

/** Sums over the rows that have become certain, as line 1 of a step has them. */
static void add_sums(balanced *b, int rows) {
    int J = b->dimensions;
    path_sums *sums = &b->sums;
    for (int m = 0; m < rows; m++) {
        const double *x = b->states + (size_t)(b->at + m) * (size_t)J, *decoded = b->course.decoded + (size_t)m * (size_t)J;
        double error = 0, square = 0;
        for (int j = 0; j < J; j++) {
            double e = x[j] - decoded[j];
            error += e * e;
            square += x[j] * x[j];
            sums->sum[j] += x[j];
        }
        sums->error += error;
        sums->square += square;
    }
    sums->steps += rows;
}

/** x_in of the feed-forward rule: a leaky integral of the command. */
static void integrate_input(balanced *b, int rows) {
    int J = b->dimensions;
    for (int m = 0; m < rows; m++)
        for (int j = 0; j < J; j++) b->input[j] = fma(b->dt, b->commands[(size_t)(b->at + m) * (size_t)J + (size_t)j], b->decay * b->input[j]);
}

void course_commit(balanced *b, int to) {
    const course *course = &b->course;
    size_t J = (size_t)b->dimensions;
    const double *change = course->change + (size_t)to * J, *slow = course->slow + (size_t)to * J, *decoded = course->decoded + (size_t)to * J;
    add_sums(b, to);
    if (b->regime.feedforward_rate != 0) integrate_input(b, to);
    if (b->slow_rule == SLOW_PROJECTED && b->regime.slow_rate != 0) /* G += S x^_0' */
        for (size_t j = 0; j < J; j++)
            for (size_t l = 0; l < J; l++) b->matrix[j * J + l] = fma(change[j], course->decoded[l], b->matrix[j * J + l]);
    if (b->slow_rule == SLOW_BASIS) ray_end(b, to);
    memcpy(b->decoded, decoded, J * sizeof(double));
    if (b->slow_rule != SLOW_BASIS) memcpy(b->slow_now, slow, J * sizeof(double)); /* of a basis: it follows from x^ */
    if (b->slow_rule == SLOW_FILTERED) memcpy(b->change_now, change, J * sizeof(double));
    b->square_now = course->square[to];
    b->at += to;
}
