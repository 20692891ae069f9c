/* Trials with frozen weights from fresh random states. What is accumulated over trials are integers, so that the result depends neither on the number of
 * ranks nor on which of several groups of ranks ran which trial: training runs and "engram test" give the same bits for the same trials. */
#ifndef ENGRAM_SIM_TESTING_H
#define ENGRAM_SIM_TESTING_H

#include "engram/observe.h"
#include "../systems/patterns/rate_fit.h"

enum { TEST_TRIALS_MAX = 1 << 20 };

/** Which trials, and who runs them. */
typedef struct {
    int trials;          /**< of each task; trial n of task k has stream STREAM_TEST + tasks skip + k trials + n */
    int skip;            /**< trials of each task that are passed over: with skip = trials there is no trial in common with those of skip 0 */
    int groups, group;   /**< groups of ranks that hold the whole network each; trial k trials + n is for group (k trials + n) mod groups */
    MPI_Comm between;    /**< ranks of equal place in all groups, ordered by group; not looked at with one group */
    double delete_spike; /**< ms from the start of a trial; every trial is run again without the first spike from then on. NAN: no */
    bool progress;       /**< log a line now and then */
    run_watch *watch;    /**< what may end the tests; NULL: nothing */
} test_plan;

/** What a single trial leaves: columns of a record. */
enum {
    RECORD_SCORE,       /**< [SCORES] mean r over neurons, by kind of target */
    RECORD_SPIKES = RECORD_SCORE + SCORES, /**< of all neurons */
    RECORD_PLAIN,       /**< columns without a deleted spike; with one: */
    RECORD_CUT_SCORE = RECORD_PLAIN, /**< mean r of the trial without the spike with the target, SCORE_GIVEN */
    RECORD_AGREEMENT,   /**< mean over neurons of the correlation of both drives, from the deletion to the end of the target window */
    RECORD_DIVERGED,    /**< ms, as the next two; spike_deletion.h */
    RECORD_RECONVERGED,
    RECORD_SPIKES_DIFFER,
    RECORD_SPIKE_TIME,  /**< ms, NAN: there was none to delete */
    RECORD_SPIKE_NEURON,/**< gid or -1 */
    RECORD_SERIES,      /**< from here on: RMS difference of the drives [samples], fraction of differing spikes [bins], phase deviation [phases] */
};

/** Results of one task's trials. */
typedef struct {
    int trials, columns;
    double *record;         /**< [trials][columns] */
    double *average;        /**< [instants][mine] trial-averaged value */
    double *neuron_score;   /**< [mine] r of the trial average */
    double *single_score;   /**< [mine] r of single trials, averaged over those where it is defined */
    double average_score[SCORES];   /**< mean r of the trial average */
    double mean_single_score[SCORES], sd_single_score[SCORES]; /**< over trials; SD with trials - 1, NAN for less than two */
    rate_fit *rate_fit;     /**< of the PSTH, NULL where targets are no rates */
    double rate_score[SCORES];      /**< mean of its correlation */
    double rate_hz;         /**< of the neurons that are not deleted, over whole trials */
    double hz_per_spike;    /**< rate of a trial over its number of spikes */
    psth psth;
    double delete_spike;    /**< as planned */
    int samples, bins;      /**< of the series; 0 without a deleted spike */
    int phases;             /**< samples of the phase deviation: as many, or 0 if the neurons have no phase */
    double *sample_time;    /**< [samples] ms from the start of a trial */
    double *bin_end;        /**< [bins] ms from the start of a trial */
} test_result;

/** Run the trials. Collective over all groups.
 *  @param[out] results [tasks], owned by the caller, testing_free(); NULL on failure and on all groups but the first
 *  @return not agreed: STATUS_RESUMABLE on all if the watch ended them; STATUS_NUMERIC, with a message, on a rank whose values are not finite or 65536 and more; STATUS_INPUT on all for a plan that does not fit */
status testing_trials(simulation *simulation, const test_plan *plan, test_result **results);
void testing_free(test_result *results, int tasks);

/** Mean over trials of a record's column; trials where it is NAN are left out, NAN if all are. @param[out] sd over them, may be NULL; @return mean */
double testing_mean(const test_result *result, int column, double *sd);

#endif
