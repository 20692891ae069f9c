/* A count is the number of thresholds that a 32-bit word has reached: thresholds are the cumulated probabilities of the counts in units of 2^-32, which is the
 * inversion of the distribution, and vector code without branches. What is beyond 2^-32 on either side does not happen. */
#include "engram/background.h"

#include <math.h>
#include <string.h>

#include "engram/memory.h"
#include "engram/neurons.h"
#include "engram/random.h"

typedef struct {
    background_stretch where;
    int least, thresholds; /**< the smallest count; how many thresholds there are */
    uint32_t *threshold;   /**< [thresholds] a word from here on counts one more */
} source;

struct background {
    int count, mine;
    int64_t first;
    uint64_t seed;
    source *source;
    uint32_t *word; /**< [4][mine] */
};

/** P(n <= k) for k = 0, 1, ... in units of 2^-32, those that are neither 0 nor 2^32. */
static void find_thresholds(source *source) {
    const double mean = source->where.mean;
    const int most = (int)(mean + 12 * sqrt(mean) + 40);
    source->threshold = memory_new(MEMORY_STATE, (size_t)most + 1, sizeof(uint32_t));
    double below = 0;
    for (int k = 0; k <= most && mean > 0; k++) {
        below += exp(k * log(mean) - mean - lgamma(k + 1.0));
        const double scaled = round(below * 0x1p32);
        if (scaled >= 0x1p32) break;
        if (scaled < 1) source->least = k + 1;
        else source->threshold[source->thresholds++] = (uint32_t)scaled;
    }
}

background *background_new(const background_stretch *stretches, int count, int mine, int64_t first, uint64_t seed) {
    background *all = memory_new(MEMORY_STATE, 1, sizeof *all);
    *all = (background){.count = count, .mine = mine, .first = first, .seed = seed};
    all->source = memory_new(MEMORY_STATE, (size_t)count, sizeof *all->source);
    all->word = memory_new(MEMORY_STATE, 4 * (size_t)mine, sizeof *all->word);
    for (int s = 0; s < count; s++) {
        all->source[s].where = stretches[s];
        find_thresholds(&all->source[s]);
    }
    return all;
}

void background_free(background *all) {
    if (!all) return;
    for (int s = 0; s < all->count; s++) memory_free(all->source[s].threshold);
    memory_free(all->source), memory_free(all->word);
    memory_free(all);
}

/** @param input [count] of the sign of the weight */
static void add_counts(const source *source, int count, const uint32_t *restrict word, double *restrict input) {
    enum { LANES = 64 };
    const double weight = source->where.weight;
    for (int begin = 0; begin < count; begin += LANES) {
        const int lanes = count - begin < LANES ? count - begin : LANES;
        uint32_t words[LANES] = {0};
        int32_t spikes[LANES];
        memcpy(words, word + begin, (size_t)lanes * sizeof *words);
        for (int i = 0; i < LANES; i++) spikes[i] = source->least;
        for (int k = 0; k < source->thresholds; k++) {
            const uint32_t threshold = source->threshold[k];
            for (int i = 0; i < LANES; i++) spikes[i] += words[i] >= threshold;
        }
        for (int i = 0; i < lanes; i++) input[begin + i] += weight * spikes[i];
    }
}

void background_add(background *all, uint64_t stream, int64_t step, int first, int end, double *excitatory, double *inhibitory) {
    if ((step & 3) == 0)
        random_words(all->seed, RANDOM_BACKGROUND, (uint64_t)(all->first + first), end - first, noise_counter(stream, step), all->mine, all->word + first);
    const uint32_t *word = all->word + (size_t)(step & 3) * (size_t)all->mine;
    for (int s = 0; s < all->count; s++) {
        const background_stretch *where = &all->source[s].where;
        const int from = where->first > first ? where->first : first, to = where->end < end ? where->end : end;
        if (from < to && where->mean > 0) add_counts(&all->source[s], to - from, word + from, (where->weight > 0 ? excitatory : inhibitory) + from);
    }
}
