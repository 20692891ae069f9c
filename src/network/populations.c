/* Populations with names, and projections between them (patterns/README.md 5.1): what Potjans & Diesmann 2014 and most models of the field are made of.
 * Gids are population by population. A target's inputs are a pure function of (seed, projection, target), so a rank makes just its own rows. */
#include "populations.h"

#include <math.h>
#include <string.h>

#include "engram/blocks.h"
#include "engram/memory.h"
#include "engram/sort.h"
#include "engram/utf8.h"

enum { BACKGROUND_POISSON, BACKGROUND_CURRENT };

#define LIST(key, unit, fallback, low, high, help, member)                                                                                                     \
    {key, PARAM_NUMBERS, unit, fallback, low, high, NULL, help, offsetof(populations_parameters, member)}
#define FLAG(key, fallback, help, member) {key, PARAM_FLAG, UNIT_NONE, fallback, 0, 0, NULL, help, offsetof(populations_parameters, member)}
#define SCALE(key, help, member) {key, PARAM_NUMBER, UNIT_NONE, "1", 1e-6, 1e3, NULL, help, offsetof(populations_parameters, member)}
static const param parameters[] = {
    {"names", PARAM_TEXTS, UNIT_NONE, NULL, 0, 0, NULL, "populations, in the order of their gids: [L4E, L4I]", offsetof(populations_parameters, names)},
    LIST("sizes", UNIT_NONE, NULL, 1, 1 << 30, "neurons of each", sizes),
    {"types", PARAM_TEXTS, UNIT_NONE, NULL, 0, 0, "excitatory inhibitory", "of each: the sign of its weights", offsetof(populations_parameters, types)},
    SCALE("scale", "sizes are multiplied by this, in-degrees stay", scale),
    SCALE("input_scale", "in-degrees, and background_inputs, are multiplied by this, weights divided by its square root; full_rates keep mean inputs",
          input_scale),
    LIST("full_rates", UNIT_RATE, "[]", 0, 1e4, "rates of the populations at full size, for the constant input that makes up for another input_scale than 1;"
         " []: none",
         full_rates),
    {"projections", PARAM_PATH, UNIT_NONE, "", 0, 0, NULL,
     "table with a line a projection (CSV): source, target, one of probability, in_degree, out_degree and synapses, weight; if wanted weight_cv, "
     "distribution, delay, delay_sd, delay_low, delay_high, multapses, autapses", offsetof(populations_parameters, projections), MAY_TEST},
    LIST("connections", UNIT_NONE, "[]", 0, PROJECTION_NUMBER_MOST,
         "instead of a table: a number for each projection, row by row, a row for each target, a value for each source; 0: none",
         connections),
    {"wiring", PARAM_CHOICE, UNIT_NONE, "probability", 0, 0, "probability in_degree out_degree synapses",
     "what connections are: the probability that a pair has a synapse, synapses of each target, of each source, or of the projection",
     offsetof(populations_parameters, wiring)},
    LIST("weight", UNIT_NONE, "[]", -PROJECTION_WEIGHT_MOST, PROJECTION_WEIGHT_MOST,
         "of connections: one value, one per source, or one per projection; pA for iaf_psc_exp", weight),
    LIST("weight_cv", UNIT_NONE, "0", 0, PROJECTION_CV_MOST, "standard deviation of weights as a part of their mean; shapes as of weight", weight_cv),
    {"distribution", PARAM_CHOICE, UNIT_NONE, "normal", 0, 0, "normal lognormal", "of weights; normal ones of the wrong sign are drawn again",
     offsetof(populations_parameters, distribution)},
    LIST("delay", UNIT_TIME, "[]", 0, PROJECTION_DELAY_MOST, "of synapses, in whole time steps, at least one; shapes as of weight; []: one time step",
         delay),
    LIST("delay_sd", UNIT_TIME, "0", 0, PROJECTION_DELAY_MOST,
         "delays are drawn from N(delay, delay_sd^2) and clipped at one time step and at delay + 6 delay_sd; shapes as of weight", delay_sd),
    LIST("delay_range", UNIT_TIME, "[]", 0, PROJECTION_DELAY_MOST,
         "instead of delay: drawn evenly between two ends, [low, high]; two values, two per source ([low, high, low, high]), or two per projection",
         delay_range),
    {"weight_precision", PARAM_CHOICE, UNIT_NONE, "double", 0, 0, "double fixed",
     "fixed: rounded to multiples of a power of two, the largest up to 4095 of it, where they are clipped: 4 bytes a synapse, not 12",
     offsetof(populations_parameters, weight_precision)},
    FLAG("multapses", "true", "a pair may have several synapses: probability is then that it has one at least, and their number is that of its expectation",
         multapses),
    FLAG("autapses", "true", "a neuron may connect to itself", autapses),
    {"background", PARAM_CHOICE, UNIT_NONE, "poisson", 0, 0, "poisson current", "input from outside: spikes, or their mean as a constant input",
     offsetof(populations_parameters, background)},
    LIST("background_rate", UNIT_RATE, "0", 0, 1e6, "of each input from outside; one value, or one per population", background_rate),
    LIST("background_inputs", UNIT_NONE, "1", 0, 1e9, "inputs from outside of a neuron; one value, or one per population", background_inputs),
    LIST("background_weight", UNIT_NONE, "0", -1e9, 1e9, "of their synapses; one value, or one per population", background_weight),
    LIST("bias", UNIT_NONE, "0", -1e9, 1e9, "constant input; one value, or one per population", bias),
};
#undef LIST
#undef FLAG
#undef SCALE
static const param_table table = {"populations", "populations with names, projections between them, Poisson background (Potjans & Diesmann 2014)",
                                  parameters, sizeof parameters / sizeof *parameters, sizeof(populations_parameters)};

