/* Navigation that learns to learn (after Bellec et al. 2018, and the water maze of Morris): an agent in the square -1 .. 1 looks for a goal that it does not
 * see, at a place that is drawn for each episode; when it gets there it is put at another place, and may go straight back, if it knows.
 *
 * A move takes `duration`. Populations tell where it is, what it did last, and whether it got there or ran into a wall. An action is a vector, of which a
 * length of 1 is a step of `step`; longer ones are shortened. Reaching the goal is 1, a wall costs `penalty`. */
#include <math.h>
#include <stdio.h>

#include "encoders.h"
#include "engram/memory.h"

enum { GRID_MAX = 100, DRAW_GOAL = 0, DRAW_PLACE = 2 };
static const double CODED = 0.1; /* width of what tells actions */

typedef struct {
    int64_t moves, grid, channels;
    double duration, goal, step, penalty, width, rate;
} parameters;

static const param params[] = {
    {"moves", PARAM_INTEGER, UNIT_NONE, "200", 2, 65535, NULL, "of an episode", offsetof(parameters, moves)},
    {"duration", PARAM_NUMBER, UNIT_TIME, "10 ms", 1, 6e4, NULL, "of a move; readouts are averaged over it", offsetof(parameters, duration)},
    {"goal", PARAM_NUMBER, UNIT_NONE, "0.2", 1e-3, 1, NULL, "radius of the goal, in an arena of -1 .. 1", offsetof(parameters, goal)},
    {"step", PARAM_NUMBER, UNIT_NONE, "0.08", 1e-4, 1, NULL, "longest step of a move", offsetof(parameters, step)},
    {"penalty", PARAM_NUMBER, UNIT_NONE, "0.02", 0, 1e3, NULL, "that a wall costs; reaching the goal is 1", offsetof(parameters, penalty)},
    {"grid", PARAM_INTEGER, UNIT_NONE, "10", 2, GRID_MAX, NULL, "place units along a side", offsetof(parameters, grid)},
    {"width", PARAM_NUMBER, UNIT_NONE, "0.15", 1e-3, 10, NULL, "standard deviation of a place unit's Gaussian", offsetof(parameters, width)},
    {"channels", PARAM_INTEGER, UNIT_NONE, "20", 2, 10000, NULL, "inputs of each of four groups: the last action along x, along y; reward; wall",
     offsetof(parameters, channels)},
    {"rate", PARAM_NUMBER, UNIT_RATE, "200 Hz", 1e-6, 1e6, NULL, "of an input at its centre", offsetof(parameters, rate)},
};
static const param_table table = {"navigation", "the way back to a goal that was found once, in every episode another", params, sizeof params / sizeof *params,
                                  sizeof(parameters)};

typedef struct { double place[2], goal[2]; uint64_t visits; } agent;

typedef struct {
    parameters is;
    uint64_t seed;
    int steps;                    /* of a move */
    double chance;
    agent agent[TASK_LANES];      /* of the samples that are under way */
} navigation;

static int inputs_of(const parameters *p) {
    return (int)(p->grid * p->grid + 4 * p->channels);
}

static status check(const task_setting *setting, const void *raw) {
    const parameters *p = raw;
    status result = config_check_steps(setting->config, TASK_SECTION, "duration", p->duration, setting->dt);
    if (p->rate / 1000 * setting->dt >= 1)
        result = config_complain(setting->config, TASK_SECTION, "rate", "%g Hz is %g spikes a step; less than 1 is possible", p->rate,
                                 p->rate / 1000 * setting->dt);
    if ((double)p->moves * p->duration / setting->dt > 65535)
        result = config_complain(setting->config, TASK_SECTION, "moves", "%lld of %g ms; less than 65536 steps are possible", (long long)p->moves, p->duration);
    return result;
}

static status shape_of(const task_setting *setting, const void *raw, task_shape *shape) {
    const parameters *p = raw;
    const int steps = (int)llround(p->duration / setting->dt);
    *shape = (task_shape){.inputs = inputs_of(p), .outputs = 2 + 1, .steps = (int)p->moves * steps, .reads = (int)p->moves, .read_steps = steps,
                          .bytes = (int64_t)sizeof(navigation)};
    const double placed = (double)(p->grid * p->grid) * fmin(1, M_PI / 2 * p->width * p->width);
    const double moved = 2 * (double)p->channels * fmin(1, CODED * sqrt(2 * M_PI));
    shape->shown = p->rate / 1000 * setting->dt * (placed + moved) / shape->inputs;
    return STATUS_OK;
}

