#include "engram/test_run.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint.h"
#include "engram/clock.h"
#include "engram/files.h"
#include "engram/groups.h"
#include "engram/memory.h"
#include "engram/schema.h"
#include "engram/test_settings.h"
#include "engram/version.h"
#include "inputs.h"
#include "prepare.h"
#include "results.h"
#include "run_json.h"
#include "resume.h"
#include "start.h"
#include "task_names.h"
#include "testing.h"

/** The job, divided. */
typedef struct {
    const context *world;
    const test_options *options;
    config *config;
    char *path, *json;     /* of the results, owned */
    char *checkpoint;      /* path, owned */
    checkpoint_origin origin;
    char *inputs;          /* config_inputs() before the network was prepared, owned */
    int64_t trials;        /* of each task */
    int tasks;
    rank_groups groups;    /* that the trials are spread over */
    const learning_system *system;
    system_facts facts;
    timers timers;
    void *self;            /* the system's; NULL on idle ranks */
    int64_t loop;          /* that the weights are of */
    testing *results;      /* NULL on idle ranks */
    double built, tested;  /* wall time, s */
} test_job;

static status agree(const test_job *job, status code) {
    return groups_agree(job->world, code);
}

/* ---- before anything is built ---- */

/** A test may change what is measured, the cue, images and samples, and say where a file is now, but not what the network was trained with. */
static status check_overrides(const test_options *options, const config *given) {
    status result = STATUS_OK;
    char *changeable = config_changeable(given, MAY_TEST);
    for (int n = 0; n < options->override_count; n++)
        if (!config_may_change(given, options->overrides[n], MAY_TEST))
            result = status_fail(STATUS_INPUT, "-P %s: not in a test, which can change %s; the rest belongs to the training", options->overrides[n],
                                 changeable);
    free(changeable);
    return result;
}

static char *joined(const char *directory, const char *name) {
    char *path;
    if (asprintf(&path, "%s/%s", directory, name) < 0) context_abort("memory: no room for a path");
    return path;
}

/** Not what a training wrote, this one or another: a test would take the weights that it is of. test.h5 may be either's, and says whose it is;
 *  of one that does not, by a program of before, a test.json does. */
static status check_not_trained(const char *path, test_origin there) {
    static const char stays[] = "and stays; give -o another file, or move it away first";
    if (there == TEST_TRAINED) return status_fail(STATUS_INPUT, "%s: is what the training wrote (test.trials), %s", path, stays);
    char *owner = results_owner(path);
    if (!owner) return STATUS_OK;
    char *h5 = joined(owner, "test.h5"), *json = joined(owner, "test.json");
    const bool is_h5 = file_same_name(path, h5), may_test = is_h5 || file_same_name(path, json);
    status result = STATUS_OK;
    if (!may_test)
        result = status_fail(STATUS_INPUT, "-o %s: has the name or the place of a file of the training in %s; give another name", path, owner);
    else if (is_h5 && there == TEST_UNKNOWN && !file_exists(json))
        result = status_fail(STATUS_INPUT, "%s: is what the training wrote (test.trials; no test.json of engram test is beside it), %s", path, stays);
    free(owner);
    free(h5);
    free(json);
    return result;
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
    if (length < 4 || strcmp(job->path + length - 3, ".h5") != 0)
        return status_fail(STATUS_INPUT, "-o %s: the results are an HDF5 file; its name must end in .h5", job->path);
    if (asprintf(&job->json, "%.*s.json", (int)(length - 3), job->path) < 0) context_abort("memory: no room for a path");
    if (job->world->rank != 0) return STATUS_OK;
    const test_origin there = testing_look(job->path, job->json);
    status result = status_worse(check_not_trained(job->path, there), check_not_trained(job->json, TEST_NONE));
    if (result == STATUS_OK && there == TEST_CUT && !options->overwrite)
        return status_fail(STATUS_INPUT, "%s: is of an engram test that ended before it wrote %s; give --overwrite to test anew, or -o another file",
                           job->path, job->json);
    if (result == STATUS_OK) result = status_worse(check_absent(job->path, options->overwrite), check_absent(job->json, options->overwrite));
    char *folder = strdup(job->path), *slash = strrchr(folder, '/');
    if (slash) slash[slash == folder] = '\0';
    if (result == STATUS_OK && access(slash ? folder : ".", W_OK | X_OK) != 0)
        result = status_fail(STATUS_INPUT, "%s: cannot be written: %s", job->path, strerror(errno));
    free(folder);
    return result;
}

