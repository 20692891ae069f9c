#include "engram/metric.h"

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
