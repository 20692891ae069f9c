/* LSNN: recurrent networks of leaky and adaptive neurons that learn by gradients through their spikes (Bellec et al. 2018). What it is to a run. */
#include <string.h>

#include "engram/memory.h"
#include "engram/run_settings.h"
#include "passes.h"

enum { STEPS_MAX = 65535 };

static status check(const context *context, config *config) {
    const simulation_settings *simulation = config_common(config, "simulation");
    const network_settings *network = config_common(config, "network");
    const neuron_settings *neuron = config_common(config, "neuron");
    const learning_settings *learning = config_common(config, "learning");
    const char *rule = config_variant_name(config, "learning");
    const task_setting setting = {.context = context, .config = config, .seed = (uint64_t)simulation->seed, .dt = simulation->dt};
    status result = task_check(&setting);
    if (result == STATUS_OK && lsnn_is_ppo(config) != task_acts(config))
        result = config_complain(config, "learning", "rule", lsnn_is_ppo(config) ? "ppo learns tasks with actions; task.kind %s has none"
                                                                                 : "task.kind %s has actions: only rule ppo learns them",
                                 config_variant_name(config, TASK_SECTION));
    if (simulation->dt != 1) result = config_complain(config, "simulation", "dt", "must be 1 ms with rule %s", rule);
    else result = status_worse(result, config_check_steps(config, "neuron", "refractory", neuron->refractory, simulation->dt));
    if (simulation->reset == RESET_NEVER)
        result = config_complain(config, "simulation", "reset", "every sample begins at rest with rule %s; allowed are auto and every_loop", rule);
    if (!isnan(simulation->baseline)) result = config_complain(config, "simulation", "baseline", "has no meaning for rule %s", rule);
    if (!isnan(simulation->loop_duration)) result = config_complain(config, "simulation", "loop_duration", "is that of the task with rule %s", rule);
    if (network->signs == SIGNS_DALE && learning->connectivity == 1)
        result = config_complain(config, "network", "signs", "only connections that are rewired keep their sign: dale needs learning.connectivity below 1");
    const eprop_settings *eprop = lsnn_is_eprop(config) ? config_variant(config, "learning") : NULL;
    if (learning->connectivity < 1 && learning->l2 > 0)
        result = config_complain(config, "learning", "l2", "connections that are rewired shrink by learning.shrinkage; l2 needs a learning.connectivity of 1");
    if (learning->connectivity < 1 && eprop && eprop->feedback == FEEDBACK_ADAPTIVE)
        result = config_complain(config, "learning", "feedback", "adaptive needs a learning.connectivity of 1: weights of readouts decay with it");
    const param_numbers *tau = &neuron->tau_adaptation;
    if (tau->count < 1 || tau->count > 2 || tau->values[0] > tau->values[tau->count - 1])
        result = config_complain(config, "neuron", "tau_adaptation", "%d values; allowed are one, or two: the shortest and the longest", tau->count);
    if (neuron->refractory < 2) result = config_complain(config, "neuron", "refractory", "%g ms; a spike resets its neuron 2 ms later", neuron->refractory);
    return result;
}

/* ---- building ---- */

shape lsnn_shape(config *config, const task_shape *task) {
    const simulation_settings *simulation = config_common(config, "simulation");
    const network_settings *network = config_common(config, "network");
    const neuron_settings *neuron = config_common(config, "neuron");
    const bool targets = task->gives & TASK_TARGETS;
    const int read_steps = targets && task->read_steps == 0 ? 1 : task->read_steps; /* targets without windows: every step */
    const int64_t history = ((const learning_settings *)config_common(config, "learning"))->history;
    const int N = (int)network->neurons, reads = targets ? task->steps / read_steps : task->reads;
    const bool full = network->delays == 1 && ((const learning_settings *)config_common(config, "learning"))->connectivity == 1;
    const int group = full ? SPARSE_GROUP : POSTS;
    return (shape){.inputs = task->inputs, .neurons = N, .outputs = task->outputs, .adaptive = (int)llround(network->adaptive * N),
                   .posts = (N + task->outputs + group - 1) / group * group, .delays = (int)network->delays,
                   .refractory = (int)llround(neuron->refractory / simulation->dt), .steps = task->steps,
                   .stretch = history > 0 && history < task->steps ? (int)history : task->steps,
                   .first_read = task->steps - reads * read_steps, .read_steps = read_steps, .reads = reads,
                   .values = task->gives & TASK_VALUES, .targets = targets, .acts = task->gives & TASK_ACTIONS, .full = full,
                   .alpha = exp(-simulation->dt / neuron->tau), .rho = exp(-simulation->dt / neuron->tau_adaptation.values[0]),
                   .kappa = exp(-simulation->dt / neuron->tau_readout), .threshold = neuron->threshold, .beta = neuron->beta, .gamma = neuron->gamma};
}

