#include "recorded.h"

#include <math.h>
#include <stdlib.h>

#include "engram/memory.h"
#include "engram/network.h"
#include "engram/random.h"

void recorded_begin(recorded_state *state, const target_request *request, int units) {
    state->ranks = request->part.ranks;
    state->rank = state->ranks > 1 ? request->context->rank : 0; /* one: who plans has all of them, on whatever rank */
    state->firsts = memory_new(MEMORY_TARGETS, (size_t)state->ranks + 1, sizeof(int));
    for (int rank = 0; rank <= state->ranks; rank++) state->firsts[rank] = (int)partition_first(units, state->ranks, rank);
}

static int first_of(const recorded_state *state) {
    return state->firsts[state->rank];
}

static int mine_of(const recorded_state *state) {
    return state->firsts[state->rank + 1] - first_of(state);
}

/** A unit of my block in a condition: drawn, or where the file's values are. @param buffer [times] @param[out] stride between values */
static const double *series_of(const recorded_state *state, int condition, int unit, double *buffer, int64_t *stride) {
    if (state->draw) {
        *stride = 1;
        state->draw(state, condition, state->drawn ? state->drawn[unit] : unit, buffer);
        return buffer;
    }
    *stride = mine_of(state);
    return state->table.values + (int64_t)condition * state->table.times * *stride + (unit - first_of(state));
}

/** Sum over the times of a condition. @param buffer [times] */
static double sum_of(const recorded_state *state, int condition, int unit, double *buffer) {
    const table *table = &state->table;
    if (table->sums) return table->sums[(int64_t)condition * table->units + unit];
    int64_t stride;
    const double *values = series_of(state, condition, unit, buffer, &stride);
    double sum = 0;
    for (int t = 0; t < table->times; t++) sum += values[t * stride];
    return sum;
}

/** From every rank its units'. Collective. @param all [units] of @p size bytes each */
static void gather(const recorded_state *state, const context *context, void *all, int size) {
    if (state->ranks == 1) return;
    int *counts = memory_new(MEMORY_BUFFERS, 2 * (size_t)state->ranks, sizeof(int)), *offsets = counts + state->ranks;
    for (int rank = 0; rank < state->ranks; rank++) counts[rank] = state->firsts[rank + 1] - state->firsts[rank], offsets[rank] = state->firsts[rank];
    MPI_Datatype type = size == 1 ? MPI_UINT8_T : MPI_DOUBLE;
    CHECK_MPI(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, all, counts, offsets, type, context->comm));
    memory_free(counts);
}

/** Means of my block, and which of its units are above minimum_rate in every condition; from the other ranks theirs. */
static void measure(recorded_state *state, const context *context, double minimum_rate, uint8_t *keep) {
    const table *table = &state->table;
    double *buffer = memory_new(MEMORY_BUFFERS, (size_t)table->times, sizeof(double));
    state->mean = memory_new(MEMORY_TARGETS, (size_t)table->units, sizeof(double));
    for (int u = first_of(state); u < state->firsts[state->rank + 1]; u++) {
        for (int c = 0; c < table->conditions; c++) {
            const double sum = sum_of(state, c, u, buffer);
            if (minimum_rate > 0) keep[u] &= sum / table->times > minimum_rate;
            state->mean[u] += sum / table->times;
        }
        state->mean[u] /= table->conditions;
    }
    memory_free(buffer);
    gather(state, context, keep, 1);
    gather(state, context, state->mean, sizeof(double));
}

/** Keep the columns of @p units marked in @p keep. @param values [rows][units], taken; NULL: there are none @return those that are left */
static double *select_columns(double *values, int64_t rows, const uint8_t *keep, int units) {
    int64_t write = 0;
    if (!values) return NULL;
    for (int64_t row = 0; row < rows; row++)
        for (int u = 0; u < units; u++)
            if (keep[u]) values[write++] = values[row * units + u];
    return memory_resize(MEMORY_TARGETS, values, (size_t)write, sizeof *values);
}

