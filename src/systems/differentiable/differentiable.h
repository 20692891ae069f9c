/** @file differentiable.h
 *  Networks whose synapses are differentiable, trained by the exact gradient of a cost (Huh & Sejnowski 2018): what the files of this folder share. Equations,
 *  order of a step and parameters: README.md in this folder.
 *
 *  A batch is divided into tiles of LANES samples, which run side by side in the lanes of a vector, one tile after the other; ranks share out the tiles. Single
 *  precision; written.c has the same in double, a sample at a time.
 */
#ifndef ENGRAM_SYSTEMS_DIFFERENTIABLE_H
#define ENGRAM_SYSTEMS_DIFFERENTIABLE_H

#include <stdint.h>

#include "engram/gradient.h"
#include "engram/lanes.h"
#include "engram/plan.h"
#include "engram/sparse.h"
#include "engram/sum.h"
#include "engram/system.h"
#include "engram/tasks.h"
#include "model.h"

enum {
    ROWS = 8,           /* rows of a matrix side by side in memory */
    CELLS = 4,          /* rows and columns of gradients that are added up side by side */
    BLOCK = 40,         /* steps of a stretch of the way back; the order of sums depends on it */
};

/** Sizes and constants of a network. Charges of a neuron go to slow posts, which are neurons, if there are synapses of s between them, and behind them
 *  readouts; and to fast posts, neurons. */
typedef struct {
    model model;
    int inputs, neurons, outputs, steps; /* N, K */
    bool slow, fast;                     /* are there synapses of s, of F, between neurons? */
    int padded;                          /* N in whole groups of SPARSE_GROUP */
    int readouts_at;                     /* among slow posts: padded, or 0 */
    int slow_posts, fast_posts;          /* in whole groups of SPARSE_GROUP */
    int shown;                           /* inputs, and 1, in whole groups of CELLS */
    double dt, tau, tau_fast;            /* ms */
    double lambda;                       /* cost of currents */
    double limit;                        /* of adjoints of voltages; INFINITY: none */
} shape;

/** Matrices as passes read them. */
typedef struct {
    float *slow, *fast;                  /* of N units and slow_posts, fast_posts (sparse.h): W' and O', Wf' */
    float *shown;                        /* U and Io: groups of ROWS neurons, of each of them [shown][ROWS] */
} matrices;

/** Lines of posts, of a step or of the last one that was done. */
typedef struct { float *slow, *fast; } lines; /* [slow_posts][LANES], [fast_posts][LANES] */

/** What a pass works on while it lasts: one for all tiles of a rank. */
typedef struct scratch {
    lines arriving;                      /* forwards W s and O s, Wf F; backwards what e and the slopes of readouts decay to, a step at a time */
    float *band;                         /* [LANES][SPARSE_BAND] what charges bring to one */
    uint64_t *set;                       /* [words of N][LANES] which charges are not 0 */
    float *s;                            /* [BLOCK][N][LANES] s_k; one step of it forwards */
    float *charge;                       /* [BLOCK][N][LANES] charge of the step before; one step of it forwards */
    uint16_t *charged;                   /* [BLOCK][N] lanes in which it is not 0; the same */
    float *voltage;                      /* [BLOCK][N][LANES] v_k; the same */
    float *shown;                        /* [BLOCK][shown][LANES] inputs, and 1; the same */
    float *slopes;                       /* [BLOCK][padded][LANES] e; forwards I of a step */
    float *adjoints;                     /* [2][N][LANES] vh; what the cost of currents makes of sh. Forwards: steps that a neuron is in the zone */
    /* of the way back only */
    uint16_t *gated;                     /* [BLOCK][N] lanes in which g(u) or g(v) of the step before is not 0 */
    lines returned;                      /* [N][LANES] each: what comes back to s, and to F, where that is asked for */
    lines banded;                        /* [bands][BLOCK][LANES][SPARSE_BAND] of arriving */
    int *event_start;                    /* [N + 1] of events: charges of a stretch, by neuron */
    uint16_t *place;                     /* [N BLOCK LANES] step and lane */
    float *event;                        /* [N BLOCK LANES] charge */
    lines gradient;                      /* as matrices, of the last tile: dW' and dO', dWf' */
    float *shown_gradient;               /* [padded][shown] dU, dIo */
    /* of the first sample */
    float *trace;                        /* [K][N] v after a step */
} scratch;

