/** @file balanced.h
 *  Networks in tight balance that learn dynamics by local rules (Bourdoukan & Denève 2015; Alemi et al. 2018): what the files of this folder share.
 *  Equations, order of a step and parameters: README.md in this folder.
 *
 *  Between two spikes of the network everything that its neurons need is the same for all of them: J numbers that every rank computes for itself
 *  (`course`). A neuron's voltage is then alpha V + F_i.d; only a spike touches all neurons. run.c has the duty cycle on one page.
 */
#ifndef ENGRAM_SYSTEMS_BALANCED_H
#define ENGRAM_SYSTEMS_BALANCED_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "engram/perturbation_settings.h"
#include "engram/signal.h"
#include "engram/system.h"

enum {
    TILE = 8,              /* neurons side by side in F, one vector */
    CHUNK_MAX = 2048,      /* steps between two times at which all voltages are brought up to date */
    DIMENSIONS_MAX = 128,
    NODES = 8,             /* Chebyshev nodes along the ray, section 5 of README.md */
    STAGES_MAX = 16,
};

/* ---- parameters: sections.c ---- */

typedef struct {
    int64_t neurons, dimensions; /* dimensions auto: as the teacher has */
    double norm;                 /* gamma: |F_i|, root mean square over neurons */
    int fast;                    /* FAST_* */
    double fast_spread;          /* off-diagonal weights that are not ideal, in norm^2 */
    int slow;                    /* SLOW_WEIGHTS_* */
    int tasks;                   /* no parameter: what resolve() found, beside dimensions; 0 before */
} network_settings;
enum { FAST_IDEAL, FAST_RANDOM, FAST_UNIFORM };
enum { SLOW_WEIGHTS_ZERO, SLOW_WEIGHTS_IDEAL };

typedef struct { double angle; } ring_settings;       /* rad, of neuron 0 */
typedef struct { int64_t sweeps; } spread_settings;   /* of repulsion */
typedef struct { char *path, *dataset; } file_settings;

typedef struct {
    double leak;                 /* lambda, Hz (1/s) */
    double membrane_leak;        /* lambda_V; auto: leak */
    double margin;               /* rho: linear cost in norm^2; T = (|F_i|^2 + mu + rho norm^2)/2 */
    double quadratic_cost;       /* mu in norm^2 */
    double threshold;            /* T of all neurons in norm^2; auto: as above */
    double noise;                /* sd of V that white noise alone gives, in T */
    int64_t delay;               /* steps until a spike acts; 0: in its own step */
    int initial;                 /* INITIAL_* */
    int basis;                   /* BASIS_* */
    int64_t basis_units;         /* P */
    double basis_gain;           /* g of tanh */
    double basis_width;          /* w of Gaussians */
    int basis_layout;            /* LAYOUT_RANDOM, LAYOUT_LATTICE */
} neuron_settings;
enum { INITIAL_ZERO, INITIAL_STATE };
enum { BASIS_NONE, BASIS_TANH, BASIS_GAUSSIAN };
enum { BASIS_RANDOM, BASIS_LATTICE };

typedef struct { int64_t loops; } learning_settings;
typedef struct {
    param_numbers stages;        /* loops of each; behind the last one its values go on */
    param_numbers fast_rate;     /* epsilon, one for all stages or one each; 0: no fast learning */
    double fast_gain;            /* beta; auto: 2/(1+rho) */
    param_numbers feedforward_rate; /* epsilon_F */
    double feedforward_gain;     /* alpha */
    int slow;                    /* SLOW_* */
    param_numbers slow_rate;     /* eta; none: chosen */
    param_numbers feedback;      /* K, Hz */
    int64_t feedback_steps;      /* K goes down in so many equal steps over the run; 1: constant */
    double anneal;               /* s in which the slow rate halves; 0: never */
    int anneal_form;             /* ANNEAL_* */
    double settle;               /* ms at the start of a loop in which nothing is learned */
    int stepping;                /* STEPPING_* */
    double speculation;          /* length of a block of steps in mean intervals between spikes; auto */
} balanced_settings;
enum { SLOW_AUTO, SLOW_NONE, SLOW_FILTERED, SLOW_PROJECTED, SLOW_BASIS };
enum { ANNEAL_HYPERBOLIC, ANNEAL_EXPONENTIAL };
enum { STEPPING_CLOSED, STEPPING_LITERAL };