/* ---- populations ---- */

static status check_lists(const config *config, const populations_parameters *p) {
    const struct { const char *key; int count; bool one, none; } lists[] = {
        {"sizes", p->sizes.count, false, false}, {"types", p->types.count, false, false}, {"full_rates", p->full_rates.count, false, true},
        {"background_rate", p->background_rate.count, true, false}, {"background_inputs", p->background_inputs.count, true, false},
        {"background_weight", p->background_weight.count, true, false}, {"bias", p->bias.count, true, false}};
    status result = STATUS_OK;
    for (size_t k = 0; k < sizeof lists / sizeof *lists; k++) {
        const int count = lists[k].count;
        if (count == p->names.count || (lists[k].one && count == 1) || (lists[k].none && count == 0)) continue;
        result = config_complain(config, "network", lists[k].key, "%d value%s for %d population%s (network.names)", count, count == 1 ? "" : "s",
                                 p->names.count, p->names.count == 1 ? "" : "s");
    }
    return result;
}

static bool is_name(const char *text) {
    for (; *text; text++)
        if (strchr("/,;\"", *text) || utf8_is_control(*text)) return false;
    return true;
}

static status check_names(const config *config, const populations_parameters *p) {
    enum { LONGEST = 63 };
    if (p->names.count == 0) return config_complain(config, "network", "names", "there are no populations");
    if (p->names.count > PROJECTIONS_MOST) return config_complain(config, "network", "names", "more than %d populations", PROJECTIONS_MOST);
    for (int k = 0; k < p->names.count; k++) {
        const char *name = p->names.values[k];
        if (!*name || strlen(name) > LONGEST || !is_name(name))
            return config_complain(config, "network", "names", "'%.80s': a name has 1 to %d letters, without / , ; \", tabs and other control characters", name,
                                   LONGEST);
        for (int other = 0; other < k; other++)
            if (strcmp(name, p->names.values[other]) == 0) return config_complain(config, "network", "names", "two populations have the name '%s'", name);
    }
    return STATUS_OK;
}

