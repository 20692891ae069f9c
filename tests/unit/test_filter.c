/** @file test_filter.c
 *  Filtered spikes and synaptic drive against step-by-step recursion and closed forms (patterns/README.md 2; 7, V5 and V6).
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engram/drive.h"
#include "engram/memory.h"
#include "engram/random.h"

static double uniform(uint64_t id, uint64_t counter) {
    return random_uniform(5, RANDOM_TARGET, id, counter);
}

/** |a - b| relative to their size, to 1e-12. */
static void same(double a, double b) {
    if (!(fabs(a - b) <= 1e-12 * (fabs(a) + fabs(b)) + 1e-300)) fail_msg("%.17g is not %.17g", a, b);
}

#define FORM(by, step, area) ((filter_form){.method = (by) ? FILTER_RUNGE_KUTTA : FILTER_EULER, .dt = (step), .unit = (area)})

static void test_step(void **state) {
    (void)state;
    filter_step euler = filter_step_of(&FORM(0, 0.1, 1), 150), kutta = filter_step_of(&FORM(1, 1, 10), 20);
    same(euler.decay, 1 - 0.1 / 150);
    same(euler.jump, 1.0 / 150);
    same(kutta.jump, 0.5);
    double x = 1 / 20.0;
    same(kutta.decay, 1 - x + x * x / 2 - x * x * x / 6 + x * x * x * x / 24);
    assert_true(fabs(kutta.decay - exp(-x)) < 3e-9);
    assert_true(fabs(0.1 * kutta.jump / (1 - kutta.decay) - 1.025) < 5e-4); /* mean of r over rate (patterns/README.md 2) */
}

/** V5: after one spike r = jump decay^m; for Euler the area is 1. */
static void check_one_spike(int kutta, const double *tau, double dt, double unit) {
    double tau_of[3] = {tau ? tau[0] : 20, tau ? tau[1] : 20, tau ? tau[2] : 20};
    const int32_t spike[1] = {1};
    for (int64_t m = 0; m < 3000; m = m * 3 / 2 + 1) { /* beyond the powers kept ready, too */
        spike_filter *filter = filter_new(3, &FORM(kutta, dt, unit), tau, 20, 1000);
        filter_spikes(filter, spike, 1, m);
        assert_int_equal(filter->touched_count, 1);
        assert_int_equal(filter->touched[0], 1);
        filter_advance(filter, m + 7);
        filter_step step = filter_step_of(&FORM(kutta, dt, unit), tau_of[1]);
        same(filter->r[1], step.jump * pow(step.decay, (double)m));
        assert_true(filter->r[0] == 0 && filter->r[2] == 0);
        filter_clear_interval(filter);
        assert_true(filter->touched_count == 0 && filter->arrived[1] == 0);
        filter_advance(filter, 40); /* no spikes: decay alone */
        same(filter->r[1], step.jump * pow(step.decay, (double)m + 40));
        if (!tau) same(filter->interval_decay, pow(step.decay, 40));
        filter_spikes(filter, spike, 1, 0);
        filter_reset(filter);
        filter_advance(filter, 1);
        assert_true(filter->r[1] == 0 && filter->touched_count == 0);
        filter_free(filter);
    }
    if (kutta) return;
    double area = 0;
    spike_filter *filter = filter_new(3, &FORM(0, dt, unit), tau, 20, 10);
    filter_spikes(filter, spike, 1, 0);
    for (int64_t m = 0; m < llround(60 * tau_of[1] / dt); m++) {
        filter_advance(filter, m > 0);
        filter_clear_interval(filter);
        area += filter->r[1] * dt;
    }
    same(area, unit);
    filter_free(filter);
}

static void test_one_spike(void **state) {
    (void)state;
    const double own[3] = {70, 33.3, 150};
    check_one_spike(0, NULL, 0.1, 1);
    check_one_spike(0, own, 0.1, 1);
    check_one_spike(1, NULL, 1, 10);
    check_one_spike(1, own, 1, 10);
}

