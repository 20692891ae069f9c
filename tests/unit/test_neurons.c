/** @file test_neurons.c
 *  Neuron models against closed forms (patterns/README.md 7, V1 to V4), and that a neuron's state does not depend on the partition.
 */
#include <math.h>

#include "neuron_bench.h"

static void test_theta_period(void **state) { /* V1 */
    (void)state;
    config *config = CONFIGURE("neuron.model=theta");
    const double drives[] = {0.25, 1, 4};
    neurons *cells = make(config, 3, 0, 3, 3, 1);
    neurons_reset(cells, 0);
    int64_t first[3] = {0}, last[3] = {0}, spikes[3] = {0};
    for (int64_t step = 0; step < 20000; step++) {
        neurons_step(cells, 0, step, 0, cells->part.mine, drives);
        for (int i = 0; i < 3; i++)
            if (neuron_fired(cells, i)) {
                if (!spikes[i]++) first[i] = step;
                last[i] = step;
            }
    }
    for (int i = 0; i < 3; i++) {
        double period = (double)(last[i] - first[i]) / (double)(spikes[i] - 1), wanted = 10 * M_PI / sqrt(drives[i]);
        print_message("theta, I = %g: period %.4f ms, wanted %.4f\n", drives[i], period, wanted);
        assert_true(fabs(period / wanted - 1) < 0.002);
    }
    neurons_free(cells);
    config_free(config);
}

static void test_theta_silence(void **state) { /* V2 */
    (void)state;
    config *config = CONFIGURE("neuron.model=theta");
    const double below[4] = {-1, -1, -1, -1}, starts[4] = {0, 1.5, 4, 6};
    neurons *cells = make(config, 4, 0, 4, 4, 1);
    neurons_reset(cells, 0);
    memcpy(cells->field[0], starts, sizeof starts);
    for (int64_t step = 0; step < 1000; step++) {
        neurons_step(cells, 0, step, 0, cells->part.mine, below);
        for (int i = 0; i < 4; i++) assert_int_equal(neuron_fired(cells, i), 0);
    }
    for (int i = 0; i < 4; i++) assert_true(fabs(cells->field[0][i] - 1.5 * M_PI) < 1e-3);
    neurons_free(cells);
    config_free(config);
}

static void test_theta_is_qif(void **state) { /* V3: v = tan(theta/2), with a cut-off that costs 0.02 ms a spike */
    (void)state;
    config *config = CONFIGURE("neuron.model=theta");
    neurons *cells = make(config, 1, 0, 1, 1, 1);
    neurons_reset(cells, 0);
    cells->field[0][0] = 0;
    double v = 0, h = 0.1 / 1000;
    int64_t phase_spikes = 0, voltage_spikes = 0, seconds = 10;
    for (int64_t step = 0; step < 1000 * seconds; step++) {
        double input = 0.6 + sin(2 * M_PI * (double)step / 487);
        neurons_step(cells, 0, step, 0, cells->part.mine, &input);
        phase_spikes += neuron_fired(cells, 0);
        for (int k = 0; k < 1000; k++) {
            double middle = v + 0.5 * h * (v * v + input);
            v += h * (middle * middle + input);
            if (v > 1000) v = -1000, voltage_spikes++;
        }
    }
    print_message("theta %lld spikes, QIF %lld\n", (long long)phase_spikes, (long long)voltage_spikes);
    assert_true(phase_spikes > 100 && llabs(phase_spikes - voltage_spikes) <= seconds);
    neurons_free(cells);
    config_free(config);
}

static double theta_slope(double theta, double drive) {
    return (1 - cos(theta)) + drive * (1 + cos(theta));
}

/** What test_theta_step asks: as written, by libm. @param[out] spiked does theta pass pi? @return theta after a step of @p h membrane time constants */
static double theta_as_written(double theta, double drive, double h, bool *spiked) {
    const double k1 = theta_slope(theta, drive), k2 = theta_slope(theta + h / 2 * k1, drive), k3 = theta_slope(theta + h / 2 * k2, drive);
    const double increment = h / 6 * (k1 + 2 * k2 + 2 * k3 + theta_slope(theta + h * k3, drive));
    const double distance = fmod(3 * M_PI - theta, 2 * M_PI);
    *spiked = increment > distance;
    return fmod(fmod(theta + increment, 2 * M_PI) + 2 * M_PI, 2 * M_PI);
}

