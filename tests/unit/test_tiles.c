/* LSNN: tiles of samples against the step as it is written, in double; that against differences of its cost with soft spikes; e-prop against eligibility
 * traces that run forwards; rewiring. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engram/memory.h"
#include "engram/random.h"
#include "systems/lsnn/losses.h"
#include "systems/lsnn/passes.h"
#include "systems/lsnn/reference.h"

enum { SEED = 5, INPUTS = 7, OUTPUTS = 3, DENSE = 100 };

/** Readouts are read in `reads` windows; inputs are values, or spikes; steps of which potentials are kept at a time, 0: all. */
typedef struct { int neurons, steps, delays, percent, reads; bool values; int stretch; bool spread; } make;

typedef struct bench bench;
struct bench {
    shape shape;
    slice slice;
    synapses synapses;
    scratch scratch;
    tile tile;
    float *rate_slope;
    reference reference;
    double *gradient; /* [units][posts] of the reference, all lanes */
    int differ;       /* spikes of tile and reference */
    double logits;    /* largest difference */
    double (*loss)(bench *b); /* of what the reference's readouts say, and its slopes; NULL: slope logit + rate_slope z */
};

static double draw(int what, int a, int b) {
    return random_uniform(SEED, RANDOM_WEIGHT, (uint64_t)(what * 1000 + a), (uint64_t)b);
}

static double draw_normal(int what, int a, int b) {
    return random_normal(SEED, RANDOM_WEIGHT, (uint64_t)(what * 1000 + a), (uint64_t)b);
}

static bool exists(const shape *s, int pre, int post) {
    return !(pre < s->inputs && post >= s->neurons) && pre - s->inputs != post;
}

static void connect(bench *b, int percent) {
    const shape *s = &b->shape;
    const int units = s->inputs + s->neurons;
    b->synapses.weight = memory_new(MEMORY_WEIGHTS, (size_t)(units * s->posts), sizeof(float));
    b->synapses.delay = memory_new(MEMORY_WEIGHTS, (size_t)(units * s->posts), 1);
    for (int pre = 0; pre < units; pre++)
        for (int post = 0; post < s->neurons + s->outputs; post++) {
            const int e = pre * s->posts + post;
            if (!exists(s, pre, post) || draw(1, pre, post) * DENSE >= percent) continue;
            b->synapses.weight[e] = (float)(draw_normal(2, pre, post) / sqrt(pre < s->inputs ? s->inputs : s->neurons * percent / (double)DENSE));
            b->synapses.delay[e] = post < s->neurons ? (uint8_t)(draw(3, pre, post) * s->delays) : 0;
        }
    b->slice = slice_whole(s);
    synapses_index(&b->synapses, s, &b->slice);
}

