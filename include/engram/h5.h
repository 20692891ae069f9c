/** @file h5.h
 *  Parallel HDF5 files that appear under their name only when they are complete.
 *
 *  A file is written as NAME.part by all ranks, closed, synced by rank 0, renamed to NAME, and its directory synced.
 *  Errors of any HDF5 call or of the file system are kept in the handle and come out of h5_commit(), so that callers need not test each write.
 */
#ifndef ENGRAM_H5_H
#define ENGRAM_H5_H

#include <stdbool.h>
#include <stdint.h>

#include "engram/context.h"
#include "engram/partition.h"
#include "engram/status.h"

/** Element type of a dataset or attribute; stored little-endian. */
typedef enum { H5_INT8, H5_UINT8, H5_UINT16, H5_INT32, H5_UINT32, H5_INT64, H5_UINT64, H5_FLOAT32, H5_FLOAT64 } h5_type;

typedef struct h5_file h5_file;

enum { H5_AXES = 8, H5_UNDIVIDED = -1 };

/** What a dataset holds, and the block of it that is this rank's. Its elements are apart from it: row-major, of the global shape but for @p mine along @p axis.
 *  Made by the functions below, or by hand. */
typedef struct {
    h5_type type;
    int dimensions;         /**< number of axes, at most H5_AXES; 0: a scalar */
    int64_t shape[H5_AXES]; /**< [dimensions] global shape; shape[axis] is the sum of mine over the ranks that write */
    int axis;               /**< along which it is divided among the ranks, or H5_UNDIVIDED: all of it is written by rank 0, and read by each rank that asks */
    int64_t first;          /**< my first index along the axis */
    int64_t mine;           /**< my extent along the axis; may be 0 */
    bool compress;          /**< to be written chunked, with shuffle and gzip 1, when it pays, else contiguous; not looked at when it is read */
} h5_dataset;

/** [count], not divided. */
static inline h5_dataset h5_whole(h5_type type, int64_t count) {
    return (h5_dataset){.type = type, .dimensions = 1, .shape = {count}, .axis = H5_UNDIVIDED};
}

/** [total], of which @p mine from @p first on are mine. */
static inline h5_dataset h5_slice(h5_type type, int64_t total, int64_t first, int64_t mine) {
    return (h5_dataset){.type = type, .dimensions = 1, .shape = {total}, .first = first, .mine = mine};
}

/** [part->total]: one element for each neuron. */
static inline h5_dataset h5_neurons(h5_type type, const partition *part) {
    return h5_slice(type, part->total, part->first, part->mine);
}

/** [part->total][columns]: a row for each neuron. */
static inline h5_dataset h5_rows(h5_type type, const partition *part, int64_t columns) {
    return (h5_dataset){.type = type, .dimensions = 2, .shape = {part->total, columns}, .axis = 0, .first = part->first, .mine = part->mine};
}

/** [rows][part->total]: a column for each neuron. */
static inline h5_dataset h5_columns(h5_type type, const partition *part, int64_t rows) {
    return (h5_dataset){.type = type, .dimensions = 2, .shape = {rows, part->total}, .axis = 1, .first = part->first, .mine = part->mine};
}

/** The same, to be compressed when it pays. */
static inline h5_dataset h5_compressed(h5_dataset dataset) {
    dataset.compress = true;
    return dataset;
}

/** Start writing @p path. Collective.
 *  Root attributes: magic, version (SONATA), and "configuration" = @p configuration (YAML text, UTF-8; NULL for none). @return owned; never NULL */
h5_file *h5_create(const context *context, const char *path, const char *configuration);

/** Create a group and its missing parents. Collective. */
void h5_group(h5_file *file, const char *group);

/** Write a dataset, with the groups above it. Collective; ranks with nothing pass mine = 0.
 *  @param dataset the same on all ranks but for first and mine, which must divide its axis (else the job is aborted)
 *  @param data    my block; borrowed */
void h5_write(h5_file *file, const char *name, h5_dataset dataset, const void *data);

/** A one-dimensional dataset of texts in UTF-8, of fixed length (that of the longest), padded with zeros. Collective; same on all ranks. */
void h5_write_texts(h5_file *file, const char *dataset, int count, const char *const *texts);

