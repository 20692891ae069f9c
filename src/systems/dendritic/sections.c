/* Parameters. Defaults are those of the bars of Mikulasch et al. 2021, README.md 5. */
#include <string.h>

#include "dendritic.h"

enum { VARIANTS_MAX = 32, SECTIONS = 5 };

static const param network_params[] = {
    {"neurons", PARAM_INTEGER, UNIT_NONE, "16", 1, 1e6, NULL, "N", offsetof(network_settings, neurons)},
    {"initial_input", PARAM_NUMBER, UNIT_NONE, "auto", 0, 1e3, NULL, "F at the start; auto: 0, of rules that divide by F 0.001",
     offsetof(network_settings, initial_input)},
    {"initial_spread", PARAM_NUMBER, UNIT_NONE, "0", 0, 5, NULL,
     "F begins at initial_input + exp(max(0, initial_spread xi + initial_offset)) - 1, xi normal, and autapses at -F^2 (README.md 3.8); 0: F at initial_input",
     offsetof(network_settings, initial_spread)},
    {"initial_offset", PARAM_NUMBER, UNIT_NONE, "0", -5, 5, NULL, "as initial_spread says", offsetof(network_settings, initial_offset)},
};
static const param_table network_table = {"network", "neurons that code", network_params, sizeof network_params / sizeof *network_params,
                                          sizeof(network_settings)};

static const param neuron_params[] = {
    {"tau", PARAM_NUMBER, UNIT_TIME, "10 ms", 1e-3, 1e6, NULL, "of postsynaptic traces z", offsetof(neuron_settings, tau)},
    {"stochasticity", PARAM_NUMBER, UNIT_NONE, "1", 1e-9, 1e6, NULL, "s2 at the start: P = 1/(1 + exp(-(V + A/4 + b)/s2))",
     offsetof(neuron_settings, stochasticity)},
    {"stochasticity_final", PARAM_NUMBER, UNIT_NONE, "0.1", 1e-9, 1e6, NULL, "what s2 goes to", offsetof(neuron_settings, stochasticity_final)},
    {"stochasticity_rate", PARAM_NUMBER, UNIT_NONE, "7e-8", 0, 1, NULL, "eS, 1/ms: s2 goes there at twice this; 0: it stays",
     offsetof(neuron_settings, stochasticity_rate)},
    {"bias", PARAM_CHOICE, UNIT_NONE, "inside", 0, 0, "inside outside", "b is divided by s2, or (outside) added behind: h = (V + A/4)/s2 + b",
     offsetof(neuron_settings, bias)},
    {"rate", PARAM_NUMBER, UNIT_RATE, "15 Hz", 1e-6, 1e6, NULL, "that homeostasis holds", offsetof(neuron_settings, rate)},
    {"winner", PARAM_CHOICE, UNIT_NONE, "all", 0, 0, "all one", "all that draw a spike in a step fire, or (one) only that with the largest probability",
     offsetof(neuron_settings, winner), MAY_TEST},
};
static const param_table neuron_table = {"neuron", "membranes, noise, homeostasis", neuron_params, sizeof neuron_params / sizeof *neuron_params,
                                         sizeof(neuron_settings)};

static const param learning_params[] = {
    {"loops", PARAM_INTEGER, UNIT_NONE, "1000", 0, 1e9, NULL, "training loops of simulation.loop_duration", offsetof(learning_settings, loops), MAY_RESUME},
    {"stages", PARAM_NUMBERS, UNIT_NONE, "[]", 1, 1e9, NULL, "loops of each stage; rates may have a value for each; the last one goes on",
     offsetof(learning_settings, stages)},
    {"decoder_rate", PARAM_NUMBERS, UNIT_NONE, "5e-5", 0, 1, NULL, "eD, 1/ms; of rule dendritic that of F, which is D', too",
     offsetof(learning_settings, decoder_rate)},
    {"homeostasis_rate", PARAM_NUMBERS, UNIT_NONE, "1e-2", 0, 1e3, NULL, "eB, 1/ms: of biases", offsetof(learning_settings, homeostasis_rate)},
    {"update_every", PARAM_INTEGER, UNIT_NONE, "1", 1, 1e6, NULL, "m: steps between updates of inhibition, biases and stochasticity",
     offsetof(learning_settings, update_every)},
    {"stepping", PARAM_CHOICE, UNIT_NONE, "fast", 0, 0, "fast literal", "literal: every step and synapse as the equations are written, to compare with",
     offsetof(learning_settings, stepping)},
};
static const param_table learning_table = {"learning", "how synapses learn", learning_params, sizeof learning_params / sizeof *learning_params,
                                           sizeof(learning_settings)};

