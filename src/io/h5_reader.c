#include <hdf5.h>
#include <stdlib.h>

#include "engram/files.h"
#include "engram/h5.h"
#include "h5_input.h"
#include "h5_leave.h"

enum { CAUSE_BYTES = 512 };

struct h5_reader {
    char *path;
    hid_t file;
    char cause[CAUSE_BYTES]; /**< the first failure, or "" */
    h5_input stream;         /**< dataset of h5_reader_stream(), id < 0 if there is none */
    hid_t stream_type;
    int64_t next, left;      /**< of the stream */
};

static hid_t memory_type(h5_type type) {
    const hid_t types[] = {[H5_INT8] = H5T_NATIVE_INT8,     [H5_UINT8] = H5T_NATIVE_UINT8,   [H5_UINT16] = H5T_NATIVE_UINT16,
                           [H5_INT32] = H5T_NATIVE_INT32,   [H5_UINT32] = H5T_NATIVE_UINT32, [H5_INT64] = H5T_NATIVE_INT64,
                           [H5_UINT64] = H5T_NATIVE_UINT64, [H5_FLOAT32] = H5T_NATIVE_FLOAT, [H5_FLOAT64] = H5T_NATIVE_DOUBLE};
    return types[type];
}

void h5_reader_fail(h5_reader *reader, const char *format, ...) {
    va_list arguments;
    if (reader->cause[0]) return;
    va_start(arguments, format);
    vsnprintf(reader->cause, sizeof reader->cause, format, arguments);
    va_end(arguments);
}

h5_reader *h5_reader_open(const char *path) {
    h5_reader *reader = calloc(1, sizeof *reader);
    if (!reader || !(reader->path = strdup(path))) context_abort("no memory for a file handle");
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    reader->stream.id = H5I_INVALID_HID;
    int descriptor = file_open(path, O_RDONLY); /* HDF5 would follow a link, and wait for a pipe */
    if (descriptor < 0) h5_reader_fail(reader, "cannot be read: %s", file_why(errno));
    reader->file = descriptor < 0 ? H5I_INVALID_HID : H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (descriptor >= 0) close(descriptor);
    if (reader->file < 0) h5_reader_fail(reader, "cannot be opened as an HDF5 file");
    return reader;
}

bool h5_reader_has(h5_reader *reader, const char *object) {
    if (reader->cause[0]) return false;
    char path[256];
    snprintf(path, sizeof path, "%s", object);
    for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) { /* H5Lexists() wants every parent to exist */
        *slash = '\0';
        bool there = !*path || H5Lexists(reader->file, path, H5P_DEFAULT) > 0;
        *slash = '/';
        if (!there) return false;
    }
    return H5Lexists(reader->file, path, H5P_DEFAULT) > 0;
}

/** Open a dataset that holds elements like @p type. @return whether it worked */
static bool open_dataset(h5_reader *reader, const char *dataset, h5_type type, int dimensions, h5_input *input) {
    if (reader->cause[0]) return false;
    bool real = type == H5_FLOAT32 || type == H5_FLOAT64;
    if (h5_input_dataset(reader->file, NULL, dataset, dimensions, real ? H5_INPUT_REAL : H5_INPUT_INTEGER, input) == STATUS_OK) {
        if (input->element == (int64_t)H5Tget_size(memory_type(type))) return true;
        h5_input_close(input);
    }
    h5_reader_fail(reader, "dataset '%s' is missing, or has the wrong type or number of axes", dataset);
    return false;
}

static void read_block(h5_reader *reader, const h5_input *input, hid_t type, const hsize_t *start, const hsize_t *extent, void *data) {
    hid_t space = H5Dget_space(input->id), memory = H5Screate_simple(input->dimensions, extent, NULL);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, extent, NULL);
    if (H5Dread(input->id, type, memory, space, H5P_DEFAULT, data) < 0) h5_reader_fail(reader, "dataset '%s' cannot be read", input->name);
    H5Sclose(memory);
    H5Sclose(space);
}

