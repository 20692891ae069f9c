/** @file random.h
 *  Counter-based random numbers: a pure function of (seed, purpose, id, counter), so that draws do not depend on the number of ranks.
 *
 *  Generator: Philox4x32-10 (Salmon, Moraes, Dror & Shaw 2011), through Random123.
 *      key     = { seed low 32 bits, seed high 32 bits }
 *      counter = { counter low, counter high, id low, (id bits 32..47) | purpose << 16 }
 *  gives four 32-bit words w0 .. w3. What is drawn in bulk comes from ARS-7 of the same authors, Random123's ars4x32, with the same counter and two words 0
 *  behind the key: rounds of AES, for which processors have an instruction, so that it takes an eighth of the time. Nothing here is collective.
 */
#ifndef ENGRAM_RANDOM_H
#define ENGRAM_RANDOM_H

#include <stdint.h>

/** What a draw is for. Numbers are part of the reproducibility contract: never reuse or renumber. Systems share a purpose where id and counter mean the same;
 *  else a new one, behind the last. */
typedef enum {
    RANDOM_STATIC_SPLIT = 1,     /**< id: source,     counter: node of the splitting tree */
    RANDOM_STATIC_LEAF = 2,      /**< id: source,     counter: leaf << 32 | draw */
    RANDOM_STATIC_ROW = 3,       /**< id: target,     counter: draw (which sources) */
    RANDOM_STATIC_WEIGHT = 4,    /**< id: target,     counter: source */
    RANDOM_PLASTIC_ROW = 5,      /**< id: group (the target, for groups of one), counter: type << 32 | draw */
    RANDOM_PLASTIC_WEIGHT = 6,   /**< id: target,     counter: source */
    RANDOM_TAU = 7,              /**< id: neuron,     counter: 0 */
    RANDOM_INITIAL = 8,          /**< id: neuron,     counter: stream << 8 | draw */
    RANDOM_NOISE = 9,            /**< id: neuron,     counter: stream * 2^40 + step/4 (random_noise, random_noise_single) */
    RANDOM_STIMULUS = 10,        /**< id: neuron,     counter: task << 32 (constant), task * 2^40 + sample/4 (ou, random_noise) */
    RANDOM_TARGET = 11,          /**< id: neuron,     counter: task << 32 | draw */
    RANDOM_TARGET_NETWORK = 12,  /**< id: row,        counter: column (chaotic rate network) */
    RANDOM_TARGET_COMMON = 13,   /**< id: 0,          counter: task << 32 | draw (a bias shared by all neurons) */
    RANDOM_FEEDFORWARD_RATE = 14,/**< id: unit,       counter: task << 32 | draw */
    RANDOM_FEEDFORWARD_SPIKE = 15,/**< id: unit,      counter: stream * 2^40 + step */
    RANDOM_SURROGATE = 16,       /**< id: unit,       counter: 0 (mean), (condition + 1) << 32 | draw */
    RANDOM_AUXILIARY = 17,       /**< id: neuron,     counter: task << 32 | draw */
    RANDOM_DISTINCT = 18,        /**< id: neuron,     counter: 0 (whether it has a target of its own) */
    RANDOM_WINDOW_NOISE = 19,    /**< id: neuron,     counter: task * 2^40 + sample/4 (random_noise) */
    RANDOM_DELETE_NEURON = 24,   /**< id: neuron,     counter: 0 */
    RANDOM_DELETE_SYNAPSE = 25,  /**< id: target,     counter: kind (static 0, plastic 1) << 32 | source */
    RANDOM_EXTERNAL_NOISE = 26,  /**< id: neuron,     counter: stream * 2^40 + step/4 (random_noise) */
    RANDOM_SHUFFLE_CHOICE = 27,  /**< id: target,     counter: kind (static 0, plastic 1) << 32 | source */
    RANDOM_SHUFFLE_ORDER = 28,   /**< id: target,     counter: (2 kind + type of source) << 32 | draw */
    RANDOM_COMMAND = 29,         /**< id: dimension,  counter: stream * 2^40 + node/4 (smooth_noise) or step/4 (filtered_noise) (random_noise) */
    RANDOM_COMMAND_PULSE = 30,   /**< id: dimension,  counter: stream * 2^40 + pulse */
    RANDOM_TEACHER = 31,         /**< id: row,        counter: column */
    RANDOM_TEACHER_START = 32,   /**< id: dimension,  counter: stream * 2^40 + task */
    RANDOM_DECODER = 33,         /**< id: neuron,     counter: dimension */
    RANDOM_FAST_WEIGHT = 34,     /**< id: target,     counter: source */
    RANDOM_BASIS = 35,           /**< id: unit,       counter: what (direction, centre, point of the box) << 32 | dimension */
    RANDOM_VOLTAGE_NOISE = 36,   /**< id: neuron,     counter: stream * 2^40 + step/4 (random_noise) */
    RANDOM_IMAGE = 39,           /**< id: draw,       counter: set << 40 | number of the image */
    RANDOM_ESCAPE = 37,          /**< id: neuron,     counter: stream * 2^40 + step/8 (random_short) */
    RANDOM_ESCAPE_REST = 38,     /**< id: neuron,     counter: stream * 2^40 + step */
    RANDOM_INPUT_WEIGHT = 40,    /**< id: neuron,     counter: input */
    RANDOM_REWIRE = 50,          /**< id: matrix (256: which of them), counter: iteration << 32 | draw */
    RANDOM_REWIRE_WALK = 41,     /**< id: entry,      counter: iteration */
    RANDOM_TASK = 42,            /**< id: set << 47 | number of the sample, counter: what the task draws */
    RANDOM_TASK_SPIKE = 43,      /**< id: as RANDOM_TASK, counter: draw << 48 | channel << 32 | first step */
    RANDOM_TASK_ORDER = 44,      /**< id: 0 (pixels), 1 + epoch (samples), 2^64 - 1 (which are kept to validate with), counter: draw */
    RANDOM_WEIGHT = 45,          /**< id: presynaptic unit, inputs first, counter: postsynaptic unit, readouts last */
    RANDOM_DELAY = 46,           /**< id, counter: as RANDOM_WEIGHT; counter 1 << 32 (static), 2 << 32 (plastic): of all synapses of the source */
    RANDOM_SIGN = 47,            /**< id: 0 (inputs), 1 (neurons), counter: draw */
    RANDOM_CONNECT = 48,         /**< id: matrix,     counter: draw << 1 (pre), draw << 1 | 1 (post) */
    RANDOM_FEEDBACK = 49,        /**< id: neuron,     counter: readout */
    RANDOM_DIFFERENTIABLE_WEIGHT = 51, /**< id: matrix (slow, fast, input, current, readout), counter: entry, row by row */
    RANDOM_DIFFERENTIABLE_START = 52,  /**< id: neuron, counter: 0 (once for all samples), 1 + (set << 47 | number of the sample) */
    RANDOM_ACTION = 66,          /**< id: set << 47 | number of the sample, counter: window * 8 + component */
    RANDOM_PROJECTION_SPLIT = 68,/**< id: projection, counter: node of the splitting tree; id: target (each pair by itself) or source (out-degree),
                                      counter: (projection + 1) << 52 | node */
    RANDOM_PROJECTION_SOURCE = 69,/**< id: target,    counter: projection << 40 | draw, or draw/2 with multapses (random_below_each) */
    RANDOM_PROJECTION_TARGET = 70,/**< id: source,    counter: (projection + 1) << 52 | (block + 1) << 24 | draw, or draw/2 with multapses */
    RANDOM_PROJECTION_SYNAPSE = 79,/**< id: source,   counter: target << 34 | projection << 22 | which of several (random_pairs_single: weight, delay) */
    RANDOM_TEST_NOISE = 74,      /**< id: set << 47 | number of the sample, counter: neuron << 24 | step */
    RANDOM_PROJECTION_WEIGHT_AGAIN = 80, /**< id: attempt << 32 | source, counter: as RANDOM_PROJECTION_SYNAPSE */
    RANDOM_PROJECTION_DELAY = 81,/**< id, counter: as RANDOM_PROJECTION_SYNAPSE (uniform delays) */
    RANDOM_BACKGROUND_LOWER = 76,/**< id: neuron,     counter: stream * 2^40 + step */
    RANDOM_BACKGROUND = 78,      /**< id: neuron/8,   counter: stream * 2^40 + step (random_bulk, number neuron % 8);
                                      67, 75 and 77 were its own in earlier revisions, 71 to 73 weights and delays of projections */
} random_purpose;

