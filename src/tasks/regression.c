/* Regression of patterns of a file: inputs are values [sample][row][channel], and readouts are to be values [sample][row][output], with a weight of the
 * error [sample][row] where the file has one. A row is held for so many steps; readouts are averaged over them. */
#include <stdio.h>
#include <string.h>

#include "engram/memory.h"
#include "order.h"
#include "sequences.h"

enum { PART_INPUT, PART_TARGET, PART_MASK, PARTS };

typedef struct {
    char *path, *test_path;
    char *dataset[TASK_FILES][PARTS];
    double scale;
    int64_t row_steps, validation;
} parameters;

static const param params[] = {
    {"path", PARAM_PATH, UNIT_NONE, NULL, 0, 0, NULL, "HDF5 file, to train with", offsetof(parameters, path), MAY_TEST, PATH_OTHER},
    {"input", PARAM_TEXT, UNIT_NONE, "input", 0, 0, NULL, "dataset [sample][row][channel]", offsetof(parameters, dataset[TASK_TRAIN][PART_INPUT]), MAY_TEST},
    {"target", PARAM_TEXT, UNIT_NONE, "target", 0, 0, NULL, "dataset [sample][row][output]", offsetof(parameters, dataset[TASK_TRAIN][PART_TARGET]), MAY_TEST},
    {"mask", PARAM_TEXT, UNIT_NONE, "", 0, 0, NULL, "dataset [sample][row]: weight of the error, 0 and more; \"\": 1 everywhere",
     offsetof(parameters, dataset[TASK_TRAIN][PART_MASK]), MAY_TEST},
    {"test_path", PARAM_PATH, UNIT_NONE, "", 0, 0, NULL, "as path, to test with; \"\": path", offsetof(parameters, test_path), MAY_TEST, PATH_OTHER},
    {"test_input", PARAM_TEXT, UNIT_NONE, "test_input", 0, 0, NULL, "as input, to test with", offsetof(parameters, dataset[TASK_TEST][PART_INPUT]), MAY_TEST},
    {"test_target", PARAM_TEXT, UNIT_NONE, "test_target", 0, 0, NULL, "as target, to test with",
     offsetof(parameters, dataset[TASK_TEST][PART_TARGET]), MAY_TEST},
    {"test_mask", PARAM_TEXT, UNIT_NONE, "", 0, 0, NULL, "as mask, to test with", offsetof(parameters, dataset[TASK_TEST][PART_MASK]), MAY_TEST},
    {"scale", PARAM_NUMBER, UNIT_NONE, "1", -1e9, 1e9, NULL, "that inputs are multiplied by", offsetof(parameters, scale)},
    {"row_steps", PARAM_INTEGER, UNIT_NONE, "1", 1, 65535, NULL, "steps that a row is held", offsetof(parameters, row_steps)},
    ORDER_VALIDATION(parameters),
};
static const param_table table = {"regression", "values that follow from values, of an HDF5 file", params, sizeof params / sizeof *params, sizeof(parameters)};

typedef struct {
    sequences part[TASK_FILES][PARTS];
    sample_order order;
    int row_steps;
    float scale;
} regression;

static sequence_source source_of(const parameters *p, task_set set, int part) {
    return (sequence_source){.path = set == TASK_TEST && *p->test_path ? p->test_path : p->path, .dataset = p->dataset[set][part],
                             .axes = part == PART_MASK ? 2 : 3};
}

static status check(const task_setting *setting, const void *raw) {
    const parameters *p = raw;
    if (!*p->test_path && strcmp(p->dataset[TASK_TRAIN][PART_INPUT], p->dataset[TASK_TEST][PART_INPUT]) == 0)
        return config_complain(setting->config, TASK_SECTION, "test_input", "'%s' is the dataset to train with, too", p->dataset[TASK_TEST][PART_INPUT]);
    return STATUS_OK;
}

static status check_mask(sequence_source source, const sequences *mask) {
    for (int64_t k = 0; mask->value && k < mask->count * mask->rows; k++)
        if (mask->value[k] < 0)
            return status_fail(STATUS_INPUT, "%s: dataset '%s': %g at sample %lld, row %lld (from 0); weights are 0 and more", source.path, source.dataset,
                               (double)mask->value[k], (long long)(k / mask->rows), (long long)(k % mask->rows));
    return STATUS_OK;
}

