/* The flush: P without what the columns that wait take from it.
 * A part of spike_driven_kernel.c, compiled once for each precision. */
#ifndef ENGRAM_SPIKE_DRIVEN_FLUSH_H
#define ENGRAM_SPIKE_DRIVEN_FLUSH_H

#include <math.h>

#include "spike_driven_elements.h"

/** Of two rows that stand w apart: squares of w x w elements off the diagonal change places. Choices: elements of the second row count from LANES. */
#define EXCHANGE(w, first, second)                                              \
    for (int i = 0; i < LANES; i++)                                             \
        if (!(i & (w))) {                                                       \
            lanes x = square[i], y = square[i + (w)];                           \
            square[i] = __builtin_shufflevector(x, y, CHOICE first);            \
            square[i + (w)] = __builtin_shufflevector(x, y, CHOICE second);     \
        }
#define CHOICE(...) __VA_ARGS__

static inline __attribute__((always_inline)) void transpose(lanes *square) {
#if VECTOR == 64 && (defined ENGRAM_HALF || defined ENGRAM_SINGLE)
#pragma GCC unroll 16
    EXCHANGE(8, (0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23), (8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31))
#pragma GCC unroll 16
    EXCHANGE(4, (0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27), (4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31))
#pragma GCC unroll 16
    EXCHANGE(2, (0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29), (2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31))
#pragma GCC unroll 16
    EXCHANGE(1, (0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30), (1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31))
#elif VECTOR == 64 || defined ENGRAM_HALF || defined ENGRAM_SINGLE
#pragma GCC unroll 8
    EXCHANGE(4, (0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15))
#pragma GCC unroll 8
    EXCHANGE(2, (0, 1, 8, 9, 4, 5, 12, 13), (2, 3, 10, 11, 6, 7, 14, 15))
#pragma GCC unroll 8
    EXCHANGE(1, (0, 8, 2, 10, 4, 12, 6, 14), (1, 9, 3, 11, 5, 13, 7, 15))
#else
#pragma GCC unroll 4
    EXCHANGE(2, (0, 1, 4, 5), (2, 3, 6, 7))
#pragma GCC unroll 4
    EXCHANGE(1, (0, 4, 2, 6), (1, 5, 3, 7))
#endif
}

/** Subtract q q' from a square of P, in registers. @param across, down what the columns have at its columns and at its rows, LANES of each column */
static inline __attribute__((always_inline)) void subtract(lanes *square, const real *restrict across, const real *restrict down, int pending) {
    for (int m = 0; m < pending; m++, across += LANES, down += LANES) {
        const lanes row = *(const lanes *)across;
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++) square[i] -= row * down[i];
    }
}

static inline __attribute__((always_inline)) void load(lanes *square, const stored *p, int64_t ld) {
#pragma GCC unroll 16
    for (int i = 0; i < LANES; i++) square[i] = load_p(p + i * ld);
}

static inline __attribute__((always_inline)) void store(const lanes *square, stored *p, int64_t ld) {
#pragma GCC unroll 16
    for (int i = 0; i < LANES; i++) store_p(p + i * ld, square[i]);
}

/** To the mirror image of a square, of which @p rows exist. @param to its first element */
static inline __attribute__((always_inline)) void store_mirrored(lanes *square, stored *to, int64_t ld, int rows) {
    transpose(square);
    if (rows == LANES)
        store(square, to, ld);
    else
        for (int i = 0; i < rows; i++) store_p(to + i * ld, square[i]);
}

/** A group's P and what is subtracted from it: [(ld/LANES)][pending][LANES]. */
typedef struct {
    int64_t ld, sources;
    stored *p;
    const real *q;
    int pending;
} difference;

static inline int rows_of_square(const difference *of, int64_t at) {
    return of->sources - at < LANES ? (int)(of->sources - at) : LANES;
}

/** The square at row @p a, column @p c > a, and its mirror image. */
static void subtract_beside(const difference *of, int64_t a, int64_t c) {
    lanes square[LANES];
    load(square, of->p + a * of->ld + c, of->ld);
    subtract(square, of->q + c * of->pending, of->q + a * of->pending, of->pending);
    store(square, of->p + a * of->ld + c, of->ld);
    store_mirrored(square, of->p + c * of->ld + a, of->ld, rows_of_square(of, c));
}

