/* One reduction a spike: who was first, and what only its owner knows of it. */
#include <string.h>

#include "balanced.h"
#include "engram/memory.h"

struct winner_exchange {
    const context *context;
    timers *timers;
    int dimensions;
    size_t bytes;
    winner_offer *mine, *all;
    MPI_Datatype type;
    MPI_Op first;
};

static bool before(const winner_offer *a, const winner_offer *b) {
    if (a->state != b->state) return a->state < b->state;
    if (a->excess != b->excess) return a->excess > b->excess;
    return a->neuron < b->neuron;
}

void winner_choose(const winner_offer *in, winner_offer *out, size_t bytes) {
    uint64_t bits = in->bits | out->bits;
    if (before(in, out)) memcpy(out, in, bytes);
    out->bits = bits;
}

/** MPI_User_function. */
static void choose(void *mine, void *all, int *count, MPI_Datatype *type) {
    int bytes;
    MPI_Type_size(*type, &bytes);
    for (int k = 0; k < *count; k++) winner_choose((winner_offer *)((char *)mine + k * bytes), (winner_offer *)((char *)all + k * bytes), (size_t)bytes);
}

struct winner_exchange *winner_exchange_new(const context *context, timers *timers, int dimensions) {
    struct winner_exchange *exchange = memory_new(MEMORY_BUFFERS, 1, sizeof *exchange);
    exchange->context = context;
    exchange->timers = timers;
    exchange->dimensions = dimensions;
    exchange->bytes = sizeof(winner_offer) + 2 * (size_t)dimensions * sizeof(double);
    exchange->mine = memory_new(MEMORY_BUFFERS, 1, exchange->bytes);
    exchange->all = memory_new(MEMORY_BUFFERS, 1, exchange->bytes);
    CHECK_MPI(MPI_Type_contiguous((int)exchange->bytes, MPI_BYTE, &exchange->type));
    CHECK_MPI(MPI_Type_commit(&exchange->type));
    CHECK_MPI(MPI_Op_create(choose, 1, &exchange->first));
    return exchange;
}

void winner_exchange_free(struct winner_exchange *exchange) {
    if (!exchange) return;
    CHECK_MPI(MPI_Op_free(&exchange->first));
    CHECK_MPI(MPI_Type_free(&exchange->type));
    memory_free(exchange->mine);
    memory_free(exchange->all);
    memory_free(exchange);
}

spike winner_room(const struct winner_exchange *exchange) {
    return (spike){.neuron = -1, .feedforward = exchange->mine->rest, .slow = exchange->mine->rest + exchange->dimensions};
}

void winner_of_all(struct winner_exchange *exchange, spike *spike) {
    if (exchange->context->ranks == 1) return;
    winner_offer *mine = exchange->mine, *all = exchange->all;
    mine->state = spike->neuron < 0 ? INT64_MAX : spike->state;
    mine->neuron = spike->neuron;
    mine->excess = spike->neuron < 0 ? 0 : spike->excess;
    mine->bits = spike->bits;
    mine->filtered = spike->filtered;
    stopwatch watch = stopwatch_start(exchange->timers);
    CHECK_MPI(MPI_Allreduce(mine, all, 1, exchange->type, exchange->first, exchange->context->comm));
    stopwatch_charge(&watch, PHASE_EXCHANGE);
    bool none = all->state == INT64_MAX;
    spike->neuron = none ? -1 : all->neuron;
    spike->state = none ? 0 : (int)all->state;
    spike->excess = all->excess;
    spike->bits = (unsigned)all->bits;
    spike->filtered = all->filtered;
    spike->feedforward = all->rest;
    spike->slow = all->rest + exchange->dimensions;
}
