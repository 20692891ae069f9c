#include "recording.h"

status recording_read(const context *context, const config *config, const recording_parameters *p, double time_unit, table *table) {
    char *path = config_resolve_path(config, p->path);
    const table_reading how = {.dataset = p->dataset, .time_unit = time_unit, .interval = isnan(p->interval) ? 0 : p->interval};
    status agreed = table_read(context, path, &how, table);
    free(path);
    return agreed;
}

void recording_tell(const context *context, const config *config, const recording_parameters *p, const table *table) {
    char *path = config_resolve_path(config, p->path);
    table_tell(context, path, "", table);
    free(path);
}

int64_t recording_steps(const table *table, double dt) {
    double step = 1e3 * dt, length = (table->time[table->times - 1] - table->time[0]) / step, whole = round(length);
    double known = fmax(1e-6, 2 * table->resolution / step); /* steps; what is known of times */
    return (int64_t)(fabs(length - whole) <= known ? whole : floor(length));
}

/** The last sample at or before time @p t, but never the last one of all; there are two or more. */
static int find(const table *table, double t) {
    int last = table->times - 2, low = 0, high = last;
    if (table->regular) { /* near to where a grid has it */
        double guess = (t - table->time[0]) / table->bin;
        int near = guess <= 0 ? 0 : guess >= last ? last : (int)guess;
        while (near > 0 && table->time[near] > t) near--;
        while (near < last && table->time[near + 1] <= t) near++;
        return near;
    }
    while (low < high) {
        int middle = low + (high - low + 1) / 2;
        if (table->time[middle] <= t) low = middle;
        else high = middle - 1;
    }
    return low;
}

void recording_at(const table *table, int condition, int64_t step, double dt, double *values) {
    const double *rows = table->values + (int64_t)condition * table->times * table->units;
    double t = table->time[0] + (double)step * (1e3 * dt);
    int units = table->units, k = table->times > 1 ? find(table, t) : 0;
    const double *before = rows + (int64_t)k * units, *after = table->times > 1 ? before + units : before;
    double part = table->times > 1 ? fmin(1, fmax(0, (t - table->time[k]) / (table->time[k + 1] - table->time[k]))) : 0;
    for (int u = 0; u < units; u++) values[u] = before[u] + (after[u] - before[u]) * part;
}