/** LANES samples. */
typedef struct tile {
    const shape *shape;
    const matrices *matrices;
    scratch *scratch;
    int samples;                         /* lanes that are used, the first ones */
    uint64_t id[LANES];                  /* of the samples */
    gradient_noise noise;                /* in the currents */
    bool traced;                         /* its first sample leaves traces */
    /* what is shown and wanted, README.md 5 */
    float *input, *target, *weight;      /* as task_sample has them */
    int *label, *window;                 /* [LANES], [LANES][2] */
    float *start;                        /* [N][LANES] voltages */
    /* history */
    float *u;                            /* [K][N][LANES] */
    float *current;                      /* [K][N][LANES] I, of event-accurate resets; else NULL */
    float *by_current, *by_voltage;      /* [K][N][LANES] dt df/dI, 1 + dt df/dv of theta neurons; else NULL */
    float *kept;                         /* [K/BLOCK + 1][N][LANES] s every BLOCK steps */
    float *output;                       /* [K][outputs][LANES] o after each step; then, with task_sample's target and weight, slopes */
    uint16_t *spikes;                    /* [K][N] which lanes fire in a step */
    int64_t *count;                      /* [N] spikes */
    int64_t *of_step;                    /* [K] spikes */
    int64_t coarse;                      /* spikes whose way through the zone took fewer than STEPS_WANTED steps */
    int64_t cut;                         /* adjoints that were cut to the limit */
    double currents[LANES];              /* sum over steps of |s|^2 */
} tile;

enum { STEPS_WANTED = 3 };               /* of a way through the zone */

/* tile.c, forward.c, backward.c */
void differentiable_scratch_new(scratch *scratch, const shape *shape, bool learns);
void differentiable_scratch_clear(scratch *scratch);
void differentiable_tile_new(tile *tile, const shape *shape, const matrices *matrices, scratch *scratch, bool learns);
void differentiable_tile_clear(tile *tile);
/** From tile->start. input, target, weight and start are filled, lanes without a sample with 0. Leaves history, output, spikes and counts. */
void differentiable_tile_forward(tile *tile);
/** After differentiable_tile_forward(). Leaves scratch->gradient, of this tile alone, the sum over its samples; output is overwritten. */
void differentiable_tile_backward(tile *tile);

/* costs.c: section `differentiable` of a machine file */
typedef struct {
    double synapse, neuron;              /* ns, in a step of a sample, forwards and backwards: of a synapse of the input; of a neuron */
    double forward;                      /* part of both that is forwards */
    double update;                       /* ns of a parameter in an iteration */
} differentiable_costs;
const param_section *differentiable_cost_sections(int *count);
void differentiable_calibrate(calibration *calibration);
/** s of a tile's products of matrices between neurons. @param charged, gated parts of neurons, samples and steps: that release charge; whose s is asked for */
double differentiable_products_forward(const machine *machine, const shape *shape, double charged);
double differentiable_products_backward(const machine *machine, const shape *shape, double charged, double gated);

/* ---- parameters ---- */

enum { SYNAPSES_NONE, SYNAPSES_ALL };
enum { START_DRAWN, START_FIXED };
typedef struct {
    int64_t neurons;
    int slow, fast, start;
    double slow_weight, fast_weight, input_weight, readout_weight, current, current_spread;
    param_numbers start_range;
} network_settings;
typedef struct { double tau, tau_fast, zone; int gate; } neuron_settings;
typedef struct { double tau_v; int reset; } lif_settings;
typedef struct { double tau_v; } theta_settings;
enum { RESET_MOVED, RESET_EXACT };
typedef struct {
    int64_t loops, batch;
    double rate, readout_rate, current_rate;
    int64_t falls_after;
    param_numbers steps, step_factors;
    double beta1, beta2, epsilon, clip, limit, activity_cost;
} learning_settings;
typedef struct { int64_t samples; bool slow, fast; } protocol_settings;

/* ---- the network ---- */

enum { PART_SLOW, PART_FAST, PART_INPUT, PART_CURRENT, PART_READOUT, PARTS };

/** A loop, or a trial, over all ranks. */
typedef struct {
    int64_t right, labels;               /* samples that were read right, and that have a label */
    int64_t spikes, coarse, cut;
    exact_sum off, all;                  /* sums over samples of int weight |o - target|^2 dt and int weight |target|^2 dt */
    exact_sum currents;                  /* int |s|^2 dt */
} outcome;

