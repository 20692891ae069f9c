/* Tables without times of their own, whose samples are as far apart as the user says: CSV of numbers only, with or without a line of names above them, and
 * HDF5 datasets without a time beside them. Where a CSV file has a column of times or conditions it is read as one that does, and its times are not used. */
#include <ctype.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engram/memory.h"
#include "table_dataset.h"

#define FILE_LIMIT ((int64_t)1 << 31)
#define VALUES_LIMIT ((int64_t)INT_MAX)

/* ---- what the file does not say ---- */

/** Names are numbers, from 1. @return NULL after status_fail() */
static char **number_names(const char *path, int count) {
    char **names = table_alloc(path, count, sizeof *names), text[16];
    for (int i = 0; names && i < count; i++) {
        int length = snprintf(text, sizeof text, "%d", i + 1);
        if (!(names[i] = table_copy(path, text, length))) return free(names), NULL;
    }
    return names;
}

static status add_names(const char *path, table *all) {
    all->condition = number_names(path, all->conditions);
    all->unit = number_names(path, all->units);
    return all->condition && all->unit ? STATUS_OK : STATUS_FAILURE;
}

static void set_times(const table_reading *how, table *all) {
    memory_free(all->time);
    all->time = memory_new(MEMORY_TARGETS, (size_t)all->times, sizeof *all->time);
    for (int t = 0; t < all->times; t++) all->time[t] = t * how->interval;
    all->bin = all->times > 1 ? how->interval : NAN;
    all->regular = all->times > 1;
    all->resolution = ldexp(all->time[all->times - 1], -50);
    snprintf(all->time_source, sizeof all->time_source, "samples %g ms apart, as interval says", how->interval);
}

/* ---- CSV ---- */

typedef struct {
    table_lines *lines;      /**< the file */
    bool nonnegative;
    table_mistakes mistakes;
    table_pieces *to;        /**< where values go */
    long long line;          /**< of the file, read last */
    int rows, columns;
    int waiting, piece_rows; /**< rows that have not gone there yet, and how many go at once */
    double *values;          /**< [piece_rows][columns] theirs */
} numbers;

static bool is_separator(char c) {
    return c == ',' || c == ';';
}

static char *skip_blanks(char *at) {
    while (isspace((unsigned char)*at)) at++; /* whatever ends a field: else one that is empty would be read for ever */
    return at;
}

/** Behind the field that begins at @p at: at the next field, or the end of the line. @param[out] more a field follows, if only an empty one */
static char *next_field(char *at, bool *more) {
    at = skip_blanks(at);
    *more = *at != '\0';
    return is_separator(*at) ? skip_blanks(at + 1) : at;
}

static char *end_of_field(char *at) {
    while (*at && !is_separator(*at) && !isspace((unsigned char)*at)) at++;
    return at;
}

static bool is_number(const char *at) {
    char *end;
    strtod(at, &end);
    return end != at && (!*end || is_separator(*end) || isspace((unsigned char)*end));
}

/** A line of names has no number. @param[out] timed one of them is that of a time or of conditions */
static bool is_header(char *line, bool *timed) {
    bool more = true;
    const char *stops = strpbrk(line, ",;") ? ",;" : " \t"; /* names may have blanks, where they are parted by something else */
    *timed = false;
    for (char *at = skip_blanks(line); more; at = next_field(at + strcspn(at, stops), &more)) {
        double unit;
        const char *name = at + (*at == '"');
        int64_t length = (int64_t)strcspn(name, ",;\"\t\r");
        if (is_number(at)) return false;
        *timed |= table_is_time(name, length, &unit) || (length == 9 && strncasecmp(name, "condition", 9) == 0);
    }
    return true;
}

static int count_fields(char *text) {
    int count = 0;
    bool more = true;
    for (char *at = skip_blanks(text); more; at = next_field(end_of_field(at), &more)) count++;
    return count;
}

static void put_rows(numbers *in) {
    if (in->mistakes.count == 0 && in->waiting)
        table_put(in->to, &(table_piece){.row = in->rows - in->waiting, .rows = in->waiting, .units = in->columns, .values = in->values, .times = in->waiting});
    in->waiting = 0;
}

