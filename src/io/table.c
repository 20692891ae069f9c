#include "engram/table.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engram/memory.h"
#include "engram/utf8.h"
#include "h5_input.h"
#include "table_private.h"

enum { PIECE_BYTES = 1 << 30 }; /**< MPI counts are int */

/* ---- for the readers ---- */

void table_mistake(table_mistakes *mistakes, const char *format, ...) {
    if (mistakes->count++ >= TABLE_MISTAKES_TOLD) return;
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    status_fail(STATUS_INPUT, "%s", line);
}

status table_mistakes_end(const table_mistakes *mistakes) {
    long long more = mistakes->count - TABLE_MISTAKES_TOLD;
    if (more > 0) status_fail(STATUS_INPUT, "... and %lld more", more);
    return mistakes->count ? STATUS_INPUT : STATUS_OK;
}

/** Bytes of the UTF-8 character that @p text begins with, 0 if it begins with none. Overlong forms, surrogates and what lies beyond U+10FFFF are none. */
static int64_t utf8_character(const unsigned char *text, int64_t length) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    int bytes = text[0] < 0x80 ? 1 : text[0] >> 5 == 6 ? 2 : text[0] >> 4 == 14 ? 3 : text[0] >> 3 == 30 ? 4 : 0;
    if (bytes == 0 || bytes > length) return 0;
    uint32_t code = bytes == 1 ? text[0] : text[0] & (0x7Fu >> bytes);
    for (int i = 1; i < bytes; i++) {
        if (text[i] >> 6 != 2) return 0;
        code = code << 6 | (text[i] & 0x3Fu);
    }
    return code < least[bytes] || code > 0x10FFFF || code >> 11 == 0xD800 >> 11 ? 0 : bytes;
}

static bool is_utf8(const char *text, int64_t length) {
    for (int64_t i = 0, bytes; i < length; i += bytes)
        if ((bytes = utf8_character((const unsigned char *)text + i, length - i)) == 0) return false;
    return true;
}

bool table_is_name(const char *text, int64_t length) {
    if (length > TABLE_NAME_BYTES || !is_utf8(text, length)) return false;
    for (int64_t i = 0; i < length; i++)
        if (utf8_is_control(text[i]) && text[i] != '\t') return false;
    return true;
}

const char *table_show(char shown[48], const char *text, int64_t length) {
    int64_t n = length > 40 ? 40 : length;
    while (n > 0 && n < length && (text[n] & 0xC0) == 0x80) n--; /* no character is cut */
    bool utf8 = is_utf8(text, n);
    for (int64_t i = 0; i < n; i++) shown[i] = utf8_is_control(text[i]) || (!utf8 && text[i] & 0x80) ? '?' : text[i];
    snprintf(shown + n, 8, "%s", length > n ? "..." : "");
    return shown;
}

void *table_alloc(const char *path, int64_t count, int64_t size) {
    void *block = calloc((size_t)(count ? count : 1), (size_t)size);
    if (!block) status_fail(STATUS_FAILURE, "%s: no memory for %lld x %lld bytes", path, (long long)count, (long long)size);
    return block;
}

char *table_copy(const char *path, const char *text, int64_t length) {
    char *copy = table_alloc(path, length + 1, 1);
    if (copy) memcpy(copy, text, (size_t)length);
    return copy;
}

status table_load(const char *path, int64_t limit, char **text, int64_t *length) {
    struct stat about;
    int descriptor = open(path, O_RDONLY | O_NONBLOCK);
    if (descriptor < 0 || fstat(descriptor, &about) != 0) return status_fail(status_unreadable(errno), "%s: cannot be read: %s", path, strerror(errno));
    int64_t size = about.st_size, done = 0;
    ssize_t got = 1;
    bool regular = S_ISREG(about.st_mode) && size <= limit;
    if (regular) *text = memory_new(MEMORY_BUFFERS, (size_t)size + 1, 1);
    while (*text && done < size && (got = read(descriptor, *text + done, (size_t)(size - done))) > 0) done += got;
    int error = errno;
    close(descriptor);
    *length = done;
    if (!regular) return status_fail(STATUS_INPUT, "%s: not a file of at most %lld bytes", path, (long long)limit);
    return got < 0 ? status_fail(STATUS_FAILURE, "%s: cannot be read: %s", path, strerror(error)) : STATUS_OK;
}

/* ---- rank 0 reads ---- */

