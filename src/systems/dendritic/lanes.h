/** @file lanes.h
 *  TILE doubles side by side, one vector: the same bits whatever vectors the processor has. Arrays over neurons are padded to whole tiles with zeros.
 */
#ifndef ENGRAM_DENDRITIC_LANES_H
#define ENGRAM_DENDRITIC_LANES_H

#include <math.h>

#include "dendritic.h"

typedef double lanes __attribute__((vector_size(TILE * sizeof(double)), aligned(sizeof(double))));

static inline lanes load(const double *from) {
    return *(const lanes *)(const void *)from;
}

static inline void store(double *to, lanes v) {
    *(lanes *)(void *)to = v;
}

static inline lanes all(double x) {
    return (lanes){x, x, x, x, x, x, x, x};
}

static inline lanes fma_lanes(lanes a, lanes b, lanes c) {
    for (int i = 0; i < TILE; i++) c[i] = fma(a[i], b[i], c[i]);
    return c;
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
