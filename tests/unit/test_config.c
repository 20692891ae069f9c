/* The config module against a schema of its own: every rule of config.h, with the exact words that a user gets to see. One rank is enough. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <float.h>
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engram/config.h"

/* ------------------------------------------------------------------------------------------------ schema */

typedef struct { int64_t size, seed; } network_params;
typedef struct { double p; char *wiring; } balanced_params;
typedef struct { double foo, p; } random_params;
typedef struct {
    double tau, rate, voltage, factor, reset;
    int64_t threads, delay;
    bool exact;
    int method;
    param_numbers taus, weights, gains;
} neuron_params;
typedef struct { char *file, *title; param_texts report, labels; } output_params;
typedef struct { int64_t trials; char *target; } task_params;

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))
#define TABLE(entries, type, title) \
    {.name = (title), .help = "help of " title, .params = (entries), .count = COUNT(entries), .size = sizeof(type)}
#define AT(type, member) .offset = offsetof(type, member)

static const param network_entries[] = {
    {.key = "size", .type = PARAM_INTEGER, .fallback = "100", .low = 1, .high = 1e9, .help = "neurons", AT(network_params, size)},
    {.key = "seed", .type = PARAM_INTEGER, .fallback = "1", .low = -INFINITY, .high = INFINITY, .help = "seed", AT(network_params, seed)},
};
static const param balanced_entries[] = {
    {.key = "p", .type = PARAM_NUMBER, .fallback = "0.1", .low = 0, .high = 1, .help = "density", AT(balanced_params, p)},
    {.key = "wiring", .type = PARAM_TEXT, .fallback = "a b: #c", .help = "any text", AT(balanced_params, wiring)},
};
static const param random_entries[] = {
    {.key = "foo", .type = PARAM_NUMBER, .fallback = "1", .low = 0, .high = 9, .help = "foo", AT(random_params, foo)},
    {.key = "p", .type = PARAM_NUMBER, .fallback = "0.2", .low = 0, .high = 1, .help = "density", AT(random_params, p)},
};
static const param neuron_entries[] = {
    {.key = "tau", .type = PARAM_NUMBER, .unit = UNIT_TIME, .fallback = "10 ms", .low = 0, .high = 1e7, .help = "membrane", AT(neuron_params, tau)},
    {.key = "rate", .type = PARAM_NUMBER, .unit = UNIT_RATE, .fallback = "5 Hz", .low = 0, .high = 1e6, .help = "rate", AT(neuron_params, rate)},
    {.key = "voltage", .type = PARAM_NUMBER, .unit = UNIT_VOLTAGE, .fallback = "-65 mV", .low = -1e3, .high = 1e3, .help = "v",
     AT(neuron_params, voltage)},
    {.key = "factor", .type = PARAM_NUMBER, .fallback = "1", .low = -INFINITY, .high = INFINITY, .help = "factor", AT(neuron_params, factor)},
    {.key = "reset", .type = PARAM_NUMBER, .unit = UNIT_VOLTAGE, .fallback = "auto", .low = -99, .high = 0, .help = "reset",
     AT(neuron_params, reset)},
    {.key = "threads", .type = PARAM_INTEGER, .fallback = "auto", .low = 1, .high = 64, .help = "threads", AT(neuron_params, threads)},
    {.key = "delay", .type = PARAM_INTEGER, .unit = UNIT_TIME, .fallback = "2 ms", .low = 1, .high = 1e4, .help = "delay", AT(neuron_params, delay)},
    {.key = "exact", .type = PARAM_FLAG, .fallback = "false", .help = "exact", AT(neuron_params, exact)},
    {.key = "method", .type = PARAM_CHOICE, .fallback = "euler", .choices = "exact euler heun", .help = "method", AT(neuron_params, method)},
    {.key = "taus", .type = PARAM_NUMBERS, .unit = UNIT_TIME, .fallback = "[70 ms, 150 ms]", .low = 1, .high = 500, .help = "taus",
     AT(neuron_params, taus)},
    {.key = "weights", .type = PARAM_NUMBERS, .fallback = "[]", .low = -9, .high = 9, .help = "weights", AT(neuron_params, weights)},
    {.key = "gains", .type = PARAM_NUMBERS, .unit = UNIT_RATE, .fallback = "3 Hz", .low = 0, .high = 9, .help = "gains", AT(neuron_params, gains)},
};
static const param output_entries[] = {
    {.key = "file", .type = PARAM_TEXT, .fallback = "", .help = "file", AT(output_params, file)},
    {.key = "title", .type = PARAM_TEXT, .fallback = "\"quoted: \\\"x\\\"\"", .help = "title", AT(output_params, title)},
    {.key = "report", .type = PARAM_TEXTS, .fallback = "[drive]", .choices = "drive voltage spikes", .help = "report", AT(output_params, report)},
    {.key = "labels", .type = PARAM_TEXTS, .fallback = "[]", .help = "labels", AT(output_params, labels)},
};
static const param task_entries[] = {
    {.key = "trials", .type = PARAM_INTEGER, .low = 1, .high = 1000, .help = "number of trials", AT(task_params, trials)},
    {.key = "target", .type = PARAM_TEXT, .help = "name of the target", AT(task_params, target)},
};

static const param_table network_common = TABLE(network_entries, network_params, "network");
static const param_table balanced = TABLE(balanced_entries, balanced_params, "balanced_ei");
static const param_table random_variant = TABLE(random_entries, random_params, "random");
static const param_table plain_variant = {.name = "plain", .help = "no parameters", .size = 1};
static const param_table neuron_common = TABLE(neuron_entries, neuron_params, "neuron");
static const param_table output_common = TABLE(output_entries, output_params, "output");
static const param_table task_common = TABLE(task_entries, task_params, "task");
static const param_table *const network_variants[] = {&balanced, &random_variant, &plain_variant};

/* "task" is last, so that tests that do not care about required keys leave it out. */
static const param_section schema[] = {
    {.name = "network", .plural = "networks", .help = "the network", .common = &network_common, .selector = "kind", .variants = network_variants,
            .variant_count = 3},
    {.name = "neuron", .plural = "neurons", .help = "the neurons", .common = &neuron_common},
    {.name = "output", .plural = "output", .help = "the output", .common = &output_common},
    {.name = "empty", .plural = "empty", .help = "nothing"},
    {.name = "task", .plural = "tasks", .help = "the task", .common = &task_common},
};
enum { SECTIONS = 4, SECTIONS_WITH_TASK = 5 };
static config_system only = {.sections = schema};
static const config_schema whole = {.systems = &only, .system_count = 1};

