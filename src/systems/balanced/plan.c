/* What balanced tells of itself to "engram plan": sizes from the configuration, bytes as allocate() and the files of this folder allocate them, seconds from
 *     steps x course + spikes x (spike + passes x neurons of a rank x pass + passes x reduction)
 * The course and the basis are every rank's; only passes over neurons become less with more ranks. tests/mpi/test_planning.py compares with runs. */
#include <stdio.h>
#include <string.h>

#include "balanced.h"
#include "engram/memory.h"
#include "engram/output.h"
#include "engram/plan.h"
#include "engram/run_settings.h"
#include "engram/table.h"
#include "engram/test_settings.h"

static const double NS = 1e-9, LEAST_NEURONS = 2000; /* of a rank: with fewer, ranks agree for longer than they work */

typedef struct {
    int64_t neurons, loops, loop_steps;
    double dimensions, units;   /* J; P, in whole vectors */
    double dt;                  /* ms */
    double chunk;               /* steps */
    double norm, rate;          /* rate: spikes/s of the network */
    double feedback;            /* K at the end, 1/s */
    double signals;             /* bytes of command and teacher */
    double speculation;         /* NAN: auto */
    int tasks, slow_rule;
    bool learned_fast, learns_feedforward, literal, continues, noisy, spread, from_file;
    double delay, sweeps, trial; /* steps; of repulsion; steps of a trial */
    const output_settings *output;
    const test_settings *test;
} sizes;

/* ---- from the configuration ---- */

/** Spikes per second that the network needs (README.md 2): E|lambda x + dx/dt|/gamma, on paths of the teacher. Feedback of K gamma, with which the network
 *  corrects what a single spike is off, adds to that: as measured in two dimensions for K gamma from 0 to 1.7 of that mean, with ideal weights. */
static double spikes_per_second(teacher *teacher, command *command, const sizes *sizes, double leak) {
    enum { STRETCH = 250, STEPS = 200000 };
    const int J = (int)sizes->dimensions;
    const double dt = sizes->dt / 1000;
    double *c = memory_new(MEMORY_BUFFERS, (size_t)(STRETCH * J), sizeof *c), *x = memory_new(MEMORY_BUFFERS, (size_t)((STRETCH + 1) * J), sizeof *x);
    double sum = 0, count = 0;
    for (uint64_t stream = 1; count < STEPS; stream++) {
        teacher_begin(teacher, 0, stream, x);
        for (int64_t n = 0; n + STRETCH <= sizes->loop_steps || n == 0; n += STRETCH) {
            int steps = (int)(sizes->loop_steps - n < STRETCH ? sizes->loop_steps - n : STRETCH);
            command_fill(command, stream, n, steps, c);
            teacher_advance(teacher, 0, n, steps, c, x);
            for (int m = 0; m < steps; m++) {
                double square = 0;
                for (int j = 0; j < J; j++) {
                    double change = leak * x[m * J + j] + (x[(m + 1) * J + j] - x[m * J + j]) / dt;
                    square += change * change;
                }
                sum += sqrt(square);
            }
            count += steps;
            memcpy(x, x + steps * J, (size_t)J * sizeof *x);
        }
    }
    memory_free(c), memory_free(x);
    double mean = sum / count, corrected = sizes->feedback * sizes->norm / fmax(mean, 1e-300);
    return mean / sizes->norm * sqrt(1 + 1.6 * pow(fmin(corrected, 10), 3));
}

static status read_signals(const context *context, config *config, sizes *sizes, double leak) {
    const simulation_settings *simulation = config_common(config, "simulation");
    const signal_setting setting = {.context = context, .config = config, .dimensions = (int)sizes->dimensions, .dt = sizes->dt / 1000,
                                    .seed = (uint64_t)simulation->seed};
    int64_t before = memory_held(MEMORY_TARGETS);
    teacher *teacher = NULL;
    command *command = NULL;
    status opened = teacher_open(&setting, &teacher);
    if (opened == STATUS_OK) opened = command_open(&setting, teacher, &command);
    if (opened == STATUS_OK) {
        sizes->loop_steps = balanced_loop_steps(config, teacher, sizes->tasks);
        sizes->rate = spikes_per_second(teacher, command, sizes, leak);
        sizes->signals = (double)(memory_held(MEMORY_TARGETS) - before);
    }
    command_close(command);
    teacher_close(teacher);
    return opened;
}

