/** @file background.h
 *  Poisson background (patterns/README.md 5.1): spikes from outside the network, drawn anew in every step for every neuron, a pure function of
 *  (seed, repetition, gid, step). Not collective.
 */
#ifndef ENGRAM_BACKGROUND_H
#define ENGRAM_BACKGROUND_H

#include <stdint.h>

#include "engram/synapses.h"

typedef struct background background;

/** Neurons of a rank that have the same background. */
typedef struct {
    int first, end; /**< local indices */
    double mean;    /**< spikes of a neuron in a step, at most BACKGROUND_MOST */
    double weight;  /**< of each */
} background_stretch;

enum { BACKGROUND_MOST = 1000 };

/** @param stretches [count] ascending, may leave neurons out @param first gid of the first neuron of the rank @return owned */
background *background_new(const background_stretch *stretches, int count, int64_t first, uint64_t seed);
void background_free(background *background);

/** Add what arrives in step @p step of repetition @p stream at neurons first .. end-1 (local indices), of which all are asked for once, ascending: numbers of
 *  neighbours are drawn at once.
 *  @param[in,out] input [end - first] summed weights, in either precision; those <= 0 in inhibitory ones where they are apart */
void background_add(background *background, uint64_t stream, int64_t step, int first, int end, const static_input *input);

#endif
