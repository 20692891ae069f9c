#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "engram/memory.h"
#include "engram/sonata.h"
#include "h5_foreign.h"

enum { NAME_BYTES = FOREIGN_TEXT_BYTES, MAGIC = 0x0A7A, BLOCK_EDGES = 1 << 20, EDGES_PER_SEEK = 4096 };

/** The arrays of an edge population. The first two, then a third beside them, and the fourth if there is one. */
enum { TARGETS, SOURCES, WEIGHTS, GROUP_INDEX, ARRAYS };

typedef struct {
    foreign_file file;
    const char *path;
    char population[NAME_BYTES];
    char names[ARRAYS][NAME_BYTES + 64];
    foreign_dataset arrays[ARRAYS];
    int64_t limits[ARRAYS];   /**< ids must be below */
    int64_t edges;            /**< in the whole file */
    int64_t first, mine;      /**< target ids wanted */
    int64_t *block[ARRAYS];   /**< [BLOCK_EDGES] values read; those of WEIGHTS are double */
    sonata_synapses *result;
    int64_t room;             /**< of the arrays of result */
} reader;

/* ---- which population ---- */

/** Is it a SONATA file, of a version that is known? Writers that leave the attributes out are trusted. */
static status check_format(reader *in) {
    int64_t magic[2], version[2];
    int magics, versions;
    status result = foreign_integers(&in->file, "magic", magic, &magics);
    if (result == STATUS_OK) result = foreign_integers(&in->file, "version", version, &versions);
    if (result != STATUS_OK) return result;
    if (magics != 0 && (magics != 1 || magic[0] != MAGIC))
        return status_fail(STATUS_INPUT, "%s: attribute magic of the root is not 0x0A7A: not a SONATA file", in->path);
    if (versions != 0 && (versions != 2 || version[0] != 0))
        return status_fail(STATUS_INPUT, "%s: attribute version of the root is not [0, n]: a version of SONATA that is not supported", in->path);
    return STATUS_OK;
}

/** The names of the populations, as many as fit, for messages. */
static void join_names(char *joined, size_t size, const foreign_text *names, int count) {
    size_t used = 0;
    joined[0] = '\0';
    for (int i = 0; i < count && used < size - 1; i++) {
        snprintf(joined + used, size - used, "%s'%.60s'", used ? ", " : "", names[i].text);
        used = strlen(joined);
    }
}

static status choose_population(reader *in, const char *population) {
    foreign_text *names;
    int count;
    char all[256], group[NAME_BYTES + 16];
    status result = foreign_links(&in->file, "/edges", &names, &count);
    if (in->file.lost != STATUS_OK) return in->file.lost;
    if (result != STATUS_OK) return status_fail(result, "%s: there is no group '/edges': not a SONATA edges file", in->path);
    join_names(all, sizeof all, names, count);
    if (population[0] || count == 1) snprintf(in->population, sizeof in->population, "%s", population[0] ? population : names[0].text);
    free(names);
    if (!population[0] && count > 1) return status_fail(STATUS_INPUT, "%s: which of the populations in '/edges' is meant: %s?", in->path, all);
    snprintf(group, sizeof group, "/edges/%s", in->population);
    bool found = in->population[0] && !strchr(in->population, '/') && strlen(population) < NAME_BYTES && foreign_exists(&in->file, group);
    if (found || in->file.lost != STATUS_OK) return in->file.lost;
    return status_fail(STATUS_INPUT, "%s: there is no population '%s' in '/edges'; there is %s", in->path, in->population, count ? all : "none");
}

/* ---- the arrays ---- */

static status open_array(reader *in, int array, const char *name, int kinds) {
    snprintf(in->names[array], sizeof in->names[array], "/edges/%s/%s", in->population, name);
    status result = foreign_dataset_open(&in->file, true, in->names[array], 1, kinds, &in->arrays[array]);
    if (result != STATUS_OK) return result;
    if (array == 0) in->edges = in->arrays[0].count;
    if (in->arrays[array].count == in->edges) return STATUS_OK;
    return status_fail(STATUS_INPUT, "%s: dataset '%s' has %" PRId64 " values, but '%s' has %" PRId64 "; they must be equally many", in->path,
                       in->names[array], in->arrays[array].count, in->names[0], in->edges);
}

