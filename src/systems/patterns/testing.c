#include "testing.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engram/memory.h"
#include "engram/sort.h"
#include "perturbation.h"

#define SCORE_SCALE 0x1p40 /* |r| <= 1 and at most 2^20 trials: the sum stays below 2^60 */

static const double VALUE_LIMIT = 65536;

static double scale_for(int64_t trials) {
    int bits = 0;
    while (1ll << bits < trials) bits++;
    return scalbn(1, 63 - 16 - 1 - bits);
}

static void sums_init(const patterns *self, test_sums *sums) {
    const simulation *sim = self->sim;
    size_t mine = (size_t)sim->part.mine;
    sums->value = memory_new(MEMORY_OUTPUT, (size_t)sim->targets.instants * mine, sizeof(int64_t));
    sums->score = memory_new(MEMORY_OUTPUT, mine, sizeof(int64_t));
    sums->defined = memory_new(MEMORY_OUTPUT, mine, sizeof(int64_t));
    psth_init(&sums->psth, sim, self->test->setting.psth_bin);
}

static void sums_clear(test_sums *sums) {
    memory_free(sums->value), memory_free(sums->score), memory_free(sums->defined);
    psth_clear(&sums->psth);
    memset(sums, 0, sizeof *sums);
}

void patterns_test_sums(void *raw, int task, tally_list *list) {
    const patterns *self = raw;
    const simulation *sim = self->sim;
    test_sums *sums = &self->test->sums[task];
    int64_t mine = sim->part.mine;
    tally_add_array(list, sums->value, sim->targets.instants * mine, true);
    tally_add_array(list, sums->score, mine, true);
    tally_add_array(list, sums->defined, mine, true);
    tally_add_array(list, sums->psth.count, sums->psth.bins * mine, false);
}

/** Values of all my neurons at an instant of a trial. What does not fit is told once the trial is whole. */
static void add_values(void *raw, int instant, const double *values) {
    const patterns *self = raw;
    patterns_test *test = self->test;
    const int mine = self->sim->part.mine;
    int64_t *sum = test->to->value + (int64_t)instant * mine;
    for (int i = 0; i < mine && test->bad_instant < 0; i++)
        if (fabs(values[i]) < VALUE_LIMIT) sum[i] += llrint(values[i] * test->scale);
        else test->bad_instant = instant, test->bad_neuron = i, test->bad = values[i];
}

static status check_values(const patterns *self, const test_trial *trial) {
    const simulation *sim = self->sim;
    const patterns_test *test = self->test;
    const char *name = targets_condition(&sim->targets, trial->task);
    if (test->bad_instant < 0) return STATUS_OK;
    return status_fail(STATUS_NUMERIC, "test: task %d%s%s%s, trial %lld: the drive of neuron %lld at learning instant %lld is %g; below %g is allowed",
                       trial->task, name ? " (" : "", name ? name : "", name ? ")" : "", (long long)trial->number,
                       (long long)(sim->part.first + test->bad_neuron), (long long)(test->bad_instant + 1), test->bad, VALUE_LIMIT);
}

/** The trial again, without the spike. */
static status run_without_spike(const patterns *self, trial trial, double *record) {
    patterns_test *test = self->test;
    trial_result result;
    pulse pulse = {.rank = trial.pulse->rank, .watch = trial.pulse->watch, .steps = trial.pulse->steps, .look_every = trial.pulse->look_every};
    trial.pulse = &pulse;
    trial.delete_from = spike_deletion_step(test->deletion);
    tracker_begin(self->tracker, NULL, NULL);
    pulse_observe(&pulse, self->tracker, tracker_step);
    pulse_observe(&pulse, test->deletion, spike_deletion_watch_cut);
    trial_run(self->sim, &trial, &result);
    record[RECORD_CUT_SCORE] = score_values(self->sim, trial.task, tracker_finish(self->tracker), NULL).mean[SCORE_GIVEN];
    return spike_deletion_finish(test->deletion, self->sim, &result, record);
}

