/* Networks of differentiable synapses that are trained by the exact gradient (Huh & Sejnowski 2018). What they are to a run.
 *
 * An iteration: samples forwards (batch.c, forward.c), the cost backwards (backward.c), the norm of the gradient cut, Adam, the curriculum goes on. */
#include <string.h>

#include "engram/memory.h"
#include "engram/run_settings.h"
#include "differentiable.h"

enum { STEPS_MAX = 1 << 20 };
static const double COARSE_MOST = 0.05; /* part of the spikes */

static bool rises(const param_numbers *numbers) {
    for (int k = 1; k < numbers->count; k++)
        if (numbers->values[k] <= numbers->values[k - 1]) return false;
    return true;
}

static status check_learning(config *config) {
    const learning_settings *learning = config_common(config, "learning");
    status result = STATUS_OK;
    if (!rises(&learning->steps)) result = config_complain(config, "learning", "steps", "each must be behind the one before");
    if (learning->steps.count != learning->step_factors.count)
        result = config_complain(config, "learning", "step_factors", "%d of them for %d steps; one for each is wanted", learning->step_factors.count,
                                 learning->steps.count);
    return result;
}

static status check_network(config *config) {
    const network_settings *network = config_common(config, "network");
    const neuron_settings *neuron = config_common(config, "neuron");
    const param_numbers *range = &network->start_range;
    status result = STATUS_OK;
    if (range->count != 2 || range->values[0] > range->values[1])
        return config_complain(config, "network", "start_range", "two numbers are wanted, the lower one first");
    if (range->values[1] >= 1 || range->values[0] <= -1) result = config_complain(config, "network", "start_range", "must lie between the thresholds -1 and 1");
    if (config_variant_index(config, "neuron") == MODEL_THETA && range->values[0] < 0)
        result = config_complain(config, "network", "start_range", "%g: phases of model theta are 0 .. 1", range->values[0]);
    if (neuron->tau_fast > neuron->tau)
        result = config_complain(config, "neuron", "tau_fast", "%g ms is longer than tau, %g ms", neuron->tau_fast, neuron->tau);
    return result;
}

static status check(const context *context, config *config) {
    const simulation_settings *simulation = config_common(config, "simulation");
    const char *rule = config_variant_name(config, "learning");
    const task_setting setting = {.context = context, .config = config, .seed = (uint64_t)simulation->seed, .dt = simulation->dt};
    status result = task_check(&setting);
    result = status_worse(result, check_network(config));
    result = status_worse(result, check_learning(config));
    if (simulation->reset == RESET_NEVER)
        result = config_complain(config, "simulation", "reset", "every sample begins anew with rule %s; allowed are auto and every_loop", rule);
    if (!isnan(simulation->baseline)) result = config_complain(config, "simulation", "baseline", "has no meaning for rule %s", rule);
    if (!isnan(simulation->loop_duration)) result = config_complain(config, "simulation", "loop_duration", "is that of the task with rule %s", rule);
    return result;
}

/* ---- building ---- */

static void free_self(void *raw) {
    differentiable *net = raw;
    if (!net) return;
    if (net->count) differentiable_batch_clear(net);
    differentiable_parameters_clear(net);
    if (net->adam.count) adam_clear(&net->adam);
    task_close(net->task);
    memory_free(net->channels);
    memory_free(net->silent);
    memory_free(net);
}

static status build(const system_setting *setting, system_facts *facts, void **result) {
    stopwatch watch = stopwatch_start(setting->timers);
    config *config = setting->config;
    const simulation_settings *simulation = config_common(config, "simulation");
    const bool learns = setting->purpose != BUILD_TEST;
    differentiable *net = memory_new(MEMORY_STATE, 1, sizeof *net);
    *result = NULL;
    net->context = *setting->context, net->config = config, net->timers = setting->timers;
    net->network = config_common(config, "network"), net->learning = config_common(config, "learning");
    net->seed = (uint64_t)simulation->seed, net->dt = simulation->dt;
    const task_setting task = {.context = setting->context, .config = config, .seed = net->seed, .dt = net->dt};
    status opened = task_open(&task, &net->task);
    if (opened == STATUS_OK && task_sizes(net->task)->steps > STEPS_MAX)
        opened = status_agree(setting->context, status_fail(STATUS_INPUT, "task: %d steps; at most %d are possible", task_sizes(net->task)->steps, STEPS_MAX));
    if (opened != STATUS_OK) {
        free_self(net);
        return opened;
    }
    net->shape = differentiable_shape(config, task_sizes(net->task));
    const int N = net->shape.neurons, rank = setting->context->rank;
    net->part = (partition){.total = N, .first = 0, .mine = N, .ranks = setting->context->ranks};
    net->owned = (partition){.total = N, .first = rank ? N : 0, .mine = rank ? 0 : N, .ranks = setting->context->ranks};
    differentiable_parameters_new(net);
    task_note_channels(net->task, &net->channels);
    if (learns) adam_new(&net->adam, net->parameters, net->learning->beta1, net->learning->beta2, net->learning->epsilon);
    const int64_t samples = learns ? net->learning->batch : differentiable_trial_samples(net);
    differentiable_batch_new(net, samples, learns);
    if (learns) differentiable_initial(net);
    differentiable_spread(net);
    *facts = (system_facts){.part = net->part, .owned = net->owned, .dt = net->dt, .seed = net->seed, .tasks = 1, .loop_steps = net->shape.steps,
                            .samples = samples, .look_every = net->shape.steps,
                            .validation = task_validation_trials(task_sizes(net->task), differentiable_trial_samples(net))};
    *result = net;
    stopwatch_charge(&watch, PHASE_BUILD);
    return STATUS_OK;
}

