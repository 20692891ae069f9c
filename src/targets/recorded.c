#include "recorded.h"

#include <math.h>
#include <stdlib.h>

#include "engram/memory.h"
#include "engram/network.h"
#include "engram/random.h"

static double mean_of(const table *table, int condition, int unit) {
    double sum = 0;
    for (int t = 0; t < table->times; t++) sum += table->values[((int64_t)condition * table->times + t) * table->units + unit];
    return sum / table->times;
}

/** Keep the units marked in @p keep. */
static void select_units(table *table, const uint8_t *keep) {
    int kept = 0;
    for (int u = 0; u < table->units; u++) {
        if (keep[u])
            table->unit[kept++] = table->unit[u];
        else
            free(table->unit[u]);
    }
    int64_t write = 0, rows = (int64_t)table->conditions * table->times;
    for (int64_t row = 0; row < rows; row++)
        for (int u = 0; u < table->units; u++)
            if (keep[u]) table->values[write++] = table->values[row * table->units + u];
    table->units = kept;
}

void recorded_prepare(recorded_state *state, const recorded_parameters *p) {
    table *table = &state->table;
    uint8_t *keep = memory_new(MEMORY_BUFFERS, (size_t)table->units, 1);
    int64_t left = p->maximum_units == PARAM_AUTO_INTEGER ? table->units : p->maximum_units;
    for (int u = 0; u < table->units; u++) {
        keep[u] = left > 0;
        for (int c = 0; c < table->conditions && p->minimum_rate > 0; c++) keep[u] &= mean_of(table, c, u) > p->minimum_rate;
        left -= keep[u];
    }
    select_units(table, keep);
    memory_free(keep);
    state->mean = memory_new(MEMORY_TARGETS, (size_t)table->units, sizeof(double));
    for (int u = 0; u < table->units; u++) {
        for (int c = 0; c < table->conditions; c++) state->mean[u] += mean_of(table, c, u);
        state->mean[u] /= table->conditions;
    }
}

void recorded_close(void *raw) {
    recorded_state *state = raw;
    if (!state) return;
    table_clear(&state->table);
    memory_free(state->mean);
    memory_free(state);
}

table *recorded_table(void *state) {
    return &((recorded_state *)state)->table;
}

int recorded_tasks(const void *parameters, const void *state) {
    (void)parameters;
    return ((const recorded_state *)state)->table.conditions;
}

/** Time from the origin to the last sample; a whole number of intervals, where it is one within what is known of times: float32 must lose no instant. */
double recorded_duration(const void *parameters, const void *state) {
    (void)parameters;
    const recorded_state *recorded = state;
    double length = recorded->table.time[recorded->table.times - 1] - recorded->origin;
    double whole = recorded->every > 0 ? round(length / recorded->every) * recorded->every : length;
    return fabs(length - whole) <= 2 * recorded->table.resolution ? whole : length;
}

int recorded_needs(const void *parameters) {
    return ((const recorded_parameters *)parameters)->pairing == PAIRING_RATE ? NEEDS_ACTIVITY : 0;
}

/** A unit or a neuron with the rate it is sorted by. */
typedef struct { double rate; int32_t id; } rated;

