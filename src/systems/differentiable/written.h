/** @file written.h
 *  A network of differentiable synapses as it is written (README.md 3 and 4), in double, one sample: what the fast passes are compared with. Not collective.
 */
#ifndef ENGRAM_DIFFERENTIABLE_WRITTEN_H
#define ENGRAM_DIFFERENTIABLE_WRITTEN_H

#include "model.h"

typedef struct {
    model model;
    int inputs, neurons, outputs, steps;
    double dt;                 /**< ms */
    double tau, tau_fast;      /**< ms, of s and F */
    double lambda;             /**< cost of currents */
} written_shape;

/** Weights, or their gradient; W[i][j] from j to i, row-major. */
typedef struct {
    double *W, *fast;          /**< [N][N] of s, of F */
    double *U;                 /**< [N][inputs] */
    double *O;                 /**< [outputs][N] */
    double *current;           /**< [N] Io */
    double *start;             /**< [N] v at the start */
} written_weights;

typedef struct {
    written_shape shape;
    const double *input;       /**< [K][inputs], borrowed */
    const double *target;      /**< [K+1][outputs]; row 0 is not used; borrowed */
    const double *mask;        /**< [K+1] weight of the error in the cost; borrowed */
    double *v, *s, *F;         /**< [K+1][N] */
    double *u, *I, *q;         /**< [K][N] */
    double *o;                 /**< [K+1][outputs] */
    double cost;
} written_sample;

void written_weights_new(written_weights *weights, const written_shape *shape);
void written_weights_clear(written_weights *weights);
void written_sample_new(written_sample *sample, const written_shape *shape);
void written_sample_clear(written_sample *sample);
/** Forwards; sets cost. */
void written_sample_forward(written_sample *sample, const written_weights *weights);
/** Backwards, after written_sample_forward(): adds d cost/d weights. */
void written_sample_backward(const written_sample *sample, const written_weights *weights, written_weights *gradient);

#endif