static status open_arrays(reader *in) {
    status result = open_array(in, TARGETS, "target_node_id", H5_INPUT_INTEGER);
    if (result == STATUS_OK) result = open_array(in, SOURCES, "source_node_id", H5_INPUT_INTEGER);
    if (result == STATUS_OK) result = open_array(in, WEIGHTS, "0/syn_weight", H5_INPUT_REAL);
    snprintf(in->names[GROUP_INDEX], sizeof in->names[0], "/edges/%s/edge_group_index", in->population);
    if (result == STATUS_OK && foreign_exists(&in->file, in->names[GROUP_INDEX]))
        result = open_array(in, GROUP_INDEX, "edge_group_index", H5_INPUT_INTEGER);
    return result == STATUS_OK ? in->file.lost : result;
}

static status check_id(const reader *in, int array, int64_t edge, int64_t id) {
    if ((uint64_t)id < (uint64_t)in->limits[array]) return STATUS_OK; /* negative ones are large */
    const char *sign = in->arrays[array].is_signed && id < 0 ? "-" : "";
    return status_fail(STATUS_INPUT, "%s: dataset '%s' at [%" PRId64 "]: id %s%" PRIu64 " is not in 0 .. %" PRId64, in->path, in->names[array], edge,
                       sign, sign[0] ? -(uint64_t)id : (uint64_t)id, in->limits[array] - 1);
}

static status check_edge(const reader *in, int64_t first, int64_t i) {
    status result = check_id(in, TARGETS, first + i, in->block[TARGETS][i]);
    if (result == STATUS_OK) result = check_id(in, SOURCES, first + i, in->block[SOURCES][i]);
    double weight = ((const double *)in->block[WEIGHTS])[i];
    if (result == STATUS_OK && !isfinite(weight))
        result = status_fail(STATUS_INPUT, "%s: dataset '%s' at [%" PRId64 "]: weight %g is not a finite number", in->path, in->names[WEIGHTS],
                             first + i, weight);
    if (result == STATUS_OK && in->arrays[GROUP_INDEX].file && in->block[GROUP_INDEX][i] != first + i)
        result = status_fail(STATUS_INPUT, "%s: dataset '%s' at [%" PRId64 "]: %" PRId64 " found, but only 0, 1, 2, ... is supported", in->path,
                             in->names[GROUP_INDEX], first + i, in->block[GROUP_INDEX][i]);
    return result;
}

/** Read and check edges [first, first+count), at most BLOCK_EDGES. */
static status read_block(reader *in, int64_t first, int64_t count) {
    status result = STATUS_OK;
    for (int a = 0; a < ARRAYS && result == STATUS_OK; a++) {
        if (!in->arrays[a].file) continue;
        foreign_type type = a == WEIGHTS ? FOREIGN_DOUBLE : in->arrays[a].is_signed ? FOREIGN_INT64 : FOREIGN_UINT64;
        result = foreign_rows(&in->arrays[a], first, count, type, in->block[a]);
    }
    for (int64_t i = 0; i < count && result == STATUS_OK; i++) result = check_edge(in, first, i);
    return result;
}

/* ---- keeping what is mine ---- */

static void make_room(reader *in, int64_t room) {
    sonata_synapses *to = in->result;
    to->targets = memory_resize(MEMORY_BUFFERS, to->targets, (size_t)room, sizeof *to->targets);
    to->sources = memory_resize(MEMORY_BUFFERS, to->sources, (size_t)room, sizeof *to->sources);
    to->weights = memory_resize(MEMORY_BUFFERS, to->weights, (size_t)room, sizeof *to->weights);
    in->room = room;
}

/** Append my edges among [first, first+count). @p foreign: set when others are among them */
static status keep_edges(reader *in, int64_t first, int64_t count, bool *foreign) {
    for (int64_t done = 0, size; done < count; done += size) {
        size = count - done < BLOCK_EDGES ? count - done : BLOCK_EDGES;
        status read = read_block(in, first + done, size);
        if (read != STATUS_OK) return read;
        if (in->result->count + size > in->room) make_room(in, 2 * in->room + size);
        for (int64_t i = 0; i < size; i++) {
            if (in->block[TARGETS][i] < in->first || in->block[TARGETS][i] - in->first >= in->mine) {
                *foreign = true;
                continue;
            }
            int64_t at = in->result->count++;
            in->result->targets[at] = in->block[TARGETS][i];
            in->result->sources[at] = in->block[SOURCES][i];
            in->result->weights[at] = ((const double *)in->block[WEIGHTS])[i];
        }
    }
    return STATUS_OK;
}

/* ---- the index: where it helps. Whatever is wrong with it only means that the edges are searched without it ---- */

