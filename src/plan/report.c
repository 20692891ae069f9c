/* "engram plan": tables of what was planned. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../training/inputs.h"
#include "../training/prepare.h"
#include "../training/results.h"
#include "engram/clock.h"
#include "engram/files.h"
#include "engram/plan_run.h"
#include "engram/schema.h"
#include "engram/system.h"
#include "engram/version.h"
#include "job_script.h"
#include "machine_file.h"
#include "plan.h"
#include "site.h"

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

/** Do so many ranks? */
static bool fits_ranks(const plan *plan, int64_t ranks) {
    return plan_memory_of_nodes(plan, ranks).node.peak <= (1 - RESERVE) * plan->memory_per_node;
}

static bool fits(const plan *plan, int64_t nodes) {
    return fits_ranks(plan, nodes * plan->ranks.per_node);
}

/** @return 0: however many, every rank of a node needs more than its share */
static int64_t smallest_nodes(const plan *plan) {
    const int64_t useful = plan->facts.neurons < 1 << 20 ? plan->facts.neurons : 1 << 20; /* ranks without neurons hold as much of the network */
    int64_t low = 0, high = 1, most = useful / plan->ranks.per_node + 1;
    while (high < most && !fits(plan, high)) low = high, high *= 2;
    if (!fits(plan, high)) return 0;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (fits(plan, middle)) high = middle;
        else low = middle;
    }
    return high;
}

static void print_facts(const context *context, const plan *plan) {
    const plan_facts *facts = &plan->facts;
    const char *source = plan->rate_given ? "--rate" : isnan(facts->rate) ? "a guess; say better with --rate" : "mean of the targets; --rate overrides";
    const char *built_in = plan->built_in ? " (built in: engram calibrate measures yours, --machine FILE uses it)" : "";
    log_line(context, "plan for %lld neurons %s", (long long)facts->neurons, facts->network);
    log_line(context, "training: %lld loops of %g ms, %s", (long long)facts->loops, (double)facts->loop_steps * facts->dt, facts->training);
    log_line(context, "assumed: %g Hz (%s); machine: %s%s", plan->rate, source, plan->machine.about.name, built_in);
    if (plan->built_in && version_vector_bits() < machine_builtin_vector_bits)
        log_line(context,
                 "that machine has vectors of %d bits, this program is made for %d: most seconds are too few, some by a factor of two to five; "
                 "measure first: mpirun -n RANKS_OF_A_NODE engram calibrate -o machine.yaml --quick", machine_builtin_vector_bits, version_vector_bits());
}

static void print_memory_row(const context *context, const char *whose, const plan_memory *bytes) {
    char line[LINE_BYTES];
    int at = snprintf(line, sizeof line, "%-24s", whose);
    for (int c = 0; c < MEMORY_CATEGORIES; c++) at += snprintf(line + at, sizeof line - (size_t)at, " %9.1f", bytes->category[c] / MIB);
    snprintf(line + at, sizeof line - (size_t)at, " %10.1f %10.1f", bytes->sum / MIB, bytes->peak / MIB);
    log_line(context, "%s", line);
}

static void print_memory(const context *context, const plan *plan) {
    char line[LINE_BYTES], whose[64];
    int at = snprintf(line, sizeof line, "%-24s", "memory at end, MiB");
    for (int c = 0; c < MEMORY_CATEGORIES; c++) at += snprintf(line + at, sizeof line - (size_t)at, " %9s", memory_figure_name(c));
    snprintf(line + at, sizeof line - (size_t)at, " %10s %10s", memory_figure_name(MEMORY_SUM), memory_figure_name(MEMORY_PEAK));
    log_line(context, "\n%s", line);
    plan_memory bytes = plan_memory_of(plan, plan->ranks.count);
    const plan_memory_together together = plan_memory_of_nodes(plan, plan->ranks.count);
    const char *such = together.alike ? "such " : "";
    print_memory_row(context, "  largest of a rank", &bytes);
    snprintf(whose, sizeof whose, "  a node, %lld %srank%s", (long long)together.ranks, such, together.ranks > 1 ? "s" : "");
    print_memory_row(context, whose, &together.node);
    if (plan->nodes > 1) {
        snprintf(whose, sizeof whose, "  %s%lld %sranks", together.alike ? "" : "all ", (long long)plan->ranks.count, such);
        print_memory_row(context, whose, &together.all);
    }
    if (!together.alike)
        log_line(context, "ranks have different blocks: a node is the fullest one%s, not as many times the largest rank",
                 plan->nodes > 1 ? ", of consecutive ranks" : "");
}

