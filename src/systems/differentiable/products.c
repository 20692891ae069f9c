/* Where the time goes: everything else is a vector operation or two a neuron and step. Sums run over columns, or over steps, in their order; those over lanes
 * as a tree. */
#include "products.h"

#ifdef __AVX__
enum { SIDE_BY_SIDE = 8 }; /* rows that registers hold */
#else
enum { SIDE_BY_SIDE = 2 };
#endif

/** In a strip of the lanes. */
static inline __attribute__((always_inline)) void rows_of_product(const float *pack, int columns, const float *x, float *y, int rows) {
    reals sum[SIDE_BY_SIDE];
    for (int r = 0; r < rows; r++) sum[r] = reals_at(y + r * LANES);
    for (int c = 0; c < columns; c++) {
        const reals value = reals_at(x + (size_t)c * LANES);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) sum[r] += pack[c * ROWS + r] * value;
    }
    for (int r = 0; r < rows; r++) reals_put(y + r * LANES, sum[r]);
}

void add_product(const float *pack, int groups, int columns, const float *x, float *y) {
    for (int g = 0; g < groups; g++)
        for (int r = 0; r < ROWS; r += SIDE_BY_SIDE)
            EACH_STRIP(l) rows_of_product(pack + (size_t)g * (size_t)columns * ROWS + r, columns, x + l, y + (g * ROWS + r) * LANES + l, SIDE_BY_SIDE);
}

/* Half of the lanes of one vector and half of another: of blocks of 8, 4, 2 or 1 lanes those that come first, and those that come second. */
#if STRIP_LANES == 16
#define FIRST_8(x, y) __builtin_shufflevector(x, y, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23)
#define SECOND_8(x, y) __builtin_shufflevector(x, y, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31)
#define FIRST_4(x, y) __builtin_shufflevector(x, y, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27)
#define SECOND_4(x, y) __builtin_shufflevector(x, y, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31)
#define FIRST_2(x, y) __builtin_shufflevector(x, y, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
#define SECOND_2(x, y) __builtin_shufflevector(x, y, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31)
#define FIRST_1(x, y) __builtin_shufflevector(x, y, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30)
#define SECOND_1(x, y) __builtin_shufflevector(x, y, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31)
#else
#define FIRST_4(x, y) __builtin_shufflevector(x, y, 0, 1, 2, 3, 8, 9, 10, 11)
#define SECOND_4(x, y) __builtin_shufflevector(x, y, 4, 5, 6, 7, 12, 13, 14, 15)
#define FIRST_2(x, y) __builtin_shufflevector(x, y, 0, 1, 8, 9, 4, 5, 12, 13)
#define SECOND_2(x, y) __builtin_shufflevector(x, y, 2, 3, 10, 11, 6, 7, 14, 15)
#define FIRST_1(x, y) __builtin_shufflevector(x, y, 0, 8, 2, 10, 4, 12, 6, 14)
#define SECOND_1(x, y) __builtin_shufflevector(x, y, 1, 9, 3, 11, 5, 13, 7, 15)
#endif

/** Sums over the lanes of STRIP vectors of STRIP lanes, that of vector k in lane k: in each round halves of pairs are added. */
static inline reals sums_of(const reals *v) {
    reals four[4], two[2];
#if STRIP_LANES == 16
    reals eight[8];
    for (int k = 0; k < 8; k++) eight[k] = FIRST_8(v[k], v[k + 8]) + SECOND_8(v[k], v[k + 8]);
#else
    const reals *eight = v;
#endif
    for (int k = 0; k < 4; k++) four[k] = FIRST_4(eight[k], eight[k + 4]) + SECOND_4(eight[k], eight[k + 4]);
    for (int k = 0; k < 2; k++) two[k] = FIRST_2(four[k], four[k + 2]) + SECOND_2(four[k], four[k + 2]);
    return FIRST_1(two[0], two[1]) + SECOND_1(two[0], two[1]);
}

/* Of CELLS rows as many columns as make STRIP sums, which registers hold. */
enum { ABREAST = STRIP / CELLS };

/** Their sums over steps, in a strip of the lanes. */
static inline __attribute__((always_inline)) void sum_products(const outer *o, const float *slopes, const float *sources, reals *sum) {
    for (int k = 0; k < STRIP; k++) sum[k] = reals_all(0);
    for (int step = 0; step < o->steps; step++) {
        reals slope[CELLS];
        for (int r = 0; r < CELLS; r++) slope[r] = reals_at(slopes + r * LANES);
#pragma GCC unroll 4
        for (int c = 0; c < ABREAST; c++) {
            const reals source = reals_at(sources + c * LANES);
#pragma GCC unroll 4
            for (int r = 0; r < CELLS; r++) sum[r * ABREAST + c] += slope[r] * source;
        }
        slopes += (size_t)o->slope_stride * LANES, sources += (size_t)o->source_stride * LANES;
    }
}

static inline void add_cells(const outer *o, int row, int column) {
    reals sum[STRIPS][STRIP];
    EACH_STRIP(l) sum_products(o, o->slopes + row * LANES + l, o->sources + column * LANES + l, sum[l / STRIP]);
    for (int strip = 1; strip < STRIPS; strip++)
        for (int k = 0; k < STRIP; k++) sum[0][k] += sum[strip][k];
    const reals sums = sums_of(sum[0]);
    for (int r = 0; r < CELLS; r++)
        for (int c = 0; c < ABREAST; c++) o->gradient[(size_t)(row + r) * (size_t)o->gradient_stride + (size_t)(column + c)] += sums[r * ABREAST + c];
}

void add_outer(const outer *o, int rows_from, int rows_to, int columns_from, int columns_to) {
    for (int row = rows_from; row < rows_to; row += CELLS)
        for (int column = columns_from; column < columns_to; column += ABREAST) add_cells(o, row, column);
}
