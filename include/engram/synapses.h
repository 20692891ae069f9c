/** @file synapses.h
 *  Static and plastic synapses of a rank and the delivery of spikes through them. All synapses live with their target (postsynaptic) neuron.
 *  Nothing here is collective. Source ids: neurons 0 .. N-1, then feed-forward units N .. N+units-1.
 *  Delays are in time steps: a spike of step s through a synapse of delay d first acts in step s + d. flight.h delivers what takes more than one step.
 */
#ifndef ENGRAM_SYNAPSES_H
#define ENGRAM_SYNAPSES_H

#include <stdbool.h>
#include <stdint.h>

#include "engram/state.h"

/** Synapses ordered by target, as generators make them. A generator's scratch: freed once the networks are built. */
typedef struct {
    int targets;      /**< local neurons */
    int64_t *start;   /**< [targets+1] */
    int32_t *source;  /**< [start[targets]] gid, ascending within a target */
    double *weight;   /**< [start[targets]] */
    uint16_t *delay;  /**< [start[targets]] time steps, 1 .. DELAY_MAX; NULL: longest for all */
    int longest;      /**< of the delays, on any rank; 0: all are one step */
    double unit;      /**< weights are multiples of it, at most BLOCKS_WEIGHT_MAX of them (blocks.h); a power of two, so that their sums are exact; 0: any */
    bool together;    /**< where there is a unit: whoever takes the sums up filters both signs alike, so that they may be one, which is told as excitatory */
} synapse_rows;

/** Longest delay, in steps: 16 bits, and what a ring of them takes, set the limit. */
enum { DELAY_MAX = 16383 };

void synapse_rows_free(synapse_rows *rows);

/** Static synapses ordered by source, for delivery. Weights that depend only on the two types cost no memory:
 *  then weight is NULL and delivery counts spikes per source type: static_typed(). */
typedef struct {
    int64_t sources;           /**< N */
    int64_t excitatory;        /**< gids below are excitatory */
    int64_t *start;            /**< [sources+1], owned */
    uint32_t *target;          /**< [start[sources]] local index, ascending within a source, owned; NULL in the other forms of static_pack() */
    uint16_t *narrow;          /**< the same in two bytes each, from where their slice of the rank's neurons begins, or NULL; owned */
    uint32_t *split;           /**< [sources][slices - 1] synapses of the source before those of each slice but the first; NULL with one slice; owned */
    int slices, slice_size;    /**< of narrow; neurons of a slice, the last one may have fewer */
    uint32_t *bits;            /**< [sources][words] bit i % 32 of word i / 32: local neuron i is a target; or NULL; owned */
    int words, whole_words;    /**< of a source's bits; those among them all of whose bits are neurons */
    double *weight;            /**< [start[sources]] or NULL, owned */
    double type_weight[2][2];  /**< [target inhibitory][source inhibitory] when weight is NULL */
    int64_t largest_in_degree; /**< of this rank's targets */
    uint16_t *delay;           /**< [start[sources]] time steps, owned; NULL: longest for all */
    int longest;               /**< of the delays, the same on all ranks, 1 or more */
    double unit;               /**< of weights, as synapse_rows have it */
    bool together;             /**< as synapse_rows have it: in every form, so that the same is rounded wherever background adds to it */
    struct static_blocks *blocks; /**< form STATIC_BLOCKS: targets, delays and weights are there (blocks.h), and their arrays here NULL; owned */
} static_synapses;

/** Transpose; the weights are copied. Several synapses of a pair are by delay. */
static_synapses *static_from_rows(const synapse_rows *rows, int64_t sources, int64_t excitatory);

struct blocks_rows;

/** Synapses that are made: as rows, or for blocks, sources first and then their delays and weights (blocks.h). */
typedef struct {
    void *of;
    synapse_rows (*make)(void *of);                               /**< all rows. Freed by who asks */
    void (*deal)(void *of, int first, int count, struct blocks_rows *kept); /**< sources of local targets first .. first+count-1, a slice */
    void (*draw)(void *of, int64_t source, int first, const uint32_t *dealt, int count, uint16_t *delay, double *weight); /**< as blocks_law has it */
    const int64_t *start; /**< [targets+1] synapses of the targets before, of all of them */
    int64_t sources, excitatory;
    int targets, longest; /**< of the rank; steps, no delay is longer */
    bool own_delays;      /**< rows have delays */
    double unit;          /**< of weights, as synapse_rows have it */
    bool together;        /**< the same */
} static_parts;

/** static_from_rows() of all rows; with delays in form STATIC_BLOCKS, where that is the best, and then without rows. */
static_synapses *static_from_parts(const static_parts *parts);

