/** @file network.h
 *  The static network: which neurons there are, their static synapses and bias, and the contract of a network kind:
 *  one file in src/network/ that defines one `const network_kind`, plus one line in src/network/table.c.
 */
#ifndef ENGRAM_NETWORK_H
#define ENGRAM_NETWORK_H

#include <math.h>

#include "engram/background.h"
#include "engram/cells.h"
#include "engram/config.h"
#include "engram/partition.h"
#include "engram/synapses.h"

/** Common parameters of section `network`. */
typedef struct {
    int64_t neurons;                       /**< auto until network_resolve() */
    double excitatory_fraction;            /**< of cells, after network_resolve() */
    char population[256];                  /**< not a parameter: what a file of the network calls its neurons; "": nothing */
    double tau_excitatory, tau_inhibitory; /**< ms, filters of static excitatory and inhibitory input */
    struct projections *projections;       /**< not a parameter: of kind populations; as cells */
    cells cells;                           /**< not a parameter: made by network_resolve(), given back by network_forget() */
    double dt;                             /**< not a parameter: ms, time step, known after network_resolve() */
    uint8_t *learns;                       /**< not a parameter: [cells.populations] does plastic.trained name it? as cells; NULL: it names none */
} network_settings;

extern const param_table network_common;

/** Find out how many neurons there are and which are excitatory, and look at files of synapses before anything is built.
 *  Once for a configuration: further calls do nothing. Collective. @param dt ms, time step. @return agreed and printed */
status network_resolve(const context *context, config *config, double dt);

/** Free what network_resolve() keeps in the configuration. To be called before config_free(). Not collective. */
void network_forget(config *config);

/** The static network of this rank. */
typedef struct {
    partition part;
    const cells *cells;        /**< which neurons are excitatory, borrowed from the configuration */
    uint64_t seed;
    double dt;                 /**< ms */
    double membrane_tau;       /**< ms, of the neuron model: synaptic strengths scale with it */
    double in_degree;          /**< K: mean number of excitatory (= inhibitory) static inputs; 0 without static synapses */
    static_synapses *synapses; /**< NULL: none; owned */
    double *bias;              /**< [mine] constant input X_bal, owned */
    background *background;    /**< Poisson spikes from outside, NULL: none; owned. There are static synapses then, if only an empty list */
    double unit;               /**< ms: the drive after a spike of weight 1 has this area; NAN: that of a current that begins with 1 */
} network;

/** How large a static network will be, known without building it. */
typedef struct {
    double in_degree; /**< what network.in_degree will be */
    double inputs;    /**< static inputs of a neuron, of both types: mean */
    double variance;  /**< of that number over neurons */
    bool any;         /**< false: there are no static synapses */
    bool typed;       /**< weights depend on the two types only and cost no memory */
    int longest;      /**< delay in steps; 0: all are one step */
    int least;        /**< no delay is shorter, in steps; 0: not known, or one */
    bool own_delays;  /**< synapses have delays of their own; else all have the longest */
    double weight_unit; /**< weights are multiples of it; 0: any */
    bool together;      /**< as static_synapses have it */
    double file_bytes;  /**< of a synapse that was read from a file, before it is one of a row; 0: none is */
    double file_blocks; /**< bytes beside those while the file is read */
    double background;/**< Poisson spikes from outside of a neuron, in a step: mean; 0: none */
    const double *population_inputs; /**< [cells.populations] mean of static inputs, borrowed from the settings; NULL: neurons are alike */
} network_size;

typedef struct network_kind {
    const param_table *parameters; /**< its name is the kind's name */
    /** Check parameters; remembers messages with config_complain(). Not collective. NULL: nothing to check. */
    status (*check)(const config *config, const void *parameters, const network_settings *settings);
    /** Find out how many neurons there are and which are excitatory: settings->neurons (auto, or what the user wants) and settings->cells. Collective.
     *  @return agreed and printed. NULL: as many as the user wants, 4096 for auto; floor(N excitatory_fraction) are excitatory, the first ones. */
    status (*count)(const context *context, const config *config, void *parameters, network_settings *settings, double dt);
    /** Make the static synapses of my targets, bias and in_degree. Collective; draws depend on gids only.
     *  @return not yet agreed */
    status (*build)(const context *context, const config *config, const void *parameters, network *network);
    /** How large it will be ("engram plan"). Not collective. @param[in,out] size all 0: a network without static synapses. @return not agreed.
     *  NULL: leave it at that */
    status (*size)(const config *config, const void *parameters, const network_settings *settings, network_size *size);
    /** Which parameters would give neurons that are silent the constant input @p needed [2] (excitatory, inhibitory;
     *  NAN: there are none, or none would do): "key of value, or key of value". Not collective. NULL: the kind's input cannot be chosen */
    void (*advise)(const void *parameters, const network_settings *settings, const double *needed, char *text, size_t size);
} network_kind;

