/** @file allgather.h
 *  Blocks of spikes from each member of a communicator to all: from all ranks, or from the leaders of nodes.
 *
 *  One MPI_Allgather carries the number of a member's spikes, what it raises, and the first spikes, as many as there is room for. If some member has more, all
 *  see that in the numbers; the rest follows in one MPI_Allgatherv. If that happens again and again within some hundred steps, the room grows.
 */
#ifndef ENGRAM_ALLGATHER_H
#define ENGRAM_ALLGATHER_H

#include <mpi.h>
#include <stdint.h>

typedef struct allgather allgather;

/** Neighbours among the ranks whose spikes are in one member's block; runs follow one another as the ranks do. */
typedef struct {
    int member;
    int64_t end; /**< gid behind their neurons */
} block_run;

/** Not collective. @param comm not owned @param capacity spikes of a block, at first @param shift a spike's lowest so many bits are its gid */
allgather *allgather_new(MPI_Comm comm, int capacity, int shift);
void allgather_free(allgather *allgather);

/** Where my spikes are to be written: those of a rank behind those of the rank before. Not collective. @return [count] borrowed, until allgather_exchange() */
int32_t *allgather_mine(allgather *allgather, int64_t count);
/** Collective. @param count spikes that were written @param[in,out] raised mine; those of all. @return spikes of all members */
int64_t allgather_exchange(allgather *allgather, int64_t count, unsigned *raised);
/** Bring what the last exchange brought into the order of ranks; the room of the next one may be another. Not collective.
 *  @param runs [count] all @param[out] spikes [as many as there are] */
void allgather_take(allgather *allgather, const block_run *runs, int count, int32_t *spikes);

/** Exchanges so far that needed the second collective. */
int64_t allgather_overflows(const allgather *allgather);

#endif
