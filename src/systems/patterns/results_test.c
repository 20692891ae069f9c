/* What trials with frozen weights leave: test.h5. */
#include <math.h>
#include <stdio.h>

#include "engram/memory.h"
#include "perturbation.h"
#include "results_parts.h"
#include "testing.h"

/** What makes Hz per trial of spikes. */
typedef struct {
    const psth *psth;
    double bin_ms, trials;
} psth_rates;

static void make_rates(void *self, int64_t from, int64_t count, void *elements) {
    const psth_rates *rates = self;
    double *rate = elements;
    for (int64_t b = 0; b < rates->psth->bins; b++) {
        const uint32_t *spikes = rates->psth->count + b * rates->psth->mine + from;
        for (int64_t i = 0; i < count; i++) rate[b * count + i] = spikes[i] * 1000.0 / (rates->bin_ms * rates->trials);
    }
}

/** PSTH in Hz per trial: [bins][N]. */
static void write_psth(const simulation *sim, h5_file *file, const char *name, const test_result *test) {
    psth_rates rates = {.psth = &test->psth, .bin_ms = (double)test->psth.bin * sim->dt, .trials = test->trials};
    h5_write_made(file, name, h5_compressed(h5_columns(H5_FLOAT64, &sim->part, test->psth.bins)), make_rates, &rates);
    h5_attribute_text(file, name, "units", "Hz");
    h5_attribute(file, name, "bin_ms", H5_FLOAT64, 0, &rates.bin_ms);
}

/** Columns [column, column + width) of the record of every trial, times @p scale: [trials], or [trials][width] for a width above 0. */
static void write_record(h5_file *file, const char *name, const test_result *test, int column, int width, double scale) {
    const h5_dataset dataset = {.type = H5_FLOAT64, .dimensions = width ? 2 : 1, .shape = {test->trials, width}, .axis = H5_UNDIVIDED, .compress = width > 0};
    int64_t columns = width ? width : 1;
    double *values = memory_new(MEMORY_BUFFERS, (size_t)(test->trials * columns), sizeof(double));
    for (int n = 0; n < test->trials; n++)
        for (int64_t k = 0; k < columns; k++) values[n * columns + k] = test->record[(int64_t)n * test->columns + column + k] * scale;
    h5_write(file, name, dataset, values);
    memory_free(values);
}

/** Means over trials of columns [column, column + count). */
static void write_means(h5_file *file, const char *name, const test_result *test, int column, int count) {
    double *mean = memory_new(MEMORY_BUFFERS, (size_t)count, sizeof(double));
    for (int k = 0; k < count; k++) mean[k] = testing_mean(test, column + k, NULL);
    h5_write(file, name, h5_whole(H5_FLOAT64, count), mean);
    memory_free(mean);
}

static void write_axis(h5_file *file, const char *name, int64_t count, const double *ms) {
    h5_write(file, name, h5_whole(H5_FLOAT64, count), ms);
    h5_attribute_text(file, name, "units", "ms");
}

/** Trials without one spike against intact ones. */
static void write_deletion(h5_file *file, int task, const test_result *test) {
    static const struct { const char *name; int column; } each[] = {
        {"trial_correlation", RECORD_CUT_SCORE}, {"agreement", RECORD_AGREEMENT}, {"diverged", RECORD_DIVERGED},
        {"reconverged", RECORD_RECONVERGED}, {"spikes_differ", RECORD_SPIKES_DIFFER}, {"spike_time", RECORD_SPIKE_TIME}, {"spike_neuron", RECORD_SPIKE_NEURON}};
    char group[64], name[128];
    snprintf(group, sizeof group, "test/%d/delete_spike", task);
    h5_group(file, group);
    for (size_t k = 0; k < sizeof each / sizeof *each; k++) {
        snprintf(name, sizeof name, "%s/%s", group, each[k].name);
        write_record(file, name, test, each[k].column, 0, 1);
    }
    snprintf(name, sizeof name, "%s/time", group);
    write_axis(file, name, test->samples, test->sample_time);
    snprintf(name, sizeof name, "%s/rms_difference", group);
    write_means(file, name, test, RECORD_SERIES, test->samples);
    snprintf(name, sizeof name, "%s/trial_rms_difference", group);
    write_record(file, name, test, RECORD_SERIES, test->samples, 1);
    if (test->phases) {
        snprintf(name, sizeof name, "%s/phase_deviation", group);
        write_means(file, name, test, RECORD_SERIES + test->samples + test->bins, test->phases);
        h5_attribute_text(file, name, "units", "rad");
        snprintf(name, sizeof name, "%s/trial_phase_deviation", group);
        write_record(file, name, test, RECORD_SERIES + test->samples + test->bins, test->phases, 1);
        h5_attribute_text(file, name, "units", "rad");
    }
    if (test->bins == 0) return;
    snprintf(name, sizeof name, "%s/bin_end", group);
    write_axis(file, name, test->bins, test->bin_end);
    snprintf(name, sizeof name, "%s/differing_spikes", group);
    write_means(file, name, test, RECORD_SERIES + test->samples, test->bins);
    snprintf(name, sizeof name, "%s/trial_differing_spikes", group);
    write_record(file, name, test, RECORD_SERIES + test->samples, test->bins, 1);
}

