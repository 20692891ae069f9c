/* What the files of a training run say about it, from outside: while it goes on, after its end, after its death. Reads files only; no MPI. */
#ifndef ENGRAM_RUN_STATE_H
#define ENGRAM_RUN_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "engram/system.h"

typedef enum {
    RUN_STARTING,  /* no loop is done yet */
    RUN_TRAINING,
    RUN_FINISHING, /* all loops are done: results, tests */
    RUN_SILENT,    /* no sign of life for longer than run_state.patience: probably dead */
    RUN_STOPPED,   /* saved and ended with 75: can be resumed */
    RUN_DONE,
    RUN_FAILED,    /* ended with another exit code */
    RUN_STATES
} run_phase;

enum { RUN_METRICS_MAX = 32 };

typedef struct {
    run_phase phase;
    bool seen;               /* a process of this machine holds the run's lock: it lives for sure */
    int exit_code;           /* of the last part that came to its end; valid when stopped, done or failed */
    int64_t loop, loops;     /* done, as of metrics.csv; planned (-1: not known) */
    const learning_system *system; /* NULL: of none that this program has */
    double rate_hz;          /* of the last loop; NAN where there is none */
    char score_name[32];     /* header of the column behind the rate */
    double score;            /* the last one measured, NAN where there is none */
    double value[RUN_METRICS_MAX]; /* [system->metric_count] so is each metric of the system */
    char remark[320];        /* what the system says of that, or "" */
    double seconds;          /* per loop, mean of the last loops; NAN before the first */
    double memory_mib;       /* resident, all ranks; NAN: not known */
    int64_t saved;           /* loop of the newest checkpoint, -1: none */
    double saved_ago;        /* s since that was written */
    int64_t best;            /* loop of the best test between loops of which a checkpoint is kept, -1: none */
    bool good_enough;        /* test.stop_at ended it */
    int bad_lines;           /* of metrics.csv that are no lines of a run, among the last ones */
    double silent;           /* s since any of its files changed */
    double patience;         /* s after which it counts as silent: 60 s and three of the slowest late loops;
                                before the first loop and after the last 600 s more */
} run_state;

/** Whether @p directory holds a run (its parameters.yaml and metrics.csv). @return 0, or errno: ENOENT where there is no such directory or no run in it,
 *  EACCES, ... */
int run_state_find(const char *directory);

/** Read the state of a run. @return 0, or errno; EBADMSG: metrics.csv is no table of Engram's */
int run_state_read(const char *directory, run_state *state);

/** Seconds of training that are missing: after the last loop, or, of a run that does not go on by itself, after its checkpoint. NAN: not known. */
double run_state_left(const run_state *state);

#endif
