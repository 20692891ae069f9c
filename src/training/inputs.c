#include "inputs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#include "checkpoint.h"
#include "engram/files.h"
#include "engram/utf8.h"
#include "results.h"

enum { HASH_DIGITS = 16 };

/** A line of config_inputs(): "section.key HASH path". */
typedef struct input {
    char name[64], hash[HASH_DIGITS + 1];
    char *path; /* owned */
} input;

/** @return what is behind the line; NULL at the end, or where there is none */
static const char *read_line(const char *line, input *input) {
    size_t length = strcspn(line, "\n"), name = strcspn(line, " \n");
    *input = (struct input){.path = NULL};
    if (!*line || name >= sizeof input->name || length < name + HASH_DIGITS + 2) return NULL;
    memcpy(input->name, line, name);
    memcpy(input->hash, line + name + 1, HASH_DIGITS);
    input->path = strndup(line + name + HASH_DIGITS + 2, length - name - HASH_DIGITS - 2);
    if (!input->path) context_abort("memory: no room for a path");
    return line + length + (line[length] == '\n');
}

/** The line of that name. @param[out] found path owned; without such a line, of no file @return whether there is one */
static bool find(const char *lines, const char *name, input *found) {
    for (const char *line = lines; (line = read_line(line, found)); free(found->path))
        if (strcmp(found->name, name) == 0) return true;
    *found = (input){.hash = CONFIG_UNREADABLE, .path = strdup("")};
    if (!found->path) context_abort("memory: no room for a path");
    snprintf(found->name, sizeof found->name, "%s", name);
    return false;
}

static char *copy_of(const char *directory, const input *input) {
    char name[32];
    snprintf(name, sizeof name, "input-%s", input->hash);
    return checkpoint_path(directory, name);
}

static bool has_hash(XXH3_state_t *state, const char *hash) {
    char digits[HASH_DIGITS + 1];
    snprintf(digits, sizeof digits, "%016llx", (unsigned long long)XXH3_64bits_digest(state));
    return strcmp(digits, hash) == 0;
}

/** Read @p from to its end, into @p to if that is not NULL. @return errno, 0 for none; @param[out] same as @p hash says */
static int pass(FILE *from, FILE *to, const char *hash, bool *same) {
    enum { PIECE = 1 << 20 };
    char *piece = malloc(PIECE);
    XXH3_state_t state;
    if (!piece) return ENOMEM;
    XXH3_64bits_reset(&state);
    for (size_t got; (got = fread(piece, 1, PIECE, from)) > 0;) {
        XXH3_64bits_update(&state, piece, got);
        if (to) fwrite(piece, 1, got, to); /* an error shows in file_end() */
    }
    free(piece);
    *same = has_hash(&state, hash);
    return ferror(from) ? EIO : 0;
}

/** Is the run's copy there, and whole? On rank 0. */
static bool copy_is_whole(const char *path, const char *hash) {
    FILE *file = file_open_text(path);
    bool same = false;
    if (!file) return false;
    bool whole = pass(file, NULL, hash, &same) == 0 && same;
    fclose(file);
    return whole;
}

/** A file that cannot be read: the run's copy takes its place. Collective. @return agreed */
static status take_copy(const context *context, const char *directory, config *config, const input *now, const input *before) {
    char *copy = copy_of(directory, before);
    int whole = context->rank == 0 && copy_is_whole(copy, before->hash);
    CHECK_MPI(MPI_Bcast(&whole, 1, MPI_INT, 0, context->comm));
    status result = STATUS_OK;
    if (whole) {
        config_read_instead(config, now->name, copy, NULL);
        log_line(context, "%s: %s cannot be read: the run's own copy is, %s", now->name, now->path, copy);
    } else {
        const unsigned is = config_path_is(config, now->name);
        const char *kept = is & PATH_KEPT ? ", and the run has no whole copy of it, " : "";
        const char *moved = strcmp(now->path, before->path) != 0 ? before->path : "";
        result = status_fail(STATUS_INPUT, "%s: %s%s%s cannot be read%s%s; the run needs it: bring it back, or say where the same content is: -P %s=%s",
                             now->name, now->path, *moved ? " instead of " : "", moved, kept, *kept ? copy : "", now->name,
                             is & PATH_FOLDER ? "FOLDER" : "FILE");
    }
    free(copy);
    return result;
}

/** What was read when the run began is not read again: that it is gone, or has gone on, does not matter; but it cannot be another one. Not agreed, but the
 *  same on all ranks. */
