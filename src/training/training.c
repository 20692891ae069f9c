#include "engram/training.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint.h"
#include "engram/memory.h"
#include "engram/slurm.h"
#include "inputs.h"
#include "memory_report.h"
#include "results.h"
#include "resume.h"
#include "spool.h"
#include "testing.h"

/** Everything that lives for the length of a training run. */
typedef struct {
    simulation *sim;
    const output_settings *output;
    int64_t loops;
    results results;
    tracker *tracker;
    spike_recorder spikes;
    report_recorder report;
    test_result *tests;       /* [tasks], NULL without tests */
    checkpoint_progress progress; /* loops done, their wall time, averages */
    const checkpoint_settings *checkpoint;
    char *parameters, *inputs, *identity; /* the configuration as given; the files that it names; config_identity() */
    int64_t resumed_from;     /* loops that an earlier part of the run did */
    int64_t saved;            /* loop of the last checkpoint */
    int64_t spooled;          /* recorded spikes that were put aside */
    uint64_t digest;          /* spool_digest() of those */
    run_watch watch;
    metrics_row last;         /* of the last loop done here */
    bool warned;              /* of silence in the target window */
} training;

static void describe(const simulation *sim, int64_t loops) {
    int64_t synapses[3] = {sim->network.synapses ? sim->network.synapses->start[sim->network.synapses->sources] : 0, sim->plastic->row_start[sim->plastic->rows],
                           sim->plastic->rows};
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, synapses, 3, MPI_INT64_T, MPI_SUM, sim->context.comm));
    log_line(&sim->context, "network: %lld neurons on %d rank%s, %lld static and %lld plastic synapses onto %lld trained neurons", (long long)sim->part.total,
             sim->context.ranks, sim->context.ranks > 1 ? "s" : "", (long long)synapses[0], (long long)synapses[1], (long long)synapses[2]);
    log_line(&sim->context, "training: %lld loops of %g ms, %d task%s, %d learning instants each", (long long)loops, (double)sim->loop_steps * sim->dt, sim->targets.tasks,
             sim->targets.tasks > 1 ? "s" : "", sim->targets.instants);
    if (sim->scored[SCORE_AUXILIARY])
        log_line(&sim->context, "scores: corr is the mean correlation with the target over %lld recorded units and, apart from them, over %lld neurons with auxiliary targets",
                 (long long)sim->scored[SCORE_GIVEN], (long long)sim->scored[SCORE_AUXILIARY]);
    else
        log_line(&sim->context, "scores: corr is the mean correlation with the target over %lld %s", (long long)sim->scored[SCORE_GIVEN],
                 sim->targets.units ? "recorded units" : "trained neurons");
    memory_report(&sim->context, "at start");
}

static void show_progress(const training *training, const metrics_row *row) {
    char left[32], correlation[SCORE_TEXT], window[32] = "";
    const double scores[SCORES] = {row->correlation, row->auxiliary_correlation};
    if (!isnan(row->window_hz)) snprintf(window, sizeof window, " (%.3f in window)", row->window_hz);
    clock_format(training->progress.seconds / (double)row->loop * (double)(training->loops - row->loop), left, sizeof left);
    log_line(&training->sim->context, "loop %*lld/%lld  task %d  %6.3f Hz%s%s%s  %.2f s  left %s", snprintf(NULL, 0, "%lld", (long long)training->loops), (long long)row->loop,
             (long long)training->loops, row->task, row->rate_hz, window, !row->measured ? "" : row->correlation < 0 ? "  corr " : "  corr  ", row->measured ? score_show(training->sim, scores, correlation) : "", row->seconds, left);
}

static double rate_of(const simulation *sim, const trial_result *result, int64_t steps) {
    return (double)(result->spikes[0] + result->spikes[1]) / ((double)sim->part.total * (double)steps * sim->dt / 1000);
}