static void read_settings(config *config, sizes *sizes) {
    const simulation_settings *simulation = config_common(config, "simulation");
    const network_settings *network = config_common(config, "network");
    const neuron_settings *neuron = config_common(config, "neuron");
    const balanced_settings *learning = config_variant(config, "learning");
    sizes->neurons = network->neurons;
    sizes->loops = ((const learning_settings *)config_common(config, "learning"))->loops;
    sizes->dimensions = (double)network->dimensions;
    sizes->dt = simulation->dt;
    sizes->norm = network->norm;
    sizes->slow_rule = balanced_slow_rule(config);
    sizes->units = sizes->slow_rule == SLOW_BASIS ? ceil((double)neuron->basis_units / TILE) * TILE : 0;
    sizes->learned_fast = balanced_learns_fast(config);
    for (int k = 0; k < learning->feedforward_rate.count; k++) sizes->learns_feedforward |= learning->feedforward_rate.values[k] > 0;
    if (learning->feedback.count) sizes->feedback = learning->feedback.values[learning->feedback.count - 1];
    sizes->literal = learning->stepping == STEPPING_LITERAL;
    sizes->speculation = learning->speculation;
    sizes->continues = simulation->reset == RESET_NEVER;
    sizes->noisy = neuron->noise > 0;
    sizes->delay = (double)neuron->delay;
    sizes->chunk = balanced_chunk(1 - neuron->leak * simulation->dt / 1000);
    sizes->spread = strcmp(config_variant_name(config, "network"), "spread") == 0;
    sizes->from_file = strcmp(config_variant_name(config, "network"), "file") == 0;
    if (sizes->spread) sizes->sweeps = (double)((const spread_settings *)config_variant(config, "network"))->sweeps;
    sizes->tasks = ((const network_settings *)config_common(config, "network"))->tasks;
    sizes->output = config_common(config, "output");
    sizes->test = config_common(config, "test");
}

static status open_sizes(const context *context, config *config, void **result) {
    const neuron_settings *neuron = config_common(config, "neuron");
    const protocol_settings *protocol = config_common(config, "protocol");
    sizes *sizes = memory_new(MEMORY_BUFFERS, 1, sizeof *sizes);
    *result = NULL;
    read_settings(config, sizes);
    status read = read_signals(context, config, sizes, neuron->leak);
    if (read != STATUS_OK) {
        memory_free(sizes);
        return read;
    }
    sizes->trial = (isnan(protocol->duration) ? (double)sizes->loop_steps : protocol->duration / sizes->dt) + protocol->settle / sizes->dt;
    *result = sizes;
    return STATUS_OK;
}

static void facts(const void *raw, plan_facts *facts) {
    static const char *const rules[] = {"auto", "no slow weights", "slow weights over r (filtered)",
                                        "slow weights over F x^ (projected)", "slow weights over a basis"};
    const sizes *sizes = raw;
    const double neurons = (double)sizes->neurons, most = fmax(1, floor(neurons / LEAST_NEURONS));
    *facts = (plan_facts){.neurons = sizes->neurons, .loops = sizes->loops, .loop_steps = sizes->loop_steps, .dt = sizes->dt, .rate = sizes->rate / neurons};
    snprintf(facts->network, sizeof facts->network,
             "in balance, %.0f dimensions, fast weights %s: %.4g spikes/s of the network, whatever the number of neurons", sizes->dimensions,
             sizes->learned_fast || sizes->literal ? "as a matrix" : "ideal", sizes->rate);
    snprintf(facts->training, sizeof facts->training, "%d task%s, %s%s; give a rank at least %.0f neurons: more than %.0f rank%s make%s it slower",
             sizes->tasks, sizes->tasks > 1 ? "s" : "", rules[sizes->slow_rule], sizes->literal ? ", every step as written" : "", LEAST_NEURONS, most,
             most > 1 ? "s" : "", most > 1 ? "" : "s");
}

/* ---- bytes ---- */

static double padded(double neurons) {
    return ceil(neurons / TILE) * TILE;
}

/** Of literal stepping: inputs of a neuron. */
static double literal_q(const sizes *sizes) {
    return sizes->units > 0 ? sizes->units : (double)sizes->neurons;
}

