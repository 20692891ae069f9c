/** @file zones.h
 *  The functions of model.h, of some lanes side by side.
 */
#ifndef ENGRAM_DIFFERENTIABLE_ZONES_H
#define ENGRAM_DIFFERENTIABLE_ZONES_H

#include "differentiable.h"

/** sin y and cos y, |y| <= 1.7: Taylor polynomials, error below 2e-7. */
static inline void sine_cosine(reals y, reals *sine, reals *cosine) {
    const reals z = y * y;
    *sine = y * (1 + z * (-1.f / 6 + z * (1.f / 120 + z * (-1.f / 5040 + z * (1.f / 362880 + z * (-1.f / 39916800))))));
    *cosine = 1 + z * (-0.5f + z * (1.f / 24 + z * (-1.f / 720 + z * (1.f / 40320 + z * (-1.f / 3628800 + z * (1.f / 479001600))))));
}

/** A phase without its whole turns: -1/2 .. 1/2. Adding and taking off 1.5 2^23 rounds to whole numbers, of |phase| < 2^22. */
static inline reals within_turn(reals phase) {
    const reals shifted = phase + 12582912.f;
    return phase - (shifted - 12582912.f);
}

/** What is constant of a gate. */
typedef struct { float edge, per_width; gate_kind gate; bool both; } zone;

static inline zone zone_of(const model *m) {
    return (zone){.edge = (float)(1 - m->width), .per_width = (float)(1 / m->width), .gate = m->gate, .both = m->kind == MODEL_NIF};
}

/** Where in the zone, 0 below it, 1 beyond. */
static inline reals place_in(const zone *zone, reals v) {
    reals x = (v - zone->edge) * zone->per_width;
    x = keep(x > 0, x);
    return choose(x < 1, x, reals_all(1));
}

static inline reals charge_of_place(const zone *zone, reals x) {
    if (zone->gate == GATE_BOX) return x;
    reals sine, cosine; /* of pi (x - 1/2): sin 2 pi x = -2 sine cosine of it */
    sine_cosine((float)M_PI * (x - 0.5f), &sine, &cosine);
    return x + sine * cosine * (float)(1 / M_PI);
}

/** G(v). */
static inline reals charge_in(const zone *zone, reals v) {
    const reals above = charge_of_place(zone, place_in(zone, v));
    return zone->both ? above - charge_of_place(zone, place_in(zone, -v)) : above;
}

static inline reals gate_of(const zone *zone, reals v) {
    const reals x = (v - zone->edge) * zone->per_width;
    reals g = reals_all(zone->per_width);
    if (zone->gate == GATE_SMOOTH) {
        reals sine, cosine; /* 1 - cos 2 pi x = 2 cosine^2 */
        sine_cosine((float)M_PI * (place_in(zone, v) - 0.5f), &sine, &cosine);
        g = 2 * zone->per_width * cosine * cosine;
    }
    return keep((x > 0) & (x < 1), g);
}

/** g(v). */
static inline reals gate_in(const zone *zone, reals v) {
    const reals above = gate_of(zone, v);
    return zone->both ? above + gate_of(zone, -v) : above;
}

/** crossing_of(): -1, 0, 1. */
static inline reals crossing_in(const zone *zone, reals u) {
    const reals above = keep(u >= 1, reals_all(1));
    return zone->both ? above - keep(u <= -1, reals_all(1)) : above;
}

/** v after u: of event-accurate resets with their current. */
static inline reals after_reset(const model *m, const zone *zone, reals u, reals I) {
    const reals crossed = crossing_in(zone, u), moved = u - crossed;
    if (!m->exact_reset) return moved;
    return choose(crossed != 0, I / (I - (float)(1 / m->tau)) * moved, moved);
}

#endif
