/* Images of an HDF5 dataset of any program: [sample][pixel] or [sample][row][column], maybe of two planes, on and off, one behind the other; divided by a
 * number; in the order of the file, again and again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data.h"
#include "../io/h5_foreign.h"

enum { SIDE_MAX = 1 << 20, PIECE = 1 << 20 };

typedef struct {
    char *path, *dataset, *test_path, *test_dataset;
    double divisor;
    int64_t rows, planes;
} parameters;

static const param params[] = {
    {"path", PARAM_PATH, UNIT_NONE, NULL, 0, 0, NULL, "HDF5 file, to train with", offsetof(parameters, path), MAY_TEST, PATH_OTHER},
    {"dataset", PARAM_TEXT, UNIT_NONE, "train", 0, 0, NULL, "[sample][pixel] or [sample][row][column]", offsetof(parameters, dataset), MAY_TEST},
    {"test_path", PARAM_PATH, UNIT_NONE, "", 0, 0, NULL, "HDF5 file, to test with; \"\": path", offsetof(parameters, test_path), MAY_TEST, PATH_OTHER},
    {"test_dataset", PARAM_TEXT, UNIT_NONE, "test", 0, 0, NULL, "as dataset, to test with", offsetof(parameters, test_dataset), MAY_TEST},
    {"divisor", PARAM_NUMBER, UNIT_NONE, "1", 1e-30, 1e30, NULL, "values are divided by it: 255 for bytes", offsetof(parameters, divisor), MAY_TEST},
    {"rows", PARAM_INTEGER, UNIT_NONE, "auto", 1, SIDE_MAX, NULL, "of an image (figures); auto: as the dataset has, or those of a square, or 1",
     offsetof(parameters, rows)},
    {"planes", PARAM_INTEGER, UNIT_NONE, "1", 1, 2, NULL, "2: the first half of the pixels is on, the second off", offsetof(parameters, planes)},
};
static const param_table table = {"hdf5", "images of an HDF5 dataset", params, sizeof params / sizeof *params, sizeof(parameters)};

typedef struct {
    image_data set[IMAGES_SETS];
    double divisor;
} hdf5;

static status check(const image_setting *setting, const void *raw) {
    const parameters *p = raw;
    if (!*p->test_path && strcmp(p->dataset, p->test_dataset) == 0)
        return config_complain(setting->config, IMAGES_SECTION, "test_dataset", "'%s' is the dataset to train with, too", p->test_dataset);
    return STATUS_OK;
}

/* ---- reading ---- */

/** Narrow what was read. @return false: @p type does not hold a value exactly */
static bool narrow(const double *read, int64_t count, data_type type, void *values) {
    bool exact = true;
    for (int64_t i = 0; i < count && exact; i++) {
        double x = read[i];
        if (type == DATA_BYTES) {
            exact = x >= 0 && x <= 255 && x == (double)(uint8_t)x;
            if (exact) ((uint8_t *)values)[i] = (uint8_t)x;
        } else if (type == DATA_FLOATS) {
            ((float *)values)[i] = (float)x;
            exact = (double)(float)x == x;
        } else ((double *)values)[i] = x;
    }
    return exact;
}

static status check_finite(const foreign_dataset *input, const double *read, int64_t first, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(read[i])) {
            int64_t at = first + i, each = input->count / input->shape[0];
            return status_fail(STATUS_INPUT, "%s: dataset '%s': %g at sample %lld, pixel %lld (from 0); allowed are finite numbers", input->file->path,
                               input->name, read[i], (long long)(at / each), (long long)(at % each));
        }
    return STATUS_OK;
}