/** Spikes in the target window, of @p count sources, in Hz; NAN without sources. */
static double window_rate(const simulation *sim, int64_t spikes, int64_t count) {
    return count ? (double)spikes / ((double)count * (double)sim->targets.instants * (double)sim->every * sim->dt / 1000) : NAN;
}

/** Is nothing heard in the target window that could be learned from, or nothing of the neurons that learn? @param[out] message of it */
static bool is_window_silent(const simulation *sim, const trial_result *result, char *message, size_t size) {
    if (!sim->rule->learn) return false;
    const guard_settings *guards = config_common(sim->config, "guards");
    double all = window_rate(sim, result->window_sources, sim->plastic->sources), trained = window_rate(sim, result->window_spikes, sim->scored[SCORE_GIVEN] + sim->scored[SCORE_AUXILIARY]);
    if (all < guards->min_window_rate)
        snprintf(message, size, "the network is silent inside the target window: %g Hz (allowed: guards.min_window_rate = %g Hz): what is learned there are drives that make no spikes, "
                 "from what the stimulus left", all, guards->min_window_rate);
    else if (trained < guards->min_window_rate)
        snprintf(message, size, "the trained neurons are silent inside the target window: %g Hz (allowed: guards.min_window_rate = %g Hz): what is learned there are drives that make no spikes",
                 trained, guards->min_window_rate);
    return all < guards->min_window_rate || trained < guards->min_window_rate;
}

/** What a guard found in loop @p loop, or a network that fires too much or not at all. Not agreed. */
static status check_numeric(const simulation *sim, int64_t loop, const trial_result *result, double rate_hz) {
    char message[320];
    const guard_settings *guards = config_common(sim->config, "guards");
    if (result->fault[0]) return status_fail(STATUS_NUMERIC, "loop %lld, %s", (long long)loop, result->fault);
    if (!result->whole) return STATUS_OK;
    if (rate_hz < guards->min_rate)
        return status_fail(STATUS_NUMERIC, "loop %lld: the network is silent: %g Hz (allowed: guards.min_rate = %g Hz)", (long long)loop, rate_hz, guards->min_rate);
    if (guards->max_rate > 0 && rate_hz > guards->max_rate)
        return status_fail(STATUS_NUMERIC, "loop %lld: the network runs away: %g Hz (allowed: guards.max_rate = %g Hz)", (long long)loop, rate_hz, guards->max_rate);
    if (guards->silent_window == SILENT_STOP && is_window_silent(sim, result, message, sizeof message)) return status_fail(STATUS_NUMERIC, "loop %lld: %s", (long long)loop, message);
    return STATUS_OK;
}

