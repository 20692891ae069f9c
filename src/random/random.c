#include "engram/random.h"

#include <Random123/philox.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engram/sort.h"
#include "lanes.h"

random_block random_bits(uint64_t seed, random_purpose purpose, uint64_t id, uint64_t counter) {
    philox4x32_ctr_t in = {{(uint32_t)counter, (uint32_t)(counter >> 32), (uint32_t)id, (uint32_t)(id >> 32 & 0xffff) | (uint32_t)purpose << 16}};
    philox4x32_key_t key = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
    philox4x32_ctr_t out = philox4x32(in, key);
    return (random_block){{out.v[0], out.v[1], out.v[2], out.v[3]}};
}

static double unit_interval(uint32_t low, uint32_t high) {
    uint64_t bits = ((uint64_t)high << 32 | low) >> 11;
    return ((double)bits + 0.5) * 0x1p-53;
}

double random_uniform(uint64_t seed, random_purpose purpose, uint64_t id, uint64_t counter) {
    random_block block = random_bits(seed, purpose, id, counter);
    return unit_interval(block.word[0], block.word[1]);
}

double random_normal(uint64_t seed, random_purpose purpose, uint64_t id, uint64_t counter) {
    random_block block = random_bits(seed, purpose, id, counter);
    double radius = sqrt(-2.0 * log(unit_interval(block.word[0], block.word[1])));
    return radius * cos(2.0 * M_PI * unit_interval(block.word[2], block.word[3]));
}

static uint64_t scale(uint64_t bits, uint64_t bound) {
    __extension__ typedef unsigned __int128 wide;
    return (uint64_t)((wide)bits * bound >> 64);
}

uint64_t random_below(uint64_t seed, random_purpose purpose, uint64_t id, uint64_t counter, uint64_t bound) {
    random_block block = random_bits(seed, purpose, id, counter);
    return scale((uint64_t)block.word[1] << 32 | block.word[0], bound);
}

/** random_bits() of LANES consecutive counters. */
enum { LANES = 16 };
static void words_lanes(uint64_t seed, random_purpose purpose, uint64_t id, uint64_t counter, uint32_t word[4][LANES]) {
    for (int i = 0; i < LANES; i++) {
        word[0][i] = (uint32_t)(counter + (uint64_t)i);
        word[1][i] = (uint32_t)((counter + (uint64_t)i) >> 32);
        word[2][i] = (uint32_t)id;
        word[3][i] = (uint32_t)(id >> 32 & 0xffff) | (uint32_t)purpose << 16;
    }
    philox_rounds(seed, LANES, word[0], word[1], word[2], word[3]);
}

/** Words 0 and 1 as one integer each. */
static void bits_lanes(uint64_t seed, random_purpose purpose, uint64_t id, uint64_t counter, uint64_t bits[LANES]) {
    uint32_t word[4][LANES];
    words_lanes(seed, purpose, id, counter, word);
    for (int i = 0; i < LANES; i++) bits[i] = (uint64_t)word[1][i] << 32 | word[0][i];
}

void random_normals(uint64_t seed, random_purpose purpose, uint64_t id, uint64_t counter, int count, double *normals) {
    uint32_t word[4][LANES];
    for (int begin = 0; begin < count; begin += LANES) {
        words_lanes(seed, purpose, id, counter + (uint64_t)begin, word);
        for (int i = 0; i < LANES && begin + i < count; i++)
            normals[begin + i] = sqrt(-2.0 * log(unit_interval(word[0][i], word[1][i]))) * cos(2.0 * M_PI * unit_interval(word[2][i], word[3][i]));
    }
}

/** Open-addressing set of the integers chosen so far; good for any bound. */
typedef struct { int64_t *slots; uint64_t mask; } integer_set;

static int set_add(integer_set *set, int64_t value) {
    uint64_t at = (uint64_t)value * 0x9E3779B97F4A7C15u >> 17 & set->mask;
    while (set->slots[at] >= 0) {
        if (set->slots[at] == value) return 0;
        at = (at + 1) & set->mask;
    }
    set->slots[at] = value;
    return 1;
}