/** The four words of one block. */
typedef struct { uint32_t word[4]; } random_block;

random_block random_bits(uint64_t seed, random_purpose purpose, uint64_t id, uint64_t counter);

/** Uniform on the open interval (0,1): ((w1 << 32 | w0) >> 11 + 1/2) / 2^53. */
double random_uniform(uint64_t seed, random_purpose purpose, uint64_t id, uint64_t counter);

/** Standard normal, Box & Muller 1958: sqrt(-2 ln U1) cos(2 pi U2), U1 from w1:w0 and U2 from w3:w2 as in random_uniform(). */
double random_normal(uint64_t seed, random_purpose purpose, uint64_t id, uint64_t counter);

/** random_normal() of @p count consecutive counters, the same bits. @param[out] normals [count] */
void random_normals(uint64_t seed, random_purpose purpose, uint64_t id, uint64_t counter, int count, double *normals);

/** Integer uniform on 0 .. bound-1, bound > 0 (multiply-shift of w1:w0; bias below bound/2^64). */
uint64_t random_below(uint64_t seed, random_purpose purpose, uint64_t id, uint64_t counter, uint64_t bound);

enum { RANDOM_EACH = 8 };

/** Integers of 16 bits in bulk by ARS. Numbers 2w and 2w+1 of a block are the low and the high half of word w.
 *  @param first id of the first block; ids are first .. first+blocks-1
 *  @param[out] draws [blocks][RANDOM_EACH] */
