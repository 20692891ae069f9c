/* Compiled once for each precision (ENGRAM_SINGLE). Products and sums are fused (this file is compiled so), each element's in the order of its terms, so that
 * it does not matter in which vector, tile or remainder an element is computed. */
#include "distributed_kernel.h"

#include <string.h>

#ifdef ENGRAM_SINGLE
typedef float real;
#define NAME(name) distributed_##name##_single
#else
typedef double real;
#define NAME(name) distributed_##name##_double
#endif

/* Bytes of a vector that a register holds, and vectors of a tile's row, so that registers hold the tile: gcc keeps larger ones in memory. */
#ifdef __AVX512F__
enum { VECTOR = 64, VECTORS = 4 };
#else
enum { VECTOR = 32, VECTORS = 2 };
#endif
enum { LANES = VECTOR / sizeof(real), PICKS = 6, STRIP = VECTORS * LANES, CHUNK = 64 * 256 / sizeof(real), STRETCH = CHUNK };

typedef real lanes __attribute__((vector_size(VECTOR), aligned(VECTOR)));
typedef real loose __attribute__((vector_size(VECTOR), aligned(sizeof(real)))); /* anywhere in memory */

static const real *row_of(const real *rows, int64_t stride, const int32_t *index, int k) {
    return rows + (index ? index[k] : k) * stride;
}

/** to <- to + factor row of some rows, in whole vectors: rows are long streams, @p to stays in the first-level cache. */
#define ADD_ROWS(some)                                                                                                \
    do {                                                                                                              \
        const real *row[some], *ahead[some];                                                                        \
        real times[some];                                                                                            \
        for (int i = 0; i < some; i++) row[i] = row_of(rows, stride, index, k + i), times[i] = factor[k + i];         \
        for (int i = 0; i < some; i++) ahead[i] = k + some + i < count ? row_of(rows, stride, index, k + some + i) : row[i]; \
        for (int64_t c = begin; c < end; c += LANES) {                                                                \
            lanes sum = *(const loose *)(to + c);                                                                     \
            for (int i = 0; i < some; i++) __builtin_prefetch(ahead[i] + c);                                          \
            for (int i = 0; i < some; i++) sum += *(const loose *)(row[i] + c) * times[i];                            \
            *(loose *)(to + c) = sum;                                                                                 \
        }                                                                                                             \
    } while (0)

/** Less than a vector, at the end of the rows: in a vector too, as scalar code would be fused otherwise.
 *  @param whole elements before it @param from, to there */
static void combine_rest(const distributed_rows *added, int64_t whole, size_t bytes, real decay, const real *from, real *to) {
    const real *rows = (const real *)added->row + whole, *factor = added->factor;
    lanes sum = {0}, row = {0};
    memcpy(&sum, from, bytes);
    sum *= decay;
    for (int k = 0; k < added->count; k++) {
        memcpy(&row, row_of(rows, added->stride, added->index, k), bytes);
        sum += row * factor[k];
    }
    memcpy(to, &sum, bytes);
}

void NAME(combine)(int64_t length, real decay, const real *from, const distributed_rows *added, real *to) {
    const real *const rows = added->row, *const factor = added->factor;
    const int32_t *const index = added->index;
    const int64_t stride = added->stride;
    const int count = added->count;
    int64_t whole = length / LANES * LANES;
    if (whole < length) combine_rest(added, whole, (size_t)(length - whole) * sizeof *to, decay, from + whole, to + whole);
    for (int64_t begin = 0; begin < whole; begin += STRETCH) {
        int64_t end = begin + STRETCH < whole ? begin + STRETCH : whole;
        int k = 0;
        for (int64_t c = begin; c < end; c += LANES) *(loose *)(to + c) = *(const loose *)(from + c) * decay;
        for (; k + 8 <= count; k += 8) ADD_ROWS(8);
        for (; k + 4 <= count; k += 4) ADD_ROWS(4);
        for (; k < count; k++) ADD_ROWS(1);
    }
}

