/* A learning system as small as one can be, for tests of the contract (engram/system.h): counters that learn. Each unit counts the time until it fires,
 * in time that its weight, a rate, makes run faster or slower, and moves that weight towards a rate that the task gives it whenever it does.
 *
 * Order of a step:  count += weight dt - hold * spikes of the network in the step before;  fires where count >= 1, which takes 1 away;
 *                   weight += rate (target - weight) of units that fired;  spikes are exchanged. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engram/memory.h"
#include "engram/output.h"
#include "engram/random.h"
#include "engram/run_settings.h"
#include "engram/sum.h"
#include "engram/plan.h"
#include "engram/system.h"

enum { TASKS = 2 };
static const double FIRST_WEIGHT = 20, LEAST_TARGET = 5, RANGE_OF_TARGETS = 45; /* Hz */

typedef struct { int64_t neurons; } network_settings;
typedef struct { int64_t loops; } learning_settings;
typedef struct { double rate; } probe_settings;
typedef struct { double hold; } counter_settings;

typedef struct {
    context context;
    partition part;
    double dt;             /* ms */
    uint64_t seed;
    double rate;           /* of learning */
    double hold;           /* of a count, a spike of the network */
    int64_t loop_steps;
    double *weight;        /* [mine][TASKS], Hz */
    double *target;        /* [mine][TASKS], Hz */
    double *count;         /* [mine] */
    int64_t network_spikes;/* of the step before */
    int64_t learned;       /* spikes of the network that have changed a weight */
    int32_t *fired;        /* [mine] */
    int64_t *edge_start;   /* [mine+1] */
    int64_t *trial_spikes; /* [TASKS][mine] of all trials; NULL: no tests */
    int64_t trials;
} probe;

/* ---- parameters ---- */

static const param network_params[] = {
    {"neurons", PARAM_INTEGER, UNIT_NONE, "16", 1, 1 << 20, NULL, "units", offsetof(network_settings, neurons), 0},
};
static const param counter_params[] = {
    {"hold", PARAM_NUMBER, UNIT_NONE, "0.001", 0, 1, NULL, "by which a spike of the network holds every count back", offsetof(counter_settings, hold), 0},
};
static const param learning_params[] = {
    {"loops", PARAM_INTEGER, UNIT_NONE, "10", 0, 1 << 20, NULL, "training loops", offsetof(learning_settings, loops), MAY_RESUME},
};
static const param probe_params[] = {
    {"rate", PARAM_NUMBER, UNIT_NONE, "0.1", 0, 1, NULL, "part of the distance to the target that a spike goes", offsetof(probe_settings, rate), 0},
};
static const param_table network_table = {"network", "units that count", network_params, 1, sizeof(network_settings)};
static const param_table learning_table = {"learning", "how counters learn", learning_params, 1, sizeof(learning_settings)};
static const param_table probe_table = {"probe", "a spike moves its weight towards the target", probe_params, 1, sizeof(probe_settings)};
static const param_table counter_table = {"counter", "what units count", counter_params, 1, sizeof(counter_settings)};
static const param_table *const rules[] = {&probe_table};

static const param_section *probe_sections(int *count) {
    static const param_section sections[] = {
        {"network", "networks", "units that count", &network_table, NULL, NULL, 0, 0},
        {"counter", "counter", "what units count", &counter_table, NULL, NULL, 0, 0},
        {"learning", "rules", "how counters learn", &learning_table, "rule", rules, 1, 0},
    };
    *count = sizeof sections / sizeof *sections;
    return sections;
}

static int64_t steps_of(const config *config) {
    const simulation_settings *simulation = config_common((struct config *)(uintptr_t)config, "simulation");
    return llround((isnan(simulation->loop_duration) ? 200 : simulation->loop_duration) / simulation->dt);
}

/* ---- life ---- */

