#include <math.h>
#include <string.h>

#include "engram/memory.h"
#include "tracker.h"

enum { SCORE_COLUMNS = 64 };

struct tracker {
    const simulation *sim;
    int mine, instants;
    bool at_instants;      /* window 0: samples are the values at the instants */
    bool total;            /* the drive with its static part; else only what is learned */
    bool rates;            /* phi2 of the drive */
    int64_t samples;       /* whole ms of the window */
    int *stretch_of;       /* [samples+1] stretch of ms tau */
    int *first, *last;     /* [instants] stretches of a bin, inclusive */
    int *members;          /* [instants] ms in a bin */
    int stretches;
    double *sum;           /* [stretches][mine] */
    double *value;         /* [instants][mine] */
};

/** Bins that ms tau belongs to, 1-based (patterns/README.md 6.3). */
static void bins_of(int64_t tau, double window, double every, int instants, int64_t *low, int64_t *high) {
    int64_t a = (int64_t)floor(((double)tau - window) / every + 1), m = llround(2 * window / every - 1);
    *low = a > 1 ? a : 1;
    *high = a + m < instants ? a + m : instants;
}

static void plan_stretches(tracker *tracker, double window, double every) {
    int64_t *first_ms = memory_new(MEMORY_BUFFERS, (size_t)tracker->instants, sizeof(int64_t));
    int64_t *last_ms = memory_new(MEMORY_BUFFERS, (size_t)tracker->instants, sizeof(int64_t));
    uint8_t *begins = memory_new(MEMORY_BUFFERS, (size_t)tracker->samples + 2, 1);
    for (int64_t tau = 1; tau <= tracker->samples; tau++) {
        int64_t low, high;
        bins_of(tau, window, every, tracker->instants, &low, &high);
        for (int64_t b = low; b <= high; b++) {
            if (!first_ms[b - 1]) first_ms[b - 1] = tau;
            last_ms[b - 1] = tau;
            tracker->members[b - 1]++;
        }
    }
    begins[1] = 1;
    for (int b = 0; b < tracker->instants; b++)
        if (tracker->members[b]) begins[first_ms[b]] = begins[last_ms[b] + 1] = 1;
    for (int64_t tau = 1; tau <= tracker->samples; tau++) tracker->stretch_of[tau] = (tracker->stretches += begins[tau]) - 1;
    for (int b = 0; b < tracker->instants; b++) {
        tracker->first[b] = tracker->members[b] ? tracker->stretch_of[first_ms[b]] : 0;
        tracker->last[b] = tracker->members[b] ? tracker->stretch_of[last_ms[b]] : -1;
    }
    memory_free(first_ms), memory_free(last_ms), memory_free(begins);
}

/** @param every ms between instants */
static tracker *make_tracker(int mine, int instants, double every, double window) {
    tracker *tracker = memory_new(MEMORY_OUTPUT, 1, sizeof *tracker);
    tracker->mine = mine;
    tracker->instants = instants;
    tracker->at_instants = window == 0;
    tracker->value = memory_new(MEMORY_OUTPUT, (size_t)tracker->instants * (size_t)tracker->mine, sizeof(double));
    if (tracker->at_instants) return tracker;
    tracker->samples = (int64_t)floor(tracker->instants * every + 1e-9);
    tracker->stretch_of = memory_new(MEMORY_OUTPUT, (size_t)tracker->samples + 1, sizeof(int));
    tracker->first = memory_new(MEMORY_OUTPUT, (size_t)tracker->instants, sizeof(int));
    tracker->last = memory_new(MEMORY_OUTPUT, (size_t)tracker->instants, sizeof(int));
    tracker->members = memory_new(MEMORY_OUTPUT, (size_t)tracker->instants, sizeof(int));
    plan_stretches(tracker, window, every);
    tracker->sum = memory_new(MEMORY_OUTPUT, (size_t)tracker->stretches * (size_t)tracker->mine, sizeof(double));
    return tracker;
}

