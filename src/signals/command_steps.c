/* Steps: the given values from `start` to `stop` (steps n with start <= n dt < stop), again every `period`; 0 else. */
#include "signals.h"

typedef struct { param_numbers values; double start, stop, period; } parameters;

static const param params[] = {
    {"values", PARAM_NUMBERS, UNIT_NONE, "[1]", -1e9, 1e9, NULL, "of each dimension, or one for all", offsetof(parameters, values), MAY_TEST},
    {"start", PARAM_NUMBER, UNIT_TIME, "0 ms", 0, 1e12, NULL, "when they begin", offsetof(parameters, start), MAY_TEST},
    {"stop", PARAM_NUMBER, UNIT_TIME, "auto", 0, 1e12, NULL, "when they end; auto: never", offsetof(parameters, stop), MAY_TEST},
    {"period", PARAM_NUMBER, UNIT_TIME, "auto", 1e-6, 1e12, NULL, "they come again after that time; auto: never", offsetof(parameters, period), MAY_TEST},
};
static const param_table table = {"steps", "constant values between two times, once or again and again", params, sizeof params / sizeof *params,
                                  sizeof(parameters)};

typedef struct {
    int dimensions;
    int64_t start, stop, period; /**< steps */
    double values[];             /**< [J] */
} steps;

static status check(const signal_setting *setting, const void *raw) {
    const parameters *p = raw;
    status mine = signals_check_list(setting, SIGNALS_COMMAND, "values", &p->values);
    mine = status_worse(mine, signals_check_steps(setting, "start", p->start));
    mine = status_worse(mine, signals_check_steps(setting, "stop", p->stop));
    mine = status_worse(mine, signals_check_steps(setting, "period", p->period));
    if (p->stop <= p->start)
        mine = config_complain(setting->config, SIGNALS_COMMAND, "stop", "%g ms is not after start (%g ms)", p->stop, p->start);
    if (!isnan(p->period) && (isnan(p->stop) || p->stop - p->start > p->period))
        mine = config_complain(setting->config, SIGNALS_COMMAND, "period", "%g ms is shorter than what it repeats: stop has to be at most %g ms", p->period,
                               p->start + p->period);
    return mine;
}

static status open_steps(const signal_setting *setting, const void *raw, void **self) {
    const parameters *p = raw;
    steps *steps = memory_new(MEMORY_TARGETS, 1, sizeof *steps + (size_t)setting->dimensions * sizeof(double));
    steps->dimensions = setting->dimensions;
    steps->start = signals_steps(setting, p->start);
    steps->stop = isnan(p->stop) ? INT64_MAX : signals_steps(setting, p->stop);
    steps->period = isnan(p->period) ? INT64_MAX : signals_steps(setting, p->period);
    for (int j = 0; j < setting->dimensions; j++) steps->values[j] = signals_entry(&p->values, j, 0);
    *self = steps;
    return STATUS_OK;
}

static void fill(void *self, uint64_t stream, int64_t first, int count, double *values) {
    (void)stream;
    const steps *steps = self;
    int64_t length = steps->stop - steps->start;
    for (int64_t n = first; n < first + count; n++) {
        bool on = n >= steps->start && (n - steps->start) % steps->period < length;
        for (int j = 0; j < steps->dimensions; j++) *values++ = on ? steps->values[j] : 0;
    }
}

const command_kind command_steps = {.parameters = &table, .check = check, .open = open_steps, .close = memory_free, .fill = fill};
