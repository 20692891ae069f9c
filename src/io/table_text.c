#include "engram/text_table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "engram/memory.h"
#include "table_private.h"

enum { BYTES_LIMIT = 16 << 20, COLUMNS_LIMIT = 100 };

/** Take a field out of a line, which is changed. @return where the next one begins, NULL after the last one; @p open: in a quote that is not closed */
static char *take_field(char *at, char separator, char **field, bool *open) {
    while (*at == ' ' || (*at == '\t' && separator != '\t')) at++;
    char *to = at, *kept = at; /* what is quoted ends there */
    bool quoted = false;
    *field = to;
    for (; *at && (quoted || *at != separator); at++) {
        if (*at == '"' && quoted && at[1] == '"') *to++ = *at++;
        else if (*at == '"') quoted = !quoted, kept = to;
        else *to++ = *at;
    }
    *open = quoted;
    char *after = *at ? at + 1 : NULL;
    while (to > kept && (to[-1] == ' ' || to[-1] == '\t')) to--;
    *to = '\0';
    return after;
}

/** The next line that is not empty. @return NULL at the end */
static char *take_line(char **next, int64_t *number) {
    while (*next) {
        char *line = *next, *end = strchr(line, '\n');
        *next = end ? end + 1 : NULL;
        if (!end) end = line + strlen(line);
        if (end > line && end[-1] == '\r') end--;
        *end = '\0';
        ++*number;
        if (line[strspn(line, " \t")]) return line;
    }
    return NULL;
}

static char separator_of(const char *line) {
    for (bool quoted = false; *line; line++) {
        if (*line == '"') quoted = !quoted;
        if (!quoted && strchr(",;\t", *line)) return *line;
    }
    return ',';
}

/** @param fields [COLUMNS_LIMIT] @return their number, -1 after a mistake */
static int split_line(const char *path, int64_t number, char *line, char separator, char **fields) {
    int count = 0;
    bool open = false;
    while (line && count < COLUMNS_LIMIT && !open) line = take_field(line, separator, &fields[count++], &open);
    if (open) status_fail(STATUS_INPUT, "%s:%lld: a quote that is not closed", path, (long long)number);
    else if (line) status_fail(STATUS_INPUT, "%s:%lld: more than %d columns", path, (long long)number, COLUMNS_LIMIT);
    return open || line ? -1 : count;
}

static status take_names(const char *path, int64_t number, char *const *fields, text_table *result) {
    char shown[48];
    result->name = memory_new(MEMORY_BUFFERS, (size_t)result->columns, sizeof *result->name);
    memcpy(result->name, fields, (size_t)result->columns * sizeof *fields);
    for (int c = 0; c < result->columns; c++)
        if (text_table_column(result, result->name[c]) < c)
            return status_fail(STATUS_INPUT, "%s:%lld: two columns have the name '%s'", path, (long long)number,
                               table_show(shown, result->name[c], (int64_t)strlen(result->name[c])));
    return STATUS_OK;
}

static status parse(const char *path, text_table *result) {
    char *next = result->text, *fields[COLUMNS_LIMIT];
    if (strncmp(next, "\xEF\xBB\xBF", 3) == 0) next += 3;
    int64_t number = 0, room = 0;
    char *line = take_line(&next, &number);
    if (!line) return status_fail(STATUS_INPUT, "%s: the table is empty", path);
    const char separator = separator_of(line);
    result->columns = split_line(path, number, line, separator, fields);
    if (result->columns < 0 || take_names(path, number, fields, result) != STATUS_OK) return STATUS_INPUT;
    while ((line = take_line(&next, &number))) {
        const int count = split_line(path, number, line, separator, fields);
        if (count < 0) return STATUS_INPUT;
        if (count != result->columns)
            return status_fail(STATUS_INPUT, "%s:%lld: %d fields, but the line of names has %d", path, (long long)number, count, result->columns);
        if (result->rows == room) {
            room = 2 * room + 64;
            result->cell = memory_resize(MEMORY_BUFFERS, result->cell, (size_t)room * (size_t)result->columns, sizeof *result->cell);
            result->line = memory_resize(MEMORY_BUFFERS, result->line, (size_t)room, sizeof *result->line);
        }
        memcpy(result->cell + result->rows * result->columns, fields, (size_t)count * sizeof *fields);
        result->line[result->rows++] = number;
    }
    return STATUS_OK;
}

status text_table_read(const context *context, const char *path, text_table *result) {
    int64_t length = 0;
    *result = (text_table){0};
    status read = STATUS_OK;
    if (context->rank == 0) read = table_load(path, BYTES_LIMIT, &result->text, &length);
    if (read == STATUS_OK && context->rank == 0 && memchr(result->text, '\0', (size_t)length))
        read = status_fail(STATUS_INPUT, "%s: not a text", path);
    read = status_agree(context, read);
    if (read != STATUS_OK) return read;
    CHECK_MPI(MPI_Bcast(&length, 1, MPI_INT64_T, 0, context->comm));
    if (context->rank != 0) result->text = memory_new(MEMORY_BUFFERS, (size_t)length + 1, 1);
    CHECK_MPI(MPI_Bcast(result->text, (int)length, MPI_CHAR, 0, context->comm));
    return status_agree(context, parse(path, result));
}

void text_table_clear(text_table *table) {
    memory_free(table->text), memory_free(table->name), memory_free(table->cell), memory_free(table->line);
    *table = (text_table){0};
}

int text_table_column(const text_table *table, const char *name) {
    for (int c = 0; c < table->columns; c++)
        if (strcmp(table->name[c], name) == 0) return c;
    return -1;
}
