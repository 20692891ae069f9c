/* What a system needs, and what the run adds: spikes and traces that it records, metrics.csv, checkpoints, libraries. */
#include <math.h>
#include <string.h>

#include "../training/checkpoint.h"
#include "engram/output.h"
#include "engram/test_settings.h"
#include "plan.h"

static const double MIB = 1 << 20;
static const double METRICS_LINE = 80; /* bytes of a line of metrics.csv */

/* ---- what is recorded ---- */

/** Of some neurons of the network, over all loops. */
static double recorded_spikes(const plan *plan, double neurons) {
    const output_settings *output = config_common(plan->config, "output");
    const plan_facts *facts = &plan->facts;
    double loops = output->spikes == SPIKES_ALL ? (double)facts->loops : output->spikes == SPIKES_LAST && facts->loops ? 1 : 0;
    return loops * neurons * plan->rate * (double)facts->loop_steps * facts->dt / 1000;
}

/** Neurons that are traced, of all ranks. */
static double traced_neurons(const plan *plan) {
    const output_settings *output = config_common(plan->config, "output");
    return output->report.count ? fmin((double)output->report_neurons, (double)plan->facts.neurons) : 0;
}

/** Values of a traced neuron in a loop. */
static double traced_values(const plan *plan) {
    const output_settings *output = config_common(plan->config, "output");
    double samples = floor((double)plan->facts.loop_steps / fmax(1, round(output->report_every / plan->facts.dt)));
    return samples * output->report.count;
}

/** Bytes of recorders on a rank. @param mine neurons that it has */
static double recorders(const plan *plan, double mine) {
    double all = (double)plan->facts.neurons;
    double spikes = recorded_spikes(plan, mine), room = 0, traced = traced_neurons(plan);
    while (room < spikes) room = floor(room * 1.5) + 1024;
    double traced_here = ceil(traced * mine / all);
    return 12 * room + sizeof(float) * traced_here * traced_values(plan) + 4 * traced;
}

/* ---- memory ---- */

/** Of a rank, with what the run holds for itself. @param building the most that it holds by itself until the first loop begins
 *  @param writing beside all, while results are written */
static plan_memory memory_of_rank(const plan *plan, const double category[MEMORY_CATEGORIES], double neurons, double building, double writing) {
    const double libraries = plan->machine.about.libraries * MIB;
    plan_memory memory = {0};
    memcpy(memory.category, category, sizeof memory.category);
    memory.category[MEMORY_LIBRARIES] += libraries;
    memory.category[MEMORY_OUTPUT] += recorders(plan, neurons);
    for (int c = 0; c < MEMORY_CATEGORIES; c++) memory.sum += memory.category[c];
    memory.peak = fmax(building + libraries, memory.sum + writing);
    return memory;
}

plan_memory plan_memory_of(const plan *plan, int64_t ranks) {
    plan_bytes bytes = {0};
    if (plan->system->memory) plan->system->memory(plan->sizes, ranks, plan->rate, &bytes);
    const plan_full_rank *full = bytes.full;
    const double most = fmax(full[0].neurons, full[1].neurons), libraries = plan->machine.about.libraries * MIB;
    const double neurons = most > 0 ? most : (double)((plan->facts.neurons + ranks - 1) / ranks);
    plan_memory memory = memory_of_rank(plan, bytes.category, neurons, bytes.building, bytes.writing);
    if (most > 0) { /* no rank is the fullest in every category */
        memory.sum = libraries + fmax(full[0].held + recorders(plan, full[0].neurons), full[1].held + recorders(plan, full[1].neurons));
        memory.peak = fmax(bytes.building + libraries, memory.sum + bytes.writing);
    }
    return memory;
}

static void add_memory(plan_memory *sum, const plan_memory *more, double times) {
    for (int c = 0; c < MEMORY_CATEGORIES; c++) sum->category[c] += times * more->category[c];
    sum->sum += times * more->sum, sum->peak += times * more->peak;
}

/** Ranks that are told of, one by one. */
typedef struct {
    const plan *plan;
    plan_memory_together *together;
    plan_memory node; /* that is being told of */
    double writing;
    int64_t told;
} memory_visit;

