/* A batch, spread over the ranks in tiles: samples forwards, readouts against labels or targets, slopes backwards, gradients summed in the order of tiles. */
#include <string.h>

#include "engram/memory.h"
#include "losses.h"
#include "passes.h"

enum { BIT_LANES = 8 };

/** Room for so many samples. */
static void make_tiles(lsnn *net, int64_t samples) {
    int tiles;
    gradient_share(&net->data, samples, &tiles);
    if (tiles <= net->tiles) return;
    net->tile = memory_resize(MEMORY_STATE, net->tile, (size_t)tiles, sizeof *net->tile);
    for (; net->tiles < tiles; net->tiles++) tile_new(&net->tile[net->tiles], &net->shape, net->slice, &net->synapses, net->scratch);
}

void lsnn_batch_new(lsnn *net, int64_t samples, bool learns) {
    const shape *shape = &net->shape;
    net->scratch = memory_new(MEMORY_STATE, 1, sizeof *net->scratch);
    scratch_new(net->scratch, shape);
    make_tiles(net, samples);
    net->count = memory_new(MEMORY_STATE, (size_t)(shape->neurons + shape->steps + 2 + BIT_LANES), sizeof *net->count);
    net->fired = memory_new(MEMORY_STATE, (size_t)shape->neurons, sizeof *net->fired);
    net->reported = memory_new(MEMORY_STATE, (size_t)shape->neurons, sizeof *net->reported);
    net->reported_threshold = memory_new(MEMORY_STATE, (size_t)shape->neurons, sizeof *net->reported_threshold);
    net->rate_slope = memory_new(MEMORY_STATE, (size_t)shape->neurons, sizeof *net->rate_slope);
    net->classes = shape->targets ? task_sizes(net->task)->classes
                   : shape->acts  ? 0
                                  : shape->outputs;
    if (shape->acts) net->visits = memory_new(MEMORY_STATE, 2 * (size_t)(shape->reads + 1), sizeof *net->visits);
    net->confusion = memory_new(MEMORY_STATE, (size_t)(net->classes * net->classes), sizeof *net->confusion);
    if (shape->targets) net->error = memory_new(MEMORY_STATE, 2 * (size_t)shape->reads, sizeof *net->error);
    if (!learns) return;
    net->gradient = memory_new(MEMORY_WEIGHTS, (size_t)net->parameters, sizeof *net->gradient);
    net->partial = memory_new(MEMORY_BUFFERS, (size_t)net->tiles * (size_t)net->parameters, sizeof *net->partial);
    net->sum = gradient_sum_new(&net->data, gradient_tiles(samples), net->parameters);
}

void lsnn_batch_clear(lsnn *net) {
    for (int k = 0; k < net->tiles; k++) tile_clear(&net->tile[k]);
    if (net->scratch) scratch_clear(net->scratch);
    gradient_sum_free(net->sum);
    void *arrays[] = {net->tile, net->scratch, net->count, net->fired, net->reported, net->reported_threshold, net->rate_slope, net->confusion, net->error,
                      net->visits, net->gradient, net->partial};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) memory_free(arrays[k]);
}

/** Where a sample of a tile goes. */
static task_sample sample_of(const lsnn *net, const tile *tile, int lane) {
    return (task_sample){.lane = lane, .spikes = net->scratch->shown, .values = tile->input.value, .target = net->scratch->target,
                         .weight = net->scratch->weight, .label = tile->label + lane * net->shape.reads, .window = tile->said ? tile->said + 2 * lane : NULL};
}

