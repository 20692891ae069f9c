#include <ctype.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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
    double time; /**< as stored */
} row_head;

typedef struct {
    const char *path;
    const table_reading *how;
    char separator;                 /**< of fields: comma, semicolon or tab */
    table_mistakes mistakes;
    table_lines *lines;             /**< the file */
    char *header;                   /**< its first line, which names are parts of */
    int64_t line;                   /**< of the row read last */
    int columns, time, condition;   /**< number; which columns they are, or UNKNOWN */
    double unit_of_time;            /**< ms */
    field *names;                   /**< [columns] */
    bool *left_out;                 /**< [columns] those that only count rows */
    field *row;                     /**< [columns] */
    int64_t rows, room;             /**< of the heads */
    row_head *heads;                /**< [rows] */
    table_pieces *to;               /**< where values go */
    int waiting, piece_rows;        /**< rows that have not gone there yet, and how many go at once */
    double *values;                 /**< [piece_rows][units] theirs */
    int *conditions;                /**< [piece_rows] theirs */
    int8_t *counter;                /**< [units] 0 or 1: every value was that plus the number of its row; else -1 */
    int counters;                   /**< units of which that is so */
    double last[TABLE_CONDITIONS];  /**< time of the last row of each condition */
    int64_t count[TABLE_CONDITIONS]; /**< rows of each condition */
    bool spikes;                    /**< the header looks like that of a list of spikes */
    int bucket[BUCKETS];             /**< hash table: number of the condition plus one, 0 where there is none */
    table *result;
} csv;

/* ---- text to fields ---- */

static bool is_blank(char c, char separator) {
    return c == ' ' || (c == '\t' && separator != '\t');
}

/** Take the field that starts at *at and move *at behind its separator. Quotes and blanks around it are removed, "" in quotes means one. */
static field take_field(char separator, char **at, char *line_end) {
    char *start = *at;
    while (start < line_end && is_blank(*start, separator)) start++;
    field taken = {.start = start};
    if (start < line_end && *start == '"') {
        char *to = start, *from = start + 1;
        for (; from < line_end && (*from != '"' || (from + 1 < line_end && from[1] == '"')); from++) {
            if (*from == '"') from++;
            *to++ = *from;
        }
        taken.length = to - start;
        char *behind = from < line_end ? from + 1 : from;
        while (behind < line_end && is_blank(*behind, separator)) behind++;
        taken.open_quote = from == line_end || (behind < line_end && *behind != separator);
        char *next = memchr(behind, separator, (size_t)(line_end - behind));
        *at = next ? next + 1 : line_end + 1;
        *to = '\0'; /* where the closing quote or an earlier byte was, so that numbers end here */
        return taken;
    }
    char *next = memchr(start, separator, (size_t)(line_end - start)), *end = next ? next : line_end;
    *at = end + 1;
    while (end > start && is_blank(end[-1], separator)) end--;
    taken.length = end - start;
    return taken;
}

/** Split a line into at most @p room fields. @return how many there are */
static int64_t split_row(char separator, char *at, char *end, field *fields, int64_t room) {
    int64_t count = 0;
    while (at <= end) {
        field taken = take_field(separator, &at, end);
        if (count < room) fields[count] = taken;
        count++;
    }
    return count;
}

/** The next line without its end. @return false where there is none */
static bool take_line(csv *in, char **start, char **end) {
    if (!table_lines_next(in->lines, start, end)) return false;
    in->line++;
    if (*end > *start && (*end)[-1] == '\r') --*end;
    return true;
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
        else if (name->length == 0 && c > 0) table_mistake(&in->mistakes, "%s:1: column %d has no name", in->path, c + 1);
    }
    memcpy(in->row, in->names, (size_t)in->columns * sizeof *in->names);
    qsort(in->row, (size_t)in->columns, sizeof *in->row, by_name);
    for (int c = 1; c < in->columns; c++)
        if (in->row[c].length && by_name(&in->row[c - 1], &in->row[c]) == 0)
            table_mistake(&in->mistakes, "%s:1: there are two columns '%s'", in->path, table_show(shown, in->row[c].start, in->row[c].length));
}

