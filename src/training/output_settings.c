#include "engram/output.h"

static const param params[] = {
    {"directory", PARAM_TEXT, UNIT_NONE, "out", 0, 0, NULL, "where results go; -o overrides", offsetof(output_settings, directory), MAY_RESUME | MAY_TEST},
    {"spikes", PARAM_CHOICE, UNIT_NONE, "last", 0, 0, "none last all", "training loops whose spikes are written",
     offsetof(output_settings, spikes), MAY_RESUME | MAY_TEST},
    {"report", PARAM_TEXTS, UNIT_NONE, "[drive]", 0, 0, NULL,
     "variables traced in the last loop: drive, static_drive, plastic_drive, input, or a state variable of the neuron model",
     offsetof(output_settings, report), MAY_RESUME | MAY_TEST},
    {"report_neurons", PARAM_INTEGER, UNIT_NONE, "64", 1, 1 << 30, NULL, "neurons traced, spread evenly over the network",
     offsetof(output_settings, report_neurons), MAY_RESUME | MAY_TEST},
    {"report_every", PARAM_NUMBER, UNIT_TIME, "1 ms", 1e-4, 1e9, NULL, "sampling interval of traces",
     offsetof(output_settings, report_every), MAY_RESUME | MAY_TEST},
    {"edges", PARAM_CHOICE, UNIT_NONE, "all", 0, 0, "none plastic all", "synapses that are written to edges.h5; a static one takes 24 bytes there",
     offsetof(output_settings, edges), MAY_RESUME | MAY_TEST},
    {"correlation_every", PARAM_INTEGER, UNIT_NONE, "1", 1, 1 << 30, NULL, "loops between correlations (the last loop always has one)",
     offsetof(output_settings, correlation_every), MAY_RESUME | MAY_TEST},
    {"timers", PARAM_CHOICE, UNIT_NONE, "plain", 0, 0, "plain detailed",
     "detailed: a barrier before every exchange of spikes tells waiting for the slowest rank from transfer, in run.json; "
     "it costs a collective a step and so changes what it measures",
     offsetof(output_settings, timers), MAY_RESUME | MAY_TEST},
};
const param_table output_common = {"output", "what is measured and written", params, sizeof params / sizeof *params, sizeof(output_settings)};
