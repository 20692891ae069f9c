/* The run of the static network, before anything is plastic, that measures what targets need to know of it (patterns/README.md 6.2). */
#include <math.h>

#include "build.h"
#include "engram/memory.h"

/** Observer: mean and variance of the static drive once the network has settled, and spikes of my neurons. */
typedef struct {
    const simulation *sim;
    int64_t settle, samples, settled; /* steps; spikes after them, of my neurons */
    double *sum, *square; /* [mine] */
    uint32_t *spikes;     /* [mine] */
} baseline_watch;

static void watch_step(void *self, int64_t step, const int32_t *fired, int count) {
    baseline_watch *watch = self;
    const simulation *sim = watch->sim;
    for (int k = 0; k < count; k++) watch->spikes[fired[k]]++;
    if (step <= watch->settle) return;
    watch->samples++;
    watch->settled += count;
    const drive *drive = sim->drive;
    if (!drive_has_static(drive)) return; /* no static synapses: no static drive */
    for (int i = 0; i < sim->part.mine; i++) {
        double u = drive_static(drive, i); /* without current noise, which Siegert's formula gets apart */
        watch->sum[i] += u;
        watch->square[i] += u * u;
    }
}

/** s: temporal SD of the drive, averaged over the first 1000 excitatory neurons (patterns/README.md 3.6). Collective. */
static double mean_sd(const simulation *sim, const baseline_watch *watch) {
    const cells *cells = sim->network.cells;
    int64_t measured = cells->excitatory < 1000 ? cells->excitatory : 1000, until = cells_until(cells, measured);
    exact_sum sum = {0};
    for (int i = 0; i < sim->part.mine && sim->part.first + i < until; i++) {
        if (!cell_is_excitatory(cells, sim->part.first + i)) continue;
        double mean = watch->sum[i] / (double)watch->samples;
        sum_add(&sum, sqrt(fmax(watch->square[i] / (double)watch->samples - mean * mean, 0)));
    }
    return measured ? sum_value(sum_all(&sim->context, sum)) / (double)measured : NAN;
}

/** The same for each population, over all of its neurons. Collective. @return [populations] owned; NULL without populations */
static double *sd_by_population(const simulation *sim, const baseline_watch *watch) {
    const cells *cells = sim->network.cells;
    if (!cells->populations) return NULL;
    double *sd = memory_new(MEMORY_STATE, (size_t)cells->populations, sizeof *sd);
    for (int p = 0; p < cells->populations; p++) {
        exact_sum sum = {0};
        for (int i = 0; i < sim->part.mine; i++) {
            if (sim->part.first + i < cells->border[p] || sim->part.first + i >= cells->border[p + 1]) continue;
            const double mean = watch->sum[i] / (double)watch->samples;
            sum_add(&sum, sqrt(fmax(watch->square[i] / (double)watch->samples - mean * mean, 0)));
        }
        sd[p] = sum_value(sum_all(&sim->context, sum)) / (double)(cells->border[p + 1] - cells->border[p]);
    }
    return sd;
}

static void gather_activity(const simulation *sim, const uint32_t *mine, uint32_t *all) {
    int ranks = sim->context.ranks;
    int *counts = memory_new(MEMORY_BUFFERS, (size_t)ranks, sizeof(int)), *offsets = memory_new(MEMORY_BUFFERS, (size_t)ranks, sizeof(int));
    partition_blocks(&sim->part, counts, offsets);
    CHECK_MPI(MPI_Allgatherv(mine, sim->part.mine, MPI_UINT32_T, all, counts, offsets, MPI_UINT32_T, sim->context.comm));
    memory_free(counts);
    memory_free(offsets);
}

