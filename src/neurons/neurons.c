#include "engram/neurons.h"

#include "engram/memory.h"
#include "engram/random.h"

static int has_noise(const neurons *neurons) {
    if (!neurons->model->noise_sd || neurons->part.mine == 0) return 0;
    for (int i = 0; i < neurons->part.mine; i++)
        if (neurons->model->noise_sd(neurons, neurons->part.first + i) > 0) return 1;
    return 0;
}

neurons *neurons_new(const neuron_model *model, void *parameters, partition part, cells cells, double dt, uint64_t seed) {
    neurons *neurons = memory_new(MEMORY_STATE, 1, sizeof *neurons);
    size_t mine = (size_t)part.mine;
    neurons->model = model;
    neurons->part = part;
    neurons->cells = cells;
    neurons->dt = dt;
    neurons->seed = seed;
    neurons->parameters = parameters;
    for (int f = 0; f < model->field_count; f++) neurons->field[f] = memory_new(MEMORY_STATE, mine, sizeof(double));
    neurons->since_spike = memory_new(MEMORY_STATE, mine, sizeof(int32_t));
    if (has_noise(neurons)) neurons->noise = memory_new(MEMORY_STATE, 4 * mine, sizeof(double));
    return neurons;
}

void neurons_free(neurons *neurons) {
    if (!neurons) return;
    for (int f = 0; f < NEURON_FIELDS_MAX; f++) memory_free(neurons->field[f]);
    memory_free(neurons->since_spike);
    memory_free(neurons->noise);
    memory_free(neurons);
}

void neurons_reset(neurons *neurons, uint64_t stream) {
    for (int i = 0; i < neurons->part.mine; i++) neurons->since_spike[i] = NEURON_LONG_AGO;
    neurons->model->reset(neurons, stream);
}

void neurons_state(neurons *neurons, state_list *list) {
    for (int f = 0; f < neurons->model->field_count; f++)
        state_add(list, "neurons", neurons->model->fields[f].name, H5_FLOAT64, LAYOUT_NEURONS, 0, neurons->field[f]);
    state_add(list, "neurons", "since_spike", H5_INT32, LAYOUT_NEURONS, 0, neurons->since_spike);
}

const double *neurons_noise(neurons *neurons, uint64_t stream, int64_t step, int first, int end) {
    if (!neurons->noise) return NULL;
    int mine = neurons->part.mine;
    if ((step & 3) == 0)
        random_noise(neurons->seed, RANDOM_NOISE, (uint64_t)(neurons->part.first + first), end - first, noise_counter(stream, step), mine,
                     neurons->noise + first);
    return neurons->noise + (size_t)(step & 3) * (size_t)mine + first;
}

void neurons_step(neurons *neurons, uint64_t stream, int64_t step, int first, int end, const double *input) {
    int current = neurons->model->noise_is_current && neurons->model->noise_is_current(neurons);
    neurons->model->step(neurons, first, end, input, current ? NULL : neurons_noise(neurons, stream, step, first, end));
}

static int list_fired(const neurons *neurons, int first, int end, int32_t *list) {
    int count = 0;
    for (int i = first; i < end; i++)
        if (neuron_fired(neurons, i)) list[count++] = i;
    return count;
}

int neurons_collect(const neurons *neurons, int first, int end, int32_t *list) {
    enum { LOOK = 128 }; /* of which rarely one has fired */
    int count = 0, begin = first;
    for (; begin + LOOK <= end; begin += LOOK) {
        int any = 0;
        for (int i = begin; i < begin + LOOK; i++) any |= neuron_fired(neurons, i);
        if (any) count += list_fired(neurons, begin, begin + LOOK, list + count);
    }
    return count + list_fired(neurons, begin, end, list + count);
}
