/** @file process_grid.h
 *  A ScaLAPACK process grid over the ranks of a job, and what of ScaLAPACK is used here (its library ships no C headers).
 *  Matrices are block-cyclic with square blocks of GRID_BLOCK, local parts column-major.
 */
#ifndef ENGRAM_PROCESS_GRID_H
#define ENGRAM_PROCESS_GRID_H

#include <stdint.h>

#include "engram/context.h"

enum { GRID_BLOCK = 64, DESCRIPTOR_LENGTH = 9 };

typedef struct {
    context context;
    MPI_Comm comm;              /**< its own: BLACS knows one handle for each communicator */
    int handle, blacs;          /**< BLACS system handle and context */
    int rows, columns;          /**< of the grid: rows * columns = ranks; rank = row * columns + column */
    int row, column;            /**< mine */
} process_grid;

/** Collective. @param columns a divisor of the number of ranks */
process_grid grid_new(const context *context, int columns);
void grid_free(process_grid *grid); /**< collective */

/** How many of @p count indices process @p process of @p processes holds. */
static inline int64_t grid_local(int64_t count, int process, int processes) {
    int64_t blocks = count / GRID_BLOCK, mine = (blocks / processes) * GRID_BLOCK, extra = blocks % processes;
    return mine + (process < extra ? GRID_BLOCK : process == extra ? count % GRID_BLOCK : 0);
}

/** The index that is local index @p local of @p process. */
static inline int64_t grid_global(int64_t local, int process, int processes) {
    return (local / GRID_BLOCK * processes + process) * GRID_BLOCK + local % GRID_BLOCK;
}

/** ScaLAPACK's descriptor of an n x n matrix on the grid. @param ld rows between local columns, at least 1 */
void grid_describe(const process_grid *grid, int64_t n, int64_t ld, int descriptor[DESCRIPTOR_LENGTH]);
/** The same of an n x (width * ranks) matrix on a grid of one row: each rank holds @p width whole columns. */
void grid_describe_columns(const process_grid *row, int64_t n, int width, int descriptor[DESCRIPTOR_LENGTH]);
/** And of a (width * ranks) x n matrix on a grid of one column: each rank holds @p width whole rows. */
void grid_describe_rows(const process_grid *column, int64_t n, int width, int descriptor[DESCRIPTOR_LENGTH]);

/** Copy a submatrix from one distribution to another (PxGEMR2D). Indices count from 1. Collective. */
void Cpsgemr2d(int m, int n, float *a, int ia, int ja, int *desca, float *b, int ib, int jb, int *descb, int blacs);
void Cpdgemr2d(int m, int n, double *a, int ia, int ja, int *desca, double *b, int ib, int jb, int *descb, int blacs);

#endif
