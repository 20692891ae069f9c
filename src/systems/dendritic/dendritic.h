/** @file dendritic.h
 *  Stochastic neurons that learn an efficient code of images, with inhibition that balances the soma or every dendritic compartment (Mikulasch, Rudelt &
 *  Priesemann 2021): what the files of this folder share. Equations, order of a step and parameters: README.md in this folder.
 *
 *  What a neuron has one number of (traces, biases, H = F x, y = W z) every rank has for all of them, and so every rank knows all spikes: draws are functions
 *  of (seed, neuron, step). Matrices are divided: rows of neurons, or columns of pixels. Ranks speak at steps with spikes, and once an image.
 */
#ifndef ENGRAM_SYSTEMS_DENDRITIC_H
#define ENGRAM_SYSTEMS_DENDRITIC_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "engram/images.h"
#include "engram/perturbation_settings.h"
#include "engram/sum.h"
#include "engram/system.h"

enum {
    TILE = 8,            /* doubles side by side, one vector */
    DRAWS = 8,           /* steps whose random numbers are made at once */
    QUEUE = 16,          /* changes of W that wait for the next pass over it, of more than QUEUE_ABOVE neurons (rule dendritic) */
    QUEUE_ABOVE = 64,
    EVENTS = 32,         /* changes of D that wait */
    BLOCKS = 16,         /* of pixels: sums over pixels are made of sums over these, whatever the ranks */
    STAGES_MAX = 16,
    OLDEST = 10000,      /* 1/clock at which all that waits for its neuron is made up for: what is summed up loses as many digits as it has zeros */
    KERNEL = 1024,       /* powers of lambda in a table */
    LOGITS = 4096,       /* logits of the smallest draws in a table */
    COARSE_LOGITS = 1024,/* and of every 64th of all */
};
/** What flows into a neuron, behind a step: at the soma, and at the compartment with its largest input weight (rules with compartments). */
enum { SOMA_EXCITATION, SOMA_INHIBITION, COMPARTMENT_EXCITATION, COMPARTMENT_INHIBITION, CURRENTS };

/* ---- parameters: sections.c ---- */

typedef struct {
    int64_t neurons;
    double initial_input;        /* F at the start, at least */
    double initial_spread, initial_offset; /* F begins at initial_input + exp(max(0, spread normal + offset)) - 1 */
} network_settings;

typedef struct {
    double tau;                  /* ms, of traces z */
    double stochasticity;        /* s2 at the start */
    double stochasticity_final;  /* s2f */
    double stochasticity_rate;   /* eS, 1/ms */
    int bias;                    /* BIAS_* */
    double rate;                 /* rho, Hz */
    int winner;                  /* WINNER_* */
} neuron_settings;
enum { BIAS_INSIDE, BIAS_OUTSIDE };
enum { WINNER_ALL, WINNER_ONE };

typedef struct {
    int64_t loops;
    param_numbers stages;           /* loops of each; behind the last one its values go on */
    param_numbers decoder_rate;     /* eD; one for all stages or one each, as all rates, 1/ms */
    param_numbers homeostasis_rate; /* eB */
    int64_t update_every;           /* m, steps */
    int stepping;                   /* STEPPING_* */
} learning_settings;
enum { STEPPING_FAST, STEPPING_LITERAL };

/** Of every rule; those that a rule has not are 0. */
typedef struct {
    param_numbers input_rate;      /* eF */
    param_numbers inhibition_rate; /* eW */
    param_numbers average_rate;    /* eFb */
    double decay;                  /* lambda */
    double pruned;                 /* q: part of the synapses on compartments that is pruned; 0: none */
    param_numbers prune_rate;      /* beta */
    double prune_average;          /* alpha, 1/ms */
} rule_settings;

typedef enum { RULE_SOMATIC, RULE_DENDRITIC, RULE_SLOW, RULE_SIMULTANEOUS, RULE_DECAY } rule_name;

typedef struct { int64_t images; } protocol_settings; /* of a trial */

const param_section *dendritic_sections(int *count);
/** The rule that a configuration selects. */
rule_name dendritic_rule(const config *config);

