/** @file passes.h
 *  A tile of samples forwards and backwards.
 */
#ifndef ENGRAM_LSNN_PASSES_H
#define ENGRAM_LSNN_PASSES_H

#include "vector.h"

/** What comes back from a spike. */
typedef enum {
    BACKWARD_EXACT,               /* everything: backpropagation through time */
    BACKWARD_LOCAL,               /* nothing through synapses onto other neurons: e-prop with all paths within a neuron */
    BACKWARD_NO_RESET,            /* neither that nor what its reset does: e-prop as published */
} backward_mode;

/** The posts of this rank: all of them, or a slice where several ranks compute the same samples (README.md 9). */
struct slice {
    MPI_Comm comm;                /* ranks that compute the same samples */
    int ranks, rank;
    int first, next;              /* posts, whole groups of POSTS */
    int *neurons, *neurons_at;    /* [ranks] of each, and where they stand; NULL: one rank */
    int *lines, *lines_at;        /* [ranks] the same in floats of lines */
    float *sent;                  /* [N][LANES] */
};

/** What a pass works on while it lasts: one for all tiles of a rank. */
struct scratch {
    float *ring;                  /* [delays][posts][LANES] currents that are under way */
    float *voltage;               /* [N][LANES] v_t */
    float *adaptation;            /* [N][LANES] b_t */
    float *readout;               /* [outputs][LANES] y_t */
    float *window;                /* [posts][SEGMENT + delays, odd][LANES] slopes in J */
    float *gradient;              /* [posts/POSTS][inputs + N][POSTS] of the last tile */
    uint64_t *set;                /* of full matrices: [words of N][LANES] spikes of a step; */
    float *arrived;               /* [LANES][SPARSE_BAND] what they bring a band; */
    float *banded;                /* [bands][SEGMENT][LANES][SPARSE_BAND] slopes in J */
    float *slopes;                /* [3][N][LANES] and [outputs][LANES]: vh, bh, zh, q */
    int *left;                    /* [inputs + N] events that are still to come, of each unit */
    uint16_t *place;              /* [units SEGMENT LANES] spikes of a segment, by unit */
    int *place_start;             /* [inputs + N + 1] */
    uint16_t *shown;              /* [T][inputs] spikes of the input */
    float *target;                /* with targets: [T][outputs][LANES], of a tile that is shown */
    float *weight;                /* [T][LANES] */
    /* of the first sample */
    float *trace;                 /* [T][N] v ; */
    float *trace_threshold;       /* [T][N] Th ; */
    float *trace_readout;         /* [T][outputs] y of steps 1 .. T */
};

/** What happened in the episodes of a tile, move by move. */
typedef struct play {
    float *action;                /* [reads][outputs - 1][LANES]; NULL: a task without actions */
    float *log_chance;            /* [reads][LANES] of it, by the policy that chose it, but for a constant */
    float *value, *reward;        /* [reads][LANES] what was said to come; what came */
    float *advantage;             /* [reads][LANES] normalised over the batch */
    float *due;                   /* [reads][LANES] what value should have been */
    float *path, *goal;           /* [reads + 1][2][LANES], [2][LANES] */
    int *last;                    /* [2][LANES] move of the last visit of the goal; how many there were */
    uint8_t *reached;             /* [reads][LANES] moves that ended at the goal */
} play;

/** LANES samples. */
struct tile {
    const shape *shape;
    const slice *slice;
    const synapses *synapses;
    scratch *scratch;
    spike_input input;
    history history;
    int samples;                  /* lanes that are used, the first ones */
    int *label;                   /* [LANES][reads]; with targets the first of each sample */
    int *said;                    /* with targets: [LANES][2] steps that tell the class */
    float *target, *weight;       /* with targets: [reads][outputs][LANES], [reads][LANES] of windows */
    float *slope;                 /* [reads][outputs][LANES] of the cost in the logits */
    const float *rate_slope;      /* [N] of the regulariser in every z */
    bool traced;                  /* its first sample leaves traces */
    backward_mode mode;
    const float *feedback;        /* [N][outputs] instead of weights of readouts; NULL */
    play play;                    /* of tasks with actions */
    /** Called behind each window, and once before the first: shows the input of window @p number. NULL: all of it is there */
    void (*act)(tile *tile, int number);
    const lsnn *net;              /* whose act() is asked */
    task_pick pick;               /* of its first sample */
    gradient_noise noise;         /* in the currents */
};

