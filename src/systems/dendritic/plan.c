/* What these networks tell of themselves to "engram plan": sizes from the configuration, bytes as allocate() and the files of this folder allocate them. */
#include <stdio.h>
#include <string.h>

#include "dendritic.h"
#include "engram/memory.h"
#include "engram/output.h"
#include "engram/plan.h"
#include "engram/run_settings.h"
#include "engram/test_settings.h"

typedef struct {
    double neurons, padded, inputs, pixels; /* N and M, and both in whole tiles */
    int64_t loops, loop_steps;
    double dt, tau, rate;                   /* ms, ms; Hz */
    double presentation, every, trial;      /* steps of an image, of an update, of a trial */
    double images, reading;                 /* bytes of them; and while they are read */
    rule_name rule;
    bool tensor, kept, literal, pruned;     /* kept: W of the soma */
    const output_settings *output;
    const test_settings *test;
} sizes;

/* Of a rank: with fewer, ranks speak for longer than they work. */
static const double LEAST_NEURONS = 1000, LEAST_COMPARTMENTS = 20000, NS = 1e-9;
/* Pixels of D in a step with spikes, as long as one of a test's D z takes: in a step, and at a spike. Measured with 8 neurons and 1024 pixels. */
static const double FOLLOWED = 3;
/* With frozen weights, the part of what neurons take in a step, and of what D takes in one with spikes, where W is not kept: measured with 200 neurons and 256
 * pixels, and with 400 and 64, 400 and 256, 1600 and 64. */
static const double TESTED = 0.52, FROZEN = 0.73;
/* Of rule somatic a pixel of D takes this part of the time: what is measured is rule dendritic's. With 200 neurons and 256 pixels. */
static const double SOMATIC = 0.62;

static double whole_tiles(double count) {
    return ceil(count / TILE) * TILE;
}

static status open_sizes(const context *context, config *config, void **result) {
    const simulation_settings *simulation = config_common(config, "simulation");
    const neuron_settings *neuron = config_common(config, "neuron");
    const learning_settings *learning = config_common(config, "learning");
    const image_setting setting = {.context = context, .config = config, .seed = (uint64_t)simulation->seed};
    image_size images = {0};
    *result = NULL;
    status sized = images_bytes_planned(&setting, &images);
    if (sized != STATUS_OK) return sized;
    sizes *sizes = memory_new(MEMORY_BUFFERS, 1, sizeof *sizes);
    sizes->images = (double)images.bytes;
    sizes->reading = (double)images.building;
    sizes->neurons = (double)((const network_settings *)config_common(config, "network"))->neurons;
    sizes->padded = whole_tiles(sizes->neurons);
    sizes->inputs = (double)images.planes * images.rows * images.columns;
    sizes->pixels = whole_tiles(sizes->inputs);
    sizes->dt = simulation->dt;
    sizes->tau = neuron->tau;
    sizes->rate = neuron->rate;
    sizes->loops = learning->loops;
    sizes->loop_steps = dendritic_loop_images(config) * llround(((const image_settings *)config_common(config, "stimulus"))->duration / simulation->dt);
    sizes->presentation = (double)llround(((const image_settings *)config_common(config, IMAGES_SECTION))->duration / simulation->dt);
    sizes->every = (double)learning->update_every;
    sizes->trial = (double)(((const protocol_settings *)config_common(config, "protocol"))->images + 1) * sizes->presentation;
    sizes->rule = dendritic_rule(config);
    sizes->tensor = sizes->rule != RULE_SOMATIC && sizes->rule != RULE_DENDRITIC;
    sizes->kept = dendritic_keeps_inhibition(sizes->rule, sizes->neurons, sizes->inputs);
    sizes->literal = learning->stepping == STEPPING_LITERAL;
    sizes->pruned = ((const rule_settings *)config_variant(config, "learning"))->pruned > 0;
    sizes->output = config_common(config, "output");
    sizes->test = config_common(config, "test");
    *result = sizes;
    return STATUS_OK;
}

static void facts(const void *raw, plan_facts *facts) {
    static const char *const rules[] = {"somatic balance", "dendritic balance in closed form", "dendritic balance, slow input weights",
                                        "dendritic balance, simultaneous", "dendritic balance, all weights decay"};
    const sizes *sizes = raw;
    *facts = (plan_facts){.neurons = (int64_t)sizes->neurons, .loops = sizes->loops, .loop_steps = sizes->loop_steps, .dt = sizes->dt, .rate = sizes->rate};
    snprintf(facts->network, sizeof facts->network, "that code %.0f pixels", sizes->inputs);
    const double most = fmax(1, floor(sizes->tensor ? sizes->neurons * sizes->pixels / LEAST_COMPARTMENTS : sizes->neurons / LEAST_NEURONS));
    if (sizes->literal) snprintf(facts->training, sizeof facts->training, "%s, every step as written, on every rank", rules[sizes->rule]);
    else
        snprintf(facts->training, sizeof facts->training, "%s; give a rank at least %.0f %s: more than %.0f rank%s hardly make%s it faster",
                 rules[sizes->rule], sizes->tensor ? LEAST_COMPARTMENTS : LEAST_NEURONS, sizes->tensor ? "compartments" : "neurons", most,
                 most > 1 ? "s" : "", most > 1 ? "" : "s");
}

