/** @file passes.h
 *  A tile of samples forwards and backwards.
 */
#ifndef ENGRAM_LSNN_PASSES_H
#define ENGRAM_LSNN_PASSES_H

#include "vector.h"

/** What a pass works on. */
typedef struct tile {
    const shape *shape;
    const synapses *synapses;
    spike_input input;
    history history;
    float *ring;                  /* [delays][posts][LANES] currents that are under way */
    float *voltage;               /* [N][LANES] v_t */
    float *adaptation;            /* [N][LANES] b_t */
    float *readout;               /* [outputs][LANES] y_t */
    /* backward */
    const float *slope;           /* [reads][outputs][LANES] of the cost in the logits */
    const float *rate_slope;      /* [N] of the regulariser in every z */
    float *window;                /* [posts][SEGMENT + delays, odd][LANES] slopes in J */
    float *gradient;              /* [posts/POSTS][inputs + N][POSTS] */
    float *slopes;                /* [3][N][LANES] and [outputs][LANES]: vh, bh, zh, q */
    int *left;                    /* [inputs + N] events that are still to come, of each unit */
} tile;

/** Lines of a post in the backward window. */
static inline int window_of(const shape *shape) {
    return (SEGMENT + shape->delays) | 1;
}

/** input->event from start, channel and lanes. */
void input_sort(spike_input *input, const shape *shape);
void tile_new(tile *tile, const shape *shape, const synapses *synapses);
void tile_clear(tile *tile);
/** From rest. tile->input is filled. Results: tile->history. */
void tile_forward(tile *tile);
/** After tile_forward(), slope and rate_slope are set. @param[out] tile->gradient of this tile alone */
void tile_backward(tile *tile);

/** Rows, offsets and order from dense weights. */
void synapses_index(synapses *synapses, const shape *shape);

#endif
