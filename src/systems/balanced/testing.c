/* Metrics of loops, and trials with frozen weights (README.md 7). A trial runs twice: with protocol.feedback, which is what is measured, and again with the
 * feedback of training. */
#include <stdlib.h>
#include <string.h>

#include "engram/memory.h"
#include "engram/sum.h"
#include "testing.h"

const metric balanced_metrics[BALANCED_METRICS] = {
    [METRIC_NERR] = {"nerr", "  nerr %s", "1", "squared decoding error over the variance of the teacher, with feedback", 5},
    [METRIC_FAST_ERROR] = {"fast_error", NULL, "1", "|W - W*|/|W*| of fast weights, W* = F F' + mu I", 4},
    [METRIC_FAST_SCALE] = {"fast_scale", NULL, "1", "<W, W*>/<W*, W*> of fast weights", 4},
    [METRIC_FAST_STRUCTURE] = {"fast_structure", NULL, "1", "|W - a W*|/|a W*| of fast weights, a their scale", 4},
    [METRIC_SLOW_ERROR] = {"slow_error", NULL, "1", "|W - W*|/|W*| of slow weights, W* = F (A + lambda I) F'", 4},
    [METRIC_FIELD_ERROR] = {"field_error", NULL, "1", "squared error of the learned vector field over its variance, on a path of the teacher", 5},
};

const metric balanced_scores[BALANCED_SCORES] = {
    {"rate_hz", NULL, "Hz", "mean rate of trials with protocol.feedback", 3},
    {"nerr", NULL, "1", "squared decoding error over the variance of the teacher, with protocol.feedback (none by default), mean over trials", 5,
     .better = BETTER_LOWER},
    {"nerr_feedback", NULL, "1", "the same with the feedback of training", 5},
};

double trials_nerr(const balanced *b, const path_sums *sums) {
    double variance = sums->square;
    for (int j = 0; j < b->dimensions; j++) variance -= sums->sum[j] * sums->sum[j] / (double)sums->steps;
    return variance > 0 ? sums->error / variance : NAN;
}

void balanced_measure(void *raw, const loop *loop, double *value) {
    const balanced *b = raw;
    value[METRIC_NERR] = trials_nerr(b, &b->sums);
    if (!loop->measured) return;
    if (b->fast) {
        weight_error fast = weights_fast_error(b);
        value[METRIC_FAST_ERROR] = fast.relative, value[METRIC_FAST_SCALE] = fast.scale, value[METRIC_FAST_STRUCTURE] = fast.structure;
    }
    value[METRIC_SLOW_ERROR] = weights_slow_error(b).relative;
    value[METRIC_FIELD_ERROR] = weights_field_error(b);
}

/* ---- what a trial leaves ---- */

const metric trials_records[RECORDS] = {
    [RECORD_NERR] = {"nerr", NULL, "1", "squared decoding error over the variance of the teacher, with protocol.feedback", 5},
    [RECORD_NERR_FEEDBACK] = {"nerr_feedback", NULL, "1", "the same with the feedback of training", 5},
    [RECORD_RATE] = {"rate", NULL, "Hz", "mean rate with protocol.feedback, of neurons that are not silent", 3},
    [RECORD_ERROR] = {"rms_error", NULL, "norm", "root mean square decoding error of a dimension, over network.norm", 4},
    [RECORD_FEEDBACK_RATIO] = {"feedback_ratio", NULL, "1",
                               "root mean square of fed back currents, smoothed by 50 ms, over that of slow ones, with the feedback of training", 4},
    [RECORD_SD_RATIO] = {"sd_ratio", NULL, "1", "standard deviation of x^ over that of x", 3},
    [RECORD_VALID_TIME] = {"valid_time_ms", NULL, "ms", "until the error is larger than 0.4 of the total standard deviation of the teacher", 0},
    [RECORD_SWITCHES] = {"switches_hz", NULL, "Hz", "switches of x^_1 between above and below half its standard deviation", 3},
    [RECORD_SWITCHES_TEACHER] = {"teacher_switches_hz", NULL, "Hz", "the same of the teacher", 3},
    [RECORD_PERIOD] = {"period_ms", NULL, "ms", "between upward zero crossings of x^_1, smoothed by 10 ms", 1},
    [RECORD_PERIOD_ERROR] = {"period_error", NULL, "1", "|period - teacher's|/teacher's", 4},
    [RECORD_CYCLE_DISTANCE] = {"cycle_distance", NULL, "1", "root mean square distance of x^ from the teacher's cycle, over its root mean square radius", 4},
    [RECORD_PLATEAU_ERROR] = {"plateau_error", NULL, "1", "mean |x - x^| 1.3 s after the start of a pulse", 4},
    [RECORD_PULSES] = {"pulses", NULL, "1", "that were read for it", 0},
    [RECORD_TUNING_NERR] = {"tuning_nerr", NULL, "1", "nerr over pulses in all directions", 4},
};

