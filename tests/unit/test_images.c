/** @file test_images.c
 *  Images: statistics of what is drawn, and files as they should and should not be. One rank.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <hdf5.h>
#include <png.h>
#include <zlib.h>

#include "../images.h"
#include "engram/memory.h"
#include "images/data.h"
#include "images/whiten.h"
#include "io/h5_server.h"

static context job;
static char folder[64];

static const char *in_folder(const char *name) {
    static char paths[8][128];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/** Also that a rank holds what was planned. */
static images *opened(const char *text) {
    image_size planned = {0};
    images *images;
    int64_t before = memory_held(MEMORY_TARGETS);
    assert_int_equal(open_images(&job, text, &planned, &images), STATUS_OK);
    int64_t held = memory_held(MEMORY_TARGETS) - before;
    if (llabs(held - planned.bytes) > 4096) fail_msg("%lld bytes planned, %lld held", (long long)planned.bytes, (long long)held);
    int rows, columns, planes;
    images_shape(images, &rows, &columns, &planes);
    assert_true(rows == planned.rows && columns == planned.columns && planes == planned.planes);
    assert_int_equal(images_inputs(images), rows * columns * planes);
    return images;
}

static void assert_told(const char *text, bool plan, status expected, const char *word) {
    fflush(stderr);
    int old = dup(STDERR_FILENO);
    assert_non_null(freopen(in_folder("told"), "w", stderr));
    images *images;
    image_size planned;
    int64_t before = memory_held(MEMORY_TARGETS) + memory_held(MEMORY_BUFFERS);
    status code = open_images(&job, text, plan ? &planned : NULL, &images);
    images_close(images);
    int64_t after = memory_held(MEMORY_TARGETS) + memory_held(MEMORY_BUFFERS);
    fflush(stderr);
    dup2(old, STDERR_FILENO);
    close(old);
    char told[4096] = "";
    FILE *file = fopen(in_folder("told"), "r");
    size_t got = fread(told, 1, sizeof told - 1, file);
    fclose(file);
    told[got] = '\0';
    assert_int_equal(after, before);
    if (code != expected || !strstr(told, word)) fail_msg("%s: code %d, '%s' does not say '%s'", text, code, told, word);
}

static void assert_refused(const char *text, const char *word) {
    assert_told(text, false, STATUS_INPUT, word);
    assert_told(text, true, STATUS_INPUT, word); /* and so does a plan */
}

static void assert_describes(const images *images, const char *word) {
    char text[1024];
    images_describe(images, text, sizeof text);
    if (!strstr(text, word)) fail_msg("'%s' does not say '%s'", text, word);
}

/* ---- bars ---- */

static bool holds(const double *image, const double *mask, int inputs) {
    for (int i = 0; i < inputs; i++)
        if (mask[i] > image[i]) return false;
    return true;
}

/** Which of the masks an image is the union of; every image of two bars is. */
static void check_bars(double p, int count) {
    char text[128];
    snprintf(text, sizeof text, "stimulus: {kind: bars, pair_probability: %g}\n", p);
    images *images = opened(text);
    int M = images_inputs(images), singles, pairs, shown_pairs = 0, shown[16] = {0};
    const double *masks = images_parts(images, &singles, &pairs);
    assert_true(M == 64 && singles == 16 && pairs == 8 && images_count(images, IMAGES_TRAIN) == 0);
    double sum = 0, image[64];
    for (int n = 0; n < count; n++) {
        images_get(images, IMAGES_TRAIN, n, image);
        int bars = 0, pixels = 0, expected[64] = {0};
        for (int b = 0; b < singles; b++)
            if (holds(image, masks + b * M, M)) {
                bars++, shown[b]++;
                for (int i = 0; i < M; i++) expected[i] |= masks[b * M + i] > 0;
            }
        for (int i = 0; i < M; i++) assert_true(image[i] == expected[i]), pixels += expected[i];
        assert_true(bars == 1 || bars == 2);
        for (int k = 0; k < pairs; k++) shown_pairs += holds(image, masks + (singles + k) * M, M);
        sum += pixels;
    }
    double pixel = 1 - pow(1 - 1. / 8, 2), rate = p + (1 - p) / 16, sd = sqrt(rate * (1 - rate) / count);
    assert_float_equal(sum / count / M, pixel, 5 * 0.03 / sqrt(count)); /* 15 or 16 pixels of 64, or 8 */
    assert_float_equal((double)shown_pairs / count, rate, 5 * sd + 1e-12);
    for (int b = 0; b < singles; b++) assert_float_equal((double)shown[b] / count, 1. / 8, 0.01); /* (bars of the image)/16 on average, nearly */
    images_close(images);
}

static void test_bars(void **state) {
    (void)state;
    check_bars(0, 40000);
    check_bars(0.6, 40000);
    check_bars(1, 10000);
}

