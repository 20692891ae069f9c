/* Own connectomes: static or plastic synapses read from a SONATA edges file. */
#include <stdlib.h>
#include <string.h>

#include "delays.h"
#include "engram/memory.h"
#include "engram/network.h"
#include "engram/sonata.h"

typedef struct {
    char *path, *population, *types, *nodes, *node_types;
    int delay;
    double bias;
    int longest, shortest; /**< delays of the file in steps, once it was looked at */
} sonata_parameters;

enum { DELAY_FILE, DELAY_STEP, DELAY_IGNORE };

#define EDGES(what)                                                                                                                                           \
    {"path", PARAM_PATH, UNIT_NONE, NULL, 0, 0, NULL, what, offsetof(sonata_parameters, path), MAY_TEST},                                                     \
    {"population", PARAM_TEXT, UNIT_NONE, "", 0, 0, NULL, "edge population; may be left out when the file has one", offsetof(sonata_parameters, population)}, \
    {"edge_types", PARAM_PATH, UNIT_NONE, "", 0, 0, NULL,                                                                                                     \
     "table of edge types (edge_types.csv) with syn_weight, nsyns or delay where the edges have none; left out: edge_types.csv beside edges.h5, "             \
     "NAME_edge_types.csv beside NAME_edges.h5 or NAME.h5, if there is one", offsetof(sonata_parameters, types), MAY_TEST},                                   \
    {"delay", PARAM_CHOICE, UNIT_NONE, "file", 0, 0, "file step ignore",                                                                                      \
     "delays of the file: file: count, rounded to whole time steps (one, where none is given); step: must be one time step; ignore: are taken as one",        \
     offsetof(sonata_parameters, delay)}

static const param network_parameters[] = {
    EDGES("SONATA edges file; ids are the gids of this network; a weight is syn_weight times nsyns"),
    {"nodes", PARAM_PATH, UNIT_NONE, "", 0, 0, NULL,
     "SONATA nodes file: how many neurons there are, and by ei, synapse_class or excitatory which are excitatory; left out: the largest id, and the sign of "
     "outgoing weights",
     offsetof(sonata_parameters, nodes), MAY_TEST},
    {"node_types", PARAM_PATH, UNIT_NONE, "", 0, 0, NULL,
     "table of node types (node_types.csv) with ei or synapse_class; left out: beside nodes as edge_types beside the edges",
     offsetof(sonata_parameters, node_types), MAY_TEST},
    {"bias", PARAM_NUMBER, UNIT_NONE, "0", -1e6, 1e6, NULL, "constant input of every neuron", offsetof(sonata_parameters, bias)},
};
static const param_table network_table = {"sonata", "static synapses from a SONATA edges file", network_parameters,
                                          sizeof network_parameters / sizeof *network_parameters, sizeof(sonata_parameters)};

/* ---- files ---- */

/** If no table of types is named, name that which lies beside @p path, so that the run says which it used. Collective. */
static void find_types(const context *context, const char *path, const char *what, const char *key, char **types) {
    if (**types) return;
    char *found = sonata_types_beside(context, path, what);
    if (!found) return;
    free(*types);
    *types = found;
    log_line(context, "%s: %s, which lies beside %s", key, found, path);
}

/** @param path, types owned by the caller, free() */
static sonata_input input_of(const config *config, const sonata_parameters *p, const char *section, double dt, int64_t neurons, char **path, char **types) {
    *path = config_resolve_path(config, p->path);
    *types = config_resolve_path(config, p->types);
    return (sonata_input){.path = *path,
                          .population = p->population,
                          .types = *types,
                          .section = section,
                          .dt = dt,
                          .ignore_delays = p->delay == DELAY_IGNORE,
                          .keep_delays = p->delay == DELAY_FILE,
                          .neurons = neurons};
}

/* ---- neurons ---- */

/** How many neurons follow from a file: @p found. @param of what says so */
static status settle_count(const context *context, const config *config, network_settings *settings, int64_t found, bool by_nodes, const char *path) {
    const char *which = by_nodes ? "nodes" : "its largest id and 0";
    if (settings->neurons == PARAM_AUTO_INTEGER && found == 0)
        return config_complain(config, "network", "neurons", "%s has none; give their number", path);
    if (settings->neurons == PARAM_AUTO_INTEGER) {
        settings->neurons = found;
        log_line(context, "network.neurons: %lld, %s of %s", (long long)found, by_nodes ? "the nodes" : "up to the largest id", path);
    }
    if (settings->neurons < found)
        return config_complain(config, "network", "neurons", "%lld, but %s has %lld (%s)", (long long)settings->neurons, path, (long long)found, which);
    if (settings->neurons > found)
        log_warning(context, "network.neurons: %lld, but %s has %lld (%s): the last %lld have no synapses in it", (long long)settings->neurons, path,
                    (long long)found, by_nodes ? "nodes" : "up to its largest id", (long long)(settings->neurons - found));
    return STATUS_OK;
}

