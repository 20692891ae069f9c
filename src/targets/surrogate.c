/* A stand-in for recorded cortical rates with the statistics of Kim et al. 2023's table (patterns/README.md 4.8): log-normal mean rates, smoothed
 * Ornstein-Uhlenbeck log-rates, rescaled to each unit's mean and temporal SD. A rank draws the units of its neurons;
 * where means of all are asked for, ranks draw a part of the units each for them.
 *
 * Recorded units resemble each other. With targets.components = K all units share K such paths: the log-rate of a unit is
 *     sqrt(1 - shared) own + sqrt(shared) common ,  common ~ sum over k of load_k component_k ,  load_k ~ N(0, COMPONENT_DECAY^k)
 * each of the two of variance 1 over the window; loads are the same in all conditions. With K = 3 and shared = 0.9 the first principal component of the
 * z-scored units of a table of 2 s holds 0.4 to 0.5 of the variance, the first three 0.93; without components 0.3 and 0.7 (mouse ALM,
 * Kim et al. 2023: 0.4 to 0.5 and 0.65 to 0.78; of rates that are not z-scored 0.75 to 0.8 and 0.9). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "engram/memory.h"
#include "engram/network.h"
#include "engram/random.h"
#include "recorded.h"

#define COMPONENT_DECAY 0.4                         /* variance of a component over that of the one before */
#define COMPONENT_ID ((uint64_t)1 << 32)            /* of the first component's random numbers, behind those of units */

typedef struct {
    recorded_parameters recorded;
    int64_t units, conditions, components;
    double length, bin, log_mean, log_sd, variation, tau, smoothing, shared;
} surrogate_parameters;

#define NUMBER(key, unit, fallback, low, high, help, member) {key, PARAM_NUMBER, unit, fallback, low, high, NULL, help, offsetof(surrogate_parameters, member)}
static const param parameters[] = {
    {"units", PARAM_INTEGER, UNIT_NONE, "auto", 1, 1 << 24, NULL,
     "units; auto: one for each neuron (each excitatory one with pairing by rate; each of the populations that plastic.trained names)",
     offsetof(surrogate_parameters, units)},
    {"conditions", PARAM_INTEGER, UNIT_NONE, "2", 1, 1000, NULL, "conditions, each a task", offsetof(surrogate_parameters, conditions)},
    NUMBER("length", UNIT_TIME, "2000 ms", 20, 1e9, "length of the table", length),
    NUMBER("bin", UNIT_TIME, "20 ms", 1, 1e6, "time bin of the table", bin),
    NUMBER("log_mean", UNIT_NONE, "1.44", -50, 50, "mean of the logarithm of a unit's mean rate (Hz)", log_mean),
    NUMBER("log_sd", UNIT_NONE, "0.78", 0, 50, "standard deviation of it", log_sd),
    NUMBER("variation", UNIT_NONE, "0.28", 0, 10, "temporal SD of a rate over its mean", variation),
    NUMBER("tau", UNIT_TIME, "200 ms", 1, 1e9, "correlation time of the log-rate", tau),
    NUMBER("smoothing", UNIT_TIME, "300 ms", 0, 1e9, "boxcar that smooths the log-rate", smoothing),
    {"components", PARAM_INTEGER, UNIT_NONE, "0", 0, 1000, NULL,
     "components that the log-rates of all units share, the first the largest; 0: units vary independently", offsetof(surrogate_parameters, components)},
    NUMBER("shared", UNIT_NONE, "0.9", 0, 1, "what components hold of the variance of a unit's log-rate", shared),
    RECORDED_PARAMETERS(surrogate_parameters),
};
#undef NUMBER
static const param_table surrogate_table = {"surrogate", "a stand-in for recorded cortical rates (statistics of Kim et al. 2023)", parameters,
                                            sizeof parameters / sizeof *parameters, sizeof(surrogate_parameters)};

