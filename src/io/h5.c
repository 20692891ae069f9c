#include "engram/h5.h"

#include <errno.h>
#include <hdf5.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engram/memory.h"
#include "engram/utf8.h"
#include "h5_input.h"
#include "h5_leave.h"
#include "mpi_files.h"
#include "part_file.h"
#include "seal.h"

enum { CAUSE_BYTES = 512, CHUNK_BYTES = 1 << 20, COMPRESS_FROM_BYTES = 64 << 10, METADATA_BYTES = 1 << 20, STREAM_BYTES = 16 << 20 };

/** A dataset that is being written piece by piece. */
typedef struct {
    hid_t set;
    h5_type type;
    const char *name;
    int64_t next, left;  /**< index of the next element to be written; elements that may still be put */
    int64_t buffered;    /**< elements waiting */
    char *buffer;        /**< [STREAM_BYTES] */
} h5_stream;

struct h5_file {
    context context;
    char *path, *part;       /**< NAME and NAME.part, owned */
    hid_t id;                /**< open file, or negative */
    int descriptor;          /**< of NAME.part on rank 0, where it was made by us; else negative */
    bool sealed;             /**< h5_seal() */
    char *beside;            /**< h5_replaces(), owned; NULL: nothing */
    h5_stream stream;        /**< between h5_stream_begin() and h5_stream_end() */
    bool sick;               /**< it was an HDF5 call that failed: the same on all ranks */
    bool failed;             /**< something failed somewhere: the same on all ranks, then nothing more is written */
    char cause[CAUSE_BYTES]; /**< what failed first on this rank, or "" */
};

static bool left_open; /* some file is open that cannot be closed */

herr_t h5_leave(hid_t file) {
    herr_t closed = H5Fclose(file);
    left_open |= closed < 0;
    return closed;
}

bool h5_left_open(void) {
    return left_open;
}

/** The HDF5 type in the file (stored, little-endian) or in memory (not stored). */
static hid_t type_of(h5_type type, bool stored) {
    const hid_t types[][2] = {
        [H5_INT8] = {H5T_NATIVE_INT8, H5T_STD_I8LE},       [H5_UINT8] = {H5T_NATIVE_UINT8, H5T_STD_U8LE},
        [H5_UINT16] = {H5T_NATIVE_UINT16, H5T_STD_U16LE},  [H5_INT32] = {H5T_NATIVE_INT32, H5T_STD_I32LE},    [H5_UINT32] = {H5T_NATIVE_UINT32, H5T_STD_U32LE},
        [H5_INT64] = {H5T_NATIVE_INT64, H5T_STD_I64LE},    [H5_UINT64] = {H5T_NATIVE_UINT64, H5T_STD_U64LE},
        [H5_FLOAT32] = {H5T_NATIVE_FLOAT, H5T_IEEE_F32LE}, [H5_FLOAT64] = {H5T_NATIVE_DOUBLE, H5T_IEEE_F64LE},
    };
    return types[type][stored];
}

/* ---- failures: noticed on one rank, agreed by all before the next collective call, so that nobody waits for a rank that gave up ---- */

static void remember(h5_file *file, const char *what, const char *object, const char *why) {
    if (!file->cause[0]) snprintf(file->cause, sizeof file->cause, "%s %s: %s", what, object, why);
}

static bool agree(h5_file *file, bool mine) {
    int here = !mine, anywhere = 0;
    CHECK_MPI(MPI_Allreduce(&here, &anywhere, 1, MPI_INT, MPI_LOR, file->context.comm));
    if (anywhere) file->failed = true;
    return !anywhere;
}

/** Did the writes of the HDF5 calls so far work, as MPI saw them? HDF5 is told that they did (mpi_files.h). */
static bool written(h5_file *file, const char *what, const char *object) {
    char why[MPI_MAX_ERROR_STRING] = "";
    int error = mpi_files_error(), length;
    if (error == MPI_SUCCESS) return true;
    MPI_Error_string(error, why, &length);
    remember(file, what, object, why);
    return false;
}

