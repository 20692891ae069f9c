/* dx/dt = A x + c with any matrix A: given in the parameter file, or in a CSV file of J lines with J numbers each. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#include "engram/files.h"
#include "signals.h"

enum { MATRIX_LIMIT = 1024 };

typedef struct { param_numbers matrix; char *path; } parameters;

static const param params[] = {
    {"matrix", PARAM_NUMBERS, UNIT_RATE, "[]", -1e9, 1e9, NULL, "A, J x J numbers row by row", offsetof(parameters, matrix)},
    {"path", PARAM_PATH, UNIT_NONE, "", 0, 0, NULL, "instead: a CSV file with A, J lines of J numbers in 1/s, no header", offsetof(parameters, path), MAY_TEST},
};
static const param_table table = {"linear", "any linear system, from its matrix", params, sizeof params / sizeof *params, sizeof(parameters)};

/* ---- file ---- */

/** Numbers of one line behind those before. @return how many, -1 after status_fail() */
static int parse_line(const char *path, int line, char *text, double *values, int room) {
    int count = 0;
    for (char *at = text, *end;; at = end + 1) {
        double value = strtod(at, &end);
        bool number = end != at;
        while (isspace((unsigned char)*end)) end++;
        char *stop = end;
        while (*stop && *stop != ',' && *stop != ';') stop++;
        if (!number || stop != end || !isfinite(value)) {
            int shown = (int)(stop - at);
            return status_fail(STATUS_INPUT, "%s:%d: column %d: '%.*s' is no number", path, line, count + 1, shown > 40 ? 40 : shown, at), -1;
        }
        if (count == room) return status_fail(STATUS_INPUT, "%s:%d: more than %d numbers", path, line, room), -1;
        values[count++] = value;
        if (!*end) return count;
    }
}

/** On one rank. @param[out] values [MATRIX_LIMIT * MATRIX_LIMIT] @return not agreed */
static status parse(const char *path, FILE *file, double *values, int *dimensions) {
    char *text = NULL;
    size_t room = 0;
    int line = 0, rows = 0;
    status mine = STATUS_OK;
    ssize_t length;
    while (mine == STATUS_OK && (length = getline(&text, &room, file)) >= 0) {
        line++;
        while (length > 0 && isspace((unsigned char)text[length - 1])) text[--length] = '\0';
        if (length == 0) continue;
        if (strlen(text) != (size_t)length) mine = status_fail(STATUS_INPUT, "%s:%d: is no text", path, line);
        else if (rows && rows == *dimensions) mine = status_fail(STATUS_INPUT, "%s:%d: more than %d lines, but a line has %d numbers", path, line, rows, rows);
        else {
            int count = parse_line(path, line, text, values + (size_t)rows * (size_t)*dimensions, rows ? *dimensions : MATRIX_LIMIT);
            if (count < 0) mine = STATUS_INPUT;
            else if (rows && count != *dimensions)
                mine = status_fail(STATUS_INPUT, "%s:%d: %d numbers, but the first line has %d", path, line, count, *dimensions);
            if (!rows) *dimensions = count;
            rows++;
        }
    }
    if (mine == STATUS_OK && ferror(file)) mine = status_fail(STATUS_FAILURE, "%s: cannot be read: %s", path, strerror(errno));
    if (mine == STATUS_OK && (rows == 0 || rows != *dimensions))
        mine = status_fail(STATUS_INPUT, "%s: %d lines with %d numbers each, but a matrix has as many lines as columns", path, rows, *dimensions);
    free(text);
    return mine;
}

static status read_matrix(const char *path, double *values, int *dimensions) {
    FILE *file = NULL;
    int descriptor = file_open_input(path);
    if (descriptor >= 0) file = fdopen(descriptor, "r");
    if (!file) return status_fail(status_unreadable(errno), "%s: cannot be read: %s", path, file_why(errno));
    status mine = parse(path, file, values, dimensions);
    fclose(file);
    return mine;
}

/** Collective: rank 0 reads. @param[out] matrix [J][J], owned by the caller @return agreed and printed */
static status get_file(const context *context, config *config, const parameters *p, double **matrix, int *dimensions) {
    double *values = memory_new(MEMORY_BUFFERS, (size_t)MATRIX_LIMIT * MATRIX_LIMIT, sizeof *values);
    char *path = config_resolve_path(config, p->path);
    status mine = STATUS_OK;
    *dimensions = 0;
    if (context->rank == 0) mine = read_matrix(path, values, dimensions);
    status agreed = status_agree(context, mine);
    free(path);
    if (agreed == STATUS_OK) {
        CHECK_MPI(MPI_Bcast(dimensions, 1, MPI_INT, 0, context->comm));
        CHECK_MPI(MPI_Bcast(values, *dimensions * *dimensions, MPI_DOUBLE, 0, context->comm));
        *matrix = values;
    } else memory_free(values);
    return agreed;
}

/* ---- hooks ---- */

static status check_given(const config *config, const parameters *p) {
    int root = (int)lround(sqrt(p->matrix.count));
    if (*p->path && p->matrix.count) return config_complain(config, SIGNALS_TEACHER, "path", "is given, and targets.matrix is: give one of them");
    if (*p->path) return STATUS_OK;
    if (p->matrix.count == 0) return config_complain(config, SIGNALS_TEACHER, "matrix", "is missing: give A as a list, row by row, or targets.path");
    if (root * root != p->matrix.count)
        return config_complain(config, SIGNALS_TEACHER, "matrix", "%d numbers are no square matrix: J x J, row by row", p->matrix.count);
    return STATUS_OK;
}

static status check(const signal_setting *setting, const void *raw) {
    return check_given(setting->config, raw);
}

static status resolve(const context *context, config *config, const void *raw, int *dimensions, int *tasks) {
    const parameters *p = raw;
    *tasks = 1;
    status agreed = status_agree(context, check_given(config, p));
    if (agreed != STATUS_OK) return agreed;
    *dimensions = (int)lround(sqrt(p->matrix.count));
    if (!*p->path) return STATUS_OK;
    double *matrix = NULL;
    agreed = get_file(context, config, p, &matrix, dimensions);
    memory_free(matrix);
    return agreed;
}

static status open_linear(const signal_setting *setting, const void *raw, void **self) {
    const parameters *p = raw;
    double *read = NULL;
    int dimensions = (int)lround(sqrt(p->matrix.count));
    status agreed = *p->path ? get_file(setting->context, setting->config, p, &read, &dimensions) : STATUS_OK;
    if (agreed == STATUS_OK && dimensions != setting->dimensions)
        agreed = status_agree(setting->context, config_complain(setting->config, SIGNALS_TEACHER, *p->path ? "path" : "matrix",
                                                                "is %d x %d, but there are %d dimensions", dimensions, dimensions, setting->dimensions));
    if (agreed == STATUS_OK) {
        linear_teacher *teacher = linear_new(dimensions);
        memcpy(teacher->matrix, read ? read : p->matrix.values, (size_t)dimensions * (size_t)dimensions * sizeof(double));
        linear_ready(teacher);
        if (read) log_line(setting->context, "%s: matrix of %d x %d, in 1/s", p->path, dimensions, dimensions);
        *self = teacher;
    }
    memory_free(read);
    return agreed;
}

const teacher_kind teacher_linear = {.parameters = &table, .check = check, .resolve = resolve, .open = open_linear, LINEAR_HOOKS};
