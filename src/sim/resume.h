/* Going on with a run that was interrupted. */
#ifndef ENGRAM_RESUME_H
#define ENGRAM_RESUME_H

#include "engram/config.h"

/** Where a run starts: all zero for a new run. */
typedef struct {
    int64_t loop;     /* loops that need not be done again */
    int64_t newest;   /* loop of the newest checkpoint, which may be damaged; -1: none */
    char *checkpoint; /* its path, owned; NULL: start from the beginning */
} resume_point;

/** Compare the configuration with that of the run in @p directory, and its input files with those of the checkpoint; find the newest whole checkpoint. Collective.
 *  Keys that may differ: learning.loops (not below what is done), checkpoint.*, guards.*, output.* (but spikes: all cannot be switched on or off).
 *  @param inputs  config_inputs() now. @return agreed and printed: STATUS_INPUT with the list of differences, or when no checkpoint is whole */
status resume_find(const context *context, const char *directory, config *config, const char *inputs, resume_point *point);

#endif
