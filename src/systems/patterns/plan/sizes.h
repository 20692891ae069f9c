/* What patterns needs, from its configuration alone: "engram plan". Nothing here is collective; one rank plans. */
#ifndef ENGRAM_PATTERNS_SIZES_H
#define ENGRAM_PATTERNS_SIZES_H

#include "engram/blocks.h"
#include "engram/plan.h"
#include "engram/test_settings.h"
#include "../share.h"
#include "../tracker.h"

/** A network as the configuration describes it. */
typedef struct {
    const neuron_model *model;
    bool single;               /**< neurons are in single precision */
    bool noise;                /**< some neuron has it */
    bool current_noise;        /**< it enters the drive */
    bool readout;              /**< the plastic drive is W r with the current weights */
    double starting;           /**< part of the neurons that fires in the first step of a state that is drawn */
    bool own_tau;              /**< plastic time constants differ */
    bool own_static_tau;       /**< those of excitatory and inhibitory static input differ */
    bool keeps_state;          /**< loops go on from each other */
    bool rate_targets;         /**< rates are learned through phi2 */
    bool keeps_rates;          /**< targets were given as rates, which are kept beside what is learned */
    const cells *cells;        /**< which neurons are excitatory, borrowed from the configuration */
    int64_t neurons;
    int64_t units;             /**< feed-forward */
    int64_t trained;           /**< neurons that learn */
    int64_t targets;           /**< neurons that have a target */
    bool trained_first;        /**< the trained neurons have the lowest gids; else they are spread over the network */
    network_size network;
    plastic_size plastic;
    double inputs;             /**< plastic inputs of a trained neuron, feed-forward ones among them */
    rule_size rule;
    int tasks;
    int instants;
    int64_t loops;
    int64_t loop_steps;        /**< steps */
    int64_t every;             /**< steps */
    double dt;                 /**< ms */
    double window;             /**< ms before the target window */
    double stimulus;           /**< ms of a loop that the stimulus lasts */
    double baseline;           /**< ms of the run before training, 0: none */
    int64_t tracked;           /**< values of each neuron that a rolling average holds, tracker_rows() */
    double unit_rate;          /**< Hz of feed-forward units */
    double target_draws;       /**< random numbers that a neuron's target takes, beside those of its values */
    double table_bytes;        /**< recorded values of all units of a file, 0: no file */
    double recorded_bytes;     /**< of those that are not dropped */
    double target_rate;        /**< Hz, mean of the targets of trained neurons; NAN: unknown */
    exchange_way exchange;
    const output_settings *output;
    const added_output *measured;
    const test_settings *test;
    int longest;               /**< delay of any synapse, in steps */
    int at_once;               /**< steps whose spikes are exchanged at once, on more than one rank */
    share_costs costs;         /**< how neurons are shared out; owned */
} plan_network;

/** Read what is wanted of the configuration and of the files that it names: recorded targets, sizes of edge files. @return not agreed */
status plan_read(const context *context, config *config, plan_network *network);

/** Bytes of a weight. */
static inline double plan_real(const plan_network *network) {
    return network->rule.single ? sizeof(float) : sizeof(double);
}

/** What a rank holds. Expected numbers: some are not whole. */
typedef struct {
    int64_t ranks;
    int64_t mine;
    double rows;           /**< trained neurons */
    double targets;        /**< neurons that have a target */
    double groups;         /**< of them */
    double members;        /**< of a group, those that are here */
    double plastic_inputs; /**< of a group, feed-forward units among them */
    double static_inputs;  /**< of its neurons, those that become plastic among them */
    double static_synapses;
    double plastic_synapses;
} plan_share;

/** The most of each that a rank holds: of blocks of different sizes it is not the same rank. */
plan_share plan_share_of(const plan_network *network, int64_t ranks);
/** What the rank with most neurons holds, and that with most that learn. */
void plan_shares_of_fullest(const plan_network *network, int64_t ranks, plan_share shares[2]);
/** What each rank holds, in their order; nothing where all have the same. @return whether they were told of */
bool plan_share_each(const plan_network *network, int64_t ranks, void (*tell)(void *self, const plan_share *share), void *self);
/** What an average rank holds. */
plan_share plan_share_mean(const plan_network *network, int64_t ranks);

/** Do weights of static synapses depend on the types only? */
bool plan_is_typed(const plan_network *network);
/** Bytes of a rank's static synapses in the form in which they are delivered, without where each source's begin. */
double plan_static_bytes(const plan_network *network, const plan_share *share);

/** Are a rank's static synapses, with delays of their own, delivered in blocks of steps? @param[out] setting of these */
bool plan_in_blocks(const plan_network *network, const plan_share *share, blocks_setting *setting);

/** P and what a store has beside it. */
typedef struct {
    double p;
    double buffers;
    double building; /**< scratch while P(0) is made */
} plan_store;
plan_store plan_store_bytes(const plan_network *network, const plan_share *share, double rate);
/** Updates that wait before P is written. */
int plan_block(const plan_network *network);
/** Fraction of sources that have spiked within @p ms. */
double plan_spiking(double rate, double ms);

/** Hooks of plan.h: what patterns tells of itself; and of them memory and output, time. */
extern const plan_hooks patterns_plan;
void patterns_memory(const void *network, int64_t ranks, double rate, plan_bytes *bytes);
bool patterns_memory_each(const void *network, int64_t ranks, double rate, plan_visit visit, void *self);
void patterns_output(const void *network, double rate, plan_files *files);
void patterns_time(const void *network, const machine *machine, plan_ranks ranks, double rate, plan_seconds *seconds);

/** Room of an array that doubled as it grew (network.c): @p room at first, then by half and 64, until it holds @p needed. */
double plan_grown(double room, double needed);

#endif