#define INPUT_RATE(fallback) \
    {"input_rate", PARAM_NUMBERS, UNIT_NONE, fallback, 0, 1, NULL, "eF, 1/ms: of input weights F", offsetof(rule_settings, input_rate)}
#define INHIBITION_RATE(fallback) \
    {"inhibition_rate", PARAM_NUMBERS, UNIT_NONE, fallback, 0, 1, NULL, "eW, 1/ms: of inhibitory weights", offsetof(rule_settings, inhibition_rate)}
static const param somatic_params[] = {INPUT_RATE("5e-5"), INHIBITION_RATE("1e-4")};
static const param slow_params[] = {
    INPUT_RATE("1e-7"), INHIBITION_RATE("5e-5"),
    {"average_rate", PARAM_NUMBERS, UNIT_NONE, "5e-5", 0, 1, NULL, "eFb, 1/ms: of the average Fb of z u that F slowly follows",
     offsetof(rule_settings, average_rate)},
    {"pruned", PARAM_NUMBER, UNIT_NONE, "0", 0, 1, NULL,
     "q: inhibition acts on the soma, and of that on compartments, which only teaches F, the weakest part q decays (README.md 3.7); 0: nothing of that",
     offsetof(rule_settings, pruned)},
    {"prune_rate", PARAM_NUMBERS, UNIT_NONE, "3", 0, 1e6, NULL, "beta: how fast they do, in inhibition_rate; one for all stages or one each",
     offsetof(rule_settings, prune_rate)},
    {"prune_average", PARAM_NUMBER, UNIT_NONE, "0.9e-4", 0, 1, NULL, "alpha, 1/ms: of the average of z z' that tells which are weak",
     offsetof(rule_settings, prune_average)},
};
static const param simultaneous_params[] = {INPUT_RATE("5e-5"), INHIBITION_RATE("1e-4")};
static const param decay_params[] = {
    INPUT_RATE("2e-5"), INHIBITION_RATE("1e-4"),
    {"decay", PARAM_NUMBER, UNIT_NONE, "0.005", 0, 10, NULL, "lambda: of all weights, in their rates", offsetof(rule_settings, decay)},
};
#define RULE(name, help, params) {name, help, params, sizeof params / sizeof *params, sizeof(rule_settings)}
static const param_table somatic = RULE("somatic", "somatic balance: inhibition of the soma, Hebbian input weights", somatic_params);
static const param_table closed_form = {"dendritic", "dendritic balance in closed form: W = -F D, D = F' (Mikulasch et al. 2021)", NULL, 0,
                                        sizeof(rule_settings)};
static const param_table slow = RULE("dendritic_slow", "dendritic balance, input weights that slowly follow an average", slow_params);
static const param_table simultaneous = RULE("dendritic_simultaneous", "dendritic balance, input and inhibition learn at once", simultaneous_params);
static const param_table decay = RULE("dendritic_decay", "dendritic balance, all weights decay", decay_params);
static const param_table *const rules[] = {&somatic, &closed_form, &slow, &simultaneous, &decay}; /* as rule_name */

static const param protocol_params[] = {
    {"images", PARAM_INTEGER, UNIT_NONE, "500", 1, 1e9, NULL, "of a trial that are scored, behind one that is not",
     offsetof(protocol_settings, images), MAY_TEST},
};
static const param_table protocol_table = {"protocol", "how a trial with frozen weights goes", protocol_params, 1, sizeof(protocol_settings)};

rule_name dendritic_rule(const config *config) {
    const char *name = config_variant_name(config, "learning");
    int rule = 0;
    while (strcmp(rules[rule]->name, name) != 0) rule++;
    return (rule_name)rule;
}

const param_section *dendritic_sections(int *count) {
    static const param_table *kinds[VARIANTS_MAX];
    static param_section sections[SECTIONS];
    static int made;
    if (!made) {
        int k = 0;
        for (; image_kinds[k] && k < VARIANTS_MAX; k++) kinds[k] = image_kinds[k]->parameters;
        const param_section all[SECTIONS] = {
            {"network", "networks", "neurons that code", &network_table, NULL, NULL, 0},
            {"neuron", "neuron", "membranes, noise, homeostasis", &neuron_table, NULL, NULL, 0},
            {"stimulus", "stimuli", "images", &image_common, "kind", kinds, k},
            {"learning", "rules", "how synapses learn", &learning_table, "rule", rules, sizeof rules / sizeof *rules},
            {"protocol", "protocol", "how a trial with frozen weights goes", &protocol_table, NULL, NULL, 0},
        };
        for (int s = 0; s < SECTIONS; s++) sections[s] = all[s];
        made = 1;
    }
    *count = SECTIONS;
    return sections;
}
