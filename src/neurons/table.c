#include "engram/neurons.h"

extern const neuron_model neuron_lif, neuron_theta, neuron_qif, neuron_lif_mv, neuron_izhikevich, neuron_glif1, neuron_glif2, neuron_glif3, neuron_glif4,
    neuron_glif5, neuron_iaf_psc_exp;

/* To add a model: write src/neurons/NAME.c as src/README.md says, and a line here. */
const neuron_model *const neuron_models[] = {
    &neuron_lif,   &neuron_theta, &neuron_qif,   &neuron_lif_mv, &neuron_izhikevich, &neuron_glif1, &neuron_glif2,
    &neuron_glif3, &neuron_glif4, &neuron_glif5, &neuron_iaf_psc_exp, NULL,
};
