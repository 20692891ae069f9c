/** @file test_signals.c
 *  Commands and teachers against closed forms. One rank.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <hdf5.h>

#include "../signals.h"
#include "io/h5_server.h"

#define TURN 6.283185307179586477

static context job;

static signals opened(const char *text, int dimensions, double dt) {
    signals result;
    assert_int_equal(open_signals(&job, text, dimensions, dt, &result), STATUS_OK);
    return result;
}

/** What is printed when it does not open. Owned by the caller. */
static char *refused(const char *text, int dimensions, double dt) {
    char path[64];
    snprintf(path, sizeof path, "/tmp/test_signals.%d.told", (int)getpid());
    fflush(stderr);
    int old = dup(STDERR_FILENO);
    assert_non_null(freopen(path, "w", stderr));
    signals result;
    status code = open_signals(&job, text, dimensions, dt, &result);
    fflush(stderr);
    dup2(old, STDERR_FILENO);
    close(old);
    close_signals(&result);
    char *told = calloc(1, 4096);
    FILE *file = fopen(path, "r");
    assert_true(fread(told, 1, 4095, file) > 0);
    fclose(file);
    unlink(path);
    assert_int_equal(code, STATUS_INPUT);
    return told;
}

static void assert_refused(const char *text, int dimensions, double dt, const char *word) {
    char *told = refused(text, dimensions, dt);
    if (!strstr(told, word)) fail_msg("'%s' does not say '%s'", told, word);
    free(told);
}

/** The path of the trial of stream 0, in pieces. @param[out] x [steps+1][J], owned by the caller */
static double *walk(signals *signals, int steps, int piece) {
    int J = signals->setting.dimensions;
    double *c = calloc((size_t)piece * (size_t)J, sizeof *c), *x = calloc((size_t)(steps + 1) * (size_t)J, sizeof *x);
    teacher_begin(signals->teacher, 0, 0, x);
    for (int n = 0; n < steps; n += piece) {
        int count = steps - n < piece ? steps - n : piece;
        command_fill(signals->command, 0, n, count, c);
        teacher_advance(signals->teacher, 0, n, count, c, x + (size_t)n * (size_t)J);
    }
    free(c);
    return x;
}

/* ---- golden traces ---- */

/** G1 to G3: c = (8 sin(2 pi 1.5 t), 6 cos(2 pi 0.7 t)), A = [[-.5, -6], [6, -.5]]; final state of two independent programs. */
static void test_golden_linear(void **state) {
    (void)state;
    signals s = opened("stimulus: {kind: sines, amplitudes: [8, 6], frequencies: [1.5, 0.7], forms: [sin, cos], scale: 1}\n"
                       "targets: {kind: linear, matrix: [-0.5, -6, 6, -0.5]}\n", 0, 1e-4);
    double *x = walk(&s, 20000, 777), now[2] = {0, 0};
    for (int n = 0; n < 20000; n++) { /* the same, to the bit, as a plain program has it */
        double t = n * 1e-4, c0 = 8 * sin(2 * M_PI * 1.5 * t), c1 = 6 * cos(2 * M_PI * 0.7 * t);
        double f0 = -0.5 * now[0] + -6 * now[1], f1 = 6 * now[0] + -0.5 * now[1];
        now[0] += 1e-4 * (f0 + c0);
        now[1] += 1e-4 * (f1 + c1);
        assert_true(x[2 * n + 2] == now[0] && x[2 * n + 3] == now[1]);
    }
    assert_float_equal(x[40000], 0.88866272, 5e-9);
    assert_float_equal(x[40001], -2.22659603, 5e-9);
    free(x);
    close_signals(&s);
}

/** G4: van der Pol from (0.8, 0.2). */
static void test_golden_van_der_pol(void **state) {
    (void)state;
    signals s = opened("stimulus: {kind: none}\ntargets: {kind: van_der_pol, initial: [0.8, 0.2]}\n", 2, 1e-4);
    double *x = walk(&s, 20000, 20000), now[2] = {0.8, 0.2}, w = 1.4 * M_PI;
    for (int n = 0; n < 20000; n++) {
        double X = 2 * now[0], f0 = w * now[1], f1 = w * (1 * (1 - X * X) * now[1] - now[0]);
        now[0] = now[0] + 1e-4 * (f0 + 0);
        now[1] = now[1] + 1e-4 * (f1 + 0);
        assert_true(x[2 * n + 2] == now[0] && x[2 * n + 3] == now[1]);
    }
    assert_float_equal(x[40000], -.20967773, 5e-9);
    assert_float_equal(x[40001], -1.26566244, 5e-9);
    assert_float_equal(teacher_box(s.teacher)[1], 2.0, 0);
    free(x);
    close_signals(&s);
}

/* ---- commands ---- */

