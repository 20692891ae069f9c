/* The distributed RLS store on every grid of these ranks: equal to the textbook recursion, to the inverse that ScaLAPACK computes, to itself;
 * and, on grids of one column, to the bits of one rank. Saved on one grid, it is read back on all others. Argument: a folder for files. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../../src/rls/process_grid.h"
#include "../expect.h"
#include "engram/h5.h"
#include "engram/memory.h"
#include "engram/random.h"
#include "engram/rls.h"

enum { GROUPS = 2, K0 = 150, K1 = 71, SOURCES = 200, UNITS = 9, ROWS0 = 21, ROWS = 25, UPDATES = 150, BLOCK = 16 };

static const int K[GROUPS] = {K0, K1};

void pdpotrf_(const char *uplo, const int *n, double *a, const int *ia, const int *ja, const int *desc, int *info);
void pdpotri_(const char *uplo, const int *n, double *a, const int *ia, const int *ja, const int *desc, int *info);

static double uniform(uint64_t id, uint64_t counter) {
    return random_uniform(4, RANDOM_TARGET, id, counter);
}

/** Rows [from, to) of ROWS: ROWS0 of a first group, the rest of a second. */
static plastic_synapses *make_plastic(int from, int to, bool single) {
    int rows = to - from, groups = 0;
    int32_t *row_neuron = memory_new(MEMORY_WEIGHTS, (size_t)rows, sizeof(int32_t)), *group_row = memory_new(MEMORY_WEIGHTS, GROUPS + 1, sizeof(int32_t));
    int32_t *source = memory_new(MEMORY_WEIGHTS, K0 + K1, sizeof(int32_t));
    int64_t *group_start = memory_new(MEMORY_WEIGHTS, GROUPS + 1, sizeof(int64_t));
    int64_t *id = memory_new(MEMORY_WEIGHTS, GROUPS, sizeof(int64_t));
    int64_t chosen[K0], weights = 0;
    double *initial = memory_new(MEMORY_BUFFERS, (size_t)rows * K0, sizeof(double));
    for (int g = 0; g < GROUPS; g++) {
        int begin = g ? ROWS0 : 0, end = g ? ROWS : ROWS0;
        if (begin < from) begin = from;
        if (end > to) end = to;
        if (begin >= end) continue;
        random_choose(1, RANDOM_PLASTIC_ROW, (uint64_t)g, 0, SOURCES - UNITS, K[g] - UNITS, chosen);
        for (int a = 0; a < K[g]; a++) source[group_start[groups] + a] = a < K[g] - UNITS ? (int32_t)chosen[a] : SOURCES - K[g] + a;
        for (int row = begin; row < end; row++)
            for (int a = 0; a < K[g]; a++) initial[weights++] = (a % 3 ? 1 : -1) * (0.1 + 0.01 * row);
        id[groups] = 10 + g;
        group_row[groups + 1] = group_row[groups] + end - begin;
        group_start[groups + 1] = group_start[groups] + K[g];
        groups++;
    }
    for (int row = 0; row < rows; row++) row_neuron[row] = row;
    plastic_synapses *plastic = plastic_new(&(plastic_parts){.neurons = SOURCES - UNITS, .sources = SOURCES, .rows = rows, .row_neuron = row_neuron,
                                                             .groups = groups, .group_row = group_row, .group_start = group_start, .source = source,
                                                             .initial = initial, .single = single});
    plastic->group_id = id;
    plastic->shared = true;
    return plastic;
}

/** What a store made of a training: weights row by row and P of all groups, as every rank knows them. */
typedef struct { double weight[ROWS * K0], after[UPDATES][ROWS], p0[K0 * K0], p1[K1 * K1]; } outcome;

/** Filtered spikes as of instant @p n, and what arrived for it. */
static rls_activity activity_at(int n, double *r, double *arrived) {
    for (int j = 0; j < SOURCES; j++) {
        arrived[j] = uniform((uint64_t)(1000 + j), (uint64_t)n) < 0.1 ? 0.1 * uniform((uint64_t)j, (uint64_t)n) : 0;
        r[j] = 0.9 * r[j] + arrived[j];
    }
    return (rls_activity){.r = r, .arrived = arrived, .decay = 0.9};
}

static void export_groups(const context *job, const rls_store_kind *kind, const rls_store *store, const plastic_synapses *plastic, outcome *result) {
    double *scratch = memory_new(MEMORY_BUFFERS, K0 * K0, sizeof(double));
    double *all[GROUPS] = {result->p0, result->p1};
    for (int g = 0; g < GROUPS; g++) { /* collective: every rank asks for each, by an index that may not be one of its own */
        int mine = -1;
        for (int local = 0; local < plastic->groups; local++)
            if (plastic->group_id[local] == 10 + g) mine = local;
        memset(scratch, 0, K0 * K0 * sizeof(double));
        if (kind->divided || mine >= 0) kind->export_p(store, mine, scratch);
        /* those who have it have the same; there are negative entries */
        CHECK_MPI(MPI_Allreduce(scratch, all[g], K[g] * K[g], MPI_DOUBLE, MPI_MAX, job->comm));
        double *least = memory_new(MEMORY_BUFFERS, K0 * K0, sizeof(double));
        CHECK_MPI(MPI_Allreduce(scratch, least, K[g] * K[g], MPI_DOUBLE, MPI_MIN, job->comm));
        for (int k = 0; k < K[g] * K[g]; k++)
            if (all[g][k] == 0) all[g][k] = least[k];
        memory_free(least);
    }
    memory_free(scratch);
}

