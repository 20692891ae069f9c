#include "blocks.h"

#include <string.h>

#include "engram/context.h"
#include "engram/memory.h"

enum { COUNT, RAISED, HEAD }; /* what stands before the spikes of a block */

struct blocks {
    MPI_Comm comm;
    int rank, members;
    int capacity;
    int32_t *send;         /* [HEAD + send_room] my block; what is behind its capacity is the rest */
    int64_t send_room;
    int32_t *receive;      /* [members][HEAD + capacity] */
    int32_t *rest;         /* [room for what did not fit, of all members], grows */
    int64_t rest_room;
    int *counts, *offsets; /* [members] of the second collective */
    int *taken;            /* [members] spikes of a block that are merged */
    int largest;           /* spikes of a member in the last exchange */
    int64_t overflows;
    int pressure;          /* rises with every exchange that did not fit, falls with every one that did; the same for all members */
};

static void make_receive(blocks *blocks, int capacity) {
    memory_free(blocks->receive);
    blocks->capacity = capacity;
    blocks->receive = memory_new(MEMORY_BUFFERS, ((size_t)capacity + HEAD) * (size_t)blocks->members, sizeof(int32_t));
    if (blocks->send_room >= capacity) return;
    blocks->send_room = capacity;
    blocks->send = memory_resize(MEMORY_BUFFERS, blocks->send, (size_t)capacity + HEAD, sizeof(int32_t));
}

blocks *blocks_new(MPI_Comm comm, int capacity) {
    blocks *blocks = memory_new(MEMORY_BUFFERS, 1, sizeof *blocks);
    blocks->comm = comm;
    CHECK_MPI(MPI_Comm_rank(comm, &blocks->rank));
    CHECK_MPI(MPI_Comm_size(comm, &blocks->members));
    make_receive(blocks, capacity);
    blocks->counts = memory_new(MEMORY_BUFFERS, (size_t)blocks->members, sizeof(int));
    blocks->offsets = memory_new(MEMORY_BUFFERS, (size_t)blocks->members, sizeof(int));
    blocks->taken = memory_new(MEMORY_BUFFERS, (size_t)blocks->members, sizeof(int));
    return blocks;
}

void blocks_free(blocks *blocks) {
    if (!blocks) return;
    memory_free(blocks->send);
    memory_free(blocks->receive);
    memory_free(blocks->rest);
    memory_free(blocks->counts);
    memory_free(blocks->offsets);
    memory_free(blocks->taken);
    memory_free(blocks);
}

int32_t *blocks_mine(blocks *blocks, int64_t count) {
    if (count > blocks->send_room) {
        blocks->send_room = count + count / 2 + 64;
        blocks->send = memory_resize(MEMORY_BUFFERS, blocks->send, (size_t)blocks->send_room + HEAD, sizeof(int32_t));
    }
    return blocks->send + HEAD;
}

static const int32_t *block_of(const blocks *blocks, int member) {
    return blocks->receive + (int64_t)member * (blocks->capacity + HEAD);
}

/** The second collective: what did not fit, from every member that had more than the capacity. */
static void gather_rest(blocks *blocks) {
    int64_t total = 0;
    for (int member = 0; member < blocks->members; member++) {
        int theirs = block_of(blocks, member)[COUNT];
        blocks->counts[member] = theirs > blocks->capacity ? theirs - blocks->capacity : 0;
        blocks->offsets[member] = (int)total;
        total += blocks->counts[member]; /* at most N < 2^31 */
    }
    if (total > blocks->rest_room) {
        blocks->rest_room = total + total / 2 + 64;
        memory_free(blocks->rest);
        blocks->rest = memory_new(MEMORY_BUFFERS, (size_t)blocks->rest_room, sizeof(int32_t));
    }
    CHECK_MPI(MPI_Allgatherv(blocks->send + HEAD + (blocks->counts[blocks->rank] ? blocks->capacity : 0), blocks->counts[blocks->rank], MPI_INT32_T,
                             blocks->rest, blocks->counts, blocks->offsets, MPI_INT32_T, blocks->comm));
    blocks->overflows++;
}

int64_t blocks_exchange(blocks *blocks, int64_t count, unsigned *raised) {
    blocks->send[COUNT] = (int32_t)count;
    blocks->send[RAISED] = (int32_t)*raised;
    CHECK_MPI(MPI_Allgather(blocks->send, blocks->capacity + HEAD, MPI_INT32_T, blocks->receive, blocks->capacity + HEAD, MPI_INT32_T, blocks->comm));
    int64_t all = 0;
    blocks->largest = 0;
    for (int member = 0; member < blocks->members; member++) {
        const int32_t *block = block_of(blocks, member);
        all += block[COUNT];
        *raised |= (unsigned)block[RAISED];
        if (block[COUNT] > blocks->largest) blocks->largest = block[COUNT];
    }
    if (blocks->largest > blocks->capacity) gather_rest(blocks);
    return all;
}

/** Spikes of a member that are next, below @p end. @return how many */
static int take_run(blocks *blocks, int member, int64_t end, int32_t *spikes) {
    const int32_t *block = block_of(blocks, member);
    int count = block[COUNT], here = count < blocks->capacity ? count : blocks->capacity, at = blocks->taken[member], from = at;
    while (at < here && block[HEAD + at] < end) spikes[at - from] = block[HEAD + at], at++;
    if (at >= here && count > here) {
        const int32_t *rest = blocks->rest + blocks->offsets[member] - here;
        while (at < count && rest[at] < end) spikes[at - from] = rest[at], at++;
    }
    blocks->taken[member] = at;
    return at - from;
}

/** A burst now and then, as when a trial begins, is left to the second collective: room for it would be sent in every step.
 *  Steps that keep overflowing make the room larger. */
static void adapt(blocks *blocks) {
    enum { CALM = 64, PATIENCE = 2 }; /* more than PATIENCE overflows with fewer than CALM steps for each of them */
    if (blocks->largest <= blocks->capacity) {
        if (blocks->pressure > 0) blocks->pressure--;
        return;
    }
    blocks->pressure += CALM;
    if (blocks->pressure <= PATIENCE * CALM) return;
    blocks->pressure = 0;
    make_receive(blocks, blocks->largest + blocks->largest / 4 + 8);
}

void blocks_take(blocks *blocks, const block_run *runs, int count, int32_t *spikes) {
    memset(blocks->taken, 0, (size_t)blocks->members * sizeof(int));
    for (int r = 0; r < count; r++) spikes += take_run(blocks, runs[r].member, runs[r].end, spikes);
    adapt(blocks);
}

int64_t blocks_overflows(const blocks *blocks) {
    return blocks->overflows;
}
