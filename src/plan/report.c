/* "engram plan": tables of what was planned. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engram/plan_run.h"
#include "../training/results.h"
#include "engram/files.h"
#include "job_script.h"
#include "../systems/patterns/plan/sizes.h"

enum { LINE_BYTES = 512, ROOM_BYTES = 32 };
static const double MIB = 1 << 20, GIB = 1 << 30;
static const double RESERVE = 0.1; /* of a node's memory that a plan leaves alone: estimates are good to 10 % */

/** "12.3 GiB". */
static const char *show_bytes(double bytes, char text[ROOM_BYTES]) {
    const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
    int unit = 0;
    for (; bytes >= 1024 && unit < 5; unit++) bytes /= 1024;
    snprintf(text, ROOM_BYTES, unit ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
    return text;
}

static plan_bytes memory_of(const plan *plan, int64_t ranks) {
    plan_share share = plan_share_of(&plan->network, ranks);
    return plan_memory(&plan->network, &share, plan->rate, plan->machine.about.libraries * MIB);
}

static bool fits(const plan *plan, int64_t nodes) {
    return memory_of(plan, nodes * plan->ranks_per_node).peak * (double)plan->ranks_per_node <= (1 - RESERVE) * plan->memory_per_node;
}

/** @return 0: however many, every rank of a node needs more than its share */
static int64_t smallest_nodes(const plan *plan) {
    int64_t low = 0, high = 1, most = (1 << 20) / plan->ranks_per_node + 1;
    while (high < most && !fits(plan, high)) low = high, high *= 2;
    if (!fits(plan, high)) return 0;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (fits(plan, middle)) high = middle;
        else low = middle;
    }
    return high;
}

static void print_network(const context *context, const plan *plan) {
    const plan_network *network = &plan->network;
    plan_share all = plan_share_mean(network, 1);
    log_line(context, "plan for %lld neurons (%s), %.4g static and %.4g plastic synapses onto %lld trained neurons", (long long)network->neurons, network->model->parameters->name, all.static_synapses,
             all.plastic_synapses, (long long)network->trained);
    log_line(context, "training: %lld loops of %g ms, %d task%s, %d learning instants each%s%s", (long long)network->loops, (double)network->loop_steps * network->dt, network->tasks,
             network->tasks > 1 ? "s" : "", network->instants, network->rule.store ? "; P: " : "", network->rule.store ? network->rule.store->name : "");
    log_line(context, "assumed: %g Hz (%s); machine: %s%s", plan->rate, plan->rate_given ? "--rate" : isnan(network->target_rate) ? "a guess; say better with --rate" : "mean of the targets; --rate overrides",
             plan->machine.about.name, plan->built_in ? " (built in: engram calibrate measures yours, --machine FILE uses it)" : "");
}

static void print_memory_row(const context *context, const char *whose, const plan_bytes *bytes, double times) {
    char line[LINE_BYTES];
    int at = snprintf(line, sizeof line, "%-24s", whose);
    for (int c = 0; c < MEMORY_CATEGORIES; c++) at += snprintf(line + at, sizeof line - (size_t)at, " %9.1f", bytes->category[c] * times / MIB);
    snprintf(line + at, sizeof line - (size_t)at, " %10.1f %10.1f", bytes->sum * times / MIB, bytes->peak * times / MIB);
    log_line(context, "%s", line);
}

static void print_memory(const context *context, const plan *plan) {
    char line[LINE_BYTES], whose[64];
    int at = snprintf(line, sizeof line, "%-24s", "memory at end, MiB");
    for (int c = 0; c < MEMORY_CATEGORIES; c++) at += snprintf(line + at, sizeof line - (size_t)at, " %9s", memory_figure_name(c));
    snprintf(line + at, sizeof line - (size_t)at, " %10s %10s", memory_figure_name(MEMORY_SUM), memory_figure_name(MEMORY_PEAK));
    log_line(context, "\n%s", line);
    plan_bytes bytes = memory_of(plan, plan->ranks);
    int64_t here = plan->ranks < plan->ranks_per_node ? plan->ranks : plan->ranks_per_node;
    print_memory_row(context, "  largest of a rank", &bytes, 1);
    snprintf(whose, sizeof whose, "  a node, %lld rank%s", (long long)here, here > 1 ? "s" : "");
    print_memory_row(context, whose, &bytes, (double)here);
    if (plan->nodes > 1) {
        snprintf(whose, sizeof whose, "  %lld ranks", (long long)plan->ranks);
        print_memory_row(context, whose, &bytes, (double)plan->ranks);
    }
}

