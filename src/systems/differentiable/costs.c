/* What these networks cost on a machine, measured: a tile of a small network, forwards and backwards, less what its matrices cost by what was counted in it
 * (sparse_costs.h); products with what is shown by themselves. Processor time: what else a machine does meanwhile counts little. */
#include "engram/clock.h"
#include "engram/memory.h"
#include "engram/sparse_costs.h"
#include "passes.h"

static const param params[] = {
    MACHINE_NUMBER(differentiable_costs, "synapse", "0.06", 0, MACHINE_HUGE_NS,
                   "ns of a synapse of the input in a step of a sample, forwards and backwards", synapse),
    MACHINE_NUMBER(differentiable_costs, "neuron", "5.6", 0, MACHINE_HUGE_NS, "ns of a neuron in a step of a sample, forwards and backwards", neuron),
    MACHINE_NUMBER(differentiable_costs, "forward", "0.2", 0, 1, "part of both that is forwards", forward),
    MACHINE_NUMBER(differentiable_costs, "update", "15", 0, MACHINE_HUGE_NS, "ns of a parameter in an iteration: its gradient added up, and followed", update),
};
MACHINE_TABLE(table, "differentiable", "networks that follow an exact gradient; matrices between neurons: full", params, differentiable_costs);

const param_section *differentiable_cost_sections(int *count) {
    enum { SECTIONS = 2 };
    static param_section sections[SECTIONS];
    sections[0] = (param_section){.name = "differentiable", .plural = "differentiable", .help = table.help, .common = &table};
    sections[1] = sparse_cost_section;
    *count = SECTIONS;
    return sections;
}

/* ---- matrices between neurons, and onto readouts ---- */

enum { MATRICES = 2 };

static void matrices_of(const shape *shape, sparse_matrix *matrix) {
    const double slow = (double)shape->neurons * shape->slow_posts, fast = (double)shape->neurons * shape->fast_posts;
    for (int m = 0; m < MATRICES; m++) matrix[m] = (sparse_matrix){.bytes = sizeof(float) * (slow + fast), .synapses = m ? fast : slow, .valued = true};
}

double differentiable_products_forward(const machine *machine, const shape *shape, double charged) {
    sparse_matrix matrix[MATRICES];
    double seconds = 0;
    matrices_of(shape, matrix);
    for (int m = 0; m < MATRICES; m++) seconds += shape->steps * sparse_forward_seconds(machine, matrix[m], charged);
    return seconds;
}

double differentiable_products_backward(const machine *machine, const shape *shape, double charged, double gated) {
    sparse_matrix matrix[MATRICES];
    double seconds = 0;
    matrices_of(shape, matrix);
    for (int m = 0; m < MATRICES; m++) {
        const double back = sparse_back_seconds(machine, matrix[m], gated, sparse_any(gated, LANES));
        seconds += shape->steps * (back + sparse_gradient_seconds(machine, matrix[m], BLOCK, charged) / BLOCK);
    }
    return seconds;
}

/* ---- measuring ---- */

enum { TIME_FORWARD, TIME_BACKWARD, COUNT_CHARGED, COUNT_GATED, COUNT_PARAMETERS, COUNT_SLOW, COUNT_FAST, COUNT_SHOWN, COUNTS };
_Static_assert((int)COUNTS <= (int)CALIBRATION_COUNTS, "counts of a loop");
static const double NS = 1e-9;

/** Parts of neurons, samples and steps. */
static void count_charges(const tile *tile, double *count) {
    const shape *shape = tile->shape;
    const model *m = &shape->model;
    const zone zone = zone_of(m);
    const size_t N = (size_t)shape->neurons * LANES, all = (size_t)shape->steps * N;
    double charged = 0, gated = 0;
    for (size_t at = 0; at < all; at += STRIP) {
        const reals above = reals_at(tile->u + at);
        reals below = reals_at(tile->start + at % N);
        if (at >= N) below = after_reset(m, &zone, reals_at(tile->u + at - N), m->exact_reset ? reals_at(tile->current + at - N) : reals_all(0));
        charged += __builtin_popcount(mask_of(charge_in(&zone, above) - charge_in(&zone, below) != 0, 0));
        gated += __builtin_popcount(mask_of((gate_in(&zone, above) != 0) | (gate_in(&zone, below) != 0), 0));
    }
    count[COUNT_CHARGED] = charged / (double)all, count[COUNT_GATED] = gated / (double)all;
}

