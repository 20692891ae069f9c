/** @file machine.h
 *  What a machine takes for the parts of a run: the values of a file that "engram calibrate" measures and "engram plan" reads, of the same form as
 *  parameter files. Sections machine, network and exchange are every run's. A system adds sections of its own (plan_hooks.costs).
 *  Nothing here is collective.
 */
#ifndef ENGRAM_MACHINE_H
#define ENGRAM_MACHINE_H

#include "engram/config.h"

/** Section `machine`. */
typedef struct {
    char *name;
    int64_t ranks;           /**< that measured at the same time, on one node */
    double memory;           /**< GiB of a node, NAN: not known */
    double libraries;        /**< MiB of program, libraries and MPI on a rank */
    double disk;             /**< MB/s of synced writing, all ranks */
    double memory_bandwidth; /**< GB/s of a rank */
    double gemm_single;      /**< GFLOP/s of a rank, 1024 x 1024 matrices */
    double gemm_double;
    double spread;           /**< relative difference of the median of repeats from the fastest, median over all measurements */
} machine_about;

/** Section `network`: between nodes. */
typedef struct {
    double latency;   /**< us of a small message */
    double bandwidth; /**< GB/s of a node */
} machine_network;

/** Section `exchange`: on one node. */
typedef struct {
    param_numbers ranks;   /**< ascending, from 2 */
    param_numbers latency; /**< us of a collective by MPI of few bytes, waiting for each other included */
    param_numbers per_kib; /**< us for each KiB that every rank sends by it */
    param_numbers shared;  /**< us of an exchange of few spikes through shared memory, waiting for each other included; none: not measured */
    double spike;          /**< ns of a spike of the network on its way through a rank */
    double block;          /**< ns of looking at a block */
} machine_exchange;

enum { MACHINE_SECTIONS_MAX = 32 };

typedef struct machine {
    config *config; /**< owned, holds texts, lists and costs; NULL for a machine that was just measured */
    machine_about about;
    machine_network network;
    machine_exchange exchange;
    void *costs[MACHINE_SECTIONS_MAX]; /**< of systems: machine_costs() */
} machine;

/** The struct of a section that a system has added (writable: calibration fills it). Borrowed from the machine. Aborts on a section that no system has. */
void *machine_costs(const machine *machine, const char *section);

/** Section `exchange`, for a system's list that says where in the file it stands; it is there whether or not a list names it. */
extern const param_section machine_exchange_section;

/** Value at @p x of a curve through (at[k], value[k]), both positive: straight lines in logarithms, constant beyond the ends. */
double machine_curve(const param_numbers *at, const param_numbers *value, double x);

#define MACHINE_HUGE_NS 1e9 /**< the most that a measured time can be */
#define MACHINE_TINY 1e-6   /**< and the least, where it must be positive */

/** Lines of a section's table. A number or list without a fallback has to be in every machine file. What comes later than files which have been
 *  measured has a fallback, so that these can still be read; a list that has one may be empty. */
#define MACHINE_NUMBER(struct_type, key, fallback, low, high, help, member) \
    { key, PARAM_NUMBER, UNIT_NONE, fallback, low, high, NULL, help, offsetof(struct_type, member) }
#define MACHINE_LIST(struct_type, key, fallback, low, high, help, member) \
    { key, PARAM_NUMBERS, UNIT_NONE, fallback, low, high, NULL, help, offsetof(struct_type, member) }
#define MACHINE_TABLE(variable, name, help, params, struct_type) \
    static const param_table variable = {name, help, params, sizeof params / sizeof *params, sizeof(struct_type)}

#endif
