/** @file test_neuron_models.c
 *  GLIF1 to GLIF5, Izhikevich, mV-LIF and QIF neurons (patterns/README.md 1.2, 1.5, 1.6) against closed forms and an independent integration.
 */
#include <math.h>

#include "neuron_bench.h"

#include "../../src/neurons/quadratic.h"
#include "engram/filter.h"

/** Neurons under constant input. Periods are means over all intervals but the first @p skip. */
typedef struct { int64_t spikes, first, last; double shortest, longest; } train;

static void run_constant(neurons *cells, const double *input, int64_t steps, int64_t skip, train *trains) {
    for (int i = 0; i < cells->part.mine; i++) trains[i] = (train){.shortest = 1e9};
    for (int64_t step = 0; step < steps; step++) {
        neurons_step(cells, 1, step, 0, cells->part.mine, input);
        for (int i = 0; i < cells->part.mine; i++) {
            if (!neuron_fired(cells, i) || trains[i].spikes++ < skip) continue;
            if (trains[i].spikes == skip + 1) trains[i].first = step;
            double interval = (double)(step - trains[i].last);
            if (trains[i].spikes > skip + 1) trains[i].shortest = fmin(trains[i].shortest, interval), trains[i].longest = fmax(trains[i].longest, interval);
            trains[i].last = step;
        }
    }
}

static double mean_interval(const train *train, int64_t skip) {
    return (double)(train->last - train->first) / (double)(train->spikes - skip - 1);
}

// ---- GLIF -----------------------------------------------------------------------------------------------------------------------------------------

/** GLIF1 with R = 1, C = tau_m, E_L = 0 is lif, bit for bit, noise and refractory period included. */
static void test_glif1_is_lif(void **state) {
    (void)state;
    enum { CELLS = 37 };
    config *plain = CONFIGURE("neuron.model=lif", "neuron.membrane_tau=12 ms", "neuron.refractory=0.7 ms", "neuron.noise_sd=[0.5, 0.3]", "neuron.threshold=1.1",
                              "neuron.reset=0.1");
    config *general = CONFIGURE("neuron.model=glif1", "neuron.capacitance=12", "neuron.refractory=0.7 ms", "neuron.noise_sd=[0.5, 0.3]", "neuron.threshold=1.1",
                                "neuron.reset=0.1");
    neurons *lif = make(plain, CELLS, 0, CELLS, 20, 0.1), *glif = make(general, CELLS, 0, CELLS, 20, 0.1);
    double input[CELLS];
    int64_t spikes = 0;
    neurons_reset(lif, 3), neurons_reset(glif, 3);
    for (int64_t step = 0; step < 5000; step++) {
        for (int i = 0; i < CELLS; i++) input[i] = 1.5 + 1.2 * sin(0.01 * (double)step + i) + 0.02 * i;
        neurons_step(lif, 3, step, 0, lif->part.mine, input), neurons_step(glif, 3, step, 0, glif->part.mine, input);
        assert_memory_equal(lif->field[0], glif->field[0], sizeof input);
        for (int i = 0; i < CELLS; i++) {
            assert_int_equal(neuron_fired(lif, i), neuron_fired(glif, i));
            spikes += neuron_fired(lif, i);
        }
    }
    assert_true(spikes > 1000);
    assert_false(glif->model->siegert_applies(glif)); /* threshold 1.1 */
    neurons_free(lif), neurons_free(glif);
    config_free(plain), config_free(general);
}

/** sum over s = 1 .. m of a^(m-s) q^s: what m steps of a filter a make of a decaying input q^s. */
static double convolved(double a, double q, double m) {
    return a == q ? m * pow(a, m) : q * (pow(q, m) - pow(a, m)) / (q - a);
}

enum { FIRST_SPIKE = 110 }; /* of v = X (1 - 0.99^n), X = 1.5, threshold 1 (V4) */
static const double DRIVE = 1.5, MEMORY = 0.99;

/** A cell of the dimensionless set at its first spike under X = 1.5; the step after it is refractory. */
static neurons *fire_once(config *config) {
    neurons *cell = make(config, 1, 0, 1, 1, 0.1);
    neurons_reset(cell, 0);
    for (int step = 1; step <= FIRST_SPIKE; step++) {
        neurons_step(cell, 0, step, 0, cell->part.mine, &DRIVE);
        assert_int_equal(neuron_fired(cell, 0), step == FIRST_SPIKE);
    }
    return cell;
}

static void step_silently(neurons *cell) {
    neurons_step(cell, 0, 0, 0, cell->part.mine, &DRIVE);
    assert_int_equal(neuron_fired(cell, 0), 0);
}

