/* The system `patterns`: every neuron learns a pattern of its own, of drive or of rate (Kim & Chow 2018; Arthur et al. 2023). What it is to a run. */
#include "patterns.h"

#include <math.h>
#include <string.h>

#include "engram/memory.h"
#include "build.h"
#include "perturbation.h"
#include "plan/sizes.h"
#include "testing.h"

/* ---- life ---- */

static status build(const system_setting *setting, system_facts *facts, void **result) {
    simulation *sim;
    *result = NULL;
    status built = simulation_build(setting, &sim);
    if (built != STATUS_OK) return built;
    patterns *self = memory_new(MEMORY_STATE, 1, sizeof *self);
    self->sim = sim;
    self->output = config_added(setting->config, "output");
    self->average = memory_new(MEMORY_OUTPUT, (size_t)sim->targets.tasks, sizeof(double *));
    if (setting->purpose == BUILD_TRAIN || setting->purpose == BUILD_RESUME) self->tracker = tracker_new(sim, self->output->correlation_window);
    *facts = (system_facts){.part = sim->part,
                            .owned = sim->part,
                            .dt = sim->dt,
                            .seed = sim->seed,
                            .tasks = sim->targets.tasks,
                            .loop_steps = sim->loop_steps,
                            .samples = 1,
                            .look_every = sim->every};
    *result = self;
    return STATUS_OK;
}

static void free_self(void *raw) {
    patterns *self = raw;
    if (!self) return;
    for (int task = 0; task < self->sim->targets.tasks; task++) memory_free(self->average[task]);
    memory_free(self->average);
    tracker_free(self->tracker);
    simulation_free(self->sim);
    memory_free(self);
}

/** Static, plastic and frozen plastic synapses of this rank, and plastic rows. */
static void count_synapses(const simulation *sim, int64_t counts[4]) {
    counts[0] = sim->network.synapses ? sim->network.synapses->start[sim->network.synapses->sources] : 0;
    counts[1] = sim->plastic->row_start[sim->plastic->rows];
    counts[2] = plastic_count_frozen(sim->plastic);
    counts[3] = sim->plastic->rows;
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, counts, 4, MPI_INT64_T, MPI_SUM, sim->context.comm));
}

/** " (L5E, L5I)": the populations that learn, if plastic.trained names them; else nothing. @return buffer */
static const char *list_trained(const simulation *sim, char *buffer, size_t size) {
    const network_settings *network = config_common(sim->config, "network");
    const char *const *names = network->learns ? network_population_names(network) : NULL;
    size_t used = 0;
    buffer[0] = 0;
    for (int p = 0; names && p < network->cells.populations && used < size; p++)
        if (network->learns[p]) used += (size_t)snprintf(buffer + used, size - used, "%s%s", used ? ", " : " (", names[p]);
    if (used && used < size) snprintf(buffer + used, size - used, ")");
    return buffer;
}

static void describe(const void *raw, int64_t loops) {
    const simulation *sim = ((const patterns *)raw)->sim;
    int64_t synapses[4];
    char trained[512];
    count_synapses(sim, synapses);
    log_line(&sim->context, "network: %lld neurons on %d rank%s, %lld static and %lld plastic synapses onto %lld trained neurons%s", (long long)sim->part.total,
             sim->context.ranks, sim->context.ranks > 1 ? "s" : "", (long long)synapses[0], (long long)synapses[1], (long long)synapses[3],
             list_trained(sim, trained, sizeof trained));
    log_line(&sim->context, "training: %lld loops of %g ms, %d task%s, %d learning instants each", (long long)loops, (double)sim->loop_steps * sim->dt,
             sim->targets.tasks, sim->targets.tasks > 1 ? "s" : "", sim->targets.instants);
    if (sim->scored[SCORE_AUXILIARY])
        log_line(&sim->context,
                 "scores: corr is the mean correlation with the target over %lld recorded units and, apart from them, over %lld neurons with auxiliary targets",
                 (long long)sim->scored[SCORE_GIVEN], (long long)sim->scored[SCORE_AUXILIARY]);
    else
        log_line(&sim->context, "scores: corr is the mean correlation with the target over %lld %s", (long long)sim->scored[SCORE_GIVEN],
                 sim->targets.units ? "recorded units" : "trained neurons");
}

