/* The duty cycle. As it is written (literal.c) every step computes all potentials from all weights. Here, with the same spikes:
 *
 *   an image:    changes of D (and F) that wait are made; H = F image for it and for the one before           readout.c, rule->image()
 *     a step:    potential of every neuron from H, y = W z and its bias; somatic inhibition sums what it learns  rule->step()
 *                who fires                                                                                      draw.c
 *                every m steps: biases, stochasticity                                                            homeostasis(), anneal()
 *       spikes:  what was learned since the last ones becomes changes of the matrices, which wait; traces jump   rule->spikes()
 *       none:    everything that decays is multiplied by one number                                              rule->rest()
 *
 * Ranks speak at steps with spikes and once an image; rules with compartments at every step. */
#include <string.h>

#include "dendritic.h"
#include "engram/doubles.h"
#include "engram/memory.h"

void coding_input(const dendritic *d, double fade, double *x) {
    for (int i = 0; i < d->pixels; i++) x[i] = fade * d->image[i] + (1 - fade) * d->image_before[i];
}

void coding_kernel(const dendritic *d, int64_t n, double *first, double *second) {
    const double l = d->lambda, l2 = l * l, power = n < KERNEL ? d->powers[n] : pow(l, (double)n);
    *first = (1 - power) / (1 - l);
    *second = (1 - power * power) / (1 - l2);
}

void coding_tables(dendritic *d) {
    const double fade = ((const image_settings *)config_common(d->config, IMAGES_SECTION))->fade;
    d->fades = memory_new(MEMORY_STATE, (size_t)d->presentation + 1, sizeof(double));
    d->powers = memory_new(MEMORY_STATE, KERNEL, sizeof(double));
    for (int64_t k = 0; k <= d->presentation; k++) d->fades[k] = fade > 0 ? fmin(1, (double)k / (double)d->presentation / fade) : 1;
    for (int n = 0; n < KERNEL; n++) d->powers[n] = pow(d->lambda, n);
}

void coding_reset(dendritic *d) {
    const size_t padded = (size_t)d->padded;
    memset(d->trace, 0, padded * sizeof(double));
    memset(d->inhibition, 0, padded * sizeof(double));
    memset(d->accumulated, 0, padded * sizeof(double));
    memset(d->stamp, 0, padded * sizeof(double));
    memset(d->owed, 0, padded * sizeof(double));
    d->recents = 0;
    d->power = 1;
    d->trace_square = 0;
    d->since = -1;
    if (d->tensor) tensor_reset(d);
    if (d->literal) written_reset(d);
}

/* ---- what waits until its neuron fires ---- */

bool coding_tick(dendritic *d) {
    d->clock *= d->lambda;
    return d->clock < 1.0 / OLDEST;
}

double coding_stamp(const dendritic *d, int k) {
    return (d->lambda * d->power * d->trace[k] + 1) / d->clock;
}

void coding_restart_clock(dendritic *d) {
    for (int j = 0; j < d->padded; j++) d->stamp[j] = d->trace[j] * d->power;
    d->clock = 1;
}

/* ---- an image ---- */

/** The next image, and the one before it. */
static void show(dendritic *d, int64_t number) {
    const regime *regime = &d->regime;
    const int64_t before = regime->first_image + number - 1;
    if (number > 0) {
        double *last = d->image_before;
        d->image_before = d->image;
        d->image = last;
    } else if (!regime->from_rest) images_get(d->images, regime->set, before, d->image_before);
    images_get(d->images, regime->set, regime->first_image + number, d->image);
    if (number == 0 && regime->from_rest) memcpy(d->image_before, d->image, (size_t)d->pixels * sizeof(double));
    d->showing = number;
    if (number == 0) d->seen_image = -1;
    d->before_square = dot(d->image_before, d->image_before, d->pixels);
    d->images_product = dot(d->image_before, d->image, d->pixels);
    d->image_square = dot(d->image, d->image, d->pixels);
    if (d->since < 0) return;
    d->product_now = dot(d->seen, d->image, d->pixels);
    d->product_before = dot(d->seen, d->image_before, d->pixels);
}

/** How far D z is off at the end of an image: what progress shows. Collective. */
static void judge(dendritic *d) {
    exact_sum sum = {0};
    d->sums.images++;
    if (d->literal) {
        d->sums.loss += written_error(d) / (2 * d->inputs);
        return;
    }
    readout_settle(d);
    readout_begin(d);
    for (int tile = 0; tile < d->decoder.mine; tile++) {
        const double *image = d->image + (d->decoder.first + tile) * TILE, *decoded = d->decoder.decoded + tile * TILE;
        lanes square[PIECES];
        for (int p = 0; p < PIECES; p++) {
            const lanes off = load(image + p * LANES) - load(decoded + p * LANES);
            square[p] = off * off;
        }
        sum_add(&sum, across(square));
    }
    if (d->context.ranks > 1) sum = sum_all(&d->context, sum);
    d->sums.loss += sum_value(sum) / (2 * d->inputs);
}