static void describe(const void *raw, int64_t loops) {
    const differentiable *net = raw;
    const shape *shape = &net->shape;
    log_line(&net->context, "task: %s; %d inputs, %d steps, %d readout%s", task_about(net->task), shape->inputs, shape->steps, shape->outputs,
             shape->outputs > 1 ? "s" : "");
    log_line(&net->context, "network: %d neurons, model %s, zone of %g (%s), %s%s%s synapses between them", shape->neurons,
             config_variant_name(net->config, "neuron"), shape->model.width, shape->model.gate == GATE_BOX ? "box" : "smooth",
             shape->slow ? "slow" : "", shape->slow && shape->fast ? " and " : "", shape->fast ? "fast" : shape->slow ? "" : "no");
    log_line(&net->context, "training: %lld iterations of %lld samples, rule exact_gradient", (long long)loops, (long long)net->learning->batch);
    gradient_tell_idle(&net->context, net->context.ranks, net->learning->batch, "larger batches, or fewer ranks, help");
}

/* ---- a loop: one iteration ---- */

static double norm(const differentiable *net) {
    double sum = 0;
    for (int64_t k = 0; k < net->parameters; k++) sum += (double)net->gradient[k] * net->gradient[k];
    return sqrt(sum);
}

static double rate_of(const learning_settings *learning, int64_t number) {
    double factor = 1;
    for (int k = 0; k < learning->steps.count; k++)
        if ((double)number > learning->steps.values[k]) factor = learning->step_factors.values[k];
    if (learning->falls_after && number > learning->falls_after) factor *= (double)learning->falls_after / (double)number;
    return learning->rate * factor;
}

static void update(differentiable *net, int64_t number) {
    const learning_settings *learning = net->learning;
    if (learning->clip > 0 && net->gradient_norm > learning->clip) {
        const float cut = (float)(learning->clip / net->gradient_norm);
        for (int64_t k = 0; k < net->parameters; k++) net->gradient[k] *= cut;
    }
    const adam_group groups[] = {{net->first[PART_CURRENT], 1}, {net->first[PART_READOUT] - net->first[PART_CURRENT], learning->current_rate},
                                 {net->parameters - net->first[PART_READOUT], learning->readout_rate}};
    adam_step_groups(&net->adam, rate_of(learning, number), groups, sizeof groups / sizeof *groups, net->gradient, net->weight);
    if (net->outcome.labels) task_learned(net->task, differentiable_accuracy(&net->outcome));
}

static void run_loop(void *raw, const loop *loop) {
    differentiable *net = raw;
    const int64_t batch = net->learning->batch;
    stopwatch watch = stopwatch_start(net->timers);
    pulse_begin(loop->pulse);
    unsigned bits = pulse_bits(loop->pulse);
    differentiable_forward(net, TASK_TRAIN, (loop->number - 1) * batch, batch, &bits);
    stopwatch_charge(&watch, PHASE_UPDATE);
    if (bits && !pulse_heed(loop->pulse, bits, 0)) return;
    differentiable_tell(net, loop->pulse);
    stopwatch_charge(&watch, PHASE_RECORD);
    differentiable_backward(net);
    net->gradient_norm = norm(net);
    if (!isfinite(net->gradient_norm))
        pulse_fault(loop->pulse, "%g ms: the gradient is not finite; learning.adjoint_limit or smaller weights help", (double)net->shape.steps * net->dt);
    bits = differentiable_raise(net, pulse_bits(loop->pulse));
    if (!bits || pulse_heed(loop->pulse, bits, net->shape.steps)) update(net, loop->number);
    stopwatch_charge(&watch, PHASE_LEARN);
}

