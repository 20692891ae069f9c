/* What trials with frozen weights leave: test.h5. */
#include <stdio.h>
#include <string.h>

#include "engram/memory.h"
#include "testing.h"

enum { NAME_BYTES = 96 };

static void write_numbers(h5_file *file, const char *name, const char *unit, const char *help) {
    if (unit) h5_attribute_text(file, name, "units", unit);
    if (help) h5_attribute_text(file, name, "help", help);
}

/** Numbers of trials: a dataset a measure that any trial has. */
static void write_records(const struct balanced_test *test, h5_file *file, int task) {
    char name[NAME_BYTES];
    const int64_t trials = test->setting.trials;
    double *values = memory_new(MEMORY_OUTPUT, (size_t)trials, sizeof(double));
    for (int column = 0; column < RECORD_TUNING_NERR; column++) {
        const metric *metric = &trials_records[column];
        if (isnan(trials_mean(test, test->task[task].record, column))) continue;
        for (int64_t n = 0; n < trials; n++) values[n] = test->task[task].record[n * RECORDS + column];
        snprintf(name, sizeof name, "test/%d/trial_%s", task, metric->name);
        h5_write(file, name, h5_whole(H5_FLOAT64, trials), values);
        write_numbers(file, name, metric->unit, metric->help);
    }
    memory_free(values);
}

/** x and x^ of the first trials. */
static void write_paths(const balanced *b, h5_file *file, int task) {
    const struct balanced_test *test = b->test;
    static const char *const names[] = {"state", "decoded"};
    static const char *const helps[] = {"x [trial][sample][dimension] of the first trials: the teacher", "x^ of the same"};
    const int64_t size = test->path.room * b->dimensions;
    const h5_dataset paths = {.type = H5_FLOAT64, .dimensions = 3, .shape = {test->paths_kept, test->path.room, b->dimensions}, .axis = H5_UNDIVIDED};
    double *values = b->context.rank == 0 ? memory_new(MEMORY_OUTPUT, (size_t)(test->paths_kept * size), sizeof(double)) : NULL;
    char name[NAME_BYTES];
    for (int which = 0; which < 2; which++) {
        for (int64_t n = 0; values && n < test->paths_kept; n++)
            memcpy(values + n * size, test->task[task].path + (2 * n + which) * size, (size_t)size * sizeof(double));
        snprintf(name, sizeof name, "test/%d/%s", task, names[which]);
        h5_write(file, name, paths, values);
        write_numbers(file, name, NULL, helps[which]);
    }
    memory_free(values);
}

/** Spikes of the first trial, as far as they are kept. */
static void write_spikes(const balanced *b, h5_file *file, int task) {
    const struct balanced_test *test = b->test;
    const int64_t *spike = test->task[task].spike;
    int64_t count = 0;
    while (spike && count < test->spikes_kept && spike[count]) count++;
    CHECK_MPI(MPI_Bcast(&count, 1, MPI_INT64_T, 0, b->context.comm));
    double *times = memory_new(MEMORY_OUTPUT, (size_t)count, sizeof(double));
    uint64_t *ids = memory_new(MEMORY_OUTPUT, (size_t)count, sizeof(uint64_t));
    char name[NAME_BYTES];
    for (int64_t n = 0; spike && n < count; n++) {
        times[n] = (double)((spike[n] - 1) / b->part.total) * b->dt_ms;
        ids[n] = (uint64_t)((spike[n] - 1) % b->part.total);
    }
    snprintf(name, sizeof name, "test/%d/spikes/timestamps", task);
    h5_write(file, name, h5_whole(H5_FLOAT64, count), times);
    write_numbers(file, name, "ms", "spikes of the first trial, from the start of what is scored");
    snprintf(name, sizeof name, "test/%d/spikes/node_ids", task);
    h5_write(file, name, h5_whole(H5_UINT64, count), ids);
    memory_free(times), memory_free(ids);
}

/** A number of every neuron. */
static void write_neurons(const balanced *b, h5_file *file, int task, int column, const metric *metric) {
    char name[NAME_BYTES];
    double *values = memory_new(MEMORY_OUTPUT, (size_t)b->part.mine, sizeof(double));
    for (int64_t i = 0; i < b->part.mine; i++) values[i] = trials_of_neuron(b, &b->test->task[task], column, i);
    snprintf(name, sizeof name, "test/%d/%s", task, metric->name);
    h5_write(file, name, h5_neurons(H5_FLOAT64, &b->part), values);
    write_numbers(file, name, metric->unit, metric->help);
    memory_free(values);
}