typedef struct {
    double duration;             /* ms of a trial; auto: a loop */
    double settle;               /* ms with feedback before, which are not scored */
    double feedback;             /* Hz during the scored part */
    int balance;                 /* MEASURE_*: currents of every neuron */
    int constant;                /* MEASURE_*: intervals under constant commands */
    int tuning;                  /* MEASURE_*: to pulses in all directions */
} protocol_settings;
enum { MEASURE_AUTO, MEASURE_ON, MEASURE_OFF };

const param_section *balanced_sections(int *count);

/* ---- the network ---- */

/** What is learned how in a chunk of steps; the same on all ranks. */
typedef struct regime {
    double feedback;     /* K, 1/s */
    double slow_rate;    /* eta; 0: slow weights stay */
    double fast_rate;    /* epsilon; 0: fast weights stay */
    double feedforward_rate;
    uint64_t stream;     /* of commands and noise */
    int task;
    const double *command; /* [J] instead of the command of the configuration; NULL */
} regime;

/** Tables of what runs from the last spike on, in states: state m is that after m steps. Row 0 is the state that the spike left. */
typedef struct {
    int made;            /* rows 0 .. made are there */
    int room;            /* states of a table row in d and alpha: CHUNK_MAX and padding */
    double *alpha;       /* [room] (1 - lambda_V dt)^m */
    double *d;           /* [J][room] V_i(m) = alpha_m V_i(0) + F_i.d_m */
    double *decoded;     /* [CHUNK_MAX+1][J] x^ */
    double *slow;        /* [CHUNK_MAX+1][J] h: what the slow weights add to dx^/dt */
    double *change;      /* [CHUNK_MAX+1][J] S: that G has changed by, per unit of its presynaptic factor */
    double *square;      /* [CHUNK_MAX+1] rho = sum of r^2 (SLOW_FILTERED) */
    double *power;       /* [CHUNK_MAX+1] (1 - lambda dt)^m */
} course;

/** Slow weights over a nonlinear basis of x^ (README.md 5). Replicated. */
typedef struct {
    int units;           /* P; 0: none */
    int kind;            /* BASIS_* */
    double *direction;   /* [J][P], P padded to whole vectors: Omega of tanh; centres of Gaussians */
    double *offset;      /* [P] theta; 1/(2 w^2) of Gaussians in offset[0] */
    double *centre_square; /* [P] |z|^2 of Gaussians */
    double *product;     /* [P] scratch */
    double *weight;      /* [J][P] G */
    double mean_square;  /* p2 = mean of |psi|^2 over the box */
    /* the ray on which x^ decays from the last spike on */
    int length;          /* states that it reaches */
    int start;           /* state m of the course at which it begins */
    int row;             /* which of the lengths */
    double *psi;         /* [NODES][P] at the nodes */
    double *node_slow;   /* [J][NODES] G psi */
    double *overlap;     /* [NODES][NODES] psi' psi */
    double *pending;     /* [CHUNK_MAX+1][J][NODES] Q: G changes by Q psi' */
    double *lagrange;    /* [lengths][RAY_MAX+1][NODES] */
    double *node;        /* [lengths][NODES] in (1-lambda dt)^m */
} basis;

/** A spike that has been chosen, the same on all ranks. */
typedef struct {
    int64_t neuron;      /* gid; -1: none in this block */
    int state;           /* m of the course */
    double excess;       /* V - T there */
    double filtered;     /* r_k in the time base of the chunk */
    double *feedforward; /* [J] F_k; in the room of the exchange, like G'_k */
    double *slow;        /* [J] G'_k (SLOW_FILTERED) */
    unsigned bits;       /* of the pulse, of all ranks */
} spike;

