#include "blocks_inside.h"

#include <string.h>

#include "engram/context.h"
#include "engram/memory.h"

enum { SLICE_MAX = 1 << 16 };

/* Neurons of a slice whose slabs fit a second-level cache beside what streams through it. */
enum { SLICE_COUNTED = 1 << 15, SLICE_FIXED = 1 << 15, SLICE_DOUBLE = 1 << 13 };

static int most_of(const blocks_setting *setting) {
    static const int fits[] = {[BLOCKS_COUNTED] = SLICE_COUNTED, [BLOCKS_FIXED] = SLICE_FIXED, [BLOCKS_TOGETHER] = 2 * SLICE_FIXED,
                               [BLOCKS_DOUBLE] = SLICE_DOUBLE};
    const int most = setting->slice_size > 0 ? setting->slice_size : fits[setting->form];
    return most < SLICE_MAX ? most : SLICE_MAX;
}

int blocks_slices(const blocks_setting *setting) {
    const int most = most_of(setting);
    return setting->mine ? (setting->mine + most - 1) / most : 1;
}

static_blocks *blocks_new(const blocks_setting *setting) {
    static_blocks *blocks = memory_new(MEMORY_STATIC, 1, sizeof *blocks);
    const int slices = blocks_slices(setting);
    *blocks = (static_blocks){.form = setting->form, .sources = setting->sources, .excitatory = setting->excitatory, .longest = setting->longest,
                              .unit = setting->unit, .slices = slices};
    blocks->slice = memory_new(MEMORY_STATIC, (size_t)slices, sizeof *blocks->slice);
    for (int v = 0; v < slices; v++) {
        blocks_slice *slice = &blocks->slice[v];
        slice->first = (int)((int64_t)setting->mine * v / slices);
        slice->count = (int)((int64_t)setting->mine * (v + 1) / slices) - slice->first;
        slice->bits = blocks_bits(slice->count);
        slice->start = memory_new(MEMORY_STATIC, (size_t)setting->sources + 1, sizeof *slice->start);
        slice->offset = memory_new(MEMORY_STATIC, (size_t)(setting->sources * (setting->longest + 1)), sizeof *slice->offset);
    }
    return blocks;
}

void blocks_free(static_blocks *blocks) {
    if (!blocks) return;
    for (int v = 0; v < blocks->slices; v++) {
        blocks_slice *slice = &blocks->slice[v];
        memory_free(slice->start), memory_free(slice->offset), memory_free(slice->word), memory_free(slice->weight);
    }
    memory_free(blocks->slice);
    memory_free(blocks);
}

void blocks_set_room(const static_blocks *blocks, blocks_slice *slice, int64_t room) {
    slice->word = memory_resize(MEMORY_STATIC, slice->word, (size_t)room, sizeof *slice->word);
    if (blocks->form == BLOCKS_DOUBLE) slice->weight = memory_resize(MEMORY_STATIC, slice->weight, (size_t)room, sizeof *slice->weight);
    slice->room = room;
}

void blocks_reserve(static_blocks *blocks, int slice, int64_t synapses) {
    if (synapses > blocks->slice[slice].room) blocks_set_room(blocks, &blocks->slice[slice], synapses);
}

void blocks_finish(static_blocks *blocks) {
    for (int v = 0; v < blocks->slices; v++) {
        const long long done = blocks->slice[v].done, wanted = blocks->sources;
        if (done != wanted) context_abort("blocks: %lld sources of %lld", done, wanted);
        blocks_set_room(blocks, &blocks->slice[v], blocks->slice[v].start[blocks->sources]);
    }
}

void blocks_append(static_blocks *blocks, int v, const blocks_synapse *synapse, int count) {
    blocks_slice *slice = &blocks->slice[v];
    const int64_t source = slice->done++, begin = slice->start[source];
    uint16_t *offset = slice->offset + source * (blocks->longest + 1);
    if (count > BLOCKS_ROW_MAX) context_abort("blocks: %d synapses of a source", count);
    if (begin + count > slice->room) blocks_set_room(blocks, slice, (begin + count) + (begin + count) / 2 + 1024);
    for (int k = 0; k < count; k++) offset[synapse[k].delay]++;
    for (int d = 1; d <= blocks->longest; d++) offset[d] = (uint16_t)(offset[d] + offset[d - 1]);
    for (int k = count - 1; k >= 0; k--) { /* from behind, so that equal ones keep their order: offset[d] then is where those of d begin */
        const int64_t at = begin + --offset[synapse[k].delay];
        slice->word[at] = blocks_word(blocks, slice, &synapse[k]);
        if (slice->weight) slice->weight[at] = synapse[k].weight;
    }
    for (int d = 0; d < blocks->longest; d++) offset[d] = offset[d + 1];
    offset[blocks->longest] = (uint16_t)count;
    slice->start[source + 1] = begin + count;
}

int blocks_row(const static_blocks *blocks, int v, int64_t source, blocks_synapse *row) {
    const blocks_slice *slice = &blocks->slice[v];
    const int64_t begin = slice->start[source];
    const int count = (int)(slice->start[source + 1] - begin);
    const uint16_t *offset = slice->offset + source * (blocks->longest + 1);
    const uint32_t mask = ((uint32_t)1 << slice->bits) - 1;
    for (int k = 0, delay = 1; k < count; k++) {
        const uint32_t word = slice->word[begin + k];
        while (offset[delay] <= k) delay++;
        row[k] = (blocks_synapse){.target = (word & mask) + (uint32_t)slice->first, .delay = (uint16_t)delay};
        if (blocks->form == BLOCKS_DOUBLE) row[k].weight = slice->weight[begin + k];
        else if (blocks_in_units(blocks->form)) row[k].weight = blocks->unit * ((int32_t)word >> BLOCKS_WEIGHT);
    }
    return count;
}

double blocks_bytes(const blocks_setting *setting, double synapses) {
    const double of_source = 8 + 2.0 * (setting->longest + 1), each = 4 + (setting->form == BLOCKS_DOUBLE ? 8 : 0);
    return blocks_slices(setting) * (double)setting->sources * of_source + each * synapses;
}
