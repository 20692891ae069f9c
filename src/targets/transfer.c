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
