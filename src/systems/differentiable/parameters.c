/* Parameters: sizes, where they are, their first values (README.md 4.3), and what passes read. */
#include <string.h>

#include "engram/memory.h"
#include "engram/random.h"
#include "engram/run_settings.h"
#include "differentiable.h"

static int in_groups(int count, int group) {
    return (count + group - 1) / group * group;
}

static model model_of(config *config) {
    const neuron_settings *neuron = config_common(config, "neuron");
    model m = {.kind = (model_kind)config_variant_index(config, "neuron"), .gate = (gate_kind)neuron->gate, .width = neuron->zone, .tau = 1};
    if (m.kind == MODEL_LIF) {
        const lif_settings *lif = config_variant(config, "neuron");
        m.tau = lif->tau_v, m.exact_reset = lif->reset == RESET_EXACT;
    }
    if (m.kind == MODEL_THETA) m.tau = ((const theta_settings *)config_variant(config, "neuron"))->tau_v;
    return m;
}

shape differentiable_shape(config *config, const task_shape *task) {
    const simulation_settings *simulation = config_common(config, "simulation");
    const network_settings *network = config_common(config, "network");
    const neuron_settings *neuron = config_common(config, "neuron");
    const learning_settings *learning = config_common(config, "learning");
    const int padded = in_groups((int)network->neurons, ROWS);
    const bool slow = network->slow == SYNAPSES_ALL, fast = network->fast == SYNAPSES_ALL;
    const int inputs_at = fast ? 2 * padded : padded;
    return (shape){.model = model_of(config), .inputs = task->inputs, .neurons = (int)network->neurons, .outputs = task->outputs, .steps = task->steps,
                   .slow = slow, .fast = fast, .padded = padded, .first = slow ? 0 : padded, .inputs_at = inputs_at,
                   .columns = in_groups(inputs_at + task->inputs + 1, CELLS), .rows = padded + in_groups(task->outputs, CELLS), .dt = simulation->dt,
                   .tau = neuron->tau, .tau_fast = neuron->tau_fast, .lambda = learning->activity_cost,
                   .limit = learning->limit > 0 ? learning->limit : INFINITY};
}

static int64_t part_size(const shape *shape, int part) {
    const int64_t N = shape->neurons, sizes[PARTS] = {shape->slow ? N * N : 0, shape->fast ? N * N : 0, N * shape->inputs, N, shape->outputs * N};
    return sizes[part];
}

static float *floats(memory_category category, int rows, int columns) {
    return memory_new(category, (size_t)rows * (size_t)columns, sizeof(float));
}

void differentiable_parameters_new(differentiable *net, bool learns) {
    const shape *shape = &net->shape;
    for (int part = 0; part < PARTS; part++) net->first[part + 1] = net->first[part] + part_size(shape, part);
    net->parameters = net->first[PARTS];
    net->weight = memory_new(MEMORY_WEIGHTS, (size_t)net->parameters, sizeof(float));
    net->start = memory_new(MEMORY_WEIGHTS, (size_t)shape->neurons, sizeof(float));
    net->matrices = (matrices){.currents = floats(MEMORY_WEIGHTS, shape->padded, shape->columns - shape->first),
                               .readout = floats(MEMORY_WEIGHTS, shape->outputs, shape->padded)};
    if (!learns) return;
    net->matrices.back = floats(MEMORY_WEIGHTS, shape->padded, shape->rows);
    if (shape->fast) net->matrices.back_fast = floats(MEMORY_WEIGHTS, shape->padded, shape->padded);
}

void differentiable_parameters_clear(differentiable *net) {
    float *arrays[] = {net->weight, net->start, net->matrices.currents, net->matrices.back, net->matrices.back_fast, net->matrices.readout};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) memory_free(arrays[k]);
}

/* ---- what passes read ---- */

/** Place of a weight in a packed matrix of so many columns. */
static size_t packed(int row, int column, int columns) {
    return ((size_t)(row / ROWS) * (size_t)columns + (size_t)column) * ROWS + (size_t)(row % ROWS);
}

static bool is_silent(const differentiable *net, int neuron) {
    return net->silent && net->silent[neuron];
}

