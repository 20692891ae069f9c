/* What these networks tell of themselves to "engram plan". */
#include <stdio.h>

#include "engram/memory.h"
#include "engram/output.h"
#include "engram/run_settings.h"
#include "engram/sparse_costs.h"
#include "engram/test_settings.h"
#include "passes.h"

typedef struct {
    shape shape;
    task_shape task;
    double parameters, connections; /* of parameters; that exist */
    bool rewires, dale, eprop;
    double epochs; /* of rule ppo; 1 */
    int64_t loops, batch, samples, groups;
    double dt, rate;
    const output_settings *output;
    const test_settings *test;
} sizes;

static const double NS = 1e-9;
/* Parts of what independent spikes of all neurons and samples alike would come to: steps of a tile in which a neuron fires in any sample, and in which its psi
 * is not 0 in any. Of four networks that had learned for a while the first was 0.6 to 0.8, the second 0.6 to 1.9. */
static const double FIRES = 0.75, ACTIVE = 1;
/* The same of single samples, of full matrices: psi is not 0 so many times as often as there are spikes; in units of any sample, a part of what independent
 * ones would come to. Of the first 8 to 24 iterations of six networks (48 to 106 Hz) the first was 1.5 to 3.6, the second 0.2 to 0.75; of those that learn by
 * bptt to follow the state of jobs/comparison 1.6 to 2.2, and 0.57 to 0.75. */
static const double PSI = 2.3, PSI_MOST = 0.5, PSI_TOGETHER = 0.6;

static status open_sizes(const context *context, config *config, void **result) {
    const simulation_settings *simulation = config_common(config, "simulation");
    const learning_settings *learning = config_common(config, "learning");
    const task_setting setting = {.context = context, .config = config, .seed = (uint64_t)simulation->seed, .dt = simulation->dt};
    task_shape task;
    *result = NULL;
    status sized = task_shape_of(&setting, &task);
    if (sized != STATUS_OK) return sized;
    sizes *sizes = memory_new(MEMORY_BUFFERS, 1, sizeof *sizes);
    sizes->shape = lsnn_shape(config, &task), sizes->task = task;
    const double N = sizes->shape.neurons;
    sizes->parameters = N * (sizes->shape.inputs + N + sizes->shape.outputs) + sizes->shape.outputs;
    sizes->dale = ((const network_settings *)config_common(config, "network"))->signs == SIGNS_DALE;
    sizes->rewires = learning->connectivity < 1, sizes->eprop = lsnn_is_eprop(config);
    sizes->epochs = lsnn_is_ppo(config) ? (double)((const ppo_settings *)config_variant(config, "learning"))->epochs : 1;
    sizes->connections = sizes->parameters * learning->connectivity;
    sizes->loops = learning->loops, sizes->batch = learning->batch, sizes->groups = learning->neuron_groups;
    sizes->samples = ((const protocol_settings *)config_common(config, "protocol"))->samples;
    sizes->dt = simulation->dt;
    sizes->rate = ((const neuron_settings *)config_common(config, "neuron"))->rate;
    sizes->output = config_common(config, "output"), sizes->test = config_common(config, "test");
    *result = sizes;
    return STATUS_OK;
}

/** Ranks that share a sample's neurons, of so many. */
static double sharing(const sizes *sizes, double ranks) {
    return sizes->groups <= (int64_t)ranks && (int64_t)ranks % sizes->groups == 0 ? (double)sizes->groups : 1;
}

/** Tiles of a rank. */
static double tiles_of(const sizes *sizes, double samples, double ranks) {
    return ceil(ceil(samples / LANES) / ranks * sharing(sizes, ranks));
}

static void facts(const void *raw, plan_facts *facts) {
    const sizes *sizes = raw;
    const int64_t tiles = gradient_tiles(sizes->batch);
    *facts = (plan_facts){.neurons = sizes->shape.neurons, .loops = sizes->loops, .loop_steps = sizes->shape.steps, .dt = sizes->dt, .rate = sizes->rate};
    snprintf(facts->network, sizeof facts->network, "that learn by gradients, %.0f of %.0f connections", sizes->connections, sizes->parameters);
    snprintf(facts->training, sizeof facts->training,
             "batches of %lld samples, rule %s; ranks share %lld tile%s of %d samples: more ranks than that have nothing to do",
             (long long)sizes->batch, sizes->eprop ? "eprop" : "bptt", (long long)tiles, tiles > 1 ? "s" : "", LANES);
}

