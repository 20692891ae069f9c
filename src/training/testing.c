#include "testing.h"

#include <math.h>
#include <string.h>

#include "engram/memory.h"
#include "engram/perturbation.h"
#include "../systems/patterns/spike_deletion.h"

#define SCORE_SCALE 0x1p40 /* |r| <= 1 and at most 2^20 trials: the sum stays below 2^60 */

/** Sums over the trials of one task that this group ran. */
typedef struct {
    int64_t *value;           /* [instants][mine] in multiples of 1/scale */
    int64_t *score, *defined; /* [mine] r in multiples of 1/SCORE_SCALE; trials where it is defined */
    double *record;           /* [trials][columns], 0 where another group ran the trial */
    psth psth;
} sums;

typedef struct {
    simulation *sim;
    const test_plan *plan;
    const output_settings *output;
    double scale;             /* a power of two such that the values of all trials, below 65536 each, add up to less than 2^63 */
    int columns;
    tracker *tracker;
    spike_deletion *deletion; /* NULL: no spike is deleted */
    double *each;             /* [mine] scratch */
    sums *sums;               /* [tasks] */
    double started, shown;    /* clock */
} testing;

static const double VALUE_LIMIT = 65536;

static double scale_for(int trials) {
    int bits = 0;
    while (1ll << bits < trials) bits++;
    return scalbn(1, 63 - 16 - 1 - bits);
}

static void sums_init(testing *testing, sums *sums) {
    const simulation *sim = testing->sim;
    size_t mine = (size_t)sim->part.mine;
    sums->value = memory_new(MEMORY_OUTPUT, (size_t)sim->targets.instants * mine, sizeof(int64_t));
    sums->score = memory_new(MEMORY_OUTPUT, mine, sizeof(int64_t));
    sums->defined = memory_new(MEMORY_OUTPUT, mine, sizeof(int64_t));
    sums->record = memory_new(MEMORY_OUTPUT, (size_t)testing->plan->trials * (size_t)testing->columns, sizeof(double));
    psth_init(&sums->psth, sim, testing->output->psth_bin);
}

static void sums_clear(sums *sums) {
    memory_free(sums->value), memory_free(sums->score), memory_free(sums->defined), memory_free(sums->record);
    psth_clear(&sums->psth);
    memset(sums, 0, sizeof *sums);
}

static status add_values(const testing *testing, sums *sums, const double *values, int task, int n) {
    const simulation *sim = testing->sim;
    int mine = sim->part.mine;
    int64_t size = (int64_t)sim->targets.instants * mine;
    for (int64_t k = 0; k < size; k++) {
        if (!(fabs(values[k]) < VALUE_LIMIT))
            return status_fail(STATUS_NUMERIC, "test: task %d, trial %d: the drive of neuron %lld at learning instant %lld is %g; below %g is allowed", task, n,
                               (long long)(sim->part.first + k % mine), (long long)(k / mine + 1), values[k], VALUE_LIMIT);
        sums->value[k] += llrint(values[k] * testing->scale);
    }
    return STATUS_OK;
}

/** The trial again, without the spike. */
static status run_without_spike(testing *testing, trial trial, double *record) {
    simulation *sim = testing->sim;
    trial_result result;
    trial.delete_from = spike_deletion_step(testing->deletion);
    trial.observers = 0;
    tracker_begin(testing->tracker);
    trial_observe(&trial, testing->tracker, tracker_step);
    trial_observe(&trial, testing->deletion, spike_deletion_watch_cut);
    trial_run(sim, &trial, &result);
    record[RECORD_CUT_SCORE] = score_values(sim, trial.task, tracker_finish(testing->tracker), NULL).mean[SCORE_GIVEN];
    return spike_deletion_finish(testing->deletion, sim, &result, record);
}

/** @return of this rank */
static status run_trial(testing *testing, int task, int n) {
    simulation *sim = testing->sim;
    sums *sums = &testing->sums[task];
    double *record = sums->record + (int64_t)n * testing->columns;
    trial trial = {.task = task, .stream = STREAM_TEST + (uint64_t)sim->targets.tasks * (uint64_t)testing->plan->skip + (uint64_t)task * (uint64_t)testing->plan->trials + (uint64_t)n, .reset = true, .plastic = true,
                   .stimulate = true, .steps = sim->loop_steps, .watch = testing->plan->watch};
    tracker_begin(testing->tracker);
    trial_observe(&trial, testing->tracker, tracker_step);
    trial_observe(&trial, &sums->psth, psth_step);
    if (testing->deletion) trial_observe(&trial, testing->deletion, spike_deletion_watch_intact);
    trial_result result;
    trial_run(sim, &trial, &result);
    if (!result.whole) return STATUS_RESUMABLE;
    const double *values = tracker_finish(testing->tracker);
    score score = score_values(sim, task, values, testing->each);
    memcpy(record + RECORD_SCORE, score.mean, sizeof score.mean);
    record[RECORD_SPIKES] = (double)(result.spikes[0] + result.spikes[1]);
    for (int i = 0; i < sim->part.mine; i++)
        if (!isnan(testing->each[i])) sums->score[i] += llrint(testing->each[i] * SCORE_SCALE), sums->defined[i]++;
    status added = add_values(testing, sums, values, task, n);
    return testing->deletion ? status_worse(added, run_without_spike(testing, trial, record)) : added;
}

