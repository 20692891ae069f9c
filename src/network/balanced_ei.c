/* Balanced excitatory-inhibitory network of Arthur et al. 2023 (patterns/README.md 6.1).
 *
 * Every neuron has 2K distinct targets among the N-1 others; weights depend on the two types only. A rank makes the lists of all sources
 * restricted to its own targets without drawing the others: the number of targets that fall in each half of the network is hypergeometric, so a
 * tree of such splits, a pure function of (seed, source, node), is followed only where it meets the rank's neurons; at a leaf the targets are drawn. */
#include <math.h>
#include <stdio.h>

#include "delays.h"
#include "engram/memory.h"
#include "engram/network.h"
#include "engram/random.h"

typedef struct {
    double probability, g, w_ee, w_ie, w_ei, w_ii, drive, drive_e, drive_i;
    int64_t in_degree;
    delay_settings delay;
} balanced_parameters;

#define NUMBER(key, fallback, low, high, help, member) {key, PARAM_NUMBER, UNIT_NONE, fallback, low, high, NULL, help, offsetof(balanced_parameters, member)}
static const param parameters[] = {
    NUMBER("static_probability", "0.1", 0, 1, "K = round(p N_E) mean excitatory (and inhibitory) in-degree", probability),
    {"in_degree", PARAM_INTEGER, UNIT_NONE, "auto", 1, 32767, NULL, "K directly, instead of static_probability", offsetof(balanced_parameters, in_degree)},
    NUMBER("g", "1", 0, 1e3, "scale of all static weights; j = 2 tau_m g / sqrt(K)", g),
    NUMBER("w_ee", "0.15", 0, 1e3, "excitatory to excitatory, in units of j", w_ee),
    NUMBER("w_ie", "1", 0, 1e3, "excitatory to inhibitory, in units of j", w_ie),
    NUMBER("w_ei", "-0.75", -1e3, 0, "inhibitory to excitatory, in units of j", w_ei),
    NUMBER("w_ii", "-1", -1e3, 0, "inhibitory to inhibitory, in units of j", w_ii),
    NUMBER("external_drive", "0.08", -1e3, 1e3, "c_x; constant input is x c_x sqrt(K) g", drive),
    NUMBER("external_excitatory", "1.5", -1e3, 1e3, "x of excitatory neurons", drive_e),
    NUMBER("external_inhibitory", "1", -1e3, 1e3, "x of inhibitory neurons", drive_i),
    DELAY_PARAMETERS(balanced_parameters, delay, "each static synapse"),
    DELAY_BY_PARAMETER(balanced_parameters, delay),
};
#undef NUMBER
static const param_table table = {"balanced_ei", "balanced excitatory-inhibitory network (Arthur et al. 2023)", parameters,
                                  sizeof parameters / sizeof *parameters, sizeof(balanced_parameters)};

static int64_t in_degree_of(const balanced_parameters *p, const network_settings *settings) {
    return p->in_degree != PARAM_AUTO_INTEGER ? p->in_degree : llround(p->probability * (double)settings->cells.excitatory);
}

static status check(const config *config, const void *raw, const network_settings *settings) {
    int64_t k = in_degree_of(raw, settings);
    status delays = delays_check(config, "network", &((const balanced_parameters *)raw)->delay, settings->dt);
    if (delays != STATUS_OK) return delays;
    if (k < 1)
        return config_complain(config, "network", "static_probability", "gives an in-degree of 0 for %lld neurons; kind none has no static synapses",
                               (long long)settings->neurons);
    if (2 * k > settings->neurons - 1)
        return config_complain(config, "network", config_given(config, "network", "in_degree") ? "in_degree" : "static_probability",
                               "each neuron would need %lld targets among %lld others", (long long)(2 * k), (long long)(settings->neurons - 1));
    return STATUS_OK;
}

/** One source's target list being made. Positions 0 .. N-2 are the neurons without the source itself. */
typedef struct {
    uint64_t seed;
    int64_t source, positions, leaves, low, high; /* my targets are positions low .. high-1 */
    int64_t chosen_room, *chosen;                 /* scratch of a leaf */
    int64_t count, room;
    uint32_t *target;
    int64_t first_gid;
} target_list;

