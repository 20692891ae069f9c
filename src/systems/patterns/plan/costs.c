/* What patterns costs on a machine: its sections of a machine file. */
#include "costs.h"

#include <stdio.h>

#include "engram/neurons.h"
#include "engram/plan.h"

enum { UPDATE_MAX = MACHINE_MODELS_MAX + 10, RLS_MAX = 8 + MACHINE_STORES_MAX * PRECISIONS * 4, KEY_BYTES = 48 };

static const param delivery_params[] = {
    MACHINE_LIST(machine_delivery, "bytes", NULL, 1, 1e15, "of a rank's synapses and P; the next lists are for these", bytes),
    MACHINE_LIST(machine_delivery, "typed", NULL, MACHINE_TINY, MACHINE_HUGE_NS, "ns of a static synapse that a spike reaches, weights by type", typed),
    MACHINE_LIST(machine_delivery, "weighted", NULL, MACHINE_TINY, MACHINE_HUGE_NS, "ns of a static synapse with a weight of its own", weighted),
    MACHINE_LIST(machine_delivery, "bits", NULL, MACHINE_TINY, MACHINE_HUGE_NS,
                 "ns of 32 neurons of the rank for every spike, in dense networks, whose static synapses are bits", bits),
    MACHINE_LIST(machine_delivery, "plastic", NULL, MACHINE_TINY, MACHINE_HUGE_NS, "ns of a plastic synapse", plastic),
    MACHINE_LIST(machine_delivery, "spike", NULL, MACHINE_TINY, MACHINE_HUGE_NS,
                 "ns of a spike of the network on every rank, however few synapses it reaches there", spike),
    MACHINE_NUMBER(machine_delivery, "blocks", "1", MACHINE_TINY, MACHINE_HUGE_NS,
                   "ns of a static synapse with a delay of its own, weights in units or by type", blocks),
    MACHINE_NUMBER(machine_delivery, "blocks_double", "2.8", MACHINE_TINY, MACHINE_HUGE_NS, "ns of one with a weight in double", blocks_double),
    MACHINE_NUMBER(machine_delivery, "run", "30", 0, MACHINE_HUGE_NS, "ns of those of a source that are reached within 8 steps, however many they are", run),
    MACHINE_NUMBER(machine_delivery, "step", NULL, 0, MACHINE_HUGE_NS, "ns of a step, whatever it delivers", step),
    MACHINE_NUMBER(machine_delivery, "filter", NULL, 0, MACHINE_HUGE_NS, "ns of a spike of the network on every rank while it learns", filter),
    MACHINE_NUMBER(machine_delivery, "group", NULL, 0, MACHINE_HUGE_NS, "ns more of a source that a group of several neurons shares", group),
    MACHINE_NUMBER(machine_delivery, "member", NULL, 0, MACHINE_HUGE_NS, "ns of a further neuron of such a group", member),
};
MACHINE_TABLE(delivery_table, "delivery", "delivery of spikes", delivery_params, machine_delivery);

