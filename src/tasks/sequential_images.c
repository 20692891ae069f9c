/* Sequential images (Le, Jaitly & Hinton 2015; Bellec et al. 2018): pixels one after another, one a step, as spikes of channels whose thresholds the value
 * crosses; then cue steps, in which one more channel fires. The readouts, averaged over the last steps, say which label the image has. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "encoders.h"
#include "engram/files.h"
#include "engram/memory.h"
#include "order.h"
#include "../images/idx_read.h"

enum { THRESHOLDS_MAX = 1000, LABELS = 256 };
enum { ORDER_RASTER, ORDER_PERMUTED };
static const float GREYS = 255;
static const double MNIST_SHOWN = 0.024; /* of its digits; 0.03, but neighbours fire together: files are not read to plan */

typedef struct {
    char *path, *labels_path, *test_path, *test_labels_path;
    int64_t thresholds, cue_steps, read_steps, classes, samples, validation;
    int order;
} parameters;

static const param params[] = {
    {"path", PARAM_PATH, UNIT_NONE, NULL, 0, 0, NULL, "IDX file of unsigned bytes [sample][row][column], to train with; .gz, too", offsetof(parameters, path),
     MAY_TEST, PATH_OTHER},
    {"labels_path", PARAM_PATH, UNIT_NONE, NULL, 0, 0, NULL, "IDX file of labels [sample] of path", offsetof(parameters, labels_path), MAY_TEST, PATH_OTHER},
    {"test_path", PARAM_PATH, UNIT_NONE, NULL, 0, 0, NULL, "as path, to test with", offsetof(parameters, test_path), MAY_TEST, PATH_OTHER},
    {"test_labels_path", PARAM_PATH, UNIT_NONE, NULL, 0, 0, NULL, "as labels_path, of test_path", offsetof(parameters, test_labels_path), MAY_TEST, PATH_OTHER},
    {"classes", PARAM_INTEGER, UNIT_NONE, "10", 2, LABELS, NULL, "labels are 0 .. classes - 1", offsetof(parameters, classes)},
    {"thresholds", PARAM_INTEGER, UNIT_NONE, "40", 2, THRESHOLDS_MAX, NULL, "that pixels cross: 2 thresholds channels, of which the last is the cue's",
     offsetof(parameters, thresholds)},
    {"cue_steps", PARAM_INTEGER, UNIT_NONE, "56", 1, 1 << 16, NULL, "behind the pixels", offsetof(parameters, cue_steps)},
    {"read_steps", PARAM_INTEGER, UNIT_NONE, "28", 1, 1 << 16, NULL, "at the end, over which readouts are averaged", offsetof(parameters, read_steps)},
    {"order", PARAM_CHOICE, UNIT_NONE, "raster", 0, 0, "raster permuted", "of pixels: as they are, or one drawn order for all images",
     offsetof(parameters, order)},
    {"samples", PARAM_INTEGER, UNIT_NONE, "auto", 1, 1 << 30, NULL, "to train with, the first of the file; auto: all", offsetof(parameters, samples)},
    ORDER_VALIDATION(parameters),
};
static const param_table table = {"sequential_images", "images of IDX files (MNIST), pixel by pixel", params, sizeof params / sizeof *params,
                                  sizeof(parameters)};

typedef struct {
    uint64_t seed;
    task_shape shape;
    int pixels, thresholds, cue_steps;
    image_data image[TASK_FILES];
    uint8_t *label[TASK_FILES];
    int64_t *pixel;               /* [pixels] order they are shown in */
    sample_order order;           /* of the training set */
    float *value;                 /* [pixels] scratch */
} sequential_images;

/** Of images: height and width in pixels. */
typedef struct { int rows, columns; } size_in_pixels;

/** Which images there are, and how large: those of a test as those to train with. @param[in,out] size */
static status look(const task_setting *setting, const parameters *p, task_set set, size_in_pixels *size, int64_t *count) {
    char *path = config_resolve_path(setting->config, set == TASK_TEST ? p->test_path : p->path);
    idx_file file;
    status read = idx_open(path, file_open_input(path), IDX_IMAGES, &file);
    if (read == STATUS_OK) {
        if (set == TASK_TEST) read = idx_check_shape(&file, setting->config, p->path, size->rows, size->columns);
        *size = (size_in_pixels){file.rows, file.columns}, *count = file.count;
        idx_close(&file);
    }
    free(path);
    return read;
}

static status shape_of(const task_setting *setting, const void *raw, task_shape *shape) {
    const parameters *p = raw;
    size_in_pixels size = {0};
    int64_t count[TASK_FILES];
    status read = look(setting, p, TASK_TRAIN, &size, &count[TASK_TRAIN]);
    if (read == STATUS_OK) read = look(setting, p, TASK_TEST, &size, &count[TASK_TEST]);
    if (read != STATUS_OK) return read;
    const int pixels = size.rows * size.columns;
    if (p->samples != PARAM_AUTO_INTEGER && p->samples > count[TASK_TRAIN])
        return config_complain(setting->config, TASK_SECTION, "samples", "%lld, but path has %lld images", (long long)p->samples, (long long)count[TASK_TRAIN]);
    const int64_t steps = pixels + p->cue_steps;
    if (steps >= 1 << 16)
        return config_complain(setting->config, TASK_SECTION, "cue_steps", "%lld steps in all; less than 65536 are possible", (long long)steps);
    *shape = (task_shape){.inputs = 2 * (int)p->thresholds, .outputs = (int)p->classes, .steps = (int)steps, .reads = 1, .read_steps = (int)p->read_steps,
                          .shown = MNIST_SHOWN};
    shape->bytes = (int64_t)sizeof(sequential_images) + (count[TASK_TRAIN] + count[TASK_TEST]) * (pixels + 1) + pixels * 12;
    shape->count[TASK_TEST] = count[TASK_TEST];
    return order_split(setting, p->validation, p->samples == PARAM_AUTO_INTEGER ? count[TASK_TRAIN] : p->samples, shape);
}

