/** @file tasks.h
 *  Tasks that networks are trained on by gradients: section `task`. A kind is a file in src/tasks/ and a line in its table.
 *
 *  A sample is spikes of input channels over T steps, and what the readouts should say: readouts are averaged over windows of read_steps steps, one behind
 *  the other up to the end, and each window has a label or none. Samples to train with are never those to test with; a sample is a pure function of
 *  (seed, set, number), the same on all ranks. Not collective but where it says so.
 */
#ifndef ENGRAM_TASKS_H
#define ENGRAM_TASKS_H

#include "engram/config.h"

#define TASK_SECTION "task" /**< section of the parameter file */

typedef struct task_setting {
    const context *context; /**< borrowed while it opens */
    config *config;         /**< borrowed while it opens */
    uint64_t seed;
    double dt;              /**< ms */
} task_setting;

typedef enum { TASK_TRAIN, TASK_TEST, TASK_SETS } task_set;

/** Sizes. */
typedef struct {
    int inputs;                   /**< channels */
    int outputs;                  /**< classes */
    int steps;                    /**< T */
    int reads, read_steps;        /**< windows and steps of each: the last ends with step T */
    int64_t count[TASK_SETS];     /**< distinct samples; 0: drawn, without end */
    int64_t bytes, building;      /**< that a rank holds while it is open (MEMORY_TARGETS); and beside that while files are read (MEMORY_BUFFERS) */
} task_shape;

/** Which sample. */
typedef struct {
    task_set set;
    int64_t number;               /**< from 0, below 2^47; of a set that has an end, behind the last comes the first again */
    int64_t epoch;                /**< how often it has; task_draw() sets it */
} task_pick;

enum { TASK_NO_LABEL = -1, TASK_LANES = 16, TASK_TEXT_BYTES = 256 };

/** Where samples go: lanes side by side. */
typedef struct {
    int lane;                     /**< of this sample, below TASK_LANES */
    uint16_t *spikes;             /**< [T][inputs] bit `lane` of each: this sample's spike */
    int *label;                   /**< [reads] of this sample: 0 .. outputs-1 or TASK_NO_LABEL */
} task_sample;

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
} task_kind;

extern const task_kind *const task_kinds[]; /**< NULL-terminated; the first is the default */
extern const param_table task_common;

typedef struct task task;

/** What task_open() would complain about, but for what files hold. @return not agreed */
status task_check(const task_setting *setting);
/** Sizes; opens files where there are any, and reads their headers. @return not agreed */
status task_shape_of(const task_setting *setting, task_shape *shape);
/** Collective. @param[out] result owned, task_close(); NULL on failure @return agreed and printed */
status task_open(const task_setting *setting, task **result);
void task_close(task *task); /**< NULL is fine */
/** Borrowed. */
const task_shape *task_sizes(const task *task);
/** "store_recall, 12 symbols of 200 ms". Borrowed. */
const char *task_about(const task *task);
/** Draw a sample into a lane that is 0. */
void task_draw(task *task, task_pick pick, const task_sample *sample);

#endif
