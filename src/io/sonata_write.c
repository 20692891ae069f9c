#include "engram/sonata.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engram/files.h"
#include "engram/h5.h"
#include "engram/memory.h"
#include "sonata_private.h"

enum { NAME_BYTES = 1024, SORTING_BY_ID = 1 };

/** How the rows of a group's datasets are divided among the ranks. */
typedef struct {
    h5_file *file;
    int64_t first, mine, total;
} division;

/** The ranks' shares follow one another. Collective. */
static division division_of(const context *job, h5_file *file, int64_t mine) {
    division rows = {.file = file, .mine = mine};
    rows.first = context_first(job, mine, &rows.total);
    return rows;
}

__attribute__((format(printf, 2, 3))) static const char *format_name(char name[NAME_BYTES], const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(name, NAME_BYTES, format, arguments);
    va_end(arguments);
    if (length < 0 || length >= NAME_BYTES) context_abort("sonata: the name '%.40s...' is too long", name);
    return name;
}

/* ---- columns: one-dimensional datasets divided by rows ---- */

static h5_dataset column_of(const division *rows, h5_type type, bool compress) {
    h5_dataset column = h5_slice(type, rows->total, rows->first, rows->mine);
    return compress ? h5_compressed(column) : column;
}

/** Compressed. */
static void write_column(const division *rows, const char *group, const char *name, h5_type type, const void *data) {
    char path[NAME_BYTES];
    h5_write(rows->file, format_name(path, "%s/%s", group, name), column_of(rows, type, true), data);
}

static void write_made(const division *rows, const char *group, const char *name, h5_type type, bool compress, h5_make make, void *self) {
    char path[NAME_BYTES];
    h5_write_made(rows->file, format_name(path, "%s/%s", group, name), column_of(rows, type, compress), make, self);
}

static void make_count(void *self, int64_t from, int64_t count, void *elements) {
    const int64_t *first = self;
    uint64_t *numbers = elements;
    for (int64_t k = 0; k < count; k++) numbers[k] = (uint64_t)(*first + from + k);
}

/** 0, 1, 2, ... over all ranks. */
static void write_count(const division *rows, const char *group, const char *name) {
    int64_t first = rows->first;
    write_made(rows, group, name, H5_UINT64, true, make_count, &first);
}

static void make_zeros(void *self, int64_t from, int64_t count, void *elements) {
    (void)from;
    memset(elements, 0, (size_t)count * *(size_t *)self);
}

/** 0, 0, 0, ... in elements of @p size bytes. */
static void write_zeros(const division *rows, const char *group, const char *name, h5_type type, size_t size) {
    write_made(rows, group, name, type, true, make_zeros, &size);
}

static void write_units(h5_file *file, const char *group, const char *name, const char *units) {
    char object[NAME_BYTES];
    h5_attribute_text(file, format_name(object, "%s/%s", group, name), "units", units);
}

/* ---- spikes ---- */

status sonata_write_spikes(const context *job, const char *path, const char *configuration, const char *population, int64_t count,
                           const double *times, const uint64_t *ids) {
    char group[NAME_BYTES];
    h5_file *file = h5_create(job, path, configuration);
    division rows = division_of(job, file, count);
    h5_group(file, format_name(group, "/spikes/%s", population));
    h5_attribute_sorting(file, group, SORTING_BY_ID);
    write_column(&rows, group, "timestamps", H5_FLOAT64, times);
    write_units(file, group, "timestamps", "ms");
    write_column(&rows, group, "node_ids", H5_UINT64, ids);
    return h5_commit(file);
}

/* ---- report ---- */

/** A point neuron is one element, so the pointers are 0, 1, ..., neurons; the last rank adds the end. */
static void write_pointers(const context *job, const division *neurons, const char *mapping) {
    char link[NAME_BYTES], target[NAME_BYTES];
    division pointers = *neurons;
    pointers.total++;
    if (job->rank == job->ranks - 1) pointers.mine++;
    write_count(&pointers, mapping, "index_pointers");
    h5_link(neurons->file, format_name(target, "%s/index_pointers", mapping), format_name(link, "%s/index_pointer", mapping)); /* for bmtk */
}

