/** @file order.h
 *  The order in which samples of a set that has an end are shown: every epoch has each of them once; and which samples of the files to train with are kept
 *  for tests between loops (task.validation). Not collective.
 */
#ifndef TASKS_ORDER_H
#define TASKS_ORDER_H

#include "engram/tasks.h"

typedef struct {
    uint64_t seed;
    int64_t count, epoch; /**< to train with; of the order that it has, -1: none yet */
    int64_t *at;          /**< [count] */
    int64_t *drawn;       /**< [count + kept] the file's samples, those that are kept behind the others; NULL: none are kept */
} sample_order;

/** A drawn order of 0 .. count - 1 (Fisher & Yates). @param id of purpose RANDOM_TASK_ORDER @param[out] order [count] */
void order_shuffle(uint64_t seed, uint64_t id, int64_t count, int64_t *order);
/** The line of a kind's parameters. */
#define ORDER_VALIDATION(type) \
    {"validation", PARAM_INTEGER, UNIT_NONE, "0", 0, 1 << 30, NULL, \
     "samples to train with that are kept for tests between loops instead, drawn; 0: these take samples of the last test", offsetof(type, validation)}
/** Counts of samples, and the bytes of an order. @param there samples to train with, those that are kept among them @return not agreed */
status order_split(const task_setting *setting, int64_t validation, int64_t there, task_shape *shape);
enum { ORDER_TEXT_BYTES = 48 };
/** "5000 to validate with, ", or nothing. */
void order_tell(const task_shape *shape, char text[ORDER_TEXT_BYTES]);
/** @param shape after order_split() */
void order_new(sample_order *order, uint64_t seed, const task_shape *shape);
void order_clear(sample_order *order);
/** Which sample of its file: of training samples in the order of their epoch, of others as they are. */
int64_t order_of(sample_order *order, task_pick pick);

/** Whose files have a set's samples. */
static inline task_set order_file(task_set set) {
    return set == TASK_TEST ? TASK_TEST : TASK_TRAIN;
}

#endif
