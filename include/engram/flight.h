/** @file flight.h
 *  Spikes in flight: those that have been fired and have not yet reached all synapses, because delays are longer than a step.
 *
 *  What is kept is who fired in the last steps. That is all the state of delays there is, the same on all ranks: it is saved and put aside as bits, and what is
 *  derived from it (the ring below) is made anew after it was brought back. A synapse of delay d gets, at the end of step t, what its source fired in step
 *  t - d + 1, so that it acts from step t + 1 on as every input does; d = 1 is what a network without delays does.
 *
 *  Order of summation, on any number of ranks: what arrives in a step at a neuron is added by emission step, oldest first, then by source, then as the
 *  synapses of the source are stored. Static excitatory and inhibitory input are sums of their own; plastic input is added by source (a source has one delay).
 */
#ifndef ENGRAM_FLIGHT_H
#define ENGRAM_FLIGHT_H

#include "engram/synapses.h"

/* Who fired may become known some steps late, as ranks need not hear of each other before the first spike arrives: flight_wait(). */
typedef struct { int32_t *gid; int count, room; } flight_step;

typedef struct spike_flight {
    int64_t sources;
    int longest;       /**< delay, in steps, of any synapse on any rank */
    int at;            /**< the last step in `step` */
    int lag;           /**< steps that have ended since that one: who fired in them is not known yet */
    flight_step *step; /**< [longest] ring */
    unsigned loads;    /**< how often it was brought back or reset: what is derived is made anew when this has changed */
} spike_flight;

/** Least delay of a rank's synapses, in steps: so long it need not hear who fired. INT_MAX: it has none. */
int static_least_delay(const static_synapses *synapses);
int plastic_least_delay(const plastic_synapses *plastic);

/** @return owned */
spike_flight *flight_new(int64_t sources, int longest);
void flight_free(spike_flight *flight);

/** Nothing is in flight. */
void flight_reset(spike_flight *flight);

/** What goes on from loop to loop; nothing where the longest delay is one step. @param writes this rank writes it, for all: true on one of them */
void flight_state(spike_flight *flight, bool writes, state_list *list);

/** A step has ended, and who fired in it will be pushed later: before their spikes reach anybody, which no delay is shorter than. */
void flight_wait(spike_flight *flight);

/** A step has ended, or one that was waited for is known: the oldest of them. @param spike [count] gids of neurons that fired in it, ascending */
void flight_push(spike_flight *flight, const int32_t *spike, int count);

/** Who fired @p ago steps before the last one that has ended, lag .. longest-1. @return [*count], ascending; borrowed until the next push */
static inline const int32_t *flight_spikes(const spike_flight *flight, int ago, int *count) {
    const flight_step *step = &flight->step[(flight->at + flight->longest - ago + flight->lag) % flight->longest];
    *count = step->count;
    return step->gid;
}

/** Sums of static input that will arrive in the next steps, for synapses with delays of their own: as written, in double (or counts, for typed weights). */
typedef struct delay_ring {
    int mine, slots, at;  /**< slot at: what arrives in the next step that is delivered */
    uint16_t *excitatory_count, *inhibitory_count; /**< [slots][mine], or NULL */
    double *excitatory, *inhibitory;               /**< [slots][mine], or NULL */
    unsigned loads;       /**< of the flight that it was made from */
} delay_ring;

/** @return owned; NULL for synapses that need none, as all have the same delay, or there are none, or they are in blocks (block_sums) */
delay_ring *delay_ring_new(const static_synapses *synapses, int mine);
void delay_ring_free(delay_ring *ring);

/** Deliver to static synapses what reaches them at the end of the last step. To be called once a step.
 *  @param ring of these synapses @param fresh steps that were pushed since the last call: 1, or all that were waited for, or 0 while they are
 *  @param input all 0, as the drive leaves it */
void flight_deliver_static(const spike_flight *flight, const static_synapses *synapses, delay_ring *ring, int fresh, static_input *input);

/** Neurons whose spikes reach plastic synapses at the end of the last step. @param[out] arrived [neurons] ascending @return how many */
int flight_arrive_plastic(const spike_flight *flight, const plastic_synapses *plastic, int32_t *arrived);

#endif
