/** @file test_populations.c
 *  Draws of network kind populations (patterns/README.md 5.1): numbers of synapses, sources, weights and Poisson background against theory, on any part of
 *  the network.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engram/background.h"
#include "engram/poisson.h"
#include "engram/random.h"
#include "network/populations.h"

enum { SEED = 7 };

/** Mean and variance against theory, in standard errors. @param fourth central moment over the squared variance, less 1: 2 for a normal */
static void check_moments_of(const char *what, const double *values, int count, double mean, double variance, double fourth) {
    double sum = 0, square = 0;
    for (int i = 0; i < count; i++) sum += values[i] / count;
    for (int i = 0; i < count; i++) square += (values[i] - sum) * (values[i] - sum) / count;
    const double off = (sum - mean) / sqrt(variance / count), wide = (square / variance - 1) / sqrt(fourth / count);
    print_message("%s: mean %.5g (%.5g), variance %.5g (%.5g): %.1f and %.1f standard errors\n", what, sum, mean, square, variance, off, wide);
    assert_true(fabs(off) < 4.5 && fabs(wide) < 4.5);
}

static void check_moments(const char *what, const double *values, int count, double mean, double variance) {
    check_moments_of(what, values, count, mean, variance, 2 + 1 / variance); /* Poisson's, and more than a binomial has */
}

static void test_binomial(void **state) {
    (void)state;
    enum { DRAWS = 20000 };
    static double values[DRAWS];
    const struct { int64_t n; double p; } each[] = {{1, 0.3}, {20, 0.02}, {1000, 0.5}, {3, 0.999}, {40000000, 0.5}, {5000000, 1e-4}};
    for (size_t k = 0; k < sizeof each / sizeof *each; k++) {
        for (int d = 0; d < DRAWS; d++) {
            const int64_t drawn = random_binomial(SEED, RANDOM_PROJECTION_SPLIT, k, (uint64_t)d, each[k].n, each[k].p);
            assert_true(drawn >= 0 && drawn <= each[k].n);
            values[d] = (double)drawn;
        }
        if (each[k].n > 3) check_moments("binomial", values, DRAWS, (double)each[k].n * each[k].p, (double)each[k].n * each[k].p * (1 - each[k].p));
        double sum = 0;
        for (int d = 0; d < DRAWS; d++) sum += values[d] / DRAWS;
        assert_true(fabs(sum - (double)each[k].n * each[k].p) < 5 * sqrt((double)each[k].n * each[k].p * (1 - each[k].p) / DRAWS));
    }
    assert_int_equal(random_binomial(SEED, RANDOM_PROJECTION_SPLIT, 0, 0, 12, 1), 12);
    assert_int_equal(random_binomial(SEED, RANDOM_PROJECTION_SPLIT, 0, 0, 12, 0), 0);
    assert_int_equal(random_binomial(SEED, RANDOM_PROJECTION_SPLIT, 0, 0, 0, 0.5), 0);
}

/** In bulk they are the numbers that blocks give one by one: two of each. */
static void test_bulk(void **state) {
    (void)state;
    enum { COUNT = 333 };
    const int64_t bounds[] = {1, 77, (int64_t)1 << 40};
    int64_t chosen[COUNT + 1];
    for (size_t k = 0; k < sizeof bounds / sizeof *bounds; k++)
        for (int count = 0; count <= COUNT; count += 37) {
            chosen[count] = -1;
            random_below_each(SEED, RANDOM_PROJECTION_SOURCE, 5, 1000, bounds[k], count, chosen);
            assert_int_equal(chosen[count], -1);
            for (int d = 0; d < count; d++) {
                uint16_t half[RANDOM_EACH];
                random_bulk_as_written(SEED, RANDOM_PROJECTION_SOURCE, 5, 1000 + (uint64_t)d / 2, half);
                const uint16_t *of = half + 4 * (d % 2);
                const double part = ldexp(of[3], -16) + ldexp(of[2], -32) + ldexp(of[1], -48);
                assert_true(fabs((double)chosen[d] - floor(part * (double)bounds[k])) < 2e-14 * (double)bounds[k]);
            }
        }
}

/* ---- background ---- */

enum { CELLS = 4000, STEPS = 12 };

