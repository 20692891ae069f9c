/** @file clock.h
 *  Wall time, and that of the processor. Nothing here is collective.
 */
#ifndef ENGRAM_CLOCK_H
#define ENGRAM_CLOCK_H

#include <stddef.h>

/** Wall clock, s; only differences mean something. */
double clock_seconds(void);

/** Processor time of this process, s: what other processes take of the machine does not count. */
double clock_processor_seconds(void);

/** "1h05m", "2m07s", "9s". */
void clock_format(double seconds, char *text, size_t size);

#endif
