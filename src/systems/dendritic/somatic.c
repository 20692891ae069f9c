/* Rule `somatic`: inhibition W of the soma, Hebbian F (README.md 3.2). W -= e V z' in every update. What that makes of the synapses from neuron k is made up
 * for when k fires: until then z_k is stamp_k clock, with one clock for all, and
 *     W_jk = stored_jk - stamp_k S_j ,  S_j = sum over updates of e clock V_j ,
 * so that an update costs N, and a spike the column of its neuron. F_j, which knows nothing of others, is at any time s F_j + n image + b image_before: three
 * numbers a neuron until the next image comes. */
#include <string.h>

#include "dendritic.h"
#include "engram/doubles.h"

/** F in full. */
static void settle_input(dendritic *d) {
    for (int i = 0; i < d->part.mine; i++) {
        double *F = d->input + (size_t)i * (size_t)d->pixels;
        const lanes scale = all(d->row_scale[i]), now = all(d->row_now[i]), before = all(d->row_before[i]);
        for (int p = 0; p < d->pixels; p += LANES)
            store(F + p, fma_lanes(scale, load(F + p), fma_lanes(now, load(d->image + p), before * load(d->image_before + p))));
        d->row_scale[i] = 1, d->row_now[i] = d->row_before[i] = 0;
    }
}

/** F image, all neurons. Collective. */
static void project(dendritic *d, const double *image, double *product) {
    double *own = d->own;
    for (int i = 0; i < d->part.mine; i++) own[i] = dot(d->input + (size_t)i * (size_t)d->pixels, image, d->pixels);
    gather_rows(d, own, product, 0);
}

static void image(dendritic *d) {
    double *last = d->before;
    d->before = d->now;
    d->now = last;
    if (d->showing == 0) project(d, d->image_before, d->before);
    project(d, d->image, d->now);
}

static unsigned step(dendritic *d, bool update, pulse *pulse) {
    const bool outside = d->neuron->bias == BIAS_OUTSIDE;
    const double e = update ? (double)d->learning->update_every * d->regime.inhibition : 0;
    const lanes fade = all(d->fade), power = all(d->power), unit = all(outside ? d->stochasticity : 1), drift = all(d->drift), quarter = all(0.25);
    const lanes gain = all(e * d->clock), loss = all(-e * d->trace_square * d->power);
    (void)pulse;
    for (int j = 0; j < d->padded; j += LANES) {
        const lanes before = load(d->before + j), y = load(d->inhibition + j), sum = load(d->accumulated + j);
        const lanes V = fma_lanes(power, y, fma_lanes(fade, load(d->now + j) - before, before));
        const lanes autapse = fma_lanes(-sum, load(d->stamp + j), load(d->autapse + j));
        store(d->potential + j, fma_lanes(unit, load(d->bias + j) + drift, fma_lanes(quarter, autapse, V)));
        store(d->accumulated + j, fma_lanes(gain, V, sum));
        store(d->inhibition + j, fma_lanes(loss, V, y));
    }
    return 0;
}

/** All of W and A in full; the clock begins anew. Now and then, as stamps grow without bound. */
static void wind(dendritic *d) {
    const double *S = d->accumulated, *own = S + d->part.first;
    bool learned = false;
    for (int j = 0; j < d->padded; j++) learned = learned || S[j] != 0;
    for (int k = 0; k < d->neurons && learned; k++) {
        double *column = d->weight + (size_t)k * (size_t)d->mine_padded;
        for (int i = 0; i < d->mine_padded && d->stamp[k] != 0; i += LANES) store(column + i, fma_lanes(all(-d->stamp[k]), load(own + i), load(column + i)));
    }
    for (int j = 0; j < d->padded; j += LANES) store(d->autapse + j, fma_lanes(-load(S + j), load(d->stamp + j), load(d->autapse + j)));
    memset(d->accumulated, 0, (size_t)d->padded * sizeof(double));
    coding_restart_clock(d);
}

static void rest(dendritic *d) {
    d->power *= d->lambda;
    if (d->since >= 0) d->since++;
    if (coding_tick(d)) wind(d);
}

