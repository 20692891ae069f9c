/* What these networks have to save, to show and to write: lists, and dendritic.h5. */
#include <stdio.h>
#include <string.h>

#include "dendritic.h"
#include "engram/memory.h"
#include "engram/sonata.h"

/* ---- state ---- */

static int64_t decoder_at(const dendritic *d, int64_t element) { /* pixel-major in the file: ranks have blocks of pixels */
    const int64_t pixel = element / d->neurons, k = element % d->neurons;
    return (pixel / TILE * d->padded + k) * TILE + pixel % TILE;
}

static void take_decoder(void *raw, int64_t from, int64_t count, void *elements) {
    const dendritic *d = raw;
    for (int64_t e = 0; e < count; e++) ((double *)elements)[e] = d->decoder.weight[decoder_at(d, from + e)];
}

static void put_decoder(void *raw, int64_t from, int64_t count, const void *elements) {
    dendritic *d = raw;
    for (int64_t e = 0; e < count; e++) d->decoder.weight[decoder_at(d, from + e)] = ((const double *)elements)[e];
}

static void take_weight(void *raw, int64_t from, int64_t count, void *elements) {
    const dendritic *d = raw;
    for (int64_t e = 0; e < count; e++) ((double *)elements)[e] = d->weight[(from + e) % d->neurons * d->mine_padded + (from + e) / d->neurons];
}

static void put_weight(void *raw, int64_t from, int64_t count, const void *elements) {
    dendritic *d = raw;
    for (int64_t e = 0; e < count; e++) d->weight[(from + e) % d->neurons * d->mine_padded + (from + e) / d->neurons] = ((const double *)elements)[e];
}

enum { SHAPE = 3 }; /* planes, rows, columns */

static void shape_now(const dendritic *d, int64_t shape[SHAPE]) {
    int rows, columns, planes;
    images_shape(d->images, &rows, &columns, &planes);
    shape[0] = planes, shape[1] = rows, shape[2] = columns;
}

void dendritic_note_shape(dendritic *d) {
    if (d->image_shape) return;
    d->image_shape = memory_new(MEMORY_OUTPUT, SHAPE, sizeof *d->image_shape);
    shape_now(d, d->image_shape);
}

/** A row of pixels is what files have whose images are flat: of any shape. */
static bool same_shape(const int64_t a[SHAPE], const int64_t b[SHAPE]) {
    const bool flat = a[1] == 1 || b[1] == 1;
    return a[0] == b[0] && (flat ? a[1] * a[2] == b[1] * b[2] : a[1] == b[1] && a[2] == b[2]);
}

/** Of whole tiles of pixels, arrays have the lengths of several shapes. */
status dendritic_fits(const void *raw, const char *path) {
    enum { TEXT_BYTES = 96 };
    const dendritic *d = raw;
    int64_t now[SHAPE];
    char text[2][TEXT_BYTES];
    shape_now(d, now);
    if (!d->image_shape || same_shape(now, d->image_shape)) return STATUS_OK;
    for (int k = 0; k < 2; k++) {
        const int64_t *shape = k ? d->image_shape : now;
        snprintf(text[k], TEXT_BYTES, "%lld x %lld pixels%s", (long long)shape[1], (long long)shape[2], shape[0] == 2 ? ", on and off" : "");
    }
    const char *key = config_path_is(d->config, IMAGES_SECTION ".path") ? "path" : "kind";
    return config_complain(d->config, IMAGES_SECTION, key, "images of %s, but the weights of %s are of images of %s", text[0], path, text[1]);
}

