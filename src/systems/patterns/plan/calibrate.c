/* Measures what plans of patterns need of a machine, by running small networks with the program's own code and reading its timers.
 * Every rank runs its own network, all at the same time. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../../../rls/layout.h"
#include "../patterns.h"
#include "costs.h"
#include "engram/plan.h"
#include "engram/schema.h"

enum { TEXT_BYTES = 2048 };

static const double ENOUGH = 0.15; /* s of repeats after which the least number of them will do */

/** What a small network took: s of a trial, the fastest repeat, mean over ranks. */
typedef struct {
    double phase[PHASES];
    double build, score;
    double steps, spikes; /**< of a trial */
    double instants;      /**< of learning, and of the guard's checks */
    double synapses;      /**< static */
    int longest;          /**< of their delays, steps */
    double plastic;       /**< synapses */
    double groups;
    double p_bytes;
} measured;

enum { LEARN = 1, PLASTIC = 2, TRACK = 4 };

/* ---- small networks ---- */

/** Time score_values() and the rolling average of a trial. */
static double time_score(simulation *sim, tracker *tracker) {
    double started = clock_seconds();
    score_values(sim, 0, tracker_finish(tracker), NULL);
    return clock_seconds() - started;
}

/** @param guard looks at the network as in a run */
static void run_trials(calibration *calibration, simulation *sim, guard *guard, int how, measured *measured) {
    double phases[PHASES][CALIBRATION_REPEATS], score[CALIBRATION_REPEATS] = {0}, took = 0;
    tracker *tracker = how & TRACK ? tracker_new(sim, 5) : NULL;
    int repeats = 0;
    /* initial states are drawn once: that is not what a step takes */
    for (bool warm = false; !repeats || (took < calibration_long(calibration) && repeats < CALIBRATION_REPEATS &&
                                     (repeats < CALIBRATION_REPEATS_LEAST || took < ENOUGH));
         warm = true) {
        pulse pulse = {.look_every = sim->every, .guard = guard};
        trial trial = {
            .stream = (uint64_t)repeats + 1,
            .reset = !warm,
            .plastic = how & PLASTIC,
            .learn = how & LEARN,
            .steps = sim->loop_steps,
            .pulse = &pulse,
        };
        trial_result result;
        if (tracker) {
            tracker_begin(tracker, NULL, NULL);
            pulse_observe(&pulse, tracker, tracker_step);
        }
        memset(sim->timers->seconds, 0, sizeof sim->timers->seconds);
        CHECK_MPI(MPI_Barrier(calibration->job.comm));
        trial_run(sim, &trial, &result);
        if (sim->rule_state && sim->rule->settle) sim->rule->settle(sim->rule_state);
        took += result.seconds;
        CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &took, 1, MPI_DOUBLE, MPI_MAX, calibration->job.comm)); /* all ranks repeat as often */
        if (!warm) continue;
        for (int p = 0; p < PHASES; p++) phases[p][repeats] = sim->timers->seconds[p];
        score[repeats++] = tracker ? time_score(sim, tracker) : 0;
        measured->spikes = (double)(result.spikes[0] + result.spikes[1]);
    }
    for (int p = PHASE_UPDATE; p <= PHASE_RECORD; p++) measured->phase[p] = calibration_settle(calibration, phases[p], repeats);
    measured->score = calibration_settle(calibration, score, repeats);
    tracker_free(tracker);
}

