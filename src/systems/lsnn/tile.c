/* What tiles are made of. */
#include <string.h>

#include "engram/memory.h"
#include "passes.h"

static const double ACTIVE_EXPECTED = 0.25; /* part of (neuron, step, sample) whose psi is not 0 */

int64_t history_expected(const shape *shape) {
    return (int64_t)(ACTIVE_EXPECTED * shape->stretch * shape->neurons * LANES);
}

static void *floats(int64_t count) {
    return memory_new(MEMORY_STATE, (size_t)count, sizeof(float));
}

void scratch_new(scratch *scratch, const shape *shape) {
    const int64_t N = shape->neurons, T = shape->steps, units = N + shape->inputs, posts = shape->posts;
    *scratch = (struct scratch){.ring = floats(shape->delays * posts * LANES), .voltage = floats(N * LANES), .adaptation = floats(N * LANES),
                                .readout = floats(shape->outputs * LANES), .window = floats(posts * window_of(shape) * LANES),
                                .gradient = floats(posts * units),
                                .slopes = floats((3 * N + shape->outputs) * LANES), .left = memory_new(MEMORY_STATE, (size_t)units, sizeof(int)),
                                .place = memory_new(MEMORY_STATE, (size_t)(units * SEGMENT * LANES), sizeof(uint16_t)),
                                .place_start = memory_new(MEMORY_STATE, (size_t)units + 1, sizeof(int)),
                                .shown = memory_new(MEMORY_STATE, (size_t)(T * shape->inputs), sizeof(uint16_t)), .trace = floats(T * N),
                                .trace_threshold = floats(T * N), .trace_readout = floats(T * shape->outputs)};
    if (shape->full) {
        scratch->set = memory_new(MEMORY_STATE, (size_t)sparse_words((int)N) * LANES, sizeof(uint64_t));
        scratch->arrived = floats(LANES * SPARSE_BAND), scratch->banded = floats((int64_t)sparse_bands((int)posts) * BANDED);
    }
    if (shape->targets) scratch->target = floats(T * shape->outputs * LANES), scratch->weight = floats(T * LANES);
}

void scratch_clear(scratch *s) {
    void *arrays[] = {s->ring, s->voltage, s->adaptation, s->readout, s->window, s->gradient, s->slopes, s->left, s->place, s->place_start, s->shown,
                      s->set, s->arrived, s->banded, s->target, s->weight, s->trace, s->trace_threshold, s->trace_readout};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) memory_free(arrays[k]);
}

static void play_new(play *play, const shape *shape) {
    const int64_t line = (int64_t)shape->reads * LANES;
    *play = (struct play){.action = floats((shape->outputs - 1) * line), .log_chance = floats(line), .value = floats(line), .reward = floats(line),
                          .advantage = floats(line), .due = floats(line), .path = floats(2 * (line + LANES)), .goal = floats(2 * LANES),
                          .last = memory_new(MEMORY_STATE, 2 * LANES, sizeof(int)), .reached = memory_new(MEMORY_STATE, (size_t)line, 1)};
}

static void play_clear(play *play) {
    void *arrays[] = {play->action, play->log_chance, play->value, play->reward, play->advantage, play->due, play->path, play->goal, play->last,
                      play->reached};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) memory_free(arrays[k]);
}

