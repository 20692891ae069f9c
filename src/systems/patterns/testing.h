/* Trials of a network with frozen weights: what they add up, and what that comes to. */
#ifndef ENGRAM_PATTERNS_TESTING_H
#define ENGRAM_PATTERNS_TESTING_H

#include "firing.h"
#include "patterns.h"
#include "rate_fit.h"
#include "spike_deletion.h"

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
    const double *record;   /**< [trials][columns], borrowed */
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
    int firing;             /**< column of FIRING_MEASURES times populations; 0: there are none */
    int phases;             /**< samples of the phase deviation: as many, or 0 if the neurons have no phase */
    double *sample_time;    /**< [samples] ms from the start of a trial */
    double *bin_end;        /**< [bins] ms from the start of a trial */
} test_result;

/** Sums over the trials of one task that this group ran. */
typedef struct {
    int64_t *value;           /**< [instants][mine] in multiples of 1/scale */
    int64_t *score, *defined; /**< [mine] r in multiples of 1/SCORE_SCALE; trials where it is defined */
    psth psth;
} test_sums;

/** Between test_begin() and test_end(). */
typedef struct patterns_test {
    test_setting setting;
    double scale;             /**< a power of two such that the values of all trials, below 65536 each, add up to less than 2^63 */
    int columns;
    spike_deletion *deletion; /**< NULL: no spike is deleted */
    firing *firing;            /**< of populations, NULL: there are none */
    int firing_column;      /**< of the record, where it begins */
    double *each;             /**< [mine] scratch */
    test_sums *to;            /**< of the trial that runs now */
    double bad;               /**< its first value that is too large for sums, or no number */
    int bad_instant, bad_neuron; /**< where that is, from 0 and local index; instant -1: nowhere */
    test_sums *sums;          /**< [tasks] */
    test_result *results;     /**< [tasks], once a task is finished */
} patterns_test;

/** Hooks of learning_system. */
status patterns_test_begin(void *self, const test_setting *setting, int *columns);
void patterns_test_sums(void *self, int task, tally_list *list);
status patterns_test_trial(void *self, const test_trial *trial, double *record);
void patterns_test_task(void *self, int task, const double *records, figure_list *figures);
void patterns_test_write(void *self, int task, h5_file *file);
void patterns_test_figures(const void *self, figure_list *figures);
void patterns_test_describe(const void *self);
void patterns_test_end(void *self);

/** Rate and scores of a task: means over recorded units (or all trained neurons where nothing is recorded), and over auxiliary targets where there are any.
 *  Not collective. */
void testing_scores(const simulation *sim, const test_result *test, figure_list *figures);

/** Mean over trials of a record's column; trials where it is NAN are left out, NAN if all are. @param[out] sd over them, may be NULL; @return mean */
double testing_mean(const test_result *result, int column, double *sd);

#endif