static status probe_build(const system_setting *setting, system_facts *facts, void **result) {
    const simulation_settings *simulation = config_common(setting->config, "simulation");
    const network_settings *network = config_common(setting->config, "network");
    const probe_settings *learning = config_variant(setting->config, "learning");
    const counter_settings *counter = config_common(setting->config, "counter");
    probe *self = *result = memory_new(MEMORY_STATE, 1, sizeof *self);
    *self = (probe){.context = *setting->context, .part = partition_of(setting->context, network->neurons), .dt = simulation->dt,
                    .seed = (uint64_t)simulation->seed, .rate = learning->rate, .hold = counter->hold, .loop_steps = steps_of(setting->config)};
    size_t mine = (size_t)self->part.mine;
    self->weight = memory_new(MEMORY_WEIGHTS, mine * TASKS, sizeof(double));
    self->target = memory_new(MEMORY_TARGETS, mine * TASKS, sizeof(double));
    self->count = memory_new(MEMORY_STATE, mine, sizeof(double));
    self->fired = memory_new(MEMORY_BUFFERS, mine, sizeof(int32_t));
    self->edge_start = memory_new(MEMORY_WEIGHTS, mine + 1, sizeof(int64_t));
    for (size_t i = 0; i <= mine; i++) self->edge_start[i] = (int64_t)i;
    for (size_t k = 0; k < mine * TASKS; k++) {
        uint64_t gid = (uint64_t)self->part.first + k / TASKS;
        self->weight[k] = FIRST_WEIGHT;
        self->target[k] = LEAST_TARGET + RANGE_OF_TARGETS * random_uniform(self->seed, RANDOM_TARGET, gid, k % TASKS << 32);
    }
    *facts = (system_facts){.part = self->part, .owned = self->part, .dt = self->dt, .seed = self->seed, .tasks = TASKS, .loop_steps = self->loop_steps,
                            .samples = 1, .look_every = 10};
    return STATUS_OK;
}

static void probe_free(void *raw) {
    probe *self = raw;
    if (!self) return;
    memory_free(self->weight), memory_free(self->target), memory_free(self->count);
    memory_free(self->fired), memory_free(self->edge_start), memory_free(self->trial_spikes);
    memory_free(self);
}

static void probe_describe(const void *raw, int64_t loops) {
    const probe *self = raw;
    log_line(&self->context, "probe: %lld units, %lld loops of %g ms", (long long)self->part.total, (long long)loops, (double)self->loop_steps * self->dt);
}

/** Keys of every run that mean nothing here. */
static status probe_check(const context *context, config *config) {
    const simulation_settings *simulation = config_common(config, "simulation");
    status result = STATUS_OK;
    (void)context;
    if (simulation->reset != RESET_AUTO) result = config_complain(config, "simulation", "reset", "counters go on from loop to loop; allowed is auto");
    if (!isnan(simulation->baseline)) result = config_complain(config, "simulation", "baseline", "counters have none; allowed is auto");
    return result;
}

static status probe_tasks(const context *context, config *config, int *tasks) {
    (void)context, (void)config;
    *tasks = TASKS;
    return STATUS_OK;
}

/* ---- a step, a loop ---- */

static int advance(probe *self, int task, bool learns) {
    int fired = 0;
    for (int i = 0; i < self->part.mine; i++) {
        double *weight = &self->weight[i * TASKS + task];
        self->count[i] += *weight * self->dt / 1000 - self->hold * (double)self->network_spikes;
        if (self->count[i] < 1) continue;
        self->count[i] -= 1;
        if (learns) *weight += self->rate * (self->target[i * TASKS + task] - *weight);
        self->fired[fired++] = i;
    }
    return fired;
}

/** Spikes of the network, and with them what any rank has to say. */
static unsigned exchange(probe *self, int fired, unsigned bits) {
    enum { BIT_LANES = 8 };
    int64_t sums[1 + BIT_LANES] = {fired};
    for (int b = 0; b < BIT_LANES; b++) sums[1 + b] = bits >> b & 1;
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, sums, 1 + BIT_LANES, MPI_INT64_T, MPI_SUM, self->context.comm));
    self->network_spikes = sums[0];
    bits = 0;
    for (int b = 0; b < BIT_LANES; b++) bits |= (unsigned)(sums[1 + b] > 0) << b;
    return bits;
}

static void run(probe *self, int task, uint64_t stream, bool learns, pulse *pulse) {
    for (int i = 0; i < self->part.mine; i++)
        self->count[i] += 0.5 * random_uniform(self->seed, RANDOM_INITIAL, (uint64_t)(self->part.first + i), stream << 8);
    pulse_begin(pulse);
    for (int64_t step = 1; step <= self->loop_steps; step++) {
        int fired = advance(self, task, learns);
        unsigned bits = exchange(self, fired, pulse_bits(pulse));
        if (bits && !pulse_heed(pulse, bits, step)) break;
        if (learns) self->learned += self->network_spikes;
        for (int k = 0; self->trial_spikes && !learns && k < fired; k++) self->trial_spikes[task * self->part.mine + self->fired[k]]++;
        pulse_step(pulse, step, self->fired, fired, self->network_spikes);
    }
}

static void probe_loop(void *raw, const loop *loop) {
    run(raw, loop->task, (uint64_t)loop->number, true, loop->pulse);
}

