/* A path that was recorded: trajectories of populations, a task for each condition. Samples may be smoothed in time by a Gaussian, reduced to their
 * first principal components over all conditions and times, and scaled; between samples the path is straight.
 * Its field is not known: there is only the path. */
#include <stdio.h>

#include "principal.h"
#include "recording.h"

enum { TIME_UNIT_AUTO, TIME_UNIT_US, TIME_UNIT_MS, TIME_UNIT_S };

typedef struct {
    recording_parameters recording;
    int time_unit;
    int64_t components;
    double smoothing, scale;
} parameters;

static const param params[] = {
    {"path", PARAM_PATH, UNIT_NONE, NULL, 0, 0, NULL, "CSV or HDF5 table of [condition][time][unit], as of recorded rates; or, with interval, without times",
     offsetof(parameters, recording.path), MAY_TEST, PATH_KEPT},
    {"dataset", PARAM_TEXT, UNIT_NONE, "", 0, 0, NULL, RECORDING_DATASET, offsetof(parameters, recording.dataset)},
    {"interval", PARAM_NUMBER, UNIT_TIME, "auto", 1e-6, 1e9, NULL, "from one sample to the next; auto: as the file's times say",
     offsetof(parameters, recording.interval)},
    {"time_unit", PARAM_CHOICE, UNIT_NONE, "auto", 0, 0, "auto us ms s",
     "unit of time in the table; auto: what its units attribute or column name says, else ms; bins below 1 ms need one", offsetof(parameters, time_unit)},
    {"smoothing", PARAM_NUMBER, UNIT_TIME, "0 ms", 0, 1e9, NULL, "standard deviation of a Gaussian over time, in each condition; 0: none",
     offsetof(parameters, smoothing)},
    {"components", PARAM_INTEGER, UNIT_NONE, "auto", 1, 1e6, NULL, "dimensions: first principal components over all conditions; auto: the units as they are",
     offsetof(parameters, components)},
    {"scale", PARAM_NUMBER, UNIT_NONE, "auto", -1e9, 1e9, NULL,
     "factor in front; auto: 1, but components get a standard deviation of 1 per dimension (root mean square)", offsetof(parameters, scale)},
};
static const param_table table_of_keys = {"trajectory", "recorded trajectories; each condition is a task", params, sizeof params / sizeof *params,
                                          sizeof(parameters)};

typedef struct {
    double dt;
    table table; /**< of what is left: its units are the dimensions */
} trajectory;

static status read_table(const context *context, const config *config, const parameters *p, table *table) {
    static const double unit[] = {[TIME_UNIT_AUTO] = NAN, [TIME_UNIT_US] = 1e-3, [TIME_UNIT_MS] = 1, [TIME_UNIT_S] = 1e3};
    status agreed = recording_read(context, config, &p->recording, unit[p->time_unit], table), mine = STATUS_OK;
    if (agreed != STATUS_OK) return agreed;
    int64_t most = table->units, samples = (int64_t)table->conditions * table->times - 1;
    if (samples < most) most = samples;
    if (table->times < 2) mine = config_complain(config, SIGNALS_TEACHER, "path", "has a single time: a trajectory has two or more");
    else if (p->components > most) /* "auto" is below all */
        mine = config_complain(config, SIGNALS_TEACHER, "components", "%lld of them, but %d units and %lld samples have at most %lld", (long long)p->components,
                               table->units, (long long)samples + 1, (long long)most);
    else if (p->smoothing > 0 && !table->regular)
        mine = config_complain(config, SIGNALS_TEACHER, "smoothing", "needs equal times between samples, which those of the file are not");
    return status_agree(context, mine);
}

/* ---- what is made of it ---- */

/** By a Gaussian over time that reaches 5 standard deviations; weights sum to 1, at the ends, too. */
static void smooth(table *table, double sd) {
    int times = table->times, units = table->units;
    double samples = sd / table->bin;
    int reach = (int)fmin(times - 1, ceil(5 * samples));
    double *row = memory_new(MEMORY_BUFFERS, (size_t)times * (size_t)units, sizeof *row);
    for (int c = 0; c < table->conditions; c++) {
        double *values = table->values + (int64_t)c * times * units;
        memset(row, 0, (size_t)times * (size_t)units * sizeof *row);
        for (int t = 0; t < times; t++) {
            double sum = 0;
            for (int s = t < reach ? 0 : t - reach; s < times && s <= t + reach; s++) {
                double weight = exp(-0.5 * (s - t) * (s - t) / (samples * samples));
                sum += weight;
                for (int u = 0; u < units; u++) row[(int64_t)t * units + u] += weight * values[(int64_t)s * units + u];
            }
            for (int u = 0; u < units; u++) row[(int64_t)t * units + u] /= sum;
        }
        memcpy(values, row, (size_t)times * (size_t)units * sizeof *row);
    }
    memory_free(row);
}

