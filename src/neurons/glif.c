/* The five generalised leaky integrate-and-fire models of the Allen Institute (Teeter et al. 2018; patterns/README.md 1.5), one kernel compiled for each level:
 *     glif1  leaky integrate-and-fire                      glif2  + reset rules and a threshold that spikes raise
 *     glif3  leaky integrate-and-fire + after-spike currents    glif4  both    glif5  both + a threshold that follows the voltage
 *     C dv/dt = X + u + sum_j I_j - (v - E_L)/R ;  dI_j/dt = -k_j I_j ;  dtheta_s/dt = -b_s theta_s ;  dtheta_v/dt = a_v (v - E_L) - b_v theta_v
 *     spike if v > theta_inf + theta_s + theta_v, then I_j = f_j I_j + dI_j and v = V_reset (1, 3) or
 *     v = E_L + f_v (v - E_L) - delta_V, theta_s += dtheta_s (2, 4, 5), and n_ref steps in which nothing moves.
 * Explicit Euler in the order I_j, v, theta_s, theta_v, each from the values just computed, as TrainSpikingNet.jl does it;
 * there the reset keeps f_v v and a_v v is added in every step without dt ("equations: coded").
 * As for lif, the drive filters weights at spike time, r has area 1 per ms and every loop starts anew.
 * Quantities may have any consistent units: dimensionless, or mV, pA, pF, GOhm and ms. */
#include <math.h>

#include "membrane.h"

enum { CURRENTS_MAX = 5, BLOCK = 256 }; /* v, two thresholds and the currents fill NEURON_FIELDS_MAX */
enum { EQUATIONS_PUBLISHED, EQUATIONS_CODED };

/** Of all levels; what a level has not is zero. Rates per s, as the table stores them. */
typedef struct {
    double capacitance, resistance, rest, threshold, refractory, reset, reset_kept, reset_drop, threshold_added, threshold_decay, coupling, relaxation;
    param_numbers decay, kept, added, noise_sd;
    int noise, start, equations;
} glif_parameters;

#define NUMBER(key, unit, fallback, low, high, help, member) {key, PARAM_NUMBER, unit, fallback, low, high, NULL, help, offsetof(glif_parameters, member)}
#define NUMBERS(key, unit, fallback, low, high, help, member) {key, PARAM_NUMBERS, unit, fallback, low, high, NULL, help, offsetof(glif_parameters, member)}
#define MEMBRANE(start_choices, start_help)                                                                                                                \
    NUMBER("capacitance", UNIT_NONE, "10", 1e-9, 1e9, "C: ms over the unit of resistance (pF with GOhm); the membrane time constant is R C", capacitance), \
    NUMBER("resistance", UNIT_NONE, "1", 1e-9, 1e9, "R", resistance),                                                                                      \
    NUMBER("rest", UNIT_NONE, "0", -1e6, 1e6, "E_L: v without input", rest),                                                                               \
    NUMBER("threshold", UNIT_NONE, "1", -1e6, 1e6, "theta_inf: a spike when v exceeds this and what the level adds to it", threshold),                     \
    NUMBER("refractory", UNIT_TIME, "0.1 ms", 0, 1e4, "refractory period, rounded to whole steps in which no variable moves", refractory),                 \
    {"noise", PARAM_CHOICE, UNIT_NONE, "voltage", 0, 0, "voltage current",                                                                                 \
     "where white noise enters: the membrane, or the static drive (and so the RLS error)",                                                                 \
     offsetof(glif_parameters, noise)},                                                                                                                    \
    NUMBERS("noise_sd", UNIT_NONE, "0", 0, 1e6,                                                                                                            \
            "white noise sigma of the input: one value, or [excitatory, inhibitory], or one per neuron; SD of the free membrane is R sigma/sqrt(2)",       \
            noise_sd),                                                                                                                                     \
    {"start", PARAM_CHOICE, UNIT_NONE, "normal", 0, 0, start_choices, start_help, offsetof(glif_parameters, start)}
#define PLAIN                                                                                                                       \
    MEMBRANE("normal uniform reset", "v at the start of a loop: N(0,1) or U(0,1) times (threshold - reset), plus reset; or reset"), \
    NUMBER("reset", UNIT_NONE, "0", -1e6, 1e6, "V_reset: v after a spike", reset)
