/* What patterns tells of itself to "engram plan" and "engram calibrate". */
#include <math.h>
#include <stdio.h>

#include "costs.h"
#include "sizes.h"

static void close_sizes(void *sizes) {
    plan_network *network = sizes;
    share_clear(&network->costs);
    memory_free(network);
}

static status open_sizes(const context *context, config *config, void **sizes) {
    plan_network *network = memory_new(MEMORY_BUFFERS, 1, sizeof *network);
    status result = plan_read(context, config, network);
    if (result == STATUS_OK) {
        *sizes = network;
    } else {
        close_sizes(network);
        *sizes = NULL;
    }
    return result;
}

static void facts(const void *sizes, plan_facts *facts) {
    const plan_network *network = sizes;
    plan_share all = plan_share_mean(network, 1);
    const rls_store_kind *store = network->rule.store;
    *facts = (plan_facts){
        .neurons = network->neurons,
        .loops = network->loops,
        .loop_steps = network->loop_steps,
        .dt = network->dt,
        .rate = network->target_rate,
        .exchange = network->exchange,
    };
    snprintf(facts->network, sizeof facts->network, "(%s), %.4g static and %.4g plastic synapses onto %lld trained neurons", network->model->parameters->name,
             all.static_synapses, all.plastic_synapses, (long long)network->trained);
    snprintf(facts->training, sizeof facts->training, "%d task%s, %d learning instants each%s%s", network->tasks, network->tasks > 1 ? "s" : "",
             network->instants, store ? "; P: " : "", store ? store->name : "");
}

static status check(const void *sizes, int64_t ranks) {
    const plan_network *network = sizes;
    if (!network->rule.store || !network->rule.store->divided || ranks % network->rule.grid_columns == 0) return STATUS_OK;
    return status_fail(STATUS_INPUT, "learning.grid_columns, %d, must divide the number of ranks, %lld", network->rule.grid_columns, (long long)ranks);
}

const plan_hooks patterns_plan = {
    .open = open_sizes,
    .close = close_sizes,
    .facts = facts,
    .check = check,
    .memory = patterns_memory,
    .each = patterns_memory_each,
    .output = patterns_output,
    .time = patterns_time,
    .costs = costs_sections,
    .check_costs = costs_check,
    .calibrate = costs_measure,
};
