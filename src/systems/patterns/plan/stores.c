/* What the RLS stores hold: one function for each, after its create(). */
#include <math.h>
#include <string.h>

#include "../../../rls/distributed_kernel.h"
#include "../../../rls/layout.h"
#include "../../../rls/process_grid.h"
#include "../../../rls/spike_driven.h"
#include "sizes.h"

static double padded(double count) {
    return (double)rls_row_length((int64_t)ceil(count));
}

/** Mean over groups of the length of a row: numbers of inputs that vary end anywhere within a line. */
static double mean_row(const plan_network *network, double inputs) {
    return network->plastic.variance > 0 ? inputs + (RLS_LINE - 1) / 2.0 : padded(inputs);
}

/** Mean over groups of inputs times the length of a row. */
static double mean_square(const plan_network *network, double inputs) {
    return network->plastic.variance > 0 ? inputs * inputs + network->plastic.variance + inputs * (RLS_LINE - 1) / 2.0 : inputs * padded(inputs);
}

/** The most inputs that a group has: where they vary, some four standard deviations above the mean. */
static double largest(const plan_network *network, double inputs) {
    return ceil(inputs + 4 * sqrt(network->plastic.variance));
}

double plan_spiking(double rate, double ms) {
    return 1 - exp(-rate * ms / 1000);
}

double plan_grown(double room, double needed) {
    while (room < needed) room = floor(room * 1.5) + 64;
    return room;
}

int plan_block(const plan_network *network) {
    if (network->rule.block) return network->rule.block;
    if (network->rule.store && strcmp(network->rule.store->name, "distributed") == 0) return 64;
    return rls_default_block((int64_t)largest(network, network->inputs));
}

/** spike_driven.c: P, and per group the factors and columns that wait. */
static plan_store spike_driven(const plan_network *network, const plan_share *share, double rate) {
    const spike_driven_kernel *kernel = network->rule.half ? &spike_driven_half : network->rule.single ? &spike_driven_single : &spike_driven_double;
    double inputs = share->plastic_inputs, groups = share->groups, row = mean_row(network, inputs), most = largest(network, inputs);
    double block = plan_block(network);
    double real = (double)kernel->real_size, places = sizeof(int) + 2 * sizeof(int64_t) + sizeof(group_products);
    double waiting = padded(block) * real + block * row * (double)kernel->stored_size + (network->rule.half ? row * real : 0);
    plan_store store = {.p = groups * (mean_square(network, inputs) * (double)kernel->stored_size + waiting + places)};
    double first = network->window + (double)network->every * network->dt; /* the first instant hears of all spikes since the loop began */
    double fraction = network->own_tau || network->keeps_state ? 1 : plan_spiking(rate, first), room = 0;
    for (double group = 0; group < groups; group++) {
        double needed = group * inputs * fraction + inputs;
        if (needed > room) room = floor(needed * 1.5);
    }
    double sources = (double)(network->neurons + network->units) * (real + 1), hits = room * (double)kernel->hit_size;
    double rows = share->rows * sizeof(double) + (share->rows == groups ? (double)share->mine * sizeof(int32_t) : 0);
    store.buffers = block * padded(most) * real + rows + sources + groups * sizeof(int64_t) + hits;
    store.building = most * most * sizeof(double);
    return store;
}

/** textbook.c: full rows, or the upper triangle. */
static plan_store textbook(const plan_network *network, const plan_share *share, bool packed) {
    double inputs = share->plastic_inputs, most = padded(largest(network, inputs)), real = plan_real(network);
    double elements = packed ? (inputs * (inputs + 1) + network->plastic.variance) / 2 : mean_square(network, inputs);
    return (plan_store){
        .p = share->groups * (elements * real + sizeof(int64_t)),
        .buffers = 2 * most * sizeof(double),
        .building = most * most * sizeof(double),
    };
}

/** distributed.c: a block of every group's P, and its pending columns as a whole, on every rank. */
static plan_store distributed(const plan_network *network, const plan_share *share) {
    int64_t columns = network->rule.grid_columns < share->ranks ? network->rule.grid_columns : share->ranks, rows = share->ranks / columns;
    int64_t count = llround(share->plastic_inputs), block = plan_block(network), members = llround(share->members);
    int64_t p_rows = grid_local(count, 0, (int)rows), p_columns = grid_local(count, 0, (int)columns);
    double real = plan_real(network), inputs = (double)count, all = ceil((double)network->trained / (double)network->plastic.group_size);
    double sources = (double)(network->neurons + network->units);
    double lists = inputs * (sizeof(int32_t) + 1) + sources * sizeof(int32_t); /* sources, signs, places */
    double part = (double)p_columns * padded((double)p_rows) + (double)block * inputs + 2 * inputs + (double)p_rows;
    int64_t for_p = distributed_scratch(p_rows, p_columns, (int)block) + (p_rows + p_columns) * block, for_w = distributed_scratch(members, count, (int)block);
    double scratch = (double)(for_p > for_w ? for_p : for_w) * real;
    plan_store store = {.p = all * lists + all * real * part + share->rows * real * (double)block};
    store.buffers = all * inputs * (2 * sizeof(int32_t) + 3 * real) + share->rows * (sizeof(double) + real) + scratch + 2 * sizeof(int) * (double)share->ranks;
    return store;
}

plan_store plan_store_bytes(const plan_network *network, const plan_share *share, double rate) {
    const char *name = network->rule.store ? network->rule.store->name : "";
    plan_store store = {0};
    if (strcmp(name, "spike_driven") == 0) store = spike_driven(network, share, rate);
    if (strcmp(name, "textbook") == 0 || strcmp(name, "packed") == 0) store = textbook(network, share, strcmp(name, "packed") == 0);
    if (strcmp(name, "distributed") == 0) store = distributed(network, share);
    if (*name) store.buffers += share->rows * (3 + network->rate_targets) * sizeof(double); /* sums, errors, gains, slopes of rules/rls.c */
    return store;
}