#define RULES                                                                                                                     \
    MEMBRANE("normal uniform rest", "v at the start of a loop: N(0,1) or U(0,1) times (threshold - rest), plus rest; or rest"),   \
    NUMBER("reset_kept", UNIT_NONE, "0.1", -10, 10, "f_v: fraction of v - E_L that a spike leaves", reset_kept),                  \
    NUMBER("reset_drop", UNIT_NONE, "0.1", -1e6, 1e6, "delta_V: what a spike takes from v besides", reset_drop),                  \
    NUMBER("threshold_added", UNIT_NONE, "0.1", -1e6, 1e6, "Delta theta_s: what a spike adds to the threshold", threshold_added), \
    NUMBER("threshold_decay", UNIT_RATE, "0.1/ms", 0, 1e7, "b_s: rate at which that fades", threshold_decay),                     \
    {"equations", PARAM_CHOICE, UNIT_NONE, "published", 0, 0, "published coded",                                                  \
     "Teeter et al. 2018; or TrainSpikingNet.jl, where f_v v is kept and a_v v dt lacks dt and E_L",                              \
     offsetof(glif_parameters, equations)}
#define CURRENTS                                                                                                                                            \
    NUMBERS("current_decay", UNIT_RATE, "[0.1/ms, 0.2/ms, 0.3/ms]", 0, 1e7, "k_j: decay rates of the after-spike currents, 1 to 5 of them", decay),         \
    NUMBERS("current_kept", UNIT_NONE, "0.9", -10, 10,                                                                                                      \
            "f_j: fraction of a current that a spike leaves (fold exp(-k_j refractory) in here); one value or one per current", kept),                      \
    NUMBERS("current_added", UNIT_NONE, "0.1", -1e9, 1e9, "Delta I_j: what a spike adds to a current, in units of the input; one value or one per current", \
            added)
#define FOLLOWING                                                                                                          \
    NUMBER("threshold_coupling", UNIT_RATE, "0.1/ms", -1e7, 1e7,                                                           \
           "a_v: rate at which v - E_L moves the threshold (equations coded: its number per ms, in each step)", coupling), \
    NUMBER("threshold_relaxation", UNIT_RATE, "0.9/ms", 0, 1e7, "b_v: rate at which that fades", relaxation)

#define VOLTAGE_FIELD {"v", "1", "membrane potential"}
#define RAISED_FIELD {"theta_s", "1", "what spikes have added to the threshold"}
#define CURRENT_FIELDS                                                                                                                                      \
    {"I1", "1", "after-spike current 1"}, {"I2", "1", "after-spike current 2"}, {"I3", "1", "after-spike current 3"}, {"I4", "1", "after-spike current 4"}, \
    {"I5", "1", "after-spike current 5"}
static const neuron_field all_fields[] = {VOLTAGE_FIELD, RAISED_FIELD, {"theta_v", "1", "what the voltage has added to the threshold"}, CURRENT_FIELDS};
static const neuron_field fields_3[] = {VOLTAGE_FIELD, CURRENT_FIELDS};
static const neuron_field fields_4[] = {VOLTAGE_FIELD, RAISED_FIELD, CURRENT_FIELDS};

/** What a level has, and where its fields are. Constant where level is. */
static inline int has_rules(int level) { return level == 2 || level >= 4; }
static inline int has_currents(int level) { return level >= 3; }
static inline int has_following(int level) { return level == 5; }
enum { V, THETA_S, THETA_V };
static inline int first_current(int level) { return 1 + has_rules(level) + has_following(level); }

/** v after a spike at @p v. */
static double after_spike(const glif_parameters *p, double v) {
    double kept = p->equations == EQUATIONS_CODED ? v : v - p->rest;
    return p->rest + p->reset_kept * kept - p->reset_drop;
}

static status check_rate(const config *config, const char *key, double per_second, double dt) {
    if (per_second * dt <= 1000) return STATUS_OK;
    return config_complain(config, "neuron", key, "%g Hz fades within a time step of %g ms; at most %g Hz", per_second, dt, 1000 / dt);
}

static status check_currents(const config *config, const glif_parameters *p, double dt) {
    int count = p->decay.count;
    if (count < 1 || count > CURRENTS_MAX)
        return config_complain(config, "neuron", "current_decay", "%d values; allowed are 1 to %d, one per after-spike current", count, CURRENTS_MAX);
    status result = STATUS_OK;
    for (int j = 0; j < count; j++) result = status_worse(result, check_rate(config, "current_decay", p->decay.values[j], dt));
    if (p->kept.count != 1 && p->kept.count != count)
        result = config_complain(config, "neuron", "current_kept", "%d values; allowed are 1, or %d as in current_decay", p->kept.count, count);
    if (p->added.count != 1 && p->added.count != count)
        result = config_complain(config, "neuron", "current_added", "%d values; allowed are 1, or %d as in current_decay", p->added.count, count);
    return result;
}

