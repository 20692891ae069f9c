/* Quadratic integrate-and-fire neuron, the voltage form of the theta neuron, v = tan(theta/2) (Kim & Chow 2018; patterns/README.md 1.2):
 *     tau dv/dt = v^2 + I + u ;  spike at v = V, then v = -V.
 * I + u is constant over a step, so the step is exact, the moment of the spike included (quadratic.h).
 * With finite V an interval is (2 tau/sqrt J) atan(V/sqrt J),
 * shorter than the theta neuron's pi tau/sqrt J by 2 tau/V: 0.02 ms at the default of V, a spike in 5 s at 100 Hz. One spike a step at most.
 * Everything else is the theta neuron's: initial phases U(0, 2 pi), the same draws; readout drive;
 * r of area 1 per membrane_tau; state runs on. */
#include <math.h>

#include "engram/neurons.h"
#include "engram/random.h"
#include "quadratic.h"

enum { V };

typedef struct { double tau, cutoff; } qif_parameters;

static const param parameters[] = {
    {"membrane_tau", PARAM_NUMBER, UNIT_TIME, "10 ms", 1e-3, 1e6, NULL, "time unit of the equation (Kim & Chow 2018)", offsetof(qif_parameters, tau)},
    {"cutoff", PARAM_NUMBER, UNIT_NONE, "1000", 10, 1e9, NULL, "V: a spike at V, reset to -V; intervals are 2 tau/V shorter than a theta neuron's",
     offsetof(qif_parameters, cutoff)},
};

static const param_table table = {"qif", "quadratic integrate-and-fire: the theta neuron as a voltage (Kim & Chow 2018)", parameters,
                                  sizeof parameters / sizeof *parameters, sizeof(qif_parameters)};

static const neuron_field fields[] = {{"v", "1", "voltage, tan(theta/2)"}};

static status check(const config *config, void *raw, double dt, const cells *cells) {
    (void)cells;
    const qif_parameters *p = raw;
    if (dt > p->tau / 2) return config_complain(config, "simulation", "dt", "%g ms is too coarse for a qif neuron of %g ms; at most half of it", dt, p->tau);
    return STATUS_OK;
}

static void reset(neurons *neurons, uint64_t stream) {
    const double cutoff = ((const qif_parameters *)neurons->parameters)->cutoff;
    for (int i = 0; i < neurons->part.mine; i++) {
        double v = tan(M_PI * random_uniform(neurons->seed, RANDOM_INITIAL, (uint64_t)(neurons->part.first + i), stream << 8));
        neurons->field[V][i] = fmin(fmax(v, -cutoff), cutoff);
    }
}

static void step(neurons *neurons, int first, int end, const double *restrict input, const double *restrict noise) {
    (void)noise;
    const qif_parameters *p = neurons->parameters;
    double *restrict v = neurons->field[V];
    int32_t *restrict since = neurons->since_spike;
    const double h = neurons->dt / p->tau, cutoff = p->cutoff;
    for (int i = first; i < end; i++) { /* branch-free, so that the compiler makes vector code of it */
        const quadratic_result to = quadratic_advance(v[i], 1, input[i - first], h, cutoff);
        const double again = quadratic_continue(-cutoff, 1, to.drive, to.left, cutoff);
        const int32_t waited = since[i];
        v[i] = to.passed ? again : to.y;
        since[i] = to.passed ? 0 : waited + (waited < NEURON_LONG_AGO);
    }
}

static double membrane_tau(const neurons *neurons) {
    return ((const qif_parameters *)neurons->parameters)->tau;
}

static void phase(const neurons *neurons, double *phase) {
    for (int i = 0; i < neurons->part.mine; i++) phase[i] = 2 * atan(neurons->field[V][i]);
}

const neuron_model neuron_qif = {
    .parameters = &table, .fields = fields, .field_count = 1, .unit_is_tau = 1, .readout_drive = 1, .keeps_state = 1, .phi_applies = 1,
    .check = check, .reset = reset, .step = step, .membrane_tau = membrane_tau, .phase = phase,
};
