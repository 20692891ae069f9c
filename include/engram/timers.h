/** @file timers.h
 *  Where the time of a run goes: seconds of this rank by phase, told in run.json as least, mean and largest over ranks.
 */
#ifndef ENGRAM_TIMERS_H
#define ENGRAM_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum {
    PHASE_BUILD,
    PHASE_BASELINE, /**< what is measured of the network before it learns */
    PHASE_UPDATE,   /**< neurons; forward passes */
    PHASE_WAIT,     /**< for the slowest rank, where that is timed */
    PHASE_EXCHANGE, /**< with what is done while spikes are under way: delivery of own ones */
    PHASE_DELIVER,
    PHASE_LEARN,
    PHASE_RECORD,
    PHASE_CHECKPOINT,
    PHASE_WRITE,
    PHASES
} phase;
extern const char *const phase_names[PHASES];

typedef struct {
    double seconds[PHASES];
    bool wait_timed; /**< a barrier before every exchange: waiting for other ranks is PHASE_WAIT, not part of PHASE_EXCHANGE */
} timers;

/** Charges the time that goes by to one phase after the other. Nothing here is collective. */
typedef struct {
    timers *timers; /**< borrowed */
    double tick;    /**< s, of the counter that it reads: the processor's, or that of the clock */
    bool counter;   /**< the processor's */
    uint64_t last;  /**< ticks */
} stopwatch;

/** The first one of a process measures the tick for 2 ms. */
stopwatch stopwatch_start(timers *timers);
/** Charge the time since the start, or since the last charge. */
void stopwatch_charge(stopwatch *watch, phase phase);

#endif
