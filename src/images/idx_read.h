/** @file idx_read.h
 *  IDX files, plain or compressed with gzip (of one member or several), of somebody else: nothing is allocated before the file is found to hold it.
 *  One rank reads.
 *
 *  A file begins with two bytes of 0, the type of a value (8: unsigned byte, the only one that is read) and the number of axes; then, as big-endian integers of
 *  32 bits, the length of each axis; then the values. Images have axes [sample][row][column] or [sample][column], labels [sample].
 */
#ifndef IMAGES_IDX_READ_H
#define IMAGES_IDX_READ_H

#include <zlib.h>

#include "data.h"

typedef struct {
    const char *path;   /**< for messages, borrowed */
    gzFile stream;      /**< NULL: not open */
    int descriptor;     /**< the stream's */
    int64_t file_bytes; /**< of the file itself */
    int64_t count;
    int rows, columns;  /**< of a sample; 1 for labels */
    int64_t begin;      /**< where values begin */
} idx_file;

enum { IDX_LABELS = 1, IDX_IMAGES = 3 }; /**< axes that are expected, at most */

/** Open and read the header. @param descriptor taken @return anything but STATUS_OK after status_fail(), with nothing to close */
status idx_open(const char *path, int descriptor, int axes, idx_file *file);
void idx_close(idx_file *file);

/** Are images of the shape of others? @param others the file of those to train with, as @p config has it @return as above; the file stays open */
status idx_check_shape(const idx_file *file, const config *config, const char *others, int rows, int columns);

/** Read the labels. @param[out] labels [count] of the file, memory_free(); NULL on failure @return as above; the file stays open */
status idx_read_labels(idx_file *file, uint8_t **labels);

/** Read samples. @param keep [count] which; NULL: all @param[in,out] data its values are made here, as many as are kept */
status idx_read_images(idx_file *file, const bool *keep, image_data *data);

#endif
