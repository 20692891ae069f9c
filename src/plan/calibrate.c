/* Measures what engram plan needs of a machine, by running small networks with the program's own code and reading its timers: what is measured is what will run.
 * Every rank runs its own network, all at the same time, so that they share caches and memory as the ranks of a run do; only the exchange is measured between them. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engram/exchange.h"
#include "engram/files.h"
#include "engram/h5.h"
#include "engram/plan_run.h"
#include "engram/utf8.h"
#include "job_script.h"

void sgemm_(const char *ta, const char *tb, const int *m, const int *n, const int *k, const float *alpha, const float *a, const int *lda, const float *b, const int *ldb, const float *beta, float *c, const int *ldc);
void dgemm_(const char *ta, const char *tb, const int *m, const int *n, const int *k, const double *alpha, const double *a, const int *lda, const double *b, const int *ldb, const double *beta, double *c, const int *ldc);

enum { REPEATS = 7, REPEATS_LEAST = 3, TEXT_BYTES = 2048, SPREADS_MAX = 1024 };

static const double ENOUGH = 0.15; /* s of repeats after which the least number of them will do */

typedef struct {
    context job, alone;  /* all ranks; this rank as a job of its own */
    machine machine;
    double spread[SPREADS_MAX];
    int spreads;
} calibration;

/** What a small network took: s of a trial, the fastest repeat, mean over ranks. */
typedef struct {
    double phase[PHASES], build, score;
    double steps, spikes, instants; /* of a trial; instants of learning, and of the guard's checks */
    double synapses, plastic, groups, p_bytes;
} measured;

enum { LEARN = 1, PLASTIC = 2, TRACK = 4 };

/* ---- statistics: the fastest of several repeats is what the machine can do; the rest is what others do on it meanwhile, which is noted as spread ---- */

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, ascending);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static double mean_of_ranks(const calibration *calibration, double value) {
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_DOUBLE, MPI_SUM, calibration->job.comm));
    return value / calibration->job.ranks;
}

/** The fastest repeat, averaged over ranks; keeps note of how far the median is from it. Sorts @p seconds. */
static double settle(calibration *calibration, double *seconds, int count) {
    double middle = median(seconds, count), fastest = seconds[0];
    if (fastest > 1e-5 && calibration->spreads < SPREADS_MAX) calibration->spread[calibration->spreads++] = middle / fastest - 1;
    return mean_of_ranks(calibration, fastest);
}

/* ---- small networks ---- */

/** Time score_values() and the rolling average of a trial. */
static double time_score(simulation *sim, tracker *tracker) {
    double started = clock_seconds();
    score_values(sim, 0, tracker_finish(tracker), NULL);
    return clock_seconds() - started;
}

static void run_trials(calibration *calibration, simulation *sim, int how, measured *measured) {
    double phases[PHASES][REPEATS], score[REPEATS] = {0}, took = 0;
    tracker *tracker = how & TRACK ? tracker_new(sim, 5) : NULL;
    int repeats = 0;
    /* initial states are drawn once: that is not what a step takes */
    for (bool warm = false; repeats < REPEATS && (repeats < REPEATS_LEAST || took < ENOUGH); warm = true) {
        trial trial = {.stream = (uint64_t)repeats + 1, .reset = !warm, .plastic = how & PLASTIC, .learn = how & LEARN, .steps = sim->loop_steps, .guarded = true};
        trial_result result;
        if (tracker) tracker_begin(tracker), trial_observe(&trial, tracker, tracker_step);
        memset(sim->phase_seconds, 0, sizeof sim->phase_seconds);
        CHECK_MPI(MPI_Barrier(calibration->job.comm));
        trial_run(sim, &trial, &result);
        if (sim->rule_state && sim->rule->settle) sim->rule->settle(sim->rule_state);
        took += result.seconds;
        CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &took, 1, MPI_DOUBLE, MPI_MAX, calibration->job.comm)); /* all ranks repeat as often */
        if (!warm) continue;
        for (int p = 0; p < PHASES; p++) phases[p][repeats] = sim->phase_seconds[p];
        score[repeats++] = tracker ? time_score(sim, tracker) : 0;
        measured->spikes = (double)(result.spikes[0] + result.spikes[1]);
    }
    for (int p = PHASE_UPDATE; p <= PHASE_RECORD; p++) measured->phase[p] = settle(calibration, phases[p], repeats);
    measured->score = settle(calibration, score, repeats);
    tracker_free(tracker);
}

