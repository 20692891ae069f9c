/* Theta neuron, the phase form of the quadratic integrate-and-fire neuron (Kim & Chow 2018; patterns/README.md 1.1):
 *     tau dtheta/dt = 1 - cos theta + (I + u)(1 + cos theta) ;  spike when theta passes pi. */
#include <math.h>
#include <string.h>

#include "engram/neurons.h"
#include "engram/random.h"

enum { THETA };

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

static inline double slope(double theta, double drive) {
    double c = cos(theta);
    return (1 - c) + drive * (1 + c);
}

static void step(neurons *neurons, int first, int end, const double *restrict input, const double *restrict noise) {
    (void)noise;
    const double h = neurons->dt / ((const theta_parameters *)neurons->parameters)->tau;
    double *restrict theta = neurons->field[THETA];
    for (int i = first; i < end; i++) {
        double x = theta[i], drive = input[i - first];
        double k1 = slope(x, drive);
        double k2 = slope(x + 0.5 * h * k1, drive);
        double k3 = slope(x + 0.5 * h * k2, drive);
        double k4 = slope(x + h * k3, drive);
        double increment = h / 6 * (k1 + 2 * k2 + 2 * k3 + k4);
        double distance = M_PI - x; /* to the next crossing of pi; x is kept in [0, 2 pi) */
        if (distance < 0) distance += 2 * M_PI;
        const int spike = increment > 0 && increment > distance;
        double next = fmod(x + increment, 2 * M_PI);
        theta[i] = next < 0 ? next + 2 * M_PI : next;
        neurons->since_spike[i] = spike ? 0 : neurons->since_spike[i] + (neurons->since_spike[i] < NEURON_LONG_AGO);
    }
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