/** The worst code of all ranks of a communicator; messages stay where they are. */
static status worst_of(MPI_Comm comm, status mine) {
    int code = mine;
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &code, 1, MPI_INT, MPI_MAX, comm));
    return (status)code;
}

static void show_progress(testing *testing, int task, int64_t number, int64_t all, const double *record) {
    double now = clock_seconds();
    if (!testing->plan->progress || now - testing->shown < 1) return;
    char left[32], scores[SCORE_TEXT];
    int64_t done = number / testing->plan->groups + 1, mine = (all + testing->plan->groups - 1) / testing->plan->groups;
    clock_format((now - testing->started) / (double)done * (double)(mine - done), left, sizeof left);
    log_line(&testing->sim->context, "trial %*lld/%lld  task %d  corr %s  left %s", snprintf(NULL, 0, "%lld", (long long)all), (long long)(number + 1), (long long)all, task,
             score_show(testing->sim, record + RECORD_SCORE, scores), left);
    testing->shown = now;
}

/** This group's trials. @return of this rank; *anywhere: the worst of the group */
static status run_mine(testing *testing, status *anywhere) {
    const test_plan *plan = testing->plan;
    int64_t all = (int64_t)testing->sim->targets.tasks * plan->trials;
    testing->started = testing->shown = clock_seconds();
    status mine = *anywhere = STATUS_OK;
    for (int64_t number = plan->group; number < all && *anywhere == STATUS_OK; number += plan->groups) {
        int task = (int)(number / plan->trials), n = (int)(number % plan->trials);
        mine = run_trial(testing, task, n);
        *anywhere = worst_of(testing->sim->context.comm, mine);
        show_progress(testing, task, number, all, testing->sums[task].record + (int64_t)n * testing->columns);
    }
    return mine;
}

/** Combine the arrays of all groups in those of the first. */
static void combine(const test_plan *plan, void *data, int64_t count, int64_t size, MPI_Datatype type, MPI_Op operation) {
    const int64_t most = 1 << 27; /* MPI counts are int, and some libraries have trouble beyond 2 GB */
    for (int64_t begin = 0; begin < count; begin += most) {
        char *block = (char *)data + begin * size;
        int here = (int)(count - begin < most ? count - begin : most);
        CHECK_MPI(MPI_Reduce(plan->group ? block : MPI_IN_PLACE, plan->group ? NULL : block, here, type, operation, 0, plan->between));
    }
}

