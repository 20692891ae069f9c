#include "command.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "command_help.h"
#include "command_options.h"
#include "command_plan.h"
#include "command_test.h"
#include "engram/schema.h"
#include "engram/clock.h"
#include "engram/system.h"
#include "engram/training.h"
#include "engram/version.h"

/** The command line, taken apart. */
typedef struct {
    const char *command, *argument;
    const char **overrides; /* owned */
    int override_count;
    run_options run;
} command_line;

static status complain(const char *before, const char *what, const char *after) {
    return status_fail(STATUS_INPUT, "%s%s%s (engram --help shows the usage)", before, what, after);
}

static const valued_option valued_options[] = {
    {"-o", "a directory", 0, 0, false, false, offsetof(run_options, directory)},
    {"--resume", "the directory of a run", 0, 0, false, false, offsetof(run_options, resume)},
    {"--max-hours", "a number of hours above 0 and below 1e6", 1e-9, 1e6, true, false, offsetof(run_options, max_hours)},
};

static status read_option(int argc, char **argv, int *at, void *into) {
    command_line *line = into;
    const char *word = argv[*at];
    const valued_option *option = option_find(valued_options, sizeof valued_options / sizeof *valued_options, word);
    if (option) return option_set(option, option_value(argc, argv, at, strlen(option->name)), &line->run);
    if (strncmp(word, "-P", 2) == 0) return option_override(argc, argv, at, line->overrides, &line->override_count);
    if (strcmp(word, "--overwrite") == 0)
        line->run.overwrite = true;
    else if (strcmp(word, "--quiet") != 0 && strcmp(word, "-q") != 0)
        return complain("unknown option '", word, "'; allowed are -o, -P, --overwrite, --resume, --max-hours, --quiet");
    return STATUS_OK;
}

static status parse(command_line *line, int argc, char **argv) {
    const char *word[2];
    line->overrides = calloc((size_t)argc + 1, sizeof *line->overrides);
    if (!line->overrides) context_abort("memory: no room for the command line");
    line->run = (run_options){.argument_count = argc, .arguments = argv, .max_hours = NAN};
    status result = command_words(argc, argv, read_option, line, word);
    line->command = word[0], line->argument = word[1];
    return result;
}

static void print_version(const context *context) {
    const char *libraries[][3] = {
        {"MPI", version_mpi(), "MPI_Init"}, {"HDF5", version_hdf5(), "H5Fcreate"}, {"BLAS", version_blas(), "dgemm_"}, {"ScaLAPACK", "", "Cpdgemr2d"}};
    log_line(context, "engram %s, revision %s\ncompiler  %s, %s\nmade for  %s\nlibc      %s", version_number, version_revision, version_compiler, version_flags,
             version_instructions(), version_libc());
    for (size_t k = 0; k < sizeof libraries / sizeof *libraries; k++)
        log_line(context, "%-9s %s%s%s", libraries[k][0], libraries[k][1], *libraries[k][1] ? ", " : "", version_file(libraries[k][2]));
}

static bool has(int argc, char **argv, const char *a, const char *b) {
    for (int at = 1; at < argc; at++)
        if (strcmp(argv[at], a) == 0 || strcmp(argv[at], b) == 0) return true;
    return false;
}

/** The command: the first word that is no option. "" if there is none. */
static const char *command_of(int argc, char **argv) {
    for (int at = 1; at < argc; at++)
        if (argv[at][0] != '-') return argv[at];
    return "";
}

/** The text of a command, or that of all where there is none of that name. */
static void print_help(const context *context, const char *command) {
    const help_text *found = NULL;
    for (const help_text *text = help_texts; text->name; text++)
        if (strcmp(text->name, command) == 0 || (!found && strcmp(text->name, "engram") == 0)) found = text;
    for (const char *const *line = found->lines; *line; line++) log_line(context, "%s", *line);
}

/** Which file, and whether there is something to resume. @param[out] path owned by the caller, free() @return agreed and printed */
static status choose_run(const context *context, command_line *line, char **path) {
    const char *directory = line->run.resume;
    status result = STATUS_OK;
    *path = line->argument ? strdup(line->argument) : NULL;
    if (strcmp(line->command, "train") != 0 && (directory || line->run.directory || line->run.overwrite || !isnan(line->run.max_hours)))
        result = complain("engram ", line->command, " takes no -o, --overwrite, --resume or --max-hours");
    else if (directory && (line->run.directory || line->run.overwrite))
        result = complain("--resume goes on in the run's own directory: without ", line->run.directory ? "-o" : "--overwrite", "");
    else if (!directory && !line->argument)
        result = complain("engram ", line->command, " needs a parameter file");
    if (result != STATUS_OK || !directory) return status_agree(context, result);
    bool there = results_hold_run(context, directory);
    if (!there && line->argument) { /* nothing to resume yet: the first of several jobs with the same command line */
        line->run.directory = directory;
        line->run.resume = NULL;
    } else if (!there) {
        result = status_fail(STATUS_INPUT, "%s holds no run to go on with (no %s); give a parameter file to start one there", directory, PARAMETERS_FILE);
    } else if (!line->argument && asprintf(path, "%s/%s", directory, PARAMETERS_FILE) < 0) {
        context_abort("memory: no room for a path");
    }
    return status_agree(context, result);
}

