/** @file state.h
 *  What of a module has to outlive the process: named arrays that a checkpoint writes and reads back in place.
 */
#ifndef ENGRAM_STATE_H
#define ENGRAM_STATE_H

#include <stdint.h>

#include "engram/h5.h"

/** Which arrays are asked for. */
typedef enum {
    STATE_WEIGHTS,  /**< all that a test needs */
    STATE_LEARNING, /**< what learning adds: P, moments, what waits, measured averages */
    STATE_LOOP,     /**< what the next loop goes on from; none where every loop starts afresh */
} state_part;

/** One array. */
typedef struct {
    const char *module, *name; /**< the dataset state/MODULE/NAME of a checkpoint; borrowed */
    h5_type type;
    void *data;       /**< [my neurons] or [count], borrowed */
    int64_t count;    /**< 0: one element per neuron, divided among ranks as the neurons are; else the same elements on all ranks */
} state_array;

enum { STATE_ARRAYS_MAX = 40 };

typedef struct {
    state_array array[STATE_ARRAYS_MAX];
    int count;
} state_list;

/** Add an array of one element per neuron of the rank. */
static inline void state_add_neurons(state_list *list, const char *module, const char *name, h5_type type, void *data) {
    if (list->count == STATE_ARRAYS_MAX) context_abort("state: more than %d arrays", STATE_ARRAYS_MAX);
    list->array[list->count++] = (state_array){module, name, type, data, 0};
}

/** Add an array that is the same on all ranks. @param count at least 1 */
static inline void state_add_shared(state_list *list, const char *module, const char *name, h5_type type, void *data, int64_t count) {
    state_add_neurons(list, module, name, type, data);
    list->array[list->count - 1].count = count;
}

#endif
