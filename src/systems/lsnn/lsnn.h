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

#include "engram/gradient.h"
#include "engram/lanes.h"
#include "engram/plan.h"
#include "engram/sparse.h"
#include "engram/sum.h"
#include "engram/system.h"
#include "engram/tasks.h"
#include "rewire.h"

enum {
    POSTS = 8,           /* posts side by side in the gradient */
    SEGMENT = 50,        /* steps of a backward window; the order of sums depends on it */
};

/** Sizes and constants of a network. */
typedef struct {
    int inputs, neurons, outputs; /* N: neurons; the last `adaptive` of them adapt */
    int adaptive;
    int posts;                    /* N + outputs in whole groups of POSTS, or, if full, of SPARSE_GROUP */
    int delays;                   /* D: synapses have 0 .. D-1 steps */
    int refractory;               /* steps */
    int steps;                    /* T */
    int stretch;                  /* steps of which v and Th are kept at a time: T, or fewer, of which the others are computed again */
    int first_read;               /* readouts are averaged over steps first_read + 1 .. first_read + read_steps, over as many behind them, ... up to T */
    int read_steps, reads;
    bool values, targets;         /* inputs are values; readouts are compared with targets, not with labels */
    bool acts;                    /* or what they do is rewarded */
    bool full;                    /* all connections, without delays: full matrices times what there is (sparse.h) */
    double alpha, rho, kappa;     /* exp(-dt/tau) of membranes, thresholds, readouts */
    double threshold, beta, gamma;
    float *decay;                 /* [N][2] rho and 1 - rho of each neuron; NULL: as above, all alike */
} shape;

/** Synapses of presynaptic units, one row behind the other; in a row those onto readouts come first. */
typedef struct {
    int *start;                   /* [inputs + N + 1] */
    int *readouts;                /* [inputs + N] */
    size_t room;                  /* of entries */
    int *at;                      /* [entries] where they end */
    float *value;                 /* [entries] weights */
} synapse_rows;

/** Weights, row-major by presynaptic unit: inputs first, then neurons. dense[pre][post]; delay 0 .. D-1. Readout columns are of neurons only. */
typedef struct {
    float *weight;                /* [inputs + N][posts] 0: none */
    uint8_t *delay;               /* [inputs + N][posts] */
    float *full;                  /* of full matrices: weights of neurons (sparse.h); NULL */
    /* of what is not 0, made before each iteration */
    synapse_rows forward;         /* onto posts of this rank; at: delay posts + post, in lines of LANES */
    synapse_rows backward;        /* onto all posts; at: post window + delay. Rows are padded to whole fours with weights of 0 */
    int *order;                   /* [N] neurons by the length of their rows, the longest first */
} synapses;

/** Spikes of the input of a tile, or values. */
typedef struct {
    int *start;                   /* [T+1] */
    int *channel;
    uint16_t *lanes;              /* which samples */
    int room;
    int *event_start;             /* [inputs+1] the same by channel: of event; made by input_sort() */
    uint32_t *event;              /* step << 16 | lanes */
    int event_room;
    float *value;                 /* [T][inputs][LANES] instead of spikes; NULL */
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
    int loaded;                   /* stretch that they are of */
    float *state;                 /* [stretches][2 N + delays posts][LANES] v, b and the ring at the first step of each; NULL: one stretch */
    float *logit;                 /* [reads][outputs][LANES] means of the readouts */
    int64_t *count;               /* [N] spikes */
    int64_t *of_step;             /* [T+1] spikes */
} history;

/* ---- parameters ---- */

typedef struct { int64_t neurons; double adaptive; int64_t delays; int signs; } network_settings;
enum { SIGNS_MIXED, SIGNS_DALE };
typedef struct { param_numbers tau_adaptation; double tau, threshold, beta, refractory, gamma, tau_readout, rate, rate_cost; } neuron_settings;
typedef struct {
    int64_t loops, batch;
    double rate, decay;
    int64_t decay_every;
    int64_t warm_up;
    double beta1, beta2, epsilon, l2, clip;
    double connectivity, shrinkage, temperature;
    int64_t neuron_groups, history;
} learning_settings;
typedef struct { int feedback; double feedback_decay; bool reset_gradient; } eprop_settings;
enum { FEEDBACK_SYMMETRIC, FEEDBACK_RANDOM, FEEDBACK_ADAPTIVE };
typedef struct {
    double discount, trace, ratio, value_cost, noise;
    int64_t epochs;
} ppo_settings;
typedef struct { int64_t samples; } protocol_settings;

/* ---- the network ---- */

enum { MATRIX_INPUT, MATRIX_RECURRENT, MATRIX_READOUT, MATRICES };

#define ERROR_UNIT 0x1p-30