/** Random spikes and random learning instants against r <- decay r + jump spike at every step. */
static void check_brute_force(int kutta, const double *tau, int sources, double dt) {
    spike_filter *filter = filter_new(sources, &FORM(kutta, dt, 1), tau, 30, 64);
    double r[64] = {0}, worst = 0;
    int32_t spike[64];
    int64_t age = 0, left = 5; /* steps to the next instant */
    for (uint64_t step = 0; step < 5000; step++) {
        int count = 0;
        left--;
        for (int j = 0; j < sources; j++) {
            filter_step one = filter_step_of(&FORM(kutta, dt, 1), tau ? tau[j] : 30);
            int fires = uniform((uint64_t)j, step) < 0.003 * j; /* source 0 never */
            r[j] = one.decay * r[j] + (fires ? one.jump : 0);
            if (fires) spike[count++] = j;
        }
        filter_spikes(filter, spike, count, left);
        age++;
        if (left > 0) continue;
        filter_advance(filter, age);
        int touched = 0;
        for (int j = 0; j < sources; j++) {
            worst = fmax(worst, fabs(filter->r[j] - r[j]) / (r[j] + 1e-30));
            touched += filter->arrived[j] != 0;
        }
        assert_int_equal(touched, filter->touched_count);
        for (int k = 0; k < touched; k++) assert_true(filter->arrived[filter->touched[k]] > 0);
        filter_clear_interval(filter);
        for (int j = 0; j < sources; j++) assert_true(filter->arrived[j] == 0);
        age = 0;
        left = 1 + (int64_t)(uniform(999, step) * 100);
    }
    print_message("filter, %s, %s: largest relative difference %.1e\n", kutta ? "RK4" : "Euler", tau ? "own tau" : "one tau", worst);
    assert_true(worst < 1e-12);
    filter_free(filter);
}

static void test_brute_force(void **state) {
    (void)state;
    double tau[40];
    for (int j = 0; j < 40; j++) tau[j] = 5 + 3.7 * j;
    check_brute_force(0, NULL, 40, 0.5);
    check_brute_force(1, NULL, 40, 0.5);
    check_brute_force(0, tau, 40, 0.5);
    check_brute_force(1, tau, 40, 0.5);
}

enum { SOURCES = 30, MINE = 10, DEGREE = 6, FIRST = 12 };

/** A plastic row for every local neuron. */
static plastic_synapses *make_plastic(void) {
    int32_t *row_neuron = memory_new(MEMORY_WEIGHTS, MINE, sizeof(int32_t)), *group_row = memory_new(MEMORY_WEIGHTS, MINE + 1, sizeof(int32_t));
    int32_t *source = memory_new(MEMORY_WEIGHTS, MINE * DEGREE, sizeof(int32_t));
    int64_t *group_start = memory_new(MEMORY_WEIGHTS, MINE + 1, sizeof(int64_t)), chosen[DEGREE];
    double *initial = memory_new(MEMORY_BUFFERS, MINE * DEGREE, sizeof(double));
    for (int i = 0; i < MINE; i++) {
        row_neuron[i] = i;
        group_row[i + 1] = i + 1;
        group_start[i + 1] = (int64_t)(i + 1) * DEGREE;
        random_choose(1, RANDOM_PLASTIC_ROW, (uint64_t)i, 0, SOURCES, DEGREE, chosen);
        for (int a = 0; a < DEGREE; a++) source[i * DEGREE + a] = (int32_t)chosen[a], initial[i * DEGREE + a] = uniform(7, (uint64_t)(i * DEGREE + a)) - 0.5;
    }
    return plastic_new(&(plastic_parts){.neurons = SOURCES, .sources = SOURCES, .rows = MINE, .row_neuron = row_neuron, .groups = MINE,
                                        .group_row = group_row, .group_start = group_start, .source = source, .initial = initial});
}

static int random_spikes(uint64_t step, int32_t *spike) {
    int count = 0;
    for (int j = 0; j < SOURCES; j++)
        if (uniform((uint64_t)j, step) < 0.05) spike[count++] = j;
    return count;
}