/* ------------------------------------------------------------------------------------------------ reading with captured stderr */

enum { PRINTED_BYTES = 1 << 17 };

/** What one config_read() did. */
typedef struct {
    status code;
    config *config;
    char printed[PRINTED_BYTES]; /**< stderr */
} outcome;

static outcome last;
static char folder[] = "/tmp/engram_config_XXXXXX";
static char file_path[64];

static int stderr_redirect(char *name) {
    fflush(stderr);
    int saved = dup(STDERR_FILENO), file = mkstemp(name);
    assert_true(saved >= 0 && file >= 0);
    dup2(file, STDERR_FILENO);
    close(file);
    return saved;
}

static void stderr_restore(int saved, const char *name, char *text) {
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    FILE *file = fopen(name, "r");
    assert_non_null(file);
    text[fread(text, 1, PRINTED_BYTES - 1, file)] = '\0';
    fclose(file);
    unlink(name);
}

static void read_path(const char *path, const char *const *overrides, int sections) {
    context job = context_of(MPI_COMM_WORLD);
    char name[] = "/tmp/engram_stderr_XXXXXX";
    config_free(last.config);
    last.config = NULL;
    int saved = stderr_redirect(name);
    only.section_count = sections;
    last.code = config_read(&job, path, overrides, &whole, &last.config);
    stderr_restore(saved, name, last.printed);
    assert_true((last.code == STATUS_OK) == (last.config != NULL));
    assert_string_equal(status_message(), "");
}

static void write_bytes(const char *bytes, size_t length) {
    FILE *file = fopen(file_path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

static void read_with(const char *text, const char *const *overrides) {
    write_bytes(text, strlen(text));
    read_path(file_path, overrides, SECTIONS);
}

#define OVERRIDES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void expect_printed(const char *fragment) {
    if (strstr(last.printed, fragment)) return;
    fail_msg("expected to see\n  %s\nin\n%s", fragment, last.printed);
}

static int count_lines(const char *text) {
    int lines = 0;
    for (; *text; text++) lines += *text == '\n';
    return lines;
}

static void expect_good(const char *text) {
    read_with(text, NULL);
    if (last.code != STATUS_OK) fail_msg("refused:\n%s\n%s", text, last.printed);
    assert_string_equal(last.printed, "");
}

/** Exactly one message, and this in it. */
static void expect_mistake(const char *text, const char *fragment) {
    read_with(text, NULL);
    assert_int_equal(last.code, STATUS_INPUT);
    expect_printed(fragment);
    expect_printed("engram: error: ");
    if (count_lines(last.printed) != 1) fail_msg("expected one message:\n%s", last.printed);
}

static void expect_override_mistake(const char *override, const char *fragment) {
    read_with("", OVERRIDES(override));
    assert_int_equal(last.code, STATUS_INPUT);
    expect_printed(fragment);
    assert_int_equal(count_lines(last.printed), 1);
}

static neuron_params *neuron(void) {
    return config_common(last.config, "neuron");
}

static network_params *network(void) {
    return config_common(last.config, "network");
}

static output_params *output(void) {
    return config_common(last.config, "output");
}

static void expect_neuron_number(const char *key, const char *value, size_t offset, double expected) {
    char text[300];
    snprintf(text, sizeof text, "neuron:\n  %s: %s\n", key, value);
    expect_good(text);
    double got = *(double *)((char *)neuron() + offset);
    if (memcmp(&got, &expected, sizeof got) != 0) fail_msg("%s: got %.17g, not %.17g", value, got, expected);
}

static void expect_neuron_mistake(const char *key, const char *value, const char *fragment) {
    char text[600];
    snprintf(text, sizeof text, "neuron:\n  %s: %s\n", key, value);
    expect_mistake(text, fragment);
}

/* ------------------------------------------------------------------------------------------------ tests */

static void check_defaults(void) {
    assert_int_equal(last.code, STATUS_OK);
    assert_string_equal(last.printed, "");
    assert_int_equal(config_variant_index(last.config, "network"), 0);
    balanced_params *variant = config_variant(last.config, "network");
    assert_true(variant->p == 0.1);
    assert_string_equal(variant->wiring, "a b: #c"); /* the default of a text is taken as it is */
    assert_int_equal(network()->size, 100);
    assert_true(neuron()->tau == 10 && neuron()->rate == 5 && neuron()->voltage == -65);
    assert_true(isnan(neuron()->reset));
    assert_true(neuron()->threads == PARAM_AUTO_INTEGER && neuron()->delay == 2);
    assert_false(neuron()->exact);
    assert_int_equal(neuron()->method, 1);
    assert_int_equal(neuron()->taus.count, 2);
    assert_true(neuron()->taus.values[0] == 70 && neuron()->taus.values[1] == 150);
    assert_int_equal(neuron()->weights.count, 0);
    assert_string_equal(output()->file, "");
    assert_string_equal(output()->title, "quoted: \"x\"");
    assert_int_equal(output()->report.count, 1);
    assert_string_equal(output()->report.values[0], "drive");
    assert_false(config_given(last.config, "neuron", "tau"));
    assert_false(config_given(last.config, "network", "kind"));
    assert_null(config_variant(last.config, "neuron"));
    assert_null(config_common(last.config, "empty"));
}

static void test_defaults(void **state) {
    (void)state;
    static const char *const nothing[] = {"", "# comment\n\n", "---\n", "--- {}\n...\n", "{}", "~", "output:\n", "output: ~\nneuron: {}\nempty:\n",
            "\xEF\xBB\xBF# mark\n"};
    read_path(NULL, NULL, SECTIONS);
    check_defaults();
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++) {
        read_with(nothing[i], NULL);
        check_defaults();
    }
}

