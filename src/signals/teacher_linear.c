/* dx/dt = A x + c with any matrix A: given in the parameter file, or in a CSV file of J lines with J numbers each. */
#include "recording.h"

typedef struct { param_numbers matrix; char *path, *dataset; } parameters;

static const param params[] = {
    {"matrix", PARAM_NUMBERS, UNIT_RATE, "[]", -1e9, 1e9, NULL, "A, J x J numbers row by row", offsetof(parameters, matrix)},
    {"path", PARAM_PATH, UNIT_NONE, "", 0, 0, NULL, "instead: a CSV file with A, J lines of J numbers in 1/s, or HDF5 dataset [J][J]",
     offsetof(parameters, path), MAY_TEST, PATH_KEPT},
    {"dataset", PARAM_TEXT, UNIT_NONE, "", 0, 0, NULL, RECORDING_DATASET, offsetof(parameters, dataset)},
};
static const param_table table_of_keys = {"linear", "any linear system, from its matrix", params, sizeof params / sizeof *params, sizeof(parameters)};

/** Collective. @param[out] table [1][J][J], table_clear() frees it @return agreed and printed */
static status read_matrix(const context *context, const config *config, const parameters *p, table *table) {
    const recording_parameters recording = {.path = p->path, .dataset = p->dataset, .interval = 1}; /* rows stand for times */
    status agreed = recording_read(context, config, &recording, NAN, table), mine = STATUS_OK;
    if (agreed == STATUS_OK && (table->conditions != 1 || table->times != table->units))
        mine = config_complain(config, SIGNALS_TEACHER, "path", "%d rows of %d numbers are no square matrix", table->conditions * table->times, table->units);
    return agreed == STATUS_OK ? status_agree(context, mine) : agreed;
}

/* ---- hooks ---- */

static status check_given(const config *config, const parameters *p) {
    int root = (int)lround(sqrt(p->matrix.count));
    if (*p->path && p->matrix.count)
        return config_complain(config, SIGNALS_TEACHER, "path", "is given, and targets.matrix is: give one of them (targets.matrix=[] takes that back)");
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
    table table = {0};
    agreed = read_matrix(context, config, p, &table);
    *dimensions = table.units;
    table_clear(&table);
    return agreed;
}

static status open_linear(const signal_setting *setting, const void *raw, void **self) {
    const parameters *p = raw;
    table read = {0};
    status agreed = *p->path ? read_matrix(setting->context, setting->config, p, &read) : STATUS_OK;
    int dimensions = *p->path ? read.units : (int)lround(sqrt(p->matrix.count));
    if (agreed == STATUS_OK && dimensions != setting->dimensions)
        agreed = status_agree(setting->context, config_complain(setting->config, SIGNALS_TEACHER, *p->path ? "path" : "matrix",
                                                                "is %d x %d, but there are %d dimensions", dimensions, dimensions, setting->dimensions));
    if (agreed == STATUS_OK) {
        linear_teacher *teacher = linear_new(dimensions);
        memcpy(teacher->matrix, *p->path ? read.values : p->matrix.values, (size_t)dimensions * (size_t)dimensions * sizeof(double));
        linear_ready(teacher);
        if (*p->path) log_line(setting->context, "%s: matrix of %d x %d (%s), in 1/s", p->path, dimensions, dimensions, read.layout);
        *self = teacher;
    }
    table_clear(&read);
    return agreed;
}

const teacher_kind teacher_linear = {.parameters = &table_of_keys, .check = check, .resolve = resolve, .open = open_linear, LINEAR_HOOKS};
