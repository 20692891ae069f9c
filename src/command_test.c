#include "command_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engram/test_run.h"

/** An option that takes a value. */
typedef struct {
    const char *name, *needs; /* what the value must be */
    double low, high;         /* inclusive; both 0: text */
    bool below_high, whole;   /* high itself is not allowed; no fractions */
    size_t offset;            /* of the member of test_options; double, or int64_t when whole, or const char * */
} valued_option;

static const valued_option valued_options[] = {
    {"-o", "a file name that ends in .h5", 0, 0, false, false, offsetof(test_options, output)},
    {"--trials", "a whole number from 1 to 1048576", 1, 1 << 20, false, true, offsetof(test_options, trials)},
    {"--ranks-per-trial", "a whole number of at least 1", 1, 1 << 20, false, true, offsetof(test_options, ranks_per_trial)},
    {"--delete-neurons", "a fraction of at least 0 and below 1", 0, 1, true, false, offsetof(test_options, perturbation.delete_neurons)},
    {"--delete-synapses", "a probability from 0 to 1", 0, 1, false, false, offsetof(test_options, perturbation.delete_synapses)},
    {"--noise", "a standard deviation from 0 to 1e6, in units of the neurons' input", 0, 1e6, false, false, offsetof(test_options, perturbation.noise)},
    {"--delete-spike", "a time from 0 to 1e9 ms from the start of a trial, without a unit", 0, 1e9, false, false, offsetof(test_options, delete_spike)},
};

/** @return whether @p text as a whole is a number that the option allows */
static bool read_number(const valued_option *option, const char *text, double *value) {
    char *end;
    if (!strchr("0123456789.", text[0]) || !text[0] || strpbrk(text, "xX")) return false;
    *value = strtod(text, &end);
    if (*end || !(*value >= option->low && *value <= option->high)) return false;
    return !(option->below_high && *value == option->high) && !(option->whole && *value != floor(*value));
}

static status set_value(const valued_option *option, const char *text, test_options *options) {
    void *member = (char *)options + option->offset;
    double value;
    if (!text || !*text) return status_fail(STATUS_INPUT, "%s needs %s", option->name, option->needs);
    if (option->high == 0) {
        *(const char **)member = text;
        return STATUS_OK;
    }
    if (!read_number(option, text, &value)) return status_fail(STATUS_INPUT, "%s %.100s: must be %s", option->name, text, option->needs);
    if (option->whole)
        *(int64_t *)member = (int64_t)value;
    else
        *(double *)member = value;
    return STATUS_OK;
}

/** "-o FILE", "-oFILE", "--trials 5", "--trials=5": the value, or NULL if there is none. */
static const char *value_of(int argc, char **argv, int *at, size_t length) {
    if (argv[*at][length]) return argv[*at] + length + (argv[*at][length] == '=');
    return *at + 1 < argc ? argv[++*at] : NULL;
}

static const valued_option *find_option(const char *word) {
    for (size_t k = 0; k < sizeof valued_options / sizeof *valued_options; k++) {
        size_t length = strlen(valued_options[k].name);
        if (strncmp(word, valued_options[k].name, length) == 0 && (!word[length] || word[length] == '=')) return &valued_options[k];
    }
    return NULL;
}

static status parse_option(int argc, char **argv, int *at, test_options *options, const char **overrides) {
    const char *word = argv[*at];
    const valued_option *option = find_option(word);
    if (option) return set_value(option, value_of(argc, argv, at, strlen(option->name)), options);
    if (strcmp(word, "--overwrite") == 0) {
        options->overwrite = true;
    } else if (strncmp(word, "-P", 2) == 0) {
        const char *value = value_of(argc, argv, at, 2);
        if (!value) return status_fail(STATUS_INPUT, "-P needs section.key=value");
        overrides[options->override_count++] = value;
    } else if (strcmp(word, "--quiet") != 0 && strcmp(word, "-q") != 0) {
        return status_fail(STATUS_INPUT, "unknown option '%.100s' of engram test; allowed are --trials, -P, -o, --overwrite, --ranks-per-trial, --delete-neurons, --delete-synapses, "
                           "--noise, --delete-spike, --quiet", word);
    }
    return STATUS_OK;
}

static status parse(int argc, char **argv, test_options *options, const char **overrides) {
    status result = STATUS_OK;
    bool seen = false; /* the command itself */
    for (int at = 1; at < argc; at++) {
        if (argv[at][0] == '-' && argv[at][1])
            result = status_worse(result, parse_option(argc, argv, &at, options, overrides));
        else if (!seen)
            seen = true;
        else if (!options->directory)
            options->directory = argv[at];
        else
            result = status_fail(STATUS_INPUT, "'%.100s' is one argument too many", argv[at]);
    }
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
