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

/** Those of every run, then those of metrics that only some runs have, which are shown behind the score. */
enum { RUN, STATE, LOOP, RATE, SCORE, SECONDS, LEFT, SAVED, SIGN, MEMORY, MORE, MORE_MAX = 8, COLUMNS = MORE + MORE_MAX };
static const char *const heads[MORE] = {"run", "state", "loop", "Hz", NULL, "s/loop", "left", "saved", "last sign", "MiB"};

/** Rows as text, and how wide each column has become. */
typedef struct {
    char *(*cells)[COLUMNS]; /* [count], owned; NULL: nothing to show */
    char **remark;           /* [count] of its system, owned */
    int count, room;
    char score[32];          /* head of the score: of all runs */
    const metric *more[MORE_MAX]; /* metrics that some run has numbers of */
    const metric *score_of;  /* what the score is, where it has a head; NULL: none has */
    int width[COLUMNS];
    int phases[RUN_STATES];  /* how many runs */
    bool unseen;             /* some run lives as far as files tell */
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

/** Column of a metric that not every run has; -1: there is no room for it. */
static int column_of(table *table, const metric *metric) {
    int m = 0;
    while (m < MORE_MAX && table->more[m] && strcmp(table->more[m]->head, metric->head) != 0) m++;
    if (m < MORE_MAX) table->more[m] = metric;
    return m < MORE_MAX ? MORE + m : -1;
}

/** The score, and what else its system has a head for. */
static void put_metrics(table *table, const run_state *state) {
    const metric *first = state->system && state->system->metric_count ? &state->system->metrics[0] : NULL;
    const char *head = first && first->head ? first->head : state->score_name;
    if (!*table->score) snprintf(table->score, sizeof table->score, "%s", head);
    else if (*head && strcmp(table->score, head) != 0) strcpy(table->score, "score");
    put_number(table, SCORE, first ? first->decimals : 3, state->score);
    if (first && first->head) table->score_of = first;
    for (int m = 1; state->system && m < state->system->metric_count && m < RUN_METRICS_MAX; m++) {
        const metric *metric = &state->system->metrics[m];
        int column = metric->head && !isnan(state->value[m]) ? column_of(table, metric) : -1;
        if (column >= 0) put_number(table, column, metric->decimals, state->value[m]);
    }
}

static void add_row(table *table, const char *directory, const run_state *state) {
    if (table->count == table->room) {
        table->room = 2 * table->room + 16;
        table->cells = realloc(table->cells, (size_t)table->room * sizeof *table->cells);
        table->remark = realloc(table->remark, (size_t)table->room * sizeof *table->remark);
        if (!table->cells || !table->remark) abort();
    }
    memset(table->cells[table->count], 0, sizeof *table->cells);
    bool lives = state->phase <= RUN_FINISHING, guessed = lives && !state->seen;
    char before[48], left[32];
    put(table, RUN, "%s", directory);
    if (state->phase == RUN_FAILED)
        put(table, STATE, "failed (%d)", state->exit_code);
    else
        put(table, STATE, "%s%s", phase_words[state->phase], guessed ? "?" : "");
    if (state->loops >= 0)
        put(table, LOOP, "%lld/%lld", (long long)state->loop, (long long)state->loops);
    else
        put(table, LOOP, "%lld", (long long)state->loop);
    put_number(table, RATE, 3, state->rate_hz);
    put_metrics(table, state);
    put_number(table, SECONDS, 2, state->seconds);
    double seconds = run_state_left(state);
    if (!isnan(seconds)) clock_format(seconds, left, sizeof left);
    put(table, LEFT, "%s", isnan(seconds) || state->phase == RUN_DONE ? "-" : left);
    snprintf(before, sizeof before, "loop %lld, ", (long long)state->saved);
    if (state->saved >= 0)
        put_ago(table, SAVED, before, state->saved_ago);
    else
        put(table, SAVED, "-");
    put_ago(table, SIGN, "", state->silent);
    put_number(table, MEMORY, 0, state->memory_mib);
    char best[96] = "", enough[64] = "";
    const long long loop = state->best;
    if (loop >= 0) snprintf(best, sizeof best, "best test after loop %lld, checkpoint/best-%010lld.h5. ", loop, loop);
    if (state->phase == RUN_DONE && state->good_enough) snprintf(enough, sizeof enough, "ended by test.stop_at. ");
    if (asprintf(&table->remark[table->count], "%s%s%s", enough, best, state->remark) < 0) abort();
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

static void print_cell(const table *table, int row, int column) {
    const char *head = column >= MORE ? table->more[column - MORE]->head : column == SCORE ? table->score : heads[column];
    const char *text = row < 0 ? head : table->cells[row][column] ? table->cells[row][column] : "-";
    int width = table->width[column] > (int)strlen(head) ? table->width[column] : (int)strlen(head);
    printf("%*s%s", column <= STATE ? -width : width, text, column == MEMORY ? "\n" : "  ");
}

static void print(const table *table) {
    for (int row = -1; row < table->count; row++)
        for (int column = 0; column < MORE; column++) {
            print_cell(table, row, column);
            for (int m = 0; column == SCORE && m < MORE_MAX && table->more[m]; m++) print_cell(table, row, MORE + m);
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
    if (table->more[0] && table->score_of) printf("%s: %s.\n", table->score_of->head, table->score_of->help);
    for (int m = 0; m < MORE_MAX && table->more[m]; m++) printf("%s: %s.\n", table->more[m]->head, table->more[m]->help);
    for (int row = 0; row < table->count; row++)
        if (*table->remark[row]) printf("%s: %s\n", table->cells[row][RUN], table->remark[row]);
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
    for (int row = 0; row < table->count; row++) free(table->remark[row]);
    free(table->cells);
    free(table->remark);
}

int command_status(int argc, char **argv) {
    table table = {0};
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
