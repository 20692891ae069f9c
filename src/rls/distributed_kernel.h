/** @file distributed_kernel.h
 *  The arithmetic of a large group (distributed.c), for float and for double: NAME_single, NAME_double. Not collective.
 *  An element is the same to the bit wherever it lies in a row and however many rows there are.
 */
#ifndef ENGRAM_DISTRIBUTED_KERNEL_H
#define ENGRAM_DISTRIBUTED_KERNEL_H

#include <stdint.h>

/** Elements of scratch that distributed_subtract needs. */
int64_t distributed_scratch(int64_t length, int64_t picks, int count);

#define DECLARE(real, suffix)                                                                                                                             \
    /** to <- decay from + sum over k < count of factor[k] row[index[k]]. Rows of @p length elements are @p stride apart. @param index NULL: row k        \
     *  @param to may be from */                                                                                                                          \
    void distributed_combine_##suffix(int64_t length, real decay, const real *from, const real *rows, int64_t stride, const int32_t *index,               \
     const real *factor,                                                                                                                                  \
                                      int count, real *to);                                                                                               \
    /** matrix[a][i] -= sum over m < count of left[m][a] right[m][i]:  P <- P - Q Q', W <- W - Q E'.                                                      \
     *  @param matrix [picks][ld], @p length of each row used @param left [count][left_stride] @param right [count][right_stride]                         \
     *  @param scratch distributed_scratch() */                                                                                                           \
    void distributed_subtract_##suffix(int64_t length, int64_t picks, real *matrix, int64_t ld, const real *left, int64_t left_stride, const real *right, \
                                       int64_t right_stride, int count, real *scratch);                                                                   \
    /** a.b, summed in double in a fixed order. */                                                                                                        \
    double distributed_dot_##suffix(int64_t length, const real *a, const real *b);

DECLARE(float, single)
DECLARE(double, double)
#undef DECLARE

#endif
