/* run.json, in both directions; and JSON as it is written elsewhere. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engram/clock.h"
#include "engram/files.h"
#include "engram/memory.h"
#include "engram/utf8.h"
#include "engram/version.h"
#include "metrics_file.h"
#include "run_json.h"
#include "task_names.h"

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
        fprintf(file, "    \"%s\": {\"min\": %.6g, \"mean\": %.6g, \"max\": %.6g}%s\n", keys[k], spreads[k].least, spreads[k].mean, spreads[k].largest,
                k + 1 < count ? "," : "");
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

static void print_tests(FILE *file, const run_subject *subject, const testing *tests) {
    fputs("  \"test\": [", file);
    for (int task = 0; tests && task < testing_tasks(tests); task++) {
        fprintf(file, "%s\n    {\"task\": %d, ", task ? "," : "", task);
        task_print_name(file, subject, task);
        fprintf(file, "\"trials\": %d, ", testing_trials_each(tests));
        json_print_figures(file, testing_figures(tests, task), 0, ", ");
        fputs("}", file);
    }
    fputs("],\n", file);
}

/** The best test between loops, where one is asked for: its score is that of the file in checkpoint/, if that is kept. */
static void print_best(FILE *file, const learning_system *system, const best_tests *tests) {
    const scored_test *best = &tests->best;
    if (!best->loop) return;
    fprintf(file, "  \"best_test\": {\"loop\": %lld, \"%s%s\": ", (long long)best->loop, tests->validates ? best_prefix(true) : "",
            system->scores[best->score].name);
    json_print_number(file, best->value);
    if (tests->kept) fprintf(file, ", \"checkpoint\": \"checkpoint/best-%010lld.h5\"", (long long)best->loop);
    fputs("},\n", file);
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
    print_best(file, results->system, ending->best);
    const run_subject subject = {results->context, results->system, results->self, facts};
    print_tests(file, &subject, ending->tests);
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
    status written = context->rank == 0 ? metrics_check_there(results) : STATUS_OK;
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

/** The number behind @p key, which begins a line. NAN: not there */
static double number_behind(const char *text, const char *key) {
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        if (strncmp(line, key, strlen(key)) != 0) continue;
        char *end;
        double number = strtod(line + strlen(key), &end);
        return end == line + strlen(key) ? NAN : number;
    }
    return NAN;
}

bool run_json_read(const char *text, int *exit_code, double *loops) {
    double code = number_behind(text, "  \"exit_code\": ");
    *loops = number_behind(text, "  \"loops\": ");
    if (isnan(code)) return false;
    *exit_code = (int)code;
    return true;
}
