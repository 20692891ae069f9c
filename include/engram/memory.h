/** @file memory.h
 *  Counted, 64-byte aligned allocation, by category, so that a run can say where its memory is.
 */
#ifndef ENGRAM_MEMORY_H
#define ENGRAM_MEMORY_H

#include <stddef.h>
#include <stdint.h>

typedef enum {
    MEMORY_P,       /**< inverse correlation matrices and their pending columns */
    MEMORY_WEIGHTS, /**< plastic weights and their indices */
    MEMORY_STATIC,  /**< static synapses */
    MEMORY_STATE,   /**< neurons, filters, drive */
    MEMORY_TARGETS, /**< targets and stimuli */
    MEMORY_BUFFERS, /**< exchange and scratch */
    MEMORY_OUTPUT,  /**< recorded data waiting to be written */
    MEMORY_CATEGORIES,
} memory_category;

/** Allocate @p count * @p size bytes, zeroed, 64-byte aligned. Not collective.
 *  count = 0 gives a valid pointer. Failure (or overflow) aborts the job naming category and size.
 *  @return owned by the caller; free with memory_free() */
void *memory_new(memory_category category, size_t count, size_t size);

/** As realloc: contents kept up to the smaller size, growth zeroed. @p pointer may be NULL. @return as memory_new(); the old pointer is taken */
void *memory_resize(memory_category category, void *pointer, size_t count, size_t size);

/** Free what memory_new() gave; NULL is fine. */
void memory_free(void *pointer);

/** Bytes now held in @p category on this rank. Not collective. */
int64_t memory_held(memory_category category);

/** Largest sum over categories so far on this rank, bytes. Not collective. */
int64_t memory_peak(void);

/** Resident size of this process, bytes (0 where the system does not say). Not collective. */
int64_t memory_resident(void);

/** Name of a category as printed: "P", "weights", ... Borrowed. */
const char *memory_category_name(memory_category category);

#endif
