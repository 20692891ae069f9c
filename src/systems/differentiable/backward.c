/* A tile backwards (README.md 4), in stretches of BLOCK steps from the last one on:
 *
 *   1. s, F and v of the stretch again, from what was kept at its begin and the voltages (replay())
 *   2. step by step back: adjoints of voltages and currents (retreat()), and what comes back through synapses and readouts (add_product())
 *   3. outer products of slopes and sources, over all steps of the stretch (add_outer())
 *
 * Slopes are those of one sample's cost: whoever sums them divides by the batch. */
#include "passes.h"

typedef struct { float a, c, af, cf, dt, lambda, limit; } rates;

static rates rates_of(const shape *shape) {
    const double a = exp(-shape->dt / shape->tau), af = exp(-shape->dt / shape->tau_fast);
    return (rates){.a = (float)a, .c = (float)((1 - a) / shape->dt), .af = (float)af, .cf = (float)((1 - af) / shape->dt), .dt = (float)shape->dt,
                   .lambda = (float)(shape->dt * shape->lambda), .limit = (float)shape->limit};
}

static void set_output_slopes(tile *tile) {
    const shape *shape = tile->shape;
    for (int k = 0; k < shape->steps; k++) {
        for (int r = 0; r < shape->outputs; r++)
            EACH_STRIP(l) {
                const size_t at = ((size_t)k * (size_t)shape->outputs + (size_t)r) * LANES + (size_t)l;
                const reals weight = (float)shape->dt * reals_at(tile->weight + (size_t)k * LANES + l);
                reals_put(tile->output + at, weight * (reals_at(tile->output + at) - reals_at(tile->target + at)));
            }
    }
}

/** 1. of steps from .. to - 1, of which K may be the last: only s, F and the readouts' slopes are of it. */
static void replay(tile *tile, int from, int to) {
    const shape *shape = tile->shape;
    const model *m = &shape->model;
    const zone zone = zone_of(m);
    const rates by = rates_of(shape);
    const size_t N = (size_t)shape->neurons, kept = (size_t)shape->inputs_at * LANES, shown = (size_t)shape->inputs * LANES;
    const size_t columns = (size_t)shape->columns * LANES, rows = (size_t)shape->rows * LANES, padded = (size_t)shape->padded * LANES;
    const size_t read = (size_t)shape->outputs * LANES;
    memcpy(tile->scratch->sources, tile->kept + (size_t)(from / BLOCK) * kept, kept * sizeof(float));
    for (int k = from; k < to; k++) {
        float *x = tile->scratch->sources + (size_t)(k - from) * columns, *slope = tile->scratch->slopes + (size_t)(k - from) * rows;
        float *v = tile->scratch->voltage + (size_t)(k - from) * padded;
        memset(x + kept, 0, columns * sizeof *x - kept * sizeof *x), memset(slope, 0, rows * sizeof *slope);
        if (k > 0) memcpy(slope + padded, tile->output + (size_t)(k - 1) * read, read * sizeof *slope);
        if (k == shape->steps) break;
        memcpy(x + kept, tile->input + (size_t)k * shown, shown * sizeof *x);
        EACH_STRIP(l) reals_put(x + kept + shown + l, reals_all(1));
        const float *u = tile->u + (size_t)k * N * LANES, *before = k ? u - N * LANES : u;
        const float *I_before = k && m->exact_reset ? tile->current + (size_t)(k - 1) * N * LANES : before; /* used by event-accurate resets only */
        for (size_t at = 0; at < N * LANES; at += STRIP) {
            const reals voltage = k ? after_reset(m, &zone, reals_at(before + at), reals_at(I_before + at)) : reals_at(tile->start + at);
            reals_put(v + at, voltage);
            if (k + 1 == to) continue;
            const reals q = charge_in(&zone, reals_at(u + at)) - charge_in(&zone, voltage);
            reals_put(x + columns + at, by.a * reals_at(x + at) + by.c * q);
            if (shape->fast) reals_put(x + columns + padded + at, by.af * reals_at(x + padded + at) + by.cf * q);
        }
    }
}

/** Event-accurate resets: what comes back beside the translation. @param[in,out] back vh times kappa @return slope in the current */
static reals of_reset(const model *m, reals crossed, reals u, reals I, reals *back) {
    const float per_tau = (float)(1 / m->tau);
    const reals at_threshold = I - per_tau, vh = *back;
    *back = choose(crossed != 0, I / at_threshold * vh, vh);
    return keep(crossed != 0, -per_tau / (at_threshold * at_threshold) * vh * (u - crossed));
}