/** Transpose back; typed weights are written out. */
synapse_rows static_to_rows(const static_synapses *synapses, int targets, int64_t first_gid);
void static_free(static_synapses *synapses);

/** What delivery reads. Any but LISTS and BLOCKS is for typed weights and the same delay for all. */
typedef enum {
    STATIC_LISTS,  /**< targets in 4 bytes */
    STATIC_NARROW, /**< targets in 2 bytes, within slices of the rank's neurons */
    STATIC_BITS,   /**< a bit per neuron of the rank, for dense networks without multiple synapses */
    STATIC_BLOCKS, /**< synapses with delays of their own, or weights in units, sorted by delay: flight.h delivers them */
} static_form;

/** The form in which delivery is fastest, of so many typed synapses no two of which connect the same pair. @param targets local neurons */
static_form static_form_for(double synapses, double sources, int64_t targets);

/** Slices of form NARROW; 0: a source has too few targets in each for them to be worth it. @param targets local neurons */
int static_slices(double synapses, double sources, int64_t targets);

/** Weights in blocks (blocks.h): by type, multiples of a unit, the same with one sum for both signs, any. */
typedef enum { BLOCKS_COUNTED, BLOCKS_FIXED, BLOCKS_TOGETHER, BLOCKS_DOUBLE } blocks_form;

/** @param unit, together as static_synapses have them */
blocks_form static_blocks_form(bool typed, double unit, bool together);

/** Can synapses be in blocks at all? With one delay for all, those whose weights are in units, which take less there. */
static inline bool static_may_be_in_blocks(bool own_delays, double unit) {
    return own_delays || unit > 0;
}

/** BLOCKS or LISTS, for so many synapses of which that holds: BLOCKS, unless the lists of where the delays of sources begin were longer than the synapses,
 *  or delays exceed BLOCKS_LONGEST steps. @param targets local neurons */
static_form static_blocks_or_lists(double synapses, double sources, int64_t targets, int longest, blocks_form form);

/** Do weights depend on the two types only? */
bool static_typed(const static_synapses *synapses);

/** The form in which delivery is fastest. @param targets local neurons */
static_form static_best_form(const static_synapses *synapses, int targets);

/** Store the targets in another form. @param form possible for these synapses; STATIC_LISTS always is @param targets local neurons */
void static_pack(static_synapses *synapses, static_form form, int targets);

/** Targets of a source, in any form but BLOCKS. @param scratch [largest_out_degree]
 *  @return [start[source+1] - start[source]] local indices, ascending: in place or in @p scratch */
const uint32_t *static_targets(const static_synapses *synapses, int64_t source, uint32_t *scratch);

/** Largest number of targets of a source. */
int64_t static_largest_out_degree(const static_synapses *synapses);

/** What reaches the static synapses of each neuron in one step. */
typedef struct {
    uint16_t *excitatory_count;  /**< [mine] spikes from excitatory sources (typed weights) */
    uint16_t *inhibitory_count;  /**< [mine] */
    double *excitatory;          /**< [mine] summed weights > 0 (own weights), NULL when typed */
    double *inhibitory;          /**< [mine] summed weights <= 0; NULL where they are in excitatory (together) */
    float *excitatory_single;    /**< the same in single precision, in place of those */
    float *inhibitory_single;
} static_input;

/** The same from neuron @p first on. */
static inline static_input static_input_from(const static_input *input, int first) {
    static_input rest = *input;
    if (rest.excitatory_count) rest.excitatory_count += first;
    if (rest.inhibitory_count) rest.inhibitory_count += first;
    if (rest.excitatory) rest.excitatory += first;
    if (rest.inhibitory) rest.inhibitory += first;
    if (rest.excitatory_single) rest.excitatory_single += first;
    if (rest.inhibitory_single) rest.inhibitory_single += first;
    return rest;
}

/** Add the spikes of one step, whatever the delays. @param spike [count] gids, ascending: the order of summation */
void static_deliver(const static_synapses *synapses, const int32_t *spike, int count, static_input *input);

/** Updates of plastic weights that are not written yet: whoever holds them adds what they do to the delivery of spikes. */
typedef struct {
    void *self;
    void (*deliver)(void *self, const int32_t *spike, int count, double *input); /**< NULL: weights are up to date; arguments of plastic_deliver() */
} plastic_pending;

/** What plastic_synapses.frozen says of a synapse. */
enum {
    PLASTIC_FREE,
    PLASTIC_FROZEN,    /**< an update would have flipped its sign: its weight stays as it is */
    PLASTIC_FROZEN_NOW /**< so at the last learning instant; between instants only, for a store that has to take it out of what it kept */
};

