#include "engram/neurons.h"

#include <math.h>
#include <string.h>
#ifdef __AVX2__
#include <immintrin.h>
#endif

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
    neurons->leak = -expm1(-dt / model->membrane_tau(neurons));
    for (int f = 0; f < model->field_count; f++) neurons->field[f] = memory_new(MEMORY_STATE, mine, sizeof(double));
    const int single = model->single && model->single(parameters);
    for (int f = 0; f < model->field_count && single; f++) neurons->single[f] = memory_new(MEMORY_STATE, mine, sizeof(float));
    neurons->since_spike = memory_new(MEMORY_STATE, mine, sizeof(int32_t));
    neurons->stirred = memory_new(MEMORY_STATE, mine / NEURON_BLOCK + 1, 1);
    neurons_stir(neurons);
    const int noisy = has_noise(neurons);
    if (noisy && single) neurons->noise_single = memory_new(MEMORY_STATE, 4 * mine, sizeof(float));
    if (noisy && !single) neurons->noise = memory_new(MEMORY_STATE, 4 * mine, sizeof(double));
    return neurons;
}

void neurons_free(neurons *neurons) {
    if (!neurons) return;
    for (int f = 0; f < NEURON_FIELDS_MAX; f++) memory_free(neurons->field[f]), memory_free(neurons->single[f]);
    memory_free(neurons->since_spike);
    memory_free(neurons->stirred);
    memory_free(neurons->noise), memory_free(neurons->noise_single);
    memory_free(neurons);
}

void neurons_stir(neurons *neurons) {
    memset(neurons->stirred, 1, (size_t)neurons->part.mine / NEURON_BLOCK + 1);
}

void neurons_reset(neurons *neurons, uint64_t stream) {
    for (int i = 0; i < neurons->part.mine; i++) neurons->since_spike[i] = NEURON_LONG_AGO;
    neurons_stir(neurons);
    neurons->model->reset(neurons, stream);
    for (int f = 0; f < neurons->model->field_count && neurons->single[f]; f++)
        for (int i = 0; i < neurons->part.mine; i++) neurons->single[f][i] = (float)neurons->field[f][i];
}

void neurons_settle(neurons *neurons) {
    for (int f = 0; f < neurons->model->field_count && neurons->single[f]; f++)
        for (int i = 0; i < neurons->part.mine; i++) neurons->field[f][i] = neurons->single[f][i];
}

void neurons_state(neurons *neurons, state_list *list) {
    for (int f = 0; f < neurons->model->field_count; f++)
        state_add(list, "neurons", neurons->model->fields[f].name, neurons->single[f] ? H5_FLOAT32 : H5_FLOAT64, LAYOUT_NEURONS, 0,
                  neurons->single[f] ? (void *)neurons->single[f] : neurons->field[f]);
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

const float *neurons_noise_single(neurons *neurons, uint64_t stream, int64_t step, int first, int end) {
    if (!neurons->noise_single) return NULL;
    const int mine = neurons->part.mine;
    if ((step & 3) == 0)
        random_noise_single(neurons->seed, RANDOM_NOISE, (uint64_t)(neurons->part.first + first), end - first, noise_counter(stream, step), mine,
                            neurons->noise_single + first);
    return neurons->noise_single + (size_t)(step & 3) * (size_t)mine + first;
}

/** The membrane itself has none then. */
static int noise_is_current(const neurons *neurons) {
    return neurons->model->noise_is_current && neurons->model->noise_is_current(neurons);
}

void neurons_step(neurons *neurons, uint64_t stream, int64_t step, int first, int end, const double *input) {
    enum { SOME = 512 };
    if (!neurons_are_single(neurons)) {
        neurons->model->step(neurons, first, end, input, noise_is_current(neurons) ? NULL : neurons_noise(neurons, stream, step, first, end));
        return;
    }
    for (int next; first < end; first = next) {
        float narrow[SOME];
        next = end - first < SOME ? end : first + SOME;
        for (int i = first; i < next; i++) narrow[i - first] = (float)*input++;
        neurons_step_single(neurons, stream, step, first, next, narrow);
    }
}

void neurons_step_single(neurons *neurons, uint64_t stream, int64_t step, int first, int end, const float *input) {
    neurons->model->step_single(neurons, first, end, input, noise_is_current(neurons) ? NULL : neurons_noise_single(neurons, stream, step, first, end));
}

enum { LOOK = 16 }; /* neurons that are looked at together, as rarely one of them has fired */

/** Bit k: has neuron first + k fired, of LOOK neurons? */
static inline uint32_t fired_bits(const neurons *neurons, int first) {
#ifdef __AVX512F__
    const __m512i since = _mm512_loadu_si512(neurons->since_spike + first);
    return _mm512_testn_epi32_mask(since, since);
#elif defined __AVX2__
    uint32_t bits = 0;
    for (int k = 0; k < LOOK; k += 8) {
        const __m256i zero = _mm256_cmpeq_epi32(_mm256_loadu_si256((const void *)(neurons->since_spike + first + k)), _mm256_setzero_si256());
        bits |= (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(zero)) << k;
    }
    return bits;
#else
    uint32_t bits = 0;
    for (int k = 0; k < LOOK; k++) bits |= (uint32_t)neuron_fired(neurons, first + k) << k;
    return bits;
#endif
}

/** Those of neurons first .. end-1, of one block. */
static int list_fired(const neurons *neurons, int first, int end, int32_t *list) {
    int count = 0, i = first;
    for (; i + LOOK <= end; i += LOOK)
        for (uint32_t bits = fired_bits(neurons, i); bits; bits &= bits - 1) list[count++] = i + __builtin_ctz(bits);
    for (; i < end; i++)
        if (neuron_fired(neurons, i)) list[count++] = i;
    return count;
}

int neurons_collect(const neurons *neurons, int first, int end, int32_t *list) {
    int count = 0;
    for (int begin = first, next; begin < end; begin = next) {
        const int block = begin / NEURON_BLOCK;
        next = (block + 1) * NEURON_BLOCK < end ? (block + 1) * NEURON_BLOCK : end;
        if (neurons->stirred[block]) count += list_fired(neurons, begin, next, list + count);
    }
    return count;
}
