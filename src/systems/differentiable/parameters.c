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

void differentiable_complete(shape *shape) {
    shape->padded = in_groups(shape->neurons, SPARSE_GROUP);
    shape->readouts_at = shape->slow ? shape->padded : 0;
    shape->slow_posts = shape->readouts_at + in_groups(shape->outputs, SPARSE_GROUP), shape->fast_posts = shape->fast ? shape->padded : 0;
    shape->shown = in_groups(shape->inputs + 1, CELLS);
}

shape differentiable_shape(config *config, const task_shape *task) {
    const simulation_settings *simulation = config_common(config, "simulation");
    const network_settings *network = config_common(config, "network");
    const neuron_settings *neuron = config_common(config, "neuron");
    const learning_settings *learning = config_common(config, "learning");
    shape shape = {.model = model_of(config), .inputs = task->inputs, .neurons = (int)network->neurons, .outputs = task->outputs, .steps = task->steps,
                   .slow = network->slow == SYNAPSES_ALL, .fast = network->fast == SYNAPSES_ALL, .dt = simulation->dt, .tau = neuron->tau,
                   .tau_fast = neuron->tau_fast, .lambda = learning->activity_cost, .limit = learning->limit > 0 ? learning->limit : INFINITY};
    differentiable_complete(&shape);
    return shape;
}

static int64_t part_size(const shape *shape, int part) {
    const int64_t N = shape->neurons, sizes[PARTS] = {shape->slow ? N * N : 0, shape->fast ? N * N : 0, N * shape->inputs, N, shape->outputs * N};
    return sizes[part];
}

static float *floats(memory_category category, int rows, int columns) {
    return memory_new(category, (size_t)rows * (size_t)columns, sizeof(float));
}

static float *new_matrix(const shape *shape, int posts) {
    return memory_new(MEMORY_WEIGHTS, sparse_floats(shape->neurons, posts), sizeof(float));
}

void differentiable_parameters_new(differentiable *net) {
    const shape *shape = &net->shape;
    for (int part = 0; part < PARTS; part++) net->first[part + 1] = net->first[part] + part_size(shape, part);
    net->parameters = net->first[PARTS];
    net->weight = memory_new(MEMORY_WEIGHTS, (size_t)net->parameters, sizeof(float));
    net->start = memory_new(MEMORY_WEIGHTS, (size_t)shape->neurons, sizeof(float));
    net->matrices = (matrices){.slow = new_matrix(shape, shape->slow_posts), .shown = floats(MEMORY_WEIGHTS, shape->padded, shape->shown)};
    if (shape->fast) net->matrices.fast = new_matrix(shape, shape->fast_posts);
}

void differentiable_parameters_clear(differentiable *net) {
    float *arrays[] = {net->weight, net->start, net->matrices.slow, net->matrices.fast, net->matrices.shown};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) memory_free(arrays[k]);
}

/* ---- what passes read ---- */

static bool is_silent(const differentiable *net, int neuron) {
    return net->silent && net->silent[neuron];
}

/** Rows and columns of a square that is turned at a time: so few that they stay in the first cache. */
enum { SQUARE = 16 };
#define EACH_SQUARE(i, j, N) for (int i = 0; i < (N); i += SQUARE) for (int j = 0; j < (N); j += SQUARE)

static int end_of_square(int from, int N) {
    return from + SQUARE < N ? from + SQUARE : N;
}

/** W or Wf, [post][pre], as sparse.h has it. */
static void spread_synapses(const differentiable *net, int part, float *matrix) {
    const int N = net->shape.neurons;
    const bool without = part == PART_SLOW ? net->without_slow : net->without_fast;
    EACH_SQUARE(i0, j0, N)
        for (int j = j0; j < end_of_square(j0, N); j++)
            for (int i = i0; i < end_of_square(i0, N); i++) {
                const bool none = without || i == j || is_silent(net, i) || is_silent(net, j);
                matrix[sparse_at(N, j, i)] = none ? 0 : net->weight[net->first[part] + (int64_t)i * N + j];
            }
}

void differentiable_spread(differentiable *net) {
    const shape *shape = &net->shape;
    const int N = shape->neurons, inputs = shape->inputs;
    if (shape->slow) spread_synapses(net, PART_SLOW, net->matrices.slow);
    if (shape->fast) spread_synapses(net, PART_FAST, net->matrices.fast);
    for (int i = 0; i < N; i++) {
        float *shown = net->matrices.shown + (size_t)(i / ROWS * shape->shown) * ROWS + i % ROWS;
        for (int c = 0; c < inputs; c++) shown[c * ROWS] = is_silent(net, i) ? 0 : net->weight[net->first[PART_INPUT] + (int64_t)i * inputs + c];
        shown[inputs * ROWS] = is_silent(net, i) ? 0 : net->weight[net->first[PART_CURRENT] + i];
        for (int r = 0; r < shape->outputs; r++)
            net->matrices.slow[sparse_at(N, i, shape->readouts_at + r)] = is_silent(net, i) ? 0 : net->weight[net->first[PART_READOUT] + (int64_t)r * N + i];
    }
}

/** dW or dWf. @param matrix as sparse.h has it */
static void collect_synapses(const differentiable *net, const float *matrix, float *gradient) {
    const int N = net->shape.neurons;
    EACH_SQUARE(i0, j0, N)
        for (int i = i0; i < end_of_square(i0, N); i++)
            for (int j = j0; j < end_of_square(j0, N); j++) gradient[(size_t)i * (size_t)N + (size_t)j] = i == j ? 0 : matrix[sparse_at(N, j, i)];
}

void differentiable_collect(const differentiable *net, float *gradient) {
    const shape *shape = &net->shape;
    const int N = shape->neurons, inputs = shape->inputs;
    const scratch *from = &net->scratch;
    if (shape->slow) collect_synapses(net, from->gradient.slow, gradient + net->first[PART_SLOW]);
    if (shape->fast) collect_synapses(net, from->gradient.fast, gradient + net->first[PART_FAST]);
    for (int i = 0; i < N; i++) {
        const float *shown = from->shown_gradient + (size_t)i * (size_t)shape->shown;
        memcpy(gradient + net->first[PART_INPUT] + (int64_t)i * inputs, shown, (size_t)inputs * sizeof *shown);
        gradient[net->first[PART_CURRENT] + i] = shown[inputs];
        for (int r = 0; r < shape->outputs; r++)
            gradient[net->first[PART_READOUT] + (int64_t)r * N + i] = from->gradient.slow[sparse_at(N, i, shape->readouts_at + r)];
    }
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