/** Build and run a network that differs from the defaults as @p format says. Collective; ends the job where the text is wrong. */
static measured measure(calibration *calibration, int how, const char *format, ...) __attribute__((format(printf, 3, 4)));
static measured measure(calibration *calibration, int how, const char *format, ...) {
    char text[TEXT_BYTES];
    measured measured = {0};
    config *config;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    length += snprintf(text + length, sizeof text - (size_t)length, "\nstimulus: {kind: none, start: 0, stop: 0}\nguards: {max_rate: 0, min_window_rate: 0}\n"
                                                                    "output: {correlation_window: 0}\n");
    if (config_read_text(&calibration->alone, "calibration", text, (size_t)length, NULL, training_schema(), &config) != STATUS_OK)
        context_abort("calibrate: a network of its own cannot be read:\n%s", text);
    const learning_system *system = system_of(config);
    timers timers = {0};
    const system_setting setting = {&calibration->alone, config, BUILD_TRAIN, &timers};
    system_facts facts;
    void *self;
    if (system->resolve(&calibration->alone, config) != STATUS_OK || system->build(&setting, &facts, &self) != STATUS_OK)
        context_abort("calibrate: a network of its own is wrong:\n%s", text);
    simulation *sim = ((patterns *)self)->sim;
    guard *guard = calibration_guard(calibration, system, self, &facts);
    measured.build = calibration_settle(calibration, &sim->timers->seconds[PHASE_BUILD], 1);
    measured.steps = (double)sim->loop_steps;
    measured.instants = sim->targets.instants;
    measured.synapses = sim->network.synapses ? (double)sim->network.synapses->start[sim->network.synapses->sources] : 0;
    measured.longest = sim->network.synapses ? sim->network.synapses->longest : 1;
    measured.plastic = (double)sim->plastic->row_start[sim->plastic->rows];
    measured.groups = sim->plastic->groups;
    measured.p_bytes = (double)memory_held(MEMORY_P);
    run_trials(calibration, sim, guard, how, &measured);
    calibration_guard_free(guard);
    system->free(self);
    system->forget(config);
    config_free(config);
    return measured;
}

/* ---- update ---- */

static const double update_sizes[] = {32, 1024, 16384, 262144};
enum { UPDATE_SIZES = sizeof update_sizes / sizeof *update_sizes, SINGLE_AT = 2 };

/** ns of a neuron and step. */
static double update_cost(calibration *calibration, double neurons, const char *network, const char *neuron, const char *plastic) {
    double steps = fmin(2000, fmax(4, floor(250000 / neurons / 4) * 4)), ms = steps / 10;
    measured measured = measure(calibration, PLASTIC, "simulation: {dt: 0.1 ms}\nnetwork: {%s, neurons: %.0f}\nneuron: {%s}\nplastic: {%s}\n"
                                "targets: {kind: ou, duration: %g ms}\nlearning: {rule: none, every: %g ms}\n", network, neurons, neuron, plastic, ms, ms / 2);
    return measured.phase[PHASE_UPDATE] / measured.steps / neurons * 1e9;
}

/** @param drive of all neurons: nothing is delivered */
static measured rest_and_spikes(calibration *calibration, const char *drive) {
    return measure(calibration, PLASTIC, "simulation: {dt: 0.1 ms}\nnetwork: {kind: none, neurons: 4096, %s}\nplastic: {kind: none}\n"
                   "targets: {kind: ou, duration: 100 ms}\nlearning: {rule: none, every: 50 ms}\n", drive);
}

/** What noise and synapses add to the step of @p neurons, ns of a neuron. @param plain of a neuron without them */
static void measure_additions(calibration *calibration, int at, double neurons, double plain) {
    machine_update *update = costs_of(&calibration->machine).update;
    const char *lif = "model: lif", *none = "kind: none", *least = "kind: separate, excitatory_in_degree: 1, inhibitory_in_degree: 1";
    char weighted[128];
    snprintf(weighted, sizeof weighted, "kind: random, wiring: in_degree, weights: zero, probability: %.10g", 2 / neurons);
    update->noise.values[at] = fmax(update_cost(calibration, neurons, none, "model: lif, noise_sd: 0.1", none) - plain, 0.01);
    update->typed.values[at] = fmax(update_cost(calibration, neurons, "kind: balanced_ei, in_degree: 1, external_drive: 0", lif, none) - plain, 0.01);
    update->weighted.values[at] = fmax(update_cost(calibration, neurons, weighted, lif, none) - plain, 0.01);
    update->plastic.values[at] = fmax(update_cost(calibration, neurons, none, lif, least) - plain, 0.01);
}