static void write_tuning(const balanced *b, h5_file *file, int task) {
    const task_result *result = &b->test->task[task];
    const size_t mine = (size_t)b->part.mine;
    double *rates = memory_new(MEMORY_OUTPUT, mine * DIRECTIONS_OF_TUNING, sizeof(double));
    double *preferred = memory_new(MEMORY_OUTPUT, mine, sizeof(double)), directions[DIRECTIONS_OF_TUNING], depth;
    char name[NAME_BYTES];
    for (size_t i = 0; i < mine; i++) {
        for (size_t d = 0; d < DIRECTIONS_OF_TUNING; d++)
            rates[i * DIRECTIONS_OF_TUNING + d] = (double)result->tuning[d * mine + i] / protocol_tuning_seconds();
        preferred[i] = trials_preferred(b, result, (int64_t)i, &depth);
    }
    for (int d = 0; d < DIRECTIONS_OF_TUNING; d++) directions[d] = 2 * M_PI * d / DIRECTIONS_OF_TUNING;
    snprintf(name, sizeof name, "test/%d/tuning/direction", task);
    h5_write(file, name, h5_whole(H5_FLOAT64, DIRECTIONS_OF_TUNING), directions);
    write_numbers(file, name, "rad", "of pulses in the last two dimensions");
    snprintf(name, sizeof name, "test/%d/tuning/rate", task);
    h5_write(file, name, h5_rows(H5_FLOAT64, &b->part, DIRECTIONS_OF_TUNING), rates);
    write_numbers(file, name, "Hz", "[neuron][direction]");
    snprintf(name, sizeof name, "test/%d/tuning/preferred", task);
    h5_write(file, name, h5_neurons(H5_FLOAT64, &b->part), preferred);
    write_numbers(file, name, "rad", "direction of the first harmonic of a neuron's rates");
    memory_free(rates), memory_free(preferred);
}

static void write_task(const balanced *b, h5_file *file, int task) {
    static const metric plain[] = {{"rate", NULL, "Hz", "of each neuron, mean over trials; NAN: silent", 0},
                                   {"cv2", NULL, "1", "2|a - b|/(a + b) of adjacent intervals a and b, mean; NAN: none", 0}};
    static const metric currents[] = {{"balance_correlation", NULL, "1", "of excitation with inhibition, smoothed by 10 ms, mean over trials", 0},
                                      {"balance_ratio", NULL, "1", "inhibition over excitation", 0},
                                      {"balance_correlation_with_reset", NULL, "1", "with the neuron's own reset as inhibition", 0},
                                      {"balance_ratio_with_reset", NULL, "1", "with the neuron's own reset as inhibition", 0}};
    static const metric constant = {"cv", NULL, "1", "of intervals under constant commands, mean over those with at least 11 spikes; NAN: none", 0};
    const struct balanced_test *test = b->test;
    write_records(test, file, task);
    if (test->paths_kept > 0) write_paths(b, file, task);
    if (test->spikes_kept > 0) write_spikes(b, file, task);
    if (b->literal) return;
    write_neurons(b, file, task, ACTIVITY_SPIKES, &plain[0]);
    write_neurons(b, file, task, ACTIVITY_CV2, &plain[1]);
    for (int k = 0; k < 4 && test->balance; k++) write_neurons(b, file, task, ACTIVITY_CORRELATION + k, &currents[k]);
    if (test->constant) write_neurons(b, file, task, ACTIVITY_CV, &constant);
    if (test->tuning) write_tuning(b, file, task);
}

void balanced_test_write(void *raw, int task, h5_file *file) {
    const balanced *b = raw;
    const struct balanced_test *test = b->test;
    if (task >= 0) {
        write_task(b, file, task);
        return;
    }
    const int64_t samples = test->path.room;
    double *times = memory_new(MEMORY_OUTPUT, (size_t)samples, sizeof(double));
    for (int64_t n = 0; n < samples; n++) times[n] = (double)((n + 1) * test->path.every) * b->dt_ms;
    h5_write(file, "test/time", h5_whole(H5_FLOAT64, samples), times);
    write_numbers(file, "test/time", "ms", "of samples of state and decoded, from the start of what is scored");
    memory_free(times);
    perturbation_write(file, b->silenced, h5_neurons(H5_UINT8, &b->part), b->silent);
    const attractor *attractor = &test->attractor;
    if (!attractor->cycle) return;
    const h5_dataset cycle = {.type = H5_FLOAT64, .dimensions = 2, .shape = {attractor->points, attractor->dimensions}, .axis = H5_UNDIVIDED};
    h5_write(file, "test/cycle", cycle, attractor->cycle);
    write_numbers(file, "test/cycle", NULL, "[point][dimension]: the cycle of the teacher that nothing drives");
}