/* ---- bytes ---- */

/** Synapses on compartments, of a rank's neurons. */
static double tensor_of(const sizes *sizes, double mine) {
    return sizes->tensor ? mine * sizes->neurons * sizes->pixels : 0;
}

/** Pixels of the rank that has most of them. */
static double pixels_of(const sizes *sizes, double ranks) {
    const double tiles = sizes->pixels / TILE, blocks = fmin(tiles, BLOCKS);
    return fmin(tiles, ceil(blocks / ranks) * ceil(tiles / blocks)) * TILE;
}

/** Whether W is made of D at spikes. */
static bool unkept(const sizes *sizes) {
    return !sizes->tensor && !sizes->kept;
}

/** Numbers that a rank says at spikes: rows of W, or sums over its blocks of pixels. */
static double said_of(const sizes *sizes, double ranks) {
    return unkept(sizes) ? ceil(fmin(sizes->pixels / TILE, BLOCKS) / ranks) * sizes->padded : ceil(sizes->neurons / ranks);
}

static double literal_weights(const sizes *sizes) {
    const double N = sizes->neurons, M = sizes->inputs;
    if (!sizes->literal) return 0;
    return 2 * N * M + (sizes->rule == RULE_SLOW ? N * M : 0) + (sizes->tensor ? N * N * M : N * N) + (sizes->pruned ? 2 * N * N : 0);
}

static double checkpoint_numbers(const sizes *sizes) {
    const double N = sizes->neurons, P = sizes->pixels;
    double numbers = N + 1 + 6 * N + P + 6;
    if (sizes->literal) return numbers + literal_weights(sizes) + N + P;
    numbers += N * P;
    if (sizes->rule != RULE_DENDRITIC) numbers += N * P;
    if (sizes->rule == RULE_SLOW) numbers += N * P;
    return numbers + (sizes->tensor ? N * N * P + N * P : sizes->kept ? N * N : 0);
}

static double edge_bytes(const sizes *sizes) {
    const double N = sizes->neurons, M = sizes->inputs;
    if (sizes->output->edges == EDGES_NONE) return 0;
    return N * (N + M) * 24 + 48 * (2 * N + M);
}

/** The most beside what is held while results and checkpoints are written, one after another: D is gathered in tiles, of which rows are made
 *  (readout_gather()); rows are in dendritic.h5, beside those of this rank; those of edges keep D where F is D' or W is made of it, each a copy, beside what
 *  they are written from; a checkpoint goes to the disk through a buffer of HDF5's. */
static double writing(const sizes *sizes, double ranks, double mine) {
    enum { STREAM = 16 << 20, PIECE = 256 << 10 }; /* io/h5.c, io/state.c */
    const double N = sizes->neurons, M = sizes->inputs, rows = 8 * N * M, tiles = 8 * sizes->padded * sizes->pixels;
    const double copies = (sizes->rule == RULE_DENDRITIC) + unkept(sizes), checkpoint = 8 * checkpoint_numbers(sizes) / ranks;
    const double results = 8 * mine * M * (sizes->tensor && dendritic_writes_tensor(N * N * M) ? N + 1 : 1);
    const double edges = fmax(copies ? tiles : 0, fmin(STREAM, 8 * mine * fmax(N, M))) + copies * rows + 16 * mine;
    const double most = fmax(rows + fmax(tiles, results), fmin(STREAM, checkpoint) + fmin(PIECE, checkpoint));
    return fmax(most, sizes->output->edges == EDGES_NONE ? 0 : edges);
}

static void memory(const void *raw, int64_t count, double rate, plan_bytes *bytes) {
    const sizes *sizes = raw;
    const double ranks = (double)count, mine = ceil(sizes->neurons / ranks), own = whole_tiles(mine), N = sizes->neurons, pad = sizes->padded + TILE;
    const double P = sizes->pixels, M = sizes->inputs, pixels = pixels_of(sizes, ranks), room = N > QUEUE_ABOVE ? QUEUE : 1;
    double *held = bytes->category, state = 16 * pad + CURRENTS * mine + P + 3 * pixels, weights = pixels * sizes->padded, buffers = 0;
    (void)rate;
    buffers += EVENTS * (sizes->padded + pixels) + BLOCKS * sizes->padded + (ranks > 1 ? 2 * (BLOCKS * pad + ranks) : 2);
    if (sizes->rule != RULE_DENDRITIC) weights += mine * P;
    if (sizes->kept) weights += N * own;
    if (sizes->kept && sizes->rule == RULE_DENDRITIC) buffers += 2 * room * pad;
    if (sizes->rule == RULE_SOMATIC) state += 3 * mine;
    if (sizes->rule == RULE_SLOW) weights += mine * P;
    if (sizes->tensor) weights += tensor_of(sizes, mine) + mine * P, state += mine * P + 5 * mine + P;
    weights += literal_weights(sizes) + (sizes->pruned ? 2 * N * N * M : 0);
    if (sizes->literal) state += 2 * N + 2 * P + M + (sizes->tensor ? N * M : 0);
    held[MEMORY_STATE] = 8 * state + 8 * pad + 4 * mine + sizeof(dendritic);
    held[MEMORY_WEIGHTS] = 8 * weights;
    held[MEMORY_TARGETS] = 16 * P + sizes->images;
    held[MEMORY_BUFFERS] = 8 * buffers + DRAWS * 6 * sizes->padded + 8 * ranks;
    for (int c = 0; c < MEMORY_CATEGORIES; c++) bytes->building += c == MEMORY_OUTPUT ? 0 : held[c];
    bytes->building += sizes->reading;
    bytes->writing = writing(sizes, ranks, mine);
}

