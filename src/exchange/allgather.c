#include "allgather.h"

#include <string.h>

#include "engram/context.h"
#include "engram/memory.h"

enum { COUNT, RAISED, HEAD }; /* what stands before the spikes of a block */

struct allgather {
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
    int32_t gid;           /* the bits of a spike that are its gid */
    int largest;           /* spikes of a member in the last exchange */
    int64_t overflows;
    int pressure;          /* rises with every exchange that did not fit, falls with every one that did; the same for all members */
};

static void make_receive(allgather *allgather, int capacity) {
    memory_free(allgather->receive);
    allgather->capacity = capacity;
    allgather->receive = memory_new(MEMORY_BUFFERS, ((size_t)capacity + HEAD) * (size_t)allgather->members, sizeof(int32_t));
    if (allgather->send_room >= capacity) return;
    allgather->send_room = capacity;
    allgather->send = memory_resize(MEMORY_BUFFERS, allgather->send, (size_t)capacity + HEAD, sizeof(int32_t));
}

allgather *allgather_new(MPI_Comm comm, int capacity, int shift) {
    allgather *allgather = memory_new(MEMORY_BUFFERS, 1, sizeof *allgather);
    allgather->comm = comm;
    allgather->gid = (int32_t)(((uint32_t)1 << shift) - 1);
    CHECK_MPI(MPI_Comm_rank(comm, &allgather->rank));
    CHECK_MPI(MPI_Comm_size(comm, &allgather->members));
    make_receive(allgather, capacity);
    allgather->counts = memory_new(MEMORY_BUFFERS, (size_t)allgather->members, sizeof(int));
    allgather->offsets = memory_new(MEMORY_BUFFERS, (size_t)allgather->members, sizeof(int));
    allgather->taken = memory_new(MEMORY_BUFFERS, (size_t)allgather->members, sizeof(int));
    return allgather;
}

void allgather_free(allgather *allgather) {
    if (!allgather) return;
    memory_free(allgather->send);
    memory_free(allgather->receive);
    memory_free(allgather->rest);
    memory_free(allgather->counts);
    memory_free(allgather->offsets);
    memory_free(allgather->taken);
    memory_free(allgather);
}

int32_t *allgather_mine(allgather *allgather, int64_t count) {
    if (count > allgather->send_room) {
        allgather->send_room = count + count / 2 + 64;
        allgather->send = memory_resize(MEMORY_BUFFERS, allgather->send, (size_t)allgather->send_room + HEAD, sizeof(int32_t));
    }
    return allgather->send + HEAD;
}

static const int32_t *block_of(const allgather *allgather, int member) {
    return allgather->receive + (int64_t)member * (allgather->capacity + HEAD);
}

/** The second collective: what did not fit, from every member that had more than the capacity. */
static void gather_rest(allgather *allgather) {
    int64_t total = 0;
    for (int member = 0; member < allgather->members; member++) {
        int theirs = block_of(allgather, member)[COUNT];
        allgather->counts[member] = theirs > allgather->capacity ? theirs - allgather->capacity : 0;
        allgather->offsets[member] = (int)total;
        total += allgather->counts[member]; /* at most N < 2^31 */
    }
    if (total > allgather->rest_room) {
        allgather->rest_room = total + total / 2 + 64;
        memory_free(allgather->rest);
        allgather->rest = memory_new(MEMORY_BUFFERS, (size_t)allgather->rest_room, sizeof(int32_t));
    }
    int mine = allgather->counts[allgather->rank];
    CHECK_MPI(MPI_Allgatherv(allgather->send + HEAD + (mine ? allgather->capacity : 0), mine, MPI_INT32_T, allgather->rest,
                             allgather->counts, allgather->offsets, MPI_INT32_T, allgather->comm));
    allgather->overflows++;
}

int64_t allgather_exchange(allgather *allgather, int64_t count, unsigned *raised) {
    allgather->send[COUNT] = (int32_t)count;
    allgather->send[RAISED] = (int32_t)*raised;
    int words = allgather->capacity + HEAD;
    CHECK_MPI(MPI_Allgather(allgather->send, words, MPI_INT32_T, allgather->receive, words, MPI_INT32_T, allgather->comm));
    int64_t all = 0;
    allgather->largest = 0;
    for (int member = 0; member < allgather->members; member++) {
        const int32_t *block = block_of(allgather, member);
        all += block[COUNT];
        *raised |= (unsigned)block[RAISED];
        if (block[COUNT] > allgather->largest) allgather->largest = block[COUNT];
    }
    if (allgather->largest > allgather->capacity) gather_rest(allgather);
    return all;
}

/** Spikes of a member that are next, with gids below @p end: those of a rank, or of several that follow one another. @return how many */
static int take_run(allgather *allgather, int member, int64_t end, int32_t *spikes) {
    const int32_t *block = block_of(allgather, member), gid = allgather->gid;
    int count = block[COUNT], here = count < allgather->capacity ? count : allgather->capacity, at = allgather->taken[member], from = at;
    while (at < here && (block[HEAD + at] & gid) < end) spikes[at - from] = block[HEAD + at], at++;
    if (at >= here && count > here) {
        const int32_t *rest = allgather->rest + allgather->offsets[member] - here;
        while (at < count && (rest[at] & gid) < end) spikes[at - from] = rest[at], at++;
    }
    allgather->taken[member] = at;
    return at - from;
}

/** A burst now and then, as when a trial begins, is left to the second collective: room for it would be sent in every step.
 *  Steps that keep overflowing make the room larger. */
static void adapt(allgather *allgather) {
    enum { CALM = 64, PATIENCE = 2 }; /* more than PATIENCE overflows with fewer than CALM steps for each of them */
    if (allgather->largest <= allgather->capacity) {
        if (allgather->pressure > 0) allgather->pressure--;
        return;
    }
    allgather->pressure += CALM;
    if (allgather->pressure <= PATIENCE * CALM) return;
    allgather->pressure = 0;
    make_receive(allgather, allgather->largest + allgather->largest / 4 + 8);
}

void allgather_take(allgather *allgather, const block_run *runs, int count, int32_t *spikes) {
    memset(allgather->taken, 0, (size_t)allgather->members * sizeof(int));
    for (int r = 0; r < count; r++) spikes += take_run(allgather, runs[r].member, runs[r].end, spikes);
    adapt(allgather);
}

int64_t allgather_overflows(const allgather *allgather) {
    return allgather->overflows;
}