void trials_rates(void *raw, const balanced *b, int64_t step, regime *regime) {
    const frozen_rates *rates = raw;
    (void)b, (void)step;
    *regime = (struct regime){.feedback = rates->feedback, .stream = rates->stream, .task = rates->task, .command = rates->command};
}

pulse trials_pulse(const test_trial *trial, int64_t steps) {
    return (pulse){.rank = trial->pulse->rank, .watch = trial->pulse->watch, .steps = steps, .look_every = trial->pulse->look_every};
}

int64_t trials_neurons(const balanced *b) {
    return b->part.total - b->silenced;
}

/* ---- whoever looks at a trial ---- */

/** States are complete when a spike has acted: each is looked at when the next one comes. */
typedef struct {
    struct balanced_test *test;
    int64_t first;           /* step at which the scored part starts */
    bool measured;           /* all of it, else feedback only */
    int64_t step;            /* of the state */
    double c[DIMENSIONS_MAX], state[DIMENSIONS_MAX], decoded[DIMENSIONS_MAX];
    double smooth[DIMENSIONS_MAX]; /* error, by 50 ms */
    double fed_back, slow;   /* sums of squares over neurons and samples, of K F e and W_s psi */
    int64_t *spike;          /* [spikes_kept] NULL: not kept */
    int64_t spikes;
} witness;

static const double FEEDBACK_S = 0.050;

/** v'F'F v: the sum over neurons of (F_i.v)^2. */
static double over_neurons(const balanced *b, const double *v) {
    const int J = b->dimensions;
    double sum = 0;
    for (int j = 0; j < J; j++)
        for (int l = 0; l < J; l++) sum += v[j] * b->gram[j * J + l] * v[l];
    return sum;
}

/** The state that is complete goes into the path. */
static void sample(witness *witness, const balanced *b) {
    path *path = &witness->test->path;
    const size_t J = (size_t)b->dimensions;
    const int64_t since = witness->step - witness->first;
    if (since <= 0 || since % path->every || path->count == path->room) return;
    memcpy(path->state + (size_t)path->count * J, witness->state, J * sizeof(double));
    memcpy(path->decoded + (size_t)path->count * J, witness->decoded, J * sizeof(double));
    bool driven = false;
    for (size_t j = 0; j < J; j++) driven = driven || witness->c[j] != 0;
    path->driven[path->count++] = driven;
    path->any_driven = path->any_driven || driven;
}

/** Feedback against slow currents. @param slow [J] h of the state that is complete */
static void compare_currents(witness *witness, const balanced *b, const double *error, const double *slow) {
    const double part = fmin(1, b->dt / FEEDBACK_S);
    for (int j = 0; j < b->dimensions; j++) witness->smooth[j] += part * (error[j] - witness->smooth[j]);
    if (!slow || witness->step <= witness->first || witness->step % witness->test->path.every) return;
    witness->fed_back += b->regime.feedback * b->regime.feedback * over_neurons(b, witness->smooth);
    witness->slow += over_neurons(b, slow);
}

