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

status spool_write(const simulation *sim, const results *results, const spike_recorder *recorder, int64_t from, int64_t saved, int64_t loop) {
    char name[NAME_BYTES];
    name_of((piece){saved + 1, loop}, name);
    return results_write_spikes(sim, results, name, NULL, recorder, from);
}

/** Do the pieces follow each other up to @p loop? */
static status check_pieces(const results *results, const piece *pieces, int count, int64_t loop) {
    int64_t next = count ? pieces[0].first : loop + 1;
    for (int k = 0; k < count; next = pieces[k++].last + 1)
        if (pieces[k].first != next) break;
    if (next == loop + 1) return STATUS_OK;
    return status_fail(STATUS_INPUT, "%s/checkpoint: the spikes of loop %lld are missing; bring them back, or start a new run (-o)", results->directory, (long long)next);
}

status spool_read(const simulation *sim, const results *results, int64_t loop, spike_recorder *recorder) {
    const context *context = &sim->context;
    int count = 0;
    piece *pieces = NULL;
    char name[NAME_BYTES];
    if (context->rank == 0) {
        remove_after(results, loop);
        pieces = list_pieces(results, &count);
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
    if (result == STATUS_OK && before > 0) result = results_read_spikes(sim, results, "spikes.h5", before * sim->loop_steps, recorder);
    for (int k = 0; k < count && result == STATUS_OK; k++) {
        name_of(pieces[k], name);
        result = results_read_spikes(sim, results, name, loop * sim->loop_steps, recorder);
    }
    memory_free(pieces);
    return status_agree(context, result);
}
