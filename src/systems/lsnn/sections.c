/* Parameters. Defaults are those of store and recall of Bellec et al. 2018, README.md 6. */
#include <string.h>

#include "lsnn.h"

enum { VARIANTS_MAX = 32, SECTIONS = 5 };

static const param network_params[] = {
    {"neurons", PARAM_INTEGER, UNIT_NONE, "20", 1, 20000, NULL, "N", offsetof(network_settings, neurons)},
    {"adaptive", PARAM_NUMBER, UNIT_NONE, "0.5", 0, 1, NULL, "part of them whose threshold adapts: the last ones", offsetof(network_settings, adaptive)},
    {"delays", PARAM_INTEGER, UNIT_NONE, "10", 1, 200, NULL, "D: synapses take 0 .. D - 1 steps more than one, drawn", offsetof(network_settings, delays)},
    {"signs", PARAM_CHOICE, UNIT_NONE, "mixed", 0, 0, "mixed dale",
     "of weights: any, or (dale) one for all synapses of a unit, three quarters excitatory; with rewiring",
     offsetof(network_settings, signs)},
};
static const param_table network_table = {"network", "neurons that are trained through their spikes", network_params,
                                          sizeof network_params / sizeof *network_params,
                                          sizeof(network_settings)};

static const param neuron_params[] = {
    {"tau", PARAM_NUMBER, UNIT_TIME, "20 ms", 1e-3, 1e6, NULL, "of membranes", offsetof(neuron_settings, tau)},
    {"tau_adaptation", PARAM_NUMBERS, UNIT_TIME, "1200 ms", 1e-3, 1e9, NULL,
     "of adaptive thresholds; [shortest, longest]: of each neuron its own, evenly spaced in the logarithm", offsetof(neuron_settings, tau_adaptation)},
    {"tau_readout", PARAM_NUMBER, UNIT_TIME, "20 ms", 1e-3, 1e6, NULL, "of readouts", offsetof(neuron_settings, tau_readout)},
    {"threshold", PARAM_NUMBER, UNIT_NONE, "0.01", 1e-9, 1e9, NULL, "of neurons that have not fired", offsetof(neuron_settings, threshold)},
    {"beta", PARAM_NUMBER, UNIT_NONE, "1.7", 0, 1e6, NULL, "of adaptation: the threshold is threshold + beta b", offsetof(neuron_settings, beta)},
    {"refractory", PARAM_NUMBER, UNIT_TIME, "3 ms", 1, 1000, NULL, "in which a neuron that fired cannot fire again", offsetof(neuron_settings, refractory)},
    {"pseudo_derivative", PARAM_NUMBER, UNIT_NONE, "0.3", 0, 10, NULL, "gamma: height of the derivative that stands for that of a spike",
     offsetof(neuron_settings, gamma)},
    {"rate", PARAM_NUMBER, UNIT_RATE, "10 Hz", 0, 1e3, NULL, "f0, to which the regulariser draws every neuron", offsetof(neuron_settings, rate)},
    {"rate_cost", PARAM_NUMBER, UNIT_NONE, "0.01", 0, 1e9, NULL, "creg, ms^2: cost of (rate - f0)^2, summed over neurons",
     offsetof(neuron_settings, rate_cost)},
};
static const param_table neuron_table = {"neuron", "membranes, thresholds, readouts", neuron_params, sizeof neuron_params / sizeof *neuron_params,
                                         sizeof(neuron_settings)};