static void print_nodes(const context *context, const plan *plan) {
    char need[ROOM_BYTES], have[ROOM_BYTES];
    int64_t smallest = smallest_nodes(plan);
    double peak = memory_of(plan, plan->ranks).peak * (double)(plan->ranks < plan->ranks_per_node ? plan->ranks : plan->ranks_per_node);
    show_bytes(peak, need), show_bytes(plan->memory_per_node, have);
    log_line(context, "\n%lld node%s with %lld ranks each: %s of %s a node at the peak: %s", (long long)plan->nodes, plan->nodes > 1 ? "s" : "", (long long)plan->ranks_per_node, need, have,
             peak <= (1 - RESERVE) * plan->memory_per_node ? "fits" : peak <= plan->memory_per_node ? "fits barely" : "DOES NOT FIT");
    if (smallest)
        log_line(context, "smallest number of nodes that leaves a tenth of their memory free: %lld (%lld ranks)", (long long)smallest, (long long)(smallest * plan->ranks_per_node));
    else
        log_line(context, "no number of nodes fits: what every rank holds of the whole network is too much for %lld ranks on a node; use fewer ranks per node", (long long)plan->ranks_per_node);
}

static void print_output(const context *context, const plan *plan) {
    plan_output bytes = plan_output_bytes(&plan->network, plan->rate);
    const struct { const char *name; double bytes; } parts[] = {{"spikes", bytes.spikes}, {"report", bytes.report}, {"nodes", bytes.nodes}, {"edges", bytes.edges},
                                                                {"targets", bytes.targets}, {"test", bytes.test}, {"checkpoint", bytes.checkpoint}};
    char line[LINE_BYTES], text[ROOM_BYTES];
    int at = snprintf(line, sizeof line, "\noutput: %s at most:", show_bytes(bytes.sum, text));
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) at += snprintf(line + at, sizeof line - (size_t)at, "%s %s %s", k ? "," : "", parts[k].name, show_bytes(parts[k].bytes, text));
    log_line(context, "%s (twice)", line);
}

static void print_time(const context *context, const plan *plan) {
    plan_seconds s = plan_time(&plan->network, &plan->machine, plan->ranks, plan->ranks_per_node, plan->rate);
    char run[ROOM_BYTES], build[ROOM_BYTES], baseline[ROOM_BYTES], tests[ROOM_BYTES];
    log_line(context, "\n%-24s %9s %9s %9s %9s %9s %9s %9s", "seconds", "loop", "update", "deliver", "learn", "record", "exchange", "waiting");
    log_line(context, "%-24s %9.4g %9.4g %9.4g %9.4g %9.4g %9.4g %9.4g", "  a loop", s.loop, s.update, s.deliver, s.learn, s.record, s.transfer, s.waiting);
    clock_format(s.run, run, sizeof run), clock_format(s.build, build, sizeof build), clock_format(s.baseline, baseline, sizeof baseline), clock_format(s.tests, tests, sizeof tests);
    log_line(context, "the run: %s, of which building %s, baseline %s, tests %s; a checkpoint %.1f s, results %.1f s", run, build, baseline, tests, s.checkpoint, s.write);
}

static const int64_t counts[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 100000};
enum { COUNTS = sizeof counts / sizeof *counts };

static void print_ranks(const context *context, const plan *plan) {
    const char *takes_over = "";
    log_line(context, "\n%8s %7s %10s %5s %10s %9s %9s %9s %9s %9s %9s", "ranks", "nodes", "MiB/rank", "fits", "s/loop", "update", "deliver", "learn", "record", "exchange", "waiting");
    bool taken = false;
    for (int k = 0; k < COUNTS; k++) {
        int64_t ranks = counts[k], here = ranks < plan->ranks_per_node ? ranks : plan->ranks_per_node;
        plan_bytes bytes = memory_of(plan, ranks);
        plan_seconds s = plan_time(&plan->network, &plan->machine, ranks, plan->ranks_per_node, plan->rate);
        bool now = s.transfer + s.waiting > s.loop / 2 && !taken;
        takes_over = now ? "  <- communication takes over" : "";
        taken = taken || now;
        log_line(context, "%8lld %7lld %10.1f %5s %10.4g %9.4g %9.4g %9.4g %9.4g %9.4g %9.4g%s", (long long)ranks, (long long)((ranks + plan->ranks_per_node - 1) / plan->ranks_per_node), bytes.peak / MIB,
                 bytes.peak * (double)here <= (1 - RESERVE) * plan->memory_per_node ? "yes" : "no", s.loop, s.update, s.deliver, s.learn, s.record, s.transfer, s.waiting, takes_over);
        if (ranks >= plan->network.neurons) break; /* a rank without neurons helps nobody */
    }
    log_line(context, "%s", taken ? "from there on more ranks mostly wait for each other: exchange and waiting are more than half of a loop" : "communication stays below half of a loop");
}

static void write_ranks(FILE *out, const plan *plan, int64_t ranks) {
    plan_seconds s = plan_time(&plan->network, &plan->machine, ranks, plan->ranks_per_node, plan->rate);
    fprintf(out, "%lld,%lld,%g,%.1f,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g\n", (long long)ranks, (long long)((ranks + plan->ranks_per_node - 1) / plan->ranks_per_node), plan->rate,
            memory_of(plan, ranks).peak / MIB, s.loop, s.update, s.deliver, s.learn, s.record, s.transfer, s.waiting);
}

