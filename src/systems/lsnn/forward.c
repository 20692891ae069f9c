/* A tile's forward pass (README.md 2). Steps t = 0 .. T:
 *
 *   1  spikes z_t of the network go where their synapses end: lines of a ring, as many steps ahead as their delays                           deliver()
 *   2  readouts: y = kappa y + (1 - kappa) (what arrived) ; where they are read, y is added to a logit                                        readout()
 *      behind a window of a task with actions they act, and the input of the next window is drawn                                             act()
 *   3  so do x_t of the input
 *      and, in tests, noise                                                                                                               disturb()
 *   4  neurons: b = rho b + (1 - rho) z_t ; Th = threshold + beta b ; z_{t+1} = v_t > Th unless one of z_t .. z_{t-nref+1} is 1 ;
 *      v_{t+1} = alpha v_t + (1 - alpha) J - z_t Th ; where psi is not 0 (0 < v < 2 Th), v and Th are kept for the backward pass              advance()
 *
 * z_T enters the readouts only. */
#include <stdlib.h>

#include "engram/memory.h"
#include "passes.h"

/** A presynaptic unit's spikes, in the lanes of @p mask. */
static void deliver(const shape *shape, const synapse_rows *rows, int pre, unsigned mask, int t, bool readouts_only, float *ring) {
    const int lines = shape->delays * shape->posts, now = t % shape->delays * shape->posts, first = rows->start[pre];
    const int last = readouts_only ? first + rows->readouts[pre] : rows->start[pre + 1];
    whole lanes[STRIPS];
    EACH_STRIP(l) lanes[l / STRIP] = lanes_of(mask, l);
    for (int e = first; e < last; e++) {
        int line = rows->at[e] + now;
        line -= line >= lines ? lines : 0;
        float *J = ring + (size_t)line * LANES;
        EACH_STRIP(l) reals_put(J + l, reals_at(J + l) + keep(lanes[l / STRIP], reals_all(rows->value[e])));
    }
}

static void readout(const shape *shape, const slice *slice, int t, float *ring, float *trace, float *logit) {
    const float kappa = (float)shape->kappa, rest = 1 - kappa;
    const int N = shape->neurons, first = slice->first > N ? slice->first - N : 0, next = slice_to(slice, N + shape->outputs) - N;
    for (int o = first; o < next; o++) {
        float *line = ring + ((size_t)(t % shape->delays) * (size_t)shape->posts + (size_t)(shape->neurons + o)) * LANES;
        float *mean = t > shape->first_read ? logit + ((t - shape->first_read - 1) / shape->read_steps * shape->outputs + o) * LANES : NULL;
        EACH_STRIP(l) {
            const reals y = reals_all(kappa) * reals_at(trace + o * LANES + l) + reals_all(rest) * reals_at(line + l);
            reals_put(trace + o * LANES + l, y);
            reals_put(line + l, reals_all(0));
            if (mean) reals_put(mean + l, reals_at(mean + l) + y);
        }
    }
}

typedef struct { float *voltage, *threshold; } streams; /* where the next ones go */

