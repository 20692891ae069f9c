/* What the system `patterns` holds: a network in which every neuron learns a pattern of its own, and what is measured of it. */
#ifndef ENGRAM_PATTERNS_H
#define ENGRAM_PATTERNS_H

#include "simulation.h"
#include "tracker.h"

typedef struct patterns {
    simulation *sim;
    tracker *tracker;    /* of loops and of tests; NULL until it is used */
    const added_output *output;
    trial_result result; /* of the last loop */
    double **average;    /* [tasks] [instants][mine] averages of the last loop of each task, NULL where there is none yet */
    double *last;        /* that of the task whose last loop runs now, borrowed */
    bool warned;         /* of silence in the target window */
    struct patterns_test *test; /* trials that are run now (testing.h), NULL: none */
    char type_name[2][64]; /* of excitatory and inhibitory neurons in nodes.h5 */
} patterns;

/** What a checkpoint holds: hooks of learning_system. */
void patterns_state(void *self, state_part part, state_list *list);
void patterns_save(void *self, h5_file *file);
void patterns_load(void *self, h5_reader *reader);

/** Over how many neurons scores are, as run.json and test.json say it. Not collective. */
void patterns_scored(const simulation *sim, figure_list *figures);

/** Populations of nodes.h5 and edges.h5, and targets.h5: hooks of learning_system. */
void patterns_nodes(void *self, node_list *list);
void patterns_edges(void *self, bool plastic_only, edge_list *list);
void patterns_results(void *self, h5_file *file);

#endif