static void output(const void *raw, double rate, plan_files *files) {
    const sizes *sizes = raw;
    const double N = sizes->neurons, M = sizes->inputs;
    (void)rate;
    plan_add_file(files, "nodes", 40 * N + 32 * M);
    plan_add_file(files, "edges", edge_bytes(sizes));
    plan_add_file(files, "dendritic", 8 * (2 * N * M + N + 3 + (sizes->tensor && dendritic_writes_tensor(N * N * M) ? N * N * M : 0)));
    files->checkpoint = 8 * checkpoint_numbers(sizes);
}

/* ---- seconds ---- */

/** s of so many steps on the rank with most neurons. */
typedef struct { double update, learn, transfer; } effort;

static effort effort_of(const sizes *sizes, const machine *machine, plan_ranks ranks, double rate, double steps) {
    const dendritic_costs *costs = machine_costs(machine, "dendritic");
    const double N = sizes->neurons, M = sizes->pixels, spikes = N * plan_per_step(rate, sizes->dt), events = 1 - exp(-spikes);
    const double mine = ceil(N / (double)ranks.count), pixels = pixels_of(sizes, (double)ranks.count), image = steps / sizes->presentation;
    const double rows = plan_message(machine, ranks, 8 * (said_of(sizes, (double)ranks.count) + 1));
    const double pixel = unkept(sizes) ? costs->decoded : costs->pixel * (sizes->rule == RULE_SOMATIC ? SOMATIC : 1);
    if (sizes->literal) return (effort){.update = NS * steps * costs->literal * (N * M + (sizes->tensor ? N * N * M : N * N))};
    effort effort = {.update = NS * steps * (costs->step + N * costs->neuron + events * (costs->event + N * costs->row)),
                     .learn = NS * steps * events * N * pixels * pixel};
    if (sizes->kept && sizes->rule == RULE_DENDRITIC) effort.learn += NS * steps * events * mine * N * costs->synapse;
    if (sizes->rule == RULE_SOMATIC) { /* a synapse at a spike, and when all are made up for, takes as long as one on a compartment at a spike */
        const double wound = fmin(1, sizes->dt / (log(OLDEST) * sizes->tau));
        effort.learn += NS * steps * mine * (spikes + N * wound) * costs->dendrite;
    }
    if (sizes->tensor) effort.learn += NS * steps * mine * ((costs->soma + M * costs->compartment) / sizes->every + M * spikes * costs->dendrite);
    if (ranks.count > 1) effort.transfer = (sizes->tensor ? steps : steps * events) * rows + image * (rows + plan_message(machine, ranks, 8));
    return effort;
}

/** s of the balance error of a loop (measures.c): all products of F and D, or all synapses on compartments. */
static double measuring(const sizes *sizes, const dendritic_costs *costs, double ranks) {
    const double products = ceil(sizes->neurons / ranks) * sizes->neurons * sizes->inputs;
    return unkept(sizes) ? 0 : NS * products * (sizes->tensor ? costs->compartment : costs->pixel);
}

static void seconds_of(const void *raw, const machine *machine, plan_ranks ranks, double rate, plan_seconds *s) {
    const dendritic_costs *costs = machine_costs(machine, "dendritic");
    const sizes *sizes = raw;
    const effort loop = effort_of(sizes, machine, ranks, rate, (double)sizes->loop_steps), trial = effort_of(sizes, machine, ranks, rate, sizes->trial);
    s->update = loop.update, s->learn = loop.learn, s->transfer = loop.transfer;
    s->record = measuring(sizes, costs, (double)ranks.count) / (double)sizes->output->correlation_every;
    const double spikes = sizes->neurons * plan_per_step(rate, sizes->dt), pixels = pixels_of(sizes, (double)ranks.count);
    const double follow = NS * sizes->trial * pixels * FOLLOWED * costs->pixel * (1 + spikes);
    const double made = unkept(sizes) ? FROZEN * trial.learn : 0;
    s->tests = (double)sizes->test->trials * (trial.update * (sizes->literal ? 1 : TESTED) + made + follow + trial.transfer);
}

const plan_hooks dendritic_plan = {
    .open = open_sizes,
    .close = memory_free,
    .facts = facts,
    .memory = memory,
    .output = output,
    .time = seconds_of,
    .costs = dendritic_cost_sections,
    .calibrate = dendritic_calibrate,
};