/** Train on the ranks of @p job. @param keep store and synapses if wanted, else freed */
static void train(const context *job, const rls_store_kind *kind, int columns, bool single, outcome *result, rls_store **keep,
                  plastic_synapses **keep_plastic) {
    int from = ROWS * job->rank / job->ranks, to = ROWS * (job->rank + 1) / job->ranks;
    rls_settings settings = {.lambda = 0.5, .mu = 0.02, .lambda_feedforward = 2, .gain = true, .block = BLOCK, .grid_columns = columns};
    plastic_synapses *plastic = make_plastic(from, to, single);
    rls_store *store = kind->create(job, plastic, &settings);
    double r[SOURCES] = {0}, arrived[SOURCES], sum[ROWS], error[ROWS], gain[ROWS], after[ROWS];
    memset(result, 0, sizeof *result);
    if (kind->trial_begin) kind->trial_begin(store);
    for (int n = 0; n < UPDATES; n++) {
        if (n == UPDATES / 2 && kind->settle) kind->settle(store, r); /* in the middle of a block; r goes on */
        rls_activity activity = activity_at(n, r, arrived);
        kind->predict(store, &activity, sum);
        for (int row = 0; row < plastic->rows; row++) error[row] = sum[row] - sin(0.1 * n * (from + row + 1));
        EXPECT(kind->update(store, &activity, error, NULL, gain, after) == -1, "update %d", n);
        for (int row = 0; row < plastic->rows; row++) EXPECT(gain[row] > 0 && gain[row] <= 1, "gain %g", gain[row]);
        memcpy(result->after[n] + from, after, (size_t)plastic->rows * sizeof(double));
    }
    if (kind->settle) kind->settle(store, NULL);
    for (int g = 0; g < plastic->groups; g++)
        for (int row = plastic->group_row[g]; row < plastic->group_row[g + 1]; row++)
            for (int a = 0; a < K[plastic->group_id[g] - 10]; a++)
                result->weight[(from + row) * K0 + a] = plastic_weight(plastic, plastic_slot(plastic, g, row, a));
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, result->weight, ROWS * K0, MPI_DOUBLE, MPI_SUM, job->comm)); /* each is some rank's, 0 elsewhere */
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, result->after, UPDATES * ROWS, MPI_DOUBLE, MPI_SUM, job->comm));
    export_groups(job, kind, store, plastic, result);
    if (keep) {
        *keep = store;
        *keep_plastic = plastic;
        return;
    }
    kind->destroy(store);
    plastic_free(plastic);
}

static double largest_difference(const double *a, const double *b, int count, double *size) {
    double worst = 0;
    for (int k = 0; k < count; k++) {
        worst = fmax(worst, fabs(a[k] - b[k]));
        *size = fmax(*size, fabs(b[k]));
        if (isnan(a[k]) || isnan(b[k])) return INFINITY;
    }
    return worst;
}

static double relative(const double *a, const double *b, int count) {
    double size = 0, worst = largest_difference(a, b, count, &size);
    return worst / size;
}

/** P against the inverse of P(0)^-1 + sum r r', by Cholesky factors (pdpotrf, pdpotri) on the same grid. */
static double off_the_inverse(const context *job, int columns, const outcome *result) {
    process_grid grid = grid_new(job, columns);
    int64_t rows = grid_local(K0, grid.row, grid.rows), cols = grid_local(K0, grid.column, grid.columns), ld = rows > 0 ? rows : 1;
    double *a = memory_new(MEMORY_BUFFERS, (size_t)(ld * (cols + 1)), sizeof(double)), r[SOURCES] = {0}, arrived[SOURCES], worst = 0, size = 0;
    plastic_synapses *plastic = make_plastic(0, ROWS, false);
    const int32_t *source = plastic->source;
    for (int n = -1; n < UPDATES; n++) {
        if (n >= 0) activity_at(n, r, arrived);
        for (int64_t c = 0; c < cols; c++)
            for (int64_t l = 0; l < rows; l++) {
                int64_t i = grid_global(l, grid.row, grid.rows), j = grid_global(c, grid.column, grid.columns);
                bool recurrent = i < K0 - UNITS && j < K0 - UNITS;
                a[c * ld + l] += n >= 0 ? r[source[i]] * r[source[j]]
                                        : (i == j ? (recurrent ? 0.5 : 2) : 0) + (recurrent && (i % 3 == 0) == (j % 3 == 0) ? 0.02 : 0);
            }
    }
    int descriptor[DESCRIPTOR_LENGTH], n = K0, one = 1, info[2];
    grid_describe(&grid, K0, ld, descriptor);
    pdpotrf_("L", &n, a, &one, &one, descriptor, &info[0]);
    pdpotri_("L", &n, a, &one, &one, descriptor, &info[1]);
    EXPECT(info[0] == 0 && info[1] == 0, "pdpotrf %d, pdpotri %d", info[0], info[1]);
    for (int64_t c = 0; c < cols; c++)
        for (int64_t l = 0; l < rows; l++) {
            int64_t i = grid_global(l, grid.row, grid.rows), j = grid_global(c, grid.column, grid.columns);
            if (i < j) continue; /* the triangle that they compute */
            worst = fmax(worst, fabs(a[c * ld + l] - result->p0[i * K0 + j]));
            size = fmax(size, fabs(a[c * ld + l]));
        }
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &worst, 1, MPI_DOUBLE, MPI_MAX, job->comm));
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &size, 1, MPI_DOUBLE, MPI_MAX, job->comm));
    memory_free(a);
    plastic_free(plastic);
    grid_free(&grid);
    return worst / size;
}

