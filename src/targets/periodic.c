/* Sines and products of sines of Kim & Chow 2018 (patterns/README.md 4.1, 4.2); t from the end of the stimulus. */
#include <math.h>

#include "engram/random.h"
#include "engram/targets.h"

typedef struct {
    double amplitude_low, amplitude_high, period_low, period_high, fast_low, fast_high;
    int64_t tasks;
    bool one_phase;
} periodic_parameters;

#define NUMBER(key, unit, fallback, low, high, help, member) {key, PARAM_NUMBER, unit, fallback, low, high, NULL, help, offsetof(periodic_parameters, member)}
#define COMMON(low_period, high_period)                                                                          \
    NUMBER("amplitude_low", UNIT_NONE, "0.5", -1e6, 1e6, "amplitudes A are uniform from here", amplitude_low),   \
    NUMBER("amplitude_high", UNIT_NONE, "1.5", -1e6, 1e6, "to here", amplitude_high),                            \
    NUMBER("period_low", UNIT_TIME, low_period, 1e-3, 1e9, "periods T1 are uniform from here", period_low),      \
    NUMBER("period_high", UNIT_TIME, high_period, 1e-3, 1e9, "to here", period_high),                            \
    {"tasks", PARAM_INTEGER, UNIT_NONE, "1", 1, 10000, NULL, "tasks, each with its own targets and stimulus", offsetof(periodic_parameters, tasks)}
static const param sines_params[] = {COMMON("300 ms", "1000 ms")};
static const param complex_params[] = {
    COMMON("500 ms", "1000 ms"),
    NUMBER("fast_low", UNIT_TIME, "100 ms", 1e-3, 1e9, "periods T2 of the second factor are uniform from here", fast_low),
    NUMBER("fast_high", UNIT_TIME, "500 ms", 1e-3, 1e9, "to here", fast_high),
    {"one_phase", PARAM_FLAG, UNIT_NONE, "false", 0, 0, NULL,
     "both factors share T0 ~ U[0, 1000] ms (paper); false: separate phases in [0, T1], [0, T2] (code)", offsetof(periodic_parameters, one_phase)},
};
static const param_table sines_table = {"sines", "A sin(2 pi (t - T0)/T1) (Kim & Chow 2018)", sines_params, sizeof sines_params / sizeof *sines_params,
                                        sizeof(periodic_parameters)};
static const param_table complex_table = {"complex_periodic", "A sin(2 pi (t - T0)/T1) sin(2 pi (t - T0)/T2) (Kim & Chow 2018)", complex_params,
                                          sizeof complex_params / sizeof *complex_params, sizeof(periodic_parameters)};

static int tasks(const void *raw, const void *state) {
    (void)state;
    return (int)((const periodic_parameters *)raw)->tasks;
}

static double draw(const target_request *request, int64_t gid, int task, int which, double low, double high) {
    return low + (high - low) * random_uniform(request->seed, RANDOM_TARGET, (uint64_t)gid, ((uint64_t)task << 32) + (uint64_t)which);
}

enum { SHARED_PHASE_RANGE = 1000 }; /* ms */

static status fill_sines(const target_request *request, const void *raw, void *state, int task, const int32_t *paired, double *rows) {
    (void)state, (void)paired;
    const periodic_parameters *p = raw;
    for (int i = 0; i < request->part.mine; i++) {
        int64_t gid = request->part.first + i;
        double amplitude = draw(request, gid, task, 0, p->amplitude_low, p->amplitude_high);
        double phase = draw(request, gid, task, 1, 0, SHARED_PHASE_RANGE), period = draw(request, gid, task, 2, p->period_low, p->period_high);
        for (int k = 0; k < request->instants; k++)
            rows[(int64_t)k * request->part.mine + i] = amplitude * sin(2 * M_PI * ((k + 1) * request->every - phase) / period);
    }
    return STATUS_OK;
}

static status fill_complex(const target_request *request, const void *raw, void *state, int task, const int32_t *paired, double *rows) {
    (void)state, (void)paired;
    const periodic_parameters *p = raw;
    for (int i = 0; i < request->part.mine; i++) {
        int64_t gid = request->part.first + i;
        double amplitude = draw(request, gid, task, 0, p->amplitude_low, p->amplitude_high);
        double slow = draw(request, gid, task, 1, p->period_low, p->period_high), fast = draw(request, gid, task, 2, p->fast_low, p->fast_high);
        double phase1 = draw(request, gid, task, 3, 0, p->one_phase ? SHARED_PHASE_RANGE : slow);
        double phase2 = p->one_phase ? phase1 : draw(request, gid, task, 4, 0, fast);
        for (int k = 0; k < request->instants; k++) {
            double t = (k + 1) * request->every;
            rows[(int64_t)k * request->part.mine + i] = amplitude * sin(2 * M_PI * (t - phase1) / slow) * sin(2 * M_PI * (t - phase2) / fast);
        }
    }
    return STATUS_OK;
}

const target_kind targets_sines = {.parameters = &sines_table, .tasks = tasks, .fill = fill_sines};
const target_kind targets_complex_periodic = {.parameters = &complex_table, .tasks = tasks, .fill = fill_complex};
