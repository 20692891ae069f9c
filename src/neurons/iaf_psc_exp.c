/* Leaky integrate-and-fire neuron with exponential synaptic currents, in mV, pA and pF (patterns/README.md 1.7), as simulators of the field call it:
 *     tau_m dv/dt = -(v - E_L) + tau_m/C (I_e + X + u) ;  spike if v > V_th, then v = V_reset, and t_ref without integration.
 * A spike of weight w pA makes a current that begins with w. A step is exact, also of currents that decay within it (Rotter & Diesmann 1999).
 * Values may differ between populations, whose gids follow one another: a step takes them one after the other. */
#include <math.h>

#include "engram/random.h"
#include "leaky.h"
#include "membrane.h"

enum { V };
enum { PRECISION_DOUBLE, PRECISION_SINGLE };

typedef struct {
    double tau;
    int precision;
    param_numbers capacitance, rest, threshold, reset, refractory, current, start_mean, start_sd;
} iaf_parameters;

#define VALUES(key, unit, fallback, low, high, help, member)                                                                                                   \
    {key, PARAM_NUMBERS, unit, fallback, low, high, NULL, help ": one value, or one per population", offsetof(iaf_parameters, member)}
static const param parameters[] = {
    VALUES("capacitance", UNIT_CAPACITANCE, "250 pF", 1e-6, 1e9, "C of the membrane (Potjans & Diesmann 2014)", capacitance),
    {"membrane_tau", PARAM_NUMBER, UNIT_TIME, "10 ms", 1e-3, 1e6, NULL, "tau_m, membrane time constant", offsetof(iaf_parameters, tau)},
    VALUES("rest", UNIT_VOLTAGE, "-65 mV", -1e6, 1e6, "E_L, v without input", rest),
    VALUES("threshold", UNIT_VOLTAGE, "-50 mV", -1e6, 1e6, "V_th, a spike when v exceeds this", threshold),
    VALUES("reset", UNIT_VOLTAGE, "-65 mV", -1e6, 1e6, "V_reset, v after a spike", reset),
    VALUES("refractory", UNIT_TIME, "2 ms", 0, 1e4, "t_ref, refractory period, rounded to whole steps", refractory),
    VALUES("current", UNIT_CURRENT, "0 pA", -1e9, 1e9, "I_e, constant input", current),
    VALUES("start_mean", UNIT_VOLTAGE, "-58 mV", -1e6, 1e6, "v at the start of a loop is normal with this mean", start_mean),
    VALUES("start_sd", UNIT_VOLTAGE, "10 mV", 0, 1e6, "and this standard deviation", start_sd),
    {"precision", PARAM_CHOICE, UNIT_NONE, "double", 0, 0, "double single",
     "of voltages, filtered input and their steps; weights, learning and results are what they are elsewhere", offsetof(iaf_parameters, precision)},
};
#undef VALUES
static const param_table table = {"iaf_psc_exp",
                                  "leaky integrate-and-fire in mV with exponential synaptic currents in pA, exact steps (Rotter & Diesmann 1999)",
                                  parameters, sizeof parameters / sizeof *parameters, sizeof(iaf_parameters)};

static const neuron_field fields[] = {{"v", "mV", "membrane potential"}};

/** The value of a population. */
static double value_of(const param_numbers *values, int population) {
    return values->values[values->count == 1 ? 0 : population];
}

static status check_count(const config *config, const char *key, const param_numbers *values, int populations) {
    if (values->count == 1 || (populations > 0 && values->count == populations)) return STATUS_OK;
    if (populations == 0)
        return config_complain(config, "neuron", key, "%d values; without populations (network.kind: populations) one is allowed", values->count);
    return config_complain(config, "neuron", key, "%d values; allowed are 1, or one per population (%d)", values->count, populations);
}

static status check(const config *config, void *raw, double dt, const cells *cells) {
    const iaf_parameters *p = raw;
    const struct { const char *key; const param_numbers *values; } all[] = {
        {"capacitance", &p->capacitance}, {"rest", &p->rest}, {"threshold", &p->threshold}, {"reset", &p->reset}, {"refractory", &p->refractory},
        {"current", &p->current}, {"start_mean", &p->start_mean}, {"start_sd", &p->start_sd}};
    status result = STATUS_OK;
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) result = status_worse(result, check_count(config, all[k].key, all[k].values, cells->populations));
    if (p->tau < dt) result = status_worse(result, config_complain(config, "neuron", "membrane_tau", "%g ms is below the time step %g ms", p->tau, dt));
    if (result != STATUS_OK) return result;
    for (int k = 0; k < (cells->populations ? cells->populations : 1) && result == STATUS_OK; k++) {
        const double reset = value_of(&p->reset, k), threshold = value_of(&p->threshold, k);
        if (reset >= threshold) result = config_complain(config, "neuron", "reset", "%g mV must be below the threshold %g mV", reset, threshold);
    }
    return result;
}

