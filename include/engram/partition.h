/** @file partition.h
 *  Which rank owns which neuron: contiguous blocks, whose sizes differ by at most one where nothing else is said. Nothing here is collective.
 */
#ifndef ENGRAM_PARTITION_H
#define ENGRAM_PARTITION_H

#include <stddef.h>
#include <stdint.h>

#include "engram/context.h"

typedef struct {
    int64_t total; /**< neurons of the network */
    int64_t first; /**< global id (gid) of this rank's first neuron */
    int mine;      /**< neurons of this rank; may be 0 */
    int ranks;
    const int64_t *bounds; /**< [ranks + 1] first gids of all blocks, and total, borrowed; NULL: blocks of equal size */
} partition;

/** First gid of @p rank, in blocks of equal size (rank = ranks gives total). */
static inline int64_t partition_first(int64_t total, int ranks, int rank) {
    return total * rank / ranks; /* total < 2^40, ranks < 2^20 */
}

/** First gid of a rank's block (rank = ranks gives total). */
static inline int64_t partition_begin(const partition *part, int rank) {
    return part->bounds ? part->bounds[rank] : partition_first(part->total, part->ranks, rank);
}

/** Neurons of the largest block. */
static inline int64_t partition_largest(const partition *part) {
    int64_t largest = (part->total + part->ranks - 1) / part->ranks;
    for (int rank = 0; part->bounds && rank < part->ranks; rank++)
        if (part->bounds[rank + 1] - part->bounds[rank] > largest) largest = part->bounds[rank + 1] - part->bounds[rank];
    return largest;
}

/** Block sizes and first gids of all ranks, as MPI_Allgatherv wants them. @param[out] counts, offsets [ranks] */
static inline void partition_blocks(const partition *part, int *counts, int *offsets) {
    for (int rank = 0; rank < part->ranks; rank++) {
        offsets[rank] = (int)partition_begin(part, rank);
        counts[rank] = (int)(partition_begin(part, rank + 1) - offsets[rank]);
    }
}

/** @param bounds as in a partition */
static inline partition partition_by(const context *context, int64_t total, const int64_t *bounds) {
    partition part = {.total = total, .ranks = context->ranks, .bounds = bounds};
    part.first = partition_begin(&part, context->rank);
    part.mine = (int)(partition_begin(&part, context->rank + 1) - part.first);
    return part;
}

static inline partition partition_of(const context *context, int64_t total) {
    return partition_by(context, total, NULL);
}

#endif
