#include "engram/siegert.h"

#include <math.h>
#include <stdbool.h>

#include "engram/memory.h"

enum { PER_UNIT = 64, LOWEST = -10, HIGHEST = 26, NODES = (HIGHEST - LOWEST) * PER_UNIT + 1 }; /* at 26 e^(y^2) is 1e293 */

static const double INVERSE_ROOT_PI = 0.564189583547756286948;
static const double NO_NOISE = 1e-90; /* sigma^3 and mu^2/sigma^2 are numbers above it */

/** f(y) = e^(y^2) (1 + erf y) and F(y), its integral from 0, at the node y = LOWEST + n/PER_UNIT. */
typedef struct { double f, integral; } node;

struct siegert { node node[NODES]; };

/* ---- the table: the formula as written ---- */

/** erfcx(-y); for y < 0 without overflow or cancellation: continued fraction of erfcx (Abramowitz & Stegun 7.1.14). */
static double integrand(double y) {
    if (y > 0) return exp(y * y) * (1 + erf(y));
    double x = -y;
    if (x < 3) return exp(x * x) * erfc(x);
    double fraction = x;
    for (int k = 60; k >= 1; k--) fraction = x + k / 2.0 / fraction;
    return INVERSE_ROOT_PI / fraction;
}

/** Terms of a Taylor series within half a node's distance, to 1e-17 of the sum: they fall as (max(2 y, 2) d)^n/n!. */
static int terms_at(double y) {
    return fabs(y) > 8 ? 16 : 11;
}

/** f and the integral of f from y to y + d, from f(y): terms t_n = c_n d^n with (n + 1) c_(n+1) = 2 y c_n + 2 c_(n-1), and 2/sqrt(pi) more at n = 0. */
static node series(double y, double f, double d) {
    static const double over[] = {0, 1, 1 / 2.0, 1 / 3.0, 1 / 4.0, 1 / 5.0, 1 / 6.0, 1 / 7.0, 1 / 8.0, 1 / 9.0, 1 / 10.0, 1 / 11.0, 1 / 12.0, 1 / 13.0,
                                  1 / 14.0, 1 / 15.0, 1 / 16.0, 1 / 17.0};
    double before = f, term = d * (2 * y * f + 2 * INVERSE_ROOT_PI), a = 2 * y * d, b = 2 * d * d;
    double sum = f + term, integral = f + term * over[2];
    for (int n = 1, terms = terms_at(y); n < terms; n++) {
        double next = (a * term + b * before) * over[n + 1];
        before = term;
        term = next;
        sum += term;
        integral += term * over[n + 2];
    }
    return (node){sum, integral * d};
}

siegert *siegert_new(void) {
    siegert *siegert = memory_new(MEMORY_BUFFERS, 1, sizeof *siegert);
    const double half = 0.5 / PER_UNIT;
    const int zero = -LOWEST * PER_UNIT;
    for (int n = 0; n < NODES; n++) siegert->node[n].f = integrand(LOWEST + (double)n / PER_UNIT);
    for (int side = -1; side <= 1; side += 2)
        for (int n = zero; n != (side < 0 ? 0 : NODES - 1); n += side) { /* outwards, so that small parts are added first; the two halves meet */
            node *here = &siegert->node[n], *next = here + side;
            double y = LOWEST + (double)n / PER_UNIT, beyond = LOWEST + (double)(n + side) / PER_UNIT;
            next->integral = here->integral + (series(y, here->f, side * half).integral - series(beyond, next->f, -side * half).integral);
        }
    return siegert;
}

void siegert_free(siegert *siegert) {
    memory_free(siegert);
}

/* ---- integrals of f ---- */

/** Below LOWEST, x = -y: f = (1 - 1/(2 x^2) + 3/(2 x^2)^2 - 15/(2 x^2)^3 ...)/(x sqrt(pi)). @param[out] rest  F(y) = -(ln x + rest)/sqrt(pi) + a constant */
static double asymptotic(double x, double *rest) {
    double part = 1 / (2 * x * x), term = 1, sum = 1;
    *rest = 0;
    for (int k = 1; k <= 12; k++) {
        term *= -(2 * k - 1) * part;
        sum += term;
        *rest -= term / (2 * k);
    }
    return sum * INVERSE_ROOT_PI / x;
}

/** @pre y from LOWEST to HIGHEST */
static node tabulated(const siegert *siegert, double y) {
    int n = (int)((y - LOWEST) * PER_UNIT + 0.5);
    const node *at = &siegert->node[n];
    double centre = LOWEST + (double)n / PER_UNIT;
    node from = series(centre, at->f, y - centre);
    return (node){from.f, at->integral + from.integral};
}

/** f at both ends, and its integral, from -mu/sigma to (1 - mu)/sigma. */
typedef struct { double lower, upper, integral; } window;