/** Plastic synapses. Rows are the trained neurons of this rank; rows of a group, its members, have the same sources and share one inverse correlation matrix.
 *  Weights lie group by group, source by source, member by member: what a spike delivers to a group is one stretch (plastic_slot()). */
typedef struct {
    int64_t sources;        /**< N + feed-forward units */
    int64_t neurons;        /**< N: source ids from here on are feed-forward */
    int rows;
    int32_t *row_neuron;    /**< [rows] local index, ascending */
    int64_t *row_start;     /**< [rows+1] number of weights of the rows before; at a group's first row: where the group's weights begin */
    int groups;
    int32_t *group_row;     /**< [groups+1] first row of a group */
    int64_t *group_start;   /**< [groups+1] first entry of a group's sources */
    int32_t *source;        /**< [group_start[groups]] source ids, ascending within a group */
    int64_t *group_id;      /**< [groups] ascending over ranks; ranks that hold rows of the same group hold the same id. NULL: a group is one row */
    bool shared;            /**< neurons, of whatever ranks, share a group's inverse correlation matrix */
    bool signs_differ;      /**< members of a group may differ in the signs of their initial weights */
    bool single;            /**< weights are float, else double */
    void *weight;           /**< [row_start[rows]] */
    void *initial;          /**< [row_start[rows]] weights before training, same type */
    uint8_t *frozen;        /**< [row_start[rows]] PLASTIC_FREE ..., where weights keep the signs that they began with; then every group has one member.
                                 NULL: signs may change */
    plastic_pending pending;/**< set by an RLS store that delays weights */
    bool alone;             /**< every group has one member */
    int64_t *out_start;     /**< [sources+1] stretches by source, for delivery */
    uint32_t *out_target;   /**< [group_start[groups]] group; the member's local neuron where all are alone */
    uint32_t *out_slot;     /**< [group_start[groups]] the stretch's first weight */
    uint16_t *delay;        /**< [neurons] time steps, one for all synapses of a source, so that w.r stays the drive at fixed weights; NULL: longest for all;
                                 owned. Feed-forward units have one step */
    int longest;            /**< of the delays, 1 or more, the same on all ranks */
} plastic_synapses;

/** What plastic_synapses are made of; the same names there say more. All arrays are taken (memory_new). */
typedef struct {
    int64_t neurons, sources;
    int rows, groups;
    int32_t *row_neuron;  /**< [rows] */
    int32_t *group_row;   /**< [groups+1] */
    int64_t *group_start; /**< [groups+1] */
    int32_t *source;      /**< [group_start[groups]] */
    double *initial;      /**< initial weights, row by row */
    bool single;
} plastic_parts;

/** Take group sources and initial weights and complete the rest. @return owned */
plastic_synapses *plastic_new(const plastic_parts *parts);
void plastic_free(plastic_synapses *plastic);

/** Sources of the row's group: pointer to [*count]. */
static inline const int32_t *plastic_sources(const plastic_synapses *plastic, int group, int *count) {
    *count = (int)(plastic->group_start[group + 1] - plastic->group_start[group]);
    return plastic->source + plastic->group_start[group];
}

/** Where a row's weight of its group's source @p a lies. */
static inline int64_t plastic_slot(const plastic_synapses *plastic, int group, int row, int64_t a) {
    int first = plastic->group_row[group], members = plastic->group_row[group + 1] - first;
    return plastic->row_start[first] + a * members + (row - first);
}

static inline double plastic_weight(const plastic_synapses *plastic, int64_t slot) {
    return plastic->single ? (double)((const float *)plastic->weight)[slot] : ((const double *)plastic->weight)[slot];
}
static inline void plastic_set_weight(plastic_synapses *plastic, int64_t slot, double weight) {
    if (plastic->single)
        ((float *)plastic->weight)[slot] = (float)weight;
    else
        ((double *)plastic->weight)[slot] = weight;
}
static inline double plastic_initial(const plastic_synapses *plastic, int64_t slot) {
    return plastic->single ? (double)((const float *)plastic->initial)[slot] : ((const double *)plastic->initial)[slot];
}

/** Number of frozen synapses. */
int64_t plastic_count_frozen(const plastic_synapses *plastic);

/** Sum of squared differences between weights and initial weights, for every row: in the order of its sources. @param[out] squares [rows] */
void plastic_change(const plastic_synapses *plastic, double *squares);

/** Largest number of sources of a group. */
int64_t plastic_largest(const plastic_synapses *plastic);

/** List the weights: row by row, in their precision. */
void plastic_state(plastic_synapses *plastic, state_list *list);

/** Add the weights of the synapses that the spikes reach, whatever the delays. @param spike [count] source ids, ascending @param[in,out] input [mine] */
void plastic_deliver(const plastic_synapses *plastic, const int32_t *spike, int count, double *input);

#endif
