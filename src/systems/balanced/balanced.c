/* The system `balanced`: networks in tight balance learn dynamics by local rules (Bourdoukan & Denève 2015; Alemi et al. 2018). What it is to a run. */
#include "balanced.h"

#include <stdio.h>
#include <string.h>

#include "engram/memory.h"
#include "engram/plan.h"
#include "engram/random.h"
#include "engram/run_settings.h"

static const double LOOP_MS = 2500, COARSEST_LEAK = 0.1, COARSEST_FEEDBACK = 0.1; /* lambda dt and K dt at most: README.md 3 */

/* ---- before anything is built ---- */

static int dimensions_of(config *config) {
    const network_settings *network = config_common(config, "network");
    const char *kind = config_variant_name(config, "network");
    if (network->dimensions != PARAM_AUTO_INTEGER) return (int)network->dimensions;
    return strcmp(kind, "ring") == 0 ? 2 : strcmp(kind, "alternating") == 0 ? 1 : 0;
}

/** Dimensions and tasks, from the teacher's file if it has one, which is read once for them. */
static status resolve(const context *context, config *config) {
    network_settings *network = config_common(config, "network");
    int dimensions = dimensions_of(config), tasks;
    if (network->tasks) return STATUS_OK;
    status resolved = teacher_resolve(context, config, &dimensions, &tasks);
    if (resolved == STATUS_OK) network->dimensions = dimensions, network->tasks = tasks;
    return resolved;
}

static status count_tasks(const context *context, config *config, int *tasks) {
    status resolved = resolve(context, config);
    if (resolved == STATUS_OK) *tasks = ((const network_settings *)config_common(config, "network"))->tasks;
    return resolved;
}

int balanced_slow_rule(config *config) {
    const balanced_settings *learning = config_variant(config, "learning");
    const neuron_settings *neuron = config_common(config, "neuron");
    const network_settings *network = config_common(config, "network");
    if (learning->slow != SLOW_AUTO) return learning->slow;
    if (neuron->basis != BASIS_NONE) return SLOW_BASIS;
    return network->neurons <= 100 ? SLOW_FILTERED : SLOW_PROJECTED;
}

/** One value for all stages, or one each. */
static status check_stages(const config *config, const char *key, const param_numbers *list, int stages) {
    if (list->count <= 1 || list->count == stages) return STATUS_OK;
    return config_complain(config, "learning", key, "%d values, but there are %d stages; give one for each or one for all", list->count, stages);
}

static bool any_above_zero(const param_numbers *list) {
    for (int k = 0; k < list->count; k++)
        if (list->values[k] > 0) return true;
    return false;
}

bool balanced_learns_fast(config *config) {
    const balanced_settings *learning = config_variant(config, "learning");
    return ((const network_settings *)config_common(config, "network"))->fast != FAST_IDEAL || any_above_zero(&learning->fast_rate);
}