static void list_weights(dendritic *d, state_list *list) {
    const int64_t N = d->neurons;
    state_add_optional(list, "dendritic", "image_shape", H5_INT64, LAYOUT_SHARED, SHAPE, &d->image_shape); /* before what depends on it */
    state_add(list, "dendritic", "bias", H5_FLOAT64, LAYOUT_SHARED, N, d->bias);
    state_add(list, "dendritic", "stochasticity", H5_FLOAT64, LAYOUT_SHARED, 1, &d->stochasticity);
    if (d->literal) return;
    const state_pieces decoder = {.self = d, .mine = (int64_t)d->decoder.mine * TILE * N, .take = take_decoder, .put = put_decoder};
    const state_pieces weight = {.self = d, .mine = (int64_t)d->part.mine * N, .take = take_weight, .put = put_weight};
    state_add_pieces(list, "dendritic", "decoder", H5_FLOAT64, decoder);
    if (d->input) state_add(list, "dendritic", "input", H5_FLOAT64, LAYOUT_ROWS, d->pixels, d->input);
    if (d->weight) state_add_pieces(list, "dendritic", "somatic", H5_FLOAT64, weight);
}

static void list_loop(dendritic *d, state_list *list) {
    const int64_t N = d->neurons;
    state_add(list, "dendritic", "trace", H5_FLOAT64, LAYOUT_SHARED, N, d->trace);
    state_add(list, "dendritic", "power", H5_FLOAT64, LAYOUT_SHARED, 1, &d->power);
    state_add(list, "dendritic", "trace_square", H5_FLOAT64, LAYOUT_SHARED, 1, &d->trace_square);
    state_add(list, "dendritic", "inhibition", H5_FLOAT64, LAYOUT_SHARED, N, d->inhibition);
    state_add(list, "dendritic", "since", H5_INT64, LAYOUT_SHARED, 1, &d->since);
    state_add(list, "dendritic", "memory", H5_FLOAT64, LAYOUT_SHARED, N, d->memory);
    state_add(list, "dendritic", "driven", H5_FLOAT64, LAYOUT_SHARED, N, d->driven);
    state_add(list, "dendritic", "inhibited", H5_FLOAT64, LAYOUT_SHARED, N, d->inhibited);
    state_add(list, "dendritic", "seen", H5_FLOAT64, LAYOUT_SHARED, d->pixels, d->seen);
    state_add(list, "dendritic", "seen_square", H5_FLOAT64, LAYOUT_SHARED, 1, &d->seen_square);
    state_add(list, "dendritic", "owed", H5_FLOAT64, LAYOUT_SHARED, N, d->owed);
}

void dendritic_state(void *raw, state_part part, state_list *list) {
    dendritic *d = raw;
    if (part == STATE_WEIGHTS) list_weights(d, list);
    if (part == STATE_LOOP) list_loop(d, list);
    if (d->literal) written_state(d, part, list);
    else if (d->tensor) tensor_state(d, part, list);
}

/* ---- variables ---- */

/** @param d NULL: nothing is built yet */
static void list_variables(const dendritic *d, bool compartments, variable_list *list) {
    static const variable currents[CURRENTS] = {
        {"excitation", "1", "F x, behind a step", NULL, NULL, NULL, false, true},
        {"inhibition", "1", "inhibition of the soma or, in sum, of compartments, behind a step", NULL, NULL, NULL, false, true},
        {"compartment_excitation", "1", "F_ji x_i of the compartment with the largest F_ji", NULL, NULL, NULL, false, true},
        {"compartment_inhibition", "1", "inhibition of that compartment", NULL, NULL, NULL, false, true},
    };
    variable_add(list, (variable){"v", "1", "membrane potential with a quarter of the autapse and bias, V + A/4 + b: what is compared with noise",
                                  "the potential", d ? d->reported : NULL, NULL, true, true});
    for (int c = 0; c < (compartments ? CURRENTS : COMPARTMENT_EXCITATION); c++) {
        variable current = currents[c];
        current.value = d ? d->current[c] : NULL;
        variable_add(list, current);
    }
}

void dendritic_variables(void *raw, variable_list *list) {
    const dendritic *d = raw;
    list_variables(d, d->tensor_rule, list);
}

void dendritic_known_variables(config *config, variable_list *list) {
    const rule_name rule = dendritic_rule(config);
    list_variables(NULL, rule != RULE_SOMATIC && rule != RULE_DENDRITIC, list);
}

