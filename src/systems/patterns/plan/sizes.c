/* From the configuration to sizes. What kinds of networks, plastic sets, targets and rules know of themselves they are asked for. */
#include <math.h>
#include <string.h>

#include "../build.h"
#include "engram/memory.h"
#include "engram/table.h"
#include "sizes.h"

/** Does any neuron have noise? */
static bool has_noise(const neurons *neurons) {
    const neuron_model *model = neurons->model;
    for (int64_t gid = 0; model->noise_sd && gid < neurons->part.total; gid++)
        if (model->noise_sd(neurons, gid) > 0) return true;
    return false;
}

/** Part of the neurons that begin above their threshold, and so fire in the first step: of some that are spread over the network, without input. */
static double starting(const neurons *like) {
    enum { PARTS = 64, OF_PART = 64 };
    const double input[OF_PART] = {0};
    int fired = 0, seen = 0;
    for (int k = 0; k < PARTS; k++) {
        partition part = {.total = like->part.total, .first = partition_first(like->part.total, PARTS, k), .ranks = 1};
        const int64_t left = partition_first(like->part.total, PARTS, k + 1) - part.first;
        part.mine = left < OF_PART ? (int)left : OF_PART;
        neurons *some = neurons_new(like->model, like->parameters, part, like->cells, like->dt, like->seed);
        neurons_reset(some, 0);
        some->model->step(some, 0, part.mine, input, NULL);
        for (int i = 0; i < part.mine; i++) fired += some->since_spike[i] == 0;
        seen += part.mine;
        neurons_free(some);
    }
    return seen ? (double)fired / seen : 0;
}

static void read_neurons(config *config, plan_network *network) {
    const network_settings *settings = config_common(config, "network");
    const simulation_settings *simulation = config_common(config, "simulation");
    network->model = neuron_models[config_variant_index(config, "neuron")];
    network->neurons = settings->neurons;
    network->cells = &settings->cells;
    neurons none = {.model = network->model, .part = {.total = settings->neurons, .ranks = 1}, .cells = settings->cells, .dt = simulation->dt,
                    .seed = (uint64_t)simulation->seed, .parameters = config_variant(config, "neuron")};
    network->single = network->model->single && network->model->single(config_variant(config, "neuron"));
    network->noise = has_noise(&none);
    network->starting = starting(&none);
    network->current_noise = network->noise && network->model->noise_is_current && network->model->noise_is_current(&none);
    network->readout = build_readout_form(config);
    network->keeps_state = simulation->reset == RESET_AUTO ? network->model->keeps_state : simulation->reset == RESET_NEVER;
    network->own_tau = ((const plastic_settings *)config_common(config, "plastic"))->tau_range.count == 2;
    network->own_static_tau = settings->tau_excitatory != settings->tau_inhibitory;
}

/** As arrivals.c does it, from what is known before synapses are there. */
static int steps_at_once(config *config, const plan_network *network) {
    const network_size *statics = &network->network;
    const int most = exchange_most_steps(network->neurons);
    int least = most;
    if (((const added_simulation *)config_added(config, "simulation"))->exchange_every == EXCHANGE_EVERY_STEP) return 1;
    if (statics->any && statics->least < least) least = statics->least;
    if (network->plastic.inputs > 0 && network->plastic.least < least) least = network->plastic.least;
    return least > 1 && (statics->any || network->plastic.inputs > 0) ? least : 1;
}

static status read_synapses(config *config, plan_network *network) {
    share_sizes sizes;
    const status result = share_read_sizes(config, &sizes);
    network->network = sizes.network, network->plastic = sizes.plastic, network->rule = sizes.rule, network->inputs = sizes.inputs;
    const feedforward_settings *feedforward = config_common(config, "feedforward");
    network->units = feedforward->units;
    network->unit_rate = feedforward->rate;
    const int of_static = network->network.longest, of_plastic = network->plastic.longest;
    network->longest = of_static > of_plastic ? of_static : of_plastic > 1 ? of_plastic : 1;
    network->at_once = steps_at_once(config, network);
    return result;
}

/** Who learns. */
static void count_trained(config *config, const targets *targets, plan_network *network) {
    int64_t last = -1;
    for (int64_t gid = 0; gid < network->neurons; gid++) {
        network->targets += targets_has(targets, gid);
        if (!build_learns(config, targets, gid)) continue;
        network->trained++;
        last = gid;
    }
    network->trained_first = last == network->trained - 1;
}

/** Mean of the values of recorded units. */
static double mean_of(const table *recorded) {
    const int64_t count = (int64_t)recorded->conditions * recorded->units;
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += recorded->sums[i] / recorded->times;
    return count ? sum / (double)count : NAN;
}

