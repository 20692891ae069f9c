/* Nodes of a SONATA file: how many there are, and which are excitatory. */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engram/memory.h"
#include "sonata_private.h"

enum { NODES_LIMIT = 1 << 30 };

typedef struct {
    foreign_file file;
    const char *path;
    char population[FOREIGN_TEXT_BYTES];
    int64_t nodes;
    int64_t *type, *group, *index; /**< [nodes]; NULL where there are none */
    sonata_types types;
    uint8_t *sort;                 /**< [nodes] */
} nodes_reader;

static int sort_of(const char *text) {
    int letter = tolower((unsigned char)text[0]);
    return letter == 'e' ? SONATA_NODE_EXCITATORY : letter == 'i' ? SONATA_NODE_INHIBITORY : SONATA_NODE_UNKNOWN;
}

/** Read a column of the population, as long as it has nodes. @param[out] values NULL where there is none */
static status read_integers(nodes_reader *in, const char *column, int64_t **values) {
    char name[SONATA_NAME_BYTES];
    foreign_dataset dataset;
    *values = NULL;
    snprintf(name, sizeof name, "/nodes/%s/%s", in->population, column);
    bool needed = strcmp(column, "node_type_id") == 0;
    if (!needed && !foreign_exists(&in->file, name)) return in->file.lost;
    status result = foreign_dataset_open(&in->file, true, name, 1, H5_INPUT_INTEGER, &dataset);
    if (result != STATUS_OK) return result;
    if (needed) in->nodes = dataset.count;
    if (in->nodes > NODES_LIMIT)
        result = status_fail(STATUS_INPUT, "%s: dataset '%s' has %" PRId64 " nodes; at most %d are supported", in->path, name, in->nodes, NODES_LIMIT);
    else if (dataset.count != in->nodes)
        result = status_fail(STATUS_INPUT, "%s: dataset '%s' has %" PRId64 " values, but there are %" PRId64 " nodes", in->path, name, dataset.count,
                             in->nodes);
    if (result == STATUS_OK) {
        *values = memory_new(MEMORY_BUFFERS, (size_t)in->nodes, sizeof **values);
        result = foreign_rows(&dataset, 0, in->nodes, dataset.is_signed ? FOREIGN_INT64 : FOREIGN_UINT64, *values);
    }
    foreign_dataset_close(&dataset);
    return result;
}

/** Engram numbers neurons as SONATA numbers rows. */
static status check_ids(nodes_reader *in) {
    int64_t *id;
    status result = read_integers(in, "node_id", &id);
    for (int64_t i = 0; result == STATUS_OK && id && i < in->nodes; i++)
        if (id[i] != i)
            result = status_fail(STATUS_INPUT, "%s: dataset '/nodes/%s/node_id' at [%" PRId64 "]: %" PRId64 " found, but only 0, 1, 2, ... is supported",
                                 in->path, in->population, i, id[i]);
    memory_free(id);
    return result;
}

static status use_types(nodes_reader *in) {
    char list[256];
    for (int64_t i = 0; in->types.path[0] && i < in->nodes; i++) {
        const sonata_type *type = sonata_types_find(&in->types, in->type[i]);
        if (!type) {
            sonata_types_list(&in->types, list, sizeof list);
            return status_fail(STATUS_INPUT, "%s: dataset '/nodes/%s/node_type_id' at [%" PRId64 "]: type %" PRId64 " is not in %s, which has %s", in->path,
                               in->population, i, in->type[i], in->types.path, list);
        }
        for (int c = 0; c < 2 && in->sort[i] == SONATA_NODE_UNKNOWN; c++)
            if (type->cell[c]) in->sort[i] = (uint8_t)sort_of(type->cell[c]);
    }
    return STATUS_OK;
}

/** Texts of a column, or those of its @library that its integers count. @param[out] texts [of dataset] memory_free() */
static status read_sorts(nodes_reader *in, int64_t group, const char *column, const foreign_dataset *dataset, foreign_text **texts) {
    char name[SONATA_NAME_BYTES];
    foreign_dataset library;
    *texts = memory_new(MEMORY_BUFFERS, (size_t)dataset->count, sizeof **texts);
    if (dataset->kind == H5_INPUT_TEXT) return foreign_texts(dataset, *texts);
    snprintf(name, sizeof name, "/nodes/%s/%" PRId64 "/@library/%s", in->population, group, column);
    if (!foreign_exists(&in->file, name))
        return in->file.lost != STATUS_OK
                   ? in->file.lost
                   : status_fail(STATUS_INPUT, "%s: dataset '%s' holds integers, but there is no '%s' of texts that they count", in->path, dataset->name, name);
    status result = foreign_dataset_open(&in->file, true, name, 1, H5_INPUT_TEXT, &library);
    if (result != STATUS_OK) return result;
    foreign_text *words = memory_new(MEMORY_BUFFERS, (size_t)library.count, sizeof *words);
    int64_t *number = memory_new(MEMORY_BUFFERS, (size_t)dataset->count, sizeof *number);
    result = foreign_texts(&library, words);
    if (result == STATUS_OK) result = foreign_rows(dataset, 0, dataset->count, dataset->is_signed ? FOREIGN_INT64 : FOREIGN_UINT64, number);
    for (int64_t i = 0; i < dataset->count && result == STATUS_OK; i++)
        if (number[i] >= 0 && number[i] < library.count) (*texts)[i] = words[number[i]];
        else
            result = status_fail(STATUS_INPUT, "%s: dataset '%s' at [%" PRId64 "]: %" PRId64 " is not in 0 .. %" PRId64 " of '%s'", in->path, dataset->name, i,
                                 number[i], library.count - 1, name);
    memory_free(words), memory_free(number);
    foreign_dataset_close(&library);
    return result;
}

