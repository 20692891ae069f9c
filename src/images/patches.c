/* Windows of natural scenes, after Mikulasch, Rudelt & Priesemann 2021, whose images are those of Olshausen & Field 1997, whitened beforehand. Each PNG image
 * of a folder becomes grey, a square cut from its middle with an even side of at most `size`; mean 0, standard deviation 1; whitened; variance `variance`; and
 * shrunk to half, means of 2 x 2 pixels. A window v of side x side pixels is shown as [g(v), g(-v)], g(v) = 1/(1 + exp(-gain (v - threshold))): what is
 * brighter and what is darker. Windows are at least `border` from the edge. An image is divided into upright strips, about as many as leave a window and a half
 * to the right part of each, where windows to test with lie; those to train with are in the left parts, so that they share no pixel. Within its set each window
 * is equally likely. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engram/random.h"
#include "png_read.h"
#include "whiten.h"

enum { SIZE_MAX_WHITE = 1024, SIDE_MAX = 256, NUMBER_BITS = 40 };

typedef struct {
    char *path;
    int64_t side, size, border;
    bool whiten, split;
    double cutoff, variance, gain, threshold, test_share;
} parameters;

static const param params[] = {
    {"path", PARAM_PATH, UNIT_NONE, NULL, 0, 0, NULL, "folder with PNG images", offsetof(parameters, path), MAY_TEST,
     PATH_FOLDER | PATH_OTHER},
    {"side", PARAM_INTEGER, UNIT_NONE, "8", 1, SIDE_MAX, NULL, "of a window, pixels", offsetof(parameters, side)},
    {"size", PARAM_INTEGER, UNIT_NONE, "512", 4, SIZE_MAX_WHITE, NULL, "side of the square cut from an image, at most; it is then shrunk to half",
     offsetof(parameters, size), MAY_TEST},
    {"border", PARAM_INTEGER, UNIT_NONE, "4", 0, SIZE_MAX_WHITE, NULL, "of a shrunk image, where no window is", offsetof(parameters, border), MAY_TEST},
    {"whiten", PARAM_FLAG, UNIT_NONE, "true", 0, 0, NULL, "filter with f exp(-(f/f0)^4); false: images are as they should be", offsetof(parameters, whiten),
     MAY_TEST},
    {"cutoff", PARAM_NUMBER, UNIT_NONE, "0.4", 1e-3, 10, NULL, "f0, in sides of the square per picture (Olshausen & Field 1997: 200 cycles of 512 pixels)",
     offsetof(parameters, cutoff), MAY_TEST},
    {"variance", PARAM_NUMBER, UNIT_NONE, "0.1", 1e-9, 1e9, NULL, "of an image, before it is shrunk", offsetof(parameters, variance), MAY_TEST},
    {"split", PARAM_FLAG, UNIT_NONE, "true", 0, 0, NULL, "on and off, 2 side^2 inputs; false: the pixels, side^2 inputs", offsetof(parameters, split)},
    {"gain", PARAM_NUMBER, UNIT_NONE, "16", 1e-6, 1e6, NULL, "of on and off", offsetof(parameters, gain), MAY_TEST},
    {"threshold", PARAM_NUMBER, UNIT_NONE, "0.15", -1e6, 1e6, NULL, "of on and off: half way up", offsetof(parameters, threshold), MAY_TEST},
    {"test_share", PARAM_NUMBER, UNIT_NONE, "0.2", 0.01, 0.99, NULL, "right part of every strip of an image, where windows to test with are",
     offsetof(parameters, test_share), MAY_TEST},
};
static const param_table table = {"patches", "windows of natural scenes, on and off (a folder of PNG images)", params, sizeof params / sizeof *params,
                                  sizeof(parameters)};

/** A strip of a shrunk image. */
typedef struct strip {
    int image;
    int side;                     /**< of the image */
    int64_t first;                /**< where the image begins in the samples */
    int rows;                     /**< where windows may begin, from the border on */
    int column[IMAGES_SETS];      /**< the first where windows of a set may begin, */
    int columns[IMAGES_SETS];     /**< and how many such there are */
    int64_t windows[IMAGES_SETS]; /**< of this strip and those before */
} strip;

typedef struct {
    uint64_t seed;
    int side, border, images, count;
    bool split;
    double gain, threshold;
    strip *strips;   /**< [count] */
    image_data data; /**< one sample: all shrunk images, one behind the other */
} patches;

/* ---- sizes ---- */

static int shrunk(const parameters *p, int height, int width) {
    int side = height < width ? height : width;
    return (side < p->size ? side : (int)p->size) / 2;
}

