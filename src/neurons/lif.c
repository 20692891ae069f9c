/* Leaky integrate-and-fire neuron of Arthur et al. 2023 and Kim et al. 2023 (patterns/README.md 1.3): dimensionless voltage,
 *     tau_m dv/dt = -v + X + u ;  spike if v > threshold, then v = reset, and n_ref steps without integration. */
#include <math.h>
#include <stdbool.h>

#include "membrane.h"

enum { V };

typedef struct {
    double tau, refractory, threshold, reset;
    int noise, start;
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
};

static const param_table table = {"lif", "leaky integrate-and-fire, dimensionless voltage (Arthur et al. 2023)", parameters,
                                  sizeof parameters / sizeof *parameters, sizeof(lif_parameters)};

static const neuron_field fields[] = {{"v", "1", "membrane potential"}};

static status check(const config *config, void *raw, double dt, int64_t total) {
    const lif_parameters *p = raw;
    status result = STATUS_OK;
    if (p->tau < dt) result = config_complain(config, "neuron", "membrane_tau", "%g ms is below the time step %g ms", p->tau, dt);
    if (p->reset >= p->threshold) result = config_complain(config, "neuron", "reset", "%g must be below the threshold %g", p->reset, p->threshold);
    return status_worse(result, membrane_check_noise(config, &p->noise_sd, total));
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

static int siegert_applies(const neurons *neurons) {
    const lif_parameters *p = neurons->parameters;
    return p->threshold == 1 && p->reset == 0;
}

/** What a step needs to know, in the form in which it does. */
typedef struct {
    double rate, threshold, reset;
    int32_t refractory, rest; /* steps; from rest on a neuron's since_spike is not counted any further */
} lif_step;

/** Some of these neurons have just fired or are refractory. Those have rate 0 and no threshold, which compiles to less than keeping them apart. */
static void advance_resting(lif_step step, int count, const double *restrict input, double *restrict v, int32_t *restrict since) {
    for (int i = 0; i < count; i++) { /* branch-free vector code */
        const double before = v[i];
        const int32_t waited = since[i], longer = waited < step.rest ? waited + 1 : waited;
        const double next = before + (waited >= step.refractory ? step.rate : 0) * (input[i] - before);
        const double limit = waited >= step.refractory ? step.threshold : HUGE_VAL;
        v[i] = next > limit ? step.reset : next;
        since[i] = next > limit ? 0 : longer;
    }
}

/** None has: their since_spike, once at rest, is written only where one fires, as stores are what this loop takes. */
static void advance_rested(lif_step step, int count, const double *restrict input, double *restrict v, int32_t *restrict since) {
    int64_t above = 0; /* as wide as v, so that lanes stay lanes */
    for (int i = 0; i < count; i++) {
        const double next = v[i] + step.rate * (input[i] - v[i]);
        v[i] = next;
        above |= next > step.threshold;
    }
    for (int i = 0; i < count && above; i++) {
        if (!(v[i] > step.threshold)) continue;
        v[i] = step.reset;
        since[i] = 0;
    }
}

static bool any_resting(const int32_t *since, int count, int32_t rest) {
    int32_t any = 0;
    for (int i = 0; i < count; i++) any |= since[i] < rest;
    return any;
}

static void step(neurons *neurons, int first, int end, const double *restrict input, const double *restrict noise) {
    enum { BLOCK = 256 }; /* so many that one of them rarely rests */
    const lif_parameters *p = neurons->parameters;
    if (noise) membrane_add_noise(neurons, &p->noise_sd, sqrt(neurons->dt / p->tau), first, end, noise, neurons->field[V]);
    lif_step to = {.rate = neurons->dt / p->tau, .threshold = p->threshold, .reset = p->reset, .refractory = membrane_refractory_steps(neurons, p->refractory)};
    to.rest = to.refractory > 1 ? to.refractory : 1; /* whoever fired must stop being 0 */
    for (int begin = first; begin < end; begin += BLOCK) {
        const int count = end - begin < BLOCK ? end - begin : BLOCK;
        int32_t *since = neurons->since_spike + begin;
        (any_resting(since, count, to.rest) ? advance_resting : advance_rested)(to, count, input + (begin - first), neurons->field[V] + begin, since);
    }
}

const neuron_model neuron_lif = {
    .parameters = &table, .fields = fields, .field_count = 1, .check = check, .reset = reset, .step = step,
    .noise_sd = noise_sd, .noise_is_current = noise_is_current, .membrane_tau = membrane_tau, .siegert_applies = siegert_applies,
};
