/* Who fires: independent logistic escape (README.md 2.3). A draw U of 48 bits is compared with P = 1/(1 + exp(-potential/s2)) as s2 logit(U) < potential.
 * Its first 16 bits come from a block of 8 steps; a bound below their logit, made of exponents and mantissas, decides nearly always; the rest is drawn, and a
 * logarithm taken, where it does not. */
#include <math.h>
#include <string.h>

#include "dendritic.h"
#include "engram/doubles.h"
#include "engram/memory.h"
#include "engram/random.h"

/** log2 x is above the exponent plus the mantissa's fraction by at most 0.0861: what float bits say, in 2^-23. */
static const float LOG2_GAP = 0.0862f, LN2 = 0.693147f;

static int float_bits(float x) {
    int bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

void draw_block(dendritic *d, int64_t block) {
    const int padded = d->padded;
    random_short(d->seed, RANDOM_ESCAPE, 0, padded, d->regime.stream << 40 | (uint64_t)block, padded, d->draw);
    for (int e = 0; e < DRAWS * padded; e++) {
        const int draw = d->draw[e];
        d->least[e] = LN2 * ((float)(float_bits((float)draw) - float_bits((float)(65536 - draw))) * 0x1p-23f - LOG2_GAP);
    }
}

void draw_tables(dendritic *d) {
    d->logits = memory_new(MEMORY_STATE, LOGITS + 1 + COARSE_LOGITS + 1, sizeof(double));
    for (int u = 0; u <= LOGITS; u++) d->logits[u] = log(u * 0x1p-16) - log1p(-u * 0x1p-16);
    for (int u = 0; u <= COARSE_LOGITS; u++) d->logits[LOGITS + 1 + u] = log((double)u / COARSE_LOGITS) - log1p(-(double)u / COARSE_LOGITS);
}

/** Whether s2 logit(U) < potential, U of the draw's 16 bits and, where those do not decide, of 32 more. */
static bool fires(const dendritic *d, int64_t step, int neuron, int draw, double potential) {
    const double s2 = d->stochasticity, *below = draw < LOGITS ? d->logits + draw : d->logits + LOGITS + 1 + draw / (65536 / COARSE_LOGITS);
    if (potential > s2 * below[1]) return true;
    if (potential < s2 * below[0]) return false;
    const random_block rest = random_bits(d->seed, RANDOM_ESCAPE_REST, (uint64_t)neuron, d->regime.stream << 40 | (uint64_t)step);
    const double U = (draw + (rest.word[0] + 0.5) * 0x1p-32) * 0x1p-16;
    return potential > s2 * (log(U) - log1p(-U));
}

/** Neurons that fire among those whose potential is above the bound. */
static __attribute__((noinline)) int decide(dendritic *d, int64_t step, const double *potential) {
    const size_t row = (size_t)(step % DRAWS) * (size_t)d->padded;
    const float *least = d->least + row;
    int count = 0;
    for (int i = 0; i < d->padded; i += LANES)
        for (unsigned above = lanes_above(load(potential + i), all(d->stochasticity) * load_floats(least + i)); above; above &= above - 1) {
            const int j = i + __builtin_ctz(above);
            if (j < d->neurons && !(d->silent && d->silent[j]) && fires(d, step, j, d->draw[row + (size_t)j], potential[j])) d->spiking[count++] = j;
        }
    if (count < 2 || d->neuron->winner == WINNER_ALL) return count;
    for (int k = 1; k < count; k++)
        if (potential[d->spiking[k]] > potential[d->spiking[0]]) d->spiking[0] = d->spiking[k];
    return 1;
}

int draw_spikes(dendritic *d, int64_t step, const double *potential) {
    const float *least = d->least + (size_t)(step % DRAWS) * (size_t)d->padded;
    const lanes s2 = all(d->stochasticity);
    unsigned any = 0;
    for (int i = 0; i < d->padded; i += LANES) any |= lanes_above(load(potential + i), s2 * load_floats(least + i));
    return any ? decide(d, step, potential) : 0;
}
