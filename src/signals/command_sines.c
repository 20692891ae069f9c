/* Sines: c_j(t) = amplitude_j sin(2 pi frequency_j t + phase_j), t = step dt, evaluated from left to right; or cos(). */
#include "signals.h"

typedef struct { param_numbers amplitudes, frequencies, phases; param_texts forms; } parameters;

static const param params[] = {
    {"amplitudes", PARAM_NUMBERS, UNIT_NONE, "[1]", -1e9, 1e9, NULL, "of each dimension, or one for all", offsetof(parameters, amplitudes), MAY_TEST},
    {"frequencies", PARAM_NUMBERS, UNIT_RATE, "[1 Hz]", 0, 1e6, NULL, "of each dimension, or one for all", offsetof(parameters, frequencies), MAY_TEST},
    {"phases", PARAM_NUMBERS, UNIT_NONE, "[0]", -1e9, 1e9, NULL, "radians, of each dimension, or one for all", offsetof(parameters, phases), MAY_TEST},
    {"forms", PARAM_TEXTS, UNIT_NONE, "[sin]", 0, 0, "sin cos", "sin(...) or cos(...) of each dimension, or one for all", offsetof(parameters, forms),
     MAY_TEST},
};
static const param_table table = {"sines", "a sine in each dimension", params, sizeof params / sizeof *params, sizeof(parameters)};

typedef struct { double amplitude, turn, phase; bool cosine; } wave; /**< turn: 2 pi frequency */
typedef struct { int dimensions; double dt; wave wave[]; } sines;

static status check(const signal_setting *setting, const void *raw) {
    const parameters *p = raw;
    status mine = signals_check_list(setting, SIGNALS_COMMAND, "amplitudes", &p->amplitudes);
    mine = status_worse(mine, signals_check_list(setting, SIGNALS_COMMAND, "frequencies", &p->frequencies));
    mine = status_worse(mine, signals_check_list(setting, SIGNALS_COMMAND, "phases", &p->phases));
    if (p->forms.count > 1 && p->forms.count != setting->dimensions)
        mine = config_complain(setting->config, SIGNALS_COMMAND, "forms", "%d of them, but there are %d dimensions: give one for each, or one for all",
                               p->forms.count, setting->dimensions);
    return mine;
}

static status open_sines(const signal_setting *setting, const void *raw, void **self) {
    const parameters *p = raw;
    sines *sines = memory_new(MEMORY_TARGETS, 1, sizeof *sines + (size_t)setting->dimensions * sizeof(wave));
    sines->dimensions = setting->dimensions;
    sines->dt = setting->dt;
    for (int j = 0; j < setting->dimensions; j++) {
        const char *form = p->forms.count == 0 ? "sin" : p->forms.values[p->forms.count == 1 ? 0 : j];
        sines->wave[j] = (wave){signals_entry(&p->amplitudes, j, 1), SIGNALS_TURN * signals_entry(&p->frequencies, j, 1), signals_entry(&p->phases, j, 0),
                                strcmp(form, "cos") == 0};
    }
    *self = sines;
    return STATUS_OK;
}

static void fill(void *self, uint64_t stream, int64_t first, int count, double *values) {
    (void)stream;
    const sines *sines = self;
    for (int n = 0; n < count; n++) {
        double t = (double)(first + n) * sines->dt;
        for (int j = 0; j < sines->dimensions; j++) {
            const wave *w = &sines->wave[j];
            double angle = w->turn * t + w->phase;
            *values++ = w->amplitude * (w->cosine ? cos(angle) : sin(angle));
        }
    }
}

const command_kind command_sines = {.parameters = &table, .check = check, .open = open_sines, .close = memory_free, .fill = fill};