/* ---- bytes ---- */

static double begun_bytes(const shape *s) {
    return s->stretch < s->steps ? sizeof(float) * (double)(stretches_of(s) * state_floats(s)) : 0;
}

static double tile_bytes(const shape *s, double rate, double dt) {
    const double N = s->neurons, T = s->steps, room = (double)history_expected(s), spikes = plan_per_step(rate, dt) * N * T * LANES;
    const double events = fmin(N * (T + 1), 1.25 * spikes), shown = 0.15 * T * s->inputs;
    const double kept = room * (1 + (double)s->adaptive / N);
    const double more = LANES * 4 * ((s->values ? T * s->inputs : 0) + (s->targets ? s->reads * (1 + s->outputs) + 2 : 0) +
                                      (s->acts ? s->reads * (s->outputs + 6.25) + 6 : 0));
    return (T + 1) * 12 + s->inputs * 4 + 4 * (T + 1) * N + N * 12 + begun_bytes(s) + LANES * s->reads * (4 + 8 * s->outputs) + 4 * kept + 4 * events +
           (s->values ? 0 : 10 * shown) + more + sizeof(tile);
}

static double scratch_bytes(const shape *s) {
    const double N = s->neurons, T = s->steps, units = N + s->inputs, posts = s->posts;
    const double vectors = s->delays * posts + 5 * N + 2 * s->outputs + posts * window_of(s);
    const double targets = s->targets ? 4 * LANES * T * (1 + s->outputs) : 0;
    const double full = s->full ? 8.0 * LANES * sparse_words(s->neurons) + 4.0 * LANES * SPARSE_BAND + 4.0 * sparse_bands(s->posts) * BANDED : 0;
    return targets + full + 4 * LANES * vectors + 4 * posts * units + (8 + 2.0 * SEGMENT * LANES) * units + 4 + 2 * T * s->inputs +
           4 * T * (2 * N + s->outputs);
}

static void memory(const void *raw, int64_t count, double rate, plan_bytes *bytes) {
    const sizes *sizes = raw;
    const shape *s = &sizes->shape;
    const double ranks = (double)count, N = s->neurons, units = N + s->inputs, P = sizes->parameters, tiles = tiles_of(sizes, (double)sizes->batch, ranks);
    const double held_tiles = sizes->test->trials ? tiles_of(sizes, (double)(sizes->samples > sizes->batch ? sizes->samples : sizes->batch), ranks) : tiles;
    const double groups = ranks / sharing(sizes, ranks); /* that share out the samples */
    const double classes = s->targets ? sizes->task.classes : s->outputs;
    double *held = bytes->category;
    held[MEMORY_STATE] = held_tiles * tile_bytes(s, rate, sizes->dt) + scratch_bytes(s) + 8 * (N + s->steps) + 20 * N + 8.0 * classes * classes +
                         (s->targets ? 16 * s->reads : 0) + 8 * N + sizeof(lsnn);
    held[MEMORY_WEIGHTS] = 4 * P * (sizes->rewires ? 5.25 : 4) + units + units * s->posts * 5 + units * N + 64 * units +
                           8 * sizes->connections * (1 + 1 / sharing(sizes, ranks)) +
                           (s->full ? 4 * (double)sparse_floats(s->neurons, s->posts) : 0) + (sizes->eprop ? 4 * N * s->outputs : 0);
    held[MEMORY_OUTPUT] = sizes->rewires ? P : 0;
    held[MEMORY_TARGETS] = (double)sizes->task.bytes;
    held[MEMORY_BUFFERS] = 4 * P * tiles + (sizes->rewires ? 4 * P + 8 * N * fmax(N, s->inputs) : 0) +
                           (groups > 1 ? 4 * P * tiles + 4 * P * ceil((double)sizes->batch / LANES) / groups : 0);
    for (int c = 0; c < MEMORY_CATEGORIES; c++) bytes->building += c == MEMORY_OUTPUT ? 0 : held[c];
    bytes->building += (double)sizes->task.building + (sizes->rewires && sizes->dale ? 8 * N * N : 0);
    bytes->writing = 16 * sizes->connections;
}

