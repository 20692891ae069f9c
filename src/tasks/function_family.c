/* Learning to learn a family of functions (Bellec et al. 2018): an episode shows examples of one function, drawn for it; the readout, averaged over an example,
 * is to say the value there, of which the network is told with the next example. Weights stay in an episode: what is learned in it is in the network's state.
 *
 * networks: y = s(sum_k v_k s(w_k1 x1 + w_k2 x2 + h_k) + c), s(x) = 1/(1 + exp(-slope x)), weights and biases uniform in -1 .. 1
 * sines:    y = (1 + A sin(pi x1 + phase))/2, A uniform in smallest .. 1, phase in 0 .. 2 pi
 * x uniform in -1 .. 1. Populations for x1, (x2,) and the y of the example before; none fires for that in the first. */
#include <math.h>
#include <stdio.h>

#include "encoders.h"
#include "engram/memory.h"

enum { FAMILY_NETWORKS, FAMILY_SINES, HIDDEN_MAX = 1000, ARGUMENTS = 2 };
#define OF_EXAMPLE (UINT64_C(1) << 32) /* draws of the examples; those of the function are below */

typedef struct {
    int64_t examples, channels, hidden;
    double duration, rate, width, slope, smallest;
    int family;
} parameters;

static const param params[] = {
    {"family", PARAM_CHOICE, UNIT_NONE, "networks", 0, 0, "networks sines", "of the functions", offsetof(parameters, family)},
    {"examples", PARAM_INTEGER, UNIT_NONE, "500", 1, 65535, NULL, "of an episode", offsetof(parameters, examples)},
    {"duration", PARAM_NUMBER, UNIT_TIME, "20 ms", 1, 6e4, NULL, "of an example", offsetof(parameters, duration)},
    {"channels", PARAM_INTEGER, UNIT_NONE, "100", 2, 10000, NULL, "of a population", offsetof(parameters, channels)},
    {"rate", PARAM_NUMBER, UNIT_RATE, "200 Hz", 1e-6, 1e6, NULL, "of a channel at its centre", offsetof(parameters, rate)},
    {"width", PARAM_NUMBER, UNIT_NONE, "0.04", 1e-4, 10, NULL, "standard deviation of a channel's Gaussian, in the range of what it codes",
     offsetof(parameters, width)},
    {"hidden", PARAM_INTEGER, UNIT_NONE, "10", 1, HIDDEN_MAX, NULL, "units of a network", offsetof(parameters, hidden)},
    {"slope", PARAM_NUMBER, UNIT_NONE, "5", 1e-3, 1e3, NULL, "of the units of networks: with 1 the functions are almost linear", offsetof(parameters, slope)},
    {"smallest", PARAM_NUMBER, UNIT_NONE, "0.2", 0, 1, NULL, "amplitude of sines", offsetof(parameters, smallest)},
};
static const param_table table = {"function_family", "functions that are drawn anew are learned from examples, without new weights", params,
                                  sizeof params / sizeof *params, sizeof(parameters)};

typedef struct {
    parameters is;
    uint64_t seed;
    int steps;                    /* of an example */
    double chance;
} function_family;

typedef struct {
    const function_family *task;
    uint64_t sample;
} episode;

static int arguments_of(const parameters *p) {
    return p->family == FAMILY_NETWORKS ? ARGUMENTS : 1;
}

static status check(const task_setting *setting, const void *raw) {
    const parameters *p = raw;
    status result = config_check_steps(setting->config, TASK_SECTION, "duration", p->duration, setting->dt);
    if (p->rate / 1000 * setting->dt >= 1)
        result = config_complain(setting->config, TASK_SECTION, "rate", "%g Hz is %g spikes a step; less than 1 is possible", p->rate,
                                 p->rate / 1000 * setting->dt);
    if ((double)p->examples * p->duration / setting->dt > 65535)
        result = config_complain(setting->config, TASK_SECTION, "examples", "%lld of %g ms; less than 65536 steps are possible", (long long)p->examples,
                                 p->duration);
    return result;
}

