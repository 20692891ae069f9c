/** @file tasks.h
 *  Tasks that networks are trained on by gradients: section `task`. A kind is a file in src/tasks/ and a line in its table.
 *
 *  A sample is spikes of input channels over T steps, and what the readouts should say: readouts are averaged over windows of read_steps steps, one behind
 *  the other up to the end, and each window has a label or none. Or it is a value of each channel in each step, and what each readout should be after each
 *  step, with a weight of the error there; if such a kind has windows, too, readouts are averaged over them, and the target and the weight at the last step of
 *  each count. Which of these a kind gives is in `gives`; a system lists the kinds that it can take, task_variants(). Samples to train with are never those to
 *  test with, nor those kept to choose by (task.validation); a sample is a pure function of (seed, set, number) and of how far its curriculum is, where there
 *  is one; the same on all ranks. Not collective but where it says so.
 */
#ifndef ENGRAM_TASKS_H
#define ENGRAM_TASKS_H

#include "engram/config.h"
#include "engram/lanes.h"
#include "engram/state.h"

#define TASK_SECTION "task" /**< section of the parameter file */

typedef struct task_setting {
    const context *context; /**< borrowed while it opens */
    config *config;         /**< borrowed while it opens */
    uint64_t seed;
    double dt;              /**< ms */
} task_setting;

/** What samples are for; those kept for tests between loops are of the files to train with (order.h). */
typedef enum { TASK_TRAIN, TASK_TEST, TASK_VALIDATE, TASK_SETS, TASK_FILES = TASK_VALIDATE } task_set;

/** What the samples of a kind are, added up. */
enum {
    TASK_SPIKES = 1,              /**< spikes of channels */
    TASK_LABELS = 2,              /**< labels of windows, one behind the other up to the end */
    TASK_VALUES = 4,              /**< values of channels */
    TASK_TARGETS = 8,             /**< what readouts should be, step by step; such a kind may also tell right from wrong: classes, said() */
    TASK_ACTIONS = 16,            /**< spikes of a window follow from what readouts did in the one before: move(). The last readout says what is to come */
};

/** Sizes. */
typedef struct {
    int inputs;                   /**< channels */
    int outputs;                  /**< readouts; with labels: classes */
    int classes;                  /**< with targets: that said() tells; 0: none */
    int steps;                    /**< T */
    int reads, read_steps;        /**< windows and steps of each: the last ends with step T */
    unsigned gives;               /**< TASK_*; task_shape_of() sets it */
    double shown;                 /**< of spikes: about how many of a channel in a step, mean over channels and steps; of values 0 */
    int64_t count[TASK_SETS];     /**< distinct samples; 0: drawn, without end; of TASK_VALIDATE: none are kept */
    int64_t bytes, building;      /**< that a rank holds while it is open (MEMORY_TARGETS); and beside that while files are read (MEMORY_BUFFERS) */
} task_shape;

/** Which sample. */
typedef struct {
    task_set set;
    int64_t number;               /**< from 0, below 2^47; of a set that has an end, behind the last comes the first again */
    int64_t epoch;                /**< how often it has; task_draw() sets it */
} task_pick;

/** A number of its own for each sample of all sets: the id of random draws. */
static inline uint64_t task_sample_id(task_pick pick) {
    enum { SET_BIT = 47 };
    return (uint64_t)pick.set << SET_BIT | (uint64_t)pick.number;
}

enum { TASK_NO_LABEL = -1, TASK_LANES = LANES, TASK_TEXT_BYTES = 256 };

/** Where samples go: lanes side by side. */
typedef struct {
    int lane;                     /**< of this sample, below TASK_LANES */
    uint16_t *spikes;             /**< [T][inputs] bit `lane` of each: this sample's spike */
    int *label;                   /**< [reads] of this sample: 0 .. outputs-1 or TASK_NO_LABEL; with targets [1]: 0 .. classes-1 */
    float *values;                /**< [T][inputs][TASK_LANES] in step t */
    float *target;                /**< [T][outputs][TASK_LANES] after step t */
    float *weight;                /**< [T][TASK_LANES] of the squared error after step t */
    int *window;                  /**< [2] with classes: first step of what said() reads, and the one behind the last */
} task_sample;

enum { TASK_CHANNELS = 2 }; /**< inputs, outputs */

/** What a move came to. */
typedef struct {
    double reward;
    bool reached;                 /**< the goal; the sample goes on from elsewhere */
    double place[2], goal[2];     /**< where it ended, and should */
} task_moved;