/** A loop, or a trial, over all ranks. */
typedef struct {
    int64_t right, labels;        /* windows (with targets: samples) that were read right, and that have a label */
    exact_sum loss;               /* cross entropy, sum over windows with a label; with targets: squared error, mean over readouts, times weights */
    double weight;                /* that the loss is divided by: labels; with targets: sum of weights */
} outcome;

typedef struct tile tile;
typedef struct lsnn lsnn;
typedef struct slice slice;
typedef struct scratch scratch;

struct lsnn {
    context context;
    config *config;
    timers *timers;
    const network_settings *network;
    const neuron_settings *neuron;
    const learning_settings *learning;
    const eprop_settings *eprop;  /* NULL: another rule */
    const ppo_settings *ppo;      /* the same */
    task *task;
    uint64_t seed;
    double dt;                    /* ms */
    shape shape;
    synapses synapses;
    float *feedback;              /* [N][outputs] of rule eprop with random or adaptive feedback; NULL */
    partition part, owned;        /* every rank computes all neurons, for some samples; rank 0 owns them */
    /* parameters: three matrices, row by row, and the readouts' bias; the same on all ranks */
    int64_t *channels;           /* [TASK_CHANNELS] inputs and outputs that weights are of; NULL: not known */
    int64_t parameters;
    int64_t first[MATRICES + 1];  /* of each matrix; of the bias */
    float *weight;                /* [parameters] */
    uint8_t *delay;               /* [inputs + N][N] */
    float *gradient;              /* [parameters] */
    rewiring rewiring;            /* count 0: off */
    int8_t *begun;                /* [first[MATRICES]] signs of the connections that the first loop found, 0: none; NULL: no loop yet, or not rewired */
    int8_t *sign;                 /* [inputs + N] of presynaptic units, Dale's law; 0: mixed */
    adam adam;
    /* a batch: ranks are a grid, of groups that compute the same samples, in each of which every rank has a slice of the neurons */
    MPI_Comm grid[2];             /* owned; ranks of this one's group; ranks with the same slice in all groups. MPI_COMM_NULL: one group a rank */
    context data;                 /* ranks that share out the samples: with the same slice */
    slice *slice;
    int64_t samples;              /* of the last batch */
    int tiles, used;              /* of this rank: there are, and were needed by the last batch */
    tile *tile;                   /* [tiles] */
    scratch *scratch;
    float *partial;               /* [tiles][parameters] gradients of this rank's tiles */
    gradient_sum *sum;
    int64_t *count;               /* [N + (T + 1) + 1 + 8] of all ranks: spikes of neurons, of steps; labels; bits of the pulse */
    int classes;                  /* that labels tell */
    int64_t *confusion;           /* [classes][classes] windows with a label by what was said; of all ranks */
    int64_t *error;               /* with targets: [2][reads] squared errors of windows in units of ERROR_UNIT, and how many; of all ranks */
    float *rate_slope;            /* [N] */
    int32_t *fired;               /* [N] */
    float *reported, *reported_threshold; /* [N] v and Th of the first sample */
    int told;                     /* step that the pulse is told */
    uint8_t *silent;              /* [N] deleted neurons; NULL: none */
    double noise;                 /* SD of what tests add to J in a step */
    int64_t deleted;
    /* the last loop */
    outcome outcome;
    int64_t *visits;              /* [2][reads + 1] of tasks with actions: moves up to the first goal of an episode, and between goals; the last: never */
    double rate_cost, gradient_norm, cosine;
    struct lsnn_test *test;
};

