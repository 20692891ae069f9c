#include <stdio.h>
#include <string.h>

#include "engram/system.h"
#include "engram/training.h"

#define ADD(list, most, what)                                                                  \
    do {                                                                                       \
        if ((list)->count == (most)) context_abort("a system offers more than %d " what, most); \
    } while (0)

void variable_add(variable_list *list, variable variable) {
    ADD(list, VARIABLES_MAX, "variables");
    list->entry[list->count++] = variable;
}

node_population *node_add(node_list *list, node_population population) {
    ADD(list, POPULATIONS_MAX, "populations of nodes");
    list->entry[list->count] = population;
    return &list->entry[list->count++];
}

void node_column_add(node_population *population, const char *name, int index, double (*value)(const void *self, int index, int64_t node)) {
    if (population->columns == COLUMNS_MAX) context_abort("a system offers more than %d columns of nodes", COLUMNS_MAX);
    population->column[population->columns++] = (node_column){name, index, value};
}

void edge_add(edge_list *list, sonata_edges edges, void (*release)(void *self)) {
    ADD(list, POPULATIONS_MAX, "populations of edges");
    list->entry[list->count] = edges;
    list->release[list->count++] = release;
}

static void add(figure_list *list, figure figure) {
    ADD(list, FIGURES_MAX, "figures");
    list->entry[list->count++] = figure;
}

void figure_add(figure_list *list, const char *group, const char *name, double value) {
    add(list, (figure){group, name, value, false});
}

void figure_add_count(figure_list *list, const char *group, const char *name, int64_t value) {
    add(list, (figure){group, name, (double)value, true});
}

/* ---- what is measured, for engram list ---- */

static void print_metrics(const metric *metrics, int count, const char *before, FILE *out) {
    int width = 0;
    for (int m = 0; m < count; m++) {
        int length = (int)(strlen(before) + strlen(metrics[m].name));
        if (length > width) width = length;
    }
    for (int m = 0; m < count; m++) {
        const char *better = metrics[m].better > 0 ? "; higher is better" : metrics[m].better < 0 ? "; lower is better" : "";
        fprintf(out, "    %s%-*s  %-4s  %s%s\n", before, width - (int)strlen(before), metrics[m].name,
                strcmp(metrics[m].unit, "1") == 0 ? "-" : metrics[m].unit, metrics[m].help, better);
    }
}

void metrics_list(const char *name, FILE *out) {
    for (int s = 0; learning_systems[s]; s++) {
        const learning_system *system = learning_systems[s];
        if (strcmp(system->name, name) != 0) continue;
        if (system->metric_count) fputs("\nWhat a loop of training measures (metrics.csv; the first is its score):\n", out);
        print_metrics(system->metrics, system->metric_count, "", out);
        if (system->score_count) fputs("\nScores of tests (columns of metrics.csv with test.every; test.json, test.h5):\n", out);
        print_metrics(system->scores, system->score_count, "test_", out);
    }
}