static void test_theta_step(void **state) {
    (void)state;
    enum { CELLS = 20001 };
    config *config = CONFIGURE("neuron.model=theta");
    for (double strongest = 0.1; strongest < 200; strongest *= 10) { /* with the strongest more than a turn in a step */
        neurons *cells = make(config, CELLS, 0, CELLS, CELLS, 1);
        double drive[CELLS], before[CELLS], largest = 0;
        int64_t spikes = 0;
        neurons_reset(cells, 0);
        memcpy(before, cells->field[0], sizeof before);
        for (int i = 0; i < CELLS; i++) drive[i] = strongest * (2 * fmod(i * 0.6180339887, 1) - 1);
        neurons_step(cells, 0, 0, 0, CELLS, drive);
        for (int i = 0; i < CELLS; i++) {
            bool spiked;
            const double wanted = theta_as_written(before[i], drive[i], 0.1, &spiked), off = fabs(remainder(cells->field[0][i] - wanted, 2 * M_PI));
            const double sensitivity = 1 + fabs(drive[i]);
            assert_true(cells->field[0][i] >= 0 && cells->field[0][i] <= 2 * M_PI);
            assert_int_equal(neuron_fired(cells, i), spiked);
            spikes += spiked;
            if (off / sensitivity > largest) largest = off / sensitivity;
        }
        print_message("theta, |I| up to %g: %lld of %d spike, at most %.2g (1 + |I|) off\n", strongest, (long long)spikes, CELLS, largest);
        assert_true(spikes > 0 && largest < 1e-13);
        neurons_free(cells);
    }
    config_free(config);
}

static void check_interval(const char *refractory, int64_t wanted) {
    config *config = CONFIGURE("neuron.start=reset", refractory);
    neurons *cells = make(config, 1, 0, 1, 1, 0.1);
    neurons_reset(cells, 0);
    const double input = 1.5;
    int64_t last = 0, spikes = 0;
    for (int64_t step = 1; step <= 20000; step++) {
        neurons_step(cells, 0, step - 1, 0, cells->part.mine, &input);
        if (!neuron_fired(cells, 0)) continue;
        assert_int_equal(step - last, spikes++ ? wanted : 110);
        assert_true(cells->field[0][0] == 0);
        last = step;
    }
    assert_int_equal(spikes, (20000 - 110) / wanted + 1);
    neurons_free(cells);
    config_free(config);
}

static void test_lif_interval(void **state) { /* V4 */
    (void)state;
    check_interval("neuron.refractory=0.1 ms", 111);
    check_interval("neuron.refractory=0", 110);
    check_interval("neuron.refractory=5 ms", 160);
}

static void check_lif_noise(const char *precision) {
    enum { CELLS = 200, STEPS = 20000 };
    config *config = CONFIGURE("neuron.threshold=1e6", "neuron.noise_sd=[0.65, 1.3]", "neuron.start=reset", precision);
    neurons *cells = make(config, CELLS, 0, CELLS, CELLS / 2, 0.1);
    static double zero[CELLS];
    double square[2] = {0}, sum[2] = {0};
    neurons_reset(cells, 1);
    for (int64_t step = 0; step < STEPS; step++) {
        neurons_step(cells, 1, step, 0, cells->part.mine, zero);
        neurons_settle(cells);
        if (step < STEPS / 10) continue;
        for (int i = 0; i < CELLS; i++) sum[i >= CELLS / 2] += cells->field[0][i], square[i >= CELLS / 2] += cells->field[0][i] * cells->field[0][i];
    }
    for (int type = 0; type < 2; type++) {
        double sigma = type ? 1.3 : 0.65, n = CELLS / 2 * (STEPS * 0.9), sd = sqrt(square[type] / n);
        double exact = sigma * 0.99 / sqrt(2 - 0.01); /* of the update at dt/tau = 0.01; sigma/sqrt(2) in continuous time */
        print_message("free membrane, sigma %.2f: SD %.4f, wanted %.4f (continuous %.4f)\n", sigma, sd, exact, sigma / M_SQRT2);
        assert_true(fabs(sd / exact - 1) < 0.01 && fabs(sd / (sigma / M_SQRT2) - 1) < 0.02); /* 10^5 time constants: SE 0.3 % */
        assert_true(fabs(sum[type] / n) < 0.02 * sigma);
    }
    assert_true(cells->model->noise_sd(cells, 0) == 0.65 && cells->model->noise_sd(cells, CELLS - 1) == 1.3);
    neurons_free(cells);
    config_free(config);

    config = CONFIGURE("neuron.noise=current", "neuron.noise_sd=0.65", "neuron.start=reset", precision); /* belongs to the drive, not to the membrane */
    cells = make(config, 1, 0, 1, 1, 0.1);
    neurons_reset(cells, 1);
    for (int64_t step = 0; step < 100; step++) neurons_step(cells, 1, step, 0, cells->part.mine, zero);
    neurons_settle(cells);
    assert_true(cells->field[0][0] == 0 && neurons_are_noisy(cells));
    assert_true((neurons_noise(cells, 1, 0, 0, cells->part.mine) != NULL) != neurons_are_single(cells));
    assert_true((neurons_noise_single(cells, 1, 0, 0, cells->part.mine) != NULL) == neurons_are_single(cells));
    neurons_free(cells);
    config_free(config);
}

