/** @file plan.h
 *  What a run will need, without building it: what "engram plan" and "engram calibrate" ask of a system, and what they offer systems to answer with.
 *  The plan itself knows the run: what it records, writes and keeps, the exchange between ranks, nodes, the disk.
 *  Not collective but where it says so: one rank plans.
 */
#ifndef ENGRAM_PLAN_H
#define ENGRAM_PLAN_H

#include "engram/config.h"
#include "engram/exchange.h"
#include "engram/machine.h"
#include "engram/memory.h"
#include "engram/test_settings.h"

typedef struct calibration calibration; /**< calibrate.h */

/** Ranks of a job on as many nodes as it takes. */
typedef struct {
    int64_t count;
    int64_t per_node;
} plan_ranks;

enum { PLAN_LINE_BYTES = 256 };

/** What is planned. */
typedef struct {
    int64_t neurons;
    int64_t loops;
    int64_t loop_steps;
    double dt;                      /**< ms */
    exchange_way exchange;          /**< how its spikes go between ranks, if they go by exchange.h */
    double rate;                    /**< Hz that the neurons are expected to have, NAN: nothing tells */
    char network[PLAN_LINE_BYTES];  /**< behind "plan for N neurons ": of which model, how many synapses */
    char training[PLAN_LINE_BYTES]; /**< behind "training: L loops of T ms, ": tasks, what is learned how */
} plan_facts;

/** What one rank has. */
typedef struct {
    double neurons;
    double held; /**< bytes of all categories, at the end of a run */
} plan_full_rank;

/** Bytes of the rank that has most, without what the run holds for itself: recorded spikes and traces, libraries. */
typedef struct {
    double category[MEMORY_CATEGORIES]; /**< at the end of a run */
    plan_full_rank full[2]; /**< where ranks have different numbers of neurons: those with most of some category, which need not be the same; else 0 */
    double building;                    /**< the most at any time until the first loop begins */
    double writing;                     /**< beside the categories, while results and checkpoints are written */
} plan_bytes;

/** Bytes of one rank, without what the run holds for itself. */
typedef struct {
    double neurons;
    double category[MEMORY_CATEGORIES]; /**< at the end of a run */
    double building;                    /**< the most at any time until the first loop begins */
} plan_rank_bytes;

/** Is told of a rank. */
typedef void (*plan_visit)(void *self, const plan_rank_bytes *rank);

enum { PLAN_FILES_MAX = 16 };
typedef struct {
    const char *name; /**< "edges": without its extension; borrowed */
    double bytes;
} plan_file;

/** Files of a run beside those that the run writes by itself: spikes, traces, metrics. */
typedef struct {
    plan_file file[PLAN_FILES_MAX];
    int count;
    double checkpoint; /**< bytes of one generation, of two */
} plan_files;

void plan_add_file(plan_files *files, const char *name, double bytes);

/** Seconds. */
typedef struct {
    double update;   /**< of a loop, on the rank with most neurons: advance of the neurons, forward passes */
    double deliver;  /**< of spikes to their targets */
    double learn;
    double record;   /**< what is measured and guarded */
    double transfer; /**< of a loop: exchange between ranks */
    double waiting;  /**< of a loop: for the slowest rank */
    double build;    /**< of a run */
    double baseline; /**< of a run: what is measured of the network before it learns */
    double tests;    /**< those behind the last loop; plan_time_of(), src/plan/plan.h, adds those between loops */
    double between;  /**< one between loops, where it is another test; else 0 */
} plan_seconds;

/** What a system tells of itself. open, close and facts are needed; any other hook may be NULL. */
typedef struct plan_hooks {
    /** Sizes, from the configuration (resolved and checked) and from the files that it names. @param config borrowed until close()
     *  @param[out] sizes owned by the caller, close(); NULL on failure. @return not agreed */
    status (*open)(const context *context, config *config, void **sizes);
    void (*close)(void *sizes);
    void (*facts)(const void *sizes, plan_facts *facts);
    /** May it run on so many ranks? NULL: on any number. @return not agreed */
    status (*check)(const void *sizes, int64_t ranks);
    /** @param rate Hz of the neurons @param[out] bytes all 0 before */
    void (*memory)(const void *sizes, int64_t ranks, double rate, plan_bytes *bytes);
    /** Tell of every rank, in their order. @return false, and nothing told, where all have as much as the fullest. NULL: so they have on any number */
    bool (*each)(const void *sizes, int64_t ranks, double rate, plan_visit visit, void *self);
    /** @param[out] files none before */
    void (*output)(const void *sizes, double rate, plan_files *files);
    /** @param[out] seconds all 0 before */
    void (*time)(const void *sizes, const machine *machine, plan_ranks ranks, double rate, plan_seconds *seconds);

    /** Sections that it adds to a machine file, in their order there. `exchange` may be among them, to say where it stands, and so may sections of another
     *  system, of which the times of both are made: the first that names a section brings it. Built once; borrowed. NULL: machine and exchange suffice */
    const param_section *(*costs)(int *count);
    /** What the machine file does not have, as it was measured before there was such a cost, and so counts as on the machine that is built in: a sentence for
     *  people, borrowed; NULL: all that matters for these sizes is there */
    const char *(*unmeasured)(const void *sizes, const machine *machine);
    /** What only shows when values of its sections are seen together. NULL: nothing. @return not agreed */
    status (*check_costs)(const machine *machine);
    /** Measure what costs() has: fill the sections, machine_costs(). Collective. */
    void (*calibrate)(calibration *calibration);
} plan_hooks;

/* ---- to answer with ---- */

/** Spikes of a neuron in a step. @param rate Hz @param dt ms */
static inline double plan_per_step(double rate, double dt) {
    return rate * dt / 1000;
}

/** Expected maximum of @p count independent normals, in standard deviations above the mean: how far the slowest of several ranks is behind the average. */
double plan_slowest(double count);

/** Was the exchange between so many ranks measured? Else it is extrapolated: more ranks of a node than were measured, or several nodes. */
bool plan_is_measured(const machine *machine, plan_ranks ranks);

/** s of one collective by MPI in which every rank sends @p bytes to all. */
double plan_message(const machine *machine, plan_ranks ranks, double bytes);

/** s of an exchange of spikes (exchange.h). @param spikes of the network that go at once */
double plan_spike_exchange(const machine *machine, plan_ranks ranks, int64_t neurons, double spikes, exchange_way way);

/** Trials of a test between loops by those of the last one. @param validation system_facts.validation */
double plan_between(const test_settings *test, int64_t validation);

/** Neurons, shared out to ranks. */
typedef struct {
    int64_t neurons, ranks;
    int64_t largest; /**< block */
} plan_blocks;

/** Bytes that an exchange of spikes holds on a rank, with the blocks of other ranks that only leaders of several nodes have: some tens of bytes a rank of the
 *  job. Those hold 64 KiB more, to hand out. @param spikes of the network that go at once @param steps that go at once */
double plan_spike_exchange_bytes(plan_blocks blocks, double spikes, int steps, exchange_way way);

#endif
