/** @file testing.h
 *  Trials with frozen weights, README.md 7: what the files of this folder that run, measure and write them share.
 */
#ifndef ENGRAM_BALANCED_TESTING_H
#define ENGRAM_BALANCED_TESTING_H

#include "balanced.h"

enum { DIRECTIONS_OF_TUNING = 16 };

/* ---- measures.c: of paths, the same on all ranks, nothing collective ---- */

/** x and x^ of the scored part of a trial, at regular times: every, 2 every, ... steps after its start. */
typedef struct {
    int dimensions;
    int64_t every;           /* steps */
    double interval;         /* s */
    int64_t room, count;     /* samples */
    double *state, *decoded; /* [room][J] */
    uint8_t *driven;         /* [room] the command is not 0 there */
    bool any_driven;
} path;

/** What the teacher does when nothing drives it. */
typedef enum { ATTRACTOR_UNKNOWN, ATTRACTOR_LINEAR, ATTRACTOR_REST, ATTRACTOR_CYCLE, ATTRACTOR_CHAOS } attractor_kind;
typedef struct attractor {
    attractor_kind kind;
    double period;           /* s, of a cycle */
    double radius;           /* root mean square distance of the cycle from its mean */
    int points, dimensions;
    double *cycle;           /* [points][J] one turn; NULL: no cycle */
} attractor;

void attractor_find(balanced *b, attractor *attractor);
void attractor_clear(attractor *attractor);

/** Root mean square standard deviation of x^ over that of x. */
double path_sd_ratio(const path *path);
/** s until |x - x^| is first larger than 0.4 of the total standard deviation of x; the whole path if it never is. */
double path_valid_time(const path *path);
/** Changes between x_1 above half its standard deviation and below minus that, 1/s. @param values [count][J] path->state or path->decoded */
double path_switches(const path *path, const double *values);
/** Mean time between upward zero crossings of values_1, smoothed by 10 ms, at least 0.3 s apart, s; NAN: less than two of them */
double path_period(const path *path, const double *values);
/** Root mean square distance of x^ from the cycle, over the cycle's radius. */
double path_cycle_distance(const path *path, const attractor *attractor);
/** Mean |x - x^| 1.3 s after the start of each pulse, or where the next one begins if that is earlier. @param[out] pulses that were read; 0: NAN */
double path_plateau_error(const path *path, int *pulses);

/* ---- activity.c: of single neurons, each on its rank ---- */

/** Sums over trials of each neuron, whole numbers in columns: [ACTIVITY_*][mine]. Real numbers are multiples of 2^-40. */
enum {
    ACTIVITY_SPIKES, ACTIVITY_PAIRS, ACTIVITY_CV2,                                                   /* pairs of adjacent intervals */
    ACTIVITY_PLAIN,
    ACTIVITY_TRIALS = ACTIVITY_PLAIN, ACTIVITY_CORRELATION, ACTIVITY_RATIO,                          /* E against -I */
    ACTIVITY_RESET_CORRELATION, ACTIVITY_RESET_RATIO,                                                /* with the neuron's own reset as a part of I */
    ACTIVITY_BALANCE,
    ACTIVITY_CONSTANTS = ACTIVITY_BALANCE, ACTIVITY_CV,                                              /* under constant commands */
    ACTIVITY_COLUMNS
};
#define ACTIVITY_SCALE 0x1p40

typedef struct activity activity;

/** @param balance currents are measured, too. Collective */
activity *activity_new(balanced *b, bool balance);
void activity_free(activity *activity);
/** Before the first step of a trial. @param first its steps that do not count @param sums [columns][mine] to be added to; borrowed */
void activity_begin(activity *activity, int64_t first, int64_t *sums);
/** A step, to state @p step of the trial. @param c, error, decoded [J] of the state before it: command, x - x^, x^ */
void activity_step(activity *activity, int64_t step, const double *c, const double *error, const double *decoded);
/** A spike at state @p step, behind activity_step(). */
void activity_spike(activity *activity, int64_t step, const spike *spike);
/** Behind the last step. */
void activity_end(activity *activity);