/* ---- the network ---- */

/** What is learned how; the same on all ranks. Rates are 1/ms times dt. */
typedef struct {
    bool learns;
    double decoder, homeostasis, input, inhibition, average;
    double prune;                /* beta eW */
    uint64_t stream;             /* of the draws */
    image_set set;
    int64_t first_image;
    bool from_rest;              /* no image came before the first */
} regime;

/** Changes of W that wait: W -= left right' + right left'. */
typedef struct {
    int count, room;
    double *left, *right;        /* [room][padded] */
} change_queue;

/** D in columns of pixels, of this rank's blocks, and the changes that wait. readout.c */
typedef struct {
    int tiles, first, mine;      /* tiles of TILE pixels: of the image; this rank's */
    int block_first[BLOCKS + 1]; /* tile at which a block begins */
    int blocks;                  /* that there are */
    int my_first, my_blocks;
    double *weight;              /* [mine tiles][padded][TILE] */
    double *decoded;             /* [mine tiles][TILE] D z, in tests */
    double *coded, *traced;      /* [mine tiles][TILE] D z0, D trace: where W is not kept */
    int events;                  /* that wait */
    double *trace;               /* [EVENTS][padded] z0 */
    double *seen;                /* [EVENTS][mine tiles][TILE] x0 */
    double gain[EVENTS], loss[EVENTS]; /* a, c: D += (a x0 - c D z0) z0' */
    double *partial;             /* [BLOCKS][padded] */
} decoder;

/** Sums over steps, the same on all ranks. */
typedef struct {
    int64_t steps, spikes, events, together; /* events: steps with spikes; together: spikes of those that had several */
    int64_t images;
    double loss;                 /* |x - D z|^2/(2M) at ends of images */
} sums;

typedef struct dendritic dendritic;
typedef struct tensor tensor;
typedef struct literal literal;

struct dendritic {
    context context;
    config *config;
    timers *timers;
    const neuron_settings *neuron;
    const learning_settings *learning;
    const rule_settings *rates;
    rule_name rule;
    bool tensor_rule;            /* weights on compartments */
    partition part;              /* rows */
    uint64_t seed;
    double dt, lambda;           /* ms; exp(-dt/tau) */
    int neurons, padded, inputs; /* N, N in whole tiles, M */
    int pixels;                  /* M in whole tiles */
    int64_t presentation;        /* L, steps of an image */
    int64_t images_per_loop, loop_steps;
    images *images;
    int64_t *image_shape;        /* [SHAPE] planes, rows, columns of the images that weights are of; NULL: not known */
    double *fades;               /* [presentation+1] f of step k of an image */
    double *powers;              /* [KERNEL] lambda^n */
    regime regime;

    /* every rank has these of all neurons, [padded] */
    double *trace;               /* z = trace power */
    double power;                /* of lambda since the last spike */
    double trace_square;         /* |trace|^2 */
    double *stamp;               /* z = stamp clock, of a neuron since it fired: somatic and tensor rules, whose synapses wait until then */
    double clock;                /* of lambda since a step that is the same for all: coding_restart_clock() */
    double *bias;                /* b less drift */
    double drift;                /* what homeostasis has added to all */
    double stochasticity;        /* s2 */
    double deviation;            /* sigma, as long as its square is s2 */
    double *before, *now;        /* H of the last image and this one */
    double *inhibition;          /* y = inhibition power (dendritic); W z (somatic) */
    double *autapse;             /* A; stored_jj (somatic) */
    double *potential;           /* V + A/4 + b: scratch of a step */
    double *reported;            /* [mine] potential, as it is reported */
    double *current[CURRENTS];   /* [mine] as they are reported */
    int32_t *spiking;            /* [neurons] of this step, ascending */
    int32_t *fired;              /* of this rank, local indices */
    int32_t *recent;             /* [recents] that fired since the last update of biases */
    double *owed;                /* how often each is among them */
    int recents, recent_room;

    /* images, [pixels] */
    double *image, *image_before;/* this and the one before */
    double product_now, product_before; /* x0.image, x0.image_before */
    double image_square, images_product, before_square; /* image.image, image.image_before, image_before.image_before */
    int64_t showing;             /* number in its loop of the image */
    double fade;                 /* f of this step */

