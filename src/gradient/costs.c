/* Products of full matrices with what is sparse, measured: of some sizes, each with few and with many units that have something, which tells what a matrix
 * costs from what is in it. Processor time: what else a machine does meanwhile counts little. */
#include <math.h>

#include "engram/clock.h"
#include "engram/memory.h"
#include "engram/random.h"
#include "engram/sparse_costs.h"

/* Values of files that were measured before there was this section, and of the machine that is built in: measured on 2 cores of an AMD EPYC (Zen 4). */
static const param params[] = {
    MACHINE_LIST(sparse_costs, "bytes", "[6.554e+04, 5.898e+05, 2.359e+06, 1.024e+07, 2.007e+07, 4.096e+07]", 1, 1e15,
                 "of matrices; the next lists are for these", bytes),
    MACHINE_LIST(sparse_costs, "forward", "[0.054, 0.03, 0.03, 0.029, 0.038, 0.115]", MACHINE_TINY, MACHINE_HUGE_NS,
                 "ns of a synapse in a step of a tile of 16 samples, forwards, whatever its unit has", forward),
    MACHINE_LIST(sparse_costs, "spike", "[0.034, 0.023, 0.02, 0.019, 0.02, 0.012]", MACHINE_TINY, MACHINE_HUGE_NS,
                 "ns more at a spike of a sample", spike),
    MACHINE_LIST(sparse_costs, "charge", "[0.033, 0.027, 0.024, 0.023, 0.026, 0.017]", MACHINE_TINY, MACHINE_HUGE_NS,
                 "ns more at a charge of a sample", charge),
    MACHINE_LIST(sparse_costs, "backward", "[0.136, 0.104, 0.075, 0.106, 0.24, 0.31]", MACHINE_TINY, MACHINE_HUGE_NS,
                 "ns of a synapse in a step of a tile, backwards, where its unit can use what comes back in any sample", backward),
    MACHINE_LIST(sparse_costs, "back", "[0.024, 0.022, 0.022, 0.017, 0.0024, 0.0031]", MACHINE_TINY, MACHINE_HUGE_NS,
                 "ns more for each sample in which it can", back),
    MACHINE_LIST(sparse_costs, "stretch", "[0.077, 0.1, 0.16, 0.35, 0.35, 0.38]", MACHINE_TINY, MACHINE_HUGE_NS,
                 "ns of the gradient of a synapse in a stretch of 40 or 50 steps in which its unit has anything", stretch),
    MACHINE_LIST(sparse_costs, "gradient", "[0.033, 0.033, 0.034, 0.037, 0.036, 0.036]", MACHINE_TINY, MACHINE_HUGE_NS,
                 "ns more at a spike of a sample", gradient),
    MACHINE_LIST(sparse_costs, "gradient_charge", "[0.034, 0.034, 0.035, 0.037, 0.037, 0.037]", MACHINE_TINY, MACHINE_HUGE_NS,
                 "ns more at a charge of a sample", gradient_charge),
};
static const char help[] = "all connections between neurons that follow a gradient, without delays: matrices times what few units have";
MACHINE_TABLE(table, "full", help, params, sparse_costs);
const param_section sparse_cost_section = {.name = "full", .plural = "full", .help = help, .common = &table};

/* ---- seconds ---- */

static const double NS = 1e-9;

static const sparse_costs *costs_of(const machine *machine) {
    return machine_costs(machine, sparse_cost_section.name);
}

/** s of a matrix of which a part is looked at, and of which each synapse has so many of what is sparse. */
static double seconds_of(const sparse_costs *costs, sparse_matrix matrix, const param_numbers *whole, double part, const param_numbers *each, double count) {
    return NS * matrix.synapses * (part * machine_curve(&costs->bytes, whole, matrix.bytes) + count * machine_curve(&costs->bytes, each, matrix.bytes));
}

bool sparse_measured(const machine *machine) {
    return !machine->config || config_given(machine->config, sparse_cost_section.name, table.params[0].key);
}

const char sparse_unmeasured[] = "what matrices between neurons cost has not been measured on this machine: that of the machine that is built in "
                                 "counts, and neurons may count too much";

double sparse_any(double part, double places) {
    return 1 - pow(1 - fmin(part, 1), places);
}

double sparse_forward_seconds(const machine *machine, sparse_matrix matrix, double part) {
    const sparse_costs *costs = costs_of(machine);
    return seconds_of(costs, matrix, &costs->forward, 1, matrix.valued ? &costs->charge : &costs->spike, LANES * part);
}

double sparse_back_seconds(const machine *machine, sparse_matrix matrix, double part, double any) {
    const sparse_costs *costs = costs_of(machine);
    return seconds_of(costs, matrix, &costs->backward, any, &costs->back, LANES * part);
}

double sparse_gradient_seconds(const machine *machine, sparse_matrix matrix, double steps, double part) {
    const sparse_costs *costs = costs_of(machine);
    const double places = steps * LANES;
    return seconds_of(costs, matrix, &costs->stretch, sparse_any(part, places), matrix.valued ? &costs->gradient_charge : &costs->gradient, places * part);
}

