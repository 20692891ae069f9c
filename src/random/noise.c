/* Random numbers in bulk. Plain loops over neurons that the compiler turns into vector code: no tables, no branches, no library calls,
 * hence the same bits whatever the vector length and wherever a rank's block begins. */
#include <string.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

#include "engram/random.h"
#include "lanes.h"
#include "polar_single.h"

enum { LANES = 64 };

/** Each word of all of LANES blocks. */
static void words_of(const uint16_t half[LANES * RANDOM_EACH], uint32_t word[4][LANES]) {
    for (int i = 0; i < LANES; i += 4) {
#ifdef __SSE2__
        __m128 four[4];
        for (int k = 0; k < 4; k++) four[k] = _mm_loadu_ps((const void *)(half + RANDOM_EACH * (i + k)));
        _MM_TRANSPOSE4_PS(four[0], four[1], four[2], four[3]);
        for (int w = 0; w < 4; w++) _mm_storeu_ps((void *)(word[w] + i), four[w]);
#else
        for (int k = i; k < i + 4; k++)
            for (int w = 0; w < 4; w++) word[w][k] = (uint32_t)half[RANDOM_EACH * k + 2 * w + 1] << 16 | half[RANDOM_EACH * k + 2 * w];
#endif
    }
}

/** The words of LANES consecutive ids by ARS. */
static void words_lanes(uint64_t seed, random_purpose purpose, uint64_t first, uint64_t counter, uint32_t word[4][LANES]) {
    uint16_t half[LANES * RANDOM_EACH];
    random_bulk(seed, purpose, first, LANES, counter, half);
    words_of(half, word);
}

/** -2 ln((w + 1/2) / 2^32), to 1e-15 relative: mantissa m in [sqrt(1/2), sqrt(2)), ln m = 2 atanh((m-1)/(m+1)) as a series. */
static inline double minus_two_log(uint32_t w) {
    double x = (double)w + 0.5;
    int64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int64_t shifted = bits - 0x3FE6A09E667F3BCDll; /* bits of sqrt(1/2) */
    int64_t exponent = shifted >> 52;
    int64_t mantissa_bits = bits - (int64_t)((uint64_t)exponent << 52);
    double m;
    memcpy(&m, &mantissa_bits, sizeof m);
    double t = (m - 1.0) / (m + 1.0), t2 = t * t;
    double series = 1.0 / 21;
    series = series * t2 + 1.0 / 19;
    series = series * t2 + 1.0 / 17;
    series = series * t2 + 1.0 / 15;
    series = series * t2 + 1.0 / 13;
    series = series * t2 + 1.0 / 11;
    series = series * t2 + 1.0 / 9;
    series = series * t2 + 1.0 / 7;
    series = series * t2 + 1.0 / 5;
    series = series * t2 + 1.0 / 3;
    series = series * t2 + 1.0;
    double log_u = (double)((int32_t)exponent - 32) * 0x1.62e42fefa39efp-1 + 2.0 * t * series; /* exact cancellation of the powers of two */
    return -2.0 * log_u;
}

/** cos and sin of 2 pi (w + 1/2) / 2^32: the top two bits are the quadrant, the rest an angle in (-pi/4, pi/4). */
static inline void cos_sin_turn(uint32_t w, double *cosine, double *sine) {
    uint32_t shifted = w + 0x20000000u;
    uint32_t quadrant = shifted >> 30;
    double a = ((double)(int32_t)(shifted & 0x3fffffffu) + 0.5 - 0x1p29) * (6.283185307179586477 * 0x1p-32);
    double a2 = a * a;
    double s = a * (1 + a2 * (-1.0 / 6 + a2 * (1.0 / 120 + a2 * (-1.0 / 5040 + a2 * (1.0 / 362880 + a2 * (-1.0 / 39916800 + a2 * (1.0 / 6227020800)))))));
    double c = 1 + a2 * (-0.5 + a2 * (1.0 / 24 + a2 * (-1.0 / 720 + a2 * (1.0 / 40320 + a2 * (-1.0 / 3628800 + a2 * (1.0 / 479001600 - a2 / 87178291200.0))))));
    double swapped_c = quadrant & 1 ? s : c, swapped_s = quadrant & 1 ? c : s;
    *cosine = (quadrant + 1) & 2 ? -swapped_c : swapped_c;
    *sine = quadrant & 2 ? -swapped_s : swapped_s;
}

