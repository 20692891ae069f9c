/** @file test_random.c
 *  Random numbers: known answers of Philox, bulk normals against their formula, and draws against their exact distributions. Seeds are fixed, so
 *  a test either always passes or always fails; bounds are those of a chance of about 1e-6.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engram/random.h"
#include "engram/sort.h"
#include "random/polar_single.h"

static void check_block(uint64_t seed, unsigned purpose, uint64_t id, uint64_t counter, const uint32_t wanted[4]) {
    random_block block = random_bits(seed, (random_purpose)purpose, id, counter);
    for (int w = 0; w < 4; w++) assert_int_equal(block.word[w], wanted[w]);
}

/** The three answers that come with Random123 (kat_vectors, philox4x32 10), through the layout of random.h. */
static void test_known_answers(void **state) {
    (void)state;
    check_block(0, 0, 0, 0, (uint32_t[]){0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    check_block(UINT64_MAX, 0xffff, 0xffffffffffff, UINT64_MAX, (uint32_t[]){0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
    /* counter 243f6a88 85a308d3 13198a2e 03707344, key a4093822 299f31d0 */
    check_block(0x299f31d0a4093822, 0x0370, 0x734413198a2e, 0x85a308d3243f6a88, (uint32_t[]){0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

static void test_scalars(void **state) {
    (void)state;
    for (uint64_t n = 0; n < 1000; n++) {
        random_block b = random_bits(9, RANDOM_TARGET, 5, n);
        double u = ((double)(((uint64_t)b.word[1] << 32 | b.word[0]) >> 11) + 0.5) / 0x1p53;
        double v = ((double)(((uint64_t)b.word[3] << 32 | b.word[2]) >> 11) + 0.5) / 0x1p53;
        assert_true(random_uniform(9, RANDOM_TARGET, 5, n) == u && u > 0 && u < 1);
        assert_true(fabs(random_normal(9, RANDOM_TARGET, 5, n) - sqrt(-2 * log(u)) * cos(2 * M_PI * v)) < 1e-14);
        assert_true(random_uniform(10, RANDOM_TARGET, 5, n) != u && random_uniform(9, RANDOM_TAU, 5, n) != u && random_uniform(9, RANDOM_TARGET, 6, n) != u);
    }
    double square = 0;
    int64_t seen[7] = {0};
    for (uint64_t n = 0; n < 70000; n++) {
        uint64_t pick = random_below(1, RANDOM_TARGET, 0, n, 7);
        assert_in_range(pick, 0, 6);
        seen[pick]++;
    }
    for (int k = 0; k < 7; k++) square += pow((double)seen[k] - 10000, 2) / 10000;
    assert_true(square < 42 && square > 0.1);
    assert_int_equal(random_below(1, RANDOM_TARGET, 0, 0, 1), 0);
}

/** Many at once are those of one at a time, to the bit, wherever a stretch begins and ends. */
static void test_normals(void **state) {
    (void)state;
    double normals[70];
    for (int count = 0; count < 68; count += 3) {
        uint64_t id = 7 + ((uint64_t)count << 33), counter = ((uint64_t)1 << 32) - 20 + (uint64_t)count;
        normals[count] = 12345;
        random_normals(99, RANDOM_SURROGATE, id, counter, count, normals);
        for (int i = 0; i < count; i++) assert_true(normals[i] == random_normal(99, RANDOM_SURROGATE, id, counter + (uint64_t)i));
        assert_true(normals[count] == 12345);
    }
}

/** The words of a block, by ARS. */
static random_block bulk_block(uint64_t seed, random_purpose purpose, uint64_t id, uint64_t counter) {
    uint16_t half[RANDOM_EACH];
    random_block block;
    random_bulk_as_written(seed, purpose, id, counter, half);
    for (int w = 0; w < 4; w++) block.word[w] = (uint32_t)half[2 * w + 1] << 16 | half[2 * w];
    return block;
}

static void test_noise_formula(void **state) {
    (void)state;
    enum { COUNT = 300000 };
    double *normal = malloc(4 * COUNT * sizeof *normal), worst = 0;
    for (uint64_t counter = 0; counter < 3; counter++) {
        uint64_t first = counter * 0xfffffffeu; /* ids that pass 2^32 too */
        random_noise(77, RANDOM_NOISE, first, COUNT, counter << 40 | counter, COUNT, normal);
        for (int i = 0; i < COUNT; i++) {
            random_block b = bulk_block(77, RANDOM_NOISE, first + (uint64_t)i, counter << 40 | counter);
            for (int pair = 0; pair < 2; pair++) {
                double radius = sqrt(-2 * log((b.word[2 * pair] + 0.5) / 0x1p32)), angle = 2 * M_PI * ((b.word[2 * pair + 1] + 0.5) / 0x1p32);
                worst = fmax(worst, fabs(normal[2 * pair * COUNT + i] - radius * cos(angle)));
                worst = fmax(worst, fabs(normal[(2 * pair + 1) * COUNT + i] - radius * sin(angle)));
            }
        }
    }
    print_message("random_noise: largest error %.2e\n", worst);
    assert_true(worst < 1e-12);
    free(normal);
}

enum { RADIUS, COSINE, SINE, PARTS };

/** Radius, cosine and sine that a word stands for beside those in single precision. @param[in,out] worst part of its value that one is off */
static void check_polar(uint32_t w, double worst[PARTS]) {
    const double u = (w + 0.5) / 0x1p32, less = (~w + 0.5) / 0x1p32; /* 1 - u */
    const uint32_t eighth = w + 0x20000000u, quadrant = eighth >> 30;
    const double angle = M_PI / 2 * (((int32_t)(eighth & 0x3fffffffu) - 0x20000000) + 0.5) / 0x1p30, c = cos(angle), s = sin(angle);
    const double turned[4][2] = {{c, s}, {-s, c}, {-c, -s}, {s, -c}};
    const double wanted[PARTS] = {sqrt(-2 * (less < 0.5 ? log1p(-less) : log(u))), turned[quadrant][0], turned[quadrant][1]};
    float single[PARTS];
    single[RADIUS] = sqrtf(minus_two_log_single(w));
    cos_sin_turn_single(w, &single[COSINE], &single[SINE]);
    for (int part = 0; part < PARTS; part++) worst[part] = fmax(worst[part], fabs(single[part] / wanted[part] - 1));
}

/** Words all over, and all those around the ends, powers of two, quadrants and eighths, where exponents and signs change and sines begin. */
static void test_polar_single(void **state) {
    (void)state;
    enum { STRIDE = 4093, NEAR = 5000 };
    double worst[PARTS] = {0};
    for (uint64_t w = 0; w <= UINT32_MAX; w += STRIDE) check_polar((uint32_t)w, worst);
    for (int power = 0; power < 32; power++)
        for (uint32_t near = 0; near < 2 * NEAR; near++) check_polar((1u << power) - NEAR + near, worst), check_polar(0u - (1u << power) - NEAR + near, worst);
    for (uint32_t eighth = 0; eighth < 8; eighth++)
        for (uint32_t near = 0; near < 2 * NEAR; near++) check_polar((eighth << 29) - NEAR + near, worst);
    print_message("in single precision: radius off by %.2e of its value, cosine by %.2e, sine by %.2e\n", worst[RADIUS], worst[COSINE], worst[SINE]);
    assert_true(worst[RADIUS] < 1.3e-7 && worst[COSINE] < 2.2e-7 && worst[SINE] < 2.2e-7);
    assert_true(sqrtf(minus_two_log_single(0)) == (float)sqrt(2 * 33 * M_LN2) && sqrtf(minus_two_log_single(UINT32_MAX)) == 0x1p-16f);
}

/** The normals of random_noise(), rounded; to the bit what the functions of a word give one by one. */
static void test_noise_single(void **state) {
    (void)state;
    enum { COUNT = 300000 };
    double *normal = malloc(4 * COUNT * sizeof *normal), worst = 0;
    float *single = malloc(4 * COUNT * sizeof *single);
    for (uint64_t counter = 0; counter < 3; counter++) {
        const uint64_t first = counter * 0xfffffffeu;
        random_noise(77, RANDOM_NOISE, first, COUNT, counter << 40 | counter, COUNT, normal);
        random_noise_single(77, RANDOM_NOISE, first, COUNT, counter << 40 | counter, COUNT, single);
        for (int k = 0; k < 4 * COUNT; k++) worst = fmax(worst, (fabs(single[k] - normal[k]) - 1e-12) / fabs(normal[k]));
        for (int i = 0; i < COUNT; i++) {
            const random_block b = bulk_block(77, RANDOM_NOISE, first + (uint64_t)i, counter << 40 | counter);
            for (int pair = 0; pair < 2; pair++) {
                const float radius = sqrtf(minus_two_log_single(b.word[2 * pair]));
                float c, s;
                cos_sin_turn_single(b.word[2 * pair + 1], &c, &s);
                assert_true(single[2 * pair * COUNT + i] == radius * c && single[(2 * pair + 1) * COUNT + i] == radius * s);
            }
        }
    }
    print_message("random_noise_single: largest error %.2e of a normal\n", worst);
    assert_true(worst < 5e-7);
    free(normal), free(single);
}

/** A neuron's noise does not depend on where a rank's block begins or ends; nothing is written beyond. */
static void test_noise_splitting(void **state) {
    (void)state;
    enum { COUNT = 500 };
    static double whole[4 * COUNT], part[4 * (COUNT + 3)];
    static float whole_single[4 * COUNT], part_single[4 * (COUNT + 3)];
    random_noise(3, RANDOM_NOISE, 1000, COUNT, 17, COUNT, whole);
    random_noise_single(3, RANDOM_NOISE, 1000, COUNT, 17, COUNT, whole_single);
    for (int size = 1; size < 140; size += size < 66 ? 1 : 13) {
        int stride = size + 3;
        for (int begin = 0; begin < COUNT; begin += size) {
            int count = begin + size < COUNT ? size : COUNT - begin;
            for (int k = 0; k < 4 * stride; k++) part[k] = part_single[k] = -99;
            random_noise(3, RANDOM_NOISE, 1000 + (uint64_t)begin, count, 17, stride, part);
            random_noise_single(3, RANDOM_NOISE, 1000 + (uint64_t)begin, count, 17, stride, part_single);
            for (int m = 0; m < 4; m++) {
                assert_memory_equal(part + m * stride, whole + m * COUNT + begin, (size_t)count * sizeof(double));
                assert_memory_equal(part_single + m * stride, whole_single + m * COUNT + begin, (size_t)count * sizeof(float));
                for (int k = count; k < stride; k++) assert_true(part[m * stride + k] == -99 && part_single[m * stride + k] == -99);
            }
        }
    }
    random_noise(3, RANDOM_NOISE, 1000, 0, 17, 0, part); /* a rank without neurons */
    random_noise_single(3, RANDOM_NOISE, 1000, 0, 17, 0, part_single);
}

/** Halves of the words of random_bits(), however many are asked for at once; nothing beyond. */
static void test_short(void **state) {
    (void)state;
    enum { MOST = 200, MEMBERS = 8 };
    static uint16_t draw[MEMBERS * MOST + MEMBERS];
    for (int count = 0; count <= MOST; count++) {
        const uint64_t first = count % 2 ? 0xffffffffu - 20 : (uint64_t)count, counter = (uint64_t)count << 40 | 12345; /* ids that pass 2^32 too */
        memset(draw, 0xa5, sizeof draw);
        random_short(77, RANDOM_ESCAPE, first, count, counter, count, draw);
        for (int i = 0; i < count; i++) {
            const random_block b = random_bits(77, RANDOM_ESCAPE, first + (uint64_t)i, counter);
            for (int w = 0; w < 4; w++) {
                assert_int_equal(draw[2 * w * count + i], b.word[w] & 0xffff);
                assert_int_equal(draw[(2 * w + 1) * count + i], b.word[w] >> 16);
            }
        }
        for (int e = MEMBERS * count; e < MEMBERS * MOST + MEMBERS; e++) assert_int_equal(draw[e], 0xa5a5);
    }
}

/** Known answers of ars4x32 (7 rounds) of Random123's ars.h, through the layout of random.h; instructions and shifts, however many blocks are asked for;
 *  nothing beyond. */
static void test_bulk(void **state) {
    (void)state;
    enum { MOST = 70 };
    static uint16_t draw[RANDOM_EACH * (MOST + 1)], written[RANDOM_EACH * (MOST + 1)];
    const uint16_t zero[] = {0x61ff, 0xdacf, 0x98f3, 0xc457, 0x7eeb, 0x113c, 0x27f3, 0x101e};
    const uint16_t wanted[] = {0x034c, 0xaa7c, 0x0b39, 0x2cb7, 0x6030, 0xe7c3, 0xb9e0, 0xf794};
    for (int blocks = 1; blocks <= 16; blocks += 15) {
        random_bulk(0, 0, 0, blocks, 0, draw);
        assert_memory_equal(draw, zero, sizeof zero);
        /* counter 7 3 89abcdef 004e4567, key 12345678 9abcdef0 0 0 */
        random_bulk(0x9abcdef012345678, 0x4e, 0x456789abcdef, blocks, (uint64_t)3 << 32 | 7, draw);
        assert_memory_equal(draw, wanted, sizeof wanted);
    }
    for (int blocks = 0; blocks <= MOST; blocks++) {
        const uint64_t first = blocks % 2 ? 0xffffffffu - 20 : (uint64_t)blocks, counter = (uint64_t)blocks << 40 | 12345; /* ids that pass 2^32 too */
        memset(draw, 0xa5, sizeof draw), memset(written, 0xa5, sizeof written);
        random_bulk(77, RANDOM_BACKGROUND, first, blocks, counter, draw);
        for (int b = 0; b < blocks; b++) random_bulk_as_written(77, RANDOM_BACKGROUND, first + (uint64_t)b, counter, written + RANDOM_EACH * b);
        assert_memory_equal(draw, written, sizeof draw);
        for (int e = RANDOM_EACH * blocks; e < RANDOM_EACH * (MOST + 1); e++) assert_int_equal(draw[e], 0xa5a5);
        uint16_t one[RANDOM_EACH];
        for (int b = 0; b < blocks; b++) {
            random_bulk(77, RANDOM_BACKGROUND, first + (uint64_t)b, 1, counter, one);
            assert_memory_equal(one, draw + RANDOM_EACH * b, sizeof one);
        }
        random_bulk_counters(77, RANDOM_BACKGROUND, first, counter, blocks, draw);
        for (int b = 0; b < blocks; b++) random_bulk_as_written(77, RANDOM_BACKGROUND, first, counter + (uint64_t)b, written + RANDOM_EACH * b);
        assert_memory_equal(draw, written, sizeof draw);
    }
}

/** Bits of neighbours and of steps that follow one another are fair and do not depend on each other. */
static void test_bulk_bits(void **state) {
    (void)state;
    enum { BLOCKS = 1024, STEPS = 64, COUNT = BLOCKS * RANDOM_EACH };
    static uint16_t draw[2][COUNT];
    int64_t ones[16] = {0}, same[16] = {0}, next[16] = {0};
    for (int step = 0; step < STEPS; step++) {
        uint16_t *now = draw[step % 2], *before = draw[1 - step % 2];
        random_bulk(5, RANDOM_BACKGROUND, 0, BLOCKS, (uint64_t)step, now);
        for (int k = 0; k < COUNT; k++)
            for (int bit = 0; bit < 16; bit++) {
                ones[bit] += now[k] >> bit & 1;
                if (step) same[bit] += ~(now[k] ^ before[k]) >> bit & 1;
                if (k) next[bit] += ~(now[k] ^ now[k - 1]) >> bit & 1;
            }
    }
    const double bound = 5.5 * 0.5 * sqrt((double)STEPS * COUNT);
    for (int bit = 0; bit < 16; bit++) {
        assert_true(fabs((double)ones[bit] - 0.5 * STEPS * COUNT) < bound);
        assert_true(fabs((double)same[bit] - 0.5 * (STEPS - 1) * COUNT) < bound);
        assert_true(fabs((double)next[bit] - 0.5 * STEPS * (COUNT - 1)) < bound);
    }
}

static void test_noise_moments(void **state) {
    (void)state;
    enum { COUNT = 1000000 };
    double *normal = malloc(4 * COUNT * sizeof *normal), sum[5] = {0}, cross = 0;
    random_noise(1, RANDOM_NOISE, 0, COUNT, 5, COUNT, normal);
    int64_t far = 0;
    for (int k = 0; k < 4 * COUNT; k++) {
        double x = normal[k];
        sum[1] += x, sum[2] += x * x, sum[3] += x * x * x, sum[4] += x * x * x * x;
        far += fabs(x) > 3;
        cross += x * normal[(k + COUNT) % (4 * COUNT)] + x * normal[k / COUNT * COUNT + (k + 1) % COUNT]; /* other member, next neuron */
    }
    double n = 4 * COUNT;
    assert_true(fabs(sum[1] / n) < 5 / sqrt(n));
    assert_true(fabs(sum[2] / n - 1) < 5 * sqrt(2 / n));
    assert_true(fabs(sum[3] / n) < 5 * sqrt(15 / n));
    assert_true(fabs(sum[4] / n - 3) < 5 * sqrt(96 / n));
    assert_true(fabs(cross / n) < 5 * sqrt(2 / n));
    assert_true(fabs((double)far - 0.0026997961 * n) < 5 * sqrt(0.0027 * n));
    free(normal);
}

static void check_choice(int64_t bound, int draws, uint64_t id) {
    int64_t *chosen = malloc((size_t)(draws + 1) * sizeof *chosen);
    chosen[draws] = -7;
    random_choose(2, RANDOM_PLASTIC_ROW, id, 0, bound, draws, chosen);
    for (int d = 0; d < draws; d++) assert_true(chosen[d] >= (d ? chosen[d - 1] + 1 : 0) && chosen[d] < bound);
    assert_int_equal(chosen[draws], -7);
    free(chosen);
}

static int compare(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void test_sort(void **state) {
    (void)state;
    enum { MOST = 3000 };
    static int64_t values[MOST], expected[MOST];
    const int64_t bounds[] = {1, 40, 100000, INT64_MAX};
    const int counts[] = {0, 1, 63, 64, 65, 1024, 1025, MOST};
    for (int b = 0; b < 4; b++)
        for (int c = 0; c < 8; c++) {
            random_below_each(5, RANDOM_STATIC_ROW, (uint64_t)c, 0, bounds[b], counts[c], values);
            memcpy(expected, values, sizeof values);
            qsort(expected, (size_t)counts[c], sizeof *expected, compare);
            sort_integers(values, counts[c]);
            assert_memory_equal(values, expected, (size_t)counts[c] * sizeof *values);
        }
}

/** Blocks here and there are those that are asked for one by one, and normals those of random_noise_single(). */
static void test_places(void **state) {
    (void)state;
    enum { BLOCKS = 150 };
    random_place place[BLOCKS];
    uint16_t half[BLOCKS * RANDOM_EACH], one[RANDOM_EACH];
    float first[BLOCKS], second[BLOCKS], member[4];
    for (uint64_t k = 0; k < BLOCKS; k++) place[k] = (random_place){k * k * 0x9E3779B97F4A7C15u, (k * 77777777777u) & 0xffffffffffffu};
    for (int blocks = 1; blocks <= BLOCKS; blocks += 7) {
        random_bulk_places(9, RANDOM_PROJECTION_SYNAPSE, place, blocks, half);
        random_pairs_single(9, RANDOM_PROJECTION_SYNAPSE, place, blocks, first, second);
        for (int k = 0; k < blocks; k++) {
            random_bulk_as_written(9, RANDOM_PROJECTION_SYNAPSE, place[k].id, place[k].counter, one);
            assert_memory_equal(half + RANDOM_EACH * k, one, sizeof one);
            random_noise_single(9, RANDOM_PROJECTION_SYNAPSE, place[k].id, 1, place[k].counter, 1, member);
            assert_true(first[k] == member[0] && second[k] == member[1]);
        }
    }
}

static void test_choose(void **state) {
    (void)state;
    const int64_t bounds[] = {1, 2, 5, 64, 1000, (int64_t)1 << 40};
    for (size_t b = 0; b < sizeof bounds / sizeof *bounds; b++)
        for (int draws = 0; draws <= bounds[b] && draws <= 3000; draws += draws < 8 ? 1 : draws < 400 ? 37 : 311)
            check_choice(bounds[b], draws, (uint64_t)draws);
    check_choice(1000, 1000, 0);

    enum { BOUND = 20, DRAWS = 6, TIMES = 40000 };
    double single[BOUND] = {0}, pair[BOUND][BOUND] = {{0}}, chi_single = 0, chi_pair = 0;
    for (uint64_t id = 0; id < TIMES; id++) {
        int64_t chosen[DRAWS];
        random_choose(2, RANDOM_PLASTIC_ROW, id, (uint64_t)1 << 32, BOUND, DRAWS, chosen);
        for (int a = 0; a < DRAWS; a++) {
            single[chosen[a]]++;
            for (int b = a + 1; b < DRAWS; b++) pair[chosen[a]][chosen[b]]++;
        }
    }
    const double p = (double)DRAWS / BOUND, p2 = p * (DRAWS - 1) / (BOUND - 1);
    for (int a = 0; a < BOUND; a++) {
        chi_single += pow(single[a] - TIMES * p, 2) / (TIMES * p * (1 - p));
        for (int b = a + 1; b < BOUND; b++) chi_pair += pow(pair[a][b] - TIMES * p2, 2) / (TIMES * p2 * (1 - p2));
    }
    print_message("random_choose: chi-square %.1f of 20 numbers, %.1f of 190 pairs\n", chi_single, chi_pair);
    assert_true(chi_single < 62 && chi_pair > 80 && chi_pair < 330);
}

/** The exact probability, by products of ratios only. */
static double hypergeometric_pmf(int total, int marked, int draws, int k) {
    double p = 1;
    int white = 0, black = 0; /* draw the k marked ones first, then the others, times the number of orders */
    for (int d = 0; d < draws; d++) {
        if (d < k)
            p *= (double)(marked - white++) / (total - d) * (draws - d) / (k - d);
        else
            p *= (double)(total - marked - black++) / (total - d);
    }
    return p;
}

static void check_hypergeometric(int total, int marked, int draws, uint64_t id) {
    enum { TIMES = 40000 };
    int *seen = calloc((size_t)draws + 1, sizeof *seen), bins = 0;
    for (uint64_t n = 0; n < TIMES; n++) {
        int64_t k = random_hypergeometric(4, RANDOM_STATIC_SPLIT, id, n, total, marked, draws);
        assert_true(k >= 0 && k <= draws && k <= marked && draws - k <= total - marked);
        seen[k]++;
    }
    double chi = 0, rest = 0, rest_seen = 0, sum = 0;
    for (int k = 0; k <= draws; k++) {
        double p = k <= marked && draws - k <= total - marked ? hypergeometric_pmf(total, marked, draws, k) : 0;
        sum += p;
        rest += TIMES * p, rest_seen += seen[k];
        if (rest < 10) continue;
        chi += pow(rest_seen - rest, 2) / rest;
        rest = rest_seen = 0;
        bins++;
    }
    assert_true(fabs(sum - 1) < 1e-9);
    print_message("random_hypergeometric(%d, %d, %d): chi-square %.1f in %d bins\n", total, marked, draws, chi, bins);
    assert_true(chi < bins + 5.5 * sqrt(2.0 * bins) + 10);
    free(seen);
}

static void test_hypergeometric(void **state) {
    (void)state;
    check_hypergeometric(50, 20, 12, 0);
    check_hypergeometric(30, 29, 10, 1);
    check_hypergeometric(10, 5, 5, 2);
    check_hypergeometric(1000, 3, 500, 3);
    check_hypergeometric(4095, 2047, 410, 4);
    check_hypergeometric(3, 1, 2, 5);
    assert_int_equal(random_hypergeometric(4, RANDOM_STATIC_SPLIT, 0, 0, 10, 4, 0), 0);
    assert_int_equal(random_hypergeometric(4, RANDOM_STATIC_SPLIT, 0, 0, 10, 0, 4), 0);
    assert_int_equal(random_hypergeometric(4, RANDOM_STATIC_SPLIT, 0, 0, 10, 10, 4), 4);
    assert_int_equal(random_hypergeometric(4, RANDOM_STATIC_SPLIT, 0, 0, 10, 4, 10), 4);
    double sum = 0, square = 0; /* as large as networks get */
    for (uint64_t n = 0; n < 20000; n++) {
        double k = (double)random_hypergeometric(4, RANDOM_STATIC_SPLIT, 9, n, (int64_t)1 << 30, (int64_t)1 << 29, 65534) - 32767;
        sum += k, square += k * k;
    }
    double variance = 65534 / 4.0 * (1 - 65533 / 0x1p30);
    assert_true(fabs(sum / 20000) < 5 * sqrt(variance / 20000));
    assert_true(fabs(square / 20000 / variance - 1) < 5 * sqrt(2.0 / 20000));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers), cmocka_unit_test(test_scalars), cmocka_unit_test(test_normals), cmocka_unit_test(test_noise_formula),
        cmocka_unit_test(test_polar_single), cmocka_unit_test(test_noise_single), cmocka_unit_test(test_noise_splitting), cmocka_unit_test(test_short),
        cmocka_unit_test(test_bulk), cmocka_unit_test(test_bulk_bits),
        cmocka_unit_test(test_noise_moments), cmocka_unit_test(test_choose), cmocka_unit_test(test_sort), cmocka_unit_test(test_places),
        cmocka_unit_test(test_hypergeometric),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
