/* A stand-in for recorded cortical rates with the statistics of Kim et al. 2023's table (models/rls.md 4.8): log-normal mean rates, smoothed
 * Ornstein-Uhlenbeck log-rates, rescaled to each unit's mean and temporal SD. Every rank draws the whole table. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "engram/memory.h"
#include "engram/network.h"
#include "engram/random.h"
#include "recorded.h"

typedef struct {
    recorded_parameters recorded;
    int64_t units, conditions;
    double length, bin, log_mean, log_sd, variation, tau, smoothing;
} surrogate_parameters;

#define NUMBER(key, unit, fallback, low, high, help, member) {key, PARAM_NUMBER, unit, fallback, low, high, NULL, help, offsetof(surrogate_parameters, member)}
static const param parameters[] = {
    {"units", PARAM_INTEGER, UNIT_NONE, "auto", 1, 1 << 24, NULL, "units; auto: one for each neuron (each excitatory one with pairing by rate)", offsetof(surrogate_parameters, units)},
    {"conditions", PARAM_INTEGER, UNIT_NONE, "2", 1, 1000, NULL, "conditions, each a task", offsetof(surrogate_parameters, conditions)},
    NUMBER("length", UNIT_TIME, "2000 ms", 20, 1e9, "length of the table", length),
    NUMBER("bin", UNIT_TIME, "20 ms", 1, 1e6, "time bin of the table", bin),
    NUMBER("log_mean", UNIT_NONE, "1.44", -50, 50, "mean of the logarithm of a unit's mean rate (Hz)", log_mean),
    NUMBER("log_sd", UNIT_NONE, "0.78", 0, 50, "standard deviation of it", log_sd),
    NUMBER("variation", UNIT_NONE, "0.28", 0, 10, "temporal SD of a rate over its mean", variation),
    NUMBER("tau", UNIT_TIME, "200 ms", 1, 1e9, "correlation time of the log-rate", tau),
    NUMBER("smoothing", UNIT_TIME, "300 ms", 0, 1e9, "boxcar that smooths the log-rate", smoothing),
    RECORDED_PARAMETERS(surrogate_parameters),
};
#undef NUMBER
static const param_table surrogate_table = {"surrogate", "a stand-in for recorded cortical rates (statistics of Kim et al. 2023)", parameters,
                                            sizeof parameters / sizeof *parameters, sizeof(surrogate_parameters)};

/** One unit in one condition: boxcar-smoothed unit OU in 1 ms steps, z-scored over the window, as variation of an exponential around the mean. */
static void draw_unit(const surrogate_parameters *p, uint64_t seed, int condition, int unit, double mean, table *table, double *sum) {
    int64_t half = llround(p->smoothing / 2), length = llround(p->length) + 2 * half + 1;
    uint64_t draw = ((uint64_t)condition + 1) << 32;
    double decay = exp(-1 / p->tau), x = random_normal(seed, RANDOM_SURROGATE, (uint64_t)unit, draw++);
    sum[0] = 0;
    for (int64_t ms = 0; ms < length; ms++) {
        sum[ms + 1] = sum[ms] + x;
        x = decay * x + sqrt(1 - decay * decay) * random_normal(seed, RANDOM_SURROGATE, (uint64_t)unit, draw++);
    }
    double *value = table->values + (int64_t)condition * table->times * table->units + unit;
    double average = 0, square = 0;
    for (int t = 0; t < table->times; t++) {
        int64_t centre = llround(table->time[t]) + half;
        double y = (sum[centre + half + 1 < length ? centre + half + 1 : length] - sum[centre - half]) / (double)(2 * half + 1);
        value[(int64_t)t * table->units] = y;
        average += y / table->times;
        square += y * y / table->times;
    }
    double sd = sqrt(fmax(square - average * average, 1e-300)), log_sd = sqrt(log1p(p->variation * p->variation));
    for (int t = 0; t < table->times; t++) {
        double *y = value + (int64_t)t * table->units;
        *y = mean * exp(log_sd * (*y - average) / sd - log_sd * log_sd / 2);
    }
}

static status open_surrogate(target_request *request, const void *raw, void **state) {
    surrogate_parameters *p = (surrogate_parameters *)(uintptr_t)raw;
    if (((const target_settings *)config_common(request->config, "targets"))->quantity != QUANTITY_RATE)
        return status_agree(request->context, config_complain(request->config, "targets", "quantity", "surrogate targets are rates: give quantity: rate"));
    if (p->bin > p->length)
        return status_agree(request->context, config_complain(request->config, "targets", "bin", "%g ms is longer than the table, %g ms", p->bin, p->length));
    if (p->units == PARAM_AUTO_INTEGER) p->units = p->recorded.pairing == PAIRING_RATE ? request->cells->excitatory : request->part.total;
    recorded_state *opened = memory_new(MEMORY_TARGETS, 1, sizeof *opened);
    table *table = &opened->table;
    *table = (struct table){.conditions = (int)p->conditions, .times = (int)floor(p->length / p->bin * (1 + 1e-9)), .units = (int)p->units};
    table->time = memory_new(MEMORY_TARGETS, (size_t)table->times, sizeof(double));
    table->values = memory_new(MEMORY_TARGETS, (size_t)table->conditions * (size_t)table->times * (size_t)table->units, sizeof(double));
    table->condition = calloc((size_t)table->conditions, sizeof(char *));
    table->unit = calloc((size_t)table->units, sizeof(char *));
    double *sum = memory_new(MEMORY_BUFFERS, (size_t)(p->length + p->smoothing) + 8, sizeof(double));
    if (!table->condition || !table->unit) context_abort("memory: no room for surrogate rates");
    for (int t = 0; t < table->times; t++) table->time[t] = (t + 1) * p->bin;
    for (int c = 0; c < table->conditions; c++)
        if (asprintf(&table->condition[c], "condition%d", c) < 0) context_abort("memory: no room for a name");
    for (int u = 0; u < table->units; u++) {
        if (asprintf(&table->unit[u], "unit%d", u) < 0) context_abort("memory: no room for a name");
        double mean = exp(p->log_mean + p->log_sd * random_normal(request->seed, RANDOM_SURROGATE, (uint64_t)u, 0));
        for (int c = 0; c < table->conditions; c++) draw_unit(p, request->seed, c, u, mean, table, sum);
    }
    memory_free(sum);
    opened->auxiliary_filter = ((const plastic_settings *)config_common(request->config, "plastic"))->tau;
    recorded_prepare(opened, &p->recorded);
    *state = opened;
    return STATUS_OK;
}

const target_kind targets_surrogate = {.parameters = &surrogate_table, .open = open_surrogate, .close = recorded_close, .tasks = recorded_tasks, .duration = recorded_duration,
                                  .needs = recorded_needs, .check = recorded_check, .pair = recorded_pair, .fill = recorded_fill, .recorded = recorded_table, .gives_rates = true};
