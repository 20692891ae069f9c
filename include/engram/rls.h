/** @file rls.h
 *  Recursive least squares (patterns/README.md 3): where the inverse correlation matrices P live and how they are updated.
 *
 *  A store keeps one P per group of plastic_synapses and updates P and the weights at every learning instant:
 *      q = P r~ ,  s = r~.q ,  g = 1/(1+s) ,  P <- P - g q q' ,  w_i <- w_i - g e_i q         (3.2)
 *  with r~ = r, or r~ = scale_i r for the phi'-weighted form of rate targets (groups of one row; 3.6). What is minimised is
 *      1/2 sum_k (y^k - w.r^k)^2 + 1/2 (w - w0)' P0^-1 (w - w0)                                (3.1)
 *  Where weights keep their signs (plastic->frozen; 3.7), an element of w that the step would take across zero, away from the sign of its initial value,
 *  stays what it was and is frozen: from the next instant on its element of r~ is 0, and it is never written. It still counts in w.r, and so in e.
 *  Its row of P goes on by the same formulas, and no longer matters: rows and elements of q of other inputs do not depend on it.
 *  Weights that began at 0 have no sign to keep.
 *
 *  A store is one file in src/rls/ that defines one `const rls_store_kind`, plus one line in src/rls/table.c. The calls carry both r itself and
 *  what arrived since the last instant, so that a store may work on spikes alone, delay its updates, or be distributed (collective calls).
 */
#ifndef ENGRAM_RLS_H
#define ENGRAM_RLS_H

#include <stdbool.h>
#include <stdint.h>

#include "engram/context.h"
#include "engram/h5.h"
#include "engram/synapses.h"

/** Of P and weights. PRECISION_HALF: weights are single. */
typedef enum { PRECISION_SINGLE, PRECISION_DOUBLE, PRECISION_HALF, PRECISIONS } rls_precision;

typedef struct {
    double lambda;             /**< ridge penalty on the departure of recurrent weights from their initial values, > 0 */
    double mu;                 /**< penalty on the summed departure of a neuron's excitatory (and of its inhibitory) weights, >= 0 */
    double lambda_feedforward; /**< lambda of feed-forward weights, > 0 */
    bool gain;                 /**< false mimics TrainSpikingNet.jl after v0.2.2: g is left out of the weight update */
    bool half;                 /**< P is stored in half precision (with single weights); for stores that say so */
    int block;                 /**< updates that a store may delay before it writes P; 0: the store's choice */
    int grid_columns;          /**< process columns of a distributed store's grid, a divisor of the number of ranks; 0: one */
} rls_settings;

/** The presynaptic activity at a learning instant. Borrowed for the call. */
typedef struct {
    const double *r;         /**< [sources] filtered spikes now */
    const int32_t *touched;  /**< [touched_count] sources that spiked since the last instant */
    int touched_count;
    const double *arrived;   /**< [sources] their contribution: r = decay r_before + arrived */
    double decay;            /**< of the interval, the same for all sources; NAN when time constants differ */
} rls_activity;

typedef struct rls_store rls_store; /**< opaque, defined by each kind */

typedef struct rls_store_kind {
    const char *name, *help;
    bool scales; /**< update() takes scale */
    bool halves; /**< P can be stored in half precision */
    bool divided; /**< a group's P lies on several ranks: what is done to it is collective; save() and load() stand for take_p() and put_p() */

    /** Allocate and set P(0) (rls_initial_p()). Collective. @param plastic borrowed for life; update() writes its weights @return owned */
    rls_store *(*create)(const context *context, plastic_synapses *plastic, const rls_settings *settings);
    void (*destroy)(rls_store *store);

    /** r has become 0 (start of a trial that resets). NULL: not needed. */
    void (*trial_begin)(rls_store *store);

    /** The weighted sum w.r of every row with the current weights. Collective. @param[out] sum [rows] */
    void (*predict)(rls_store *store, const rls_activity *activity, double *sum);

    /** One recursion step of every group. Collective; called after predict() at the same instant.
     *  @param error [rows] actual minus target, before the update
     *  @param scale [rows] phi' of each row, or NULL for 1
     *  @param[out] gain [rows] g of the row's group
     *  @param[out] after [rows] w.r with the new weights; NULL: not wanted
     *  @return first row whose g left (0, 1] (P is no longer positive definite, or not a number), or -1 */
    int (*update)(rls_store *store, const rls_activity *activity, const double *error, const double *scale, double *gain, double *after);

    /** Bring P and the weights up to date, if updates are delayed, so that all that need be kept of the store is P. Collective. NULL: they always are.
     *  @param r [sources] filtered spikes as of the last instant, if the next trial goes on with them; NULL: it begins with trial_begin() */
    void (*settle)(rls_store *store, const double *r);

    /** Copy elements from .. from+count-1 of the upper triangle of a group's P, row by row (K (K + 1)/2 elements in the precision of the weights), out of the
     *  store or into it, for checkpoints; settle() has been called before, and is called when all are in. Not collective. */
    void (*take_p)(const rls_store *store, int group, int64_t from, int64_t count, void *elements);
    void (*put_p)(rls_store *store, int group, int64_t from, int64_t count, const void *elements);
    /** Instead of these two, for a store that is divided: write all P to a checkpoint and read them back, on any number of ranks. Collective. */
    void (*save)(rls_store *store, h5_file *file);
    void (*load)(rls_store *store, h5_reader *reader);

    /** Write P of a local group to @p p ([K][K], row-major). For tests and checks; call settle() before.
     *  Collective for a store whose groups are divided among ranks. */
    void (*export_p)(const rls_store *store, int group, double *p);
} rls_store_kind;

/** All kinds, NULL-terminated; the first is the default. One entry per precision is not needed: a store follows plastic->single. */
extern const rls_store_kind *const rls_store_kinds[];

/** Initial P of a group in closed form: for each set of m recurrent sources whose initial weights have the same sign (Arthur et al. 2023, "ROWSUM";
 *  patterns/README.md 3.3), P0 = (1/lambda)(I - mu/(lambda + mu m) 11'); zero weights and feed-forward sources: I/lambda, I/lambda_feedforward. */
typedef struct {
    const int8_t *signs;           /**< [K] borrowed */
    double recurrent, feedforward; /**< on the diagonal */
    double shared[3];              /**< what two sources of the same sign -1, 0, +1 have less */
} rls_prior;

enum { RLS_FEEDFORWARD = 2 }; /**< the "sign" of a feed-forward source */

/** Signs of the initial weights of a group's first row. @param[out] signs [K] */
void rls_prior_signs(const plastic_synapses *plastic, int group, int8_t *signs);
rls_prior rls_prior_of(const int8_t *signs, int count, const rls_settings *settings);
/** P(0)[a][b]. */
static inline double rls_prior_p(const rls_prior *prior, int64_t a, int64_t b) {
    int8_t own = prior->signs[a];
    double p = own != RLS_FEEDFORWARD && own == prior->signs[b] ? 0 - prior->shared[1 + own] : 0;
    return a == b ? p + (own == RLS_FEEDFORWARD ? prior->feedforward : prior->recurrent) : p;
}

/** All of it. Not collective. @param[out] p [K][ld] row-major, all K x K entries written */
void rls_initial_p(const plastic_synapses *plastic, int group, const rls_settings *settings, int64_t ld, double *p);

#endif
