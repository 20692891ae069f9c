/** @file layout.h
 *  How stores lay out P in memory, in one place, so that a plan of a run (src/systems/patterns/plan/stores.c) counts what stores allocate; and in
 *  checkpoints. Nothing here is collective.
 */
#ifndef ENGRAM_RLS_LAYOUT_H
#define ENGRAM_RLS_LAYOUT_H

#include <stdint.h>

enum { RLS_LINE = 16 }; /**< elements to whose multiples rows are padded: a cache line of floats */

/** Length of a row of @p count elements: whole cache lines, and not a multiple of 1 KiB of floats, which would map all rows to the same cache sets. */
static inline int64_t rls_row_length(int64_t count) {
    int64_t length = (count + RLS_LINE - 1) / RLS_LINE * RLS_LINE;
    return length % 256 == 0 && length > 0 ? length + RLS_LINE : length;
}

/** Elements of the upper triangle of a @p count x @p count matrix, row by row, before row @p a. */
static inline int64_t rls_triangle_before(int64_t count, int64_t a) {
    return a * count - a * (a - 1) / 2;
}

/** The row in which element @p at of the triangle lies. */
static inline int64_t rls_triangle_row(int64_t count, int64_t at) {
    int64_t row = 0, end = count;
    while (end - row > 1) {
        int64_t middle = row + (end - row) / 2;
        if (rls_triangle_before(count, middle) <= at) row = middle;
        else end = middle;
    }
    return row;
}

/** Updates that the spike-driven store lets wait, if the user does not say, for groups of at most @p largest sources.
 *  Results depend on it, so it is not measured anew on each machine. By bytes alone, where a column is read block/2 times and P written every block instants,
 *  2 sqrt(K) would be best; reading columns of more than 128 sources costs more than that (measured without AVX-512), and of fewer ones what arrived is picked
 *  from each: 12 take 6 % less than 16 for 58 sources, 1 % for 100. Otherwise up to 25 % less moves little else. */
static inline int rls_default_block(int64_t largest) {
    return largest <= 128 ? 12 : largest <= 512 ? 24 : 48;
}

#endif
