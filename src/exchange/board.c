#include "board.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "engram/clock.h"
#include "engram/context.h"
#include "engram/memory_shared.h"

enum { LINE = 64, PAGE = 4096, LOOKS = 32 }; /* looks between two at the clock */
static const double LOOK = 20e-6, STAY = 200e-6; /* s that who has a core looks for what it waits for; and goes on looking, giving way to others, before it
                                                  * sleeps: ranks rarely wait longer, and whoever slept is woken late, in virtual machines above all */
static const long NAP_FIRST = 1000000, NAP_LAST = 20000000; /* ns after which a sleeper looks up */

/** Of a rank, for odd or even exchanges: with its first spikes it is one line of the cache. */
typedef struct {
    _Atomic uint32_t number; /**< of the exchange, written last */
    uint32_t raised;
    int32_t count;
    int32_t spikes[];
} block;

/** Where sleepers sleep. */
typedef struct {
    _Alignas(LINE) _Atomic uint32_t word; /**< changes when they are woken */
    _Atomic uint32_t sleepers;
} gate;

/** Of the node. */
typedef struct {
    gate posted;                            /**< who waits for all ranks' blocks */
    gate handed;                            /**< who waits for what the leader hands out */
    _Alignas(LINE) _Atomic uint32_t number; /**< of the exchange that this was handed out in, written last */
    uint32_t raised;
    int64_t total, overflows, count;
    int32_t spikes[];                       /**< [BOARD_ROOM] where there are several nodes */
} desk;

struct board {
    MPI_Comm node; /* not owned */
    int rank, ranks;
    MPI_Win window;
    int64_t bytes, mine; /* of the window; of them counted as this rank's */
    desk *desk;
    char *blocks;        /* [ranks][2] */
    size_t block_bytes, rank_bytes;
    uint32_t number;     /* of the exchange that is under way */
    int seen;            /* ranks whose blocks of this exchange were seen, from the first on */
    bool looks;          /* before it sleeps */
};

static size_t whole(size_t bytes, size_t unit) {
    return (bytes + unit - 1) / unit * unit;
}

static size_t bytes_of_block(int64_t room) {
    return whole(sizeof(block) + (size_t)room * sizeof(int32_t), LINE);
}

int64_t board_bytes(int64_t room) {
    return (int64_t)whole(2 * bytes_of_block(room), PAGE);
}

static block *block_of(const board *board, int rank) {
    return (block *)(void *)(board->blocks + (size_t)rank * board->rank_bytes + board->number % 2 * board->block_bytes);
}

/** Have all ranks of the node together as many processors as there are of them? */
static bool has_cores(const board *board) {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    if (sched_getaffinity(0, sizeof cores, &cores) != 0) CPU_ZERO(&cores); /* there are more than cpu_set_t can name */
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &cores, (int)sizeof cores, MPI_BYTE, MPI_BOR, board->node));
    int count = CPU_COUNT(&cores);
    return (count ? count : sysconf(_SC_NPROCESSORS_ONLN)) >= board->ranks;
}

/* ---- waiting ---- */

static inline void pause_a_moment(void) {
#if defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#elif defined __aarch64__
    __asm__ volatile("yield");
#endif
}

static bool all_posted(board *board) {
    while (board->seen < board->ranks && atomic_load_explicit(&block_of(board, board->seen)->number, memory_order_acquire) == board->number) board->seen++;
    return board->seen == board->ranks;
}

static bool is_handed(board *board) {
    return atomic_load_explicit(&board->desk->number, memory_order_acquire) == board->number;
}

/** Wake who sleeps at a gate, if all is there that they sleep for. Two that make it whole at the same time: the fences see to it that one of them finds it so;
 *  and who goes to sleep is either seen here, or sees behind its own fence what was written before this one. */
static void wake(board *board, gate *gate, bool (*done)(struct board *board)) {
    atomic_thread_fence(memory_order_seq_cst);
    if (!atomic_load_explicit(&gate->sleepers, memory_order_relaxed) || !done(board)) return;
    atomic_fetch_add(&gate->word, 1);
    syscall(SYS_futex, &gate->word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0); /* between processes: not FUTEX_PRIVATE_FLAG */
}

static void sleep_at(board *board, gate *gate, bool (*done)(struct board *board)) {
    struct timespec nap = {.tv_nsec = NAP_FIRST};
    atomic_fetch_add(&gate->sleepers, 1);
    for (;;) {
        uint32_t word = atomic_load(&gate->word);
        atomic_thread_fence(memory_order_seq_cst);
        if (done(board)) break;
        if (syscall(SYS_futex, &gate->word, FUTEX_WAIT, word, &nap, NULL, 0) == 0 || errno != ETIMEDOUT) continue;
        int any;
        CHECK_MPI(MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, board->node, &any, MPI_STATUS_IGNORE)); /* for what it does beside */
        nap.tv_nsec = 2 * nap.tv_nsec < NAP_LAST ? 2 * nap.tv_nsec : NAP_LAST;
    }
    atomic_fetch_sub(&gate->sleepers, 1);
}

