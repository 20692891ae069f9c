/* Measures of single neurons (README.md 7), each on the rank of its neuron: intervals between spikes, and the excitation and inhibition that its currents add
 * up to. */
#include <string.h>

#include "engram/memory.h"
#include "testing.h"

static const double CURRENT_S = 0.010, DROPPED_S = 0.5;

/** Sums over steps of a neuron's smoothed currents: E and I (above 0), R that of its own reset. */
enum { SUM_E, SUM_I, SUM_R, SUM_EE, SUM_II, SUM_EI, SUM_RR, SUM_ER, SUM_IR, SUMS };

struct activity {
    balanced *b;
    int64_t first;           /* steps of a trial that do not count */
    int64_t *sums;           /* [columns][mine] */
    int64_t *last, *before;  /* [mine] step of the last spike, -1; and the interval before, 0: none */
    bool balance;
    double part;             /* dt over the time constant of smoothing */
    int64_t balance_from;    /* step from which currents count */
    int64_t steps;           /* of them */
    double *slow_e, *slow_i; /* [mine] sums over inputs of W_s r, by sign */
    double *e, *i, *reset;   /* [mine] smoothed */
    double *sum;             /* [mine][SUMS] */
    double *weight;          /* [P][mine] W_s over a basis; NULL: r is what they multiply */
    double *psi;             /* [P] */
    double *above, *all;     /* [mine] sums of a step over the basis: of terms above 0, of all */
};

activity *activity_new(balanced *b, bool balance) {
    const size_t mine = (size_t)b->part.mine;
    activity *activity = memory_new(MEMORY_OUTPUT, 1, sizeof *activity);
    *activity = (struct activity){.b = b, .balance = balance, .part = fmin(1, b->dt / CURRENT_S)};
    activity->last = memory_new(MEMORY_OUTPUT, mine, sizeof(int64_t));
    activity->before = memory_new(MEMORY_OUTPUT, mine, sizeof(int64_t));
    if (!balance) return activity;
    double **arrays[] = {&activity->slow_e, &activity->slow_i, &activity->e, &activity->i, &activity->reset};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) *arrays[k] = memory_new(MEMORY_OUTPUT, mine, sizeof(double));
    activity->sum = memory_new(MEMORY_OUTPUT, mine * SUMS, sizeof(double));
    if (b->slow_rule != SLOW_BASIS) return activity;
    const int P = b->basis.units, units = basis_row(&b->basis);
    activity->weight = memory_new(MEMORY_OUTPUT, mine * (size_t)P, sizeof(double));
    activity->psi = memory_new(MEMORY_OUTPUT, (size_t)units, sizeof(double));
    activity->above = memory_new(MEMORY_OUTPUT, mine, sizeof(double));
    activity->all = memory_new(MEMORY_OUTPUT, mine, sizeof(double));
    for (int64_t i = 0; i < b->part.mine; i++)
        for (int j = 0; j < b->dimensions; j++)
            for (int p = 0; p < P; p++)
                activity->weight[p * (int64_t)mine + i] += feedforward_of(b, i, j) * b->basis.weight[(size_t)j * (size_t)units + (size_t)p];
    return activity;
}

void activity_free(activity *activity) {
    if (!activity) return;
    double *arrays[] = {activity->slow_e, activity->slow_i, activity->e,   activity->i,     activity->reset,
                        activity->sum,    activity->weight, activity->psi, activity->above, activity->all};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) memory_free(arrays[k]);
    memory_free(activity->last), memory_free(activity->before), memory_free(activity);
}

void activity_begin(activity *activity, int64_t first, int64_t *sums) {
    const size_t mine = (size_t)activity->b->part.mine;
    activity->first = first;
    activity->sums = sums;
    activity->balance_from = first + llround(DROPPED_S / activity->b->dt);
    activity->steps = 0;
    for (size_t i = 0; i < mine; i++) activity->last[i] = -1, activity->before[i] = 0;
    if (!activity->balance) return;
    double *arrays[] = {activity->slow_e, activity->slow_i, activity->e, activity->i, activity->reset};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) memset(arrays[k], 0, mine * sizeof(double));
    memset(activity->sum, 0, mine * SUMS * sizeof(double));
}

/* ---- currents ---- */

/** Smoothed currents of the state that is over. */
static void count_state(activity *activity) {
    activity->steps++;
    for (int64_t n = 0; n < activity->b->part.mine; n++) {
        const double e = activity->e[n], i = activity->i[n], r = activity->reset[n];
        double *sum = activity->sum + n * SUMS;
        sum[SUM_E] += e, sum[SUM_I] += i, sum[SUM_R] += r;
        sum[SUM_EE] += e * e, sum[SUM_II] += i * i, sum[SUM_EI] += e * i;
        sum[SUM_RR] += r * r, sum[SUM_ER] += e * r, sum[SUM_IR] += i * r;
    }
}

/** W_s[i,q] psi_q of a step, over a basis. */
static void add_basis(activity *activity, const double *decoded) {
    const balanced *b = activity->b;
    const int mine = b->part.mine;
    double *restrict above = activity->above, *restrict all = activity->all;
    basis_evaluate(&b->basis, b->dimensions, decoded, activity->psi);
    memset(above, 0, (size_t)mine * sizeof(double)), memset(all, 0, (size_t)mine * sizeof(double));
    for (int p = 0; p < b->basis.units; p++) {
        const double *restrict weight = activity->weight + (size_t)p * (size_t)mine, psi = activity->psi[p];
        for (int i = 0; i < mine; i++) {
            const double term = weight[i] * psi;
            above[i] += term > 0 ? term : 0;
            all[i] += term;
        }
    }
}