    /* the last step with a spike */
    int64_t since;               /* steps since; -1: there was none */
    int64_t seen_image;          /* number in its loop of the image that was seen then; -1: of another loop */
    double seen_fade;
    double *seen;                /* [pixels] x0 */
    double seen_square;          /* x0.x0 */
    double *memory;              /* [padded] z0 */
    double *driven, *inhibited;  /* [padded] F x0, W z0: dendritic */

    /* divided */
    decoder decoder;             /* D; of rule dendritic F = D', too */
    double *weight;              /* [N][mine padded] W (stored, somatic), presynaptic-major: somatic and dendritic; NULL where it is not kept: README.md 4.2 */
    int mine_padded;
    change_queue queue;
    double *input;               /* [mine][pixels] F: somatic and tensor rules */
    double *row_scale, *row_now, *row_before; /* [mine] somatic: F = scale F + now image + before image_before */
    double *accumulated;         /* [padded] somatic: S, sum of e V clock */
    double *own;                 /* [padded] scratch: rows of this rank */
    double *column;              /* [padded] W s: W's columns of this step's spikes */
    tensor *tensor;              /* NULL: rules without compartments (tensor.c) */
    literal *literal;            /* NULL: fast (literal.c) */

    uint16_t *draw;              /* [DRAWS][padded] */
    float *least;                /* [DRAWS][padded] below logit of the draws */
    double *logits;              /* [LOGITS+1] of draw/2^16; [COARSE_LOGITS+1] of draw/COARSE_LOGITS */
    double *sent, *received;     /* of a gathering */
    int *counts, *offsets;       /* [ranks] */
    sums sums;
    uint8_t *silent;             /* [N] never fires, in tests; NULL */
    int64_t silenced;
    void (*observer)(dendritic *d, int64_t image, int64_t k, int spikes); /* behind every step; NULL: nobody */
    struct dendritic_test *test; /* NULL but between test_begin() and test_end() */
};

/* ---- draw.c: README.md 2.3 ---- */

/** d->logits. */
void draw_tables(dendritic *d);
/** Random numbers of steps DRAWS block .. of the loop, and a bound below their logits. */
void draw_block(dendritic *d, int64_t block);
/** Neurons that fire: README.md 2.3. potential is V + A/4 + s2 or 1 times b, all that stands against s2 logit(U). @return how many, in d->spiking */
int draw_spikes(dendritic *d, int64_t step, const double *potential);

/* ---- readout.c ---- */

void readout_new(dendritic *d);
void readout_clear(decoder *decoder);
/** D += (a x0 - c D z0) z0', sooner or later. @param seen [pixels] x0 @param trace [padded] z0 */
void readout_push(dendritic *d, double gain, double loss, const double *seen, const double *trace);
/** Nothing waits any more. */
void readout_settle(dendritic *d);
/** D' image, all neurons. Collective. @param[out] product [padded] @return bits of all ranks */
unsigned readout_project(dendritic *d, const double *image, double *product, unsigned bits);
/** Where W is not kept: the change that waits, at most one, is made, and then W s = -D'(D s) of the @p spikes neurons in d->spiking into d->column. Collective.
 *  @return bits of all ranks */
unsigned readout_columns(dendritic *d, int spikes, unsigned bits);
/** Where W is not kept: A_j = -|D_j|^2, D z0 and D trace from D. Nothing waits. Collective. */
void readout_restart(dendritic *d);
/** D z of the traces as they are: tests go on from there, step by step. */
void readout_begin(dendritic *d);
/** A step further, with the @p spikes in d->spiking. */
void readout_follow(dendritic *d, int spikes);
/** Sum of |x - D z|^2 over this rank's pixels. @param x [pixels] */
double readout_error(const dendritic *d, const double *x);
/** D of all neurons. Collective. @return [N][M], owned, memory_free() */
double *readout_gather(dendritic *d);

/* ---- inhibition.c: W of dendritic, where it is kept ---- */