static void see_rows(void *raw, const balanced *b, int from, int to) {
    witness *witness = raw;
    const size_t J = (size_t)b->dimensions;
    double error[DIMENSIONS_MAX];
    for (int m = from + 1; m <= to; m++) {
        const size_t n = (size_t)(b->at + m);
        memcpy(witness->c, b->commands + (n - 1) * J, J * sizeof(double));
        for (size_t j = 0; j < J; j++) error[j] = witness->state[j] - witness->decoded[j];
        if (witness->measured) sample(witness, b);
        else compare_currents(witness, b, error, m > 0 ? b->course.slow + (size_t)(m - 1) * J : NULL);
        witness->step = b->chunk_first + (int64_t)n;
        if (witness->measured) activity_step(witness->test->activity, witness->step, witness->c, error, witness->decoded);
        memcpy(witness->state, b->states + n * J, J * sizeof(double));
        memcpy(witness->decoded, b->course.decoded + (size_t)m * J, J * sizeof(double));
    }
}

static void see_spike(void *raw, const balanced *b, const spike *spike) {
    witness *witness = raw;
    for (int j = 0; j < b->dimensions && b->neuron->delay == 0; j++) witness->decoded[j] += spike->feedforward[j];
    if (!witness->measured) return;
    activity_spike(witness->test->activity, witness->step, spike);
    if (witness->spike && witness->step > witness->first && witness->spikes < witness->test->spikes_kept)
        witness->spike[witness->spikes++] = (witness->step - witness->first) * b->part.total + spike->neuron + 1;
}

/* ---- one trial ---- */

/** @param feedback K of what is scored, 1/s @return whether it went on to the end */
static bool run_trial(balanced *b, const frozen_rates *trial, pulse *pulse, witness *witness) {
    const struct balanced_test *test = b->test;
    frozen_rates rates = {.task = trial->task, .stream = trial->stream, .feedback = test->feedback};
    run_span span = {.first = 0, .steps = test->settle, .rates = trials_rates, .self = &rates, .pulse = pulse};
    path_observer observer = {.self = witness, .rows = see_rows, .spike = see_spike};
    run_reset(b, rates.task, rates.stream);
    memcpy(witness->state, b->teacher_state, (size_t)b->dimensions * sizeof(double));
    pulse_begin(pulse);
    b->observer = &observer;
    bool whole = run_steps(b, &span);
    b->sums = (path_sums){0};
    rates.feedback = trial->feedback;
    span.first = test->settle, span.steps = test->steps;
    whole = whole && run_steps(b, &span);
    b->observer = NULL;
    if (witness->measured) sample(witness, b);
    return whole;
}

/** Measures of the path: those that the teacher has a meaning for. */
static void measure_path(const struct balanced_test *test, double *record) {
    const path *path = &test->path;
    const attractor *attractor = &test->attractor;
    int pulses = 0;
    if (path->count < 2 || attractor->kind == ATTRACTOR_LINEAR || attractor->kind == ATTRACTOR_UNKNOWN) return;
    record[RECORD_SD_RATIO] = path_sd_ratio(path);
    if (attractor->kind == ATTRACTOR_CHAOS) {
        record[RECORD_VALID_TIME] = 1000 * path_valid_time(path);
        record[RECORD_SWITCHES] = path_switches(path, path->decoded);
        record[RECORD_SWITCHES_TEACHER] = path_switches(path, path->state);
    }
    if (attractor->kind == ATTRACTOR_CYCLE && !path->any_driven) {
        record[RECORD_PERIOD] = 1000 * path_period(path, path->decoded);
        record[RECORD_PERIOD_ERROR] = fabs(record[RECORD_PERIOD] / (1000 * attractor->period) - 1);
        record[RECORD_CYCLE_DISTANCE] = path_cycle_distance(path, attractor);
    }
    if (attractor->kind != ATTRACTOR_REST || !path->any_driven) return;
    record[RECORD_PLATEAU_ERROR] = path_plateau_error(path, &pulses);
    record[RECORD_PULSES] = pulses ? pulses : NAN;
}

