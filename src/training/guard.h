/* Guards against runs that compute nonsense: state that is not finite, a runaway network. */
#ifndef ENGRAM_GUARD_H
#define ENGRAM_GUARD_H

#include "engram/system.h"

struct guard {
    double max_rate;          /* Hz; 0: none */
    const learning_system *system;
    void *self;               /* the system's, borrowed */
    variable_list variables;
    partition part;
    int64_t samples;          /* networks that run side by side */
    double dt;                /* ms */
    int64_t window;           /* steps over which rates are counted */
    int64_t spikes;           /* of the network in the window so far */
    uint32_t *count;          /* [mine] spikes of each neuron in the window so far */
    const context *context;
};

/** @return owned, guard_free(). Not collective. @param context, self borrowed */
guard *guard_new(const context *context, const learning_system *system, void *self, const system_facts *facts, double max_rate);
void guard_free(guard *guard);

/** A loop begins. Not collective. */
void guard_begin(guard *guard);

/** Spikes of a step: [count] local indices, and how many there were in the network. Not collective. */
void guard_count(guard *guard, const int32_t *fired, int count, int64_t of_network);

/** Is @p step the last one of a window? The same on all ranks. Not collective. */
bool guard_window_ends(const guard *guard, int64_t step);

/** Ends the window. Collective if the rate is out of bounds, which all ranks see at the same step. @return whether it is;
 *  then the pulse has a fault that names the neuron that fires most */
bool guard_find_runaway(guard *guard, pulse *pulse, int64_t step);

/** Is a guarded variable not finite? Not collective. The pulse has a fault if so, naming time, variable and neuron. */
void guard_find_infinite(guard *guard, pulse *pulse, int64_t step);

#endif
