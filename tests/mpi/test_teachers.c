/* Commands and teachers (engram/signal.h) are the same on all ranks, files among them, which one rank reads; and refused on all.
 * Argument: a folder for files. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../expect.h"
#include "../signals.h"
#include "io/h5_server.h"

enum { STEPS = 300 };

/** Are these numbers those of rank 0? */
static bool is_common(const double *values, int count) {
    double *first = malloc((size_t)count * sizeof *first);
    memcpy(first, values, (size_t)count * sizeof *first);
    CHECK_MPI(MPI_Bcast(first, count, MPI_DOUBLE, 0, MPI_COMM_WORLD));
    bool same = memcmp(first, values, (size_t)count * sizeof *first) == 0;
    free(first);
    return same;
}

static void check_same(const context *job, const char *text, int dimensions) {
    signals s;
    EXPECT(open_signals(job, text, dimensions, 1e-3, &s) == STATUS_OK, "opens: %s", text);
    if (s.command) {
        size_t J = (size_t)s.setting.dimensions;
        double *c = calloc(STEPS * J, sizeof *c), *x = calloc((STEPS + 1) * J, sizeof *x), sum = 0;
        for (int task = 0; task < s.tasks; task++) {
            teacher_begin(s.teacher, task, 4, x);
            command_fill(s.command, 4, 0, STEPS, c);
            teacher_advance(s.teacher, task, 0, STEPS, c, x);
            EXPECT(is_common(c, STEPS * (int)J), "command of task %d: %s", task, text);
            EXPECT(is_common(x, (STEPS + 1) * (int)J), "path of task %d: %s", task, text);
            for (size_t i = 0; i < STEPS * J; i++) sum += fabs(x[i]) + fabs(c[i]);
        }
        EXPECT(isfinite(sum) && sum > 0, "something happens (%g): %s", sum, text);
        free(c), free(x);
    }
    close_signals(&s);
}

static void check_refused(const context *job, const char *text) {
    signals s;
    EXPECT(open_signals(job, text, 0, 1e-3, &s) == STATUS_INPUT, "is refused: %s", text);
    close_signals(&s);
}

/** A table of 7 units and 50 times in 2 conditions, and a matrix. */
static void write_files(const char *table, const char *matrix) {
    FILE *file = fopen(table, "w");
    fprintf(file, "condition,time,a,b,c,d,e,f,g\n");
    for (int c = 0; c < 2; c++)
        for (int t = 0; t < 50; t++) {
            fprintf(file, "%d,%d", c, 10 * t);
            for (int u = 0; u < 7; u++) fprintf(file, ",%.6f", sin(0.1 * t * (u + 1) + c) + u);
            fprintf(file, "\n");
        }
    fclose(file);
    file = fopen(matrix, "w");
    fprintf(file, "-1,2\n-2,-1\n");
    fclose(file);
}

int main(int argc, char **argv) {
    if (server_is_wanted(argc, argv)) return server_run();
    MPI_Init(&argc, &argv);
    context job = context_of(MPI_COMM_WORLD);
    job.quiet = true;
    char table[4096], matrix[4096], text[9000];
    snprintf(table, sizeof table, "%s/table.csv", argv[1]);
    snprintf(matrix, sizeof matrix, "%s/matrix.csv", argv[1]);
    if (job.rank == 0) write_files(table, matrix);
    CHECK_MPI(MPI_Barrier(job.comm));
    check_same(&job, "stimulus: {kind: smooth_noise}\ntargets: {kind: random_stable}\n", 5);
    check_same(&job, "stimulus: {kind: pulses, direction: random, period: 500}\ntargets: {kind: lorenz96}\n", 9);
    check_same(&job, "stimulus: {kind: filtered_noise}\ntargets: {kind: pendulum}\n", 0);
    snprintf(text, sizeof text, "stimulus: {kind: none}\ntargets: {kind: trajectory, path: %s, components: 3, smoothing: 20}\n", table);
    check_same(&job, text, 0);
    snprintf(text, sizeof text, "stimulus: {kind: file, path: %s, interval: 5}\ntargets: {kind: linear, path: %s, initial: 1}\n", matrix, matrix);
    check_same(&job, text, 0);
    snprintf(text, sizeof text, "stimulus: {kind: none}\ntargets: {kind: linear, path: %s}\n", table);
    check_refused(&job, text);
    snprintf(text, sizeof text, "stimulus: {kind: none}\ntargets: {kind: trajectory, path: %s.not}\n", table);
    check_refused(&job, text);
    check_refused(&job, "stimulus: {kind: pulses, direction: circle}\ntargets: {kind: bistable}\n");
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD));
    MPI_Finalize();
    return failed;
}