/** Formats that are recognised so that they can be named. @return NULL if @p head ([length]) begins none of them */
static const char *foreign_format(const unsigned char *head, size_t length) {
    static const struct { size_t at, length; const char *magic, *name; } formats[] = {
        {0, 19, "MATLAB 5.0 MAT-file", "a MATLAB file of version 5: tools/import makes a table of it, or save it with -v7.3"},
        {0, 6, "\223NUMPY", "a NumPy array (.npy): tools/import makes a table of it"},
        {0, 4, "PK\003\004", "a ZIP archive (as .npz and .xlsx are): save it as CSV or HDF5"},
        {0, 8, "\320\317\021\340\241\261\032\341", "a document of Microsoft Office: save it as CSV"},
        {0, 2, "\037\213", "compressed with gzip: unpack it first"},
        {0, 3, "BZh", "compressed with bzip2: unpack it first"},
        {0, 6, "\3757zXZ\0", "compressed with xz: unpack it first"},
        {0, 4, "\050\265\057\375", "compressed with zstd: unpack it first"},
        {0, 4, "PAR1", "a Parquet file: save it as CSV or HDF5"},
        {0, 6, "ARROW1", "an Arrow file: save it as CSV or HDF5"},
        {0, 4, "CDF\001", "a netCDF-3 file: save it as CSV or HDF5 (netCDF-4)"},
        {0, 4, "CDF\002", "a netCDF-3 file: save it as CSV or HDF5 (netCDF-4)"},
        {0, 2, "\200\004", "a Python pickle: save it as CSV or HDF5"},
        {0, 2, "\200\005", "a Python pickle: save it as CSV or HDF5"},
    };
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (length >= formats[i].at + formats[i].length && memcmp(head + formats[i].at, formats[i].magic, formats[i].length) == 0) return formats[i].name;
    return NULL;
}

/** The format is told by the first bytes, behind a block of the user's where HDF5 allows one. */
static status read_file(const char *path, const table_reading *how, table_pieces *to, table *result) {
    unsigned char head[128] = {0};
    int descriptor = open(path, O_RDONLY | O_NONBLOCK);
    ssize_t got = descriptor < 0 ? -1 : read(descriptor, head, sizeof head);
    int error = errno;
    bool hdf5 = got >= 0 && h5_input_is_signed(descriptor);
    if (descriptor >= 0) close(descriptor);
    if (got < 0) return status_fail(status_unreadable(error), "%s: cannot be read: %s", path, strerror(error));
    const char *format = hdf5 ? NULL : foreign_format(head, (size_t)got);
    if (format) return status_fail(STATUS_INPUT, "%s: %s", path, format);
    if (how->interval > 0) return table_read_plain(path, hdf5, how, to, result);
    if (hdf5) return table_read_hdf5(path, how, to, result);
    return table_read_csv(path, how, to, result);
}

/* ---- everyone receives all but the values that it does not keep ---- */

/** From rank 0, in pieces that MPI can count. Collective. */
static void broadcast(const context *job, void *data, int64_t bytes) {
    for (int64_t done = 0, size; done < bytes; done += size) {
        size = bytes - done < PIECE_BYTES ? bytes - done : PIECE_BYTES;
        CHECK_MPI(MPI_Bcast((char *)data + done, (int)size, MPI_BYTE, 0, job->comm));
    }
}

static void *receive(const context *job, void *mine, int64_t bytes) {
    if (job->rank != 0) mine = memory_new(MEMORY_TARGETS, (size_t)bytes, 1);
    broadcast(job, mine, bytes);
    return mine;
}

/** The names travel as one text, each with its final zero. */
static char **receive_names(const context *job, char **mine, int count) {
    int64_t bytes = 0;
    for (int i = 0; job->rank == 0 && i < count; i++) bytes += (int64_t)strlen(mine[i]) + 1;
    broadcast(job, &bytes, sizeof bytes);
    char *all = malloc((size_t)bytes + 1), *next = all;
    if (job->rank != 0) mine = calloc((size_t)(count ? count : 1), sizeof *mine);
    if (!all || !mine) context_abort("table: no memory for %d names", count);
    for (int i = 0; job->rank == 0 && i < count; i++) next = stpcpy(next, mine[i]) + 1;
    broadcast(job, all, bytes);
    next = all;
    for (int i = 0; job->rank != 0 && i < count; i++) {
        if (!(mine[i] = strdup(next))) context_abort("table: no memory for %d names", count);
        next += strlen(next) + 1;
    }
    free(all);
    return mine;
}

/** All but the values. */
static void broadcast_head(const context *job, table *all) {
    int sizes[3] = {all->conditions, all->times, all->units};
    broadcast(job, sizes, sizeof sizes);
    all->conditions = sizes[0];
    all->times = sizes[1];
    all->units = all->read = sizes[2];
    all->time = receive(job, all->time, (int64_t)sizeof(double) * all->times);
    all->condition = receive_names(job, all->condition, all->conditions);
    all->unit = receive_names(job, all->unit, all->units);
    broadcast(job, &all->bin, sizeof all->bin);
    broadcast(job, &all->regular, sizeof all->regular);
    broadcast(job, &all->resolution, sizeof all->resolution);
}

