/* A command from a file: a row for each time, a column for each dimension, linearly between rows; it begins with the first row, and is 0 behind the last. */
#include "recording.h"

typedef struct { recording_parameters recording; } parameters;

static const param params[] = {
    {"path", PARAM_PATH, UNIT_NONE, NULL, 0, 0, NULL, "CSV with a line of J numbers for each time, or HDF5 dataset [time][J]",
     offsetof(parameters, recording.path), MAY_TEST, PATH_KEPT | PATH_OTHER},
    {"dataset", PARAM_TEXT, UNIT_NONE, "", 0, 0, NULL, RECORDING_DATASET, offsetof(parameters, recording.dataset), MAY_TEST},
    {"interval", PARAM_NUMBER, UNIT_TIME, NULL, 1e-6, 1e9, NULL, "from one row to the next", offsetof(parameters, recording.interval), MAY_TEST},
};
static const param_table table_of_keys = {"file", "a command from a CSV or HDF5 file", params, sizeof params / sizeof *params, sizeof(parameters)};

typedef struct {
    double dt;
    int64_t steps;
    table table;
} file;

static void close_file(void *raw) {
    file *file = raw;
    if (!file) return;
    table_clear(&file->table);
    memory_free(file);
}

static status open_file(const signal_setting *setting, const void *raw, void **self) {
    const parameters *p = raw;
    file *file = memory_new(MEMORY_TARGETS, 1, sizeof *file);
    status agreed = recording_read(setting->context, setting->config, &p->recording, NAN, &file->table), mine = STATUS_OK;
    if (agreed == STATUS_OK) {
        if (file->table.units != setting->dimensions)
            mine = config_complain(setting->config, SIGNALS_COMMAND, "path", "has %d columns, but there are %d dimensions", file->table.units,
                                   setting->dimensions);
        else if (file->table.conditions > 1)
            mine = config_complain(setting->config, SIGNALS_COMMAND, "path", "has %d conditions: a command has one", file->table.conditions);
        agreed = status_agree(setting->context, mine);
    }
    if (agreed != STATUS_OK) {
        close_file(file);
        return agreed;
    }
    recording_tell(setting->context, setting->config, &p->recording, &file->table);
    file->dt = setting->dt;
    file->steps = recording_steps(&file->table, setting->dt);
    *self = file;
    return STATUS_OK;
}

static void fill(void *self, uint64_t stream, int64_t first, int count, double *values) {
    (void)stream;
    const file *file = self;
    for (int64_t n = first; n < first + count; n++, values += file->table.units) {
        if (n <= file->steps) recording_at(&file->table, 0, n, file->dt, values);
        else memset(values, 0, (size_t)file->table.units * sizeof *values);
    }
}

const command_kind command_file = {.parameters = &table_of_keys, .open = open_file, .close = close_file, .fill = fill};
