/* A text, line by line: of a file a part is in memory, and never less than a line. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engram/memory.h"
#include "table_private.h"

enum { READ_BYTES = 1 << 20, MARK_BYTES = 3 };
static const char mark[] = "\xEF\xBB\xBF"; /**< of UTF-8 */

/** Read up to @p bytes. @return as many as there are, -1 after a failure */
static int64_t read_bytes(int descriptor, char *to, int64_t bytes) {
    int64_t done = 0;
    ssize_t got = 1;
    while (done < bytes && (got = read(descriptor, to + done, (size_t)(bytes - done))) > 0) done += got;
    return got < 0 ? -1 : done;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/** Bytes up to the last that is not blank. */
static int64_t length_of(const char *text, int64_t length) {
    while (length > 0 && is_blank(text[length - 1])) length--;
    return length;
}

static int64_t count_lines(const char *text, const char *end) {
    int64_t lines = 0;
    for (; text < end; text++) lines += *text == '\n';
    return lines;
}

/** Where does the text end, and where is its first zero byte? The file is read once for that. @return false after a failure */
static bool look_through(table_lines *lines) {
    int64_t at = 0, line = 1, got;
    while ((got = read_bytes(lines->descriptor, lines->buffer, lines->room)) > 0) {
        const char *zero = lines->zero_line ? NULL : memchr(lines->buffer, '\0', (size_t)got);
        int64_t length = length_of(lines->buffer, got);
        if (zero) lines->zero_line = line + count_lines(lines->buffer, zero);
        else line += count_lines(lines->buffer, lines->buffer + got);
        if (length > 0) lines->left = at + length;
        at += got;
    }
    return got == 0 && lseek(lines->descriptor, 0, SEEK_SET) == 0;
}

/** More of the file behind what is in the buffer, from the line on that is not yet whole. @return whether there was any */
static bool fill(table_lines *lines) {
    if (lines->left == 0 || lines->lost != STATUS_OK) return false;
    lines->filled -= lines->next;
    memmove(lines->buffer, lines->buffer + lines->next, (size_t)lines->filled);
    lines->next = 0;
    if (lines->filled == lines->room) lines->buffer = memory_resize(MEMORY_BUFFERS, lines->buffer, (size_t)(lines->room *= 2) + 1, 1);
    int64_t wanted = lines->room - lines->filled, got;
    if (wanted > lines->left) wanted = lines->left;
    got = read_bytes(lines->descriptor, lines->buffer + lines->filled, wanted);
    if (got < 0) lines->lost = status_fail(STATUS_FAILURE, "%s: cannot be read: %s", lines->path, strerror(errno));
    else if (got < wanted) /* its last number may be half of one */
        lines->lost = status_fail(STATUS_INPUT, "%s: became shorter while it was read: is somebody writing it?", lines->path);
    lines->left -= got > 0 ? got : 0;
    if (got > 0) lines->filled += got;
    lines->buffer[lines->filled] = '\0';
    return lines->lost == STATUS_OK;
}

static void skip_mark(table_lines *lines) {
    if (lines->filled >= MARK_BYTES && memcmp(lines->buffer, mark, MARK_BYTES) == 0) lines->next = MARK_BYTES;
}

status table_lines_open(const char *path, int64_t limit, table_lines *lines) {
    struct stat about;
    *lines = (table_lines){.path = path, .descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
    if (lines->descriptor < 0 || fstat(lines->descriptor, &about) != 0) {
        lines->lost = status_fail(status_unreadable(errno), "%s: cannot be read: %s", path, strerror(errno));
    } else if (!S_ISREG(about.st_mode) || about.st_size > limit) {
        lines->lost = status_fail(STATUS_INPUT, "%s: not a file of at most %lld bytes", path, (long long)limit);
    } else {
        lines->room = about.st_size < READ_BYTES ? about.st_size + 1 : READ_BYTES;
        lines->buffer = memory_new(MEMORY_BUFFERS, (size_t)lines->room + 1, 1);
        if (!look_through(lines)) lines->lost = status_fail(STATUS_FAILURE, "%s: cannot be read: %s", path, strerror(errno));
    }
    if (fill(lines)) skip_mark(lines);
    if (lines->lost != STATUS_OK) table_lines_close(lines);
    return lines->lost;
}

table_lines table_lines_of(const char *path, char *memory, int64_t length) {
    table_lines lines = {.path = path, .descriptor = -1, .buffer = memory, .room = length, .filled = length_of(memory, length)};
    const char *zero = memchr(memory, '\0', (size_t)length);
    if (zero) lines.zero_line = 1 + count_lines(memory, zero);
    memory[lines.filled] = '\0';
    skip_mark(&lines);
    return lines;
}

bool table_lines_next(table_lines *lines, char **start, char **end) {
    int64_t seen = 0;
    for (;;) {
        char *from = lines->buffer + lines->next, *found = memchr(from + seen, '\n', (size_t)(lines->filled - lines->next - seen));
        if (found) {
            *start = from;
            *end = found;
            lines->next = found + 1 - lines->buffer;
            return true;
        }
        seen = lines->filled - lines->next;
        if (!fill(lines)) break;
    }
    if (lines->lost != STATUS_OK || lines->next >= lines->filled) return false;
    *start = lines->buffer + lines->next;
    *end = lines->buffer + lines->filled;
    lines->next = lines->filled;
    return true;
}

void table_lines_close(table_lines *lines) {
    if (lines->descriptor < 0) return;
    close(lines->descriptor);
    memory_free(lines->buffer);
    lines->descriptor = -1;
    lines->buffer = NULL;
}
