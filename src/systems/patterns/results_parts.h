/* Parts of targets.h5 and test.h5. All functions are collective. */
#ifndef ENGRAM_PATTERNS_RESULTS_PARTS_H
#define ENGRAM_PATTERNS_RESULTS_PARTS_H

#include "simulation.h"

/** Names of recorded units and conditions, where there are any: datasets GROUP/recorded_unit [N] (-1: none, -2: auxiliary target), GROUP/unit_name [units] and
 *  GROUP/condition_name [tasks]. */
void patterns_write_names(const simulation *sim, h5_file *file, const char *group);

/** A [rows][N] array of which this rank has columns [rows][mine]. */
void patterns_write_columns(const simulation *sim, h5_file *file, const char *name, int64_t rows, const double *values);

/** Times of the learning instants from the start of a loop, ms. */
void patterns_write_times(const simulation *sim, h5_file *file, const char *name);

#endif
