/* Seconds of a loop from a machine file:
 *     steps x (neurons x update + spikes x delivery + exchange(ranks)) + instants x RLS(inputs, fraction that spiked) + recording
 * Every rank handles all spikes and, at instants, all sources: what does not become less with more ranks. */
#include <math.h>
#include <string.h>

#include "../../../rls/layout.h"
#include "sizes.h"

static const double NS = 1e-9, US = 1e-6;

double plan_slowest(double count) {
    if (count < 2) return 0;
    double p = (count - 0.375) / (count + 0.25); /* Blom 1958 */
    double t = sqrt(-2 * log(1 - p));            /* Abramowitz & Stegun 26.2.23 */
    return t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
}

/** Spikes of a source in a step. */
static double per_step(double rate, double dt) {
    return rate * dt / 1000;
}

/* ---- steps ---- */

static double step_of_neurons(const plan_network *network, const machine *machine, double mine, double rate) {
    const machine_update *update = &machine->update;
    int model = 0;
    while (neuron_models[model] != network->model) model++;
    double counted = fmax(mine, update->neurons.values[0]), ns = machine_curve(&update->neurons, &update->model[model], counted); /* a step has its price for no neuron, too */
    if (network->noise) ns += machine_curve(&update->neurons, &update->noise, counted);
    if (network->network.any) ns += machine_curve(&update->neurons, plan_is_typed(network) ? &update->typed : &update->weighted, counted);
    if (network->inputs > 0) ns += machine_curve(&update->neurons, &update->plastic, counted);
    return (counted * ns + mine * per_step(rate, network->dt) * update->spike) * NS;
}

/** What a loop delivers, on a rank. */
typedef struct { double fixed, statics, plastic; /* s of a step */ double variance; /* of the sum, s^2 */ } delivery;

static delivery step_of_delivery(const plan_network *network, const machine *machine, const plan_share *share, double rate, bool plastic) {
    const machine_delivery *costs = &machine->delivery;
    double own = per_step(rate, network->dt), units = per_step(network->unit_rate, network->dt);
    double real = network->rule.single ? sizeof(float) : sizeof(double);
    double lists = share->groups * share->plastic_inputs, touched = plan_static_bytes(network, share); /* between two spikes of a source all of this passes through the caches */
    if (plastic) touched += lists * 8 + share->plastic_synapses * real + (network->rule.store ? plan_store_bytes(network, share, rate).p : 0);
    touched = fmax(touched, 1);
    bool dense = plan_is_typed(network) && static_form_for(share->static_synapses, (double)network->neurons, share->mine) == STATIC_BITS;
    double per_static = machine_curve(&costs->bytes, plan_is_typed(network) ? &costs->typed : &costs->weighted, touched) * NS, per_word = machine_curve(&costs->bytes, &costs->bits, touched) * NS;
    double per_stretch = machine_curve(&costs->bytes, &costs->plastic, touched) * NS + (share->members > 1 ? costs->group + (share->members - 1) * costs->member : 0) * NS;
    double stretches = own * share->groups * network->plastic.inputs + units * share->groups * (double)network->units, events = own * share->static_synapses;
    delivery delivery = {.fixed = (costs->step + own * (double)network->neurons * machine_curve(&costs->bytes, &costs->spike, touched)) * NS, .statics = dense ? own * (double)network->neurons * ceil((double)share->mine / 32) * per_word : events * per_static,
                         .plastic = plastic ? stretches * per_stretch : 0};
    delivery.variance = (dense ? 0 : events * per_static * per_static) + (plastic ? stretches * per_stretch * per_stretch : 0); /* counts of spikes that reach the rank: Poisson; rows of bits take the same on every rank */
    if (plastic && network->rule.store && network->rule.store->divided) /* waiting updates of weights */
        delivery.plastic += (1 - exp(-own * (double)network->neurons)) * share->rows * plan_block(network) / 2 * machine->rls.pending * NS;
    return delivery;
}

