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

#include "engram/schema.h"
#include "plan/machine_file.h"
#include "plan/plan.h"
#include "systems/patterns/plan/costs.h"
#include "systems/patterns/plan/sizes.h"
#include "training/prepare.h"

static const context *alone;

static void near(double got, double wanted, double relative) {
    if (!(fabs(got - wanted) <= relative * fabs(wanted))) fail_msg("got %.17g, wanted %.17g", got, wanted);
}

/** A machine file: the built-in machine, and more sections. */
static status open_machine(const char *more, machine *machine) {
    char path[] = "/tmp/engram_machine_XXXXXX";
    const int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    dprintf(descriptor, "%s%s", machine_builtin, more);
    close(descriptor);
    const status result = machine_open(alone, path, machine);
    unlink(path);
    return result;
}

/** At 5 Hz on the built-in machine, with more sections. close_plan() */
static plan open_plan_on(const char *more, const char *text) {
    plan plan = {.rate = 5, .ranks = {1, 64}};
    assert_int_equal(config_read_text(alone, "test", text, strlen(text), NULL, training_schema(), &plan.config), STATUS_OK);
    assert_int_equal(run_prepare(alone, plan.config, system_of(plan.config)), STATUS_OK);
    assert_int_equal(open_machine(more, &plan.machine), STATUS_OK);
    plan.system = system_of(plan.config)->plan;
    assert_int_equal(status_agree(alone, plan.system->open(alone, plan.config, &plan.sizes)), STATUS_OK);
    plan.system->facts(plan.sizes, &plan.facts);
    return plan;
}

static plan open_plan(const char *text) {
    return open_plan_on("", text);
}

static void close_plan(plan *plan) {
    plan->system->close(plan->sizes);
    machine_close(&plan->machine);
    if (plan->system == &patterns_plan) network_forget(plan->config);
    config_free(plan->config);
}

static const char million[] = "network: {kind: balanced_ei, neurons: 1000000, in_degree: 500}\n"
                              "plastic: {excitatory_in_degree: 50, inhibitory_in_degree: 50, group_size: 10}\n"
                              "stimulus: {start: 80 ms, stop: 100 ms}\ntargets: {duration: 200 ms}\n"
                              "learning: {loops: 25, precision: half}\nneuron: {precision: single}\n"
                              "output: {spikes: none, report: [], edges: none}\n";

/** The formulas of jobs/million/README.md, of all ranks. */
static void test_million(void **state) {
    (void)state;
    plan plan = open_plan(million);
    const plan_network *network = plan.sizes;
    for (int ranks = 1; ranks <= 8; ranks *= 2) {
        const double n = 1e6, inputs = 100, groups = n / 10, r = ranks, t = 20, ld = 112, mib = 1 << 20;
        plan_memory bytes = plan_memory_of(&plan, ranks);
        near(bytes.category[MEMORY_P] * r, groups * (2 * ld * (inputs + 12) + 4 * ld + 4 * 16 + 36), 0.001);
        near(bytes.category[MEMORY_WEIGHTS] * r, 8 * n * inputs + 12 * groups * inputs + (12 + 8 * r) * n, 0.01);
        near(bytes.category[MEMORY_STATIC] * r, 4 * 500 * n + (8 + 4 * (ceil(n / (32768 * r)) - 1)) * r * n, 0.001);
        near(bytes.category[MEMORY_STATE] * r, (76 + 21 * r) * n, 0.005);
        near(bytes.category[MEMORY_TARGETS] * r, (8 * t + 40 + 4 * r) * n, 0.001);
        near(bytes.category[MEMORY_OUTPUT] * r, 8 * (2 * t + 11) * n, 0.001); /* averages, twice; sums of 10 stretches, and of the one before */
        near(bytes.category[MEMORY_BUFFERS] * r, (36 + 9 * r) * n + 12 * groups * inputs * plan_spiking(5, 110), 0.15);
        near(bytes.category[MEMORY_LIBRARIES], plan.machine.about.libraries * mib, 1e-12);
        double sum = 0;
        for (int c = 0; c < MEMORY_CATEGORIES; c++) sum += bytes.category[c];
        near(bytes.sum, sum, 1e-12);
        assert_true(bytes.peak >= bytes.sum);
    }
    assert_true(network->trained == 1000000 && network->trained_first && isnan(network->target_rate));
    assert_int_equal(network->loop_steps, 3000);
    close_plan(&plan);
}

