/** @file targets.h
 *  What the neurons are to learn, and the contract of a target kind: one file in src/targets/ that defines one `const target_kind`,
 *  plus one line in src/targets/table.c.
 *
 *  A target is a value per task, learning instant k = 1 .. instants (k * every after the end of the stimulus) and neuron.
 */
#ifndef ENGRAM_TARGETS_H
#define ENGRAM_TARGETS_H

#include <stdbool.h>

#include "engram/cells.h"
#include "engram/config.h"
#include "engram/partition.h"

struct table;

enum { QUANTITY_DRIVE, QUANTITY_RATE };
enum { RATE_AUTO, RATE_PHI, RATE_SIEGERT };

/** Common parameters of section `targets`. */
typedef struct {
    double duration; /**< ms; auto only with recorded data: their length */
    int quantity;    /**< QUANTITY_* */
    int rate_form;   /**< RATE_* */
    double distinct; /**< fraction of neurons with targets of their own; the others share that of neuron 0 */
} target_settings;

extern const param_table targets_common;

/** Of which of a rank's neurons targets are kept: a column each, in the order of the neurons. Kinds without pair() have one of every neuron. */
typedef struct {
    int count;
    int32_t *neuron; /**< [count] local index of the neuron of a column; NULL: column i is that of neuron i, all have one; owned by the targets */
    int32_t *of;     /**< [mine] column of a neuron, -1: it has none; NULL as above; owned by the targets */
} target_columns;

static inline int target_neuron(const target_columns *columns, int column) {
    return columns->neuron ? columns->neuron[column] : column;
}

/** @return -1: it has none */
static inline int target_column(const target_columns *columns, int neuron) {
    return columns->of ? columns->of[neuron] : neuron;
}

/** What is known about the network before there are targets. Borrowed by target kinds. */
typedef struct target_request {
    const context *context;
    config *config;
    partition part;
    const cells *cells;          /**< which neurons are excitatory */
    uint64_t seed;
    double every;                /**< ms between learning instants */
    int instants;                /**< per task; 0 while open() runs with duration auto */
    double start;                /**< ms: end of the stimulus, from the start of a loop */
    double time_unit;            /**< ms: phi1 and phi2 are spikes per this time, the membrane time constant */
    const double *mean_drive;    /**< [mine] mean drive of each neuron in the baseline run (patterns/README.md 4.1) */
    const uint32_t *activity;    /**< [N] spikes in the baseline run */
    double activity_seconds;     /**< length of the baseline run, s of model time */
    const uint8_t *trained;      /**< [N] */
    target_columns columns;      /**< once targets are filled in */
    void *simulation;            /**< for record_untrained(); NULL: who plans, and has no use for recorded values, which are neither kept nor filled in */
    /** Drive of all my neurons in the untrained network at every instant, after @p settle ms from a random state. Collective.
     *  @param[out] rows [instants][mine] */
    void (*record_untrained)(void *simulation, double settle, int instants, double every, double *rows);
} target_request;

enum { NEEDS_MEAN_DRIVE = 1, NEEDS_ACTIVITY = 2 };

typedef struct target_kind {
    const param_table *parameters;
    /** Check parameters and open data. Collective; agreed. @param[out] state the kind's own, owned by the caller (close()). NULL: nothing to open. */
    status (*open)(target_request *request, const void *parameters, void **state);
    void (*close)(void *state);
    int (*tasks)(const void *parameters, const void *state);
    double (*duration)(const void *parameters, const void *state); /**< ms, for duration auto; NULL: auto is an error */
    int (*needs)(const void *parameters);                          /**< NEEDS_* of the baseline run */
    /** Do the recorded data fit the network? Asked after open(), before anything is run. Not collective; not agreed. NULL: there is nothing to check */
    status (*check)(const target_request *request, const void *parameters, const void *state);
    /** Which neurons have targets: set paired[gid] = unit number, -2 (an auxiliary one), or leave -1 (none). Not collective; same on all ranks.
     *  NULL: every neuron has a target. */
    status (*pair)(const target_request *request, const void *parameters, void *state, int32_t *paired);
    /** Targets of one task, @p rows [instants][columns] (a kind without pair(): [instants][mine]): rates in Hz if gives_rates, else drives (or inputs of
     *  phi1 when rates are asked for). Collective. @param paired [N] as pair() left it: -2 gets what the kind says (auxiliary targets), -1 has no column */
    status (*fill)(const target_request *request, const void *parameters, void *state, int task, const int32_t *paired, double *rows);
    double (*draws)(const void *parameters); /**< random numbers that a neuron's target of one task takes, for plans; NULL: some for each value */
    struct table *(*recorded)(void *state); /**< the recorded data behind the state, whose names are taken over after open(); NULL: there are none */
    bool gives_rates;
} target_kind;

