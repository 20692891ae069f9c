/** @file sparse_costs.h
 *  What the products of sparse.h cost on a machine: a section of its file that systems share, seconds from it, and how it is measured.
 */
#ifndef ENGRAM_SPARSE_COSTS_H
#define ENGRAM_SPARSE_COSTS_H

#include <stdbool.h>

#include "engram/calibrate.h"
#include "engram/machine.h"
#include "engram/sparse.h"

/** Section `full`: lists for as many bytes as the matrices have, since what does not fit a cache is waited for. ns. */
typedef struct {
    param_numbers bytes;            /**< ascending */
    param_numbers forward;          /**< of a synapse in a step of a tile, forwards, whatever its unit has */
    param_numbers spike;            /**< more at a spike of a sample ; */
    param_numbers charge;           /**< at a charge, which is a value */
    param_numbers backward;         /**< of a synapse in a step of a tile backwards, where its unit can use what comes back in any sample */
    param_numbers back;             /**< more for each sample in which it can */
    param_numbers stretch;          /**< of the gradient of a synapse in a stretch of steps in which its unit has anything */
    param_numbers gradient;         /**< more at a spike of a sample ; */
    param_numbers gradient_charge;  /**< at a charge */
} sparse_costs;

/** A matrix in a step of a tile, or in a stretch of such steps. */
typedef struct {
    double bytes;                   /**< of all matrices that are gone through before this one is again */
    double synapses;                /**< units times posts, of whole groups */
    bool valued;                    /**< charges, not spikes */
} sparse_matrix;

/** Not collective, as what follows. For the list of a system's sections; borrowed. */
extern const param_section sparse_cost_section;

/** Is there such a section in the machine's file? What is to be said if not. */
bool sparse_measured(const machine *machine);
extern const char sparse_unmeasured[];

/** Chance that something which has chance @p part in one of @p places is in any of them. */
double sparse_any(double part, double places);

/** s of a step of a tile. @param part of units and samples that have a spike or a charge */
double sparse_forward_seconds(const machine *machine, sparse_matrix matrix, double part);
/** s of a step of a tile. @param part of units and samples that can use what comes back @param any of units that can in any sample */
double sparse_back_seconds(const machine *machine, sparse_matrix matrix, double part, double any);
/** s of a stretch of steps of a tile. @param steps of the stretch @param part as forwards */
double sparse_gradient_seconds(const machine *machine, sparse_matrix matrix, double steps, double part);

/** Fill the section, once a pass: every system that has such matrices asks for it before it measures what is left. Collective over the job. */
void sparse_calibrate(calibration *calibration);

#endif
