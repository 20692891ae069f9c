/** @file images.h
 *  Images that are shown one after another: section `stimulus` of systems that learn codes of images. A kind is a file in src/images/ and a line in its table.
 *
 *  There are two sets, one to train with and one to test with, which share no image. An image is M numbers, mostly in [0,1], and a pure function of
 *  (seed, set, number), the same on all ranks. Files are read by rank 0; every rank holds what they have, in the smallest type that holds it exactly.
 *  Not collective but where it says so.
 */
#ifndef ENGRAM_IMAGES_H
#define ENGRAM_IMAGES_H

#include "engram/config.h"

/** What images are opened for. */
typedef struct image_setting {
    const context *context; /**< borrowed while they open */
    config *config;         /**< borrowed while they open */
    uint64_t seed;
} image_setting;

typedef enum { IMAGES_TRAIN, IMAGES_TEST, IMAGES_SETS } image_set;

#define IMAGES_SECTION "stimulus" /**< section of the parameter file */

/** How images are shown, whatever their kind: what image_common fills. */
typedef struct {
    double duration; /**< ms of an image */
    double fade;     /**< part of it in which the image comes in, linearly, and the one before goes */
} image_settings;

/** What images will be, without what their files hold. M = planes rows columns. */
typedef struct {
    int rows, columns;
    int planes;       /**< 2: on and off; else 1 */
    int64_t bytes;    /**< that a rank holds while they are open (MEMORY_TARGETS) */
    int64_t building; /**< and what rank 0 holds beside that while it reads (MEMORY_BUFFERS) */
} image_size;

enum { IMAGES_TEXT_BYTES = 512 };

/** What a kind has when it is open. */
typedef struct {
    void *self;                    /**< the kind's own */
    int rows, columns, planes;
    int64_t count[IMAGES_SETS];    /**< distinct images; 0: drawn, without end */
    int singles, pairs;            /**< known parts; 0: not known */
    bool foreign;                  /**< values may be anything: those outside [0,1] are warned about */
    char about[IMAGES_TEXT_BYTES]; /**< behind its name: "side 8, pair_probability 0.6" */
} image_content;

typedef struct image_kind {
    const param_table *parameters;
    /** What only shows when keys are seen together; config_complain(). NULL: nothing. @return not agreed */
    status (*check)(const image_setting *setting, const void *parameters);
    /** Reads headers of files at most, and labels. @param[out] size all 0 before @return not agreed */
    status (*size)(const image_setting *setting, const void *parameters, image_size *size);
    /** Collective: may read files. @param[out] content all 0 before; nothing to close on failure @return agreed and printed */
    status (*open)(const image_setting *setting, const void *parameters, image_content *content);
    void (*close)(void *self);
    /** @param number below the count, if there is one @param[out] values [M] */
    void (*get)(const void *self, image_set set, int64_t number, double *values);
    /** Masks of known parts. NULL: not known. @param[out] masks [singles + pairs][M], 0 before */
    void (*parts)(const void *self, double *masks);
} image_kind;

extern const image_kind *const image_kinds[]; /**< NULL-terminated; the first is the default */
extern const param_table image_common;

typedef struct images images;

/** What images_open() would complain about, but for files. config_complain(). @return not agreed */
status images_check(const image_setting *setting);

/** What the configuration's images will be. Opens files where there are any, and reads their headers. @return not agreed */
status images_bytes_planned(const image_setting *setting, image_size *size);

/** Collective. @param[out] result owned, images_close(); NULL on failure @return agreed and printed */
status images_open(const image_setting *setting, images **result);

void images_close(images *images);

/** M. */
int images_inputs(const images *images);

/** As figures show them: M = planes rows columns; of two planes the first is on, the second off. */
void images_shape(const images *images, int *rows, int *columns, int *planes);

/** Distinct images of a set; 0: drawn, without end. */
int64_t images_count(const images *images, image_set set);

/** @param number from 0 to 2^40 - 1; of a set that has an end, behind the last comes the first again @param[out] values [M] */
void images_get(const images *images, image_set set, int64_t number, double *values);

/** Masks of the parts that images are known to be made of, to compare receptive fields with: single ones, and then pairs that occur together. Pair k has single
 *  parts k and singles/2 + k. @return [singles + pairs][M], borrowed; NULL: not known, and both numbers are 0 */
const double *images_parts(const images *images, int *singles, int *pairs);

/** "idx, 18623 and 3147 images of 16 x 16, sampled from 28 x 28, labels 0 1 2, values 0 to 1, mean 0.1301": range and mean are those of images to train with
 *  (the first 1000, if they are drawn). */
void images_describe(const images *images, char *text, size_t size);

#endif
