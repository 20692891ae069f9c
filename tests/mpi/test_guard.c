/* State that is not finite ends a trial on all ranks, soon, wherever it is noticed; so does a request to stop. */
#include <math.h>
#include <string.h>

#include "../expect.h"
#include "engram/schema.h"
#include "systems/patterns/patterns.h"
#include "training/guard.h"
#include "training/prepare.h"

/** Puts a value into an array of one neuron at one step. */
typedef struct {
    partition part;
    double *array, value;
    int64_t gid, at, last; /* last: step seen */
} saboteur;

static void sabotage(void *self, int64_t step, const int32_t *fired, int count) {
    (void)fired, (void)count;
    saboteur *saboteur = self;
    saboteur->last = step;
    int64_t local = saboteur->gid - saboteur->part.first;
    if (step == saboteur->at && local >= 0 && local < saboteur->part.mine) saboteur->array[local] = saboteur->value;
}

/** What is run, and who guards it. */
typedef struct {
    patterns *self;
    simulation *sim;
    system_facts facts;
    guard *guard;
} subject;

static pulse pulse_of(const subject *subject, run_watch *watch) {
    return (pulse){.rank = subject->sim->context.rank,
                   .watch = watch,
                   .guard = subject->guard,
                   .steps = subject->facts.loop_steps,
                   .look_every = subject->facts.look_every};
}

static void check(const subject *subject, double *array, double value, const char *said) {
    simulation *sim = subject->sim;
    saboteur saboteur = {.part = sim->part, .array = array, .value = value, .gid = 17, .at = 333};
    pulse result = pulse_of(subject, NULL);
    trial trial = {.stream = 1, .reset = true, .plastic = true, .stimulate = true, .learn = true, .steps = sim->loop_steps, .pulse = &result};
    trial_result ignored;
    pulse_observe(&result, &saboteur, sabotage);
    trial_run(sim, &trial, &ignored);
    int mine = 17 >= sim->part.first && 17 < sim->part.first + sim->part.mine;
    EXPECT(!result.whole, "%s: the trial ran to its end", said);
    EXPECT(saboteur.last >= 333 && saboteur.last <= 333 + 2 * sim->every, "%s: ended after step %lld", said, (long long)saboteur.last);
    EXPECT((result.fault[0] != 0) == mine, "%s: '%s' on rank %d", said, result.fault, sim->context.rank);
    if (mine) EXPECT(strstr(result.fault, said) && strstr(result.fault, "neuron 17 ") && strstr(result.fault, " ms: "), "'%s'", result.fault);
    int64_t steps[2] = {saboteur.last, -saboteur.last};
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, steps, 2, MPI_INT64_T, MPI_MAX, sim->context.comm));
    EXPECT(steps[0] == -steps[1], "ranks ended at different steps");
}

/** Without anything wrong the trial is whole; a watch past its limit gives it up on all ranks at once. */
static void check_whole_and_watched(const subject *subject) {
    pulse result = pulse_of(subject, NULL);
    trial trial = {.stream = 1, .reset = true, .plastic = true, .stimulate = true, .steps = subject->facts.loop_steps, .pulse = &result};
    trial_result ignored;
    trial_run(subject->sim, &trial, &ignored);
    EXPECT(result.whole && !result.fault[0], "'%s'", result.fault);
    run_watch watch;
    watch_begin(&watch, 1e-9);
    watch.can_finish = false;
    result = pulse_of(subject, &watch);
    trial_run(subject->sim, &trial, &ignored);
    EXPECT(!result.whole && watch.asked && !result.fault[0], "not given up");
    watch_end(&watch);
}

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    context job = context_of(MPI_COMM_WORLD);
    const char *const overrides[] = {
        "network.neurons=40",      "network.in_degree=4", "simulation.dt=0.5 ms",       "stimulus.start=10 ms", "stimulus.stop=20 ms",
        "targets.duration=400 ms", "learning.every=5 ms", "simulation.baseline=100 ms", "guards.max_rate=0",    NULL};
    config *config;
    subject subject = {0};
    timers timers = {0};
    job.quiet = true;
    if (config_read(&job, NULL, overrides, training_schema(), &config) != STATUS_OK) return 1;
    const learning_system *system = system_of(config);
    const system_setting setting = {&job, config, BUILD_TRAIN, &timers};
    if (run_prepare(&job, config, system) != STATUS_OK || system->build(&setting, &subject.facts, (void **)&subject.self) != STATUS_OK) return 1;
    simulation *sim = subject.sim = subject.self->sim;
    subject.guard = guard_new(&job, system, subject.self, &subject.facts, 0);
    check(&subject, sim->neurons->field[0], NAN, "v of neuron");
    check(&subject, sim->neurons->field[0], -INFINITY, "v of neuron");
    check(&subject, sim->drive->plastic_sum, INFINITY, "the drive of neuron");
    check_whole_and_watched(&subject);
    guard_free(subject.guard);
    system->free(subject.self);
    config_free(config);
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, job.comm));
    MPI_Finalize();
    return failed;
}