/** Of CSV: where rows belong that do not stand in the order of conditions and times. */
static void broadcast_places(const context *job, const table *all, table_pieces *to) {
    int64_t places = to->place ? (int64_t)all->conditions * all->times : 0;
    broadcast(job, &places, sizeof places);
    if (places == 0) return;
    if (job->rank != 0) to->place = memory_new(MEMORY_BUFFERS, (size_t)places, sizeof *to->place);
    broadcast(job, to->place, (int64_t)sizeof *to->place * places);
}

/** All but values that nobody but rank 0 has kept. Collective. */
static status read_pieces(const context *job, const char *path, const table_reading *how, table_pieces *to, table *result) {
    *result = (table){0};
    status mine = job->rank == 0 ? read_file(path, how, to, result) : STATUS_OK;
    if (job->rank == 0) table_put_end(to);
    else if (to->ranks > 1) table_take(to);
    status agreed = status_agree(job, mine);
    if (agreed != STATUS_OK) {
        table_pieces_clear(to);
        table_clear(result);
        return agreed;
    }
    broadcast_head(job, result);
    return STATUS_OK;
}

status table_read(const context *job, const char *path, const table_reading *how, table *result) {
    table_pieces pieces = table_pieces_begin(job, false, false);
    status agreed = read_pieces(job, path, how, &pieces, result);
    if (agreed != STATUS_OK) return agreed;
    if (job->rank == 0) table_keep(&pieces, 0, result);
    table_pieces_clear(&pieces);
    result->values = receive(job, result->values, (int64_t)sizeof(double) * result->conditions * result->times * result->units);
    return STATUS_OK;
}

status table_read_shared(const context *job, const char *path, const table_reading *how, table *result) {
    table_pieces pieces = table_pieces_begin(job, true, false);
    status agreed = read_pieces(job, path, how, &pieces, result);
    if (agreed != STATUS_OK) return agreed;
    broadcast_places(job, result, &pieces);
    table_keep(&pieces, job->rank, result);
    return STATUS_OK;
}

status table_read_rows(const context *job, const char *path, const table_reading *how, int64_t rows, table *result) {
    table_pieces pieces = table_pieces_begin(job, true, false);
    pieces.shared_rows = rows;
    status agreed = read_pieces(job, path, how, &pieces, result);
    if (agreed != STATUS_OK) return agreed;
    if (result->conditions == 1 && result->times == rows) table_keep(&pieces, job->rank, result);
    table_pieces_clear(&pieces);
    return STATUS_OK;
}

status table_read_sums(const context *job, const char *path, const table_reading *how, table *result) {
    table_pieces pieces = table_pieces_begin(job, false, true);
    status agreed = read_pieces(job, path, how, &pieces, result);
    if (agreed != STATUS_OK) return agreed;
    table_keep(&pieces, 0, result);
    result->sums = receive(job, result->sums, (int64_t)sizeof(double) * result->conditions * result->units);
    return STATUS_OK;
}

void table_tell(const context *job, const char *path, const char *quantity, const table *all) {
    if (job->rank != 0) return;
    const double count = (double)all->conditions * all->times * all->units;
    char bin[64] = "a single time";
    int digits = fabs(all->time[all->times - 1]) < 1e8 ? 8 : 14; /* of dates */
    if (all->times > 1) snprintf(bin, sizeof bin, all->regular ? "bins of %.6g ms" : "unequal bins, the first of %.6g ms", all->bin);
    log_line(job, "%s: %d condition%s x %d times x %d unit%s (%s); %s, %.*g to %.*g ms (%s); mean %.3g%s, %.3g to %.3g", path, all->conditions,
             all->conditions == 1 ? "" : "s", all->times, all->units, all->units == 1 ? "" : "s", all->layout, bin, digits, all->time[0], digits,
             all->time[all->times - 1], all->time_source, all->sum / count, quantity, all->least, all->most);
    if (all->ignored[0]) log_warning(job, "%s: left out: %s", path, all->ignored);
    if (all->doubt[0]) log_warning(job, "%s: %s", path, all->doubt);
}

void table_clear(table *all) {
    for (int i = 0; all->condition && i < all->conditions; i++) free(all->condition[i]);
    for (int i = 0; all->unit && i < all->units; i++) free(all->unit[i]);
    free(all->condition);
    free(all->unit);
    memory_free(all->time);
    memory_free(all->values);
    memory_free(all->sums);
    *all = (table){0};
}

double table_interpolate(const double *time, int times, const double *values, int64_t stride, double t) {
    int low = 0, high = times - 1;
    if (t <= time[low]) return values[0];
    if (t >= time[high]) return values[high * stride];
    while (high - low > 1) {
        int middle = low + (high - low) / 2;
        if (time[middle] <= t) low = middle;
        else high = middle;
    }
    double before = values[low * stride], after = values[high * stride];
    return before + (after - before) * ((t - time[low]) / (time[high] - time[low]));
}

double table_at(const table *all, int condition, int unit, double t) {
    return table_interpolate(all->time, all->times, all->values + (int64_t)condition * all->times * all->units + unit, all->units, t);
}
