/* The output directory of a run: what may be written there, and what has to go first. */
#include "results.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint.h"
#include "engram/clock.h"
#include "engram/files.h"
#include "engram/memory.h"
#include "engram/output.h"
#include "engram/utf8.h"
#include "engram/version.h"
#include "metrics.h"
#include "metrics_file.h"
#include "task_names.h"

char *results_path(const results *results, const char *name) {
    char *path;
    if (asprintf(&path, "%s/%s", results->directory, name) < 0) context_abort("memory: no room for a path");
    return path;
}

static bool exists(const results *results, const char *name) {
    char *path = results_path(results, name);
    bool there = file_exists(path);
    free(path);
    return there;
}

/** mkdir -p. */
static int make_directories(const char *directory) {
    char *path = strdup(directory);
    for (char *slash = path + 1; path[0]; slash++) {
        if (*slash != '/' && *slash != '\0') continue;
        char kept = *slash;
        *slash = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST) {
            free(path);
            return -1;
        }
        *slash = kept;
        if (!kept) break;
    }
    free(path);
    return 0;
}

/** What a run leaves beside metrics.csv, parameters.yaml and checkpoints, whatever its system: a folder may have had a run of another one.
 *  @return a name from index 0 on, NULL behind the last */
static const char *result_file(int index) {
    static const char *const common[] = {"run.json", "spikes.h5", "report.h5", "nodes.h5", "node_types.csv", "edges.h5", "edge_types.csv",
                                         "circuit_config.json", "test.h5", "test.json", TASKS_FILE};
    enum { COMMON = sizeof common / sizeof *common };
    if (index < COMMON) return common[index];
    index -= COMMON;
    for (int s = 0; learning_systems[s]; s++)
        if (learning_systems[s]->results_name && index-- == 0) return learning_systems[s]->results_name;
    return NULL;
}

/** How many there are. */
static int result_files(void) {
    int count = 0;
    while (result_file(count)) count++;
    return count;
}

/** A folder that has the name of a file of the run cannot be replaced by one, and is not removed. */
static status check_folders(const results *results) {
    static const char *const others[] = {PARAMETERS_FILE, "stop"};
    status result = STATUS_OK;
    int count = result_files();
    for (int k = 0; k < 2 * (count + 2) && result == STATUS_OK; k++) {
        const char *name = k / 2 < count ? result_file(k / 2) : others[k / 2 - count];
        struct stat found;
        char *path;
        if (asprintf(&path, "%s/%s%s", results->directory, name, k % 2 ? FILE_PART : "") < 0) context_abort("memory: no room for a path");
        if (lstat(path, &found) == 0 && S_ISDIR(found.st_mode))
            result = status_fail(STATUS_INPUT, "%s: is a folder, where the run has a file; move it away", path);
        free(path);
    }
    return result == STATUS_OK ? checkpoint_check_files(results->directory) : result;
}

bool results_own(const char *directory, const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char *folder = file_folder(path), *checkpoints = checkpoint_path(directory, "");
    bool own = file_same(folder, checkpoints);
    if (!own && file_same(folder, directory)) {
        own = strcmp(name, PARAMETERS_FILE) == 0 || strcmp(name, "metrics.csv") == 0;
        for (int k = 0; !own && result_file(k); k++) own = strcmp(name, result_file(k)) == 0;
    }
    free(folder);
    free(checkpoints);
    return own;
}

/** Does the folder hold a run, whatever came of it? */
static bool holds_run(const char *directory) {
    const results results = {.directory = (char *)(uintptr_t)directory};
    return exists(&results, PARAMETERS_FILE) && (exists(&results, "metrics.csv") || exists(&results, "run.json") || exists(&results, "checkpoint"));
}

char *results_owner(const char *path) {
    char *folder = file_folder(path), *above;
    if (asprintf(&above, "%s/..", folder) < 0) context_abort("memory: no room for a path");
    char *const owners[] = {folder, above}; /* of a checkpoint the run is one folder up */
    int found = 0;
    while (found < 2 && !(holds_run(owners[found]) && results_own(owners[found], path))) found++;
    char *owner = found < 2 ? strdup(owners[found]) : NULL;
    free(folder);
    free(above);
    return owner;
}

