/* What stands on the command line behind a command. Nothing is collective. */
#ifndef ENGRAM_COMMAND_OPTIONS_H
#define ENGRAM_COMMAND_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "engram/status.h"

/** An option that takes a value. */
typedef struct {
    const char *name, *needs; /* what the value must be */
    double low, high;         /* inclusive; both 0: text */
    bool below_high, whole;   /* high itself is not allowed; no fractions */
    size_t offset;            /* of the member of the struct of options; double, or int64_t when whole, or const char * */
} valued_option;

/** The option that @p word gives, as "--trials" or "--trials=5"; NULL if it is none of @p options [count]. */
const valued_option *option_find(const valued_option *options, size_t count, const char *word);

/** "-o FILE", "-oFILE", "--trials 5", "--trials=5": the value, or NULL if there is none. @param[in,out] at which word; moves to the value
 *  @param length of the option's name */
const char *option_value(int argc, char **argv, int *at, size_t length);

/** Check a value and store it in the struct of options. @return STATUS_INPUT with a message for a value that is not allowed or missing */
status option_set(const valued_option *option, const char *text, void *options);

/** "-P section.key=value" into @p overrides, which has room for as many as there are words. @param[in,out] at which word; moves to its value
 *  @return STATUS_INPUT with a message where nothing follows */
status option_override(int argc, char **argv, int *at, const char **overrides, int *count);

/** What a command makes of a word that begins with '-'. @param[in,out] at which word; moves to its value @param line of the command */
typedef status option_reader(int argc, char **argv, int *at, void *line);

/** All words: options go to @p read_option, the others are the command and its argument.
 *  @param[out] word [2] command and argument; those that are not there stay NULL
 *  @return STATUS_INPUT with messages for what is not allowed */
status command_words(int argc, char **argv, option_reader *read_option, void *line, const char *word[2]);

#endif