static void print_nodes(const context *context, const plan *plan) {
    char need[ROOM_BYTES], have[ROOM_BYTES];
    int64_t smallest = smallest_nodes(plan), per_node = plan->ranks.per_node;
    double peak = plan_memory_of_nodes(plan, plan->ranks.count).node.peak;
    const char *verdict = peak <= (1 - RESERVE) * plan->memory_per_node ? "fits" : peak <= plan->memory_per_node ? "fits barely" : "DOES NOT FIT";
    show_bytes(peak, need);
    show_bytes(plan->memory_per_node, have);
    log_line(context, "\n%lld node%s with %lld ranks each: %s of %s a node at the peak: %s", (long long)plan->nodes, plan->nodes > 1 ? "s" : "",
             (long long)per_node, need, have, verdict);
    if (smallest)
        log_line(context, "smallest number of nodes that leaves a tenth of their memory free: %lld (%lld ranks)", (long long)smallest,
                 (long long)(smallest * per_node));
    else
        log_line(context, "no number of nodes fits: what every rank holds of the whole network is too much for %lld ranks on a node; use fewer ranks per node",
                 (long long)per_node);
}

static void print_output(const context *context, const plan *plan) {
    plan_output output = plan_output_of(plan);
    char line[LINE_BYTES], text[ROOM_BYTES];
    int at = snprintf(line, sizeof line, "\noutput: %s at most:", show_bytes(output.sum, text));
    for (int f = 0; f < output.files.count; f++)
        at += snprintf(line + at, sizeof line - (size_t)at, " %s %s,", output.files.file[f].name, show_bytes(output.files.file[f].bytes, text));
    log_line(context, "%s checkpoint %s (twice)", line, show_bytes(output.files.checkpoint, text));
}

static void print_time(const context *context, const plan *plan) {
    plan_time time = plan_time_of(plan, plan->ranks.count);
    const plan_seconds *s = &time.of;
    char run[ROOM_BYTES], build[ROOM_BYTES], baseline[ROOM_BYTES], tests[ROOM_BYTES];
    log_line(context, "\n%-24s %9s %9s %9s %9s %9s %9s %9s", "seconds", "loop", "update", "deliver", "learn", "record", "exchange", "waiting");
    log_line(context, "%-24s %9.4g %9.4g %9.4g %9.4g %9.4g %9.4g %9.4g", "  a loop", time.loop, s->update, s->deliver, s->learn, s->record, s->transfer,
             s->waiting);
    clock_format(time.run, run, sizeof run);
    clock_format(s->build, build, sizeof build);
    clock_format(s->baseline, baseline, sizeof baseline);
    clock_format(s->tests, tests, sizeof tests);
    log_line(context, "the run: %s, of which building %s, baseline %s, tests %s; a checkpoint %.1f s, results %.1f s", run, build, baseline, tests,
             time.checkpoint, time.write);
    if (plan->facts.exchange == EXCHANGE_NODES && plan->ranks.count > 1 && plan->machine.exchange.shared.count == 0)
        log_line(context, "the exchange of spikes through shared memory has not been measured on this machine: it counts as one by MPI; "
                          "engram calibrate measures it");
    const char *unmeasured = plan->system->unmeasured && !plan->built_in ? plan->system->unmeasured(plan->sizes, &plan->machine) : NULL;
    if (unmeasured) log_line(context, "%s; engram calibrate measures it", unmeasured);
}

