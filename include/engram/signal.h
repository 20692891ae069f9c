/** @file signal.h
 *  A few numbers that change in time and are the same on all ranks, which each compute them for themselves: a command c, and a teacher x that it drives,
 *      dx/dt = f(x) + c,  by forward Euler steps:  x[n+1] = x[n] + dt (f(x[n]) + c[n]).
 *  A command is a pure function of (seed, stream, step); streams are below 2^24 - 1, which is that of the trial behind scale "auto".
 *  A kind of either is a file in src/signals/ and a line in its table.
 *  Time is in s and rates in 1/s here; steps count from 0 at the start of a trial. Not collective but where it says so.
 */
#ifndef ENGRAM_SIGNAL_H
#define ENGRAM_SIGNAL_H

#include "engram/config.h"
#include "engram/h5.h"

/** What signals are opened for. */
typedef struct signal_setting {
    const context *context; /**< borrowed while it opens */
    config *config;         /**< borrowed for the signal's life */
    int dimensions;         /**< J; that of the network */
    double dt;              /**< s */
    uint64_t seed;
} signal_setting;

/* ---- command: section `stimulus` ---- */

typedef struct command_kind {
    const param_table *parameters;
    /** What only shows when keys are seen together; config_complain(). @return not agreed */
    status (*check)(const signal_setting *setting, const void *parameters);
    /** Collective: may read files. @param[out] self the kind's own @return agreed and printed */
    status (*open)(const signal_setting *setting, const void *parameters, void **self);
    void (*close)(void *self);
    /** @param[out] values [count][J] at steps first .. first+count-1 of the trial @p stream, for a scale of 1 */
    void (*fill)(void *self, uint64_t stream, int64_t first, int count, double *values);
    bool lasting;           /**< the same process for as long as a trial lasts: scale "auto" has a meaning */
} command_kind;

extern const command_kind *const command_kinds[]; /**< NULL-terminated; the first is the default */
extern const param_table command_common;

typedef struct command command;

/** What command_open() would complain about, but for files: number of dimensions against lists, times against dt. config_complain(). @return not agreed */
status command_check(const signal_setting *setting);
/** Open the command that the configuration selects. Scale "auto", the default, is 1, but for noise that drives a linear teacher (a kind with `lasting`,
 *  a teacher with a matrix): then it is chosen so that the teacher has standard deviation 1 per dimension: root mean square over dimensions and over the
 *  later nine tenths of a long trial of its own. Told by command_describe().
 *  Collective. @param teacher borrowed while it opens; NULL: "auto" is 1 @param[out] result owned, command_close(); NULL on failure
 *  @return agreed and printed */
struct teacher;
status command_open(const signal_setting *setting, struct teacher *teacher, command **result);
void command_close(command *command);
/** @param[out] values [count][J] */
void command_fill(command *command, uint64_t stream, int64_t first, int count, double *values);
/** The factor in front: what "auto" became. */
double command_scale(const command *command);
/** One line: "smooth_noise, tau 50 ms, scale 4.03 (auto)". @param[out] text [size] */
void command_describe(const command *command, char *text, size_t size);

/* ---- teacher: section `targets` ---- */

typedef struct teacher_kind {
    const param_table *parameters;
    int dimensions;         /**< J that it has; 0: any, or as its file says (resolve) */
    /** What only shows when keys are seen together. @return not agreed */
    status (*check)(const signal_setting *setting, const void *parameters);
    /** Number of dimensions of a kind whose file says it; and of tasks (conditions of a trajectory). Collective. NULL: as `dimensions`, and 1 task.
     *  @return agreed and printed */
    status (*resolve)(const context *context, config *config, const void *parameters, int *dimensions, int *tasks);
    /** Collective. @return agreed and printed */
    status (*open)(const signal_setting *setting, const void *parameters, void **self);
    void (*close)(void *self);
    /** f(x). NULL: known only along the teacher's own path (trajectory). @param x [J] @param[out] f [J] */
    void (*field)(const void *self, const double *x, double *f);
    /** A of dx/dt = A x + c, [J][J] row-major; NULL: not linear. Borrowed */
    const double *(*matrix)(const void *self);
    /** State at step 0 of a trial; NULL: 0, or targets.initial. @param[out] x [J] */
    void (*begin)(void *self, int task, uint64_t stream, double *x);
    /** State at step @p step of a path that is given, instead of Euler steps; NULL: Euler steps. @param[out] x [J] */
    void (*at)(const void *self, int task, int64_t step, double *x);
    /** Steps of the path of a task; NULL: INT64_MAX */
    int64_t (*steps)(const void *self, int task);
    /** Name of a task; NULL: it has none. Borrowed */
    const char *(*task_name)(const void *self, int task);
    /** Euler steps as teacher_advance() describes them: those of field(), to the bit. NULL: field() is asked at every step */
    void (*advance)(const void *self, double dt, int count, const double *c, double *x);
    const double *box;      /**< [dimensions] default of targets.box; NULL: none */
    const double *limits;   /**< [dimensions] default of targets.limits, 0: no limit; NULL: none */
    /** As `box`, of a kind whose dimensions vary. @param[out] box [J] */
    void (*cover)(const void *self, double *box);
} teacher_kind;

extern const teacher_kind *const teacher_kinds[]; /**< NULL-terminated; the first is the default */
extern const param_table teacher_common;

typedef struct teacher teacher;

/** What teacher_open() would complain about, but for files. config_complain(). @return not agreed */
status teacher_check(const signal_setting *setting);
/** Dimensions and tasks that the configuration's teacher has. Collective. @param[in,out] dimensions 0: as the teacher says; else they must agree
 *  @return agreed and printed */
status teacher_resolve(const context *context, config *config, int *dimensions, int *tasks);
/** Collective. @param[out] result owned, teacher_close(); NULL on failure @return agreed and printed */
status teacher_open(const signal_setting *setting, teacher **result);
void teacher_close(teacher *teacher);
/** State at the start of a trial. @param[out] x [J] */
void teacher_begin(teacher *teacher, int task, uint64_t stream, double *x);
/** The path through @p count steps from step @p first on. @param c [count][J] command @param[in,out] x [count+1][J]: x[0] is given, the rest is filled */
void teacher_advance(const teacher *teacher, int task, int64_t first, int count, const double *c, double *x);
/** f(x). @return false if it is known only along the path: f is not filled */
bool teacher_field(const teacher *teacher, const double *x, double *f);
/** As in teacher_kind. */
const double *teacher_matrix(const teacher *teacher);
/** Steps that a task's given path has; INT64_MAX without one. A trial cannot be longer. */
int64_t teacher_steps(const teacher *teacher, int task);
/** True if the trial stays within targets.limits (|x_j| <= limit_j at all steps); without limits, true. @param c as command_fill() gives it */
bool teacher_accepts(teacher *teacher, command *command, int task, uint64_t stream, int64_t steps);
/** Half widths [J] of the box that features of a nonlinear basis cover (targets.box); NULL: the kind has no default and none was given. Borrowed */
const double *teacher_box(const teacher *teacher);
/** Name of a task (a condition of a trajectory); NULL: it has none. Borrowed */
const char *teacher_task_name(const teacher *teacher, int task);
/** One line: "oscillator, frequency 1 Hz, damping 0.16". */
void teacher_describe(const teacher *teacher, char *text, size_t size);

#endif
