#include <math.h>
#include <string.h>

#include "engram/memory.h"
#include "engram/observe.h"

void spike_recorder_step(void *self, const simulation *sim, int64_t step, const int32_t *fired, int count) {
    (void)sim;
    spike_recorder *recorder = self;
    if (count == 0) return;
    if (recorder->count + count > recorder->room) {
        recorder->room = (recorder->count + count) * 3 / 2 + 1024;
        recorder->neuron = memory_resize(MEMORY_OUTPUT, recorder->neuron, (size_t)recorder->room, sizeof(int32_t));
        recorder->step = memory_resize(MEMORY_OUTPUT, recorder->step, (size_t)recorder->room, sizeof(int64_t));
    }
    memcpy(recorder->neuron + recorder->count, fired, (size_t)count * sizeof(int32_t));
    for (int k = 0; k < count; k++) recorder->step[recorder->count + k] = recorder->base + step;
    recorder->count += count;
}

void spike_recorder_clear(spike_recorder *recorder) {
    memory_free(recorder->neuron);
    memory_free(recorder->step);
    memset(recorder, 0, sizeof *recorder);
}

enum { VARIABLE_DRIVE, VARIABLE_STATIC, VARIABLE_PLASTIC, VARIABLE_INPUT, VARIABLE_COMMON };
static const char *const common_variables[VARIABLE_COMMON] = {"drive", "static_drive", "plastic_drive", "input"};

/** Number of a variable: one of the above, or VARIABLE_COMMON + a field of the neuron model; -1 if there is none. */
static int variable_of(const neuron_model *model, const char *name) {
    for (int v = 0; v < VARIABLE_COMMON; v++)
        if (strcmp(name, common_variables[v]) == 0) return v;
    for (int f = 0; f < model->field_count; f++)
        if (strcmp(name, model->fields[f].name) == 0) return VARIABLE_COMMON + f;
    return -1;
}

static const double *values_of(const simulation *sim, int variable) {
    drive_settle(sim->drive);
    switch (variable) {
    case VARIABLE_DRIVE: return sim->drive->total;
    case VARIABLE_STATIC: return sim->drive->fixed;
    case VARIABLE_PLASTIC: return sim->drive->learned;
    case VARIABLE_INPUT: return sim->input;
    default: return sim->neurons->field[variable - VARIABLE_COMMON];
    }
}

const char *report_unit(const simulation *sim, const char *variable) {
    int v = variable_of(sim->neurons->model, variable);
    return v < VARIABLE_COMMON ? "1" : sim->neurons->model->fields[v - VARIABLE_COMMON].unit;
}

status report_check(config *config) {
    const output_settings *settings = config_common(config, "output");
    const neuron_model *model = neuron_models[config_variant_index(config, "neuron")];
    const char *known[VARIABLE_COMMON + NEURON_FIELDS_MAX];
    char list[512] = "";
    int count = 0;
    for (int v = 0; v < VARIABLE_COMMON; v++) known[count++] = common_variables[v];
    for (int f = 0; f < model->field_count; f++) known[count++] = model->fields[f].name;
    for (int k = 0; k < count; k++) snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", k ? ", " : "", known[k]);
    status result = STATUS_OK;
    for (int n = 0; n < settings->report.count; n++) {
        const char *name = settings->report.values[n], *near = config_nearest(name, known, count);
        int before = 0;
        while (strcmp(settings->report.values[before], name) != 0) before++;
        if (variable_of(model, name) < 0)
            result = config_complain(config, "output", "report", "'%s' is not a variable%s%s%s; allowed are %s", name, near ? " (did you mean '" : "", near ? near : "",
                                     near ? "'?)" : "", list);
        else if (before < n)
            result = config_complain(config, "output", "report", "names '%s' twice", name);
    }
    return result;
}

void report_recorder_init(report_recorder *recorder, const simulation *sim, const output_settings *settings) {
    *recorder = (report_recorder){.settings = settings};
    if (settings->report.count == 0) return;
    int64_t wanted = settings->report_neurons < sim->part.total ? settings->report_neurons : sim->part.total;
    recorder->neuron = memory_new(MEMORY_OUTPUT, (size_t)wanted, sizeof(int32_t));
    for (int64_t n = 0; n < wanted; n++) { /* evenly over the network, so that both types are seen */
        int64_t local = n * sim->part.total / wanted - sim->part.first;
        if (local >= 0 && local < sim->part.mine) recorder->neuron[recorder->mine++] = (int32_t)local;
    }
    recorder->interval = llround(settings->report_every / sim->dt);
    if (recorder->interval < 1) recorder->interval = 1;
    recorder->samples = sim->loop_steps / recorder->interval;
    recorder->data = memory_new(MEMORY_OUTPUT, (size_t)settings->report.count, sizeof(float *));
    recorder->variable = memory_new(MEMORY_OUTPUT, (size_t)settings->report.count, sizeof(int));
    for (int v = 0; v < settings->report.count; v++) recorder->variable[v] = variable_of(sim->neurons->model, settings->report.values[v]);
    for (int v = 0; v < settings->report.count; v++)
        recorder->data[v] = memory_new(MEMORY_OUTPUT, (size_t)recorder->samples * (size_t)recorder->mine, sizeof(float));
}

void report_recorder_step(void *self, const simulation *sim, int64_t step, const int32_t *fired, int count) {
    (void)fired, (void)count;
    report_recorder *recorder = self;
    if (step % recorder->interval || recorder->taken >= recorder->samples) return;
    for (int v = 0; v < recorder->settings->report.count; v++) {
        const double *values = values_of(sim, recorder->variable[v]);
        float *row = recorder->data[v] + recorder->taken * recorder->mine;
        for (int n = 0; n < recorder->mine; n++) row[n] = (float)values[recorder->neuron[n]];
    }
    recorder->taken++;
}

void report_recorder_clear(report_recorder *recorder) {
    for (int v = 0; recorder->data && v < recorder->settings->report.count; v++) memory_free(recorder->data[v]);
    memory_free(recorder->data);
    memory_free(recorder->variable);
    memory_free(recorder->neuron);
    memset(recorder, 0, sizeof *recorder);
}

void psth_init(psth *psth, const simulation *sim, double bin_ms) {
    int64_t window = sim->targets.instants * sim->every;
    psth->bin = llround(bin_ms / sim->dt);
    if (psth->bin < 1) psth->bin = 1;
    psth->bins = (int)(window / psth->bin);
    psth->count = memory_new(MEMORY_OUTPUT, (size_t)psth->bins * (size_t)sim->part.mine, sizeof(uint32_t));
}

void psth_step(void *self, const simulation *sim, int64_t step, const int32_t *fired, int count) {
    psth *psth = self;
    int64_t since = step - sim->window;
    if (since <= 0 || (since - 1) / psth->bin >= psth->bins) return;
    uint32_t *row = psth->count + (since - 1) / psth->bin * sim->part.mine;
    for (int k = 0; k < count; k++) row[fired[k]]++;
}

void psth_clear(psth *psth) {
    memory_free(psth->count);
    psth->count = NULL;
}
