#include <ctype.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "engram/memory.h"
#include "table_private.h"

enum { BUCKETS = 1 << 15, COLUMNS_LIMIT = TABLE_UNITS + 2, UNKNOWN = -1 };
#define FILE_LIMIT ((int64_t)1 << 31)
#define VALUES_LIMIT ((int64_t)INT_MAX)

/** A part of the text, not ended by a zero. */
typedef struct {
    char *start;
    int64_t length;
    bool open_quote; /**< a quote that the line does not close, or with something behind it */
} field;

typedef struct {
    int condition;
    int64_t line;
    double time; /**< ms */
} row_head;

typedef struct {
    const char *path;
    int nonnegative;
    table_mistakes mistakes;
    char *text, *next, *end;        /**< the file, where to read on, its final zero */
    int64_t line;                   /**< of the row read last */
    int columns, time, condition;   /**< number; which columns they are, or UNKNOWN */
    double unit_of_time;            /**< ms */
    field *names;                   /**< [columns] */
    field *row;                     /**< [columns] */
    int64_t rows, room;             /**< of the arrays below */
    row_head *heads;                /**< [rows] */
    double *values;                 /**< [rows][units] */
    double last[TABLE_CONDITIONS];  /**< time of the last row of each condition */
    int64_t count[TABLE_CONDITIONS]; /**< rows of each condition */
    int bucket[BUCKETS];             /**< hash table: number of the condition plus one, 0 where there is none */
    table *result;
} csv;

/* ---- text to fields ---- */

