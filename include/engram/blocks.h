/** @file blocks.h
 *  Static synapses with delays, delivered in blocks of steps: the form in which delays cost next to nothing.
 *
 *  A source's synapses are sorted by delay. What its spike does in the next BLOCK_STEPS steps is then one contiguous run, which is added to as many slabs of
 *  sums that stay in the caches; what comes later is delivered in later blocks, from who has fired (flight.h). Nothing is written to memory for the future, as
 *  a ring does.
 *
 *  A synapse is a word of 4 bytes: the target within a slice of the rank's neurons (at most 65,536), 3 bits of the delay, and in form BLOCKS_FIXED a weight of
 *  13 bits in units of `unit`; then sums are integers, and the same in whatever order they are made: 16 bits wide, and 32 in blocks in which that would not do.
 *  BLOCKS_COUNTED is for weights that depend on types only: spikes are counted. BLOCKS_DOUBLE has 8 bytes more, the weight, and sums in the order that flight.h
 *  states, so that all bits are those of the ring.
 *
 *  Nothing is collective. Built slice by slice: source by source, from synapses that are in memory already, or target by target, from sources that are drawn,
 *  whose weights and delays are functions of source and target.
 */
#ifndef ENGRAM_BLOCKS_H
#define ENGRAM_BLOCKS_H

#include <math.h>

#include "engram/flight.h"

enum {
    BLOCK_STEPS = 8,
    BLOCKS_LONGEST = 255,       /**< delay, in steps: a source has a list of where each begins */
    BLOCKS_ROW_MAX = UINT16_MAX,/**< synapses of a source in a slice */
    BLOCKS_WEIGHT_MAX = 4095,   /**< units, of either sign */
};

/** Neurons first .. first+count-1 (local indices) as targets. */
typedef struct {
    int first, count;
    int bits;         /**< of a target in a word */
    int64_t *start;   /**< [sources+1] */
    uint16_t *offset; /**< [sources][longest+1] in the source's synapses: those of delay d are offset[d-1] .. offset[d]-1 */
    uint32_t *word;   /**< [room]; start[sources] of them are used once it is complete */
    double *weight;   /**< [room], or NULL */
    int64_t room, done; /**< done: sources that were appended */
} blocks_slice;

typedef struct static_blocks {
    blocks_form form;
    int64_t sources;
    int64_t excitatory;  /**< gids below are excitatory: whose spikes are counted apart (BLOCKS_COUNTED) */
    int longest;         /**< delay in steps */
    double unit;         /**< of weights (BLOCKS_FIXED, BLOCKS_TOGETHER) */
    int slices;
    blocks_slice *slice; /**< [slices] */
} static_blocks;

/** One synapse, while they are built. */
typedef struct {
    uint32_t target; /**< local index */
    uint16_t delay;  /**< steps, 1 .. longest */
    double weight;   /**< of no matter if they are counted; multiples of unit, up to BLOCKS_WEIGHT_MAX of them, are kept exactly, others rounded and clipped */
} blocks_synapse;

typedef struct {
    blocks_form form;
    int64_t sources, excitatory;
    int longest;     /**< at most BLOCKS_LONGEST */
    int mine;        /**< local neurons */
    int slice_size;  /**< neurons of a slice at most, up to 65,536; 0: as fits the caches */
    double unit;
} blocks_setting;

/** A weight in forms BLOCKS_FIXED and BLOCKS_TOGETHER: the nearest whole number of units, a power of two, clipped at BLOCKS_WEIGHT_MAX. */
static inline int16_t blocks_units(double weight, double unit) {
    const double units = rint(weight * (1 / unit)), most = BLOCKS_WEIGHT_MAX; /* fmin() would be called */
    return (int16_t)(units > most ? most : units < -most ? -most : units);
}

/** Blocks of steps in which a spike reaches synapses at most, its own among them. @param longest delay in steps */
static inline int blocks_reached(int longest) { return (longest + BLOCK_STEPS - 2) / BLOCK_STEPS + 1; }

/** Empty: rows are to be appended to each slice. @return owned */
static_blocks *blocks_new(const blocks_setting *setting);
void blocks_free(static_blocks *blocks);

/** Make room for @p synapses in a slice at once; else it grows by half. */
void blocks_reserve(static_blocks *blocks, int slice, int64_t synapses);