/** A step of the drive in two stretches of odd length; what it returns is what settling stores. */
static void advance(drive *u, const double *noise, const double *noise_sd) {
    double input[MINE], later[MINE], outside[MINE];
    const int middle = u->mine / 2 - (u->mine > 3);
    for (int i = 0; i < MINE; i++) outside[i] = 1.25 * i;
    drive_advance(u, &(drive_told){noise, noise_sd}, 0, middle, outside, 0, input);
    drive_advance(u, &(drive_told){noise ? noise + middle : NULL, noise_sd}, middle, u->mine, outside + middle, 0, input + middle);
    drive_total(u, 0, u->mine, later);
    drive_settle(u);
    for (int i = 0; i < u->mine; i++) assert_true(later[i] == u->total[i] && input[i] == outside[i] + u->total[i]);
}

/** V6: with frozen weights the plastic drive is w.r, in both forms; with own time constants each target filters with its own. */
static void check_plastic_drive(bool readout, const double *tau) {
    plastic_synapses *plastic = make_plastic();
    drive *u = drive_new(&(drive_setting){.mine = MINE, .first = FIRST, .readout = readout, .form = FORM(readout, 0.5, readout ? 10 : 1), .tau_excitatory = 3,
                                          .tau_inhibitory = 3,
                                          .tau_plastic_own = tau, .tau_plastic = 40});
    double r[MINE][SOURCES] = {{0}}, worst = 0;
    int32_t spike[SOURCES];
    for (uint64_t step = 0; step < 3000; step++) {
        int count = random_spikes(step, spike);
        u->plastic_used = true;
        plastic_deliver(plastic, spike, count, u->plastic_arriving);
        advance(u, NULL, NULL);
        for (int i = 0; i < MINE; i++) {
            filter_step one = filter_step_of(&FORM(readout, 0.5, readout ? 10 : 1), tau ? tau[i] : 40);
            for (int j = 0; j < SOURCES; j++) r[i][j] *= one.decay;
            for (int k = 0; k < count; k++) r[i][spike[k]] += one.jump;
            double wanted = 0, size = 1e-30;
            for (int a = 0; a < DEGREE; a++) {
                double term = plastic_weight(plastic, i * DEGREE + a) * r[i][plastic->source[i * DEGREE + a]];
                wanted += term, size += fabs(term);
            }
            worst = fmax(worst, fabs(u->learned[i] - wanted) / size);
            assert_true(u->total[i] == u->learned[i] && u->fixed[i] == 0 && u->plastic_arriving[i] == 0);
        }
    }
    print_message("w.r and plastic drive, %s, %s: largest relative difference %.1e\n", readout ? "readout" : "spike time", tau ? "own tau" : "one tau", worst);
    assert_true(worst < 1e-12);
    if (readout) { /* learning moves the sum; the drive follows at the next step */
        double before = u->learned[3];
        u->plastic_sum[3] = 2.5;
        assert_true(u->learned[3] == before);
        advance(u, NULL, NULL);
        same(u->learned[3], 2.5 * filter_step_of(&FORM(1, 0.5, 10), tau ? tau[3] : 40).decay);
    }
    drive_reset(u);
    for (int i = 0; i < MINE; i++) assert_true(u->learned[i] == 0 && u->plastic_sum[i] == 0 && u->total[i] == 0);
    drive_free(u);
    plastic_free(plastic);
}

static void test_plastic_drive(void **state) {
    (void)state;
    double tau[MINE];
    for (int i = 0; i < MINE; i++) tau[i] = 20 + 7 * i;
    check_plastic_drive(false, NULL);
    check_plastic_drive(true, NULL);
    check_plastic_drive(false, tau);
    check_plastic_drive(true, tau);
}

