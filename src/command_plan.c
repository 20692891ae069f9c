#include "command_plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "command_options.h"
#include "engram/plan_run.h"

static const valued_option plan_valued[] = {
    {"-o", "the directory of the planned run", 0, 0, false, false, offsetof(plan_options, directory)},
    {"--ranks-per-node", "a whole number from 1 to 4096", 1, 4096, false, true, offsetof(plan_options, ranks_per_node)},
    {"--ranks", "a whole number from 1 to 1000000", 1, 1e6, false, true, offsetof(plan_options, ranks)},
    {"--memory-per-node", "a number of GiB from 0.001 to 1000000, without a unit", 1e-3, 1e6, false, false, offsetof(plan_options, memory_per_node)},
    {"--machine", "a machine file (engram calibrate writes one)", 0, 0, false, false, offsetof(plan_options, machine)},
    {"--rate", "a mean rate of the neurons from 0.001 to 1000 Hz, without a unit", 1e-3, 1000, false, false, offsetof(plan_options, rate)},
    {"--sbatch", "a file name for the job script", 0, 0, false, false, offsetof(plan_options, sbatch)},
    {"--csv", "a file name for the table over numbers of ranks", 0, 0, false, false, offsetof(plan_options, csv)},
};

static const valued_option calibrate_valued[] = {
    {"-o", "a file name", 0, 0, false, false, offsetof(calibrate_options, output)},
    {"--name", "a name", 0, 0, false, false, offsetof(calibrate_options, name)},
    {"--memory-per-node", "a number of GiB from 0.001 to 1000000, without a unit", 1e-3, 1e6, false, false, offsetof(calibrate_options, memory)},
};

/** What it says, and where overrides go. */
typedef struct { plan_options *options; const char **overrides; } plan_line;

static status read_plan_option(int argc, char **argv, int *at, void *line) {
    plan_options *options = ((plan_line *)line)->options;
    const char *word = argv[*at];
    const valued_option *option = option_find(plan_valued, sizeof plan_valued / sizeof *plan_valued, word);
    if (option) return option_set(option, option_value(argc, argv, at, strlen(option->name)), options);
    if (strncmp(word, "-P", 2) == 0) {
        return option_override(argc, argv, at, ((plan_line *)line)->overrides, &options->override_count);
    } else if (strcmp(word, "--overwrite") == 0) {
        options->overwrite = true;
    } else {
        return status_fail(STATUS_INPUT, "unknown option '%.100s' of engram plan; allowed are --ranks, --ranks-per-node, --memory-per-node, --machine, --rate, "
                                         "--sbatch, --csv, --overwrite, -o, -P", word);
    }
    return STATUS_OK;
}

static status parse_plan(int argc, char **argv, plan_options *options, const char **overrides) {
    const char *word[2];
    status result = command_words(argc, argv, read_plan_option, &(plan_line){options, overrides}, word);
    options->config = word[1];
    if (result == STATUS_OK && !options->config) result = status_fail(STATUS_INPUT, "engram plan needs a parameter file");
    if (result == STATUS_OK && options->overwrite && !options->sbatch && !options->csv)
        result = status_fail(STATUS_INPUT, "--overwrite is for the job script and the table: give --sbatch FILE or --csv FILE");
    if (result == STATUS_OK && options->directory && !options->sbatch) result = status_fail(STATUS_INPUT, "-o is for the job script: give --sbatch FILE");
    return result;
}

int command_plan(const context *context, int argc, char **argv) {
    const char **overrides = calloc((size_t)argc + 1, sizeof *overrides);
    if (!overrides) context_abort("memory: no room for the command line");
    plan_options options = {.overrides = overrides, .ranks = context->ranks, .memory_per_node = NAN, .rate = NAN};
    status result = status_agree(context, parse_plan(argc, argv, &options, overrides));
    if (result == STATUS_OK) result = plan_run(context, &options);
    free(overrides);
    return result;
}

static status read_calibrate_option(int argc, char **argv, int *at, void *line) {
    calibrate_options *options = line;
    const char *word = argv[*at];
    const valued_option *option = option_find(calibrate_valued, sizeof calibrate_valued / sizeof *calibrate_valued, word);
    if (option) return option_set(option, option_value(argc, argv, at, strlen(option->name)), options);
    if (strcmp(word, "--overwrite") == 0)
        options->overwrite = true;
    else if (strcmp(word, "--quick") == 0)
        options->quick = true;
    else if (strcmp(word, "--quiet") != 0 && strcmp(word, "-q") != 0)
        return status_fail(STATUS_INPUT, "unknown option '%.100s' of engram calibrate; allowed are -o, --name, --memory-per-node, --quick, --overwrite, "
                                         "--quiet", word);
    return STATUS_OK;
}

static status parse_calibrate(int argc, char **argv, calibrate_options *options) {
    const char *word[2];
    status result = command_words(argc, argv, read_calibrate_option, options, word);
    if (result == STATUS_OK && word[1]) result = status_fail(STATUS_INPUT, "'%.100s' is one argument too many", word[1]);
    if (result == STATUS_OK && !options->output) result = status_fail(STATUS_INPUT, "engram calibrate needs a file to write: -o machine.yaml");
    return result;
}

int command_calibrate(const context *context, int argc, char **argv) {
    calibrate_options options = {.memory = NAN};
    status result = status_agree(context, parse_calibrate(argc, argv, &options));
    return result == STATUS_OK ? calibrate_run(context, &options) : result;
}