/** How much longer, or shorter, neurons and noise take in single precision. */
static void measure_single(calibration *calibration) {
    const char *balanced = "kind: balanced_ei, in_degree: 1, external_drive: 0", *none = "kind: none";
    const double neurons = update_sizes[SINGLE_AT];
    machine_update *update = costs_of(&calibration->machine).update;
    const double single = update_cost(calibration, neurons, balanced, "model: lif, precision: single", none);
    const double noisy = update_cost(calibration, neurons, balanced, "model: lif, precision: single, noise_sd: 0.1", none);
    update->single = single / fmax(update_cost(calibration, neurons, balanced, "model: lif", none), 0.01);
    update->single = fmin(fmax(update->single, 0.05), 20);
    update->noise_single = fmin(fmax((noisy - single) / update->noise.values[SINGLE_AT], 0.05), 20);
}

static void measure_update(calibration *calibration) {
    costs costs = costs_of(&calibration->machine);
    machine_update *update = costs.update;
    param_numbers *const lists[] = {&update->noise, &update->typed, &update->weighted, &update->plastic};
    char text[128];
    update->neurons = calibration_list(UPDATE_SIZES, update_sizes);
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++) *lists[l] = calibration_list(UPDATE_SIZES, NULL);
    for (int m = 0; neuron_models[m]; m++) update->model[m] = calibration_list(UPDATE_SIZES, NULL);
    for (int k = 0; k < UPDATE_SIZES; k++) {
        for (int m = 0; neuron_models[m]; m++) {
            snprintf(text, sizeof text, "model: %s", neuron_models[m]->parameters->name);
            update->model[m].values[k] = update_cost(calibration, update_sizes[k], "kind: none", text, "kind: none");
        }
        measure_additions(calibration, k, update_sizes[k], update->model[0].values[k]); /* lif */
    }
    measure_single(calibration);
    measured spiking = rest_and_spikes(calibration, "bias: 1.0005"), resting = rest_and_spikes(calibration, "bias: 0");
    update->spike = fmax((spiking.phase[PHASE_UPDATE] - resting.phase[PHASE_UPDATE]) / (spiking.spikes - resting.spikes) * 1e9, 0);
    costs.others->step = resting.phase[PHASE_RECORD] / resting.steps * 1e9;
}

/* ---- delivery ---- */

enum { DELAYED_NEURONS = 16384 };

#define FIRING "bias: 1.5" /* some 90 Hz: as many spikes as can be had in a short time */
#define SPARSE "noise_sd: 0.65" /* some 6 Hz, as networks that learn have: the few spikes of a step do not hide each other's waiting for memory */

/** Networks whose static synapses have weight 0. @param neuron SPARSE, or nothing for neurons at rest @param inputs of a neuron, and targets of a spike */
static measured deliver(calibration *calibration, bool typed, const char *neuron, double neurons, double inputs, double steps) {
    double ms = steps / 10;
    if (typed)
        return measure(calibration, PLASTIC, "simulation: {dt: 0.1 ms}\nnetwork: {kind: balanced_ei, neurons: %.0f, in_degree: %.0f, "
                       "w_ee: 0, w_ie: 0, w_ei: 0, w_ii: 0, external_drive: 0}\nneuron: {%s}\n"
                       "plastic: {kind: none}\ntargets: {kind: ou, duration: %g ms}\nlearning: {rule: none, every: %g ms}\n",
                       neurons, inputs / 2, neuron, ms, ms / 2);
    return measure(calibration, PLASTIC, "simulation: {dt: 0.1 ms}\nnetwork: {kind: random, wiring: in_degree, weights: zero, neurons: %.0f, "
                   "probability: %.10g}\nneuron: {%s}\n"
                   "plastic: {kind: none}\ntargets: {kind: ou, duration: %g ms}\nlearning: {rule: none, every: %g ms}\n",
                   neurons, inputs / neurons, neuron, ms, ms / 2);
}

