/** @file half.h
 *  IEEE 754 binary16 without the processor's or the compiler's help: gcc before 12 and clang before 15 have no _Float16 on x86.
 */
#ifndef ENGRAM_RLS_HALF_H
#define ENGRAM_RLS_HALF_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/** Exact. A NaN stays one. */
static inline float half_value(uint16_t half) {
    const uint32_t size = half & 0x7fffu;
    uint32_t bits = size << 13;
    float value;
    if (size >= 0x7c00u) {
        bits |= 0x7f800000u; /* infinity, NaN */
        memcpy(&value, &bits, sizeof value);
    } else {
        memcpy(&value, &bits, sizeof value);
        value *= 0x1p112f; /* from the exponents of single precision; subnormal numbers become normal ones */
    }
    return half & 0x8000u ? -value : value;
}

/** Rounds to nearest, ties to even; beyond 65504 to infinity. */
static inline uint16_t half_nearest(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
    bits &= 0x7fffffffu;
    if (bits > 0x7f800000u) return sign | 0x7e00u;  /* NaN */
    if (bits >= 0x47800000u) return sign | 0x7c00u; /* 65536 and more */
    if (bits < 0x38800000u) {                       /* subnormal: the sum with 1/2 has the same last place, and is rounded as we want it */
        const float sum = fabsf(value) + 0.5f;
        memcpy(&bits, &sum, sizeof bits);
        return sign | (uint16_t)(bits - 0x3f000000u);
    }
    return sign | (uint16_t)((bits - 0x38000000u + 0xfffu + (bits >> 13 & 1u)) >> 13);
}

#endif
