/* What balanced costs on a machine: its section of a machine file, and measuring it by running small networks with the program's own code. Every rank runs its
 * own network, all at the same time. Fallbacks are those of the machine that is built in: files that were measured before there was this system can be read. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "balanced.h"
#include "engram/calibrate.h"
#include "engram/clock.h"
#include "engram/memory.h"
#include "engram/plan.h"
#include "engram/schema.h"

#define SIZES "[100, 1000, 10000, 100000, 1000000]"
static const double sizes[] = {100, 1000, 10000, 100000};
enum { SIZES_COUNT = sizeof sizes / sizeof *sizes, TEXT_BYTES = 2048 };
static const double NS = 1e-9;

static const param params[] = {
    MACHINE_LIST(balanced_costs, "neurons", SIZES, 1, 1e12, "of a rank; the next two lists are for these", neurons),
    MACHINE_LIST(balanced_costs, "pass", "[3, 2.5, 2.5, 4, 10]", MACHINE_TINY, MACHINE_HUGE_NS, "ns of a neuron in a pass, two dimensions", pass),
    MACHINE_LIST(balanced_costs, "dimension", "[0.05, 0.05, 0.05, 0.1, 0.4]", MACHINE_TINY, MACHINE_HUGE_NS, "ns more for each further dimension", dimension),
    MACHINE_NUMBER(balanced_costs, "row", "15", 0, MACHINE_HUGE_NS, "ns of a step on every rank, two dimensions: command, teacher, course", row),
    MACHINE_NUMBER(balanced_costs, "row_dimension", "5", 0, MACHINE_HUGE_NS, "ns of a step, for each dimension more", row_dimension),
    MACHINE_NUMBER(balanced_costs, "spike", "600", 0, MACHINE_HUGE_NS, "ns of a spike on every rank", spike),
    MACHINE_NUMBER(balanced_costs, "fast", "2", 0, MACHINE_HUGE_NS, "ns of a neuron at a spike, fast weights that are a matrix and learn", fast),
    MACHINE_NUMBER(balanced_costs, "noise", "8", 0, MACHINE_HUGE_NS, "ns of a neuron in a step with noise", noise),
    MACHINE_NUMBER(balanced_costs, "unit", "12", 0, MACHINE_HUGE_NS, "ns of a unit of a basis at a spike, on every rank", unit),
    MACHINE_NUMBER(balanced_costs, "ray", "20", 0, MACHINE_HUGE_NS, "ns more of a step with a basis, on every rank", ray),
    MACHINE_NUMBER(balanced_costs, "synapse", "1", 0, MACHINE_HUGE_NS, "ns of a slow synapse in a step of literal stepping", synapse),
    MACHINE_NUMBER(balanced_costs, "weight", "30", 0, MACHINE_HUGE_NS, "ns to make a fast weight", weight),
    MACHINE_NUMBER(balanced_costs, "repulsion", "1", 0, MACHINE_HUGE_NS, "ns of a pair of neurons and dimension in a sweep of network.kind spread", repulsion),
};
MACHINE_TABLE(table, "balanced", "balanced networks", params, balanced_costs);

const param_section *balanced_cost_sections(int *count) {
    static param_section section;
    section = (param_section){.name = "balanced", .plural = "balanced", .help = table.help, .common = &table};
    *count = 1;
    return &section;
}

/* ---- small networks ---- */

/** A loop of a network: the fastest repeat, mean over ranks. */
typedef struct { double seconds, build, steps, spikes, passes; } measured;

/** Build and run a network that differs from the defaults as @p format says. Collective; ends the job where the text is wrong. */
static measured measure(calibration *calibration, const char *format, ...) __attribute__((format(printf, 2, 3)));
static measured measure(calibration *calibration, const char *format, ...) {
    char text[TEXT_BYTES];
    const context *alone = &calibration->alone;
    config *config;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (config_read_text(alone, "calibration", text, (size_t)length, NULL, training_schema(), &config) != STATUS_OK)
        context_abort("calibrate: a network of its own cannot be read:\n%s", text);
    timers timers = {0};
    const system_setting setting = {alone, config, BUILD_TRAIN, &timers};
    system_facts facts;
    void *self;
    double started = clock_seconds(), seconds[CALIBRATION_REPEATS_LEAST];
    if (balanced_system.resolve(alone, config) != STATUS_OK || balanced_system.check(alone, config) != STATUS_OK ||
        balanced_system.build(&setting, &facts, &self) != STATUS_OK)
        context_abort("calibrate: a network of its own is wrong:\n%s", text);
    measured measured = {.build = calibration_mean(calibration, clock_seconds() - started), .steps = (double)facts.loop_steps};
    guard *guard = calibration_guard(calibration, &balanced_system, self, &facts);
    for (int n = -1; n < CALIBRATION_REPEATS_LEAST; n++) { /* the first one warms up */
        pulse pulse = {.steps = facts.loop_steps, .look_every = facts.look_every, .guard = guard};
        loop loop = {.number = n + 2, .pulse = &pulse};
        CHECK_MPI(MPI_Barrier(calibration->job.comm));
        started = clock_seconds();
        balanced_system.loop(self, &loop);
        if (n < 0) continue;
        seconds[n] = clock_seconds() - started;
        measured.spikes += (double)((balanced *)self)->sums.spikes / CALIBRATION_REPEATS_LEAST;
        measured.passes += (double)((balanced *)self)->sums.reductions / CALIBRATION_REPEATS_LEAST;
    }
    measured.seconds = calibration_settle(calibration, seconds, CALIBRATION_REPEATS_LEAST);
    calibration_guard_free(guard);
    balanced_system.free(self);
    config_free(config);
    return measured;
}