static void test_lif_noise(void **state) {
    (void)state;
    check_lif_noise("neuron.precision=double");
    check_lif_noise("neuron.precision=single");
}

static void test_noise_of_step(void **state) { /* member step mod 4 of block step/4 of the neuron's own stream */
    (void)state;
    config *config = CONFIGURE("neuron.noise_sd=1");
    neurons *cells = make(config, 100, 3, 5, 50, 0.1);
    double block[4 * 5];
    float block_single[4 * 5];
    for (int64_t step = 0; step < 12; step++) {
        const double *noise = neurons_noise(cells, 9, step, 0, cells->part.mine);
        random_noise(42, RANDOM_NOISE, 3, 5, noise_counter(9, step), 5, block);
        assert_memory_equal(noise, block + (step & 3) * 5, 5 * sizeof(double));
    }
    neurons_free(cells);
    config_free(config);
    config = CONFIGURE("neuron.noise_sd=1", "neuron.precision=single");
    cells = make(config, 100, 3, 5, 50, 0.1);
    for (int64_t step = 0; step < 12; step++) {
        const float *noise = neurons_noise_single(cells, 9, step, 0, cells->part.mine);
        random_noise_single(42, RANDOM_NOISE, 3, 5, noise_counter(9, step), 5, block_single);
        assert_memory_equal(noise, block_single + (step & 3) * 5, 5 * sizeof(float));
    }
    neurons_free(cells);
    config_free(config);
}

static void test_collect(void **state) {
    (void)state;
    config *config = CONFIGURE("neuron.model=lif");
    for (int mine = 0; mine < 40; mine++) {
        neurons *cells = make(config, 40, 0, mine, 20, 0.1);
        int32_t list[40];
        for (unsigned pattern = 0; pattern < 50; pattern++) {
            int wanted = 0, at = 0;
            for (int i = 0; i < mine; i++) {
                int fires = pattern == 0 ? 0 : pattern == 1 ? 1 : (pattern * 2654435761u + (unsigned)i * 40503u) >> 7 & 1;
                cells->since_spike[i] = fires ? 0 : i + 1;
                wanted += fires;
            }
            neurons_stir(cells);
            assert_int_equal(neurons_collect(cells, 0, mine, list), wanted);
            for (int i = 0; i < mine; i++)
                if (neuron_fired(cells, i)) assert_int_equal(list[at++], i);
        }
        neurons_free(cells);
    }
    config_free(config);
}

/** The same neurons as part of a large block and of a small one. */
static void check_partition(config *config, int64_t total) {
    neurons *all = make(config, total, 0, (int)total, total / 2, 0.5), *some = make(config, total, 3, 11, total / 2, 0.5);
    double input[100], before = 0;
    for (int64_t i = 0; i < total; i++) input[i] = -0.5 + 0.04 * (double)i;
    for (uint64_t stream = 1; stream < 4; stream++) {
        neurons_reset(all, stream);
        neurons_reset(some, stream);
        assert_memory_equal(all->field[0] + 3, some->field[0], 11 * sizeof(double));
        assert_true(all->field[0][3] != before || strcmp(all->model->parameters->name, "lif") == 0);
        before = all->field[0][3];
        for (int64_t step = 0; step < 300; step++) {
            neurons_step(all, stream, step, 0, all->part.mine, input);
            neurons_step(some, stream, step, 0, some->part.mine, input + 3);
            neurons_settle(all), neurons_settle(some);
            assert_memory_equal(all->field[0] + 3, some->field[0], 11 * sizeof(double));
            assert_memory_equal(all->since_spike + 3, some->since_spike, 11 * sizeof(int32_t));
            assert_memory_equal(all->since_spike + 3, some->since_spike, 11 * sizeof(int32_t));
        }
    }
    neurons_free(all);
    neurons_free(some);
    config_free(config);
}

