/* A tile's backward pass (README.md 3): the exact transpose of forward.c with psi for dz/dvbar. Steps t = T .. 0, in segments of SEGMENT steps aligned at
 * multiples of it; in a segment a post's slopes in J lie one behind the other, those of the D steps after it behind them.
 *
 *   each step   readouts: q = kappa q + slope/read_steps where they are read ; slope in their J: (1 - kappa) q
 *               neurons: from v_t, Th_{t+1} that were kept,  q = zh psi_t/Th ; Thh = -z_t vh - q v/Th ; b1 = bh + beta Thh ;
 *                        slope in J: (1 - alpha) vh ; zh = rate_slope - Th vh + (1 - rho) b1 ; vh = alpha vh + q ; bh = rho b1
 *               zh += what comes back through synapses, where psi_{t-1} is not 0: elsewhere it is never used
 *   each segment  gradient of every synapse: slopes in J of its post, at the steps its spikes arrive                                       segment.c
 */
#include "engram/memory.h"
#include "passes.h"

typedef struct {
    float *vh, *bh, *zh;          /* [N][LANES] */
    float *q;                     /* [outputs][LANES] */
    const float *voltage, *threshold; /* ends of what is still to be read */
} slopes;

/** Neurons of one kind; known where they are passed. */
typedef struct { int from, to; bool adapts, resets; } stretch;

/** A stretch of neurons at step t, the last first. */
static inline __attribute__((always_inline)) void retreat(const tile *tile, int t, int tau, const stretch kind, slopes *s) {
    const shape *shape = tile->shape;
    const size_t N = (size_t)shape->neurons;
    const int window = window_of(shape);
    const uint16_t *z = tile->history.spikes + (size_t)t * N, *active = tile->history.active + (size_t)t * N;
    const reals alpha = reals_all((float)shape->alpha), beta = reals_all((float)shape->beta), one = reals_all(1);
    const reals gamma = reals_all((float)shape->gamma), up = reals_all((float)(1 - shape->alpha));
    reals rho = reals_all((float)shape->rho), more = reals_all((float)(1 - shape->rho));
    for (int j = kind.to - 1; j >= kind.from; j--) {
        const unsigned p = active[j], kept = p | (kind.adapts && t > 0 ? active[(ptrdiff_t)j - (ptrdiff_t)N] : 0);
        float voltage[LANES], threshold[LANES];
        s->voltage -= __builtin_popcount(p);
        spread(s->voltage, p, 0, voltage);
        if (kind.adapts) {
            if (shape->decay) rho = reals_all(shape->decay[2 * j]), more = reals_all(shape->decay[2 * j + 1]);
            s->threshold -= __builtin_popcount(kept);
            spread(s->threshold, kept, 1, threshold); /* 1: never used */
        }
        float *window_j = tile->scratch->window + ((size_t)j * (size_t)window + (size_t)tau) * LANES;
        EACH_STRIP(l) {
            float *bh = s->bh + j * LANES + l, *zh = s->zh + j * LANES + l;
            const reals v = reals_at(voltage + l), Th = kind.adapts ? reals_at(threshold + l) : reals_all((float)shape->threshold), inverse = one / Th;
            const reals x = v * inverse, bend = one - magnitude(x - one);
            const reals q = keep(lanes_of(p, l), reals_at(zh) * gamma * bend * inverse), vh = reals_at(s->vh + j * LANES + l);
            const reals Thh = kind.resets ? -keep(lanes_of(z[j], l), vh) - q * x : -q * x;
            const reals b1 = kind.adapts ? reals_at(bh) + beta * Thh : reals_all(0);
            reals_put(window_j + l, up * vh);
            reals_put(zh, (kind.resets ? reals_all(tile->rate_slope[j]) - Th * vh : reals_all(tile->rate_slope[j])) + more * b1);
            reals_put(s->vh + j * LANES + l, alpha * vh + q);
            if (kind.adapts) reals_put(bh, rho * b1);
        }
    }
}

static void retreat_neurons(const tile *tile, int t, int tau, slopes *s) {
    const slice *slice = tile->slice;
    const int fixed = tile->shape->neurons - tile->shape->adaptive, first = slice->first, next = slice_to(slice, tile->shape->neurons);
    const int middle = first > fixed ? first : slice_to(slice, fixed);
    if (tile->mode == BACKWARD_NO_RESET) {
        retreat(tile, t, tau, (stretch){middle, next, true, false}, s);
        retreat(tile, t, tau, (stretch){first, middle, false, false}, s);
    } else {
        retreat(tile, t, tau, (stretch){middle, next, true, true}, s);
        retreat(tile, t, tau, (stretch){first, middle, false, true}, s);
    }
}

static void retreat_readouts(const tile *tile, int t, int tau, slopes *s) {
    const shape *shape = tile->shape;
    const float kappa = (float)shape->kappa, rest = 1 - kappa, share = 1.0f / (float)shape->read_steps;
    const float *slope = tile->slope + (t > shape->first_read ? (t - shape->first_read - 1) / shape->read_steps * shape->outputs * LANES : 0);
    for (int o = 0; o < shape->outputs; o++) { /* all of them, on every rank */
        float *window = tile->scratch->window + ((size_t)(shape->neurons + o) * (size_t)window_of(shape) + (size_t)tau) * LANES;
        EACH_STRIP(l) {
            reals q = reals_all(kappa) * reals_at(s->q + o * LANES + l);
            if (t > shape->first_read) q += reals_all(share) * reals_at(slope + o * LANES + l);
            reals_put(s->q + o * LANES + l, q);
            reals_put(window + l, reals_all(rest) * q);
        }
    }
}

