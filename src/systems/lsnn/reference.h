/** @file reference.h
 *  The network as it is written, in double, one sample at a time (reference.c).
 */
#ifndef ENGRAM_LSNN_REFERENCE_H
#define ENGRAM_LSNN_REFERENCE_H

#include "lsnn.h"

typedef struct {
    const shape *shape;
    double *weight, *gradient;    /* [inputs + N][posts] */
    double *input;                /* [T+1][inputs] */
    double *v, *b, *z, *psi;      /* [T+1][N]; psi of step t made z of t + 1 */
    double *J;                    /* [T+1+D][posts]; after the backward pass: slopes in it */
    uint8_t *mask;                /* [T+1][N] refractory */
    double *logit, *slope;        /* [reads][outputs] */
    double *rate_slope;           /* [N] */
} reference;

void reference_new(reference *reference, const shape *shape);
void reference_clear(reference *reference);
/** @param delay [inputs + N][posts] @param soft z is a smooth function of v @param keep_mask refractory steps are those of the pass before */
void reference_forward(reference *reference, const uint8_t *delay, bool soft, bool keep_mask);
/** After reference_forward(): slope and rate_slope are set. */
void reference_backward(reference *reference, const uint8_t *delay);

#endif
