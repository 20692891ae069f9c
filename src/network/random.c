/* Sparse random network (Kim & Chow 2018; patterns/README.md 5): every pair with a probability, or a fixed in-degree; no autapses.
 * A target's inputs are a pure function of (seed, target), so a rank makes just its own rows. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "delays.h"
#include "engram/memory.h"
#include "engram/network.h"
#include "engram/random.h"

enum { WIRING_PROBABILITY, WIRING_IN_DEGREE };
enum { WEIGHTS_GAUSSIAN, WEIGHTS_DALE, WEIGHTS_ZERO };

typedef struct {
    double probability, sigma, strength, g, bias;
    int wiring, weights;
    bool zero_row_sums;
    delay_settings delay;
} random_parameters;

#define NUMBER(key, fallback, low, high, help, member) {key, PARAM_NUMBER, UNIT_NONE, fallback, low, high, NULL, help, offsetof(random_parameters, member)}
static const param parameters[] = {
    NUMBER("probability", "0.3", 0, 1, "connection probability p", probability),
    {"wiring", PARAM_CHOICE, UNIT_NONE, "probability", 0, 0, "probability in_degree",
     "every pair independently, or exactly round(p N_E) excitatory and round(p N_I) inhibitory inputs", offsetof(random_parameters, wiring)},
    {"weights", PARAM_CHOICE, UNIT_NONE, "gaussian", 0, 0, "gaussian dale zero",
     "N(0, sigma^2/(N p)); or J/sqrt(N p) from excitatory and -g J/sqrt(N p) from inhibitory neurons; or 0", offsetof(random_parameters, weights)},
    NUMBER("sigma", "1", 0, 1e3, "gaussian weights: standard deviation times sqrt(N p)", sigma),
    NUMBER("strength", "6", 0, 1e3, "dale weights: J", strength),
    NUMBER("g", "5", 0, 1e3, "dale weights: inhibition relative to excitation", g),
    {"zero_row_sums", PARAM_FLAG, UNIT_NONE, "false", 0, 0, NULL, "gaussian weights: subtract the mean of each neuron's inputs",
     offsetof(random_parameters, zero_row_sums)},
    NUMBER("bias", "0", -1e6, 1e6, "constant input of every neuron", bias),
    DELAY_PARAMETERS(random_parameters, delay, "each static synapse"),
    DELAY_BY_PARAMETER(random_parameters, delay),
};
#undef NUMBER
static const param_table table = {"random", "sparse random network (Kim & Chow 2018)", parameters, sizeof parameters / sizeof *parameters,
                                  sizeof(random_parameters)};

static status check(const config *config, const void *raw, const network_settings *settings) {
    const random_parameters *p = raw;
    if (p->probability * (double)settings->neurons <= 0)
        return config_complain(config, "network", "probability", "must be above 0; kind none has no static synapses");
    return delays_check(config, "network", &p->delay, settings->dt);
}

/** Sources of @p gid, ascending. @return their number */
static int choose_by_probability(uint64_t seed, int64_t gid, int64_t total, double p, int32_t *source) {
    int count = 0;
    double log_miss = log1p(-p);
    uint64_t draw = 0;
    for (int64_t j = -1;;) { /* geometric gaps between successes */
        j += p < 1 ? 1 + (int64_t)fmin(floor(log(random_uniform(seed, RANDOM_STATIC_ROW, (uint64_t)gid, draw++)) / log_miss), 4e18) : 1;
        if (j >= total) return count;
        if (j != gid) source[count++] = (int32_t)j;
    }
}

static int choose_by_in_degree(uint64_t seed, int64_t gid, int64_t total, int64_t excitatory, double p, int64_t *chosen, int32_t *source) {
    int count = 0;
    for (int type = 0; type < 2; type++) {
        int64_t base = type ? excitatory : 0, pool = type ? total - excitatory : excitatory;
        int own = gid >= base && gid < base + pool;
        int64_t draws = llround(p * (double)pool);
        if (draws > pool - own) draws = pool - own;
        if (draws <= 0) continue;
        random_choose(seed, RANDOM_STATIC_ROW, (uint64_t)gid, (uint64_t)type << 32, pool - own, (int)draws, chosen);
        for (int64_t d = 0; d < draws; d++) {
            int64_t j = base + chosen[d];
            source[count++] = (int32_t)(own && j >= gid ? j + 1 : j);
        }
    }
    return count;
}

