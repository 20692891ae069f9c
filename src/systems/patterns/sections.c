/* Sections of the parameter file that this system brings, from the tables of its parts. */
#include "simulation.h"

enum { VARIANTS_MAX = 32, SECTIONS = 7 };

static int collect(const param_table **tables, int count, const param_table *table) {
    if (count == VARIANTS_MAX) context_abort("a section has more than %d variants", VARIANTS_MAX);
    tables[count] = table;
    return count + 1;
}

const param_section *patterns_sections(int *count) {
    static const param_table *variants[6][VARIANTS_MAX];
    static param_section sections[SECTIONS];
    static int made;
    if (!made) {
        int n[6] = {0};
        for (int k = 0; network_kinds[k]; k++) n[0] = collect(variants[0], n[0], network_kinds[k]->parameters);
        for (int k = 0; neuron_models[k]; k++) n[1] = collect(variants[1], n[1], neuron_models[k]->parameters);
        for (int k = 0; plastic_kinds[k]; k++) n[2] = collect(variants[2], n[2], plastic_kinds[k]->parameters);
        for (int k = 0; stimulus_kinds[k]; k++) n[3] = collect(variants[3], n[3], stimulus_kinds[k]->parameters);
        for (int k = 0; target_kinds[k]; k++) n[4] = collect(variants[4], n[4], target_kinds[k]->parameters);
        for (int k = 0; learning_rules[k]; k++) n[5] = collect(variants[5], n[5], learning_rules[k]->parameters);
        const param_section all[SECTIONS] = {
            {"network", "networks", "neurons and static synapses", &network_common, "kind", variants[0], n[0]},
            {"neuron", "neurons", "neuron model", NULL, "model", variants[1], n[1]},
            {"plastic", "plastic", "synapses that learn", &plastic_common, "kind", variants[2], n[2]},
            {"feedforward", "feedforward", "Poisson feed-forward units", &feedforward_common, NULL, NULL, 0},
            {"stimulus", "stimuli", "external input that cues a task", &stimulus_common, "kind", variants[3], n[3], .may = MAY_TEST},
            {"targets", "targets", "what the neurons are to learn", &targets_common, "kind", variants[4], n[4]},
            {"learning", "rules", "how synapses learn", &learning_common, "rule", variants[5], n[5]},
        };
        for (int s = 0; s < SECTIONS; s++) sections[s] = all[s];
        made = 1;
    }
    *count = SECTIONS;
    return sections;
}
