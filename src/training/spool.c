#include "spool.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint.h"
#include "engram/memory.h"

enum { NAME_BYTES = 64 };

/** Spikes of loops first to last, in a file of their own. */
typedef struct { int64_t first, last; } piece;

static int ascending(const void *a, const void *b) {
    const piece *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

static void name_of(piece piece, char *name) {
    snprintf(name, NAME_BYTES, "checkpoint/spikes-%010lld-%010lld.h5", (long long)piece.first, (long long)piece.last);
}

/** Pieces in the directory, ascending; @p count is -1 if it cannot be read. @return owned by the caller, memory_free() */
static piece *list_pieces(const results *results, int *count) {
    DIR *entries = checkpoint_open_folder(results->directory);
    bool readable = entries || errno == ENOENT;
    piece *pieces = memory_new(MEMORY_BUFFERS, 0, sizeof *pieces);
    *count = 0;
    for (struct dirent *entry; entries && (errno = 0, entry = readdir(entries));) {
        if (checkpoint_kind_of(entry->d_name) != CHECKPOINT_SPIKES) continue;
        pieces = memory_resize(MEMORY_BUFFERS, pieces, (size_t)*count + 1, sizeof *pieces);
        pieces[(*count)++] = (piece){strtoll(entry->d_name + strlen("spikes-"), NULL, 10), strtoll(entry->d_name + strlen("spikes-0000000000-"), NULL, 10)};
    }
    if (!readable || (entries && errno)) *count = -1;
    if (entries) closedir(entries);
    if (*count > 0) qsort(pieces, (size_t)*count, sizeof *pieces, ascending);
    return pieces;
}

/** Remove pieces with loops after @p loop, in ascending order: at any moment those left are the last ones. On rank 0. */
static void remove_after(const results *results, int64_t loop) {
    int count;
    piece *pieces = list_pieces(results, &count);
    char name[NAME_BYTES];
    for (int k = 0; k < count; k++) {
        if (pieces[k].last <= loop) continue;
        name_of(pieces[k], name);
        char *path = results_path(results, name);
        if (unlink(path) != 0 && errno != ENOENT) fprintf(stderr, "engram: warning: %s cannot be removed: %s\n", path, strerror(errno));
        free(path);
    }
    memory_free(pieces);
}

void spool_clear(const results *results) {
    remove_after(results, 0);
}

status spool_write(const results *results, const spike_recorder *recorder, int64_t from, int64_t saved, int64_t loop) {
    char name[NAME_BYTES];
    name_of((piece){saved + 1, loop}, name);
    return results_write_spikes(results, name, NULL, recorder, from);
}

/** Do the pieces follow each other up to @p loop? */
static status check_pieces(const results *results, const piece *pieces, int count, int64_t loop) {
    int64_t next = count ? pieces[0].first : loop + 1;
    for (int k = 0; k < count; next = pieces[k++].last + 1)
        if (pieces[k].first != next) break;
    if (next == loop + 1) return STATUS_OK;
    return status_fail(STATUS_INPUT, "%s/checkpoint: the spikes of loop %lld are missing; bring them back, or start a new run (-o)", results->directory,
                       (long long)next);
}

/** A bijection that spreads bits (splitmix64). */
static uint64_t spread_bits(uint64_t x) {
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

uint64_t spool_digest(const results *results, const spike_recorder *recorder, int64_t from) {
    uint64_t sum = 0;
    for (int64_t k = from; k < recorder->count; k++)
        sum += spread_bits(spread_bits((uint64_t)(results->facts->owned.first + recorder->neuron[k]) + 0x9E3779B97F4A7C15u) + (uint64_t)recorder->step[k]);
    return sum;
}

/** Are the spikes that were read those that the checkpoint counted? Collective; not agreed. */
static status compare_spikes(const results *results, const checkpoint_origin *origin, const spike_recorder *recorder) {
    uint64_t sums[2] = {(uint64_t)recorder->count, spool_digest(results, recorder, 0)};
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, sums, 2, MPI_UINT64_T, MPI_SUM, results->context->comm));
    if (origin->spikes < 0 || ((int64_t)sums[0] == origin->spikes && sums[1] == origin->spikes_digest)) return STATUS_OK;
    return status_fail(STATUS_INPUT,
                       "%s: the spikes of loops 1 to %lld (checkpoint/spikes-*.h5, spikes.h5) are not those of this run: %lld are there, %lld were recorded; "
                       "bring the run's own files back, or start a new run (-o)",
                       results->directory, (long long)origin->loop, (long long)sums[0], (long long)origin->spikes);
}

status spool_read(const results *results, const checkpoint_origin *origin, spike_recorder *recorder) {
    const context *context = results->context;
    int64_t loop = origin->loop;
    int count = 0;
    piece *pieces = NULL;
    char name[NAME_BYTES];
    if (context->rank == 0) {
        pieces = list_pieces(results, &count);
        while (count > 0 && pieces[count - 1].last > loop) count--; /* of loops that will be done again */
    }
    CHECK_MPI(MPI_Bcast(&count, 1, MPI_INT, 0, context->comm));
    if (count < 0) {
        memory_free(pieces);
        return status_agree(context, status_fail(STATUS_FAILURE, "%s/checkpoint cannot be read", results->directory));
    }
    if (context->rank != 0) pieces = memory_new(MEMORY_BUFFERS, (size_t)count, sizeof *pieces);
    CHECK_MPI(MPI_Bcast(pieces, 2 * count, MPI_INT64_T, 0, context->comm));
    status result = check_pieces(results, pieces, count, loop);
    int64_t before = count ? pieces[0].first - 1 : loop; /* loops of which an earlier end of the run left the spikes in spikes.h5 */
    if (result == STATUS_OK && before > 0) result = results_read_spikes(results, "spikes.h5", before * results->facts->loop_steps, recorder);
    for (int k = 0; k < count && result == STATUS_OK; k++) {
        name_of(pieces[k], name);
        result = results_read_spikes(results, name, loop * results->facts->loop_steps, recorder);
    }
    memory_free(pieces);
    result = status_agree(context, result);
    if (result == STATUS_OK) result = status_agree(context, compare_spikes(results, origin, recorder));
    if (result == STATUS_OK && context->rank == 0) remove_after(results, loop);
    return result;
}
