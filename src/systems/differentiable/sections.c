/* Parameters. Defaults are those of autoencoding, README.md 6. */
#include "differentiable.h"

enum { VARIANTS_MAX = 32, SECTIONS = 5 };

static const param network_params[] = {
    {"neurons", PARAM_INTEGER, UNIT_NONE, "30", 1, 20000, NULL, "N", offsetof(network_settings, neurons)},
    {"slow", PARAM_CHOICE, UNIT_NONE, "none", 0, 0, "none all_to_all", "synapses between neurons of time constant tau", offsetof(network_settings, slow)},
    {"fast", PARAM_CHOICE, UNIT_NONE, "all_to_all", 0, 0, "none all_to_all", "synapses between neurons of time constant tau_fast",
     offsetof(network_settings, fast)},
    {"slow_weight", PARAM_NUMBER, UNIT_NONE, "0", 0, 1e6, NULL, "SD of W at first, times sqrt(N)", offsetof(network_settings, slow_weight)},
    {"fast_weight", PARAM_NUMBER, UNIT_NONE, "0", 0, 1e6, NULL, "SD of Wf at first, times sqrt(N)", offsetof(network_settings, fast_weight)},
    {"input_weight", PARAM_NUMBER, UNIT_NONE, "0.5", 0, 1e6, NULL, "SD of U at first", offsetof(network_settings, input_weight)},
    {"readout_weight", PARAM_NUMBER, UNIT_NONE, "0.3", 0, 1e6, NULL, "SD of O at first", offsetof(network_settings, readout_weight)},
    {"current", PARAM_NUMBER, UNIT_NONE, "0", -1e6, 1e6, NULL, "mean of Io at first, 1/ms", offsetof(network_settings, current)},
    {"current_spread", PARAM_NUMBER, UNIT_NONE, "0", 0, 1e6, NULL, "SD of Io at first, 1/ms", offsetof(network_settings, current_spread)},
    {"start", PARAM_CHOICE, UNIT_NONE, "drawn", 0, 0, "drawn fixed", "voltages at the start: drawn for each sample, or once",
     offsetof(network_settings, start)},
    {"start_range", PARAM_NUMBERS, UNIT_NONE, "[-0.8, 0.8]", -1, 1, NULL, "they are drawn from: [lowest, highest]", offsetof(network_settings, start_range)},
};
static const param_table network_table = {"network", "neurons that are trained by an exact gradient", network_params,
                                          sizeof network_params / sizeof *network_params, sizeof(network_settings)};

static const param neuron_params[] = {
    {"tau", PARAM_NUMBER, UNIT_TIME, "10 ms", 1e-3, 1e6, NULL, "of synapses", offsetof(neuron_settings, tau)},
    {"tau_fast", PARAM_NUMBER, UNIT_TIME, "1 ms", 1e-3, 1e6, NULL, "of fast synapses", offsetof(neuron_settings, tau_fast)},
    {"zone", PARAM_NUMBER, UNIT_NONE, "0.3", 1e-6, 1, NULL, "D: width of the zone below threshold in which synapses are driven",
     offsetof(neuron_settings, zone)},
    {"gate", PARAM_CHOICE, UNIT_NONE, "box", 0, 0, "box smooth", "how they are driven within it: evenly, or as 1 - cos", offsetof(neuron_settings, gate)},
};
static const param_table neuron_table = {"neuron", "voltages and synapses", neuron_params, sizeof neuron_params / sizeof *neuron_params,
                                         sizeof(neuron_settings)};
static const param lif_params[] = {
    {"tau_v", PARAM_NUMBER, UNIT_TIME, "20 ms", 1e-3, 1e6, NULL, "of membranes", offsetof(lif_settings, tau_v)},
    {"reset", PARAM_CHOICE, UNIT_NONE, "moved", 0, 0, "moved exact", "what is beyond threshold is moved by 1, or goes on from 0 at the speed that it has there",
     offsetof(lif_settings, reset)},
};
static const param theta_params[] = {{"tau_v", PARAM_NUMBER, UNIT_TIME, "25 ms", 1e-3, 1e6, NULL, "of membranes", offsetof(theta_settings, tau_v)}};
static const param_table nif = {"nif", "no leak; fires at 1 and at -1", NULL, 0, 0};
static const param_table lif = {"lif", "leaky integrate and fire", lif_params, sizeof lif_params / sizeof *lif_params, sizeof(lif_settings)};
static const param_table theta = {"theta", "quadratic integrate and fire, as a phase", theta_params, 1, sizeof(theta_settings)};
static const param_table *const models[] = {&nif, &lif, &theta};

