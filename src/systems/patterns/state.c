/* What of the system outlives the process, or a test in the middle of training. */
#include <stdio.h>

#include "patterns.h"

/** Averages of the last loops: results that wait. */
static void list_averages(patterns *self, state_list *list) {
    const targets *targets = &self->sim->targets;
    char name[32];
    for (int task = 0; task < targets->tasks; task++) {
        snprintf(name, sizeof name, "drive/%d", task);
        state_add_optional(list, "measured", name, H5_FLOAT64, LAYOUT_COLUMNS, targets->instants, &self->average[task]);
    }
}

static void list_loop(simulation *sim, state_list *list) {
    if (sim->reset_every_loop) return;
    neurons_state(sim->neurons, list);
    drive_state(sim->drive, list);
    filter_state(sim->filter, list);
    state_add(list, "trial", "filter_age", H5_INT64, LAYOUT_SHARED, 1, &sim->filter_age);
    state_add(list, "trial", "spike_count", H5_INT32, LAYOUT_SHARED, 1, &sim->arrived_count); /* what r has yet to take up */
    state_add(list, "trial", "spikes", H5_INT32, LAYOUT_SHARED, sim->plastic->sources, sim->arrived);
    if (sim->flight) flight_state(sim->flight, sim->context.rank == 0, list);
}

void patterns_state(void *raw, state_part part, state_list *list) {
    patterns *self = raw;
    simulation *sim = self->sim;
    if (part == STATE_WEIGHTS) plastic_state(sim->plastic, list);
    if (part == STATE_LOOP) list_loop(sim, list);
    if (part != STATE_LEARNING) return;
    if (sim->rule_state && sim->rule->state) sim->rule->state(sim->rule_state, list);
    list_averages(self, list);
}

void patterns_save(void *raw, h5_file *file) {
    const simulation *sim = ((patterns *)raw)->sim;
    if (sim->rule_state && sim->rule->save) sim->rule->save(sim->rule_state, file);
}

void patterns_load(void *raw, h5_reader *reader) {
    const simulation *sim = ((patterns *)raw)->sim;
    if (sim->rule_state && sim->rule->load) sim->rule->load(sim->rule_state, reader);
}