/** Same image in any order, sets and seeds apart; pair k of parts k and singles/2 + k. */
static void test_order(void **state) {
    (void)state;
    images *images = opened("stimulus: {kind: bars, side: 4, pair_probability: 0.7}\n");
    double first[200][16], now[16];
    int same = 0, singles, pairs;
    for (int n = 0; n < 200; n++) images_get(images, IMAGES_TRAIN, n, first[n]);
    for (int n = 199; n >= 0; n--) {
        images_get(images, IMAGES_TRAIN, n, now);
        assert_memory_equal(now, first[n], sizeof now);
        images_get(images, IMAGES_TEST, n, now);
        same += memcmp(now, first[n], sizeof now) == 0;
    }
    assert_true(same < 80);
    const double *masks = images_parts(images, &singles, &pairs);
    for (int k = 0; k < pairs; k++)
        for (int i = 0; i < 16; i++)
            assert_true(masks[(singles + k) * 16 + i] == fmax(masks[k * 16 + i], masks[(singles / 2 + k) * 16 + i]));
    assert_true(masks[0] == 1 && masks[4] == 1 && masks[1] == 0 && masks[4 * 16 + 1] == 1 && masks[4 * 16 + 4] == 0); /* columns, then rows */
    assert_describes(images, "bars, side 4, pair_probability 0.7, values 0 to 1, mean 0.4");
    images_close(images);
    assert_refused("stimulus: {kind: bars, side: 0}\n", "side");
}

/* ---- resampling ---- */

static void test_resampling(void **state) {
    (void)state;
    uint8_t pixels[] = {0, 10, 20, 30, 40, 60, 80, 100};
    image_data data = {.type = DATA_BYTES, .count = 1, .each = 8, .values = pixels};
    resampling row, column;
    double values[16];
    resampling_make(2, 1, &row), resampling_make(4, 3, &column); /* columns at 1/6, 3/2, 17/6; row at 1/2 */
    resample(&data, 0, &row, &column, values);
    double upper[] = {10. / 6, 15, 20 + 50. / 6}, lower[] = {40 + 20. / 6, 70, 80 + 100. / 6};
    for (int c = 0; c < 3; c++) assert_float_equal(values[c], (upper[c] + lower[c]) / 2, 1e-12);
    resampling_clear(&row), resampling_clear(&column);
    resampling_make(1, 2, &row), resampling_make(4, 8, &column); /* larger: -1/4 is clamped, 1/4, 3/4, ... */
    resample(&data, 4, &row, &column, values);
    const double larger[] = {40, 45, 55, 65, 75, 85, 95, 100};
    for (int c = 0; c < 8; c++) assert_float_equal(values[c], larger[c], 1e-12);
    resampling_clear(&row), resampling_clear(&column);
    resampling_make(28, 16, &row); /* of digits: (q + 1/2) 28/16 - 1/2 */
    assert_true(row.below[0] == 0 && row.below[15] == 26 && row.below[1] == 2);
    assert_float_equal(row.above[0], 0.375, 1e-12), assert_float_equal(row.above[15], 0.625, 1e-12), assert_float_equal(row.above[1], 0.125, 1e-12);
    resampling_clear(&row);
}

/* ---- IDX ---- */

static void write_bytes(const char *name, const void *bytes, size_t count, bool gzip) {
    if (gzip) {
        gzFile file = gzopen(in_folder(name), "wb");
        assert_int_equal(gzwrite(file, bytes, (unsigned)count), count);
        assert_int_equal(gzclose(file), Z_OK);
        return;
    }
    FILE *file = fopen(in_folder(name), "wb");
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    fclose(file);
}

static size_t put(uint8_t *bytes, size_t at, uint32_t value) {
    for (int i = 0; i < 4; i++) bytes[at + (size_t)i] = (uint8_t)(value >> (24 - 8 * i));
    return at + 4;
}

enum { COUNT = 50, ROWS = 3, COLUMNS = 4, EACH = ROWS * COLUMNS, HEADER = 16 };

static uint8_t pixel_of(int n, int i, int shift) {
    return (uint8_t)(7 * n + 13 * i + shift);
}

/** Samples with known pixels, and labels n % 5. @return bytes of the images */
static size_t make_idx(uint8_t *bytes, int count, int shift) {
    size_t at = put(bytes, put(bytes, put(bytes, put(bytes, 0, 0x803), (uint32_t)count), ROWS), COLUMNS);
    for (int n = 0; n < count; n++)
        for (int i = 0; i < EACH; i++) bytes[at++] = pixel_of(n, i, shift);
    return at;
}

static size_t make_labels(uint8_t *bytes, int count) {
    size_t at = put(bytes, put(bytes, 0, 0x801), (uint32_t)count);
    for (int n = 0; n < count; n++) bytes[at++] = (uint8_t)(n % 5);
    return at;
}

