#include "engram/files.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/** What is behind the last slash. */
static const char *name_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

int file_irregular(mode_t mode) {
    return S_ISREG(mode) ? 0 : S_ISLNK(mode) ? ELOOP : S_ISDIR(mode) ? EISDIR : FILE_IRREGULAR;
}

static int close_with(int descriptor, int error) {
    close(descriptor);
    errno = error;
    return -1;
}

static int only_regular(int descriptor) {
    struct stat found;
    if (descriptor < 0) return -1;
    if (fstat(descriptor, &found) != 0) return close_with(descriptor, errno);
    int error = file_irregular(found.st_mode);
    return error ? close_with(descriptor, error) : descriptor;
}

int file_open(const char *path, int flags) {
    return only_regular(open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0666));
}

int file_open_input(const char *path) {
    return only_regular(open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

FILE *file_open_text(const char *path) {
    int descriptor = file_open(path, O_RDONLY);
    FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "r");
    if (descriptor >= 0 && !file) close_with(descriptor, errno);
    return file;
}

int file_make(const char *part, mode_t mode) {
    if (unlink(part) != 0 && errno != ENOENT) return -1;
    return open(part, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
}

/** PATH.part. @return owned, free(); NULL with errno */
static char *part_of(const char *path) {
    char *part;
    return asprintf(&part, "%s" FILE_PART, path) < 0 ? NULL : part;
}

FILE *file_begin(const char *path, mode_t mode) {
    char *part = part_of(path);
    int descriptor = part ? file_make(part, mode) : -1;
    FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "w");
    if (descriptor >= 0 && !file) close_with(descriptor, errno);
    int error = errno;
    free(part);
    errno = error;
    return file;
}

static int sync_file(FILE *file) {
    int failed;
    do failed = fsync(fileno(file)); while (failed != 0 && errno == EINTR);
    return failed;
}

int file_end(FILE *file, const char *path) {
    char *part = part_of(path);
    errno = 0;
    int error = !part || ferror(file) || fflush(file) != 0 || sync_file(file) != 0 ? errno ? errno : EIO : 0;
    bool ours = part && file_is_at(fileno(file), part);
    if (!error && !ours) error = ENOENT;
    if (fclose(file) != 0 && !error) error = errno;
    if (!error && rename(part, path) != 0) error = errno;
    if (error && ours) unlink(part);
    free(part);
    return error;
}

void file_give_up(FILE *file, const char *path) {
    char *part = part_of(path);
    if (part && file_is_at(fileno(file), part)) unlink(part);
    fclose(file);
    free(part);
}

bool file_is_at(int descriptor, const char *path) {
    struct stat open, named;
    return fstat(descriptor, &open) == 0 && lstat(path, &named) == 0 && open.st_dev == named.st_dev && open.st_ino == named.st_ino;
}

bool file_exists(const char *path) {
    struct stat found;
    return lstat(path, &found) == 0;
}

bool file_same(const char *a, const char *b) {
    struct stat one, other;
    return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

char *file_folder(const char *path) {
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    if (!folder) context_abort("memory: no room for a path");
    return folder;
}

bool file_same_name(const char *a, const char *b) {
    char *one = file_folder(a), *other = file_folder(b);
    bool same = strcmp(name_of(a), name_of(b)) == 0 && file_same(one, other);
    free(one);
    free(other);
    return same;
}

const char *file_why(int error) {
    if (error == ELOOP) return "is a symbolic link, through which Engram neither reads nor writes";
    return error == FILE_IRREGULAR || error == ENXIO ? "is not a regular file" : strerror(error);
}

status file_refused(int error) {
    bool machine = error == EIO || error == ENOSPC || error == EDQUOT || error == ENOMEM || error == EMFILE || error == ENFILE || error == ESTALE;
    return machine ? STATUS_FAILURE : STATUS_INPUT;
}

status file_check_output(const char *path) {
    struct stat found;
    const char *name = name_of(path);
    if (!*name) return status_fail(STATUS_INPUT, "%s: names no file", path);
    if (strlen(name) + strlen(FILE_PART) > NAME_MAX || strlen(path) + strlen(FILE_PART) >= PATH_MAX)
        return status_fail(STATUS_INPUT, "%s: %s (with '" FILE_PART "' behind it, as it is called while it is written)", path, strerror(ENAMETOOLONG));
    if (lstat(path, &found) != 0 || S_ISREG(found.st_mode) || S_ISLNK(found.st_mode)) return STATUS_OK; /* a link is replaced, not followed */
    return status_fail(STATUS_INPUT, "%s: is %s", path, S_ISDIR(found.st_mode) ? "a directory" : "not a regular file");
}

const char *file_unexpanded(const char *path) {
    if (path[0] == '~') return "begins with '~', which only a shell expands; write it in full (or ./~ for a name that begins so)";
    for (const char *at = strchr(path, '$'); at; at = strchr(at + 1, '$'))
        if (at[1] && (isalpha((unsigned char)at[1]) || strchr("_{(", at[1])) && !file_exists(path))
            return "has a variable in it, which only a shell expands; write it in full";
    return NULL;
}

status file_check_name(const char *what, const char *path) {
    const char *why = path ? file_unexpanded(path) : NULL;
    return why ? status_fail(STATUS_INPUT, "%s %s: %s", what, path, why) : STATUS_OK;
}

status file_seen_by_all(const context *context, const char *what, const char *path) {
    char host[MPI_MAX_PROCESSOR_NAME] = "";
    struct stat found;
    int length, error = lstat(path, &found) == 0 ? 0 : errno;
    CHECK_MPI(MPI_Get_processor_name(host, &length));
    return status_agree(context, !error ? STATUS_OK
                                        : status_fail(STATUS_INPUT, "%s: rank %d on %s does not see what is there for rank 0 (%s: %s); it must be on a file "
                                                      "system that all hosts share", what, context->rank, host, path, strerror(error)));
}
