/* Sums of partial gradients. Every rank owns a slice of the gradient: it gets that slice of every tile, adds them up in the order of tiles, and gives the
 * sum to all. */
#include "engram/gradient.h"
#include "engram/memory.h"

struct gradient_sum {
    context context;
    int64_t tiles, count, mine; /* mine: tiles of this rank */
    float *sent, *received;     /* slices, by the rank that they are for, and come from */
    int *to, *to_at, *from, *from_at, *slice, *slice_at; /* [ranks] counts and places */
};

static int64_t slice_first(const gradient_sum *sum, int rank) {
    return sum->count * rank / sum->context.ranks;
}

static int64_t tiles_of(const gradient_sum *sum, int rank) {
    return gradient_first(sum->tiles, sum->context.ranks, rank + 1) - gradient_first(sum->tiles, sum->context.ranks, rank);
}

void gradient_tell_idle(const context *context, int sharing, int64_t batch, const char *help) {
    const int64_t tiles = gradient_tiles(batch), idle = (sharing - tiles) * (context->ranks / sharing);
    if (idle <= 0) return;
    log_warning(context, "learning.batch: ranks share out samples in tiles of %d, and a batch has %lld: ranks that stay idle: %lld of %d; %s", LANES,
                (long long)batch, (long long)idle, context->ranks, help);
}

gradient_sum *gradient_sum_new(const context *context, int64_t tiles, int64_t count) {
    gradient_sum *sum = memory_new(MEMORY_BUFFERS, 1, sizeof *sum);
    const size_t ranks = (size_t)context->ranks;
    sum->context = *context;
    sum->tiles = tiles, sum->count = count;
    sum->mine = tiles_of(sum, context->rank);
    int **lists[] = {&sum->to, &sum->to_at, &sum->from, &sum->from_at, &sum->slice, &sum->slice_at};
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++) *lists[l] = memory_new(MEMORY_BUFFERS, ranks, sizeof(int));
    const int64_t own = slice_first(sum, context->rank + 1) - slice_first(sum, context->rank);
    for (int rank = 0; rank < context->ranks; rank++) {
        const int64_t slice = slice_first(sum, rank + 1) - slice_first(sum, rank);
        sum->slice[rank] = (int)slice, sum->slice_at[rank] = (int)slice_first(sum, rank);
        sum->to[rank] = (int)(slice * sum->mine), sum->to_at[rank] = (int)(slice_first(sum, rank) * sum->mine);
        sum->from[rank] = (int)(own * tiles_of(sum, rank)), sum->from_at[rank] = (int)(own * gradient_first(tiles, context->ranks, rank));
    }
    if (ranks > 1) sum->sent = memory_new(MEMORY_BUFFERS, (size_t)(sum->mine * count), sizeof(float));
    if (ranks > 1) sum->received = memory_new(MEMORY_BUFFERS, (size_t)(tiles * own), sizeof(float));
    return sum;
}

void gradient_sum_free(gradient_sum *sum) {
    if (!sum) return;
    memory_free(sum->sent), memory_free(sum->received);
    memory_free(sum->to), memory_free(sum->to_at), memory_free(sum->from), memory_free(sum->from_at), memory_free(sum->slice), memory_free(sum->slice_at);
    memory_free(sum);
}

static void add(const float *tile, int64_t tiles, int64_t count, float *whole) {
    for (int64_t k = 0; k < count; k++) whole[k] = 0;
    for (int64_t t = 0; t < tiles; t++)
        for (int64_t k = 0; k < count; k++) whole[k] += tile[t * count + k];
}

void gradient_sum_tiles(gradient_sum *sum, const float *partial, float *whole) {
    const context *context = &sum->context;
    if (context->ranks == 1) {
        add(partial, sum->tiles, sum->count, whole);
        return;
    }
    for (int rank = 0; rank < context->ranks; rank++)
        for (int64_t t = 0; t < sum->mine; t++)
            for (int64_t k = 0; k < sum->slice[rank]; k++)
                sum->sent[sum->to_at[rank] + t * sum->slice[rank] + k] = partial[t * sum->count + sum->slice_at[rank] + k];
    CHECK_MPI(MPI_Alltoallv(sum->sent, sum->to, sum->to_at, MPI_FLOAT, sum->received, sum->from, sum->from_at, MPI_FLOAT, context->comm));
    const int own = sum->slice[context->rank];
    add(sum->received, sum->tiles, own, whole + sum->slice_at[context->rank]);
    CHECK_MPI(MPI_Allgatherv(MPI_IN_PLACE, own, MPI_FLOAT, whole, sum->slice, sum->slice_at, MPI_FLOAT, context->comm));
}
