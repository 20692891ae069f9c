/* To be preloaded (LD_PRELOAD): the FAULT_NTH-th call of FAULT_CALL on a file below FAULT_FOLDER, or with FAULT_LASTS every one from there on, fails with the
 * errno FAULT_ERRNO and does nothing; FAULT_KILLS: the process is killed there instead (SIGKILL). FAULT_RANK: on that rank of Open MPI only. Each fault adds a
 * line to the file FAULT_LOG: the call and the name. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

static int armed = -1; /* not known yet */
static const char *call, *folder, *log_path;
static long nth, count, lasts;
static int with;

static void *next(const char *name) {
    return dlsym(RTLD_NEXT, name);
}

static void arm(void) {
    const char *rank = getenv("FAULT_RANK"), *mine = getenv("OMPI_COMM_WORLD_RANK");
    call = getenv("FAULT_CALL"), folder = getenv("FAULT_FOLDER"), log_path = getenv("FAULT_LOG");
    armed = call && folder && log_path && (!rank || strcmp(rank, mine ? mine : "0") == 0);
    nth = armed ? atol(getenv("FAULT_NTH")) : 0;
    with = armed ? atoi(getenv("FAULT_ERRNO")) : 0;
    lasts = getenv("FAULT_LASTS") != NULL;
}

static int below(const char *name) {
    return strstr(name, folder) != NULL;
}

/** Is it this call's turn to fail? */
static int due(const char *name, const char *path) {
    if (armed < 0) arm();
    if (!armed || strcmp(call, name) != 0 || !below(path)) return 0;
    count++;
    if (count < nth || (count > nth && !lasts)) return 0;
    char line[PATH_MAX + 64];
    int length = snprintf(line, sizeof line, "%s %s\n", name, path), saved = armed;
    armed = 0; /* not what this writes */
    ssize_t (*put)(int, const void *, size_t) = next("write");
    int (*make)(const char *, int, ...) = next("open"), out = make(log_path, O_WRONLY | O_CREAT | O_APPEND, 0666), (*shut)(int) = next("close");
    if (put(out, line, (size_t)length) < 0) abort();
    shut(out);
    armed = saved;
    if (getenv("FAULT_KILLS")) raise(SIGKILL);
    errno = with;
    return 1;
}

static int due_at(const char *name, int descriptor) {
    char link[64], path[PATH_MAX];
    int saved = errno;
    if (armed < 0) arm();
    if (!armed || strcmp(call, name) != 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length > 0 ? length : 0] = '\0';
    errno = saved;
    return due(name, path);
}

#define ON_DESCRIPTOR(type, symbol, name, parameters, arguments) \
    type symbol parameters { return due_at(name, fd) ? -1 : ((type(*) parameters)next(#symbol)) arguments; }
#define ON_PATH(type, symbol, name, parameters, arguments) \
    type symbol parameters { return due(name, path) ? -1 : ((type(*) parameters)next(#symbol)) arguments; }

ON_DESCRIPTOR(int, fsync, "fsync", (int fd), (fd))
ON_DESCRIPTOR(int, fdatasync, "fsync", (int fd), (fd))
ON_DESCRIPTOR(int, fallocate, "fallocate", (int fd, int mode, off_t from, off_t bytes), (fd, mode, from, bytes))
ON_DESCRIPTOR(int, fallocate64, "fallocate", (int fd, int mode, off64_t from, off64_t bytes), (fd, mode, from, bytes))
ON_DESCRIPTOR(ssize_t, pwrite, "pwrite64", (int fd, const void *data, size_t bytes, off_t from), (fd, data, bytes, from))
ON_DESCRIPTOR(ssize_t, pwrite64, "pwrite64", (int fd, const void *data, size_t bytes, off64_t from), (fd, data, bytes, from))
ON_DESCRIPTOR(ssize_t, pwritev, "pwrite64", (int fd, const struct iovec *data, int pieces, off_t from), (fd, data, pieces, from))
ON_DESCRIPTOR(ssize_t, pwritev64, "pwrite64", (int fd, const struct iovec *data, int pieces, off64_t from), (fd, data, pieces, from))
ON_DESCRIPTOR(int, ftruncate, "ftruncate", (int fd, off_t bytes), (fd, bytes))
ON_DESCRIPTOR(int, ftruncate64, "ftruncate", (int fd, off64_t bytes), (fd, bytes))
ON_DESCRIPTOR(ssize_t, write, "write", (int fd, const void *data, size_t bytes), (fd, data, bytes))
ON_DESCRIPTOR(ssize_t, pread, "pread64", (int fd, void *data, size_t bytes, off_t from), (fd, data, bytes, from))
ON_DESCRIPTOR(ssize_t, pread64, "pread64", (int fd, void *data, size_t bytes, off64_t from), (fd, data, bytes, from))
ON_DESCRIPTOR(int, flock, "flock", (int fd, int operation), (fd, operation))
ON_PATH(int, mkdir, "mkdir", (const char *path, mode_t mode), (path, mode))
ON_PATH(int, unlink, "unlink", (const char *path), (path))

int unlinkat(int fd, const char *path, int flags) {
    return due_at("unlink", fd) ? -1 : ((int (*)(int, const char *, int))next("unlinkat"))(fd, path, flags);
}

int rename(const char *from, const char *to) {
    return due("rename", from) ? -1 : ((int (*)(const char *, const char *))next("rename"))(from, to);
}

/* It does not fail: what it tells of has no room left. */
int statvfs(const char *path, struct statvfs *system) {
    int full = due("statvfs", path), result = ((int (*)(const char *, struct statvfs *))next("statvfs"))(path, system);
    if (full) system->f_bavail = 0;
    return result;
}

/* Closed it is nevertheless: so Linux does. */
int close(int fd) {
    int failed = due_at("close", fd), done = ((int (*)(int))next("close"))(fd);
    if (failed) errno = with;
    return failed ? -1 : done;
}

/* Of stdio only what its callers see: it does not call the functions above. */
int fflush(FILE *file) {
    return file && due_at("fflush", fileno(file)) ? EOF : ((int (*)(FILE *))next("fflush"))(file);
}

int fclose(FILE *file) {
    int descriptor = fileno(file), failed = descriptor >= 0 && due_at("fclose", descriptor), done = ((int (*)(FILE *))next("fclose"))(file);
    if (failed) errno = with;
    return failed ? EOF : done;
}

static int open_with(const char *symbol, const char *path, int flags, va_list rest) {
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    return due("open", path) ? -1 : ((int (*)(const char *, int, ...))next(symbol))(path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    int descriptor = open_with("open", path, flags, rest);
    va_end(rest);
    return descriptor;
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    int descriptor = open_with("open64", path, flags, rest);
    va_end(rest);
    return descriptor;
}
