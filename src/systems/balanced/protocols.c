/* Commands that a test gives beside those of the configuration (README.md 7): constant ones, for intervals between spikes of a network that does nothing else,
 * and pulses in all directions, for tuning curves. */
#include <string.h>

#include "engram/memory.h"
#include "engram/random.h"
#include "testing.h"

enum { CONSTANTS = 8, LEAST_SPIKES = 11, REPEATS = 4, LAST_STREAM = (1 << 24) - 3, DRAW_CONSTANT = 3 };
static const double CONSTANT_SETTLE_S = 1, CONSTANT_S = 10, PULSE_FROM_S = 0.05, PULSE_TO_S = 0.25, COUNTED_TO_S = 0.35, PULSE = 20, TUNING_NOISE = 0.1;

double protocol_tuning_seconds(void) {
    return REPEATS * (COUNTED_TO_S - PULSE_FROM_S);
}

double protocol_constant_seconds(const balanced *b) {
    return (b->dimensions == 1 ? 2 : CONSTANTS) * (CONSTANT_SETTLE_S + CONSTANT_S);
}

/** A trial that is run in parts, each with a command of its own. */
typedef struct {
    frozen_rates rates;
    run_span span;
    pulse pulse;
} parted_trial;

static void begin(balanced *b, const test_trial *trial, uint64_t stream, parted_trial *parted) {
    *parted = (parted_trial){.rates = {.task = trial->task, .stream = stream},
                             .pulse = trials_pulse(trial, INT64_MAX)};
    parted->span = (run_span){.rates = trials_rates, .self = &parted->rates, .pulse = &parted->pulse};
    run_reset(b, trial->task, stream);
    pulse_begin(&parted->pulse);
}

/** The next part, up to @p end s after the start. @return whether it went on to the end */
static bool go_on(balanced *b, double end, const double *command, double feedback, parted_trial *parted) {
    parted->span.first += parted->span.steps;
    parted->span.steps = llround(end / b->dt) - parted->span.first;
    parted->rates.command = command;
    parted->rates.feedback = feedback;
    return run_steps(b, &parted->span);
}

/* ---- constant commands ---- */

/** Intervals of this rank's neurons. */
typedef struct { int64_t *last, *spikes; double *sum, *square; } intervals;

static void count_interval(void *raw, const balanced *b, const spike *spike) {
    const intervals *intervals = raw;
    const int64_t own = spike->neuron - b->part.first, step = b->chunk_first + b->at + spike->state;
    if (own < 0 || own >= b->part.mine) return;
    if (intervals->spikes[own]) {
        const double interval = (double)(step - intervals->last[own]);
        intervals->sum[own] += interval, intervals->square[own] += interval * interval;
    }
    intervals->last[own] = step;
    intervals->spikes[own]++;
}

/** A direction of x*: at equal angles in one or two dimensions, else drawn. */
static void constant_direction(const balanced *b, int d, double *x) {
    const int J = b->dimensions;
    double square = 0;
    for (int j = 0; j < J; j++) {
        if (J == 1) x[j] = d % 2 ? -1 : 1;
        else if (J == 2) x[j] = j ? sin(2 * M_PI * d / CONSTANTS) : cos(2 * M_PI * d / CONSTANTS);
        else x[j] = random_normal(b->seed, RANDOM_BASIS, (uint64_t)d, (uint64_t)DRAW_CONSTANT << 32 | (uint64_t)j);
        square += x[j] * x[j];
    }
    for (int j = 0; j < J; j++) x[j] /= sqrt(square);
}

static void add_cv(const balanced *b, const intervals *intervals, int64_t *sums) {
    for (int64_t i = 0; i < b->part.mine; i++) {
        const double n = (double)intervals->spikes[i] - 1, mean = intervals->sum[i] / n;
        if (intervals->spikes[i] < LEAST_SPIKES) continue;
        sums[ACTIVITY_CONSTANTS * b->part.mine + i]++;
        sums[ACTIVITY_CV * b->part.mine + i] += llrint(sqrt(fmax(0, intervals->square[i] / n - mean * mean)) / mean * ACTIVITY_SCALE);
    }
}

