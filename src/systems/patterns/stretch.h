/** @file stretch.h
 *  Neurons are advanced in stretches: their state then passes from drive to spikes in the first-level cache, once a step. In the precision of the neurons.
 */
#ifndef ENGRAM_PATTERNS_STRETCH_H
#define ENGRAM_PATTERNS_STRETCH_H

#include "simulation.h"

enum { STRETCH = 1024 };

/** End of the stretch that begins with neuron @p first of the rank. */
static inline int stretch_end(const simulation *sim, int first) { return sim->part.mine - first < STRETCH ? sim->part.mine : first + STRETCH; }

/** What stretches ask of the bias: once the network is built. Not collective. */
void stretch_prepare(simulation *sim);

/** A step of neurons first .. end-1 under bias, stimulus and the drive of this step (spike-time form) or as the last step left it (readout form). Not
 *  collective.
 *  @param stimulus [mine] or NULL */
void stretch_advance(simulation *sim, const trial *trial, int64_t step, const double *stimulus, int first, int end);

/** The drive of neurons first .. end-1 takes up what arrived, in the readout form behind their step. Not collective. */
void stretch_take_up(simulation *sim, const trial *trial, int64_t step, int first, int end);

#endif
