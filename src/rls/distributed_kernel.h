/** @file distributed_kernel.h
 *  The arithmetic of a large group (distributed.c), for float and for double: NAME_single, NAME_double. Not collective.
 *  An element is the same to the bit wherever it lies in a row and however many rows there are.
 */
#ifndef ENGRAM_DISTRIBUTED_KERNEL_H
#define ENGRAM_DISTRIBUTED_KERNEL_H

#include <stdint.h>

/** Elements of scratch that distributed_subtract needs. */
int64_t distributed_scratch(int64_t length, int64_t picks, int count);

/** Rows that are added up, each times its factor: row index[k] for k < count. Elements are of the kernel's precision. Borrowed. */
typedef struct {
    const void *row;      /**< where row 0 begins */
    int64_t stride;       /**< elements from one row to the next */
    const int32_t *index; /**< [count]; NULL: row k */
    const void *factor;   /**< [count] */
    int count;
} distributed_rows;

/** A matrix and a product that is taken off it, elements of the kernel's precision. Borrowed. */
typedef struct {
    void *matrix;                      /**< [picks][ld] of which @p length of each row are used */
    int64_t picks, length, ld;
    const void *left, *right;          /**< [count][left_stride], [count][right_stride] */
    int64_t left_stride, right_stride;
    int count;
} distributed_product;

#define DECLARE(real, suffix)                                                                                                                \
    /** to <- decay from + sum over rows, of which @p length elements each. @param to may be from */                                         \
    void distributed_combine_##suffix(int64_t length, real decay, const real *from, const distributed_rows *rows, real *to);                 \
    /** matrix[a][i] -= sum over m < count of left[m][a] right[m][i]:  P <- P - Q Q', W <- W - Q E'. @param scratch distributed_scratch() */ \
    void distributed_subtract_##suffix(const distributed_product *product, real *scratch);                                                   \
    /** a.b, summed in double in a fixed order. */                                                                                           \
    double distributed_dot_##suffix(int64_t length, const real *a, const real *b);

DECLARE(float, single)
DECLARE(double, double)
#undef DECLARE

#endif