void dendritic_refresh(void *raw) {
    dendritic *d = raw;
    memcpy(d->reported, d->potential + d->part.first, (size_t)d->part.mine * sizeof(double));
    for (int64_t i = 0; i < d->part.mine; i++) {
        const int64_t gid = d->part.first + i;
        double current[CURRENTS] = {d->before[gid] + d->fade * (d->now[gid] - d->before[gid]), d->power * d->inhibition[gid]};
        if (d->literal) written_currents(d, gid, current);
        else if (d->tensor) tensor_currents(d, i, current);
        for (int c = 0; c < CURRENTS; c++) d->current[c][i] = current[c];
    }
}

/* ---- nodes and edges ---- */

static double bias_of(const void *raw, int index, int64_t node) {
    const dendritic *d = raw;
    (void)index;
    return d->bias[d->part.first + node];
}

void dendritic_nodes(void *raw, node_list *list) {
    const dendritic *d = raw;
    const node_population neurons = {.name = NEURON_POPULATION, .part = d->part, .self = d, .type_name = {"dendritic"}, .types = 1};
    const node_population pixels = {.name = UNIT_POPULATION, .part = partition_of(&d->context, d->inputs), .self = d, .type_name = {"virtual"}, .types = 1};
    node_column_add(node_add(list, neurons), "dynamics_params/bias", 0, bias_of);
    node_add(list, pixels);
}

/** A matrix of synapses onto the rank's neurons, made while it is written. */
typedef struct {
    const dendritic *d;
    enum { EDGES_INPUT, EDGES_SOMATIC, EDGES_DENDRITIC } kind;
    int64_t sources;
    double *decoder;  /* D of all neurons, where F is D' or W is made of it; NULL */
    int64_t *start;   /* [mine+1] */
} matrix_edges;

static void make_sources(void *raw, int64_t from, int64_t count, uint64_t *ids) {
    const matrix_edges *edges = raw;
    for (int64_t e = 0; e < count; e++) ids[e] = (uint64_t)((from + e) % edges->sources);
}

/** W_jk = -D_j.D_k, where it is not kept. */
static double inhibition_of(const matrix_edges *edges, int64_t j, int64_t k) {
    const int64_t M = edges->d->inputs;
    const double *to = edges->decoder + j * M, *from = edges->decoder + k * M;
    double sum = 0;
    for (int64_t p = 0; p < M; p++) sum -= to[p] * from[p];
    return sum;
}

static void make_weights(void *raw, int64_t from, int64_t count, double *values) {
    const matrix_edges *edges = raw;
    const dendritic *d = edges->d;
    for (int64_t e = 0; e < count; e++) {
        const int64_t i = (from + e) / edges->sources, k = (from + e) % edges->sources;
        if (edges->kind == EDGES_INPUT) values[e] = d->input ? d->input[i * d->pixels + k] : edges->decoder[(d->part.first + i) * d->inputs + k];
        else if (d->weight) values[e] = d->weight[k * d->mine_padded + i];
        else if (edges->kind == EDGES_SOMATIC) values[e] = inhibition_of(edges, d->part.first + i, k);
        else {
            const double *compartment = tensor_row(d, i, k);
            values[e] = 0;
            for (int p = 0; p < d->inputs; p++) values[e] += compartment[p];
        }
    }
}

static void release(void *raw) {
    matrix_edges *edges = raw;
    memory_free(edges->decoder), memory_free(edges->start), memory_free(edges);
}

void dendritic_edges(void *raw, bool plastic_only, edge_list *list) {
    dendritic *d = raw;
    (void)plastic_only; /* all of them learn */
    for (int which = 0; which < 2; which++) {
        matrix_edges *edges = memory_new(MEMORY_OUTPUT, 1, sizeof *edges);
        const bool decoded = which == 0 ? !d->input : !d->tensor_rule && !d->weight;
        *edges = (matrix_edges){.d = d, .kind = which == 0 ? EDGES_INPUT : d->tensor_rule ? EDGES_DENDRITIC : EDGES_SOMATIC,
                                .sources = which == 0 ? d->inputs : d->neurons, .decoder = decoded ? readout_gather(d) : NULL,
                                .start = memory_new(MEMORY_OUTPUT, (size_t)d->part.mine + 1, sizeof(int64_t))};
        for (int64_t i = 0; i <= d->part.mine; i++) edges->start[i] = i * edges->sources;
        const sonata_edges population = {.population = which == 0 ? "input" : d->tensor_rule || d->rule == RULE_DENDRITIC ? "dendritic" : "somatic",
                                         .source_population = which == 0 ? UNIT_POPULATION : NEURON_POPULATION,
                                         .target_population = NEURON_POPULATION, .source_neurons = edges->sources, .target_first = d->part.first,
                                         .target_mine = d->part.mine, .start = edges->start, .self = edges, .sources = make_sources,
                                         .weights = make_weights, .delay = d->dt, .wide = 1};
        edge_add(list, population, release);
    }
}