/** Mean of the rates of units that are drawn. */
static double mean_rate(const target_request *request, const targets *targets) {
    enum { SAMPLED = 1000 };
    double sum = 0;
    int64_t count = 0;
    target_request one = *request;
    one.instants = targets->instants;
    double *rows = memory_new(MEMORY_TARGETS, (size_t)targets->instants, sizeof(double));
    int64_t stride = request->part.total / SAMPLED + 1;
    for (int64_t gid = 0; gid < request->part.total; gid += stride) {
        if (targets->unit[gid] < 0) continue;
        one.part.first = gid;
        one.part.mine = one.columns.count = 1;
        if (targets->kind->fill(&one, targets->parameters, targets->state, 0, targets->unit, rows) != STATUS_OK) break;
        for (int k = 0; k < targets->instants; k++) sum += rows[k];
        count += targets->instants;
    }
    memory_free(rows);
    return count ? sum / (double)count : NAN;
}

static status read_pairs(target_request *request, targets *targets, const table *recorded, plan_network *network) {
    status result = share_pair_in_silence(request, targets); /* all that matters is how many are paired */
    if (result == STATUS_OK && targets->kind->gives_rates && network->keeps_rates)
        network->target_rate = recorded && recorded->sums ? mean_of(recorded) : mean_rate(request, targets);
    return result;
}

static status read_targets(const context *context, config *config, plan_network *network) {
    const learning_settings *learning = config_common(config, "learning");
    const target_settings *settings = config_common(config, "targets");
    const simulation_settings *simulation = config_common(config, "simulation");
    target_request request = {.context = context, .config = config, .part = {.total = network->neurons, .mine = 1, .ranks = 1}, .cells = network->cells,
                              .seed = (uint64_t)simulation->seed, .every = learning->every, .activity_seconds = 1};
    targets targets;
    status result = targets_open(&request, &targets);
    if (result != STATUS_OK) return result;
    network->tasks = targets.tasks;
    network->instants = targets.instants;
    network->keeps_rates = settings->quantity == QUANTITY_RATE;
    network->rate_targets = network->keeps_rates && (settings->rate_form == RATE_AUTO ? network->model->phi_applies : settings->rate_form == RATE_PHI);
    network->target_rate = NAN;
    network->target_draws = targets.kind->draws ? targets.kind->draws(targets.parameters) : 0;
    const table *recorded = targets.kind->recorded ? targets.kind->recorded(targets.state) : NULL;
    if (recorded && recorded->sums) {
        const double of_unit = 8.0 * recorded->conditions * recorded->times;
        network->table_bytes = of_unit * recorded->read;
        network->recorded_bytes = of_unit * recorded->units;
    }
    if (targets.kind->pair) result = read_pairs(&request, &targets, recorded, network);
    if (result == STATUS_OK) {
        const share_sizes sizes = {network->network, network->plastic, network->rule, network->inputs};
        count_trained(config, &targets, network);
        network->costs = share_read(config, &sizes, &targets);
    }
    targets_clear(&targets);
    return result;
}

static status read_times(config *config, plan_network *network) {
    const simulation_settings *simulation = config_common(config, "simulation");
    const learning_settings *learning = config_common(config, "learning");
    const stimulus_settings *stimulus = config_common(config, "stimulus");
    const stimulus_kind *kind = stimulus_kinds[config_variant_index(config, "stimulus")];
    network->dt = simulation->dt;
    network->every = llround(learning->every / network->dt);
    network->window = stimulus->stop;
    int64_t end = llround(stimulus->stop / network->dt) + network->every * network->instants;
    network->loop_steps = isnan(simulation->loop_duration) ? end : llround(simulation->loop_duration / network->dt);
    if (network->loop_steps < end)
        return config_complain(config, "simulation", "loop_duration", "%g ms ends before the target window does, at %g ms", simulation->loop_duration,
                               (double)end * network->dt);
    double last = stimulus->noise_sd > 0 ? (double)network->loop_steps * network->dt : kind->next ? stimulus->stop : stimulus->start;
    network->stimulus = last - stimulus->start;
    network->loops = learning->loops;
    bool by_siegert = network->keeps_rates && !network->rate_targets && network->network.any;
    network->baseline = build_baseline(config, by_siegert, (double)network->loop_steps * network->dt);
    network->output = config_common(config, "output");
    network->measured = config_added(config, "output");
    network->exchange = (exchange_way)((const added_simulation *)config_added(config, "simulation"))->exchange;
    network->test = config_common(config, "test");
    network->tracked = tracker_rows(network->instants, learning->every, network->measured->correlation_window);
    return STATUS_OK;
}

