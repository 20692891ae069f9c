/** @file poisson.h
 *  Counts of Poisson's law by the alias method (Walker 1977): the upper bits of a number pick a cell, the others say which of its two counts it is. Cells are
 *  filled with whole multiples of 2^-32, so that P(n <= k) is what it should be, rounded to these. Nothing is collective.
 */
#ifndef ENGRAM_POISSON_H
#define ENGRAM_POISSON_H

#include <stdbool.h>
#include <stdint.h>

enum {
    POISSON_MOST = 1000,    /**< largest mean */
    POISSON_LANES = 64,     /**< counts that are made at once */
    POISSON_CELLS = 256,    /**< most of them */
    POISSON_OUTCOMES = 512  /**< counts that have a probability, with a mean of POISSON_MOST: some 400 */
};

/** Probabilities are in units of 2^-32. */
typedef struct {
    int bits;                       /**< of a cell's index: 4, whose tables fit vectors, or 8 */
    uint32_t share[POISSON_CELLS];  /**< [1 << bits] numbers below it, in the cell, are its own count's, those from it on the other's */
    uint16_t bound[POISSON_CELLS];  /**< the upper half of that */
    uint16_t own[POISSON_CELLS], other[POISSON_CELLS]; /**< counts, or POISSON_RARE: one without a cell */
    int least, outcomes;            /**< counts least .. least + outcomes - 1 have a probability */
    uint64_t mass[POISSON_OUTCOMES]; /**< [outcomes] */
    int first, end;                 /**< of them those that have cells */
    uint64_t rare;                  /**< probability of the others */
} poisson_law;

enum { POISSON_RARE = UINT16_MAX };

/** @param mean above 0, at most POISSON_MOST */
void poisson_set(poisson_law *law, double mean);

/** The count of a number of 32 bits, in two halves. @param again uniform, 32 bits: decides among rare counts */
int poisson_count(const poisson_law *law, uint16_t upper, uint16_t lower, uint32_t again);

/** Counts of numbers of which the upper halves are known. @param upper [POISSON_LANES] @param[out] counts [POISSON_LANES] where they do not depend on the rest
 *  @param[out] open [POISSON_LANES] 1 where they may: poisson_count() says then; else 0 @return whether one is open */
bool poisson_counts(const poisson_law *law, const uint16_t *upper, uint16_t *counts, uint16_t *open);

#endif
