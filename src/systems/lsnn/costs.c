/* What these networks cost on a machine, measured: tiles of small networks of several sizes and activities, forwards and backwards, each with what was counted
 * in it, and costs that fit all of them. Processor time: what else a machine does meanwhile counts little. */
#include <string.h>

#include "engram/calibrate.h"
#include "engram/clock.h"
#include "engram/memory.h"
#include "engram/sparse_costs.h"
#include "passes.h"

static const param params[] = {
    MACHINE_NUMBER(lsnn_costs, "forward", "11", 0, MACHINE_HUGE_NS, "ns of a neuron in a step of a tile of 16 samples, forwards", forward),
    MACHINE_NUMBER(lsnn_costs, "backward", "25", 0, MACHINE_HUGE_NS, "ns of the same backwards", backward),
    MACHINE_NUMBER(lsnn_costs, "full_forward", "18", 0, MACHINE_HUGE_NS,
                   "ns of a neuron in a step of a tile, forwards, with all connections and no delays; what matrices cost: full", full_forward),
    MACHINE_NUMBER(lsnn_costs, "full_backward", "34", 0, MACHINE_HUGE_NS, "ns of the same backwards", full_backward),
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
    enum { SECTIONS = 2 };
    static param_section sections[SECTIONS];
    sections[0] = (param_section){.name = "lsnn", .plural = "lsnn", .help = table.help, .common = &table};
    sections[1] = sparse_cost_section;
    *count = SECTIONS;
    return sections;
}

/* ---- full matrices ---- */

static sparse_matrix matrix_of(const lsnn_products *products) {
    return (sparse_matrix){.bytes = sizeof(float) * products->neurons * products->posts, .synapses = products->neurons * products->posts};
}

double lsnn_products_forward(const machine *machine, const lsnn_products *products) {
    return products->steps * sparse_forward_seconds(machine, matrix_of(products), products->fires);
}

double lsnn_products_back(const machine *machine, const lsnn_products *products) {
    return products->steps * sparse_back_seconds(machine, matrix_of(products), products->psi, products->psi_any);
}

double lsnn_products_gradient(const machine *machine, const lsnn_products *products) {
    const double inputs = products->inputs * products->posts, stretches = products->steps / SEGMENT;
    sparse_matrix gradient = matrix_of(products);
    gradient.bytes += sizeof(float) * inputs;
    const double of_neurons = sparse_gradient_seconds(machine, gradient, SEGMENT, products->fires);
    gradient.synapses = inputs;
    return stretches * (of_neurons + sparse_gradient_seconds(machine, gradient, SEGMENT, products->shown));
}

/* ---- a tile, and what happens in it ---- */

enum {
    TIME_SHOW, TIME_FORWARD, TIME_BACKWARD, TIME_SPREAD, /* s */
    COUNT_CELLS, COUNT_DELIVERED, COUNT_RETURNED, COUNT_GRADIENT, COUNT_INPUT, COUNT_SHOWN, COUNT_ENTRIES,
    COUNT_INPUT_DELIVERED, COUNT_SPIKES, COUNT_PSI, COUNT_ACTIVE, COUNT_POSTS, COUNTS
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
            const double spikes = __builtin_popcount(tile->history.spikes[at]);
            count[COUNT_GRADIENT] += spikes * shape->posts;
            count[COUNT_SPIKES] += spikes, count[COUNT_PSI] += __builtin_popcount(tile->history.active[at]);
            count[COUNT_ACTIVE] += tile->history.active[at] != 0;
        }
}

