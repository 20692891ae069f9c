#include "run_state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "checkpoint.h"
#include "engram/files.h"
#include "metrics.h"
#include "results.h"
#include "run_json.h"

enum { SCORE_COLUMN = 4 }; /* behind loop, task, seconds and rate_hz stands the score of the system */
enum { RULE_BYTES = 64, TAIL_BYTES = 65536, TEXT_BYTES = 1 << 20, RECENT_LOOPS = 20, CELLS_MAX = 32 };

/** DIR/NAME as a string. @return errno; @param[out] path owned by the caller whatever is returned */
static int stat_file(const char *directory, const char *name, struct stat *found, char **path) {
    if (asprintf(path, "%s/%s", directory, name) < 0) {
        *path = NULL;
        return ENOMEM;
    }
    return lstat(*path, found) == 0 ? 0 : errno;
}

/** At most @p most bytes of a file from @p from on. @return owned, with a 0 behind; NULL with errno */
static char *read_part(const char *path, off_t from, size_t most) {
    FILE *file = file_open_text(path);
    char *text = file ? calloc(most + 1, 1) : NULL;
    int failed = errno;
    if (text && fseeko(file, from, SEEK_SET) == 0) {
        size_t got = fread(text, 1, most, file);
        for (char *at = text; (at = memchr(at, '\0', (size_t)(text + got - at)));) *at = '?'; /* what was never written reads as zeros */
    }
    if (text && ferror(file)) {
        failed = errno;
        free(text);
        text = NULL;
    }
    if (file) fclose(file);
    errno = failed;
    return text;
}

static double age_of(const struct stat *file, const struct timespec *now) {
    double age = (double)(now->tv_sec - file->st_mtim.tv_sec) + 1e-9 * (double)(now->tv_nsec - file->st_mtim.tv_nsec);
    return age > 0 ? age : 0; /* the clock of a file server may be ahead */
}

static bool older(const struct stat *a, const struct stat *b) {
    return a->st_mtim.tv_sec < b->st_mtim.tv_sec || (a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec < b->st_mtim.tv_nsec);
}

/* ---- metrics.csv ---- */

/** Where the columns stand that are shown. */
typedef struct { int loop, seconds, rate_hz, memory_mib, metric[RUN_METRICS_MAX], count; } columns_shown;

static int column_of(const char *header, const char *name) {
    size_t length = strlen(name);
    int column = 0;
    for (const char *at = header; *at && *at != '\n'; column++) {
        size_t cell = strcspn(at, ",\n");
        if (cell == length && strncmp(at, name, length) == 0) return column;
        at += cell;
        if (*at == ',') at++;
    }
    return -1;
}

/** Cells of a line as numbers, NAN where they are empty or none. @return number of cells */
static int split(const char *line, double *cells) {
    int count = 0;
    for (const char *at = line; count < CELLS_MAX; at++) {
        char *end;
        double value = strtod(at, &end);
        cells[count++] = end == at || *at == '\n' ? NAN : value;
        at += strcspn(at, ",\n");
        if (*at != ',') break;
    }
    return count;
}

static double cell(const double *cells, int count, int column) {
    return column >= 0 && column < count ? cells[column] : NAN;
}

static int metrics_of(const run_state *state) {
    int count = state->system ? state->system->metric_count : 0;
    return count < RUN_METRICS_MAX ? count : RUN_METRICS_MAX;
}

/** Whole lines of the tail, oldest first: the last one and the last number of each metric count, seconds of the last RECENT_LOOPS. @param[out] slowest of
 *  these */
static void read_lines(const char *tail, const columns_shown *columns, run_state *state, double *slowest) {
    double recent[RECENT_LOOPS], cells[CELLS_MAX];
    int64_t lines = 0;
    for (const char *line = tail, *end; (end = strchr(line, '\n')); line = end + 1) { /* a line without an end is being written */
        int64_t loop;
        if (!metrics_is_line(line, columns->count, &loop)) {
            state->bad_lines++;
            continue;
        }
        int count = split(line, cells);
        state->loop = loop;
        state->rate_hz = cell(cells, count, columns->rate_hz);
        state->memory_mib = cell(cells, count, columns->memory_mib);
        double score = cell(cells, count, SCORE_COLUMN);
        if (!isnan(score)) state->score = score;
        for (int m = 0; m < metrics_of(state); m++) {
            double value = cell(cells, count, columns->metric[m]);
            if (!isnan(value)) state->value[m] = value;
        }
        double seconds = cell(cells, count, columns->seconds);
        recent[lines++ % RECENT_LOOPS] = isnan(seconds) ? 0 : seconds;
    }
    int kept = lines < RECENT_LOOPS ? (int)lines : RECENT_LOOPS;
    double sum = 0;
    for (int k = 0; k < kept; k++) {
        sum += recent[k];
        if (recent[k] > *slowest) *slowest = recent[k];
    }
    if (kept) state->seconds = sum / kept;
}

