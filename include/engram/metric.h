/** @file metric.h
 *  Named numbers and arrays that a learning system offers: what metrics.csv, progress, `engram status`, reports, guards, run.json, test.json, nodes.h5 and
 *  edges.h5 are made of. Lists are filled by the system and read by the run; names, texts and arrays are borrowed from the system.
 */
#ifndef ENGRAM_METRIC_H
#define ENGRAM_METRIC_H

#include <stdbool.h>
#include <stdint.h>

#include "engram/partition.h"
#include "engram/sonata.h"

enum { BETTER_LOWER = -1, BETTER_HIGHER = 1 };

/** A column of metrics.csv, or a score of a test trial. */
typedef struct {
    const char *name;  /**< "correlation": header of metrics.csv, dataset of test.h5, key of test.json */
    const char *label; /**< in progress lines, with one %s for the number: "  corr %s"; NULL: not shown there */
    const char *unit;  /**< "1", "Hz" */
    const char *help;
    int decimals;      /**< in progress lines */
    const char *head;  /**< of its column of `engram status`; NULL: it has none, or that of the score, which then has its name */
    int better;        /**< of scores of tests: BETTER_*; 0: it does not tell which network is the better one */
} metric;

/** An array over the neurons of the rank that can be reported (output.report) and guarded. */
typedef struct {
    const char *name, *unit, *help;
    const char *title;   /**< in the message of a guard: "the drive"; NULL: its name */
    const double *value; /**< [mine], borrowed, valid for the life of the system; NULL with single */
    const float *single; /**< [mine], borrowed; NULL with value */
    bool guarded;        /**< the run ends when it is not finite */
    bool reported;       /**< can be named in output.report */
} variable;

/** Name of the population of a network's neurons in SONATA files, and of units that drive it and have no model. */
#define NEURON_POPULATION "neurons"
#define UNIT_POPULATION   "feedforward"

enum { VARIABLES_MAX = 32, COLUMNS_MAX = 160, POPULATIONS_MAX = 8, FIGURES_MAX = 48 };
typedef struct { variable entry[VARIABLES_MAX]; int count; } variable_list;

/** A column of nodes.h5. */
typedef struct {
    const char *name;                                            /**< "trained", "dynamics_params/bias" */
    int index;                                                   /**< tells columns of one function apart */
    double (*value)(const void *self, int index, int64_t node);  /**< of one of this rank's nodes */
} node_column;

/** A population of nodes.h5. */
typedef struct {
    const char *name;                                  /**< "neurons" */
    partition part;
    const void *self;
    int (*type)(const void *self, int64_t node);       /**< index into type_name; NULL: all are of the first */
    const char *type_name[4];                          /**< model name; "virtual" without a model */
    int types;
    node_column column[COLUMNS_MAX];
    int columns;
} node_population;
typedef struct { node_population entry[POPULATIONS_MAX]; int count; } node_list;

/** Populations of edges.h5: made a stretch at a time while they are written, ordered by target. */
typedef struct {
    sonata_edges entry[POPULATIONS_MAX];
    void (*release[POPULATIONS_MAX])(void *self);      /**< of the entry's self, once it is written; NULL: nothing to free */
    int count;
} edge_list;

/** A number for run.json or test.json. Figures with the same group, one after the other, make an object of that name. */
typedef struct {
    const char *group, *name; /**< group NULL: on its own */
    double value;             /**< NAN: null */
    bool whole;               /**< a count: printed as a whole number */
} figure;
typedef struct { figure entry[FIGURES_MAX]; int count; } figure_list;

/* Append to a list; beyond its bound that ends the job. What entries point to is borrowed. Not collective. */

void variable_add(variable_list *list, variable variable);
/** @return the population in the list, to add columns to it; borrowed */
node_population *node_add(node_list *list, node_population population);
void node_column_add(node_population *population, const char *name, int index, double (*value)(const void *self, int index, int64_t node));
void edge_add(edge_list *list, sonata_edges edges, void (*release)(void *self));
void figure_add(figure_list *list, const char *group, const char *name, double value);
void figure_add_count(figure_list *list, const char *group, const char *name, int64_t value);

#endif
