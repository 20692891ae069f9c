/* The best of the tests between loops (checkpoint.keep_best), and the score at which a run ends (test.stop_at): written once, for every system. What is known
 * of them is in every checkpoint of a run that asks for either, so that it goes on as if it had never been interrupted. */
#ifndef ENGRAM_BEST_H
#define ENGRAM_BEST_H

#include "engram/h5.h"
#include "engram/system.h"

/** A test between loops and its score. Whole values, to be sent as bytes. */
typedef struct {
    int64_t loop;   /* after which it was; 0: none */
    int32_t score;  /* index into learning_system.scores */
    double value;
} scored_test;

typedef struct {
    bool watched;        /* somebody asks for what follows */
    bool kept;           /* checkpoint.keep_best */
    bool validates;      /* tests between loops have samples of their own (system_facts.validation) */
    double stop_at;      /* test.stop_at; NAN: at none */
    scored_test best;    /* the earliest of the best ones */
    scored_test reached; /* the first one at stop_at */
} best_tests;

best_tests best_begin(config *config);

/** What scores of tests between loops are called by: "test_", or "validation_" if these have samples of their own. */
const char *best_prefix(bool validates);

/** Take in a test between loops. Not collective: rank 0 has the scores. @param scores [score_count] @return is it the best one so far? */
bool best_judge(best_tests *tests, const learning_system *system, int64_t loop, const double *scores);

/** The number of loops with which a run ends: one more of each task behind the test that reached test.stop_at, the last ones of these tasks. */
int64_t best_ends(const best_tests *tests, const learning_system *system, int64_t loops, int tasks);

/** "test_accuracy 0.9612 after loop 40". @param[out] text [size] */
void best_say(const best_tests *tests, const learning_system *system, const scored_test *test, char *text, size_t size);

/** In the group `best` of a checkpoint. Nothing is written where nothing is watched; what is not there is not read. */
void best_save(const best_tests *tests, const learning_system *system, h5_file *file);
void best_load(best_tests *tests, const learning_system *system, h5_reader *reader);

#endif