/** What separates the fields of the header: the first of comma, semicolon and tab with which one of them is a column of time, else the first that is there. */
static char find_separator(char *line, char *line_end) {
    const char candidates[] = ",;\t";
    char present = ',';
    double unit;
    for (int s = 2; s >= 0; s--)
        if (memchr(line, candidates[s], (size_t)(line_end - line))) present = candidates[s];
    for (int s = 0; s < 3; s++) {
        bool quoted = false;
        for (char *start = line, *c = start; c <= line_end; c++) {
            if (c < line_end && *c == '"') quoted = !quoted;
            if (c < line_end && (quoted || *c != candidates[s])) continue;
            char *first = start, *end = c;
            while (first < end && (*first == '"' || is_blank(*first, candidates[s]))) first++;
            while (first < end && (end[-1] == '"' || is_blank(end[-1], candidates[s]))) end--;
            if (table_is_time(first, end - first, &unit)) return candidates[s];
            start = c + 1;
        }
    }
    return present;
}

static bool is_condition(const field *name) {
    return name->length == 9 && strncasecmp(name->start, "condition", 9) == 0;
}

static bool is_unit(const csv *in, int c) {
    return c != in->time && c != in->condition && !in->left_out[c];
}

/** Spike times instead of rates: a column of units and one of time, and nothing that holds values? */
static bool holds_spikes(const csv *in) {
    static const char *const words[] = {"unit", "trial", "neuron", "id", "node_ids", "population"};
    int units = 0;
    for (int c = 0; c < in->columns; c++) {
        if (!is_unit(in, c)) continue;
        bool known = false;
        for (size_t w = 0; w < sizeof words / sizeof *words; w++) known |= field_is(&in->names[c], words[w]);
        if (!known) return false;
        units += !field_is(&in->names[c], "trial") && !field_is(&in->names[c], "population");
    }
    return units == 1;
}

static status find_time(csv *in) {
    char shown[48], place[80];
    double unit = NAN, said;
    for (int c = 0; c < in->columns; c++) {
        if (!table_is_time(in->names[c].start, in->names[c].length, &said)) continue;
        if (in->time != UNKNOWN) table_mistake(&in->mistakes, "%s:1: more than one column of time (%d and %d)", in->path, in->time + 1, c + 1);
        in->time = c;
        unit = said;
    }
    if (in->time == UNKNOWN) {
        table_mistake(&in->mistakes,
                      "%s:1: no column of time; it is named time, t, time_ms, time_s or the like (fields are parted by commas, semicolons or tabs; "
                      "the first is '%s')", in->path, table_show(shown, in->names[0].start, in->names[0].length));
        return STATUS_INPUT;
    }
    snprintf(place, sizeof place, "column '%s'", table_show(shown, in->names[in->time].start, in->names[in->time].length));
    if (table_settle_unit(in->path, place, unit, in->how, in->result, &in->unit_of_time) == STATUS_OK) return STATUS_OK;
    in->mistakes.count++;
    return STATUS_INPUT;
}

static status find_columns(csv *in) {
    in->time = in->condition = UNKNOWN;
    for (int c = 0; c < in->columns; c++) {
        if (is_condition(&in->names[c])) in->condition = c;
        in->left_out[c] = table_is_index(in->names[c].start, in->names[c].length, c);
        if (!in->left_out[c]) continue;
        char *name = table_copy(in->path, in->names[c].start, in->names[c].length);
        if (!name) return STATUS_FAILURE;
        table_ignore(in->result, name);
        free(name);
    }
    size_t used = strlen(in->result->ignored);
    if (used) snprintf(in->result->ignored + used, sizeof in->result->ignored - used, " (rows are counted there)");
    find_time(in);
    in->result->units = 0;
    for (int c = 0; c < in->columns; c++) in->result->units += is_unit(in, c);
    if (in->result->units == 0) table_mistake(&in->mistakes, "%s:1: no columns of units beside time and condition", in->path);
    in->spikes = in->time != UNKNOWN && holds_spikes(in);
    return in->mistakes.count ? STATUS_INPUT : STATUS_OK;
}

