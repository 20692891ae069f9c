/** @file exchange.h
 *  Spikes between ranks, of a step or of some steps at once, one of two ways that give the same spikes in the same order.
 *
 *  Flat: every rank sends a block of fixed size to all by one MPI_Allgather: the number of its spikes, what it raises, then the spikes. If some rank has more
 *  spikes than fit, all see that in the numbers; the rest follows in one MPI_Allgatherv. If that happens again and again within some hundred steps, the block
 *  grows. By nodes: inside a node through memory that its ranks share, in which there is room for all neurons of a rank, in each of these steps; between
 *  nodes the first rank of each, its leader, does for its node what every rank does for itself in the flat way. Where every rank has a node of its own, that is
 *  the flat way.
 */
#ifndef ENGRAM_EXCHANGE_H
#define ENGRAM_EXCHANGE_H

#include <stdint.h>

#include "engram/context.h"
#include "engram/partition.h"

typedef enum { EXCHANGE_FLAT, EXCHANGE_NODES } exchange_way;

typedef struct spike_exchange spike_exchange;

/** Steps of a network of @p total neurons that may go at once, 16 at most: more would save next to nothing, and shared memory has room for all of them. */
int exchange_most_steps(int64_t total);

/** How spikes are exchanged. */
typedef struct {
    const partition *part; /**< neurons of the network; borrowed for the call */
    int capacity;     /**< spikes of a rank that the first collective has room for, at least 1; grows by itself */
    int steps;        /**< that go at once at most, 1 .. exchange_most_steps() */
    exchange_way way;
} exchange_setting;

/** Collective over the ranks of @p context. Where a node has no room for what its ranks should share, there is a warning, and the exchange is flat;
 *  where they cannot share it although it has, the job ends (context_abort()).
 *  @param context copied; its communicator must outlive the exchange @return owned, exchange_free() */
spike_exchange *exchange_new(const context *context, const exchange_setting *setting);
/** By nodes, as if ranks that say the same @p node (>= 0) were those of a node; in truth they must all be able to share memory: for tests. Else as above. */
spike_exchange *exchange_new_on(const context *context, const exchange_setting *setting, int node);
/** Collective over the same ranks. NULL: nothing is done. */
void exchange_free(spike_exchange *exchange);

/** Give my spikes, get everyone's. Collective, every step.
 *  @param local   [count] local indices, ascending; borrowed
 *  @param[out] spikes  gids of all ranks, ascending; borrowed, valid until the next call
 *  @return number of spikes in the network */
int exchange_spikes(spike_exchange *exchange, const int32_t *local, int count, const int32_t **spikes);

/** The same for some steps at once. Collective; the same number of steps on all ranks.
 *  @param local [count[0] + count[1] + ...] local indices of each step, ascending, one step behind the other @param count [steps]
 *  @param[out] spikes  gids of all ranks by step, ascending in each; borrowed, valid until the next call
 *  @param[out] counts  [steps] spikes of the network */
void exchange_steps(spike_exchange *exchange, const int32_t *local, const int *count, int steps, const int32_t **spikes, int *counts);

/** exchange_steps() in two halves, between which there is time for what does not need spikes of others: they are under way. Both collective.
 *  @param local, count borrowed until the end */
void exchange_begin(spike_exchange *exchange, const int32_t *local, const int *count, int steps);
void exchange_end(spike_exchange *exchange, const int32_t **spikes, int *counts);

/** Let all ranks know of something, without a collective of its own: the bits go with my next spikes. Not collective. */
void exchange_raise(spike_exchange *exchange, unsigned bits);

/** What any rank had raised when it gave its spikes to the last exchange: the same on every rank. */
unsigned exchange_raised(const spike_exchange *exchange);

/** Exchanges so far that needed the second collective: the same on every rank. None do where all ranks share memory. Not collective. */
int64_t exchange_overflows(const spike_exchange *exchange);

/** Nodes that exchange by leaders, 1: all ranks share memory; 0: one rank, or every rank speaks for itself. The same on every rank. Not collective. */
int exchange_nodes(const spike_exchange *exchange);

/** Bytes of shared memory that a rank has for its spikes, by nodes. Not collective. @param neurons of the rank that has most @param steps that go at once */
int64_t exchange_shared_bytes(int64_t neurons, int steps);

#endif
