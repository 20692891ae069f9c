/* How well the firing rates of a tested network follow the target rates: PSTH against target, neuron by neuron. */
#ifndef ENGRAM_RATE_FIT_H
#define ENGRAM_RATE_FIT_H

#include "tracker.h"

/** Of each neuron of the rank; NAN where it is untrained, or has fewer than two bins. x: target rate, averaged over the learning instants in a bin of the PSTH
 *  (interpolated at the bin's centre where there are none); y: PSTH. */
typedef struct {
    double *correlation; /* [mine] Pearson's r of x and y; NAN where either does not vary: a silent neuron */
    double *slope;       /* [mine] of the regression of y on x: 1 where modulation is as deep as the target's; NAN where x does not vary */
    double *error;       /* [mine] RMS of y - x over the SD of x: 1 is what the target's mean alone would give; NAN as above */
} rate_fit;

/** @param trials that @p psth counts @return owned, rate_fit_free(); NULL where targets are no rates. Not collective. */
rate_fit *rate_fit_new(const simulation *simulation, int task, const psth *psth, int trials);
void rate_fit_free(rate_fit *fit);

#endif