/** Which checkpoint, and is it of the run as it was @p given? All ranks together. @return agreed and printed */
static status identify(test_job *job, config *given) {
    const context *world = job->world;
    const char *directory = job->options->directory;
    int64_t newest;
    bool best = job->options->best;
    status result = best ? checkpoint_find_best(world, directory, &job->loop, &job->checkpoint)
                         : checkpoint_find(world, directory, &job->loop, &newest, &job->checkpoint);
    if (result == STATUS_OK && !job->checkpoint)
        result = status_agree(world, status_fail(STATUS_INPUT, "%s holds no checkpoint%s", directory, best ? " of a best test (checkpoint.keep_best)" : ""));
    if (result == STATUS_OK) result = checkpoint_read_origin(world, job->checkpoint, &job->origin);
    if (result == STATUS_OK) result = run_compare(world, directory, job->checkpoint, &job->origin, given);
    if (result != STATUS_OK) return result;
    start_find(world, job->config);
    job->inputs = config_inputs(world, job->config);
    const char *const outputs[] = {job->path, job->json};
    result = inputs_spare(world, job->inputs, NULL, outputs, 2);
    const run_inputs of = {directory, job->inputs, job->origin.inputs, .test = true};
    return result == STATUS_OK ? inputs_settle(world, &of, job->config) : result;
}

/** What the system takes from files, and what was found among them. @return agreed and printed */
static status resolve(test_job *job) {
    status result = job->system->resolve ? job->system->resolve(job->world, job->config) : STATUS_OK;
    char *now = config_inputs_again(job->world, job->config, job->inputs);
    const run_inputs of = {job->options->directory, job->inputs, job->origin.inputs, .test = true};
    result = status_worse(result, inputs_settle_found(job->world, &of, job->config, now));
    free(now);
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
    if (result == STATUS_OK) result = config_read_run(job->world, path, options->overrides, training_schema(), &job->config);
    if (result == STATUS_OK) result = identify(job, given);
    config_free(given);
    free(path);
    if (result == STATUS_OK) job->system = system_of(job->config);
    if (result == STATUS_OK && !job->system->test_trial)
        result = status_agree(job->world, status_fail(STATUS_INPUT, "%s: the system %s has no tests", options->directory, job->system->name));
    if (result == STATUS_OK) result = resolve(job);
    if (result == STATUS_OK) result = run_prepare(job->world, job->config, job->system);
    if (result != STATUS_OK) return result;
    test_settings *settings = config_common(job->config, "test");
    if (options->trials) settings->trials = options->trials;
    if (settings->trials == 0) settings->trials = TEST_TRIALS_DEFAULT;
    job->trials = settings->trials;
    return STATUS_OK;
}

/* ---- groups of ranks ---- */

static status divide(test_job *job) {
    const context *world = job->world;
    int64_t wanted = job->options->ranks_per_trial, trials = job->trials;
    if (wanted > world->ranks)
        return status_agree(
            world, status_fail(STATUS_INPUT, "--ranks-per-trial %lld: the job has %d rank%s", (long long)wanted, world->ranks, world->ranks > 1 ? "s" : ""));
    if (!wanted && trials < world->ranks) { /* only then does the number of tasks matter */
        context silent = *world; /* what there is to say is said when the network is built */
        silent.group = 1;
        int tasks = 1;
        status counted = job->system->tasks ? job->system->tasks(&silent, job->config, &tasks) : STATUS_OK;
        if (counted != STATUS_OK) return counted;
        trials *= tasks;
    }
    int groups, size = groups_size(world->ranks, trials, wanted, &groups);
    groups_open(world, size, groups, &job->groups);
    return STATUS_OK;
}

/* ---- the test ---- */