/** What units are drawn with. */
typedef struct {
    recorded_state recorded;
    const surrogate_parameters *parameters;
    uint64_t seed;
    double *sum;        /* of a path in steps of 1 ms */
    double *path;       /* [times] */
    double *common;     /* [times] */
    double *components; /* [conditions][components][times] of mean 0 and variance 1 */
} drawing;

/** Boxcar-smoothed unit OU in 1 ms steps, at the times of the table. @param id of its random numbers @param[out] path [times] */
static void draw_path(const drawing *d, int condition, uint64_t id, double *path) {
    enum { PIECE = 256 };
    const surrogate_parameters *p = d->parameters;
    int64_t half = llround(p->smoothing / 2), length = llround(p->length) + 2 * half + 1;
    uint64_t draw = ((uint64_t)condition + 1) << 32;
    double *sum = d->sum, decay = exp(-1 / p->tau), step = sqrt(1 - decay * decay), x = random_normal(d->seed, RANDOM_SURROGATE, id, draw++);
    double normals[PIECE];
    sum[0] = 0;
    for (int64_t ms = 0; ms < length; ms++) {
        if (ms % PIECE == 0) {
            random_normals(d->seed, RANDOM_SURROGATE, id, draw, length - ms < PIECE ? (int)(length - ms) : PIECE, normals);
            draw += PIECE;
        }
        sum[ms + 1] = sum[ms] + x;
        x = decay * x + step * normals[ms % PIECE];
    }
    for (int t = 0; t < d->recorded.table.times; t++) {
        int64_t centre = llround(d->recorded.table.time[t]) + half;
        path[t] = (sum[centre + half + 1 < length ? centre + half + 1 : length] - sum[centre - half]) / (double)(2 * half + 1);
    }
}

static void measure(const double *path, int times, double *average, double *sd) {
    double square = 0;
    *average = 0;
    for (int t = 0; t < times; t++) *average += path[t] / times, square += path[t] * path[t] / times;
    *sd = sqrt(fmax(square - *average * *average, 1e-300));
}

static void standardize(double *path, int times) {
    double average, sd;
    measure(path, times, &average, &sd);
    for (int t = 0; t < times; t++) path[t] = (path[t] - average) / sd;
}

static void draw_components(drawing *d) {
    int times = d->recorded.table.times, components = (int)d->parameters->components;
    d->components = memory_new(MEMORY_TARGETS, (size_t)d->recorded.table.conditions * (size_t)components * (size_t)times + 1, sizeof(double));
    for (int c = 0; c < d->recorded.table.conditions; c++)
        for (int k = 0; k < components; k++) {
            double *path = d->components + ((int64_t)c * components + k) * times;
            draw_path(d, c, COMPONENT_ID + (uint64_t)k, path);
            standardize(path, times);
        }
}

/** A unit's own path becomes one that it shares with the others in part. */
static void share_path(const drawing *d, int condition, int unit) {
    int times = d->recorded.table.times, components = (int)d->parameters->components;
    for (int t = 0; t < times; t++) d->common[t] = 0;
    for (int k = 0; k < components; k++) {
        const double *path = d->components + ((int64_t)condition * components + k) * times;
        double load = pow(COMPONENT_DECAY, 0.5 * k) * random_normal(d->seed, RANDOM_SURROGATE, (uint64_t)unit, 1 + (uint64_t)k);
        for (int t = 0; t < times; t++) d->common[t] += load * path[t];
    }
    standardize(d->common, times);
    standardize(d->path, times);
    double shared = sqrt(d->parameters->shared), own = sqrt(1 - d->parameters->shared);
    for (int t = 0; t < times; t++) d->path[t] = own * d->path[t] + shared * d->common[t];
}

/** One unit in one condition: its path, z-scored over the window, as variation of an exponential around the mean. */
static void draw_unit(const recorded_state *state, int condition, int unit, double *value) {
    const drawing *d = (const drawing *)state; /* its first member */
    const surrogate_parameters *p = d->parameters;
    double mean = exp(p->log_mean + p->log_sd * random_normal(d->seed, RANDOM_SURROGATE, (uint64_t)unit, 0)), average, sd;
    draw_path(d, condition, (uint64_t)unit, d->path);
    if (p->components) share_path(d, condition, unit);
    measure(d->path, state->table.times, &average, &sd);
    double log_sd = sqrt(log1p(p->variation * p->variation));
    for (int t = 0; t < state->table.times; t++) value[t] = mean * exp(log_sd * (d->path[t] - average) / sd - log_sd * log_sd / 2);
}

