/** @file vector.h
 *  Lanes of a mask stored one behind the other. The same bits whatever vectors the processor has: only how masks are packed and spread differs.
 */
#ifndef ENGRAM_LSNN_VECTOR_H
#define ENGRAM_LSNN_VECTOR_H

#include "lsnn.h"

/** Store the lanes of a mask one behind the other. @param from [LANES] @return the place behind them; up to LANES floats there may be overwritten */
static inline float *pack(float *to, unsigned mask, const float *from) {
#ifdef __AVX512F__
    _mm512_storeu_ps(to, _mm512_maskz_compress_ps((__mmask16)mask, _mm512_loadu_ps(from)));
    return to + __builtin_popcount(mask);
#else
    for (; mask; mask &= mask - 1) *to++ = from[__builtin_ctz(mask)];
    return to;
#endif
}

/** What pack() stored, @p rest in the other lanes. @param from its beginning; LANES floats must be readable @param[out] to [LANES] */
static inline void spread(const float *from, unsigned mask, float rest, float *to) {
#ifdef __AVX512F__
    _mm512_storeu_ps(to, _mm512_mask_expandloadu_ps(_mm512_set1_ps(rest), (__mmask16)mask, from));
#else
    for (int l = 0; l < LANES; l++) to[l] = rest;
    for (; mask; mask &= mask - 1) to[__builtin_ctz(mask)] = *from++;
#endif
}

#endif
