/* A sparse plastic set on top of the static network (Arthur et al. 2023, Kim et al. 2023; patterns/README.md 3.5): per neuron, or per group of neurons,
 * L_E excitatory and L_I inhibitory partners without replacement, autapses not excluded. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "delays.h"
#include "engram/memory.h"
#include "engram/network.h"
#include "engram/random.h"

enum { PARTNERS_ANY, PARTNERS_TRAINED };

typedef struct {
    int64_t degree_e, degree_i, group_size;
    double weight_e, weight_i, active_fraction;
    int partners;
    delay_settings delay;
} separate_parameters;

static const param parameters[] = {
    {"excitatory_in_degree", PARAM_INTEGER, UNIT_NONE, "auto", 0, 1 << 24, NULL,
     "L excitatory partners of a neuron; auto: round(2 sqrt(K)) of the static network", offsetof(separate_parameters, degree_e)},
    {"inhibitory_in_degree", PARAM_INTEGER, UNIT_NONE, "auto", 0, 1 << 24, NULL, "L inhibitory partners; auto as above",
     offsetof(separate_parameters, degree_i)},
    {"excitatory_weight", PARAM_NUMBER, UNIT_NONE, "auto", -1e6, 1e6, NULL,
     "initial weight; auto: 2 tau_m / (2 sqrt(L)), or 0 without partners and where it is a current in pA",
     offsetof(separate_parameters, weight_e)},
    {"inhibitory_weight", PARAM_NUMBER, UNIT_NONE, "auto", -1e6, 1e6, NULL, "initial weight; auto: -2 tau_m / (2 sqrt(L)), or 0 as above",
     offsetof(separate_parameters, weight_i)},
    {"excitatory_partners", PARAM_CHOICE, UNIT_NONE, "any", 0, 0, "any trained", "from which excitatory neurons partners are drawn (Kim et al. 2023: trained)",
     offsetof(separate_parameters, partners)},
    {"active_fraction", PARAM_NUMBER, UNIT_NONE, "1", 1e-6, 1, NULL,
     "draw partners only from this fraction of cells of each type, the most active in the baseline run", offsetof(separate_parameters, active_fraction)},
    {"group_size", PARAM_INTEGER, UNIT_NONE, "1", 1, 1 << 24, NULL, "consecutive neurons that share partners and so one inverse correlation matrix",
     offsetof(separate_parameters, group_size)},
    DELAY_PARAMETERS(separate_parameters, delay, "all plastic synapses of a neuron"),
};
static const param_table table = {"separate", "a sparse plastic set beside the static synapses (Arthur et al. 2023)", parameters,
                                  sizeof parameters / sizeof *parameters, sizeof(separate_parameters)};

/** Partners of one type: gids, ascending. */
typedef struct { int64_t count; int32_t *gid; } pool;

typedef struct { uint32_t spikes; int32_t gid; } active_cell;

static int compare_activity(const void *a, const void *b) {
    const active_cell *x = a, *y = b;
    if (x->spikes != y->spikes) return x->spikes < y->spikes ? 1 : -1;
    return (x->gid > y->gid) - (x->gid < y->gid);
}

