#include "resume.h"

#include <stdlib.h>
#include <string.h>

#include "engram/memory.h"
#include "engram/output.h"
#include "engram/schema.h"
#include "engram/training.h"
#include "engram/version.h"
#include "inputs.h"
#include "start.h"

/** One message a line of @p differences, below @p heading. */
static status fail_lines(const char *heading, const char *differences) {
    if (!*differences) return STATUS_OK;
    status_fail(STATUS_INPUT, "%s", heading);
    for (const char *line = differences; *line;) {
        size_t length = strcspn(line, "\n");
        status_fail(STATUS_INPUT, "  %.*s", (int)length, line);
        line += length + (line[length] == '\n');
    }
    return STATUS_INPUT;
}

static status compare_configurations(const char *heading, config *before, config *now) {
    char *differences = config_differences(before, now, MAY_RESUME);
    status result = fail_lines(heading, differences);
    free(differences);
    int was = ((output_settings *)config_common(before, "output"))->spikes, is = ((output_settings *)config_common(now, "output"))->spikes;
    if (was != is && (was == SPIKES_ALL || is == SPIKES_ALL))
        result = config_complain(now, "output", "spikes", "cannot change to or from 'all' in the middle of a run: spikes.h5 would have a gap");
    return result;
}

static char *text_of(const char *format, const char *a, const char *b) {
    char *text;
    if (asprintf(&text, format, a, b) < 0) context_abort("memory: no room for a text");
    return text;
}

/** With what the run was given last. */
static status compare_with_parameters(const context *context, const char *directory, config *config) {
    struct config *before;
    char *path = text_of("%s/%s", directory, PARAMETERS_FILE);
    char *heading = text_of("%s: the run cannot go on with another configuration; start a new one (-o), or take back:%s", directory, "");
    status result = config_read(context, path, NULL, training_schema(), &before);
    if (result == STATUS_OK) {
        result = status_agree(context, compare_configurations(heading, before, config));
        config_free(before);
    }
    free(path);
    free(heading);
    return result;
}

/** Lines of two texts "key: value" that differ. */
static void warn_of_build(const context *context, const char *checkpoint, const char *was, const char *is) {
    for (const char *line = is; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        size_t length = strcspn(line, "\n"), key = strcspn(line, ":\n") + 1;
        const char *old = was;
        while (*old && strncmp(old, line, key) != 0) old += strcspn(old, "\n"), old += *old == '\n';
        size_t old_length = strcspn(old, "\n");
        if (*old && (old_length != length || strncmp(old, line, length) != 0))
            log_warning(context,
                        "%s was written by another build, %.*s was%.*s, is now%.*s: the same bits are promised of one build on processors of one kind only",
                        checkpoint, (int)key - 1, line,
                        (int)(old_length - key), old + key, (int)(length - key), line + key);
    }
}

status run_compare(const context *context, const char *directory, const char *checkpoint, const checkpoint_origin *origin, config *now) {
    config *before;
    char *heading = text_of("%s: the checkpoint %s is not of this run, or " PARAMETERS_FILE " was changed since; bring the run's own back, or take back:",
                            directory, checkpoint);
    status result = config_read_text(context, checkpoint, origin->configuration, strlen(origin->configuration), NULL, training_schema(), &before);
    if (result == STATUS_OK) {
        result = status_agree(context, compare_configurations(heading, before, now));
        config_free(before);
    }
    free(heading);
    if (result != STATUS_OK) return result;
    if (*origin->revision && strcmp(origin->revision, version_revision) != 0)
        log_warning(context, "%s is of revision %s, this program is revision %s: what follows need not have the same bits as one program would give",
                    checkpoint, origin->revision, version_revision);
    if (*origin->build) warn_of_build(context, checkpoint, origin->build, version_build());
    return STATUS_OK;
}

/** Nothing is saved yet: the files that the run began with are those that its parameters.yaml names. @param[out] inputs owned */
static status list_unsaved(const context *context, const char *directory, char **inputs) {
    struct config *before;
    char *path = text_of("%s/%s", directory, PARAMETERS_FILE);
    status result = config_read(context, path, NULL, training_schema(), &before);
    free(path);
    if (result != STATUS_OK) return result;
    start_find(context, before);
    *inputs = config_inputs(context, before);
    config_free(before);
    return result;
}

status resume_find(const context *context, const char *directory, config *config, const char *named, resume_point *point) {
    *point = (resume_point){.newest = -1};
    status result = checkpoint_find(context, directory, &point->loop, &point->newest, &point->checkpoint);
    if (result == STATUS_OK && point->checkpoint) result = checkpoint_read_origin(context, point->checkpoint, &point->origin);
    if (result == STATUS_OK && !point->checkpoint) result = list_unsaved(context, directory, &point->inputs);
    else if (result == STATUS_OK) point->inputs = text_of("%s%s", point->origin.inputs, "");
    const run_inputs of = {directory, named, point->inputs, .test = false};
    return result == STATUS_OK ? inputs_settle(context, &of, config) : result;
}

status resume_compare(const context *context, const char *directory, config *config, const resume_point *point) {
    status result = compare_with_parameters(context, directory, config);
    if (result == STATUS_OK && point->checkpoint) result = run_compare(context, directory, point->checkpoint, &point->origin, config);
    if (result != STATUS_OK || !point->checkpoint) return result;
    int64_t loops = config_get_integer(config, "learning", "loops");
    if (loops < point->loop) result = config_complain(config, "learning", "loops", "%lld, but %lld loops are done", (long long)loops, (long long)point->loop);
    return status_agree(context, result);
}

void resume_clear(resume_point *point) {
    free(point->checkpoint), free(point->inputs);
    checkpoint_forget(&point->origin);
}
