/* What these networks cost on a machine, measured: tiles of small networks of several sizes and activities, forwards and backwards, each with what was counted
 * in it, and costs that fit all of them. Processor time: what else a machine does meanwhile counts little. */
#include <string.h>

#include "engram/calibrate.h"
#include "engram/clock.h"
#include "engram/memory.h"
#include "passes.h"

static const param params[] = {
    MACHINE_NUMBER(lsnn_costs, "forward", "11", 0, MACHINE_HUGE_NS, "ns of a neuron in a step of a tile of 16 samples, forwards", forward),
    MACHINE_NUMBER(lsnn_costs, "backward", "25", 0, MACHINE_HUGE_NS, "ns of the same backwards", backward),
    MACHINE_NUMBER(lsnn_costs, "spike", "0.9", 0, MACHINE_HUGE_NS, "ns of a synapse in a step of a tile in which its unit fires in any sample", spike),
    MACHINE_NUMBER(lsnn_costs, "back", "0.7", 0, MACHINE_HUGE_NS, "ns of a synapse in a step of a tile, backwards, where its unit can use it", back),
    MACHINE_NUMBER(lsnn_costs, "gradient", "0.18", 0, MACHINE_HUGE_NS, "ns of the gradient of a synapse, connected or not, at a spike of a sample", gradient),
    MACHINE_NUMBER(lsnn_costs, "input", "1.3", 0, MACHINE_HUGE_NS, "ns of a channel of the input in a step of a tile", input),
    MACHINE_NUMBER(lsnn_costs, "shown", "23", 0, MACHINE_HUGE_NS, "ns of a spike of a channel in a sample, drawn", shown),
    MACHINE_NUMBER(lsnn_costs, "sum", "7", 0, MACHINE_HUGE_NS, "ns of the gradient of an entry of the matrices, for each tile", sum),
    MACHINE_NUMBER(lsnn_costs, "update", "4", 0, MACHINE_HUGE_NS, "ns of an entry in an iteration: its update, and synapses made anew", update),
    MACHINE_NUMBER(lsnn_costs, "rewire", "11", 0, MACHINE_HUGE_NS, "ns of the same of networks that are rewired", rewire),
};
MACHINE_TABLE(table, "lsnn", "networks that learn by gradients through their spikes", params, lsnn_costs);

const param_section *lsnn_cost_sections(int *count) {
    static param_section section;
    section = (param_section){.name = "lsnn", .plural = "lsnn", .help = table.help, .common = &table};
    *count = 1;
    return &section;
}

/* ---- a tile, and what happens in it ---- */

enum {
    TIME_SHOW, TIME_FORWARD, TIME_BACKWARD, TIME_SPREAD, /* s */
    COUNT_CELLS, COUNT_DELIVERED, COUNT_RETURNED, COUNT_GRADIENT, COUNT_INPUT, COUNT_SHOWN, COUNT_ENTRIES, COUNTS
};
_Static_assert((int)COUNTS <= (int)CALIBRATION_COUNTS, "counts of a loop");

static void count_neurons(const lsnn *net, double *count) {
    const tile *tile = net->tile;
    const shape *shape = &net->shape;
    const synapse_rows *forward = &tile->synapses->forward, *backward = &tile->synapses->backward;
    for (int t = 0; t < shape->steps; t++)
        for (int j = 0; j < shape->neurons; j++) {
            const int64_t at = (int64_t)t * shape->neurons + j, unit = shape->inputs + j;
            if (tile->history.spikes[at]) count[COUNT_DELIVERED] += forward->start[unit + 1] - forward->start[unit];
            if (tile->history.active[at]) count[COUNT_RETURNED] += backward->start[unit + 1] - backward->start[unit];
            count[COUNT_GRADIENT] += (double)__builtin_popcount(tile->history.spikes[at]) * shape->posts;
        }
}

static void count_inputs(const lsnn *net, double *count) {
    const spike_input *input = &net->tile->input;
    const int *start = net->tile->synapses->forward.start;
    for (int e = 0; e < input->start[net->shape.steps]; e++) {
        const double spikes = __builtin_popcount(input->lanes[e]);
        count[COUNT_DELIVERED] += start[input->channel[e] + 1] - start[input->channel[e]];
        count[COUNT_SHOWN] += spikes, count[COUNT_GRADIENT] += spikes * net->shape.neurons;
    }
}

/** s since then, if that is less than what is there. */
static void take_least(double *least, double *since) {
    const double now = clock_processor_seconds();
    if (*least == 0 || now - *since < *least) *least = now - *since;
    *since = now;
}

/** A tile once more, part by part. */
static void measure(const void *raw, double *count) {
    enum { REPEATS = 3 };
    lsnn *net = (lsnn *)(uintptr_t)raw;
    for (int n = 0; n < REPEATS; n++) {
        unsigned bits = 0;
        double since = clock_processor_seconds();
        lsnn_show(net, net->tile, TASK_TRAIN, 0);
        take_least(&count[TIME_SHOW], &since);
        lsnn_forward(net, TASK_TRAIN, 0, LANES, &bits);
        take_least(&count[TIME_FORWARD], &since);
        lsnn_judge(net);
        since = clock_processor_seconds();
        lsnn_backward(net, false);
        take_least(&count[TIME_BACKWARD], &since);
        lsnn_spread(net);
        take_least(&count[TIME_SPREAD], &since);
    }
    count[COUNT_CELLS] = (double)net->shape.neurons * net->shape.steps, count[COUNT_INPUT] = (double)net->shape.inputs * net->shape.steps;
    count[COUNT_ENTRIES] = (double)net->parameters;
    count_neurons(net, count);
    count_inputs(net, count);
}

