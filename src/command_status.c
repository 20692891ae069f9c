#include "command_status.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engram/files.h"
#include "engram/clock.h"
#include "engram/training.h"
#include "training/run_state.h"

static const char *const phase_words[RUN_STATES] = {"starting", "running", "finishing", "silent", "stopped", "done", "failed"};

enum { COLUMNS = 11, AUXILIARY = 5 };
static const char *const heads[COLUMNS] = {"run", "state", "loop", "Hz", "corr", "aux", "s/loop", "left", "saved", "last sign", "MiB"};

/** Rows as text, and how wide each column has become. */
typedef struct {
    char *(*cells)[COLUMNS]; /* [count], owned */
    double *window_hz;       /* [count] rate in the target window where that is silence, else NAN; owned */
    int count, room;
    int width[COLUMNS];
    int phases[RUN_STATES];  /* how many runs */
    bool unseen;             /* some run lives as far as files tell */
    bool auxiliary;          /* some run has auxiliary targets: only then is their column shown */
    int code;                /* exit code so far */
} table;

__attribute__((format(printf, 3, 4))) static void put(table *table, int column, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char **cell = &table->cells[table->count][column];
    if (vasprintf(cell, format, arguments) < 0) abort();
    va_end(arguments);
    int width = (int)strlen(*cell);
    if (width > table->width[column]) table->width[column] = width;
}

static void put_number(table *table, int column, int decimals, double value) {
    if (isnan(value))
        put(table, column, "-");
    else
        put(table, column, "%.*f", decimals, value);
}

static void put_ago(table *table, int column, const char *before, double seconds) {
    char text[32];
    if (seconds < 172800)
        clock_format(seconds, text, sizeof text);
    else
        snprintf(text, sizeof text, "%.0f days", seconds / 86400);
    put(table, column, "%s%s ago", before, text);
}

static void add_row(table *table, const char *directory, const run_state *state) {
    if (table->count == table->room) {
        table->room = 2 * table->room + 16;
        table->cells = realloc(table->cells, (size_t)table->room * sizeof *table->cells);
        table->window_hz = realloc(table->window_hz, (size_t)table->room * sizeof *table->window_hz);
        if (!table->cells || !table->window_hz) abort();
    }
    bool lives = state->phase <= RUN_FINISHING, guessed = lives && !state->seen;
    char before[48], left[32];
    put(table, 0, "%s", directory);
    if (state->phase == RUN_FAILED)
        put(table, 1, "failed (%d)", state->exit_code);
    else
        put(table, 1, "%s%s", phase_words[state->phase], guessed ? "?" : "");
    if (state->loops >= 0)
        put(table, 2, "%lld/%lld", (long long)state->loop, (long long)state->loops);
    else
        put(table, 2, "%lld", (long long)state->loop);
    put_number(table, 3, 3, state->rate_hz);
    put_number(table, 4, 3, state->correlation);
    put_number(table, AUXILIARY, 3, state->auxiliary);
    put_number(table, 6, 2, state->seconds);
    double seconds = run_state_left(state);
    if (!isnan(seconds)) clock_format(seconds, left, sizeof left);
    put(table, 7, "%s", isnan(seconds) || state->phase == RUN_DONE ? "-" : left);
    snprintf(before, sizeof before, "loop %lld, ", (long long)state->saved);
    if (state->saved >= 0)
        put_ago(table, 8, before, state->saved_ago);
    else
        put(table, 8, "-");
    put_ago(table, 9, "", state->silent);
    put_number(table, 10, 0, state->memory_mib);
    table->window_hz[table->count] = state->window_hz < state->silent_below ? state->window_hz : NAN;
    table->auxiliary |= !isnan(state->auxiliary);
    table->phases[state->phase]++;
    table->unseen |= guessed;
    table->count++;
}

/** A folder that cannot be shown: one line. */
static void refuse(table *table, const char *directory, const char *why, int code) {
    fprintf(stderr, "engram: error: %s: %s\n", directory, why);
    if (code > table->code) table->code = code;
}

static void refuse_file(table *table, const char *directory, int error) {
    char why[192];
    bool odd = error == FILE_IRREGULAR || error == ELOOP || error == EISDIR;
    snprintf(why, sizeof why, "%s%s", odd ? "metrics.csv, " PARAMETERS_FILE " or run.json " : "", file_why(error));
    refuse(table, directory, why, odd ? 2 : 1);
}