/** Attributes of the whole test, and which neurons were deleted. */
static void write_conditions(const simulation *sim, h5_file *file, double delete_spike) {
    static const perturbation none = {0};
    const perturbation *done = sim->perturbation ? sim->perturbation : &none;
    h5_attribute(file, "test", "delete_neurons", H5_FLOAT64, 0, &done->settings.delete_neurons);
    h5_attribute(file, "test", "deleted_neurons", H5_INT64, 0, &done->deleted_neurons);
    h5_attribute(file, "test", "delete_synapses", H5_FLOAT64, 0, &done->settings.delete_synapses);
    h5_attribute(file, "test", "delete_unit_synapses", H5_FLOAT64, 0, &done->settings.delete_unit_synapses);
    h5_attribute(file, "test", "deleted_synapses", H5_INT64, 2, done->deleted_synapses); /* static, plastic */
    h5_attribute(file, "test", "shuffle_synapses", H5_FLOAT64, 0, &done->settings.shuffle_synapses);
    h5_attribute(file, "test", "shuffled_synapses", H5_INT64, 2, done->shuffled_synapses);
    h5_attribute(file, "test", "noise", H5_FLOAT64, 0, &done->settings.noise);
    h5_attribute(file, "test", "delete_spike_ms", H5_FLOAT64, 0, &delete_spike);
    perturbation_write(file, done->deleted_neurons, h5_whole(H5_UINT8, sim->part.total), done->silent);
}

/** PSTH against target rate, neuron by neuron: [N] each. */
static void write_rate_fit(const simulation *sim, h5_file *file, int task, const rate_fit *fit) {
    const struct {
        const char *name;
        const double *values;
    } each[] = {{"rate_correlation", fit->correlation}, {"rate_slope", fit->slope}, {"rate_error", fit->error}};
    char name[64];
    for (size_t k = 0; k < sizeof each / sizeof *each; k++) {
        snprintf(name, sizeof name, "test/%d/%s", task, each[k].name);
        h5_write(file, name, h5_neurons(H5_FLOAT64, &sim->part), each[k].values);
    }
}

static void write_task(const simulation *sim, h5_file *file, int task, const test_result *test) {
    char name[64];
    snprintf(name, sizeof name, "test/%d", task);
    figure_list scores = {0};
    testing_scores(sim, test, &scores);
    for (int f = 0; f < scores.count; f++) h5_attribute(file, name, scores.entry[f].name, H5_FLOAT64, 0, &scores.entry[f].value);
    snprintf(name, sizeof name, "test/%d/drive", task);
    patterns_write_columns(sim, file, name, sim->targets.instants, test->average);
    snprintf(name, sizeof name, "test/%d/psth", task);
    write_psth(sim, file, name, test);
    snprintf(name, sizeof name, "test/%d/trial_correlation", task);
    write_record(file, name, test, RECORD_SCORE + SCORE_GIVEN, 0, 1);
    if (sim->scored[SCORE_AUXILIARY]) {
        snprintf(name, sizeof name, "test/%d/auxiliary_trial_correlation", task);
        write_record(file, name, test, RECORD_SCORE + SCORE_AUXILIARY, 0, 1);
    }
    snprintf(name, sizeof name, "test/%d/trial_rate", task);
    write_record(file, name, test, RECORD_SPIKES, 0, test->hz_per_spike);
    h5_attribute_text(file, name, "units", "Hz");
    snprintf(name, sizeof name, "test/%d/neuron_correlation", task);
    h5_write(file, name, h5_neurons(H5_FLOAT64, &sim->part), test->neuron_score);
    snprintf(name, sizeof name, "test/%d/neuron_single_trial_correlation", task);
    h5_write(file, name, h5_neurons(H5_FLOAT64, &sim->part), test->single_score);
    for (int measure = 0; test->firing && measure < FIRING_MEASURES; measure++) {
        snprintf(name, sizeof name, "test/%d/%s", task, firing_names[measure]);
        write_record(file, name, test, test->firing + measure * sim->network.cells->populations, sim->network.cells->populations, 1);
    }
    if (test->rate_fit) write_rate_fit(sim, file, task, test->rate_fit);
    if (test->samples) write_deletion(file, task, test);
}

void patterns_test_write(void *raw, int task, h5_file *file) {
    const patterns *self = raw;
    if (task >= 0) {
        write_task(self->sim, file, task, &self->test->results[task]);
        return;
    }
    patterns_write_times(self->sim, file, "test/time");
    patterns_write_names(self->sim, file, "test");
    write_conditions(self->sim, file, self->test->setting.delete_spike);
}