static outcome textbook, alone, now, again;

/** Saved from this grid, read on all others: the same P. */
static void check_restart(const context *job, const rls_store_kind *kind, rls_store *store, const char *folder, bool single) {
    char path[4096];
    snprintf(path, sizeof path, "%s/p.h5", folder);
    h5_file *file = h5_create(job, path, NULL);
    kind->save(store, file);
    EXPECT(h5_commit(file) == STATUS_OK, "cannot write %s", path);
    for (int columns = 1; columns <= job->ranks; columns++) {
        if (job->ranks % columns) continue;
        int from = ROWS * job->rank / job->ranks, to = ROWS * (job->rank + 1) / job->ranks;
        plastic_synapses *plastic = make_plastic(from, to, single);
        rls_store *fresh = kind->create(job, plastic, &(rls_settings){.lambda = 3, .lambda_feedforward = 3, .gain = true, .grid_columns = columns});
        h5_reader *reader = h5_reader_open(path);
        kind->load(fresh, reader);
        EXPECT(h5_reader_close(reader) == STATUS_OK, "cannot read %s", path);
        export_groups(job, kind, fresh, plastic, &again);
        EXPECT(memcmp(again.p0, now.p0, sizeof now.p0) == 0 && memcmp(again.p1, now.p1, sizeof now.p1) == 0, "other P after a restart on %d columns", columns);
        kind->destroy(fresh);
        plastic_free(plastic);
    }
}

static void check_grid(const context *job, const rls_store_kind *kind, int columns, bool single, const char *folder) {
    rls_store *store;
    plastic_synapses *plastic;
    train(job, kind, columns, single, &now, NULL, NULL);
    train(job, kind, columns, single, &again, &store, &plastic);
    EXPECT(memcmp(&now, &again, sizeof now) == 0, "a second run has other bits (%d columns)", columns);
    double weights = relative(now.weight, textbook.weight, ROWS * K0), after = relative(now.after[0], textbook.after[0], UPDATES * ROWS);
    double p = fmax(relative(now.p0, textbook.p0, K0 * K0), relative(now.p1, textbook.p1, K1 * K1)), inverse = off_the_inverse(job, columns, &now);
    log_line(job, "%d x %d, %s: weights off the textbook's by %.1e, sums %.1e, P %.1e; P off the inverse by %.1e", job->ranks / columns, columns,
             single ? "single" : "double", weights, after, p, inverse);
    EXPECT(weights < (single ? 2e-4 : 1e-12) && after < (single ? 2e-4 : 1e-11) && p < (single ? 1e-4 : 1e-12) && inverse < (single ? 1e-4 : 1e-12),
           "%g %g %g %g", weights, after, p, inverse);
    EXPECT(relative(textbook.weight, alone.weight, ROWS * K0) < 1e-3 && textbook.weight[0] != (double)(float)-0.1 && textbook.weight[0] != -0.1,
           "nothing was learned");
    if (columns == 1) EXPECT(memcmp(&now, &alone, sizeof now) == 0, "other bits than on one rank");
    check_restart(job, kind, store, folder, single);
    kind->destroy(store);
    plastic_free(plastic);
}

static const rls_store_kind *kind_of(const char *name) {
    for (int k = 0; rls_store_kinds[k]; k++)
        if (strcmp(rls_store_kinds[k]->name, name) == 0) return rls_store_kinds[k];
    return NULL;
}

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    context job = context_of(MPI_COMM_WORLD), self = context_of(MPI_COMM_SELF);
    const rls_store_kind *kind = kind_of("distributed");
    self.quiet = true;
    for (int single = 0; single <= 1; single++) {
        train(&self, kind_of("textbook"), 1, single, &textbook, NULL, NULL);
        train(&self, kind, 1, single, &alone, NULL, NULL);
        for (int columns = 1; columns <= job.ranks; columns++)
            if (job.ranks % columns == 0) check_grid(&job, kind, columns, single, argv[1]);
    }
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD));
    MPI_Finalize();
    return failed;
}
