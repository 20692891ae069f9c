#include "engram/network.h"

#include <math.h>
#include <string.h>

#include "engram/memory.h"
#include "populations.h"

enum { NEURONS_AUTO = 4096 };

/* ---- who learns ---- */

static const char *const trained_words[] = {[TRAINED_ALL] = "all", [TRAINED_EXCITATORY] = "excitatory", [TRAINED_TARGETS] = "targets"};

static int find_text(const char *text, const char *const *texts, int count) {
    int at = 0;
    while (at < count && strcmp(text, texts[at]) != 0) at++;
    return at;
}

int plastic_trained(const plastic_settings *settings) {
    return find_text(settings->trained.values[0], trained_words, TRAINED_POPULATIONS);
}

/** plastic.trained has a word that is none. */
static status complain_of_name(const config *config, const char *name, const char *const *names, int count) {
    const char **all = memory_new(MEMORY_BUFFERS, (size_t)(count + TRAINED_POPULATIONS), sizeof *all);
    for (int k = 0; k < count; k++) all[k] = names[k];
    for (int k = 0; k < TRAINED_POPULATIONS; k++) all[count + k] = trained_words[k];
    const char *near = config_nearest(name, all, count + TRAINED_POPULATIONS);
    status result = config_complain(config, "plastic", "trained", "'%.80s' is none of them%s%s%s; allowed are all, excitatory, targets%s", name,
                                    near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "",
                                    count ? ", and names of populations (network.names)" : "; populations have names in network.kind: populations only");
    memory_free(all);
    return result;
}

/** From plastic.trained to the populations that it names, if it does. */
static status settle_trained(const config *config, const plastic_settings *plastic, network_settings *settings) {
    const param_texts *given = &plastic->trained;
    const int count = settings->projections ? settings->cells.populations : 0;
    const char *const *names = count ? network_population_names(settings) : NULL;
    if (given->count == 0) return config_complain(config, "plastic", "trained", "names nobody; allowed are all, excitatory, targets, or populations");
    for (int k = 0; k < given->count; k++) {
        const char *name = given->values[k];
        const int population = find_text(name, names, count);
        const bool word = find_text(name, trained_words, TRAINED_POPULATIONS) < TRAINED_POPULATIONS;
        if (word && population < count)
            return config_complain(config, "plastic", "trained", "'%s' means neurons of any population, and is the name of one: give it another", name);
        if (word && given->count > 1) return config_complain(config, "plastic", "trained", "'%s' stands alone, or there are names of populations", name);
        if (word) return STATUS_OK;
        if (population == count) return complain_of_name(config, name, names, count);
        if (find_text(name, (const char *const *)given->values, k) < k) return config_complain(config, "plastic", "trained", "has '%s' twice", name);
        if (!settings->learns) settings->learns = memory_new(MEMORY_STATE, (size_t)count, 1);
        settings->learns[population] = 1;
    }
    return STATUS_OK;
}

int64_t network_count_learning(const network_settings *settings) {
    const cells *cells = &settings->cells;
    if (!settings->learns) return cells->total;
    int64_t count = 0;
    for (int k = 0; k < cells->populations; k++) count += settings->learns[k] ? cells->border[k + 1] - cells->border[k] : 0;
    return count;
}

/* ---- the network ---- */

status network_resolve(const context *context, config *config, double dt) {
    network_settings *settings = config_common(config, "network");
    const network_kind *kind = network_kinds[config_variant_index(config, "network")];
    const plastic_kind *plastic = plastic_kinds[config_variant_index(config, "plastic")];
    status counted = STATUS_OK;
    if (settings->cells.total) return STATUS_OK;
    settings->dt = dt;
    if (kind->count) {
        counted = kind->count(context, config, config_variant(config, "network"), settings, dt);
    } else {
        if (settings->neurons == PARAM_AUTO_INTEGER) settings->neurons = NEURONS_AUTO;
        settings->cells = (cells){.total = settings->neurons, .excitatory = (int64_t)floor((double)settings->neurons * settings->excitatory_fraction)};
    }
    if (counted == STATUS_OK) counted = status_agree(context, settle_trained(config, config_common(config, "plastic"), settings));
    return counted == STATUS_OK && plastic->look ? plastic->look(context, config, config_variant(config, "plastic"), settings, dt) : counted;
}

void network_forget(config *config) {
    network_settings *settings = config_common(config, "network");
    memory_free(settings->cells.inhibitory);
    memory_free(settings->cells.border);
    memory_free(settings->learns);
    settings->learns = NULL;
    projections_free(settings->projections);
    settings->projections = NULL;
    settings->cells = (cells){0};
}