/* ---- a step ---- */

/** README.md 2.5: spikes of this step count in the next update. */
static void homeostasis(dendritic *d) {
    for (int k = 0; k < d->recents; k++) d->bias[d->recent[k]] -= d->regime.homeostasis, d->owed[d->recent[k]] = 0;
    d->recents = 0;
    d->drift += d->regime.homeostasis * (double)d->learning->update_every * d->neuron->rate / 1000 * d->dt;
}

/** README.md 2.6 */
static void anneal(dendritic *d) {
    const double rate = (double)d->learning->update_every * d->neuron->stochasticity_rate * d->dt;
    if (rate == 0) return;
    const double s = d->deviation * d->deviation == d->stochasticity ? d->deviation : sqrt(d->stochasticity); /* the same: a square's root is exact */
    const double next = s + rate * (d->neuron->stochasticity_final - d->stochasticity) / s;
    d->deviation = next;
    d->stochasticity = next * next;
}

static void owe(dendritic *d, int32_t neuron) {
    if (d->recents == d->recent_room) {
        d->recent_room = 2 * d->recents + TILE;
        d->recent = memory_resize(MEMORY_STATE, d->recent, (size_t)d->recent_room, sizeof *d->recent);
    }
    d->recent[d->recents++] = neuron;
}

void coding_owed(dendritic *d) {
    d->recents = 0;
    for (int32_t j = 0; j < d->neurons; j++)
        for (int n = 0; n < (int)d->owed[j]; n++) owe(d, j);
}

static void count(dendritic *d, int spikes) {
    d->sums.spikes += spikes;
    d->sums.events += spikes > 0;
    d->sums.together += spikes > 1 ? spikes : 0;
    for (int k = 0; k < spikes && !d->literal; k++) owe(d, d->spiking[k]), d->owed[d->spiking[k]]++;
}

/** This rank's of the spikes. */
static int own(dendritic *d, int spikes) {
    int mine = 0;
    for (int k = 0; k < spikes; k++)
        if (d->spiking[k] >= d->part.first && d->spiking[k] < d->part.first + d->part.mine) d->fired[mine++] = (int32_t)(d->spiking[k] - d->part.first);
    return mine;
}

void coding_jump(dendritic *d, int count) {
    for (int k = 0; k < count; k++) d->memory[d->spiking[k]] += 1, d->trace[d->spiking[k]] += 1;
    coding_input(d, d->fade, d->seen);
    const double f = d->fade, g = 1 - f;
    d->product_now = f * d->image_square + g * d->images_product;
    d->product_before = f * d->images_product + g * d->before_square;
    d->seen_square = f * d->product_now + g * d->product_before;
    d->seen_image = d->showing;
    d->seen_fade = f;
    d->power = 1;
    d->since = 1;
}

const rule_steps *coding_rule(const dendritic *d) {
    return d->tensor_rule ? &tensor_steps : d->rule == RULE_SOMATIC ? &somatic_steps : &analytic_steps;
}

/** A step, k-th of its image; step counts in the loop. @param[in,out] bits of the pulse @return spikes */
static int advance(dendritic *d, int64_t step, int64_t k, pulse *pulse, unsigned *bits) {
    const rule_steps *rule = coding_rule(d);
    const bool update = d->regime.learns && (d->learning->update_every == 1 || k % d->learning->update_every == 0);
    *bits |= rule->step(d, update, pulse);
    const int spikes = draw_spikes(d, step - 1, d->potential);
    if (update) homeostasis(d), anneal(d);
    if (spikes) *bits |= rule->spikes(d, spikes, pulse);
    else rule->rest(d);
    return spikes;
}

bool coding_images(dendritic *d, int64_t images, pulse *pulse) {
    const rule_steps *rule = coding_rule(d);
    const bool learns = d->regime.learns;
    for (int64_t n = 0; n < images; n++) {
        show(d, n);
        unsigned bits = gather_bits(d, pulse_bits(pulse));
        if (!d->literal) rule->image(d);
        for (int64_t k = 1; k <= d->presentation; k++) {
            const int64_t step = n * d->presentation + k;
            if ((step - 1) % DRAWS == 0) draw_block(d, (step - 1) / DRAWS);
            d->fade = d->fades[k];
            const int spikes = d->literal ? written_step(d, step, k) : advance(d, step, k, pulse, &bits);
            if (learns) count(d, spikes);
            if (bits && !pulse_heed(pulse, bits, step)) return false;
            bits = 0;
            if (d->observer) d->observer(d, n, k, spikes);
            pulse_step(pulse, step, d->fired, own(d, spikes), spikes);
        }
        d->sums.steps += d->presentation;
        if (!d->literal && rule->image_ends) rule->image_ends(d);
        if (learns) judge(d);
        for (int j = 0; j < d->neurons && learns; j++) d->bias[j] += d->drift; /* small numbers stay small */
        if (learns) d->drift = 0;
    }
    return true;
}