/** 2. @param place of step k in the stretch */
static inline __attribute__((always_inline)) void retreat(tile *tile, int k, int place, model_kind kind) {
    const shape *shape = tile->shape;
    const model *m = &shape->model;
    const zone zone = zone_of(m);
    const rates by = rates_of(shape);
    const size_t padded = (size_t)shape->padded * LANES, at = (size_t)k * (size_t)shape->neurons * LANES;
    const unsigned used = used_lanes(tile);
    const float lif = 1 - (float)(shape->dt / m->tau);
    const float *s = tile->scratch->sources + (size_t)place * (size_t)shape->columns * LANES, *v = tile->scratch->voltage + (size_t)place * padded;
    float *slope = tile->scratch->slopes + (size_t)place * (size_t)shape->rows * LANES;
    float *vh = tile->scratch->adjoints, *sh = vh + padded, *Fh = sh + padded;
    float cost[LANES] = {0};
    for (int l = 0; l < tile->samples; l++) cost[l] = by.lambda;
    for (size_t i = 0; i < (size_t)shape->neurons * LANES; i += STRIP) {
        const int l = (int)(i % LANES);
        const reals u = reals_at(tile->u + at + i);
        reals Q = by.c * reals_at(sh + i), back = reals_at(vh + i), more = reals_all(0);
        if (shape->fast) Q += by.cf * reals_at(Fh + i);
        if (kind == MODEL_LIF && m->exact_reset) more = of_reset(m, crossing_in(&zone, u), u, reals_at(tile->current + at + i), &back);
        reals pi = back + gate_in(&zone, u) * Q;
        if (by.limit < INFINITY) {
            const whole above = pi > by.limit, below = pi < -by.limit;
            const unsigned cut = mask_of(above | below, l) & used;
            if (cut) {
                tile->cut += __builtin_popcount(cut);
                pi = choose(above, reals_all(by.limit), choose(below, reals_all(-by.limit), pi));
            }
        }
        reals e = by.dt * pi, left = pi;
        if (kind == MODEL_LIF) e += more, left = lif * pi;
        if (kind == MODEL_THETA) e = reals_at(tile->by_current + at + i) * pi, left = reals_at(tile->by_voltage + at + i) * pi;
        reals_put(slope + i, e);
        reals_put(vh + i, left - gate_in(&zone, reals_at(v + i)) * Q);
        reals_put(sh + i, by.a * reals_at(sh + i) + reals_at(cost + l) * reals_at(s + i));
        if (shape->fast) reals_put(Fh + i, by.af * reals_at(Fh + i));
    }
}

/** What comes back through synapses and readouts in a step. */
static void deliver(tile *tile, int place) {
    const shape *shape = tile->shape;
    const int padded = shape->padded, groups = padded / ROWS;
    const float *slope = tile->scratch->slopes + (size_t)place * (size_t)shape->rows * LANES;
    float *sh = tile->scratch->adjoints + padded * LANES, *Fh = sh + padded * LANES;
    const int skipped = shape->slow ? 0 : padded;
    add_product(tile->matrices->back, groups, shape->rows - skipped, slope + skipped * LANES, sh);
    if (shape->fast) add_product(tile->matrices->back_fast, groups, padded, slope, Fh);
}

/** Behind the last step: what s_K costs. */
static void begin(tile *tile, int place) {
    const shape *shape = tile->shape;
    const float *s = tile->scratch->sources + (size_t)place * (size_t)shape->columns * LANES;
    float *sh = tile->scratch->adjoints + shape->padded * LANES;
    for (int i = 0; i < shape->neurons; i++)
        for (int l = 0; l < tile->samples; l++) sh[i * LANES + l] = (float)(shape->dt * shape->lambda) * s[i * LANES + l];
}

void differentiable_tile_backward(tile *tile) {
    const unsigned subnormals = subnormals_vanish();
    const shape *shape = tile->shape;
    scratch *scratch = tile->scratch;
    const int K = shape->steps;
    set_output_slopes(tile);
    tile->cut = 0;
    memset(scratch->gradient, 0, (size_t)shape->rows * (size_t)shape->columns * sizeof(float));
    memset(scratch->adjoints, 0, 3 * (size_t)shape->padded * LANES * sizeof(float));
    for (int from = K / BLOCK * BLOCK; from >= 0; from -= BLOCK) {
        const int to = from + BLOCK <= K ? from + BLOCK : K + 1;
        replay(tile, from, to);
        for (int k = to - 1; k >= from; k--) {
            if (k == K) begin(tile, k - from);
            else if (shape->model.kind == MODEL_NIF) retreat(tile, k, k - from, MODEL_NIF);
            else if (shape->model.kind == MODEL_LIF) retreat(tile, k, k - from, MODEL_LIF);
            else retreat(tile, k, k - from, MODEL_THETA);
            deliver(tile, k - from);
        }
        const outer outer = {.slopes = scratch->slopes, .sources = scratch->sources, .steps = to - from, .slope_stride = shape->rows,
                             .source_stride = shape->columns, .gradient = scratch->gradient, .gradient_stride = shape->columns};
        add_outer(&outer, 0, shape->padded, shape->first, shape->columns);
        add_outer(&outer, shape->padded, shape->rows, 0, shape->padded);
    }
    subnormals_as(subnormals);
}
