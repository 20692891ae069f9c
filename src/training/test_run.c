#include "engram/test_run.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint.h"
#include "engram/files.h"
#include "engram/memory.h"
#include "engram/schema.h"
#include "engram/version.h"
#include "inputs.h"
#include "results.h"
#include "resume.h"
#include "testing.h"

/** The job, divided. */
typedef struct {
    const context *world;
    const test_options *options;
    config *config;
    char *path, *json;     /* of the results, owned */
    char *checkpoint;      /* path, owned */
    checkpoint_origin origin;
    int trials, tasks;
    int size, groups;      /* ranks of a group; groups */
    bool idle;             /* this rank is in no group */
    context mine;          /* of this rank's group */
    MPI_Comm between;      /* ranks of equal place in all groups */
    simulation *sim;       /* NULL on idle ranks */
    int64_t loop;          /* that the weights are of */
    test_result *results;  /* [tasks] in the first group */
    double built, tested;  /* wall time, s */
} test_job;

/** All ranks agree on what the groups came to; the message is printed once. @param code of this rank or its group */
static status agree(const test_job *job, status code) {
    int mine = code, worst = 0;
    status_agree(job->world, status_held(code));
    CHECK_MPI(MPI_Allreduce(&mine, &worst, 1, MPI_INT, MPI_MAX, job->world->comm));
    return (status)worst;
}

/* ---- before anything is built ---- */

/** A test may change what is measured and the cue, and say where a file is now, but not what the network was trained with. */
static status check_overrides(const test_options *options, const config *given) {
    status result = STATUS_OK;
    char *changeable = config_changeable(given, MAY_TEST);
    for (int n = 0; n < options->override_count; n++)
        if (!config_may_change(given, options->overrides[n], MAY_TEST))
            result = status_fail(STATUS_INPUT, "-P %s: not in a test, which can change %s; the rest belongs to the training", options->overrides[n], changeable);
    free(changeable);
    return result;
}

static char *joined(const char *directory, const char *name) {
    char *path;
    if (asprintf(&path, "%s/%s", directory, name) < 0) context_abort("memory: no room for a path");
    return path;
}

/** Not what the training wrote: a test would take the weights that it is of. test.h5 may be either's. */
static status check_not_trained(const test_options *options, const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (strcmp(name, "test.h5") == 0 || strcmp(name, "test.json") == 0 || !results_own(options->directory, path)) return STATUS_OK;
    return status_fail(STATUS_INPUT, "-o %s: %s has the name or the place of a file of the training; give another name", options->output, path);
}

static status check_absent(const char *path, bool overwrite) {
    status possible = status_worse(file_check_name("-o", path), file_check_output(path));
    if (possible != STATUS_OK || !file_exists(path)) return possible;
    return overwrite ? STATUS_OK : status_fail(STATUS_INPUT, "%s is there already; give -o another file, or --overwrite", path);
}

/** Names of the results; on rank 0: can they be written? */
static status choose_files(test_job *job) {
    const test_options *options = job->options;
    job->path = options->output ? strdup(options->output) : joined(options->directory, "test.h5");
    size_t length = strlen(job->path);
    if (length < 4 || strcmp(job->path + length - 3, ".h5") != 0) return status_fail(STATUS_INPUT, "-o %s: the results are an HDF5 file; its name must end in .h5", job->path);
    if (asprintf(&job->json, "%.*s.json", (int)(length - 3), job->path) < 0) context_abort("memory: no room for a path");
    if (job->world->rank != 0) return STATUS_OK;
    status result = status_worse(check_not_trained(options, job->path), check_not_trained(options, job->json));
    if (result == STATUS_OK) result = status_worse(check_absent(job->path, options->overwrite), check_absent(job->json, options->overwrite));
    char *folder = strdup(job->path), *slash = strrchr(folder, '/');
    if (slash) slash[slash == folder] = '\0';
    if (result == STATUS_OK && access(slash ? folder : ".", W_OK | X_OK) != 0) result = status_fail(STATUS_INPUT, "%s: cannot be written: %s", job->path, strerror(errno));
    free(folder);
    return result;
}