static bench *open_bench(make make, unsigned lanes) {
    bench *b = calloc(1, sizeof *b);
    const int neurons = make.neurons, steps = make.steps, delays = make.delays, percent = make.percent, reads = make.reads;
    const int read_steps = reads == 2 ? 14 : 1, group = delays == 1 ? SPARSE_GROUP : POSTS;
    b->shape = (shape){.inputs = INPUTS, .neurons = neurons, .outputs = OUTPUTS, .adaptive = neurons / 2,
                       .posts = (neurons + OUTPUTS + group - 1) / group * group, .full = delays == 1, .delays = delays, .refractory = 3, .steps = steps,
                       .stretch = make.stretch ? make.stretch : steps,
                       .first_read = steps - reads * read_steps, .read_steps = read_steps, .reads = reads, .values = make.values,
                       .alpha = exp(-1 / 20.0), .rho = exp(-1 / 200.0), .kappa = exp(-1 / 15.0), .threshold = 0.01, .beta = 1.8, .gamma = 0.3};
    const shape *s = &b->shape;
    if (make.spread) b->shape.decay = memory_new(MEMORY_STATE, 2 * (size_t)neurons, sizeof(float));
    for (int j = 0; j < neurons && make.spread; j++)
        b->shape.decay[2 * j] = (float)exp(-1.0 / (20 + 30 * j)), b->shape.decay[2 * j + 1] = 1 - b->shape.decay[2 * j];
    connect(b, percent);
    scratch_new(&b->scratch, s);
    tile_new(&b->tile, s, &b->slice, &b->synapses, &b->scratch);
    b->rate_slope = memory_new(MEMORY_STATE, (size_t)neurons, sizeof(float));
    for (int j = 0; j < neurons; j++) b->rate_slope[j] = (float)(1e-3 * draw_normal(4, j, 0));
    for (int t = 0; t < steps; t++)
        for (int c = 0; c < INPUTS; c++)
            for (int lane = 0; lane < LANES; lane++)
                if (lanes >> lane & 1 && make.values) b->tile.input.value[(t * INPUTS + c) * LANES + lane] = (float)(0.3 * draw_normal(5, c * LANES + lane, t));
                else if (lanes >> lane & 1 && draw(5, c * LANES + lane, t) < 0.06) b->scratch.shown[t * INPUTS + c] |= (uint16_t)(1u << lane);
    for (int k = 0; k < reads * OUTPUTS; k++)
        for (int lane = 0; lane < LANES; lane++) b->tile.slope[k * LANES + lane] = lanes >> lane & 1 ? (float)draw_normal(6, k, lane) : 0;
    b->tile.rate_slope = b->rate_slope;
    tile_take_input(&b->tile);
    input_sort(&b->tile.input, s);
    reference_new(&b->reference, s);
    for (int e = 0; e < (s->inputs + neurons) * s->posts; e++) b->reference.weight[e] = b->synapses.weight[e];
    b->gradient = calloc((size_t)((s->inputs + neurons) * s->posts), sizeof(double));
    return b;
}

static void close_bench(bench *b) {
    void *arrays[] = {b->synapses.weight, b->synapses.delay, b->rate_slope};
    synapses_clear(&b->synapses);
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) memory_free(arrays[k]);
    scratch_clear(&b->scratch);
    tile_clear(&b->tile);
    reference_clear(&b->reference);
    memory_free(b->shape.decay);
    free(b->gradient);
    free(b);
}

/** The reference of one lane, forwards. */
static void show_lane(bench *b, int lane) {
    const shape *s = &b->shape;
    reference *r = &b->reference;
    for (int k = 0; k < s->steps * s->inputs; k++)
        r->input[k] = s->values ? (double)b->tile.input.value[k * LANES + lane] : b->scratch.shown[k] >> lane & 1;
    reference_forward(r, b->synapses.delay, false, false);
    for (int k = 0; k < s->reads * OUTPUTS; k++) r->slope[k] = b->tile.slope[k * LANES + lane];
    for (int j = 0; j < s->neurons; j++) r->rate_slope[j] = b->rate_slope[j];
}

static void compare_lanes(bench *b) {
    const shape *s = &b->shape;
    const reference *r = &b->reference;
    for (int lane = 0; lane < LANES; lane++) {
        show_lane(b, lane);
        for (int k = 0; k < (s->steps + 1) * s->neurons; k++) b->differ += (int)r->z[k] != (b->tile.history.spikes[k] >> lane & 1);
        for (int k = 0; k < s->reads * OUTPUTS; k++) b->logits = fmax(b->logits, fabs(r->logit[k] - b->tile.history.logit[k * LANES + lane]));
        reference_backward(&b->reference, b->synapses.delay);
        for (int e = 0; e < (s->inputs + s->neurons) * s->posts; e++) b->gradient[e] += r->gradient[e];
    }
}

