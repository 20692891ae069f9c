#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "engram/memory.h"
#include "table_dataset.h"

#define VALUES_LIMIT ((int64_t)INT_MAX)

/** What is open while a table is read. */
typedef struct {
    foreign_file *file;
    const table_reading *how;
    char group[FOREIGN_TEXT_BYTES];  /**< that the rates are in, with a final /; "" for the root */
    foreign_text *links;             /**< members of the group */
    int count;                       /**< of links */
    foreign_dataset rates, time, names[2];
    foreign_text rates_name, time_name, names_name[2];
    bool matlab;                     /**< the rates carry MATLAB's mark */
    bool reversed;                   /**< axes are [unit][time][condition] in the file, or [unit][time] */
    bool counted;                    /**< the lengths of the result are known */
    table_pieces *to;
    table *result;
} source;

enum { CONDITIONS, UNITS };
static const char *const axis_name[2] = {"condition", "unit"};
static const int NAME_KINDS = H5_INPUT_TEXT | H5_INPUT_INTEGER | H5_INPUT_REAL;

/* ---- which datasets ---- */

static bool is_named(const char *name, int axis) {
    size_t length = strlen(axis_name[axis]);
    return strncasecmp(name, axis_name[axis], length) == 0 && (!name[length] || strcasecmp(name + length, "s") == 0);
}

/** One that holds rates, as opposed to times and names. */
static bool may_be_rates(const char *name) {
    double unit;
    return !table_is_time(name, (int64_t)strlen(name), &unit) && !is_named(name, CONDITIONS) && !is_named(name, UNITS);
}

/** Files that hold no table, but something of which one can be made. */
static const char *advice(foreign_file *file) {
    if (foreign_exists(file, "session_description") && foreign_exists(file, "general")) return ": an NWB file; tools/import makes a table of its units";
    if (foreign_exists(file, "spikes")) return ": a SONATA file of spikes? tools/import makes a table of them";
    return "; one in a group is named by targets.dataset";
}

/** Find the only three-dimensional dataset of the root, a floating one, or else one of integers; or else the only two-dimensional one. */
static status choose_dataset(source *in, char name[FOREIGN_TEXT_BYTES]) {
    enum { REAL3, INTEGER3, REAL2, INTEGER2, REAL1, INTEGER1, RANKS }; /* the last ones: an axis is 1, as of MATLAB's vectors */
    int found[RANKS] = {0}, best = 0;
    const foreign_text *last[RANKS] = {NULL};
    for (int i = 0; i < in->count; i++) {
        foreign_dataset input;
        if (foreign_dataset_open(in->file, false, in->links[i].text, -3, H5_INPUT_REAL | H5_INPUT_INTEGER, &input) != STATUS_OK) continue;
        int rank = input.dimensions == 3 ? REAL3 : input.shape[0] > 1 && input.shape[1] > 1 ? REAL2 : REAL1;
        rank += input.kind == H5_INPUT_INTEGER;
        if (input.dimensions > 1 && (rank <= INTEGER3 || may_be_rates(in->links[i].text))) last[rank] = &in->links[i], found[rank]++;
        foreign_dataset_close(&input);
    }
    if (in->file->lost != STATUS_OK) return in->file->lost;
    while (best < RANKS && !found[best]) best++;
    if (best == RANKS && status_message()[0]) return STATUS_INPUT; /* a filter is missing, and was named */
    if (best == RANKS)
        return status_fail(STATUS_INPUT, "%s: there is no readable dataset [condition][time][unit] or [time][unit] of numbers in the root%s", in->file->path,
                           advice(in->file));
    snprintf(name, FOREIGN_TEXT_BYTES, "%s", last[best]->text);
    if (found[best] == 1) return STATUS_OK;
    return status_fail(STATUS_INPUT, "%s: %d datasets of the root have %s dimensions, '%s' among them; which is meant? targets.dataset names it",
                       in->file->path, found[best], best <= INTEGER3 ? "three" : "two", name);
}

