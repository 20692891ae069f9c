/* A run that begins with another run's weights: learning.start_from, a key that the run adds to the section `learning` of every system. */
#ifndef ENGRAM_START_H
#define ENGRAM_START_H

#include "checkpoint.h"

/** What is added to section `learning`. */
typedef struct {
    char *start_from; /* a checkpoint, a run or a folder of checkpoints; "": none */
} start_settings;
extern const param_table start_added;

/** Does the configuration name weights to begin with? Not collective. */
bool start_is_given(config *config);

/** Find the checkpoint that learning.start_from leads to, which config_inputs() is then about: its content counts, as its seal says it. Reads the seal only;
 *  what cannot be found is found unreadable. Collective. */
void start_find(const context *context, config *config);

/** Is what start_find() found a whole checkpoint? Reads all of it, and says of which run and loop it is, and in what that run had another configuration.
 *  Collective. @return agreed and printed: STATUS_INPUT if not */
status start_check(const context *context, config *config);

/** Would a new run in that directory remove it? Collective. @return agreed and printed: STATUS_INPUT if so */
status start_spare(const context *context, const config *config, const char *directory);

/** Its weights, settled, into a subject just built. Collective. @return agreed and printed: STATUS_INPUT where arrays differ in name, type or shape */
status start_load(const run_subject *subject, const config *config);

#endif
