/* Exact sums: the same in any order, to their resolution; not known where a term is beyond their range, never a wrong number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engram/sum.h"

static void test_any_order(void **state) {
    (void)state;
    enum { TERMS = 1000 };
    double term[TERMS], about = 0;
    exact_sum upwards = {0}, downwards = {0};
    for (int k = 0; k < TERMS; k++) about += term[k] = ldexp(sin(k + 1.0), k % 23);
    for (int k = 0; k < TERMS; k++) sum_add(&upwards, term[k]), sum_add(&downwards, term[TERMS - 1 - k]);
    assert_true(sum_value(upwards) == sum_value(downwards));
    assert_true(fabs(sum_value(upwards) - about) < 1e-6);
}

static void test_range(void **state) {
    (void)state;
    const double largest = nextafter(SUM_BELOW, 0), wrong[] = {SUM_BELOW, -SUM_BELOW, 1e300, -HUGE_VAL, HUGE_VAL, NAN};
    exact_sum most = {0};
    for (int k = 0; k < 1000; k++) sum_add(&most, largest);
    assert_true(fabs(sum_value(most) / (1000 * largest) - 1) < 1e-12);
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
        exact_sum sum = {0};
        sum_add(&sum, 1), sum_add(&sum, wrong[k]), sum_add(&sum, 1);
        assert_true(isnan(sum_value(sum)));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_any_order), cmocka_unit_test(test_range)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
