/** @file test_sonata.c
 *  SONATA files written by any number of ranks, some of which have nothing, and read back; failures that must be told and not end the job.
 *  Usage: mpirun -n N test_sonata DIRECTORY. check_sonata.py looks at what is left there.
 */
#include <hdf5.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engram/h5.h"
#include "engram/memory.h"
#include "engram/sonata.h"
#include "io/h5_server.h"

enum { NEURONS = 1003, SAMPLES = 50, TEXT_BYTES = 200000, EDGES_PER_TARGET = 40 };

typedef struct {
    context job;
    const char *directory;
    char path[4096];
    char *configuration;
    int64_t first, mine; /**< my neurons; every third rank has none */
    int failures;
} fixture;

#define CHECK(f, condition)                                                                             \
    do {                                                                                                \
        if (!(condition)) {                                                                             \
            fprintf(stderr, "rank %d: %s:%d: not so: %s\n", (f)->job.rank, __FILE__, __LINE__, #condition); \
            (f)->failures++;                                                                            \
        }                                                                                               \
    } while (0)

static const char *at(fixture *f, const char *name) {
    snprintf(f->path, sizeof f->path, "%s/%s", f->directory, name);
    return f->path;
}

/** Divide @p count among the ranks that are not the second of three. */
static void divide(const context *job, int64_t count, int64_t *first, int64_t *mine) {
    int active = 0, before = 0;
    for (int r = 0; r < job->ranks; r++) {
        if (r < job->rank && r % 3 != 1) before++;
        if (r % 3 != 1) active++;
    }
    *first = count * before / active;
    *mine = job->rank % 3 == 1 ? 0 : count * (before + 1) / active - *first;
}

/** The network, a function of the ids only, so that every rank knows what the whole file should hold. */
static int edges_onto(int64_t target) { return target % 5 == 2 ? 0 : EDGES_PER_TARGET; }
static uint64_t source_of(int64_t target, int i) { return (uint64_t)((target * 7) % 11 + i * 24); }
static double weight_of(int64_t target, int i) { return (double)target + i / 64. + 1e-12; }

/* ---- reading back, on rank 0 ---- */

static void check_dataset(fixture *f, hid_t file, const char *name, int64_t count, double (*wanted)(int64_t)) {
    hid_t set = H5Dopen2(file, name, H5P_DEFAULT), space = H5Dget_space(set);
    CHECK(f, set >= 0 && H5Sget_simple_extent_npoints(space) == count);
    double *values = calloc((size_t)count + 1, sizeof *values);
    if (set >= 0 && H5Sget_simple_extent_npoints(space) == count) {
        CHECK(f, H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
        int wrong = 0;
        for (int64_t i = 0; i < count; i++) wrong += values[i] != wanted(i);
        if (wrong) fprintf(stderr, "%s: %d wrong values\n", name, wrong);
        CHECK(f, wrong == 0);
    }
    free(values);
    if (space >= 0) H5Sclose(space);
    if (set >= 0) H5Dclose(set);
}

static hid_t reopen(fixture *f, const char *name) {
    hid_t file = H5Fopen(at(f, name), H5F_ACC_RDONLY, H5P_DEFAULT);
    CHECK(f, file >= 0);
    strcat(f->path, ".part");
    CHECK(f, access(f->path, F_OK) != 0);
    return file;
}

static double zero(int64_t i) { return 0 * (double)i; }
static double number(int64_t i) { return (double)i; }
static double spike_id(int64_t i) { return (double)(i / 20); }
static double spike_time(int64_t i) { return (double)(i / 20) + 0.5 * (double)(i % 20); }
static double report_value(int64_t i) { return (double)(float)(1000 * (i / NEURONS) + i % NEURONS); }
static double half(int64_t i) { return 0.5 * (double)i; }

static void test_configuration(fixture *f, hid_t file) {
    hid_t id = H5Aopen(file, "configuration", H5P_DEFAULT), type = H5Aget_type(id);
    char *text = NULL;
    CHECK(f, H5Aread(id, type, &text) >= 0 && text && strcmp(text, f->configuration) == 0);
    H5free_memory(text);
    H5Tclose(type);
    H5Aclose(id);
}

/* ---- spikes, report, nodes ---- */

static void test_spikes(fixture *f) {
    int64_t count = 20 * f->mine;
    double *times = calloc((size_t)count + 1, sizeof *times);
    uint64_t *ids = calloc((size_t)count + 1, sizeof *ids);
    for (int64_t i = 0; i < count; i++) {
        times[i] = spike_time(20 * f->first + i);
        ids[i] = (uint64_t)spike_id(20 * f->first + i);
    }
    CHECK(f, sonata_write_spikes(&f->job, at(f, "spikes.h5"), f->configuration, "recurrent", count, times, ids) == STATUS_OK);
    CHECK(f, sonata_write_spikes(&f->job, at(f, "silence.h5"), NULL, "recurrent", 0, NULL, NULL) == STATUS_OK);
    if (f->job.rank == 0) {
        hid_t file = reopen(f, "spikes.h5");
        check_dataset(f, file, "/spikes/recurrent/timestamps", 20 * NEURONS, spike_time);
        check_dataset(f, file, "/spikes/recurrent/node_ids", 20 * NEURONS, spike_id);
        test_configuration(f, file);
        H5Fclose(file);
        file = reopen(f, "silence.h5");
        check_dataset(f, file, "/spikes/recurrent/timestamps", 0, zero);
        H5Fclose(file);
    }
    free(times);
    free(ids);
}

static void test_report(fixture *f) {
    float *data = calloc((size_t)(SAMPLES * f->mine) + 1, sizeof *data);
    uint64_t *ids = calloc((size_t)f->mine + 1, sizeof *ids);
    for (int64_t i = 0; i < f->mine; i++) ids[i] = (uint64_t)(f->first + i);
    for (int64_t t = 0; t < SAMPLES; t++)
        for (int64_t i = 0; i < f->mine; i++) data[t * f->mine + i] = (float)report_value(t * NEURONS + f->first + i);
    const sonata_variable both[] = {{"u", "mV", data}, {"drive", "1", data}};
    sonata_report report = {.population = "recurrent", .start = 100, .interval = 0.5, .samples = SAMPLES, .mine = f->mine, .ids = ids,
                            .variable_count = 1, .variables = both};
    CHECK(f, sonata_write_report(&f->job, at(f, "report.h5"), NULL, &report) == STATUS_OK);
    report.variable_count = 2;
    CHECK(f, sonata_write_report(&f->job, at(f, "report2.h5"), NULL, &report) == STATUS_OK);
    if (f->job.rank == 0) {
        static const char *const files[] = {"report.h5", "report2.h5"}, *const groups[] = {"/report/recurrent", "/report/recurrent_drive"};
        for (int i = 0; i < 2; i++) {
            char name[256];
            hid_t file = reopen(f, files[i]);
            snprintf(name, sizeof name, "%s/data", groups[i]);
            check_dataset(f, file, name, (int64_t)SAMPLES * NEURONS, report_value);
            snprintf(name, sizeof name, "%s/mapping/index_pointer", groups[i]);
            check_dataset(f, file, name, NEURONS + 1, number);
            snprintf(name, sizeof name, "%s/mapping/node_ids", groups[i]);
            check_dataset(f, file, name, NEURONS, number);
            H5Fclose(file);
        }
    }
    free(data);
    free(ids);
}

static void test_nodes(fixture *f) {
    int64_t *type = calloc((size_t)f->mine + 1, sizeof *type);
    double *x = calloc((size_t)f->mine + 1, sizeof *x);
    for (int64_t i = 0; i < f->mine; i++) x[i] = half(f->first + i);
    const sonata_column columns[] = {{"x", x}, {"dynamics_params/tau", x}};
    static const char *const names[] = {"lif", "virtual", "odd name"};
    const sonata_nodes both[] = {{.population = "recurrent",
                                  .first = f->first,
                                  .mine = f->mine,
                                  .type = type,
                                  .type_count = 3,
                                  .type_names = names,
                                  .column_count = 2,
                                  .columns = columns},
                                 {.population = "bare", .first = f->first, .mine = f->mine, .type = type, .type_count = 1, .type_names = names + 1}};
    CHECK(f, sonata_write_nodes(&f->job, at(f, "nodes.h5"), NULL, 1, both) == STATUS_OK);
    CHECK(f, sonata_write_nodes(&f->job, at(f, "nodes.h5"), NULL, 2, both) == STATUS_OK); /* the csv again */
    int64_t count = 0;
    uint8_t *sort = NULL;
    CHECK(f, sonata_read_nodes(&f->job, at(f, "nodes.h5"), "bare", "", &count, &sort) == STATUS_OK && count == NEURONS &&
                 sort[NEURONS - 1] == SONATA_NODE_UNKNOWN);
    memory_free(sort);
    if (f->job.rank == 0) {
        hid_t file = reopen(f, "nodes.h5");
        check_dataset(f, file, "/nodes/recurrent/node_type_id", NEURONS, zero);
        check_dataset(f, file, "/nodes/recurrent/node_group_index", NEURONS, number);
        check_dataset(f, file, "/nodes/recurrent/0/dynamics_params/tau", NEURONS, half);
        H5Fclose(file);
    }
    free(type);
    free(x);
}

/* ---- edges ---- */

/** Columns of my synapses. */
typedef struct { uint64_t *source; double *weight; } columns;

static void make_sources(void *self, int64_t from, int64_t count, uint64_t *ids) {
    memcpy(ids, ((columns *)self)->source + from, (size_t)count * sizeof *ids);
}

static void make_weights(void *self, int64_t from, int64_t count, double *values) {
    memcpy(values, ((columns *)self)->weight + from, (size_t)count * sizeof *values);
}

static void write_network(fixture *f) {
    size_t room = (size_t)(EDGES_PER_TARGET * f->mine + 1);
    columns columns = {calloc(room, sizeof *columns.source), calloc(room, sizeof *columns.weight)};
    int64_t *start = calloc((size_t)f->mine + 1, sizeof *start), count = 0;
    for (int64_t t = f->first; t < f->first + f->mine; t++) {
        for (int i = 0; i < edges_onto(t); i++, count++) {
            columns.source[count] = source_of(t, i);
            columns.weight[count] = weight_of(t, i);
        }
        start[t - f->first + 1] = count;
    }
    sonata_edges both[2] = {{.population = "recurrent_plastic",
                             .source_population = "recurrent",
                             .target_population = "recurrent",
                             .source_neurons = NEURONS,
                             .target_first = f->first,
                             .target_mine = f->mine,
                             .start = start,
                             .self = &columns,
                             .sources = make_sources,
                             .weights = make_weights,
                             .initial_weights = make_weights,
                             .delay = 0.5,
                             .wide = 1}};
    both[1] = both[0];
    both[1].population = "input_static";
    both[1].source_population = "input";
    both[1].initial_weights = NULL;
    both[1].delays = make_weights;
    both[1].wide = 0;
    CHECK(f, sonata_write_edges(&f->job, at(f, "edges.h5"), f->configuration, 2, both) == STATUS_OK);
    both[0].wide = 0;
    CHECK(f, sonata_write_edges(&f->job, at(f, "plain.h5"), NULL, 1, both) == STATUS_OK);
    both[0].wide = 1;
    memset(start, 0, ((size_t)f->mine + 1) * sizeof *start);
    CHECK(f, sonata_write_edges(&f->job, at(f, "none.h5"), NULL, 1, both) == STATUS_OK);
    free(columns.source);
    free(columns.weight);
    free(start);
}

static void clear(sonata_synapses *got) {
    memory_free(got->sources);
    memory_free(got->targets);
    memory_free(got->weights);
}

/** Look at the edges (@p look), and read them as an even division over all ranks, unlike the one that wrote. What is told stays on the rank that tells it. */
static status look_and_read(fixture *f, const char *name, const char *population, int64_t neurons, bool look, sonata_synapses *got) {
    context quiet = f->job;
    quiet.groups = quiet.group = 1;
    const sonata_input input = {.path = at(f, name), .population = population, .types = "", .section = "network", .dt = 0.5, .neurons = neurons};
    int64_t first = neurons * f->job.rank / f->job.ranks, end = neurons * (f->job.rank + 1) / f->job.ranks;
    sonata_survey survey = {0};
    *got = (sonata_synapses){0};
    status looked = look ? sonata_look(&quiet, &input, &survey) : STATUS_OK;
    memory_free(survey.signs);
    if (looked != STATUS_OK) return looked;
    status read = sonata_read_edges(&quiet, &input, first, end - first, got);
    int64_t kept = got->count;
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &kept, 1, MPI_INT64_T, MPI_SUM, f->job.comm));
    CHECK(f, read == STATUS_OK && (!look || kept == survey.edges));
    return read;
}

