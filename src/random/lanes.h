/** @file lanes.h
 *  Philox4x32-10 for many counters at once: a loop that the compiler turns into vector code; written out for AVX-512, where gcc 12 multiplies 64 bits by 64,
 *  and for AVX2, where it takes words out of vectors and puts them back in every round.
 */
#ifndef RANDOM_LANES_H
#define RANDOM_LANES_H

#include <stdint.h>
#ifdef __AVX2__
#include <immintrin.h>
#endif

#ifdef __AVX512F__
/** A round of eight counters, each word in the lower half of 64 bits; what is in the upper half does not matter. */
static inline __attribute__((always_inline)) void philox_round(__m512i word[4], __m512i key0, __m512i key1) {
    const __m512i product0 = _mm512_mul_epu32(word[0], _mm512_set1_epi64(0xD2511F53)), product1 = _mm512_mul_epu32(word[2], _mm512_set1_epi64(0xCD9E8D57));
    word[0] = _mm512_xor_si512(_mm512_xor_si512(_mm512_srli_epi64(product1, 32), word[1]), key0);
    word[2] = _mm512_xor_si512(_mm512_xor_si512(_mm512_srli_epi64(product0, 32), word[3]), key1);
    word[1] = product1, word[3] = product0;
}
#elif defined __AVX2__
/** A round of four counters, laid out alike. */
static inline __attribute__((always_inline)) void philox_round(__m256i word[4], __m256i key0, __m256i key1) {
    const __m256i product0 = _mm256_mul_epu32(word[0], _mm256_set1_epi64x(0xD2511F53)), product1 = _mm256_mul_epu32(word[2], _mm256_set1_epi64x(0xCD9E8D57));
    word[0] = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(product1, 32), word[1]), key0);
    word[2] = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(product0, 32), word[3]), key1);
    word[1] = product1, word[3] = product0;
}

/** The lower halves of 64 bits: counters 0, 1, 4, 5 of @p a and 2, 3, 6, 7 of @p b in their order. */
static inline __m256i philox_lower(__m256i a, __m256i b) {
    return _mm256_castps_si256(_mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), _MM_SHUFFLE(2, 0, 2, 0)));
}
#endif

/** The ten rounds. @param lanes best a constant @param[in,out] word0..word3 [lanes] the counters as random_bits() builds them; its numbers */
static inline void philox_rounds(uint64_t seed, int lanes, uint32_t *restrict word0, uint32_t *restrict word1, uint32_t *restrict word2,
                                 uint32_t *restrict word3) {
    uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
#ifdef __AVX512F__
    for (int i = 0; i + 16 <= lanes; i += 16) {
        __m512i a[4], b[4];
        uint32_t *words[] = {word0 + i, word1 + i, word2 + i, word3 + i};
        for (int w = 0; w < 4; w++) {
            a[w] = _mm512_cvtepu32_epi64(_mm256_loadu_si256((const void *)words[w]));
            b[w] = _mm512_cvtepu32_epi64(_mm256_loadu_si256((const void *)(words[w] + 8)));
        }
        for (uint32_t round = 0; round < 10; round++) {
            const __m512i k0 = _mm512_set1_epi64(key0 + round * 0x9E3779B9u), k1 = _mm512_set1_epi64(key1 + round * 0xBB67AE85u);
            philox_round(a, k0, k1), philox_round(b, k0, k1);
        }
        for (int w = 0; w < 4; w++) {
            _mm256_storeu_si256((void *)words[w], _mm512_cvtepi64_epi32(a[w]));
            _mm256_storeu_si256((void *)(words[w] + 8), _mm512_cvtepi64_epi32(b[w]));
        }
    }
    const int begin = lanes / 16 * 16;
#elif defined __AVX2__
    for (int i = 0; i + 8 <= lanes; i += 8) {
        __m256i a[4], b[4];
        uint32_t *words[] = {word0 + i, word1 + i, word2 + i, word3 + i};
        for (int w = 0; w < 4; w++) {
            const __m256i both = _mm256_loadu_si256((const void *)words[w]);
            a[w] = _mm256_unpacklo_epi32(both, both), b[w] = _mm256_unpackhi_epi32(both, both);
        }
        for (uint32_t round = 0; round < 10; round++) {
            const __m256i k0 = _mm256_set1_epi64x(key0 + round * 0x9E3779B9u), k1 = _mm256_set1_epi64x(key1 + round * 0xBB67AE85u);
            philox_round(a, k0, k1), philox_round(b, k0, k1);
        }
        for (int w = 0; w < 4; w++) _mm256_storeu_si256((void *)words[w], philox_lower(a[w], b[w]));
    }
    const int begin = lanes / 8 * 8;
#else
    const int begin = 0;
#endif
    for (int round = 0; round < 10; round++) {
        for (int i = begin; i < lanes; i++) {
            uint64_t product0 = (uint64_t)0xD2511F53u * word0[i];
            uint64_t product1 = (uint64_t)0xCD9E8D57u * word2[i];
            uint32_t x1 = word1[i], x3 = word3[i];
            word0[i] = (uint32_t)(product1 >> 32) ^ x1 ^ key0;
            word1[i] = (uint32_t)product1;
            word2[i] = (uint32_t)(product0 >> 32) ^ x3 ^ key1;
            word3[i] = (uint32_t)product0;
        }
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
}

#endif
