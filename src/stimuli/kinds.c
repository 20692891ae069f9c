/* The kinds of stimulus (patterns/README.md 4.7). */
#include <math.h>
#include <string.h>

#include "engram/random.h"
#include "engram/stimulus.h"

static const param_table none_table = {"none", "no stimulus", NULL, 0, 1};
static const stimulus_kind stimulus_none = {.parameters = &none_table};

/* Constant per neuron, uniform on [-amplitude, amplitude] (Kim & Chow 2018): acts on steps on+1 .. off. */
typedef struct { double amplitude; } constant_parameters;
static const param constant_params[] = {
    {"amplitude", PARAM_NUMBER, UNIT_NONE, "1", 0, 1e6, NULL, "input of each neuron is uniform on [-amplitude, amplitude]",
     offsetof(constant_parameters, amplitude), MAY_TEST},
};
static const param_table constant_table = {"constant", "a random constant for each neuron (Kim & Chow 2018)", constant_params, 1, sizeof(constant_parameters)};

static int64_t constant_last(const stimulus *stimulus) {
    return stimulus->off;
}

static void constant_begin(stimulus *stimulus) {
    double amplitude = ((const constant_parameters *)stimulus->parameters)->amplitude;
    for (int i = 0; i < stimulus->part.mine; i++)
        stimulus->value[i] = amplitude *
                             (2 * random_uniform(stimulus->seed, RANDOM_STIMULUS, (uint64_t)(stimulus->part.first + i), (uint64_t)stimulus->task << 32) - 1);
}

static void constant_next(stimulus *stimulus, int64_t sample) {
    (void)stimulus, (void)sample;
}

static const stimulus_kind stimulus_constant = {.parameters = &constant_table, .last = constant_last, .begin = constant_begin, .next = constant_next};

/* Ornstein-Uhlenbeck process per neuron (Arthur et al. 2023): x <- x + dt (mean - x)/tau + sigma sqrt(dt) xi from x = 0; sample n acts on step on + n.
 * Both ends of the window are excluded, as in TrainSpikingNet.jl. Normals: random_noise() with counter task * 2^40 + (sample - 1)/4. */
typedef struct { double tau, sigma, mean; } ou_parameters;
static const param ou_params[] = {
    {"tau", PARAM_NUMBER, UNIT_TIME, "20 ms", 1e-3, 1e9, NULL, "correlation time", offsetof(ou_parameters, tau), MAY_TEST},
    {"sigma", PARAM_NUMBER, UNIT_NONE, "0.2", 0, 1e6, NULL, "noise amplitude per sqrt(ms); stationary SD is sigma sqrt(tau/2)", offsetof(ou_parameters, sigma),
     MAY_TEST},
    {"mean", PARAM_NUMBER, UNIT_NONE, "0", -1e6, 1e6, NULL, "mean", offsetof(ou_parameters, mean), MAY_TEST},
};
static const param_table ou_table = {"ou", "an Ornstein-Uhlenbeck process for each neuron, frozen over loops (Arthur et al. 2023)", ou_params, 3,
                                     sizeof(ou_parameters)};

static status ou_check(const config *config, const void *raw, double dt) {
    const ou_parameters *p = raw;
    return p->tau >= dt ? STATUS_OK : config_complain(config, "stimulus", "tau", "%g ms is below the time step, %g ms", p->tau, dt);
}

static int64_t ou_last(const stimulus *stimulus) {
    return stimulus->off - 1;
}

static void ou_begin(stimulus *stimulus) {
    memset(stimulus->value, 0, (size_t)stimulus->part.mine * sizeof(double));
}

static void ou_next(stimulus *stimulus, int64_t sample) {
    const ou_parameters *p = stimulus->parameters;
    int mine = stimulus->part.mine;
    int64_t draw = sample - 1;
    if ((draw & 3) == 0)
        random_noise(stimulus->seed, RANDOM_STIMULUS, (uint64_t)stimulus->part.first, mine, ((uint64_t)stimulus->task << 40) + (uint64_t)(draw >> 2), mine,
                     stimulus->noise);
    const double *restrict xi = stimulus->noise + (draw & 3) * mine;
    double *restrict x = stimulus->value;
    const double pull = stimulus->dt / p->tau, kick = p->sigma * sqrt(stimulus->dt), mean = p->mean;
    for (int i = 0; i < mine; i++) x[i] = x[i] + pull * (mean - x[i]) + kick * xi[i];
}

static const stimulus_kind stimulus_ou = {.parameters = &ou_table, .check = ou_check, .last = ou_last, .begin = ou_begin, .next = ou_next};

/* To add a kind: its four functions here, or in a file of its own, and a place in this list. */
const stimulus_kind *const stimulus_kinds[] = {&stimulus_ou, &stimulus_constant, &stimulus_none, NULL};