#if WIDE > 1
/** Compilers would read a vector that is used several times from memory each time, and then loads take longer than products. */
static inline __attribute__((always_inline)) lanes in_register(lanes vector) {
#ifdef __AVX__
    __asm__("" : "+x"(vector));
#endif
    return vector;
}

/** Subtract q q' from TILE_ROWS rows, from row @p a on, of @p squares squares side by side, from column @p c on. */
static inline __attribute__((always_inline)) void subtract_tile(const difference *of, int64_t a, int64_t c, int squares) {
    const int64_t ld = of->ld, stride = (int64_t)of->pending * LANES;
    stored *restrict p = of->p + a * ld + c;
    const real *restrict across = of->q + c * of->pending, *restrict down = of->q + a / LANES * stride + a % LANES;
    lanes tile[WIDE][TILE_ROWS];
#pragma GCC unroll 4
    for (int s = 0; s < squares; s++)
#pragma GCC unroll 4
        for (int i = 0; i < TILE_ROWS; i++) tile[s][i] = load_p(p + i * ld + s * LANES);
    for (int m = of->pending; m > 0; m--, across += LANES, down += LANES) {
        lanes row[WIDE];
#pragma GCC unroll 4
        for (int s = 0; s < squares; s++) row[s] = in_register(*(const lanes *)(across + s * stride));
#pragma GCC unroll 4
        for (int i = 0; i < TILE_ROWS; i++)
#pragma GCC unroll 4
            for (int s = 0; s < squares; s++) tile[s][i] -= row[s] * down[i];
    }
#pragma GCC unroll 4
    for (int s = 0; s < squares; s++)
#pragma GCC unroll 4
        for (int i = 0; i < TILE_ROWS; i++) store_p(p + i * ld + s * LANES, tile[s][i]);
}

/** As subtract_beside(), @p squares squares side by side. */
static inline __attribute__((always_inline)) void subtract_wide(const difference *of, int64_t a, int64_t c, int squares) {
    for (int i = 0; i < LANES; i += TILE_ROWS) subtract_tile(of, a + i, c, squares);
    for (int s = 0; s < squares; s++, c += LANES) {
        lanes square[LANES];
        load(square, of->p + a * of->ld + c, of->ld);
        store_mirrored(square, of->p + c * of->ld + a, of->ld, rows_of_square(of, c));
    }
}
#endif

/** New elements of the diagonal, in @p square and before they are rounded: once one has fallen below half of I/lambda it is stored itself.
 *  One that is not above 0 cannot be: that is remembered, and the smallest there is stands for it. @param p the square's first element as it was
 *  @param a its row in the group */
static void keep_diagonal(rls_store *restrict store, int group, lanes *square, const stored *restrict p, int64_t a, int rows) {
    const int64_t ld = store->ld[group];
    for (int i = 0; i < rows; i++) {
        const bool departed = departs(p + i * ld + i);
        const real whole = departed ? (real)(ridge_of(store, group, a + i) / store->unit) : 0, now = square[i][i] + whole;
        if (departed && now >= whole / 2) continue;
        if (!(now > 0) && !store->lost) store->lost = store->plastic->group_row[group] + 1;
        square[i][i] = now > 0x1p-24f ? now : (real)0x1p-24;
    }
}

/** The square on the diagonal at @p a. */
static void subtract_on_diagonal(rls_store *restrict store, int group, const difference *of, int64_t a) {
    const int rows = rows_of_square(of, a);
    stored *p = of->p + a * of->ld + a;
    lanes square[LANES];
    if (rows == LANES)
        load(square, p, of->ld);
    else
        for (int i = 0; i < LANES; i++) square[i] = load_p(p + (i < rows ? i : 0) * of->ld); /* there is no memory behind P */
    subtract(square, of->q + a * of->pending, of->q + a * of->pending, of->pending);
    if (store->departing) keep_diagonal(store, group, square, p, a, rows);
    for (int i = 0; i < rows; i++) store_p(p + i * of->ld, square[i]);
}

