#include "share.h"

#include <math.h>
#include <string.h>

#include "engram/feedforward.h"
#include "engram/memory.h"
#include "engram/run_settings.h"
#include "build.h"

/* ---- what neurons cost, in ns on a core of these years: only ratios matter, and those by halves ---- */

static const double RATE = 5;            /* Hz */
static const double NEURON = 1, BACKGROUND = 1, DRIVE = 1.5, EVENT = 1.1;
static const double INSTANT = 100, SQUARE = 0.05; /* of P: an instant, and K^2 times */
static const double ROW = 50;            /* of a neuron that shares P */

/** ns of an instant, per neuron. */
static double instant(const plastic_size *plastic, double inputs) {
    const double of_p = INSTANT + SQUARE * inputs * inputs;
    return plastic->group_size > 1 ? of_p / (double)plastic->group_size + ROW : of_p;
}

/* ---- who learns ---- */

enum { LEARNS = 1, MAY_LEARN = 2, HAS_TARGET = 4, MAY_HAVE_TARGET = 8 };

/** Of each neuron whether it learns and has a target, or may: which of the neurons that come into question have a recorded unit may be known after the
 *  baseline run only.
 *  @param targets paired, if need be as if no neuron had fired @return [N] owned */
static uint8_t *find_learners(config *config, const targets *targets) {
    const network_settings *network = config_common(config, "network");
    const cells *cells = &network->cells;
    const bool by_rate = targets->kind->pair && targets->kind->needs && (targets->kind->needs(targets->parameters) & NEEDS_ACTIVITY);
    uint8_t *all = memory_new(MEMORY_BUFFERS, (size_t)cells->total, 1);
    for (int64_t gid = 0; gid < cells->total; gid++) {
        const bool learns = build_learns(config, targets, gid);
        const bool may = by_rate && (network->learns ? network_may_learn(network, gid) : cell_is_excitatory(cells, gid));
        const bool has = targets_has(targets, gid);
        all[gid] = (uint8_t)((learns ? LEARNS : 0) | (learns || may ? MAY_LEARN : 0) | (has ? HAS_TARGET : 0) | (has || may ? MAY_HAVE_TARGET : 0));
    }
    return all;
}

static int64_t count(const uint8_t *all, int64_t begin, int64_t end, uint8_t what) {
    int64_t sum = 0;
    for (int64_t gid = begin; gid < end; gid++) sum += (all[gid] & what) != 0;
    return sum;
}

/** A property of neurons of which it is known how many have it, but not of all that may which. */
typedef struct {
    uint8_t mark;     /**< of those that may */
    int64_t may, sum; /**< neurons that may have it, and that have it */
} expected;

static expected expect(const cells *cells, const uint8_t *all, uint8_t has, uint8_t may) {
    return (expected){may, count(all, 0, cells->total, may), count(all, 0, cells->total, has)};
}

static double expect_in(const expected *what, const uint8_t *all, int64_t begin, int64_t end) {
    return what->may ? (double)count(all, begin, end, what->mark) * (double)what->sum / (double)what->may : 0;
}

/** Where the stretch that begins at @p begin ends: of one population, of neurons that all may learn, or all do not, or @p whole: of one population. */
static int64_t stretch_end(const cells *cells, const uint8_t *all, int64_t begin, bool whole) {
    const int64_t most = cells->populations ? cells->border[population_of(cells, begin) + 1] : cells->total;
    int64_t end = whole ? most : begin + 1;
    while (end < most && (all[end] & MAY_LEARN) == (all[begin] & MAY_LEARN)) end++;
    return end;
}

/** Stretches of neurons that are alike; where those that learn are too scattered for that, whole populations. */
static void read_stretches(const cells *cells, const uint8_t *all, const network_size *size, share_costs *costs) {
    enum { MOST = 4096 };
    const expected learn = expect(cells, all, LEARNS, MAY_LEARN), targets = expect(cells, all, HAS_TARGET, MAY_HAVE_TARGET);
    int64_t stretches = 0;
    for (int64_t at = 0; at < cells->total && stretches <= MOST; at = stretch_end(cells, all, at, false)) stretches++;
    const bool whole = stretches > MOST;
    bool alike = true;
    int room = 0;
    for (int64_t at = 0, end; at < cells->total; at = end) {
        end = stretch_end(cells, all, at, whole);
        if (costs->count == room) costs->stretch = memory_resize(MEMORY_BUFFERS, costs->stretch, (size_t)(room = 2 * room + 8), sizeof *costs->stretch);
        const double here = expect_in(&learn, all, at, end), neurons = (double)(end - at);
        const double inputs = cells->populations && size->population_inputs ? size->population_inputs[population_of(cells, at)] : size->inputs;
        costs->stretch[costs->count++] = (share_stretch){.end = end, .inputs = inputs, .learns = here / neurons,
                                                         .targets = expect_in(&targets, all, at, end) / neurons};
        costs->apart += here;
        alike = alike && costs->stretch[costs->count - 1].learns == costs->stretch[0].learns;
    }
    if (alike) costs->apart = 0;
}