/** Build and run a network that differs from the defaults as @p format says. Collective; ends the job where the text is wrong. */
static measured measure(calibration *calibration, int how, const char *format, ...) __attribute__((format(printf, 3, 4)));
static measured measure(calibration *calibration, int how, const char *format, ...) {
    char text[TEXT_BYTES];
    int sections;
    const param_section *schema = simulation_schema(&sections);
    measured measured = {0};
    config *config;
    simulation *sim;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    length += snprintf(text + length, sizeof text - (size_t)length, "\nstimulus: {kind: none, start: 0, stop: 0}\nguards: {max_rate: 0, min_window_rate: 0}\noutput: {correlation_window: 0}\n");
    if (config_read_text(&calibration->alone, "calibration", text, (size_t)length, NULL, 0, schema, sections, &config) != STATUS_OK ||
        simulation_build(&calibration->alone, config, BUILD_TRAIN, &sim) != STATUS_OK)
        context_abort("calibrate: a network of its own is wrong:\n%s", text);
    measured.build = mean_of_ranks(calibration, sim->phase_seconds[PHASE_BUILD]);
    measured.steps = (double)sim->loop_steps;
    measured.instants = sim->targets.instants;
    measured.synapses = sim->network.synapses ? (double)sim->network.synapses->start[sim->network.synapses->sources] : 0;
    measured.plastic = (double)sim->plastic->row_start[sim->plastic->rows];
    measured.groups = sim->plastic->groups;
    measured.p_bytes = (double)memory_held(MEMORY_P);
    run_trials(calibration, sim, how, &measured);
    simulation_free(sim);
    network_forget(config);
    config_free(config);
    return measured;
}

/* ---- lists ---- */

static param_numbers list_of(int count, const double *values) {
    param_numbers list = {.count = count, .values = calloc((size_t)count, sizeof(double))};
    if (!list.values) context_abort("memory: no room for a list");
    for (int k = 0; values && k < count; k++) list.values[k] = values[k];
    return list;
}

/** Times are positive: differences of noisy ones may not be. */
static double at_least(double value, double least) {
    return value > least ? value : least;
}

/* ---- update ---- */

static const double update_sizes[] = {32, 1024, 16384, 262144};
enum { UPDATE_SIZES = sizeof update_sizes / sizeof *update_sizes };

/** ns of a neuron and step. */
static double update_cost(calibration *calibration, double neurons, const char *network, const char *neuron, const char *plastic) {
    double steps = fmin(2000, fmax(4, floor(250000 / neurons / 4) * 4)), ms = steps / 10;
    measured measured = measure(calibration, PLASTIC, "simulation: {dt: 0.1 ms}\nnetwork: {%s, neurons: %.0f}\nneuron: {%s}\nplastic: {%s}\n"
                                "targets: {kind: ou, duration: %g ms}\nlearning: {rule: none, every: %g ms}\n", network, neurons, neuron, plastic, ms, ms / 2);
    return measured.phase[PHASE_UPDATE] / measured.steps / neurons * 1e9;
}

/** @param drive of all neurons: nothing is delivered */
static measured rest_and_spikes(calibration *calibration, const char *drive) {
    return measure(calibration, PLASTIC, "simulation: {dt: 0.1 ms}\nnetwork: {kind: none, neurons: 4096, %s}\nplastic: {kind: none}\ntargets: {kind: ou, duration: 100 ms}\nlearning: {rule: none, every: 50 ms}\n", drive);
}

static void measure_update(calibration *calibration) {
    machine_update *update = &calibration->machine.update;
    char text[128];
    update->neurons = list_of(UPDATE_SIZES, update_sizes);
    update->noise = list_of(UPDATE_SIZES, NULL), update->typed = list_of(UPDATE_SIZES, NULL), update->weighted = list_of(UPDATE_SIZES, NULL), update->plastic = list_of(UPDATE_SIZES, NULL);
    for (int m = 0; neuron_models[m]; m++) update->model[m] = list_of(UPDATE_SIZES, NULL);
    for (int k = 0; k < UPDATE_SIZES; k++) {
        for (int m = 0; neuron_models[m]; m++) {
            snprintf(text, sizeof text, "model: %s", neuron_models[m]->parameters->name);
            update->model[m].values[k] = update_cost(calibration, update_sizes[k], "kind: none", text, "kind: none");
        }
        double plain = update->model[0].values[k]; /* lif */
        update->noise.values[k] = at_least(update_cost(calibration, update_sizes[k], "kind: none", "model: lif, noise_sd: 0.1", "kind: none") - plain, 0.01);
        update->typed.values[k] = at_least(update_cost(calibration, update_sizes[k], "kind: balanced_ei, in_degree: 1, external_drive: 0", "model: lif", "kind: none") - plain, 0.01);
        snprintf(text, sizeof text, "kind: random, wiring: in_degree, weights: zero, probability: %.10g", 2 / update_sizes[k]);
        update->weighted.values[k] = at_least(update_cost(calibration, update_sizes[k], text, "model: lif", "kind: none") - plain, 0.01);
        update->plastic.values[k] = at_least(update_cost(calibration, update_sizes[k], "kind: none", "model: lif", "kind: separate, excitatory_in_degree: 1, inhibitory_in_degree: 1") - plain, 0.01);
    }
    measured spiking = rest_and_spikes(calibration, "bias: 1.0005"), resting = rest_and_spikes(calibration, "bias: 0");
    update->spike = at_least((spiking.phase[PHASE_UPDATE] - resting.phase[PHASE_UPDATE]) / (spiking.spikes - resting.spikes) * 1e9, 0);
    calibration->machine.others.step = resting.phase[PHASE_RECORD] / resting.steps * 1e9;
}

