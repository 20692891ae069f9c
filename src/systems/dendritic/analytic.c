/* Rule `dendritic`: inhibition on every compartment in closed form, W = -F D with D = F' (README.md 3.3). Between two spikes nothing is stored but one power
 * of lambda. At a spike F += z0 g' with g = a x0 - c F' z0 (x0, z0: what was seen and traced at the spike before), hence, without any work of size M but on D,
 *     F x0 changes y, H and A by  v = F g + g.g/2 z0 = a F x0 + c W z0 + g.g/2 z0 :  W -= v z0' + z0 v' ;  H += z0 (g.image) */
#include <string.h>

#include "dendritic.h"
#include "engram/doubles.h"

static void image(dendritic *d) {
    double *last = d->before;
    readout_settle(d);
    d->before = d->now;
    d->now = last;
    if (d->showing == 0) readout_project(d, d->image_before, d->before, 0);
    readout_project(d, d->image, d->now, 0);
}

static unsigned step(dendritic *d, bool update, pulse *pulse) {
    const bool outside = d->neuron->bias == BIAS_OUTSIDE;
    const lanes fade = all(d->fade), power = all(d->power), unit = all(outside ? d->stochasticity : 1), drift = all(d->drift), quarter = all(0.25);
    (void)update, (void)pulse;
    for (int j = 0; j < d->padded; j += LANES) {
        const lanes before = load(d->before + j);
        const lanes V = fma_lanes(power, load(d->inhibition + j), fma_lanes(fade, load(d->now + j) - before, before));
        store(d->potential + j, fma_lanes(unit, load(d->bias + j) + drift, fma_lanes(quarter, load(d->autapse + j), V)));
    }
    return 0;
}

static void rest(dendritic *d) {
    d->power *= d->lambda;
    if (d->since >= 0) d->since++;
}

/** F and all that is made of it, at a spike. */
static void learn(dendritic *d) {
    const int n = d->padded;
    double S1, S2, *v = d->accumulated; /* of somatic only: scratch here */
    coding_kernel(d, d->since + 1, &S1, &S2);
    const double a = d->regime.decoder * S1, c = d->regime.decoder * S2, *z0 = d->memory;
    const double square = a * a * d->seen_square - 2 * a * c * dot(z0, d->driven, n) - c * c * dot(z0, d->inhibited, n);
    for (int j = 0; j < n; j += LANES)
        store(v + j, fma_lanes(all(a), load(d->driven + j), fma_lanes(all(c), load(d->inhibited + j), all(square / 2) * load(z0 + j))));
    const double z0z = dot(z0, d->trace, n), vz = dot(v, d->trace, n); /* y is in the same power */
    const double now = a * d->product_now - c * dot(z0, d->now, n), before = a * d->product_before - c * dot(z0, d->before, n);
    for (int j = 0; j < n; j += LANES) {
        const lanes z = load(z0 + j), vj = load(v + j);
        store(d->now + j, fma_lanes(z, all(now), load(d->now + j)));
        store(d->before + j, fma_lanes(z, all(before), load(d->before + j)));
        store(d->inhibition + j, fma_lanes(vj, all(-z0z), fma_lanes(z, all(-vz), load(d->inhibition + j))));
        store(d->autapse + j, fma_lanes(vj * all(-2), z, load(d->autapse + j)));
    }
    if (d->weight) inhibition_push(d, v, z0);
    readout_push(d, a, c, d->seen, z0);
}

static unsigned spikes(dendritic *d, int count, pulse *pulse) {
    const lanes power = all(d->power), lambda = all(d->lambda), fade = all(d->fade);
    if (d->regime.learns && d->since >= 0) learn(d);
    const unsigned own = d->context.ranks > 1 ? pulse_bits(pulse) : 0;
    const unsigned bits = d->weight ? inhibition_columns(d, count, own) : readout_columns(d, count, own);
    for (int j = 0; j < d->padded; j += LANES) {
        const lanes z = power * load(d->trace + j), y = power * load(d->inhibition + j), column = load(d->column + j), before = load(d->before + j);
        store(d->memory + j, z);
        store(d->trace + j, lambda * z);
        store(d->inhibited + j, y + column);
        store(d->inhibition + j, fma_lanes(lambda, y, column));
        store(d->driven + j, fma_lanes(fade, load(d->now + j) - before, before));
    }
    coding_jump(d, count);
    return bits;
}

static void settle(dendritic *d) {
    readout_settle(d);
    if (d->weight) inhibition_autapses(d);
    else readout_restart(d);
}

const rule_steps analytic_steps = {.image = image, .step = step, .spikes = spikes, .rest = rest, .settle = settle};