static status check_learning(config *config) {
    const balanced_settings *learning = config_variant(config, "learning");
    const neuron_settings *neuron = config_common(config, "neuron");
    const network_settings *network = config_common(config, "network");
    const int stages = learning->stages.count ? learning->stages.count : 1, slow = balanced_slow_rule(config);
    status result = STATUS_OK;
    if (stages > STAGES_MAX) result = config_complain(config, "learning", "stages", "%d stages; at most %d are allowed", stages, STAGES_MAX);
    result = status_worse(result, check_stages(config, "fast_rate", &learning->fast_rate, stages));
    result = status_worse(result, check_stages(config, "feedforward_rate", &learning->feedforward_rate, stages));
    result = status_worse(result, check_stages(config, "slow_rate", &learning->slow_rate, stages));
    result = status_worse(result, check_stages(config, "feedback", &learning->feedback, stages));
    if (network->fast == FAST_IDEAL && any_above_zero(&learning->feedforward_rate))
        result = config_complain(config, "network", "fast", "ideal fast weights are those of an F that stays; with feedforward_rate take random or uniform");
    if (slow != SLOW_NONE && any_above_zero(&learning->feedforward_rate))
        result = config_complain(config, "learning", "slow", "must be none with feedforward_rate: slow weights are F times a matrix, for an F that stays");
    if (slow == SLOW_BASIS && neuron->basis == BASIS_NONE)
        result = config_complain(config, "learning", "slow", "slow weights over a basis need neuron.basis tanh or gaussian");
    if (slow != SLOW_BASIS && neuron->basis != BASIS_NONE)
        result = config_complain(config, "neuron", "basis", "is for learning.slow basis only; allowed is none");
    if (network->slow == SLOW_WEIGHTS_IDEAL && (slow == SLOW_BASIS || slow == SLOW_NONE))
        result = config_complain(config, "network", "slow", "ideal slow weights need learning.slow filtered or projected");
    if (neuron->basis_layout == BASIS_LATTICE && network->dimensions != 2)
        result = config_complain(config, "neuron", "basis_layout", "a lattice has 2 dimensions, not %lld", (long long)network->dimensions);
    return result;
}

static status check(const context *context, config *config) {
    const simulation_settings *simulation = config_common(config, "simulation");
    const neuron_settings *neuron = config_common(config, "neuron");
    const balanced_settings *learning = config_variant(config, "learning");
    const double dt = simulation->dt / 1000;
    status result = check_learning(config);
    (void)context;
    if (neuron->leak * dt > COARSEST_LEAK)
        result = config_complain(config, "neuron", "leak", "times simulation.dt is %g; at most %g is allowed", neuron->leak * dt, COARSEST_LEAK);
    for (int k = 0; k < learning->feedback.count; k++)
        if (learning->feedback.values[k] * dt > COARSEST_FEEDBACK)
            result = config_complain(config, "learning", "feedback", "times simulation.dt is %g; at most %g is allowed",
                                     learning->feedback.values[k] * dt, COARSEST_FEEDBACK);
    if (!isnan(simulation->loop_duration))
        result = status_worse(result, config_check_steps(config, "simulation", "loop_duration", simulation->loop_duration, simulation->dt));
    if (learning->settle > 0) result = status_worse(result, config_check_steps(config, "learning", "settle", learning->settle, simulation->dt));
    if (!isnan(simulation->baseline))
        result = config_complain(config, "simulation", "baseline", "has no meaning for rule balanced");
    return result;
}

/* ---- building ---- */

int balanced_chunk(double decay) {
    int steps = (int)(-2 / log(decay));
    return steps > CHUNK_MAX ? CHUNK_MAX : steps < TILE ? TILE : steps;
}

static void take_settings(balanced *b, const system_setting *setting) {
    config *config = setting->config;
    const simulation_settings *simulation = config_common(config, "simulation");
    const network_settings *network = config_common(config, "network");
    b->context = *setting->context;
    b->config = config;
    b->timers = setting->timers;
    b->learning = config_variant(config, "learning");
    b->neuron = config_common(config, "neuron");
    b->protocol = config_common(config, "protocol");
    b->part = partition_of(setting->context, network->neurons);
    b->padded = (b->part.mine + TILE - 1) / TILE * TILE;
    b->seed = (uint64_t)simulation->seed;
    b->dt_ms = simulation->dt;
    b->dt = simulation->dt / 1000;
    b->continues = simulation->reset == RESET_NEVER;
    b->dimensions = (int)network->dimensions;
    b->tasks = network->tasks;
    b->norm = network->norm;
    b->decay = 1 - b->neuron->leak * b->dt;
    b->membrane_decay = 1 - (isnan(b->neuron->membrane_leak) ? b->neuron->leak : b->neuron->membrane_leak) * b->dt;
    b->quadratic_cost = b->neuron->quadratic_cost * b->norm * b->norm;
    b->beta = isnan(b->learning->fast_gain) ? 2 / (1 + b->neuron->margin) : b->learning->fast_gain;
    b->noise = b->neuron->noise;
    b->slow_rule = balanced_slow_rule(config);
    b->learned_fast = balanced_learns_fast(config);
    b->chunk = balanced_chunk(b->decay);
    b->interval = 32;
}