/* ---- delivery ---- */

#define FIRING "bias: 1.5" /* some 90 Hz: as many spikes as can be had in a short time */
#define SPARSE "noise_sd: 0.65" /* some 6 Hz, as networks that learn have: the few spikes of a step do not hide each other's waiting for memory */

/** Networks whose static synapses have weight 0. @param neuron SPARSE, or nothing for neurons at rest @param inputs of a neuron, and targets of a spike */
static measured deliver(calibration *calibration, bool typed, const char *neuron, double neurons, double inputs, double steps) {
    double ms = steps / 10;
    if (typed)
        return measure(calibration, PLASTIC, "simulation: {dt: 0.1 ms}\nnetwork: {kind: balanced_ei, neurons: %.0f, in_degree: %.0f, w_ee: 0, w_ie: 0, w_ei: 0, w_ii: 0, external_drive: 0}\nneuron: {%s}\n"
                       "plastic: {kind: none}\ntargets: {kind: ou, duration: %g ms}\nlearning: {rule: none, every: %g ms}\n", neurons, inputs / 2, neuron, ms, ms / 2);
    return measure(calibration, PLASTIC, "simulation: {dt: 0.1 ms}\nnetwork: {kind: random, wiring: in_degree, weights: zero, neurons: %.0f, probability: %.10g}\nneuron: {%s}\n"
                   "plastic: {kind: none}\ntargets: {kind: ou, duration: %g ms}\nlearning: {rule: none, every: %g ms}\n", neurons, inputs / neurons, neuron, ms, ms / 2);
}

static measured deliver_plastic(calibration *calibration, double neurons, double inputs, int64_t group, double steps) {
    double ms = steps / 10;
    return measure(calibration, PLASTIC, "simulation: {dt: 0.1 ms}\nnetwork: {kind: none, neurons: %.0f}\nneuron: {" SPARSE "}\n"
                   "plastic: {kind: separate, excitatory_in_degree: %.0f, inhibitory_in_degree: %.0f, excitatory_weight: 0, inhibitory_weight: 0, group_size: %lld}\n"
                   "targets: {kind: ou, duration: %g ms}\nlearning: {rule: none, every: %g ms}\n", neurons, inputs / 2, inputs / 2, (long long)group, ms, ms / 2);
}

enum { LEARNING_NEURONS = 16384, LEARNING_INPUTS = 64 };

/** As in training: between two spikes of a neuron all of P, 270 MB, passes through the caches. Lambda is so large that nothing is learned. */
static measured deliver_and_learn(calibration *calibration) {
    return measure(calibration, LEARN | PLASTIC, "simulation: {dt: 0.1 ms}\nnetwork: {kind: none, neurons: %d}\nneuron: {" SPARSE "}\n"
                   "plastic: {kind: separate, excitatory_in_degree: %d, inhibitory_in_degree: %d, excitatory_weight: 0, inhibitory_weight: 0}\n"
                   "targets: {kind: ou, duration: 150 ms}\nlearning: {rule: rls, store: spike_driven, lambda: 1e6, every: 10 ms}\n", LEARNING_NEURONS, LEARNING_INPUTS / 2, LEARNING_INPUTS / 2);
}

/** ns of a spike. */
static double spike_cost(const calibration *calibration, const measured *measured) {
    return (measured->phase[PHASE_DELIVER] * 1e9 - measured->steps * calibration->machine.delivery.step) / fmax(1, measured->spikes);
}

/** Short and long rows of synapses tell what a spike costs and what a synapse does. */
static void fit_typed(calibration *calibration, int at, double neurons, double steps) {
    machine_delivery *costs = &calibration->machine.delivery;
    measured few = deliver(calibration, true, SPARSE, neurons, 8, steps), many = deliver(calibration, true, SPARSE, neurons, 128, steps);
    costs->typed.values[at] = at_least((spike_cost(calibration, &many) - spike_cost(calibration, &few)) / 120, 0.02);
    costs->spike.values[at] = at_least(spike_cost(calibration, &few) - 8 * costs->typed.values[at], 1);
    calibration->machine.others.build_typed = many.build / many.synapses * 1e9;
}

