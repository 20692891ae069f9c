/* A plan: what a system says that it needs, with what the run itself holds, writes and takes. Nothing here is collective; one rank plans. */
#ifndef ENGRAM_PLAN_PRIVATE_H
#define ENGRAM_PLAN_PRIVATE_H

#include "engram/plan.h"

typedef struct {
    config *config;             /**< borrowed */
    const plan_hooks *system;
    void *sizes;                /**< owned, of the system */
    plan_facts facts;
    machine machine;            /**< owned */
    bool built_in;              /**< the machine */
    plan_ranks ranks;
    int64_t nodes;
    double memory_per_node;     /**< bytes */
    double rate;                /**< Hz */
    bool rate_given;
} plan;

/** Bytes of the rank that has most. */
typedef struct {
    double category[MEMORY_CATEGORIES]; /**< at the end of a run */
    double sum;                         /**< of the categories */
    double peak;                        /**< the most at any time */
} plan_memory;

plan_memory plan_memory_of(const plan *plan, int64_t ranks);

/** Bytes of several ranks, of peaks as if all had theirs at once. */
typedef struct {
    int64_t ranks;
    plan_memory node; /**< of the node that has most, with as many ranks as the plan gives one */
    plan_memory all;
    bool alike;       /**< every rank counts as the fullest */
} plan_memory_together;

plan_memory_together plan_memory_of_nodes(const plan *plan, int64_t ranks);

/** What is written, in the order in which it is told: spikes, traces, what the system writes. */
typedef struct {
    plan_files files;
    double sum; /**< bytes, with metrics.csv and both generations of the checkpoint */
} plan_output;

plan_output plan_output_of(const plan *plan);

/** Seconds of a run. */
typedef struct {
    plan_seconds of;   /**< the system */
    double loop;       /**< all parts of a loop */
    double checkpoint; /**< one */
    double write;      /**< results */
    double run;        /**< from start to end */
} plan_time;

/** @param ranks on nodes of as many as the plan has */
plan_time plan_time_of(const plan *plan, int64_t ranks);

#endif