void h5_read(h5_reader *reader, const char *name, h5_dataset dataset, void *data) {
    h5_input input;
    if (!open_dataset(reader, name, dataset.type, dataset.dimensions, &input)) return;
    hsize_t start[H5_INPUT_AXES] = {0}, extent[H5_INPUT_AXES];
    int64_t count = 1;
    for (int i = 0; i < dataset.dimensions; i++) {
        if (input.shape[i] != dataset.shape[i])
            h5_reader_fail(reader, "dataset '%s' has %lld elements along axis %d; %lld are expected", name, (long long)input.shape[i], i,
                           (long long)dataset.shape[i]);
        extent[i] = (hsize_t)(i == dataset.axis ? dataset.mine : dataset.shape[i]);
        count *= (int64_t)extent[i];
    }
    if (dataset.axis >= 0) start[dataset.axis] = (hsize_t)dataset.first;
    if (!reader->cause[0] && count > 0) read_block(reader, &input, memory_type(dataset.type), start, extent, data);
    h5_input_close(&input);
}

int64_t h5_reader_length(h5_reader *reader, const char *dataset) {
    if (reader->cause[0]) return -1;
    h5_input input;
    int64_t length = -1;
    if (h5_input_dataset(reader->file, NULL, dataset, 1, H5_INPUT_REAL | H5_INPUT_INTEGER, &input) == STATUS_OK) {
        length = input.count;
        h5_input_close(&input);
    } else {
        h5_reader_fail(reader, "dataset '%s' is missing or has the wrong type", dataset);
    }
    return length;
}

void h5_reader_stream(h5_reader *reader, const char *dataset, h5_type type, int64_t total, int64_t first, int64_t mine) {
    h5_input_close(&reader->stream);
    if (!open_dataset(reader, dataset, type, 1, &reader->stream)) return;
    reader->stream_type = memory_type(type);
    reader->next = first;
    reader->left = mine;
    if (reader->stream.count != total)
        h5_reader_fail(reader, "dataset '%s' has %lld elements; %lld are expected", dataset, (long long)reader->stream.count, (long long)total);
}

void h5_reader_take(h5_reader *reader, void *data, int64_t count) {
    if (reader->cause[0] || count == 0) return;
    if (count > reader->left) context_abort("h5_reader_take: more elements of '%s' than were announced", reader->stream.name);
    read_block(reader, &reader->stream, reader->stream_type, &(hsize_t){(hsize_t)reader->next}, &(hsize_t){(hsize_t)count}, data);
    reader->next += count;
    reader->left -= count;
}

void h5_reader_attribute(h5_reader *reader, const char *object, const char *name, h5_type type, int count, void *values) {
    if (reader->cause[0]) return;
    hid_t id = H5Aopen_by_name(reader->file, object, name, H5P_DEFAULT, H5P_DEFAULT), space = id < 0 ? id : H5Aget_space(id);
    bool fits = space >= 0 && H5Sget_simple_extent_npoints(space) == (count ? count : 1);
    if (!fits || H5Aread(id, memory_type(type), values) < 0) h5_reader_fail(reader, "attribute '%s' is missing or wrong", name);
    if (space >= 0) H5Sclose(space);
    if (id >= 0) H5Aclose(id);
}

char *h5_reader_text(h5_reader *reader, const char *object, const char *name) {
    char *text = NULL, *copy = NULL;
    if (!reader->cause[0]) {
        hid_t id = H5Aopen_by_name(reader->file, object, name, H5P_DEFAULT, H5P_DEFAULT), type = id < 0 ? id : H5Aget_type(id);
        bool fits = type >= 0 && H5Tis_variable_str(type) > 0;
        if (!fits || H5Aread(id, type, &text) < 0 || !text)
            h5_reader_fail(reader, "attribute '%s' is missing or wrong", name);
        else
            copy = strdup(text);
        if (text) H5free_memory(text);
        if (type >= 0) H5Tclose(type);
        if (id >= 0) H5Aclose(id);
    }
    return copy ? copy : strdup("");
}

status h5_reader_close(h5_reader *reader) {
    status result = STATUS_OK;
    h5_input_close(&reader->stream);
    if (reader->file >= 0) h5_leave(reader->file);
    if (reader->cause[0]) result = status_fail(STATUS_INPUT, "%s: %s", reader->path, reader->cause);
    free(reader->path);
    free(reader);
    return result;
}
