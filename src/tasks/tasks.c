/* Tasks: what their kinds share. */
#include "engram/tasks.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engram/memory.h"

extern const task_kind task_store_recall, task_sequential_images, task_evidence, task_autoencode, task_delayed_xor, task_oscillation,
    task_regression, task_frames, task_function_family, task_navigation;

/* To add a kind: write src/tasks/NAME.c after the pattern of store_recall.c (drawn) or sequential_images.c (read), or of autoencode.c
 * if readouts follow values, and a line here. */
const task_kind *const task_kinds[] = {&task_store_recall, &task_sequential_images, &task_evidence, &task_autoencode, &task_delayed_xor, &task_oscillation,
                                       &task_regression, &task_frames, &task_function_family, &task_navigation, NULL};

const param_table task_common = {TASK_SECTION, "what readouts are to say of the input", NULL, 0, 0};

struct task {
    const task_kind *kind;
    task_shape shape;
    void *self;
    char about[2 * TASK_TEXT_BYTES];
};

static unsigned gives(const task_kind *kind) {
    return kind->gives ? kind->gives : TASK_SPIKES | TASK_LABELS;
}

int task_variants(unsigned wanted, const param_table **tables, int room) {
    int count = 0;
    for (const task_kind *const *kind = task_kinds; *kind && count < room; kind++)
        if (gives(*kind) == wanted) tables[count++] = (*kind)->parameters;
    return count;
}

static const task_kind *kind_in(const config *config) {
    const char *name = config_variant_name(config, TASK_SECTION);
    const task_kind *const *kind = task_kinds;
    while (strcmp((*kind)->parameters->name, name) != 0) kind++;
    return *kind;
}

static const task_kind *kind_of(const task_setting *setting) {
    return kind_in(setting->config);
}

bool task_acts(const config *config) {
    return gives(kind_in(config)) & TASK_ACTIONS;
}

status task_check(const task_setting *setting) {
    const task_kind *kind = kind_of(setting);
    return kind->check ? kind->check(setting, config_variant(setting->config, TASK_SECTION)) : STATUS_OK;
}

status task_shape_of(const task_setting *setting, task_shape *shape) {
    *shape = (task_shape){0};
    status mine = task_check(setting);
    if (mine == STATUS_OK) mine = kind_of(setting)->shape(setting, config_variant(setting->config, TASK_SECTION), shape);
    shape->bytes += (int64_t)sizeof(task), shape->gives = gives(kind_of(setting));
    return mine;
}

/** Inputs and outputs of samples. */
static void channels_of(const task_shape *shape, int64_t channels[TASK_CHANNELS]) {
    channels[0] = shape->inputs, channels[1] = shape->outputs;
}

void task_note_channels(const task *task, int64_t **channels) {
    if (*channels) return;
    *channels = memory_new(MEMORY_OUTPUT, TASK_CHANNELS, sizeof **channels);
    channels_of(&task->shape, *channels);
}

/** "4 inputs (dataset 'input')" @param name of the dataset, or NULL */
static void tell_channels(int64_t count, const char *what, const char *name, char text[TASK_TEXT_BYTES]) {
    const int length = snprintf(text, TASK_TEXT_BYTES, "%lld %s%s", (long long)count, what, count == 1 ? "" : "s");
    if (name) snprintf(text + length, TASK_TEXT_BYTES - (size_t)length, " (dataset '%.100s')", name);
}

status task_fits(config *config, const task_shape *shape, const int64_t channels[TASK_CHANNELS], const char *path) {
    const task_kind *kind = kind_in(config);
    static const char *const what[TASK_CHANNELS] = {"input", "output"};
    const char *names[TASK_CHANNELS] = {NULL};
    char has[TASK_CHANNELS][TASK_TEXT_BYTES], need[TASK_CHANNELS][TASK_TEXT_BYTES];
    int64_t now[TASK_CHANNELS];
    channels_of(shape, now);
    if (now[0] == channels[0] && now[1] == channels[1]) return STATUS_OK;
    if (kind->datasets) kind->datasets(config_variant(config, TASK_SECTION), names);
    for (int k = 0; k < TASK_CHANNELS; k++) tell_channels(now[k], what[k], names[k], has[k]), tell_channels(channels[k], what[k], NULL, need[k]);
    return config_complain(config, TASK_SECTION, kind->datasets ? "path" : "kind", "samples of %s and %s, but the weights of %s are of %s and %s", has[0],
                           has[1], path, need[0], need[1]);
}

status task_open(const task_setting *setting, task **result) {
    char about[TASK_TEXT_BYTES] = "";
    *result = NULL;
    task *task = memory_new(MEMORY_TARGETS, 1, sizeof *task);
    task->kind = kind_of(setting);
    status agreed = status_agree(setting->context, task_shape_of(setting, &task->shape));
    if (agreed == STATUS_OK) agreed = task->kind->open(setting, config_variant(setting->config, TASK_SECTION), &task->shape, &task->self, about);
    if (agreed != STATUS_OK) {
        memory_free(task);
        return agreed;
    }
    snprintf(task->about, sizeof task->about, "%s, %s", task->kind->parameters->name, about);
    *result = task;
    return STATUS_OK;
}

void task_close(task *task) {
    if (!task) return;
    task->kind->close(task->self);
    memory_free(task);
}

const task_shape *task_sizes(const task *task) {
    return &task->shape;
}

const char *task_about(const task *task) {
    return task->about;
}

void task_draw(task *task, task_pick pick, const task_sample *sample) {
    const int64_t count = task->shape.count[pick.set];
    pick.epoch = count ? pick.number / count : 0;
    if (count) pick.number %= count;
    task->kind->draw(task->self, pick, sample);
}

task_moved task_move(task *task, task_pick pick, const task_sample *sample, int number, const double *action) {
    return task->kind->move(task->self, pick, sample, number, action);
}

int task_said(const task *task, const task_sample *sample, const float *output) {
    return task->kind->said ? task->kind->said(task->self, sample, output) : TASK_NO_LABEL;
}

void task_learned(task *task, double right) {
    if (task->kind->learned) task->kind->learned(task->self, right);
}

void task_state(task *task, state_list *list) {
    if (task->kind->state) task->kind->state(task->self, list);
}

task_set task_test_set(const task *task, bool between) {
    return between && task->shape.count[TASK_VALIDATE] ? TASK_VALIDATE : TASK_TEST;
}

int64_t task_validation_trials(const task_shape *shape, int64_t samples) {
    return (shape->count[TASK_VALIDATE] + samples - 1) / samples;
}

double task_difficulty(const task *task) {
    return task->kind->difficulty ? task->kind->difficulty(task->self) : NAN;
}