/** Scores take the place of values. Collective: rank 0 computes, so that all have the same. @param[out] kept @return agreed and printed */
static status reduce(const context *context, table *table, int components, double *kept) {
    int rows = table->conditions * table->times;
    double *scores = memory_new(MEMORY_TARGETS, (size_t)rows * (size_t)components, sizeof *scores);
    status agreed = status_agree(context, context->rank ? STATUS_OK : principal_components(table->values, rows, table->units, components, scores, kept));
    if (agreed != STATUS_OK) {
        memory_free(scores);
        return agreed;
    }
    CHECK_MPI(MPI_Bcast(scores, rows * components, MPI_DOUBLE, 0, context->comm));
    for (int u = components; u < table->units; u++) free(table->unit[u]);
    memory_free(table->values);
    table->values = scores;
    table->units = components;
    return STATUS_OK;
}

static double rescale(table *table, double scale, bool automatic) {
    int64_t count = (int64_t)table->conditions * table->times * table->units;
    double squares = 0;
    for (int64_t i = 0; i < count; i++) squares += table->values[i] * table->values[i];
    if (automatic && squares > 0) scale = 1 / sqrt(squares / (double)count);
    for (int64_t i = 0; i < count; i++) table->values[i] *= scale;
    return scale;
}

/** @return agreed and printed */
static status prepare(const context *context, const config *config, const parameters *p, table *table) {
    bool reduced = p->components != PARAM_AUTO_INTEGER;
    double kept = 1;
    char text[80] = "";
    if (p->smoothing > 0) smooth(table, p->smoothing);
    status agreed = reduced ? reduce(context, table, (int)p->components, &kept) : STATUS_OK;
    if (agreed != STATUS_OK) return agreed;
    if (reduced && context->rank == 0 && !(kept > 0)) agreed = config_complain(config, SIGNALS_TEACHER, "components", "the units do not vary");
    agreed = status_agree(context, agreed);
    if (agreed != STATUS_OK) return agreed;
    double scale = rescale(table, isnan(p->scale) ? 1 : p->scale, isnan(p->scale) && reduced);
    if (reduced) snprintf(text, sizeof text, "%d principal components keep %.1f %% of the variance; ", table->units, 100 * kept);
    log_line(context, "%s: %d task%s of %g ms, %d dimension%s; %sscale %.4g%s", p->recording.path, table->conditions, table->conditions == 1 ? "" : "s",
             table->time[table->times - 1] - table->time[0], table->units, table->units == 1 ? "" : "s", text, scale, isnan(p->scale) ? " (auto)" : "");
    return STATUS_OK;
}

/* ---- hooks ---- */

static status resolve(const context *context, config *config, const void *raw, int *dimensions, int *tasks) {
    const parameters *p = raw;
    table table = {0};
    status agreed = read_table(context, config, p, &table);
    *tasks = table.conditions;
    *dimensions = p->components == PARAM_AUTO_INTEGER ? table.units : (int)p->components;
    table_clear(&table);
    return agreed;
}

static void close_trajectory(void *raw) {
    trajectory *trajectory = raw;
    if (!trajectory) return;
    table_clear(&trajectory->table);
    memory_free(trajectory);
}

static status open_trajectory(const signal_setting *setting, const void *raw, void **self) {
    const parameters *p = raw;
    trajectory *trajectory = memory_new(MEMORY_TARGETS, 1, sizeof *trajectory);
    trajectory->dt = setting->dt;
    status agreed = read_table(setting->context, setting->config, p, &trajectory->table);
    if (agreed == STATUS_OK) {
        recording_tell(setting->context, setting->config, &p->recording, &trajectory->table);
        agreed = prepare(setting->context, setting->config, p, &trajectory->table);
    }
    if (agreed == STATUS_OK && trajectory->table.units != setting->dimensions)
        agreed = status_agree(setting->context, config_complain(setting->config, SIGNALS_TEACHER, "path", "has %d dimensions, but the network has %d",
                                                                trajectory->table.units, setting->dimensions));
    if (agreed == STATUS_OK) *self = trajectory;
    else close_trajectory(trajectory);
    return agreed;
}

static void at(const void *self, int task, int64_t step, double *x) {
    const trajectory *trajectory = self;
    recording_at(&trajectory->table, task, step, trajectory->dt, x);
}

static void begin(void *self, int task, uint64_t stream, double *x) {
    (void)stream;
    at(self, task, 0, x);
}

static int64_t steps(const void *self, int task) {
    (void)task;
    const trajectory *trajectory = self;
    return recording_steps(&trajectory->table, trajectory->dt);
}

static const char *task_name(const void *self, int task) {
    return ((const trajectory *)self)->table.condition[task];
}

/** What the path covers, and a fifth more. */
static void cover(const void *self, double *box) {
    const table *table = &((const trajectory *)self)->table;
    int64_t rows = (int64_t)table->conditions * table->times;
    for (int u = 0; u < table->units; u++) {
        double most = 0;
        for (int64_t r = 0; r < rows; r++) most = fmax(most, fabs(table->values[r * table->units + u]));
        box[u] = most > 0 ? 1.2 * most : 1;
    }
}

const teacher_kind teacher_trajectory = {.parameters = &table_of_keys, .resolve = resolve, .open = open_trajectory, .close = close_trajectory, .begin = begin,
                                         .at = at, .steps = steps, .task_name = task_name, .cover = cover};