static int compare_gids(const void *a, const void *b) {
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static void keep_most_active(pool *pool, const uint32_t *activity, double fraction) {
    active_cell *cells = memory_new(MEMORY_BUFFERS, (size_t)pool->count, sizeof *cells);
    for (int64_t k = 0; k < pool->count; k++) cells[k] = (active_cell){activity[pool->gid[k]], pool->gid[k]};
    qsort(cells, (size_t)pool->count, sizeof *cells, compare_activity);
    pool->count = llround(fraction * (double)pool->count);
    for (int64_t k = 0; k < pool->count; k++) pool->gid[k] = cells[k].gid;
    qsort(pool->gid, (size_t)pool->count, sizeof *pool->gid, compare_gids);
    memory_free(cells);
}

static pool pool_of(const plastic_request *request, const separate_parameters *p, int inhibitory) {
    const network *network = request->network;
    int64_t total = network->part.total, excitatory = network->cells->excitatory;
    pool pool = {.gid = memory_new(MEMORY_BUFFERS, (size_t)(inhibitory ? total - excitatory : excitatory), sizeof(int32_t))};
    for (int64_t gid = 0; gid < total; gid++) {
        if (cell_is_excitatory(network->cells, gid) == inhibitory) continue;
        if (inhibitory || p->partners == PARTNERS_ANY || request->trained[gid]) pool.gid[pool.count++] = (int32_t)gid;
    }
    if (p->active_fraction < 1 && request->activity) keep_most_active(&pool, request->activity, p->active_fraction);
    return pool;
}

/** L of "auto" for a static network of in-degree K. */
static int64_t degree_auto(double in_degree) {
    return llround(2 * sqrt(in_degree));
}

static void resolve_auto(separate_parameters *p, const network *network) {
    int64_t degree = degree_auto(network->in_degree);
    if (p->degree_e == PARAM_AUTO_INTEGER) p->degree_e = degree;
    if (p->degree_i == PARAM_AUTO_INTEGER) p->degree_i = degree;
    const bool current = isnan(network->unit); /* in pA, of which the rule, for voltages with a threshold of 1, knows nothing */
    if (isnan(p->weight_e)) p->weight_e = p->degree_e && !current ? network->membrane_tau / sqrt((double)p->degree_e) : 0;
    if (isnan(p->weight_i)) p->weight_i = p->degree_i && !current ? -network->membrane_tau / sqrt((double)p->degree_i) : 0;
}

/** More partners are asked for than there are: of which kind, and what there is to choose from. */
static status refuse_degree(const config *config, const separate_parameters *p, int inhibitory, int64_t there) {
    const char *key = inhibitory ? "inhibitory_in_degree" : "excitatory_in_degree", *kind = inhibitory ? "inhibitory" : "excitatory";
    const long long degree = (long long)(inhibitory ? p->degree_i : p->degree_e);
    char active[64] = "";
    if (p->active_fraction < 1) snprintf(active, sizeof active, " among the most active ones (active_fraction: %g)", p->active_fraction);
    return config_complain(config, "plastic", key,
                           "%s%lld %s partners of each neuron are wanted, but the network has %lld %s neurons%s%s; allowed are 0 to %lld",
                           config_given(config, "plastic", key) ? "" : "auto: ", degree, kind, (long long)there, kind,
                           !inhibitory && p->partners == PARTNERS_TRAINED ? " that are trained (excitatory_partners)" : "", active, (long long)there);
}

static status check_pools(const config *config, const separate_parameters *p, const pool pools[2]) {
    if (p->degree_e > pools[0].count) return refuse_degree(config, p, 0, pools[0].count);
    if (p->degree_i > pools[1].count) return refuse_degree(config, p, 1, pools[1].count);
    if (p->degree_e + p->degree_i == 0)
        return config_complain(config, "plastic", "excitatory_in_degree",
                               "no plastic synapses at all; give excitatory_in_degree or inhibitory_in_degree (auto follows the static network)");
    return STATUS_OK;
}

typedef struct { int32_t gid; double weight; } partner;

static int compare_partners(const void *a, const void *b) {
    return compare_gids(&((const partner *)a)->gid, &((const partner *)b)->gid);
}

/** Partners of group @p group, ascending. @return how many */
static int choose_partners(const network *network, const separate_parameters *p, const pool pools[2], int64_t group, int64_t *chosen, partner *partners) {
    const int64_t degree[2] = {p->degree_e, p->degree_i};
    const double weight[2] = {p->weight_e, p->weight_i};
    int count = 0;
    for (int type = 0; type < 2; type++) {
        random_choose(network->seed, RANDOM_PLASTIC_ROW, (uint64_t)group, (uint64_t)type << 32, pools[type].count, (int)degree[type], chosen);
        for (int64_t d = 0; d < degree[type]; d++) partners[count++] = (partner){pools[type].gid[chosen[d]], weight[type]};
    }
    qsort(partners, (size_t)count, sizeof *partners, compare_partners); /* where both kinds take turns in the ids */
    return count;
}

static void add_rows(row_list *list, plastic_request *request, const separate_parameters *p, const pool pools[2]) {
    const network *network = request->network;
    int64_t degree = p->degree_e + p->degree_i, room = degree + request->feedforward;
    int32_t *source = memory_new(MEMORY_BUFFERS, (size_t)room, sizeof(int32_t));
    double *weight = memory_new(MEMORY_BUFFERS, (size_t)room, sizeof(double));
    partner *partners = memory_new(MEMORY_BUFFERS, (size_t)degree, sizeof *partners);
    int64_t *chosen = memory_new(MEMORY_BUFFERS, (size_t)degree, sizeof(int64_t));
    int64_t group_made = -1;
    for (int i = 0; i < network->part.mine; i++) {
        int64_t gid = network->part.first + i, group = gid / p->group_size;
        if (!request->trained[gid]) continue;
        if (group != group_made) {
            int count = choose_partners(network, p, pools, group, chosen, partners);
            for (int k = 0; k < count; k++) source[k] = partners[k].gid, weight[k] = partners[k].weight;
            row_list_group(list, group, source, plastic_append_feedforward(request, source, weight, count));
            group_made = group;
        }
        row_list_row(list, i, weight);
    }
    memory_free(source), memory_free(weight), memory_free(partners), memory_free(chosen);
}

static status check(const config *config, const void *raw, const network_settings *settings) {
    return delays_check(config, "plastic", &((const separate_parameters *)raw)->delay, settings->dt);
}

static status build(const context *context, const config *config, const void *raw, plastic_request *request, network *network, plastic_synapses **result) {
    separate_parameters *p = (separate_parameters *)(uintptr_t)raw; /* auto values are resolved in place, so that the files show them */
    resolve_auto(p, request->network);
    pool pools[2] = {pool_of(request, p, 0), pool_of(request, p, 1)};
    status code = check_pools(config, p, pools);
    if (code == STATUS_OK) {
        row_list list = row_list_new();
        add_rows(&list, request, p, pools);
        *result = row_list_finish(&list, request);
        (*result)->shared = p->group_size > 1;
        plastic_draw_delays(context, &p->delay, network, *result);
    }
    memory_free(pools[0].gid);
    memory_free(pools[1].gid);
    return code;
}

static int wants_activity(const void *raw) {
    return ((const separate_parameters *)raw)->active_fraction < 1;
}

static status size(const config *config, const void *raw, const network_settings *settings, const network_size *network, plastic_size *size) {
    (void)config;
    const separate_parameters *p = raw;
    int64_t degree = degree_auto(network->in_degree);
    size->inputs = (double)((p->degree_e == PARAM_AUTO_INTEGER ? degree : p->degree_e) + (p->degree_i == PARAM_AUTO_INTEGER ? degree : p->degree_i));
    size->group_size = p->group_size;
    size->shared = p->group_size > 1;
    const delay_rule delays = delays_rule(&p->delay, settings->dt);
    size->longest = delays.longest, size->least = delays.least;
    return STATUS_OK;
}

const plastic_kind plastic_separate = {.parameters = &table, .check = check, .build = build, .needs_activity = wants_activity, .size = size};
