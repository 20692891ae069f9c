/* What a rank holds, by the categories of memory.h: a function for each, which follows the modules that allocate. tests/mpi/test_planning.py compares with what runs count. */
#include <math.h>
#include <string.h>

#include "engram/memory.h"
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
    double neurons = 8.0 * network->model->field_count + 4 + (network->noise ? 32 : 0); /* fields, since_spike, normals */
    double drive = 4 * 8 + (network->readout ? 8 : 0) + (network->own_tau ? 16 : 0);        /* plastic_arriving, fixed, plastic_sum, total */
    if (network->network.any) drive += (network->own_static_tau ? 16 : 8) + (plan_is_typed(network) ? 4 : 16);
    double others = (reports_input(network) ? 8 : 0) + 8 + 4 + (network->current_noise ? 8 : 0); /* input, bias, the guard's counts */
    double filter = 20 * sources + (network->own_tau ? 16 * sources + 8 * sources : 8.0 * (double)(2 * network->loop_steps + 1));
    double known = network->cells->inhibitory ? all : 0; /* which neurons are excitatory */
    return mine * (neurons + drive + others) + filter + known + all; /* and who is trained */
}

bool plan_is_typed(const plan_network *network) {
    return network->network.typed && !network->plastic.takes_static;
}

double plan_static_bytes(const plan_network *network, const plan_share *share) {
    const double lists = sizeof(uint32_t), narrow = sizeof(uint16_t), words = ceil((double)share->mine / 32);
    if (!network->network.any) return 0;
    if (!plan_is_typed(network)) return (lists + sizeof(double)) * share->static_synapses;
    switch (static_form_for(share->static_synapses, (double)network->neurons, share->mine)) {
    case STATIC_BITS: return (double)network->neurons * words * lists;
    case STATIC_NARROW: return narrow * share->static_synapses;
    default: return lists * share->static_synapses;
    }
}

static double bytes_of_static(const plan_network *network, const plan_share *share) {
    return network->network.any ? 8.0 * (double)network->neurons + plan_static_bytes(network, share) : 0;
}

static double real_size(const plan_network *network) {
    return network->rule.single ? sizeof(float) : sizeof(double);
}

static double bytes_of_weights(const plan_network *network, const plan_share *share) {
    double lists = share->groups * share->plastic_inputs; /* a stretch of weights for each source of a group */
    double frozen = network->rule.keep_signs ? share->plastic_synapses : 0;
    return 2 * share->plastic_synapses * real_size(network) + frozen + 12 * lists + 8 * (double)(network->neurons + network->units) + 8 * share->rows +
           4 * plan_grown(16, share->rows) + 20 * plan_grown(16, share->groups);
}

static double bytes_of_targets(const plan_network *network, double mine) {
    double values = (double)network->tasks * network->instants * mine, steps = (double)network->loop_steps - network->window / network->dt;
    return 8 * values * (network->keeps_rates ? 2 : 1) + 4 * (double)network->neurons + 40 * mine + 4.0 * network->tasks * fmax(steps, 0) * (double)network->units;
}

/** Spikes of a step are few: how many of its neurons a rank can be expected to tell of at once. */
static double bytes_of_exchange(const plan_network *network, const plan_share *share, double rate) {
    double ranks = (double)share->ranks, capacity = 16 + floor((double)network->neurons / ranks / 100) + 2, step = rate * network->dt / 1000 * (double)network->neurons;
    return 4 * capacity * (1 + ranks) + 8 * ranks + 4 * (1.5 * step + 64);
}

static double recorded_spikes(const plan_network *network, double neurons, double rate) {
    double loops = network->output->spikes == SPIKES_ALL ? (double)network->loops : network->output->spikes == SPIKES_LAST && network->loops ? 1 : 0;
    return loops * neurons * rate * (double)network->loop_steps * network->dt / 1000;
}

/** Samples of a loop and neurons that are traced, of all ranks. */
static double traced(const plan_network *network, double *neurons) {
    *neurons = network->output->report.count ? fmin((double)network->output->report_neurons, (double)network->neurons) : 0;
    return floor((double)network->loop_steps / fmax(1, round(network->output->report_every / network->dt)));
}

/** Averages, PSTH and scores of test trials. */
static double bytes_of_tests(const plan_network *network, double mine) {
    if (!network->output->test_trials) return 0;
    double bins = floor((double)network->instants * (double)network->every * network->dt / network->output->psth_bin);
    return network->tasks * (mine * (8.0 * network->instants + 16 + 4 * bins) + 16.0 * (double)network->output->test_trials);
}

static double bytes_of_output(const plan_network *network, const plan_share *share, double rate) {
    double mine = (double)share->mine, neurons, samples = traced(network, &neurons), kept = fmin(network->tasks, (double)network->loops);
    double here = ceil(neurons * mine / (double)network->neurons), spikes = recorded_spikes(network, mine, rate), room = 0;
    while (room < spikes) room = floor(room * 1.5) + 1024;
    return 8 * mine * (double)network->tracked + 8 * mine * network->instants * kept + 12 * room + 4 * here * samples * network->output->report.count + 4 * neurons + bytes_of_tests(network, mine);
}

