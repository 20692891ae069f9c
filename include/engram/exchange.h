/** @file exchange.h
 *  Spikes between ranks: one MPI_Allgather a step, the count inside the payload.
 *
 *  Every rank sends a block of 2 + capacity integers: its number of spikes, what it raises, then the spikes' local indices.
 *  If some rank has more spikes than fit, all ranks see that in the counts; the rest follows in one MPI_Allgatherv.
 *  If that happens again and again within some hundred steps, the capacity grows.
 */
#ifndef ENGRAM_EXCHANGE_H
#define ENGRAM_EXCHANGE_H

#include <stdint.h>

#include "engram/context.h"
#include "engram/partition.h"

typedef struct spike_exchange spike_exchange;

/** Not collective. @param capacity spikes per rank and step that the first collective carries; grows by itself. @return owned */
spike_exchange *exchange_new(const context *context, int64_t total, int capacity);
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

/** Steps so far that needed the second collective. */
int64_t exchange_overflows(const spike_exchange *exchange);

#endif
