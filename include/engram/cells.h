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

#endif