/** One population whose synapses have delays of 0.1 to some 4 ms and next to no weight. @param inputs of a neuron, and targets of a spike
 *  @param background spikes a step, which do not matter either */
static measured deliver_delayed(calibration *calibration, const char *precision, double inputs, double background, double steps) {
    double ms = steps / 10;
    return measure(calibration, PLASTIC, "simulation: {dt: 0.1 ms}\nnetwork: {kind: populations, names: [E], sizes: [%d], types: [excitatory], "
                   "wiring: in_degree, connections: [%.0f], weight: 1e-6, weight_cv: 0.1, weight_precision: %s, delay: 1.5 ms, delay_sd: 0.75 ms, "
                   "background_rate: %g Hz, background_inputs: [1000], background_weight: 1e-6}\nneuron: {" SPARSE "}\n"
                   "plastic: {kind: none}\ntargets: {kind: ou, duration: %g ms}\nlearning: {rule: none, every: %g ms}\n",
                   DELAYED_NEURONS, inputs, precision, 10 * background, ms, ms / 2);
}

static measured deliver_plastic(calibration *calibration, double neurons, double inputs, int64_t group, double steps) {
    double ms = steps / 10;
    return measure(calibration, PLASTIC, "simulation: {dt: 0.1 ms}\nnetwork: {kind: none, neurons: %.0f}\nneuron: {" SPARSE "}\n"
                   "plastic: {kind: separate, excitatory_in_degree: %.0f, inhibitory_in_degree: %.0f, "
                   "excitatory_weight: 0, inhibitory_weight: 0, group_size: %lld}\n"
                   "targets: {kind: ou, duration: %g ms}\nlearning: {rule: none, every: %g ms}\n",
                   neurons, inputs / 2, inputs / 2, (long long)group, ms, ms / 2);
}

enum { LEARNING_NEURONS = 4096, LEARNING_INPUTS = 128 };

/** As in training: between two spikes of a neuron all of P, 270 MB, passes through the caches. Lambda is so large that nothing is learned. */
static measured deliver_and_learn(calibration *calibration) {
    return measure(calibration, LEARN | PLASTIC, "simulation: {dt: 0.1 ms}\nnetwork: {kind: none, neurons: %d}\nneuron: {" SPARSE "}\n"
                   "plastic: {kind: separate, excitatory_in_degree: %d, inhibitory_in_degree: %d, excitatory_weight: 0, inhibitory_weight: 0}\n"
                   "targets: {kind: ou, duration: 150 ms}\nlearning: {rule: rls, store: spike_driven, lambda: 1e6, every: 10 ms}\n",
                   LEARNING_NEURONS, LEARNING_INPUTS / 2, LEARNING_INPUTS / 2);
}

/** ns of a spike. */
static double spike_cost(const calibration *calibration, const measured *measured) {
    return (measured->phase[PHASE_DELIVER] * 1e9 - measured->steps * costs_of(&calibration->machine).delivery->step) / fmax(1, measured->spikes);
}

/** ns of one of @p parts things that a spike does, beside what it costs by itself in networks of size @p at. */
static double part_cost(const calibration *calibration, const measured *measured, int at, double parts) {
    return (spike_cost(calibration, measured) - costs_of(&calibration->machine).delivery->spike.values[at]) / parts;
}

/** Rows of few and of many synapses tell what a spike costs and what a synapse does. */
static void fit_typed(calibration *calibration, int at, double neurons, double few_inputs, double many_inputs, double steps) {
    costs costs = costs_of(&calibration->machine);
    measured few = deliver(calibration, true, SPARSE, neurons, few_inputs, steps), many = deliver(calibration, true, SPARSE, neurons, many_inputs, steps);
    costs.delivery->typed.values[at] = fmax((spike_cost(calibration, &many) - spike_cost(calibration, &few)) / (many_inputs - few_inputs), 0.02);
    costs.delivery->spike.values[at] = fmax(spike_cost(calibration, &few) - few_inputs * costs.delivery->typed.values[at], 1);
    costs.others->build_typed = many.build / many.synapses * 1e9;
}