void lsnn_show(lsnn *net, tile *tile, task_set set, int64_t first) {
    const shape *shape = &net->shape;
    const size_t T = (size_t)shape->steps, line = LANES * sizeof(float);
    scratch *scratch = net->scratch;
    memset(scratch->shown, 0, T * (size_t)shape->inputs * sizeof *scratch->shown);
    if (shape->values) memset(tile->input.value, 0, T * (size_t)shape->inputs * line);
    if (shape->targets) memset(scratch->target, 0, T * (size_t)shape->outputs * line), memset(scratch->weight, 0, T * line);
    for (int k = 0; k < LANES * shape->reads; k++) tile->label[k] = TASK_NO_LABEL;
    for (int lane = 0; lane < tile->samples; lane++) {
        const task_sample sample = sample_of(net, tile, lane);
        task_draw(net->task, (task_pick){.set = set, .number = first + lane}, &sample);
    }
    if (!shape->acts) tile_take_input(tile);
    for (int read = 0; read < shape->reads && shape->targets; read++) { /* the last step of each window */
        const size_t step = (size_t)(shape->first_read + (read + 1) * shape->read_steps - 1), outputs = (size_t)shape->outputs;
        memcpy(tile->target + (size_t)read * outputs * LANES, scratch->target + step * outputs * LANES, outputs * line);
        memcpy(tile->weight + (size_t)read * LANES, scratch->weight + step * LANES, line);
    }
}

/** Spikes and labels of a tile are counted; once where several ranks have it. */
static void count_tile(lsnn *net, const tile *tile) {
    const shape *shape = &net->shape;
    const int N = shape->neurons, T = shape->steps;
    if (net->slice->rank > 0) return;
    for (int j = 0; j < N; j++) net->count[j] += tile->history.count[j];
    for (int t = 0; t <= T; t++) net->count[N + t] += tile->history.of_step[t];
    for (int l = 0; l < LANES * shape->reads; l++) net->count[N + T + 1] += tile->label[l] != TASK_NO_LABEL;
}

/** Counts of all ranks, and bits. */
static void share_counts(lsnn *net, unsigned *bits) {
    const int to_labels = net->shape.neurons + net->shape.steps + 1, length = to_labels + 1 + BIT_LANES;
    int64_t *raised = net->count + to_labels + 1;
    for (int b = 0; b < BIT_LANES; b++) raised[b] = *bits >> b & 1;
    if (net->context.ranks > 1) CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, net->count, length, MPI_INT64_T, MPI_SUM, net->context.comm));
    *bits = 0;
    for (int b = 0; b < BIT_LANES; b++) *bits |= (unsigned)(raised[b] > 0) << b;
    net->outcome.labels = net->count[to_labels];
}

static void clear_counts(lsnn *net) {
    memset(net->count, 0, (size_t)(net->shape.neurons + net->shape.steps + 2 + BIT_LANES) * sizeof *net->count);
}

void lsnn_forward(lsnn *net, task_set set, int64_t first, int64_t samples, unsigned *bits) {
    int tiles, at = gradient_share(&net->data, samples, &tiles);
    make_tiles(net, samples);
    net->samples = samples, net->used = tiles;
    clear_counts(net);
    if (net->visits) memset(net->visits, 0, 2 * (size_t)(net->shape.reads + 1) * sizeof *net->visits);
    for (int k = 0; k < tiles; k++) {
        tile *tile = &net->tile[k];
        const int64_t before = (int64_t)(at + k) * LANES;
        tile->samples = (int)(samples - before < LANES ? samples - before : LANES);
        tile->traced = at + k == 0;
        tile->net = net, tile->act = net->shape.acts ? policy_act : NULL, tile->pick = (task_pick){.set = set, .number = first + before};
        tile->noise = (gradient_noise){.sd = net->noise, .seed = net->seed, .silent = net->silent};
        lsnn_show(net, tile, set, first + before);
        tile_forward(tile);
        count_tile(net, tile);
    }
    share_counts(net, bits);
    if (net->shape.acts) lsnn_episodes_end(net);
}

void lsnn_forward_again(lsnn *net) {
    unsigned bits = 0;
    clear_counts(net);
    for (int k = 0; k < net->used; k++) {
        net->tile[k].act = NULL;
        tile_forward(&net->tile[k]);
        count_tile(net, &net->tile[k]);
    }
    share_counts(net, &bits);
}