static double checkpoint_bytes(const sizes *sizes) {
    const double P = sizes->parameters, units = sizes->shape.neurons + sizes->shape.inputs;
    return 12 * P + units * sizes->shape.neurons + (sizes->rewires ? 6 * P : 0);
}

static void output(const void *raw, double rate, plan_files *files) {
    const sizes *sizes = raw;
    (void)rate;
    plan_add_file(files, "nodes", 40.0 * (sizes->shape.neurons + sizes->shape.inputs));
    plan_add_file(files, "edges", sizes->output->edges == EDGES_NONE ? 0 : 36 * sizes->connections);
    plan_add_file(files, "lsnn", (sizes->rewires ? 5 : 4) * sizes->parameters);
    files->checkpoint = checkpoint_bytes(sizes);
}

/* ---- seconds ---- */

/** Of a tile of full matrices. */
static lsnn_products products_of(const sizes *sizes, double rate) {
    const shape *s = &sizes->shape;
    const double fires = fmin(1, plan_per_step(rate, sizes->dt)), psi = fmin(PSI_MOST, PSI * fires);
    return (lsnn_products){.inputs = s->inputs, .neurons = s->neurons, .posts = s->posts, .steps = s->steps, .fires = fires, .psi = psi,
                           .psi_any = PSI_TOGETHER * sparse_any(psi, LANES), .shown = s->values ? 0 : sizes->task.shown};
}

/** s of some tiles: what ranks that share their neurons share, forwards. */
static double forward_seconds(const sizes *sizes, const machine *machine, double tiles, double rate) {
    const lsnn_costs *costs = machine_costs(machine, "lsnn");
    const shape *s = &sizes->shape;
    const double N = s->neurons, p = sizes->connections / sizes->parameters, fires = FIRES * sparse_any(plan_per_step(rate, sizes->dt), LANES);
    const double of_input = (s->values ? 1 : sparse_any(sizes->task.shown, LANES)) * s->inputs * N;
    const lsnn_products products = products_of(sizes, rate);
    if (s->full) return tiles * (NS * s->steps * (N * costs->full_forward + of_input * costs->spike) + lsnn_products_forward(machine, &products));
    return NS * tiles * s->steps * (N * costs->forward + p * (fires * N * (N + s->outputs) + of_input) * costs->spike);
}

/** s of drawing samples, which every rank does for itself. */
static double show_seconds(const sizes *sizes, const machine *machine, double tiles) {
    const lsnn_costs *costs = machine_costs(machine, "lsnn");
    return NS * tiles * sizes->shape.steps * sizes->shape.inputs * (costs->input + LANES * (sizes->shape.values ? 0 : sizes->task.shown) * costs->shown);
}

static double backward_seconds(const sizes *sizes, const machine *machine, double tiles, double rate) {
    const lsnn_costs *costs = machine_costs(machine, "lsnn");
    const shape *s = &sizes->shape;
    const double N = s->neurons, p = sizes->connections / sizes->parameters, active = ACTIVE * sparse_any(plan_per_step(rate, sizes->dt), LANES);
    const double of_values = s->values ? s->inputs * N : 0;
    if (s->full) {
        const lsnn_products products = products_of(sizes, rate);
        const double returned = sizes->eprop ? products.psi_any * N * s->outputs : 0;
        return tiles * (NS * s->steps * (N * costs->full_backward + (returned + of_values) * costs->back) + lsnn_products_gradient(machine, &products) +
                        (sizes->eprop ? 0 : lsnn_products_back(machine, &products)));
    }
    const double returned = active * N * (sizes->eprop ? s->outputs : N + s->outputs) * p + of_values;
    const double spikes = N * plan_per_step(rate, sizes->dt) * s->posts + (s->values ? 0 : sizes->task.shown * s->inputs * N);
    return NS * tiles * s->steps * (N * costs->backward + returned * costs->back + LANES * spikes * costs->gradient);
}

