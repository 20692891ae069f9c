/* Rules with inhibition on every compartment (README.md 3.4 to 3.6): synapse W_jki from neuron k on compartment i of neuron j; this rank's rows j.
 * A compartment's inhibition v_ji = sum_k W_jki z_k is carried; an update changes every synapse of it by -e z_k u_ji, and so v by -e (z.z) u. What that makes
 * of a single synapse is made up for when its neuron k fires: until then z_k is stamp_k clock, with one clock for all, and
 *     W_jki = keep (stored_jki - stamp_k S_ji) ,  S_ji = sum over updates of e clock u_ji/keep ,
 * keep being what decay has left of everything (README.md 3.6; else 1). So an update costs N M, and only rows k of the tensor are touched, when k fires. */
#include <string.h>

#include "dendritic.h"
#include "engram/doubles.h"
#include "engram/memory.h"

static const double SMALLEST_INPUT = 0.002, LEAST_KEEP = 1e-100;

struct tensor {
    double *average;             /* [mine][pixels] Fb (slow); NULL */
    double *inhibited;           /* [mine][pixels] v/power */
    double *sum;                 /* [mine][pixels] S */
    double *stored;              /* [mine][N][pixels] */
    double keep;
    double *own_stored, *own_sum;/* [mine] over compartments: of stored_jji, of S */
    double *total;               /* [mine] over compartments: of inhibited */
    double *now, *before;        /* [mine] F image, F image_before */
    double *x;                   /* [pixels] of this step */
};

void tensor_new(dendritic *d) {
    tensor *t = d->tensor = memory_new(MEMORY_WEIGHTS, 1, sizeof *t);
    const size_t mine = (size_t)d->part.mine, pixels = (size_t)d->pixels;
    if (d->rule == RULE_SLOW) t->average = memory_new(MEMORY_WEIGHTS, mine * pixels, sizeof(double));
    t->inhibited = memory_new(MEMORY_STATE, mine * pixels, sizeof(double));
    t->sum = memory_new(MEMORY_WEIGHTS, mine * pixels, sizeof(double));
    t->stored = memory_new(MEMORY_WEIGHTS, mine * (size_t)d->neurons * pixels, sizeof(double));
    t->own_stored = memory_new(MEMORY_STATE, mine, sizeof(double));
    t->own_sum = memory_new(MEMORY_STATE, mine, sizeof(double));
    t->total = memory_new(MEMORY_STATE, mine, sizeof(double));
    t->now = memory_new(MEMORY_STATE, mine, sizeof(double));
    t->before = memory_new(MEMORY_STATE, mine, sizeof(double));
    t->x = memory_new(MEMORY_STATE, pixels, sizeof(double));
    t->keep = 1;
    const bool random = ((const network_settings *)config_common(d->config, "network"))->initial_spread > 0;
    for (size_t e = 0; t->average && e < mine * pixels; e++) t->average[e] = random ? d->input[e] * d->input[e] : d->input[e];
    for (int i = 0; random && i < d->part.mine; i++) {
        const double *F = d->input + (size_t)i * pixels;
        double *own = tensor_row(d, i, d->part.first + i);
        for (size_t p = 0; p < pixels; p++) own[p] = -F[p] * F[p];
        t->own_stored[i] = total(own, d->pixels);
    }
}

void tensor_free(tensor *t) {
    if (!t) return;
    double *arrays[] = {t->average, t->inhibited, t->sum, t->stored, t->own_stored, t->own_sum, t->total, t->now, t->before, t->x};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) memory_free(arrays[k]);
    memory_free(t);
}

void tensor_reset(dendritic *d) {
    tensor *t = d->tensor;
    memset(t->inhibited, 0, (size_t)d->part.mine * (size_t)d->pixels * sizeof(double));
    memset(t->total, 0, (size_t)d->part.mine * sizeof(double));
}

void tensor_state(dendritic *d, state_part part, state_list *list) {
    tensor *t = d->tensor;
    if (part == STATE_WEIGHTS) {
        if (t->average) state_add(list, "dendritic", "average", H5_FLOAT64, LAYOUT_ROWS, d->pixels, t->average);
        state_add(list, "dendritic", "tensor", H5_FLOAT64, LAYOUT_ROWS, (int64_t)d->neurons * d->pixels, t->stored);
    }
    if (part == STATE_LOOP) state_add(list, "dendritic", "compartments", H5_FLOAT64, LAYOUT_ROWS, d->pixels, t->inhibited);
}

double *tensor_row(const dendritic *d, int64_t i, int64_t k) {
    return d->tensor->stored + ((size_t)i * (size_t)d->neurons + (size_t)k) * (size_t)d->pixels;
}

void tensor_currents(const dendritic *d, int64_t i, double *current) {
    const tensor *t = d->tensor;
    const size_t row = (size_t)i * (size_t)d->pixels;
    const double *F = d->input + row;
    int most = 0;
    for (int p = 1; p < d->inputs; p++) most = F[p] > F[most] ? p : most;
    current[SOMA_EXCITATION] = t->before[i] + d->fade * (t->now[i] - t->before[i]);
    current[SOMA_INHIBITION] = d->power * t->total[i];
    current[COMPARTMENT_EXCITATION] = F[most] * (d->fade * d->image[most] + (1 - d->fade) * d->image_before[most]);
    current[COMPARTMENT_INHIBITION] = d->power * t->inhibited[row + (size_t)most];
}

