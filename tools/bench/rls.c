/* One RLS instant, one P per neuron: the textbook recursion in its best BLAS forms (symv + syr on full storage, spmv + spr on packed storage) against the
 * spike-driven store, both sides in one run, P far larger than the caches. Prints a table of medians and ratios.
 *
 *     mpirun -n RANKS build/bench_rls [MEGABYTES of P per rank, 400 [K, all]] */
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engram/memory.h"
#include "engram/random.h"
#include "engram/rls.h"
#include "systems/patterns/simulation.h"

void openblas_set_num_threads(int threads);

enum { REPEATS = 5, SOURCES = 20000 };

static context job;

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, compare);
    return values[count / 2];
}

/** Groups of one neuron with K random sources each. */
static plastic_synapses *make_plastic(int groups, int count, bool single) {
    int32_t *row_neuron = memory_new(MEMORY_WEIGHTS, (size_t)groups, sizeof(int32_t)),
            *group_row = memory_new(MEMORY_WEIGHTS, (size_t)groups + 1, sizeof(int32_t));
    int64_t *group_start = memory_new(MEMORY_WEIGHTS, (size_t)groups + 1, sizeof(int64_t)), chosen[4096];
    int32_t *source = memory_new(MEMORY_WEIGHTS, (size_t)groups * (size_t)count, sizeof(int32_t));
    double *initial = memory_new(MEMORY_BUFFERS, (size_t)groups * (size_t)count, sizeof(double));
    for (int g = 0; g < groups; g++) {
        row_neuron[g] = g;
        group_row[g + 1] = g + 1;
        group_start[g + 1] = group_start[g] + count;
        random_choose(1, RANDOM_PLASTIC_ROW, (uint64_t)g, 0, SOURCES, count, chosen);
        for (int a = 0; a < count; a++) {
            source[group_start[g] + a] = (int32_t)chosen[a];
            initial[group_start[g] + a] = a % 2 ? 0.1 : -0.1;
        }
    }
    return plastic_new(&(plastic_parts){.neurons = SOURCES, .sources = SOURCES, .rows = groups, .row_neuron = row_neuron, .groups = groups,
                                        .group_row = group_row, .group_start = group_start, .source = source, .initial = initial, .single = single});
}

/** r <- decay r + arrivals of a fraction of the sources. */
typedef struct { double r[SOURCES], arrived[SOURCES]; int32_t touched[SOURCES]; rls_activity activity; } input;

static void next_interval(input *input, double fraction, uint64_t instant) {
    input->activity = (rls_activity){.r = input->r, .arrived = input->arrived, .touched = input->touched, .decay = 0.935};
    for (int j = 0; j < SOURCES; j++) {
        input->arrived[j] = random_uniform(2, RANDOM_TAU, (uint64_t)j, instant) < fraction ? 0.006 : 0;
        if (input->arrived[j] != 0) input->touched[input->activity.touched_count++] = j;
        input->r[j] = 0.935 * input->r[j] + input->arrived[j];
    }
}

/* ---- ours ---- */

/** Seconds per instant and group, flushes included. */
static double time_store(const rls_store_kind *kind, int groups, int count, bool single, bool half, double fraction, int instants) {
    rls_settings settings = {.lambda = 0.8, .lambda_feedforward = 1, .gain = true, .half = half};
    plastic_synapses *plastic = make_plastic(groups, count, single);
    rls_store *store = kind->create(&job, plastic, &settings);
    input *input = calloc(1, sizeof *input);
    double *work = memory_new(MEMORY_BUFFERS, 3 * (size_t)groups, sizeof(double)), seconds[REPEATS];
    if (!input) exit(1);
    if (kind->trial_begin) kind->trial_begin(store);
    for (int repeat = -1; repeat < REPEATS; repeat++) { /* the first warms up */
        double spent = 0;
        for (int n = 0; n < instants; n++) {
            next_interval(input, fraction, (uint64_t)((repeat + 1) * instants + n));
            CHECK_MPI(MPI_Barrier(job.comm));
            double started = clock_seconds();
            kind->predict(store, &input->activity, work);
            for (int g = 0; g < groups; g++) work[groups + g] = work[g] - 0.5;
            kind->update(store, &input->activity, work + groups, NULL, work + 2 * groups, NULL);
            spent += clock_seconds() - started;
        }
        if (repeat >= 0) seconds[repeat] = spent / instants / groups;
    }
    kind->destroy(store);
    plastic_free(plastic);
    memory_free(work);
    free(input);
    double mine = median(seconds, REPEATS), worst;
    CHECK_MPI(MPI_Allreduce(&mine, &worst, 1, MPI_DOUBLE, MPI_MAX, job.comm));
    return worst;
}