/** Where weights keep their signs: how many synapses learn no more for that. */
static void conclude(void *raw) {
    const simulation *sim = ((patterns *)raw)->sim;
    int64_t counts[4], kept = sim->plastic->frozen != NULL;
    count_synapses(sim, counts);
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &kept, 1, MPI_INT64_T, MPI_SUM, sim->context.comm));
    if (kept) log_line(&sim->context, "signs kept: %lld of %lld plastic synapses frozen", (long long)counts[2], (long long)counts[1]);
}

/* ---- training ---- */

enum { METRIC_CORRELATION, METRIC_UNDEFINED, METRIC_GAIN, METRIC_CHANGE, METRIC_WINDOW_HZ, METRIC_AUXILIARY, METRICS };

static const metric metrics[METRICS] = {
    [METRIC_CORRELATION] = {"correlation", "  corr %s", "1",
                            "mean correlation with the target over recorded units, or all trained neurons where nothing is recorded", 3, "corr"},
    [METRIC_UNDEFINED] = {"undefined_neurons", NULL, "1", "trained neurons whose correlation is not defined", 0},
    [METRIC_GAIN] = {"mean_gain", NULL, "1", "mean gain of the recursion over neurons and learning instants", 0},
    [METRIC_CHANGE] = {"weight_change", NULL, "1", "Frobenius norm of W - W(0), with output.weight_change", 0},
    [METRIC_WINDOW_HZ] = {"window_hz", "  in window %s Hz", "Hz", "rate of trained neurons in the target window", 3},
    [METRIC_AUXILIARY] = {"auxiliary_correlation", "  auxiliary %s", "1", "mean correlation with the target over neurons with auxiliary targets", 3, "aux"},
};

static void remark(const run_facts *facts, char *text, size_t size) {
    double window = facts->value[METRIC_WINDOW_HZ], least = facts->number(facts->parameters, "guards", "min_window_rate");
    if (strcmp(facts->rule, "none") != 0 && window < least)
        snprintf(text, size, "trained neurons are silent inside the target window, %.3g Hz in the last loop: its corr is of drives that make no spikes.",
                 window);
}

/** Averages of all neurons in the last loop of a task. */
static void keep_average(void *raw, int instant, const double *average) {
    const patterns *self = raw;
    const size_t mine = (size_t)self->sim->part.mine;
    memcpy(self->last + (size_t)instant * mine, average, mine * sizeof *average);
}

static void run_loop(void *raw, const loop *loop) {
    patterns *self = raw;
    simulation *sim = self->sim;
    trial trial = {.task = loop->task,
                   .stream = (uint64_t)loop->number,
                   .reset = loop->number == 1 || sim->reset_every_loop,
                   .plastic = true,
                   .stimulate = true,
                   .learn = sim->rule->learn != NULL,
                   .steps = sim->loop_steps,
                   .pulse = loop->pulse};
    if (loop->measured) {
        double **kept = &self->average[loop->task];
        if (loop->last_of_task && !*kept) *kept = memory_new(MEMORY_OUTPUT, (size_t)sim->targets.instants * (size_t)sim->part.mine, sizeof **kept);
        self->last = loop->last_of_task ? *kept : NULL;
        tracker_begin(self->tracker, loop->last_of_task ? keep_average : NULL, self);
        pulse_observe(loop->pulse, self->tracker, tracker_step);
    }
    trial_run(sim, &trial, &self->result);
}

static void settle(void *raw) {
    simulation *sim = ((patterns *)raw)->sim;
    if (sim->rule_state && sim->rule->settle) sim->rule->settle(sim->rule_state);
}

/** Spikes in the target window, of @p count sources, in Hz; NAN without sources. */
static double window_rate(const simulation *sim, int64_t spikes, int64_t count) {
    return count ? (double)spikes / ((double)count * (double)sim->targets.instants * (double)sim->every * sim->dt / 1000) : NAN;
}

static double trained_rate(const patterns *self) {
    const simulation *sim = self->sim;
    return window_rate(sim, self->result.window_spikes, sim->scored[SCORE_GIVEN] + sim->scored[SCORE_AUXILIARY]);
}

/** Is nothing heard in the target window that could be learned from, or nothing of the neurons that learn? @param[out] message of it */
static bool is_window_silent(const patterns *self, char *message, size_t size) {
    const simulation *sim = self->sim;
    if (!sim->rule->learn) return false;
    const window_guards *guards = config_added(sim->config, "guards");
    double least = guards->min_window_rate;
    double all = window_rate(sim, self->result.window_sources, sim->plastic->sources), trained = trained_rate(self);
    if (all < least)
        snprintf(message, size,
                 "the network is silent inside the target window: %g Hz (allowed: guards.min_window_rate = %g Hz): what is learned there are drives that make "
                 "no spikes, from what the stimulus left",
                 all, least);
    else if (trained < least)
        snprintf(message, size,
                 "the trained neurons are silent inside the target window: %g Hz (allowed: guards.min_window_rate = %g Hz): what is learned there are drives "
                 "that make no spikes",
                 trained, least);
    return all < least || trained < least;
}