static void visit_rank(void *raw, const plan_rank_bytes *rank) {
    memory_visit *visit = raw;
    const plan_memory memory = memory_of_rank(visit->plan, rank->category, rank->neurons, rank->building, visit->writing);
    plan_memory *most = &visit->together->node;
    if (visit->told++ % visit->plan->ranks.per_node == 0) visit->node = (plan_memory){0};
    add_memory(&visit->node, &memory, 1);
    add_memory(&visit->together->all, &memory, 1);
    if (visit->node.peak > most->peak) *most = visit->node;
}

plan_memory_together plan_memory_of_nodes(const plan *plan, int64_t ranks) {
    plan_memory_together together = {.ranks = ranks < plan->ranks.per_node ? ranks : plan->ranks.per_node};
    plan_bytes bytes = {0};
    if (plan->system->memory) plan->system->memory(plan->sizes, ranks, plan->rate, &bytes);
    memory_visit visit = {.plan = plan, .together = &together, .writing = bytes.writing};
    together.alike = !(plan->system->each && plan->system->each(plan->sizes, ranks, plan->rate, visit_rank, &visit));
    if (!together.alike) return together;
    const plan_memory fullest = plan_memory_of(plan, ranks);
    add_memory(&together.node, &fullest, (double)together.ranks);
    add_memory(&together.all, &fullest, (double)ranks);
    return together;
}

/* ---- the disk ---- */

void plan_add_file(plan_files *files, const char *name, double bytes) {
    if (files->count == PLAN_FILES_MAX) context_abort("plan: more than %d files", PLAN_FILES_MAX);
    files->file[files->count++] = (plan_file){name, bytes};
}

plan_output plan_output_of(const plan *plan) {
    plan_output output = {0};
    plan_files of_system = {0};
    if (plan->system->output) plan->system->output(plan->sizes, plan->rate, &of_system);
    plan_add_file(&output.files, "spikes", 16 * recorded_spikes(plan, (double)plan->facts.neurons));
    plan_add_file(&output.files, "report", sizeof(float) * traced_neurons(plan) * traced_values(plan));
    for (int f = 0; f < of_system.count; f++) plan_add_file(&output.files, of_system.file[f].name, of_system.file[f].bytes);
    output.files.checkpoint = of_system.checkpoint;
    output.sum = METRICS_LINE * (double)plan->facts.loops + 2 * of_system.checkpoint;
    for (int f = 0; f < output.files.count; f++) output.sum += output.files.file[f].bytes;
    return output;
}

/* ---- time ---- */

/** How many are written. @param loops s of all loops */
static double checkpoints(const plan *plan, double loops) {
    const checkpoint_settings *checkpoint = config_common(plan->config, "checkpoint");
    double by_loops = checkpoint->every_loops ? floor((double)(plan->facts.loops - 1) / (double)checkpoint->every_loops) : 0;
    double by_time = checkpoint->every > 0 ? floor(loops * 1000 / checkpoint->every) : 0;
    return 1 + fmax(0, fmax(by_loops, by_time));
}

double plan_between(const test_settings *test, int64_t validation) {
    return validation && validation < test->trials ? (double)validation / (double)test->trials : 1;
}

/** How often a run tests between loops. */
static double tests_between(const plan *plan) {
    const test_settings *test = config_common(plan->config, "test");
    return test->every ? floor((double)plan->facts.loops / (double)test->every) : 0;
}

plan_time plan_time_of(const plan *plan, int64_t ranks) {
    plan_time time = {0};
    plan_seconds *of = &time.of;
    plan_output output = plan_output_of(plan);
    double disk = plan->machine.about.disk * 1e6; /* bytes/s */
    if (plan->system->time) plan->system->time(plan->sizes, &plan->machine, (plan_ranks){ranks, plan->ranks.per_node}, plan->rate, of);
    of->tests += tests_between(plan) * (of->between > 0 ? of->between : of->tests);
    time.loop = of->update + of->deliver + of->learn + of->record + of->transfer + of->waiting;
    time.checkpoint = output.files.checkpoint / disk;
    time.write = (output.sum - 2 * output.files.checkpoint) / disk;
    double loops = (double)plan->facts.loops * time.loop;
    time.run = of->build + of->baseline + loops + checkpoints(plan, loops) * time.checkpoint + time.write + of->tests;
    return time;
}
