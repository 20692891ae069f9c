/** @file sum.h
 *  Sums over all neurons that do not depend on the number of ranks: fixed-point addition is associative.
 */
#ifndef ENGRAM_SUM_H
#define ENGRAM_SUM_H

#include <math.h>
#include <stdint.h>

#include "engram/context.h"

/** Resolution of an exact sum: terms are rounded to multiples of 2^-40 (1e-12); the sum must stay below 2^23 (8e6) in magnitude. */
#define SUM_SCALE 0x1p40

typedef struct { int64_t ticks; } exact_sum;

static inline void sum_add(exact_sum *sum, double term) { sum->ticks += llrint(term * SUM_SCALE); }
static inline double sum_value(exact_sum sum) { return (double)sum.ticks / SUM_SCALE; }

/** Add up over ranks; every rank gets the result. Collective. */
static inline exact_sum sum_all(const context *context, exact_sum mine) {
    exact_sum all;
    CHECK_MPI(MPI_Allreduce(&mine.ticks, &all.ticks, 1, MPI_INT64_T, MPI_SUM, context->comm));
    return all;
}

#endif
