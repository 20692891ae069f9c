/** @file sonata.h
 *  Spikes, reports, nodes and edges in the SONATA layout (AllenInstitute/sonata developer guide v0.1), written and read in parallel.
 *  All functions are collective; arrays are borrowed; ids are 0-based within the population.
 *  Writers return h5_commit()'s status (message remembered, not yet printed).
 */
#ifndef ENGRAM_SONATA_H
#define ENGRAM_SONATA_H

#include <stdint.h>

#include "engram/context.h"
#include "engram/status.h"

/** Write spikes.h5, sorting by_id (time second).
 *  @param times  [count] ms; @param ids [count]; sorted by (id, time) on each rank, every id of a rank below those of the next rank */
status sonata_write_spikes(const context *context, const char *path, const char *configuration, const char *population, int64_t count,
                           const double *times, const uint64_t *ids);

/** One variable of a report. */
typedef struct {
    const char *variable; /**< "drive" */
    const char *unit;     /**< "1", "mV" */
    const float *data;    /**< [samples][mine] of this rank's recorded neurons */
} sonata_variable;

/** Write report.h5: one report per variable at /report/<population> when there is one variable, else /report/<population>_<variable>... each
 *  with its own mapping. Sample t is taken at start + t*interval.
 *  @param ids  [mine] recorded neurons of this rank, ascending over ranks */
status sonata_write_report(const context *context, const char *path, const char *configuration, const char *population, double start, double interval,
                           int64_t samples, int64_t mine, const uint64_t *ids, int variable_count, const sonata_variable *variables);

/** One column of nodes.h5, under /nodes/<population>/0/. */
typedef struct {
    const char *name;     /**< "ei" or "dynamics_params/tau" */
    const double *values; /**< [mine] */
} sonata_column;

/** Write nodes.h5 and, beside it, node_types.csv (rank 0). Neurons are divided in contiguous blocks.
 *  @param type   [mine] node_type_id of each neuron; @param type_names [type_count] model name of type 0, 1, ... */
status sonata_write_nodes(const context *context, const char *path, const char *configuration, const char *population, int64_t first, int64_t mine,
                          const int64_t *type, int type_count, const char *const *type_names, int column_count, const sonata_column *columns);

/** Make synapses @p from .. from+count-1 of this rank. Each column is asked for in order, from its first synapse to its last, before the next one. Not collective. */
typedef void (*sonata_make_ids)(void *self, int64_t from, int64_t count, uint64_t *ids);
typedef void (*sonata_make_values)(void *self, int64_t from, int64_t count, double *values);

/** Synapses of one edge population, those whose target is on this rank, sorted by (target, source). They are made as they are written: none of the columns is in memory as a whole. */
typedef struct {
    const char *population;        /**< "recurrent_static" */
    const char *source_population; /**< node population of the sources */
    const char *target_population; /**< node population of the targets */
    int64_t source_neurons;        /**< size of the source node population */
    int64_t target_first;          /**< first target id of this rank */
    int64_t target_mine;           /**< number of target ids of this rank */
    const int64_t *start;          /**< [target_mine+1] first synapse of each target; start[target_mine] are on this rank */
    void *self;                    /**< what makes the columns */
    sonata_make_ids sources;
    sonata_make_values weights;         /**< syn_weight, dimensionless; stored float64 when wide is set, else float32 */
    sonata_make_values initial_weights; /**< stored beside as initial_weight; NULL for none */
    sonata_make_values delays;          /**< ms; NULL: delay for all */
    double delay;                  /**< ms */
    int wide;                      /**< store weights as float64 */
} sonata_edges;

/** Write edges.h5 with the target_to_source index (and singular hard links), one group /edges/<population> each. */
status sonata_write_edges(const context *context, const char *path, const char *configuration, int population_count, const sonata_edges *edges);

/** How many edges a population has, from the shape of its arrays. Not collective. @param population "" picks the only one in the file
 *  @return STATUS_INPUT, with a message, for a file that is malformed; not agreed */
status sonata_count_edges(const char *path, const char *population, int64_t *edges);

/** Synapses read by sonata_read_edges(): those with target in [first, first+mine), sorted by (target, source), several between a pair kept in file order. */
typedef struct {
    int64_t count;
    int64_t *targets; /**< [count] */
    int64_t *sources; /**< [count] */
    double *weights;  /**< [count] */
} sonata_synapses;

/** Read the edges of @p population whose target is mine, in blocks, so that no rank holds the whole file. Collective (every rank reads; independent I/O).
 *  Uses indices/target_to_source when present, else streams over the file. Weight: <population>/0/syn_weight (float32 or float64).
 *  @param population "" picks the only one in the file
 *  @param sources_limit, targets_limit  ids must be below
 *  @return STATUS_INPUT, with file, dataset, index and value, for anything malformed (missing dataset, wrong shape or type, id out of range, NaN weight);
 *          not yet agreed; result owned by the caller: free each array with memory_free() */
status sonata_read_edges(const context *context, const char *path, const char *population, int64_t sources_limit, int64_t targets_limit, int64_t first,
                         int64_t mine, sonata_synapses *result);

#endif