/** All parts of both sets, of which the shapes agree. */
static status read_parts(const task_setting *setting, const parameters *p, bool values, sequences part[TASK_FILES][PARTS]) {
    status read = STATUS_OK;
    for (int s = 0; s < TASK_FILES; s++)
        for (int k = 0; k < PARTS && read == STATUS_OK; k++) {
            const sequence_source source = source_of(p, (task_set)s, k), input = source_of(p, (task_set)s, PART_INPUT), train = source_of(p, TASK_TRAIN, k);
            if (k == PART_MASK && !*source.dataset) continue;
            read = sequences_read(setting, source, values, &part[s][k]);
            if (read == STATUS_OK && k != PART_INPUT) read = sequences_agree(input, &part[s][PART_INPUT], source, &part[s][k], false);
            if (read == STATUS_OK && k != PART_MASK && s == TASK_TEST) read = sequences_agree(train, &part[TASK_TRAIN][k], source, &part[s][k], true);
            if (read == STATUS_OK && k == PART_MASK) read = check_mask(source, &part[s][k]);
        }
    return read;
}

static status shape_of(const task_setting *setting, const void *raw, task_shape *shape) {
    const parameters *p = raw;
    sequences part[TASK_FILES][PARTS] = {{{0}}};
    status read = read_parts(setting, p, false, part);
    const sequences *input = &part[TASK_TRAIN][PART_INPUT];
    if (read != STATUS_OK) return read;
    if (input->rows * p->row_steps > 65535)
        return config_complain(setting->config, TASK_SECTION, "row_steps", "%d rows of %lld steps; less than 65536 steps are possible", input->rows,
                               (long long)p->row_steps);
    *shape = (task_shape){.inputs = input->columns, .outputs = part[TASK_TRAIN][PART_TARGET].columns, .steps = input->rows * (int)p->row_steps,
                          .reads = input->rows, .read_steps = (int)p->row_steps, .bytes = (int64_t)sizeof(regression)};
    for (int k = 0; k < TASK_FILES * PARTS; k++) shape->bytes += sequences_bytes(&part[k / PARTS][k % PARTS]);
    shape->count[TASK_TEST] = part[TASK_TEST][PART_INPUT].count, shape->building = 8 << 20;
    return order_split(setting, p->validation, part[TASK_TRAIN][PART_INPUT].count, shape);
}

static void close_task(void *raw) {
    regression *task = raw;
    for (int k = 0; k < TASK_FILES * PARTS; k++) memory_free(task->part[k / PARTS][k % PARTS].value);
    order_clear(&task->order);
    memory_free(task);
}

static status open_task(const task_setting *setting, const void *raw, const task_shape *shape, void **self, char about[TASK_TEXT_BYTES]) {
    const parameters *p = raw;
    char kept[ORDER_TEXT_BYTES];
    regression *task = memory_new(MEMORY_TARGETS, 1, sizeof *task);
    const status agreed = status_agree(setting->context, setting->context->rank == 0 ? read_parts(setting, p, true, task->part) : STATUS_OK);
    if (agreed != STATUS_OK) {
        close_task(task);
        return agreed;
    }
    for (int k = 0; k < TASK_FILES * PARTS; k++) sequences_share(setting->context, &task->part[k / PARTS][k % PARTS]);
    task->row_steps = (int)p->row_steps, task->scale = (float)p->scale;
    order_new(&task->order, setting->seed, shape), order_tell(shape, kept);
    snprintf(about, TASK_TEXT_BYTES, "%lld samples to train with, %s%lld to test with, of %d rows", (long long)shape->count[TASK_TRAIN],
             kept, (long long)shape->count[TASK_TEST], shape->reads);
    *self = task;
    return STATUS_OK;
}

static void draw_sample(void *raw, task_pick pick, const task_sample *sample) {
    regression *task = raw;
    const int64_t number = order_of(&task->order, pick);
    const task_set file = order_file(pick.set);
    const sequences *input = &task->part[file][PART_INPUT], *target = &task->part[file][PART_TARGET], *mask = &task->part[file][PART_MASK];
    for (int t = 0; t < input->rows * task->row_steps; t++) {
        const int row = t / task->row_steps;
        const size_t step = (size_t)t;
        for (int c = 0; c < input->columns; c++)
            sample->values[(step * (size_t)input->columns + (size_t)c) * TASK_LANES + (size_t)sample->lane] =
                task->scale * sequences_row(input, number, row)[c];
        for (int o = 0; o < target->columns; o++)
            sample->target[(step * (size_t)target->columns + (size_t)o) * TASK_LANES + (size_t)sample->lane] = sequences_row(target, number, row)[o];
        sample->weight[step * TASK_LANES + (size_t)sample->lane] = mask->value ? *sequences_row(mask, number, row) : 1;
    }
}

static void datasets(const void *raw, const char *names[TASK_CHANNELS]) {
    const parameters *p = raw;
    names[0] = p->dataset[TASK_TRAIN][PART_INPUT], names[1] = p->dataset[TASK_TRAIN][PART_TARGET];
}

const task_kind task_regression = {.parameters = &table, .check = check, .shape = shape_of, .open = open_task, .close = close_task, .draw = draw_sample,
                                   .gives = TASK_VALUES | TASK_TARGETS, .datasets = datasets};
