/* metrics.csv: begun, locked, written line by line, cut back and compared. Its lines are read by metrics.c. */
#include "metrics_file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "best.h"
#include "engram/clock.h"
#include "engram/files.h"
#include "engram/memory.h"
#include "metrics.h"

/** What a column of metrics.csv holds, beside the system's metrics and scores. */
enum { COLUMN_LOOP = -1, COLUMN_TASK = -2, COLUMN_SECONDS = -3, COLUMN_RATE = -4, COLUMN_MEMORY = -5, COLUMN_UNKNOWN = -6 };
static const struct { const char *name; int column; } common_columns[] = {
    {"loop", COLUMN_LOOP}, {"task", COLUMN_TASK}, {"seconds", COLUMN_SECONDS}, {"rate_hz", COLUMN_RATE}, {"memory_mib", COLUMN_MEMORY}};

/** The first line of metrics.csv: the score stands behind the rate (metrics_digest()). @return owned by the caller, free() */
char *metrics_make_header(const learning_system *system, const char *tests) {
    char *text = NULL;
    size_t bytes;
    const int columns = (int)(sizeof common_columns / sizeof *common_columns) + system->metric_count + system->score_count;
    if (columns > METRIC_COLUMNS_MAX) context_abort("%s: metrics.csv would have %d columns; at most %d", system->name, columns, METRIC_COLUMNS_MAX);
    FILE *line = open_memstream(&text, &bytes);
    if (!line) context_abort("memory: no room for a line of metrics.csv");
    fputs("loop,task,seconds,rate_hz", line);
    for (int m = 0; m < system->metric_count; m++) fprintf(line, ",%s", system->metrics[m].name);
    for (int m = 0; tests && m < system->score_count; m++) fprintf(line, ",%s%s", tests, system->scores[m].name);
    fputs(",memory_mib\n", line);
    fclose(line);
    return text;
}

static int column_of(const learning_system *system, const char *name, size_t length) {
    for (size_t k = 0; k < sizeof common_columns / sizeof *common_columns; k++)
        if (strlen(common_columns[k].name) == length && strncmp(common_columns[k].name, name, length) == 0) return common_columns[k].column;
    for (int m = 0; m < system->metric_count; m++)
        if (strlen(system->metrics[m].name) == length && strncmp(system->metrics[m].name, name, length) == 0) return m;
    for (int validates = 0; validates < 2; validates++) {
        const char *prefix = best_prefix(validates);
        const size_t before = strlen(prefix);
        for (int m = 0; m < system->score_count; m++)
            if (length > before && strlen(system->scores[m].name) == length - before && strncmp(name, prefix, before) == 0 &&
                strncmp(system->scores[m].name, name + before, length - before) == 0)
                return system->metric_count + m;
    }
    return COLUMN_UNKNOWN;
}

/** Columns of a header: those of the file, whatever version began it. */
void metrics_read_columns(results *results, const char *header) {
    results->columns = 0;
    for (const char *at = header; *at && *at != '\n' && results->columns < METRIC_COLUMNS_MAX; at += *at == ',') {
        size_t length = strcspn(at, ",\n");
        results->column[results->columns++] = column_of(results->system, at, length);
        at += length;
    }
}

/** For this process alone, where the file system has locks. */
static status lock(const results *results) {
    int failed;
    do failed = flock(results->metrics, LOCK_EX | LOCK_NB); while (failed && errno == EINTR);
    if (failed && errno == EWOULDBLOCK) return status_fail(STATUS_INPUT, "%s: another engram is writing to this run", results->directory);
    if (failed)
        fprintf(stderr, "engram: warning: %s/metrics.csv cannot be locked (%s): nothing keeps another engram from writing to this run at the same time\n",
                results->directory, strerror(errno));
    return STATUS_OK;
}

