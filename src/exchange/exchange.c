#include "engram/exchange.h"

#include <string.h>

#include "engram/memory.h"

struct spike_exchange {
    context context;
    int64_t total;
    int capacity;
    int32_t *send;     /* [HEAD + capacity] */
    int32_t *receive;  /* [ranks][HEAD + capacity] */
    int32_t *rest;     /* [room for the overflow of all ranks], grows */
    int64_t rest_room;
    int *counts, *offsets; /* [ranks] of the second collective */
    int32_t *spikes;   /* [total], grows */
    int64_t spikes_room;
    int64_t overflows;
    int pressure;      /* rises with every step that did not fit, falls with every one that did; the same on all ranks */
    unsigned raise, raised; /* bits to go with my next spikes; bits that came with the last */
};

enum { COUNT, RAISED, HEAD }; /* what stands before the spikes of a block */

static void make_payload(spike_exchange *exchange, int capacity) {
    memory_free(exchange->send);
    memory_free(exchange->receive);
    exchange->capacity = capacity;
    exchange->send = memory_new(MEMORY_BUFFERS, (size_t)capacity + HEAD, sizeof(int32_t));
    exchange->receive = memory_new(MEMORY_BUFFERS, ((size_t)capacity + HEAD) * (size_t)exchange->context.ranks, sizeof(int32_t));
}

static void reserve(int32_t **array, int64_t *room, int64_t needed) {
    if (needed <= *room) return;
    *room = needed + needed / 2 + 64;
    memory_free(*array);
    *array = memory_new(MEMORY_BUFFERS, (size_t)*room, sizeof(int32_t));
}

spike_exchange *exchange_new(const context *context, int64_t total, int capacity) {
    spike_exchange *exchange = memory_new(MEMORY_BUFFERS, 1, sizeof *exchange);
    exchange->context = *context;
    exchange->total = total;
    make_payload(exchange, capacity);
    reserve(&exchange->spikes, &exchange->spikes_room, 1);
    exchange->counts = memory_new(MEMORY_BUFFERS, (size_t)context->ranks, sizeof(int));
    exchange->offsets = memory_new(MEMORY_BUFFERS, (size_t)context->ranks, sizeof(int));
    return exchange;
}

void exchange_free(spike_exchange *exchange) {
    if (!exchange) return;
    memory_free(exchange->send);
    memory_free(exchange->receive);
    memory_free(exchange->rest);
    memory_free(exchange->counts);
    memory_free(exchange->offsets);
    memory_free(exchange->spikes);
    memory_free(exchange);
}

/** The second collective: what did not fit, from every rank that had more than the capacity. */
static void gather_rest(spike_exchange *exchange, const int32_t *local, int count) {
    int64_t total_rest = 0;
    for (int rank = 0; rank < exchange->context.ranks; rank++) {
        int theirs = exchange->receive[(int64_t)rank * (exchange->capacity + HEAD)];
        exchange->counts[rank] = theirs > exchange->capacity ? theirs - exchange->capacity : 0;
        exchange->offsets[rank] = (int)total_rest;
        total_rest += exchange->counts[rank]; /* at most N < 2^31 */
    }
    reserve(&exchange->rest, &exchange->rest_room, total_rest);
    CHECK_MPI(MPI_Allgatherv(count > exchange->capacity ? local + exchange->capacity : local, exchange->counts[exchange->context.rank], MPI_INT32_T,
                             exchange->rest, exchange->counts, exchange->offsets, MPI_INT32_T, exchange->context.comm));
    exchange->overflows++;
}

/** Local indices of all ranks to gids; ranks own ascending blocks, so the result ascends. */
static int unpack(spike_exchange *exchange, int64_t all, int largest) {
    reserve(&exchange->spikes, &exchange->spikes_room, all);
    int at = 0;
    for (int rank = 0; rank < exchange->context.ranks; rank++) {
        const int32_t *block = exchange->receive + (int64_t)rank * (exchange->capacity + HEAD);
        int32_t first = (int32_t)partition_first(exchange->total, exchange->context.ranks, rank);
        int here = block[COUNT] < exchange->capacity ? block[COUNT] : exchange->capacity;
        for (int k = 0; k < here; k++) exchange->spikes[at++] = first + block[HEAD + k];
        if (largest > exchange->capacity)
            for (int k = 0; k < exchange->counts[rank]; k++) exchange->spikes[at++] = first + exchange->rest[exchange->offsets[rank] + k];
    }
    return at;
}

/** A burst now and then, as when a trial begins, is left to the second collective: room for it would be sent in every step.
 *  Steps that keep overflowing make the payload larger. */
static void adapt(spike_exchange *exchange, int largest) {
    enum { CALM = 64, PATIENCE = 2 }; /* more than PATIENCE overflows with fewer than CALM steps for each of them */
    if (largest <= exchange->capacity) {
        if (exchange->pressure > 0) exchange->pressure--;
        return;
    }
    exchange->pressure += CALM;
    if (exchange->pressure <= PATIENCE * CALM) return;
    exchange->pressure = 0;
    make_payload(exchange, largest + largest / 4 + 8);
}

int exchange_spikes(spike_exchange *exchange, const int32_t *local, int count, const int32_t **spikes) {
    unsigned raise = exchange->raise;
    exchange->raise = 0;
    exchange->raised = raise;
    if (exchange->context.ranks == 1) {
        *spikes = local; /* one rank: local indices are gids */
        return count;
    }
    exchange->send[COUNT] = count;
    exchange->send[RAISED] = (int32_t)raise;
    int here = count < exchange->capacity ? count : exchange->capacity;
    memcpy(exchange->send + HEAD, local, (size_t)here * sizeof(int32_t));
    CHECK_MPI(MPI_Allgather(exchange->send, exchange->capacity + HEAD, MPI_INT32_T, exchange->receive, exchange->capacity + HEAD, MPI_INT32_T,
                            exchange->context.comm));
    int64_t all = 0;
    int largest = 0;
    for (int rank = 0; rank < exchange->context.ranks; rank++) {
        const int32_t *block = exchange->receive + (int64_t)rank * (exchange->capacity + HEAD);
        int theirs = block[COUNT];
        all += theirs;
        exchange->raised |= (unsigned)block[RAISED];
        if (theirs > largest) largest = theirs;
    }
    if (largest > exchange->capacity) gather_rest(exchange, local, count);
    int got = unpack(exchange, all, largest);
    *spikes = exchange->spikes;
    adapt(exchange, largest);
    return got;
}

void exchange_raise(spike_exchange *exchange, unsigned bits) {
    exchange->raise |= bits;
}

unsigned exchange_raised(const spike_exchange *exchange) {
    return exchange->raised;
}

int64_t exchange_overflows(const spike_exchange *exchange) {
    return exchange->overflows;
}