static int ascending(const void *a, const void *b) {
    const rated *x = a, *y = b;
    if (x->rate != y->rate) return x->rate < y->rate ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

static int find_free(int *next, int at) {
    while (next[at] != at) at = next[at] = next[next[at]];
    return at;
}

/** Units by mean rate, descending; each takes the free excitatory neuron whose baseline rate is closest (patterns/README.md 4.8).
 *  Neurons are sorted by rate; free neighbours to either side are found through path-compressed links. */
static void pair_by_rate(const target_request *request, const recorded_state *state, int32_t *paired) {
    int units = state->table.units, cells = (int)request->cells->excitatory, next = 0;
    rated *unit = memory_new(MEMORY_BUFFERS, (size_t)units, sizeof *unit), *cell = memory_new(MEMORY_BUFFERS, (size_t)cells, sizeof *cell);
    int *above = memory_new(MEMORY_BUFFERS, (size_t)cells + 2, sizeof(int)), *below = memory_new(MEMORY_BUFFERS, (size_t)cells + 2, sizeof(int));
    double baseline_hz = request->activity_seconds > 0 ? 1 / request->activity_seconds : 0;
    for (int u = 0; u < units; u++) unit[u] = (rated){state->mean[u], u};
    for (int gid = 0; gid < request->part.total; gid++)
        if (cell_is_excitatory(request->cells, gid)) cell[next++] = (rated){request->activity[gid] * baseline_hz, gid};
    qsort(unit, (size_t)units, sizeof *unit, ascending);
    qsort(cell, (size_t)cells, sizeof *cell, ascending);
    for (int c = 0; c < cells + 2; c++) above[c] = below[c] = c; /* shifted by one: 0 and cells+1 are the ends */
    for (int n = units - 1; n >= 0; n--) {
        int low = 0, high = cells; /* first cell with rate >= the unit's */
        while (low < high) {
            int middle = (low + high) / 2;
            if (cell[middle].rate < unit[n].rate)
                low = middle + 1;
            else
                high = middle;
        }
        int up = find_free(above, low + 1), down = find_free(below, low);
        int take = up > cells ? down : down < 1 ? up : cell[up - 1].rate - unit[n].rate < unit[n].rate - cell[down - 1].rate ? up : down;
        paired[cell[take - 1].id] = unit[n].id;
        above[take] = take + 1;
        below[take] = take - 1;
    }
    memory_free(unit), memory_free(cell), memory_free(above), memory_free(below);
}

status recorded_check(const target_request *request, const void *parameters, const void *raw) {
    const recorded_parameters *p = parameters;
    const recorded_state *state = raw;
    int64_t room = p->pairing == PAIRING_RATE ? request->cells->excitatory : request->part.total;
    bool rates = ((const target_settings *)config_common(request->config, "targets"))->quantity == QUANTITY_RATE;
    if (!rates && (p->others == OTHERS_OU || p->pairing == PAIRING_RATE))
        return config_complain(request->config, "targets", "quantity", "auxiliary targets and pairing by rate need quantity: rate");
    if (state->table.units == 0) return config_complain(request->config, "targets", "minimum_rate", "leaves no unit");
    if (state->table.units > room)
        return config_complain(request->config, "network", "neurons", "%d recorded units, but only %lld %sneurons to take them", state->table.units,
                               (long long)room, p->pairing == PAIRING_RATE ? "excitatory " : "");
    return STATUS_OK;
}

status recorded_pair(const target_request *request, const void *parameters, void *raw, int32_t *paired) {
    const recorded_parameters *p = parameters;
    const recorded_state *state = raw;
    if (p->pairing == PAIRING_RATE)
        pair_by_rate(request, state, paired);
    else
        for (int u = 0; u < state->table.units; u++) paired[u] = u;
    if (p->others == OTHERS_OU)
        for (int64_t gid = 0; gid < request->part.total; gid++)
            if (paired[gid] == -1) paired[gid] = -2;
    return STATUS_OK;
}

/** Rate of an auxiliary neuron: OU in 10 ms units from its stationary law, phi1, low-passed; steps of 1 ms (Kim & Chow 2018, Fig. 5). */
static void fill_auxiliary(const target_request *request, const recorded_parameters *p, double filter, int task, int64_t gid, int mine, double *rows) {
    uint64_t draw = (uint64_t)task << 32;
    double sd = p->auxiliary_sigma * sqrt(p->auxiliary_tau / 10 / 2), decay = exp(-1 / p->auxiliary_tau);
    double x = sd * random_normal(request->seed, RANDOM_AUXILIARY, (uint64_t)gid, draw++), low_passed = transfer_phi1(x);
    int64_t ms = 0;
    for (int k = 0; k < request->instants; k++) {
        for (; ms < llround((k + 1) * request->every); ms++) {
            x = decay * x + sd * sqrt(1 - decay * decay) * random_normal(request->seed, RANDOM_AUXILIARY, (uint64_t)gid, draw++);
            low_passed += (transfer_phi1(x) - low_passed) / fmax(filter, 1);
        }
        rows[(int64_t)k * mine] = p->auxiliary_scale * low_passed * 100; /* per 10 ms to Hz */
    }
}

status recorded_fill(const target_request *request, const void *parameters, void *raw, int task, int32_t *paired, double *rows) {
    const recorded_parameters *p = parameters;
    const recorded_state *state = raw;
    int mine = request->part.mine;
    for (int i = 0; i < mine; i++) {
        int64_t gid = request->part.first + i;
        if (paired[gid] == -2) fill_auxiliary(request, p, state->auxiliary_filter, task, gid, mine, rows + i);
        if (paired[gid] < 0) continue;
        for (int k = 0; k < request->instants; k++)
            rows[(int64_t)k * mine + i] = table_at(&state->table, task, paired[gid], state->origin + (k + 1) * request->every);
    }
    return STATUS_OK;
}
