/** @file products.h
 *  Matrices times LANES columns, and sums of outer products over steps and lanes.
 */
#ifndef ENGRAM_DIFFERENTIABLE_PRODUCTS_H
#define ENGRAM_DIFFERENTIABLE_PRODUCTS_H

#include "zones.h"

/** y += P x. @param pack [groups][columns][ROWS] @param x [columns][LANES] @param[in,out] y [groups ROWS][LANES] */
void add_product(const float *pack, int groups, int columns, const float *x, float *y);

/** Rows of slopes and columns of sources of some steps. */
typedef struct {
    const float *slopes, *sources; /* [steps][...][LANES] */
    int steps, slope_stride, source_stride; /* rows, columns of a step */
    float *gradient;               /* [...][gradient_stride] */
    int gradient_stride;
} outer;

/** gradient[r][c] += sum over steps and lanes of slopes[r] sources[c], of rows and columns in whole groups of CELLS. */
void add_outer(const outer *outer, int rows_from, int rows_to, int columns_from, int columns_to);

#endif