/** The first line says how many columns there are. */
static status begin_rows(numbers *in, int columns) {
    if (columns > TABLE_UNITS) return status_fail(STATUS_INPUT, "%s:%lld: more than %d columns", in->lines->path, in->line, TABLE_UNITS);
    const int rows = TABLE_PIECE_BYTES / (int)sizeof(double) / columns;
    in->to->units = in->columns = columns;
    in->piece_rows = rows ? rows : 1;
    in->values = memory_new(MEMORY_BUFFERS, (size_t)in->piece_rows * (size_t)columns, sizeof *in->values);
    return STATUS_OK;
}

/** Take in a line. */
static void add_row(numbers *in, char *text) {
    const char *path = in->lines->path;
    char shown[48];
    double *values = in->values + (int64_t)in->waiting * in->columns;
    int count = 0;
    bool more = true;
    for (char *at = skip_blanks(text); more; at = next_field(end_of_field(at), &more)) {
        const double value = strtod(at, NULL);
        if (!is_number(at) || !isfinite(value))
            table_mistake(&in->mistakes, "%s:%lld: column %d: '%s' is no number", path, in->line, count + 1, table_show(shown, at, end_of_field(at) - at));
        else if (in->nonnegative && value < 0)
            table_mistake(&in->mistakes, "%s:%lld: column %d: %g is negative, allowed are numbers >= 0", path, in->line, count + 1, value);
        if (count < in->columns) values[count] = value;
        count++;
    }
    if (count != in->columns) table_mistake(&in->mistakes, "%s:%lld: %d numbers, but the first line has %d", path, in->line, count, in->columns);
    in->rows++;
    if (++in->waiting == in->piece_rows) put_rows(in);
}

/** Numbers only, but for a line of names above them, lines that begin with #, and blank ones. @param[out] named there is a line of names */
static status read_lines(numbers *in, bool *named) {
    char *line, *end;
    bool first = true, timed;
    *named = false;
    while (table_lines_next(in->lines, &line, &end)) {
        in->line++;
        *end = '\0';
        char *start = skip_blanks(line);
        if (!*start || *start == '#') continue;
        const bool header = first && is_header(start, &timed);
        first = false;
        if (header && timed)
            return status_fail(STATUS_INPUT, "%s:%lld: a line of names with a time or conditions must be the first of the file", in->lines->path, in->line);
        if (header) {
            *named = true;
            continue;
        }
        status begun = in->columns ? STATUS_OK : begin_rows(in, count_fields(start));
        if (begun != STATUS_OK) return begun;
        if ((in->rows + INT64_C(1)) * in->columns > VALUES_LIMIT)
            return status_fail(STATUS_INPUT, "%s:%lld: more than %d values", in->lines->path, in->line, INT_MAX);
        add_row(in, start);
    }
    if (in->lines->lost != STATUS_OK) return in->lines->lost;
    put_rows(in);
    if (in->rows == 0) table_mistake(&in->mistakes, "%s: has no numbers", in->lines->path);
    return table_mistakes_end(&in->mistakes);
}

/** No times or conditions are there. */
static status read_numbers(table_lines *lines, bool nonnegative, table_pieces *to, table *all) {
    if (lines->zero_line) return status_fail(STATUS_INPUT, "%s: a zero byte: not a text; a table is CSV in UTF-8, or HDF5 (%s)", lines->path, TABLE_CONVERTED);
    numbers in = {.lines = lines, .nonnegative = nonnegative, .to = to};
    bool named;
    status read = read_lines(&in, &named);
    if (read == STATUS_OK) {
        all->conditions = 1;
        all->times = in.rows;
        all->units = in.columns;
        snprintf(all->layout, sizeof all->layout, "CSV, %s", named ? "a line of names and numbers" : "numbers only");
        read = add_names(lines->path, all);
    }
    memory_free(in.values);
    return read;
}

/** Is the first line one of names, a time or conditions among them? It is read again. */
static bool has_times(table_lines *lines) {
    char *start, *end;
    bool timed = false;
    if (lines->zero_line || !table_lines_next(lines, &start, &end)) return false;
    const char last = *end;
    *end = '\0';
    const bool header = is_header(start, &timed);
    *end = last;
    lines->next = start - lines->buffer;
    return header && timed;
}

status table_parse_plain(table_lines *lines, const table_reading *how, table_pieces *to, table *all) {
    const bool timed = has_times(lines);
    status read = timed ? table_parse_csv(lines, how, to, all) : read_numbers(lines, how->nonnegative, to, all);
    if (read == STATUS_OK) set_times(how, all);
    if (timed) snprintf(all->doubt, sizeof all->doubt, "times of the file are not used: interval says %g ms", how->interval);
    return read;
}

