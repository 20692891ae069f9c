/** @file h5_server.h
 *  The process that opens an HDF5 file for h5_foreign.c: the same program, started under the name SERVER_NAME with a socket as standard input.
 *  It never comes to MPI. Started with posix_spawn(), which leaves the memory of an MPI process alone; fork() does not where networks register it.
 */
#ifndef ENGRAM_IO_H5_SERVER_H
#define ENGRAM_IO_H5_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "h5_foreign.h"

#define SERVER_NAME "engram-hdf5-reader"

/** Processor time for a request: at least this, and more where there is more to unpack. */
enum { SERVER_SECONDS = 10, SERVER_BYTES_A_SECOND = 20000000 };

typedef enum {
    SERVER_OPEN, SERVER_LINKS, SERVER_EXISTS, SERVER_INTEGERS, /* of a file */
    SERVER_DATASET, SERVER_CHUNK, SERVER_CLOSE, SERVER_BOX, SERVER_TEXTS, SERVER_ATTRIBUTE, /* of a dataset */
} server_verb;

/** What is asked; which members are used depends on the verb. */
typedef struct {
    server_verb verb;
    int64_t dataset;
    int64_t first[H5_INPUT_AXES], extent[H5_INPUT_AXES]; /**< of a box */
    int64_t elements; /**< of a box, or of all texts */
    foreign_type type;
    int dimensions, kinds;
    char name[4096]; /**< path of the file; of a group, dataset or attribute */
} server_request;

/** What is answered. */
typedef struct {
    status code;
    int64_t bytes;      /**< that follow */
    foreign_dataset dataset;
    int64_t chunk[H5_INPUT_AXES];
    int found;          /**< whether, or how many */
    char message[1024]; /**< what status_fail() had to say */
} server_answer;

/** True in a process that was started to be a server. To be asked first of all in main(). */
bool server_is_wanted(int argc, char **argv);

/** Answer until the socket closes. @return exit code */
int server_run(void);

/** Send or receive all of @p size bytes. @return false when the other end is gone */
bool server_send(int socket, const void *data, size_t size);
bool server_receive(int socket, void *data, size_t size);

#endif