/** Mean distance of weights from targets, Hz. Collective. */
static double error_of(const probe *self, int task) {
    exact_sum sum = {0};
    for (int i = 0; i < self->part.mine; i++) sum_add(&sum, fabs(self->target[i * TASKS + task] - self->weight[i * TASKS + task]));
    return sum_value(sum_all(&self->context, sum)) / (double)self->part.total;
}

static const metric metrics[] = {
    {"error", "  error %s", "Hz", "mean distance of weights from targets", 3},
    {"learned", NULL, "1", "spikes that changed a weight, from the first loop on", 0},
};
static const metric scores[] = {{"error", " error %s", "Hz", "mean distance of weights from targets", 3, .better = BETTER_LOWER}};

static void probe_measure(void *raw, const loop *loop, double *value) {
    const probe *self = raw;
    value[0] = error_of(self, loop->task);
    value[1] = (double)self->learned;
}

/* ---- lists ---- */

static void probe_state(void *raw, state_part part, state_list *list) {
    probe *self = raw;
    if (part == STATE_WEIGHTS) state_add(list, "probe", "weight", H5_FLOAT64, LAYOUT_ROWS, TASKS, self->weight);
    if (part == STATE_LEARNING) state_add(list, "probe", "learned", H5_INT64, LAYOUT_SHARED, 1, &self->learned);
    if (part != STATE_LOOP) return;
    state_add(list, "probe", "count", H5_FLOAT64, LAYOUT_NEURONS, 0, self->count);
    state_add(list, "probe", "network_spikes", H5_INT64, LAYOUT_SHARED, 1, &self->network_spikes);
}

static void probe_variables(void *raw, variable_list *list) {
    const probe *self = raw;
    variable_add(list, (variable){"count", "1", "time counted since the last spike", NULL, self ? self->count : NULL, NULL, true, true});
}

static void probe_known_variables(config *config, variable_list *list) {
    (void)config;
    probe_variables(NULL, list);
}

static double target_of(const void *raw, int task, int64_t node) {
    return ((const probe *)raw)->target[node * TASKS + task];
}

static void probe_nodes(void *raw, node_list *list) {
    const probe *self = raw;
    const node_population all = {.name = NEURON_POPULATION, .part = self->part, .self = self, .type_name = {"counter"}, .types = 1};
    node_population *units = node_add(list, all);
    static const char *const names[TASKS] = {"target_0", "target_1"};
    for (int task = 0; task < TASKS; task++) node_column_add(units, names[task], task, target_of);
}

static void edge_sources(void *raw, int64_t from, int64_t count, uint64_t *ids) {
    for (int64_t k = 0; k < count; k++) ids[k] = (uint64_t)(((const probe *)raw)->part.first + from + k);
}

static void edge_weights(void *raw, int64_t from, int64_t count, double *values) {
    for (int64_t k = 0; k < count; k++) values[k] = ((const probe *)raw)->weight[(from + k) * TASKS];
}

static void probe_edges(void *raw, bool plastic_only, edge_list *list) {
    probe *self = raw;
    (void)plastic_only; /* all of them learn */
    const sonata_edges onto_itself = {.population = "plastic", .source_population = NEURON_POPULATION, .target_population = NEURON_POPULATION,
                                      .source_neurons = self->part.total, .target_first = self->part.first, .target_mine = self->part.mine,
                                      .start = self->edge_start, .self = self, .sources = edge_sources, .weights = edge_weights, .delay = self->dt, .wide = 1};
    edge_add(list, onto_itself, NULL);
}

static void probe_figures(const void *raw, figure_list *list) {
    figure_add_count(list, NULL, "learned", ((const probe *)raw)->learned);
}

static void probe_results(void *raw, h5_file *file) {
    const probe *self = raw;
    h5_group(file, "probe");
    h5_write(file, "probe/target", h5_rows(H5_FLOAT64, &self->part, TASKS), self->target);
}

/* ---- tests ---- */

enum { RECORD_ERROR, RECORD_SPIKES, RECORD_COLUMNS };

static status probe_test_begin(void *raw, const test_setting *setting, int *columns) {
    probe *self = raw;
    if (!isnan(setting->delete_spike)) return status_fail(STATUS_INPUT, "test: --delete-spike: a counter cannot be run again without a spike");
    self->trial_spikes = memory_new(MEMORY_OUTPUT, (size_t)self->part.mine * TASKS, sizeof(int64_t));
    self->trials = setting->trials;
    *columns = RECORD_COLUMNS;
    return STATUS_OK;
}

static void probe_test_sums(void *raw, int task, tally_list *list) {
    const probe *self = raw;
    tally_add_array(list, self->trial_spikes + task * self->part.mine, self->part.mine, true);
}

