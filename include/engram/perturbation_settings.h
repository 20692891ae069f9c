/** @file perturbation_settings.h
 *  What `engram test` may be asked to do to a trained network (--delete-neurons, ...). A system refuses what it cannot do.
 */
#ifndef ENGRAM_PERTURBATION_SETTINGS_H
#define ENGRAM_PERTURBATION_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "engram/h5.h"

typedef struct {
    double delete_neurons;  /**< fraction F of the neurons: floor(F N) of them never fire and are not scored */
    double delete_synapses; /**< probability with which each static and each plastic synapse between neurons is removed */
    double delete_unit_synapses; /**< the same of synapses between neurons with recorded targets, whose probability is the larger of the two */
    double shuffle_synapses;/**< probability with which each synapse takes part in a permutation of the weights of its target's synapses of the same kind
                                 (static, plastic) and presynaptic type; recorded targets: only synapses from and onto neurons that have one */
    double noise;           /**< sd of external white noise: sd sqrt(membrane_tau/dt) xi is added to the input of every neuron at every step;
                                 of model nif, which has no leak, with the time constant of its synapses;
                                 balanced: sd of V that it alone gives, in thresholds */
} perturbation_settings;

/** The first option asked for that a system has to refuse which can only delete neurons. Not collective.
 *  @param noise it can have noise, too @return "--delete-synapses", ...; NULL: none */
const char *perturbation_beyond(const perturbation_settings *settings, bool noise);

/** Choose @p count of @p total neurons: those with the smallest random keys, so that a larger set contains a smaller one. Not collective.
 *  @param[out] chosen [total] 1 for the chosen, 0 for the others */
void perturbation_choose(uint64_t seed, int64_t total, int64_t count, uint8_t *chosen);

/** Neurons that a fraction amounts to: floor(fraction total), where rounding of the decimal fraction does not count (0.29 of 100 is 29). */
int64_t perturbation_count(double fraction, int64_t total);

/** Write test/deleted of the open file of a test; nothing where no neuron is. Collective. @param deleted of all neurons
 *  @param neurons shape of @p chosen: h5_whole() of perturbation_choose()'s, or a rank's part */
void perturbation_write(h5_file *file, int64_t deleted, h5_dataset neurons, const uint8_t *chosen);

#endif
