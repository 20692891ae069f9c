/* Seconds of a loop from a machine file:
 *     steps x (neurons x update + spikes x delivery + exchange(ranks)) + instants x RLS(inputs, fraction that spiked) + recording
 * Every rank handles all spikes and, at instants, all sources: what does not become less with more ranks. */
#include <math.h>
#include <string.h>

#include "../../../rls/layout.h"
#include "costs.h"
#include "sizes.h"

static const double NS = 1e-9;

/** What is timed: a network on the rank that has most of it. */
typedef struct {
    const plan_network *network;
    const machine *machine;
    costs costs;
    plan_ranks ranks;
    plan_share share;
    double rate;   /**< Hz */
    double own;    /**< spikes of a neuron in a step */
    double spikes; /**< of the network in a step */
} timing;

/* ---- steps ---- */

/** Advance of the neurons, s of a step. */
static double step_of_neurons(const timing *timing) {
    const plan_network *network = timing->network;
    const machine_update *update = timing->costs.update;
    int model = 0;
    while (neuron_models[model] != network->model) model++;
    double mine = (double)timing->share.mine, counted = fmax(mine, update->neurons.values[0]); /* a step has its price for no neuron, too */
    double ns = machine_curve(&update->neurons, &update->model[model], counted);
    if (network->network.any) ns += machine_curve(&update->neurons, plan_is_typed(network) ? &update->typed : &update->weighted, counted);
    if (network->inputs > 0) ns += machine_curve(&update->neurons, &update->plastic, counted);
    if (network->single) ns *= update->single;
    if (network->network.background > 0) ns += update->background;
    if (network->noise) ns += machine_curve(&update->neurons, &update->noise, counted) * (network->single ? update->noise_single : 1);
    return (counted * ns + mine * timing->own * update->spike) * NS;
}

/** What a loop delivers, on a rank: s of a step. */
typedef struct {
    double fixed;
    double statics;
    double plastic;
    double variance; /**< of the sum, s^2: counts of spikes that reach the rank are Poisson */
} delivery;

/** Bytes that pass through the caches between two spikes of a source. */
static double bytes_between_spikes(const timing *timing, bool plastic) {
    const plan_network *network = timing->network;
    const plan_share *share = &timing->share;
    double touched = plan_static_bytes(network, share);
    if (plastic) {
        double lists = share->groups * share->plastic_inputs;
        touched += lists * 8 + share->plastic_synapses * plan_real(network);
        if (network->rule.store) touched += plan_store_bytes(network, share, timing->rate).p;
    }
    return fmax(touched, 1);
}

/** Through static synapses. Rows of bits take the same on every rank. @param touched bytes_between_spikes() */
static void deliver_static(const timing *timing, double touched, delivery *delivery) {
    const plan_network *network = timing->network;
    const machine_delivery *costs = timing->costs.delivery;
    const plan_share *share = &timing->share;
    bool typed = plan_is_typed(network);
    if (typed && !network->network.own_delays && static_form_for(share->static_synapses, (double)network->neurons, share->mine) == STATIC_BITS) {
        double words = ceil((double)share->mine / 32);
        delivery->statics = timing->spikes * words * machine_curve(&costs->bytes, &costs->bits, touched) * NS;
        return;
    }
    double events = timing->own * share->static_synapses;
    blocks_setting setting;
    if (plan_in_blocks(network, share, &setting)) { /* the stream of synapses is foreseen: how many they are hardly matters */
        const double runs = timing->spikes * blocks_reached(setting.longest) * blocks_slices(&setting);
        const double each = (setting.form == BLOCKS_DOUBLE ? costs->blocks_double : costs->blocks) * NS, run = costs->run * NS;
        delivery->statics = events * each + fmin(runs, events) * run;
        delivery->variance += events * each * each;
        return;
    }
    double each = machine_curve(&costs->bytes, typed ? &costs->typed : &costs->weighted, touched) * NS;
    delivery->statics = events * each;
    delivery->variance += events * each * each;
}

/** Through plastic synapses, a stretch of weights of a group at a time. */
static void deliver_plastic(const timing *timing, double touched, delivery *delivery) {
    const plan_network *network = timing->network;
    const machine_delivery *costs = timing->costs.delivery;
    const plan_share *share = &timing->share;
    double of_units = plan_per_step(network->unit_rate, network->dt) * share->groups * (double)network->units;
    double stretches = timing->own * share->groups * network->plastic.inputs + of_units;
    double shared = share->members > 1 ? costs->group + (share->members - 1) * costs->member : 0;
    double each = machine_curve(&costs->bytes, &costs->plastic, touched) * NS + shared * NS;
    delivery->plastic = stretches * each;
    delivery->variance += stretches * each * each;
    if (network->rule.store && network->rule.store->divided) { /* waiting updates of weights */
        double waiting = share->rows * plan_block(network) / 2;
        delivery->plastic += (1 - exp(-timing->spikes)) * waiting * timing->costs.rls->pending * NS;
    }
}

