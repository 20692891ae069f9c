/** @file h5_input.h
 *  Reading HDF5 files that somebody else wrote: nothing is allocated or believed before it is checked.
 *  Not collective: one rank reads through the default driver. Mistakes become status_fail(STATUS_INPUT, ...) naming file and dataset.
 */
#ifndef ENGRAM_IO_H5_INPUT_H
#define ENGRAM_IO_H5_INPUT_H

#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engram/status.h"

enum { H5_INPUT_AXES = 3 };

/** No reader should be made to unpack more than this at once. */
#define H5_INPUT_CHUNK_LIMIT ((int64_t)1 << 30)

/** What a dataset may hold; combined with |. Texts may be cells of MATLAB: references to datasets of UTF-16. Coarse are float16 and
 *  booleans, which h5py writes as an enumeration of 0 and 1: good for pixels. */
enum { H5_INPUT_INTEGER = 1, H5_INPUT_REAL = 2, H5_INPUT_TEXT = 4, H5_INPUT_COARSE = 8 };

/** An open dataset whose type, shape and storage are consistent. */
typedef struct {
    hid_t id;                     /**< dataset, owned */
    const char *path;             /**< of the file, for messages, borrowed; NULL: no messages */
    const char *name;             /**< of the dataset, for messages, borrowed */
    int kind;                     /**< one of H5_INPUT_..., 0 for anything else */
    bool is_signed;               /**< of an integer */
    int64_t element;              /**< bytes of an element in the file */
    int dimensions;               /**< at most H5_INPUT_AXES */
    int64_t shape[H5_INPUT_AXES]; /**< 1 beyond dimensions */
    int64_t count;                /**< product of shape */
    bool lacks_filter;            /**< it was refused because a filter that it is compressed with is missing here */
} h5_input;

/** H5Ewalk2 callback: keep the innermost description and, after it, what MPI says. */
static inline herr_t h5_cause_entry(unsigned depth, const H5E_error2_t *entry, void *data) {
    char *text = data;
    size_t used = strlen(text);
    if (entry->desc && (depth == 0 || (depth == 1 && entry->min_num == H5E_MPIERRSTR)))
        snprintf(text + used, 192 - used, "%s%s", depth ? ": " : "", entry->desc);
    return 0;
}

/** Describe the innermost entry of the HDF5 error stack in @p size bytes. To be called before the next HDF5 call. */
static inline void h5_cause(char *text, size_t size) {
    char found[192] = "";
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, h5_cause_entry, found);
    for (char *c = found; *c; c++)
        if (*c == '\n') *c = ' ';
    const char *message = strstr(found, "error message = '"); /* of the system: the rest is addresses and a date */
    if (message) {
        message += strlen("error message = '");
        snprintf(text, size, "%.*s", (int)strcspn(message, "'"), message);
    } else {
        snprintf(text, size, "%s", found[0] ? found : "HDF5 does not say why");
    }
}

/** Does an open file hold HDF5? Its signature stands at the beginning, or behind a block of the user's of 512, 1024, 2048, ... bytes (MATLAB 7.3, JLD2). */
static inline bool h5_input_is_signed(int descriptor) {
    unsigned char found[8];
    for (off_t at = 0; at < (off_t)1 << 40 && pread(descriptor, found, sizeof found, at) == (ssize_t)sizeof found; at = at ? 2 * at : 512)
        if (memcmp(found, "\211HDF\r\n\032\n", sizeof found) == 0) return true;
    return false;
}

/** H5Ewalk2 callback: does any entry speak of a lock, or of the mark that a program leaves in a file while it writes? */
static inline herr_t h5_busy_entry(unsigned depth, const H5E_error2_t *entry, void *data) {
    (void)depth;
    if (entry->desc && strstr(entry->desc, "unable to lock file")) *(int *)data = 1;
    if (entry->desc && strstr(entry->desc, "file is already open")) *(int *)data = 2;
    return 0;
}