/** Sums over the steps of a loop or trial, the same on all ranks. */
typedef struct {
    int64_t steps;
    double error;        /* sum of |x - x^|^2 */
    double square;       /* sum of |x|^2 */
    double sum[DIMENSIONS_MAX]; /* sum of x */
    int64_t spikes, reductions;
} path_sums;

/** What the voltages have to do before anybody looks at them. */
typedef struct {
    bool due;
    double alpha;
    double d[DIMENSIONS_MAX]; /* of the row; less F_k, where fast weights are ideal */
    int64_t neuron;           /* that fired; -1: only time goes on */
    double power;             /* r_i = filtered_i power */
    double filtered;          /* of the neuron, behind its spike */
    bool learned;             /* F_k is another one behind it */
    double feedforward[DIMENSIONS_MAX];
} jump;

typedef struct balanced balanced;

/** Who looks at rows of the course as they become certain, and at spikes, before they act. */
typedef struct {
    void *self;
    void (*rows)(void *self, const balanced *b, int from, int to); /* NULL: none. from + 1 .. to; row m: after step chunk_first + at + m of the trial */
    void (*spike)(void *self, const balanced *b, const spike *spike);
} path_observer;

struct balanced {
    context context;
    partition part;
    config *config;
    const balanced_settings *learning;
    const neuron_settings *neuron;
    const protocol_settings *protocol;
    timers *timers;
    uint64_t seed;
    double dt_ms, dt;                /* ms, s */
    int64_t loop_steps;
    bool continues;                  /* a loop goes on from where the last one ended */
    int tasks;

    int dimensions;                  /* J */
    double norm;                     /* gamma */
    double decay, membrane_decay;    /* 1 - lambda dt, 1 - lambda_V dt */
    double quadratic_cost;           /* mu */
    double beta, noise;              /* noise: sd of V in T */
    int slow_rule;                   /* SLOW_*, never auto */
    bool learned_fast;               /* fast weights are a matrix of their own */

    command *command;
    teacher *teacher;

    /* of this rank's neurons, local index i; [padded] to whole tiles */
    int padded;
    double *voltage;                 /* [padded] at row 0 of the course */
    double *threshold;               /* [padded] INFINITY: silent, or padding */
    double *feedforward;             /* [padded/TILE][J][TILE] F */
    double *filtered;                /* [padded] r_i = filtered_i power[n - chunk start] */
    double *slow;                    /* [padded][J] G' (SLOW_FILTERED), else NULL */
    double *fast;                    /* [N][padded] W_f, presynaptic-major; NULL: ideal, F F' + mu I */
    jump jump;
    double *noise_now;               /* [padded] what noise has added to V from row 0 to row noise_row; NULL without noise */
    double *noise_next;              /* [padded] scratch */
    double *noise_draws;             /* [4][padded] of the four steps noise_block */
    int noise_row;
    int64_t noise_block;
    double *reported;                /* [padded] V as it is reported */
    double largest_norm;             /* max |F_i| over the network */
    double *gram;                    /* [J][J] F'F, of all neurons */
    uint8_t *silent;                 /* [mine] never fires; NULL: all may */
    int64_t silenced;                /* of all ranks */

