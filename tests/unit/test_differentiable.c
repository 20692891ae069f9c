/* Differentiable synapses as they are written: the adjoint against differences of the cost, and the charge of a spike
 * (systems/differentiable/README.md 3 and 4). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engram/memory.h"
#include "engram/random.h"
#include "systems/differentiable/passes.h"
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

/** The gradient with a step of @p dt, of weights between neurons and of inputs. @param[out] slopes [2 N N + N INPUTS] */
static void gradient_at(double width, double dt, double *slopes) {
    bench b;
    open_bench(&b, (model){MODEL_NIF, GATE_BOX, width, 10, false}, dt, 40);
    cost(&b);
    written_sample_backward(&b.sample, &b.weights, &b.gradient);
    memcpy(slopes, b.gradient.W, N * N * sizeof *slopes);
    memcpy(slopes + N * N, b.gradient.fast, N * N * sizeof *slopes);
    memcpy(slopes + 2 * N * N, b.gradient.U, N * INPUTS * sizeof *slopes);
    close_bench(&b);
}

/* Where a spike takes several steps through its zone, the gradient is that of the differential equations: of very short steps (README.md 4.2). */
static void test_resolution(void **state) {
    enum { SLOPES = 2 * N * N + N * INPUTS };
    static const double widths[] = {0.05, 0.2, 0.4}, steps[] = {0.05, 1};
    double cosine[3][2];
    (void)state;
    for (int w = 0; w < 3; w++) {
        double fine[SLOPES], coarse[SLOPES];
        gradient_at(widths[w], 0.00625, fine);
        for (int s = 0; s < 2; s++) {
            double product = 0, here = 0, there = 0;
            gradient_at(widths[w], steps[s], coarse);
            for (int k = 0; k < SLOPES; k++) product += fine[k] * coarse[k], here += fine[k] * fine[k], there += coarse[k] * coarse[k];
            cosine[w][s] = product / sqrt(here * there);
            if (getenv("SHOW")) print_message("zone %g, step %g ms: cosine %.4f\n", widths[w], steps[s], cosine[w][s]);
        }
        assert_true(cosine[w][0] > 0.99);
        assert_true(cosine[w][1] < cosine[w][0]);
    }
    assert_true(cosine[0][1] < cosine[2][1]);
}

/* ---- passes of 16 samples, in single precision, against that ---- */

enum { LANE_SAMPLES = 13 };

typedef struct {
    shape shape;
    matrices matrices;
    scratch scratch;
    tile tile;
    float *weight, *gradient;
} fast;

/** What src/systems/differentiable/parameters.c does for a network of a run. */
static void open_fast(fast *f, const bench *b, bool slow, bool rapid, double limit) {
    const written_shape *s = &b->shape;
    *f = (fast){.shape = {.model = s->model, .inputs = s->inputs, .neurons = N, .outputs = s->outputs, .steps = s->steps, .slow = slow, .fast = rapid,
                          .dt = s->dt, .tau = s->tau, .tau_fast = s->tau_fast,
                          .lambda = s->lambda, .limit = limit}};
    shape *shape = &f->shape;
    differentiable_complete(shape);
    static differentiable net;
    net = (differentiable){.shape = *shape, .context = {.ranks = 1}};
    differentiable_parameters_new(&net);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            if (slow && i != j) net.weight[net.first[PART_SLOW] + i * N + j] = (float)b->weights.W[i * N + j];
            if (rapid && i != j) net.weight[net.first[PART_FAST] + i * N + j] = (float)b->weights.fast[i * N + j];
        }
    for (int k = 0; k < N * INPUTS; k++) net.weight[net.first[PART_INPUT] + k] = (float)b->weights.U[k];
    for (int k = 0; k < N; k++) net.weight[net.first[PART_CURRENT] + k] = (float)b->weights.current[k];
    for (int k = 0; k < N * OUTPUTS; k++) net.weight[net.first[PART_READOUT] + k] = (float)b->weights.O[k];
    differentiable_spread(&net);
    f->matrices = net.matrices;
    differentiable_scratch_new(&f->scratch, shape, true);
    differentiable_tile_new(&f->tile, shape, &f->matrices, &f->scratch, true);
    f->gradient = calloc((size_t)net.parameters, sizeof(float));
    f->tile.samples = LANE_SAMPLES;
    f->weight = net.weight;
    memory_free(net.start);
}

/** Input of a sample: that of the bench, in another phase for each. */
static void show_sample(const bench *b, int lane, double *input) {
    for (int k = 0; k < b->shape.steps * INPUTS; k++) input[k] = b->input[k] * cos(lane) + 0.02 * sin(lane + 0.1 * k);
}

static void close_fast(fast *f) {
    differentiable_scratch_clear(&f->scratch), differentiable_tile_clear(&f->tile);
    float *arrays[] = {f->matrices.slow, f->matrices.fast, f->matrices.shown, f->weight};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) memory_free(arrays[k]);
    free(f->gradient);
}