/** 16-point Gauss-Legendre: where the window is so short that the difference of two integrals would lose digits. */
static double quadrature(const siegert *siegert, double mu, double sigma) {
    static const double at[8] = {0.0950125098376374402, 0.2816035507792589132, 0.4580167776572273863, 0.6178762444026437484,
                                 0.7554044083550030339, 0.8656312023878317439, 0.9445750230732325761, 0.9894009349916499326};
    static const double weight[8] = {0.1894506104550684963, 0.1826034150449235889, 0.1691565193950025382, 0.1495959888165767321,
                                     0.1246289712555338720, 0.0951585116824927848, 0.0622535239386478929, 0.0271524594117540949};
    double half = 0.5 / sigma, middle = (0.5 - mu) / sigma, sum = 0, rest;
    for (int n = 0; n < 8; n++)
        for (int side = -1; side <= 1; side += 2) {
            double y = middle + side * half * at[n];
            sum += weight[n] * (y < LOWEST ? asymptotic(-y, &rest) : tabulated(siegert, y).f);
        }
    return sum * half;
}

/** @pre sigma > 0, (1 - mu)/sigma <= HIGHEST */
static window window_of(const siegert *siegert, double mu, double sigma) {
    const double wide = 0.25;
    double a = -mu / sigma, b = (1 - mu) / sigma, rest_a = 0, rest_b;
    window of;
    node low = {0};
    if (a < LOWEST) of.lower = asymptotic(-a, &rest_a);
    else of.lower = (low = tabulated(siegert, a)).f;
    if (b < LOWEST) { /* mu is above 1 + 10 sigma */
        of.upper = asymptotic(-b, &rest_b);
        of.integral = INVERSE_ROOT_PI * (rest_a - rest_b - log1p(-1 / mu));
        return of;
    }
    node high = tabulated(siegert, b);
    of.upper = high.f;
    if (1 / sigma < wide) {
        of.integral = quadrature(siegert, mu, sigma);
    } else if (a < LOWEST) {
        double rest;
        asymptotic(-LOWEST, &rest);
        of.integral = high.integral - siegert->node[0].integral + INVERSE_ROOT_PI * (log(a / LOWEST) + rest_a - rest);
    } else {
        of.integral = high.integral - low.integral;
    }
    return of;
}

/* ---- rate and input ---- */

static double noiseless_rate(double mu, double tau) {
    return mu > 1 ? -1000 / (tau * log1p(-1 / mu)) : 0;
}

double siegert_rate(const siegert *siegert, double mu, double sigma, double tau) {
    if (sigma < NO_NOISE) return noiseless_rate(mu, tau);
    if ((1 - mu) / sigma > HIGHEST) return 0; /* below 1e-290 Hz */
    return 1000 * INVERSE_ROOT_PI / (tau * window_of(siegert, mu, sigma).integral);
}

/** ln of the integral falls with mu and is convex (f is a mixture of exponentials), so that Newton's steps, and Halley's held in between, close in from the
 *  side of low rates, and what is right of the solution lands there at once. Noise makes every neuron faster: the noiseless one's input is a bound. */
double siegert_input(const siegert *siegert, double rate, double sigma, double tau) {
    enum { STEPS_MAX = 100 };
    const double cubic = 1e-5; /* a step from here leaves an error of 1e-15 */
    double interval = 1000 / (tau * rate), wanted = log(interval * INVERSE_ROOT_PI), high = -1 / expm1(-interval);
    if (sigma < NO_NOISE) return high;
    double low = 1 - HIGHEST * sigma, mu = 1;
    if (wanted > 0.5) mu -= fmin(sqrt(wanted + 0.5 * log(wanted)), HIGHEST) * sigma; /* I is near e^(b^2)/b where b = (1 - mu)/sigma is well above 0 */
    for (int step = 0; step < STEPS_MAX; step++) {
        window of = window_of(siegert, mu, sigma);
        double excess = log(of.integral) - wanted;
        if (excess > 0) low = mu;
        else high = mu;
        /* of ln I in mu: f(b) - f(a) and f'(b) - f'(a), with f' = 2 y f + 2/sqrt(pi) */
        double first = (of.lower - of.upper) / (sigma * of.integral);
        double second = 2 * ((1 - mu) * of.upper + mu * of.lower) / (sigma * sigma * sigma * of.integral) - first * first;
        double newton = -excess / first, bend = 0.5 * newton * second / first;
        double next = mu + newton / (fabs(bend) < 0.5 ? 1 + bend : 1);
        if (!(next >= low)) next = low;
        if (!(next <= high)) next = high;
        if (fabs(excess) < cubic || next == mu) return next;
        mu = next;
    }
    return mu;
}