/* ---- over numbers of ranks ---- */

static const int64_t counts[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 100000};
enum { COUNTS = sizeof counts / sizeof *counts };

static int64_t nodes_of(const plan *plan, int64_t ranks) {
    return (ranks + plan->ranks.per_node - 1) / plan->ranks.per_node;
}

/* How many times as long as extrapolated an exchange may take: a published one took 1.0 to 1.8 times (tests/unit/test_plan.c). */
static const double EXCHANGE_MAY_TAKE = 2;

static plan_ranks ranks_like(const plan *plan, int64_t ranks) {
    return (plan_ranks){.count = ranks, .per_node = plan->ranks.per_node};
}

/** s of a loop, where the exchange takes as long as it may. */
static double longest_loop(const plan *plan, int64_t ranks, const plan_time *time) {
    return time->loop + (plan_is_measured(&plan->machine, ranks_like(plan, ranks)) ? 0 : (EXCHANGE_MAY_TAKE - 1) * time->of.transfer);
}

/** @param remark behind the line */
static void print_ranks_row(const context *context, const plan *plan, int64_t ranks, const plan_time *time, const char *remark) {
    double peak = plan_memory_of(plan, ranks).peak;
    const char *fit = fits_ranks(plan, ranks) ? "yes" : "no";
    const plan_seconds *s = &time->of;
    char most[ROOM_BYTES] = "-";
    if (!plan_is_measured(&plan->machine, ranks_like(plan, ranks))) snprintf(most, sizeof most, "%.4g", longest_loop(plan, ranks, time));
    log_line(context, "%8lld %7lld %10.1f %5s %10.4g %9.4g %9.4g %9.4g %9.4g %9.4g %9.4g %10s%s", (long long)ranks, (long long)nodes_of(plan, ranks),
             peak / MIB, fit, time->loop, s->update, s->deliver, s->learn, s->record, s->transfer, s->waiting, most, remark);
}

static void print_ranks(const context *context, const plan *plan) {
    bool taken = false;
    log_line(context, "\n%8s %7s %10s %5s %10s %9s %9s %9s %9s %9s %9s %10s", "ranks", "nodes", "MiB/rank", "fits", "s/loop", "update", "deliver", "learn",
             "record", "exchange", "waiting", "up_to");
    for (int k = 0; k < COUNTS; k++) {
        plan_time time = plan_time_of(plan, counts[k]);
        bool now = time.of.transfer + time.of.waiting > time.loop / 2 && !taken;
        taken = taken || now;
        print_ranks_row(context, plan, counts[k], &time, now ? "  <- communication takes over" : "");
        if (counts[k] >= plan->facts.neurons) break; /* a rank without neurons helps nobody */
    }
    log_line(context, "%s", taken ? "from there on more ranks mostly wait for each other: exchange and waiting are more than half of a loop"
                                  : "communication stays below half of a loop");
    const param_numbers *measured = &plan->machine.exchange.ranks;
    log_line(context, "up_to: the exchange was measured for up to %.0f ranks of a node; for more, and between nodes (%g us, %g GB/s), it is extrapolated, "
                      "and a loop takes s/loop, or up_to if that exchange takes %g times as long. Waiting is what spikes make uneven, "
                      "not what else disturbs nodes",
             measured->values[measured->count - 1], plan->machine.network.latency, plan->machine.network.bandwidth, EXCHANGE_MAY_TAKE);
}

