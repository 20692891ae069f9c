#include "engram/system.h"

extern const learning_system patterns_system, balanced_system, dendritic_system, lsnn_system, differentiable_system;

/* To add a system: its folder in src/systems/, and a line here. */
const learning_system *const learning_systems[] = {&patterns_system, &balanced_system, &dendritic_system, &lsnn_system, &differentiable_system, NULL};

const learning_system *system_of(const config *config) {
    return learning_systems[config_system_index(config)];
}