static status shape_of(const task_setting *setting, const void *raw, task_shape *shape) {
    const parameters *p = raw;
    const int steps = (int)llround(p->duration / setting->dt);
    *shape = (task_shape){.inputs = (arguments_of(p) + 1) * (int)p->channels, .outputs = 1, .steps = (int)p->examples * steps, .reads = (int)p->examples,
                          .read_steps = steps, .bytes = (int64_t)sizeof(function_family),
                          .shown = p->rate / 1000 * setting->dt * fmin(1, p->width * sqrt(2 * M_PI))};
    return STATUS_OK;
}

static status open_task(const task_setting *setting, const void *raw, const task_shape *shape, void **self, char about[TASK_TEXT_BYTES]) {
    const parameters *p = raw;
    function_family *task = *self = memory_new(MEMORY_TARGETS, 1, sizeof *task);
    *task = (function_family){.is = *p, .seed = setting->seed, .steps = shape->read_steps, .chance = p->rate / 1000 * setting->dt};
    snprintf(about, TASK_TEXT_BYTES, "%lld examples of %g ms of a %s", (long long)p->examples, p->duration,
             p->family == FAMILY_NETWORKS ? "target network" : "sine");
    return STATUS_OK;
}

static double between(episode episode, uint64_t draw, double low, double high) {
    return low + (high - low) * random_uniform(episode.task->seed, RANDOM_TASK, episode.sample, draw);
}

static double sigmoid(double x) {
    return 1 / (1 + exp(-x));
}

/** The episode's function. Draws: four a hidden unit, then the bias; or amplitude and phase. */
static double value_at(episode episode, const double x[ARGUMENTS]) {
    const parameters *p = &episode.task->is;
    if (p->family == FAMILY_SINES)
        return (1 + between(episode, 0, p->smallest, 1) * sin(M_PI * x[0] + 2 * M_PI * between(episode, 1, 0, 1))) / 2;
    double sum = between(episode, 4 * (uint64_t)p->hidden, -1, 1);
    for (uint64_t k = 0; k < (uint64_t)p->hidden; k++) {
        const double inside = between(episode, 4 * k, -1, 1) * x[0] + between(episode, 4 * k + 1, -1, 1) * x[1] + between(episode, 4 * k + 2, -1, 1);
        sum += between(episode, 4 * k + 3, -1, 1) * sigmoid(p->slope * inside);
    }
    return sigmoid(p->slope * sum);
}

/** @param place where in its range the value is, 0 .. 1 */
static void show(const function_family *task, const task_sample *sample, uint64_t number, int population, int example, double place) {
    const int channels = (int)task->is.channels;
    const encoder_population code = {.first = population * channels, .count = channels, .width = task->is.width, .chance = task->chance};
    const encoder_span span = {.inputs = (arguments_of(&task->is) + 1) * channels, .first = example * task->steps, .steps = task->steps};
    encode_population(sample, span, code, place, (encoder_draws){task->seed, number});
}

static void draw_sample(void *raw, task_pick pick, const task_sample *sample) {
    const function_family *task = raw;
    const episode episode = {task, task_sample_id(pick)};
    const int arguments = arguments_of(&task->is);
    double before = NAN;
    for (int example = 0; example < task->is.examples; example++) {
        double x[ARGUMENTS] = {0};
        for (int d = 0; d < arguments; d++) {
            x[d] = between(episode, OF_EXAMPLE | (uint64_t)example << 1 | (uint64_t)d, -1, 1);
            show(task, sample, episode.sample, d, example, (x[d] + 1) / 2);
        }
        if (example > 0) show(task, sample, episode.sample, arguments, example, before);
        before = value_at(episode, x);
        for (int t = example * task->steps; t < (example + 1) * task->steps; t++) {
            sample->target[t * TASK_LANES + sample->lane] = (float)before;
            sample->weight[t * TASK_LANES + sample->lane] = 1;
        }
    }
}

const task_kind task_function_family = {.parameters = &table, .check = check, .shape = shape_of, .open = open_task, .close = memory_free, .draw = draw_sample,
                                        .gives = TASK_SPIKES | TASK_TARGETS};
