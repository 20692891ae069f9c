/** @file cells.h
 *  How many neurons a network has, and which of them are excitatory. The same on every rank.
 */
#ifndef ENGRAM_CELLS_H
#define ENGRAM_CELLS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int64_t total;       /**< N; 0: not known yet */
    int64_t excitatory;  /**< how many are */
    uint8_t *inhibitory; /**< [total] 1 for an inhibitory neuron, owned; NULL: gids below excitatory are excitatory, the others inhibitory */
    int populations;     /**< how many the network has, of a name each; 0: it knows of none */
    int64_t *border;     /**< [populations+1] population p has the gids from border[p] up to border[p+1] - 1; owned, NULL without */
} cells;

static inline bool cell_is_excitatory(const cells *cells, int64_t gid) {
    return cells->inhibitory ? !cells->inhibitory[gid] : gid < cells->excitatory;
}

/** The gid below which there are @p count excitatory neurons, or all of them. */
static inline int64_t cells_until(const cells *cells, int64_t count) {
    int64_t gid = 0;
    if (!cells->inhibitory) return count < cells->excitatory ? count : cells->excitatory;
    for (; gid < cells->total && count > 0; gid++) count -= !cells->inhibitory[gid];
    return gid;
}

/** Number of the population of @p gid. There are some. */
static inline int population_of(const cells *cells, int64_t gid) {
    int low = 0, high = cells->populations;
    while (high - low > 1) {
        const int middle = (low + high) / 2;
        if (cells->border[middle] <= gid) low = middle;
        else high = middle;
    }
    return low;
}

#endif
