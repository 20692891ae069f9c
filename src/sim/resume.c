#include "resume.h"

#include <stdlib.h>
#include <string.h>

#include "checkpoint.h"
#include "engram/observe.h"
#include "engram/training.h"

static bool may_differ(const char *section, const char *key) {
    return strcmp(section, "output") == 0 || strcmp(section, "checkpoint") == 0 || strcmp(section, "guards") == 0 ||
           (strcmp(section, "learning") == 0 && (strcmp(key, "loops") == 0 || strcmp(key, "grid_columns") == 0));
}

/** One message a line of @p differences. */
static status fail_lines(const char *directory, const char *differences) {
    if (!*differences) return STATUS_OK;
    status_fail(STATUS_INPUT, "%s: the run cannot go on with another configuration; start a new one (-o), or take back:", directory);
    for (const char *line = differences; *line;) {
        size_t length = strcspn(line, "\n");
        status_fail(STATUS_INPUT, "  %.*s", (int)length, line);
        line += length + (line[length] == '\n');
    }
    return STATUS_INPUT;
}

static status compare_configurations(const char *directory, config *before, config *now) {
    char *differences = config_differences(before, now, may_differ);
    status result = fail_lines(directory, differences);
    free(differences);
    int was = ((output_settings *)config_common(before, "output"))->spikes, is = ((output_settings *)config_common(now, "output"))->spikes;
    if (was != is && (was == SPIKES_ALL || is == SPIKES_ALL))
        result = config_complain(now, "output", "spikes", "cannot change to or from 'all' in the middle of a run: spikes.h5 would have a gap");
    return result;
}

static status compare_inputs(const context *context, const char *directory, const char *checkpoint, const char *inputs) {
    char *before = checkpoint_inputs(context, checkpoint);
    status result = STATUS_OK;
    for (const char *line = inputs; *line && result == STATUS_OK;) { /* same keys in the same order: the configurations agree */
        size_t length = strcspn(line, "\n");
        if (!memmem(before, strlen(before), line, length))
            result = status_fail(STATUS_INPUT, "%s: an input file is not as it was when the run was saved: %.*s; bring it back, or start a new run (-o)", directory, (int)length, line);
        line += length + (line[length] == '\n');
    }
    free(before);
    return result;
}

static status compare_with_run(const context *context, const char *directory, config *config) {
    char path[4096];
    int sections;
    struct config *before;
    const param_section *schema = simulation_schema(&sections);
    snprintf(path, sizeof path, "%s/%s", directory, PARAMETERS_FILE);
    status result = config_read(context, path, NULL, 0, schema, sections, &before);
    if (result != STATUS_OK) return result;
    result = status_agree(context, compare_configurations(directory, before, config));
    config_free(before);
    return result;
}

status resume_find(const context *context, const char *directory, config *config, const char *inputs, resume_point *point) {
    *point = (resume_point){.newest = -1};
    status result = compare_with_run(context, directory, config);
    if (result == STATUS_OK) result = checkpoint_find(context, directory, &point->loop, &point->newest, &point->checkpoint);
    if (result != STATUS_OK) return result;
    int64_t loops = ((learning_settings *)config_common(config, "learning"))->loops;
    if (point->checkpoint) result = compare_inputs(context, directory, point->checkpoint, inputs);
    if (loops < point->loop) result = config_complain(config, "learning", "loops", "%lld, but %lld loops are done", (long long)loops, (long long)point->loop);
    return status_agree(context, result);
}