void lsnn_tell(lsnn *net, pulse *pulse) {
    const int N = net->shape.neurons;
    const bool has_first = net->used > 0 && net->tile[0].traced;
    for (int t = 1; t <= net->shape.steps; t++) {
        int fired = 0;
        if (has_first && net->owned.mine) {
            const uint16_t *z = net->tile[0].history.spikes + (size_t)t * (size_t)N;
            for (int j = 0; j < N; j++)
                if (z[j] & 1) net->fired[fired++] = j;
        }
        net->told = t;
        pulse_step(pulse, t, net->fired, fired, net->count[N + t]);
    }
}

unsigned lsnn_raise(const lsnn *net, unsigned bits) {
    unsigned all = bits;
    if (net->context.ranks > 1) CHECK_MPI(MPI_Allreduce(&bits, &all, 1, MPI_UNSIGNED, MPI_BOR, net->context.comm));
    return all;
}

/* ---- readouts against labels or targets ---- */

static void count_answer(lsnn *net, int label, int said) {
    net->outcome.right += said == label;
    net->confusion[label * net->classes + said]++;
}

/** Windows with a label. */
static void judge_labels(lsnn *net, tile *tile) {
    const shape *shape = &net->shape;
    const float *bias = net->weight + net->first[MATRICES];
    const double share = net->outcome.weight > 0 ? 1 / net->outcome.weight : 0;
    for (int lane = 0; lane < tile->samples; lane++)
        for (int read = 0; read < shape->reads; read++) {
            const int label = tile->label[lane * shape->reads + read], at = read * shape->outputs * LANES + lane;
            int said;
            if (label == TASK_NO_LABEL) continue;
            sum_add(&net->outcome.loss, loss_entropy((readouts){shape->outputs, tile->history.logit + at, bias}, label, share, tile->slope + at, &said));
            count_answer(net, label, said);
        }
}

/** Windows whose target counts. */
static void judge_targets(lsnn *net, tile *tile) {
    const shape *shape = &net->shape;
    const int outputs = shape->outputs;
    const float *bias = net->weight + net->first[MATRICES];
    const double share = net->outcome.weight > 0 ? 1 / net->outcome.weight : 0;
    for (int lane = 0; lane < tile->samples; lane++)
        for (int read = 0; read < shape->reads; read++) {
            const int at = read * outputs * LANES + lane;
            const double weight = tile->weight[read * LANES + lane];
            if (!(weight > 0)) continue;
            const double error = loss_square((readouts){outputs, tile->history.logit + at, bias}, tile->target + at, weight * share, tile->slope + at);
            sum_add(&net->outcome.loss, weight * error);
            net->error[read] += llrint(fmin(error, LOSS_MOST) / ERROR_UNIT), net->error[shape->reads + read]++;
        }
    if (!net->classes) return;
    for (int k = 0; k < shape->reads * outputs; k++) /* what was said, with bias */
        for (int lane = 0; lane < LANES; lane++) tile->history.logit[k * LANES + lane] += bias[k % outputs];
    for (int lane = 0; lane < tile->samples; lane++) {
        const task_sample sample = sample_of(net, tile, lane);
        const int label = sample.label[0], said = label == TASK_NO_LABEL ? TASK_NO_LABEL : task_said(net->task, &sample, tile->history.logit);
        if (said != TASK_NO_LABEL) count_answer(net, label, said);
    }
}

/** Sum of the weights of targets, the same on all ranks. */
static double weight_of_targets(const lsnn *net) {
    exact_sum sum = {0};
    for (int k = 0; k < net->used; k++)
        for (int read = 0; read < net->shape.reads; read++)
            for (int lane = 0; lane < net->tile[k].samples; lane++) sum_add(&sum, net->tile[k].weight[read * LANES + lane]);
    return sum_value(net->data.ranks > 1 ? sum_all(&net->data, sum) : sum);
}