static status check_rules(const config *config, const glif_parameters *p, double dt) {
    status result = check_rate(config, "threshold_decay", p->threshold_decay, dt);
    double after = after_spike(p, p->threshold), raised = p->threshold + p->threshold_added;
    if (p->rest >= p->threshold) result = config_complain(config, "neuron", "rest", "%g must be below the threshold %g", p->rest, p->threshold);
    if (after >= raised)
        result = config_complain(config, "neuron", "reset_kept",
                                 "a spike at the threshold %g leaves v at %g, not below the raised threshold %g: the neuron would fire without end",
                                 p->threshold, after, raised);
    return result;
}

static status check(const config *config, const glif_parameters *p, double dt, const cells *cells, int level) {
    status result = membrane_check_noise(config, &p->noise_sd, cells->total);
    double tau = p->resistance * p->capacitance;
    if (tau < dt)
        result = config_complain(config, "neuron", "capacitance", "%g times the resistance %g is a time constant of %g ms, below the time step %g ms",
                                 p->capacitance, p->resistance, tau, dt);
    if (!has_rules(level) && p->reset >= p->threshold)
        result = config_complain(config, "neuron", "reset", "%g must be below the threshold %g", p->reset, p->threshold);
    if (has_rules(level)) result = status_worse(result, check_rules(config, p, dt));
    if (has_currents(level)) result = status_worse(result, check_currents(config, p, dt));
    if (has_following(level)) result = status_worse(result, check_rate(config, "threshold_relaxation", p->relaxation, dt));
    return result;
}

static void reset(neurons *neurons, uint64_t stream, int level) {
    const glif_parameters *p = neurons->parameters;
    for (int f = 1; f < neurons->model->field_count; f++)
        for (int i = 0; i < neurons->part.mine; i++) neurons->field[f][i] = 0;
    membrane_start(neurons, p->start, stream, has_rules(level) ? p->rest : p->reset, p->threshold, neurons->field[V]);
}

static double value_of(const param_numbers *numbers, int j) {
    return numbers->values[numbers->count == 1 ? 0 : j];
}

/** Currents of the neurons begin .. end-1 that are not refractory fade. @param[out] sum [end - begin] of a neuron's currents */
static inline void fade_currents(neurons *neurons, int begin, int end, int first, int32_t refractory, double *restrict sum) {
    const glif_parameters *p = neurons->parameters;
    const int32_t *restrict since = neurons->since_spike;
    for (int i = begin; i < end; i++) sum[i - begin] = 0;
    for (int j = 0; j < p->decay.count; j++) {
        double *restrict current = neurons->field[first + j];
        const double loss = neurons->dt * (p->decay.values[j] / 1000);
        for (int i = begin; i < end; i++) {
            const double before = current[i], faded = before - loss * before, now = since[i] >= refractory ? faded : before;
            current[i] = now;
            sum[i - begin] += now;
        }
    }
}

static inline void kick_currents(neurons *neurons, int begin, int end, int first) {
    const glif_parameters *p = neurons->parameters;
    const int32_t *restrict since = neurons->since_spike;
    for (int j = 0; j < p->decay.count; j++) {
        double *restrict current = neurons->field[first + j];
        const double kept = value_of(&p->kept, j), added = value_of(&p->added, j);
        for (int i = begin; i < end; i++) {
            const double before = current[i], after = kept * before + added;
            current[i] = since[i] == 0 ? after : before;
        }
    }
}

