/** @file doubles.h
 *  Doubles side by side. Arrays are padded to whole tiles of 8 of them; code takes a tile in pieces, each a register of the processor, as gcc keeps vectors
 *  that are larger in memory. The same bits whatever registers there are: sums over an array are eight sums, one of each place in a tile, added at the end.
 */
#ifndef ENGRAM_DOUBLES_H
#define ENGRAM_DOUBLES_H

#include <math.h>
#include <stdint.h>
#ifdef __AVX2__
#include <immintrin.h>
#endif

#ifdef __AVX512F__
enum { LANES = 8 }; /**< doubles of a piece */
#else
enum { LANES = 4 };
#endif
enum { PIECES = 8 / LANES }; /**< of a tile */

typedef double lanes __attribute__((vector_size(LANES * sizeof(double)), aligned(sizeof(double))));
typedef int64_t integers __attribute__((vector_size(LANES * sizeof(int64_t)), aligned(sizeof(int64_t))));

static inline lanes load(const double *from) {
    return *(const lanes *)(const void *)from;
}

/** For several uses: gcc 12 may read memory for each of them. */
static inline lanes load_once(const double *from) {
    return *(const volatile lanes *)(const void *)from;
}

static inline void store(double *to, lanes v) {
    *(lanes *)(void *)to = v;
}

/** Of floats. */
static inline lanes load_floats(const float *from) {
#if defined __AVX512F__
    return (lanes)_mm512_cvtps_pd(_mm256_loadu_ps(from));
#elif defined __AVX2__
    return (lanes)_mm256_cvtps_pd(_mm_loadu_ps(from));
#else
    typedef float floats __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float))));
    return __builtin_convertvector(*(const floats *)(const void *)from, lanes);
#endif
}

static inline lanes all(double x) {
    return x - (lanes){0}; /* of -0, too */
}

/** a b + c, rounded once. */
static inline lanes fma_lanes(lanes a, lanes b, lanes c) {
#if defined __AVX512F__
    return (lanes)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif defined __FMA__ && defined __AVX2__
    return (lanes)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#else
    for (int i = 0; i < LANES; i++) c[i] = fma(a[i], b[i], c[i]);
    return c;
#endif
}

/** The lanes in which a > b, as bits. */
static inline unsigned lanes_above(lanes a, lanes b) {
#if defined __AVX512F__
    return _mm512_cmp_pd_mask((__m512d)a, (__m512d)b, _CMP_GT_OQ);
#elif defined __AVX2__
    return (unsigned)_mm256_movemask_pd(_mm256_cmp_pd((__m256d)a, (__m256d)b, _CMP_GT_OQ));
#else
    unsigned mask = 0;
    for (int i = 0; i < LANES; i++) mask |= (unsigned)(a[i] > b[i]) << i;
    return mask;
#endif
}

/** A cast of a vector keeps its bits. @param where -1 or 0 in each lane, as comparisons give it */
static inline lanes choose(integers where, lanes yes, lanes no) {
    return (lanes)(((integers)yes & where) | ((integers)no & ~where));
}

static inline lanes larger(lanes a, lanes b) {
    return choose(a > b, a, b);
}

static inline lanes magnitude(lanes a) {
    return (lanes)((integers)a & INT64_MAX);
}

/** Sum of a tile, in one order. */
static inline double across(const lanes *tile) {
#ifdef __AVX512F__
    const lanes v = tile[0];
    return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
#else
    const lanes v = tile[0] + tile[1];
    return (v[0] + v[2]) + (v[1] + v[3]);
#endif
}

/** across() of eight tiles at once, with the same bits. @param tile [8] @param[out] sums of them, a tile */
static inline void across_each(const lanes (*tile)[PIECES], lanes *sums) {
#ifdef __AVX512F__
    lanes pair[4], four[2];
    for (int i = 0; i < 4; i++) {
        const lanes a = tile[2 * i][0], b = tile[2 * i + 1][0];
        pair[i] = __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11) + __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
    }
    for (int i = 0; i < 2; i++) {
        const lanes a = pair[2 * i], b = pair[2 * i + 1];
        four[i] = __builtin_shufflevector(a, b, 0, 1, 4, 5, 8, 9, 12, 13) + __builtin_shufflevector(a, b, 2, 3, 6, 7, 10, 11, 14, 15);
    }
    sums[0] = __builtin_shufflevector(four[0], four[1], 0, 2, 4, 6, 8, 10, 12, 14) + __builtin_shufflevector(four[0], four[1], 1, 3, 5, 7, 9, 11, 13, 15);
#else
    lanes pair[4];
    for (int i = 0; i < 4; i++) {
        const lanes a = tile[2 * i][0] + tile[2 * i][1], b = tile[2 * i + 1][0] + tile[2 * i + 1][1];
        pair[i] = __builtin_shufflevector(a, b, 0, 1, 4, 5) + __builtin_shufflevector(a, b, 2, 3, 6, 7);
    }
    for (int i = 0; i < 2; i++)
        sums[i] = __builtin_shufflevector(pair[2 * i], pair[2 * i + 1], 0, 2, 4, 6) + __builtin_shufflevector(pair[2 * i], pair[2 * i + 1], 1, 3, 5, 7);
#endif
}

/** a.b @param n whole tiles */
static inline double dot(const double *a, const double *b, int n) {
    lanes sum[PIECES] = {{0}};
    for (int i = 0; i < n; i += PIECES * LANES)
        for (int p = 0; p < PIECES; p++) sum[p] = fma_lanes(load(a + i + p * LANES), load(b + i + p * LANES), sum[p]);
    return across(sum);
}

/** @param count whole tiles */
static inline double total(const double *values, int count) {
    lanes sum[PIECES] = {{0}};
    for (int i = 0; i < count; i += PIECES * LANES)
        for (int p = 0; p < PIECES; p++) sum[p] += load(values + i + p * LANES);
    return across(sum);
}

#endif
