/* What a run will need, from its configuration alone: "engram plan". Nothing here is collective; one rank plans. */
#ifndef ENGRAM_PATTERNS_SIZES_H
#define ENGRAM_PATTERNS_SIZES_H

#include "engram/memory.h"
#include "engram/observe.h"
#include "../../../plan/machine.h"

/** A network as the configuration describes it. */
typedef struct {
    const neuron_model *model;
    bool noise, current_noise; /**< some neuron has noise; it enters the drive */
    bool readout;              /**< the plastic drive is W r with the current weights */
    bool own_tau;              /**< plastic time constants differ */
    bool own_static_tau;       /**< those of excitatory and inhibitory static input differ */
    bool keeps_state;          /**< loops go on from each other */
    bool rate_targets;         /**< rates are learned through phi2 */
    bool keeps_rates;          /**< targets were given as rates, which are kept beside what is learned */
    const cells *cells;        /**< which neurons are excitatory, borrowed from the configuration */
    int64_t neurons, units, trained; /**< units: feed-forward; trained: neurons that learn */
    bool trained_first;        /**< the trained neurons have the lowest gids; else they are spread over the network */
    network_size network;
    plastic_size plastic;
    double inputs;             /**< plastic inputs of a trained neuron, feed-forward ones among them */
    rule_size rule;
    int tasks, instants;
    int64_t loops, loop_steps, every; /**< steps */
    double dt;                 /**< ms */
    double window;             /**< ms before the target window */
    double stimulus;           /**< ms of a loop that the stimulus lasts */
    double baseline;           /**< ms of the run before training, 0: none */
    int64_t tracked;           /**< values of a neuron that the rolling average holds, tracker_rows() */
    double unit_rate;          /**< Hz of feed-forward units */
    double target_rate;        /**< Hz, mean of the targets of trained neurons; NAN: unknown */
    const output_settings *output;
    int64_t checkpoint_loops;  /**< loops between checkpoints, 0: not by loops */
    double checkpoint_ms;      /**< wall time between them, 0: not by time */
} plan_network;

/** Read what is wanted of the configuration and of the files that it names: recorded targets, sizes of edge files. @return not agreed */
status plan_read(const context *context, config *config, plan_network *network);

/** What the largest rank holds. Expected numbers: some are not whole. */
typedef struct {
    int64_t ranks, mine;
    double rows, groups, members; /**< trained neurons, groups of them, and of a group those that are here */
    double plastic_inputs;        /**< of a group, feed-forward units among them */
    double static_synapses, plastic_synapses;
} plan_share;

plan_share plan_share_of(const plan_network *network, int64_t ranks);
/** What an average rank holds. */
plan_share plan_share_mean(const plan_network *network, int64_t ranks);

/** Bytes of a rank. */
typedef struct {
    double category[MEMORY_CATEGORIES]; /**< at the end of a run */
    double sum, peak;                   /**< of the categories; and the most at any time */
} plan_bytes;

/** @param rate Hz, of all neurons @param libraries bytes of a rank */
plan_bytes plan_memory(const plan_network *network, const plan_share *share, double rate, double libraries);

/** Do weights of static synapses depend on the types only? */
bool plan_is_typed(const plan_network *network);
/** Bytes of a rank's static synapses in the form in which they are delivered, without where each source's begin. */
double plan_static_bytes(const plan_network *network, const plan_share *share);

/** P and what a store has beside it. */
typedef struct { double p, buffers, building; /**< scratch while P(0) is made */ } plan_store;
plan_store plan_store_bytes(const plan_network *network, const plan_share *share, double rate);
/** Updates that wait before P is written. */
int plan_block(const plan_network *network);
/** Elements of P in a rank's memory, and of them those of a group's row with what follows it. */
double plan_p_elements(const plan_network *network, const plan_share *share);
/** Fraction of sources that have spiked within @p ms. */
double plan_spiking(double rate, double ms);

/** Bytes on the disk. */
typedef struct { double spikes, report, nodes, edges, targets, test, metrics, checkpoint; /**< one generation */ double sum; /**< with two generations */ } plan_output;
plan_output plan_output_bytes(const plan_network *network, double rate);

/** Seconds. */
typedef struct {
    double update, deliver, learn, record; /**< of a loop, on the rank with most neurons */
    double transfer, waiting;              /**< of a loop: exchange of spikes; for the slowest rank */
    double loop;                           /**< all of these */
    double build, baseline, checkpoint, write, tests; /**< of a run: checkpoint is one */
    double run;                            /**< from start to end */
} plan_seconds;

/** @param ranks_per_node of a machine that has as many nodes as it takes */
plan_seconds plan_time(const plan_network *network, const machine *machine, int64_t ranks, int64_t ranks_per_node, double rate);

/** Expected maximum of @p count independent normals, in standard deviations above the mean: how far the slowest of several ranks is behind the average. */
double plan_slowest(double count);

/** Room of an array that doubled as it grew (network.c): @p room at first, then by half and 64, until it holds @p needed. */
double plan_grown(double room, double needed);

#endif
