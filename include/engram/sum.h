/** @file sum.h
 *  Sums over all neurons that do not depend on the number of ranks: fixed-point addition is associative.
 */
#ifndef ENGRAM_SUM_H
#define ENGRAM_SUM_H

#include <math.h>
#include <stdint.h>

#include "engram/context.h"

/** Resolution of an exact sum: terms, below 2^23 (8e6) in magnitude, are rounded to multiples of 2^-40 (1e-12). */
#define SUM_SCALE 0x1p40
#define SUM_BELOW 0x1p23

/** The sum in multiples of 2^-40, in two parts so that 2^31 terms (on all ranks together) cannot overflow: high * 2^32 + low. */
typedef struct {
    int64_t low, high;
    int64_t beyond; /**< terms that are no number or too large: with one of them the sum is not known */
} exact_sum;

static inline void sum_add(exact_sum *sum, double term) {
    if (!(fabs(term) < SUM_BELOW)) {
        sum->beyond++;
        return;
    }
    int64_t ticks = llrint(term * SUM_SCALE);
    sum->low += ticks & 0xffffffff;
    sum->high += ticks >> 32;
}

/** @return NAN where a term was beyond the range */
static inline double sum_value(exact_sum sum) {
    if (sum.beyond) return NAN;
    return ((double)(sum.high + (sum.low >> 32)) * 0x1p32 + (double)(sum.low & 0xffffffff)) / SUM_SCALE;
}

/** Add up over ranks; every rank gets the result. Collective. */
static inline exact_sum sum_all(const context *context, exact_sum mine) {
    int64_t parts[3] = {mine.low, mine.high, mine.beyond}, all[3];
    CHECK_MPI(MPI_Allreduce(parts, all, 3, MPI_INT64_T, MPI_SUM, context->comm));
    return (exact_sum){all[0], all[1], all[2]};
}

#endif
