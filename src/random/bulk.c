/* ARS-7 (Salmon, Moraes, Dror & Shaw 2011, section 4): seven rounds of the block cipher AES whose keys are a Weyl sequence. Processors have an instruction for
 * a round, which makes these numbers five times as cheap as Philox's; without it they are the same, and slow. */
#include <stdbool.h>
#include <string.h>

#include "engram/random.h"

#if defined __x86_64__
#include <immintrin.h>
#elif defined __ARM_FEATURE_AES && !defined __ARM_BIG_ENDIAN
#include <arm_neon.h>
#endif

enum { ROUNDS = 7, EACH = RANDOM_EACH, WHOLE = 16 }; /* WHOLE: so many blocks instructions leave none of */

/** Of a call: keys of all rounds, the halves of its first block and what the next one has more, in one of them; or where each block is, then the purpose
 *  is in the first key. */
typedef struct {
    uint64_t key[ROUNDS + 1][2], low, high, low_step, high_step;
    const random_place *place; /**< [blocks] or NULL */
} request;

_Static_assert(sizeof(random_place) == 16, "a place is a block as it begins");

/* ---- by shifts and a table, on any machine ---- */

static const uint8_t substitute[256] = {
    99, 124, 119, 123, 242, 107, 111, 197, 48, 1, 103, 43, 254, 215, 171, 118, 202, 130, 201, 125, 250, 89, 71, 240, 173, 212, 162, 175, 156, 164, 114, 192,
    183, 253, 147, 38, 54, 63, 247, 204, 52, 165, 229, 241, 113, 216, 49, 21, 4, 199, 35, 195, 24, 150, 5, 154, 7, 18, 128, 226, 235, 39, 178, 117,
    9, 131, 44, 26, 27, 110, 90, 160, 82, 59, 214, 179, 41, 227, 47, 132, 83, 209, 0, 237, 32, 252, 177, 91, 106, 203, 190, 57, 74, 76, 88, 207,
    208, 239, 170, 251, 67, 77, 51, 133, 69, 249, 2, 127, 80, 60, 159, 168, 81, 163, 64, 143, 146, 157, 56, 245, 188, 182, 218, 33, 16, 255, 243, 210,
    205, 12, 19, 236, 95, 151, 68, 23, 196, 167, 126, 61, 100, 93, 25, 115, 96, 129, 79, 220, 34, 42, 144, 136, 70, 238, 184, 20, 222, 94, 11, 219,
    224, 50, 58, 10, 73, 6, 36, 92, 194, 211, 172, 98, 145, 149, 228, 121, 231, 200, 55, 109, 141, 213, 78, 169, 108, 86, 244, 234, 101, 122, 174, 8,
    186, 120, 37, 46, 28, 166, 180, 198, 232, 221, 116, 31, 75, 189, 139, 138, 112, 62, 181, 102, 72, 3, 246, 14, 97, 53, 87, 185, 134, 193, 29, 158,
    225, 248, 152, 17, 105, 217, 142, 148, 155, 30, 135, 233, 206, 85, 40, 223, 140, 161, 137, 13, 191, 230, 66, 104, 65, 153, 45, 15, 176, 84, 187, 22,
};

static uint32_t rotated(uint32_t word, int bits) {
    return word >> bits | word << (32 - bits);
}

/** SubBytes and ShiftRows: row r of column c comes from column c + r. */
static void mix_rows(const uint32_t in[4], uint32_t out[4]) {
    for (int c = 0; c < 4; c++) {
        out[c] = 0;
        for (int r = 0; r < 4; r++) out[c] |= (uint32_t)substitute[in[(c + r) % 4] >> 8 * r & 0xff] << 8 * r;
    }
}

/** MixColumns: a row is twice itself, three times the next, and the other two, in GF(2^8). */
static uint32_t mix_column(uint32_t column) {
    const uint32_t twice = (column & 0x7f7f7f7fu) << 1 ^ (column >> 7 & 0x01010101u) * 0x1bu;
    return twice ^ rotated(column ^ twice, 8) ^ rotated(column, 16) ^ rotated(column, 24);
}

static void add_key(uint32_t word[4], const uint64_t key[2]) {
    for (int w = 0; w < 4; w++) word[w] ^= (uint32_t)(key[w / 2] >> 32 * (w % 2));
}