/** In the first loop that is seen here, and after the last. */
static void warn_of_silence(training *training, int64_t loop, const trial_result *result) {
    char message[320];
    bool last = loop == training->loops;
    if ((training->warned && !last) || !is_window_silent(training->sim, result, message, sizeof message)) return;
    training->warned = true;
    log_warning(&training->sim->context, "loop %lld: %s (guards.silent_window: stop ends a run for that)", (long long)loop, message);
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

/** The correlation of the loop, and its averages kept if they are the last of their task. */
static void measure(training *training, metrics_row *row, bool last_of_task) {
    simulation *sim = training->sim;
    double *values = tracker_finish(training->tracker);
    score score = score_values(sim, row->task, values, NULL);
    row->correlation = score.mean[SCORE_GIVEN];
    row->auxiliary_correlation = score.mean[SCORE_AUXILIARY];
    row->undefined_neurons = score.undefined;
    if (!last_of_task) return;
    size_t bytes = (size_t)sim->targets.instants * (size_t)sim->part.mine * sizeof(double);
    double **kept = &training->progress.drive[row->task];
    if (!*kept) *kept = memory_new(MEMORY_OUTPUT, bytes, 1);
    memcpy(*kept, values, bytes);
}

/** One loop of training. @return agreed and printed; STATUS_RESUMABLE if it was given up */
static status run_loop(training *training, int64_t loop) {
    simulation *sim = training->sim;
    int tasks = sim->targets.tasks, task = (int)((loop - 1) % tasks);
    bool last = loop == training->loops, last_of_task = loop > training->loops - tasks;
    metrics_row row = {.loop = loop, .task = task, .correlation = NAN, .auxiliary_correlation = NAN, .measured = last_of_task || loop % training->output->correlation_every == 0};
    trial trial = {.task = task, .stream = (uint64_t)loop, .reset = loop == 1 || sim->reset_every_loop, .plastic = true, .stimulate = true,
                   .learn = sim->rule->learn != NULL, .steps = sim->loop_steps, .guarded = true, .watch = &training->watch};
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
    if (sim->rule_state && sim->rule->settle) sim->rule->settle(sim->rule_state);
    double measuring = clock_seconds();
    row.rate_hz = rate_of(sim, &result, trial.steps);
    status numeric = status_agree(&sim->context, check_numeric(sim, loop, &result, row.rate_hz));
    if (numeric != STATUS_OK) return numeric;
    if (!result.whole) return STATUS_RESUMABLE;
    if (row.measured) measure(training, &row, last_of_task);
    row.window_hz = window_rate(sim, result.window_spikes, sim->scored[SCORE_GIVEN] + sim->scored[SCORE_AUXILIARY]);
    row.mean_gain = mean_gain(sim, &result.report);
    row.weight_change = training->output->weight_change ? weight_change(sim) : NAN;
    measuring = clock_seconds() - measuring;
    sim->phase_seconds[PHASE_RECORD] += measuring;
    row.seconds = result.seconds + measuring;
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &row.seconds, 1, MPI_DOUBLE, MPI_MAX, sim->context.comm));
    training->progress.seconds += row.seconds;
    training->progress.loop = loop;
    status written = status_agree(&sim->context, results_add_metrics(&sim->context, &training->results, &row));
    if (written == STATUS_OK) show_progress(training, &row);
    if (written == STATUS_OK) warn_of_silence(training, loop, &result);
    training->last = row;
    return written;
}

/* ---- checkpoints ---- */

/** Spikes recorded up to now need not be counted again. */
static void put_aside(training *training) {
    training->digest += spool_digest(training->sim, &training->spikes, training->spooled);
    training->spooled = training->spikes.count;
}

/** Collective. @return not agreed */
static status save_checkpoint(training *training) {
    simulation *sim = training->sim;
    checkpoint_progress *progress = &training->progress;
    bool all = training->output->spikes == SPIKES_ALL; /* else what is recorded depends on where a run ends */
    uint64_t sums[2] = {all ? (uint64_t)training->spikes.count : 0, all ? training->digest + spool_digest(sim, &training->spikes, training->spooled) : 0};
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, sums, 2, MPI_UINT64_T, MPI_SUM, sim->context.comm));
    progress->spikes = (int64_t)sums[0];
    progress->spikes_digest = sums[1];
    progress->metrics_digest = training->results.digest;
    return checkpoint_save(sim, training->results.directory, progress, training->parameters, training->inputs, training->identity);
}

/** Save the state after the loops done so far. Everything that belongs to them is on the disk before the checkpoint is. */
static status save(training *training) {
    simulation *sim = training->sim;
    double started = clock_seconds();
    if (sim->context.rank == 0) checkpoint_make_folder(training->results.directory);
    status saved = status_agree(&sim->context, results_sync(&training->results)); /* also: the folder is there */
    if (saved == STATUS_OK && training->output->spikes == SPIKES_ALL && training->progress.loop > training->saved)
        saved = status_agree(&sim->context, spool_write(sim, &training->results, &training->spikes, training->spooled, training->saved, training->progress.loop));
    if (saved == STATUS_OK)
        saved = status_agree(&sim->context, save_checkpoint(training));
    double seconds = clock_seconds() - started;
    sim->phase_seconds[PHASE_CHECKPOINT] += seconds;
    if (saved != STATUS_OK) {
        log_warning(&sim->context, "loop %lld could not be saved; when there is room again, go on from loop %lld with: engram train --resume %s", (long long)training->progress.loop,
                    (long long)training->saved, training->results.directory);
        return saved;
    }
    training->saved = training->progress.loop;
    put_aside(training);
    training->watch.saved = clock_seconds();
    training->watch.reserve = 2 * seconds;
    return STATUS_OK;
}