/** Excitatory or inhibitory: what the nodes file says, else the sign of most outgoing weights. @param sort [nodes] @return how many are excitatory */
static int64_t sort_cells(const context *context, const sonata_survey *survey, const uint8_t *sort, int64_t nodes, int64_t total, uint8_t *inhibitory) {
    int64_t excitatory = 0, by_node = 0, mixed = 0, without = 0;
    char notes[160] = "";
    for (int64_t gid = 0; gid < total; gid++) {
        int64_t above = gid < survey->neurons ? survey->signs[gid][0] : 0, below = gid < survey->neurons ? survey->signs[gid][1] : 0;
        int known = sort && gid < nodes ? sort[gid] : SONATA_NODE_UNKNOWN;
        inhibitory[gid] = known == SONATA_NODE_UNKNOWN ? below > above : known == SONATA_NODE_INHIBITORY;
        excitatory += !inhibitory[gid];
        by_node += known != SONATA_NODE_UNKNOWN;
        mixed += known == SONATA_NODE_UNKNOWN && above > 0 && below > 0;
        without += known == SONATA_NODE_UNKNOWN && above + below == 0;
    }
    if (mixed) snprintf(notes, sizeof notes, "; %lld with weights of both signs: by the sign of most", (long long)mixed);
    if (without) snprintf(notes + strlen(notes), sizeof notes - strlen(notes), "; %lld without: taken as excitatory", (long long)without);
    log_line(context, "network: %lld excitatory and %lld inhibitory neurons, %s%s%s", (long long)excitatory, (long long)(total - excitatory),
             by_node ? "as the nodes say" : "",
             by_node == total ? "" : by_node ? ", else by the sign of outgoing weights" : "by the sign of outgoing weights", notes);
    return excitatory;
}

/** Which neurons are excitatory; in the simple form if those come first. */
static void settle_cells(const context *context, const config *config, network_settings *settings, const sonata_survey *survey, const uint8_t *sort,
                         int64_t nodes) {
    int64_t total = settings->neurons, first = 0;
    uint8_t *inhibitory = memory_new(MEMORY_STATE, (size_t)total, 1);
    int64_t excitatory = sort_cells(context, survey, sort, nodes, total, inhibitory), wanted = (int64_t)((double)total * settings->excitatory_fraction);
    if (config_given(config, "network", "excitatory_fraction") && wanted != excitatory &&
        (int64_t)((double)total * settings->excitatory_fraction + 0.5) != excitatory)
        log_warning(context, "network.excitatory_fraction: %g is not used: %lld of %lld neurons of the file are excitatory", settings->excitatory_fraction,
                    (long long)excitatory, (long long)total);
    while (first < total && !inhibitory[first]) first++;
    if (first == excitatory) {
        memory_free(inhibitory);
        inhibitory = NULL;
    }
    settings->excitatory_fraction = (double)excitatory / (double)total;
    settings->cells = (cells){.total = total, .excitatory = excitatory, .inhibitory = inhibitory};
}

static status read_nodes(const context *context, const config *config, sonata_parameters *p, const sonata_survey *survey, int64_t *nodes, uint8_t **sort) {
    char *path = config_resolve_path(config, p->nodes);
    find_types(context, path, "node", "network.node_types", &p->node_types);
    char *types = config_resolve_path(config, p->node_types);
    status result = sonata_read_nodes(context, path, survey->nodes, types, nodes, sort);
    if (result == STATUS_OK && survey->neurons > *nodes)
        result = status_agree(context, status_fail(STATUS_INPUT, "%s has %lld nodes, but there are edges of neuron %lld", path,
                                                   (long long)*nodes, (long long)survey->neurons - 1));
    free(path), free(types);
    return result;
}

