#include "command_options.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/** @return whether @p text as a whole is a number that the option allows */
static bool read_number(const valued_option *option, const char *text, double *value) {
    char *end;
    if (!strchr("0123456789.", text[0]) || !text[0] || strpbrk(text, "xX")) return false;
    *value = strtod(text, &end);
    if (*end || !(*value >= option->low && *value <= option->high)) return false;
    return !(option->below_high && *value == option->high) && !(option->whole && *value != floor(*value));
}

status option_set(const valued_option *option, const char *text, void *options) {
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

const char *option_value(int argc, char **argv, int *at, size_t length) {
    if (argv[*at][length]) return argv[*at] + length + (argv[*at][length] == '=');
    return *at + 1 < argc ? argv[++*at] : NULL;
}

const valued_option *option_find(const valued_option *options, size_t count, const char *word) {
    for (size_t k = 0; k < count; k++) {
        size_t length = strlen(options[k].name);
        if (strncmp(word, options[k].name, length) == 0 && (!word[length] || word[length] == '=')) return &options[k];
    }
    return NULL;
}

status option_override(int argc, char **argv, int *at, const char **overrides, int *count) {
    const char *value = option_value(argc, argv, at, 2);
    if (!value) return status_fail(STATUS_INPUT, "-P needs section.key=value");
    overrides[(*count)++] = value;
    return STATUS_OK;
}

status command_words(int argc, char **argv, option_reader *read_option, void *line, const char *word[2]) {
    status result = STATUS_OK;
    int count = 0;
    word[0] = word[1] = NULL;
    for (int at = 1; at < argc; at++) {
        if (argv[at][0] == '-' && argv[at][1])
            result = status_worse(result, read_option(argc, argv, &at, line));
        else if (count < 2)
            word[count++] = argv[at];
        else
            result = status_fail(STATUS_INPUT, "'%.100s' is one argument too many", argv[at]);
    }
    return result;
}