status patterns_test_trial(void *raw, const test_trial *asked, double *record) {
    patterns *self = raw;
    simulation *sim = self->sim;
    patterns_test *test = self->test;
    test_sums *sums = test->to = &test->sums[asked->task];
    trial trial = {
        .task = asked->task, .stream = asked->stream, .reset = true, .plastic = true, .stimulate = true, .steps = sim->loop_steps, .pulse = asked->pulse};
    test->bad_instant = -1;
    tracker_begin(self->tracker, add_values, self);
    pulse_observe(asked->pulse, self->tracker, tracker_step);
    pulse_observe(asked->pulse, &sums->psth, psth_step);
    if (test->deletion) pulse_observe(asked->pulse, test->deletion, spike_deletion_watch_intact);
    if (test->firing) firing_begin(test->firing), pulse_observe(asked->pulse, test->firing, firing_step);
    trial_result result;
    trial_run(sim, &trial, &result);
    if (!asked->pulse->whole) return STATUS_RESUMABLE;
    const double *values = tracker_finish(self->tracker);
    score score = score_values(sim, asked->task, values, test->each);
    memcpy(record + RECORD_SCORE, score.mean, sizeof score.mean);
    if (test->firing) firing_finish(test->firing, sim, record + test->firing_column);
    record[RECORD_SPIKES] = (double)(result.spikes[0] + result.spikes[1]);
    for (int i = 0; i < sim->part.mine; i++)
        if (!isnan(test->each[i])) sums->score[i] += llrint(test->each[i] * SCORE_SCALE), sums->defined[i]++;
    status added = check_values(self, asked);
    return test->deletion ? status_worse(added, run_without_spike(self, trial, record)) : added;
}

double testing_mean(const test_result *result, int column, double *sd) {
    double sum = 0, square = 0;
    int defined = 0;
    for (int n = 0; n < result->trials; n++) {
        double value = result->record[(int64_t)n * result->columns + column];
        if (!isnan(value)) sum += value, defined++;
    }
    double mean = defined ? sum / defined : NAN;
    for (int n = 0; n < result->trials; n++) {
        double value = result->record[(int64_t)n * result->columns + column];
        if (!isnan(value)) square += (value - mean) * (value - mean);
    }
    if (sd) *sd = defined > 1 ? sqrt(square / (defined - 1)) : NAN;
    return mean;
}

/** Times of the series of deleted spikes. */
static void set_times(const spike_deletion *deletion, test_result *result) {
    if (!deletion) return;
    result->samples = spike_deletion_samples(deletion);
    result->bins = spike_deletion_bins(deletion);
    result->phases = spike_deletion_phases(deletion);
    result->sample_time = memory_new(MEMORY_OUTPUT, (size_t)result->samples, sizeof(double));
    result->bin_end = memory_new(MEMORY_OUTPUT, (size_t)result->bins, sizeof(double));
    for (int s = 0; s < result->samples; s++) result->sample_time[s] = spike_deletion_sample_time(deletion, s);
    for (int b = 0; b < result->bins; b++) result->bin_end[b] = spike_deletion_bin_end(deletion, b);
}

/** Averages in the place of @p sums, which may fill much of the memory. */
static double *averages(int64_t *sums, size_t size, double scale, int trials) {
    _Static_assert(sizeof(double) == sizeof *sums, "an average takes the place of a sum");
    for (size_t k = 0; k < size; k++) memcpy(&sums[k], &(double){(double)sums[k] / scale / trials}, sizeof(double));
    return (double *)(void *)sums;
}

