/** @file images.h
 *  Images of a parameter file, for their tests (include/engram/images.h).
 */
#ifndef TESTS_IMAGES_H
#define TESTS_IMAGES_H

#include <string.h>

#include "engram/images.h"

/** The section of a system that has images. */
static const config_schema *images_schema(void) {
    enum { KINDS_MAX = 32 };
    static const param_table *kinds[KINDS_MAX];
    static param_section section;
    static config_system system = {"images", "for tests", &section, 1};
    static const config_schema all = {.systems = &system, .system_count = 1};
    int k = 0;
    for (; image_kinds[k]; k++) kinds[k] = image_kinds[k]->parameters;
    section = (param_section){"stimulus", "stimuli", "images", &image_common, "kind", kinds, k};
    return &all;
}

/** @param text a parameter file @param[out] planned NULL: not wanted @return agreed; images_close() */
static status open_images(const context *job, const char *text, image_size *planned, images **result) {
    image_setting setting = {job, NULL, 1};
    *result = NULL;
    status code = config_read_text(job, "test.yaml", text, strlen(text), NULL, images_schema(), &setting.config);
    if (code == STATUS_OK && planned) code = status_agree(job, images_bytes_planned(&setting, planned));
    if (code == STATUS_OK) code = images_open(&setting, result);
    config_free(setting.config);
    return code;
}

#endif
