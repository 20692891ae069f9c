#include "engram/exchange.h"

#include <math.h>
#include <string.h>

#include "allgather.h"
#include "board.h"
#include "engram/memory.h"

struct spike_exchange {
    context context;
    partition part;
    int32_t first;     /* gid of my first neuron */
    int32_t *spikes;   /* [room] of all ranks, grows */
    int64_t room;
    int steps;         /* that go at once, at most */
    int shift;         /* a spike of step s of those is s << shift | gid on its way; 0 .. 2^31 - 1 */
    int32_t *keys;     /* [key_room] my spikes as they go, grows; by step what comes */
    int64_t key_room;
    const int32_t *given; /* as they go, since exchange_begin(): mine, in keys or borrowed */
    const int *given_counts; /* [given_steps] borrowed */
    int given_steps, given_count;
    int64_t overflows;
    unsigned raise, raised; /* bits to go with my next spikes; bits that came with the last */
    MPI_Comm node;     /* ranks of my node; MPI_COMM_NULL: flat, or one rank */
    int node_ranks;
    int nodes;         /* that exchange by leaders, 0: flat */
    MPI_Comm leaders;  /* MPI_COMM_NULL: I am none, or there is one node */
    board *board;      /* of my node; NULL: flat */
    allgather *allgather;    /* of all ranks, or of all leaders; NULL: I am no leader, or there is one node */
    block_run *runs;   /* [run_count] whose blocks have which ranks' spikes; with allgather */
    int run_count;
};

enum { STEPS_MOST = 16 };

/** So that every gid is below 1 << shift. */
static int shift_for(int64_t total) {
    int shift = 0;
    while ((int64_t)1 << shift < total) shift++;
    return shift;
}

int exchange_most_steps(int64_t total) {
    const int64_t fit = ((int64_t)1 << 31) >> shift_for(total);
    return fit < STEPS_MOST ? (int)fit : STEPS_MOST;
}

static void grow(int32_t **list, int64_t *room, int64_t needed) {
    if (needed <= *room) return;
    *room = needed + needed / 2 + 64;
    memory_free(*list);
    *list = memory_new(MEMORY_BUFFERS, (size_t)*room, sizeof(int32_t));
}

static void reserve(spike_exchange *exchange, int64_t needed) {
    grow(&exchange->spikes, &exchange->room, needed);
}

/** Without @p member_of, which has the number of every rank's leader, every rank is a member. */
static void make_runs(spike_exchange *exchange, const int *member_of) {
    int ranks = exchange->context.ranks, count = 0;
    for (int rank = 0; rank < ranks; rank++) count += !member_of || rank == 0 || member_of[rank] != member_of[rank - 1];
    exchange->runs = memory_new(MEMORY_BUFFERS, (size_t)count, sizeof *exchange->runs);
    for (int rank = 0; rank < ranks; rank++) {
        int member = member_of ? member_of[rank] : rank;
        if (rank > 0 && member == exchange->runs[exchange->run_count - 1].member) exchange->run_count--;
        exchange->runs[exchange->run_count++] = (block_run){.member = member, .end = partition_begin(&exchange->part, rank + 1)};
    }
}

static void make_flat(spike_exchange *exchange, int capacity) {
    exchange->allgather = allgather_new(exchange->context.comm, capacity, exchange->shift);
    make_runs(exchange, NULL);
}

/** Blocks of leaders: of the largest node, since all are as long. */
static void make_leaders(spike_exchange *exchange, int capacity, bool leads) {
    const context *context = &exchange->context;
    int number = 0, largest = exchange->node_ranks, *member_of = memory_new(MEMORY_BUFFERS, (size_t)context->ranks, sizeof(int));
    CHECK_MPI(MPI_Comm_split(context->comm, leads ? 0 : MPI_UNDEFINED, context->rank, &exchange->leaders));
    if (leads) CHECK_MPI(MPI_Comm_rank(exchange->leaders, &number));
    CHECK_MPI(MPI_Bcast(&number, 1, MPI_INT, 0, exchange->node));
    CHECK_MPI(MPI_Allgather(&number, 1, MPI_INT, member_of, 1, MPI_INT, context->comm));
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPI_INT, MPI_MAX, context->comm));
    if (leads) {
        int64_t of_node = (int64_t)capacity * largest;
        exchange->allgather = allgather_new(exchange->leaders, (int)(of_node < exchange->part.total ? of_node : exchange->part.total), exchange->shift);
        make_runs(exchange, member_of);
    }
    memory_free(member_of);
}

/** The boards of all nodes, or, where one cannot have it, none. @return whether they are there */
static bool make_boards(spike_exchange *exchange, MPI_Comm node, int nodes) {
    const context *context = &exchange->context;
    const int64_t room = exchange->steps * partition_largest(&exchange->part);
    exchange->board = board_new(node, room, nodes > 1);
    int all = exchange->board != NULL;
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &all, 1, MPI_INT, MPI_MIN, context->comm));
    if (all) return true;
    log_warning(context, "the ranks of a node cannot share %.0f MiB for the exchange of spikes (is there room in /dev/shm?): they go from every rank to every "
                         "other by MPI, as with simulation.exchange: flat", ceil((double)board_bytes(room) * exchange->node_ranks / (1 << 20)));
    board_free(exchange->board);
    exchange->board = NULL;
    return false;
}