static status read_header(csv *in) {
    char *line, *end;
    if (!take_line(in, &line, &end)) return in->lines->lost != STATUS_OK ? in->lines->lost : status_fail(STATUS_INPUT, "%s: the file is empty", in->path);
    in->separator = find_separator(line, end);
    int64_t room = 1;
    for (const char *c = line; c < end; c++) room += *c == in->separator;
    if (room > COLUMNS_LIMIT) return status_fail(STATUS_INPUT, "%s:1: more than %d columns", in->path, COLUMNS_LIMIT);
    in->header = table_copy(in->path, line, end - line);
    in->names = table_alloc(in->path, room, sizeof *in->names);
    in->row = table_alloc(in->path, room, sizeof *in->row);
    in->left_out = table_alloc(in->path, room, sizeof *in->left_out);
    if (!in->header || !in->names || !in->row || !in->left_out) return STATUS_FAILURE;
    in->columns = (int)split_row(in->separator, in->header, in->header + (end - line), in->names, room);
    check_names(in);
    status found = find_columns(in);
    if (found != STATUS_OK) return found;
    in->result->unit = table_alloc(in->path, in->result->units, sizeof *in->result->unit);
    for (int c = 0, unit = 0; c < in->columns && in->result->unit; c++) {
        if (!is_unit(in, c)) continue;
        if (!(in->result->unit[unit++] = table_copy(in->path, in->names[c].start, in->names[c].length))) return STATUS_FAILURE;
    }
    return in->result->unit ? STATUS_OK : STATUS_FAILURE;
}

/* ---- rows ---- */

static bool make_room(csv *in) {
    if (in->rows < in->room) return true;
    int64_t room = 2 * in->room + 1;
    row_head *heads = realloc(in->heads, (size_t)room * sizeof *heads);
    if (heads) in->heads = heads;
    in->room = room;
    if (heads) return true;
    status_fail(STATUS_FAILURE, "%s: no memory for %lld rows", in->path, (long long)room);
    return false;
}

/** Which units still look like counters of rows, once there is a row more. */
static void count_row(csv *in, int64_t row, const double *values) {
    for (int u = 0; u < in->result->units; u++) {
        if (row == 0) {
            in->counter[u] = values[u] == 0 ? 0 : values[u] == 1 ? 1 : -1;
            in->counters += in->counter[u] >= 0;
        } else if (in->counter[u] >= 0 && values[u] != in->counter[u] + (double)row) {
            in->counter[u] = -1;
            in->counters--;
        }
    }
}