/** Typed synapses that count spikes, and the same synapses with their weights written out. @param tau_inhibitory ms; that of excitatory input is 3 */
static void check_static_drive(int64_t first, int64_t excitatory, double tau_inhibitory, bool noisy) {
    synapse_rows rows = {.targets = MINE,
                         .start = memory_new(MEMORY_BUFFERS, MINE + 1, sizeof(int64_t)),
                         .source = memory_new(MEMORY_BUFFERS, MINE * SOURCES, sizeof(int32_t)),
                         .weight = memory_new(MEMORY_BUFFERS, MINE * SOURCES, sizeof(double))};
    const double type_weight[2][2] = {{0.21, -1.05}, {1.4, -1.39}};
    for (int i = 0; i < MINE; i++) {
        int64_t at = rows.start[i];
        for (int j = 0; j < SOURCES; j++) {
            if (uniform(50 + (uint64_t)i, (uint64_t)j) > 0.4) continue;
            rows.source[at] = j;
            rows.weight[at++] = type_weight[first + i >= excitatory][j >= excitatory];
        }
        rows.start[i + 1] = at;
    }
    static_synapses *weighted = static_from_rows(&rows, SOURCES, excitatory), *typed = static_from_rows(&rows, SOURCES, excitatory);
    memory_free(typed->weight);
    typed->weight = NULL;
    memcpy(typed->type_weight, type_weight, sizeof type_weight);
    drive *a = drive_new(&(drive_setting){.mine = MINE, .first = first, .synapses = weighted, .form = FORM(0, 0.1, 1), .tau_excitatory = 3,
                                          .tau_inhibitory = tau_inhibitory, .tau_plastic = 150});
    drive *b = drive_new(&(drive_setting){.mine = MINE, .first = first, .synapses = typed, .form = FORM(0, 0.1, 1), .tau_excitatory = 3,
                                          .tau_inhibitory = tau_inhibitory, .tau_plastic = 150});
    filter_step e = filter_step_of(&FORM(0, 0.1, 1), 3), h = filter_step_of(&FORM(0, 0.1, 1), tau_inhibitory);
    double u[MINE][2] = {{0}}, noise[MINE], sd[MINE];
    int32_t spike[SOURCES];
    for (uint64_t step = 0; step < 2000; step++) {
        int count = random_spikes(step, spike);
        static_deliver(weighted, spike, count, &a->arriving);
        static_deliver(typed, spike, count, &b->arriving);
        for (int i = 0; i < MINE; i++) noise[i] = uniform(70, step * MINE + (uint64_t)i), sd[i] = i;
        advance(a, noisy ? noise : NULL, sd);
        advance(b, noisy ? noise : NULL, sd);
        for (int i = 0; i < MINE; i++) {
            double arrived[2] = {0, 0};
            for (int64_t s = rows.start[i]; s < rows.start[i + 1]; s++)
                for (int k = 0; k < count; k++)
                    if (rows.source[s] == spike[k]) arrived[spike[k] >= excitatory] += rows.weight[s];
            u[i][0] = e.decay * u[i][0] + e.jump * arrived[0];
            u[i][1] = h.decay * u[i][1] + h.jump * arrived[1];
            assert_true((a->from_inhibitory != NULL) == (tau_inhibitory != 3) &&
                        (b->from_inhibitory != NULL) == (tau_inhibitory != 3)); /* equal ones: one filter */
            if (tau_inhibitory != 3) {
                same(a->from_excitatory[i], u[i][0]), same(a->from_inhibitory[i], u[i][1]);
                same(b->from_excitatory[i], u[i][0]), same(b->from_inhibitory[i], u[i][1]);
            }
            double wanted = u[i][0] + u[i][1] + (noisy ? sd[i] * noise[i] : 0), size = u[i][0] - u[i][1] + 10;
            assert_true(fabs(a->fixed[i] - wanted) < 1e-12 * size && fabs(b->fixed[i] - wanted) < 1e-12 * size && a->total[i] == a->fixed[i]);
        }
    }
    static_deliver(typed, (int32_t[]){0, 29}, 2, &b->arriving);
    drive_reset(b);
    advance(b, NULL, NULL);
    for (int i = 0; i < MINE; i++) assert_true(b->fixed[i] == 0 && b->total[i] == 0);
    drive_free(a), drive_free(b);
    static_free(weighted), static_free(typed);
    synapse_rows_free(&rows);
}

static void test_static_drive(void **state) {
    (void)state;
    for (double tau_inhibitory = 3; tau_inhibitory <= 4; tau_inhibitory++) {
        check_static_drive(12, 15, tau_inhibitory, false); /* both types on this rank */
        check_static_drive(0, 15, tau_inhibitory, true);   /* excitatory only */
        check_static_drive(20, 15, tau_inhibitory, false); /* inhibitory only */
        check_static_drive(4, 0, tau_inhibitory, false);
        check_static_drive(4, SOURCES, tau_inhibitory, true);
    }
}

