/** @file memory.h
 *  Counted, 64-byte aligned allocation, by category, so that a run can say where its memory is, and ends with a message where there is none left.
 */
#ifndef ENGRAM_MEMORY_H
#define ENGRAM_MEMORY_H

#include <stddef.h>
#include <stdint.h>

struct context;

typedef enum {
    MEMORY_P,         /**< inverse correlation matrices and their pending columns */
    MEMORY_WEIGHTS,   /**< plastic weights and their indices */
    MEMORY_STATIC,    /**< static synapses */
    MEMORY_STATE,     /**< neurons, filters, drive */
    MEMORY_TARGETS,   /**< targets and stimuli */
    MEMORY_BUFFERS,   /**< exchange and scratch */
    MEMORY_OUTPUT,    /**< recorded data waiting to be written */
    MEMORY_LIBRARIES, /**< not ours: program, libraries, MPI; measured, never allocated */
    MEMORY_CATEGORIES,
} memory_category;

/** Note what the process holds before it allocates anything of its own, and how many ranks share its node. Collective; once, after MPI_Init(). */
void memory_begin(const struct context *context);

/** Allocate @p count * @p size bytes, zeroed, 64-byte aligned. Not collective.
 *  count = 0 gives a valid pointer. The pages exist when this returns: Linux promises more than it has, and kills who believes it; so while the pages of a
 *  large block are made, what the node and the control group have left is watched. Failure (or overflow) aborts the job naming category and size.
 *  @return owned by the caller; free with memory_free() */
void *memory_new(memory_category category, size_t count, size_t size);

/** As realloc: contents kept up to the smaller size, growth zeroed. @p pointer may be NULL. @return as memory_new(); the old pointer is taken */
void *memory_resize(memory_category category, void *pointer, size_t count, size_t size);

/** Free what memory_new() gave; NULL is fine. */
void memory_free(void *pointer);

/** Give back to the system what the C library keeps though it is free: after work that allocated much in small pieces. Not collective. */
void memory_trim(void);

/** Bytes now held in @p category on this rank. Not collective.
 *  MEMORY_LIBRARIES: what was private to the process at memory_begin(), and the pages of files and shared segments that it has now. */
int64_t memory_held(memory_category category);

/** Resident size of this process, bytes (0 where the system does not say). Not collective. */
int64_t memory_resident(void);

/** Bytes that this process can still take before its node, or its control group, has none left. Not collective.
 *  Swap counts for the node; page cache counts as free.
 *  @param root "", or a folder with the files of /proc and /sys (tests)
 *  @param[out] where "the node" or "the control group of this process"
 *  @return INT64_MAX where the system does not say */
int64_t memory_available(const char *root, const char **where);

/** What a report shows, in MiB: the categories; their sum, and the largest it has been; what the system says of the process, now and at most. */
enum { MEMORY_SUM = MEMORY_CATEGORIES, MEMORY_PEAK, MEMORY_RESIDENT, MEMORY_RESIDENT_PEAK, MEMORY_FIGURES };

/** Fill @p mib [MEMORY_FIGURES] with the figures of this rank. Not collective. */
void memory_figures(double *mib);

/** Name of a category or figure as printed: "P", "weights", ..., "held", "peak", "resident", "resident_peak". Borrowed. */
const char *memory_figure_name(int figure);

#endif