/** @param root the group of this variable's report */
static void write_variable(const context *job, const division *neurons, const char *root, const sonata_report *report, const sonata_variable *variable) {
    const double time[3] = {report->start, report->start + (double)report->samples * report->interval, report->interval};
    char name[NAME_BYTES], mapping[NAME_BYTES];
    h5_file *file = neurons->file;
    const h5_dataset data = {.type = H5_FLOAT32, .dimensions = 2, .shape = {report->samples, neurons->total}, .axis = 1,
                             .first = neurons->first, .mine = neurons->mine, .compress = true};
    h5_write(file, format_name(name, "%s/data", root), data, variable->data);
    h5_attribute_text(file, name, "units", variable->unit);
    h5_attribute_text(file, name, "variable", variable->variable);
    format_name(mapping, "%s/mapping", root);
    write_column(neurons, mapping, "node_ids", H5_UINT64, report->ids);
    h5_attribute(file, format_name(name, "%s/node_ids", mapping), "sorted", H5_UINT8, 0, &(uint8_t){1});
    write_pointers(job, neurons, mapping);
    write_zeros(neurons, mapping, "element_ids", H5_UINT32, sizeof(uint32_t));
    write_zeros(neurons, mapping, "element_pos", H5_FLOAT32, sizeof(float));
    h5_write(file, format_name(name, "%s/time", mapping), h5_whole(H5_FLOAT64, 3), time);
    h5_attribute_text(file, name, "units", "ms");
}

status sonata_write_report(const context *job, const char *path, const char *configuration, const sonata_report *report) {
    char root[NAME_BYTES];
    h5_file *file = h5_create(job, path, configuration);
    division neurons = division_of(job, file, report->mine);
    for (int i = 0; i < report->variable_count; i++) {
        const sonata_variable *variable = &report->variables[i];
        if (report->variable_count == 1) format_name(root, "/report/%s", report->population);
        else format_name(root, "/report/%s_%s", report->population, variable->variable);
        write_variable(job, &neurons, root, report, variable);
    }
    return h5_commit(file);
}

/* ---- nodes ---- */

/** One field of node_types.csv, quoted when a blank or quote would end it. */
static void print_field(FILE *csv, const char *text) {
    if (text[0] && !strpbrk(text, " \t\"\n")) {
        fputs(text, csv);
        return;
    }
    fputc('"', csv);
    for (; *text; text++) {
        if (*text == '"') fputc('"', csv);
        fputc(*text, csv);
    }
    fputc('"', csv);
}

/** Populations of a run: names and types. */
typedef struct {
    int node_count, edge_count;
    const sonata_nodes *nodes;
    const sonata_edges *edges;
} circuit;

static void print_types(FILE *csv, const void *self) {
    const circuit *circuit = self;
    const sonata_nodes *nodes = circuit->nodes;
    int id = 0;
    fputs("node_type_id population model_type model_template\n", csv);
    for (int p = 0; p < circuit->node_count; p++)
        for (int i = 0; i < nodes[p].type_count; i++) {
            const char *name = nodes[p].type_names[i];
            bool is_virtual = strcmp(name, "virtual") == 0;
            fprintf(csv, "%d ", id++);
            print_field(csv, nodes[p].population);
            fputs(is_virtual ? " virtual " : " point_neuron ", csv);
            print_field(csv, is_virtual ? "NULL" : name);
            fputc('\n', csv);
        }
}

/** A text file beside another, complete or not at all. Only on rank 0. */
static status write_text(const char *beside, const char *name, void (*print)(FILE *file, const void *self), const void *self) {
    const char *slash = strrchr(beside, '/');
    char *path;
    if (asprintf(&path, "%.*s%s", slash ? (int)(slash - beside + 1) : 0, beside, name) < 0) context_abort("memory: no room for a path");
    FILE *file = file_begin(path, 0666);
    if (file) print(file, self);
    int error = file ? file_end(file, path) : errno;
    status result = error ? status_fail(STATUS_FAILURE, "cannot write %s: %s", path, file_why(error)) : STATUS_OK;
    free(path);
    return result;
}

static void write_nodes(const context *job, h5_file *file, const sonata_nodes *nodes) {
    char group[NAME_BYTES], attributes[NAME_BYTES];
    division rows = division_of(job, file, nodes->mine);
    rows.first = nodes->first; /* the same, unless this rank has none */
    format_name(group, "/nodes/%s", nodes->population);
    h5_group(file, format_name(attributes, "%s/0", group)); /* must exist even if empty */
    write_column(&rows, group, "node_type_id", H5_INT64, nodes->type);
    write_count(&rows, group, "node_id");
    write_zeros(&rows, group, "node_group_id", H5_UINT32, sizeof(uint32_t));
    write_count(&rows, group, "node_group_index");
    for (int i = 0; i < nodes->column_count; i++) write_column(&rows, attributes, nodes->columns[i].name, H5_FLOAT64, nodes->columns[i].values);
}