/** Which checkpoint, and is it of the run as it was @p given? All ranks together. @return agreed and printed */
static status identify(test_job *job, config *given) {
    const context *world = job->world;
    const char *directory = job->options->directory;
    int64_t newest;
    status result = checkpoint_find(world, directory, &job->loop, &newest, &job->checkpoint);
    if (result == STATUS_OK && !job->checkpoint) result = status_agree(world, status_fail(STATUS_INPUT, "%s holds no checkpoint", directory));
    if (result == STATUS_OK) result = checkpoint_read_origin(world, job->checkpoint, &job->origin);
    if (result == STATUS_OK) result = run_compare(world, directory, job->checkpoint, &job->origin, given);
    if (result != STATUS_OK) return result;
    char *inputs = config_inputs(world, job->config);
    const char *const outputs[] = {job->path, job->json};
    result = inputs_spare(world, inputs, NULL, outputs, 2);
    if (result == STATUS_OK) result = inputs_settle(world, directory, job->config, inputs, job->origin.inputs);
    free(inputs);
    return result;
}

static status read_configuration(test_job *job) {
    const test_options *options = job->options;
    char *path = joined(options->directory, PARAMETERS_FILE);
    config *given = NULL;
    status result = STATUS_OK;
    if (job->world->rank == 0 && access(path, R_OK) != 0)
        result = status_fail(STATUS_INPUT, "%s: holds no run to test (%s: %s)", options->directory, path, strerror(errno));
    if (result == STATUS_OK) result = choose_files(job);
    result = status_agree(job->world, result);
    if (result == STATUS_OK) result = config_read(job->world, path, NULL, training_schema(), &given);
    if (result == STATUS_OK) result = status_agree(job->world, check_overrides(options, given));
    if (result == STATUS_OK) result = config_read(job->world, path, options->overrides, training_schema(), &job->config);
    if (result == STATUS_OK) result = identify(job, given);
    config_free(given);
    free(path);
    if (result == STATUS_OK) result = simulation_resolve(job->world, job->config);
    if (result != STATUS_OK) return result;
    output_settings *output = config_common(job->config, "output");
    if (options->trials) output->test_trials = options->trials;
    if (output->test_trials == 0) output->test_trials = TEST_TRIALS_DEFAULT;
    job->trials = (int)output->test_trials;
    return STATUS_OK;
}

/* ---- groups of ranks ---- */

int test_group_size(int ranks, int64_t trials, int64_t wanted, int *groups) {
    int64_t busy = trials < ranks ? trials : ranks;
    int size = wanted ? (int)wanted : ranks / (int)busy;
    *groups = ranks / size;
    return size;
}

static status divide(test_job *job) {
    const context *world = job->world;
    int64_t wanted = job->options->ranks_per_trial, trials = job->trials;
    if (wanted > world->ranks)
        return status_agree(world, status_fail(STATUS_INPUT, "--ranks-per-trial %lld: the job has %d rank%s", (long long)wanted, world->ranks, world->ranks > 1 ? "s" : ""));
    if (!wanted && trials < world->ranks) { /* only then does the number of tasks matter */
        context silent = *world; /* what there is to say is said when the network is built */
        silent.group = 1;
        int tasks;
        status counted = simulation_tasks(&silent, job->config, &tasks);
        if (counted != STATUS_OK) return counted;
        trials *= tasks;
    }
    job->size = test_group_size(world->ranks, trials, wanted, &job->groups);
    int group = world->rank / job->size, place = world->rank % job->size;
    job->idle = group >= job->groups;
    MPI_Comm comm;
    CHECK_MPI(MPI_Comm_split(world->comm, job->idle ? MPI_UNDEFINED : group, world->rank, &comm));
    CHECK_MPI(MPI_Comm_split(world->comm, job->idle ? MPI_UNDEFINED : place, world->rank, &job->between));
    if (job->idle) return STATUS_OK;
    job->mine = context_of(comm);
    job->mine.quiet = world->quiet;
    job->mine.groups = job->groups;
    job->mine.group = group;
    return STATUS_OK;
}