/** s of gradients of matrices, and of following them. */
static double update_seconds(const sizes *sizes, const machine *machine, double tiles) {
    const lsnn_costs *costs = machine_costs(machine, "lsnn");
    return NS * sizes->parameters * (tiles * costs->sum + (sizes->rewires ? costs->rewire : costs->update));
}

/** So many of the ranks, on as few nodes as can be. */
static plan_ranks some(plan_ranks ranks, double count) {
    return (plan_ranks){.count = (int64_t)count, .per_node = ranks.per_node < (int64_t)count ? ranks.per_node : (int64_t)count};
}

/** s of the exchanges within tiles whose neurons several ranks share: spikes in every step forwards, slopes in every step backwards. */
static double sharing_seconds(const sizes *sizes, const machine *machine, plan_ranks ranks, double tiles, bool both) {
    const double share = sharing(sizes, (double)ranks.count), mine = sizes->shape.neurons / share;
    if (share == 1) return 0;
    const plan_ranks group = some(ranks, share);
    const double forwards = plan_message(machine, group, sizeof(uint16_t) * mine), backwards = plan_message(machine, group, LANES * sizeof(float) * mine);
    return tiles * sizes->shape.steps * (forwards + (both && !sizes->eprop ? backwards : 0));
}

/** s of adding up gradients and counts. Of a vector that is added up every rank sends a part to each of the others, and then its part of the sum to all: a part
 *  of all there is. */
static double sum_seconds(const sizes *sizes, const machine *machine, plan_ranks ranks) {
    const double count = (double)ranks.count, share = sharing(sizes, count), groups = count / share, tiles = ceil((double)sizes->batch / LANES);
    const double gradient = sizeof(float) * sizes->parameters, told = 8.0 * (sizes->shape.neurons + sizes->shape.steps);
    double seconds = ranks.count > 1 ? plan_message(machine, ranks, 2 * told / count) : 0;
    if (groups > 1) seconds += plan_message(machine, some(ranks, groups), gradient / groups * (1 + tiles / groups));
    if (share > 1) seconds += plan_message(machine, some(ranks, share), 2 * gradient / share);
    return seconds;
}

static void seconds_of(const void *raw, const machine *machine, plan_ranks ranks, double rate, plan_seconds *s) {
    const sizes *sizes = raw;
    const double count = (double)ranks.count, share = sharing(sizes, count);
    const double tiles = tiles_of(sizes, (double)sizes->batch, count), tested = tiles_of(sizes, (double)sizes->samples, count);
    const double forward = forward_seconds(sizes, machine, tiles, rate) / share;
    s->update = forward + show_seconds(sizes, machine, tiles);
    s->learn = backward_seconds(sizes, machine, tiles, rate) / share + update_seconds(sizes, machine, tiles);
    if (sizes->epochs > 1) s->learn += (sizes->epochs - 1) * (s->learn + forward); /* the same episodes once more */
    s->learn += forward * (1 - (double)sizes->shape.stretch / sizes->shape.steps); /* computed again */
    s->transfer = sum_seconds(sizes, machine, ranks) + sharing_seconds(sizes, machine, ranks, tiles, true);
    const double trial = forward_seconds(sizes, machine, tested, rate) / share + show_seconds(sizes, machine, tested);
    s->tests = (double)sizes->test->trials * (trial + sharing_seconds(sizes, machine, ranks, tested, false));
    s->between = s->tests * plan_between(sizes->test, task_validation_trials(&sizes->task, sizes->samples));
}

static const char *unmeasured(const void *raw, const machine *machine) {
    return ((const sizes *)raw)->shape.full && !sparse_measured(machine) ? sparse_unmeasured : NULL;
}

const plan_hooks lsnn_plan = {
    .open = open_sizes,
    .close = memory_free,
    .facts = facts,
    .memory = memory,
    .output = output,
    .time = seconds_of,
    .costs = lsnn_cost_sections,
    .unmeasured = unmeasured,
    .calibrate = lsnn_calibrate,
};