/** Keep the units marked in @p keep. */
static void select_units(recorded_state *state, const uint8_t *keep) {
    table *table = &state->table;
    int kept = 0, rank = 0;
    if (state->draw) state->drawn = memory_new(MEMORY_TARGETS, (size_t)table->units, sizeof(int));
    table->values = select_columns(table->values, (int64_t)table->conditions * table->times, keep + first_of(state), mine_of(state));
    table->sums = select_columns(table->sums, table->conditions, keep, table->units);
    for (int u = 0; u < table->units; u++) {
        while (rank <= state->ranks && state->firsts[rank] == u) state->firsts[rank++] = kept;
        if (keep[u]) {
            if (state->drawn) state->drawn[kept] = u;
            if (state->mean) state->mean[kept] = state->mean[u];
            table->unit[kept++] = table->unit[u];
        } else {
            free(table->unit[u]);
        }
    }
    while (rank <= state->ranks) state->firsts[rank++] = kept;
    table->units = kept;
}

void recorded_prepare(recorded_state *state, const target_request *request, const recorded_parameters *p) {
    table *table = &state->table;
    uint8_t *keep = memory_new(MEMORY_BUFFERS, (size_t)table->units, 1);
    for (int u = 0; u < table->units; u++) keep[u] = 1;
    if (p->minimum_rate > 0 || p->pairing == PAIRING_RATE) measure(state, request->context, p->minimum_rate, keep);
    int64_t left = p->maximum_units == PARAM_AUTO_INTEGER ? table->units : p->maximum_units, kept = 0;
    for (int u = 0; u < table->units; u++) {
        keep[u] &= left > 0;
        left -= keep[u];
        kept += keep[u];
    }
    if (kept < table->units) select_units(state, keep);
    memory_free(keep);
}

