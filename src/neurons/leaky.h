/* The step of a leaky membrane with threshold, reset and refractory period: lif and iaf_psc_exp. */
#ifndef ENGRAM_NEURONS_LEAKY_H
#define ENGRAM_NEURONS_LEAKY_H

#include "engram/neurons.h"

/** The same for all neurons of a call. */
typedef struct {
    double rate; /**< part of its distance to the input that v goes in a step */
    double threshold, reset;
    int32_t refractory; /**< steps without integration after a spike */
} leaky_step;

/** v, their first field, goes towards its input; above the threshold it is reset. @param input [end - first] */
void leaky_advance(const leaky_step *step, neurons *neurons, int first, int end, const double *input);

/** The same of neurons in single precision. */
void leaky_advance_single(const leaky_step *step, neurons *neurons, int first, int end, const float *input);

#endif
