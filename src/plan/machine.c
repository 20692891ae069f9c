#include "machine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engram/neurons.h"
#include "engram/rls.h"

enum { SECTIONS = 7, UPDATE_MAX = MACHINE_MODELS_MAX + 7, RLS_MAX = 8 + MACHINE_STORES_MAX * PRECISIONS * 4, KEY_BYTES = 48 };

#define NUMBER(struct_type, key, fallback, low, high, help, member) {key, PARAM_NUMBER, UNIT_NONE, fallback, low, high, NULL, help, offsetof(struct_type, member)}
#define LIST(struct_type, key, low, high, help, member) {key, PARAM_NUMBERS, UNIT_NONE, NULL, low, high, NULL, help, offsetof(struct_type, member)}
#define TABLE(variable, name, help, params, struct_type) static const param_table variable = {name, help, params, sizeof params / sizeof *params, sizeof(struct_type)}

static const double TINY = 1e-6, HUGE_NS = 1e9; /* bounds of measured times */

static const param about_params[] = {
    {"name", PARAM_TEXT, UNIT_NONE, NULL, 0, 0, NULL, "what was measured", offsetof(machine_about, name)},
    {"ranks", PARAM_INTEGER, UNIT_NONE, NULL, 1, 1 << 20, NULL, "that measured at the same time on one node", offsetof(machine_about, ranks)},
    NUMBER(machine_about, "memory", "auto", 1e-3, 1e6, "GiB of a node", memory),
    NUMBER(machine_about, "libraries", NULL, 0, 1e5, "MiB of program, libraries and MPI on a rank", libraries),
    NUMBER(machine_about, "disk", NULL, 1e-3, 1e9, "MB/s of writing, synced, all ranks", disk),
    NUMBER(machine_about, "memory_bandwidth", NULL, 1e-3, 1e6, "GB/s of a rank that reads and writes large arrays", memory_bandwidth),
    NUMBER(machine_about, "gemm_single", NULL, 1e-3, 1e6, "GFLOP/s of a rank, 1024 x 1024 matrices", gemm_single),
    NUMBER(machine_about, "gemm_double", NULL, 1e-3, 1e6, "GFLOP/s of a rank, 1024 x 1024 matrices", gemm_double),
    NUMBER(machine_about, "spread", "0", 0, 1e3, "median of the repeats of a measurement against the fastest, which counts: relative difference, median over all measurements", spread),
};
TABLE(about_table, "machine", "the machine", about_params, machine_about);

static const param network_params[] = {
    NUMBER(machine_network, "latency", "1.5", 1e-3, 1e6, "us of a small message between nodes", latency),
    NUMBER(machine_network, "bandwidth", "12", 1e-6, 1e6, "GB/s of a node", bandwidth),
};
TABLE(network_table, "network", "between nodes; not measured by engram calibrate: published figures of 100 Gbit/s InfiniBand, to be replaced by your own", network_params, machine_network);

static const param delivery_params[] = {
    LIST(machine_delivery, "bytes", 1, 1e15, "of a rank's synapses and P; the next lists are for these", bytes),
    LIST(machine_delivery, "typed", TINY, HUGE_NS, "ns of a static synapse that a spike reaches, weights by type", typed),
    LIST(machine_delivery, "weighted", TINY, HUGE_NS, "ns of a static synapse with a weight of its own", weighted),
    LIST(machine_delivery, "bits", TINY, HUGE_NS, "ns of 32 neurons of the rank for every spike, in dense networks, whose static synapses are bits", bits),
    LIST(machine_delivery, "plastic", TINY, HUGE_NS, "ns of a plastic synapse", plastic),
    LIST(machine_delivery, "spike", TINY, HUGE_NS, "ns of a spike of the network on every rank, however few synapses it reaches there", spike),
    NUMBER(machine_delivery, "step", NULL, 0, HUGE_NS, "ns of a step, whatever it delivers", step),
    NUMBER(machine_delivery, "filter", NULL, 0, HUGE_NS, "ns of a spike of the network on every rank while it learns", filter),
    NUMBER(machine_delivery, "group", NULL, 0, HUGE_NS, "ns more of a source that a group of several neurons shares", group),
    NUMBER(machine_delivery, "member", NULL, 0, HUGE_NS, "ns of a further neuron of such a group", member),
};
TABLE(delivery_table, "delivery", "delivery of spikes", delivery_params, machine_delivery);