void random_noise(uint64_t seed, random_purpose purpose, uint64_t first, int count, uint64_t counter, int stride, double *normals) {
    uint32_t word[4][LANES];
    double radius[LANES], block[4][LANES];
    for (int begin = 0; begin < count; begin += LANES) {
        words_lanes(seed, purpose, first + (uint64_t)begin, counter, word);
        for (int pair = 0; pair < 4; pair += 2) {
            for (int i = 0; i < LANES; i++) radius[i] = __builtin_sqrt(minus_two_log(word[pair][i]));
            for (int i = 0; i < LANES; i++) {
                double c, s;
                cos_sin_turn(word[pair + 1][i], &c, &s);
                block[pair][i] = radius[i] * c;
                block[pair + 1][i] = radius[i] * s;
            }
        }
        int lanes = count - begin < LANES ? count - begin : LANES;
        for (int member = 0; member < 4; member++)
            memcpy(normals + (size_t)member * (size_t)stride + begin, block[member], (size_t)lanes * sizeof(double));
    }
}

static inline void two_normals(const uint32_t length[LANES], const uint32_t turn[LANES], float first[LANES], float second[LANES]) {
    for (int i = 0; i < LANES; i++) {
        const float radius = __builtin_sqrtf(minus_two_log_single(length[i]));
        float c, s;
        cos_sin_turn_single(turn[i], &c, &s);
        first[i] = radius * c;
        second[i] = radius * s;
    }
}

void random_noise_single(uint64_t seed, random_purpose purpose, uint64_t first, int count, uint64_t counter, int stride, float *normals) {
    uint32_t word[4][LANES];
    float block[4][LANES];
    for (int begin = 0; begin < count; begin += LANES) {
        words_lanes(seed, purpose, first + (uint64_t)begin, counter, word);
        for (int pair = 0; pair < 4; pair += 2) two_normals(word[pair], word[pair + 1], block[pair], block[pair + 1]);
        const int lanes = count - begin < LANES ? count - begin : LANES;
        for (int member = 0; member < 4; member++) {
            float *to = normals + (size_t)member * (size_t)stride + begin;
            if (lanes == LANES) memcpy(to, block[member], sizeof block[member]); /* a constant: stores */
            else memcpy(to, block[member], (size_t)lanes * sizeof *to);
        }
    }
}

void random_pairs_single(uint64_t seed, random_purpose purpose, const random_place *place, int count, float *first, float *second) {
    uint16_t half[LANES * RANDOM_EACH] = {0};
    uint32_t word[4][LANES];
    float block[2][LANES];
    for (int begin = 0; begin < count; begin += LANES) {
        const int lanes = count - begin < LANES ? count - begin : LANES;
        random_bulk_places(seed, purpose, place + begin, lanes, half);
        words_of(half, word);
        two_normals(word[0], word[1], block[0], block[1]);
        memcpy(first + begin, block[0], (size_t)lanes * sizeof *first);
        memcpy(second + begin, block[1], (size_t)lanes * sizeof *second);
    }
}

typedef struct { uint64_t seed, first, counter; random_purpose purpose; int stride; } short_request;

/** @p take of @p lanes ids from first + begin on. @param lanes a constant */
static inline void short_block(int lanes, const short_request *ask, int begin, int take, uint16_t *draws) {
    uint32_t word[4][LANES];
    for (int i = 0; i < lanes; i++) {
        uint64_t id = ask->first + (uint64_t)(begin + i);
        word[0][i] = (uint32_t)ask->counter;
        word[1][i] = (uint32_t)(ask->counter >> 32);
        word[2][i] = (uint32_t)id;
        word[3][i] = (uint32_t)(id >> 32 & 0xffff) | (uint32_t)ask->purpose << 16;
    }
    philox_rounds(ask->seed, lanes, word[0], word[1], word[2], word[3]);
    for (int w = 0; w < 4; w++) {
        uint16_t *low = draws + (size_t)(2 * w) * (size_t)ask->stride + begin, *high = low + ask->stride;
        uint16_t lower[LANES], upper[LANES];
        for (int i = 0; i < lanes; i++) lower[i] = (uint16_t)word[w][i], upper[i] = (uint16_t)(word[w][i] >> 16);
        const size_t bytes = (size_t)take * sizeof *low;
        if (take == lanes) memcpy(low, lower, (size_t)lanes * sizeof *low), memcpy(high, upper, (size_t)lanes * sizeof *high); /* a constant: stores */
        else memcpy(low, lower, bytes), memcpy(high, upper, bytes);
    }
}

void random_short(uint64_t seed, random_purpose purpose, uint64_t first, int count, uint64_t counter, int stride, uint16_t *draws) {
    enum { FEW = 16 };
    const short_request ask = {.seed = seed, .first = first, .counter = counter, .purpose = purpose, .stride = stride};
    int begin = 0;
    for (; count - begin > FEW; begin += LANES) short_block(LANES, &ask, begin, count - begin < LANES ? count - begin : LANES, draws);
    if (begin < count) short_block(FEW, &ask, begin, count - begin, draws);
}