static const param others_params[] = {
    MACHINE_NUMBER(machine_others, "step", NULL, 0, MACHINE_HUGE_NS, "ns of looking around in a step", step),
    MACHINE_NUMBER(machine_others, "check", NULL, 0, MACHINE_HUGE_NS, "ns of a value that is looked at at a learning instant", check),
    MACHINE_NUMBER(machine_others, "track", NULL, 0, MACHINE_HUGE_NS, "ns of a neuron in a ms of the rolling average", track),
    MACHINE_NUMBER(machine_others, "score", NULL, 0, MACHINE_HUGE_NS, "ns of a neuron and instant at the end of a loop", score),
    MACHINE_NUMBER(machine_others, "build_typed", NULL, 0, MACHINE_HUGE_NS, "ns to make a static synapse of a balanced network", build_typed),
    MACHINE_NUMBER(machine_others, "build_weighted", NULL, 0, MACHINE_HUGE_NS, "ns to make a static synapse of a random network", build_weighted),
    MACHINE_NUMBER(machine_others, "build_blocks", "40", 0, MACHINE_HUGE_NS,
                   "ns to make a static synapse of kind populations with a delay of its own", build_blocks),
    MACHINE_NUMBER(machine_others, "build_plastic", NULL, 0, MACHINE_HUGE_NS, "ns to make a plastic synapse", build_plastic),
    MACHINE_NUMBER(machine_others, "build_p", NULL, 0, MACHINE_HUGE_NS, "ns to make an element of P", build_p),
    MACHINE_NUMBER(machine_others, "build_value", "25", 0, MACHINE_HUGE_NS, "ns to make a value of a target", build_value),
    MACHINE_NUMBER(machine_others, "build_rate", "210", 0, MACHINE_HUGE_NS, "ns to turn a rate into a drive", build_rate),
    MACHINE_NUMBER(machine_others, "build_draw", "26", 0, MACHINE_HUGE_NS, "ns of a random number that a recorded stand-in is made from", build_draw),
};
MACHINE_TABLE(others_table, "others", "what is measured, and building", others_params, machine_others);

/** A list for each neuron model. */
static const param_table *make_update(void) {
    static param params[UPDATE_MAX];
    static param_table table = {"update", "advance of neurons and their drive", params, 0, sizeof(machine_update)};
    int n = 0;
    params[n++] = (param)MACHINE_LIST(machine_update, "neurons", NULL, 1, 1e12, "of a rank; the lists below are for these", neurons);
    for (int m = 0; neuron_models[m]; m++) {
        if (m == MACHINE_MODELS_MAX) context_abort("machine file: more than %d neuron models", MACHINE_MODELS_MAX);
        params[n] = (param)MACHINE_LIST(machine_update, neuron_models[m]->parameters->name, NULL, MACHINE_TINY, MACHINE_HUGE_NS,
                                        "ns of a neuron in a step, without noise and synapses", model);
        params[n++].offset += (size_t)m * sizeof(param_numbers);
    }
    params[n++] = (param)MACHINE_LIST(machine_update, "noise", NULL, MACHINE_TINY, MACHINE_HUGE_NS, "ns more with noise", noise);
    params[n++] = (param)MACHINE_LIST(machine_update, "typed", NULL, MACHINE_TINY, MACHINE_HUGE_NS,
                                      "ns more with static synapses whose weights go by type", typed);
    params[n++] = (param)MACHINE_LIST(machine_update, "weighted", NULL, MACHINE_TINY, MACHINE_HUGE_NS,
                                      "ns more with static synapses that have weights of their own", weighted);
    params[n++] = (param)MACHINE_LIST(machine_update, "plastic", NULL, MACHINE_TINY, MACHINE_HUGE_NS, "ns more with plastic synapses", plastic);
    params[n++] = (param)MACHINE_NUMBER(machine_update, "background", "0.4", 0, MACHINE_HUGE_NS, "ns more with Poisson background", background);
    params[n++] = (param)MACHINE_NUMBER(machine_update, "spike", NULL, 0, MACHINE_HUGE_NS, "ns of a spike of the rank's neurons", spike);
    params[n++] = (param)MACHINE_NUMBER(machine_update, "single", "0.7", 0.05, 20, "times as long with neurons in single precision, but for noise", single);
    params[n++] = (param)MACHINE_NUMBER(machine_update, "noise_single", "0.5", 0.05, 20, "times as long with noise in single precision", noise_single);
    params[n++] = (param)MACHINE_NUMBER(machine_update, "learning", NULL, 0.1, 100,
                                        "times as long where the rank learns, as P passes through the caches in between", learning);
    table.count = n;
    return &table;
}