/** The planned number of ranks and those of print_ranks(), ascending, a line each. @return not agreed */
static status write_csv(const context *context, const plan_options *options, const plan *plan) {
    status result;
    FILE *out = plan_file_open(options->csv, 0666, &result);
    if (!out) return result;
    fprintf(out, "ranks,nodes,rate_hz,memory_mib,seconds,update,deliver,learn,record,exchange,waiting\n");
    int64_t last = 0;
    for (int k = 0; k < COUNTS && last < plan->network.neurons; last = counts[k++]) {
        if (last < plan->ranks && plan->ranks < counts[k]) write_ranks(out, plan, plan->ranks);
        write_ranks(out, plan, counts[k]);
    }
    if (last < plan->ranks) write_ranks(out, plan, plan->ranks);
    result = plan_file_close(out, options->csv);
    if (result == STATUS_OK) log_line(context, "\n%s: the table, for tools/scaling plot --model", options->csv);
    return result;
}

static void print_plan(const context *context, const plan *plan) {
    print_network(context, plan);
    print_memory(context, plan);
    print_nodes(context, plan);
    print_output(context, plan);
    print_time(context, plan);
    print_ranks(context, plan);
}

/** What the options leave open is the machine's, and must be known. */
static status settle(const context *context, const plan_options *options, plan *plan) {
    plan->ranks = options->ranks;
    plan->ranks_per_node = options->ranks_per_node ? options->ranks_per_node : plan->machine.about.ranks;
    plan->nodes = (plan->ranks + plan->ranks_per_node - 1) / plan->ranks_per_node;
    plan->memory_per_node = GIB * (isnan(options->memory_per_node) ? plan->machine.about.memory : options->memory_per_node);
    plan->rate_given = !isnan(options->rate);
    plan->rate = plan->rate_given ? options->rate : isnan(plan->network.target_rate) ? 5 : plan->network.target_rate;
    if (isnan(plan->memory_per_node)) return status_agree(context, status_fail(STATUS_INPUT, "%s says no machine.memory: give --memory-per-node GIB", options->machine));
    if (options->sbatch && plan->built_in && !options->ranks_per_node && plan->ranks > plan->ranks_per_node)
        return status_agree(context, status_fail(STATUS_INPUT, "--sbatch: the machine that is built in has %lld cores a node, %lld ranks are asked for: give --ranks-per-node N, how many ranks a node of your cluster takes, "
                                                               "or its machine file (--machine FILE; engram calibrate writes one)", (long long)plan->ranks_per_node, (long long)plan->ranks));
    if (plan->rate <= 0) plan->rate = 1e-3;
    if (plan->network.rule.store && plan->network.rule.store->divided && plan->ranks % plan->network.rule.grid_columns)
        return status_agree(context, status_fail(STATUS_INPUT, "learning.grid_columns, %d, must divide the number of ranks, %lld", plan->network.rule.grid_columns, (long long)plan->ranks));
    return STATUS_OK;
}

/** Files that are to be written, before anything is worked out. */
static status check_files(const plan_options *options) {
    status result = options->machine ? file_check_name("--machine", options->machine) : STATUS_OK;
    if (options->sbatch) result = status_worse(result, plan_file_check("--sbatch", options->sbatch, options->overwrite));
    if (options->csv) result = status_worse(result, plan_file_check("--csv", options->csv, options->overwrite));
    if (options->sbatch && options->csv && strcmp(options->sbatch, options->csv) == 0) result = status_fail(STATUS_INPUT, "--sbatch and --csv name the same file, %s", options->csv);
    return result;
}

/** A context of rank 0 alone: nothing of a plan is worth sharing. */
static status plan_alone(const context *alone, const plan_options *options) {
    int count;
    const param_section *schema = simulation_schema(&count);
    plan plan = {.built_in = options->machine == NULL};
    config *config;
    status result = status_agree(alone, check_files(options));
    if (result == STATUS_OK) result = machine_open(alone, options->machine, &plan.machine);
    if (result != STATUS_OK) return result;
    result = config_read(alone, options->config, options->overrides, options->override_count, schema, count, &config);
    if (result == STATUS_OK) {
        result = simulation_resolve(alone, config);
        if (result == STATUS_OK && options->sbatch) result = status_agree(alone, results_check_directory(config, options->directory));
        if (result == STATUS_OK) result = status_agree(alone, plan_read(alone, config, &plan.network));
        if (result == STATUS_OK) result = settle(alone, options, &plan);
        if (result == STATUS_OK) print_plan(alone, &plan);
        if (result == STATUS_OK && options->sbatch) result = status_agree(alone, job_script_write(alone, config, options, &plan, memory_of(&plan, plan.ranks).peak));
        if (result == STATUS_OK && options->csv) result = status_agree(alone, write_csv(alone, options, &plan));
        network_forget(config);
        config_free(config);
    }
    machine_close(&plan.machine);
    return result;
}

status plan_run(const context *job, const plan_options *options) {
    int code = STATUS_OK;
    if (job->rank == 0) {
        context alone = context_of(MPI_COMM_SELF);
        code = plan_alone(&alone, options);
    }
    CHECK_MPI(MPI_Bcast(&code, 1, MPI_INT, 0, job->comm));
    return (status)code;
}
