/* A count is the number of thresholds that a 32-bit number has reached: thresholds are the cumulated probabilities of the counts in units of 2^-32, which is
 * the inversion of the distribution, and vector code without branches. What is beyond 2^-32 on either side does not happen. Of a number only its upper half is
 * drawn; the lower one where the upper one is a threshold's, too, so that it decides: for some of 10,000. */
#include "engram/background.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>
#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "engram/memory.h"
#include "engram/neurons.h"
#include "engram/random.h"

enum { LANES = 64, SEARCHED = 32 }; /* SEARCHED: halves that a vector holds */
enum { AT_ONCE = 8 * RANDOM_LANES };      /* neurons whose numbers are drawn at once */

typedef struct {
    background_stretch where;
    int least, thresholds, halves; /**< the smallest count; how many thresholds there are, with how many different upper halves */
    uint32_t *threshold;           /**< [thresholds] a number from here on counts one more */
    uint16_t *upper, *many;        /**< [halves] ascending, behind them UINT16_MAX up to SEARCHED; and how many thresholds have it */
    uint16_t below[SEARCHED];      /**< counts of numbers that are above k halves */
} source;

struct background {
    int count;
    int64_t first;
    uint64_t seed;
    source *source;
    uint64_t counter, group;  /**< of `drawn` */
    uint16_t drawn[AT_ONCE + LANES]; /**< upper halves of the numbers of neurons AT_ONCE group .., kept for whoever asks for the rest of them; then 0 */
};

/** P(n <= k) for k = 0, 1, ... in units of 2^-32, those that are neither 0 nor 2^32. */
static void find_thresholds(source *source) {
    const double mean = source->where.mean;
    const int most = (int)(mean + 12 * sqrt(mean) + 40); /* above SEARCHED */
    source->threshold = memory_new(MEMORY_STATE, (size_t)most + 1, sizeof *source->threshold);
    source->upper = memory_new(MEMORY_STATE, (size_t)most + 1, sizeof *source->upper);
    source->many = memory_new(MEMORY_STATE, (size_t)most + 1, sizeof *source->many);
    double below = 0;
    for (int k = 0; k <= most && mean > 0; k++) {
        below += exp(k * log(mean) - mean - lgamma(k + 1.0));
        const double scaled = round(below * 0x1p32);
        if (scaled >= 0x1p32) break;
        if (scaled < 1) source->least = k + 1;
        else source->threshold[source->thresholds++] = (uint32_t)scaled;
    }
    for (int k = 0; k < source->thresholds; k++) {
        const uint16_t upper = (uint16_t)(source->threshold[k] >> 16);
        if (k == 0 || upper != source->upper[source->halves - 1]) source->upper[source->halves++] = upper;
        source->many[source->halves - 1]++;
    }
    source->below[0] = (uint16_t)source->least;
    for (int k = source->halves; k < SEARCHED; k++) source->upper[k] = UINT16_MAX;
    for (int k = 1; k < SEARCHED; k++) source->below[k] = (uint16_t)(source->below[k - 1] + source->many[k - 1]);
}

background *background_new(const background_stretch *stretches, int count, int64_t first, uint64_t seed) {
    background *all = memory_new(MEMORY_STATE, 1, sizeof *all);
    *all = (background){.count = count, .first = first, .seed = seed, .group = UINT64_MAX};
    all->source = memory_new(MEMORY_STATE, (size_t)count, sizeof *all->source);
    for (int s = 0; s < count; s++) {
        all->source[s].where = stretches[s];
        find_thresholds(&all->source[s]);
    }
    return all;
}

void background_free(background *all) {
    if (!all) return;
    for (int s = 0; s < all->count; s++) memory_free(all->source[s].threshold), memory_free(all->source[s].upper), memory_free(all->source[s].many);
    memory_free(all->source);
    memory_free(all);
}

/** A step of some neurons, of which the first is @p first. */
typedef struct { uint64_t stream; int64_t step; int first, end; } moment;

/** Thresholds that the upper half of the neuron's number shares and that the whole number has reached. */
static int decide(const background *all, const source *source, const moment *now, int neuron, uint16_t upper) {
    const uint64_t gid = (uint64_t)(all->first + neuron), counter = now->stream << 40 | (uint64_t)now->step;
    const uint32_t number = (uint32_t)upper << 16 | (random_bits(all->seed, RANDOM_BACKGROUND_LOWER, gid, counter).word[0] >> 16);
    int reached = 0;
    for (int k = 0; k < source->thresholds; k++) reached += source->threshold[k] >> 16 == upper && number >= source->threshold[k];
    return reached;
}

/** Of all numbers, one threshold after the other. @param[out] spikes of numbers with these upper halves @param[out] open 1: one that is a threshold's
 *  @return whether there is one */
