/* Parameters. Defaults are those of README.md 6; what is a multiple of the norm is dimensionless. */
#include "balanced.h"

enum { VARIANTS_MAX = 32, SECTIONS = 6 };

static const param network_params[] = {
    {"neurons", PARAM_INTEGER, UNIT_NONE, "100", 1, 1e9, NULL, "N", offsetof(network_settings, neurons)},
    {"dimensions", PARAM_INTEGER, UNIT_NONE, "auto", 1, DIMENSIONS_MAX, NULL, "J of the decoded signal; auto: as the teacher has",
     offsetof(network_settings, dimensions)},
    {"norm", PARAM_NUMBER, UNIT_NONE, "0.1", 1e-9, 1e9, NULL, "length of a neuron's decoding weights F_i, root mean square: what one spike adds to x^",
     offsetof(network_settings, norm)},
    {"fast", PARAM_CHOICE, UNIT_NONE, "ideal", 0, 0, "ideal random uniform",
     "fast weights at the start: ideal, F F' + mu I; else norm^2/2 on the diagonal, and off it fast_spread |N(0, 1)|, or (uniform) fast_spread everywhere",
     offsetof(network_settings, fast)},
    {"fast_spread", PARAM_NUMBER, UNIT_NONE, "0.1", 0, 1e3, NULL, "size of fast weights that are not ideal, in norm^2",
     offsetof(network_settings, fast_spread)},
    {"slow", PARAM_CHOICE, UNIT_NONE, "zero", 0, 0, "zero ideal", "slow weights at the start; ideal: F (A + lambda I) F', for linear teachers",
     offsetof(network_settings, slow)},
};
static const param_table network_table = {"network", "neurons and how they decode", network_params, sizeof network_params / sizeof *network_params,
                                          sizeof(network_settings)};

static const param ring_params[] = {
    {"angle", PARAM_NUMBER, UNIT_NONE, "0", -1e3, 1e3, NULL, "of the first neuron, rad", offsetof(ring_settings, angle)},
};
static const param spread_params[] = {
    {"sweeps", PARAM_INTEGER, UNIT_NONE, "200", 0, 1e6, NULL, "of repulsion, from random directions on", offsetof(spread_settings, sweeps)},
};
static const param file_params[] = {
    {"path", PARAM_PATH, UNIT_NONE, NULL, 0, 0, NULL, "CSV or HDF5 file with F: a row a neuron, a number a dimension; scaled to the norm",
     offsetof(file_settings, path), MAY_TEST},
    {"dataset", PARAM_TEXT, UNIT_NONE, "", 0, 0, NULL, "HDF5: the dataset, when the file has several", offsetof(file_settings, dataset)},
};
static const param_table ring = {"ring", "F_i at equal angles on a circle (2 dimensions)", ring_params, 1, sizeof(ring_settings)};
static const param_table spread = {"spread", "directions F_i that repel each other, up to 4000 neurons", spread_params, 1, sizeof(spread_settings)};
static const param_table alternating = {"alternating", "F_i = norm and -norm in turn (1 dimension)", NULL, 0, 0};
static const param_table directions = {"directions", "random directions, all of one length", NULL, 0, 0};
static const param_table random_rows = {"random", "independent normal entries: lengths differ", NULL, 0, 0};
static const param_table file_rows = {"file", "F from a file", file_params, sizeof file_params / sizeof *file_params, sizeof(file_settings)};
static const param_table *const networks[] = {&ring, &spread, &alternating, &directions, &random_rows, &file_rows};

