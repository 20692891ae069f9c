/* Radius and angle of normals in single precision, from their words: radius within 1.3e-7 of its value, cosine and sine within 2.2e-7 of theirs, as all
 * 2^32 words showed; tests/unit/test_random.c looks at some. As noise.c: no tables, no branches, no library calls. */
#ifndef RANDOM_POLAR_SINGLE_H
#define RANDOM_POLAR_SINGLE_H

#include <stdint.h>
#include <string.h>

/** -2 ln u, u = (w + 1/2) / 2^32. The smaller of u and 1 - u is made from an integer, so that nothing is lost near u = 1.
 *  Below 1/2, u is 2^k (1 + f), else 1 + f: f is in [-1/2, 0] either way, and k ln 2 has the sign of ln(1 + f) = f + f^2 series, series to 3.3e-8. */
static inline float minus_two_log_single(uint32_t w) {
    const int32_t above = (int32_t)w >> 31; /* all bits, where u > 1/2 */
    const float x = (float)(int32_t)(w ^ (uint32_t)above) + 0.5f; /* in [1/2, 2^31] */
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const int32_t mantissa_bits = (bits & 0x007fffff) | 0x3f000000; /* in [1/2, 1) */
    float m;
    memcpy(&m, &mantissa_bits, sizeof m);
    const float f = above ? x * -0x1p-32f : m - 1.0f;
    const float k = (float)(above ? 0 : (bits >> 23) - (126 + 32));
    float series = -0x1.4c8696p+0f;
    series = series * f - 0x1.83befap+0f;
    series = series * f - 0x1.1c1658p+0f;
    series = series * f - 0x1.70fde2p-3f;
    series = series * f - 0x1.d0007ap-3f;
    series = series * f + 0x1.8d2012p-3f;
    series = series * f - 0x1.004ffap-2f;
    series = series * f + 0x1.5553d0p-2f;
    series = series * f - 0.5f;
    return -2.0f * (k * 0x1.62e430p-1f + (f + f * f * series));
}

/** cos and sin of 2 pi (w + 1/2) / 2^32, quadrants as in noise.c. Polynomials to 1.4e-8 on [-pi/4, pi/4]. */
static inline void cos_sin_turn_single(uint32_t w, float *cosine, float *sine) {
    const uint32_t shifted = w + 0x20000000u, quadrant = shifted >> 30;
    const float a = ((float)((int32_t)(shifted & 0x3fffffffu) - 0x20000000) + 0.5f) * (float)(6.283185307179586477 * 0x1p-32);
    const float a2 = a * a;
    const float s = a + a * a2 * (-0x1.555552p-3f + a2 * (0x1.110c28p-7f + a2 * -0x1.9ac9b0p-13f));
    const float c = 1.0f - 0.5f * a2 + a2 * a2 * (0x1.555554p-5f + a2 * (-0x1.6c12d2p-10f + a2 * 0x1.9bd89cp-16f));
    const float swapped_c = quadrant & 1 ? s : c, swapped_s = quadrant & 1 ? c : s;
    *cosine = (quadrant + 1) & 2 ? -swapped_c : swapped_c;
    *sine = quadrant & 2 ? -swapped_s : swapped_s;
}

#endif