static void write_ranks(FILE *out, const plan *plan, int64_t ranks) {
    plan_time time = plan_time_of(plan, ranks);
    const plan_seconds *s = &time.of;
    fprintf(out, "%lld,%lld,%g,%.1f,", (long long)ranks, (long long)nodes_of(plan, ranks), plan->rate, plan_memory_of(plan, ranks).peak / MIB);
    fprintf(out, "%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%.1f\n", time.loop, s->update, s->deliver, s->learn, s->record, s->transfer, s->waiting,
            longest_loop(plan, ranks, &time), plan_memory_of_nodes(plan, ranks).node.peak / MIB);
}

/** The planned number of ranks and those of print_ranks(), ascending, a line each. @return not agreed */
static status write_csv(const context *context, const plan_options *options, const plan *plan) {
    status result;
    FILE *out = plan_file_open(options->csv, 0666, &result);
    if (!out) return result;
    fprintf(out, "ranks,nodes,rate_hz,memory_mib,seconds,update,deliver,learn,record,exchange,waiting,up_to,node_memory_mib\n");
    int64_t last = 0, planned = plan->ranks.count;
    for (int k = 0; k < COUNTS && last < plan->facts.neurons; last = counts[k++]) {
        if (last < planned && planned < counts[k]) write_ranks(out, plan, planned);
        write_ranks(out, plan, counts[k]);
    }
    if (last < planned) write_ranks(out, plan, planned);
    result = plan_file_close(out, options->csv);
    if (result == STATUS_OK) log_line(context, "\n%s: the table, for tools/scaling plot --model", options->csv);
    return result;
}

/* ---- all together ---- */

static void print_plan(const context *context, const plan *plan) {
    print_facts(context, plan);
    print_memory(context, plan);
    print_nodes(context, plan);
    print_output(context, plan);
    print_time(context, plan);
    print_ranks(context, plan);
}

/** What the options leave open is the machine's, and must be known. @return not agreed */
static status settle(const plan_options *options, plan *plan) {
    const machine_about *about = &plan->machine.about;
    plan->ranks = (plan_ranks){.count = options->ranks, .per_node = options->ranks_per_node ? options->ranks_per_node : about->ranks};
    plan->nodes = nodes_of(plan, plan->ranks.count);
    plan->memory_per_node = GIB * (isnan(options->memory_per_node) ? about->memory : options->memory_per_node);
    plan->rate_given = !isnan(options->rate);
    plan->rate = plan->rate_given ? options->rate : isnan(plan->facts.rate) ? 5 : plan->facts.rate;
    if (isnan(plan->memory_per_node)) return status_fail(STATUS_INPUT, "%s says no machine.memory: give --memory-per-node GIB", options->machine);
    if (options->sbatch && plan->built_in && !options->ranks_per_node && plan->nodes > 1)
        return status_fail(STATUS_INPUT, "--sbatch: the machine that is built in has %lld cores a node, %lld ranks are asked for: give --ranks-per-node N, "
                                         "how many ranks a node of your cluster takes, or its machine file (--machine FILE; engram calibrate writes one)",
                           (long long)plan->ranks.per_node, (long long)plan->ranks.count);
    if (plan->rate <= 0) plan->rate = 1e-3;
    return plan->system->check ? plan->system->check(plan->sizes, plan->ranks.count) : STATUS_OK;
}

/** Would a file that is to be replaced be one that is read? @param what it is @param path NULL: there is none @return not agreed */
static status check_spared(const plan_options *options, const char *what, const char *path) {
    const char *const outputs[] = {options->sbatch, options->csv}, *const names[] = {"--sbatch", "--csv"};
    for (int k = 0; k < 2; k++)
        if (outputs[k] && path && file_same(outputs[k], path))
            return status_fail(STATUS_INPUT, "%s %s: is the %s, which is read, and would be replaced", names[k], outputs[k], what);
    return STATUS_OK;
}

