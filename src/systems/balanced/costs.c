/* What balanced costs on a machine: its section of a machine file, and measuring it by running small networks with the program's own code.
 * Fallbacks are those of the machine that is built in: files that were measured before there was this system can be read. */
#include "balanced.h"
#include "engram/calibrate.h"
#include "engram/plan.h"

#define SIZES "[100, 1000, 10000, 100000, 1000000]"
static const double sizes[] = {100, 1000, 10000, 100000};
enum { SIZES_COUNT = sizeof sizes / sizeof *sizes };
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

enum { COUNT_SPIKES, COUNT_PASSES };

static void count(const void *raw, double *count) {
    const balanced *b = raw;
    count[COUNT_SPIKES] = (double)b->sums.spikes;
    count[COUNT_PASSES] = (double)b->sums.reductions;
}

#define RUN "simulation: {dt: 0.1 ms, loop_duration: %g ms, reset: never}\nstimulus: {scale: 20}\n"

/** Linear teacher, ideal fast weights. @param more of section neuron */
static calibration_loop linear(calibration *calibration, double neurons, int dimensions, double ms, const char *more) {
    return calibration_run(calibration, &balanced_system, count,
                           RUN "network: {kind: directions, neurons: %.0f, dimensions: %d}\nneuron: {%s}\ntargets: {kind: leak}\n"
                           "learning: {rule: balanced, slow: projected}\n", ms, neurons, dimensions, more);
}

static double positive(double ns) {
    return fmax(ns, 0.01);
}

/** ns of a neuron in a pass: what a network takes beyond one of a few neurons. */
static double pass_of(const balanced_costs *costs, const calibration_loop *m, double neurons, int dimensions) {
    double row = costs->row + (dimensions - 2) * costs->row_dimension;
    return positive((m->seconds / NS - m->steps * row - m->count[COUNT_SPIKES] * costs->spike) / (m->count[COUNT_PASSES] * neurons));
}

static void measure_closed(calibration *calibration, balanced_costs *costs) {
    enum { FEW = 8, MANY = 16 };
    const char *quiet = "threshold: 1000";
    calibration_loop rest = linear(calibration, FEW, 2, 1000, quiet), wide = linear(calibration, FEW, MANY, 1000, quiet);
    calibration_loop fires = linear(calibration, FEW, 2, 1000, "");
    costs->row = rest.seconds / NS / rest.steps;
    costs->row_dimension = positive((wide.seconds / NS / wide.steps - costs->row) / (MANY - 2));
    costs->spike = positive((fires.seconds / NS - fires.steps * costs->row) / fires.count[COUNT_SPIKES]);
    costs->neurons = calibration_list(SIZES_COUNT, sizes);
    costs->pass = calibration_list(SIZES_COUNT, NULL);
    costs->dimension = calibration_list(SIZES_COUNT, NULL);
    for (int k = 0; k < SIZES_COUNT; k++) {
        double ms = sizes[k] > 20000 ? 100 : 500;
        calibration_loop two = linear(calibration, sizes[k], 2, ms, ""), more = linear(calibration, sizes[k], MANY, ms, "");
        costs->pass.values[k] = pass_of(costs, &two, sizes[k], 2);
        costs->dimension.values[k] = positive((pass_of(costs, &more, sizes[k], MANY) - costs->pass.values[k]) / (MANY - 2));
    }
    calibration_loop noisy = linear(calibration, 1000, 2, 100, "threshold: 1000, noise: 0.01");
    costs->noise = positive((noisy.seconds / NS / noisy.steps - costs->row) / 1000);
}

static void measure_synapses(calibration *calibration, balanced_costs *costs) {
    const double N = 2000, few = 100;
    calibration_loop ideal = linear(calibration, N, 2, 200, "");
    calibration_loop fast = calibration_run(calibration, &balanced_system, count,
                                            RUN "network: {kind: directions, neurons: %.0f, dimensions: 2, fast: random}\ntargets: {kind: leak}\n"
                                            "learning: {rule: balanced, slow: projected, fast_rate: 0.001}\n", 200.0, N);
    costs->weight = positive(fast.build / NS / (N * N));
    costs->fast = positive((fast.seconds / fast.count[COUNT_SPIKES] - ideal.seconds / ideal.count[COUNT_SPIKES]) / NS / N);
    calibration_loop spread = calibration_run(calibration, &balanced_system, count,
                                              RUN "network: {kind: spread, neurons: 300, dimensions: 4, sweeps: 100}\ntargets: {kind: leak}\n"
                                              "learning: {rule: balanced}\n", 1.0);
    costs->repulsion = positive(spread.build / NS / (100 * 300.0 * 300 / 2 * 4));
    calibration_loop literal = calibration_run(calibration, &balanced_system, count,
                                               RUN "network: {kind: ring, neurons: %.0f}\ntargets: {kind: leak}\n"
                                               "learning: {rule: balanced, slow: filtered, stepping: literal}\n", 50.0, few);
    costs->synapse = positive(literal.seconds / NS / literal.steps / (few * few));
}

static void measure_basis(calibration *calibration, balanced_costs *costs) {
    const double units[] = {200, 1000};
    calibration_loop m[2];
    for (int k = 0; k < 2; k++)
        m[k] = calibration_run(calibration, &balanced_system, count,
                               "simulation: {dt: 0.1 ms, loop_duration: 500 ms, reset: never}\nnetwork: {kind: ring, neurons: 8, norm: 0.05}\n"
                       "targets: {kind: van_der_pol}\n"
                       "stimulus: {scale: 0.7}\nneuron: {basis: tanh, basis_units: %.0f}\nlearning: {rule: balanced}\n", units[k]);
    costs->unit = positive((m[1].seconds - m[0].seconds) / NS / (m[1].count[COUNT_SPIKES] * units[1] - m[0].count[COUNT_SPIKES] * units[0]));
    costs->ray = positive((m[0].seconds / NS - m[0].count[COUNT_SPIKES] * (units[0] * costs->unit + costs->spike)) / m[0].steps - costs->row);
}

void balanced_calibrate(calibration *calibration) {
    balanced_costs *costs = machine_costs(&calibration->machine, "balanced");
    calibration_say(calibration, "balanced networks");
    measure_closed(calibration, costs);
    measure_synapses(calibration, costs);
    measure_basis(calibration, costs);
}