/** Of the tile's gradient and b->gradient, over synapses that can exist: |difference|/|all|. */
static double distance(const bench *b) {
    const shape *s = &b->shape;
    const int units = s->inputs + s->neurons;
    double off = 0, all = 0;
    for (int pre = 0; pre < units; pre++)
        for (int post = 0; post < s->neurons + s->outputs; post++) {
            if (!exists(s, pre, post)) continue;
            const double wanted = b->gradient[pre * s->posts + post], got = b->scratch.gradient[(post / POSTS * units + pre) * POSTS + post % POSTS];
            off += (got - wanted) * (got - wanted), all += wanted * wanted;
        }
    assert_true(all > 0);
    return sqrt(off / all);
}

static int64_t spikes_of(const bench *b) {
    int64_t spikes = 0;
    for (int j = 0; j < b->shape.neurons; j++) spikes += b->tile.history.count[j];
    return spikes;
}

static void test_tile(void **state) {
    static const make cases[] = {{20, 130, 10, 100, 2, false}, {37, 151, 4, 30, 2, false}, {8, 100, 1, 100, 2, false}, {5, 99, 60, 100, 2, false},
                                 {20, 130, 10, 100, 130, true}, {13, 149, 1, 60, 100, true, 40, true}, {150, 120, 1, 100, 2, false}};
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        bench *b = open_bench(cases[c], 0xffff);
        tile_forward(&b->tile);
        tile_backward(&b->tile);
        compare_lanes(b);
        assert_true(spikes_of(b) > 50 * cases[c].neurons);
        assert_int_equal(b->differ, 0);
        assert_true(b->logits < 1e-5);
        assert_true(distance(b) < 1e-5);
        close_bench(b);
    }
}

/* Steps of which nothing was kept but where they began: the same bits, also if a tile goes back twice. */
static void test_recomputed(void **state) {
    static const int stretches[] = {1, 17, 50, 129};
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        const bool values = kind % 2;
        const int delays = kind < 2 ? 10 : 1;
        bench *whole = open_bench((make){37, 130, delays, 60, 2, values, 0}, 0xffff);
        const size_t bytes = (size_t)((whole->shape.inputs + whole->shape.neurons) * whole->shape.posts) * sizeof(float);
        tile_forward(&whole->tile);
        tile_backward(&whole->tile);
        for (size_t c = 0; c < sizeof stretches / sizeof *stretches; c++) {
            bench *b = open_bench((make){37, 130, delays, 60, 2, values, stretches[c]}, 0xffff);
            tile_forward(&b->tile);
            for (int back = 0; back < 2; back++) {
                memset(b->scratch.gradient, 1, bytes);
                tile_backward(&b->tile);
                assert_memory_equal(b->scratch.gradient, whole->scratch.gradient, bytes);
            }
            assert_true(b->tile.history.voltages < whole->tile.history.voltages);
            close_bench(b);
        }
        close_bench(whole);
    }
}

/** What the reference's gradient is of. */
static double cost(bench *b) {
    const shape *s = &b->shape;
    reference *r = &b->reference;
    double sum = 0;
    reference_forward(r, b->synapses.delay, true, true);
    if (b->loss) return b->loss(b);
    for (int k = 0; k < s->reads * OUTPUTS; k++) sum += r->slope[k] * r->logit[k];
    for (int t = 1; t <= s->steps; t++)
        for (int j = 0; j < s->neurons; j++) sum += r->rate_slope[j] * r->z[t * s->neurons + j];
    return sum;
}

/* With the integral of psi for a spike, and refractory steps held, the recursion is the gradient of what is computed. */
static void check_soft_spikes(make make, double (*loss)(bench *b), double most) {
    enum { STRIDE = 5 };
    static const double STEP = 1e-6;
    bench *b = open_bench(make, 1);
    const shape *s = &b->shape;
    double off = 0, all = 0;
    int asked = 0;
    show_lane(b, 0);
    b->loss = loss;
    for (int j = 0; j < s->neurons && loss; j++) b->reference.rate_slope[j] = 0;
    cost(b);
    reference_backward(&b->reference, b->synapses.delay);
    memcpy(b->gradient, b->reference.gradient, (size_t)((s->inputs + s->neurons) * s->posts) * sizeof(double));
    for (int e = 0; e < (s->inputs + s->neurons) * s->posts; e += STRIDE) {
        if (!exists(s, e / s->posts, e % s->posts) || e % s->posts >= s->neurons + s->outputs) continue;
        double *weight = &b->reference.weight[e], kept = *weight;
        *weight = kept + STEP;
        const double above = cost(b);
        *weight = kept - STEP;
        const double slope = (above - cost(b)) / (2 * STEP);
        *weight = kept;
        off += (slope - b->gradient[e]) * (slope - b->gradient[e]), all += slope * slope, asked++;
    }
    assert_true(asked >= 30);
    assert_true(sqrt(off / all) < most);
    close_bench(b);
}

