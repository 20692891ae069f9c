#include <math.h>

#include "engram/targets.h"

static const double C = 0.1;

double transfer_phi1(double x) {
    return x > 0 ? sqrt(x) / M_PI : 0;
}

/** ln(1 + e^y) without overflow, and e^y where that is all there is. */
static double softplus(double y) {
    return y > 36 ? y : y < -36 ? exp(y) : log1p(exp(y));
}

double transfer_phi2(double x) {
    return sqrt(C * softplus(x / C)) / M_PI;
}

double transfer_phi2_slope(double x) {
    double y = x / C;
    if (y < -700) return 0; /* e^(y/2) / (2 pi sqrt(c)) underflows all the same */
    double logistic = y < -36 ? exp(y) : 1 / (1 + exp(-y));
    return logistic / (2 * M_PI * sqrt(C * softplus(y)));
}

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

double siegert_rate(double mu, double sigma, double tau) {
    if (sigma <= 0) return mu > 1 ? 1000 / (tau * log(mu / (mu - 1))) : 0;
    double upper = (1 - mu) / sigma, lower = -mu / sigma;
    if (upper > 26) return 0;                                              /* e^(y^2) overflows: below 1e-290 Hz */
    if (lower < -1e4) return mu > 1 ? 1000 / (tau * log(mu / (mu - 1))) : 0; /* noise is negligible */
    return 1000 / (tau * sqrt(M_PI) * integral(lower, upper));
}

double siegert_input(double rate, double sigma, double tau) {
    double low = -1, high = 2;
    while (siegert_rate(low, sigma, tau) > rate) low *= 2;
    while (siegert_rate(high, sigma, tau) < rate) high *= 2;
    /* Regula falsi on the logarithm of the rate, nearly straight in mu, with the Illinois correction; a bisection whenever that stalls. */
    double f_low = log(siegert_rate(low, sigma, tau) / rate), f_high = log(siegert_rate(high, sigma, tau) / rate);
    for (int side = 0, n = 0; high - low > 1e-12 * (1 + fabs(low) + fabs(high)) && n < 200; n++) {
        double x = n % 8 != 7 && isfinite(f_low) && isfinite(f_high) ? (low * f_high - high * f_low) / (f_high - f_low) : 0.5 * (low + high);
        double f = log(siegert_rate(x, sigma, tau) / rate);
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