/** Mean product of a channel with another (or itself) at a distance. */
static double product(const double *c, int J, int steps, int one, int other, int lag) {
    double sum = 0;
    for (int n = 0; n + lag < steps; n++) sum += c[n * J + one] * c[(n + lag) * J + other];
    return sum / (steps - lag);
}

static void test_smooth_noise(void **state) {
    (void)state;
    enum { J = 3, STEPS = 400000 }; /* 2000 s of 5 ms */
    signals s = opened("stimulus: {kind: smooth_noise, tau: 50 ms, scale: 1}\ntargets: {kind: leak}\n", J, 5e-3);
    double *c = calloc(STEPS * J, sizeof *c);
    command_fill(s.command, 5, 0, STEPS, c);
    for (int j = 0; j < J; j++) { /* about 20000 independent values: 4 standard errors are 0.03 */
        double mean = 0;
        for (int n = 0; n < STEPS; n++) mean += c[n * J + j] / STEPS;
        assert_float_equal(mean, 0, 0.03);
        for (int lag = 0; lag <= 40; lag += 5)
            assert_float_equal(product(c, J, STEPS, j, j, lag), exp(-lag * lag * 25.0 / (4 * 2500.0)), 0.03);
        assert_float_equal(product(c, J, STEPS, j, (j + 1) % J, 0), 0, 0.03);
    }
    double *other = calloc(STEPS * J, sizeof *other);
    command_fill(s.command, 6, 0, STEPS, other); /* of another stream */
    double sum = 0;
    for (int i = 0; i < STEPS * J; i++) sum += c[i] * other[i] / (STEPS * J);
    assert_float_equal(sum, 0, 0.03);
    for (int first = 0, count = 1; first + count <= 30000; first += count, count = count % 613 + 1) { /* in pieces: the same bits */
        command_fill(s.command, 5, first, count, other);
        assert_memory_equal(other, c + first * J, (size_t)count * J * sizeof *c);
    }
    command_fill(s.command, 5, 7, 1, other);
    assert_memory_equal(other, c + 7 * J, J * sizeof *c);
    free(c), free(other);
    close_signals(&s);
}

/** Variance and autocovariance are those of the kernel at every phase: coefficients are drawn anew by streams. */
static void test_smooth_noise_stationary(void **state) {
    (void)state;
    enum { STREAMS = 40000, STEPS = 15 }; /* the grid has 7 steps */
    signals s = opened("stimulus: {kind: smooth_noise, tau: 50 ms, channels: [2], scale: 2}\ntargets: {kind: leak}\n", 2, 5e-3);
    double variance[STEPS] = {0}, apart[STEPS] = {0}, c[STEPS + 10][2];
    for (uint64_t stream = 0; stream < STREAMS; stream++) {
        command_fill(s.command, stream, 1000, STEPS + 10, c[0]);
        for (int n = 0; n < STEPS; n++) {
            assert_true(c[n][0] == 0);
            variance[n] += c[n][1] * c[n][1] / STREAMS / 4;
            apart[n] += c[n][1] * c[n + 10][1] / STREAMS / 4;
        }
    }
    for (int n = 0; n < STEPS; n++) { /* standard error 0.007 */
        assert_float_equal(variance[n], 1, 0.025);
        assert_float_equal(apart[n], exp(-0.25), 0.025);
    }
    close_signals(&s);
}

static void test_steps(void **state) {
    (void)state;
    signals s = opened("stimulus: {kind: steps, values: [1.5, -2], start: 2 ms, stop: 5 ms, period: 10 ms}\ntargets: {kind: oscillator}\n", 0, 1e-3);
    double c[100];
    command_fill(s.command, 3, 0, 50, c);
    for (int n = 0; n < 50; n++) {
        bool on = n % 10 >= 2 && n % 10 < 5;
        assert_true(c[2 * n] == (on ? 1.5 : 0) && c[2 * n + 1] == (on ? -2 : 0));
    }
    char text[200];
    command_describe(s.command, text, sizeof text);
    assert_string_equal(text, "steps, values 1.5 -2, start 2 ms, stop 5 ms, period 10 ms, scale 1");
    close_signals(&s);
}