/** Neurons @p from to @p to, which adapt or do not. */
static inline __attribute__((always_inline)) void advance(tile *tile, int t, int from, int to, const bool adapts, streams *streams) {
    const shape *shape = tile->shape;
    const size_t N = (size_t)shape->neurons;
    uint16_t *z = tile->history.spikes + (size_t)t * N, *next = z + N, *active = tile->history.active + (size_t)t * N;
    const reals alpha = reals_all((float)shape->alpha), beta = reals_all((float)shape->beta), threshold = reals_all((float)shape->threshold);
    const reals up = reals_all((float)(1 - shape->alpha));
    reals rho = reals_all((float)shape->rho), more = reals_all((float)(1 - shape->rho));
    for (int j = from; j < to; j++) {
        const size_t line = (size_t)(t % shape->delays) * (size_t)shape->posts + (size_t)j;
        float *J = tile->scratch->ring + line * LANES, *voltage = tile->scratch->voltage + j * LANES;
        unsigned refractory = 0, above = 0, near = 0;
        float Th[LANES];
        for (int k = 0; k < shape->refractory && k <= t; k++) refractory |= z[(ptrdiff_t)j - k * (ptrdiff_t)N];
        if (adapts && shape->decay) rho = reals_all(shape->decay[2 * j]), more = reals_all(shape->decay[2 * j + 1]);
        EACH_STRIP(l) {
            reals limit = threshold;
            if (adapts) {
                float *adaptation = tile->scratch->adaptation + j * LANES + l;
                const reals b = rho * reals_at(adaptation) + keep(lanes_of(z[j], l), more);
                reals_put(adaptation, b);
                limit = threshold + beta * b;
            }
            const reals v = reals_at(voltage + l);
            above |= mask_of(v > limit, l), near |= mask_of((v > 0) & (v < limit + limit), l);
            reals_put(Th + l, limit);
        }
        next[j] = (uint16_t)(above & ~refractory);
        active[j] = (uint16_t)(near & ~refractory);
        streams->voltage = pack(streams->voltage, active[j], voltage);
        if (adapts) streams->threshold = pack(streams->threshold, active[j] | (t > 0 ? active[(ptrdiff_t)j - (ptrdiff_t)N] : 0), Th);
        EACH_STRIP(l) {
            reals_put(voltage + l, alpha * reals_at(voltage + l) + up * reals_at(J + l) - keep(lanes_of(z[j], l), reals_at(Th + l)));
            reals_put(J + l, reals_all(0));
        }
    }
}

/** Room for a step's voltages and thresholds, all lanes. */
static void make_room(tile *tile, streams *streams) {
    history *h = &tile->history;
    const int64_t most = (int64_t)(tile->shape->neurons + 1) * LANES;
    h->voltages = streams->voltage - h->voltage, h->thresholds = streams->threshold - h->threshold;
    if (h->voltages + most > h->voltage_room)
        h->voltage_room += h->voltage_room / 8 + most, h->voltage = memory_resize(MEMORY_STATE, h->voltage, (size_t)h->voltage_room, sizeof(float));
    if (h->thresholds + most > h->threshold_room)
        h->threshold_room += h->threshold_room / 8 + most, h->threshold = memory_resize(MEMORY_STATE, h->threshold, (size_t)h->threshold_room, sizeof(float));
    streams->voltage = h->voltage + h->voltages, streams->threshold = h->threshold + h->thresholds;
}

/** Lists of the network's spikes by neuron, for the gradient. */
static void sort_events(tile *tile) {
    const int N = tile->shape->neurons, T = tile->shape->steps;
    history *h = &tile->history;
    int *start = h->event_start, total;
    memset(start, 0, (size_t)(N + 1) * sizeof *start);
    for (int64_t e = 0; e < (int64_t)(T + 1) * N; e++) start[e % N + 1] += h->spikes[e] != 0;
    for (int j = 0; j < N; j++) start[j + 1] += start[j];
    total = start[N];
    if (total > h->event_room) h->event_room = total + total / 4, h->event = memory_resize(MEMORY_STATE, h->event, (size_t)h->event_room, sizeof *h->event);
    int *next = memory_new(MEMORY_BUFFERS, (size_t)N, sizeof *next);
    memcpy(next, start, (size_t)N * sizeof *next);
    for (int t = 0; t <= T; t++)
        for (int j = 0; j < N; j++) {
            const uint16_t lanes = h->spikes[(size_t)t * (size_t)N + (size_t)j];
            if (!lanes) continue;
            const int spikes = __builtin_popcount(lanes);
            h->event[next[j]++] = (uint32_t)t << 16 | lanes;
            h->count[j] += spikes, h->of_step[t] += spikes;
        }
    memory_free(next);
}

/** The first sample's v and Th, which made z_t, and readouts. */
static void trace(tile *tile, int t) {
    const shape *shape = tile->shape;
    const scratch *scratch = tile->scratch;
    const int N = shape->neurons, fixed = N - shape->adaptive, from = tile->slice->first, to = slice_to(tile->slice, N);
    float *v = scratch->trace + (size_t)(t - 1) * (size_t)N, *threshold = scratch->trace_threshold + (size_t)(t - 1) * (size_t)N;
    for (int j = from; j < to; j++) v[j] = scratch->voltage[j * LANES];
    for (int j = from; j < to; j++)
        threshold[j] = (float)shape->threshold + (j < fixed ? 0 : (float)shape->beta * scratch->adaptation[j * LANES]);
    for (int o = 0; o < shape->outputs; o++) scratch->trace_readout[(size_t)(t - 1) * (size_t)shape->outputs + (size_t)o] = scratch->readout[o * LANES];
}

