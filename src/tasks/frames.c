/* Framewise classification of a file (phones of speech in Bellec et al. 2018): features [utterance][frame][feature], shown as values, and a label of every
 * frame. A frame is held for so many steps; readouts are averaged over them. */
#include <stdio.h>
#include <string.h>

#include "engram/memory.h"
#include "order.h"
#include "sequences.h"

enum { PART_FEATURES, PART_LABELS, PARTS, CLASSES_MAX = 10000 };

typedef struct {
    char *path, *test_path;
    char *dataset[TASK_FILES][PARTS];
    double scale;
    int64_t frame_steps, classes, validation;
} parameters;

static const param params[] = {
    {"path", PARAM_PATH, UNIT_NONE, NULL, 0, 0, NULL, "HDF5 file, to train with", offsetof(parameters, path), MAY_TEST, PATH_OTHER},
    {"features", PARAM_TEXT, UNIT_NONE, "features", 0, 0, NULL, "dataset [utterance][frame][feature]", offsetof(parameters, dataset[TASK_TRAIN][PART_FEATURES]),
     MAY_TEST},
    {"labels", PARAM_TEXT, UNIT_NONE, "labels", 0, 0, NULL, "dataset [utterance][frame]: 0 .. classes - 1; -1: frames that do not count",
     offsetof(parameters, dataset[TASK_TRAIN][PART_LABELS]), MAY_TEST},
    {"test_path", PARAM_PATH, UNIT_NONE, "", 0, 0, NULL, "as path, to test with; \"\": path", offsetof(parameters, test_path), MAY_TEST, PATH_OTHER},
    {"test_features", PARAM_TEXT, UNIT_NONE, "test_features", 0, 0, NULL, "as features, to test with",
     offsetof(parameters, dataset[TASK_TEST][PART_FEATURES]), MAY_TEST},
    {"test_labels", PARAM_TEXT, UNIT_NONE, "test_labels", 0, 0, NULL, "as labels, to test with",
     offsetof(parameters, dataset[TASK_TEST][PART_LABELS]), MAY_TEST},
    {"classes", PARAM_INTEGER, UNIT_NONE, "12", 2, CLASSES_MAX, NULL, "that labels tell", offsetof(parameters, classes)},
    {"scale", PARAM_NUMBER, UNIT_NONE, "1", -1e9, 1e9, NULL, "that features are multiplied by", offsetof(parameters, scale)},
    {"frame_steps", PARAM_INTEGER, UNIT_NONE, "5", 1, 65535, NULL, "steps that a frame is held", offsetof(parameters, frame_steps)},
    ORDER_VALIDATION(parameters),
};
static const param_table table = {"frames", "a label for every frame of an HDF5 file", params, sizeof params / sizeof *params, sizeof(parameters)};

typedef struct {
    sequences part[TASK_FILES][PARTS];
    sample_order order;
    int frame_steps;
    float scale;
} frames;

static sequence_source source_of(const parameters *p, task_set set, int part) {
    return (sequence_source){.path = set == TASK_TEST && *p->test_path ? p->test_path : p->path, .dataset = p->dataset[set][part],
                             .axes = part == PART_LABELS ? 2 : 3};
}

static status check(const task_setting *setting, const void *raw) {
    const parameters *p = raw;
    if (!*p->test_path && strcmp(p->dataset[TASK_TRAIN][PART_FEATURES], p->dataset[TASK_TEST][PART_FEATURES]) == 0)
        return config_complain(setting->config, TASK_SECTION, "test_features", "'%s' is the dataset to train with, too", p->dataset[TASK_TEST][PART_FEATURES]);
    return STATUS_OK;
}

static status check_labels(sequence_source source, const sequences *labels, int64_t classes) {
    for (int64_t k = 0; labels->value && k < labels->count * labels->rows; k++) {
        const float label = labels->value[k];
        if (!(label >= TASK_NO_LABEL) || !(label < (float)classes) || label != (float)(int)label)
            return status_fail(STATUS_INPUT, "%s: dataset '%s': label %g at utterance %lld, frame %lld (from 0); allowed are -1 (none) and integers below"
                               " task.classes = %lld", source.path, source.dataset, (double)label, (long long)(k / labels->rows), (long long)(k % labels->rows),
                               (long long)classes);
    }
    return STATUS_OK;
}

