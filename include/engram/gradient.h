/** @file gradient.h
 *  What systems that follow a gradient share: sums of partial gradients with the same bits on any number of ranks, and the optimiser.
 */
#ifndef ENGRAM_GRADIENT_H
#define ENGRAM_GRADIENT_H

#include <stdint.h>

#include "engram/context.h"
#include "engram/lanes.h"
#include "engram/state.h"

/** Which tiles of a batch a rank computes: contiguous, sizes differ by one at most, rank 0 has the first. Not collective. */
static inline int64_t gradient_first(int64_t tiles, int ranks, int rank) {
    return (tiles * rank + ranks - 1) / ranks;
}

/** Of LANES samples each. Not collective. */
static inline int64_t gradient_tiles(int64_t samples) {
    return (samples + LANES - 1) / LANES;
}

/** This rank's tiles of so many samples. Not collective. @param[out] tiles how many @return the first */
static inline int gradient_share(const context *context, int64_t samples, int *tiles) {
    const int64_t all = gradient_tiles(samples), first = gradient_first(all, context->ranks, context->rank);
    *tiles = (int)(gradient_first(all, context->ranks, context->rank + 1) - first);
    return (int)first;
}

/** A warning where ranks have no samples of a batch. Not collective: rank 0 gives it. @param sharing ranks, or groups of ranks, that share out the samples
 *  @param help what to do about it, said behind the fact; borrowed for the call */
void gradient_tell_idle(const context *context, int sharing, int64_t batch, const char *help);

/** Sums of tiles' partial gradients, in the order of tiles, whatever rank has them. */
typedef struct gradient_sum gradient_sum;

/** Not collective, but the same on all ranks. @param tiles of all ranks; this one has gradient_first(rank) .. gradient_first(rank + 1) - 1
 *  @param count of values of a gradient @return owned, gradient_sum_free() */
gradient_sum *gradient_sum_new(const context *context, int64_t tiles, int64_t count);
void gradient_sum_free(gradient_sum *sum); /**< NULL is fine */

/** Collective. @param partial [mine][count], one tile behind the other @param[out] whole [count] the same on all ranks */
void gradient_sum_tiles(gradient_sum *sum, const float *partial, float *whole);

/** White noise that `engram test --noise` adds to the input of every neuron (perturbation_settings.h). */
typedef struct gradient_noise {
    double sd;             /**< of what is added in a step; 0: none */
    uint64_t seed;
    const uint8_t *silent; /**< [N] neurons that have none; NULL: all have; borrowed */
} gradient_noise;

/** Adds sd xi to the input of a neuron in a step: a function of (seed, sample, neuron, step), whoever computes it. Not collective.
 *  @param id of the samples (task_sample_id()) @param samples lanes that are used @param[in,out] current of a neuron */
void gradient_noise_add(const gradient_noise *noise, const uint64_t id[LANES], int samples, int neuron, int64_t step, float current[LANES]);

/** Adam (Kingma & Ba 2015, algorithm 1, with the bias correction folded into the rate as in section 2 there), in single precision:
 *      m = b1 m + (1 - b1) g ;  s = b2 s + (1 - b2) g^2 ;  w -= rate sqrt(1 - b2^n)/(1 - b1^n) m/(sqrt(s) + epsilon)
 *  Nothing of it is collective: ranks that hold the same do the same. */
typedef struct adam {
    double beta1, beta2, epsilon;
    int64_t count;        /**< of values */
    int64_t updates;      /**< n so far */
    float *mean, *square; /**< [count] m, s; owned */
} adam;

/** @param[out] adam nothing learned yet; adam_clear() */
void adam_new(adam *adam, int64_t count, double beta1, double beta2, double epsilon);
void adam_clear(adam *adam);
/** One update. @param gradient [count] @param[in,out] weight [count] */
void adam_step(adam *adam, double rate, const float *gradient, float *weight);
/** Values, one group behind the other, whose rate has a factor. */
typedef struct { int64_t count; double factor; } adam_group;
/** As adam_step(). @param group [groups] of all values together */
void adam_step_groups(adam *adam, double rate, const adam_group *group, int groups, const float *gradient, float *weight);
/** Add moments and updates to the list. @param module in front of their names: "lsnn"; borrowed until it is used */
void adam_state(adam *adam, const char *module, state_list *list);

#endif