static int64_t leaf_position(const target_list *list, int64_t leaf) {
    return list->positions * leaf / list->leaves;
}

static void add_leaf(target_list *list, int64_t leaf, int64_t begin, int64_t end, int64_t draws) {
    if (draws > list->chosen_room) {
        list->chosen_room = 2 * draws;
        list->chosen = memory_resize(MEMORY_BUFFERS, list->chosen, (size_t)list->chosen_room, sizeof(int64_t));
    }
    random_choose(list->seed, RANDOM_STATIC_LEAF, (uint64_t)list->source, (uint64_t)leaf << 32, end - begin, (int)draws, list->chosen);
    if (list->count + draws > list->room) {
        list->room = list->room + list->room / 4 + draws;
        list->target = memory_resize(MEMORY_STATIC, list->target, (size_t)list->room, sizeof(uint32_t));
    }
    for (int64_t d = 0; d < draws; d++) {
        int64_t position = begin + list->chosen[d];
        if (position < list->low || position >= list->high) continue;
        int64_t gid = position + (position >= list->source);
        list->target[list->count++] = (uint32_t)(gid - list->first_gid);
    }
}

/** Share @p draws targets among leaves [from, to): follow only what meets my positions. Node numbers: root 1, children 2n and 2n+1. */
static void split(target_list *list, uint64_t node, int64_t from, int64_t to, int64_t draws) {
    int64_t begin = leaf_position(list, from), end = leaf_position(list, to);
    if (draws == 0 || end <= list->low || begin >= list->high) return;
    if (to - from == 1) {
        add_leaf(list, from, begin, end, draws);
        return;
    }
    int64_t middle = from + (to - from) / 2;
    int64_t left = random_hypergeometric(list->seed, RANDOM_STATIC_SPLIT, (uint64_t)list->source, node, end - begin, leaf_position(list, middle) - begin,
                                         draws);
    split(list, 2 * node, from, middle, left);
    split(list, 2 * node + 1, middle, to, draws - left);
}

static static_synapses *connect(const network *network, int64_t out_degree) {
    int64_t total = network->part.total, first = network->part.first, past = first + network->part.mine;
    static_synapses *synapses = memory_new(MEMORY_STATIC, 1, sizeof *synapses);
    synapses->sources = total;
    synapses->excitatory = network->cells->excitatory;
    synapses->start = memory_new(MEMORY_STATIC, (size_t)total + 1, sizeof(int64_t));
    target_list list = {.seed = network->seed, .positions = total - 1, .leaves = (out_degree + 31) / 32, .first_gid = first};
    if (list.leaves > list.positions) list.leaves = list.positions;
    list.room = (int64_t)((double)(total * out_degree) * network->part.mine / (double)total * 1.01) + 1024;
    list.target = memory_new(MEMORY_STATIC, (size_t)list.room, sizeof(uint32_t));
    for (int64_t source = 0; source < total && network->part.mine > 0; source++) {
        list.source = source;
        list.low = first - (first > source);
        list.high = past - (past > source);
        split(&list, 1, 0, list.leaves, out_degree);
        synapses->start[source + 1] = list.count;
    }
    memory_free(list.chosen);
    synapses->target = memory_resize(MEMORY_STATIC, list.target, (size_t)list.count, sizeof(uint32_t));
    int32_t *in_degree = memory_new(MEMORY_BUFFERS, (size_t)network->part.mine, sizeof(int32_t));
    for (int64_t s = 0; s < list.count; s++) in_degree[synapses->target[s]]++;
    for (int i = 0; i < network->part.mine; i++)
        if (in_degree[i] > synapses->largest_in_degree) synapses->largest_in_degree = in_degree[i];
    memory_free(in_degree);
    return synapses;
}

