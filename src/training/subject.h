/* What a run is of: a system, what it has built, and who holds it. */
#ifndef ENGRAM_SUBJECT_H
#define ENGRAM_SUBJECT_H

#include "engram/system.h"

/** Everything is borrowed. */
typedef struct {
    const context *context;      /* all ranks that hold the network: the job, or one of its groups */
    const learning_system *system;
    void *self;                  /* the system's */
    const system_facts *facts;
} run_subject;

#endif