/** One exchange between @p ranks ranks that send @p bytes each. */
static double exchange_once(const machine *machine, double ranks, double ranks_per_node, double bytes) {
    const machine_exchange *costs = &machine->exchange;
    double here = fmin(ranks, ranks_per_node), most = costs->ranks.values[costs->ranks.count - 1], kib = bytes / 1024;
    if (ranks < 2) return 0;
    double latency = machine_curve(&costs->ranks, &costs->latency, here), per_kib = machine_curve(&costs->ranks, &costs->per_kib, here);
    if (here > most) latency *= log2(here) / log2(most), per_kib *= here / most; /* a tree of messages; every rank receives what all send */
    double seconds = (latency + per_kib * kib) * US;
    double nodes = ceil(ranks / ranks_per_node);
    if (nodes > 1) seconds += machine->network.latency * US * ceil(log2(nodes)) + (ranks - ranks_per_node) * bytes * here / (machine->network.bandwidth * 1e9);
    return seconds;
}

static double step_of_exchange(const plan_network *network, const machine *machine, double ranks, double ranks_per_node, double rate) {
    double spikes = per_step(rate, network->dt) * (double)network->neurons, payload = 4 * (18 + floor((double)network->neurons / ranks / 100));
    double handling = spikes * machine->exchange.spike * NS + (ranks > 1 ? ranks * machine->exchange.block * NS : 0);
    return handling + exchange_once(machine, ranks, ranks_per_node, payload);
}

/* ---- instants ---- */

/** A list over inputs; beyond its end P is streamed through: as the square (quiet) or as the inputs (spiking). */
static double store_at(const machine_rls *rls, const param_numbers *list, double inputs, int power) {
    double most = rls->inputs.values[rls->inputs.count - 1], value = machine_curve(&rls->inputs, list, inputs);
    return inputs > most ? value * pow(inputs / most, power) : value;
}

/** ns of a group and instant. @param p_bytes all P of the rank @param[out] spiking ns for each input that spiked */
static double group_at_instant(const plan_network *network, const machine *machine, double inputs, double p_bytes, double *spiking) {
    const machine_rls *rls = &machine->rls;
    int store = 0, precision = network->rule.half ? PRECISION_HALF : network->rule.single ? PRECISION_SINGLE : PRECISION_DOUBLE;
    while (rls_store_kinds[store] != network->rule.store) store++;
    const machine_store *cached = &rls->cached[store][precision], *large = &rls->large[store][precision];
    if (strcmp(network->rule.store->name, "packed") != 0) inputs = (double)rls_row_length((int64_t)ceil(inputs)); /* what is padded is computed, too */
    double part = fmin(1, fmax(0, log(p_bytes / rls->cached_bytes) / log(rls->large_bytes / rls->cached_bytes)));
    *spiking = (1 - part) * store_at(rls, &cached->spiking, inputs, 1) + part * store_at(rls, &large->spiking, inputs, 1);
    return (1 - part) * store_at(rls, &cached->quiet, inputs, 2) + part * store_at(rls, &large->quiet, inputs, 2);
}

/** An instant of distributed.c: what arrived is looked up in P and W, and a block of updates is taken from both, once for all of them. */
static double distributed_instant(const plan_network *network, const machine *machine, const plan_share *share, double ranks_per_node, double fraction) {
    double real = network->rule.single ? sizeof(float) : sizeof(double), inputs = share->plastic_inputs, parts = (double)share->ranks, block = plan_block(network);
    double all = ceil((double)network->trained / (double)network->plastic.group_size), elements = inputs * (all * inputs / parts + share->rows);
    double gemm = (network->rule.single ? machine->about.gemm_single : machine->about.gemm_double) * 1e9, bandwidth = machine->about.memory_bandwidth * 1e9;
    double arrival = fraction * elements * real / bandwidth, flush = (2 * elements * real / bandwidth) / block + 2 * elements / gemm;
    double products = all * inputs * block / 2 * (2 * real / bandwidth); /* k = y - Q z, and Q's */
    return arrival + flush + products + exchange_once(machine, parts, ranks_per_node, all * inputs * real / parts);
}

