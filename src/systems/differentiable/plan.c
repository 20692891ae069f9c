/* What these networks tell of themselves to "engram plan". */
#include <stdio.h>

#include "engram/output.h"
#include "engram/run_settings.h"
#include "engram/sparse_costs.h"
#include "engram/test_settings.h"
#include "passes.h"

typedef struct {
    shape shape;
    task_shape task;
    double parameters;
    int64_t loops, batch, samples;
    const output_settings *output;
    const test_settings *test;
} sizes;

static const double NS = 1e-9, RATE_GUESS = 50; /* Hz */

static status open_sizes(const context *context, config *config, void **result) {
    const simulation_settings *simulation = config_common(config, "simulation");
    const learning_settings *learning = config_common(config, "learning");
    const task_setting setting = {.context = context, .config = config, .seed = (uint64_t)simulation->seed, .dt = simulation->dt};
    task_shape task;
    *result = NULL;
    status sized = task_shape_of(&setting, &task);
    if (sized != STATUS_OK) return sized;
    sizes *sizes = memory_new(MEMORY_BUFFERS, 1, sizeof *sizes);
    sizes->shape = differentiable_shape(config, &task), sizes->task = task;
    const double N = sizes->shape.neurons;
    sizes->parameters = N * N * (sizes->shape.slow + sizes->shape.fast) + N * (task.inputs + 1 + task.outputs);
    sizes->loops = learning->loops, sizes->batch = learning->batch;
    sizes->samples = ((const protocol_settings *)config_common(config, "protocol"))->samples;
    sizes->output = config_common(config, "output"), sizes->test = config_common(config, "test");
    *result = sizes;
    return STATUS_OK;
}

static double tiles_of(double samples, double ranks) {
    return ceil(ceil(samples / LANES) / ranks);
}

static void facts(const void *raw, plan_facts *facts) {
    const sizes *sizes = raw;
    const int64_t tiles = gradient_tiles(sizes->batch);
    *facts = (plan_facts){.neurons = sizes->shape.neurons, .loops = sizes->loops, .loop_steps = sizes->shape.steps, .dt = sizes->shape.dt, .rate = RATE_GUESS};
    snprintf(facts->network, sizeof facts->network, "with differentiable synapses, %.0f parameters", sizes->parameters);
    snprintf(facts->training, sizeof facts->training,
             "batches of %lld samples, rule exact_gradient; ranks share %lld tile%s of %d samples: more ranks than that have nothing to do",
             (long long)sizes->batch, (long long)tiles, tiles > 1 ? "s" : "", LANES);
}

/* ---- bytes ---- */

static double tile_bytes(const shape *s) {
    const double N = s->neurons, K = s->steps, lanes = 4.0 * LANES;
    const double histories = s->model.kind == MODEL_THETA ? 3 : s->model.exact_reset ? 2 : 1;
    return lanes * (K * (s->inputs + 2 * s->outputs + 1) + N + histories * K * N + floor(K / BLOCK + 1) * N) + 3 * lanes + 2 * K * N + 8 * (N + K) +
           sizeof(tile);
}

static double matrices_floats(const shape *s) {
    return (double)(sparse_floats(s->neurons, s->slow_posts) + sparse_floats(s->neurons, s->fast_posts));
}

static double scratch_bytes(const shape *s) {
    const double N = s->neurons, posts = s->slow_posts + s->fast_posts, bands = sparse_bands(s->slow_posts) + sparse_bands(s->fast_posts);
    const double lines = BLOCK * (3 * N + s->shown + s->padded) + posts + SPARSE_BAND + (3 + s->fast) * N, charges = BLOCK * N * (4 + 6 * LANES);
    return 4.0 * LANES * lines + charges + 8.0 * LANES * sparse_words(s->neurons) + 4 * bands * BANDED + 4 * (N + 1) +
           4 * (matrices_floats(s) + (double)s->padded * s->shown + (double)s->steps * N);
}

