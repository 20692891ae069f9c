#include "guard.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engram/guard_settings.h"
#include "engram/memory.h"

enum { WINDOW_MS = 100 };

static const param params[] = {
    {"max_rate", PARAM_NUMBER, UNIT_RATE, "200 Hz", 0, 1e6, NULL, "the run ends (exit code 4) when the network's mean rate over 100 ms exceeds this; 0: never",
     offsetof(guard_settings, max_rate), MAY_RESUME},
    {"min_rate", PARAM_NUMBER, UNIT_RATE, "0.001 Hz", 0, 1e6, NULL, "the run ends (exit code 4) when the mean rate of a training loop is below this; 0: never",
     offsetof(guard_settings, min_rate), MAY_RESUME},
};
const param_table guard_common = {"guards", "when a run has gone wrong and is ended", params, sizeof params / sizeof *params, sizeof(guard_settings)};

guard *guard_new(const context *context, const learning_system *system, void *self, const system_facts *facts, double max_rate) {
    guard *guard = memory_new(MEMORY_STATE, 1, sizeof *guard);
    guard->context = context;
    guard->system = system;
    guard->self = self;
    guard->max_rate = max_rate;
    guard->part = facts->part;
    guard->samples = facts->samples;
    guard->dt = facts->dt;
    guard->window = llround(WINDOW_MS / facts->dt);
    if (guard->window < 1) guard->window = 1;
    guard->count = memory_new(MEMORY_STATE, (size_t)facts->part.mine, sizeof(uint32_t));
    if (system->variables) system->variables(self, &guard->variables);
    return guard;
}

void guard_free(guard *guard) {
    if (!guard) return;
    memory_free(guard->count);
    memory_free(guard);
}

void guard_begin(guard *guard) {
    guard->spikes = 0;
    memset(guard->count, 0, (size_t)guard->part.mine * sizeof *guard->count);
}

void guard_count(guard *guard, const int32_t *fired, int count, int64_t of_network) {
    for (int k = 0; k < count; k++) guard->count[fired[k]]++;
    guard->spikes += of_network;
}

bool guard_window_ends(const guard *guard, int64_t step) {
    return step % guard->window == 0;
}

bool guard_find_runaway(guard *guard, pulse *pulse, int64_t step) {
    double window_ms = (double)guard->window * guard->dt;
    double rate = (double)guard->spikes * 1000 / ((double)guard->part.total * (double)guard->samples * window_ms);
    bool runs_away = guard->max_rate > 0 && rate > guard->max_rate;
    if (runs_away) {
        struct { double rate; int gid; } worst = {-1, 0}, all;
        for (int i = 0; i < guard->part.mine; i++)
            if (guard->count[i] > worst.rate) worst.rate = guard->count[i], worst.gid = (int)(guard->part.first + i);
        CHECK_MPI(MPI_Allreduce(&worst, &all, 1, MPI_DOUBLE_INT, MPI_MAXLOC, guard->context->comm));
        pulse_fault(pulse, "%g ms: the network runs away: %.1f Hz over the last %g ms (allowed: guards.max_rate = %g Hz); neuron %d fires most%s, at %.1f Hz",
                    (double)step * guard->dt, rate, window_ms, guard->max_rate, all.gid, guard->samples > 1 ? " in the first sample" : "",
                    all.rate * 1000 / window_ms);
    }
    guard_begin(guard);
    return runs_away;
}

static bool all_finite(const variable *variable, int count) {
    int wrong = 0;
    if (variable->value)
        for (int i = 0; i < count; i++) wrong |= !(fabs(variable->value[i]) <= DBL_MAX);
    else
        for (int i = 0; i < count; i++) wrong |= !(fabsf(variable->single[i]) <= FLT_MAX);
    return !wrong;
}

static double value_of(const variable *variable, int i) {
    return variable->value ? variable->value[i] : (double)variable->single[i];
}

void guard_find_infinite(guard *guard, pulse *pulse, int64_t step) {
    if (guard->system->refresh) guard->system->refresh(guard->self);
    for (int v = 0; v < guard->variables.count; v++) {
        const variable *variable = &guard->variables.entry[v];
        if (!variable->guarded || all_finite(variable, guard->part.mine)) continue;
        int i = 0;
        while (isfinite(value_of(variable, i))) i++;
        pulse_fault(pulse, "%g ms: %s of neuron %lld is not finite (%g)", (double)step * guard->dt, variable->title ? variable->title : variable->name,
                    (long long)(guard->part.first + i), value_of(variable, i));
        return;
    }
}
