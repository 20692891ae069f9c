#include "engram/training.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engram/memory.h"
#include "results.h"

/** Everything that lives for the length of a training run. */
typedef struct {
    simulation *sim;
    const output_settings *output;
    int64_t loops;
    results results;
    tracker *tracker;
    double **last_drive;      /* [tasks] [instants][mine] of the last loop of each task */
    spike_recorder spikes;
    report_recorder report;
    test_result *tests;       /* [tasks], NULL without tests */
    double seconds;           /* wall time of all loops so far */
} training;

static void describe(const simulation *sim, int64_t loops) {
    int64_t synapses[3] = {sim->network.synapses ? sim->network.synapses->start[sim->network.synapses->sources] : 0, sim->plastic->row_start[sim->plastic->rows],
                           sim->plastic->rows};
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, synapses, 3, MPI_INT64_T, MPI_SUM, sim->context.comm));
    log_line(&sim->context, "network: %lld neurons on %d rank%s, %lld static and %lld plastic synapses onto %lld trained neurons", (long long)sim->part.total,
             sim->context.ranks, sim->context.ranks > 1 ? "s" : "", (long long)synapses[0], (long long)synapses[1], (long long)synapses[2]);
    log_line(&sim->context, "training: %lld loops of %g ms, %d task%s, %d learning instants each", (long long)loops, (double)sim->loop_steps * sim->dt, sim->targets.tasks,
             sim->targets.tasks > 1 ? "s" : "", sim->targets.instants);
    double held[MEMORY_CATEGORIES];
    for (int c = 0; c < MEMORY_CATEGORIES; c++) held[c] = (double)memory_held(c) / 1048576;
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, held, MEMORY_CATEGORIES, MPI_DOUBLE, MPI_SUM, sim->context.comm));
    char text[256] = "";
    for (int c = 0; c < MEMORY_CATEGORIES; c++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s %.1f", c ? ", " : "", memory_category_name(c), held[c]);
    log_line(&sim->context, "memory of all ranks, MiB: %s", text);
}

static void format_time(double seconds, char *text, size_t size) {
    long s = lround(seconds);
    if (s >= 3600)
        snprintf(text, size, "%ldh%02ldm", s / 3600, s / 60 % 60);
    else if (s >= 60)
        snprintf(text, size, "%ldm%02lds", s / 60, s % 60);
    else
        snprintf(text, size, "%lds", s);
}

static void show_progress(const training *training, const metrics_row *row) {
    char left[32], correlation[32] = "";
    format_time(training->seconds / (double)row->loop * (double)(training->loops - row->loop), left, sizeof left);
    if (row->measured && isnan(row->correlation))
        snprintf(correlation, sizeof correlation, "  corr undefined");
    else if (row->measured)
        snprintf(correlation, sizeof correlation, "  corr %6.3f", row->correlation);
    log_line(&training->sim->context, "loop %*lld/%lld  task %d  %6.3f Hz%s  %.2f s  left %s", snprintf(NULL, 0, "%lld", (long long)training->loops), (long long)row->loop,
             (long long)training->loops, row->task, row->rate_hz, correlation, row->seconds, left);
}

static double rate_of(const simulation *sim, const trial_result *result, int64_t steps) {
    return (double)(result->spikes[0] + result->spikes[1]) / ((double)sim->part.total * (double)steps * sim->dt / 1000);
}

/** Drives finite, P positive definite? The message names loop, neuron and value. */
static status check_numeric(const simulation *sim, int64_t loop, const rule_report *report) {
    for (int i = 0; i < sim->part.mine && report->bad_neuron < 0; i++)
        if (!isfinite(sim->drive->total[i]))
            return status_fail(STATUS_NUMERIC, "loop %lld: the drive of neuron %lld is not finite (%g)", (long long)loop, (long long)(sim->part.first + i), sim->drive->total[i]);
    if (report->bad_neuron < 0) return STATUS_OK;
    return status_fail(STATUS_NUMERIC, "loop %lld: the inverse correlation matrix of neuron %lld is no longer positive definite (gain %g, allowed is above 0 up to 1); "
                       "use precision: double, or a larger lambda", (long long)loop, (long long)(sim->part.first + report->bad_neuron), report->bad_gain);
}

static double mean_gain(const simulation *sim, const rule_report *report) {
    int64_t terms = report->gains;
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &terms, 1, MPI_INT64_T, MPI_SUM, sim->context.comm));
    exact_sum sum = sum_all(&sim->context, report->gain);
    return terms ? sum_value(sum) / (double)terms : NAN;
}