typedef struct {
    context context;
    config *config;
    timers *timers;
    const network_settings *network;
    const learning_settings *learning;
    task *task;
    uint64_t seed;
    double dt;                           /* ms */
    shape shape;
    matrices matrices;
    partition part, owned;               /* every rank computes all neurons, for some samples; rank 0 owns them */
    int64_t *channels;                   /* [TASK_CHANNELS] inputs and outputs that weights are of; NULL: not known */
    /* parameters, the same on all ranks: W and Wf [post][pre] where there are such synapses, U [neuron][input], Io [neuron], O [readout][neuron] */
    int64_t parameters;
    int64_t first[PARTS + 1];
    float *weight, *gradient;            /* [parameters] */
    float *start;                        /* [N] fixed voltages at the start */
    adam adam;
    /* a batch */
    int64_t samples;                     /* of the last batch */
    int tiles, used;                     /* of this rank: there are, and were needed by the last batch */
    tile *tile;                          /* [tiles] */
    scratch scratch;
    float *partial;                      /* [tiles][parameters] gradients of this rank's tiles */
    gradient_sum *sum;
    int64_t *count;                      /* [N + K + 8 + 4] of all ranks: spikes of neurons, of steps; bits of the pulse; outcome's counts */
    int64_t *confusion;                  /* [classes][classes] samples by label and by what was said; of all ranks */
    int32_t *fired;                      /* [N] */
    float *reported;                     /* [N] v of the first sample */
    int told;                            /* step that the pulse is told */
    uint8_t *silent;                     /* [N] deleted neurons; NULL: none */
    double noise;                        /* SD of what tests add to I in a step, 1/ms */
    int64_t deleted;
    /* the last loop */
    outcome outcome;
    double gradient_norm;
    bool warned_of_steps, warned_of_limit; /* that was said in this process */
    bool without_slow, without_fast;     /* while a test leaves such synapses out */
    struct differentiable_test *test;
} differentiable;

/* sections.c */
const param_section *differentiable_sections(int *count);
/* parameters.c */
shape differentiable_shape(config *config, const task_shape *task);
/** What of a shape follows from the rest of it. */
void differentiable_complete(shape *shape);
/** Weights and what passes read. */
void differentiable_parameters_new(differentiable *net);
void differentiable_parameters_clear(differentiable *net);
/** Weights and voltages at the start. */
void differentiable_initial(differentiable *net);
/** What passes read, from parameters. */
void differentiable_spread(differentiable *net);
/** The last tile's gradient as parameters. @param[out] gradient [parameters] */
void differentiable_collect(const differentiable *net, float *gradient);
/* batch.c: samples of all ranks through the network and back */
void differentiable_batch_new(differentiable *net, int64_t samples, bool learns);
void differentiable_batch_clear(differentiable *net);
/** Forwards; outcome and confusion. Collective. @param first number of the sample with which the batch begins
 *  @param bits in, out: pulse_bits(), or'ed over ranks */
void differentiable_forward(differentiable *net, task_set set, int64_t first, int64_t samples, unsigned *bits);
/** Steps that were done, told to a pulse: spikes of the first sample, and how many of all. */
void differentiable_tell(differentiable *net, pulse *pulse);
/** Backwards: net->gradient of the mean cost. Collective. */
void differentiable_backward(differentiable *net);
/** Bits of all ranks. Collective. */
unsigned differentiable_raise(const differentiable *net, unsigned bits);
/* differentiable.c: of a batch, means over its samples; NAN where there is nothing to measure */
double differentiable_error(const outcome *outcome);
double differentiable_accuracy(const outcome *outcome);
/* results.c */
/** Not collective. @return not agreed */
status differentiable_fits(const void *self, const char *path);
void differentiable_state(void *self, state_part part, state_list *list);
void differentiable_variables(void *self, variable_list *list);
void differentiable_known_variables(config *config, variable_list *list);
void differentiable_refresh(void *self);
void differentiable_nodes(void *self, node_list *list);
void differentiable_edges(void *self, bool plastic_only, edge_list *list);
void differentiable_figures(const void *self, figure_list *list);
void differentiable_results(void *self, h5_file *file);
/* testing.c */
int64_t differentiable_trial_samples(const differentiable *net);
enum { DIFFERENTIABLE_SCORES = 2 };
extern const metric differentiable_scores[DIFFERENTIABLE_SCORES];
status differentiable_perturb(void *self, const perturbation_settings *settings);
status differentiable_test_begin(void *self, const test_setting *setting, int *columns);
void differentiable_test_sums(void *self, int task, tally_list *list);
status differentiable_test_trial(void *self, const test_trial *trial, double *record);
void differentiable_test_task(void *self, int task, const double *records, figure_list *figures);
void differentiable_test_write(void *self, int task, h5_file *file);
void differentiable_test_figures(const void *self, figure_list *figures);
void differentiable_test_end(void *self);
/* plan.c */
extern const plan_hooks differentiable_plan;
/* differentiable.c */
extern const learning_system differentiable_system;

#endif