static void describe(const test_job *job) {
    log_line(&job->groups.mine, "testing %s: weights of loop %lld, %lld neurons, %d task%s, %lld trial%s each, on %d group%s of %d rank%s%s",
             job->options->directory, (long long)job->loop, (long long)job->facts.part.total, job->tasks, job->tasks > 1 ? "s" : "", (long long)job->trials,
             job->trials > 1 ? "s" : "", job->groups.groups, job->groups.groups > 1 ? "s" : "", job->groups.size, job->groups.size > 1 ? "s" : "",
             job->groups.groups * job->groups.size < job->world->ranks ? "; the other ranks are idle" : "");
    if (!isnan(job->options->delete_spike))
        log_line(&job->groups.mine, "every trial is run again without the first spike at or after %g ms", job->options->delete_spike);
}

static status build_mine(test_job *job) {
    const system_setting setting = {&job->groups.mine, job->config, BUILD_TEST, &job->timers};
    return job->system->build(&setting, &job->facts, &job->self);
}

static status perturb(test_job *job) {
    const perturbation_settings *settings = &job->options->perturbation;
    const char *beyond = perturbation_beyond(settings, false), *asked = beyond ? beyond : settings->delete_neurons > 0 ? "--delete-neurons" : NULL;
    if (!asked) return STATUS_OK;
    if (job->system->perturb) return job->system->perturb(job->self, settings);
    return status_fail(STATUS_INPUT, "%s: %s: the system %s cannot be perturbed in a test", job->options->directory, asked, job->system->name);
}

static run_subject subject_of(const test_job *job) {
    return (run_subject){&job->groups.mine, job->system, job->self, &job->facts};
}

static status load_weights(const test_job *job) {
    const run_subject subject = subject_of(job);
    return checkpoint_load_weights(&subject, job->checkpoint);
}

static status build(test_job *job) {
    double started = clock_seconds();
    status result = agree(job, job->groups.idle ? STATUS_OK : build_mine(job));
    if (result == STATUS_OK) result = agree(job, job->groups.idle ? STATUS_OK : load_weights(job));
    if (result == STATUS_OK && !job->groups.idle) {
        job->tasks = job->facts.tasks;
        describe(job);
    }
    if (result == STATUS_OK) result = agree(job, job->groups.idle ? STATUS_OK : perturb(job));
    job->built = clock_seconds() - started;
    return result;
}

static status run_mine(test_job *job) {
    const test_options *options = job->options;
    const test_settings *settings = config_common(job->config, "test");
    const run_subject subject = subject_of(job);
    const test_plan plan = {
        .setting = {.trials = job->trials, .skip = options->skip_trials, .psth_bin = settings->psth_bin, .delete_spike = options->delete_spike},
        .groups = job->groups.groups,
        .group = job->groups.mine.group,
        .between = job->groups.between,
        .progress = true,
        .spikes = options->spikes && strcmp(options->spikes, "all") == 0};
    return testing_run(&subject, &plan, &job->results);
}

static status run_trials(test_job *job) {
    double started = clock_seconds();
    status result = agree(job, job->groups.idle ? STATUS_OK : run_mine(job));
    job->tested = clock_seconds() - started;
    return result;
}

/** Characters of a name in UTF-8; 0 for NULL. */
static int columns_of(const char *name) {
    int count = 0;
    for (; name && *name; name++) count += (*name & 0xC0) != 0x80;
    return count;
}

