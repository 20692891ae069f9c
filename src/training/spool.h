/* With spikes: all, the spikes recorded so far are put aside at every checkpoint, DIR/checkpoint/spikes-FIRST-LAST.h5 by loops,
 * each spike once, so that an interrupted run still ends with all of them. */
#ifndef ENGRAM_SPOOL_H
#define ENGRAM_SPOOL_H

#include "checkpoint.h"
#include "results.h"

/** Put aside the spikes from the @p from-th on, of the loops after @p saved up to @p loop. Collective. @return not yet printed */
status spool_write(const results *results, const spike_recorder *recorder, int64_t from, int64_t saved, int64_t loop);

/** Read back all spikes of the loops of a checkpoint: what was put aside, and before it what an earlier end of the run left in spikes.h5.
 *  They must be those that the checkpoint counted. Then files of later loops are removed. Collective. @return agreed and printed */
status spool_read(const results *results, const checkpoint_origin *origin, spike_recorder *recorder);

/** Which spikes this rank recorded, from the @p from-th on, as a number that sums up over ranks, and over times. Not collective. */
uint64_t spool_digest(const results *results, const spike_recorder *recorder, int64_t from);

/** All spikes are in spikes.h5: remove what was put aside. On rank 0. */
void spool_clear(const results *results);

#endif