/** All samples, in a type that may not hold them. @param keep false: only looked at @param[out] exact whether it does */
static status read_as(const foreign_dataset *input, bool keep, image_data *data, bool *exact) {
    int64_t most = PIECE / data->each > 0 ? PIECE / data->each : 1;
    double *piece = memory_new(MEMORY_BUFFERS, (size_t)(most * data->each), sizeof *piece);
    char *scratch = memory_new(MEMORY_BUFFERS, keep ? 0 : (size_t)(most * data->each), sizeof *piece);
    status read = STATUS_OK;
    *exact = true;
    for (int64_t n = 0; n < data->count && read == STATUS_OK && *exact; n += most) {
        int64_t rows = data->count - n < most ? data->count - n : most, first = n * data->each;
        read = foreign_rows(input, n, rows, FOREIGN_DOUBLE, piece);
        if (read == STATUS_OK) read = check_finite(input, piece, first, rows * data->each);
        char *to = keep ? (char *)data->values + first * data_size(data->type) : scratch;
        if (read == STATUS_OK) *exact = narrow(piece, rows * data->each, data->type, to);
    }
    memory_free(piece), memory_free(scratch);
    return read;
}

/** @param headers only look which type it takes */
static status read_dataset(const foreign_dataset *input, bool headers, image_data *data) {
    const char *path = input->file->path;
    if (input->dimensions < 2 || input->count < 1 || input->count / input->shape[0] > DATA_VALUES_MAX)
        return status_fail(STATUS_INPUT,
                           "%s: dataset '%s' has %d axes and %lld values: images have 2, [sample][pixel], or 3, [sample][row][column], and 1 to %d pixels",
                           path, input->name, input->dimensions, (long long)input->count, DATA_VALUES_MAX);
    *data = (image_data){.type = DATA_BYTES, .count = input->shape[0], .each = input->count / input->shape[0]};
    bool exact = false;
    for (;;) { /* until a type holds all of them: the last one does */
        status read = headers ? data_check(path, data) : data_make(path, data);
        if (read == STATUS_OK) read = read_as(input, !headers, data, &exact);
        if (read != STATUS_OK || exact) return read;
        memory_free(data->values);
        data->values = NULL;
        data->type++;
    }
}

static status read_set(const image_setting *setting, const parameters *p, image_set set, bool headers, image_data *data, int64_t *shape) {
    bool test = set == IMAGES_TEST;
    char *path = config_resolve_path(setting->config, test && *p->test_path ? p->test_path : p->path);
    foreign_file file;
    foreign_dataset input = {0};
    status read = foreign_open(path, &file);
    if (read == STATUS_OK) {
        read = foreign_dataset_open(&file, true, test ? p->test_dataset : p->dataset, -H5_INPUT_AXES,
                                    H5_INPUT_REAL | H5_INPUT_INTEGER | H5_INPUT_COARSE, &input);
        if (read == STATUS_OK) {
            read = read_dataset(&input, headers, data);
            memcpy(shape, input.shape, sizeof input.shape);
            if (input.dimensions == 2) shape[2] = 0; /* has no rows */
            foreign_dataset_close(&input);
        }
    }
    foreign_close(&file);
    free(path);
    return read;
}

/** Rows and columns of a plane, of an image of @p each pixels. */
static status find_shape(const image_setting *setting, const parameters *p, const int64_t shape[H5_INPUT_AXES], int *rows, int *columns) {
    int64_t each = shape[1] * (shape[2] ? shape[2] : 1), plane = each / p->planes;
    if (each % p->planes) return config_complain(setting->config, IMAGES_SECTION, "planes", "%lld pixels have no two halves", (long long)each);
    int64_t height = p->rows;
    if (height == PARAM_AUTO_INTEGER) {
        int64_t side = llround(sqrt((double)plane));
        height = shape[2] && shape[1] % p->planes == 0 ? shape[1] / p->planes : side * side == plane ? side : 1;
    }
    if (plane % height)
        return config_complain(setting->config, IMAGES_SECTION, "rows", "%lld does not divide the %lld pixels of a plane", (long long)height, (long long)plane);
    *rows = (int)height, *columns = (int)(plane / height);
    return STATUS_OK;
}

/** "FILE: dataset 'NAME' has images of 6 x 6 pixels", or "of 36 pixels" where it has no rows. */
static void describe_set(const image_setting *setting, const char *path, const char *dataset, const int64_t *shape, char *text, size_t size) {
    char *resolved = config_resolve_path(setting->config, path);
    if (shape[2]) snprintf(text, size, "%s: '%s' has images of %lld x %lld pixels", resolved, dataset, (long long)shape[1], (long long)shape[2]);
    else snprintf(text, size, "%s: '%s' has images of %lld pixels", resolved, dataset, (long long)shape[1]);
    free(resolved);
}