static status probe_test_trial(void *raw, const test_trial *trial, double *record) {
    probe *self = raw;
    memset(self->count, 0, (size_t)self->part.mine * sizeof *self->count);
    self->network_spikes = 0;
    run(self, trial->task, trial->stream, false, trial->pulse);
    if (!trial->pulse->whole) return STATUS_RESUMABLE;
    record[RECORD_ERROR] = error_of(self, trial->task);
    record[RECORD_SPIKES] = (double)trial->pulse->spikes;
    return STATUS_OK;
}

static void probe_test_task(void *raw, int task, const double *records, figure_list *figures) {
    const probe *self = raw;
    (void)task;
    double error = 0, spikes = 0, seconds = (double)self->loop_steps * self->dt / 1000;
    for (int64_t n = 0; n < self->trials; n++) {
        error += records[n * RECORD_COLUMNS + RECORD_ERROR];
        spikes += records[n * RECORD_COLUMNS + RECORD_SPIKES];
    }
    figure_add(figures, NULL, "rate_hz", spikes / ((double)self->trials * (double)self->part.total * seconds));
    figure_add(figures, NULL, "error", error / (double)self->trials);
}

static void probe_test_write(void *raw, int task, h5_file *file) {
    const probe *self = raw;
    char name[64];
    if (task < 0) return;
    snprintf(name, sizeof name, "test/%d/spikes", task);
    h5_write(file, name, h5_neurons(H5_INT64, &self->part), self->trial_spikes + task * self->part.mine);
}

static void probe_test_end(void *raw) {
    probe *self = raw;
    memory_free(self->trial_spikes);
    self->trial_spikes = NULL;
}

/* ---- plan ---- */

typedef struct { int64_t neurons, loops, steps; double dt; } probe_sizes;

static status probe_open(const context *context, config *config, void **result) {
    (void)context;
    const simulation_settings *simulation = config_common(config, "simulation");
    const network_settings *network = config_common(config, "network");
    probe_sizes *sizes = *result = memory_new(MEMORY_BUFFERS, 1, sizeof *sizes);
    *sizes = (probe_sizes){.neurons = network->neurons, .loops = config_get_integer(config, "learning", "loops"), .steps = steps_of(config),
                           .dt = simulation->dt};
    return STATUS_OK;
}

static void probe_plan_facts(const void *raw, plan_facts *facts) {
    const probe_sizes *sizes = raw;
    *facts = (plan_facts){.neurons = sizes->neurons, .loops = sizes->loops, .loop_steps = sizes->steps, .dt = sizes->dt, .rate = FIRST_WEIGHT,
                          .network = "that count", .training = "two tasks"};
}

static void probe_memory(const void *raw, int64_t ranks, double rate, plan_bytes *bytes) {
    double mine = ceil((double)((const probe_sizes *)raw)->neurons / (double)ranks);
    (void)rate;
    bytes->category[MEMORY_WEIGHTS] = mine * (TASKS * sizeof(double) + sizeof(int64_t));
    bytes->category[MEMORY_TARGETS] = mine * TASKS * sizeof(double);
    bytes->category[MEMORY_STATE] = mine * (sizeof(double) + sizeof(uint32_t)) + sizeof(probe);
    bytes->category[MEMORY_BUFFERS] = mine * sizeof(int32_t);
}

static void probe_output(const void *raw, double rate, plan_files *files) {
    double neurons = (double)((const probe_sizes *)raw)->neurons;
    (void)rate;
    plan_add_file(files, "probe", neurons * TASKS * sizeof(double));
    files->checkpoint = neurons * (TASKS + 1) * sizeof(double);
}

static const plan_hooks plan = {.open = probe_open, .close = memory_free, .facts = probe_plan_facts, .memory = probe_memory, .output = probe_output};

const learning_system probe_system = {
    .name = "probe",
    .help = "counters that learn: a system for tests",
    .sections = probe_sections,
    .plan = &plan,
    .metrics = metrics,
    .metric_count = sizeof metrics / sizeof *metrics,
    .scores = scores,
    .score_count = sizeof scores / sizeof *scores,
    .tasks = probe_tasks,
    .check = probe_check,
    .build = probe_build,
    .free = probe_free,
    .describe = probe_describe,
    .loop = probe_loop,
    .measure = probe_measure,
    .state = probe_state,
    .known_variables = probe_known_variables,
    .variables = probe_variables,
    .nodes = probe_nodes,
    .edges = probe_edges,
    .figures = probe_figures,
    .results_name = "probe.h5",
    .results = probe_results,
    .test_begin = probe_test_begin,
    .test_sums = probe_test_sums,
    .test_trial = probe_test_trial,
    .test_task = probe_test_task,
    .test_write = probe_test_write,
    .test_end = probe_test_end,
};
