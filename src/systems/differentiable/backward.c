/* A tile backwards (README.md 4), in stretches of BLOCK steps from the last one on:
 *
 *   1. s, v and charges of the stretch again, from what was kept at its begin and the voltages (replay())
 *   2. step by step back: adjoints of voltages (retreat()), and what comes back through synapses and readouts (fade(), collect()). As sh = W' eh + ..,
 *      eh_k = a eh_k+1 + e_k, sh is made where it is asked for alone: of neurons in the zone
 *   3. gradients: of W and O charges times eh, as dW = sum e_k s_k' = c sum eh_k+1 q_k' (add_gradient()); of U and Io outer products (add_outer())
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

/** What the step that leads to slot @p p of a stretch released, and where it needs to know what that is worth. @param u, v [N][LANES] of that step */
static void discharge(tile *tile, int p, const float *u, const float *v) {
    const zone zone = zone_of(&tile->shape->model);
    const int N = tile->shape->neurons;
    float *charge = tile->scratch->charge + (size_t)p * (size_t)N * LANES;
    for (int i = 0; i < N; i++) {
        unsigned charged = 0, gated = 0;
        EACH_STRIP(l) {
            const reals above = reals_at(u + i * LANES + l), below = reals_at(v + i * LANES + l), q = charge_in(&zone, above) - charge_in(&zone, below);
            reals_put(charge + i * LANES + l, q);
            charged |= mask_of(q != 0, l), gated |= mask_of((gate_in(&zone, above) != 0) | (gate_in(&zone, below) != 0), l);
        }
        tile->scratch->charged[(size_t)p * (size_t)N + (size_t)i] = (uint16_t)charged;
        tile->scratch->gated[(size_t)p * (size_t)N + (size_t)i] = (uint16_t)gated;
    }
}

/** v_k. */
static void voltages_at(const tile *tile, int k, float *v) {
    const model *m = &tile->shape->model;
    const zone zone = zone_of(m);
    const size_t N = (size_t)tile->shape->neurons * LANES;
    if (k == 0) {
        memcpy(v, tile->start, N * sizeof *v);
        return;
    }
    const float *u = tile->u + (size_t)(k - 1) * N, *I = m->exact_reset ? tile->current + (size_t)(k - 1) * N : u; /* used by event-accurate resets only */
    for (size_t at = 0; at < N; at += STRIP) reals_put(v + at, after_reset(m, &zone, reals_at(u + at), reals_at(I + at)));
}

