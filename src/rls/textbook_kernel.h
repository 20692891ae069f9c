/* The arithmetic of the textbook store for one precision. textbook_kernel.c is compiled twice: ENGRAM_REAL float (suffix _single) and double (_double). */
#ifndef ENGRAM_TEXTBOOK_KERNEL_H
#define ENGRAM_TEXTBOOK_KERNEL_H

#include <stdint.h>

/** One recursion step of a group (equations in rls.h).
 *  @param p       [count][ld] P, symmetric, both halves kept; updated
 *  @param r       [ld] regressor, zero from count on
 *  @param q       [ld] scratch
 *  @param rows    members of the group; @param weight [count][rows], updated
 *  @param error   [rows] actual minus target
 *  @param with_gain 0: leave g out of the weight update
 *  @param initial, frozen [count] weights keep the signs of these, and are frozen where they would not (synapses.h; then rows is 1); NULL: signs may change
 *  @return g = 1/(1 + r'Pr) */
double textbook_step_single(float *p, int64_t ld, int count, const float *r, float *q, int rows, float *weight, const double *error, int with_gain,
                            const float *initial, uint8_t *frozen);
double textbook_step_double(double *p, int64_t ld, int count, const double *r, double *q, int rows, double *weight, const double *error, int with_gain,
                            const double *initial, uint8_t *frozen);

/** The same with P packed: row a holds columns a .. count-1, count(count+1)/2 entries in all; r and q have room for count. */
double packed_step_single(float *p, int count, const float *r, float *q, int rows, float *weight, const double *error, int with_gain, const float *initial,
                          uint8_t *frozen);
double packed_step_double(double *p, int count, const double *r, double *q, int rows, double *weight, const double *error, int with_gain, const double *initial,
                          uint8_t *frozen);

/** Weighted sum w.r in double. @param weight [count], @p stride apart @param source [count] indices into r */
double textbook_sum_single(const float *weight, int64_t stride, int count, const int32_t *source, const double *r);
double textbook_sum_double(const double *weight, int64_t stride, int count, const int32_t *source, const double *r);

#endif
