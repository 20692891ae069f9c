#include "seal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#include "engram/files.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "seals are written as they are in memory: little-endian"
#endif

typedef struct {
    char magic[8];
    uint64_t block, content, blocks, check;
} seal_footer;

static const char magic[8] = {'E', 'N', 'G', 'R', 'M', 'S', 'L', '1'};

static int64_t blocks_of(int64_t content) {
    return (content + SEAL_BLOCK - 1) / SEAL_BLOCK;
}

/** Read @p bytes at @p offset. @return errno; EIO at the end of the file */
static int read_at(int descriptor, void *data, int64_t bytes, int64_t offset) {
    for (int64_t done = 0; done < bytes;) {
        ssize_t got = pread(descriptor, (char *)data + done, (size_t)(bytes - done), offset + done);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return got < 0 ? errno : EIO;
        done += got;
    }
    return 0;
}

static int write_at(int descriptor, const void *data, int64_t bytes, int64_t offset) {
    for (int64_t done = 0; done < bytes;) {
        ssize_t put = pwrite(descriptor, (const char *)data + done, (size_t)(bytes - done), offset + done);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return put < 0 ? errno : EIO;
        done += put;
    }
    return 0;
}

/** Hashes of all blocks on every rank; a rank hashes every ranks-th. @return errno of this rank; collective even on failure */
static int hash_blocks(const context *context, int descriptor, int error, int64_t content, uint64_t *hashes) {
    int64_t blocks = blocks_of(content);
    unsigned char *buffer = malloc(SEAL_BLOCK);
    if (!buffer) error = ENOMEM;
    for (int64_t b = context->rank; b < blocks && !error; b += context->ranks) {
        int64_t bytes = b + 1 < blocks ? SEAL_BLOCK : content - b * SEAL_BLOCK;
        error = read_at(descriptor, buffer, bytes, b * SEAL_BLOCK);
        if (!error) hashes[b] = XXH3_64bits(buffer, (size_t)bytes);
    }
    free(buffer);
    for (int64_t from = 0; from < blocks; from += 1 << 20) /* each is non-zero on one rank only */
        CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, hashes + from, (int)(blocks - from < 1 << 20 ? blocks - from : 1 << 20), MPI_UINT64_T, MPI_BOR, context->comm));
    return error;
}

static uint64_t check_of(const uint64_t *hashes, const seal_footer *footer) {
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    if (footer->blocks) XXH3_64bits_update(&state, hashes, footer->blocks * sizeof *hashes);
    XXH3_64bits_update(&state, footer, offsetof(seal_footer, check));
    return XXH3_64bits_digest(&state);
}

/** Size of the file as rank 0 sees it, or -1. Collective. */
static int64_t size_on_all(const context *context, const char *path) {
    struct stat found;
    int64_t size = context->rank == 0 && lstat(path, &found) == 0 && S_ISREG(found.st_mode) ? found.st_size : -1;
    CHECK_MPI(MPI_Bcast(&size, 1, MPI_INT64_T, 0, context->comm));
    return size;
}

static uint64_t *hashes_new(int64_t blocks) {
    uint64_t *hashes = calloc((size_t)blocks + 1, sizeof *hashes);
    if (!hashes) context_abort("memory: no room for the checksums of %lld blocks", (long long)blocks);
    return hashes;
}

int seal_write(const context *context, const char *path) {
    int64_t content = size_on_all(context, path);
    if (content < 0) return ENOENT;
    int descriptor = file_open(path, context->rank == 0 ? O_RDWR : O_RDONLY), error = descriptor < 0 ? errno : 0;
    seal_footer footer = {.block = SEAL_BLOCK, .content = (uint64_t)content, .blocks = (uint64_t)blocks_of(content)};
    memcpy(footer.magic, magic, sizeof magic);
    uint64_t *hashes = hashes_new((int64_t)footer.blocks);
    error = hash_blocks(context, descriptor, error, content, hashes);
    int64_t bytes = (int64_t)(footer.blocks * sizeof *hashes);
    footer.check = check_of(hashes, &footer);
    if (context->rank == 0 && !error) error = write_at(descriptor, hashes, bytes, content);
    if (context->rank == 0 && !error) error = write_at(descriptor, &footer, sizeof footer, content + bytes);
    if (descriptor >= 0 && close(descriptor) != 0 && !error) error = errno;
    free(hashes);
    return error;
}

