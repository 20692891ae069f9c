/* run.json: how a run went, written when it ends and read by `engram status`. */
#ifndef ENGRAM_RUN_JSON_H
#define ENGRAM_RUN_JSON_H

#include <stdio.h>

#include "best.h"
#include "results.h"

/** How the run ended. */
typedef struct {
    const run_options *options;
    int64_t resumed_from, loops; /* loops that an earlier part of the run did; all that are done */
    status code;
    const char *stopped_by;      /* what ended it before its last loop, "" if nothing did */
    const metrics_row *last;     /* the last loop done in this part; loop 0: none */
    const testing *tests;        /* NULL: none */
    const best_tests *best;      /* of tests between loops */
    const timers *timers;
} run_ending;

/** Write run.json. Collective. @return of rank 0, not agreed */
status results_write_run(results *results, const run_ending *ending);

/** Text in double quotes (utf8_from_bytes()), and a number or null, as JSON has them. */
void json_print_text(FILE *file, const char *text);
void json_print_number(FILE *file, double value);
/** "\"name\": value" of each figure from the @p from-th on, with @p between before all but the first; those of a group make an object. */
void json_print_figures(FILE *file, const figure_list *list, int from, const char *between);

/** What the text of a run.json says of the end: exit code and loops that were done. @return false if it does not say */
bool run_json_read(const char *text, int *exit_code, double *loops);

#endif