/** The next source's synapses onto a slice, in any order; those of the same delay are kept in theirs. @param synapse [count], at most BLOCKS_ROW_MAX */
void blocks_append(static_blocks *blocks, int slice, const blocks_synapse *synapse, int count);

/** Which sources a slice's targets have, as they come, in the memory of the words that they will become. */
typedef struct blocks_rows blocks_rows;

/** @param synapses of the slice, no more will come @return owned */
blocks_rows *blocks_rows_new(static_blocks *blocks, int slice, int64_t synapses);
void blocks_rows_free(blocks_rows *kept);

/** Take sources of the slice's target @p target, which ascends from call to call. @param mark what the law is to know of these synapses, below BLOCKS_MARKS
 *  @param source [count] in any order */
void blocks_rows_take(blocks_rows *kept, int target, int mark, const int32_t *source, int count);

enum { BLOCKS_MARK_BITS = 9, BLOCKS_MARKS = 1 << BLOCKS_MARK_BITS };

/** What was taken of a synapse, besides the source. Targets count from where the slice begins. */
static inline uint32_t blocks_dealt_target(uint32_t word) { return word & 0xffff; }
static inline int blocks_dealt_mark(uint32_t word) { return (int)(word >> (32 - BLOCKS_MARK_BITS)); }

/** Delays and weights of the synapses of a source onto a slice.
 *  @param first local index where the slice begins @param dealt [count] as they were taken: by target @param[out] delay [count] @param[out] weight [count] */
typedef struct {
    void *of;
    void (*draw)(void *of, int64_t source, int first, const uint32_t *dealt, int count, uint16_t *delay, double *weight);
} blocks_law;

/** Instead of blocks_append() for each source: the same words in the same order.
 *  @return false: a source has more than BLOCKS_ROW_MAX, and the blocks are of no use */
bool blocks_fill(static_blocks *blocks, blocks_rows *kept, const blocks_law *law);

/** All sources are there: give back what is left of the room. */
void blocks_finish(static_blocks *blocks);

/** The synapses of a source onto a slice, by delay. @param[out] row [BLOCKS_ROW_MAX or as many as there are] @return their number */
int blocks_row(const static_blocks *blocks, int slice, int64_t source, blocks_synapse *row);

/** Slices that a rank's neurons are divided into. */
int blocks_slices(const blocks_setting *setting);
/** Bytes of so many synapses, and of sums, for "engram plan". */
double blocks_bytes(const blocks_setting *setting, double synapses);
/** The most that is held besides while slices are filled from rows, of a rank with so many synapses. */
double blocks_rows_bytes(const blocks_setting *setting, double synapses);
double block_sums_bytes(const blocks_setting *setting);
/** Of what is noted of spikes beside their sums: for each block that they reach a list, of those of as many steps as the longest delay has.
 *  Each of them has room for the spikes of any step.
 *  @param synapses of the rank @param spikes of the network in a step @param most in any step */
double block_runs_bytes(const blocks_setting *setting, double synapses, double spikes, double most);

/** Sums of the block that is under way. */
typedef struct block_sums block_sums;

/** @return owned */
block_sums *block_sums_new(const static_blocks *blocks);
void block_sums_free(block_sums *sums);

/** Add what spikes up to the last step do in this block. Once a step; then the sums of what reaches the synapses at its end are complete, and wait for
 *  blocks_take(). @param fresh steps that were pushed since the last call, as for flight_deliver_static() */
void blocks_add(const static_blocks *blocks, block_sums *sums, const spike_flight *flight, int fresh);

/** Move the sums that wait, of neurons first .. end-1 (local indices), once; nothing where none do.
 *  @param[out] input [end - first] counts (BLOCKS_COUNTED), else sums in either precision @return whether they waited */
bool blocks_take(const static_blocks *blocks, block_sums *sums, int first, int end, const static_input *input);

/** All neurons have taken theirs. */
void blocks_next(block_sums *sums);

/** All of that: what reaches the synapses at the end of the last step, as flight_deliver_static() does it. To be called once a step.
 *  @param[out] input counts (BLOCKS_COUNTED), else doubles */
void blocks_deliver(const static_blocks *blocks, block_sums *sums, const spike_flight *flight, int fresh, static_input *input);

#endif