/** The seal itself, on rank 0. @param[out] hashes owned by the caller */
static void read_seal(const char *path, int64_t size, seal_footer *footer, uint64_t **hashes, char *why) {
    int descriptor = file_open(path, O_RDONLY), error = descriptor < 0 ? errno : 0;
    if (!error) error = size < (int64_t)sizeof *footer ? EIO : read_at(descriptor, footer, sizeof *footer, size - (int64_t)sizeof *footer);
    bool whole = !error && memcmp(footer->magic, magic, sizeof magic) == 0 && footer->block == SEAL_BLOCK && footer->content <= (uint64_t)size &&
                 footer->blocks == (uint64_t)blocks_of((int64_t)footer->content) &&
                 footer->content + footer->blocks * sizeof **hashes + sizeof *footer == (uint64_t)size;
    if (whole) {
        *hashes = hashes_new((int64_t)footer->blocks);
        error = read_at(descriptor, *hashes, (int64_t)(footer->blocks * sizeof **hashes), (int64_t)footer->content);
        whole = !error && check_of(*hashes, footer) == footer->check;
    }
    if (error && error != EIO)
        snprintf(why, SEAL_WHY_BYTES, "cannot be read: %s", strerror(error));
    else if (!whole)
        snprintf(why, SEAL_WHY_BYTES, "its end, which holds the checksums, is missing or damaged: cut off, or not a checkpoint");
    if (descriptor >= 0) close(descriptor);
}

void seal_check(const context *context, const char *path, char *why) {
    why[0] = '\0';
    int64_t size = size_on_all(context, path);
    seal_footer footer = {0};
    uint64_t *expected = NULL;
    if (size < 0)
        snprintf(why, SEAL_WHY_BYTES, "is not there, or is no file");
    else if (context->rank == 0)
        read_seal(path, size, &footer, &expected, why);
    CHECK_MPI(MPI_Bcast(why, SEAL_WHY_BYTES, MPI_CHAR, 0, context->comm));
    CHECK_MPI(MPI_Bcast(&footer, sizeof footer, MPI_BYTE, 0, context->comm));
    if (!why[0]) {
        uint64_t *hashes = hashes_new((int64_t)footer.blocks);
        int descriptor = file_open(path, O_RDONLY);
        int error = hash_blocks(context, descriptor, descriptor < 0 ? errno : 0, (int64_t)footer.content, hashes), worst;
        if (descriptor >= 0) close(descriptor);
        CHECK_MPI(MPI_Allreduce(&error, &worst, 1, MPI_INT, MPI_MAX, context->comm));
        for (uint64_t b = 0; context->rank == 0 && !worst && b < footer.blocks && !why[0]; b++)
            if (hashes[b] != expected[b])
                snprintf(why, SEAL_WHY_BYTES, "the checksum of bytes %llu to %llu is wrong", (unsigned long long)b * SEAL_BLOCK,
                         (unsigned long long)(b + 1) * SEAL_BLOCK - 1);
        if (worst) snprintf(why, SEAL_WHY_BYTES, "cannot be read: %s", strerror(worst));
        CHECK_MPI(MPI_Bcast(why, SEAL_WHY_BYTES, MPI_CHAR, 0, context->comm));
        free(hashes);
    }
    free(expected);
}

bool seal_digest(const char *path, char *digest) {
    struct stat found;
    seal_footer footer = {0};
    uint64_t *hashes = NULL;
    char why[SEAL_WHY_BYTES] = "";
    if (lstat(path, &found) != 0 || !S_ISREG(found.st_mode)) return false;
    read_seal(path, found.st_size, &footer, &hashes, why);
    free(hashes);
    if (!why[0]) snprintf(digest, 17, "%016llx", (unsigned long long)footer.check);
    return !why[0];
}
