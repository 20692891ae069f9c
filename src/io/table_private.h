/** @file table_private.h
 *  What the readers of the table formats share. They run on rank 0 only.
 */
#ifndef ENGRAM_IO_TABLE_PRIVATE_H
#define ENGRAM_IO_TABLE_PRIVATE_H

#include <stdbool.h>

#include "engram/status.h"
#include "engram/table.h"

#define TABLE_CONVERTED "tools/import makes tables of NWB, MATLAB, NumPy and SONATA files" /**< for messages */

enum { TABLE_MISTAKES_TOLD = 10, TABLE_NAME_BYTES = 255, TABLE_CONDITIONS = 10000, TABLE_UNITS = 1000000 };

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

/** Readers: fill in all of @p result, or leave what table_clear() can free. */
status table_read_csv(const char *path, const table_reading *how, table *result);
/** As table_read_csv(), from a text in memory. @param text  [length+1], changed while it is taken apart; @p path for messages */
status table_parse_csv(const char *path, char *text, int64_t length, const table_reading *how, table *result);
status table_read_hdf5(const char *path, const table_reading *how, table *result);
/** Those whose samples are how->interval apart. */
status table_parse_plain(const char *path, char *text, int64_t length, const table_reading *how, table *result);
status table_read_plain(const char *path, bool hdf5, const table_reading *how, table *result);

#endif