static const param learning_params[] = {
    {"loops", PARAM_INTEGER, UNIT_NONE, "200", 0, 1e9, NULL, "iterations, of one batch each", offsetof(learning_settings, loops), MAY_RESUME},
    {"batch", PARAM_INTEGER, UNIT_NONE, "128", 1, 1 << 20, NULL, "samples of an iteration", offsetof(learning_settings, batch)},
    {"rate", PARAM_NUMBER, UNIT_NONE, "0.01", 0, 1e3, NULL, "of Adam, at first", offsetof(learning_settings, rate)},
    {"rate_decay", PARAM_NUMBER, UNIT_NONE, "0.3", 0, 1, NULL, "factor of the rate every decay_every iterations", offsetof(learning_settings, decay)},
    {"decay_every", PARAM_INTEGER, UNIT_NONE, "100", 1, 1e9, NULL, "iterations", offsetof(learning_settings, decay_every)},
    {"warm_up", PARAM_INTEGER, UNIT_NONE, "0", 0, 1e9, NULL, "iterations over which the rate rises to its value, in equal steps; 0: none",
     offsetof(learning_settings, warm_up)},
    {"beta1", PARAM_NUMBER, UNIT_NONE, "0.9", 0, 0.999999, NULL, "of Adam: memory of the mean gradient", offsetof(learning_settings, beta1)},
    {"beta2", PARAM_NUMBER, UNIT_NONE, "0.999", 0, 0.9999999, NULL, "of Adam: memory of its square", offsetof(learning_settings, beta2)},
    {"epsilon", PARAM_NUMBER, UNIT_NONE, "1e-8", 1e-30, 1, NULL, "of Adam", offsetof(learning_settings, epsilon)},
    {"l2", PARAM_NUMBER, UNIT_NONE, "0", 0, 1e6, NULL, "cost of weights: l2/2 times the sum of their squares; not of networks that are rewired",
     offsetof(learning_settings, l2)},
    {"clip", PARAM_NUMBER, UNIT_NONE, "0", 0, 1e30, NULL, "norm that gradients are cut to; 0: none", offsetof(learning_settings, clip)},
    {"connectivity", PARAM_NUMBER, UNIT_NONE, "1", 1e-6, 1, NULL, "p: part of all connections that exist at a time; below 1 they are rewired (DEEP R)",
     offsetof(learning_settings, connectivity)},
    {"shrinkage", PARAM_NUMBER, UNIT_NONE, "0.01", 0, 1e3, NULL, "l1 of connections that are rewired, in the rate of learning",
     offsetof(learning_settings, shrinkage)},
    {"temperature", PARAM_NUMBER, UNIT_NONE, "0", 0, 1e3, NULL, "of the random walk of connections that are rewired", offsetof(learning_settings, temperature)},
    {"history", PARAM_INTEGER, UNIT_NONE, "0", 0, 1 << 20, NULL,
     "steps of which potentials are kept at a time, others are computed again on the way back; 0: all", offsetof(learning_settings, history), MAY_RESUME},
    {"neuron_groups", PARAM_INTEGER, UNIT_NONE, "1", 1, 1 << 20, NULL, "ranks that share the neurons of a sample; samples are shared out to groups of so many",
     offsetof(learning_settings, neuron_groups), MAY_RESUME},
};
static const param_table learning_table = {"learning", "how weights follow their gradient", learning_params, sizeof learning_params / sizeof *learning_params,
                                           sizeof(learning_settings)};

static const param eprop_params[] = {
    {"feedback", PARAM_CHOICE, UNIT_NONE, "symmetric", 0, 0, "symmetric random adaptive",
     "of errors to neurons: by the weights of readouts, by fixed random ones, or by such that change as the weights of readouts do",
     offsetof(eprop_settings, feedback)},
    {"feedback_decay", PARAM_NUMBER, UNIT_NONE, "0.001", 0, 1, NULL, "part that adaptive feedback and the weights of readouts lose in an iteration",
     offsetof(eprop_settings, feedback_decay)},
    {"reset_gradient", PARAM_FLAG, UNIT_NONE, "true", 0, 0, NULL, "what a spike does to its own membrane counts; false: as published",
     offsetof(eprop_settings, reset_gradient)},
};
static const param_table bptt = {"bptt", "backpropagation through time (Bellec et al. 2018)", NULL, 0, 0};
static const param_table eprop = {"eprop", "e-prop: eligibility traces and errors of readouts alone (Bellec et al. 2020)", eprop_params,
                                  sizeof eprop_params / sizeof *eprop_params, sizeof(eprop_settings)};