static void test_glif3_currents(void **state) {
    (void)state;
    config *config = CONFIGURE("neuron.model=glif3", "neuron.start=reset", "neuron.current_added=[0.1, -0.2, 0.3]");
    const double added[3] = {0.1, -0.2, 0.3}, fade[3] = {1 - 0.1 * 0.1, 1 - 0.1 * 0.2, 1 - 0.1 * 0.3};
    neurons *cell = fire_once(config);
    step_silently(cell); /* refractory: nothing moves */
    for (int j = 0; j < 5; j++) assert_true(cell->field[1 + j][0] == (j < 3 ? added[j] : 0));
    assert_true(cell->field[0][0] == 0);
    int m = 0;
    for (;;) {
        double v = DRIVE * (1 - pow(MEMORY, ++m));
        for (int j = 0; j < 3; j++) v += 0.01 * added[j] * convolved(MEMORY, fade[j], m);
        neurons_step(cell, 0, 0, 0, cell->part.mine, &DRIVE);
        if (neuron_fired(cell, 0)) break;
        assert_true(v <= 1 && fabs(cell->field[0][0] - v) < 1e-13);
        for (int j = 0; j < 3; j++) assert_true(fabs(cell->field[1 + j][0] - added[j] * pow(fade[j], m)) < 1e-14);
    }
    print_message("glif3: second spike %d steps after the first (glif1 %d)\n", m + 1, FIRST_SPIKE + 1);
    for (int j = 0; j < 3; j++) assert_true(fabs(cell->field[1 + j][0] - (0.9 * added[j] * pow(fade[j], m) + added[j])) < 1e-14);
    neurons_free(cell);
    config_free(config);
}

static void test_glif2_rules(void **state) {
    (void)state;
    config *config = CONFIGURE("neuron.model=glif2", "neuron.start=rest");
    neurons *cell = fire_once(config);
    double start = 0.1 * DRIVE * (1 - pow(MEMORY, FIRST_SPIKE)) - 0.1;
    step_silently(cell);
    assert_true(fabs(cell->field[0][0] - start) < 1e-14 && cell->field[1][0] == 0.1);
    int m = 1;
    for (; DRIVE + (start - DRIVE) * pow(MEMORY, m) <= 1 + 0.1 * pow(0.99, m); m++) {
        step_silently(cell);
        assert_true(fabs(cell->field[0][0] - (DRIVE + (start - DRIVE) * pow(MEMORY, m))) < 1e-13);
        assert_true(fabs(cell->field[1][0] - 0.1 * pow(0.99, m)) < 1e-14);
    }
    neurons_step(cell, 0, 0, 0, cell->part.mine, &DRIVE);
    assert_int_equal(neuron_fired(cell, 0), 1);
    print_message("glif2: second spike %d steps after the first\n", m + 1);
    assert_true(m > FIRST_SPIKE && fabs(cell->field[1][0] - (0.1 * pow(0.99, m) + 0.1)) < 1e-14);
    neurons_free(cell);
    config_free(config);
}

/** theta_v before the first spike: the sum over s of gain v_s p^(n-s), p = 1 - dt b_v. */
static double followed(double gain, int n) {
    double p = 1 - 0.1 * 0.9;
    return gain * DRIVE * ((1 - pow(p, n)) / (1 - p) - convolved(p, MEMORY, n));
}

static void test_glif5_following(void **state) {
    (void)state;
    const char *const forms[2] = {"neuron.equations=published", "neuron.equations=coded"};
    for (int coded = 0; coded < 2; coded++) {
        config *config = CONFIGURE("neuron.model=glif5", "neuron.start=rest", forms[coded]);
        neurons *cell = make(config, 1, 0, 1, 1, 0.1);
        double gain = coded ? 0.1 : 0.1 * 0.1;
        neurons_reset(cell, 0);
        int n = 1;
        for (; n < 1000 && DRIVE * (1 - pow(MEMORY, n)) <= 1 + followed(gain, n); n++) {
            step_silently(cell);
            assert_true(fabs(cell->field[0][0] - DRIVE * (1 - pow(MEMORY, n))) < 1e-13 && fabs(cell->field[2][0] - followed(gain, n)) < 1e-13);
        }
        neurons_step(cell, 0, 0, 0, cell->part.mine, &DRIVE);
        print_message("glif5, %s: %s at step %d\n", forms[coded], neuron_fired(cell, 0) ? "spike" : "no spike", n);
        assert_int_equal(neuron_fired(cell, 0), !coded); /* as coded, theta_v tends to 1.11 v: beyond reach */
        assert_true(coded || n > FIRST_SPIKE);
        for (int j = 0; j < 3; j++) assert_true(cell->field[3 + j][0] == (coded ? 0 : 0.1));
        assert_true(coded || fabs(cell->field[0][0] - (0.1 * DRIVE * (1 - pow(MEMORY, n)) - 0.1)) < 1e-14);
        neurons_free(cell);
        config_free(config);
    }
}

/** v -> -70 + 20 v in mV, with R = 0.2 GOhm and C = 50 pF, is the same neuron: E_L, R and C stand where they should. Level 1, 3: V_reset moves along. */
static void test_glif_units(void **state) {
    (void)state;
    const char *const names[] = {"neuron.model=glif1", "neuron.model=glif2", "neuron.model=glif3", "neuron.model=glif4", "neuron.model=glif5"};
    for (int level = 1; level <= 5; level++) {
        const char *plain[20] = {names[level - 1], "neuron.noise_sd=0.3", "neuron.refractory=1 ms"};
        const char *scaled[20] = {names[level - 1],       "neuron.noise_sd=30",    "neuron.refractory=1 ms", "neuron.rest=-70",
                                  "neuron.threshold=-50", "neuron.resistance=0.2", "neuron.capacitance=50"};
        int at = 7;
        if (level == 1 || level == 3) scaled[at++] = "neuron.reset=-70";
        else scaled[at++] = "neuron.reset_drop=2", scaled[at++] = "neuron.threshold_added=2";
        if (level >= 3) scaled[at++] = "neuron.current_added=10";
        config *a = configure(plain), *b = configure(scaled);
        neurons *one = make(a, 5, 0, 5, 5, 0.1), *other = make(b, 5, 0, 5, 5, 0.1);
        int64_t spikes = 0;
        neurons_reset(one, 1), neurons_reset(other, 1);
        for (int64_t step = 0; step < 3000; step++) {
            double input[5], current[5];
            for (int i = 0; i < 5; i++) input[i] = 1.3 + sin(0.02 * (double)step + i), current[i] = 100 * input[i];
            neurons_step(one, 1, step, 0, one->part.mine, input), neurons_step(other, 1, step, 0, other->part.mine, current);
            assert_memory_equal(one->since_spike, other->since_spike, 5 * sizeof(int32_t));
            for (int i = 0; i < 5; i++) assert_true(fabs(-70 + 20 * one->field[0][i] - other->field[0][i]) < 1e-9), spikes += neuron_fired(one, i);
        }
        assert_true(spikes > 50 && one->model->membrane_tau(one) == 10 && other->model->membrane_tau(other) == 10);
        neurons_free(one), neurons_free(other);
        config_free(a), config_free(b);
    }
}