tracker *tracker_new(const simulation *sim, double window) {
    tracker *tracker = make_tracker(sim->part.mine, sim->targets.instants, (double)sim->every * sim->dt, window);
    tracker->sim = sim;
    tracker->rates = sim->targets.quantity == QUANTITY_RATE;
    tracker->total = sim->network.synapses != NULL;
    return tracker;
}

int64_t tracker_rows(int instants, double every, double window) {
    tracker *tracker = make_tracker(0, instants, every, window);
    int64_t rows = instants + tracker->stretches;
    tracker_free(tracker);
    return rows;
}

void tracker_free(tracker *tracker) {
    if (!tracker) return;
    memory_free(tracker->stretch_of);
    memory_free(tracker->first);
    memory_free(tracker->last);
    memory_free(tracker->members);
    memory_free(tracker->sum);
    memory_free(tracker->value);
    memory_free(tracker);
}

void tracker_begin(tracker *tracker) {
    if (tracker->sum) memset(tracker->sum, 0, (size_t)tracker->stretches * (size_t)tracker->mine * sizeof(double));
}

static void add_values(const tracker *tracker, const simulation *sim, double *restrict to) {
    enum { STRETCH = 512 };
    for (int first = 0; first < tracker->mine; first += STRETCH) {
        const int end = tracker->mine - first < STRETCH ? tracker->mine : first + STRETCH;
        double total[STRETCH]; /* instead of drive_settle(), which would store it for all */
        const double *restrict drive = total;
        (tracker->total ? drive_total : drive_learned)(sim->drive, first, end, total);
        if (tracker->rates)
            for (int i = first; i < end; i++) to[i] += transfer_phi2(drive[i - first] + sim->network.bias[i] + (sim->stimulus_now ? sim->stimulus_now[i] : 0));
        else
            for (int i = first; i < end; i++) to[i] += drive[i - first];
    }
}

void tracker_step(void *self, int64_t step, const int32_t *fired, int count) {
    (void)fired, (void)count;
    tracker *tracker = self;
    const simulation *sim = tracker->sim;
    int64_t since = step - sim->window;
    if (since <= 0) return;
    if (tracker->at_instants) {
        if (since % sim->every || since / sim->every > tracker->instants) return;
        double *row = tracker->value + (since / sim->every - 1) * tracker->mine;
        memset(row, 0, (size_t)tracker->mine * sizeof *row);
        add_values(tracker, sim, row);
        return;
    }
    double ms = (double)since * sim->dt;
    int64_t tau = llround(ms);
    if (fabs(ms - (double)tau) > sim->dt / 2 * 0.999 || tau < 1 || tau > tracker->samples) return;
    add_values(tracker, sim, tracker->sum + (int64_t)tracker->stretch_of[tau] * tracker->mine);
}

/** Sums over stretches become running sums; a bin is the difference of two. */
double *tracker_finish(tracker *tracker) {
    if (tracker->at_instants) return tracker->value;
    int mine = tracker->mine;
    for (int s = 1; s < tracker->stretches; s++) {
        double *restrict here = tracker->sum + (int64_t)s * mine;
        const double *restrict before = here - mine;
        for (int i = 0; i < mine; i++) here[i] += before[i];
    }
    for (int b = 0; b < tracker->instants; b++) {
        double *restrict value = tracker->value + (int64_t)b * mine;
        if (!tracker->members[b]) {
            for (int i = 0; i < mine; i++) value[i] = NAN;
            continue;
        }
        const double *restrict last = tracker->sum + (int64_t)tracker->last[b] * mine;
        const double scale = 1.0 / tracker->members[b];
        if (tracker->first[b] == 0) {
            for (int i = 0; i < mine; i++) value[i] = last[i] * scale;
        } else {
            const double *restrict before = tracker->sum + (int64_t)(tracker->first[b] - 1) * mine;
            for (int i = 0; i < mine; i++) value[i] = (last[i] - before[i]) * scale;
        }
    }
    return tracker->value;
}

