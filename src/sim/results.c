/* The output directory, metrics.csv and run.json. */
#include "results.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engram/memory.h"
#include "engram/version.h"

static const char *const metrics_header = "loop,task,seconds,rate_hz,correlation,undefined_neurons,mean_gain,memory_mib\n";

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

/** So that no file of an earlier run stays beside those of this one. */
static void remove_earlier(const results *results) {
    static const char *const ours[] = {"run.json", "spikes.h5", "report.h5", "nodes.h5", "node_types.csv", "edges.h5", "targets.h5", "test.h5"};
    for (size_t k = 0; k < sizeof ours / sizeof *ours; k++) {
        char *old = results_path(results, ours[k]);
        unlink(old);
        free(old);
    }
}

/** On rank 0 only. */
static status open_on_root(const run_options *options, results *results) {
    struct stat found;
    if (results->directory[0] == '\0') return status_fail(STATUS_INPUT, "the output directory has no name; give -o DIR or output.directory");
    if (make_directories(results->directory) != 0 || stat(results->directory, &found) != 0)
        return status_fail(STATUS_INPUT, "output directory %s: %s", results->directory, strerror(errno));
    if (!S_ISDIR(found.st_mode)) return status_fail(STATUS_INPUT, "output directory %s: is a file", results->directory);
    char *path = results_path(results, "metrics.csv");
    status code = STATUS_OK;
    if (options->overwrite) remove_earlier(results);
    FILE *file = NULL;
    if (access(path, F_OK) == 0 && !options->overwrite)
        code = status_fail(STATUS_INPUT, "%s already holds a run (%s); give -o another directory, or --overwrite", results->directory, path);
    else if (!(file = fopen(path, "w")) || fputs(metrics_header, file) < 0 || fflush(file) != 0)
        code = status_fail(STATUS_INPUT, "%s: %s", path, strerror(errno));
    if (code != STATUS_OK && file) fclose(file);
    results->metrics = code == STATUS_OK ? file : NULL;
    free(path);
    return code;
}

status results_open(const context *context, const config *config, const run_options *options, results *results) {
    const output_settings *output = config_common((struct config *)(uintptr_t)config, "output");
    results->started = clock_seconds();
    results->directory = strdup(options->directory ? options->directory : output->directory);
    size_t length = strlen(results->directory);
    while (length > 1 && results->directory[length - 1] == '/') results->directory[--length] = '\0';
    return status_agree(context, context->rank == 0 ? open_on_root(options, results) : STATUS_OK);
}

/** "%.12g", or nothing for NAN. */
static void print_number(FILE *file, double value, const char *end) {
    if (!isnan(value)) fprintf(file, "%.12g", value);
    fputs(end, file);
}

void results_add_metrics(const context *context, results *results, const metrics_row *row) {
    double memory = (double)memory_resident() / 1048576, all = 0;
    CHECK_MPI(MPI_Reduce(&memory, &all, 1, MPI_DOUBLE, MPI_SUM, 0, context->comm));
    FILE *file = results->metrics;
    if (!file) return;
    fprintf(file, "%lld,%d,%.3f,", (long long)row->loop, row->task, row->seconds);
    print_number(file, row->rate_hz, ",");
    print_number(file, row->correlation, ",");
    if (row->measured) fprintf(file, "%lld", (long long)row->undefined_neurons);
    fputs(",", file);
    print_number(file, row->mean_gain, ",");
    fprintf(file, "%.1f\n", all);
    fflush(file);
}

static void print_text(FILE *file, const char *text) {
    fputc('"', file);
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\')
            fprintf(file, "\\%c", *c);
        else if (*c < 0x20)
            fprintf(file, "\\u%04x", *c);
        else
            fputc(*c, file);
    }
    fputc('"', file);
}

static void print_json_number(FILE *file, double value) {
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
        print_text(file, name);
    }
    fputs("],\n", file);
}

static void print_tests(FILE *file, const simulation *sim, const test_result *tests) {
    fputs("  \"test\": [", file);
    for (int task = 0; tests && task < sim->targets.tasks; task++) {
        fprintf(file, "%s\n    {\"task\": %d, \"trials\": %d, \"rate_hz\": ", task ? "," : "", task, tests[task].trials);
        print_json_number(file, tests[task].rate_hz);
        fputs(", \"trial_averaged_correlation\": ", file);
        print_json_number(file, tests[task].average_score);
        fputs(", \"single_trial_correlation\": ", file);
        print_json_number(file, tests[task].mean_single_score);
        fputs("}", file);
    }
    fputs("],\n", file);
}

static void print_field(FILE *file, const char *key, double value) {
    fprintf(file, "  \"%s\": ", key);
    print_json_number(file, value);
    fputs(",\n", file);
}

