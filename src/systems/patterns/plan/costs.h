/* What patterns costs on a machine: its sections of a machine file. */
#ifndef ENGRAM_PATTERNS_COSTS_H
#define ENGRAM_PATTERNS_COSTS_H

#include "engram/calibrate.h"
#include "engram/rls.h"

enum { MACHINE_MODELS_MAX = 16, MACHINE_STORES_MAX = 8 };

/** Section `update`: ns of a neuron in a step, for several numbers of neurons of a rank. */
typedef struct {
    param_numbers neurons;                      /**< ascending */
    param_numbers model[MACHINE_MODELS_MAX];    /**< in the order of neuron_models[]: without noise and synapses */
    param_numbers noise, typed, weighted, plastic; /**< what these add */
    double background;                          /**< of a neuron's Poisson background */
    double spike;                               /**< of a spike of the rank's neurons: its stretch of neurons is no longer advanced alike */
    double single;                              /**< factor of neurons in single precision, of all but noise */
    double noise_single;                        /**< and of noise */
    double learning;                            /**< factor where the rank learns: P passes through the caches in between */
} machine_update;

/** Section `delivery`: ns, for two sizes of what a rank goes through before the same source spikes again: its synapses and P. */
typedef struct {
    param_numbers bytes;                        /**< ascending */
    param_numbers typed, weighted, plastic;     /**< of a synapse that a spike reaches */
    param_numbers bits;                         /**< dense networks: of 32 neurons, for every spike of the network */
    param_numbers spike;                        /**< of a spike of the network on every rank, however few synapses it reaches there */
    double blocks, blocks_double;               /**< of a synapse with a delay of its own, in blocks of steps: weights in units or by type; in double */
    double run;                                 /**< of those of a source that are reached within a block, however many they are */
    double step;                                /**< of a step, whatever it delivers */
    double filter;                              /**< of taking a spike up in the filter */
    double group, member;                       /**< more for a source of a group of several neurons, and for each of these after the first */
} machine_delivery;

/** Costs of a store in one precision, for several numbers of inputs: ns of a group at an instant, without spikes, and for each input that spiked. */
typedef struct {
    param_numbers quiet;
    param_numbers spiking;
} machine_store;

/** Section `rls`. */
typedef struct {
    param_numbers inputs;      /**< ascending */
    double cached_bytes;       /**< of all P of a rank, in its caches */
    double large_bytes;        /**< and not in its caches */
    machine_store cached[MACHINE_STORES_MAX][PRECISIONS]; /**< in the order of rls_store_kinds[]; none where groups are divided among ranks */
    machine_store large[MACHINE_STORES_MAX][PRECISIONS];
    double source, source_own; /**< of a source at an instant, filtered with one time constant, and with its own */
    double member;             /**< of a weight of another neuron of a group */
    double pending;            /**< distributed: of a neuron and waiting update, in a step */
} machine_rls;

/** Section `others`: ns. */
typedef struct {
    double step;             /**< of looking around in a step */
    double check;            /**< of a value checked by the guard at a learning instant */
    double track;            /**< of a neuron in a ms, rolling average */
    double score;            /**< of a neuron and instant at the end of a loop */
    double build_typed, build_weighted, build_plastic; /**< of a synapse */
    double build_blocks;     /**< of one of kind populations that is delivered in blocks */
    double build_p;          /**< of an element of P */
    double build_value;      /**< of a value of a target */
    double build_rate;       /**< of a rate that becomes a drive */
    double build_draw;       /**< of a random number that a target is made from */
} machine_others;

/** All of them. Borrowed from the machine. */
typedef struct {
    machine_update *update;
    machine_delivery *delivery;
    machine_rls *rls;
    machine_others *others;
} costs;

costs costs_of(const machine *machine);

/** plan_hooks.costs */
const param_section *costs_sections(int *count);
/** plan_hooks.check_costs */
status costs_check(const machine *machine);

/** plan_hooks.calibrate */
void costs_measure(calibration *calibration);

#endif
