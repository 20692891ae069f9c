/* No command. */
#include "signals.h"

static const param_table table = {"none", "no command", NULL, 0, 1};

static status open_none(const signal_setting *setting, const void *parameters, void **self) {
    (void)parameters;
    int *dimensions = memory_new(MEMORY_TARGETS, 1, sizeof *dimensions);
    *dimensions = setting->dimensions;
    *self = dimensions;
    return STATUS_OK;
}

static void fill(void *self, uint64_t stream, int64_t first, int count, double *values) {
    (void)stream, (void)first;
    memset(values, 0, (size_t)count * (size_t)*(int *)self * sizeof *values);
}

const command_kind command_none = {.parameters = &table, .open = open_none, .close = memory_free, .fill = fill};
