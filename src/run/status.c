#include "engram/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engram/context.h"
#include "engram/utf8.h"

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

/** What a message quotes of a file may be anything: where a terminal would take a control character for an order, and where a byte is no UTF-8 (a name that
 *  was cut begins or ends so), there is a question mark. */
static void make_printable(char *text) {
    for (int length; *text; text += length ? length : 1) {
        length = utf8_length(text);
        if (length == 0 || (utf8_is_control(*text) && *text != '\n')) *text = '?';
    }
}

void status_print(void) {
    make_printable(messages);
    for (char *line = messages; *line; line += *line != '\0') {
        size_t length = strcspn(line, "\n");
        fprintf(stderr, "engram: error: %.*s\n", (int)length, line);
        line += length;
    }
    fflush(stderr);
    status_forget();
}

/** To rank 0, whose warnings come behind it: what two ranks print, a launcher may put in any order. */
static void bring_message(const context *context, int from) {
    enum { TAG = 1 };
    if (context->rank == from) CHECK_MPI(MPI_Send(messages, (int)strlen(messages) + 1, MPI_CHAR, 0, TAG, context->comm));
    if (context->rank == 0) CHECK_MPI(MPI_Recv(messages, MESSAGE_BYTES, MPI_CHAR, from, TAG, context->comm, MPI_STATUS_IGNORE));
}

status status_agree(const context *context, status mine) {
    struct { int code, rank; } local = {(int)mine, context->rank}, worst;
    CHECK_MPI(MPI_Allreduce(&local, &worst, 1, MPI_2INT, MPI_MAXLOC, context->comm)); /* equal codes: the lowest rank */
    if (worst.code != STATUS_OK && context->groups) return (status)worst.code;
    if (worst.code != STATUS_OK && worst.rank != 0) bring_message(context, worst.rank);
    if (worst.code != STATUS_OK && context->rank == 0) status_print();
    status_forget();
    return (status)worst.code;
}

status status_held(status code) {
    return messages[0] ? code : STATUS_OK;
}
