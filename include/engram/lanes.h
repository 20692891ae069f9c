/** @file lanes.h
 *  Sixteen floats side by side, one of each sample of a tile, for systems that follow gradients. They are worked on in strips that a vector register holds:
 *  gcc keeps longer vectors in memory. The same bits whatever vectors the processor has, between subnormals_vanish() and subnormals_as() but for numbers below
 *  1.2e-38, which are 0 on x86 only. Not collective.
 */
#ifndef ENGRAM_LANES_H
#define ENGRAM_LANES_H

#include <stdint.h>
#include <string.h>
#ifdef __SSE__
#include <immintrin.h>
#endif

#ifdef __AVX512F__
#define STRIP_LANES 16
#else
#define STRIP_LANES 8
#endif
enum {
    LANES = 16,          /**< samples of a tile */
    STRIP = STRIP_LANES, /**< of them that are worked on at once */
    STRIPS = LANES / STRIP,
};

/** For the first lane @p l of each strip. */
#define EACH_STRIP(l) for (int l = 0; l < LANES; l += STRIP)

/** Numbers below the least normal one, to which traces and slopes decay, count as 0 from here on: many processors take a hundred times as long for them.
 *  @return for subnormals_as(), which ends it */
static inline unsigned subnormals_vanish(void) {
#ifdef __SSE__
    const unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8040); /* flush to zero, and denormals are zero */
    return before;
#else
    return 0;
#endif
}

static inline void subnormals_as(unsigned before) {
#ifdef __SSE__
    _mm_setcsr(before);
#else
    (void)before;
#endif
}

typedef float reals __attribute__((vector_size(STRIP * sizeof(float)), aligned(sizeof(float))));
typedef int32_t whole __attribute__((vector_size(STRIP * sizeof(int32_t)), aligned(sizeof(int32_t))));

static inline reals reals_at(const float *from) {
    return *(const reals *)(const void *)from;
}

static inline void reals_put(float *to, reals v) {
    *(reals *)(void *)to = v;
}

static inline reals reals_all(float x) {
    return x - (reals){0};
}

/** v where lanes are -1, 0 where they are 0. (A cast of a vector keeps its bits.) */
static inline reals keep(whole lanes, reals v) {
    return (reals)((whole)v & lanes);
}

static inline reals choose(whole lanes, reals yes, reals no) {
    return (reals)(((whole)yes & lanes) | ((whole)no & ~lanes));
}

static inline reals magnitude(reals v) {
    return (reals)((whole)v & 0x7fffffff);
}

/** -1 in the lanes of a strip whose bits are set from bit @p first of a mask on, 0 elsewhere. */
static inline whole lanes_of(unsigned mask, int first) {
#if STRIP_LANES == 16
    const whole bit = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768};
#else
    const whole bit = {1, 2, 4, 8, 16, 32, 64, 128};
#endif
    return ((int32_t)(mask >> first) & bit) != 0;
}

/** The lanes of a strip that are not 0 (and then -1), as bits from @p first on. */
static inline unsigned mask_of(whole lanes, int first) {
#if defined __AVX512F__
    return (unsigned)_mm512_test_epi32_mask((__m512i)lanes, (__m512i)lanes) << first;
#elif defined __AVX__
    return (unsigned)_mm256_movemask_ps((__m256)lanes) << first;
#else
    unsigned mask = 0;
    for (int q = 0; q < STRIP; q++) mask |= (unsigned)(lanes[q] & 1) << q;
    return mask << first;
#endif
}

#endif
