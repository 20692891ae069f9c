#include "start.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../io/seal.h"
#include "engram/files.h"
#include "engram/schema.h"
#include "results.h"

#define NAME "learning.start_from"

static const param params[] = {
    {"start_from", PARAM_PATH, UNIT_NONE, "", 0, 0, NULL,
     "another run's weights to begin with, of the same network: a checkpoint, or a run, whose newest counts; empty: initial weights",
     offsetof(start_settings, start_from), .path = PATH_ONCE | PATH_ADDED},
};
const param_table start_added = {"learning", "what a run begins with", params, sizeof params / sizeof *params, sizeof(start_settings)};

bool start_is_given(config *config) {
    return *((const start_settings *)config_added(config, "learning"))->start_from;
}

/** The checkpoint that the path leads to, through links. On one rank. @return owned; NULL: there is none, and @p digest is unreadable */
static char *locate(const char *path, char *digest) {
    struct stat found;
    char *newest = stat(path, &found) == 0 && S_ISDIR(found.st_mode) ? checkpoint_newest_in(path) : NULL;
    char *file = realpath(newest ? newest : path, NULL);
    free(newest);
    strcpy(digest, CONFIG_UNREADABLE);
    if (file && stat(file, &found) == 0 && S_ISREG(found.st_mode)) seal_digest(file, digest);
    return file;
}

void start_find(const context *context, config *config) {
    enum { DIGEST = 17 };
    char digest[DIGEST] = "", file[PATH_MAX] = "";
    if (!start_is_given(config)) return;
    char *path = config_resolve_path(config, ((const start_settings *)config_added(config, "learning"))->start_from);
    if (context->rank == 0) {
        char *found = locate(path, digest);
        snprintf(file, sizeof file, "%s", found ? found : path);
        free(found);
    }
    CHECK_MPI(MPI_Bcast(digest, DIGEST, MPI_CHAR, 0, context->comm));
    CHECK_MPI(MPI_Bcast(file, PATH_MAX, MPI_CHAR, 0, context->comm));
    config_read_instead(config, NAME, file, digest);
    free(path);
}

/** @return owned */
static char *found_file(const config *config) {
    return config_resolve_path(config, ((const start_settings *)config_added((struct config *)(uintptr_t)config, "learning"))->start_from);
}

/** In what the other run had another configuration. @return agreed and printed: STATUS_INPUT for one that this program cannot read */
static status describe_differences(const context *context, const config *config, const char *file, const checkpoint_origin *origin) {
    struct config *other;
    status result = config_read_text(context, file, origin->configuration, strlen(origin->configuration), NULL, training_schema(), &other);
    if (result != STATUS_OK) return result;
    char *differences = config_differences(other, config, MAY_RESUME);
    for (char *line = differences, *end; (end = strchr(line, '\n')); line = end + 1) log_line(context, "  that run: %.*s", (int)(end - line), line);
    free(differences);
    config_free(other);
    return STATUS_OK;
}

/** On rank 0, of what is no file. @return not agreed */
static status check_there(const config *config, const char *file) {
    struct stat found;
    if (stat(file, &found) != 0) return config_complain(config, "learning", "start_from", "%s: %s", file, strerror(errno));
    if (S_ISDIR(found.st_mode)) return config_complain(config, "learning", "start_from", "%s holds no checkpoint (loop-*.h5, there or in checkpoint/)", file);
    if (!S_ISREG(found.st_mode)) return config_complain(config, "learning", "start_from", "%s: %s", file, file_why(FILE_IRREGULAR));
    return STATUS_OK;
}

/** @return agreed and printed */
static status seen_by_all(const context *context, const config *config, const char *file) {
    char *where = config_where(config, "learning", "start_from");
    status result = file_seen_by_all(context, where, file);
    free(where);
    return result;
}

status start_check(const context *context, config *config) {
    char *file = found_file(config), why[SEAL_WHY_BYTES];
    checkpoint_origin origin = {0};
    status result = status_agree(context, context->rank == 0 ? check_there(config, file) : STATUS_OK);
    if (result == STATUS_OK) result = seen_by_all(context, config, file);
    if (result == STATUS_OK) {
        seal_check(context, file, why);
        if (why[0]) result = config_complain(config, "learning", "start_from", "%s is damaged, or no checkpoint: %s", file, why);
        result = status_agree(context, result);
    }
    if (result == STATUS_OK) result = checkpoint_read_origin(context, file, &origin);
    if (result == STATUS_OK) {
        log_line(context, "weights to start from: loop %lld of run %s, %s", (long long)origin.loop, *origin.identity ? origin.identity : "(not known)", file);
        result = describe_differences(context, config, file, &origin);
    }
    checkpoint_forget(&origin);
    free(file);
    return result;
}

status start_spare(const context *context, const config *config, const char *directory) {
    char *file = found_file(config);
    status result = STATUS_OK;
    if (context->rank == 0 && *file && results_own(directory, file))
        result = config_complain(config, "learning", "start_from", "%s is in the output directory, and a new run there would remove it; give -o another one",
                                 file);
    free(file);
    return status_agree(context, result);
}

status start_load(const run_subject *subject, const config *config) {
    char *file = found_file(config);
    status result = checkpoint_read_weights(subject, file);
    if (result != STATUS_OK) { /* said again, with the key that asked for it */
        char *message = strdup(status_message());
        status_forget();
        config_complain(config, "learning", "start_from", "%s: the weights of that network do not fit this one", message ? message : file);
        free(message);
    }
    free(file);
    return status_agree(subject->context, result);
}
