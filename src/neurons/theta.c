/* Theta neuron, the phase form of the quadratic integrate-and-fire neuron (Kim & Chow 2018; patterns/README.md 1.1):
 *     tau dtheta/dt = 1 - cos theta + (I + u)(1 + cos theta) ;  spike when theta passes pi. */
#include <math.h>
#include <string.h>

#include "engram/neurons.h"
#include "engram/random.h"

enum { THETA };
enum { AT_ONCE = 64 }; /* neurons: their slopes stay in the first cache */

typedef struct { double tau; } theta_parameters;

static const param parameters[] = {
    {"membrane_tau", PARAM_NUMBER, UNIT_TIME, "10 ms", 1e-3, 1e6, NULL, "time unit of the phase equation", offsetof(theta_parameters, tau)},
};

static const param_table table = {"theta", "theta neuron, dimensionless input with threshold 0 (Kim & Chow 2018)", parameters,
                                  sizeof parameters / sizeof *parameters, sizeof(theta_parameters)};

static const neuron_field fields[] = {{"theta", "rad", "phase, in [0, 2 pi)"}};

static status check(const config *config, void *raw, double dt, const cells *cells) {
    (void)cells;
    const theta_parameters *p = raw;
    if (dt > p->tau / 2) return config_complain(config, "simulation", "dt", "%g ms is too coarse for a theta neuron of %g ms; at most half of it", dt, p->tau);
    return STATUS_OK;
}

static void reset(neurons *neurons, uint64_t stream) {
    for (int i = 0; i < neurons->part.mine; i++)
        neurons->field[THETA][i] = 2 * M_PI * random_uniform(neurons->seed, RANDOM_INITIAL, (uint64_t)(neurons->part.first + i), stream << 8);
}

/** cos x to 3e-16 for |x| < 1e6. No libm and no branches: the compiler makes vector code of it, and a neuron's bits do not depend on its place in a vector.
 *  x is r + n pi with r in [-pi/2, pi/2], pi in two parts, of which the first has 34 bits; the polynomial in r^2 interpolates at Chebyshev's points. */
static inline double cosine(double x) {
    const double whole = 0x1.8p52, shifted = x * (1 / M_PI) + whole; /* n is in its last bits */
    const double n = shifted - whole, r = (x - n * 0x1.921fb54400000p+1) - n * 0x1.0b4611a626331p-33, t = r * r;
    double c = 0x1.9f23c60cd878cp-45;
    c = c * t - 0x1.9350a4363e9efp-37;
    c = c * t + 0x1.1eecdf397d457p-29;
    c = c * t - 0x1.27e4f97932ae7p-22;
    c = c * t + 0x1.a01a01994c33cp-16;
    c = c * t - 0x1.6c16c16c09b4ep-10;
    c = c * t + 0x1.55555555553c4p-5;
    c = c * t - 0x1.ffffffffffffbp-2;
    c = c * t + 1;
    uint64_t odd, bits;
    memcpy(&odd, &shifted, sizeof odd);
    memcpy(&bits, &c, sizeof bits);
    bits ^= odd << 63;
    memcpy(&c, &bits, sizeof c);
    return c;
}

/** Slopes of [count] neurons, @p part of a step of the slopes before on. A loop of its own for each slope, as their cosines then do not wait for each other. */
static void slopes(int count, const double *restrict theta, const double *restrict drive, double part, const double *restrict before, double *restrict slope) {
    for (int i = 0; i < count; i++) {
        const double c = cosine(theta[i] + part * before[i]);
        slope[i] = (1 - c) + drive[i] * (1 + c);
    }
}

/** @p x, less than some turns from [0, 2 pi), in it, but for rounding. */
static inline double within_a_turn(double x) {
    const double turned = x - 2 * M_PI * floor(x * (1 / (2 * M_PI)));
    return turned < 0 ? turned + 2 * M_PI : turned >= 2 * M_PI ? turned - 2 * M_PI : turned;
}

/** A step of [count] neurons by the fourth-order method of Runge and Kutta. @param h of it, in units of the time constant */
static void advance(int count, double h, const double *restrict drive, double *restrict theta, int32_t *restrict since) {
    double none[AT_ONCE] = {0}, k1[AT_ONCE], k2[AT_ONCE], k3[AT_ONCE], k4[AT_ONCE];
    slopes(count, theta, drive, 0, none, k1);
    slopes(count, theta, drive, 0.5 * h, k1, k2);
    slopes(count, theta, drive, 0.5 * h, k2, k3);
    slopes(count, theta, drive, h, k3, k4);
    for (int i = 0; i < count; i++) {
        const double x = theta[i], increment = h / 6 * (k1[i] + 2 * k2[i] + 2 * k3[i] + k4[i]);
        const double ahead = M_PI - x, distance = ahead < 0 ? ahead + 2 * M_PI : ahead; /* to the next crossing of pi */
        const int32_t longer = since[i] + (since[i] < NEURON_LONG_AGO);
        theta[i] = within_a_turn(x + increment);
        since[i] = ((increment > 0) & (increment > distance)) ? 0 : longer;
    }
}

static void step(neurons *neurons, int first, int end, const double *restrict input, const double *restrict noise) {
    (void)noise;
    const double h = neurons->dt / ((const theta_parameters *)neurons->parameters)->tau;
    for (int begin = first; begin < end; begin += AT_ONCE)
        advance(end - begin < AT_ONCE ? end - begin : AT_ONCE, h, input + (begin - first), neurons->field[THETA] + begin, neurons->since_spike + begin);
}

static double membrane_tau(const neurons *neurons) {
    return ((const theta_parameters *)neurons->parameters)->tau;
}

static void phase(const neurons *neurons, double *phase) {
    memcpy(phase, neurons->field[THETA], (size_t)neurons->part.mine * sizeof *phase);
}

const neuron_model neuron_theta = {
    .parameters = &table, .fields = fields, .field_count = 1, .unit_is_tau = 1, .readout_drive = 1, .keeps_state = 1, .phi_applies = 1,
    .check = check, .reset = reset, .step = step, .membrane_tau = membrane_tau, .phase = phase,
};