/** What differs between levels is only what they lack: without added currents glif4 is glif2, without coupling glif5 is glif4. */
static void test_glif_levels(void **state) {
    (void)state;
    const char *const pairs[3][2][2] = {{{"neuron.model=glif1", "neuron.refractory=2 ms"}, {"neuron.model=glif3", "neuron.current_added=0"}},
                                        {{"neuron.model=glif2", "neuron.refractory=2 ms"}, {"neuron.model=glif4", "neuron.current_added=0"}},
                                        {{"neuron.model=glif4", "neuron.refractory=2 ms"}, {"neuron.model=glif5", "neuron.threshold_coupling=0"}}};
    for (int pair = 0; pair < 3; pair++) {
        config *a = CONFIGURE(pairs[pair][0][0], "neuron.refractory=2 ms"), *b = CONFIGURE(pairs[pair][1][0], pairs[pair][1][1], "neuron.refractory=2 ms");
        neurons *one = make(a, 300, 0, 300, 300, 0.1), *other = make(b, 300, 0, 300, 300, 0.1); /* more than a block of the kernel */
        double input[300];
        train trains[2][300];
        for (int i = 0; i < 300; i++) input[i] = 0.8 + 0.005 * i;
        neurons_reset(one, 1), neurons_reset(other, 1);
        run_constant(one, input, 2000, 0, trains[0]), run_constant(other, input, 2000, 0, trains[1]);
        for (int i = 0; i < 300; i++) assert_true(trains[0][i].spikes == trains[1][i].spikes && one->field[0][i] == other->field[0][i]);
        assert_true(trains[0][299].spikes > 5);
        neurons_free(one), neurons_free(other);
        config_free(a), config_free(b);
    }
}

// ---- mV-LIF and QIF --------------------------------------------------------------------------------------------------------------------------------

static void test_lif_mv_rate(void **state) {
    (void)state;
    const double drives[4] = {-0.5, 0.1, 0.5, 3}, steps_of[2] = {1, 0.1};
    for (int fine = 0; fine < 2; fine++) {
        config *config = CONFIGURE("neuron.model=lif_mv");
        neurons *cells = make(config, 4, 0, 4, 4, steps_of[fine]);
        train trains[4];
        neurons_reset(cells, 0);
        for (int i = 0; i < 4; i++) assert_true(cells->field[0][i] > -65 && cells->field[0][i] < -50);
        run_constant(cells, drives, (int64_t)(20000 / steps_of[fine]), 0, trains);
        assert_true(trains[0].spikes == 0 && fabs(cells->field[0][0] + 55) < 1e-9); /* rest + tau u */
        for (int i = 1; i < 4; i++) {
            double wanted = 10 * log((10 * drives[i] + 15) / (10 * drives[i])), period = steps_of[fine] * mean_interval(&trains[i], 0);
            print_message("lif_mv, dt %g, u = %g: period %.5f ms, wanted %.5f\n", steps_of[fine], drives[i], period, wanted);
            assert_true(fabs(period - wanted) < 1.01 * steps_of[fine] / (double)(trains[i].spikes - 1)); /* exact but for the two ends */
        }
        neurons_free(cells);
        config_free(config);
    }
}

static void test_quadratic_time(void **state) {
    (void)state;
    double worst = 0;
    for (double x = -4; x <= 2.25; x += 0.01) {
        double exact = fabs(x) < 1e-9 ? 1 : x > 0 ? tan(sqrt(x)) / sqrt(x) : tanh(sqrt(-x)) / sqrt(-x);
        worst = fmax(worst, fabs(quadratic_time(x) / exact - 1));
    }
    print_message("tan(sqrt x)/sqrt x: worst relative error %.1e\n", worst);
    assert_true(worst < 1e-13);
    for (double z = 2; z < 1e6; z *= 1.5) assert_true(quadratic_time(-z * z) > 0 && z * quadratic_time(-z * z) < 1);
}