/** Who is on a node with whom, agreed. @param node its ranks, in their order; taken */
static void make_nodes(spike_exchange *exchange, int capacity, MPI_Comm node) {
    const context *context = &exchange->context;
    int rank;
    CHECK_MPI(MPI_Comm_rank(node, &rank));
    CHECK_MPI(MPI_Comm_size(node, &exchange->node_ranks));
    int nodes = rank == 0;
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &nodes, 1, MPI_INT, MPI_SUM, context->comm));
    if (nodes == context->ranks || !make_boards(exchange, node, nodes)) { /* all are leaders, or each has to speak for itself */
        CHECK_MPI(MPI_Comm_free(&node));
        make_flat(exchange, capacity);
        return;
    }
    exchange->node = node;
    exchange->nodes = nodes;
    if (nodes > 1) make_leaders(exchange, capacity, rank == 0);
}

static spike_exchange *begin(const context *context, const exchange_setting *setting) {
    spike_exchange *exchange = memory_new(MEMORY_BUFFERS, 1, sizeof *exchange);
    exchange->context = *context;
    exchange->part = *setting->part;
    exchange->steps = setting->steps;
    exchange->shift = shift_for(setting->part->total);
    exchange->first = (int32_t)setting->part->first;
    exchange->node = exchange->leaders = MPI_COMM_NULL;
    reserve(exchange, 1);
    return exchange;
}

spike_exchange *exchange_new(const context *context, const exchange_setting *setting) {
    spike_exchange *exchange = begin(context, setting);
    MPI_Comm node;
    if (context->ranks == 1) return exchange;
    if (setting->way == EXCHANGE_FLAT) {
        make_flat(exchange, setting->capacity);
    } else {
        CHECK_MPI(MPI_Comm_split_type(context->comm, MPI_COMM_TYPE_SHARED, context->rank, MPI_INFO_NULL, &node));
        make_nodes(exchange, setting->capacity, node);
    }
    return exchange;
}

spike_exchange *exchange_new_on(const context *context, const exchange_setting *setting, int node_number) {
    spike_exchange *exchange = begin(context, setting);
    MPI_Comm node;
    if (context->ranks == 1) return exchange;
    CHECK_MPI(MPI_Comm_split(context->comm, node_number, context->rank, &node));
    make_nodes(exchange, setting->capacity, node);
    return exchange;
}

void exchange_free(spike_exchange *exchange) {
    if (!exchange) return;
    allgather_free(exchange->allgather);
    board_free(exchange->board);
    if (exchange->leaders != MPI_COMM_NULL) CHECK_MPI(MPI_Comm_free(&exchange->leaders));
    if (exchange->node != MPI_COMM_NULL) CHECK_MPI(MPI_Comm_free(&exchange->node));
    memory_free(exchange->runs);
    memory_free(exchange->spikes);
    memory_free(exchange->keys);
    memory_free(exchange);
}

/** What is in my block goes to all members; theirs into my list. @return spikes of all */
static int64_t gather(spike_exchange *exchange, int64_t count) {
    int64_t all = allgather_exchange(exchange->allgather, count, &exchange->raised);
    reserve(exchange, all);
    allgather_take(exchange->allgather, exchange->runs, exchange->run_count, exchange->spikes);
    exchange->overflows = allgather_overflows(exchange->allgather);
    return all;
}

static int64_t exchange_flat(spike_exchange *exchange, const int32_t *local, int count) {
    int32_t *mine = allgather_mine(exchange->allgather, count);
    for (int k = 0; k < count; k++) mine[k] = exchange->first + local[k];
    return gather(exchange, count);
}

/** What the ranks of the node have put, one behind the other: ascending. @return how many */
static int64_t count_of_node(spike_exchange *exchange) {
    int64_t count = 0;
    for (int rank = 0; rank < exchange->node_ranks; rank++) {
        board_post post = board_of(exchange->board, rank);
        count += post.count;
        exchange->raised |= post.raised;
    }
    return count;
}

static void copy_of_node(const spike_exchange *exchange, int32_t *spikes) {
    for (int rank = 0; rank < exchange->node_ranks; rank++) {
        board_post post = board_of(exchange->board, rank);
        memcpy(spikes, post.spikes, (size_t)post.count * sizeof(int32_t));
        spikes += post.count;
    }
}

/** What does not go at once goes in more exchanges, in which nobody has spikes: the leader may write when all have read. */
static int64_t lead(spike_exchange *exchange) {
    int64_t count = count_of_node(exchange), all, from = 0;
    copy_of_node(exchange, allgather_mine(exchange->allgather, count));
    all = gather(exchange, count);
    for (;;) {
        int64_t left = all - from, here = left < BOARD_ROOM ? left : BOARD_ROOM;
        board_hand_out(exchange->board, &(board_part){.total = all, .overflows = exchange->overflows, .raised = exchange->raised,
                                                      .spikes = exchange->spikes + from, .count = here});
        from += here;
        if (from >= all) return all;
        board_put(exchange->board, NULL, 0, 0, 0);
        board_wait(exchange->board);
    }
}