/* ---- textbook, by BLAS ---- */

#define TEXTBOOK(real, prefix)                                                                                                                              \
    static double time_full_##prefix(int groups, int count) {                                                                                               \
        int ld = count % 256 ? count : count + 16;                                                                                                          \
        size_t size = (size_t)count * (size_t)ld;                                                                                                           \
        real *p = memory_new(MEMORY_P, (size_t)groups * size, sizeof(real)), *w = memory_new(MEMORY_WEIGHTS, (size_t)groups * (size_t)count, sizeof(real)); \
        real *r = memory_new(MEMORY_BUFFERS, 2 * (size_t)count, sizeof(real)), *q = r + count;                                                              \
        double seconds[REPEATS], worst;                                                                                                                     \
        for (int a = 0; a < count; a++) r[a] = (real)(0.006 + 1e-4 * (a % 17));                                                                             \
        for (int64_t g = 0; g < groups; g++)                                                                                                                \
            for (int a = 0; a < count; a++) p[(size_t)g * size + (size_t)a * (size_t)ld + (size_t)a] = 1;                                                   \
        for (int repeat = -1; repeat < REPEATS; repeat++) {                                                                                                 \
            CHECK_MPI(MPI_Barrier(job.comm));                                                                                                               \
            double started = clock_seconds();                                                                                                               \
            for (int64_t g = 0; g < groups; g++) {                                                                                                          \
                real *pg = p + (size_t)g * size, *wg = w + g * count;                                                                                       \
                cblas_##prefix##symv(CblasRowMajor, CblasUpper, count, 1, pg, ld, r, 1, 0, q, 1);                                                           \
                real error = cblas_##prefix##dot(count, wg, 1, r, 1) - (real)0.5, gain = 1 / (1 + cblas_##prefix##dot(count, r, 1, q, 1));                  \
                cblas_##prefix##syr(CblasRowMajor, CblasUpper, count, -gain, q, 1, pg, ld);                                                                 \
                cblas_##prefix##axpy(count, -gain * error, q, 1, wg, 1);                                                                                    \
            }                                                                                                                                               \
            if (repeat >= 0) seconds[repeat] = (clock_seconds() - started) / groups;                                                                        \
        }                                                                                                                                                   \
        memory_free(p), memory_free(w), memory_free(r);                                                                                                     \
        double mine = median(seconds, REPEATS);                                                                                                             \
        CHECK_MPI(MPI_Allreduce(&mine, &worst, 1, MPI_DOUBLE, MPI_MAX, job.comm));                                                                          \
        return worst;                                                                                                                                       \
    }                                                                                                                                                       \
    static double time_packed_##prefix(int groups, int count) {                                                                                             \
        size_t size = (size_t)count * ((size_t)count + 1) / 2;                                                                                              \
        real *p = memory_new(MEMORY_P, (size_t)groups * size, sizeof(real)), *w = memory_new(MEMORY_WEIGHTS, (size_t)groups * (size_t)count, sizeof(real)); \
        real *r = memory_new(MEMORY_BUFFERS, 2 * (size_t)count, sizeof(real)), *q = r + count;                                                              \
        double seconds[REPEATS], worst;                                                                                                                     \
        for (int a = 0; a < count; a++) r[a] = (real)(0.006 + 1e-4 * (a % 17));                                                                             \
        for (int64_t g = 0; g < groups; g++)                                                                                                                \
            for (size_t a = 0, at = 0; a < (size_t)count; at += (size_t)count - a, a++) p[(size_t)g * size + at] = 1;                                       \
        for (int repeat = -1; repeat < REPEATS; repeat++) {                                                                                                 \
            CHECK_MPI(MPI_Barrier(job.comm));                                                                                                               \
            double started = clock_seconds();                                                                                                               \
            for (int64_t g = 0; g < groups; g++) {                                                                                                          \
                real *pg = p + (size_t)g * size, *wg = w + g * count;                                                                                       \
                cblas_##prefix##spmv(CblasRowMajor, CblasUpper, count, 1, pg, r, 1, 0, q, 1);                                                               \
                real error = cblas_##prefix##dot(count, wg, 1, r, 1) - (real)0.5, gain = 1 / (1 + cblas_##prefix##dot(count, r, 1, q, 1));                  \
                cblas_##prefix##spr(CblasRowMajor, CblasUpper, count, -gain, q, 1, pg);                                                                     \
                cblas_##prefix##axpy(count, -gain * error, q, 1, wg, 1);                                                                                    \
            }                                                                                                                                               \
            if (repeat >= 0) seconds[repeat] = (clock_seconds() - started) / groups;                                                                        \
        }                                                                                                                                                   \
        memory_free(p), memory_free(w), memory_free(r);                                                                                                     \
        double mine = median(seconds, REPEATS);                                                                                                             \
        CHECK_MPI(MPI_Allreduce(&mine, &worst, 1, MPI_DOUBLE, MPI_MAX, job.comm));                                                                          \
        return worst;                                                                                                                                       \
    }

