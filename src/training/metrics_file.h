/* metrics.csv of a run's directory. */
#ifndef ENGRAM_METRICS_FILE_H
#define ENGRAM_METRICS_FILE_H

#include "results.h"

/** The first line of metrics.csv: the score stands behind the rate (metrics_digest()). @param tests results_begin.tests
 *  @return owned by the caller, free() */
char *metrics_make_header(const learning_system *system, const char *tests);

/** What the columns of a header hold, whatever version began the file. */
void metrics_read_columns(results *results, const char *header);

/** Open metrics.csv without touching what is in it, for this process alone. On rank 0. */
status metrics_lock(results *results);

/** Append whole lines; after an error the file is as before. On rank 0. */
status metrics_append(results *results, const char *text);

/** What metrics.csv says of the folder; a killed run leaves an empty one, or a header alone. */
typedef enum { METRICS_NONE, METRICS_FOREIGN, METRICS_BEGUN, METRICS_LOOPS } metrics_kind;
metrics_kind metrics_look(const results *results);

/** Lines of later loops than @p loop leave the file. On rank 0. */
status metrics_cut(results *results, int64_t loop);

/** Are the lines those that the run wrote up to @p loop? Where some are missing nobody can tell. On rank 0. */
status metrics_compare(const results *results, int64_t loop, uint64_t digest);

/** Does the run still stand where it was begun? On rank 0. Said once. @return STATUS_FAILURE with a message if not */
status metrics_check_there(results *results);

#endif