void random_below_each(uint64_t seed, random_purpose purpose, uint64_t id, uint64_t base, int64_t bound, int draws, int64_t *chosen) {
    enum { BLOCKS = 64, A_BLOCK = 2, A_DRAW = RANDOM_EACH / A_BLOCK };
    uint16_t half[BLOCKS * RANDOM_EACH];
    for (int begin = 0; begin < draws; begin += A_BLOCK * BLOCKS) {
        const int some = draws - begin < A_BLOCK * BLOCKS ? draws - begin : A_BLOCK * BLOCKS;
        random_bulk_counters(seed, purpose, id, base + (uint64_t)(begin / A_BLOCK), (some + A_BLOCK - 1) / A_BLOCK, half);
        for (int d = 0; d < some; d++) {
            const uint16_t *of = half + A_DRAW * d;
            const uint64_t bits = (uint64_t)of[3] << 48 | (uint64_t)of[2] << 32 | (uint64_t)of[1] << 16 | of[0];
            chosen[begin + d] = (int64_t)scale(bits, (uint64_t)bound);
        }
    }
}

void random_choose(uint64_t seed, random_purpose purpose, uint64_t id, uint64_t base, int64_t bound, int draws, int64_t *chosen) {
    uint64_t size = 16;
    while (size < 2 * (uint64_t)draws) size *= 2;
    int64_t small[512];
    integer_set set = {.slots = size <= 512 ? small : malloc(size * sizeof *set.slots), .mask = size - 1};
    if (!set.slots) abort();
    memset(set.slots, 0xff, size * sizeof *set.slots);
    uint64_t bits[LANES];
    for (int d = 0; d < draws; d++) {
        if (d % LANES == 0) bits_lanes(seed, purpose, id, base + (uint64_t)d, bits);
        int64_t top = bound - draws + d;
        int64_t pick = (int64_t)scale(bits[d % LANES], (uint64_t)top + 1);
        if (!set_add(&set, pick)) {
            set_add(&set, top);
            pick = top;
        }
        chosen[d] = pick;
    }
    if (set.slots != small) free(set.slots);
    sort_integers(chosen, draws);
}

static double log_choose(int64_t n, int64_t k) {
    return lgamma((double)n + 1.0) - lgamma((double)k + 1.0) - lgamma((double)(n - k) + 1.0);
}

int64_t random_hypergeometric(uint64_t seed, random_purpose purpose, uint64_t id, uint64_t counter, int64_t total, int64_t marked, int64_t draws) {
    int64_t low = draws - (total - marked), high = draws < marked ? draws : marked;
    if (low < 0) low = 0;
    if (low >= high) return low;
    int64_t mode = (int64_t)floor((double)(draws + 1) * (double)(marked + 1) / (double)(total + 2));
    if (mode < low) mode = low;
    if (mode > high) mode = high;
    double at_mode = exp(log_choose(marked, mode) + log_choose(total - marked, draws - mode) - log_choose(total, draws));
    double left = random_uniform(seed, purpose, id, counter) - at_mode;
    if (left <= 0) return mode;
    int64_t up = mode, down = mode;
    double p_up = at_mode, p_down = at_mode;
    while (up < high || down > low) {
        if (up < high) {
            p_up *= (double)(marked - up) * (double)(draws - up) / ((double)(up + 1) * (double)(total - marked - draws + up + 1));
            up++;
            if ((left -= p_up) <= 0) return up;
        }
        if (down > low) {
            p_down *= (double)down * (double)(total - marked - draws + down) / ((double)(marked - down + 1) * (double)(draws - down + 1));
            down--;
            if ((left -= p_down) <= 0) return down;
        }
    }
    return mode; /* rounding left a sliver of probability */
}

int64_t random_binomial(uint64_t seed, random_purpose purpose, uint64_t id, uint64_t counter, int64_t draws, double p) {
    if (draws <= 0 || p <= 0) return 0;
    if (p >= 1) return draws;
    const double odds = p / (1 - p);
    int64_t mode = (int64_t)floor((double)(draws + 1) * p);
    if (mode > draws) mode = draws;
    double at_mode = exp(log_choose(draws, mode) + (double)mode * log(p) + (double)(draws - mode) * log1p(-p));
    double left = random_uniform(seed, purpose, id, counter) - at_mode;
    if (left <= 0) return mode;
    int64_t up = mode, down = mode;
    double p_up = at_mode, p_down = at_mode;
    while ((up < draws && p_up > 0) || (down > 0 && p_down > 0)) {
        if (up < draws) {
            p_up *= (double)(draws - up) / (double)(up + 1) * odds;
            up++;
            if ((left -= p_up) <= 0) return up;
        }
        if (down > 0) {
            p_down *= (double)down / ((double)(draws - down + 1) * odds);
            down--;
            if ((left -= p_down) <= 0) return down;
        }
    }
    return mode; /* rounding left a sliver of probability */
}