void tile_new(tile *tile, const shape *shape, const slice *slice, const synapses *synapses, scratch *scratch) {
    const int64_t N = shape->neurons, T = shape->steps, expected = history_expected(shape);
    const int64_t adapting = (int64_t)(ACTIVE_EXPECTED * shape->stretch * shape->adaptive * LANES);
    *tile = (struct tile){.shape = shape, .slice = slice, .synapses = synapses, .scratch = scratch};
    tile->input.start = memory_new(MEMORY_STATE, (size_t)T + 1, sizeof(int));
    tile->input.event_start = memory_new(MEMORY_STATE, (size_t)shape->inputs + 1, sizeof(int));
    tile->history = (history){.spikes = memory_new(MEMORY_STATE, (size_t)((T + 1) * N), sizeof(uint16_t)),
                              .active = memory_new(MEMORY_STATE, (size_t)((T + 1) * N), sizeof(uint16_t)),
                              .event_start = memory_new(MEMORY_STATE, (size_t)N + 1, sizeof(int)),
                              .logit = floats(shape->reads * shape->outputs * LANES), .count = memory_new(MEMORY_STATE, (size_t)N, sizeof(int64_t)),
                              .of_step = memory_new(MEMORY_STATE, (size_t)T + 1, sizeof(int64_t)),
                              .voltage = floats(expected), .voltage_room = expected, .threshold = floats(adapting), .threshold_room = adapting};
    if (shape->stretch < T) tile->history.state = floats(stretches_of(shape) * state_floats(shape));
    tile->label = memory_new(MEMORY_STATE, (size_t)(LANES * shape->reads), sizeof(int));
    tile->slope = floats(shape->reads * shape->outputs * LANES);
    if (shape->acts) play_new(&tile->play, shape);
    if (shape->values) tile->input.value = floats(T * shape->inputs * LANES);
    if (!shape->targets) return;
    tile->said = memory_new(MEMORY_STATE, 2 * LANES, sizeof(int));
    tile->target = floats(shape->reads * shape->outputs * LANES), tile->weight = floats(shape->reads * LANES);
}

void tile_clear(tile *tile) {
    history *h = &tile->history;
    spike_input *input = &tile->input;
    void *arrays[] = {input->start, input->channel, input->lanes, input->event_start, input->event, h->spikes, h->active, h->event_start, h->event, h->voltage,
                      h->threshold, h->logit, h->state, h->count, h->of_step, tile->label, tile->slope, input->value, tile->said, tile->target, tile->weight};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) memory_free(arrays[k]);
    play_clear(&tile->play);
}

/** Four channels, if one of them spikes. */
static bool any_of_four(const uint16_t *masks) {
    uint64_t four;
    memcpy(&four, masks, sizeof four);
    return four != 0;
}

void tile_take_steps(tile *tile, int from, int to) {
    enum { FOUR = 4 };
    const shape *shape = tile->shape;
    spike_input *input = &tile->input;
    int count = from == 0 ? 0 : input->start[from];
    for (int t = from; t < to; t++) {
        const uint16_t *shown = tile->scratch->shown + (size_t)t * (size_t)shape->inputs;
        input->start[t] = count;
        if (count + shape->inputs > input->room) {
            input->room += input->room / 2 + shape->inputs + 1024;
            input->channel = memory_resize(MEMORY_STATE, input->channel, (size_t)input->room, sizeof *input->channel);
            input->lanes = memory_resize(MEMORY_STATE, input->lanes, (size_t)input->room, sizeof *input->lanes);
        }
        for (int c = 0; c < shape->inputs; c++) {
            if (c % FOUR == 0)
                while (c + FOUR <= shape->inputs && !any_of_four(shown + c)) c += FOUR;
            if (c < shape->inputs && shown[c]) input->channel[count] = c, input->lanes[count++] = shown[c];
        }
    }
    input->start[to] = count;
}

void input_sort(spike_input *input, const shape *shape) {
    const int total = input->start[shape->steps];
    int *start = input->event_start, *next = memory_new(MEMORY_BUFFERS, (size_t)shape->inputs, sizeof *next);
    memset(start, 0, (size_t)(shape->inputs + 1) * sizeof *start);
    for (int e = 0; e < total; e++) start[input->channel[e] + 1]++;
    for (int c = 0; c < shape->inputs; c++) start[c + 1] += start[c];
    memcpy(next, start, (size_t)shape->inputs * sizeof *next);
    if (total > input->event_room)
        input->event_room = total + total / 4, input->event = memory_resize(MEMORY_STATE, input->event, (size_t)input->event_room, sizeof *input->event);
    for (int t = 0; t < shape->steps; t++)
        for (int e = input->start[t]; e < input->start[t + 1]; e++) input->event[next[input->channel[e]]++] = (uint32_t)t << 16 | input->lanes[e];
    memory_free(next);
}

