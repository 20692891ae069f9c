/** @file test_transfer.c
 *  Transfer functions of the theta neuron and Siegert's formula with its inverse (patterns/README.md 1.2, 3.6; 7, V12 to V14).
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engram/siegert.h"
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

/* ---- the oracle: quadrature of the formula, and regula falsi ---- */

/** e^(y^2) (1 + erf y) = erfcx(-y); for y < 0 without overflow or cancellation: continued fraction of erfcx (Abramowitz & Stegun 7.1.14). */
static double integrand(double y) {
    if (y > 0) return exp(y * y) * (1 + erf(y));
    double x = -y;
    if (x < 3) return exp(x * x) * erfc(x);
    double fraction = x;
    for (int k = 60; k >= 1; k--) fraction = x + k / 2.0 / fraction;
    return 1 / (fraction * sqrt(M_PI));
}

/** 16-point Gauss-Legendre on panels no longer than 1. */
static double integral(double a, double b) {
    static const double node[8] = {0.0950125098376374402, 0.2816035507792589132, 0.4580167776572273863, 0.6178762444026437484,
                                   0.7554044083550030339, 0.8656312023878317439, 0.9445750230732325761, 0.9894009349916499326};
    static const double weight[8] = {0.1894506104550684963, 0.1826034150449235889, 0.1691565193950025382, 0.1495959888165767321,
                                     0.1246289712555338720, 0.0951585116824927848, 0.0622535239386478929, 0.0271524594117540949};
    int panels = (int)ceil(b - a);
    if (panels < 1) panels = 1;
    double half = (b - a) / panels / 2, sum = 0;
    for (int p = 0; p < panels; p++) {
        double middle = a + (2 * p + 1) * half;
        for (int n = 0; n < 8; n++) sum += weight[n] * (integrand(middle - half * node[n]) + integrand(middle + half * node[n]));
    }
    return sum * half;
}

static double oracle_rate(double mu, double sigma, double tau) {
    if (sigma <= 0) return mu > 1 ? 1000 / (tau * log(mu / (mu - 1))) : 0;
    double upper = (1 - mu) / sigma, lower = -mu / sigma;
    if (upper > 26) return 0;                                              /* e^(y^2) overflows: below 1e-290 Hz */
    if (lower < -1e4) return mu > 1 ? 1000 / (tau * log(mu / (mu - 1))) : 0; /* noise is negligible */
    return 1000 / (tau * sqrt(M_PI) * integral(lower, upper));
}

static double oracle_input(double rate, double sigma, double tau) {
    double low = -1, high = 2;
    while (oracle_rate(low, sigma, tau) > rate) low *= 2;
    while (oracle_rate(high, sigma, tau) < rate) high *= 2;
    /* Regula falsi on the logarithm of the rate, nearly straight in mu, with the Illinois correction; a bisection whenever that stalls. */
    double f_low = log(oracle_rate(low, sigma, tau) / rate), f_high = log(oracle_rate(high, sigma, tau) / rate);
    for (int side = 0, n = 0; high - low > 1e-12 * (1 + fabs(low) + fabs(high)) && n < 200; n++) {
        double x = n % 8 != 7 && isfinite(f_low) && isfinite(f_high) ? (low * f_high - high * f_low) / (f_high - f_low) : 0.5 * (low + high);
        double f = log(oracle_rate(x, sigma, tau) / rate);
        if (fabs(f) < 1e-12) return x;
        if (f < 0) {
            low = x, f_low = f;
            if (side == -1) f_high /= 2;
            side = -1;
        } else {
            high = x, f_high = f;
            if (side == 1) f_low /= 2;
            side = 1;
        }
    }
    return 0.5 * (low + high);
}

/* ---- Siegert's formula ---- */

static int make_table(void **state) {
    *state = siegert_new();
    return 0;
}

static int free_table(void **state) {
    siegert_free(*state);
    return 0;
}

static void test_siegert_values(void **state) { /* V12 */
    const siegert *table = *state;
    const double known[][3] = {{-0.5, 0.65, 0.567}, {0, 0.65, 7.004}, {0.5, 0.65, 29.63}, {1, 0.65, 66.80}, {0.5, 0.3, 4.597}, {1, 0.3, 45.31}};
    for (size_t n = 0; n < sizeof known / sizeof *known; n++) near(siegert_rate(table, known[n][0], known[n][1], 10) / known[n][2], 1, 1e-3);
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
    const siegert *table = *state;
    double worst = 0;
    for (double sigma = 0.1; sigma < 3; sigma *= 1.7)
        for (double mu = -6 * sigma; mu < fmin(4, 60 * sigma); mu += 0.31)
            if ((1 - mu) / sigma < 20) worst = fmax(worst, fabs(siegert_rate(table, mu, sigma, 12) / reference_rate(mu, sigma, 12) - 1));
    print_message("Siegert: largest relative difference from Simpson's rule %.1e\n", worst);
    assert_true(worst < 1e-9);
    near(siegert_rate(table, 1.5, 0, 10), 1000 / (10 * log(3)), 1e-12); /* noiseless */
    assert_true(siegert_rate(table, 1, 0, 10) == 0 && siegert_rate(table, -5, 0, 10) == 0 && siegert_rate(table, -100, 0.65, 10) == 0);
    near(siegert_rate(table, 1.5, 1e-3, 10) / siegert_rate(table, 1.5, 0, 10), 1, 1e-4);
    near(siegert_rate(table, 3, 1e-5, 10) / siegert_rate(table, 3, 0, 10), 1, 1e-6);
    near(siegert_rate(table, 0.4, 0.65, 20), siegert_rate(table, 0.4, 0.65, 10) / 2, 1e-12); /* rates scale with 1/tau */
}