static status read_edges(fixture *f, const char *name, const char *population, int64_t neurons, sonata_synapses *got) {
    return look_and_read(f, name, population, neurons, true, got);
}

/** Has a rank said so? All forget what was told. */
static void check_told(fixture *f, const char *wanted) {
    int told = strstr(status_message(), wanted) != NULL, any = 0;
    CHECK_MPI(MPI_Allreduce(&told, &any, 1, MPI_INT, MPI_MAX, f->job.comm));
    if (!any) fprintf(stderr, "wanted '%s', told '%s'\n", wanted, status_message());
    CHECK(f, any);
    status_forget();
}

/** @p wide: weights are exact */
static void check_edges(fixture *f, const char *name, const char *population, bool wide) {
    int64_t first = NEURONS * f->job.rank / f->job.ranks, end = NEURONS * (f->job.rank + 1) / f->job.ranks, n = 0, wrong = 0;
    sonata_synapses got;
    status read = read_edges(f, name, population, NEURONS, &got);
    if (read != STATUS_OK) fprintf(stderr, "%s\n", status_message());
    CHECK(f, read == STATUS_OK);
    for (int64_t t = first; t < end; t++)
        for (int i = 0; i < edges_onto(t); i++, n++) {
            double weight = wide ? weight_of(t, i) : (double)(float)weight_of(t, i);
            wrong += n >= got.count || got.targets[n] != t || got.sources[n] != (int64_t)source_of(t, i) || got.weights[n] != weight;
        }
    CHECK(f, wrong == 0 && n == got.count);
    clear(&got);
    status_forget();
}

