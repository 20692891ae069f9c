/* Rate, irregularity and synchrony of populations in trials (patterns/README.md 5.1): an observer of a trial. */
#ifndef ENGRAM_PATTERNS_FIRING_H
#define ENGRAM_PATTERNS_FIRING_H

#include "simulation.h"

typedef struct firing firing;

enum { FIRING_RATE, FIRING_IRREGULARITY, FIRING_SYNCHRONY, FIRING_MEASURES };
extern const char *const firing_names[FIRING_MEASURES];

/** @return owned; NULL: the network has no populations */
firing *firing_new(const simulation *sim);
void firing_free(firing *firing);

void firing_begin(firing *firing);
/** An observer of pulse.h. */
void firing_step(void *firing, int64_t step, const int32_t *fired, int count);

/** Behind the trial's last step. Collective. @param[out] values [FIRING_MEASURES][populations] Hz, mean CV, variance over mean of counts; NAN: undefined */
void firing_finish(firing *firing, const simulation *sim, double *values);

#endif
