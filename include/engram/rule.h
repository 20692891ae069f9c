/** @file rule.h
 *  The contract of a learning rule: one file in src/rules/ that defines one `const learning_rule`, plus one line in src/rules/table.c.
 *  Hooks act on all plastic synapses of the rank and may be collective (every rank calls them at the same steps); a NULL hook is not needed.
 */
#ifndef ENGRAM_RULE_H
#define ENGRAM_RULE_H

#include "engram/config.h"
#include "engram/drive.h"
#include "engram/filter.h"
#include "engram/h5.h"
#include "engram/rls.h"
#include "engram/state.h"
#include "engram/sum.h"
#include "engram/synapses.h"

/** Common parameters of section `learning`. */
typedef struct {
    double every;      /**< ms between learning instants */
    int64_t loops;
} learning_settings;

extern const param_table learning_common;

/** What a rule works on. Borrowed for the life of the rule. */
typedef struct {
    const context *context;
    config *config;
    plastic_synapses *plastic;
    drive *drive;
    spike_filter *filter;
    const double *bias;     /**< [mine] constant input */
    const int32_t *target_column; /**< [mine] where the target of a neuron is in those of an instant; NULL: at its local index */
    double lambda_feedforward;
    bool carries_state;     /**< a trial goes on with the filtered spikes of the one before */
    bool rate_targets;      /**< targets are rates per time unit, learned through phi2 (patterns/README.md 3.6) */
} rule_setting;

/** What happened since rule_report was last cleared; sums are exact, so that they do not depend on the number of ranks. */
typedef struct {
    exact_sum gain;         /**< sum of g over rows and instants */
    int64_t gains;          /**< terms in it */
    int64_t bad_neuron;     /**< local index of the first neuron whose P stopped being positive definite, -1 if none */
    double bad_gain;
} rule_report;

typedef struct rule_state rule_state;

/** How a rule will store what it needs, known before anything is built. */
typedef struct {
    const rls_store_kind *store; /**< NULL: nothing */
    bool single;                 /**< precision of P and weights: float */
    bool half;                   /**< P is stored in half precision */
    int block;                   /**< updates that wait; 0: the store's choice */
    int grid_columns;            /**< of a distributed store */
    bool keep_signs;             /**< a byte a weight says whether it is frozen */
} rule_size;

typedef struct learning_rule {
    const param_table *parameters;
    /** Precision of the weights: true for float. NULL: double. */
    bool (*single)(const void *parameters);
    /** Check parameters against the synapses, allocate. Collective. @return not yet agreed; on failure *state is NULL */
    status (*create)(const rule_setting *setting, const void *parameters, rule_state **state);
    void (*destroy)(rule_state *state);
    /** A trial begins with r = 0. */
    void (*trial_begin)(rule_state *state);
    /** A learning instant: filter->r is current. @param target as target_column says @param stimulus [mine] or NULL */
    void (*learn)(rule_state *state, const double *target, const double *stimulus, rule_report *report);
    /** Bring everything up to date, at the end of every training loop: then weights may be read and the state saved. Collective. */
    void (*settle)(rule_state *state);
    /** List what the rule needs to go on, beyond the weights. Read after settle(); settle() is called when all has been put back. Not collective. */
    void (*state)(rule_state *state, state_list *list);
    /** Beside state(), for what is no array of a rank (P on a process grid): write it to a checkpoint, and read it back on any number of ranks. Collective. */
    void (*save)(rule_state *state, h5_file *file);
    void (*load)(rule_state *state, h5_reader *reader);
    /** How it will store P of groups of at most @p largest inputs ("engram plan"). Not collective. NULL: there is nothing to store.
     *  @param shared groups of several neurons @return not agreed */
    status (*size)(const config *config, const void *parameters, bool shared, int64_t largest, rule_size *size);
} learning_rule;

extern const learning_rule *const learning_rules[];

#endif
