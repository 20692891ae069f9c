/** @file state.h
 *  What has to outlive the process, or a test in the middle of training: named arrays, one line each, that are written, read back on any number of ranks,
 *  put aside and brought back, and counted. Nobody writes a save() with a load() beside it.
 *
 *  A list is filled by whoever has the arrays and used at once: it borrows them. `state_list list = {0}; module_state(module, &list); ...; state_clear(&list);`
 */
#ifndef ENGRAM_STATE_H
#define ENGRAM_STATE_H

#include <stdint.h>

#include "engram/h5.h"
#include "engram/partition.h"

/** Which arrays are asked for. */
typedef enum {
    STATE_WEIGHTS,  /**< all that a test needs, and what another run may begin with (learning.start_from) */
    STATE_LEARNING, /**< what learning adds: P, moments, what waits, measured averages */
    STATE_LOOP,     /**< what the next loop goes on from; none where every loop starts afresh */
    STATE_PARTS
} state_part;

/** Which elements this rank has, and what the array is in a file (row-major). `mine`: its neurons. */
typedef enum {
    LAYOUT_SHARED,  /**< [count], the same on all ranks; in the file: once */
    LAYOUT_NEURONS, /**< [mine] */
    LAYOUT_ROWS,    /**< [mine][count]: a row a neuron */
    LAYOUT_COLUMNS, /**< [count][mine]: presynaptic-major, a column of the file a neuron */
    LAYOUT_PIECES   /**< state_pieces; in the file: [all], rank after rank */
} state_layout;

/** Copy elements from .. from+count-1 of this rank's share, in the order of the file, out of the module or into it. Not collective. */
typedef void (*state_take)(void *self, int64_t from, int64_t count, void *elements);
typedef void (*state_put)(void *self, int64_t from, int64_t count, const void *elements);

/** Any number of elements a rank, which may lie in memory in another order than in the file. A share is `before` elements and then `mine`. */
typedef struct {
    void *self;      /**< passed to take and put; without them: the array itself, [before + mine], in the order of the file; borrowed */
    int64_t mine;    /**< elements that this rank writes */
    int64_t before;  /**< elements in front of them that ranks before this one write and this one reads too, as it has a copy; 0: none */
    state_take take; /**< NULL, like put: the elements lie in memory as in the file */
    state_put put;   /**< called for all elements of the share, in order */
} state_pieces;

enum { STATE_NAME_BYTES = 64 };

/** One array. */
typedef struct {
    char name[STATE_NAME_BYTES]; /**< "MODULE/NAME", its dataset */
    h5_type type;
    state_layout layout;
    int64_t count;       /**< of SHARED, ROWS and COLUMNS */
    void *data;          /**< borrowed; of all but pieces */
    void *optional;      /**< address of the pointer to the array, if that need not exist; else NULL */
    state_pieces pieces;
} state_array;

typedef struct {
    state_array *array;  /**< [count], owned */
    int count, room;
} state_list;

/** Add an array. @param count of SHARED, ROWS and COLUMNS; else 0 @param data as the layout says; borrowed */
void state_add(state_list *list, const char *module, const char *name, h5_type type, state_layout layout, int64_t count, void *data);

/** Add an array that exists only at times. While it does not it is not written; reading makes it (memory_new(), counted as results that wait, MEMORY_OUTPUT)
 *  where the file has it, and frees it where the file has none: then it is as it was when the file was written.
 *  @param pointer address of the pointer to it, of whatever type, which is NULL while there is no array */
void state_add_optional(state_list *list, const char *module, const char *name, h5_type type, state_layout layout, int64_t count, void *pointer);

void state_add_pieces(state_list *list, const char *module, const char *name, h5_type type, state_pieces pieces);

/** Forget what was listed; the arrays stay. */
void state_clear(state_list *list);

/** Where the arrays of a list belong. */
typedef struct {
    const context *context; /**< all ranks that write or read; borrowed */
    partition part;         /**< of their neurons */
    const char *folder;     /**< group of the datasets with a '/' at its end, or "" */
} state_place;

/** Write all arrays of a list as datasets FOLDER MODULE/NAME, or read them back, on any number of ranks. Collective.
 *  Errors are kept in the file and the reader. */
void state_write(const state_list *list, const state_place *place, h5_file *file);
void state_read(const state_list *list, const state_place *place, h5_reader *reader);

/** Bytes of this rank's shares. Not collective. */
int64_t state_bytes(const state_list *list, const partition *part);

/** Copies of all arrays, to be brought back after something that overwrites them. Not collective. */
typedef struct state_copy state_copy;

/** @param list may be cleared afterwards @return owned: state_bring_back() */
state_copy *state_put_aside(const state_list *list, const partition *part);

/** Put everything back where it was; what modules derive from it (settle hooks) is theirs to bring up to date. Frees the copy; NULL is fine. */
void state_bring_back(state_copy *copy);

#endif
