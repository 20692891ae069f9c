/* The sections of a parameter file: what may change when a run goes on or is tested, by the keys spelled out, and the identity of runs, which must stay what it
 * was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engram/schema.h"
#include "engram/test_settings.h"

static context job;

/** What may differ when a run goes on. */
static bool may_resume(const char *section, const char *key) {
    return strcmp(section, "output") == 0 || strcmp(section, "checkpoint") == 0 || strcmp(section, "guards") == 0 || strcmp(section, "test") == 0 ||
           (strcmp(section, "simulation") == 0 && strncmp(key, "exchange", 8) == 0) ||
           (strcmp(section, "learning") == 0 && (strcmp(key, "loops") == 0 || strcmp(key, "grid_columns") == 0));
}

/** What a test may change: what is measured and the cue, how ranks exchange spikes, and where a file is now. */
static bool may_test(const char *section, const char *key) {
    static const char *const files[] = {"path", "nodes", "node_types", "edge_types", "projections"};
    for (size_t k = 0; k < sizeof files / sizeof *files; k++)
        if (strcmp(key, files[k]) == 0) return true;
    if (strcmp(section, "output") == 0 || strcmp(section, "test") == 0 || strncmp(key, "exchange", 8) == 0) return true;
    return strcmp(section, "stimulus") == 0 && strcmp(key, "start") != 0 && strcmp(key, "stop") != 0;
}

static config *defaults(void) {
    config *config;
    assert_int_equal(config_read(&job, NULL, NULL, training_schema(), &config), STATUS_OK);
    return config;
}

static void check_key(const config *config, const param_section *section, const char *key, unsigned may) {
    char override[200];
    unsigned expected = (may_resume(section->name, key) ? MAY_RESUME : 0u) | (may_test(section->name, key) ? MAY_TEST : 0u);
    snprintf(override, sizeof override, "%s.%s=1", section->name, key);
    if (may != expected) fail_msg("%s.%s may %u, not %u", section->name, key, may, expected);
    assert_int_equal(config_may_change(config, override, MAY_TEST), may_test(section->name, key));
    assert_int_equal(config_may_change(config, override, MAY_RESUME), may_resume(section->name, key));
}

static void test_flags(void **state) {
    (void)state;
    int keys = 0;
    const config_system *system = &training_schema()->systems[0];
    const param_section *sections = system->sections;
    config *config = defaults();
    for (int s = 0; s < system->section_count; s++) {
        if (sections[s].selector) check_key(config, &sections[s], sections[s].selector, sections[s].may);
        for (int v = -2; v < sections[s].variant_count; v++) {
            const param_table *table = v == -2 ? sections[s].added : v < 0 ? sections[s].common : sections[s].variants[v];
            for (int k = 0; table && k < table->count; k++, keys++) check_key(config, &sections[s], table->params[k].key, table->params[k].may);
        }
    }
    assert_true(keys > 100);
    assert_true(config_may_change(config, "output.test_trials=1", MAY_TEST)); /* by its old name */
    static const char *const not_keys[] = {"frob.tau=1", "output.frob=1",    "simulation.dtt=1", "simulation", "simulation.=", ".dt=1", "=",
                                           "",           "simulation.dt.x=1"};
    for (size_t k = 0; k < sizeof not_keys / sizeof *not_keys; k++) assert_true(config_may_change(config, not_keys[k], MAY_TEST));
    assert_false(config_may_change(config, "simulation.dt", MAY_TEST));
    config_free(config);
}

/** Who is told that a file is not there is told to say where it is: every file that a test reads. */
static void test_files_may_move(void **state) {
    (void)state;
    const config_schema *schema = training_schema();
    int files = 0;
    for (int of = 0; of < schema->system_count; of++)
        for (int s = 0; s < schema->systems[of].section_count; s++) {
            const param_section *section = &schema->systems[of].sections[s];
            for (int v = -2; v < section->variant_count; v++) {
                const param_table *table = v == -2 ? section->added : v < 0 ? section->common : section->variants[v];
                for (int k = 0; table && k < table->count; k++) {
                    const param *param = &table->params[k];
                    if (param->type != PARAM_PATH || param->path & PATH_ONCE) continue;
                    files++;
                    if (!(param->may & MAY_TEST)) fail_msg("%s.%s is a file, and a test may not say where it is", section->name, param->key);
                }
            }
        }
    assert_true(files > 20);
}

static void test_changeable(void **state) {
    (void)state;
    config *config = defaults();
    char *text = config_changeable(config, MAY_TEST);
    assert_string_equal(text, "simulation.exchange, simulation.exchange_every, "
                              "network.path, network.edge_types, network.nodes, network.node_types, network.projections, plastic.path, plastic.edge_types, "
                              "stimulus.* (but start, stop), targets.path, output.*, test.*");
    free(text);
    text = config_changeable(config, MAY_RESUME);
    assert_string_equal(text, "simulation.exchange, simulation.exchange_every, "
                              "learning.loops, learning.grid_columns, checkpoint.*, guards.*, output.*, test.*");
    free(text);
    config_free(config);
}

