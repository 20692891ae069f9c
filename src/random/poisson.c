#include "engram/poisson.h"

#include <assert.h>
#include <math.h>
#include <string.h>
#ifdef __AVX2__
#include <immintrin.h>
#endif

enum { FEW = 4, MANY = 8 }; /* bits of a cell's index */
#define ONE (UINT64_C(1) << 32)

/* Few cells will do where one number of 4096 is of a rare count, which takes numbers of its own. */
#define RARE_ENOUGH (ONE >> 12)

/** Differences of P(n <= k), rounded. */
static void find_masses(poisson_law *law, double mean) {
    const int most = (int)(mean + 12 * sqrt(mean) + 40);
    double below = 0;
    uint64_t before = 0;
    for (int k = 0; before < ONE; k++) {
        below += exp(k * log(mean) - mean - lgamma(k + 1.0));
        const uint64_t upto = k < most ? (uint64_t)fmin(round(below * 0x1p32), 0x1p32) : ONE;
        if (law->outcomes == 0 && upto == 0) continue;
        if (law->outcomes == 0) law->least = k;
        assert(law->outcomes < POISSON_OUTCOMES);
        law->mass[law->outcomes++] = upto - before;
        before = upto;
    }
}

/** So many neighbours as there are cells, or one less, and all the others as one: those that are likeliest. */
static void choose(poisson_law *law, int bits) {
    const int cells = 1 << bits, most = law->outcomes <= cells ? law->outcomes : cells - 1;
    law->bits = bits;
    law->first = 0;
    for (int k = 0; k < law->outcomes; k++)
        if (law->mass[k] > law->mass[law->first]) law->first = k;
    law->end = law->first + 1;
    while (law->end - law->first < most) {
        const uint64_t before = law->first > 0 ? law->mass[law->first - 1] : 0, behind = law->end < law->outcomes ? law->mass[law->end] : 0;
        if (law->first > 0 && (before >= behind || law->end == law->outcomes)) law->first--;
        else law->end++;
    }
    law->rare = ONE;
    for (int k = law->first; k < law->end; k++) law->rare -= law->mass[k];
}

/** Each cell takes what is left of the count of which least is left, and the rest of the one of which most is. */
static void fill_cells(poisson_law *law) {
    const uint64_t room = ONE >> law->bits;
    uint64_t left[POISSON_CELLS];
    uint16_t count[POISSON_CELLS];
    int counts = 0;
    for (int k = law->first; k < law->end; k++) left[counts] = law->mass[k], count[counts++] = (uint16_t)(law->least + k);
    if (law->rare) left[counts] = law->rare, count[counts++] = POISSON_RARE;
    for (int cell = 0; cell < 1 << law->bits; cell++) {
        int small = -1, large = 0;
        for (int k = 0; k < counts; k++) {
            if (left[k] && (small < 0 || left[k] < left[small])) small = k;
            if (left[k] > left[large]) large = k;
        }
        const uint64_t own = left[small] < room ? left[small] : room;
        law->share[cell] = (uint32_t)own;
        law->bound[cell] = (uint16_t)(own >> 16);
        law->own[cell] = count[small];
        law->other[cell] = count[large];
        left[small] -= own;
        left[large] -= room - own;
    }
}

void poisson_set(poisson_law *law, double mean) {
    memset(law, 0, sizeof *law);
    find_masses(law, mean);
    choose(law, FEW);
    if (law->rare > RARE_ENOUGH) choose(law, MANY);
    fill_cells(law);
}

/** @param number below `rare` */
static int rare_count(const poisson_law *law, uint64_t number) {
    int k = law->first > 0 ? 0 : law->end;
    while (number >= law->mass[k]) {
        number -= law->mass[k++];
        if (k == law->first) k = law->end;
    }
    return law->least + k;
}

int poisson_count(const poisson_law *law, uint16_t upper, uint16_t lower, uint32_t again) {
    const int cell = upper >> (16 - law->bits);
    const uint32_t number = ((uint32_t)upper << 16 | lower) & (uint32_t)((ONE >> law->bits) - 1);
    const uint16_t count = number < law->share[cell] ? law->own[cell] : law->other[cell];
    return count == POISSON_RARE ? rare_count(law, law->rare * again >> 32) : count;
}

static bool counts_of_many(const poisson_law *law, const uint16_t *restrict upper, uint16_t *restrict counts, uint16_t *restrict open) {
    const uint32_t mask = (1u << (16 - law->bits)) - 1;
    uint16_t any = 0;
    for (int i = 0; i < POISSON_LANES; i++) {
        const uint32_t cell = upper[i] >> (16 - law->bits), number = upper[i] & mask, bound = law->bound[cell];
        const uint16_t count = number < bound ? law->own[cell] : law->other[cell];
        counts[i] = count;
        any |= open[i] = number == bound || count == POISSON_RARE;
    }
    return any;
}