    /* replicated */
    double *matrix;                  /* [J][J] M^: slow weights F M^ F' (SLOW_PROJECTED) */
    double *input;                   /* [J] leaky integral of the command, for the feed-forward rule */
    basis basis;
    course course;
    regime regime;
    double *commands, *states;       /* [CHUNK_MAX][J], [CHUNK_MAX+1][J] c and x of the chunk */
    double *teacher_state;           /* [J] x at the end of the last chunk */
    double *decoded;                 /* [J] x^ there: row 0 of the next course */
    double *slow_now;                /* [J] h there */
    double square_now;               /* rho there */
    double *change_now;              /* [J] S there, since the start of the chunk (SLOW_FILTERED) */
    int chunk;                       /* steps of a chunk: CHUNK_MAX, fewer where r decays fast */
    int at;                          /* row 0 of the course, in steps from the start of the chunk */
    int64_t chunk_first;             /* steps of the loop or trial before the chunk */
    double interval;                 /* running mean of steps between spikes */
    int32_t *candidate;              /* [padded] local indices that may fire in the block */
    int candidates;
    int since;                       /* steps since the last spike, before the course */
    int row;                         /* of the course that observers look at */
    int64_t *due, *waiting;          /* [delay] steps of the trial at which spikes will act, and their gids, the oldest first */
    int64_t underway;                /* of them */
    struct winner_exchange *exchange;
    path_sums sums;
    path_observer *observer;         /* NULL: nobody */
    struct literal *literal;         /* NULL: closed form (literal.c) */
    struct balanced_test *test;      /* NULL but between test_begin() and test_end() (testing.c) */
};

/* ---- decoder.c ---- */

/** F. Collective. @return agreed and printed */
status decoder_make(balanced *b);
/** What follows from F and from who is silent: thresholds, largest_norm, gram. Collective. */
void decoder_settle(balanced *b);
/** F_ij of a local neuron. */
static inline double feedforward_of(const balanced *b, int64_t i, int j) {
    return b->feedforward[(i / TILE * b->dimensions + j) * TILE + i % TILE];
}

/* ---- course.c: README.md 4 ---- */

void course_new(balanced *b);
void course_clear(balanced *b);
/** Row 0 from b->decoded, slow_now, square_now. */
void course_begin(balanced *b);
/** Make rows up to @p to. The same on all ranks, whatever the blocks. */
void course_extend(balanced *b, int to);
/** Rows 0 .. @p to have become certain: bring b->decoded, slow_now, square_now, slow weights and sums to state @p to. */
void course_commit(balanced *b, int to);

/* ---- basis.c: README.md 5 ---- */

/** @param box [J] half widths */
void basis_make(balanced *b, const double *box);
void basis_clear(balanced *b);
/** Length of a row of the basis' arrays: P in whole vectors. */
static inline int basis_row(const basis *basis) {
    return (basis->units + TILE - 1) / TILE * TILE;
}
/** psi(x). @param[out] psi [P] */
void basis_evaluate(const basis *basis, int dimensions, const double *x, double *psi);
/** A ray begins at x^ of row @p m of the course. */
void ray_begin(balanced *b, int m);
/** h at row @p m, which lies on the ray; and, if anything is learned, what the error of row m adds to `pending` of row m + 1. @param error e(m) [J] */
void ray_step(balanced *b, int m, const double *error, double *slow);
/** The ray ends at row @p m: what is pending goes into the weights. */
void ray_end(balanced *b, int m);

/* ---- search.c: README.md 4.2 ---- */

/** States of the course after which a neuron may fire: (from, to]; from -1: the state at row 0 counts, too. */
typedef struct { int from, to; } block;

/** Voltages are to go on to row @p m of the course, where @p spike acts (NULL: none). Done by the next search_candidates(), which comes after the course has
 *  begun anew. Not collective. */
void search_jump(balanced *b, int m, const spike *spike);
/** Do what is due, fast learning with it, and find the neurons of this rank that may fire in the block, whose rows are made; NULL: only what is due.
 *  One pass over the neurons. Not collective. */
void search_candidates(balanced *b, const block *block);
/** The first of the candidates that fires in the block: the earliest state, the largest V - T, the lowest gid. Not collective.
 *  @param[in,out] spike of winner_room(): filled, if there is one */
void search_first(balanced *b, const block *block, spike *spike);
/** Nobody fired in the block. Not collective. */
void search_passed(balanced *b, const block *block);
/** V of row @p m. Not collective. @param[out] voltage [mine] */
void search_voltage(const balanced *b, int m, double *voltage);

/* ---- winner.c ---- */

