/** @file test_balance.c
 *  What cannot be seen of balanced networks from outside: which candidates a block has, who is first, how good the interpolation along a ray is, which way
 *  fast weights learn. One rank.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engram/memory.h"
#include "engram/schema.h"
#include "systems/balanced/balanced.h"

static context job;

/** A network of its own. */
typedef struct network {
    config *config;
    timers timers;
    balanced *b;
} network;

static void open_network(const char *text, network *network) {
    system_facts facts;
    void *self;
    *network = (struct network){0};
    assert_int_equal(config_read_text(&job, "test.yaml", text, strlen(text), NULL, training_schema(), &network->config), STATUS_OK);
    const system_setting setting = {&job, network->config, BUILD_TRAIN, &network->timers};
    assert_int_equal(balanced_system.resolve(&job, network->config), STATUS_OK);
    assert_int_equal(balanced_system.check(&job, network->config), STATUS_OK);
    assert_int_equal(balanced_system.build(&setting, &facts, &self), STATUS_OK);
    network->b = self;
}

static void close_network(network *network) {
    balanced_system.free(network->b);
    config_free(network->config);
}

/** Numbers of [0, 1) that are the same in every run. */
static double draw(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) * 0x1p-53;
}

/* ---- search.c ---- */

/** Walks of d, voltages below threshold by little. */
static void fill_course(balanced *b, int rows, double size, uint64_t *random) {
    course *course = &b->course;
    for (int j = 0; j < b->dimensions; j++) {
        double value = 0, drift = size * (draw(random) - 0.5), *d = course->d + (size_t)j * (size_t)course->room;
        for (int m = 0; m <= rows; m++) {
            d[m] = value;
            value += drift + 4 * size * (draw(random) - 0.5);
        }
    }
    course->made = rows;
    for (int i = 0; i < b->part.mine; i++) b->voltage[i] = b->threshold[i] * (1.05 * draw(random) - 0.1);
}

/** The first crossing of all rows of all neurons, one after the other, as search.c computes a voltage. */
static int brute_force(const balanced *b, const block *block, int *neuron) {
    const course *course = &b->course;
    for (int m = block->from + 1; m <= block->to; m++) {
        double best = 0;
        for (int i = 0; i < (int)b->part.mine; i++) {
            double v = course->alpha[m] * b->voltage[i];
            for (int j = 0; j < b->dimensions; j++) v = fma(feedforward_of(b, i, j), course->d[(size_t)j * (size_t)course->room + (size_t)m], v);
            if (v - b->threshold[i] > best) best = v - b->threshold[i], *neuron = i;
        }
        if (best > 0) return m;
    }
    return block->to + 1;
}

/** Candidates and their rows give the same spike as all rows of all neurons, whatever the block, whether d runs smoothly or not. */
static void test_bound_misses_nothing(void **state) {
    (void)state;
    const char *const texts[] = {
        "network: {kind: ring, neurons: 37}\ntargets: {kind: oscillator}\nlearning: {rule: balanced}\n",
        "network: {kind: random, neurons: 21, dimensions: 5}\nneuron: {membrane_leak: 300 Hz, margin: 3}\ntargets: {kind: leak}\nlearning: {rule: balanced}\n",
    };
    uint64_t random = 1;
    int fired = 0, quiet = 0;
    for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
        network network;
        open_network(texts[t], &network);
        balanced *b = network.b;
        for (int n = 0; n < 4000; n++) {
            const int from = n % 3 ? (int)(40 * draw(&random)) : -1, rows = 1 + (int)(80 * draw(&random));
            block block = {.from = from, .to = (from > 0 ? from : 0) + rows};
            fill_course(b, block.to, 0.002 * draw(&random) * draw(&random), &random);
            int neuron = -1, row = brute_force(b, &block, &neuron);
            b->jump.due = false;
            search_candidates(b, &block);
            spike spike = winner_room(b->exchange);
            search_first(b, &block, &spike);
            if (row > block.to) assert_int_equal(spike.neuron, -1), quiet++;
            else {
                assert_int_equal(spike.state, row);
                assert_int_equal(spike.neuron, neuron);
                fired++;
            }
        }
        close_network(&network);
    }
    assert_true(fired > 500 && quiet > 500);
}