static void choose_weights(const network *network, const random_parameters *p, int64_t gid, int count, const int32_t *source, double *weight) {
    double scale = 1 / sqrt((double)network->part.total * p->probability), sum = 0;
    for (int s = 0; s < count; s++) {
        switch (p->weights) {
        case WEIGHTS_GAUSSIAN: weight[s] = p->sigma * scale * random_normal(network->seed, RANDOM_STATIC_WEIGHT, (uint64_t)gid, (uint64_t)source[s]); break;
        case WEIGHTS_DALE: weight[s] = p->strength * scale * (source[s] < network->cells->excitatory ? 1 : -p->g); break;
        default: weight[s] = 0;
        }
        sum += weight[s];
    }
    if (p->zero_row_sums && p->weights == WEIGHTS_GAUSSIAN)
        for (int s = 0; s < count; s++) weight[s] -= sum / count;
}

/** @param[out] delay [count] */
static void choose_delays(const network *network, const delay_rule *rule, int64_t gid, int count, const int32_t *source, uint16_t *delay) {
    for (int s = 0; s < count; s++)
        delay[s] = (uint16_t)delays_draw(rule, network->seed, DELAYS_STATIC, source[s], source[s] >= network->cells->excitatory, gid);
}

static void make_room(synapse_rows *rows, int64_t room) {
    rows->source = memory_resize(MEMORY_BUFFERS, rows->source, (size_t)room, sizeof(int32_t));
    rows->weight = memory_resize(MEMORY_BUFFERS, rows->weight, (size_t)room, sizeof(double));
    if (rows->delay) rows->delay = memory_resize(MEMORY_BUFFERS, rows->delay, (size_t)room, sizeof(uint16_t));
}

static status build(const context *context, const config *config, const void *raw, network *network) {
    (void)config;
    const random_parameters *p = raw;
    const delay_rule delays = delays_rule(&p->delay, network->dt);
    delays_tell(context, "network", &p->delay, network->dt);
    int64_t total = network->part.total, room = total;
    synapse_rows rows = {.targets = network->part.mine,
                         .start = memory_new(MEMORY_BUFFERS, (size_t)network->part.mine + 1, sizeof(int64_t)),
                         .source = memory_new(MEMORY_BUFFERS, (size_t)room, sizeof(int32_t)),
                         .weight = memory_new(MEMORY_BUFFERS, (size_t)room, sizeof(double)),
                         .longest = delays.longest};
    if (delays.drawn) rows.delay = memory_new(MEMORY_BUFFERS, (size_t)room, sizeof(uint16_t));
    int32_t *source = memory_new(MEMORY_BUFFERS, (size_t)total, sizeof(int32_t));
    int64_t *chosen = memory_new(MEMORY_BUFFERS, (size_t)total, sizeof(int64_t));
    for (int i = 0; i < network->part.mine; i++) {
        int64_t gid = network->part.first + i, at = rows.start[i];
        int count = p->wiring == WIRING_PROBABILITY
                        ? choose_by_probability(network->seed, gid, total, p->probability, source)
                        : choose_by_in_degree(network->seed, gid, total, network->cells->excitatory, p->probability, chosen, source);
        if (at + count > room) {
            room = (at + count) * 3 / 2 + 64;
            make_room(&rows, room);
        }
        memcpy(rows.source + at, source, (size_t)count * sizeof(int32_t));
        choose_weights(network, p, gid, count, source, rows.weight + at);
        if (rows.delay) choose_delays(network, &delays, gid, count, source, rows.delay + at);
        rows.start[i + 1] = at + count;
        network->bias[i] = p->bias;
    }
    network->in_degree = p->probability * (double)network->cells->excitatory;
    network->synapses = static_from_rows(&rows, total, network->cells->excitatory);
    synapse_rows_free(&rows);
    memory_free(source);
    memory_free(chosen);
    return STATUS_OK;
}

static status size(const config *config, const void *raw, const network_settings *settings, network_size *size) {
    (void)config;
    const random_parameters *p = raw;
    double excitatory = (double)settings->cells.excitatory, inhibitory = (double)settings->neurons - excitatory, pairs = (double)settings->neurons - 1;
    const delay_rule delays = delays_rule(&p->delay, settings->dt);
    *size = (network_size){.in_degree = p->probability * excitatory, .any = true, .longest = delays.longest, .least = delays.least, .own_delays = delays.drawn};
    if (p->wiring == WIRING_IN_DEGREE)
        size->inputs = fmin(round(p->probability * excitatory) + round(p->probability * inhibitory), pairs);
    else
        size->inputs = p->probability * pairs, size->variance = size->inputs * (1 - p->probability);
    return STATUS_OK;
}

static void advise(const void *raw, const network_settings *settings, const double *needed, char *text, size_t size) {
    (void)raw, (void)settings;
    double least = fmin(needed[0], needed[1]); /* of those that are not NAN */
    if (!isnan(least)) snprintf(text, size, "network.bias above %.4g", least);
}

const network_kind network_random = {.parameters = &table, .check = check, .build = build, .size = size, .advise = advise};