/** The squared error of readouts in each step, as batch.c takes it, in single precision, from the reference. */
static double square(bench *b) {
    const shape *s = &b->shape;
    static const float bias[OUTPUTS] = {0.1f, -0.2f, 0.05f};
    double sum = 0;
    for (int read = 0; read < s->reads; read++) {
        float value[OUTPUTS * LANES], target[OUTPUTS * LANES], slope[OUTPUTS * LANES];
        double exact = 0;
        for (int o = 0; o < OUTPUTS; o++) {
            const double said = b->reference.logit[read * OUTPUTS + o];
            value[o * LANES] = (float)said, target[o * LANES] = (float)sin(0.1 * read + o);
            exact += (said + bias[o] - target[o * LANES]) * (said + bias[o] - target[o * LANES]) / OUTPUTS;
        }
        const double weight = read % 3 ? 0.5 : 0, error = loss_square((readouts){OUTPUTS, value, bias}, target, weight, slope);
        assert_true(fabs(error - exact) < 1e-5);
        for (int o = 0; o < OUTPUTS; o++) b->reference.slope[read * OUTPUTS + o] = slope[o * LANES];
        sum += weight * exact;
    }
    return sum;
}

static void test_soft_spikes(void **state) {
    (void)state;
    check_soft_spikes((make){10, 80, 4, 100, 2, false}, NULL, 1e-7);
    check_soft_spikes((make){10, 80, 4, 100, 80, true, 0, true}, square, 1e-6); /* slopes are in single precision */
}

/** Slope of the readouts and the regulariser in z_t of a sample: [T+1][N]. */
static void direct_slopes(const bench *b, double *direct) {
    const shape *s = &b->shape;
    const reference *r = &b->reference;
    double q[OUTPUTS] = {0};
    for (int t = s->steps; t >= 0; t--) {
        for (int o = 0; o < OUTPUTS; o++)
            q[o] = s->kappa * q[o] + (t > s->first_read ? r->slope[(t - s->first_read - 1) / s->read_steps * OUTPUTS + o] / s->read_steps : 0);
        for (int j = 0; j < s->neurons; j++) {
            direct[t * s->neurons + j] = r->rate_slope[j];
            for (int o = 0; o < OUTPUTS; o++)
                direct[t * s->neurons + j] += (1 - s->kappa) * q[o] * r->weight[(size_t)(s->inputs + j) * (size_t)s->posts + (size_t)(s->neurons + o)];
        }
    }
}

/** An eligibility trace, forwards (Bellec et al. 2020), times the direct slopes. */
static double eligible(const bench *b, const double *direct, int pre, int post, bool resets) {
    const shape *s = &b->shape;
    const reference *r = &b->reference;
    const int N = s->neurons, d = b->synapses.delay[pre * s->posts + post];
    const double beta = post >= N - s->adaptive ? s->beta : 0;
    double eb = 0, ev = 0, e = 0, sum = 0;
    for (int t = 0; t < s->steps; t++) {
        const double z = r->z[t * N + post], Th = s->threshold + beta * r->b[(t + 1) * N + post], x = t < d ? 0
                         : pre < s->inputs ? r->input[(t - d) * s->inputs + pre] : r->z[(t - d) * N + pre - s->inputs];
        const double next_b = s->rho * eb + (1 - s->rho) * e;
        const double next = r->psi[t * N + post] * (ev / Th - r->v[t * N + post] * beta * next_b / (Th * Th));
        ev = s->alpha * ev + (1 - s->alpha) * x - (resets ? e * Th + z * beta * next_b : 0);
        eb = next_b, e = next;
        sum += direct[(t + 1) * N + post] * e;
    }
    return sum;
}