/** Makes what this rank's share of a dataset has at its indices @p from .. from+count-1 of the divided axis: elements of the dataset's shape, but for @p count
 *  along that axis (of columns: [rows][count]). */
typedef void (*h5_make)(void *self, int64_t from, int64_t count, void *elements);

/** As h5_write(), of a dataset that is divided: this rank makes its share while it is written, some 16 MiB (but whole chunks) at a time and in order.
 *  Collective. @param make called with @p self on each rank as often as it needs; must not communicate */
void h5_write_made(h5_file *file, const char *name, h5_dataset dataset, h5_make make, void *self);

/** A one-dimensional dataset of @p total elements that is written piece by piece, without ever being in memory as a whole.
 *  Begin and end are collective; between them each rank puts its @p mine elements, from index @p first on, in pieces of any size, on its own. */
void h5_stream_begin(h5_file *file, const char *dataset, h5_type type, int64_t total, int64_t first, int64_t mine);
void h5_stream_put(h5_file *file, const void *data, int64_t count); /**< not collective; copied */
void h5_stream_end(h5_file *file);

/** Attributes of an existing object ("/" for the root). Collective; same values on all ranks. Text is UTF-8 of variable length (utf8_from_bytes()). */
void h5_attribute_text(h5_file *file, const char *object, const char *name, const char *text);
void h5_attribute(h5_file *file, const char *object, const char *name, h5_type type, int count, const void *values); /**< count 0: scalar */
/** SONATA's `sorting`: an enumeration over int8 {none=0, by_id=1, by_time=2}. */
void h5_attribute_sorting(h5_file *file, const char *object, int value);

/** Hard link @p link to the existing @p target. Collective. */
void h5_link(h5_file *file, const char *target, const char *link);

/** Let h5_commit() append checksums of the whole file (io/seal.h), so that a reader notices any damage. Not collective: same on all ranks. */
void h5_seal(h5_file *file);

/** Let h5_commit() remove @p beside, if it is there, right before the file takes its name: what tells of an older file of that name must not stand beside this
 *  one, nor go where this one fails. Not collective: same on all ranks. */
void h5_replaces(h5_file *file, const char *beside);

/** Close, sync, rename. Collective. Frees the handle.
 *  @return STATUS_FAILURE on every rank (message remembered on one, not yet printed; NAME.part removed, an older NAME untouched) if anything failed since
 *  h5_create() */
status h5_commit(h5_file *file);

/** Has some h5_commit() left a file open that HDF5 could not close? Then the process has to end without MPI_Finalize(), in which HDF5 would try again, and
 *  crash. Not collective. */
bool h5_left_open(void);

/** Reading back what was written above, on any number of ranks. Every rank reads for itself; nothing is collective. A failure makes
 *  all later calls do nothing and comes out of h5_reader_close(). */
typedef struct h5_reader h5_reader;

/** @return owned; never NULL */
h5_reader *h5_reader_open(const char *path);
bool h5_reader_has(h5_reader *reader, const char *object); /**< false after a failure */
/** My block of a dataset, which must have this shape and kind of element. @param[out] data as in h5_write(), of the caller */
void h5_read(h5_reader *reader, const char *name, h5_dataset dataset, void *data);
/** Length of a one-dimensional dataset, -1 after a failure. */
int64_t h5_reader_length(h5_reader *reader, const char *dataset);
/** Counterpart of h5_stream_begin() and h5_stream_put(). */
void h5_reader_stream(h5_reader *reader, const char *dataset, h5_type type, int64_t total, int64_t first, int64_t mine);
void h5_reader_take(h5_reader *reader, void *data, int64_t count);
void h5_reader_attribute(h5_reader *reader, const char *object, const char *name, h5_type type, int count, void *values);
char *h5_reader_text(h5_reader *reader, const char *object, const char *name); /**< owned, free(); "" after a failure */
/** Make the reading fail with a message of the caller's; the first failure counts. */
void h5_reader_fail(h5_reader *reader, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Frees the reader. @return STATUS_INPUT (message remembered, naming the file; not agreed) if anything failed */
status h5_reader_close(h5_reader *reader);

#endif