/** Open one of the two [n][2] datasets of target_to_source. */
static bool open_index(reader *in, const char *name, char full[NAME_BYTES + 96], foreign_dataset *index) {
    snprintf(full, NAME_BYTES + 96, "/edges/%s/indices/target_to_source/%s", in->population, name);
    if (foreign_dataset_open(&in->file, false, full, 2, H5_INPUT_INTEGER, index) != STATUS_OK) return false;
    if (index->shape[1] != 2) foreign_dataset_close(index);
    return index->shape[1] == 2;
}

static bool read_pairs(const foreign_dataset *index, int64_t first, int64_t count, int64_t (*pairs)[2], int64_t limit) {
    if (foreign_rows(index, first, count, index->is_signed ? FOREIGN_INT64 : FOREIGN_UINT64, pairs) != STATUS_OK) return false;
    for (int64_t i = 0; i < count; i++)
        if (pairs[i][0] < 0 || pairs[i][0] > pairs[i][1] || pairs[i][1] > limit) return false;
    return true;
}

/** Do the slices of range_to_edge_id cover as many edges as there are? */
static bool covers_all(const reader *in, const foreign_dataset *ranges) {
    int64_t(*pairs)[2] = memory_new(MEMORY_BUFFERS, BLOCK_EDGES, sizeof *pairs), covered = 0;
    bool good = true;
    for (int64_t done = 0, size; done < ranges->shape[0] && good; done += size) {
        size = ranges->shape[0] - done < BLOCK_EDGES ? ranges->shape[0] - done : BLOCK_EDGES;
        good = read_pairs(ranges, done, size, pairs, in->edges);
        for (int64_t i = 0; i < size && good && covered <= in->edges; i++) covered += pairs[i][1] - pairs[i][0];
    }
    memory_free(pairs);
    return good && covered == in->edges;
}

/** Merge the slices of edges of my targets into runs. @return how many, or -1 when more than @p limit */
static int64_t merge_runs(int64_t mine, int64_t (*nodes)[2], int64_t (*ranges)[2], int64_t base, int64_t (*runs)[2], int64_t limit) {
    int64_t count = 0;
    for (int64_t t = 0; t < mine; t++) {
        if (t > 0 && nodes[t][0] < nodes[t - 1][1]) return -1; /* slices that overlap */
        for (int64_t r = nodes[t][0]; r < nodes[t][1]; r++) {
            const int64_t *range = ranges[r - base];
            if (range[0] == range[1]) continue;
            bool next = count > 0 && runs[count - 1][1] == range[0];
            if (!next && count == limit) return -1;
            if (!next) runs[count++][0] = range[0];
            runs[count - 1][1] = range[1];
        }
    }
    return count;
}

/** Find the runs of edges onto my targets. @return their number, or -1: search all edges instead */
static int64_t find_runs(const reader *in, const foreign_dataset *nodes, const foreign_dataset *ranges, int64_t (*runs)[2], int64_t limit) {
    int64_t rows = nodes->shape[0], mine = rows - in->first < in->mine ? rows - in->first : in->mine, found = -1;
    if (rows > in->limits[TARGETS] || !covers_all(in, ranges)) return -1;
    if (mine <= 0) return 0; /* the index ends before my targets: they have no edges */
    int64_t(*slices)[2] = memory_new(MEMORY_BUFFERS, (size_t)mine, sizeof *slices), low = INT64_MAX, high = 0;
    bool good = read_pairs(nodes, in->first, mine, slices, ranges->shape[0]);
    for (int64_t t = 0; t < mine && good; t++) {
        if (slices[t][0] == slices[t][1]) continue;
        low = slices[t][0] < low ? slices[t][0] : low;
        high = slices[t][1] > high ? slices[t][1] : high;
    }
    if (good && high == 0) found = 0;
    if (good && high > 0 && high - low <= 16 * mine + BLOCK_EDGES) { /* scattered over the file: not worth it */
        int64_t(*pairs)[2] = memory_new(MEMORY_BUFFERS, (size_t)(high - low), sizeof *pairs);
        if (read_pairs(ranges, low, high - low, pairs, in->edges)) found = merge_runs(mine, slices, pairs, low, runs, limit);
        memory_free(pairs);
    }
    memory_free(slices);
    return found;
}

