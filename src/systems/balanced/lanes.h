/** @file lanes.h
 *  TILE doubles side by side, one vector: the same bits whatever vectors the processor has.
 */
#ifndef ENGRAM_BALANCED_LANES_H
#define ENGRAM_BALANCED_LANES_H

#include <math.h>

#include "balanced.h"

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

#endif
