/* Trials with frozen weights from fresh random states. What trials add up are whole numbers, so that the result depends neither on the number of
 * ranks nor on which of several groups of ranks ran which trial: training runs and "engram test" give the same bits for the same trials. */
#ifndef ENGRAM_TRAINING_TESTING_H
#define ENGRAM_TRAINING_TESTING_H

#include "subject.h"

/** Which trials, and who runs them. */
typedef struct {
    test_setting setting;
    int groups, group;   /* groups of ranks that hold the whole network each; trial k trials + n is for group (k trials + n) mod groups */
    MPI_Comm between;    /* ranks of equal place in all groups, ordered by group; not looked at with one group */
    bool progress;       /* log a line now and then */
    bool spikes;         /* keep them, for testing_write() */
    run_watch *watch;    /* what may end the tests; NULL: nothing */
} test_plan;

/** Trials that were run, and what they came to. */
typedef struct testing testing;

/** Run the trials. Collective over all groups. The subject's sums live until testing_free().
 *  @param[out] result owned, testing_free(); NULL on failure @return not agreed: STATUS_RESUMABLE on all if the watch ended them;
 *  STATUS_NUMERIC, with a message, on a rank
 *          that found something; STATUS_INPUT on all for a setting that does not fit */
status testing_run(const run_subject *subject, const test_plan *plan, testing **result);
void testing_free(testing *testing);

int testing_tasks(const testing *testing);
int testing_trials_each(const testing *testing);

/** Of a task, in the first group: the first is the rate, the second the score. Borrowed. */
const figure_list *testing_figures(const testing *testing, int task);

/** Where results go, and what they are of. */
typedef struct {
    const char *path, *json; /* json: of the results that stand there, which goes when these take their place; borrowed */
    const char *configuration;
    int64_t loop;            /* that the weights are of */
    bool trained;            /* by the training, not by engram test */
} test_file;

/** test.h5. Collective over the first group. @return h5_commit()'s */
status testing_write(const testing *testing, const test_file *to);

/** Whose results are there? TEST_CUT: of an engram test that ended before it wrote its summary. TEST_UNKNOWN: of a program that did not say, or no results. */
typedef enum { TEST_NONE, TEST_TRAINED, TEST_WHOLE, TEST_CUT, TEST_UNKNOWN } test_origin;

/** On one rank; leaves no message. @param json of the results in @p path, there or not */
test_origin testing_look(const char *path, const char *json);

/** Mean over tasks in which the figure of that name is defined; NAN where it is in none. */
double testing_mean_figure(const testing *testing, const char *name);

#endif