/** A drive in single precision beside one in double, given the same: every part within rounding, whose size does not grow with time constants; what acts is
 *  what is read. @param own [MINE] ms or NULL */
static void check_single(bool static_apart, const double *own, bool noisy) {
    synapse_rows rows = {.targets = MINE, .start = memory_new(MEMORY_BUFFERS, MINE + 1, sizeof(int64_t)),
                         .source = memory_new(MEMORY_BUFFERS, MINE * SOURCES, sizeof(int32_t)),
                         .weight = memory_new(MEMORY_BUFFERS, MINE * SOURCES, sizeof(double))};
    for (int i = 0; i < MINE; i++) {
        for (int j = 0; j < SOURCES; j++) rows.source[i * SOURCES + j] = j, rows.weight[i * SOURCES + j] = j < 20 ? 0.1 : -0.15;
        rows.start[i + 1] = (int64_t)(i + 1) * SOURCES;
    }
    static_synapses *synapses = static_from_rows(&rows, SOURCES, 20);
    plastic_synapses *plastic = make_plastic();
    drive_setting setting = {.mine = MINE, .first = FIRST, .synapses = synapses, .form = FORM(0, 0.1, 1), .tau_excitatory = 3,
                             .tau_inhibitory = static_apart ? 5 : 3, .tau_plastic = 150, .tau_plastic_own = own};
    drive *exact = drive_new(&setting);
    setting.single = true;
    drive *narrow = drive_new(&setting);
    assert_true(!narrow->from_excitatory && narrow->single_excitatory && (narrow->single_inhibitory != NULL) == static_apart);
    double noise[MINE], sd[MINE], outside[MINE], worst[3] = {0};
    float outside_single[MINE], noise_single[MINE], sd_single[MINE];
    int32_t spike[SOURCES];
    for (int i = 0; i < MINE; i++) outside[i] = 1.25 * i, outside_single[i] = 1.25f * (float)i, sd[i] = 0.1 * i, sd_single[i] = (float)sd[i];
    for (uint64_t step = 0; step < 20000; step++) {
        const int count = random_spikes(step, spike);
        drive *both[] = {exact, narrow};
        double input[MINE], later[MINE], part[MINE];
        float input_single[MINE];
        for (int i = 0; i < MINE; i++) noise[i] = uniform(70, step * MINE + (uint64_t)i), noise_single[i] = (float)noise[i];
        for (int k = 0; k < 2; k++) {
            both[k]->plastic_used = true;
            static_deliver(synapses, spike, count, &both[k]->arriving), plastic_deliver(plastic, spike, count, both[k]->plastic_arriving);
        }
        drive_advance(exact, &(drive_told){noisy ? noise : NULL, sd}, 0, MINE, outside, 0, input);
        drive_told told = {.normals_single = noisy ? noise_single : NULL, .sd_single = sd_single};
        drive_advance_single(narrow, &told, 0, 3, outside_single, 0, input_single);
        if (noisy) told.normals_single += 3;
        drive_advance_single(narrow, &told, 3, MINE, outside_single + 3, 0, input_single + 3);
        drive_total(narrow, 0, MINE, later), drive_learned(narrow, 0, MINE, part);
        drive_settle(exact), drive_settle(narrow);
        for (int i = 0; i < MINE; i++) {
            assert_true(narrow->total[i] == later[i] && narrow->learned[i] == part[i] && narrow->plastic_arriving[i] == 0);
            assert_true(input_single[i] == outside_single[i] + (float)narrow->total[i]);
            worst[0] = fmax(worst[0], fabs(narrow->fixed[i] - exact->fixed[i])), worst[1] = fmax(worst[1], fabs(narrow->learned[i] - exact->learned[i]));
            worst[2] = fmax(worst[2], fabs(input_single[i] - input[i]));
        }
    }
    print_message("drive in single precision: static %.1e, plastic %.1e, input %.1e apart\n", worst[0], worst[1], worst[2]);
    assert_true(worst[0] > 0 && worst[0] < 2e-6 && worst[1] > 0 && worst[1] < 2e-5 && worst[2] < 2e-5);
    for (int step = 0; step < 200000; step++) /* nothing arrives any more: 0 in the end, and no denormal number on the way */
        for (int k = 0; k < 2; k++) {
            float input_single[MINE];
            drive_advance_single(narrow, &(drive_told){NULL, NULL}, k ? 3 : 0, k ? MINE : 3, NULL, 0, input_single);
            for (int i = k ? 3 : 0; i < (k ? MINE : 3) && step % 100 == 0; i++)
                assert_true(narrow->single_plastic[i] == 0 || fabsf(narrow->single_plastic[i]) >= 1e-30f);
        }
    for (int i = 0; i < MINE; i++) assert_true(narrow->single_plastic[i] == 0 && narrow->single_excitatory[i] == 0);
    drive_free(exact), drive_free(narrow);
    static_free(synapses), plastic_free(plastic), synapse_rows_free(&rows);
}