static const param exchange_params[] = {
    LIST(machine_exchange, "ranks", 2, 1 << 20, "on one node; the next two lists are for these", ranks),
    LIST(machine_exchange, "latency", TINY, HUGE_NS, "us of an exchange of few spikes, waiting for each other included", latency),
    LIST(machine_exchange, "per_kib", TINY, HUGE_NS, "us for each KiB that every rank sends", per_kib),
    NUMBER(machine_exchange, "spike", NULL, 0, HUGE_NS, "ns of a spike of the network on every rank", spike),
    NUMBER(machine_exchange, "block", NULL, 0, HUGE_NS, "ns of every rank's block on every rank", block),
};
TABLE(exchange_table, "exchange", "exchange of spikes within a node", exchange_params, machine_exchange);

static const param others_params[] = {
    NUMBER(machine_others, "step", NULL, 0, HUGE_NS, "ns of looking around in a step", step),
    NUMBER(machine_others, "check", NULL, 0, HUGE_NS, "ns of a value that is looked at at a learning instant", check),
    NUMBER(machine_others, "track", NULL, 0, HUGE_NS, "ns of a neuron in a ms of the rolling average", track),
    NUMBER(machine_others, "score", NULL, 0, HUGE_NS, "ns of a neuron and instant at the end of a loop", score),
    NUMBER(machine_others, "build_typed", NULL, 0, HUGE_NS, "ns to make a static synapse of a balanced network", build_typed),
    NUMBER(machine_others, "build_weighted", NULL, 0, HUGE_NS, "ns to make a static synapse of a random network", build_weighted),
    NUMBER(machine_others, "build_plastic", NULL, 0, HUGE_NS, "ns to make a plastic synapse", build_plastic),
    NUMBER(machine_others, "build_p", NULL, 0, HUGE_NS, "ns to make an element of P", build_p),
};
TABLE(others_table, "others", "what is measured, and building", others_params, machine_others);

