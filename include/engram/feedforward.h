/** @file feedforward.h
 *  Poisson feed-forward units (patterns/README.md 1.4, 4.6): external sources whose rates follow frozen Ornstein-Uhlenbeck processes, one set a task.
 *  Every rank computes all units itself (a pure function of seed, unit and step), so they cost no communication. Not collective.
 */
#ifndef ENGRAM_FEEDFORWARD_H
#define ENGRAM_FEEDFORWARD_H

#include "engram/config.h"

/** Section `feedforward`. */
typedef struct {
    int64_t units;
    double rate;      /**< Hz, mean */
    double tau;       /**< ms, of the rate */
    double sigma;     /**< Hz per sqrt(ms) */
    double smoothing; /**< ms, half width of the centred moving average */
    double weight;    /**< initial weight */
    double lambda;    /**< ridge penalty of feed-forward weights */
} feedforward_settings;

extern const param_table feedforward_common;

typedef struct feedforward feedforward;

/** Draw the rates of all tasks. @param first_step units fire on steps after this one @param steps of a loop. @return owned; NULL without units */
feedforward *feedforward_new(const feedforward_settings *settings, int tasks, uint64_t seed, double dt, int64_t first_step, int64_t steps);
void feedforward_free(feedforward *units);

/** Units that fire at step @p step (1-based) of repetition @p stream: U(0,1) < rate dt. @param offset added to the unit numbers
 *  @param[out] spike [units] ascending @return their number */
int feedforward_spikes(const feedforward *units, int task, uint64_t stream, int64_t step, int32_t offset, int32_t *spike);

#endif
