/** @file status.h
 *  What a function that can fail returns, and how ranks agree on it.
 *
 *  A failure is recorded once, where it is noticed, with status_fail(); callers pass the code on.
 *  The ranks then agree with status_agree(), which prints one message for the whole job.
 *  A bug or a failing library call on one rank is not a status: see context_abort() in context.h.
 */
#ifndef ENGRAM_STATUS_H
#define ENGRAM_STATUS_H

#include <errno.h>
#include <stdbool.h>

struct context;

/** Exit codes of the program, and return codes of everything inside it. */
typedef enum {
    STATUS_OK = 0,         /**< done */
    STATUS_FAILURE = 1,    /**< the machine's fault: disk full, unreadable file, library error */
    STATUS_INPUT = 2,      /**< the user's input: usage, parameter file, data file */
    STATUS_NUMERIC = 4,    /**< drive not finite, P not positive definite */
    STATUS_RESUMABLE = 75, /**< stopped before the end, can be resumed */
} status;

/** The worse of two codes. */
static inline status status_worse(status a, status b) { return a > b ? a : b; }

/** What a file is that cannot be opened or read: a wrong name is the user's input, anything else (permission, disk) the machine's fault.
 *  @param error  errno */
static inline status status_unreadable(int error) {
    bool name = error == ENOENT || error == ENOTDIR || error == EISDIR || error == ELOOP || error == ENAMETOOLONG;
    return name ? STATUS_INPUT : STATUS_FAILURE;
}

/** Remember a message on this rank and return @p code.
 *  Not collective. Messages add up, one a line, in the order of the calls, until status_agree() prints them.
 *  @param code    anything but STATUS_OK
 *  @param format  printf format, without a final newline */
status status_fail(status code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Messages remembered on this rank since the last status_agree(), or "" if there are none. Not collective. Borrowed. */
const char *status_message(void);

/** Forget the messages remembered on this rank. Not collective. */
void status_forget(void);

/** Print the messages remembered on this rank to stderr, each prefixed "engram: error: ", and forget them. Not collective. */
void status_print(void);

/** Agree on the worst status of all ranks and print the messages of one of them.
 *  Collective. Rank 0 prints those of the lowest rank with the largest code to stderr, prefixed "engram: error: "; all ranks forget theirs.
 *  In one of several groups of ranks nothing is printed and, after a failure, nothing forgotten: the whole job agrees later (status_held()).
 *  @return the same code on every rank */
status status_agree(const struct context *context, status mine);

/** What this rank brings to the agreement of the whole job after its group has agreed on @p code: the code if a message is remembered here. Not collective. */
status status_held(status code);

#endif