static void test_values(void **state) {
    (void)state;
    expect_good("network:\n  kind: random\n  size: 1e5\n  foo: 2\n  p: 1.0\n"
                "neuron: {tau: 20 ms, exact: true, method: heun, taus: [0.1 s, 5], weights: -1.5, reset: auto, threads: auto}\n"
                "output:\n  file: a b/c.h5\n  report:\n    - voltage\n    - spikes\n  labels: [\"\", 'x y', 7]\n");
    random_params *variant = config_variant(last.config, "network");
    assert_int_equal(config_variant_index(last.config, "network"), 1);
    assert_int_equal(network()->size, 100000);
    assert_true(variant->foo == 2 && variant->p == 1);
    assert_true(neuron()->tau == 20 && neuron()->exact && neuron()->method == 2);
    assert_int_equal(neuron()->taus.count, 2);
    assert_true(neuron()->taus.values[0] == 100 && neuron()->taus.values[1] == 5);
    assert_int_equal(neuron()->weights.count, 1);
    assert_true(neuron()->weights.values[0] == -1.5);
    assert_true(isnan(neuron()->reset) && neuron()->threads == PARAM_AUTO_INTEGER);
    assert_string_equal(output()->file, "a b/c.h5");
    assert_int_equal(output()->report.count, 2);
    assert_string_equal(output()->report.values[1], "spikes");
    assert_int_equal(output()->labels.count, 3);
    assert_string_equal(output()->labels.values[0], "");
    assert_string_equal(output()->labels.values[2], "7");
    assert_true(config_given(last.config, "neuron", "reset") && config_given(last.config, "network", "kind"));
    assert_false(config_given(last.config, "neuron", "rate"));
    expect_good("neuron:\n  taus: []\noutput:\n  report: []\n  labels: one\n");
    assert_int_equal(neuron()->taus.count, 0);
    assert_int_equal(output()->report.count, 0);
    assert_string_equal(output()->labels.values[0], "one");
    read_with("neuron:\n  gains: [1, 2]\n  weights: [1, 2]\n", OVERRIDES("neuron.gains=[]", "neuron.weights=[]")); /* both take back what the file gives */
    assert_int_equal(last.code, STATUS_OK);
    assert_true(neuron()->gains.count == 1 && neuron()->gains.values[0] == 3 && neuron()->weights.count == 0);
    expect_good("network:\n  kind: plain\n");
    assert_int_equal(config_variant_index(last.config, "network"), 2);
}