static void measure_delivery(calibration *calibration) {
    static const double bytes[] = {2 << 20, 64 << 20};
    machine_delivery *costs = &calibration->machine.delivery;
    costs->bytes = list_of(2, bytes);
    costs->typed = list_of(2, NULL), costs->weighted = list_of(2, NULL), costs->plastic = list_of(2, NULL), costs->spike = list_of(2, NULL), costs->bits = list_of(2, NULL);
    measured rest = deliver(calibration, true, "", 4096, 8, 1000);
    costs->step = rest.phase[PHASE_DELIVER] / rest.steps * 1e9;
    fit_typed(calibration, 0, 4096, 1000);
    fit_typed(calibration, 1, 131072, 60); /* as in large networks: counts of so many targets leave the second-level cache, too */
    measured dense_small = deliver(calibration, true, SPARSE, 4096, 256, 1000), dense = deliver(calibration, true, SPARSE, 23000, 1000, 100); /* a synapse in 16, and in 23, pairs: bits, if the processor has additions for them */
    costs->bits.values[0] = at_least((spike_cost(calibration, &dense_small) - costs->spike.values[0]) / ceil(4096 / 32.0), 0.01);
    costs->bits.values[1] = at_least((spike_cost(calibration, &dense) - costs->spike.values[1]) / ceil(23000 / 32.0), 0.01);
    measured weighted_small = deliver(calibration, false, SPARSE, 1366, 128, 2000), weighted = deliver(calibration, false, SPARSE, 10923, 512, 200);
    measured plastic_small = deliver_plastic(calibration, 2048, 64, 1, 2000), eight = deliver_plastic(calibration, 16384, 64, 8, 200), many = deliver_plastic(calibration, 16384, 64, 128, 200);
    measured plastic = deliver_and_learn(calibration);
    const measured *two[2][2] = {{&weighted_small, &plastic_small}, {&weighted, &plastic}};
    const double fans[2][2] = {{128, 64}, {512, LEARNING_INPUTS}};
    for (int at = 0; at < 2; at++) {
        costs->weighted.values[at] = at_least((spike_cost(calibration, two[at][0]) - costs->spike.values[at]) / fans[at][0], 0.02);
        costs->plastic.values[at] = at_least((spike_cost(calibration, two[at][1]) - costs->spike.values[at]) / fans[at][1], 0.02);
    }
    double of_eight = (spike_cost(calibration, &eight) - costs->spike.values[0]) / 8, of_many = (spike_cost(calibration, &many) - costs->spike.values[0]) / 0.5; /* a spike reaches 64 neurons: 8 groups of 8, or one of 128 in every second case */
    costs->member = at_least((of_many - of_eight) / 120, 0.02);
    costs->group = at_least(of_eight - costs->plastic.values[0] - 7 * costs->member, 0);
    calibration->machine.others.build_weighted = weighted.build / weighted.synapses * 1e9;
    calibration->machine.others.build_plastic = plastic_small.build / plastic_small.plastic * 1e9;
    const machine_update *update = &calibration->machine.update; /* without learning: */
    double advance = plastic.steps * LEARNING_NEURONS * (machine_curve(&update->neurons, &update->model[0], LEARNING_NEURONS) + machine_curve(&update->neurons, &update->noise, LEARNING_NEURONS) +
                                                         machine_curve(&update->neurons, &update->plastic, LEARNING_NEURONS));
    calibration->machine.update.learning = at_least(plastic.phase[PHASE_UPDATE] * 1e9 / (advance + plastic.spikes * update->spike), 1);
}

/* ---- RLS ---- */

static const double rls_inputs[] = {32, 64, 128, 240, 496, 1008}; /* whole cache lines that are no multiple of 256: rows that need no padding */
enum { RLS_INPUTS = sizeof rls_inputs / sizeof *rls_inputs };