static void write_idx(bool gzip) {
    uint8_t bytes[HEADER + COUNT * EACH];
    size_t size = make_idx(bytes, COUNT, 0);
    write_bytes("train", bytes, size, gzip);
    size = make_idx(bytes, 20, 3);
    write_bytes("test", bytes, size, gzip);
    size = make_labels(bytes, COUNT);
    write_bytes("train-labels", bytes, size, gzip);
    size = make_labels(bytes, 20);
    write_bytes("test-labels", bytes, size, gzip);
}

#define IDX_PATHS "kind: idx, path: %s/train, test_path: %s/test"

static const char *idx_text(const char *more) {
    static char text[1024];
    snprintf(text, sizeof text, "stimulus: {" IDX_PATHS "%s}\n", folder, folder, more);
    return text;
}

static const char *with_labels(const char *more) {
    static char text[512];
    snprintf(text, sizeof text, ", labels_path: %s/train-labels, test_labels_path: %s/test-labels%s", folder, folder, more);
    return text;
}

static void test_idx(void **state) {
    (void)state;
    for (int gzip = 0; gzip < 2; gzip++) {
        write_idx(gzip);
        images *images = opened(idx_text(""));
        double values[EACH];
        int parts, pairs;
        assert_int_equal(images_count(images, IMAGES_TRAIN), COUNT);
        assert_int_equal(images_count(images, IMAGES_TEST), 20);
        for (int n = 0; n < 2 * COUNT; n++) { /* again and again */
            images_get(images, IMAGES_TRAIN, n, values);
            for (int i = 0; i < EACH; i++) assert_true(values[i] == pixel_of(n % COUNT, i, 0) / 255.);
        }
        images_get(images, IMAGES_TEST, 19, values);
        assert_true(values[5] == pixel_of(19, 5, 3) / 255.);
        assert_null(images_parts(images, &parts, &pairs));
        assert_true(parts == 0 && pairs == 0);
        images_close(images);
        images = opened(idx_text(with_labels(", labels: [4, 1], rows: 6, columns: 2")));
        assert_int_equal(images_count(images, IMAGES_TRAIN), COUNT / 5 * 2);
        assert_int_equal(images_count(images, IMAGES_TEST), 8);
        assert_describes(images, "20 and 8 images of 6 x 2, sampled from 3 x 4, labels 4 1, values ");
        images_get(images, IMAGES_TRAIN, 1, values); /* sample 4: corner at row 0, column 1/2 */
        assert_float_equal(values[0], (pixel_of(4, 0, 0) + pixel_of(4, 1, 0)) / 510., 1e-12);
        images_close(images);
    }
}

/** Write a file with some bytes changed, or cut. */
static void spoil(const char *name, int at, int value, size_t size, bool gzip) {
    uint8_t bytes[HEADER + COUNT * EACH + 1] = {0};
    make_idx(bytes, COUNT, 0);
    if (at >= 0) bytes[at] = (uint8_t)value;
    write_bytes(name, bytes, size, gzip);
}

static void add_bytes(const char *name, const void *bytes, size_t count) {
    FILE *file = fopen(in_folder(name), "ab");
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    fclose(file);
}

/** Members of gzip, one behind the other, are one file: the header in two of them, then nothing, then samples. */
static void test_idx_members(void **state) {
    (void)state;
    uint8_t bytes[HEADER + COUNT * EACH];
    const size_t size = make_idx(bytes, COUNT, 0), ends[] = {0, 5, HEADER, HEADER, HEADER + 31, size};
    write_idx(true);
    unlink(in_folder("train"));
    for (int m = 0; m < 5; m++) {
        gzFile file = gzopen(in_folder("train"), "ab");
        const unsigned count = (unsigned)(ends[m + 1] - ends[m]);
        if (count) assert_int_equal(gzwrite(file, bytes + ends[m], count), count);
        assert_int_equal(gzclose(file), Z_OK);
    }
    images *images = opened(idx_text(""));
    double values[EACH];
    images_get(images, IMAGES_TRAIN, COUNT - 1, values);
    for (int i = 0; i < EACH; i++) assert_true(values[i] == pixel_of(COUNT - 1, i, 0) / 255.);
    images_close(images);
    gzFile file = gzopen(in_folder("train"), "ab");
    gzwrite(file, "x", 1), gzclose(file);
    assert_refused(idx_text(""), "goes on behind the 50 samples");
}