static void test_eprop(void **state) {
    (void)state;
    for (int resets = 0; resets < 2; resets++) {
        bench *b = open_bench((make){12, 120, 5, 100, 2, resets > 0}, 1);
        const shape *s = &b->shape;
        double *direct = calloc((size_t)((s->steps + 1) * s->neurons), sizeof(double));
        b->tile.mode = resets ? BACKWARD_LOCAL : BACKWARD_NO_RESET;
        tile_forward(&b->tile);
        tile_backward(&b->tile);
        show_lane(b, 0);
        direct_slopes(b, direct);
        reference_backward(&b->reference, b->synapses.delay); /* of readouts the exact gradient */
        for (int pre = 0; pre < s->inputs + s->neurons; pre++)
            for (int post = 0; post < s->neurons + s->outputs; post++)
                b->gradient[pre * s->posts + post] = post < s->neurons ? eligible(b, direct, pre, post, resets) : b->reference.gradient[pre * s->posts + post];
        assert_true(distance(b) < 1e-5);
        free(direct);
        close_bench(b);
    }
}

/* Fixed feedback that equals the readouts' weights is symmetric feedback; another is not. */
static void test_feedback(void **state) {
    (void)state;
    bench *b = open_bench((make){12, 120, 5, 100, 2, false}, 0xffff);
    const shape *s = &b->shape;
    const size_t values = (size_t)((s->inputs + s->neurons) * s->posts);
    float *feedback = calloc((size_t)(s->neurons * OUTPUTS), sizeof(float)), *kept = malloc(values * sizeof(float));
    for (int j = 0; j < s->neurons; j++)
        for (int o = 0; o < OUTPUTS; o++) feedback[j * OUTPUTS + o] = b->synapses.weight[(s->inputs + j) * s->posts + s->neurons + o];
    b->tile.mode = BACKWARD_LOCAL;
    tile_forward(&b->tile);
    tile_backward(&b->tile);
    memcpy(kept, b->scratch.gradient, values * sizeof(float));
    b->tile.feedback = feedback;
    tile_backward(&b->tile);
    assert_memory_equal(kept, b->scratch.gradient, values * sizeof(float));
    feedback[0] += 1;
    tile_backward(&b->tile);
    assert_true(memcmp(kept, b->scratch.gradient, values * sizeof(float)) != 0);
    free(feedback), free(kept);
    close_bench(b);
}

/* The budget is kept in every step, signs stay, what is dormant is not moved by Adam, and what is lost comes back elsewhere. */
static void test_rewiring(void **state) {
    enum { FIRST = 60, SECOND = 40, FREE = 5, COUNT = FIRST + SECOND + FREE, STEPS = 50, ACTIVE = 30 };
    float weight[COUNT] = {0}, gradient[COUNT];
    (void)state;
    rewiring r = {.matrices = 2, .matrix = {{0, FIRST}, {FIRST, SECOND}}, .connectivity = 0.3, .shrinkage = 0.5, .temperature = 1e-4, .seed = SEED};
    adam adam;
    rewire_new(&r, COUNT);
    adam_new(&adam, COUNT, 0.9, 0.999, 1e-8);
    for (int k = 0; k < FIRST + SECOND; k++) r.sign[k] = (int8_t)(k == 3 ? 0 : k % 3 ? 1 : -1);
    rewire_fill(&r, weight);
    assert_int_equal(rewire_active(&r), ACTIVE);
    int64_t lost = 0;
    for (int n = 1; n <= STEPS; n++) {
        float before[COUNT];
        memcpy(before, weight, sizeof before);
        for (int k = 0; k < COUNT; k++) gradient[k] = (float)draw_normal(7, k, n);
        rewire_step(&r, &adam, 0.01, n, gradient, weight);
        assert_int_equal(rewire_active(&r), ACTIVE);
        assert_true(weight[3] == 0);
        for (int k = 0; k < FIRST + SECOND; k++) {
            assert_true(weight[k] == 0 || (weight[k] > 0) == (r.sign[k] > 0));
            if (before[k] == 0 && weight[k] != 0) assert_true(fabsf(weight[k]) < 2e-12f); /* begins at 1e-12 */
        }
        for (int k = FIRST + SECOND; k < COUNT; k++) assert_true(weight[k] != before[k]);
        lost += r.reconnected;
    }
    assert_true(lost > STEPS);
    float kept[COUNT];
    memcpy(kept, weight, sizeof kept);
    rewire_adopt(&r, kept);
    assert_int_equal(rewire_active(&r), ACTIVE);
    adam_clear(&adam);
    rewire_clear(&r);
}

