/* Proximal policy optimisation of tasks with actions: slopes of the readouts against differences of the cost (src/systems/lsnn/README.md 10). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engram/random.h"
#include "systems/lsnn/passes.h"

enum { READS = 5, OUTPUTS = 3, SAMPLES = 11 };

static float drawn(int what, int k, double wide) {
    return (float)(wide * random_normal(3, RANDOM_ACTION, (uint64_t)what, (uint64_t)k));
}

static double cost(lsnn *net, tile *tile) {
    net->outcome.loss = (exact_sum){0};
    policy_judge(net, tile);
    return sum_value(net->outcome.loss) / (SAMPLES * READS);
}

static void test_slopes(void **state) {
    static const ppo_settings ppo = {.discount = 0.9, .trace = 0.8, .ratio = 0.2, .value_cost = 0.7, .noise = 0.5};
    static const float STEP = 0x1p-7f;
    static float logit[READS * OUTPUTS * LANES], slope[READS * OUTPUTS * LANES], kept[READS * OUTPUTS * LANES];
    static float action[READS * 2 * LANES], line[4][READS * LANES];
    float bias[OUTPUTS] = {0.1f, -0.2f, 0.3f};
    (void)state;
    lsnn net = {.shape = {.outputs = OUTPUTS, .reads = READS}, .ppo = &ppo, .weight = bias, .samples = SAMPLES};
    tile tile = {.shape = &net.shape, .net = &net, .samples = SAMPLES, .slope = slope,
                 .play = {.action = action, .log_chance = line[0], .advantage = line[1], .due = line[2], .value = line[3]}};
    tile.history.logit = logit;
    for (int k = 0; k < READS * OUTPUTS * LANES; k++) logit[k] = drawn(0, k, 0.5);
    for (int k = 0; k < READS * 2 * LANES; k++) action[k] = drawn(1, k, 0.4);
    for (int k = 0; k < READS * LANES; k++) line[0][k] = drawn(2, k, 0.3) - 0.5f, line[1][k] = drawn(3, k, 1), line[2][k] = drawn(4, k, 1);
    cost(&net, &tile);
    memcpy(kept, slope, sizeof slope);
    int held = 0, asked = 0;
    for (int k = 0; k < READS * OUTPUTS * LANES; k++) {
        if (k % LANES >= SAMPLES) continue;
        const float before = logit[k];
        logit[k] = before + STEP;
        const double above = cost(&net, &tile);
        logit[k] = before - STEP;
        const double difference = (above - cost(&net, &tile)) / (2 * STEP);
        logit[k] = before;
        if (k / LANES % OUTPUTS < 2 && kept[k] == 0) held++;
        else if (fabs(difference - kept[k]) < 1e-3 * fabs(kept[k]) + 1e-5) asked++;
    }
    assert_true(held > 10); /* actions whose chance has moved far enough */
    assert_true(held + asked >= READS * OUTPUTS * SAMPLES - 4); /* a step may cross an edge of the ratio */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_slopes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