double *tensor_average(const dendritic *d) {
    return d->tensor->average;
}

static void image(dendritic *d) {
    tensor *t = d->tensor;
    for (int i = 0; i < d->part.mine; i++) {
        const double *F = d->input + (size_t)i * (size_t)d->pixels;
        t->now[i] = dot(F, d->image, d->pixels);
        t->before[i] = dot(F, d->image_before, d->pixels);
    }
}

/** What an update does to a neuron. */
typedef struct {
    double trace;        /* z_j */
    double power;        /* v = inhibited power */
    double kept;         /* 1 - e lambda */
    double loss;         /* inhibited -= loss u */
    double gain;         /* S += gain u */
    double input, average, decay; /* rates of F, of Fb, lambda */
} change;

static inline lanes sign(lanes a) {
    return choose(a > 0, all(1), choose(a < 0, all(-1), all(0)));
}

/** A neuron's compartments, before and after an update. @return V before it */
static inline double update_row(dendritic *d, int i, const change *c, rule_name rule) {
    tensor *t = d->tensor;
    const size_t row = (size_t)i * (size_t)d->pixels;
    double *F = d->input + row, *v = t->inhibited + row, *S = t->sum + row, *Fb = t->average ? t->average + row : NULL;
    lanes V[PIECES], sums[PIECES], left[PIECES], now[PIECES], before[PIECES];
    for (int piece = 0; piece < PIECES; piece++) { /* of every tile: its sums stay in registers */
        lanes V_of = all(0), sum_of = all(0), left_of = all(0), now_of = all(0), before_of = all(0);
        for (int p = piece * LANES; p < d->pixels; p += TILE) {
            const lanes f = load(F + p), held = load(v + p), x = load(t->x + p), inhibition = all(c->power) * held, u = fma_lanes(f, x, inhibition);
            lanes next = f;
            V_of += u;
            if (rule == RULE_SIMULTANEOUS) next = f + all(c->input * c->trace) * (x + sign(f) * inhibition / larger(magnitude(f), all(SMALLEST_INPUT)));
            if (rule == RULE_SLOW) {
                const lanes average = fma_lanes(all(c->average * c->trace), u, load(Fb + p));
                store(Fb + p, average);
                next = choose(f != 0, f + all(c->input) * (average / f - f), all(0)); /* 0: what pads a row */
            }
            if (rule == RULE_DECAY)
                next = f + all(c->input) * (sign(f) * all(c->trace) * u / larger(magnitude(f), all(SMALLEST_INPUT)) - all(c->decay) * f);
            const lanes rest = fma_lanes(all(-c->loss), u, all(c->kept) * held), sum = fma_lanes(all(c->gain), u, load(S + p));
            store(F + p, next), store(v + p, rest), store(S + p, sum);
            sum_of += sum, left_of += rest;
            now_of = fma_lanes(next, load(d->image + p), now_of), before_of = fma_lanes(next, load(d->image_before + p), before_of);
        }
        V[piece] = V_of, sums[piece] = sum_of, left[piece] = left_of, now[piece] = now_of, before[piece] = before_of;
    }
    t->own_sum[i] = across(sums), t->total[i] = across(left);
    t->now[i] = across(now), t->before[i] = across(before);
    return across(V);
}

/** What decay has left of everything goes into every synapse, before it vanishes. */
static void fold(dendritic *d) {
    tensor *t = d->tensor;
    const size_t compartments = (size_t)d->part.mine * (size_t)d->pixels;
    for (size_t e = 0; e < compartments * (size_t)d->neurons; e++) t->stored[e] *= t->keep;
    for (size_t e = 0; e < compartments; e++) t->sum[e] *= t->keep;
    for (int i = 0; i < d->part.mine; i++) t->own_stored[i] *= t->keep, t->own_sum[i] *= t->keep;
    t->keep = 1;
}

static unsigned step(dendritic *d, bool update, pulse *pulse) {
    tensor *t = d->tensor;
    const double m = (double)d->learning->update_every, e = m * d->regime.inhibition, kept = d->rule == RULE_DECAY ? 1 - e * d->rates->decay : 1;
    const double unit = d->neuron->bias == BIAS_OUTSIDE ? d->stochasticity : 1;
    if (update) coding_input(d, d->fade, t->x);
    for (int i = 0; i < d->part.mine; i++) {
        const int64_t gid = d->part.first + i;
        const double autapse = t->keep * (t->own_stored[i] - d->stamp[gid] * t->own_sum[i]);
        double V = t->before[i] + d->fade * (t->now[i] - t->before[i]) + d->power * t->total[i];
        if (update) {
            const change c = {.trace = d->trace[gid] * d->power, .power = d->power, .kept = kept, .loss = e * d->trace_square * d->power,
                              .gain = e * d->clock / (t->keep * kept), .input = m * d->regime.input, .average = m * d->regime.average,
                              .decay = d->rates->decay};
            if (d->rule == RULE_SLOW) V = update_row(d, i, &c, RULE_SLOW);
            else if (d->rule == RULE_DECAY) V = update_row(d, i, &c, RULE_DECAY);
            else V = update_row(d, i, &c, RULE_SIMULTANEOUS);
        }
        d->own[i] = V + 0.25 * autapse;
    }
    if (update) t->keep *= kept;
    if (t->keep < LEAST_KEEP) fold(d);
    const unsigned bits = gather_rows(d, d->own, d->potential, d->context.ranks > 1 ? pulse_bits(pulse) : 0);
    for (int j = 0; j < d->neurons; j++) d->potential[j] += unit * (d->bias[j] + d->drift); /* what pads them is -INFINITY */
    return bits;
}