/* Kingma & Ba 2015, algorithm 1, as it is written. */
static void test_adam(void **state) {
    enum { COUNT = 4, STEPS = 30 };
    float weight[COUNT] = {1, -1, 0.5f, 0}, gradient[COUNT];
    double m[COUNT] = {0}, v[COUNT] = {0}, w[COUNT] = {1, -1, 0.5, 0};
    (void)state;
    adam adam;
    adam_new(&adam, COUNT, 0.9, 0.999, 1e-12);
    for (int n = 1; n <= STEPS; n++) {
        for (int k = 0; k < COUNT; k++) gradient[k] = (float)draw_normal(8, k, n);
        adam_step(&adam, 0.01, gradient, weight);
        for (int k = 0; k < COUNT; k++) {
            m[k] = 0.9 * m[k] + 0.1 * gradient[k], v[k] = 0.999 * v[k] + 0.001 * gradient[k] * gradient[k];
            w[k] -= 0.01 * (m[k] / (1 - pow(0.9, n))) / (sqrt(v[k] / (1 - pow(0.999, n))) + 1e-12);
            assert_true(fabs(w[k] - weight[k]) < 2e-6);
        }
    }
    adam_clear(&adam);
}

/* Noise of a test is that of the equation, from the numbers of (seed, sample, neuron, step); deleted neurons have none. */
static void test_noise(void **state) {
    enum { STEPS = 60, N = 6, SILENT = 4 };
    static const double sd = 0.02;
    const uint8_t silent[N] = {[SILENT] = 1};
    (void)state;
    bench *b = open_bench((make){N, STEPS, 3, 0, 2, false}, 0xffff);
    b->shape.threshold = 1e6;
    b->tile.samples = LANES, b->tile.traced = true;
    b->tile.pick = (task_pick){.set = TASK_TEST, .number = 32};
    b->tile.noise = (gradient_noise){.sd = sd, .seed = SEED, .silent = silent};
    tile_forward(&b->tile);
    for (int j = 0; j < N; j++) {
        double v = 0;
        for (int t = 0; t < STEPS; t++) {
            const uint64_t id = task_sample_id(b->tile.pick), counter = (uint64_t)j << 24 | (uint64_t)t;
            v = b->shape.alpha * v + (1 - b->shape.alpha) * sd * random_normal(SEED, RANDOM_TEST_NOISE, id, counter);
            assert_true(fabs(b->scratch.trace[t * N + j] - (j == SILENT ? 0 : v)) < 1e-6);
        }
    }
    close_bench(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tile),     cmocka_unit_test(test_recomputed), cmocka_unit_test(test_soft_spikes),
                                       cmocka_unit_test(test_eprop),    cmocka_unit_test(test_feedback),   cmocka_unit_test(test_rewiring),
                                       cmocka_unit_test(test_adam),     cmocka_unit_test(test_noise)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