/** One step; level is a constant of the caller, so that each level is compiled for itself. In blocks, because the currents are passed over twice. */
static inline __attribute__((always_inline)) void advance(neurons *neurons, int first, int end, const double *restrict input, const double *restrict noise,
                                                          const int level) {
    const glif_parameters *p = neurons->parameters;
    const double dt = neurons->dt, tau = p->resistance * p->capacitance;
    if (noise) membrane_add_noise(neurons, &p->noise_sd, p->resistance * sqrt(dt / tau), first, end, noise, neurons->field[V]);
    double *restrict v = neurons->field[V];
    double *restrict theta_s = has_rules(level) ? neurons->field[THETA_S] : NULL, *restrict theta_v = has_following(level) ? neurons->field[THETA_V] : NULL;
    int32_t *restrict since = neurons->since_spike;
    const double rate = dt / p->capacitance, resistance = p->resistance, rest = p->rest, threshold = p->threshold, reset_to = p->reset;
    const double reset_kept = p->reset_kept, reset_drop = p->reset_drop;
    const double threshold_added = p->threshold_added, threshold_loss = dt * (p->threshold_decay / 1000);
    const int coded = p->equations == EQUATIONS_CODED;
    const double anchor = coded ? 0 : rest, following = (coded ? 1 : dt) * (p->coupling / 1000), following_loss = dt * (p->relaxation / 1000);
    const int32_t refractory = membrane_refractory_steps(neurons, p->refractory);
    double sum[BLOCK];
    for (int begin = first; begin < end; begin += BLOCK) {
        const int past = begin + BLOCK < end ? begin + BLOCK : end;
        if (has_currents(level)) fade_currents(neurons, begin, past, first_current(level), refractory, sum);
        for (int i = begin; i < past; i++) { /* branch-free, so that the compiler makes vector code of it */
            const double before = v[i], drive = has_currents(level) ? input[i - first] + sum[i - begin] : input[i - first];
            const double integrated = before + rate * (drive - (before - rest) / resistance);
            const int32_t waited = since[i];
            const int active = waited >= refractory;
            const double next = active ? integrated : before;
            double limit = threshold, raised = 0;
            if (has_rules(level)) {
                raised = active ? theta_s[i] - threshold_loss * theta_s[i] : theta_s[i];
                limit += raised;
            }
            if (has_following(level)) {
                const double followed = theta_v[i] + (following * (next - anchor) - following_loss * theta_v[i]), now = active ? followed : theta_v[i];
                theta_v[i] = now;
                limit += now;
            }
            const int spike = active & (next > limit);
            const double after = has_rules(level) ? rest + reset_kept * (next - anchor) - reset_drop : reset_to;
            v[i] = spike ? after : next;
            if (has_rules(level)) theta_s[i] = spike ? raised + threshold_added : raised;
            since[i] = spike ? 0 : waited + (waited < NEURON_LONG_AGO);
        }
        if (has_currents(level)) kick_currents(neurons, begin, past, first_current(level));
    }
}

static double noise_sd(const neurons *neurons, int64_t gid) {
    return membrane_noise_sd(neurons, &((const glif_parameters *)neurons->parameters)->noise_sd, gid);
}

static int noise_is_current(const neurons *neurons) {
    return ((const glif_parameters *)neurons->parameters)->noise == NOISE_CURRENT;
}

static double membrane_tau(const neurons *neurons) {
    const glif_parameters *p = neurons->parameters;
    return p->resistance * p->capacitance;
}

/** Is this the neuron of Siegert's formula? Only glif1 can be. */
static int siegert_applies(const neurons *neurons) {
    const glif_parameters *p = neurons->parameters;
    return p->threshold == 1 && p->reset == 0 && p->rest == 0 && p->resistance == 1;
}

#define LEVEL(level, field_list, fields_of_level, siegert, summary, ...)                                                                    \
    static const param parameters_##level[] = {__VA_ARGS__};                                                                                \
    static const param_table table_##level = {"glif" #level, summary, parameters_##level,                                                   \
                                              sizeof parameters_##level / sizeof *parameters_##level, sizeof(glif_parameters)};             \
    static status check_##level(const config *config, void *raw, double dt, const cells *cells) { return check(config, raw, dt, cells, level); } \
    static void reset_##level(neurons *neurons, uint64_t stream) { reset(neurons, stream, level); }                                         \
    static void step_##level(neurons *neurons, int first, int end, const double *restrict input, const double *restrict noise) {            \
        advance(neurons, first, end, input, noise, level);                                                                                  \
    }                                                                                                                                       \
    const neuron_model neuron_glif##level = {                                                                                               \
        .parameters = &table_##level, .fields = field_list, .field_count = fields_of_level, .check = check_##level,                         \
        .reset = reset_##level, .step = step_##level, .noise_sd = noise_sd, .noise_is_current = noise_is_current,                           \
        .membrane_tau = membrane_tau, .siegert_applies = siegert};
LEVEL(1, all_fields, 1, siegert_applies, "GLIF1: leaky integrate-and-fire, any consistent units (Teeter et al. 2018)", PLAIN)
LEVEL(2, all_fields, 2, NULL, "GLIF2: GLIF1 with reset rules and a threshold that spikes raise", RULES)
LEVEL(3, fields_3, 1 + CURRENTS_MAX, NULL, "GLIF3: GLIF1 with after-spike currents", PLAIN, CURRENTS)
LEVEL(4, fields_4, 2 + CURRENTS_MAX, NULL, "GLIF4: GLIF2 with after-spike currents", RULES, CURRENTS)
LEVEL(5, all_fields, 3 + CURRENTS_MAX, NULL, "GLIF5: GLIF4 with a threshold that follows the voltage", RULES, CURRENTS, FOLLOWING)
