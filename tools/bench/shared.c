/* One RLS instant of N neurons that share one P and learn from all N (P and W are N x N), single precision: the textbook recursion by BLAS (symv, syr, gemv,
 * ger) on one rank, by PBLAS (psymv, psyr; W by local gemv, ger) on several, against the distributed store. Both sides in one run;
 * a table of medians and ratios.
 *
 *     mpirun -n RANKS build/bench_shared [largest N, 8192] */
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engram/memory.h"
#include "engram/partition.h"
#include "engram/random.h"
#include "engram/rls.h"
#include "../../src/rls/process_grid.h"
#include "systems/patterns/simulation.h"

void openblas_set_num_threads(int threads);
void pssymv_(const char *uplo, const int *n, const float *alpha, const float *a, const int *ia, const int *ja, const int *a_is, const float *x, const int *ix,
             const int *jx, const int *x_is, const int *incx, const float *beta, float *y, const int *iy, const int *jy, const int *y_is, const int *incy);
void pssyr_(const char *uplo, const int *n, const float *alpha, const float *x, const int *ix, const int *jx, const int *x_is, const int *incx, float *a,
            const int *ia, const int *ja, const int *a_is);

enum { REPEATS = 5, INSTANTS = 64 }; /* of ours: a flush in each repeat */
static const double DECAY = 0.935;

static context job;

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/** Of the slowest rank. */
static double median(double *values) {
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, values, REPEATS, MPI_DOUBLE, MPI_MAX, job.comm));
    qsort(values, REPEATS, sizeof *values, compare);
    return values[REPEATS / 2];
}

static plastic_synapses *make_plastic(int n) {
    partition part = partition_of(&job, n);
    int rows = part.mine;
    int32_t *row_neuron = memory_new(MEMORY_WEIGHTS, (size_t)rows, sizeof(int32_t)), *group_row = memory_new(MEMORY_WEIGHTS, 2, sizeof(int32_t));
    int64_t *group_start = memory_new(MEMORY_WEIGHTS, 2, sizeof(int64_t));
    int32_t *source = memory_new(MEMORY_WEIGHTS, (size_t)n, sizeof(int32_t));
    double *initial = memory_new(MEMORY_BUFFERS, (size_t)n * (size_t)rows, sizeof(double));
    for (int row = 0; row < rows; row++) row_neuron[row] = row;
    for (int j = 0; j < n; j++) source[j] = j;
    group_row[1] = rows;
    group_start[1] = n;
    plastic_synapses *plastic = plastic_new(&(plastic_parts){.neurons = n, .sources = n, .rows = rows, .row_neuron = row_neuron, .groups = 1,
                                                             .group_row = group_row, .group_start = group_start, .source = source, .initial = initial,
                                                             .single = true});
    plastic->group_id = memory_new(MEMORY_WEIGHTS, 1, sizeof(int64_t));
    plastic->shared = true;
    return plastic;
}

/** Seconds per instant: predict and update, the flush included. */
static double time_store(const rls_store_kind *kind, int n, double fraction) {
    plastic_synapses *plastic = make_plastic(n);
    rls_store *store = kind->create(&job, plastic, &(rls_settings){.lambda = 0.8, .lambda_feedforward = 1, .gain = true});
    double *r = memory_new(MEMORY_BUFFERS, 2 * (size_t)n, sizeof(double)), *arrived = r + n,
           *work = memory_new(MEMORY_BUFFERS, 3 * (size_t)plastic->rows, sizeof(double)), seconds[REPEATS];
    kind->trial_begin(store);
    for (int repeat = -1; repeat < REPEATS; repeat++) { /* the first warms up */
        double spent = 0;
        for (int k = 0; k < INSTANTS; k++) {
            for (int j = 0; j < n; j++) {
                arrived[j] = random_uniform(2, RANDOM_TAU, (uint64_t)j, (uint64_t)((repeat + 1) * INSTANTS + k)) < fraction ? 0.006 : 0;
                r[j] = DECAY * r[j] + arrived[j];
            }
            rls_activity activity = {.r = r, .arrived = arrived, .decay = DECAY};
            CHECK_MPI(MPI_Barrier(job.comm));
            double started = clock_seconds();
            kind->predict(store, &activity, work);
            for (int row = 0; row < plastic->rows; row++) work[plastic->rows + row] = work[row] - 0.5;
            kind->update(store, &activity, work + plastic->rows, NULL, work + 2 * plastic->rows, NULL);
            spent += clock_seconds() - started;
        }
        if (repeat >= 0) seconds[repeat] = spent / INSTANTS;
    }
    kind->destroy(store);
    plastic_free(plastic);
    memory_free(r), memory_free(work);
    return median(seconds);
}

/** The weights' half of the textbook on my rows: e = W r - f, W <- W - g e k'. */
static void learn_weights(int n, int rows, float *w, const float *r, const float *k, float gain, float *e) {
    cblas_sgemv(CblasRowMajor, CblasNoTrans, rows, n, 1, w, n, r, 1, 0, e, 1);
    for (int i = 0; i < rows; i++) e[i] -= 0.5f;
    cblas_sger(CblasRowMajor, rows, n, -gain, e, 1, k, 1, w, n);
}