/** Not a folder of that name. @return errno, 0 for none */
static int remove_file(const results *results, const char *name, const char *end) {
    char *path;
    if (asprintf(&path, "%s/%s%s", results->directory, name, end) < 0) context_abort("memory: no room for a path");
    int error = unlink(path) != 0 && errno != ENOENT ? errno : 0;
    free(path);
    return error;
}

/** So that no file of an earlier run stays beside those of this one; what makes it a run that could be resumed goes last.
 *  Only what a run writes, and not through links. */
static status remove_earlier(const results *results) {
    int error = checkpoint_remove_all(results->directory);
    if (error) return status_fail(STATUS_FAILURE, "%s/checkpoint: what is there cannot be removed: %s", results->directory, file_why(error));
    status code = STATUS_OK;
    int count = result_files();
    for (int k = 0; k < count + 2 && code == STATUS_OK; k++) {
        const char *name = k < count ? result_file(k) : k == count ? "stop" : PARAMETERS_FILE;
        error = remove_file(results, name, "");
        if (!error && k != count) error = remove_file(results, name, FILE_PART);
        if (error) code = status_fail(STATUS_FAILURE, "%s/%s: cannot be removed: %s", results->directory, name, strerror(error));
    }
    return code;
}

static status write_text_file(const results *results, const char *name, const char *text) {
    char *path = results_path(results, name);
    FILE *file = file_begin(path, 0666);
    if (file) fputs(text, file);
    int error = file ? file_end(file, path) : errno; /* one of fputs() as well */
    status code = error ? status_fail(STATUS_FAILURE, "%s: %s", path, file_why(error)) : STATUS_OK;
    free(path);
    return code;
}

/** A folder of something else is not to lose files to a run, which has names for its own. */
static status check_foreign(const results *results, metrics_kind metrics) {
    const char *foreign = metrics == METRICS_FOREIGN ? "metrics.csv" : NULL;
    bool run = metrics == METRICS_LOOPS || metrics == METRICS_BEGUN ||
               (exists(results, PARAMETERS_FILE) && (exists(results, "run.json") || exists(results, "checkpoint")));
    for (int k = 0; !foreign && !run && result_file(k); k++)
        if (exists(results, result_file(k))) foreign = result_file(k);
    if (!foreign && !run && exists(results, PARAMETERS_FILE)) foreign = PARAMETERS_FILE;
    return !foreign ? STATUS_OK
                    : status_fail(STATUS_INPUT, "%s holds no run of engram, but the file %s, which a run would replace; give -o another directory",
                                  results->directory, foreign);
}

/** A directory that is there: is it one, and free? On rank 0. */
static status check_free(const results *results, bool overwrite) {
    struct stat found;
    if (stat(results->directory, &found) != 0) return status_fail(STATUS_INPUT, "output directory %s: %s", results->directory, strerror(errno));
    if (!S_ISDIR(found.st_mode)) return status_fail(STATUS_INPUT, "output directory %s: is a file", results->directory);
    const char *sign = exists(results, PARAMETERS_FILE) ? PARAMETERS_FILE : "metrics.csv";
    metrics_kind metrics = metrics_look(results);
    if (!overwrite && (exists(results, PARAMETERS_FILE) || metrics == METRICS_LOOPS))
        return status_fail(STATUS_INPUT, "%s already holds a run (%s/%s); give -o another directory, --resume %s to go on with it, or --overwrite",
                           results->directory, results->directory, sign, results->directory);
    status result = status_worse(check_foreign(results, metrics), checkpoint_check_folder(results->directory));
    return result == STATUS_OK ? check_folders(results) : result;
}

/** A run that goes on there holds its lock. On rank 0. */
static status check_unlocked(const results *results) {
    char *path = results_path(results, "metrics.csv");
    int descriptor = file_open(path, O_RDONLY);
    bool taken = descriptor >= 0 && flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (descriptor >= 0) close(descriptor);
    free(path);
    return taken ? status_fail(STATUS_INPUT, "%s: another engram is writing to this run", results->directory) : STATUS_OK;
}

/** Try to make a folder in the directory or, if it is not there, in the nearest folder above it that is. On rank 0.
 *  @param trial its name, or "" @return STATUS_OK if it is made, and to be removed */