status plan_read(const context *context, config *config, plan_network *network) {
    *network = (plan_network){0};
    read_neurons(config, network);
    status result = read_synapses(config, network);
    if (result == STATUS_OK) result = read_targets(context, config, network);
    if (result == STATUS_OK) result = read_times(config, network);
    if (result == STATUS_OK && network->rule.store && network->trained * (network->inputs > 0) == 0)
        result = config_complain(config, "plastic", "kind", "leaves no neuron to train; give learning.rule: none to simulate only");
    return result;
}

/** @param mine neurons, @param rows of them trained */
static plan_share share_of(const plan_network *network, int64_t ranks, double mine, double rows) {
    double size = (double)network->plastic.group_size, groups = rows > 0 ? fmax(1, rows / size) : 0;
    if (size > 1 && groups > 1) groups = fmin(rows, groups + 1 - 1 / size); /* a group that begins on one rank goes on on the next */
    plan_share share = {
        .ranks = ranks,
        .mine = (int64_t)ceil(mine),
        .rows = rows,
        .groups = groups,
        .members = groups > 0 ? rows / groups : 0,
        .plastic_inputs = network->inputs,
    };
    double trained = network->neurons ? rows / fmax(mine, 1) : 0;
    share.static_inputs = network->network.inputs * mine;
    share.static_synapses = share.static_inputs * (network->plastic.takes_static ? 1 - trained : 1);
    share.plastic_synapses = rows * network->inputs;
    return share;
}

plan_share plan_share_mean(const plan_network *network, int64_t ranks) {
    double parts = (double)ranks;
    plan_share share = share_of(network, ranks, (double)network->neurons / parts, (double)network->trained / parts);
    share.targets = (double)network->targets / parts;
    return share;
}

/** Of a rank that has @p block. */
static plan_share share_of_block(const plan_network *network, int64_t ranks, const share_most *block) {
    const int64_t mine = block->neurons;
    const double rows = fmin((double)mine, ceil(block->learning - 1e-6));
    plan_share share = share_of(network, ranks, (double)mine, rows);
    share.targets = fmin((double)mine, ceil(block->targets - 1e-6));
    if (network->network.population_inputs && share.static_inputs > 0) {
        share.static_synapses *= block->inputs / share.static_inputs;
        share.static_inputs = block->inputs;
    }
    return share;
}

/** Of the rank that has the fullest block, with the static synapses of the one that has most of them, if that is another. */
static plan_share share_of_fullest(const plan_network *network, int64_t ranks, const share_most *block) {
    plan_share share = share_of_block(network, ranks, block);
    if (network->plastic.takes_static && network->trained < network->neurons) {
        double untrained = fmin((double)share.mine, (double)(network->neurons - network->trained));
        share.static_synapses = network->network.inputs * untrained * (network->trained_first ? 1 : 0.5);
    }
    return share;
}

/** Blocks of neurons as the run makes them. @return [ranks + 1] owned */
static int64_t *blocks_of(const plan_network *network, int64_t ranks) {
    int64_t *bounds = memory_new(MEMORY_BUFFERS, (size_t)ranks + 1, sizeof *bounds);
    share_out(&network->costs, ranks, bounds);
    return bounds;
}

plan_share plan_share_of(const plan_network *network, int64_t ranks) {
    int64_t *bounds = blocks_of(network, ranks);
    const share_most most = share_find_most(&network->costs, ranks, bounds);
    memory_free(bounds);
    return share_of_fullest(network, ranks, &most);
}

void plan_shares_of_fullest(const plan_network *network, int64_t ranks, plan_share shares[2]) {
    int64_t *bounds = blocks_of(network, ranks);
    share_most fullest[2];
    share_find_fullest(&network->costs, ranks, bounds, &fullest[0], &fullest[1]);
    memory_free(bounds);
    for (int k = 0; k < 2; k++) shares[k] = share_of_fullest(network, ranks, &fullest[k]);
}

bool plan_share_each(const plan_network *network, int64_t ranks, void (*tell)(void *self, const plan_share *share), void *self) {
    if (network->costs.count < 2) return false;
    int64_t *bounds = blocks_of(network, ranks);
    int stretch = 0;
    for (int64_t rank = 0; rank < ranks; rank++) {
        const share_most block = share_measure(&network->costs, bounds[rank], bounds[rank + 1], &stretch);
        const plan_share share = share_of_block(network, ranks, &block);
        tell(self, &share);
    }
    memory_free(bounds);
    return true;
}
