/* What a run writes. All functions are collective; writers return agreed but unprinted status unless said otherwise. */
#ifndef ENGRAM_RESULTS_H
#define ENGRAM_RESULTS_H

#include <stdio.h>

#include "engram/h5.h"
#include "engram/system.h"
#include "engram/training.h"
#include "recorder.h"
#include "resume.h"
#include "testing.h"

enum { METRIC_COLUMNS_MAX = 64 };

/** The output directory of a run and the open metrics.csv. */
typedef struct results {
    char *directory; /* owned */
    int metrics;     /* descriptor on rank 0, else negative; locked while the run lasts */
    int64_t bytes;   /* of metrics.csv that are whole lines */
    int columns;     /* of metrics.csv: a run goes on with those that it began with */
    int column[METRIC_COLUMNS_MAX]; /* [columns] what each holds: COLUMN_*, or a number of the row's values */
    char *header;    /* line of metrics.csv with which a run begins, owned */
    const context *context;        /* of what the run is, once it is built; borrowed */
    const learning_system *system;
    void *self;
    const system_facts *facts;
    uint64_t digest; /* METRICS_NO_LINES and metrics_digest() of the lines of all loops done, 0: not known; on rank 0 */
    double started;  /* clock_seconds() */
    const char *identity; /* config_identity(), borrowed; NULL: not known yet */
    double looked;   /* when the run was last seen to be where it was begun */
    bool gone;       /* it is not: nothing may be written under its name */
} results;

/** The directory of a new run: -o, or output.directory. @return owned by the caller, free() */
char *results_directory(const config *config, const run_options *options);

/** Whether results_open() can do its work, without touching anything. @return agreed and printed: what it would refuse, but for what changes meanwhile */
status results_check(const context *context, const char *directory, bool overwrite);

/** Is that the name of a file that a run in @p directory writes there, or in the folder of its checkpoints? On one rank. */
bool results_own(const char *directory, const char *path);

/** The run, whichever it is, that has or would have a file of that name where @p path leads. On one rank.
 *  @return its directory, owned by the caller (free); NULL: there is none */
char *results_owner(const char *path);

/** Can a folder of that name hold a run? @param given -o; NULL: output.directory counts @return STATUS_INPUT with a message; not agreed */
status results_check_directory(const config *config, const char *given);

/** The same, of a folder in which a job is to begin a run or to go on with one, and what is in it now. On one rank, not agreed. */
status results_check_planned(const config *config, const char *given);

/** With what a run begins, or goes on. */
typedef struct {
    const learning_system *system;
    const char *tests;      /* what names of columns of metrics.csv for tests between loops begin with, best_prefix(); NULL: there are none; borrowed */
    const char *parameters; /* text of parameters.yaml */
    bool overwrite;
} results_begin;

/** Make the directory, parameters.yaml and metrics.csv. Refuses a directory that holds a run unless overwrite, or one that another process writes to.
 *  @param directory taken @return agreed and printed */
status results_open(const context *context, char *directory, const results_begin *with, results *results);

/** Lock the directory of a run to go on with. @param directory taken @param point no other checkpoint may have come since. @return agreed and printed;
 *  STATUS_INPUT also where metrics.csv is not that of the run that the checkpoint is of */
status results_reopen(const context *context, char *directory, const results_begin *with, const resume_point *point, results *results);

/** Once everything is read: back to what was after @p loop loops. Lines of later loops leave metrics.csv, parameters.yaml becomes @p parameters.
 *  @return agreed and printed */
status results_rewind(const context *context, results *results, const char *parameters, int64_t loop);

/** One line of metrics.csv. */
typedef struct {
    int64_t loop;
    int task;
    double seconds, rate_hz;
    bool measured;
    double value[METRIC_COLUMNS_MAX]; /* metrics of the system, then the scores of a test; NAN: not measured, an empty field */
} metrics_row;
/** @return of rank 0, not agreed: STATUS_FAILURE if the line could not be written; then the file ends with the line before */
status results_add_metrics(results *results, const metrics_row *row);
/** Bring metrics.csv to the disk; STATUS_FAILURE also if it does not stand in the directory any more. @return of rank 0, not agreed */
status results_sync(results *results);

/** @return path of a file in the directory, owned by the caller (free) */
char *results_path(const results *results, const char *name);

/** Nodes, edges, and what readers of SONATA open them by. @param kept EDGES_...: which edges */
status results_write_network(const results *results, const char *configuration, int kept);
/** The file that is the system's own. */
status results_write_own(const results *results, const char *configuration);
/** Spikes from the @p from-th recorded one on. @param name file in the directory */
status results_write_spikes(const results *results, const char *name, const char *configuration, const spike_recorder *recorder, int64_t from);
/** Append to the recorder what results_write_spikes() wrote to @p name, up to @p last_step. Collective; any number of ranks. @return not agreed;
 *  a missing file is STATUS_INPUT */
status results_read_spikes(const results *results, const char *name, int64_t last_step, spike_recorder *recorder);
status results_write_report(const results *results, const char *configuration, const report_recorder *recorder);

void results_close(results *results);

#endif
