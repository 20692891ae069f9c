/** @file arrivals.h
 *  From spikes of this rank's neurons to what reaches its synapses: exchange between ranks, delays, delivery.
 *
 *  A spike reaches nobody before the least delay of all synapses has passed, and so long no rank needs to hear of it: spikes of as many steps go at once.
 *  They go earlier where a trial ends, or a guard wants to know them (pulse_counts()). Which steps go together changes no bit of what arrives.
 */
#ifndef ENGRAM_PATTERNS_ARRIVALS_H
#define ENGRAM_PATTERNS_ARRIVALS_H

#include <stdbool.h>
#include <stdint.h>

#include "engram/synapses.h"

struct simulation;
struct trial;
struct trial_result;

/** Spikes between two exchanges. */
typedef struct {
    int most;              /**< steps that go at once, at most: no delay on any rank is shorter; 1: every step is exchanged */
    int steps;             /**< that wait, the present one among them */
    int *fired;            /**< [most] spikes of my neurons in each */
    int *units;            /**< [most] spikes of feed-forward units, which every rank knows */
    int32_t *local;        /**< [room] local indices, one step behind the other, if most > 1; grows */
    int64_t room;
    const int32_t *spikes; /**< gids of all ranks, one step behind the other, once they were exchanged; borrowed */
    int *heard;            /**< [most] of each step */
    int delivered;         /**< of my spikes, while those of others were under way */
} arrivals;

/** From the delays of all synapses that there are now. Collective. */
void arrivals_make(struct simulation *simulation);
void arrivals_free(struct simulation *simulation);

/** A trial begins. Not collective. */
void arrivals_begin(struct simulation *simulation);

/** A step has ended for my neurons. Not collective. @param fired how many fired, in simulation->fired @return are spikes to be exchanged now? The same on all
 *  ranks */
bool arrivals_wait(struct simulation *simulation, const struct trial *trial, int64_t step, int fired);

/** Exchange what waits; meanwhile my own spikes are delivered to static synapses that count them. Collective.
 *  @param[in,out] fired of my neurons in this step: less by one if its spike is deleted, as the trial may want it
 *  @return spikes of all neurons in all steps that waited */
int64_t arrivals_exchange(struct simulation *simulation, const struct trial *trial, int64_t step, int *fired, struct trial_result *result);

/** Deliver what reaches static and plastic synapses at the end of this step, and count what was heard of. Not collective.
 *  @param exchanged arrivals_exchange() was called in this step */
void arrivals_deliver(struct simulation *simulation, const struct trial *trial, int64_t step, bool exchanged, struct trial_result *result);

/** Neurons first .. end-1 take what waits for them since the end of the last step, while that is in the first-level cache, and once all have,
 *  arrivals_taken(). Not collective. @param[out] input [end - first] @return false: nothing waits, and what arrived is in simulation->drive->arriving */
bool arrivals_take(struct simulation *simulation, int first, int end, const static_input *input);
void arrivals_taken(struct simulation *simulation);

/** Behind the last step of a trial: all of it into simulation->drive->arriving. Not collective. */
void arrivals_settle(struct simulation *simulation);

#endif