/** What travels; a rank's offer, and what all agree on. */
typedef struct {
    int64_t state;   /* INT64_MAX: none */
    int64_t neuron;
    double excess;
    uint64_t bits;   /* of the pulse, or'ed */
    double filtered;
    double rest[];   /* F_k, G'_k */
} winner_offer;

/** out = whichever of both is first, with the bits of both: the earliest state, the largest excess, the lowest gid. Not collective. @param bytes of an offer */
void winner_choose(const winner_offer *in, winner_offer *out, size_t bytes);
/** @param timers reductions are charged to PHASE_EXCHANGE; borrowed */
struct winner_exchange *winner_exchange_new(const context *context, timers *timers, int dimensions);
void winner_exchange_free(struct winner_exchange *exchange);
/** No spike yet, with room for what its owner will tell of it. Not collective. */
spike winner_room(const struct winner_exchange *exchange);
/** The first of all ranks' spikes, with what its owner knows of it, in place of this rank's. Collective: one reduction.
 *  @param spike of winner_room(); neuron -1: none */
void winner_of_all(struct winner_exchange *exchange, spike *spike);

/* ---- run.c ---- */

/** Reset the network and the teacher to the start of a trial. */
void run_reset(balanced *b, int task, uint64_t stream);
/** Run @p steps. @param first steps of the loop or trial before; the pulse counts from there @param rates fills the regime of a chunk that begins at a step
 *  @return whether it went on to the end */
typedef void (*run_rates)(void *self, const balanced *b, int64_t step, regime *regime);
typedef struct { int64_t first, steps; run_rates rates; void *self; pulse *pulse; } run_span;
bool run_steps(balanced *b, const run_span *span);

/** The command of a stretch of steps, as the regime says. @param[out] c [steps][J] */
void run_command(const balanced *b, int64_t first, int steps, double *c);

/* ---- literal.c: the step as it is written, README.md 3 ---- */

void literal_new(balanced *b);
void literal_free(balanced *b);
bool literal_steps(balanced *b, const run_span *span);
void literal_reset(balanced *b);
void literal_state(balanced *b, state_part part, state_list *list);
/** Every rank has F of all neurons. Collective. */
void literal_settle(balanced *b);
/** Q: inputs of a neuron, N or the units of the basis. */
int64_t literal_inputs(const balanced *b);
/** W_s of a local neuron from input q. */
double literal_weight(const balanced *b, int64_t i, int64_t q);

/* ---- weights.c: what the weights are, against what they should be ---- */

typedef struct { double relative, scale, structure; } weight_error;
/** Rows of all neurons, from those of each rank. Collective. @param mine [mine][columns] @return [N][columns], memory_free() */
double *weights_gather(const balanced *b, int columns, const double *mine);
/** F of all neurons, of all ranks. Collective. @return [N][J], memory_free() */
double *weights_gather_feedforward(const balanced *b);
/** Rows of G of all neurons (SLOW_FILTERED: as they are; SLOW_PROJECTED: M^ F'). Collective. @return [N][J], memory_free() */
double *weights_gather_slow(const balanced *b);
/** |W_f|, |W_s|, Frobenius; of literal stepping, of its own synapses. Collective. */
double weights_fast_norm(const balanced *b);
double weights_slow_norm(const balanced *b);
/** W_f = F F' + mu I. Collective. */
void weights_make_ideal_fast(balanced *b);
/** W_f against F F' + mu I. Collective. */
weight_error weights_fast_error(const balanced *b);
/** W_s against F (A + lambda I) F'; NAN for nonlinear teachers. Collective. */
weight_error weights_slow_error(const balanced *b);
/** nerr of G psi(x) - lambda x against f(x) on points of the teacher's path. NAN without a field or a basis, and in literal stepping, which has no G.
 *  The same on all ranks. Not collective. */
double weights_field_error(const balanced *b);
/** Solve X S = B for X [J][J], S symmetric: Gauss-Jordan with pivots. B becomes X. Not collective. */
void weights_divide(double *B, const double *S, int J);
/** M^ that the slow weights are in effect: h = M^ x^ (G F (F'F)^-1). @param[out] matrix [J][J]. Collective */
void weights_matrix(const balanced *b, double *matrix);