/** Targets and what correlations are measured from take memory of the neurons that have a target, on the ranks that have these; what files hold of all neurons
 *  takes that of all. */
static void test_few_targets(void **state) {
    (void)state;
    static const char format[] = "network: {neurons: 8000, in_degree: 50}\nplastic: {excitatory_in_degree: 10, inhibitory_in_degree: 10, trained: %s}\n"
                                 "learning: {every: 2 ms, loops: 5}\ntest: {trials: %d, psth_bin: 1 s}\n"
                                 "output: {correlation_window: 2 ms, spikes: none, report: []}\n"
                                 "targets: {kind: surrogate, quantity: rate, conditions: 1, length: 1 s, bin: 1 ms, units: 800%s}\n";
    static const struct { const char *trained, *more; int trials; double targets; } cases[] = {
        {"all", "", 0, 800}, {"all", "", 5, 800}, {"all", ", pairing: rate", 0, 800}, {"all", ", others: auxiliary", 0, 8000},
        {"targets", ", others: auxiliary", 0, 8000}}; /* the auxiliary ones do not learn, but targets.h5 has their rates */
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        char text[1024];
        const double instants = 500, n = 8000, with = cases[k].targets;
        snprintf(text, sizeof text, format, cases[k].trained, cases[k].trials, cases[k].more);
        plan plan = open_plan(text);
        const plan_network *network = plan.sizes;
        const plan_memory bytes = plan_memory_of(&plan, 1);
        assert_true(network->targets == with);
        near(bytes.category[MEMORY_TARGETS], 16 * instants * with + 44 * n + (with < n ? 4 * (n + with) : 0), 1e-9);
        const double averages = 8 * instants * n, tests = cases[k].trials ? averages + 20 * n + 16 * cases[k].trials : 0;
        near(bytes.category[MEMORY_OUTPUT], averages + tests + 8 * instants * with + 8 * n * ((double)network->tracked + (with < n)), 1e-3);
        assert_true(network->tracked < 10);
        double learners = 0;
        for (int64_t ranks = 2; ranks <= 8; ranks *= 2) {
            const plan_share share = plan_share_of(network, ranks);
            assert_true(share.targets >= with / (double)ranks && share.targets <= (double)share.mine && (with == n || share.targets >= share.rows));
            learners = share.targets;
        }
        assert_true(learners < with); /* shared out to 8 ranks */
        close_plan(&plan);
    }
}