/** After each loop but the last, rank 0 decides for all. */
enum { GO_ON, SAVE, SAVE_AND_STOP };

static int decide(training *training, double seconds_of_loop) {
    const checkpoint_settings *settings = training->checkpoint;
    run_watch *watch = &training->watch;
    double now = clock_seconds();
    if (!watch->asked && now - watch->started + watch->reserve + seconds_of_loop > watch->limit) watch->why = "the time limit"; /* another loop would not fit */
    if (watch->asked || watch->why) return SAVE_AND_STOP;
    bool by_loops = settings->every_loops > 0 && training->progress.loop - training->saved >= settings->every_loops;
    bool by_time = settings->every > 0 && now - watch->saved >= settings->every / 1000;
    return by_loops || by_time ? SAVE : GO_ON;
}

/** Loops until all are done, or something ends them. */
static status run_loops(training *training) {
    simulation *sim = training->sim;
    while (training->progress.loop < training->loops) {
        double started = clock_seconds();
        status result = run_loop(training, training->progress.loop + 1);
        if (result != STATUS_OK) return result;
        if (training->progress.loop == training->loops) break; /* saved with the results */
        int decision = decide(training, clock_seconds() - started);
        CHECK_MPI(MPI_Bcast(&decision, 1, MPI_INT, 0, sim->context.comm));
        if (decision != GO_ON) result = save(training);
        if (result != STATUS_OK) return result;
        if (decision == SAVE_AND_STOP) {
            training->watch.asked = true;
            return STATUS_RESUMABLE;
        }
    }
    return STATUS_OK;
}

/** Trials with frozen weights, the same as "engram test" runs. @return agreed and printed */
static status run_tests(training *training) {
    simulation *sim = training->sim;
    if (training->output->test_trials == 0) return STATUS_OK;
    if (training->watch.asked) return STATUS_RESUMABLE;
    const test_plan plan = {.trials = (int)training->output->test_trials, .groups = 1, .delete_spike = NAN, .watch = &training->watch};
    status tested = status_agree(&sim->context, testing_trials(sim, &plan, &training->tests));
    for (int task = 0; tested == STATUS_OK && task < sim->targets.tasks; task++) {
        const test_result *test = &training->tests[task];
        char average[SCORE_TEXT], single[SCORE_TEXT];
        log_line(&sim->context, "test: task %d, %d trials, weights frozen: %.3f Hz, trial-averaged corr %s; single trials %s", task, test->trials, test->rate_hz,
                 score_show(sim, test->average_score, average), score_show(sim, test->mean_single_score, single));
        if (test->rate_fit) log_line(&sim->context, "test: task %d, PSTH against the target rate, %g ms bins: corr %s", task, (double)test->psth.bin * sim->dt, score_show(sim, test->rate_score, average));
    }
    return tested;
}