/* ---- measuring ---- */

enum { SIZES = 6, SEED = 1, STRETCH = 50, PLACES = STRETCH * LANES, BANDED = PLACES * SPARSE_BAND, LOOKED_AT = 16 << 20 /* synapses in a repeat, at least */ };
static const int size_of[SIZES] = {128, 384, 768, 1600, 2240, 3200};

/** A matrix of n units and as many posts, and what units have in some steps. */
typedef struct {
    int n, steps;
    float *weight, *value;  /* as sparse.h has them */
    uint16_t *lanes;        /* [steps][n] */
    double part, any;       /* that is drawn: of units and samples; of units */
    uint64_t *set;
    float *banded, *sum;    /* [bands][BANDED]; [n][LANES] */
    uint16_t *place;        /* [n][PLACES] */
    float *event;           /* [PLACES] */
} bench;

static void open_bench(bench *b, int n) {
    const int64_t synapses = (int64_t)n * n;
    *b = (bench){.n = n, .steps = synapses < LOOKED_AT ? (int)(LOOKED_AT / synapses) : 1};
    b->weight = memory_new(MEMORY_BUFFERS, sparse_floats(n, n), sizeof(float)), b->value = memory_new(MEMORY_BUFFERS, (size_t)n * LANES, sizeof(float));
    b->lanes = memory_new(MEMORY_BUFFERS, (size_t)(b->steps * n), sizeof(uint16_t));
    b->set = memory_new(MEMORY_BUFFERS, (size_t)sparse_words(n) * LANES, sizeof(uint64_t));
    b->banded = memory_new(MEMORY_BUFFERS, (size_t)sparse_bands(n) * BANDED, sizeof(float));
    b->sum = memory_new(MEMORY_BUFFERS, (size_t)n * LANES, sizeof(float));
    b->place = memory_new(MEMORY_BUFFERS, (size_t)n * PLACES, sizeof(uint16_t)), b->event = memory_new(MEMORY_BUFFERS, PLACES, sizeof(float));
    for (size_t k = 0; k < sparse_floats(n, n); k++) b->weight[k] = 1e-3f * (float)(k % 997);
    for (size_t k = 0; k < (size_t)sparse_bands(n) * BANDED; k++) b->banded[k] = 1e-3f * (float)(k % 991);
    for (size_t k = 0; k < (size_t)n * LANES; k++) b->value[k] = 1e-3f * (float)(k % 983);
    for (size_t k = 0; k < PLACES; k++) b->event[k] = 1e-3f * (float)(k % 977);
}

static void close_bench(bench *b) {
    void *arrays[] = {b->weight, b->value, b->lanes, b->set, b->banded, b->sum, b->place, b->event};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) memory_free(arrays[k]);
}

/** What units have in each step. */
static void draw(bench *b, double part) {
    double lanes = 0, units = 0;
    for (int k = 0; k < b->steps * b->n; k++) {
        b->lanes[k] = 0;
        for (int lane = 0; lane < LANES; lane++)
            if (random_uniform(SEED, RANDOM_WEIGHT, (uint64_t)k, (uint64_t)lane) < part) b->lanes[k] |= (uint16_t)(1u << lane);
        lanes += __builtin_popcount(b->lanes[k]), units += b->lanes[k] != 0;
    }
    b->part = lanes / b->steps / b->n / LANES, b->any = units / b->steps / b->n;
}

static void forwards(bench *b, bool valued) {
    float sum[LANES * SPARSE_BAND];
    for (int step = 0; step < b->steps; step++) {
        sparse_set(b->lanes + (size_t)(step * b->n), b->n, b->set);
        for (int band = 0; band < sparse_bands(b->n); band++) {
            sparse_forward(b->weight + sparse_at(b->n, 0, band * SPARSE_BAND), b->set, sparse_words(b->n), valued ? b->value : NULL, SPARSE_BAND, sum);
            b->sum[band] += sum[0];
        }
    }
}

static void back(bench *b, bool valued) {
    const sparse_slopes slopes = {.weight = b->weight, .weight_stride = (size_t)b->n * SPARSE_BAND, .slope = b->banded, .slope_stride = BANDED, .posts = b->n};
    (void)valued;
    for (int step = 0; step < b->steps; step++) sparse_back(&slopes, b->lanes + (size_t)(step * b->n), b->n, b->sum);
}

/** Of stretches, with as many events of each unit as are expected. */
static void gradients(bench *b, bool valued) {
    const int events = (int)lround(b->part * PLACES);
    for (int step = 0; step < b->steps; step++)
        for (int band = 0; band < sparse_bands(b->n); band++)
            for (int unit = 0; unit < b->n; unit++) {
                float sum[SPARSE_BAND], *G = b->weight + sparse_at(b->n, unit, band * SPARSE_BAND);
                sparse_gradient(b->banded + (size_t)band * BANDED, b->place + (size_t)unit * PLACES, valued ? b->event : NULL, events, SPARSE_BAND, sum);
                for (int p = 0; p < SPARSE_BAND; p++) G[p] += 1e-6f * sum[p];
            }
}