/** |passes - written|/|written| of the gradient, over samples side by side. */
static double passes_off_by(bench *b, fast *f) {
    const written_shape *s = &b->shape;
    const shape *shape = &f->shape;
    double *kept = b->input, *input = calloc((size_t)(s->steps * INPUTS), sizeof(double)), off = 0, all = 0, readouts = 0;
    int64_t fired = 0;
    for (int what = 0; what < WHAT; what++) memset(array_of(&b->gradient, what), 0, (size_t)lengths(s, what) * sizeof(double));
    for (int lane = 0; lane < LANE_SAMPLES; lane++) {
        show_sample(b, lane, input);
        for (int k = 0; k < s->steps * INPUTS; k++) f->tile.input[k * LANES + lane] = (float)input[k];
        for (int k = 0; k < s->steps * OUTPUTS; k++) f->tile.target[k * LANES + lane] = (float)b->target[OUTPUTS + k];
        for (int k = 0; k < s->steps; k++) f->tile.weight[k * LANES + lane] = (float)b->mask[k + 1];
        for (int i = 0; i < N; i++) f->tile.start[i * LANES + lane] = (float)b->weights.start[i];
    }
    differentiable_tile_forward(&f->tile);
    b->sample.input = input;
    for (int lane = 0; lane < LANE_SAMPLES; lane++) {
        show_sample(b, lane, input);
        cost(b);
        fired += spikes(b);
        for (int k = 0; k < s->steps * OUTPUTS; k++) readouts = fmax(readouts, fabs(b->sample.o[OUTPUTS + k] - f->tile.output[k * LANES + lane]));
        written_sample_backward(&b->sample, &b->weights, &b->gradient);
    }
    b->sample.input = kept;
    differentiable_tile_backward(&f->tile);
    for (int i = 0; i < N; i++) fired -= f->tile.count[i];
    assert_int_equal(fired, 0);
    assert_true(readouts < 1e-4);
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            const double slow = b->gradient.W[i * N + j], rapid = b->gradient.fast[i * N + j];
            if (shape->slow) off += pow(f->scratch.gradient.slow[sparse_at(N, j, i)] - slow, 2), all += slow * slow;
            if (shape->fast) off += pow(f->scratch.gradient.fast[sparse_at(N, j, i)] - rapid, 2), all += rapid * rapid;
        }
        for (int c = 0; c < INPUTS; c++)
            off += pow(f->scratch.shown_gradient[i * shape->shown + c] - b->gradient.U[i * INPUTS + c], 2), all += pow(b->gradient.U[i * INPUTS + c], 2);
        off += pow(f->scratch.shown_gradient[i * shape->shown + INPUTS] - b->gradient.current[i], 2), all += pow(b->gradient.current[i], 2);
        for (int r = 0; r < OUTPUTS; r++)
            off += pow(f->scratch.gradient.slow[sparse_at(N, i, shape->readouts_at + r)] - b->gradient.O[r * N + i], 2),
                all += pow(b->gradient.O[r * N + i], 2);
    }
    free(input);
    return sqrt(off / all);
}

static void test_passes(void **state) {
    static const struct { model model; bool slow, fast; } cases[] = {
        {{MODEL_NIF, GATE_BOX, 0.3, 10, false}, true, true},    {{MODEL_NIF, GATE_SMOOTH, 0.3, 10, false}, false, true},
        {{MODEL_LIF, GATE_BOX, 0.3, 20, false}, true, false},   {{MODEL_LIF, GATE_SMOOTH, 0.3, 20, true}, true, true},
        {{MODEL_THETA, GATE_BOX, 0.4, 25, false}, true, true},  {{MODEL_THETA, GATE_SMOOTH, 0.4, 25, false}, false, false},
    };
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        bench b;
        fast f;
        open_bench(&b, cases[k].model, 0.1, 40);
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                if (!cases[k].slow || i == j) b.weights.W[i * N + j] = 0;
                if (!cases[k].fast || i == j) b.weights.fast[i * N + j] = 0;
            }
        open_fast(&f, &b, cases[k].slow, cases[k].fast, INFINITY);
        const double off = passes_off_by(&b, &f);
        if (getenv("SHOW")) print_message("model %d, gate %d: gradient %.1e\n", cases[k].model.kind, cases[k].model.gate, off);
        assert_true(off < 1e-5);
        close_bench(&b), close_fast(&f);
    }
}

/** Between the two calls they are 0 where the processor can do that, and behind them, and behind the passes above, they are not. */
static void test_subnormals(void **state) {
    (void)state;
    volatile float tiny = 1e-39f, one = 1, product = tiny * one;
    assert_true(product > 0);
    const unsigned before = subnormals_vanish();
    product = tiny * one;
    subnormals_as(before);
#ifdef __SSE__
    assert_true(product == 0);
#endif
    product = tiny * one;
    assert_true(product > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_adjoint), cmocka_unit_test(test_charge), cmocka_unit_test(test_resolution),
                                       cmocka_unit_test(test_passes),  cmocka_unit_test(test_subnormals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