static void test_pulses(void **state) {
    (void)state;
    double c[400];
    signals s = opened("stimulus: {kind: pulses, start: 5, duration: 20, period: 50, direction: alternating, scale: 0.5}\ntargets: {kind: bistable}\n",
                       0, 1e-3);
    command_fill(s.command, 3, 100, 100, c);
    for (int n = 100; n < 200; n++) assert_true(c[n - 100] == ((n - 5) % 50 < 20 && n >= 105 ? ((n - 5) / 50 % 2 ? -3 : 3) : 0));
    close_signals(&s);
    s = opened("stimulus: {kind: pulses, height: 20, start: 50, duration: 200, channels: [3, 4], direction: circle}\ntargets: {kind: arm}\n", 0, 1e-3);
    for (uint64_t stream = 14; stream < 20; stream++) {
        command_fill(s.command, stream, 49, 2, c);
        assert_true(c[0] == 0 && c[2] == 0 && c[4] == 0 && c[5] == 0);
        assert_float_equal(c[6], 20 * cos(TURN * (double)(stream % 16) / 16), 1e-13);
        assert_float_equal(c[7], 20 * sin(TURN * (double)(stream % 16) / 16), 1e-13);
        command_fill(s.command, stream, 249, 2, c);
        assert_float_equal(hypot(c[2], c[3]), 20, 1e-13);
        assert_true(c[4] == 0 && c[5] == 0 && c[6] == 0 && c[7] == 0);
        command_fill(s.command, stream, 1000000, 1, c);
        assert_true(c[3] == 0);
    }
    close_signals(&s);
    s = opened("stimulus: {kind: pulses, duration: 1, period: 1, channels: [1, 3, 4], direction: random}\ntargets: {kind: leak}\n", 4, 1e-3);
    double mean[4] = {0}, square[4] = {0};
    for (uint64_t stream = 0; stream < 100; stream++) {
        command_fill(s.command, stream, 0, 100, c);
        for (int n = 0; n < 100; n++) {
            assert_float_equal(sqrt(c[4 * n] * c[4 * n] + c[4 * n + 2] * c[4 * n + 2] + c[4 * n + 3] * c[4 * n + 3]), 6, 1e-13);
            for (int j = 0; j < 4; j++) mean[j] += c[4 * n + j] / 1e4, square[j] += c[4 * n + j] * c[4 * n + j] / 1e4;
        }
    }
    for (int j = 0; j < 4; j++) {
        assert_float_equal(mean[j], 0, 0.15);
        assert_float_equal(square[j], j == 1 ? 0 : 12, 0.5);
    }
    close_signals(&s);
    s = opened("stimulus: {kind: pulses, duration: 1, period: 1, direction: sign}\ntargets: {kind: leak}\n", 2, 1e-3);
    int up = 0;
    command_fill(s.command, 0, 0, 200, c);
    for (int n = 0; n < 200; n++) {
        assert_true(c[2 * n] == c[2 * n + 1] && fabs(c[2 * n]) == 6);
        up += c[2 * n] > 0;
    }
    assert_in_range(up, 70, 130);
    close_signals(&s);
}

/** Impulse response of both filters: (1-a)^2 (n+1) a^n, so that the variance is the sum of its squares, and neighbours are correlated accordingly. */
static void test_filtered_noise(void **state) {
    (void)state;
    enum { STREAMS = 20000 };
    signals s = opened("stimulus: {kind: filtered_noise, tau: 10 ms, start: 45 ms, stop: 450 ms}\ntargets: {kind: demo}\n", 0, 1e-3);
    double a = exp(-0.1), expected[2] = {0, 0}, found[2] = {0, 0}, c[500][2], piece[500][2];
    for (int n = 0; n < 1000; n++)
        expected[0] += pow(1 - a, 4) * (n + 1) * (n + 1) * pow(a, 2 * n), expected[1] += pow(1 - a, 4) * (n + 1) * (n + 11) * pow(a, 2 * n + 10);
    for (uint64_t stream = 0; stream < STREAMS; stream++) {
        command_fill(s.command, stream, 200, 11, c[0]);
        found[0] += c[0][0] * c[0][0] / STREAMS;
        found[1] += c[0][0] * c[10][0] / STREAMS;
        assert_true(c[0][1] == 0);
    }
    for (int k = 0; k < 2; k++) assert_float_equal(found[k] / 3.6e5, expected[k], 0.04 * expected[0]);
    command_fill(s.command, 7, 0, 500, c[0]);
    for (int n = 0; n < 500; n++) assert_true((c[n][0] == 0) == (n < 45 || n >= 450));
    for (int first = 0, count = 1; first + count <= 500; first += count, count = count % 13 + 1) {
        command_fill(s.command, 7, first, count, piece[0]);
        assert_memory_equal(piece, c[first], (size_t)count * sizeof *c);
        command_fill(s.command, 8, first, count, piece[0]);
    }
    close_signals(&s);
}

