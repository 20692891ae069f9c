/** @file table_dataset.h
 *  Values of an HDF5 table, in boxes of bounded size that follow the chunks of the file: each chunk is unpacked once.
 */
#ifndef ENGRAM_IO_TABLE_DATASET_H
#define ENGRAM_IO_TABLE_DATASET_H

#include "h5_foreign.h"
#include "table_private.h"

/** Values that are not allowed: how many, and the first of them in the order of the file. */
typedef struct {
    long long count;
    int64_t at[TABLE_MISTAKES_TOLD]; /**< element of the dataset, ascending */
    double value[TABLE_MISTAKES_TOLD];
} table_refused;

/** Put all values of a dataset of 2 or 3 axes, [condition][time][unit] or [time][unit]; where there are any that are not allowed, the rest is only looked at.
 *  @param reversed  axes stand in reverse
 *  @param all  its lengths are known
 *  @param[out] refused  what is not finite, or negative where @p nonnegative says so
 *  @return that of foreign_box() */
status table_put_dataset(foreign_dataset *input, bool reversed, bool nonnegative, const table *all, table_pieces *to, table_refused *refused);

#endif
