/** @file system.h
 *  The contract of a learning system: one folder in src/systems/ that defines one `const learning_system`, plus one line in src/systems/table.c.
 *
 *  A run is written once, above all systems (src/training/): loops, progress, metrics.csv, checkpoints, stop and resume, results, tests, status, plan.
 *  A system knows one network and how it learns. It is told to do one loop, or one test trial; it says in lists what there is to save, to show and to
 *  write; it never opens a file of the run or prints progress, and looks at the clock only to charge its phases (timers.h).
 *
 *      resolve -> check -> build -> (load -> settle) -> { loop -> settle -> judge -> measure -> (test) -> (save) } x loops
 *          -> conclude -> nodes, edges, results -> save -> (test -> test_write) -> free
 *      test:  test_begin -> test_trial x n -> test_task x tasks -> test_end
 *
 *  nodes, edges and results are asked also where an earlier part of the run did every loop: what they say of the last one is in state().
 *  A test between loops or behind the last one runs on what was built to train. No weight and nothing of STATE_LEARNING may move in it; what STATE_LOOP lists
 *  the run puts aside meanwhile. `engram test` builds for BUILD_TEST, loads STATE_WEIGHTS and settles.
 *
 *  Every hook is called by all ranks at the same place and may be collective, but where it says otherwise. sections, build and loop are needed, and where
 *  there is test_trial, test_begin and test_task; a run does without any other, but tests/conformance/test_systems.py does not: it wants plan, nodes, edges,
 *  state and those of tests, a first metric that every loop changes, and scores. The smallest system there is: tests/conformance/probe/probe.c.
 *  Same bits on any number of ranks: what is reported is summed by sum.h; random numbers are functions of (seed, purpose, id, stream).
 *
 *  Beside its own sections a file has those of every run: `simulation` (run_settings.h), `checkpoint`, `guards`, `output`, `test`. Where one of their keys
 *  means nothing to a system, check() refuses all but the default; config_given() does not tell, as parameters.yaml gives every key.
 */
#ifndef ENGRAM_SYSTEM_H
#define ENGRAM_SYSTEM_H

#include "engram/config.h"
#include "engram/h5.h"
#include "engram/metric.h"
#include "engram/partition.h"
#include "engram/perturbation_settings.h"
#include "engram/pulse.h"
#include "engram/state.h"
#include "engram/timers.h"

/** What a system is built for. */
typedef enum {
    BUILD_TRAIN,
    BUILD_RESUME, /**< as BUILD_TRAIN; state, or weights alone, will come from a checkpoint, so it does not matter what the untrained network does */
    BUILD_CHECK,  /**< to look at: runs no step */
    BUILD_TEST,   /**< trials with frozen weights: nothing that only learning needs; context may be one of several groups */
} build_purpose;

/** What every system is given. Borrowed for its life. */
typedef struct {
    const context *context; /**< all ranks that hold the network */
    config *config;
    build_purpose purpose;
    timers *timers;         /**< the run's; the system charges its phases to it */
} system_setting;

/** What the run has to know of what was built; filled by build(), the same on all ranks but for the partitions. */
typedef struct {
    partition part;      /**< neurons that this rank computes */
    partition owned;     /**< neurons that it saves and writes: part, or none where another group of ranks holds the same ones. State, spikes and traces go
                              by it; nodes, edges, save() and results() have to */
    double dt;           /**< ms */
    uint64_t seed;
    int tasks;           /**< loops take them in turn; every one is tested */
    int64_t loop_steps;  /**< of dt; every loop has as many, and a trial, unless test_trial() says otherwise in its pulse (steps) */
    int64_t samples;     /**< networks that a loop runs side by side: the batch; 1 */
    int64_t look_every;  /**< steps between looks at the clock and the guarded variables (pulse.h) */
    int64_t validation;  /**< trials of tests between loops, if these have samples of their own, to choose by; 0: such tests are those behind the last loop */
} system_facts;

/** Independent repetitions: they pick initial states, noise and samples (random.h). Training loop l has stream l. */
enum { STREAM_BASELINE = 1 << 22, STREAM_UNTRAINED, STREAM_SILENCE, STREAM_TEST = 1 << 23 };

/** One unit of training. */
typedef struct {
    int64_t number;      /**< from 1; with the seed it fixes every random number of the loop */
    int task;            /**< (number - 1) mod tasks */
    bool measured;       /**< every output.correlation_every loops, and the last of each task: fill all metrics; else those that cost nothing */
    bool last, last_of_task;
    pulse *pulse;        /**< ranks' agreement on going on, and what watches each step */
} loop;

