#include "arrivals.h"

#include <limits.h>
#include <string.h>

#include "engram/memory.h"
#include "simulation.h"

/* ---- how many steps go at once ---- */

static int steps_at_once(const simulation *sim) {
    const added_simulation *settings = config_added(sim->config, "simulation");
    if (sim->context.ranks == 1 || settings->exchange_every == EXCHANGE_EVERY_STEP) return 1;
    const int of_static = static_least_delay(sim->network.synapses), of_plastic = plastic_least_delay(sim->plastic);
    const int most = exchange_most_steps(sim->part.total);
    int least = of_static < of_plastic ? of_static : of_plastic;
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &least, 1, MPI_INT, MPI_MIN, sim->context.comm));
    if (least == INT_MAX) return 1; /* no rank has a synapse */
    return least < most ? least : most;
}

void arrivals_make(simulation *sim) {
    const int most = steps_at_once(sim);
    arrivals *arrivals = &sim->arrivals;
    if (arrivals->most == most) return;
    arrivals_free(sim);
    arrivals->most = most;
    arrivals->fired = memory_new(MEMORY_BUFFERS, (size_t)most, sizeof(int));
    arrivals->units = memory_new(MEMORY_BUFFERS, (size_t)most, sizeof(int));
    arrivals->heard = memory_new(MEMORY_BUFFERS, (size_t)most, sizeof(int));
    const added_simulation *settings = config_added(sim->config, "simulation");
    sim->exchange = exchange_new(&sim->context, &(exchange_setting){.part = &sim->part, .steps = most, .way = (exchange_way)settings->exchange,
                                                                    .capacity = 16 + (int)(sim->part.total / sim->context.ranks / 100)});
}

void arrivals_free(simulation *sim) {
    arrivals *arrivals = &sim->arrivals;
    exchange_free(sim->exchange);
    sim->exchange = NULL;
    memory_free(arrivals->fired), memory_free(arrivals->units), memory_free(arrivals->heard), memory_free(arrivals->local);
    memset(arrivals, 0, sizeof *arrivals);
}

/* ---- exchange ---- */

void arrivals_begin(simulation *sim) {
    sim->arrivals.steps = 0;
}

bool arrivals_wait(simulation *sim, const trial *trial, int64_t step, int fired) {
    arrivals *arrivals = &sim->arrivals;
    int64_t before = 0;
    for (int s = 0; s < arrivals->steps; s++) before += arrivals->fired[s];
    arrivals->fired[arrivals->steps++] = fired;
    if (arrivals->most == 1) return true;
    if (before + fired > arrivals->room) {
        arrivals->room = (before + fired) * 3 / 2 + 64;
        arrivals->local = memory_resize(MEMORY_BUFFERS, arrivals->local, (size_t)arrivals->room, sizeof *arrivals->local);
    }
    if (fired) memcpy(arrivals->local + before, sim->fired, (size_t)fired * sizeof *sim->fired);
    return arrivals->steps == arrivals->most || step == trial->steps || trial->delete_from || pulse_counts(trial->pulse, step);
}

/** The deletion of one spike: the neuron has fired, but neither another neuron nor an observer hears of it. @param[in,out] fired number of my spikes */
static void delete_spike(simulation *sim, int64_t step, int *fired, trial_result *result) {
    arrivals *arrivals = &sim->arrivals;
    const int64_t gid = result->deleted_neuron = arrivals->spikes[0];
    result->deleted_step = step;
    arrivals->heard[0]--;
    if (gid >= sim->part.first && gid < sim->part.first + sim->part.mine) /* mine, and the first of my list as of all */
        memmove(sim->fired, sim->fired + 1, (size_t)--*fired * sizeof(int32_t));
    if (arrivals->spikes != sim->fired) arrivals->spikes++; /* one rank: my list is that of all, and has moved */
}

/** Static synapses get my spikes while those of others are under way, where these are counted, in whatever order, and a delay is one step. */
static int deliver_mine(simulation *sim, const trial *trial) {
    enum { SOME = 64 };
    const static_synapses *synapses = sim->network.synapses;
    const arrivals *arrivals = &sim->arrivals;
    if (sim->context.ranks == 1 || sim->flight || !synapses || !static_typed(synapses) || arrivals->most > 1 || trial->delete_from) return 0;
    for (int first = 0, end; first < arrivals->fired[0]; first = end) {
        int32_t gid[SOME];
        end = arrivals->fired[0] - first < SOME ? arrivals->fired[0] : first + SOME;
        for (int k = first; k < end; k++) gid[k - first] = (int32_t)sim->part.first + sim->fired[k];
        static_deliver(synapses, gid, end - first, &sim->drive->arriving);
    }
    return arrivals->fired[0];
}