/** Silence in the target window ends the run, or is told in the first loop that is seen here and in the last. */
static status judge(void *raw, const loop *loop) {
    patterns *self = raw;
    char message[320];
    if (!is_window_silent(self, message, sizeof message)) return STATUS_OK;
    if (((const window_guards *)config_added(self->sim->config, "guards"))->silent_window == SILENT_STOP)
        return status_fail(STATUS_NUMERIC, "loop %lld: %s", (long long)loop->number, message);
    if (!self->warned || loop->last)
        log_warning(&self->sim->context, "loop %lld: %s (guards.silent_window: stop ends a run for that)", (long long)loop->number, message);
    self->warned = true;
    return STATUS_OK;
}

static double mean_gain(const simulation *sim, const rule_report *report) {
    int64_t terms = report->gains;
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &terms, 1, MPI_INT64_T, MPI_SUM, sim->context.comm));
    exact_sum sum = sum_all(&sim->context, report->gain);
    return terms ? sum_value(sum) / (double)terms : NAN;
}

/** Frobenius norm of W - W(0). Sums over neurons are fixed-point, in units of a power of two above the largest term. */
static double weight_change(const simulation *sim) {
    const plastic_synapses *plastic = sim->plastic;
    double *squares = memory_new(MEMORY_BUFFERS, (size_t)plastic->rows, sizeof *squares), largest = 0;
    plastic_change(plastic, squares);
    for (int row = 0; row < plastic->rows; row++) largest = fmax(largest, squares[row]);
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPI_DOUBLE, MPI_MAX, sim->context.comm));
    int exponent;
    frexp(largest, &exponent);
    exact_sum sum = {0};
    for (int row = 0; row < plastic->rows; row++) sum_add(&sum, ldexp(squares[row], -exponent));
    memory_free(squares);
    return sqrt(ldexp(sum_value(sum_all(&sim->context, sum)), exponent));
}

static void score_loop(patterns *self, const loop *loop, double *value) {
    const simulation *sim = self->sim;
    const double *values = tracker_finish(self->tracker);
    score score = score_values(sim, loop->task, values, NULL);
    value[METRIC_CORRELATION] = score.mean[SCORE_GIVEN];
    value[METRIC_AUXILIARY] = score.mean[SCORE_AUXILIARY];
    value[METRIC_UNDEFINED] = (double)score.undefined;
}

static void measure(void *raw, const loop *loop, double *value) {
    patterns *self = raw;
    if (loop->measured) score_loop(self, loop, value);
    value[METRIC_WINDOW_HZ] = trained_rate(self);
    value[METRIC_GAIN] = mean_gain(self->sim, &self->result.report);
    if (self->output->weight_change) value[METRIC_CHANGE] = weight_change(self->sim);
}

/* ---- observation ---- */

/** Variables of @p sim, or of a configuration where there is none yet. */
static void list_variables(const simulation *sim, const neuron_model *model, variable_list *list) {
    const drive *drive = sim ? sim->drive : NULL;
    const char *all = "synaptic drive";
    variable_add(list, (variable){"drive", "1", all, "the drive", drive ? drive->total : NULL, NULL, true, true});
    variable_add(list, (variable){"static_drive", "1", "its part through static synapses", NULL, drive ? drive->fixed : NULL, NULL, false, true});
    variable_add(list, (variable){"plastic_drive", "1", "its part through plastic synapses", NULL, drive ? drive->learned : NULL, NULL, false, true});
    variable_add(list, (variable){"input", "1", "drive, bias and stimulus", NULL, sim ? sim->input : NULL, NULL, false, true});
    for (int f = 0; f < model->field_count; f++)
        variable_add(list, (variable){model->fields[f].name, model->fields[f].unit, NULL, NULL, sim ? sim->neurons->field[f] : NULL, NULL, true, true});
}

static void known_variables(config *config, variable_list *list) {
    list_variables(NULL, neuron_models[config_variant_index(config, "neuron")], list);
}

