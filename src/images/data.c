#include "data.h"

#include <math.h>
#include <mpi.h>

int64_t data_size(data_type type) {
    return type == DATA_BYTES ? 1 : type == DATA_FLOATS ? (int64_t)sizeof(float) : (int64_t)sizeof(double);
}

status data_check(const char *path, const image_data *data) {
    const double gib = 1073741824;
    const char *where;
    double bytes = (double)data->count * (double)data->each * (double)data_size(data->type), left = (double)memory_available("", &where);
    if (bytes > left)
        return status_fail(STATUS_INPUT, "%s: %lld images of %lld pixels take %.3g GiB on every rank, but %s has %.3g GiB left", path, (long long)data->count,
                           (long long)data->each, bytes / gib, where, left / gib);
    return STATUS_OK;
}

status data_make(const char *path, image_data *data) {
    status mine = data_check(path, data);
    if (mine == STATUS_OK) data->values = memory_new(MEMORY_TARGETS, (size_t)data->count * (size_t)data->each, (size_t)data_size(data->type));
    return mine;
}

void data_share_bytes(const context *context, void *bytes, int64_t count) {
    enum { PIECE = 1 << 30 }; /* MPI counts are int */
    for (int64_t done = 0, size; done < count; done += size) {
        size = count - done < PIECE ? count - done : PIECE;
        CHECK_MPI(MPI_Bcast((char *)bytes + done, (int)size, MPI_BYTE, 0, context->comm));
    }
}

void data_share(const context *context, image_data *data) {
    void *mine = data->values;
    data_share_bytes(context, data, sizeof *data);
    data->values = mine;
    if (context->rank != 0) data->values = memory_new(MEMORY_TARGETS, (size_t)data->count * (size_t)data->each, (size_t)data_size(data->type));
    data_share_bytes(context, data->values, data->count * data->each * data_size(data->type));
}

/* ---- sampling anew ---- */

int64_t resampling_bytes(int to) {
    return to * (int64_t)(sizeof(int) + sizeof(double));
}

void resampling_make(int from, int to, resampling *line) {
    *line = (resampling){from, to, memory_new(MEMORY_TARGETS, (size_t)to, sizeof *line->below), memory_new(MEMORY_TARGETS, (size_t)to, sizeof *line->above)};
    for (int q = 0; q < to; q++) {
        double position = fmin(fmax((q + 0.5) * from / to - 0.5, 0), from - 1);
        int below = (int)position;
        if (below > from - 2) below = from > 1 ? from - 2 : 0;
        line->below[q] = below;
        line->above[q] = position - below;
    }
}

void resampling_clear(resampling *line) {
    memory_free(line->below), memory_free(line->above);
    *line = (resampling){0};
}

void resample(const image_data *data, int64_t first, const resampling *rows, const resampling *columns, double *values) {
    int next_row = rows->from > 1 ? columns->from : 0, next = columns->from > 1;
    for (int r = 0; r < rows->to; r++) {
        int64_t row = first + (int64_t)rows->below[r] * columns->from;
        double down = rows->above[r];
        for (int c = 0; c < columns->to; c++) {
            int64_t at = row + columns->below[c];
            double right = columns->above[c];
            double upper = (1 - right) * data_value(data, at) + right * data_value(data, at + next);
            double lower = (1 - right) * data_value(data, at + next_row) + right * data_value(data, at + next_row + next);
            *values++ = (1 - down) * upper + down * lower;
        }
    }
}
