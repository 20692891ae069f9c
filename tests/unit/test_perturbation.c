/* Which neurons a fraction deletes, and how ranks are divided among trials. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engram/groups.h"
#include "engram/test_run.h"
#include "engram/perturbation_settings.h"
#include "systems/patterns/perturbation.h"

static int64_t members(const uint8_t *chosen, int64_t total) {
    int64_t count = 0;
    for (int64_t i = 0; i < total; i++) count += chosen[i];
    return count;
}

static void test_count(void **state) {
    (void)state;
    assert_int_equal(perturbation_count(0, 100), 0);
    assert_int_equal(perturbation_count(0.29, 100), 29); /* 0.29 * 100 is 28.999999999999996 */
    assert_int_equal(perturbation_count(0.1, 999), 99);
    assert_int_equal(perturbation_count(0.999999, 100), 99);
    for (int percent = 0; percent < 100; percent++) assert_int_equal(perturbation_count(percent / 100.0, 66000), 660 * percent);
}

static void test_choose(void **state) {
    (void)state;
    enum { TOTAL = 1000 };
    uint8_t few[TOTAL], many[TOTAL], other[TOTAL];
    int64_t both = 0;
    perturbation_choose(7, TOTAL, 50, few);
    perturbation_choose(7, TOTAL, 400, many);
    perturbation_choose(8, TOTAL, 400, other);
    assert_int_equal(members(few, TOTAL), 50);
    assert_int_equal(members(many, TOTAL), 400);
    for (int i = 0; i < TOTAL; i++) {
        assert_true(many[i] >= few[i]);
        both += many[i] && other[i];
    }
    assert_in_range(both, 120, 200); /* 160 by chance, SD 10 */
    assert_in_range(members(many, TOTAL / 2), 160, 240);
    perturbation_choose(7, TOTAL, TOTAL, many);
    assert_int_equal(members(many, TOTAL), TOTAL);
}

static void test_permute(void **state) {
    (void)state;
    enum { WEIGHTS = 6, CHOSEN = 4, TARGETS = 6000 };
    const int32_t chosen[CHOSEN] = {0, 2, 3, 5};
    int went[WEIGHTS][WEIGHTS] = {{0}};
    for (int64_t target = 0; target < TARGETS; target++) {
        double weight[WEIGHTS] = {0, 1, 2, 3, 4, 5}, other[WEIGHTS] = {0, 1, 2, 3, 4, 5}, sum = 0;
        perturbation_permute(7, target, 2, chosen, CHOSEN, weight);
        perturbation_permute(7, target, 2, chosen, CHOSEN, other);
        for (int a = 0; a < WEIGHTS; a++) {
            assert_true(weight[a] == other[a]);
            went[(int)weight[a]][a]++;
            sum += weight[a] * weight[a];
        }
        assert_true(sum == 55); /* all are still there */
    }
    assert_int_equal(went[1][1], TARGETS);
    assert_int_equal(went[4][4], TARGETS);
    for (int a = 0; a < CHOSEN; a++)
        for (int b = 0; b < CHOSEN; b++) assert_in_range(went[chosen[a]][chosen[b]], TARGETS / 4 - 150, TARGETS / 4 + 150); /* SD 34 */
}

static void check_groups(int ranks, int64_t trials, int64_t wanted, int size, int groups) {
    int found;
    assert_int_equal(groups_size(ranks, trials, wanted, &found), size);
    assert_int_equal(found, groups);
}

static void test_groups(void **state) {
    (void)state;
    check_groups(1, 1, 0, 1, 1);
    check_groups(4, 20, 0, 1, 4);
    check_groups(4, 1, 0, 4, 1);
    check_groups(4, 2, 0, 2, 2);
    check_groups(4, 3, 0, 1, 4);
    check_groups(128, 20, 0, 6, 21); /* 2 ranks idle */
    check_groups(7, 1000000, 0, 1, 7);
    check_groups(4, 20, 2, 2, 2);
    check_groups(5, 20, 2, 2, 2); /* 1 rank idle */
    check_groups(4, 20, 4, 4, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_count), cmocka_unit_test(test_choose), cmocka_unit_test(test_permute),
                                       cmocka_unit_test(test_groups)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