/** Of so few columns that their sums stay in the cache. */
static void score_columns(const double *restrict x, const double *restrict y, int count, int64_t stride, int columns, double *restrict r) {
    const double rounding = 1e-26; /* a constant series leaves this much variance, relative to its square */
    double mean_x[SCORE_COLUMNS] = {0}, mean_y[SCORE_COLUMNS] = {0}, xx[SCORE_COLUMNS] = {0}, yy[SCORE_COLUMNS] = {0}, xy[SCORE_COLUMNS] = {0};
    for (int k = 0; k < count; k++)
        for (int c = 0; c < columns; c++) mean_x[c] += x[k * stride + c], mean_y[c] += y[k * stride + c];
    for (int c = 0; c < columns; c++) mean_x[c] /= count, mean_y[c] /= count;
    for (int k = 0; k < count; k++)
        for (int c = 0; c < columns; c++) {
            double dx = x[k * stride + c] - mean_x[c], dy = y[k * stride + c] - mean_y[c];
            xx[c] += dx * dx, yy[c] += dy * dy, xy[c] += dx * dy;
        }
    for (int c = 0; c < columns; c++) {
        bool varies = xx[c] > rounding * count * mean_x[c] * mean_x[c] && yy[c] > rounding * count * mean_y[c] * mean_y[c] && xx[c] != 0 && yy[c] != 0;
        r[c] = varies ? xy[c] / sqrt(xx[c] * yy[c]) : NAN;
    }
}

void score_pearson(const double *x, const double *y, int count, int64_t stride, int columns, double *r) {
    for (int c = 0; c < columns; c += SCORE_COLUMNS)
        score_columns(x + c, y + c, count, stride, columns - c < SCORE_COLUMNS ? columns - c : SCORE_COLUMNS, r + c);
}

score score_mean(const simulation *sim, const double *each) {
    exact_sum sum[SCORES] = {{0}};
    int64_t counts[SCORES + 1] = {0}; /* defined, and the undefined of all kinds */
    for (int i = 0; i < sim->part.mine; i++) {
        int64_t gid = sim->part.first + i;
        if (!sim->trained[gid]) continue;
        int kind = sim->targets.unit[gid] == -2 ? SCORE_AUXILIARY : SCORE_GIVEN;
        counts[isnan(each[i]) ? SCORES : kind]++;
        if (!isnan(each[i])) sum_add(&sum[kind], each[i]);
    }
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, counts, SCORES + 1, MPI_INT64_T, MPI_SUM, sim->context.comm));
    score score = {.undefined = counts[SCORES]};
    for (int kind = 0; kind < SCORES; kind++) {
        double total = sum_value(sum_all(&sim->context, sum[kind]));
        score.mean[kind] = counts[kind] ? total / (double)counts[kind] : NAN;
    }
    return score;
}

score score_values(const simulation *sim, int task, const double *values, double *each) {
    int mine = sim->part.mine;
    double *all = memory_new(MEMORY_BUFFERS, (size_t)mine, sizeof *all);
    score_pearson(values, targets_at(&sim->targets, mine, task, 0), sim->targets.instants, mine, mine, all);
    score score = score_mean(sim, all);
    for (int i = 0; i < mine && each; i++) each[i] = sim->trained[sim->part.first + i] ? all[i] : NAN;
    memory_free(all);
    return score;
}

char *score_show(const simulation *sim, const double *means, char *text) {
    char part[SCORES][16];
    for (int kind = 0; kind < SCORES; kind++) snprintf(part[kind], sizeof part[kind], isnan(means[kind]) ? "undefined" : "%.3f", means[kind]);
    if (sim->scored[SCORE_AUXILIARY])
        snprintf(text, SCORE_TEXT, "%s recorded, %s auxiliary", part[SCORE_GIVEN], part[SCORE_AUXILIARY]);
    else
        snprintf(text, SCORE_TEXT, "%s", part[SCORE_GIVEN]);
    return text;
}