/** One number for all as if it were an array of it, bit for bit. */
static void check_constant(bool single, bool noisy, bool plastic) {
    const drive_setting setting = {.mine = MINE, .first = FIRST, .single = single, .form = FORM(0, 0.1, 1), .tau_excitatory = 3, .tau_inhibitory = 3,
                                   .tau_plastic = 20};
    drive *each = drive_new(&setting), *alike = drive_new(&setting);
    double noise[MINE], sd[MINE], outside[MINE], input[2][MINE];
    float noise_single[MINE], sd_single[MINE], outside_single[MINE], input_single[2][MINE];
    for (int i = 0; i < MINE; i++) sd[i] = 0.1 * i, sd_single[i] = (float)sd[i], outside[i] = 0.7, outside_single[i] = 0.7f;
    for (uint64_t step = 0; step < 50; step++) {
        drive *both[] = {each, alike};
        for (int i = 0; i < MINE; i++) noise[i] = uniform(70, step * MINE + (uint64_t)i) - 0.5, noise_single[i] = (float)noise[i];
        const drive_told told = {.normals = noisy ? noise : NULL, .sd = sd, .normals_single = noisy ? noise_single : NULL, .sd_single = sd_single};
        for (int k = 0; k < 2; k++) {
            both[k]->plastic_used = plastic;
            for (int i = 0; i < MINE; i++) both[k]->plastic_arriving[i] = plastic && i % 3 == 0 ? -0.1 : 0;
            if (single) drive_advance_single(both[k], &told, 0, MINE, k ? NULL : outside_single, 0.7f, input_single[k]);
            else drive_advance(both[k], &told, 0, MINE, k ? NULL : outside, 0.7, input[k]);
            drive_settle(both[k]);
        }
        if (single) assert_memory_equal(input_single[0], input_single[1], sizeof input_single[0]);
        else assert_memory_equal(input[0], input[1], sizeof input[0]);
        assert_memory_equal(each->fixed, alike->fixed, sizeof sd);
        assert_true(!single || input_single[0][1] != 0);
    }
    drive_free(each), drive_free(alike);
}

static void test_constant(void **state) {
    (void)state;
    for (int k = 0; k < 8; k++) check_constant(k & 1, k & 2, k & 4);
}

static void test_single(void **state) {
    (void)state;
    double own[MINE];
    for (int i = 0; i < MINE; i++) own[i] = 20 + 15 * i;
    check_single(false, NULL, false);
    check_single(true, NULL, true);
    check_single(true, own, false);
}

/** Current noise without static synapses is fresh in every step. */
static void test_noise_alone(void **state) {
    (void)state;
    drive *u = drive_new(&(drive_setting){.mine = 2, .first = 0, .form = FORM(0, 0.1, 1), .tau_excitatory = 3, .tau_inhibitory = 3, .tau_plastic = 150});
    for (int step = 0; step < 5; step++) {
        advance(u, (double[]){step, 1}, (double[]){2, 0.5});
        assert_true(u->fixed[0] == 2 * step && u->fixed[1] == 0.5 && u->total[0] == 2 * step);
    }
    drive_free(u);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_step), cmocka_unit_test(test_one_spike), cmocka_unit_test(test_brute_force), cmocka_unit_test(test_plastic_drive),
        cmocka_unit_test(test_static_drive), cmocka_unit_test(test_single), cmocka_unit_test(test_constant), cmocka_unit_test(test_noise_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