/** Read by the index. @p used: whether it was good; if not, nothing is kept. */
static status read_by_index(reader *in, bool *used) {
    char names[2][NAME_BYTES + 96];
    foreign_dataset nodes = {0}, ranges = {0};
    int64_t limit = 64 + in->edges / EDGES_PER_SEEK, count = -1; /* with more pieces than that it is faster to read on */
    int64_t(*runs)[2] = memory_new(MEMORY_BUFFERS, (size_t)limit, sizeof *runs);
    if (open_index(in, "node_id_to_ranges", names[0], &nodes) || open_index(in, "node_id_to_range", names[0], &nodes))
        if (open_index(in, "range_to_edge_id", names[1], &ranges)) count = find_runs(in, &nodes, &ranges, runs, limit);
    foreign_dataset_close(&nodes);
    foreign_dataset_close(&ranges);
    status result = in->file.lost;
    bool foreign = count < 0;
    for (int64_t i = 0; i < count && result == STATUS_OK && !foreign; i++) result = keep_edges(in, runs[i][0], runs[i][1] - runs[i][0], &foreign);
    memory_free(runs);
    *used = !foreign;
    if (foreign) in->result->count = 0;
    return result;
}

typedef struct {
    int64_t target, source, order;
    double weight;
} synapse;

static int compare_synapses(const void *left, const void *right) {
    const synapse *a = left, *b = right;
    if (a->target != b->target) return a->target < b->target ? -1 : 1;
    if (a->source != b->source) return a->source < b->source ? -1 : 1;
    return (a->order > b->order) - (a->order < b->order);
}

/** Sort by (target, source), keeping the file's order between a pair. */
static void sort_synapses(sonata_synapses *all) {
    int64_t n = all->count, i = 1, *t = all->targets, *s = all->sources;
    while (i < n && (t[i - 1] < t[i] || (t[i - 1] == t[i] && s[i - 1] <= s[i]))) i++;
    if (i >= n) return; /* as our own files are */
    synapse *list = memory_new(MEMORY_BUFFERS, (size_t)n, sizeof *list);
    for (i = 0; i < n; i++) list[i] = (synapse){t[i], s[i], i, all->weights[i]};
    qsort(list, (size_t)n, sizeof *list, compare_synapses);
    for (i = 0; i < n; i++) {
        t[i] = list[i].target, s[i] = list[i].source;
        all->weights[i] = list[i].weight;
    }
    memory_free(list);
}

static status read_population(reader *in, const char *population) {
    bool indexed = false, foreign = false;
    status result = check_format(in);
    if (result == STATUS_OK) result = choose_population(in, population);
    if (result == STATUS_OK) result = open_arrays(in);
    if (result == STATUS_OK) result = read_by_index(in, &indexed);
    if (result == STATUS_OK && !indexed) result = keep_edges(in, 0, in->edges, &foreign);
    if (result != STATUS_OK) return result;
    make_room(in, in->result->count);
    sort_synapses(in->result);
    return result;
}

status sonata_read_edges(const context *job, const char *path, const char *population, int64_t sources_limit, int64_t targets_limit, int64_t first,
                         int64_t mine, sonata_synapses *result) {
    (void)job; /* every rank reads for itself */
    *result = (sonata_synapses){0};
    reader in = {.path = path, .first = first, .mine = mine, .result = result, .limits = {[TARGETS] = targets_limit, [SOURCES] = sources_limit}};
    int64_t *blocks = memory_new(MEMORY_BUFFERS, (size_t)ARRAYS * BLOCK_EDGES, sizeof *blocks);
    for (int a = 0; a < ARRAYS; a++) in.block[a] = blocks + (size_t)a * BLOCK_EDGES;
    status read = foreign_open(path, &in.file);
    if (read == STATUS_OK) read = read_population(&in, population);
    foreign_close(&in.file);
    memory_free(blocks);
    if (read == STATUS_OK) return STATUS_OK;
    memory_free(result->targets), memory_free(result->sources), memory_free(result->weights);
    *result = (sonata_synapses){0};
    return read;
}

status sonata_count_edges(const char *path, const char *population, int64_t *edges) {
    reader in = {.path = path};
    status read = foreign_open(path, &in.file);
    if (read == STATUS_OK) read = check_format(&in);
    if (read == STATUS_OK) read = choose_population(&in, population);
    if (read == STATUS_OK) read = open_array(&in, TARGETS, "target_node_id", H5_INPUT_INTEGER);
    if (read == STATUS_OK) foreign_dataset_close(&in.arrays[TARGETS]);
    foreign_close(&in.file);
    *edges = in.edges;
    return read;
}