static void name_score(const char *header, run_state *state) {
    for (int column = 0; *header && column < SCORE_COLUMN; column++) header += strcspn(header, ",\n"), header += *header == ',';
    snprintf(state->score_name, sizeof state->score_name, "%.*s", (int)strcspn(header, ",\n"), header);
}

static int read_metrics(const char *path, off_t bytes, run_state *state, double *slowest) {
    char *header = read_part(path, 0, 4096);
    if (!header) return errno;
    if (!*header) { /* a run that has only just begun */
        free(header);
        return 0;
    }
    columns_shown columns = {.loop = column_of(header, "loop"), .seconds = column_of(header, "seconds"), .rate_hz = column_of(header, "rate_hz"),
                             .memory_mib = column_of(header, "memory_mib"), .count = metrics_columns(header)};
    for (int m = 0; m < metrics_of(state); m++) columns.metric[m] = column_of(header, state->system->metrics[m].name);
    name_score(header, state);
    free(header);
    if (columns.loop < 0 || columns.seconds < 0) return EBADMSG;
    off_t from = bytes > TAIL_BYTES ? bytes - TAIL_BYTES : 0;
    char *tail = read_part(path, from, TAIL_BYTES);
    if (!tail) return errno;
    const char *first = strchr(tail, '\n'); /* behind the header, or the line that the tail cuts */
    if (first) read_lines(first + 1, &columns, state, slowest);
    free(tail);
    return 0;
}

/* ---- parameters.yaml and run.json: written by Engram, one "key: value" a line ---- */

/** The number behind @p key, which begins a line of @p text behind the line that begins with @p section ("": anywhere). NAN: not there */
static double number_of(const char *text, const char *section, const char *key) {
    bool inside = !*section;
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        if (*section && *line != ' ') inside = strncmp(line, section, strlen(section)) == 0;
        if (!inside || strncmp(line, key, strlen(key)) != 0) continue;
        const char *value = line + strlen(key);
        char *end;
        double number = strtod(value, &end);
        return end == value ? NAN : number;
    }
    return NAN;
}

static double number_for_system(const void *parameters, const char *section, const char *key) {
    char heading[64], line[64];
    snprintf(heading, sizeof heading, "%s:", section);
    snprintf(line, sizeof line, "  %s: ", key);
    return number_of(parameters, heading, line);
}

/** The system of the rule that parameters.yaml names. @param[out] rule [RULE_BYTES] "" where there is none */
static const learning_system *system_of_text(const char *text, char *rule) {
    const char *section = strncmp(text, "learning:\n", 10) == 0 ? text : strstr(text, "\nlearning:\n"), *key = section ? strstr(section, "\n  rule: ") : NULL;
    snprintf(rule, RULE_BYTES, "%.*s", key ? (int)strcspn(key + 9, "\n") : 0, key ? key + 9 : "");
    for (int s = 0; *rule && learning_systems[s]; s++) {
        int count;
        const param_section *sections = learning_systems[s]->sections(&count);
        for (int k = 0; k < count; k++)
            for (int v = 0; strcmp(sections[k].name, "learning") == 0 && v < sections[k].variant_count; v++)
                if (strcmp(sections[k].variants[v]->name, rule) == 0) return learning_systems[s];
    }
    return NULL;
}

static void read_parameters(const char *text, run_state *state, double *trials) {
    double loops = number_of(text, "learning:", "  loops: ");
    if (loops >= 0) state->loops = (int64_t)loops;
    *trials = number_of(text, "test:", "  trials: ");
    if (isnan(*trials)) *trials = number_of(text, "output:", "  test_trials: "); /* of earlier programs */
    if (isnan(*trials)) *trials = 0;
}

/** How the run ended, if run.json is of its last part: it came after parameters.yaml, which every part writes when it begins;
 *  or it tells of a run that is done. */
static bool read_end(const char *path, bool of_this_part, run_state *state) {
    char *text = read_part(path, 0, TEXT_BYTES);
    if (!text) return false;
    double loops;
    bool said = run_json_read(text, &state->exit_code, &loops);
    state->good_enough = said && strstr(text, "\n  \"stopped_by\": \"test.stop_at\"");
    free(text);
    return said && (of_this_part || (state->exit_code == 0 && loops == (double)state->loop && (state->loop == state->loops || state->good_enough)));
}

/* ---- checkpoints and the lock ---- */