/** Room for the entries onto posts @p first to @p next. */
static void rows_resize(synapse_rows *rows, const synapses *synapses, const shape *shape, int first, int next) {
    const size_t units = (size_t)(shape->inputs + shape->neurons);
    size_t entries = 3 * units; /* that rows are padded with */
    for (size_t pre = 0; pre < units; pre++)
        for (int post = first; post < next; post++) entries += synapses->weight[pre * (size_t)shape->posts + (size_t)post] != 0;
    rows->start = memory_resize(MEMORY_WEIGHTS, rows->start, units + 1, sizeof(int));
    rows->readouts = memory_resize(MEMORY_WEIGHTS, rows->readouts, units, sizeof(int));
    if (entries <= rows->room) return;
    rows->room = entries;
    rows->at = memory_resize(MEMORY_WEIGHTS, rows->at, entries, sizeof(int));
    rows->value = memory_resize(MEMORY_WEIGHTS, rows->value, entries, sizeof(float));
}

static void rows_clear(synapse_rows *rows) {
    memory_free(rows->start), memory_free(rows->readouts), memory_free(rows->at), memory_free(rows->value);
}

/** Entries of a unit onto posts @p first to @p next that have a weight. @return how many entries there are then */
static int add_entries(const synapses *synapses, const shape *shape, int pre, int first, int next, bool forward, int count) {
    const synapse_rows *rows = forward ? &synapses->forward : &synapses->backward;
    for (int post = first; post < next; post++) {
        const size_t e = (size_t)pre * (size_t)shape->posts + (size_t)post;
        if (synapses->weight[e] == 0) continue;
        rows->at[count] = forward ? synapses->delay[e] * shape->posts + post : post * window_of(shape) + synapses->delay[e];
        rows->value[count++] = synapses->weight[e];
    }
    return count;
}

/** Rows onto posts of a slice. */
static void index_rows(synapses *synapses, const shape *shape, const slice *slice, bool forward) {
    synapse_rows *rows = forward ? &synapses->forward : &synapses->backward;
    const int units = shape->inputs + shape->neurons, N = shape->neurons, ends = N + shape->outputs;
    int count = 0;
    rows_resize(rows, synapses, shape, slice->first, slice->next);
    for (int pre = 0; pre < units; pre++) {
        rows->start[pre] = count;
        count = add_entries(synapses, shape, pre, slice->first > N ? slice->first : N, slice_to(slice, ends), forward, count);
        rows->readouts[pre] = count - rows->start[pre];
        count = add_entries(synapses, shape, pre, slice->first, slice_to(slice, N), forward, count);
        for (; !forward && (count - rows->start[pre]) % 4; count++) rows->at[count] = 0, rows->value[count] = 0;
    }
    rows->start[units] = count;
}

static int length_of(const synapses *synapses, const shape *shape, int j) {
    return synapses->backward.start[shape->inputs + j + 1] - synapses->backward.start[shape->inputs + j];
}

/** Rows of neurons in bands of posts. */
static void index_full(synapses *synapses, const shape *shape) {
    if (!synapses->full) synapses->full = memory_new(MEMORY_WEIGHTS, sparse_floats(shape->neurons, shape->posts), sizeof(float));
    for (int j = 0; j < shape->neurons; j++)
        for (int post = 0; post < shape->posts; post += SPARSE_GROUP)
            memcpy(synapses->full + sparse_at(shape->neurons, j, post), synapses->weight + (size_t)(shape->inputs + j) * (size_t)shape->posts + (size_t)post,
                   SPARSE_GROUP * sizeof(float));
}

void synapses_index(synapses *synapses, const shape *shape, const slice *slice) {
    const struct slice whole = slice_whole(shape);
    if (shape->full) index_full(synapses, shape);
    index_rows(synapses, shape, slice, true);
    index_rows(synapses, shape, &whole, false);
    synapses->order = memory_resize(MEMORY_WEIGHTS, synapses->order, (size_t)shape->neurons, sizeof(int));
    for (int j = 0; j < shape->neurons; j++) { /* insertion: rows hardly change from one iteration to the next */
        int at = j;
        for (; at > 0 && length_of(synapses, shape, synapses->order[at - 1]) < length_of(synapses, shape, j); at--)
            synapses->order[at] = synapses->order[at - 1];
        synapses->order[at] = j;
    }
}

void synapses_clear(synapses *synapses) {
    rows_clear(&synapses->forward), rows_clear(&synapses->backward);
    memory_free(synapses->order), memory_free(synapses->full);
}