/** ns of a group and instant. @param every ms between instants: how many inputs spike @param[out] hits of a group */
static double group_cost(calibration *calibration, const char *store, int precision, double inputs, double bytes, int instants, double every, double *hits) {
    static const char *const names[PRECISIONS] = {"single", "double", "half"};
    const double sizes[PRECISIONS] = {4, 8, 2};
    double real = sizes[precision], trained = fmax(1, ceil(bytes / (inputs * inputs * real))), neurons = trained + 2 * inputs + 1024;
    measured measured = measure(calibration, LEARN | PLASTIC, "simulation: {dt: 0.1 ms}\nnetwork: {kind: none, neurons: %.0f, excitatory_fraction: %.15g, " FIRING "}\n"
                                "plastic: {kind: separate, trained: excitatory, excitatory_in_degree: 0, inhibitory_in_degree: %.0f, inhibitory_weight: 0}\n"
                                "targets: {kind: ou, duration: %g ms}\nlearning: {rule: rls, store: %s, precision: %s, every: %g ms}\n", neurons, (trained + 0.5) / neurons, inputs, instants * every,
                                store, names[precision], every);
    *hits = inputs * fmin(1, measured.spikes / neurons / measured.instants);
    if (precision != PRECISION_HALF) calibration->machine.others.build_p = measured.build / (measured.p_bytes / real) * 1e9;
    return measured.phase[PHASE_LEARN] / measured.instants / measured.groups * 1e9;
}

/** Two runs with different numbers of inputs that spike tell what an instant takes without any, and what for each. Stores that do not go by spikes need one. */
static void store_cost(calibration *calibration, const char *store, int precision, double inputs, double bytes, double *quiet, double *spiking) {
    bool by_spikes = strcmp(store, "spike_driven") == 0;
    int instants = !by_spikes ? 4 : inputs <= 128 ? 16 : inputs <= 512 ? 32 : 64; /* a block of updates */
    double few, many, took = group_cost(calibration, store, precision, inputs, bytes, instants, 0.5, &few);
    double share = by_spikes ? at_least((group_cost(calibration, store, precision, inputs, bytes, instants, 5, &many) - took) / (many - few), 0) : 0, most = 0.8 * took / few;
    *spiking = share < most ? share : most; /* measured in different moments, on a machine that others use */
    *quiet = took - *spiking * few;
}