/** Divide an image. @param[in,out] patches its strips follow those of the images before @return not agreed: STATUS_INPUT where there is no room */
static status divide(const parameters *p, const char *path, int side, patches *patches) {
    int window = (int)p->side, room = side - 2 * (int)p->border, wide = (int)(room * p->test_share / (1.5 * window)), strips = wide > 1 ? wide : 1;
    patches->strips = memory_resize(MEMORY_TARGETS, patches->strips, (size_t)(patches->count + strips), sizeof *patches->strips);
    for (int k = 0; k < strips; k++) {
        int left = (int)((int64_t)room * k / strips), width = (int)((int64_t)room * (k + 1) / strips) - left, test = (int)lround(width * p->test_share);
        strip *strip = &patches->strips[patches->count + k];
        *strip = (struct strip){.image = patches->images, .side = side, .first = patches->data.each, .rows = room - window + 1};
        strip->column[IMAGES_TRAIN] = (int)p->border + left, strip->columns[IMAGES_TRAIN] = width - test - window + 1;
        strip->column[IMAGES_TEST] = (int)p->border + left + width - test, strip->columns[IMAGES_TEST] = test - window + 1;
        if (strip->columns[IMAGES_TRAIN] < 1 || strip->columns[IMAGES_TEST] < 1)
            return status_fail(STATUS_INPUT,
                               "%s: shrunk to %d x %d pixels it has no room for windows of %d: %d columns inside the border, %d of them to test with", path,
                               side, side, window, room > 0 ? room : 0, test > 0 ? test : 0);
        for (int s = 0; s < IMAGES_SETS; s++)
            strip->windows[s] = (patches->count + k ? strip[-1].windows[s] : 0) + (int64_t)strip->rows * strip->columns[s];
    }
    patches->count += strips, patches->images++, patches->data.each += (int64_t)side * side;
    return STATUS_OK;
}

/** Headers of all images. @param[out] names [count] png_list_free() @param[out] patches its strips are made here, and its samples counted */
static status plan_strips(const image_setting *setting, const parameters *p, char ***names, int *count, patches *patches) {
    char *folder = config_resolve_path(setting->config, p->path);
    status read = png_list(folder, names, count);
    free(folder);
    patches->data = (image_data){.type = DATA_FLOATS, .count = 1};
    for (int i = 0; i < *count && read == STATUS_OK; i++) {
        int height, width;
        read = png_read((*names)[i], &height, &width, NULL);
        if (read == STATUS_OK) read = divide(p, (*names)[i], shrunk(p, height, width), patches);
    }
    return read;
}

/* ---- images ---- */

/** Mean 0 and a variance. @return false: the image is of one colour */
static bool standardise(int64_t count, double variance, double *values) {
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < count; i++) sum += values[i];
    for (int64_t i = 0; i < count; i++) values[i] -= sum / (double)count, squares += values[i] * values[i];
    double scale = sqrt(variance * (double)count / squares);
    if (!(squares > 0) || !isfinite(scale)) return false;
    for (int64_t i = 0; i < count; i++) values[i] *= scale;
    return true;
}

/** A square from the middle. */
static double *crop(const double *grey, int height, int width, int side) {
    double *square = memory_new(MEMORY_BUFFERS, (size_t)side * (size_t)side, sizeof *square);
    int top = (height - side) / 2, left = (width - side) / 2;
    for (int r = 0; r < side; r++) memcpy(square + (int64_t)r * side, grey + (int64_t)(top + r) * width + left, (size_t)side * sizeof *square);
    return square;
}

/** From a file to the shrunk image. @param half its side @param[out] values [half][half] */
static status read_image(const parameters *p, const char *path, int half, float *values) {
    int height, width, side = 2 * half;
    double *grey;
    status read = png_read(path, &height, &width, &grey);
    if (read != STATUS_OK) return read;
    if (shrunk(p, height, width) != half) {
        memory_free(grey);
        return status_fail(STATUS_INPUT, "%s: changed while it was read", path);
    }
    double *square = crop(grey, height, width, side);
    memory_free(grey);
    int64_t pixels = (int64_t)side * side;
    bool fine = standardise(pixels, 1, square);
    if (fine && p->whiten) whiten(side, p->cutoff * side, square);
    if (fine) fine = standardise(pixels, p->variance, square);
    if (!fine) read = status_fail(STATUS_INPUT, "%s: all pixels have one colour", path);
    for (int r = 0; r < half && fine; r++)
        for (int c = 0; c < half; c++) {
            const double *corner = square + (int64_t)2 * r * side + 2 * c;
            *values++ = (float)(0.25 * (corner[0] + corner[1] + corner[side] + corner[side + 1]));
        }
    memory_free(square);
    return read;
}

