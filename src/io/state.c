#include "engram/state.h"

#include <stdio.h>
#include <string.h>

#include "engram/memory.h"

enum { PIECE_BYTES = 256 << 10 }; /* of an array that is written or read in pieces: stays in the cache, and is little beside the buffers of a file */

static size_t size_of(h5_type type) {
    static const size_t sizes[] = {[H5_INT8] = 1,  [H5_UINT8] = 1, [H5_UINT16] = 2, [H5_INT32] = 4,  [H5_UINT32] = 4,
                                   [H5_INT64] = 8, [H5_UINT64] = 8, [H5_FLOAT32] = 4, [H5_FLOAT64] = 8};
    return sizes[type];
}

/* ---- lists ---- */

static state_array *add(state_list *list, const char *module, const char *name, h5_type type, state_layout layout) {
    if (list->count == list->room) {
        list->room += 32;
        list->array = memory_resize(MEMORY_BUFFERS, list->array, (size_t)list->room, sizeof *list->array);
    }
    state_array *array = &list->array[list->count++];
    *array = (state_array){.type = type, .layout = layout};
    int length = snprintf(array->name, sizeof array->name, "%s/%s", module, name);
    if (length < 0 || (size_t)length >= sizeof array->name) context_abort("state: '%s/%s' is too long a name", module, name);
    return array;
}

void state_add(state_list *list, const char *module, const char *name, h5_type type, state_layout layout, int64_t count, void *data) {
    state_array *array = add(list, module, name, type, layout);
    if (layout == LAYOUT_PIECES || (layout != LAYOUT_NEURONS && count < 0))
        context_abort("state: '%s' has layout %d with %lld elements", array->name, layout, (long long)count);
    array->count = count;
    array->data = data;
}

void state_add_optional(state_list *list, const char *module, const char *name, h5_type type, state_layout layout, int64_t count, void *pointer) {
    void *data;
    memcpy(&data, pointer, sizeof data);
    state_add(list, module, name, type, layout, count, data);
    list->array[list->count - 1].optional = pointer;
}

void state_add_pieces(state_list *list, const char *module, const char *name, h5_type type, state_pieces pieces) {
    add(list, module, name, type, LAYOUT_PIECES)->pieces = pieces;
}

void state_clear(state_list *list) {
    memory_free(list->array);
    *list = (state_list){0};
}

/** Elements that this rank has. */
static int64_t share_of(const state_array *array, const partition *part) {
    switch (array->layout) {
    case LAYOUT_SHARED: return array->count;
    case LAYOUT_NEURONS: return part->mine;
    case LAYOUT_ROWS:
    case LAYOUT_COLUMNS: return part->mine * array->count;
    case LAYOUT_PIECES: break;
    }
    return array->pieces.before + array->pieces.mine;
}

/* ---- datasets ---- */

/** An array that is not in pieces. */
static h5_dataset dataset_of(const state_array *array, const partition *part) {
    switch (array->layout) {
    case LAYOUT_SHARED: return h5_whole(array->type, array->count);
    case LAYOUT_ROWS: return h5_rows(array->type, part, array->count);
    case LAYOUT_COLUMNS: return h5_columns(array->type, part, array->count);
    case LAYOUT_NEURONS:
    case LAYOUT_PIECES: break;
    }
    return h5_neurons(array->type, part);
}

static int64_t piece_of(const state_array *array, int64_t left) {
    int64_t most = PIECE_BYTES / (int64_t)size_of(array->type);
    return left < most ? left : most;
}

/** Elements from..end-1 of the share to the file, or from the reader: one of them is NULL. */
static void walk_pieces(const state_array *array, int64_t from, int64_t end, h5_file *file, h5_reader *reader) {
    const state_pieces *pieces = &array->pieces;
    size_t size = size_of(array->type);
    void *buffer = pieces->take ? memory_new(MEMORY_BUFFERS, (size_t)piece_of(array, end - from), size) : NULL;
    for (int64_t count; from < end; from += count) {
        void *elements = buffer ? buffer : (char *)pieces->self + (size_t)from * size;
        count = piece_of(array, end - from);
        if (reader) h5_reader_take(reader, elements, count);
        if (reader && buffer) pieces->put(pieces->self, from, count, elements);
        if (file && buffer) pieces->take(pieces->self, from, count, elements);
        if (file) h5_stream_put(file, elements, count);
    }
    memory_free(buffer);
}