void recorded_close(void *raw) {
    recorded_state *state = raw;
    if (!state) return;
    table_clear(&state->table);
    memory_free(state->firsts);
    memory_free(state->drawn);
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

/** Neurons that units may be paired with. */
static int64_t count_room(const target_request *request, int pairing) {
    const network_settings *network = config_common(request->config, "network");
    return network->learns ? network_count_learning(network) : pairing == PAIRING_RATE ? request->cells->excitatory : request->part.total;
}

/** Is it one of them? */
static bool has_room(const target_request *request, int pairing, int64_t gid) {
    const network_settings *network = config_common(request->config, "network");
    return network->learns ? network_may_learn(network, gid) : pairing != PAIRING_RATE || cell_is_excitatory(request->cells, gid);
}

/** Units by mean rate, descending; each takes the free neuron, of the excitatory ones or of the populations that learn, whose baseline rate is
 *  closest (patterns/README.md 4.8). Neurons are sorted by rate; free neighbours to either side are found through path-compressed links. */
static void pair_by_rate(const target_request *request, const recorded_state *state, int32_t *paired) {
    int units = state->table.units, cells = (int)count_room(request, PAIRING_RATE), next = 0;
    rated *unit = memory_new(MEMORY_BUFFERS, (size_t)units, sizeof *unit), *cell = memory_new(MEMORY_BUFFERS, (size_t)cells, sizeof *cell);
    int *above = memory_new(MEMORY_BUFFERS, (size_t)cells + 2, sizeof(int)), *below = memory_new(MEMORY_BUFFERS, (size_t)cells + 2, sizeof(int));
    double baseline_hz = request->activity_seconds > 0 ? 1 / request->activity_seconds : 0;
    for (int u = 0; u < units; u++) unit[u] = (rated){state->mean[u], u};
    for (int gid = 0; gid < request->part.total; gid++)
        if (has_room(request, PAIRING_RATE, gid)) cell[next++] = (rated){request->activity[gid] * baseline_hz, gid};
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
    const network_settings *network = config_common(request->config, "network");
    int64_t room = count_room(request, p->pairing);
    bool rates = ((const target_settings *)config_common(request->config, "targets"))->quantity == QUANTITY_RATE;
    if (!rates && (p->others == OTHERS_OU || p->pairing == PAIRING_RATE))
        return config_complain(request->config, "targets", "quantity", "auxiliary targets and pairing by rate need quantity: rate");
    if (state->table.units == 0) return config_complain(request->config, "targets", "minimum_rate", "leaves no unit");
    if (state->table.units > room)
        return config_complain(request->config, network->learns ? "plastic" : "network", network->learns ? "trained" : "neurons",
                               "%d recorded units, but only %lld %sneurons to take them", state->table.units, (long long)room,
                               network->learns ? "of these " : p->pairing == PAIRING_RATE ? "excitatory " : "");
    return STATUS_OK;
}

status recorded_pair(const target_request *request, const void *parameters, void *raw, int32_t *paired) {
    const recorded_parameters *p = parameters;
    const recorded_state *state = raw;
    if (p->pairing == PAIRING_RATE)
        pair_by_rate(request, state, paired);
    else
        for (int64_t gid = 0, unit = 0; unit < state->table.units; gid++)
            if (has_room(request, PAIRING_ORDER, gid)) paired[gid] = (int32_t)unit++;
    if (p->others == OTHERS_OU)
        for (int64_t gid = 0; gid < request->part.total; gid++)
            if (paired[gid] == -1 && network_may_learn(config_common(request->config, "network"), gid)) paired[gid] = -2;
    return STATUS_OK;
}

/** Rate of an auxiliary neuron: OU in 10 ms units from its stationary law, phi1, low-passed; steps of 1 ms (Kim & Chow 2018, Fig. 5). */
static void fill_auxiliary(const target_request *request, const recorded_parameters *p, double filter, int task, int64_t gid, double *rows) {
    uint64_t draw = (uint64_t)task << 32;
    double sd = p->auxiliary_sigma * sqrt(p->auxiliary_tau / 10 / 2), decay = exp(-1 / p->auxiliary_tau);
    double x = sd * random_normal(request->seed, RANDOM_AUXILIARY, (uint64_t)gid, draw++), low_passed = transfer_phi1(x);
    int64_t ms = 0;
    for (int k = 0; k < request->instants; k++) {
        for (; ms < llround((k + 1) * request->every); ms++) {
            x = decay * x + sd * sqrt(1 - decay * decay) * random_normal(request->seed, RANDOM_AUXILIARY, (uint64_t)gid, draw++);
            low_passed += (transfer_phi1(x) - low_passed) / fmax(filter, 1);
        }
        rows[(int64_t)k * request->columns.count] = p->auxiliary_scale * low_passed * 100; /* per 10 ms to Hz */
    }
}

/** Rank whose block a unit is in. */
static int owner_of(const recorded_state *state, int unit) {
    int low = 0, high = state->ranks;
    while (high - low > 1) {
        int middle = low + (high - low) / 2;
        if (state->firsts[middle] <= unit) low = middle;
        else high = middle;
    }
    return low;
}

/** What ranks exchange: series of units, from the ranks whose blocks they are in to those whose neurons are paired with them. */
typedef struct {
    int *sent, *sent_at, *received, *received_at; /**< [ranks] series to and from each, and where they begin */
    int *place;                                   /**< [of my block] where in what is sent; -1: with no neuron */
    int sends, receives;
} routes;

/** Neurons of a rank are served in pieces, so that what is exchanged is little beside what is held. */
typedef struct { int number, count; } piece;

/** First neuron of a piece of a rank's; that of the next piece is where it ends. */
static int64_t piece_first(const target_request *request, int rank, int number, int count) {
    int64_t first = partition_begin(&request->part, rank), next = partition_begin(&request->part, rank + 1);
    return first + (next - first) * number / count;
}

static routes routes_new(const target_request *request, const recorded_state *state, const int32_t *paired, piece piece) {
    int *table = memory_new(MEMORY_BUFFERS, 4 * (size_t)state->ranks, sizeof(int));
    routes routes = {table, table + state->ranks, table + 2 * state->ranks, table + 3 * state->ranks,
                     .place = memory_new(MEMORY_BUFFERS, (size_t)mine_of(state), sizeof(int))};
    for (int u = 0; u < mine_of(state); u++) routes.place[u] = -1;
    for (int to = 0; to < state->ranks; to++) { /* in the order of neurons */
        routes.sent_at[to] = routes.sends;
        int64_t end = piece_first(request, to, piece.number + 1, piece.count);
        for (int64_t gid = piece_first(request, to, piece.number, piece.count); gid < end; gid++) {
            int unit = paired[gid] - first_of(state);
            if (unit >= 0 && unit < mine_of(state)) routes.place[unit] = routes.sends++;
        }
        routes.sent[to] = routes.sends - routes.sent_at[to];
    }
    int64_t end = piece_first(request, state->rank, piece.number + 1, piece.count);
    for (int64_t gid = piece_first(request, state->rank, piece.number, piece.count); gid < end; gid++)
        if (paired[gid] >= 0) routes.received[owner_of(state, paired[gid])]++;
    for (int from = 0; from < state->ranks; from++) {
        routes.received_at[from] = routes.receives;
        routes.receives += routes.received[from];
    }
    return routes;
}

/** Series of the units of my neurons, those of a rank after the other, each rank's in the order of my neurons. Collective. @return [receives][times] */
static double *exchange_series(const target_request *request, const recorded_state *state, const routes *routes, int task) {
    const table *table = &state->table;
    int mine = mine_of(state), times = table->times;
    double *sent = memory_new(MEMORY_BUFFERS, (size_t)routes->sends * (size_t)times, sizeof(double));
    double *received = memory_new(MEMORY_BUFFERS, (size_t)routes->receives * (size_t)times, sizeof(double));
    for (int t = 0; t < times; t++) {
        const double *row = table->values + ((int64_t)task * times + t) * mine;
        for (int u = 0; u < mine; u++)
            if (routes->place[u] >= 0) sent[(int64_t)routes->place[u] * times + t] = row[u];
    }
    MPI_Datatype series;
    CHECK_MPI(MPI_Type_contiguous(times, MPI_DOUBLE, &series));
    CHECK_MPI(MPI_Type_commit(&series));
    CHECK_MPI(MPI_Alltoallv(sent, routes->sent, routes->sent_at, series, received, routes->received, routes->received_at, series, request->context->comm));
    CHECK_MPI(MPI_Type_free(&series));
    memory_free(sent);
    return received;
}

/** Resample one unit to the instants. @param rows [instants], a row apart */
static void resample(const target_request *request, const recorded_state *state, const double *values, int64_t stride, double *rows) {
    for (int k = 0; k < request->instants; k++)
        rows[(int64_t)k * request->columns.count] =
            table_interpolate(state->table.time, state->table.times, values, stride, state->origin + (k + 1) * request->every);
}

/** A piece of my neurons, from the blocks of a file's units. Collective. */
static void fill_piece(const target_request *request, const recorded_state *state, int task, const int32_t *paired, piece piece, double *rows) {
    routes routes = routes_new(request, state, paired, piece);
    double *received = exchange_series(request, state, &routes, task);
    int64_t end = piece_first(request, state->rank, piece.number + 1, piece.count);
    for (int64_t gid = piece_first(request, state->rank, piece.number, piece.count); gid < end; gid++) {
        if (paired[gid] < 0) continue;
        int64_t place = routes.received_at[owner_of(state, paired[gid])]++;
        resample(request, state, received + place * state->table.times, 1, rows + target_column(&request->columns, (int)(gid - request->part.first)));
    }
    memory_free(received);
    memory_free(routes.place);
    memory_free(routes.sent);
}

/** As many pieces on every rank; of a rank that has more units than others have neurons, as units were dropped, more. */
static int pieces_of(const target_request *request, const recorded_state *state) {
    double neurons = (double)request->part.total / state->ranks, series = neurons;
    for (int rank = 0; rank < state->ranks; rank++) series = fmax(series, state->firsts[rank + 1] - state->firsts[rank]);
    return 1 + (int)fmin(neurons, series * state->table.times * (double)sizeof(double) / TABLE_PIECE_BYTES);
}

status recorded_fill(const target_request *request, const void *parameters, void *raw, int task, const int32_t *paired, double *rows) {
    const recorded_parameters *p = parameters;
    const recorded_state *state = raw;
    bool here = state->draw || state->ranks == 1;
    double *buffer = memory_new(MEMORY_BUFFERS, (size_t)state->table.times, sizeof(double));
    for (int column = 0; column < request->columns.count; column++) {
        int64_t gid = request->part.first + target_neuron(&request->columns, column), stride;
        if (paired[gid] == -2) fill_auxiliary(request, p, state->auxiliary_filter, task, gid, rows + column);
        if (paired[gid] < 0 || !here) continue;
        const double *values = series_of(state, task, paired[gid], buffer, &stride);
        resample(request, state, values, stride, rows + column);
    }
    memory_free(buffer);
    piece piece = {0, here ? 0 : pieces_of(request, state)};
    for (; piece.number < piece.count; piece.number++) fill_piece(request, state, task, paired, piece, rows);
    return STATUS_OK;
}
