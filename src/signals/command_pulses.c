/* Pulses: `height` for `duration`, the first at `start`, then every `period` (steps n with begin <= n dt < end). Pulse p of the trial of a stream has, on the
 * channels it is given, the direction
 *     same         + on every channel
 *     alternating  + and - in turn
 *     sign         + or - at random, the same on every channel
 *     random       any, uniform on the sphere: the height is its length
 *     circle       (cos phi, sin phi) on two channels, phi = 2 pi (stream mod directions) / directions: trials have their directions in turn */
#include "signals.h"

enum { SAME, ALTERNATING, SIGN, RANDOM, CIRCLE };

typedef struct {
    double height, start, duration, period;
    param_texts channels;
    int direction;
    int64_t directions;
} parameters;

static const param params[] = {
    {"height", PARAM_NUMBER, UNIT_NONE, "6", -1e9, 1e9, NULL, "of a pulse", offsetof(parameters, height), MAY_TEST},
    {"start", PARAM_NUMBER, UNIT_TIME, "0 ms", 0, 1e12, NULL, "when the first begins", offsetof(parameters, start), MAY_TEST},
    {"duration", PARAM_NUMBER, UNIT_TIME, "250 ms", 0, 1e12, NULL, "of a pulse", offsetof(parameters, duration), MAY_TEST},
    {"period", PARAM_NUMBER, UNIT_TIME, "auto", 1e-6, 1e12, NULL, "from one to the next, beginning to beginning; auto: there is one",
     offsetof(parameters, period), MAY_TEST},
    {"channels", PARAM_TEXTS, UNIT_NONE, "[all]", 0, 0, NULL, "dimensions that have pulses, from 1; all", offsetof(parameters, channels), MAY_TEST},
    {"direction", PARAM_CHOICE, UNIT_NONE, "same", 0, 0, "same alternating sign random circle",
     "same: + on each channel; alternating: + and - in turn; sign: + or - at random; random: any direction; circle: on two channels, trials in turn",
     offsetof(parameters, direction), MAY_TEST},
    {"directions", PARAM_INTEGER, UNIT_NONE, "16", 1, 1e6, NULL, "circle: how many, evenly spread; trials have them in turn", offsetof(parameters, directions),
     MAY_TEST},
};
static const param_table table = {"pulses", "rectangular pulses, once or again and again", params, sizeof params / sizeof *params, sizeof(parameters)};

typedef struct {
    int dimensions, direction;
    bool *on;                         /**< [J] */
    double height;
    int64_t start, duration, period;  /**< steps */
    int64_t directions;
    uint64_t seed;
    bool made;                        /**< there is a vector: */
    uint64_t stream;                  /**< of this trial */
    int64_t pulse;                    /**< and this pulse */
    double *vector;                   /**< [J] */
} pulses;

static status check(const signal_setting *setting, const void *raw) {
    const parameters *p = raw;
    bool *on = memory_new(MEMORY_BUFFERS, (size_t)setting->dimensions, sizeof *on);
    status mine = signals_channels(setting, &p->channels, on);
    int count = signals_count(on, setting->dimensions);
    memory_free(on);
    if (mine == STATUS_OK && p->direction == CIRCLE && count != 2)
        mine = config_complain(setting->config, SIGNALS_COMMAND, "channels", "direction: circle takes 2 of the dimensions, not %d", count);
    mine = status_worse(mine, signals_check_steps(setting, "start", p->start));
    mine = status_worse(mine, signals_check_steps(setting, "duration", p->duration));
    mine = status_worse(mine, signals_check_steps(setting, "period", p->period));
    if (p->period < p->duration)
        mine = config_complain(setting->config, SIGNALS_COMMAND, "period", "%g ms is shorter than a pulse (duration %g ms)", p->period, p->duration);
    return mine;
}

static status open_pulses(const signal_setting *setting, const void *raw, void **self) {
    const parameters *p = raw;
    pulses *pulses = memory_new(MEMORY_TARGETS, 1, sizeof *pulses);
    pulses->dimensions = setting->dimensions;
    pulses->direction = p->direction;
    pulses->height = p->height;
    pulses->start = signals_steps(setting, p->start);
    pulses->duration = signals_steps(setting, p->duration);
    pulses->period = isnan(p->period) ? INT64_MAX : signals_steps(setting, p->period);
    pulses->directions = p->directions;
    pulses->seed = setting->seed;
    pulses->on = memory_new(MEMORY_TARGETS, (size_t)setting->dimensions, sizeof(bool));
    pulses->vector = memory_new(MEMORY_TARGETS, (size_t)setting->dimensions, sizeof(double));
    signals_channels(setting, &p->channels, pulses->on);
    *self = pulses;
    return STATUS_OK;
}

static void close_pulses(void *raw) {
    pulses *pulses = raw;
    if (!pulses) return;
    memory_free(pulses->on), memory_free(pulses->vector);
    memory_free(pulses);
}

/** A random direction: normals of the channels, over their length. */
static void aim_at_random(pulses *pulses, uint64_t counter) {
    double sum = 0;
    for (int j = 0; j < pulses->dimensions; j++) {
        pulses->vector[j] = pulses->on[j] ? random_normal(pulses->seed, RANDOM_COMMAND_PULSE, (uint64_t)j, counter) : 0;
        sum += pulses->vector[j] * pulses->vector[j];
    }
    for (int j = 0; j < pulses->dimensions; j++) pulses->vector[j] *= pulses->height / sqrt(sum);
}

static void aim(pulses *pulses, uint64_t stream, int64_t pulse) {
    if (pulses->made && pulses->stream == stream && pulses->pulse == pulse) return;
    pulses->made = true;
    pulses->stream = stream;
    pulses->pulse = pulse;
    uint64_t counter = signals_counter(stream, (uint64_t)pulse);
    if (pulses->direction == RANDOM) {
        aim_at_random(pulses, counter);
        return;
    }
    double phi = SIGNALS_TURN * (double)(stream % (uint64_t)pulses->directions) / (double)pulses->directions, sign = 1;
    if (pulses->direction == ALTERNATING && pulse % 2) sign = -1;
    if (pulses->direction == SIGN && random_uniform(pulses->seed, RANDOM_COMMAND_PULSE, (uint64_t)pulses->dimensions, counter) < 0.5) sign = -1;
    bool first = true;
    for (int j = 0; j < pulses->dimensions; j++) {
        double part = pulses->direction != CIRCLE ? sign : first ? cos(phi) : sin(phi);
        pulses->vector[j] = pulses->on[j] ? pulses->height * part : 0;
        if (pulses->on[j]) first = false;
    }
}

static void fill(void *self, uint64_t stream, int64_t first, int count, double *values) {
    pulses *pulses = self;
    size_t row = (size_t)pulses->dimensions * sizeof *values;
    for (int64_t n = first; n < first + count; n++, values += pulses->dimensions) {
        int64_t since = n - pulses->start;
        if (since >= 0 && since % pulses->period < pulses->duration) {
            aim(pulses, stream, since / pulses->period);
            memcpy(values, pulses->vector, row);
        } else memset(values, 0, row);
    }
}

const command_kind command_pulses = {.parameters = &table, .check = check, .open = open_pulses, .close = close_pulses, .fill = fill};
