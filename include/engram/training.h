/** @file training.h
 *  A training run: loops, measurements, results.
 */
#ifndef ENGRAM_TRAINING_H
#define ENGRAM_TRAINING_H

#include <stdio.h>

#include "engram/config.h"

/** What the command line says about a run, beyond the configuration. */
typedef struct {
    const char *directory;    /**< -o, or NULL for output.directory */
    bool overwrite;           /**< replace the results of an earlier run */
    const char *resume;       /**< --resume: directory of the run to go on with, NULL for a new run */
    double max_hours;         /**< --max-hours, NAN for checkpoint.max_hours */
    int argument_count;       /**< of the command line, for run.json */
    char *const *arguments;
} run_options;

/** The configuration of a run as given, complete, in its output directory: what --resume and `engram test` read. */
#define PARAMETERS_FILE "parameters.yaml"

/** Build, train, test and write. Collective.
 *  @return agreed and printed: STATUS_OK; STATUS_INPUT for a bad configuration, a directory that holds a run, or one that cannot be resumed;
 *          STATUS_NUMERIC if a guard ended the run (the last checkpoint is kept); STATUS_FAILURE if something could not be written;
 *          STATUS_RESUMABLE if it was asked to stop */
status training_run(const context *context, config *config, const run_options *options);

/** Does the directory hold a run that can be resumed (PARAMETERS_FILE)? Collective. */
bool results_hold_run(const context *context, const char *directory);

/** Build and say what would run: sizes, memory, times; run no training step. Collective. @return as training_run() */
status training_check(const context *context, config *config);

/** What a system measures in loops and tests, if there is one of that name: name, unit, meaning. Not collective. */
void metrics_list(const char *system, FILE *out);

#endif