static bool has_fast(const sizes *sizes) {
    return sizes->learned_fast || sizes->literal;
}

static double bytes_of_state(const sizes *sizes, double mine) {
    enum { RAY_NUMBERS = 7 * (1024 + 2) * NODES }; /* basis.c: weights of nodes */
    const double J = sizes->dimensions, pad = padded(mine), rows = sizes->chunk + 1, room = rows + 2 * TILE;
    double numbers = 4 * pad + (sizes->noisy ? 6 * pad : 0) + 5 * J;       /* voltage, threshold, filtered, reported */
    numbers += room + J * room + 3 * J * rows + 2 * rows;                  /* course.c */
    if (sizes->units > 0) numbers += (1 + NODES) * sizes->units + J * NODES + NODES * NODES + rows * J * NODES + RAY_NUMBERS;
    if (sizes->delay > 0) numbers += 2 * (sizes->delay + 1);
    if (sizes->literal) numbers += 2 * (double)sizes->neurons + literal_q(sizes) + mine;
    return 8 * numbers + 4 * pad + 4 * mine + sizeof(balanced);            /* candidates; the guard's counts */
}

static double bytes_of_weights(const sizes *sizes, double mine) {
    const double J = sizes->dimensions, N = (double)sizes->neurons, pad = padded(mine);
    double numbers = pad * J + 2 * J * J;
    if (sizes->slow_rule == SLOW_FILTERED) numbers += pad * J;
    if (has_fast(sizes)) numbers += N * pad;
    if (sizes->units > 0) numbers += 2 * (J + 1) * sizes->units;
    if (sizes->literal) numbers += mine * literal_q(sizes) + N * J;
    return 8 * numbers;
}

static double bytes_of_edges(const sizes *sizes) {
    const double N = (double)sizes->neurons, populations = sizes->slow_rule == SLOW_FILTERED || sizes->slow_rule == SLOW_PROJECTED ? 2 : 1;
    if (sizes->output->edges == EDGES_NONE || !balanced_writes_edges(sizes->neurons, has_fast(sizes))) return 0;
    return populations * (N * N * 24 + 48 * N); /* ends and weight; stretches of each target and source */
}

static double bytes_of_checkpoint(const sizes *sizes) {
    const double J = sizes->dimensions, N = (double)sizes->neurons;
    double numbers = 0;
    if (sizes->learned_fast) numbers += N * N;
    if (sizes->learns_feedforward) numbers += N * J;
    if (sizes->literal) numbers += N * literal_q(sizes);
    else if (sizes->slow_rule == SLOW_FILTERED) numbers += N * J;
    else if (sizes->slow_rule == SLOW_PROJECTED) numbers += J * J;
    else numbers += J * sizes->units;
    if (sizes->continues) numbers += 2 * N + (sizes->literal ? N : 0) + 4 * J + 2 * sizes->delay;
    return 8 * numbers;
}

static void memory(const void *raw, int64_t ranks, double rate, plan_bytes *bytes) {
    enum { MOST = 15 << 20 };
    const sizes *sizes = raw;
    const double J = sizes->dimensions, N = (double)sizes->neurons, mine = ceil(N / (double)ranks), matrix = 8 * N * J;
    double *held = bytes->category;
    (void)rate;
    held[MEMORY_STATE] = bytes_of_state(sizes, mine);
    held[MEMORY_WEIGHTS] = bytes_of_weights(sizes, mine);
    held[MEMORY_TARGETS] = 8 * J * (2 * sizes->chunk + 1) + sizes->signals;
    held[MEMORY_BUFFERS] = 2 * (40 + 16 * J);
    for (int c = 0; c < MEMORY_CATEGORIES; c++) bytes->building += c == MEMORY_OUTPUT ? 0 : held[c];
    const double table = sizes->from_file ? matrix / (double)ranks + 8 * N + fmin(TABLE_PIECE_BYTES, matrix) : 0; /* a rank's rows, times, a piece */
    bytes->building += fmax(table, sizes->spread ? 2 * matrix : has_fast(sizes) || sizes->literal ? matrix : 0); /* F of all neurons */
    bytes->writing = fmin(MOST, fmax(bytes_of_edges(sizes), bytes_of_checkpoint(sizes)) / (double)ranks) + 8 * mine * (J + 2); /* HDF5's; rows of results */
    if (sizes->output->edges != EDGES_NONE) bytes->writing += 2 * matrix + 16 * mine;
}

