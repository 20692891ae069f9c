/* A batch, spread over the ranks in tiles: samples forwards, what they say, slopes backwards, gradients summed in the order of tiles. */
#include <string.h>

#include "engram/memory.h"
#include "engram/random.h"
#include "passes.h"

enum { BITS = 8 };
enum { COUNT_RIGHT, COUNT_LABELS, COUNT_SPIKES, COUNT_COARSE, COUNTS };
static const double SUM_MOST = 1e6; /* of a sample: keeps exact sums in their range */

/** Room for so many samples. */
static void make_tiles(differentiable *net, int64_t samples, bool learns) {
    int tiles;
    gradient_share(&net->context, samples, &tiles);
    if (tiles <= net->tiles) return;
    net->tile = memory_resize(MEMORY_STATE, net->tile, (size_t)tiles, sizeof *net->tile);
    for (; net->tiles < tiles; net->tiles++) differentiable_tile_new(&net->tile[net->tiles], &net->shape, &net->matrices, &net->scratch, learns);
}

static int length_of_counts(const differentiable *net) {
    return net->shape.neurons + net->shape.steps + BITS + COUNTS;
}

void differentiable_batch_new(differentiable *net, int64_t samples, bool learns) {
    const shape *shape = &net->shape;
    const int classes = task_sizes(net->task)->classes;
    differentiable_scratch_new(&net->scratch, shape, learns);
    make_tiles(net, samples, learns);
    net->count = memory_new(MEMORY_STATE, (size_t)length_of_counts(net), sizeof *net->count);
    net->confusion = memory_new(MEMORY_STATE, (size_t)(classes * classes) + 1, sizeof *net->confusion);
    net->fired = memory_new(MEMORY_STATE, (size_t)shape->neurons, sizeof *net->fired);
    net->reported = memory_new(MEMORY_STATE, (size_t)shape->neurons, sizeof *net->reported);
    if (!learns) return;
    net->gradient = memory_new(MEMORY_WEIGHTS, (size_t)net->parameters, sizeof *net->gradient);
    net->partial = memory_new(MEMORY_BUFFERS, (size_t)net->tiles * (size_t)net->parameters, sizeof *net->partial);
    net->sum = gradient_sum_new(&net->context, gradient_tiles(samples), net->parameters);
}

void differentiable_batch_clear(differentiable *net) {
    for (int k = 0; k < net->tiles; k++) differentiable_tile_clear(&net->tile[k]);
    differentiable_scratch_clear(&net->scratch);
    gradient_sum_free(net->sum);
    void *arrays[] = {net->tile, net->count, net->confusion, net->fired, net->reported, net->gradient, net->partial};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) memory_free(arrays[k]);
}

/* ---- samples ---- */

static task_sample sample_of(const tile *tile, int lane) {
    return (task_sample){.lane = lane, .label = tile->label + lane, .values = tile->input, .target = tile->target, .weight = tile->weight,
                         .window = tile->window + 2 * lane};
}

/** Voltages at the start of a sample. */
static void set_start(const differentiable *net, tile *tile, int lane, uint64_t id) {
    const double low = net->network->start_range.values[0], high = net->network->start_range.values[1];
    for (int i = 0; i < net->shape.neurons; i++) {
        float v = net->start[i];
        if (net->network->start == START_DRAWN) v = (float)(low + (high - low) * random_uniform(net->seed, RANDOM_DIFFERENTIABLE_START, (uint64_t)i, 1 + id));
        tile->start[i * LANES + lane] = net->silent && net->silent[i] ? 0 : v;
    }
}

static void show(differentiable *net, tile *tile, task_set set, int64_t first) {
    const shape *shape = &net->shape;
    const size_t K = (size_t)shape->steps, lanes = LANES * sizeof(float);
    memset(tile->input, 0, K * (size_t)shape->inputs * lanes), memset(tile->target, 0, K * (size_t)shape->outputs * lanes);
    memset(tile->weight, 0, K * lanes), memset(tile->start, 0, (size_t)shape->neurons * lanes);
    for (int lane = 0; lane < LANES; lane++) tile->label[lane] = TASK_NO_LABEL;
    for (int lane = 0; lane < tile->samples; lane++) {
        const task_sample sample = sample_of(tile, lane);
        const task_pick pick = {.set = set, .number = first + lane};
        task_draw(net->task, pick, &sample);
        tile->id[lane] = task_sample_id(pick);
        set_start(net, tile, lane, tile->id[lane]);
    }
}

/* ---- what they say ---- */

static double within_range(double value) {
    return value < SUM_MOST ? value : SUM_MOST; /* what is not a number is as bad as can be */
}