static bool count_each(const source *source, const uint16_t *restrict upper, uint16_t *restrict spikes, uint16_t *restrict open) {
    uint16_t nearest[LANES], any = 0;
    for (int i = 0; i < LANES; i++) spikes[i] = (uint16_t)source->least, nearest[i] = UINT16_MAX;
    for (int k = 0; k < source->halves; k++) {
        const uint16_t threshold = source->upper[k], many = source->many[k];
        for (int i = 0; i < LANES; i++) {
            const uint16_t apart = upper[i] ^ threshold;
            spikes[i] = (uint16_t)(spikes[i] + (upper[i] > threshold ? many : 0));
            nearest[i] = apart < nearest[i] ? apart : nearest[i];
        }
    }
    for (int i = 0; i < LANES; i++) any |= open[i] = nearest[i] == 0;
    return any;
}

#ifdef __AVX512BW__
/** The same by bisection, all lanes at once: thresholds lie in a vector, of which each lane picks its own. */
static bool count_searched(const source *source, const uint16_t *upper, uint16_t *spikes, uint16_t *open) {
    const __m512i threshold = _mm512_loadu_si512(source->upper), count = _mm512_loadu_si512(source->below), one = _mm512_set1_epi16(1);
    const short most = source->halves < SEARCHED / 2 ? SEARCHED / 4 : SEARCHED / 2;
    const __m512i middle = _mm512_set1_epi16((short)source->upper[most - 1]);
    __mmask32 any = 0;
    for (int i = 0; i < LANES; i += SEARCHED) {
        const __m512i number = _mm512_loadu_si512(upper + i);
        __m512i passed = _mm512_maskz_mov_epi16(_mm512_cmpgt_epu16_mask(number, middle), _mm512_set1_epi16(most)); /* thresholds below the number */
        for (short half = most / 2; half; half /= 2) {
            const __m512i next = _mm512_add_epi16(passed, _mm512_set1_epi16(half));
            const __mmask32 above = _mm512_cmpgt_epu16_mask(number, _mm512_permutexvar_epi16(_mm512_sub_epi16(next, one), threshold));
            passed = _mm512_mask_mov_epi16(passed, above, next);
        }
        const __mmask32 same = _mm512_cmpeq_epi16_mask(number, _mm512_permutexvar_epi16(passed, threshold));
        _mm512_storeu_si512(spikes + i, _mm512_permutexvar_epi16(passed, count));
        _mm512_storeu_si512(open + i, _mm512_maskz_mov_epi16(same, one));
        any |= same;
    }
    return any;
}
#elif defined __AVX2__
enum { LOOKED_UP = 16 }; /* elements of the tables, which are kept as lower and upper bytes */

/** table[index], index below LOOKED_UP. */
static inline __m256i look_up(__m256i lower, __m256i upper, __m256i index) {
    const __m256i none = _mm256_set1_epi16((short)0x8080), low = _mm256_or_si256(index, _mm256_slli_epi16(none, 8));
    const __m256i high = _mm256_or_si256(_mm256_slli_epi16(index, 8), _mm256_srli_epi16(none, 8));
    return _mm256_or_si256(_mm256_shuffle_epi8(lower, low), _mm256_shuffle_epi8(upper, high));
}

static inline void bytes_of(const uint16_t *table, __m256i *lower, __m256i *upper) {
    const __m256i both = _mm256_loadu_si256((const void *)table), bytes = _mm256_set1_epi16(0xff);
    *lower = _mm256_permute4x64_epi64(_mm256_packus_epi16(_mm256_and_si256(both, bytes), _mm256_and_si256(both, bytes)), 0x88);
    *upper = _mm256_permute4x64_epi64(_mm256_packus_epi16(_mm256_srli_epi16(both, 8), _mm256_srli_epi16(both, 8)), 0x88);
}

/** The same: thresholds are passed one after the other, and the one that comes next, and the count, are looked up. */
static bool count_searched(const source *source, const uint16_t *upper, uint16_t *spikes, uint16_t *open) {
    enum { EACH = 16, VECTORS = LANES / EACH };
    const __m256i sign = _mm256_set1_epi16((short)0x8000);
    __m256i passed[VECTORS], number[VECTORS], any = _mm256_setzero_si256(), next[2], count[2];
    for (int v = 0; v < VECTORS; v++) {
        number[v] = _mm256_xor_si256(_mm256_loadu_si256((const void *)(upper + EACH * v)), sign);
        passed[v] = _mm256_setzero_si256();
    }
    for (int k = 0; k < source->halves; k++) {
        const __m256i threshold = _mm256_set1_epi16((short)(source->upper[k] ^ 0x8000));
        for (int v = 0; v < VECTORS; v++) passed[v] = _mm256_sub_epi16(passed[v], _mm256_cmpgt_epi16(number[v], threshold));
    }
    bytes_of(source->upper, &next[0], &next[1]);
    bytes_of(source->below, &count[0], &count[1]);
    for (int v = 0; v < VECTORS; v++) {
        const __m256i same = _mm256_cmpeq_epi16(number[v], _mm256_xor_si256(look_up(next[0], next[1], passed[v]), sign));
        _mm256_storeu_si256((void *)(spikes + EACH * v), look_up(count[0], count[1], passed[v]));
        _mm256_storeu_si256((void *)(open + EACH * v), _mm256_srli_epi16(same, 15));
        any = _mm256_or_si256(any, same);
    }
    return !_mm256_testz_si256(any, any);
}
#endif