/** 1. of steps from .. to - 1, of which K may be the last: only s and charges are of it. */
static void replay(tile *tile, int from, int to) {
    const shape *shape = tile->shape;
    scratch *scratch = tile->scratch;
    const rates by = rates_of(shape);
    const size_t N = (size_t)shape->neurons * LANES, shown = (size_t)shape->shown * LANES, given = (size_t)shape->inputs * LANES;
    memcpy(scratch->s, tile->kept + (size_t)(from / BLOCK) * N, N * sizeof(float));
    if (from == 0) {
        memset(scratch->charged, 0, (size_t)shape->neurons * sizeof *scratch->charged);
        memset(scratch->gated, 0, (size_t)shape->neurons * sizeof *scratch->gated);
    } else { /* v of the step before stands where the last v of the stretch will stand */
        float *before = scratch->voltage + (BLOCK - 1) * N;
        voltages_at(tile, from - 1, before);
        discharge(tile, 0, tile->u + (size_t)(from - 1) * N, before);
    }
    for (int k = from; k < to; k++) {
        const size_t p = (size_t)(k - from);
        float *s = scratch->s + p * N, *v = scratch->voltage + p * N;
        if (k > from) {
            discharge(tile, (int)p, tile->u + (size_t)(k - 1) * N, v - N);
            for (size_t at = 0; at < N; at += STRIP) reals_put(s + at, by.a * reals_at(s - N + at) + by.c * reals_at(scratch->charge + p * N + at));
        }
        if (k == shape->steps) break;
        voltages_at(tile, k, v);
        float *x = scratch->shown + p * shown;
        memset(x, 0, shown * sizeof *x);
        memcpy(x, tile->input + (size_t)k * given, given * sizeof *x);
        EACH_STRIP(l) reals_put(x + given + l, reals_all(1));
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
    const scratch *scratch = tile->scratch;
    const size_t N = (size_t)shape->neurons * LANES, at = (size_t)k * N;
    const unsigned used = used_lanes(tile);
    const float lif = 1 - (float)(shape->dt / m->tau);
    const float *s = scratch->s + (size_t)place * N, *v = scratch->voltage + (size_t)place * N;
    float *slope = scratch->slopes + (size_t)place * (size_t)shape->padded * LANES, *vh = scratch->adjoints, *sh = vh + N;
    float cost[LANES] = {0};
    for (int l = 0; l < tile->samples; l++) cost[l] = by.lambda;
    for (size_t i = 0; i < (size_t)shape->neurons * LANES; i += STRIP) {
        const int l = (int)(i % LANES);
        const reals u = reals_at(tile->u + at + i);
        reals Q = by.c * (reals_at(sh + i) + reals_at(scratch->returned.slow + i)), back = reals_at(vh + i), more = reals_all(0);
        if (shape->fast) Q += by.cf * reals_at(scratch->returned.fast + i);
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
    }
}

/** eh of lines of posts, from that of the step behind. */
static void fade(float *lines, float a, const float *slope, size_t floats) {
    for (size_t at = 0; at < floats; at += STRIP) reals_put(lines + at, a * reals_at(lines + at) + reals_at(slope + at));
}

/** What comes back to s_k or F_k through synapses, and readouts, where step k - 1 asks for it; and lines in bands for that, and for the gradient. */
static void collect(const tile *tile, int place, const float *weight, int posts, const float *lines, float *banded, float *returned) {
    const int N = tile->shape->neurons;
    sparse_turn(lines, LANES, posts, banded + place * LANES * SPARSE_BAND, BANDED);
    memset(returned, 0, (size_t)N * LANES * sizeof *returned);
    const sparse_slopes slopes = {.weight = weight, .weight_stride = (size_t)N * SPARSE_BAND, .slope = banded + place * LANES * SPARSE_BAND,
                                  .slope_stride = BANDED, .posts = posts};
    sparse_back(&slopes, tile->scratch->gated + (size_t)place * (size_t)N, N, returned);
}

/** 2. Of step k, whose slopes are known. */
static void deliver(tile *tile, int k, int place) {
    const shape *shape = tile->shape;
    const rates by = rates_of(shape);
    scratch *scratch = tile->scratch;
    const size_t padded = (size_t)shape->padded * LANES, read = (size_t)shape->outputs * LANES;
    const float *slope = scratch->slopes + (size_t)place * padded;
    if (shape->slow) fade(scratch->arriving.slow, by.a, slope, padded);
    if (k > 0) fade(scratch->arriving.slow + shape->readouts_at * LANES, by.a, tile->output + (size_t)(k - 1) * read, read);
    collect(tile, place, tile->matrices->slow, shape->slow_posts, scratch->arriving.slow, scratch->banded.slow, scratch->returned.slow);
    if (!shape->fast) return;
    fade(scratch->arriving.fast, by.af, slope, padded);
    collect(tile, place, tile->matrices->fast, shape->fast_posts, scratch->arriving.fast, scratch->banded.fast, scratch->returned.fast);
}

/** Behind the last step: what s_K costs. */
static void begin(tile *tile, int place) {
    const shape *shape = tile->shape;
    const size_t N = (size_t)shape->neurons * LANES;
    const float *s = tile->scratch->s + (size_t)place * N;
    float *sh = tile->scratch->adjoints + N;
    memset(tile->scratch->slopes + (size_t)(place * shape->padded) * LANES, 0, (size_t)shape->padded * LANES * sizeof(float));
    for (int i = 0; i < shape->neurons; i++)
        for (int l = 0; l < tile->samples; l++) sh[i * LANES + l] = (float)(shape->dt * shape->lambda) * s[i * LANES + l];
}

/** Charges of a stretch by neuron, of each in the order of steps and lanes. */
static void sort_charges(tile *tile, int steps) {
    scratch *scratch = tile->scratch;
    const size_t N = (size_t)tile->shape->neurons;
    int count = 0;
    for (size_t i = 0; i < N; i++) {
        scratch->event_start[i] = count;
        for (size_t p = 0; p < (size_t)steps; p++)
            for (unsigned lanes = scratch->charged[p * N + i]; lanes; lanes &= lanes - 1) {
                const size_t lane = (size_t)__builtin_ctz(lanes);
                scratch->place[count] = (uint16_t)(p * LANES + lane), scratch->event[count++] = scratch->charge[(p * N + i) * LANES + lane];
            }
    }
    scratch->event_start[N] = count;
}

/** 3. of synapses onto posts. @param c of s or F @param[in,out] gradient as a matrix of sparse.h */
static void add_gradient(const tile *tile, int posts, const float *banded, float c, float *gradient) {
    const scratch *scratch = tile->scratch;
    for (int band = 0; band < sparse_bands(posts); band++) {
        const int at = band * SPARSE_BAND, width = sparse_width(posts, band);
        for (int j = 0; j < tile->shape->neurons; j++) {
            const int first = scratch->event_start[j], events = scratch->event_start[j + 1] - first;
            float sum[SPARSE_BAND], *G = gradient + sparse_at(tile->shape->neurons, j, at);
            if (!events) continue;
            sparse_gradient(banded + (size_t)band * BANDED, scratch->place + first, scratch->event + first, events, width, sum);
            for (int p = 0; p < width; p++) G[p] += c * sum[p];
        }
    }
}

/** 3. */
static void end_stretch(tile *tile, int steps, int currents) {
    const shape *shape = tile->shape;
    const rates by = rates_of(shape);
    const scratch *scratch = tile->scratch;
    const outer outer = {.slopes = scratch->slopes, .sources = scratch->shown, .steps = currents, .slope_stride = shape->padded, .source_stride = shape->shown,
                         .gradient = scratch->shown_gradient, .gradient_stride = shape->shown};
    sort_charges(tile, steps);
    add_gradient(tile, shape->slow_posts, scratch->banded.slow, by.c, scratch->gradient.slow);
    if (shape->fast) add_gradient(tile, shape->fast_posts, scratch->banded.fast, by.cf, scratch->gradient.fast);
    add_outer(&outer, 0, shape->padded, 0, shape->shown);
}

static void clear(const tile *tile) {
    const shape *shape = tile->shape;
    const scratch *scratch = tile->scratch;
    const int N = shape->neurons;
    const size_t padded = (size_t)shape->padded;
    const struct { float *from; size_t count; } arrays[] = {
        {scratch->gradient.slow, sparse_floats(N, shape->slow_posts)}, {scratch->gradient.fast, sparse_floats(N, shape->fast_posts)},
        {scratch->shown_gradient, padded * (size_t)shape->shown},
        {scratch->arriving.slow, (size_t)shape->slow_posts * LANES}, {scratch->arriving.fast, (size_t)shape->fast_posts * LANES},
        {scratch->adjoints, 2 * (size_t)N * LANES},
        {scratch->slopes, BLOCK * padded * LANES}};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++)
        if (arrays[k].count) memset(arrays[k].from, 0, arrays[k].count * sizeof(float));
}

void differentiable_tile_backward(tile *tile) {
    const unsigned subnormals = subnormals_vanish();
    const shape *shape = tile->shape;
    const int K = shape->steps;
    set_output_slopes(tile);
    tile->cut = 0;
    clear(tile);
    for (int from = K / BLOCK * BLOCK; from >= 0; from -= BLOCK) {
        const int to = from + BLOCK <= K ? from + BLOCK : K + 1;
        replay(tile, from, to);
        for (int k = to - 1; k >= from; k--) {
            if (k == K) begin(tile, k - from);
            else if (shape->model.kind == MODEL_NIF) retreat(tile, k, k - from, MODEL_NIF);
            else if (shape->model.kind == MODEL_LIF) retreat(tile, k, k - from, MODEL_LIF);
            else retreat(tile, k, k - from, MODEL_THETA);
            deliver(tile, k, k - from);
        }
        end_stretch(tile, to - from, to > K ? K - from : to - from);
    }
    subnormals_as(subnormals);
}
