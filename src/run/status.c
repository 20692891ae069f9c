#include "engram/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engram/context.h"

enum { MESSAGE_BYTES = 65536 };

static char messages[MESSAGE_BYTES];

status status_fail(status code, const char *format, ...) {
    size_t used = strlen(messages);
    if (used && used + 1 < sizeof messages) {
        messages[used++] = '\n';
        messages[used] = '\0';
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(messages + used, sizeof messages - used, format, arguments);
    va_end(arguments);
    return code;
}

const char *status_message(void) {
    return messages;
}

void status_forget(void) {
    messages[0] = '\0';
}

status status_agree(const context *context, status mine) {
    struct { int code, rank; } local = {(int)mine, context->rank}, worst;
    CHECK_MPI(MPI_Allreduce(&local, &worst, 1, MPI_2INT, MPI_MAXLOC, context->comm)); /* equal codes: the lowest rank */
    if (worst.code != STATUS_OK && context->groups) return (status)worst.code;
    if (worst.code != STATUS_OK && worst.rank == context->rank) {
        char *line = messages;
        while (*line) {
            size_t length = strcspn(line, "\n");
            fprintf(stderr, "engram: error: %.*s\n", (int)length, line);
            line += length;
            if (*line) line++;
        }
        fflush(stderr);
    }
    status_forget();
    return (status)worst.code;
}

status status_held(status code) {
    return messages[0] ? code : STATUS_OK;
}