static status settle_once(const context *context, const input *now, const input *before, bool moved) {
    bool gone = strcmp(now->hash, CONFIG_UNREADABLE) == 0;
    if (moved && !gone)
        return status_fail(STATUS_INPUT, "%s: was %s, is now %s, of other content; take it back, or start a new run (-o)", now->name, before->path, now->path);
    if (!gone) log_warning(context, "%s: %s is not as it was when the run began, which does not read it again", now->name, now->path);
    return STATUS_OK;
}

/** A file where the run began with none. @param found nobody named it */
static status fail_new(const char *name, const char *path, bool found) {
    if (!found) return status_fail(STATUS_INPUT, "%s: '%s', but the run began with '', no file; leave it out, or start a new run (-o)", name, path);
    return status_fail(STATUS_INPUT,
                       "%s: %s was not there when the run began: where none is named, this one is found by its name and read; take it away, or start a new "
                       "run (-o)", name, path);
}

/** No file where the run began with one, which may have been found by its name. */
static status fail_none(const char *name, const char *before) {
    return status_fail(STATUS_INPUT, "%s: '', but the run began with '%s'; bring it back, say where the same content is (-P %s=FILE), or start a new run (-o)",
                       name, before, name);
}

/** What can be read is not what the run began with. */
static status fail_other(const run_inputs *of, const config *config, const input *now, const input *before, bool moved) {
    const unsigned is = config_path_is(config, now->name);
    char *copy = copy_of(of->directory, before);
    const char *kept = is & PATH_KEPT ? "; the run's copy: " : "", *what = is & PATH_FOLDER ? "FOLDER" : "FILE";
    const char *other = !of->test ? ", or start a new run (-o)"
                        : is & PATH_OTHER ? ", or test with what is there now under another name (a copy, or a link)" : "; what was trained belongs to it";
    status result = status_fail(
        STATUS_INPUT, "%s: an input file is not as it was when the run was saved: %s: %s%s%s; bring it back, say where the same content is (-P %s=%s%s%s)%s",
        of->directory, now->name, now->path, moved ? " instead of " : "", moved ? before->path : "", now->name, what, kept, *kept ? copy : "", other);
    free(copy);
    return result;
}

/** Does a test name, in the place of the run's, a file of other content, or of none that can be read? */
static bool names_other(const run_inputs *of, const config *config, const input *now, const input *before) {
    if (!of->test || !*now->path || !(config_path_is(config, now->name) & PATH_OTHER)) return false;
    return strcmp(now->hash, before->hash) != 0 || strcmp(now->hash, CONFIG_UNREADABLE) == 0;
}

/** The file that a test names in the place of the run's. Where it cannot be read the run's own copy is not what was asked for. @return not agreed */
static status settle_other(const context *context, const input *now, const input *before) {
    if (strcmp(now->hash, CONFIG_UNREADABLE) == 0)
        return status_fail(STATUS_INPUT, "%s: %s cannot be read; the test was to be of it: name one that can be, or leave it out", now->name, now->path);
    if (*before->path)
        log_line(context, "%s: the test is of %s, of other content than '%s', with which the run was trained", now->name, now->path, before->path);
    else
        log_line(context, "%s: the test is of %s; the run was trained with none in its place", now->name, now->path);
    return STATUS_OK;
}

/** Collective; not agreed, but the same on all ranks. */
static status settle(const context *context, const run_inputs *of, config *config, const input *now, const input *before) {
    char *shown = utf8_from_bytes(now->path); /* as a checkpoint names it */
    bool moved = strcmp(now->path, before->path) != 0 && strcmp(shown, before->path) != 0;
    status result = STATUS_OK;
    if (!*now->path && !*before->path) /* no file was named, then or now */
        result = STATUS_OK;
    else if (moved && names_other(of, config, now, before))
        result = settle_other(context, now, before);
    else if (!*before->path)
        result = fail_new(now->name, now->path, false);
    else if (!*now->path)
        result = fail_none(now->name, before->path);
    else if (config_path_is(config, now->name) & PATH_ONCE && strcmp(now->hash, before->hash) != 0)
        result = settle_once(context, now, before, moved);
    else if (strcmp(before->hash, CONFIG_UNREADABLE) == 0 && moved)
        log_warning(context, "%s: %s takes the place of %s, which could not be read", now->name, now->path, before->path);
    else if (strcmp(now->hash, before->hash) == 0 && moved)
        log_line(context, "%s: %s has the content of %s, with which the run began", now->name, now->path, before->path);
    else if (strcmp(now->hash, CONFIG_UNREADABLE) == 0)
        result = take_copy(context, of->directory, config, now, before);
    else if (strcmp(now->hash, before->hash) != 0)
        result = fail_other(of, config, now, before, moved);
    free(shown);
    return result;
}