static void test_idx_damaged(void **state) {
    (void)state;
    const size_t whole = HEADER + COUNT * EACH;
    for (int gzip = 0; gzip < 2; gzip++) {
        write_idx(gzip);
        spoil("train", -1, 0, 0, false), assert_refused(idx_text(""), "ends in its header");
        spoil("train", -1, 0, 9, gzip), assert_refused(idx_text(""), "ends in its header");
        spoil("train", -1, 0, whole - 1, gzip);
        assert_refused(idx_text(""), gzip ? "ends in its samples, after 599 of 600 bytes" : "has 615 bytes instead of the 616");
        spoil("train", -1, 0, whole + 1, gzip), assert_refused(idx_text(""), gzip ? "goes on behind the 50 samples" : "has 617 bytes instead of the 616");
        spoil("train", 0, 1, whole, gzip), assert_refused(idx_text(""), "not an IDX file: it begins with 01 00 08 03");
        spoil("train", 2, 0x0D, whole, gzip), assert_refused(idx_text(""), "type 0x0d");
        spoil("train", 3, 1, whole, gzip), assert_refused(idx_text(""), "has 1 axes: images have 3");
        spoil("train", 3, 255, whole, gzip), assert_refused(idx_text(""), "has 255 axes");
        spoil("train", 4, 255, whole, gzip), assert_refused(idx_text(""), gzip ? "cannot hold the 4278190130 samples" : "instead of the 51338281576");
        spoil("train", 8, 255, whole, gzip), assert_refused(idx_text(""), "tells of 4278190083 x 4 pixels");
        spoil("train", 7, 0, whole, gzip), assert_refused(idx_text(""), "has no samples");
        spoil("train", 15, 0, whole, gzip), assert_refused(idx_text(""), "3 x 0 pixels");
    }
    write_idx(true); /* a stream of gzip cut off, or changed: then its sum is wrong */
    FILE *file = fopen(in_folder("train"), "rb");
    uint8_t bytes[4096];
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    write_bytes("train", bytes, size - 12, false), assert_refused(idx_text(""), "cut off");
    bytes[size - 6] ^= 1;
    write_bytes("train", bytes, size, false), assert_refused(idx_text(""), "is damaged: gzip says incorrect data check");
    write_idx(true);
    add_bytes("train", "junk", 4), assert_refused(idx_text(""), "has 4 bytes behind the end of what gzip made, at byte");
    write_idx(true);
    add_bytes("train", "\0\0\0", 3), assert_refused(idx_text(""), "has 3 bytes behind the end of what gzip made, at byte");
    write_idx(true);
    add_bytes("train", "\x1f", 1), assert_refused(idx_text(""), "the compressed file is cut off");
    write_idx(true);
    add_bytes("train-labels", "junk", 4), assert_refused(idx_text(with_labels("")), "train-labels: has 4 bytes behind the end of what gzip made");
    write_idx(false);
    assert_refused(idx_text(", labels: 3"), "labels_path: is not given, but labels are chosen");
    assert_refused(idx_text(", labels: 2.5"), "2.5 is none");
    assert_refused(idx_text(with_labels(", labels: 7")), "none of its labels");
    uint8_t labels[8 + COUNT];
    make_labels(labels, COUNT - 1);
    write_bytes("train-labels", labels, 8 + COUNT - 1, false), assert_refused(idx_text(with_labels(", labels: 1")), "has 49 labels, but");
    assert_refused(idx_text(with_labels("")), "has 49 labels, but"); /* of other images, though none are chosen */
    unlink(in_folder("train-labels")), assert_refused(idx_text(with_labels("")), "train-labels: cannot be read: No such file");
    assert_refused("stimulus: {kind: idx, path: '', test_path: a}\n", "stimulus.path = '' is empty");
    unlink(in_folder("test")), assert_refused(idx_text(""), "cannot be read: No such file");
    assert_int_equal(mkfifo(in_folder("test"), 0600), 0);
    assert_refused(idx_text(""), "is not a regular file");
    unlink(in_folder("test"));
    write_bytes("test", (uint8_t[]){0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 2, 7, 9}, 14, false), assert_refused(idx_text(""), "has images of 1 x 2 pixels, but");
}

/* ---- HDF5 ---- */

