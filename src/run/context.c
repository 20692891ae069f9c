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

/** Those of this rank that wait: for context_abort(), which is told of no context. */
static log_warnings *waiting;

/** Behind those that wait already. */
static void keep_warning(log_warnings *warnings, const char *format, va_list arguments) {
    char *message, *text;
    if (vasprintf(&message, format, arguments) < 0) context_abort("memory: no room for a warning");
    if (asprintf(&text, "%sengram: warning: %s\n", warnings->text ? warnings->text : "", message) < 0) context_abort("memory: no room for a warning");
    free(message), free(warnings->text);
    warnings->text = text;
    waiting = warnings;
}

void log_warning(const context *context, const char *format, ...) {
    if (context->rank != 0 || context->group != 0) return;
    va_list arguments;
    va_start(arguments, format);
    if (context->warnings && context->warnings->wait) {
        keep_warning(context->warnings, format, arguments);
    } else {
        fputs("engram: warning: ", stderr);
        vfprintf(stderr, format, arguments);
        fputc('\n', stderr);
    }
    va_end(arguments);
}

void log_warnings_release(const context *context) {
    log_warnings *warnings = context->warnings;
    if (!warnings) return;
    if (warnings->text) fputs(warnings->text, stderr);
    free(warnings->text);
    *warnings = (log_warnings){0};
    waiting = NULL;
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
    if (waiting) fputs(waiting->text, stderr); /* memory that is refused is no bug: what was found before may say why */
    fflush(stderr);
    if (initialised) MPI_Abort(MPI_COMM_WORLD, 1);
    _Exit(1);
}