/** Networks with a synapse in 16, and in 23, pairs: bits, if the processor has additions for them. */
static void fit_bits(calibration *calibration) {
    param_numbers *bits = &costs_of(&calibration->machine).delivery->bits;
    measured small = deliver(calibration, true, SPARSE, 4096, 256, 1000);
    measured large = deliver(calibration, true, SPARSE, 23000, 1000, 100);
    bits->values[0] = fmax(part_cost(calibration, &small, 0, ceil(4096 / 32.0)), 0.01);
    bits->values[1] = fmax(part_cost(calibration, &large, 1, ceil(23000 / 32.0)), 0.01);
}

static void fit_weighted(calibration *calibration) {
    costs costs = costs_of(&calibration->machine);
    param_numbers *weighted = &costs.delivery->weighted;
    measured small = deliver(calibration, false, SPARSE, 1366, 128, 2000);
    measured large = deliver(calibration, false, SPARSE, 10923, 512, 200);
    weighted->values[0] = fmax(part_cost(calibration, &small, 0, 128), 0.02);
    weighted->values[1] = fmax(part_cost(calibration, &large, 1, 512), 0.02);
    costs.others->build_weighted = large.build / large.synapses * 1e9;
}

/** ns of a run, of which a spike of the network makes some, beside @p inputs synapses of @p each ns. */
static double run_cost(const calibration *calibration, const measured *measured, double inputs, double each) {
    return fmax(spike_cost(calibration, measured) - inputs * each, 0) / blocks_reached(measured->longest);
}

static void fit_delayed(calibration *calibration) {
    enum { FEW = 256, MANY = 2048, STEPS = 200 };
    costs costs = costs_of(&calibration->machine);
    machine_delivery *delivery = costs.delivery;
    const measured few = deliver_delayed(calibration, "fixed", FEW, 0, STEPS), many = deliver_delayed(calibration, "fixed", MANY, 0, STEPS);
    const measured wide = deliver_delayed(calibration, "double", MANY, 0, STEPS), showered = deliver_delayed(calibration, "fixed", FEW, 1.3, STEPS);
    delivery->blocks = fmax((spike_cost(calibration, &many) - spike_cost(calibration, &few)) / (MANY - FEW), 0.05);
    delivery->run = run_cost(calibration, &few, FEW, delivery->blocks);
    delivery->blocks_double = fmax(delivery->blocks + (spike_cost(calibration, &wide) - spike_cost(calibration, &many)) / MANY, 0.05);
    costs.others->build_blocks = many.build / many.synapses * 1e9;
    costs.update->background = fmax((showered.phase[PHASE_UPDATE] - few.phase[PHASE_UPDATE]) / few.steps / DELAYED_NEURONS * 1e9, 0.01);
}

/** How much longer the advance of neurons takes where they learn. @param learning deliver_and_learn() */
static double learning_factor(const machine_update *update, const measured *learning) {
    double each = machine_curve(&update->neurons, &update->model[0], LEARNING_NEURONS) + machine_curve(&update->neurons, &update->noise, LEARNING_NEURONS) +
                  machine_curve(&update->neurons, &update->plastic, LEARNING_NEURONS);
    double advance = learning->steps * LEARNING_NEURONS * each + learning->spikes * update->spike; /* without learning */
    return fmax(learning->phase[PHASE_UPDATE] * 1e9 / advance, 1);
}