static void close_surrogate(void *raw) {
    drawing *d = raw;
    if (!d) return;
    memory_free(d->sum), memory_free(d->path), memory_free(d->common), memory_free(d->components);
    recorded_close(d);
}

/** Each in steps of 1 ms; again where means of all units are asked for. */
static double draws(const void *raw) {
    const surrogate_parameters *p = raw;
    int times = p->recorded.minimum_rate > 0 || p->recorded.pairing == PAIRING_RATE ? 2 : 1;
    return times * (p->length + p->smoothing);
}

static status open_surrogate(target_request *request, const void *raw, void **state) {
    surrogate_parameters *p = (surrogate_parameters *)(uintptr_t)raw;
    if (((const target_settings *)config_common(request->config, "targets"))->quantity != QUANTITY_RATE)
        return status_agree(request->context, config_complain(request->config, "targets", "quantity", "surrogate targets are rates: give quantity: rate"));
    if (p->bin > p->length)
        return status_agree(request->context, config_complain(request->config, "targets", "bin", "%g ms is longer than the table, %g ms", p->bin, p->length));
    const network_settings *network = config_common(request->config, "network");
    if (p->units == PARAM_AUTO_INTEGER)
        p->units = network->learns ? network_count_learning(network) : p->recorded.pairing == PAIRING_RATE ? request->cells->excitatory : request->part.total;
    drawing *d = memory_new(MEMORY_TARGETS, 1, sizeof *d);
    recorded_state *opened = &d->recorded;
    table *table = &opened->table;
    *table = (struct table){.conditions = (int)p->conditions, .times = (int)floor(p->length / p->bin * (1 + 1e-9)), .units = (int)p->units};
    table->time = memory_new(MEMORY_TARGETS, (size_t)table->times, sizeof(double));
    table->condition = calloc((size_t)table->conditions, sizeof(char *));
    table->unit = calloc((size_t)table->units, sizeof(char *));
    if (!table->condition || !table->unit) context_abort("memory: no room for surrogate rates");
    for (int t = 0; t < table->times; t++) table->time[t] = (t + 1) * p->bin;
    for (int c = 0; c < table->conditions; c++)
        if (asprintf(&table->condition[c], "condition%d", c) < 0) context_abort("memory: no room for a name");
    for (int u = 0; u < table->units; u++)
        if (asprintf(&table->unit[u], "unit%d", u) < 0) context_abort("memory: no room for a name");
    d->parameters = p;
    d->seed = request->seed;
    d->sum = memory_new(MEMORY_TARGETS, (size_t)(p->length + p->smoothing) + 8, sizeof(double));
    d->path = memory_new(MEMORY_TARGETS, (size_t)table->times, sizeof(double));
    d->common = memory_new(MEMORY_TARGETS, (size_t)table->times, sizeof(double));
    draw_components(d);
    opened->draw = draw_unit;
    opened->auxiliary_filter = ((const plastic_settings *)config_common(request->config, "plastic"))->tau;
    recorded_begin(opened, request, table->units);
    recorded_prepare(opened, request, &p->recorded);
    *state = d;
    return STATUS_OK;
}

const target_kind targets_surrogate = {.parameters = &surrogate_table,
                                       .open = open_surrogate,
                                       .close = close_surrogate,
                                       .tasks = recorded_tasks,
                                       .duration = recorded_duration,
                                       .needs = recorded_needs,
                                       .check = recorded_check,
                                       .pair = recorded_pair,
                                       .fill = recorded_fill,
                                       .draws = draws,
                                       .recorded = recorded_table,
                                       .gives_rates = true};