/** A list for each neuron model. */
static const param_table *make_update(void) {
    static param params[UPDATE_MAX];
    static param_table table = {"update", "advance of neurons and their drive", params, 0, sizeof(machine_update)};
    int n = 0;
    params[n++] = (param)LIST(machine_update, "neurons", 1, 1e12, "of a rank; the lists below are for these", neurons);
    for (int m = 0; neuron_models[m]; m++) {
        if (m == MACHINE_MODELS_MAX) context_abort("machine file: more than %d neuron models", MACHINE_MODELS_MAX);
        params[n++] = (param){neuron_models[m]->parameters->name, PARAM_NUMBERS, UNIT_NONE, NULL, TINY, HUGE_NS, NULL, "ns of a neuron in a step, without noise and synapses",
                              offsetof(machine_update, model) + (size_t)m * sizeof(param_numbers)};
    }
    params[n++] = (param)LIST(machine_update, "noise", TINY, HUGE_NS, "ns more with noise", noise);
    params[n++] = (param)LIST(machine_update, "typed", TINY, HUGE_NS, "ns more with static synapses whose weights go by type", typed);
    params[n++] = (param)LIST(machine_update, "weighted", TINY, HUGE_NS, "ns more with static synapses that have weights of their own", weighted);
    params[n++] = (param)LIST(machine_update, "plastic", TINY, HUGE_NS, "ns more with plastic synapses", plastic);
    params[n++] = (param)NUMBER(machine_update, "spike", NULL, 0, HUGE_NS, "ns of a spike of the rank's neurons", spike);
    params[n++] = (param)NUMBER(machine_update, "learning", NULL, 0.1, 100, "times as long where the rank learns, as P passes through the caches in between", learning);
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
    params[n++] = (param)LIST(machine_rls, "inputs", 1, 1e9, "plastic inputs of a group; the lists below are for these", inputs);
    params[n++] = (param)NUMBER(machine_rls, "cached_bytes", NULL, 1, 1e15, "of all P of a rank, for the lists _cached", cached_bytes);
    params[n++] = (param)NUMBER(machine_rls, "large_bytes", NULL, 1, 1e15, "of all P of a rank, for the others", large_bytes);
    for (int s = 0; rls_store_kinds[s]; s++) {
        if (rls_store_kinds[s]->divided) continue; /* groups divided among ranks: not a matter of groups, but of bandwidth and gemm */
        if (s == MACHINE_STORES_MAX) context_abort("machine file: more than %d stores", MACHINE_STORES_MAX);
        for (int k = 0; k < PRECISIONS * 4; k++, n++) {
            if (k / 4 == PRECISION_HALF && !rls_store_kinds[s]->halves) break;
            bool spiking = k & 1, cached = k & 2;
            size_t offset = (cached ? offsetof(machine_rls, cached) : offsetof(machine_rls, large)) + ((size_t)s * PRECISIONS + (size_t)k / 4) * sizeof(machine_store);
            snprintf(keys[n], KEY_BYTES, "%s_%s%s%s", rls_store_kinds[s]->name, precisions[k / 4], spiking ? "_spiking" : "", cached ? "_cached" : "");
            params[n] = (param){keys[n], PARAM_NUMBERS, UNIT_NONE, NULL, 0, 1e12, NULL, spiking ? "ns more for each input that spiked" : "ns of a group and instant", offset +
                                (spiking ? offsetof(machine_store, spiking) : offsetof(machine_store, quiet))};
        }
    }
    params[n++] = (param)NUMBER(machine_rls, "source", NULL, 0, HUGE_NS, "ns of a source at an instant on every rank, one time constant for all", source);
    params[n++] = (param)NUMBER(machine_rls, "source_own", NULL, 0, HUGE_NS, "ns of a source at an instant on every rank, time constants of their own", source_own);
    params[n++] = (param)NUMBER(machine_rls, "member", NULL, 0, HUGE_NS, "ns of a weight of a further neuron of a group at an instant", member);
    params[n++] = (param)NUMBER(machine_rls, "pending", NULL, 0, HUGE_NS, "ns of a neuron and waiting update in a step, store distributed", pending);
    table.count = n;
    return &table;
}

const param_section *machine_schema(int *count) {
    static param_section sections[SECTIONS];
    if (!sections[0].name) {
        const param_table *const tables[SECTIONS] = {&about_table, &network_table, make_update(), &delivery_table, make_rls(), &exchange_table, &others_table};
        for (int s = SECTIONS - 1; s >= 0; s--) sections[s] = (param_section){.name = tables[s]->name, .plural = tables[s]->name, .help = tables[s]->help, .common = tables[s]};
    }
    *count = SECTIONS;
    return sections;
}

/** Where a section's values are in the struct. */
static void *part_of(machine *machine, int section) {
    void *const parts[SECTIONS] = {&machine->about, &machine->network, &machine->update, &machine->delivery, &machine->rls, &machine->exchange, &machine->others};
    return parts[section];
}

/* ---- checks ---- */

static status check_ascending(const config *config, const char *section, const char *key, const param_numbers *list) {
    if (list->count < 1) return config_complain(config, section, key, "needs at least one value");
    for (int k = 1; k < list->count; k++)
        if (!(list->values[k] > list->values[k - 1])) return config_complain(config, section, key, "must ascend, but %g follows %g", list->values[k], list->values[k - 1]);
    return STATUS_OK;
}

/** Every list of the section is as long as its first. */
static status check_section(const machine *machine, const param_section *section, const void *values) {
    const param_table *table = section->common;
    const param_numbers *first = NULL;
    status result = STATUS_OK;
    for (int k = 0; k < table->count; k++) {
        if (table->params[k].type != PARAM_NUMBERS) continue;
        const param_numbers *list = (const param_numbers *)((const char *)values + table->params[k].offset);
        if (!first)
            result = check_ascending(machine->config, section->name, table->params[k].key, first = list);
        else if (list->count != first->count)
            result = status_worse(result, config_complain(machine->config, section->name, table->params[k].key, "has %d values; needs %d, as many as %s.%s", list->count, first->count,
                                                          section->name, table->params[0].key));
    }
    return result;
}

