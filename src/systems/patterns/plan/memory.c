/* What a rank holds, by the categories of memory.h: a function for each, which follows the modules that allocate.
 * tests/mpi/test_planning.py compares with what runs count. */
#include <math.h>
#include <string.h>

#include "engram/blocks.h"
#include "engram/memory.h"
#include "engram/table.h"
#include "sizes.h"

/* What the arrays of a run with N neurons need per neuron is written as bytes; constants of a few hundred bytes are left out. */

/** Is the neurons' input kept for traces? */
static bool reports_input(const plan_network *network) {
    for (int v = 0; v < network->output->report.count; v++)
        if (strcmp(network->output->report.values[v], "input") == 0) return true;
    return false;
}

static double bytes_of_state(const plan_network *network, double mine) {
    double all = (double)network->neurons, sources = all + (double)network->units;
    const double real = network->single ? 4 : 8, fields = network->model->field_count * (network->single ? 12.0 : 8.0); /* in double, too, for who reads them */
    double neurons = fields + 4 + (network->noise ? 4 * real : 0); /* and since_spike, normals */
    if (network->single) neurons += 8;                       /* plastic_sum once more, and the bias */
    double drive = 4 * 8 + (network->readout ? 8 : 0) + (network->own_tau ? 16 : 0);        /* plastic_arriving, fixed, plastic_sum, total */
    if (network->network.any) drive += real * (network->own_static_tau ? 2 : 1) + (plan_is_typed(network) ? 4 : network->network.together ? 8 : 16);
    double others = (reports_input(network) ? 8 : 0) + 8 + 4 + (network->current_noise ? real : 0); /* input, bias, the guard's counts */
    double filter = 20 * sources + (network->own_tau ? 16 * sources + 8 * sources : 8.0 * (double)(2 * network->loop_steps + 1));
    double known = network->cells->inhibitory ? all : 0; /* which neurons are excitatory */
    return mine * (neurons + drive + others) + filter + known + all; /* and who is trained */
}

bool plan_in_blocks(const plan_network *network, const plan_share *share, blocks_setting *setting) {
    const blocks_form form = static_blocks_form(plan_is_typed(network), network->network.weight_unit, network->network.together);
    *setting = (blocks_setting){.form = form, .sources = network->neurons, .longest = network->network.longest,
                                .mine = (int)share->mine};
    return static_may_be_in_blocks(network->network.own_delays, network->network.weight_unit) && share->static_synapses > 0 &&
           static_blocks_or_lists(share->static_synapses, (double)network->neurons, share->mine, network->network.longest, form) == STATIC_BLOCKS;
}

/** Lists of spikes in flight, of how many steps are as long as the first of a loop makes it: loops that draw their state begin at other places of the ring. */
static double longest_lists(const plan_network *network) {
    int64_t a = network->longest, b = network->loop_steps;
    for (int64_t rest; b; a = b, b = rest) rest = a % b;
    return network->keeps_state ? 1 : fmin((double)network->longest / (double)a, (double)network->loops + 1);
}

/** Spikes in flight: lists of the last steps, grown by half, and the ring of sums to come. */
static double bytes_of_flight(const plan_network *network, const plan_share *share, double spikes) {
    const double first = network->starting * (double)network->neurons; /* spikes of the first step, those that begin above their threshold */
    const double lists = network->longest * (16 + 4 * (1.5 * (spikes + 3 * sqrt(spikes)) + 8)) + 4 * 1.5 * first * longest_lists(network);
    const double slots = network->network.longest * (double)share->mine;
    const bool summed = network->network.own_delays && share->static_synapses > 0;
    blocks_setting setting;
    if (plan_in_blocks(network, share, &setting)) return lists + block_sums_bytes(&setting) + block_runs_bytes(&setting, share->static_synapses, spikes, first);
    const double sums = summed ? (network->network.together ? 1 : 2) * slots * (double)(plan_is_typed(network) ? sizeof(uint16_t) : sizeof(double)) : 0;
    return network->longest > 1 ? lists + sums : 0;
}

bool plan_is_typed(const plan_network *network) {
    return network->network.typed && !network->plastic.takes_static;
}

