/* Tiles: room for LANES samples, and what passes work on. */
#include "engram/memory.h"
#include "passes.h"

static float *floats(size_t count) {
    return memory_new(MEMORY_STATE, count, sizeof(float));
}

static uint16_t *masks(size_t count) {
    return memory_new(MEMORY_STATE, count, sizeof(uint16_t));
}

/** What only the way back needs. */
static void new_of_back(scratch *scratch, const shape *shape) {
    const size_t N = (size_t)shape->neurons;
    scratch->gated = masks(BLOCK * N), scratch->place = masks(N * BLOCK * LANES);
    scratch->event = floats(N * BLOCK * LANES), scratch->event_start = memory_new(MEMORY_STATE, N + 1, sizeof(int));
    scratch->returned = (lines){floats(N * LANES), shape->fast ? floats(N * LANES) : NULL};
    scratch->banded = (lines){floats((size_t)sparse_bands(shape->slow_posts) * BANDED),
                              shape->fast ? floats((size_t)sparse_bands(shape->fast_posts) * BANDED) : NULL};
    scratch->gradient = (lines){floats(sparse_floats(shape->neurons, shape->slow_posts)),
                                shape->fast ? floats(sparse_floats(shape->neurons, shape->fast_posts)) : NULL};
    scratch->shown_gradient = floats((size_t)shape->padded * (size_t)shape->shown);
}

void differentiable_scratch_new(scratch *scratch, const shape *shape, bool learns) {
    const size_t stretch = learns ? BLOCK : 1, N = (size_t)shape->neurons, line = N * LANES;
    *scratch = (struct scratch){.arriving = {floats((size_t)shape->slow_posts * LANES), shape->fast ? floats((size_t)shape->fast_posts * LANES) : NULL},
                                .band = floats(LANES * SPARSE_BAND), .s = floats(stretch * line), .charge = floats(stretch * line),
                                .charged = masks(stretch * N), .voltage = floats(stretch * line), .shown = floats(stretch * (size_t)shape->shown * LANES),
                                .slopes = floats(stretch * (size_t)shape->padded * LANES), .adjoints = floats(2 * line),
                                .trace = floats((size_t)shape->steps * N)};
    scratch->set = memory_new(MEMORY_STATE, (size_t)sparse_words(shape->neurons) * LANES, sizeof *scratch->set);
    if (learns) new_of_back(scratch, shape);
}

void differentiable_scratch_clear(scratch *s) {
    void *arrays[] = {s->arriving.slow, s->arriving.fast, s->band, s->set, s->s, s->charge, s->charged, s->voltage, s->shown, s->slopes, s->adjoints, s->gated,
                      s->returned.slow, s->returned.fast, s->banded.slow, s->banded.fast, s->event_start, s->place, s->event, s->gradient.slow,
                      s->gradient.fast, s->shown_gradient, s->trace};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) memory_free(arrays[k]);
}

void differentiable_tile_new(tile *tile, const shape *shape, const matrices *matrices, scratch *scratch, bool learns) {
    const size_t N = (size_t)shape->neurons, K = (size_t)shape->steps, inputs = (size_t)shape->inputs, outputs = (size_t)shape->outputs;
    *tile = (struct tile){.shape = shape, .matrices = matrices, .scratch = scratch, .samples = LANES, .input = floats(K * inputs * LANES),
                          .target = floats(K * outputs * LANES), .weight = floats(K * LANES), .start = floats(N * LANES), .u = floats(K * N * LANES),
                          .output = floats(K * outputs * LANES)};
    tile->label = memory_new(MEMORY_STATE, LANES, sizeof *tile->label), tile->window = memory_new(MEMORY_STATE, 2 * LANES, sizeof *tile->window);
    tile->spikes = memory_new(MEMORY_STATE, K * N, sizeof *tile->spikes);
    tile->count = memory_new(MEMORY_STATE, N, sizeof *tile->count), tile->of_step = memory_new(MEMORY_STATE, K, sizeof *tile->of_step);
    if (shape->model.exact_reset) tile->current = floats(K * N * LANES);
    if (!learns) return;
    tile->kept = floats((K / BLOCK + 1) * N * LANES);
    if (shape->model.kind == MODEL_THETA) tile->by_current = floats(K * N * LANES), tile->by_voltage = floats(K * N * LANES);
}

void differentiable_tile_clear(tile *tile) {
    void *arrays[] = {tile->input, tile->target, tile->weight, tile->start, tile->u, tile->output, tile->label, tile->window, tile->spikes, tile->count,
                      tile->of_step, tile->current, tile->kept, tile->by_current, tile->by_voltage};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) memory_free(arrays[k]);
}