/* ---- dendritic.h5, run.json ---- */

bool dendritic_writes_tensor(double synapses) {
    static const double MOST = 50e6;
    return synapses <= MOST;
}

void dendritic_results(void *raw, h5_file *file) {
    dendritic *d = raw;
    const int M = d->inputs;
    const size_t mine = (size_t)d->part.mine;
    int rows, columns, planes;
    double *decoder = readout_gather(d), *packed = memory_new(MEMORY_OUTPUT, mine * (size_t)M, sizeof(double));
    images_shape(d->images, &rows, &columns, &planes);
    for (size_t i = 0; i < mine && d->input; i++) memcpy(packed + i * (size_t)M, d->input + i * (size_t)d->pixels, (size_t)M * sizeof(double));
    h5_write(file, "input", h5_rows(H5_FLOAT64, &d->part, M), d->input ? packed : decoder + d->part.first * M);
    h5_attribute_text(file, "input", "help", "F [neuron][pixel]");
    h5_write(file, "decoder", h5_rows(H5_FLOAT64, &d->part, M), decoder + d->part.first * M);
    h5_attribute_text(file, "decoder", "help", "D' [neuron][pixel]: what a spike of a neuron adds to the decoded image");
    h5_write(file, "bias", h5_neurons(H5_FLOAT64, &d->part), d->bias + d->part.first);
    const double shape[SHAPE] = {planes, rows, columns};
    h5_write(file, "image_shape", h5_whole(H5_FLOAT64, SHAPE), shape);
    h5_attribute_text(file, "image_shape", "help", "planes (2: on and off), rows, columns of a row of pixels");
    if (d->tensor_rule && dendritic_writes_tensor((double)d->neurons * d->neurons * M)) {
        const h5_dataset tensor = {.type = H5_FLOAT64, .dimensions = 3, .shape = {d->part.total, d->neurons, M}, .axis = 0, .first = d->part.first,
                                   .mine = d->part.mine};
        double *synapses = memory_new(MEMORY_OUTPUT, mine * (size_t)d->neurons * (size_t)M, sizeof(double));
        for (size_t e = 0; e < mine * (size_t)d->neurons; e++)
            memcpy(synapses + e * (size_t)M, tensor_row(d, (int64_t)(e / (size_t)d->neurons), (int64_t)(e % (size_t)d->neurons)), (size_t)M * sizeof(double));
        h5_write(file, "dendritic", tensor, synapses);
        h5_attribute_text(file, "dendritic", "help", "W [neuron][presynaptic neuron][pixel]: inhibition of compartments");
        memory_free(synapses);
    }
    if (d->rates->pruned > 0) {
        h5_write(file, "somatic", h5_rows(H5_FLOAT64, &d->part, d->neurons), written_somatic(d) + d->part.first * d->neurons);
        h5_attribute_text(file, "somatic", "help", "W [neuron][presynaptic neuron]: inhibition that acts, where that of compartments is pruned");
    }
    memory_free(decoder), memory_free(packed);
}

void dendritic_figures(const void *raw, figure_list *list) {
    const dendritic *d = raw;
    figure_add(list, NULL, "stochasticity", d->stochasticity);
    figure_add_count(list, NULL, "inputs", d->inputs);
    figure_add_count(list, NULL, "images_per_loop", d->images_per_loop);
}
