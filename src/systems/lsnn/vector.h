/** @file vector.h
 *  Lanes of a mask stored one behind the other. The same bits whatever vectors the processor has: only how masks are packed and spread differs.
 */
#ifndef ENGRAM_LSNN_VECTOR_H
#define ENGRAM_LSNN_VECTOR_H

#include "lsnn.h"

/** Store the lanes of a mask one behind the other. @return the place behind them; up to LANES floats there may be overwritten */
static inline float *pack(float *to, unsigned mask, reals v) {
#ifdef __AVX512F__
    __m512 x;
    memcpy(&x, &v, sizeof x);
    x = _mm512_maskz_compress_ps((__mmask16)mask, x);
    memcpy(to, &x, sizeof x);
    return to + __builtin_popcount(mask);
#else
    for (; mask; mask &= mask - 1) *to++ = v[__builtin_ctz(mask)];
    return to;
#endif
}

/** What pack() stored, 0 in the other lanes. @param from its beginning; LANES floats must be readable */
static inline reals spread(const float *from, unsigned mask) {
#ifdef __AVX512F__
    __m512 x;
    reals v;
    memcpy(&x, from, sizeof x);
    x = _mm512_maskz_expand_ps((__mmask16)mask, x);
    memcpy(&v, &x, sizeof v);
    return v;
#else
    reals v = reals_all(0);
    for (; mask; mask &= mask - 1) v[__builtin_ctz(mask)] = *from++;
    return v;
#endif
}

#endif