static void allocate(balanced *b) {
    const size_t J = (size_t)b->dimensions, padded = (size_t)b->padded, rows = (size_t)b->chunk + 1;
    b->voltage = memory_new(MEMORY_STATE, padded, sizeof(double));
    b->threshold = memory_new(MEMORY_STATE, padded, sizeof(double));
    b->filtered = memory_new(MEMORY_STATE, padded, sizeof(double));
    b->reported = memory_new(MEMORY_STATE, padded, sizeof(double));
    b->candidate = memory_new(MEMORY_STATE, padded, sizeof(int32_t));
    b->feedforward = memory_new(MEMORY_WEIGHTS, padded * J, sizeof(double));
    if (b->slow_rule == SLOW_FILTERED) b->slow = memory_new(MEMORY_WEIGHTS, padded * J, sizeof(double));
    if (b->learned_fast) b->fast = memory_new(MEMORY_WEIGHTS, (size_t)b->part.total * padded, sizeof(double));
    b->gram = memory_new(MEMORY_WEIGHTS, J * J, sizeof(double));
    b->matrix = memory_new(MEMORY_WEIGHTS, J * J, sizeof(double));
    b->input = memory_new(MEMORY_STATE, J, sizeof(double));
    b->teacher_state = memory_new(MEMORY_STATE, J, sizeof(double));
    b->decoded = memory_new(MEMORY_STATE, J, sizeof(double));
    b->slow_now = memory_new(MEMORY_STATE, J, sizeof(double));
    b->change_now = memory_new(MEMORY_STATE, J, sizeof(double));
    b->commands = memory_new(MEMORY_TARGETS, (rows - 1) * J, sizeof(double));
    b->states = memory_new(MEMORY_TARGETS, rows * J, sizeof(double));
    if (b->neuron->delay) {
        b->due = memory_new(MEMORY_STATE, (size_t)b->neuron->delay + 1, sizeof(int64_t));
        b->waiting = memory_new(MEMORY_STATE, (size_t)b->neuron->delay + 1, sizeof(int64_t));
    }
    course_new(b);
    b->exchange = winner_exchange_new(&b->context, b->timers, b->dimensions);
}

void balanced_add_noise(balanced *b, double noise) {
    b->noise = noise;
    if (b->noise_now || noise == 0) return;
    b->noise_now = memory_new(MEMORY_STATE, (size_t)b->padded, sizeof(double));
    b->noise_next = memory_new(MEMORY_STATE, (size_t)b->padded, sizeof(double));
    b->noise_draws = memory_new(MEMORY_STATE, 4 * (size_t)b->padded, sizeof(double));
}

/** W_f at the start. */
static void make_fast(balanced *b) {
    const network_settings *network = config_common(b->config, "network");
    const double square = b->norm * b->norm, spread = network->fast_spread * square;
    if (!b->fast) return;
    for (int64_t k = 0; k < b->part.total; k++) {
        double *column = b->fast + (size_t)k * (size_t)b->padded;
        for (int64_t i = 0; i < b->part.mine; i++) {
            int64_t gid = b->part.first + i;
            if (network->fast == FAST_UNIFORM) column[i] = spread + (gid == k) * square / 2;
            else if (gid == k) column[i] = square / 2;
            else column[i] = spread * fabs(random_normal(b->seed, RANDOM_FAST_WEIGHT, (uint64_t)gid, (uint64_t)k));
        }
    }
    if (network->fast == FAST_IDEAL) weights_make_ideal_fast(b);
}

