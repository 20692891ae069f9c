/** @file lsnn.h
 *  Recurrent networks of leaky and adaptive integrate-and-fire neurons trained by backpropagation through time (Bellec et al. 2018): what the files of this
 *  folder share. Equations, order of a step and parameters: README.md in this folder.
 *
 *  A batch is divided into tiles of LANES samples, which run side by side in the lanes of a vector, one tile after the other; ranks share out the tiles.
 *  Readouts are posts N .. N+outputs-1, whose synapses have no delay. Single precision; reference.c has the same in double, a sample at a time.
 */
#ifndef ENGRAM_SYSTEMS_LSNN_H
#define ENGRAM_SYSTEMS_LSNN_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "engram/system.h"

enum {
    LANES = 16,          /* samples of a tile */
    POSTS = 8,           /* posts side by side in the gradient */
    SEGMENT = 50,        /* steps of a backward window; the order of sums depends on it */
};

/** Sizes and constants of a network. */
typedef struct {
    int inputs, neurons, outputs; /* N: neurons; the last `adaptive` of them adapt */
    int adaptive;
    int posts;                    /* N + outputs in whole groups of POSTS */
    int delays;                   /* D: synapses have 0 .. D-1 steps */
    int refractory;               /* steps */
    int steps;                    /* T */
    int first_read;               /* readouts are averaged over steps first_read + 1 .. first_read + read_steps, over as many behind them, ... up to T */
    int read_steps, reads;
    double alpha, rho, kappa;     /* exp(-dt/tau) of membranes, thresholds, readouts */
    double threshold, beta, gamma;
} shape;

/** Weights, row-major by presynaptic unit: inputs first, then neurons. dense[pre][post]; delay 0 .. D-1. Readout columns are of neurons only. */
typedef struct {
    float *weight;                /* [inputs + N][posts] 0: none */
    uint8_t *delay;               /* [inputs + N][posts] */
    /* rows of what is not 0, made before each iteration */
    int *start;                   /* [inputs + N + 1]; a row's readouts come first: outputs_of[pre] of them */
    int *readouts;                /* [inputs + N] */
    int *post;                    /* [entries] */
    int *forward_at;              /* [entries] delay posts + post, in lines of LANES */
    int *backward_at;             /* [entries] post window + delay */
    float *value;                 /* [entries] */
    int *order;                   /* [N] neurons by the length of their rows, the longest first */
} synapses;

/** Spikes of the input of a tile. */
typedef struct {
    int *start;                   /* [T+1] */
    int *channel;
    uint16_t *lanes;              /* which samples */
    int room;
    int *event_start;             /* [inputs+1] the same by channel: of event */
    uint32_t *event;              /* step << 16 | lanes */
} spike_input;

/** What a tile's forward pass leaves for its backward pass. */
typedef struct {
    uint16_t *spikes;             /* [T+1][N] z_t */
    uint16_t *active;             /* [T+1][N] psi_t is not 0 */
    int *event_start;             /* [N+1] of events, sorted by neuron after the pass */
    uint32_t *event;              /* step << 16 | lanes, by neuron, steps 0 .. T */
    int event_room;
    float *voltage;               /* v_t of active lanes, in the order of steps and neurons */
    float *threshold;             /* Th_{t+1} of active lanes of adaptive neurons, and of those active a step before */
    int64_t voltages, thresholds, voltage_room, threshold_room;
    float *logit;                 /* [reads][outputs][LANES] means of the readouts */
    int64_t *count;               /* [N] spikes */
} history;

#endif