static status make_trial(const char *directory, char trial[PATH_MAX]) {
    struct stat found;
    char *folder = strdup(directory);
    while (lstat(folder, &found) != 0 && strrchr(folder, '/') && strcmp(folder, "/") != 0) {
        char *slash = strrchr(folder, '/');
        slash[slash == folder] = '\0';
    }
    if (lstat(folder, &found) != 0) strcpy(folder, "."); /* a name without a slash */
    bool fits = snprintf(trial, PATH_MAX, "%s/.engram-XXXXXX", folder) < PATH_MAX, made = fits && mkdtemp(trial) != NULL;
    int error = fits ? errno : ENAMETOOLONG;
    free(folder);
    if (made) return STATUS_OK;
    *trial = '\0';
    return status_fail(file_refused(error), "output directory %s: %s", directory, strerror(error));
}

/** Can something be made in the directory, and do all ranks see it there? @return agreed and printed */
static status check_room(const context *context, const char *directory) {
    char trial[PATH_MAX] = "";
    status result = status_agree(context, context->rank == 0 ? make_trial(directory, trial) : STATUS_OK);
    if (result != STATUS_OK) return result;
    CHECK_MPI(MPI_Bcast(trial, PATH_MAX, MPI_CHAR, 0, context->comm));
    char *what;
    if (asprintf(&what, "output directory %s", directory) < 0) context_abort("memory: no room for a message");
    result = file_seen_by_all(context, what, trial);
    free(what);
    if (context->rank == 0) rmdir(trial);
    return result;
}

static status check_on_root(const results *results, bool overwrite) {
    struct stat found;
    if (results->directory[0] == '\0') return status_fail(STATUS_INPUT, "the output directory has no name; give -o DIR or output.directory");
    status code = lstat(results->directory, &found) == 0 ? check_free(results, overwrite) : STATUS_OK;
    return code == STATUS_OK ? check_unlocked(results) : code;
}

/** On rank 0 only. */
static status open_on_root(results *results, const char *parameters, bool overwrite) {
    if (make_directories(results->directory) != 0) return status_fail(file_refused(errno), "output directory %s: %s", results->directory, strerror(errno));
    status code = check_free(results, overwrite);
    if (code == STATUS_OK) code = metrics_lock(results);
    if (code == STATUS_OK && overwrite) code = remove_earlier(results);
    if (code != STATUS_OK) return code;
    if (ftruncate(results->metrics, 0) != 0) return status_fail(STATUS_FAILURE, "%s/metrics.csv: %s", results->directory, strerror(errno));
    code = metrics_append(results, results->header);
    return code == STATUS_OK ? write_text_file(results, PARAMETERS_FILE, parameters) : code;
}

/** Without slashes at its end. @return the same text */
static char *without_slashes(char *directory) {
    for (size_t length = strlen(directory); length > 1 && directory[length - 1] == '/';) directory[--length] = '\0';
    return directory;
}

static void begin(char *directory, const learning_system *system, const char *tests, results *results) {
    *results = (struct results){.directory = without_slashes(directory),
                                .metrics = -1,
                                .digest = METRICS_NO_LINES,
                                .system = system,
                                .header = metrics_make_header(system, tests),
                                .started = clock_seconds()};
    metrics_read_columns(results, results->header);
}

char *results_directory(const config *config, const run_options *options) {
    const output_settings *output = config_common((struct config *)(uintptr_t)config, "output");
    char *directory = strdup(options->directory ? options->directory : output->directory);
    if (!directory) context_abort("memory: no room for a path");
    return directory;
}

status results_check(const context *context, const char *directory, bool overwrite) {
    results results = {.directory = without_slashes(strdup(directory)), .metrics = -1};
    status code = status_agree(context, context->rank == 0 ? check_on_root(&results, overwrite) : STATUS_OK);
    if (code == STATUS_OK) code = check_room(context, results.directory);
    results_close(&results);
    return code;
}

/** What stands where the path has a folder, so that none can be made there. @return its name, owned by the caller (free); NULL: nothing */
static char *in_the_way(const char *directory) {
    struct stat found;
    for (const char *end = directory + strspn(directory, "/"); *end; end += strspn(end, "/")) {
        end += strcspn(end, "/");
        char *part = strndup(directory, (size_t)(end - directory));
        if (!part) context_abort("memory: no room for a path");
        const bool there = lstat(part, &found) == 0;
        if (there && !(stat(part, &found) == 0 && S_ISDIR(found.st_mode))) return part;
        free(part);
        if (!there) return NULL;
    }
    return NULL;
}