static void test_qif_rate(void **state) { /* the square-root law, with and without the shortening by the cut-off */
    (void)state;
    const double drives[4] = {-4, 0.01, 1, 16};
    const char *const cutoffs[2] = {"neuron.cutoff=1000", "neuron.cutoff=20"};
    for (int low = 0; low < 2; low++) {
        config *config = CONFIGURE("neuron.model=qif", cutoffs[low]);
        neurons *cells = make(config, 4, 0, 4, 4, 1);
        train trains[4];
        neurons_reset(cells, 0);
        for (int i = 0; i < 4; i++) cells->field[0][i] = -1;
        run_constant(cells, drives, 100000, 0, trains);
        assert_true(trains[0].spikes == 0 && fabs(cells->field[0][0] + 2) < 1e-12);
        for (int i = 1; i < 4; i++) {
            double root = sqrt(drives[i]), wanted = 20 / root * atan((low ? 20 : 1000) / root), period = mean_interval(&trains[i], 0);
            print_message("qif, %s, I = %g: period %.5f ms, wanted %.5f, theta %.5f\n", cutoffs[low], drives[i], period, wanted, 10 * M_PI / root);
            assert_true(fabs(period - wanted) < 1.01 / (double)(trains[i].spikes - 1));
            assert_true(fabs(10 * M_PI / root - wanted - 20.0 / (low ? 20 : 1000)) < 0.02 * 20.0 / (low ? 20 : 1000));
        }
        neurons_free(cells);
        config_free(config);
    }
}

static void test_qif_extremes(void **state) { /* strong drive saturates, strong inhibition is stable, and nothing leaves the range */
    (void)state;
    enum { CELLS = 7 };
    const double drives[CELLS] = {-1e9, -1e4, -300, 240, 1e3, 1e9, 0};
    config *config = CONFIGURE("neuron.model=qif", "neuron.cutoff=10");
    neurons *cells = make(config, CELLS, 0, CELLS, CELLS, 1);
    train trains[CELLS];
    neurons_reset(cells, 0);
    run_constant(cells, drives, 2000, 0, trains);
    for (int i = 0; i < CELLS; i++) assert_true(isfinite(cells->field[0][i]) && cells->field[0][i] <= 10);
    for (int i = 0; i < 3; i++) assert_true(trains[i].spikes <= 1 && fabs(cells->field[0][i] / sqrt(-drives[i]) + 1) < 1e-9);
    assert_true(trains[3].spikes > 500 && trains[4].spikes == trains[5].spikes);
    neurons_free(cells);
    config_free(config);
}

static void test_qif_is_theta(void **state) { /* V3, the models against each other from the same initial state */
    (void)state;
    enum { CELLS = 50, SECONDS = 10 };
    config *phase_config = CONFIGURE("neuron.model=theta"), *voltage_config = CONFIGURE("neuron.model=qif");
    neurons *phase = make(phase_config, CELLS, 0, CELLS, CELLS, 1), *voltage = make(voltage_config, CELLS, 0, CELLS, CELLS, 1);
    int64_t count[2] = {0}, worst = 0, own[CELLS] = {0}, different = 0;
    neurons_reset(phase, 5), neurons_reset(voltage, 5);
    for (int i = 0; i < CELLS; i++) assert_true(fabs(remainder(2 * atan(voltage->field[0][i]) - phase->field[0][i], 2 * M_PI)) < 2.1e-3);
    for (int64_t step = 0; step < 1000 * SECONDS; step++) {
        double input[CELLS];
        for (int i = 0; i < CELLS; i++) input[i] = 0.1 * i - 1 + 2 * sin(2 * M_PI * (double)step / (200 + 11 * i)); /* to 190 Hz */
        neurons_step(phase, 5, step, 0, phase->part.mine, input), neurons_step(voltage, 5, step, 0, voltage->part.mine, input);
        for (int i = 0; i < CELLS; i++) {
            count[0] += neuron_fired(phase, i), count[1] += neuron_fired(voltage, i), own[i] += neuron_fired(phase, i) - neuron_fired(voltage, i);
            different += neuron_fired(phase, i) != neuron_fired(voltage, i);
        }
    }
    for (int i = 0; i < CELLS; i++) worst = llabs(own[i]) > worst ? llabs(own[i]) : worst;
    print_message("theta %lld spikes, qif %lld; a cell differs by at most %lld in %d s; %lld cell-steps differ\n",
                  (long long)count[0], (long long)count[1], (long long)worst, SECONDS, (long long)different);
    assert_true(count[0] > 10000 && worst <= SECONDS);
    neurons_free(phase), neurons_free(voltage);
    config_free(phase_config), config_free(voltage_config);
}

// ---- Izhikevich ------------------------------------------------------------------------------------------------------------------------------------

static const double CLASS_NUMBERS[5][4] = {{0.02, 0.2, -65, 8}, {0.02, 0.2, -55, 4}, {0.02, 0.2, -50, 2}, {0.1, 0.2, -65, 2}, {0.02, 0.25, -65, 2}};

static void izhikevich_slope(const double *numbers, double v, double w, double input, double *dv, double *dw) {
    *dv = 0.04 * v * v + 5 * v + 140 - w + input;
    *dw = numbers[0] * (numbers[1] * v - w);
}

/** Independent integration: Runge-Kutta 4 in steps of 2 us. Counts spikes and keeps their times in ms. */
static int reference_spikes(const double *numbers, double v, double input, double duration, double *times, int room) {
    const double h = 0.002;
    double w = numbers[1] * v;
    int count = 0;
    for (int64_t n = 0; (double)n * h < duration; n++) {
        double k[4], l[4];
        izhikevich_slope(numbers, v, w, input, &k[0], &l[0]);
        izhikevich_slope(numbers, v + h / 2 * k[0], w + h / 2 * l[0], input, &k[1], &l[1]);
        izhikevich_slope(numbers, v + h / 2 * k[1], w + h / 2 * l[1], input, &k[2], &l[2]);
        izhikevich_slope(numbers, v + h * k[2], w + h * l[2], input, &k[3], &l[3]);
        v += h / 6 * (k[0] + 2 * k[1] + 2 * k[2] + k[3]);
        w += h / 6 * (l[0] + 2 * l[1] + 2 * l[2] + l[3]);
        if (v > 30) {
            if (count < room) times[count] = (double)(n + 1) * h;
            count++, v = numbers[2], w += numbers[3];
        }
    }
    return count;
}