/** From sums to averages and scores; takes the sums' arrays. Collective over the group. */
static void finish_task(const patterns *self, int task, const double *records, test_result *result) {
    const simulation *sim = self->sim;
    patterns_test *test = self->test;
    test_sums *sums = &test->sums[task];
    int trials = (int)test->setting.trials;
    size_t mine = (size_t)sim->part.mine, size = (size_t)sim->targets.instants * mine;
    *result = (test_result){.trials = trials, .columns = test->columns, .record = records, .psth = sums->psth, .delete_spike = test->setting.delete_spike,
                            .average = averages(sums->value, size, test->scale, trials), .neuron_score = memory_new(MEMORY_OUTPUT, mine, sizeof(double)),
                            .single_score = memory_new(MEMORY_OUTPUT, mine, sizeof(double))};
    sums->psth.count = NULL, sums->value = NULL;
    for (size_t i = 0; i < mine; i++) result->single_score[i] = sums->defined[i] ? (double)sums->score[i] / SCORE_SCALE / (double)sums->defined[i] : NAN;
    sums_clear(sums);
    int64_t neurons = sim->part.total - (sim->perturbation ? sim->perturbation->deleted_neurons : 0);
    score average = score_values(sim, task, tracker_select(self->tracker, result->average), result->neuron_score);
    memcpy(result->average_score, average.mean, sizeof average.mean);
    for (int kind = 0; kind < SCORES; kind++) result->mean_single_score[kind] = testing_mean(result, RECORD_SCORE + kind, &result->sd_single_score[kind]);
    result->rate_fit = rate_fit_new(sim, task, &result->psth, trials);
    if (result->rate_fit) memcpy(result->rate_score, score_mean(sim, result->rate_fit->correlation).mean, sizeof result->rate_score);
    result->hz_per_spike = 1000 / ((double)neurons * (double)sim->loop_steps * sim->dt);
    result->rate_hz = testing_mean(result, RECORD_SPIKES, NULL) * result->hz_per_spike;
    result->firing = test->firing_column;
    set_times(test->deletion, result);
}

/** A mean over trials says little where the network ran away in a few of them: these have TIMES the spikes of the median trial, and of each neuron one more. */
static void warn_of_runaway(const simulation *sim, int task, const test_result *test) {
    enum { LEAST_TRIALS = 3, TIMES = 5 };
    if (test->trials < LEAST_TRIALS) return;
    int64_t *spikes = memory_new(MEMORY_BUFFERS, (size_t)test->trials, sizeof *spikes);
    for (int n = 0; n < test->trials; n++) spikes[n] = llrint(test->record[(int64_t)n * test->columns + RECORD_SPIKES]);
    sort_integers(spikes, test->trials);
    const int64_t middle = spikes[(test->trials - 1) / 2], largest = spikes[test->trials - 1];
    int away = 0;
    while (middle > 0 && spikes[test->trials - 1 - away] > TIMES * middle && spikes[test->trials - 1 - away] >= middle + sim->part.total) away++;
    memory_free(spikes);
    if (!away) return;
    const char *name = targets_condition(&sim->targets, task);
    char number[16];
    snprintf(number, sizeof number, "%d", task);
    log_warning(&sim->context,
                "test: task %s: the network runs away in %d of %d trials, at up to %.1f Hz (median of the trials: %.3f Hz); means over trials hold "
                "these, too: train it longer, or see each (test/%d/trial_rate)", name ? name : number, away, test->trials,
                (double)largest * test->hz_per_spike, (double)middle * test->hz_per_spike, task);
}

/** Trials of a task in which a column of the record is a number. */
static int defined(const test_result *test, int column) {
    int count = 0;
    for (int n = 0; n < test->trials; n++) count += !isnan(test->record[(int64_t)n * test->columns + column]);
    return count;
}

void testing_scores(const simulation *sim, const test_result *test, figure_list *figures) {
    static const char *const names[4][SCORES] = {{"trial_averaged_correlation", "auxiliary_trial_averaged_correlation"},
                                                 {"single_trial_correlation", "auxiliary_single_trial_correlation"},
                                                 {"single_trial_correlation_sd", "auxiliary_single_trial_correlation_sd"},
                                                 {"rate_correlation", "auxiliary_rate_correlation"}};
    const double *const means[4] = {test->average_score, test->mean_single_score, test->sd_single_score, test->rate_score};
    figure_add(figures, NULL, "rate_hz", test->rate_hz);
    for (int k = 0; k < 4; k++)
        for (int kind = 0; kind < SCORES; kind++) {
            if ((means[k] == test->rate_score && !test->rate_fit) || (kind == SCORE_AUXILIARY && !sim->scored[kind])) continue;
            figure_add(figures, NULL, names[k][kind], means[k][kind]);
        }
}