/** Why it can be no folder. @param[out] text [PATH_MAX + 80] @return whether it cannot */
static bool say_in_the_way(const char *directory, char *text) {
    char *way = in_the_way(directory);
    struct stat found;
    if (!way) return false;
    const char *what = stat(way, &found) == 0 ? "is a file" : "is a link that leads to no folder";
    const bool whole = !directory[strlen(way) + strspn(directory + strlen(way), "/")];
    snprintf(text, PATH_MAX + 80, "%s%s%s%s", whole ? "" : "cannot be made: ", whole ? "" : way, whole ? "" : " ", what);
    free(way);
    return true;
}

status results_check_directory(const config *config, const char *given) {
    static const char longest[] = "/checkpoint/spikes-0000000000-0000000000.h5.part";
    struct config *own = (struct config *)(uintptr_t)config;
    const char *name = given ? given : ((const output_settings *)config_common(own, "output"))->directory, *why = file_unexpanded(name);
    const size_t bytes = strlen(name), most = PATH_MAX - sizeof longest;
    const char *more = bytes > 200 ? "..." : "";
    char much[160], way[PATH_MAX + 80];
    if (!why && bytes > most) {
        snprintf(much, sizeof much, "is too long: it has %zu bytes, of which what is written there leaves it %zu; give a shorter name", bytes, most);
        why = much;
    }
    if (!why && say_in_the_way(name, way)) why = way;
    if (!why) return STATUS_OK;
    if (given) return status_fail(STATUS_INPUT, "output directory %.200s%s: %s", name, more, why);
    return config_complain(own, "output", "directory", "'%.200s%s' %s", name, more, why);
}

status results_check_planned(const config *config, const char *given) {
    const run_options options = {.directory = given};
    results results = {.directory = without_slashes(results_directory(config, &options)), .metrics = -1};
    status result = results_check_directory(config, given);
    if (result == STATUS_OK && file_exists(results.directory)) result = check_free(&results, true);
    results_close(&results);
    return result;
}

status results_open(const context *context, char *directory, const results_begin *with, results *results) {
    begin(directory, with->system, with->tests, results);
    return status_agree(context, context->rank == 0 ? open_on_root(results, with->parameters, with->overwrite) : STATUS_OK);
}

/** Lock the run, and look whether it is still as it was when the checkpoint was chosen. */
static status reopen_on_root(results *results, const resume_point *point) {
    status code = checkpoint_check_folder(results->directory);
    if (code == STATUS_OK) code = check_folders(results);
    if (code == STATUS_OK) code = metrics_lock(results);
    if (code == STATUS_OK && checkpoint_newest(results->directory) != point->newest)
        code = status_fail(STATUS_INPUT, "%s: another process went on with this run meanwhile; resume it again", results->directory);
    if (code == STATUS_OK && point->checkpoint) code = metrics_compare(results, point->loop, point->origin.metrics_digest);
    return code;
}

status results_reopen(const context *context, char *directory, const results_begin *with, const resume_point *point, results *results) {
    begin(directory, with->system, with->tests, results);
    results->digest = point->checkpoint ? point->origin.metrics_digest : METRICS_NO_LINES;
    status code = status_agree(context, context->rank == 0 ? reopen_on_root(results, point) : STATUS_OK);
    return code == STATUS_OK ? check_room(context, results->directory) : code;
}

static status rewind_on_root(results *results, const char *parameters, int64_t loop) {
    status code = metrics_cut(results, loop);
    checkpoint_remove_parts(results->directory);
    checkpoint_forget_best(results->directory, loop);
    return code == STATUS_OK ? write_text_file(results, PARAMETERS_FILE, parameters) : code;
}

status results_rewind(const context *context, results *results, const char *parameters, int64_t loop) {
    return status_agree(context, context->rank == 0 ? rewind_on_root(results, parameters, loop) : STATUS_OK);
}

bool results_hold_run(const context *context, const char *directory) {
    const results results = {.directory = (char *)(uintptr_t)directory};
    int there = context->rank == 0 && exists(&results, PARAMETERS_FILE);
    CHECK_MPI(MPI_Bcast(&there, 1, MPI_INT, 0, context->comm));
    return there;
}

void results_close(results *results) {
    if (results->metrics >= 0) close(results->metrics);
    free(results->directory);
    free(results->header);
    *results = (struct results){.metrics = -1};
}
