/* With spikes: all, the spikes recorded so far are put aside at every checkpoint, DIR/checkpoint/spikes-FIRST-LAST.h5 by loops,
 * each spike once, so that an interrupted run still ends with all of them. */
#ifndef ENGRAM_SPOOL_H
#define ENGRAM_SPOOL_H

#include "results.h"

/** Put aside the spikes from the @p from-th on, of the loops after @p saved up to @p loop. Collective. @return not yet printed */
status spool_write(const simulation *sim, const results *results, const spike_recorder *recorder, int64_t from, int64_t saved, int64_t loop);

/** Read back all spikes of loops up to @p loop: what was put aside, and before it what an earlier end of the run left in spikes.h5. Files of later
 *  loops are removed. Collective. @return agreed and printed */
status spool_read(const simulation *sim, const results *results, int64_t loop, spike_recorder *recorder);

/** All spikes are in spikes.h5: remove what was put aside. On rank 0. */
void spool_clear(const results *results);

#endif