static void test_background_moments(void **state) {
    (void)state;
    const double means[] = {0.02, 1.28, 2.32, 60, 1000};
    static double values[CELLS * STEPS], excitatory[CELLS], inhibitory[CELLS];
    for (size_t k = 0; k < sizeof means / sizeof *means; k++) {
        const double weight = k & 1 ? -2.5 : 0.5;
        const background_stretch all = {.first = 0, .end = CELLS, .mean = means[k], .weight = weight};
        background *drawn = background_new(&all, 1, 0, SEED);
        for (int step = 0; step < STEPS; step++) {
            memset(excitatory, 0, sizeof excitatory), memset(inhibitory, 0, sizeof inhibitory);
            background_add(drawn, 3, step, 0, CELLS, &(static_input){.excitatory = excitatory, .inhibitory = inhibitory});
            for (int i = 0; i < CELLS; i++) {
                values[step * CELLS + i] = (excitatory[i] + inhibitory[i]) / weight;
                assert_true((weight > 0 ? inhibitory : excitatory)[i] == 0 && values[step * CELLS + i] == floor(values[step * CELLS + i]));
            }
        }
        check_moments("background", values, CELLS * STEPS, means[k], means[k]);
        background_free(drawn);
    }
}

/** All numbers of 32 bits are shared out among counts as the law says, rounded to 2^-32: each half, with each of those that it leaves open. */
static void test_poisson_law(void **state) {
    (void)state;
    const double means[] = {1e-12, 0.02, 1.28, 2.32, 4.9, 5.2, 60, 1000};
    static uint64_t mass[2 * POISSON_MOST];
    for (size_t k = 0; k < sizeof means / sizeof *means; k++) {
        poisson_law law;
        poisson_set(&law, means[k]);
        memset(mass, 0, sizeof mass);
        uint64_t rare = 0;
        uint16_t upper[POISSON_LANES], counts[POISSON_LANES], open[POISSON_LANES];
        int opened = 0;
        for (uint32_t begin = 0; begin <= UINT16_MAX; begin += POISSON_LANES) {
            for (uint32_t i = 0; i < POISSON_LANES; i++) upper[i] = (uint16_t)(begin + i);
            const bool any = poisson_counts(&law, upper, counts, open);
            bool seen = false;
            for (int i = 0; i < POISSON_LANES; i++) {
                seen |= open[i];
                opened += open[i];
                if (!open[i]) {
                    mass[counts[i]] += 1 << 16;
                    assert_int_equal(counts[i], poisson_count(&law, upper[i], 0, 0));
                    assert_int_equal(counts[i], poisson_count(&law, upper[i], UINT16_MAX, 0));
                }
                for (uint32_t lower = 0; open[i] && lower <= UINT16_MAX; lower++) {
                    const int one = poisson_count(&law, upper[i], (uint16_t)lower, 0), other = poisson_count(&law, upper[i], (uint16_t)lower, UINT32_MAX);
                    if (one == other) mass[one]++;
                    else rare++; /* the first and the last of them */
                }
            }
            assert_int_equal(any, seen);
        }
        double below = 0;
        uint64_t before = 0, told = 0;
        for (int n = 0; n < 2 * POISSON_MOST; n++) {
            below += exp(n * log(means[k]) - means[k] - lgamma(n + 1.0));
            const uint64_t upto = (uint64_t)fmin(round(below * 0x1p32), 0x1p32);
            if (mass[n]) assert_int_equal(mass[n], upto - before);
            else told += upto - before;
            before = upto;
        }
        assert_int_equal(rare, told);
        assert_true(rare < 1 << 20 && opened < 65536 / 200 && (means[k] > 5 || opened < 65536 / 2000)); /* what is drawn anew is rare */
    }
}

/** Rare counts have their own probabilities, too. */
static void test_poisson_rare(void **state) {
    (void)state;
    poisson_law law;
    poisson_set(&law, 4.9); /* 15 likeliest: 0 .. 14 */
    int cell = 0;
    while (law.other[cell] != POISSON_RARE && law.own[cell] != POISSON_RARE) cell++;
    const uint32_t number = (uint32_t)cell << 28 | (law.own[cell] == POISSON_RARE ? 0 : law.share[cell]);
    enum { COUNT = 1 << 20 };
    double seen[64] = {0}, total = 0;
    for (uint32_t k = 0; k < COUNT; k++) seen[poisson_count(&law, (uint16_t)(number >> 16), (uint16_t)number, k << 12)]++;
    for (int n = 15; n < 64; n++) total += exp(n * log(4.9) - 4.9 - lgamma(n + 1.0));
    for (int n = 0; n < 64; n++) {
        const double wanted = n < 15 ? 0 : COUNT * exp(n * log(4.9) - 4.9 - lgamma(n + 1.0)) / total;
        assert_true(fabs(seen[n] - wanted) < 3 + 1e-3 * wanted); /* of equally spaced numbers, and masses that are rounded */
    }
}