static void test_siegert_inverse(void **state) { /* V13, V14 */
    const siegert *table = *state;
    near(siegert_input(table, 0.1, 0.65, 10), -0.7494, 1e-4);
    near(siegert_input(table, 0.5625, 0.65, 10), -0.5013, 1e-4);
    double before = -INFINITY;
    for (double rate = 1; rate <= 100; rate += 0.25) {
        double mu = siegert_input(table, rate, 0.65, 10);
        assert_true(mu > before);
        before = mu;
    }
    double worst = 0;
    for (double tau = 5; tau <= 40; tau *= 2)
        for (double sigma = 0; sigma < 4; sigma = sigma ? 1.6 * sigma : 0.05)
            for (double rate = sigma > 0 ? 1e-3 : 50 / tau; rate < 1500 / tau; rate *= 1.9) { /* a noiseless neuron this slow has mu = 1 + 2e-9 */
                double back = siegert_rate(table, siegert_input(table, rate, sigma, tau), sigma, tau), error = fabs(back - rate) / fmax(rate, 1);
                if (!(error < 1e-6)) fail_msg("rate %g, sigma %g, tau %g comes back as %.12g", rate, sigma, tau, back);
                worst = fmax(worst, error);
            }
    print_message("Siegert: largest error of rate(input(rate)) %.1e\n", worst);
}

/** Within what the oracle itself is good to: it stops at 1e-12 of the rate or of the interval; its 16 points per unit of y lose digits where e^(y^2) rises
 *  fast (3e-8 at y = 25), and its ends where they are far from 0 beside the 1/sigma between them (1e-11 at 700); above 1e4 sigma it leaves noise out. */
static void test_siegert_oracle(void **state) {
    const siegert *table = *state;
    double worst_rate = 0, worst_input = 0, worst_back = 0;
    for (double sigma = 0.01; sigma < 200; sigma *= 1.37) {
        for (double mu = fmax(1 - 9 * sigma, -20 * sigma); mu < 50 * sigma; mu += 0.07 * (1 + sigma))
            worst_rate = fmax(worst_rate, fabs(siegert_rate(table, mu, sigma, 10) / oracle_rate(mu, sigma, 10) - 1));
        for (double rate = 1e-12; rate < 1e5; rate *= 1.21) {
            double mu = siegert_input(table, rate, sigma, 10), wanted = oracle_input(rate, sigma, 10);
            if (wanted > 50 * sigma) continue;
            worst_input = fmax(worst_input, fabs(mu - wanted) / (1 + fabs(wanted) + sigma));
            worst_back = fmax(worst_back, fabs(siegert_rate(table, mu, sigma, 10) / rate - 1));
        }
    }
    print_message("Siegert: largest relative differences from the oracle: rate %.1e, input %.1e; of rate(input(rate)) %.1e\n", worst_rate, worst_input,
                  worst_back);
    assert_true(worst_rate < 3e-12 && worst_input < 3e-12 && worst_back < 1e-12);
}

/** Where pieces of the table, of the series and of the formula meet the rate is smooth: its logarithm is straight over three neighbours. */
static void test_siegert_seams(void **state) {
    const siegert *table = *state;
    double worst = 0;
    for (double sigma = 0.05; sigma < 8; sigma *= 1.5)
        for (double seam = -10; seam < 24; seam += 0.5 + 1.0 / 128) /* where asymptotics end; then every second between nodes */
            for (int end = 0; end < 2; end++) {
                double mu = end - seam * sigma, h = 1e-6 * sigma; /* an end of the integral is at the seam */
                if ((1 - mu - h) / sigma > 25) continue;
                double before = log(siegert_rate(table, mu - h, sigma, 10)), at = log(siegert_rate(table, mu, sigma, 10));
                worst = fmax(worst, fabs(before - 2 * at + log(siegert_rate(table, mu + h, sigma, 10))));
            }
    print_message("Siegert: largest bend at a seam %.1e\n", worst);
    assert_true(worst < 1e-11);
}

/** Extremes: what is out of reach comes back as the nearest there is, and nothing goes on for ever. */
static void test_siegert_extremes(void **state) {
    const siegert *table = *state;
    near(siegert_input(table, 1e-300, 0.65, 10), 1 - 26 * 0.65, 0.2);
    assert_true(siegert_input(table, 5e-324, 0.65, 10) >= 1 - 26 * 0.65 - 1e-9);
    for (double sigma = 0; sigma < 1e300; sigma = sigma ? 1e20 * sigma : 1e-300)
        for (double rate = 1e-9; rate < 1e12; rate *= 1e3) assert_true(isfinite(siegert_input(table, rate, sigma, 10)));
    for (double rate = 5; rate < 1e6; rate *= 1.3) { /* no noise: mu = 1/(1 - e^(-T)) */
        near(siegert_input(table, rate, 0, 10), -1 / expm1(-100 / rate), 1e-12 * (1 + rate));
        near(siegert_rate(table, siegert_input(table, rate, 0, 10), 0, 10) / rate, 1, 1e-6);
        near(siegert_input(table, rate, 1e-7, 10) / siegert_input(table, rate, 0, 10), 1, 1e-6);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_phi), cmocka_unit_test(test_phi2_slope), cmocka_unit_test(test_siegert_values), cmocka_unit_test(test_siegert_integral),
        cmocka_unit_test(test_siegert_inverse), cmocka_unit_test(test_siegert_oracle), cmocka_unit_test(test_siegert_seams),
        cmocka_unit_test(test_siegert_extremes),
    };
    return cmocka_run_group_tests(tests, make_table, free_table);
}