static void test_numbers(void **state) {
    (void)state;
    size_t factor = offsetof(neuron_params, factor);
    static const struct { const char *text; double value; } good[] = {
        {"1e5", 1e5}, {"1E+5", 1e5}, {"-1.5e-3", -1.5e-3}, {"+5", 5}, {".5", .5}, {"5.", 5}, {"0", 0}, {"-0.0", -0.0}, {"0.1", 0.1},
        {"1.7976931348623157e308", DBL_MAX}, {"5e-324", 5e-324}, {"\"12\"", 12}, {"0.30000000000000004", 0.1 + 0.2}, {"0e-999999999999999", 0},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) expect_neuron_number("factor", good[i].text, factor, good[i].value);
    static const struct { const char *text, *problem; } bad[] = {
        {"12abc", "neuron.factor = '12abc' is not a number: 'abc' is left over; expected a number"},
        {"1,5", "'1,5' is not a number: ',5' is left over"},
        {"nan", "'nan' is not a number"}, {"inf", "'inf' is not a number"}, {".inf", "'.inf' is not a number"},
        {"0x10", "'0x10' is not a number: 'x10' is left over"},
        {"\"\"", "'' is not a number"}, {"010", "'010' has leading zeros"}, {"-00.5", "'-00.5' has leading zeros"},
        {"1e400", "'1e400' is too large for a double"},
        {"1e99999999999999999999", "is too large for a double"}, {"1e-400", "'1e-400' is too small for a double"},
        {"1_000", "'1_000' is not a number"}, {"1.2.3", "'1.2.3' is not a number: '.3'"},
        {"- 5", "YAML syntax: block sequence entries are not allowed in this context"}, {"e5", "'e5' is not a number"}, {".", "'.' is not a number"},
        {"-", "YAML syntax"},
        {"5 ms", "'5 ms' has the unit ms, but takes no unit"}, {"auto", "'auto' is not a number"}, {"true", "'true' is not a number"},
        {"--5", "'--5' is not a number"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) expect_neuron_mistake("factor", bad[i].text, bad[i].problem);
    expect_neuron_mistake("factor", "", "net.yaml:2:10: neuron.factor: no value is given; expected a number");
    expect_neuron_mistake("factor", "null", "net.yaml:2:11: neuron.factor: no value is given");
}

static void test_units(void **state) {
    (void)state;
    size_t tau = offsetof(neuron_params, tau), rate = offsetof(neuron_params, rate), voltage = offsetof(neuron_params, voltage);
    expect_neuron_number("tau", "20 ms", tau, 20);
    expect_neuron_number("tau", "20ms", tau, 20);
    expect_neuron_number("tau", "20", tau, 20);
    expect_neuron_number("tau", "0.02 s", tau, 20);
    expect_neuron_number("tau", "0.0351 s", tau, 35.1);
    expect_neuron_number("tau", "2e-2s", tau, 20);
    expect_neuron_number("tau", "100 us", tau, 0.1);
    expect_neuron_number("tau", "3 us", tau, 0.003);
    expect_neuron_number("tau", "0.1 min", tau, 6000);
    expect_neuron_number("tau", "1 h", tau, 3600000);
    expect_neuron_number("rate", "5 Hz", rate, 5);
    expect_neuron_number("rate", "0.005 kHz", rate, 5);
    expect_neuron_number("rate", "1/ms", rate, 1000);
    expect_neuron_number("rate", "0.005 1/ms", rate, 5);
    expect_neuron_number("rate", "5 1/s", rate, 5);
    expect_neuron_number("rate", "5/s", rate, 5);
    expect_neuron_number("voltage", "-0.07 V", voltage, -70);
    for (int i = 1; i < 1000; i += 97) { /* identity: i tenths of a microsecond are the same bits in seconds and in milliseconds */
        char seconds[40], milliseconds[40];
        snprintf(seconds, sizeof seconds, "%.7f s", i * 1e-7);
        snprintf(milliseconds, sizeof milliseconds, "%.4f", i * 1e-4);
        expect_neuron_number("tau", seconds, tau, strtod(milliseconds, NULL));
    }
    expect_neuron_mistake("tau", "20 mV", "neuron.tau = '20 mV' has the unit mV of a voltage; expected a number in ms (also s, us, min, h) from 0 to "
            "10000000");
    expect_neuron_mistake("tau", "20 sec", "'20 sec' has the unknown unit 'sec' (did you mean 's'?); expected a number in ms (also s, us, min, h)");
    expect_neuron_mistake("tau", "20 fortnights", "has the unknown unit 'fortnights'; expected a number in ms");
    expect_neuron_mistake("rate", "5 ms", "has the unit ms of a time; expected a number in Hz (also kHz, 1/s, 1/ms)");
    expect_neuron_mistake("rate", "5 hz", "has the unknown unit 'hz' (did you mean 'Hz'?)");
    expect_neuron_mistake("tau", "20 m s", "has the unknown unit 'm s'");
    expect_neuron_mistake("tau", "auto", "'auto' is not a number");
    expect_neuron_mistake("taus", "[70 ms, 20 Hz]", "net.yaml:2:17: neuron.taus = '20 Hz' has the unit Hz of a rate");
}

static void expect_seed(const char *value, int64_t expected) {
    char text[200];
    snprintf(text, sizeof text, "network:\n  seed: %s\n", value);
    expect_good(text);
    if (network()->seed != expected) fail_msg("%s gave %lld", value, (long long)network()->seed);
}

static void expect_seed_mistake(const char *value, const char *fragment) {
    char text[700];
    snprintf(text, sizeof text, "network:\n  seed: %s\n", value);
    expect_mistake(text, fragment);
}

static void test_integers(void **state) {
    (void)state;
    expect_seed("1e5", 100000);
    expect_seed("100000", 100000);
    expect_seed("100000.0", 100000);
    expect_seed("1.5e1", 15);
    expect_seed("1500e-2", 15);
    expect_seed("-7", -7);
    expect_seed("0.000", 0);
    expect_seed("0e99999", 0);
    expect_seed("12345678901234567", 12345678901234567);
    expect_seed("9007199254740993.0", 9007199254740993);
    expect_seed("9223372036854775807", INT64_MAX);
    expect_seed("-9223372036854775807", -INT64_MAX);
    expect_seed_mistake("1.5", "network.seed = '1.5' is not a whole number; expected a whole number");
    expect_seed_mistake("1e-3", "is not a whole number");
    expect_seed_mistake("010", "'010' has leading zeros, which is ambiguous");
    expect_seed_mistake("0x10", "is not a number");
    expect_seed_mistake("12abc", "is not a number: 'abc' is left over");
    expect_seed_mistake("9223372036854775808", "is too large for an integer of 64 bits");
    expect_seed_mistake("-9223372036854775808", "is too large"); /* taken: it means auto */
    expect_seed_mistake("1e19", "is too large");
    expect_seed_mistake("1e999999999999", "is too large");
    expect_seed_mistake("auto", "'auto' is not a number");
    expect_seed_mistake("5 ms", "has the unit ms, but takes no unit");
    expect_good("neuron: {delay: 0.5 s, threads: 4}");
    assert_true(neuron()->delay == 500 && neuron()->threads == 4);
    expect_neuron_mistake("delay", "1500 us", "'1500 us' is not a whole number of ms");
}

static void test_ranges(void **state) {
    (void)state;
    expect_good("network: {p: 0}");
    expect_good("network: {p: 1}");
    expect_mistake("network: {p: 1.0000000000000002}", "net.yaml:1:14: network.p = '1.0000000000000002' is out of range; expected a number from 0 to "
            "1");
    expect_mistake("network: {p: -1e-300}", "is out of range");
    expect_mistake("network:\n  size: 0\n", "net.yaml:2:9: network.size = '0' is out of range; expected a whole number from 1 to 1000000000");
    expect_neuron_mistake("taus", "[70, 0.9, 150]", "net.yaml:2:14: neuron.taus = '0.9' is out of range; expected a list of numbers, each in ms "
            "(also s, us, min, h) from 1 to 500");
    expect_neuron_mistake("taus", "501", "net.yaml:2:9: neuron.taus = '501' is out of range");
    expect_neuron_mistake("reset", "1", "expected a number in mV (also V) from -99 to 0, or auto");
}

static void test_flags_choices_texts(void **state) {
    (void)state;
    static const char *const no_flags[] = {"yes", "no", "on", "True", "1", "0", "maybe", "auto"};
    for (size_t i = 0; i < sizeof no_flags / sizeof *no_flags; i++)
        expect_neuron_mistake("exact", no_flags[i], "is neither true nor false; expected true or false");
    expect_neuron_mistake("exact", "True", "net.yaml:2:10: neuron.exact = 'True' is neither true nor false; expected true or false (did you mean 'true'?)");
    expect_neuron_mistake("exact", "off", "expected true or false (did you mean 'false'?)");
    expect_neuron_mistake("method", "EULER", "(did you mean 'euler'?)");
    expect_neuron_mistake("method", "eulr", "net.yaml:2:11: neuron.method = 'eulr' is none of them (did you mean 'euler'?); expected one of exact, "
            "euler, heun");
    expect_neuron_mistake("method", "rungekutta", "'rungekutta' is none of them; expected one of exact, euler, heun");
    expect_mistake("output:\n  report: [drive, volts]\n", "net.yaml:2:19: output.report = 'volts' is none of them; expected a list from drive, "
            "voltage, spikes");
    expect_mistake("output:\n  report: [drive, auto]\n", "net.yaml:2:19: output.report = 'auto' is none of them");
    expect_mistake("output:\n  report: [drive, [voltage]]\n", "net.yaml:2:19: output.report: a list is given");
    expect_mistake("output:\n  labels: [a, ]\n  file:\n", "output.file: no value is given; expected a text; quote a text that is empty, ~ or null");
    expect_good("output: {file: \"null\", title: ''}");
    assert_string_equal(output()->file, "null");
    assert_string_equal(output()->title, "");
}

static void test_structure(void **state) {
    (void)state;
    expect_mistake("nueron:\n  tau: 1\n",
                   "net.yaml:1:1: unknown section 'nueron' (did you mean 'neuron'?); sections: network, neuron, output, empty");
    expect_mistake("neuron:\n  # x\n  tua: 1\n", "net.yaml:3:3: unknown key 'neuron.tua' (did you mean 'tau'?); keys: tau, rate, voltage");
    expect_mistake("neuron:\n  somethingelse: 1\n", "unknown key 'neuron.somethingelse'; keys: tau");
    expect_mistake("empty:\n  x: 1\n", "net.yaml:2:3: unknown key 'empty.x'");
    expect_mistake("neuron:\n  tau: 1\n  rate: 1\n  tau: 2\n", "net.yaml:4:3: neuron.tau is given twice; first in line 2");
    expect_mistake("neuron:\n  tau: 1\noutput:\nneuron:\n  rate: 2\n", "net.yaml:4:1: section 'neuron' is given twice; first in line 1");
    expect_mistake("neuron:\n  tau: {x: 1}\n", "net.yaml:2:8: neuron.tau: a map is given; expected a number");
    expect_mistake("neuron:\n  tau: [1]\n", "net.yaml:2:8: neuron.tau: a list is given");
    expect_mistake("neuron: [1, 2]\n", "net.yaml:1:9: section 'neuron' must be a map of keys ('key: value' lines), not a list");
    expect_mistake("neuron: 5\n", "net.yaml:1:9: section 'neuron' must be a map of keys ('key: value' lines), not a single value");
    expect_mistake("- neuron\n", "net.yaml:1:1: a parameter file must be a map of sections ('section:' lines), not a list");
    expect_mistake("hello\n", "net.yaml:1:1: a parameter file must be a map of sections");
    expect_mistake("neuron:\n  ? [a, b]\n  : 1\n", "net.yaml:2:5: a key must be one word, not a list");
    expect_mistake("neuron:\n  tau: &x 5\n", "net.yaml:2:8: anchor '&x' is not supported");
    expect_mistake("neuron:\n  tau: *x\n", "net.yaml:2:8: alias '*x' is not supported");
    expect_mistake("neuron: &n\n  tau: 5\n", "net.yaml:1:9: anchor '&n' is not supported");
    expect_mistake("neuron:\n  tau: !!str 5\n", "net.yaml:2:8: tag 'tag:yaml.org,2002:str' is not supported");
    expect_mistake("neuron:\n  tau: 5\n---\nneuron:\n  tau: 6\n", "net.yaml:3:1: a second YAML document begins here");
    expect_mistake("%YAML 1.1\n---\nneuron:\n", "net.yaml:1:1: a line that begins with '%'");
    expect_mistake("output:\n  file: \"a\\0b\"\n", "net.yaml:2:9: the text contains a NUL character");
    expect_mistake("output:\n  \"a\\nb\": 1\n", "unknown key 'output.a?b'"); /* control characters do not reach the terminal */
}

static void test_syntax(void **state) {
    (void)state;
    expect_mistake("neuron:\n  tau: [1, 2\n  rate: 5\n", "net.yaml:3:7: YAML syntax: did not find expected ',' or ']' (while parsing a flow sequence "
            "at line 2)");
    expect_mistake("neuron:\n\ttau: 5\n", "net.yaml:2:1: YAML syntax: found character that cannot start any token (while scanning for the next token "
            "at line 2); indent with spaces, not with tabs");
    expect_mistake("neuron:\n  tau: 5\n rate: 3\n", "net.yaml:3:2: YAML syntax: did not find expected key");
    expect_mistake("output:\n  file: \"abc\n", "YAML syntax: found unexpected end of stream");
    expect_mistake("output:\n  file: a\x01z\n", "net.yaml:2:10: YAML syntax: control characters are not allowed");
    expect_mistake("output:\n  file: a\xFFz\n", "net.yaml:2:10: YAML syntax: invalid leading UTF-8 octet");
}

static void test_hostile(void **state) {
    (void)state;
    static const char *const units[] = {"[", "{a: ", "- ", "? ", "{", "a: 1\n", "output:\n", "&a ", "%TAG !a! b\n", "'"};
    size_t length = (size_t)1 << 20;
    char *text = malloc(length + 16);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t unit = strlen(units[i]), used = 0;
        for (; used + unit <= length; used += unit) memcpy(text + used, units[i], unit);
        write_bytes(text, used);
        read_path(file_path, NULL, SECTIONS);
        assert_int_equal(last.code, STATUS_INPUT);
        assert_in_range(count_lines(last.printed), 1, 70);
    }
    free(text);
    expect_mistake("neuron: [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]\n", "net.yaml:1:25: lists and maps are nested more than 16 deep");
    read_with("a: 1\na: 1\n", NULL);
    assert_int_equal(count_lines(last.printed), 2);
    write_bytes("x", 1);
    assert_int_equal(truncate(file_path, (16 << 20) + 1), 0);
    read_path(file_path, NULL, SECTIONS);
    assert_int_equal(last.code, STATUS_INPUT);
    expect_printed("a parameter file has at most 16 MiB");
}