static void count_inputs(const lsnn *net, double *count) {
    const spike_input *input = &net->tile->input;
    const int *start = net->tile->synapses->forward.start;
    for (int e = 0; e < input->start[net->shape.steps]; e++) {
        const double spikes = __builtin_popcount(input->lanes[e]);
        const double delivered = start[input->channel[e] + 1] - start[input->channel[e]];
        count[COUNT_DELIVERED] += delivered, count[COUNT_INPUT_DELIVERED] += delivered;
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
    count[COUNT_ENTRIES] = (double)net->parameters, count[COUNT_POSTS] = net->shape.posts;
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

static calibration_loop run(calibration *calibration, int neurons, const char *network, const char *more, const char *learning) {
    static const char text[] = "simulation: {dt: 1 ms}\nnetwork: {neurons: %d%s}\nlearning: {rule: bptt, batch: %d, rate: 0%s}\n%s";
    return calibration_run(calibration, &lsnn_system, measure, text, neurons, network, LANES, learning, more);
}

/** Of large networks for a few steps: what matrices cost. */
static void measure_updates(calibration *calibration, lsnn_costs *costs) {
    enum { NEURONS = 2000 };
    static const char few[] = "neuron: {rate_cost: 0}\ntask: {kind: evidence, cues: 1, cue: 10 ms, gap: 10 ms, delay: 10 ms, recall: 10 ms}\n";
    const double NS = 1e-9;
    double *update[] = {&costs->update, &costs->rewire};
    for (int k = 0; k < 2; k++) {
        const calibration_loop loop = run(calibration, NEURONS, "", few, k ? ", connectivity: 0.1" : "");
        const double *count = loop.count, entries = count[COUNT_ENTRIES] * NS;
        const double passed = count[COUNT_CELLS] * costs->backward + count[COUNT_RETURNED] * costs->back + count[COUNT_GRADIENT] * costs->gradient;
        if (k == 0) costs->sum = fmax(0, (count[TIME_BACKWARD] - NS * passed) / entries);
        *update[k] = fmax(0, (loop.processor - count[TIME_FORWARD] - count[TIME_BACKWARD] + count[TIME_SPREAD]) / entries);
    }
}

/** What neurons of full matrices cost: what products, and spikes of the input on their way, leave of the time. */
static void measure_full(calibration *calibration, lsnn_costs *costs) {
    enum { NEURONS = 320, FULL_CASES = 2 };
    static const char *const cases[FULL_CASES] = {"neuron: {rate_cost: 0}\ntask: {kind: evidence}\n",
                                                  "neuron: {rate_cost: 0, threshold: 0.004}\ntask: {kind: evidence, rate: 100 Hz}\n"};
    const double NS = 1e-9;
    double forward = 0, backward = 0, cells = 0;
    for (int c = 0; c < FULL_CASES; c++) {
        const calibration_loop loop = run(calibration, NEURONS, ", delays: 1", cases[c], "");
        const double *count = loop.count, samples = count[COUNT_CELLS] * LANES;
        const lsnn_products products = {.inputs = count[COUNT_INPUT] / loop.steps, .neurons = NEURONS, .posts = count[COUNT_POSTS], .steps = loop.steps,
                                        .fires = count[COUNT_SPIKES] / samples, .psi = count[COUNT_PSI] / samples,
                                        .psi_any = count[COUNT_ACTIVE] / count[COUNT_CELLS],
                                        .shown = count[COUNT_SHOWN] / count[COUNT_INPUT] / LANES};
        forward += count[TIME_FORWARD] - count[TIME_SHOW] - lsnn_products_forward(&calibration->machine, &products) -
                   NS * count[COUNT_INPUT_DELIVERED] * costs->spike;
        backward += count[TIME_BACKWARD] - lsnn_products_back(&calibration->machine, &products) - lsnn_products_gradient(&calibration->machine, &products);
        cells += count[COUNT_CELLS];
    }
    costs->full_forward = fmax(MACHINE_TINY, forward / NS / cells), costs->full_backward = fmax(MACHINE_TINY, backward / NS / cells);
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
        const calibration_loop loop = run(calibration, cases[c].neurons, "", cases[c].more, cases[c].learning);
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
    sparse_calibrate(calibration);
    measure_full(calibration, costs);
}