/** What the last loop leaves: everything but tests and run.json. @return agreed and printed */
static status write_results(training *training) {
    simulation *sim = training->sim;
    double started = clock_seconds();
    const results *results = &training->results;
    char *configuration = config_as_used(sim->config);
    bool trained_here = training->progress.loop > training->resumed_from; /* else spikes and traces of the last loop are there already */
    status written = results_write_nodes(sim, results, configuration);
    if (training->output->edges != EDGES_NONE)
        written = status_worse(written, results_write_edges(sim, results, configuration, training->output->edges == EDGES_PLASTIC));
    written = status_worse(written, results_write_targets(sim, results, configuration, training->progress.drive, training->output->stimulus));
    if (training->output->spikes == SPIKES_ALL || (training->output->spikes == SPIKES_LAST && (trained_here || training->loops == 0)))
        written = status_worse(written, results_write_spikes(sim, results, "spikes.h5", configuration, &training->spikes, 0));
    if (training->report.taken) written = status_worse(written, results_write_report(sim, results, configuration, &training->report));
    free(configuration);
    sim->phase_seconds[PHASE_WRITE] += clock_seconds() - started;
    return status_agree(&sim->context, written);
}

static status write_tests(training *training) {
    if (!training->tests) return STATUS_OK;
    char *configuration = config_as_used(training->sim->config), *path = results_path(&training->results, "test.h5");
    status written = status_agree(&training->sim->context, results_write_test(training->sim, path, configuration, training->progress.loop, training->tests));
    free(path);
    free(configuration);
    return written;
}

static void clear(training *training) {
    for (int task = 0; training->progress.drive && task < training->sim->targets.tasks; task++) memory_free(training->progress.drive[task]);
    if (training->tests) testing_free(training->tests, training->sim->targets.tasks);
    memory_free(training->progress.drive);
    tracker_free(training->tracker);
    spike_recorder_clear(&training->spikes);
    report_recorder_clear(&training->report);
    results_close(&training->results);
    watch_end(&training->watch);
    free(training->parameters);
    free(training->inputs);
    free(training->identity);
    simulation_free(training->sim);
}

/** Where weights keep their signs: how many synapses learn no more for that. Collective. */
static void tell_of_frozen(const training *training) {
    const simulation *sim = training->sim;
    int64_t counts[3] = {plastic_count_frozen(sim->plastic), sim->plastic->row_start[sim->plastic->rows], sim->plastic->frozen != NULL};
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, counts, 3, MPI_INT64_T, MPI_SUM, sim->context.comm));
    if (counts[2]) log_line(&sim->context, "signs kept: %lld of %lld plastic synapses frozen", (long long)counts[0], (long long)counts[1]);
}

/** All loops are done: results, the last checkpoint, tests. */
static status finish(training *training) {
    tell_of_frozen(training);
    status result = status_agree(&training->sim->context, results_sync(&training->results)); /* also: the folder is there */
    if (result == STATUS_OK) result = write_results(training);
    if (result == STATUS_OK) result = save(training); /* behind the results: a run that goes on from here does not have its last loop to record */
    if (result != STATUS_OK) return result;
    if (training->sim->context.rank == 0) {
        checkpoint_keep_newest(training->results.directory);
        if (training->output->spikes == SPIKES_ALL) spool_clear(&training->results);
    }
    training->watch.can_finish = false;
    result = run_tests(training);
    if (result == STATUS_OK) result = status_agree(&training->sim->context, results_sync(&training->results));
    return result == STATUS_OK ? write_tests(training) : result;
}

/** With another number of loops than planned: averages saved in the middle of a run may be those of an earlier end, and a loop whose spikes and traces were not
 *  recorded cannot become the last one. */
static status check_planned(training *training, int64_t loop) {
    simulation *sim = training->sim;
    int64_t planned = training->progress.loops;
    if (planned == training->loops || planned == loop) return STATUS_OK;
    for (int task = 0; task < sim->targets.tasks; task++) {
        memory_free(training->progress.drive[task]);
        training->progress.drive[task] = NULL;
    }
    if (training->loops > loop) return STATUS_OK;
    return config_complain(sim->config, "learning", "loops", "%lld, but %lld of %lld loops are done; give %lld, or at least %lld", (long long)training->loops, (long long)loop,
                           (long long)planned, (long long)planned, (long long)(loop + 1));
}

