/** @file signals.h
 *  What kinds of commands and teachers share.
 */
#ifndef SIGNALS_SIGNALS_H
#define SIGNALS_SIGNALS_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engram/memory.h"
#include "engram/random.h"
#include "engram/signal.h"

#define SIGNALS_COMMAND "stimulus" /**< sections of the parameter file */
#define SIGNALS_TEACHER "targets"

#define SIGNALS_TURN 6.283185307179586477 /**< 2 pi */

/** Streams take 24 bits beside 40 of a counter; the last one is that of the trial by which "auto" is found. */
enum { SIGNALS_COUNTER_BITS = 40, SIGNALS_STREAM_OF_SCALE = (1 << 24) - 1 };

static inline uint64_t signals_counter(uint64_t stream, uint64_t counter) {
    return (stream << SIGNALS_COUNTER_BITS) + counter;
}

/* ---- lists by dimension: none, one number for all dimensions, or one for each ---- */

/** @return not agreed: STATUS_INPUT after config_complain() for another number of them */
status signals_check_list(const signal_setting *setting, const char *section, const char *key, const param_numbers *list);

static inline double signals_entry(const param_numbers *list, int dimension, double fallback) {
    return list->count == 0 ? fallback : list->values[list->count == 1 ? 0 : dimension];
}

/** Which dimensions a command has: "all", or their numbers, from 1. @param[out] on [J]; NULL: only checked
 *  @return not agreed: STATUS_INPUT after config_complain() */
status signals_channels(const signal_setting *setting, const param_texts *channels, bool *on);

/** How many dimensions of @p on [J]. */
int signals_count(const bool *on, int dimensions);

/** A whole number of steps? @param milliseconds NAN: "auto", which is fine @return not agreed */
status signals_check_steps(const signal_setting *setting, const char *key, double milliseconds);

static inline int64_t signals_steps(const signal_setting *setting, double milliseconds) {
    return llround(milliseconds / (1e3 * setting->dt));
}

/** "NAME, key value unit, ..." of a kind, but for empty lists and texts. */
void signals_describe(const param_table *table, const void *parameters, char *text, size_t size);

/* ---- linear teachers ---- */

typedef struct {
    int dimensions;
    int stride;      /**< of a column */
    double *matrix;  /**< [J][J] row-major, 1/s */
    double *columns; /**< [J][stride] its transpose, zeros behind each column */
} linear_teacher;

/** @return with a matrix of zeros, to be filled; then linear_ready() */
linear_teacher *linear_new(int dimensions);
void linear_ready(linear_teacher *teacher);
void linear_close(void *teacher);
void linear_field(const void *teacher, const double *x, double *f);
const double *linear_matrix(const void *teacher);
void linear_advance(const void *teacher, double dt, int count, const double *c, double *x);

/** The hooks of a linear teacher but open(). */
#define LINEAR_HOOKS .close = linear_close, .field = linear_field, .matrix = linear_matrix, .advance = linear_advance

/* ---- other teachers ---- */

/** Define advance() of a kind by its field(self, x, f), inlined. */
#define TEACHER_ADVANCE(DIMENSIONS, FIELD)                                                                     \
    static void advance(const void *self, double dt, int count, const double *c, double *x) {                 \
        double now[DIMENSIONS], f[DIMENSIONS];                                                                 \
        memcpy(now, x, sizeof now);                                                                            \
        for (int n = 0; n < count; n++, c += DIMENSIONS) {                                                     \
            FIELD(self, now, f);                                                                               \
            for (int j = 0; j < DIMENSIONS; j++) now[j] = now[j] + dt * (f[j] + c[j]);                         \
            memcpy(x += DIMENSIONS, now, sizeof now);                                                          \
        }                                                                                                      \
    }

#endif
