/* Leaky integrate-and-fire neuron of Arthur et al. 2023 and Kim et al. 2023 (patterns/README.md 1.3): dimensionless voltage,
 *     tau_m dv/dt = -v + X + u ;  spike if v > threshold, then v = reset, and n_ref steps without integration. */
#include <math.h>
#include <stdbool.h>

#include "leaky.h"
#include "membrane.h"

enum { V };
enum { INTEGRATION_EULER, INTEGRATION_EXACT };
enum { PRECISION_DOUBLE, PRECISION_SINGLE };

typedef struct {
    double tau, refractory, threshold, reset;
    int noise, start, integration, precision;
    param_numbers noise_sd;
} lif_parameters;

static const param parameters[] = {
    {"membrane_tau", PARAM_NUMBER, UNIT_TIME, "10 ms", 1e-3, 1e6, NULL, "membrane time constant", offsetof(lif_parameters, tau)},
    {"refractory", PARAM_NUMBER, UNIT_TIME, "0.1 ms", 0, 1e4, NULL, "refractory period, rounded to whole steps", offsetof(lif_parameters, refractory)},
    {"threshold", PARAM_NUMBER, UNIT_NONE, "1", -1e6, 1e6, NULL, "a spike when v exceeds this", offsetof(lif_parameters, threshold)},
    {"reset", PARAM_NUMBER, UNIT_NONE, "0", -1e6, 1e6, NULL, "v after a spike", offsetof(lif_parameters, reset)},
    {"noise", PARAM_CHOICE, UNIT_NONE, "voltage", 0, 0, "voltage current", "where white noise enters: the membrane, or the static drive (and so the RLS error)",
     offsetof(lif_parameters, noise)},
    {"noise_sd", PARAM_NUMBERS, UNIT_NONE, "0", 0, 1e6, NULL,
     "white noise sigma: one value, or [excitatory, inhibitory], or one per neuron; SD of the free membrane is sigma/sqrt(2)",
     offsetof(lif_parameters, noise_sd)},
    {"start", PARAM_CHOICE, UNIT_NONE, "normal", 0, 0, "normal uniform reset",
     "v at the start of a loop: N(0,1) or U(0,1) times (threshold - reset), plus reset; or reset", offsetof(lif_parameters, start)},
    {"integration", PARAM_CHOICE, UNIT_NONE, "euler", 0, 0, "euler exact",
     "euler: explicit, as Arthur et al. 2023; exact: of the membrane and of drives that decay within a step (Rotter & Diesmann 1999)",
     offsetof(lif_parameters, integration)},
    {"precision", PARAM_CHOICE, UNIT_NONE, "double", 0, 0, "double single",
     "of voltages, filtered input and their steps; weights, learning and results are what they are elsewhere", offsetof(lif_parameters, precision)},
};

static const param_table table = {"lif", "leaky integrate-and-fire, dimensionless voltage (Arthur et al. 2023)", parameters,
                                  sizeof parameters / sizeof *parameters, sizeof(lif_parameters)};

static const neuron_field fields[] = {{"v", "1", "membrane potential"}};

static status check(const config *config, void *raw, double dt, const cells *cells) {
    const lif_parameters *p = raw;
    status result = STATUS_OK;
    if (p->tau < dt) result = config_complain(config, "neuron", "membrane_tau", "%g ms is below the time step %g ms", p->tau, dt);
    if (p->reset >= p->threshold) result = config_complain(config, "neuron", "reset", "%g must be below the threshold %g", p->reset, p->threshold);
    return status_worse(result, membrane_check_noise(config, &p->noise_sd, cells->total));
}

static void reset(neurons *neurons, uint64_t stream) {
    const lif_parameters *p = neurons->parameters;
    membrane_start(neurons, p->start, stream, p->reset, p->threshold, neurons->field[V]);
}

static double noise_sd(const neurons *neurons, int64_t gid) {
    return membrane_noise_sd(neurons, &((const lif_parameters *)neurons->parameters)->noise_sd, gid);
}

static int noise_is_current(const neurons *neurons) {
    return ((const lif_parameters *)neurons->parameters)->noise == NOISE_CURRENT;
}

static double membrane_tau(const neurons *neurons) {
    return ((const lif_parameters *)neurons->parameters)->tau;
}

static int exact(const neurons *neurons) {
    return ((const lif_parameters *)neurons->parameters)->integration == INTEGRATION_EXACT;
}

static int siegert_applies(const neurons *neurons) {
    const lif_parameters *p = neurons->parameters;
    return p->threshold == 1 && p->reset == 0;
}

static int single(const void *parameters) {
    return ((const lif_parameters *)parameters)->precision == PRECISION_SINGLE;
}

/** @param[out] noise_factor of sigma times a unit normal that is added to v */
static leaky_step step_of(const neurons *neurons, double *noise_factor) {
    const lif_parameters *p = neurons->parameters;
    const double x = neurons->dt / p->tau;
    const bool exactly = p->integration == INTEGRATION_EXACT; /* then the noise, which decays with what was there, leaves sigma^2/2 of variance */
    *noise_factor = sqrt(exactly ? expm1(2 * x) / 2 : x);
    return (leaky_step){.rate = exactly ? neurons->leak : x, .threshold = p->threshold, .reset = p->reset,
                        .refractory = membrane_refractory_steps(neurons, p->refractory)};
}

static void step(neurons *neurons, int first, int end, const double *restrict input, const double *restrict noise) {
    const param_numbers *sd = &((const lif_parameters *)neurons->parameters)->noise_sd;
    double factor;
    const leaky_step to = step_of(neurons, &factor);
    if (noise) membrane_add_noise(neurons, sd, factor, first, end, noise, neurons->field[V]);
    leaky_advance(&to, neurons, first, end, input);
}

static void step_single(neurons *neurons, int first, int end, const float *restrict input, const float *restrict noise) {
    const param_numbers *sd = &((const lif_parameters *)neurons->parameters)->noise_sd;
    double factor;
    const leaky_step to = step_of(neurons, &factor);
    if (noise) membrane_add_noise_single(neurons, sd, factor, first, end, noise, neurons->single[V]);
    leaky_advance_single(&to, neurons, first, end, input);
}

const neuron_model neuron_lif = {
    .parameters = &table, .fields = fields, .field_count = 1, .check = check, .reset = reset, .step = step,
    .noise_sd = noise_sd, .noise_is_current = noise_is_current, .membrane_tau = membrane_tau, .exact = exact, .siegert_applies = siegert_applies,
    .single = single, .step_single = step_single,
};
