/* edges.h5: the synapses of a run, made while they are written, so that it takes no more memory at its end than before. */
#include <string.h>

#include "engram/memory.h"
#include "engram/sonata.h"
#include "patterns.h"

enum { WINDOW = 4 << 20 }; /* static synapses held by target */

/* ---- static: stored by source, written by target ---- */

/** Static synapses of targets first .. end-1, by target. */
typedef struct {
    const static_synapses *synapses;
    int64_t first_gid, excitatory;
    int64_t *start;   /**< [targets+1] first synapse of each target of this rank */
    int64_t *next;    /**< [sources] first synapse of each source that is behind the window */
    int64_t *place;   /**< [targets] where the next synapse of a target goes, while the window is filled */
    int first, end, targets;
    uint32_t *scratch; /**< [largest out-degree] targets of a source */
    blocks_synapse *row; /**< [the same] synapses of a source, where they are in blocks */
    int32_t *source;  /**< [room] */
    double *weight;   /**< [room]; NULL when weights are typed */
    uint16_t *delay;  /**< [room]; NULL when all have the same */
    double dt;        /**< ms */
} static_window;

/** Numbers of synapses, each behind its target, to where each target's begin. */
static int64_t *sums_of(int64_t *start, int targets) {
    for (int i = 0; i < targets; i++) start[i + 1] += start[i];
    return start;
}

static void count_in_blocks(const static_synapses *synapses, int64_t *start) {
    blocks_synapse *row = memory_new(MEMORY_OUTPUT, (size_t)static_largest_out_degree(synapses), sizeof *row);
    for (int64_t j = 0; j < synapses->sources; j++)
        for (int v = 0; v < synapses->blocks->slices; v++)
            for (int k = 0, count = blocks_row(synapses->blocks, v, j, row); k < count; k++) start[row[k].target + 1]++;
    memory_free(row);
}

static int64_t *starts_of(const static_synapses *synapses, int targets, uint32_t *scratch) {
    int64_t *start = memory_new(MEMORY_OUTPUT, (size_t)targets + 1, sizeof(int64_t));
    if (!synapses) return start;
    if (synapses->blocks) {
        count_in_blocks(synapses, start);
        return sums_of(start, targets);
    }
    for (int64_t j = 0; j < synapses->sources; j++) {
        const uint32_t *target = static_targets(synapses, j, scratch);
        for (int64_t k = 0; k < synapses->start[j + 1] - synapses->start[j]; k++) start[target[k] + 1]++;
    }
    return sums_of(start, targets);
}

static static_window *static_window_new(const simulation *sim) {
    const static_synapses *synapses = sim->network.synapses;
    static_window *window = memory_new(MEMORY_OUTPUT, 1, sizeof *window);
    *window = (static_window){.synapses = synapses, .first_gid = sim->part.first, .targets = sim->part.mine, .dt = sim->dt};
    const size_t most = synapses ? (size_t)static_largest_out_degree(synapses) : 0;
    if (synapses && synapses->blocks) window->row = memory_new(MEMORY_OUTPUT, most, sizeof *window->row);
    else if (synapses) window->scratch = memory_new(MEMORY_OUTPUT, most, sizeof(uint32_t));
    window->start = starts_of(synapses, sim->part.mine, window->scratch);
    if (!synapses) return window;
    int64_t count = window->start[window->targets], room = synapses->largest_in_degree > WINDOW ? synapses->largest_in_degree : WINDOW;
    size_t held = (size_t)(count < room ? count : room);
    window->excitatory = synapses->excitatory;
    window->next = memory_new(MEMORY_OUTPUT, (size_t)synapses->sources, sizeof(int64_t));
    window->place = memory_new(MEMORY_OUTPUT, (size_t)window->targets, sizeof(int64_t));
    window->source = memory_new(MEMORY_OUTPUT, held, sizeof(int32_t));
    if (!static_typed(synapses)) window->weight = memory_new(MEMORY_OUTPUT, held, sizeof(double));
    if (synapses->delay || synapses->blocks) window->delay = memory_new(MEMORY_OUTPUT, held, sizeof(uint16_t));
    return window;
}

static void static_window_free(void *self) {
    static_window *window = self;
    memory_free(window->start), memory_free(window->scratch), memory_free(window->row), memory_free(window->next);
    memory_free(window->place), memory_free(window->source), memory_free(window->weight), memory_free(window->delay);
    memory_free(window);
}

static void fill_from_blocks(static_window *window) {
    const static_synapses *synapses = window->synapses;
    for (int64_t j = 0; j < synapses->sources; j++)
        for (int v = 0; v < synapses->blocks->slices; v++) {
            const blocks_slice *slice = &synapses->blocks->slice[v];
            if (slice->first >= window->end || slice->first + slice->count <= window->first) continue;
            for (int k = 0, count = blocks_row(synapses->blocks, v, j, window->row); k < count; k++) {
                const blocks_synapse *synapse = &window->row[k];
                if ((int)synapse->target < window->first || (int)synapse->target >= window->end) continue;
                int64_t at = window->place[synapse->target]++;
                window->source[at] = (int32_t)j;
                window->delay[at] = synapse->delay;
                if (window->weight) window->weight[at] = synapse->weight;
            }
        }
}

