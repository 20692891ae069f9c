#include "engram/memory_shared.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "engram/context.h"

enum { ALIGNMENT = 64, PAGE = 4096, LOOK_BYTES = 32 << 20 };

/** Blocks from this size have pages of their own, which go back to the system when freed; malloc would keep them.
 *  Not where the address sanitizer watches malloc. */
#ifdef ENGRAM_SANITIZED
static const size_t map_from = SIZE_MAX;
#else
static const size_t map_from = 1 << 20;
#endif

/** Sits in front of every block; the block stays aligned. */
typedef struct {
    size_t bytes;
    size_t mapped;   /**< bytes of its own pages, header included; 0: from malloc */
    memory_category category;
} block_header;

_Static_assert(sizeof(block_header) <= ALIGNMENT, "header fits in front of the block");

static int64_t held[MEMORY_CATEGORIES]; /**< that of MEMORY_LIBRARIES: what was private to the process at the start */
static int64_t total, peak;             /**< of what is ours */
static int64_t shared_counted;          /**< bytes of shared segments that are counted as ours, or as those of other ranks */
static int64_t made_unseen;             /**< bytes of pages made since what is left was looked at */
static int node_ranks = 1;

static const char *const names[MEMORY_FIGURES] = {
    [MEMORY_P] = "P",           [MEMORY_WEIGHTS] = "weights", [MEMORY_STATIC] = "static",       [MEMORY_STATE] = "state",
    [MEMORY_TARGETS] = "targets", [MEMORY_BUFFERS] = "buffers", [MEMORY_OUTPUT] = "output",       [MEMORY_LIBRARIES] = "libraries",
    [MEMORY_SUM] = "held",      [MEMORY_PEAK] = "peak",       [MEMORY_RESIDENT] = "resident",     [MEMORY_RESIDENT_PEAK] = "resident_peak",
};

/* ---- what the system says ---- */

/** Resident bytes, and those of them that are pages of files or shared. */
static int64_t resident(int64_t *shared) {
    long long pages = 0, of_files = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%*d %lld %lld", &pages, &of_files) != 2) pages = of_files = 0;
    if (file) fclose(file);
    *shared = of_files * sysconf(_SC_PAGESIZE);
    return pages * sysconf(_SC_PAGESIZE);
}

static int64_t resident_peak(void) {
    char line[256];
    long long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && kib == 0 && fgets(line, sizeof line, file)) sscanf(line, "VmHWM: %lld", &kib);
    if (file) fclose(file);
    return kib * 1024;
}

int64_t memory_resident(void) {
    int64_t shared;
    return resident(&shared);
}

void memory_begin(const context *context) {
    MPI_Comm node;
    CHECK_MPI(MPI_Comm_split_type(context->comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node));
    CHECK_MPI(MPI_Comm_size(node, &node_ranks));
    CHECK_MPI(MPI_Comm_free(&node));
#ifdef __GLIBC__
    /* For HDF5 and MPI: given a figure, glibc leaves it alone, where else it would rise to 32 MiB of freed memory that is kept. */
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    mallopt(M_TRIM_THRESHOLD, 1 << 20);
#endif
    int64_t shared, all = resident(&shared);
    held[MEMORY_LIBRARIES] = all - shared;
}

/* ---- refusals ---- */

typedef struct { char text[32]; } amount;

static amount show(int64_t bytes) {
    amount shown;
    if (bytes >= 1 << 30)
        snprintf(shown.text, sizeof shown.text, "%.1f GiB", (double)bytes / (1 << 30));
    else if (bytes >= 1 << 20)
        snprintf(shown.text, sizeof shown.text, "%.1f MiB", (double)bytes / (1 << 20));
    else
        snprintf(shown.text, sizeof shown.text, "%lld bytes", (long long)bytes);
    return shown;
}

static _Noreturn void refuse(memory_category category, int64_t bytes, const char *why) {
    int rank = 0, initialised = 0;
    MPI_Initialized(&initialised);
    if (initialised) MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    context_abort("memory: cannot allocate %s for %s (rank %d holds %s): %s", show(bytes).text, names[category], rank,
                  show(total + memory_held(MEMORY_LIBRARIES)).text, why);
}

static _Noreturn void refuse_failed(memory_category category, size_t bytes) {
    refuse(category, (int64_t)bytes, "the system gives this process no more (see ulimit -v); use more ranks");
}

/** Is there room for @p more bytes, of a block of @p bytes? Looks when that matters. */
static void check_room(memory_category category, size_t bytes, size_t more) {
    if (made_unseen + (int64_t)more < LOOK_BYTES) return;
    const char *where;
    char why[200];
    int64_t left = memory_available("", &where), spare = (int64_t)node_ranks * LOOK_BYTES; /* all may find room at the same time */
    made_unseen = 0;
    if (left - spare >= (int64_t)more) return;
    snprintf(why, sizeof why, "%s, which runs %d rank%s, has %s left; use more nodes", where, node_ranks, node_ranks > 1 ? "s" : "",
             show(left > 0 ? left : 0).text);
    refuse(category, (int64_t)bytes, why);
}

