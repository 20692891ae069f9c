/** @file test_transfer.c
 *  Transfer functions of the theta neuron and Siegert's formula with its inverse (patterns/README.md 1.2, 3.6; 7, V12 to V14).
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engram/targets.h"

static void near(double got, double wanted, double tolerance) {
    if (!(fabs(got - wanted) <= tolerance)) fail_msg("got %.17g, wanted %.17g +- %g", got, wanted, tolerance);
}

static void test_phi(void **state) {
    (void)state;
    near(transfer_phi1(1), 1 / M_PI, 1e-16);
    near(transfer_phi1(4), 2 / M_PI, 1e-15);
    assert_true(transfer_phi1(0) == 0 && transfer_phi1(-3) == 0);
    near(transfer_phi2(0), sqrt(0.1 * M_LN2) / M_PI, 1e-16);
    for (double x = -3; x <= 6; x += 0.037) near(transfer_phi2(x), (double)(sqrtl(0.1L * log1pl(expl(x / 0.1L))) / M_PIl), 1e-15);
    for (double x = 4; x < 1e6; x *= 3) near(transfer_phi2(x) / transfer_phi1(x), 1, 1e-12); /* no noise left */
    for (double x = -4; x > -60; x *= 1.3) near(transfer_phi2(x) / (sqrt(0.1) * exp(x / 0.2) / M_PI), 1, 1e-12);
    assert_true(isfinite(transfer_phi2(1e300)) && transfer_phi2(-1e300) == 0);
}

static void test_phi2_slope(void **state) {
    (void)state;
    double worst = 0;
    for (double x = -3.001; x <= 5; x += 0.0173) {
        double h = 1e-5, wanted = (transfer_phi2(x + h) - transfer_phi2(x - h)) / (2 * h);
        worst = fmax(worst, fabs(transfer_phi2_slope(x) / wanted - 1));
    }
    print_message("phi2': largest relative difference from finite differences %.1e\n", worst);
    assert_true(worst < 1e-7);
    for (double x = 4; x < 1e6; x *= 3) near(transfer_phi2_slope(x) * 2 * M_PI * sqrt(x), 1, 1e-12);
    for (double x = -4; x > -60; x *= 1.3) near(transfer_phi2_slope(x) / (exp(x / 0.2) / (2 * M_PI * sqrt(0.1))), 1, 1e-12);
    assert_true(transfer_phi2_slope(1e300) >= 0 && transfer_phi2_slope(-1e300) == 0 && transfer_phi2_slope(-69.9) > 0);
}

static void test_siegert_values(void **state) { /* V12 */
    (void)state;
    const double table[][3] = {{-0.5, 0.65, 0.567}, {0, 0.65, 7.004}, {0.5, 0.65, 29.63}, {1, 0.65, 66.80}, {0.5, 0.3, 4.597}, {1, 0.3, 45.31}};
    for (size_t n = 0; n < sizeof table / sizeof *table; n++) near(siegert_rate(table[n][0], table[n][1], 10) / table[n][2], 1, 1e-3);
}

/** The integral by Simpson's rule on 20000 points in extended precision. */
static double reference_rate(double mu, double sigma, double tau) {
    enum { STEPS = 20000 };
    long double a = -(long double)mu / sigma, b = (1 - (long double)mu) / sigma, h = (b - a) / STEPS, sum = 0;
    for (int n = 0; n <= STEPS; n++) {
        long double y = a + n * h;
        sum += expl(y * y) * erfcl(-y) * (n == 0 || n == STEPS ? 1 : n % 2 ? 4 : 2);
    }
    return (double)(1000 / (tau * sqrtl(M_PIl) * sum * h / 3));
}

static void test_siegert_integral(void **state) {
    (void)state;
    double worst = 0;
    for (double sigma = 0.1; sigma < 3; sigma *= 1.7)
        for (double mu = -6 * sigma; mu < fmin(4, 60 * sigma); mu += 0.31)
            if ((1 - mu) / sigma < 20) worst = fmax(worst, fabs(siegert_rate(mu, sigma, 12) / reference_rate(mu, sigma, 12) - 1));
    print_message("Siegert: largest relative difference from Simpson's rule %.1e\n", worst);
    assert_true(worst < 1e-9);
    near(siegert_rate(1.5, 0, 10), 1000 / (10 * log(3)), 1e-12); /* noiseless */
    assert_true(siegert_rate(1, 0, 10) == 0 && siegert_rate(-5, 0, 10) == 0 && siegert_rate(-100, 0.65, 10) == 0);
    near(siegert_rate(1.5, 1e-3, 10) / siegert_rate(1.5, 0, 10), 1, 1e-4);
    near(siegert_rate(3, 1e-5, 10) / siegert_rate(3, 0, 10), 1, 1e-6);
    near(siegert_rate(0.4, 0.65, 20), siegert_rate(0.4, 0.65, 10) / 2, 1e-12); /* rates scale with 1/tau */
}

static void test_siegert_inverse(void **state) { /* V13, V14 */
    (void)state;
    near(siegert_input(0.1, 0.65, 10), -0.7494, 1e-4);
    near(siegert_input(0.5625, 0.65, 10), -0.5013, 1e-4);
    double before = -INFINITY;
    for (double rate = 1; rate <= 100; rate += 0.25) {
        double mu = siegert_input(rate, 0.65, 10);
        assert_true(mu > before);
        before = mu;
    }
    double worst = 0;
    for (double tau = 5; tau <= 40; tau *= 2)
        for (double sigma = 0; sigma < 4; sigma = sigma ? 1.6 * sigma : 0.05)
            for (double rate = sigma > 0 ? 1e-3 : 50 / tau; rate < 1500 / tau; rate *= 1.9) { /* a noiseless neuron this slow has mu = 1 + 2e-9 */
                double back = siegert_rate(siegert_input(rate, sigma, tau), sigma, tau), error = fabs(back - rate) / fmax(rate, 1);
                if (!(error < 1e-6)) fail_msg("rate %g, sigma %g, tau %g comes back as %.12g", rate, sigma, tau, back);
                worst = fmax(worst, error);
            }
    print_message("Siegert: largest error of rate(input(rate)) %.1e\n", worst);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_phi), cmocka_unit_test(test_phi2_slope), cmocka_unit_test(test_siegert_values), cmocka_unit_test(test_siegert_integral),
        cmocka_unit_test(test_siegert_inverse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
