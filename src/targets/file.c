/* Recorded targets from a CSV or HDF5 table: conditions become tasks, units are paired with neurons, time is resampled to the learning interval. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "engram/memory.h"
#include "engram/network.h"
#include "recorded.h"

typedef struct {
    recorded_parameters recorded;
    char *path, *dataset;
    double origin;
    int time_unit;
} file_parameters;

enum { TIME_UNIT_AUTO, TIME_UNIT_US, TIME_UNIT_MS, TIME_UNIT_S };

static const param parameters[] = {
    {"path", PARAM_PATH, UNIT_NONE, NULL, 0, 0, NULL, "CSV or HDF5 table of [condition][time][unit] (jobs/README.md, Your own data)",
     offsetof(file_parameters, path), MAY_TEST, PATH_KEPT},
    {"dataset", PARAM_TEXT, UNIT_NONE, "", 0, 0, NULL, "HDF5: the dataset, when the file has several", offsetof(file_parameters, dataset)},
    {"origin", PARAM_NUMBER, UNIT_TIME, "auto", -1e12, 1e12, NULL, "time in the table that is the end of the stimulus; auto: one bin before the first",
     offsetof(file_parameters, origin)},
    {"time_unit", PARAM_CHOICE, UNIT_NONE, "auto", 0, 0, "auto us ms s",
     "unit of time in the table; auto: what its units attribute or column name says, else ms; bins below 1 ms need one", offsetof(file_parameters, time_unit)},
    RECORDED_PARAMETERS(file_parameters),
};
static const param_table file_table = {"file", "recorded rates or drives from a CSV or HDF5 table", parameters, sizeof parameters / sizeof *parameters,
                                       sizeof(file_parameters)};

static status open_file(target_request *request, const void *raw, void **state) {
    file_parameters *p = (file_parameters *)(uintptr_t)raw;
    recorded_state *opened = memory_new(MEMORY_TARGETS, 1, sizeof *opened);
    char *path = config_resolve_path(request->config, p->path);
    bool rates = ((const target_settings *)config_common(request->config, "targets"))->quantity == QUANTITY_RATE;
    static const double unit[] = {[TIME_UNIT_AUTO] = NAN, [TIME_UNIT_US] = 1e-3, [TIME_UNIT_MS] = 1, [TIME_UNIT_S] = 1e3};
    const table_reading how = {.dataset = p->dataset, .time_unit = unit[p->time_unit], .nonnegative = rates};
    status result = (request->simulation ? table_read_shared : table_read_sums)(request->context, path, &how, &opened->table);
    if (result == STATUS_OK && request->simulation) table_tell(request->context, path, rates ? " Hz" : "", &opened->table);
    free(path);
    if (result != STATUS_OK) {
        memory_free(opened);
        return result;
    }
    table *table = &opened->table;
    recorded_begin(opened, request, table->units);
    if (isnan(p->origin)) p->origin = table->time[0] - (table->times > 1 ? table->bin : request->every);
    opened->origin = p->origin;
    opened->every = request->every;
    opened->auxiliary_filter = ((const plastic_settings *)config_common(request->config, "plastic"))->tau;
    recorded_prepare(opened, request, &p->recorded);
    *state = opened;
    return STATUS_OK;
}

const target_kind targets_file = {.parameters = &file_table,
                                  .open = open_file,
                                  .close = recorded_close,
                                  .tasks = recorded_tasks,
                                  .duration = recorded_duration,
                                  .needs = recorded_needs,
                                  .check = recorded_check,
                                  .pair = recorded_pair,
                                  .fill = recorded_fill,
                                  .recorded = recorded_table,
                                  .gives_rates = true};
