#include <string.h>

#include "engram/context.h"
#include "engram/memory.h"
#include "engram/synapses.h"

static void store_weights(plastic_synapses *plastic, const double *initial, int64_t count) {
    size_t size = plastic->single ? sizeof(float) : sizeof(double);
    plastic->weight = memory_new(MEMORY_WEIGHTS, (size_t)count, size);
    plastic->initial = memory_new(MEMORY_WEIGHTS, (size_t)count, size);
    for (int64_t s = 0; s < count; s++)
        if (plastic->single)
            ((float *)plastic->weight)[s] = (float)initial[s];
        else
            ((double *)plastic->weight)[s] = initial[s];
    memcpy(plastic->initial, plastic->weight, (size_t)count * size);
}

/** Lists of synapses by source: rows ascend within a source, so a neuron's inputs are always added in the order of their sources. */
static void build_out_lists(plastic_synapses *plastic, int64_t count) {
    plastic->out_start = memory_new(MEMORY_WEIGHTS, (size_t)plastic->sources + 1, sizeof(int64_t));
    plastic->out_neuron = memory_new(MEMORY_WEIGHTS, (size_t)count, sizeof(uint32_t));
    plastic->out_slot = memory_new(MEMORY_WEIGHTS, (size_t)count, sizeof(uint32_t));
    int64_t *next = memory_new(MEMORY_BUFFERS, (size_t)plastic->sources + 1, sizeof(int64_t));
    for (int pass = 0; pass < 2; pass++) {
        for (int g = 0; g < plastic->groups; g++) {
            int sources;
            const int32_t *source = plastic_sources(plastic, g, &sources);
            for (int row = plastic->group_row[g]; row < plastic->group_row[g + 1]; row++)
                for (int a = 0; a < sources; a++) {
                    if (pass == 0) {
                        plastic->out_start[source[a] + 1]++;
                        continue;
                    }
                    int64_t at = next[source[a]]++;
                    plastic->out_neuron[at] = (uint32_t)plastic->row_neuron[row];
                    plastic->out_slot[at] = (uint32_t)(plastic->row_start[row] + a);
                }
        }
        if (pass == 1) break;
        for (int64_t j = 0; j < plastic->sources; j++) plastic->out_start[j + 1] += plastic->out_start[j];
        memcpy(next, plastic->out_start, ((size_t)plastic->sources + 1) * sizeof(int64_t));
    }
    memory_free(next);
}

plastic_synapses *plastic_new(int64_t neurons, int64_t sources, int rows, int32_t *row_neuron, int groups, int32_t *group_row, int64_t *group_start,
                              int32_t *source, double *initial, bool single) {
    plastic_synapses *plastic = memory_new(MEMORY_WEIGHTS, 1, sizeof *plastic);
    *plastic = (plastic_synapses){.sources = sources, .neurons = neurons, .rows = rows, .row_neuron = row_neuron, .groups = groups,
                                  .group_row = group_row, .group_start = group_start, .source = source, .single = single};
    plastic->row_start = memory_new(MEMORY_WEIGHTS, (size_t)rows + 1, sizeof(int64_t));
    for (int g = 0; g < groups; g++)
        for (int row = group_row[g]; row < group_row[g + 1]; row++)
            plastic->row_start[row + 1] = plastic->row_start[row] + group_start[g + 1] - group_start[g];
    int64_t count = plastic->row_start[rows];
    if (count > UINT32_MAX) context_abort("%lld plastic synapses on one rank; at most %u: use more ranks", (long long)count, UINT32_MAX);
    store_weights(plastic, initial, count);
    memory_free(initial);
    build_out_lists(plastic, count);
    return plastic;
}

void plastic_free(plastic_synapses *plastic) {
    if (!plastic) return;
    memory_free(plastic->row_neuron);
    memory_free(plastic->row_start);
    memory_free(plastic->group_row);
    memory_free(plastic->group_start);
    memory_free(plastic->source);
    memory_free(plastic->group_id);
    memory_free(plastic->weight);
    memory_free(plastic->initial);
    memory_free(plastic->out_start);
    memory_free(plastic->out_neuron);
    memory_free(plastic->out_slot);
    memory_free(plastic);
}

void plastic_deliver(const plastic_synapses *plastic, const int32_t *spike, int count, double *input) {
    const uint32_t *restrict neuron = plastic->out_neuron, *restrict slot = plastic->out_slot;
    for (int k = 0; k < count; k++) {
        int64_t begin = plastic->out_start[spike[k]], end = plastic->out_start[spike[k] + 1];
        if (plastic->single) {
            const float *restrict weight = plastic->weight;
            for (int64_t s = begin; s < end; s++) input[neuron[s]] += (double)weight[slot[s]];
        } else {
            const double *restrict weight = plastic->weight;
            for (int64_t s = begin; s < end; s++) input[neuron[s]] += weight[slot[s]];
        }
    }
}