static void measure_stores(calibration *calibration) {
    machine_rls *rls = &calibration->machine.rls;
    rls->inputs = list_of(RLS_INPUTS, rls_inputs);
    rls->cached_bytes = 1 << 20;
    rls->large_bytes = 256 << 20; /* several times a core's share of the last cache */
    for (int s = 0; rls_store_kinds[s]; s++) {
        if (rls_store_kinds[s]->divided) continue;
        for (int p = 0; p < PRECISIONS; p++) {
            if (p == PRECISION_HALF && !rls_store_kinds[s]->halves) continue;
            machine_store *costs[2] = {&rls->cached[s][p], &rls->large[s][p]};
            for (int size = 0; size < 2; size++) {
                costs[size]->quiet = list_of(RLS_INPUTS, NULL), costs[size]->spiking = list_of(RLS_INPUTS, NULL);
                for (int k = 0; k < RLS_INPUTS; k++)
                    store_cost(calibration, rls_store_kinds[s]->name, p, rls_inputs[k], size ? rls->large_bytes : rls->cached_bytes, &costs[size]->quiet.values[k],
                               &costs[size]->spiking.values[k]);
            }
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
                   "plastic: {kind: separate, excitatory_in_degree: 64, inhibitory_in_degree: 64, excitatory_weight: 0, inhibitory_weight: 0, group_size: %lld}\n"
                   "targets: {kind: ou, duration: 32 ms}\nlearning: {rule: rls, store: spike_driven, every: 1 ms}\n", (long long)neurons, (long long)group);
}

static void measure_sources(calibration *calibration) {
    machine_rls *rls = &calibration->machine.rls;
    measured frozen = many_sources(calibration, PLASTIC, ""), learning = many_sources(calibration, LEARN | PLASTIC, ""), own = many_sources(calibration, LEARN | PLASTIC, ", tau_range: [100 ms, 200 ms]");
    calibration->machine.delivery.filter = at_least((learning.phase[PHASE_UPDATE] - frozen.phase[PHASE_UPDATE]) / learning.spikes * 1e9, 0);
    rls->source = learning.phase[PHASE_LEARN] / learning.instants / 65536 * 1e9;
    rls->source_own = own.phase[PHASE_LEARN] / own.instants / 65536 * 1e9;
    measured one = with_members(calibration, 1024, 1), eight = with_members(calibration, 8192, 8); /* both 1024 groups */
    rls->member = at_least((eight.phase[PHASE_LEARN] - one.phase[PHASE_LEARN]) / one.instants / (7 * 1024 * 128.0) * 1e9, 0.01);
    measured dense = measure(calibration, LEARN | PLASTIC, "simulation: {dt: 0.1 ms}\nnetwork: {kind: none, neurons: 1024, " FIRING "}\nplastic: {kind: all_to_all}\n"
                             "targets: {kind: ou, duration: 64 ms}\nlearning: {rule: rls, store: distributed, every: 1 ms, mu: 0}\n");
    measured plain = measure(calibration, PLASTIC, "simulation: {dt: 0.1 ms}\nnetwork: {kind: none, neurons: 1024, " FIRING "}\nplastic: {kind: all_to_all}\n"
                             "targets: {kind: ou, duration: 64 ms}\nlearning: {rule: rls, store: distributed, every: 1 ms, mu: 0}\n");
    rls->pending = at_least((dense.phase[PHASE_DELIVER] - plain.phase[PHASE_DELIVER]) / dense.steps / (1024 * 32.0) * 1e9, 0.001); /* 0 to 63 wait */
}

/* ---- others ---- */

static void measure_recording(calibration *calibration) {
    machine_others *others = &calibration->machine.others;
    const char *text = "simulation: {dt: 0.1 ms}\nnetwork: {kind: none, neurons: 16384}\nplastic: {kind: none}\ntargets: {kind: ou, duration: 40 ms}\nlearning: {rule: none, every: %g ms}\n";
    char often[TEXT_BYTES];
    snprintf(often, sizeof often, text, 0.5);
    measured checked = measure(calibration, 0, "%s", often);
    others->check = checked.phase[PHASE_RECORD] / 80 / 16384 / 2 * 1e9;
    snprintf(often, sizeof often, text, 10.0);
    measured tracked = measure(calibration, TRACK, "%s", often);
    others->track = at_least((tracked.phase[PHASE_RECORD] - 4 * 16384 * 2 * others->check * 1e-9) / 40 / 16384 * 1e9, 0.01);
    others->score = tracked.score / 4 / 16384 * 1e9;
}

static volatile double sink;

static void measure_arithmetic(calibration *calibration) {
    enum { N = 1024, STREAM = 8 << 20 };
    machine_about *about = &calibration->machine.about;
    const int n = N;
    double seconds[3][REPEATS];
    float *s = memory_new(MEMORY_BUFFERS, (size_t)3 * N * N, sizeof(float));
    double *d = memory_new(MEMORY_BUFFERS, (size_t)3 * STREAM, sizeof(double));
    for (int k = 0; k < 3 * N * N; k++) s[k] = 1e-3f * (float)(k % 997);
    for (int k = 0; k < 3 * STREAM; k++) d[k] = 1e-3 * (k % 997);
    for (int repeat = -1; repeat < REPEATS; repeat++) {
        CHECK_MPI(MPI_Barrier(calibration->job.comm));
        double at[4] = {clock_seconds()};
        sgemm_("N", "N", &n, &n, &n, &(float){1}, s, &n, s + N * N, &n, &(float){0}, s + 2 * N * N, &n);
        at[1] = clock_seconds();
        dgemm_("N", "N", &n, &n, &n, &(double){1}, d, &n, d + N * N, &n, &(double){0}, d + 2 * N * N, &n);
        at[2] = clock_seconds();
        for (int k = 0; k < STREAM; k++) d[k] = d[STREAM + k] + 0.5 * d[2 * STREAM + k];
        at[3] = clock_seconds();
        sink = d[STREAM / 2];
        for (int k = 0; k < 3 && repeat >= 0; k++) seconds[k][repeat] = at[k + 1] - at[k];
    }
    memory_free(s);
    memory_free(d);
    about->gemm_single = 2.0 * N * N * N / settle(calibration, seconds[0], REPEATS) / 1e9;
    about->gemm_double = 2.0 * N * N * N / settle(calibration, seconds[1], REPEATS) / 1e9;
    about->memory_bandwidth = 3.0 * STREAM * sizeof(double) / settle(calibration, seconds[2], REPEATS) / 1e9;
}

/** @return owned, free() */
static char *disk_path(const char *output) {
    char *path;
    if (asprintf(&path, "%s.disk", output) < 0) context_abort("memory: no room for a path");
    return path;
}

/** MB/s of a sealed file as checkpoints are, beside the machine file. @return agreed */
static status measure_disk(calibration *calibration, const char *output) {
    enum { ELEMENTS = 4 << 20 };
    double *data = memory_new(MEMORY_BUFFERS, ELEMENTS, sizeof(double)), seconds[REPEATS];
    int64_t total = (int64_t)ELEMENTS * calibration->job.ranks;
    char *path = disk_path(output);
    status result = STATUS_OK;
    for (int k = 0; k < ELEMENTS; k++) data[k] = k;
    for (int repeat = 0; repeat < REPEATS && result == STATUS_OK; repeat++) {
        double started = clock_seconds();
        h5_file *file = h5_create(&calibration->job, path, "{}");
        h5_write(file, "data", H5_FLOAT64, 1, &total, 0, (int64_t)ELEMENTS * calibration->job.rank, ELEMENTS, data, false);
        h5_seal(file);
        result = status_agree(&calibration->job, h5_commit(file));
        seconds[repeat] = clock_seconds() - started;
    }
    memory_free(data);
    if (result == STATUS_OK) calibration->machine.about.disk = (double)total * sizeof(double) / settle(calibration, seconds, REPEATS) / 1e6;
    if (calibration->job.rank == 0 && result == STATUS_OK) unlink(path);
    free(path);
    return result;
}

/* ---- exchange ---- */

/** Some microseconds of the work that is between two exchanges of a run. */
static void work(void) {
    double x = 1;
    for (int k = 0; k < 4000; k++) x = x * 0.999 + 0.5;
    sink = x;
}

/** s of an exchange of @p spikes spikes of each rank in blocks of @p capacity: the median of many short batches, since waiting for each other is part of it; mean over ranks. */
static double time_exchange(calibration *calibration, const context *ranks, int capacity, int spikes, int steps) {
    enum { BATCHES = 40 };
    double seconds[BATCHES];
    int32_t *local = memory_new(MEMORY_BUFFERS, (size_t)capacity + 1, sizeof(int32_t));
    const int32_t *all;
    spike_exchange *exchange = exchange_new(ranks, (int64_t)capacity * ranks->ranks, capacity);
    for (int k = 0; k < spikes; k++) local[k] = k;
    for (int batch = 0; batch < BATCHES; batch++) {
        CHECK_MPI(MPI_Barrier(ranks->comm));
        seconds[batch] = 0;
        for (int step = 0; step < steps; step++) {
            work();
            double started = clock_seconds();
            exchange_spikes(exchange, local, spikes, &all);
            seconds[batch] += clock_seconds() - started;
        }
        seconds[batch] /= steps;
        CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &seconds[batch], 1, MPI_DOUBLE, MPI_SUM, ranks->comm));
        seconds[batch] /= ranks->ranks;
    }
    exchange_free(exchange);
    memory_free(local);
    double middle = median(seconds, BATCHES);
    if (calibration->spreads < SPREADS_MAX) calibration->spread[calibration->spreads++] = middle / seconds[0] - 1;
    return middle;
}