/** A dataset as programs of others write it. */
typedef struct {
    hid_t stored, memory;  /**< type of elements in the file, and of those it is made from */
    hsize_t rows, columns; /**< its shape; columns 0: one axis */
} foreign_set;

/* Made from int64 or double: [rows], pairs [rows][2]. */
static foreign_set ids(hid_t stored, hsize_t rows) { return (foreign_set){.stored = stored, .memory = H5T_NATIVE_INT64, .rows = rows}; }
static foreign_set id_pairs(hid_t stored, hsize_t rows) { return (foreign_set){.stored = stored, .memory = H5T_NATIVE_INT64, .rows = rows, .columns = 2}; }
static foreign_set weights(hid_t stored, hsize_t rows) { return (foreign_set){.stored = stored, .memory = H5T_NATIVE_DOUBLE, .rows = rows}; }

/** @param data borrowed; NULL: nothing is written */
static void put(hid_t file, const char *name, foreign_set set, const void *data) {
    hid_t links = H5Pcreate(H5P_LINK_CREATE), space = H5Screate_simple(set.columns ? 2 : 1, (hsize_t[]){set.rows, set.columns}, NULL);
    H5Pset_create_intermediate_group(links, 1);
    hid_t id = H5Dcreate2(file, name, set.stored, space, links, H5P_DEFAULT, H5P_DEFAULT);
    if (data) H5Dwrite(id, set.memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
    H5Dclose(id);
    H5Sclose(space);
    H5Pclose(links);
}

/** A foreign file: unsorted, other types, two synapses of one pair. */
static const int64_t foreign_targets[6] = {2, 0, 2, 1, 2, 0}, foreign_sources[6] = {1, 2, 0, 2, 1, 1};
static const double foreign_weights[6] = {.1, .2, .3, .4, .5, .6};

static hid_t begin_foreign(fixture *f) {
    hid_t file = H5Fcreate(at(f, "foreign.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    put(file, "/edges/p/target_node_id", ids(H5T_STD_I32BE, 6), foreign_targets);
    put(file, "/edges/p/source_node_id", ids(H5T_STD_I64LE, 6), foreign_sources);
    put(file, "/edges/p/0/syn_weight", weights(H5T_IEEE_F64LE, 6), foreign_weights);
    return file;
}

static status read_foreign(fixture *f, bool look, sonata_synapses *got) {
    MPI_Barrier(f->job.comm);
    status read = look_and_read(f, "foreign.h5", "", 3, look, got);
    MPI_Barrier(f->job.comm);
    return read;
}

static void check_foreign(fixture *f, bool look) {
    sonata_synapses got;
    static const double wanted[3][4] = {{.6, .2}, {.4}, {.3, .1, .5}}; /* by target */
    int64_t first = 3 * f->job.rank / f->job.ranks, end = 3 * (f->job.rank + 1) / f->job.ranks, n = 0;
    CHECK(f, read_foreign(f, look, &got) == STATUS_OK);
    for (int64_t t = first; t < end; t++)
        for (int i = 0; i < 4 && wanted[t][i] > 0; i++, n++) CHECK(f, n < got.count && got.targets[n] == t && got.weights[n] == wanted[t][i]);
    CHECK(f, n == got.count);
    CHECK(f, status_message()[0] == '\0');
    clear(&got);
}

/** Rank 0 makes @p name in the foreign file anew; all ranks must refuse it with @p wanted in the message. */
static void refuse(fixture *f, const char *name, foreign_set set, const void *data, const char *wanted) {
    sonata_synapses got;
    if (f->job.rank == 0) {
        hid_t file = begin_foreign(f);
        H5Ldelete(file, name, H5P_DEFAULT);
        put(file, name, set, data);
        H5Fclose(file);
    }
    CHECK(f, read_foreign(f, true, &got) == STATUS_INPUT && got.targets == NULL);
    CHECK(f, !status_message()[0] || strstr(status_message(), "foreign.h5") != NULL);
    check_told(f, wanted);
}

static void test_edges(fixture *f) {
    write_network(f);
    check_edges(f, "edges.h5", "recurrent_plastic", true);
    if (f->job.rank == 0) {
        hid_t file = H5Fopen(at(f, "plain.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
        H5Ldelete(file, "/edges/recurrent_plastic/indices", H5P_DEFAULT);
        H5Fclose(file);
    }
    MPI_Barrier(f->job.comm);
    check_edges(f, "plain.h5", "", false);
    sonata_synapses got;
    CHECK(f, read_edges(f, "none.h5", "", NEURONS, &got) == STATUS_OK && got.count == 0);
    clear(&got);
    CHECK(f, read_edges(f, "edges.h5", "", NEURONS, &got) == STATUS_INPUT);
    check_told(f, "'input_static', 'recurrent_plastic'");
    CHECK(f, read_edges(f, "edges.h5", "nobody", NEURONS, &got) == STATUS_INPUT);
    check_told(f, "no population 'nobody'");
    CHECK(f, read_edges(f, "edges.h5", "input_static", NEURONS, &got) == STATUS_INPUT);
    check_told(f, "from node population 'input' to 'recurrent'");
}

/** Whatever an index says, all edges are read, on any number of ranks. */
static void test_indices(fixture *f) {
    enum { GOOD_NODES = 8, INDICES = GOOD_NODES + 6 };
    static const int64_t nodes[3][2] = {{0, 1}, {1, 2}, {2, 3}}, others[][3][2] = {
        {{0, 1}, {1, 1}, {2, 3}},  /* one range that no node reaches */
        {{0, 1}, {0, 1}, {2, 3}},  /* one that two reach */
        {{2, 1}, {1, 2}, {2, 3}},  /* ends before it begins */
        {{-1, 1}, {1, 2}, {2, 3}},
        {{0, 1}, {1, 2}, {2, INT64_MIN}},
    }, good[3][2] = {{0, 2}, {2, 3}, {3, 6}}, ranges[][3][2] = { /* good: of edges that are sorted, which those of the file are not */
        {{0, 2}, {2, 3}, {3, 6}},  /* covers all, but these are not the edges of those targets */
        {{0, 2}, {2, 3}, {3, 99}}, /* outside */
        {{0, 0}, {0, 0}, {0, 0}},  /* covers nothing */
        {{-1, 2}, {2, 3}, {3, 6}},
        {{0, 1}, {0, 1}, {0, 1}},
        {{5, 6}, {3, 4}, {4, 5}},  /* right as far as it goes */
    };
    for (int i = 0; i < INDICES; i++) {
        const bool half = i == 5, flat = i == 6, real = i == 7;
        MPI_Barrier(f->job.comm); /* nobody reads any more */
        if (f->job.rank == 0) {
            hid_t file = begin_foreign(f);
            foreign_set set = id_pairs(real ? H5T_IEEE_F64LE : H5T_STD_I64LE, flat ? 6 : 3);
            if (flat) set.columns = 1;
            put(file, "/edges/p/indices/target_to_source/node_id_to_ranges", set, i < 5 ? others[i] : nodes);
            set = id_pairs(H5T_STD_I64LE, 3);
            if (!half) put(file, "/edges/p/indices/target_to_source/range_to_edge_id", set, i < GOOD_NODES ? good : ranges[i - GOOD_NODES]);
            H5Fclose(file);
        }
        check_foreign(f, false);
    }
}

static void test_foreign_edges(fixture *f) {
    if (f->job.rank == 0) H5Fclose(begin_foreign(f));
    check_foreign(f, true);
    test_indices(f);
}

static void test_refused_edges(fixture *f) {
    const int64_t negative[6] = {2, 0, -7, 1, 2, 0}, large[6] = {2, 0, 2, 1, 2, 3};
    const double bad[6] = {0, 0, 0, NAN, 0, 0};
    refuse(f, "/edges/p/target_node_id", ids(H5T_STD_I64LE, 6), negative, "'/edges/p/target_node_id' at [2]: id -7 is not in 0 .. 2");
    refuse(f, "/edges/p/source_node_id", ids(H5T_STD_U64LE, 6), large, "'/edges/p/source_node_id' at [5]: id 3 is not in 0 .. 2");
    refuse(f, "/edges/p/source_node_id", ids(H5T_STD_I64LE, 5), large, "must be equally many");
    refuse(f, "/edges/p/0/syn_weight", weights(H5T_IEEE_F32LE, 6), bad, "'/edges/p/0/syn_weight' at [3]: weight nan is not a finite number");
    refuse(f, "/edges/p/0/syn_weight", weights(H5T_STD_I32LE, 6), bad, "holds the wrong type; allowed are float32 or float64");
    refuse(f, "/edges/p/target_node_id", ids(H5T_IEEE_F64LE, 6), large, "holds the wrong type; allowed are integers");
    refuse(f, "/edges/p/target_node_id", id_pairs(H5T_STD_I64LE, 3), large, "has 2 dimensions instead of 1");
    refuse(f, "/edges/p/target_node_id", ids(H5T_STD_I64LE, (hsize_t)1 << 50), NULL, "not all stored");
}

static void test_refused_files(fixture *f) {
    sonata_synapses got;
    if (f->job.rank == 0) {
        FILE *text = fopen(at(f, "foreign.h5"), "w");
        fputs("this is text", text);
        fclose(text);
    }
    CHECK(f, read_foreign(f, true, &got) == STATUS_INPUT && got.count == 0);
    check_told(f, "not an HDF5 file");
    if (f->job.rank == 0) {
        H5Fclose(begin_foreign(f));
        CHECK(f, truncate(at(f, "foreign.h5"), 3000) == 0);
    }
    CHECK(f, read_foreign(f, true, &got) == STATUS_INPUT && got.count == 0);
    check_told(f, "damaged or incomplete");
    if (f->job.rank == 0) unlink(at(f, "foreign.h5"));
    CHECK(f, read_foreign(f, true, &got) == STATUS_INPUT && got.count == 0);
    check_told(f, "No such file");
}

/* ---- failures of writing ---- */

/** The last write failed: told on rank 0 only, with @p wanted; no NAME.part is left. */
static void check_failure(fixture *f, status done, const char *wanted) {
    CHECK(f, done == STATUS_FAILURE);
    CHECK(f, f->job.rank == 0 ? strstr(status_message(), f->path) && strstr(status_message(), wanted) : status_message()[0] == '\0');
    if (f->job.rank == 0 && !strstr(status_message(), wanted)) fprintf(stderr, "wanted '%s', told '%s'\n", wanted, status_message());
    status_forget();
    MPI_Barrier(f->job.comm);
    strcat(f->path, ".part");
    CHECK(f, access(f->path, F_OK) != 0);
}

static void test_failures(fixture *f) {
    check_failure(f, sonata_write_spikes(&f->job, at(f, "nowhere/spikes.h5"), f->configuration, "p", 0, NULL, NULL), "No such file or directory");
    if (f->job.rank == 0) mkdir(at(f, "folder"), 0777);
    MPI_Barrier(f->job.comm);
    check_failure(f, sonata_write_spikes(&f->job, at(f, "folder"), f->configuration, "p", 0, NULL, NULL), "Is a directory");

    h5_file *file = h5_create(&f->job, at(f, "silence.h5"), NULL); /* a mistake in the middle: the older file stays */
    h5_attribute_text(file, "/nothing", "units", "ms");
    h5_group(file, "/later");
    h5_write(file, "/later/data", h5_compressed(h5_slice(H5_INT8, 0, 0, 0)), NULL);
    check_failure(f, h5_commit(file), "/nothing");
    CHECK(f, access(at(f, "silence.h5"), R_OK) == 0);
}

/** A disk that fills up, as far as a process can pretend. */
static void test_full_disk(fixture *f) {
    struct rlimit old, low;
    getrlimit(RLIMIT_FSIZE, &old);
    low = old;
    low.rlim_cur = 100000;
    signal(SIGXFSZ, SIG_IGN);
    h5_dataset dataset = h5_slice(H5_FLOAT64, 1000 * f->job.ranks, 1000 * f->job.rank, 1000);
    double *data = calloc(1000, sizeof *data);
    for (int i = 0; i < 1000; i++) data[i] = sin(i + 1000. * f->job.rank);
    setrlimit(RLIMIT_FSIZE, &low);
    h5_file *file = h5_create(&f->job, at(f, "full.h5"), NULL);
    for (int i = 0; i < 20; i++) {
        char name[32];
        snprintf(name, sizeof name, "/data%d", i);
        dataset.compress = i % 2;
        h5_write(file, name, dataset, data);
    }
    status done = h5_commit(file);
    setrlimit(RLIMIT_FSIZE, &old);
    check_failure(f, done, "full.h5");
    CHECK(f, access(at(f, "full.h5"), F_OK) != 0);
    free(data);
}

int main(int argc, char **argv) {
    if (server_is_wanted(argc, argv)) return server_run();
    MPI_Init(&argc, &argv);
    fixture f = {.job = context_of(MPI_COMM_WORLD), .directory = argc > 1 ? argv[1] : "."};
    divide(&f.job, NEURONS, &f.first, &f.mine);
    f.configuration = malloc(TEXT_BYTES + 1);
    for (int i = 0; i < TEXT_BYTES; i++) f.configuration[i] = "seed: 1\n"[i % 8];
    f.configuration[TEXT_BYTES] = '\0';
    test_spikes(&f);
    test_report(&f);
    test_nodes(&f);
    test_edges(&f);
    test_foreign_edges(&f);
    MPI_Barrier(f.job.comm);
    test_refused_edges(&f);
    test_refused_files(&f);
    test_failures(&f);
    test_full_disk(&f);
    free(f.configuration);
    int failures = 0;
    MPI_Allreduce(&f.failures, &failures, 1, MPI_INT, MPI_SUM, f.job.comm);
    if (f.job.rank == 0) printf("test_sonata: %d ranks, %d failures\n", f.job.ranks, failures);
    MPI_Finalize();
    return failures != 0;
}