/** All parts of both sets, of which the shapes agree. */
static status read_parts(const task_setting *setting, const parameters *p, bool values, sequences part[TASK_FILES][PARTS]) {
    status read = STATUS_OK;
    for (int s = 0; s < TASK_FILES && read == STATUS_OK; s++) {
        const sequence_source features = source_of(p, (task_set)s, PART_FEATURES), labels = source_of(p, (task_set)s, PART_LABELS);
        read = sequences_read(setting, features, values, &part[s][PART_FEATURES]);
        if (read == STATUS_OK) read = sequences_read(setting, labels, values, &part[s][PART_LABELS]);
        if (read == STATUS_OK) read = sequences_agree(features, &part[s][PART_FEATURES], labels, &part[s][PART_LABELS], false);
        if (read == STATUS_OK && s == TASK_TEST)
            read = sequences_agree(source_of(p, TASK_TRAIN, PART_FEATURES), &part[TASK_TRAIN][PART_FEATURES], features, &part[s][PART_FEATURES], true);
        if (read == STATUS_OK) read = check_labels(labels, &part[s][PART_LABELS], p->classes);
    }
    return read;
}

static status shape_of(const task_setting *setting, const void *raw, task_shape *shape) {
    const parameters *p = raw;
    sequences part[TASK_FILES][PARTS] = {{{0}}};
    const status read = read_parts(setting, p, false, part);
    const sequences *features = &part[TASK_TRAIN][PART_FEATURES];
    if (read != STATUS_OK) return read;
    if (features->rows * p->frame_steps > 65535)
        return config_complain(setting->config, TASK_SECTION, "frame_steps", "%d frames of %lld steps; less than 65536 steps are possible", features->rows,
                               (long long)p->frame_steps);
    *shape = (task_shape){.inputs = features->columns, .outputs = (int)p->classes, .steps = features->rows * (int)p->frame_steps, .reads = features->rows,
                          .read_steps = (int)p->frame_steps, .bytes = (int64_t)sizeof(frames)};
    for (int k = 0; k < TASK_FILES * PARTS; k++) shape->bytes += sequences_bytes(&part[k / PARTS][k % PARTS]);
    shape->count[TASK_TEST] = part[TASK_TEST][PART_FEATURES].count, shape->building = 8 << 20;
    return order_split(setting, p->validation, part[TASK_TRAIN][PART_FEATURES].count, shape);
}

static void close_task(void *raw) {
    frames *task = raw;
    for (int k = 0; k < TASK_FILES * PARTS; k++) memory_free(task->part[k / PARTS][k % PARTS].value);
    order_clear(&task->order);
    memory_free(task);
}

static status open_task(const task_setting *setting, const void *raw, const task_shape *shape, void **self, char about[TASK_TEXT_BYTES]) {
    const parameters *p = raw;
    char kept[ORDER_TEXT_BYTES];
    frames *task = memory_new(MEMORY_TARGETS, 1, sizeof *task);
    const status agreed = status_agree(setting->context, setting->context->rank == 0 ? read_parts(setting, p, true, task->part) : STATUS_OK);
    if (agreed != STATUS_OK) {
        close_task(task);
        return agreed;
    }
    for (int k = 0; k < TASK_FILES * PARTS; k++) sequences_share(setting->context, &task->part[k / PARTS][k % PARTS]);
    task->frame_steps = (int)p->frame_steps, task->scale = (float)p->scale;
    order_new(&task->order, setting->seed, shape), order_tell(shape, kept);
    snprintf(about, TASK_TEXT_BYTES, "%lld utterances to train with, %s%lld to test with, of %d frames of %d features", (long long)shape->count[TASK_TRAIN],
             kept, (long long)shape->count[TASK_TEST], shape->reads, shape->inputs);
    *self = task;
    return STATUS_OK;
}

static void draw_sample(void *raw, task_pick pick, const task_sample *sample) {
    frames *task = raw;
    const int64_t number = order_of(&task->order, pick);
    const task_set file = order_file(pick.set);
    const sequences *features = &task->part[file][PART_FEATURES], *labels = &task->part[file][PART_LABELS];
    for (int t = 0; t < features->rows * task->frame_steps; t++)
        for (int c = 0; c < features->columns; c++)
            sample->values[((size_t)t * (size_t)features->columns + (size_t)c) * TASK_LANES + (size_t)sample->lane] =
                task->scale * sequences_row(features, number, t / task->frame_steps)[c];
    for (int row = 0; row < labels->rows; row++) sample->label[row] = (int)*sequences_row(labels, number, row);
}

static void datasets(const void *raw, const char *names[TASK_CHANNELS]) {
    names[0] = ((const parameters *)raw)->dataset[TASK_TRAIN][PART_FEATURES]; /* outputs are classes */
}

const task_kind task_frames = {.parameters = &table, .check = check, .shape = shape_of, .open = open_task, .close = close_task, .draw = draw_sample,
                               .gives = TASK_VALUES | TASK_LABELS, .datasets = datasets};