static status open_task(const task_setting *setting, const void *raw, const task_shape *shape, void **self, char about[TASK_TEXT_BYTES]) {
    const parameters *p = raw;
    navigation *task = *self = memory_new(MEMORY_TARGETS, 1, sizeof *task);
    *task = (navigation){.is = *p, .seed = setting->seed, .steps = shape->read_steps, .chance = p->rate / 1000 * setting->dt};
    snprintf(about, TASK_TEXT_BYTES, "%lld moves of %g ms", (long long)p->moves, p->duration);
    return STATUS_OK;
}

static double between(const navigation *task, uint64_t sample, uint64_t draw) {
    return 2 * random_uniform(task->seed, RANDOM_TASK, sample, draw) - 1;
}

/** Somewhere in the arena, another place at each visit of the goal. */
static void put(const navigation *task, agent *agent, uint64_t sample) {
    for (int d = 0; d < 2; d++) agent->place[d] = between(task, sample, DRAW_PLACE + 2 * agent->visits + (uint64_t)d);
}

static void draw_sample(void *raw, task_pick pick, const task_sample *sample) {
    navigation *task = raw;
    agent *agent = &task->agent[sample->lane];
    agent->visits = 0;
    for (int d = 0; d < 2; d++) agent->goal[d] = between(task, task_sample_id(pick), DRAW_GOAL + (uint64_t)d);
    put(task, agent, task_sample_id(pick));
}

/** Spikes of the steps of a move. */
static void show(const navigation *task, const task_sample *sample, uint64_t number, int move, const double action[2], const task_moved *moved) {
    static const double FURTHEST = 5;
    const parameters *p = &task->is;
    const agent *agent = &task->agent[sample->lane];
    const encoder_draws draws = {task->seed, number};
    encoder_span span = {.inputs = inputs_of(p), .first = move * task->steps, .steps = task->steps};
    for (int unit = 0; unit < p->grid * p->grid; unit++) {
        const double x = agent->place[0] - (2.0 * (double)(unit % p->grid) / (double)(p->grid - 1) - 1);
        const double y = agent->place[1] - (2.0 * (double)(unit / p->grid) / (double)(p->grid - 1) - 1), off = (x * x + y * y) / (p->width * p->width);
        span.channel = unit;
        if (off < FURTHEST * FURTHEST) encode_poisson(sample, span, task->chance * exp(-off / 2), draws);
    }
    if (move == 0) return;
    for (int d = 0; d < 2; d++) {
        const encoder_population code = {.first = (int)(p->grid * p->grid + d * p->channels), .count = (int)p->channels, .width = CODED,
                                         .chance = task->chance};
        encode_population(sample, span, code, (action[d] + 1) / 2, draws);
    }
    for (int group = 0; group < 2; group++) {
        if (!(group == 0 ? moved->reached : moved->reward < 0)) continue;
        for (int c = 0; c < p->channels; c++) {
            span.channel = (int)(p->grid * p->grid + (2 + group) * p->channels) + c;
            encode_poisson(sample, span, task->chance, draws);
        }
    }
}

static task_moved move(void *raw, task_pick pick, const task_sample *sample, int number, const double *wanted) {
    navigation *task = raw;
    const parameters *p = &task->is;
    agent *agent = &task->agent[sample->lane];
    task_moved moved = {0};
    double action[2] = {0, 0}, off = 0;
    if (number > 0) {
        const double length = hypot(wanted[0], wanted[1]);
        bool wall = false;
        for (int d = 0; d < 2; d++) {
            action[d] = length > 1 ? wanted[d] / length : wanted[d];
            agent->place[d] += p->step * action[d];
            if (fabs(agent->place[d]) > 1) wall = true, agent->place[d] = copysign(1, agent->place[d]);
            off += (agent->place[d] - agent->goal[d]) * (agent->place[d] - agent->goal[d]);
        }
        moved.reached = off < p->goal * p->goal;
        moved.reward = (moved.reached ? 1 : 0) - (wall ? p->penalty : 0);
    }
    for (int d = 0; d < 2; d++) moved.place[d] = agent->place[d], moved.goal[d] = agent->goal[d];
    if (moved.reached) agent->visits++, put(task, agent, task_sample_id(pick));
    if (number < p->moves) show(task, sample, task_sample_id(pick), number, action, &moved);
    return moved;
}

const task_kind task_navigation = {.parameters = &table, .check = check, .shape = shape_of, .open = open_task, .close = memory_free, .draw = draw_sample,
                                   .move = move, .gives = TASK_SPIKES | TASK_ACTIONS};
