/* Where the time goes: everything else is a vector operation or two a neuron and step. Sums run over columns, or over steps, in their order; those over lanes
 * as a tree. */
#include "engram/lane_sums.h"
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
    const reals sums = lane_sums(sum[0]);
    for (int r = 0; r < CELLS; r++)
        for (int c = 0; c < ABREAST; c++) o->gradient[(size_t)(row + r) * (size_t)o->gradient_stride + (size_t)(column + c)] += sums[r * ABREAST + c];
}

void add_outer(const outer *o, int rows_from, int rows_to, int columns_from, int columns_to) {
    for (int row = rows_from; row < rows_to; row += CELLS)
        for (int column = columns_from; column < columns_to; column += ABREAST) add_cells(o, row, column);
}
