/** @file plan_run.h
 *  "engram plan": what a run will need, from its parameter file and a machine file, without building anything; "engram calibrate": the machine file.
 */
#ifndef ENGRAM_PLAN_RUN_H
#define ENGRAM_PLAN_RUN_H

#include "engram/config.h"

typedef struct {
    const char *config;          /**< parameter file */
    const char *const *overrides;/**< [override_count] -P */
    int override_count;
    int64_t ranks;
    int64_t ranks_per_node;      /**< 0: those of the machine file */
    double memory_per_node;      /**< GiB, NAN: that of the machine file */
    const char *machine;         /**< machine file, NULL: built in */
    double rate;                 /**< Hz of neurons, NAN: of the targets, or 5 */
    const char *sbatch;          /**< job script to write, NULL: none */
    const char *directory;       /**< of the planned run, for the job script; NULL: output.directory */
    const char *csv;             /**< table over numbers of ranks to write, NULL: none */
    bool overwrite;              /**< of the job script and the table */
} plan_options;

/** Print what the run needs. Collective; all is done by rank 0. @return agreed and printed */
status plan_run(const context *context, const plan_options *options);

typedef struct {
    const char *output;          /**< machine file to write */
    const char *name;            /**< of the machine; NULL: its processor and host */
    double memory;               /**< GiB of a node, NAN: what this one has */
    bool overwrite, quick;       /**< quick: less exact, in a fraction of the time */
} calibrate_options;

/** Measure this machine on the ranks of the job, a minute and a half, and write the file. Collective. @return agreed and printed */
status calibrate_run(const context *context, const calibrate_options *options);

#endif