/** One of them. */
static bool run_constant(balanced *b, const test_trial *trial, int d, intervals *intervals) {
    const int J = b->dimensions;
    const size_t mine = (size_t)b->part.mine;
    const double *A = teacher_matrix(b->teacher);
    path_observer counter = {.self = intervals, .spike = count_interval};
    double x[DIMENSIONS_MAX], c[DIMENSIONS_MAX] = {0};
    parted_trial parted;
    constant_direction(b, d, x);
    for (int j = 0; j < J; j++)
        for (int l = 0; l < J; l++) c[j] -= A[j * J + l] * x[l];
    begin(b, trial, LAST_STREAM - (uint64_t)d, &parted);
    memset(b->teacher_state, 0, (size_t)J * sizeof(double)); /* from rest */
    if (!go_on(b, CONSTANT_SETTLE_S, c, b->protocol->feedback, &parted)) return false;
    memset(intervals->spikes, 0, mine * sizeof(int64_t));
    memset(intervals->sum, 0, mine * sizeof(double)), memset(intervals->square, 0, mine * sizeof(double));
    b->observer = &counter;
    const bool whole = go_on(b, CONSTANT_SETTLE_S + CONSTANT_S, c, b->protocol->feedback, &parted);
    b->observer = NULL;
    return whole;
}

bool protocol_constant(balanced *b, const test_trial *trial, int64_t *sums) {
    const size_t mine = (size_t)b->part.mine;
    intervals intervals = {memory_new(MEMORY_BUFFERS, mine, sizeof(int64_t)), memory_new(MEMORY_BUFFERS, mine, sizeof(int64_t)),
                           memory_new(MEMORY_BUFFERS, mine, sizeof(double)), memory_new(MEMORY_BUFFERS, mine, sizeof(double))};
    const int directions = b->dimensions == 1 ? 2 : CONSTANTS;
    bool whole = true;
    for (int d = 0; d < directions && whole; d++) {
        whole = run_constant(b, trial, d, &intervals);
        if (whole) add_cv(b, &intervals, sums);
    }
    memory_free(intervals.last), memory_free(intervals.spikes), memory_free(intervals.sum), memory_free(intervals.square);
    return whole;
}

/* ---- pulses in all directions ---- */

typedef struct { int64_t from, to, *counts; } counter;

static void count_spike(void *raw, const balanced *b, const spike *spike) {
    const counter *counter = raw;
    const int64_t own = spike->neuron - b->part.first, step = b->chunk_first + b->at + spike->state;
    if (own >= 0 && own < b->part.mine && step > counter->from && step <= counter->to) counter->counts[own]++;
}

/** One trial; its squares are added to @p all. */
static bool run_pulse(balanced *b, const test_trial *trial, int number, int64_t *counts, path_sums *all) {
    const int J = b->dimensions;
    const double angle = 2 * M_PI * (number / REPEATS) / DIRECTIONS_OF_TUNING, feedback = b->protocol->feedback;
    double rest[DIMENSIONS_MAX] = {0}, pulse[DIMENSIONS_MAX] = {0};
    counter counter = {.from = llround(PULSE_FROM_S / b->dt), .to = llround(COUNTED_TO_S / b->dt), .counts = counts};
    path_observer observer = {.self = &counter, .spike = count_spike};
    parted_trial parted;
    pulse[J - 2] = PULSE * cos(angle), pulse[J - 1] = PULSE * sin(angle);
    begin(b, trial, LAST_STREAM - CONSTANTS - (uint64_t)number, &parted);
    memset(b->teacher_state, 0, (size_t)J * sizeof(double));
    b->sums = (path_sums){0};
    b->observer = &observer;
    const bool whole = go_on(b, PULSE_FROM_S, rest, feedback, &parted) && go_on(b, PULSE_TO_S, pulse, feedback, &parted) &&
                       go_on(b, COUNTED_TO_S, rest, feedback, &parted);
    b->observer = NULL;
    all->steps += b->sums.steps, all->error += b->sums.error, all->square += b->sums.square;
    for (int j = 0; j < J; j++) all->sum[j] += b->sums.sum[j];
    return whole;
}

bool protocol_tuning(balanced *b, const test_trial *trial, int64_t *counts, double *nerr) {
    const double noise = b->noise;
    const bool quiet = !b->noise_now;
    path_sums all = {0};
    bool whole = true;
    balanced_add_noise(b, TUNING_NOISE);
    for (int n = 0; n < DIRECTIONS_OF_TUNING * REPEATS && whole; n++) whole = run_pulse(b, trial, n, counts + n / REPEATS * b->part.mine, &all);
    *nerr = trials_nerr(b, &all);
    b->noise = noise;
    if (!quiet) return whole;
    memory_free(b->noise_now), memory_free(b->noise_next), memory_free(b->noise_draws);
    b->noise_now = b->noise_next = b->noise_draws = NULL;
    return whole;
}
