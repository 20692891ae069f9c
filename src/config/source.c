#include "source.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engram/files.h"
#include "text.h"

enum { MAX_FILE_BYTES = 16 << 20 };

/** What has to be known before the texts can be received. */
typedef struct {
    int64_t code;           /**< a status */
    int64_t path_bytes;     /**< with the final NUL; 0 without a file */
    int64_t file_bytes;     /**< without a final NUL */
    int64_t override_bytes; /**< of all overrides, each with its NUL */
    int64_t override_count;
} source_header;

/** Only regular files of a sensible size: a pipe or a device could make the job wait for ever. */
static status check_file(const char *path, const char *called) {
    struct stat about;
    if (!*path) return status_fail(STATUS_INPUT, "the name of the %s is empty", called);
    if (path[0] == '~') return file_check_name(called, path);
    if (stat(path, &about) != 0) return status_fail(status_unreadable(errno), "cannot read the %s '%s': %s", called, path, strerror(errno));
    if (S_ISDIR(about.st_mode)) return status_fail(STATUS_INPUT, "'%s' is a folder, not a %s", path, called);
    if (!S_ISREG(about.st_mode)) return status_fail(STATUS_INPUT, "'%s' is not a regular file, as a %s is", path, called);
    if (about.st_size > MAX_FILE_BYTES)
        return status_fail(STATUS_INPUT, "'%s' has %lld bytes; a %s has at most %d MiB", path, (long long)about.st_size, called, MAX_FILE_BYTES >> 20);
    return STATUS_OK;
}

/** @param[out] bytes owned by the caller, NULL on failure */
static status load_file(const char *path, const char *called, char **bytes, int64_t *length) {
    *bytes = NULL;
    status code = check_file(path, called);
    if (code != STATUS_OK) return code;
    int descriptor = file_open_input(path);
    FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "rb");
    if (!file) return status_fail(status_unreadable(errno), "cannot read the %s '%s': %s", called, path, strerror(errno));
    *bytes = config_text_alloc((size_t)MAX_FILE_BYTES + 1, 1); /* the file may have grown meanwhile */
    *length = (int64_t)fread(*bytes, 1, (size_t)MAX_FILE_BYTES + 1, file);
    if (ferror(file)) code = status_fail(STATUS_FAILURE, "cannot read the %s '%s': %s", called, path, strerror(errno));
    else if (*length > MAX_FILE_BYTES)
        code = status_fail(STATUS_INPUT, "'%s' has more than %d MiB, which a %s has at most", path, MAX_FILE_BYTES >> 20, called);
    fclose(file);
    return code;
}

static char *put(char *end, const void *bytes, int64_t length) {
    if (length > 0) memcpy(end, bytes, (size_t)length);
    return end + length;
}

/** Texts into one block: path, file (@p bytes, @p length), overrides. */
static char *pack(const char *path, const char *bytes, int64_t length, const char *const *overrides, int override_count, source_header *header) {
    *header = (source_header){.path_bytes = path ? (int64_t)strlen(path) + 1 : 0, .file_bytes = length, .override_count = override_count};
    for (int i = 0; i < override_count; i++) header->override_bytes += (int64_t)strlen(overrides[i]) + 1;
    char *block = config_text_alloc((size_t)(header->path_bytes + header->file_bytes + header->override_bytes), 1);
    char *end = put(block, path, header->path_bytes);
    end = put(end, bytes, header->file_bytes);
    for (int i = 0; i < override_count; i++) end = put(end, overrides[i], (int64_t)strlen(overrides[i]) + 1);
    return block;
}

/** Rank 0: the block with the file's contents. */
static char *load_and_pack(const char *path, const char *called, const char *const *overrides, int override_count, source_header *header) {
    char *bytes = NULL;
    int64_t length = 0;
    status code = path ? load_file(path, called, &bytes, &length) : STATUS_OK;
    char *block = pack(path, bytes, length, overrides, override_count, header);
    header->code = code;
    free(bytes);
    return block;
}

static void unpack(const source_header *header, config_source *result) {
    result->path = header->path_bytes ? result->storage : NULL;
    result->bytes = result->storage + header->path_bytes;
    result->length = (size_t)header->file_bytes;
    result->override_count = (int)header->override_count;
    result->overrides = config_text_alloc((size_t)header->override_count, sizeof *result->overrides);
    const char *text = result->bytes + header->file_bytes;
    for (int i = 0; i < result->override_count; i++, text += strlen(text) + 1) result->overrides[i] = text;
}

status config_source_read(const context *job, const char *path, const char *called, const char *const *overrides, int override_count, config_source *result) {
    source_header header;
    *result = (config_source){0};
    if (job->rank == 0) result->storage = load_and_pack(path, called, overrides, override_count, &header);
    CHECK_MPI(MPI_Bcast(&header, sizeof header / sizeof(int64_t), MPI_INT64_T, 0, job->comm));
    if (header.code != STATUS_OK) return (status)header.code;
    int64_t bytes = header.path_bytes + header.file_bytes + header.override_bytes;
    if (bytes > INT32_MAX) context_abort("config: %lld bytes of parameters are more than one broadcast holds", (long long)bytes);
    if (job->rank != 0) result->storage = config_text_alloc((size_t)bytes, 1);
    CHECK_MPI(MPI_Bcast(result->storage, (int)bytes, MPI_CHAR, 0, job->comm));
    unpack(&header, result);
    return STATUS_OK;
}

void config_source_copy(const char *name, const char *text, size_t length, const char *const *overrides, int override_count, config_source *result) {
    source_header header;
    *result = (config_source){.storage = pack(name, text, (int64_t)length, overrides, override_count, &header)};
    unpack(&header, result);
}

void config_source_clear(config_source *source) {
    free(source->overrides);
    free(source->storage);
    *source = (config_source){0};
}