static const char *base_name(const char *name) {
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

/** Open a vector in the group of the rates, or else in the root. @param name NULL: none was found in the group @param otherwise its name in the root */
static status open_beside(source *in, const char *name, const char *otherwise, int kinds, foreign_text *full, foreign_dataset *input) {
    if (snprintf(full->text, sizeof full->text, "%s%s", name ? in->group : "", name ? name : otherwise) >= (int)sizeof full->text)
        return status_fail(STATUS_INPUT, "%s: the name of dataset '%.40s...' is too long", in->file->path, full->text);
    return foreign_dataset_open(in->file, true, full->text, -2, kinds, input);
}

static status open_rates(source *in) {
    const char *path = in->file->path, *name = in->rates_name.text;
    status read = foreign_dataset_open(in->file, true, name, -3, H5_INPUT_REAL | H5_INPUT_INTEGER, &in->rates);
    if (read == STATUS_OK && in->rates.dimensions < 2)
        return status_fail(STATUS_INPUT, "%s: dataset '%s' has %d dimensions instead of 3, [condition][time][unit], or 2, [time][unit]", path, name,
                           in->rates.dimensions);
    foreign_text mark;
    if (read == STATUS_OK) read = foreign_attribute(&in->rates, "MATLAB_class", &in->matlab, &mark);
    return read;
}

/** The time is called time, or the only one with another name of a time. */
static status open_time(source *in) {
    const char *name = NULL;
    char list[128] = "";
    int found = 0;
    double unit;
    for (int i = 0; i < in->count; i++) {
        const char *link = in->links[i].text;
        if (!table_is_time(link, (int64_t)strlen(link), &unit)) continue;
        if (!name || strcmp(link, "time") == 0) name = link;
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s'%.40s'", found++ ? ", " : "", link);
    }
    if (found > 1 && strcmp(name, "time") != 0)
        return status_fail(STATUS_INPUT, "%s: which is the time: %s? One should be called 'time'", in->file->path, list);
    return open_beside(in, name, "time", H5_INPUT_REAL | H5_INPUT_INTEGER, &in->time_name, &in->time);
}

static status open_names(source *in, int axis) {
    const char *name = NULL;
    for (int i = 0; i < in->count && !name; i++)
        if (is_named(in->links[i].text, axis)) name = in->links[i].text;
    if (!name && !(in->group[0] && foreign_exists(in->file, axis_name[axis]))) return STATUS_OK;
    return open_beside(in, name, axis_name[axis], NAME_KINDS, &in->names_name[axis], &in->names[axis]);
}

/** What else is there. */
static void note_ignored(source *in) {
    const source *mine = in;
    for (int i = 0; i < in->count; i++) {
        const char *name = in->links[i].text;
        bool used = strcmp(name, "#refs#") == 0 || strcmp(name, "#subsystem#") == 0;
        const foreign_text *const known[] = {&mine->rates_name, &mine->time_name, &mine->names_name[0], &mine->names_name[1]};
        for (int k = 0; k < 4; k++) used |= strcmp(base_name(known[k]->text), name) == 0;
        if (!used) table_ignore(in->result, name);
    }
}

/* ---- which axis is which ---- */

/** A vector, also one that MATLAB gave a second axis? @return whether one axis of two is 1 */
static bool is_vector(const foreign_dataset *input) {
    return input->dimensions == 1 || input->shape[0] == 1 || input->shape[1] == 1;
}

/** Names that a dataset holds; characters of MATLAB stand in columns. */
static int64_t count_names(const foreign_dataset *input, bool characters) {
    return characters ? input->shape[1] : input->count;
}

static status is_characters(const foreign_dataset *input, bool *characters) {
    foreign_text mark;
    bool found;
    *characters = false;
    if (input->kind != H5_INPUT_INTEGER) return STATUS_OK;
    status read = foreign_attribute(input, "MATLAB_class", &found, &mark);
    *characters = read == STATUS_OK && found && strcmp(mark.text, "char") == 0;
    return read;
}

/** Lengths of the axes in file order, if they are reversed or not: conditions, times, units. */
static void lengths(const foreign_dataset *rates, bool reversed, int64_t length[3]) {
    const int64_t *shape = rates->shape;
    int last = rates->dimensions - 1;
    length[0] = last == 1 ? 1 : shape[reversed ? 2 : 0];
    length[1] = last == 1 ? shape[reversed] : shape[1];
    length[2] = shape[reversed ? 0 : last];
}

/** Axes stand as time and names have it; where these fit both ways, as the file's maker has it. */
static status choose_order(source *in) {
    bool fits[2], characters[2] = {false, false};
    for (int axis = CONDITIONS; axis <= UNITS; axis++)
        if (in->names[axis].file) {
            status read = is_characters(&in->names[axis], &characters[axis]);
            if (read != STATUS_OK) return read;
        }
    for (int reversed = 0; reversed < 2; reversed++) {
        int64_t length[3];
        lengths(&in->rates, reversed, length);
        fits[reversed] = in->time.count == length[1];
        for (int axis = CONDITIONS; axis <= UNITS; axis++)
            if (in->names[axis].file) fits[reversed] &= count_names(&in->names[axis], characters[axis]) == length[axis == UNITS ? 2 : 0];
    }
    in->reversed = fits[0] != fits[1] ? fits[1] : in->matlab && fits[1];
    int64_t length[3];
    lengths(&in->rates, in->reversed, length);
    if (fits[0] && fits[1] && length[0] > length[2])
        snprintf(in->result->doubt, sizeof in->result->doubt,
                 "more conditions than units: are the axes as meant? A dataset 'condition' or 'unit' of names would tell; MATLAB and Julia reverse axes");
    const char *normal = in->rates.dimensions == 3 ? "[condition][time][unit]" : "[time][unit]";
    const char *turned = in->rates.dimensions == 3 ? "[unit][time][condition]" : "[unit][time]";
    snprintf(in->result->layout, sizeof in->result->layout, "HDF5 '%.250s' %s%s", in->rates_name.text, in->reversed ? turned : normal,
             in->reversed && in->matlab ? ", as MATLAB stores what it calls (condition, time, unit)" : in->reversed ? ", the order that its lengths fit" : "");
    return STATUS_OK;
}

/* ---- values ---- */

static status check_shape(const source *in) {
    const foreign_dataset *input = &in->rates;
    const char *path = input->file->path;
    char shape[80];
    int64_t length[3];
    lengths(input, in->reversed, length);
    int used = snprintf(shape, sizeof shape, "[%" PRId64 "][%" PRId64 "]", input->shape[0], input->shape[1]);
    if (input->dimensions == 3) snprintf(shape + used, sizeof shape - (size_t)used, "[%" PRId64 "]", input->shape[2]);
    if (input->count == 0) return status_fail(STATUS_INPUT, "%s: dataset '%s' is empty: %s", path, input->name, shape);
    if (length[0] > TABLE_CONDITIONS || length[2] > TABLE_UNITS)
        return status_fail(STATUS_INPUT, "%s: dataset '%s' has %" PRId64 " conditions and %" PRId64 " units, at most %d and %d are allowed", path,
                           input->name, length[0], length[2], TABLE_CONDITIONS, TABLE_UNITS);
    if (input->count > VALUES_LIMIT)
        return status_fail(STATUS_INPUT, "%s: dataset '%s' has %" PRId64 " values, at most %d are allowed", path, input->name, input->count, INT_MAX);
    return STATUS_OK;
}

static void tell_value(table_mistakes *mistakes, const foreign_dataset *input, double value, int64_t i, bool nonnegative) {
    char place[80] = "";
    const int64_t *shape = input->shape;
    int64_t last = input->dimensions == 3 ? shape[2] : 1, at[3] = {i / last / shape[1], i / last % shape[1], i % last};
    for (int axis = 0; axis < input->dimensions; axis++) snprintf(place + strlen(place), sizeof place - strlen(place), "[%" PRId64 "]", at[axis]);
    table_mistake(mistakes, "%s: dataset '%s' at %s: %g, allowed are finite numbers%s%s", input->file->path, input->name, place, value,
                  nonnegative ? " >= 0" : "", isnan(value) ? TABLE_MISSING : "");
}

static status read_values(source *in) {
    table *all = in->result;
    table_refused refused;
    status read = check_shape(in);
    if (read != STATUS_OK) return read;
    int64_t length[3];
    lengths(&in->rates, in->reversed, length);
    all->conditions = (int)length[0];
    all->times = (int)length[1];
    all->units = (int)length[2];
    in->counted = true;
    read = table_put_dataset(&in->rates, in->reversed, in->how->nonnegative, all, in->to, &refused);
    if (read != STATUS_OK) return read;
    table_mistakes mistakes = {0};
    for (int i = 0; i < TABLE_MISTAKES_TOLD && i < refused.count; i++) tell_value(&mistakes, &in->rates, refused.value[i], refused.at[i], in->how->nonnegative);
    mistakes.count = refused.count;
    return table_mistakes_end(&mistakes);
}

/* ---- time ---- */

/** The unit that an attribute says. @param[out] said ms, NAN: none does @return STATUS_INPUT after a message about one that is no unit */
static status attribute_of_time(const source *in, const char *attribute, double *said) {
    const foreign_dataset *input = &in->time;
    foreign_text unit;
    bool found;
    char shown[48];
    status read = foreign_attribute(input, attribute, &found, &unit);
    if (read != STATUS_OK || !found) return read;
    *said = table_unit_of_time(unit.text);
    if (*said > 0) return STATUS_OK;
    return status_fail(STATUS_INPUT, "%s: dataset '%s': attribute %s is '%s', allowed are 'us', 'ms' and 's'", input->file->path, input->name, attribute,
                       table_show(shown, unit.text, (int64_t)strlen(unit.text)));
}

/** The attribute units (or unit) says it, or the name of the dataset. @return 0 after status_fail() */
static double unit_of_time(source *in) {
    const char *path = in->file->path, *name = base_name(in->time_name.text), *attribute = "units";
    double by_attribute = NAN, by_name, unit;
    if (attribute_of_time(in, "units", &by_attribute) != STATUS_OK) return 0;
    if (isnan(by_attribute)) {
        attribute = "unit";
        if (attribute_of_time(in, "unit", &by_attribute) != STATUS_OK) return 0;
    }
    if (!table_is_time(name, (int64_t)strlen(name), &by_name)) by_name = NAN;
    if (by_attribute != by_name && !isnan(by_attribute) && !isnan(by_name)) {
        status_fail(STATUS_INPUT, "%s: dataset '%s': attribute %s is '%s', but its name says %s", path, in->time_name.text, attribute,
                    table_name_of_unit(by_attribute), table_name_of_unit(by_name));
        return 0;
    }
    char place[FOREIGN_TEXT_BYTES + 64];
    if (isnan(by_attribute)) snprintf(place, sizeof place, "the name of dataset '%s'", in->time_name.text);
    else snprintf(place, sizeof place, "attribute %s of dataset '%s'", attribute, in->time_name.text);
    return table_settle_unit(path, place, isnan(by_attribute) ? by_name : by_attribute, in->how, in->result, &unit) == STATUS_OK ? unit : 0;
}

static status check_times(const foreign_dataset *input, const table *all, double unit) {
    table_mistakes mistakes = {0};
    for (int t = 0; t < all->times; t++) {
        if (!isfinite(all->time[t]))
            table_mistake(&mistakes, "%s: dataset '%s' at [%d]: %g, allowed are finite numbers", input->file->path, input->name, t, all->time[t]);
        else if (t > 0 && all->time[t] <= all->time[t - 1])
            table_mistake(&mistakes, "%s: dataset '%s' at [%d]: %.15g ms does not come after %.15g ms", input->file->path, input->name, t, all->time[t] * unit,
                          all->time[t - 1] * unit);
    }
    return table_mistakes_end(&mistakes);
}

static status match_length(const foreign_dataset *input, int64_t there, const char *of, int64_t wanted) {
    if (there == wanted) return STATUS_OK;
    return status_fail(STATUS_INPUT, "%s: dataset '%s' has %" PRId64 " values, but there are %" PRId64 " %s", input->file->path, input->name, there,
                       wanted, of);
}

static status read_time(source *in) {
    table *all = in->result;
    if (!is_vector(&in->time))
        return status_fail(STATUS_INPUT, "%s: dataset '%s' has 2 dimensions instead of 1", in->file->path, in->time_name.text);
    status read = match_length(&in->time, in->time.count, "times", all->times);
    double unit = read == STATUS_OK ? unit_of_time(in) : 0;
    if (unit == 0) return in->file->lost != STATUS_OK ? in->file->lost : STATUS_INPUT;
    all->time = memory_new(MEMORY_TARGETS, (size_t)all->times, sizeof *all->time);
    read = foreign_rows(&in->time, 0, in->time.shape[0], FOREIGN_DOUBLE, all->time);
    if (read == STATUS_OK) read = check_times(&in->time, all, unit);
    return read == STATUS_OK ? table_settle_times(in->file->path, unit, in->how, all) : read;
}

/* ---- names ---- */

static status take_name(const foreign_dataset *input, int64_t i, const char *text, char **name) {
    int64_t length = (int64_t)strlen(text);
    char shown[48];
    if (!table_is_name(text, length))
        return status_fail(STATUS_INPUT, "%s: dataset '%s' at [%" PRId64 "]: '%s' is not a name (UTF-8)", input->file->path, input->name, i,
                           table_show(shown, text, length));
    return (*name = table_copy(input->file->path, text, length)) ? STATUS_OK : STATUS_FAILURE;
}

static status read_texts(const foreign_dataset *input, char **names) {
    foreign_text *texts = table_alloc(input->file->path, input->count, sizeof *texts);
    status read = texts ? foreign_texts(input, texts) : STATUS_FAILURE;
    for (int64_t i = 0; i < input->count && read == STATUS_OK; i++) read = take_name(input, i, texts[i].text, &names[i]);
    free(texts);
    return read;
}

static status number_names(const char *path, char **names, int count) {
    for (int i = 0; i < count; i++) {
        char text[24];
        snprintf(text, sizeof text, "%d", i);
        if (!(names[i] = table_copy(path, text, (int64_t)strlen(text)))) return STATUS_FAILURE;
    }
    return STATUS_OK;
}

static status read_numbers(const foreign_dataset *input, char **names) {
    bool real = input->kind == H5_INPUT_REAL;
    int64_t *numbers = table_alloc(input->file->path, input->count, sizeof *numbers);
    double *reals = real ? (double *)(void *)numbers : NULL; /* both have 8 bytes */
    const foreign_type type = real ? FOREIGN_DOUBLE : input->is_signed ? FOREIGN_INT64 : FOREIGN_UINT64;
    status read = numbers ? foreign_rows(input, 0, input->shape[0], type, numbers) : STATUS_FAILURE;
    for (int64_t i = 0; i < input->count && read == STATUS_OK; i++) {
        char text[32];
        if (real) snprintf(text, sizeof text, reals[i] == rint(reals[i]) ? "%.17g" : "%.15g", reals[i]);
        else
            snprintf(text, sizeof text, "%s%" PRIu64, input->is_signed && numbers[i] < 0 ? "-" : "",
                     input->is_signed && numbers[i] < 0 ? -(uint64_t)numbers[i] : (uint64_t)numbers[i]);
        read = take_name(input, i, text, &names[i]);
    }
    free(numbers);
    return read;
}

/** Rows of a matrix of characters of MATLAB: [length][names] of UTF-16, blanks at the end. */
static status read_characters(const foreign_dataset *input, char **names) {
    int64_t count = input->shape[1], *code = table_alloc(input->file->path, input->count, sizeof *code);
    status read = code ? foreign_rows(input, 0, input->shape[0], FOREIGN_INT64, code) : STATUS_FAILURE;
    for (int64_t i = 0; i < count && read == STATUS_OK; i++) {
        char text[FOREIGN_TEXT_BYTES] = "";
        int used = 0;
        for (int64_t c = 0; c < input->shape[0] && used < FOREIGN_TEXT_BYTES - 4; c++)
            used += (int)h5_encode_utf8(text + used, (unsigned)code[c * count + i] & 0xFFFF);
        while (used > 0 && (text[used - 1] == ' ' || !text[used - 1])) used--;
        text[used] = '\0';
        read = take_name(input, i, text, &names[i]);
    }
    free(code);
    return read;
}

static int by_text(const void *left, const void *right) {
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/** Two that have the same name cannot be told apart later. */
static void doubt_names(table *all, int axis, char **names, int count) {
    char shown[48], **sorted = memory_new(MEMORY_BUFFERS, (size_t)count, sizeof *sorted);
    for (int i = 0; i < count; i++) sorted[i] = names[i];
    qsort(sorted, (size_t)count, sizeof *sorted, by_text);
    for (int i = 1; i < count && !all->doubt[0]; i++)
        if (strcmp(sorted[i], sorted[i - 1]) == 0)
            snprintf(all->doubt, sizeof all->doubt, "several %ss are called '%s'", axis_name[axis], table_show(shown, sorted[i], (int64_t)strlen(sorted[i])));
    memory_free(sorted);
}

/** Conditions and units are named by datasets of these names, text or numbers; without them by their numbers from 0. */
static status read_names(source *in, int axis) {
    table *all = in->result;
    int count = axis == UNITS ? all->units : all->conditions;
    char **names = table_alloc(in->file->path, count, sizeof *names);
    if (axis == UNITS) all->unit = names;
    else all->condition = names;
    const foreign_dataset *input = &in->names[axis];
    if (!names) return STATUS_FAILURE;
    if (!input->file) return number_names(in->file->path, names, count);
    bool characters;
    status read = is_characters(input, &characters);
    if (read == STATUS_OK && !characters && !is_vector(input))
        return status_fail(STATUS_INPUT, "%s: dataset '%s' has 2 dimensions instead of 1", in->file->path, input->name);
    if (read == STATUS_OK) read = match_length(input, count_names(input, characters), axis == UNITS ? "units" : "conditions", count);
    if (read != STATUS_OK) return read;
    read = characters ? read_characters(input, names) : input->kind == H5_INPUT_TEXT ? read_texts(input, names) : read_numbers(input, names);
    if (read == STATUS_OK) doubt_names(all, axis, names, count);
    return read;
}

/** Rates are in Hz: what does an attribute of theirs say? */
static status check_rate_unit(const source *in) {
    static const char *const hertz[] = {"",         "hz",         "hertz",         "1/s",     "s-1",  "s^-1",  "s**-1",  "/s",
                                        "spikes/s", "spikes/sec", "spikes/second", "spike/s", "sp/s", "spk/s", "spks/s", "spikes per second",
                                        NULL};
    for (int a = 0; a < 2 && in->how->nonnegative; a++) {
        foreign_text unit;
        char shown[48];
        bool found;
        int known = 0;
        status read = foreign_attribute(&in->rates, a ? "unit" : "units", &found, &unit);
        if (read != STATUS_OK) return read;
        while (found && hertz[known] && strcasecmp(unit.text, hertz[known]) != 0) known++;
        if (found && !hertz[known])
            snprintf(in->result->doubt, sizeof in->result->doubt, "attribute %s of dataset '%.250s' is '%s', but its values are taken as Hz",
                     a ? "unit" : "units", in->rates_name.text, table_show(shown, unit.text, (int64_t)strlen(unit.text)));
    }
    return STATUS_OK;
}

/** Open all that the table consists of. */
static status open_all(source *in) {
    foreign_file *file = in->file;
    const char *dataset = in->how->dataset, *slash = strrchr(dataset, '/');
    if (strlen(dataset) >= FOREIGN_TEXT_BYTES - 1) return status_fail(STATUS_INPUT, "%s: the name of the dataset is too long", file->path);
    snprintf(in->rates_name.text, sizeof in->rates_name.text, "%s", dataset);
    if (slash && slash > dataset) snprintf(in->group, sizeof in->group, "%.*s/", (int)(slash - dataset), dataset);
    status read = foreign_links(file, in->group[0] ? in->group : "/", &in->links, &in->count);
    if (read != STATUS_OK && file->lost != STATUS_OK) return file->lost;
    if (!dataset[0]) read = choose_dataset(in, in->rates_name.text);
    else read = STATUS_OK;
    if (read == STATUS_OK) read = open_rates(in);
    if (read != STATUS_OK) return read;
    status time = open_time(in);
    for (int axis = CONDITIONS; axis <= UNITS && file->lost == STATUS_OK; axis++) read = status_worse(read, open_names(in, axis));
    return file->lost != STATUS_OK ? file->lost : status_worse(read, time);
}

/** Everything from an open file. Goes on after mistakes among the values, so that all are told at once. */
static status read_table(source *in) {
    status read = open_all(in);
    if (read != STATUS_OK) return read;
    note_ignored(in);
    read = choose_order(in);
    if (read == STATUS_OK) read = check_rate_unit(in);
    if (read == STATUS_OK) read = read_values(in);
    if (!in->counted || in->file->lost != STATUS_OK) return read;
    read = status_worse(read, read_time(in));
    for (int axis = CONDITIONS; axis <= UNITS && in->file->lost == STATUS_OK; axis++) read = status_worse(read, read_names(in, axis));
    return in->file->lost != STATUS_OK ? in->file->lost : read;
}

status table_read_hdf5(const char *path, const table_reading *how, table_pieces *to, table *result) {
    foreign_file file;
    status read = foreign_open(path, &file);
    source *in = read == STATUS_OK ? table_alloc(path, 1, sizeof *in) : NULL;
    if (in) {
        in->file = &file;
        in->how = how;
        in->to = to;
        in->result = result;
        read = read_table(in);
        foreign_dataset_close(&in->rates);
        foreign_dataset_close(&in->time);
        for (int axis = CONDITIONS; axis <= UNITS; axis++) foreign_dataset_close(&in->names[axis]);
        free(in->links);
        free(in);
    } else if (read == STATUS_OK) read = STATUS_FAILURE;
    foreign_close(&file);
    return read;
}
