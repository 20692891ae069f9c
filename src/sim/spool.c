#include "spool.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint.h"
#include "engram/memory.h"

enum { NAME_BYTES = 64 };

static int ascending(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void name_of(int64_t loop, char *name) {
    snprintf(name, NAME_BYTES, "checkpoint/spikes-%010lld.h5", (long long)loop);
}

/** Loops up to which spikes were put aside, ascending. @return owned by the caller, memory_free() */
static int64_t *list_pieces(const results *results, int *count) {
    char *folder = checkpoint_path(results->directory, ""), end;
    DIR *entries = opendir(folder);
    int64_t *loops = memory_new(MEMORY_BUFFERS, 0, sizeof *loops);
    long long loop;
    *count = 0;
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        if (sscanf(entry->d_name, "spikes-%10lld.h%c", &loop, &end) != 2 || end != '5' || strlen(entry->d_name) != strlen("spikes-0000000000.h5")) continue;
        loops = memory_resize(MEMORY_BUFFERS, loops, (size_t)*count + 1, sizeof *loops);
        loops[(*count)++] = loop;
    }
    if (entries) closedir(entries);
    free(folder);
    qsort(loops, (size_t)*count, sizeof *loops, ascending);
    return loops;
}

/** Remove pieces of loops after @p loop. On rank 0. */
static void remove_after(const results *results, int64_t loop) {
    int count;
    int64_t *loops = list_pieces(results, &count);
    char name[NAME_BYTES];
    for (int k = 0; k < count; k++) {
        if (loops[k] <= loop) continue;
        name_of(loops[k], name);
        char *path = results_path(results, name);
        unlink(path);
        free(path);
    }
    memory_free(loops);
}

void spool_clear(const results *results) {
    remove_after(results, 0);
}

status spool_write(const simulation *sim, const results *results, const spike_recorder *recorder, int64_t from, int64_t loop) {
    char name[NAME_BYTES];
    name_of(loop, name);
    return results_write_spikes(sim, results, name, NULL, recorder, from);
}

status spool_read(const simulation *sim, const results *results, int64_t loop, spike_recorder *recorder) {
    const context *context = &sim->context;
    int count = 0, whole = 0;
    int64_t *loops = NULL;
    char name[NAME_BYTES] = "spikes.h5";
    if (context->rank == 0) {
        remove_after(results, loop);
        loops = list_pieces(results, &count);
        char *path = results_path(results, name);
        whole = access(path, F_OK) == 0;
        free(path);
    }
    CHECK_MPI(MPI_Bcast(&count, 1, MPI_INT, 0, context->comm));
    CHECK_MPI(MPI_Bcast(&whole, 1, MPI_INT, 0, context->comm));
    if (context->rank != 0) loops = memory_new(MEMORY_BUFFERS, (size_t)count, sizeof *loops);
    CHECK_MPI(MPI_Bcast(loops, count, MPI_INT64_T, 0, context->comm));
    status result = whole ? results_read_spikes(sim, results, name, loop * sim->loop_steps, recorder) : STATUS_OK;
    for (int k = 0; k < count && result == STATUS_OK; k++) {
        name_of(loops[k], name);
        result = results_read_spikes(sim, results, name, loop * sim->loop_steps, recorder);
    }
    memory_free(loops);
    return status_agree(context, result);
}