static void output(const void *raw, double rate, plan_files *files) {
    const sizes *sizes = raw;
    const double J = sizes->dimensions, N = (double)sizes->neurons;
    double numbers = N * J + 2 * J * J + 2 * J + (2 * J + 1) * sizes->units;
    (void)rate;
    if (sizes->literal) numbers += sizes->units > 0 ? N * sizes->units : 0;
    else if (sizes->slow_rule == SLOW_FILTERED) numbers += N * J;
    plan_add_file(files, "nodes", N * (32 + 8 * (1 + fmin(J, 8))));
    plan_add_file(files, "edges", bytes_of_edges(sizes));
    plan_add_file(files, "balanced", 8 * numbers);
    files->checkpoint = bytes_of_checkpoint(sizes);
}

/* ---- seconds ---- */

/** Blocks from one spike to the next, and with them passes and reductions: intervals are Weibull-distributed, as measured at lengths of 0.5, 1.5 and 4 mean
 *  intervals (2.3, 1.05 and 1.001). */
static double blocks_of_interval(const sizes *sizes, int64_t ranks) {
    double length = fmax(0.02, isnan(sizes->speculation) ? balanced_speculation(ranks) : sizes->speculation);
    return 1 / (1 - exp(-1.64 * pow(length, 1.52)));
}

/** s of so many steps on the rank with most neurons. */
typedef struct { double update, deliver, learn, transfer; } effort;

static effort effort_of(const sizes *sizes, const machine *machine, plan_ranks ranks, double rate, double steps) {
    const balanced_costs *costs = machine_costs(machine, "balanced");
    const double J = sizes->dimensions, N = (double)sizes->neurons, mine = padded(ceil(N / (double)ranks.count)), spikes = rate * N * steps * sizes->dt / 1000;
    const double bytes = (40 + 16 * J) * log2(fmax(2, (double)ranks.count)) / (double)ranks.count; /* a reduction sends as much as if all told all this */
    const double reduction = plan_message(machine, ranks, bytes), blocks = spikes * blocks_of_interval(sizes, ranks.count) + steps / sizes->chunk;
    if (sizes->literal)
        return (effort){.update = steps * ceil(N / (double)ranks.count) * literal_q(sizes) * costs->synapse * NS, .transfer = steps * reduction};
    double pass = machine_curve(&costs->neurons, &costs->pass, mine) + fmax(0, J - 2) * machine_curve(&costs->neurons, &costs->dimension, mine);
    double row = costs->row + fmax(0, J - 2) * costs->row_dimension;
    effort effort = {.update = NS * (steps * row + spikes * costs->spike + blocks * mine * pass), .transfer = blocks * reduction};
    if (sizes->noisy) effort.update += NS * steps * mine * costs->noise;
    if (sizes->learned_fast) effort.deliver = NS * spikes * mine * costs->fast;
    if (sizes->units > 0) effort.learn = NS * (steps * costs->ray + spikes * sizes->units * costs->unit);
    return effort;
}

static void seconds_of(const void *raw, const machine *machine, plan_ranks ranks, double rate, plan_seconds *s) {
    const sizes *sizes = raw;
    const balanced_costs *costs = machine_costs(machine, "balanced");
    const double N = (double)sizes->neurons, mine = ceil(N / (double)ranks.count);
    effort loop = effort_of(sizes, machine, ranks, rate, (double)sizes->loop_steps), trial = effort_of(sizes, machine, ranks, rate, sizes->trial);
    s->update = loop.update, s->deliver = loop.deliver, s->learn = loop.learn, s->transfer = loop.transfer;
    s->build = NS * (sizes->sweeps * N * N / 2 * costs->repulsion * sizes->dimensions + (has_fast(sizes) ? N * mine * costs->weight : 0));
    s->tests = (double)(sizes->test->trials * sizes->tasks) * (trial.update + trial.deliver + trial.learn + trial.transfer);
}

const plan_hooks balanced_plan = {
    .open = open_sizes,
    .close = memory_free,
    .facts = facts,
    .memory = memory,
    .output = output,
    .time = seconds_of,
    .costs = balanced_cost_sections,
    .calibrate = balanced_calibrate,
};
