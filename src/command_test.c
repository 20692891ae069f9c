#include "command_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "command_options.h"
#include "engram/test_run.h"

static const valued_option valued_options[] = {
    {"-o", "a file name that ends in .h5", 0, 0, false, false, offsetof(test_options, output)},
    {"--trials", "a whole number from 1 to 1048576", 1, 1 << 20, false, true, offsetof(test_options, trials)},
    {"--skip-trials", "a whole number from 0 to 1048576", 0, 1 << 20, false, true, offsetof(test_options, skip_trials)},
    {"--ranks-per-trial", "a whole number of at least 1", 1, 1 << 20, false, true, offsetof(test_options, ranks_per_trial)},
    {"--delete-neurons", "a fraction of at least 0 and below 1", 0, 1, true, false, offsetof(test_options, perturbation.delete_neurons)},
    {"--delete-synapses", "a probability from 0 to 1", 0, 1, false, false, offsetof(test_options, perturbation.delete_synapses)},
    {"--delete-unit-synapses", "a probability from 0 to 1", 0, 1, false, false, offsetof(test_options, perturbation.delete_unit_synapses)},
    {"--shuffle-synapses", "a probability from 0 to 1", 0, 1, false, false, offsetof(test_options, perturbation.shuffle_synapses)},
    {"--noise", "a standard deviation from 0 to 1e6, in units of the neurons' input", 0, 1e6, false, false, offsetof(test_options, perturbation.noise)},
    {"--spikes", "all or none", 0, 0, false, false, offsetof(test_options, spikes)},
    {"--delete-spike", "a time from 0 to 1e9 ms from the start of a trial, without a unit", 0, 1e9, false, false, offsetof(test_options, delete_spike)},
};

/** What it says, and where overrides go. */
typedef struct { test_options *options; const char **overrides; } test_line;

static status read_option(int argc, char **argv, int *at, void *line) {
    test_options *options = ((test_line *)line)->options;
    const char *word = argv[*at];
    const valued_option *option = option_find(valued_options, sizeof valued_options / sizeof *valued_options, word);
    if (option) return option_set(option, option_value(argc, argv, at, strlen(option->name)), options);
    if (strcmp(word, "--overwrite") == 0) {
        options->overwrite = true;
    } else if (strcmp(word, "--best") == 0) {
        options->best = true;
    } else if (strncmp(word, "-P", 2) == 0) {
        return option_override(argc, argv, at, ((test_line *)line)->overrides, &options->override_count);
    } else if (strcmp(word, "--quiet") != 0 && strcmp(word, "-q") != 0) {
        return status_fail(STATUS_INPUT,
                           "unknown option '%.100s' of engram test; allowed are --best, --trials, --skip-trials, -P, -o, --overwrite, --ranks-per-trial, "
                           "--delete-neurons, --delete-synapses, --delete-unit-synapses, --shuffle-synapses, --noise, --delete-spike, --spikes, --quiet",
                           word);
    }
    return STATUS_OK;
}

static status parse(int argc, char **argv, test_options *options, const char **overrides) {
    const char *word[2];
    status result = command_words(argc, argv, read_option, &(test_line){options, overrides}, word);
    options->directory = word[1];
    if (result == STATUS_OK && options->spikes && strcmp(options->spikes, "all") != 0 && strcmp(options->spikes, "none") != 0)
        result = status_fail(STATUS_INPUT, "--spikes %.100s: must be all or none", options->spikes);
    if (result == STATUS_OK && (!options->directory || !options->directory[0])) result = status_fail(STATUS_INPUT, "engram test needs the directory of a run");
    return result;
}

int command_test(const context *context, int argc, char **argv) {
    const char **overrides = calloc((size_t)argc + 1, sizeof *overrides);
    if (!overrides) context_abort("memory: no room for the command line");
    test_options options = {.delete_spike = NAN, .overrides = overrides};
    status result = status_agree(context, parse(argc, argv, &options, overrides));
    if (result == STATUS_OK) result = test_run(context, &options);
    free(overrides);
    return result;
}
