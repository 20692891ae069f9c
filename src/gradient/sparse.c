/* Sums lie in registers: of a band in sparse_forward() and sparse_gradient(), of a unit's lanes in sparse_back(). Weights, or slopes, are read from the second
 * cache for each vector that is added, which is what bounds it; bands are so narrow that what is read again stays there. */
#include "engram/sparse.h"

#include <string.h>

#include "engram/lane_sums.h"

enum { PARTS = SPARSE_GROUP / STRIP }; /* vectors of a group */

void sparse_set(const uint16_t *lanes, int units, uint64_t *set) {
    memset(set, 0, (size_t)sparse_words(units) * LANES * sizeof *set);
    for (int j = 0; j < units; j++)
        for (unsigned left = lanes[j]; left; left &= left - 1) set[j / SPARSE_WORD * LANES + __builtin_ctz(left)] |= (uint64_t)1 << j % SPARSE_WORD;
}

/* ---- forwards ---- */

/** A lane's share of the rows that the next word of a set needs: which of them, its bits tell too late. */
static inline void fetch_next(const float *weight, int word, int lane) {
    enum { LINE = 16, SHARE = SPARSE_WORD * SPARSE_BAND / LANES };
    const float *from = weight + (size_t)(word + 1) * SPARSE_WORD * SPARSE_BAND + (size_t)lane * SHARE;
    for (int k = 0; k < SHARE; k += LINE) __builtin_prefetch(from + k, 0, 2);
}

static inline __attribute__((always_inline)) void forward_width(const float *weight, const uint64_t *set, int words, const float *value, float *sum,
                                                                 const int vectors) {
    for (int w = 0; w < words; w++)
        for (int lane = 0; lane < LANES; lane++) {
            reals now[SPARSE_BAND / STRIP];
            uint64_t left = set[w * LANES + lane];
            fetch_next(weight, w, lane);
            if (!left) continue;
            float *to = sum + lane * SPARSE_BAND;
            for (int v = 0; v < vectors; v++) now[v] = reals_at(to + v * STRIP);
            for (; left; left &= left - 1) {
                const size_t unit = (size_t)(w * SPARSE_WORD + __builtin_ctzll(left));
                const float *row = weight + unit * SPARSE_BAND;
                if (value) {
                    const reals x = reals_all(value[unit * LANES + (size_t)lane]);
                    for (int v = 0; v < vectors; v++) now[v] += x * reals_at(row + v * STRIP);
                } else
                    for (int v = 0; v < vectors; v++) now[v] += reals_at(row + v * STRIP);
            }
            for (int v = 0; v < vectors; v++) reals_put(to + v * STRIP, now[v]);
        }
}

void sparse_forward(const float *weight, const uint64_t *set, int words, const float *value, int width, float *sum) {
    memset(sum, 0, LANES * SPARSE_BAND * sizeof *sum);
    switch (width / SPARSE_GROUP) {
    case 4: value ? forward_width(weight, set, words, value, sum, 4 * PARTS) : forward_width(weight, set, words, NULL, sum, 4 * PARTS); return;
    case 3: value ? forward_width(weight, set, words, value, sum, 3 * PARTS) : forward_width(weight, set, words, NULL, sum, 3 * PARTS); return;
    case 2: value ? forward_width(weight, set, words, value, sum, 2 * PARTS) : forward_width(weight, set, words, NULL, sum, 2 * PARTS); return;
    default: value ? forward_width(weight, set, words, value, sum, PARTS) : forward_width(weight, set, words, NULL, sum, PARTS);
    }
}

/* ---- backwards ---- */

void sparse_turn(const float *lines, size_t line_stride, int posts, float *banded, size_t stride) {
    for (int post = 0; post < posts; post++) {
        float *to = banded + (size_t)(post / SPARSE_BAND) * stride + post % SPARSE_BAND;
        for (int lane = 0; lane < LANES; lane++) to[lane * SPARSE_BAND] = lines[(size_t)post * line_stride + (size_t)lane];
    }
}

enum { AT_ONCE = 6 /* lanes whose sums registers hold */, STAY = 4 /* bands whose slopes stay in the first cache */ };