static void test_izhikevich_reference(void **state) {
    (void)state;
    enum { ROOM = 400 };
    static double expected[5][ROOM];
    static const char *const names[5] = {"RS", "IB", "CH", "FS", "LTS"};
    const double steps_of[3] = {0.1, 0.5, 1}, input[5] = {10, 10, 10, 10, 10};
    int wanted[5];
    for (int n = 0; n < 5; n++) wanted[n] = reference_spikes(CLASS_NUMBERS[n], -65, 10, 1000, expected[n], ROOM);
    for (int coarse = 0; coarse < 3; coarse++) {
        config *config = CONFIGURE("neuron.model=izhikevich");
        neurons *cells = make(config, 5, 0, 5, 3, steps_of[coarse]);
        int count[5] = {0};
        double late[5] = {0};
        neurons_reset(cells, 0);
        for (int i = 0; i < 5; i++) cells->field[0][i] = -65, cells->field[1][i] = -65 * CLASS_NUMBERS[i][1];
        for (int64_t step = 1; step <= llround(1000 / steps_of[coarse]); step++) {
            neurons_step(cells, 0, step, 0, cells->part.mine, input);
            for (int i = 0; i < 5; i++)
                if (neuron_fired(cells, i) && count[i] < wanted[i])
                    late[i] = fmax(late[i], fabs((double)step * steps_of[coarse] - expected[i][count[i]])), count[i]++;
                else count[i] += neuron_fired(cells, i);
        }
        for (int i = 0; i < 5; i++) {
            print_message("izhikevich %s, dt %g: %d spikes (Runge-Kutta %d), worst spike time %.2f ms off in 1 s\n", names[i], steps_of[coarse], count[i],
                          wanted[i], late[i]);
            assert_true(wanted[i] > 5 && abs(count[i] - wanted[i]) <= 1 && late[i] < 0.005 * 1000 + steps_of[coarse]);
        }
        neurons_free(cells);
        config_free(config);
    }
}

static void test_izhikevich_facts(void **state) { /* Izhikevich 2003, Fig. 2: RS adapt, CH burst, FS fire fast and steadily */
    (void)state;
    const double input[5] = {10, 10, 10, 10, 10}, low[5] = {3.7, 3.7, 3.7, 3.7, 0}, high[5] = {4.5, 4.5, 4.5, 4.5, 0};
    config *config = CONFIGURE("neuron.model=izhikevich");
    neurons *cells = make(config, 5, 0, 5, 3, 0.1);
    train trains[5];
    const struct { const double *input; int skip; } runs[4] = {{input, 0}, {input, 10}, {low, 0}, {high, 0}};
    for (int r = 0; r < 4; r++) {
        neurons_reset(cells, 0);
        for (int i = 0; i < 5; i++) cells->field[0][i] = -70, cells->field[1][i] = -14;
        run_constant(cells, runs[r].input, 10000, runs[r].skip, trains);
        for (int i = 0; i < 5; i++)
            print_message("izhikevich class %d, I = %g: %lld Hz, intervals after the first %d spikes %.1f to %.1f ms\n", i,
                          runs[r].input[i], (long long)trains[i].spikes, runs[r].skip, trains[i].shortest / 10, trains[i].longest / 10);
        if (r == 0) assert_true(trains[0].longest > 2 * trains[0].shortest && trains[3].spikes > 2 * trains[0].spikes); /* adaptation; fast spikes */
        if (r == 1) assert_true(trains[3].longest <= trains[3].shortest + 1 && trains[2].longest > 4 * trains[2].shortest); /* steady; bursts */
        /* the border: rest vanishes at I = 4; below it, a transient */
        for (int i = 0; i < 4; i++) assert_true(r == 2 ? trains[i].last < 1000 : trains[i].last > 8000);
    }
    neurons_free(cells);
    config_free(config);
}

static void test_izhikevich_classes(void **state) {
    (void)state;
    config *config = CONFIGURE("neuron.model=izhikevich", "neuron.classes=[LTS, custom, FS, custom]", "neuron.fractions=[10, 20, 50, 20]", "neuron.a=0.02",
                               "neuron.b=[0.3, 0.2]", "neuron.c=-65", "neuron.d=8");
    struct config *plain = CONFIGURE("neuron.model=izhikevich", "neuron.classes=[RS]");
    neurons *cells = make(config, 30, 0, 30, 20, 0.5), *regular = make(plain, 30, 0, 30, 20, 0.5);
    double input[30];
    int64_t spikes = 0;
    neurons_reset(cells, 1), neurons_reset(regular, 1);
    for (int i = 0; i < 30; i++) {
        double b = i < 3 ? 0.25 : i < 9 ? 0.3 : 0.2;
        assert_true(cells->field[0][i] > -70 && cells->field[0][i] < -50 && cells->field[1][i] == b * cells->field[0][i]);
        input[i] = 4 + 0.3 * i;
    }
    for (int64_t step = 0; step < 2000; step++) {
        neurons_step(cells, 1, step, 0, cells->part.mine, input), neurons_step(regular, 1, step, 0, regular->part.mine, input);
        assert_memory_equal(cells->field[0] + 24, regular->field[0] + 24, 6 * sizeof(double)); /* the second custom class has the numbers of RS */
        for (int i = 24; i < 30; i++) spikes += neuron_fired(cells, i);
    }
    assert_true(spikes > 20 && cells->field[0][10] != regular->field[0][10]);
    for (int64_t step = 0; step < 200; step++) { /* inhibition that makes an Euler step explode */
        for (int i = 0; i < 30; i++) input[i] = -1e5;
        neurons_step(cells, 1, step, 0, cells->part.mine, input);
        for (int i = 0; i < 30; i++) assert_true(isfinite(cells->field[0][i]) && (step == 0 || !neuron_fired(cells, i)));
    }
    neurons_free(cells), neurons_free(regular);
    config_free(config), config_free(plain);
}

