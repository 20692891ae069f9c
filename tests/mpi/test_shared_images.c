/** @file test_shared_images.c
 *  Images that rank 0 reads and all hold: those that every rank reads for itself, as a job of one rank. Mistakes are everybody's.
 *  Usage: mpirun -n N test_shared_images FOLDER
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <png.h>

#include "../images.h"

static int failures;
static const char *folder;

#define CHECK(job, condition)                                                                                  \
    do {                                                                                                       \
        if (!(condition)) {                                                                                    \
            fprintf(stderr, "rank %d of %d: %s:%d: not so: %s\n", (job)->rank, (job)->ranks, __FILE__, __LINE__, #condition); \
            failures++;                                                                                        \
        }                                                                                                      \
    } while (0)

enum { SIDE = 96, SAMPLES = 37, EACH = 30 };

static void write_bytes(const char *name, const unsigned char *bytes, size_t count) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, count, file) != count || fclose(file) != 0) context_abort("test_shared_images: cannot write %s", path);
}

static void write_scene(const char *name, int kind) {
    char path[512];
    static png_byte grey[SIDE * SIDE];
    png_image image = {.version = PNG_IMAGE_VERSION, .width = SIDE, .height = SIDE, .format = PNG_FORMAT_GRAY};
    snprintf(path, sizeof path, "%s/scenes/%s", folder, name);
    for (int i = 0; i < SIDE * SIDE; i++) grey[i] = (png_byte)(128 + 50 * sin(0.1 * (i / SIDE) * (kind + 1)) + 50 * cos(0.23 * (i % SIDE)) + i * 7 % 13);
    if (!png_image_write_to_file(&image, path, 0, grey, 0, NULL)) context_abort("test_shared_images: cannot write %s", path);
}

/** On one rank. */
static void write_files(void) {
    unsigned char idx[16 + SAMPLES * EACH] = {0, 0, 8, 3, 0, 0, 0, SAMPLES, 0, 0, 0, 5, 0, 0, 0, 6}, labels[8 + SAMPLES] = {0, 0, 8, 1, 0, 0, 0, SAMPLES};
    for (int i = 0; i < SAMPLES * EACH; i++) idx[16 + i] = (unsigned char)(i * 31 % 251);
    for (int n = 0; n < SAMPLES; n++) labels[8 + n] = (unsigned char)(n % 3);
    write_bytes("samples", idx, sizeof idx);
    write_bytes("labels", labels, sizeof labels);
    char path[512];
    snprintf(path, sizeof path, "%s/scenes", folder);
    mkdir(path, 0700);
    write_scene("a.png", 0), write_scene("b.png", 1);
}

static void check_same(const context *job, const char *text) {
    context alone = context_of(MPI_COMM_SELF);
    images *shared, *own;
    CHECK(job, open_images(job, text, NULL, &shared) == STATUS_OK);
    CHECK(job, open_images(&alone, text, NULL, &own) == STATUS_OK);
    if (failures) return;
    int M = images_inputs(own);
    char about[2][1024];
    images_describe(shared, about[0], sizeof about[0]), images_describe(own, about[1], sizeof about[1]);
    CHECK(job, strcmp(about[0], about[1]) == 0);
    CHECK(job, images_inputs(shared) == M);
    double *x = calloc((size_t)M, sizeof *x), *y = calloc((size_t)M, sizeof *y);
    for (int s = 0; s < IMAGES_SETS; s++) {
        CHECK(job, images_count(shared, (image_set)s) == images_count(own, (image_set)s));
        for (int n = 0; n < 100; n++) {
            images_get(shared, (image_set)s, 7 * n, x), images_get(own, (image_set)s, 7 * n, y);
            CHECK(job, memcmp(x, y, (size_t)M * sizeof *x) == 0);
        }
    }
    free(x), free(y);
    images_close(shared), images_close(own);
}

static void check_refused(const context *job, const char *text) {
    images *images;
    fflush(stderr);
    int old = dup(STDERR_FILENO);
    if (!freopen("/dev/null", "w", stderr)) context_abort("test_shared_images: no /dev/null");
    status code = open_images(job, text, NULL, &images);
    fflush(stderr);
    dup2(old, STDERR_FILENO);
    close(old);
    CHECK(job, code == STATUS_INPUT && !images);
}

/** The files as a run knows them: their hash, the same on all ranks. */
static void hash_of(const context *job, const char *text, char hash[17]) {
    config *config;
    CHECK(job, config_read_text(job, "test.yaml", text, strlen(text), NULL, images_schema(), &config) == STATUS_OK);
    char *inputs = config_inputs(job, config), *space = strchr(inputs, ' ');
    snprintf(hash, 17, "%.16s", space ? space + 1 : "");
    free(inputs);
    config_free(config);
}

/** A folder is its files, with their names. */
static void check_folder(const context *job, const char *text) {
    char first[17], now[17], from[512], to[512];
    snprintf(from, sizeof from, "%s/scenes/b.png", folder), snprintf(to, sizeof to, "%s/scenes/c.png", folder);
    hash_of(job, text, first), hash_of(job, text, now);
    CHECK(job, strcmp(first, now) == 0 && strcmp(first, CONFIG_UNREADABLE) != 0 && strlen(first) == 16);
    MPI_Barrier(job->comm);
    if (job->rank == 0) rename(from, to);
    hash_of(job, text, now);
    CHECK(job, strcmp(first, now) != 0);
    if (job->rank == 0) rename(to, from), write_scene("b.png", 2);
    hash_of(job, text, now);
    CHECK(job, strcmp(first, now) != 0);
    if (job->rank == 0) write_scene("b.png", 1);
    hash_of(job, text, now);
    CHECK(job, strcmp(first, now) == 0);
}

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    context job = context_of(MPI_COMM_WORLD);
    folder = argc > 1 ? argv[1] : ".";
    if (job.rank == 0) write_files();
    MPI_Barrier(job.comm);
    char text[2048];
    check_same(&job, "stimulus: {kind: bars, side: 5, pair_probability: 0.4}\n");
    snprintf(text, sizeof text, "stimulus: {kind: idx, path: %s/samples, test_path: %s/samples}\n", folder, folder);
    check_same(&job, text);
    snprintf(text, sizeof text, "stimulus: {kind: idx, path: %s/samples, test_path: %s/samples, labels_path: %s/labels, test_labels_path: %s/labels, "
             "labels: [2], rows: 4}\n", folder, folder, folder, folder);
    check_same(&job, text);
    snprintf(text, sizeof text, "stimulus: {kind: idx, path: %s/samples, test_path: %s/labels}\n", folder, folder);
    check_refused(&job, text);
    snprintf(text, sizeof text, "stimulus: {kind: patches, path: %s/nowhere}\n", folder);
    check_refused(&job, text);
    snprintf(text, sizeof text, "stimulus: {kind: patches, path: %s/scenes, side: 3}\n", folder);
    check_same(&job, text);
    check_folder(&job, text);
    int all = 0;
    MPI_Allreduce(&failures, &all, 1, MPI_INT, MPI_SUM, job.comm);
    MPI_Finalize();
    return all != 0;
}