static void settle(void *raw) {
    differentiable *net = raw;
    task_note_channels(net->task, &net->channels); /* of a checkpoint that did not say it */
    differentiable_spread(net);
}

/** What makes gradients less than exact is said once. */
static status judge(void *raw, const loop *loop) {
    differentiable *net = raw;
    const double coarse = net->outcome.spikes ? (double)net->outcome.coarse / (double)net->outcome.spikes : 0;
    if (coarse > COARSE_MOST && !net->warned_of_steps) {
        log_warning(&net->context, "loop %lld: %.0f %% of the spikes pass their zone in fewer than %d steps: the gradient is that of the steps rather than "
                    "of the differential equations; a smaller simulation.dt or a wider neuron.zone help", (long long)loop->number, 100 * coarse, STEPS_WANTED);
        net->warned_of_steps = true;
    }
    if (net->outcome.cut && !net->warned_of_limit) {
        log_line(&net->context, "loop %lld: %lld slopes in voltages were cut to learning.adjoint_limit, %g: gradients are not exact where that happens",
                 (long long)loop->number, (long long)net->outcome.cut, net->learning->limit);
        net->warned_of_limit = true;
    }
    return STATUS_OK;
}

/* ---- metrics ---- */

double differentiable_error(const outcome *outcome) {
    const double all = sum_value(outcome->all);
    return all > 0 ? sum_value(outcome->off) / all : NAN;
}

double differentiable_accuracy(const outcome *outcome) {
    return outcome->labels ? (double)outcome->right / (double)outcome->labels : NAN;
}

enum { METRIC_ERROR, METRIC_ACCURACY, METRIC_COST, METRIC_NORM, METRIC_DIFFICULTY, METRIC_COARSE, METRIC_CUT, METRICS };
static const metric metrics[METRICS] = {
    {"error", "  error %s", "1", "squared error of the readouts by the square of what they should be, both summed over steps and samples, weighted", 4},
    {"accuracy", "  accuracy %s", "1", "part of the samples that were read right, of tasks that tell", 3, "accuracy"},
    {"cost", NULL, "1", "what the gradient is of, mean over samples", 6},
    {"gradient_norm", NULL, "1", "of the whole gradient, before it is cut", 6},
    {"difficulty", NULL, "1", "how far the curriculum is; delayed_xor: longest gap, ms", 2},
    {"coarse", NULL, "1", "part of the spikes whose way through the zone took fewer than 3 steps", 4},
    {"cut", NULL, "1", "slopes in voltages that were cut to the limit", 0},
};

static void measure(void *raw, const loop *loop, double *value) {
    const differentiable *net = raw;
    const outcome *outcome = &net->outcome;
    (void)loop;
    value[METRIC_ERROR] = differentiable_error(outcome);
    value[METRIC_ACCURACY] = differentiable_accuracy(outcome);
    value[METRIC_COST] = (sum_value(outcome->off) + net->shape.lambda * sum_value(outcome->currents)) / (2 * (double)net->samples);
    value[METRIC_NORM] = net->gradient_norm;
    value[METRIC_DIFFICULTY] = task_difficulty(net->task);
    value[METRIC_COARSE] = outcome->spikes ? (double)outcome->coarse / (double)outcome->spikes : NAN;
    value[METRIC_CUT] = (double)outcome->cut;
}

const learning_system differentiable_system = {
    .name = "differentiable",
    .help = "differentiable synapses that follow the exact gradient",
    .sections = differentiable_sections,
    .plan = &differentiable_plan,
    .metrics = metrics,
    .metric_count = METRICS,
    .scores = differentiable_scores,
    .score_count = DIFFERENTIABLE_SCORES,
    .check = check,
    .build = build,
    .free = free_self,
    .describe = describe,
    .loop = run_loop,
    .settle = settle,
    .judge = judge,
    .measure = measure,
    .state = differentiable_state,
    .fits = differentiable_fits,
    .known_variables = differentiable_known_variables,
    .variables = differentiable_variables,
    .refresh = differentiable_refresh,
    .nodes = differentiable_nodes,
    .edges = differentiable_edges,
    .figures = differentiable_figures,
    .results_name = "differentiable.h5",
    .results = differentiable_results,
    .perturb = differentiable_perturb,
    .test_begin = differentiable_test_begin,
    .test_sums = differentiable_test_sums,
    .test_trial = differentiable_test_trial,
    .test_task = differentiable_test_task,
    .test_write = differentiable_test_write,
    .test_figures = differentiable_test_figures,
    .test_end = differentiable_test_end,
};