/* ---- balanced.c ---- */

/** Rule that slow weights learn by: SLOW_*, never auto. Not collective. */
int balanced_slow_rule(config *config);
/** Are fast weights a matrix of their own? Not collective. */
bool balanced_learns_fast(config *config);
/** Steps of a chunk: few enough that r does not decay by more than e^-2. @param decay 1 - lambda dt */
int balanced_chunk(double decay);
/** Steps of a loop: as asked for, else 2.5 s, else as long as a given path. Not collective. */
int64_t balanced_loop_steps(config *config, const teacher *teacher, int tasks);
/** learning.speculation where it is auto. */
double balanced_speculation(int64_t ranks);
/** Is there an edges.h5? Not above so many synapses, where fast weights are no matrix. */
bool balanced_writes_edges(int64_t neurons, bool fast);
/** sd of V that noise alone gives, in T, from now on. Not collective. */
void balanced_add_noise(balanced *b, double noise);
/** A command and a start with which the teacher stays within its limits: @p stream, or another one that follows from it. Not collective. */
uint64_t balanced_stream(balanced *b, int task, uint64_t stream, int64_t steps);
/** K of a training loop, 1/s. Not collective. */
double balanced_feedback(const balanced *b, int64_t loop);

/* ---- testing.c, results.c, plan.c: hooks ---- */

enum { METRIC_NERR, METRIC_FAST_ERROR, METRIC_FAST_SCALE, METRIC_FAST_STRUCTURE, METRIC_SLOW_ERROR, METRIC_FIELD_ERROR, BALANCED_METRICS };
enum { BALANCED_SCORES = 3 };
extern const metric balanced_metrics[BALANCED_METRICS], balanced_scores[BALANCED_SCORES];
void balanced_measure(void *raw, const loop *loop, double *value);
status balanced_test_begin(void *raw, const test_setting *setting, int *columns);
void balanced_test_sums(void *raw, int task, tally_list *list);
status balanced_test_trial(void *raw, const test_trial *trial, double *record);
void balanced_test_task(void *raw, int task, const double *records, figure_list *figures);
void balanced_test_write(void *raw, int task, h5_file *file);
void balanced_test_figures(const void *raw, figure_list *figures);
void balanced_test_end(void *raw);
status balanced_perturb(void *raw, const perturbation_settings *settings);
void balanced_state(void *raw, state_part part, state_list *list);
void balanced_known_variables(config *config, variable_list *list);
void balanced_settle(void *raw);
void balanced_variables(void *raw, variable_list *list);
void balanced_refresh(void *raw);
void balanced_nodes(void *raw, node_list *list);
void balanced_edges(void *raw, bool plastic_only, edge_list *list);
void balanced_figures(const void *raw, figure_list *list);
void balanced_results(void *raw, h5_file *file);
extern const struct plan_hooks balanced_plan;
extern const learning_system balanced_system;

/* ---- costs.c: section `balanced` of a machine file, ns ---- */

typedef struct {
    param_numbers neurons;          /* of a rank, ascending */
    param_numbers pass, dimension;  /* of a neuron in a pass with J = 2, and more for each further dimension */
    double row, row_dimension;      /* of a step on every rank, likewise */
    double spike;                   /* on every rank */
    double fast;                    /* of a neuron at a spike: its weight in the column, which learns */
    double noise;                   /* of a neuron in a step */
    double unit, ray;               /* of a unit of the basis at a spike; of a step, on every rank */
    double synapse;                 /* of literal stepping, in a step */
    double weight, repulsion;       /* of building: a fast weight; a pair and dimension in a sweep */
} balanced_costs;

/** plan_hooks.costs */
const param_section *balanced_cost_sections(int *count);
/** plan_hooks.calibrate */
struct calibration;
void balanced_calibrate(struct calibration *calibration);

#endif