/* ---- the test ---- */

static void describe(const test_job *job) {
    const simulation *sim = job->sim;
    const perturbation *done = sim->perturbation;
    log_line(&job->mine, "testing %s: weights of loop %lld, %lld neurons, %d task%s, %d trial%s each, on %d group%s of %d rank%s%s", job->options->directory, (long long)job->loop,
             (long long)sim->part.total, job->tasks, job->tasks > 1 ? "s" : "", job->trials, job->trials > 1 ? "s" : "", job->groups, job->groups > 1 ? "s" : "", job->size,
             job->size > 1 ? "s" : "", job->groups * job->size < job->world->ranks ? "; the other ranks are idle" : "");
    if (done)
        log_line(&job->mine, "deleted: %lld neurons, %lld static and %lld plastic synapses; shuffled: %lld static and %lld plastic synapses; external noise %g", (long long)done->deleted_neurons, (long long)done->deleted_synapses[0],
                 (long long)done->deleted_synapses[1], (long long)done->shuffled_synapses[0], (long long)done->shuffled_synapses[1], done->settings.noise);
    if (!isnan(job->options->delete_spike)) log_line(&job->mine, "every trial is run again without the first spike at or after %g ms", job->options->delete_spike);
}

/** What a test asks of a run that this one does not have. Not agreed. */
static status check_perturbation(const test_job *job) {
    if (job->options->perturbation.delete_unit_synapses > 0 && !job->sim->targets.kind->pair)
        return status_fail(STATUS_INPUT, "--delete-unit-synapses: %s has no recorded units (targets.kind file or surrogate); --delete-synapses is for all neurons", job->options->directory);
    return STATUS_OK;
}

static status build(test_job *job) {
    double started = clock_seconds();
    status result = agree(job, job->idle ? STATUS_OK : simulation_build(&job->mine, job->config, BUILD_TEST, &job->sim));
    if (result == STATUS_OK) result = agree(job, job->idle ? STATUS_OK : check_perturbation(job));
    if (result != STATUS_OK) return result;
    result = agree(job, job->idle ? STATUS_OK : checkpoint_load_weights(job->checkpoint, job->sim));
    if (result != STATUS_OK || job->idle) return result;
    const perturbation_settings *perturbation = &job->options->perturbation;
    if (perturbation->delete_neurons > 0 || perturbation->delete_synapses > 0 || perturbation->delete_unit_synapses > 0 || perturbation->shuffle_synapses > 0 || perturbation->noise > 0)
        perturbation_apply(job->sim, perturbation);
    job->tasks = job->sim->targets.tasks;
    job->built = clock_seconds() - started;
    describe(job);
    return STATUS_OK;
}

static status run_trials(test_job *job) {
    double started = clock_seconds();
    const test_plan plan = {.trials = job->trials, .skip = (int)job->options->skip_trials, .groups = job->groups, .group = job->mine.group, .between = job->between, .delete_spike = job->options->delete_spike, .progress = true};
    status result = agree(job, job->idle ? STATUS_OK : testing_trials(job->sim, &plan, &job->results));
    job->tested = clock_seconds() - started;
    return result;
}

/** Trials of a task in which a column of the record is a number. */
static int defined(const test_result *test, int column) {
    int count = 0;
    for (int n = 0; n < test->trials; n++) count += !isnan(test->record[(int64_t)n * test->columns + column]);
    return count;
}

/** "3 of 10, mean 120 ms" */
static void describe_times(const test_result *test, int column, char *text, size_t size) {
    int count = defined(test, column), used = snprintf(text, size, "%d of %d", count, test->trials);
    if (count) snprintf(text + used, size - (size_t)used, ", mean %.4g ms", testing_mean(test, column, NULL));
}