static void fill_window(static_window *window) {
    const static_synapses *synapses = window->synapses;
    int64_t begin = window->start[window->first];
    for (int i = window->first; i < window->end; i++) window->place[i] = window->start[i] - begin;
    if (synapses->blocks) {
        fill_from_blocks(window);
        return;
    }
    for (int64_t j = 0; j < synapses->sources; j++) {
        int64_t s = window->next[j], first = synapses->start[j];
        const uint32_t *target = static_targets(synapses, j, window->scratch);
        for (; s < synapses->start[j + 1] && target[s - first] < (uint32_t)window->end; s++) {
            int64_t at = window->place[target[s - first]]++;
            window->source[at] = (int32_t)j;
            if (window->weight) window->weight[at] = synapses->weight[s];
            if (window->delay) window->delay[at] = synapses->delay[s];
        }
        window->next[j] = s;
    }
}

/** The next targets: as many as have room, one at least. The window before the first one is empty and ends at target 0. */
static void advance_window(static_window *window) {
    window->first = window->end++;
    while (window->end < window->targets && window->start[window->end + 1] - window->start[window->first] <= WINDOW) window->end++;
    fill_window(window);
}

static void rewind_window(static_window *window) {
    memcpy(window->next, window->synapses->start, (size_t)window->synapses->sources * sizeof(int64_t));
    window->first = window->end = 0;
}

/** Synapses of the window from @p from on, at most @p count. @return their number; @p at: where in the window they begin */
static int64_t window_stretch(static_window *window, int64_t from, int64_t count, int64_t *at) {
    if (from == 0) rewind_window(window);
    while (window->start[window->end] <= from) advance_window(window);
    *at = from - window->start[window->first];
    return from + count <= window->start[window->end] ? count : window->start[window->end] - from;
}

static void make_static_sources(void *self, int64_t from, int64_t count, uint64_t *ids) {
    static_window *window = self;
    for (int64_t at, here; count > 0; from += here, count -= here, ids += here) {
        here = window_stretch(window, from, count, &at);
        for (int64_t k = 0; k < here; k++) ids[k] = (uint64_t)window->source[at + k];
    }
}

static void make_typed_weights(const static_window *window, int64_t from, int64_t at, int64_t count, double *values) {
    int target = window->first;
    for (int64_t k = 0; k < count; k++) {
        while (window->start[target + 1] <= from + k) target++;
        values[k] = window->synapses->type_weight[window->first_gid + target >= window->excitatory][window->source[at + k] >= window->excitatory];
    }
}

static void make_static_weights(void *self, int64_t from, int64_t count, double *values) {
    static_window *window = self;
    for (int64_t at, here; count > 0; from += here, count -= here, values += here) {
        here = window_stretch(window, from, count, &at);
        if (window->weight) memcpy(values, window->weight + at, (size_t)here * sizeof *values);
        else make_typed_weights(window, from, at, here, values);
    }
}

static void make_static_delays(void *self, int64_t from, int64_t count, double *values) {
    static_window *window = self;
    for (int64_t at, here; count > 0; from += here, count -= here, values += here) {
        here = window_stretch(window, from, count, &at);
        for (int64_t k = 0; k < here; k++) values[k] = window->delay[at + k] * window->dt;
    }
}

/* ---- plastic: stored by group of targets ---- */

/** Where the plastic synapses of a target are. */
typedef struct { int32_t row, group, before; } target_row; /* before: sources of the row that come first and are of the other kind */

/** Plastic synapses from neurons, or from feed-forward units (ids from 0). */
typedef struct {
    const plastic_synapses *plastic;
    int64_t first_id;  /**< of the sources */
    int64_t *start;    /**< [targets+1] first synapse of each target of this rank */
    target_row *of;    /**< [targets]; undefined where there are no synapses */
    int64_t target;    /**< of the last synapse that was made */
    double dt;         /**< ms */
} plastic_columns;

static plastic_columns *plastic_columns_new(const simulation *sim, bool from_units) {
    const plastic_synapses *plastic = sim->plastic;
    size_t targets = (size_t)sim->part.mine;
    plastic_columns *columns = memory_new(MEMORY_OUTPUT, 1, sizeof *columns);
    *columns = (plastic_columns){.plastic = plastic,
                                 .first_id = from_units ? plastic->neurons : 0,
                                 .dt = sim->dt,
                                 .start = memory_new(MEMORY_OUTPUT, targets + 1, sizeof(int64_t)),
                                 .of = memory_new(MEMORY_OUTPUT, targets, sizeof(target_row))};
    for (int g = 0; g < plastic->groups; g++) {
        int count, neurons = 0;
        const int32_t *source = plastic_sources(plastic, g, &count);
        while (neurons < count && source[neurons] < plastic->neurons) neurons++;
        for (int row = plastic->group_row[g]; row < plastic->group_row[g + 1]; row++) {
            columns->of[plastic->row_neuron[row]] = (target_row){row, g, from_units ? neurons : 0};
            columns->start[plastic->row_neuron[row] + 1] = from_units ? count - neurons : neurons;
        }
    }
    for (size_t i = 0; i < targets; i++) columns->start[i + 1] += columns->start[i];
    return columns;
}