/** The number of a neuron and step, and what it says. */
static int drawn_alone(double mean, uint64_t stream, int64_t step, uint64_t gid) {
    poisson_law law;
    poisson_set(&law, mean);
    uint16_t upper[RANDOM_EACH];
    random_bulk_as_written(SEED, RANDOM_BACKGROUND, gid / RANDOM_EACH, stream << 40 | (uint64_t)step, upper);
    const random_block more = random_bits(SEED, RANDOM_BACKGROUND_LOWER, gid, stream << 40 | (uint64_t)step);
    return poisson_count(&law, upper[gid % RANDOM_EACH], (uint16_t)(more.word[0] >> 16), more.word[1]);
}

/** Where half a number is enough, and where it does not decide: 1 of 200 with a mean of 1000. */
static void test_background_alone(void **state) {
    (void)state;
    enum { FIRST = 12345, FEW = 1601, LONG = 17 };
    const double means[] = {0.02, 1.28, 2.32, 60, 1000};
    static double excitatory[FEW], inhibitory[FEW];
    for (size_t k = 0; k < sizeof means / sizeof *means; k++) {
        const background_stretch all = {.first = 0, .end = FEW, .mean = means[k], .weight = 1};
        background *drawn = background_new(&all, 1, FIRST, SEED);
        for (int step = 0; step < LONG; step++) {
            memset(excitatory, 0, sizeof excitatory);
            const static_input input = {.excitatory = excitatory, .inhibitory = inhibitory}, behind = static_input_from(&input, 130);
            background_add(drawn, 3, step, 0, 130, &input), background_add(drawn, 3, step, 130, FEW, &behind);
            for (int i = 0; i < FEW; i += step % 2 ? 1 : 7) assert_int_equal((int)excitatory[i], drawn_alone(means[k], 3, step, FIRST + (uint64_t)i));
        }
        background_free(drawn);
    }
}

/** Counts against the probabilities of Poisson's law, and a pure function of neuron and step, however the network is cut. */
static void test_background_law(void **state) {
    (void)state;
    enum { FIRST = 1000, MINE = 777, MOST = 8 };
    const double mean = 1.28;
    const background_stretch whole[2] = {{0, 1500, mean, 1}, {1600, CELLS, 3 * mean, -1}}, part[2] = {{0, 500, mean, 1}, {600, MINE, 3 * mean, -1}};
    background *all = background_new(whole, 2, 0, SEED), *some = background_new(part, 2, FIRST, SEED);
    static double e[2][CELLS], h[2][CELLS];
    double seen[MOST] = {0}, chi = 0, rest = 1;
    int64_t spikes = 0;
    for (int step = 0; step < STEPS; step++) {
        memset(e, 0, sizeof e), memset(h, 0, sizeof h);
        const static_input of_all = {.excitatory = e[0], .inhibitory = h[0]}, behind = static_input_from(&of_all, 300);
        background_add(all, 5, step, 0, 300, &of_all), background_add(all, 5, step, 300, CELLS, &behind);
        background_add(some, 5, step, 0, MINE, &(static_input){.excitatory = e[1], .inhibitory = h[1]});
        assert_memory_equal(e[0] + FIRST, e[1], MINE * sizeof(double));
        assert_memory_equal(h[0] + FIRST, h[1], MINE * sizeof(double));
        for (int i = 0; i < 1500; i++) seen[e[0][i] < MOST ? (int)e[0][i] : MOST - 1]++, spikes += (int64_t)e[0][i];
        for (int i = 1500; i < 1600; i++) assert_true(e[0][i] == 0 && h[0][i] == 0);
        for (int i = 1600; i < CELLS; i++) assert_true(e[0][i] == 0 && h[0][i] <= 0);
    }
    for (int k = 0; k < MOST; k++) {
        const double p = k + 1 < MOST ? exp(k * log(mean) - mean - lgamma(k + 1.0)) : rest, wanted = p * 1500 * STEPS;
        chi += (seen[k] - wanted) * (seen[k] - wanted) / wanted;
        rest -= p;
    }
    print_message("Poisson counts: chi square %.2f with %d degrees of freedom, %lld spikes\n", chi, MOST - 1, (long long)spikes);
    assert_true(chi < 26); /* p = 5e-4 */
    background_free(all), background_free(some);
}