static void wait_at(board *board, gate *gate, bool (*done)(struct board *board)) {
    if (done(board)) return;
    if (board->looks) {
        const double since = clock_seconds();
        for (double now = since; now < since + STAY; now = clock_seconds()) {
            if (now > since + LOOK) sched_yield();
            for (int look = 0; look < LOOKS; look++) {
                pause_a_moment();
                if (done(board)) return;
            }
        }
    }
    sleep_at(board, gate, done);
}

/* ---- exchange ---- */

void board_put(board *board, const int32_t *local, int count, int32_t first, unsigned raise) {
    board->number++;
    board->seen = 0;
    block *block = block_of(board, board->rank);
    for (int k = 0; k < count; k++) block->spikes[k] = first + local[k];
    block->count = count;
    block->raised = raise;
    atomic_store_explicit(&block->number, board->number, memory_order_release);
    wake(board, &board->desk->posted, all_posted);
}

void board_wait(board *board) {
    wait_at(board, &board->desk->posted, all_posted);
}

board_post board_of(const board *board, int rank) {
    const block *block = block_of(board, rank);
    return (board_post){.count = block->count, .raised = block->raised, .spikes = block->spikes};
}

void board_hand_out(board *board, const board_part *part) {
    desk *desk = board->desk;
    desk->raised = part->raised;
    desk->total = part->total;
    desk->overflows = part->overflows;
    desk->count = part->count;
    memcpy(desk->spikes, part->spikes, (size_t)part->count * sizeof(int32_t));
    atomic_store_explicit(&desk->number, board->number, memory_order_release);
    wake(board, &desk->handed, is_handed);
}

board_part board_receive(board *board) {
    const desk *desk = board->desk;
    wait_at(board, &board->desk->handed, is_handed);
    return (board_part){.total = desk->total, .overflows = desk->overflows, .raised = desk->raised, .spikes = desk->spikes, .count = desk->count};
}

/* ---- the window ---- */

/** Has the file system in which MPI keeps shared memory that much left? Asked before, as ranks that learn of it from MPI do not all return from there. */
static bool has_room(const board *board, size_t bytes) {
    struct statvfs system;
    int fits = statvfs("/dev/shm", &system) != 0 || (double)system.f_bavail * (double)system.f_frsize > (double)(bytes + 2 * PAGE);
    CHECK_MPI(MPI_Bcast(&fits, 1, MPI_INT, 0, board->node));
    return fits;
}

/** One piece, where MPI puts it, from a border of pages on: the same place in every process, since they map whole pages. */
static char *share(board *board, size_t bytes) {
    char *base;
    MPI_Aint size;
    int unit;
    CHECK_MPI(MPI_Comm_set_errhandler(board->node, MPI_ERRORS_RETURN));
    if (MPI_Win_allocate_shared(board->rank == 0 ? (MPI_Aint)(bytes + PAGE) : 0, 1, MPI_INFO_NULL, board->node, &base, &board->window) != MPI_SUCCESS)
        context_abort("ranks of this node cannot share %zu bytes for the exchange of spikes, though /dev/shm has room; a run with simulation.exchange: flat "
                      "needs none", bytes);
    CHECK_MPI(MPI_Comm_set_errhandler(board->node, MPI_ERRORS_ARE_FATAL));
    CHECK_MPI(MPI_Win_shared_query(board->window, 0, &size, &unit, &base));
    return (char *)whole((size_t)(uintptr_t)base, PAGE);
}

board *board_new(MPI_Comm node, int64_t room, int several) {
    board *board = memory_new(MEMORY_BUFFERS, 1, sizeof *board);
    board->node = node;
    CHECK_MPI(MPI_Comm_rank(node, &board->rank));
    CHECK_MPI(MPI_Comm_size(node, &board->ranks));
    board->block_bytes = bytes_of_block(room);
    board->rank_bytes = (size_t)board_bytes(room);
    board->looks = has_cores(board);
    size_t desk_bytes = whole(sizeof(desk) + (several ? BOARD_ROOM * sizeof(int32_t) : 0), PAGE);
    board->bytes = (int64_t)(desk_bytes + (size_t)board->ranks * board->rank_bytes);
    board->mine = (int64_t)(board->rank_bytes + (board->rank == 0 ? desk_bytes : 0));
    if (!has_room(board, (size_t)board->bytes)) {
        memory_free(board);
        return NULL;
    }
    char *base = share(board, (size_t)board->bytes);
    board->desk = (desk *)(void *)base;
    board->blocks = base + desk_bytes;
    if (board->rank == 0) memset(base, 0, desk_bytes);
    memset(board->blocks + (size_t)board->rank * board->rank_bytes, 0, board->rank_bytes); /* near this rank, where memory is near to some */
    CHECK_MPI(MPI_Barrier(node));
    for (int64_t at = 0; at < board->bytes; at += PAGE) (void)*(volatile char *)(base + at);
    memory_count_shared(MEMORY_BUFFERS, board->mine, board->bytes);
    return board;
}

void board_free(board *board) {
    if (!board) return;
    CHECK_MPI(MPI_Win_free(&board->window));
    memory_count_shared(MEMORY_BUFFERS, -board->mine, -board->bytes);
    memory_free(board);
}