static void walk_stream(const state_array *array, const state_place *place, const char *dataset, h5_file *file, h5_reader *reader) {
    const state_pieces *pieces = &array->pieces;
    int64_t total, first = context_first(place->context, pieces->mine, &total), end = pieces->before + pieces->mine;
    if (file) {
        h5_stream_begin(file, dataset, array->type, total, first, pieces->mine);
        walk_pieces(array, pieces->before, end, file, NULL);
        h5_stream_end(file);
    } else {
        h5_reader_stream(reader, dataset, array->type, total, first - pieces->before, end);
        walk_pieces(array, 0, end, NULL, reader);
    }
}

/** Make an optional array, or free it, so that it is there or not. @return where it is now, or NULL */
static void *set_optional(const state_array *array, int64_t count, bool there) {
    void *data;
    memcpy(&data, array->optional, sizeof data);
    if (there == (data != NULL)) return data;
    memory_free(data);
    data = there ? memory_new(MEMORY_OUTPUT, (size_t)count, size_of(array->type)) : NULL;
    memcpy(array->optional, &data, sizeof data);
    return data;
}

static void walk_block(const state_array *array, const state_place *place, const char *name, h5_file *file, h5_reader *reader) {
    void *data = array->data;
    if (reader && array->optional) data = set_optional(array, share_of(array, &place->part), h5_reader_has(reader, name));
    if (array->optional && !data) return;
    if (file)
        h5_write(file, name, dataset_of(array, &place->part), data);
    else
        h5_read(reader, name, dataset_of(array, &place->part), data);
}

/** The one walk of a list: to the file or, if that is NULL, from the reader. */
static void walk(const state_list *list, const state_place *place, h5_file *file, h5_reader *reader) {
    char dataset[2 * STATE_NAME_BYTES];
    for (int k = 0; k < list->count; k++) {
        const state_array *array = &list->array[k];
        snprintf(dataset, sizeof dataset, "%s%s", place->folder, array->name);
        if (array->layout == LAYOUT_PIECES)
            walk_stream(array, place, dataset, file, reader);
        else
            walk_block(array, place, dataset, file, reader);
    }
}

void state_write(const state_list *list, const state_place *place, h5_file *file) {
    walk(list, place, file, NULL);
}

void state_read(const state_list *list, const state_place *place, h5_reader *reader) {
    walk(list, place, NULL, reader);
}

/* ---- in memory ---- */

int64_t state_bytes(const state_list *list, const partition *part) {
    int64_t bytes = 0;
    for (int k = 0; k < list->count; k++) {
        const state_array *array = &list->array[k];
        if (!array->optional || array->data) bytes += share_of(array, part) * (int64_t)size_of(array->type);
    }
    return bytes;
}

/** One array, and its elements. */
typedef struct {
    state_array array;
    int64_t count;
    void *elements; /* NULL: an optional array that did not exist */
} copied;

struct state_copy {
    copied *array; /* [count] */
    int count;
};

static copied copy_of(const state_array *array, const partition *part) {
    copied copy = {.array = *array, .count = share_of(array, part)};
    const state_pieces *pieces = &array->pieces;
    bool own_order = array->layout == LAYOUT_PIECES && pieces->take;
    const void *data = array->layout == LAYOUT_PIECES ? pieces->self : array->data;
    if (array->optional && !data) return copy;
    copy.elements = memory_new(MEMORY_BUFFERS, (size_t)copy.count, size_of(array->type));
    if (own_order)
        pieces->take(pieces->self, 0, copy.count, copy.elements);
    else if (copy.count)
        memcpy(copy.elements, data, (size_t)copy.count * size_of(array->type));
    return copy;
}

state_copy *state_put_aside(const state_list *list, const partition *part) {
    state_copy *copy = memory_new(MEMORY_BUFFERS, 1, sizeof *copy);
    copy->array = memory_new(MEMORY_BUFFERS, (size_t)list->count, sizeof *copy->array);
    copy->count = list->count;
    for (int k = 0; k < list->count; k++) copy->array[k] = copy_of(&list->array[k], part);
    return copy;
}

static void put_back(const copied *copy) {
    const state_array *array = &copy->array;
    const state_pieces *pieces = &array->pieces;
    void *data = array->layout == LAYOUT_PIECES ? pieces->self : array->data;
    if (array->optional) data = set_optional(array, copy->count, copy->elements != NULL); /* it may have come, gone or moved in between */
    if (array->layout == LAYOUT_PIECES && pieces->put)
        pieces->put(pieces->self, 0, copy->count, copy->elements);
    else if (copy->elements && copy->count)
        memcpy(data, copy->elements, (size_t)copy->count * size_of(array->type));
    memory_free(copy->elements);
}

void state_bring_back(state_copy *copy) {
    for (int k = 0; copy && k < copy->count; k++) put_back(&copy->array[k]);
    if (copy) memory_free(copy->array);
    memory_free(copy);
}