/* ---- projections ---- */

enum { A = 400, B = 150 };
static const int64_t border[3] = {0, A, A + B};
static int64_t full[2] = {A, B};
static bool inhibitory[2] = {false, true};
static double inputs[2];

/** Everything that a projection gives, by target: sources in their order. */
typedef struct { int degree[A + B]; int32_t source[A + B][1024]; } drawn_network;

static projections of_one(projection *one) {
    projections all = {.populations = 2, .border = border, .full = full, .inputs = inputs, .inhibitory = inhibitory, .count = 1, .all = one};
    if (one->in_degree == 0) one->in_degree = projection_full_in_degree(&all, one);
    return all;
}

/** Drawn by @p ranks ranks. */
static void draw(projection one, int ranks, drawn_network *result) {
    const projections all = of_one(&one);
    memset(result, 0, sizeof *result);
    for (int rank = 0; rank < ranks; rank++) {
        const int64_t first = partition_first(A + B, ranks, rank);
        const partition part = {.total = A + B, .first = first, .mine = (int)(partition_first(A + B, ranks, rank + 1) - first), .ranks = ranks};
        drawn_projection drawn = projection_draw(&all, 0, part, SEED);
        for (int i = 0; i < drawn.targets; i++) {
            const int64_t gid = first + drawn.first + i;
            assert_true(drawn.degree[i] <= 1024 && gid >= border[one.target] && gid < border[one.target + 1]);
            result->degree[gid] = drawn.degree[i];
            int64_t scratch[1024];
            projection_sources(&all, 0, &drawn, i, &(projection_draw_into){.seed = SEED, .gid = gid, .scratch = scratch, .source = result->source[gid]});
        }
        drawn_projection_free(&drawn);
    }
}

typedef struct { int64_t synapses, autapses, twins; double in[A + B], out[A + B]; } tally;

static tally count(const drawn_network *net, const projection *one) {
    static int times[A + B];
    tally sum = {0};
    for (int64_t gid = 0; gid < A + B; gid++) {
        memset(times, 0, sizeof times);
        sum.synapses += net->degree[gid];
        sum.in[gid] = net->degree[gid];
        for (int d = 0; d < net->degree[gid]; d++) {
            const int32_t source = net->source[gid][d];
            assert_true(source >= border[one->source] && source < border[one->source + 1]);
            sum.autapses += source == gid;
            sum.twins += times[source]++ > 0;
            sum.out[source]++;
        }
    }
    return sum;
}

static drawn_network net[2];

/** @return what was drawn, the same by 1, 3 and 7 ranks */
static tally drawn(projection one) {
    draw(one, 1, &net[0]);
    for (int ranks = 3; ranks < 8; ranks += 4) {
        draw(one, ranks, &net[1]);
        assert_memory_equal(&net[0], &net[1], sizeof *net);
    }
    return count(&net[0], &one);
}

/** Sources are as likely as each other: chi square of out-degrees. */
static void check_uniform(const char *what, const double *degree, int64_t count, double mean, double variance) {
    double chi = 0;
    for (int64_t j = 0; j < count; j++) chi += (degree[j] - mean) * (degree[j] - mean) / variance;
    print_message("%s: chi square %.1f of %lld\n", what, chi, (long long)count);
    assert_true(fabs(chi / (double)count - 1) < 4.5 * sqrt(2.0 / (double)count));
}

static void test_total_number(void **state) {
    (void)state;
    const projection one = {.target = 0, .source = 1, .wiring = WIRING_SYNAPSES, .number = 20000, .multapses = true, .autapses = true};
    const tally sum = drawn(one);
    assert_int_equal(sum.synapses, 20000);
    check_moments("K shared among targets", sum.in, A, 50, 50 * (1 - 1.0 / A));
    check_uniform("their sources", sum.out + A, B, 20000.0 / B, 20000.0 / B * (1 - 1.0 / B));
    const double pairs = (double)A * B, twins = 20000 - pairs * (1 - pow(1 - 1 / pairs, 20000)); /* K draws less the pairs that they hit */
    print_message("multapses: %lld, wanted %.0f\n", (long long)sum.twins, twins);
    assert_true(fabs((double)sum.twins - twins) < 4.5 * sqrt(twins));
    projection distinct = one;
    distinct.multapses = false;
    const tally alone = drawn(distinct);
    assert_true(alone.synapses == 20000 && alone.twins == 0);
    check_moments("without multapses", alone.in, A, 50, 50 * (1 - 1.0 / A) * (pairs - 20000) / (pairs - 1));
}