/** Lists for each store in each precision. */
static const param_table *make_rls(void) {
    static param params[RLS_MAX];
    static char keys[RLS_MAX][KEY_BYTES];
    static param_table table = {"rls", "an instant of learning, a group's share", params, 0, sizeof(machine_rls)};
    static const char *const precisions[PRECISIONS] = {"single", "double", "half"};
    int n = 0;
    params[n++] = (param)MACHINE_LIST(machine_rls, "inputs", NULL, 1, 1e9, "plastic inputs of a group; the lists below are for these", inputs);
    params[n++] = (param)MACHINE_NUMBER(machine_rls, "cached_bytes", NULL, 1, 1e15, "of all P of a rank, for the lists _cached", cached_bytes);
    params[n++] = (param)MACHINE_NUMBER(machine_rls, "large_bytes", NULL, 1, 1e15, "of all P of a rank, for the others", large_bytes);
    for (int s = 0; rls_store_kinds[s]; s++) {
        if (rls_store_kinds[s]->divided) continue; /* groups divided among ranks: not a matter of groups, but of bandwidth and gemm */
        if (s == MACHINE_STORES_MAX) context_abort("machine file: more than %d stores", MACHINE_STORES_MAX);
        for (int k = 0; k < PRECISIONS * 4; k++, n++) {
            if (k / 4 == PRECISION_HALF && !rls_store_kinds[s]->halves) break;
            bool spiking = k & 1, cached = k & 2;
            const char *help = spiking ? "ns more for each input that spiked" : "ns of a group and instant";
            size_t offset = cached ? offsetof(machine_rls, cached) : offsetof(machine_rls, large);
            offset += ((size_t)s * PRECISIONS + (size_t)k / 4) * sizeof(machine_store);
            offset += spiking ? offsetof(machine_store, spiking) : offsetof(machine_store, quiet);
            snprintf(keys[n], KEY_BYTES, "%s_%s%s%s", rls_store_kinds[s]->name, precisions[k / 4], spiking ? "_spiking" : "", cached ? "_cached" : "");
            params[n] = (param){keys[n], PARAM_NUMBERS, UNIT_NONE, NULL, 0, 1e12, NULL, help, offset};
        }
    }
    params[n++] = (param)MACHINE_NUMBER(machine_rls, "source", NULL, 0, MACHINE_HUGE_NS,
                                        "ns of a source at an instant on every rank, one time constant for all", source);
    params[n++] = (param)MACHINE_NUMBER(machine_rls, "source_own", NULL, 0, MACHINE_HUGE_NS,
                                        "ns of a source at an instant on every rank, time constants of their own", source_own);
    params[n++] = (param)MACHINE_NUMBER(machine_rls, "member", NULL, 0, MACHINE_HUGE_NS, "ns of a weight of a further neuron of a group at an instant", member);
    params[n++] = (param)MACHINE_NUMBER(machine_rls, "pending", NULL, 0, MACHINE_HUGE_NS,
                                        "ns of a neuron and waiting update in a step, store distributed", pending);
    table.count = n;
    return &table;
}

static param_section section_of(const param_table *table) {
    return (param_section){.name = table->name, .plural = table->name, .help = table->help, .common = table};
}

const param_section *costs_sections(int *count) {
    enum { SECTIONS = 5 };
    static param_section sections[SECTIONS];
    if (!sections[0].name) {
        sections[4] = section_of(&others_table);
        sections[3] = machine_exchange_section;
        sections[2] = section_of(make_rls());
        sections[1] = section_of(&delivery_table);
        sections[0] = section_of(make_update());
    }
    *count = SECTIONS;
    return sections;
}

status costs_check(const machine *machine) {
    const machine_rls *rls = machine_costs(machine, "rls");
    if (rls->large_bytes > rls->cached_bytes) return STATUS_OK;
    return config_complain(machine->config, "rls", "large_bytes", "%g must be above cached_bytes, %g", rls->large_bytes, rls->cached_bytes);
}

costs costs_of(const machine *machine) {
    return (costs){
        .update = machine_costs(machine, "update"),
        .delivery = machine_costs(machine, "delivery"),
        .rls = machine_costs(machine, "rls"),
        .others = machine_costs(machine, "others"),
    };
}
