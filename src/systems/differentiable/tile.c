/* Tiles: room for LANES samples, and what passes work on. */
#include "engram/memory.h"
#include "passes.h"

static float *floats(size_t count) {
    return memory_new(MEMORY_STATE, count, sizeof(float));
}

void differentiable_scratch_new(scratch *scratch, const shape *shape, bool learns) {
    const size_t stretch = learns ? BLOCK : 1, padded = (size_t)shape->padded * LANES;
    *scratch = (struct scratch){.sources = floats(stretch * (size_t)shape->columns * LANES), .slopes = floats(stretch * (size_t)shape->rows * LANES),
                                .voltage = floats(stretch * padded), .adjoints = floats(3 * padded),
                                .trace = floats((size_t)shape->steps * (size_t)shape->neurons)};
    if (learns) scratch->gradient = floats((size_t)shape->rows * (size_t)shape->columns);
}

void differentiable_scratch_clear(scratch *scratch) {
    float *arrays[] = {scratch->sources, scratch->slopes, scratch->voltage, scratch->adjoints, scratch->gradient, scratch->trace};
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
    tile->kept = floats((K / BLOCK + 1) * (size_t)shape->inputs_at * LANES);
    if (shape->model.kind == MODEL_THETA) tile->by_current = floats(K * N * LANES), tile->by_voltage = floats(K * N * LANES);
}

void differentiable_tile_clear(tile *tile) {
    void *arrays[] = {tile->input, tile->target, tile->weight, tile->start, tile->u, tile->output, tile->label, tile->window, tile->spikes, tile->count,
                      tile->of_step, tile->current, tile->kept, tile->by_current, tile->by_voltage};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) memory_free(arrays[k]);
}
