/* Images of IDX files (MNIST and what is distributed like it), plain or compressed with gzip: pixels/255, in the order of the files, again and again; those of
 * some labels only, if there is a file of labels; and sampled anew to another size, bilinearly, as Mikulasch, Rudelt & Priesemann 2021 show digits. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engram/files.h"
#include "idx_read.h"

enum { LABELS = 256, SIDE_MAX = 4096 };

typedef struct {
    char *path, *labels_path, *test_path, *test_labels_path;
    param_numbers labels;
    int64_t rows, columns;
} parameters;

static const param params[] = {
    {"path", PARAM_PATH, UNIT_NONE, NULL, 0, 0, NULL, "IDX file of unsigned bytes [sample][row][column], to train with; .gz, too", offsetof(parameters, path),
     MAY_TEST, PATH_OTHER},
    {"test_path", PARAM_PATH, UNIT_NONE, NULL, 0, 0, NULL, "as path, to test with", offsetof(parameters, test_path), MAY_TEST, PATH_OTHER},
    {"labels_path", PARAM_PATH, UNIT_NONE, "", 0, 0, NULL, "IDX file of labels [sample] of path; needed where labels are chosen",
     offsetof(parameters, labels_path), MAY_TEST, PATH_OTHER},
    {"test_labels_path", PARAM_PATH, UNIT_NONE, "", 0, 0, NULL, "as labels_path, of test_path", offsetof(parameters, test_labels_path), MAY_TEST, PATH_OTHER},
    {"labels", PARAM_NUMBERS, UNIT_NONE, "[]", 0, LABELS - 1, NULL, "images of these labels only; []: all", offsetof(parameters, labels), MAY_TEST},
    {"rows", PARAM_INTEGER, UNIT_NONE, "auto", 1, SIDE_MAX, NULL, "of an image, sampled anew; auto: as the files have", offsetof(parameters, rows)},
    {"columns", PARAM_INTEGER, UNIT_NONE, "auto", 1, SIDE_MAX, NULL, "as rows", offsetof(parameters, columns)},
};
static const param_table table = {"idx", "images of IDX files, as of MNIST", params, sizeof params / sizeof *params, sizeof(parameters)};

typedef struct {
    image_data set[IMAGES_SETS];
    int rows, columns; /**< of the files */
    bool as_is;
    resampling row, column;
} idx;

static bool is_auto(int64_t value) {
    return value == PARAM_AUTO_INTEGER;
}

static status check(const image_setting *setting, const void *raw) {
    const parameters *p = raw;
    status mine = STATUS_OK;
    for (int i = 0; i < p->labels.count; i++)
        if (p->labels.values[i] != floor(p->labels.values[i]))
            mine = config_complain(setting->config, IMAGES_SECTION, "labels", "%g is none: labels are integers from 0 to %d", p->labels.values[i], LABELS - 1);
    for (int test = 0; test < 2; test++)
        if (p->labels.count && !*(test ? p->test_labels_path : p->labels_path))
            mine = config_complain(setting->config, IMAGES_SECTION, test ? "test_labels_path" : "labels_path", "is not given, but labels are chosen");
    return mine;
}

/* ---- reading ---- */

static status open_path(const image_setting *setting, const char *name, int axes, char **path, idx_file *file) {
    *path = config_resolve_path(setting->config, name);
    return idx_open(*path, file_open_input(*path), axes, file);
}

/** Which images of a set are chosen by label. Labels that are given are looked at, too, where none are chosen: they may be those of other images.
 *  @param[out] keep [count of the images], memory_free(); NULL: all @param[out] kept number of them */
static status choose(const image_setting *setting, const parameters *p, image_set set, const idx_file *images, bool **keep, int64_t *kept) {
    const char *name = set == IMAGES_TEST ? p->test_labels_path : p->labels_path;
    *keep = NULL, *kept = images->count;
    if (!*name) return STATUS_OK;
    bool wanted[LABELS] = {false};
    for (int i = 0; i < p->labels.count; i++) wanted[(int)p->labels.values[i]] = true;
    idx_file file;
    char *path;
    uint8_t *labels = NULL;
    status read = open_path(setting, name, IDX_LABELS, &path, &file);
    if (read == STATUS_OK) {
        if (file.count != images->count)
            read = status_fail(STATUS_INPUT, "%s: has %lld labels, but %s has %lld images", path, (long long)file.count, images->path,
                               (long long)images->count);
        else if (p->labels.count) read = idx_read_labels(&file, &labels);
        idx_close(&file);
    }
    if (read == STATUS_OK && labels) {
        *keep = memory_new(MEMORY_BUFFERS, (size_t)images->count, sizeof **keep);
        *kept = 0;
        for (int64_t n = 0; n < images->count; n++) *kept += (*keep)[n] = wanted[labels[n]];
        if (*kept == 0) read = status_fail(STATUS_INPUT, "%s: none of its labels is one of stimulus.labels", path);
    }
    memory_free(labels);
    free(path);
    return read;
}

