/* Izhikevich's neurons (Izhikevich 2003), five classes mixed as in Kim & Chow 2018, Fig. 3 supplement 2 (patterns/README.md 1.6); mV and ms:
 *     v' = 0.04 v^2 + 5 v + 140 - w + I + u ;  w' = a (b v - w) ;  v > 30: v = c, w += d.
 * The input enters as it is, in mV/ms: regular-spiking cells fire above 3.8 (network.bias brings cells to their border). The paper gives no integration scheme.
 * Here dt is cut into equal parts of at most "substep", and each is split (Strang): w relaxes half a part towards b v, v moves through the part with w frozen,
 * w relaxes the other half. Both motions are exact, the moment of the spike included (quadratic.h), so that strong inhibition cannot make the scheme unstable,
 * as it does Euler's. A step reports one spike at most. Start: v ~ U(-70, -50) mV, w = b v.
 * Like theta neurons: the drive is W r read out with the current weights, state runs on, and r has area 1 per 10 ms, the time unit of that paper; there is no
 * membrane time constant to take, so 10 ms also stand where one is asked for (strengths of balanced networks). */
#include <math.h>
#include <string.h>

#include "membrane.h"
#include "quadratic.h"

enum { V, W };
enum { CLASSES_MAX = 64 };

typedef struct { double a, b, c, d; } izhikevich_class;

/** Numbers of Izhikevich 2003, Fig. 2. */
static const struct { const char *name; izhikevich_class numbers; } known[] = {
    {"RS", {0.02, 0.2, -65, 8}}, {"IB", {0.02, 0.2, -55, 4}}, {"CH", {0.02, 0.2, -50, 2}}, {"FS", {0.1, 0.2, -65, 2}}, {"LTS", {0.02, 0.25, -65, 2}},
};
enum { KNOWN = sizeof known / sizeof *known };

typedef struct {
    param_texts classes;
    param_numbers fractions, a, b, c, d;
    double substep;
} izhikevich_parameters;

#define CUSTOM(key, low, high, help, member)                                                                                                                   \
    { key, PARAM_NUMBERS, UNIT_NONE, "[]", low, high, NULL, help "; one value, or one per mention of custom", offsetof(izhikevich_parameters, member) }
static const param parameters[] = {
    {"classes", PARAM_TEXTS, UNIT_NONE, "[RS, IB, CH, FS, LTS]", 0, 0, "RS IB CH FS LTS custom",
     "classes of neurons in blocks of ascending gid, so that the excitatory neurons come first; custom: numbers a, b, c, d below",
     offsetof(izhikevich_parameters, classes)},
    {"fractions", PARAM_NUMBERS, UNIT_NONE, "[]", 0, 1e9, NULL, "share of each class, in any unit; empty: equal numbers (Kim & Chow 2018)",
     offsetof(izhikevich_parameters, fractions)},
    CUSTOM("a", 0, 100, "custom: rate of w, 1/ms", a),
    CUSTOM("b", -100, 100, "custom: coupling of w to v, 1/ms", b),
    CUSTOM("c", -1000, 29, "custom: v after a spike, mV", c),
    CUSTOM("d", -1000, 1000, "custom: what a spike adds to w, mV/ms", d),
    {"substep", PARAM_NUMBER, UNIT_TIME, "0.1 ms", 1e-4, 1, NULL,
     "longest integration step; dt is cut into equal parts not above it (our choice, the paper gives none)", offsetof(izhikevich_parameters, substep)},
};
#undef CUSTOM
static const param_table table = {"izhikevich", "Izhikevich's neurons, classes RS, IB, CH, FS, LTS in equal numbers (Kim & Chow 2018, Fig. 3 supplement 2)",
                                  parameters, sizeof parameters / sizeof *parameters, sizeof(izhikevich_parameters)};

static const neuron_field fields[] = {{"v", "mV", "membrane potential"}, {"w", "mV/ms", "recovery"}};

static int customs(const izhikevich_parameters *p, int classes) {
    int count = 0;
    for (int k = 0; k < classes; k++) count += strcmp(p->classes.values[k], "custom") == 0;
    return count;
}

/** Of the m-th mention of custom. */
static double custom_value(const param_numbers *numbers, int m) {
    return numbers->values[numbers->count == 1 ? 0 : m];
}

/** Numbers of the k-th class of the list. */
static izhikevich_class class_of(const izhikevich_parameters *p, int k) {
    for (int n = 0; n < KNOWN; n++)
        if (strcmp(p->classes.values[k], known[n].name) == 0) return known[n].numbers;
    int m = customs(p, k);
    return (izhikevich_class){custom_value(&p->a, m), custom_value(&p->b, m), custom_value(&p->c, m), custom_value(&p->d, m)};
}

/** gid of the first neuron of class k; for k = number of classes, the number of neurons. */
static int64_t class_begin(const izhikevich_parameters *p, int k, int64_t total) {
    double below = 0, all = 0;
    for (int n = 0; n < p->classes.count; n++) {
        double share = p->fractions.count ? p->fractions.values[n] : 1;
        all += share;
        if (n < k) below += share;
    }
    return llround((double)total * (below / all));
}