double plan_static_bytes(const plan_network *network, const plan_share *share) {
    const double lists = sizeof(uint32_t), narrow = sizeof(uint16_t), words = ceil((double)share->mine / 32);
    const double delays = network->network.own_delays ? sizeof(uint16_t) : 0;
    blocks_setting setting;
    if (!network->network.any) return 0;
    if (plan_in_blocks(network, share, &setting)) return blocks_bytes(&setting, share->static_synapses);
    if (!plan_is_typed(network)) return (lists + sizeof(double) + delays) * share->static_synapses;
    if (delays > 0) return (lists + delays) * share->static_synapses;
    const int slices = static_slices(share->static_synapses, (double)network->neurons, share->mine);
    switch (static_form_for(share->static_synapses, (double)network->neurons, share->mine)) {
    case STATIC_BITS: return (double)network->neurons * words * lists;
    case STATIC_NARROW: return narrow * share->static_synapses + sizeof(uint32_t) * (double)network->neurons * (slices - 1);
    default: return lists * share->static_synapses;
    }
}

static double bytes_of_static(const plan_network *network, const plan_share *share) {
    return network->network.any ? 8.0 * (double)network->neurons + plan_static_bytes(network, share) : 0;
}

static double bytes_of_weights(const plan_network *network, const plan_share *share) {
    double lists = share->groups * share->plastic_inputs; /* a stretch of weights for each source of a group */
    double frozen = network->rule.keep_signs ? share->plastic_synapses : 0;
    double weights = 2 * share->plastic_synapses * plan_real(network), sources = (double)(network->neurons + network->units);
    return weights + frozen + 12 * lists + 8 * sources + 8 * share->rows + 4 * plan_grown(16, share->rows) + 20 * plan_grown(16, share->groups);
}

static double bytes_of_targets(const plan_network *network, const plan_share *share) {
    const double mine = (double)share->mine, columns = share->targets < mine ? 4 * (mine + share->targets) : 0; /* where not all have a target */
    double values = (double)network->tasks * network->instants * share->targets, steps = (double)network->loop_steps - network->window / network->dt;
    double feedforward = 4.0 * network->tasks * fmax(steps, 0) * (double)network->units;
    return 8 * values * (network->keeps_rates ? 2 : 1) + columns + 4 * (double)network->neurons + 40 * mine + feedforward;
}

/** Averages, PSTH and scores of test trials. */
static double bytes_of_tests(const plan_network *network, double mine) {
    if (!network->test->trials) return 0;
    double window = (double)network->instants * (double)network->every * network->dt, bins = floor(window / network->test->psth_bin);
    double populations = network->cells->populations, activity = populations ? 37 * mine + 8 * populations * (1 + window / 3) : 0;
    return network->tasks * (mine * (8.0 * network->instants + 16 + 4 * bins) + (16.0 + 24 * populations) * (double)network->test->trials) + activity;
}

/** A value of every neuron at every instant of every task. */
static double bytes_of_values(const plan_network *network) {
    return 8 * (double)network->neurons * network->instants * network->tasks;
}

/** edges.h5 */
static double bytes_of_edges(const plan_network *network) {
    plan_share all = plan_share_mean(network, 1);
    double index = 48 * (double)network->neurons, bytes = 0;
    if (network->output->edges != EDGES_NONE) bytes = index + all.plastic_synapses * (16 + 2 * plan_real(network));
    if (network->output->edges == EDGES_ALL && network->network.any) bytes += index + 24 * all.static_synapses;
    return bytes;
}

/** One generation. */
static double bytes_of_checkpoint(const plan_network *network) {
    plan_share all = plan_share_mean(network, 1);
    double real = plan_real(network), inputs = network->inputs, squares = inputs * inputs + network->plastic.variance;
    double packed = network->rule.store ? all.groups * (squares + inputs) / 2 * real : 0;
    double state = network->keeps_state ? bytes_of_state(network, (double)network->neurons) : 0;
    return all.plastic_synapses * (real + network->rule.keep_signs) + packed + state + (network->loops ? bytes_of_values(network) : 0);
}

