/* Where the memory is, as a table in the log. */
#include "memory_report.h"

#include <stdio.h>
#include <string.h>

#include "engram/memory.h"

enum { NARROWEST = 8, LINE_BYTES = 512 };

static int width_of(int figure) {
    int width = (int)strlen(memory_figure_name(figure));
    return width > NARROWEST ? width : NARROWEST;
}

static void print_head(const context *context, const char *when) {
    char line[LINE_BYTES];
    int at = snprintf(line, sizeof line, "%-20s", when);
    for (int k = 0; k < MEMORY_FIGURES; k++) at += snprintf(line + at, sizeof line - (size_t)at, " %*s", width_of(k), memory_figure_name(k));
    log_line(context, "%s", line);
}

static void print_row(const context *context, const char *whose, const double *mib) {
    char line[LINE_BYTES];
    int at = snprintf(line, sizeof line, "%-20s", whose);
    for (int k = 0; k < MEMORY_FIGURES; k++) at += snprintf(line + at, sizeof line - (size_t)at, " %*.1f", width_of(k), mib[k]);
    log_line(context, "%s", line);
}

void memory_report(const context *context, const char *when) {
    double mine[MEMORY_FIGURES], all[MEMORY_FIGURES] = {0}, largest[MEMORY_FIGURES] = {0};
    char title[64];
    memory_figures(mine);
    CHECK_MPI(MPI_Reduce(mine, all, MEMORY_FIGURES, MPI_DOUBLE, MPI_SUM, 0, context->comm));
    CHECK_MPI(MPI_Reduce(mine, largest, MEMORY_FIGURES, MPI_DOUBLE, MPI_MAX, 0, context->comm));
    snprintf(title, sizeof title, "memory %s, MiB", when);
    print_head(context, title);
    snprintf(title, sizeof title, "  %d rank%s", context->ranks, context->ranks > 1 ? "s" : "");
    print_row(context, title, all);
    if (context->ranks > 1) print_row(context, "  largest of a rank", largest);
}
