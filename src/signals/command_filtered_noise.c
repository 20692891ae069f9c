/* The command of a published program of the first author of Alemi et al. 2018, in a public port: white noise of standard deviation sd dt in each step, filtered
 * twice by a normalised exponential of time constant tau from the beginning of the trial on, and cut to a window of it; added in each step, hence
 *     y1 += (1 - a) (xi - y1),   y2 += (1 - a) (y1 - y2),   a = exp(-dt/tau),   c = sd y2 from start to stop, else 0.
 * There, steps are of 0.1 ms and trials of 1.5 s: tau is 100 steps, the window 3 % to 30 % of a trial. */
#include "signals.h"

typedef struct { double sd, tau, start, stop; param_texts channels; } parameters;

static const param params[] = {
    {"sd", PARAM_NUMBER, UNIT_NONE, "600", 0, 1e9, NULL, "standard deviation of the white noise of a step, over dt in s", offsetof(parameters, sd), MAY_TEST},
    {"tau", PARAM_NUMBER, UNIT_TIME, "10 ms", 1e-3, 1e9, NULL, "time constant of both filters", offsetof(parameters, tau), MAY_TEST},
    {"start", PARAM_NUMBER, UNIT_TIME, "45 ms", 0, 1e12, NULL, "when it begins", offsetof(parameters, start), MAY_TEST},
    {"stop", PARAM_NUMBER, UNIT_TIME, "450 ms", 0, 1e12, NULL, "when it ends", offsetof(parameters, stop), MAY_TEST},
    {"channels", PARAM_TEXTS, UNIT_NONE, "[1]", 0, 0, NULL, "dimensions that have noise, from 1; all", offsetof(parameters, channels), MAY_TEST},
};
static const param_table table = {"filtered_noise", "twice filtered white noise in a window of the trial, as in a published demonstration", params,
                                  sizeof params / sizeof *params, sizeof(parameters)};

enum { DRAWN = 4 }; /**< steps of one draw */

typedef struct {
    int dimensions;
    bool *on;                           /**< [J] */
    double sd, blend;                   /**< blend: 1 - a */
    int64_t start, stop;                /**< steps */
    uint64_t seed, stream;
    int64_t next;                       /**< step of the stream that filters stand before; -1: of none */
    double *once, *twice;               /**< [J] filters */
    double *normals;                    /**< [DRAWN][J] of the steps around `next` */
} noise;

static status check(const signal_setting *setting, const void *raw) {
    const parameters *p = raw;
    status mine = signals_channels(setting, &p->channels, NULL);
    mine = status_worse(mine, signals_check_steps(setting, "start", p->start));
    mine = status_worse(mine, signals_check_steps(setting, "stop", p->stop));
    if (p->stop <= p->start)
        mine = config_complain(setting->config, SIGNALS_COMMAND, "stop", "%g ms is not after start (%g ms)", p->stop, p->start);
    return mine;
}

static status open_noise(const signal_setting *setting, const void *raw, void **self) {
    const parameters *p = raw;
    noise *noise = memory_new(MEMORY_TARGETS, 1, sizeof *noise);
    size_t dimensions = (size_t)setting->dimensions;
    noise->dimensions = setting->dimensions;
    noise->sd = p->sd;
    noise->blend = -expm1(-1e3 * setting->dt / p->tau);
    noise->start = signals_steps(setting, p->start);
    noise->stop = signals_steps(setting, p->stop);
    noise->seed = setting->seed;
    noise->next = -1;
    noise->on = memory_new(MEMORY_TARGETS, dimensions, sizeof(bool));
    noise->once = memory_new(MEMORY_TARGETS, dimensions, sizeof(double));
    noise->twice = memory_new(MEMORY_TARGETS, dimensions, sizeof(double));
    noise->normals = memory_new(MEMORY_TARGETS, DRAWN * dimensions, sizeof(double));
    signals_channels(setting, &p->channels, noise->on);
    *self = noise;
    return STATUS_OK;
}

static void close_noise(void *raw) {
    noise *noise = raw;
    if (!noise) return;
    memory_free(noise->on), memory_free(noise->once), memory_free(noise->twice), memory_free(noise->normals);
    memory_free(noise);
}

/** The filters one step on. */
static void step(noise *noise) {
    int dimensions = noise->dimensions;
    int64_t n = noise->next++;
    if (n % DRAWN == 0)
        random_noise(noise->seed, RANDOM_COMMAND, 0, dimensions, signals_counter(noise->stream, (uint64_t)(n / DRAWN)), dimensions, noise->normals);
    const double *xi = noise->normals + (n % DRAWN) * dimensions;
    for (int j = 0; j < dimensions; j++) {
        noise->once[j] += noise->blend * (xi[j] - noise->once[j]);
        noise->twice[j] += noise->blend * (noise->once[j] - noise->twice[j]);
    }
}

/** Filters as they stand before step @p n: from the beginning of the trial, if they are beyond. */
static void seek(noise *noise, uint64_t stream, int64_t n) {
    if (noise->next < 0 || noise->stream != stream || noise->next > n) {
        size_t bytes = (size_t)noise->dimensions * sizeof(double);
        memset(noise->once, 0, bytes), memset(noise->twice, 0, bytes);
        noise->stream = stream;
        noise->next = 0;
    }
    while (noise->next < n) step(noise);
}

static void fill(void *self, uint64_t stream, int64_t first, int count, double *values) {
    noise *noise = self;
    for (int64_t n = first; n < first + count; n++, values += noise->dimensions) {
        bool inside = n >= noise->start && n < noise->stop;
        if (inside) seek(noise, stream, n + 1);
        for (int j = 0; j < noise->dimensions; j++) values[j] = inside && noise->on[j] ? noise->sd * noise->twice[j] : 0;
    }
}

const command_kind command_filtered_noise = {.parameters = &table, .check = check, .open = open_noise, .close = close_noise, .fill = fill};
