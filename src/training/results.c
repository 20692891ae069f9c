/* The output directory, metrics.csv and run.json. */
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

/** What a column of metrics.csv holds, beside the system's metrics and scores. */
enum { COLUMN_LOOP = -1, COLUMN_TASK = -2, COLUMN_SECONDS = -3, COLUMN_RATE = -4, COLUMN_MEMORY = -5, COLUMN_UNKNOWN = -6 };
static const struct { const char *name; int column; } common_columns[] = {
    {"loop", COLUMN_LOOP}, {"task", COLUMN_TASK}, {"seconds", COLUMN_SECONDS}, {"rate_hz", COLUMN_RATE}, {"memory_mib", COLUMN_MEMORY}};

/** The first line of metrics.csv: the score stands behind the rate (metrics_digest()). @return owned by the caller, free() */
static char *make_header(const learning_system *system, bool tests) {
    char *text = NULL;
    size_t bytes;
    FILE *line = open_memstream(&text, &bytes);
    if (!line) context_abort("memory: no room for a line of metrics.csv");
    fputs("loop,task,seconds,rate_hz", line);
    for (int m = 0; m < system->metric_count; m++) fprintf(line, ",%s", system->metrics[m].name);
    for (int m = 0; tests && m < system->score_count; m++) fprintf(line, ",test_%s", system->scores[m].name);
    fputs(",memory_mib\n", line);
    fclose(line);
    return text;
}

static int column_of(const learning_system *system, const char *name, size_t length) {
    for (size_t k = 0; k < sizeof common_columns / sizeof *common_columns; k++)
        if (strlen(common_columns[k].name) == length && strncmp(common_columns[k].name, name, length) == 0) return common_columns[k].column;
    for (int m = 0; m < system->metric_count; m++)
        if (strlen(system->metrics[m].name) == length && strncmp(system->metrics[m].name, name, length) == 0) return m;
    for (int m = 0; m < system->score_count; m++)
        if (length > 5 && strlen(system->scores[m].name) == length - 5 && strncmp(system->scores[m].name, name + 5, length - 5) == 0 && strncmp(name, "test_", 5) == 0)
            return system->metric_count + m;
    return COLUMN_UNKNOWN;
}

/** Columns of a header: those of the file, whatever version began it. */
static void read_columns(results *results, const char *header) {
    results->columns = 0;
    for (const char *at = header; *at && *at != '\n' && results->columns < METRIC_COLUMNS_MAX; at += *at == ',') {
        size_t length = strcspn(at, ",\n");
        results->column[results->columns++] = column_of(results->system, at, length);
        at += length;
    }
}

