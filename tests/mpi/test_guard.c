/* State that is not finite ends a trial on all ranks, soon, wherever it is noticed; so does a request to stop. */
#include <math.h>
#include <string.h>

#include "../expect.h"
#include "engram/schema.h"
#include "engram/simulation.h"

/** Puts a value into an array of one neuron at one step. */
typedef struct {
    double *array, value;
    int64_t gid, at, last; /* last: step seen */
} saboteur;

static void sabotage(void *self, const simulation *sim, int64_t step, const int32_t *fired, int count) {
    (void)fired, (void)count;
    saboteur *saboteur = self;
    saboteur->last = step;
    int64_t local = saboteur->gid - sim->part.first;
    if (step == saboteur->at && local >= 0 && local < sim->part.mine) saboteur->array[local] = saboteur->value;
}

static void check(simulation *sim, double *array, double value, const char *said) {
    saboteur saboteur = {.array = array, .value = value, .gid = 17, .at = 333};
    trial trial = {.stream = 1, .reset = true, .plastic = true, .stimulate = true, .learn = true, .steps = sim->loop_steps, .guarded = true};
    trial_result result;
    trial_observe(&trial, &saboteur, sabotage);
    trial_run(sim, &trial, &result);
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
static void check_whole_and_watched(simulation *sim) {
    trial trial = {.stream = 1, .reset = true, .plastic = true, .stimulate = true, .steps = sim->loop_steps, .guarded = true};
    trial_result result;
    trial_run(sim, &trial, &result);
    EXPECT(result.whole && !result.fault[0], "'%s'", result.fault);
    run_watch watch;
    watch_begin(&watch, 1e-9);
    watch.can_finish = false;
    trial.watch = &watch;
    trial_run(sim, &trial, &result);
    EXPECT(!result.whole && watch.asked && !result.fault[0], "not given up");
    watch_end(&watch);
}

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    context job = context_of(MPI_COMM_WORLD);
    const char *const overrides[] = {"network.neurons=40", "network.in_degree=4", "simulation.dt=0.5 ms", "stimulus.start=10 ms", "stimulus.stop=20 ms", "targets.duration=400 ms",
                                     "learning.every=5 ms", "simulation.baseline=100 ms", "guards.max_rate=0", NULL};
    config *config;
    simulation *sim;
    job.quiet = true;
    if (config_read(&job, NULL, overrides, training_schema(), &config) != STATUS_OK) return 1;
    if (simulation_build(&job, config, false, &sim) != STATUS_OK) return 1;
    check(sim, sim->neurons->field[0], NAN, "v of neuron");
    check(sim, sim->neurons->field[0], -INFINITY, "v of neuron");
    check(sim, sim->drive->plastic_sum, INFINITY, "the drive of neuron");
    check_whole_and_watched(sim);
    simulation_free(sim);
    config_free(config);
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, job.comm));
    MPI_Finalize();
    return failed;
}
