/* Tables of edge and node types: text with a line of names and a line for every type. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engram/files.h"
#include "engram/memory.h"
#include "sonata_private.h"
#include "table_private.h"

enum { TYPES_LIMIT = 1 << 24, FIELDS_LIMIT = 1000, IGNORED = -1, ID = -2, POPULATION = -3, OTHER = -4 };

typedef struct {
    const char *path;
    char *next;                /**< where to read on; NULL at the end */
    int64_t line;
    char separator;            /**< ' ': any number of blanks and tabs */
    char *field[FIELDS_LIMIT]; /**< of the line read last */
    int fields;
    char *heading[FIELDS_LIMIT];
    int meaning[FIELDS_LIMIT]; /**< number of a column that was asked for, or one of those above */
    int columns;
} types_text;

static status fail(const types_text *in, const char *what, const char *text) {
    char shown[48];
    return status_fail(STATUS_INPUT, "%s:%lld: %s%s%s", in->path, (long long)in->line, what, text ? " " : "",
                       text ? table_show(shown, text, (int64_t)strlen(text)) : "");
}

static bool is_gap(const types_text *in, char c) {
    return c == ' ' || (c == '\t' && in->separator != '\t');
}

/** Take a field out of a line, which is changed; blanks around it are none of its own, those in quotes are.
 *  @return where the next one begins, NULL after the last one or, with @p open set, in a quote that is not closed */
static char *take_field(const types_text *in, char *at, char **field, bool *open) {
    while (is_gap(in, *at)) at++;
    char *to = at, *kept = at; /* what is quoted ends there */
    bool quoted = false;
    *field = to;
    for (; *at && (quoted || (in->separator == ' ' ? !isblank((unsigned char)*at) : *at != in->separator)); at++) {
        if (*at == '"' && quoted && at[1] == '"') *to++ = *at++;
        else if (*at == '"') quoted = !quoted, kept = to;
        else *to++ = *at;
    }
    *open = quoted;
    char *after = *at ? at + 1 : NULL;
    while (to > kept && is_gap(in, to[-1])) to--;
    *to = '\0';
    while (in->separator == ' ' && after && isblank((unsigned char)*after)) after++;
    return after && (*after || in->separator != ' ') ? after : NULL;
}

/** Take the next line that is not empty apart. @return false at the end, or after a mistake */
static bool next_line(types_text *in, status *result) {
    for (; in->next && *result == STATUS_OK;) {
        char *line = in->next, *end = strchr(line, '\n');
        bool open = false;
        in->next = end ? end + 1 : NULL;
        if (!end) end = line + strlen(line);
        while (end > line && isspace((unsigned char)end[-1]) && (end[-1] != '\t' || in->separator != '\t')) end--;
        *end = '\0';
        in->line++;
        while (in->separator == ' ' && isblank((unsigned char)*line)) line++;
        if (!*line) continue;
        for (in->fields = 0; line && in->fields < FIELDS_LIMIT && !open; in->fields++) line = take_field(in, line, &in->field[in->fields], &open);
        if (open) *result = fail(in, "a quote that is not closed", NULL);
        else if (line) *result = fail(in, "more than 1000 columns", NULL);
        return *result == STATUS_OK;
    }
    return false;
}

static char separator_of(const char *line) {
    for (bool quoted = false; *line && *line != '\n'; line++) {
        if (*line == '"') quoted = !quoted;
        if (!quoted && strchr(",;\t", *line)) return *line;
    }
    return ' ';
}

/** @param names NULL-terminated */
static bool is_among(const char *name, const char *const *names) {
    while (*names && strcmp(name, *names) != 0) names++;
    return *names != NULL;
}

static status read_headings(types_text *in, const sonata_type_names *names) {
    status result = STATUS_OK;
    bool has_id = false;
    if (!next_line(in, &result)) return result == STATUS_OK ? status_fail(STATUS_INPUT, "%s: the table is empty", in->path) : result;
    in->columns = in->fields;
    for (int f = 0; f < in->fields; f++) {
        char *name = in->heading[f] = in->field[f];
        in->meaning[f] = strcmp(name, names->id) == 0 ? ID : strcmp(name, "population") == 0 ? POPULATION : is_among(name, names->known) ? IGNORED : OTHER;
        for (int c = 0; c < SONATA_COLUMNS && names->columns[c]; c++)
            if (strcmp(name, names->columns[c]) == 0) in->meaning[f] = c;
        for (int other = 0; other < f; other++)
            if (strcmp(name, in->heading[other]) == 0) return fail(in, "two columns have the name", name);
        has_id = has_id || in->meaning[f] == ID;
    }
    return has_id ? STATUS_OK : fail(in, "there is no column", names->id);
}

static bool is_null(const char *text) {
    static const char *const nulls[] = {"", "NULL", "null", "None", "none", "NaN", "nan", "NA", "N/A", "n/a", "<NA>", "#N/A", NULL};
    return is_among(text, nulls);
}

static void note_other(sonata_types *result, const char *name) {
    size_t used = strlen(result->others), length = strlen(name);
    for (const char *found = result->others; (found = strstr(found, name)); found += length)
        if ((found == result->others || found[-1] == ' ') && (found[length] == ',' || !found[length])) return;
    snprintf(result->others + used, sizeof result->others - used, "%s%.60s", used ? ", " : "", name);
}