static void find_checkpoint(const char *directory, const struct timespec *now, run_state *state) {
    char *folder;
    struct stat found;
    if (stat_file(directory, "checkpoint", &found, &folder) == 0) {
        state->best = checkpoint_best(directory);
        DIR *entries = checkpoint_open_folder(directory);
        for (struct dirent *entry; entries && (entry = readdir(entries));) {
            int64_t loop = checkpoint_kind_of(entry->d_name) == CHECKPOINT_GENERATION ? strtoll(entry->d_name + strlen("loop-"), NULL, 10) : -1;
            if (loop <= state->saved || fstatat(dirfd(entries), entry->d_name, &found, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(found.st_mode)) continue;
            state->saved = loop;
            state->saved_ago = age_of(&found, now);
        }
        if (entries) closedir(entries);
    }
    free(folder);
}

/** Whether a process of this machine has locked the file: as /proc/locks tells, so that nothing is locked here, which a run that begins might stumble over. */
static bool is_locked(const struct stat *file) {
    FILE *locks = fopen("/proc/locks", "r");
    char line[256];
    bool found = false;
    while (locks && !found && fgets(line, sizeof line, locks)) {
        unsigned int high, low;
        unsigned long long inode;
        if (sscanf(line, "%*d: FLOCK %*s %*s %*d %x:%x:%llu", &high, &low, &inode) == 3)
            found = inode == (unsigned long long)file->st_ino && high == major(file->st_dev) && low == minor(file->st_dev);
    }
    if (locks) fclose(locks);
    return found;
}

/* ---- all together ---- */

int run_state_find(const char *directory) {
    struct stat found;
    if (stat(directory, &found) != 0) return errno;
    if (!S_ISDIR(found.st_mode)) return ENOTDIR;
    if (access(directory, R_OK | X_OK) != 0) return errno;
    for (int k = 0; k < 2; k++) {
        char *path;
        int missing = stat_file(directory, k ? "metrics.csv" : PARAMETERS_FILE, &found, &path);
        free(path);
        if (missing) return missing;
    }
    return 0;
}

static run_phase phase_of(const run_state *state, bool ended) {
    if (ended && !state->seen) return state->exit_code == 0 ? RUN_DONE : state->exit_code == 75 ? RUN_STOPPED : RUN_FAILED;
    if (!state->seen && state->silent > state->patience) return RUN_SILENT;
    return state->loops >= 0 && state->loop >= state->loops ? RUN_FINISHING : state->loop > 0 ? RUN_TRAINING : RUN_STARTING;
}

int run_state_read(const char *directory, run_state *state) {
    struct stat metrics, parameters, end;
    char *path[3];
    struct timespec now;
    double slowest = 0, trials = 0;
    bool ended = false;
    clock_gettime(CLOCK_REALTIME, &now);
    *state = (run_state){.loops = -1,
                         .rate_hz = NAN,
                         .score = NAN,
                         .seconds = NAN,
                         .memory_mib = NAN,
                         .saved = -1,
                         .best = -1,
                         .saved_ago = NAN};
    int failed = stat_file(directory, "metrics.csv", &metrics, &path[0]), no_parameters = stat_file(directory, PARAMETERS_FILE, &parameters, &path[1]);
    int not_ended = stat_file(directory, "run.json", &end, &path[2]);
    if (!failed) failed = no_parameters;
    if (!failed) failed = file_irregular(metrics.st_mode);
    if (!failed) failed = file_irregular(parameters.st_mode);
    if (!failed && !not_ended) failed = file_irregular(end.st_mode);
    char *text = failed ? NULL : read_part(path[1], 0, TEXT_BYTES), rule[RULE_BYTES] = "";
    for (int m = 0; m < RUN_METRICS_MAX; m++) state->value[m] = NAN;
    if (text) state->system = system_of_text(text, rule);
    if (!failed) failed = read_metrics(path[0], metrics.st_size, state, &slowest);
    if (!failed) {
        if (text) read_parameters(text, state, &trials);
        const run_facts facts = {rule, state->value, number_for_system, text};
        if (text && state->system && state->system->remark) state->system->remark(&facts, state->remark, sizeof state->remark);
        find_checkpoint(directory, &now, state);
        state->seen = is_locked(&metrics);
        state->silent = fmin(fmin(age_of(&metrics, &now), age_of(&parameters, &now)), state->saved >= 0 ? state->saved_ago : INFINITY);
        bool between = state->loop > 0 && state->loop != state->loops;
        state->patience = 60 + 3 * slowest + (between ? 0 : 600 + trials * slowest);
        if (!not_ended) ended = read_end(path[2], !older(&end, &parameters), state);
        state->phase = phase_of(state, ended);
    }
    for (int k = 0; k < 3; k++) free(path[k]);
    free(text);
    return failed;
}

double run_state_left(const run_state *state) {
    if (state->phase == RUN_DONE) return 0;
    if (state->loops < 0) return NAN;
    bool goes_on = state->phase == RUN_STARTING || state->phase == RUN_TRAINING || state->phase == RUN_FINISHING;
    int64_t from = goes_on ? state->loop : state->saved > 0 ? state->saved : 0;
    return state->seconds * (double)(state->loops > from ? state->loops - from : 0);
}
