/* The config module with several systems, whose sections the rule selects, and with keys that had another name before; what is listed of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engram/config.h"

/* ------------------------------------------------------------------------------------------------ two systems and what they share */

typedef struct { int64_t loops; double step; } learning_values;
typedef struct { int64_t neurons, units; } network_values;
typedef struct { int64_t trials; double bin; } test_values;
typedef struct { int64_t spikes; } output_values;

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))
#define AT(of, member) .offset = offsetof(of, member)
#define WHOLE(name, of, member, ...) {.key = name, .type = PARAM_INTEGER, .fallback = "1", .low = 0, .high = 99, .help = "h", AT(of, member), __VA_ARGS__}
#define TABLE(title, entries, type) {.name = title, .help = "help of " title, .params = entries, .count = COUNT(entries), .size = sizeof(type)}

static const param output_entries[] = {WHOLE("spikes", output_values, spikes, .may = MAY_RESUME | MAY_TEST)};
static const param test_entries[] = {
    WHOLE("trials", test_values, trials, .may = MAY_RESUME | MAY_TEST),
    {.key = "bin", .type = PARAM_NUMBER, .unit = UNIT_TIME, .fallback = "2 ms", .low = 0, .high = 99, .help = "h", AT(test_values, bin), .may = MAY_TEST},
};
static const param network_entries[] = {WHOLE("neurons", network_values, neurons, .may = 0)};
static const param units_entries[] = {WHOLE("units", network_values, units, .may = 0)};
static const param loops_entries[] = {WHOLE("loops", learning_values, loops, .may = MAY_RESUME)};
static const param steps_entries[] = {WHOLE("loops", learning_values, loops, .may = MAY_RESUME),
                                      {.key = "step", .type = PARAM_NUMBER, .fallback = "0.5", .low = 0, .high = 1, .help = "h", AT(learning_values, step)}};

static const param_table output_common = TABLE("output", output_entries, output_values), test_common = TABLE("test", test_entries, test_values);
static const param_table network_common = TABLE("network", network_entries, network_values), units_common = TABLE("network", units_entries, network_values);
static const param_table loops_common = TABLE("learning", loops_entries, learning_values), steps_common = TABLE("learning", steps_entries, learning_values);
static const param_table rls = {"rls", "help of rls", NULL, 0, 1}, none = {"none", "help of none", NULL, 0, 1}, up = {"up", "help of up", NULL, 0, 1};
static const param_table down = {"downhill", "help of downhill", NULL, 0, 1};
static const param_table *const first_rules[] = {&rls, &none}, *const second_rules[] = {&down, &up};

static const param_section first_sections[] = {
    {"network", "networks", "of the first", &network_common},
    {"plastic", "plastic", "what learns"},
    {"learning", "rules", "how the first learns", &loops_common, "rule", first_rules, 2},
    {"output", "output", "what is written", &output_common},
    {"test", "test", "trials", &test_common},
};
static const param_section second_sections[] = {
    {"network", "networks", "of the second", &units_common},
    {"task", "tasks", "what is to be done"},
    {"learning", "rules", "how the second learns", &steps_common, "rule", second_rules, 2},
    {"output", "output", "what is written", &output_common},
    {"test", "test", "trials", &test_common},
};
static const config_system systems[] = {
    {"patterns", "the first", first_sections, COUNT(first_sections)},
    {"slopes", "the second", second_sections, COUNT(second_sections)},
};
static const config_moved moved[] = {{"output", "test_trials", "test", "trials"}, {"output", "bin", "test", "bin"}};
static const config_schema schema = {.systems = systems, .system_count = 2, .selecting = "learning", .moved = moved, .moved_count = 2};

/* ------------------------------------------------------------------------------------------------ reading */

enum { PRINTED_BYTES = 1 << 16 };

static context job;
static config *result;
static char printed[PRINTED_BYTES]; /* on stderr */

/** Read a text; what is printed lands in printed. @param overrides NULL: the command line has no say */
static status read_text(const char *text, const char *const *overrides) {
    char name[] = "/tmp/engram_stderr_XXXXXX";
    fflush(stderr);
    int saved = dup(STDERR_FILENO), file = mkstemp(name);
    assert_true(saved >= 0 && file >= 0);
    dup2(file, STDERR_FILENO);
    config_free(result);
    status code = config_read_text(&job, "net.yaml", text, strlen(text), overrides, &schema, &result);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    lseek(file, 0, SEEK_SET);
    ssize_t bytes = read(file, printed, sizeof printed - 1);
    assert_true(bytes >= 0);
    printed[bytes] = '\0';
    close(file);
    unlink(name);
    return code;
}