/** Means over trials, where there are not too many populations to be listed. */
static void add_activity(const simulation *sim, const test_result *test, figure_list *figures) {
    enum { LISTED = 10 };
    const network_settings *network = config_common(sim->config, "network");
    const int populations = network->cells.populations;
    if (!test->firing || populations > LISTED) return;
    for (int measure = 0; measure < FIRING_MEASURES; measure++)
        for (int p = 0; p < populations; p++)
            figure_add(figures, firing_names[measure], network_population_names(network)[p],
                       testing_mean(test, test->firing + measure * populations + p, NULL));
}

void patterns_test_task(void *raw, int task, const double *records, figure_list *figures) {
    const patterns *self = raw;
    test_result *test = &self->test->results[task];
    finish_task(self, task, records, test);
    warn_of_runaway(self->sim, task, test);
    testing_scores(self->sim, test, figures);
    add_activity(self->sim, test, figures);
    if (!test->samples) return;
    figure_add(figures, NULL, "correlation_without_spike", testing_mean(test, RECORD_CUT_SCORE, NULL));
    figure_add(figures, NULL, "agreement", testing_mean(test, RECORD_AGREEMENT, NULL));
    figure_add_count(figures, NULL, "diverged_trials", defined(test, RECORD_DIVERGED));
    figure_add_count(figures, NULL, "reconverged_trials", defined(test, RECORD_RECONVERGED));
    figure_add(figures, NULL, "diverged_ms", testing_mean(test, RECORD_DIVERGED, NULL));
    figure_add(figures, NULL, "reconverged_ms", testing_mean(test, RECORD_RECONVERGED, NULL));
    figure_add(figures, NULL, "spikes_differ_ms", testing_mean(test, RECORD_SPIKES_DIFFER, NULL));
}

void patterns_test_figures(const void *raw, figure_list *figures) {
    static const perturbation none = {0};
    const simulation *sim = ((const patterns *)raw)->sim;
    const perturbation *done = sim->perturbation ? sim->perturbation : &none;
    figure_add_count(figures, NULL, "deleted_neurons", done->deleted_neurons);
    figure_add_count(figures, NULL, "deleted_static_synapses", done->deleted_synapses[0]);
    figure_add_count(figures, NULL, "deleted_plastic_synapses", done->deleted_synapses[1]);
    figure_add_count(figures, NULL, "shuffled_static_synapses", done->shuffled_synapses[0]);
    figure_add_count(figures, NULL, "shuffled_plastic_synapses", done->shuffled_synapses[1]);
    figure_add(figures, NULL, "noise", done->settings.noise);
    patterns_scored(sim, figures);
}

/** "3 of 10, mean 120 ms" */
static void describe_times(const test_result *test, int column, char *text, size_t size) {
    int count = defined(test, column), used = snprintf(text, size, "%d of %d", count, test->trials);
    if (count) snprintf(text + used, size - (size_t)used, ", mean %.4g ms", testing_mean(test, column, NULL));
}

static void describe_populations(const patterns *self) {
    const network_settings *network = config_common(self->sim->config, "network");
    const int populations = network->cells.populations;
    if (!self->test->firing) return;
    log_line(&self->sim->context, "populations in the target window, means over trials:\ntask  %-16s  %8s  %12s  %9s", "population", "Hz", "irregularity",
             "synchrony");
    for (int task = 0; task < self->sim->targets.tasks; task++)
        for (int p = 0; p < populations; p++) {
            const test_result *test = &self->test->results[task];
            double mean[FIRING_MEASURES];
            for (int k = 0; k < FIRING_MEASURES; k++) mean[k] = testing_mean(test, test->firing + k * populations + p, NULL);
            log_line(&self->sim->context, "%4d  %-16s  %8.3f  %12.3f  %9.3f", task, network_population_names(network)[p], mean[FIRING_RATE],
                     mean[FIRING_IRREGULARITY], mean[FIRING_SYNCHRONY]);
        }
}