/** No file is named: one may be found by its name, which inputs_settle_found() looks at. */
static bool may_be_found(const config *config, const input *named) {
    return !*named->path && !(config_path_is(config, named->name) & PATH_ADDED);
}

status inputs_settle(const context *context, const run_inputs *of, config *config) {
    status result = STATUS_OK;
    input is, was;
    for (const char *line = of->named; result == STATUS_OK && (line = read_line(line, &is)); free(is.path)) {
        bool there = find(of->before, is.name, &was);
        if (!may_be_found(config, &is) && (there || config_path_is(config, is.name) & PATH_ADDED)) result = settle(context, of, config, &is, &was);
        free(was.path);
    }
    for (const char *line = of->before; result == STATUS_OK && (line = read_line(line, &was)); free(was.path)) {
        if (!find(of->named, was.name, &is) && config_path_is(config, was.name) & PATH_ADDED) result = settle(context, of, config, &is, &was);
        free(is.path);
    }
    return status_agree(context, result);
}

status inputs_settle_found(const context *context, const run_inputs *of, config *config, const char *now) {
    status result = STATUS_OK;
    input named, is, was;
    for (const char *line = of->named; result == STATUS_OK && (line = read_line(line, &named)); free(named.path)) {
        if (!may_be_found(config, &named)) continue;
        find(now, named.name, &is), find(of->before, named.name, &was);
        result = *is.path && !*was.path ? fail_new(is.name, is.path, true) : settle(context, of, config, &is, &was);
        free(is.path), free(was.path);
    }
    return status_agree(context, result);
}

char *inputs_as_begun(const config *config, const char *now, const char *before) {
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    input is, was;
    if (!out) context_abort("memory: no room for a list of files");
    for (const char *line = now; (line = read_line(line, &is)); free(is.path)) {
        bool known = find(before, is.name, &was) && strcmp(was.hash, CONFIG_UNREADABLE) != 0 && strcmp(was.hash, is.hash) != 0;
        bool stays = known && config_path_is(config, is.name) & PATH_ONCE;
        fprintf(out, "%s %s %s\n", is.name, known ? was.hash : is.hash, stays ? was.path : is.path);
        free(was.path);
    }
    if (fclose(out) != 0) context_abort("memory: no room for a list of files");
    return text;
}

status inputs_spare(const context *context, const char *now, const char *directory, const char *const *outputs, int count) {
    status result = STATUS_OK;
    input is;
    for (const char *line = now; context->rank == 0 && result == STATUS_OK && (line = read_line(line, &is)); free(is.path)) {
        if (directory && results_own(directory, is.path))
            result = status_fail(
                STATUS_INPUT,
                "%s: %s is in the output directory, and a new run there would remove or replace it; copy it elsewhere, or give -o another directory", is.name,
                is.path);
        for (int k = 0; k < count && result == STATUS_OK; k++)
            if (file_same(outputs[k], is.path))
                result = status_fail(STATUS_INPUT, "%s: is what %s names, %s; it is read, and the results would replace it", outputs[k], is.name, is.path);
    }
    return status_agree(context, result);
}

/** On rank 0. @return not agreed */
static status keep(const char *directory, const input *input) {
    char *copy = copy_of(directory, input);
    bool same = true;
    if (!copy_is_whole(copy, input->hash)) {
        int descriptor = file_open_input(input->path), error = 0;
        FILE *from = descriptor < 0 ? NULL : fdopen(descriptor, "rb");
        if (!from) { /* gone on with from the run's copy, or from another place, or removed just now */
            if (descriptor >= 0) close(descriptor);
            free(copy);
            return STATUS_OK;
        }
        checkpoint_make_folder(directory);
        FILE *to = file_begin(copy, 0666);
        error = to ? pass(from, to, input->hash, &same) : errno;
        if (to && (error || !same)) file_give_up(to, copy);
        else if (to) error = file_end(to, copy);
        fclose(from);
        if (error) {
            status failed = status_fail(STATUS_FAILURE, "%s, the run's copy of %s: %s", copy, input->path, file_why(error));
            free(copy);
            return failed;
        }
    }
    free(copy);
    return same ? STATUS_OK : status_fail(STATUS_INPUT, "%s: %s is being changed; start when it is complete", input->name, input->path);
}

status inputs_keep(const context *context, const char *directory, const config *config, const char *now) {
    status result = STATUS_OK;
    input is;
    for (const char *line = now; context->rank == 0 && result == STATUS_OK && (line = read_line(line, &is)); free(is.path))
        if (config_path_is(config, is.name) & PATH_KEPT && strcmp(is.hash, CONFIG_UNREADABLE) != 0) result = keep(directory, &is);
    return status_agree(context, result);
}