static status run_loop(training *training, int64_t loop) {
    simulation *sim = training->sim;
    int tasks = sim->targets.tasks, task = (int)((loop - 1) % tasks);
    bool last = loop == training->loops, last_of_task = loop > training->loops - tasks;
    metrics_row row = {.loop = loop, .task = task, .correlation = NAN, .measured = last_of_task || loop % training->output->correlation_every == 0};
    trial trial = {.task = task, .stream = (uint64_t)loop, .reset = loop == 1 || sim->reset_every_loop, .plastic = true, .stimulate = true,
                   .learn = sim->rule->learn != NULL, .steps = sim->loop_steps};
    if (row.measured) {
        tracker_begin(training->tracker);
        trial_observe(&trial, training->tracker, tracker_step);
    }
    if (training->output->spikes == SPIKES_ALL || (last && training->output->spikes == SPIKES_LAST)) {
        training->spikes.base = training->output->spikes == SPIKES_ALL ? (loop - 1) * sim->loop_steps : 0;
        trial_observe(&trial, &training->spikes, spike_recorder_step);
    }
    if (last && training->output->report.count) trial_observe(&trial, &training->report, report_recorder_step);
    trial_result result;
    trial_run(sim, &trial, &result);
    double measuring = clock_seconds();
    status numeric = status_agree(&sim->context, check_numeric(sim, loop, &result.report));
    if (row.measured) {
        double *values = tracker_finish(training->tracker);
        row.correlation = score_values(sim, task, values, NULL, &row.undefined_neurons);
        if (last_of_task) {
            size_t bytes = (size_t)sim->targets.instants * (size_t)sim->part.mine * sizeof(double);
            if (!training->last_drive[task]) training->last_drive[task] = memory_new(MEMORY_OUTPUT, bytes, 1);
            memcpy(training->last_drive[task], values, bytes);
        }
    }
    row.mean_gain = mean_gain(sim, &result.report);
    row.rate_hz = rate_of(sim, &result, trial.steps);
    measuring = clock_seconds() - measuring;
    sim->phase_seconds[PHASE_RECORD] += measuring;
    row.seconds = result.seconds + measuring;
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &row.seconds, 1, MPI_DOUBLE, MPI_MAX, sim->context.comm));
    training->seconds += row.seconds;
    if (numeric != STATUS_OK) return numeric;
    results_add_metrics(&sim->context, &training->results, &row);
    show_progress(training, &row);
    return STATUS_OK;
}

/** Trials of one task with frozen weights from fresh random states. */
static void test_task(training *training, int task, test_result *test) {
    simulation *sim = training->sim;
    size_t mine = (size_t)sim->part.mine, size = (size_t)sim->targets.instants * mine;
    int trials = (int)training->output->test_trials;
    *test = (test_result){.trials = trials, .average = memory_new(MEMORY_OUTPUT, size, sizeof(double)), .trial_score = memory_new(MEMORY_OUTPUT, (size_t)trials, sizeof(double)),
                          .neuron_score = memory_new(MEMORY_OUTPUT, mine, sizeof(double)), .single_score = memory_new(MEMORY_OUTPUT, mine, sizeof(double))};
    psth_init(&test->psth, sim, training->output->psth_bin);
    double *each = memory_new(MEMORY_BUFFERS, mine, sizeof(double));
    int *defined = memory_new(MEMORY_BUFFERS, mine, sizeof(int));
    int64_t undefined, spikes = 0, scored = 0;
    for (int n = 0; n < trials; n++) {
        trial trial = {.task = task, .stream = STREAM_TEST + (uint64_t)task * (uint64_t)trials + (uint64_t)n, .reset = true, .plastic = true, .stimulate = true, .steps = sim->loop_steps};
        tracker_begin(training->tracker);
        trial_observe(&trial, training->tracker, tracker_step);
        trial_observe(&trial, &test->psth, psth_step);
        trial_result result;
        trial_run(sim, &trial, &result);
        spikes += result.spikes[0] + result.spikes[1];
        const double *values = tracker_finish(training->tracker);
        test->trial_score[n] = score_values(sim, task, values, each, &undefined);
        if (!isnan(test->trial_score[n])) test->mean_single_score += test->trial_score[n], scored++;
        for (size_t i = 0; i < mine; i++)
            if (!isnan(each[i])) test->single_score[i] += each[i], defined[i]++;
        for (size_t k = 0; k < size; k++) test->average[k] += values[k] / trials;
    }
    for (size_t i = 0; i < mine; i++) test->single_score[i] = defined[i] ? test->single_score[i] / defined[i] : NAN;
    test->mean_single_score = scored ? test->mean_single_score / (double)scored : NAN;
    test->average_score = score_values(sim, task, test->average, test->neuron_score, &undefined);
    test->rate_hz = (double)spikes / ((double)sim->part.total * trials * (double)sim->loop_steps * sim->dt / 1000);
    log_line(&sim->context, "test: task %d, %d trials, weights frozen: %.3f Hz, trial-averaged corr %.3f, single trials %.3f", task, trials, test->rate_hz, test->average_score,
             test->mean_single_score);
    memory_free(each);
    memory_free(defined);
}

