/* Drives of a chaotic rate network (Kim & Chow 2018; patterns/README.md 4.3): tau dx/dt = -x + M h(x), h = sqrt([x]+)/pi, integrated with Euler steps.
 * Each rank integrates its own rows; the rates are shared after every step. Sums run over sources in order, so the partition does not matter. */
#include <math.h>
#include <stdlib.h>

#include "engram/memory.h"
#include "engram/random.h"
#include "engram/targets.h"

typedef struct {
    double tau, g, probability, dt, settle;
    bool centre_rows;
    int64_t tasks;
} chaotic_parameters;

#define NUMBER(key, unit, fallback, low, high, help, member) {key, PARAM_NUMBER, unit, fallback, low, high, NULL, help, offsetof(chaotic_parameters, member)}
static const param parameters[] = {
    NUMBER("tau", UNIT_TIME, "40 ms", 1, 1e9, "time constant of the rate units", tau),
    NUMBER("g", UNIT_NONE, "5", 0, 1e3, "gain: non-zero weights are N(0, g^2/(N p))", g),
    NUMBER("probability", UNIT_NONE, "0.3", 1e-9, 1, "connection probability p", probability),
    {"centre_rows", PARAM_FLAG, UNIT_NONE, "true", 0, 0, NULL, "subtract the mean of each unit's weights (code)", offsetof(chaotic_parameters, centre_rows)},
    NUMBER("step", UNIT_TIME, "1 ms", 1e-3, 1, "Euler step", dt),
    NUMBER("settle", UNIT_TIME, "0 ms", 0, 1e9, "time discarded before the target begins", settle),
    {"tasks", PARAM_INTEGER, UNIT_NONE, "1", 1, 10000, NULL, "tasks: own initial states of one rate network", offsetof(chaotic_parameters, tasks)},
};
#undef NUMBER
static const param_table table = {"chaotic", "drives of a chaotic rate network (Kim & Chow 2018)", parameters, sizeof parameters / sizeof *parameters,
                                  sizeof(chaotic_parameters)};

static int tasks(const void *raw, const void *state) {
    (void)state;
    return (int)((const chaotic_parameters *)raw)->tasks;
}

/** Rows of M of this rank. */
typedef struct {
    int64_t *start;
    int32_t *source;
    double *weight;
} sparse_rows;

static sparse_rows draw_rows(const target_request *request, const chaotic_parameters *p) {
    int64_t total = request->part.total, count = 0, room = 0;
    double sd = p->g / sqrt((double)total * p->probability);
    sparse_rows rows = {.start = memory_new(MEMORY_BUFFERS, (size_t)request->part.mine + 1, sizeof(int64_t))};
    for (int i = 0; i < request->part.mine; i++) {
        uint64_t gid = (uint64_t)(request->part.first + i);
        double sum = 0;
        if (count + total > room) {
            room = (count + total) * 3 / 2;
            rows.source = memory_resize(MEMORY_BUFFERS, rows.source, (size_t)room, sizeof(int32_t));
            rows.weight = memory_resize(MEMORY_BUFFERS, rows.weight, (size_t)room, sizeof(double));
        }
        for (int64_t j = 0; j < total; j++) {
            if (random_uniform(request->seed, RANDOM_TARGET_NETWORK, gid, (uint64_t)j << 1) >= p->probability) continue;
            rows.source[count] = (int32_t)j;
            sum += rows.weight[count++] = sd * random_normal(request->seed, RANDOM_TARGET_NETWORK, gid, (uint64_t)j << 1 | 1);
        }
        if (p->centre_rows)
            for (int64_t s = rows.start[i]; s < count; s++) rows.weight[s] -= sum / (double)(count - rows.start[i]);
        rows.start[i + 1] = count;
    }
    return rows;
}

/** Rates of all units from my x. Collective. */
static void share_rates(const target_request *request, const double *x, double *mine_rates, const int *counts, const int *offsets, double *rates) {
    for (int i = 0; i < request->part.mine; i++) mine_rates[i] = transfer_phi1(x[i]);
    CHECK_MPI(MPI_Allgatherv(mine_rates, request->part.mine, MPI_DOUBLE, rates, counts, offsets, MPI_DOUBLE, request->context->comm));
}

static status fill(const target_request *request, const void *raw, void *state, int task, const int32_t *paired, double *rows) {
    (void)state, (void)paired;
    const chaotic_parameters *p = raw;
    int mine = request->part.mine, ranks = request->context->ranks;
    sparse_rows matrix = draw_rows(request, p);
    double *x = memory_new(MEMORY_BUFFERS, (size_t)mine, sizeof(double)), *local = memory_new(MEMORY_BUFFERS, (size_t)mine, sizeof(double));
    double *rates = memory_new(MEMORY_BUFFERS, (size_t)request->part.total, sizeof(double));
    int *counts = memory_new(MEMORY_BUFFERS, (size_t)ranks, sizeof(int)), *offsets = memory_new(MEMORY_BUFFERS, (size_t)ranks, sizeof(int));
    partition_blocks(&request->part, counts, offsets);
    for (int i = 0; i < mine; i++) x[i] = 0.2 * random_uniform(request->seed, RANDOM_TARGET, (uint64_t)(request->part.first + i), (uint64_t)task << 32);
    int64_t settle = llround(p->settle / p->dt), done = 0;
    for (int k = 0; k < request->instants; k++) {
        int64_t until = settle + llround((k + 1) * request->every / p->dt);
        for (; done < until; done++) {
            share_rates(request, x, local, counts, offsets, rates);
            for (int i = 0; i < mine; i++) {
                double input = 0;
                for (int64_t s = matrix.start[i]; s < matrix.start[i + 1]; s++) input += matrix.weight[s] * rates[matrix.source[s]];
                x[i] += p->dt / p->tau * (input - x[i]);
            }
        }
        for (int i = 0; i < mine; i++) rows[(int64_t)k * mine + i] = x[i];
    }
    memory_free(matrix.start), memory_free(matrix.source), memory_free(matrix.weight);
    memory_free(x), memory_free(local), memory_free(rates), memory_free(counts), memory_free(offsets);
    return STATUS_OK;
}

const target_kind targets_chaotic = {.parameters = &table, .tasks = tasks, .fill = fill};
