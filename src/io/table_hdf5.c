#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "engram/memory.h"
#include "h5_foreign.h"
#include "table_private.h"

#define VALUES_LIMIT ((int64_t)INT_MAX)

/** The only three-dimensional dataset of the root: a floating one, or else one of integers. */
static status choose_dataset(foreign_file *file, char name[FOREIGN_TEXT_BYTES]) {
    foreign_text *links, *real = NULL, *integer = NULL; /* the last of each kind */
    int count, reals = 0, integers = 0;
    foreign_links(file, "/", &links, &count);
    for (int i = 0; i < count; i++) {
        foreign_dataset input;
        if (foreign_dataset_open(file, false, links[i].text, 3, H5_INPUT_REAL | H5_INPUT_INTEGER, &input) != STATUS_OK) continue;
        if (input.kind == H5_INPUT_REAL && ++reals) real = &links[i];
        if (input.kind == H5_INPUT_INTEGER && ++integers) integer = &links[i];
        foreign_dataset_close(&input);
    }
    int found = reals ? reals : integers;
    if (found) snprintf(name, FOREIGN_TEXT_BYTES, "%s", reals ? real->text : integer->text);
    free(links);
    if (file->lost != STATUS_OK) return file->lost;
    if (found == 0) return status_fail(STATUS_INPUT, "%s: there is no readable dataset [condition][time][unit] of numbers in the root", file->path);
    if (found == 1) return STATUS_OK;
    return status_fail(STATUS_INPUT, "%s: %d datasets of the root have three dimensions, '%s' among them; which is meant?", file->path, found, name);
}

/* ---- values ---- */

static void check_value(table_mistakes *mistakes, const foreign_dataset *input, const table *all, int64_t i, int nonnegative) {
    double value = all->values[i];
    if (isfinite(value) && (!nonnegative || value >= 0)) return;
    int64_t u = i % all->units, t = i / all->units % all->times, c = i / all->units / all->times;
    table_mistake(mistakes, "%s: dataset '%s' at [%" PRId64 "][%" PRId64 "][%" PRId64 "]: %g, allowed are finite numbers%s", input->file->path,
                  input->name, c, t, u, value, nonnegative ? " >= 0" : "");
}

static status check_shape(const foreign_dataset *input) {
    const char *path = input->file->path;
    if (input->count == 0)
        return status_fail(STATUS_INPUT, "%s: dataset '%s' is empty: [%" PRId64 "][%" PRId64 "][%" PRId64 "]", path, input->name, input->shape[0],
                           input->shape[1], input->shape[2]);
    if (input->shape[0] > TABLE_CONDITIONS || input->shape[2] > TABLE_UNITS)
        return status_fail(STATUS_INPUT, "%s: dataset '%s' has %" PRId64 " conditions and %" PRId64 " units, at most %d and %d are allowed", path,
                           input->name, input->shape[0], input->shape[2], TABLE_CONDITIONS, TABLE_UNITS);
    if (input->count > VALUES_LIMIT)
        return status_fail(STATUS_INPUT, "%s: dataset '%s' has %" PRId64 " values, at most %d are allowed", path, input->name, input->count, INT_MAX);
    return STATUS_OK;
}

static status read_values(const foreign_dataset *input, int nonnegative, table *all) {
    status read = check_shape(input);
    if (read != STATUS_OK) return read;
    all->values = memory_new(MEMORY_TARGETS, (size_t)input->count, sizeof *all->values);
    all->conditions = (int)input->shape[0];
    all->times = (int)input->shape[1];
    all->units = (int)input->shape[2];
    read = foreign_rows(input, 0, input->shape[0], FOREIGN_DOUBLE, all->values);
    if (read != STATUS_OK) return read;
    table_mistakes mistakes = {0};
    for (int64_t i = 0; i < input->count; i++) check_value(&mistakes, input, all, i, nonnegative);
    return table_mistakes_end(&mistakes);
}

/* ---- time ---- */

/** Length of a unit of @p input in ms, said by its attribute units; 0 after status_fail(). */
static double unit_of_time(const foreign_dataset *input) {
    foreign_text unit;
    bool found;
    char shown[48];
    if (foreign_attribute(input, "units", &found, &unit) != STATUS_OK) return 0;
    if (!found || strcmp(unit.text, "ms") == 0) return 1;
    if (strcmp(unit.text, "s") == 0) return 1000;
    status_fail(STATUS_INPUT, "%s: dataset '%s': attribute units is '%s', allowed are 'ms' and 's'", input->file->path, input->name,
                table_show(shown, unit.text, (int64_t)strlen(unit.text)));
    return 0;
}

static status check_times(const foreign_dataset *input, const table *all) {
    table_mistakes mistakes = {0};
    for (int t = 0; t < all->times; t++) {
        if (!isfinite(all->time[t]))
            table_mistake(&mistakes, "%s: dataset 'time' at [%d]: %g, allowed are finite numbers", input->file->path, t, all->time[t]);
        else if (t > 0 && all->time[t] <= all->time[t - 1])
            table_mistake(&mistakes, "%s: dataset 'time' at [%d]: %.15g ms does not come after %.15g ms", input->file->path, t, all->time[t],
                          all->time[t - 1]);
    }
    return table_mistakes_end(&mistakes);
}

