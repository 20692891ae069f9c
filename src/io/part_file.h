/** @file part_file.h
 *  The file system's side of a file that appears under its name only when it is complete.
 *  One rank calls, of part_file_hold() every one; functions return an errno, 0 for none.
 */
#ifndef ENGRAM_IO_PART_FILE_H
#define ENGRAM_IO_PART_FILE_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "engram/files.h"

/** Make an empty @p part: an MPI library told to make a file where it cannot may hang or end the job; open() just says why. */
static inline int part_file_make(const char *path, const char *part, int *descriptor) {
    struct stat old;
    if (stat(path, &old) == 0 && S_ISDIR(old.st_mode)) return EISDIR;
    *descriptor = file_make(part, 0666);
    return *descriptor < 0 ? errno : 0;
}

/** Hold the file that rank 0 made, under a name that stays its own whatever becomes of @p part: Open MPI 4.1 hangs when MPI_File_open() works on some ranks
 *  and not on others. Lustre is asked about a file by its true name. @param descriptor to be closed when it is open @return errno */
static inline int part_file_hold(const char *part, int *descriptor, char *name, size_t size) {
    enum { LUSTRE = 0x0BD00BD0 };
    struct statfs disk;
    *descriptor = open(part, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (*descriptor < 0) return errno;
    snprintf(name, size, "/proc/self/fd/%d", *descriptor);
    if (fstatfs(*descriptor, &disk) != 0 || disk.f_type == LUSTRE || access(name, W_OK) != 0) snprintf(name, size, "%s", part);
    return 0;
}

/** Take @p bytes of the disk for the file beforehand. Open MPI 4.1 hangs, or loses the error, when a disk fills up amid a collective write. */
static inline int part_file_reserve(int descriptor, int64_t bytes) {
    struct stat now;
    struct statvfs disk;
    if (fstat(descriptor, &now) != 0) return errno;
    int result = -1;
    if (bytes <= now.st_size) return 0;
    /* A signal that asks to stop must not spoil the checkpoint. */
    do result = fallocate(descriptor, 0, now.st_size, bytes - now.st_size); while (result != 0 && errno == EINTR);
    if (result == 0) return 0;
    if (errno != EOPNOTSUPP && errno != ENOSYS) return errno;
    if (fstatvfs(descriptor, &disk) != 0) return 0; /* a file system that promises nothing: look at least whether there is room now */
    return (double)disk.f_bavail * (double)disk.f_frsize < (double)(bytes - now.st_size) ? ENOSPC : 0;
}

/** Sync a file or directory. File systems that cannot sync a directory say EINVAL. */
static inline int part_file_sync(const char *path) {
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return errno;
    int error;
    do error = fsync(descriptor) ? errno : 0; while (error == EINTR);
    close(descriptor);
    return error == EINVAL ? 0 : error;
}

static inline int part_file_sync_parent(const char *path) {
    char *parent = strdup(path), *slash = parent ? strrchr(parent, '/') : NULL;
    if (!parent) return ENOMEM;
    if (slash) slash[slash == parent] = '\0';
    int error = part_file_sync(slash ? parent : ".");
    free(parent);
    return error;
}

#endif