/** HDF5 would not open @p path, which begins like one of its files (@p magic) or not: say why, as the error stack has it. */
static inline void h5_input_refuse(const char *path, bool magic) {
    int busy = 0;
    char why[192];
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, h5_busy_entry, &busy);
    h5_cause(why, sizeof why);
    if (busy == 1 && strcmp(why, strerror(EAGAIN)) == 0) status_fail(STATUS_INPUT, "%s: another program has it open for writing: close it there", path);
    else if (busy == 1)
        status_fail(STATUS_INPUT, "%s: its file system does not lock files (%s): HDF5_USE_FILE_LOCKING=FALSE in the environment reads it all the same", path,
                    why);
    else if (busy == 2)
        status_fail(STATUS_INPUT, "%s: another program has it open for writing, or did not close it: close it there; if no one has it open: h5clear -s %s",
                    path, path);
    else if (!magic) status_fail(STATUS_INPUT, "%s: not an HDF5 file", path);
    else status_fail(STATUS_INPUT, "%s: damaged or incomplete HDF5 file: %s", path, why);
}

/** Open @p path for reading. @return file, or H5I_INVALID_HID after status_fail() */
static inline hid_t h5_input_open(const char *path) {
    unsigned char head[8] = {0};
    int descriptor = open(path, O_RDONLY | O_NONBLOCK);
    ssize_t got = descriptor < 0 ? -1 : read(descriptor, head, sizeof head);
    int error = errno;
    bool is_hdf5 = got >= 0 && h5_input_is_signed(descriptor);
    if (descriptor >= 0) close(descriptor);
    if (got < 0) return status_fail(STATUS_INPUT, "%s: cannot be read: %s", path, strerror(error)), H5I_INVALID_HID;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (file < 0) h5_input_refuse(path, is_hdf5);
    return file;
}

static inline void h5_input_close(h5_input *input) {
    if (input->id >= 0) H5Dclose(input->id);
    input->id = H5I_INVALID_HID;
}

/** Is an enumeration that of booleans: of 0 and 1, whatever they are called? */
static inline bool h5_input_boolean(hid_t type) {
    int members = H5Tget_nmembers(type);
    bool good = H5Tget_size(type) == 1 && (members == 1 || members == 2);
    for (int i = 0; i < members && good; i++) {
        unsigned char value = 2;
        good = H5Tget_member_value(type, (unsigned)i, &value) >= 0 && value <= 1;
    }
    return good;
}

/** Name what a dataset holds, for who may not read it: "floating point numbers of 16 bytes". */
static inline void h5_input_type_name(const h5_input *input, char *text, size_t size) {
    static const char *const name[] = {[H5T_INTEGER] = "integers", [H5T_FLOAT] = "floating point numbers", [H5T_STRING] = "text",
                                       [H5T_BITFIELD] = "bit fields", [H5T_OPAQUE] = "opaque values",
                                       [H5T_REFERENCE] = "references", [H5T_ENUM] = "an enumeration", [H5T_VLEN] = "lists of variable length",
                                       [H5T_ARRAY] = "arrays"};
    hid_t type = H5Dget_type(input->id);
    H5T_class_t class = H5Tget_class(type);
    bool known = class >= 0 && class < (int)(sizeof name / sizeof *name) && name[class];
    if (class == H5T_ENUM && input->kind == H5_INPUT_COARSE) snprintf(text, size, "booleans");
    else if (class == H5T_INTEGER || class == H5T_FLOAT) snprintf(text, size, "%s of %lld bytes", name[class], (long long)input->element);
    else if (class == H5T_COMPOUND) snprintf(text, size, "compounds of %d fields (complex numbers, or a table of records)", H5Tget_nmembers(type));
    else snprintf(text, size, "%s", known ? name[class] : "values of an unknown type");
    if (type >= 0) H5Tclose(type);
}