/** Sizes, types and borders. */
static status settle_populations(const config *config, const populations_parameters *p, network_settings *settings, projections *all) {
    cells *cells = &settings->cells;
    all->populations = p->names.count;
    all->name = p->names.values;
    all->full = memory_new(MEMORY_BUFFERS, (size_t)all->populations, sizeof *all->full);
    all->inputs = memory_new(MEMORY_BUFFERS, (size_t)all->populations, sizeof *all->inputs);
    all->inhibitory = memory_new(MEMORY_BUFFERS, (size_t)all->populations, sizeof *all->inhibitory);
    int64_t *border = memory_new(MEMORY_STATE, (size_t)all->populations + 1, sizeof *border);
    all->border = border;
    cells->populations = all->populations;
    cells->border = border;
    for (int k = 0; k < all->populations; k++) {
        const double size = p->sizes.values[k];
        const int64_t scaled = llround(size * p->scale);
        if (size != floor(size)) return config_complain(config, "network", "sizes", "%g is no whole number", size);
        if (scaled < 1) return config_complain(config, "network", "scale", "leaves no neuron of %s", all->name[k]);
        all->full[k] = (int64_t)size;
        all->inhibitory[k] = strcmp(p->types.values[k], "inhibitory") == 0;
        border[k + 1] = border[k] + scaled;
    }
    if (border[all->populations] > 1 << 30) return config_complain(config, "network", "sizes", "more than 2^30 neurons");
    return STATUS_OK;
}

/** Which neurons are excitatory; in the simple form if those come first. */
static void settle_cells(network_settings *settings, const projections *all) {
    cells *cells = &settings->cells;
    const int64_t total = all->border[all->populations];
    uint8_t *inhibitory = memory_new(MEMORY_STATE, (size_t)total, 1);
    int64_t first = 0;
    cells->excitatory = 0;
    for (int k = 0; k < all->populations; k++) {
        memset(inhibitory + all->border[k], all->inhibitory[k], (size_t)(all->border[k + 1] - all->border[k]));
        cells->excitatory += all->inhibitory[k] ? 0 : all->border[k + 1] - all->border[k];
    }
    while (first < total && !inhibitory[first]) first++;
    if (first == cells->excitatory) {
        memory_free(inhibitory);
        inhibitory = NULL;
    }
    cells->inhibitory = inhibitory;
    cells->total = settings->neurons = total;
    settings->excitatory_fraction = (double)cells->excitatory / (double)total;
}

static status check_background(const config *config, const populations_parameters *p, const projections *all, double dt) {
    for (int k = 0; k < all->populations && p->background == BACKGROUND_POISSON; k++) {
        const double mean = population_value(&p->background_rate, k) * population_value(&p->background_inputs, k) * p->input_scale * dt / 1000;
        if (mean > BACKGROUND_MOST)
            return config_complain(config, "network", "background_rate",
                                   "%g spikes in a step onto a neuron of %s; at most %d are supported: background: current is their mean", mean,
                                   all->name[k], BACKGROUND_MOST);
    }
    return STATUS_OK;
}

static status count(const context *context, const config *config, void *raw, network_settings *settings, double dt) {
    const populations_parameters *p = raw;
    const int64_t wanted = settings->neurons;
    status result = status_worse(check_names(config, p), check_lists(config, p));
    if (result == STATUS_OK) {
        settings->projections = memory_new(MEMORY_BUFFERS, 1, sizeof *settings->projections);
        result = settle_populations(config, p, settings, settings->projections);
    }
    if ((result = status_agree(context, result)) != STATUS_OK) return result;
    result = status_worse(projections_read(context, config, p, dt, settings->projections), check_background(config, p, settings->projections, dt));
    const int64_t total = settings->cells.border[settings->cells.populations];
    if (result == STATUS_OK && wanted != PARAM_AUTO_INTEGER && wanted != total)
        result = config_complain(config, "network", "neurons", "%lld, but the populations have %lld", (long long)wanted, (long long)total);
    if (result == STATUS_OK) settle_cells(settings, settings->projections);
    return status_agree(context, result);
}

/* ---- synapses ---- */

/** What synapses are made of. */
typedef struct {
    const network *network;
    const projections *all;
    const drawn_projection *drawn; /* [all->count] */
    const int64_t *start;          /* [mine+1] synapses of the rank's targets before */
    synapse_law law;
    int32_t *of_source;            /* [all->count] projections by source, those of a source by target, in their order */
    int32_t *source_start;         /* [populations+1] where those of a source begin */
    uint16_t *mark;                /* [all->count] how many there are before of the same two populations */
    projection_draw_into into;     /* for the largest degree */
} synapse_maker;

/** Synapses of the targets before. @return [mine+1], owned */
static int64_t *starts(const projections *all, const drawn_projection *drawn, int mine) {
    int64_t *start = memory_new(MEMORY_BUFFERS, (size_t)mine + 1, sizeof *start);
    for (int k = 0; k < all->count; k++)
        for (int i = 0; i < drawn[k].targets; i++) start[drawn[k].first + i + 1] += drawn[k].degree[i];
    for (int i = 0; i < mine; i++) start[i + 1] += start[i];
    return start;
}