static void fit_plastic(calibration *calibration) {
    costs costs = costs_of(&calibration->machine);
    machine_delivery *delivery = costs.delivery;
    measured small = deliver_plastic(calibration, 2048, 64, 1, 2000);
    measured eight = deliver_plastic(calibration, 16384, 64, 8, 200), many = deliver_plastic(calibration, 16384, 64, 128, 200);
    measured learning = deliver_and_learn(calibration);
    delivery->plastic.values[0] = fmax(part_cost(calibration, &small, 0, 64), 0.02);
    delivery->plastic.values[1] = fmax(part_cost(calibration, &learning, 1, LEARNING_INPUTS), 0.02);
    /* a spike reaches 64 neurons: 8 groups of 8, or one of 128 in every second case */
    double of_eight = part_cost(calibration, &eight, 0, 8), of_many = part_cost(calibration, &many, 0, 0.5);
    delivery->member = fmax((of_many - of_eight) / 120, 0.02);
    delivery->group = fmax(of_eight - delivery->plastic.values[0] - 7 * delivery->member, 0);
    costs.others->build_plastic = small.build / small.plastic * 1e9;
    costs.update->learning = learning_factor(costs.update, &learning);
}

static void measure_delivery(calibration *calibration) {
    static const double bytes[] = {2 << 20, 64 << 20};
    machine_delivery *delivery = costs_of(&calibration->machine).delivery;
    param_numbers *const lists[] = {&delivery->typed, &delivery->weighted, &delivery->plastic, &delivery->spike, &delivery->bits};
    delivery->bytes = calibration_list(2, bytes);
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++) *lists[l] = calibration_list(2, NULL);
    measured rest = deliver(calibration, true, "", 4096, 8, 1000);
    delivery->step = rest.phase[PHASE_DELIVER] / rest.steps * 1e9;
    fit_typed(calibration, 0, 4096, 8, 128, 1000);
    fit_typed(calibration, 1, 32768, 32, 512, 100); /* as many neurons as are counted for at a time; some 32 MiB of synapses */
    fit_bits(calibration);
    fit_weighted(calibration);
    fit_delayed(calibration);
    fit_plastic(calibration);
}

/* ---- RLS ---- */

static const double rls_inputs[] = {32, 64, 128, 240, 496, 1008}; /* whole cache lines that are no multiple of 256: rows that need no padding */
enum { RLS_INPUTS = sizeof rls_inputs / sizeof *rls_inputs };

/** A store with groups of one size, as many as fill @p bytes with their P. */
typedef struct {
    const char *store;
    int precision;
    double inputs; /**< of a group */
    double bytes;
} group_case;

/** ns of a group and instant. @param every ms between instants: how many inputs spike @param[out] hits of a group */
static double group_cost(calibration *calibration, const group_case *of, int instants, double every, double *hits) {
    static const char *const names[PRECISIONS] = {"single", "double", "half"};
    const double sizes[PRECISIONS] = {4, 8, 2};
    double real = sizes[of->precision], trained = fmax(1, ceil(of->bytes / (of->inputs * of->inputs * real))), neurons = trained + 2 * of->inputs + 1024;
    measured measured = measure(calibration, LEARN | PLASTIC,
                                "simulation: {dt: 0.1 ms}\nnetwork: {kind: none, neurons: %.0f, excitatory_fraction: %.15g, " FIRING "}\n"
                                "plastic: {kind: separate, trained: excitatory, excitatory_in_degree: 0, inhibitory_in_degree: %.0f, inhibitory_weight: 0}\n"
                                "targets: {kind: ou, duration: %g ms}\nlearning: {rule: rls, store: %s, precision: %s, every: %g ms}\n",
                                neurons, (trained + 0.5) / neurons, of->inputs, instants * every, of->store, names[of->precision], every);
    *hits = of->inputs * fmin(1, measured.spikes / neurons / measured.instants);
    if (of->precision != PRECISION_HALF) costs_of(&calibration->machine).others->build_p = measured.build / (measured.p_bytes / real) * 1e9;
    return measured.phase[PHASE_LEARN] / measured.instants / measured.groups * 1e9;
}

