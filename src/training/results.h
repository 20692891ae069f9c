/* What a run writes. All functions are collective; writers return agreed but unprinted status unless said otherwise. */
#ifndef ENGRAM_RESULTS_H
#define ENGRAM_RESULTS_H

#include "engram/observe.h"
#include <stdio.h>

#include "engram/h5.h"
#include "engram/training.h"
#include "resume.h"
#include "testing.h"

#define RESULTS_POPULATION "neurons"     /* of SONATA files */
#define RESULTS_UNITS      "feedforward" /* both populations */

/** The output directory of a run and the open metrics.csv. */
typedef struct results {
    char *directory; /* owned */
    int metrics;     /* descriptor on rank 0, else negative; locked while the run lasts */
    int64_t bytes;   /* of metrics.csv that are whole lines */
    int columns;     /* of metrics.csv: an earlier version's run goes on with fewer */
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

/** Can a folder of that name hold a run? @param given -o; NULL: output.directory counts @return STATUS_INPUT with a message; not agreed */
status results_check_directory(const config *config, const char *given);

/** Make the directory, parameters.yaml and metrics.csv. Refuses a directory that holds a run unless overwrite, or one that another process writes to.
 *  @param directory taken @param parameters text of parameters.yaml. @return agreed and printed */
status results_open(const context *context, char *directory, const char *parameters, bool overwrite, results *results);

/** Lock the directory of a run to go on with. @param directory taken @param point no other checkpoint may have come since. @return agreed and printed; STATUS_INPUT also where
 *  metrics.csv is not that of the run that the checkpoint is of */
status results_reopen(const context *context, char *directory, const resume_point *point, results *results);

/** Once everything is read: back to what was after @p loop loops. Lines of later loops leave metrics.csv, parameters.yaml becomes @p parameters. @return agreed and printed */
status results_rewind(const context *context, results *results, const char *parameters, int64_t loop);

/** One line of metrics.csv. */
typedef struct {
    int64_t loop;
    int task;
    double seconds, rate_hz, window_hz; /* window: of trained neurons in the target window, NAN without any */
    double correlation, auxiliary_correlation; /* SCORE_GIVEN, SCORE_AUXILIARY; NAN: not measured, an empty field */
    int64_t undefined_neurons;
    double mean_gain;
    double weight_change; /* NAN: not measured */
    bool measured;
} metrics_row;
/** @return of rank 0, not agreed: STATUS_FAILURE if the line could not be written; then the file ends with the line before */
status results_add_metrics(const context *context, results *results, const metrics_row *row);
/** Bring metrics.csv to the disk; STATUS_FAILURE also if it does not stand in the directory any more. @return of rank 0, not agreed */
status results_sync(results *results);

/** @return path of a file in the directory, owned by the caller (free) */
char *results_path(const results *results, const char *name);

status results_write_nodes(const simulation *sim, const results *results, const char *configuration);
/** @param plastic_only without the static population */
status results_write_edges(const simulation *sim, const results *results, const char *configuration, bool plastic_only);
/** @param drive [tasks] averages of the last loop of each task, [instants][mine]; NULL entries are left out */
status results_write_targets(const simulation *sim, const results *results, const char *configuration, double *const *drive, bool stimulus);
/** Spikes from the @p from-th recorded one on. @param name file in the directory */
status results_write_spikes(const simulation *sim, const results *results, const char *name, const char *configuration, const spike_recorder *recorder, int64_t from);
/** Append to the recorder what results_write_spikes() wrote to @p name, up to @p last_step. Collective; any number of ranks. @return not agreed; a missing file is STATUS_INPUT */
status results_read_spikes(const simulation *sim, const results *results, const char *name, int64_t last_step, spike_recorder *recorder);
status results_write_report(const simulation *sim, const results *results, const char *configuration, const report_recorder *recorder);

/** test.h5. @param path of the file @param loop that the weights are of @param tests [tasks] */
status results_write_test(const simulation *sim, const char *path, const char *configuration, int64_t loop, const test_result *tests);

/** run.json. @param code how the run ended @param stopped_by what ended it before its last loop, "" if nothing did @param last the last loop done in this part; loop 0: none */
status results_write_run(const simulation *sim, results *results, const run_options *options, int64_t resumed_from, int64_t loops_done, status code, const char *stopped_by,
                         const metrics_row *last, const test_result *tests);

/** Names of recorded units and conditions, where there are any: datasets GROUP/recorded_unit [N] (-1: none, -2: auxiliary target), GROUP/unit_name [units] and
 *  GROUP/condition_name [tasks]. */
void results_write_names(const simulation *sim, h5_file *file, const char *group);

/** A [rows][N] array of which this rank has columns [rows][mine]. */
void results_write_columns(const simulation *sim, h5_file *file, const char *name, int64_t rows, const double *values);
/** Times of the learning instants from the start of a loop, ms. */
void results_write_times(const simulation *sim, h5_file *file, const char *name);

/** Text in double quotes (utf8_from_bytes()), and a number or null, as JSON has them. */
void json_print_text(FILE *file, const char *text);
void json_print_number(FILE *file, double value);
/** ", \"key\": value" of each score of a test. */
void json_print_scores(FILE *file, const simulation *sim, const test_result *test);

void results_close(results *results);

#endif
