#include "engram/training.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint.h"
#include "engram/clock.h"
#include "engram/files.h"
#include "engram/guard_settings.h"
#include "engram/memory.h"
#include "engram/slurm.h"
#include "engram/test_settings.h"
#include "guard.h"
#include "inputs.h"
#include "memory_report.h"
#include "prepare.h"
#include "recorder.h"
#include "results.h"
#include "run_json.h"
#include "resume.h"
#include "spool.h"
#include "start.h"
#include "task_names.h"
#include "testing.h"

/** Everything that lives for the length of a training run. */
typedef struct {
    const context *context;
    config *config;
    const learning_system *system;
    void *self;               /* the system's */
    system_facts facts;
    timers timers;
    const output_settings *output;
    const checkpoint_settings *checkpoint;
    int64_t loops;
    results results;
    guard *guard;
    spike_recorder spikes;
    report_recorder report;
    testing *tests;           /* those behind the last loop; NULL without tests */
    checkpoint_progress progress; /* loops done, their wall time, best tests */
    double tested;            /* wall time of the tests between loops that were done here, s */
    int64_t tests_between;    /* their number */
    char *parameters, *inputs, *identity; /* the configuration as given; the files that it names; config_identity() */
    int64_t resumed_from;     /* loops that an earlier part of the run did */
    int64_t saved;            /* loop of the last checkpoint */
    int64_t spooled;          /* recorded spikes that were put aside */
    uint64_t digest;          /* spool_digest() of those */
    run_watch watch;
    metrics_row last;         /* of the last loop done here */
} training;

/** A number with its label, behind the text. @param[in,out] text [size] */
static void show_metric(const metric *metric, double value, char *text, size_t size) {
    char number[32];
    const char *place = strstr(metric->label, "%s");
    size_t used = strlen(text);
    if (isnan(value)) snprintf(number, sizeof number, "undefined");
    else snprintf(number, sizeof number, "%.*f", metric->decimals, value);
    snprintf(text + used, size - used, "%.*s%s%s", (int)(place - metric->label), metric->label, number, place + 2);
}

/** The metrics of a loop that have a label: the score always where it is measured, the others where they are numbers. @param[out] text [size] */
static void show_metrics(const learning_system *system, const metrics_row *row, char *text, size_t size) {
    text[0] = '\0';
    for (int m = 0; m < system->metric_count; m++)
        if (system->metrics[m].label && (!isnan(row->value[m]) || (m == 0 && row->measured))) show_metric(&system->metrics[m], row->value[m], text, size);
}

/** Of tests between loops that are to come, once one has been timed. */
static double seconds_of_tests_left(const training *training, int64_t loop) {
    int64_t every = ((const test_settings *)config_common(training->config, "test"))->every;
    if (training->tests_between == 0) return 0;
    return training->tested / (double)training->tests_between * (double)(training->loops / every - loop / every);
}

static run_subject subject_of(const training *training) {
    return (run_subject){training->context, training->system, training->self, &training->facts};
}

static void show_progress(const training *training, const metrics_row *row) {
    char left[32], metrics[256];
    const long long loops = training->loops;
    show_metrics(training->system, row, metrics, sizeof metrics);
    clock_format(training->progress.seconds / (double)row->loop * (double)(loops - row->loop) + seconds_of_tests_left(training, row->loop), left, sizeof left);
    const run_subject subject = subject_of(training);
    char *task = task_told(&subject, row->task);
    log_line(training->context, "loop %*lld/%lld  %s  %6.3f Hz%s  %.2f s  left %s", snprintf(NULL, 0, "%lld", loops), (long long)row->loop, loops, task,
             row->rate_hz, metrics, row->seconds, left);
    free(task);
}

/** Of the network in a loop, Hz. */
static double rate_of(const training *training, const pulse *pulse) {
    const system_facts *facts = &training->facts;
    double seconds = (double)facts->loop_steps * facts->dt / 1000;
    return (double)pulse->spikes / ((double)facts->part.total * (double)facts->samples * seconds);
}

