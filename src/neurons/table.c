#include "engram/neurons.h"

extern const neuron_model neuron_lif, neuron_theta;

/* To add a model: write src/neurons/NAME.c after the pattern of lif.c, and a line here. */
const neuron_model *const neuron_models[] = {&neuron_lif, &neuron_theta, NULL};