static status keep_row(types_text *in, const char *population, int *room, sonata_types *result) {
    char wrong[80], *end;
    snprintf(wrong, sizeof wrong, "%d fields, but the line of names has %d", in->fields, in->columns);
    if (in->fields != in->columns) return fail(in, wrong, NULL);
    for (int f = 0; f < in->fields; f++)
        if (in->meaning[f] == POPULATION && !is_null(in->field[f]) && strcmp(in->field[f], population) != 0) return STATUS_OK;
    if (result->count == TYPES_LIMIT) return fail(in, "too many types", NULL);
    if (result->count == *room) result->type = memory_resize(MEMORY_BUFFERS, result->type, (size_t)(*room = 2 * *room + 64), sizeof *result->type);
    sonata_type *type = &result->type[result->count++];
    *type = (sonata_type){.line = in->line};
    for (int f = 0; f < in->fields; f++) {
        bool null = is_null(in->field[f]);
        errno = 0;
        if (in->meaning[f] == ID) type->id = strtoll(in->field[f], &end, 10);
        if (in->meaning[f] == ID && (null || *end || errno)) return fail(in, "an id is a whole number, not", in->field[f]);
        if (in->meaning[f] == OTHER && !null) note_other(result, in->heading[f]);
        if (in->meaning[f] >= 0 && !null) type->cell[in->meaning[f]] = in->field[f];
    }
    return STATUS_OK;
}

static int compare_types(const void *left, const void *right) {
    const sonata_type *a = left, *b = right;
    return a->id != b->id ? (a->id > b->id) - (a->id < b->id) : (a->line > b->line) - (a->line < b->line);
}

static status sort_types(sonata_types *result) {
    qsort(result->type, (size_t)result->count, sizeof *result->type, compare_types);
    for (int i = 1; i < result->count; i++)
        if (result->type[i].id == result->type[i - 1].id)
            return status_fail(STATUS_INPUT, "%s:%lld: type %lld again, after line %lld", result->path, (long long)result->type[i].line,
                               (long long)result->type[i].id, (long long)result->type[i - 1].line);
    return STATUS_OK;
}

status sonata_types_read(const char *path, const char *population, const sonata_type_names *names, sonata_types *result) {
    int64_t length = 0;
    int room = 0;
    *result = (sonata_types){.path = path};
    if (!*path) return STATUS_OK;
    status read = table_load(path, INT32_MAX, &result->text, &length);
    if (read == STATUS_OK && memchr(result->text, '\0', (size_t)length))
        read = status_fail(STATUS_INPUT, "%s: holds a zero byte: not a table of types, which is a text", path);
    if (read != STATUS_OK) return read;
    types_text *in = memory_new(MEMORY_BUFFERS, 1, sizeof *in);
    *in = (types_text){.path = path, .next = result->text + (length >= 3 && memcmp(result->text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0)};
    in->separator = separator_of(in->next);
    read = read_headings(in, names);
    while (read == STATUS_OK && next_line(in, &read)) read = keep_row(in, population, &room, result);
    memory_free(in);
    return read == STATUS_OK && result->count ? sort_types(result) : read;
}

void sonata_types_clear(sonata_types *types) {
    memory_free(types->type);
    memory_free(types->text);
    *types = (sonata_types){.path = ""};
}

const sonata_type *sonata_types_find(const sonata_types *types, int64_t id) {
    int low = 0, high = types->count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (types->type[middle].id < id) low = middle + 1;
        else high = middle;
    }
    return low < types->count && types->type[low].id == id ? &types->type[low] : NULL;
}

status sonata_types_fail(const sonata_types *types, const sonata_type *type, const char *column, const char *text, const char *allowed) {
    char shown[48];
    return status_fail(STATUS_INPUT, "%s:%lld: column '%s': '%s' is not %s", types->path, (long long)type->line, column,
                       table_show(shown, text, (int64_t)strlen(text)), allowed);
}

void sonata_types_list(const sonata_types *types, char *text, size_t size) {
    size_t used = 0;
    snprintf(text, size, "none");
    for (int i = 0; i < types->count && used + 32 < size; i++, used = strlen(text))
        snprintf(text + used, size - used, "%s%lld", used ? ", " : "", (long long)types->type[i].id);
    if (types->count && used + 32 >= size) snprintf(text + used, size - used, ", ...");
}

/* ---- which table belongs to a file ---- */

/** Paths that the table may have: what stands before "edges.h5" stays; or the file's name without its ending. @return whether there is such a file */
static bool is_beside(const char *path, const char *what, bool whole, char found[PATH_MAX]) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    char guess[PATH_MAX], plural[16];
    size_t length = dot ? (size_t)(dot - path) : strlen(path), ending = (size_t)snprintf(plural, sizeof plural, "%ss", what);
    bool has = length >= (size_t)(name - path) + ending && strncmp(path + length - ending, plural, ending) == 0;
    if (!whole && !has) return false;
    if (snprintf(guess, sizeof guess, "%.*s%s%s_types.csv", (int)(whole ? length : length - ending), path, whole ? "_" : "", what) >= (int)sizeof guess)
        return false;
    return access(guess, R_OK) == 0 && realpath(guess, found);
}

/** Is it that of a run? Nobody need read it: edges of a run mean the same with it and without, and so does the configuration that names them. */
static bool is_of_run(const char *path) {
    char text[sizeof SONATA_EDGE_TYPES + 1] = "";
    int descriptor = file_open_input(path);
    FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "rb");
    if (!file) return false;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    return length == sizeof SONATA_EDGE_TYPES - 1 && strcmp(text, SONATA_EDGE_TYPES) == 0;
}

char *sonata_types_beside(const context *job, const char *path, const char *what) {
    char found[PATH_MAX] = "";
    if (job->rank == 0 && !is_beside(path, what, false, found) && !is_beside(path, what, true, found)) found[0] = '\0';
    if (found[0] && is_of_run(found)) found[0] = '\0';
    CHECK_MPI(MPI_Bcast(found, sizeof found, MPI_CHAR, 0, job->comm));
    char *copy = found[0] ? strdup(found) : NULL;
    if (found[0] && !copy) context_abort("memory: no room for a path");
    return copy;
}