static void test_many_mistakes_are_cut(void **state) {
    (void)state;
    char text[4000] = "neuron:\n";
    for (int i = 0; i < 200; i++) snprintf(text + strlen(text), 20, "  x%d: 1\n", i);
    read_with(text, NULL);
    assert_int_equal(count_lines(last.printed), 61);
    expect_printed("there are more mistakes; these are the first 60");
}

static void test_files(void **state) {
    (void)state;
    read_path("", NULL, SECTIONS);
    assert_int_equal(last.code, STATUS_INPUT);
    assert_string_equal(last.printed, "engram: error: the name of the parameter file is empty\n");
    read_path("/nonexistent/net.yaml", NULL, SECTIONS);
    assert_int_equal(last.code, STATUS_INPUT);
    assert_string_equal(last.printed, "engram: error: cannot read the parameter file '/nonexistent/net.yaml': No such file or directory\n");
    read_path(folder, NULL, SECTIONS);
    expect_printed("is a folder, not a parameter file");
    read_path("/dev/zero", NULL, SECTIONS);
    assert_string_equal(last.printed, "engram: error: '/dev/zero' is not a regular file, as a parameter file is\n");
}

static void test_several_mistakes(void **state) {
    (void)state;
    read_with("network:\n  kind: balanced_ei\n  p: 2\n  szie: 5\n  seed: 1,5\nneuron:\n  tau: 20 mV\n  exact: yes\n  taus: [0, 70, x]\n"
              "outptu:\n  file: a\n",
              OVERRIDES("neuron.rate=fast", "network.size", "outptu.file=x", "neuron.rat=5", "neuron.tau=5"));
    assert_int_equal(last.code, STATUS_INPUT);
    assert_null(last.config);
    expect_printed("net.yaml:3:6: network.p = '2' is out of range");
    expect_printed("net.yaml:4:3: unknown key 'network.szie' (did you mean 'size'?)");
    expect_printed("net.yaml:5:9: network.seed = '1,5' is not a number");
    expect_printed("net.yaml:7:8: neuron.tau = '20 mV' has the unit mV"); /* although the override would win */
    expect_printed("net.yaml:8:10: neuron.exact = 'yes' is neither");
    expect_printed("net.yaml:9:10: neuron.taus = '0' is out of range");
    expect_printed("net.yaml:9:17: neuron.taus = 'x' is not a number");
    expect_printed("net.yaml:10:1: unknown section 'outptu' (did you mean 'output'?)");
    expect_printed("engram: error: -P neuron.rate=fast: neuron.rate = 'fast' is not a number; expected a number in Hz");
    expect_printed("engram: error: -P network.size: an override is written section.key=value");
    expect_printed("engram: error: -P outptu.file=x: unknown section 'outptu' (did you mean 'output'?)");
    expect_printed("engram: error: -P neuron.rat=5: unknown key 'neuron.rat' (did you mean 'rate'?)");
    assert_int_equal(count_lines(last.printed), 12);
}