static const param learning_params[] = {
    {"loops", PARAM_INTEGER, UNIT_NONE, "1000", 0, 1e9, NULL, "iterations, of one batch each", offsetof(learning_settings, loops), MAY_RESUME},
    {"batch", PARAM_INTEGER, UNIT_NONE, "32", 1, 1 << 20, NULL, "samples of an iteration", offsetof(learning_settings, batch)},
    {"rate", PARAM_NUMBER, UNIT_NONE, "0.02", 0, 1e3, NULL, "of Adam, at first", offsetof(learning_settings, rate)},
    {"readout_rate", PARAM_NUMBER, UNIT_NONE, "1", 0, 1e6, NULL, "factor of the rate of O", offsetof(learning_settings, readout_rate)},
    {"current_rate", PARAM_NUMBER, UNIT_NONE, "0", 0, 1e6, NULL, "factor of the rate of Io", offsetof(learning_settings, current_rate)},
    {"falls_after", PARAM_INTEGER, UNIT_NONE, "0", 0, 1e9, NULL, "iteration n from which the rate falls as 1/n; 0: it does not",
     offsetof(learning_settings, falls_after)},
    {"steps", PARAM_NUMBERS, UNIT_NONE, "[500, 800]", 0, 1e9, NULL, "iterations behind which the rate has another factor", offsetof(learning_settings, steps)},
    {"step_factors", PARAM_NUMBERS, UNIT_NONE, "[0.3, 0.1]", 0, 1e3, NULL, "of the first rate, one for each of the steps",
     offsetof(learning_settings, step_factors)},
    {"beta1", PARAM_NUMBER, UNIT_NONE, "0.9", 0, 0.999999, NULL, "of Adam: memory of the mean gradient", offsetof(learning_settings, beta1)},
    {"beta2", PARAM_NUMBER, UNIT_NONE, "0.999", 0, 0.9999999, NULL, "of Adam: memory of its square", offsetof(learning_settings, beta2)},
    {"epsilon", PARAM_NUMBER, UNIT_NONE, "1e-8", 1e-30, 1, NULL, "of Adam", offsetof(learning_settings, epsilon)},
    {"clip", PARAM_NUMBER, UNIT_NONE, "0", 0, 1e30, NULL, "norm that gradients are cut to; 0: none", offsetof(learning_settings, clip)},
    {"adjoint_limit", PARAM_NUMBER, UNIT_NONE, "0", 0, 1e30, NULL,
     "that slopes in voltages of a sample are cut to, after which gradients are not exact; 0: none",
     offsetof(learning_settings, limit)},
    {"activity_cost", PARAM_NUMBER, UNIT_NONE, "0.02", 0, 1e9, NULL, "lambda: cost of synaptic currents", offsetof(learning_settings, activity_cost)},
};
static const param_table learning_table = {"learning", "how weights follow their gradient", learning_params, sizeof learning_params / sizeof *learning_params,
                                           sizeof(learning_settings)};
static const param_table exact_gradient = {"exact_gradient", "the gradient through differentiable synapses (Huh & Sejnowski 2018)", NULL, 0, 0};
static const param_table *const rules[] = {&exact_gradient};

static const param protocol_params[] = {
    {"samples", PARAM_INTEGER, UNIT_NONE, "64", 1, 1 << 20, NULL, "of a trial, side by side", offsetof(protocol_settings, samples), MAY_TEST},
    {"slow", PARAM_FLAG, UNIT_NONE, "true", 0, 0, NULL, "trials have synapses W; false: they are left out", offsetof(protocol_settings, slow), MAY_TEST},
    {"fast", PARAM_FLAG, UNIT_NONE, "true", 0, 0, NULL, "trials have fast synapses Wf; false: they are left out", offsetof(protocol_settings, fast), MAY_TEST},
};
static const param_table protocol_table = {"protocol", "how a trial with frozen weights goes", protocol_params,
                                           sizeof protocol_params / sizeof *protocol_params, sizeof(protocol_settings)};

const param_section *differentiable_sections(int *count) {
    static const param_table *kinds[VARIANTS_MAX];
    static param_section sections[SECTIONS];
    static int made;
    if (!made) {
        const int k = task_variants(TASK_VALUES | TASK_TARGETS, kinds, VARIANTS_MAX);
        const param_section all[SECTIONS] = {
            {"network", "networks", "neurons that are trained by an exact gradient", &network_table, NULL, NULL, 0},
            {"neuron", "neurons", "voltages and synapses", &neuron_table, "model", models, sizeof models / sizeof *models},
            {TASK_SECTION, "tasks", "what readouts are to follow", &task_common, "kind", kinds, k},
            {"learning", "rules", "how weights follow their gradient", &learning_table, "rule", rules, sizeof rules / sizeof *rules},
            {"protocol", "protocol", "how a trial with frozen weights goes", &protocol_table, NULL, NULL, 0},
        };
        for (int s = 0; s < SECTIONS; s++) sections[s] = all[s];
        made = 1;
    }
    *count = SECTIONS;
    return sections;
}