static const param neuron_params[] = {
    {"leak", PARAM_NUMBER, UNIT_RATE, "10 Hz", 1e-6, 1e6, NULL, "lambda: of the decoder and of filtered spikes, 1/s", offsetof(neuron_settings, leak)},
    {"membrane_leak", PARAM_NUMBER, UNIT_RATE, "auto", 0, 1e6, NULL, "lambda_V; auto: leak", offsetof(neuron_settings, membrane_leak)},
    {"margin", PARAM_NUMBER, UNIT_NONE, "0.25", 0, 100, NULL, "rho: linear cost of a spike in norm^2; threshold (|F_i|^2 + mu + rho norm^2)/2",
     offsetof(neuron_settings, margin)},
    {"quadratic_cost", PARAM_NUMBER, UNIT_NONE, "0", 0, 100, NULL, "mu: cost of squared rates in norm^2; needed where all |F_i.x| are alike (1 dimension)",
     offsetof(neuron_settings, quadratic_cost)},
    {"threshold", PARAM_NUMBER, UNIT_NONE, "auto", 0, 1e3, NULL, "of all neurons, in norm^2; auto: as margin says", offsetof(neuron_settings, threshold)},
    {"noise", PARAM_NUMBER, UNIT_NONE, "0", 0, 100, NULL, "standard deviation that white noise alone gives V, in thresholds", offsetof(neuron_settings, noise),
     MAY_TEST},
    {"delay", PARAM_INTEGER, UNIT_NONE, "0", 0, 1000, NULL, "steps until a spike acts on the network and on x^; 0: in its own step",
     offsetof(neuron_settings, delay), MAY_TEST},
    {"initial", PARAM_CHOICE, UNIT_NONE, "zero", 0, 0, "zero state", "V at the start: 0, or F x, as if the teacher's state had just come in",
     offsetof(neuron_settings, initial)},
    {"basis", PARAM_CHOICE, UNIT_NONE, "none", 0, 0, "none tanh gaussian", "dendritic nonlinearities of x^ that slow weights multiply; none: filtered spikes",
     offsetof(neuron_settings, basis)},
    {"basis_units", PARAM_INTEGER, UNIT_NONE, "200", 1, 1e6, NULL, "P", offsetof(neuron_settings, basis_units)},
    {"basis_gain", PARAM_NUMBER, UNIT_NONE, "4", 1e-6, 1e6, NULL, "g: steepness of tanh, per half width of the box", offsetof(neuron_settings, basis_gain)},
    {"basis_width", PARAM_NUMBER, UNIT_NONE, "0.4", 1e-6, 1e6, NULL, "standard deviation of Gaussians, in units of x", offsetof(neuron_settings, basis_width)},
    {"basis_layout", PARAM_CHOICE, UNIT_NONE, "random", 0, 0, "random lattice", "directions and centres: drawn, or evenly by the golden ratio (2 dimensions)",
     offsetof(neuron_settings, basis_layout)},
};
static const param_table neuron_table = {"neuron", "membranes, costs, dendrites", neuron_params, sizeof neuron_params / sizeof *neuron_params,
                                         sizeof(neuron_settings)};

static const param learning_params[] = {
    {"loops", PARAM_INTEGER, UNIT_NONE, "40", 0, 1e9, NULL, "training loops of simulation.loop_duration", offsetof(learning_settings, loops), MAY_RESUME},
};
static const param_table learning_table = {"learning", "how synapses learn", learning_params, 1, sizeof(learning_settings)};

static const param balanced_params[] = {
    {"stages", PARAM_NUMBERS, UNIT_NONE, "[]", 1, 1e9, NULL, "loops of each stage; rates and feedback may have a value for each; the last one goes on",
     offsetof(balanced_settings, stages)},
    {"fast_rate", PARAM_NUMBERS, UNIT_NONE, "0", 0, 1, NULL, "epsilon: part of the way that a fast weight goes at a spike; 0: fast weights stay",
     offsetof(balanced_settings, fast_rate)},
    {"fast_gain", PARAM_NUMBER, UNIT_NONE, "auto", 0, 100, NULL, "beta; auto: 2/(1 + margin), which makes F F' the fixed point",
     offsetof(balanced_settings, fast_gain)},
    {"feedforward_rate", PARAM_NUMBERS, UNIT_NONE, "0", 0, 1, NULL, "epsilon_F: F_k moves towards the input at spikes of k; 0: F stays",
     offsetof(balanced_settings, feedforward_rate)},
    {"feedforward_gain", PARAM_NUMBER, UNIT_NONE, "1", 0, 1e6, NULL, "alpha: of the leaky integral of the command that F_k moves to",
     offsetof(balanced_settings, feedforward_gain)},
    {"slow", PARAM_CHOICE, UNIT_NONE, "auto", 0, 0, "auto none filtered projected basis",
     "presynaptic factor: r (filtered), F x^ (projected), psi(x^) (basis); auto: basis if there is one, else filtered up to 100 neurons, projected above",
     offsetof(balanced_settings, slow)},
    {"slow_rate", PARAM_NUMBERS, UNIT_NONE, "[]", 0, 1e9, NULL,
     "eta; []: 0.3 K^2/(4 p), p being what |presynaptic factor|^2 is to be on average (README.md 6.3); 0: slow weights stay",
     offsetof(balanced_settings, slow_rate)},
    {"feedback", PARAM_NUMBERS, UNIT_RATE, "100 Hz", 0, 1e6, NULL, "K: of the error into the network while it learns", offsetof(balanced_settings, feedback)},
    {"feedback_steps", PARAM_INTEGER, UNIT_NONE, "1", 1, 1e6, NULL, "feedback goes down in so many equal steps over the run; 1: stays",
     offsetof(balanced_settings, feedback_steps)},
    {"anneal", PARAM_NUMBER, UNIT_TIME, "0 s", 0, 1e12, NULL, "slow_rate is divided by 1 + t/anneal, t the model time of training; 0: it stays",
     offsetof(balanced_settings, anneal)},
    {"anneal_form", PARAM_CHOICE, UNIT_NONE, "hyperbolic", 0, 0, "hyperbolic exponential", "exponential: multiplied by exp(-t/anneal)",
     offsetof(balanced_settings, anneal_form)},
    {"settle", PARAM_NUMBER, UNIT_TIME, "0 ms", 0, 1e9, NULL, "at the start of a loop, without learning", offsetof(balanced_settings, settle)},
    {"stepping", PARAM_CHOICE, UNIT_NONE, "closed", 0, 0, "closed literal", "literal: every step and synapse as the equations are written, to compare with",
     offsetof(balanced_settings, stepping)},
    {"speculation", PARAM_NUMBER, UNIT_NONE, "auto", 0, 1e3, NULL,
     "steps that ranks go before they agree, in mean intervals between spikes: speed only; auto: 1.2 on one rank, else 2",
     offsetof(balanced_settings, speculation),
     MAY_RESUME | MAY_TEST},
};
static const param_table balanced_table = {"balanced", "tight balance and dynamics by local rules (Bourdoukan & Deneve 2015; Alemi et al. 2018)",
                                           balanced_params, sizeof balanced_params / sizeof *balanced_params, sizeof(balanced_settings)};