// ---- exact steps (1.7) -----------------------------------------------------------------------------------------------------------------------------

/** v of a membrane at rest 0 and of resistance 1, @p t after a current began with 1. */
static double psp(double t, double tau, double tau_m) {
    const double apart = tau_m - tau; /* tau/(tau_m - tau) (e^(-t/tau_m) - e^(-t/tau)), where they are close, too */
    return exp(-t / tau_m) * (apart == 0 ? t / tau_m : -expm1(-t * apart / (tau * tau_m)) * tau / apart);
}

/** One spike of weight @p weight into a cell that is at @p rest: its v against the analytic time course, of times @p scale. */
static void check_psp(config *config, const filter_form *form, double tau, double weight, double rest, double scale) {
    neurons *cell = make(config, 1, 0, 1, 1, form->dt);
    const filter_step step = filter_step_of(form, tau);
    double drive = step.jump * weight, peak = 0, worst = 0;
    neurons_reset(cell, 1);
    cell->field[0][0] = rest;
    for (int n = 1; n <= 2000; n++, drive *= step.decay) {
        neurons_step(cell, 1, n - 1, 0, 1, &drive);
        const double wanted = scale * psp(n * form->dt, tau, form->membrane_tau), got = cell->field[0][0] - rest;
        worst = fmax(worst, fabs(got - wanted));
        peak = fmax(peak, got);
    }
    print_message("%s, dt %g, tau %g: peak %.6g, largest error %.2g\n", cell->model->parameters->name, form->dt, tau, peak, worst);
    assert_true(peak > 0 && worst <= 1e-12 * peak + 1e-13 * fabs(rest));
    neurons_free(cell);
    config_free(config);
}

/** The neuron of Potjans & Diesmann 2014: C = 250 pF, tau_m = 10 ms, tau_s = 0.5 ms; a PSP of 0.15 mV is one of 87.8 pA. */
static void test_psp_of_microcircuit(void **state) {
    (void)state;
    const double tau = 0.5, tau_m = 10, resistance = tau_m / 250;
    const double at = log(tau_m / tau) * tau * tau_m / (tau_m - tau), per_mv = 1 / (resistance * psp(at, tau, tau_m));
    print_message("%.4f pA per mV of PSP, 0.15 mV: %.4f pA\n", per_mv, 0.15 * per_mv);
    assert_true(fabs(per_mv - 585) < 0.5 && fabs(0.15 * per_mv - 87.8) < 0.02);
    for (double dt = 0.1; dt < 1.1; dt += 0.9)
        check_psp(CONFIGURE("neuron.model=iaf_psc_exp"), &(filter_form){FILTER_EXACT, dt, NAN, tau_m}, tau, 0.15 * per_mv, -65, 0.15 * per_mv * resistance);
}

static void test_psp_of_lif(void **state) {
    (void)state;
    const double taus[4] = {0.5, 10 * (1 - 1e-9), 10, 150};
    for (int k = 0; k < 4; k++) /* a spike of weight w moves the drive by w/tau */
        check_psp(CONFIGURE("neuron.model=lif", "neuron.integration=exact"), &(filter_form){FILTER_EXACT, 0.1, 1, 10}, taus[k], 3, 0, 3 / taus[k]);
}

/** Intervals under constant input, noise of the free membrane: closed forms at a step that Euler cannot take. */
static void test_exact_lif(void **state) {
    (void)state;
    enum { CELLS = 20000 };
    const double dt = 2, x = 1.5, never = -1e6;
    config *config = CONFIGURE("neuron.model=lif", "neuron.integration=exact", "neuron.refractory=0 ms");
    struct config *noisy = CONFIGURE("neuron.model=lif", "neuron.integration=exact", "neuron.noise_sd=0.6", "neuron.threshold=1e6",
                                     "neuron.reset=-1e6", "neuron.start=reset");
    neurons *cell = make(config, 1, 0, 1, 1, dt), *unbound = make(noisy, CELLS, 0, CELLS, CELLS, dt);
    neurons_reset(cell, 0), neurons_reset(unbound, 0);
    cell->field[0][0] = 0;
    int steps = 1;
    for (; neurons_step(cell, 0, steps - 1, 0, 1, &x), !neuron_fired(cell, 0); steps++)
        assert_true(fabs(cell->field[0][0] - x * (1 - exp(-steps * dt / 10))) < 1e-13);
    assert_int_equal(steps, (int)ceil(10 * log(x / (x - 1)) / dt));
    double *zeros = calloc(CELLS, sizeof *zeros), square = 0;
    for (int i = 0; i < CELLS; i++) assert_true(unbound->field[0][i] == never), unbound->field[0][i] = 0;
    for (int step = 0; step < 60; step++) neurons_step(unbound, 0, step, 0, CELLS, zeros);
    for (int i = 0; i < CELLS; i++) square += unbound->field[0][i] * unbound->field[0][i] / CELLS;
    print_message("free membrane: SD %.4f, wanted %.4f\n", sqrt(square), 0.6 / sqrt(2));
    assert_true(fabs(sqrt(square) / (0.6 / sqrt(2)) - 1) < 0.02); /* SD of an estimate 0.005; with Euler's noise it would be 0.82 of it */
    neurons_free(cell), neurons_free(unbound);
    free(zeros);
    config_free(config), config_free(noisy);
}