static void add_run(table *table, const char *directory) {
    run_state state;
    int failed = run_state_read(directory, &state);
    if (failed == 0 && state.bad_lines)
        fprintf(stderr, "engram: warning: %s: %d line%s of metrics.csv %s of a run and %s left out\n", directory, state.bad_lines,
                state.bad_lines > 1 ? "s" : "", state.bad_lines > 1 ? "are no lines" : "is no line", state.bad_lines > 1 ? "are" : "is");
    if (failed == 0)
        add_row(table, directory, &state);
    else if (failed == EBADMSG)
        refuse(table, directory, "is no run of engram: its metrics.csv has no columns loop and seconds", 2);
    else
        refuse_file(table, directory, failed);
}

/** Runs directly below @p directory: the members of an array. @return how many */
static int add_members(table *table, const char *directory) {
    struct dirent **entries;
    int count = scandir(directory, &entries, NULL, versionsort), found = 0;
    size_t length = strlen(directory);
    while (length > 1 && directory[length - 1] == '/') length--;
    for (int k = 0; k < count; k++) {
        char *member;
        if (entries[k]->d_name[0] != '.') {
            if (asprintf(&member, "%.*s/%s", (int)length, directory, entries[k]->d_name) < 0) abort();
            if (run_state_find(member) == 0) {
                add_run(table, member);
                found++;
            }
            free(member);
        }
        free(entries[k]);
    }
    if (count >= 0) free(entries);
    return found;
}

static void add_folder(table *table, const char *directory) {
    int failed = run_state_find(directory);
    if (failed == 0) {
        add_run(table, directory);
        return;
    }
    DIR *there = failed == ENOENT ? opendir(directory) : NULL;
    if (there) closedir(there);
    if (there && add_members(table, directory) == 0)
        refuse(table, directory, "is no run of engram (it has no metrics.csv with parameters.yaml), nor does it hold any", 2);
    else if (!there)
        refuse(table, directory, strerror(failed), status_unreadable(failed) == STATUS_INPUT ? 2 : 1);
}

static void print(const table *table) {
    for (int row = -1; row < table->count; row++)
        for (int column = 0; column < COLUMNS; column++) {
            if (column == AUXILIARY && !table->auxiliary) continue;
            const char *text = row < 0 ? heads[column] : table->cells[row][column];
            bool left = column < 2;
            printf("%*s%s", left ? -table->width[column] : table->width[column], text, column + 1 < COLUMNS ? "  " : "\n");
        }
    if (table->count > 1) {
        const char *before = "";
        printf("%d runs: ", table->count);
        for (int phase = 0; phase < RUN_STATES; phase++) {
            if (!table->phases[phase]) continue;
            printf("%s%d %s", before, table->phases[phase], phase_words[phase]);
            before = ", ";
        }
        printf("\n");
    }
    if (table->auxiliary) printf("corr is over recorded units, aux over neurons with auxiliary targets.\n");
    for (int row = 0; row < table->count; row++)
        if (!isnan(table->window_hz[row]))
            printf("%s: trained neurons are silent inside the target window, %.3g Hz in the last loop: its corr is of drives that make no spikes.\n",
                   table->cells[row][0], table->window_hz[row]);
    if (table->unseen) printf("?  lives as far as its files tell: they changed lately. Only a process of this machine that holds the run's lock is certain.\n");
    if (table->phases[RUN_SILENT])
        printf("silent: no file changed for 60 s and three of its slowest loops (600 s more before the first loop and after the last): killed, or on a file "
               "system that lags.\n");
    if (table->phases[RUN_SILENT] + table->phases[RUN_STOPPED])
        printf("engram train --resume DIR goes on with what is stopped or silent after the loop that is saved; left counts from there.\n");
}

static void clear(table *table) {
    for (int row = 0; row < table->count; row++)
        for (int column = 0; column < COLUMNS; column++) free(table->cells[row][column]);
    free(table->cells);
    free(table->window_hz);
}

int command_status(int argc, char **argv) {
    table table = {0};
    for (int column = 0; column < COLUMNS; column++) table.width[column] = (int)strlen(heads[column]);
    for (int at = 1; at < argc; at++) {
        if (argv[at][0] != '-') continue;
        fprintf(stderr, "engram: error: engram status takes no options, but '%.100s' was given (engram --help shows the usage)\n", argv[at]);
        return 2;
    }
    if (argc < 3) { /* the first word is "status" */
        fprintf(stderr, "engram: error: engram status needs the folder of a run, or of several (engram --help shows the usage)\n");
        return 2;
    }
    for (int at = 2; at < argc; at++) add_folder(&table, argv[at]);
    if (table.count) print(&table);
    clear(&table);
    return table.code;
}