static status read_csv(const char *path, const table_reading *how, table_pieces *to, table *all) {
    table_lines lines;
    status read = table_lines_open(path, FILE_LIMIT, &lines);
    if (read == STATUS_OK) read = table_parse_plain(&lines, how, to, all);
    table_lines_close(&lines);
    return read;
}

/* ---- HDF5 ---- */

enum { NUMBERS = H5_INPUT_REAL | H5_INPUT_INTEGER };

/** The only dataset of the root that has 2 or 3 dimensions. */
static status choose(foreign_file *file, foreign_text *name) {
    foreign_text *links = NULL;
    int count = 0, found = 0;
    status read = foreign_links(file, "/", &links, &count);
    if (read != STATUS_OK) return file->lost != STATUS_OK ? file->lost : status_fail(STATUS_INPUT, "%s: has no datasets", file->path);
    for (int i = 0; i < count && file->lost == STATUS_OK; i++) {
        foreign_dataset one;
        if (foreign_dataset_open(file, false, links[i].text, -3, NUMBERS, &one) != STATUS_OK) continue;
        if (one.dimensions >= 2 && ++found == 1) *name = links[i];
        foreign_dataset_close(&one);
    }
    free(links);
    if (file->lost != STATUS_OK) return file->lost;
    if (found == 1) return STATUS_OK;
    return status_fail(STATUS_INPUT, "%s: %d datasets of numbers with 2 or 3 dimensions: say which is meant by `dataset`", file->path, found);
}

static status read_dataset(foreign_dataset *input, bool nonnegative, table_pieces *to, table *all) {
    const char *path = input->file->path;
    const int64_t *shape = input->shape;
    bool conditions = input->dimensions == 3;
    int64_t times = shape[conditions], units = shape[input->dimensions - 1];
    if (input->dimensions < 2)
        return status_fail(STATUS_INPUT, "%s: dataset '%s' has 1 dimension instead of 2, [time][unit], or 3, [condition][time][unit]", path, input->name);
    if (input->count == 0 || input->count > VALUES_LIMIT || units > TABLE_UNITS || (conditions && shape[0] > TABLE_CONDITIONS))
        return status_fail(STATUS_INPUT, "%s: dataset '%s' has %lld values; allowed are 1 to %d, of at most %d units and %d conditions", path, input->name,
                           (long long)input->count, INT_MAX, TABLE_UNITS, TABLE_CONDITIONS);
    all->conditions = conditions ? (int)shape[0] : 1;
    all->times = (int)times;
    all->units = (int)units;
    table_refused refused;
    table_mistakes mistakes = {0};
    status read = table_put_dataset(input, false, nonnegative, all, to, &refused);
    for (int i = 0; i < TABLE_MISTAKES_TOLD && i < refused.count; i++)
        table_mistake(&mistakes, "%s: dataset '%s': %g at time %lld, unit %lld; allowed are finite numbers%s", path, input->name, refused.value[i],
                      (long long)(refused.at[i] / units % times), (long long)(refused.at[i] % units), nonnegative ? " >= 0" : "");
    mistakes.count = refused.count;
    if (read == STATUS_OK) read = table_mistakes_end(&mistakes);
    snprintf(all->layout, sizeof all->layout, "HDF5 '%.250s' %s", input->name, conditions ? "[condition][time][unit]" : "[time][unit]");
    return read == STATUS_OK ? add_names(path, all) : read;
}

static status read_hdf5(const char *path, const table_reading *how, table_pieces *to, table *all) {
    foreign_file file;
    foreign_dataset input = {0};
    foreign_text name = {""};
    status read = foreign_open(path, &file);
    if (strlen(how->dataset) >= sizeof name.text) read = status_worse(read, status_fail(STATUS_INPUT, "%s: the name of the dataset is too long", path));
    else snprintf(name.text, sizeof name.text, "%s", how->dataset);
    if (read == STATUS_OK && !name.text[0]) read = choose(&file, &name);
    if (read == STATUS_OK) read = foreign_dataset_open(&file, true, name.text, -3, NUMBERS, &input);
    if (read == STATUS_OK) {
        read = read_dataset(&input, how->nonnegative, to, all);
        if (read == STATUS_OK) set_times(how, all);
        foreign_dataset_close(&input);
    }
    foreign_close(&file);
    return read;
}

status table_read_plain(const char *path, bool hdf5, const table_reading *how, table_pieces *to, table *all) {
    return hdf5 ? read_hdf5(path, how, to, all) : read_csv(path, how, to, all);
}