/** Take what a column of a group says of its nodes: texts, or 0 and 1. */
static status use_column(nodes_reader *in, int64_t group, const char *column, bool text) {
    char name[SONATA_NAME_BYTES];
    foreign_dataset dataset;
    foreign_text *texts = NULL;
    snprintf(name, sizeof name, "/nodes/%s/%" PRId64 "/%s", in->population, group, column);
    if (!foreign_exists(&in->file, name)) return in->file.lost;
    status result = foreign_dataset_open(&in->file, true, name, 1, H5_INPUT_INTEGER | (text ? H5_INPUT_TEXT : H5_INPUT_REAL), &dataset);
    if (result != STATUS_OK) return result;
    double *numbers = text ? NULL : memory_new(MEMORY_BUFFERS, (size_t)dataset.count, sizeof *numbers);
    result = text ? read_sorts(in, group, column, &dataset, &texts) : foreign_rows(&dataset, 0, dataset.count, FOREIGN_DOUBLE, numbers);
    for (int64_t i = 0; i < in->nodes && result == STATUS_OK; i++) {
        int64_t at = in->index ? in->index[i] : i;
        if ((in->group ? in->group[i] : 0) != group) continue;
        if ((uint64_t)at >= (uint64_t)dataset.count)
            result = status_fail(STATUS_INPUT, "%s: dataset '%s' has %" PRId64 " values, but node %" PRId64 " has index %" PRId64, in->path, name,
                                 dataset.count, i, at);
        else if (!text && numbers[at] != 0 && numbers[at] != 1)
            result = status_fail(STATUS_INPUT, "%s: dataset '%s' at [%" PRId64 "]: %g found, allowed are 0 and 1", in->path, name, at, numbers[at]);
        else in->sort[i] = (uint8_t)(text ? sort_of(texts[at].text) : numbers[at] == 1 ? SONATA_NODE_EXCITATORY : SONATA_NODE_INHIBITORY);
    }
    memory_free(texts), memory_free(numbers);
    foreign_dataset_close(&dataset);
    return result;
}

/** The smallest number of a group above @p group; INT64_MAX: none. */
static int64_t next_group(const nodes_reader *in, int64_t group) {
    int64_t next = INT64_MAX;
    for (int64_t i = 0; in->group && i < in->nodes; i++)
        if (in->group[i] > group && in->group[i] < next) next = in->group[i];
    return next;
}

/** What is in the groups goes before what is in the types. */
static status use_groups(nodes_reader *in) {
    status result = STATUS_OK;
    int groups = 0;
    for (int64_t g = in->group ? next_group(in, -1) : 0; g < INT64_MAX && result == STATUS_OK; g = next_group(in, g)) {
        if (++groups > FOREIGN_LINKS) return status_fail(STATUS_INPUT, "%s: nodes of '%s' are in more than %d groups", in->path, in->population, FOREIGN_LINKS);
        result = use_column(in, g, "excitatory", false);
        if (result == STATUS_OK) result = use_column(in, g, "synapse_class", true);
        if (result == STATUS_OK) result = use_column(in, g, "ei", true);
    }
    return result;
}

static status read_nodes(nodes_reader *in, const char *wanted, const char *types) {
    static const char *const known[] = {"name", NULL};
    static const sonata_type_names names = {"node_type_id", {"ei", "synapse_class"}, known};
    status result = foreign_open(in->path, &in->file);
    if (result == STATUS_OK) result = sonata_check_format(&in->file);
    if (result == STATUS_OK) result = sonata_choose_population(&in->file, "/nodes", wanted, in->population);
    if (result == STATUS_OK) result = sonata_types_read(types, in->population, &names, &in->types);
    if (result == STATUS_OK) result = read_integers(in, "node_type_id", &in->type);
    if (result == STATUS_OK) result = check_ids(in);
    if (result == STATUS_OK) result = read_integers(in, "node_group_id", &in->group);
    if (result == STATUS_OK) result = read_integers(in, "node_group_index", &in->index);
    if (result != STATUS_OK) return result;
    in->sort = memory_new(MEMORY_STATE, (size_t)in->nodes, 1);
    result = use_groups(in);
    return result == STATUS_OK ? use_types(in) : result;
}

status sonata_read_nodes(const context *job, const char *path, const char *population, const char *types, int64_t *neurons, uint8_t **sort) {
    nodes_reader in = {.path = path, .types = {.path = ""}};
    status result = status_agree(job, job->rank == 0 ? read_nodes(&in, population, types) : STATUS_OK);
    if (job->rank == 0) {
        foreign_close(&in.file);
        sonata_types_clear(&in.types);
        memory_free(in.type), memory_free(in.group), memory_free(in.index);
    }
    *sort = NULL;
    *neurons = 0;
    if (result != STATUS_OK) {
        memory_free(in.sort);
        return result;
    }
    CHECK_MPI(MPI_Bcast(&in.nodes, 1, MPI_INT64_T, 0, job->comm));
    if (job->rank != 0) in.sort = memory_new(MEMORY_STATE, (size_t)in.nodes, 1);
    CHECK_MPI(MPI_Bcast(in.sort, (int)in.nodes, MPI_BYTE, 0, job->comm));
    *neurons = in.nodes;
    *sort = in.sort;
    return STATUS_OK;
}