/** The first trials of a task are kept. */
static void keep_path(const balanced *b, const test_trial *trial) {
    const struct balanced_test *test = b->test;
    const path *path = &test->path;
    int64_t *kept = test->task[trial->task].path;
    const size_t size = (size_t)(path->room * b->dimensions);
    if (!kept || trial->number >= test->paths_kept || path->count < path->room) return;
    kept += 2 * size * (size_t)trial->number;
    memcpy(kept, path->state, size * sizeof(double));
    memcpy(kept + size, path->decoded, size * sizeof(double));
}

/** With protocol.feedback: all that is measured. */
static bool run_measured(balanced *b, const test_trial *trial, const frozen_rates *rates, double *record) {
    struct balanced_test *test = b->test;
    task_result *result = &test->task[trial->task];
    witness witness = {.test = test, .first = test->settle, .measured = true, .spike = trial->number == 0 ? result->spike : NULL};
    test->path.count = 0;
    test->path.any_driven = false;
    activity_begin(test->activity, test->settle, result->neuron);
    if (!run_trial(b, rates, trial->pulse, &witness)) return false;
    activity_end(test->activity);
    const double live = (double)trials_neurons(b), steps = (double)test->steps;
    record[RECORD_NERR] = record[RECORD_NERR_FEEDBACK] = trials_nerr(b, &b->sums);
    record[RECORD_RATE] = (double)b->sums.spikes / (live * steps * b->dt);
    record[RECORD_ERROR] = sqrt(b->sums.error / (steps * b->dimensions)) / b->norm;
    measure_path(test, record);
    keep_path(b, trial);
    return true;
}

/** With the feedback of training. */
static bool run_fed_back(balanced *b, const test_trial *trial, const frozen_rates *rates, double *record) {
    witness witness = {.test = b->test, .first = b->test->settle};
    pulse pulse = trials_pulse(trial, trial->pulse->steps);
    if (!run_trial(b, rates, &pulse, &witness)) return false;
    record[RECORD_NERR_FEEDBACK] = trials_nerr(b, &b->sums);
    if (witness.slow > 0) record[RECORD_FEEDBACK_RATIO] = sqrt(witness.fed_back / witness.slow);
    return true;
}

status balanced_test_trial(void *raw, const test_trial *trial, double *record) {
    balanced *b = raw;
    const struct balanced_test *test = b->test;
    task_result *result = &test->task[trial->task];
    frozen_rates rates = {.task = trial->task, .feedback = b->protocol->feedback};
    for (int column = 0; column < RECORDS; column++) record[column] = NAN;
    rates.stream = balanced_stream(b, trial->task, trial->stream, test->settle + test->steps);
    if (!run_measured(b, trial, &rates, record)) return STATUS_RESUMABLE;
    rates.feedback = test->feedback;
    if (test->feedback > 0 && !run_fed_back(b, trial, &rates, record)) return STATUS_RESUMABLE;
    if (trial->number > 0) return STATUS_OK;
    if (test->constant && !protocol_constant(b, trial, result->neuron)) return STATUS_RESUMABLE;
    if (test->tuning && !protocol_tuning(b, trial, result->tuning, &record[RECORD_TUNING_NERR])) return STATUS_RESUMABLE;
    return STATUS_OK;
}

void balanced_test_sums(void *raw, int task, tally_list *list) {
    const balanced *b = raw;
    const struct balanced_test *test = b->test;
    const task_result *result = &test->task[task];
    const int64_t mine = b->part.mine, path = 2 * test->paths_kept * test->path.room * b->dimensions;
    tally_add_array(list, result->neuron, test->columns * mine, true);
    if (result->tuning) tally_add_array(list, result->tuning, DIRECTIONS_OF_TUNING * mine, true);
    tally_add_array(list, result->spike, result->spike ? test->spikes_kept : 0, true);
    tally_add_array(list, result->path, result->path ? path : 0, true);
}

/* ---- all trials ---- */

