/** @file sequences.h
 *  Samples of HDF5 files of any program: [sample][row] or [sample][row][column], each row held for so many steps. Not collective but where it says so.
 */
#ifndef TASKS_SEQUENCES_H
#define TASKS_SEQUENCES_H

#include "engram/tasks.h"

/** A dataset; columns 1 where it has two axes. */
typedef struct {
    int64_t count;
    int rows, columns;
    float *value;         /**< [count][rows][columns], memory_free(); NULL: only looked at */
} sequences;

/** Where a dataset is, and how many axes it has. */
typedef struct {
    const char *path;     /**< as the parameter file has it */
    const char *dataset;
    int axes;
} sequence_source;

/** Its header, and what it holds if @p values: finite numbers that are there. @return STATUS_INPUT with a message */
status sequences_read(const task_setting *setting, sequence_source source, bool values, sequences *sequences);

/** Do two datasets have the same samples and rows? (With columns, too, if @p columns.) */
status sequences_agree(sequence_source first, const sequences *a, sequence_source second, const sequences *b, bool columns);

/** Rank 0's for all ranks. Collective. */
void sequences_share(const context *context, sequences *sequences);

int64_t sequences_bytes(const sequences *sequences);

static inline const float *sequences_row(const sequences *sequences, int64_t sample, int row) {
    return sequences->value + (sample * sequences->rows + row) * sequences->columns;
}

#endif