status sonata_write_nodes(const context *job, const char *path, const char *configuration, int population_count, const sonata_nodes *nodes) {
    h5_file *file = h5_create(job, path, configuration);
    for (int p = 0; p < population_count; p++) write_nodes(job, file, &nodes[p]);
    status result = h5_commit(file);
    if (result != STATUS_OK) return result;
    const circuit circuit = {.node_count = population_count, .nodes = nodes};
    int code = job->rank == 0 ? (int)write_text(path, "node_types.csv", print_types, &circuit) : 0;
    CHECK_MPI(MPI_Bcast(&code, 1, MPI_INT, 0, job->comm));
    return (status)code;
}

/* ---- edges ---- */

static int64_t synapses_of(const sonata_edges *edges) {
    return edges->start[edges->target_mine];
}

/** The target, counted from my first, whose synapses @p synapse is among. */
static int64_t target_of(const sonata_edges *edges, int64_t synapse) {
    int64_t low = 0, high = edges->target_mine;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (edges->start[middle] <= synapse) low = middle;
        else high = middle;
    }
    return low;
}

static void make_targets(void *self, int64_t from, int64_t count, void *elements) {
    const sonata_edges *edges = self;
    uint64_t *ids = elements;
    for (int64_t k = 0, target = target_of(edges, from); k < count; k++) {
        while (edges->start[target + 1] <= from + k) target++;
        ids[k] = (uint64_t)(edges->target_first + target);
    }
}

/** Ascending within a target, and of the population? */
__attribute__((unused)) static bool sources_are_valid(const sonata_edges *edges, int64_t from, int64_t count, const uint64_t *ids) {
    for (int64_t k = 0, target = target_of(edges, from); k < count; k++) {
        bool same = k > 0 && edges->start[target + 1] > from + k;
        while (edges->start[target + 1] <= from + k) target++;
        if (ids[k] >= (uint64_t)edges->source_neurons || (same && ids[k - 1] > ids[k])) return false;
    }
    return true;
}

static void make_sources(void *self, int64_t from, int64_t count, void *elements) {
    const sonata_edges *edges = self;
    edges->sources(edges->self, from, count, elements);
    assert(sources_are_valid(edges, from, count, elements));
}

/** One column of reals. */
typedef struct { const sonata_edges *edges; sonata_make_values make; } real_column;

static void make_wide(void *self, int64_t from, int64_t count, void *elements) {
    const real_column *column = self;
    column->make(column->edges->self, from, count, elements);
}

/** HDF5 converts types only outside of collective writes, so it is done here. */
static void make_narrow(void *self, int64_t from, int64_t count, void *elements) {
    enum { AT_ONCE = 4096 };
    const real_column *column = self;
    float *narrow = elements;
    double values[AT_ONCE];
    for (int64_t done = 0; done < count; done += AT_ONCE) {
        int64_t here = count - done < AT_ONCE ? count - done : AT_ONCE;
        column->make(column->edges->self, from + done, here, values);
        for (int64_t k = 0; k < here; k++) narrow[done + k] = (float)values[k];
    }
}

static void make_delay(void *self, int64_t from, int64_t count, void *elements) {
    (void)from;
    double *delays = elements;
    for (int64_t k = 0; k < count; k++) delays[k] = *(const double *)self;
}

/** Range t of range_to_edge_id is the slice of edges onto target t; targets without edges point at no range. */
static void write_index(const division *synapses, const division *targets, const char *group, const sonata_edges *edges) {
    char index[NAME_BYTES], name[NAME_BYTES], link[NAME_BYTES];
    uint64_t(*nodes)[2] = memory_new(MEMORY_OUTPUT, (size_t)edges->target_mine, sizeof *nodes);
    uint64_t(*ranges)[2] = memory_new(MEMORY_OUTPUT, (size_t)edges->target_mine, sizeof *ranges);
    for (int64_t i = 0; i < edges->target_mine; i++) {
        ranges[i][0] = (uint64_t)(synapses->first + edges->start[i]);
        ranges[i][1] = (uint64_t)(synapses->first + edges->start[i + 1]);
        nodes[i][0] = (uint64_t)(edges->target_first + i);
        nodes[i][1] = nodes[i][0] + (ranges[i][1] > ranges[i][0]);
    }
    format_name(index, "%s/indices/target_to_source", group);
    const h5_dataset pairs = {.type = H5_UINT64, .dimensions = 2, .shape = {targets->total, 2}, .axis = 0, .first = targets->first, .mine = targets->mine};
    h5_write(targets->file, format_name(name, "%s/range_to_edge_id", index), pairs, ranges);
    h5_write(targets->file, format_name(name, "%s/node_id_to_ranges", index), pairs, nodes);
    h5_link(targets->file, name, format_name(link, "%s/node_id_to_range", index)); /* the name that bmtk wants */
    memory_free(ranges);
    memory_free(nodes);
}

