/* The index of an edge population by targets: which edges a rank has to read. It is a hint: sonata_read_edges() checks that nothing is lost by it. */
#include <stdlib.h>

#include "engram/memory.h"
#include "sonata_private.h"

enum { EDGES_PER_SEEK = 4096 };

/** Open one of the [n][2] datasets. */
static bool open_pairs(sonata_reader *reader, const char *name, char full[2 * SONATA_NAME_BYTES], foreign_dataset *index) {
    snprintf(full, 2 * SONATA_NAME_BYTES, "/edges/%s/indices/target_to_source/%s", reader->population, name);
    if (foreign_dataset_open(&reader->file, false, full, 2, H5_INPUT_INTEGER, index) != STATUS_OK) return false;
    if (index->shape[1] != 2) foreign_dataset_close(index);
    return index->shape[1] == 2;
}

static bool read_pairs(const foreign_dataset *index, int64_t first, int64_t count, int64_t (*pairs)[2], int64_t limit) {
    if (foreign_rows(index, first, count, index->is_signed ? FOREIGN_INT64 : FOREIGN_UINT64, pairs) != STATUS_OK) return false;
    for (int64_t i = 0; i < count; i++)
        if (pairs[i][0] < 0 || pairs[i][0] > pairs[i][1] || pairs[i][1] > limit) return false; /* huge ones are negative */
    return true;
}

static int ascending(const void *left, const void *right) {
    const sonata_slice *a = left, *b = right;
    return a->begin != b->begin ? (a->begin > b->begin) - (a->begin < b->begin) : (a->end > b->end) - (a->end < b->end);
}

/** Sort, and see whether any two overlap, and into how many pieces of the file they fall. */
static sonata_index_state judge(const sonata_reader *reader, sonata_slice *slices, int64_t count) {
    int64_t pieces = 0;
    qsort(slices, (size_t)count, sizeof *slices, ascending);
    for (int64_t i = 0; i < count; i++) {
        if (i > 0 && slices[i].begin < slices[i - 1].end) return SONATA_INDEX_WRONG;
        pieces += i == 0 || slices[i].begin > slices[i - 1].end;
    }
    return pieces > 64 + reader->edges / EDGES_PER_SEEK ? SONATA_INDEX_SCATTERED : SONATA_INDEX_GOOD;
}

/** The slices that nodes point at. @param nodes [mine] of range_to_edge_id */
static sonata_index_state gather(const sonata_reader *reader, const foreign_dataset *ranges, int64_t first, int64_t mine, int64_t (*nodes)[2],
                                 sonata_slice **slices, int64_t *count) {
    int64_t low = INT64_MAX, high = 0, room = 0, most = 16 * mine + SONATA_BLOCK;
    for (int64_t t = 0; t < mine; t++) {
        if (nodes[t][0] == nodes[t][1]) continue;
        low = nodes[t][0] < low ? nodes[t][0] : low;
        high = nodes[t][1] > high ? nodes[t][1] : high;
        room += nodes[t][1] - nodes[t][0];
        if (room > most) return SONATA_INDEX_SCATTERED;
    }
    *slices = memory_new(MEMORY_BUFFERS, (size_t)room, sizeof **slices);
    if (room == 0) return SONATA_INDEX_GOOD;
    if (high - low > most) return SONATA_INDEX_SCATTERED;
    int64_t(*pairs)[2] = memory_new(MEMORY_BUFFERS, (size_t)(high - low), sizeof *pairs);
    bool good = read_pairs(ranges, low, high - low, pairs, reader->edges);
    for (int64_t t = 0; t < mine && good; t++)
        for (int64_t r = nodes[t][0]; r < nodes[t][1]; r++) {
            const int64_t *pair = pairs[r - low];
            if (pair[0] < pair[1]) (*slices)[(*count)++] = (sonata_slice){pair[0], pair[1], first + t};
        }
    memory_free(pairs);
    return good ? judge(reader, *slices, *count) : SONATA_INDEX_WRONG;
}

sonata_index_state sonata_index_slices(sonata_reader *reader, int64_t first, int64_t mine, sonata_slice **slices, int64_t *count) {
    char group[2 * SONATA_NAME_BYTES], names[2][2 * SONATA_NAME_BYTES];
    foreign_dataset nodes = {0}, ranges = {0};
    sonata_index_state state = SONATA_INDEX_WRONG;
    *slices = NULL;
    *count = 0;
    snprintf(group, sizeof group, "/edges/%s/indices", reader->population);
    bool there = foreign_exists(&reader->file, group);
    snprintf(group, sizeof group, "/edges/%s/indices/target_to_source", reader->population);
    if (!there || !foreign_exists(&reader->file, group)) return SONATA_INDEX_NONE;
    bool opened = open_pairs(reader, "node_id_to_ranges", names[0], &nodes) || open_pairs(reader, "node_id_to_range", names[0], &nodes);
    if (opened && open_pairs(reader, "range_to_edge_id", names[1], &ranges)) {
        int64_t rows = nodes.shape[0] - first < mine ? nodes.shape[0] - first : mine; /* it may end before my targets: they have no edges */
        rows = rows < 0 ? 0 : rows;
        int64_t(*pairs)[2] = memory_new(MEMORY_BUFFERS, (size_t)rows, sizeof *pairs);
        if (read_pairs(&nodes, first, rows, pairs, ranges.shape[0])) state = gather(reader, &ranges, first, rows, pairs, slices, count);
        memory_free(pairs);
    }
    foreign_dataset_close(&nodes);
    foreign_dataset_close(&ranges);
    return state;
}
