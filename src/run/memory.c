#include "engram/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engram/context.h"

enum { ALIGNMENT = 64 };

/** Sits in front of every block; the block stays aligned. */
typedef struct {
    size_t bytes;
    memory_category category;
} block_header;

_Static_assert(sizeof(block_header) <= ALIGNMENT, "header fits in front of the block");

static int64_t held[MEMORY_CATEGORIES];
static int64_t total, peak;

static const char *const names[MEMORY_CATEGORIES] = {
    [MEMORY_P] = "P",          [MEMORY_WEIGHTS] = "weights", [MEMORY_STATIC] = "static", [MEMORY_STATE] = "state",
    [MEMORY_TARGETS] = "targets", [MEMORY_BUFFERS] = "buffers", [MEMORY_OUTPUT] = "output",
};

static block_header *header_of(void *pointer) {
    return (block_header *)((char *)pointer - ALIGNMENT);
}

void *memory_new(memory_category category, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - 2 * ALIGNMENT)
        context_abort("memory: %zu x %zu bytes for %s is more than a process can address", count, size, names[category]);
    size_t padded = (bytes + 2 * ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    char *base = aligned_alloc(ALIGNMENT, padded);
    if (!base)
        context_abort("memory: no room for %.1f MiB of %s (this rank holds %.1f MiB)", (double)bytes / 1048576, names[category],
                      (double)total / 1048576);
    memset(base, 0, padded);
    *(block_header *)base = (block_header){.bytes = bytes, .category = category};
    held[category] += (int64_t)bytes;
    total += (int64_t)bytes;
    if (total > peak) peak = total;
    return base + ALIGNMENT;
}

void *memory_resize(memory_category category, void *pointer, size_t count, size_t size) {
    void *grown = memory_new(category, count, size);
    if (pointer) {
        size_t old = header_of(pointer)->bytes, now = header_of(grown)->bytes;
        memcpy(grown, pointer, old < now ? old : now);
        memory_free(pointer);
    }
    return grown;
}

void memory_free(void *pointer) {
    if (!pointer) return;
    block_header *header = header_of(pointer);
    held[header->category] -= (int64_t)header->bytes;
    total -= (int64_t)header->bytes;
    free(header);
}

int64_t memory_held(memory_category category) {
    return held[category];
}

int64_t memory_peak(void) {
    return peak;
}

int64_t memory_resident(void) {
    FILE *file = fopen("/proc/self/statm", "r");
    long long pages = 0;
    if (file) {
        if (fscanf(file, "%*d %lld", &pages) != 1) pages = 0;
        fclose(file);
    }
    return pages * sysconf(_SC_PAGESIZE);
}

const char *memory_category_name(memory_category category) {
    return names[category];
}