/** Fill in kind, sign and element size. */
static inline void h5_input_type(h5_input *input) {
    hid_t type = H5Dget_type(input->id);
    H5T_class_t class = H5Tget_class(type);
    size_t bytes = H5Tget_size(type);
    input->element = (int64_t)bytes;
    if (class == H5T_ENUM ? h5_input_boolean(type) : class == H5T_FLOAT && bytes == 2) input->kind = H5_INPUT_COARSE;
    if (class == H5T_INTEGER && bytes <= 8) input->kind = H5_INPUT_INTEGER;
    if (class == H5T_FLOAT && (bytes == 4 || bytes == 8)) input->kind = H5_INPUT_REAL;
    if (class == H5T_STRING || (class == H5T_REFERENCE && H5Tequal(type, H5T_STD_REF_OBJ) > 0)) input->kind = H5_INPUT_TEXT;
    input->is_signed = input->kind == H5_INPUT_INTEGER && H5Tget_sign(type) == H5T_SGN_2;
    if (type >= 0) H5Tclose(type);
}

/** Fill in the shape. @return whether it has at most H5_INPUT_AXES axes, and a product that a machine can count */
static inline bool h5_input_shape(h5_input *input) {
    hsize_t extent[H5S_MAX_RANK] = {0};
    hid_t space = H5Dget_space(input->id);
    input->dimensions = H5Sget_simple_extent_dims(space, extent, NULL);
    if (space >= 0) H5Sclose(space);
    int64_t bytes = input->count = 1;
    bool fits = input->dimensions >= 0 && input->dimensions <= H5_INPUT_AXES;
    for (int i = 0; i < H5_INPUT_AXES; i++) {
        hsize_t length = fits && i < input->dimensions ? extent[i] : 1;
        fits = fits && length <= INT64_MAX;
        input->shape[i] = fits ? (int64_t)length : 0;
        fits = fits && !__builtin_mul_overflow(input->count, input->shape[i], &input->count);
    }
    return fits && !__builtin_mul_overflow(input->count, input->element, &bytes);
}

/** Are the chunks that the shape asks for in the file, and of bearable size? */
static inline bool h5_input_chunks(const h5_input *input, hid_t properties) {
    hsize_t chunk[H5S_MAX_RANK], stored = 0;
    if (H5Pget_chunk(properties, H5S_MAX_RANK, chunk) != input->dimensions) return false;
    int64_t bytes = input->element, wanted = 1;
    for (int i = 0; i < input->dimensions; i++) {
        if (chunk[i] == 0 || chunk[i] > (hsize_t)H5_INPUT_CHUNK_LIMIT) return false;
        if (__builtin_mul_overflow(bytes, (int64_t)chunk[i], &bytes) || bytes > H5_INPUT_CHUNK_LIMIT) return false;
        int64_t along = input->shape[i] / (int64_t)chunk[i] + (input->shape[i] % (int64_t)chunk[i] != 0);
        if (__builtin_mul_overflow(wanted, along, &wanted)) return false;
    }
    hid_t space = H5Dget_space(input->id);
    bool known = H5Dget_num_chunks(input->id, space, &stored) >= 0;
    H5Sclose(space);
    return known && stored == (hsize_t)wanted;
}

/** Name a filter of a dataset that this HDF5 does not have. @param[out] text "LZF (filter 32000)" @return whether there is one */
static inline bool h5_input_lacks_filter(const h5_input *input, char *text, size_t size) {
    static const struct { H5Z_filter_t id; const char *name; } known[] = {
        {307, "bzip2"}, {32000, "LZF"}, {32001, "Blosc"}, {32004, "LZ4"}, {32008, "bitshuffle"},
        {32013, "ZFP"}, {32015, "Zstandard"}, {32017, "SZ"}, {32026, "Blosc2"}, {H5Z_FILTER_SZIP, "SZIP"}};
    hid_t properties = H5Dget_create_plist(input->id);
    bool lacks = false;
    for (int i = 0, filters = H5Pget_nfilters(properties); i < filters && !lacks; i++) {
        char name[64] = "";
        unsigned flags, config;
        size_t values = 0;
        H5Z_filter_t id = H5Pget_filter2(properties, (unsigned)i, &flags, &values, NULL, sizeof name, name, &config);
        lacks = id >= 0 && H5Zfilter_avail(id) <= 0;
        const char *called = name[0] ? name : "an unknown filter";
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            if (known[k].id == id) called = known[k].name;
        if (lacks) snprintf(text, size, "%.60s (filter %d)", called, (int)id);
    }
    H5Pclose(properties);
    return lacks;
}

