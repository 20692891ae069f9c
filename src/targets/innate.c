/* Innate trajectories (Kim & Chow 2018, Fig. 4; patterns/README.md 4.5): the untrained network's own drive, recorded after it has settled from a random
 * state. */
#include "engram/targets.h"

typedef struct { double settle; } innate_parameters;

static const param parameters[] = {
    {"settle", PARAM_NUMBER, UNIT_TIME, "3 s", 0, 1e9, NULL, "run of the untrained network before its drive becomes the target",
     offsetof(innate_parameters, settle)},
};
static const param_table table = {"innate", "the untrained network's own drive (Kim & Chow 2018, Fig. 4)", parameters, 1, sizeof(innate_parameters)};

static int tasks(const void *raw, const void *state) {
    (void)raw, (void)state;
    return 1;
}

static status fill(const target_request *request, const void *raw, void *state, int task, const int32_t *paired, double *rows) {
    (void)state, (void)task, (void)paired;
    request->record_untrained(request->simulation, ((const innate_parameters *)raw)->settle, request->instants, request->every, rows);
    return STATUS_OK;
}

const target_kind targets_innate = {.parameters = &table, .tasks = tasks, .fill = fill};
