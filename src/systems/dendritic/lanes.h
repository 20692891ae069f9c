/** @file lanes.h
 *  TILE doubles side by side, one vector: the same bits whatever vectors the processor has. Arrays over neurons are padded to whole tiles with zeros.
 */
#ifndef ENGRAM_DENDRITIC_LANES_H
#define ENGRAM_DENDRITIC_LANES_H

#include <math.h>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include "dendritic.h"

typedef double lanes __attribute__((vector_size(TILE * sizeof(double)), aligned(sizeof(double))));

static inline lanes load(const double *from) {
    return *(const lanes *)(const void *)from;
}

static inline void store(double *to, lanes v) {
    *(lanes *)(void *)to = v;
}

/** Of floats. */
static inline lanes load_floats(const float *from) {
#ifdef __AVX512F__
    return (lanes)_mm512_cvtps_pd(_mm256_loadu_ps(from));
#else
    typedef float floats __attribute__((vector_size(TILE * sizeof(float)), aligned(sizeof(float))));
    return __builtin_convertvector(*(const floats *)(const void *)from, lanes);
#endif
}

static inline lanes all(double x) {
    return (lanes){x, x, x, x, x, x, x, x};
}

/** a b + c, rounded once. (gcc 12 makes vectors of the loop in loops over memory only.) */
static inline lanes fma_lanes(lanes a, lanes b, lanes c) {
#ifdef __AVX512F__
    return (lanes)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#else
    for (int i = 0; i < TILE; i++) c[i] = fma(a[i], b[i], c[i]);
    return c;
#endif
}

/** The lanes in which a > b, as bits. */
static inline unsigned lanes_above(lanes a, lanes b) {
#ifdef __AVX512F__
    return _mm512_cmp_pd_mask((__m512d)a, (__m512d)b, _CMP_GT_OQ);
#else
    unsigned mask = 0;
    for (int i = 0; i < TILE; i++) mask |= (unsigned)(a[i] > b[i]) << i;
    return mask;
#endif
}

/** Sum of the lanes, in one order. */
static inline double across(lanes v) {
    return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

/** a.b @param n whole tiles */
static inline double dot(const double *a, const double *b, int n) {
    lanes sum = all(0);
    for (int i = 0; i < n; i += TILE) sum = fma_lanes(load(a + i), load(b + i), sum);
    return across(sum);
}

/** y += a x @param n whole tiles */
static inline void add_scaled(double *restrict y, double a, const double *restrict x, int n) {
    for (int i = 0; i < n; i += TILE) store(y + i, fma_lanes(all(a), load(x + i), load(y + i)));
}

#endif