static void show_deletions(const test_job *job) {
    log_line(&job->mine, "without one spike (times from the deletion on):\ntask  corr   agreement  largest RMS difference  %-24s  %-24s  %-24s", "diverged", "reconverged",
             "spikes differ");
    for (int task = 0; task < job->tasks; task++) {
        const test_result *test = &job->results[task];
        double largest = 0;
        for (int s = 0; s < test->samples; s++) largest = fmax(largest, testing_mean(test, RECORD_SERIES + s, NULL));
        char times[3][64];
        for (int k = 0; k < 3; k++) describe_times(test, RECORD_DIVERGED + k, times[k], sizeof times[k]);
        log_line(&job->mine, "%4d  %5.3f  %9.3f  %22.4g  %-24s  %-24s  %-24s", task, testing_mean(test, RECORD_CUT_SCORE, NULL), testing_mean(test, RECORD_AGREEMENT, NULL), largest,
                 times[0], times[1], times[2]);
    }
}

static void show_results(const test_job *job) {
    const simulation *sim = job->sim;
    bool rates = job->results[0].rate_fit != NULL;
    const char *const over[SCORES] = {sim->targets.units ? "recorded units" : "trained neurons", "auxiliary targets"};
    log_line(&job->mine, "%d trials in %.2f s\ntask  trials  rate Hz  trial-averaged corr  single trials    %sover", job->tasks * job->trials, job->tested, rates ? "PSTH and rate  " : "");
    for (int row = 0; row < SCORES * job->tasks; row++) {
        const test_result *test = &job->results[row / SCORES];
        int kind = row % SCORES;
        char spread[32] = "", fit[32] = "";
        if (kind == SCORE_AUXILIARY && !sim->scored[kind]) continue;
        if (!isnan(test->sd_single_score[kind])) snprintf(spread, sizeof spread, " +- %.3f", test->sd_single_score[kind]);
        if (rates) snprintf(fit, sizeof fit, "%13.3f  ", test->rate_score[kind]);
        log_line(&job->mine, "%4d  %6d  %7.3f  %19.3f  %6.3f%-11s%s%lld %s", row / SCORES, test->trials, test->rate_hz, test->average_score[kind], test->mean_single_score[kind], spread, fit,
                 (long long)sim->scored[kind], over[kind]);
    }
    if (!isnan(job->options->delete_spike)) show_deletions(job);
}

static void print_key(FILE *file, const char *indent, const char *key, double value, const char *end) {
    fprintf(file, "%s\"%s\": ", indent, key);
    json_print_number(file, value);
    fputs(end, file);
}

static void print_task(FILE *file, const simulation *sim, int task, const test_result *test, bool last) {
    fprintf(file, "    {\"task\": %d, ", task);
    if (sim->targets.condition_name) {
        fputs("\"condition\": ", file);
        json_print_text(file, sim->targets.condition_name[task]);
        fputs(", ", file);
    }
    print_key(file, "", "rate_hz", test->rate_hz, "");
    json_print_scores(file, sim, test);
    if (test->samples) {
        print_key(file, ", ", "correlation_without_spike", testing_mean(test, RECORD_CUT_SCORE, NULL), "");
        print_key(file, ", ", "agreement", testing_mean(test, RECORD_AGREEMENT, NULL), "");
        fprintf(file, ", \"diverged_trials\": %d, \"reconverged_trials\": %d", defined(test, RECORD_DIVERGED), defined(test, RECORD_RECONVERGED));
        print_key(file, ", ", "diverged_ms", testing_mean(test, RECORD_DIVERGED, NULL), "");
        print_key(file, ", ", "reconverged_ms", testing_mean(test, RECORD_RECONVERGED, NULL), "");
        print_key(file, ", ", "spikes_differ_ms", testing_mean(test, RECORD_SPIKES_DIFFER, NULL), "");
    }
    fprintf(file, "}%s\n", last ? "" : ",");
}