/** Is all that the shape promises stored in this very file? It is not when a writer was killed, or when somebody made the shape up. */
static inline bool h5_input_stored(const h5_input *input, hid_t file) {
    if (input->count == 0) return true;
    hsize_t size = 0, storage = H5Dget_storage_size(input->id);
    hid_t properties = H5Dget_create_plist(input->id);
    H5D_layout_t layout = H5Pget_layout(properties);
    bool whole = H5Fget_filesize(file, &size) >= 0 && storage > 0 && storage <= size && H5Pget_external_count(properties) == 0;
    if (layout == H5D_CHUNKED) whole = whole && h5_input_chunks(input, properties);
    else whole = whole && layout != H5D_VIRTUAL && storage >= (hsize_t)(input->count * input->element);
    H5Pclose(properties);
    return whole;
}

/** Does a link of the file lead to a dataset of another one? A run is known by the content of the files that it names. */
static inline bool h5_input_elsewhere(const h5_input *input, hid_t file) {
    char here[PATH_MAX] = "", there[PATH_MAX] = "";
    return H5Fget_name(file, here, sizeof here) < 0 || H5Fget_name(input->id, there, sizeof there) < 0 || strcmp(here, there) != 0;
}

/** @return STATUS_INPUT, with a message unless @p path is NULL */
__attribute__((format(printf, 3, 4))) static inline status h5_input_fail(const char *path, const char *name, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return path ? status_fail(STATUS_INPUT, "%s: dataset '%s' %s", path, name, text) : STATUS_INPUT;
}

/** Write a UTF-16 unit as UTF-8, at most 3 bytes. @return how many */
static inline size_t h5_encode_utf8(char *to, unsigned code) {
    size_t bytes = code < 0x80 ? 1 : code < 0x800 ? 2 : 3;
    to[0] = (char)(bytes == 1 ? code : bytes == 2 ? 0xC0 | code >> 6 : 0xE0 | code >> 12);
    if (bytes == 3) to[1] = (char)(0x80 | (code >> 6 & 0x3F));
    if (bytes > 1) to[bytes - 1] = (char)(0x80 | (code & 0x3F));
    return bytes;
}

/** Are its values in other files: is it virtual, or stored in external ones? */
static inline bool h5_input_borrowed(const h5_input *input) {
    hid_t properties = H5Dget_create_plist(input->id);
    bool borrowed = H5Pget_layout(properties) == H5D_VIRTUAL || H5Pget_external_count(properties) > 0;
    H5Pclose(properties);
    return borrowed;
}

/** Is the name, or a part of it, a link that leads nowhere? */
static inline bool h5_input_dangles(hid_t file, const char *name) {
    char part[1024];
    H5L_info_t link;
    for (size_t end = 1; end <= strlen(name) && end < sizeof part; end++) {
        if (name[end] && name[end] != '/') continue;
        snprintf(part, sizeof part, "%.*s", (int)end, name);
        if (H5Lget_info(file, part, &link, H5P_DEFAULT) < 0) return false;
        if (link.type != H5L_TYPE_HARD && H5Oexists_by_name(file, part, H5P_DEFAULT) <= 0) return true;
    }
    return false;
}

/** Open a dataset of @p dimensions axes (negative: of 1 to that many) that holds one of @p kinds.
 *  @return STATUS_INPUT with nothing to close when it is anything else */
