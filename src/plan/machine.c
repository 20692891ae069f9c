#include "machine_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engram/plan.h"
#include "engram/system.h"

static const param about_params[] = {
    {"name", PARAM_TEXT, UNIT_NONE, NULL, 0, 0, NULL, "what was measured", offsetof(machine_about, name)},
    {"ranks", PARAM_INTEGER, UNIT_NONE, NULL, 1, 1 << 20, NULL, "that measured at the same time on one node", offsetof(machine_about, ranks)},
    MACHINE_NUMBER(machine_about, "memory", "auto", 1e-3, 1e6, "GiB of a node", memory),
    MACHINE_NUMBER(machine_about, "libraries", NULL, 0, 1e5, "MiB of program, libraries and MPI on a rank", libraries),
    MACHINE_NUMBER(machine_about, "disk", NULL, 1e-3, 1e9, "MB/s of writing, synced, all ranks", disk),
    MACHINE_NUMBER(machine_about, "memory_bandwidth", NULL, 1e-3, 1e6, "GB/s of a rank that reads and writes large arrays", memory_bandwidth),
    MACHINE_NUMBER(machine_about, "gemm_single", NULL, 1e-3, 1e6, "GFLOP/s of a rank, 1024 x 1024 matrices", gemm_single),
    MACHINE_NUMBER(machine_about, "gemm_double", NULL, 1e-3, 1e6, "GFLOP/s of a rank, 1024 x 1024 matrices", gemm_double),
    MACHINE_NUMBER(machine_about, "spread", "0", 0, 1e3,
                   "median of the repeats of a measurement against the fastest, which counts: relative difference, median over all measurements", spread),
};
static const char about_help[] = "the machine";
MACHINE_TABLE(about_table, "machine", about_help, about_params, machine_about);

static const param network_params[] = {
    MACHINE_NUMBER(machine_network, "latency", "1.5", 1e-3, 1e6, "us of a small message between nodes", latency),
    MACHINE_NUMBER(machine_network, "bandwidth", "12", 1e-6, 1e6, "GB/s of a node", bandwidth),
};
static const char network_help[] = "between nodes; not measured by engram calibrate: published figures of 100 Gbit/s InfiniBand, to be replaced by your own";
MACHINE_TABLE(network_table, "network", network_help, network_params, machine_network);

static const param exchange_params[] = {
    MACHINE_LIST(machine_exchange, "ranks", NULL, 2, 1 << 20, "on one node; the next lists are for these", ranks),
    MACHINE_LIST(machine_exchange, "latency", NULL, MACHINE_TINY, MACHINE_HUGE_NS, "us of a collective of few bytes by MPI, waiting included", latency),
    MACHINE_LIST(machine_exchange, "per_kib", NULL, MACHINE_TINY, MACHINE_HUGE_NS, "us for each KiB that every rank sends by it", per_kib),
    MACHINE_LIST(machine_exchange, "shared", "[]", MACHINE_TINY, MACHINE_HUGE_NS, "us of an exchange of few spikes by shared memory; []: not measured", shared),
    MACHINE_NUMBER(machine_exchange, "spike", NULL, 0, MACHINE_HUGE_NS, "ns of a spike of the network on every rank", spike),
    MACHINE_NUMBER(machine_exchange, "block", NULL, 0, MACHINE_HUGE_NS, "ns of a block, of a rank or a node, where all are looked at", block),
};
static const char exchange_help[] = "between ranks of a node";
MACHINE_TABLE(exchange_table, "exchange", exchange_help, exchange_params, machine_exchange);

static const param_section about_section = {.name = "machine", .plural = "machine", .help = about_help, .common = &about_table};
static const param_section network_section = {.name = "network", .plural = "network", .help = network_help, .common = &network_table};
const param_section machine_exchange_section = {.name = "exchange", .plural = "exchange", .help = exchange_help, .common = &exchange_table};

/** Unless it is there. @return the new number of sections */
static int add_section(param_section *sections, int count, const param_section *section) {
    for (int s = 0; s < count; s++)
        if (strcmp(sections[s].name, section->name) == 0) return count;
    if (count == MACHINE_SECTIONS_MAX) context_abort("machine file: more than %d sections", MACHINE_SECTIONS_MAX);
    sections[count] = *section;
    return count + 1;
}

const param_section *machine_schema(int *count) {
    static param_section sections[MACHINE_SECTIONS_MAX];
    static int sections_count;
    if (sections_count == 0) {
        int known = 0;
        known = add_section(sections, known, &about_section);
        known = add_section(sections, known, &network_section);
        for (int s = 0; learning_systems[s]; s++) {
            const plan_hooks *plan = learning_systems[s]->plan;
            int added = 0;
            const param_section *costs = plan && plan->costs ? plan->costs(&added) : NULL;
            for (int k = 0; k < added; k++) known = add_section(sections, known, &costs[k]);
        }
        sections_count = add_section(sections, known, &machine_exchange_section);
    }
    *count = sections_count;
    return sections;
}

