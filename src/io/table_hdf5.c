#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "engram/memory.h"
#include "h5_input.h"
#include "table_private.h"

enum { NAME_BYTES = 256, VALUES_LIMIT = INT_MAX };

/** What a search of the root found. */
typedef struct {
    hid_t file;
    int floating, integer;                                    /**< how many three-dimensional datasets of each */
    char floating_name[NAME_BYTES], integer_name[NAME_BYTES]; /**< the last of them */
} candidates;

/** H5Literate callback. */
static herr_t consider(hid_t group, const char *name, const H5L_info_t *info, void *data) {
    (void)group, (void)info;
    candidates *found = data;
    h5_input input;
    if (h5_input_dataset(found->file, NULL, name, 3, H5_INPUT_REAL | H5_INPUT_INTEGER, &input) != STATUS_OK) return 0;
    if (input.kind == H5_INPUT_REAL && ++found->floating) snprintf(found->floating_name, NAME_BYTES, "%s", name);
    if (input.kind == H5_INPUT_INTEGER && ++found->integer) snprintf(found->integer_name, NAME_BYTES, "%s", name);
    h5_input_close(&input);
    return 0;
}

/** The only three-dimensional dataset of the root: a floating one, or else one of integers. */
static status choose_dataset(hid_t file, const char *path, char name[NAME_BYTES]) {
    candidates found = {.file = file};
    H5Literate(file, H5_INDEX_NAME, H5_ITER_INC, NULL, consider, &found);
    int count = found.floating ? found.floating : found.integer;
    if (count == 0) return status_fail(STATUS_INPUT, "%s: there is no readable dataset [condition][time][unit] of numbers in the root", path);
    snprintf(name, NAME_BYTES, "%s", found.floating ? found.floating_name : found.integer_name);
    if (count == 1) return STATUS_OK;
    return status_fail(STATUS_INPUT, "%s: %d datasets of the root have three dimensions, '%s' among them; which is meant?", path, count, name);
}

/* ---- values ---- */

static void check_value(table_mistakes *mistakes, const h5_input *input, const table *all, int64_t i, int nonnegative) {
    double value = all->values[i];
    if (isfinite(value) && (!nonnegative || value >= 0)) return;
    int64_t u = i % all->units, t = i / all->units % all->times, c = i / all->units / all->times;
    table_mistake(mistakes, "%s: dataset '%s' at [%" PRId64 "][%" PRId64 "][%" PRId64 "]: %g, allowed are finite numbers%s", input->path, input->name,
                  c, t, u, value, nonnegative ? " >= 0" : "");
}

static status read_values(const h5_input *input, int nonnegative, table *all) {
    if (input->count == 0)
        return status_fail(STATUS_INPUT, "%s: dataset '%s' is empty: [%" PRId64 "][%" PRId64 "][%" PRId64 "]", input->path, input->name,
                           input->shape[0], input->shape[1], input->shape[2]);
    if (input->count > VALUES_LIMIT)
        return status_fail(STATUS_INPUT, "%s: dataset '%s' has %" PRId64 " values, at most %d are allowed", input->path, input->name, input->count,
                           VALUES_LIMIT);
    all->values = memory_new(MEMORY_TARGETS, (size_t)input->count, sizeof *all->values);
    all->conditions = (int)input->shape[0];
    all->times = (int)input->shape[1];
    all->units = (int)input->shape[2];
    status read = h5_input_rows(input, 0, input->shape[0], H5T_NATIVE_DOUBLE, all->values);
    if (read != STATUS_OK) return read;
    table_mistakes mistakes = {0};
    for (int64_t i = 0; i < input->count; i++) check_value(&mistakes, input, all, i, nonnegative);
    return table_mistakes_end(&mistakes);
}

/* ---- time ---- */

/** Read a text attribute of fixed or variable length. @return whether there is one; @p text is "" for anything too strange */
static bool read_attribute(hid_t object, const char *name, char text[NAME_BYTES]) {
    text[0] = '\0';
    if (H5Aexists(object, name) <= 0) return false;
    hid_t id = H5Aopen(object, name, H5P_DEFAULT), type = H5Aget_type(id), space = H5Aget_space(id);
    char *variable = NULL;
    bool single = H5Tget_class(type) == H5T_STRING && H5Sget_simple_extent_npoints(space) == 1;
    if (single && H5Tis_variable_str(type) > 0) {
        if (H5Aread(id, type, &variable) >= 0 && variable) snprintf(text, NAME_BYTES, "%s", variable);
        H5free_memory(variable);
    } else if (single && H5Tget_size(type) < NAME_BYTES) {
        size_t size = H5Tget_size(type);
        if (H5Aread(id, type, text) < 0) size = 0;
        while (size > 0 && text[size - 1] == ' ') size--; /* padding */
        text[size] = '\0';
    }
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    if (id >= 0) H5Aclose(id);
    return true;
}

/** Length of a unit of @p input in ms, said by its attribute units; 0 after status_fail(). */
static double unit_of_time(const h5_input *input) {
    char text[NAME_BYTES], shown[48];
    if (!read_attribute(input->id, "units", text) || strcmp(text, "ms") == 0) return 1;
    if (strcmp(text, "s") == 0) return 1000;
    status_fail(STATUS_INPUT, "%s: dataset '%s': attribute units is '%s', allowed are 'ms' and 's'", input->path, input->name,
                table_show(shown, text, (int64_t)strlen(text)));
    return 0;
}