static void test_variants(void **state) {
    (void)state;
    read_with("network:\n  foo: 3\n  p: 0.5\n", NULL);
    assert_int_equal(last.code, STATUS_OK);
    expect_printed("engram: warning: ");
    expect_printed("net.yaml:2:3: 'network.foo' belongs to kind 'random', but kind is 'balanced_ei': ignored\n");
    assert_int_equal(count_lines(last.printed), 1);
    assert_true(((balanced_params *)config_variant(last.config, "network"))->p == 0.5); /* of the selected variant, without a warning */
    read_with("network:\n  foo: rubbish\n  foo: 2\n", NULL);
    expect_printed("net.yaml:3:3: network.foo is given twice");
    read_with("", OVERRIDES("network.foo=3"));
    assert_int_equal(last.code, STATUS_OK);
    assert_string_equal(last.printed, "engram: warning: -P network.foo=3: 'network.foo' belongs to kind 'random', but kind is 'balanced_ei': "
            "ignored\n");
    read_with("network:\n  kind: plain\n  p: 0.5\n", NULL);
    assert_int_equal(last.code, STATUS_OK);
    expect_printed("net.yaml:3:3: 'network.p' belongs to kind 'balanced_ei', but kind is 'plain': ignored\n");
    assert_int_equal(count_lines(last.printed), 1);
    /* With a wrong selector nobody knows which keys are right: what is wrong in any case is reported, or wrong for the variant that was probably meant. */
    expect_mistake("network:\n  kind: randon\n  foo: 9\n", "net.yaml:2:9: network.kind = 'randon' is none of them (did you mean 'random'?); "
            "expected one of balanced_ei, random, plain");
    read_with("network:\n  kind: randon\n  foo: 99\n  p: 2\n", OVERRIDES("network.p=x"));
    expect_printed("net.yaml:3:8: network.foo = '99' is out of range; expected a number from 0 to 9");
    expect_printed("net.yaml:4:6: network.p = '2' is out of range; expected a number from 0 to 1");
    expect_printed("-P network.p=x: network.p = 'x' is not a number; expected a number from 0 to 1");
    assert_int_equal(count_lines(last.printed), 4);
    read_with("network: {kind: bogus, p: 2, wiring: [], foo: 1}\n", NULL);
    expect_printed("network.p = '2' is out of range");
    expect_printed("network.wiring: a list is given");
    assert_int_equal(count_lines(last.printed), 3);
    expect_mistake("network: {kind: RANDOM}\n", "is none of them (did you mean 'random'?)");
    read_with("network:\n  kind: randon\n  bar: 1\n", NULL);
    expect_printed("net.yaml:3:3: unknown key 'network.bar'");
    assert_int_equal(count_lines(last.printed), 2);
    expect_mistake("network:\n  kind: [random]\n", "net.yaml:2:9: network.kind: a list is given; expected one of balanced_ei");
}

static void test_required(void **state) {
    (void)state;
    write_bytes("output:\ntask:\n  target: x\n", 25);
    read_path(file_path, NULL, SECTIONS_WITH_TASK);
    assert_int_equal(last.code, STATUS_INPUT);
    expect_printed("net.yaml:2:1: task.trials is missing (number of trials); write 'trials: VALUE' in section 'task'; "
            "VALUE: a whole number from 1 to 1000");
    assert_int_equal(count_lines(last.printed), 1);
    write_bytes("", 0);
    read_path(file_path, OVERRIDES("task.trials=7"), SECTIONS_WITH_TASK);
    expect_printed("net.yaml: task.target is missing (name of the target); write 'target: VALUE' in section 'task', or -P task.target=VALUE;");
    assert_int_equal(count_lines(last.printed), 1);
    read_path(NULL, NULL, SECTIONS_WITH_TASK);
    expect_printed("engram: error: defaults: task.trials is missing");
    assert_int_equal(count_lines(last.printed), 2);
    read_path(NULL, OVERRIDES("task.trials=7", "task.target=sine"), SECTIONS_WITH_TASK);
    assert_int_equal(last.code, STATUS_OK);
    assert_int_equal(((task_params *)config_common(last.config, "task"))->trials, 7);
}