/** A rolling average, of loops and of tests: sums of all neurons, averages of those that have targets. */
static double bytes_of_tracker(const plan_network *network, const plan_share *share) {
    const double mine = (double)share->mine;
    return 8 * mine * ((double)network->tracked + (share->targets < mine)) + 8 * share->targets * network->instants;
}

static double bytes_of_output(const plan_network *network, const plan_share *share) {
    const double mine = (double)share->mine, kept = fmin(network->tasks, (double)network->loops); /* averages of the last loop of each task */
    return bytes_of_tracker(network, share) + 8 * mine * network->instants * kept + bytes_of_tests(network, mine);
}

/** Buffers of HDF5, and of synapses on their way to the disk: some 30 MiB, or what there is to write. */
static double bytes_to_write(const plan_network *network, int64_t ranks) {
    enum { MOST = 30 << 20 };
    return fmin(MOST, fmax(bytes_of_edges(network), bytes_of_checkpoint(network)) / (double)ranks);
}

/** Plastic synapses that are read from a file are there three times: as read, as rows, as what training has. @param made bytes of the last of these */
static double bytes_of_plastic(const plan_network *network, const plan_share *share, double made) {
    const double edges = network->plastic.inputs * (double)share->mine, kept = network->plastic.file_bytes * edges;
    const double rows = (sizeof(int32_t) + sizeof(double) + sizeof(uint16_t)) * edges;
    return kept > 0 ? fmax(fmax(kept + network->plastic.file_blocks, kept + rows), rows + made) : made;
}

/** The most until the first loop: while recordings are read, in pieces (as the file has them, in the order of a table, as they go to a rank), while static
 *  synapses are made, while plastic ones are, while targets are (pieces, sent and received; all beside a block of recordings), and while P(0) is.
 *  @param scratch of P(0) */
static double bytes_while_built(const plan_network *network, const plan_share *share, const double *end, double scratch) {
    double all = share->static_inputs, plastic = share->plastic_synapses, held = 0;
    bool typed = network->network.typed, any = network->network.any;
    blocks_setting setting;
    const double delay = network->network.own_delays ? sizeof(uint16_t) : 0;
    const double of_file = network->network.file_bytes * all;
    double rows = any && !typed ? (12 + delay) * 1.25 * all : 0; /* sorted by target first, in arrays that grow by half */
    const bool beside = plan_is_typed(network) || plan_in_blocks(network, share, &setting);
    double packed = beside ? plan_static_bytes(network, share) : 0; /* made beside the lists, then */
    double unpacked = ((typed ? 4.0 : 12.0) + delay) * all;
    if (of_file > 0) rows = fmax(of_file, of_file + network->network.file_blocks - unpacked); /* read first, then made rows of */
    double static_stage = end[MEMORY_STATE] + (any ? unpacked + 8 * (double)network->neurons : 0) + fmax(rows, packed);
    if (network->network.population_inputs && plan_in_blocks(network, share, &setting)) /* kind populations: of one slice, besides the blocks */
        static_stage = end[MEMORY_STATE] + 8 * (double)network->neurons + plan_static_bytes(network, share) + blocks_rows_bytes(&setting, all);
    double statics = network->plastic.takes_static ? 12 * all + unpacked : end[MEMORY_STATIC];
    double lists = 12 * 1.25 * plastic; /* sources, and weights as doubles */
    double block = network->table_bytes / (double)share->ranks, piece = fmin(TABLE_PIECE_BYTES, network->table_bytes);
    double read = end[MEMORY_STATE] + block + 3 * piece;
    block = fmin(block, network->recorded_bytes); /* units that are left may all be of one rank's */
    double plastic_stage = end[MEMORY_STATE] + statics + bytes_of_plastic(network, share, lists + 2 * plastic * plan_real(network)) + block;
    double filled = end[MEMORY_STATE] + end[MEMORY_STATIC] + end[MEMORY_WEIGHTS] + end[MEMORY_TARGETS] + block + (share->ranks > 1 ? 2 * piece : 0);
    for (int c = 0; c < MEMORY_CATEGORIES; c++) held += c == MEMORY_OUTPUT ? 0 : end[c];
    return fmax(fmax(fmax(static_stage + block, read), fmax(plastic_stage, filled)), held + scratch);
}