/** Rows that wait go where values are kept; none do, once there was a mistake. */
static void put_rows(csv *in) {
    const int64_t first = in->rows - in->waiting, units = in->result->units;
    if (in->mistakes.count == 0 && in->waiting) {
        for (int64_t r = 0; r < in->waiting && (first + r == 0 || in->counters); r++) count_row(in, first + r, in->values + r * units);
        table_put(in->to, &(table_piece){.row = first, .rows = in->waiting, .units = units, .values = in->values, .conditions = in->conditions});
    }
    in->waiting = 0;
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

/** In the first row, where nothing says of which condition rows are: a word, which a damaged number does not begin as. */
static bool may_name_condition(const csv *in, const field *text) {
    return in->condition == UNKNOWN && in->rows == 0 && text->length > 0 && isalpha((unsigned char)text->start[0]);
}

/** As programs of tables write a value that is not there. */
static bool is_missing(const field *text) {
    static const char *const spelled[] = {"", "nan", "na", "n/a", "null", "none", "-"};
    for (size_t k = 0; k < sizeof spelled / sizeof *spelled; k++)
        if ((int64_t)strlen(spelled[k]) == text->length && strncasecmp(spelled[k], text->start, (size_t)text->length) == 0) return true;
    return false;
}

/** Read column @p c of the row. @return whether it is a number */
static bool read_number(csv *in, int c, double *number) {
    if (parse_number(&in->row[c], number)) return true;
    char name[48], text[48];
    const char *comma = in->row[c].length > 0 ? memchr(in->row[c].start, ',', (size_t)in->row[c].length) : NULL;
    table_mistake(&in->mistakes, "%s:%lld: column '%s': '%s' is not a number%s", in->path, (long long)in->line,
                  table_show(name, in->names[c].start, in->names[c].length), table_show(text, in->row[c].start, in->row[c].length),
                  comma ? "; the decimal sign is a point, not a comma"
                  : is_missing(&in->row[c]) ? TABLE_MISSING
                  : may_name_condition(in, &in->row[c]) ? "; a column that names conditions is called 'condition'" : "");
    return false;
}

static void read_values(csv *in) {
    char name[48];
    double *values = in->values + (int64_t)in->waiting * in->result->units;
    for (int c = 0, unit = 0; c < in->columns; c++) {
        if (!is_unit(in, c)) continue;
        if (read_number(in, c, &values[unit]) && in->how->nonnegative && values[unit] < 0)
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
    if (in->count[condition]++ > 0 && time <= in->last[condition])
        table_mistake(&in->mistakes, "%s:%lld: time %.15g ms does not come after %.15g ms, the time before it in condition '%s'%s", in->path,
                      (long long)in->line, time * in->unit_of_time, in->last[condition] * in->unit_of_time, in->result->condition[condition],
                      in->condition == UNKNOWN ? "; several conditions need a column 'condition'" : "");
    in->last[condition] = time;
    in->heads[in->rows++] = (row_head){condition, in->line, time};
    in->conditions[in->waiting++] = condition;
    if (in->waiting == in->piece_rows) put_rows(in);
    return true;
}

static status read_rows(csv *in) {
    const size_t units = (size_t)in->result->units, rows = TABLE_PIECE_BYTES / sizeof(double) / units;
    char *line, *end;
    in->result->condition = table_alloc(in->path, TABLE_CONDITIONS, sizeof *in->result->condition);
    if (!in->result->condition) return STATUS_FAILURE;
    in->piece_rows = rows ? (int)rows : 1;
    in->values = memory_new(MEMORY_BUFFERS, (size_t)in->piece_rows * units, sizeof *in->values);
    in->conditions = memory_new(MEMORY_BUFFERS, (size_t)in->piece_rows, sizeof *in->conditions);
    in->counter = memory_new(MEMORY_BUFFERS, units, sizeof *in->counter);
    in->to->units = in->result->units;
    while (take_line(in, &line, &end)) {
        int64_t fields = split_row(in->separator, line, end, in->row, in->columns);
        if (fields == 1 && in->row[0].length == 0 && in->columns > 1)
            table_mistake(&in->mistakes, "%s:%lld: blank line", in->path, (long long)in->line);
        else if (fields != in->columns)
            table_mistake(&in->mistakes, "%s:%lld: %d fields, but the header has %d", in->path, (long long)in->line, (int)fields, in->columns);
        else if ((in->rows + 1) * in->result->units > VALUES_LIMIT)
            return status_fail(STATUS_INPUT, "%s:%lld: more than %d values", in->path, (long long)in->line, INT_MAX);
        else if (!add_row(in)) return STATUS_FAILURE;
    }
    if (in->lines->lost != STATUS_OK) return in->lines->lost;
    put_rows(in);
    if (in->rows == 0 && in->mistakes.count == 0) table_mistake(&in->mistakes, "%s: no rows below the header", in->path);
    return in->mistakes.count ? STATUS_INPUT : STATUS_OK;
}

/** Does a unit's every value say in which row it stands? Then it may be a column that counts rows under a name that nobody knows. */
static void doubt_counters(csv *in) {
    table *all = in->result;
    enum { ROWS_THAT_COUNT = 5 };
    if (in->rows < ROWS_THAT_COUNT) return;
    for (int u = 0; u < all->units && !all->doubt[0]; u++) {
        const char *why = in->counter[u] >= 0 ? "counts the rows, but " : strcasecmp(all->unit[u], "trial") == 0 ? "" : NULL;
        if (why) snprintf(all->doubt, sizeof all->doubt, "column '%s' %sis taken as a unit: if it is none, take it out", all->unit[u], why);
    }
}

/** All conditions must have the times of the first. @param[out] ordered  rows stand in the order of conditions and times */
static void check_times(csv *in, bool *ordered) {
    table *all = in->result;
    memset(in->count, 0, sizeof in->count);
    for (int64_t r = 0, t = 0; r < in->rows; r++) /* the first condition says the times */
        if (in->heads[r].condition == 0) all->time[t++] = in->heads[r].time;
    *ordered = true;
    for (int64_t r = 0; r < in->rows; r++) {
        int64_t c = in->heads[r].condition, t = in->count[c]++;
        *ordered = *ordered && c * all->times + t == r;
        if (in->heads[r].time != all->time[t])
            table_mistake(&in->mistakes, "%s:%lld: time %.15g ms of condition '%s' differs from %.15g ms of '%s', all must be the same", in->path,
                          (long long)in->heads[r].line, in->heads[r].time * in->unit_of_time, all->condition[c], all->time[t] * in->unit_of_time,
                          all->condition[0]);
    }
}

/** What is known once all rows are there. */
static status arrange(csv *in) {
    table *all = in->result;
    bool ordered;
    for (int c = 1; c < all->conditions; c++)
        if (in->count[c] != in->count[0])
            table_mistake(&in->mistakes, "%s: condition '%s' has %lld rows, but '%s' has %lld; all must have the same times", in->path,
                          all->condition[c], (long long)in->count[c], all->condition[0], (long long)in->count[0]);
    if (in->mistakes.count) return STATUS_INPUT;
    all->times = (int)in->count[0];
    all->time = memory_new(MEMORY_TARGETS, (size_t)all->times, sizeof *all->time);
    check_times(in, &ordered);
    if (!ordered) {
        in->to->place = memory_new(MEMORY_BUFFERS, (size_t)in->rows, sizeof *in->to->place);
        memset(in->count, 0, sizeof in->count);
        for (int64_t r = 0; r < in->rows; r++) {
            int64_t c = in->heads[r].condition, t = in->count[c]++;
            in->to->place[r] = (int32_t)(c * all->times + t);
        }
    }
    doubt_counters(in);
    return in->mistakes.count ? STATUS_INPUT : STATUS_OK;
}

/** From the first line to the last. */
static status read_table(csv *in) {
    const char *kind;
    if (in->lines->zero_line) /* no text has one, but one saved as UTF-16 has them in every second place */
        return status_fail(STATUS_INPUT, "%s:%lld: a zero byte: not a text; a table is CSV in UTF-8, or HDF5 (%s)", in->path, (long long)in->lines->zero_line,
                           TABLE_CONVERTED);
    status read = read_header(in);
    if (read == STATUS_OK) read = read_rows(in);
    if (read == STATUS_OK) read = arrange(in);
    if (read == STATUS_INPUT) table_mistakes_end(&in->mistakes);
    kind = in->separator == ';' ? "semicolons" : in->separator == '\t' ? "tabs" : "commas";
    snprintf(in->result->layout, sizeof in->result->layout, "CSV with %s", kind);
    if (read == STATUS_OK) read = table_settle_times(in->path, in->unit_of_time, in->how, in->result);
    if (!in->spikes || (read != STATUS_INPUT && (read != STATUS_OK || in->result->regular))) return read; /* a single unit called unit has regular times */
    status_forget();
    return status_fail(STATUS_INPUT, "%s:1: these are spike times, not a table of rates: tools/import makes one of them", in->path);
}

status table_parse_csv(table_lines *lines, const table_reading *how, table_pieces *to, table *result) {
    csv *in = table_alloc(lines->path, 1, sizeof *in);
    if (!in) return STATUS_FAILURE;
    in->path = lines->path;
    in->lines = lines;
    in->how = how;
    in->to = to;
    in->result = result;
    status read = read_table(in);
    free(in->header), free(in->names), free(in->row), free(in->heads), free(in->left_out);
    memory_free(in->values), memory_free(in->conditions), memory_free(in->counter);
    free(in);
    return read;
}

status table_read_csv(const char *path, const table_reading *how, table_pieces *to, table *result) {
    table_lines lines;
    status read = table_lines_open(path, FILE_LIMIT, &lines);
    if (read == STATUS_OK) read = table_parse_csv(&lines, how, to, result);
    table_lines_close(&lines);
    return read;
}
