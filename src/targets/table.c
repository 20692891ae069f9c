#include "engram/targets.h"

extern const target_kind targets_sinusoid, targets_sines, targets_complex_periodic, targets_chaotic, targets_ou, targets_innate, targets_file,
    targets_surrogate;

/* To add a kind: write src/targets/NAME.c after the pattern of ou.c, and a line here. */
const target_kind *const target_kinds[] = {&targets_sinusoid, &targets_sines, &targets_complex_periodic, &targets_chaotic,
                                           &targets_ou, &targets_innate, &targets_file, &targets_surrogate, NULL};

static const param common_params[] = {
    {"duration", PARAM_NUMBER, UNIT_TIME, "auto", 1e-3, 1e9, NULL, "length of the target window after the stimulus; auto: that of the recorded data, else 1 s",
     offsetof(target_settings, duration)},
    {"quantity", PARAM_CHOICE, UNIT_NONE, "drive", 0, 0, "drive rate", "what the targets describe: synaptic drive or firing rate",
     offsetof(target_settings, quantity)},
    {"rate_form", PARAM_CHOICE, UNIT_NONE, "auto", 0, 0, "auto phi siegert",
     "how rates are learned: weighted by phi' (Kim & Chow 2018), or turned into drives by inverting Siegert's formula (Arthur et al. 2023); auto: as the "
     "neuron model",
     offsetof(target_settings, rate_form)},
    {"distinct", PARAM_NUMBER, UNIT_NONE, "1", 0, 1, NULL,
     "each neuron has a target of its own with this probability; the others share that of neuron 0 (Kim & Chow 2018, Fig. 3c). With a larger value the same "
     "neurons keep theirs and more",
     offsetof(target_settings, distinct)},
};
const param_table targets_common = {"targets", "what the neurons are to learn", common_params, sizeof common_params / sizeof *common_params,
                                    sizeof(target_settings)};
