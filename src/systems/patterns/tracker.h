/** @file tracker.h
 *  What is measured while a trial runs: rolling-average drive and its correlation with the target, peri-stimulus histograms.
 */
#ifndef ENGRAM_PATTERNS_TRACKER_H
#define ENGRAM_PATTERNS_TRACKER_H

#include "engram/output.h"
#include "simulation.h"

/** Follows the drive (or phi2 of it, for rate targets) through the target window as averages around every learning instant (patterns/README.md 6.3):
 *  at each whole ms tau after the stimulus the value is added to bins max(1,a) .. min(a+m, instants), a = floor((tau - w)/every + 1), m = round(2w/every - 1).
 *  Kept as sums over the stretches between bin edges, so that a ms costs one addition a neuron, and of those only what open bins need: an average is made as
 *  soon as its bin is over, and kept of neurons that have targets. w = 0: the value at the instant itself. */
typedef struct tracker tracker;

/** Takes the averages of all my neurons at an instant, in the order of instants. @param instant from 0 @param average [mine] */
typedef void (*tracker_take)(void *self, int instant, const double *average);

/** @param window w in ms. @return owned. Not collective. */
tracker *tracker_new(const simulation *simulation, double window);
void tracker_free(tracker *tracker);
/** Values that a tracker holds of each neuron, besides one an instant of those that have targets. @param every ms between instants. Not collective. */
int64_t tracker_rows(int instants, double every, double window);
/** Before each trial. @param take called with @p self while the trial runs, and by tracker_finish(); NULL: nobody wants averages of all neurons */
void tracker_begin(tracker *tracker, tracker_take take, void *self);
void tracker_step(void *tracker, int64_t step, const int32_t *fired, int count); /**< observer */
/** After the trial: averages of neurons that have targets, [instants][columns] (targets.h), borrowed. */
const double *tracker_finish(tracker *tracker);
/** The columns of neurons that have targets of a table of all neurons, in the place of a trial's averages. @param all [instants][mine]
 *  @return [instants][columns], borrowed: @p all itself where all have targets */
const double *tracker_select(tracker *tracker, const double *all);

/** Pearson correlation of the columns of two tables, NAN where either does not vary. Not collective.
 *  @param x, y [count] rows, @p stride values apart @param[out] r [columns] */
void score_pearson(const double *x, const double *y, int count, int64_t stride, int columns, double *r);

/** Means over the trained neurons of a kind; NAN where it is defined for none of them. */
typedef struct {
    double mean[SCORES];
    int64_t undefined; /**< trained neurons, of all kinds, for which it is not defined */
} score;

/** Mean of a value of each neuron over the trained ones, by kind of target. Collective; exact over ranks. @param each [mine], NAN: undefined */
score score_mean(const simulation *simulation, const double *each);

/** Pearson correlation of each trained neuron's values with its target, averaged. Collective; exact over ranks.
 *  @param values [instants][columns] (targets.h) @param[out] each [mine] r of each neuron, NAN where undefined or untrained; may be NULL */
score score_values(const simulation *simulation, int task, const double *values, double *each);

enum { SCORE_TEXT = 64 };
/** "0.610", or where there are auxiliary targets "0.610 recorded, 0.770 auxiliary". @param means [SCORES] @return text [SCORE_TEXT] */
char *score_show(const simulation *simulation, const double *means, char *text);

/** Spike counts in bins of the target window. */
typedef struct {
    int64_t window;     /**< step at which the target window begins */
    int mine;
    int64_t bin;        /**< steps */
    int bins;
    uint32_t *count;    /**< [bins][mine], over all trials since psth_init() */
} psth;
void psth_init(psth *psth, const simulation *simulation, double bin_ms);
void psth_step(void *psth, int64_t step, const int32_t *fired, int count); /**< observer */
void psth_clear(psth *psth);

#endif
