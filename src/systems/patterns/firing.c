/* In the target window:
 *   rate          spikes of a population over its neurons and the time
 *   irregularity  standard deviation over mean of the intervals of a neuron, mean over neurons with two intervals or more
 *   synchrony     variance over mean of the population's spikes in bins of 3 ms, of its first 1000 neurons (Potjans & Diesmann 2014) */
#include "firing.h"

#include <math.h>
#include <string.h>

#include "engram/memory.h"
#include "engram/sum.h"

enum { COUNTED = 1000 };
static const double BIN_MS = 3;

const char *const firing_names[FIRING_MEASURES] = {"population_rate_hz", "population_irregularity", "population_synchrony"};

typedef struct { int64_t last, intervals; double sum, square; } train;

struct firing {
    int populations, mine, bins;
    int64_t window, steps, bin; /* steps */
    const cells *cells;
    int32_t *population;        /* [mine] */
    uint8_t *counted;           /* [mine] of the first 1000 of its population */
    train *trains;              /* [mine] */
    int64_t *spikes;            /* [populations] and behind them [populations][bins] */
};

firing *firing_new(const simulation *sim) {
    const cells *cells = sim->network.cells;
    if (cells->populations == 0) return NULL;
    firing *firing = memory_new(MEMORY_OUTPUT, 1, sizeof *firing);
    const size_t mine = (size_t)sim->part.mine;
    *firing = (struct firing){.populations = cells->populations, .mine = sim->part.mine, .window = sim->window, .steps = sim->targets.instants * sim->every,
                                  .cells = cells};
    firing->bin = llround(BIN_MS / sim->dt);
    if (firing->bin < 1) firing->bin = 1;
    firing->bins = (int)(firing->steps / firing->bin);
    firing->population = memory_new(MEMORY_OUTPUT, mine, sizeof *firing->population);
    firing->counted = memory_new(MEMORY_OUTPUT, mine, 1);
    firing->trains = memory_new(MEMORY_OUTPUT, mine, sizeof *firing->trains);
    firing->spikes = memory_new(MEMORY_OUTPUT, (size_t)cells->populations * (size_t)(1 + firing->bins), sizeof *firing->spikes);
    for (int i = 0, p = 0; i < sim->part.mine; i++) {
        const int64_t gid = sim->part.first + i;
        while (gid >= cells->border[p + 1]) p++;
        firing->population[i] = p;
        firing->counted[i] = gid - cells->border[p] < COUNTED;
    }
    return firing;
}

void firing_free(firing *firing) {
    if (!firing) return;
    memory_free(firing->population), memory_free(firing->counted), memory_free(firing->trains), memory_free(firing->spikes);
    memory_free(firing);
}

void firing_begin(firing *firing) {
    for (int i = 0; i < firing->mine; i++) firing->trains[i] = (train){.last = -1};
    memset(firing->spikes, 0, (size_t)firing->populations * (size_t)(1 + firing->bins) * sizeof *firing->spikes);
}

void firing_step(void *self, int64_t step, const int32_t *fired, int count) {
    firing *firing = self;
    const int64_t since = step - firing->window - 1, bin = since / firing->bin;
    if (since < 0 || since >= firing->steps) return;
    for (int k = 0; k < count; k++) {
        const int i = fired[k], p = firing->population[i];
        train *train = &firing->trains[i];
        const double interval = (double)(step - train->last);
        if (train->last >= 0) train->intervals++, train->sum += interval, train->square += interval * interval;
        train->last = step;
        firing->spikes[p]++;
        if (firing->counted[i] && bin < firing->bins) firing->spikes[firing->populations + p * firing->bins + bin]++;
    }
}

/** Mean over neurons, the same on any number of ranks. @param[out] values [populations] */
static void find_irregularity(const firing *firing, const simulation *sim, double *values) {
    exact_sum *sums = memory_new(MEMORY_BUFFERS, (size_t)firing->populations, sizeof *sums);
    int64_t *neurons = memory_new(MEMORY_BUFFERS, (size_t)firing->populations, sizeof *neurons);
    for (int i = 0; i < firing->mine; i++) {
        const train *train = &firing->trains[i];
        if (train->intervals < 2) continue;
        const double n = (double)train->intervals, mean = train->sum / n;
        sum_add(&sums[firing->population[i]], sqrt(fmax(0, train->square / n - mean * mean)) / mean);
        neurons[firing->population[i]]++;
    }
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, neurons, firing->populations, MPI_INT64_T, MPI_SUM, sim->context.comm));
    for (int p = 0; p < firing->populations; p++) {
        const double sum = sum_value(sum_all(&sim->context, sums[p]));
        values[p] = neurons[p] ? sum / (double)neurons[p] : NAN;
    }
    memory_free(sums), memory_free(neurons);
}

static double variance_over_mean(const int64_t *counts, int bins) {
    double mean = 0, square = 0;
    for (int b = 0; b < bins; b++) mean += (double)counts[b] / bins;
    for (int b = 0; b < bins; b++) square += ((double)counts[b] - mean) * ((double)counts[b] - mean) / bins;
    return mean > 0 ? square / mean : NAN;
}

void firing_finish(firing *firing, const simulation *sim, double *values) {
    const int populations = firing->populations;
    const double seconds = (double)firing->steps * sim->dt / 1000;
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, firing->spikes, populations * (1 + firing->bins), MPI_INT64_T, MPI_SUM, sim->context.comm));
    for (int p = 0; p < populations; p++) {
        const double neurons = (double)(firing->cells->border[p + 1] - firing->cells->border[p]);
        values[FIRING_RATE * populations + p] = (double)firing->spikes[p] / (neurons * seconds);
        values[FIRING_SYNCHRONY * populations + p] = variance_over_mean(firing->spikes + populations + (size_t)p * (size_t)firing->bins, firing->bins);
    }
    find_irregularity(firing, sim, values + FIRING_IRREGULARITY * populations);
}
