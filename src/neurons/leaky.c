#include "leaky.h"

#include <math.h>
#include <stdbool.h>
#ifdef __AVX2__
#include <immintrin.h>
#endif

enum { FEW = 16 }; /* neurons that are looked at together, as rarely one of them fires */

/** Bit k: is v[k] above the threshold, of FEW voltages? */
static inline uint32_t bits_above_double(const double *v, double threshold) {
#ifdef __AVX512F__
    const __m512d limit = _mm512_set1_pd(threshold);
    const uint32_t low = _mm512_cmp_pd_mask(_mm512_loadu_pd(v), limit, _CMP_GT_OQ), high = _mm512_cmp_pd_mask(_mm512_loadu_pd(v + FEW / 2), limit, _CMP_GT_OQ);
    return low | high << FEW / 2;
#elif defined __AVX2__
    const __m256d limit = _mm256_set1_pd(threshold);
    uint32_t bits = 0;
    for (int k = 0; k < FEW; k += 4) bits |= (uint32_t)_mm256_movemask_pd(_mm256_cmp_pd(_mm256_loadu_pd(v + k), limit, _CMP_GT_OQ)) << k;
    return bits;
#else
    uint32_t bits = 0;
    for (int k = 0; k < FEW; k++) bits |= (uint32_t)(v[k] > threshold) << k;
    return bits;
#endif
}

static inline uint32_t bits_above_single(const float *v, float threshold) {
#ifdef __AVX512F__
    return _mm512_cmp_ps_mask(_mm512_loadu_ps(v), _mm512_set1_ps(threshold), _CMP_GT_OQ);
#elif defined __AVX2__
    const __m256 limit = _mm256_set1_ps(threshold);
    uint32_t bits = 0;
    for (int k = 0; k < FEW; k += 8) bits |= (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(v + k), limit, _CMP_GT_OQ)) << k;
    return bits;
#else
    uint32_t bits = 0;
    for (int k = 0; k < FEW; k++) bits |= (uint32_t)(v[k] > threshold) << k;
    return bits;
#endif
}

static bool any_resting(const int32_t *since, int count, int32_t rest) {
    int32_t any = 0;
    for (int i = 0; i < count; i++) any |= since[i] < rest;
    return any;
}

#define REAL double
#define WHOLE int64_t
#define NEVER HUGE_VAL
#define STEPS(name) name##_double
#include "leaky_steps.h"

#define REAL float
#define WHOLE int32_t
#define NEVER HUGE_VALF
#define STEPS(name) name##_single
#include "leaky_steps.h"

void leaky_advance(const leaky_step *step, neurons *neurons, int first, int end, const double *input) {
    advance_double(step, neurons, first, end, input, neurons->field[0]);
}

void leaky_advance_single(const leaky_step *step, neurons *neurons, int first, int end, const float *input) {
    advance_single(step, neurons, first, end, input, neurons->single[0]);
}