/** A pass over the counts of many ranks' blocks, as unpacking does. ns of a block */
static double block_cost(calibration *calibration) {
    enum { BLOCKS = 65536, BLOCK = 18 };
    double seconds[REPEATS];
    int32_t *blocks = memory_new(MEMORY_BUFFERS, (size_t)BLOCKS * BLOCK, sizeof(int32_t));
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        int64_t sum = 0;
        double started = clock_seconds();
        for (int b = 0; b < BLOCKS; b++) sum += blocks[b * BLOCK] + blocks[b * BLOCK + 1];
        for (int b = 0; b < BLOCKS; b++) sum += blocks[b * BLOCK];
        sink = (double)sum;
        seconds[repeat] = clock_seconds() - started;
    }
    memory_free(blocks);
    return settle(calibration, seconds, REPEATS) / BLOCKS * 1e9;
}

/** On 2, 4, ... ranks and all. What no other ranks can tell, on one rank, is taken from the built-in machine. */
static void measure_exchange(calibration *calibration, const machine *built_in) {
    machine_exchange *costs = &calibration->machine.exchange;
    int most = calibration->job.ranks, count = 0;
    double ranks[32], latency[32], per_kib[32];
    costs->block = block_cost(calibration);
    costs->spike = built_in->exchange.spike;
    for (int size = 2; size <= most && count < 32; size = size < most && 2 * size > most ? most : 2 * size) {
        MPI_Comm comm;
        CHECK_MPI(MPI_Comm_split(calibration->job.comm, calibration->job.rank < size ? 0 : MPI_UNDEFINED, 0, &comm));
        double times[3] = {0};
        if (comm != MPI_COMM_NULL) {
            enum { SMALL = 16, LARGE = 4096 };
            context some = context_of(comm);
            times[0] = time_exchange(calibration, &some, SMALL, 1, 100);
            times[1] = time_exchange(calibration, &some, LARGE, 1, 30);
            times[2] = time_exchange(calibration, &some, LARGE, LARGE, 20);
            per_kib[count] = at_least((times[1] - times[0]) / ((LARGE - SMALL) * 4 / 1024.0) * 1e6, 1e-3);
            costs->spike = at_least((times[2] - times[1]) / ((double)LARGE * size) * 1e9, 0.01);
            latency[count] = times[0] * 1e6;
            CHECK_MPI(MPI_Comm_free(&comm));
        }
        ranks[count++] = size;
        CHECK_MPI(MPI_Barrier(calibration->job.comm));
    }
    costs->ranks = count ? list_of(count, ranks) : list_of(built_in->exchange.ranks.count, built_in->exchange.ranks.values);
    costs->latency = count ? list_of(count, latency) : list_of(built_in->exchange.latency.count, built_in->exchange.latency.values);
    costs->per_kib = count ? list_of(count, per_kib) : list_of(built_in->exchange.per_kib.count, built_in->exchange.per_kib.values);
    if (!count) log_warning(&calibration->job, "one rank cannot measure the exchange between ranks: that of the built-in machine is taken; start as many ranks as a node runs");
}