/** Keep the reason of a failed HDF5 call, before another call clears it. @p result negative is failure. @return result */
static int64_t note(h5_file *file, int64_t result, const char *what, const char *object) {
    char why[CAUSE_BYTES / 2];
    if (result < 0) {
        h5_cause(why, sizeof why);
        remember(file, what, object, why);
    }
    return result;
}

/** Collective: did an HDF5 call work on all ranks? */
static bool worked(h5_file *file, int64_t result, const char *what, const char *object) {
    int failed[2] = {note(file, result, what, object) < 0, !written(file, what, object)}, anywhere[2];
    CHECK_MPI(MPI_Allreduce(failed, anywhere, 2, MPI_INT, MPI_LOR, file->context.comm));
    if (anywhere[0]) file->sick = true;
    if (anywhere[0] || anywhere[1]) file->failed = true;
    return !anywhere[0] && !anywhere[1];
}

/** Collective: did a call of the file system on rank 0 work? @p error is its errno, 0 for none. */
static bool worked_on_root(h5_file *file, int error, const char *what, const char *object) {
    if (error) remember(file, what, object, file_why(error));
    return agree(file, error == 0);
}

/** On rank 0: is NAME.part still the file that was made? @return errno */
static int lost(const h5_file *file) {
    return file->context.rank == 0 && !file_is_at(file->descriptor, file->part) ? ENOENT : 0;
}

/* ---- create ---- */

static char *joined(const char *head, const char *tail) {
    size_t size = strlen(head) + strlen(tail) + 1;
    char *text = malloc(size);
    if (!text) context_abort("no memory for a file name");
    snprintf(text, size, "%s%s", head, tail);
    return text;
}

/** Collective: room on the disk for @p bytes of data more, and what HDF5 adds to them. Closing the file cuts off what is left over. */
static bool reserve(h5_file *file, int64_t bytes) {
    hsize_t size = 0;
    H5Fget_filesize(file->id, &size);
    int64_t wanted = (int64_t)size + bytes + bytes / 256 + METADATA_BYTES;
    return worked_on_root(file, file->context.rank == 0 ? part_file_reserve(file->descriptor, wanted) : 0, "no room for", file->part);
}

/** Collective: every rank holds the file, or none begins to open it. */
static bool open_together(h5_file *file) {
    char name[PATH_MAX];
    int descriptor, error = part_file_hold(file->part, &descriptor, name, sizeof name);
    if (error) remember(file, "cannot open", file->part, file_why(error));
    if (agree(file, !error)) {
        hid_t access = H5Pcreate(H5P_FILE_ACCESS);
        H5Pset_fapl_mpio(access, file->context.comm, MPI_INFO_NULL);
        file->id = H5Fcreate(name, H5F_ACC_TRUNC, H5P_DEFAULT, access);
        if (!worked(file, file->id, "cannot create", file->part)) file->id = H5I_INVALID_HID; /* a close is collective: not when only some ranks have it open */
        H5Pclose(access);
    }
    if (descriptor >= 0) close(descriptor);
    return !file->failed;
}

h5_file *h5_create(const context *job, const char *path, const char *configuration) {
    h5_file *file = calloc(1, sizeof *file);
    if (!file) context_abort("no memory for a file handle");
    file->context = *job;
    file->path = joined(path, "");
    file->part = joined(path, ".part");
    file->id = H5I_INVALID_HID;
    file->descriptor = -1;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    mpi_files_error(); /* of a file before, if there was one, nobody asks any more */
    if (!worked_on_root(file, job->rank == 0 ? part_file_make(path, file->part, &file->descriptor) : 0, "cannot create", file->part)) return file;
    if (!open_together(file)) return file;
    if (!worked_on_root(file, lost(file), "was moved or replaced:", file->part) || !reserve(file, configuration ? (int64_t)strlen(configuration) : 0))
        return file;
    h5_attribute(file, "/", "magic", H5_UINT32, 0, &(uint32_t){0x0A7A});
    h5_attribute(file, "/", "version", H5_UINT32, 2, (uint32_t[]){0, 1});
    if (configuration) h5_attribute_text(file, "/", "configuration", configuration);
    return file;
}