/** What a rank holds at the end. @param[out] held [MEMORY_CATEGORIES] @return scratch of P(0) */
static double fill_categories(const plan_network *network, const plan_share *share, double rate, double *held) {
    const plan_store store = plan_store_bytes(network, share, rate);
    const double mine = (double)share->mine, sources = (double)(network->neurons + network->units);
    const double spikes = plan_per_step(rate, network->dt) * (double)network->neurons;
    held[MEMORY_P] = store.p;
    held[MEMORY_WEIGHTS] = bytes_of_weights(network, share);
    held[MEMORY_STATIC] = bytes_of_static(network, share);
    held[MEMORY_STATE] = bytes_of_state(network, mine) + bytes_of_flight(network, share, spikes);
    held[MEMORY_TARGETS] = bytes_of_targets(network, share);
    held[MEMORY_BUFFERS] = 4 * mine + 4 * sources + store.buffers;
    const plan_blocks blocks = {network->neurons, share->ranks, share->mine};
    held[MEMORY_BUFFERS] += plan_spike_exchange_bytes(blocks, network->at_once * spikes, network->at_once, network->exchange);
    held[MEMORY_OUTPUT] = bytes_of_output(network, share);
    return store.building;
}

static double sum_of(const double *held) {
    double sum = 0;
    for (int c = 0; c < MEMORY_CATEGORIES; c++) sum += held[c];
    return sum;
}

void patterns_memory(const void *sizes, int64_t ranks, double rate, plan_bytes *bytes) {
    const plan_network *network = sizes;
    const plan_share share = plan_share_of(network, ranks);
    plan_share fullest[2];
    double *held = bytes->category;
    const double scratch = fill_categories(network, &share, rate, held);
    if (network->costs.uneven) plan_shares_of_fullest(network, ranks, fullest);
    for (int k = 0; k < 2 && network->costs.uneven; k++) {
        double one[MEMORY_CATEGORIES] = {0};
        fill_categories(network, &fullest[k], rate, one);
        bytes->full[k] = (plan_full_rank){.neurons = (double)fullest[k].mine, .held = sum_of(one)};
    }
    bytes->building = bytes_while_built(network, &share, held, scratch);
    bytes->writing = bytes_to_write(network, ranks);
}

/** Who wants to know of each rank. */
typedef struct {
    const plan_network *network;
    double rate;
    plan_visit visit;
    void *self;
} rank_asked;

static void tell_rank(void *raw, const plan_share *share) {
    const rank_asked *asked = raw;
    plan_rank_bytes bytes = {.neurons = (double)share->mine};
    const double scratch = fill_categories(asked->network, share, asked->rate, bytes.category);
    bytes.building = bytes_while_built(asked->network, share, bytes.category, scratch);
    asked->visit(asked->self, &bytes);
}

bool patterns_memory_each(const void *sizes, int64_t ranks, double rate, plan_visit visit, void *self) {
    return plan_share_each(sizes, ranks, tell_rank, &(rank_asked){sizes, rate, visit, self});
}

/* ---- the disk ---- */

void patterns_output(const void *sizes, double rate, plan_files *files) {
    const plan_network *network = sizes;
    double neurons = (double)network->neurons;
    const double given = 8 * (double)network->targets * network->instants * network->tasks; /* constants of neurons without a target are compressed away */
    double targets = bytes_of_values(network) + given * (network->keeps_rates ? 2 : 1) + 5 * neurons;
    if (network->measured->stimulus) targets += 8 * network->tasks * neurons * network->stimulus / network->dt;
    (void)rate;
    plan_add_file(files, "nodes", 40 * neurons);
    plan_add_file(files, "edges", bytes_of_edges(network));
    plan_add_file(files, "targets", targets);
    plan_add_file(files, "test", bytes_of_tests(network, neurons));
    files->checkpoint = bytes_of_checkpoint(network);
}