static status check_custom(const config *config, const char *key, const param_numbers *numbers, int wanted) {
    if (wanted == 0 && numbers->count) return config_complain(config, "neuron", key, "is for the class custom, which neuron.classes does not name");
    if (wanted == 0 || numbers->count == 1 || numbers->count == wanted) return STATUS_OK;
    return config_complain(config, "neuron", key, "%d values; the class custom needs one%s", numbers->count, wanted > 1 ? ", or one per mention" : "");
}

static status check(const config *config, void *raw, double dt, const cells *cells) {
    (void)cells;
    const izhikevich_parameters *p = raw;
    if (p->classes.count < 1 || p->classes.count > CLASSES_MAX)
        return config_complain(config, "neuron", "classes", "%d classes; at least 1 and at most %d are allowed", p->classes.count, CLASSES_MAX);
    status result = STATUS_OK;
    double all = 0;
    for (int n = 0; n < p->fractions.count; n++) all += p->fractions.values[n];
    if (p->fractions.count && p->fractions.count != p->classes.count)
        result = config_complain(config, "neuron", "fractions", "%d values for %d classes; give one per class, or none for equal numbers", p->fractions.count,
                                 p->classes.count);
    else if (p->fractions.count && all <= 0)
        result = config_complain(config, "neuron", "fractions", "are all 0");
    int wanted = customs(p, p->classes.count);
    result = status_worse(result, check_custom(config, "a", &p->a, wanted));
    result = status_worse(result, check_custom(config, "b", &p->b, wanted));
    result = status_worse(result, check_custom(config, "c", &p->c, wanted));
    result = status_worse(result, check_custom(config, "d", &p->d, wanted));
    if (dt > 1)
        result = config_complain(config, "simulation", "dt", "%g ms is too coarse for izhikevich neurons, which may fire twice in it; at most 1 ms", dt);
    return result;
}

/** Local index of the first of my neurons of class k or a later one. */
static int local_begin(const neurons *neurons, const izhikevich_parameters *p, int k) {
    int64_t local = class_begin(p, k, neurons->part.total) - neurons->part.first;
    return local < 0 ? 0 : local > neurons->part.mine ? neurons->part.mine : (int)local;
}

static void reset(neurons *neurons, uint64_t stream) {
    const izhikevich_parameters *p = neurons->parameters;
    membrane_start(neurons, START_UNIFORM, stream, -70, -50, neurons->field[V]);
    for (int k = 0; k < p->classes.count; k++) {
        const int begin = local_begin(neurons, p, k), end = local_begin(neurons, p, k + 1);
        const double b = class_of(p, k).b;
        for (int i = begin; i < end; i++) neurons->field[W][i] = b * neurons->field[V][i];
    }
}

/** One part h of a step, for neurons of one class; since[] is 0 for those that have fired in this step. */
static void advance(const izhikevich_class *class, double h, int count, const double *restrict input, double *restrict v, double *restrict w,
                    int32_t *restrict since) {
    /* 0.04 v^2 + 5 v + 140 = 0.04 y^2 - 16.25 with y = v + 62.5 */
    const double curvature = 0.04, shift = 62.5, offset = -16.25;
    const double top = 30 + shift, bottom = class->c + shift;
    const double b = class->b, d = class->d;
    const double relax = exp(-0.5 * class->a * h);
    for (int i = 0; i < count; i++) { /* branch-free, so that the compiler makes vector code of it */
        const double half = b * v[i] + (w[i] - b * v[i]) * relax;
        const quadratic_result to = quadratic_advance(v[i] + shift, curvature, offset - half + input[i], h, top);
        const double again = quadratic_continue(bottom, curvature, to.drive - d, to.left, top);
        const double next = (to.passed ? again : to.y) - shift, jumped = to.passed ? half + d : half;
        v[i] = next;
        w[i] = b * next + (jumped - b * next) * relax;
        since[i] = to.passed ? 0 : since[i];
    }
}

static void step(neurons *neurons, int first, int end, const double *restrict input, const double *restrict noise) {
    (void)noise;
    const izhikevich_parameters *p = neurons->parameters;
    int32_t *restrict since = neurons->since_spike;
    const int parts = (int)ceil(neurons->dt / p->substep * (1 - 1e-9));
    const double h = neurons->dt / parts;
    for (int i = first; i < end; i++) since[i] += since[i] < NEURON_LONG_AGO;
    for (int k = 0; k < p->classes.count; k++) {
        const int from = local_begin(neurons, p, k), to = local_begin(neurons, p, k + 1), begin = from > first ? from : first, past = to < end ? to : end;
        if (begin >= past) continue;
        const izhikevich_class class = class_of(p, k);
        for (int part = 0; part < parts; part++)
            advance(&class, h, past - begin, input + (begin - first), neurons->field[V] + begin, neurons->field[W] + begin, since + begin);
    }
}

static double membrane_tau(const neurons *neurons) {
    (void)neurons;
    return 10;
}

const neuron_model neuron_izhikevich = {
    .parameters = &table, .fields = fields, .field_count = 2, .unit_is_tau = 1, .readout_drive = 1, .keeps_state = 1,
    .check = check, .reset = reset, .step = step, .membrane_tau = membrane_tau,
};
