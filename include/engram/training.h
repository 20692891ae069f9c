/** @file training.h
 *  A training run: loops, measurements, results.
 */
#ifndef ENGRAM_TRAINING_H
#define ENGRAM_TRAINING_H

#include "engram/config.h"

/** What the command line says about a run, beyond the configuration. */
typedef struct {
    const char *directory;    /**< -o, or NULL for output.directory */
    bool overwrite;           /**< replace the results of an earlier run */
    int argument_count;       /**< of the command line, for run.json */
    char *const *arguments;
} run_options;

/** Build, train, test and write. Collective.
 *  @return agreed and printed: STATUS_OK; STATUS_INPUT for a bad configuration or a directory that holds a run; STATUS_NUMERIC if P stopped being
 *          positive definite; STATUS_FAILURE if results could not be written */
status training_run(const context *context, config *config, const run_options *options);

/** Build and say what would run: sizes, memory, times; run no training step. Collective. @return as training_run() */
status training_check(const context *context, config *config);

#endif
