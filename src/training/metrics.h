/* metrics.csv as text: which of its lines are a run's. Not collective. */
#ifndef ENGRAM_METRICS_H
#define ENGRAM_METRICS_H

#include <stdbool.h>
#include <stdint.h>

/** Cells of a line, which ends at a newline. */
int metrics_columns(const char *line);

/** Is it a whole line of @p columns cells, each empty or a number, of which the first two, loop and task, are whole and not negative?
 *  @param[out] loop its number */
bool metrics_is_line(const char *line, int columns, int64_t *loop);

/** What the line says of the run and not of the machine, as a number: sums of it over lines tell runs apart. */
uint64_t metrics_digest(const char *line);

enum { METRICS_NO_LINES = 1 }; /* where the sum begins: 0 stands for one that is not known */

/** Lines that were kept. */
typedef struct {
    int64_t bytes;   /* header and lines */
    int64_t loops;   /* lines */
    uint64_t digest; /* METRICS_NO_LINES and the sum over them */
    bool rewritten;  /* a line before the last of them was left out, or the header was not whole */
} metrics_lines;

/** Leave in @p text, in place, the header and the lines of loops 1 to @p loop. Left out and told is what is no such line, or stands where its loop cannot be;
 *  left out is what comes later.
 *  @param text    with room for @p header more; @param header for a file whose own is not whole
 *  @param path    of the file, for warnings; NULL: without a word */
metrics_lines metrics_keep(char *text, int64_t loop, const char *header, const char *path);

#endif
