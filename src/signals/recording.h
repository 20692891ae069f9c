/** @file recording.h
 *  What somebody recorded, as a signal: a table of [condition][time][dimension], and its values at any time between.
 */
#ifndef SIGNALS_RECORDING_H
#define SIGNALS_RECORDING_H

#include "engram/table.h"
#include "signals.h"

/** Keys that say how a file is read, and the struct that they are stored in. */
typedef struct {
    char *path, *dataset;
    double interval; /**< ms; NAN: as the file says */
} recording_parameters;

#define RECORDING_DATASET "HDF5: the dataset, when the file has several"

/** Read the file. Collective. @param time_unit ms, NAN: as the file says @param[out] table table_clear() frees it @return agreed and printed */
status recording_read(const context *context, const config *config, const recording_parameters *parameters, double time_unit, table *table);

/** Say what was read. Not collective. */
void recording_tell(const context *context, const config *config, const recording_parameters *parameters, const table *table);

/** Steps from the first sample to the last one. */
int64_t recording_steps(const table *table, double dt);

/** Values of a condition a number of steps of @p dt s behind the first sample, linearly between samples; those of the last one behind it.
 *  @param[out] values [units] */
void recording_at(const table *table, int condition, int64_t step, double dt, double *values);

#endif