static const param_table *const rules[] = {&balanced_table};

static const param protocol_params[] = {
    {"duration", PARAM_NUMBER, UNIT_TIME, "auto", 1e-3, 1e9, NULL, "of a trial, scored; auto: a loop", offsetof(protocol_settings, duration), MAY_TEST},
    {"settle", PARAM_NUMBER, UNIT_TIME, "0 ms", 0, 1e9, NULL, "before it, with the feedback of training, not scored",
     offsetof(protocol_settings, settle), MAY_TEST},
    {"feedback", PARAM_NUMBER, UNIT_RATE, "0 Hz", 0, 1e6, NULL, "K while it is scored", offsetof(protocol_settings, feedback), MAY_TEST},
    {"balance", PARAM_CHOICE, UNIT_NONE, "auto", 0, 0, "auto on off", "measure every neuron's excitation and inhibition; auto: up to 400 neurons",
     offsetof(protocol_settings, balance), MAY_TEST},
    {"constant", PARAM_CHOICE, UNIT_NONE, "auto", 0, 0, "auto on off",
     "measure CV of intervals under 8 constant commands, for linear teachers; auto: up to 400 neurons, in tests of at least the 88 s that they take",
     offsetof(protocol_settings, constant), MAY_TEST},
    {"tuning", PARAM_CHOICE, UNIT_NONE, "auto", 0, 0, "auto on off",
     "measure tuning to pulses in 16 directions of the last two dimensions; auto: of targets.kind arm, up to 400 neurons, in tests of 19.2 s",
     offsetof(protocol_settings, tuning), MAY_TEST},
};
static const param_table protocol_table = {"protocol", "how a trial with frozen weights goes", protocol_params,
                                           sizeof protocol_params / sizeof *protocol_params, sizeof(protocol_settings)};

const param_section *balanced_sections(int *count) {
    static const param_table *commands[VARIANTS_MAX], *teachers[VARIANTS_MAX];
    static param_section sections[SECTIONS];
    static int made;
    if (!made) {
        int c = 0, t = 0;
        for (; command_kinds[c] && c < VARIANTS_MAX; c++) commands[c] = command_kinds[c]->parameters;
        for (; teacher_kinds[t] && t < VARIANTS_MAX; t++) teachers[t] = teacher_kinds[t]->parameters;
        const param_section all[SECTIONS] = {
            {"network", "networks", "neurons and how they decode", &network_table, "kind", networks, sizeof networks / sizeof *networks},
            {"neuron", "neuron", "membranes, costs, dendrites", &neuron_table, NULL, NULL, 0},
            {"stimulus", "stimuli", "the command", &command_common, "kind", commands, c, .may = MAY_TEST},
            {"targets", "targets", "the teacher", &teacher_common, "kind", teachers, t},
            {"learning", "rules", "how synapses learn", &learning_table, "rule", rules, sizeof rules / sizeof *rules},
            {"protocol", "protocol", "how a trial with frozen weights goes", &protocol_table, NULL, NULL, 0},
        };
        for (int s = 0; s < SECTIONS; s++) sections[s] = all[s];
        made = 1;
    }
    *count = SECTIONS;
    return sections;
}
