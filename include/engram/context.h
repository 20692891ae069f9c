/** @file context.h
 *  The MPI job that this process is part of, its log, and the hard way out.
 */
#ifndef ENGRAM_CONTEXT_H
#define ENGRAM_CONTEXT_H

#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

/** Warnings that wait until it is known whether the run is refused: why it is stands before them. */
typedef struct {
    bool wait;
    char *text; /**< owned; NULL: none yet */
} log_warnings;

/** The job. Passed explicitly; never global. */
typedef struct context {
    MPI_Comm comm; /**< communicator of all ranks, not owned */
    int rank;      /**< this process, 0 .. ranks-1 */
    int ranks;     /**< number of processes */
    bool quiet;    /**< log only warnings */
    int groups;    /**< more than 0: comm is one of several groups of ranks that a job is divided into */
    int group;     /**< which; only group 0 logs and warns */
    log_warnings *warnings; /**< borrowed; NULL: none wait */
} context;

/** Describe the job of @p comm. Collective over comm; MPI must be initialised. */
context context_of(MPI_Comm comm);

/** Where this rank's part stands when the parts of all ranks follow one another: elements of the ranks before it. Collective.
 *  @param mine elements of this rank @param[out] total of all ranks; NULL: not wanted, on every rank */
int64_t context_first(const context *context, int64_t mine, int64_t *total);

/** Print one line on rank 0 (stdout, flushed); silent on other ranks, in other groups than the first, and when quiet. Not collective. */
void log_line(const context *context, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Print one line "engram: warning: ..." on rank 0 of the first group (stderr), at once or, if warnings wait, later. Not collective. */
void log_warning(const context *context, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Print the warnings that waited; from now on none do. Not collective. */
void log_warnings_release(const context *context);

/** End the whole job at once: a bug, or a library call that failed on this rank only. Not collective.
 *  Prints the rank and the message, and warnings of this rank that wait, then MPI_Abort with code 1. */
void context_abort(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/** Abort when an MPI or HDF5 call (@p what) returned failure. Not collective. */
#define CHECK_MPI(call)                                                                   \
    do {                                                                                  \
        if ((call) != MPI_SUCCESS) context_abort("%s:%d: %s failed", __FILE__, __LINE__, #call); \
    } while (0)

#endif