/** The earliest state, then the largest excess, then the lowest gid. */
static void test_order_of_spikes(void **state) {
    (void)state;
    network network;
    open_network("network: {kind: ring, neurons: 16}\ntargets: {kind: oscillator}\nlearning: {rule: balanced}\n", &network);
    balanced *b = network.b;
    const block block = {.from = -1, .to = 10};
    memset(b->course.d, 0, 2 * (size_t)b->course.room * sizeof(double));
    const struct { int high[3]; double above[3]; int first; } cases[] = {
        {{3, 9, 12}, {1.5, 1.2, 1.1}, 3}, {{3, 9, 12}, {1.1, 1.2, 1.5}, 12}, {{3, 9, 12}, {1.5, 1.5, 1.5}, 3}, {{14, 2, 7}, {1.5, 1.5, 1.5}, 2}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        for (int i = 0; i < 16; i++) b->threshold[i] = 1, b->voltage[i] = 0;
        for (int k = 0; k < 3; k++) b->voltage[cases[c].high[k]] = cases[c].above[k];
        search_candidates(b, &block);
        spike spike = winner_room(b->exchange);
        search_first(b, &block, &spike);
        assert_int_equal(spike.neuron, cases[c].first);
        assert_int_equal(spike.state, 0);
    }
    /* a neuron that comes later loses to one that comes earlier, however far above */
    for (int i = 0; i < 16; i++) b->voltage[i] = 0;
    for (int m = 0; m <= 10; m++) b->course.d[m] = m < 5 ? 0 : 100;
    b->voltage[8] = 1.001; /* decays below threshold before row 5; F of neuron 8 is opposed to d */
    search_candidates(b, &block);
    spike spike = winner_room(b->exchange);
    search_first(b, &block, &spike);
    assert_int_equal(spike.neuron, 8);
    assert_int_equal(spike.state, 0);
    close_network(&network);
}

/* ---- winner.c ---- */

