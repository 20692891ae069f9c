/** @file blocks_inside.h
 *  How a word of blocks.h is made, and room for words: for those who build blocks and who deliver through them. Nothing is collective.
 */
#ifndef ENGRAM_BLOCKS_INSIDE_H
#define ENGRAM_BLOCKS_INSIDE_H

#include "engram/blocks.h"

enum {
    BLOCK_MASK = BLOCK_STEPS - 1,
    BLOCKS_WEIGHT = 19, /**< bit of a word where its weight begins */
};

/** Bits of a target in a word of a slice of so many neurons. */
static inline int blocks_bits(int count) {
    int bits = 4;
    while (1 << bits < count) bits++;
    return bits;
}

/** Are weights whole numbers in the words? */
static inline bool blocks_in_units(blocks_form form) { return form == BLOCKS_FIXED || form == BLOCKS_TOGETHER; }

static inline uint32_t blocks_word(const static_blocks *blocks, const blocks_slice *slice, const blocks_synapse *synapse) {
    const uint32_t word = (synapse->target - (uint32_t)slice->first) | (uint32_t)(synapse->delay & BLOCK_MASK) << slice->bits;
    return blocks_in_units(blocks->form) ? word | (uint32_t)blocks_units(synapse->weight, blocks->unit) << BLOCKS_WEIGHT : word;
}

/** Room of a slice for so many synapses, which may be fewer than before; those that fit are kept. */
void blocks_set_room(const static_blocks *blocks, blocks_slice *slice, int64_t room);

#endif