/** The same of full matrices, whose ring is one line a post. */
static void arrive_full(tile *tile, const uint16_t *z) {
    const shape *shape = tile->shape;
    const scratch *scratch = tile->scratch;
    const int first = tile->slice->first, next = tile->slice->next;
    sparse_set(z, shape->neurons, scratch->set);
    for (int band = first / SPARSE_BAND; band < sparse_bands(next); band++) {
        const int at = band * SPARSE_BAND, width = sparse_width(shape->posts, band);
        const int from = first > at ? first - at : 0, to = next < at + width ? next - at : width;
        sparse_forward(tile->synapses->full + sparse_at(shape->neurons, 0, at), scratch->set, sparse_words(shape->neurons), NULL, width, scratch->arrived);
        for (int p = from; p < to; p++)
            for (int lane = 0; lane < LANES; lane++) scratch->ring[(at + p) * LANES + lane] = scratch->arrived[lane * SPARSE_BAND + p];
    }
}

/** Spikes of step t go where their synapses end. */
static void arrive(tile *tile, int t) {
    const shape *shape = tile->shape;
    const uint16_t *z = tile->history.spikes + (size_t)t * (size_t)shape->neurons;
    if (shape->full) {
        arrive_full(tile, z);
        return;
    }
    for (int j = 0; j < shape->neurons; j++)
        if (z[j]) deliver(shape, &tile->synapses->forward, shape->inputs + j, z[j], t, t == shape->steps, tile->scratch->ring);
}

/** And what the input is in it. */
static void arrive_input(tile *tile, int t) {
    const shape *shape = tile->shape;
    const spike_input *input = &tile->input;
    for (int e = input->start[t]; e < input->start[t + 1]; e++)
        deliver(shape, &tile->synapses->forward, input->channel[e], input->lanes[e], t, false, tile->scratch->ring);
    if (shape->values) values_deliver(tile, t);
}

/** Currents of a step have noise. */
static void disturb(tile *tile, int t) {
    const shape *shape = tile->shape;
    const int to = slice_to(tile->slice, shape->neurons);
    uint64_t id[LANES];
    for (int l = 0; l < tile->samples; l++) id[l] = task_sample_id((task_pick){.set = tile->pick.set, .number = tile->pick.number + l});
    float *now = tile->scratch->ring + (size_t)(t % shape->delays) * (size_t)shape->posts * LANES;
    for (int j = tile->slice->first; j < to; j++) gradient_noise_add(&tile->noise, id, tile->samples, j, t, now + (size_t)j * LANES);
}

static void advance_all(tile *tile, int t, streams *streams) {
    const slice *slice = tile->slice;
    const int N = tile->shape->neurons, fixed = N - tile->shape->adaptive;
    make_room(tile, streams);
    if (tile->noise.sd > 0) disturb(tile, t);
    advance(tile, t, slice->first, slice_to(slice, fixed), false, streams);
    advance(tile, t, slice->first > fixed ? slice->first : fixed, slice_to(slice, N), true, streams);
}

/** v, b and the ring at the beginning of a stretch: keep them, or take them back. */
static void move_state(tile *tile, int stretch, bool keep) {
    const shape *shape = tile->shape;
    const size_t N = (size_t)shape->neurons * LANES, lines = (size_t)(shape->delays * shape->posts) * LANES;
    if (!tile->history.state) return;
    float *state = tile->history.state + stretch * state_floats(shape), *now[] = {tile->scratch->voltage, tile->scratch->adaptation, tile->scratch->ring};
    const size_t length[] = {N, N, lines};
    for (int k = 0; k < 3; state += length[k++]) memcpy(keep ? state : now[k], keep ? now[k] : state, length[k] * sizeof(float));
}

void tile_recompute(tile *tile, int stretch) {
    history *h = &tile->history;
    const int from = stretch * tile->shape->stretch, to = from + tile->shape->stretch < tile->shape->steps ? from + tile->shape->stretch : tile->shape->steps;
    streams streams = {h->voltage, h->threshold};
    move_state(tile, stretch, false);
    for (int t = from; t < to; t++) { /* lines of readouts fill, and are not looked at */
        arrive(tile, t);
        arrive_input(tile, t);
        advance_all(tile, t, &streams);
    }
    h->loaded = stretch, h->voltages = streams.voltage - h->voltage, h->thresholds = streams.threshold - h->threshold;
}