/** What the run itself adds: spikes that wait in memory, traces, lines of metrics.csv, checkpoints. */
static void test_run(void **state) {
    (void)state;
    const char text[] = "network: {neurons: 1000, in_degree: 10}\nplastic: {excitatory_in_degree: 10, inhibitory_in_degree: 10}\nlearning: {loops: 10}\n"
                        "stimulus: {start: 0 ms, stop: 100 ms}\ntargets: {duration: 100 ms}\ncheckpoint: {every_loops: 3}\n"
                        "output: {spikes: all, report: [v], report_neurons: 100, report_every: 1 ms}\n";
    plan plan = open_plan(text);
    plan_bytes bytes = {0};
    plan_files files = {0};
    plan.system->memory(plan.sizes, 1, plan.rate, &bytes);
    plan.system->output(plan.sizes, plan.rate, &files);
    plan_memory memory = plan_memory_of(&plan, 1);
    plan_output output = plan_output_of(&plan);
    plan_time time = plan_time_of(&plan, 1);
    const double spikes = 10 * 1000 * 5 * 0.2; /* loops, neurons, Hz, s */
    double room = 0, listed = 0;
    while (room < spikes) room = floor(room * 1.5) + 1024;
    near(memory.category[MEMORY_OUTPUT] - bytes.category[MEMORY_OUTPUT], 12 * room + 4 * 100 * 200 + 4 * 100, 1e-9);
    assert_string_equal(output.files.file[0].name, "spikes");
    near(output.files.file[0].bytes, 16 * spikes, 1e-9);
    near(output.files.file[1].bytes, 4 * 100 * 200, 1e-9);
    assert_int_equal(output.files.count, files.count + 2);
    for (int f = 0; f < output.files.count; f++) listed += output.files.file[f].bytes;
    near(output.sum, listed + 80 * 10 + 2 * files.checkpoint, 1e-9);
    near(time.run - time.of.build - time.of.baseline - time.of.tests - 10 * time.loop - time.write, 4 * time.checkpoint, 1e-6); /* after 3, 6, 9 and 10 loops */
    close_plan(&plan);
    double tests[2];
    for (int every = 0; every < 2; every++) {
        char with_tests[sizeof text + 64];
        snprintf(with_tests, sizeof with_tests, "%stest: {trials: 2, every: %d}\n", text, 3 * every);
        plan = open_plan(with_tests);
        tests[every] = plan_time_of(&plan, 1).of.tests;
        close_plan(&plan);
    }
    near(tests[1], 4 * tests[0], 1e-9); /* after 3, 6 and 9 loops, and behind the last one */
}

/** Nothing of a plan may go wrong when there are more ranks than neurons. */
static void test_more_ranks_than_neurons(void **state) {
    (void)state;
    plan plan = open_plan("network: {neurons: 1000}\nplastic: {excitatory_in_degree: 10, inhibitory_in_degree: 10}\n");
    for (int64_t ranks = 1; ranks <= 1000000; ranks *= 10) {
        plan_share share = plan_share_of(plan.sizes, ranks);
        plan_memory bytes = plan_memory_of(&plan, ranks);
        plan_time time = plan_time_of(&plan, ranks);
        assert_true(share.mine == (ranks < 1000 ? 1000 / ranks : 1));
        assert_true(isfinite(bytes.sum) && bytes.sum > 0 && isfinite(time.loop) && time.loop > 0 && time.of.waiting >= 0);
    }
    close_plan(&plan);
}

