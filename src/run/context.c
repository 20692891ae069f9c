#include "engram/context.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

context context_of(MPI_Comm comm) {
    context context = {.comm = comm};
    CHECK_MPI(MPI_Comm_rank(comm, &context.rank));
    CHECK_MPI(MPI_Comm_size(comm, &context.ranks));
    return context;
}

int64_t context_first(const context *context, int64_t mine, int64_t *total) {
    int64_t end;
    CHECK_MPI(MPI_Scan(&mine, &end, 1, MPI_INT64_T, MPI_SUM, context->comm));
    if (total) CHECK_MPI(MPI_Allreduce(&mine, total, 1, MPI_INT64_T, MPI_SUM, context->comm));
    return end - mine;
}

void log_line(const context *context, const char *format, ...) {
    if (context->rank != 0 || context->group != 0 || context->quiet) return;
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}

void log_warning(const context *context, const char *format, ...) {
    if (context->rank != 0 || context->group != 0) return;
    va_list arguments;
    va_start(arguments, format);
    fputs("engram: warning: ", stderr);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

void context_abort(const char *format, ...) {
    int rank = -1, initialised = 0;
    MPI_Initialized(&initialised);
    if (initialised) MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "engram: fatal (rank %d): ", rank);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    fflush(stderr);
    if (initialised) MPI_Abort(MPI_COMM_WORLD, 1);
    _Exit(1);
}
