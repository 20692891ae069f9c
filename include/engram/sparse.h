/** @file sparse.h
 *  Products of a full matrix of synapses with what few of its units have in few of the LANES samples of a tile: spikes, or charges. Three of them are all that
 *  a gradient through a recurrent network needs, forwards, backwards, and of the weights; each costs a vector addition (and product) for STRIP posts, for what
 *  there is, where a full product costs it for all. Nothing here is collective.
 *
 *  Posts are worked on in bands of SPARSE_BAND, the last of which may be narrower: sums of one lie in registers. What a matrix, or its gradient, has of a
 *  band lies together, unit by unit, in streams that a processor sees coming: [bands][units][SPARSE_BAND]. Sums run in the order of units, or of events, or
 *  are added up over posts in lanes of which there are SPARSE_GROUP: the same bits whatever vectors the processor has.
 */
#ifndef ENGRAM_SPARSE_H
#define ENGRAM_SPARSE_H

#include <stddef.h>
#include <stdint.h>

#include "engram/lanes.h"

enum {
    SPARSE_GROUP = 16, /**< posts come in whole groups of these */
    SPARSE_BAND = 64,  /**< posts side by side */
    SPARSE_WORD = 64,  /**< units in a word of a set */
};

/** Bands of so many posts. */
static inline int sparse_bands(int posts) {
    return (posts + SPARSE_BAND - 1) / SPARSE_BAND;
}

/** Posts of a band. @param posts in whole groups of SPARSE_GROUP */
static inline int sparse_width(int posts, int band) {
    return posts - band * SPARSE_BAND < SPARSE_BAND ? posts - band * SPARSE_BAND : SPARSE_BAND;
}

/** Floats of a matrix. */
static inline size_t sparse_floats(int units, int posts) {
    return (size_t)sparse_bands(posts) * (size_t)units * SPARSE_BAND;
}

/** Where a synapse is in a matrix. */
static inline size_t sparse_at(int units, int unit, int post) {
    return ((size_t)(post / SPARSE_BAND) * (size_t)units + (size_t)unit) * SPARSE_BAND + (size_t)(post % SPARSE_BAND);
}

/** Words of a set of so many units. */
static inline int sparse_words(int units) {
    return (units + SPARSE_WORD - 1) / SPARSE_WORD;
}

/** Which units have something, lane by lane. @param lanes [units] of each unit @param[out] set [words][LANES] bit k of word w: unit w SPARSE_WORD + k */
void sparse_set(const uint16_t *lanes, int units, uint64_t *set);

/** sum[lane][post] = sum over units of a lane's set of weight[unit][post], times value[unit][lane] if there are values.
 *  @param weight of the band, from the first unit of the set on @param set [words][LANES] @param value [units][LANES]; NULL: all are 1
 *  @param width of the band @param[out] sum [LANES][SPARSE_BAND] */
void sparse_forward(const float *weight, const uint64_t *set, int words, const float *value, int width, float *sum);

/** Values of a step onto posts, lane by lane, as bands have them. @param lines [posts][LANES] @param posts in whole groups of SPARSE_GROUP
 *  @param[out] banded of the step: [LANES][SPARSE_BAND] of the first band, `stride` floats on of the next */
void sparse_turn(const float *lines, size_t line_stride, int posts, float *banded, size_t stride);

/** Of some units: weights, and slopes of a step. */
typedef struct {
    const float *weight; /**< from the first of these units on */
    size_t weight_stride; /**< floats of a band of the matrix */
    const float *slope;  /**< as sparse_turn() leaves it */
    size_t slope_stride;
    int posts;           /**< in whole groups of SPARSE_GROUP */
} sparse_slopes;

/** sum[unit][lane] += sum over posts of weight[unit][post] slope[post][lane], of lanes of each unit that are asked for; some bands at a time.
 *  @param lanes [units] that are asked for @param[in,out] sum [units][LANES] */
void sparse_back(const sparse_slopes *slopes, const uint16_t *lanes, int units, float *sum);

/** sum[post] = sum over events of slope[place of the event][post], times its value if there are values: the gradient of a unit's synapses onto a band.
 *  @param slope [places][SPARSE_BAND] @param place, value [events]; value NULL: all are 1 @param width of the band @param[out] sum [SPARSE_BAND] */
void sparse_gradient(const float *slope, const uint16_t *place, const float *value, int events, int width, float *sum);

#endif
