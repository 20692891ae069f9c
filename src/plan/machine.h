/* What a machine takes for the parts of a loop: a file that "engram calibrate" measures and "engram plan" reads, of the same form as parameter files. */
#ifndef ENGRAM_MACHINE_H
#define ENGRAM_MACHINE_H

#include "engram/config.h"
#include "engram/rls.h"

enum { MACHINE_MODELS_MAX = 16, MACHINE_STORES_MAX = 8 };

/** Section `machine`. */
typedef struct {
    char *name;
    int64_t ranks;      /**< that measured at the same time, on one node */
    double memory;      /**< GiB of a node, NAN: not known */
    double libraries;   /**< MiB of program, libraries and MPI on a rank */
    double disk;        /**< MB/s of synced writing, all ranks */
    double memory_bandwidth; /**< GB/s of a rank */
    double gemm_single, gemm_double; /**< GFLOP/s of a rank, 1024 x 1024 matrices */
    double spread;      /**< relative difference of the median of repeats from the fastest, median over all measurements */
} machine_about;

/** Section `network`: between nodes. */
typedef struct {
    double latency;     /**< us of a small message */
    double bandwidth;   /**< GB/s of a node */
} machine_network;

/** Section `update`: ns of a neuron in a step, for several numbers of neurons of a rank. */
typedef struct {
    param_numbers neurons;                      /**< ascending */
    param_numbers model[MACHINE_MODELS_MAX];    /**< in the order of neuron_models[]: without noise and synapses */
    param_numbers noise, typed, weighted, plastic; /**< what these add */
    double spike;                               /**< of a spike of the rank's neurons: its stretch of neurons is no longer advanced alike */
    double learning;                            /**< factor where the rank learns: P passes through the caches in between */
} machine_update;

/** Section `delivery`: ns, for two sizes of what a rank goes through before the same source spikes again: its synapses and P. */
typedef struct {
    param_numbers bytes;                        /**< ascending */
    param_numbers typed, weighted, plastic;     /**< of a synapse that a spike reaches */
    param_numbers bits;                         /**< dense networks: of 32 neurons, for every spike of the network */
    param_numbers spike;                        /**< of a spike of the network on every rank, however few synapses it reaches there */
    double step;                                /**< of a step, whatever it delivers */
    double filter;                              /**< of taking a spike up in the filter */
    double group, member;                       /**< more for a source of a group of several neurons, and for each of these after the first */
} machine_delivery;

/** Costs of a store in one precision, for several numbers of inputs: ns of a group at an instant, without spikes, and for each input that spiked. */
typedef struct { param_numbers quiet, spiking; } machine_store;

/** Section `rls`. */
typedef struct {
    param_numbers inputs;                       /**< ascending */
    double cached_bytes, large_bytes;           /**< sizes of all P of a rank: in its caches, and not */
    machine_store cached[MACHINE_STORES_MAX][PRECISIONS], large[MACHINE_STORES_MAX][PRECISIONS]; /**< in the order of rls_store_kinds[]; none where groups are divided among ranks */
    double source, source_own;                  /**< of a source at an instant, filtered with one time constant, and with its own */
    double member;                              /**< of a weight of another neuron of a group */
    double pending;                             /**< distributed: of a neuron and waiting update, in a step */
} machine_rls;

/** Section `exchange`: on one node. */
typedef struct {
    param_numbers ranks;                        /**< ascending, from 2 */
    param_numbers latency;                      /**< us of an exchange of few spikes, waiting for each other included */
    param_numbers per_kib;                      /**< us for each KiB that every rank sends */
    double spike;                               /**< ns of a spike of the network on its way through a rank */
    double block;                               /**< ns of looking at a rank's block */
} machine_exchange;

/** Section `others`: ns. */
typedef struct {
    double step;             /**< of looking around in a step */
    double check;            /**< of a value checked by the guard at a learning instant */
    double track;            /**< of a neuron in a ms, rolling average */
    double score;            /**< of a neuron and instant at the end of a loop */
    double build_typed, build_weighted, build_plastic, build_p; /**< of a synapse, of an element of P */
} machine_others;

typedef struct machine {
    config *config;          /**< owned, holds texts and lists; NULL for a machine that was just measured */
    machine_about about;
    machine_network network;
    machine_update update;
    machine_delivery delivery;
    machine_rls rls;
    machine_exchange exchange;
    machine_others others;
} machine;

/** Sections of a machine file. Borrowed; built once. */
const param_section *machine_schema(int *count);

/** Read and check a machine file; NULL: what is built in. Collective. @return agreed and printed; on failure nothing to close */
status machine_open(const struct context *context, const char *path, machine *machine);
void machine_close(machine *machine);

/** The file's text: every key with its unit and meaning as a comment. @return owned by the caller, free() */
char *machine_text(const machine *machine, const char *heading);

/** The built-in machine file. */
extern const char machine_builtin[];

/** Value at @p x of a curve through (at[k], value[k]), both positive: straight lines in logarithms, constant beyond the ends. */
double machine_curve(const param_numbers *at, const param_numbers *value, double x);

#endif