char *results_path(const results *results, const char *name) {
    char *path;
    if (asprintf(&path, "%s/%s", results->directory, name) < 0) context_abort("memory: no room for a path");
    return path;
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

/** What a run leaves beside metrics.csv, parameters.yaml and checkpoints. */
static const char *const result_files[] = {"run.json", "spikes.h5", "report.h5", "nodes.h5", "node_types.csv", "edges.h5", "targets.h5", "test.h5", "test.json"};
enum { RESULT_FILES = sizeof result_files / sizeof *result_files };

/** A folder that has the name of a file of the run cannot be replaced by one, and is not removed. */
static status check_folders(const results *results) {
    static const char *const others[] = {PARAMETERS_FILE, "stop"};
    status result = STATUS_OK;
    for (int k = 0; k < 2 * (RESULT_FILES + 2) && result == STATUS_OK; k++) {
        const char *name = k / 2 < RESULT_FILES ? result_files[k / 2] : others[k / 2 - RESULT_FILES];
        struct stat found;
        char *path;
        if (asprintf(&path, "%s/%s%s", results->directory, name, k % 2 ? FILE_PART : "") < 0) context_abort("memory: no room for a path");
        if (lstat(path, &found) == 0 && S_ISDIR(found.st_mode)) result = status_fail(STATUS_INPUT, "%s: is a folder, where the run has a file; move it away", path);
        free(path);
    }
    return result == STATUS_OK ? checkpoint_check_files(results->directory) : result;
}

/** Of one folder? Neither need be there. */
static bool same_folder(const char *a, const char *b) {
    struct stat one, other;
    return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

bool results_own(const char *directory, const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char *folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup("."), *checkpoints = checkpoint_path(directory, "");
    if (!folder) context_abort("memory: no room for a path");
    bool own = same_folder(folder, checkpoints);
    if (!own && same_folder(folder, directory)) {
        own = strcmp(name, PARAMETERS_FILE) == 0 || strcmp(name, "metrics.csv") == 0;
        for (int k = 0; k < RESULT_FILES && !own; k++) own = strcmp(name, result_files[k]) == 0;
    }
    free(folder);
    free(checkpoints);
    return own;
}

/** Not a folder of that name. @return errno, 0 for none */
static int remove_file(const results *results, const char *name, const char *end) {
    char *path;
    if (asprintf(&path, "%s/%s%s", results->directory, name, end) < 0) context_abort("memory: no room for a path");
    int error = unlink(path) != 0 && errno != ENOENT ? errno : 0;
    free(path);
    return error;
}

/** So that no file of an earlier run stays beside those of this one; what makes it a run that could be resumed goes last. Only what a run writes, and not through links. */
static status remove_earlier(const results *results) {
    int error = checkpoint_remove_all(results->directory);
    if (error) return status_fail(STATUS_FAILURE, "%s/checkpoint: what is there cannot be removed: %s", results->directory, file_why(error));
    status code = STATUS_OK;
    for (int k = 0; k < RESULT_FILES + 2 && code == STATUS_OK; k++) {
        const char *name = k < RESULT_FILES ? result_files[k] : k == RESULT_FILES ? "stop" : PARAMETERS_FILE;
        error = remove_file(results, name, "");
        if (!error && k != RESULT_FILES) error = remove_file(results, name, FILE_PART);
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

/** For this process alone, where the file system has locks. */
static status lock(const results *results) {
    int failed;
    do failed = flock(results->metrics, LOCK_EX | LOCK_NB); while (failed && errno == EINTR);
    if (failed && errno == EWOULDBLOCK) return status_fail(STATUS_INPUT, "%s: another engram is writing to this run", results->directory);
    if (failed) fprintf(stderr, "engram: warning: %s/metrics.csv cannot be locked (%s): nothing keeps another engram from writing to this run at the same time\n", results->directory, strerror(errno));
    return STATUS_OK;
}

/** Open metrics.csv without touching what is in it, for this process alone. On rank 0. */
static status lock_metrics(results *results) {
    struct stat found;
    char *path = results_path(results, "metrics.csv");
    status code = STATUS_OK;
    results->metrics = file_open(path, O_RDWR | O_CREAT);
    if (results->metrics < 0 || fstat(results->metrics, &found) != 0)
        code = status_fail(file_refused(errno), "%s: %s", path, file_why(errno));
    else if (found.st_nlink > 1)
        code = status_fail(STATUS_INPUT, "%s: has %lld names (hard links), and would change under all of them: replace it by a copy", path, (long long)found.st_nlink);
    else
        code = lock(results);
    if (code == STATUS_OK && !file_is_at(results->metrics, path)) code = status_fail(STATUS_INPUT, "%s: was moved or replaced just now; try again", path);
    free(path);
    return code;
}

/** Append whole lines; after an error the file is as before. On rank 0. */
static status append_metrics(results *results, const char *text) {
    int64_t length = (int64_t)strlen(text), done = 0;
    while (done < length) {
        ssize_t put = pwrite(results->metrics, text + done, (size_t)(length - done), results->bytes + done);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) {
            status code = status_fail(STATUS_FAILURE, "%s/metrics.csv: %s", results->directory, put < 0 ? strerror(errno) : "no room");
            if (ftruncate(results->metrics, results->bytes) != 0) status_fail(STATUS_FAILURE, "%s/metrics.csv: %s", results->directory, strerror(errno));
            return code;
        }
        done += put;
    }
    results->bytes += length;
    return STATUS_OK;
}

static bool exists(const results *results, const char *name) {
    char *path = results_path(results, name);
    bool there = file_exists(path);
    free(path);
    return there;
}

/** What metrics.csv says of the folder; a killed run leaves an empty one, or a header alone. */
typedef enum { METRICS_NONE, METRICS_FOREIGN, METRICS_BEGUN, METRICS_LOOPS } metrics_kind;

static metrics_kind look_at_metrics(const results *results) {
    static const char ours[] = "loop,task,";
    char *path = results_path(results, "metrics.csv"), text[256];
    int descriptor = file_open(path, O_RDONLY);
    ssize_t got = descriptor < 0 ? -1 : read(descriptor, text, sizeof text - 1);
    metrics_kind kind = got < 0 ? file_exists(path) ? METRICS_FOREIGN : METRICS_NONE : METRICS_BEGUN;
    if (got > 0) {
        text[got] = '\0';
        const char *line = strchr(text, '\n');
        kind = strncmp(text, ours, sizeof ours - 1) != 0 ? METRICS_FOREIGN : line && line[1] ? METRICS_LOOPS : METRICS_BEGUN;
    }
    if (descriptor >= 0) close(descriptor);
    free(path);
    return kind;
}

/** A folder of something else is not to lose files to a run, which has names for its own. */
static status check_foreign(const results *results, metrics_kind metrics) {
    const char *foreign = metrics == METRICS_FOREIGN ? "metrics.csv" : NULL;
    bool run = metrics == METRICS_LOOPS || metrics == METRICS_BEGUN || (exists(results, PARAMETERS_FILE) && (exists(results, "run.json") || exists(results, "checkpoint")));
    for (int k = 0; k < RESULT_FILES && !foreign && !run; k++)
        if (exists(results, result_files[k])) foreign = result_files[k];
    if (!foreign && !run && exists(results, PARAMETERS_FILE)) foreign = PARAMETERS_FILE;
    return !foreign ? STATUS_OK : status_fail(STATUS_INPUT, "%s holds no run of engram, but the file %s, which a run would replace; give -o another directory", results->directory, foreign);
}

/** A directory that is there: is it one, and free? On rank 0. */
static status check_free(const results *results, bool overwrite) {
    struct stat found;
    if (stat(results->directory, &found) != 0) return status_fail(STATUS_INPUT, "output directory %s: %s", results->directory, strerror(errno));
    if (!S_ISDIR(found.st_mode)) return status_fail(STATUS_INPUT, "output directory %s: is a file", results->directory);
    const char *sign = exists(results, PARAMETERS_FILE) ? PARAMETERS_FILE : "metrics.csv";
    metrics_kind metrics = look_at_metrics(results);
    if (!overwrite && (exists(results, PARAMETERS_FILE) || metrics == METRICS_LOOPS))
        return status_fail(STATUS_INPUT, "%s already holds a run (%s/%s); give -o another directory, --resume %s to go on with it, or --overwrite", results->directory,
                           results->directory, sign, results->directory);
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

/** Try to make a folder in the directory or, if it is not there, in the nearest folder above it that is. On rank 0. */
static status check_room(const results *results) {
    struct stat found;
    char *folder = strdup(results->directory), *trial = NULL;
    while (lstat(folder, &found) != 0 && strrchr(folder, '/') && strcmp(folder, "/") != 0) {
        char *slash = strrchr(folder, '/');
        slash[slash == folder] = '\0';
    }
    if (lstat(folder, &found) != 0) strcpy(folder, "."); /* a name without a slash */
    if (asprintf(&trial, "%s/.engram-XXXXXX", folder) < 0) context_abort("memory: no room for a path");
    bool made = mkdtemp(trial) != NULL;
    status result = made ? STATUS_OK : status_fail(file_refused(errno), "output directory %s: %s", results->directory, strerror(errno));
    if (made) rmdir(trial);
    free(folder);
    free(trial);
    return result;
}

static status check_on_root(const results *results, bool overwrite) {
    struct stat found;
    if (results->directory[0] == '\0') return status_fail(STATUS_INPUT, "the output directory has no name; give -o DIR or output.directory");
    status code = lstat(results->directory, &found) == 0 ? check_free(results, overwrite) : STATUS_OK;
    if (code == STATUS_OK) code = check_unlocked(results);
    return code == STATUS_OK ? check_room(results) : code;
}

/** On rank 0 only. */
static status open_on_root(results *results, const char *parameters, bool overwrite) {
    if (make_directories(results->directory) != 0) return status_fail(file_refused(errno), "output directory %s: %s", results->directory, strerror(errno));
    status code = check_free(results, overwrite);
    if (code == STATUS_OK) code = lock_metrics(results);
    if (code == STATUS_OK && overwrite) code = remove_earlier(results);
    if (code != STATUS_OK) return code;
    if (ftruncate(results->metrics, 0) != 0) return status_fail(STATUS_FAILURE, "%s/metrics.csv: %s", results->directory, strerror(errno));
    code = append_metrics(results, results->header);
    return code == STATUS_OK ? write_text_file(results, PARAMETERS_FILE, parameters) : code;
}

static void begin(char *directory, const learning_system *system, bool tests, results *results) {
    *results = (struct results){.directory = directory, .metrics = -1, .digest = METRICS_NO_LINES, .system = system, .header = make_header(system, tests), .started = clock_seconds()};
    read_columns(results, results->header);
    for (size_t length = strlen(directory); length > 1 && directory[length - 1] == '/';) directory[--length] = '\0';
}

char *results_directory(const config *config, const run_options *options) {
    const output_settings *output = config_common((struct config *)(uintptr_t)config, "output");
    char *directory = strdup(options->directory ? options->directory : output->directory);
    if (!directory) context_abort("memory: no room for a path");
    return directory;
}

status results_check(const context *context, const char *directory, bool overwrite) {
    results results;
    begin(strdup(directory), learning_systems[0], false, &results);
    status code = status_agree(context, context->rank == 0 ? check_on_root(&results, overwrite) : STATUS_OK);
    results_close(&results);
    return code;
}

status results_check_directory(const config *config, const char *given) {
    static const char longest[] = "/checkpoint/spikes-0000000000-0000000000.h5.part";
    struct config *own = (struct config *)(uintptr_t)config;
    const char *name = given ? given : ((const output_settings *)config_common(own, "output"))->directory, *why = file_unexpanded(name);
    if (!why && strlen(name) + strlen(longest) >= PATH_MAX) why = "is too long for the names of what is written there";
    if (!why) return STATUS_OK;
    if (given) return status_fail(STATUS_INPUT, "output directory %s: %s; write it in full (or ./~ for a name that begins so)", name, why);
    return config_complain(own, "output", "directory", "'%s' %s; write it in full (or ./~ for a name that begins so)", name, why);
}

status results_open(const context *context, char *directory, const results_begin *with, results *results) {
    begin(directory, with->system, with->tests, results);
    return status_agree(context, context->rank == 0 ? open_on_root(results, with->parameters, with->overwrite) : STATUS_OK);
}

/** metrics.csv as it is, with room for a header more. @return owned; NULL with a message */
static char *read_metrics(const results *results) {
    struct stat found;
    if (fstat(results->metrics, &found) != 0) found.st_size = -1;
    char *text = found.st_size < 0 ? NULL : calloc((size_t)found.st_size + strlen(results->header) + 1, 1);
    if (text) errno = EIO; /* if less comes than there is */
    if (text && pread(results->metrics, text, (size_t)found.st_size, 0) == found.st_size) {
        for (char *at = text; (at = memchr(at, '\0', (size_t)(text + found.st_size - at)));) *at = '?'; /* what was never written reads as zeros */
        return text;
    }
    status_fail(STATUS_FAILURE, "%s/metrics.csv: %s", results->directory, strerror(errno));
    free(text);
    return NULL;
}

/** Put @p bytes of @p text in the place of all that is in metrics.csv. */
static status replace_metrics(results *results, const char *text, int64_t bytes, bool all) {
    results->bytes = all ? 0 : bytes;
    status code = all ? append_metrics(results, text) : STATUS_OK;
    if (code == STATUS_OK && ftruncate(results->metrics, bytes) != 0) code = status_fail(STATUS_FAILURE, "%s/metrics.csv: %s", results->directory, strerror(errno));
    return code;
}

static status cut_metrics(results *results, int64_t loop) {
    char *text = read_metrics(results), *path = results_path(results, "metrics.csv");
    if (!text) {
        free(path);
        return STATUS_FAILURE;
    }
    metrics_lines kept = metrics_keep(text, loop, results->header, path);
    read_columns(results, text);
    if (!results->digest && kept.loops == loop) results->digest = kept.digest; /* an earlier version kept none */
    if (kept.loops < loop) fprintf(stderr, "engram: warning: %s has lines for %lld of %lld loops\n", path, (long long)kept.loops, (long long)loop);
    status code = replace_metrics(results, text, kept.bytes, kept.rewritten);
    free(text);
    free(path);
    return code;
}

/** Are the lines those that the run wrote up to @p loop? Where some are missing nobody can tell. On rank 0. */
static status compare_metrics(const results *results, int64_t loop, uint64_t digest) {
    char *text = read_metrics(results);
    if (!text) return STATUS_FAILURE;
    metrics_lines kept = metrics_keep(text, loop, results->header, NULL);
    free(text);
    if (kept.loops != loop || !digest || kept.digest == digest) return STATUS_OK;
    return status_fail(STATUS_INPUT, "%s/metrics.csv is not what this run wrote in loops 1 to %lld: it is of another run, or was changed; bring the run's own back, or remove it to go on without those lines",
                       results->directory, (long long)loop);
}

/** Lock the run, and look whether it is still as it was when the checkpoint was chosen. */
static status reopen_on_root(results *results, const resume_point *point) {
    status code = checkpoint_check_folder(results->directory);
    if (code == STATUS_OK) code = check_folders(results);
    if (code == STATUS_OK) code = lock_metrics(results);
    if (code == STATUS_OK && checkpoint_newest(results->directory) != point->newest)
        code = status_fail(STATUS_INPUT, "%s: another process went on with this run meanwhile; resume it again", results->directory);
    if (code == STATUS_OK && point->checkpoint) code = compare_metrics(results, point->loop, point->origin.metrics_digest);
    return code;
}

status results_reopen(const context *context, char *directory, const results_begin *with, const resume_point *point, results *results) {
    begin(directory, with->system, with->tests, results);
    results->digest = point->checkpoint ? point->origin.metrics_digest : METRICS_NO_LINES;
    return status_agree(context, context->rank == 0 ? reopen_on_root(results, point) : STATUS_OK);
}

static status rewind_on_root(results *results, const char *parameters, int64_t loop) {
    status code = cut_metrics(results, loop);
    checkpoint_remove_parts(results->directory);
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

/** Does the run still stand where it was begun? Files of a folder that was moved go to where nobody looks for them, or to another run's. On rank 0. Said once. */
static status check_there(results *results) {
    if (results->gone) return STATUS_FAILURE;
    char *path = results_path(results, "metrics.csv");
    results->gone = !file_is_at(results->metrics, path);
    results->looked = clock_seconds();
    if (results->gone)
        status_fail(STATUS_FAILURE, "%s: %s: it, or the folder, was moved, removed or replaced while the run was writing to it; nothing more is written there", path,
                    file_exists(path) ? "is another file now" : strerror(ENOENT));
    free(path);
    return results->gone ? STATUS_FAILURE : STATUS_OK;
}

/** "%.12g", or nothing for NAN. */
static void print_number(FILE *file, double value, const char *end) {
    if (!isnan(value)) fprintf(file, "%.12g", value);
    fputs(end, file);
}

static void print_cell(FILE *line, const metrics_row *row, int column, double memory) {
    switch (column) {
    case COLUMN_LOOP: fprintf(line, "%lld", (long long)row->loop); break;
    case COLUMN_TASK: fprintf(line, "%d", row->task); break;
    case COLUMN_SECONDS: fprintf(line, "%.6f", row->seconds); break;
    case COLUMN_RATE: print_number(line, row->rate_hz, ""); break;
    case COLUMN_MEMORY: fprintf(line, "%.1f", memory); break;
    case COLUMN_UNKNOWN: break;
    default: print_number(line, row->value[column], "");
    }
}

status results_add_metrics(results *results, const metrics_row *row) {
    const context *context = results->context;
    double memory = (double)memory_resident() / 1048576, all = 0;
    CHECK_MPI(MPI_Reduce(&memory, &all, 1, MPI_DOUBLE, MPI_SUM, 0, context->comm));
    if (context->rank != 0) return STATUS_OK;
    char *text = NULL;
    size_t bytes;
    FILE *line = open_memstream(&text, &bytes);
    if (!line) context_abort("memory: no room for a line of metrics.csv");
    for (int c = 0; c < results->columns; c++) {
        print_cell(line, row, results->column[c], all);
        fputc(c + 1 < results->columns ? ',' : '\n', line);
    }
    fclose(line);
    status code = clock_seconds() - results->looked > 1 ? check_there(results) : STATUS_OK;
    if (code == STATUS_OK) code = append_metrics(results, text);
    if (code == STATUS_OK && results->digest) results->digest += metrics_digest(text);
    free(text);
    return code;
}

status results_sync(results *results) {
    if (results->metrics < 0) return STATUS_OK;
    status there = check_there(results);
    if (there != STATUS_OK) return there;
    int failed;
    do failed = fsync(results->metrics); while (failed && errno == EINTR);
    return failed ? status_fail(STATUS_FAILURE, "%s/metrics.csv: %s", results->directory, strerror(errno)) : STATUS_OK;
}

void json_print_text(FILE *file, const char *text) {
    char *valid = utf8_from_bytes(text);
    fputc('"', file);
    for (const unsigned char *c = (const unsigned char *)valid; *c; c++) {
        if (*c == '"' || *c == '\\')
            fprintf(file, "\\%c", *c);
        else if (*c < 0x20)
            fprintf(file, "\\u%04x", *c);
        else
            fputc(*c, file);
    }
    fputc('"', file);
    free(valid);
}

void json_print_number(FILE *file, double value) {
    if (isfinite(value))
        fprintf(file, "%.12g", value);
    else
        fputs("null", file);
}

/** Minimum, mean and maximum over ranks of each entry; valid on rank 0. */
typedef struct { double least, mean, largest; } spread;

static void spread_over_ranks(const context *context, const double *mine, int count, spread *result) {
    double *least = memory_new(MEMORY_BUFFERS, (size_t)(3 * count), sizeof(double)), *sum = least + count, *largest = sum + count;
    CHECK_MPI(MPI_Reduce(mine, least, count, MPI_DOUBLE, MPI_MIN, 0, context->comm));
    CHECK_MPI(MPI_Reduce(mine, sum, count, MPI_DOUBLE, MPI_SUM, 0, context->comm));
    CHECK_MPI(MPI_Reduce(mine, largest, count, MPI_DOUBLE, MPI_MAX, 0, context->comm));
    for (int k = 0; k < count; k++) result[k] = (spread){least[k], sum[k] / context->ranks, largest[k]};
    memory_free(least);
}

static void print_spreads(FILE *file, const char *name, const char *const *keys, const spread *spreads, int count) {
    fprintf(file, "  \"%s\": {\n", name);
    for (int k = 0; k < count; k++)
        fprintf(file, "    \"%s\": {\"min\": %.6g, \"mean\": %.6g, \"max\": %.6g}%s\n", keys[k], spreads[k].least, spreads[k].mean, spreads[k].largest, k + 1 < count ? "," : "");
    fputs("  },\n", file);
}

static void print_hosts(FILE *file, const char *names, int ranks) {
    fputs("  \"hosts\": [", file);
    int printed = 0;
    for (int rank = 0; rank < ranks; rank++) {
        const char *name = names + (size_t)rank * MPI_MAX_PROCESSOR_NAME;
        int seen = 0;
        for (int before = 0; before < rank; before++) seen |= strcmp(name, names + (size_t)before * MPI_MAX_PROCESSOR_NAME) == 0;
        if (seen) continue;
        if (printed++) fputs(", ", file);
        json_print_text(file, name);
    }
    fputs("],\n", file);
}

void json_print_figures(FILE *file, const figure_list *list, int from, const char *between) {
    for (int f = from; f < list->count; f++) {
        const figure *figure = &list->entry[f];
        bool first = figure->group && (f == from || !figure[-1].group || strcmp(figure->group, figure[-1].group) != 0);
        bool inside = figure->group && !first;
        if (f > from) fputs(inside ? ", " : between, file);
        if (first) fprintf(file, "\"%s\": {", figure->group);
        fprintf(file, "\"%s\": ", figure->name);
        if (figure->whole) fprintf(file, "%.0f", figure->value);
        else json_print_number(file, figure->value);
        bool last = figure->group && (f + 1 == list->count || !figure[1].group || strcmp(figure->group, figure[1].group) != 0);
        if (last) fputs("}", file);
    }
}

/** What the last loop was like; null where nothing was done in this part of the run. */
static void print_last(FILE *file, const learning_system *system, const metrics_row *last) {
    figure_list list = {0};
    bool any = last->loop > 0;
    figure_add(&list, "last_loop", "loop", any ? (double)last->loop : NAN);
    figure_add(&list, "last_loop", "rate_hz", any ? last->rate_hz : NAN);
    for (int m = 0; m < system->metric_count; m++) figure_add(&list, "last_loop", system->metrics[m].name, any ? last->value[m] : NAN);
    fputs("  ", file);
    json_print_figures(file, &list, 0, ",\n  ");
    fputs(",\n", file);
}

static void print_tests(FILE *file, const testing *tests) {
    fputs("  \"test\": [", file);
    for (int task = 0; tests && task < testing_tasks(tests); task++) {
        fprintf(file, "%s\n    {\"task\": %d, \"trials\": %d, ", task ? "," : "", task, testing_trials_each(tests));
        json_print_figures(file, testing_figures(tests, task), 0, ", ");
        fputs("}", file);
    }
    fputs("],\n", file);
}

/** Seconds of this rank's own work in loops: not those that went to other ranks or to the disk. */
static double useful_seconds(const timers *timers) {
    const double *seconds = timers->seconds;
    return seconds[PHASE_UPDATE] + seconds[PHASE_DELIVER] + seconds[PHASE_LEARN] + seconds[PHASE_RECORD];
}

/** What ranks tell each other for run.json; valid on rank 0. */
typedef struct {
    char *hosts; /* [ranks] names; owned */
    figure_list system;
    spread phases[PHASES], useful, memory[MEMORY_FIGURES];
} run_figures;

static void print_field(FILE *file, const char *key, double value) {
    fprintf(file, "  \"%s\": ", key);
    json_print_number(file, value);
    fputs(",\n", file);
}

static void print_build(FILE *file, const results *results) {
    const char *texts[][2] = {{"identity", results->identity ? results->identity : ""}, {"version", version_number}, {"revision", version_revision},
                              {"compiler", version_compiler}, {"flags", version_flags}, {"instructions", version_instructions()}, {"libc", version_libc()},
                              {"mpi", version_mpi()}, {"hdf5", version_hdf5()}, {"blas", version_blas()}};
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
        fprintf(file, "  \"%s\": ", texts[k][0]);
        json_print_text(file, texts[k][1]);
        fputs(k + 1 < sizeof texts / sizeof *texts ? ",\n" : "\n}\n", file);
    }
}

static void print_run(FILE *file, const results *results, const run_ending *ending, const run_figures *all) {
    const system_facts *facts = results->facts;
    const run_options *options = ending->options;
    const char *figures[MEMORY_FIGURES];
    for (int k = 0; k < MEMORY_FIGURES; k++) figures[k] = memory_figure_name(k);
    fputs("{\n  \"command\": [", file);
    for (int a = 0; a < options->argument_count; a++) {
        if (a) fputs(", ", file);
        json_print_text(file, options->arguments[a]);
    }
    fprintf(file, "],\n  \"exit_code\": %d,\n  \"stopped_by\": ", ending->code);
    json_print_text(file, ending->stopped_by);
    fprintf(file, ",\n  \"system\": \"%s\",\n  \"ranks\": %d,\n", results->system->name, results->context->ranks);
    print_hosts(file, all->hosts, results->context->ranks);
    fprintf(file, "  \"seed\": %llu,\n  \"neurons\": %lld,\n  \"loops\": %lld,\n  \"resumed_from_loop\": %lld,\n", (unsigned long long)facts->seed,
            (long long)facts->part.total, (long long)ending->loops, (long long)ending->resumed_from);
    print_field(file, "seconds", clock_seconds() - results->started);
    print_field(file, "loop_model_ms", (double)facts->loop_steps * facts->dt);
    fputs("  ", file);
    json_print_figures(file, &all->system, 0, ",\n  ");
    fputs(all->system.count ? ",\n" : "", file);
    print_last(file, results->system, ending->last);
    print_tests(file, ending->tests);
    fprintf(file, "  \"timers\": \"%s\",\n", ending->timers->wait_timed ? "detailed" : "plain");
    print_spreads(file, "phase_seconds", phase_names, all->phases, PHASES);
    fprintf(file, "  \"useful_seconds\": {\"min\": %.6g, \"mean\": %.6g, \"max\": %.6g},\n", all->useful.least, all->useful.mean, all->useful.largest);
    print_spreads(file, "memory_mib", figures, all->memory, MEMORY_FIGURES);
    print_build(file, results);
}

status results_write_run(results *results, const run_ending *ending) {
    const context *context = results->context;
    char name[MPI_MAX_PROCESSOR_NAME] = "";
    int length;
    CHECK_MPI(MPI_Get_processor_name(name, &length));
    run_figures all = {.hosts = memory_new(MEMORY_BUFFERS, (size_t)context->ranks, MPI_MAX_PROCESSOR_NAME)};
    CHECK_MPI(MPI_Gather(name, MPI_MAX_PROCESSOR_NAME, MPI_CHAR, all.hosts, MPI_MAX_PROCESSOR_NAME, MPI_CHAR, 0, context->comm));
    double mib[MEMORY_FIGURES], useful = useful_seconds(ending->timers);
    memory_figures(mib);
    if (results->system->figures) results->system->figures(results->self, &all.system);
    spread_over_ranks(context, ending->timers->seconds, PHASES, all.phases);
    spread_over_ranks(context, &useful, 1, &all.useful);
    spread_over_ranks(context, mib, MEMORY_FIGURES, all.memory);
    status written = context->rank == 0 ? check_there(results) : STATUS_OK;
    if (context->rank == 0 && written == STATUS_OK) {
        char *path = results_path(results, "run.json");
        FILE *file = file_begin(path, 0666);
        if (file) print_run(file, results, ending, &all);
        int error = file ? file_end(file, path) : errno;
        if (error) written = status_fail(STATUS_FAILURE, "%s: %s", path, file_why(error));
        free(path);
    }
    memory_free(all.hosts);
    return written;
}

void results_close(results *results) {
    if (results->metrics >= 0) close(results->metrics);
    free(results->directory);
    free(results->header);
    *results = (struct results){.metrics = -1};
}