static status match_length(const foreign_dataset *input, const char *of, int64_t wanted) {
    if (input->count == wanted) return STATUS_OK;
    return status_fail(STATUS_INPUT, "%s: dataset '%s' has %" PRId64 " values, but there are %" PRId64 " %s", input->file->path, input->name,
                       input->count, wanted, of);
}

static status read_time(foreign_file *file, table *all) {
    foreign_dataset input;
    status read = foreign_dataset_open(file, true, "time", 1, H5_INPUT_REAL | H5_INPUT_INTEGER, &input);
    if (read != STATUS_OK) return read;
    read = match_length(&input, "times", all->times);
    double unit = read == STATUS_OK ? unit_of_time(&input) : 0;
    if (unit == 0) read = file->lost != STATUS_OK ? file->lost : STATUS_INPUT;
    all->time = memory_new(MEMORY_TARGETS, (size_t)all->times, sizeof *all->time);
    if (read == STATUS_OK) read = foreign_rows(&input, 0, input.count, FOREIGN_DOUBLE, all->time);
    for (int t = 0; t < all->times && read == STATUS_OK; t++) all->time[t] *= unit;
    if (read == STATUS_OK) read = check_times(&input, all);
    foreign_dataset_close(&input);
    return read;
}

/* ---- names ---- */

static status read_texts(const foreign_dataset *input, char **names) {
    const char *path = input->file->path;
    foreign_text *texts = table_alloc(path, input->count, sizeof *texts);
    status read = texts ? foreign_texts(input, texts) : STATUS_FAILURE;
    for (int64_t i = 0; i < input->count && read == STATUS_OK; i++) {
        int64_t length = (int64_t)strlen(texts[i].text);
        char shown[48];
        if (!table_is_name(texts[i].text, length))
            read = status_fail(STATUS_INPUT, "%s: dataset '%s' at [%" PRId64 "]: '%s' is not a name (UTF-8)", path, input->name, i,
                               table_show(shown, texts[i].text, length));
        else if (!(names[i] = table_copy(path, texts[i].text, length))) read = STATUS_FAILURE;
    }
    free(texts);
    return read;
}

static status number_names(const char *path, char **names, int count, const int64_t *numbers) {
    for (int i = 0; i < count; i++) {
        char text[24];
        snprintf(text, sizeof text, "%" PRId64, numbers ? numbers[i] : i);
        if (!(names[i] = table_copy(path, text, (int64_t)strlen(text)))) return STATUS_FAILURE;
    }
    return STATUS_OK;
}

static status read_integers(const foreign_dataset *input, char **names) {
    int64_t *numbers = table_alloc(input->file->path, input->count, sizeof *numbers);
    status read = numbers ? foreign_rows(input, 0, input->count, FOREIGN_INT64, numbers) : STATUS_FAILURE;
    if (read == STATUS_OK) read = number_names(input->file->path, names, (int)input->count, numbers);
    free(numbers);
    return read;
}

/** Conditions are named by the dataset `condition`, text or integers; without it, and units always, by their numbers from 0. */
static status read_names(foreign_file *file, table *all) {
    const char *path = file->path;
    all->condition = table_alloc(path, all->conditions, sizeof *all->condition);
    all->unit = table_alloc(path, all->units, sizeof *all->unit);
    if (!all->condition || !all->unit || number_names(path, all->unit, all->units, NULL) != STATUS_OK) return STATUS_FAILURE;
    bool named = foreign_exists(file, "condition");
    if (file->lost != STATUS_OK) return file->lost;
    if (!named) return number_names(path, all->condition, all->conditions, NULL);
    foreign_dataset input;
    status read = foreign_dataset_open(file, true, "condition", 1, H5_INPUT_TEXT | H5_INPUT_INTEGER, &input);
    if (read != STATUS_OK) return read;
    read = match_length(&input, "conditions", all->conditions);
    if (read == STATUS_OK) read = input.kind == H5_INPUT_TEXT ? read_texts(&input, all->condition) : read_integers(&input, all->condition);
    foreign_dataset_close(&input);
    return read;
}

/** Everything from an open file. Goes on after mistakes among the values, so that all are told at once. */
static status read_table(foreign_file *file, const char *dataset, int nonnegative, table *result) {
    char name[FOREIGN_TEXT_BYTES];
    if (strlen(dataset) >= sizeof name) return status_fail(STATUS_INPUT, "%s: the name of the dataset is too long", file->path);
    snprintf(name, sizeof name, "%s", dataset);
    status read = dataset[0] ? STATUS_OK : choose_dataset(file, name);
    foreign_dataset input;
    if (read == STATUS_OK) read = foreign_dataset_open(file, true, name, 3, H5_INPUT_REAL | H5_INPUT_INTEGER, &input);
    if (read != STATUS_OK) return read;
    read = read_values(&input, nonnegative, result);
    foreign_dataset_close(&input);
    if (!result->values || file->lost != STATUS_OK) return read;
    status time = read_time(file, result);
    if (read == STATUS_OK) read = time;
    status names = file->lost == STATUS_OK ? read_names(file, result) : file->lost;
    return read == STATUS_OK ? names : read;
}

status table_read_hdf5(const char *path, const char *dataset, int nonnegative, table *result) {
    foreign_file file;
    status read = foreign_open(path, &file);
    if (read == STATUS_OK) read = read_table(&file, dataset, nonnegative, result);
    foreign_close(&file);
    return read;
}