/** @param plastic plastic synapses deliver, too */
static delivery step_of_delivery(const timing *timing, bool plastic) {
    const machine_delivery *costs = timing->costs.delivery;
    double touched = bytes_between_spikes(timing, plastic);
    delivery delivery = {.fixed = (costs->step + timing->spikes * machine_curve(&costs->bytes, &costs->spike, touched)) * NS};
    deliver_static(timing, touched, &delivery);
    if (plastic) deliver_plastic(timing, touched, &delivery);
    return delivery;
}

/* ---- instants ---- */

/** A list over inputs; beyond its end P is streamed through: as the square (quiet) or as the inputs (spiking). */
static double store_at(const machine_rls *rls, const param_numbers *list, double inputs, int power) {
    double most = rls->inputs.values[rls->inputs.count - 1], value = machine_curve(&rls->inputs, list, inputs);
    return inputs > most ? value * pow(inputs / most, power) : value;
}

static const double CACHE_BYTES = 16 << 20; /* of the last cache, for a rank */

/** ns of a group and instant. @param p_bytes all P of the rank @param[out] spiking ns for each input that spiked */
static double group_at_instant(const timing *timing, double inputs, double p_bytes, double *spiking) {
    const rule_size *rule = &timing->network->rule;
    const machine_rls *rls = timing->costs.rls;
    int store = 0, precision = rule->half ? PRECISION_HALF : rule->single ? PRECISION_SINGLE : PRECISION_DOUBLE;
    while (rls_store_kinds[store] != rule->store) store++;
    const machine_store *cached = &rls->cached[store][precision], *large = &rls->large[store][precision];
    if (strcmp(rule->store->name, "packed") != 0) inputs = (double)rls_row_length((int64_t)ceil(inputs)); /* what is padded is computed, too */
    /* who goes by spikes meets again part of what there is; who reads all of P each time finds nothing of it in a cache that is smaller */
    const double streamed_from = strcmp(rule->store->name, "spike_driven") == 0 ? rls->large_bytes : fmax(2 * rls->cached_bytes, CACHE_BYTES);
    double part = fmin(1, fmax(0, log(p_bytes / rls->cached_bytes) / log(streamed_from / rls->cached_bytes)));
    *spiking = (1 - part) * store_at(rls, &cached->spiking, inputs, 1) + part * store_at(rls, &large->spiking, inputs, 1);
    return (1 - part) * store_at(rls, &cached->quiet, inputs, 2) + part * store_at(rls, &large->quiet, inputs, 2);
}

/** An instant of distributed.c: what arrived is looked up in P and W, and a block of updates is taken from both, once for all of them.
 *  @param fraction of sources that spiked */
static double distributed_instant(const timing *timing, double fraction) {
    const plan_network *network = timing->network;
    const plan_share *share = &timing->share;
    const machine_about *about = &timing->machine->about;
    double real = plan_real(network), inputs = share->plastic_inputs, parts = (double)share->ranks, block = plan_block(network);
    double all = ceil((double)network->trained / (double)network->plastic.group_size);
    double elements = inputs * (all * inputs / parts + share->rows);
    double gemm = (network->rule.single ? about->gemm_single : about->gemm_double) * 1e9, bandwidth = about->memory_bandwidth * 1e9;
    double arrival = fraction * elements * real / bandwidth;
    double flush = (2 * elements * real / bandwidth) / block + 2 * elements / gemm;
    double products = all * inputs * block / 2 * (2 * real / bandwidth); /* k = y - Q z, and Q's */
    return arrival + flush + products + plan_message(timing->machine, timing->ranks, all * inputs * real / parts);
}

/** Mean over the instants of a loop: fraction of sources that have spiked since the last one. The first hears of all spikes since the loop began. */
static double fraction_that_spiked(const timing *timing) {
    const plan_network *network = timing->network;
    double instants = network->instants, every = (double)network->every * network->dt;
    if (network->own_tau) return 1;
    return (plan_spiking(timing->rate, network->window + every) + (instants - 1) * plan_spiking(timing->rate, every)) / instants;
}

