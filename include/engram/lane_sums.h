/** @file lane_sums.h
 *  Sums over the lanes of vectors (lanes.h), in one order whatever vectors the processor has. Not collective.
 */
#ifndef ENGRAM_LANE_SUMS_H
#define ENGRAM_LANE_SUMS_H

#include "engram/lanes.h"

/* Half of the lanes of one vector and half of another: of blocks of 8, 4, 2 or 1 lanes those that come first, and those that come second. */
#if STRIP_LANES == 16
#define FIRST_8(x, y) __builtin_shufflevector(x, y, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23)
#define SECOND_8(x, y) __builtin_shufflevector(x, y, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31)
#define FIRST_4(x, y) __builtin_shufflevector(x, y, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27)
#define SECOND_4(x, y) __builtin_shufflevector(x, y, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31)
#define FIRST_2(x, y) __builtin_shufflevector(x, y, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
#define SECOND_2(x, y) __builtin_shufflevector(x, y, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31)
#define FIRST_1(x, y) __builtin_shufflevector(x, y, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30)
#define SECOND_1(x, y) __builtin_shufflevector(x, y, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31)
#else
#define FIRST_4(x, y) __builtin_shufflevector(x, y, 0, 1, 2, 3, 8, 9, 10, 11)
#define SECOND_4(x, y) __builtin_shufflevector(x, y, 4, 5, 6, 7, 12, 13, 14, 15)
#define FIRST_2(x, y) __builtin_shufflevector(x, y, 0, 1, 8, 9, 4, 5, 12, 13)
#define SECOND_2(x, y) __builtin_shufflevector(x, y, 2, 3, 10, 11, 6, 7, 14, 15)
#define FIRST_1(x, y) __builtin_shufflevector(x, y, 0, 8, 2, 10, 4, 12, 6, 14)
#define SECOND_1(x, y) __builtin_shufflevector(x, y, 1, 9, 3, 11, 5, 13, 7, 15)
#endif

/** Sums over the lanes of STRIP vectors of STRIP lanes, that of vector k in lane k: in each round halves of pairs are added. */
static inline reals lane_sums(const reals *v) {
    reals four[4], two[2];
#if STRIP_LANES == 16
    reals eight[8];
    for (int k = 0; k < 8; k++) eight[k] = FIRST_8(v[k], v[k + 8]) + SECOND_8(v[k], v[k + 8]);
#else
    const reals *eight = v;
#endif
    for (int k = 0; k < 4; k++) four[k] = FIRST_4(eight[k], eight[k + 4]) + SECOND_4(eight[k], eight[k + 4]);
    for (int k = 0; k < 2; k++) two[k] = FIRST_2(four[k], four[k + 2]) + SECOND_2(four[k], four[k + 2]);
    return FIRST_1(two[0], two[1]) + SECOND_1(two[0], two[1]);
}

#endif