/** Where events of each unit stand, in the order of steps. */
static void place_events(bench *b) {
    const int events = (int)lround(b->part * PLACES);
    for (int unit = 0; unit < b->n; unit++)
        for (int e = 0; e < events; e++) {
            const double at = (e + random_uniform(SEED, RANDOM_WEIGHT, (uint64_t)unit, (uint64_t)(LANES + e))) / events * PLACES;
            b->place[(size_t)unit * PLACES + (size_t)e] = (uint16_t)fmin(at, PLACES - 1);
        }
}

/** ns of a synapse in a step, or a stretch. */
static double time_of(calibration *calibration, bench *b, void (*product)(bench *, bool), bool valued) {
    enum { REPEATS = 3 };
    double seconds[REPEATS];
    CHECK_MPI(MPI_Barrier(calibration->job.comm));
    product(b, valued); /* warms up */
    for (int n = 0; n < REPEATS; n++) {
        const double before = clock_processor_seconds();
        product(b, valued);
        seconds[n] = clock_processor_seconds() - before;
    }
    return calibration_settle(calibration, seconds, REPEATS) / NS / b->n / b->n / b->steps;
}

/** What is measured with few, and with many: times, and what each of two costs is paid for. */
typedef struct { double seconds, whole, count; } equation;

/** Both that fit, neither less than a hundredth of the other: where what is waited for hides one of them, what is left fits as well as it can. */
static void solve(const equation few, const equation many, double *whole, double *each) {
    const double LEAST = 0.01, determinant = few.whole * many.count - many.whole * few.count;
    *whole = (few.seconds * many.count - many.seconds * few.count) / determinant;
    *each = (many.seconds * few.whole - few.seconds * many.whole) / determinant;
    if (*each < LEAST * *whole) {
        *whole = sqrt(few.seconds / (few.whole + LEAST * few.count) * many.seconds / (many.whole + LEAST * many.count));
        *each = LEAST * *whole;
    } else if (*whole < LEAST * *each) {
        *each = sqrt(few.seconds / (LEAST * few.whole + few.count) * many.seconds / (LEAST * many.whole + many.count));
        *whole = LEAST * *each;
    }
}

/** Costs of a size. */
static void measure(calibration *calibration, int size, sparse_costs *costs) {
    static const double parts[] = {1.0 / 32, 1.0 / 4}, of_stretch[] = {1.0 / 128, 1.0 / 8};
    double *forward = &costs->forward.values[size], *stretch = &costs->stretch.values[size];
    bench b;
    equation forwards_of[2], back_of[2], gradients_of[2];
    open_bench(&b, size_of[size]);
    for (int k = 0; k < 2; k++) {
        draw(&b, parts[k]);
        forwards_of[k] = (equation){time_of(calibration, &b, forwards, false), 1, LANES * b.part};
        back_of[k] = (equation){time_of(calibration, &b, back, false), b.any, LANES * b.part};
    }
    const double charges = time_of(calibration, &b, forwards, true);
    solve(forwards_of[0], forwards_of[1], forward, &costs->spike.values[size]);
    solve(back_of[0], back_of[1], &costs->backward.values[size], &costs->back.values[size]);
    costs->charge.values[size] = fmax(MACHINE_TINY, (charges - *forward) / forwards_of[1].count);
    b.steps = (b.steps + 31) / 32;
    for (int k = 0; k < 2; k++) {
        b.part = of_stretch[k];
        place_events(&b);
        gradients_of[k] = (equation){time_of(calibration, &b, gradients, false), 1, round(b.part * PLACES)};
    }
    const double gradient_charges = time_of(calibration, &b, gradients, true);
    solve(gradients_of[0], gradients_of[1], stretch, &costs->gradient.values[size]);
    costs->gradient_charge.values[size] = fmax(MACHINE_TINY, (gradient_charges - *stretch) / gradients_of[1].count);
    costs->bytes.values[size] = (double)(sizeof(float) * sparse_floats(b.n, b.n));
    close_bench(&b);
}

void sparse_calibrate(calibration *calibration) {
    sparse_costs *costs = machine_costs(&calibration->machine, sparse_cost_section.name);
    param_numbers *lists[] = {&costs->bytes, &costs->forward, &costs->spike, &costs->charge, &costs->backward, &costs->back, &costs->stretch, &costs->gradient,
                              &costs->gradient_charge};
    if (calibration->full_matrices) return;
    calibration->full_matrices = true;
    calibration_say(calibration, "matrices times what few units have");
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++) *lists[l] = calibration_list(SIZES, NULL);
    for (int size = 0; size < SIZES; size++) measure(calibration, size, costs);
}
