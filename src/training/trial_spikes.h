/* Spikes of trials with frozen weights, each group of ranks its own; brought together they are in an order that no grouping shows in. */
#ifndef ENGRAM_TRAINING_TRIAL_SPIKES_H
#define ENGRAM_TRAINING_TRIAL_SPIKES_H

#include "engram/h5.h"
#include "engram/system.h"

typedef struct trial_spikes trial_spikes;

/** @param facts borrowed @return owned */
trial_spikes *trial_spikes_new(const system_facts *facts);
void trial_spikes_free(trial_spikes *spikes);

/** Have the next trial, of all tasks' trials the @p number th, watched. Not collective. */
void trial_spikes_begin(trial_spikes *spikes, pulse *pulse, int64_t number);

/** The first of the ranks of @p between gets what the others have of its neurons; all of them are in order then. Collective over between.
 *  @param between ranks of equal place in all groups; MPI_COMM_NULL: there is one group */
void trial_spikes_gather(trial_spikes *spikes, MPI_Comm between);

/** Those of trials first .. first+count-1, which are called 0 .. count-1: datasets node_ids, trial, timestamps (ms) of a group,
 *  with the attribute duration_ms of a trial. Collective over the context. */
void trial_spikes_write(const trial_spikes *spikes, const context *context, h5_file *file, const char *group, int64_t first, int64_t count);

#endif