/** Traces of all ranks' neurons. */
static void join_traces(tile *tile) {
    const shape *shape = tile->shape;
    const int64_t T = shape->steps;
    slice_join(tile->slice, tile->scratch->trace, T * shape->neurons);
    slice_join(tile->slice, tile->scratch->trace_threshold, T * shape->neurons);
    slice_join(tile->slice, tile->scratch->trace_readout, T * shape->outputs);
}

static void clear_traces(tile *tile) {
    const size_t T = (size_t)tile->shape->steps;
    memset(tile->scratch->trace, 0, T * (size_t)tile->shape->neurons * sizeof(float));
    memset(tile->scratch->trace_threshold, 0, T * (size_t)tile->shape->neurons * sizeof(float));
    memset(tile->scratch->trace_readout, 0, T * (size_t)tile->shape->outputs * sizeof(float));
}

/** Of what was added up over a window, on this rank's readouts. */
static void mean_readout(tile *tile, int k) {
    float *logit = tile->history.logit + (size_t)k * LANES;
    EACH_STRIP(l) reals_put(logit + l, reals_at(logit + l) * reals_all(1.0f / (float)tile->shape->read_steps));
}

/** The window before @p number is over: its readouts act. */
static void act(tile *tile, int number) {
    const int outputs = tile->shape->outputs, first = (number - 1) * outputs;
    for (int o = 0; o < outputs && number > 0; o++) mean_readout(tile, first + o);
    if (number > 0) slice_join(tile->slice, tile->history.logit + (size_t)first * LANES, (int64_t)outputs * LANES);
    tile->act(tile, number);
}

void tile_forward(tile *tile) {
    const unsigned subnormals = subnormals_vanish();
    const shape *shape = tile->shape;
    history *h = &tile->history;
    const slice *slice = tile->slice;
    const int N = shape->neurons;
    memset(tile->scratch->ring, 0, (size_t)shape->delays * (size_t)shape->posts * LANES * sizeof(float));
    memset(tile->scratch->voltage, 0, (size_t)N * LANES * sizeof(float));
    memset(tile->scratch->adaptation, 0, (size_t)N * LANES * sizeof(float));
    memset(tile->scratch->readout, 0, (size_t)shape->outputs * LANES * sizeof(float));
    memset(h->logit, 0, (size_t)(shape->reads * shape->outputs) * LANES * sizeof(float));
    memset(h->spikes, 0, (size_t)N * sizeof *h->spikes);
    memset(h->count, 0, (size_t)N * sizeof *h->count);
    memset(h->of_step, 0, (size_t)(shape->steps + 1) * sizeof *h->of_step);
    if (tile->traced && slice->ranks > 1) clear_traces(tile);
    streams streams = {h->voltage, h->threshold};
    for (int t = 0;; t++) {
        if (t < shape->steps && t % shape->stretch == 0) {
            move_state(tile, t / shape->stretch, true);
            h->loaded = t / shape->stretch, streams.voltage = h->voltage, streams.threshold = h->threshold;
        }
        arrive(tile, t);
        if (t > 0) readout(shape, slice, t, tile->scratch->ring, tile->scratch->readout, h->logit);
        if (t > 0 && tile->traced) trace(tile, t);
        if (tile->act && t % shape->read_steps == 0) act(tile, t / shape->read_steps);
        if (t == shape->steps) break;
        arrive_input(tile, t);
        advance_all(tile, t, &streams);
        slice_share_spikes(slice, h->spikes + (size_t)(t + 1) * (size_t)N);
    }
    h->voltages = streams.voltage - h->voltage, h->thresholds = streams.threshold - h->threshold;
    for (int k = 0; k < shape->reads * shape->outputs && !tile->act; k++) mean_readout(tile, k);
    if (!tile->act) slice_join(slice, h->logit, (int64_t)shape->reads * shape->outputs * LANES);
    if (tile->traced) join_traces(tile);
    sort_events(tile);
    subnormals_as(subnormals);
}