/** Time constants of adaptation between the two that are given. */
static void spread_adaptation(lsnn *net) {
    const param_numbers *tau = &net->neuron->tau_adaptation;
    const int N = net->shape.neurons, adaptive = net->shape.adaptive;
    if (tau->count < 2) return;
    net->shape.decay = memory_new(MEMORY_STATE, 2 * (size_t)N, sizeof *net->shape.decay);
    for (int k = 0; k < adaptive; k++) {
        const double rho = exp(-net->dt / (tau->values[0] * pow(tau->values[1] / tau->values[0], (k + 0.5) / adaptive)));
        net->shape.decay[2 * (N - adaptive + k)] = (float)rho, net->shape.decay[2 * (N - adaptive + k) + 1] = (float)(1 - rho);
    }
}

static void free_self(void *raw) {
    lsnn *net = raw;
    if (!net) return;
    lsnn_batch_clear(net);
    lsnn_grid_clear(net);
    lsnn_parameters_clear(net);
    if (net->rewiring.count) rewire_clear(&net->rewiring);
    if (net->adam.count) adam_clear(&net->adam);
    task_close(net->task);
    memory_free(net->channels);
    memory_free(net->feedback), memory_free(net->silent), memory_free(net->shape.decay), memory_free(net->begun);
    memory_free(net);
}

/** What only learning needs. */
static void build_learning(lsnn *net) {
    const learning_settings *learning = net->learning;
    adam_new(&net->adam, net->parameters, learning->beta1, learning->beta2, learning->epsilon);
    if (net->eprop && net->eprop->feedback != FEEDBACK_SYMMETRIC)
        net->feedback = memory_new(MEMORY_WEIGHTS, (size_t)net->shape.neurons * (size_t)net->shape.outputs, sizeof(float));
    if (learning->connectivity == 1) return;
    rewire_new(&net->rewiring, net->parameters);
    net->rewiring.connectivity = learning->connectivity, net->rewiring.shrinkage = learning->shrinkage, net->rewiring.temperature = learning->temperature;
    net->rewiring.seed = net->seed;
}

