/** @file table.h
 *  Recorded data: tables of [condition][time][unit] read from CSV or HDF5.
 *
 *  CSV: a header line; a column named condition (optional; integers or words, in order of first appearance), a time column
 *  (time_ms, time, t; "time_s" in seconds), every other column a unit. Rows of a condition must have increasing time; all conditions the same times.
 *  HDF5: the only three-dimensional floating dataset of the root (or the one named), [condition][time][unit], beside a one-dimensional
 *  `time` in ms (attribute units "ms" or "s" respected) and optionally `condition` (names).
 *  The format is told by the file's first bytes, not by its name.
 *  Limits: CSV in UTF-8 (a byte order mark, CR LF, quotes and a missing final newline are accepted), at most 2 GiB; HDF5 chunks of at
 *  most 1 GiB; in either format 1000000 units, 10000 conditions, 2147483647 values, names of 255 bytes. The first 10 mistakes are told.
 */
#ifndef ENGRAM_TABLE_H
#define ENGRAM_TABLE_H

#include <stdint.h>

#include "engram/context.h"
#include "engram/status.h"

typedef struct table {
    int conditions;
    int times;
    int units;
    double *time;        /**< [times] ms, increasing */
    double *values;      /**< [conditions][times][units] */
    char **condition;    /**< [conditions] names */
    char **unit;         /**< [units] names */
} table;

/** Read a table. Collective: rank 0 reads and checks, everyone receives a copy.
 *  Missing values, NaN, infinities, ragged or empty rows, duplicate or unordered times are errors: one message with file, line and column
 *  (or dataset and index), value, and what is allowed; also negative values when @p nonnegative is set (rates).
 *  @param dataset  name of the HDF5 dataset, "" for the only one
 *  @param[out] result  table_clear() frees it
 *  @return STATUS_INPUT, or STATUS_FAILURE if the file is there but cannot be read; agreed by all ranks and printed */
status table_read(const context *context, const char *path, const char *dataset, int nonnegative, table *result);

void table_clear(table *table);

/** Linear interpolation of one unit at time @p t (ms); constant beyond the ends. */
double table_at(const table *table, int condition, int unit, double t);

#endif
