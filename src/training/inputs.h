/* The files that a run reads: which they were when it began, wherever they are now, and the run's own copies of its recorded data,
 * DIR/checkpoint/input-HASH. */
#ifndef ENGRAM_INPUTS_H
#define ENGRAM_INPUTS_H

#include "engram/config.h"

/** The files of the run in a directory: config_inputs() before its system resolved them, and when it began. */
typedef struct {
    const char *directory, *named, *before;
    bool test; /* for trials with frozen weights, the run does not go on */
} run_inputs;

/** Compare files that are named with those that a run began with, before anybody reads them: content counts. One that is elsewhere now is told;
 *  one that is gone is read from the run's copy, which is told, too. One of PATH_ONCE may be gone, or have other content under its old name; in a test one of
 *  PATH_OTHER may have other content under another name, which is told. Collective.
 *  @return agreed and printed: STATUS_INPUT for another content, or where neither file nor copy is there */
status inputs_settle(const context *context, const run_inputs *of, config *config);

/** The same of files that nobody named, when the system has resolved them: one may have been found beside another (edge_types.csv). Collective.
 *  @param now config_inputs() then. @return as inputs_settle(); STATUS_INPUT also for one that was not there when the run began, or is there no more */
status inputs_settle_found(const context *context, const run_inputs *of, config *config, const char *now);

/** The files of a run that goes on, settled, for its next checkpoints: of what cannot be read now, or is not read again, what the run began with.
 *  Not collective. @param now, before as in inputs_settle() @return owned by the caller, free() */
char *inputs_as_begun(const config *config, const char *now, const char *before);

/** Would what is written take the place of a file that is read? Collective. @param directory of a new run; NULL: none @param outputs paths of other files
 *  @return agreed and printed: STATUS_INPUT if so */
status inputs_spare(const context *context, const char *now, const char *directory, const char *const *outputs, int count);

/** Copy files into the run, those of PATH_KEPT that are not there yet. Edges are not copied: they may be as large as the disk. Collective.
 *  @param now config_inputs(). @return agreed and printed; STATUS_FAILURE if there is no room, STATUS_INPUT if a file changes under way */
status inputs_keep(const context *context, const char *directory, const config *config, const char *now);

#endif
