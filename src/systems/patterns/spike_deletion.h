/* A trial against itself with one spike less (Kim & Chow 2018, Fig. 4: inside the trained window trajectories converge again, outside they diverge).
 *
 * Both have the same initial state, input and noise. Compared are
 *   - the drives u of all neurons, every learning.every ms through the whole trial: RMS over neurons of the difference d(t), and its distance
 *     q(t) = d(t) / (sqrt(2) sigma), sigma^2 = variance of the intact drive in time, from the deletion to the end of the target window, averaged over neurons:
 *     two unrelated trajectories of that variance are at q = 1;
 *   - the phases of all neurons, at the same times, where the model has one (theta, qif): mean over neurons of |theta - theta'|, the shorter way round, in [0,
 *   pi];
 *   - the spikes, in bins of test.psth_bin that begin at the time of the deletion: fraction = sum_i |n_i - n_i'| / sum_i (n_i + n_i'), n_i and n_i' being the
 *     counts of neuron i with and without the deletion; 0: all neurons fired equally often (or none did), 1: none fired in both.
 * Times from the deletion on:
 *   diverged      = the first sample with q > 1/2, also after the window; NAN if there is none
 *   reconverged   = the last such sample of the target window: from then on to the end of the window the trajectories are together; 0 if they always were,
 *                   NAN if they are apart when the window ends
 *   spikes_differ = end of the first bin in which more than half of the spikes differ, NAN if there is none */
#ifndef ENGRAM_SPIKE_DELETION_H
#define ENGRAM_SPIKE_DELETION_H

#include "tracker.h"

typedef struct spike_deletion spike_deletion;

/** @param ms from the start of a trial, within it @return owned. Not collective. */
spike_deletion *spike_deletion_new(const simulation *simulation, double ms, double bin_ms);
void spike_deletion_free(spike_deletion *deletion);

/** First step from which a spike is to be deleted (trial.delete_from). */
int64_t spike_deletion_step(const spike_deletion *deletion);
int spike_deletion_samples(const spike_deletion *deletion);
int spike_deletion_bins(const spike_deletion *deletion);
int spike_deletion_phases(const spike_deletion *deletion); /**< samples of the phase deviation: 0 if the model has no phase */
double spike_deletion_sample_time(const spike_deletion *deletion, int sample); /**< ms from the start of a trial */
double spike_deletion_bin_end(const spike_deletion *deletion, int bin);

/** Observers of the intact trial, which comes first, and of the one without the spike. */
void spike_deletion_watch_intact(void *deletion, int64_t step, const int32_t *fired, int count);
void spike_deletion_watch_cut(void *deletion, int64_t step, const int32_t *fired, int count);

/** Compare; ready for the next pair. Collective.
 *  @param cut result of the second trial @param[out] record the columns of a test record but RECORD_SCORE, RECORD_SPIKES, RECORD_CUT_SCORE
 *  @return STATUS_NUMERIC, not agreed, if a drive of this rank is not finite */
status spike_deletion_finish(spike_deletion *deletion, const simulation *simulation, const trial_result *cut, double *record);

#endif