/** W or Wf into the columns from `column` on, and back. @param back [padded][width], NULL: not learned */
static void spread_synapses(differentiable *net, int part, int column, float *back, int width) {
    const shape *shape = &net->shape;
    const int N = shape->neurons, columns = shape->columns - shape->first;
    const bool without = part == PART_SLOW ? net->without_slow : net->without_fast;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            const bool none = without || i == j || is_silent(net, i) || is_silent(net, j);
            const float w = none ? 0 : net->weight[net->first[part] + (int64_t)i * N + j];
            net->matrices.currents[packed(i, column + j, columns)] = w;
            if (back) back[packed(j, i, width)] = w;
        }
}

void differentiable_spread(differentiable *net) {
    const shape *shape = &net->shape;
    const int N = shape->neurons, columns = shape->columns - shape->first, at = shape->inputs_at - shape->first;
    const int skipped = shape->slow ? 0 : shape->padded, width = shape->rows - skipped;
    if (shape->slow) spread_synapses(net, PART_SLOW, 0, net->matrices.back, width);
    if (shape->fast) spread_synapses(net, PART_FAST, shape->padded - shape->first, net->matrices.back_fast, shape->padded);
    for (int i = 0; i < N; i++) {
        for (int c = 0; c < shape->inputs; c++)
            net->matrices.currents[packed(i, at + c, columns)] = is_silent(net, i) ? 0 : net->weight[net->first[PART_INPUT] + (int64_t)i * shape->inputs + c];
        net->matrices.currents[packed(i, at + shape->inputs, columns)] = is_silent(net, i) ? 0 : net->weight[net->first[PART_CURRENT] + i];
        for (int r = 0; r < shape->outputs; r++) {
            const float w = is_silent(net, i) ? 0 : net->weight[net->first[PART_READOUT] + (int64_t)r * N + i];
            net->matrices.readout[r * shape->padded + i] = w;
            if (net->matrices.back) net->matrices.back[packed(i, shape->padded - skipped + r, width)] = w;
        }
    }
}

void differentiable_collect(const differentiable *net, float *gradient) {
    const shape *shape = &net->shape;
    const int N = shape->neurons;
    const float *from = net->scratch.gradient;
    const int column[] = {0, shape->padded, shape->inputs_at, shape->inputs_at + shape->inputs}, count[] = {N, N, shape->inputs, 1};
    const bool there[] = {shape->slow, shape->fast, true, true};
    for (int part = PART_SLOW; part <= PART_CURRENT; part++)
        for (int i = 0; i < N && there[part]; i++)
            for (int c = 0; c < count[part]; c++)
                *gradient++ = part <= PART_FAST && i == c ? 0 : from[(size_t)i * (size_t)shape->columns + (size_t)(column[part] + c)];
    for (int r = 0; r < shape->outputs; r++)
        for (int j = 0; j < N; j++) *gradient++ = from[(size_t)(shape->padded + r) * (size_t)shape->columns + (size_t)j];
}

/* ---- first values ---- */

static double normal(const differentiable *net, int part, int64_t k) {
    return random_normal(net->seed, RANDOM_DIFFERENTIABLE_WEIGHT, (uint64_t)part, (uint64_t)k);
}

void differentiable_initial(differentiable *net) {
    const network_settings *network = net->network;
    const int N = net->shape.neurons;
    const double between = 1 / sqrt(N), spread[PARTS] = {network->slow_weight * between, network->fast_weight * between, network->input_weight,
                                                         network->current_spread, network->readout_weight};
    for (int part = 0; part < PARTS; part++)
        for (int64_t k = 0; k < net->first[part + 1] - net->first[part]; k++) {
            const bool itself = part <= PART_FAST && k / N == k % N;
            net->weight[net->first[part] + k] = itself ? 0 : (float)(spread[part] * normal(net, part, k) + (part == PART_CURRENT ? network->current : 0));
        }
    const double low = network->start_range.values[0], high = network->start_range.values[1];
    for (int i = 0; i < N; i++) net->start[i] = (float)(low + (high - low) * random_uniform(net->seed, RANDOM_DIFFERENTIABLE_START, (uint64_t)i, 0));
}