/** What a guard found in a loop, a network that fires too much or not at all, or what its system says of it. Not agreed. */
static status check_loop(const training *training, const loop *loop, double rate_hz) {
    const guard_settings *guards = config_common(training->config, "guards");
    long long number = loop->number;
    if (loop->pulse->fault[0]) return status_fail(STATUS_NUMERIC, "loop %lld, %s", number, loop->pulse->fault);
    if (!loop->pulse->whole) return STATUS_OK;
    if (rate_hz < guards->min_rate)
        return status_fail(STATUS_NUMERIC, "loop %lld: the network is silent: %g Hz (allowed: guards.min_rate = %g Hz)", number, rate_hz, guards->min_rate);
    if (guards->max_rate > 0 && rate_hz > guards->max_rate)
        return status_fail(STATUS_NUMERIC, "loop %lld: the network runs away: %g Hz (allowed: guards.max_rate = %g Hz)", number, rate_hz, guards->max_rate);
    return training->system->judge ? training->system->judge(training->self, loop) : STATUS_OK;
}

/** Who watches a loop: recorders of spikes and traces, the guard, the clock. */
static pulse observe_loop(training *training, const loop *loop) {
    const system_facts *facts = &training->facts;
    int spikes = training->output->spikes;
    pulse pulse = {
        .rank = training->context->rank, .watch = &training->watch, .guard = training->guard, .steps = facts->loop_steps, .look_every = facts->look_every};
    bool recorded = spikes == SPIKES_ALL || (loop->last && spikes == SPIKES_LAST);
    if (recorded && facts->owned.mine > 0) {
        training->spikes.base = spikes == SPIKES_ALL ? (loop->number - 1) * facts->loop_steps : 0;
        pulse_observe(&pulse, &training->spikes, spike_recorder_step);
    }
    if (loop->last && training->output->report.count) pulse_observe(&pulse, &training->report, report_recorder_step);
    return pulse;
}

/** Trials with frozen weights, the same as "engram test" runs; between loops on samples kept for that, where there are any. Collective.
 *  @param watch what may end them; NULL: nothing @param[out] tests owned by the caller @return agreed and printed */
static status run_trials(training *training, bool between, run_watch *watch, testing **tests) {
    const test_settings *settings = config_common(training->config, "test");
    const int64_t kept = between ? training->facts.validation : 0, trials = kept && kept < settings->trials ? kept : settings->trials;
    const run_subject subject = subject_of(training);
    const test_plan plan = {.setting = {.trials = trials, .between = between, .psth_bin = settings->psth_bin, .delete_spike = NAN}, .groups = 1,
                            .watch = watch};
    return status_agree(training->context, testing_run(&subject, &plan, tests));
}

/** Trials between loops: what the next loop goes on from is put aside meanwhile, and nothing is learned. Collective. @param[out] row its scores
 *  @return agreed and printed */
static status test_between(training *training, metrics_row *row) {
    const learning_system *system = training->system;
    const test_settings *settings = config_common(training->config, "test");
    if (settings->every == 0 || row->loop % settings->every) return STATUS_OK;
    double started = clock_seconds();
    state_list list = {0};
    if (system->state) system->state(training->self, STATE_LOOP, &list);
    state_copy *kept = state_put_aside(&list, &training->facts.part);
    state_clear(&list);
    testing *tests;
    status tested = run_trials(training, true, NULL, &tests);
    char shown[256] = "";
    for (int m = 0; m < system->score_count && tested == STATUS_OK; m++) {
        double *value = &row->value[system->metric_count + m];
        *value = testing_mean_figure(tests, system->scores[m].name);
        if (system->scores[m].label && !isnan(*value)) show_metric(&system->scores[m], *value, shown, sizeof shown);
    }
    if (tested == STATUS_OK && !*shown) snprintf(shown, sizeof shown, "  all scores undefined");
    if (*shown) log_line(training->context, "%s after loop %lld:%s", training->facts.validation ? "validation" : "test", (long long)row->loop, shown);
    testing_free(tests);
    state_bring_back(kept);
    if (system->settle) system->settle(training->self);
    training->tested += clock_seconds() - started;
    training->tests_between++;
    return tested;
}

