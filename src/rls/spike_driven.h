/** @file spike_driven.h
 *  The delayed, spike-driven store (spike_driven.c says what it computes) and its arithmetic, compiled once for each precision (spike_driven_kernel.c).
 *
 *  Rows of a group's arrays have ld elements, ld = rls_row_length(K), zero behind the K sources. Nothing here is collective.
 */
#ifndef ENGRAM_SPIKE_DRIVEN_H
#define ENGRAM_SPIKE_DRIVEN_H

#include <stdbool.h>
#include <stdint.h>

#include "engram/rls.h"

enum { SPIKE_DRIVEN_BLOCK_MAX = 128 };

/** What arrived at one source of a group since the last instant. */
typedef struct { int32_t at; float value; } hit_single;
typedef struct { int64_t at; double value; } hit_double;

/** What a group is besides its arrays. */
typedef struct {
    double rho;  /**< r'k at the last instant, before its update */
    double gain; /**< g there: P r was g k after the update, and r'P r was g rho */
} group_products;

typedef struct spike_driven_kernel spike_driven_kernel;

struct rls_store {
    plastic_synapses *plastic;
    rls_settings settings;
    const spike_driven_kernel *kernel;
    int block;                /**< columns that wait before a flush */
    int pending;              /**< columns that wait now, the same in all groups */
    int newest;               /**< the column of the last instant */
    int *ld;                  /**< [groups] length of a group's rows */
    int64_t *waiting_base;    /**< [groups+1] elements of one column of the groups before */
    int64_t *p_base;          /**< [groups] where its P begins */
    int factors;              /**< elements of its factors, whole cache lines */
    void *waiting;            /**< stored [block][groups][ld] k of the last instants: a pass over the groups reads a few long streams */
    void *factor;             /**< real [groups][factors] scale^2 g of each of them; in half precision times the square of the unit in which k is stored */
    void *latest;             /**< real [groups][ld] k of the last instant, where columns that wait are rounded; else NULL */
    void *p;                  /**< stored, per group [K][ld] */
    double unit;              /**< P is unit times what is stored; a power of two, 1 unless stored in half precision */
    bool departing;           /**< half precision: elements of the diagonal are stored as what they depart from I/lambda until they are below half of it */
    int lost;                 /**< 1 + first row of a group of which an element of the diagonal was found not to be above 0; 0: none */
    group_products *products; /**< [groups] */
    double *sum;              /**< [rows] w.r as of the last instant */
    void *scratch;            /**< real [block][largest ld] */
    void *step;               /**< real [largest number of members] */
    uint8_t *touched;         /**< [sources] 1 for sources that arrived, within predict(); else 0 */
    void *arrived;            /**< real [sources] */
    int32_t *row_of;          /**< [local neurons] where every group is of one neuron: its row, which is its group's number; else NULL */
    int64_t *hit_start;       /**< [groups+1] */
    void *hits;               /**< what arrived at each group since the last instant */
    int64_t hits_room;
    double decay;             /**< of the interval; 0 when all sources arrived anew */
};

struct spike_driven_kernel {
    size_t real_size, stored_size, hit_size; /**< bytes of an element of weights, of P and of columns that wait, and of a hit */

    /** Find what arrived at every group, and advance the rows' sums:  sum <- decay sum + w.s.
     *  @param touched [count] sources that may have arrived, NULL: 0 .. count-1 @param values [sources] what arrived @param r [sources] filtered spikes now */
    void (*predict)(rls_store *store, const int32_t *touched, int64_t count, const double *values, const double *r);

    /** One instant of every group: k = P r with today's P, g = 1/(1 + scale^2 r'k), w_i -= g e_i scale k, sum to w.r of the new weights, and a column more;
     *  once there are block of them, P without them, as flush() does.
     *  @param r [sources] filtered spikes @param error [rows] @param scale [rows] or NULL for 1 @param[out] gain [rows]
     *  @return first row whose g is not in (0, 1], or -1 */
    int (*update)(rls_store *store, const double *r, const double *error, const double *scale, double *gain);

    /** P <- P - sum of factor k k' over the columns that wait. */
    void (*flush)(rls_store *store);

    /** P r of all groups anew from what predict() found (with decay 0), no column waiting: goes where the last instant's k would be. */
    void (*refresh)(rls_store *store);

    /** A row of a group's P as it is stored, in plain units: without what diagonal_of() says. @param row [K] */
    void (*get_row)(const rls_store *store, int group, int64_t a, double *row);
    void (*set_row)(rls_store *store, int group, int64_t a, const double *row);
    /** Elements of the upper triangle, in the same units and the precision of the weights: from (a, b) to the right, b >= a, at most to the row's end.
     *  Put writes what mirrors them, too. */
    void (*take_stretch)(const rls_store *store, int group, int64_t a, int64_t b, int64_t count, void *elements);
    void (*put_stretch)(rls_store *store, int group, int64_t a, int64_t b, int64_t count, const void *elements);
    double (*diagonal_of)(const rls_store *store, int group, int64_t a); /**< with what is stored there now: I/lambda, or 0 */
};

extern const spike_driven_kernel spike_driven_half, spike_driven_single, spike_driven_double;

#endif
