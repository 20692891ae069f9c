/** @file perturbation_settings.h
 *  What `engram test` may be asked to do to a trained network (--delete-neurons, ...). A system refuses what it cannot do.
 */
#ifndef ENGRAM_PERTURBATION_SETTINGS_H
#define ENGRAM_PERTURBATION_SETTINGS_H

typedef struct {
    double delete_neurons;  /**< fraction F of the neurons: floor(F N) of them never fire and are not scored */
    double delete_synapses; /**< probability with which each static and each plastic synapse between neurons is removed */
    double delete_unit_synapses; /**< the same of synapses between neurons with recorded targets, whose probability is the larger of the two */
    double shuffle_synapses;/**< probability with which each synapse takes part in a permutation of the weights of its target's synapses of the same kind
                                 (static, plastic) and presynaptic type; recorded targets: only synapses from and onto neurons that have one */
    double noise;           /**< sd of external white noise: sd sqrt(membrane_tau/dt) xi is added to the input of every neuron at every step */
} perturbation_settings;

#endif