/** One loop of training. @return agreed and printed; STATUS_RESUMABLE if it was given up */
static status run_loop(training *training, int64_t number) {
    const context *context = training->context;
    const learning_system *system = training->system;
    int tasks = training->facts.tasks;
    loop loop = {.number = number, .task = (int)((number - 1) % tasks), .last = number == training->loops, .last_of_task = number > training->loops - tasks};
    loop.measured = loop.last_of_task || number % training->output->correlation_every == 0;
    pulse pulse = observe_loop(training, &loop);
    loop.pulse = &pulse;
    metrics_row row = {.loop = number, .task = loop.task, .measured = loop.measured};
    for (int m = 0; m < METRIC_COLUMNS_MAX; m++) row.value[m] = NAN;

    double started = clock_seconds();
    system->loop(training->self, &loop);
    if (system->settle) system->settle(training->self);
    double measuring = clock_seconds();
    row.rate_hz = rate_of(training, &pulse);
    status result = status_agree(context, check_loop(training, &loop, row.rate_hz));
    if (result != STATUS_OK) return result;
    if (!pulse.whole) return STATUS_RESUMABLE;
    if (system->measure) system->measure(training->self, &loop, row.value);
    training->timers.seconds[PHASE_RECORD] += clock_seconds() - measuring;
    row.seconds = clock_seconds() - started;
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &row.seconds, 1, MPI_DOUBLE, MPI_MAX, context->comm));

    training->progress.seconds += row.seconds;
    result = test_between(training, &row);
    if (result != STATUS_OK) return result;
    training->progress.loop = number;
    result = status_agree(context, results_add_metrics(&training->results, &row));
    if (result == STATUS_OK) show_progress(training, &row);
    training->last = row;
    return result;
}

/* ---- checkpoints ---- */

static status save_checkpoint(training *training, checkpoint_kind kind);

/** What the scores of a test between loops ask for: keep its checkpoint, and end. Collective. @return agreed and printed */
static status heed_scores(training *training, const metrics_row *row) {
    const context *context = training->context;
    best_tests *best = &training->progress.best;
    if (!best->watched || row->loop % ((const test_settings *)config_common(training->config, "test"))->every) return STATUS_OK;
    const int64_t reached = best->reached.loop;
    struct { scored_test best, reached; bool better; } judged = {.better = false};
    const double *scores = row->value + training->system->metric_count; /* on rank 0 */
    if (context->rank == 0) judged.better = best_judge(best, training->system, row->loop, scores);
    judged.best = best->best, judged.reached = best->reached;
    CHECK_MPI(MPI_Bcast(&judged, sizeof judged, MPI_BYTE, 0, context->comm));
    best->best = judged.best, best->reached = judged.reached;
    int64_t ends = best_ends(best, training->system, training->loops, training->facts.tasks);
    if (best->reached.loop != reached && ends < training->loops) {
        char text[128];
        best_say(best, training->system, &best->reached, text, sizeof text);
        log_line(context, "%s: test.stop_at = %g is reached; loop %lld is the last one", text, best->stop_at, (long long)ends);
    }
    training->loops = ends;
    if (!judged.better || !best->kept) return STATUS_OK;
    double started = clock_seconds();
    if (context->rank == 0) checkpoint_make_folder(training->results.directory);
    MPI_Barrier(context->comm);
    status saved = status_agree(context, save_checkpoint(training, CHECKPOINT_BEST));
    training->timers.seconds[PHASE_CHECKPOINT] += clock_seconds() - started;
    return saved;
}

/** Spikes recorded up to now need not be counted again. */
static void put_aside(training *training) {
    training->digest += spool_digest(&training->results, &training->spikes, training->spooled);
    training->spooled = training->spikes.count;
}

/** Collective. @return not agreed */
static status save_checkpoint(training *training, checkpoint_kind kind) {
    const context *context = training->context;
    checkpoint_progress *progress = &training->progress;
    bool all = training->output->spikes == SPIKES_ALL; /* else what is recorded depends on where a run ends */
    uint64_t sums[2] = {all ? (uint64_t)training->spikes.count : 0,
                        all ? training->digest + spool_digest(&training->results, &training->spikes, training->spooled) : 0};
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, sums, 2, MPI_UINT64_T, MPI_SUM, context->comm));
    progress->spikes = (int64_t)sums[0];
    progress->spikes_digest = sums[1];
    progress->metrics_digest = training->results.digest;
    const run_subject subject = subject_of(training);
    const checkpoint_run run = {training->parameters, training->inputs, training->identity};
    return checkpoint_save(&subject, training->results.directory, kind, progress, &run);
}