TEXTBOOK(float, s)
TEXTBOOK(double, d)

static void measure(const rls_store_kind *ours, int count, bool single, double megabytes) {
    const double fractions[] = {0.02, 0.05, 0.2};
    int groups = (int)(megabytes * 1e6 / ((double)count * count * (single ? 4 : 8)));
    if (groups < 8) groups = 8;
    double full = single ? time_full_s(groups, count) : time_full_d(groups, count),
           packed = single ? time_packed_s(groups, count) : time_packed_d(groups, count);
    double best = fmin(full, packed);
    for (int half = 0; half <= single; half++) /* half precision: against the textbook in single, which is the precision of its arithmetic */
        for (int f = 0; f < 3; f++) {
            double mine = time_store(ours, groups, count, single, half, fractions[f], 64);
            log_line(&job, "%6d  %-6s  %7d  %7.0f %%  %9.3f  %9.3f  %9.3f  %6.2f", count,
                     half     ? "half"
                     : single ? "single"
                              : "double",
                     groups, 100 * fractions[f], full * 1e6, packed * 1e6, mine * 1e6, best / mine);
        }
}

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    openblas_set_num_threads(1);
    job = context_of(MPI_COMM_WORLD);
    double megabytes = argc > 1 ? atof(argv[1]) : 400;
    int only = argc > 2 ? atoi(argv[2]) : 0;
    const int counts[] = {58, 100, 256, 1024};
    const rls_store_kind *ours = NULL;
    for (int k = 0; rls_store_kinds[k]; k++)
        if (strcmp(rls_store_kinds[k]->name, "spike_driven") == 0) ours = rls_store_kinds[k];
    log_line(&job, "%d ranks, %g MB of P each; microseconds per instant and neuron, medians of %d (ours: 64 instants each, flushes included)", job.ranks,
             megabytes, REPEATS);
    log_line(&job, "     K  real     groups  spiking  symv+syr   spmv+spr       ours   ratio");
    for (int precision = 0; precision < 2; precision++)
        for (int k = 0; k < 4; k++)
            if (only == 0 || only == counts[k]) measure(ours, counts[k], precision == 0, megabytes);
    MPI_Finalize();
    return 0;
}