/** Times of the protocol, in steps, and whether they fit. */
static status settle_times(const balanced *b, struct balanced_test *test) {
    const protocol_settings *protocol = b->protocol;
    status result = config_check_steps(b->config, "protocol", "settle", protocol->settle, b->dt_ms);
    if (!isnan(protocol->duration)) result = status_worse(result, config_check_steps(b->config, "protocol", "duration", protocol->duration, b->dt_ms));
    test->settle = llround(protocol->settle / b->dt_ms);
    test->steps = isnan(protocol->duration) ? b->loop_steps : llround(protocol->duration / b->dt_ms);
    for (int task = 0; task < b->tasks && result == STATUS_OK; task++) {
        const int64_t most = teacher_steps(b->teacher, task), left = most - test->settle;
        if (isnan(protocol->duration) && left > 0 && test->steps > left) test->steps = left;
        if (test->steps > left)
            result = config_complain(b->config, "protocol", "duration", "with settle it ends %g ms after the start, and the teacher's path %g ms after it",
                                     (double)(test->settle + test->steps) * b->dt_ms, (double)most * b->dt_ms);
    }
    return result;
}

/** Is it asked for, or, where that is left open, cheap? */
static bool wanted(int choice, bool cheap) {
    return choice == MEASURE_ON || (choice == MEASURE_AUTO && cheap);
}

/** What of single neurons is measured. What takes trials of its own is left out where it would take longer than all others. */
static status settle_measures(const balanced *b, struct balanced_test *test) {
    enum { NEURONS_AUTO = 400, PRODUCTS_AUTO = 100000 };
    const protocol_settings *protocol = b->protocol;
    const bool linear = teacher_matrix(b->teacher) != NULL, plane = b->dimensions > 1, arm = strcmp(config_variant_name(b->config, "targets"), "arm") == 0;
    const bool few = b->part.total <= NEURONS_AUTO && !b->literal;
    const double seconds = (double)(test->setting.trials * (test->settle + test->steps)) * b->dt;
    if (b->literal && (protocol->balance == MEASURE_ON || protocol->constant == MEASURE_ON || protocol->tuning == MEASURE_ON))
        return config_complain(b->config, "learning", "stepping", "literal steps have no measures of single neurons");
    if (protocol->balance == MEASURE_ON && b->neuron->delay)
        return config_complain(b->config, "protocol", "balance", "currents are measured without neuron.delay only, which is %lld", (long long)b->neuron->delay);
    if (protocol->constant == MEASURE_ON && !linear)
        return config_complain(b->config, "protocol", "constant", "the teacher (targets.kind: %s) is not linear: no constant command is known to hold it",
                               config_variant_name(b->config, "targets"));
    if (protocol->tuning == MEASURE_ON && !plane)
        return config_complain(b->config, "protocol", "tuning", "directions need 2 dimensions at least, and the teacher has 1");
    test->balance = wanted(protocol->balance, few && !b->neuron->delay && (b->slow_rule != SLOW_BASIS || b->part.total * b->basis.units <= PRODUCTS_AUTO));
    test->constant = wanted(protocol->constant, few && linear && seconds >= protocol_constant_seconds(b));
    test->tuning = wanted(protocol->tuning, few && arm && seconds >= DIRECTIONS_OF_TUNING * protocol_tuning_seconds());
    test->columns = test->constant ? ACTIVITY_COLUMNS : test->balance ? ACTIVITY_BALANCE : ACTIVITY_PLAIN;
    return STATUS_OK;
}

/** Samples are 1 ms apart, or more where a trial has too many of them. */
static void make_path(const balanced *b, struct balanced_test *test) {
    enum { NUMBERS = 1 << 22 };
    static const double SAMPLE_S = 0.001;
    const int64_t J = b->dimensions, most = NUMBERS / J;
    path *path = &test->path;
    path->dimensions = b->dimensions;
    path->every = llround(fmax(1, SAMPLE_S / b->dt));
    if (test->steps / path->every > most) path->every = (test->steps + most - 1) / most;
    path->interval = (double)path->every * b->dt;
    path->room = test->steps / path->every;
    path->state = memory_new(MEMORY_OUTPUT, (size_t)(path->room * J), sizeof(double));
    path->decoded = memory_new(MEMORY_OUTPUT, (size_t)(path->room * J), sizeof(double));
    path->driven = memory_new(MEMORY_OUTPUT, (size_t)path->room, 1);
}

