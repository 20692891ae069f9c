/* The table of systems of a program for tests: those of src/systems/table.c, in whose place it stands, and the probe. */
#include "engram/system.h"

extern const learning_system patterns_system, balanced_system, dendritic_system, lsnn_system, differentiable_system,
    probe_system;

const learning_system *const learning_systems[] = {&patterns_system, &balanced_system, &dendritic_system, &lsnn_system, &differentiable_system,
                                                   &probe_system, NULL};

const learning_system *system_of(const config *config) {
    return learning_systems[config_system_index(config)];
}
