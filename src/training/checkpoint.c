#include "checkpoint.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../io/seal.h"
#include "engram/files.h"
#include "engram/h5.h"
#include "engram/memory.h"
#include "engram/version.h"

#define LOOP_NAME "loop-%010lld.h5"
#define BEST_NAME "best-%010lld.h5"

enum { FORMAT = 2, GENERATIONS = 2, FOUND_MAX = 64, NAME_BYTES = 64 };

static const param params[] = {
    {"every_loops", PARAM_INTEGER, UNIT_NONE, "10", 0, 1 << 30, NULL, "loops between checkpoints; 0: not by loops", offsetof(checkpoint_settings, every_loops),
     MAY_RESUME},
    {"every", PARAM_NUMBER, UNIT_TIME, "30 min", 0, 1e15, NULL, "wall time after which a loop is followed by a checkpoint; 0: not by time",
     offsetof(checkpoint_settings, every), MAY_RESUME},
    {"max_hours", PARAM_NUMBER, UNIT_NONE, "0", 0, 1e6, NULL,
     "hours after which the run saves itself and ends with exit code 75, ready to be resumed; 0: no limit (--max-hours overrides)",
     offsetof(checkpoint_settings, max_hours), MAY_RESUME},
    {"keep_best", PARAM_FLAG, UNIT_NONE, "false", 0, 0, NULL,
     "keep beside the newest checkpoints that of the best test between loops (test.every), by the last score that says what is better (engram list SYSTEM)",
     offsetof(checkpoint_settings, keep_best), MAY_RESUME},
};
const param_table checkpoint_common = {"checkpoint", "when a run is saved, and when it ends itself", params, sizeof params / sizeof *params,
                                       sizeof(checkpoint_settings)};

char *checkpoint_path(const char *directory, const char *name) {
    char *path;
    if (asprintf(&path, "%s/checkpoint%s%s", directory, *name ? "/" : "", name) < 0) context_abort("memory: no room for a path");
    return path;
}

/** Does @p name match a pattern in which '#' stands for a digit, '%' for one of hexadecimal numbers? @return where it ends, NULL if it does not */
static const char *match(const char *name, const char *pattern) {
    for (; *pattern; pattern++, name++)
        if (*pattern == '#' ? !isdigit((unsigned char)*name) : *pattern == '%' ? !isxdigit((unsigned char)*name) : *name != *pattern) return NULL;
    return name;
}

checkpoint_kind checkpoint_kind_of(const char *name) {
    static const struct {
        const char *pattern;
        checkpoint_kind kind;
    } patterns[] = {
        {"loop-##########.h5", CHECKPOINT_GENERATION}, {"best-##########.h5", CHECKPOINT_BEST},
        {"spikes-##########-##########.h5", CHECKPOINT_SPIKES}, {"input-%%%%%%%%%%%%%%%%", CHECKPOINT_INPUT}};
    for (size_t k = 0; k < sizeof patterns / sizeof *patterns; k++) {
        const char *end = match(name, patterns[k].pattern);
        if (end && !*end) return patterns[k].kind;
        if (end && strcmp(end, FILE_PART) == 0) return CHECKPOINT_PART;
    }
    return CHECKPOINT_FOREIGN;
}

DIR *checkpoint_open_folder(const char *directory) {
    char *folder = checkpoint_path(directory, "");
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    free(folder);
    return descriptor < 0 ? NULL : fdopendir(descriptor);
}

status checkpoint_check_folder(const char *directory) {
    struct stat found;
    char *folder = checkpoint_path(directory, "");
    bool there = lstat(folder, &found) == 0;
    status result = !there || S_ISDIR(found.st_mode) ? STATUS_OK
                                                     : status_fail(STATUS_INPUT, "%s %s; checkpoints go into a folder of the run's own: move it away", folder,
                                                                   S_ISLNK(found.st_mode) ? file_why(ELOOP) : "is no folder");
    free(folder);
    return result;
}