/** Files that are to be written, before anything is worked out. */
static status check_files(const plan_options *options) {
    status result = options->machine ? file_check_name("--machine", options->machine) : STATUS_OK;
    if (options->sbatch) result = status_worse(result, plan_file_check("--sbatch", options->sbatch, options->overwrite));
    if (options->csv) result = status_worse(result, plan_file_check("--csv", options->csv, options->overwrite));
    if (options->sbatch && options->csv && file_same_name(options->sbatch, options->csv))
        result = status_fail(STATUS_INPUT, "--sbatch and --csv name the same file, %s", options->csv);
    if (result == STATUS_OK && options->sbatch) {
        char *site; /* the script will need it */
        result = site_find(&site);
        free(site);
    }
    if (result == STATUS_OK) result = check_spared(options, "parameter file", options->config);
    if (result == STATUS_OK) result = check_spared(options, "machine file", options->machine);
    return result;
}

/** Would it be one that the parameters name? @return agreed and printed */
static status check_inputs_spared(const context *alone, const plan_options *options, const config *config) {
    const char *outputs[2];
    int count = 0;
    if (!options->overwrite) return STATUS_OK; /* what is there already is refused */
    if (options->sbatch) outputs[count++] = options->sbatch;
    if (options->csv) outputs[count++] = options->csv;
    char *now = config_inputs(alone, config);
    status result = inputs_spare(alone, now, NULL, outputs, count);
    free(now);
    return result;
}

/** Ask the system for the sizes of what plan->config describes. @return agreed and printed */
static status open_sizes(const context *alone, const plan_options *options, plan *plan) {
    const learning_system *system = system_of(plan->config);
    if (!system->plan) return status_agree(alone, status_fail(STATUS_INPUT, "the system %s cannot be planned", system->name));
    status result = run_prepare(alone, plan->config, system);
    if (result == STATUS_OK) result = check_inputs_spared(alone, options, plan->config);
    if (result == STATUS_OK && options->sbatch) result = status_agree(alone, results_check_planned(plan->config, options->directory));
    if (result != STATUS_OK) return result;
    plan->system = system->plan;
    result = status_agree(alone, plan->system->open(alone, plan->config, &plan->sizes));
    if (result == STATUS_OK) plan->system->facts(plan->sizes, &plan->facts);
    return result;
}

/** Tell, and write what is asked for. @return agreed and printed */
static status tell(const context *alone, const plan_options *options, const plan *plan) {
    status result = STATUS_OK;
    print_plan(alone, plan);
    if (options->sbatch) result = status_agree(alone, job_script_write(alone, options, plan));
    if (result == STATUS_OK && options->csv) result = status_agree(alone, write_csv(alone, options, plan));
    return result;
}

/** A context of rank 0 alone: nothing of a plan is worth sharing. */
static status plan_alone(const context *alone, const plan_options *options) {
    plan plan = {.built_in = options->machine == NULL};
    status result = status_agree(alone, check_files(options));
    if (result == STATUS_OK) result = machine_open(alone, options->machine, &plan.machine);
    if (result != STATUS_OK) return result;
    result = config_read(alone, options->config, options->overrides, training_schema(), &plan.config);
    if (result == STATUS_OK) {
        result = open_sizes(alone, options, &plan);
        if (result == STATUS_OK) result = status_agree(alone, settle(options, &plan));
        if (result == STATUS_OK) log_warnings_release(alone);
        if (result == STATUS_OK) result = tell(alone, options, &plan);
        const learning_system *system = system_of(plan.config);
        if (plan.sizes) plan.system->close(plan.sizes);
        if (system->forget) system->forget(plan.config);
        config_free(plan.config);
    }
    machine_close(&plan.machine);
    return result;
}

status plan_run(const context *job, const plan_options *options) {
    int code = STATUS_OK;
    if (job->rank == 0) {
        context alone = context_of(MPI_COMM_SELF);
        alone.warnings = job->warnings;
        code = plan_alone(&alone, options);
    }
    CHECK_MPI(MPI_Bcast(&code, 1, MPI_INT, 0, job->comm));
    return (status)code;
}