/** One set. @param headers only how many there are, of what size @param[in,out] idx the set, and the shape of samples, which is that of the set before */
static status read_set(const image_setting *setting, const parameters *p, image_set set, bool headers, idx *idx) {
    idx_file file;
    char *path;
    bool *keep = NULL;
    int64_t kept;
    status read = open_path(setting, set == IMAGES_TEST ? p->test_path : p->path, IDX_IMAGES, &path, &file);
    if (read == STATUS_OK) {
        read = choose(setting, p, set, &file, &keep, &kept);
        if (read == STATUS_OK && set == IMAGES_TEST) read = idx_check_shape(&file, setting->config, p->path, idx->rows, idx->columns);
        idx->rows = file.rows, idx->columns = file.columns;
        if (headers) idx->set[set] = (image_data){.type = DATA_BYTES, .count = kept, .each = (int64_t)file.rows * file.columns};
        else if (read == STATUS_OK) read = idx_read_images(&file, keep, &idx->set[set]);
        idx_close(&file);
    }
    memory_free(keep);
    free(path);
    return read;
}

static status read_sets(const image_setting *setting, const parameters *p, bool headers, idx *idx) {
    status read = read_set(setting, p, IMAGES_TRAIN, headers, idx);
    return read == STATUS_OK ? read_set(setting, p, IMAGES_TEST, headers, idx) : read;
}

/* ---- the kind ---- */

static void shape_of(const parameters *p, const idx *idx, int *rows, int *columns) {
    *rows = is_auto(p->rows) ? idx->rows : (int)p->rows;
    *columns = is_auto(p->columns) ? idx->columns : (int)p->columns;
}

static status size_of(const image_setting *setting, const void *raw, image_size *size) {
    const parameters *p = raw;
    idx sets = {0};
    status read = read_sets(setting, p, true, &sets);
    if (read != STATUS_OK) return read;
    shape_of(p, &sets, &size->rows, &size->columns);
    size->planes = 1;
    size->bytes = (int64_t)sizeof sets + resampling_bytes(size->rows) + resampling_bytes(size->columns);
    for (int s = 0; s < IMAGES_SETS; s++) size->bytes += sets.set[s].count * sets.set[s].each;
    return STATUS_OK;
}

static void close_idx(void *raw) {
    idx *idx = raw;
    if (!idx) return;
    for (int s = 0; s < IMAGES_SETS; s++) memory_free(idx->set[s].values);
    resampling_clear(&idx->row), resampling_clear(&idx->column);
    memory_free(idx);
}

static void describe(const parameters *p, const idx *idx, image_content *content) {
    int used = snprintf(content->about, sizeof content->about, "%lld and %lld images of %d x %d", (long long)idx->set[IMAGES_TRAIN].count,
                        (long long)idx->set[IMAGES_TEST].count, content->rows, content->columns);
    if (!idx->as_is) used += snprintf(content->about + used, sizeof content->about - (size_t)used, ", sampled from %d x %d", idx->rows, idx->columns);
    for (int i = 0; i < p->labels.count && used < (int)sizeof content->about - 32; i++)
        used += snprintf(content->about + used, sizeof content->about - (size_t)used, i ? " %g" : ", labels %g", p->labels.values[i]);
}

static status open_idx(const image_setting *setting, const void *raw, image_content *content) {
    const parameters *p = raw;
    idx *idx = memory_new(MEMORY_TARGETS, 1, sizeof *idx);
    status agreed = status_agree(setting->context, setting->context->rank == 0 ? read_sets(setting, p, false, idx) : STATUS_OK);
    if (agreed != STATUS_OK) {
        close_idx(idx);
        return agreed;
    }
    for (int s = 0; s < IMAGES_SETS; s++) {
        data_share(setting->context, &idx->set[s]);
        content->count[s] = idx->set[s].count;
    }
    data_share_bytes(setting->context, &idx->rows, sizeof idx->rows);
    data_share_bytes(setting->context, &idx->columns, sizeof idx->columns);
    shape_of(p, idx, &content->rows, &content->columns);
    content->planes = 1;
    idx->as_is = content->rows == idx->rows && content->columns == idx->columns;
    resampling_make(idx->rows, content->rows, &idx->row);
    resampling_make(idx->columns, content->columns, &idx->column);
    content->self = idx;
    describe(p, idx, content);
    return STATUS_OK;
}

static void get(const void *raw, image_set set, int64_t number, double *values) {
    const idx *idx = raw;
    const image_data *data = &idx->set[set];
    const uint8_t *pixels = (const uint8_t *)data->values + number * data->each;
    int64_t count = (int64_t)idx->row.to * idx->column.to;
    if (idx->as_is)
        for (int64_t i = 0; i < count; i++) values[i] = pixels[i];
    else resample(data, number * data->each, &idx->row, &idx->column, values);
    for (int64_t i = 0; i < count; i++) values[i] /= 255;
}

const image_kind image_idx = {.parameters = &table, .check = check, .size = size_of, .open = open_idx, .close = close_idx, .get = get};