/** Potjans & Diesmann 2014: K from the probability that a pair has a synapse at all. */
static void test_probability(void **state) {
    (void)state;
    projection one = {.target = 0, .source = 0, .wiring = WIRING_PROBABILITY, .number = 0.1, .multapses = true, .autapses = true};
    tally sum = drawn(one);
    const double pairs = (double)A * A, k = log(1 - 0.1) / log(1 - 1 / pairs);
    assert_int_equal(sum.synapses, llround(k));
    const double connected = (double)(sum.synapses - sum.twins) / pairs;
    print_message("K = %.0f; %.5f of pairs are connected, wanted 0.1; %lld autapses\n", k, connected, (long long)sum.autapses);
    assert_true(fabs(connected - 0.1) < 4.5 * sqrt(0.1 * 0.9 / pairs) && labs((long)sum.autapses - lround(k / A)) < 4.5 * sqrt(k / A));
    one.autapses = false;
    assert_int_equal(drawn(one).autapses, 0);
    one.multapses = false;
    sum = drawn(one);
    assert_true(sum.autapses == 0 && sum.twins == 0);
    check_moments("each pair by itself", sum.in, A, 0.1 * (A - 1), 0.09 * (A - 1));
    check_uniform("their sources", sum.out, A, 0.1 * (A - 1), 0.09 * (A - 1));
}

static void test_degrees(void **state) {
    (void)state;
    for (int multapses = 0; multapses < 2; multapses++)
        for (int autapses = 0; autapses < 2; autapses++) {
            projection one = {.target = 1, .source = 1, .wiring = WIRING_IN_DEGREE, .number = 60, .multapses = multapses, .autapses = autapses};
            tally sum = drawn(one);
            for (int i = A; i < A + B; i++) assert_true(sum.in[i] == 60);
            assert_true((sum.twins > 0) == multapses && (sum.autapses > 0) == autapses);
            one.wiring = WIRING_OUT_DEGREE;
            sum = drawn(one);
            for (int j = A; j < A + B; j++) assert_true(sum.out[j] == 60);
            assert_true((sum.twins > 0) == multapses && (sum.autapses > 0) == autapses);
            const double p = 60.0 / (B - !autapses);
            check_moments("in-degrees by out-degree", sum.in + A, B, 60, multapses ? 60 * (1 - 1.0 / B) : 60 * (1 - p));
        }
    projection all = {.target = 0, .source = 1, .wiring = WIRING_OUT_DEGREE, .number = A, .autapses = true}; /* everybody */
    tally sum = drawn(all);
    assert_true(sum.synapses == (int64_t)A * B && sum.twins == 0);
}

enum { COUNT = 30001, TWINS = 3 };
static random_place place[COUNT];
static double weights[COUNT], again[COUNT];
static uint16_t delay[COUNT], delay_again[COUNT];

/** Of a source, by projection @p index: TWINS synapses onto each target. */
static void make_places(int index) {
    for (int d = 0; d < COUNT; d++) place[d] = (random_place){projection_counter(index, 1000 + d / TWINS, d ? place[d - 1].counter : PLACE_NONE), 12};
}

/** The law, by numbers that are made as they are written and the library's functions. */
static void expect_as_written(const projection *one, const synapse_law *law, int d, double weight, int steps) {
    uint16_t half[RANDOM_EACH];
    double word[2];
    const uint64_t counter = (uint64_t)(1000 + d / TWINS) << 34 | (uint64_t)2 << 22 | (uint64_t)(d % TWINS);
    random_bulk_as_written(SEED, RANDOM_PROJECTION_SYNAPSE, 12, counter, half);
    for (int w = 0; w < 2; w++) word[w] = ((double)((uint32_t)half[2 * w + 1] << 16 | half[2 * w]) + 0.5) * 0x1p-32;
    const double radius = sqrt(-2 * log(word[0])), part = 1 + one->cv * radius * cos(2 * M_PI * word[1]);
    const double time = (one->delay + one->delay_sd * radius * sin(2 * M_PI * word[1])) / law->dt;
    if (part > 1e-5) assert_true(fabs(weight / (one->weight * law->scale) - part) < 1e-5);
    assert_true(fabs(fmin(fmax(time, 1), one->delay_most) - steps) < 0.5 + 1e-4);
}

