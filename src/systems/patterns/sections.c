/* Sections of the parameter file that this system brings, from the tables of its parts. */
#include "simulation.h"

enum { VARIANTS_MAX = 32, SECTIONS = 10 };

/* What this system adds to sections of every run. */
static const param simulation_added[] = {
    {"exchange", PARAM_CHOICE, UNIT_NONE, "nodes", 0, 0, "flat nodes",
     "how spikes go between ranks: nodes: through memory that the ranks of a node share, and between nodes by one rank of each; flat: from every rank to every "
     "other by MPI. The same bits",
     offsetof(added_simulation, exchange), MAY_RESUME | MAY_TEST},
    {"exchange_every", PARAM_CHOICE, UNIT_NONE, "delay", 0, 0, "delay step",
     "when spikes go between ranks: once in as many steps as the least delay of all synapses has (at most 16), or every step. The same bits",
     offsetof(added_simulation, exchange_every), MAY_RESUME | MAY_TEST},
};
static const param guards_added[] = {
    {"min_window_rate", PARAM_NUMBER, UNIT_RATE, "0.1 Hz", 0, 1e6, NULL,
     "inside the target window a lower mean rate, of all neurons and feed-forward units or of the trained neurons, counts as silence; 0: none does",
     offsetof(window_guards, min_window_rate), MAY_RESUME},
    {"silent_window", PARAM_CHOICE, UNIT_NONE, "warn", 0, 0, "warn stop",
     "what silence inside the target window does: a warning in the first loop and after the last; or the run ends (exit code 4)",
     offsetof(window_guards, silent_window), MAY_RESUME},
};
static const param output_added[] = {
    {"stimulus", PARAM_FLAG, UNIT_NONE, "false", 0, 0, NULL, "write the stimulus of every task and neuron beside its targets",
     offsetof(added_output, stimulus), MAY_RESUME | MAY_TEST},
    {"correlation_window", PARAM_NUMBER, UNIT_TIME, "50 ms", 0, 1e9, NULL,
     "the drive is averaged over this time to either side before it is correlated with the target; 0: not at all",
     offsetof(added_output, correlation_window), MAY_RESUME | MAY_TEST},
    {"weight_change", PARAM_FLAG, UNIT_NONE, "false", 0, 0, NULL,
     "after every loop, by how much training has moved the plastic weights: Frobenius norm of W - W(0), in metrics.csv",
     offsetof(added_output, weight_change), MAY_RESUME | MAY_TEST},
};
static const param_table simulation_table = {"simulation", "how ranks exchange spikes", simulation_added, sizeof simulation_added / sizeof *simulation_added,
                                             sizeof(added_simulation)};
static const param_table guards_table = {"guards", "silence in the target window", guards_added, sizeof guards_added / sizeof *guards_added,
                                         sizeof(window_guards)};
static const param_table output_table = {"output", "what is measured", output_added, sizeof output_added / sizeof *output_added, sizeof(added_output)};

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
            {"simulation", "simulation", "how ranks exchange spikes", &simulation_table},
            {"guards", "guards", "silence in the target window", &guards_table},
            {"output", "output", "what is measured", &output_table},
        };
        for (int s = 0; s < SECTIONS; s++) sections[s] = all[s];
        made = 1;
    }
    *count = SECTIONS;
    return sections;
}