/** All kinds, NULL-terminated; the first is the default. */
extern const network_kind *const network_kinds[];

/** Build the network that the configuration, resolved, describes. Collective. @param[in,out] result part, seed and unit are given
 *  @return agreed; on failure nothing to free */
status network_build(const context *context, config *config, double dt, double membrane_tau, network *result);
void network_clear(network *network);

/** Names of the cells' populations, if there are any. Borrowed. */
const char *const *network_population_names(const network_settings *settings);

/** Integral of the drive after a spike of weight 1, in units of the input times ms. @param tau of its filter, ms */
static inline double network_area(const network *network, double tau) { return isnan(network->unit) ? tau : network->unit; }

/** Section `plastic`: which synapses learn. */
typedef struct {
    double tau;             /**< ms */
    param_numbers tau_range;/**< [] or [low, high] ms: uniform per neuron */
    int drive;              /**< PLASTIC_DRIVE_* */
    double time_unit;       /**< ms or auto */
    param_texts trained;    /**< a word of TRAINED_*, or names of populations: network_settings.learns */
} plastic_settings;

enum { PLASTIC_DRIVE_AUTO, PLASTIC_DRIVE_SPIKE_TIME, PLASTIC_DRIVE_READOUT };
enum { TRAINED_ALL, TRAINED_EXCITATORY, TRAINED_TARGETS, TRAINED_POPULATIONS };

/** Which of TRAINED_* it is. The network is resolved. */
int plastic_trained(const plastic_settings *settings);

/** May the neuron have a recorded unit? Not where plastic.trained names other populations than its own. */
static inline bool network_may_learn(const network_settings *settings, int64_t gid) {
    return !settings->learns || settings->learns[population_of(&settings->cells, gid)];
}

/** How many neurons that is true for. */
int64_t network_count_learning(const network_settings *settings);

extern const param_table plastic_common;

/** What a plastic kind needs to make its rows. */
typedef struct {
    const network *network;
    const uint8_t *trained;  /**< [N] 1 for neurons that learn */
    const uint32_t *activity;/**< [N] spikes in the baseline run, NULL if there was none */
    int64_t feedforward;     /**< units, every trained neuron is connected to all */
    double feedforward_weight;
    bool single;             /**< store weights as float */
} plastic_request;

/** How large a plastic set will be, known without building it. */
typedef struct {
    double inputs;      /**< recurrent plastic inputs of a neuron: mean */
    double variance;    /**< of that number over groups */
    int64_t group_size; /**< consecutive neurons that share inputs and P */
    bool shared;        /**< what plastic_synapses.shared will be */
    bool takes_static;  /**< the static synapses of trained neurons become plastic */
    double file_bytes, file_blocks; /**< as network_size has them */
    int longest;        /**< delay in steps; 0: all are one step */
    int least;          /**< no delay is shorter, in steps; 0: not known, or one */
} plastic_size;

typedef struct plastic_kind {
    const param_table *parameters;
    status (*check)(const config *config, const void *parameters, const network_settings *settings);
    /** Look at files before anything is built. Collective. @return agreed and printed. NULL: there are none */
    status (*look)(const context *context, const config *config, void *parameters, const network_settings *settings, double dt);
    /** Make the plastic rows of my trained neurons. May take static synapses out of the network (kind existing). Collective. @return not yet agreed */
    status (*build)(const context *context, const config *config, const void *parameters, plastic_request *request, network *network,
                    plastic_synapses **result);
    int (*needs_activity)(const void *parameters); /**< does build() read request->activity? NULL: no */
    /** How large it will be ("engram plan"). Not collective. @param[in,out] size all 0, groups of one neuron. @return not agreed. NULL: leave it at that */
    status (*size)(const config *config, const void *parameters, const network_settings *settings, const network_size *network, plastic_size *size);
} plastic_kind;

extern const plastic_kind *const plastic_kinds[];

/** Append all feed-forward units behind @p count sources of a row. @return the new number of sources */
int plastic_append_feedforward(const plastic_request *request, int32_t *source, double *weight, int count);

/** Growing list of plastic rows: kinds add rows in ascending order of neurons, then finish. */
typedef struct {
    int rows, groups, rows_room, groups_room;
    int64_t sources, sources_room, weights, weights_room;
    int32_t *row_neuron, *group_row, *source;
    int64_t *group_start, *group_id;
    double *initial;
} row_list;

row_list row_list_new(void);
/** Start a group with these sources (ascending). @param id the same on every rank that has rows of this group; ascending over groups */
void row_list_group(row_list *list, int64_t id, const int32_t *source, int count);
/** Add a row to the last group. @param weight [count of the group's sources] */
void row_list_row(row_list *list, int32_t neuron, const double *weight);
plastic_synapses *row_list_finish(row_list *list, const plastic_request *request);

#endif
