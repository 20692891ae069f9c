/* Guards against runs that compute nonsense: state that is not finite, a runaway network. */
#ifndef ENGRAM_GUARD_H
#define ENGRAM_GUARD_H

#include "engram/simulation.h"

struct guard {
    const guard_settings *settings;
    int64_t window;    /* steps over which rates are counted */
    int64_t spikes;    /* of the network in the window so far */
    uint32_t *count;   /* [mine] spikes of each neuron in the window so far */
};

guard *guard_new(const simulation *sim);
void guard_free(guard *guard);

/** A trial begins. */
void guard_begin(guard *guard, int mine);

/** After every step. Not collective, except that a rate out of bounds, which all ranks see at the same step, is collective.
 *  @return whether something is wrong; then @p message says what, naming time, neuron and value */
bool guard_step(const simulation *sim, int64_t step, const int32_t *fired, int count, char *message);

#endif