/** Links make their missing parent groups. */
static hid_t link_properties(void) {
    hid_t properties = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(properties, 1);
    H5Pset_char_encoding(properties, H5T_CSET_UTF8);
    return properties;
}

void h5_group(h5_file *file, const char *group) {
    if (file->failed) return;
    hid_t links = link_properties(), id = H5Gopen2(file->id, group, H5P_DEFAULT); /* there already, as parent of another: fine */
    if (id < 0) id = H5Gcreate2(file->id, group, links, H5P_DEFAULT, H5P_DEFAULT);
    worked(file, id, "cannot create group", group);
    if (id >= 0) H5Gclose(id);
    H5Pclose(links);
}

void h5_link(h5_file *file, const char *target, const char *link) {
    if (file->failed) return;
    hid_t links = link_properties();
    worked(file, H5Lcreate_hard(file->id, target, file->id, link, links, H5P_DEFAULT), "cannot create link", link);
    H5Pclose(links);
}

/* ---- attributes: metadata, so every rank passes the same values ---- */

static void write_attribute(h5_file *file, const char *object, const char *name, hid_t stored, hid_t space, hid_t memory, const void *values) {
    hid_t owner = H5Oopen(file->id, object, H5P_DEFAULT);
    if (worked(file, owner, "cannot find", object)) {
        hid_t id = H5Acreate2(owner, name, stored, space, H5P_DEFAULT, H5P_DEFAULT);
        if (worked(file, id, "cannot create attribute", name)) worked(file, H5Awrite(id, memory, values), "cannot write attribute", name);
        if (id >= 0) H5Aclose(id);
    }
    if (owner >= 0) H5Oclose(owner);
    H5Sclose(space);
}

/* Text of any length fits: only a reference into the file's global heap counts towards the 64 KiB of an attribute. */
void h5_attribute_text(h5_file *file, const char *object, const char *name, const char *text) {
    if (file->failed) return;
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    char *valid = utf8_from_bytes(text);
    write_attribute(file, object, name, type, H5Screate(H5S_SCALAR), type, &valid);
    free(valid);
    H5Tclose(type);
}

void h5_attribute(h5_file *file, const char *object, const char *name, h5_type type, int count, const void *values) {
    if (file->failed) return;
    hid_t space = count ? H5Screate_simple(1, &(hsize_t){(hsize_t)count}, NULL) : H5Screate(H5S_SCALAR);
    write_attribute(file, object, name, type_of(type, true), space, type_of(type, false), values);
}

void h5_attribute_sorting(h5_file *file, const char *object, int value) {
    if (file->failed) return;
    hid_t type = H5Tenum_create(H5T_STD_I8LE);
    static const char *const names[] = {"none", "by_id", "by_time"};
    for (int8_t i = 0; i < 3; i++) H5Tenum_insert(type, names[i], &i);
    write_attribute(file, object, "sorting", type, H5Screate(H5S_SCALAR), type, &(int8_t){(int8_t)value});
    H5Tclose(type);
}

/* ---- datasets ---- */

/** Dataset creation properties: gzip in chunks of at most CHUNK_BYTES, halving the longest side, when the dataset is worth it. */
static hid_t dataset_properties(int dimensions, const hsize_t *shape, size_t element, bool compress) {
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    double bytes = (double)element;
    hsize_t chunk[H5_AXES];
    for (int i = 0; i < dimensions; i++) bytes *= (double)(chunk[i] = shape[i]);
    if (!compress || dimensions == 0 || bytes <= COMPRESS_FROM_BYTES) return properties;
    while (bytes > CHUNK_BYTES) {
        int longest = 0;
        for (int i = 1; i < dimensions; i++) longest = chunk[i] > chunk[longest] ? i : longest;
        chunk[longest] = (chunk[longest] + 1) / 2;
        bytes = (double)element;
        for (int i = 0; i < dimensions; i++) bytes *= (double)chunk[i];
    }
    H5Pset_chunk(properties, dimensions, chunk);
    H5Pset_shuffle(properties);
    H5Pset_deflate(properties, 1);
    return properties;
}