share_costs share_read(config *config, const share_sizes *sizes, const targets *targets) {
    const simulation_settings *simulation = config_common(config, "simulation");
    const learning_settings *learning = config_common(config, "learning");
    share_costs costs = {.neuron = NEURON + (sizes->network.background > 0 ? BACKGROUND : 0), .input = EVENT * RATE * simulation->dt / 1000,
                         .learns = DRIVE + instant(&sizes->plastic, sizes->inputs) * simulation->dt / learning->every};
    uint8_t *all = find_learners(config, targets);
    read_stretches(&((const network_settings *)config_common(config, "network"))->cells, all, &sizes->network, &costs);
    memory_free(all);
    costs.uneven = costs.apart > 0 && sizes->inputs > 0 && sizes->rule.store && !sizes->rule.store->divided;
    return costs;
}

void share_clear(share_costs *costs) {
    memory_free(costs->stretch);
    *costs = (share_costs){0};
}

/* ---- blocks ---- */

static void equal_blocks(int64_t total, int64_t ranks, int64_t *bounds) {
    for (int64_t rank = 0; rank <= ranks; rank++) bounds[rank] = partition_first(total, (int)ranks, (int)rank);
}

/** Blocks of equal sums of @p weight [count], which all neurons of a stretch have. */
static void weighted_blocks(const share_costs *costs, const double *weight, int64_t ranks, int64_t *bounds) {
    double all = 0, before = 0; /* of all, and of stretches before */
    int64_t begin = 0, rank = 0;
    for (int s = 0; s < costs->count; s++) all += weight[s] * (double)(costs->stretch[s].end - (s ? costs->stretch[s - 1].end : 0));
    for (int s = 0; s < costs->count; s++) {
        const int64_t end = costs->stretch[s].end;
        const double sum = weight[s] * (double)(end - begin);
        for (; rank < ranks && all * (double)rank / (double)ranks < before + sum; rank++) {
            const int64_t at = begin + llround((all * (double)rank / (double)ranks - before) / weight[s]);
            bounds[rank] = at < end ? at : end;
        }
        before += sum, begin = end;
    }
    for (; rank <= ranks; rank++) bounds[rank] = begin;
}

share_most share_measure(const share_costs *costs, int64_t begin, int64_t end, int *s) {
    share_most block = {.neurons = end - begin};
    for (int64_t at = begin, next; at < end; at = next) {
        while (costs->stretch[*s].end <= at) ++*s;
        const share_stretch *stretch = &costs->stretch[*s];
        next = stretch->end < end ? stretch->end : end;
        block.inputs += stretch->inputs * (double)(next - at);
        block.learning += stretch->learns * (double)(next - at);
        block.targets += stretch->targets * (double)(next - at);
    }
    return block;
}

share_most share_find_most(const share_costs *costs, int64_t ranks, const int64_t *bounds) {
    share_most most = {0};
    int s = 0;
    for (int64_t rank = 0; rank < ranks; rank++) {
        const share_most block = share_measure(costs, bounds[rank], bounds[rank + 1], &s);
        if (block.neurons > most.neurons) most.neurons = block.neurons;
        most.inputs = fmax(most.inputs, block.inputs), most.learning = fmax(most.learning, block.learning), most.targets = fmax(most.targets, block.targets);
    }
    return most;
}

void share_find_fullest(const share_costs *costs, int64_t ranks, const int64_t *bounds, share_most *largest, share_most *learning) {
    int s = 0;
    *largest = *learning = (share_most){0};
    for (int64_t rank = 0; rank < ranks; rank++) {
        const share_most block = share_measure(costs, bounds[rank], bounds[rank + 1], &s);
        if (block.neurons > largest->neurons || (block.neurons == largest->neurons && block.learning > largest->learning)) *largest = block;
        if (block.learning > learning->learning || (block.learning == learning->learning && block.neurons > learning->neurons)) *learning = block;
    }
}

static double seconds_of(const share_costs *costs, int64_t ranks, const int64_t *bounds) {
    const share_most most = share_find_most(costs, ranks, bounds);
    return (double)most.neurons * costs->neuron + most.inputs * costs->input + most.learning * costs->learns;
}

