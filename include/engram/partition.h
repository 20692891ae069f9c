/** @file partition.h
 *  Which rank owns which neuron: contiguous blocks whose sizes differ by at most one. Nothing here is collective.
 */
#ifndef ENGRAM_PARTITION_H
#define ENGRAM_PARTITION_H

#include <stdint.h>

#include "engram/context.h"

typedef struct {
    int64_t total; /**< neurons of the network */
    int64_t first; /**< global id (gid) of this rank's first neuron */
    int mine;      /**< neurons of this rank; may be 0 */
    int ranks;
} partition;

/** First gid of @p rank (rank = ranks gives total). */
static inline int64_t partition_first(int64_t total, int ranks, int rank) {
    return total * rank / ranks; /* total < 2^40, ranks < 2^20 */
}

/** Block sizes and first gids of all ranks, as MPI_Allgatherv wants them. @param[out] counts, offsets [ranks] */
static inline void partition_blocks(int64_t total, int ranks, int *counts, int *offsets) {
    for (int rank = 0; rank < ranks; rank++) {
        offsets[rank] = (int)partition_first(total, ranks, rank);
        counts[rank] = (int)(partition_first(total, ranks, rank + 1) - offsets[rank]);
    }
}

static inline partition partition_of(const context *context, int64_t total) {
    int64_t first = partition_first(total, context->ranks, context->rank);
    int64_t next = partition_first(total, context->ranks, context->rank + 1);
    return (partition){.total = total, .first = first, .mine = (int)(next - first), .ranks = context->ranks};
}

#endif
