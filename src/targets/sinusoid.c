/* Sinusoids of Arthur et al. 2023 (patterns/README.md 4.1): amplitude sin(2 pi (t - phi_i)/period) + mean drive_i + bias(t), t from the start of the loop. */
#include <math.h>

#include "engram/memory.h"
#include "engram/random.h"
#include "engram/targets.h"

enum { BIAS_NONE, BIAS_OU, BIAS_RAMP };

typedef struct {
    double amplitude, period, bias_tau, bias_sigma, ramp;
    int64_t tasks;
    bool mean_drive;
    int bias;
} sinusoid_parameters;

static const param parameters[] = {
    {"amplitude", PARAM_NUMBER, UNIT_NONE, "0.5", -1e6, 1e6, NULL, "amplitude of the target drive", offsetof(sinusoid_parameters, amplitude)},
    {"period", PARAM_NUMBER, UNIT_TIME, "1000 ms", 1e-3, 1e9, NULL, "period; phases are uniform", offsetof(sinusoid_parameters, period)},
    {"mean_drive", PARAM_FLAG, UNIT_NONE, "true", 0, 0, NULL, "oscillate around each neuron's mean drive in the static network",
     offsetof(sinusoid_parameters, mean_drive)},
    {"bias", PARAM_CHOICE, UNIT_NONE, "none", 0, 0, "none ou ramp", "added to all neurons alike", offsetof(sinusoid_parameters, bias)},
    {"bias_tau", PARAM_NUMBER, UNIT_TIME, "400 ms", 1, 1e9, NULL, "correlation time of the ou bias", offsetof(sinusoid_parameters, bias_tau)},
    {"bias_sigma", PARAM_NUMBER, UNIT_NONE, "0.02", 0, 1e6, NULL, "noise amplitude of the ou bias per sqrt(ms)", offsetof(sinusoid_parameters, bias_sigma)},
    {"ramp", PARAM_NUMBER, UNIT_NONE, "0.25", -1e6, 1e6, NULL, "the ramp bias goes from 0 to this", offsetof(sinusoid_parameters, ramp)},
    {"tasks", PARAM_INTEGER, UNIT_NONE, "1", 1, 10000, NULL, "tasks, each with its own targets and stimulus", offsetof(sinusoid_parameters, tasks)},
};
static const param_table table = {"sinusoid", "sinusoids with random phases (Arthur et al. 2023)", parameters, sizeof parameters / sizeof *parameters,
                                  sizeof(sinusoid_parameters)};

static int tasks(const void *raw, const void *state) {
    (void)state;
    return (int)((const sinusoid_parameters *)raw)->tasks;
}

static int needs(const void *raw) {
    return ((const sinusoid_parameters *)raw)->mean_drive ? NEEDS_MEAN_DRIVE : 0;
}

/** One curve for all neurons. The OU process takes steps of 1 ms. @param[out] bias [instants] */
static void draw_bias(const target_request *request, const sinusoid_parameters *p, int task, double *bias) {
    double x = 0;
    int64_t ms = 0;
    for (int k = 0; k < request->instants; k++) {
        double t = (k + 1) * request->every;
        if (p->bias == BIAS_RAMP) bias[k] = p->ramp * (k + 1) / request->instants;
        if (p->bias != BIAS_OU) continue;
        for (; ms < llround(t); ms++)
            x += -x / p->bias_tau + p->bias_sigma * random_normal(request->seed, RANDOM_TARGET_COMMON, 0, ((uint64_t)task << 32) + (uint64_t)ms);
        bias[k] = x;
    }
}

static status fill(const target_request *request, const void *raw, void *state, int task, const int32_t *paired, double *rows) {
    (void)state, (void)paired;
    const sinusoid_parameters *p = raw;
    int mine = request->part.mine;
    double *bias = memory_new(MEMORY_BUFFERS, (size_t)request->instants, sizeof(double));
    draw_bias(request, p, task, bias);
    for (int i = 0; i < mine; i++) {
        double phase = p->period * random_uniform(request->seed, RANDOM_TARGET, (uint64_t)(request->part.first + i), (uint64_t)task << 32);
        double offset = p->mean_drive ? request->mean_drive[i] : 0;
        for (int k = 0; k < request->instants; k++) {
            double t = request->start + (k + 1) * request->every;
            rows[(int64_t)k * mine + i] = p->amplitude * sin(2 * M_PI * (t - phase) / p->period) + offset + bias[k];
        }
    }
    memory_free(bias);
    return STATUS_OK;
}

const target_kind targets_sinusoid = {.parameters = &table, .tasks = tasks, .needs = needs, .fill = fill};