static void expect_identity(const char *const *overrides, const char *inputs, const char *expected) {
    config *config;
    assert_int_equal(config_read(&job, NULL, overrides, training_schema(), &config), STATUS_OK);
    char *identity = config_identity(config, inputs, MAY_RESUME);
    assert_string_equal(identity, expected);
    free(identity);
    config_free(config);
}

#define OVERRIDES(...) ((const char *const[]){__VA_ARGS__, NULL})

/** Runs that have begun go on only if they are still known: these are the identities of earlier programs.
 *  A new parameter changes them, and then a run that began before is another (the last ones: lists in plastic.trained, neuron.precision of lif). */
static void test_identity(void **state) {
    (void)state;
    expect_identity(NULL, "", "5164345aad650647");
    expect_identity(OVERRIDES("learning.loops=7", "output.spikes=all", "checkpoint.every=1 h", "guards.max_rate=9 Hz"), "", "5164345aad650647");
    expect_identity(OVERRIDES("simulation.exchange=nodes", "simulation.exchange_every=step"), "", "5164345aad650647");
    expect_identity(OVERRIDES("output.test_trials=3", "test.psth_bin=1 ms"), "", "5164345aad650647");
    expect_identity(OVERRIDES("neuron.model=lif", "learning.rule=none", "stimulus.kind=constant"), "", "b1ca5791996edffb");
    expect_identity(OVERRIDES("targets.kind=file", "targets.path=a.csv", "plastic.kind=separate", "learning.lambda=0.3"),
                    "targets.path 0123456789abcdef /somewhere/a.csv\n", "24327ec49df2bbe3");
}

/** A key that the run adds to a section of every system, and that earlier programs did not have: while it is not given, nothing shows that it is there. */
static void test_added(void **state) {
    (void)state;
    static const char text[] = "learning: {start_from: other/run, rule: none}\n", name[] = "learning.start_from";
    config *config = defaults();
    char *used = config_as_used(config), *inputs = config_inputs(&job, config);
    assert_null(strstr(used, "start_from"));
    assert_string_equal(inputs, "");
    assert_string_equal(*(char **)config_added(config, "learning"), ""); /* its struct has one member */
    assert_null(config_added(config, "neuron"));
    assert_int_equal(config_path_is(config, name), PATH_ONCE | PATH_ADDED);
    assert_int_equal(config_path_is(config, "learning.loops"), 0);
    free(used), free(inputs);
    config_free(config);
    assert_int_equal(config_read_text(&job, "/somewhere/new", text, strlen(text), NULL, training_schema(), &config), STATUS_OK);
    assert_true(config_given(config, "learning", "start_from"));
    config_read_instead(config, name, "/found/file.h5", "0123456789abcdef");
    used = config_as_used(config), inputs = config_inputs(&job, config);
    assert_non_null(strstr(used, "\n  start_from: \"/somewhere/other/run\"\n"));
    assert_string_equal(inputs, "learning.start_from 0123456789abcdef /somewhere/other/run\n");
    char *path = config_resolve_path(config, *(char **)config_added(config, "learning")), *identity = config_identity(config, inputs, MAY_RESUME);
    char *without = config_identity(config, "", MAY_RESUME);
    assert_string_equal(path, "/found/file.h5");
    assert_string_not_equal(identity, without); /* its content counts, not its name */
    free(used), free(inputs), free(path), free(identity), free(without);
    config_free(config);
}

/** What earlier programs wrote is read as it was meant, and written by its new name. */
static void test_moved(void **state) {
    (void)state;
    static const char text[] = "output: {test_trials: 7, psth_bin: 3 ms}\n", new[] = "test: {trials: 7, psth_bin: 3 ms}\n";
    config *config, *same;
    assert_int_equal(config_read_text(&job, "old", text, strlen(text), NULL, training_schema(), &config), STATUS_OK);
    assert_int_equal(config_read_text(&job, "new", new, strlen(new), NULL, training_schema(), &same), STATUS_OK);
    const test_settings *settings = config_common(config, "test");
    assert_int_equal(settings->trials, 7);
    assert_true(settings->psth_bin == 3);
    char *used = config_as_used(config), *same_used = config_as_used(same), *differences = config_differences(config, same, 0);
    assert_string_equal(used, same_used);
    assert_string_equal(differences, "");
    assert_non_null(strstr(used, "\ntest:\n  trials: 7\n"));
    assert_non_null(strstr(used, "\n  psth_bin: 3 ms\n"));
    assert_null(strstr(used, "test_trials"));
    free(used);
    free(same_used);
    free(differences);
    config_free(config);
    config_free(same);
}

int main(int argc, char **argv) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_files_may_move),
        cmocka_unit_test(test_changeable),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_added),
        cmocka_unit_test(test_moved),
    };
    MPI_Init(&argc, &argv);
    job = context_of(MPI_COMM_WORLD);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