/** The @p count neurons in d->spiking fire: their columns as they are now act, and what their traces are from now on goes into what is stored. Collective.
 *  @return bits of all ranks */
static unsigned act(dendritic *d, int count, unsigned bits) {
    const double *S = d->accumulated, *own_sum = S + d->part.first;
    double *own = d->context.ranks > 1 ? d->own : d->column;
    memset(own, 0, (size_t)d->mine_padded * sizeof(double));
    for (int s = 0; s < count; s++) {
        const int k = d->spiking[s];
        const double stamp = coding_stamp(d, k);
        const lanes old = all(-d->stamp[k]), more = all(stamp - d->stamp[k]);
        double *column = d->weight + (size_t)k * (size_t)d->mine_padded;
        for (int i = 0; i < d->mine_padded; i += LANES) {
            const lanes sum = load(own_sum + i), stored = load(column + i);
            store(own + i, load(own + i) + fma_lanes(old, sum, stored));
            store(column + i, fma_lanes(more, sum, stored));
        }
        d->autapse[k] += (stamp - d->stamp[k]) * S[k];
        d->stamp[k] = stamp;
    }
    return d->context.ranks > 1 ? gather_rows(d, own, d->column, bits) : bits;
}

/** F_j = (1 - c z0^2) F_j + a z0 x0, and H with it. */
static void learn_input(dendritic *d, double S1, double S2) {
    const double a = d->regime.input * S1, c = d->regime.input * S2;
    const bool same = d->seen_image == d->showing;
    for (int j = 0; j < d->padded; j += LANES) {
        const lanes z = load(d->memory + j), gain = all(a) * z, keep = all(1) - all(c) * z * z;
        store(d->now + j, fma_lanes(keep, load(d->now + j), gain * all(d->product_now)));
        store(d->before + j, fma_lanes(keep, load(d->before + j), gain * all(d->product_before)));
    }
    const double *memory = d->memory + d->part.first;
    if (same) {
        double *restrict scale = d->row_scale, *restrict now = d->row_now, *restrict before = d->row_before;
        for (int i = 0; i < d->part.mine; i++) {
            const double z = memory[i], gain = a * z, keep = 1 - c * z * z;
            scale[i] *= keep;
            now[i] = keep * now[i] + gain * d->seen_fade;
            before[i] = keep * before[i] + gain * (1 - d->seen_fade);
        }
        return;
    }
    for (int i = 0; i < d->part.mine; i++) { /* the first spikes of this image: nothing waits */
        const double z = memory[i], gain = a * z, keep = 1 - c * z * z;
        double *F = d->input + (size_t)i * (size_t)d->pixels;
        for (int p = 0; p < d->pixels; p += LANES) store(F + p, fma_lanes(all(keep), load(F + p), all(gain) * load(d->seen + p)));
    }
}

static unsigned spikes(dendritic *d, int count, pulse *pulse) {
    const lanes power = all(d->power), lambda = all(d->lambda);
    const bool old = coding_tick(d);
    if (old) wind(d);
    if (d->regime.learns && d->since >= 0) {
        double S1, S2;
        coding_kernel(d, d->since + 1, &S1, &S2);
        readout_push(d, d->regime.decoder * S1, d->regime.decoder * S2, d->seen, d->memory);
        learn_input(d, S1, S2);
    }
    const unsigned bits = act(d, count, d->context.ranks > 1 ? pulse_bits(pulse) : 0);
    for (int j = 0; j < d->padded; j += LANES) {
        const lanes z = power * load(d->trace + j);
        store(d->memory + j, z);
        store(d->trace + j, lambda * z);
        store(d->inhibition + j, fma_lanes(lambda, power * load(d->inhibition + j), load(d->column + j)));
    }
    coding_jump(d, count);
    d->trace_square = dot(d->trace, d->trace, d->padded);
    if (old) coding_restart_clock(d);
    return bits;
}

static void settle_image(dendritic *d) {
    settle_input(d);
}

static void settle(dendritic *d) {
    wind(d);
    settle_input(d);
    readout_settle(d);
    inhibition_autapses(d);
}

const rule_steps somatic_steps = {.image = image, .step = step, .spikes = spikes, .rest = rest, .image_ends = settle_image, .settle = settle};