enum { BANDED = SEGMENT * LANES * SPARSE_BAND /* floats of a band of scratch.banded */ };

/** Lines of a post in the backward window. */
static inline int window_of(const shape *shape) {
    return (SEGMENT + shape->delays) | 1;
}

static inline int64_t stretches_of(const shape *shape) {
    return (shape->steps + shape->stretch - 1) / shape->stretch;
}

/** Of a state in history.state. */
static inline int64_t state_floats(const shape *shape) {
    return ((int64_t)shape->delays * shape->posts + 2 * (int64_t)shape->neurons) * LANES;
}

/** input->event from start, channel and lanes. */
void input_sort(spike_input *input, const shape *shape);
/** Voltages that a tile has room for at first. */
int64_t history_expected(const shape *shape);
void scratch_new(scratch *scratch, const shape *shape);
void scratch_clear(scratch *scratch);
void tile_new(tile *tile, const shape *shape, const slice *slice, const synapses *synapses, scratch *scratch);
void tile_clear(tile *tile);
/** tile->input from scratch->shown, of steps @p from to @p to, behind those of the steps before. */
void tile_take_steps(tile *tile, int from, int to);
/** All of it. */
static inline void tile_take_input(tile *tile) {
    tile_take_steps(tile, 0, tile->shape->steps);
}
/** v and Th of another stretch of steps, by computing it again: spikes, psi and states at the beginnings of stretches are there. Not collective. */
void tile_recompute(tile *tile, int stretch);
/** act() of a tile. Not collective. */
void policy_act(tile *tile, int number);
/** Cost of a tile's readouts (Schulman et al. 2017, Eq. 9, with a fixed width of the policy, whose entropy does not change), and slopes. Not collective. */
void policy_judge(lsnn *net, tile *tile);
/** From rest. tile->input is filled. Results: tile->history. Collective over the slice's ranks, as is tile_backward(). */
void tile_forward(tile *tile);
/** After tile_forward(), slope and rate_slope are set. Leaves scratch->gradient, of this tile alone, 0 for posts of other ranks. */
void tile_backward(tile *tile);
/** The gradient of spikes of steps t0 .. ; then the first D lines of each post are the future of the segment before it. */
void tile_end_segment(tile *tile, int t0);

/** Values of the input at step t go where their synapses end. */
void values_deliver(const tile *tile, int t);
/** Their synapses' gradient over the steps of a segment: before tile_end_segment(). */
void values_gradient(const tile *tile, int t0);

/** Rows, offsets and order from dense weights. */
void synapses_index(synapses *synapses, const shape *shape, const slice *slice);
void synapses_clear(synapses *synapses);

/** All posts, for one rank. */
static inline slice slice_whole(const shape *shape) {
    return (slice){.comm = MPI_COMM_SELF, .ranks = 1, .first = 0, .next = shape->posts};
}
/** A rank's share of the posts. Not collective. @param comm of the ranks that compute the same samples; borrowed */
void slice_new(slice *slice, const shape *shape, MPI_Comm comm);
void slice_clear(slice *slice);
/** The end of its posts below @p end. */
static inline int slice_to(const slice *slice, int end) {
    return slice->next < end ? slice->next : end;
}
/** Spikes of all ranks' neurons. Collective over the slice's ranks; nothing on one. @param[in,out] spikes [N] masks */
void slice_share_spikes(const slice *slice, uint16_t *spikes);
/** Lines of all ranks' neurons of step tau of a window. Collective, as above. */
void slice_share_lines(const slice *slice, const shape *shape, float *window, int tau);
/** Sums over ranks, of what all but one have 0 of. Collective, as above. */
void slice_join(const slice *slice, float *values, int64_t count);

#endif