static int32_t largest_degree(const projections *all, const drawn_projection *drawn) {
    int32_t largest = 0;
    for (int k = 0; k < all->count; k++)
        for (int i = 0; i < drawn[k].targets; i++)
            if (drawn[k].degree[i] > largest) largest = drawn[k].degree[i];
    return largest;
}

static void order_by_source(const projections *all, synapse_maker *maker) {
    const size_t count = (size_t)all->count;
    int64_t *key = memory_new(MEMORY_BUFFERS, count, sizeof *key);
    maker->of_source = memory_new(MEMORY_BUFFERS, count, sizeof *maker->of_source);
    maker->source_start = memory_new(MEMORY_BUFFERS, (size_t)all->populations + 1, sizeof *maker->source_start);
    maker->mark = memory_new(MEMORY_BUFFERS, count, sizeof *maker->mark);
    for (size_t k = 0; k < count; k++) key[k] = ((int64_t)all->all[k].source << 16 | all->all[k].target) << 16 | (int64_t)k;
    sort_integers(key, all->count);
    for (size_t n = 0; n < count; n++) {
        const int k = maker->of_source[n] = (int32_t)(key[n] & 0xffff);
        if (n > 0 && key[n] >> 16 == key[n - 1] >> 16) maker->mark[k] = (uint16_t)(maker->mark[maker->of_source[n - 1]] + 1);
        maker->source_start[all->all[k].source + 1]++;
    }
    for (int p = 0; p < all->populations; p++) maker->source_start[p + 1] += maker->source_start[p];
    memory_free(key);
}

static synapse_maker maker_new(const network *network, const projections *all, double scale) {
    synapse_maker maker = {.network = network, .all = all, .law = {.all = all, .seed = network->seed, .dt = network->dt, .scale = scale}};
    drawn_projection *drawn = memory_new(MEMORY_BUFFERS, (size_t)all->count, sizeof *drawn);
    for (int k = 0; k < all->count; k++) drawn[k] = projection_draw(all, k, network->part, network->seed);
    const size_t most = (size_t)largest_degree(all, drawn);
    maker.drawn = drawn;
    maker.start = starts(all, drawn, network->part.mine);
    maker.into = (projection_draw_into){.seed = network->seed, .scratch = memory_new(MEMORY_BUFFERS, most, sizeof *maker.into.scratch),
                                        .source = memory_new(MEMORY_BUFFERS, most, sizeof *maker.into.source)};
    order_by_source(all, &maker);
    return maker;
}

static void maker_clear(synapse_maker *maker) {
    drawn_projection *drawn = (drawn_projection *)(uintptr_t)maker->drawn;
    for (int k = 0; k < maker->all->count; k++) drawn_projection_free(&drawn[k]);
    memory_free(drawn), memory_free((int64_t *)(uintptr_t)maker->start);
    memory_free(maker->into.scratch), memory_free(maker->into.source);
    memory_free(maker->of_source), memory_free(maker->source_start), memory_free(maker->mark);
}

/** Their weights and delays are drawn by source (draw()). */
static void deal(void *of, int first, int count, blocks_rows *kept) {
    synapse_maker *maker = of;
    for (int i = first; i < first + count; i++) {
        maker->into.gid = maker->network->part.first + i;
        for (int k = 0; k < maker->all->count; k++) {
            const drawn_projection *drawn = &maker->drawn[k];
            const int target = i - drawn->first;
            if (target < 0 || target >= drawn->targets) continue;
            projection_sources(maker->all, k, drawn, target, &maker->into);
            blocks_rows_take(kept, i - first, maker->mark[k], maker->into.source, drawn->degree[target]);
        }
    }
}