#define OVERRIDES(...) ((const char *const[]){__VA_ARGS__, NULL})
static const char *const nothing[] = {NULL};

static void expect_system(const char *text, const char *const *overrides, int expected) {
    if (read_text(text, overrides) != STATUS_OK) fail_msg("refused:\n%s", printed);
    assert_string_equal(printed, "");
    assert_int_equal(config_system_index(result), expected);
}

static void expect_mistake(const char *text, const char *const *overrides, const char *expected) {
    assert_int_equal(read_text(text, overrides), STATUS_INPUT);
    assert_string_equal(printed, expected);
}

/* ------------------------------------------------------------------------------------------------ tests */

static void test_selection(void **state) {
    (void)state;
    expect_system("", nothing, 0);
    expect_system("plastic: {}\n", nothing, 0);
    expect_system("learning: {rule: none}\n", nothing, 0);
    assert_int_equal(config_variant_index(result, "learning"), 1);
    expect_system("task: {}\nnetwork: {units: 7}\nlearning: {step: 0.25, rule: up}\n", nothing, 1);
    assert_int_equal(config_variant_index(result, "learning"), 1);
    assert_int_equal(((network_values *)config_common(result, "network"))->units, 7);
    assert_true(((learning_values *)config_common(result, "learning"))->step == 0.25);
    expect_system("", OVERRIDES("learning.rule=up", "learning.rule=none", "learning.rule='downhill'", "network.units=2"), 1);
    assert_int_equal(config_variant_index(result, "learning"), 0);
    expect_system("learning: {rule: rls}\nnetwork: {units: 3}\n", OVERRIDES("learning.rule=downhill"), 1); /* the file's rule is one, too */
    assert_true(config_given(result, "learning", "rule"));
    char *text = config_as_used(result);
    assert_string_equal(text, "network:\n  units: 3\ntask: {}\nlearning:\n  rule: downhill\n  loops: 1\n  step: 0.5\n"
                              "output:\n  spikes: 1\ntest:\n  trials: 1\n  bin: 2 ms\n");
    expect_system(text, nothing, 1);
    free(text);
}

static void test_sections_of_others(void **state) {
    (void)state;
    expect_mistake("plastic: {}\nlearning: {rule: downhill}\n", nothing,
                   "engram: error: net.yaml:1:1: 'plastic' is not a section of rule downhill; its sections are network, task, learning, output, test\n");
    expect_mistake("", OVERRIDES("task.goal=1"),
                   "engram: error: -P task.goal=1: 'task' is not a section of rule rls; its sections are network, plastic, learning, output, test\n");
    expect_mistake("network: {neurons: 3}\n", OVERRIDES("learning.rule=up"), "engram: error: net.yaml:1:11: unknown key 'network.neurons'; keys: units\n");
    expect_mistake("plastc: {}\n", nothing,
                   "engram: error: net.yaml:1:1: unknown section 'plastc' (did you mean 'plastic'?); sections: network, plastic, learning, output, test\n");
}

/** The rules of all systems are named; what hangs on the rule is not told, but what is wrong in any case. */
static void test_unknown_rule(void **state) {
    (void)state;
    expect_mistake("learning: {rule: dwnhill}\nplastic: {}\ntask: {}\nnetwork: {units: 3}\n", nothing,
                   "engram: error: net.yaml:1:18: learning.rule = 'dwnhill' is none of them (did you mean 'downhill'?); "
                   "expected one of rls, none, downhill, up\n");
    expect_mistake("learning: {rule: sideways}\ntask: {}\nplastic: {}\n", nothing,
                   "engram: error: net.yaml:1:18: learning.rule = 'sideways' is none of them; expected one of rls, none, downhill, up\n");
    expect_mistake("learning: {rule: [up]}\ntask: {}\n", nothing,
                   "engram: error: net.yaml:1:18: learning.rule: a list is given; expected one of rls, none, downhill, up\n");
    expect_mistake("", OVERRIDES("learning.rule=upp", "task.x=1"),
                   "engram: error: -P learning.rule=upp: learning.rule = 'upp' is none of them (did you mean 'up'?); expected one of rls, none, downhill, up\n"
                   "engram: error: -P task.x=1: unknown key 'task.x'; keys: \n");
    expect_mistake("learning: {rule: bogus}\n", OVERRIDES("learning.rule=up"), /* although the override would win */
                   "engram: error: net.yaml:1:18: learning.rule = 'bogus' is none of them; expected one of rls, none, downhill, up\n");
    expect_mistake("learning: [1]\ntask: {}\n", nothing,
                   "engram: error: net.yaml:1:11: section 'learning' must be a map of keys ('key: value' lines), not a list\n"
                   "engram: error: net.yaml:2:1: 'task' is not a section of rule rls; its sections are network, plastic, learning, output, test\n");
    assert_int_equal(read_text("", OVERRIDES("learning.rule=[up", "task.x=1")), STATUS_INPUT);
    assert_int_equal(read_text("learning: {rule: up\n", nothing), STATUS_INPUT);
}