/** What tests are about to be run. */
typedef struct {
    int64_t trials;      /**< of each task */
    int64_t skip;        /**< trials of each task that are passed over */
    bool between;        /**< loops: on samples kept for that, where there are any (facts.validation) */
    double psth_bin;     /**< ms */
    double delete_spike; /**< ms from the start of a trial; every trial is run again without the first spike from then on. NAN: no */
} test_setting;

/** One trial with frozen weights. */
typedef struct {
    int task;
    int64_t number;      /**< of the trials of the task that run, from 0: those that are skipped are not counted */
    uint64_t stream;     /**< picks initial state, noise and samples; no training loop has it */
    pulse *pulse;
} test_trial;

/** Arrays of whole numbers that trials add to. */
enum { TALLIES_MAX = 8 };
typedef struct {
    struct { void *data; int64_t count; bool wide; } entry[TALLIES_MAX]; /**< wide: int64_t, else uint32_t; borrowed */
    int count;
} tally_list;
/** Add an array to the list; ends the job beyond TALLIES_MAX. Not collective. @param data [count] borrowed */
void tally_add_array(tally_list *list, void *data, int64_t count, bool wide);

/** What the files of a run say from outside, for `engram status`. */
typedef struct {
    const char *rule;    /**< learning.rule */
    const double *value; /**< [metric_count] the last number of each metric, NAN where there is none */
    double (*number)(const void *parameters, const char *section, const char *key); /**< of parameters.yaml, in the unit written there; NAN: not there */
    const void *parameters;
} run_facts;

struct plan_hooks; /* plan.h */

