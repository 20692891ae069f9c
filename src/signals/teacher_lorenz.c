/* The system of Lorenz 1963, scaled: X = 12 x1, Y = 12 x2, Z = 12 x3 + 25; s = sigma, r = R, b = beta, one unit of time is time_scale:
 *     dx1/dt = s (x2 - x1),   dx2/dt = (X (r - Z) - Y) / 12,   dx3/dt = (X Y - b Z) / 12.
 * The line x1 = x2 = 0 leads to rest: without targets.initial a trial begins at a random point near the attractor, and is on it within a second. */
#include "signals.h"

typedef struct { double sigma, r, beta, time_scale; } parameters;

static const param params[] = {
    {"sigma", PARAM_NUMBER, UNIT_NONE, "10", 0, 1e3, NULL, "Prandtl number (Lorenz 1963)", offsetof(parameters, sigma)},
    {"r", PARAM_NUMBER, UNIT_NONE, "28", 0, 1e3, NULL, "Rayleigh number (Lorenz 1963)", offsetof(parameters, r)},
    {"beta", PARAM_NUMBER, UNIT_NONE, "2.6666666666666665", 0, 1e3, NULL, "8/3 (Lorenz 1963)", offsetof(parameters, beta)},
    {"time_scale", PARAM_NUMBER, UNIT_TIME, "1 s", 1e-3, 1e9, NULL, "unit of time of the equations", offsetof(parameters, time_scale)},
};
static const param_table table = {"lorenz", "the chaotic system of Lorenz 1963, 3 dimensions, scaled", params, sizeof params / sizeof *params,
                                  sizeof(parameters)};

typedef struct { double sigma, r, beta, pace; uint64_t seed; } chaos; /**< pace: units of time in a second */

static status open_chaos(const signal_setting *setting, const void *raw, void **self) {
    const parameters *p = raw;
    chaos *chaos = memory_new(MEMORY_TARGETS, 1, sizeof *chaos);
    chaos->sigma = p->sigma;
    chaos->r = p->r;
    chaos->beta = p->beta;
    chaos->pace = 1e3 / p->time_scale;
    chaos->seed = setting->seed;
    *self = chaos;
    return STATUS_OK;
}

static inline void field(const void *self, const double *x, double *f) {
    const chaos *chaos = self;
    double X = 12 * x[0], Y = 12 * x[1], Z = 12 * x[2] + 25;
    f[0] = chaos->pace * (chaos->sigma * (x[1] - x[0]));
    f[1] = chaos->pace * ((X * (chaos->r - Z) - Y) / 12);
    f[2] = chaos->pace * ((X * Y - chaos->beta * Z) / 12);
}

TEACHER_ADVANCE(3, field)

static void begin(void *self, int task, uint64_t stream, double *x) {
    const chaos *chaos = self;
    for (int j = 0; j < 3; j++) x[j] = random_uniform(chaos->seed, RANDOM_TEACHER_START, (uint64_t)j, signals_counter(stream, (uint64_t)task)) - 0.5;
}

const teacher_kind teacher_lorenz = {.parameters = &table, .dimensions = 3, .open = open_chaos, .close = memory_free, .field = field, .begin = begin,
                                     .advance = advance, .box = (const double[]){1.67, 2.22, 1.79}};