/** A population's neurons among local indices first .. end-1. */
typedef struct { int population, first, end; } stretch;

/** The stretch behind @p done, empty at the end. @param done one whose population is 0 and whose end is first, to begin with */
static stretch next_stretch(const neurons *neurons, stretch done, int end) {
    const cells *cells = &neurons->cells;
    stretch next = {.population = done.population, .first = done.end, .end = end};
    if (cells->populations == 0 || next.first >= end) return next;
    while (cells->border[next.population + 1] <= neurons->part.first + next.first) next.population++;
    const int64_t past = cells->border[next.population + 1] - neurons->part.first;
    if (past < end) next.end = (int)past;
    return next;
}

static void reset(neurons *neurons, uint64_t stream) {
    const iaf_parameters *p = neurons->parameters;
    for (stretch some = next_stretch(neurons, (stretch){0}, neurons->part.mine); some.first < some.end;
         some = next_stretch(neurons, some, neurons->part.mine)) {
        const double mean = value_of(&p->start_mean, some.population), sd = value_of(&p->start_sd, some.population);
        for (int i = some.first; i < some.end; i++)
            neurons->field[V][i] = mean + sd * random_normal(neurons->seed, RANDOM_INITIAL, (uint64_t)(neurons->part.first + i), stream << 8);
    }
}

/** What a population's step needs. */
typedef struct { double rest, resistance, current; leaky_step to; } iaf_step;

static iaf_step step_of(const neurons *neurons, int population) {
    const iaf_parameters *p = neurons->parameters;
    const leaky_step to = {.rate = neurons->leak, .threshold = value_of(&p->threshold, population), .reset = value_of(&p->reset, population),
                           .refractory = membrane_refractory_steps(neurons, value_of(&p->refractory, population))};
    return (iaf_step){.rest = value_of(&p->rest, population), .resistance = p->tau / value_of(&p->capacitance, population),
                      .current = value_of(&p->current, population), .to = to};
}

/* In one precision. goal: where v goes as long as it does not fire. */
#define STEP(name, real, advance)                                                                                                                              \
    static void name(neurons *neurons, int first, int end, const real *restrict input, const real *restrict noise) {                                           \
        _Alignas(64) real goal[NEURON_BLOCK];                                                                                                                  \
        (void)noise;                                                                                                                                           \
        for (stretch some = next_stretch(neurons, (stretch){.end = first}, end); some.first < some.end; some = next_stretch(neurons, some, end)) {             \
            const iaf_step is = step_of(neurons, some.population);                                                                                             \
            const real rest = (real)is.rest, resistance = (real)is.resistance, current = (real)is.current;                                                     \
            for (int begin = some.first, next; begin < some.end; begin = next) {                                                                               \
                next = (begin / NEURON_BLOCK + 1) * NEURON_BLOCK;                                                                                              \
                if (next > some.end) next = some.end;                                                                                                          \
                for (int i = begin; i < next; i++) goal[i - begin] = rest + resistance * (current + input[i - first]);                                         \
                advance(&is.to, neurons, begin, next, goal);                                                                                                   \
            }                                                                                                                                                  \
        }                                                                                                                                                      \
    }
STEP(step, double, leaky_advance)
STEP(step_single, float, leaky_advance_single)
#undef STEP

static int single(const void *parameters) {
    return ((const iaf_parameters *)parameters)->precision == PRECISION_SINGLE;
}

static double membrane_tau(const neurons *neurons) {
    return ((const iaf_parameters *)neurons->parameters)->tau;
}

static int exact(const neurons *neurons) {
    (void)neurons;
    return 1;
}

static int siegert_applies(const neurons *neurons) {
    (void)neurons;
    return 1;
}

/** v = V_reset + (V_th - V_reset) times Siegert's, at E_L + tau_m/C (I_e + input) without a threshold. */
static neuron_scale scale(const neurons *neurons, int64_t gid) {
    const iaf_parameters *p = neurons->parameters;
    const int k = neurons->cells.populations ? population_of(&neurons->cells, gid) : 0;
    const double conductance = value_of(&p->capacitance, k) / p->tau, reset = value_of(&p->reset, k);
    return (neuron_scale){.unit = conductance * (value_of(&p->threshold, k) - reset),
                          .zero = conductance * (reset - value_of(&p->rest, k)) - value_of(&p->current, k),
                          .refractory = neurons->dt * membrane_refractory_steps(neurons, value_of(&p->refractory, k))};
}

const neuron_model neuron_iaf_psc_exp = {
    .parameters = &table, .fields = fields, .field_count = 1, .unit_is_peak = 1, .check = check, .reset = reset, .step = step,
    .membrane_tau = membrane_tau, .exact = exact, .siegert_applies = siegert_applies, .scale = scale,
    .single = single, .step_single = step_single,
};