/** Save the state after the loops done so far. Everything that belongs to them is on the disk before the checkpoint is. */
static status save(training *training) {
    const context *context = training->context;
    double started = clock_seconds();
    if (context->rank == 0) checkpoint_make_folder(training->results.directory);
    status saved = status_agree(context, results_sync(&training->results)); /* also: the folder is there */
    if (saved == STATUS_OK && training->output->spikes == SPIKES_ALL && training->progress.loop > training->saved)
        saved = status_agree(context, spool_write(&training->results, &training->spikes, training->spooled, training->saved, training->progress.loop));
    if (saved == STATUS_OK)
        saved = status_agree(context, save_checkpoint(training, CHECKPOINT_GENERATION));
    double seconds = clock_seconds() - started;
    training->timers.seconds[PHASE_CHECKPOINT] += seconds;
    if (saved != STATUS_OK) {
        log_warning(context, "loop %lld could not be saved; when there is room again, go on from loop %lld with: engram train --resume %s",
                    (long long)training->progress.loop, (long long)training->saved, training->results.directory);
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
    while (training->progress.loop < training->loops) {
        double started = clock_seconds();
        status result = run_loop(training, training->progress.loop + 1);
        if (result == STATUS_OK) result = heed_scores(training, &training->last);
        if (result != STATUS_OK) return result;
        if (training->progress.loop == training->loops) break; /* saved with the results */
        int decision = decide(training, clock_seconds() - started);
        CHECK_MPI(MPI_Bcast(&decision, 1, MPI_INT, 0, training->context->comm));
        if (decision != GO_ON) result = save(training);
        if (result != STATUS_OK) return result;
        if (decision == SAVE_AND_STOP) {
            training->watch.asked = true;
            return STATUS_RESUMABLE;
        }
    }
    return STATUS_OK;
}

/** A test's table: the first figures of every task, as far as they are defined. */
static void describe_tests(const training *training) {
    const testing *tests = training->tests;
    const run_subject subject = subject_of(training);
    for (int task = 0; task < testing_tasks(tests); task++) {
        const figure_list *figures = testing_figures(tests, task);
        char text[256] = "";
        size_t used = 0;
        for (int f = 1; f < figures->count && f < 5 && !figures->entry[f].group && used < sizeof text; f++) {
            const double value = figures->entry[f].value;
            if (!isnan(value)) used += (size_t)snprintf(text + used, sizeof text - used, ", %s %.3f", figures->entry[f].name, value);
        }
        char *told = task_told(&subject, task);
        log_line(training->context, "test: %s, %d trials, weights frozen: %.3f Hz%s", told, testing_trials_each(tests), figures->entry[0].value, text);
        free(told);
    }
}

/** Tests behind the last loop. @return agreed and printed */
static status run_tests(training *training) {
    const test_settings *settings = config_common(training->config, "test");
    if (settings->trials == 0 || !training->system->test_trial) return STATUS_OK;
    if (training->watch.asked) return STATUS_RESUMABLE;
    status tested = run_trials(training, false, &training->watch, &training->tests);
    if (tested == STATUS_OK) describe_tests(training);
    return tested;
}

/** What the last loop leaves: everything but tests and run.json. @return agreed and printed */
static status write_results(training *training) {
    const output_settings *output = training->output;
    const results *results = &training->results;
    double started = clock_seconds();
    char *configuration = config_as_used(training->config);
    bool trained_here = training->progress.loop > training->resumed_from; /* else spikes and traces of the last loop are there already */
    status written = results_write_network(results, configuration, output->edges);
    if (training->system->results) written = status_worse(written, results_write_own(results, configuration));
    if (output->spikes == SPIKES_ALL || (output->spikes == SPIKES_LAST && (trained_here || training->loops == 0)))
        written = status_worse(written, results_write_spikes(results, "spikes.h5", configuration, &training->spikes, 0));
    if (training->report.taken) written = status_worse(written, results_write_report(results, configuration, &training->report));
    free(configuration);
    training->timers.seconds[PHASE_WRITE] += clock_seconds() - started;
    return status_agree(training->context, written);
}

/** What an earlier engram test left goes with the test.h5 that is replaced. */
static status write_tests(training *training) {
    if (!training->tests) return STATUS_OK;
    char *configuration = config_as_used(training->config);
    char *path = results_path(&training->results, "test.h5"), *json = results_path(&training->results, "test.json");
    const bool there = training->context->rank == 0 && file_exists(json);
    const test_file to = {path, json, configuration, training->progress.loop, .trained = true};
    status written = status_agree(training->context, testing_write(training->tests, &to));
    if (there && written == STATUS_OK) log_line(training->context, "%s of an earlier engram test is removed, with test.h5, which this training wrote", json);
    free(json);
    free(path);
    free(configuration);
    return written;
}

static void clear(training *training) {
    testing_free(training->tests);
    spike_recorder_clear(&training->spikes);
    report_recorder_clear(&training->report);
    results_close(&training->results);
    watch_end(&training->watch);
    guard_free(training->guard);
    free(training->parameters);
    free(training->inputs);
    free(training->identity);
    if (training->system->free) training->system->free(training->self);
}

/** All loops are done: results, the last checkpoint, tests. */
static status finish(training *training) {
    const context *context = training->context;
    if (training->system->conclude) training->system->conclude(training->self);
    status result = status_agree(context, results_sync(&training->results)); /* also: the folder is there */
    if (result == STATUS_OK) result = write_results(training);
    if (result == STATUS_OK) result = save(training); /* behind the results: a run that goes on from here does not have its last loop to record */
    if (result != STATUS_OK) return result;
    if (context->rank == 0) {
        checkpoint_keep_newest(training->results.directory);
        if (training->output->spikes == SPIKES_ALL) spool_clear(&training->results);
    }
    training->watch.can_finish = false;
    result = run_tests(training);
    if (result == STATUS_OK) result = status_agree(context, results_sync(&training->results));
    return result == STATUS_OK ? write_tests(training) : result;
}

/** With another number of loops than planned: a loop whose spikes and traces were not recorded cannot become the last one. */
static status check_planned(const training *training, int64_t loop) {
    int64_t planned = training->progress.loops;
    if (planned == training->loops || planned == loop || training->loops > loop) return STATUS_OK;
    return config_complain(training->config, "learning", "loops", "%lld, but %lld of %lld loops are done; give %lld, or at least %lld",
                           (long long)training->loops, (long long)loop, (long long)planned, (long long)planned, (long long)(loop + 1));
}

/** What the checkpoint holds. @return agreed and printed */
static status go_on(training *training, const resume_point *point) {
    const context *context = training->context;
    if (!point->checkpoint) {
        if (context->rank == 0) spool_clear(&training->results);
        log_line(context, "%s holds no checkpoint: starting with loop 1", training->results.directory);
        return STATUS_OK;
    }
    const run_subject subject = subject_of(training);
    status result = checkpoint_load(&subject, point->checkpoint, &training->progress);
    if (result == STATUS_OK) result = status_agree(context, check_planned(training, point->loop));
    int64_t ends = best_ends(&training->progress.best, training->system, training->loops, training->facts.tasks);
    training->loops = ends > point->loop ? ends : point->loop; /* which another test.stop_at may have reached earlier */
    if (result == STATUS_OK && training->output->spikes == SPIKES_ALL) result = spool_read(&training->results, &point->origin, &training->spikes);
    training->resumed_from = training->saved = point->loop;
    put_aside(training);
    if (result == STATUS_OK)
        log_line(context, "going on after loop %lld of %lld, from %s", (long long)point->loop, (long long)training->loops, point->checkpoint);
    return result;
}

static results_begin begin_of(const training *training, bool overwrite) {
    const test_settings *test = config_common(training->config, "test");
    return (results_begin){.system = training->system, .tests = test->every > 0 ? best_prefix(training->facts.validation > 0) : NULL,
                           .parameters = training->parameters, .overwrite = overwrite};
}

/** Before anything is built: can results go where they shall? The run to go on with is locked from here on. @return agreed and printed */
static status claim_directory(training *training, const run_options *options, resume_point *point) {
    const context *context = training->context;
    if (!options->resume) {
        char *directory = results_directory(training->config, options);
        status result = status_agree(context, results_check_directory(training->config, options->directory));
        if (result == STATUS_OK) result = results_check(context, directory, options->overwrite);
        if (result == STATUS_OK) result = inputs_spare(context, training->inputs, directory, NULL, 0);
        if (result == STATUS_OK) result = start_spare(context, training->config, directory);
        free(directory);
        return result;
    }
    status result = resume_compare(context, options->resume, training->config, point);
    if (result == STATUS_OK && point->origin.identity && *point->origin.identity) { /* as when the run began, whatever keys this version has */
        free(training->identity);
        training->identity = strdup(point->origin.identity);
    }
    if (result == STATUS_OK && point->origin.inputs) {
        char *inputs = inputs_as_begun(training->config, training->inputs, point->origin.inputs);
        free(training->inputs);
        training->inputs = inputs;
    }
    results_begin with = begin_of(training, false);
    return result == STATUS_OK ? results_reopen(context, strdup(options->resume), &with, point, &training->results) : result;
}

/** What is written from here on is of the network that was built. */
static void attach_results(training *training) {
    results *results = &training->results;
    results->context = training->context;
    results->self = training->self;
    results->facts = &training->facts;
    results->identity = training->identity;
}

/** New directory, or that of the run to go on with. @return agreed and printed */
static status open_run(training *training, const run_options *options, const resume_point *point) {
    const context *context = training->context;
    results_begin with = begin_of(training, options->overwrite);
    status result = STATUS_OK;
    if (!options->resume) result = results_open(context, results_directory(training->config, options), &with, &training->results);
    attach_results(training);
    if (options->resume) {
        training->results.started = clock_seconds();
        result = go_on(training, point);
        if (result == STATUS_OK) result = results_rewind(context, &training->results, training->parameters, point->loop);
    }
    const run_subject subject = subject_of(training);
    if (result == STATUS_OK) result = status_agree(context, context->rank == 0 ? results_write_tasks(&training->results, &subject) : STATUS_OK);
    return result == STATUS_OK ? inputs_keep(context, training->results.directory, training->config, training->inputs) : result;
}

/** A last word, and run.json. @return agreed and printed */
static status close_run(training *training, status code, const run_options *options) {
    const context *context = training->context;
    bool ended = code == STATUS_RESUMABLE || code == STATUS_OK;
    bool stop = context->rank == 0 && ended && watch_finds_stop(&training->watch); /* it is heeded even if a signal came first */
    bool good_enough = code == STATUS_OK && training->loops < training->progress.loops;
    const char *why = good_enough ? "test.stop_at" : code != STATUS_RESUMABLE ? "" : training->watch.why ? training->watch.why : "a signal to another rank";
    if (code == STATUS_RESUMABLE)
        log_line(context, "stopped by %s after loop %lld of %lld, saved after loop %lld; go on with: engram train --resume %s", why,
                 (long long)training->progress.loop, (long long)training->loops, (long long)training->saved, training->results.directory);
    const run_ending ending = {.options = options, .resumed_from = training->resumed_from, .loops = training->progress.loop, .code = code, .stopped_by = why,
                               .last = &training->last, .tests = training->tests, .timers = &training->timers, .best = &training->progress.best};
    status written = status_agree(context, results_write_run(&training->results, &ending));
    if (stop && written == STATUS_OK) watch_heeded(&training->watch);
    memory_report(context, "at end");
    if (code == STATUS_OK && written == STATUS_OK) log_line(context, "results are in %s", training->results.directory);
    return code == STATUS_OK ? written : code;
}

/** In a job of Slurm: its end is the limit, if none is nearer. A twentieth of what is left, a minute at most, is kept back for what comes after this
 *  program. */
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

/** Before the first checkpoint has been timed: seconds to keep back for one, of weights and what they are learned with at 100 MB/s. What is counted is what is
 *  held, as not all of it need be in the lists of state (learning_system.save). Collective. */
static double guess_saving(const context *context) {
    double bytes = (double)(memory_held(MEMORY_P) + memory_held(MEMORY_WEIGHTS));
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &bytes, 1, MPI_DOUBLE, MPI_SUM, context->comm));
    return bytes / 100e6;
}