/** Root mean square of dx/dt = A x + c of 2 dimensions under smooth noise: the integral over s and t of tr(e^(As) e^(At)') exp(-(s-t)^2/4 tau^2), halved. */
static double driven_size(const double *a, double tau) {
    enum { COUNT = 8000 };
    static double g[COUNT][4];
    double h = 1e-3, sum = 0;
    memcpy(g[0], (double[]){1, 0, 0, 1}, sizeof g[0]);
    for (int n = 0; n + 1 < COUNT; n++)
        for (int i = 0; i < 4; i++) { /* e^(Ah) to the third order */
            double term[4];
            memcpy(term, g[n], sizeof term);
            g[n + 1][i] = term[i];
            for (int order = 1; order <= 3; order++) {
                double next[4] = {a[0] * term[0] + a[1] * term[2], a[0] * term[1] + a[1] * term[3],
                                  a[2] * term[0] + a[3] * term[2], a[2] * term[1] + a[3] * term[3]};
                for (int m = 0; m < 4; m++) term[m] = next[m] * h / order;
                g[n + 1][i] += term[i];
            }
        }
    for (int n = 0; n < COUNT; n++)
        for (int m = n > 400 ? n - 400 : 0; m < n + 400 && m < COUNT; m++)
            for (int i = 0; i < 4; i++) sum += h * h * g[n][i] * g[m][i] * exp(-(n - m) * h * (n - m) * h / (4 * tau * tau));
    return sqrt(sum / 2);
}

/** The factor makes the teacher of unit size. */
static void test_auto_scale(void **state) {
    (void)state;
    signals s = opened("stimulus: {kind: smooth_noise, tau: 10 ms}\ntargets: {kind: leak, rate: 2}\n", 4, 1e-3);
    double rate = 2, tau = 0.01, variance = 0, h = 1e-4; /* of x: integral over s of exp(-rate |s|) exp(-s^2/4 tau^2) / (2 rate) */
    for (double lag = h / 2; lag < 1; lag += h) variance += 2 * h * exp(-rate * lag - lag * lag / (4 * tau * tau)) / (2 * rate);
    assert_float_equal(command_scale(s.command) * sqrt(variance), 1, 0.03);
    close_signals(&s);
    s = opened("stimulus: {kind: smooth_noise}\ntargets: {kind: oscillator}\n", 2, 1e-4);
    assert_float_equal(command_scale(s.command) * driven_size(teacher_matrix(s.teacher), 0.05), 1, 0.03);
    char text[200];
    command_describe(s.command, text, sizeof text);
    assert_non_null(strstr(text, "smooth_noise, tau 50 ms, channels all, scale "));
    assert_non_null(strstr(text, " (auto)"));
    close_signals(&s);
    s = opened("stimulus: {kind: smooth_noise}\ntargets: {kind: van_der_pol}\n", 2, 1e-4);
    assert_true(command_scale(s.command) == 1);
    close_signals(&s);
}

/* ---- teachers ---- */

/** Every teacher that follows Euler steps does so to the bit, however it is walked, by the field that it tells. */
static void test_euler(void **state) {
    (void)state;
    static const char *const kinds[] = {"oscillator", "leak", "arm", "demo", "bistable", "van_der_pol", "lorenz", "pendulum", "random_stable", "lorenz96"};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (int J = strcmp(kinds[k], "lorenz96") == 0 ? 4 : 1; J <= 33; J++) {
            char text[200];
            snprintf(text, sizeof text, "stimulus: {kind: smooth_noise, scale: 2}\ntargets: {kind: %s}\n", kinds[k]);
            bool any = k == 1 || k >= 8;
            if (J > 1 && !any) break;
            signals s = opened(text, any ? J : 0, 1e-3);
            int dimensions = s.setting.dimensions;
            double *x = walk(&s, 500, 37), *c = calloc(500 * (size_t)dimensions, sizeof *c), *f = calloc((size_t)dimensions, sizeof *f);
            command_fill(s.command, 0, 0, 500, c);
            for (int n = 0; n < 500; n++) {
                assert_true(teacher_field(s.teacher, x + n * dimensions, f));
                for (int j = 0; j < dimensions; j++)
                    assert_true(x[(n + 1) * dimensions + j] == x[n * dimensions + j] + 1e-3 * (f[j] + c[n * dimensions + j]));
            }
            free(x), free(c), free(f);
            close_signals(&s);
        }
}

static void test_matrices(void **state) {
    (void)state;
    double w = TURN;
    signals s = opened("targets: {kind: oscillator}\nstimulus: {kind: none}\n", 0, 1e-4);
    const double *a = teacher_matrix(s.teacher);
    assert_true(a[0] == 0 && a[1] == w && a[2] == -w && a[3] == -2 * 0.16 * w);
    char text[100];
    teacher_describe(s.teacher, text, sizeof text);
    assert_string_equal(text, "oscillator, frequency 1 Hz, damping 0.16");
    close_signals(&s);
    s = opened("targets: {kind: arm}\nstimulus: {kind: none}\n", 0, 1e-4);
    const double arm[] = {0, 0, M_PI, 0, 0, 0, 0, M_PI, -M_PI, -M_PI * .3, -M_PI * .9, -M_PI * .2, -M_PI * .3, -M_PI, -M_PI * .2, -M_PI * .7};
    for (int i = 0; i < 16; i++) assert_true(teacher_matrix(s.teacher)[i] == arm[i]);
    close_signals(&s);
    s = opened("targets: {kind: demo}\nstimulus: {kind: none}\n", 0, 1e-4);
    a = teacher_matrix(s.teacher);
    assert_true(a[0] == -3 && a[1] == -24 && a[2] == 3 && a[3] == 0);
    assert_null(teacher_box(s.teacher));
    close_signals(&s);
}