#if defined __AVX512BW__
/** @param law of FEW bits: tables are vectors, of which each lane picks its own. */
static bool counts_of_few(const poisson_law *law, const uint16_t *upper, uint16_t *counts, uint16_t *open) {
    enum { EACH = 32 };
    const __m512i bound = _mm512_loadu_si512(law->bound), own = _mm512_loadu_si512(law->own), other = _mm512_loadu_si512(law->other);
    const __m512i mask = _mm512_set1_epi16((1 << (16 - FEW)) - 1), rare = _mm512_set1_epi16((short)POISSON_RARE), one = _mm512_set1_epi16(1);
    __mmask32 any = 0;
    for (int i = 0; i < POISSON_LANES; i += EACH) {
        const __m512i drawn = _mm512_loadu_si512(upper + i), cell = _mm512_srli_epi16(drawn, 16 - FEW), number = _mm512_and_si512(drawn, mask);
        const __m512i limit = _mm512_permutexvar_epi16(cell, bound);
        const __m512i count = _mm512_mask_permutexvar_epi16(_mm512_permutexvar_epi16(cell, other), _mm512_cmplt_epu16_mask(number, limit), cell, own);
        const __mmask32 either = _mm512_cmpeq_epi16_mask(number, limit) | _mm512_cmpeq_epi16_mask(count, rare);
        _mm512_storeu_si512(counts + i, count);
        _mm512_storeu_si512(open + i, _mm512_maskz_mov_epi16(either, one));
        any |= either;
    }
    return any;
}
#elif defined __AVX2__
/** Lower or upper bytes of a table of 16 elements, twice. */
static inline __m256i bytes_of(const uint16_t *table, int shift) {
    const __m128i mask = _mm_set1_epi16(0xff), low = _mm_loadu_si128((const void *)table), high = _mm_loadu_si128((const void *)(table + 8));
    if (shift) return _mm256_broadcastsi128_si256(_mm_packus_epi16(_mm_srli_epi16(low, 8), _mm_srli_epi16(high, 8)));
    return _mm256_broadcastsi128_si256(_mm_packus_epi16(_mm_and_si128(low, mask), _mm_and_si128(high, mask)));
}

/** @param law of FEW bits: tables are vectors of bytes, of which each lane picks its own; counts are below 255, and a rare one is 255. */
static bool counts_of_few(const poisson_law *law, const uint16_t *upper, uint16_t *counts, uint16_t *open) {
    enum { EACH = 16 };
    const __m256i bound[2] = {bytes_of(law->bound, 0), bytes_of(law->bound, 8)}, own = bytes_of(law->own, 0), other = bytes_of(law->other, 0);
    const __m256i mask = _mm256_set1_epi16((1 << (16 - FEW)) - 1), rare = _mm256_set1_epi16(UINT8_MAX);
    const __m256i none_high = _mm256_set1_epi16((short)0x8000), none_low = _mm256_set1_epi16(0x0080); /* picks 0 */
    __m256i any = _mm256_setzero_si256();
    for (int i = 0; i < POISSON_LANES; i += EACH) {
        const __m256i drawn = _mm256_loadu_si256((const void *)(upper + i)), number = _mm256_and_si256(drawn, mask), cell = _mm256_srli_epi16(drawn, 16 - FEW);
        const __m256i low = _mm256_or_si256(cell, none_high), high = _mm256_or_si256(_mm256_slli_epi16(cell, 8), none_low);
        const __m256i limit = _mm256_or_si256(_mm256_shuffle_epi8(bound[0], low), _mm256_shuffle_epi8(bound[1], high));
        const __m256i count = _mm256_blendv_epi8(_mm256_shuffle_epi8(other, low), _mm256_shuffle_epi8(own, low), _mm256_cmpgt_epi16(limit, number));
        const __m256i either = _mm256_or_si256(_mm256_cmpeq_epi16(number, limit), _mm256_cmpeq_epi16(count, rare));
        _mm256_storeu_si256((void *)(counts + i), count);
        _mm256_storeu_si256((void *)(open + i), _mm256_srli_epi16(either, 15));
        any = _mm256_or_si256(any, either);
    }
    return !_mm256_testz_si256(any, any);
}
#else
#define counts_of_few counts_of_many
#endif

bool poisson_counts(const poisson_law *law, const uint16_t *upper, uint16_t *counts, uint16_t *open) {
    return law->bits == FEW ? counts_of_few(law, upper, counts, open) : counts_of_many(law, upper, counts, open);
}