static status complain_of_shapes(const image_setting *setting, const parameters *p, int64_t shape[IMAGES_SETS][H5_INPUT_AXES]) {
    enum { TEXT_BYTES = 4096 + 512 };
    char train[TEXT_BYTES], test[TEXT_BYTES];
    describe_set(setting, p->path, p->dataset, shape[IMAGES_TRAIN], train, sizeof train);
    describe_set(setting, *p->test_path ? p->test_path : p->path, p->test_dataset, shape[IMAGES_TEST], test, sizeof test);
    return config_complain(setting->config, IMAGES_SECTION, *p->test_path ? "test_path" : "test_dataset", "%s, but to train with: %s", test, train);
}

static status read_sets(const image_setting *setting, const parameters *p, bool headers, image_data *sets, int *rows, int *columns) {
    int64_t shape[IMAGES_SETS][H5_INPUT_AXES];
    for (int s = 0; s < IMAGES_SETS; s++) {
        status read = read_set(setting, p, (image_set)s, headers, &sets[s], shape[s]);
        if (read != STATUS_OK) return read;
    }
    const int64_t *train = shape[IMAGES_TRAIN], *test = shape[IMAGES_TEST];
    if (sets[0].each != sets[1].each || (train[2] && test[2] && train[2] != test[2])) return complain_of_shapes(setting, p, shape);
    return find_shape(setting, p, shape[IMAGES_TRAIN], rows, columns);
}

/* ---- the kind ---- */

/** Reads through the files: only values say how much they take. */
static status size_of(const image_setting *setting, const void *raw, image_size *size) {
    const parameters *p = raw;
    image_data sets[IMAGES_SETS] = {{0}};
    status read = read_sets(setting, p, true, sets, &size->rows, &size->columns);
    size->planes = (int)p->planes;
    size->bytes = sizeof(hdf5);
    for (int s = 0; s < IMAGES_SETS; s++) size->bytes += sets[s].count * sets[s].each * data_size(sets[s].type);
    size->building = PIECE * (int64_t)sizeof(double);
    return read;
}

static void close_hdf5(void *raw) {
    hdf5 *hdf5 = raw;
    for (int s = 0; s < IMAGES_SETS; s++) memory_free(hdf5->set[s].values);
    memory_free(hdf5);
}

static status open_hdf5(const image_setting *setting, const void *raw, image_content *content) {
    const parameters *p = raw;
    hdf5 *hdf5 = memory_new(MEMORY_TARGETS, 1, sizeof *hdf5);
    int shape[2] = {0};
    status agreed = status_agree(setting->context, setting->context->rank == 0 ? read_sets(setting, p, false, hdf5->set, &shape[0], &shape[1]) : STATUS_OK);
    if (agreed != STATUS_OK) {
        close_hdf5(hdf5);
        return agreed;
    }
    data_share_bytes(setting->context, shape, sizeof shape);
    for (int s = 0; s < IMAGES_SETS; s++) {
        data_share(setting->context, &hdf5->set[s]);
        content->count[s] = hdf5->set[s].count;
    }
    hdf5->divisor = p->divisor;
    content->self = hdf5;
    content->rows = shape[0], content->columns = shape[1], content->planes = (int)p->planes;
    content->foreign = true;
    snprintf(content->about, sizeof content->about, "%lld and %lld images of %s%d x %d", (long long)content->count[IMAGES_TRAIN],
             (long long)content->count[IMAGES_TEST], p->planes == 2 ? "2 x " : "", shape[0], shape[1]);
    return STATUS_OK;
}

static void get(const void *raw, image_set set, int64_t number, double *values) {
    const hdf5 *hdf5 = raw;
    const image_data *data = &hdf5->set[set];
    for (int64_t i = 0; i < data->each; i++) values[i] = data_value(data, number * data->each + i) / hdf5->divisor;
}

const image_kind image_hdf5 = {.parameters = &table, .check = check, .size = size_of, .open = open_hdf5, .close = close_hdf5, .get = get};
