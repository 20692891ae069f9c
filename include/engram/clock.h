/** @file clock.h
 *  Wall time. Nothing here is collective.
 */
#ifndef ENGRAM_CLOCK_H
#define ENGRAM_CLOCK_H

#include <stddef.h>

/** Wall clock, s; only differences mean something. */
double clock_seconds(void);

/** "1h05m", "2m07s", "9s". */
void clock_format(double seconds, char *text, size_t size);

#endif