int64_t arrivals_exchange(simulation *sim, const trial *trial, int64_t step, int *fired, trial_result *result) {
    arrivals *arrivals = &sim->arrivals;
    int64_t all = 0;
    exchange_raise(sim->exchange, pulse_bits(trial->pulse));
    exchange_begin(sim->exchange, arrivals->most == 1 ? sim->fired : arrivals->local, arrivals->fired, arrivals->steps);
    arrivals->delivered = deliver_mine(sim, trial);
    exchange_end(sim->exchange, &arrivals->spikes, arrivals->heard);
    if (trial->delete_from && step >= trial->delete_from && !result->deleted_step && arrivals->heard[0]) delete_spike(sim, step, fired, result);
    for (int s = 0; s < arrivals->steps; s++) all += arrivals->heard[s];
    return all;
}

/* ---- delivery ---- */

/** Spikes of a step that deliver_mine() has not delivered: those of ranks before this one and behind it. */
static void deliver_others(const simulation *sim, const static_synapses *synapses, static_input *input) {
    const arrivals *arrivals = &sim->arrivals;
    const int count = arrivals->heard[0];
    int before = 0;
    while (before < count && arrivals->spikes[before] < sim->part.first) before++;
    static_deliver(synapses, arrivals->spikes, before, input);
    static_deliver(synapses, arrivals->spikes + before + arrivals->delivered, count - before - arrivals->delivered, input);
}

/** @param fresh steps that were exchanged now */
static void deliver_static(simulation *sim, int fresh) {
    const static_synapses *synapses = sim->network.synapses;
    const arrivals *arrivals = &sim->arrivals;
    static_input *input = &sim->drive->arriving;
    if (sim->sums) blocks_add(synapses->blocks, sim->sums, sim->flight, fresh);
    else if (synapses && sim->flight) flight_deliver_static(sim->flight, synapses, sim->ring, fresh, input);
    else if (synapses && arrivals->delivered) deliver_others(sim, synapses, input);
    else if (synapses) static_deliver(synapses, arrivals->spikes, arrivals->heard[0], input); /* without delays every step is exchanged */
}

bool arrivals_take(simulation *sim, int first, int end, const static_input *input) {
    return sim->sums && blocks_take(sim->network.synapses->blocks, sim->sums, first, end, input);
}

void arrivals_taken(simulation *sim) {
    if (sim->sums) blocks_next(sim->sums);
}

void arrivals_settle(simulation *sim) {
    arrivals_take(sim, 0, sim->part.mine, &sim->drive->arriving);
    arrivals_taken(sim);
}

/** Sources whose spikes reach plastic synapses now into sim->arrived: neurons, and behind them feed-forward units. @return spikes of units */
static int find_arrived(simulation *sim, const trial *trial, int64_t step) {
    const arrivals *arrivals = &sim->arrivals;
    sim->arrived_count = 0;
    if (!sim->plastic) return 0; /* the baseline run: who learns is not known yet */
    if (sim->plastic->longest > 1) {
        sim->arrived_count = flight_arrive_plastic(sim->flight, sim->plastic, sim->arrived);
    } else if (arrivals->most == 1) { /* else there are none */
        sim->arrived_count = arrivals->heard[0];
        if (sim->arrived_count) memcpy(sim->arrived, arrivals->spikes, (size_t)sim->arrived_count * sizeof *sim->arrived);
    }
    if (!sim->feedforward || !trial->stimulate) return 0;
    const int units = feedforward_spikes(sim->feedforward, trial->task, trial->stream, step, (int32_t)sim->part.total, sim->arrived + sim->arrived_count);
    sim->arrived_count += units;
    return units;
}

static void count_spikes(const simulation *sim, int64_t step, const int32_t *spike, int count, int units, trial_result *result) {
    int excitatory = 0, trained = 0;
    for (int k = 0; k < count; k++) excitatory += cell_is_excitatory(sim->network.cells, spike[k]);
    result->spikes[0] += excitatory;
    result->spikes[1] += count - excitatory;
    if (!sim->trained || step <= sim->window || step > sim->window + sim->every * sim->targets.instants) return;
    for (int k = 0; k < count; k++) trained += sim->trained[spike[k]];
    result->window_spikes += trained;
    result->window_sources += count + units;
}

void arrivals_deliver(simulation *sim, const trial *trial, int64_t step, bool exchanged, trial_result *result) {
    arrivals *arrivals = &sim->arrivals;
    const int fresh = exchanged ? arrivals->steps : 0;
    const int32_t *spike = arrivals->spikes;
    if (sim->flight && arrivals->most > 1) flight_wait(sim->flight);
    for (int s = 0; s < fresh && sim->flight; spike += arrivals->heard[s++]) flight_push(sim->flight, spike, arrivals->heard[s]);
    deliver_static(sim, fresh);
    arrivals->units[arrivals->steps - 1] = find_arrived(sim, trial, step);
    if (trial->plastic) plastic_deliver(sim->plastic, sim->arrived, sim->arrived_count, sim->drive->plastic_arriving);
    spike = arrivals->spikes;
    for (int s = 0; s < fresh; spike += arrivals->heard[s++]) count_spikes(sim, step - fresh + 1 + s, spike, arrivals->heard[s], arrivals->units[s], result);
    if (exchanged) arrivals->steps = 0;
}
