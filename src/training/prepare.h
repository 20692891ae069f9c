/* What comes before a network is built. */
#ifndef ENGRAM_PREPARE_H
#define ENGRAM_PREPARE_H

#include "engram/system.h"

/** Resolve, and check what only shows when sections are seen together: those of every run, and the system's. Collective. @return agreed and printed */
status run_prepare(const context *context, config *config, const learning_system *system);

#endif
