/** @file test_plan.c
 *  engram plan: sizes and times against closed forms, machine files that are read back. Whether the sizes are those of runs: tests/mpi/test_planning.py.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "systems/patterns/plan/sizes.h"

static const context *alone;

static void near(double got, double wanted, double relative) {
    if (!(fabs(got - wanted) <= relative * fabs(wanted))) fail_msg("got %.17g, wanted %.17g", got, wanted);
}

static plan_network read_network(const char *text, config **config) {
    int sections;
    plan_network network;
    const param_section *schema = simulation_schema(&sections);
    assert_int_equal(config_read_text(alone, "test", text, strlen(text), NULL, 0, schema, sections, config), STATUS_OK);
    assert_int_equal(simulation_resolve(alone, *config), STATUS_OK);
    assert_int_equal(status_agree(alone, plan_read(alone, *config, &network)), STATUS_OK);
    return network;
}

static const char million[] = "network: {kind: balanced_ei, neurons: 1000000, in_degree: 500}\nplastic: {excitatory_in_degree: 50, inhibitory_in_degree: 50, group_size: 10}\n"
                              "stimulus: {start: 80 ms, stop: 100 ms}\ntargets: {duration: 200 ms}\nlearning: {loops: 25}\noutput: {spikes: none, report: [], edges: none}\n";

/** The formulas of jobs/million/README.md, of all ranks. */
static void test_million(void **state) {
    (void)state;
    config *config;
    plan_network network = read_network(million, &config);
    for (int ranks = 1; ranks <= 8; ranks *= 2) {
        const double n = 1e6, inputs = 100, groups = n / 10, r = ranks, t = 20, ld = 112, mib = 1 << 20;
        plan_share share = plan_share_of(&network, ranks);
        plan_bytes bytes = plan_memory(&network, &share, 5, 27 * mib);
        near(bytes.category[MEMORY_P] * r, groups * (4 * ld * (inputs + 16) + 4 * 16 + 36), 0.001);
        near(bytes.category[MEMORY_WEIGHTS] * r, 8 * n * inputs + 12 * groups * inputs + (12 + 8 * r) * n, 0.01);
        near(bytes.category[MEMORY_STATIC] * r, 8 * 500 * n + 8 * r * n, 0.001);
        near(bytes.category[MEMORY_STATE] * r, (68 + 21 * r) * n, 0.005);
        near(bytes.category[MEMORY_TARGETS] * r, (8 * t + 40 + 4 * r) * n, 0.001);
        near(bytes.category[MEMORY_OUTPUT] * r, 8 * (3 * t + 1) * n, 0.001);
        near(bytes.category[MEMORY_BUFFERS] * r, (36 + 9 * r) * n + 12 * groups * inputs * plan_spiking(5, 110), 0.15);
        double sum = 0;
        for (int c = 0; c < MEMORY_CATEGORIES; c++) sum += bytes.category[c];
        near(bytes.sum, sum, 1e-12);
        assert_true(bytes.peak >= bytes.sum);
    }
    assert_true(network.trained == 1000000 && network.trained_first && isnan(network.target_rate));
    assert_int_equal(network.loop_steps, 3000);
    config_free(config);
}

/** Nothing of a plan may go wrong when there are more ranks than neurons. */
static void test_more_ranks_than_neurons(void **state) {
    (void)state;
    config *config;
    machine machine;
    plan_network network = read_network("network: {neurons: 1000}\nplastic: {excitatory_in_degree: 10, inhibitory_in_degree: 10}\n", &config);
    assert_int_equal(machine_open(alone, NULL, &machine), STATUS_OK);
    for (int64_t ranks = 1; ranks <= 1000000; ranks *= 10) {
        plan_share share = plan_share_of(&network, ranks);
        plan_bytes bytes = plan_memory(&network, &share, 5, 0);
        plan_seconds seconds = plan_time(&network, &machine, ranks, 64, 5);
        assert_true(share.mine == (ranks < 1000 ? 1000 / ranks : 1));
        assert_true(isfinite(bytes.sum) && bytes.sum > 0 && isfinite(seconds.loop) && seconds.loop > 0 && seconds.waiting >= 0);
    }
    machine_close(&machine);
    config_free(config);
}

/** Where P is divided among all ranks, a rank's part shrinks with their number; what every rank has of all neurons does not. */
static void test_divided_p(void **state) {
    (void)state;
    config *config;
    plan_network network = read_network("network: {kind: none, neurons: 8192}\nplastic: {kind: all_to_all}\ntargets: {kind: ou}\nlearning: {mu: 0}\n", &config);
    assert_string_equal(network.rule.store->name, "distributed");
    plan_share one = plan_share_of(&network, 1), eight = plan_share_of(&network, 8);
    const double n = 8192, whole = 4 * n * (n + 16), shared = 4 * n * (64 + 2) + 9 * n; /* P with padded rows; Q, r and k; sources, signs, places */
    near(plan_store_bytes(&network, &one, 5).p, whole + shared + 4 * n * 65, 0.001);
    near(plan_store_bytes(&network, &eight, 5).p, 4 * n * (n / 8 + 16) + shared + 4 * n / 8 * 65, 0.001);
    config_free(config);
}