/** W_s = F (A + lambda I) F' at the start, if that is wanted. */
static status make_slow(balanced *b) {
    const network_settings *network = config_common(b->config, "network");
    const int J = b->dimensions;
    const double *A = teacher_matrix(b->teacher);
    if (network->slow == SLOW_WEIGHTS_ZERO) return STATUS_OK;
    if (!A)
        return config_complain(b->config, "network", "slow", "the teacher (targets.kind: %s) is not linear: ideal slow weights are not known; allowed is zero",
                               config_variant_name(b->config, "targets"));
    for (int j = 0; j < J; j++)
        for (int l = 0; l < J; l++) b->matrix[j * J + l] = A[j * J + l] + (j == l ? b->neuron->leak : 0);
    for (int64_t i = 0; i < b->part.mine && b->slow; i++)
        for (int j = 0; j < J; j++) {
            double sum = 0;
            for (int l = 0; l < J; l++) sum += b->matrix[j * J + l] * feedforward_of(b, i, l);
            b->slow[i * J + j] = sum;
        }
    if (b->slow) memset(b->matrix, 0, (size_t)(J * J) * sizeof(double));
    return STATUS_OK;
}

static status open_signals(balanced *b) {
    const signal_setting setting = {.context = &b->context, .config = b->config, .dimensions = b->dimensions, .dt = b->dt, .seed = b->seed};
    status opened = teacher_open(&setting, &b->teacher);
    if (opened == STATUS_OK) opened = command_open(&setting, b->teacher, &b->command);
    return opened;
}

/** Steps that the given paths of all tasks have. */
static int64_t steps_of_paths(const teacher *teacher, int tasks) {
    int64_t most = INT64_MAX;
    for (int task = 0; task < tasks; task++) {
        int64_t steps = teacher_steps(teacher, task);
        most = steps < most ? steps : most;
    }
    return most;
}

int64_t balanced_loop_steps(config *config, const teacher *teacher, int tasks) {
    const simulation_settings *simulation = config_common(config, "simulation");
    const bool given = !isnan(simulation->loop_duration);
    const int64_t steps = llround((given ? simulation->loop_duration : LOOP_MS) / simulation->dt), most = steps_of_paths(teacher, tasks);
    return given || steps < most ? steps : most;
}

/** @return not agreed */
static status settle_loops(balanced *b) {
    const int64_t most = steps_of_paths(b->teacher, b->tasks);
    b->loop_steps = balanced_loop_steps(b->config, b->teacher, b->tasks);
    if (b->loop_steps > most)
        return config_complain(b->config, "simulation", "loop_duration", "is longer than the teacher's path of %g ms", (double)most * b->dt_ms);
    int64_t settle = llround(b->learning->settle / b->dt_ms);
    if (settle >= b->loop_steps) return config_complain(b->config, "learning", "settle", "leaves nothing of a loop of %g ms", (double)b->loop_steps * b->dt_ms);
    return STATUS_OK;
}

static status make_basis(balanced *b) {
    if (b->slow_rule != SLOW_BASIS) return STATUS_OK;
    const double *box = teacher_box(b->teacher);
    if (!box)
        return config_complain(b->config, "targets", "box", "is needed: half widths of what the features of neuron.basis are to cover, one per dimension");
    basis_make(b, box);
    return STATUS_OK;
}

static void free_self(void *raw) {
    balanced *b = raw;
    if (!b) return;
    if (b->literal) literal_free(b);
    command_close(b->command);
    teacher_close(b->teacher);
    winner_exchange_free(b->exchange);
    course_clear(b);
    basis_clear(b);
    double *arrays[] = {b->voltage, b->threshold, b->feedforward, b->filtered, b->slow, b->fast, b->noise_now, b->noise_next, b->noise_draws, b->reported,
                        b->gram, b->matrix, b->input, b->commands, b->states, b->teacher_state, b->decoded, b->slow_now, b->change_now};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) memory_free(arrays[k]);
    memory_free(b->candidate), memory_free(b->due), memory_free(b->waiting), memory_free(b->silent);
    memory_free(b);
}