/** Two runs with different numbers of inputs that spike tell what an instant takes without any, and what for each. Stores that do not go by spikes need one. */
static void store_cost(calibration *calibration, const group_case *of, double *quiet, double *spiking) {
    bool by_spikes = strcmp(of->store, "spike_driven") == 0;
    int instants = by_spikes ? rls_default_block((int64_t)of->inputs) : 4; /* a block of updates, with its flush */
    double few, many, took = group_cost(calibration, of, instants, 0.5, &few), share = 0;
    if (by_spikes) share = fmax((group_cost(calibration, of, instants, 5, &many) - took) / (many - few), 0);
    *spiking = fmin(share, 0.8 * took / few); /* measured in different moments, on a machine that others use */
    *quiet = took - *spiking * few;
}

/** @param of without inputs */
static void measure_store(calibration *calibration, group_case of, machine_store *costs) {
    costs->quiet = calibration_list(RLS_INPUTS, NULL);
    costs->spiking = calibration_list(RLS_INPUTS, NULL);
    for (int k = 0; k < RLS_INPUTS; k++) {
        of.inputs = rls_inputs[k];
        store_cost(calibration, &of, &costs->quiet.values[k], &costs->spiking.values[k]);
    }
}

static void measure_stores(calibration *calibration) {
    machine_rls *rls = costs_of(&calibration->machine).rls;
    rls->inputs = calibration_list(RLS_INPUTS, rls_inputs);
    rls->cached_bytes = 1 << 20;
    rls->large_bytes = calibration->quick ? 48 << 20 : 256 << 20; /* several times a core's share of the last cache */
    for (int s = 0; rls_store_kinds[s]; s++) {
        if (rls_store_kinds[s]->divided) continue;
        for (int p = 0; p < PRECISIONS; p++) {
            if (p == PRECISION_HALF && !rls_store_kinds[s]->halves) continue;
            group_case of = {.store = rls_store_kinds[s]->name, .precision = p, .bytes = rls->cached_bytes};
            measure_store(calibration, of, &rls->cached[s][p]);
            of.bytes = rls->large_bytes;
            measure_store(calibration, of, &rls->large[s][p]);
        }
    }
}

/** Few neurons learn in a large network: what every source costs on every rank. */
static measured many_sources(calibration *calibration, int how, const char *tau) {
    return measure(calibration, how, "simulation: {dt: 0.1 ms}\nnetwork: {kind: none, neurons: 65536, excitatory_fraction: 0.0001, " FIRING "}\n"
                   "plastic: {kind: separate, trained: excitatory, excitatory_in_degree: 0, inhibitory_in_degree: 32, inhibitory_weight: 0%s}\n"
                   "targets: {kind: ou, duration: 4 ms}\nlearning: {rule: rls, every: 0.5 ms}\n", tau);
}

static measured with_members(calibration *calibration, int64_t neurons, int64_t group) {
    return measure(calibration, LEARN | PLASTIC, "simulation: {dt: 0.1 ms}\nnetwork: {kind: none, neurons: %lld, " FIRING "}\n"
                   "plastic: {kind: separate, excitatory_in_degree: 64, inhibitory_in_degree: 64, "
                   "excitatory_weight: 0, inhibitory_weight: 0, group_size: %lld}\n"
                   "targets: {kind: ou, duration: 32 ms}\nlearning: {rule: rls, store: spike_driven, every: 1 ms}\n", (long long)neurons, (long long)group);
}

/** Neurons that share a P on a grid. @param how with LEARN, updates of weights wait */
static measured all_to_all(calibration *calibration, int how) {
    return measure(calibration, how, "simulation: {dt: 0.1 ms}\nnetwork: {kind: none, neurons: 1024, " FIRING "}\nplastic: {kind: all_to_all}\n"
                   "targets: {kind: ou, duration: 64 ms}\nlearning: {rule: rls, store: distributed, every: 1 ms, mu: 0}\n");
}