static const param ppo_params[] = {
    {"discount", PARAM_NUMBER, UNIT_NONE, "0.99", 0, 1, NULL, "of reward, a move", offsetof(ppo_settings, discount)},
    {"trace", PARAM_NUMBER, UNIT_NONE, "0.95", 0, 1, NULL, "lambda of generalised advantages", offsetof(ppo_settings, trace)},
    {"ratio", PARAM_NUMBER, UNIT_NONE, "0.2", 0, 1, NULL, "epsilon: how far the chance of an action may move, in parts of it", offsetof(ppo_settings, ratio)},
    {"epochs", PARAM_INTEGER, UNIT_NONE, "4", 1, 1000, NULL, "updates by the episodes of an iteration", offsetof(ppo_settings, epochs)},
    {"value_cost", PARAM_NUMBER, UNIT_NONE, "0.5", 0, 1e6, NULL, "of the squared error of what is said to come", offsetof(ppo_settings, value_cost)},
    {"noise", PARAM_NUMBER, UNIT_NONE, "0.25", 1e-6, 1e3, NULL, "standard deviation of actions, in tests too", offsetof(ppo_settings, noise)},
};
static const param_table ppo = {"ppo", "actions that are rewarded: proximal policy optimisation (Schulman et al. 2017) through time", ppo_params,
                                sizeof ppo_params / sizeof *ppo_params, sizeof(ppo_settings)};
static const param_table *const rules[] = {&bptt, &eprop, &ppo};

static const param protocol_params[] = {
    {"samples", PARAM_INTEGER, UNIT_NONE, "128", 1, 1 << 20, NULL, "of a trial, side by side", offsetof(protocol_settings, samples), MAY_TEST},
};
static const param_table protocol_table = {"protocol", "how a trial with frozen weights goes", protocol_params, 1, sizeof(protocol_settings)};

static bool rule_is(const config *config, const char *name) {
    return config_variant_index(config, "learning") >= 0 && strcmp(config_variant_name(config, "learning"), name) == 0;
}

bool lsnn_is_eprop(const config *config) {
    return rule_is(config, "eprop");
}

bool lsnn_is_ppo(const config *config) {
    return rule_is(config, "ppo");
}

const param_section *lsnn_sections(int *count) {
    static const param_table *kinds[VARIANTS_MAX];
    static param_section sections[SECTIONS];
    static int made;
    if (!made) {
        static const unsigned makes[] = {TASK_SPIKES | TASK_LABELS, TASK_VALUES | TASK_LABELS, TASK_SPIKES | TASK_TARGETS, TASK_VALUES | TASK_TARGETS,
                                         TASK_SPIKES | TASK_ACTIONS};
        int k = 0;
        for (size_t m = 0; m < sizeof makes / sizeof *makes; m++) k += task_variants(makes[m], kinds + k, VARIANTS_MAX - k);
        const param_section all[SECTIONS] = {
            {"network", "networks", "neurons that are trained through their spikes", &network_table, NULL, NULL, 0},
            {"neuron", "neuron", "membranes, thresholds, readouts", &neuron_table, NULL, NULL, 0},
            {TASK_SECTION, "tasks", "what readouts are to say of the input", &task_common, "kind", kinds, k},
            {"learning", "rules", "how weights follow their gradient", &learning_table, "rule", rules, sizeof rules / sizeof *rules},
            {"protocol", "protocol", "how a trial with frozen weights goes", &protocol_table, NULL, NULL, 0},
        };
        for (int s = 0; s < SECTIONS; s++) sections[s] = all[s];
        made = 1;
    }
    *count = SECTIONS;
    return sections;
}