static void blocks_anywhere(const request *ask, int begin, int blocks, uint16_t *draws) {
    for (int b = begin; b < blocks; b++) {
        const uint64_t low = ask->place ? ask->place[b].counter : ask->low + ask->low_step * (uint64_t)b;
        const uint64_t high = ask->place ? ask->place[b].id : ask->high + ask->high_step * (uint64_t)b;
        uint32_t word[4] = {(uint32_t)low, (uint32_t)(low >> 32), (uint32_t)high, (uint32_t)(high >> 32)}, mixed[4];
        add_key(word, ask->key[0]);
        for (int round = 1; round <= ROUNDS; round++) {
            mix_rows(word, mixed);
            for (int c = 0; c < 4; c++) word[c] = round < ROUNDS ? mix_column(mixed[c]) : mixed[c];
            add_key(word, ask->key[round]);
        }
        for (int m = 0; m < EACH; m++) draws[EACH * b + m] = (uint16_t)(word[m / 2] >> 16 * (m % 2));
    }
}

/* ---- by instructions; @return blocks that were made, the others are left. AT_ONCE: blocks whose rounds overlap, a part of WHOLE ---- */

#if defined __VAES__ && defined __AVX2__
/** Two blocks in a vector. */
static int blocks_fast(const request *ask, int blocks, uint16_t *draws) {
    enum { AT_ONCE = 16, VECTORS = AT_ONCE / 2 };
    __m256i key[ROUNDS + 1];
    for (int round = 0; round <= ROUNDS; round++) key[round] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)ask->key[round]));
    const __m128i one = _mm_set_epi64x((int64_t)ask->high_step, (int64_t)ask->low_step), first = _mm_set_epi64x((int64_t)ask->high, (int64_t)ask->low);
    const __m256i two = _mm256_broadcastsi128_si256(_mm_add_epi64(one, one));
    __m256i counter = _mm256_set_m128i(_mm_add_epi64(first, one), first);
    int done = 0;
    for (; done + AT_ONCE <= blocks; done += AT_ONCE) {
        __m256i pair[VECTORS];
        for (int v = 0; v < VECTORS; v++, counter = _mm256_add_epi64(counter, two))
            pair[v] = _mm256_xor_si256(ask->place ? _mm256_loadu_si256((const void *)(ask->place + done + 2 * v)) : counter, key[0]);
        for (int round = 1; round < ROUNDS; round++)
            for (int v = 0; v < VECTORS; v++) pair[v] = _mm256_aesenc_epi128(pair[v], key[round]);
        for (int v = 0; v < VECTORS; v++) _mm256_storeu_si256((void *)(draws + EACH * (done + 2 * v)), _mm256_aesenclast_epi128(pair[v], key[ROUNDS]));
    }
    return done;
}

static bool is_fast(void) {
    return true;
}
#elif defined __x86_64__
__attribute__((target("aes,sse2"))) static int blocks_fast(const request *ask, int blocks, uint16_t *draws) {
    enum { AT_ONCE = 8 };
    __m128i key[ROUNDS + 1];
    for (int round = 0; round <= ROUNDS; round++) key[round] = _mm_loadu_si128((const void *)ask->key[round]);
    const __m128i one = _mm_set_epi64x((int64_t)ask->high_step, (int64_t)ask->low_step);
    int done = 0;
    for (__m128i counter = _mm_set_epi64x((int64_t)ask->high, (int64_t)ask->low); done + AT_ONCE <= blocks; done += AT_ONCE) {
        __m128i block[AT_ONCE];
        for (int b = 0; b < AT_ONCE; b++, counter = _mm_add_epi64(counter, one))
            block[b] = _mm_xor_si128(ask->place ? _mm_loadu_si128((const void *)(ask->place + done + b)) : counter, key[0]);
        for (int round = 1; round < ROUNDS; round++)
            for (int b = 0; b < AT_ONCE; b++) block[b] = _mm_aesenc_si128(block[b], key[round]);
        for (int b = 0; b < AT_ONCE; b++) _mm_storeu_si128((void *)(draws + EACH * (done + b)), _mm_aesenclast_si128(block[b], key[ROUNDS]));
    }
    return done;
}