static status run_configured(const context *context, command_line *line) {
    config *config;
    char *path;
    status result = choose_run(context, line, &path);
    if (result == STATUS_OK) result = config_read(context, path, line->overrides, training_schema(), &config);
    free(path);
    if (result != STATUS_OK) return result;
    const learning_system *system = system_of(config);
    result = strcmp(line->command, "train") == 0 ? training_run(context, config, &line->run) : training_check(context, config);
    if (system->forget) system->forget(config);
    config_free(config);
    return result;
}

/** @param name NULL: everything */
static status list(const char *name) {
    status listed = config_list(training_schema(), name, stdout);
    if (listed == STATUS_OK && name) metrics_list(name, stdout);
    return listed;
}

static const char *const commands[] = {"train", "test", "check", "plan", "calibrate", "status", "watch", "list"};

static status unknown_command(const char *command) {
    const char *near = config_nearest(command, commands, sizeof commands / sizeof *commands);
    return status_fail(STATUS_INPUT, "unknown command '%.100s'%s%s%s; allowed are train, test, check, plan, calibrate, status, watch and list", command,
                       near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}

static status dispatch(const context *context, command_line *line) {
    if (!line->command) return status_agree(context, complain("what is to be done? train, test, check, plan, calibrate, status, watch or list", "", ""));
    if (strcmp(line->command, "list") == 0) return status_agree(context, context->rank == 0 ? list(line->argument) : STATUS_OK);
    if (strcmp(line->command, "train") != 0 && strcmp(line->command, "check") != 0) return status_agree(context, unknown_command(line->command));
    return run_configured(context, line);
}

bool command_is(const char *command, int argc, char **argv) {
    return strcmp(command_of(argc, argv), command) == 0 && !has(argc, argv, "--help", "-h") && !has(argc, argv, "--version", "-V");
}

/** The launcher of another MPI starts ranks each of which takes itself for the only one: they would all train, into one folder. */
static status launched_by_ours(const context *context) {
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE"};
    const char *many = NULL;
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        const char *said = getenv(names[k]);
        if (said && atol(said) == context->ranks) return STATUS_OK; /* what others say is inherited from around it */
        if (said && atol(said) > 1) many = names[k];
    }
    if (!many || context->ranks > 1) return STATUS_OK;
    return status_fail(STATUS_INPUT,
                       "started as one of %s ranks (%s), but its MPI, %s, knows of no other: this launcher belongs to another MPI, take the one with which "
                       "engram was built (engram --version)",
                       getenv(many), many, version_mpi());
}

/** Those that read a parameter file, or a run's. */
static status run_command(const context *context, int argc, char **argv) {
    const char *command = command_of(argc, argv);
    if (strcmp(command, "test") == 0) return command_test(context, argc, argv);
    if (strcmp(command, "plan") == 0) return command_plan(context, argc, argv);
    command_line line = {0};
    status result = status_agree(context, parse(&line, argc, argv));
    if (result == STATUS_OK) result = dispatch(context, &line);
    free(line.overrides);
    return result;
}

/** `engram help COMMAND` is `engram COMMAND --help`; options are what they are elsewhere: `engram help --help` is `engram --help`. */
static status help(const context *context, int argc, char **argv) {
    const char *after = argc > 2 && argv[2][0] != '-' ? argv[2] : "";
    bool found = !*after;
    if (argc > 3 && argv[3][0] != '-') return status_agree(context, complain("engram help tells of one command; '", argv[3], "' is one argument too many"));
    for (size_t k = 0; k < sizeof commands / sizeof *commands; k++) found = found || strcmp(after, commands[k]) == 0;
    if (!found) return status_agree(context, unknown_command(after));
    print_help(context, after);
    return STATUS_OK;
}

int command_run(context *context, int argc, char **argv) {
    version_blas_one_thread();
    if (argc > 1 && strcmp(argv[1], "help") == 0) return help(context, argc, argv);
    if (has(argc, argv, "--help", "-h")) {
        print_help(context, command_of(argc, argv));
        return STATUS_OK;
    }
    if (has(argc, argv, "--version", "-V")) {
        print_version(context);
        return STATUS_OK;
    }
    context->quiet = has(argc, argv, "--quiet", "-q");
    status result = status_agree(context, launched_by_ours(context));
    if (result != STATUS_OK) return result;
    if (strcmp(command_of(argc, argv), "calibrate") == 0) return command_calibrate(context, argc, argv);
    log_warnings warnings = {.wait = true}; /* until nothing refuses the run any more */
    context->warnings = &warnings;
    result = run_command(context, argc, argv);
    log_warnings_release(context);
    context->warnings = NULL;
    return result;
}
