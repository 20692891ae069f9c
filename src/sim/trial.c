/* The duty cycle: what happens in one step, in which order (models/rls.md 1.1 and 1.3).
 *
 * Spike-time form (Arthur et al. 2023)               Readout form (Kim & Chow 2018)
 *   learn, with r and u as the last step left them     input from the drive as the last step left it
 *   r and drive take up the last step's spikes         neurons advance
 *   neurons advance                                    spikes are exchanged and delivered
 *   spikes are exchanged and delivered                 r and drive take them up
 *                                                      learn; the new weights move the drive at the end of the next step */
#include <string.h>
#include <time.h>

#include "engram/simulation.h"

const char *const phase_names[PHASES] = {"build", "baseline", "update", "exchange", "deliver", "learn", "record", "write"};

double clock_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/** Charges the time since the last call to a phase. */
typedef struct { double *seconds, last; } stopwatch;

static void charge(stopwatch *watch, phase phase) {
    double now = clock_seconds();
    watch->seconds[phase] += now - watch->last;
    watch->last = now;
}

/** Number (from 1) of the learning instant at @p step, or 0. */
static int instant_at(const simulation *sim, int64_t step) {
    int64_t since = step - sim->window;
    if (since <= 0 || since % sim->every) return 0;
    int64_t k = since / sim->every;
    return k <= sim->targets.instants ? (int)k : 0;
}

/** First learning instant at or after @p step; past the last one, that of the next loop. */
static int64_t next_instant(const simulation *sim, int64_t step) {
    int64_t k = step <= sim->window ? 1 : (step - sim->window + sim->every - 1) / sim->every;
    return k <= sim->targets.instants ? sim->window + k * sim->every : sim->loop_steps + sim->window + sim->every;
}

static void learn_if_due(simulation *sim, const trial *trial, int64_t step, const double *stimulus, trial_result *result) {
    int k = trial->learn ? instant_at(sim, step) : 0;
    if (!k) return;
    filter_advance(sim->filter, sim->filter_age);
    sim->filter_age = 0;
    sim->rule->learn(sim->rule_state, targets_at(&sim->targets, sim->part.mine, trial->task, k - 1), stimulus, &result->report);
    filter_clear_interval(sim->filter);
}

/** Filtered spikes and drive take up @p spikes: those of the last step (spike-time form) or of this one (readout form). */
static void take_up_spikes(simulation *sim, const trial *trial, int64_t step) {
    if (trial->learn) {
        int64_t from = sim->drive->readout ? step : step + 1; /* the first step that could learn from what enters r now */
        filter_spikes(sim->filter, sim->spikes, sim->spike_count, next_instant(sim, from) - from);
        sim->filter_age++;
    }
    drive_advance(sim->drive, sim->current_noise ? neurons_noise(sim->neurons, trial->stream, step - 1) : NULL, sim->current_noise);
}

static void advance_neurons(simulation *sim, const trial *trial, int64_t step, const double *stimulus) {
    double *restrict input = sim->input;
    const double *restrict bias = sim->network.bias, *restrict total = sim->drive->total;
    const int mine = sim->part.mine;
    if (stimulus)
        for (int i = 0; i < mine; i++) input[i] = bias[i] + stimulus[i] + total[i];
    else
        for (int i = 0; i < mine; i++) input[i] = bias[i] + total[i];
    neurons_step(sim->neurons, trial->stream, step - 1, input);
}

/** Spikes of all sources into sim->spikes: neurons first, feed-forward units behind. @return number of neurons' spikes */
static int gather_spikes(simulation *sim, const trial *trial, int64_t step, int fired) {
    const int32_t *spikes;
    int count = exchange_spikes(sim->exchange, sim->fired, fired, &spikes);
    if (count) memcpy(sim->spikes, spikes, (size_t)count * sizeof(int32_t));
    sim->spike_count = count;
    if (sim->feedforward && trial->stimulate)
        sim->spike_count += feedforward_spikes(sim->feedforward, trial->task, trial->stream, step, (int32_t)sim->part.total, sim->spikes + count);
    return count;
}

static void count_spikes(const simulation *sim, int count, trial_result *result) {
    int excitatory = 0;
    for (int k = 0; k < count; k++) excitatory += sim->spikes[k] < sim->network.excitatory;
    result->spikes[0] += excitatory;
    result->spikes[1] += count - excitatory;
}

static void begin(simulation *sim, const trial *trial) {
    if (!trial->reset) return;
    neurons_reset(sim->neurons, trial->stream);
    drive_reset(sim->drive);
    if (sim->filter) filter_reset(sim->filter);
    sim->filter_age = 0;
    sim->spike_count = 0;
    if (sim->rule_state && sim->rule->trial_begin) sim->rule->trial_begin(sim->rule_state);
}

void trial_run(simulation *sim, const trial *trial, trial_result *result) {
    *result = (trial_result){.report.bad_neuron = -1};
    if (sim->dry) return;
    bool readout = sim->drive->readout;
    double started = clock_seconds();
    stopwatch watch = {.seconds = sim->phase_seconds, .last = started};
    begin(sim, trial);
    for (int64_t step = 1; step <= trial->steps; step++) {
        const double *stimulus = trial->stimulate ? stimulus_at(sim->stimulus, trial->task, step) : NULL;
        if (!readout) {
            learn_if_due(sim, trial, step, stimulus, result);
            charge(&watch, PHASE_LEARN);
            take_up_spikes(sim, trial, step);
        }
        advance_neurons(sim, trial, step, stimulus);
        int fired = neurons_collect(sim->neurons, sim->fired);
        charge(&watch, PHASE_UPDATE);

        int from_neurons = gather_spikes(sim, trial, step, fired);
        charge(&watch, PHASE_EXCHANGE);

        if (sim->network.synapses) static_deliver(sim->network.synapses, sim->spikes, from_neurons, &sim->drive->arriving);
        if (trial->plastic) plastic_deliver(sim->plastic, sim->spikes, sim->spike_count, sim->drive->plastic_arriving);
        count_spikes(sim, from_neurons, result);
        charge(&watch, PHASE_DELIVER);

        if (readout) {
            take_up_spikes(sim, trial, step);
            charge(&watch, PHASE_UPDATE);
            learn_if_due(sim, trial, step, stimulus, result);
            charge(&watch, PHASE_LEARN);
        }
        for (int o = 0; o < trial->observers; o++) trial->observer[o].step(trial->observer[o].self, sim, step, sim->fired, fired);
        charge(&watch, PHASE_RECORD);
    }
    result->seconds = clock_seconds() - started;
}