static status build(const system_setting *setting, system_facts *facts, void **result) {
    stopwatch watch = stopwatch_start(setting->timers);
    config *config = setting->config;
    const simulation_settings *simulation = config_common(config, "simulation");
    const bool learns = setting->purpose != BUILD_TEST;
    lsnn *net = memory_new(MEMORY_STATE, 1, sizeof *net);
    *result = NULL;
    net->context = *setting->context, net->config = config, net->timers = setting->timers;
    net->network = config_common(config, "network"), net->neuron = config_common(config, "neuron"), net->learning = config_common(config, "learning");
    net->eprop = lsnn_is_eprop(config) ? config_variant(config, "learning") : NULL;
    net->ppo = lsnn_is_ppo(config) ? config_variant(config, "learning") : NULL;
    net->seed = (uint64_t)simulation->seed, net->dt = simulation->dt;
    const task_setting task = {.context = setting->context, .config = config, .seed = net->seed, .dt = net->dt};
    status opened = task_open(&task, &net->task);
    if (opened == STATUS_OK && task_sizes(net->task)->steps > STEPS_MAX)
        opened = status_agree(setting->context, status_fail(STATUS_INPUT, "task: %d steps; at most %d are possible", task_sizes(net->task)->steps, STEPS_MAX));
    if (opened != STATUS_OK) {
        free_self(net);
        return opened;
    }
    net->shape = lsnn_shape(config, task_sizes(net->task));
    spread_adaptation(net);
    net->part = (partition){.total = net->shape.neurons, .first = 0, .mine = net->shape.neurons, .ranks = setting->context->ranks};
    net->owned = (partition){.total = net->shape.neurons, .first = setting->context->rank ? net->shape.neurons : 0,
                             .mine = setting->context->rank ? 0 : net->shape.neurons, .ranks = setting->context->ranks};
    const status placed = status_agree(setting->context, lsnn_grid_new(net, net->learning->neuron_groups, learns));
    if (placed != STATUS_OK) {
        free_self(net);
        return placed;
    }
    lsnn_parameters_new(net);
    task_note_channels(net->task, &net->channels);
    if (learns) build_learning(net);
    const int64_t samples = learns ? net->learning->batch : lsnn_trial_samples(net);
    lsnn_batch_new(net, samples, learns);
    if (learns) lsnn_initial(net);
    lsnn_spread(net);
    *facts = (system_facts){.part = net->part, .owned = net->owned, .dt = net->dt, .seed = net->seed, .tasks = 1, .loop_steps = net->shape.steps,
                            .samples = samples, .look_every = net->shape.steps,
                            .validation = task_validation_trials(task_sizes(net->task), lsnn_trial_samples(net))};
    *result = net;
    stopwatch_charge(&watch, PHASE_BUILD);
    return STATUS_OK;
}

static void describe(const void *raw, int64_t loops) {
    const lsnn *net = raw;
    const shape *shape = &net->shape;
    log_line(&net->context, "task: %s; %d inputs, %d steps, %d window%s of %d step%s, %d %s", task_about(net->task), shape->inputs,
             shape->steps, shape->reads, shape->reads > 1 ? "s" : "", shape->read_steps, shape->read_steps > 1 ? "s" : "", shape->outputs,
             shape->targets ? shape->outputs > 1 ? "readouts" : "readout" : "classes");
    log_line(&net->context, "network: %d leaky and %d adaptive neurons, delays of 1 to %d steps, %lld of %lld connections", shape->neurons - shape->adaptive,
             shape->adaptive, shape->delays, (long long)lsnn_connections(net), (long long)(net->first[MATRICES] - shape->neurons));
    log_line(&net->context, "training: %lld iterations of %lld samples, rule %s", (long long)loops, (long long)net->learning->batch,
             config_variant_name(net->config, "learning"));
    gradient_tell_idle(&net->context, net->data.ranks, net->learning->batch,
                       "larger batches, fewer ranks, or ranks that share neurons (learning.neuron_groups) help");
}

int64_t lsnn_connections(const lsnn *net) {
    int64_t count = 0;
    for (int64_t k = 0; k < net->first[MATRICES]; k++) count += net->weight[k] != 0;
    return count;
}

/* ---- a loop: one iteration ---- */

/** Slopes of the cost of weights (learning.l2). */
static void regularise(lsnn *net) {
    const float l2 = (float)net->learning->l2;
    for (int64_t k = 0; l2 > 0 && k < net->first[MATRICES]; k++) net->gradient[k] += l2 * net->weight[k];
}

static double norm(const lsnn *net) {
    double sum = 0;
    for (int64_t k = 0; k < net->parameters; k++) sum += (double)net->gradient[k] * net->gradient[k];
    return sqrt(sum);
}

/** Adaptive feedback takes the readouts' changes, and both lose a part: their difference fades (Bellec et al. 2020, methods). */
static void adapt_feedback(lsnn *net, const float *before) {
    const float keep = (float)(1 - net->eprop->feedback_decay);
    float *readout = net->weight + net->first[MATRIX_READOUT];
    for (int64_t k = 0; k < net->first[MATRICES] - net->first[MATRIX_READOUT]; k++) {
        net->feedback[k] = keep * (net->feedback[k] + (readout[k] - before[k]));
        readout[k] *= keep;
    }
}