#define RUN "simulation: {dt: 0.1 ms, loop_duration: %g ms, reset: never}\nstimulus: {scale: 20}\n"

/** Linear teacher, ideal fast weights. @param more of section neuron */
static measured linear(calibration *calibration, double neurons, int dimensions, double ms, const char *more) {
    return measure(calibration, RUN "network: {kind: directions, neurons: %.0f, dimensions: %d}\nneuron: {%s}\ntargets: {kind: leak}\n"
                   "learning: {rule: balanced, slow: projected}\n", ms, neurons, dimensions, more);
}

static double positive(double ns) {
    return fmax(ns, 0.01);
}

/** ns of a neuron in a pass: what a network takes beyond one of a few neurons. */
static double pass_of(const balanced_costs *costs, const measured *m, double neurons, int dimensions) {
    double row = costs->row + (dimensions - 2) * costs->row_dimension;
    return positive((m->seconds / NS - m->steps * row - m->spikes * costs->spike) / (m->passes * neurons));
}

static void measure_closed(calibration *calibration, balanced_costs *costs) {
    enum { FEW = 8, MANY = 16 };
    const char *quiet = "threshold: 1000";
    measured rest = linear(calibration, FEW, 2, 1000, quiet), wide = linear(calibration, FEW, MANY, 1000, quiet), fires = linear(calibration, FEW, 2, 1000, "");
    costs->row = rest.seconds / NS / rest.steps;
    costs->row_dimension = positive((wide.seconds / NS / wide.steps - costs->row) / (MANY - 2));
    costs->spike = positive((fires.seconds / NS - fires.steps * costs->row) / fires.spikes);
    costs->neurons = calibration_list(SIZES_COUNT, sizes);
    costs->pass = calibration_list(SIZES_COUNT, NULL);
    costs->dimension = calibration_list(SIZES_COUNT, NULL);
    for (int k = 0; k < SIZES_COUNT; k++) {
        double ms = sizes[k] > 20000 ? 100 : 500;
        measured two = linear(calibration, sizes[k], 2, ms, ""), more = linear(calibration, sizes[k], MANY, ms, "");
        costs->pass.values[k] = pass_of(costs, &two, sizes[k], 2);
        costs->dimension.values[k] = positive((pass_of(costs, &more, sizes[k], MANY) - costs->pass.values[k]) / (MANY - 2));
    }
    measured noisy = linear(calibration, 1000, 2, 100, "threshold: 1000, noise: 0.01");
    costs->noise = positive((noisy.seconds / NS / noisy.steps - costs->row) / 1000);
}

static void measure_synapses(calibration *calibration, balanced_costs *costs) {
    const double N = 2000, few = 100;
    measured ideal = linear(calibration, N, 2, 200, "");
    measured fast = measure(calibration, RUN "network: {kind: directions, neurons: %.0f, dimensions: 2, fast: random}\ntargets: {kind: leak}\n"
                            "learning: {rule: balanced, slow: projected, fast_rate: 0.001}\n", 200.0, N);
    costs->weight = positive(fast.build / NS / (N * N));
    costs->fast = positive((fast.seconds / fast.spikes - ideal.seconds / ideal.spikes) / NS / N);
    measured spread = measure(calibration, RUN "network: {kind: spread, neurons: 300, dimensions: 4, sweeps: 100}\ntargets: {kind: leak}\n"
                              "learning: {rule: balanced}\n", 1.0);
    costs->repulsion = positive(spread.build / NS / (100 * 300.0 * 300 / 2 * 4));
    measured literal = measure(calibration, RUN "network: {kind: ring, neurons: %.0f}\ntargets: {kind: leak}\n"
                               "learning: {rule: balanced, slow: filtered, stepping: literal}\n", 50.0, few);
    costs->synapse = positive(literal.seconds / NS / literal.steps / (few * few));
}

static void measure_basis(calibration *calibration, balanced_costs *costs) {
    const double units[] = {200, 1000};
    measured m[2];
    for (int k = 0; k < 2; k++)
        m[k] = measure(calibration, "simulation: {dt: 0.1 ms, loop_duration: 500 ms, reset: never}\nnetwork: {kind: ring, neurons: 8, norm: 0.05}\n"
                       "targets: {kind: van_der_pol}\n"
                       "stimulus: {scale: 0.7}\nneuron: {basis: tanh, basis_units: %.0f}\nlearning: {rule: balanced}\n", units[k]);
    costs->unit = positive((m[1].seconds - m[0].seconds) / NS / (m[1].spikes * units[1] - m[0].spikes * units[0]));
    costs->ray = positive((m[0].seconds / NS - m[0].spikes * (units[0] * costs->unit + costs->spike)) / m[0].steps - costs->row);
}

void balanced_calibrate(calibration *calibration) {
    balanced_costs *costs = machine_costs(&calibration->machine, "balanced");
    calibration_say(calibration, "balanced networks");
    measure_closed(calibration, costs);
    measure_synapses(calibration, costs);
    measure_basis(calibration, costs);
}