/* ---- protocols.c: constant commands, and pulses in all directions ---- */

/** 8 constant commands that hold a linear teacher at |x*| = 1, 10 s each after 1 s; CV of neurons with at least 11 spikes.
 *  @param[in,out] sums [ACTIVITY_COLUMNS][mine] @return whether the pulse let it go on */
bool protocol_constant(balanced *b, const test_trial *trial, int64_t *sums);
/** s that they take. */
double protocol_constant_seconds(const balanced *b);
/** Pulses of 0.2 s from rest in 16 directions of the last two dimensions, 4 times each with noise of 0.1 thresholds.
 *  @param[in,out] counts [DIRECTIONS_OF_TUNING][mine] spikes 0.05 to 0.35 s after the start @param[out] nerr over all of them
 *  @return whether the pulse let it go on */
bool protocol_tuning(balanced *b, const test_trial *trial, int64_t *counts, double *nerr);
/** s of all trials of a direction in which spikes are counted. */
double protocol_tuning_seconds(void);

/* ---- testing.c ---- */

/** Columns of a trial's record. */
enum {
    RECORD_NERR, RECORD_NERR_FEEDBACK, RECORD_RATE, RECORD_ERROR, RECORD_FEEDBACK_RATIO, RECORD_SD_RATIO, RECORD_VALID_TIME, RECORD_SWITCHES,
    RECORD_SWITCHES_TEACHER, RECORD_PERIOD, RECORD_PERIOD_ERROR, RECORD_CYCLE_DISTANCE, RECORD_PLATEAU_ERROR, RECORD_PULSES, RECORD_TUNING_NERR, RECORDS
};

/** What trials of a task leave. */
typedef struct {
    int64_t *neuron;         /* [activity columns][mine] */
    int64_t *tuning;         /* [DIRECTIONS_OF_TUNING][mine]; NULL: not measured */
    int64_t *spike;          /* [spikes_kept] of the first trial, step N + gid + 1; 0: none. On rank 0, else NULL */
    int64_t *path;           /* [paths_kept][2][samples][J] bits of x and x^ of the first trials. On rank 0, else NULL */
    const double *record;    /* [trials][RECORDS], borrowed, from test_task() on */
} task_result;

struct balanced_test {
    test_setting setting;
    int64_t settle, steps;   /* of dt, before what is scored, and of it */
    double feedback;         /* K of training: that of its last stage, before it goes down, 1/s */
    path_sums kept;          /* of the last training loop */
    bool balance, constant, tuning; /* what is measured */
    int columns;             /* ACTIVITY_* that are measured */
    attractor attractor;
    path path;
    activity *activity;
    int64_t paths_kept, spikes_kept;
    task_result *task;       /* [tasks] */
    weight_error fast, slow;
    double field_error;
};

/** Part of a trial with frozen weights. */
typedef struct {
    int task;
    uint64_t stream;
    double feedback;         /* K, 1/s */
    const double *command;   /* [J] instead of the one of the configuration; NULL */
} frozen_rates;

/** run_rates of frozen weights. @param raw frozen_rates */
void trials_rates(void *raw, const balanced *b, int64_t step, regime *regime);
/** sum |x - x^|^2 / sum |x - mean x|^2 */
double trials_nerr(const balanced *b, const path_sums *sums);
/** A pulse for what a trial runs beside its scored part: nobody records it. */
pulse trials_pulse(const test_trial *trial, int64_t steps);
/** Neurons that are not silent. */
int64_t trials_neurons(const balanced *b);
/** Mean over trials in which it is defined; NAN: in none. */
double trials_mean(const struct balanced_test *test, const double *records, int column);
extern const metric trials_records[RECORDS];

/** Of a neuron, from its sums; NAN: not defined. */
double trials_of_neuron(const balanced *b, const task_result *result, int column, int64_t i);
/** Preferred direction, rad, -pi .. pi, and the first harmonic of the tuning curve over its mean; NAN: no spikes. */
double trials_preferred(const balanced *b, const task_result *result, int64_t i, double *depth);

#endif