static void run_tests(training *training) {
    if (training->output->test_trials == 0) return;
    training->tests = memory_new(MEMORY_OUTPUT, (size_t)training->sim->targets.tasks, sizeof *training->tests);
    for (int task = 0; task < training->sim->targets.tasks; task++) test_task(training, task, &training->tests[task]);
}

static status write_results(training *training, int64_t loops_done, status code, const run_options *options) {
    simulation *sim = training->sim;
    double started = clock_seconds();
    char *configuration = config_as_used(sim->config);
    if (sim->rule->settle && sim->rule_state) sim->rule->settle(sim->rule_state);
    status written = results_write_nodes(sim, &training->results, configuration);
    if (training->output->edges) written = status_worse(written, results_write_edges(sim, &training->results, configuration));
    written = status_worse(written, results_write_targets(sim, &training->results, configuration, training->last_drive, training->output->stimulus));
    if (training->output->spikes != SPIKES_NONE) written = status_worse(written, results_write_spikes(sim, &training->results, configuration, &training->spikes));
    if (training->report.taken) written = status_worse(written, results_write_report(sim, &training->results, configuration, &training->report));
    if (training->tests) written = status_worse(written, results_write_test(sim, &training->results, configuration, training->tests));
    free(configuration);
    sim->phase_seconds[PHASE_WRITE] += clock_seconds() - started;
    code = status_worse(code, written);
    written = status_worse(written, results_write_run(sim, &training->results, options, loops_done, code, training->tests));
    return status_agree(&sim->context, written);
}

static void clear(training *training) {
    for (int task = 0; training->last_drive && task < training->sim->targets.tasks; task++) {
        memory_free(training->last_drive[task]);
        if (!training->tests) continue;
        test_result *test = &training->tests[task];
        memory_free(test->average), memory_free(test->trial_score), memory_free(test->neuron_score), memory_free(test->single_score);
        psth_clear(&test->psth);
    }
    memory_free(training->tests);
    memory_free(training->last_drive);
    tracker_free(training->tracker);
    spike_recorder_clear(&training->spikes);
    report_recorder_clear(&training->report);
    results_close(&training->results);
    simulation_free(training->sim);
}

static status train(training *training, const run_options *options) {
    simulation *sim = training->sim;
    const learning_settings *learning = config_common(sim->config, "learning");
    training->output = config_common(sim->config, "output");
    training->loops = learning->loops;
    status result = status_agree(&sim->context, report_recorder_init(&training->report, sim, training->output));
    if (result == STATUS_OK) result = results_open(&sim->context, sim->config, options, &training->results);
    if (result != STATUS_OK) return result;
    training->tracker = tracker_new(sim, training->output->correlation_window);
    training->last_drive = memory_new(MEMORY_OUTPUT, (size_t)sim->targets.tasks, sizeof(double *));
    describe(sim, training->loops);
    int64_t loop = 0;
    while (result == STATUS_OK && loop < training->loops) result = run_loop(training, ++loop);
    if (result == STATUS_OK) run_tests(training);
    status written = write_results(training, result == STATUS_OK ? loop : loop - 1, result, options);
    if (written == STATUS_OK) log_line(&sim->context, "results are in %s", training->results.directory);
    return status_worse(result, written);
}

status training_run(const context *context, config *config, const run_options *options) {
    training training = {0};
    status result = simulation_build(context, config, false, &training.sim);
    if (result != STATUS_OK) return result;
    result = train(&training, options);
    clear(&training);
    return result;
}

status training_check(const context *context, config *config) {
    simulation *sim;
    status result = simulation_build(context, config, true, &sim);
    if (result != STATUS_OK) return result;
    report_recorder report = {0};
    result = status_agree(context, report_recorder_init(&report, sim, config_common(config, "output")));
    report_recorder_clear(&report);
    if (result == STATUS_OK) {
        describe(sim, ((const learning_settings *)config_common(config, "learning"))->loops);
        char *configuration = config_as_used(config);
        log_line(context, "configuration as used:\n%s", configuration);
        free(configuration);
    }
    simulation_free(sim);
    return result;
}