/** Open metrics.csv without touching what is in it, for this process alone. On rank 0. */
status metrics_lock(results *results) {
    struct stat found;
    char *path = results_path(results, "metrics.csv");
    status code = STATUS_OK;
    results->metrics = file_open(path, O_RDWR | O_CREAT);
    if (results->metrics < 0 || fstat(results->metrics, &found) != 0)
        code = status_fail(file_refused(errno), "%s: %s", path, file_why(errno));
    else if (found.st_nlink > 1)
        code = status_fail(STATUS_INPUT, "%s: has %lld names (hard links), and would change under all of them: replace it by a copy", path,
                           (long long)found.st_nlink);
    else
        code = lock(results);
    if (code == STATUS_OK && !file_is_at(results->metrics, path)) code = status_fail(STATUS_INPUT, "%s: was moved or replaced just now; try again", path);
    free(path);
    return code;
}

/** Append whole lines; after an error the file is as before. On rank 0. */
status metrics_append(results *results, const char *text) {
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

metrics_kind metrics_look(const results *results) {
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
    status code = all ? metrics_append(results, text) : STATUS_OK;
    if (code == STATUS_OK && ftruncate(results->metrics, bytes) != 0)
        code = status_fail(STATUS_FAILURE, "%s/metrics.csv: %s", results->directory, strerror(errno));
    return code;
}

status metrics_cut(results *results, int64_t loop) {
    char *text = read_metrics(results), *path = results_path(results, "metrics.csv");
    if (!text) {
        free(path);
        return STATUS_FAILURE;
    }
    metrics_lines kept = metrics_keep(text, loop, results->header, path);
    metrics_read_columns(results, text);
    if (!results->digest && kept.loops == loop) results->digest = kept.digest; /* an earlier version kept none */
    if (kept.loops < loop) fprintf(stderr, "engram: warning: %s has lines for %lld of %lld loops\n", path, (long long)kept.loops, (long long)loop);
    status code = replace_metrics(results, text, kept.bytes, kept.rewritten);
    free(text);
    free(path);
    return code;
}

/** Are the lines those that the run wrote up to @p loop? Where some are missing nobody can tell. On rank 0. */
status metrics_compare(const results *results, int64_t loop, uint64_t digest) {
    char *text = read_metrics(results);
    if (!text) return STATUS_FAILURE;
    metrics_lines kept = metrics_keep(text, loop, results->header, NULL);
    free(text);
    if (kept.loops != loop || !digest || kept.digest == digest) return STATUS_OK;
    return status_fail(STATUS_INPUT,
                       "%s/metrics.csv is not what this run wrote in loops 1 to %lld: it is of another run, or was changed; bring the run's own back, or "
                       "remove it to go on without those lines",
                       results->directory, (long long)loop);
}

/** Does the run still stand where it was begun? Files of a folder that was moved go to where nobody looks for them, or to another run's. On rank 0. Said
 *  once. */
status metrics_check_there(results *results) {
    if (results->gone) return STATUS_FAILURE;
    char *path = results_path(results, "metrics.csv");
    results->gone = !file_is_at(results->metrics, path);
    results->looked = clock_seconds();
    if (results->gone)
        status_fail(STATUS_FAILURE, "%s: %s: it, or the folder, was moved, removed or replaced while the run was writing to it; nothing more is written there",
                    path, file_exists(path) ? "is another file now" : strerror(ENOENT));
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
    status code = clock_seconds() - results->looked > 1 ? metrics_check_there(results) : STATUS_OK;
    if (code == STATUS_OK) code = metrics_append(results, text);
    if (code == STATUS_OK && results->digest) results->digest += metrics_digest(text);
    free(text);
    return code;
}

status results_sync(results *results) {
    if (results->metrics < 0) return STATUS_OK;
    status there = metrics_check_there(results);
    if (there != STATUS_OK) return there;
    int failed;
    do failed = fsync(results->metrics); while (failed && errno == EINTR);
    return failed ? status_fail(STATUS_FAILURE, "%s/metrics.csv: %s", results->directory, strerror(errno)) : STATUS_OK;
}
