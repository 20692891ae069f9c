/** @file test_escape.c
 *  Who fires in the system dendritic (README.md 2.3 there): the bound below the logit of a draw loses no escape, whatever the draw, and tables decide as
 *  the logarithm does.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engram/memory.h"
#include "engram/random.h"
#include "systems/dendritic/dendritic.h"

enum { NEURONS = 1 << 18, SHORT_DRAWS = 1 << 16, BLOCK = 3 };
static const uint64_t SEED = 5, STREAM = 7;

static void open_draws(dendritic *d, const neuron_settings *neuron, double stochasticity) {
    *d = (dendritic){.seed = SEED, .neurons = NEURONS, .padded = NEURONS, .neuron = neuron, .stochasticity = stochasticity, .regime = {.stream = STREAM}};
    d->draw = memory_new(MEMORY_BUFFERS, DRAWS * NEURONS, sizeof *d->draw);
    d->least = memory_new(MEMORY_BUFFERS, DRAWS * NEURONS, sizeof *d->least);
    d->spiking = memory_new(MEMORY_STATE, NEURONS, sizeof *d->spiking);
    draw_tables(d);
    draw_block(d, BLOCK);
}

static void close_draws(dendritic *d) {
    memory_free(d->draw), memory_free(d->least), memory_free(d->spiking), memory_free(d->logits);
}

/** s2 logit(U) of a neuron in a step of the block. */
static double limit_of(const dendritic *d, int k, int j) {
    const random_block rest = random_bits(SEED, RANDOM_ESCAPE_REST, (uint64_t)j, STREAM << 40 | (uint64_t)(BLOCK * DRAWS + k));
    const double U = (d->draw[k * NEURONS + j] + (rest.word[0] + 0.5) / 0x1p32) / 0x1p16;
    return d->stochasticity * (log(U) - log1p(-U));
}

/** The least potential that fires does, and the one below it does not: of all 65,536 short draws, several times each. */
static void test_every_draw(void **state) {
    (void)state;
    static bool seen[SHORT_DRAWS];
    const neuron_settings neuron = {.winner = WINNER_ALL};
    double *potential = malloc(NEURONS * sizeof *potential);
    for (int run = 0; run < 2; run++) {
        dendritic d;
        int draws = 0;
        open_draws(&d, &neuron, run ? 0.1 : 1);
        for (int k = 0; k < DRAWS; k++) {
            for (int j = 0; j < NEURONS; j++) seen[d.draw[k * NEURONS + j]] = true, potential[j] = limit_of(&d, k, j);
            assert_int_equal(draw_spikes(&d, BLOCK * DRAWS + k, potential), 0);
            for (int j = 0; j < NEURONS; j++) potential[j] = nextafter(potential[j], INFINITY);
            assert_int_equal(draw_spikes(&d, BLOCK * DRAWS + k, potential), NEURONS);
        }
        for (int draw = 0; draw < SHORT_DRAWS; draw++) draws += seen[draw];
        assert_int_equal(draws, SHORT_DRAWS);
        close_draws(&d);
    }
    free(potential);
}

/** The bound is below the logit of all U of its short draw, and near it: few draws need more than that. */
static void test_bound(void **state) {
    (void)state;
    const neuron_settings neuron = {.winner = WINNER_ALL};
    dendritic d;
    double farthest = 0;
    open_draws(&d, &neuron, 1);
    for (int e = 0; e < DRAWS * NEURONS; e++) {
        const double u = fmax(d.draw[e], 0x1p-33) / 0x1p16, logit = log(u) - log1p(-u);
        assert_true((double)d.least[e] < logit);
        if (d.draw[e] > 0) farthest = fmax(farthest, logit - (double)d.least[e]);
    }
    print_message("bound: at most %.4f below the logit\n", farthest);
    assert_true(farthest < 0.13);
    close_draws(&d);
}

/** Of several that drew a spike the one with the largest potential, and the first of equals. */
static void test_winner(void **state) {
    (void)state;
    const neuron_settings neuron = {.winner = WINNER_ONE};
    double *potential = malloc(NEURONS * sizeof *potential);
    dendritic d;
    open_draws(&d, &neuron, 1);
    for (int j = 0; j < NEURONS; j++) potential[j] = 1e3;
    assert_int_equal(draw_spikes(&d, BLOCK * DRAWS, potential), 1);
    assert_int_equal(d.spiking[0], 0);
    potential[NEURONS / 3] = potential[NEURONS / 2] = 2e3;
    assert_int_equal(draw_spikes(&d, BLOCK * DRAWS, potential), 1);
    assert_int_equal(d.spiking[0], NEURONS / 3);
    d.silent = memory_new(MEMORY_STATE, NEURONS, 1);
    d.silent[NEURONS / 3] = 1;
    assert_int_equal(draw_spikes(&d, BLOCK * DRAWS, potential), 1);
    assert_int_equal(d.spiking[0], NEURONS / 2);
    memory_free(d.silent);
    close_draws(&d);
    free(potential);
}

/** Without weights: the part of 10^6 draws that fires is 1/(1 + exp(-b/s2)), within 3 standard errors, over the range that biases have. */
static void test_share(void **state) {
    (void)state;
    const neuron_settings neuron = {.winner = WINNER_ALL};
    double *potential = malloc(NEURONS * sizeof *potential);
    dendritic d;
    open_draws(&d, &neuron, 0.3);
    for (int b = -8; b <= 2; b += 2) {
        const double P = 1 / (1 + exp(-b));
        int64_t count = 0;
        for (int j = 0; j < NEURONS; j++) potential[j] = 0.3 * b;
        for (int k = 0; k < 4; k++) count += draw_spikes(&d, BLOCK * DRAWS + k, potential);
        const double draws = 4.0 * NEURONS;
        print_message("b/s2 %d: %.6f of %.0f draws, %.6f expected\n", b, (double)count / draws, draws, P);
        assert_true(fabs((double)count - draws * P) < 3 * sqrt(draws * P * (1 - P)));
    }
    close_draws(&d);
    free(potential);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_draw), cmocka_unit_test(test_bound), cmocka_unit_test(test_winner), cmocka_unit_test(test_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
