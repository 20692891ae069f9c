/** @file board.h
 *  Where the ranks of a node leave spikes for each other: memory that they share, a window of MPI's.
 *
 *  A rank has two blocks, for exchanges of odd and even number, each with room for all of its neurons in every step that goes at once: nothing can overflow.
 *  The number of the exchange is written last, and says that the block is there. One wait an exchange is enough: who has posted the next one has read the
 *  last one, so the block before that is free. Where there are several nodes the first rank of the node, its leader, also hands out what it has from the
 *  other leaders.
 *
 *  Who waits looks at the numbers for a while if every rank of the node has a core, and then sleeps in the kernel (a futex): no rank takes from
 *  another the core that it waits for. Nobody is woken before all is there. A sleeper looks up now and then, and lets MPI send what an earlier
 *  collective may have left to be sent.
 */
#ifndef ENGRAM_BOARD_H
#define ENGRAM_BOARD_H

#include <mpi.h>
#include <stdint.h>

typedef struct board board;

enum { BOARD_ROOM = 1 << 14 }; /**< spikes that are handed out at once */

/** Of one rank, or handed out. */
typedef struct {
    int64_t count;
    unsigned raised;
    const int32_t *spikes; /**< gids */
} board_post;

/** What the leader hands out: a part of the spikes of all nodes, with what is the same in every part. */
typedef struct {
    int64_t total;         /**< spikes of all nodes */
    int64_t overflows;     /**< so far, of the exchange between nodes */
    unsigned raised;
    const int32_t *spikes; /**< gids, from where the last part ended */
    int64_t count;         /**< of them here, at most BOARD_ROOM */
} board_part;

/** Collective over @p node. @param node the ranks of a node, not owned @param room for spikes of a rank, that of the rank that has most neurons
 *  @param several nodes there are @return owned; NULL on all ranks of the node if there is no room for that much.
 *  Ends the job (context_abort()) if they cannot share it all the same */
board *board_new(MPI_Comm node, int64_t room, int several);
/** Collective over the node. */
void board_free(board *board);

/** Bytes of this rank's blocks. @param room as for board_new() */
int64_t board_bytes(int64_t room);

/** Begin an exchange with my spikes. Wakes who waits for them. @param local [count] local indices @param first gid of index 0 */
void board_put(board *board, const int32_t *local, int count, int32_t first, unsigned raise);
/** Until every rank of the node has put something in this exchange. */
void board_wait(board *board);
/** What a rank of the node has put, once board_wait() is over. Valid until the next board_put(). */
board_post board_of(const board *board, int rank);

/** Leader, after board_wait(): a part for all others of the node, in this exchange. The next part needs an exchange of its own. */
void board_hand_out(board *board, const board_part *part);
/** All others: the part of this exchange. Valid until the next board_put(). */
board_part board_receive(board *board);

#endif
