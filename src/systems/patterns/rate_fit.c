#include "rate_fit.h"

#include <math.h>

#include "engram/memory.h"

/** Target rate of one neuron in bin @p b: instants k (from 1) are at k * every, the bin is ]begin, end]. @param rate [instants], @p stride apart */
static double target_in_bin(const double *rate, int64_t stride, int instants, int64_t every, int64_t begin, int64_t end) {
    int64_t first = begin / every + 1, last = end / every;
    if (last > instants) last = instants;
    double sum = 0;
    for (int64_t k = first; k <= last; k++) sum += rate[(k - 1) * stride];
    if (last >= first) return sum / (double)(last - first + 1);
    double at = (double)(begin + end) / 2 / (double)every; /* between instants */
    int64_t below = (int64_t)at;
    if (below < 1) return rate[0];
    if (below >= instants) return rate[(instants - 1) * stride];
    return rate[(below - 1) * stride] + (at - (double)below) * (rate[below * stride] - rate[(below - 1) * stride]);
}

static void regress(const double *x, const double *y, int bins, double *slope, double *error) {
    double mean_x = 0, mean_y = 0, xx = 0, xy = 0, off = 0;
    for (int b = 0; b < bins; b++) mean_x += x[b] / bins, mean_y += y[b] / bins;
    for (int b = 0; b < bins; b++) {
        xx += (x[b] - mean_x) * (x[b] - mean_x);
        xy += (x[b] - mean_x) * (y[b] - mean_y);
        off += (y[b] - x[b]) * (y[b] - x[b]);
    }
    bool varies = xx > 1e-26 * bins * mean_x * mean_x && xx != 0; /* as in score_pearson() */
    *slope = varies ? xy / xx : NAN;
    *error = varies ? sqrt(off / xx) : NAN;
}

rate_fit *rate_fit_new(const simulation *sim, int task, const psth *psth, int trials) {
    if (!sim->targets.rate) return NULL;
    const target_columns *columns = &sim->targets.columns;
    int mine = sim->part.mine, bins = psth->bins, instants = sim->targets.instants;
    size_t count = (size_t)mine;
    rate_fit *fit = memory_new(MEMORY_OUTPUT, 1, sizeof *fit);
    *fit = (rate_fit){memory_new(MEMORY_OUTPUT, count, sizeof(double)), memory_new(MEMORY_OUTPUT, count, sizeof(double)),
                      memory_new(MEMORY_OUTPUT, count, sizeof(double))};
    double *x = memory_new(MEMORY_BUFFERS, (size_t)(2 * bins), sizeof(double)), *y = x + bins, hz = 1000 / ((double)psth->bin * sim->dt * trials);
    for (int i = 0; i < mine; i++) {
        fit->correlation[i] = fit->slope[i] = fit->error[i] = NAN;
        if (!sim->trained[sim->part.first + i] || bins < 2) continue;
        const double *rate = sim->targets.rate + (int64_t)task * instants * columns->count + target_column(columns, i);
        for (int b = 0; b < bins; b++) {
            x[b] = target_in_bin(rate, columns->count, instants, sim->every, b * psth->bin, (b + 1) * psth->bin);
            y[b] = psth->count[(int64_t)b * mine + i] * hz;
        }
        score_pearson(x, y, bins, 1, 1, &fit->correlation[i]);
        regress(x, y, bins, &fit->slope[i], &fit->error[i]);
    }
    memory_free(x);
    return fit;
}

void rate_fit_free(rate_fit *fit) {
    if (!fit) return;
    memory_free(fit->correlation), memory_free(fit->slope), memory_free(fit->error);
    memory_free(fit);
}
