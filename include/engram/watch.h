/** @file watch.h
 *  What may end a run before its last loop: a signal (SIGTERM, SIGINT, SIGUSR1) on any rank, a file named `stop` in the output directory, a time limit.
 *
 *  Each rank notices for itself; ranks agree through the flags that travel with the spikes (exchange_raise()).
 */
#ifndef ENGRAM_WATCH_H
#define ENGRAM_WATCH_H

#include <stdbool.h>

#include "engram/context.h"

typedef struct {
    double started;            /**< clock_seconds() at the start of the program's work */
    double limit;              /**< seconds after which the run should have ended; INFINITY: none */
    double reserve;            /**< seconds to keep back for a checkpoint: twice what one takes */
    double saved;              /**< clock_seconds() when the run could last be resumed from without loss */
    bool can_finish;           /**< a trial that is stopped may be finished, if that is shorter than doing its work again; else it is abandoned */
    bool asked;                /**< some rank wants the run to end: the same on all ranks */
    const char *why;           /**< what this rank noticed; NULL: nothing */
    char *stop_file;           /**< looked for on rank 0, owned; NULL: none */
    double looked;             /**< when it was last looked for */
} run_watch;

/** Catch the signals from now on. A second SIGINT ends the process at once. Not collective. */
void watch_begin(run_watch *watch, double limit_seconds);

/** The run should have ended in so many seconds from now, if no limit is nearer. Not collective. */
void watch_limit(run_watch *watch, double seconds);

/** Does this rank want the run to end? Cheap. @param rank only rank 0 minds file and time limit. Sets why. */
bool watch_wants_end(run_watch *watch, int rank);

/** Rank 0: is it shorter to give up a trial after @p done of @p steps steps, which took @p seconds, than to finish it and save?
 *  Before a time limit it is finished if there is time; and always where that takes no more than two seconds: who stops a run of short loops finds them
 *  saved. */
bool watch_abandons(const run_watch *watch, double seconds, double done, double steps);

/** What run_watch.why says of the stop file. */
extern const char watch_stop_file[];

/** On rank 0: is the stop file there? Whatever else may have stopped the run, or if nothing did yet, it is the reason then. */
bool watch_finds_stop(run_watch *watch);

/** On rank 0, when run.json says that it was heeded: remove the stop file, which stops one run once. */
void watch_heeded(const run_watch *watch);

/** Forget the stop file and catch signals no longer: the run ends, SIGTERM and SIGUSR1 cannot spoil its exit code. Not collective. */
void watch_end(run_watch *watch);

#endif