/** A + decay I is a rotation: antisymmetric, of the frequencies that are spread over the range. */
static void test_random_stable(void **state) {
    (void)state;
    for (int J = 1; J <= 9; J++) {
        signals s = opened("targets: {kind: random_stable, decay: 1.5}\nstimulus: {kind: none}\n", J, 1e-4);
        const double *a = teacher_matrix(s.teacher);
        double squares = 0, expected = 0, fourth = 0, expected_fourth = 0;
        for (int i = 0; i < J; i++)
            for (int j = 0; j < J; j++) {
                double rotation = a[i * J + j] + (i == j ? 1.5 : 0), product = 0;
                assert_float_equal(rotation, -(a[j * J + i] + (i == j ? 1.5 : 0)), 1e-13);
                for (int k = 0; k < J; k++) product += (a[i * J + k] + (i == k ? 1.5 : 0)) * (a[k * J + j] + (k == j ? 1.5 : 0));
                squares += rotation * rotation;
                fourth += product * product;
            }
        for (int b = 0; b < J / 2; b++) {
            double w = TURN * 0.2 * pow(10, (b + 0.5) / (J / 2));
            expected += 2 * w * w;
            expected_fourth += 2 * w * w * w * w;
        }
        assert_float_equal(squares, expected, 1e-9 * expected + 1e-20);
        assert_float_equal(fourth, expected_fourth, 1e-9 * expected_fourth + 1e-20);
        close_signals(&s);
    }
}

static void test_lorenz96(void **state) {
    (void)state;
    for (int J = 4; J <= 9; J++) {
        signals s = opened("targets: {kind: lorenz96, time_scale: 2 s}\nstimulus: {kind: none}\n", J, 1e-3);
        double x[9], f[9], X[9];
        for (int i = 0; i < J; i++) x[i] = sin(i + 1.0), X[i] = 2.35 + 3.7 * x[i];
        teacher_field(s.teacher, x, f);
        for (int i = 0; i < J; i++)
            assert_float_equal(f[i], ((X[(i + 1) % J] - X[(i + J - 2) % J]) * X[(i + J - 1) % J] - X[i] + 8) / 3.7 / 2, 1e-13);
        assert_float_equal(teacher_box(s.teacher)[J - 1], 3.7, 0);
        close_signals(&s);
    }
    signals s = opened("targets: {kind: lorenz96}\nstimulus: {kind: none}\n", 8, 5e-3);
    double *x = walk(&s, 100000, 1000), mean = 0, square = 0;
    for (int i = 8000; i < 800000; i++) mean += x[i] / 792000, square += x[i] * x[i] / 792000;
    assert_float_equal(mean, 0, 0.1);
    assert_float_equal(sqrt(square), 1, 0.05);
    free(x);
    close_signals(&s);
}

/** Without damping and command the energy w (x2^2 + (1 - cos 2 x1)/2)/2 stays, but for the Euler steps; trials begin within the spread, and limits hold. */
static void test_pendulum(void **state) {
    (void)state;
    signals s = opened("targets: {kind: pendulum, damping: 0, spread: 3}\nstimulus: {kind: none}\n", 0, 1e-5);
    double *x = walk(&s, 100000, 1000), first = x[1] * x[1] + (1 - cos(2 * x[0])) / 2, last = x[200001] * x[200001] + (1 - cos(2 * x[200000])) / 2;
    assert_float_equal(last / first, 1, 1e-3);
    free(x);
    double least = 0, most = 0;
    int accepted = 0;
    for (uint64_t stream = 0; stream < 1000; stream++) {
        double start[2];
        teacher_begin(s.teacher, 0, stream, start);
        assert_true(start[1] == 0 && fabs(start[0]) <= 1.5);
        least = fmin(least, start[0]);
        most = fmax(most, start[0]);
        bool accepts = teacher_accepts(s.teacher, s.command, 0, stream, 1000);
        assert_int_equal(accepts, fabs(start[0]) <= 1.45);
        accepted += accepts;
    }
    assert_true(least < -1.45 && most > 1.45);
    assert_in_range(accepted, 940, 995);
    close_signals(&s);
}