static void test_helpers(void **state) {
    (void)state;
    near(plan_spiking(5, 10), 1 - exp(-0.05), 1e-12);
    near(plan_slowest(2), 1 / sqrt(M_PI), 0.05);   /* exact: 0.5642 */
    near(plan_slowest(100), 2.5076, 0.01);         /* tables of normal order statistics */
    near(plan_slowest(1000), 3.2414, 0.01);
    assert_true(plan_slowest(1) == 0);
    assert_true(plan_grown(16, 16) == 16 && plan_grown(16, 17) == 88 && plan_grown(16, 89) == 196);
    double at[] = {10, 1000}, values[] = {2, 8};
    param_numbers x = {2, at}, y = {2, values};
    near(machine_curve(&x, &y, 10), 2, 1e-12);
    near(machine_curve(&x, &y, 100), 4, 1e-12); /* half way in logarithms */
    assert_true(machine_curve(&x, &y, 1) == 2 && machine_curve(&x, &y, 1e6) == 8);
}

static void set_list(param_numbers *list, double value) {
    for (int k = 0; k < list->count; k++) list->values[k] = value;
}

/** A machine of round numbers, so that times are sums that can be done by hand. */
static void test_time(void **state) {
    (void)state;
    config *config;
    machine machine;
    plan_network network = read_network("network: {kind: balanced_ei, neurons: 10000, in_degree: 100}\nplastic: {excitatory_in_degree: 32, inhibitory_in_degree: 32}\nstimulus: {kind: none}\n"
                                        "targets: {kind: ou}\noutput: {correlation_window: 0}\n", &config);
    assert_int_equal(machine_open(alone, NULL, &machine), STATUS_OK);
    set_list(&machine.update.model[0], 2), set_list(&machine.update.typed, 0.5), set_list(&machine.update.plastic, 0.5), machine.delivery.filter = 50;
    machine.update.spike = 200, machine.update.learning = 1.5, machine.delivery.step = 40;
    set_list(&machine.delivery.typed, 1), set_list(&machine.delivery.plastic, 3), set_list(&machine.delivery.spike, 100);
    machine.rls.source = 1;
    machine_store *store = &machine.rls.large[0][0];
    set_list(&store->quiet, 1000), set_list(&store->spiking, 10);
    store = &machine.rls.cached[0][0];
    set_list(&store->quiet, 1000), set_list(&store->spiking, 10);
    machine.exchange.spike = 2, machine.exchange.block = 1;
    set_list(&machine.exchange.latency, 5), set_list(&machine.exchange.per_kib, 1);
    plan_seconds one = plan_time(&network, &machine, 1, 2, 10);
    const double steps = 20000, spikes = 10000 * 10 * 1e-4; /* of a step */
    double fraction = (plan_spiking(10, 1010) + 99 * plan_spiking(10, 10)) / 100;
    near(one.update, steps * (1.5 * (10000 * 3 + spikes * 200) + spikes * 50) * 1e-9, 1e-9);
    near(one.deliver, steps * (40 + spikes * (100 + 200 * 1 + 64 * 3)) * 1e-9, 1e-9);
    near(one.learn, 100 * (10000 + 10000 * (1000 + 64 * fraction * 10)) * 1e-9, 1e-9);
    near(one.transfer, steps * spikes * 2e-9, 1e-9);
    assert_true(one.waiting == 0);
    plan_seconds two = plan_time(&network, &machine, 2, 2, 10);
    near(two.update, steps * (1.5 * (5000 * 3 + spikes / 2 * 200) + spikes * 50) * 1e-9, 1e-9);
    near(two.deliver, steps * (40 + spikes * (100 + 100 * 1 + 32 * 3)) * 1e-9, 1e-9);
    near(two.transfer, steps * (spikes * 2 + 2 * 1 + 1000 * (5 + 4.0 * (18 + 50) / 1024)) * 1e-9, 1e-9);
    near(two.waiting, plan_slowest(2) * (steps * sqrt(spikes * 100 * 1 + spikes * 32 * 9) + 100 * sqrt(5000 * 64 * fraction * (1 - fraction)) * 10) * 1e-9, 1e-9);
    machine.network.latency = 10, machine.network.bandwidth = 1;
    plan_seconds far = plan_time(&network, &machine, 8, 2, 10); /* four nodes: two levels of a tree, and what 6 other ranks send to both ranks of a node */
    double bytes = 4 * (18 + 12);
    near(far.transfer, steps * (spikes * 2 + 8 * 1 + 1000 * (5 + bytes / 1024 + 2 * 10) + 6 * bytes * 2) * 1e-9, 1e-9);
    near(one.loop, one.update + one.deliver + one.learn + one.record + one.transfer + one.waiting, 1e-12);
    machine_close(&machine);
    config_free(config);
}

/** What calibrate writes can be read, and says the same. */
static void test_machine_file(void **state) {
    (void)state;
    machine first, second;
    char path[] = "/tmp/engram_machine_XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    assert_int_equal(machine_open(alone, NULL, &first), STATUS_OK);
    char *text = machine_text(&first, "a heading");
    assert_int_equal(write(descriptor, text, strlen(text)), (int)strlen(text));
    close(descriptor);
    assert_int_equal(machine_open(alone, path, &second), STATUS_OK);
    char *again = machine_text(&second, "a heading");
    assert_string_equal(text, again);
    unlink(path);
    free(text);
    free(again);
    machine_close(&first);
    machine_close(&second);
}

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    context context = context_of(MPI_COMM_SELF);
    alone = &context;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_million), cmocka_unit_test(test_more_ranks_than_neurons), cmocka_unit_test(test_divided_p), cmocka_unit_test(test_helpers),
        cmocka_unit_test(test_time),    cmocka_unit_test(test_machine_file),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
