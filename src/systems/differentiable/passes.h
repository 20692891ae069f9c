/** @file passes.h
 *  What a tile's two passes share.
 */
#ifndef ENGRAM_DIFFERENTIABLE_PASSES_H
#define ENGRAM_DIFFERENTIABLE_PASSES_H

#include "products.h"

enum { BANDED = BLOCK * LANES * SPARSE_BAND /* floats of a band of scratch.banded */ };

static inline unsigned used_lanes(const tile *tile) {
    return (1u << tile->samples) - 1;
}

/** Is a voltage in the zone? */
static inline whole within(const zone *zone, reals v) {
    const whole above = (v > zone->edge) & (v < 1);
    return zone->both ? above | ((v < -zone->edge) & (v > -1)) : above;
}

#endif