/** Make the pages of [from, to) of a block of @p bytes, a piece at a time: all ranks of the node do this, and each sees what the others have taken. */
static void make_pages(memory_category category, size_t bytes, volatile char *base, size_t from, size_t to) {
    for (size_t at = from; at < to; at += PAGE, made_unseen += PAGE) {
        if (at > from && (at - from) % LOOK_BYTES == 0) check_room(category, bytes, to - at);
        base[at] = 0;
    }
}

/* ---- blocks ---- */

static block_header *header_of(void *pointer) {
    return (block_header *)((char *)pointer - ALIGNMENT);
}

static size_t bytes_of(memory_category category, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > INT64_MAX - 2 * PAGE)
        context_abort("memory: %zu x %zu bytes for %s is more than a process can address", count, size, names[category]);
    return bytes;
}

static void *count_block(block_header *block, memory_category category, size_t bytes, size_t mapped) {
    *block = (block_header){.bytes = bytes, .mapped = mapped, .category = category};
    held[category] += (int64_t)bytes;
    total += (int64_t)bytes;
    if (total > peak) peak = total;
    return (char *)block + ALIGNMENT;
}

static void uncount_block(const block_header *block) {
    held[block->category] -= (int64_t)block->bytes;
    total -= (int64_t)block->bytes;
}

static size_t whole_pages(size_t bytes) {
    return (bytes + ALIGNMENT + PAGE - 1) / PAGE * PAGE;
}

static void *map_pages(memory_category category, size_t bytes, size_t mapped) {
    void *base = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) refuse_failed(category, bytes);
    (void)madvise(base, mapped, MADV_HUGEPAGE); /* synapses and P are read here and there: with small pages address translation costs more than the data */
    return base;
}

void *memory_new(memory_category category, size_t count, size_t size) {
    size_t bytes = bytes_of(category, count, size), mapped = bytes >= map_from ? whole_pages(bytes) : 0;
    size_t padded = (bytes + 2 * ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (mapped) check_room(category, bytes, mapped);
    void *base = mapped ? map_pages(category, bytes, mapped) : aligned_alloc(ALIGNMENT, padded);
    if (base == NULL) refuse_failed(category, bytes);
    if (mapped) {
        make_pages(category, bytes, base, 0, mapped);
    } else {
        memset(base, 0, padded);
    }
    return count_block(base, category, bytes, mapped);
}

/** A block with pages of its own keeps them; the rest of its last page may hold what was cut off before. */
static void *resize_mapped(memory_category category, block_header *block, size_t bytes) {
    size_t kept = block->bytes < bytes ? block->bytes : bytes, before = block->mapped, mapped = whole_pages(bytes);
    if (mapped > before) check_room(category, bytes, mapped - before);
    uncount_block(block);
    block = mremap(block, before, mapped, MREMAP_MAYMOVE);
    if (block == MAP_FAILED) refuse_failed(category, bytes);
    size_t last = before < mapped ? before : mapped;
    if (last > kept + ALIGNMENT) memset((char *)block + ALIGNMENT + kept, 0, last - kept - ALIGNMENT);
    if (mapped > before) make_pages(category, bytes, (char *)block, before, mapped);
    return count_block(block, category, bytes, mapped);
}

void *memory_resize(memory_category category, void *pointer, size_t count, size_t size) {
    if (!pointer) return memory_new(category, count, size);
    block_header *block = header_of(pointer);
    size_t bytes = bytes_of(category, count, size);
    if (block->mapped && bytes >= map_from) return resize_mapped(category, block, bytes);
    void *moved = memory_new(category, count, size);
    memcpy(moved, pointer, block->bytes < bytes ? block->bytes : bytes);
    memory_free(pointer);
    return moved;
}

void memory_free(void *pointer) {
    if (!pointer) return;
    block_header *block = header_of(pointer);
    uncount_block(block);
    if (block->mapped)
        munmap(block, block->mapped);
    else
        free(block);
}

void memory_count_shared(memory_category category, int64_t mine, int64_t whole) {
    held[category] += mine;
    total += mine;
    if (total > peak) peak = total;
    shared_counted += whole;
}

void memory_trim(void) {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

/* ---- figures ---- */

int64_t memory_held(memory_category category) {
    int64_t shared = 0;
    if (category == MEMORY_LIBRARIES) {
        resident(&shared);
        shared = shared > shared_counted ? shared - shared_counted : 0; /* some may have been swapped out */
    }
    return held[category] + shared;
}

void memory_figures(double *mib) {
    int64_t bytes[MEMORY_FIGURES];
    for (int c = 0; c < MEMORY_CATEGORIES; c++) bytes[c] = memory_held((memory_category)c);
    bytes[MEMORY_SUM] = total + bytes[MEMORY_LIBRARIES];
    bytes[MEMORY_PEAK] = peak + bytes[MEMORY_LIBRARIES];
    bytes[MEMORY_RESIDENT] = memory_resident();
    bytes[MEMORY_RESIDENT_PEAK] = resident_peak();
    for (int k = 0; k < MEMORY_FIGURES; k++) mib[k] = (double)bytes[k] / (1 << 20);
}

const char *memory_figure_name(int figure) {
    return names[figure];
}
