#include <string.h>

#include "engram/memory.h"
#include "engram/synapses.h"

void synapse_rows_free(synapse_rows *rows) {
    memory_free(rows->start);
    memory_free(rows->source);
    memory_free(rows->weight);
    memset(rows, 0, sizeof *rows);
}

static_synapses *static_from_rows(const synapse_rows *rows, int64_t sources, int64_t excitatory) {
    static_synapses *synapses = memory_new(MEMORY_STATIC, 1, sizeof *synapses);
    int64_t count = rows->start[rows->targets];
    synapses->sources = sources;
    synapses->excitatory = excitatory;
    synapses->start = memory_new(MEMORY_STATIC, (size_t)sources + 1, sizeof(int64_t));
    synapses->target = memory_new(MEMORY_STATIC, (size_t)count, sizeof(uint32_t));
    synapses->weight = memory_new(MEMORY_STATIC, (size_t)count, sizeof(double));
    for (int64_t s = 0; s < count; s++) synapses->start[rows->source[s] + 1]++;
    for (int64_t j = 0; j < sources; j++) synapses->start[j + 1] += synapses->start[j];
    int64_t *next = memory_new(MEMORY_BUFFERS, (size_t)sources + 1, sizeof(int64_t));
    memcpy(next, synapses->start, ((size_t)sources + 1) * sizeof(int64_t));
    for (int i = 0; i < rows->targets; i++) {
        int64_t degree = rows->start[i + 1] - rows->start[i];
        if (degree > synapses->largest_in_degree) synapses->largest_in_degree = degree;
        for (int64_t s = rows->start[i]; s < rows->start[i + 1]; s++) {
            int64_t at = next[rows->source[s]]++;
            synapses->target[at] = (uint32_t)i;
            synapses->weight[at] = rows->weight[s];
        }
    }
    memory_free(next);
    return synapses;
}

synapse_rows static_to_rows(const static_synapses *synapses, int targets, int64_t first_gid) {
    int64_t count = synapses->start[synapses->sources];
    synapse_rows rows = {.targets = targets,
                         .start = memory_new(MEMORY_BUFFERS, (size_t)targets + 1, sizeof(int64_t)),
                         .source = memory_new(MEMORY_BUFFERS, (size_t)count, sizeof(int32_t)),
                         .weight = memory_new(MEMORY_BUFFERS, (size_t)count, sizeof(double))};
    for (int64_t s = 0; s < count; s++) rows.start[synapses->target[s] + 1]++;
    for (int i = 0; i < targets; i++) rows.start[i + 1] += rows.start[i];
    int64_t *next = memory_new(MEMORY_BUFFERS, (size_t)targets + 1, sizeof(int64_t));
    memcpy(next, rows.start, ((size_t)targets + 1) * sizeof(int64_t));
    for (int64_t j = 0; j < synapses->sources; j++)
        for (int64_t s = synapses->start[j]; s < synapses->start[j + 1]; s++) {
            uint32_t i = synapses->target[s];
            int64_t at = next[i]++;
            rows.source[at] = (int32_t)j;
            rows.weight[at] = synapses->weight ? synapses->weight[s]
                                               : synapses->type_weight[first_gid + i >= synapses->excitatory][j >= synapses->excitatory];
        }
    memory_free(next);
    return rows;
}

void static_free(static_synapses *synapses) {
    if (!synapses) return;
    memory_free(synapses->start);
    memory_free(synapses->target);
    memory_free(synapses->weight);
    memory_free(synapses);
}

static void deliver_typed(const static_synapses *synapses, const int32_t *spike, int count, static_input *input) {
    for (int k = 0; k < count; k++) {
        uint16_t *restrict counts = spike[k] < synapses->excitatory ? input->excitatory_count : input->inhibitory_count;
        const uint32_t *restrict target = synapses->target;
        for (int64_t s = synapses->start[spike[k]], end = synapses->start[spike[k] + 1]; s < end; s++) counts[target[s]]++;
    }
}

static void deliver_weighted(const static_synapses *synapses, const int32_t *spike, int count, static_input *input) {
    for (int k = 0; k < count; k++)
        for (int64_t s = synapses->start[spike[k]], end = synapses->start[spike[k] + 1]; s < end; s++) {
            double weight = synapses->weight[s];
            (weight > 0 ? input->excitatory : input->inhibitory)[synapses->target[s]] += weight;
        }
}

void static_deliver(const static_synapses *synapses, const int32_t *spike, int count, static_input *input) {
    (synapses->weight ? deliver_weighted : deliver_typed)(synapses, spike, count, input);
}