/** Columns of @p width elements one behind the other, zero behind @p length: [width elements of all columns], [the next width], ... */
static void pack(int64_t length, const real *columns, int64_t stride, int count, int width, real *packed) {
    for (int64_t begin = 0; begin < length; begin += width, packed += (int64_t)count * width) {
        int here = length - begin < width ? (int)(length - begin) : width;
        for (int m = 0; m < count; m++) {
            memcpy(packed + (int64_t)m * width, columns + m * stride + begin, (size_t)here * sizeof *packed);
            memset(packed + (int64_t)m * width + here, 0, (size_t)(width - here) * sizeof *packed);
        }
    }
}

/** A full tile, PICKS x STRIP, in registers. */
static void subtract_tile(real *tile, int64_t ld, const real *restrict left, const real *restrict right, int count) {
    lanes sum[PICKS][VECTORS];
    for (int a = 0; a < PICKS; a++)
        for (int v = 0; v < VECTORS; v++) sum[a][v] = *(const loose *)(tile + a * ld + v * LANES);
    for (int m = 0; m < count; m++, left += PICKS, right += STRIP)
        for (int a = 0; a < PICKS; a++)
            for (int v = 0; v < VECTORS; v++) sum[a][v] -= *(const lanes *)(right + v * LANES) * left[a];
    for (int a = 0; a < PICKS; a++)
        for (int v = 0; v < VECTORS; v++) *(loose *)(tile + a * ld + v * LANES) = sum[a][v];
}

/** A tile at the border, through a full one. */
static void subtract_part(real *tile, int64_t ld, int picks, int width, const real *restrict left, const real *restrict right, int count) {
    real whole[PICKS * STRIP] __attribute__((aligned(64))) = {0};
    for (int a = 0; a < picks; a++) memcpy(whole + a * STRIP, tile + a * ld, (size_t)width * sizeof *tile);
    subtract_tile(whole, STRIP, left, right, count);
    for (int a = 0; a < picks; a++) memcpy(tile + a * ld, whole + a * STRIP, (size_t)width * sizeof *tile);
}

static int64_t rounded(int64_t length, int64_t width) {
    return (length + width - 1) / width * width;
}

void NAME(subtract)(const distributed_product *product, real *scratch) {
    const int64_t length = product->length, picks = product->picks, ld = product->ld;
    const int count = product->count;
    real *matrix = product->matrix;
    real *rights = scratch, *lefts = scratch + rounded(length, STRIP) * count;
    pack(length, product->right, product->right_stride, count, STRIP, rights);
    pack(picks, product->left, product->left_stride, count, PICKS, lefts);
    for (int64_t chunk = 0; chunk < length; chunk += CHUNK) /* the right sides of a chunk stay in the second-level cache */
        for (int64_t a = 0; a < picks; a += PICKS)
            for (int64_t c = chunk; c < length && c < chunk + CHUNK; c += STRIP) {
                real *tile = matrix + a * ld + c;
                const real *l = lefts + a * count, *r = rights + c * count;
                if (picks - a >= PICKS && length - c >= STRIP)
                    subtract_tile(tile, ld, l, r, count);
                else
                    subtract_part(tile, ld, picks - a < PICKS ? (int)(picks - a) : PICKS, length - c < STRIP ? (int)(length - c) : STRIP, l, r, count);
            }
}

double NAME(dot)(int64_t length, const real *a, const real *b) {
    enum { SUMS = 8 };
    double sum[SUMS] = {0}, all = 0;
    int64_t c = 0;
    for (; c + SUMS <= length; c += SUMS)
        for (int s = 0; s < SUMS; s++) sum[s] += (double)a[c + s] * (double)b[c + s];
    for (; c < length; c++) sum[0] += (double)a[c] * (double)b[c];
    for (int s = 0; s < SUMS; s++) all += sum[s];
    return all;
}

#ifndef ENGRAM_SINGLE
int64_t distributed_scratch(int64_t length, int64_t picks, int count) {
    enum { LARGEST_STRIP = 4 * 16 };
    return (rounded(length, LARGEST_STRIP) + rounded(picks, PICKS)) * count;
}
#endif