/** Where P is divided among all ranks, a rank's part shrinks with their number; what every rank has of all neurons does not. */
static void test_divided_p(void **state) {
    (void)state;
    plan plan = open_plan("network: {kind: none, neurons: 8192}\nplastic: {kind: all_to_all}\ntargets: {kind: ou}\nlearning: {mu: 0}\n");
    const plan_network *network = plan.sizes;
    assert_string_equal(network->rule.store->name, "distributed");
    plan_share one = plan_share_of(network, 1), eight = plan_share_of(network, 8);
    const double n = 8192, whole = 4 * n * (n + 16), shared = 4 * n * (64 + 2) + 9 * n; /* P with padded rows; Q, r and k; sources, signs, places */
    near(plan_store_bytes(network, &one, 5).p, whole + shared + 4 * n * 65, 0.001);
    near(plan_store_bytes(network, &eight, 5).p, 4 * n * (n / 8 + 16) + shared + 4 * n / 8 * 65, 0.001);
    plan_network grid = *network;
    grid.rule.grid_columns = 2;
    assert_int_equal(plan.system->check(&grid, 8), STATUS_OK);
    assert_int_equal(plan.system->check(&grid, 7), STATUS_INPUT);
    status_forget();
    close_plan(&plan);
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

/** Round numbers, so that times are sums that can be done by hand. */
static void round_machine(machine *machine) {
    machine_update *update = machine_costs(machine, "update");
    machine_delivery *delivery = machine_costs(machine, "delivery");
    machine_rls *rls = machine_costs(machine, "rls");
    set_list(&update->model[0], 2);
    set_list(&update->typed, 0.5);
    set_list(&update->plastic, 0.5);
    update->spike = 200;
    update->learning = 1.5;
    delivery->filter = 50;
    delivery->step = 40;
    set_list(&delivery->typed, 1);
    set_list(&delivery->plastic, 3);
    set_list(&delivery->spike, 100);
    rls->source = 1;
    set_list(&rls->large[0][0].quiet, 1000);
    set_list(&rls->large[0][0].spiking, 10);
    set_list(&rls->cached[0][0].quiet, 1000);
    set_list(&rls->cached[0][0].spiking, 10);
    machine->exchange.spike = 2;
    machine->exchange.block = 1;
    set_list(&machine->exchange.latency, 5);
    set_list(&machine->exchange.per_kib, 1);
    static double shared[] = {3}; /* the built-in machine has none */
    machine->exchange.shared = (param_numbers){.count = 1, .values = shared};
}

static void test_time(void **state) {
    (void)state;
    plan plan = open_plan("simulation: {exchange: nodes}\nnetwork: {kind: balanced_ei, neurons: 10000, in_degree: 100}\n"
                          "plastic: {excitatory_in_degree: 32, inhibitory_in_degree: 32}\n"
                          "stimulus: {kind: none}\ntargets: {kind: ou}\noutput: {correlation_window: 0}\n");
    plan.rate = 10;
    plan.ranks.per_node = 2;
    round_machine(&plan.machine);
    plan_time whole = plan_time_of(&plan, 1);
    plan_seconds one = whole.of, two = plan_time_of(&plan, 2).of;
    const double steps = 20000, spikes = 10000 * 10 * 1e-4; /* of a step */
    double fraction = (plan_spiking(10, 1010) + 99 * plan_spiking(10, 10)) / 100, spread = 5000 * 64 * fraction * (1 - fraction);
    near(one.update, steps * (1.5 * (10000 * 3 + spikes * 200) + spikes * 50) * 1e-9, 1e-9);
    near(one.deliver, steps * (40 + spikes * (100 + 200 * 1 + 64 * 3)) * 1e-9, 1e-9);
    near(one.learn, 100 * (10000 + 10000 * (1000 + 64 * fraction * 10)) * 1e-9, 1e-9);
    near(one.transfer, steps * spikes * 2e-9, 1e-9);
    assert_true(one.waiting == 0);
    near(two.update, steps * (1.5 * (5000 * 3 + spikes / 2 * 200) + spikes * 50) * 1e-9, 1e-9);
    near(two.deliver, steps * (40 + spikes * (100 + 100 * 1 + 32 * 3)) * 1e-9, 1e-9);
    near(two.transfer, steps * (spikes * 2 + 1000 * 3) * 1e-9, 1e-9);
    near(two.waiting, plan_slowest(2) * (steps * sqrt(spikes * 100 * 1 + spikes * 32 * 9) + 100 * sqrt(spread) * 10) * 1e-9, 1e-9);
    plan.machine.network.latency = 10;
    plan.machine.network.bandwidth = 1;
    plan_seconds far = plan_time_of(&plan, 8).of; /* four nodes: two levels of a tree, and what 3 other leaders send; their ranks put and get it */
    near(far.transfer, steps * (spikes * 2 + 4 * 1 + 1000 * (3 + 2 * 10 + 3) + 3 * 4 * (2 + 2 * (16 + 12))) * 1e-9, 1e-9);
    int measured = plan.machine.exchange.shared.count;
    plan.machine.exchange.shared.count = 0; /* the time by MPI counts */
    near(plan_time_of(&plan, 2).of.transfer, steps * (spikes * 2 + 1000 * 5) * 1e-9, 1e-9);
    plan.machine.exchange.shared.count = measured;
    near(whole.loop, one.update + one.deliver + one.learn + one.record + one.transfer + one.waiting, 1e-12);
    close_plan(&plan);
}

/** Every rank to every other, by MPI. */
static void test_time_flat(void **state) {
    (void)state;
    plan plan = open_plan("simulation: {exchange: flat}\nnetwork: {kind: balanced_ei, neurons: 10000, in_degree: 100}\nstimulus: {kind: none}\n"
                          "targets: {kind: ou}\n");
    plan.rate = 10;
    plan.ranks.per_node = 2;
    round_machine(&plan.machine);
    plan.machine.network.latency = 10;
    plan.machine.network.bandwidth = 1;
    const double steps = 20000, spikes = 10;
    plan_seconds two = plan_time_of(&plan, 2).of, far = plan_time_of(&plan, 8).of; /* what 6 other ranks send goes to both ranks of a node */
    double bytes = 4 * (18 + 12);
    near(two.transfer, steps * (spikes * 2 + 2 * 1 + 1000 * (5 + 4.0 * (18 + 50) / 1024)) * 1e-9, 1e-9);
    near(far.transfer, steps * (spikes * 2 + 8 * 1 + 1000 * (3 * 10 + bytes / 1024) + 6 * bytes * 2) * 1e-9, 1e-9);
    close_plan(&plan);
}

/** A published osu_allgather (Open MPI 4.1, Omni-Path, 2 nodes of 22 ranks: open-mpi/ompi 10347), in us: the built-in machine, which was measured on 2 ranks,
 *  and the published latency and bandwidth say as much for blocks as spikes have, and half for long ones. */
static void test_published_allgather(void **state) {
    (void)state;
    const struct { double bytes, us, low, high; } published[] = {{1, 9.5, 1, 1.1}, {64, 12.6, 1, 1.1}, {256, 22.8, 1, 1.2}, {1024, 94.5, 1.6, 2}};
    plan plan = open_plan("network: {kind: balanced_ei, neurons: 10000, in_degree: 100}\n");
    for (int k = 0; k < 4; k++) {
        const double times = published[k].us / (1e6 * plan_message(&plan.machine, (plan_ranks){.count = 44, .per_node = 22}, published[k].bytes));
        print_message("allgather of %g bytes, 44 ranks: published %g us, %.2f times the plan\n", published[k].bytes, published[k].us, times);
        assert_true(times > published[k].low && times < published[k].high);
    }
    const struct { plan_ranks ranks; bool measured; } cases[] = {{{1, 1}, true}, {{2, 2}, true}, {{3, 4}, false}, {{2, 1}, false}};
    for (int k = 0; k < 4; k++) assert_true(plan_is_measured(&plan.machine, cases[k].ranks) == cases[k].measured);
    close_plan(&plan);
}

/** Steps that go at once, where no delay is shorter: fewer exchanges, and waits of sums of as many steps. */
static void test_time_of_delays(void **state) {
    (void)state;
    const struct { const char *more; int at_once; } cases[] = {
        {"simulation: {exchange: flat}\n", 5}, {"simulation: {exchange: flat, exchange_every: step}\n", 1},
        {"simulation: {exchange: flat}\nplastic: {delay: 0.3 ms}\n", 3}, {"simulation: {exchange: flat}\nplastic: {kind: none}\nlearning: {rule: none}\n", 16},
    };
    double waiting[2];
    for (int k = 0; k < 4; k++) {
        char text[400];
        snprintf(text, sizeof text,
                 "network: {kind: balanced_ei, neurons: 10000, in_degree: 100, delay_range: [1.6 ms, 2 ms]}\nstimulus: {kind: none}\ntargets: {kind: ou}\n%s%s",
                 strstr(cases[k].more, "plastic") ? "" : "plastic: {delay: 0.5 ms}\n", cases[k].more);
        plan plan = open_plan(text);
        plan.rate = 10;
        plan.ranks.per_node = 2;
        round_machine(&plan.machine);
        const double steps = 20000, spikes = 10, exchanges = steps / cases[k].at_once;
        plan_seconds two = plan_time_of(&plan, 2).of;
        near(two.transfer, (steps * spikes * 2 + exchanges * (2 * 1 + 1000 * (5 + 4.0 * (18 + 50) / 1024))) * 1e-9, 1e-9);
        if (k < 2) waiting[k] = two.waiting;
        close_plan(&plan);
    }
    assert_true(waiting[0] < waiting[1]);
}

/** A line for exchange.shared, and one that earlier machine files had: read whole, without it, and refused where it does not go with its ranks. */
static void test_machine_shared(void **state) {
    (void)state;
    const struct { const char *line; status result; int count; } cases[] = {
        {"", STATUS_OK, 0}, {"  shared: []\n", STATUS_OK, 0}, {"  shared: [0.25]\n", STATUS_OK, 1}, {"  shared: [0.25, 0.5]\n", STATUS_INPUT, 0}};
    const char *before = strstr(machine_builtin, "  shared: "), *after = strstr(machine_builtin, "  spike: 0.1168\n");
    assert_true(before && after > before);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        char path[] = "/tmp/engram_machine_XXXXXX";
        int descriptor = mkstemp(path);
        machine machine;
        assert_true(descriptor >= 0);
        dprintf(descriptor, "%.*s%s%s", (int)(before - machine_builtin), machine_builtin, cases[k].line, after);
        close(descriptor);
        assert_int_equal(machine_open(alone, path, &machine), cases[k].result);
        unlink(path);
        if (cases[k].result != STATUS_OK) continue;
        assert_int_equal(machine.exchange.shared.count, cases[k].count);
        machine_close(&machine);
    }
}

