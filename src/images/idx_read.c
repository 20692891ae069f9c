#include "idx_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engram/files.h"

enum { UNSIGNED_BYTE = 8, BUFFER = 1 << 16 };
static const int64_t COMPRESSION_MAX = 1032; /* of deflate */

/** What went wrong at or behind the end of what could be read. */
static status refuse(const idx_file *file, const char *what, int64_t got, int64_t wanted) {
    int code;
    const char *why = gzerror(file->stream, &code);
    if (code == Z_ERRNO) return status_fail(status_unreadable(errno), "%s: cannot be read: %s", file->path, strerror(errno));
    if (code == Z_BUF_ERROR || code == Z_OK || code == Z_STREAM_END)
        return status_fail(STATUS_INPUT, "%s: ends in its %s, after %lld of %lld bytes%s", file->path, what, (long long)got, (long long)wanted,
                           code == Z_BUF_ERROR ? ": the compressed file is cut off" : "");
    const char *colon = strstr(why, ": "); /* behind a name that gzdopen() made up */
    return status_fail(STATUS_INPUT, "%s: is damaged: gzip says %s", file->path, colon ? colon + 2 : why);
}

static status take(const idx_file *file, const char *what, void *bytes, int64_t wanted) {
    int64_t got = 0;
    while (got < wanted) {
        int64_t piece = wanted - got < 1 << 30 ? wanted - got : 1 << 30;
        int now = gzread(file->stream, (char *)bytes + got, (unsigned)piece);
        if (now <= 0) return refuse(file, what, got, wanted);
        got += now;
    }
    return STATUS_OK;
}

/** Where a compressed file is, that is unpacked to be counted. */
typedef struct {
    z_stream z;
    uint8_t in[BUFFER], out[BUFFER];
    int64_t read, unpacked; /**< bytes so far */
} unpacking;

/** Have something to unpack, if there is anything. */
static status refill(const idx_file *file, unpacking *at) {
    if (at->z.avail_in) return STATUS_OK;
    ssize_t got = pread(file->descriptor, at->in, BUFFER, at->read);
    if (got < 0) return status_fail(status_unreadable(errno), "%s: cannot be read: %s", file->path, strerror(errno));
    at->read += got;
    at->z.next_in = at->in, at->z.avail_in = (uInt)got;
    return STATUS_OK;
}

/** Unpack all members of a file, one behind the other. gzread() would end without a word at what is none. */
static status unpack(const idx_file *file, int64_t bytes, unpacking *at) {
    for (int done = Z_STREAM_END;;) {
        status read = refill(file, at);
        if (read != STATUS_OK) return read;
        int64_t begin = at->read - at->z.avail_in;
        if (at->z.avail_in == 0 && done == Z_STREAM_END) return STATUS_OK;
        if (at->z.avail_in == 0)
            return status_fail(STATUS_INPUT, "%s: ends in its %s, after %lld of %lld bytes: the compressed file is cut off", file->path,
                               at->unpacked < bytes ? "samples" : "last bytes", (long long)(at->unpacked - file->begin), (long long)(bytes - file->begin));
        if (done == Z_STREAM_END && begin > 0 && at->z.next_in[0] != 0x1f)
            return status_fail(STATUS_INPUT, "%s: has %lld bytes behind the end of what gzip made, at byte %lld, which are none of it", file->path,
                               (long long)(file->file_bytes - begin), (long long)begin);
        if (done == Z_STREAM_END) inflateReset(&at->z);
        at->z.next_out = at->out, at->z.avail_out = BUFFER;
        done = inflate(&at->z, Z_NO_FLUSH);
        at->unpacked += BUFFER - at->z.avail_out;
        if (done != Z_OK && done != Z_STREAM_END && done != Z_BUF_ERROR)
            return status_fail(done == Z_MEM_ERROR ? STATUS_FAILURE : STATUS_INPUT, "%s: is damaged: gzip says %s", file->path,
                               at->z.msg ? at->z.msg : zError(done));
        if (at->unpacked > bytes)
            return status_fail(STATUS_INPUT, "%s: goes on behind the %lld samples that its header tells of", file->path, (long long)file->count);
    }
}

/** Pass over all of a compressed file, beside its stream: does it hold what its header tells of? */
static status pass_over(const idx_file *file, int64_t bytes) {
    unpacking *at = memory_new(MEMORY_BUFFERS, 1, sizeof *at);
    status read = inflateInit2(&at->z, 16 + MAX_WBITS) == Z_OK ? unpack(file, file->begin + bytes, at)
                                                               : status_fail(STATUS_FAILURE, "%s: zlib has no memory", file->path);
    if (read == STATUS_OK && at->unpacked < file->begin + bytes)
        read = status_fail(STATUS_INPUT, "%s: ends in its samples, after %lld of %lld bytes", file->path, (long long)(at->unpacked - file->begin),
                           (long long)bytes);
    inflateEnd(&at->z);
    memory_free(at);
    return read;
}