static status build(const system_setting *setting, system_facts *facts, void **result) {
    stopwatch watch = stopwatch_start(setting->timers);
    balanced *b = memory_new(MEMORY_STATE, 1, sizeof *b);
    *result = NULL;
    take_settings(b, setting);
    allocate(b);
    status built = open_signals(b);
    if (built == STATUS_OK) built = decoder_make(b);
    if (built == STATUS_OK) built = status_agree(&b->context, status_worse(settle_loops(b), make_basis(b)));
    if (built == STATUS_OK) built = status_agree(&b->context, make_slow(b));
    if (built != STATUS_OK) {
        free_self(b);
        return built;
    }
    decoder_settle(b);
    make_fast(b);
    balanced_add_noise(b, b->neuron->noise);
    if (b->learning->stepping == STEPPING_LITERAL) literal_new(b);
    if (b->continues) run_reset(b, 0, STREAM_UNTRAINED);
    *facts = (system_facts){.part = b->part, .owned = b->part, .dt = b->dt_ms, .seed = b->seed, .tasks = b->tasks, .loop_steps = b->loop_steps, .samples = 1,
                            .look_every = 1000};
    *result = b;
    stopwatch_charge(&watch, PHASE_BUILD);
    return STATUS_OK;
}

static void describe(const void *raw, int64_t loops) {
    static const char *const rules[] = {"auto", "none", "filtered", "projected", "basis"};
    const balanced *b = raw;
    char text[512];
    log_line(&b->context, "network: %lld neurons on %d rank%s, %d dimensions, norm %g, fast weights %s, slow weights %s", (long long)b->part.total,
             b->context.ranks, b->context.ranks > 1 ? "s" : "", b->dimensions, b->norm, b->fast ? "learned" : "ideal", rules[b->slow_rule]);
    teacher_describe(b->teacher, text, sizeof text);
    log_line(&b->context, "teacher: %s", text);
    command_describe(b->command, text, sizeof text);
    log_line(&b->context, "command: %s", text);
    log_line(&b->context, "training: %lld loops of %g ms", (long long)loops, (double)b->loop_steps * b->dt_ms);
}

/* ---- a loop ---- */

static double of_stage(const param_numbers *list, int stage, double fallback) {
    return list->count == 0 ? fallback : list->values[list->count == 1 ? 0 : stage];
}

static int stage_of(const balanced *b, int64_t loop) {
    const param_numbers *stages = &b->learning->stages;
    int stage = 0;
    for (double end = 0; stage < stages->count - 1 && (double)loop > (end += stages->values[stage]); stage++);
    return stage;
}

/** What |presynaptic factor|^2 is on average, for x of unit variance (README.md 6.3). */
static double presynaptic_square(const balanced *b) {
    double J = b->dimensions;
    if (b->slow_rule == SLOW_BASIS) return b->basis.mean_square;
    if (b->slow_rule == SLOW_PROJECTED) return J;
    return J * J / ((double)b->part.total * b->norm * b->norm) + 0.75 * sqrt(J) / b->norm;
}

double balanced_feedback(const balanced *b, int64_t loop) {
    double K = of_stage(&b->learning->feedback, stage_of(b, loop), 0);
    int64_t loops = ((const learning_settings *)config_common(b->config, "learning"))->loops, steps = b->learning->feedback_steps;
    if (loops < 1) return K;
    return K * (1 - (double)((loop - 1) * steps / loops) / (double)steps);
}

typedef struct { int64_t number; uint64_t stream; bool learns; int task; } training_rates;

