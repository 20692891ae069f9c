/** @file fuzz_idx.c
 *  IDX files from random bytes, plain and compressed, as images and as labels. What is accepted must be as src/images/idx_read.h promises.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "images/idx_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int as_file(const uint8_t *data, size_t size) {
    int descriptor = memfd_create("fuzz", 0);
    if (descriptor < 0 || write(descriptor, data, size) != (ssize_t)size || lseek(descriptor, 0, SEEK_SET) != 0) abort();
    return descriptor;
}

static void read_labels(idx_file *file) {
    uint8_t *labels, sum = 0;
    if (file->rows != 1 || file->columns != 1) abort();
    if (idx_read_labels(file, &labels) != STATUS_OK) abort(); /* its length was found to be right */
    for (int64_t n = 0; n < file->count; n++) sum ^= labels[n];
    if (sum == 1) status_forget(); /* so that the labels are looked at */
    memory_free(labels);
}

static void read_images(idx_file *file, bool some) {
    image_data images;
    bool *keep = some ? memory_new(MEMORY_BUFFERS, (size_t)file->count, sizeof *keep) : NULL;
    for (int64_t n = 0; some && n < file->count; n++) keep[n] = n % 3 == 1;
    if (idx_read_images(file, keep, &images) != STATUS_OK) abort();
    if (images.count != (some ? (file->count + 1) / 3 : file->count) || images.each != (int64_t)file->rows * file->columns) abort();
    double sum = 0;
    for (int64_t i = 0; i < images.count * images.each; i++) sum += data_value(&images, i);
    if (!(sum >= 0)) abort();
    memory_free(images.values), memory_free(keep);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    for (int way = 0; way < 3; way++) {
        idx_file file;
        status read = idx_open("input", as_file(data, size), way == 0 ? IDX_LABELS : IDX_IMAGES, &file);
        if (read == STATUS_OK) {
            if (file.count < 1 || file.rows < 1 || file.columns < 1) abort();
            if (way == 0) read_labels(&file);
            else read_images(&file, way == 2);
            idx_close(&file);
        } else if (!*status_message()) abort(); /* refused without a word */
        status_forget();
    }
    return 0;
}
