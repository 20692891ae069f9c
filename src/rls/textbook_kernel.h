/* The arithmetic of the textbook store for one precision. textbook_kernel.c is compiled twice: ENGRAM_REAL float (suffix _single) and double (_double). */
#ifndef ENGRAM_TEXTBOOK_KERNEL_H
#define ENGRAM_TEXTBOOK_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

/** A group and what a step of the recursion does to it (equations in rls.h). Borrowed. */
#define TEXTBOOK_GROUP(real, suffix)                                                                      \
    typedef struct {                                                                                      \
        int count;           /**< inputs */                                                               \
        int rows;            /**< members */                                                              \
        int64_t ld;          /**< elements from one row of P to the next; not used where P is packed */   \
        real *p;             /**< [count][ld] P, symmetric, both halves kept; updated */                  \
        const real *r;       /**< [ld] regressor, zero from count on */                                   \
        real *q;             /**< [ld] scratch */                                                         \
        real *weight;        /**< [count][rows] updated */                                                \
        const double *error; /**< [rows] actual minus target */                                           \
        bool with_gain;      /**< false: leave g out of the weight update */                              \
        const real *initial; /**< [count] weights keep the signs of these (synapses.h; then rows is 1) */ \
        uint8_t *frozen;     /**< [count] and are frozen where they would not; NULL: signs may change */  \
    } textbook_group_##suffix
TEXTBOOK_GROUP(float, single);
TEXTBOOK_GROUP(double, double);
#undef TEXTBOOK_GROUP

/** One recursion step. @return g = 1/(1 + r'Pr) */
double textbook_step_single(const textbook_group_single *group);
double textbook_step_double(const textbook_group_double *group);

/** The same with P packed: row a holds columns a .. count-1, count(count+1)/2 entries in all; r and q have room for count. */
double packed_step_single(const textbook_group_single *group);
double packed_step_double(const textbook_group_double *group);

/** Weighted sum w.r in double. @param weight [count], @p stride apart @param source [count] indices into r */
double textbook_sum_single(const float *weight, int64_t stride, int count, const int32_t *source, const double *r);
double textbook_sum_double(const double *weight, int64_t stride, int count, const int32_t *source, const double *r);

#endif