/** What a reduction makes of two offers; winner.c chooses, whichever comes first. */
static void test_winner_of_two(void **state) {
    (void)state;
    const struct { struct { int64_t state, neuron; double excess; uint64_t bits; } a, b; int first; } cases[] = {
        {{.state = 3, .neuron = 9, .excess = 0.1, .bits = 1}, {.state = 4, .neuron = 1, .excess = 5, .bits = 2}, 9},
        {{.state = 4, .neuron = 9, .excess = 0.1, .bits = 1}, {.state = 4, .neuron = 1, .excess = 0.05, .bits = 2}, 9},
        {{.state = 4, .neuron = 9, .excess = 0.1, .bits = 1}, {.state = 4, .neuron = 1, .excess = 0.1, .bits = 2}, 1},
        {{.state = INT64_MAX, .neuron = -1, .excess = 0, .bits = 1}, {.state = 200, .neuron = 5, .excess = 1e-9, .bits = 2}, 5},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (int turned = 0; turned < 2; turned++) {
            winner_offer in = {0}, out = {0};
            memcpy(&in, turned ? (const void *)&cases[c].b : &cases[c].a, sizeof cases[c].a);
            memcpy(&out, turned ? (const void *)&cases[c].a : &cases[c].b, sizeof cases[c].a);
            winner_choose(&in, &out, sizeof out);
            assert_int_equal(out.neuron, cases[c].first);
            assert_int_equal(out.bits, 3);
        }
}

/* ---- basis.c ---- */

/** h along rays against psi at every state, of weights that are not small. */
static void check_rays(const char *text) {
    network network;
    open_network(text, &network);
    balanced *b = network.b;
    const int J = b->dimensions, units = (b->basis.units + TILE - 1) / TILE * TILE;
    const double *box = teacher_box(b->teacher);
    double *psi = memory_new(MEMORY_BUFFERS, (size_t)units, sizeof(double));
    double error[DIMENSIONS_MAX] = {0}, x[DIMENSIONS_MAX], slow[DIMENSIONS_MAX], worst = 0, most = 0;
    uint64_t random = 5;
    for (int j = 0; j < J; j++)
        for (int p = 0; p < b->basis.units; p++) b->basis.weight[j * units + p] = draw(&random) - 0.5;
    b->regime.slow_rate = 0;
    for (int n = 0; n < 200; n++) {
        b->interval = n % 2 ? 20 : 1e4;
        for (int j = 0; j < J; j++) b->course.decoded[j] = x[j] = 1.2 * box[j] * (2 * draw(&random) - 1);
        ray_begin(b, 0);
        for (int m = 0; m < b->basis.length; m++) {
            ray_step(b, m, error, slow);
            basis_evaluate(&b->basis, J, x, psi);
            for (int j = 0; j < J; j++) {
                double h = 0;
                for (int p = 0; p < b->basis.units; p++) h += b->basis.weight[j * units + p] * psi[p];
                worst = fmax(worst, fabs(h - slow[j]));
                most = fmax(most, fabs(h));
                x[j] *= b->decay;
            }
        }
    }
    memory_free(psi);
    close_network(&network);
    assert_true(most > 0.1);
    assert_true(worst < 1e-11 * most);
}

static void test_rays(void **state) {
    (void)state;
    check_rays("network: {kind: ring, neurons: 20}\nneuron: {basis: tanh, basis_units: 50}\ntargets: {kind: van_der_pol}\nlearning: {rule: balanced}\n");
    check_rays("network: {kind: spread, neurons: 20}\nneuron: {basis: tanh, basis_units: 83, basis_gain: 6}\n"
               "targets: {kind: lorenz}\nlearning: {rule: balanced}\n");
    check_rays("network: {kind: ring, neurons: 20}\nneuron: {basis: gaussian, basis_units: 50}\ntargets: {kind: van_der_pol}\nlearning: {rule: balanced}\n");
    check_rays("network: {kind: alternating, neurons: 20}\nneuron: {basis: gaussian, basis_units: 20, basis_width: 0.3, quadratic_cost: 0.1}\n"
               "targets: {kind: bistable}\nlearning: {rule: balanced}\n");
}

/** tanh and exp of 8 lanes against the C library's. */
static void test_activation(void **state) {
    (void)state;
    network network;
    open_network("network: {kind: alternating, neurons: 20}\nneuron: {basis: tanh, basis_units: 3}\n"
                 "targets: {kind: bistable}\nlearning: {rule: balanced}\n", &network);
    basis *basis = &network.b->basis;
    double psi[3];
    for (double x = -30; x < 30; x += 0.0137) {
        basis_evaluate(basis, 1, &x, psi);
        for (int p = 0; p < 3; p++) assert_true(fabs(psi[p] - tanh(fma(basis->direction[p], x, basis->offset[p]))) < 4e-16);
    }
    close_network(&network);
}

/* ---- weights.c ---- */

/** X S = B. */
static void test_divide(void **state) {
    (void)state;
    uint64_t random = 9;
    for (int J = 1; J <= 9; J++) {
        double root[81], S[81], X[81], B[81];
        for (int e = 0; e < J * J; e++) root[e] = draw(&random) - 0.5, X[e] = draw(&random) - 0.5;
        for (int j = 0; j < J; j++)
            for (int l = 0; l < J; l++) {
                S[j * J + l] = j == l ? 0.1 : 0;
                for (int k = 0; k < J; k++) S[j * J + l] += root[j * J + k] * root[l * J + k];
            }
        if (J == 2) S[0] = 0, S[3] = 0, S[1] = S[2] = 2; /* needs a pivot */
        for (int j = 0; j < J; j++)
            for (int l = 0; l < J; l++) {
                B[j * J + l] = 0;
                for (int k = 0; k < J; k++) B[j * J + l] += X[j * J + k] * S[k * J + l];
            }
        weights_divide(B, S, J);
        for (int e = 0; e < J * J; e++) assert_true(fabs(B[e] - X[e]) < 1e-12);
    }
}

/* ---- the fast rule ---- */

/** After a spike of k, weights onto depolarized neurons have grown, onto hyperpolarized ones have become less, towards beta V. W_f > 0 inhibits. */
static void check_sign(const char *stepping) {
    char text[512];
    snprintf(text, sizeof text, "network: {kind: ring, neurons: 8, fast: uniform, fast_spread: 0}\n"
                                "learning: {rule: balanced, slow: none, fast_rate: 0.25, stepping: %s}\n"
                                "targets: {kind: oscillator, damping: 0.16}\nstimulus: {kind: steps, values: [20, 0], scale: 1}\n"
                                "simulation: {loop_duration: 20 ms}\n", stepping);
    network network;
    open_network(text, &network);
    balanced *b = network.b;
    pulse pulse = {.steps = b->loop_steps, .look_every = 1000};
    loop loop = {.number = 1, .pulse = &pulse};
    balanced_system.loop(b, &loop);
    assert_true(b->sums.spikes > 0);
    int grown = 0, less = 0;
    for (int k = 0; k < 8; k++)
        for (int i = 0; i < 8; i++) {
            double alike = cos(2 * M_PI * (i - k) / 8), off = i == k ? 0 : b->fast[(size_t)k * (size_t)b->padded + (size_t)i];
            if (i == k || off == 0) continue; /* k has not fired */
            grown += alike > 0.5 && off > 0, less += alike < -0.5 && off < 0;
            assert_true(alike > 0.5 ? off > 0 : alike < -0.5 ? off < 0 : true);
        }
    assert_true(grown >= 2 && less >= 2);
    close_network(&network);
}

static void test_sign_of_the_fast_rule(void **state) {
    (void)state;
    check_sign("closed");
    check_sign("literal");
}

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    job = context_of(MPI_COMM_WORLD);
    job.quiet = true;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bound_misses_nothing), cmocka_unit_test(test_order_of_spikes), cmocka_unit_test(test_winner_of_two), cmocka_unit_test(test_rays),
        cmocka_unit_test(test_activation),           cmocka_unit_test(test_divide),          cmocka_unit_test(test_sign_of_the_fast_rule),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
