/* Going on with a run that was interrupted, and telling whether what is found of one belongs together. */
#ifndef ENGRAM_RESUME_H
#define ENGRAM_RESUME_H

#include "checkpoint.h"
#include "engram/config.h"

/** Where a run starts: all zero for a new run. */
typedef struct {
    int64_t loop;     /* loops that need not be done again */
    int64_t newest;   /* loop of the newest checkpoint, which may be damaged; -1: none */
    char *checkpoint; /* its path, owned; NULL: start from the beginning */
    checkpoint_origin origin; /* of that checkpoint */
    char *inputs;     /* config_inputs() when the run began, owned */
} resume_point;

/** Find the newest whole checkpoint of the run in @p directory and settle the files that are named (inputs_settle()), before the system reads one of them.
 *  Collective. @param named config_inputs() now. @return agreed and printed: STATUS_INPUT for other files, or when no checkpoint is whole */
status resume_find(const context *context, const char *directory, config *config, const char *named, resume_point *point);

/** Compare the configuration, resolved, with that of the run in @p directory, and with what the checkpoint that was found says of its run. Collective.
 *  Keys that may differ: those of MAY_RESUME (but spikes: all cannot be switched on or off). @return agreed and printed: STATUS_INPUT with the differences */
status resume_compare(const context *context, const char *directory, config *config, const resume_point *point);
void resume_clear(resume_point *point);

/** Is a checkpoint of the run that @p now describes, and of this build? Another build, or revision, is a warning. Collective.
 *  @return agreed and printed: STATUS_INPUT with the list of differences */
status run_compare(const context *context, const char *directory, const char *checkpoint, const checkpoint_origin *origin, config *now);

#endif