static void test_fields(void **state) {
    (void)state;
    double f[3];
    signals s = opened("targets: {kind: bistable}\nstimulus: {kind: none}\n", 0, 1e-4);
    teacher_field(s.teacher, (double[]){0.25}, f);
    assert_float_equal(f[0], 8 * .25 * .25 * .75, 1e-15);
    teacher_field(s.teacher, (double[]){0.5}, f);
    assert_float_equal(f[0], 0, 1e-15);
    close_signals(&s);
    s = opened("targets: {kind: lorenz}\nstimulus: {kind: none}\n", 0, 1e-4);
    teacher_field(s.teacher, (double[]){.5, -.25, .5}, f); /* X = 6, Y = -3, Z = 31 */
    assert_float_equal(f[0], 10 * (-3 - 6) / 12., 1e-14);
    assert_float_equal(f[1], (6 * (28 - 31) + 3) / 12., 1e-14);
    assert_float_equal(f[2], (6 * -3 - 8 / 3. * 31) / 12., 1e-13);
    close_signals(&s);
}

static void test_limits(void **state) {
    (void)state;
    signals s = opened("targets: {kind: leak, rate: 0, initial: [0, 1], limits: [0.5, 0]}\nstimulus: {kind: steps, values: [1, 5]}\n", 2, 1e-3);
    assert_true(teacher_accepts(s.teacher, s.command, 0, 0, 499));
    assert_false(teacher_accepts(s.teacher, s.command, 0, 0, 502));
    close_signals(&s);
}

/* ---- mistakes ---- */

static void test_mistakes(void **state) {
    (void)state;
    assert_refused("targets: {kind: oscillator}\n", 3, 1e-4, "oscillator has 2 dimensions, but the network has 3");
    assert_refused("targets: {kind: leak}\n", 0, 1e-4, "any number of dimensions");
    assert_refused("targets: {kind: oscillator, initial: [1, 2, 3]}\n", 0, 1e-4, "test.yaml:1:29: targets.initial: 3 numbers, but there are 2 dimensions");
    assert_refused("targets: {kind: linear}\n", 0, 1e-4, "targets.matrix: is missing");
    assert_refused("targets: {kind: linear, matrix: [1, 2, 3]}\n", 0, 1e-4, "3 numbers are no square matrix");
    assert_refused("targets: {kind: linear, path: /nowhere/a.csv}\n", 0, 1e-4, "/nowhere/a.csv: cannot be read: No such file");
    assert_refused("stimulus: {kind: smooth_noise, channels: [3]}\n", 2, 1e-4, "'3' is none");
    assert_refused("stimulus: {kind: steps, start: 5, stop: 5}\n", 2, 1e-4, "5 ms is not after start");
    assert_refused("stimulus: {kind: steps, start: 0.25}\n", 2, 1e-4, "stimulus.start");
    assert_refused("stimulus: {kind: pulses, direction: circle}\ntargets: {kind: arm}\n", 0, 1e-4, "circle takes 2 of the dimensions, not 4");
    assert_refused("stimulus: {kind: pulses, duration: 5, period: 4}\n", 2, 1e-4, "shorter than a pulse");
    assert_refused("targets: {kind: lorenz96}\n", 3, 1e-4, "4 dimensions or more, not 3");
    assert_refused("targets: {kind: random_stable, slowest: 3}\n", 3, 1e-4, "at most fastest (2 Hz)");
    assert_refused("stimulus: {kind: sines, forms: [sin, cos, sin]}\n", 2, 1e-4, "stimulus.forms: 3 of them");
}

/* ---- files ---- */

static char data_path[64];

static void write_data(const char *text) {
    snprintf(data_path, sizeof data_path, "/tmp/test_signals.%d.data", (int)getpid());
    FILE *file = fopen(data_path, "w");
    fputs(text, file);
    fclose(file);
}

