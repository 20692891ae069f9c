/** @file vector.h
 *  LANES floats side by side, and masks of them in 16 bits. The same bits whatever vectors the processor has: only how masks are packed and spread differs.
 */
#ifndef ENGRAM_LSNN_VECTOR_H
#define ENGRAM_LSNN_VECTOR_H

#include <stdint.h>
#include <string.h>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include "lsnn.h"

typedef float reals __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float))));
typedef int32_t whole __attribute__((vector_size(LANES * sizeof(int32_t)), aligned(sizeof(int32_t))));

static inline reals reals_at(const float *from) {
    return *(const reals *)(const void *)from;
}

static inline void reals_put(float *to, reals v) {
    *(reals *)(void *)to = v;
}

static inline reals reals_all(float x) {
    return (reals){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
}

/** -1 in the lanes of a mask, 0 elsewhere. */
static inline whole lanes_of(unsigned mask) {
    const whole bit = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768};
    const int32_t m = (int32_t)mask;
    const whole all = {m, m, m, m, m, m, m, m, m, m, m, m, m, m, m, m};
    return (all & bit) != 0;
}

static inline reals keep(whole lanes, reals v) {
    whole bits;
    memcpy(&bits, &v, sizeof v);
    bits &= lanes;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static inline reals magnitude(reals v) {
    whole bits;
    memcpy(&bits, &v, sizeof v);
    bits &= 0x7fffffff;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/** The lanes that are not 0, as a mask. */
static inline unsigned mask_of(whole lanes) {
#ifdef __AVX512F__
    __m512i v;
    memcpy(&v, &lanes, sizeof v);
    return _mm512_test_epi32_mask(v, v);
#else
    unsigned mask = 0;
    for (int q = 0; q < LANES; q++) mask |= (unsigned)(lanes[q] & 1) << q;
    return mask;
#endif
}

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
