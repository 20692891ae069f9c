/* A count is drawn by the alias method (poisson.h) from a number of 32 bits, of which the upper half does in most cases: only that is drawn in bulk, and the
 * lower one where it decides, for one neuron of 4096 (of 256 where a neuron gets 5 spikes and more in a step). */
#include "engram/background.h"

#include <stdbool.h>

#include "engram/memory.h"
#include "engram/neurons.h"
#include "engram/poisson.h"
#include "engram/random.h"

enum { LANES = POISSON_LANES, AT_ONCE = 512 }; /* AT_ONCE: neurons whose numbers are drawn at once */

_Static_assert((int)BACKGROUND_MOST <= (int)POISSON_MOST, "a law of each mean");

typedef struct {
    background_stretch where;
    poisson_law law;
} source;

struct background {
    int count;
    int64_t first;
    uint64_t seed;
    source *source;
    uint64_t counter, group;  /**< of `drawn` */
    uint16_t drawn[AT_ONCE + LANES]; /**< upper halves of the numbers of neurons AT_ONCE group .., kept for whoever asks for the rest of them; then 0 */
};

background *background_new(const background_stretch *stretches, int count, int64_t first, uint64_t seed) {
    background *all = memory_new(MEMORY_STATE, 1, sizeof *all);
    *all = (background){.count = count, .first = first, .seed = seed, .group = UINT64_MAX};
    all->source = memory_new(MEMORY_STATE, (size_t)count, sizeof *all->source);
    for (int s = 0; s < count; s++) {
        all->source[s].where = stretches[s];
        if (stretches[s].mean > 0) poisson_set(&all->source[s].law, stretches[s].mean);
    }
    return all;
}

void background_free(background *all) {
    if (!all) return;
    memory_free(all->source);
    memory_free(all);
}

/** A step of some neurons, of which the first is @p first. */
typedef struct { uint64_t stream; int64_t step; int first, end; } moment;

/** @param upper [LANES], of which @p lanes count @param[out] spikes [LANES] of each of them */
static void count_spikes(const background *all, const source *source, const moment *now, int first, int lanes, const uint16_t *upper, uint16_t *spikes) {
    uint16_t open[LANES];
    const bool any = poisson_counts(&source->law, upper, spikes, open);
    for (int i = 0; i < lanes && any; i++) {
        if (!open[i]) continue;
        const uint64_t gid = (uint64_t)(all->first + first + i);
        const random_block more = random_bits(all->seed, RANDOM_BACKGROUND_LOWER, gid, now->stream << 40 | (uint64_t)now->step);
        spikes[i] = (uint16_t)poisson_count(&source->law, upper[i], (uint16_t)(more.word[0] >> 16), more.word[1]);
    }
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
    random_bulk(all->seed, RANDOM_BACKGROUND, group * (AT_ONCE / RANDOM_EACH), AT_ONCE / RANDOM_EACH, counter, all->drawn);
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
