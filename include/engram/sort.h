/** @file sort.h
 *  Integers in ascending order. Nothing is collective.
 */
#ifndef ENGRAM_SORT_H
#define ENGRAM_SORT_H

#include <stdint.h>

/** @param[in,out] values [count], none below 0 */
void sort_integers(int64_t *values, int count);

#endif