static int64_t follow(spike_exchange *exchange) {
    for (int64_t from = 0;;) {
        board_part part = board_receive(exchange->board);
        reserve(exchange, part.total); /* nothing to keep: the first part says the total */
        memcpy(exchange->spikes + from, part.spikes, (size_t)part.count * sizeof(int32_t));
        exchange->raised = part.raised;
        exchange->overflows = part.overflows;
        from += part.count;
        if (from >= part.total) return part.total;
        board_put(exchange->board, NULL, 0, 0, 0);
    }
}

/** What board_put() has begun. */
static int64_t exchange_by_nodes(spike_exchange *exchange) {
    if (exchange->nodes > 1 && !exchange->allgather) return follow(exchange);
    board_wait(exchange->board);
    if (exchange->nodes > 1) return lead(exchange);
    int64_t all = count_of_node(exchange);
    reserve(exchange, all);
    copy_of_node(exchange, exchange->spikes);
    return all;
}

/** @return keys of all, those of a rank behind those of the rank before, in exchange->spikes: of one step gids */
static int64_t exchange_keys(spike_exchange *exchange) {
    return exchange->board ? exchange_by_nodes(exchange) : exchange_flat(exchange, exchange->given, exchange->given_count);
}

/** Local indices of some steps as keys. @return how many */
static int make_keys(spike_exchange *exchange, const int32_t *local, const int *count, int steps) {
    int64_t all = 0;
    for (int s = 0; s < steps; s++) all += count[s];
    grow(&exchange->keys, &exchange->key_room, all);
    int32_t *key = exchange->keys;
    for (int s = 0; s < steps; s++)
        for (int k = 0; k < count[s]; k++) *key++ = (int32_t)((uint32_t)s << exchange->shift) | *local++;
    return (int)all; /* at most 2^31 - 1: of every step and neuron one */
}

/** Keys of rank after rank, each by step, become gids by step, each of rank after rank, in exchange->keys. @param[out] counts [steps] */
static void sort_by_step(spike_exchange *exchange, int64_t all, int steps, int *counts) {
    const int shift = exchange->shift;
    const int32_t gid = (int32_t)(((uint32_t)1 << shift) - 1);
    int64_t at[STEPS_MOST] = {0};
    memset(counts, 0, (size_t)steps * sizeof *counts);
    for (int64_t k = 0; k < all; k++) counts[exchange->spikes[k] >> shift]++;
    for (int s = 1; s < steps; s++) at[s] = at[s - 1] + counts[s - 1];
    grow(&exchange->keys, &exchange->key_room, all);
    for (int64_t k = 0; k < all; k++) exchange->keys[at[exchange->spikes[k] >> shift]++] = exchange->spikes[k] & gid;
}

void exchange_begin(spike_exchange *exchange, const int32_t *local, const int *count, int steps) {
    if (steps < 1 || steps > exchange->steps) context_abort("exchange: %d steps at once, made for %d", steps, exchange->steps);
    exchange->raised = exchange->raise;
    exchange->raise = 0;
    exchange->given = local, exchange->given_counts = count, exchange->given_steps = steps;
    if (exchange->context.ranks == 1) return;
    exchange->given_count = *count;
    if (steps > 1) exchange->given_count = make_keys(exchange, local, count, steps), exchange->given = exchange->keys;
    if (exchange->board) board_put(exchange->board, exchange->given, exchange->given_count, exchange->first, exchange->raised);
}

void exchange_end(spike_exchange *exchange, const int32_t **spikes, int *counts) {
    const int steps = exchange->given_steps;
    if (exchange->context.ranks == 1) { /* local indices are gids */
        memcpy(counts, exchange->given_counts, (size_t)steps * sizeof *counts);
        *spikes = exchange->given;
        return;
    }
    const int64_t all = exchange_keys(exchange);
    *spikes = exchange->spikes;
    if (steps == 1) { /* in their order already */
        *counts = (int)all;
        return;
    }
    sort_by_step(exchange, all, steps, counts);
    *spikes = exchange->keys;
}

void exchange_steps(spike_exchange *exchange, const int32_t *local, const int *count, int steps, const int32_t **spikes, int *counts) {
    exchange_begin(exchange, local, count, steps);
    exchange_end(exchange, spikes, counts);
}

int exchange_spikes(spike_exchange *exchange, const int32_t *local, int count, const int32_t **spikes) {
    int all;
    exchange_steps(exchange, local, &count, 1, spikes, &all);
    return all;
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

int exchange_nodes(const spike_exchange *exchange) {
    return exchange->nodes;
}

int64_t exchange_shared_bytes(int64_t neurons, int steps) {
    return board_bytes(steps * neurons);
}