static void test_partition(void **state) {
    (void)state;
    check_partition(CONFIGURE("neuron.model=theta"), 70);
    check_partition(CONFIGURE("neuron.start=normal", "neuron.noise_sd=0.5"), 70);
    check_partition(CONFIGURE("neuron.start=uniform", "neuron.noise_sd=[0.5, 0]"), 20);
    check_partition(CONFIGURE("neuron.start=reset"), 20);
    check_partition(CONFIGURE("neuron.precision=single", "neuron.noise_sd=0.5"), 70);
    check_partition(CONFIGURE("neuron.precision=single", "neuron.noise_sd=[0.5, 0]"), 20);
    check_partition(CONFIGURE("neuron.model=iaf_psc_exp", "neuron.precision=single"), 70);
    config *normal = CONFIGURE("neuron.start=normal", "neuron.threshold=3", "neuron.reset=1");
    neurons *cells = make(normal, 10000, 0, 10000, 5000, 0.1);
    double sum = 0, square = 0;
    neurons_reset(cells, 1);
    double first = cells->field[0][0];
    for (int i = 0; i < 10000; i++) sum += cells->field[0][i], square += cells->field[0][i] * cells->field[0][i];
    assert_true(fabs(sum / 10000 - 1) < 0.1 && fabs(sqrt(square / 10000 - 1) - 2) < 0.1);
    neurons_reset(cells, 2);
    assert_true(cells->field[0][0] != first); /* a repetition of its own */
    neurons_free(cells);
    config_free(normal);
}

/** Blocks in which nobody rests are not looked at: whatever the pieces in which they are advanced, the same bits, the same who fire, and those who did. */
static void check_blocks(const char *precision, const char *refractory) {
    enum { CELLS = 3 * NEURON_BLOCK + 70 };
    config *config = CONFIGURE("neuron.model=lif", precision, refractory);
    neurons *whole = make(config, CELLS, 0, CELLS, 300, 0.1), *pieces = make(config, CELLS, 0, CELLS, 300, 0.1);
    int32_t list[CELLS];
    int64_t spikes = 0, quiet = 0;
    double input[CELLS];
    neurons_reset(whole, 1), neurons_reset(pieces, 1);
    for (int64_t step = 0; step < 3000; step++) {
        for (int i = 0; i < CELLS; i++) /* none, few and all fire */
            input[i] = i < NEURON_BLOCK ? 0.99 : i < 2 * NEURON_BLOCK && i % 100 ? 0.5 : 1.01 + 0.0001 * i;
        neurons_step(whole, 1, step, 0, CELLS, input);
        for (int first = 0, end; first < CELLS; first = end) {
            end = first + 1 + (int)((uint64_t)(step * 2654435761 + first * 40503) >> 4 & 511);
            if (end > CELLS) end = CELLS;
            neurons_step(pieces, 1, step, first, end, input + first);
        }
        neurons_settle(whole), neurons_settle(pieces);
        assert_memory_equal(whole->field[0], pieces->field[0], sizeof input);
        assert_memory_equal(whole->since_spike, pieces->since_spike, CELLS * sizeof(int32_t));
        int count = neurons_collect(whole, 0, CELLS, list), at = 0;
        for (int i = 0; i < CELLS; i++)
            if (neuron_fired(whole, i)) assert_true(at < count && list[at++] == i);
        assert_int_equal(at, count);
        spikes += count;
        for (int b = 0; b < 4; b++) quiet += !whole->stirred[b];
    }
    assert_true(spikes > 1000 && quiet > 3000 && quiet < 4 * 3000); /* nobody of the first block fires once it has settled */
    memset(whole->since_spike, 0, NEURON_BLOCK * sizeof(int32_t)); /* as where a state is brought back */
    neurons_stir(whole);
    assert_true(neurons_collect(whole, 0, NEURON_BLOCK, list) == NEURON_BLOCK);
    neurons_step(whole, 1, 3000, 0, CELLS, input);
    assert_true(neurons_collect(whole, 0, NEURON_BLOCK, list) == 0 && whole->since_spike[7] == 1);
    neurons_free(whole), neurons_free(pieces);
    config_free(config);
}

