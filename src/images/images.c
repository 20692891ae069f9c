/* Images: what their kinds share. */
#include <stdio.h>

#include "engram/images.h"
#include "engram/memory.h"

extern const image_kind image_bars, image_idx, image_hdf5, image_patches;

/* To add a kind: write src/images/NAME.c after the pattern of bars.c (drawn) or idx.c (read), and a line here. */
const image_kind *const image_kinds[] = {&image_bars, &image_idx, &image_hdf5, &image_patches, NULL};

static const param common_params[] = {
    {"duration", PARAM_NUMBER, UNIT_TIME, "100 ms", 1e-3, 1e9, NULL, "of an image (Mikulasch, Rudelt & Priesemann 2021)", offsetof(image_settings, duration),
     MAY_TEST},
    {"fade", PARAM_NUMBER, UNIT_NONE, "0.3", 0, 1, NULL, "part of it in which an image comes in, linearly, while the one before goes",
     offsetof(image_settings, fade), MAY_TEST},
};
const param_table image_common = {IMAGES_SECTION, "images, one after another", common_params, sizeof common_params / sizeof *common_params,
                                  sizeof(image_settings)};

struct images {
    const image_kind *kind;
    image_content content;
    int inputs;
    double *parts;
    double low, high, mean; /**< of images to train with: all of a file, or the first SEEN of those drawn */
};

enum { SEEN = 1000 };

static const image_kind *kind_of(const image_setting *setting) {
    return image_kinds[config_variant_index(setting->config, IMAGES_SECTION)];
}

status images_check(const image_setting *setting) {
    const image_kind *kind = kind_of(setting);
    return kind->check ? kind->check(setting, config_variant(setting->config, IMAGES_SECTION)) : STATUS_OK;
}

status images_bytes_planned(const image_setting *setting, image_size *size) {
    *size = (image_size){0};
    status mine = images_check(setting);
    if (mine == STATUS_OK) mine = kind_of(setting)->size(setting, config_variant(setting->config, IMAGES_SECTION), size);
    size->bytes += (int64_t)sizeof(images);
    return mine;
}

/** Range and mean; the same on all ranks. */
static void look_through(const context *context, images *images) {
    const image_content *content = &images->content;
    int64_t count = content->count[IMAGES_TRAIN] ? content->count[IMAGES_TRAIN] : SEEN;
    double *values = memory_new(MEMORY_BUFFERS, (size_t)images->inputs, sizeof *values), sum = 0, low = INFINITY, high = -INFINITY;
    for (int64_t n = 0; n < count; n++) {
        double of_image = 0;
        images->kind->get(content->self, IMAGES_TRAIN, n, values);
        for (int i = 0; i < images->inputs; i++) {
            of_image += values[i];
            if (values[i] < low) low = values[i];
            if (values[i] > high) high = values[i];
        }
        sum += of_image / images->inputs;
    }
    memory_free(values);
    images->low = low, images->high = high, images->mean = sum / (double)count;
    if (content->foreign && (low < 0 || high > 1))
        log_warning(context, "stimulus: values of the images go from %g to %g: rates of learning are made for 0 to 1 (stimulus.divisor?)", low, high);
}

status images_open(const image_setting *setting, images **result) {
    *result = NULL;
    status agreed = status_agree(setting->context, images_check(setting));
    if (agreed != STATUS_OK) return agreed;
    images *images = memory_new(MEMORY_TARGETS, 1, sizeof *images);
    image_content *content = &images->content;
    images->kind = kind_of(setting);
    agreed = images->kind->open(setting, config_variant(setting->config, IMAGES_SECTION), content);
    if (agreed != STATUS_OK) {
        memory_free(images);
        return agreed;
    }
    images->inputs = content->planes * content->rows * content->columns;
    if (images->kind->parts) {
        images->parts = memory_new(MEMORY_TARGETS, (size_t)(content->singles + content->pairs) * (size_t)images->inputs, sizeof *images->parts);
        images->kind->parts(content->self, images->parts);
    }
    look_through(setting->context, images);
    if (!isfinite(images->low) || !isfinite(images->high)) {
        status mine = config_complain(setting->config, IMAGES_SECTION, "divisor", "divided by it, values of the images go from %g to %g", images->low,
                                      images->high);
        images_close(images);
        return status_agree(setting->context, mine);
    }
    *result = images;
    return STATUS_OK;
}

void images_close(images *images) {
    if (!images) return;
    images->kind->close(images->content.self);
    memory_free(images->parts);
    memory_free(images);
}

int images_inputs(const images *images) {
    return images->inputs;
}

void images_shape(const images *images, int *rows, int *columns, int *planes) {
    *rows = images->content.rows, *columns = images->content.columns, *planes = images->content.planes;
}

int64_t images_count(const images *images, image_set set) {
    return images->content.count[set];
}

void images_get(const images *images, image_set set, int64_t number, double *values) {
    int64_t count = images->content.count[set];
    images->kind->get(images->content.self, set, count ? number % count : number, values);
}

const double *images_parts(const images *images, int *singles, int *pairs) {
    *singles = images->content.singles, *pairs = images->content.pairs;
    return images->parts;
}

void images_describe(const images *images, char *text, size_t size) {
    snprintf(text, size, "%s, %s, values %.4g to %.4g, mean %.4g", images->kind->parameters->name, images->content.about, images->low, images->high,
             images->mean);
}
