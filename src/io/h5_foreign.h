/** @file h5_foreign.h
 *  HDF5 files that somebody else wrote, read at arm's length: HDF5 1.10.8 crashes or loops on some damaged files (70 of 9000 tables with texts of
 *  variable length; none of 9000 files of edges), so no rank opens one itself. A server (h5_server.h), a process of its own, opens the file,
 *  checks it with h5_input.h and answers the requests below over a socket. When it crashes, or uses up the processor time that a request is given,
 *  the file is refused like any other damaged one.
 *
 *  Not collective: the rank that calls reads. Mistakes become status_fail(STATUS_INPUT, ...) naming file and dataset.
 */
#ifndef ENGRAM_IO_H5_FOREIGN_H
#define ENGRAM_IO_H5_FOREIGN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "engram/status.h"
#include "h5_input.h"

enum {
    FOREIGN_TEXT_BYTES = 256, /**< of a name or a text, with its final zero */
    FOREIGN_LINKS = 1000,     /**< members of a group that are looked at */
};

/** A text of a file: it ends in a zero, and may hold anything else. */
typedef struct { char text[FOREIGN_TEXT_BYTES]; } foreign_text;

/** What rows are converted to; 8 bytes each. */
typedef enum { FOREIGN_DOUBLE, FOREIGN_INT64, FOREIGN_UINT64 } foreign_type;

/** An open file. */
typedef struct {
    const char *path; /**< for messages, borrowed */
    pid_t server;     /**< 0: none */
    int socket;       /**< to the server */
    status lost;      /**< STATUS_OK while the server answers; then what its end was reported as, and what every request returns */
} foreign_file;

/** An open dataset whose type, shape and storage are consistent. */
typedef struct {
    foreign_file *file;           /**< borrowed; NULL: not open */
    const char *name;             /**< for messages, borrowed */
    int64_t id;                   /**< the server's */
    int kind;                     /**< one of H5_INPUT_... */
    int is_signed;                /**< of an integer: 1 */
    int dimensions;               /**< at most H5_INPUT_AXES */
    int64_t shape[H5_INPUT_AXES]; /**< 1 beyond dimensions */
    int64_t count;                /**< product of shape */
} foreign_dataset;

/** Open @p path for reading. @return anything but STATUS_OK after status_fail(); @p file may be closed all the same */
status foreign_open(const char *path, foreign_file *file);

void foreign_close(foreign_file *file);

/** Names of the members of a group, the first FOREIGN_LINKS; longer ones are left out.
 *  @param[out] names  [count] free(); NULL on failure
 *  @return STATUS_INPUT without a message if there is no such group */
status foreign_links(foreign_file *file, const char *group, foreign_text **names, int *count);

/** Is there a link of that name? False also when the server is lost. */
bool foreign_exists(foreign_file *file, const char *name);

/** Open a dataset of @p dimensions axes (negative: of 1 to that many) that holds one of @p kinds (H5_INPUT_..., combined with |).
 *  @param tell  false: without a message when it is anything else, unless a filter that it is compressed with is missing here
 *  @return STATUS_INPUT with nothing to close when it is anything else */
status foreign_dataset_open(foreign_file *file, bool tell, const char *name, int dimensions, int kinds, foreign_dataset *dataset);

void foreign_dataset_close(foreign_dataset *dataset);

/** What is stored together, and is unpacked only once by who reads it box by box from now on; what begins at a multiple of its lengths.
 *  @param[out] chunk  [H5_INPUT_AXES], without chunks the shape */
status foreign_chunk(foreign_dataset *dataset, int64_t *chunk);

/** Read a box, indices [first, first+extent) along each axis, row-major, converted, into @p data. @param first, extent [H5_INPUT_AXES] */
status foreign_box(const foreign_dataset *dataset, const int64_t *first, const int64_t *extent, foreign_type type, void *data);

/** Read rows [first, first+rows) of the first axis. */
status foreign_rows(const foreign_dataset *dataset, int64_t first, int64_t rows, foreign_type type, void *data);

/** Read all texts of a dataset of H5_INPUT_TEXT, of fixed or variable length, blanks at the end removed. @param[out] texts  [count] */
status foreign_texts(const foreign_dataset *dataset, foreign_text *texts);

/** Read an integer attribute of the root. @param[out] count  values it has: 0 if it is missing, -1 if it is anything but one or two integers */
status foreign_integers(foreign_file *file, const char *name, int64_t values[2], int *count);

/** Read a text attribute of a dataset. @param[out] text  "" for anything too strange; @param[out] found  whether there is one */
status foreign_attribute(const foreign_dataset *dataset, const char *name, bool *found, foreign_text *text);

#endif