/* Of 96 neurons and 112 posts, of which bytes tell: the first of each list counts, and is exact. Gradients have synapses of the input, too, and are larger. */
static const char full_machine[] =
    "full: {bytes: [43008, 1e9], forward: [0.5, 50], spike: [2, 50], charge: [3, 50], backward: [5, 50], back: [7, 50], stretch: [%s, 50], gradient: [%s], "
    "gradient_charge: [13, 50]}\n"
    "lsnn: {forward: 0, backward: 0, full_forward: 17, full_backward: 19, spike: 0, back: 0, gradient: 0, input: 0, shown: 0, sum: 0, update: 0, rewire: 0}\n"
    "differentiable: {synapse: 0, neuron: 20, forward: 0.25, update: 0}\n";

/** Seconds of an iteration, and its steps. */
static plan_seconds time_full(const char *stretch, const char *gradient, const char *text, double rate, double *steps) {
    char machine[sizeof full_machine + 32];
    snprintf(machine, sizeof machine, full_machine, stretch, gradient);
    plan plan = open_plan_on(machine, text);
    plan.rate = rate;
    const plan_seconds s = plan_time_of(&plan, 1).of;
    *steps = (double)plan.facts.loop_steps;
    close_plan(&plan);
    return s;
}

/** Full matrices of networks that learn through their spikes cost what is in them: spikes, samples that can use what comes back, spikes of a stretch. */
static void test_time_full(void **state) {
    (void)state;
    static const char format[] = "simulation: {dt: 1 ms}\nnetwork: {neurons: 96, delays: %d}\ntask: {kind: evidence}\nlearning: {rule: %s, batch: 16}\n";
    const double fires = 0.05, psi = 2.3 * fires, any = 0.6 * (1 - pow(1 - psi, 16)), synapses = 96 * 112;
    char bptt[256], eprop[256], delayed[256];
    double steps;
    snprintf(bptt, sizeof bptt, format, 1, "bptt"), snprintf(eprop, sizeof eprop, format, 1, "eprop"), snprintf(delayed, sizeof delayed, format, 2, "bptt");
    plan_seconds s = time_full("1e-6", "1e-6, 1e-6", bptt, 50, &steps);
    near(s.update, 1e-9 * steps * (96 * 17 + synapses * (0.5 + 16 * fires * 2)), 1e-6);
    near(s.learn, 1e-9 * steps * (96 * 19 + synapses * (any * 5 + 16 * psi * 7)), 1e-5);
    s = time_full("1e-6", "1e-6, 1e-6", eprop, 50, &steps);
    near(s.update, 1e-9 * steps * (96 * 17 + synapses * (0.5 + 16 * fires * 2)), 1e-6);
    near(s.learn, 1e-9 * steps * 96 * 19, 1e-3);
    const double more = time_full("1e-6", "11, 11", eprop, 60, &steps).learn - time_full("1e-6", "11, 11", eprop, 50, &steps).learn;
    near(more, 1e-9 * steps * synapses * 16 * 0.01 * 11, 1e-4); /* what spikes of the input cost is the same */
    s = time_full("1e-6", "1e-6, 1e-6", delayed, 50, &steps);
    assert_true(s.update == 0 && s.learn == 0); /* not by full matrices */
}