static void combine_groups(testing *testing) {
    const simulation *sim = testing->sim;
    const test_plan *plan = testing->plan;
    int64_t mine = sim->part.mine;
    for (int task = 0; task < sim->targets.tasks; task++) {
        sums *sums = &testing->sums[task];
        combine(plan, sums->value, sim->targets.instants * mine, sizeof(int64_t), MPI_INT64_T, MPI_SUM);
        combine(plan, sums->score, mine, sizeof(int64_t), MPI_INT64_T, MPI_SUM);
        combine(plan, sums->defined, mine, sizeof(int64_t), MPI_INT64_T, MPI_SUM);
        combine(plan, sums->psth.count, sums->psth.bins * mine, sizeof(uint32_t), MPI_UINT32_T, MPI_SUM);
        combine(plan, sums->record, (int64_t)plan->trials * testing->columns, sizeof(double), MPI_UINT64_T, MPI_BOR); /* bits: one group has them, the others 0 */
    }
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
static void set_times(const testing *testing, test_result *result) {
    const spike_deletion *deletion = testing->deletion;
    if (!deletion) return;
    result->samples = spike_deletion_samples(deletion);
    result->bins = spike_deletion_bins(deletion);
    result->phases = spike_deletion_phases(deletion);
    result->sample_time = memory_new(MEMORY_OUTPUT, (size_t)result->samples, sizeof(double));
    result->bin_end = memory_new(MEMORY_OUTPUT, (size_t)result->bins, sizeof(double));
    for (int s = 0; s < result->samples; s++) result->sample_time[s] = spike_deletion_sample_time(deletion, s);
    for (int b = 0; b < result->bins; b++) result->bin_end[b] = spike_deletion_bin_end(deletion, b);
}

/** From sums to averages and scores; takes the sums' arrays. Collective over the group. */
static void finish_task(const testing *testing, int task, test_result *result) {
    const simulation *sim = testing->sim;
    sums *sums = &testing->sums[task];
    int trials = testing->plan->trials;
    size_t mine = (size_t)sim->part.mine, size = (size_t)sim->targets.instants * mine;
    *result = (test_result){.trials = trials, .columns = testing->columns, .record = sums->record, .psth = sums->psth, .delete_spike = testing->plan->delete_spike,
                            .average = memory_new(MEMORY_OUTPUT, size, sizeof(double)), .neuron_score = memory_new(MEMORY_OUTPUT, mine, sizeof(double)),
                            .single_score = memory_new(MEMORY_OUTPUT, mine, sizeof(double))};
    sums->record = NULL;
    sums->psth.count = NULL;
    for (size_t k = 0; k < size; k++) result->average[k] = (double)sums->value[k] / testing->scale / trials;
    for (size_t i = 0; i < mine; i++) result->single_score[i] = sums->defined[i] ? (double)sums->score[i] / SCORE_SCALE / (double)sums->defined[i] : NAN;
    sums_clear(sums);
    int64_t neurons = sim->part.total - (sim->perturbation ? sim->perturbation->deleted_neurons : 0);
    score average = score_values(sim, task, result->average, result->neuron_score);
    memcpy(result->average_score, average.mean, sizeof average.mean);
    for (int kind = 0; kind < SCORES; kind++) result->mean_single_score[kind] = testing_mean(result, RECORD_SCORE + kind, &result->sd_single_score[kind]);
    result->rate_fit = rate_fit_new(sim, task, &result->psth, trials);
    if (result->rate_fit) memcpy(result->rate_score, score_mean(sim, result->rate_fit->correlation).mean, sizeof result->rate_score);
    result->hz_per_spike = 1000 / ((double)neurons * (double)sim->loop_steps * sim->dt);
    result->rate_hz = testing_mean(result, RECORD_SPIKES, NULL) * result->hz_per_spike;
    set_times(testing, result);
}

static status check_plan(const simulation *sim, const test_plan *plan) {
    double duration = (double)sim->loop_steps * sim->dt;
    if ((int64_t)sim->targets.tasks * ((int64_t)plan->trials + plan->skip) > STREAM_TEST)
        return status_fail(STATUS_INPUT, "test: %d trials of %d tasks, and %d skipped; at most %d in all are allowed", plan->trials, sim->targets.tasks, plan->skip, STREAM_TEST);
    if (plan->delete_spike > duration)
        return status_fail(STATUS_INPUT, "test: --delete-spike %g ms is after the end of a trial, %g ms", plan->delete_spike, duration);
    return STATUS_OK;
}

status testing_trials(simulation *sim, const test_plan *plan, test_result **results) {
    *results = NULL;
    int tasks = sim->targets.tasks;
    status mine = check_plan(sim, plan), anywhere;
    if (mine != STATUS_OK) return mine; /* the same everywhere */
    testing testing = {.sim = sim, .plan = plan, .output = config_common(sim->config, "output"), .scale = scale_for(plan->trials), .columns = RECORD_PLAIN,
                       .each = memory_new(MEMORY_BUFFERS, (size_t)sim->part.mine, sizeof(double)), .sums = memory_new(MEMORY_OUTPUT, (size_t)tasks, sizeof(sums))};
    testing.tracker = tracker_new(sim, testing.output->correlation_window);
    if (!isnan(plan->delete_spike)) {
        testing.deletion = spike_deletion_new(sim, plan->delete_spike, testing.output->psth_bin);
        testing.columns = RECORD_SERIES + spike_deletion_samples(testing.deletion) + spike_deletion_bins(testing.deletion) + spike_deletion_phases(testing.deletion);
    }
    for (int task = 0; task < tasks; task++) sums_init(&testing, &testing.sums[task]);
    mine = run_mine(&testing, &anywhere);
    if (plan->groups > 1) anywhere = worst_of(plan->between, anywhere);
    if (anywhere == STATUS_OK && plan->groups > 1) combine_groups(&testing);
    if (anywhere == STATUS_OK && plan->group == 0) {
        *results = memory_new(MEMORY_OUTPUT, (size_t)tasks, sizeof **results);
        for (int task = 0; task < tasks; task++) finish_task(&testing, task, &(*results)[task]);
    }
    for (int task = 0; task < tasks; task++) sums_clear(&testing.sums[task]);
    memory_free(testing.sums);
    memory_free(testing.each);
    tracker_free(testing.tracker);
    spike_deletion_free(testing.deletion);
    return mine;
}

void testing_free(test_result *results, int tasks) {
    for (int task = 0; results && task < tasks; task++) {
        test_result *result = &results[task];
        memory_free(result->record), memory_free(result->average), memory_free(result->neuron_score), memory_free(result->single_score);
        memory_free(result->sample_time), memory_free(result->bin_end);
        psth_clear(&result->psth);
        rate_fit_free(result->rate_fit);
    }
    memory_free(results);
}