/** @param loop number of the iteration @param number of the update */
static void update(lsnn *net, int64_t loop, int64_t number) {
    const learning_settings *learning = net->learning;
    const double warm = loop < learning->warm_up ? (double)loop / (double)learning->warm_up : 1;
    const double rate = warm * learning->rate * pow(learning->decay, (double)((loop - 1) / learning->decay_every));
    const size_t readouts = (size_t)(net->first[MATRICES] - net->first[MATRIX_READOUT]);
    const bool adapts = net->eprop && net->eprop->feedback == FEEDBACK_ADAPTIVE;
    float *before = adapts ? memory_new(MEMORY_BUFFERS, readouts, sizeof *before) : NULL;
    if (adapts) memcpy(before, net->weight + net->first[MATRIX_READOUT], readouts * sizeof *before);
    if (learning->clip > 0 && net->gradient_norm > learning->clip) {
        const float cut = (float)(learning->clip / net->gradient_norm);
        for (int64_t k = 0; k < net->parameters; k++) net->gradient[k] *= cut;
    }
    if (net->rewiring.count) rewire_step(&net->rewiring, &net->adam, rate, number, net->gradient, net->weight);
    else adam_step(&net->adam, rate, net->gradient, net->weight);
    if (adapts) adapt_feedback(net, before);
    memory_free(before);
}

/** Costs and their gradient. @return no fault */
static bool follow(lsnn *net, const loop *loop) {
    lsnn_judge(net);
    lsnn_backward(net, loop->measured);
    regularise(net);
    net->gradient_norm = norm(net);
    if (isfinite(net->gradient_norm)) return true;
    pulse_fault(loop->pulse, "%g ms: the gradient is not finite", (double)net->shape.steps * net->dt);
    return false;
}

/** Further updates by the same episodes. */
static void learn_again(lsnn *net, const loop *loop) {
    for (int64_t epoch = 1; epoch < net->ppo->epochs; epoch++) {
        lsnn_spread(net);
        lsnn_forward_again(net);
        if (!follow(net, loop)) {
            pulse_heed(loop->pulse, lsnn_raise(net, pulse_bits(loop->pulse)), net->shape.steps);
            return;
        }
        update(net, loop->number, (loop->number - 1) * net->ppo->epochs + epoch + 1);
    }
}

/** Connections before the first loop, for who looks at what became of them. */
static void remember(lsnn *net) {
    const int64_t count = net->first[MATRICES];
    net->begun = memory_new(MEMORY_OUTPUT, (size_t)count, 1);
    for (int64_t k = 0; k < count; k++) net->begun[k] = (int8_t)((net->weight[k] > 0) - (net->weight[k] < 0));
}

static void run_loop(void *raw, const loop *loop) {
    lsnn *net = raw;
    const int64_t batch = net->learning->batch;
    stopwatch watch = stopwatch_start(net->timers);
    if (net->rewiring.count && loop->number == 1 && !net->begun) remember(net);
    pulse_begin(loop->pulse);
    unsigned bits = pulse_bits(loop->pulse);
    lsnn_forward(net, TASK_TRAIN, (loop->number - 1) * batch, batch, &bits);
    stopwatch_charge(&watch, PHASE_UPDATE);
    if (bits && !pulse_heed(loop->pulse, bits, 0)) return;
    lsnn_tell(net, loop->pulse);
    stopwatch_charge(&watch, PHASE_RECORD);
    follow(net, loop);
    bits = lsnn_raise(net, pulse_bits(loop->pulse));
    if (!bits || pulse_heed(loop->pulse, bits, net->shape.steps)) {
        update(net, loop->number, net->ppo ? (loop->number - 1) * net->ppo->epochs + 1 : loop->number);
        if (net->ppo) learn_again(net, loop);
        if (net->outcome.labels) task_learned(net->task, (double)net->outcome.right / (double)net->outcome.labels);
    }
    stopwatch_charge(&watch, PHASE_LEARN);
}