void random_bulk(uint64_t seed, random_purpose purpose, uint64_t first, int blocks, uint64_t counter, uint16_t *draws);

/** The same of one id and counters base .. base+blocks-1. */
void random_bulk_counters(uint64_t seed, random_purpose purpose, uint64_t id, uint64_t base, int blocks, uint16_t *draws);

/** Which block. */
typedef struct { uint64_t counter, id; /**< below 2^48 */ } random_place;

/** The same of blocks here and there. @param place [blocks] */
void random_bulk_places(uint64_t seed, random_purpose purpose, const random_place *place, int blocks, uint16_t *draws);

/** A block without the instructions, as random_bulk() makes it where there are none. */
void random_bulk_as_written(uint64_t seed, random_purpose purpose, uint64_t id, uint64_t counter, uint16_t draws[RANDOM_EACH]);

/** Standard normals for many neurons at once: the inner loop of noisy networks, vectorised.
 *  With U_k = (w_k + 1/2) / 2^32 of the block (id, counter), by ARS, member 0..3 of an id are
 *      sqrt(-2 ln U0) cos(2 pi U1), sqrt(-2 ln U0) sin(2 pi U1), sqrt(-2 ln U2) cos(2 pi U3), sqrt(-2 ln U2) sin(2 pi U3)
 *  with logarithm, sine and cosine from polynomials (absolute error of a normal below 1e-12), the same bits for any @p count.
 *  @param first  id of the first neuron; ids are first .. first+count-1
 *  @param[out] normals [4][stride]; member m of neuron i at m*stride + i; stride >= count */
void random_noise(uint64_t seed, random_purpose purpose, uint64_t first, int count, uint64_t counter, int stride, double *normals);

/** The same normals in single precision: the same words, polynomials in float. Each is within 5e-7 of the absolute value of random_noise()'s, the same bits
 *  for any @p count. @param[out] normals as there */
void random_noise_single(uint64_t seed, random_purpose purpose, uint64_t first, int count, uint64_t counter, int stride, float *normals);

/** Members 0 and 1 of blocks here and there. @param place [count] @param[out] first [count] @param[out] second [count] */
void random_pairs_single(uint64_t seed, random_purpose purpose, const random_place *place, int count, float *first, float *second);

/** Integers of 16 bits for many neurons at once: member 2w of an id is the low half of word w of the block (id, counter), member 2w+1 its high half.
 *  @param first  id of the first neuron; ids are first .. first+count-1
 *  @param[out] draws [8][stride]; member m of neuron i at m*stride + i; stride >= count */
void random_short(uint64_t seed, random_purpose purpose, uint64_t first, int count, uint64_t counter, int stride, uint16_t *draws);

/** Integers uniform on 0 .. bound-1, in bulk by ARS: draw d is (w_k+1 << 32 | w_k) * bound / 2^64, rounded down, of block (id, base + d/2), k = 2 (d%2).
 *  @param[out] chosen [draws] */
void random_below_each(uint64_t seed, random_purpose purpose, uint64_t id, uint64_t base, int64_t bound, int draws, int64_t *chosen);

/** Draw @p draws distinct integers of 0 .. bound-1 without replacement, ascending (Floyd's algorithm, then sorted).
 *  Draw d uses counter base + d. @param[out] chosen [draws] @pre 0 <= draws <= bound */
void random_choose(uint64_t seed, random_purpose purpose, uint64_t id, uint64_t base, int64_t bound, int draws, int64_t *chosen);

/** Hypergeometric: how many of @p draws, taken without replacement from @p total, fall in the first @p marked.
 *  Inversion from the mode with one uniform (seed, purpose, id, counter). */
int64_t random_hypergeometric(uint64_t seed, random_purpose purpose, uint64_t id, uint64_t counter, int64_t total, int64_t marked, int64_t draws);

/** Binomial: how many of @p draws succeed, each with probability @p p. Inversion from the mode with one uniform (seed, purpose, id, counter). */
int64_t random_binomial(uint64_t seed, random_purpose purpose, uint64_t id, uint64_t counter, int64_t draws, double p);

#endif
