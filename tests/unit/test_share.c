/* How neurons are shared out to ranks where those that learn are side by side: against all ways to cut, and in closed form. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "systems/patterns/share.h"

enum { MOST = 64 };

static double seconds(const share_costs *costs, int64_t ranks, const int64_t *bounds) {
    const share_most most = share_find_most(costs, ranks, bounds);
    return (double)most.neurons * costs->neuron + most.inputs * costs->input + most.learning * costs->learns;
}

static void check_whole(const share_costs *costs, int64_t ranks, const int64_t *bounds) {
    assert_int_equal(bounds[0], 0);
    assert_int_equal(bounds[ranks], costs->stretch[costs->count - 1].end);
    for (int64_t rank = 0; rank < ranks; rank++) assert_true(bounds[rank] <= bounds[rank + 1]);
}

/** The least that blocks of three ranks can take. */
static double least_of_three(const share_costs *costs) {
    const int64_t total = costs->stretch[costs->count - 1].end;
    double least = INFINITY;
    for (int64_t one = 0; one <= total; one++)
        for (int64_t two = one; two <= total; two++) least = fmin(least, seconds(costs, 3, (const int64_t[]){0, one, two, total}));
    return least;
}

static void test_equal_where_all_are_alike(void **state) {
    (void)state;
    share_stretch stretch[] = {{1003, 100, 1}};
    const share_costs costs = {.count = 1, .stretch = stretch, .neuron = 1, .input = 0.001, .learns = 10};
    int64_t bounds[MOST + 1];
    for (int64_t ranks = 1; ranks <= MOST; ranks++) {
        share_out(&costs, ranks, bounds);
        for (int64_t rank = 0; rank <= ranks; rank++) assert_int_equal(bounds[rank], partition_first(1003, (int)ranks, (int)rank));
    }
}

/** Never worse than blocks of equal size, and not far from the best there are. */
static void test_against_all_cuts(void **state) {
    (void)state;
    const double learns[] = {0.1, 1, 10, 100};
    for (int where = 0; where < 3; where++)
        for (size_t k = 0; k < sizeof learns / sizeof *learns; k++) {
            share_stretch stretch[] = {{60, 50, where == 0}, {80, 400, where == 1}, {140, 20, where == 2}};
            const share_costs costs = {.count = 3, .stretch = stretch, .neuron = 1, .input = 0.001, .learns = learns[k], .apart = 20, .uneven = true};
            int64_t bounds[4], even[4];
            share_out(&costs, 3, bounds);
            check_whole(&costs, 3, bounds);
            for (int rank = 0; rank <= 3; rank++) even[rank] = partition_first(140, 3, rank);
            const double takes = seconds(&costs, 3, bounds);
            assert_true(takes <= seconds(&costs, 3, even));
            assert_true(takes <= 1.1 * least_of_three(&costs) + costs.neuron + costs.learns); /* a tenth, and a neuron that learns */
        }
}

/** S of plain steps and L of learning that are apart take (sqrt S + sqrt L)^2 / ranks at best, when ranks are many. */
static void test_many_ranks(void **state) {
    (void)state;
    share_stretch stretch[] = {{9000, 0, 0}, {10000, 0, 1}};
    const share_costs costs = {.count = 2, .stretch = stretch, .neuron = 1, .learns = 9, .apart = 1000, .uneven = true};
    int64_t bounds[MOST + 1];
    share_out(&costs, MOST, bounds);
    check_whole(&costs, MOST, bounds);
    const double best = pow(sqrt(9000) + sqrt(1000 * (costs.neuron + costs.learns)), 2) / MOST;
    assert_true(seconds(&costs, MOST, bounds) < 1.05 * best);
    int64_t learners = 0;
    for (int rank = 0; rank < MOST; rank++) learners += bounds[rank + 1] > 9000;
    assert_in_range(learners, MOST / 3, 2 * MOST / 3);
}

static void test_more_ranks_than_neurons(void **state) {
    (void)state;
    share_stretch stretch[] = {{3, 0, 0}, {5, 0, 1}};
    const share_costs costs = {.count = 2, .stretch = stretch, .neuron = 1, .learns = 9, .apart = 2, .uneven = true};
    int64_t bounds[MOST + 1];
    for (int64_t ranks = 1; ranks <= MOST; ranks++) {
        share_out(&costs, ranks, bounds);
        check_whole(&costs, ranks, bounds);
        assert_true(share_find_most(&costs, ranks, bounds).learning <= (ranks < 3 ? 2 : 1));
    }
}

/** Of which two blocks the plan takes memory: that with most neurons, and that with most that learn, parts of stretches among them. */
static void test_fullest_blocks(void **state) {
    (void)state;
    share_stretch stretch[] = {{40, 10, 0}, {60, 20, 0.5}, {100, 30, 1}};
    const share_costs costs = {.count = 3, .stretch = stretch};
    const int64_t bounds[] = {0, 50, 60, 60, 81, 100};
    share_most largest, learning;
    share_find_fullest(&costs, 5, bounds, &largest, &learning);
    assert_true(largest.neurons == 50 && largest.inputs == 600 && largest.learning == 5);
    assert_true(learning.neurons == 21 && learning.inputs == 630 && learning.learning == 21);
    const share_most most = share_find_most(&costs, 5, bounds);
    assert_true(most.neurons == 50 && most.inputs == 630 && most.learning == 21);
}

/** A few that learn among many that do not are no reason for other blocks; as many, all of which learn, are. */
static void test_part_of_a_stretch(void **state) {
    (void)state;
    for (int all = 0; all < 2; all++) {
        share_stretch stretch[] = {{6000, 0, 0}, {9000, 0, all ? 1 : 0.01}, {10000, 0, 0}};
        const share_costs costs = {.count = 3, .stretch = stretch, .neuron = 1, .learns = 9, .apart = all ? 3000 : 30, .uneven = true};
        int64_t bounds[3];
        share_out(&costs, 2, bounds);
        check_whole(&costs, 2, bounds);
        assert_true((bounds[1] != 5000) == all);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_equal_where_all_are_alike), cmocka_unit_test(test_against_all_cuts),
                                       cmocka_unit_test(test_many_ranks), cmocka_unit_test(test_more_ranks_than_neurons),
                                       cmocka_unit_test(test_fullest_blocks), cmocka_unit_test(test_part_of_a_stretch)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