/** A dataset that is open for writing. */
typedef struct {
    const char *name;
    hid_t set, space;
    hid_t type; /* of elements in memory */
} open_set;

/** What makes elements of this rank's share. */
typedef struct {
    h5_make make;
    void *self;
} h5_maker;

/** The part of it that this rank writes. */
typedef struct {
    int dimensions;
    const hsize_t *start, *extent; /* [dimensions] */
    bool empty;                    /* nothing */
} own_block;

/** All ranks write together; those with nothing select nothing, because filters do not work otherwise. */
static int64_t write_block(h5_file *file, const open_set *to, own_block block, const void *data) {
    const hid_t space = to->space;
    const bool empty = block.empty;
    hid_t transfer = H5Pcreate(H5P_DATASET_XFER), memory = empty ? H5Scopy(space) : H5Screate_simple(block.dimensions, block.extent, NULL);
    H5Pset_dxpl_mpio(transfer, H5FD_MPIO_COLLECTIVE);
    if (empty) {
        H5Sselect_none(memory);
        H5Sselect_none(space);
    } else if (block.dimensions > 0) {
        H5Sselect_hyperslab(space, H5S_SELECT_SET, block.start, NULL, block.extent, NULL);
    }
    int64_t result = note(file, H5Dwrite(to->set, to->type, memory, space, transfer, empty ? &(char){0} : data), "cannot write dataset", to->name);
    H5Sclose(memory);
    H5Pclose(transfer);
    return result;
}

/** Abort unless the ranks' shares make up the axis. Collective. */
static void check_division(const h5_file *file, const char *name, const h5_dataset *dataset) {
    int64_t length = dataset->shape[dataset->axis], first = dataset->first, mine = dataset->mine, sum;
    CHECK_MPI(MPI_Allreduce(&mine, &sum, 1, MPI_INT64_T, MPI_SUM, file->context.comm));
    if (sum != length || first < 0 || mine < 0 || first + mine > length)
        context_abort("h5_write: '%s': [%lld, %lld + %lld) and a sum of %lld over ranks do not divide an axis of %lld", name, (long long)first,
                      (long long)first, (long long)mine, (long long)sum, (long long)length);
}

/** Create a dataset, with the groups above it; the caller agrees on the result and closes it. Collective. @param properties of dataset_properties(), closed */
static hid_t create_dataset(h5_file *file, const char *dataset, hid_t type, hid_t space, hid_t properties) {
    hid_t links = link_properties(), set = H5Dcreate2(file->id, dataset, type, space, links, properties, H5P_DEFAULT);
    H5Pclose(properties);
    H5Pclose(links);
    return set;
}

void h5_write(h5_file *file, const char *name, h5_dataset dataset, const void *data) {
    if (file->failed) return;
    const int dimensions = dataset.dimensions, axis = dataset.axis;
    if (dimensions > H5_AXES) context_abort("h5_write: '%s' has %d axes, at most %d are foreseen", name, dimensions, H5_AXES);
    if (axis >= 0) check_division(file, name, &dataset);
    hsize_t global[H5_AXES], start[H5_AXES] = {0}, extent[H5_AXES];
    hid_t type = type_of(dataset.type, false);
    size_t element = H5Tget_size(type);
    int64_t bytes = (int64_t)element;
    bool empty = axis >= 0 ? dataset.mine == 0 : file->context.rank != 0;
    for (int i = 0; i < dimensions; i++) {
        global[i] = extent[i] = (hsize_t)dataset.shape[i];
        bytes *= dataset.shape[i];
    }
    if (axis >= 0) {
        start[axis] = (hsize_t)dataset.first;
        extent[axis] = (hsize_t)dataset.mine;
    }
    if (!reserve(file, bytes)) return;
    hid_t space = dimensions ? H5Screate_simple(dimensions, global, NULL) : H5Screate(H5S_SCALAR);
    hid_t set = create_dataset(file, name, type_of(dataset.type, true), space, dataset_properties(dimensions, global, element, dataset.compress));
    if (worked(file, set, "cannot create dataset", name) && bytes > 0)
        worked(file, write_block(file, &(open_set){name, set, space, type}, (own_block){dimensions, start, extent, empty}, data), "cannot write", name);
    worked(file, set >= 0 ? H5Dclose(set) : 0, "cannot close dataset", name);
    H5Sclose(space);
}