/** Textbook on one rank, all of P and W there. */
static double time_blas(int n) {
    int ld = n + 16; /* not a power of two */
    float *p = memory_new(MEMORY_P, (size_t)n * (size_t)ld, sizeof(float)), *w = memory_new(MEMORY_WEIGHTS, (size_t)n * (size_t)n, sizeof(float));
    float *r = memory_new(MEMORY_BUFFERS, 3 * (size_t)n, sizeof(float)), *k = r + n, *e = k + n;
    double seconds[REPEATS];
    for (int j = 0; j < n; j++) p[(size_t)j * (size_t)ld + (size_t)j] = 1, r[j] = 0.006f + 1e-4f * (float)(j % 17);
    for (int repeat = -1; repeat < REPEATS; repeat++) {
        CHECK_MPI(MPI_Barrier(job.comm));
        double started = clock_seconds();
        cblas_ssymv(CblasRowMajor, CblasUpper, n, 1, p, ld, r, 1, 0, k, 1);
        float gain = 1 / (1 + cblas_sdot(n, r, 1, k, 1));
        cblas_ssyr(CblasRowMajor, CblasUpper, n, -gain, k, 1, p, ld);
        learn_weights(n, n, w, r, k, gain, e);
        if (repeat >= 0) seconds[repeat] = clock_seconds() - started;
    }
    memory_free(p), memory_free(w), memory_free(r);
    return median(seconds);
}

/** Textbook with P on a 1 x ranks grid (the better one for a lower triangle), W's rows where their neurons are. */
static double time_pblas(int n) {
    process_grid grid = grid_new(&job, job.ranks);
    int64_t rows = grid_local(n, grid.row, grid.rows), columns = grid_local(n, grid.column, grid.columns), ld = rows + 16;
    int mine = partition_of(&job, n).mine, p_is[DESCRIPTOR_LENGTH], one = 1, info_n = n;
    float *p = memory_new(MEMORY_P, (size_t)(columns * ld), sizeof(float)), *w = memory_new(MEMORY_WEIGHTS, (size_t)mine * (size_t)n, sizeof(float));
    float *r = memory_new(MEMORY_BUFFERS, 2 * (size_t)(ld + n), sizeof(float)), *k = r + ld, *whole = k + ld, *e = whole + n, unit = 1, zero = 0;
    double seconds[REPEATS];
    grid_describe(&grid, n, ld, p_is); /* vectors as first columns of the same distribution */
    for (int64_t c = 0; c < columns; c++) p[c * ld + grid_global(c, grid.column, grid.columns)] = 1;
    for (int j = 0; j < n; j++) whole[j] = r[j] = 0.006f + 1e-4f * (float)(j % 17);
    for (int repeat = -1; repeat < REPEATS; repeat++) {
        CHECK_MPI(MPI_Barrier(job.comm));
        double started = clock_seconds();
        pssymv_("L", &info_n, &unit, p, &one, &one, p_is, r, &one, &one, p_is, &one, &zero, k, &one, &one, p_is, &one);
        CHECK_MPI(MPI_Bcast(k, n, MPI_FLOAT, 0, job.comm)); /* the first process column holds it */
        float gain = 1 / (1 + cblas_sdot(n, whole, 1, k, 1)), minus = -gain;
        pssyr_("L", &info_n, &minus, k, &one, &one, p_is, &one, p, &one, &one, p_is);
        learn_weights(n, mine, w, whole, k, gain, e);
        if (repeat >= 0) seconds[repeat] = clock_seconds() - started;
    }
    memory_free(p), memory_free(w), memory_free(r);
    grid_free(&grid);
    return median(seconds);
}

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    openblas_set_num_threads(1);
    job = context_of(MPI_COMM_WORLD);
    int largest = argc > 1 ? atoi(argv[1]) : 8192;
    const rls_store_kind *ours = NULL;
    for (int k = 0; rls_store_kinds[k]; k++)
        if (strcmp(rls_store_kinds[k]->name, "distributed") == 0) ours = rls_store_kinds[k];
    log_line(&job, "%d rank%s; milliseconds per instant of all N neurons, medians of %d (ours: %d instants each, a flush among them)", job.ranks,
             job.ranks > 1 ? "s" : "", REPEATS, INSTANTS);
    log_line(&job, "     N  spiking  %s       ours   ratio", job.ranks > 1 ? "PBLAS" : " BLAS");
    for (int n = 2048; n <= largest; n *= 2) {
        const double fractions[] = {0.02, 0.05, 0.2};
        double textbook = job.ranks > 1 ? time_pblas(n) : time_blas(n);
        for (int f = 0; f < 3; f++) {
            double mine = time_store(ours, n, fractions[f]);
            log_line(&job, "%6d  %5.0f %%  %7.2f  %7.2f  %6.1f", n, 100 * fractions[f], textbook * 1e3, mine * 1e3, textbook / mine);
        }
    }
    MPI_Finalize();
    return 0;
}
