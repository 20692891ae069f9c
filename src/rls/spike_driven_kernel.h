/** @file spike_driven_kernel.h
 *  The arithmetic of one group in the delayed, spike-driven recursion (spike_driven.c), for float and for double: NAME_single, NAME_double.
 *
 *  Arrays of a group have rows of ld elements, ld a multiple of SPIKE_DRIVEN_LANES, zero behind the K sources. Not collective.
 */
#ifndef ENGRAM_SPIKE_DRIVEN_KERNEL_H
#define ENGRAM_SPIKE_DRIVEN_KERNEL_H

#include <stdint.h>

enum { SPIKE_DRIVEN_LANES = 16, SPIKE_DRIVEN_BLOCK_MAX = 128 };

/** What arrived at one source of a group since the last instant. */
typedef struct { int32_t at; float value; } hit_single;
typedef struct { int64_t at; double value; } hit_double;

/** What a group is besides its arrays: products with the filtered spikes r of its K sources. */
typedef struct {
    double rho;  /**< r' P r with P as of the last flush */
    double *z;   /**< [pending] Q' r */
} group_products;

#define DECLARE(real, suffix) \
    /** List the sources with arrived != 0. @param[out] hits [count] room for all @return their number */ \
    int spike_driven_find_##suffix(const int32_t *source, int count, const real *arrived, hit_##suffix *hits); \
    /** sum <- decay sum + w s. @param weight of the sources, @p stride apart */ \
    double spike_driven_sum_##suffix(double sum, double decay, const real *weight, int64_t stride, const hit_##suffix *hits, int count); \
    /** y <- decay y + P s, z and rho likewise. @param p [K][ld] @param q column m at q + m stride [ld] */ \
    void spike_driven_advance_##suffix(int ld, const real *p, const real *q, int64_t stride, int pending, real *y, group_products *products, double decay, \
                                       const hit_##suffix *hits, int count); \
    /** One instant: k = y - Q z, g = 1/(1 + scale^2 r'k), w_i -= g e_i scale k, Q gets the column sqrt(g) scale k. \
     *  @param weight [K][rows] @param sum [rows] w.r before, then after the update @return g */ \
    double spike_driven_learn_##suffix(int ld, int sources, real *q, int64_t stride, int pending, const real *y, group_products *products, double scale, int with_gain, \
                                       int rows, real *weight, const double *error, double *sum); \
    /** P <- P - Q Q', y <- y - Q z, rho <- rho - z'z, no column pending any more. @param scratch [pending][ld] */ \
    void spike_driven_flush_##suffix(int ld, int sources, real *p, const real *q, int64_t stride, int pending, real *y, group_products *products, real *scratch);

DECLARE(float, single)
DECLARE(double, double)
#undef DECLARE

#endif
