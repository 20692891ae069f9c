/** @file source.h
 *  The texts that a configuration is read from, the same on every rank.
 */
#ifndef CONFIG_SOURCE_H
#define CONFIG_SOURCE_H

#include <stddef.h>

#include "engram/context.h"
#include "engram/status.h"

/** Parameter file and overrides, as rank 0 has them. */
typedef struct {
    const char *path; /**< NULL without a file */
    const char *bytes; /**< contents of the file */
    size_t length;
    const char **overrides; /**< [override_count] "section.key=value" */
    int override_count;
    char *storage; /**< what all of them point into */
} config_source;

/** Read the file on rank 0 and give all ranks file and overrides. Collective.
 *  @param called what such a file is, in messages: "parameter file"
 *  @param[out] result cleared with config_source_clear(), also on failure
 *  @return STATUS_INPUT or STATUS_FAILURE, the same on every rank, if the file cannot be read; remembered by status_fail() on rank 0 */
status config_source_read(const context *job, const char *path, const char *called, const char *const *overrides, int override_count,
                          config_source *result);

/** As config_source_read(), of a text that every rank has. Not collective. */
void config_source_copy(const char *name, const char *text, size_t length, const char *const *overrides, int override_count, config_source *result);

void config_source_clear(config_source *source);

#endif