static bool is_fast(void) {
    return __builtin_cpu_supports("aes");
}
#elif defined __ARM_FEATURE_AES && !defined __ARM_BIG_ENDIAN
static int blocks_fast(const request *ask, int blocks, uint16_t *draws) {
    enum { AT_ONCE = 8 };
    const uint8x16_t none = vdupq_n_u8(0); /* this processor adds a key before it substitutes */
    uint8x16_t key[ROUNDS + 1];
    for (int round = 0; round <= ROUNDS; round++) key[round] = vreinterpretq_u8_u64(vld1q_u64(ask->key[round]));
    int done = 0;
    for (; done + AT_ONCE <= blocks; done += AT_ONCE) {
        uint8x16_t block[AT_ONCE];
        for (int b = 0; b < AT_ONCE; b++) {
            const uint64_t at = (uint64_t)(done + b);
            const uint64_t low = ask->place ? ask->place[at].counter : ask->low + ask->low_step * at;
            const uint64_t high = ask->place ? ask->place[at].id : ask->high + ask->high_step * at;
            const uint64x2_t counter = vcombine_u64(vcreate_u64(low), vcreate_u64(high));
            block[b] = veorq_u8(vreinterpretq_u8_u64(counter), key[0]);
        }
        for (int round = 1; round < ROUNDS; round++)
            for (int b = 0; b < AT_ONCE; b++) block[b] = veorq_u8(vaesmcq_u8(vaeseq_u8(block[b], none)), key[round]);
        for (int b = 0; b < AT_ONCE; b++) vst1q_u16(draws + EACH * (done + b), vreinterpretq_u16_u8(veorq_u8(vaeseq_u8(block[b], none), key[ROUNDS])));
    }
    return done;
}

static bool is_fast(void) {
    return true;
}
#else
static int blocks_fast(const request *ask, int blocks, uint16_t *draws) {
    (void)ask, (void)blocks, (void)draws;
    return 0;
}

static bool is_fast(void) {
    return false;
}
#endif

static request asked(uint64_t seed, random_purpose purpose, uint64_t id, uint64_t counter) {
    request ask = {.low = counter, .high = (id & 0xffffffffffffu) | (uint64_t)purpose << 48};
    for (uint64_t round = 0; round <= ROUNDS; round++) {
        ask.key[round][0] = seed + round * 0x9E3779B97F4A7C15u;
        ask.key[round][1] = round * 0xBB67AE8584CAA73Bu;
    }
    return ask;
}

static void make(const request *ask, int blocks, uint16_t *draws) {
    int done = is_fast() ? blocks_fast(ask, blocks, draws) : 0;
    if (done < blocks && is_fast()) { /* more than are left are made, and dropped */
        uint16_t more[WHOLE * EACH];
        request rest = *ask;
        random_place place[WHOLE] = {{0}};
        if (ask->place) memcpy(place, ask->place + done, (size_t)(blocks - done) * sizeof *place), rest.place = place;
        rest.low += ask->low_step * (uint64_t)done, rest.high += ask->high_step * (uint64_t)done;
        blocks_fast(&rest, WHOLE, more);
        memcpy(draws + EACH * done, more, (size_t)(blocks - done) * EACH * sizeof *draws);
        return;
    }
    blocks_anywhere(ask, done, blocks, draws);
}

void random_bulk(uint64_t seed, random_purpose purpose, uint64_t first, int blocks, uint64_t counter, uint16_t *draws) {
    request ask = asked(seed, purpose, first, counter);
    ask.high_step = 1;
    make(&ask, blocks, draws);
}

void random_bulk_counters(uint64_t seed, random_purpose purpose, uint64_t id, uint64_t base, int blocks, uint16_t *draws) {
    request ask = asked(seed, purpose, id, base);
    ask.low_step = 1;
    make(&ask, blocks, draws);
}

void random_bulk_places(uint64_t seed, random_purpose purpose, const random_place *place, int blocks, uint16_t *draws) {
    request ask = asked(seed, purpose, 0, 0);
    ask.key[0][1] ^= (uint64_t)purpose << 48; /* ids are below 2^48, so that this is their purpose */
    ask.place = place;
    make(&ask, blocks, draws);
}

void random_bulk_as_written(uint64_t seed, random_purpose purpose, uint64_t id, uint64_t counter, uint16_t draws[RANDOM_EACH]) {
    const request ask = asked(seed, purpose, id, counter);
    blocks_anywhere(&ask, 0, 1, draws);
}
