/* What ranks tell each other: rows of neurons, sums over pixels, and with them the bits of the pulse. */
#include <string.h>

#include "dendritic.h"
#include "engram/memory.h"

/** Blocks of doubles of all ranks, one behind the other, with @p bits in front of each. @return bits of all ranks */
static unsigned gather(dendritic *d, int mine, unsigned bits) {
    stopwatch watch = stopwatch_start(d->timers);
    d->sent[0] = (double)bits;
    CHECK_MPI(MPI_Allgatherv(d->sent, mine + 1, MPI_DOUBLE, d->received, d->counts, d->offsets, MPI_DOUBLE, d->context.comm));
    bits = 0;
    for (int rank = 0; rank < d->context.ranks; rank++) bits |= (unsigned)d->received[d->offsets[rank]];
    stopwatch_charge(&watch, PHASE_EXCHANGE);
    return bits;
}

unsigned gather_rows(dendritic *d, const double *own, double *whole, unsigned bits) {
    const int ranks = d->context.ranks;
    if (ranks == 1) {
        memmove(whole, own, (size_t)d->part.mine * sizeof(double));
        return bits;
    }
    partition_blocks(&d->part, d->counts, d->offsets);
    memcpy(d->sent + 1, own, (size_t)d->part.mine * sizeof(double));
    for (int rank = 0; rank < ranks; rank++) d->offsets[rank] += rank, d->counts[rank]++;
    bits = gather(d, d->part.mine, bits);
    for (int rank = 0; rank < ranks; rank++)
        memcpy(whole + d->offsets[rank] - rank, d->received + d->offsets[rank] + 1, (size_t)(d->counts[rank] - 1) * sizeof(double));
    return bits;
}

unsigned gather_blocks(dendritic *d, double *partial, double *whole, unsigned bits) {
    const int ranks = d->context.ranks, blocks = d->decoder.blocks;
    const size_t padded = (size_t)d->padded;
    if (ranks > 1) {
        for (int rank = 0; rank < ranks; rank++) {
            const int first = blocks * rank / ranks;
            d->offsets[rank] = (int)padded * first + rank;
            d->counts[rank] = (int)padded * (blocks * (rank + 1) / ranks - first) + 1;
        }
        const int mine = d->counts[d->context.rank] - 1;
        memcpy(d->sent + 1, partial + (size_t)d->decoder.my_first * padded, (size_t)mine * sizeof(double));
        bits = gather(d, mine, bits);
        for (int rank = 0; rank < ranks; rank++)
            memcpy(partial + d->offsets[rank] - rank, d->received + d->offsets[rank] + 1, (size_t)(d->counts[rank] - 1) * sizeof(double));
    }
    memcpy(whole, partial, padded * sizeof(double));
    for (int block = 1; block < blocks; block++)
        for (size_t j = 0; j < padded; j++) whole[j] += partial[(size_t)block * padded + j];
    return bits;
}

unsigned gather_bits(dendritic *d, unsigned bits) {
    if (d->context.ranks == 1) return bits;
    stopwatch watch = stopwatch_start(d->timers);
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &bits, 1, MPI_UNSIGNED, MPI_BOR, d->context.comm));
    stopwatch_charge(&watch, PHASE_EXCHANGE);
    return bits;
}