/** On one rank. */
static status read_images(const image_setting *setting, const parameters *p, patches *patches) {
    char **names = NULL;
    int count;
    status read = plan_strips(setting, p, &names, &count, patches);
    if (read == STATUS_OK) read = data_make(p->path, &patches->data);
    for (int s = 0, next = 0; s < patches->count && read == STATUS_OK; s++) {
        const strip *strip = &patches->strips[s];
        if (strip->image == next) read = read_image(p, names[next++], strip->side, (float *)patches->data.values + strip->first);
    }
    png_list_free(names, count);
    return read;
}

/* ---- the kind ---- */

static status size_of(const image_setting *setting, const void *raw, image_size *size) {
    const parameters *p = raw;
    patches patches = {0};
    char **names = NULL;
    int count, largest = 0;
    status read = plan_strips(setting, p, &names, &count, &patches);
    for (int s = 0; s < patches.count; s++)
        if (patches.strips[s].side > largest) largest = patches.strips[s].side;
    png_list_free(names, count);
    memory_free(patches.strips);
    size->rows = size->columns = (int)p->side;
    size->planes = p->split ? 2 : 1;
    size->bytes = (int64_t)sizeof patches + patches.count * (int64_t)sizeof(strip) + patches.data.each * (int64_t)sizeof(float);
    size->building = 3 * (int64_t)sizeof(double) * 4 * largest * largest;
    return read;
}

static void close_patches(void *raw) {
    patches *patches = raw;
    memory_free(patches->strips), memory_free(patches->data.values);
    memory_free(patches);
}

static status open_patches(const image_setting *setting, const void *raw, image_content *content) {
    const parameters *p = raw;
    const context *job = setting->context;
    patches *patches = memory_new(MEMORY_TARGETS, 1, sizeof *patches);
    status agreed = status_agree(job, job->rank == 0 ? read_images(setting, p, patches) : STATUS_OK);
    if (agreed != STATUS_OK) {
        close_patches(patches);
        return agreed;
    }
    data_share_bytes(job, &patches->count, sizeof patches->count);
    data_share_bytes(job, &patches->images, sizeof patches->images);
    if (job->rank != 0) patches->strips = memory_new(MEMORY_TARGETS, (size_t)patches->count, sizeof *patches->strips);
    data_share_bytes(job, patches->strips, patches->count * (int64_t)sizeof *patches->strips);
    data_share(job, &patches->data);
    patches->seed = setting->seed;
    patches->side = (int)p->side, patches->border = (int)p->border;
    patches->split = p->split, patches->gain = p->gain, patches->threshold = p->threshold;
    content->self = patches;
    content->rows = content->columns = patches->side;
    content->planes = p->split ? 2 : 1;
    const strip *last = &patches->strips[patches->count - 1];
    snprintf(content->about, sizeof content->about, "%d images, windows of %d x %d%s: %lld to train with, %lld to test with, from the right %g of strips",
             patches->images, patches->side, patches->side, p->split ? ", on and off" : "", (long long)last->windows[IMAGES_TRAIN],
             (long long)last->windows[IMAGES_TEST], p->test_share);
    return STATUS_OK;
}

/** The strip that window @p n of a set is in. */
static const strip *find(const patches *patches, image_set set, int64_t n) {
    int low = 0, high = patches->count - 1;
    while (low < high) {
        int middle = (low + high) / 2;
        if (n < patches->strips[middle].windows[set]) high = middle;
        else low = middle + 1;
    }
    return &patches->strips[low];
}

static void get(const void *raw, image_set set, int64_t number, double *values) {
    const patches *patches = raw;
    int side = patches->side;
    uint64_t counter = (uint64_t)set << NUMBER_BITS | (uint64_t)number, all = (uint64_t)patches->strips[patches->count - 1].windows[set];
    int64_t n = (int64_t)random_below(patches->seed, RANDOM_IMAGE, 0, counter, all);
    const strip *strip = find(patches, set, n);
    n -= strip == patches->strips ? 0 : strip[-1].windows[set];
    int row = patches->border + (int)(n / strip->columns[set]), column = strip->column[set] + (int)(n % strip->columns[set]);
    const float *corner = (const float *)patches->data.values + strip->first + (int64_t)row * strip->side + column;
    for (int r = 0; r < side; r++, corner += strip->side)
        for (int c = 0; c < side; c++, values++) {
            double v = corner[c];
            if (!patches->split) *values = v;
            else {
                values[0] = 1 / (1 + exp(-patches->gain * (v - patches->threshold)));
                values[side * side] = 1 / (1 + exp(-patches->gain * (-v - patches->threshold)));
            }
        }
}

const image_kind image_patches = {.parameters = &table, .size = size_of, .open = open_patches, .close = close_patches, .get = get};
