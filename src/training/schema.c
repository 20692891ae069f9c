#include "engram/schema.h"

#include <string.h>

#include "checkpoint.h"
#include "engram/guard_settings.h"
#include "engram/output.h"
#include "engram/run_settings.h"
#include "engram/system.h"
#include "engram/test_settings.h"
#include "start.h"

#define SELECTING "learning" /* the section whose variants select a system, and to which the run adds keys of its own */

enum { SECTIONS_MAX = 24, SYSTEMS_MAX = 16 };

static const param simulation_params[] = {
    {"dt", PARAM_NUMBER, UNIT_TIME, "0.1 ms", 1e-4, 100, NULL, "time step", offsetof(simulation_settings, dt)},
    {"seed", PARAM_INTEGER, UNIT_NONE, "1", 0, 9e18, NULL, "seed of all random numbers", offsetof(simulation_settings, seed)},
    {"reset", PARAM_CHOICE, UNIT_NONE, "auto", 0, 0, "auto every_loop never", "start each loop from a fresh random state; auto: as the neuron model",
     offsetof(simulation_settings, reset)},
    {"loop_duration", PARAM_NUMBER, UNIT_TIME, "auto", 1e-3, 1e9, NULL, "model time of a loop; auto: until the target window ends",
     offsetof(simulation_settings, loop_duration)},
    {"baseline", PARAM_NUMBER, UNIT_TIME, "auto", 1, 1e9, NULL,
     "run of the static network that measures mean drives and rates; auto: a loop, but 2 s at least, 20 s for pairing by rate",
     offsetof(simulation_settings, baseline)},
};
const param_table simulation_common = {"simulation", "time step, seed, duration", simulation_params,
                                       sizeof simulation_params / sizeof *simulation_params, sizeof(simulation_settings)};

/** Before those of the system, and after them. */
static const param_section first[] = {
    {"simulation", "simulation", "time step, seed, duration", &simulation_common},
};
static const param_section last[] = {
    {"checkpoint", "checkpoint", "when a run is saved, and when it ends itself", &checkpoint_common},
    {"guards", "guards", "when a run has gone wrong and is ended", &guard_common},
    {"output", "output", "what is measured and written", &output_common},
    {"test", "test", "trials with frozen weights", &test_common},
};
/** What had another name in earlier programs, whose files and checkpoints are read. */
static const config_moved moved[] = {
    {"output", "test_trials", "test", "trials"},
    {"output", "psth_bin", "test", "psth_bin"},
};
enum { FIRST = sizeof first / sizeof *first, LAST = sizeof last / sizeof *last };

/** A section of every run, with what the system adds to it. */
static param_section with_added(const param_section *of_all, const param_section *own, int own_count) {
    param_section section = *of_all;
    for (int s = 0; s < own_count; s++)
        if (strcmp(own[s].name, of_all->name) == 0) section.added = own[s].common;
    return section;
}

static bool is_of_all(const char *name) {
    for (int s = 0; s < FIRST; s++)
        if (strcmp(first[s].name, name) == 0) return true;
    for (int s = 0; s < LAST; s++)
        if (strcmp(last[s].name, name) == 0) return true;
    return false;
}

/** The sections of a file: those of every run around those of the system. @param sections [SECTIONS_MAX] @return their number */
static int gather(const char *system, const param_section *own, int own_count, param_section *sections) {
    int count = 0;
    if (FIRST + own_count + LAST > SECTIONS_MAX) context_abort("%s has more than %d sections", system, SECTIONS_MAX - FIRST - LAST);
    for (int s = 0; s < FIRST; s++) sections[count++] = with_added(&first[s], own, own_count);
    for (int s = 0; s < own_count; s++) {
        if (is_of_all(own[s].name)) continue;
        sections[count] = own[s];
        if (strcmp(own[s].name, SELECTING) == 0) sections[count].added = &start_added;
        count++;
    }
    for (int s = 0; s < LAST; s++) sections[count++] = with_added(&last[s], own, own_count);
    return count;
}

const config_schema *training_schema(void) {
    static param_section sections[SYSTEMS_MAX][SECTIONS_MAX];
    static config_system systems[SYSTEMS_MAX];
    static config_schema schema = {.systems = systems, .selecting = SELECTING, .moved = moved, .moved_count = sizeof moved / sizeof *moved};
    for (int s = schema.system_count; learning_systems[s]; s = ++schema.system_count) {
        int count;
        if (s == SYSTEMS_MAX) context_abort("more than %d learning systems", SYSTEMS_MAX);
        const param_section *own = learning_systems[s]->sections(&count);
        int gathered = gather(learning_systems[s]->name, own, count, sections[s]);
        systems[s] = (config_system){learning_systems[s]->name, learning_systems[s]->help, sections[s], gathered};
    }
    return &schema;
}