static void plastic_columns_free(void *self) {
    plastic_columns *columns = self;
    memory_free(columns->start), memory_free(columns->of), memory_free(columns);
}

/** Synapse @p from and those behind it onto the same target, at most @p count. @return their number; @p first: index of the first one's source in the row */
static int64_t row_stretch(plastic_columns *columns, int64_t from, int64_t count, target_row *row, int64_t *first) {
    if (from == 0) columns->target = 0;
    while (columns->start[columns->target + 1] <= from) columns->target++;
    int64_t end = columns->start[columns->target + 1];
    *row = columns->of[columns->target];
    *first = row->before + from - columns->start[columns->target];
    return from + count < end ? count : end - from;
}

static void make_plastic_sources(void *self, int64_t from, int64_t count, uint64_t *ids) {
    plastic_columns *columns = self;
    target_row row;
    for (int64_t first, here; count > 0; from += here, count -= here, ids += here) {
        here = row_stretch(columns, from, count, &row, &first);
        const int32_t *source = columns->plastic->source + columns->plastic->group_start[row.group] + first;
        for (int64_t k = 0; k < here; k++) ids[k] = (uint64_t)(source[k] - columns->first_id);
    }
}

static void make_plastic_reals(plastic_columns *columns, int64_t from, int64_t count, double *values, double (*value)(const plastic_synapses *, int64_t)) {
    target_row row;
    for (int64_t first, here; count > 0; from += here, count -= here, values += here) {
        here = row_stretch(columns, from, count, &row, &first);
        for (int64_t k = 0; k < here; k++) values[k] = value(columns->plastic, plastic_slot(columns->plastic, row.group, row.row, first + k));
    }
}

static void make_plastic_weights(void *self, int64_t from, int64_t count, double *values) {
    make_plastic_reals(self, from, count, values, plastic_weight);
}

static void make_plastic_initial(void *self, int64_t from, int64_t count, double *values) {
    make_plastic_reals(self, from, count, values, plastic_initial);
}

/** Of neurons as sources: units have none of their own. */
static void make_plastic_delays(void *self, int64_t from, int64_t count, double *values) {
    plastic_columns *columns = self;
    target_row row;
    for (int64_t first, here; count > 0; from += here, count -= here, values += here) {
        here = row_stretch(columns, from, count, &row, &first);
        const int32_t *source = columns->plastic->source + columns->plastic->group_start[row.group] + first;
        for (int64_t k = 0; k < here; k++) values[k] = columns->plastic->delay[source[k]] * columns->dt;
    }
}

/* ---- the populations ---- */

static void add_plastic(const simulation *sim, edge_list *list, bool from_units, int64_t sources) {
    const char *name = from_units ? UNIT_POPULATION : "plastic", *source = from_units ? UNIT_POPULATION : NEURON_POPULATION;
    plastic_columns *columns = plastic_columns_new(sim, from_units);
    edge_add(list,
             (sonata_edges){.population = name,
                            .source_population = source,
                            .target_population = NEURON_POPULATION,
                            .source_neurons = sources,
                            .target_first = sim->part.first,
                            .target_mine = sim->part.mine,
                            .start = columns->start,
                            .self = columns,
                            .sources = make_plastic_sources,
                            .weights = make_plastic_weights,
                            .initial_weights = make_plastic_initial,
                            .delays = sim->plastic->delay && !from_units ? make_plastic_delays : NULL,
                            .delay = sim->dt * (from_units ? 1 : sim->plastic->longest),
                            .wide = !sim->plastic->single},
             plastic_columns_free);
}

static void add_static(const simulation *sim, edge_list *list) {
    static_window *window = static_window_new(sim);
    edge_add(list,
             (sonata_edges){.population = "static",
                            .source_population = NEURON_POPULATION,
                            .target_population = NEURON_POPULATION,
                            .source_neurons = sim->part.total,
                            .target_first = sim->part.first,
                            .target_mine = sim->part.mine,
                            .start = window->start,
                            .self = window,
                            .sources = make_static_sources,
                            .weights = make_static_weights,
                            .delays = window->delay ? make_static_delays : NULL,
                            .delay = sim->dt * (window->synapses ? window->synapses->longest : 1),
                            .wide = 1},
             static_window_free);
}

void patterns_edges(void *self, bool plastic_only, edge_list *list) {
    const simulation *sim = ((patterns *)self)->sim;
    int64_t units = sim->plastic->sources - sim->plastic->neurons;
    if (!plastic_only) add_static(sim, list);
    add_plastic(sim, list, false, sim->part.total);
    if (units > 0) add_plastic(sim, list, true, units);
}