static void test_blocks(void **state) {
    (void)state;
    check_blocks("neuron.precision=double", "neuron.refractory=0.1 ms");
    check_blocks("neuron.precision=double", "neuron.refractory=0 ms");
    check_blocks("neuron.precision=single", "neuron.refractory=2 ms");
}

/** Single precision beside double: the same spikes of neurons under constant input but for few that are a step apart, voltages close until then.
 *  @param noise an override @param input of the first and of the last neuron @param close of voltages */
static void check_single(const char *model, const char *noise, double first, double last, double close) {
    enum { CELLS = 500, STEPS = 20000 };
    config *one = CONFIGURE(model, "neuron.precision=double", noise), *other = CONFIGURE(model, "neuron.precision=single", noise);
    neurons *exact = make(one, CELLS, 0, CELLS, 300, 0.1), *narrow = make(other, CELLS, 0, CELLS, 300, 0.1);
    assert_true(!neurons_are_single(exact) && neurons_are_single(narrow));
    double input[CELLS], worst = 0;
    int64_t spikes[2] = {0, 0};
    for (int i = 0; i < CELLS; i++) input[i] = first + (last - first) * i / CELLS;
    neurons_reset(exact, 5), neurons_reset(narrow, 5);
    for (int64_t step = 0; step < STEPS; step++) {
        neurons_step(exact, 5, step, 0, CELLS, input), neurons_step(narrow, 5, step, 0, CELLS, input);
        neurons_settle(narrow);
        for (int i = 0; i < CELLS; i++) {
            spikes[0] += neuron_fired(exact, i), spikes[1] += neuron_fired(narrow, i);
            if (step < 50 && exact->since_spike[i] == narrow->since_spike[i]) worst = fmax(worst, fabs(exact->field[0][i] - narrow->field[0][i]));
        }
    }
    print_message("%s in single precision: voltages %.1e apart within 50 steps, %lld spikes for %lld\n", model, worst, (long long)spikes[1],
                  (long long)spikes[0]);
    assert_true(worst > 0 && worst < close && spikes[0] > 10000);
    assert_true(llabs(spikes[0] - spikes[1]) <= spikes[0] / 5000);
    neurons_free(exact), neurons_free(narrow);
    config_free(one), config_free(other);
}

static void test_single(void **state) {
    (void)state;
    check_single("neuron.model=lif", NULL, 0.9, 1.4, 2e-6);
    check_single("neuron.model=lif", "neuron.noise_sd=0.3", 0.9, 1.4, 2e-6);
    check_single("neuron.model=lif", "neuron.noise_sd=[0.3, 0.6]", 0.9, 1.4, 2e-6);
    check_single("neuron.model=iaf_psc_exp", NULL, 340, 540, 1e-4); /* pA; mV */
}

static void check_refused(const char *override, double dt, const char *wanted) {
    config *config = CONFIGURE(override, strstr(override, "neuron.model") ? "simulation.seed=1" : "neuron.model=lif");
    const neuron_model *model = neuron_models[config_variant_index(config, "neuron")];
    assert_int_equal(model->check(config, config_variant(config, "neuron"), dt, &(cells){.total = 5, .excitatory = 5}), STATUS_INPUT);
    if (!strstr(status_message(), wanted)) print_error("told '%s'\n", status_message());
    assert_non_null(strstr(status_message(), wanted));
    status_forget();
    config_free(config);
}

static void test_check(void **state) {
    (void)state;
    check_refused("neuron.noise_sd=[1, 2, 3]", 0.1, "noise_sd");
    check_refused("neuron.reset=1", 0.1, "threshold");
    check_refused("neuron.membrane_tau=0.05 ms", 0.1, "time step");
    check_refused("neuron.model=theta", 6, "too coarse");
}

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_theta_period), cmocka_unit_test(test_theta_silence), cmocka_unit_test(test_theta_is_qif), cmocka_unit_test(test_theta_step),
        cmocka_unit_test(test_lif_interval), cmocka_unit_test(test_lif_noise),     cmocka_unit_test(test_noise_of_step),
        cmocka_unit_test(test_collect),      cmocka_unit_test(test_partition), cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_single),     cmocka_unit_test(test_check),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