/** Sums of some lanes, from some bands. @param row of the first band @param slope of each lane, the same @param[out] sum [count] */
static inline __attribute__((always_inline)) void back_lanes(const sparse_slopes *s, const float *row, const float *const *slope, int posts, float *sum,
                                                             const int count) {
    reals now[AT_ONCE][PARTS], all[STRIP];
    for (int c = 0; c < count; c++)
        for (int v = 0; v < PARTS; v++) now[c][v] = reals_all(0);
    for (int post = 0; post < posts; post += SPARSE_GROUP) {
        const size_t band = (size_t)(post / SPARSE_BAND), in_band = (size_t)(post % SPARSE_BAND), at = band * s->slope_stride + in_band;
        const float *weight = row + band * s->weight_stride + in_band;
#pragma GCC unroll 2
        for (int v = 0; v < PARTS; v++) {
            const reals w = reals_at(weight + v * STRIP);
#pragma GCC unroll 6
            for (int c = 0; c < count; c++) now[c][v] += w * reals_at(slope[c] + at + v * STRIP);
        }
    }
    for (int c = 0; c < STRIP; c++) all[c] = reals_all(0);
    for (int c = 0; c < count; c++)
        for (int v = 0; v < PARTS; v++) all[c] = v ? all[c] + now[c][v] : now[c][v];
    const reals sums = lane_sums(all);
    for (int c = 0; c < count; c++) sum[c] = sums[c];
}

/** A unit, over some bands. @param slope of the first of them @param[in,out] to [LANES] */
static void back_unit(const sparse_slopes *s, const float *row, const float *slope, int posts, unsigned lanes, float *to) {
    while (lanes) {
        const float *from[AT_ONCE];
        int lane[AT_ONCE], count = 0;
        float sum[AT_ONCE];
        for (; lanes && count < AT_ONCE; lanes &= lanes - 1) lane[count] = __builtin_ctz(lanes), from[count] = slope + lane[count] * SPARSE_BAND, count++;
        switch (count) {
        case 6: back_lanes(s, row, from, posts, sum, 6); break;
        case 5: back_lanes(s, row, from, posts, sum, 5); break;
        case 4: back_lanes(s, row, from, posts, sum, 4); break;
        case 3: back_lanes(s, row, from, posts, sum, 3); break;
        case 2: back_lanes(s, row, from, posts, sum, 2); break;
        default: back_lanes(s, row, from, posts, sum, 1);
        }
        for (int c = 0; c < count; c++) to[lane[c]] += sum[c];
    }
}

void sparse_back(const sparse_slopes *s, const uint16_t *lanes, int units, float *sum) {
    for (int band = 0; band < sparse_bands(s->posts); band += STAY) {
        const int left = s->posts - band * SPARSE_BAND, some = left < STAY * SPARSE_BAND ? left : STAY * SPARSE_BAND;
        const float *row = s->weight + (size_t)band * s->weight_stride, *slope = s->slope + (size_t)band * s->slope_stride;
        for (int j = 0; j < units; j++) back_unit(s, row + j * SPARSE_BAND, slope, some, lanes[j], sum + j * LANES);
    }
}

/* ---- of the weights ---- */

static inline __attribute__((always_inline)) void gradient_width(const float *slope, const uint16_t *place, const float *value, int events, float *sum,
                                                                  const int vectors) {
    reals now[SPARSE_BAND / STRIP];
    for (int v = 0; v < vectors; v++) now[v] = reals_all(0);
    for (int e = 0; e < events; e++) {
        const float *from = slope + (size_t)place[e] * SPARSE_BAND;
        if (value) {
            const reals x = reals_all(value[e]);
            for (int v = 0; v < vectors; v++) now[v] += x * reals_at(from + v * STRIP);
        } else
            for (int v = 0; v < vectors; v++) now[v] += reals_at(from + v * STRIP);
    }
    for (int v = 0; v < vectors; v++) reals_put(sum + v * STRIP, now[v]);
}

void sparse_gradient(const float *slope, const uint16_t *place, const float *value, int events, int width, float *sum) {
    switch (width / SPARSE_GROUP) {
    case 4: value ? gradient_width(slope, place, value, events, sum, 4 * PARTS) : gradient_width(slope, place, NULL, events, sum, 4 * PARTS); return;
    case 3: value ? gradient_width(slope, place, value, events, sum, 3 * PARTS) : gradient_width(slope, place, NULL, events, sum, 3 * PARTS); return;
    case 2: value ? gradient_width(slope, place, value, events, sum, 2 * PARTS) : gradient_width(slope, place, NULL, events, sum, 2 * PARTS); return;
    default: value ? gradient_width(slope, place, value, events, sum, PARTS) : gradient_width(slope, place, NULL, events, sum, PARTS);
    }
}