/** Room for what trials leave. */
static void make_results(const balanced *b, struct balanced_test *test) {
    enum { PATHS = 1 << 20, SPIKES = 1 << 18, ALL_TASKS = 1 << 24 };
    const int64_t size = test->path.room * b->dimensions, mine = b->part.mine, share = ALL_TASKS / b->tasks;
    test->paths_kept = size > 0 ? (share < PATHS ? share : PATHS) / size : 0;
    if (test->paths_kept > test->setting.trials) test->paths_kept = test->setting.trials;
    test->spikes_kept = share / 16 < SPIKES ? share / 16 : SPIKES;
    test->task = memory_new(MEMORY_OUTPUT, (size_t)b->tasks, sizeof *test->task);
    if (b->literal) test->paths_kept = test->spikes_kept = 0;
    for (int task = 0; task < b->tasks; task++) {
        task_result *result = &test->task[task];
        result->neuron = memory_new(MEMORY_OUTPUT, (size_t)(test->columns * mine), sizeof(int64_t));
        if (test->tuning) result->tuning = memory_new(MEMORY_OUTPUT, (size_t)(DIRECTIONS_OF_TUNING * mine), sizeof(int64_t));
        if (b->context.rank != 0) continue;
        result->spike = memory_new(MEMORY_OUTPUT, (size_t)test->spikes_kept, sizeof(int64_t));
        result->path = memory_new(MEMORY_OUTPUT, (size_t)(2 * test->paths_kept * size), sizeof(int64_t));
    }
}

/** What the weights are worth. Collective. */
static void measure_weights(const balanced *b, struct balanced_test *test) {
    test->fast = test->slow = (weight_error){NAN, NAN, NAN};
    test->field_error = NAN;
    if (b->literal) return;
    if (b->fast) test->fast = weights_fast_error(b);
    test->slow = weights_slow_error(b);
    test->field_error = weights_field_error(b);
}

status balanced_test_begin(void *raw, const test_setting *setting, int *columns) {
    balanced *b = raw;
    const param_numbers *feedback = &b->learning->feedback;
    *columns = RECORDS;
    if (!isnan(setting->delete_spike)) return status_fail(STATUS_INPUT, "test: --delete-spike has no meaning for the system balanced");
    struct balanced_test *test = memory_new(MEMORY_OUTPUT, 1, sizeof *test);
    *test = (struct balanced_test){.setting = *setting, .feedback = feedback->count ? feedback->values[feedback->count - 1] : 0, .kept = b->sums};
    status fits = settle_times(b, test);
    if (fits == STATUS_OK) fits = settle_measures(b, test);
    if (fits != STATUS_OK) {
        memory_free(test);
        return fits;
    }
    b->test = test;
    measure_weights(b, test);
    attractor_find(b, &test->attractor);
    make_path(b, test);
    make_results(b, test);
    test->activity = activity_new(b, test->balance);
    return STATUS_OK;
}

double trials_mean(const struct balanced_test *test, const double *records, int column) {
    double sum = 0;
    int64_t defined = 0;
    for (int64_t n = 0; n < test->setting.trials; n++)
        if (!isnan(records[n * RECORDS + column])) sum += records[n * RECORDS + column], defined++;
    return defined ? sum / (double)defined : NAN;
}

/* ---- single neurons ---- */

double trials_of_neuron(const balanced *b, const task_result *result, int column, int64_t i) {
    const struct balanced_test *test = b->test;
    const int64_t mine = b->part.mine, value = result->neuron[column * mine + i];
    if (b->threshold[i] == INFINITY) return NAN;
    if (column == ACTIVITY_SPIKES) return (double)value / ((double)test->steps * b->dt * (double)test->setting.trials);
    const int counted = column == ACTIVITY_CV2 ? ACTIVITY_PAIRS : column == ACTIVITY_CV ? ACTIVITY_CONSTANTS : ACTIVITY_TRIALS;
    const int64_t count = result->neuron[counted * mine + i];
    return count ? (double)value / ACTIVITY_SCALE / (double)count : NAN;
}