/** A tile once more, part by part. */
static void measure(const void *raw, double *count) {
    enum { REPEATS = 3 };
    differentiable *net = (differentiable *)(uintptr_t)raw;
    for (int n = 0; n < REPEATS; n++) {
        const double before = clock_processor_seconds();
        differentiable_tile_forward(net->tile);
        const double between = clock_processor_seconds();
        differentiable_tile_backward(net->tile);
        const double forward = between - before, backward = clock_processor_seconds() - between;
        count[TIME_FORWARD] = n ? fmin(count[TIME_FORWARD], forward) : forward;
        count[TIME_BACKWARD] = n ? fmin(count[TIME_BACKWARD], backward) : backward;
    }
    count[COUNT_PARAMETERS] = (double)net->parameters;
    count[COUNT_SLOW] = net->shape.slow_posts, count[COUNT_FAST] = net->shape.fast_posts, count[COUNT_SHOWN] = net->shape.shown;
    count_charges(net->tile, count);
}

/** ns of a synapse of the input in a step of a sample: [0] forwards, [1] backwards. */
static void measure_input(calibration *calibration, double ns[2]) {
    enum { ROWS_ALL = 256, SHOWN = 32, TIMES = 20, REPEATS = 3 };
    double seconds[2][REPEATS];
    float *pack = memory_new(MEMORY_BUFFERS, ROWS_ALL * SHOWN, sizeof(float)), *gradient = memory_new(MEMORY_BUFFERS, ROWS_ALL * SHOWN, sizeof(float));
    float *slopes = memory_new(MEMORY_BUFFERS, BLOCK * ROWS_ALL * LANES, sizeof(float));
    float *sources = memory_new(MEMORY_BUFFERS, BLOCK * SHOWN * LANES, sizeof(float));
    const outer outer = {.slopes = slopes, .sources = sources, .steps = BLOCK, .slope_stride = ROWS_ALL, .source_stride = SHOWN, .gradient = gradient,
                         .gradient_stride = SHOWN};
    for (int k = 0; k < BLOCK * SHOWN * LANES; k++) sources[k] = 1e-3f * (float)(k % 997);
    for (int n = 0; n < REPEATS; n++) {
        const double before = clock_processor_seconds();
        for (int k = 0; k < TIMES * BLOCK; k++)
            add_product(pack, ROWS_ALL / ROWS, SHOWN, sources + k % BLOCK * SHOWN * LANES, slopes + k % BLOCK * ROWS_ALL * LANES);
        const double between = clock_processor_seconds();
        for (int k = 0; k < TIMES; k++) add_outer(&outer, 0, ROWS_ALL, 0, SHOWN);
        seconds[0][n] = between - before, seconds[1][n] = clock_processor_seconds() - between;
    }
    for (int k = 0; k < 2; k++) ns[k] = calibration_settle(calibration, seconds[k], REPEATS) / NS / TIMES / BLOCK / LANES / ROWS_ALL / SHOWN;
    memory_free(pack), memory_free(gradient), memory_free(slopes), memory_free(sources);
}

void differentiable_calibrate(calibration *calibration) {
    enum { NEURONS = 240 };
    static const char text[] = "simulation: {dt: 1 ms}\nnetwork: {neurons: %d}\ntask: {kind: autoencode}\n"
                               "learning: {rule: exact_gradient, batch: %d, rate: 0}\n";
    differentiable_costs *costs = machine_costs(&calibration->machine, "differentiable");
    const machine *machine = &calibration->machine;
    double input[2];
    sparse_calibrate(calibration);
    calibration_say(calibration, "networks that follow an exact gradient");
    measure_input(calibration, input);
    const calibration_loop loop = calibration_run(calibration, &differentiable_system, measure, text, NEURONS, LANES);
    const double *count = loop.count, cells = loop.steps * LANES * NEURONS;
    const shape shape = {.neurons = NEURONS, .steps = (int)loop.steps, .slow_posts = (int)count[COUNT_SLOW], .fast_posts = (int)count[COUNT_FAST]};
    const double of_forward = differentiable_products_forward(machine, &shape, count[COUNT_CHARGED]);
    const double of_backward = differentiable_products_backward(machine, &shape, count[COUNT_CHARGED], count[COUNT_GATED]);
    const double forward = (count[TIME_FORWARD] - of_forward) / NS / cells - count[COUNT_SHOWN] * input[0];
    const double backward = (count[TIME_BACKWARD] - of_backward) / NS / cells - count[COUNT_SHOWN] * input[1];
    costs->synapse = input[0] + input[1], costs->neuron = fmax(1e-3, forward) + fmax(1e-3, backward);
    costs->forward = fmax(1e-3, forward) / costs->neuron;
    costs->update = fmax(0, loop.processor - count[TIME_FORWARD] - count[TIME_BACKWARD]) / NS / count[COUNT_PARAMETERS];
}
