/** @file exchange.h
 *  Spikes between ranks, every step: inside a node through memory that its ranks share, between nodes by one rank of each, its leader.
 *
 *  Leaders send a block of fixed size by one MPI_Allgather: the number of their node's spikes, what its ranks raise, then the spikes. If some node has more
 *  spikes than fit, all leaders see that in the numbers; the rest follows in one MPI_Allgatherv. If that happens again and again within some hundred steps,
 *  the block grows. In shared memory there is room for all neurons of a rank. `flat`: so it was before there were leaders, and so it is where every rank has a
 *  node of its own: all ranks do what leaders do. Which way, the spikes are the same.
 */
#ifndef ENGRAM_EXCHANGE_H
#define ENGRAM_EXCHANGE_H

#include <stdint.h>

#include "engram/context.h"
#include "engram/partition.h"

typedef enum { EXCHANGE_NODES, EXCHANGE_FLAT } exchange_way;

typedef struct spike_exchange spike_exchange;

/** Collective. @param capacity spikes per rank and step that the first collective carries; grows by itself. @return owned */
spike_exchange *exchange_new(const context *context, int64_t total, int capacity, exchange_way way);
/** As if ranks that say the same @p node were those of a node. They do have to share memory: for tests. Collective. */
spike_exchange *exchange_new_on(const context *context, int64_t total, int capacity, int node);
/** Collective. */
void exchange_free(spike_exchange *exchange);

/** Give my spikes, get everyone's. Collective, every step.
 *  @param local   [count] local indices, ascending; borrowed
 *  @param[out] spikes  gids of all ranks, ascending; borrowed, valid until the next call
 *  @return number of spikes in the network */
int exchange_spikes(spike_exchange *exchange, const int32_t *local, int count, const int32_t **spikes);

/** Let all ranks know of something, without a collective of its own: the bits go with my next spikes. Not collective. */
void exchange_raise(spike_exchange *exchange, unsigned bits);

/** What any rank had raised when it gave its spikes to the last exchange_spikes(): the same on every rank. */
unsigned exchange_raised(const spike_exchange *exchange);

/** Steps so far that needed the second collective; the same on every rank. None do inside a node. */
int64_t exchange_overflows(const spike_exchange *exchange);

/** Nodes that exchange by leaders; 0: every rank speaks for itself. */
int exchange_nodes(const spike_exchange *exchange);

/** Bytes of shared memory that a rank has for its spikes. @param neurons of the rank that has most */
int64_t exchange_shared_bytes(int64_t neurons);

#endif