/** A table: a line a task, a column a figure. */
static void show_results(const test_job *job) {
    enum { WIDTH = 10, LINE_BYTES = 1024 };
    char line[LINE_BYTES];
    log_line(&job->groups.mine, "%lld trials in %.2f s", (long long)(job->tasks * job->trials), job->tested);
    const figure_list *first = testing_figures(job->results, 0);
    const run_subject subject = subject_of(job);
    int wide = 4;
    for (int task = 0; task < job->tasks; task++) wide = columns_of(task_name(&subject, task)) > wide ? columns_of(task_name(&subject, task)) : wide;
    int at = snprintf(line, sizeof line, "%*s  trials", -wide, "task");
    for (int f = 0; f < first->count && at < LINE_BYTES; f++) at += snprintf(line + at, sizeof line - (size_t)at, "  %*s", WIDTH, first->entry[f].name);
    log_line(&job->groups.mine, "%s", line);
    for (int task = 0; task < job->tasks; task++) {
        const figure_list *figures = testing_figures(job->results, task);
        const char *name = task_name(&subject, task);
        at = name ? snprintf(line, sizeof line, "%s%*s  %6lld", name, wide - columns_of(name), "", (long long)job->trials)
                  : snprintf(line, sizeof line, "%*d  %6lld", wide, task, (long long)job->trials);
        for (int f = 0; f < figures->count && at < LINE_BYTES; f++) {
            const figure *figure = &figures->entry[f];
            int width = (int)strlen(figure->name) > WIDTH ? (int)strlen(figure->name) : WIDTH;
            at += snprintf(line + at, sizeof line - (size_t)at, "  %*.*f", width, figure->whole ? 0 : 3, figure->value);
        }
        log_line(&job->groups.mine, "%s", line);
    }
    if (job->system->test_describe) job->system->test_describe(job->self);
}

static void print_key(FILE *file, const char *indent, const char *key, double value, const char *end) {
    fprintf(file, "%s\"%s\": ", indent, key);
    json_print_number(file, value);
    fputs(end, file);
}

static void print_task(FILE *file, const test_job *job, int task) {
    const run_subject subject = subject_of(job);
    fprintf(file, "    {\"task\": %d, ", task);
    task_print_name(file, &subject, task);
    json_print_figures(file, testing_figures(job->results, task), 0, ", ");
    fprintf(file, "}%s\n", task + 1 == job->tasks ? "" : ",");
}

static void print_summary(FILE *file, const test_job *job) {
    figure_list conditions = {0};
    if (job->system->test_figures) job->system->test_figures(job->self, &conditions);
    fputs("{\n  \"directory\": ", file);
    json_print_text(file, job->options->directory);
    fprintf(file, ",\n  \"loop\": %lld,\n  \"trials\": %lld,\n  \"skipped_trials\": %lld,\n  \"ranks\": %d,\n  \"groups\": %d,\n  \"ranks_per_trial\": %d,\n",
            (long long)job->loop, (long long)job->trials, (long long)job->options->skip_trials, job->world->ranks, job->groups.groups, job->groups.size);
    fputs("  ", file);
    json_print_figures(file, &conditions, 0, ",\n  ");
    fputs(conditions.count ? ",\n" : "", file);
    print_key(file, "  ", "delete_spike_ms", job->options->delete_spike, ",\n");
    print_key(file, "  ", "build_seconds", job->built, ",\n");
    print_key(file, "  ", "trial_seconds", job->tested, ",\n");
    fputs("  \"tasks\": [\n", file);
    for (int task = 0; task < job->tasks; task++) print_task(file, job, task);
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
    if (job->results && job->groups.mine.group == 0) {
        char *configuration = config_as_used(job->config);
        written = testing_write(job->results, &(test_file){job->path, job->json, configuration, job->loop, .trained = false});
        free(configuration);
        if (written == STATUS_OK && job->world->rank == 0) written = write_summary(job);
    }
    written = agree(job, written);
    if (written == STATUS_OK) log_line(job->world, "results are in %s", job->path);
    return written;
}

static void clear(test_job *job) {
    testing_free(job->results);
    if (job->self && job->system->free) job->system->free(job->self);
    groups_close(&job->groups);
    if (job->config) {
        if (job->system && job->system->forget) job->system->forget(job->config);
        config_free(job->config);
    }
    free(job->path);
    free(job->json);
    free(job->checkpoint);
    free(job->inputs);
    checkpoint_forget(&job->origin);
}

status test_run(const context *context, const test_options *options) {
    test_job job = {.world = context, .options = options, .groups = groups_none};
    status result = read_configuration(&job);
    if (result == STATUS_OK) result = divide(&job);
    if (result == STATUS_OK) result = build(&job);
    if (result == STATUS_OK) log_warnings_release(context);
    if (result == STATUS_OK) result = run_trials(&job);
    if (result == STATUS_OK && job.results && job.groups.mine.group == 0) show_results(&job);
    if (result == STATUS_OK) result = write_results(&job);
    clear(&job);
    return result;
}