/** Where the values of a section of every run are; NULL: it is a system's. */
static void *part_of_run(machine *machine, const char *section) {
    const struct { const char *name; void *values; } parts[] = {{"machine", &machine->about}, {"network", &machine->network}, {"exchange", &machine->exchange}};
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
        if (strcmp(parts[k].name, section) == 0) return parts[k].values;
    return NULL;
}

/** Where the values of the @p at-th section of the schema are. */
static void *part_of(const machine *machine, const param_section *schema, int at) {
    void *part = part_of_run((struct machine *)(uintptr_t)machine, schema[at].name);
    return part ? part : machine->costs[at];
}

void *machine_costs(const machine *machine, const char *section) {
    int count;
    const param_section *schema = machine_schema(&count);
    for (int s = 0; s < count; s++)
        if (strcmp(schema[s].name, section) == 0 && machine->costs[s]) return machine->costs[s];
    context_abort("machine file: no system has a section '%s'", section);
}

/* ---- checks ---- */

static status check_ascending(const config *config, const char *section, const char *key, const param_numbers *list) {
    if (list->count < 1) return config_complain(config, section, key, "needs at least one value");
    for (int k = 1; k < list->count; k++) {
        double last = list->values[k - 1], next = list->values[k];
        if (!(next > last)) return config_complain(config, section, key, "must ascend, but %g follows %g", next, last);
    }
    return STATUS_OK;
}

/** Every list of the section is as long as its first, unless it may be empty and is. */
static status check_section(const machine *machine, const param_section *section, const void *values) {
    const param_table *table = section->common;
    const param_numbers *first = NULL;
    status result = STATUS_OK;
    for (int k = 0; k < table->count; k++) {
        const param *entry = &table->params[k];
        if (entry->type != PARAM_NUMBERS) continue;
        const param_numbers *list = (const param_numbers *)((const char *)values + entry->offset);
        if (!first)
            result = check_ascending(machine->config, section->name, entry->key, first = list);
        else if (list->count != first->count && !(entry->fallback && list->count == 0))
            result = status_worse(result, config_complain(machine->config, section->name, entry->key, "has %d values; needs %d, as many as %s.%s", list->count,
                                                          first->count, section->name, table->params[0].key));
    }
    return result;
}

void machine_begin(machine *machine) {
    int count;
    const param_section *schema = machine_schema(&count);
    *machine = (struct machine){0};
    for (int s = 0; s < count; s++) {
        if (part_of_run(machine, schema[s].name)) continue;
        machine->costs[s] = calloc(1, schema[s].common->size);
        if (!machine->costs[s]) context_abort("memory: no room for a machine file");
    }
}

/** What only shows when values are seen together. @return not agreed */
static status check_systems(const machine *machine) {
    status result = STATUS_OK;
    for (int s = 0; learning_systems[s]; s++) {
        const plan_hooks *plan = learning_systems[s]->plan;
        if (plan && plan->check_costs) result = status_worse(result, plan->check_costs(machine));
    }
    return result;
}

status machine_open(const context *context, const char *path, machine *machine) {
    int count;
    const param_section *sections = machine_schema(&count);
    static config_system system;
    static const config_schema schema = {.systems = &system, .system_count = 1, .called = "machine file"};
    system = (config_system){.sections = sections, .section_count = count};
    *machine = (struct machine){0};
    status result = path ? config_read(context, path, NULL, &schema, &machine->config)
                         : config_read_text(context, "built-in machine", machine_builtin, strlen(machine_builtin), NULL, &schema, &machine->config);
    if (result != STATUS_OK) return result;
    for (int s = 0; s < count; s++) {
        void *values = config_common(machine->config, sections[s].name), *part = part_of_run(machine, sections[s].name);
        if (part)
            memcpy(part, values, sections[s].common->size);
        else
            machine->costs[s] = values;
        result = status_worse(result, check_section(machine, &sections[s], values));
    }
    if (result == STATUS_OK) result = check_systems(machine);
    result = status_agree(context, result);
    if (result != STATUS_OK) machine_close(machine);
    return result;
}

/** Lists of a section that was measured. */
static void free_lists(const param_section *section, void *values) {
    for (int k = 0; k < section->common->count; k++)
        if (section->common->params[k].type == PARAM_NUMBERS) free(((param_numbers *)((char *)values + section->common->params[k].offset))->values);
}

void machine_close(machine *machine) {
    int count;
    const param_section *schema = machine_schema(&count);
    if (machine->config) {
        config_free(machine->config);
    } else {
        for (int s = 0; s < count; s++) {
            void *values = part_of(machine, schema, s);
            if (values) free_lists(&schema[s], values);
            free(machine->costs[s]);
        }
        free(machine->about.name);
    }
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
            write_value(out, entry, (const char *)part_of(machine, schema, s) + entry->offset);
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