/** What the checkpoint holds. @return agreed and printed */
static status go_on(training *training, const resume_point *point) {
    simulation *sim = training->sim;
    if (!point->checkpoint) {
        if (sim->context.rank == 0) spool_clear(&training->results);
        log_line(&sim->context, "%s holds no checkpoint: starting with loop 1", training->results.directory);
        return STATUS_OK;
    }
    status result = checkpoint_load(sim, point->checkpoint, &training->progress);
    if (result == STATUS_OK) result = status_agree(&sim->context, check_planned(training, point->loop));
    if (result == STATUS_OK && training->output->spikes == SPIKES_ALL) result = spool_read(sim, &training->results, &point->origin, &training->spikes);
    training->resumed_from = training->saved = point->loop;
    put_aside(training);
    if (result == STATUS_OK) log_line(&sim->context, "going on after loop %lld of %lld, from %s", (long long)point->loop, (long long)training->loops, point->checkpoint);
    return result;
}

/** Before anything is built: can results go where they shall? The run to go on with is locked from here on. @return agreed and printed */
static status claim_directory(const context *context, config *config, training *training, const run_options *options, resume_point *point) {
    if (!options->resume) {
        char *directory = results_directory(config, options);
        status result = status_agree(context, results_check_directory(config, options->directory));
        if (result == STATUS_OK) result = results_check(context, directory, options->overwrite);
        if (result == STATUS_OK) result = inputs_spare(context, training->inputs, directory, NULL, 0);
        free(directory);
        return result;
    }
    status result = resume_find(context, options->resume, config, training->inputs, point);
    if (result == STATUS_OK && point->origin.identity && *point->origin.identity) { /* as when the run began, whatever keys this version has */
        free(training->identity);
        training->identity = strdup(point->origin.identity);
    }
    return result == STATUS_OK ? results_reopen(context, strdup(options->resume), point, &training->results) : result;
}

/** New directory, or that of the run to go on with. @return agreed and printed */
static status open_run(training *training, const run_options *options, const resume_point *point) {
    simulation *sim = training->sim;
    status result;
    if (!options->resume) {
        result = results_open(&sim->context, results_directory(sim->config, options), training->parameters, options->overwrite, &training->results);
    } else {
        training->results.started = clock_seconds();
        result = go_on(training, point);
        if (result == STATUS_OK) result = results_rewind(&sim->context, &training->results, training->parameters, point->loop);
    }
    return result == STATUS_OK ? inputs_keep(&sim->context, training->results.directory, training->inputs) : result;
}

/** A last word, and run.json. @return agreed and printed */
static status close_run(training *training, status code, const run_options *options) {
    simulation *sim = training->sim;
    bool stop = sim->context.rank == 0 && (code == STATUS_RESUMABLE || code == STATUS_OK) && watch_finds_stop(&training->watch); /* it is heeded even if a signal came first */
    const char *why = code != STATUS_RESUMABLE ? "" : training->watch.why ? training->watch.why : "a signal to another rank";
    if (code == STATUS_RESUMABLE)
        log_line(&sim->context, "stopped by %s after loop %lld of %lld, saved after loop %lld; go on with: engram train --resume %s", why, (long long)training->progress.loop,
                 (long long)training->loops, (long long)training->saved, training->results.directory);
    status written = results_write_run(sim, &training->results, options, training->resumed_from, training->progress.loop, code, why, &training->last, training->tests);
    written = status_agree(&sim->context, written);
    if (stop && written == STATUS_OK) watch_heeded(&training->watch);
    memory_report(&sim->context, "at end");
    if (code == STATUS_OK && written == STATUS_OK) log_line(&sim->context, "results are in %s", training->results.directory);
    return code == STATUS_OK ? written : code;
}