/* ---- costs that fit ---- */

enum { UNKNOWNS = 3, CASES = 6 };
typedef struct { double seconds, of[UNKNOWNS]; } equation;

/** Costs of 0 and more, least squares of what is off in parts of each time: one after the other, as often as it takes. */
static void fit(const equation *cases, int unknowns, double *cost) {
    enum { SWEEPS = 20000 };
    for (int u = 0; u < unknowns; u++) cost[u] = 0;
    for (int n = 0; n < SWEEPS; n++)
        for (int u = 0; u < unknowns; u++) {
            double slope = 0, curvature = 0;
            for (int c = 0; c < CASES; c++) {
                const double x = cases[c].of[u] / cases[c].seconds;
                double off = 1;
                for (int k = 0; k < unknowns; k++) off -= k == u ? 0 : cost[k] * cases[c].of[k] / cases[c].seconds;
                slope += x * off, curvature += x * x;
            }
            cost[u] = curvature > 0 ? fmax(0, slope / curvature) : 0;
        }
}

static calibration_loop run(calibration *calibration, int neurons, const char *more, const char *learning) {
    static const char text[] = "simulation: {dt: 1 ms}\nnetwork: {neurons: %d}\nlearning: {rule: bptt, batch: %d, rate: 0%s}\n%s";
    return calibration_run(calibration, &lsnn_system, measure, text, neurons, LANES, learning, more);
}

/** Of large networks for a few steps: what matrices cost. */
static void measure_updates(calibration *calibration, lsnn_costs *costs) {
    enum { NEURONS = 2000 };
    static const char few[] = "neuron: {rate_cost: 0}\ntask: {kind: evidence, cues: 1, cue: 10 ms, gap: 10 ms, delay: 10 ms, recall: 10 ms}\n";
    const double NS = 1e-9;
    double *update[] = {&costs->update, &costs->rewire};
    for (int k = 0; k < 2; k++) {
        const calibration_loop loop = run(calibration, NEURONS, few, k ? ", connectivity: 0.1" : "");
        const double *count = loop.count, entries = count[COUNT_ENTRIES] * NS;
        const double passed = count[COUNT_CELLS] * costs->backward + count[COUNT_RETURNED] * costs->back + count[COUNT_GRADIENT] * costs->gradient;
        if (k == 0) costs->sum = fmax(0, (count[TIME_BACKWARD] - NS * passed) / entries);
        *update[k] = fmax(0, (loop.processor - count[TIME_FORWARD] - count[TIME_BACKWARD] + count[TIME_SPREAD]) / entries);
    }
}

void lsnn_calibrate(calibration *calibration) {
    static const struct { int neurons; const char *more, *learning; } cases[CASES] = {
        {40, "neuron: {rate_cost: 0}\ntask: {kind: evidence, rate: 10 Hz, noise_rate: 1 Hz}\n", ""},
        {40, "neuron: {rate_cost: 0}\ntask: {kind: evidence, channels: 40}\n", ""},
        {240, "neuron: {rate_cost: 0}\ntask: {kind: evidence}\n", ""},
        {240, "neuron: {rate_cost: 0}\ntask: {kind: evidence}\n", ", connectivity: 0.1"},
        {240, "neuron: {rate_cost: 0, threshold: 1e6}\ntask: {kind: evidence, rate: 200 Hz}\n", ""},
        {240, "neuron: {rate_cost: 0, threshold: 0.004}\ntask: {kind: evidence, rate: 100 Hz}\n", ""},
    };
    lsnn_costs *costs = machine_costs(&calibration->machine, "lsnn");
    const double NS = 1e-9;
    equation show[CASES] = {{0}}, forward[CASES] = {{0}}, backward[CASES] = {{0}};
    double cost[UNKNOWNS];
    calibration_say(calibration, "networks that learn by gradients");
    for (int c = 0; c < CASES; c++) {
        const calibration_loop loop = run(calibration, cases[c].neurons, cases[c].more, cases[c].learning);
        const double *count = loop.count;
        show[c] = (equation){count[TIME_SHOW] / NS, {count[COUNT_INPUT], count[COUNT_SHOWN]}};
        forward[c] = (equation){(count[TIME_FORWARD] - count[TIME_SHOW]) / NS, {count[COUNT_CELLS], count[COUNT_DELIVERED]}};
        backward[c] = (equation){count[TIME_BACKWARD] / NS, {count[COUNT_CELLS], count[COUNT_RETURNED], count[COUNT_GRADIENT]}};
    }
    fit(show, 2, cost);
    costs->input = cost[0], costs->shown = cost[1];
    fit(forward, 2, cost);
    costs->forward = cost[0], costs->spike = cost[1];
    fit(backward, UNKNOWNS, cost);
    costs->backward = cost[0], costs->back = cost[1], costs->gradient = cost[2];
    measure_updates(calibration, costs);
}