/** From sums to what the run found. Collective. */
static void finish(simulation *sim, const baseline_watch *watch, const trial_result *spikes, double seconds, baseline *result) {
    size_t mine = (size_t)sim->part.mine;
    result->seconds = seconds;
    result->mean_drive = memory_new(MEMORY_TARGETS, mine, sizeof(double));
    result->activity = memory_new(MEMORY_TARGETS, (size_t)sim->part.total, sizeof(uint32_t));
    if (sim->dry) return;
    int64_t counts[2] = {sim->network.cells->excitatory, sim->part.total - sim->network.cells->excitatory};
    for (int type = 0; type < 2; type++) sim->baseline_rate[type] = counts[type] ? (double)spikes->spikes[type] / ((double)counts[type] * seconds) : NAN;
    sim->baseline_sd = mean_sd(sim, watch);
    sim->population_sd = sd_by_population(sim, watch);
    int64_t settled = watch->settled;
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &settled, 1, MPI_INT64_T, MPI_SUM, sim->context.comm));
    sim->baseline_settled = (double)settled * 1000 / ((double)sim->part.total * (double)watch->samples * sim->dt);
    for (int i = 0; i < sim->part.mine; i++) result->mean_drive[i] = watch->sum[i] / (double)watch->samples;
    gather_activity(sim, watch->spikes, result->activity);
    exact_sum sum = {0}, square = {0};
    for (int i = 0; i < sim->part.mine; i++) sum_add(&sum, result->mean_drive[i]), sum_add(&square, result->mean_drive[i] * result->mean_drive[i]);
    double mean = sum_value(sum_all(&sim->context, sum)) / (double)sim->part.total;
    double variance = sum_value(sum_all(&sim->context, square)) / (double)sim->part.total - mean * mean;
    log_line(&sim->context, "baseline: %.3f Hz excitatory, %.3f Hz inhibitory; static drive %.4f (SD over cells %.4f, in time %.4f)", sim->baseline_rate[0],
             sim->baseline_rate[1], mean, sqrt(fmax(variance, 0)), sim->baseline_sd);
}

void baseline_run(simulation *sim, double duration, baseline *result) {
    size_t mine = (size_t)sim->part.mine;
    double settle_ms = duration > 1000 ? 1000 : duration / 2;
    baseline_watch watch = {.sim = sim, .settle = llround(settle_ms / sim->dt), .sum = memory_new(MEMORY_BUFFERS, mine, sizeof(double)),
                            .square = memory_new(MEMORY_BUFFERS, mine, sizeof(double)), .spikes = memory_new(MEMORY_BUFFERS, mine, sizeof(uint32_t))};
    stopwatch timer = stopwatch_start(sim->timers);
    const timers before = *sim->timers;
    pulse pulse = {0};
    trial trial = {.stream = STREAM_BASELINE, .reset = true, .steps = llround(duration / sim->dt), .pulse = &pulse};
    pulse_observe(trial.pulse, &watch, watch_step);
    trial_result spikes;
    trial_run(sim, &trial, &spikes);
    *sim->timers = before; /* one figure for all of it */
    stopwatch_charge(&timer, PHASE_BASELINE);

    finish(sim, &watch, &spikes, (double)trial.steps * sim->dt / 1000, result);
    memory_free(watch.sum);
    memory_free(watch.square);
    memory_free(watch.spikes);
}

void baseline_clear(baseline *baseline) {
    memory_free(baseline->mean_drive);
    memory_free(baseline->activity);
}

/** Observer: the drive at learning instants, counted from the end of the settling time. */
typedef struct {
    const simulation *sim;
    int64_t settle, every;
    int instants;
    double *rows;
} drive_watch;

static void drive_watch_step(void *self, int64_t step, const int32_t *fired, int count) {
    (void)fired, (void)count;
    drive_watch *watch = self;
    const simulation *sim = watch->sim;
    int64_t since = step - watch->settle;
    if (since <= 0 || since % watch->every || since / watch->every > watch->instants) return;
    double *row = watch->rows + (since / watch->every - 1) * sim->part.mine;
    drive_total(sim->drive, 0, sim->part.mine, row);
}

void record_untrained(void *simulation_, double settle, int instants, double every, double *rows) {
    simulation *sim = simulation_;
    drive_watch watch = {.sim = sim, .settle = llround(settle / sim->dt), .every = llround(every / sim->dt), .instants = instants, .rows = rows};
    pulse pulse = {0};
    trial trial = {.stream = STREAM_UNTRAINED, .reset = true, .plastic = true, .steps = watch.settle + watch.every * instants, .pulse = &pulse};
    pulse_observe(&pulse, &watch, drive_watch_step);
    trial_result ignored;
    trial_run(sim, &trial, &ignored);
}