static void test_weights(void **state) {
    (void)state;
    const struct { double mean, cv; int distribution; } each[] = {{-3, 0.1, DISTRIBUTION_NORMAL}, {2, 0.5, DISTRIBUTION_LOGNORMAL},
                                                                  {2, 0, DISTRIBUTION_LOGNORMAL}, {-1, 1, DISTRIBUTION_NORMAL}};
    make_places(2);
    for (int k = 0; k < 4; k++) {
        projection some[3] = {{.weight = 100}, {.weight = 100}, {.weight = each[k].mean, .cv = each[k].cv, .distribution = each[k].distribution}};
        const projections all = {.all = some, .count = 3, .drawn = true};
        const synapse_law law = {.all = &all, .seed = SEED, .dt = 0.1, .scale = 2};
        projection_synapses(&law, place, COUNT, weights, NULL);
        projection_synapses(&law, place + COUNT / 2, COUNT / 3, again, NULL); /* wherever they lie */
        assert_memory_equal(weights + COUNT / 2, again, COUNT / 3 * sizeof(double));
        for (int d = 0; d < COUNT; d++) assert_true(weights[d] * each[k].mean > 0);
        double mean = 2 * each[k].mean, variance = mean * mean * each[k].cv * each[k].cv, sum = 0;
        for (int d = 0; d < COUNT; d++) sum += weights[d] / COUNT;
        if (k == 2) assert_true(weights[0] == mean && weights[COUNT - 1] == mean);
        if (k == 0) check_moments("normal", weights, COUNT, mean, variance);
        if (k == 1) assert_true(fabs(sum / mean - 1) < 4.5 * each[k].cv / sqrt(COUNT));
        if (k == 3) { /* a normal of mean 1 and SD 1, above 0: 1 + phi(1)/Phi(1) */
            const double wanted = mean * (1 + exp(-0.5) / sqrt(2 * M_PI) / (0.5 * (1 + erf(sqrt(0.5)))));
            print_message("half of a normal: mean %.4f, wanted %.4f\n", sum, wanted);
            assert_true(fabs(sum / wanted - 1) < 4.5 / sqrt(COUNT));
        }
    }
}

static void test_delays(void **state) {
    (void)state;
    const double dt = 0.1, mean = 1.5, sd = 0.75;
    projection some[3] = {{.weight = 100}, {.weight = 100}, {.weight = 1, .cv = 0.2, .delay = mean, .delay_sd = sd, .delay_most = 60}};
    const projections all = {.all = some, .count = 3, .drawn = true};
    const synapse_law law = {.all = &all, .seed = SEED, .dt = dt, .scale = 1};
    make_places(2);
    projection_synapses(&law, place, COUNT, weights, delay);
    projection_synapses(&law, place, COUNT / 3, again, delay_again);
    assert_memory_equal(delay, delay_again, COUNT / 3 * sizeof *delay);
    double seen[62] = {0}, product = 0;
    for (int d = 0; d < COUNT; d++) {
        assert_true(delay[d] >= 1 && delay[d] <= 60), seen[delay[d]]++;
        product += (weights[d] - 1) / 0.2 * (delay[d] * dt - mean) / sd;
        expect_as_written(&some[2], &law, d, weights[d], delay[d]);
    }
    double chi = 0;
    int cells = 0;
    for (int k = 1; k <= 60; k++) { /* whole steps: what is rounded to them, and below the first the rest */
        const double low = k == 1 ? 0 : 0.5 * erfc((mean - (k - 0.5) * dt) / (sd * sqrt(2))), high = 0.5 * erfc((mean - (k + 0.5) * dt) / (sd * sqrt(2)));
        const double wanted = (high - low) * COUNT;
        if (wanted < 5) continue;
        chi += (seen[k] - wanted) * (seen[k] - wanted) / wanted, cells++;
    }
    print_message("delays: chi square %.1f of %d, %.2f %% of one step; correlation with weights %.4f\n", chi, cells, 100 * seen[1] / COUNT, product / COUNT);
    assert_true(cells > 30 && fabs(chi - cells) < 4.5 * sqrt(2.0 * cells) && fabs(product) < 4.5 * sqrt(COUNT));
    some[2].delay_sd = 0;
    some[2].delay = 0.14;
    projection_synapses(&law, place, 3, weights, delay);
    assert_true(delay[0] == 1 && delay[2] == 1);
}