static void write_weights(const division *synapses, const char *attributes, const char *name, const sonata_edges *edges, sonata_make_values make) {
    real_column column = {edges, make};
    write_made(synapses, attributes, name, edges->wide ? H5_FLOAT64 : H5_FLOAT32, false, edges->wide ? make_wide : make_narrow, &column);
}

static void write_delays(const division *synapses, const char *attributes, const sonata_edges *edges) {
    real_column column = {edges, edges->delays};
    double delay = edges->delay;
    write_made(synapses, attributes, "delay", H5_FLOAT64, true, edges->delays ? make_wide : make_delay, edges->delays ? (void *)&column : &delay);
    write_units(synapses->file, attributes, "delay", "ms");
}

static void write_population(const context *job, h5_file *file, const sonata_edges *population) {
    char group[NAME_BYTES], attributes[NAME_BYTES], name[NAME_BYTES];
    sonata_edges edges = *population;
    division synapses = division_of(job, file, synapses_of(&edges)), targets = division_of(job, file, edges.target_mine);
    targets.first = edges.target_first;
    format_name(attributes, "%s/0", format_name(group, "/edges/%s", edges.population));
    write_made(&synapses, group, "source_node_id", H5_UINT64, false, make_sources, &edges);
    h5_attribute_text(file, format_name(name, "%s/source_node_id", group), "node_population", edges.source_population);
    write_made(&synapses, group, "target_node_id", H5_UINT64, false, make_targets, &edges);
    h5_attribute_text(file, format_name(name, "%s/target_node_id", group), "node_population", edges.target_population);
    write_zeros(&synapses, group, "edge_type_id", H5_INT64, sizeof(int64_t));
    write_zeros(&synapses, group, "edge_group_id", H5_UINT32, sizeof(uint32_t));
    write_count(&synapses, group, "edge_group_index");
    write_weights(&synapses, attributes, "syn_weight", &edges, edges.weights);
    if (edges.initial_weights) write_weights(&synapses, attributes, "initial_weight", &edges, edges.initial_weights);
    write_delays(&synapses, attributes, &edges);
    write_index(&synapses, &targets, group, &edges);
}

status sonata_write_edges(const context *job, const char *path, const char *configuration, int population_count, const sonata_edges *edges) {
    h5_file *file = h5_create(job, path, configuration);
    h5_group(file, "/edges");
    for (int i = 0; i < population_count; i++) write_population(job, file, &edges[i]);
    return h5_commit(file);
}

/* ---- circuit ---- */

static void print_edge_type(FILE *csv, const void *self) {
    (void)self;
    fputs(SONATA_EDGE_TYPES, csv);
}

/** Names are words of the program: nothing in them is to be escaped. */
static void print_populations(FILE *json, const char *what, int count, const circuit *circuit) {
    bool nodes = strcmp(what, "node") == 0;
    fprintf(json, "      {\"%ss_file\": \"$BASE_DIR/%ss.h5\", \"%s_types_file\": \"$BASE_DIR/%s_types.csv\", \"populations\": {", what, what, what, what);
    for (int p = 0; p < count; p++) {
        const sonata_nodes *of = &circuit->nodes[p];
        const char *type = !nodes ? "chemical" : of->type_count == 1 && strcmp(of->type_names[0], "virtual") == 0 ? "virtual" : "point_neuron";
        fprintf(json, "%s\n        \"%s\": {\"type\": \"%s\"}", p ? "," : "", nodes ? of->population : circuit->edges[p].population, type);
    }
    fputs("}}", json);
}

static void print_circuit(FILE *json, const void *self) {
    const circuit *circuit = self;
    fputs("{\n  \"manifest\": {\"$BASE_DIR\": \".\"},\n  \"networks\": {\n    \"nodes\": [\n", json);
    print_populations(json, "node", circuit->node_count, circuit);
    fputs("\n    ],\n    \"edges\": [", json);
    if (circuit->edge_count) {
        fputc('\n', json);
        print_populations(json, "edge", circuit->edge_count, circuit);
        fputs("\n    ", json);
    }
    fputs("]\n  }\n}\n", json);
}

status sonata_write_circuit(const context *job, const char *path, int node_count, const sonata_nodes *nodes, int edge_count, const sonata_edges *edges) {
    const circuit circuit = {.node_count = node_count, .edge_count = edge_count, .nodes = nodes, .edges = edges};
    int code = STATUS_OK;
    if (job->rank == 0) {
        if (edge_count) code = write_text(path, "edge_types.csv", print_edge_type, NULL);
        code = status_worse((status)code, write_text(path, "circuit_config.json", print_circuit, &circuit));
    }
    CHECK_MPI(MPI_Bcast(&code, 1, MPI_INT, 0, job->comm));
    return (status)code;
}
