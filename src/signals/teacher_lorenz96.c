/* The chaotic ring of Lorenz 1996 in any number of dimensions from 4 on, scaled: X = centre + size x, one unit of time is time_scale:
 *     dX_i/dt = (X_(i+1) - X_(i-2)) X_(i-1) - X_i + forcing.
 * With forcing 8 the mean is 2.3 to 2.4 and the standard deviation 3.7 for J of 5 to 40 (2.6 and 3.8 for J = 4): states are of unit size.
 * Without targets.initial a trial begins at a random point within +-1/2, and is on the attractor within a few units of time. */
#include "signals.h"

typedef struct { double forcing, centre, size, time_scale; } parameters;

static const param params[] = {
    {"forcing", PARAM_NUMBER, UNIT_NONE, "8", -1e3, 1e3, NULL, "F (Lorenz 1996)", offsetof(parameters, forcing)},
    {"centre", PARAM_NUMBER, UNIT_NONE, "2.35", -1e3, 1e3, NULL, "of the equations' variables that is 0 of the teacher's", offsetof(parameters, centre)},
    {"size", PARAM_NUMBER, UNIT_NONE, "3.7", 1e-6, 1e6, NULL, "of the equations' variables that is 1 of the teacher's", offsetof(parameters, size)},
    {"time_scale", PARAM_NUMBER, UNIT_TIME, "1 s", 1e-3, 1e9, NULL, "unit of time of the equations", offsetof(parameters, time_scale)},
};
static const param_table table = {"lorenz96", "the chaotic ring of Lorenz 1996, 4 or more dimensions, scaled", params, sizeof params / sizeof *params,
                                  sizeof(parameters)};

enum { LEAST = 4 };

typedef struct {
    int dimensions;
    double forcing, centre, size, pace; /**< pace: units of time in a second */
    uint64_t seed;
} ring;

static status check(const signal_setting *setting, const void *raw) {
    (void)raw;
    if (setting->dimensions >= LEAST) return STATUS_OK;
    return config_complain(setting->config, SIGNALS_TEACHER, "kind", "lorenz96 has %d dimensions or more, not %d", LEAST, setting->dimensions);
}

static status open_ring(const signal_setting *setting, const void *raw, void **self) {
    const parameters *p = raw;
    ring *ring = memory_new(MEMORY_TARGETS, 1, sizeof *ring);
    ring->dimensions = setting->dimensions;
    ring->forcing = p->forcing;
    ring->centre = p->centre;
    ring->size = p->size;
    ring->pace = 1e3 / p->time_scale;
    ring->seed = setting->seed;
    *self = ring;
    return STATUS_OK;
}

static void field(const void *self, const double *x, double *f) {
    const ring *ring = self;
    int last = ring->dimensions - 1;
    for (int i = 0; i <= last; i++) {
        double ahead = x[i == last ? 0 : i + 1], behind = x[i ? i - 1 : last], far = x[i > 1 ? i - 2 : last - 1 + i];
        double X = ring->centre + ring->size * x[i];
        f[i] = ring->pace * ((ahead - far) * (ring->centre + ring->size * behind) + (ring->forcing - X) / ring->size);
    }
}

static void begin(void *self, int task, uint64_t stream, double *x) {
    const ring *ring = self;
    for (int j = 0; j < ring->dimensions; j++)
        x[j] = random_uniform(ring->seed, RANDOM_TEACHER_START, (uint64_t)j, signals_counter(stream, (uint64_t)task)) - 0.5;
}

/** With forcing 8, states of J = 40 reach -3.6 and 3.4 in 300 units of time. */
static void cover(const void *self, double *box) {
    for (int j = 0; j < ((const ring *)self)->dimensions; j++) box[j] = 3.7;
}

const teacher_kind teacher_lorenz96 = {.parameters = &table, .check = check, .open = open_ring, .close = memory_free, .field = field, .begin = begin,
                                       .cover = cover};