static void test_differences(void **state) {
    (void)state;
    expect_system("plastic: {}\nlearning: {loops: 4}\ntest: {trials: 5, bin: 1 ms}\n", nothing, 0);
    config *before = result;
    result = NULL;
    expect_system("learning: {rule: up}\n", nothing, 1);
    char *text = config_differences(before, result, MAY_RESUME);
    assert_string_equal(text, "learning.rule: was rls, is now up\ntest.bin: was 1 ms, is now 2 ms\n");
    free(text);
    text = config_changeable(result, MAY_RESUME);
    assert_string_equal(text, "learning.loops, output.*, test.trials");
    free(text);
    assert_false(config_may_change(result, "learning.rule=rls", MAY_RESUME));
    assert_true(config_may_change(result, "learning.loops=3", MAY_RESUME));
    assert_true(config_may_change(result, "plastic.kind=3", MAY_RESUME)); /* reading it tells more */
    assert_true(config_may_change(result, "output.bin=3", MAY_TEST));
    assert_false(config_may_change(result, "output.bin=3", MAY_RESUME));
    config_free(before);
}

static void expect_test(const char *text, const char *const *overrides, int64_t trials, double bin) {
    if (read_text(text, overrides) != STATUS_OK) fail_msg("refused:\n%s", printed);
    const test_values *values = config_common(result, "test");
    assert_int_equal(values->trials, trials);
    assert_true(values->bin == bin);
}

static void test_moved(void **state) {
    (void)state;
    expect_test("output: {test_trials: 7, spikes: 3, bin: 9 ms}\n", nothing, 7, 9);
    assert_string_equal(printed, "engram: warning: net.yaml:1:10: output.test_trials is called test.trials now; output.bin is called test.bin now\n");
    assert_true(config_given(result, "test", "trials"));
    assert_int_equal(config_complain(result, "test", "trials", "odd"), STATUS_INPUT);
    assert_string_equal(status_message(), "net.yaml:1:10: test.trials: odd");
    status_forget();
    char *used = config_as_used(result);
    assert_non_null(strstr(used, "output:\n  spikes: 3\ntest:\n  trials: 7\n  bin: 9 ms\n"));
    free(used);
    expect_test("output: {test_trials: 7}\n", NULL, 7, 2); /* of an earlier program: nobody can change it */
    assert_string_equal(printed, "");
    expect_test("", OVERRIDES("output.test_trials=3", "output.test_trials=4"), 4, 2);
    assert_string_equal(printed, "engram: warning: -P output.test_trials=3: output.test_trials is called test.trials now\n");
    expect_test("output: {test_trials: 7}\n", OVERRIDES("test.trials=5"), 5, 2);
    expect_test("test: {trials: 7}\nlearning: {rule: up}\n", OVERRIDES("output.test_trials=5"), 5, 2);
}

static void expect_error(const char *text, const char *const *overrides, const char *expected) {
    assert_int_equal(read_text(text, overrides), STATUS_INPUT);
    const char *error = strstr(printed, "engram: error: ");
    assert_non_null(error);
    assert_string_equal(error, expected);
}

static void test_moved_mistakes(void **state) {
    (void)state;
    expect_error("output: {test_trials: 7}\ntest: {trials: 7}\n", nothing,
                 "engram: error: net.yaml:2:8: test.trials is given twice; first in line 1, as output.test_trials\n");
    expect_error("test: {trials: 7}\noutput: {test_trials: 7}\n", nothing,
                 "engram: error: net.yaml:2:10: test.trials is given twice, as output.test_trials; first in line 1\n");
    expect_error("", OVERRIDES("output.test_trials=3", "test.trials=3"),
                 "engram: error: -P test.trials=3: test.trials is given twice, by its name and by its old one\n");
    expect_error("", OVERRIDES("test.trials=3", "output.test_trials=3"),
                 "engram: error: -P output.test_trials=3: test.trials is given twice, by its name and by its old one\n");
    expect_error("output: {test_trials: many}\n", nothing,
                 "engram: error: net.yaml:1:23: test.trials = 'many' is not a number; expected a whole number from 0 to 99\n");
    expect_error("test: {test_trials: 3}\n", nothing, "engram: error: net.yaml:1:8: unknown key 'test.test_trials'; keys: trials, bin\n");
}

