/* Van der Pol's oscillator (van der Pol 1926), scaled: X = 2 x1, w = 2 pi frequency,
 *     dx1/dt = w x2,   dx2/dt = w (m (1 - X^2) x2 - x1).
 * Rest is unstable but stays: without targets.initial a trial begins beside the cycle. */
#include "signals.h"

typedef struct { double frequency, nonlinearity; } parameters;

static const param params[] = {
    {"frequency", PARAM_NUMBER, UNIT_RATE, "0.7 Hz", 0, 1e6, NULL, "without the nonlinearity", offsetof(parameters, frequency)},
    {"nonlinearity", PARAM_NUMBER, UNIT_NONE, "1", 0, 1e3, NULL, "m", offsetof(parameters, nonlinearity)},
};
static const param_table table = {"van_der_pol", "van der Pol's oscillator, 2 dimensions, of amplitude 1", params, sizeof params / sizeof *params,
                                  sizeof(parameters)};

typedef struct { double w, m; } cycle;

static status open_cycle(const signal_setting *setting, const void *raw, void **self) {
    (void)setting;
    const parameters *p = raw;
    cycle *cycle = memory_new(MEMORY_TARGETS, 1, sizeof *cycle);
    cycle->w = SIGNALS_TURN * p->frequency;
    cycle->m = p->nonlinearity;
    *self = cycle;
    return STATUS_OK;
}

static inline void field(const void *self, const double *x, double *f) {
    const cycle *cycle = self;
    double X = 2 * x[0];
    f[0] = cycle->w * x[1];
    f[1] = cycle->w * (cycle->m * (1 - X * X) * x[1] - x[0]);
}

TEACHER_ADVANCE(2, field)

static void begin(void *self, int task, uint64_t stream, double *x) {
    (void)self, (void)task, (void)stream;
    x[0] = 0.8;
    x[1] = 0.2;
}

const teacher_kind teacher_van_der_pol = {.parameters = &table, .dimensions = 2, .open = open_cycle, .close = memory_free, .field = field, .begin = begin,
                                          .advance = advance, .box = (const double[]){1.5, 2.0}};
