/** @file calibrate.h
 *  What "engram calibrate" offers a system that measures costs of its own (plan_hooks.calibrate): it runs its own code on small problems, on all ranks at
 *  the same time, so that they share caches and memory as the ranks of a run do. What is measured is what will run.
 */
#ifndef ENGRAM_CALIBRATE_H
#define ENGRAM_CALIBRATE_H

#include "engram/context.h"
#include "engram/machine.h"
#include "engram/system.h"

enum {
    CALIBRATION_REPEATS = 7,       /**< of a measurement, at most */
    CALIBRATION_REPEATS_LEAST = 3, /**< and at least, but for those that take calibration_long() */
    CALIBRATION_SETTLED_MAX = 2048, /**< measurements of a pass */
};

typedef struct calibration {
    context job;     /**< all ranks */
    context alone;   /**< this rank as a job of its own, that logs nothing */
    machine machine; /**< what has been measured; machine_costs() */
    double started;  /**< clock_seconds() */
    bool quick;      /**< less exact in less time: one pass, fewer repeats, smaller networks where only their size takes time */
    double fastest[CALIBRATION_SETTLED_MAX]; /**< s, of each measurement, in their order, in this pass and those before */
    int settled;     /**< in this pass */
    double spread[CALIBRATION_SETTLED_MAX];
    int spreads;
    bool full_matrices; /**< of this pass: sparse_calibrate() was here */
} calibration;

/** s of repeats after which no more of a network are needed. */
double calibration_long(const calibration *calibration);

/** Log what is measured next. */
void calibration_say(const calibration *calibration, const char *what);

/** The fastest of several repeats is what the machine can do; the rest is what others do on it meanwhile, of which note is taken as spread. What they do for
 *  minutes makes all repeats slow: all is measured in two passes, one behind the other; what the same measurement, the n-th, found in the first counts, too.
 *  Collective over the job. @param[in,out] seconds [count], sorted on return. @return the fastest repeat, averaged over ranks */
double calibration_settle(calibration *calibration, double *seconds, int count);

/** Mean over ranks. Collective over the job. */
double calibration_mean(const calibration *calibration, double value);

/** Median of [count] values, which are sorted. Not collective. */
double calibration_median(double *values, int count);

/** A guard as a run has it, for the pulse of what is measured; it has no opinion on rates. Not collective.
 *  @param self of the system, built by this rank alone; borrowed. @return owned, calibration_guard_free() */
guard *calibration_guard(const calibration *calibration, const learning_system *system, void *self, const system_facts *facts);
void calibration_guard_free(guard *guard);

enum { CALIBRATION_COUNTS = 16 };

/** A loop of a small network: the fastest of several, mean over ranks. */
typedef struct {
    double seconds, build; /**< s of the loop, and of building */
    double processor;      /**< s of the processor in the loop: what others do on the machine meanwhile counts little */
    double steps;
    double count[CALIBRATION_COUNTS]; /**< what the system counted in a loop, or times of its own, mean over repeats of this pass */
} calibration_loop;

/** Build and run a network that is the system's default but for what a parameter file says; every rank a network of its own, all at the same time.
 *  Collective over the job; ends it where the text is wrong. @param count told after each loop what to count, [CALIBRATION_COUNTS], 0 before; NULL: nothing
 *  @param format of the text of the parameter file */
calibration_loop calibration_run(calibration *calibration, const learning_system *system, void (*count)(const void *self, double *count),
                                 const char *format, ...) __attribute__((format(printf, 4, 5)));

/** A list of the machine, which frees it. @param values [count]; NULL: zeros. Not collective. */
param_numbers calibration_list(int count, const double *values);

#endif