static void print_run(FILE *file, const simulation *sim, const results *results, const run_options *options, int64_t loops_done, status code,
                      const test_result *tests, const char *hosts, const spread *phases, const spread *memory) {
    const char *categories[MEMORY_CATEGORIES];
    for (int c = 0; c < MEMORY_CATEGORIES; c++) categories[c] = memory_category_name(c);
    fputs("{\n  \"command\": [", file);
    for (int a = 0; a < options->argument_count; a++) {
        if (a) fputs(", ", file);
        print_text(file, options->arguments[a]);
    }
    fprintf(file, "],\n  \"exit_code\": %d,\n  \"ranks\": %d,\n", code, sim->context.ranks);
    print_hosts(file, hosts, sim->context.ranks);
    fprintf(file, "  \"seed\": %llu,\n  \"neurons\": %lld,\n  \"loops\": %lld,\n", (unsigned long long)sim->seed, (long long)sim->part.total, (long long)loops_done);
    print_field(file, "seconds", clock_seconds() - results->started);
    print_field(file, "loop_model_ms", (double)sim->loop_steps * sim->dt);
    print_field(file, "baseline_excitatory_hz", sim->baseline_rate[0]);
    print_field(file, "baseline_inhibitory_hz", sim->baseline_rate[1]);
    print_field(file, "baseline_drive_sd", sim->baseline_sd);
    print_field(file, "rate_inversion_error", sim->targets.inversion_error);
    fprintf(file, "  \"exchange_overflows\": %lld,\n", (long long)exchange_overflows(sim->exchange));
    print_tests(file, sim, tests);
    print_spreads(file, "phase_seconds", phase_names, phases, PHASES);
    print_spreads(file, "memory_mib", categories, memory, MEMORY_CATEGORIES);
    const char *texts[][2] = {{"version", version_number}, {"revision", version_revision}, {"compiler", version_compiler}, {"flags", version_flags},
                              {"mpi", version_mpi()}, {"hdf5", version_hdf5}, {"blas", version_blas()}};
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
        fprintf(file, "  \"%s\": ", texts[k][0]);
        print_text(file, texts[k][1]);
        fputs(k + 1 < sizeof texts / sizeof *texts ? ",\n" : "\n}\n", file);
    }
}

/** Write under a temporary name, sync, rename. On rank 0. */
static status finish_file(FILE *file, const char *part, const char *path) {
    int failed = fflush(file) != 0 || fsync(fileno(file)) != 0;
    failed |= fclose(file) != 0;
    if (failed || rename(part, path) != 0) {
        status code = status_fail(STATUS_FAILURE, "%s: %s", path, strerror(errno));
        unlink(part);
        return code;
    }
    return STATUS_OK;
}

status results_write_run(const simulation *sim, const results *results, const run_options *options, int64_t loops_done, status code, const test_result *tests) {
    char name[MPI_MAX_PROCESSOR_NAME] = "";
    int length;
    CHECK_MPI(MPI_Get_processor_name(name, &length));
    char *hosts = memory_new(MEMORY_BUFFERS, (size_t)sim->context.ranks, MPI_MAX_PROCESSOR_NAME);
    CHECK_MPI(MPI_Gather(name, MPI_MAX_PROCESSOR_NAME, MPI_CHAR, hosts, MPI_MAX_PROCESSOR_NAME, MPI_CHAR, 0, sim->context.comm));
    double mib[MEMORY_CATEGORIES];
    for (int c = 0; c < MEMORY_CATEGORIES; c++) mib[c] = (double)memory_held(c) / 1048576;
    spread phases[PHASES], memory[MEMORY_CATEGORIES];
    spread_over_ranks(&sim->context, sim->phase_seconds, PHASES, phases);
    spread_over_ranks(&sim->context, mib, MEMORY_CATEGORIES, memory);
    status written = STATUS_OK;
    if (sim->context.rank == 0) {
        char *path = results_path(results, "run.json"), *part = results_path(results, "run.json.part");
        FILE *file = fopen(part, "w");
        if (file) {
            print_run(file, sim, results, options, loops_done, code, tests, hosts, phases, memory);
            written = finish_file(file, part, path);
        } else {
            written = status_fail(STATUS_FAILURE, "%s: %s", part, strerror(errno));
        }
        free(path);
        free(part);
    }
    memory_free(hosts);
    return written;
}

void results_close(results *results) {
    if (results->metrics && fclose(results->metrics) != 0) fprintf(stderr, "engram: warning: metrics.csv could not be completed: %s\n", strerror(errno));
    free(results->directory);
    results->metrics = NULL;
    results->directory = NULL;
}