status network_build(const context *context, config *config, double dt, double membrane_tau, network *result) {
    const network_settings *settings = config_common(config, "network");
    const network_kind *kind = network_kinds[config_variant_index(config, "network")];
    uint64_t seed = result->seed;
    const double unit = result->unit;
    *result = (network){.part = result->part, .seed = seed, .dt = dt, .unit = unit, .membrane_tau = membrane_tau,
                        .cells = &settings->cells};
    result->bias = memory_new(MEMORY_STATE, (size_t)result->part.mine, sizeof(double));
    status mine = kind->build(context, config, config_variant(config, "network"), result);
    if (mine == STATUS_OK && result->synapses && static_typed(result->synapses) && result->synapses->largest_in_degree > UINT16_MAX)
        mine = status_fail(STATUS_INPUT, "network: a neuron has %lld static inputs; at most %d are supported",
                           (long long)result->synapses->largest_in_degree, UINT16_MAX);
    if (mine == STATUS_OK && result->synapses && result->synapses->longest < 1) result->synapses->longest = 1;
    status agreed = status_agree(context, mine);
    if (agreed != STATUS_OK) {
        network_clear(result);
    } else if (result->synapses) {
        CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &result->synapses->longest, 1, MPI_INT, MPI_MAX, context->comm));
        static_pack(result->synapses, static_best_form(result->synapses, result->part.mine), result->part.mine);
    }
    return agreed;
}

const char *const *network_population_names(const network_settings *settings) {
    return (const char *const *)settings->projections->name;
}

void network_clear(network *network) {
    static_free(network->synapses);
    memory_free(network->bias);
    background_free(network->background);
    network->background = NULL;
    network->synapses = NULL;
    network->bias = NULL;
}

int plastic_append_feedforward(const plastic_request *request, int32_t *source, double *weight, int count) {
    for (int64_t unit = 0; unit < request->feedforward; unit++, count++) {
        source[count] = (int32_t)(request->network->part.total + unit);
        weight[count] = request->feedforward_weight;
    }
    return count;
}

row_list row_list_new(void) {
    row_list list = {.groups_room = 16, .rows_room = 16};
    list.group_row = memory_new(MEMORY_WEIGHTS, (size_t)list.groups_room + 1, sizeof(int32_t));
    list.group_start = memory_new(MEMORY_WEIGHTS, (size_t)list.groups_room + 1, sizeof(int64_t));
    list.group_id = memory_new(MEMORY_WEIGHTS, (size_t)list.groups_room, sizeof(int64_t));
    list.row_neuron = memory_new(MEMORY_WEIGHTS, (size_t)list.rows_room, sizeof(int32_t));
    return list;
}

static int64_t grown(int64_t needed) {
    return needed + needed / 2 + 64;
}

void row_list_group(row_list *list, int64_t id, const int32_t *source, int count) {
    if (list->groups == list->groups_room) {
        list->groups_room = (int)grown(list->groups);
        list->group_row = memory_resize(MEMORY_WEIGHTS, list->group_row, (size_t)list->groups_room + 1, sizeof(int32_t));
        list->group_start = memory_resize(MEMORY_WEIGHTS, list->group_start, (size_t)list->groups_room + 1, sizeof(int64_t));
        list->group_id = memory_resize(MEMORY_WEIGHTS, list->group_id, (size_t)list->groups_room, sizeof(int64_t));
    }
    if (list->sources + count > list->sources_room) {
        list->sources_room = grown(list->sources + count);
        list->source = memory_resize(MEMORY_WEIGHTS, list->source, (size_t)list->sources_room, sizeof(int32_t));
    }
    if (count) memcpy(list->source + list->sources, source, (size_t)count * sizeof(int32_t));
    list->sources += count;
    list->group_id[list->groups++] = id;
    list->group_row[list->groups] = list->rows;
    list->group_start[list->groups] = list->sources;
}

void row_list_row(row_list *list, int32_t neuron, const double *weight) {
    int64_t count = list->group_start[list->groups] - list->group_start[list->groups - 1];
    if (list->rows == list->rows_room) {
        list->rows_room = (int)grown(list->rows);
        list->row_neuron = memory_resize(MEMORY_WEIGHTS, list->row_neuron, (size_t)list->rows_room, sizeof(int32_t));
    }
    if (list->weights + count > list->weights_room) {
        list->weights_room = grown(list->weights + count);
        list->initial = memory_resize(MEMORY_BUFFERS, list->initial, (size_t)list->weights_room, sizeof(double));
    }
    if (count) memcpy(list->initial + list->weights, weight, (size_t)count * sizeof(double));
    list->weights += count;
    list->row_neuron[list->rows++] = neuron;
    list->group_row[list->groups] = list->rows;
}

plastic_synapses *row_list_finish(row_list *list, const plastic_request *request) {
    list->source = memory_resize(MEMORY_WEIGHTS, list->source, (size_t)list->sources, sizeof(int32_t));
    if (!list->initial) list->initial = memory_new(MEMORY_BUFFERS, 0, sizeof(double));
    int64_t neurons = request->network->part.total;
    plastic_synapses *plastic = plastic_new(&(plastic_parts){.neurons = neurons, .sources = neurons + request->feedforward, .rows = list->rows,
                                                             .row_neuron = list->row_neuron, .groups = list->groups, .group_row = list->group_row,
                                                             .group_start = list->group_start, .source = list->source, .initial = list->initial,
                                                             .single = request->single});
    plastic->group_id = list->group_id;
    return plastic;
}
