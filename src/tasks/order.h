/** @file order.h
 *  The order in which samples of a set that has an end are shown: every epoch has each of them once. Not collective.
 */
#ifndef TASKS_ORDER_H
#define TASKS_ORDER_H

#include "engram/tasks.h"

typedef struct {
    uint64_t seed;
    int64_t count, epoch; /**< of the order that it has; -1: none yet */
    int64_t *at;          /**< [count] */
} sample_order;

/** A drawn order of 0 .. count - 1 (Fisher & Yates). @param id of purpose RANDOM_TASK_ORDER @param[out] order [count] */
void order_shuffle(uint64_t seed, uint64_t id, int64_t count, int64_t *order);
void order_new(sample_order *order, uint64_t seed, int64_t count);
void order_clear(sample_order *order);
/** Which sample of the file: of training samples in the order of their epoch, of others as they are. */
int64_t order_of(sample_order *order, task_pick pick);

#endif