static void draw(void *of, int64_t source, int first, const uint32_t *dealt, int count, uint16_t *delay, double *weight) {
    enum { SOME = 512 };
    const synapse_maker *maker = of;
    const projections *all = maker->all;
    const int32_t *onto = maker->of_source + maker->source_start[population_of(maker->network->cells, source)]; /* of the target's population */
    const int64_t begins = maker->network->part.first + first;
    random_place place[SOME];
    uint64_t before = PLACE_NONE;
    int64_t border = count ? all->border[all->all[*onto].target + 1] : 0;
    for (int k = 0; k < count && k < SOME; k++) place[k].id = (uint64_t)source;
    for (int begin = 0; begin < count; begin += SOME) {
        const int some = count - begin < SOME ? count - begin : SOME;
        for (int k = 0; k < some; k++) {
            const int64_t target = begins + blocks_dealt_target(dealt[begin + k]);
            for (; target >= border; border = all->border[all->all[*onto].target + 1]) onto++;
            place[k].counter = before = projection_counter(onto[blocks_dealt_mark(dealt[begin + k])], target, before);
        }
        projection_synapses(&maker->law, place, some, weight + begin, delay + begin);
    }
}

/** Sources of a target ascend. */
static void make_row(const synapse_maker *maker, int k, int i, synapse_rows *rows, int64_t at) {
    const drawn_projection *drawn = &maker->drawn[k];
    const int count = drawn->degree[i];
    const int64_t gid = maker->network->part.first + drawn->first + i;
    random_place *place = memory_new(MEMORY_BUFFERS, (size_t)count, sizeof *place);
    projection_draw_into into = maker->into;
    into.gid = gid;
    projection_sources(maker->all, k, drawn, i, &into);
    for (int d = 0; d < count; d++) into.scratch[d] = into.source[d];
    sort_integers(into.scratch, count);
    for (int d = 0; d < count; d++) {
        const bool twin = d > 0 && into.scratch[d] == into.scratch[d - 1];
        rows->source[at + d] = (int32_t)into.scratch[d];
        place[d] = (random_place){projection_counter(k, gid, twin ? place[d - 1].counter : PLACE_NONE), (uint64_t)into.scratch[d]};
    }
    projection_synapses(&maker->law, place, count, rows->weight + at, rows->delay ? rows->delay + at : NULL);
    const double unit = maker->all->weight_unit;
    for (int d = 0; d < count && unit > 0; d++) rows->weight[at + d] = unit * blocks_units(rows->weight[at + d], unit);
    memory_free(place);
}

static synapse_rows make_rows(void *of) {
    const synapse_maker *maker = of;
    const int mine = maker->network->part.mine;
    const size_t count = (size_t)maker->start[mine];
    synapse_rows rows = {.targets = mine, .longest = maker->all->longest, .start = memory_new(MEMORY_BUFFERS, (size_t)mine + 1, sizeof *rows.start)};
    memcpy(rows.start, maker->start, ((size_t)mine + 1) * sizeof *rows.start);
    rows.source = memory_new(MEMORY_BUFFERS, count, sizeof *rows.source);
    rows.weight = memory_new(MEMORY_BUFFERS, count, sizeof *rows.weight);
    if (maker->all->own_delays) rows.delay = memory_new(MEMORY_BUFFERS, count, sizeof *rows.delay);
    int64_t *next = memory_new(MEMORY_BUFFERS, (size_t)mine + 1, sizeof *next);
    memcpy(next, maker->start, ((size_t)mine + 1) * sizeof *next);
    for (int k = 0; k < maker->all->count; k++)
        for (int i = 0; i < maker->drawn[k].targets; i++) {
            const int local = maker->drawn[k].first + i;
            make_row(maker, k, i, &rows, next[local]);
            next[local] += maker->drawn[k].degree[i];
        }
    memory_free(next);
    return rows;
}

/* ---- input from outside ---- */

/** What input_scale takes from the mean input of a population, given the rates of the network at full size. */
static double compensation(const network *network, const populations_parameters *p, const network_settings *settings, int population) {
    const projections *all = settings->projections;
    const double outside = population_value(&p->background_rate, population) * population_value(&p->background_inputs, population) *
                           population_value(&p->background_weight, population);
    if (p->full_rates.count == 0 || p->input_scale == 1) return 0;
    double input = outside * network_area(network, outside > 0 ? settings->tau_excitatory : settings->tau_inhibitory);
    for (int k = 0; k < all->count; k++) {
        const projection *one = &all->all[k];
        const double area = network_area(network, one->weight > 0 ? settings->tau_excitatory : settings->tau_inhibitory);
        if (one->target == population) input += one->weight * projection_full_in_degree(all, one) * p->full_rates.values[one->source] * area;
    }
    return (1 - sqrt(p->input_scale)) * input / 1000;
}

