/* Where the memory is, as a table in the log. */
#ifndef ENGRAM_MEMORY_REPORT_H
#define ENGRAM_MEMORY_REPORT_H

#include "engram/context.h"

/** Print every memory figure, in MiB: the sum over ranks, and the largest of a rank. Collective. @param when "at start" */
void memory_report(const context *context, const char *when);

#endif
