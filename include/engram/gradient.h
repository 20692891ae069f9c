/** @file gradient.h
 *  What systems that follow a gradient share: sums of partial gradients with the same bits on any number of ranks, and the optimiser.
 */
#ifndef ENGRAM_GRADIENT_H
#define ENGRAM_GRADIENT_H

#include <stdint.h>

#include "engram/context.h"
#include "engram/state.h"

/** Which tiles of a batch a rank computes: contiguous, sizes differ by one at most, rank 0 has the first. Not collective. */
static inline int64_t gradient_first(int64_t tiles, int ranks, int rank) {
    return (tiles * rank + ranks - 1) / ranks;
}

/** Sum of the tiles' partial gradients in the order of tiles, whatever rank has them. Collective.
 *  @param tiles  of all ranks; this one has gradient_first(rank) .. gradient_first(rank + 1) - 1
 *  @param partial [mine][count], one behind the other  @param[out] sum [count] the same on all ranks */
typedef struct gradient_sum gradient_sum;
gradient_sum *gradient_sum_new(const context *context, int64_t tiles, int64_t count);
void gradient_sum_free(gradient_sum *sum);
void gradient_sum_tiles(gradient_sum *sum, const float *partial, float *whole);

/** Adam (Kingma & Ba 2015, algorithm 1, with the bias correction folded into the rate as in section 2 there):
 *      m = b1 m + (1 - b1) g ;  s = b2 s + (1 - b2) g^2 ;  w -= rate sqrt(1 - b2^n)/(1 - b1^n) m/(sqrt(s) + epsilon) */
typedef struct adam {
    double beta1, beta2, epsilon;
    int64_t count;        /**< of values */
    int64_t updates;      /**< n so far */
    float *mean, *square; /**< [count] m, s */
} adam;

void adam_new(adam *adam, int64_t count, double beta1, double beta2, double epsilon);
void adam_clear(adam *adam);
/** One update. Not collective: ranks that hold the same do the same. @param gradient, weight [count] */
void adam_step(adam *adam, double rate, const float *gradient, float *weight);
/** Moments and updates. @param name "lsnn" */
void adam_state(adam *adam, const char *module, state_list *list);

#endif