static void write_dataset(hid_t file, const char *name, int axes, const hsize_t *shape, const double *values) {
    hid_t space = H5Screate_simple(axes, shape, NULL), set = H5Dcreate2(file, name, H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(set), H5Sclose(space);
}

/** 3 images of 4 pixels of 64 bits in the file's type. */
static void write_integers(hid_t file, const char *name, hid_t type, int64_t largest) {
    int64_t values[12] = {1, 2, 3};
    values[10] = largest;
    hid_t space = H5Screate_simple(2, (hsize_t[]){3, 4}, NULL), set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    const bool is_signed = H5Tget_class(type) != H5T_INTEGER || H5Tget_sign(type) == H5T_SGN_2;
    assert_true(H5Dwrite(set, is_signed ? H5T_NATIVE_INT64 : H5T_NATIVE_UINT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(set), H5Sclose(space);
}

/** float16 as numpy has it. */
static hid_t half_type(void) {
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    H5Tset_fields(type, 15, 10, 5, 0, 10);
    H5Tset_size(type, 2);
    H5Tset_ebias(type, 15);
    return type;
}

/** An enumeration of bytes: h5py's booleans, if the last value is 1. */
static hid_t flag_type(int8_t last) {
    hid_t type = H5Tenum_create(H5T_NATIVE_INT8);
    H5Tenum_insert(type, "FALSE", (int8_t[]){0}), H5Tenum_insert(type, "TRUE", &last);
    return type;
}

static const char *hdf5_text(const char *more) {
    static char text[512];
    snprintf(text, sizeof text, "stimulus: {kind: hdf5, path: %s%s}\n", in_folder("images.h5"), more);
    return text;
}

static void test_hdf5(void **state) {
    (void)state;
    double values[5 * 18], now[18];
    hid_t file = H5Fcreate(in_folder("images.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    for (int i = 0; i < 90; i++) values[i] = i;
    write_dataset(file, "train", 3, (hsize_t[]){5, 2, 9}, values);
    write_dataset(file, "test", 2, (hsize_t[]){2, 18}, values);
    write_dataset(file, "short", 2, (hsize_t[]){2, 17}, values);
    write_dataset(file, "flat", 1, (hsize_t[]){90}, values);
    for (int i = 0; i < 90; i++) values[i] = i / 89.;
    write_dataset(file, "doubles", 2, (hsize_t[]){5, 18}, values);
    for (int i = 0; i < 90; i++) values[i] = (float)(i / 89.);
    write_dataset(file, "floats", 2, (hsize_t[]){5, 18}, values);
    values[40] = NAN;
    write_dataset(file, "nan", 2, (hsize_t[]){5, 18}, values);
    values[2 * 18 + 4] = 1e300;
    write_dataset(file, "far", 2, (hsize_t[]){5, 18}, values);
    hid_t space = H5Screate_simple(2, (hsize_t[]){(hsize_t)1 << 52, 64}, NULL), how = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(how, 2, (hsize_t[]){1, 64}); /* chunks that are nowhere */
    H5Dclose(H5Dcreate2(file, "endless", H5T_NATIVE_UCHAR, space, H5P_DEFAULT, how, H5P_DEFAULT));
    H5Sclose(space), H5Pclose(how), H5Fclose(file);

    images *images = opened(hdf5_text(", divisor: 89"));
    int rows, columns, planes;
    images_shape(images, &rows, &columns, &planes);
    assert_true(rows == 2 && columns == 9 && planes == 1 && images_count(images, IMAGES_TRAIN) == 5 && images_count(images, IMAGES_TEST) == 2);
    images_get(images, IMAGES_TRAIN, 7, now);
    for (int i = 0; i < 18; i++) assert_true(now[i] == (36 + i) / 89.);
    assert_describes(images, "hdf5, 5 and 2 images of 2 x 9, values 0 to 1, mean 0.5");
    images_close(images);
    const char *const kept[] = {"doubles", "floats"};
    for (int k = 0; k < 2; k++) {
        char more[128];
        snprintf(more, sizeof more, ", dataset: %s, test_dataset: test, planes: 2", kept[k]);
        assert_told(hdf5_text(more), false, STATUS_OK, "");
        job.quiet = true;
        images = opened(hdf5_text(more));
        images_shape(images, &rows, &columns, &planes);
        assert_true(rows == 3 && columns == 3 && planes == 2); /* squares */
        images_get(images, IMAGES_TRAIN, 4, now);
        assert_true(now[17] == 1 && now[16] == (k ? (float)(88 / 89.) : 88 / 89.));
        images_close(images);
    }
    assert_told(hdf5_text(""), false, STATUS_OK, "values of the images go from 0 to 89");
    assert_refused(hdf5_text(", dataset: nan"), "nan at sample 2, pixel 4");
    assert_told(hdf5_text(", dataset: far, divisor: 1e-20"), false, STATUS_INPUT, "stimulus.divisor: divided by it, values of the images go from 0 to inf");
    assert_refused(hdf5_text(", dataset: flat"), "has 1 axes");
    assert_refused(hdf5_text(", dataset: short"), "'test' has images of 18 pixels, but to train with: ");
    assert_refused(hdf5_text(", dataset: absent"), "absent");
    assert_refused(hdf5_text(", dataset: test"), "test_dataset: 'test' is the dataset to train with, too");
    assert_refused(hdf5_text(", rows: 4"), "rows: 4 does not divide the 18 pixels");
    assert_refused(hdf5_text(", dataset: endless"), "not all stored in this file");
    write_bytes("images.h5", "\211HDF\r\n\032\n nothing", 16, false), assert_refused(hdf5_text(""), "images.h5");
}

/** Pixels of types that programs write: what a double does not hold is refused, float16 and booleans are read, others are named. */
static void test_hdf5_types(void **state) {
    (void)state;
    double now[4];
    const int64_t edge = (int64_t)1 << 53;
    hid_t file = H5Fcreate(in_folder("images.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t half = half_type(), flag = flag_type(1), state_type = flag_type(2), complex = H5Tcreate(H5T_COMPOUND, 16), large = H5Tcopy(H5T_NATIVE_LDOUBLE);
    H5Tinsert(complex, "r", 0, H5T_NATIVE_DOUBLE), H5Tinsert(complex, "i", 8, H5T_NATIVE_DOUBLE);
    write_integers(file, "test", H5T_STD_I64LE, 3);
    write_integers(file, "exact", H5T_STD_I64BE, edge), write_integers(file, "exact_unsigned", H5T_STD_U64LE, -((int64_t)1 << 60)); /* 15 * 2^60 */
    write_integers(file, "odd", H5T_STD_I64LE, edge + 1), write_integers(file, "odd_big_endian", H5T_STD_I64BE, -edge - 1);
    write_integers(file, "odd_unsigned", H5T_STD_U64LE, -1);
    write_integers(file, "half", half, 7), write_integers(file, "long", large, 7);
    hid_t space = H5Screate_simple(2, (hsize_t[]){3, 4}, NULL), set = H5Dcreate2(file, "flag", flag, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(set, flag, H5S_ALL, H5S_ALL, H5P_DEFAULT, (int8_t[12]){[10] = 1}), H5Dclose(set);
    set = H5Dcreate2(file, "state", state_type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(set, state_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, (int8_t[12]){[10] = 2}), H5Dclose(set);
    H5Dclose(H5Dcreate2(file, "complex", complex, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Sclose(space), H5Tclose(half), H5Tclose(flag), H5Tclose(state_type), H5Tclose(complex), H5Tclose(large), H5Fclose(file);

    job.quiet = true;
    const struct { const char *name; double value; } read[] = {{"exact", 9007199254740992.}, {"exact_unsigned", 15 * 0x1p60}, {"half", 7}, {"flag", 1}};
    for (int k = 0; k < 4; k++) {
        char more[64];
        snprintf(more, sizeof more, ", dataset: %s", read[k].name);
        images *images = opened(hdf5_text(more));
        images_get(images, IMAGES_TRAIN, 2, now);
        assert_true(now[2] == read[k].value && now[3] == 0);
        images_close(images);
    }
    assert_refused(hdf5_text(", dataset: odd"), "'odd' has 9007199254740993, which no double is");
    assert_refused(hdf5_text(", dataset: odd_big_endian"), "has -9007199254740993, which no double is: integers may go from -2^53 to 2^53");
    assert_refused(hdf5_text(", dataset: odd_unsigned"), "has 18446744073709551615, which no double is");
    assert_refused(hdf5_text(", dataset: long"), "these are floating point numbers of 16 bytes");
    assert_refused(hdf5_text(", dataset: complex"), "these are compounds of 2 fields");
    assert_refused(hdf5_text(", dataset: state"), "these are an enumeration");
}

/* ---- patches ---- */

static void write_png(const char *name, int height, int width, bool colour, uint8_t (*pixel)(int row, int column)) {
    png_image image = {.version = PNG_IMAGE_VERSION, .width = (png_uint_32)width, .height = (png_uint_32)height};
    image.format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
    int channels = colour ? 3 : 1;
    uint8_t *bytes = calloc((size_t)height * (size_t)width, (size_t)channels);
    for (int r = 0; r < height; r++)
        for (int c = 0; c < width; c++) memset(bytes + (r * width + c) * channels, pixel(r, c), (size_t)channels);
    assert_true(png_image_write_to_file(&image, in_folder(name), 0, bytes, 0, NULL));
    free(bytes);
}

static uint8_t steps(int row, int column) {
    return (uint8_t)(40 * (row / 2 % 5) + 9 * (column / 2 % 7));
}

static uint8_t texture(int row, int column) {
    return (uint8_t)(128 + 60 * sin(0.31 * row + 0.17 * column) + 40 * sin(0.9 * column) + (row * 7 + column * 13) % 11);
}

static uint8_t one_colour(int row, int column) {
    (void)row, (void)column;
    return 77;
}

static const char *patches_text(const char *more) {
    static char text[512];
    snprintf(text, sizeof text, "stimulus: {kind: patches, path: %s%s}\n", in_folder("scenes"), more);
    return text;
}

/** Without the filter all steps can be done by hand: blocks of 2 x 2 are of one grey, and what is left of it is its place. */
static void check_windows(void) {
    enum { SIDE = 20 };
    double shrunk[SIDE][SIDE], sum = 0, squares = 0, on_off[2 * 9], values[9];
    for (int r = 0; r < SIDE; r++) /* 44 x 50, cut to 40 x 40 from row 2, column 5: one pixel off the blocks */
        for (int c = 0; c < SIDE; c++) {
            shrunk[r][c] = 0;
            for (int k = 0; k < 4; k++) {
                double grey = steps(2 + 2 * r + k / 2, 5 + 2 * c + k % 2);
                shrunk[r][c] += grey / 4, sum += grey / (4 * SIDE * SIDE), squares += grey * grey / (4 * SIDE * SIDE);
            }
        }
    double scale = sqrt(0.1 / (squares - sum * sum));
    images *images = opened(patches_text(", side: 3, size: 41, border: 2, whiten: false, split: false"));
    struct images *split = opened(patches_text(", side: 3, size: 41, border: 2, whiten: false"));
    int seen[IMAGES_SETS][SIDE][SIDE] = {{{0}}};
    for (int n = 0; n < 4000; n++)
        for (int set = 0; set < IMAGES_SETS; set++) {
            images_get(images, (image_set)set, n, values);
            images_get(split, (image_set)set, n, on_off);
            for (int i = 0; i < 9; i++) {
                assert_float_equal(on_off[i], 1 / (1 + exp(-16 * (values[i] - 0.15))), 1e-12);
                assert_float_equal(on_off[9 + i], 1 / (1 + exp(-16 * (-values[i] - 0.15))), 1e-12);
            }
            int found = 0;
            for (int r = 2; r < SIDE - 4; r++)
                for (int c = 2; c < SIDE - 4; c++) {
                    bool same = true;
                    for (int i = 0; i < 9 && same; i++) same = fabs(values[i] - scale * (shrunk[r + i / 3][c + i % 3] - sum)) < 1e-6;
                    found += same, seen[set][r][c] += same;
                }
            assert_true(found >= 1); /* steps repeat */
        }
    int columns[IMAGES_SETS] = {0};
    for (int set = 0; set < IMAGES_SETS; set++)
        for (int c = 0; c < SIDE; c++) columns[set] += seen[set][2][c] > 0;
    assert_true(columns[IMAGES_TRAIN] > 10 && columns[IMAGES_TEST] >= 1);
    assert_describes(images, "windows of 3 x 3: 154 to train with, 14 to test with, from the right 0.2 of strips");
    assert_describes(split, "on and off");
    images_close(images), images_close(split);
}

#define ROOM ", border: 0, test_share: 0.4"

static uint8_t place(int row, int column) {
    (void)row;
    return (uint8_t)column;
}

/** An image whose greys say where they are: sets share no column, and both have some in each of four strips. */
static void check_strips(void) {
    enum { SIDE = 100, BORDER = 2, STRIPS = 4 };
    write_png("scenes/c.png", 2 * SIDE, 2 * SIDE, false, place);
    images *images = opened(patches_text(", side: 3, border: 2, whiten: false, split: false"));
    double scale = sqrt(0.1 * 12 / (4. * SIDE * SIDE - 1)), values[9]; /* of 0 to 199 */
    int seen[IMAGES_SETS][SIDE] = {{0}}, changes = 0;
    for (int n = 0; n < 4000; n++)
        for (int set = 0; set < IMAGES_SETS; set++) {
            images_get(images, (image_set)set, n, values);
            for (int c = 0; c < 3; c++) {
                double column = (values[c] / scale + SIDE - 1) / 2;
                int whole = (int)lround(column);
                assert_float_equal(column, whole, 1e-4);
                assert_true(whole >= BORDER && whole < SIDE - BORDER);
                seen[set][whole]++;
            }
        }
    for (int c = BORDER; c < SIDE - BORDER; c++) {
        assert_true((seen[IMAGES_TRAIN][c] > 0) + (seen[IMAGES_TEST][c] > 0) == 1);
        changes += seen[IMAGES_TRAIN][c] > 0 && seen[IMAGES_TEST][c - 1] > 0;
    }
    assert_int_equal(changes, STRIPS - 1);
    images_close(images);
    unlink(in_folder("scenes/c.png"));
}

static void test_patches(void **state) {
    (void)state;
    mkdir(in_folder("scenes"), 0700);
    assert_refused(patches_text(ROOM), "there are no PNG images");
    check_strips();
    write_png("scenes/b.PNG", 44, 50, true, steps);
    check_windows();
    write_png("scenes/a.png", 90, 70, false, texture);
    write_bytes("scenes/readme.txt", "none", 4, false);
    images *images = opened(patches_text(ROOM));
    int rows, columns, planes;
    images_shape(images, &rows, &columns, &planes);
    assert_true(rows == 8 && columns == 8 && planes == 2);
    double values[128], mean = 0;
    for (int n = 0; n < 2000; n++) {
        images_get(images, IMAGES_TEST, n, values);
        for (int i = 0; i < 64; i++) {
            assert_true(values[i] > 0 && values[i] < 1 && values[64 + i] > 0 && values[64 + i] < 1);
            mean += (values[i] + values[64 + i]) / 128 / 2000;
        }
    }
    assert_true(mean > 0.08 && mean < 0.4); /* g(0) = 0.083 */
    images_close(images);
}

static void test_patches_damaged(void **state) {
    (void)state;
    FILE *file = fopen(in_folder("scenes/a.png"), "rb");
    static uint8_t bytes[1 << 16];
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    write_bytes("scenes/a.png", bytes, size / 2, false);
    assert_told(patches_text(ROOM), false, STATUS_INPUT, "a.png: cannot be read as PNG"); /* a plan reads headers only */
    write_bytes("scenes/a.png", bytes, 20, false), assert_refused(patches_text(ROOM), "a.png: cannot be read as PNG");
    write_bytes("scenes/a.png", "no picture at all, but long enough", 34, false), assert_refused(patches_text(ROOM), "cannot be read as PNG");
    write_png("scenes/a.png", 40, 40, false, one_colour);
    assert_told(patches_text(ROOM), false, STATUS_INPUT, "a.png: all pixels have one colour");
    assert_refused(patches_text(""), "no room for windows of 8");
    bytes[16] = 0x00, bytes[17] = 0xFF; /* width, with the sum that belongs to it */
    uLong sum = crc32(0, bytes + 12, 17);
    put(bytes, 29, (uint32_t)sum);
    write_bytes("scenes/a.png", bytes, size, false), assert_refused(patches_text(ROOM), "a.png");
    unlink(in_folder("scenes/a.png"));
    assert_int_equal(mkfifo(in_folder("scenes/a.png"), 0600), 0);
    assert_refused(patches_text(ROOM), "a.png: cannot be read: is not a regular file");
    unlink(in_folder("scenes/a.png"));
    assert_int_equal(symlink("b.PNG", in_folder("scenes/a.png")), 0); /* a link to an image is one */
    images_close(opened(patches_text(", side: 3, border: 2")));
    unlink(in_folder("scenes/a.png")), unlink(in_folder("scenes/b.PNG")), unlink(in_folder("scenes/readme.txt")), rmdir(in_folder("scenes"));
    assert_refused(patches_text(ROOM), "cannot be read as a folder of PNG images: No such file");
}

/** Waves of one frequency are multiplied with R(f), whatever their direction and phase; the mean is taken away. */
static void test_whiten(void **state) {
    (void)state;
    enum { SIDE = 24 };
    const double turn = 6.283185307179586477, cutoff = 7.5;
    double picture[SIDE * SIDE], expected[SIDE * SIDE];
    const int waves[][2] = {{3, 0}, {2, 5}, {-4, 1}, {0, 11}, {12, 3}};
    for (int i = 0; i < SIDE * SIDE; i++) picture[i] = 5, expected[i] = 0;
    for (int w = 0; w < 5; w++) {
        double f = hypot(waves[w][0], waves[w][1]), gain = f * exp(-pow(f / cutoff, 4));
        for (int i = 0; i < SIDE * SIDE; i++) {
            double value = cos(turn * (waves[w][0] * (i / SIDE) + waves[w][1] * (i % SIDE)) / SIDE + 0.7 * w);
            picture[i] += value, expected[i] += gain * value;
        }
    }
    whiten(SIDE, cutoff, picture);
    for (int i = 0; i < SIDE * SIDE; i++) assert_float_equal(picture[i], expected[i], 1e-11);
}

int main(int argc, char **argv) {
    if (server_is_wanted(argc, argv)) return server_run();
    MPI_Init(NULL, NULL);
    job = context_of(MPI_COMM_WORLD);
    snprintf(folder, sizeof folder, "/tmp/test_images.XXXXXX");
    if (!mkdtemp(folder)) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bars), cmocka_unit_test(test_order), cmocka_unit_test(test_resampling), cmocka_unit_test(test_idx),
        cmocka_unit_test(test_idx_damaged), cmocka_unit_test(test_idx_members), cmocka_unit_test(test_hdf5),
        cmocka_unit_test(test_hdf5_types), cmocka_unit_test(test_whiten), cmocka_unit_test(test_patches),
        cmocka_unit_test(test_patches_damaged),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    const char *const left[] = {"train", "test", "train-labels", "test-labels", "images.h5", "told"};
    for (int i = 0; i < 6; i++) unlink(in_folder(left[i]));
    rmdir(folder);
    MPI_Finalize();
    return failed;
}