/** The same of charges: those of neurons in the zone, of which more spikes make more. */
static void test_time_charges(void **state) {
    (void)state;
    static const char format[] = "simulation: {dt: 0.5 ms}\nnetwork: {neurons: 96, slow: none, fast: all_to_all, start_range: [0, 0.5]}\n"
                                 "neuron: {model: %s, zone: 0.3}\ntask: {kind: autoencode}\nlearning: {rule: exact_gradient, batch: 16}\n";
    static const struct { const char *model; double of_width, rate; } cases[] = {{"nif", 0.9, 20}, {"nif", 0.9, 100}, {"lif", 0.5, 20}, {"theta", 0.5, 100}};
    const double synapses = 96 * 112; /* with 16 posts for readouts */
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        char text[512];
        snprintf(text, sizeof text, format, cases[k].model);
        const double part = cases[k].of_width * 0.3 + cases[k].rate * 0.0005, any = 1 - pow(1 - part, 16);
        double steps;
        const plan_seconds s = time_full("11", "50, 50", text, cases[k].rate, &steps);
        near(s.update, 1e-9 * steps * (16 * 96 * 20 * 0.25 + synapses * (0.5 + 16 * part * 3)), 1e-6);
        near(s.learn, 1e-9 * steps * (16 * 96 * 20 * 0.75 + synapses * (any * 5 + 16 * part * 7 + 11.0 / 40 + 16 * part * 13)), 1e-6);
    }
}