static status network_count_sonata(const context *context, const config *config, void *raw, network_settings *settings, double dt) {
    sonata_parameters *p = raw;
    char *path = config_resolve_path(config, p->path), *types;
    find_types(context, path, "edge", "network.edge_types", &p->types);
    free(path);
    int64_t nodes = 0, known = settings->neurons == PARAM_AUTO_INTEGER ? 0 : settings->neurons;
    sonata_input input = input_of(config, p, "network", dt, known, &path, &types);
    sonata_survey survey;
    uint8_t *sort = NULL;
    status result = sonata_look(context, &input, &survey);
    if (result == STATUS_OK && *p->nodes) result = read_nodes(context, config, p, &survey, &nodes, &sort);
    if (result == STATUS_OK)
        result = status_agree(context, settle_count(context, config, settings, *p->nodes ? nodes : survey.neurons, *p->nodes, *p->nodes ? p->nodes : path));
    if (result == STATUS_OK) settle_cells(context, config, settings, &survey, sort, nodes);
    snprintf(settings->population, sizeof settings->population, "%s", survey.nodes);
    p->longest = survey.longest, p->shortest = survey.shortest;
    memory_free(survey.signs), memory_free(sort);
    free(path), free(types);
    return result;
}

/* ---- synapses ---- */

/** Delays of their own, unless all synapses of the network have the same. Collective. */
static void take_delays(const context *context, const sonata_synapses *read, synapse_rows *rows) {
    int ends[2] = {1, -DELAY_MAX}; /* longest, shortest of all */
    for (int64_t s = 0; s < read->count; s++) {
        if (read->delays[s] > ends[0]) ends[0] = read->delays[s];
        if (-read->delays[s] > ends[1]) ends[1] = -read->delays[s];
    }
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, ends, 2, MPI_INT, MPI_MAX, context->comm));
    rows->longest = ends[0];
    if (ends[0] <= -ends[1]) return;
    rows->delay = memory_new(MEMORY_BUFFERS, (size_t)read->count, sizeof(uint16_t));
    for (int64_t s = 0; s < read->count; s++) rows->delay[s] = read->delays[s];
}

static status read_rows(const context *context, const config *config, const sonata_parameters *p, const char *section, const network *network,
                        synapse_rows *rows) {
    char *path, *types;
    sonata_input input = input_of(config, p, section, network->dt, network->part.total, &path, &types);
    sonata_synapses read = {0};
    status result = sonata_read_edges(context, &input, network->part.first, network->part.mine, &read);
    if (result == STATUS_OK) {
        *rows = (synapse_rows){.targets = network->part.mine,
                               .start = memory_new(MEMORY_BUFFERS, (size_t)network->part.mine + 1, sizeof(int64_t)),
                               .source = memory_new(MEMORY_BUFFERS, (size_t)read.count, sizeof(int32_t)),
                               .weight = memory_new(MEMORY_BUFFERS, (size_t)read.count, sizeof(double))};
        take_delays(context, &read, rows);
        for (int64_t s = 0; s < read.count; s++) {
            rows->start[read.targets[s] - network->part.first + 1]++;
            rows->source[s] = (int32_t)read.sources[s];
            rows->weight[s] = read.weights[s];
        }
        for (int i = 0; i < network->part.mine; i++) rows->start[i + 1] += rows->start[i];
    }
    memory_free(read.targets);
    memory_free(read.sources);
    memory_free(read.weights);
    memory_free(read.delays);
    free(path), free(types);
    return result;
}

static status network_build_sonata(const context *context, const config *config, const void *raw, network *network) {
    const sonata_parameters *p = raw;
    synapse_rows rows = {0};
    status result = read_rows(context, config, p, "network", network, &rows);
    if (result != STATUS_OK) return result;
    int64_t count = rows.start[rows.targets], all = 0;
    CHECK_MPI(MPI_Allreduce(&count, &all, 1, MPI_INT64_T, MPI_SUM, context->comm));
    network->in_degree = (double)all / (double)network->part.total / 2;
    network->synapses = static_from_rows(&rows, network->part.total, network->cells->excitatory);
    synapse_rows_free(&rows);
    for (int i = 0; i < network->part.mine; i++) network->bias[i] = p->bias;
    return STATUS_OK;
}
/** Edges of the file, as if their targets were chosen at random. @param[out] variance of a neuron's inputs */
static status count_inputs(const config *config, const sonata_parameters *p, const network_settings *settings, double *inputs, double *variance) {
    char *path = config_resolve_path(config, p->path);
    int64_t edges = 0;
    status result = sonata_count_edges(path, p->population, &edges);
    free(path);
    *inputs = (double)edges / (double)settings->neurons;
    *variance = *inputs * (1 - 1 / (double)settings->neurons);
    return result;
}

