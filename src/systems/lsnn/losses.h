/** @file losses.h
 *  What readouts cost (README.md 3), and the slope of that. Not collective.
 */
#ifndef ENGRAM_LSNN_LOSSES_H
#define ENGRAM_LSNN_LOSSES_H

#define LOSS_MOST 1e6 /**< that a window adds to errors by window */

/** Readouts of a window of a sample: value[LANES o] + bias[o]. */
typedef struct { int count; const float *value, *bias; } readouts;

/** Cross entropy of their softmax. @param share of the window in the cost @param[out] slope LANES apart @param[out] said the class @return cost, not shared */
double loss_entropy(readouts readouts, int label, double share, float *slope, int *said);
/** Squared error, mean over readouts. @param target LANES apart, as the others @return cost, not shared */
double loss_square(readouts readouts, const float *target, double share, float *slope);

#endif
