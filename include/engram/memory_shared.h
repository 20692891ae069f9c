/** @file memory_shared.h
 *  Counting memory that ranks of a node share and that MPI made: a rank has touched the pages of all, and answers for some of them.
 */
#ifndef ENGRAM_MEMORY_SHARED_H
#define ENGRAM_MEMORY_SHARED_H

#include "engram/memory.h"

/** Count shared memory: @p mine bytes of it are this rank's, of @p category; the @p whole, whose pages this rank has touched, is no longer counted as
 *  MEMORY_LIBRARIES. Negative numbers take back what was counted. Not collective. */
void memory_count_shared(memory_category category, int64_t mine, int64_t whole);

#endif
