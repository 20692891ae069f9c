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
    int depth;             /* stretches whose sums are needed at a time */
    double *sum;           /* [depth][mine] running sums, that of stretch s at s % depth; of the present stretch its own */
    double *average;       /* [mine] of the bin that is over; NULL: it is made in its place, as all have targets */
    double *value;         /* [instants][columns] */
    int stretch, bin;      /* the present ones */
    tracker_take take;
    void *taker;
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
        const int needed = tracker->last[b] - tracker->first[b] + 2; /* from the one before the bin to its last */
        if (tracker->depth < needed) tracker->depth = needed;
    }
    memory_free(first_ms), memory_free(last_ms), memory_free(begins);
}

/** When which sums are needed. @param every ms between instants */
static tracker *make_tracker(int instants, double every, double window) {
    tracker *tracker = memory_new(MEMORY_OUTPUT, 1, sizeof *tracker);
    tracker->instants = instants;
    tracker->at_instants = window == 0;
    tracker->depth = 1;
    if (tracker->at_instants) return tracker;
    tracker->samples = (int64_t)floor(tracker->instants * every + 1e-9);
    tracker->stretch_of = memory_new(MEMORY_OUTPUT, (size_t)tracker->samples + 1, sizeof(int));
    tracker->first = memory_new(MEMORY_OUTPUT, (size_t)tracker->instants, sizeof(int));
    tracker->last = memory_new(MEMORY_OUTPUT, (size_t)tracker->instants, sizeof(int));
    tracker->members = memory_new(MEMORY_OUTPUT, (size_t)tracker->instants, sizeof(int));
    plan_stretches(tracker, window, every);
    return tracker;
}

tracker *tracker_new(const simulation *sim, double window) {
    tracker *tracker = make_tracker(sim->targets.instants, (double)sim->every * sim->dt, window);
    const size_t mine = (size_t)sim->part.mine;
    tracker->sim = sim;
    tracker->mine = sim->part.mine;
    tracker->sum = memory_new(MEMORY_OUTPUT, (size_t)tracker->depth * mine, sizeof(double));
    if (sim->targets.columns.neuron) tracker->average = memory_new(MEMORY_OUTPUT, mine, sizeof(double));
    tracker->value = memory_new(MEMORY_OUTPUT, (size_t)tracker->instants * (size_t)sim->targets.columns.count, sizeof(double));
    tracker->rates = sim->targets.quantity == QUANTITY_RATE;
    tracker->total = sim->network.synapses != NULL;
    return tracker;
}

int64_t tracker_rows(int instants, double every, double window) {
    tracker *tracker = make_tracker(instants, every, window);
    int64_t rows = tracker->depth;
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
    memory_free(tracker->average);
    memory_free(tracker->value);
    memory_free(tracker);
}

static double *sum_of(const tracker *tracker, int stretch) {
    return tracker->sum + (int64_t)(stretch % tracker->depth) * tracker->mine;
}

static double *begin_sum(tracker *tracker, int stretch) {
    return memset(sum_of(tracker, stretch), 0, (size_t)tracker->mine * sizeof(double));
}

void tracker_begin(tracker *tracker, tracker_take take, void *self) {
    tracker->take = take, tracker->taker = self;
    tracker->stretch = tracker->bin = 0;
    begin_sum(tracker, 0);
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

static double *row_of(const tracker *tracker, int instant) {
    return tracker->value + (int64_t)instant * tracker->sim->targets.columns.count;
}

/** Keep a row of all neurons. */
static void keep(tracker *tracker, int instant, const double *average) {
    const target_columns *columns = &tracker->sim->targets.columns;
    double *row = row_of(tracker, instant);
    if (columns->neuron)
        for (int c = 0; c < columns->count; c++) row[c] = average[columns->neuron[c]];
    else if (row != average) memcpy(row, average, (size_t)tracker->mine * sizeof *row);
    if (tracker->take) tracker->take(tracker->taker, instant, average);
}

/** The average of a bin that is over: the difference of two running sums. */
static void finish_bin(tracker *tracker, int b) {
    const int mine = tracker->mine;
    double *restrict average = tracker->average ? tracker->average : row_of(tracker, b);
    if (!tracker->members[b]) {
        for (int i = 0; i < mine; i++) average[i] = NAN;
    } else {
        const double *restrict last = sum_of(tracker, tracker->last[b]);
        const double scale = 1.0 / tracker->members[b];
        if (tracker->first[b] == 0) {
            for (int i = 0; i < mine; i++) average[i] = last[i] * scale;
        } else {
            const double *restrict before = sum_of(tracker, tracker->first[b] - 1);
            for (int i = 0; i < mine; i++) average[i] = (last[i] - before[i]) * scale;
        }
    }
    keep(tracker, b, average);
}

/** Stretches before @p next are over: their sums become running sums, and their bins end. */
static void finish_stretches(tracker *tracker, int next) {
    for (; tracker->stretch < next; begin_sum(tracker, ++tracker->stretch)) {
        double *restrict here = sum_of(tracker, tracker->stretch);
        const double *restrict before = sum_of(tracker, tracker->stretch + tracker->depth - 1);
        for (int i = 0; i < tracker->mine && tracker->stretch > 0; i++) here[i] += before[i];
        while (tracker->bin < tracker->instants && tracker->last[tracker->bin] <= tracker->stretch) finish_bin(tracker, tracker->bin++);
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
        double *row = begin_sum(tracker, 0);
        add_values(tracker, sim, row);
        keep(tracker, (int)(since / sim->every - 1), row);
        return;
    }
    double ms = (double)since * sim->dt;
    int64_t tau = llround(ms);
    if (fabs(ms - (double)tau) > sim->dt / 2 * 0.999 || tau < 1 || tau > tracker->samples) return;
    finish_stretches(tracker, tracker->stretch_of[tau]);
    add_values(tracker, sim, sum_of(tracker, tracker->stretch));
}

const double *tracker_finish(tracker *tracker) {
    if (tracker->at_instants) return tracker->value;
    finish_stretches(tracker, tracker->stretches);
    while (tracker->bin < tracker->instants) finish_bin(tracker, tracker->bin++);
    return tracker->value;
}

const double *tracker_select(tracker *tracker, const double *all) {
    const target_columns *columns = &tracker->sim->targets.columns;
    if (!columns->neuron) return all;
    for (int k = 0; k < tracker->instants; k++)
        for (int c = 0; c < columns->count; c++) row_of(tracker, k)[c] = all[(int64_t)k * tracker->mine + columns->neuron[c]];
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
    const target_columns *columns = &sim->targets.columns;
    const int mine = sim->part.mine, count = columns->count;
    double *r = memory_new(MEMORY_BUFFERS, (size_t)count, sizeof *r), *all = each ? each : memory_new(MEMORY_BUFFERS, (size_t)mine, sizeof *all);
    score_pearson(values, targets_at(&sim->targets, task, 0), sim->targets.instants, count, count, r);
    for (int i = 0; i < mine; i++) all[i] = sim->trained[sim->part.first + i] ? r[target_column(columns, i)] : NAN;
    score score = score_mean(sim, all);
    memory_free(r);
    if (!each) memory_free(all);
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
