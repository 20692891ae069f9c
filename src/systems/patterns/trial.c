/* The duty cycle: what happens in one step, in which order (patterns/README.md 1.1 and 1.3).
 *
 * Spike-time form (Arthur et al. 2023)               Readout form (Kim & Chow 2018)
 *   learn, with r and u as the last step left them     input from the drive as the last step left it
 *   r and drive take up the last step's spikes         neurons advance
 *   neurons advance                                    spikes are exchanged and delivered
 *   spikes are exchanged and delivered                 r and drive take them up
 *                                                      learn; the new weights move the drive at the end of the next step
 *
 * What is delivered at the end of step t through a synapse of delay d are spikes of step t - d + 1 (flight.h); r takes up what reaches plastic synapses.
 * Spikes of some steps are exchanged at once where no delay is shorter (arrivals.h). */
#include <math.h>
#include <stdio.h>

#include "engram/clock.h"
#include "perturbation.h"
#include "stretch.h"

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

static void find_bad_gain(const simulation *sim, pulse *pulse, const trial_result *result, int64_t step) {
    const double gain = result->report.bad_gain;
    char what[64] = "an element of its diagonal is not above 0";
    if (!(gain > 0 && gain <= 1)) snprintf(what, sizeof what, "gain %g, allowed is above 0 up to 1", gain);
    pulse_fault(pulse, "%g ms: the inverse correlation matrix of neuron %lld is no longer positive definite (%s); use precision: double, or a larger lambda",
                (double)step * sim->dt, (long long)(sim->part.first + result->report.bad_neuron), what);
}

/** @return whether this was a learning instant */
static bool learn_if_due(simulation *sim, const trial *trial, int64_t step, const double *stimulus, trial_result *result) {
    int k = trial->learn ? instant_at(sim, step) : 0;
    if (!k) return false;
    filter_advance(sim->filter, sim->filter_age);
    sim->filter_age = 0;
    drive_settle(sim->drive);
    sim->rule->learn(sim->rule_state, targets_at(&sim->targets, trial->task, k - 1), stimulus, &result->report);
    filter_clear_interval(sim->filter);
    if (result->report.bad_neuron >= 0) find_bad_gain(sim, trial->pulse, result, step);
    return true;
}

/** Filtered spikes take up those of the last step (spike-time form) or of this one (readout form). */
static void filter_take_up(simulation *sim, const trial *trial, int64_t step) {
    if (!trial->learn) return;
    int64_t from = sim->drive->readout ? step : step + 1; /* the first step that could learn from what enters r now */
    filter_spikes(sim->filter, sim->arrived, sim->arrived_count, next_instant(sim, from) - from);
    sim->filter_age++;
}

/** All neurons of the rank. @return how many fired, listed in sim->fired */
static int advance_neurons(simulation *sim, const trial *trial, int64_t step, const double *stimulus) {
    int fired = 0;
    if (!sim->drive->readout) filter_take_up(sim, trial, step);
    for (int first = 0, end; first < sim->part.mine; first = end) {
        end = stretch_end(sim, first);
        stretch_advance(sim, trial, step, stimulus, first, end);
        fired += neurons_collect(sim->neurons, first, end, sim->fired + fired);
    }
    arrivals_taken(sim);
    return sim->perturbation ? perturbation_silence(sim->perturbation, sim->fired, fired) : fired;
}

/** What follows the spikes of a step in the readout form. */
static void take_up_by_readout(simulation *sim, const trial *trial, int64_t step) {
    filter_take_up(sim, trial, step);
    for (int first = 0, end; first < sim->part.mine; first = end) {
        end = stretch_end(sim, first);
        stretch_take_up(sim, trial, step, first, end);
    }
    arrivals_taken(sim);
}

static void begin(simulation *sim, const trial *trial) {
    if (!trial->reset) return;
    neurons_reset(sim->neurons, trial->stream);
    drive_reset(sim->drive);
    if (sim->filter) filter_reset(sim->filter);
    sim->filter_age = 0;
    sim->arrived_count = 0;
    if (sim->flight) flight_reset(sim->flight);
    if (trial->learn && sim->rule_state && sim->rule->trial_begin) sim->rule->trial_begin(sim->rule_state);
}

/** Where it is to be told apart from the exchange: until every rank is there. */
static void wait_for_others(const simulation *sim, stopwatch *watch) {
    if (!sim->timers->wait_timed) return;
    CHECK_MPI(MPI_Barrier(sim->context.comm));
    stopwatch_charge(watch, PHASE_WAIT);
}

void trial_run(simulation *sim, const trial *trial, trial_result *result) {
    *result = (trial_result){.report.bad_neuron = -1, .deleted_neuron = -1};
    pulse *pulse = trial->pulse;
    pulse_begin(pulse);
    if (sim->dry) return;
    bool readout = sim->drive->readout;
    stopwatch watch = stopwatch_start(sim->timers);
    const double started = clock_seconds();
    neurons_stir(sim->neurons);
    begin(sim, trial);
    arrivals_begin(sim);
    sim->drive->plastic_used |= trial->plastic && sim->plastic->rows > 0;
    for (int64_t step = 1; step <= trial->steps; step++) {
        const double *stimulus = trial->stimulate ? stimulus_at(sim->stimulus, trial->task, step) : NULL;
        sim->stimulus_now = stimulus;
        if (!readout && learn_if_due(sim, trial, step, stimulus, result)) stopwatch_charge(&watch, PHASE_LEARN);
        int fired = advance_neurons(sim, trial, step, stimulus);
        stopwatch_charge(&watch, PHASE_UPDATE);
        int64_t heard = 0;
        const bool exchange = arrivals_wait(sim, trial, step, fired);
        if (exchange) {
            wait_for_others(sim, &watch);
            heard = arrivals_exchange(sim, trial, step, &fired, result);
            stopwatch_charge(&watch, PHASE_EXCHANGE);
            unsigned raised = exchange_raised(sim->exchange);
            if (raised && !pulse_heed(pulse, raised, step)) break;
        }
        arrivals_deliver(sim, trial, step, exchange, result);
        stopwatch_charge(&watch, PHASE_DELIVER);

        if (readout) {
            take_up_by_readout(sim, trial, step);
            stopwatch_charge(&watch, PHASE_UPDATE);
            if (learn_if_due(sim, trial, step, stimulus, result)) stopwatch_charge(&watch, PHASE_LEARN);
        }
        pulse_step(pulse, step, sim->fired, fired, heard);
        stopwatch_charge(&watch, PHASE_RECORD);
    }
    arrivals_settle(sim);
    drive_settle(sim->drive);
    result->seconds = clock_seconds() - started;
}
