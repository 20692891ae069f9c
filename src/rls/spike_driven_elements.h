/* Elements of P and of columns, in a precision: what they are stored as, what they are computed in, and where they are.
 * A part of spike_driven_kernel.c, compiled once for each precision. */
#ifndef ENGRAM_SPIKE_DRIVEN_ELEMENTS_H
#define ENGRAM_SPIKE_DRIVEN_ELEMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spike_driven.h"

#if defined ENGRAM_HALF
#ifdef __F16C__
#include <immintrin.h>
#else
#include "half.h"
#endif
typedef float real;
typedef uint16_t stored; /* IEEE 754 binary16 */
typedef hit_single hit;
#define KERNEL spike_driven_half
#elif defined ENGRAM_SINGLE
typedef float real, stored;
typedef hit_single hit;
#define KERNEL spike_driven_single
#else
typedef double real, stored;
typedef hit_double hit;
#define KERNEL spike_driven_double
#endif

/* Bytes of a vector: of registers that the processor has, as gcc keeps larger ones in memory, and so many elements square fit in its registers. No sum runs
 * over lanes: results do not depend on it.
 * WIDE: squares side by side of which the flush has TILE_ROWS rows in registers at a time. Where a vector times an element of memory is one instruction, and
 * there are 32 registers, a square is as good. */
#ifdef __AVX512F__
#define VECTOR 64
#define WIDE 1
#else
#define VECTOR 32
#define WIDE 3
#endif
enum { LANES = VECTOR / sizeof(real), TILE_ROWS = 4 };

typedef real lanes __attribute__((vector_size(VECTOR), aligned(VECTOR)));

/* ---- elements of P ---- */

#ifdef ENGRAM_HALF
static inline lanes load_p(const stored *from) {
#if defined __AVX512F__
    return (lanes)_mm512_cvtph_ps(_mm256_load_si256((const __m256i *)from));
#elif defined __F16C__
    return (lanes)_mm256_cvtph_ps(_mm_load_si128((const __m128i *)from));
#else
    lanes values;
    for (int i = 0; i < LANES; i++) values[i] = half_value(from[i]);
    return values;
#endif
}

/** Rounds to nearest, ties to even. */
static inline void store_p(stored *to, lanes values) {
#if defined __AVX512F__
    _mm256_store_si256((__m256i *)to, _mm512_cvtps_ph((__m512)values, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
#elif defined __F16C__
    _mm_store_si128((__m128i *)to, _mm256_cvtps_ph((__m256)values, _MM_FROUND_TO_NEAREST_INT));
#else
    for (int i = 0; i < LANES; i++) to[i] = half_nearest(values[i]);
#endif
}

static inline real load_one(stored from) {
#ifdef __F16C__
    return _cvtsh_ss(from);
#else
    return half_value(from);
#endif
}

static inline stored stored_of(real value) {
#ifdef __F16C__
    return _cvtss_sh(value, _MM_FROUND_TO_NEAREST_INT);
#else
    return half_nearest(value);
#endif
}
#else
static inline real load_one(stored from) {
    return from;
}

static inline stored stored_of(real value) {
    return value;
}

static inline lanes load_p(const stored *from) {
    return *(const lanes *)from;
}

static inline void store_p(stored *to, lanes values) {
    *(lanes *)to = values;
}
#endif

/* An element of the diagonal of P keeps its digits however small it becomes: down to half of I/lambda what it departs from that is stored, which is at most 0,
 * below half of it the element itself, which is above 0. So the sign of what is stored says which of the two it is. Only half precision needs it;
 * others store P. */

/** Whether an element of the diagonal is stored as what it departs from I/lambda. */
static inline bool departs(const stored *diagonal) {
#ifdef ENGRAM_HALF
    return (uint16_t)(*diagonal - 1) >= 0x7fff; /* 0, or negative */
#else
    (void)diagonal;
    return false;
#endif
}

/** A group's arrays. */
typedef struct { int group, sources, ld; const stored *p; real *factor; } view;

static view view_of(const rls_store *store, int group) {
    const plastic_synapses *plastic = store->plastic;
    return (view){group,
                  (int)(plastic->group_start[group + 1] - plastic->group_start[group]),
                  (int)store->ld[group],
                  (const stored *)store->p + store->p_base[group],
                  (real *)store->factor + (int64_t)group * store->factors};
}

/** A group's column that waits. */
static inline stored *column_of(const rls_store *store, int group, int m) {
    return (stored *)store->waiting + (int64_t)m * store->waiting_base[store->plastic->groups] + store->waiting_base[group];
}

/** Where k of an instant goes that is to be column @p m: the column itself, unless that is rounded. */
static inline real *place_of(const rls_store *store, int group, int m) {
#ifdef ENGRAM_HALF
    (void)m;
    return (real *)store->latest + store->waiting_base[group];
#else
    return column_of(store, group, m);
#endif
}

/** An element of I/lambda. */
static double ridge_of(const rls_store *store, int group, int64_t a) {
    return 1 / (store->plastic->source[store->plastic->group_start[group] + a] < store->plastic->neurons ? store->settings.lambda
                                                                                                         : store->settings.lambda_feedforward);
}

/** What P has on its diagonal besides what is stored. */
static double diagonal_of(const rls_store *store, int group, int64_t a) {
    const stored *p = (const stored *)store->p + store->p_base[group];
    return departs(p + a * store->ld[group] + a) ? ridge_of(store, group, a) : 0;
}

/** Ask for memory that will be needed soon, into the second cache: there is more of it than the first has room for, and than it can ask for at a time.
 *  Inlined by force: gcc takes a function that only asks for one without effect and drops its calls. */
static inline __attribute__((always_inline)) void ask_for(const void *from, int64_t bytes) {
    for (const char *line = from, *end = line + bytes; line < end; line += 64) __builtin_prefetch(line, 0, 1);
}

#endif