static void give_input(network *network, const populations_parameters *p, const network_settings *settings) {
    const projections *all = settings->projections;
    background_stretch *stretches = memory_new(MEMORY_BUFFERS, (size_t)all->populations, sizeof *stretches);
    int sources = 0;
    for (int k = 0; k < all->populations; k++) {
        const int64_t first = network->part.first, past = first + network->part.mine;
        const int64_t from = all->border[k] > first ? all->border[k] : first, to = all->border[k + 1] < past ? all->border[k + 1] : past;
        const double rate = population_value(&p->background_rate, k) * population_value(&p->background_inputs, k) * p->input_scale / 1000; /* per ms */
        const double weight = population_value(&p->background_weight, k) / sqrt(p->input_scale);
        const double mean = rate * weight * network_area(network, weight > 0 ? settings->tau_excitatory : settings->tau_inhibitory);
        const double bias = population_value(&p->bias, k) + compensation(network, p, settings, k) + (p->background == BACKGROUND_CURRENT ? mean : 0);
        for (int64_t gid = from; gid < to; gid++) network->bias[gid - first] = bias;
        if (p->background == BACKGROUND_POISSON && rate * weight != 0 && from < to)
            stretches[sources++] = (background_stretch){.first = (int)(from - first), .end = (int)(to - first), .mean = rate * network->dt, .weight = weight};
    }
    if (sources) network->background = background_new(stretches, sources, network->part.first, network->seed);
    memory_free(stretches);
}

/** May excitatory and inhibitory input be one sum? */
static bool together(const projections *all, const network_settings *settings) {
    return all->weight_unit > 0 && settings->tau_excitatory == settings->tau_inhibitory;
}

static status build(const context *context, const config *config, const void *raw, network *network) {
    (void)context;
    const populations_parameters *p = raw;
    const network_settings *settings = config_common((struct config *)(uintptr_t)config, "network");
    const projections *all = settings->projections;
    synapse_maker maker = maker_new(network, all, projections_scale(p));
    network->synapses = static_from_parts(&(static_parts){.of = &maker, .make = make_rows, .deal = deal, .draw = draw, .start = maker.start,
                                                          .sources = network->part.total, .excitatory = network->cells->excitatory,
                                                          .targets = network->part.mine, .longest = all->longest, .own_delays = all->own_delays,
                                                          .unit = all->weight_unit, .together = together(all, settings)});
    maker_clear(&maker);
    for (int k = 0; k < all->count; k++)
        network->in_degree += all->all[k].in_degree * (double)population_size(all, all->all[k].target) / (double)network->part.total / 2;
    give_input(network, p, settings);
    return STATUS_OK;
}

/* ---- what it will need ---- */

static status size(const config *config, const void *raw, const network_settings *settings, network_size *size) {
    (void)config;
    const populations_parameters *p = raw;
    const projections *all = settings->projections;
    double square = 0, synapses = 0, background = 0;
    const double total = (double)settings->cells.total;
    for (int target = 0; target < all->populations; target++) {
        const double inputs = all->inputs[target];
        double variance = 0;
        for (int k = 0; k < all->count; k++) {
            const projection *one = &all->all[k];
            if (one->target == target && one->wiring != WIRING_IN_DEGREE) variance += one->in_degree;
        }
        const double part = (double)population_size(all, target);
        synapses += part * inputs;
        square += part * (inputs * inputs + variance);
        if (p->background == BACKGROUND_POISSON)
            background += part * population_value(&p->background_rate, target) * population_value(&p->background_inputs, target);
    }
    size->any = true;
    size->longest = all->longest;
    size->least = all->least;
    size->own_delays = all->own_delays;
    size->weight_unit = all->weight_unit, size->together = together(all, settings);
    size->inputs = synapses / total;
    size->variance = fmax(0, square / total - size->inputs * size->inputs);
    size->in_degree = size->inputs / 2;
    size->population_inputs = all->inputs;
    size->background = background / total * p->input_scale / 1000;
    return STATUS_OK;
}

const network_kind network_populations = {.parameters = &table, .count = count, .build = build, .size = size};