static void rates_of_training(void *raw, const balanced *b, int64_t step, regime *regime) {
    const training_rates *rates = raw;
    const int stage = stage_of(b, rates->number);
    const double t = (double)((rates->number - 1) * b->loop_steps + step) * b->dt, anneal = b->learning->anneal / 1000;
    double K = balanced_feedback(b, rates->number), fade = 1;
    if (anneal > 0) fade = b->learning->anneal_form == ANNEAL_HYPERBOLIC ? 1 / (1 + t / anneal) : exp(-t / anneal);
    double slow = of_stage(&b->learning->slow_rate, stage, 0.3 * K * K / (4 * presynaptic_square(b)));
    *regime = (struct regime){.feedback = K, .stream = rates->stream, .task = rates->task};
    if (!rates->learns) return;
    regime->slow_rate = b->slow_rule == SLOW_NONE ? 0 : slow * fade;
    regime->fast_rate = of_stage(&b->learning->fast_rate, stage, 0);
    regime->feedforward_rate = of_stage(&b->learning->feedforward_rate, stage, 0);
}

uint64_t balanced_stream(balanced *b, int task, uint64_t stream, int64_t steps) {
    enum { ATTEMPTS = 1000, STRIDE = 1000003, STREAMS = STREAM_BASELINE };
    uint64_t first = stream, base = stream & ~(uint64_t)(STREAMS - 1);
    for (uint64_t attempt = 1; attempt < ATTEMPTS && !teacher_accepts(b->teacher, b->command, task, stream, steps); attempt++)
        stream = base | (first + attempt * STRIDE) % STREAMS;
    return stream;
}

static const char *task_name(const void *raw, int task) {
    return teacher_task_name(((const balanced *)raw)->teacher, task);
}

static void train(balanced *b, const loop *loop) {
    const int64_t settle = llround(b->learning->settle / b->dt_ms);
    training_rates rates = {.number = loop->number, .stream = (uint64_t)loop->number, .learns = false, .task = loop->task};
    if (!b->continues) {
        rates.stream = balanced_stream(b, loop->task, rates.stream, b->loop_steps);
        run_reset(b, loop->task, rates.stream);
    }
    pulse_begin(loop->pulse);
    run_span span = {.first = 0, .steps = settle, .rates = rates_of_training, .self = &rates, .pulse = loop->pulse};
    if (!run_steps(b, &span)) return;
    b->sums = (path_sums){0};
    rates.learns = true;
    span.first = settle, span.steps = b->loop_steps - settle;
    if (!run_steps(b, &span)) return;
    for (int64_t k = 0; k < b->underway; k++) b->due[k] -= b->loop_steps;
}

/** A loop; its time but that of reductions is PHASE_UPDATE. */
static void run_loop(void *raw, const loop *loop) {
    balanced *b = raw;
    const double reduced = b->timers->seconds[PHASE_EXCHANGE];
    stopwatch watch = stopwatch_start(b->timers);
    train(b, loop);
    stopwatch_charge(&watch, PHASE_UPDATE);
    b->timers->seconds[PHASE_UPDATE] -= b->timers->seconds[PHASE_EXCHANGE] - reduced;
}

const learning_system balanced_system = {
    .name = "balanced",
    .help = "networks in tight balance learn dynamics by local rules",
    .sections = balanced_sections,
    .plan = &balanced_plan,
    .metrics = balanced_metrics,
    .metric_count = BALANCED_METRICS,
    .scores = balanced_scores,
    .score_count = BALANCED_SCORES,
    .resolve = resolve,
    .tasks = count_tasks,
    .check = check,
    .build = build,
    .free = free_self,
    .describe = describe,
    .loop = run_loop,
    .settle = balanced_settle,
    .measure = balanced_measure,
    .state = balanced_state,
    .known_variables = balanced_known_variables,
    .variables = balanced_variables,
    .refresh = balanced_refresh,
    .nodes = balanced_nodes,
    .edges = balanced_edges,
    .figures = balanced_figures,
    .results_name = "balanced.h5",
    .results = balanced_results,
    .task_name = task_name,
    .perturb = balanced_perturb,
    .test_begin = balanced_test_begin,
    .test_trial = balanced_test_trial,
    .test_sums = balanced_test_sums,
    .test_task = balanced_test_task,
    .test_write = balanced_test_write,
    .test_figures = balanced_test_figures,
    .test_end = balanced_test_end,
};