static void test_overrides(void **state) {
    (void)state;
    read_with("network:\n  kind: random\n  p: 0.5\nneuron:\n  tau: 5\n",
              OVERRIDES("neuron.tau=1", "network.kind=balanced_ei", "neuron.tau=30 ms", "output.report=[drive, voltage]", "output.file=",
                        "output.title=a=b.c", "neuron.taus=0.07 s", "neuron.reset=auto"));
    assert_int_equal(last.code, STATUS_OK);
    assert_string_equal(last.printed, "");
    assert_true(neuron()->tau == 30);
    assert_int_equal(config_variant_index(last.config, "network"), 0);
    assert_true(((balanced_params *)config_variant(last.config, "network"))->p == 0.5);
    assert_int_equal(output()->report.count, 2);
    assert_string_equal(output()->report.values[1], "voltage");
    assert_string_equal(output()->file, "");
    assert_string_equal(output()->title, "a=b.c");
    assert_true(neuron()->taus.count == 1 && neuron()->taus.values[0] == 70);
    assert_true(config_given(last.config, "output", "file"));
    read_path(NULL, OVERRIDES("neuron.tau=7"), SECTIONS);
    assert_true(last.code == STATUS_OK && neuron()->tau == 7);
    expect_override_mistake("neuron.tau=12abc", "engram: error: -P neuron.tau=12abc: neuron.tau = '12abc' has the unknown unit 'abc'");
    expect_override_mistake("neuron.tau=", "-P neuron.tau=: neuron.tau: no value is given");
    expect_override_mistake("neuron.tau={a: 1}", "-P neuron.tau={a: 1}: neuron.tau: a map is given");
    expect_override_mistake("neuron.taus=[1, 2", "-P neuron.taus=[1, 2: YAML syntax: ");
    expect_override_mistake("neuron.taus=[1, 2]\n---\n", "a second YAML document begins here");
    expect_override_mistake("neuron.tau=*x", "alias '*x' is not supported");
    expect_override_mistake("network.kind=bogus", "-P network.kind=bogus: network.kind = 'bogus' is none of them; expected one of balanced_ei, "
            "random, plain");
    expect_override_mistake("tau=5", "-P tau=5: an override is written section.key=value; did you mean neuron.tau?");
    expect_override_mistake("tua=5", "an override is written section.key=value; did you mean neuron.tau?");
    expect_override_mistake("p=5", "an override is written section.key=value; did you mean network.p?");
    expect_override_mistake("'neuron.tau=5'", "an override is written section.key=value; the quotes around it are part of it here: leave them out");
    expect_override_mistake("nothing.tau=5", "unknown section 'nothing'; sections: network, neuron, output, empty; did you mean neuron.tau?");
    expect_override_mistake("output.tau=5", "unknown key 'output.tau'; keys: file, title, report, labels; did you mean neuron.tau?");
    expect_override_mistake(
        "output.file=\"a b",
        "YAML syntax: found unexpected end of stream (while scanning a quoted scalar at line 1); a text in quotes ends with its closing quote");
    expect_override_mistake("output.file=@x", "a text that begins so is written in quotes");
    expect_override_mistake("output.file=a #1.csv", "what follows '#' would be a comment; a text that holds it is written in quotes");
    expect_override_mistake("output.file=#1.csv", "what follows '#' would be a comment");
    read_with("", OVERRIDES("output.file=\"a #1 b.csv\"", "output.title=a#b"));
    assert_string_equal(output()->file, "a #1 b.csv");
    assert_string_equal(output()->title, "a#b");
    expect_override_mistake(".tau=5", "an override is written section.key=value");
    expect_override_mistake("neuron.=5", "an override is written section.key=value");
    expect_override_mistake("", "an override is written section.key=value");
    expect_override_mistake("neuron.tau\n=5", "-P neuron.tau?=5: unknown key 'neuron.tau?' (did you mean 'tau'?)");
}

static void test_complain(void **state) {
    (void)state;
    char expected[200];
    read_with("neuron:\n  tau: 5\n  rate: 5\n", OVERRIDES("neuron.rate=7"));
    assert_int_equal(config_complain(last.config, "neuron", "tau", "must exceed %d", 8), STATUS_INPUT);
    assert_int_equal(config_complain(last.config, "neuron", "rate", "too high"), STATUS_INPUT);
    assert_int_equal(config_complain(last.config, "network", "kind", "odd"), STATUS_INPUT);
    snprintf(expected, sizeof expected, "%s:2:3: neuron.tau: must exceed 8\n-P neuron.rate=7: too high\ndefault of network.kind: odd", file_path);
    assert_string_equal(status_message(), expected);
    status_forget();
}

static void expect_resolved(const char *path, const char *expected) {
    char *resolved = config_resolve_path(last.config, path);
    assert_string_equal(resolved, expected);
    free(resolved);
}

static void test_resolve_path(void **state) {
    (void)state;
    char expected[200];
    read_with("output:\n  file: sub/a.h5\n  labels: [b.h5]\n", OVERRIDES("output.title=sub/a.h5"));
    snprintf(expected, sizeof expected, "%s/sub/a.h5", folder);
    expect_resolved(output()->file, expected);
    expect_resolved("sub/a.h5", expected);
    expect_resolved(output()->title, "sub/a.h5"); /* typed on the command line: relative to the current folder */
    expect_resolved("/abs/a.h5", "/abs/a.h5");
    expect_resolved("", "");
    snprintf(expected, sizeof expected, "%s/b.h5", folder);
    expect_resolved(output()->labels.values[0], expected);
    read_with("", OVERRIDES("output.labels=[b.h5, c.h5]"));
    expect_resolved(output()->labels.values[1], "c.h5");
    read_path(NULL, NULL, SECTIONS);
    expect_resolved("a.h5", "a.h5");
    char here[200];
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(folder), 0);
    read_path("net.yaml", NULL, SECTIONS);
    expect_resolved("a.h5", "a.h5");
    assert_int_equal(chdir(here), 0);
}

static void test_as_used_text(void **state) {
    (void)state;
    expect_good("network:\n  kind: random\n  seed: 3\nneuron:\n  tau: 0.02 s\n");
    neuron()->threads = 8; /* a module resolves auto in place */
    char *text = config_as_used(last.config);
    assert_string_equal(text, "network:\n  kind: random\n  size: 100\n  seed: 3\n  foo: 1\n  p: 0.2\n"
                              "neuron:\n  tau: 20 ms\n  rate: 5 Hz\n  voltage: -65 mV\n  factor: 1\n  reset: auto\n  threads: 8\n  delay: 2 ms\n"
                              "  exact: false\n"
                              "  method: euler\n  taus: [70 ms, 150 ms]\n  weights: []\n  gains: [3 Hz]\n"
                              "output:\n  file: \"\"\n  title: \"quoted: \\\"x\\\"\"\n  report: [\"drive\"]\n  labels: []\nempty: {}\n");
    free(text);
}

