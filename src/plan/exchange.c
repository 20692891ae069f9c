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

/** Between the ranks of a node: a tree of messages; every rank receives what all send. */
static double message_in_node(const machine_exchange *costs, double here, double bytes) {
    double most = costs->ranks.values[costs->ranks.count - 1];
    double latency = machine_curve(&costs->ranks, &costs->latency, here);
    double per_kib = machine_curve(&costs->ranks, &costs->per_kib, here);
    if (here > most) {
        latency *= log2(here) / log2(most);
        per_kib *= here / most;
    }
    return (latency + per_kib * (bytes / 1024)) * US;
}

double plan_message(const machine *machine, plan_ranks ranks, double bytes) {
    const machine_network *network = &machine->network;
    double count = (double)ranks.count, per_node = (double)ranks.per_node, here = fmin(count, per_node), nodes = ceil(count / per_node);
    if (count < 2) return 0;
    double seconds = message_in_node(&machine->exchange, here, bytes);
    if (nodes > 1) {
        double latency = network->latency * US * ceil(log2(nodes));
        seconds += latency + (count - per_node) * bytes * here / (network->bandwidth * 1e9);
    }
    return seconds;
}

/** Words of a rank's block: its head, and room for the spikes of a step, which are few. */
static double block_words(int64_t neurons, double ranks) {
    const double head = 2;
    return head + 16 + floor((double)neurons / ranks / 100);
}

double plan_spike_exchange(const machine *machine, plan_ranks ranks, int64_t neurons, double spikes) {
    const machine_exchange *costs = &machine->exchange;
    double count = (double)ranks.count;
    double handling = spikes * costs->spike * NS + (count > 1 ? count * costs->block * NS : 0);
    return handling + plan_message(machine, ranks, sizeof(int32_t) * block_words(neurons, count));
}

double plan_spike_exchange_bytes(int64_t neurons, int64_t ranks, double spikes) {
    double count = (double)ranks, block = sizeof(int32_t) * block_words(neurons, count);
    double offsets = 2 * sizeof(int) * count;
    double unpacked = sizeof(int32_t) * (1.5 * spikes + 64);
    return block * (1 + count) + offsets + unpacked;
}