static status check(const task_setting *setting, const void *raw) {
    const parameters *p = raw;
    if (p->read_steps > p->cue_steps)
        return config_complain(setting->config, TASK_SECTION, "read_steps", "%lld, but there are %lld cue_steps", (long long)p->read_steps,
                               (long long)p->cue_steps);
    return STATUS_OK;
}

/* ---- reading ---- */

static status read_labels(const task_setting *setting, const parameters *p, task_set set, sequential_images *task) {
    char *path = config_resolve_path(setting->config, set == TASK_TEST ? p->test_labels_path : p->labels_path);
    idx_file file;
    status read = idx_open(path, file_open_input(path), IDX_LABELS, &file);
    if (read == STATUS_OK) {
        if (file.count != task->image[set].count)
            read = status_fail(STATUS_INPUT, "%s: has %lld labels, but there are %lld images", path, (long long)file.count, (long long)task->image[set].count);
        else read = idx_read_labels(&file, &task->label[set]);
        for (int64_t n = 0; read == STATUS_OK && n < file.count; n++)
            if (task->label[set][n] >= p->classes)
                read = status_fail(STATUS_INPUT, "%s: label %d of image %lld; labels are below task.classes = %lld", path, task->label[set][n], (long long)n,
                                   (long long)p->classes);
        idx_close(&file);
    }
    free(path);
    return read;
}

static status read_set(const task_setting *setting, const parameters *p, task_set set, sequential_images *task) {
    char *path = config_resolve_path(setting->config, set == TASK_TEST ? p->test_path : p->path);
    idx_file file;
    status read = idx_open(path, file_open_input(path), IDX_IMAGES, &file);
    if (read == STATUS_OK) {
        read = idx_read_images(&file, NULL, &task->image[set]);
        idx_close(&file);
    }
    free(path);
    return read == STATUS_OK ? read_labels(setting, p, set, task) : read;
}

static void close_task(void *raw) {
    sequential_images *task = raw;
    for (int s = 0; s < TASK_FILES; s++) memory_free(task->image[s].values), memory_free(task->label[s]);
    memory_free(task->pixel), memory_free(task->value);
    order_clear(&task->order);
    memory_free(task);
}

static status open_task(const task_setting *setting, const void *raw, const task_shape *shape, void **self, char about[TASK_TEXT_BYTES]) {
    const parameters *p = raw;
    sequential_images *task = memory_new(MEMORY_TARGETS, 1, sizeof *task);
    status mine = STATUS_OK;
    char kept[ORDER_TEXT_BYTES];
    for (int s = 0; s < TASK_FILES && mine == STATUS_OK && setting->context->rank == 0; s++) mine = read_set(setting, p, (task_set)s, task);
    mine = status_agree(setting->context, mine);
    if (mine != STATUS_OK) {
        close_task(task);
        return mine;
    }
    for (int s = 0; s < TASK_FILES; s++) {
        data_share(setting->context, &task->image[s]);
        if (!task->label[s]) task->label[s] = memory_new(MEMORY_TARGETS, (size_t)task->image[s].count, 1);
        data_share_bytes(setting->context, task->label[s], (size_t)task->image[s].count);
    }
    task->seed = setting->seed, task->shape = *shape;
    task->pixels = shape->steps - (int)p->cue_steps, task->thresholds = (int)p->thresholds, task->cue_steps = (int)p->cue_steps;
    task->pixel = memory_new(MEMORY_TARGETS, (size_t)task->pixels, sizeof *task->pixel);
    task->value = memory_new(MEMORY_TARGETS, (size_t)task->pixels, sizeof *task->value);
    order_new(&task->order, task->seed, shape), order_tell(shape, kept);
    for (int i = 0; i < task->pixels; i++) task->pixel[i] = i;
    if (p->order == ORDER_PERMUTED) order_shuffle(task->seed, 0, task->pixels, task->pixel);
    snprintf(about, TASK_TEXT_BYTES, "%lld images to train with, %s%lld to test with, of %d pixels%s, %d classes", (long long)shape->count[TASK_TRAIN],
             kept, (long long)shape->count[TASK_TEST], task->pixels, p->order == ORDER_PERMUTED ? " in a drawn order" : "", shape->outputs);
    *self = task;
    return STATUS_OK;
}

static void draw_sample(void *raw, task_pick pick, const task_sample *sample) {
    sequential_images *task = raw;
    const int64_t number = order_of(&task->order, pick);
    const task_set file = order_file(pick.set);
    const uint8_t *image = (const uint8_t *)task->image[file].values + number * task->pixels;
    for (int i = 0; i < task->pixels; i++) task->value[i] = (float)image[task->pixel[i]] / GREYS;
    encode_crossings(sample, task->shape.inputs, task->thresholds, task->value, task->pixels);
    for (int t = task->pixels; t < task->shape.steps; t++)
        sample->spikes[(int64_t)t * task->shape.inputs + 2 * task->thresholds - 1] |= (uint16_t)(1u << sample->lane);
    sample->label[0] = task->label[file][number];
}

const task_kind task_sequential_images = {.parameters = &table, .check = check, .shape = shape_of, .open = open_task, .close = close_task, .draw = draw_sample};