void share_out(const share_costs *costs, int64_t ranks, int64_t *bounds) {
    enum { MIXTURES = 16 }; /* of plain steps and of learning, by which blocks are made equal */
    equal_blocks(costs->count ? costs->stretch[costs->count - 1].end : 0, ranks, bounds);
    if (!costs->uneven || ranks == 1) return;
    double best = 0.98 * seconds_of(costs, ranks, bounds), plain = 0, learning = 0, *weight = memory_new(MEMORY_BUFFERS, (size_t)costs->count, sizeof *weight);
    int64_t *some = memory_new(MEMORY_BUFFERS, (size_t)ranks + 1, sizeof *some);
    for (int s = 0; s < costs->count; s++) {
        const double neurons = (double)(costs->stretch[s].end - (s ? costs->stretch[s - 1].end : 0));
        plain += neurons * (costs->neuron + costs->input * costs->stretch[s].inputs);
        learning += costs->stretch[s].learns * neurons;
    }
    for (int k = 0; k < MIXTURES; k++) {
        const double part = (double)k / MIXTURES;
        for (int s = 0; s < costs->count; s++)
            weight[s] = (1 - part) * (costs->neuron + costs->input * costs->stretch[s].inputs) / plain + costs->stretch[s].learns * part / learning;
        weighted_blocks(costs, weight, ranks, some);
        const double takes = seconds_of(costs, ranks, some);
        if (takes < best) best = takes, memcpy(bounds, some, ((size_t)ranks + 1) * sizeof *some);
    }
    memory_free(weight);
    memory_free(some);
}

status share_read_sizes(config *config, share_sizes *sizes) {
    const network_settings *network = config_common(config, "network");
    const network_kind *kind = network_kinds[config_variant_index(config, "network")];
    const plastic_kind *plastic = plastic_kinds[config_variant_index(config, "plastic")];
    const learning_rule *rule = learning_rules[config_variant_index(config, "learning")];
    *sizes = (share_sizes){.plastic.group_size = 1};
    status result = kind->size ? kind->size(config, config_variant(config, "network"), network, &sizes->network) : STATUS_OK;
    if (result == STATUS_OK && plastic->size) result = plastic->size(config, config_variant(config, "plastic"), network, &sizes->network, &sizes->plastic);
    sizes->inputs = sizes->plastic.inputs + (double)((const feedforward_settings *)config_common(config, "feedforward"))->units;
    if (result == STATUS_OK && rule->size)
        result = rule->size(config, config_variant(config, "learning"), sizes->plastic.shared, llround(sizes->inputs), &sizes->rule);
    return result;
}

status share_pair_in_silence(const target_request *request, targets *targets) {
    target_request silent = *request;
    uint32_t *activity = memory_new(MEMORY_BUFFERS, (size_t)request->part.total, sizeof *activity);
    silent.activity = activity;
    const status result = targets_pair(&silent, targets);
    memory_free(activity);
    return result;
}

partition share_part(const target_request *request, targets *targets, int64_t **bounds) {
    const context *context = request->context;
    share_sizes sizes;
    share_costs costs = {0};
    *bounds = NULL;
    if (context->rank == 0 && context->ranks > 1) { /* alone: processors that round in other ways might disagree */
        if (share_read_sizes(request->config, &sizes) == STATUS_OK && share_pair_in_silence(request, targets) == STATUS_OK)
            costs = share_read(request->config, &sizes, targets);
        else status_forget(); /* what is wrong is said later */
        memory_free(targets->unit);
        targets->unit = NULL;
    }
    int uneven = costs.uneven;
    CHECK_MPI(MPI_Bcast(&uneven, 1, MPI_INT, 0, context->comm));
    if (uneven) {
        *bounds = memory_new(MEMORY_STATE, (size_t)context->ranks + 1, sizeof **bounds);
        if (context->rank == 0) share_out(&costs, context->ranks, *bounds);
        CHECK_MPI(MPI_Bcast(*bounds, context->ranks + 1, MPI_INT64_T, 0, context->comm));
    }
    share_clear(&costs);
    return partition_by(context, request->part.total, *bounds);
}

void share_tell(const context *context, const partition *part, const uint8_t *trained) {
    int64_t least = part->total, most = 0;
    for (int rank = 0; part->bounds && rank < part->ranks; rank++) {
        const int64_t learn = count(trained, part->bounds[rank], part->bounds[rank + 1], 1), mine = part->bounds[rank + 1] - part->bounds[rank];
        least = mine < least ? mine : least, most = learn > most ? learn : most;
    }
    if (part->bounds && partition_largest(part) > least + 1)
        log_line(context, "ranks: %lld to %lld neurons each, %lld of those that learn at most: their gids are side by side", (long long)least,
                 (long long)partition_largest(part), (long long)most);
}
