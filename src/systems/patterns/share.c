#include "share.h"

#include <math.h>
#include <string.h>

#include "engram/feedforward.h"
#include "engram/memory.h"
#include "engram/run_settings.h"

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

/** Stretches of neurons that are alike. */
static void read_stretches(config *config, const network_size *size, share_costs *costs) {
    const network_settings *network = config_common(config, "network");
    const plastic_settings *plastic = config_common(config, "plastic");
    const cells *cells = &network->cells;
    const bool excitatory = plastic_trained(plastic) == TRAINED_EXCITATORY && !cells->inhibitory, by_population = cells->populations && !excitatory;
    costs->count = by_population ? cells->populations : excitatory ? 2 : 1;
    costs->stretch = memory_new(MEMORY_BUFFERS, (size_t)costs->count, sizeof *costs->stretch);
    int learn = 0;
    for (int s = 0; s < costs->count; s++) {
        const bool learns = network->learns ? network->learns[s] : !excitatory || s == 0;
        costs->stretch[s] = (share_stretch){.end = by_population ? cells->border[s + 1] : s == 0 && excitatory ? cells->excitatory : cells->total,
                                            .inputs = by_population && size->population_inputs ? size->population_inputs[s] : size->inputs, .learns = learns};
        learn += learns;
        costs->apart += learns ? (double)(costs->stretch[s].end - (s ? costs->stretch[s - 1].end : 0)) : 0;
    }
    if (learn == costs->count) costs->apart = 0;
}

share_costs share_read(config *config, const share_sizes *sizes) {
    const simulation_settings *simulation = config_common(config, "simulation");
    const learning_settings *learning = config_common(config, "learning");
    share_costs costs = {.neuron = NEURON + (sizes->network.background > 0 ? BACKGROUND : 0), .input = EVENT * RATE * simulation->dt / 1000,
                         .learns = DRIVE + instant(&sizes->plastic, sizes->inputs) * simulation->dt / learning->every};
    read_stretches(config, &sizes->network, &costs);
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

share_most share_find_most(const share_costs *costs, int64_t ranks, const int64_t *bounds) {
    share_most most = {0};
    int s = 0;
    for (int64_t rank = 0; rank < ranks; rank++) {
        double inputs = 0, learning = 0;
        for (int64_t at = bounds[rank]; at < bounds[rank + 1];) {
            while (costs->stretch[s].end <= at) s++;
            const int64_t end = costs->stretch[s].end < bounds[rank + 1] ? costs->stretch[s].end : bounds[rank + 1];
            inputs += costs->stretch[s].inputs * (double)(end - at);
            learning += costs->stretch[s].learns ? (double)(end - at) : 0;
            at = end;
        }
        if (bounds[rank + 1] - bounds[rank] > most.neurons) most.neurons = bounds[rank + 1] - bounds[rank];
        most.inputs = fmax(most.inputs, inputs), most.learning = fmax(most.learning, learning);
    }
    return most;
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
        learning += costs->stretch[s].learns ? neurons : 0;
    }
    for (int k = 0; k < MIXTURES; k++) {
        const double part = (double)k / MIXTURES;
        for (int s = 0; s < costs->count; s++)
            weight[s] = (1 - part) * (costs->neuron + costs->input * costs->stretch[s].inputs) / plain + (costs->stretch[s].learns ? part / learning : 0);
        weighted_blocks(costs, weight, ranks, some);
        const double takes = seconds_of(costs, ranks, some);
        if (takes < best) best = takes, memcpy(bounds, some, ((size_t)ranks + 1) * sizeof *some);
    }
    memory_free(weight);
    memory_free(some);
}

/** @return whether they are known: what is wrong with a configuration is said later */
static bool read_sizes(config *config, share_sizes *sizes) {
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
    if (result != STATUS_OK) status_forget();
    return result == STATUS_OK;
}

static void tell(const context *context, const share_costs *costs, const int64_t *bounds) {
    int64_t least = bounds[1] - bounds[0];
    for (int rank = 1; rank < context->ranks; rank++) least = bounds[rank + 1] - bounds[rank] < least ? bounds[rank + 1] - bounds[rank] : least;
    const share_most most = share_find_most(costs, context->ranks, bounds);
    if (most.neurons > least + 1)
        log_line(context, "ranks: %lld to %lld neurons each, %.0f of those that learn at most: their gids are side by side", (long long)least,
                 (long long)most.neurons, most.learning);
}

partition share_part(const context *context, config *config, int64_t **bounds) {
    const network_settings *network = config_common(config, "network");
    share_sizes sizes;
    int uneven = context->ranks > 1 && read_sizes(config, &sizes);
    share_costs costs = uneven ? share_read(config, &sizes) : (share_costs){0};
    uneven = costs.uneven;
    CHECK_MPI(MPI_Bcast(&uneven, 1, MPI_INT, 0, context->comm));
    *bounds = NULL;
    if (uneven) {
        *bounds = memory_new(MEMORY_STATE, (size_t)context->ranks + 1, sizeof **bounds);
        if (context->rank == 0) share_out(&costs, context->ranks, *bounds);
        CHECK_MPI(MPI_Bcast(*bounds, context->ranks + 1, MPI_INT64_T, 0, context->comm)); /* processors that round in other ways might disagree */
        tell(context, &costs, *bounds);
    }
    share_clear(&costs);
    return partition_by(context, network->neurons, *bounds);
}