typedef struct learning_system {
    const char *name, *help;       /**< "patterns"; one line */
    /** Sections of the parameter file, beside those of every run: one of them `learning`, with `loops`, whose variants (learning.rule) select this system.
     *  Names of rules are unique over all systems (`none` is patterns'). A parameter's `may` says if it may be another one when the run goes on, or in a test;
     *  learning.loops has MAY_RESUME. The run adds keys to `learning` that all systems have (start_from, training/start.c). A section with the
     *  name of one of every run adds its common keys to that: config_added().
     *  Built once; borrowed. Not collective. */
    const param_section *(*sections)(int *count);
    const struct plan_hooks *plan; /**< what `engram plan` and `engram calibrate` ask */
    const metric *metrics;         /**< [metric_count] columns of metrics.csv; the first is the score that progress and `engram status` show */
    int metric_count;
    const metric *scores;          /**< [score_count] columns behind those, of loops with a test (test.every): "test_" and the name of a figure of test_task(),
                                        mean over tasks; those with a label are logged, too. The last that says what is better (metric.h) and is a number
                                        is what checkpoint.keep_best and test.stop_at go by: one at least does */
    int score_count;

    /** What `engram status` says below its table of a run that these numbers are of; "" at first. Called without MPI, by one process. */
    void (*remark)(const run_facts *facts, char *text, size_t size);

    /* ---- life ---- */

    /** Read what has to be known before anybody asks for sizes: data that say how many neurons there are. Does nothing when it is called again.
     *  @return agreed and printed */
    status (*resolve)(const context *context, config *config);
    /** Forget what resolve() or build() left with the configuration. Not collective. */
    void (*forget)(config *config);
    /** How many tasks the configuration describes, before anything is built. NULL: one. @return agreed and printed */
    status (*tasks)(const context *context, config *config, int *tasks);
    /** What only shows when sections are seen together; config_complain(). Not collective. @return not agreed */
    status (*check)(const context *context, config *config);
    /** Build, with initial weights; resolve "auto" in place, simulation.loop_duration among them. resolve() and check() were called.
     *  @param[out] self owned by the caller, free(); NULL on failure @return agreed and printed */
    status (*build)(const system_setting *setting, system_facts *facts, void **self);
    void (*free)(void *self); /**< NULL is fine */
    /** Log lines: what was built, and how long @p loops are. */
    void (*describe)(const void *self, int64_t loops);

    /* ---- training ---- */

    /** One loop, of facts.loop_steps steps. Begins with pulse_begin(), ends early when the pulse says so. */
    void (*loop)(void *self, const loop *loop);
    /** Everything up to date, so that it makes no difference where checkpoints fall. After every loop, and after its state, or its weights, were loaded or
     *  brought back. */
    void (*settle)(void *self);
    /** What is wrong with a whole loop that only the system knows: a fault of its own, or a warning that it logs. Not collective.
     *  @return not agreed: STATUS_NUMERIC with a message */
    status (*judge)(void *self, const loop *loop);
    /** Metrics of the loop that has ended, if it is whole. @param[out] value [metric_count], NAN at first: not measured */
    void (*measure)(void *self, const loop *loop, double *value);
    /** Log lines behind the last loop. */
    void (*conclude)(void *self);

    /* ---- state: what a checkpoint holds, what a test loads ---- */

    /** Add the arrays of @p part to the list (state.h). Not collective. They may be read after settle(), and written before the next loop. */
    void (*state)(void *self, state_part part, state_list *list);
    /** For what is no array of a rank: P on a process grid. Beside state(); load() after its arrays, and before settle(). */
    void (*save)(void *self, h5_file *file);
    void (*load)(void *self, h5_reader *reader);
    /** Of weights that were read from @p path for a test or to start from, or could not all be read: are they of a network of this shape?
     *  For what arrays do not tell by their lengths. NULL: they do. Not collective. @return not agreed: STATUS_INPUT with a message that says what differs */
    status (*fits)(const void *self, const char *path);

    /* ---- observation: lists, not files; not collective but where it says so ---- */

    /** Names of variables for a configuration that is not built yet: `value` and `single` are not filled. */
    void (*known_variables)(config *config, variable_list *list);
    /** Variables that can be reported and guarded, one value a neuron; what is not one goes into results(). Those of @p list stay valid for the life of the
     *  system. */
    void (*variables)(void *self, variable_list *list);
    /** Bring variables up to date, for whoever is about to read them. */
    void (*refresh)(void *self);
    /** Populations of nodes.h5 and of edges.h5. edges() is collective. */
    void (*nodes)(void *self, node_list *list);
    /** @param plastic_only without synapses that stay as they are */
    void (*edges)(void *self, bool plastic_only, edge_list *list);
    /** Numbers for run.json. Collective; they count on rank 0. */
    void (*figures)(const void *self, figure_list *list);
    /** The rest, into a file of the system's own: targets, teacher, decoder. Collective; errors come out of h5_commit(). */
    const char *results_name;      /**< "targets.h5"; NULL: none */
    void (*results)(void *self, h5_file *file);

    /* ---- tests: the run spreads trials over groups of ranks and adds up what they leave ---- */

    /** What a task is called, for the log and files; NULL hook or NULL: it has no name. Not collective. */
    const char *(*task_name)(const void *self, int task);
    /** Weights are in place. Log what was done. Called only if something is asked for. @return not agreed: STATUS_INPUT for what this system cannot do */
    status (*perturb)(void *self, const perturbation_settings *settings);
    /** Before the first trial of this group. @param[out] columns what a trial leaves in a record of its own; the first is its score
     *  @return not agreed: STATUS_INPUT, with a message, for a setting that does not fit, the same on every rank */
    status (*test_begin)(void *self, const test_setting *setting, int *columns);
    /** Arrays that trials of a task add to; the run adds those of all groups up into those of the first. They are 0 after test_begin(). Not collective. */
    void (*test_sums)(void *self, int task, tally_list *list);
    /** As loop(), with frozen weights. @param[out] record [columns] of this trial, 0 at first
     *  @return not agreed: STATUS_NUMERIC with a message; STATUS_RESUMABLE if the pulse ended it */
    status (*test_trial)(void *self, const test_trial *trial, double *record);
    /** In the first group, after all sums are complete. Collective over the group. @param records [trials][columns] of the task
     *  @param[out] figures of the task; the first is the rate in Hz, the second the score */
    void (*test_task)(void *self, int task, const double *records, figure_list *figures);
    /** Into the open group test/TASK of test.h5; or, for task -1, what concerns all tasks, into the group test. Collective over the group, after
     *  test_task(). */
    void (*test_write)(void *self, int task, h5_file *file);
    /** What was done to the network, and over how many neurons scores are, for test.json. Not collective. */
    void (*test_figures)(const void *self, figure_list *figures);
    /** Log lines behind the table of scores. Collective over the group. */
    void (*test_describe)(const void *self);
    /** Forget sums and results. Not collective. */
    void (*test_end)(void *self);
} learning_system;

/** All systems, NULL-terminated; the first is that of files without learning.rule. */
extern const learning_system *const learning_systems[];

/** The system that a configuration selects. Not collective. */
const learning_system *system_of(const config *config);

#endif