/** What comes back to z_t through synapses, of neurons, and with full matrices of samples, that can use it. */
static void collect(const tile *tile, int t, int tau, slopes *s) {
    const shape *shape = tile->shape;
    const synapse_rows *rows = &tile->synapses->backward;
    const uint16_t *active = tile->history.active + (size_t)(t - 1) * (size_t)shape->neurons;
    const float *window = tile->scratch->window + (size_t)tau * LANES;
    if (shape->full) {
        const int j = tile->slice->first;
        const sparse_slopes slopes = {.weight = tile->synapses->full + sparse_at(shape->neurons, j, 0), .weight_stride = (size_t)shape->neurons * SPARSE_BAND,
                                      .slope = tile->scratch->banded + tau * LANES * SPARSE_BAND, .slope_stride = BANDED, .posts = shape->posts};
        sparse_back(&slopes, active + j, slice_to(tile->slice, shape->neurons) - j, s->zh + j * LANES);
        return;
    }
    for (int n = 0; n < shape->neurons; n++) {
        const int j = tile->synapses->order[n];
        if (j < tile->slice->first || j >= tile->slice->next || !active[j]) continue;
        const int first = rows->start[shape->inputs + j], next = rows->start[shape->inputs + j + 1];
        float *zh = s->zh + j * LANES;
        reals sum[4][STRIPS] = {{reals_all(0)}};
        EACH_STRIP(l) sum[0][l / STRIP] = reals_at(zh + l);
        for (int e = first; e < next; e += 4) /* rows are padded */
            for (int k = 0; k < 4; k++)
                EACH_STRIP(l) sum[k][l / STRIP] += reals_all(rows->value[e + k]) * reals_at(window + (size_t)rows->at[e + k] * LANES + l);
        EACH_STRIP(l) reals_put(zh + l, (sum[0][l / STRIP] + sum[1][l / STRIP]) + (sum[2][l / STRIP] + sum[3][l / STRIP]));
    }
}

/** The same of e-prop: errors of the readouts alone, by their weights or by fixed ones. */
static void collect_errors(const tile *tile, int t, int tau, slopes *s) {
    const shape *shape = tile->shape;
    const synapse_rows *rows = &tile->synapses->backward;
    const uint16_t *active = tile->history.active + (size_t)(t - 1) * (size_t)shape->neurons;
    const float *window = tile->scratch->window + (size_t)tau * LANES;
    for (int j = tile->slice->first; j < slice_to(tile->slice, shape->neurons); j++) {
        if (!active[j]) continue;
        const int first = rows->start[shape->inputs + j], next = first + rows->readouts[shape->inputs + j];
        EACH_STRIP(l) {
            reals sum = reals_at(s->zh + j * LANES + l);
            if (tile->feedback)
                for (int o = 0; o < shape->outputs; o++)
                    sum += reals_all(tile->feedback[j * shape->outputs + o]) * reals_at(window + (size_t)((shape->neurons + o) * window_of(shape)) * LANES + l);
            else
                for (int e = first; e < next; e++) sum += reals_all(rows->value[e]) * reals_at(window + (size_t)rows->at[e] * LANES + l);
            reals_put(s->zh + j * LANES + l, sum);
        }
    }
}

void tile_backward(tile *tile) {
    const unsigned subnormals = subnormals_vanish();
    const shape *shape = tile->shape;
    const size_t N = (size_t)shape->neurons;
    const int T = shape->steps;
    float *first = tile->scratch->slopes;
    int stretch = (T - 1) / shape->stretch;
    if (tile->history.loaded != stretch) tile_recompute(tile, stretch);
    slopes s = {.vh = first, .bh = first + N * LANES, .zh = first + 2 * N * LANES, .q = first + 3 * N * LANES,
                .voltage = tile->history.voltage + tile->history.voltages, .threshold = tile->history.threshold + tile->history.thresholds};
    memset(tile->scratch->slopes, 0, (3 * N + (size_t)shape->outputs) * LANES * sizeof(float));
    memset(tile->scratch->window, 0, (size_t)shape->posts * (size_t)window_of(shape) * LANES * sizeof(float));
    memset(tile->scratch->gradient, 0, (size_t)shape->posts * (size_t)(shape->inputs + shape->neurons) * sizeof(float));
    for (int pre = 0; pre < shape->inputs; pre++) tile->scratch->left[pre] = tile->input.event_start[pre + 1];
    for (int j = 0; j < shape->neurons; j++) tile->scratch->left[shape->inputs + j] = tile->history.event_start[j + 1];
    for (int t = T; t >= 0; t--) {
        const int t0 = t / SEGMENT * SEGMENT, tau = t - t0;
        if (t < stretch * shape->stretch) {
            tile_recompute(tile, --stretch);
            s.voltage = tile->history.voltage + tile->history.voltages, s.threshold = tile->history.threshold + tile->history.thresholds;
        }
        retreat_readouts(tile, t, tau, &s);
        if (t == T)
            for (size_t at = 0; at < N * LANES; at += STRIP) reals_put(s.zh + at, reals_all(tile->rate_slope[at / LANES]));
        else {
            retreat_neurons(tile, t, tau, &s);
        }
        if (t > 0 && tile->mode == BACKWARD_EXACT) slice_share_lines(tile->slice, shape, tile->scratch->window, tau);
        if (shape->full)
            sparse_turn(tile->scratch->window + tau * LANES, (size_t)window_of(shape) * LANES, shape->posts,
                        tile->scratch->banded + tau * LANES * SPARSE_BAND, BANDED);
        if (t > 0 && tile->mode == BACKWARD_EXACT) collect(tile, t, tau, &s);
        else if (t > 0) collect_errors(tile, t, tau, &s);
        if (t == t0 && shape->values) values_gradient(tile, t0);
        if (t == t0) tile_end_segment(tile, t0);
    }
    subnormals_as(subnormals);
}
