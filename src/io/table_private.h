/** @file table_private.h
 *  What the readers of the table formats share. They run on rank 0 only, and put values, in pieces, where they are kept.
 */
#ifndef ENGRAM_IO_TABLE_PRIVATE_H
#define ENGRAM_IO_TABLE_PRIVATE_H

#include <stdbool.h>

#include "engram/status.h"
#include "engram/table.h"

#define TABLE_CONVERTED "tools/import makes tables of NWB, MATLAB, NumPy and SONATA files" /**< for messages */

enum { TABLE_MISTAKES_TOLD = 10, TABLE_NAME_BYTES = 255, TABLE_CONDITIONS = 10000, TABLE_UNITS = 1000000 };

/** Behind a message about a value that is not there. */
#define TABLE_MISSING "; a missing value has to be filled in (as pandas' interpolate() does), or the unit left out"

/** Mistakes found in one file: the first TABLE_MISTAKES_TOLD are remembered for status_agree(), the others counted. */
typedef struct {
    long long count;
} table_mistakes;

/** Record one mistake; @p format gives the whole line. */
void table_mistake(table_mistakes *mistakes, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Say how many more there are. @return STATUS_INPUT if there were any */
status table_mistakes_end(const table_mistakes *mistakes);

/** Copy @p text (@p length bytes) so that a message can show it: at most 40 bytes, control characters as '?', and so all beyond ASCII if it is not
 *  UTF-8 as a whole. @return shown */
const char *table_show(char shown[48], const char *text, int64_t length);

/** malloc() of at least one byte, zeroed; @return NULL after status_fail(STATUS_FAILURE) naming @p path when there is no room */
void *table_alloc(const char *path, int64_t count, int64_t size);

/** A text of @p length bytes with a final zero. @return as table_alloc() */
char *table_copy(const char *path, const char *text, int64_t length);

/** Load a regular file of at most @p limit bytes, with a final zero. @param[out] text  NULL before; memory_free() it, whatever comes back */
status table_load(const char *path, int64_t limit, char **text, int64_t *length);

/** May @p text (@p length bytes) name something? At most TABLE_NAME_BYTES of UTF-8 without control characters but tabs. */
bool table_is_name(const char *text, int64_t length);

/** Length in ms of a unit of time: us, ms, s and their long names. @return 0 if @p text is none */
double table_unit_of_time(const char *text);

/** us, ms or s. */
const char *table_name_of_unit(double ms);

/** Is a column or dataset of this name one of time? Words may be parted by anything but letters and digits, and capital: time, t, time_ms, "Time (s)".
 *  @param[out] unit  ms, NAN where the name does not say */
bool table_is_time(const char *name, int64_t length, double *unit);

/** Is a column of this name one that counts rows? pandas writes them, and R. @param column its place, from 0 */
bool table_is_index(const char *name, int64_t length, int column);

/** Decide the unit of time. @param place what in the file says it @param said ms, NAN: nothing does @param[out] unit ms; time_source of @p result is set
 *  @return STATUS_INPUT after a message when file and user disagree */
status table_settle_unit(const char *path, const char *place, double said, const table_reading *how, table *result, double *unit);

/** Turn times as stored into ms, mend what float32 did to them, find bin and resolution. @pre they are finite and increase
 *  @return STATUS_INPUT after a message when bins are too short to be believed */
status table_settle_times(const char *path, double unit, const table_reading *how, table *all);

/** Note that something of that name was left out. */
void table_ignore(table *result, const char *name);

/* ---- a text, line by line ---- */

/** A file of which a part is in memory, or a text in memory. */
typedef struct {
    const char *path;
    int descriptor;    /**< -1: all of the text is in memory */
    char *buffer;      /**< [filled], and a zero behind it; owned unless the text was in memory before */
    int64_t room, filled, next; /**< bytes of the buffer; what is in it, and where to read on */
    int64_t left;      /**< bytes of the file, up to its end as far as it counts, that are not yet in the buffer */
    int64_t zero_line; /**< line of the first zero byte, which no text has; 0: there is none */
    status lost;       /**< STATUS_OK, or what is wrong with the file */
} table_lines;

/** Open a regular file of at most @p limit bytes; a mark of UTF-8 before, and blank lines and blanks behind the table count for nothing. What
 *  was opened is closed. @return STATUS_INPUT or STATUS_FAILURE after a message */
status table_lines_open(const char *path, int64_t limit, table_lines *lines);

/** As table_lines_open(), of a text in memory. @param memory  [length+1] borrowed, and changed while it is taken apart */
table_lines table_lines_of(const char *path, char *memory, int64_t length);

/** The next line without its LF. @param[out] start, end  may be changed until the next call; *end is writable
 *  @return false behind the last line, and when the file cannot be read (lines->lost) */
bool table_lines_next(table_lines *lines, char **start, char **end);

void table_lines_close(table_lines *lines);

/* ---- values, piece by piece ---- */

/** Where values go. Nobody holds more of them than what it keeps, and a piece. */
typedef struct {
    const context *job;
    int ranks;            /**< that share units, or rows, out, as partition.h has it; 1: rank 0 keeps all */
    int64_t shared_rows;  /**< those that are shared out, what is behind them is not kept; 0: units are */
    bool only_sums;       /**< no values are kept, but their sums over times */
    int units;            /**< of the table; to be set before the first piece */
    int64_t rows;         /**< that are kept */
    double *kept;         /**< [rows][my units] */
    double *sums;         /**< [conditions][units] */
    int conditions;       /**< of sums */
    double *packed;       /**< [room] a piece for another rank */
    int64_t room;
    double sum, least, most; /**< of all values */
    int32_t *place;       /**< [rows] where rows as they came are to stand, in the order of conditions and times; NULL: there */
} table_pieces;

/** Values of some units in some rows; a row is a time in a condition. */
typedef struct {
    int64_t row, rows, first, units; /**< rows, and units, from which on and how many */
    const double *values;  /**< [rows][units] borrowed */
    const int *conditions; /**< [rows], or NULL: rows stand in the order of conditions and times, */
    int condition, times;  /**< from a condition on, of so many rows each */
} table_piece;

/** @param shared  ranks of the job share units out @param sums  instead of values. Not collective. */
table_pieces table_pieces_begin(const context *job, bool shared, bool sums);

/** Rank 0: give everyone its own of a piece. Pieces have about TABLE_PIECE_BYTES; times of a unit in a condition come in their order. */
void table_put(table_pieces *to, const table_piece *piece);

/** Rank 0: there are no more, or there is no more use for them. */
void table_put_end(table_pieces *to);

/** The other ranks, where units or rows are shared out: what rank 0 puts, until table_put_end(). */
void table_take(table_pieces *to);

/** What was kept becomes that of a table whose lengths are known. Not collective. */
void table_keep(table_pieces *to, int rank, table *all);

void table_pieces_clear(table_pieces *to);

/* ---- readers: all of @p result but the values, or what table_clear() can free; the values are put ---- */

status table_read_csv(const char *path, const table_reading *how, table_pieces *to, table *result);
status table_parse_csv(table_lines *lines, const table_reading *how, table_pieces *to, table *result);
status table_read_hdf5(const char *path, const table_reading *how, table_pieces *to, table *result);
/** Those whose samples are how->interval apart. */
status table_parse_plain(table_lines *lines, const table_reading *how, table_pieces *to, table *result);
status table_read_plain(const char *path, bool hdf5, const table_reading *how, table_pieces *to, table *result);

#endif
