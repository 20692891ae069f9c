#include "recorder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engram/memory.h"

void spike_recorder_step(void *self, int64_t step, const int32_t *fired, int count) {
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

/** The variable of a name that can be reported; NULL if there is none. */
static const variable *find(const variable_list *list, const char *name) {
    for (int v = 0; v < list->count; v++)
        if (list->entry[v].reported && strcmp(list->entry[v].name, name) == 0) return &list->entry[v];
    return NULL;
}

void report_settle(config *config, const learning_system *system) {
    output_settings *settings = config_common(config, "output");
    variable_list list = {0};
    if (system->known_variables) system->known_variables(config, &list);
    bool all = config_given(config, "output", "report");
    for (int n = 0; n < settings->report.count && !all; n++) {
        if (find(&list, settings->report.values[n])) continue;
        while (settings->report.count) free(settings->report.values[--settings->report.count]);
    }
}

status report_check(config *config, const learning_system *system) {
    const output_settings *settings = config_common(config, "output");
    variable_list list = {0};
    const char *known[VARIABLES_MAX];
    char names[512] = "";
    int count = 0;
    if (system->known_variables) system->known_variables(config, &list);
    for (int v = 0; v < list.count; v++)
        if (list.entry[v].reported) known[count++] = list.entry[v].name;
    for (int k = 0; k < count; k++) snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", k ? ", " : "", known[k]);
    if (!count) strcpy(names, "none");
    status result = STATUS_OK;
    for (int n = 0; n < settings->report.count; n++) {
        const char *name = settings->report.values[n], *near = config_nearest(name, known, count);
        int before = 0;
        while (strcmp(settings->report.values[before], name) != 0) before++;
        if (!find(&list, name))
            result = config_complain(config, "output", "report", "'%s' is not a variable%s%s%s; allowed are %s", name, near ? " (did you mean '" : "",
                                     near ? near : "", near ? "'?)" : "", names);
        else if (before < n)
            result = config_complain(config, "output", "report", "names '%s' twice", name);
    }
    return result;
}

void report_recorder_init(report_recorder *recorder, const learning_system *system, void *self, const system_facts *facts, const output_settings *settings) {
    *recorder = (report_recorder){.settings = settings, .system = system, .self = self};
    if (settings->report.count == 0) return;
    int64_t total = facts->owned.total, wanted = settings->report_neurons < total ? settings->report_neurons : total;
    recorder->neuron = memory_new(MEMORY_OUTPUT, (size_t)wanted, sizeof(int32_t));
    for (int64_t n = 0; n < wanted; n++) { /* evenly over the network, so that all types are seen */
        int64_t local = n * total / wanted - facts->owned.first;
        if (local >= 0 && local < facts->owned.mine) recorder->neuron[recorder->mine++] = (int32_t)local;
    }
    recorder->interval = llround(settings->report_every / facts->dt);
    if (recorder->interval < 1) recorder->interval = 1;
    recorder->samples = facts->loop_steps / recorder->interval;
    recorder->data = memory_new(MEMORY_OUTPUT, (size_t)settings->report.count, sizeof(float *));
    recorder->variable = memory_new(MEMORY_OUTPUT, (size_t)settings->report.count, sizeof(variable));
    variable_list list = {0};
    system->variables(self, &list);
    for (int v = 0; v < settings->report.count; v++) recorder->variable[v] = *find(&list, settings->report.values[v]);
    for (int v = 0; v < settings->report.count; v++)
        recorder->data[v] = memory_new(MEMORY_OUTPUT, (size_t)recorder->samples * (size_t)recorder->mine, sizeof(float));
}

void report_recorder_step(void *self, int64_t step, const int32_t *fired, int count) {
    (void)fired, (void)count;
    report_recorder *recorder = self;
    if (step % recorder->interval || recorder->taken >= recorder->samples) return;
    if (recorder->system->refresh) recorder->system->refresh(recorder->self);
    for (int v = 0; v < recorder->settings->report.count; v++) {
        const variable *variable = &recorder->variable[v];
        float *row = recorder->data[v] + recorder->taken * recorder->mine;
        for (int n = 0; n < recorder->mine; n++) row[n] = variable->value ? (float)variable->value[recorder->neuron[n]] : variable->single[recorder->neuron[n]];
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