/** Where a P is too large to be asked for ahead: the squares below @p squares squares at row @p a, column @p c, and the mirror images of those that follow. */
static inline __attribute__((always_inline)) void ask_for_squares(const difference *of, int64_t a, int64_t c, int64_t squares) {
    const int64_t width = squares * LANES, beyond = c + 2 * width < of->sources ? c + 2 * width : of->sources;
    for (int64_t i = c + width; i < beyond; i++) ask_for(of->p + i * of->ld + a, LANES * (int64_t)sizeof(stored));
    for (int64_t i = a + LANES; i < a + 2 * LANES && i < of->sources; i++) ask_for(of->p + i * of->ld + c, width * (int64_t)sizeof(stored));
}

/** P <- P - q q': squares on and above the diagonal, and their mirror images. @param next what is asked for meanwhile, a piece with each square; NULL: what
 *  comes of this P */
static void subtract_products(rls_store *store, int group, const difference *of, const char *next, int64_t next_bytes) {
    const int64_t all = (of->sources + LANES - 1) / LANES, piece = next_bytes / (all * (all + 1) / 2) / 64 * 64 + 64;
    const char *end = next ? next + next_bytes : NULL;
    for (int64_t a = 0; a < of->sources; a += LANES)
        for (int64_t c = a, squares; c < of->sources; c += squares * LANES) {
            const int64_t left = (of->sources - c + LANES - 1) / LANES;
            squares = c == a ? 1 : left < WIDE ? left : WIDE;
            if (next) {
                const int64_t here = squares * piece < end - next ? squares * piece : end - next;
                ask_for(next, here);
                next += here;
            } else {
                ask_for_squares(of, a, c, squares);
            }
            if (c == a) subtract_on_diagonal(store, group, of, a);
            else if (squares == 1) subtract_beside(of, a, c);
#if WIDE > 1
            else if (squares == 2) subtract_wide(of, a, c, 2);
            else subtract_wide(of, a, c, WIDE);
#endif
        }
}

/** The first @p pending columns of a group, with the root of their factors, in the units of P, laid out as they are used again and again: LANES elements of
 *  each of them, then the next LANES. @param next the group whose columns are asked for meanwhile, or -1 */
static void collect_columns(const rls_store *store, const view *group, int pending, real *restrict q, int next) {
    for (int m = 0; m < pending; m++) {
        const real root = (real)sqrt((double)group->factor[m] / store->unit);
        const stored *column = column_of(store, group->group, m);
        if (next >= 0) ask_for(column_of(store, next, m), store->ld[next] * (int64_t)sizeof(stored));
        for (int64_t at = 0; at < group->ld; at += LANES) *(lanes *)(q + at * pending + m * LANES) = load_p(column + at) * root;
    }
}

/** P <- P - sum of factor k k' over the first @p pending columns, of one group; what the next one needs for that is asked for meanwhile. */
static void flush_group(rls_store *store, const view *group, int pending) {
    enum { FITS = 300 << 10 }; /* bytes: a P of this size is in the second cache by the time it is wanted */
    const int g = group->group;
    if (group->sources == 0) return; /* a neuron without plastic inputs */
    stored *p = (stored *)store->p + store->p_base[g];
    const int64_t next_bytes = g + 1 < store->plastic->groups ? (store->p_base[g + 2] - store->p_base[g + 1]) * (int64_t)sizeof(stored) : 0;
    const bool fits = next_bytes > 0 && next_bytes <= FITS;
    const difference of = {.ld = group->ld, .sources = group->sources, .p = p, .q = store->scratch, .pending = pending};
    collect_columns(store, group, pending, store->scratch, fits ? g + 1 : -1);
    subtract_products(store, g, &of, fits ? (const char *)((stored *)store->p + store->p_base[g + 1]) : NULL, fits ? next_bytes : 0);
}

static void flush(rls_store *store) {
    for (int g = 0; g < store->plastic->groups && store->pending; g++) {
        const view group = view_of(store, g);
        flush_group(store, &group, store->pending);
    }
    store->pending = 0;
}

#endif