/** In a job of Slurm: its end is the limit, if none is nearer. A twentieth of what is left, a minute at most, is kept back for what comes after this program. */
static void heed_slurm(const context *context, run_watch *watch) {
    char job[64], text[32];
    if (context->rank != 0 || !slurm_job(job, sizeof job)) return; /* rank 0 minds limits */
    double left = slurm_seconds_left(job);
    if (isnan(left)) {
        log_warning(context, "when Slurm will end job %s is not known: neither SLURM_JOB_END_TIME nor squeue says it; --max-hours sets a limit", job);
    } else if (isinf(left)) {
        log_line(context, "Slurm job %s has no time limit", job);
    } else {
        clock_format(fmax(left, 0), text, sizeof text);
        log_line(context, "Slurm ends job %s in %s", job, text);
        watch_limit(watch, left - fmin(60, 0.05 * left));
    }
}

/** Before the first checkpoint has been timed: seconds to keep back for one, of P and weights at 100 MB/s. Collective. */
static double guess_saving(const context *context) {
    double bytes = (double)(memory_held(MEMORY_P) + memory_held(MEMORY_WEIGHTS));
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &bytes, 1, MPI_DOUBLE, MPI_SUM, context->comm));
    return bytes / 100e6;
}

/** A stop file that came while nobody was running, a job in the queue: to be heeded before any work is done. Collective. */
static bool begins_stopped(training *training) {
    const context *context = &training->sim->context;
    int stop = context->rank == 0 && watch_finds_stop(&training->watch);
    CHECK_MPI(MPI_Bcast(&stop, 1, MPI_INT, 0, context->comm));
    return stop;
}

static status train(training *training, const run_options *options, const resume_point *point) {
    simulation *sim = training->sim;
    training->output = config_common(sim->config, "output");
    training->checkpoint = config_common(sim->config, "checkpoint");
    sim->wait_timed = training->output->timers == TIMERS_DETAILED;
    training->loops = ((const learning_settings *)config_common(sim->config, "learning"))->loops;
    training->progress.drive = memory_new(MEMORY_OUTPUT, (size_t)sim->targets.tasks, sizeof(double *));
    report_recorder_init(&training->report, sim, training->output);
    status result = open_run(training, options, point);
    if (result != STATUS_OK) return result;
    training->results.identity = training->identity;
    training->watch.stop_file = results_path(&training->results, "stop");
    training->watch.reserve = guess_saving(&sim->context);
    training->tracker = tracker_new(sim, training->output->correlation_window);
    describe(sim, training->loops);
    training->progress.loops = training->loops;
    result = begins_stopped(training) ? STATUS_RESUMABLE : run_loops(training);
    if (result == STATUS_OK) result = finish(training);
    return close_run(training, result, options);
}

status training_run(const context *context, config *config, const run_options *options) {
    training training = {.results.metrics = -1, .parameters = config_as_used(config), .inputs = config_inputs(context, config)};
    training.identity = config_identity(config, training.inputs, MAY_RESUME);
    resume_point point = {0};
    double hours = isnan(options->max_hours) ? ((const checkpoint_settings *)config_common(config, "checkpoint"))->max_hours : options->max_hours;
    watch_begin(&training.watch, hours * 3600);
    heed_slurm(context, &training.watch);
    status result = claim_directory(context, config, &training, options, &point);
    if (result == STATUS_OK) result = simulation_build(context, config, point.checkpoint ? BUILD_RESUME : BUILD_TRAIN, &training.sim);
    if (result == STATUS_OK) result = train(&training, options, &point);
    resume_clear(&point);
    clear(&training);
    return result;
}

status training_check(const context *context, config *config) {
    simulation *sim;
    status result = status_agree(context, results_check_directory(config, NULL));
    if (result == STATUS_OK) result = simulation_build(context, config, BUILD_CHECK, &sim);
    if (result != STATUS_OK) return result;
    describe(sim, ((const learning_settings *)config_common(config, "learning"))->loops);
    char *configuration = config_as_used(config);
    log_line(context, "configuration as used:\n%s", configuration);
    free(configuration);
    simulation_free(sim);
    return STATUS_OK;
}
