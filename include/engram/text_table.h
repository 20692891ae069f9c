/** @file text_table.h
 *  Small tables of the user's: a line of names, then a line a row, fields parted by commas, semicolons or tabs; blanks around a field, quotes around it,
 *  empty lines and a byte order mark are accepted. Limits: 16 MiB, 100 columns. Every rank gets the same.
 */
#ifndef ENGRAM_TEXT_TABLE_H
#define ENGRAM_TEXT_TABLE_H

#include <stdint.h>

#include "engram/context.h"
#include "engram/status.h"

typedef struct {
    char *text;      /**< what the fields point into, owned */
    int columns;
    int64_t rows;
    char **name;     /**< [columns] */
    char **cell;     /**< [rows][columns] "" where there is nothing */
    int64_t *line;   /**< [rows] */
} text_table;

/** Collective: rank 0 reads. @param[out] result text_table_clear() it, whatever comes back @return agreed and printed: "path:line: message" */
status text_table_read(const context *context, const char *path, text_table *result);
void text_table_clear(text_table *table);

/** Place of a column, -1: there is none. */
int text_table_column(const text_table *table, const char *name);

#endif