/** A stop file that came while nobody was running, a job in the queue: to be heeded before any work is done. Collective. */
static bool begins_stopped(training *training) {
    int stop = training->context->rank == 0 && watch_finds_stop(&training->watch);
    CHECK_MPI(MPI_Bcast(&stop, 1, MPI_INT, 0, training->context->comm));
    return stop;
}

static status train(training *training, const run_options *options, const resume_point *point) {
    const guard_settings *guards = config_common(training->config, "guards");
    training->guard = guard_new(training->context, training->system, training->self, &training->facts, guards->max_rate);
    report_recorder_init(&training->report, training->system, training->self, &training->facts, training->output);
    status result = open_run(training, options, point);
    if (result != STATUS_OK) return result;
    log_warnings_release(training->context); /* nothing refuses the run any more */
    training->watch.stop_file = results_path(&training->results, "stop");
    training->watch.reserve = guess_saving(training->context);
    if (training->system->describe) training->system->describe(training->self, training->loops);
    memory_report(training->context, "at start");
    training->progress.loops = config_get_integer(training->config, "learning", "loops");
    result = begins_stopped(training) ? STATUS_RESUMABLE : run_loops(training);
    if (result == STATUS_OK) result = finish(training);
    return close_run(training, result, options);
}

static status build(training *training, build_purpose purpose) {
    const system_setting setting = {training->context, training->config, purpose, &training->timers};
    training->timers.wait_timed = training->output->timers == TIMERS_DETAILED;
    const status built = training->system->build(&setting, &training->facts, &training->self);
    training->progress.best.validates = training->facts.validation > 0;
    return built;
}