double trials_preferred(const balanced *b, const task_result *result, int64_t i, double *depth) {
    double sum = 0, x = 0, y = 0;
    for (int d = 0; d < DIRECTIONS_OF_TUNING; d++) {
        const double angle = 2 * M_PI * d / DIRECTIONS_OF_TUNING, count = (double)result->tuning[d * b->part.mine + i];
        sum += count, x += count * cos(angle), y += count * sin(angle);
    }
    *depth = sum > 0 ? 2 * hypot(x, y) / sum : NAN;
    return sum > 0 ? atan2(y, x) : NAN;
}

/** Mean over neurons in which it is defined. Collective. */
static double mean_over_neurons(const balanced *b, const double *values) {
    exact_sum sum = {0}, count = {0};
    for (int64_t i = 0; i < b->part.mine; i++)
        if (!isnan(values[i])) sum_add(&sum, values[i]), sum_add(&count, 1);
    const double all = sum_value(sum_all(&b->context, count)), value = sum_value(sum_all(&b->context, sum));
    return all > 0 ? value / all : NAN;
}

/** Ratio of sums of two columns over neurons: each pair of intervals, or neuron under a command, counts once. Collective. */
static double pooled(const balanced *b, const task_result *result, int column, int count) {
    int64_t parts[3] = {0};
    for (int64_t i = 0; i < b->part.mine; i++) {
        const int64_t value = result->neuron[column * b->part.mine + i];
        parts[0] += value >> 32, parts[1] += value & 0xffffffff;
        parts[2] += result->neuron[count * b->part.mine + i];
    }
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, parts, 3, MPI_INT64_T, MPI_SUM, b->context.comm));
    return parts[2] ? ((double)parts[0] * 0x1p32 + (double)parts[1]) / ACTIVITY_SCALE / (double)parts[2] : NAN;
}

