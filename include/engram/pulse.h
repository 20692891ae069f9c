/** @file pulse.h
 *  How the ranks of a loop agree on going on without a collective of their own: bits that travel with whatever they exchange anyway (spikes, a winner, a
 *  gradient); and who watches each step. Written once, for all systems.
 *
 *      bits = pulse_bits(pulse)                          before an exchange: what this rank has to say
 *      ... the exchange carries them, or'ed over ranks ...
 *      if (bits && !pulse_heed(pulse, bits, step)) break after it: the same answer on every rank
 *      pulse_step(pulse, step, fired, count, spikes)     recorders, guard, the clock
 */
#ifndef ENGRAM_PULSE_H
#define ENGRAM_PULSE_H

#include <stdbool.h>
#include <stdint.h>

#include "engram/watch.h"

enum { FAULT_BYTES = 320, OBSERVERS_MAX = 8 };

/** Called after every step. */
typedef struct {
    void *self;
    void (*step)(void *self, int64_t step, const int32_t *fired, int count); /**< step from 1; fired: local indices of this rank's spikes, ascending */
} observer;

typedef struct guard guard; /**< src/training/guard.h */

typedef struct pulse {
    int rank;                 /**< rank 0 minds the clock */
    run_watch *watch;         /**< NULL: run to the end */
    guard *guard;             /**< NULL: unguarded */
    int64_t steps;            /**< of the loop, or samples of a batch: progress is counted in these */
    int64_t look_every;       /**< steps between looks at the clock, the stop file and the guarded variables */
    int observers;
    observer observer[OBSERVERS_MAX];
    unsigned raise;           /**< to go with the next exchange */
    double started;           /**< clock_seconds() of pulse_begin() */
    int64_t spikes;           /**< of the network so far */
    bool whole;               /**< false: ended before the last step; the same on all ranks */
    char fault[FAULT_BYTES];  /**< what this rank found wrong: "TIME ms: ...", or "" */
} pulse;

/** Before the first step; observers may have been added already. Not collective. */
void pulse_begin(pulse *pulse);

/** Add an observer. Not collective. */
void pulse_observe(pulse *pulse, void *self, void (*step)(void *self, int64_t step, const int32_t *fired, int count));

/** What this rank says with the next exchange, once. Not collective. */
unsigned pulse_bits(pulse *pulse);

/** What some rank said with the exchange of @p step. The same on every rank. @return whether the loop goes on; false also sets `whole` */
bool pulse_heed(pulse *pulse, unsigned raised, int64_t step);

/** Has @p step to know the spikes of all ranks up to it? Else ranks may count them later, and give pulse_step() all of some steps in the last one of these.
 *  The same on every rank. Not collective. */
bool pulse_counts(const pulse *pulse, int64_t step);

/** After a step: observers, guard, clock and stop file. Collective only where the guard finds a runaway, which it does on every rank.
 *  @param fired [count] local indices @param of_network spikes of all ranks' neurons in the step, and in those before that had none to give */
void pulse_step(pulse *pulse, int64_t step, const int32_t *fired, int count, int64_t of_network);

/** This rank found something wrong; all hear of it with the next exchange. The first fault counts. Not collective. */
void pulse_fault(pulse *pulse, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
