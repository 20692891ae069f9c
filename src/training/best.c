#include "best.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint.h"
#include "engram/test_settings.h"

#define GROUP "best"

best_tests best_begin(config *config) {
    best_tests tests = {.kept = ((const checkpoint_settings *)config_common(config, "checkpoint"))->keep_best,
                        .stop_at = ((const test_settings *)config_common(config, "test"))->stop_at};
    tests.watched = tests.kept || !isnan(tests.stop_at);
    return tests;
}

/** Is a value at least as good as another one of the same score? */
static bool as_good(const learning_system *system, int score, double value, double as) {
    return system->scores[score].better > 0 ? value >= as : value <= as;
}

/** Is what reached test.stop_at, maybe another one in an earlier part of the run, good enough for that of now? */
static bool is_reached(const best_tests *tests, const learning_system *system) {
    const scored_test *reached = &tests->reached;
    return reached->loop && !isnan(tests->stop_at) && as_good(system, reached->score, reached->value, tests->stop_at);
}

bool best_judge(best_tests *tests, const learning_system *system, int64_t loop, const double *scores) {
    int score = system->score_count - 1;
    while (score >= 0 && (!system->scores[score].better || isnan(scores[score]))) score--;
    if (!tests->watched || score < 0) return false;
    const scored_test test = {loop, score, scores[score]};
    if (!is_reached(tests, system) && !isnan(tests->stop_at) && as_good(system, score, test.value, tests->stop_at)) tests->reached = test;
    const scored_test *best = &tests->best;
    if (best->loop && best->score == score && as_good(system, score, best->value, test.value)) return false;
    tests->best = test;
    return true;
}

int64_t best_ends(const best_tests *tests, const learning_system *system, int64_t loops, int tasks) {
    int64_t ends = is_reached(tests, system) ? tests->reached.loop + tasks : loops;
    return ends < loops ? ends : loops;
}

const char *best_prefix(bool validates) {
    return validates ? "validation_" : "test_";
}

void best_say(const best_tests *tests, const learning_system *system, const scored_test *test, char *text, size_t size) {
    const metric *score = &system->scores[test->score];
    snprintf(text, size, "%s%s %.*f after loop %lld", best_prefix(tests->validates), score->name, score->decimals, test->value, (long long)test->loop);
}

static void save_test(h5_file *file, const learning_system *system, const char *group, const scored_test *test) {
    h5_group(file, group);
    h5_attribute(file, group, "loop", H5_INT64, 0, &test->loop);
    h5_attribute(file, group, "value", H5_FLOAT64, 0, &test->value);
    h5_attribute_text(file, group, "score", test->loop ? system->scores[test->score].name : "");
}

void best_save(const best_tests *tests, const learning_system *system, h5_file *file) {
    if (!tests->watched) return;
    h5_group(file, GROUP);
    save_test(file, system, GROUP "/best", &tests->best);
    save_test(file, system, GROUP "/reached", &tests->reached);
}

static void load_test(h5_reader *reader, const learning_system *system, const char *group, scored_test *test) {
    *test = (scored_test){0};
    h5_reader_attribute(reader, group, "loop", H5_INT64, 0, &test->loop);
    h5_reader_attribute(reader, group, "value", H5_FLOAT64, 0, &test->value);
    char *name = h5_reader_text(reader, group, "score");
    while (test->score < system->score_count && strcmp(system->scores[test->score].name, name) != 0) test->score++;
    if (test->score == system->score_count) *test = (scored_test){0}; /* none, or one that this version has not */
    free(name);
}

void best_load(best_tests *tests, const learning_system *system, h5_reader *reader) {
    if (!tests->watched || !h5_reader_has(reader, GROUP)) return;
    load_test(reader, system, GROUP "/best", &tests->best);
    load_test(reader, system, GROUP "/reached", &tests->reached);
}