void patterns_test_describe(const void *raw) {
    const patterns *self = raw;
    const context *context = &self->sim->context;
    const int64_t *scored = self->sim->scored;
    const char *given = self->sim->targets.units ? "recorded units" : "trained neurons";
    if (scored[SCORE_AUXILIARY])
        log_line(context, "scores are means over %lld %s, and auxiliary ones over %lld auxiliary targets", (long long)scored[SCORE_GIVEN], given,
                 (long long)scored[SCORE_AUXILIARY]);
    else
        log_line(context, "scores are means over %lld %s", (long long)scored[SCORE_GIVEN], given);
    describe_populations(self);
    if (!self->test->deletion) return;
    log_line(context, "without one spike (times from the deletion on):\ntask  corr   agreement  largest RMS difference  %-24s  %-24s  %-24s", "diverged",
             "reconverged", "spikes differ");
    for (int task = 0; task < self->sim->targets.tasks; task++) {
        const test_result *test = &self->test->results[task];
        double largest = 0;
        for (int s = 0; s < test->samples; s++) largest = fmax(largest, testing_mean(test, RECORD_SERIES + s, NULL));
        char times[3][64];
        for (int k = 0; k < 3; k++) describe_times(test, RECORD_DIVERGED + k, times[k], sizeof times[k]);
        log_line(context, "%4d  %5.3f  %9.3f  %22.4g  %-24s  %-24s  %-24s", task, testing_mean(test, RECORD_CUT_SCORE, NULL),
                 testing_mean(test, RECORD_AGREEMENT, NULL), largest, times[0], times[1], times[2]);
    }
}

status patterns_test_begin(void *raw, const test_setting *setting, int *columns) {
    patterns *self = raw;
    simulation *sim = self->sim;
    double duration = (double)sim->loop_steps * sim->dt;
    if (setting->delete_spike > duration)
        return status_fail(STATUS_INPUT, "test: --delete-spike %g ms is after the end of a trial, %g ms", setting->delete_spike, duration);
    patterns_test *test = self->test = memory_new(MEMORY_OUTPUT, 1, sizeof *test);
    *test = (patterns_test){.setting = *setting, .scale = scale_for(setting->trials), .columns = RECORD_PLAIN};
    test->each = memory_new(MEMORY_BUFFERS, (size_t)sim->part.mine, sizeof(double));
    test->sums = memory_new(MEMORY_OUTPUT, (size_t)sim->targets.tasks, sizeof(test_sums));
    test->results = memory_new(MEMORY_OUTPUT, (size_t)sim->targets.tasks, sizeof(test_result));
    if (!self->tracker) self->tracker = tracker_new(sim, self->output->correlation_window);
    if (!isnan(setting->delete_spike)) {
        const spike_deletion *deletion = test->deletion = spike_deletion_new(sim, setting->delete_spike, setting->psth_bin);
        test->columns = RECORD_SERIES + spike_deletion_samples(deletion) + spike_deletion_bins(deletion) + spike_deletion_phases(deletion);
    }
    test->firing = firing_new(sim);
    if (test->firing) {
        test->firing_column = test->columns;
        test->columns += FIRING_MEASURES * sim->network.cells->populations;
    }
    for (int task = 0; task < sim->targets.tasks; task++) sums_init(self, &test->sums[task]);
    *columns = test->columns;
    return STATUS_OK;
}

static void result_clear(test_result *result) {
    memory_free(result->average), memory_free(result->neuron_score), memory_free(result->single_score);
    memory_free(result->sample_time), memory_free(result->bin_end);
    psth_clear(&result->psth);
    rate_fit_free(result->rate_fit);
}

void patterns_test_end(void *raw) {
    patterns *self = raw;
    patterns_test *test = self->test;
    if (!test) return;
    for (int task = 0; task < self->sim->targets.tasks; task++) sums_clear(&test->sums[task]), result_clear(&test->results[task]);
    memory_free(test->sums), memory_free(test->results), memory_free(test->each);
    spike_deletion_free(test->deletion);
    firing_free(test->firing);
    memory_free(test);
    self->test = NULL;
}