/** @return agreed and printed */
static status load_start(training *training) {
    const run_subject subject = subject_of(training);
    return start_load(&subject, training->config);
}

/** What the system takes from files is known from here on; those of a run that goes on are settled before, and what was found among them then.
 *  @return agreed and printed */
static status resolve(training *training, const run_options *options, resume_point *point) {
    const context *context = training->context;
    const learning_system *system = training->system;
    start_find(context, training->config);
    char *named = config_inputs(context, training->config);
    status result = options->resume ? resume_find(context, options->resume, training->config, named, point) : STATUS_OK;
    if (result == STATUS_OK) {
        result = system->resolve ? system->resolve(context, training->config) : STATUS_OK;
        training->inputs = config_inputs_again(context, training->config, named);
        const run_inputs of = {options->resume, named, point->inputs}; /* why a file cannot be used may be that it has come, or gone */
        if (options->resume) result = status_worse(result, inputs_settle_found(context, &of, training->config, training->inputs));
    }
    free(named);
    if (result != STATUS_OK) return result;
    report_settle(training->config, system);
    training->parameters = config_as_used(training->config);
    training->identity = config_identity(training->config, training->inputs, MAY_RESUME);
    return STATUS_OK;
}

status training_run(const context *context, config *config, const run_options *options) {
    training training = {.context = context, .config = config, .system = system_of(config), .results.metrics = -1, .output = config_common(config, "output"),
                         .checkpoint = config_common(config, "checkpoint"), .loops = config_get_integer(config, "learning", "loops")};
    training.progress.best = best_begin(config);
    resume_point point = {0};
    double hours = isnan(options->max_hours) ? training.checkpoint->max_hours : options->max_hours;
    watch_begin(&training.watch, hours * 3600);
    heed_slurm(context, &training.watch);
    status result = resolve(&training, options, &point);
    if (result == STATUS_OK) result = claim_directory(&training, options, &point);
    bool starts_from = start_is_given(config) && !point.checkpoint; /* a run that goes on has weights of its own */
    if (result == STATUS_OK && starts_from) result = start_check(context, config);
    if (result == STATUS_OK) result = run_prepare(context, config, training.system);
    if (result == STATUS_OK) result = build(&training, point.checkpoint || starts_from ? BUILD_RESUME : BUILD_TRAIN);
    if (result == STATUS_OK && starts_from) result = load_start(&training);
    if (result == STATUS_OK) result = train(&training, options, &point);
    resume_clear(&point);
    clear(&training);
    return result;
}

status training_check(const context *context, config *config) {
    training training = {.context = context, .config = config, .system = system_of(config), .output = config_common(config, "output")};
    bool starts_from = start_is_given(config);
    status result = training.system->resolve ? training.system->resolve(context, config) : STATUS_OK;
    if (result == STATUS_OK) result = status_agree(context, results_check_directory(config, NULL));
    start_find(context, config);
    if (result == STATUS_OK && starts_from) result = start_check(context, config);
    if (result == STATUS_OK) result = run_prepare(context, config, training.system);
    if (result == STATUS_OK) result = build(&training, BUILD_CHECK);
    if (result == STATUS_OK && starts_from) result = load_start(&training);
    if (result != STATUS_OK) {
        if (training.system->free) training.system->free(training.self);
        return result;
    }
    log_warnings_release(context);
    if (training.system->describe) training.system->describe(training.self, config_get_integer(config, "learning", "loops"));
    memory_report(context, "at start");
    char *configuration = config_as_used(config);
    log_line(context, "configuration as used:\n%s", configuration);
    free(configuration);
    if (training.system->free) training.system->free(training.self);
    return STATUS_OK;
}
