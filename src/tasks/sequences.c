#include "sequences.h"

#include <math.h>
#include <stdlib.h>

#include "engram/memory.h"
#include "../io/h5_foreign.h"

enum { PIECE = 1 << 20, STEPS_MAX = 65535, COLUMNS_MAX = 65535 };

/** Rows [first, first + rows) of the first axis, narrowed. */
static status read_piece(const foreign_dataset *input, int64_t first, int64_t rows, sequences *s, double *piece) {
    const int64_t each = (int64_t)s->rows * s->columns;
    status read = foreign_rows(input, first, rows, FOREIGN_DOUBLE, piece);
    for (int64_t i = 0; i < rows * each && read == STATUS_OK; i++) {
        s->value[first * each + i] = (float)piece[i];
        if (!isfinite(s->value[first * each + i]))
            read = status_fail(STATUS_INPUT, "%s: dataset '%s': %g at sample %lld, row %lld, column %lld (from 0); allowed are finite floats",
                               input->file->path, input->name, piece[i], (long long)(first + i / each), (long long)(i % each / s->columns),
                               (long long)(i % s->columns));
    }
    return read;
}

static status read_values(const foreign_dataset *input, sequences *s) {
    const int64_t each = (int64_t)s->rows * s->columns, most = PIECE / each > 0 ? PIECE / each : 1;
    const char *where;
    const double gib = 1073741824, bytes = (double)s->count * (double)each * sizeof(float), left = (double)memory_available("", &where);
    if (bytes > left)
        return status_fail(STATUS_INPUT, "%s: dataset '%s' takes %.3g GiB on every rank, but %s has %.3g GiB left", input->file->path, input->name,
                           bytes / gib, where, left / gib);
    s->value = memory_new(MEMORY_TARGETS, (size_t)(s->count * each), sizeof *s->value);
    double *piece = memory_new(MEMORY_BUFFERS, (size_t)(most * each), sizeof *piece);
    status read = STATUS_OK;
    for (int64_t n = 0; n < s->count && read == STATUS_OK; n += most) read = read_piece(input, n, s->count - n < most ? s->count - n : most, s, piece);
    memory_free(piece);
    return read;
}

static status read_dataset(foreign_file *file, sequence_source source, bool values, sequences *s) {
    foreign_dataset input = {0};
    status read = foreign_dataset_open(file, true, source.dataset, source.axes, H5_INPUT_REAL | H5_INPUT_INTEGER | H5_INPUT_COARSE, &input);
    if (read != STATUS_OK) return read;
    if (input.count < 1 || input.shape[1] > STEPS_MAX || input.shape[2] > COLUMNS_MAX)
        read = status_fail(STATUS_INPUT, "%s: dataset '%s' has %lld samples of %lld rows of %lld columns; allowed are 1 and more, 1 to %d, and 1 to %d",
                           file->path, source.dataset, (long long)input.shape[0], (long long)input.shape[1], (long long)input.shape[2], STEPS_MAX, COLUMNS_MAX);
    else *s = (sequences){.count = input.shape[0], .rows = (int)input.shape[1], .columns = (int)input.shape[2]};
    if (read == STATUS_OK && values) read = read_values(&input, s);
    foreign_dataset_close(&input);
    return read;
}

status sequences_read(const task_setting *setting, sequence_source source, bool values, sequences *sequences) {
    char *path = config_resolve_path(setting->config, source.path);
    foreign_file file;
    status read = foreign_open(path, &file);
    if (read == STATUS_OK) read = read_dataset(&file, source, values, sequences);
    foreign_close(&file);
    free(path);
    return read;
}

status sequences_agree(sequence_source first, const sequences *a, sequence_source second, const sequences *b, bool columns) {
    if (a->count != b->count && !columns)
        return status_fail(STATUS_INPUT, "%s: dataset '%s' has %lld samples, but '%s' has %lld", second.path, second.dataset, (long long)b->count,
                           first.dataset, (long long)a->count);
    if (a->rows != b->rows || (columns && a->columns != b->columns))
        return status_fail(STATUS_INPUT, "%s: samples of dataset '%s' have %d rows of %d columns, but those of '%s' have %d of %d", second.path,
                           second.dataset, b->rows, b->columns, first.dataset, a->rows, a->columns);
    return STATUS_OK;
}

void sequences_share(const context *context, sequences *s) {
    enum { BROADCAST = 1 << 28 }; /* MPI counts are int */
    float *mine = s->value;
    CHECK_MPI(MPI_Bcast(s, (int)sizeof *s, MPI_BYTE, 0, context->comm));
    const int64_t values = s->count * s->rows * s->columns;
    s->value = NULL;
    if (!values) return; /* there is none */
    s->value = context->rank == 0 ? mine : memory_new(MEMORY_TARGETS, (size_t)values, sizeof *s->value);
    for (int64_t n = 0; n < values; n += BROADCAST)
        CHECK_MPI(MPI_Bcast(s->value + n, (int)(values - n < BROADCAST ? values - n : BROADCAST), MPI_FLOAT, 0, context->comm));
}

int64_t sequences_bytes(const sequences *s) {
    return s->count * s->rows * s->columns * (int64_t)sizeof *s->value;
}