static inline status h5_input_dataset(hid_t file, const char *path, const char *name, int dimensions, int kinds, h5_input *input) {
    static const char *const allowed[] = {"",     "integers",         "float32 or float64",       "integers, float32 or float64",
                                          "text", "integers or text", "float32, float64 or text", "integers, float32, float64 or text"};
    *input = (h5_input){.path = path, .name = name, .id = H5Dopen2(file, name, H5P_DEFAULT)};
    if (input->id < 0 && h5_input_dangles(file, name)) return h5_input_fail(path, name, "is missing: a link leads to what is not there");
    if (input->id < 0) return h5_input_fail(path, name, "is missing, or is no dataset");
    if (h5_input_elsewhere(input, file)) {
        h5_input_close(input);
        return h5_input_fail(path, name, "is in another file, by an external link; a run is known by the content of the files that it names: "
                                         "copy it here (h5copy)");
    }
    h5_input_type(input);
    bool countable = h5_input_shape(input);
    char filter[96];
    status result = STATUS_OK;
    if (!(input->kind & kinds)) {
        char holds[96];
        h5_input_type_name(input, holds, sizeof holds);
        result = h5_input_fail(path, name, "holds the wrong type; allowed are %s%s; these are %s", allowed[kinds & ~H5_INPUT_COARSE],
                               kinds & H5_INPUT_COARSE ? ", float16 or booleans" : "", holds);
    } else if (dimensions >= 0 ? input->dimensions != dimensions : input->dimensions < 1 || input->dimensions > -dimensions)
        result = h5_input_fail(path, name, "has %d dimensions instead of %s%d", input->dimensions, dimensions < -1 ? "1 to " : "", abs(dimensions));
    else if (!countable) result = h5_input_fail(path, name, "has an impossible shape");
    else if (h5_input_borrowed(input))
        result = h5_input_fail(path, name, "has its values in other files (virtual, or external storage); a run is known by the content of the files that it "
                                           "names: copy it here (h5py: new[name] = old[name][()])");
    else if (!h5_input_stored(input, file))
        result = h5_input_fail(path, name, "declares %lld elements, but they are not all stored in this file (unfinished, or chunks above 1 GiB)",
                               (long long)input->count);
    else if (input->count > 0 && (input->lacks_filter = h5_input_lacks_filter(input, filter, sizeof filter)))
        result = h5_input_fail(path, name,
                               "is compressed with %s, which this HDF5 cannot read; rewrite the file with gzip where that filter is known: h5repack -f GZIP=4 "
                               "OLD NEW (LZF: with h5py)",
                               filter);
    if (result != STATUS_OK) h5_input_close(input);
    return result;
}

/** Find what is stored, and unpacked, together. Of chunks that are larger than what HDF5 keeps, one is kept from now on: who reads such a dataset bit by bit
 *  unpacks each once. @param[out] chunk [H5_INPUT_AXES] the shape, where there are no chunks @return bytes of a chunk, 0: there are none */
static inline int64_t h5_input_chunk(hid_t file, h5_input *input, int64_t *chunk) {
    enum { KEPT = 1 << 20 }; /* by HDF5 itself */
    hsize_t stored[H5S_MAX_RANK];
    int64_t bytes = input->element;
    hid_t properties = H5Dget_create_plist(input->id);
    bool chunked = H5Pget_layout(properties) == H5D_CHUNKED && H5Pget_chunk(properties, H5S_MAX_RANK, stored) == input->dimensions;
    H5Pclose(properties);
    for (int i = 0; i < H5_INPUT_AXES; i++) {
        chunk[i] = !chunked ? input->shape[i] : i < input->dimensions ? (int64_t)stored[i] : 1;
        if (chunked) bytes *= chunk[i]; /* at most H5_INPUT_CHUNK_LIMIT */
    }
    if (!chunked || bytes <= KEPT) return chunked ? bytes : 0;
    hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
    if (H5Pset_chunk_cache(access, H5D_CHUNK_CACHE_NSLOTS_DEFAULT, (size_t)bytes, 1) >= 0 && H5Dclose(input->id) >= 0)
        input->id = H5Dopen2(file, input->name, access);
    H5Pclose(access);
    return bytes;
}