void h5_write_texts(h5_file *file, const char *dataset, int count, const char *const *texts) {
    if (file->failed) return;
    size_t length = 1;
    for (int i = 0; i < count; i++) length = strlen(texts[i]) > length ? strlen(texts[i]) : length;
    if (!reserve(file, (int64_t)length * count)) return;
    char *all = calloc((size_t)count + 1, length);
    if (!all) context_abort("memory: no room for %d names", count);
    for (int i = 0; i < count; i++) memcpy(all + (size_t)i * length, texts[i], strlen(texts[i]));
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate_simple(1, &(hsize_t){(hsize_t)count}, NULL);
    H5Tset_size(type, length);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    H5Tset_cset(type, H5T_CSET_UTF8);
    hid_t set = create_dataset(file, dataset, type, space, H5Pcreate(H5P_DATASET_CREATE));
    if (worked(file, set, "cannot create dataset", dataset) && count > 0)
        worked(file, write_block(file, &(open_set){dataset, set, space, type},
                                 (own_block){1, &(hsize_t){0}, &(hsize_t){(hsize_t)count}, file->context.rank != 0}, all), "cannot write", dataset);
    worked(file, set >= 0 ? H5Dclose(set) : 0, "cannot close dataset", dataset);
    H5Sclose(space);
    H5Tclose(type);
    free(all);
}

/** How much of an axis is to be written at a time: whole chunks. @param each bytes of one index of that axis */
static int64_t piece_of(hid_t properties, int dimensions, int axis, int64_t each) {
    hsize_t chunk[H5_AXES];
    int64_t room = STREAM_BYTES / (each > 0 ? each : 1), own = 1;
    if (H5Pget_layout(properties) == H5D_CHUNKED) H5Pget_chunk(properties, dimensions, chunk), own = (int64_t)chunk[axis];
    return own < room ? room / own * own : own;
}

/** Write my share piece by piece along its axis, all ranks together as often as the one with most needs. Pieces end at multiples of their length: each chunk is
 *  compressed once, but where ranks meet. @param each elements of one index of the axis */
static void write_pieces(h5_file *file, const open_set *to, const h5_dataset *dataset, int64_t piece, int64_t each, const h5_maker *maker) {
    const int axis = dataset->axis;
    const int64_t first = dataset->first, mine = dataset->mine;
    int64_t begun = first / piece, rounds = mine > 0 ? (first + mine - 1) / piece - begun + 1 : 0;
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &rounds, 1, MPI_INT64_T, MPI_MAX, file->context.comm));
    void *elements = memory_new(MEMORY_OUTPUT, (size_t)((mine < piece ? mine : piece) * each), H5Tget_size(to->type));
    hsize_t start[H5_AXES] = {0}, extent[H5_AXES];
    for (int i = 0; i < dataset->dimensions; i++) extent[i] = (hsize_t)dataset->shape[i];
    for (int64_t round = begun; round < begun + rounds && !file->failed; round++) {
        int64_t from = round * piece > first ? round * piece : first, end = (round + 1) * piece < first + mine ? (round + 1) * piece : first + mine;
        start[axis] = (hsize_t)from, extent[axis] = end > from ? (hsize_t)(end - from) : 0;
        if (end > from) maker->make(maker->self, from - first, end - from, elements);
        worked(file, write_block(file, to, (own_block){dataset->dimensions, start, extent, end <= from}, elements), "cannot write", to->name);
    }
    memory_free(elements);
}