/** Buffers of HDF5, and of synapses on their way to the disk: some 30 MiB, or what there is to write. */
static double bytes_to_write(const plan_network *network, const plan_share *share) {
    enum { MOST = 30 << 20 };
    plan_output output = plan_output_bytes(network, 0);
    return fmin(MOST, fmax(output.edges, output.checkpoint) / (double)share->ranks);
}

/** The most at any time: while static synapses are made, while plastic ones are, while P(0) is, and while results are written. */
static double bytes_at_peak(const plan_network *network, const plan_share *share, const plan_bytes *at_end, double building) {
    const double *end = at_end->category;
    double early = end[MEMORY_STATE] + end[MEMORY_LIBRARIES], all = network->network.inputs * (double)share->mine, plastic = share->plastic_synapses;
    bool typed = network->network.typed, any = network->network.any;
    double rows = any && !typed ? 12 * 1.25 * all : 0; /* sorted by target first, in arrays that grow by half */
    double packed = plan_is_typed(network) ? plan_static_bytes(network, share) : 0; /* made beside the lists */
    double static_stage = early + (any ? (typed ? 4.0 : 12.0) * all + 8 * (double)network->neurons : 0) + rows + packed;
    double lists = 12 * 1.25 * plastic + (network->plastic.takes_static ? 12 * all + (typed ? 4.0 : 12.0) * all : end[MEMORY_STATIC]); /* sources and weights as doubles */
    double plastic_stage = early + lists + 2 * plastic * real_size(network);
    double held = at_end->sum - end[MEMORY_OUTPUT];
    return fmax(fmax(static_stage, plastic_stage), fmax(held + building, at_end->sum + bytes_to_write(network, share)));
}

plan_bytes plan_memory(const plan_network *network, const plan_share *share, double rate, double libraries) {
    plan_store store = plan_store_bytes(network, share, rate);
    double mine = (double)share->mine;
    plan_bytes bytes = {.category = {
        [MEMORY_P] = store.p,
        [MEMORY_WEIGHTS] = bytes_of_weights(network, share),
        [MEMORY_STATIC] = bytes_of_static(network, share),
        [MEMORY_STATE] = bytes_of_state(network, mine),
        [MEMORY_TARGETS] = bytes_of_targets(network, mine),
        [MEMORY_BUFFERS] = 4 * mine + 4 * (double)(network->neurons + network->units) + bytes_of_exchange(network, share, rate) + store.buffers,
        [MEMORY_OUTPUT] = bytes_of_output(network, share, rate),
        [MEMORY_LIBRARIES] = libraries,
    }};
    for (int c = 0; c < MEMORY_CATEGORIES; c++) bytes.sum += bytes.category[c];
    bytes.peak = bytes_at_peak(network, share, &bytes, store.building);
    return bytes;
}

/* ---- the disk ---- */

plan_output plan_output_bytes(const plan_network *network, double rate) {
    const output_settings *output = network->output;
    plan_share all = plan_share_mean(network, 1);
    double neurons = (double)network->neurons, traces, samples = traced(network, &traces), real = real_size(network), inputs = network->inputs;
    double values = 8 * neurons * network->instants * network->tasks, squares = inputs * inputs + network->plastic.variance;
    double packed = network->plastic.variance > 0 || network->rule.store ? all.groups * (squares + inputs) / 2 * real : 0;
    plan_output bytes = {.metrics = 80.0 * (double)network->loops, .nodes = 40 * neurons};
    bytes.spikes = 16 * recorded_spikes(network, neurons, rate);
    bytes.report = 4 * traces * samples * output->report.count;
    double index = 48 * neurons;
    if (output->edges != EDGES_NONE) bytes.edges = index + all.plastic_synapses * (16 + 2 * real);
    if (output->edges == EDGES_ALL && network->network.any) bytes.edges += index + 24 * all.static_synapses;
    bytes.targets = values * (network->keeps_rates ? 3 : 2) + 5 * neurons;
    if (output->stimulus) bytes.targets += 8 * network->tasks * neurons * network->stimulus / network->dt;
    if (output->test_trials) bytes.test = bytes_of_tests(network, neurons);
    double state = network->keeps_state ? bytes_of_state(network, neurons) : 0;
    bytes.checkpoint = all.plastic_synapses * (real + network->rule.keep_signs) + (network->rule.store ? packed : 0) + state + (network->loops ? values : 0);
    bytes.sum = bytes.metrics + bytes.nodes + bytes.spikes + bytes.report + bytes.edges + bytes.targets + bytes.test + 2 * bytes.checkpoint;
    return bytes;
}
