/** @file png_read.h
 *  PNG files of somebody else as grey images. One rank reads.
 */
#ifndef IMAGES_PNG_READ_H
#define IMAGES_PNG_READ_H

#include "data.h"

enum { PNG_PIXELS_MAX = 1 << 26, PNG_FILES_MAX = 1000 };

/** Names of the PNG files of a folder (.png, .PNG), in order of their bytes. @param[out] names [count], free() each and all; NULL on failure
 *  @return STATUS_INPUT or STATUS_FAILURE after status_fail() */
status png_list(const char *folder, char ***names, int *count);
void png_list_free(char **names, int count);

/** Read the header, and with @p grey the image: luminance of sRGB by ITU-R BT.601, 0.299 R + 0.587 G + 0.114 B of 0 to 255; 16 bits become 8, and what is
 *  transparent is seen on black. @param[out] grey NULL: only the header; else [height][width], memory_free(), NULL on failure @return as above */
status png_read(const char *path, int *height, int *width, double **grey);

#endif