status checkpoint_check_files(const char *directory) {
    DIR *entries = checkpoint_open_folder(directory);
    status result = STATUS_OK;
    struct stat found;
    for (struct dirent *entry; entries && result == STATUS_OK && (entry = readdir(entries));) {
        if (checkpoint_kind_of(entry->d_name) == CHECKPOINT_FOREIGN || fstatat(dirfd(entries), entry->d_name, &found, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISDIR(found.st_mode))
            continue;
        result = status_fail(STATUS_INPUT, "%s/checkpoint/%s: is a folder, where the run has a file; move it away", directory, entry->d_name);
    }
    if (entries) closedir(entries);
    return result;
}

/** Remove what is of @p kinds. @return errno; @param[out] others how many entries are foreign */
static int remove_kinds(const char *directory, unsigned kinds, int *others) {
    int error = 0;
    DIR *entries = checkpoint_open_folder(directory);
    if (!entries && errno != ENOENT) error = errno;
    *others = 0;
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        checkpoint_kind kind = checkpoint_kind_of(entry->d_name);
        if (kinds & 1u << kind && unlinkat(dirfd(entries), entry->d_name, 0) != 0 && errno != ENOENT) error = errno;
        *others += kind == CHECKPOINT_FOREIGN && strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    if (entries) closedir(entries);
    return error;
}

int checkpoint_remove_all(const char *directory) {
    const unsigned all = 1u << CHECKPOINT_GENERATION | 1u << CHECKPOINT_BEST | 1u << CHECKPOINT_SPIKES | 1u << CHECKPOINT_INPUT | 1u << CHECKPOINT_PART;
    int others, error = remove_kinds(directory, all, &others);
    char *folder = checkpoint_path(directory, "");
    if (others)
        fprintf(stderr, "engram: warning: %s: %d entr%s not of a run stay%s there\n", folder, others, others > 1 ? "ies that are" : "y that is",
                others > 1 ? "" : "s");
    if (!error && !others && rmdir(folder) != 0 && errno != ENOENT) error = errno;
    free(folder);
    return error;
}

void checkpoint_make_folder(const char *directory) {
    char *folder = checkpoint_path(directory, "");
    (void)!mkdir(folder, 0777); /* if it is not there now, who creates a file in it says why */
    free(folder);
}

/** @param kind CHECKPOINT_GENERATION or CHECKPOINT_BEST */
static char *path_of_loop(const char *directory, checkpoint_kind kind, int64_t loop) {
    char name[NAME_BYTES];
    if (kind == CHECKPOINT_BEST) snprintf(name, sizeof name, BEST_NAME, (long long)loop);
    else snprintf(name, sizeof name, LOOP_NAME, (long long)loop);
    return checkpoint_path(directory, name);
}

/* ---- what is in it ---- */

/** Where the arrays of each part are in the file. */
static const char *const folder_of[STATE_PARTS] = {[STATE_WEIGHTS] = "", [STATE_LEARNING] = "", [STATE_LOOP] = "state/"};

/** All arrays of a part, to the file or, if that is NULL, from the reader. A rank writes what it owns, and reads what it computes. */
static void walk(const run_subject *subject, state_part part, h5_file *file, h5_reader *reader) {
    state_list list = {0};
    const state_place place = {.context = subject->context, .part = file ? subject->facts->owned : subject->facts->part, .folder = folder_of[part]};
    if (subject->system->state) subject->system->state(subject->self, part, &list);
    if (file) state_write(&list, &place, file);
    else state_read(&list, &place, reader);
    state_clear(&list);
}

/* ---- generations ---- */

static int newest_first(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

/** Loops of the checkpoints in an open folder, which is closed, newest first. On one rank. @param entries NULL, with errno: none
 *  @return their number, at most FOUND_MAX; -1 if the folder cannot be read */
static int list_folder(DIR *entries, checkpoint_kind kind, int64_t *loops) {
    int count = 0;
    bool readable = entries || errno == ENOENT;
    errno = 0;
    for (struct dirent *entry; entries && count < FOUND_MAX && (entry = readdir(entries));)
        if (checkpoint_kind_of(entry->d_name) == kind) loops[count++] = strtoll(entry->d_name + strlen("loop-"), NULL, 10); /* or best- */
    readable = readable && (errno == 0 || !entries || count == FOUND_MAX);
    if (entries) closedir(entries);
    if (!readable) return -1;
    qsort(loops, (size_t)count, sizeof *loops, newest_first);
    return count;
}

static int list_kind(const char *directory, checkpoint_kind kind, int64_t *loops) {
    return list_folder(checkpoint_open_folder(directory), kind, loops);
}

static void remove_one(const char *directory, checkpoint_kind kind, int64_t loop) {
    char *path = path_of_loop(directory, kind, loop);
    if (unlink(path) != 0 && errno != ENOENT) fprintf(stderr, "engram: warning: %s cannot be removed: %s\n", path, strerror(errno));
    free(path);
}

/** Remove generations newer than @p loop (a resumed run may have gone back: they are not of its past) and all but the @p keep newest of the others.
 *  On one rank. */
static void remove_generations(const char *directory, int64_t loop, int keep) {
    int64_t loops[FOUND_MAX];
    int count = list_kind(directory, CHECKPOINT_GENERATION, loops);
    for (int k = 0; k < count; k++) {
        if (loops[k] <= loop && keep-- > 0) continue;
        remove_one(directory, CHECKPOINT_GENERATION, loops[k]);
    }
}

/** Scores of best tests rise with their loops: of those up to a generation's loop the newest is the best that a run which goes on from there has had. The
 *  others are removed, but for the newest of all. On one rank. */
static void remove_beaten(const char *directory) {
    int64_t best[FOUND_MAX], loops[FOUND_MAX];
    int bests = list_kind(directory, CHECKPOINT_BEST, best), count = list_kind(directory, CHECKPOINT_GENERATION, loops);
    for (int k = 1; k < bests; k++) {
        bool wanted = count < 0;
        for (int g = 0; g < count; g++) wanted = wanted || (best[k] <= loops[g] && loops[g] < best[k - 1]);
        if (!wanted) remove_one(directory, CHECKPOINT_BEST, best[k]);
    }
}

int64_t checkpoint_best(const char *directory) {
    int64_t loops[FOUND_MAX];
    return list_kind(directory, CHECKPOINT_BEST, loops) > 0 ? loops[0] : -1;
}

void checkpoint_forget_best(const char *directory, int64_t loop) {
    int64_t loops[FOUND_MAX];
    int count = list_kind(directory, CHECKPOINT_BEST, loops);
    for (int k = 0; k < count && loops[k] > loop; k++) remove_one(directory, CHECKPOINT_BEST, loops[k]);
}

int64_t checkpoint_newest(const char *directory) {
    int64_t loops[FOUND_MAX];
    return list_kind(directory, CHECKPOINT_GENERATION, loops) > 0 ? loops[0] : -1;
}

char *checkpoint_newest_in(const char *folder) {
    int64_t loops[FOUND_MAX];
    char *path;
    if (list_kind(folder, CHECKPOINT_GENERATION, loops) > 0) return path_of_loop(folder, CHECKPOINT_GENERATION, loops[0]);
    if (list_folder(opendir(folder), CHECKPOINT_GENERATION, loops) <= 0) return NULL;
    if (asprintf(&path, "%s/" LOOP_NAME, folder, (long long)loops[0]) < 0) context_abort("memory: no room for a path");
    return path;
}

void checkpoint_remove_parts(const char *directory) {
    int others;
    remove_kinds(directory, 1u << CHECKPOINT_PART, &others);
}

void checkpoint_keep_newest(const char *directory) {
    remove_generations(directory, INT64_MAX, 1);
    remove_beaten(directory);
}

/** A text as rank 0 has it: metadata of a file must not differ between ranks, and libraries may. Collective. @return owned */
static char *text_of_root(const context *context, const char *text) {
    int64_t length = context->rank == 0 ? (int64_t)strlen(text) : 0;
    CHECK_MPI(MPI_Bcast(&length, 1, MPI_INT64_T, 0, context->comm));
    char *copy = calloc((size_t)length + 1, 1);
    if (!copy) context_abort("memory: no room for a text");
    if (context->rank == 0) memcpy(copy, text, (size_t)length);
    CHECK_MPI(MPI_Bcast(copy, (int)length, MPI_CHAR, 0, context->comm));
    return copy;
}

/** What tells runs, and programs, apart. */
static void save_origin(const context *context, h5_file *file, const checkpoint_progress *progress, const checkpoint_run *run) {
    char *build = text_of_root(context, version_build());
    uint64_t digest = progress->metrics_digest;
    CHECK_MPI(MPI_Bcast(&digest, 1, MPI_UINT64_T, 0, context->comm));
    h5_attribute_text(file, "/", "revision", version_revision);
    h5_attribute_text(file, "/", "inputs", run->inputs);
    h5_attribute_text(file, "/", "identity", run->identity);
    h5_attribute_text(file, "/", "build", build);
    h5_attribute(file, "/", "metrics_digest", H5_UINT64, 0, &digest);
    h5_attribute(file, "/", "spikes", H5_INT64, 0, &progress->spikes);
    h5_attribute(file, "/", "spikes_digest", H5_UINT64, 0, &progress->spikes_digest);
    free(build);
}

status checkpoint_save(const run_subject *subject, const char *directory, checkpoint_kind kind, const checkpoint_progress *progress,
                       const checkpoint_run *run) {
    char *path = path_of_loop(directory, kind, progress->loop);
    h5_file *file = h5_create(subject->context, path, run->configuration);
    h5_seal(file);
    int32_t format = FORMAT;
    h5_attribute(file, "/", "checkpoint_format", H5_INT32, 0, &format);
    h5_attribute(file, "/", "loop", H5_INT64, 0, &progress->loop);
    h5_attribute(file, "/", "loops", H5_INT64, 0, &progress->loops);
    h5_attribute(file, "/", "seconds", H5_FLOAT64, 0, &progress->seconds);
    save_origin(subject->context, file, progress, run);
    best_save(&progress->best, subject->system, file);
    for (state_part part = 0; part < STATE_PARTS; part++) walk(subject, part, file, NULL);
    if (subject->system->save) subject->system->save(subject->self, file);
    status saved = h5_commit(file);
    if (saved == STATUS_OK && subject->context->rank == 0) {
        if (kind == CHECKPOINT_GENERATION) remove_generations(directory, progress->loop, GENERATIONS);
        remove_beaten(directory);
    }
    free(path);
    return saved;
}

/* ---- reading ---- */

static const char renamed[] = "by its content it is of loop ";

/** Is a whole checkpoint of the loop that its name says? Collective. @param[out] why [SEAL_WHY_BYTES] not, or "" */
static void check_loop(const context *context, const char *path, int64_t loop, char *why) {
    if (context->rank == 0) {
        int64_t inside = -1;
        h5_reader *reader = h5_reader_open(path);
        h5_reader_attribute(reader, "/", "loop", H5_INT64, 0, &inside);
        if (h5_reader_close(reader) != STATUS_OK) snprintf(why, SEAL_WHY_BYTES, "it does not say of which loop it is");
        else if (inside != loop) snprintf(why, SEAL_WHY_BYTES, "%s%lld", renamed, (long long)inside);
        status_forget();
    }
    CHECK_MPI(MPI_Bcast(why, SEAL_WHY_BYTES, MPI_CHAR, 0, context->comm));
}

static status find_kind(const context *context, const char *directory, checkpoint_kind kind, int64_t *loop, int64_t *newest, char **path) {
    int64_t loops[FOUND_MAX] = {0};
    status possible = status_agree(context, context->rank == 0 ? checkpoint_check_folder(directory) : STATUS_OK);
    if (possible != STATUS_OK) return possible;
    int count = context->rank == 0 ? list_kind(directory, kind, loops) : 0, mistakes = 0; /* -1: cannot be read */
    char why[SEAL_WHY_BYTES];
    CHECK_MPI(MPI_Bcast(&count, 1, MPI_INT, 0, context->comm));
    CHECK_MPI(MPI_Bcast(loops, FOUND_MAX, MPI_INT64_T, 0, context->comm));
    *loop = 0;
    *newest = count > 0 ? loops[0] : -1;
    *path = NULL;
    if (count < 0) return status_agree(context, status_fail(STATUS_FAILURE, "%s/checkpoint cannot be read", directory));
    for (int k = 0; k < count; k++) {
        char *candidate = path_of_loop(directory, kind, loops[k]);
        possible = file_seen_by_all(context, directory, candidate);
        if (possible != STATUS_OK) {
            free(candidate);
            return possible;
        }
        seal_check(context, candidate, why);
        if (!why[0]) check_loop(context, candidate, loops[k], why);
        if (!why[0]) {
            if (mistakes) log_warning(context, "going back to the checkpoint of loop %lld", (long long)loops[k]);
            *loop = loops[k];
            *path = candidate;
            return STATUS_OK;
        }
        mistakes++;
        log_warning(context, "checkpoint %s is %s and not used: %s", candidate, strncmp(why, renamed, sizeof renamed - 1) == 0 ? "misnamed" : "damaged", why);
        free(candidate);
    }
    return status_agree(context, count ? status_fail(STATUS_INPUT, "%s: no checkpoint is whole; start again (--overwrite), or bring back a copy", directory)
                                       : STATUS_OK);
}

status checkpoint_find(const context *context, const char *directory, int64_t *loop, int64_t *newest, char **path) {
    return find_kind(context, directory, CHECKPOINT_GENERATION, loop, newest, path);
}

status checkpoint_find_best(const context *context, const char *directory, int64_t *loop, char **path) {
    int64_t newest;
    return find_kind(context, directory, CHECKPOINT_BEST, loop, &newest, path);
}

static void check_format(h5_reader *reader, int32_t *format) {
    *format = FORMAT;
    h5_reader_attribute(reader, "/", "checkpoint_format", H5_INT32, 0, format);
    if (*format < 1 || *format > FORMAT) h5_reader_fail(reader, "is a checkpoint of format %d; this program reads formats 1 to %d", *format, FORMAT);
}

/** On rank 0. @return not agreed */
static status read_origin(const char *path, checkpoint_origin *origin) {
    h5_reader *reader = h5_reader_open(path);
    check_format(reader, &origin->format);
    bool tells = origin->format > 1;
    h5_reader_attribute(reader, "/", "loop", H5_INT64, 0, &origin->loop);
    origin->configuration = h5_reader_text(reader, "/", "configuration");
    origin->inputs = h5_reader_text(reader, "/", "inputs");
    origin->revision = h5_reader_text(reader, "/", "revision");
    origin->identity = tells ? h5_reader_text(reader, "/", "identity") : strdup("");
    origin->build = tells ? h5_reader_text(reader, "/", "build") : strdup("");
    origin->spikes = -1;
    if (tells) {
        h5_reader_attribute(reader, "/", "metrics_digest", H5_UINT64, 0, &origin->metrics_digest);
        h5_reader_attribute(reader, "/", "spikes", H5_INT64, 0, &origin->spikes);
        h5_reader_attribute(reader, "/", "spikes_digest", H5_UINT64, 0, &origin->spikes_digest);
    }
    return h5_reader_close(reader);
}

void checkpoint_forget(checkpoint_origin *origin) {
    free(origin->configuration), free(origin->inputs), free(origin->revision), free(origin->identity), free(origin->build);
    *origin = (checkpoint_origin){0};
}

status checkpoint_read_origin(const context *context, const char *path, checkpoint_origin *origin) {
    *origin = (checkpoint_origin){0};
    status result = status_agree(context, context->rank == 0 ? read_origin(path, origin) : STATUS_OK);
    char **texts[] = {&origin->configuration, &origin->inputs, &origin->revision, &origin->identity, &origin->build};
    if (result != STATUS_OK) return result;
    checkpoint_origin whole = *origin;
    CHECK_MPI(MPI_Bcast(&whole, sizeof whole, MPI_BYTE, 0, context->comm)); /* but for the texts */
    whole.configuration = origin->configuration, whole.inputs = origin->inputs, whole.revision = origin->revision, whole.identity = origin->identity,
    whole.build = origin->build;
    *origin = whole;
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
        char *mine = *texts[k];
        *texts[k] = text_of_root(context, mine);
        free(mine);
    }
    if (origin->format == 1)
        log_warning(context,
                    "%s is of an earlier version, which did not note the run's identity, its spikes and metrics, and the build: those are not compared", path);
    return STATUS_OK;
}

status checkpoint_load(const run_subject *subject, const char *path, checkpoint_progress *progress) {
    h5_reader *reader = h5_reader_open(path);
    h5_reader_attribute(reader, "/", "loop", H5_INT64, 0, &progress->loop);
    h5_reader_attribute(reader, "/", "loops", H5_INT64, 0, &progress->loops);
    h5_reader_attribute(reader, "/", "seconds", H5_FLOAT64, 0, &progress->seconds);
    best_load(&progress->best, subject->system, reader);
    for (state_part part = 0; part < STATE_PARTS; part++) walk(subject, part, NULL, reader);
    if (subject->system->load) subject->system->load(subject->self, reader);
    if (subject->system->settle) subject->system->settle(subject->self);
    return status_agree(subject->context, h5_reader_close(reader));
}

status checkpoint_read_weights(const run_subject *subject, const char *path) {
    h5_reader *reader = h5_reader_open(path);
    walk(subject, STATE_WEIGHTS, NULL, reader);
    if (subject->system->settle) subject->system->settle(subject->self);
    status read = h5_reader_close(reader);
    if (!subject->system->fits) return read;
    char *cause = strdup(status_message()); /* that some array has another length; the system says why */
    status_forget();
    status fits = subject->system->fits(subject->self, path);
    if (fits == STATUS_OK && read != STATUS_OK) status_fail(read, "%s", cause ? cause : path);
    free(cause);
    return fits == STATUS_OK ? read : fits;
}

status checkpoint_load_weights(const run_subject *subject, const char *path) {
    return status_agree(subject->context, checkpoint_read_weights(subject, path));
}