static void memory(const void *raw, int64_t count, double rate, plan_bytes *bytes) {
    const sizes *sizes = raw;
    const shape *s = &sizes->shape;
    const double ranks = (double)count, N = s->neurons, P = sizes->parameters, classes = sizes->task.classes;
    const double tiles = tiles_of((double)sizes->batch, ranks);
    const double held_tiles = sizes->test->trials ? tiles_of((double)(sizes->samples > sizes->batch ? sizes->samples : sizes->batch), ranks) : tiles;
    double *held = bytes->category;
    (void)rate;
    held[MEMORY_STATE] = held_tiles * tile_bytes(s) + scratch_bytes(s) + 8 * (N + s->steps) + 8 * N + 8 * classes * classes + sizeof(differentiable);
    held[MEMORY_WEIGHTS] = 16 * P + 4 * N + 4 * matrices_floats(s) + 4.0 * s->padded * s->shown;
    held[MEMORY_TARGETS] = (double)sizes->task.bytes;
    held[MEMORY_BUFFERS] = 4 * P * tiles + (ranks > 1 ? 4 * P * tiles + 4 * P * ceil((double)sizes->batch / LANES) / ranks : 0);
    for (int c = 0; c < MEMORY_CATEGORIES; c++) bytes->building += c == MEMORY_OUTPUT ? 0 : held[c];
    bytes->building += (double)sizes->task.building;
    bytes->writing = 16 * P;
}

static void output(const void *raw, double rate, plan_files *files) {
    const sizes *sizes = raw;
    (void)rate;
    plan_add_file(files, "nodes", 40.0 * (sizes->shape.neurons + sizes->shape.inputs + sizes->shape.outputs));
    plan_add_file(files, "edges", sizes->output->edges == EDGES_NONE ? 0 : 36 * sizes->parameters);
    plan_add_file(files, "differentiable", 4 * sizes->parameters);
    files->checkpoint = 12 * sizes->parameters + 4.0 * sizes->shape.neurons;
}

/* ---- seconds ---- */

/** Part of neurons, samples and steps in the zone: a part of its width, and what passes it. Of five networks of model nif in their first 6 to 24 iterations,
 *  with 11 to 380 Hz, it was 0.81 to 1.04 times this; of one of model lif and three of theta, in 1 to 20 iterations, 0.88 to 1.04 times. */
static double in_zone(const shape *shape, double rate) {
    const double of_width = shape->model.kind == MODEL_NIF ? 0.9 : 0.5;
    return fmin(1, of_width * shape->model.width + plan_per_step(rate, shape->dt));
}

/** s of some tiles. @param part of what neurons and the input cost */
static double elementwise(const sizes *sizes, const machine *machine, double tiles, double part) {
    const differentiable_costs *costs = machine_costs(machine, "differentiable");
    const shape *s = &sizes->shape;
    return NS * tiles * LANES * s->steps * part * (s->neurons * costs->neuron + (double)s->padded * s->shown * costs->synapse);
}

static double forward_seconds(const sizes *sizes, const machine *machine, double tiles, double rate) {
    const differentiable_costs *costs = machine_costs(machine, "differentiable");
    return elementwise(sizes, machine, tiles, costs->forward) + tiles * differentiable_products_forward(machine, &sizes->shape, in_zone(&sizes->shape, rate));
}

static double backward_seconds(const sizes *sizes, const machine *machine, double tiles, double rate) {
    const differentiable_costs *costs = machine_costs(machine, "differentiable");
    const double part = in_zone(&sizes->shape, rate);
    return elementwise(sizes, machine, tiles, 1 - costs->forward) + tiles * differentiable_products_backward(machine, &sizes->shape, part, part);
}

static void seconds_of(const void *raw, const machine *machine, plan_ranks ranks, double rate, plan_seconds *s) {
    const sizes *sizes = raw;
    const differentiable_costs *costs = machine_costs(machine, "differentiable");
    const double tiles = tiles_of((double)sizes->batch, (double)ranks.count);
    s->update = forward_seconds(sizes, machine, tiles, rate);
    s->learn = backward_seconds(sizes, machine, tiles, rate) + NS * sizes->parameters * costs->update;
    if (ranks.count > 1)
        s->transfer = plan_message(machine, ranks, 8 * sizes->parameters) + plan_message(machine, ranks, 8.0 * (sizes->shape.neurons + sizes->shape.steps));
    s->tests = (double)sizes->test->trials * forward_seconds(sizes, machine, tiles_of((double)sizes->samples, (double)ranks.count), rate);
    s->between = s->tests * plan_between(sizes->test, task_validation_trials(&sizes->task, sizes->samples));
}

static const char *unmeasured(const void *raw, const machine *machine) {
    (void)raw;
    return sparse_measured(machine) ? NULL : sparse_unmeasured;
}

const plan_hooks differentiable_plan = {
    .open = open_sizes,
    .close = memory_free,
    .facts = facts,
    .memory = memory,
    .output = output,
    .time = seconds_of,
    .costs = differentiable_cost_sections,
    .unmeasured = unmeasured,
    .calibrate = differentiable_calibrate,
};