static status check_length(const idx_file *file, int64_t bytes) {
    if (!gzdirect(file->stream)) {
        if (bytes / COMPRESSION_MAX > file->file_bytes)
            return status_fail(STATUS_INPUT, "%s: has %lld bytes, which cannot hold the %lld samples of %d x %d that its header tells of", file->path,
                               (long long)file->file_bytes, (long long)file->count, file->rows, file->columns);
        return pass_over(file, bytes);
    }
    if (file->begin + bytes == file->file_bytes) return STATUS_OK;
    return status_fail(STATUS_INPUT, "%s: has %lld bytes instead of the %lld that its header tells of, %lld samples of %d x %d", file->path,
                       (long long)file->file_bytes, (long long)(file->begin + bytes), (long long)file->count, file->rows, file->columns);
}

static int64_t integer_of(const uint8_t *bytes) {
    return (int64_t)bytes[0] << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3];
}

static status read_header(idx_file *file, int axes) {
    uint8_t magic[4], length[4 * IDX_IMAGES];
    status read = take(file, "header", magic, sizeof magic);
    if (read != STATUS_OK) return read;
    int found = magic[3];
    if (magic[0] || magic[1])
        return status_fail(STATUS_INPUT, "%s: not an IDX file: it begins with %02x %02x %02x %02x", file->path, magic[0], magic[1], magic[2], magic[3]);
    if (magic[2] != UNSIGNED_BYTE)
        return status_fail(STATUS_INPUT, "%s: holds values of IDX type 0x%02x: only unsigned bytes (0x08) are read", file->path, magic[2]);
    if (axes == IDX_LABELS ? found != IDX_LABELS : found < 2 || found > axes)
        return status_fail(STATUS_INPUT, "%s: has %d axes: %s", file->path, found,
                           axes == IDX_LABELS ? "labels have 1, [sample]" : "images have 3, [sample][row][column], or 2, [sample][pixel]");
    read = take(file, "header", length, 4 * found);
    if (read != STATUS_OK) return read;
    file->begin = 4 + 4 * found;
    file->count = integer_of(length);
    int64_t last = found > 1 ? integer_of(length + 4 * (found - 1)) : 1, rows = found > 2 ? integer_of(length + 4) : 1;
    if (file->count < 1) return status_fail(STATUS_INPUT, "%s: has no samples", file->path);
    if (rows < 1 || last < 1 || rows > DATA_VALUES_MAX || last > DATA_VALUES_MAX || rows * last > DATA_VALUES_MAX)
        return status_fail(STATUS_INPUT, "%s: its header tells of %lld x %lld pixels: allowed are 1 to %d together", file->path, (long long)rows,
                           (long long)last, DATA_VALUES_MAX);
    file->rows = (int)rows, file->columns = (int)last;
    return STATUS_OK;
}

status idx_open(const char *path, int descriptor, int axes, idx_file *file) {
    *file = (idx_file){.path = path};
    struct stat about = {0};
    int error = errno; /* why there is no descriptor */
    if (descriptor >= 0 && fstat(descriptor, &about) != 0) error = errno, close(descriptor), descriptor = -1;
    if (descriptor < 0) return status_fail(error == FILE_IRREGULAR ? STATUS_INPUT : status_unreadable(error), "%s: cannot be read: %s", path, file_why(error));
    file->file_bytes = about.st_size;
    file->descriptor = descriptor;
    file->stream = gzdopen(descriptor, "rb");
    if (!file->stream) {
        close(descriptor);
        return status_fail(STATUS_FAILURE, "%s: zlib has no memory", path);
    }
    gzbuffer(file->stream, BUFFER);
    status read = read_header(file, axes);
    if (read == STATUS_OK) read = check_length(file, file->count * file->rows * file->columns);
    if (read != STATUS_OK) idx_close(file);
    return read;
}

status idx_check_shape(const idx_file *file, const config *config, const char *others, int rows, int columns) {
    if (file->rows == rows && file->columns == columns) return STATUS_OK;
    char *path = config_resolve_path(config, others);
    status refused = status_fail(STATUS_INPUT, "%s: has images of %d x %d pixels, but those to train with, %s, have %d x %d", file->path, file->rows,
                                 file->columns, path, rows, columns);
    free(path);
    return refused;
}

void idx_close(idx_file *file) {
    if (file->stream) gzclose_r(file->stream);
    file->stream = NULL;
}

status idx_read_labels(idx_file *file, uint8_t **labels) {
    *labels = memory_new(MEMORY_BUFFERS, (size_t)file->count, 1);
    status read = take(file, "labels", *labels, file->count);
    if (read == STATUS_OK) return read;
    memory_free(*labels);
    *labels = NULL;
    return read;
}

status idx_read_images(idx_file *file, const bool *keep, image_data *data) {
    int64_t each = (int64_t)file->rows * file->columns, kept = keep ? 0 : file->count;
    for (int64_t n = 0; keep && n < file->count; n++) kept += keep[n];
    *data = (image_data){.type = DATA_BYTES, .count = kept, .each = each};
    status read = data_make(file->path, data);
    if (read != STATUS_OK) return read;
    uint8_t *next = data->values;
    if (!keep) return take(file, "samples", next, file->count * each);
    uint8_t *sample = memory_new(MEMORY_BUFFERS, (size_t)each, 1);
    for (int64_t n = 0; n < file->count && read == STATUS_OK; n++) {
        read = take(file, "samples", sample, each);
        if (read == STATUS_OK && keep[n]) memcpy(next, sample, (size_t)each), next += each;
    }
    memory_free(sample);
    return read;
}