static int compare_numbers(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/** Median over neurons in which it is defined. Collective. */
static double median_over_neurons(const balanced *b, const double *values) {
    double *all = weights_gather(b, 1, values);
    int64_t defined = 0;
    for (int64_t k = 0; k < b->part.total; k++)
        if (!isnan(all[k])) all[defined++] = all[k];
    qsort(all, (size_t)defined, sizeof *all, compare_numbers);
    const double median = defined ? (all[(defined - 1) / 2] + all[defined / 2]) / 2 : NAN;
    memory_free(all);
    return median;
}

static void add_tuning(const balanced *b, const task_result *result, const double *records, figure_list *figures) {
    enum { OFF, DEPTH, PEAK, COS, SIN, VALUES };
    const size_t mine = (size_t)b->part.mine;
    const int J = b->dimensions;
    double *values = memory_new(MEMORY_BUFFERS, VALUES * mine, sizeof(double)), *of[VALUES];
    for (int v = 0; v < VALUES; v++) of[v] = values + (size_t)v * mine;
    for (size_t i = 0; i < mine; i++) {
        const double preferred = trials_preferred(b, result, (int64_t)i, &of[DEPTH][i]);
        const double along = atan2(feedforward_of(b, (int64_t)i, J - 1), feedforward_of(b, (int64_t)i, J - 2));
        int64_t most = 0;
        for (size_t d = 0; d < DIRECTIONS_OF_TUNING; d++) most = result->tuning[d * mine + i] > most ? result->tuning[d * mine + i] : most;
        of[OFF][i] = fabs(remainder(preferred - along, 2 * M_PI)) * 180 / M_PI;
        of[PEAK][i] = isnan(preferred) ? NAN : (double)most / protocol_tuning_seconds();
        of[COS][i] = cos(preferred), of[SIN][i] = sin(preferred);
    }
    figure_add(figures, "tuning", "angle_to_weights_deg", median_over_neurons(b, of[OFF]));
    figure_add(figures, "tuning", "depth", mean_over_neurons(b, of[DEPTH]));
    figure_add(figures, "tuning", "peak_hz", mean_over_neurons(b, of[PEAK]));
    const double x = mean_over_neurons(b, of[COS]), y = mean_over_neurons(b, of[SIN]);
    figure_add(figures, "tuning", "resultant", hypot(x, y));
    figure_add(figures, "tuning", "nerr", trials_mean(b->test, records, RECORD_TUNING_NERR));
    memory_free(values);
}

static void add_balance(const balanced *b, const task_result *result, figure_list *figures) {
    static const char *const names[] = {"correlation", "ratio", "correlation_with_reset", "ratio_with_reset"};
    double *values = memory_new(MEMORY_BUFFERS, (size_t)b->part.mine, sizeof(double));
    for (int k = 0; k < 4; k++) {
        for (int64_t i = 0; i < b->part.mine; i++) values[i] = trials_of_neuron(b, result, ACTIVITY_CORRELATION + k, i);
        figure_add(figures, "balance", names[k], mean_over_neurons(b, values));
    }
    memory_free(values);
}

void balanced_test_task(void *raw, int task, const double *records, figure_list *figures) {
    const balanced *b = raw;
    struct balanced_test *test = b->test;
    task_result *result = &test->task[task];
    result->record = records;
    figure_add(figures, NULL, "rate_hz", trials_mean(test, records, RECORD_RATE));
    for (int column = 0; column < RECORD_TUNING_NERR; column++) {
        const double value = trials_mean(test, records, column);
        if (column == RECORD_RATE || (column > RECORD_RATE && isnan(value))) continue;
        figure_add(figures, NULL, trials_records[column].name, value);
    }
    if (!b->literal) figure_add(figures, NULL, "cv2", pooled(b, result, ACTIVITY_CV2, ACTIVITY_PAIRS));
    if (test->constant) figure_add(figures, NULL, "cv", pooled(b, result, ACTIVITY_CV, ACTIVITY_CONSTANTS));
    if (test->balance) add_balance(b, result, figures);
    if (test->tuning) add_tuning(b, result, records, figures);
}

static void add_weights(figure_list *figures, const char *group, const weight_error *error) {
    if (isnan(error->relative)) return;
    figure_add(figures, group, "relative_error", error->relative);
    figure_add(figures, group, "scale", error->scale);
    figure_add(figures, group, "structure", error->structure);
}

void balanced_test_figures(const void *raw, figure_list *figures) {
    const balanced *b = raw;
    const struct balanced_test *test = b->test;
    figure_add_count(figures, NULL, "deleted_neurons", b->silenced);
    figure_add(figures, NULL, "noise", b->noise);
    figure_add(figures, NULL, "feedback_hz", b->protocol->feedback);
    figure_add(figures, NULL, "training_feedback_hz", test->feedback);
    add_weights(figures, "fast_weights", &test->fast);
    add_weights(figures, "slow_weights", &test->slow);
    if (!isnan(test->field_error)) figure_add(figures, NULL, "field_error", test->field_error);
    if (test->attractor.kind == ATTRACTOR_CYCLE) figure_add(figures, NULL, "teacher_period_ms", 1000 * test->attractor.period);
}

void balanced_test_end(void *raw) {
    balanced *b = raw;
    struct balanced_test *test = b->test;
    if (!test) return;
    b->sums = test->kept;
    for (int task = 0; task < b->tasks; task++) {
        task_result *result = &test->task[task];
        memory_free(result->neuron), memory_free(result->tuning), memory_free(result->spike), memory_free(result->path);
    }
    memory_free(test->task);
    memory_free(test->path.state), memory_free(test->path.decoded), memory_free(test->path.driven);
    attractor_clear(&test->attractor);
    activity_free(test->activity);
    memory_free(test);
    b->test = NULL;
}
