#include "engram/sort.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { FEW = 64, MANY = 1024, BITS = 8, DIGITS = 1 << BITS };

/** A value's place is the number of those that come before: no branches, and vector code. */
static void sort_few(int64_t *values, int count) {
    int64_t given[FEW];
    memcpy(given, values, (size_t)count * sizeof *values);
    for (int k = 0; k < count; k++) {
        int64_t before = 0;
        for (int i = 0; i < k; i++) before += given[i] <= given[k];
        for (int i = k; i < count; i++) before += given[i] < given[k];
        values[before] = given[k];
    }
}

/** By the digit at @p shift, those of the same as they were. @return false: all have the same, and nothing was done */
static bool sort_digit(const int64_t *restrict from, int64_t *restrict to, int count, int shift) {
    int next[DIGITS] = {0};
    for (int k = 0; k < count; k++) next[from[k] >> shift & (DIGITS - 1)]++;
    if (next[from[0] >> shift & (DIGITS - 1)] == count) return false;
    for (int d = 0, sum = 0, here; d < DIGITS; d++, sum += here) here = next[d], next[d] = sum;
    for (int k = 0; k < count; k++) to[next[from[k] >> shift & (DIGITS - 1)]++] = from[k];
    return true;
}

void sort_integers(int64_t *values, int count) {
    int64_t some[MANY], highest = 0;
    if (count <= FEW) {
        sort_few(values, count);
        return;
    }
    int64_t *other = count <= MANY ? some : malloc((size_t)count * sizeof *other), *from = values, *to = other;
    if (!other) abort();
    for (int k = 0; k < count; k++) highest |= values[k];
    for (int shift = 0; shift < 63 && highest >> shift; shift += BITS)
        if (sort_digit(from, to, count, shift)) {
            int64_t *const swapped = from;
            from = to, to = swapped;
        }
    if (from != values) memcpy(values, from, (size_t)count * sizeof *values);
    if (other != some) free(other);
}