typedef struct task_kind {
    const param_table *parameters;
    /** What only shows when keys are seen together; config_complain(). NULL: nothing. @return not agreed */
    status (*check)(const task_setting *setting, const void *parameters);
    /** Reads headers of files at most. @param[out] shape all 0 before @return not agreed */
    status (*shape)(const task_setting *setting, const void *parameters, task_shape *shape);
    /** Collective: may read files. @param about behind the kind's name in the log @return agreed and printed; nothing to close on failure */
    status (*open)(const task_setting *setting, const void *parameters, const task_shape *shape, void **self, char about[TASK_TEXT_BYTES]);
    void (*close)(void *self);
    /** @param sample its lane is 0 before */
    void (*draw)(void *self, task_pick pick, const task_sample *sample);
    unsigned gives;               /**< TASK_*; 0: TASK_SPIKES | TASK_LABELS */
    /** The class that readouts say. @param sample as draw() left it @param output [T][outputs][TASK_LANES] after step t. NULL: no classes */
    int (*said)(void *self, const task_sample *sample, const float *output);
    /** With actions: the move of the window before it is made, and the spikes of window @p number are drawn, unless it is behind the last. Samples of a tile,
     *  whose lanes are told apart, are under way together; draw() begins them. @param action [outputs - 1] of the window before; NULL: @p number is 0 */
    task_moved (*move)(void *self, task_pick pick, const task_sample *sample, int number, const double *action);
    /** A batch was trained on: a curriculum goes on by that. @param right part of it that was read right. NULL: there is none */
    void (*learned)(void *self, double right);
    /** How far the curriculum is, of which training samples depend: part of STATE_LEARNING. NULL: there is none */
    void (*state)(void *self, state_list *list);
    /** A number for metrics: how hard training samples are. NULL: always the same */
    double (*difficulty)(const void *self);
    /** Of a kind that reads `path`: datasets whose columns are inputs and outputs. NULL: none. @param[out] names NULL before: another key says how many */
    void (*datasets)(const void *parameters, const char *names[TASK_CHANNELS]);
} task_kind;

extern const task_kind *const task_kinds[]; /**< NULL-terminated; the first is the default */
extern const param_table task_common;

typedef struct task task;

/** Kinds whose samples are of this make, in the order of the table. @param gives TASK_*, all of them @param[out] tables [room] @return how many */
int task_variants(unsigned gives, const param_table **tables, int room);
/** Whether the kind that was asked for gives TASK_ACTIONS. */
bool task_acts(const config *config);
/** What task_open() would complain about, but for what files hold. @return not agreed */
status task_check(const task_setting *setting);
/** Sizes; opens files where there are any, and reads their headers. @return not agreed */
status task_shape_of(const task_setting *setting, task_shape *shape);
/** Are the weights of a file for samples of this shape? Steps may be others than in training. Not collective.
 *  @param channels that they are of @param path of the file @return not agreed: STATUS_INPUT with a message that says what there is and what weights need */
status task_fits(config *config, const task_shape *shape, const int64_t channels[TASK_CHANNELS], const char *path);
/** Collective. @param[out] result owned, task_close(); NULL on failure @return agreed and printed */
status task_open(const task_setting *setting, task **result);
/** Inputs and outputs of an open task, which checkpoints keep with the weights: arrays may have the lengths of several shapes. Not collective.
 *  @param[in,out] channels [TASK_CHANNELS] owned by the caller, memory_free(); what is not NULL is known, and stays */
void task_note_channels(const task *task, int64_t **channels);
void task_close(task *task); /**< NULL is fine */
/** Borrowed. */
const task_shape *task_sizes(const task *task);
/** "store_recall, 12 symbols of 200 ms". Borrowed. */
const char *task_about(const task *task);
/** Draw a sample into a lane that is 0. */
void task_draw(task *task, task_pick pick, const task_sample *sample);
/* Hooks of the kind that it may not have: a class, or TASK_NO_LABEL; nothing; nothing; NAN. */
task_moved task_move(task *task, task_pick pick, const task_sample *sample, int number, const double *action);
int task_said(const task *task, const task_sample *sample, const float *output);
void task_learned(task *task, double right);
void task_state(task *task, state_list *list);
double task_difficulty(const task *task);
/** Samples that a test takes. @param between loops: not behind the last one */
task_set task_test_set(const task *task, bool between);
/** Trials of so many samples that show all that are kept for tests between loops; 0: none are. */
int64_t task_validation_trials(const task_shape *shape, int64_t samples);

#endif
