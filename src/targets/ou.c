/* Ornstein-Uhlenbeck targets of Kim & Chow 2018 (patterns/README.md 4.4), as coded: per 10 ms unit x <- x - x dt/tau_c + s sqrt(dt) xi, started from the
 * stationary law. Drawn exactly in distribution at the learning instants: x <- a x + SD sqrt(1 - a^2) xi, a = exp(-every/tau_c). */
#include <math.h>

#include "engram/random.h"
#include "engram/targets.h"

typedef struct {
    double tau, sigma, sd;
    int64_t tasks;
} ou_parameters;

static const param parameters[] = {
    {"tau", PARAM_NUMBER, UNIT_TIME, "200 ms", 1, 1e9, NULL, "correlation time tau_c", offsetof(ou_parameters, tau)},
    {"sigma", PARAM_NUMBER, UNIT_NONE, "0.3", 0, 1e6, NULL, "noise amplitude s per sqrt(10 ms): SD = s sqrt(tau_c/2), tau_c in 10 ms",
     offsetof(ou_parameters, sigma)},
    {"sd", PARAM_NUMBER, UNIT_NONE, "auto", 0, 1e6, NULL, "standard deviation, held fixed whatever tau_c; auto: from sigma", offsetof(ou_parameters, sd)},
    {"tasks", PARAM_INTEGER, UNIT_NONE, "1", 1, 10000, NULL, "tasks, each with its own targets and stimulus", offsetof(ou_parameters, tasks)},
};
static const param_table table = {"ou", "Ornstein-Uhlenbeck processes (Kim & Chow 2018)", parameters, sizeof parameters / sizeof *parameters,
                                  sizeof(ou_parameters)};

static int tasks(const void *raw, const void *state) {
    (void)state;
    return (int)((const ou_parameters *)raw)->tasks;
}

static status fill(const target_request *request, const void *raw, void *state, int task, const int32_t *paired, double *rows) {
    (void)state, (void)paired;
    const ou_parameters *p = raw;
    double sd = isnan(p->sd) ? p->sigma * sqrt(p->tau / 10 / 2) : p->sd;
    double decay = exp(-request->every / p->tau);
    for (int i = 0; i < request->part.mine; i++) {
        uint64_t gid = (uint64_t)(request->part.first + i), first = (uint64_t)task << 32;
        double x = sd * random_normal(request->seed, RANDOM_TARGET, gid, first);
        for (int k = 0; k < request->instants; k++) {
            x = decay * x + sd * sqrt(1 - decay * decay) * random_normal(request->seed, RANDOM_TARGET, gid, first + (uint64_t)k + 1);
            rows[(int64_t)k * request->part.mine + i] = x;
        }
    }
    return STATUS_OK;
}

const target_kind targets_ou = {.parameters = &table, .tasks = tasks, .fill = fill};