static void settle(void *raw) {
    lsnn *net = raw;
    task_note_channels(net->task, &net->channels); /* of a checkpoint that did not say it */
    if (net->rewiring.count) rewire_adopt(&net->rewiring, net->weight);
    lsnn_spread(net);
}

/* ---- metrics ---- */

enum {
    METRIC_LOSS, METRIC_ACCURACY, METRIC_RATE_COST, METRIC_NORM, METRIC_CONNECTIONS, METRIC_RECONNECTED, METRIC_COSINE, METRIC_DIFFICULTY, METRIC_GOALS,
    METRIC_FIRST, METRIC_LATER, METRICS
};
static const metric metrics[METRICS] = {
    {"loss", "  loss %s", "1", "cross entropy of the readouts, mean over windows with a label; of tasks with targets the mean squared error", 4},
    {"accuracy", "  accuracy %s", "1", "part of the windows with a label that were read right", 3, "accuracy"},
    {"rate_cost", NULL, "1", "of the regulariser of rates", 6},
    {"gradient_norm", NULL, "1", "of the whole gradient, before it is cut", 6},
    {"connections", NULL, "1", "that exist after the iteration", 0},
    {"reconnected", NULL, "1", "connections that were drawn anew", 0},
    {"cosine", NULL, "1", "of the gradient that was followed and the exact one, where they differ", 4},
    {"difficulty", NULL, "1", "of the samples, where the task has a curriculum", 4},
    {"goals", "  goals %s", "1", "that an episode reached, where a task has actions", 2},
    {"first_moves", "  first after %s", "1", "moves to the first goal of an episode, median; one more than there are: none", 0},
    {"later_moves", "  later after %s", "1", "moves from one goal to the next, median", 0},
};

static void measure(void *raw, const loop *loop, double *value) {
    const lsnn *net = raw;
    (void)loop;
    const double labels = (double)net->outcome.labels;
    if (labels > 0) value[METRIC_ACCURACY] = (double)net->outcome.right / labels;
    if (net->outcome.weight > 0) value[METRIC_LOSS] = sum_value(net->outcome.loss) / net->outcome.weight;
    value[METRIC_RATE_COST] = net->rate_cost;
    value[METRIC_NORM] = net->gradient_norm;
    value[METRIC_CONNECTIONS] = (double)lsnn_connections(net);
    if (net->rewiring.count) value[METRIC_RECONNECTED] = (double)net->rewiring.reconnected;
    value[METRIC_COSINE] = net->cosine;
    value[METRIC_DIFFICULTY] = task_difficulty(net->task);
    if (!net->visits) return;
    const lsnn_course course = lsnn_course_of(net, net->visits, (double)net->samples);
    value[METRIC_GOALS] = course.goals, value[METRIC_FIRST] = course.first, value[METRIC_LATER] = course.later;
}

const learning_system lsnn_system = {
    .name = "lsnn",
    .help = "leaky and adaptive neurons that learn tasks by gradients through their spikes",
    .sections = lsnn_sections,
    .plan = &lsnn_plan,
    .metrics = metrics,
    .metric_count = METRICS,
    .scores = lsnn_scores,
    .score_count = LSNN_SCORES,
    .check = check,
    .build = build,
    .free = free_self,
    .describe = describe,
    .loop = run_loop,
    .settle = settle,
    .measure = measure,
    .state = lsnn_state,
    .fits = lsnn_fits,
    .known_variables = lsnn_known_variables,
    .variables = lsnn_variables,
    .refresh = lsnn_refresh,
    .nodes = lsnn_nodes,
    .edges = lsnn_edges,
    .figures = lsnn_figures,
    .results_name = "lsnn.h5",
    .results = lsnn_results,
    .perturb = lsnn_perturb,
    .test_begin = lsnn_test_begin,
    .test_sums = lsnn_test_sums,
    .test_trial = lsnn_test_trial,
    .test_task = lsnn_test_task,
    .test_write = lsnn_test_write,
    .test_figures = lsnn_test_figures,
    .test_end = lsnn_test_end,
};
