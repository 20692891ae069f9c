/** @file test_run.h
 *  Trials of a trained network with frozen weights, distributed over groups of ranks: "engram test".
 */
#ifndef ENGRAM_TEST_RUN_H
#define ENGRAM_TEST_RUN_H

#include "engram/context.h"
#include "engram/perturbation_settings.h"
#include "engram/status.h"

/** What the command line says. */
typedef struct {
    const char *directory;    /**< of the run */
    const char *output;       /**< -o FILE.h5, or NULL for test.h5 in the directory */
    bool overwrite;
    bool best;                /**< weights of the best test between loops (checkpoint.keep_best), not the newest ones */
    int64_t trials;           /**< of each task; 0: test.trials of the run, or 20 where that is 0 */
    int64_t skip_trials;      /**< of each task: other trials than the first so many */
    int64_t ranks_per_trial;  /**< 0: as few as keep all ranks busy */
    perturbation_settings perturbation;
    double delete_spike;      /**< ms from the start of a trial, NAN: no */
    const char *spikes;       /**< --spikes: "all" or "none"; NULL: none */
    const char *const *overrides; /**< [override_count] -P section.key=value */
    int override_count;
} test_options;

enum { TEST_TRIALS_DEFAULT = 20 };

/** Read the run, build the network once in every group of ranks, load the weights of its newest checkpoint, or of that of its best test, run the trials, print
 *  a table, write test.h5 and test.json. Collective.
 *  @return agreed and printed: STATUS_OK; STATUS_INPUT for a directory without a run, options that do not fit, or a file that is there already;
 *          STATUS_NUMERIC if a drive is not finite; STATUS_FAILURE if results could not be written */
status test_run(const context *context, const test_options *options);

#endif