/** s of all instants of a loop. @param[out] deviation of the sum of a rank */
static double learning(const plan_network *network, const machine *machine, const plan_share *share, double ranks_per_node, double rate, double *deviation) {
    *deviation = 0;
    if (!network->rule.store) return 0;
    double instants = network->instants, every = (double)network->every * network->dt, first = network->window + every;
    double fraction = network->own_tau ? 1 : (plan_spiking(rate, first) + (instants - 1) * plan_spiking(rate, every)) / instants;
    double sources = (double)(network->neurons + network->units) * (network->own_tau ? machine->rls.source_own : machine->rls.source) * NS;
    if (network->rule.store->divided) return instants * (sources + distributed_instant(network, machine, share, ranks_per_node, fraction));
    double spiking, quiet = group_at_instant(network, machine, share->plastic_inputs, plan_store_bytes(network, share, rate).p, &spiking), hits = fraction * share->plastic_inputs;
    double members = (share->rows - share->groups) * share->plastic_inputs * machine->rls.member * NS;
    *deviation = sqrt(instants * share->groups * hits * (1 - fraction)) * spiking * NS;
    return instants * (sources + share->groups * (quiet + hits * spiking) * NS + members);
}

/* ---- all together ---- */

static double recording(const plan_network *network, const machine *machine, double mine) {
    const machine_others *others = &machine->others;
    double checks = (double)(network->loop_steps / network->every) * (1 + network->model->field_count), window = network->instants * (double)network->every * network->dt;
    double tracked = network->output->correlation_window > 0 ? window : network->instants, measured = 1.0 / (double)network->output->correlation_every;
    return (double)network->loop_steps * others->step * NS + mine * NS * (checks * others->check + measured * (tracked * others->track + network->instants * others->score));
}

/** Making the network, in the memory of the rank. */
static double building(const plan_network *network, const machine *machine, const plan_share *share) {
    const machine_others *others = &machine->others;
    double all = network->network.inputs * (double)share->mine * (network->network.typed ? others->build_typed : others->build_weighted);
    double real = network->rule.single ? sizeof(float) : sizeof(double), p = network->rule.store ? plan_store_bytes(network, share, 0).p / real : 0;
    return NS * (all + share->plastic_synapses * others->build_plastic + p * others->build_p);
}

static double checkpoints(const plan_network *network, double loops_seconds) {
    double by_loops = network->checkpoint_loops ? floor((double)(network->loops - 1) / (double)network->checkpoint_loops) : 0;
    double by_time = network->checkpoint_ms > 0 ? floor(loops_seconds * 1000 / network->checkpoint_ms) : 0;
    return 1 + fmax(0, fmax(by_loops, by_time));
}

plan_seconds plan_time(const plan_network *network, const machine *machine, int64_t ranks, int64_t ranks_per_node, double rate) {
    plan_share share = plan_share_of(network, ranks);
    double steps = (double)network->loop_steps, mine = (double)share.mine, per_node = (double)ranks_per_node, deviation;
    double neurons = step_of_neurons(network, machine, mine, rate), exchange = step_of_exchange(network, machine, (double)ranks, per_node, rate);
    delivery delivery = step_of_delivery(network, machine, &share, rate, true), baseline = step_of_delivery(network, machine, &share, rate, false);
    plan_output output = plan_output_bytes(network, rate);
    double stimulus = network->stimulus / network->dt * mine * machine_curve(&machine->update.neurons, &machine->update.noise, mine) * NS;
    double filter = network->rule.store ? per_step(rate, network->dt) * (double)network->neurons * machine->delivery.filter * NS : 0;
    plan_seconds s = {
        .update = steps * (neurons * (network->rule.store ? machine->update.learning : 1) + filter) + stimulus,
        .deliver = steps * (delivery.fixed + delivery.statics + delivery.plastic),
        .learn = learning(network, machine, &share, per_node, rate, &deviation),
        .record = recording(network, machine, mine),
        .transfer = steps * exchange,
    };
    s.waiting = plan_slowest((double)ranks) * (steps * sqrt(delivery.variance) + sqrt(network->instants) * deviation);
    s.loop = s.update + s.deliver + s.learn + s.record + s.transfer + s.waiting;
    s.build = building(network, machine, &share);
    s.baseline = network->baseline / network->dt * (neurons + baseline.fixed + baseline.statics + exchange + plan_slowest((double)ranks) * sqrt(baseline.variance));
    s.checkpoint = output.checkpoint / (machine->about.disk * 1e6);
    s.write = (output.sum - 2 * output.checkpoint) / (machine->about.disk * 1e6);
    s.tests = network->tasks * (double)network->output->test_trials * (s.loop - s.learn);
    double loops = (double)network->loops * s.loop;
    s.run = s.build + s.baseline + loops + checkpoints(network, loops) * s.checkpoint + s.write + s.tests;
    return s;
}