static status check_times(const h5_input *input, const table *all) {
    table_mistakes mistakes = {0};
    for (int t = 0; t < all->times; t++) {
        if (!isfinite(all->time[t]))
            table_mistake(&mistakes, "%s: dataset 'time' at [%d]: %g, allowed are finite numbers", input->path, t, all->time[t]);
        else if (t > 0 && all->time[t] <= all->time[t - 1])
            table_mistake(&mistakes, "%s: dataset 'time' at [%d]: %.15g ms does not come after %.15g ms", input->path, t, all->time[t],
                          all->time[t - 1]);
    }
    return table_mistakes_end(&mistakes);
}

static status match_length(const h5_input *input, const char *of, int64_t wanted) {
    if (input->count == wanted) return STATUS_OK;
    return status_fail(STATUS_INPUT, "%s: dataset '%s' has %" PRId64 " values, but there are %" PRId64 " %s", input->path, input->name, input->count,
                       wanted, of);
}

static status read_time(hid_t file, const char *path, table *all) {
    h5_input input;
    status read = h5_input_dataset(file, path, "time", 1, H5_INPUT_REAL | H5_INPUT_INTEGER, &input);
    if (read != STATUS_OK) return read;
    read = match_length(&input, "times", all->times);
    double unit = read == STATUS_OK ? unit_of_time(&input) : 0;
    if (unit == 0) read = STATUS_INPUT;
    all->time = memory_new(MEMORY_TARGETS, (size_t)all->times, sizeof *all->time);
    if (read == STATUS_OK) read = h5_input_rows(&input, 0, input.count, H5T_NATIVE_DOUBLE, all->time);
    for (int t = 0; t < all->times && read == STATUS_OK; t++) all->time[t] *= unit;
    if (read == STATUS_OK) read = check_times(&input, all);
    h5_input_close(&input);
    return read;
}

/* ---- names ---- */

/** Text of fixed length, padded by zeros or blanks, or of variable length. */
static status read_text(const h5_input *input, char **names) {
    hid_t type = H5Dget_type(input->id), space = H5Dget_space(input->id);
    bool variable = H5Tis_variable_str(type) > 0;
    int64_t size = (int64_t)H5Tget_size(type);
    char *raw = table_alloc(input->path, input->count, size);
    status read = raw ? h5_input_rows(input, 0, input->count, type, raw) : STATUS_FAILURE;
    for (int64_t i = 0; i < input->count && read == STATUS_OK; i++) {
        const char *text = variable ? ((char **)(void *)raw)[i] : raw + i * size;
        if (!text) text = "";
        int64_t length = (int64_t)(variable ? strlen(text) : strnlen(text, (size_t)size));
        while (length > 0 && text[length - 1] == ' ') length--;
        if (!(names[i] = table_copy(input->path, text, length))) read = STATUS_FAILURE;
    }
    if (variable && raw) H5Dvlen_reclaim(type, space, H5P_DEFAULT, raw);
    free(raw);
    H5Sclose(space);
    H5Tclose(type);
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

static status read_integers(const h5_input *input, char **names) {
    int64_t *numbers = table_alloc(input->path, input->count, sizeof *numbers);
    status read = numbers ? h5_input_rows(input, 0, input->count, H5T_NATIVE_INT64, numbers) : STATUS_FAILURE;
    if (read == STATUS_OK) read = number_names(input->path, names, (int)input->count, numbers);
    free(numbers);
    return read;
}

/** Conditions are named by the dataset `condition`, text or integers; without it, and units always, by their numbers from 0. */
static status read_names(hid_t file, const char *path, table *all) {
    all->condition = table_alloc(path, all->conditions, sizeof *all->condition);
    all->unit = table_alloc(path, all->units, sizeof *all->unit);
    if (!all->condition || !all->unit || number_names(path, all->unit, all->units, NULL) != STATUS_OK) return STATUS_FAILURE;
    if (H5Lexists(file, "condition", H5P_DEFAULT) <= 0) return number_names(path, all->condition, all->conditions, NULL);
    h5_input input;
    status read = h5_input_dataset(file, path, "condition", 1, H5_INPUT_TEXT | H5_INPUT_INTEGER, &input);
    if (read != STATUS_OK) return read;
    read = match_length(&input, "conditions", all->conditions);
    if (read == STATUS_OK) read = input.kind == H5_INPUT_TEXT ? read_text(&input, all->condition) : read_integers(&input, all->condition);
    h5_input_close(&input);
    return read;
}

/** Everything from an open file. Goes on after mistakes among the values, so that all are told at once. */
static status read_table(hid_t file, const char *path, const char *dataset, int nonnegative, table *result) {
    char name[NAME_BYTES];
    if (strlen(dataset) >= NAME_BYTES) return status_fail(STATUS_INPUT, "%s: the name of the dataset is too long", path);
    snprintf(name, sizeof name, "%s", dataset);
    if (!dataset[0] && choose_dataset(file, path, name) != STATUS_OK) return STATUS_INPUT;
    h5_input input;
    status read = h5_input_dataset(file, path, name, 3, H5_INPUT_REAL | H5_INPUT_INTEGER, &input);
    if (read != STATUS_OK) return read;
    read = read_values(&input, nonnegative, result);
    h5_input_close(&input);
    if (!result->values) return read;
    status time = read_time(file, path, result);
    if (read == STATUS_OK) read = time;
    status names = read_names(file, path, result);
    return read == STATUS_OK ? names : read;
}

status table_read_hdf5(const char *path, const char *dataset, int nonnegative, table *result) {
    hid_t file = h5_input_open(path);
    if (file < 0) return STATUS_INPUT;
    status read = read_table(file, path, dataset, nonnegative, result);
    H5Fclose(file);
    return read;
}
