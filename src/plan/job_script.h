/* A script for sbatch with the planned resources. */
#ifndef ENGRAM_JOB_SCRIPT_H
#define ENGRAM_JOB_SCRIPT_H

#include "engram/plan_run.h"
#include "plan.h"

/** A plan with all that it is for. */
typedef struct {
    plan_network network;
    machine machine;
    bool built_in;          /**< the machine */
    int64_t ranks, ranks_per_node, nodes;
    double memory_per_node; /**< bytes */
    double rate;            /**< Hz */
    bool rate_given;
} plan;

/** @param peak bytes of a rank. @return not agreed; STATUS_INPUT if the file is there and overwrite is not asked for */
status job_script_write(const context *context, const config *config, const plan_options *options, const plan *plan, double peak);

#endif
