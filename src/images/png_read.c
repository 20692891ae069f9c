#include "png_read.h"

#include <dirent.h>
#include <errno.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engram/files.h"

static const int64_t PIXELS_PER_BYTE = 8 * 1032; /* of the file, at most: deflate, and 8 pixels to a byte */

static int is_png(const struct dirent *entry) {
    const char *dot = strrchr(entry->d_name, '.');
    return dot && dot != entry->d_name && strcasecmp(dot, ".png") == 0;
}

static int in_order(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

void png_list_free(char **names, int count) {
    for (int i = 0; names && i < count; i++) free(names[i]);
    free(names);
}

status png_list(const char *folder, char ***names, int *count) {
    struct dirent **entries;
    *names = NULL, *count = 0;
    int found = scandir(folder, &entries, is_png, in_order);
    if (found < 0)
        return status_fail(status_unreadable(errno), "%s: cannot be read as a folder of PNG images: %s", folder, strerror(errno));
    status read = STATUS_OK;
    if (found == 0) read = status_fail(STATUS_INPUT, "%s: there are no PNG images in this folder (*.png)", folder);
    if (found > PNG_FILES_MAX) read = status_fail(STATUS_INPUT, "%s: there are %d PNG images in this folder: allowed are %d", folder, found, PNG_FILES_MAX);
    char **all = calloc((size_t)found + 1, sizeof *all);
    for (int i = 0; i < found; i++) {
        if (all && read == STATUS_OK && asprintf(&all[i], "%s/%s", folder, entries[i]->d_name) < 0) context_abort("images: no memory for names");
        free(entries[i]);
    }
    free(entries);
    if (read == STATUS_OK) *names = all, *count = found;
    else free(all);
    return read;
}

static double luminance(const png_byte *pixel) {
    if (pixel[0] == pixel[1] && pixel[0] == pixel[2]) return pixel[0];
    return 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
}

static status refuse(const char *path, const png_image *image) {
    return status_fail(STATUS_INPUT, "%s: cannot be read as PNG: %s", path, image->message);
}

/** @param image begun */
static status check_size(const char *path, const png_image *image, int64_t bytes) {
    int64_t pixels = (int64_t)image->width * (int64_t)image->height;
    if (pixels / PIXELS_PER_BYTE > bytes)
        return status_fail(STATUS_INPUT, "%s: has %lld bytes, which cannot hold %lld x %lld pixels", path, (long long)bytes, (long long)image->width,
                           (long long)image->height);
    if (pixels <= PNG_PIXELS_MAX) return STATUS_OK;
    return status_fail(STATUS_INPUT, "%s: has %lld x %lld pixels: allowed are %d together", path, (long long)image->width, (long long)image->height,
                       PNG_PIXELS_MAX);
}

static status read_pixels(const char *path, png_image *image, double **grey) {
    size_t pixels = (size_t)image->width * (size_t)image->height;
    image->format = PNG_FORMAT_RGB;
    image->flags |= PNG_IMAGE_FLAG_16BIT_sRGB; /* 16 bits mean what 8 do; libpng takes them for linear else */
    png_byte *bytes = memory_new(MEMORY_BUFFERS, pixels, 3);
    const png_color black = {0, 0, 0};
    status read = png_image_finish_read(image, &black, bytes, 0, NULL) ? STATUS_OK : refuse(path, image);
    if (read == STATUS_OK) {
        *grey = memory_new(MEMORY_BUFFERS, pixels, sizeof **grey);
        for (size_t i = 0; i < pixels; i++) (*grey)[i] = luminance(bytes + 3 * i);
    }
    memory_free(bytes);
    return read;
}

status png_read(const char *path, int *height, int *width, double **grey) {
    if (grey) *grey = NULL;
    int descriptor = file_open_input(path);
    if (descriptor < 0) return status_fail(errno == FILE_IRREGULAR ? STATUS_INPUT : status_unreadable(errno), "%s: cannot be read: %s", path, file_why(errno));
    struct stat about = {0};
    FILE *file = fstat(descriptor, &about) == 0 ? fdopen(descriptor, "rb") : NULL;
    if (!file) {
        close(descriptor);
        return status_fail(STATUS_FAILURE, "%s: cannot be read: %s", path, strerror(errno));
    }
    png_image image = {.version = PNG_IMAGE_VERSION};
    status read = png_image_begin_read_from_stdio(&image, file) ? check_size(path, &image, about.st_size) : refuse(path, &image);
    *height = (int)image.height, *width = (int)image.width;
    if (read == STATUS_OK && grey) read = read_pixels(path, &image, grey);
    png_image_free(&image);
    fclose(file);
    return read;
}
