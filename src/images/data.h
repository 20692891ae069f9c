/** @file data.h
 *  What images of files are made of: samples of equal size, in the smallest type that holds them exactly. Rank 0 reads, all receive.
 */
#ifndef IMAGES_DATA_H
#define IMAGES_DATA_H

#include "engram/images.h"
#include "engram/memory.h"

enum { DATA_VALUES_MAX = 1 << 24 }; /**< of a sample */

typedef enum { DATA_BYTES, DATA_FLOATS, DATA_DOUBLES, DATA_TYPES } data_type;

typedef struct {
    data_type type;
    int64_t count; /**< samples */
    int64_t each;  /**< values of a sample */
    void *values;  /**< [count][each], memory_free(); NULL: none yet */
} image_data;

int64_t data_size(data_type type);

/** Has this node room for the samples that the struct names? Not collective. @param path for messages @return STATUS_INPUT with a message */
status data_check(const char *path, const image_data *data);

/** Make room for them, if there is any. As data_check(). */
status data_make(const char *path, image_data *data);

/** Rank 0's samples for all ranks. Collective. */
void data_share(const context *context, image_data *data);

/** Anything else of rank 0's. Collective. */
void data_share_bytes(const context *context, void *bytes, int64_t count);

static inline double data_value(const image_data *data, int64_t i) {
    switch (data->type) {
        case DATA_BYTES: return ((const uint8_t *)data->values)[i];
        case DATA_FLOATS: return ((const float *)data->values)[i];
        default: return ((const double *)data->values)[i];
    }
}

/* ---- sampling anew ---- */

/** Where the pixels of a line of another length lie: position (q + 1/2) from/to - 1/2 of pixel q, clamped to the line, so that outer corners meet. */
typedef struct {
    int from, to;
    int *below;    /**< [to] the pixel before it, at most from - 2 unless from is 1 */
    double *above; /**< [to] weight of the next one */
} resampling;

void resampling_make(int from, int to, resampling *line);
void resampling_clear(resampling *line);
int64_t resampling_bytes(int to);

/** Bilinear: a weighted mean of the four pixels around. @param data [rows->from][columns->from] from value @p first on
 *  @param[out] values [rows->to][columns->to] */
void resample(const image_data *data, int64_t first, const resampling *rows, const resampling *columns, double *values);

#endif