/** Find where the table begins and ends. A zero byte is in no text, but in every second place of one saved as UTF-16. */
static status begin_text(csv *in, int64_t size) {
    const char *zero = memchr(in->text, '\0', (size_t)size);
    int64_t line = 1;
    for (const char *c = in->text; zero && c < zero; c++) line += *c == '\n';
    if (zero)
        return status_fail(STATUS_INPUT, "%s:%lld: a zero byte: not a text; a table is CSV in UTF-8, or HDF5", in->path, (long long)line);
    in->next = in->text + (size >= 3 && memcmp(in->text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0); /* UTF-8 mark */
    in->end = in->text + size;
    while (in->end > in->next && strchr(" \t\r\n", in->end[-1])) in->end--; /* blank lines at the end */
    *in->end = '\0';
    return STATUS_OK;
}

/** Take the field that starts at *at and move *at behind its comma. Quotes and blanks around it are removed, "" in quotes means one. */
static field take_field(char **at, char *line_end) {
    char *start = *at;
    while (start < line_end && isblank((unsigned char)*start)) start++;
    field taken = {.start = start};
    if (start < line_end && *start == '"') {
        char *to = start, *from = start + 1;
        for (; from < line_end && (*from != '"' || (from + 1 < line_end && from[1] == '"')); from++) {
            if (*from == '"') from++;
            *to++ = *from;
        }
        taken.length = to - start;
        char *behind = from < line_end ? from + 1 : from;
        while (behind < line_end && isblank((unsigned char)*behind)) behind++;
        taken.open_quote = from == line_end || (behind < line_end && *behind != ',');
        char *comma = memchr(behind, ',', (size_t)(line_end - behind));
        *at = comma ? comma + 1 : line_end + 1;
        *to = '\0'; /* where the closing quote or an earlier byte was, so that numbers end here */
        return taken;
    }
    char *comma = memchr(start, ',', (size_t)(line_end - start)), *end = comma ? comma : line_end;
    *at = end + 1;
    while (end > start && isblank((unsigned char)end[-1])) end--;
    taken.length = end - start;
    return taken;
}

/** Split the next line into at most @p room fields. @return how many there are, -1 at the end of the text */
static int64_t take_row(csv *in, field *fields, int64_t room) {
    if (in->next >= in->end) return -1;
    char *line_end = memchr(in->next, '\n', (size_t)(in->end - in->next));
    char *at = in->next, *end = line_end ? line_end : in->end;
    in->next = end + 1;
    in->line++;
    if (end > at && end[-1] == '\r') end--;
    int64_t count = 0;
    while (at <= end) {
        field taken = take_field(&at, end);
        if (count < room) fields[count] = taken;
        count++;
    }
    return count;
}

static bool field_is(const field *name, const char *text) {
    return (int64_t)strlen(text) == name->length && memcmp(name->start, text, (size_t)name->length) == 0;
}

/** A whole, finite, decimal number? */
static bool parse_number(const field *text, double *number) {
    if (text->length == 0 || text->open_quote) return false;
    for (int64_t i = 0; i < text->length; i++)
        if (!strchr("0123456789+-.eE", text->start[i]) || !text->start[i]) return false;
    char *end;
    *number = strtod(text->start, &end);
    return end == text->start + text->length && isfinite(*number);
}

/* ---- header ---- */

static int by_name(const void *left, const void *right) {
    const field *a = left, *b = right;
    int order = memcmp(a->start, b->start, (size_t)(a->length < b->length ? a->length : b->length));
    return order ? order : (a->length > b->length) - (a->length < b->length);
}

static void check_names(csv *in) {
    char shown[48];
    for (int c = 0; c < in->columns; c++) {
        const field *name = &in->names[c];
        const char *text = table_show(shown, name->start, name->length);
        if (name->open_quote || !table_is_name(name->start, name->length))
            table_mistake(&in->mistakes, "%s:1: column %d: '%s' is not a name (UTF-8, at most %d bytes)", in->path, c + 1, text, TABLE_NAME_BYTES);
        else if (name->length == 0) table_mistake(&in->mistakes, "%s:1: column %d has no name", in->path, c + 1);
    }
    memcpy(in->row, in->names, (size_t)in->columns * sizeof *in->names);
    qsort(in->row, (size_t)in->columns, sizeof *in->row, by_name);
    for (int c = 1; c < in->columns; c++)
        if (in->row[c].length && by_name(&in->row[c - 1], &in->row[c]) == 0)
            table_mistake(&in->mistakes, "%s:1: there are two columns '%s'", in->path, table_show(shown, in->row[c].start, in->row[c].length));
}

static status find_columns(csv *in) {
    in->time = in->condition = UNKNOWN;
    for (int c = 0; c < in->columns; c++) {
        const field *name = &in->names[c];
        bool is_seconds = field_is(name, "time_s");
        if (field_is(name, "condition")) in->condition = c;
        if (!is_seconds && !field_is(name, "time_ms") && !field_is(name, "time") && !field_is(name, "t")) continue;
        if (in->time != UNKNOWN) table_mistake(&in->mistakes, "%s:1: more than one column of time (%d and %d)", in->path, in->time + 1, c + 1);
        in->unit_of_time = is_seconds ? 1000 : 1;
        in->time = c;
    }
    if (in->time == UNKNOWN) table_mistake(&in->mistakes, "%s:1: no column of time; it is named time_ms, time, t or time_s", in->path);
    in->result->units = in->columns - (in->time != UNKNOWN) - (in->condition != UNKNOWN);
    if (in->result->units == 0) table_mistake(&in->mistakes, "%s:1: no columns of units beside time and condition", in->path);
    return in->mistakes.count ? STATUS_INPUT : STATUS_OK;
}

static status read_header(csv *in) {
    int64_t room = 1;
    for (const char *c = in->next; c < in->end && *c != '\n'; c++) room += *c == ',';
    if (in->next >= in->end) return status_fail(STATUS_INPUT, "%s: the file is empty", in->path);
    if (room > COLUMNS_LIMIT) return status_fail(STATUS_INPUT, "%s:1: more than %d columns", in->path, COLUMNS_LIMIT);
    in->names = table_alloc(in->path, room, sizeof *in->names);
    in->row = table_alloc(in->path, room, sizeof *in->row);
    if (!in->names || !in->row) return STATUS_FAILURE;
    in->columns = (int)take_row(in, in->names, room);
    check_names(in);
    if (find_columns(in) != STATUS_OK) return STATUS_INPUT;
    in->result->unit = table_alloc(in->path, in->result->units, sizeof *in->result->unit);
    for (int c = 0, unit = 0; c < in->columns && in->result->unit; c++) {
        if (c == in->time || c == in->condition) continue;
        if (!(in->result->unit[unit++] = table_copy(in->path, in->names[c].start, in->names[c].length))) return STATUS_FAILURE;
    }
    return in->result->unit ? STATUS_OK : STATUS_FAILURE;
}

/* ---- rows ---- */

static bool make_room(csv *in) {
    if (in->rows < in->room) return true;
    int64_t room = 2 * in->room + 1, units = in->result->units;
    row_head *heads = realloc(in->heads, (size_t)room * sizeof *heads);
    if (heads) in->heads = heads;
    in->values = memory_resize(MEMORY_BUFFERS, in->values, (size_t)(room * units), sizeof *in->values);
    in->room = room;
    if (heads) return true;
    status_fail(STATUS_FAILURE, "%s: no memory for %lld rows", in->path, (long long)room);
    return false;
}

/** Where the hash table has the condition of that name, or the free place for it (FNV-1a, linear probing; it never fills). */
static int *find_bucket(csv *in, const field *name) {
    uint32_t hash = 2166136261u;
    for (int64_t i = 0; i < name->length; i++) hash = (hash ^ (unsigned char)name->start[i]) * 16777619u;
    int *at = &in->bucket[hash % BUCKETS];
    while (*at && !field_is(name, in->result->condition[*at - 1])) at = at + 1 < in->bucket + BUCKETS ? at + 1 : in->bucket;
    return at;
}

/** Number of the condition of the row, new ones at the end; @return UNKNOWN after a mistake */
static int find_condition(csv *in) {
    const field *name = in->condition == UNKNOWN ? &(field){.start = (char[]){"0"}, .length = 1} : &in->row[in->condition];
    table *all = in->result;
    long long line = in->line;
    char shown[48];
    int likely = in->rows ? in->heads[in->rows - 1].condition : 0; /* rows of a condition mostly follow one another */
    if (all->conditions && !name->open_quote && field_is(name, all->condition[likely])) return likely;
    int *bucket = find_bucket(in, name);
    if (*bucket && !name->open_quote) return *bucket - 1;
    if (name->length == 0 && !name->open_quote) table_mistake(&in->mistakes, "%s:%lld: column 'condition': a name is missing", in->path, line);
    else if (name->open_quote || !table_is_name(name->start, name->length))
        table_mistake(&in->mistakes, "%s:%lld: column 'condition': '%s' is not a name (UTF-8, at most %d bytes)", in->path, line,
                      table_show(shown, name->start, name->length), TABLE_NAME_BYTES);
    else if (all->conditions == TABLE_CONDITIONS)
        table_mistake(&in->mistakes, "%s:%lld: column 'condition': more than %d conditions", in->path, line, TABLE_CONDITIONS);
    else if ((all->condition[all->conditions] = table_copy(in->path, name->start, name->length)))
        return (*bucket = ++all->conditions) - 1;
    return UNKNOWN;
}

/** Read column @p c of the row. @return whether it is a number */
static bool read_number(csv *in, int c, double *number) {
    if (parse_number(&in->row[c], number)) return true;
    char name[48], text[48];
    table_mistake(&in->mistakes, "%s:%lld: column '%s': '%s' is not a number", in->path, (long long)in->line,
                  table_show(name, in->names[c].start, in->names[c].length), table_show(text, in->row[c].start, in->row[c].length));
    return false;
}

static void read_values(csv *in) {
    char name[48];
    double *values = in->values + in->rows * in->result->units;
    for (int c = 0, unit = 0; c < in->columns; c++) {
        if (c == in->time || c == in->condition) continue;
        if (read_number(in, c, &values[unit]) && in->nonnegative && values[unit] < 0)
            table_mistake(&in->mistakes, "%s:%lld: column '%s': %g is negative, allowed are numbers >= 0", in->path, (long long)in->line,
                          table_show(name, in->names[c].start, in->names[c].length), values[unit]);
        unit++;
    }
}

/** Take in the row just split. @return false when there is no memory */
static bool add_row(csv *in) {
    if (!make_room(in)) return false;
    double time = 0;
    int condition = find_condition(in);
    bool timed = read_number(in, in->time, &time);
    read_values(in);
    if (condition == UNKNOWN || !timed) return true; /* a mistake: nothing will come of the table */
    time *= in->unit_of_time;
    if (in->count[condition]++ > 0 && time <= in->last[condition])
        table_mistake(&in->mistakes, "%s:%lld: time %.15g ms does not come after %.15g ms, the time before it in condition '%s'", in->path,
                      (long long)in->line, time, in->last[condition], in->result->condition[condition]);
    in->last[condition] = time;
    in->heads[in->rows++] = (row_head){condition, in->line, time};
    return true;
}

static status read_rows(csv *in) {
    in->result->condition = table_alloc(in->path, TABLE_CONDITIONS, sizeof *in->result->condition);
    if (!in->result->condition) return STATUS_FAILURE;
    for (int64_t fields; (fields = take_row(in, in->row, in->columns)) >= 0;) {
        if (fields == 1 && in->row[0].length == 0 && in->columns > 1)
            table_mistake(&in->mistakes, "%s:%lld: blank line", in->path, (long long)in->line);
        else if (fields != in->columns)
            table_mistake(&in->mistakes, "%s:%lld: %d fields, but the header has %d", in->path, (long long)in->line, (int)fields, in->columns);
        else if ((in->rows + 1) * in->result->units > VALUES_LIMIT)
            return status_fail(STATUS_INPUT, "%s:%lld: more than %d values", in->path, (long long)in->line, INT_MAX);
        else if (!add_row(in)) return STATUS_FAILURE;
    }
    if (in->rows == 0 && in->mistakes.count == 0) table_mistake(&in->mistakes, "%s: no rows below the header", in->path);
    return in->mistakes.count ? STATUS_INPUT : STATUS_OK;
}

/** All conditions must have the times of the first. */
static status arrange(csv *in) {
    table *all = in->result;
    for (int c = 1; c < all->conditions; c++)
        if (in->count[c] != in->count[0])
            table_mistake(&in->mistakes, "%s: condition '%s' has %lld rows, but '%s' has %lld; all must have the same times", in->path,
                          all->condition[c], (long long)in->count[c], all->condition[0], (long long)in->count[0]);
    if (in->mistakes.count) return STATUS_INPUT;
    all->times = (int)in->count[0];
    all->time = memory_new(MEMORY_TARGETS, (size_t)all->times, sizeof *all->time);
    all->values = memory_new(MEMORY_TARGETS, (size_t)(in->rows * all->units), sizeof *all->values);
    memset(in->count, 0, sizeof in->count);
    for (int64_t r = 0, t = 0; r < in->rows; r++) /* the first condition says the times */
        if (in->heads[r].condition == 0) all->time[t++] = in->heads[r].time;
    for (int64_t r = 0; r < in->rows; r++) {
        int64_t c = in->heads[r].condition, t = in->count[c]++;
        if (in->heads[r].time != all->time[t])
            table_mistake(&in->mistakes, "%s:%lld: time %.15g ms of condition '%s' differs from %.15g ms of '%s', all must be the same", in->path,
                          (long long)in->heads[r].line, in->heads[r].time, all->condition[c], all->time[t], all->condition[0]);
        memcpy(all->values + (c * all->times + t) * all->units, in->values + r * all->units, (size_t)all->units * sizeof(double));
    }
    return in->mistakes.count ? STATUS_INPUT : STATUS_OK;
}

status table_parse_csv(const char *path, char *text, int64_t length, int nonnegative, table *result) {
    csv *in = table_alloc(path, 1, sizeof *in);
    if (!in) return STATUS_FAILURE;
    in->path = path;
    in->nonnegative = nonnegative;
    in->text = text;
    in->result = result;
    status read = begin_text(in, length);
    if (read == STATUS_OK) read = read_header(in);
    if (read == STATUS_OK) read = read_rows(in);
    if (read == STATUS_OK) read = arrange(in);
    if (read == STATUS_INPUT) table_mistakes_end(&in->mistakes);
    free(in->names), free(in->row), free(in->heads);
    memory_free(in->values);
    free(in);
    return read;
}

status table_read_csv(const char *path, int nonnegative, table *result) {
    char *text = NULL;
    int64_t length = 0;
    status read = table_load(path, FILE_LIMIT, &text, &length);
    if (read == STATUS_OK) read = table_parse_csv(path, text, length, nonnegative, result);
    memory_free(text);
    return read;
}