/** Numbers are written as short as they are read back: of each the bits, and no digit that says nothing. */
static void test_short_numbers(void **state) {
    (void)state;
    const struct {
        const char *given, *written;
    } cases[] = {{"0.1", "0.1"}, {"0.30000000000000004", "0.30000000000000004"}, {"0.3", "0.3"}, {"123456789012345680", "1.2345678901234568e+17"},
                 {"0.12345678901234566", "0.12345678901234566"}, {"1e-300", "1e-300"}, {"4.35", "4.35"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char file[128], line[128];
        snprintf(file, sizeof file, "neuron: {factor: %s}\n", cases[i].given);
        snprintf(line, sizeof line, "  factor: %s\n", cases[i].written);
        expect_good(file);
        double before = neuron()->factor;
        char *text = config_as_used(last.config);
        if (!strstr(text, line)) print_message("wanted '%s' in '%s'\n", line, text);
        assert_non_null(strstr(text, line));
        assert_true(before == strtod(strstr(text, line) + strlen("  factor: "), NULL));
        free(text);
    }
}

static void test_round_trip(void **state) {
    (void)state;
    static const double awkward[] = {0.1 + 0.2, 1.0 / 3, DBL_MAX, DBL_MIN, 5e-324, -0.0, 0.1, 123456789.123456789, 1e23, 2.0 / 3e-200};
    static const char *const texts[] = {"", "~", "null", "a: b # c", "'x' \"y\" \\z", "tab\there\nline\r", "*a &b %c @d", " lead and trail ", "- x",
            "\x01\x7F\x1B[31m", "m\xC3\xBCller", "\xC2\x85\xC2\xA0\xE2\x80\xA8\xEF\xBB\xBF", "\xF0\x9F\x98\x80", "[1, 2]", "true", "1e5"};
    enum { TEXTS = sizeof texts / sizeof *texts };
    for (size_t i = 0; i < sizeof awkward / sizeof *awkward; i++) {
        expect_good("network: {seed: -9223372036854775807}\nneuron: {weights: [1, 2], taus: [1 ms, 2 ms], exact: true, method: heun, threads: 5}\n"
                    "output: {report: []}\n");
        neuron()->factor = awkward[i];
        neuron()->taus.values[1] = 1 + 1.0 / 3;
        neuron()->weights.values[0] = i % 2 ? 0.1 + 0.2 : -1.0 / 3;
        free(output()->file);
        output()->file = strdup(texts[i]);
        output()->labels.values = realloc(output()->labels.values, TEXTS * sizeof(char *));
        for (int k = 0; k < TEXTS; k++) output()->labels.values[k] = strdup(texts[k]);
        output()->labels.count = TEXTS;
        char *first = config_as_used(last.config);
        double weight = neuron()->weights.values[0];
        expect_good(first);
        assert_memory_equal(&neuron()->factor, &awkward[i], sizeof(double));
        assert_memory_equal(&neuron()->weights.values[0], &weight, sizeof(double));
        assert_true(neuron()->taus.values[1] == 1 + 1.0 / 3);
        assert_true(neuron()->exact && neuron()->method == 2 && neuron()->threads == 5 && isnan(neuron()->reset));
        assert_true(network()->seed == -INT64_MAX && output()->report.count == 0);
        assert_string_equal(output()->file, texts[i]);
        assert_int_equal(output()->labels.count, TEXTS);
        for (int k = 0; k < TEXTS; k++) assert_string_equal(output()->labels.values[k], texts[k]);
        char *second = config_as_used(last.config);
        assert_string_equal(first, second);
        free(first);
        free(second);
    }
}

static char *list_text(const char *which, status expected) {
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    only.section_count = SECTIONS_WITH_TASK;
    assert_int_equal(config_list(&whole, which, out), expected);
    fclose(out);
    return text;
}

static void expect_in(const char *text, const char *fragment) {
    if (!strstr(text, fragment)) fail_msg("expected to see\n  %s\nin\n%s", fragment, text);
}

static void test_list(void **state) {
    (void)state;
    char *text = list_text("networks", STATUS_OK), *same = list_text("network", STATUS_OK);
    assert_string_equal(text, same);
    assert_string_equal(text, "network: the network\n"
                              "    key   type     unit  default  allowed          meaning\n"
                              "    size  integer  -     100      1 .. 1000000000  neurons\n"
                              "    seed  integer  -     1        -                seed\n"
                              "\n  kind: balanced_ei   (default)\n    help of balanced_ei\n"
                              "    key     type    unit  default  allowed  meaning\n"
                              "    p       number  -     0.1      0 .. 1   density\n"
                              "    wiring  text    -     a b: #c  -        any text\n"
                              "\n  kind: random\n    help of random\n"
                              "    key  type    unit  default  allowed  meaning\n"
                              "    foo  number  -     1        0 .. 9   foo\n"
                              "    p    number  -     0.2      0 .. 1   density\n"
                              "\n  kind: plain\n    no parameters\n    (no parameters)\n");
    free(text);
    free(same);
    text = list_text(NULL, STATUS_OK);
    expect_in(text, "tau      number   ms    10 ms            0 .. 10000000");
    expect_in(text, "exact | euler | heun");
    expect_in(text, "true | false");
    expect_in(text, "(required)");
    expect_in(text, "empty: nothing\n");
    free(text);
    text = list_text("neurns", STATUS_INPUT);
    assert_string_equal(text, "");
    assert_string_equal(status_message(), "there is nothing called 'neurns' to list (did you mean 'neurons'?); there are: networks, neurons, output, "
            "empty, tasks");
    status_forget();
    free(text);
}

static void test_nearest(void **state) {
    (void)state;
    static const char *const candidates[] = {"restart", "report", "tau", "balanced_ei"};
    assert_string_equal(config_nearest("retsart", candidates, 4), "restart");
    assert_string_equal(config_nearest("reprot", candidates, 4), "report");
    assert_string_equal(config_nearest("tau", candidates, 4), "tau");
    assert_string_equal(config_nearest("balnced_e", candidates, 4), "balanced_ei");
    assert_string_equal(config_nearest("bolonced_oi", candidates, 4), "balanced_ei"); /* distance 3 = 11 / 3 */
    assert_null(config_nearest("bolonsed_oi", candidates, 4));
    assert_null(config_nearest("tau_mem", candidates, 4));
    assert_null(config_nearest("", candidates, 4));
    assert_null(config_nearest("x", candidates, 0));
    char longer[1000];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_null(config_nearest(longer, candidates, 4));
}

/* ------------------------------------------------------------------------------------------------ main */

int main(int argc, char **argv) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),  cmocka_unit_test(test_values),    cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_units),     cmocka_unit_test(test_integers),  cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_flags_choices_texts),                         cmocka_unit_test(test_structure),
        cmocka_unit_test(test_syntax),    cmocka_unit_test(test_hostile),   cmocka_unit_test(test_many_mistakes_are_cut),
        cmocka_unit_test(test_files),     cmocka_unit_test(test_several_mistakes),
        cmocka_unit_test(test_variants),  cmocka_unit_test(test_required),  cmocka_unit_test(test_overrides),
        cmocka_unit_test(test_complain),  cmocka_unit_test(test_resolve_path),
        cmocka_unit_test(test_as_used_text), cmocka_unit_test(test_short_numbers),
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_list), cmocka_unit_test(test_nearest),
    };
    MPI_Init(&argc, &argv);
    if (!mkdtemp(folder)) return 1;
    snprintf(file_path, sizeof file_path, "%s/net.yaml", folder);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    config_free(last.config);
    unlink(file_path);
    rmdir(folder);
    MPI_Finalize();
    return failed;
}
