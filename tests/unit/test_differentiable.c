/* Differentiable synapses as they are written: the adjoint against differences of the cost, and the charge of a spike
 * (systems/differentiable/README.md 3 and 4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engram/memory.h"
#include "engram/random.h"
#include "systems/differentiable/written.h"

enum { SEED = 3, N = 12, INPUTS = 2, OUTPUTS = 2, WHAT = 6 };

static double draw(int what, int k) {
    return random_normal(SEED, RANDOM_WEIGHT, (uint64_t)what, (uint64_t)k);
}

typedef struct {
    written_shape shape;
    written_weights weights, gradient;
    written_sample sample;
    double *input, *target, *mask;
} bench;

static int lengths(const written_shape *s, int what) {
    const int all[WHAT] = {s->neurons * s->neurons, s->neurons * s->neurons, s->neurons * s->inputs, s->outputs * s->neurons, s->neurons, s->neurons};
    return all[what];
}

static double *array_of(written_weights *w, int what) {
    double *const all[WHAT] = {w->W, w->fast, w->U, w->O, w->current, w->start};
    return all[what];
}

static void open_bench(bench *b, model model, double dt, double ms) {
    static const double wide[] = {0.1, 0.1, 0.4, 0.3, 0, 0};
    *b = (bench){.shape = {.model = model, .inputs = INPUTS, .neurons = N, .outputs = OUTPUTS, .steps = (int)lround(ms / dt), .dt = dt,
                           .tau = 10, .tau_fast = 1,
                           .lambda = 0.1}};
    written_shape *s = &b->shape;
    written_weights_new(&b->weights, s), written_weights_new(&b->gradient, s);
    written_sample_new(&b->sample, s);
    for (int what = 0; what < WHAT; what++)
        for (int k = 0; k < lengths(s, what); k++) array_of(&b->weights, what)[k] = wide[what] / (what < 2 ? sqrt(N) : 1) * draw(what, k);
    for (int i = 0; i < N; i++) {
        b->weights.current[i] = model.kind == MODEL_THETA ? 0.05 + 0.01 * draw(WHAT, i) : 0.15 + 0.03 * draw(WHAT, i);
        b->weights.start[i] = 0.6 * random_uniform(SEED, RANDOM_WEIGHT, WHAT + 1, (uint64_t)i);
    }
    b->input = calloc((size_t)(s->steps * INPUTS), sizeof(double));
    b->target = calloc((size_t)((s->steps + 1) * OUTPUTS), sizeof(double));
    b->mask = calloc((size_t)s->steps + 1, sizeof(double));
    for (int k = 0; k < s->steps; k++)
        for (int c = 0; c < INPUTS; c++) b->input[k * INPUTS + c] = 0.1 * sin(0.05 * (c + 1) * k * dt);
    for (int k = 0; k <= s->steps; k++)
        for (int r = 0; r < OUTPUTS; r++) b->target[k * OUTPUTS + r] = cos(0.1 * (r + 1) * k * dt);
    for (int k = 0; k <= s->steps; k++) b->mask[k] = k * dt > 5;
    b->sample.input = b->input, b->sample.target = b->target, b->sample.mask = b->mask;
}

static void close_bench(bench *b) {
    written_weights_clear(&b->weights), written_weights_clear(&b->gradient);
    written_sample_clear(&b->sample);
    free(b->input), free(b->target), free(b->mask);
}

static double cost(bench *b) {
    written_sample_forward(&b->sample, &b->weights);
    return b->sample.cost;
}

static int spikes(const bench *b) {
    int count = 0;
    for (int k = 0; k < b->shape.steps * N; k++) count += crossing_of(&b->shape.model, b->sample.u[k]) != 0;
    return count;
}

/** Central difference of the cost in one weight. */
static double difference(bench *b, double *weight, double step) {
    const double kept = *weight;
    *weight = kept + step;
    const double above = cost(b);
    *weight = kept - step;
    const double below = cost(b);
    *weight = kept;
    return (above - below) / (2 * step);
}

/** |adjoint - differences|/|differences|, over entries of all arrays, each with the step that fits best. */
static double off_by(bench *b) {
    static const double steps[] = {1e-6, 1e-7, 1e-8};
    double off = 0, all = 0;
    cost(b);
    written_sample_backward(&b->sample, &b->weights, &b->gradient);
    for (int what = 0; what < WHAT; what++)
        for (int k = 0; k < lengths(&b->shape, what); k += lengths(&b->shape, what) > 40 ? 5 : 1) {
            const double adjoint = array_of(&b->gradient, what)[k];
            double best = INFINITY, slope = 0;
            for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
                const double found = difference(b, &array_of(&b->weights, what)[k], steps[s]);
                if (fabs(found - adjoint) < best) best = fabs(found - adjoint), slope = found;
            }
            off += best * best, all += slope * slope;
        }
    return sqrt(off / all);
}

static void test_adjoint(void **state) {
    static const model models[] = {
        {MODEL_NIF, GATE_BOX, 0.3, 10, false},   {MODEL_NIF, GATE_SMOOTH, 0.3, 10, false},   {MODEL_LIF, GATE_BOX, 0.3, 20, false},
        {MODEL_LIF, GATE_SMOOTH, 0.3, 20, false}, {MODEL_LIF, GATE_BOX, 0.3, 20, true},      {MODEL_LIF, GATE_SMOOTH, 0.3, 20, true},
        {MODEL_THETA, GATE_BOX, 0.4, 25, false}, {MODEL_THETA, GATE_SMOOTH, 0.4, 25, false},
    };
    (void)state;
    for (size_t k = 0; k < sizeof models / sizeof *models; k++) {
        bench b;
        open_bench(&b, models[k], 0.1, 40);
        cost(&b);
        const int fired = spikes(&b);
        const double off = off_by(&b);
        if (getenv("SHOW")) print_message("model %d, gate %d, exact %d: %d spikes, %.1e\n", models[k].kind, models[k].gate, models[k].exact_reset, fired, off);
        assert_true(fired > N);
        assert_true(off < 1e-6);
        close_bench(&b);
    }
}

/* One spike: the sum of s dt, until it has decayed, is 1, whatever the step. */
static void test_charge(void **state) {
    static const double steps[] = {0.05, 0.1, 0.5, 1, 2};
    (void)state;
    for (size_t k = 0; k < sizeof steps / sizeof *steps; k++)
        for (int gate = 0; gate < 2; gate++) {
            const model one = {MODEL_NIF, (gate_kind)gate, 0.3, 10, false};
            double v = 0, s = 0, F = 0, sum = 0, fast = 0;
            const double dt = steps[k], a = exp(-dt / 10), af = exp(-dt);
            for (int64_t n = 0; n * dt < 600; n++) {
                const double u = v + (n * dt < 20 ? dt * 0.06 : 0), q = charge_at(&one, u) - charge_at(&one, v);
                s = a * s + (1 - a) / dt * q, F = af * F + (1 - af) / dt * q;
                sum += s * dt, fast += F * dt;
                v = u - crossing_of(&one, u);
            }
            assert_true(fabs(sum - 1) < 1e-12 && fabs(fast - 1) < 1e-12);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_adjoint), cmocka_unit_test(test_charge)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