/* ---- the file ---- */

/** "AMD EPYC ..., HOST". */
static char *describe_machine(const calibrate_options *options) {
    char line[256], processor[200] = "a machine", host[64] = "", *name;
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "model name : %199[^\n\"\\]", processor) == 1) break;
    if (file) fclose(file);
    gethostname(host, sizeof host - 1);
    if (options->name ? asprintf(&name, "%s", options->name) < 0 : asprintf(&name, "%s, %s", processor, host) < 0) context_abort("memory: no room for a name");
    char *valid = utf8_from_bytes(name);
    free(name);
    name = valid;
    for (char *c = name; *c; c++)
        if (*c == '"' || *c == '\\' || (unsigned char)*c < ' ') *c = ' ';
    return name;
}

static status write_file(const calibration *calibration, const calibrate_options *options) {
    char date[32], heading[128];
    time_t now = time(NULL);
    strftime(date, sizeof date, "%Y-%m-%d", localtime(&now));
    snprintf(heading, sizeof heading, "Measured by engram calibrate on %d rank%s, %s.", calibration->job.ranks, calibration->job.ranks > 1 ? "s" : "", date);
    char *text = machine_text(&calibration->machine, heading);
    FILE *out = file_begin(options->output, 0666);
    if (out) fputs(text, out);
    int error = out ? file_end(out, options->output) : errno;
    free(text);
    return error ? status_fail(STATUS_FAILURE, "%s could not be written: %s", options->output, file_why(error)) : STATUS_OK;
}

static status check_output(const context *context, const calibrate_options *options) {
    if (context->rank != 0) return STATUS_OK;
    status result = plan_file_check("-o", options->output, options->overwrite);
    if (result != STATUS_OK) return result;
    char *disk = disk_path(options->output);
    result = plan_file_check("the file whose writing is measured,", disk, false);
    free(disk);
    return result;
}

static void say(const calibration *calibration, double started, const char *what) {
    log_line(&calibration->job, "%5.1f s  %s", clock_seconds() - started, what);
}

static status measure_all(calibration *calibration, const calibrate_options *options, const machine *built_in) {
    machine_about *about = &calibration->machine.about;
    double started = clock_seconds();
    say(calibration, started, "exchange");
    measure_exchange(calibration, built_in);
    say(calibration, started, "arithmetic, disk");
    measure_arithmetic(calibration);
    status result = measure_disk(calibration, options->output);
    if (result != STATUS_OK) return result;
    say(calibration, started, "neurons");
    measure_update(calibration);
    say(calibration, started, "delivery");
    measure_delivery(calibration);
    say(calibration, started, "learning");
    measure_stores(calibration);
    measure_sources(calibration);
    measure_recording(calibration);
    about->name = describe_machine(options);
    about->ranks = calibration->job.ranks;
    about->memory = isnan(options->memory) ? (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / (1 << 30) : options->memory;
    about->libraries = mean_of_ranks(calibration, (double)memory_held(MEMORY_LIBRARIES) / (1 << 20));
    about->spread = calibration->spreads ? median(calibration->spread, calibration->spreads) : 0;
    calibration->machine.network = built_in->network;
    say(calibration, started, "done");
    log_line(&calibration->job, "median of the repeats against the fastest, median over all measurements: %.0f %% more%s", 100 * about->spread, about->spread > 0.25 ? ": a busy machine; better measure again" : "");
    return STATUS_OK;
}

status calibrate_run(const context *job, const calibrate_options *options) {
    machine built_in;
    calibration calibration = {.job = *job, .alone = context_of(MPI_COMM_SELF)};
    calibration.alone.quiet = true;
    status result = status_agree(job, check_output(job, options));
    if (result == STATUS_OK) result = machine_open(job, NULL, &built_in);
    if (result != STATUS_OK) return result;
    result = measure_all(&calibration, options, &built_in);
    if (result == STATUS_OK) result = status_agree(job, job->rank == 0 ? write_file(&calibration, options) : STATUS_OK);
    if (result == STATUS_OK) log_line(job, "%s: give it to engram plan --machine", options->output);
    machine_close(&calibration.machine);
    machine_close(&built_in);
    return result;
}