/** Single terms of a step, but for those of spikes: F_ij c_j, K F_ij e_j, W_s[i,q] psi_q. */
static void add_currents(activity *activity, const double *c, const double *error, const double *decoded) {
    const balanced *b = activity->b;
    const int J = b->dimensions;
    const double K = b->regime.feedback;
    if (activity->weight) add_basis(activity, decoded);
    for (int64_t i = 0; i < b->part.mine; i++) {
        double positive = activity->slow_e[i], negative = activity->slow_i[i];
        activity->slow_e[i] *= b->decay, activity->slow_i[i] *= b->decay;
        for (int j = 0; j < J; j++) {
            const double F = feedforward_of(b, i, j), drive = F * c[j], fed_back = K * F * error[j];
            positive += fmax(drive, 0) + fmax(fed_back, 0);
            negative += fmax(-drive, 0) + fmax(-fed_back, 0);
        }
        if (activity->weight) positive += activity->above[i], negative += activity->above[i] - activity->all[i];
        activity->e[i] += activity->part * (positive - activity->e[i]);
        activity->i[i] += activity->part * (negative - activity->i[i]);
        activity->reset[i] -= activity->part * activity->reset[i];
    }
}

void activity_step(activity *activity, int64_t step, const double *c, const double *error, const double *decoded) {
    if (!activity->balance) return;
    if (step - 1 > activity->balance_from) count_state(activity);
    add_currents(activity, c, error, decoded);
}

/** A column of W_f, and what it adds to filtered spikes. */
static void add_spike(activity *activity, const spike *spike) {
    const balanced *b = activity->b;
    const int J = b->dimensions;
    const double unit = activity->part / b->dt;
    double slow[DIMENSIONS_MAX] = {0};
    for (int j = 0; j < J; j++) {
        if (b->slow_rule == SLOW_FILTERED) slow[j] = spike->slow[j];
        for (int l = 0; l < J && b->slow_rule == SLOW_PROJECTED; l++) slow[j] += b->matrix[j * J + l] * spike->feedforward[l];
    }
    for (int64_t i = 0; i < b->part.mine; i++) {
        const bool own = b->part.first + i == spike->neuron;
        double weight = own ? b->quadratic_cost : 0, change = 0;
        for (int j = 0; j < J; j++) {
            weight += feedforward_of(b, i, j) * spike->feedforward[j];
            change += feedforward_of(b, i, j) * slow[j];
        }
        if (b->fast) weight = b->fast[(size_t)spike->neuron * (size_t)b->padded + (size_t)i];
        if (own) activity->reset[i] += unit * weight;
        else if (weight > 0) activity->i[i] += unit * weight;
        else activity->e[i] -= unit * weight;
        if (change > 0) activity->slow_e[i] += change;
        else activity->slow_i[i] -= change;
    }
}

void activity_spike(activity *activity, int64_t step, const spike *spike) {
    const balanced *b = activity->b;
    const int64_t own = spike->neuron - b->part.first, mine = b->part.mine;
    if (activity->balance) add_spike(activity, spike);
    if (own < 0 || own >= mine || step <= activity->first) return;
    activity->sums[ACTIVITY_SPIKES * mine + own]++;
    if (activity->last[own] >= 0) {
        const int64_t interval = step - activity->last[own], before = activity->before[own];
        if (before) {
            activity->sums[ACTIVITY_PAIRS * mine + own]++;
            activity->sums[ACTIVITY_CV2 * mine + own] += llrint(2 * fabs((double)(interval - before)) / (double)(interval + before) * ACTIVITY_SCALE);
        }
        activity->before[own] = interval;
    }
    activity->last[own] = step;
}

/** Correlation from sums over n steps. */
static double correlation(double n, double x, double y, double xx, double yy, double xy) {
    return (xy - x * y / n) / sqrt((xx - x * x / n) * (yy - y * y / n));
}

void activity_end(activity *activity) {
    const int64_t mine = activity->b->part.mine;
    if (!activity->balance || activity->steps == 0) return;
    const double n = (double)activity->steps;
    for (int64_t k = 0; k < mine; k++) {
        const double *s = activity->sum + k * SUMS;
        const double values[] = {correlation(n, s[SUM_E], s[SUM_I], s[SUM_EE], s[SUM_II], s[SUM_EI]), s[SUM_I] / s[SUM_E],
                                 correlation(n, s[SUM_E], s[SUM_I] + s[SUM_R], s[SUM_EE], s[SUM_II] + 2 * s[SUM_IR] + s[SUM_RR], s[SUM_EI] + s[SUM_ER]),
                                 (s[SUM_I] + s[SUM_R]) / s[SUM_E]};
        bool defined = activity->b->threshold[k] < INFINITY;
        for (int v = 0; v < 4; v++) defined = defined && fabs(values[v]) < 1e3;
        if (!defined) continue;
        activity->sums[ACTIVITY_TRIALS * mine + k]++;
        for (int v = 0; v < 4; v++) activity->sums[(ACTIVITY_CORRELATION + v) * mine + k] += llrint(values[v] * ACTIVITY_SCALE);
    }
}