/* sections.c */
const param_section *lsnn_sections(int *count);
bool lsnn_is_eprop(const config *config);
bool lsnn_is_ppo(const config *config);
/* weights.c: parameters */
void lsnn_parameters_new(lsnn *net);
void lsnn_parameters_clear(lsnn *net);
/** Weights, signs and delays at the start. */
void lsnn_initial(lsnn *net);
/** Synapses from parameters. */
void lsnn_spread(lsnn *net);
/** The last tile's gradient as parameters. @param[out] gradient [parameters] */
void lsnn_collect(const lsnn *net, const tile *tile, float *gradient);
/** Connections that exist. */
int64_t lsnn_connections(const lsnn *net);
/* lsnn.c */
shape lsnn_shape(config *config, const task_shape *task);
/* grid.c: who computes what */
/** Collective. @param asked ranks that share the neurons of a sample @param must the number of ranks has to be a multiple of it; else 1 if it is not */
status lsnn_grid_new(lsnn *net, int64_t asked, bool must);
void lsnn_grid_clear(lsnn *net);
/* batch.c: samples of all ranks through the network and back */
void lsnn_batch_new(lsnn *net, int64_t samples, bool learns);
void lsnn_batch_clear(lsnn *net);
/** Samples of a tile are drawn. Not collective. */
void lsnn_show(lsnn *net, tile *tile, task_set set, int64_t first);
/** Forwards. Collective. @param first number of the sample with which the batch begins @param bits in, out: pulse_bits(), or'ed over ranks */
void lsnn_forward(lsnn *net, task_set set, int64_t first, int64_t samples, unsigned *bits);
/** The same batch forwards once more, with what was shown and done. Collective. */
void lsnn_forward_again(lsnn *net);
/** Steps that were done, told to a pulse: spikes of the first sample, and how many of all. */
void lsnn_tell(lsnn *net, pulse *pulse);
/** Readouts against labels or targets: outcome, confusion, and the slopes of the cost. Collective. */
void lsnn_judge(lsnn *net);
/** Backwards: net->gradient of the mean cost. Collective. @param measured compare a local rule's gradient with the exact one, too */
void lsnn_backward(lsnn *net, bool measured);
/** Bits of all ranks. Collective. */
unsigned lsnn_raise(const lsnn *net, unsigned bits);
/* policy.c: tasks with actions (README.md 10) */
typedef struct {
    double goals;                 /* of an episode */
    double first, later;          /* medians of moves to the first goal, and from one to the next */
} lsnn_course;
/** From what happened in a batch's episodes: advantages, and net->visits of all ranks. Collective. */
void lsnn_episodes_end(lsnn *net);
/** What is known of each episode of a batch: its goal, x and y, and which moves reached it, EPISODE_MOVES bits a number. Collective.
 *  @param first number of the first sample @param[in,out] told [columns][samples], 0 before */
void lsnn_episodes_tell(const lsnn *net, int64_t first, double *told);
enum { EPISODE_MOVES = 32 };
int lsnn_episode_columns(const lsnn *net);
/** Of counts of visits in so many episodes. */
lsnn_course lsnn_course_of(const lsnn *net, const int64_t *visits, double episodes);
/* results.c */
/** Not collective. @return not agreed */
status lsnn_fits(const void *self, const char *path);
void lsnn_state(void *self, state_part part, state_list *list);
void lsnn_variables(void *self, variable_list *list);
void lsnn_known_variables(config *config, variable_list *list);
void lsnn_refresh(void *self);
void lsnn_nodes(void *self, node_list *list);
void lsnn_edges(void *self, bool plastic_only, edge_list *list);
void lsnn_figures(const void *self, figure_list *list);
void lsnn_results(void *self, h5_file *file);
/* testing.c */
int64_t lsnn_trial_samples(const lsnn *net);
enum { LSNN_SCORES = 3 };
extern const metric lsnn_scores[LSNN_SCORES];
status lsnn_perturb(void *self, const perturbation_settings *settings);
status lsnn_test_begin(void *self, const test_setting *setting, int *columns);
void lsnn_test_sums(void *self, int task, tally_list *list);
status lsnn_test_trial(void *self, const test_trial *trial, double *record);
void lsnn_test_task(void *self, int task, const double *records, figure_list *figures);
void lsnn_test_write(void *self, int task, h5_file *file);
void lsnn_test_figures(const void *self, figure_list *figures);
void lsnn_test_end(void *self);
/* costs.c: what networks cost on a machine */
typedef struct {
    double forward, backward;     /* ns of a neuron in a step of a tile */
    double full_forward, full_backward; /* the same of full matrices, whose products are in section full (sparse_costs.h) */
    double spike;                 /* ns of a synapse in a step of a tile in which its unit fires in any sample */
    double back;                  /* ns of a synapse in a step of a tile in which psi of its unit is not 0 in any sample */
    double gradient;              /* ns of a post at a spike of a unit in a sample, connected or not */
    double input, shown;          /* ns of a channel in a step of a tile; of a spike of a channel in a sample */
    double sum;                   /* ns of the gradient of an entry of the matrices, for each tile */
    double update, rewire;        /* ns of an entry in an iteration; of one that may be rewired, instead */
} lsnn_costs;
/** What products of full matrices are paid for, in a tile. */
typedef struct {
    double inputs, neurons, posts, steps;
    double fires, psi, shown;     /* parts of units and samples, in a step: that spike; whose psi is not 0; of channels of the input, that spike (0: values) */
    double psi_any;               /* part of units whose psi is not 0 in any sample */
} lsnn_products;
/** s of a tile: forwards, backwards, and of the gradient. */
double lsnn_products_forward(const machine *machine, const lsnn_products *products);
double lsnn_products_back(const machine *machine, const lsnn_products *products);
double lsnn_products_gradient(const machine *machine, const lsnn_products *products);
const param_section *lsnn_cost_sections(int *count);
void lsnn_calibrate(calibration *calibration);
/* plan.c */
extern const plan_hooks lsnn_plan;
/* lsnn.c */
extern const learning_system lsnn_system;

#endif