/** Datasets "a" [times][units], and "b" [conditions][times][units] if there are conditions, of 0, 1, 2, ... */
static void write_hdf5(int conditions, int times, int units) {
    snprintf(data_path, sizeof data_path, "/tmp/test_signals.%d.data", (int)getpid());
    hid_t file = H5Fcreate(data_path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    float values[1000];
    for (int i = 0; i < 1000; i++) values[i] = (float)i;
    for (int three = 0; three < 2; three++) {
        hsize_t shape[3] = {(hsize_t)conditions, (hsize_t)times, (hsize_t)units};
        if (three && !conditions) break;
        hid_t space = H5Screate_simple(three ? 3 : 2, three ? shape : shape + 1, NULL);
        hid_t data = H5Dcreate2(file, three ? "b" : "a", H5T_IEEE_F32LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        H5Dwrite(data, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
        H5Dclose(data), H5Sclose(space);
    }
    H5Fclose(file);
}

static void test_linear_file(void **state) {
    (void)state;
    char text[200];
    write_data("-1, 2,3\n\n4;-5; 6e-1\r\n# the last\n7 8\t-9");
    snprintf(text, sizeof text, "targets: {kind: linear, path: %s}\nstimulus: {kind: none}\n", data_path);
    signals s = opened(text, 0, 1e-4);
    const double a[] = {-1, 2, 3, 4, -5, .6, 7, 8, -9};
    assert_int_equal(s.setting.dimensions, 3);
    assert_memory_equal(teacher_matrix(s.teacher), a, sizeof a);
    close_signals(&s);
    static const struct { const char *file, *says; } bad[] = {
        {"1,2\n3,x\n", ".data:2: column 2: 'x' is no number"}, {"1,2\n3\n", ".data:2: 1 numbers, but the first line has 2"},
        {"1,2\n", "1 rows of 2 numbers are no square matrix"}, {"", ".data: has no numbers"}, {"a,b\n", ".data: has no numbers"},
        {"1,2\n3,4\n5,6\n", "3 rows of 2 numbers"}, {"1,2\n3,4,5\n", ".data:2: 3 numbers, but the first line has 2"},
        {"1,2\n3,nan\n", "'nan' is no number"}, {"1,2\n3,\n", ".data:2: column 2: '' is no number"}, {"1,x\n3,4\n", ".data:1: column 2: 'x' is no number"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_data(bad[i].file);
        assert_refused(text, 0, 1e-4, bad[i].says);
    }
    unlink(data_path);
}

/** Linear between rows, 0 behind the last. */
static void check_file(const char *more, double first, double step, int rows) {
    char text[300];
    double c[100];
    snprintf(text, sizeof text, "stimulus: {kind: file, path: %s, interval: 2 ms%s}\ntargets: {kind: leak}\n", data_path, more);
    signals s = opened(text, 2, 5e-4);
    command_fill(s.command, 0, 0, 50, c);
    for (int n = 0; n < 50; n++) {
        assert_float_equal(c[2 * n], n <= 4 * (rows - 1) ? first + step * n / 4 : 0, 1e-14);
        assert_float_equal(c[2 * n + 1], n <= 4 * (rows - 1) ? first + 1 + step * n / 4 : 0, 1e-14);
    }
    close_signals(&s);
}

static void test_file(void **state) {
    (void)state;
    write_data("3,4\n5,6\n7,8\n");
    check_file("", 3, 2, 3);
    write_data("unit 1,unit 2\n3,4\n5,6\n7,8\n");
    check_file("", 3, 2, 3);
    write_data("# x y\n3 4\n5 6\n7 8\n");
    check_file("", 3, 2, 3);
    write_data("time (s),x,y\n0,3,4\n0.1,5,6\n0.7,7,8\n");
    check_file("", 3, 2, 3);
    write_hdf5(0, 3, 2);
    check_file("", 0, 2, 3);
    write_hdf5(2, 3, 2);
    check_file(", dataset: a", 0, 2, 3);
    char text[200];
    snprintf(text, sizeof text, "stimulus: {kind: file, path: %s, interval: 1}\ntargets: {kind: leak}\n", data_path);
    assert_refused(text, 2, 1e-3, "2 datasets of numbers with 2 or 3 dimensions");
    snprintf(text, sizeof text, "stimulus: {kind: file, path: %s, dataset: b, interval: 1}\ntargets: {kind: leak}\n", data_path);
    assert_refused(text, 2, 1e-3, "stimulus.path: has 2 conditions");
    snprintf(text, sizeof text, "stimulus: {kind: file, path: %s, dataset: c, interval: 1}\ntargets: {kind: leak}\n", data_path);
    assert_refused(text, 2, 1e-3, "dataset 'c'");
    snprintf(text, sizeof text, "stimulus: {kind: file, path: %s, dataset: a, interval: 1}\ntargets: {kind: leak}\n", data_path);
    assert_refused(text, 3, 1e-3, "stimulus.path: has 2 columns, but there are 3 dimensions");
    unlink(data_path);
}

/** A path of @p units numbers that moves along two orthogonal directions: principal components find them, with the signs of their largest loadings. */
static void write_plane(int conditions, int times, int units) {
    char *text = calloc(1, 1 << 20), *at = text;
    at += sprintf(at, "condition,time_ms");
    for (int u = 0; u < units; u++) at += sprintf(at, ",u%d", u);
    for (int c = 0; c < conditions; c++)
        for (int t = 0; t < times; t++) {
            double angle = TURN * (t + (double)c / conditions) / times;
            at += sprintf(at, "\n%s,%d", c ? "right" : "left", 100 + 10 * t);
            for (int u = 0; u < units; u++)
                at += sprintf(at, ",%.17g", 7 + 3 * cos(angle) * (u == 1 ? -.8 : u == 2 ? .6 : 0) + sin(angle) * (u == 1 ? .6 : u == 2 ? .8 : 0));
        }
    write_data(text);
    free(text);
}

static void test_trajectory(void **state) {
    (void)state;
    for (int units = 3; units <= 60; units += 57) { /* fewer and more than samples */
        write_plane(2, 20, units);
        char text[300];
        snprintf(text, sizeof text, "targets: {kind: trajectory, path: %s, components: 2}\nstimulus: {kind: none}\n", data_path);
        signals s = opened(text, 0, 1e-3);
        assert_int_equal(s.setting.dimensions, 2);
        assert_string_equal(teacher_task_name(s.teacher, 1), "right");
        assert_int_equal(teacher_steps(s.teacher, 0), 190);
        double x[2], path[11][2], f[2], scale = 1 / sqrt(10 / 4.); /* mean square 9/2 and 1/2 */
        for (int c = 0; c < 2; c++) {
            teacher_begin(s.teacher, c, 3, x);
            for (int t = 0; t < 19; t++) {
                memcpy(path, x, sizeof x);
                teacher_advance(s.teacher, c, 10 * t, 10, NULL, path[0]);
                double angle = TURN * (t + c / 2.) / 20, next = TURN * (t + 1 + c / 2.) / 20;
                for (int n = 0; n <= 10; n++) {
                    assert_float_equal(path[n][0], -3 * scale * (cos(angle) * (10 - n) + cos(next) * n) / 10, 1e-12);
                    assert_float_equal(path[n][1], scale * (sin(angle) * (10 - n) + sin(next) * n) / 10, 1e-12);
                }
                memcpy(x, path[10], sizeof x);
            }
        }
        assert_false(teacher_field(s.teacher, x, f));
        assert_float_equal(teacher_box(s.teacher)[0], 1.2 * 3 * scale, 1e-12);
        close_signals(&s);
    }
    write_plane(1, 50, 4);
    char text[300];
    snprintf(text, sizeof text, "targets: {kind: trajectory, path: %s, smoothing: 30 ms, scale: 2}\nstimulus: {kind: none}\n", data_path);
    signals s = opened(text, 0, 1e-3);
    assert_int_equal(s.setting.dimensions, 4);
    double now[8], expected = 0, weights = 0;
    teacher_advance(s.teacher, 0, 249, 1, NULL, now); /* to a sample away from the ends */
    for (int t = -15; t <= 15; t++) {
        double weight = exp(-t * t / 18.), angle = TURN * (25 + t) / 50;
        weights += weight;
        expected += weight * (7 - 2.4 * cos(angle) + .6 * sin(angle));
    }
    assert_float_equal(now[5], 2 * expected / weights, 1e-12);
    assert_float_equal(now[4], 14, 1e-12);
    close_signals(&s);
    snprintf(text, sizeof text, "targets: {kind: trajectory, path: %s, components: 5}\nstimulus: {kind: none}\n", data_path);
    assert_refused(text, 0, 1e-3, "5 of them, but 4 units and 50 samples have at most 4");
    snprintf(text, sizeof text, "targets: {kind: trajectory, path: %s, initial: 1}\nstimulus: {kind: none}\n", data_path);
    assert_refused(text, 0, 1e-3, "targets.initial: trajectory begins where its path does");
    write_hdf5(3, 4, 5);
    snprintf(text, sizeof text, "targets: {kind: trajectory, path: %s, dataset: b, interval: 10}\nstimulus: {kind: none}\n", data_path);
    s = opened(text, 0, 1e-3);
    double at[15];
    teacher_advance(s.teacher, 2, 14, 1, NULL, at);
    for (int u = 0; u < 5; u++) assert_float_equal(at[5 + u], 2 * 20 + 1.5 * 5 + u, 1e-13);
    assert_int_equal(teacher_steps(s.teacher, 2), 30);
    close_signals(&s);
    unlink(data_path);
}

int main(int argc, char **argv) {
    if (server_is_wanted(argc, argv)) return server_run();
    MPI_Init(NULL, NULL);
    job = context_of(MPI_COMM_WORLD);
    job.quiet = true;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_linear), cmocka_unit_test(test_golden_van_der_pol), cmocka_unit_test(test_smooth_noise),
        cmocka_unit_test(test_smooth_noise_stationary), cmocka_unit_test(test_steps), cmocka_unit_test(test_pulses), cmocka_unit_test(test_filtered_noise),
        cmocka_unit_test(test_random_stable), cmocka_unit_test(test_lorenz96), cmocka_unit_test(test_pendulum), cmocka_unit_test(test_auto_scale),
        cmocka_unit_test(test_euler), cmocka_unit_test(test_matrices), cmocka_unit_test(test_fields), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_linear_file), cmocka_unit_test(test_file), cmocka_unit_test(test_trajectory),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