static void measure_sources(calibration *calibration) {
    costs costs = costs_of(&calibration->machine);
    machine_rls *rls = costs.rls;
    measured frozen = many_sources(calibration, PLASTIC, ""), learning = many_sources(calibration, LEARN | PLASTIC, "");
    measured own = many_sources(calibration, LEARN | PLASTIC, ", tau_range: [100 ms, 200 ms]");
    costs.delivery->filter = fmax((learning.phase[PHASE_UPDATE] - frozen.phase[PHASE_UPDATE]) / learning.spikes * 1e9, 0);
    rls->source = learning.phase[PHASE_LEARN] / learning.instants / 65536 * 1e9;
    rls->source_own = own.phase[PHASE_LEARN] / own.instants / 65536 * 1e9;
    measured one = with_members(calibration, 1024, 1), eight = with_members(calibration, 8192, 8); /* both 1024 groups */
    rls->member = fmax((eight.phase[PHASE_LEARN] - one.phase[PHASE_LEARN]) / one.instants / (7 * 1024 * 128.0) * 1e9, 0.01);
    measured dense = all_to_all(calibration, LEARN | PLASTIC), plain = all_to_all(calibration, PLASTIC);
    rls->pending = fmax((dense.phase[PHASE_DELIVER] - plain.phase[PHASE_DELIVER]) / dense.steps / (1024 * 32.0) * 1e9, 0.001); /* 0 to 63 wait */
}

/* ---- others ---- */

/** A network of which nothing is asked but to be looked at, every so many ms. */
static measured looked_at(calibration *calibration, int how, double every) {
    return measure(calibration, how, "simulation: {dt: 0.1 ms}\nnetwork: {kind: none, neurons: 16384}\nplastic: {kind: none}\n"
                   "targets: {kind: ou, duration: 40 ms}\nlearning: {rule: none, every: %g ms}\n", every);
}

static void measure_recording(calibration *calibration) {
    machine_others *others = costs_of(&calibration->machine).others;
    measured checked = looked_at(calibration, 0, 0.5);
    others->check = checked.phase[PHASE_RECORD] / 80 / 16384 / 2 * 1e9;
    measured tracked = looked_at(calibration, TRACK, 10);
    others->track = fmax((tracked.phase[PHASE_RECORD] - 4 * 16384 * 2 * others->check * 1e-9) / 40 / 16384 * 1e9, 0.01);
    others->score = tracked.score / 4 / 16384 * 1e9;
}

/** Noisy neurons with targets and nothing to learn. */
static double build_targets(calibration *calibration, const char *targets) {
    return measure(calibration, 0, "simulation: {dt: 1 ms}\nnetwork: {kind: none, neurons: 4096}\nneuron: {noise: voltage, noise_sd: 0.65}\n"
                                   "plastic: {kind: none}\ntargets: {%s}\nlearning: {rule: none, every: 10 ms}\n", targets).build;
}

static void measure_targets(calibration *calibration) {
    const double values = 4096 * 48.0, draws = 4096 * (1000 + 300.0);
    machine_others *others = costs_of(&calibration->machine).others;
    double few = build_targets(calibration, "kind: ou, duration: 20 ms"), ou = build_targets(calibration, "kind: ou, duration: 500 ms");
    double rates = build_targets(calibration, "kind: surrogate, quantity: rate, conditions: 1, length: 1000 ms, duration: 500 ms");
    double fewer = build_targets(calibration, "kind: surrogate, quantity: rate, conditions: 1, length: 1000 ms, duration: 20 ms");
    others->build_value = fmax((ou - few) / values * 1e9, 1);
    others->build_rate = fmax((rates - fewer) / values * 1e9 - others->build_value, 1);
    others->build_draw = fmax((fewer - few) / draws * 1e9, 1);
}

void costs_measure(calibration *calibration) {
    calibration_say(calibration, "neurons");
    measure_update(calibration);
    calibration_say(calibration, "delivery");
    measure_delivery(calibration);
    calibration_say(calibration, "learning");
    measure_stores(calibration);
    measure_sources(calibration);
    measure_recording(calibration);
    measure_targets(calibration);
}