/** W -= left right' + right left', sooner or later. @param left, right [padded] */
void inhibition_push(dendritic *d, const double *left, const double *right);
void inhibition_settle(dendritic *d);
/** Sum of W's columns of the @p spikes neurons in d->spiking into d->column. Collective. @return bits of all ranks */
unsigned inhibition_columns(dendritic *d, int spikes, unsigned bits);
/** A = diagonal of W, of somatic, too. Collective. */
void inhibition_autapses(dendritic *d);

/* ---- gather.c ---- */

/** Rows of all ranks, and what any of them says. Collective. @param own [mine] @param[out] whole [padded] */
unsigned gather_rows(dendritic *d, const double *own, double *whole, unsigned bits);
/** Sum over fixed blocks of pixels. Collective. @param[in,out] partial [BLOCKS][padded], this rank's blocks @param[out] whole [padded]
 *  @return bits of all ranks */
unsigned gather_blocks(dendritic *d, double *partial, double *whole, unsigned bits);
/** @return bits of all ranks. Collective. */
unsigned gather_bits(dendritic *d, unsigned bits);

/* ---- run.c ---- */

/** Begin anew, without spikes behind it. */
void coding_reset(dendritic *d);
/** d->recent from d->owed, which was loaded. */
void coding_owed(dendritic *d);
/** @p count images of d->regime. @return whether the pulse let it go on */
bool coding_images(dendritic *d, int64_t count, pulse *pulse);
/** d->fades, d->powers. */
void coding_tables(dendritic *d);
/** x = f image + (1 - f) image_before. @param fade f @param[out] x [pixels] */
void coding_input(const dendritic *d, double fade, double *x);
/** S1 = sum of lambda^q, S2 = sum of lambda^2q, q < n. */
void coding_kernel(const dendritic *d, int64_t n, double *first, double *second);

/** A step is over: the clock. @return whether it is so old that all that waits should be made up for, and the clock begin anew; at a spike first of all, as
 *  synapses of the neurons that fire would be multiplied by 1/clock, and one step of a short tau may take it to any number, 0 too */
bool coding_tick(dendritic *d);
/** Of neuron k, which fires in this step: behind coding_tick(), before its trace jumps. */
double coding_stamp(const dendritic *d, int k);
/** Nothing waits: stamps are traces as they are behind a step. */
void coding_restart_clock(dendritic *d);

/** Behind rule->spikes(): the @p count spikes of d->spiking enter the traces, and what was seen is kept. d->memory: z, d->trace: lambda z before. */
void coding_jump(dendritic *d, int count);

/* ---- somatic.c, analytic.c, tensor.c: what a rule does at an image, a step and a spike. Fields that are NULL: nothing ---- */

typedef struct {
    /** A new image: H. Collective. */
    void (*image)(dendritic *d);
    /** d->potential: V + A/4 and biases; and what inhibition learns in a step that updates it. Collective for rules with compartments.
     *  @return bits of all ranks; 0 where nothing was said */
    unsigned (*step)(dendritic *d, bool update, pulse *pulse);
    /** The @p count spikes in d->spiking. Collective. @return as step() */
    unsigned (*spikes)(dendritic *d, int count, pulse *pulse);
    /** The end of a step without spikes. */
    void (*rest)(dendritic *d);
    /** The end of an image. */
    void (*image_ends)(dendritic *d);
    /** After a loop, and after weights or state were loaded: nothing waits. Collective. */
    void (*settle)(dendritic *d);
} rule_steps;
extern const rule_steps somatic_steps, analytic_steps, tensor_steps;
/** Of the rule. */
const rule_steps *coding_rule(const dendritic *d);

/* ---- literal.c: the step as written; every rank has the whole network ---- */

void written_new(dendritic *d);
void written_free(dendritic *d);
void written_reset(dendritic *d);
void written_state(dendritic *d, state_part part, state_list *list);
void written_settle(dendritic *d);
/** A step, k-th of its image; step counts in the loop. @return spikes */
int written_step(dendritic *d, int64_t step, int64_t k);
/** W [N][N], target and source; NULL: rules with compartments, unless they are pruned */
const double *written_somatic(const dendritic *d);
/** |image - D z|^2 */
double written_error(dendritic *d);
/** Of neuron gid. @param[out] current [CURRENTS] */
void written_currents(const dendritic *d, int64_t gid, double *current);