void h5_write_made(h5_file *file, const char *name, h5_dataset dataset, h5_make make, void *self) {
    if (file->failed) return;
    const int dimensions = dataset.dimensions, axis = dataset.axis;
    if (axis < 0 || dimensions > H5_AXES) context_abort("h5_write_made: '%s' has %d axes, and is divided along axis %d", name, dimensions, axis);
    check_division(file, name, &dataset);
    hid_t type = type_of(dataset.type, false);
    size_t element = H5Tget_size(type);
    hsize_t global[H5_AXES];
    int64_t each = 1;
    for (int i = 0; i < dimensions; i++) {
        global[i] = (hsize_t)dataset.shape[i];
        if (i != axis) each *= dataset.shape[i];
    }
    if (!reserve(file, each * dataset.shape[axis] * (int64_t)element)) return;
    hid_t properties = dataset_properties(dimensions, global, element, dataset.compress), space = H5Screate_simple(dimensions, global, NULL);
    int64_t piece = piece_of(properties, dimensions, axis, each * (int64_t)element);
    hid_t set = create_dataset(file, name, type_of(dataset.type, true), space, properties);
    if (worked(file, set, "cannot create dataset", name) && each > 0)
        write_pieces(file, &(open_set){name, set, space, type}, &dataset, piece, each, &(h5_maker){make, self});
    worked(file, set >= 0 ? H5Dclose(set) : 0, "cannot close dataset", name);
    H5Sclose(space);
}

/* ---- streams: each rank writes on its own, because ranks fill their buffers at different times ---- */

void h5_stream_begin(h5_file *file, const char *dataset, h5_type type, int64_t total, int64_t first, int64_t mine) {
    h5_stream *stream = &file->stream;
    *stream = (h5_stream){.set = H5I_INVALID_HID, .type = type, .name = dataset, .next = first, .left = mine};
    if (file->failed || !reserve(file, total * (int64_t)H5Tget_size(type_of(type, false)))) return;
    hid_t space = H5Screate_simple(1, &(hsize_t){(hsize_t)total}, NULL);
    stream->set = create_dataset(file, dataset, type_of(type, true), space, H5Pcreate(H5P_DATASET_CREATE));
    worked(file, stream->set, "cannot create dataset", dataset);
    H5Sclose(space);
    stream->buffer = malloc(STREAM_BYTES);
    if (!stream->buffer) context_abort("memory: no room for %d bytes of output buffer", STREAM_BYTES);
}

static void flush_stream(h5_file *file) {
    h5_stream *stream = &file->stream;
    if (stream->buffered == 0) return;
    hsize_t start = (hsize_t)stream->next, count = (hsize_t)stream->buffered;
    hid_t space = H5Dget_space(stream->set), memory = H5Screate_simple(1, &count, NULL);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, NULL, &count, NULL);
    note(file, H5Dwrite(stream->set, type_of(stream->type, false), memory, space, H5P_DEFAULT, stream->buffer), "cannot write dataset", stream->name);
    H5Sclose(memory);
    H5Sclose(space);
    stream->next += stream->buffered;
    stream->buffered = 0;
}

void h5_stream_put(h5_file *file, const void *data, int64_t count) {
    h5_stream *stream = &file->stream;
    if (file->failed || file->cause[0]) return;
    int64_t size = (int64_t)H5Tget_size(type_of(stream->type, false)), room = STREAM_BYTES / size;
    stream->left -= count;
    if (stream->left < 0) context_abort("h5_stream_put: more elements of '%s' than were announced", stream->name);
    while (count > 0) {
        int64_t here = count < room - stream->buffered ? count : room - stream->buffered;
        memcpy(stream->buffer + stream->buffered * size, data, (size_t)(here * size));
        stream->buffered += here;
        data = (const char *)data + here * size;
        count -= here;
        if (stream->buffered == room) flush_stream(file);
    }
}