static bool count_lanes(const source *source, const uint16_t *upper, uint16_t *spikes, uint16_t *open) {
#ifdef __AVX512BW__
    if (source->halves < SEARCHED) return count_searched(source, upper, spikes, open);
#elif defined __AVX2__
    if (source->halves < LOOKED_UP) return count_searched(source, upper, spikes, open);
#endif
    return count_each(source, upper, spikes, open);
}

/** @param upper [LANES], of which @p lanes count @param[out] spikes [LANES] of each of them, drawn with a lower half where that decides */
static void count_spikes(const background *all, const source *source, const moment *now, int first, int lanes, const uint16_t *upper, uint16_t *spikes) {
    uint16_t open[LANES];
    const bool any = count_lanes(source, upper, spikes, open);
    for (int i = 0; i < lanes && any; i++)
        if (open[i]) spikes[i] = (uint16_t)(spikes[i] + decide(all, source, now, first + i, upper[i]));
}

/* drawn [neurons of the moment, and LANES more that are readable]; input [the same], of the sign of the weight */
#define ADD_COUNTS(name, real)                                                                                                                                \
    static void name(const background *all, const source *source, const moment *now, const uint16_t *drawn, real *restrict input) {                           \
        const real weight = (real)source->where.weight;                                                                                                       \
        for (int begin = now->first; begin < now->end; begin += LANES, drawn += LANES, input += LANES) {                                                      \
            const int lanes = now->end - begin < LANES ? now->end - begin : LANES;                                                                            \
            uint16_t spikes[LANES];                                                                                                                           \
            count_spikes(all, source, now, begin, lanes, drawn, spikes);                                                                                      \
            if (lanes == LANES)                                                                                                                               \
                for (int i = 0; i < LANES; i++) input[i] += weight * (real)spikes[i];                                                                         \
            else                                                                                                                                              \
                for (int i = 0; i < lanes; i++) input[i] += weight * (real)spikes[i];                                                                         \
        }                                                                                                                                                     \
    }
ADD_COUNTS(add_double, double)
ADD_COUNTS(add_single, float)

/** @param drawn [neurons of the moment] @param input of the first of them on */
static void add_counts(const background *all, const source *source, const moment *now, const uint16_t *drawn, const static_input *input) {
    const bool inhibitory = source->where.weight <= 0;
    float *single = inhibitory && input->inhibitory_single ? input->inhibitory_single : input->excitatory_single;
    if (single) add_single(all, source, now, drawn, single);
    else add_double(all, source, now, drawn, inhibitory && input->inhibitory ? input->inhibitory : input->excitatory);
}

/** Upper halves of the numbers of neurons AT_ONCE group .. into `drawn`, unless they are there. */
static void draw(background *all, uint64_t counter, uint64_t group) {
    if (group == all->group && counter == all->counter) return;
    random_short(all->seed, RANDOM_BACKGROUND, group * RANDOM_LANES, RANDOM_LANES, counter, RANDOM_LANES, all->drawn);
    all->group = group, all->counter = counter;
}

void background_add(background *all, uint64_t stream, int64_t step, int first, int end, const static_input *input) {
    for (int begin = first, next; begin < end; begin = next) {
        const uint64_t gid = (uint64_t)(all->first + begin);
        const int at = (int)(gid % AT_ONCE);
        next = end - begin < AT_ONCE - at ? end : begin + AT_ONCE - at;
        draw(all, stream << 40 | (uint64_t)step, gid / AT_ONCE);
        for (int s = 0; s < all->count; s++) {
            const background_stretch *where = &all->source[s].where;
            const moment now = {stream, step, where->first > begin ? where->first : begin, where->end < next ? where->end : next};
            if (now.first >= now.end || where->mean <= 0) continue;
            const static_input here = static_input_from(input, now.first - first);
            add_counts(all, &all->source[s], &now, all->drawn + at + (now.first - begin), &here);
        }
    }
}
