/** @file table.h
 *  Recorded data: tables of [condition][time][unit] read from CSV or HDF5.
 *
 *  CSV, separated by commas, semicolons or tabs: a header line; a column named condition (optional; integers or words, in order of first appearance),
 *  a time column (time, t, time_ms, time_s, "Time (s)", seconds, ...), every other column a unit, but those that only count rows (a first one without
 *  a name, index, "Unnamed: 0"), which are left out. Rows of a condition must have increasing time; all conditions the same times.
 *  HDF5: the only three-dimensional floating dataset of the root (or the one named), [condition][time][unit], or the only two-dimensional one,
 *  [time][unit], beside a time of the same names and optionally `condition` and `unit` (names). MATLAB stores axes in reverse: read so where lengths or
 *  its marks say it. A block of the user's before the HDF5 file (MATLAB v7.3) is skipped.
 *  The unit of time is what table_reading says, or the attribute units of a dataset, or the name; else ms. Bins below 1 ms must be asked for.
 *  Where the user says how far samples are apart, times need not be there: numbers only, with or without a line of names above them, parted by commas,
 *  semicolons or blanks, lines that begin with # left out; or a dataset [condition][time][unit] or [time][unit], taken as it is.
 *  The format is told by the file's first bytes, not by its name; formats that are not read are named.
 *  Limits: CSV in UTF-8 (a byte order mark, CR LF, quotes and a missing final newline are accepted), at most 2 GiB; HDF5 chunks of at
 *  most 1 GiB; in either format 1000000 units, 10000 conditions, 2147483647 values, names of 255 bytes. The first 10 mistakes are told.
 */
#ifndef ENGRAM_TABLE_H
#define ENGRAM_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "engram/context.h"
#include "engram/status.h"

/** How a table is to be read. */
typedef struct {
    const char *dataset; /**< HDF5: name of the dataset, "" for the only one */
    double time_unit;    /**< ms, as the user says; NAN: what the file says */
    bool nonnegative;    /**< negative values are mistakes (rates) */
    double interval;     /**< ms between samples, as the user says; 0: times are those of the file */
} table_reading;

enum {
    TABLE_NOTE_BYTES = 512,
    TABLE_PIECE_BYTES = 4 << 20, /**< values that are on their way at a time; a line of CSV may have more */
};

typedef struct table {
    int conditions;
    int times;
    int units;
    int read;            /**< units of the file: some may have been dropped since */
    double *time;        /**< [times] ms, increasing */
    double *values;      /**< [conditions][times][units], or of those as many as this rank keeps; NULL after table_read_sums() */
    double *sums;        /**< [conditions][units] of values over times, after table_read_sums(); else NULL */
    char **condition;    /**< [conditions] names */
    char **unit;         /**< [units] names */
    double bin;          /**< ms, the mean one where bins are regular (to a hundredth), else the first; NAN: a single time */
    bool regular;
    double resolution;   /**< ms that times may be off: as float32 and rounded texts store them */
    char layout[TABLE_NOTE_BYTES];      /**< for people, on rank 0 only: how axes were read */
    char time_source[TABLE_NOTE_BYTES]; /**< the unit of time and what it is known from; on rank 0 only */
    char ignored[TABLE_NOTE_BYTES];     /**< what was left out, "" if nothing was; on rank 0 only */
    char doubt[TABLE_NOTE_BYTES];       /**< what looks odd, "" if nothing does; on rank 0 only */
    double sum, least, most;            /**< of all values; on rank 0 only */
} table;

/** Read a table. Collective: rank 0 reads and checks, everyone receives a copy.
 *  Missing values, NaN, infinities, ragged or empty rows, duplicate or unordered times are errors: one message with file, line and column
 *  (or dataset and index), value, and what is allowed.
 *  @param[out] result  table_clear() frees it
 *  @return STATUS_INPUT, or STATUS_FAILURE if the file is there but cannot be read; agreed by all ranks and printed */
status table_read(const context *context, const char *path, const table_reading *how, table *result);

/** As table_read(), but a rank keeps the values of its units only, which are shared out as partition.h has it; `units` and names are those of all.
 *  No rank ever holds more: rank 0 reads, and passes on, pieces of TABLE_PIECE_BYTES, or lines of CSV. Of times and names everyone has a copy. */
status table_read_shared(const context *context, const char *path, const table_reading *how, table *result);

/** As table_read(), but a rank keeps the values of its times only, of @p rows (1 or more), which are shared out as partition.h has it, as table_read_shared()
 *  does it with units. A table of more conditions than one, or of another number of times, is nobody's: `values` is NULL. */
status table_read_rows(const context *context, const char *path, const table_reading *how, int64_t rows, table *result);

/** As table_read(), but nobody keeps values: everyone receives their sums. For who wants to know what a table is like. */
status table_read_sums(const context *context, const char *path, const table_reading *how, table *result);

/** One line of log that says how the table was read, and warnings about what was left out or looks odd. Not collective.
 *  @param quantity  unit of its values, for people */
void table_tell(const context *context, const char *path, const char *quantity, const table *table);

void table_clear(table *table);

/** Linear interpolation of one unit at time @p t (ms); constant beyond the ends. */
double table_at(const table *table, int condition, int unit, double t);

/** The same of one series. @param time [times] increasing @param values [times], @p stride apart */
double table_interpolate(const double *time, int times, const double *values, int64_t stride, double t);

#endif
