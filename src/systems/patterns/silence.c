/* Will the untrained network fire in the target window? Looked at once it is built, so that a network that cannot is not trained for hours.
 *
 * First a few neurons of each type are run alone under their constant input, which costs milliseconds.
 * If neither type fires, or the baseline run was near silence, a loop without learning is run up to WINDOW_MS into the target window.
 * If that is silent, too, the constant input that would make neurons fire is found by bisection, and the network's kind says which of its parameters give
 * it. */
#include <math.h>
#include <stdio.h>

#include "build.h"
#include "engram/memory.h"

enum { SAMPLE = 8, WINDOW_MS = 500, STEPS_MAX = 200000, BISECTIONS = 24 };

/** Neurons of one type alone. */
typedef struct {
    simulation *sim;
    partition part;      /* a few of the type, as if a rank had no others */
    double bias;         /* the largest constant input of the type */
} lone_type;

/** part.mine 0: there are none. Collective. */
static lone_type lone_type_of(simulation *sim, int type) {
    const cells *cells = sim->network.cells;
    int64_t total = sim->part.total, first = 0, past;
    double bias = -INFINITY;
    while (first < total && cell_is_excitatory(cells, first) == type) first++;
    for (past = first; past < total && past - first < SAMPLE && cell_is_excitatory(cells, past) != type;) past++;
    for (int i = 0; i < sim->part.mine; i++)
        if (cell_is_excitatory(cells, sim->part.first + i) != type) bias = fmax(bias, sim->network.bias[i]);
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &bias, 1, MPI_DOUBLE, MPI_MAX, sim->context.comm));
    return (lone_type){sim, {.total = total, .first = first, .mine = (int)(past - first), .ranks = 1}, bias};
}

/** Do they fire under this input, once they have settled? Not collective. */
static bool fire_alone(const lone_type *lone, double bias) {
    const simulation *sim = lone->sim;
    const neuron_model *model = sim->neurons->model;
    neurons *neurons = neurons_new(model, sim->neurons->parameters, lone->part, *sim->network.cells, sim->dt, sim->seed);
    double tau = model->membrane_tau(neurons), input[SAMPLE];
    int64_t steps = (int64_t)fmin(fmax(1000, 20 * tau) / sim->dt, STEPS_MAX);
    bool current = neurons_are_noisy(neurons) && model->noise_is_current && model->noise_is_current(neurons), fired = false;
    neurons_reset(neurons, STREAM_SILENCE);
    for (int64_t step = 0; step < steps && !fired; step++) {
        const double *noise = current ? neurons_noise(neurons, STREAM_SILENCE, step, 0, lone->part.mine) : NULL;
        const float *single = current ? neurons_noise_single(neurons, STREAM_SILENCE, step, 0, lone->part.mine) : NULL;
        for (int i = 0; i < lone->part.mine; i++) {
            const double normal = noise ? noise[i] : single ? (double)single[i] : 0;
            input[i] = bias + (current ? sqrt(tau / sim->dt) * model->noise_sd(neurons, lone->part.first + i) * normal : 0);
        }
        neurons_step(neurons, STREAM_SILENCE, step, 0, lone->part.mine, input);
        for (int i = 0; i < lone->part.mine; i++) fired |= step >= steps / 2 && neuron_fired(neurons, i);
    }
    neurons_free(neurons);
    return fired;
}

/** The least constant input that makes them fire, to 1e-5 of what is added; NAN: none does. Not collective. */
static double needed_input(const lone_type *lone) {
    double low = 0, high = 1.0 / 1024; /* in addition to the input that they have; inputs are of order 1, or in mV */
    while (high < 1e5 && !fire_alone(lone, lone->bias + high)) low = high, high *= 2;
    if (high >= 1e5) return NAN;
    for (int n = 0; n < BISECTIONS && high - low > 1e-5 * high; n++) {
        double middle = (low + high) / 2;
        *(fire_alone(lone, lone->bias + middle) ? &high : &low) = middle;
    }
    return lone->bias + high;
}

/** Rate in the target window, or its beginning, of a loop without learning. Collective. */
static double untrained_rate(simulation *sim, double *ms) {
    int64_t window = sim->every * sim->targets.instants, most = llround(WINDOW_MS / sim->dt), looked_at = window < most ? window : most;
    pulse pulse = {0};
    trial trial = {.stream = STREAM_SILENCE, .reset = true, .plastic = true, .stimulate = true, .steps = sim->window + looked_at, .pulse = &pulse};
    trial_result result;
    stopwatch timer = stopwatch_start(sim->timers);
    const timers before = *sim->timers;
    bool dry = sim->dry;
    sim->dry = false;
    trial_run(sim, &trial, &result);
    sim->dry = dry;
    *sim->timers = before; /* one figure for all of it */
    stopwatch_charge(&timer, PHASE_BASELINE);
    *ms = (double)looked_at * sim->dt;
    return (double)result.window_sources / ((double)sim->plastic->sources * *ms / 1000);
}

/** What would carry the network. Not collective. */
static void advise(const simulation *sim, const lone_type lone[2], char *text, size_t size) {
    const network_kind *kind = network_kinds[config_variant_index(sim->config, "network")];
    const network_settings *settings = config_common(sim->config, "network");
    double needed[2];
    char by[256] = "";
    for (int type = 0; type < 2; type++) needed[type] = lone[type].part.mine ? needed_input(&lone[type]) : NAN;
    if (kind->advise) kind->advise(config_variant(sim->config, "network"), settings, needed, by, sizeof by);
    const char *noise = sim->neurons->model->noise_sd ? "neuron.noise_sd" : "";
    int used = snprintf(text, size, "constant input");
    for (int type = 0, before = 0; type < 2; type++) {
        if (!lone[type].part.mine) continue;
        used += snprintf(text + used, size - (size_t)used, "%s of %.4g to %s neurons, which alone fire above %.4g", before++ ? ", and" : "", lone[type].bias,
                         type ? "inhibitory" : "excitatory", needed[type]);
    }
    if (*by || *noise) snprintf(text + used, size - (size_t)used, "; what would carry it: %s%s%s", by, *by && *noise ? ", or " : "", noise);
}

void silence_warn(simulation *sim) {
    const window_guards *guards = config_added(sim->config, "guards");
    if (!sim->rule->learn || guards->min_window_rate == 0 || sim->plastic->sources == 0) return;
    lone_type lone[2] = {lone_type_of(sim, 0), lone_type_of(sim, 1)};
    bool alone = false;
    for (int type = 0; type < 2 && !alone; type++) alone = lone[type].part.mine && fire_alone(&lone[type], lone[type].bias);
    if (alone && !(sim->baseline_settled < guards->min_window_rate)) return;
    double ms, rate = untrained_rate(sim, &ms);
    if (rate >= guards->min_window_rate) return;
    char advice[768] = "recurrent inhibition silences it, as neurons alone fire";
    if (!alone) advise(sim, lone, advice, sizeof advice);
    log_warning(&sim->context, "the untrained network is near silence: %.3g Hz in the first %g ms of the target window (guards.min_window_rate: %g Hz); %s",
                rate, ms, guards->min_window_rate, advice);
}
