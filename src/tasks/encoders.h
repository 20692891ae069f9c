/** @file encoders.h
 *  How tasks turn what they show into spikes. Not collective.
 */
#ifndef TASKS_ENCODERS_H
#define TASKS_ENCODERS_H

#include "engram/random.h"
#include "engram/tasks.h"

/** Steps first .. first + steps - 1 of a channel. */
typedef struct { int channel, inputs, first, steps; } encoder_span;

/** Where a channel's draws are: of purpose RANDOM_TASK_SPIKE. */
typedef struct { uint64_t seed, sample; } encoder_draws;

/** Spikes that are independent in every step: intervals between them are drawn, geometric, as many draws as there are spikes.
 *  @param chance of a spike in a step, below 1 @param draws sample: a number of its own for each sample */
void encode_poisson(const task_sample *sample, encoder_span span, double chance, encoder_draws draws);

/** Channels first .. first + count - 1, with centres 0 .. 1 side by side. */
typedef struct {
    int first, count;
    double width;                 /**< standard deviation of a channel's Gaussian */
    double chance;                /**< of a spike in a step at its centre, below 1 */
} encoder_population;

/** Population code of a value: Poisson spikes of channels, in the measure of their Gaussians there; channels further than 5 widths are silent.
 *  @param span its channel is not used @param place of the value, 0 .. 1 in what the population codes */
void encode_population(const task_sample *sample, encoder_span span, encoder_population population, double place, encoder_draws draws);

/** Population of thresholds k/(thresholds - 1), k = 0 .. thresholds - 1, one value a step: at step n channel 2k spikes where the value goes up through
 *  threshold k on the way to step n + 1, channel 2k + 1 where it goes down, of k < thresholds - 1; channel 2 (thresholds - 1) where the value is 1 (Bellec
 *  et al. 2018). @param value [count] the first for step 0; the last has no crossing */
void encode_crossings(const task_sample *sample, int inputs, int thresholds, const float *value, int count);

#endif
