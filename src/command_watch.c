#include "command_watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command_options.h"
#include "engram/context.h"
#include "plan/site.h"

#define TOOL "tools/plot"

/** The command line. */
typedef struct {
    const char *directory, *output;
    double every; /* s; 0: as the tool has it */
    bool once;
} watch_options;

static const valued_option valued_options[] = {
    {"-o", "a file name that ends in .html", 0, 0, false, false, offsetof(watch_options, output)},
    {"--every", "a number of seconds from 0.2 to 3600, without a unit", 0.2, 3600, false, false, offsetof(watch_options, every)},
};

static status read_option(int argc, char **argv, int *at, void *line) {
    watch_options *options = line;
    const char *word = argv[*at];
    const valued_option *option = option_find(valued_options, sizeof valued_options / sizeof *valued_options, word);
    if (option) return option_set(option, option_value(argc, argv, at, strlen(option->name)), options);
    if (strcmp(word, "--once") != 0) return status_fail(STATUS_INPUT, "unknown option '%.100s' of engram watch; allowed are --every, --once, -o", word);
    options->once = true;
    return STATUS_OK;
}

static status parse(int argc, char **argv, watch_options *options) {
    const char *word[2];
    status result = command_words(argc, argv, read_option, options, word);
    options->directory = word[1];
    if (result == STATUS_OK && (!options->directory || !options->directory[0])) result = status_fail(STATUS_INPUT, "engram watch needs the folder of a run");
    return result;
}

/** Ends the program unless the tool cannot be started. */
static status become(const char *tool, const watch_options *options) {
    char every[32], *output = NULL;
    const char *words[9] = {tool, "--live", options->directory};
    int count = 3;
    snprintf(every, sizeof every, "%.10g", options->every);
    if (options->output && asprintf(&output, "-o%s", options->output) < 0) context_abort("memory: no room for the command line");
    if (output) words[count++] = output; /* one word, as the name may begin with '-' */
    if (options->every > 0) words[count++] = "--every", words[count++] = every;
    if (options->once) words[count++] = "--once";
    if (setenv("ENGRAM_CALLED", "engram watch", 1) != 0) context_abort("memory: no room for the environment"); /* what its messages begin with */
    execv(tool, (char *const *)(uintptr_t)words);
    free(output);
    if (errno == ENOENT) /* the file is there: it is what its first line names that is not */
        return status_fail(STATUS_INPUT, "%s cannot be started: there is no Python where its first line says; engram status tells of runs without it", tool);
    return status_fail(status_unreadable(errno), "%s cannot be started: %s", tool, strerror(errno));
}

int command_watch(int argc, char **argv) {
    watch_options options = {0};
    char *tool = site_came_with(TOOL);
    status result = parse(argc, argv, &options);
    if (result == STATUS_OK && !tool)
        result = status_fail(STATUS_INPUT, "the page is written by " TOOL ", which did not come with this program: it is looked for in share/engram of the "
                                           "installation and in the sources around build/; engram status tells of runs without it");
    if (result == STATUS_OK) result = become(tool, &options);
    status_print();
    free(tool);
    return result;
}