/** Files of before there was the section are read, and ones whose lists do not agree refused. */
static void test_machine_full(void **state) {
    (void)state;
    static const struct { const char *more; status result; } cases[] = {
        {"", STATUS_OK}, {"full: {bytes: [1, 2, 3, 4, 5, 6]}\n", STATUS_OK}, {"full: {bytes: [1, 2, 3, 4, 6, 5]}\n", STATUS_INPUT},
        {"full: {bytes: [1, 2]}\n", STATUS_INPUT}, {"full: {spike: [1, 2, 3, 4, 5]}\n", STATUS_INPUT}, {"full: {spikes: [1]}\n", STATUS_INPUT}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        machine machine;
        assert_int_equal(open_machine(cases[k].more, &machine), cases[k].result);
        if (cases[k].result == STATUS_OK) machine_close(&machine);
        else status_forget();
    }
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
        cmocka_unit_test(test_million), cmocka_unit_test(test_few_targets),
        cmocka_unit_test(test_run),  cmocka_unit_test(test_more_ranks_than_neurons), cmocka_unit_test(test_divided_p),
        cmocka_unit_test(test_helpers), cmocka_unit_test(test_time), cmocka_unit_test(test_time_flat), cmocka_unit_test(test_time_of_delays),
        cmocka_unit_test(test_published_allgather), cmocka_unit_test(test_time_full), cmocka_unit_test(test_time_charges),
        cmocka_unit_test(test_machine_file), cmocka_unit_test(test_machine_shared), cmocka_unit_test(test_machine_full),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