status machine_open(const context *context, const char *path, machine *machine) {
    int count;
    const param_section *schema = machine_schema(&count);
    *machine = (struct machine){0};
    status result = path ? config_read(context, path, NULL, 0, schema, count, &machine->config)
                         : config_read_text(context, "built-in machine", machine_builtin, strlen(machine_builtin), NULL, 0, schema, count, &machine->config);
    if (result != STATUS_OK) return result;
    for (int s = 0; s < count; s++) {
        memcpy(part_of(machine, s), config_common(machine->config, schema[s].name), schema[s].common->size);
        result = status_worse(result, check_section(machine, &schema[s], part_of(machine, s)));
    }
    if (result == STATUS_OK && machine->rls.large_bytes <= machine->rls.cached_bytes)
        result = config_complain(machine->config, "rls", "large_bytes", "%g must be above cached_bytes, %g", machine->rls.large_bytes, machine->rls.cached_bytes);
    result = status_agree(context, result);
    if (result != STATUS_OK) machine_close(machine);
    return result;
}

void machine_close(machine *machine) {
    int count;
    const param_section *schema = machine_schema(&count);
    for (int s = 0; s < count && !machine->config; s++) /* measured: lists of its own */
        for (int k = 0; k < schema[s].common->count; k++)
            if (schema[s].common->params[k].type == PARAM_NUMBERS) free(((param_numbers *)((char *)part_of(machine, s) + schema[s].common->params[k].offset))->values);
    if (machine->config)
        config_free(machine->config);
    else
        free(machine->about.name);
    *machine = (struct machine){0};
}

/* ---- as text ---- */

static void write_list(FILE *out, const param_numbers *list) {
    fputc('[', out);
    for (int k = 0; k < list->count; k++) fprintf(out, "%s%.4g", k ? ", " : "", list->values[k]);
    fputc(']', out);
}

static void write_value(FILE *out, const param *entry, const void *at) {
    double number = entry->type == PARAM_NUMBER ? *(const double *)at : 0;
    if (entry->type == PARAM_TEXT)
        fprintf(out, "\"%s\"", *(char *const *)at);
    else if (entry->type == PARAM_INTEGER)
        fprintf(out, "%lld", (long long)*(const int64_t *)at);
    else if (entry->type == PARAM_NUMBERS)
        write_list(out, at);
    else if (isnan(number))
        fputs("auto", out);
    else
        fprintf(out, "%.4g", number);
}

char *machine_text(const machine *machine, const char *heading) {
    int count;
    const param_section *schema = machine_schema(&count);
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    if (!out) context_abort("memory: no room for a machine file");
    fprintf(out, "# %s\n", heading);
    for (int s = 0; s < count; s++) {
        fprintf(out, "%s: # %s\n", schema[s].name, schema[s].help);
        for (int k = 0; k < schema[s].common->count; k++) {
            const param *entry = &schema[s].common->params[k];
            fprintf(out, "  %s: ", entry->key);
            write_value(out, entry, (const char *)part_of((struct machine *)(uintptr_t)machine, s) + entry->offset);
            fprintf(out, " # %s\n", entry->help);
        }
    }
    if (fclose(out) != 0) context_abort("memory: no room for a machine file");
    return text;
}

double machine_curve(const param_numbers *at, const param_numbers *value, double x) {
    int last = at->count - 1, k = 0;
    if (x <= at->values[0]) return value->values[0];
    if (x >= at->values[last]) return value->values[last];
    while (at->values[k + 1] < x) k++;
    double part = log(x / at->values[k]) / log(at->values[k + 1] / at->values[k]), low = fmax(value->values[k], 1e-9), high = fmax(value->values[k + 1], 1e-9);
    return exp(log(low) + part * log(high / low));
}