/** Values of populations: three of them, with borders anywhere in stretches and ranks. */
static void test_iaf_populations(void **state) {
    (void)state;
    enum { CELLS = 700 };
    int64_t border[4] = {0, 300, 310, CELLS};
    config *config = CONFIGURE("neuron.model=iaf_psc_exp", "neuron.threshold=[-50, -52, -40]", "neuron.reset=[-65, -60, -70]", "neuron.rest=[-65, -64, -63]",
                               "neuron.capacitance=[250, 200, 100]", "neuron.current=[400, 0, 0.3 nA]", "neuron.refractory=[2, 0.5, 5]", "neuron.start_sd=0",
                               "neuron.start_mean=[-65, -61, -66]");
    double input[CELLS];
    neurons *cells = make(config, CELLS, 0, CELLS, CELLS, 0.1);
    cells->cells.populations = 3, cells->cells.border = border;
    const double threshold[3] = {-50, -52, -40}, back[3] = {-65, -60, -70}, rest[3] = {-65, -64, -63}, c[3] = {250, 200, 100}, current[3] = {400, 0, 300};
    const double wait[3] = {2, 0.5, 5}, start[3] = {-65, -61, -66};
    train trains[CELLS];
    neurons_reset(cells, 1);
    for (int i = 0; i < CELLS; i++) input[i] = 300 + 0.1 * i;
    for (int i = 0, p = 0; i < CELLS; i++) {
        while (i >= border[p + 1]) p++;
        assert_true(cells->field[0][i] == start[p]);
    }
    run_constant(cells, input, 20000, 2, trains);
    for (int i = 0, p = 0; i < CELLS; i++) {
        while (i >= border[p + 1]) p++;
        const double goal = rest[p] + 10 / c[p] * (current[p] + input[i]), climb = 10 * log((goal - back[p]) / (goal - threshold[p]));
        if (!(goal > threshold[p])) {
            assert_true(trains[i].spikes == 0);
            continue;
        }
        assert_true(trains[i].spikes > 100 && trains[i].longest == trains[i].shortest);
        assert_true(fabs(trains[i].longest - (ceil(climb / 0.1) + wait[p] / 0.1)) < 0.5);
    }
    neurons_free(cells);
    config_free(config);
}

// ---- all -------------------------------------------------------------------------------------------------------------------------------------------

/** The same neurons as part of a large block and of a small one: every field, bit for bit, and repetitions of their own. */
static void check_partition(config *config, double bias, double slope, double dt) {
    enum { TOTAL = 300, FIRST = 251, MINE = 13 };
    neurons *all = make(config, TOTAL, 0, TOTAL, TOTAL / 2, dt), *some = make(config, TOTAL, FIRST, MINE, TOTAL / 2, dt);
    double input[TOTAL], before = 0;
    int64_t spikes = 0;
    for (uint64_t stream = 1; stream < 3; stream++) {
        neurons_reset(all, stream), neurons_reset(some, stream);
        assert_true(all->field[0][FIRST] != before);
        before = all->field[0][FIRST];
        for (int64_t step = 0; step < 400; step++) {
            for (int i = 0; i < TOTAL; i++) input[i] = bias + slope * sin(0.05 * (double)step + i);
            neurons_step(all, stream, step, 0, all->part.mine, input), neurons_step(some, stream, step, 0, some->part.mine, input + FIRST);
            for (int f = 0; f < all->model->field_count; f++) assert_memory_equal(all->field[f] + FIRST, some->field[f], MINE * sizeof(double));
            assert_memory_equal(all->since_spike + FIRST, some->since_spike, MINE * sizeof(int32_t));
            assert_memory_equal(all->since_spike + FIRST, some->since_spike, MINE * sizeof(int32_t));
            for (int i = 0; i < MINE; i++) spikes += neuron_fired(some, i);
        }
    }
    assert_true(spikes > MINE);
    neurons_free(all), neurons_free(some);
    config_free(config);
}

static void test_partition(void **state) {
    (void)state;
    check_partition(CONFIGURE("neuron.model=glif1", "neuron.noise_sd=0.5", "neuron.start=uniform"), 1, 1, 0.5);
    check_partition(CONFIGURE("neuron.model=glif2", "neuron.noise_sd=[0.5, 0]"), 1, 1, 0.5);
    check_partition(CONFIGURE("neuron.model=glif3", "neuron.current_decay=[0.01/ms, 2 Hz, 0.3/ms, 1/ms, 0.5/ms]"), 1, 1, 0.5);
    check_partition(CONFIGURE("neuron.model=glif4"), 1.3, 1, 0.5);
    check_partition(CONFIGURE("neuron.model=glif5"), 1.3, 1, 0.5);
    check_partition(CONFIGURE("neuron.model=izhikevich"), 8, 8, 1);
    check_partition(CONFIGURE("neuron.model=lif_mv"), 0.3, 1, 1);
    check_partition(CONFIGURE("neuron.model=qif"), 0.3, 1, 1);
    check_partition(CONFIGURE("neuron.model=lif", "neuron.integration=exact", "neuron.noise_sd=0.5"), 1, 1, 0.5);
    check_partition(CONFIGURE("neuron.model=iaf_psc_exp"), 400, 300, 0.5);
}

