/** @file groups.h
 *  Groups of ranks that hold the whole network each: for trials of a test, or for the samples of a batch.
 */
#ifndef ENGRAM_GROUPS_H
#define ENGRAM_GROUPS_H

#include "engram/context.h"
#include "engram/status.h"

/** A job, divided. */
typedef struct {
    const context *world; /**< borrowed */
    int groups, size;     /**< groups, and ranks of each; ranks that are left over are idle */
    bool idle;            /**< this rank is in no group */
    context mine;         /**< of this rank's group; owned */
    MPI_Comm between;     /**< ranks of equal place in all groups, ordered by group; owned */
} rank_groups;

/** How @p ranks are divided for @p pieces of work: groups of equal size, as small as keeps every rank busy, or of @p wanted ranks when that is not 0.
 *  Ranks left over, fewer than a group, are idle. Not collective. @param[out] groups their number @return ranks of a group */
int groups_size(int ranks, int64_t pieces, int64_t wanted, int *groups);

/** Divide; only the first group logs. Collective. @param size, count of groups_size() */
void groups_open(const context *world, int size, int count, rank_groups *groups);
/** Collective; nothing to do for what is all 0 but for MPI_COMM_NULL. */
void groups_close(rank_groups *groups);
extern const rank_groups groups_none;

/** All ranks of the job agree on what its groups came to; the message is printed once. Collective over the job. @param code of this rank or its group */
status groups_agree(const context *world, status code);

#endif