/** Every synapse in full, but for `keep`; the clock begins anew. Now and then, as stamps and S would grow without bound. */
static void wind(dendritic *d) {
    tensor *t = d->tensor;
    for (int i = 0; i < d->part.mine; i++) {
        double *S = t->sum + (size_t)i * (size_t)d->pixels;
        for (int k = 0; k < d->neurons; k++) {
            double *W = tensor_row(d, i, k);
            for (int p = 0; p < d->pixels && d->stamp[k] != 0; p += LANES) store(W + p, fma_lanes(all(-d->stamp[k]), load(S + p), load(W + p)));
        }
        memset(S, 0, (size_t)d->pixels * sizeof(double));
        t->own_sum[i] = 0;
        t->own_stored[i] = total(tensor_row(d, i, d->part.first + i), d->pixels);
    }
    coding_restart_clock(d);
}

static void rest(dendritic *d) {
    d->power *= d->lambda;
    if (d->since >= 0) d->since++;
    if (coding_tick(d)) wind(d);
}

/** Neuron k fires: its synapses on a neuron's compartments as they are now act there, and what z_k is from now on goes into what is stored. */
static void act(dendritic *d, int i, int k, double stamp) {
    tensor *t = d->tensor;
    const size_t row = (size_t)i * (size_t)d->pixels;
    double *v = t->inhibited + row, *S = t->sum + row, *W = tensor_row(d, i, k);
    const lanes keep = all(t->keep), old = all(d->stamp[k]), more = all(stamp - d->stamp[k]);
    lanes sum[PIECES] = {{0}};
    for (int at = 0; at < d->pixels; at += TILE)
        for (int p = 0; p < PIECES; p++) {
            const int q = at + p * LANES;
            const lanes s = load(S + q), stored = load(W + q), next = fma_lanes(more, s, stored);
            store(v + q, load(v + q) + keep * fma_lanes(-old, s, stored));
            store(W + q, next);
            sum[p] += next;
        }
    if (d->part.first + i == k) t->own_stored[i] = across(sum);
}

static unsigned spikes(dendritic *d, int count, pulse *pulse) {
    tensor *t = d->tensor;
    const size_t pixels = (size_t)d->pixels;
    const double power = d->lambda * d->power;
    const bool old = coding_tick(d);
    (void)pulse;
    if (old) wind(d);
    if (d->regime.learns && d->since >= 0) {
        double S1, S2;
        coding_kernel(d, d->since + 1, &S1, &S2);
        readout_push(d, d->regime.decoder * S1, d->regime.decoder * S2, d->seen, d->memory);
    }
    for (int i = 0; i < d->part.mine; i++) {
        double *v = t->inhibited + (size_t)i * pixels;
        for (size_t p = 0; p < pixels; p += LANES) store(v + p, all(power) * load(v + p));
        for (int s = 0; s < count; s++) {
            const int k = d->spiking[s];
            act(d, i, k, coding_stamp(d, k));
        }
        t->total[i] = total(v, d->pixels);
    }
    for (int s = 0; s < count; s++) d->stamp[d->spiking[s]] = coding_stamp(d, d->spiking[s]);
    for (int j = 0; j < d->padded; j += LANES) {
        const lanes z = all(d->power) * load(d->trace + j);
        store(d->memory + j, z);
        store(d->trace + j, all(d->lambda) * z);
    }
    coding_jump(d, count);
    d->trace_square = dot(d->trace, d->trace, d->padded);
    if (old) coding_restart_clock(d);
    return 0;
}

/** Nothing waits, and nothing is left to be multiplied. */
static void settle(dendritic *d) {
    tensor *t = d->tensor;
    readout_settle(d);
    wind(d);
    for (size_t e = 0; t->keep != 1 && e < (size_t)d->part.mine * (size_t)d->neurons * (size_t)d->pixels; e++) t->stored[e] *= t->keep;
    t->keep = 1;
    for (int i = 0; i < d->part.mine; i++) {
        t->own_stored[i] = total(tensor_row(d, i, d->part.first + i), d->pixels);
        t->total[i] = total(t->inhibited + (size_t)i * (size_t)d->pixels, d->pixels);
    }
}

const rule_steps tensor_steps = {.image = image, .step = step, .spikes = spikes, .rest = rest, .settle = settle};