/* ------------------------------------------------------------------------------------------------ listing */

static char *list_text(const char *which, status expected) {
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    assert_int_equal(config_list(&schema, which, out), expected);
    fclose(out);
    return text;
}

static void expect_list(const char *which, const char *expected) {
    char *text = list_text(which, STATUS_OK);
    assert_string_equal(text, expected);
    free(text);
}

#define OUTPUT                                          \
    "output: what is written\n"                         \
    "    key     type     unit  default  allowed  meaning\n" \
    "    spikes  integer  -     1        0 .. 99  h\n"
#define TEST                                            \
    "test: trials\n"                                    \
    "    key     type     unit  default  allowed  meaning\n" \
    "    trials  integer  -     1        0 .. 99  h\n"  \
    "    bin     number   ms    2 ms     0 .. 99  h\n"
#define UP "\n  rule: up\n    help of up\n    (no parameters)\n"
#define FIRST_LEARNING                                  \
    "learning: how the first learns\n"                  \
    "    key    type     unit  default  allowed  meaning\n" \
    "    loops  integer  -     1        0 .. 99  h\n"   \
    "\n  rule: rls   (default)\n    help of rls\n    (no parameters)\n" \
    "\n  rule: none\n    help of none\n    (no parameters)\n"
#define SECOND_LEARNING                                 \
    "learning: how the second learns\n"                 \
    "    key    type     unit  default  allowed  meaning\n" \
    "    loops  integer  -     1        0 .. 99  h\n"   \
    "    step   number   -     0.5      0 .. 1   h\n"   \
    "\n  rule: downhill   (default)\n    help of downhill\n    (no parameters)\n" UP
#define FIRST_NETWORK                                   \
    "network: of the first\n"                           \
    "    key      type     unit  default  allowed  meaning\n" \
    "    neurons  integer  -     1        0 .. 99  h\n"
#define SECOND_NETWORK                                  \
    "network: of the second\n"                          \
    "    key    type     unit  default  allowed  meaning\n" \
    "    units  integer  -     1        0 .. 99  h\n"
#define FIRST "---- patterns: the first ----\n\n"
#define SECOND "---- slopes: the second ----\n\n"

static void test_list(void **state) {
    (void)state;
    expect_list("output", OUTPUT);
    expect_list("slopes", SECOND_NETWORK "\ntask: what is to be done\n\n" SECOND_LEARNING "\n" OUTPUT "\n" TEST);
    expect_list("networks", FIRST FIRST_NETWORK "\n" SECOND SECOND_NETWORK);
    expect_list("tasks", SECOND "task: what is to be done\n");
    expect_list("up", SECOND "learning: how the second learns (what all share: engram list learning)\n" UP);
    char *text = list_text(NULL, STATUS_OK);
    const char *sections = strstr(text, OUTPUT);
    assert_memory_equal(text, "Learning systems:\n  patterns  the first; learning.rule: rls, none\n  slopes    the second; learning.rule: downhill, up\n", 100);
    assert_non_null(sections);
    assert_string_equal(sections, OUTPUT "\n" TEST "\n" FIRST FIRST_NETWORK "\nplastic: what learns\n\n" FIRST_LEARNING "\n" SECOND SECOND_NETWORK
                        "\ntask: what is to be done\n\n" SECOND_LEARNING);
    free(text);
}

static void test_list_mistakes(void **state) {
    (void)state;
    static const char *const near[][2] = {{"slpes", "slopes"}, {"netwroks", "networks"}, {"netwrk", "network"}, {"dwnhill", "downhill"}};
    char expected[400];
    for (size_t k = 0; k < sizeof near / sizeof *near; k++) {
        free(list_text(near[k][0], STATUS_INPUT));
        snprintf(expected, sizeof expected, "there is nothing called '%s' to list (did you mean '%s'?); "
                                            "there are: systems patterns, slopes; sections networks, plastic, rules, output, test, tasks",
                 near[k][0], near[k][1]);
        assert_string_equal(status_message(), expected);
        status_forget();
    }
}

int main(int argc, char **argv) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_selection), cmocka_unit_test(test_sections_of_others), cmocka_unit_test(test_unknown_rule), cmocka_unit_test(test_differences),
        cmocka_unit_test(test_moved),     cmocka_unit_test(test_moved_mistakes),     cmocka_unit_test(test_list),         cmocka_unit_test(test_list_mistakes),
    };
    MPI_Init(&argc, &argv);
    job = context_of(MPI_COMM_WORLD);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    config_free(result);
    MPI_Finalize();
    return failed;
}