static void share_outcome(lsnn *net) {
    const context *context = &net->data;
    if (context->ranks == 1) return;
    net->outcome.loss = sum_all(context, net->outcome.loss);
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &net->outcome.right, 1, MPI_INT64_T, MPI_SUM, context->comm));
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, net->confusion, net->classes * net->classes, MPI_INT64_T, MPI_SUM, context->comm));
    if (net->error) CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, net->error, 2 * net->shape.reads, MPI_INT64_T, MPI_SUM, context->comm));
}

void lsnn_judge(lsnn *net) {
    const shape *shape = &net->shape;
    net->outcome.loss = (exact_sum){0}, net->outcome.right = 0;
    net->outcome.weight = shape->acts ? (double)net->samples * shape->reads : shape->targets ? weight_of_targets(net) : (double)net->outcome.labels;
    memset(net->confusion, 0, (size_t)(net->classes * net->classes) * sizeof *net->confusion);
    if (net->error) memset(net->error, 0, 2 * (size_t)shape->reads * sizeof *net->error);
    for (int k = 0; k < net->used; k++) {
        tile *tile = &net->tile[k];
        memset(tile->slope, 0, (size_t)(shape->reads * shape->outputs) * LANES * sizeof *tile->slope);
        if (shape->acts) policy_judge(net, tile);
        else if (shape->targets) judge_targets(net, tile);
        else judge_labels(net, tile);
    }
    share_outcome(net);
}

/* ---- backwards ---- */

/** creg sum (r_i - f0)^2, r_i the mean over samples and time in 1/ms. */
static void set_rate_slopes(lsnn *net) {
    const double time = (double)net->samples * net->shape.steps * net->dt, target = net->neuron->rate / 1000;
    net->rate_cost = 0;
    for (int j = 0; j < net->shape.neurons; j++) {
        const double off = (double)net->count[j] / time - target;
        net->rate_slope[j] = (float)(2 * net->neuron->rate_cost * off / time);
        net->rate_cost += net->neuron->rate_cost * off * off;
    }
}

static void pass_back(lsnn *net, backward_mode mode, const float *feedback) {
    for (int k = 0; k < net->used; k++) {
        tile *tile = &net->tile[k];
        tile->rate_slope = net->rate_slope, tile->mode = mode, tile->feedback = feedback;
        tile_backward(tile);
        lsnn_collect(net, tile, net->partial + (size_t)k * (size_t)net->parameters);
    }
    gradient_sum_tiles(net->sum, net->partial, net->gradient);
    slice_join(net->slice, net->gradient, net->parameters);
}

/** Cosine of what is in net->gradient and the exact gradient, which are both as they were before afterwards. */
static double compare(lsnn *net) {
    const size_t bytes = (size_t)net->parameters * sizeof(float);
    float *local = memory_new(MEMORY_BUFFERS, (size_t)net->parameters, sizeof(float));
    double product = 0, here = 0, there = 0;
    memcpy(local, net->gradient, bytes);
    pass_back(net, BACKWARD_EXACT, NULL);
    for (int64_t k = 0; k < net->parameters; k++)
        product += (double)local[k] * net->gradient[k], here += (double)local[k] * local[k], there += (double)net->gradient[k] * net->gradient[k];
    memcpy(net->gradient, local, bytes);
    memory_free(local);
    return here > 0 && there > 0 ? product / sqrt(here * there) : NAN;
}

void lsnn_backward(lsnn *net, bool measured) {
    for (int k = 0; k < net->used; k++) input_sort(&net->tile[k].input, &net->shape);
    set_rate_slopes(net);
    pass_back(net, !net->eprop ? BACKWARD_EXACT : net->eprop->reset_gradient ? BACKWARD_LOCAL : BACKWARD_NO_RESET, net->feedback);
    net->cosine = net->eprop && measured ? compare(net) : NAN;
}