/** Evenly between two ends, rounded: half as many of the first and the last step; each a function of where the synapse is, of its weight none. */
static void test_uniform_delays(void **state) {
    (void)state;
    projection some[3] = {{.weight = 100}, {.weight = 100}, {.weight = 1, .cv = 0.2, .delay = 0.5, .uniform = true, .delay_high = 2.5, .delay_most = 25}};
    const projections all = {.all = some, .count = 3, .drawn = true};
    const synapse_law law = {.all = &all, .seed = SEED, .dt = 0.1, .scale = 1};
    make_places(2);
    projection_synapses(&law, place, COUNT, weights, delay);
    projection_synapses(&law, place + COUNT / 2, COUNT / 3, again, delay_again);
    assert_memory_equal(delay + COUNT / 2, delay_again, COUNT / 3 * sizeof *delay);
    double seen[26] = {0}, chi = 0, product = 0;
    for (int d = 0; d < COUNT; d++) {
        assert_true(delay[d] >= 5 && delay[d] <= 25), seen[delay[d]]++;
        assert_int_equal(delay[d], (int)(5 + 20 * random_uniform(SEED, RANDOM_PROJECTION_DELAY, place[d].id, place[d].counter) + 0.5));
        product += (weights[d] - 1) / 0.2 * (delay[d] - 15) / 5.77;
    }
    for (int k = 5; k <= 25; k++) {
        const double wanted = COUNT / 20.0 * (k == 5 || k == 25 ? 0.5 : 1);
        chi += (seen[k] - wanted) * (seen[k] - wanted) / wanted;
    }
    print_message("uniform delays: chi square %.1f of 20; correlation with weights %.4f\n", chi, product / COUNT);
    assert_true(chi < 20 + 4.5 * sqrt(2.0 * 20) && fabs(product) < 4.5 * sqrt(COUNT));
}

/** Synapses of several projections, in whatever company: those of each alone. */
static void test_mixed_projections(void **state) {
    (void)state;
    enum { EACH = 200, MORE = 3 };
    static random_place mixed[MORE * EACH];
    double weight[MORE * EACH], alone[EACH];
    uint16_t steps[MORE * EACH], steps_alone[EACH];
    projection some[MORE] = {{.weight = 1, .cv = 0.1, .delay = 2, .delay_sd = 1, .delay_most = 80},
                             {.weight = 3, .delay = 1, .uniform = true, .delay_high = 4, .delay_most = 40},
                             {.weight = -2, .cv = 0.3, .distribution = DISTRIBUTION_LOGNORMAL, .delay = 3, .delay_sd = 0.5, .delay_most = 60}};
    const projections all = {.all = some, .count = MORE, .drawn = true};
    const synapse_law law = {.all = &all, .seed = SEED, .dt = 0.1, .scale = 0.5};
    for (int d = 0; d < MORE * EACH; d++) mixed[d] = (random_place){projection_counter(d % MORE, 7 + d / MORE, PLACE_NONE), 5};
    projection_synapses(&law, mixed, MORE * EACH, weight, steps);
    for (int k = 0; k < MORE; k++) {
        random_place of_one[EACH];
        for (int d = 0; d < EACH; d++) of_one[d] = mixed[MORE * d + k];
        projection_synapses(&law, of_one, EACH, alone, steps_alone);
        for (int d = 0; d < EACH; d++) assert_true(alone[d] == weight[MORE * d + k] && steps_alone[d] == steps[MORE * d + k]);
    }
}

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_binomial), cmocka_unit_test(test_bulk), cmocka_unit_test(test_background_moments),
        cmocka_unit_test(test_poisson_law), cmocka_unit_test(test_poisson_rare), cmocka_unit_test(test_background_alone),
        cmocka_unit_test(test_background_law),
        cmocka_unit_test(test_total_number), cmocka_unit_test(test_probability), cmocka_unit_test(test_degrees), cmocka_unit_test(test_weights),
        cmocka_unit_test(test_delays),
        cmocka_unit_test(test_uniform_delays), cmocka_unit_test(test_mixed_projections),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