void h5_stream_end(h5_file *file) {
    h5_stream *stream = &file->stream;
    if (!file->failed) {
        if (!file->cause[0]) flush_stream(file);
        if (!file->cause[0] && stream->left != 0) context_abort("h5_stream_end: %lld elements of '%s' are missing", (long long)stream->left, stream->name);
        worked(file, file->cause[0] ? -1 : 0, "cannot write dataset", stream->name);
        worked(file, H5Dclose(stream->set), "cannot close dataset", stream->name);
    }
    free(stream->buffer);
    *stream = (h5_stream){.set = H5I_INVALID_HID};
}

/* ---- commit ---- */

void h5_seal(h5_file *file) {
    file->sealed = true;
}

void h5_replaces(h5_file *file, const char *beside) {
    free(file->beside);
    file->beside = joined(beside, "");
}

/** On rank 0: is NAME.part whole? Some MPI libraries lose the error of a write to a full disk, but then the file is shorter than it says. */
static int64_t reopen(const h5_file *file) {
    hid_t id = H5Fopen(file->part, H5F_ACC_RDONLY, H5P_DEFAULT);
    return id < 0 ? -1 : h5_leave(id);
}

/** Collective: bring the message of the lowest rank that has one to rank 0, which remembers it for status_agree(). */
static void report(h5_file *file) {
    int candidate = file->cause[0] ? file->context.rank : file->context.ranks, source = 0;
    CHECK_MPI(MPI_Allreduce(&candidate, &source, 1, MPI_INT, MPI_MIN, file->context.comm));
    if (source < file->context.ranks) CHECK_MPI(MPI_Bcast(file->cause, CAUSE_BYTES, MPI_CHAR, source, file->context.comm));
    if (file->context.rank == 0) status_fail(STATUS_FAILURE, "cannot write %s: %s", file->path, file->cause);
}

status h5_commit(h5_file *file) {
    bool root = file->context.rank == 0;
    if (file->id >= 0 && !file->failed) worked(file, H5Fflush(file->id, H5F_SCOPE_GLOBAL), "cannot flush", file->part);
    /* A file that HDF5 cannot close is a ruin, on which MPI_Finalize() ends with a signal: if HDF5 itself is out of step it is left open. */
    if (file->id >= 0 && !file->sick) worked(file, h5_leave(file->id), "cannot close", file->part);
    left_open |= file->sick;
    if (!file->failed) worked_on_root(file, lost(file), "was moved or replaced:", file->part);
    if (!file->failed) worked(file, root ? reopen(file) : 0, "incomplete file", file->part);
    if (!file->failed && file->sealed) {
        int error = seal_write(&file->context, file->part);
        if (error) remember(file, "cannot write checksums of", file->part, strerror(error));
        agree(file, error == 0);
    }
    if (!file->failed) worked_on_root(file, root ? part_file_sync(file->part) : 0, "cannot sync", file->part);
    if (!file->failed && file->beside) worked_on_root(file, root && unlink(file->beside) && errno != ENOENT ? errno : 0, "cannot remove", file->beside);
    if (!file->failed) worked_on_root(file, root && rename(file->part, file->path) ? errno : 0, "cannot rename", file->part);
    if (!file->failed && file->descriptor >= 0) { /* the file has its name: nothing that fails from here on may touch it */
        close(file->descriptor);
        file->descriptor = -1;
    }
    if (!file->failed) worked_on_root(file, root ? part_file_sync_parent(file->path) : 0, "cannot sync the directory of", file->path);
    if (file->failed) {
        bool freed = file->descriptor < 0 || ftruncate(file->descriptor, 0) == 0; /* the room back even if left open */
        if (file->descriptor >= 0 && ((!lost(file) && unlink(file->part) != 0) || !freed)) remember(file, "cannot remove", file->part, strerror(errno));
        report(file);
    }
    if (file->descriptor >= 0) close(file->descriptor);
    status result = file->failed ? STATUS_FAILURE : STATUS_OK;
    free(file->path);
    free(file->part);
    free(file->beside);
    free(file);
    memory_trim(); /* HDF5 and MPI-IO used many small pieces */
    return result;
}
