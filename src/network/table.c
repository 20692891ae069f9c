#include "engram/network.h"

extern const network_kind network_balanced_ei, network_random, network_none, network_sonata, network_populations;
extern const plastic_kind plastic_separate, plastic_existing, plastic_all_to_all, plastic_sonata, plastic_none;

/* To add a kind: write src/network/NAME.c after the pattern of none.c (or plastic_all_to_all.c), and a line here. */
const network_kind *const network_kinds[] = {&network_balanced_ei, &network_random, &network_none, &network_sonata, &network_populations, NULL};
const plastic_kind *const plastic_kinds[] = {&plastic_separate, &plastic_existing, &plastic_all_to_all, &plastic_sonata, &plastic_none, NULL};

static const param network_params[] = {
    {"neurons", PARAM_INTEGER, UNIT_NONE, "auto", 1, 1 << 30, NULL,
     "neurons N of the network; gids 0 .. N-1, excitatory ones first (kind sonata: as the file has them; kind populations: one after the "
     "other); auto: 4096, or what file or populations have",
     offsetof(network_settings, neurons)},
    {"excitatory_fraction", PARAM_NUMBER, UNIT_NONE, "0.5", 0, 1, NULL,
     "fraction of excitatory neurons, floor(N f) of them; kinds sonata and populations say it themselves", offsetof(network_settings, excitatory_fraction)},
    {"tau_excitatory", PARAM_NUMBER, UNIT_TIME, "3 ms", 1e-3, 1e6, NULL, "time constant of static excitatory input",
     offsetof(network_settings, tau_excitatory)},
    {"tau_inhibitory", PARAM_NUMBER, UNIT_TIME, "3 ms", 1e-3, 1e6, NULL, "time constant of static inhibitory input",
     offsetof(network_settings, tau_inhibitory)},
};
const param_table network_common = {"network", "neurons and static synapses", network_params, sizeof network_params / sizeof *network_params,
                                    sizeof(network_settings)};

static const param plastic_params[] = {
    {"tau", PARAM_NUMBER, UNIT_TIME, "150 ms", 1e-3, 1e6, NULL, "time constant of plastic synapses and of the filtered spikes r",
     offsetof(plastic_settings, tau)},
    {"tau_range", PARAM_NUMBERS, UNIT_TIME, "[]", 1e-3, 1e6, NULL,
     "[low, high]: per-neuron time constants drawn uniformly, instead of tau: r_j uses that of its source, the drive that of its target; feed-forward units "
     "keep tau",
     offsetof(plastic_settings, tau_range)},
    {"drive", PARAM_CHOICE, UNIT_NONE, "auto", 0, 0, "auto spike_time readout",
     "spike_time: filters the weights at spike time (Arthur et al. 2023); readout: u = W r with current weights (Kim & Chow 2018); auto: as the neuron model",
     offsetof(plastic_settings, drive)},
    {"time_unit", PARAM_NUMBER, UNIT_TIME, "auto", 1e-6, 1e6, NULL,
     "filtered spikes, static and plastic, have area 1 in this unit; auto: 1 ms (lif, glif), membrane_tau (theta, qif, lif_mv), 10 ms (izhikevich); "
     "iaf_psc_exp: they begin with 1, so that weights are currents in pA",
     offsetof(plastic_settings, time_unit)},
    {"trained", PARAM_TEXTS, UNIT_NONE, "[all]", 0, 0, NULL,
     "neurons that learn: all, the excitatory ones (excitatory), or those that a recorded unit is paired with (targets); or those of populations by their "
     "names, [L5E, L5I], with which alone recorded units are then paired", offsetof(plastic_settings, trained)},
};
const param_table plastic_common = {"plastic", "synapses that learn", plastic_params, sizeof plastic_params / sizeof *plastic_params, sizeof(plastic_settings)};
