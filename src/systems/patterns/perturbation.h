/** @file perturbation.h
 *  What a test may do to a trained network (Kim & Chow 2018, Figs 3d and 5, and Fig. 3, supplement 3): neurons that never fire, synapses removed or shuffled,
 *  external noise.
 *  All choices are pure functions of the seed and of the ids concerned, the same on any number of ranks.
 */
#ifndef ENGRAM_PATTERNS_PERTURBATION_H
#define ENGRAM_PATTERNS_PERTURBATION_H

#include "simulation.h"

typedef struct perturbation {
    perturbation_settings settings;
    int64_t deleted_neurons;     /**< of the network */
    int64_t deleted_synapses[2]; /**< static and plastic, of all ranks */
    int64_t shuffled_synapses[2];/**< the same: those that took part, whether or not their weight is another one now */
    uint8_t *silent;             /**< [N] 1: never fires; owned */
    partition part;
    uint64_t seed;
    double amplitude;            /**< factor of unit normals */
    double *normals;             /**< [4][mine] of four steps, NULL without noise; owned */
} perturbation;

/** Apply to a simulation that was built for a test; its weights are in place. Collective. Freed with the simulation. */
void perturbation_apply(simulation *simulation, const perturbation_settings *settings);
void perturbation_free(perturbation *perturbation);

/** Permute the weights at @p chosen, every order being equally likely (Fisher & Yates). Not collective.
 *  @param target gid and @param stream name the permutation, 0 .. 3
 *  @param chosen [count] indices of @p weight */
void perturbation_permute(uint64_t seed, int64_t target, int64_t stream, const int32_t *chosen, int count, double *weight);

/** Take silent neurons out of the list of those that fired. Not collective. @param fired [count] local indices @return how many are left */
int perturbation_silence(const perturbation *perturbation, int32_t *fired, int count);

/** Add external noise of step @p step (from 0, every step in turn) of repetition @p stream to neurons first .. end-1. Not collective.
 *  @param[in,out] input [end - first] */
void perturbation_add_noise(perturbation *perturbation, uint64_t stream, int64_t step, int first, int end, double *restrict input);

#endif