/** s of all instants of a loop. @param[out] deviation of the sum of a rank */
static double learning(const timing *timing, double *deviation) {
    const plan_network *network = timing->network;
    const plan_share *share = &timing->share;
    const machine_rls *rls = timing->costs.rls;
    *deviation = 0;
    if (!network->rule.store) return 0;
    double instants = network->instants, fraction = fraction_that_spiked(timing);
    double sources = (double)(network->neurons + network->units) * (network->own_tau ? rls->source_own : rls->source) * NS;
    if (network->rule.store->divided) return instants * (sources + distributed_instant(timing, fraction));
    double p_bytes = plan_store_bytes(network, share, timing->rate).p, hits = fraction * share->plastic_inputs, spiking;
    double quiet = group_at_instant(timing, share->plastic_inputs, p_bytes, &spiking);
    double members = (share->rows - share->groups) * share->plastic_inputs * rls->member * NS;
    *deviation = sqrt(instants * share->groups * hits * (1 - fraction)) * spiking * NS;
    return instants * (sources + share->groups * (quiet + hits * spiking) * NS + members);
}

/* ---- all together ---- */

static double recording(const timing *timing) {
    const plan_network *network = timing->network;
    const machine_others *others = timing->costs.others;
    double instants = network->instants, window = instants * (double)network->every * network->dt;
    double checks = (double)(network->loop_steps / network->every) * (1 + network->model->field_count);
    double tracked = network->measured->correlation_window > 0 ? window : instants;
    double measured = (tracked * others->track + instants * others->score) / (double)network->output->correlation_every;
    return (double)network->loop_steps * others->step * NS + (double)timing->share.mine * NS * (checks * others->check + measured);
}

/** Making the network, in the memory of the rank. */
static double building(const timing *timing) {
    const plan_network *network = timing->network;
    const plan_share *share = &timing->share;
    const machine_others *others = timing->costs.others;
    blocks_setting setting;
    const bool blocks = network->network.population_inputs && plan_in_blocks(network, share, &setting);
    double statics = share->static_inputs * (blocks ? others->build_blocks : network->network.typed ? others->build_typed : others->build_weighted);
    double p = network->rule.store ? plan_store_bytes(network, share, 0).p / plan_real(network) : 0;
    double by_siegert = network->keeps_rates && !network->rate_targets ? others->build_rate : 0, targets = network->tasks * (double)share->mine;
    targets *= network->instants * (others->build_value + by_siegert) + network->target_draws * others->build_draw;
    return NS * (statics + share->plastic_synapses * others->build_plastic + p * others->build_p + targets);
}

void patterns_time(const void *sizes, const machine *machine, plan_ranks ranks, double rate, plan_seconds *s) {
    const plan_network *network = sizes;
    double own = plan_per_step(rate, network->dt), steps = (double)network->loop_steps, deviation;
    timing timing = {
        .network = network,
        .machine = machine,
        .costs = costs_of(machine),
        .ranks = ranks,
        .share = plan_share_of(network, ranks.count),
        .rate = rate,
        .own = own,
        .spikes = own * (double)network->neurons,
    };
    const machine_update *update = timing.costs.update;
    double mine = (double)timing.share.mine, slowest = plan_slowest((double)ranks.count);
    double neurons = step_of_neurons(&timing), at_once = network->at_once;
    double exchange = plan_spike_exchange(machine, ranks, network->neurons, at_once * timing.spikes, network->exchange) / at_once;
    delivery delivery = step_of_delivery(&timing, true), before = step_of_delivery(&timing, false);
    double stimulus = network->stimulus / network->dt * mine * machine_curve(&update->neurons, &update->noise, mine) * NS;
    double filter = network->rule.store ? timing.spikes * timing.costs.delivery->filter * NS : 0;
    s->update = steps * (neurons * (network->rule.store ? update->learning : 1) + filter) + stimulus;
    s->deliver = steps * (delivery.fixed + delivery.statics + delivery.plastic);
    s->learn = learning(&timing, &deviation);
    s->record = recording(&timing);
    s->transfer = steps * exchange;
    s->waiting = slowest * (steps * sqrt(delivery.variance / at_once) + sqrt(network->instants) * deviation);
    s->build = building(&timing);
    s->baseline = network->baseline / network->dt * (neurons + before.fixed + before.statics + exchange + slowest * sqrt(before.variance));
    double trial = s->update + s->deliver + s->record + s->transfer + s->waiting;
    s->tests = network->tasks * (double)network->test->trials * trial;
}
