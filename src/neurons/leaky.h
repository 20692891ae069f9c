/* The step of a leaky membrane with threshold, reset and refractory period: lif and iaf_psc_exp. */
#ifndef ENGRAM_NEURONS_LEAKY_H
#define ENGRAM_NEURONS_LEAKY_H

#include <stdint.h>

/** The same for all neurons of a call. */
typedef struct {
    double rate; /**< part of its distance to the input that v goes in a step */
    double threshold, reset;
    int32_t refractory; /**< steps without integration after a spike */
} leaky_step;

/** v goes towards its input; above the threshold it is reset. @param input, v, since [count]; since: neurons.since_spike */
void leaky_advance(const leaky_step *step, int count, const double *input, double *v, int32_t *since);

#endif