static void variables(void *raw, variable_list *list) {
    const simulation *sim = ((patterns *)raw)->sim;
    list_variables(sim, sim->neurons->model, list);
}

static void refresh(void *raw) {
    const simulation *sim = ((patterns *)raw)->sim;
    drive_settle(sim->drive);
    neurons_settle(sim->neurons);
}

void patterns_scored(const simulation *sim, figure_list *figures) {
    figure_add_count(figures, "scored", sim->targets.units ? "recorded" : "trained", sim->scored[SCORE_GIVEN]);
    figure_add_count(figures, "scored", "auxiliary", sim->scored[SCORE_AUXILIARY]);
}

static void figures(const void *raw, figure_list *list) {
    const simulation *sim = ((const patterns *)raw)->sim;
    int64_t synapses[4];
    count_synapses(sim, synapses);
    figure_add_count(list, NULL, "static_synapses", synapses[0]);
    figure_add_count(list, NULL, "plastic_synapses", synapses[1]);
    figure_add_count(list, NULL, "frozen_synapses", synapses[2]);
    figure_add(list, NULL, "baseline_excitatory_hz", sim->baseline_rate[0]);
    figure_add(list, NULL, "baseline_inhibitory_hz", sim->baseline_rate[1]);
    figure_add(list, NULL, "baseline_drive_sd", sim->baseline_sd);
    figure_add(list, NULL, "rate_inversion_error", sim->targets.inversion_error);
    figure_add_count(list, NULL, "exchange_nodes", exchange_nodes(sim->exchange));
    figure_add_count(list, NULL, "exchange_steps", sim->arrivals.most);
    figure_add_count(list, NULL, "exchange_overflows", exchange_overflows(sim->exchange));
    patterns_scored(sim, list);
}

/* ---- tests ---- */

static const metric scores[] = {
    {"rate_hz", NULL, "Hz", "mean rate of trials", 3},
    {"trial_averaged_correlation", " trial_averaged_correlation %s", "1", "correlation of the trial-averaged drive with the target", 3,
     .better = BETTER_HIGHER},
    {"single_trial_correlation", NULL, "1", "that of single trials, mean", 3},
};

static const char *task_name(const void *raw, int task) {
    return targets_condition(&((const patterns *)raw)->sim->targets, task);
}

static status perturb(void *raw, const perturbation_settings *settings) {
    simulation *sim = ((patterns *)raw)->sim;
    if (settings->delete_unit_synapses > 0 && !sim->targets.kind->pair)
        return status_fail(STATUS_INPUT,
                           "--delete-unit-synapses: the run has no recorded units (targets.kind file or surrogate); --delete-synapses is for all neurons");
    perturbation_apply(sim, settings);
    const perturbation *done = sim->perturbation;
    log_line(&sim->context, "deleted: %lld neurons, %lld static and %lld plastic synapses; shuffled: %lld static and %lld plastic synapses; external noise %g",
             (long long)done->deleted_neurons, (long long)done->deleted_synapses[0], (long long)done->deleted_synapses[1],
             (long long)done->shuffled_synapses[0], (long long)done->shuffled_synapses[1], done->settings.noise);
    return STATUS_OK;
}

const learning_system patterns_system = {
    .name = "patterns",
    .help = "every neuron learns a pattern of its own, of drive or of rate",
    .sections = patterns_sections,
    .plan = &patterns_plan,
    .metrics = metrics,
    .metric_count = METRICS,
    .remark = remark,
    .scores = scores,
    .score_count = sizeof scores / sizeof *scores,
    .resolve = simulation_resolve,
    .forget = network_forget,
    .tasks = simulation_tasks,
    .check = build_check,
    .build = build,
    .free = free_self,
    .describe = describe,
    .loop = run_loop,
    .settle = settle,
    .judge = judge,
    .measure = measure,
    .conclude = conclude,
    .state = patterns_state,
    .save = patterns_save,
    .load = patterns_load,
    .known_variables = known_variables,
    .variables = variables,
    .refresh = refresh,
    .nodes = patterns_nodes,
    .edges = patterns_edges,
    .figures = figures,
    .results_name = "targets.h5",
    .results = patterns_results,
    .task_name = task_name,
    .perturb = perturb,
    .test_begin = patterns_test_begin,
    .test_sums = patterns_test_sums,
    .test_trial = patterns_test_trial,
    .test_task = patterns_test_task,
    .test_write = patterns_test_write,
    .test_figures = patterns_test_figures,
    .test_describe = patterns_test_describe,
    .test_end = patterns_test_end,
};