#define REFUSED(dt, wanted, ...) check_refused(CONFIGURE(__VA_ARGS__), dt, wanted)
static void check_refused(config *config, double dt, const char *wanted) {
    const neuron_model *model = neuron_models[config_variant_index(config, "neuron")];
    assert_int_equal(model->check(config, config_variant(config, "neuron"), dt, &(cells){.total = 5, .excitatory = 5}), STATUS_INPUT);
    if (!strstr(status_message(), wanted)) print_error("told '%s', wanted '%s'\n", status_message(), wanted);
    assert_non_null(strstr(status_message(), wanted));
    status_forget();
    config_free(config);
}

static void test_check(void **state) {
    (void)state;
    REFUSED(0.1, "noise_sd", "neuron.model=glif1", "neuron.noise_sd=[1, 2, 3]");
    REFUSED(0.1, "below the threshold", "neuron.model=glif3", "neuron.reset=1");
    REFUSED(0.1, "time constant of 0.05 ms", "neuron.model=glif1", "neuron.capacitance=0.5", "neuron.resistance=0.1");
    REFUSED(0.1, "must be below the threshold", "neuron.model=glif2", "neuron.rest=1");
    REFUSED(0.1, "fire without end", "neuron.model=glif4", "neuron.reset_drop=-2");
    REFUSED(0.1, "threshold_decay", "neuron.model=glif2", "neuron.threshold_decay=11/ms");
    REFUSED(0.1, "at most 10000 Hz", "neuron.model=glif3", "neuron.current_decay=[1/ms, 11/ms]", "neuron.current_kept=1");
    REFUSED(0.1, "allowed are 1 to 5", "neuron.model=glif5", "neuron.current_decay=[1, 2, 3, 4, 5, 6]");
    REFUSED(0.1, "allowed are 1 to 5", "neuron.model=glif5", "neuron.current_decay=[]");
    REFUSED(0.1, "allowed are 1, or 3", "neuron.model=glif5", "neuron.current_kept=[1, 1]");
    REFUSED(0.1, "current_added", "neuron.model=glif5", "neuron.current_added=[1, 1]");
    REFUSED(0.1, "threshold_relaxation", "neuron.model=glif5", "neuron.threshold_relaxation=20/ms");
    REFUSED(0.1, "neuron.reset", "neuron.model=lif_mv", "neuron.reset=-40 mV");
    REFUSED(0.1, "2 values; without populations", "neuron.model=iaf_psc_exp", "neuron.threshold=[-50, -51]");
    REFUSED(0.1, "must be below the threshold", "neuron.model=iaf_psc_exp", "neuron.reset=-50 mV");
    REFUSED(0.1, "time step", "neuron.model=iaf_psc_exp", "neuron.membrane_tau=0.05 ms");
    REFUSED(0.1, "time step", "neuron.model=lif_mv", "neuron.membrane_tau=0.05 ms");
    REFUSED(6, "too coarse", "neuron.model=qif");
    REFUSED(2, "too coarse", "neuron.model=izhikevich");
    REFUSED(1, "1 values for 5 classes", "neuron.model=izhikevich", "neuron.fractions=1");
    REFUSED(1, "are all 0", "neuron.model=izhikevich", "neuron.classes=[RS, FS]", "neuron.fractions=[0, 0]");
    REFUSED(1, "at least", "neuron.model=izhikevich", "neuron.classes=[]");
    REFUSED(1, "does not name", "neuron.model=izhikevich", "neuron.d=2");
    REFUSED(1, "neuron.c", "neuron.model=izhikevich", "neuron.classes=[custom]", "neuron.a=0.1", "neuron.b=0.1", "neuron.d=2");
    REFUSED(1, "or one per mention", "neuron.model=izhikevich", "neuron.classes=[custom, RS, custom]", "neuron.a=[0.1, 1, 1]", "neuron.b=0.1", "neuron.c=-60",
            "neuron.d=2");
}

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_glif1_is_lif), cmocka_unit_test(test_glif3_currents), cmocka_unit_test(test_glif2_rules), cmocka_unit_test(test_glif5_following),
        cmocka_unit_test(test_glif_units), cmocka_unit_test(test_glif_levels), cmocka_unit_test(test_lif_mv_rate), cmocka_unit_test(test_quadratic_time),
        cmocka_unit_test(test_qif_rate), cmocka_unit_test(test_qif_extremes), cmocka_unit_test(test_qif_is_theta), cmocka_unit_test(test_izhikevich_reference),
        cmocka_unit_test(test_izhikevich_facts), cmocka_unit_test(test_izhikevich_classes), cmocka_unit_test(test_psp_of_microcircuit),
        cmocka_unit_test(test_psp_of_lif), cmocka_unit_test(test_exact_lif), cmocka_unit_test(test_iaf_populations), cmocka_unit_test(test_partition),
        cmocka_unit_test(test_check),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
