#include "guard.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engram/memory.h"

enum { WINDOW_MS = 100 };

static const param params[] = {
    {"max_rate", PARAM_NUMBER, UNIT_RATE, "200 Hz", 0, 1e6, NULL, "the run ends (exit code 4) when the network's mean rate over 100 ms exceeds this; 0: never", offsetof(guard_settings, max_rate), MAY_RESUME},
    {"min_rate", PARAM_NUMBER, UNIT_RATE, "0.001 Hz", 0, 1e6, NULL, "the run ends (exit code 4) when the mean rate of a training loop is below this; 0: never", offsetof(guard_settings, min_rate), MAY_RESUME},
    {"min_window_rate", PARAM_NUMBER, UNIT_RATE, "0.1 Hz", 0, 1e6, NULL, "inside the target window a lower mean rate, of all neurons and feed-forward units or of the trained neurons, counts as silence; 0: none does",
     offsetof(guard_settings, min_window_rate), MAY_RESUME},
    {"silent_window", PARAM_CHOICE, UNIT_NONE, "warn", 0, 0, "warn stop", "what silence inside the target window does: a warning in the first loop and after the last; or the run ends (exit code 4)",
     offsetof(guard_settings, silent_window), MAY_RESUME},
};
const param_table guard_common = {"guards", "when a run has gone wrong and is ended", params, sizeof params / sizeof *params, sizeof(guard_settings)};

guard *guard_new(const simulation *sim) {
    guard *guard = memory_new(MEMORY_STATE, 1, sizeof *guard);
    guard->settings = config_common(sim->config, "guards");
    guard->window = llround(WINDOW_MS / sim->dt);
    if (guard->window < 1) guard->window = 1;
    guard->count = memory_new(MEMORY_STATE, (size_t)sim->part.mine, sizeof(uint32_t));
    return guard;
}

void guard_free(guard *guard) {
    if (!guard) return;
    memory_free(guard->count);
    memory_free(guard);
}

void guard_begin(guard *guard, int mine) {
    guard->spikes = 0;
    memset(guard->count, 0, (size_t)mine * sizeof *guard->count);
}

static bool all_finite(const double *values, int count) {
    int wrong = 0;
    for (int i = 0; i < count; i++) wrong |= !(fabs(values[i]) <= DBL_MAX);
    return !wrong;
}

/** @return whether all is well */
static bool check_finite(const simulation *sim, double ms, const char *name, const double *values, char *message) {
    if (all_finite(values, sim->part.mine)) return true;
    int i = 0;
    while (fabs(values[i]) <= DBL_MAX) i++;
    snprintf(message, FAULT_BYTES, "%g ms: %s of neuron %lld is not finite (%g)", ms, name, (long long)(sim->part.first + i), values[i]);
    return false;
}

/** The neuron that fired most; collective. */
static void describe_runaway(const simulation *sim, double ms, double rate, char *message) {
    struct { double rate; int gid; } worst = {-1, 0}, all;
    for (int i = 0; i < sim->part.mine; i++)
        if (sim->guard->count[i] > worst.rate) worst.rate = sim->guard->count[i], worst.gid = (int)(sim->part.first + i);
    CHECK_MPI(MPI_Allreduce(&worst, &all, 1, MPI_DOUBLE_INT, MPI_MAXLOC, sim->context.comm));
    snprintf(message, FAULT_BYTES, "%g ms: the network runs away: %.1f Hz over the last %g ms (allowed: guards.max_rate = %g Hz); neuron %d fires most, at %.1f Hz", ms, rate,
             (double)sim->guard->window * sim->dt, sim->guard->settings->max_rate, all.gid, all.rate * 1000 / ((double)sim->guard->window * sim->dt));
}

bool guard_step(const simulation *sim, int64_t step, const int32_t *fired, int count, char *message) {
    guard *guard = sim->guard;
    double ms = (double)step * sim->dt;
    for (int k = 0; k < count; k++) guard->count[fired[k]]++;
    guard->spikes += sim->spikes_of_neurons;
    if (step % guard->window == 0) {
        double rate = (double)guard->spikes * 1000 / ((double)sim->part.total * (double)guard->window * sim->dt);
        bool runs_away = guard->settings->max_rate > 0 && rate > guard->settings->max_rate;
        if (runs_away) describe_runaway(sim, ms, rate, message);
        guard_begin(guard, sim->part.mine);
        if (runs_away) return true;
    }
    if (step % sim->every) return false;
    drive_settle(sim->drive);
    if (!check_finite(sim, ms, "the drive", sim->drive->total, message)) return true;
    for (int f = 0; f < sim->neurons->model->field_count; f++)
        if (!check_finite(sim, ms, sim->neurons->model->fields[f].name, sim->neurons->field[f], message)) return true;
    return false;
}