/** What a conversion to another type found that this one does not hold. */
typedef struct {
    bool is_signed, found;
    int64_t value; /**< bits of the first one */
} h5_input_inexact;

/** H5Tconv callback: integers of 64 bits beyond 2^53 are no doubles, but for some. Rounded, neighbours would be one. HDF5 asks for more than these. */
static inline H5T_conv_ret_t h5_input_exception(H5T_conv_except_t kind, hid_t from, hid_t to, void *source, void *target, void *data) {
    h5_input_inexact *inexact = ((void)to, (void)target, data);
    int64_t value;
    if (kind != H5T_CONV_EXCEPT_PRECISION || H5Tget_class(from) != H5T_INTEGER || H5Tget_size(from) != sizeof value) return H5T_CONV_UNHANDLED;
    memcpy(&value, source, sizeof value);
    if (H5Tget_order(from) != H5Tget_order(H5T_NATIVE_INT64)) value = (int64_t)__builtin_bswap64((uint64_t)value);
    bool is_signed = H5Tget_sign(from) == H5T_SGN_2;
    double rounded = is_signed ? (double)value : (double)(uint64_t)value;
    if (is_signed ? rounded < 0x1p63 && (int64_t)rounded == value : rounded < 0x1p64 && (uint64_t)rounded == (uint64_t)value) return H5T_CONV_UNHANDLED;
    *inexact = (h5_input_inexact){.is_signed = is_signed, .found = true, .value = value};
    return H5T_CONV_ABORT;
}

/** Read a box, indices [first, first+extent) along each axis, row-major, converted to @p type in memory (H5T_NATIVE_DOUBLE, ...).
 *  @param first, extent [H5_INPUT_AXES] */
static inline status h5_input_box(const h5_input *input, const int64_t *first, const int64_t *extent, hid_t type, void *data) {
    if (input->count == 0) return STATUS_OK;
    hsize_t start[H5_INPUT_AXES], count[H5_INPUT_AXES];
    for (int i = 0; i < H5_INPUT_AXES; i++) {
        if (extent[i] == 0) return STATUS_OK;
        start[i] = (hsize_t)first[i];
        count[i] = (hsize_t)extent[i];
    }
    hid_t space = H5Dget_space(input->id), memory = H5Screate_simple(input->dimensions, count, NULL);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL);
    status result = STATUS_OK;
    h5_input_inexact inexact = {0};
    hid_t transfer = H5Pcreate(H5P_DATASET_XFER);
    H5Pset_type_conv_cb(transfer, h5_input_exception, &inexact);
    if (H5Dread(input->id, type, memory, space, transfer, data) < 0) {
        char why[192];
        h5_cause(why, sizeof why);
        if (inexact.found && inexact.is_signed)
            result = h5_input_fail(input->path, input->name, "has %lld, which no double is: integers may go from -2^53 to 2^53",
                                   (long long)inexact.value);
        else if (inexact.found)
            result = h5_input_fail(input->path, input->name, "has %llu, which no double is: integers may go to 2^53", (unsigned long long)inexact.value);
        else result = h5_input_fail(input->path, input->name, "cannot be read from row %lld on: %s", (long long)first[0], why);
    }
    H5Pclose(transfer);
    H5Sclose(memory);
    H5Sclose(space);
    return result;
}

/** Read rows [first, first+rows) of the first axis. */
static inline status h5_input_rows(const h5_input *input, int64_t first, int64_t rows, hid_t type, void *data) {
    const int64_t start[H5_INPUT_AXES] = {first}, extent[H5_INPUT_AXES] = {rows, input->shape[1], input->shape[2]};
    return h5_input_box(input, start, extent, type, data);
}

#endif
