/** @file sonata.h
 *  Spikes, reports, nodes and edges in the SONATA layout (AllenInstitute/sonata developer guide v0.1), written and read in parallel.
 *  All functions are collective; arrays are borrowed; ids are 0-based within the population.
 *  Writers return h5_commit()'s status (message remembered, not yet printed).
 */
#ifndef ENGRAM_SONATA_H
#define ENGRAM_SONATA_H

#include <stdbool.h>
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

/** Traces of neurons of one population. Sample t is taken at start + t*interval. */
typedef struct {
    const char *population;
    double start, interval;            /**< ms */
    int64_t samples;
    int64_t mine;                      /**< recorded neurons of this rank */
    const uint64_t *ids;               /**< [mine] ascending over ranks */
    int variable_count;
    const sonata_variable *variables;
} sonata_report;

/** Write report.h5: one report per variable at /report/<population> when there is one variable, else /report/<population>_<variable>... each
 *  with its own mapping. */
status sonata_write_report(const context *context, const char *path, const char *configuration, const sonata_report *report);

/** One column of nodes.h5, under /nodes/<population>/0/. */
typedef struct {
    const char *name;     /**< "ei" or "dynamics_params/tau" */
    const double *values; /**< [mine] */
} sonata_column;

/** One node population; nodes are divided in contiguous blocks. */
typedef struct {
    const char *population;
    int64_t first, mine;           /**< nodes of this rank */
    const int64_t *type;           /**< [mine] node_type_id: a number of type_names of all populations, one after the other */
    int type_count;
    const char *const *type_names; /**< [type_count] model name, "virtual" for nodes without a model */
    int column_count;
    const sonata_column *columns;
} sonata_nodes;

/** Write nodes.h5 and, beside it, node_types.csv (rank 0). */
status sonata_write_nodes(const context *context, const char *path, const char *configuration, int population_count, const sonata_nodes *nodes);

/** Make synapses @p from .. from+count-1 of this rank. Each column is asked for in order, from its first synapse to its last, before the next one.
 *  Not collective. */
typedef void (*sonata_make_ids)(void *self, int64_t from, int64_t count, uint64_t *ids);
typedef void (*sonata_make_values)(void *self, int64_t from, int64_t count, double *values);

/** Synapses of one edge population, those whose target is on this rank, sorted by (target, source).
 *  They are made as they are written: none of the columns is in memory as a whole. */
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

/** Write, beside nodes.h5 and edges.h5, what readers of SONATA open a network by: circuit_config.json, which names these files, their tables of types and
 *  their populations, by paths from its own folder, and edge_types.csv, with the only type that written edges have. Collective; rank 0 writes.
 *  @param path of nodes.h5 @param nodes, edges of which names and types are read; borrowed @param edge_count 0: there is no edges.h5
 *  @return STATUS_FAILURE, with a message, if a file cannot be written; the same on all ranks */
status sonata_write_circuit(const context *context, const char *path, int node_count, const sonata_nodes *nodes, int edge_count,
                            const sonata_edges *edges);

/** How many edges a population has, from the shape of its arrays. Not collective. @param population "" picks the only one in the file
 *  @return STATUS_INPUT, with a message, for a file that is malformed; not agreed */
status sonata_count_edges(const char *path, const char *population, int64_t *edges);

/** An edge population of a file, and what its edges are read for. Texts are borrowed. */
typedef struct {
    const char *path;
    const char *population; /**< "" picks the only one in the file */
    const char *types;      /**< table of edge types, edge_types.csv; "" for none */
    const char *section;    /**< of the parameter file that names it, for messages: "network" */
    double dt;              /**< ms */
    bool ignore_delays;     /**< they may be anything, and are taken as one step */
    bool keep_delays;       /**< they count, rounded to whole steps of at least one; neither: they must be one step */
    int64_t neurons;        /**< ids must be below; 0: not known yet, but ids far beyond the number of edges are mistakes */
} sonata_input;

/** What a look at all edges has found. */
typedef struct {
    char population[256];
    char nodes[256];         /**< node population of sources and targets; "" where the file does not say */
    int64_t edges;
    int64_t neurons;         /**< the largest id of a source or target, plus 1 */
    int longest, shortest;   /**< delays as they count, in steps: 1 where none is given, or none is kept */
    int64_t (*signs)[2];     /**< [neurons] outgoing weights above and below 0; owned, memory_free() */
} sonata_survey;

/** Look at all edges, a part of the file on every rank, check whatever sonata_read_edges() relies on, and log what they are. Collective.
 *  The edges of one population connect neurons of one node population. An edge's syn_weight, nsyns and delay are those of its group (edge_group_id,
 *  edge_group_index), else those of its type (edge_type_id); its weight is syn_weight times nsyns (1 where it is not given).
 *  @return STATUS_INPUT for anything malformed (file, dataset, index and value are named), nothing to free then; agreed and printed */
status sonata_look(const context *context, const sonata_input *input, sonata_survey *survey);

/** Synapses read by sonata_read_edges(): those with target in [first, first+mine), sorted by (target, source), several between a pair kept in file order. */
typedef struct {
    int64_t count;
    int64_t *targets; /**< [count] */
    int64_t *sources; /**< [count] */
    double *weights;  /**< [count] */
    uint16_t *delays; /**< [count] time steps; 1 unless they are kept */
} sonata_synapses;

/** Bytes of so many synapses as sonata_read_edges() returns them, and of what it needs beside them meanwhile. Not collective. */
double sonata_bytes_kept(double edges);
double sonata_bytes_of_blocks(void);

/** Read the edges whose target is mine, in blocks, so that no rank holds the whole file. Collective: the targets of all ranks together are 0 .. neurons-1.
 *  Uses indices/target_to_source where it fits the edges, which is checked, and else, on all ranks, streams over the file; that it does not fit is a warning.
 *  @return as sonata_look(); result owned by the caller: free each array with memory_free() */
status sonata_read_edges(const context *context, const sonata_input *input, int64_t first, int64_t mine, sonata_synapses *result);

/** What a file of nodes says of a neuron. */
enum { SONATA_NODE_UNKNOWN, SONATA_NODE_EXCITATORY, SONATA_NODE_INHIBITORY };

/** Read how many nodes a population has and of which sort they are: by column excitatory (0 or 1), ei or synapse_class (a text that begins with e or i) of
 *  their group, else of their type. Collective.
 *  @param population ""  picks the only one in the file; @param types  table of node types, node_types.csv; "" for none
 *  @param[out] sort  [neurons] SONATA_NODE_..., owned, memory_free(); NULL on failure
 *  @return STATUS_INPUT for anything malformed; agreed and printed */
status sonata_read_nodes(const context *context, const char *path, const char *population, const char *types, int64_t *neurons, uint8_t **sort);

/** The table of types that belongs to a file by its name: edge_types.csv beside edges.h5, NAME_edge_types.csv beside NAME_edges.h5 or NAME.h5. Collective;
 *  rank 0 looks. Not that which a run writes: it gives edges nothing.
 *  @param what "edge" or "node" @return its path, owned by the caller, free(); NULL if there is none */
char *sonata_types_beside(const context *context, const char *path, const char *what);

#endif
