/* Leaky integrate-and-fire neuron in mV, of Kim & Chow 2018, Fig. 3 supplement 2 (patterns/README.md 1.6):
 *     dv/dt = -(v - I)/tau + X + u  (mV/ms) ;  spike at the threshold, then v = reset, no refractory period.
 * X + u is constant over a step, so the step is exact, the moment of the spike included: what is left of the step after it is integrated from the reset.
 * Intervals do not depend on dt; only the report of a spike is rounded up to the end of its step, and there is one spike a step at most.
 * The paper does not give I. Here it is "rest", by default the threshold: as for the theta neurons of the paper, drive 0 is the border of firing, so that
 * the same targets can be used. Like theta neurons: the drive is W r read out with the current weights, r has area 1 per membrane_tau, state runs on. */
#include <math.h>

#include "membrane.h"

enum { V };

typedef struct { double tau, rest, threshold, reset; } lif_mv_parameters;

#define NUMBER(key, unit, fallback, low, high, help, member) {key, PARAM_NUMBER, unit, fallback, low, high, NULL, help, offsetof(lif_mv_parameters, member)}
static const param parameters[] = {
    NUMBER("membrane_tau", UNIT_TIME, "10 ms", 1e-3, 1e6, "membrane time constant (Kim & Chow 2018)", tau),
    NUMBER("rest", UNIT_VOLTAGE, "-50 mV", -1e6, 1e6, "I: v without drive; not in the paper, our default is the threshold, where theta neurons have it", rest),
    NUMBER("threshold", UNIT_VOLTAGE, "-50 mV", -1e6, 1e6, "a spike when v exceeds this (Kim & Chow 2018)", threshold),
    NUMBER("reset", UNIT_VOLTAGE, "-65 mV", -1e6, 1e6, "v after a spike (Kim & Chow 2018)", reset),
};
#undef NUMBER
static const param_table table = {"lif_mv", "leaky integrate-and-fire in mV, drive in mV/ms (Kim & Chow 2018, Fig. 3 supplement 2)", parameters,
                                  sizeof parameters / sizeof *parameters, sizeof(lif_mv_parameters)};

static const neuron_field fields[] = {{"v", "mV", "membrane potential"}};

static status check(const config *config, void *raw, double dt, const cells *cells) {
    (void)cells;
    const lif_mv_parameters *p = raw;
    status result = STATUS_OK;
    if (p->tau < dt) result = config_complain(config, "neuron", "membrane_tau", "%g ms is below the time step %g ms", p->tau, dt);
    if (p->reset >= p->threshold) result = config_complain(config, "neuron", "reset", "%g mV must be below the threshold %g mV", p->reset, p->threshold);
    return result;
}

static void reset(neurons *neurons, uint64_t stream) { /* U(reset, threshold) */
    const lif_mv_parameters *p = neurons->parameters;
    membrane_start(neurons, START_UNIFORM, stream, p->reset, p->threshold, neurons->field[V]);
}

static void step(neurons *neurons, int first, int end, const double *restrict input, const double *restrict noise) {
    (void)noise;
    const lif_mv_parameters *p = neurons->parameters;
    double *restrict v = neurons->field[V];
    int32_t *restrict since = neurons->since_spike;
    const double tau = p->tau, decay = exp(-neurons->dt / tau), rest = p->rest, threshold = p->threshold, reset_to = p->reset;
    for (int i = first; i < end; i++) { /* branch-free, so that the compiler makes vector code of it */
        const double goal = rest + tau * input[i - first], next = goal + (v[i] - goal) * decay; /* v goes there */
        const int spike = next > threshold;
        const double fraction = (goal - next) / (goal - threshold); /* exp(-time since the spike / tau) */
        const double after = goal + (reset_to - goal) * fraction, again = after < threshold ? after : threshold;
        const int32_t waited = since[i];
        v[i] = spike ? again : next;
        since[i] = spike ? 0 : waited + (waited < NEURON_LONG_AGO);
    }
}

static double membrane_tau(const neurons *neurons) {
    return ((const lif_mv_parameters *)neurons->parameters)->tau;
}

const neuron_model neuron_lif_mv = {
    .parameters = &table, .fields = fields, .field_count = 1, .unit_is_tau = 1, .readout_drive = 1, .keeps_state = 1,
    .check = check, .reset = reset, .step = step, .membrane_tau = membrane_tau,
};
