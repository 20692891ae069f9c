#include "table_dataset.h"

#include <math.h>
#include <string.h>

#include "engram/memory.h"

enum { AXES = H5_INPUT_AXES, PIECE_VALUES = TABLE_PIECE_BYTES / (int)sizeof(double) };

typedef struct {
    const foreign_dataset *input;
    bool reversed, nonnegative;
    const table *all;
    table_pieces *to;
    table_refused *refused;
    double *values, *turned; /**< of a box: in the order of the file, and, where axes are reversed, in that of a table */
} dataset_reader;

/** Indices [first, first + extent) along each axis. */
typedef struct { int64_t first[AXES], extent[AXES]; } box;

static int64_t volume(const int64_t *extent) {
    return extent[0] * extent[1] * extent[2];
}

/** As many chunks as a piece takes, along the last axis first; or a chunk that is larger. @param[in,out] extent  of a chunk */
static void chunks_at_once(const foreign_dataset *input, int64_t *extent) {
    for (int axis = AXES - 1; axis >= 0; axis--) {
        const int64_t more = PIECE_VALUES / volume(extent);
        if (more > 1) extent[axis] = more < input->shape[axis] / extent[axis] + 1 ? more * extent[axis] : input->shape[axis];
        if (extent[axis] < input->shape[axis]) return;
    }
}

/** What a piece takes of chunks that are larger: they are cut along the first axis first. @param extent of chunks @param[out] cut */
static void cut_to_pieces(const int64_t *extent, int64_t *cut) {
    memcpy(cut, extent, AXES * sizeof *cut);
    for (int axis = 0; axis < AXES && volume(cut) > PIECE_VALUES; axis++) {
        const int64_t others = volume(cut) / cut[axis];
        cut[axis] = others < PIECE_VALUES ? PIECE_VALUES / others : 1;
    }
}

/** The next box, in the order of the file, of those that @p whole is divided into. @param[in,out] at  all 0 before the first: its extent, too
 *  @return false behind the last */
static bool next_box(const box *whole, const int64_t *step, box *at) {
    if (at->extent[0] == 0) memcpy(at->first, whole->first, sizeof at->first);
    else {
        int axis = AXES - 1;
        while (axis >= 0 && (at->first[axis] += step[axis]) >= whole->first[axis] + whole->extent[axis]) {
            at->first[axis] = whole->first[axis];
            axis--;
        }
        if (axis < 0) return false;
    }
    for (int axis = 0; axis < AXES; axis++) {
        const int64_t left = whole->first[axis] + whole->extent[axis] - at->first[axis];
        at->extent[axis] = step[axis] < left ? step[axis] : left;
    }
    return true;
}

static void refuse(table_refused *refused, int64_t at, double value) {
    int told = refused->count < TABLE_MISTAKES_TOLD ? (int)refused->count : TABLE_MISTAKES_TOLD, place = told;
    refused->count++;
    while (place > 0 && refused->at[place - 1] > at) place--;
    if (place == TABLE_MISTAKES_TOLD) return;
    const int moved = (told < TABLE_MISTAKES_TOLD ? told : TABLE_MISTAKES_TOLD - 1) - place;
    memmove(refused->at + place + 1, refused->at + place, (size_t)moved * sizeof *refused->at);
    memmove(refused->value + place + 1, refused->value + place, (size_t)moved * sizeof *refused->value);
    refused->at[place] = at;
    refused->value[place] = value;
}

static void check(const dataset_reader *in, const box *at) {
    const int64_t *shape = in->input->shape, *extent = at->extent;
    const double least = in->nonnegative ? 0 : -INFINITY, *value = in->values;
    for (int64_t i = 0; i < extent[0]; i++)
        for (int64_t j = 0; j < extent[1]; j++) {
            const int64_t element = ((at->first[0] + i) * shape[1] + at->first[1] + j) * shape[2] + at->first[2];
            for (int64_t k = 0; k < extent[2]; k++, value++)
                if (!(isfinite(*value) && *value >= least)) refuse(in->refused, element + k, *value);
        }
}

/** Conditions, times and units of a box. Of two axes the last of three, of length 1, is in the way. */
static void turn_lengths(const dataset_reader *in, const int64_t *box, int64_t missing, int64_t turned[AXES]) {
    const bool three = in->input->dimensions == 3;
    turned[0] = three ? box[in->reversed ? 2 : 0] : missing;
    turned[1] = three ? box[1] : box[in->reversed ? 1 : 0];
    turned[2] = box[in->reversed ? 0 : three ? 2 : 1];
}

/** From [unit][time][condition]. */
static void turn_values(const dataset_reader *in, const int64_t *extent) {
    const double *value = in->values;
    for (int64_t u = 0; u < extent[2]; u++)
        for (int64_t t = 0; t < extent[1]; t++)
            for (int64_t c = 0; c < extent[0]; c++) in->turned[(c * extent[1] + t) * extent[2] + u] = *value++;
}

static void put(const dataset_reader *in, const box *at) {
    const int times = in->all->times;
    int64_t first[AXES], extent[AXES];
    turn_lengths(in, at->first, 0, first);
    turn_lengths(in, at->extent, 1, extent);
    if (in->reversed) turn_values(in, extent);
    const double *values = in->reversed ? in->turned : in->values;
    const bool whole = extent[1] == times; /* rows of one condition follow on those of the one before */
    const int64_t rows = whole ? extent[0] * times : extent[1];
    for (int64_t c = 0; c < (whole ? 1 : extent[0]); c++) {
        const table_piece piece = {.row = (first[0] + c) * times + first[1], .rows = rows, .first = first[2], .units = extent[2],
                                   .values = values + c * rows * extent[2], .condition = (int)(first[0] + c), .times = times};
        table_put(in->to, &piece);
    }
}

status table_put_dataset(foreign_dataset *input, bool reversed, bool nonnegative, const table *all, table_pieces *to, table_refused *refused) {
    dataset_reader in = {.input = input, .reversed = reversed, .nonnegative = nonnegative, .all = all, .to = to, .refused = refused};
    box whole = {{0}, {input->shape[0], input->shape[1], input->shape[2]}}, chunks = {{0}, {0}};
    int64_t step[AXES], cut[AXES];
    *refused = (table_refused){0};
    status read = foreign_chunk(input, step);
    if (read != STATUS_OK) return read;
    chunks_at_once(input, step);
    cut_to_pieces(step, cut);
    in.values = memory_new(MEMORY_BUFFERS, (size_t)volume(cut), sizeof(double));
    if (reversed) in.turned = memory_new(MEMORY_BUFFERS, (size_t)volume(cut), sizeof(double));
    to->units = all->units;
    while (read == STATUS_OK && next_box(&whole, step, &chunks))
        for (box at = {{0}, {0}}; read == STATUS_OK && next_box(&chunks, cut, &at);) {
            read = foreign_box(input, at.first, at.extent, FOREIGN_DOUBLE, in.values);
            if (read == STATUS_OK) check(&in, &at);
            if (read == STATUS_OK && refused->count == 0) put(&in, &at);
        }
    memory_free(in.values);
    memory_free(in.turned);
    return read;
}