static void draw_delays(const network *network, const delay_rule *rule, static_synapses *synapses) {
    synapses->longest = rule->longest;
    if (!rule->drawn) return;
    synapses->delay = memory_new(MEMORY_STATIC, (size_t)synapses->start[synapses->sources], sizeof(uint16_t));
    for (int64_t source = 0; source < synapses->sources; source++)
        for (int64_t s = synapses->start[source]; s < synapses->start[source + 1]; s++)
            synapses->delay[s] = (uint16_t)delays_draw(rule, network->seed, DELAYS_STATIC, source, source >= synapses->excitatory,
                                                       network->part.first + synapses->target[s]);
}

static status build(const context *context, const config *config, const void *raw, network *network) {
    const balanced_parameters *p = raw;
    const network_settings *settings = config_common((struct config *)(uintptr_t)config, "network");
    int64_t k = in_degree_of(p, settings);
    double root = sqrt((double)k), j = 2 * network->membrane_tau * p->g / root, external = p->drive * root * p->g;
    network->in_degree = (double)k;
    network->synapses = connect(network, 2 * k);
    const delay_rule delays = delays_rule(&p->delay, network->dt);
    draw_delays(network, &delays, network->synapses);
    delays_tell(context, "network", &p->delay, network->dt);
    double weights[2][2] = {{p->w_ee * j, p->w_ei * j}, {p->w_ie * j, p->w_ii * j}};
    for (int to = 0; to < 2; to++)
        for (int from = 0; from < 2; from++) network->synapses->type_weight[to][from] = weights[to][from];
    for (int i = 0; i < network->part.mine; i++)
        network->bias[i] = external * (network->part.first + i < network->cells->excitatory ? p->drive_e : p->drive_i);
    return STATUS_OK;
}

static status size(const config *config, const void *raw, const network_settings *settings, network_size *size) {
    (void)config;
    double k = (double)in_degree_of(raw, settings);
    const delay_rule delays = delays_rule(&((const balanced_parameters *)raw)->delay, settings->dt);
    *size = (network_size){.in_degree = k, .inputs = 2 * k, .variance = 2 * k, .any = true, .typed = true}; /* out-degrees are fixed */
    size->longest = delays.longest, size->least = delays.least, size->own_delays = delays.drawn;
    return STATUS_OK;
}

/** Constant input grows as sqrt(K), and recurrent input with it (K inputs of strength 1/sqrt(K)): whether neurons reach threshold is a matter of
 *  x c_x sqrt(K) g. */
static void advise(const void *raw, const network_settings *settings, const double *needed, char *text, size_t size) {
    const balanced_parameters *p = raw;
    double k = (double)in_degree_of(p, settings), degree[2] = {NAN, NAN}, drive = NAN;
    const double factor[2] = {p->drive_e * p->g, p->drive_i * p->g};
    for (int type = 0; type < 2; type++) {
        double input = factor[type] * p->drive;
        if (input > 0 && needed[type] > 0) degree[type] = ceil(needed[type] * needed[type] / (input * input));
        if (factor[type] > 0) drive = fmin(drive, needed[type] / (factor[type] * sqrt(k)));
    }
    double least = fmin(degree[0], degree[1]), most = fmax(degree[0], degree[1]);
    int used = 0;
    if (!isnan(least)) used = snprintf(text, size, "network.in_degree of %.0f or more (it is %.0f", least, k);
    if (most > least)
        used += snprintf(text + used, size - (size_t)used, "; from %.0f on %s neurons fire alone, too", most,
                         degree[0] < degree[1] ? "inhibitory" : "excitatory");
    if (!isnan(least))
        used += snprintf(text + used, size - (size_t)used, 2 * least + 1 > (double)settings->neurons ? "; that takes %.0f neurons)" : ")", 2 * least + 1);
    if (!isnan(drive)) snprintf(text + used, size - (size_t)used, "%snetwork.external_drive above %.4g (it is %.4g)", used ? ", or " : "", drive, p->drive);
}

const network_kind network_balanced_ei = {.parameters = &table, .check = check, .build = build, .size = size, .advise = advise};