/* ---- tensor.c ---- */

void tensor_new(dendritic *d);
void tensor_free(tensor *tensor);
void tensor_reset(dendritic *d);
void tensor_state(dendritic *d, state_part part, state_list *list);
/** Synapses from k on all compartments of local neuron i, after settle(). [pixels] */
double *tensor_row(const dendritic *d, int64_t i, int64_t k);
/** Of local neuron i. @param[out] current [CURRENTS] */
void tensor_currents(const dendritic *d, int64_t i, double *current);
/** Fb [mine][pixels]; NULL */
double *tensor_average(const dendritic *d);

/* ---- dendritic.c, measures.c, results.c, testing.c, plan.c: hooks of the system ---- */

/** The least F at the start; all of them begin there unless network.initial_spread is given. */
double dendritic_initial_input(config *config);
/** F of a neuron at the start. @param[out] F [inputs] @return whether it is random, and autapses begin at what balances it: README.md 3.8 */
bool dendritic_initial_row(const dendritic *d, int64_t neuron, double *F);
/** Whether W of the soma is kept: of rule dendritic not where it is larger than D, of which it is made. README.md 4.2 */
bool dendritic_keeps_inhibition(rule_name rule, double neurons, double inputs);
/** Images of a loop. */
int64_t dendritic_loop_images(config *config);

enum { DENDRITIC_METRICS = 11, DENDRITIC_SCORES = 2 };
extern const metric dendritic_metrics[DENDRITIC_METRICS], dendritic_scores[DENDRITIC_SCORES];
extern const struct plan_hooks dendritic_plan;
void dendritic_measure(void *raw, const loop *loop, double *value);
void dendritic_state(void *raw, state_part part, state_list *list);
/** Weights are of images of the shape that images have now, unless a checkpoint will say otherwise. */
void dendritic_note_shape(dendritic *d);
status dendritic_fits(const void *raw, const char *path);
void dendritic_known_variables(config *config, variable_list *list);
void dendritic_variables(void *raw, variable_list *list);
void dendritic_refresh(void *raw);
void dendritic_nodes(void *raw, node_list *list);
void dendritic_edges(void *raw, bool plastic_only, edge_list *list);
void dendritic_figures(const void *raw, figure_list *list);
void dendritic_results(void *raw, h5_file *file);
/** Whether dendritic.h5 has so many synapses on compartments. */
bool dendritic_writes_tensor(double synapses);
status dendritic_perturb(void *raw, const perturbation_settings *settings);
status dendritic_test_begin(void *raw, const test_setting *setting, int *columns);
status dendritic_test_trial(void *raw, const test_trial *trial, double *record);
void dendritic_test_sums(void *raw, int task, tally_list *list);
void dendritic_test_task(void *raw, int task, const double *records, figure_list *figures);
void dendritic_test_write(void *raw, int task, h5_file *file);
void dendritic_test_figures(const void *raw, figure_list *figures);
void dendritic_test_end(void *raw);

/* ---- costs.c: section `dendritic` of a machine file, ns ---- */

typedef struct {
    double step, neuron;         /* of a step; of a neuron in it: on every rank */
    double event, row;           /* of a step with spikes; of a neuron in it: on every rank */
    double synapse, pixel;       /* of a weight of W and of D in a step with spikes */
    double decoded;              /* of a weight of D in a step with spikes, where W is not kept */
    double soma, compartment;    /* of a neuron with compartments, and of each of them, in an update */
    double dendrite;             /* of a synapse on a compartment at a spike of its neuron */
    double literal;              /* of a weight in a step of literal stepping */
} dendritic_costs;

/** plan_hooks.costs */
const param_section *dendritic_cost_sections(int *count);
/** plan_hooks.calibrate */
struct calibration;
void dendritic_calibrate(struct calibration *calibration);
extern const learning_system dendritic_system;

#endif