/** Sums over the steps of a tile's samples. */
static void judge(differentiable *net, const tile *tile, int64_t *counts) {
    const shape *shape = &net->shape;
    const int outputs = shape->outputs, classes = task_sizes(net->task)->classes;
    double off[LANES] = {0}, all[LANES] = {0};
    for (int k = 0; k < shape->steps; k++)
        for (int r = 0; r < outputs; r++) {
            const float *o = tile->output + ((size_t)k * (size_t)outputs + (size_t)r) * LANES, *wanted = tile->target + (o - tile->output);
            const float *weight = tile->weight + (size_t)k * LANES;
            for (int l = 0; l < LANES; l++) {
                const double by = (double)o[l] - wanted[l];
                off[l] += weight[l] * by * by, all[l] += weight[l] * (double)wanted[l] * wanted[l];
            }
        }
    for (int l = 0; l < tile->samples; l++) {
        sum_add(&net->outcome.off, within_range(off[l] * shape->dt)), sum_add(&net->outcome.all, within_range(all[l] * shape->dt));
        sum_add(&net->outcome.currents, within_range(tile->currents[l] * shape->dt));
        const task_sample sample = sample_of(tile, l);
        const int said = task_said(net->task, &sample, tile->output), label = tile->label[l];
        if (said == TASK_NO_LABEL || label == TASK_NO_LABEL) continue;
        counts[COUNT_LABELS]++, counts[COUNT_RIGHT] += said == label;
        net->confusion[label * classes + said]++;
    }
    counts[COUNT_COARSE] += tile->coarse;
}

static void share_outcome(differentiable *net) {
    const context *context = &net->context;
    const int classes = task_sizes(net->task)->classes;
    if (context->ranks == 1) return;
    net->outcome.off = sum_all(context, net->outcome.off), net->outcome.all = sum_all(context, net->outcome.all);
    net->outcome.currents = sum_all(context, net->outcome.currents);
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, net->count, length_of_counts(net), MPI_INT64_T, MPI_SUM, context->comm));
    if (classes) CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, net->confusion, classes * classes, MPI_INT64_T, MPI_SUM, context->comm));
}

void differentiable_forward(differentiable *net, task_set set, int64_t first, int64_t samples, unsigned *bits) {
    const int N = net->shape.neurons, K = net->shape.steps, classes = task_sizes(net->task)->classes;
    int64_t *count = net->count, *raised = count + N + K, *counts = raised + BITS;
    int tiles, at = gradient_share(&net->context, samples, &tiles);
    make_tiles(net, samples, net->sum != NULL);
    net->samples = samples, net->used = tiles;
    net->outcome = (outcome){0};
    memset(count, 0, (size_t)length_of_counts(net) * sizeof *count);
    memset(net->confusion, 0, (size_t)(classes * classes) * sizeof *net->confusion);
    for (int k = 0; k < tiles; k++) {
        tile *tile = &net->tile[k];
        const int64_t before = (int64_t)(at + k) * LANES;
        tile->samples = (int)(samples - before < LANES ? samples - before : LANES);
        tile->traced = at + k == 0;
        tile->noise = (gradient_noise){.sd = net->noise, .seed = net->seed, .silent = net->silent};
        show(net, tile, set, first + before);
        differentiable_tile_forward(tile);
        judge(net, tile, counts);
        for (int i = 0; i < N; i++) count[i] += tile->count[i];
        for (int t = 0; t < K; t++) count[N + t] += tile->of_step[t], counts[COUNT_SPIKES] += tile->of_step[t];
    }
    for (int b = 0; b < BITS; b++) raised[b] = *bits >> b & 1;
    share_outcome(net);
    *bits = 0;
    for (int b = 0; b < BITS; b++) *bits |= (unsigned)(raised[b] > 0) << b;
    net->outcome.right = counts[COUNT_RIGHT], net->outcome.labels = counts[COUNT_LABELS];
    net->outcome.spikes = counts[COUNT_SPIKES], net->outcome.coarse = counts[COUNT_COARSE];
}

void differentiable_tell(differentiable *net, pulse *pulse) {
    const int N = net->shape.neurons;
    const bool has_first = net->used > 0 && net->tile[0].traced && net->owned.mine;
    for (int k = 0; k < net->shape.steps; k++) {
        int fired = 0;
        const uint16_t *z = has_first ? net->tile[0].spikes + (size_t)k * (size_t)N : NULL;
        for (int i = 0; i < N && z; i++)
            if (z[i] & 1) net->fired[fired++] = i;
        net->told = k + 1;
        pulse_step(pulse, k + 1, net->fired, fired, net->count[N + k]);
    }
}

unsigned differentiable_raise(const differentiable *net, unsigned bits) {
    unsigned all = bits;
    if (net->context.ranks > 1) CHECK_MPI(MPI_Allreduce(&bits, &all, 1, MPI_UNSIGNED, MPI_BOR, net->context.comm));
    return all;
}

/* ---- backwards ---- */

void differentiable_backward(differentiable *net) {
    int64_t cut = 0;
    for (int k = 0; k < net->used; k++) {
        differentiable_tile_backward(&net->tile[k]);
        cut += net->tile[k].cut;
        differentiable_collect(net, net->partial + (size_t)k * (size_t)net->parameters);
    }
    gradient_sum_tiles(net->sum, net->partial, net->gradient);
    for (int64_t k = 0; k < net->parameters; k++) net->gradient[k] /= (float)net->samples;
    if (net->context.ranks > 1) CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &cut, 1, MPI_INT64_T, MPI_SUM, net->context.comm));
    net->outcome.cut = cut;
}