static void print_summary(FILE *file, const test_job *job) {
    static const perturbation none = {0};
    const perturbation *done = job->sim->perturbation ? job->sim->perturbation : &none;
    fputs("{\n  \"directory\": ", file);
    json_print_text(file, job->options->directory);
    fprintf(file, ",\n  \"loop\": %lld,\n  \"trials\": %d,\n  \"skipped_trials\": %lld,\n  \"ranks\": %d,\n  \"groups\": %d,\n  \"ranks_per_trial\": %d,\n", (long long)job->loop, job->trials,
            (long long)job->options->skip_trials, job->world->ranks, job->groups,
            job->size);
    fprintf(file, "  \"deleted_neurons\": %lld,\n  \"deleted_static_synapses\": %lld,\n  \"deleted_plastic_synapses\": %lld,\n", (long long)done->deleted_neurons,
            (long long)done->deleted_synapses[0], (long long)done->deleted_synapses[1]);
    fprintf(file, "  \"shuffled_static_synapses\": %lld,\n  \"shuffled_plastic_synapses\": %lld,\n", (long long)done->shuffled_synapses[0], (long long)done->shuffled_synapses[1]);
    print_key(file, "  ", "noise", done->settings.noise, ",\n");
    print_key(file, "  ", "delete_spike_ms", job->options->delete_spike, ",\n");
    print_key(file, "  ", "build_seconds", job->built, ",\n");
    print_key(file, "  ", "trial_seconds", job->tested, ",\n");
    fprintf(file, "  \"scored\": {\"%s\": %lld, \"auxiliary\": %lld},\n", job->sim->targets.units ? "recorded" : "trained", (long long)job->sim->scored[SCORE_GIVEN],
            (long long)job->sim->scored[SCORE_AUXILIARY]);
    fputs("  \"tasks\": [\n", file);
    for (int task = 0; task < job->tasks; task++) print_task(file, job->sim, task, &job->results[task], task + 1 == job->tasks);
    const char *texts[][2] = {{"identity", job->origin.identity}, {"revision", version_revision}, {"instructions", version_instructions()}};
    fputs("  ]", file);
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
        fprintf(file, ",\n  \"%s\": ", texts[k][0]);
        json_print_text(file, texts[k][1]);
    }
    fputs("\n}\n", file);
}

/** On rank 0. */
static status write_summary(const test_job *job) {
    FILE *file = file_begin(job->json, 0666);
    if (file) print_summary(file, job);
    int error = file ? file_end(file, job->json) : errno;
    return error ? status_fail(STATUS_FAILURE, "%s: %s", job->json, file_why(error)) : STATUS_OK;
}

static status write_results(const test_job *job) {
    status written = STATUS_OK;
    if (job->results) { /* in the first group */
        char *configuration = config_as_used(job->config);
        written = results_write_test(job->sim, job->path, configuration, job->loop, job->results);
        free(configuration);
        if (written == STATUS_OK && job->world->rank == 0) written = write_summary(job);
    }
    written = agree(job, written);
    if (written == STATUS_OK) log_line(job->world, "results are in %s", job->path);
    return written;
}

static void clear(test_job *job) {
    testing_free(job->results, job->tasks);
    simulation_free(job->sim);
    if (job->between != MPI_COMM_NULL) MPI_Comm_free(&job->between);
    if (job->mine.comm != MPI_COMM_NULL) MPI_Comm_free(&job->mine.comm);
    if (job->config) {
        network_forget(job->config);
        config_free(job->config);
    }
    free(job->path);
    free(job->json);
    free(job->checkpoint);
    checkpoint_forget(&job->origin);
}

status test_run(const context *context, const test_options *options) {
    test_job job = {.world = context, .options = options, .between = MPI_COMM_NULL, .mine.comm = MPI_COMM_NULL};
    status result = read_configuration(&job);
    if (result == STATUS_OK) result = divide(&job);
    if (result == STATUS_OK) result = build(&job);
    if (result == STATUS_OK) result = run_trials(&job);
    if (result == STATUS_OK && job.results) show_results(&job);
    if (result == STATUS_OK) result = write_results(&job);
    clear(&job);
    return result;
}