static status network_size_sonata(const config *config, const void *raw, const network_settings *settings, network_size *size) {
    const sonata_parameters *p = raw;
    size->any = true;
    status result = count_inputs(config, p, settings, &size->inputs, &size->variance);
    size->in_degree = size->inputs / 2;
    size->file_bytes = sonata_bytes_kept(1), size->file_blocks = sonata_bytes_of_blocks();
    size->longest = p->longest, size->least = p->shortest, size->own_delays = p->longest != p->shortest;
    return result;
}

const network_kind network_sonata = {.parameters = &network_table, .count = network_count_sonata, .build = network_build_sonata, .size = network_size_sonata};

static const param plastic_parameters[] = {
    EDGES("SONATA edges file with the plastic synapses and their initial weights, syn_weight times nsyns"),
};
static const param_table plastic_table = {"sonata", "plastic synapses from a SONATA edges file", plastic_parameters,
                                          sizeof plastic_parameters / sizeof *plastic_parameters, sizeof(sonata_parameters)};

static status plastic_look_sonata(const context *context, const config *config, void *raw, const network_settings *settings, double dt) {
    sonata_parameters *p = raw;
    char *path = config_resolve_path(config, p->path), *types;
    find_types(context, path, "edge", "plastic.edge_types", &p->types);
    free(path);
    sonata_input input = input_of(config, p, "plastic", dt, settings->neurons, &path, &types);
    sonata_survey survey;
    status result = sonata_look(context, &input, &survey);
    const char *of[2] = {settings->population, survey.nodes};
    bool engram = strcmp(of[0], "neurons") == 0 || strcmp(of[1], "neurons") == 0; /* as a run calls those of any network */
    if (result == STATUS_OK && *of[0] && *of[1] && !engram && strcmp(of[0], of[1]) != 0)
        log_warning(context,
                    "plastic.path: edges of '%s' are inside node population '%s', those of network.path inside '%s': "
                    "the ids of two populations are different neurons",
                    survey.population, of[1], of[0]);
    p->longest = survey.longest, p->shortest = survey.shortest;
    memory_free(survey.signs);
    free(path), free(types);
    return result;
}

static status check_no_twins(const synapse_rows *rows, const network *network, const char *path) {
    for (int i = 0; i < rows->targets; i++)
        for (int64_t s = rows->start[i] + 1; s < rows->start[i + 1]; s++)
            if (rows->source[s] == rows->source[s - 1])
                return status_fail(STATUS_INPUT, "%s: two plastic synapses from neuron %d to neuron %lld; a pair may have one", path, rows->source[s],
                                   (long long)(network->part.first + i));
    return STATUS_OK;
}

static status plastic_build_sonata(const context *context, const config *config, const void *raw, plastic_request *request, network *network,
                                   plastic_synapses **result) {
    const sonata_parameters *p = raw;
    int64_t total = network->part.total;
    synapse_rows rows;
    status code = read_rows(context, config, p, "plastic", network, &rows);
    if (code != STATUS_OK) return code;
    code = check_no_twins(&rows, network, p->path);
    row_list list = row_list_new();
    int64_t room = total + request->feedforward;
    int32_t *source = memory_new(MEMORY_BUFFERS, (size_t)room, sizeof(int32_t));
    double *weight = memory_new(MEMORY_BUFFERS, (size_t)room, sizeof(double));
    for (int i = 0; i < rows.targets && code == STATUS_OK; i++) {
        if (!request->trained[network->part.first + i]) continue;
        int count = 0;
        for (int64_t s = rows.start[i]; s < rows.start[i + 1]; s++, count++) {
            source[count] = rows.source[s];
            weight[count] = rows.weight[s];
        }
        count = plastic_append_feedforward(request, source, weight, count);
        row_list_group(&list, network->part.first + i, source, count);
        row_list_row(&list, i, weight);
    }
    memory_free(source);
    memory_free(weight);
    *result = row_list_finish(&list, request);
    code = status_worse(code, plastic_take_delays(context, &rows, request, "; plastic.delay: ignore takes all as one time step", *result));
    synapse_rows_free(&rows);
    return code;
}

static status plastic_size_sonata(const config *config, const void *raw, const network_settings *settings, const network_size *network, plastic_size *size) {
    (void)network;
    const sonata_parameters *p = raw;
    size->longest = p->longest, size->least = p->shortest;
    size->file_bytes = sonata_bytes_kept(1), size->file_blocks = sonata_bytes_of_blocks();
    return count_inputs(config, p, settings, &size->inputs, &size->variance);
}

const plastic_kind plastic_sonata = {.parameters = &plastic_table, .look = plastic_look_sonata, .build = plastic_build_sonata, .size = plastic_size_sonata};
