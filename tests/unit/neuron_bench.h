/* What the tests of neuron models share: a model from overrides, neurons without a network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engram/neurons.h"
#include "engram/random.h"
#include "engram/schema.h"
#include "systems/patterns/simulation.h"

/** Parameters of a neuron model, from overrides. */
static config *configure(const char *const *overrides) {
    context job = context_of(MPI_COMM_WORLD);
    config *result;
    assert_int_equal(config_read(&job, NULL, overrides, training_schema(), &result), STATUS_OK);
    return result;
}

#define CONFIGURE(...) configure((const char *const[]){__VA_ARGS__, NULL})

static neurons *make(config *config, int64_t total, int64_t first, int mine, int64_t excitatory, double dt) {
    partition part = {.total = total, .first = first, .mine = mine, .ranks = 1};
    return neurons_new(neuron_models[config_variant_index(config, "neuron")], config_variant(config, "neuron"), part,
                       (cells){.total = total, .excitatory = excitatory}, dt, 42);
}
