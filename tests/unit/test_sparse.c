/* Products of full matrices with what is sparse against the sums as they are written, in double: several bands, the last of which is narrow; several words. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engram/random.h"
#include "engram/sparse.h"

enum { SEED = 11, UNITS = 131, PLACES = 70, POSTS_MOST = 5 * SPARSE_BAND };
static const double CLOSE = 1e-5;

static float draw(int what, int a, int b) {
    return (float)random_normal(SEED, RANDOM_WEIGHT, (uint64_t)(what << 20 | a), (uint64_t)b);
}

typedef struct {
    int posts;
    float *weight;              /* of sparse.h */
    uint16_t lanes[UNITS];
    float value[UNITS * LANES]; /* [unit][lane] */
} bench;

static bench *open_bench(int posts) {
    bench *b = calloc(1, sizeof *b);
    b->posts = posts, b->weight = calloc(sparse_floats(UNITS, posts), sizeof *b->weight);
    for (int j = 0; j < UNITS; j++) {
        for (int post = 0; post < posts; post++) b->weight[sparse_at(UNITS, j, post)] = draw(1, j, post);
        for (int lane = 0; lane < LANES; lane++) {
            b->value[j * LANES + lane] = draw(2, j, lane);
            if (j % 7 && (lane < j % (LANES + 1) || draw(3, j, lane) > 1)) b->lanes[j] |= (uint16_t)(1u << lane); /* from none to all */
        }
    }
    return b;
}

static void close_bench(bench *b) {
    free(b->weight), free(b);
}

static bool has(const bench *b, int unit, int lane) {
    return b->lanes[unit] >> lane & 1;
}

static void check_forward(const bench *b, bool valued) {
    uint64_t set[LANES * 3];
    float sum[LANES * SPARSE_BAND];
    assert_int_equal(sparse_words(UNITS), 3);
    sparse_set(b->lanes, UNITS, set);
    for (int band = 0; band < sparse_bands(b->posts); band++) {
        const int at = band * SPARSE_BAND, width = sparse_width(b->posts, band);
        sparse_forward(b->weight + sparse_at(UNITS, 0, at), set, sparse_words(UNITS), valued ? b->value : NULL, width, sum);
        for (int lane = 0; lane < LANES; lane++)
            for (int p = 0; p < width; p++) {
                double wanted = 0;
                for (int j = 0; j < UNITS; j++)
                    if (has(b, j, lane)) wanted += (double)b->weight[sparse_at(UNITS, j, at + p)] * (valued ? b->value[j * LANES + lane] : 1);
                assert_true(fabs(sum[lane * SPARSE_BAND + p] - wanted) < CLOSE * sqrt(UNITS));
            }
    }
}

static void check_back(const bench *b) {
    static float lines[POSTS_MOST * LANES], banded[(POSTS_MOST / SPARSE_BAND) * LANES * SPARSE_BAND];
    static float sum[UNITS * LANES];
    for (int post = 0; post < b->posts; post++)
        for (int lane = 0; lane < LANES; lane++) lines[post * LANES + lane] = draw(4, post, lane);
    for (int k = 0; k < UNITS * LANES; k++) sum[k] = 1;
    sparse_turn(lines, LANES, b->posts, banded, LANES * SPARSE_BAND);
    const sparse_slopes slopes = {.weight = b->weight, .weight_stride = UNITS * SPARSE_BAND, .slope = banded, .slope_stride = LANES * SPARSE_BAND,
                                  .posts = b->posts};
    sparse_back(&slopes, b->lanes, UNITS, sum);
    for (int j = 0; j < UNITS; j++)
        for (int lane = 0; lane < LANES; lane++) {
            double wanted = 1;
            for (int post = 0; post < b->posts && has(b, j, lane); post++) wanted += (double)b->weight[sparse_at(UNITS, j, post)] * lines[post * LANES + lane];
            assert_true(fabs(sum[j * LANES + lane] - wanted) < CLOSE * sqrt(b->posts));
        }
}

static void check_gradient(int width, bool valued) {
    static float slope[PLACES * SPARSE_BAND];
    uint16_t place[UNITS];
    float value[UNITS], sum[SPARSE_BAND];
    for (int k = 0; k < PLACES * SPARSE_BAND; k++) slope[k] = draw(5, k, 0);
    for (int e = 0; e < UNITS; e++) place[e] = (uint16_t)(e * 31 % PLACES), value[e] = draw(6, e, 0);
    sparse_gradient(slope, place, valued ? value : NULL, UNITS, width, sum);
    for (int p = 0; p < width; p++) {
        double wanted = 0;
        for (int e = 0; e < UNITS; e++) wanted += (double)slope[place[e] * SPARSE_BAND + p] * (valued ? value[e] : 1);
        assert_true(fabs(sum[p] - wanted) < CLOSE * sqrt(UNITS));
    }
}

static void test_products(void **state) {
    static const int posts[] = {16, 32, 48, 64, 80, 5 * SPARSE_BAND};
    (void)state;
    for (size_t k = 0; k < sizeof posts / sizeof *posts; k++) {
        bench *b = open_bench(posts[k]);
        for (int valued = 0; valued < 2; valued++) check_forward(b, valued), check_gradient(sparse_width(posts[k], 0), valued);
        check_back(b);
        close_bench(b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_products)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
