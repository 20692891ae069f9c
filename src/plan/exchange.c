/* What exchanging between ranks takes, and waiting for the slowest of them. */
#include <math.h>

#include "engram/plan.h"

static const double NS = 1e-9, US = 1e-6;

double plan_slowest(double count) {
    if (count < 2) return 0;
    double p = (count - 0.375) / (count + 0.25); /* Blom 1958 */
    double t = sqrt(-2 * log(1 - p));            /* Abramowitz & Stegun 26.2.23 */
    return t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
}

bool plan_is_measured(const machine *machine, plan_ranks ranks) {
    const param_numbers *measured = &machine->exchange.ranks;
    return ranks.count < 2 || (ranks.count <= ranks.per_node && (double)ranks.count <= measured->values[measured->count - 1]);
}

/** Between the ranks of a node by MPI: a tree of messages; every rank receives what all send.
 *  @param[out] latency us of few bytes @return us that @p bytes add */
static double message_in_node(const machine_exchange *costs, double here, double bytes, double *latency) {
    double most = costs->ranks.values[costs->ranks.count - 1];
    double per_kib = machine_curve(&costs->ranks, &costs->per_kib, here);
    *latency = machine_curve(&costs->ranks, &costs->latency, here);
    if (here > most) {
        *latency *= log2(here) / log2(most);
        per_kib *= here / most;
    }
    return per_kib * (bytes / 1024);
}

double plan_message(const machine *machine, plan_ranks ranks, double bytes) {
    const machine_network *network = &machine->network;
    double count = (double)ranks.count, per_node = (double)ranks.per_node, here = fmin(count, per_node), nodes = ceil(count / per_node);
    if (count < 2) return 0;
    double latency, more = message_in_node(&machine->exchange, here, bytes, &latency);
    if (nodes > 1) { /* in each round of the tree some ranks send to another node, and all wait for those (Bruck et al. 1997) */
        latency = fmax(latency, network->latency * ceil(log2(count)));
        more += (count - per_node) * bytes * here / (network->bandwidth * 1e9) / US;
    }
    return (latency + more) * US;
}

/** Bytes of a block of @p ranks ranks: its head, and room for the spikes of a step, which are few. */
static double block_bytes(int64_t neurons, double all, double ranks) {
    const double head = 2;
    return sizeof(int32_t) * (head + ranks * (16 + floor((double)neurons / all / 100)));
}

/** Between the ranks of a node, through shared memory. Beyond what was measured: as a tree would grow, and every rank looks at every block.
 *  Not measured at all: what MPI takes for few bytes (the plan says so, report.c). */
static double shared_in_node(const machine_exchange *costs, double here) {
    double most = costs->ranks.values[costs->ranks.count - 1];
    double shared = machine_curve(&costs->ranks, costs->shared.count ? &costs->shared : &costs->latency, here) * US;
    return here > most ? shared * log2(here) / log2(most) + (here - most) * costs->block * NS : shared;
}

double plan_spike_exchange(const machine *machine, plan_ranks ranks, int64_t neurons, double spikes, exchange_way way) {
    const machine_exchange *costs = &machine->exchange;
    const machine_network *network = &machine->network;
    double count = (double)ranks.count, here = fmin(count, (double)ranks.per_node), nodes = ceil(count / (double)ranks.per_node);
    double seconds = spikes * costs->spike * NS;
    if (count < 2) return seconds;
    if (way == EXCHANGE_FLAT || here < 2) return seconds + count * costs->block * NS + plan_message(machine, ranks, block_bytes(neurons, count, 1));
    seconds += shared_in_node(costs, here);
    if (nodes > 1) { /* the leaders, and what they have then goes to all */
        seconds += network->latency * US * ceil(log2(nodes)) + (nodes - 1) * block_bytes(neurons, count, here) / (network->bandwidth * 1e9);
        seconds += nodes * costs->block * NS + shared_in_node(costs, here);
    }
    return seconds;
}

double plan_spike_exchange_bytes(plan_blocks blocks, double spikes, int steps, exchange_way way) {
    double count = (double)blocks.ranks, unpacked = sizeof(int32_t) * (1.5 * spikes + 64) * (steps > 1 ? 2 : 1); /* as they come, and by step */
    if (blocks.ranks < 2) return sizeof(int32_t) * 64;
    double sent = block_bytes(blocks.neurons, count, 1) * (1 + count) + (3 * sizeof(int) + 16) * count; /* counts, offsets, what was taken; runs */
    return unpacked + sent + (way == EXCHANGE_FLAT ? 0 : (double)exchange_shared_bytes(blocks.largest, steps));
}