extern const target_kind *const target_kinds[];

/** The targets of this rank. */
typedef struct targets {
    const target_kind *kind;
    const void *parameters;
    void *state;
    int tasks, instants;
    double every, start;  /**< ms */
    int quantity;         /**< QUANTITY_* that the rule sees: rates learned through Siegert's formula have become drives */
    target_columns columns; /**< of my neurons that have a target */
    double *value;        /**< [tasks][instants][columns]; owned */
    double *rate;         /**< [tasks][instants][columns] Hz, before conversion; NULL if quantity drive was asked for; owned */
    int32_t *unit;        /**< [N] recorded unit of each neuron, -1 none, -2 auxiliary; owned */
    int units;              /**< recorded ones, 0 where the kind has none */
    char **unit_name;       /**< [units] as in the recorded data: that of neuron i is unit_name[unit[i]]; NULL where the kind has none; owned */
    char **condition_name;  /**< [tasks] as in the recorded data; NULL where the kind has none; owned */
    double inversion_error; /**< largest |nu(mu) - rate| / max(rate, 1 Hz) of the Siegert inversion over all ranks, NAN if there was none */
    int64_t raised_rates;   /**< rates of exactly 0 replaced by 0.1 Hz */
} targets;

/** What a task is called, if its targets are of a recorded condition. Not collective. @return borrowed; NULL: it has no name */
static inline const char *targets_condition(const targets *targets, int task) {
    return targets->condition_name ? targets->condition_name[task] : NULL;
}

/** Open the kind, fix tasks and instants. Collective; agreed. */
status targets_open(target_request *request, targets *targets);

/** Pair neurons with units; afterwards targets->unit is known. Not collective; the same on all ranks; not yet agreed. */
status targets_pair(target_request *request, targets *targets);

/** How a neuron's rates become drives (patterns/README.md 3.6): target = zero + unit (mu + colour) - bias, mu from Siegert's formula. */
typedef struct {
    double sigma;      /**< input noise, in units of the formula */
    double colour;     /**< what the time constant of that noise adds to mu */
    double unit, zero; /**< of the neuron's input */
    double refractory; /**< ms */
} transfer;

/** Draw or read all targets and convert rates. Collective; agreed.
 *  @param transfer [mine]
 *  @param bias   [mine] constant input, subtracted because Siegert's mu is the total mean input
 *  @param membrane_tau ms */
status targets_fill(target_request *request, targets *targets, const transfer *transfer, const double *bias, double membrane_tau);

void targets_clear(targets *targets);

/** Has a neuron a target? Once neurons are paired. */
static inline bool targets_has(const targets *targets, int64_t gid) {
    return !targets->kind->pair || targets->unit[gid] != -1;
}

/** Targets of one instant k (0-based), [columns]. */
static inline const double *targets_at(const targets *targets, int task, int k) {
    return targets->value + ((int64_t)task * targets->instants + k) * targets->columns.count;
}

/** What files have for neurons without a target: 0, or NAN where rates became drives. Not collective. */
double targets_none(const targets *targets);

/** phi1(x) = sqrt([x]+)/pi and phi2(x) = sqrt(c ln(1 + exp(x/c)))/pi, c = 0.1: spikes per time unit of a theta neuron (Kim & Chow 2018;
 *  patterns/README.md 1.2). */
double transfer_phi1(double x);
double transfer_phi2(double x);
double transfer_phi2_slope(double x); /**< d phi2/dx */

#endif
