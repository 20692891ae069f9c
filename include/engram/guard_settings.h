/** @file guard_settings.h
 *  Section `guards`: when a run has gone wrong and is ended.
 */
#ifndef ENGRAM_GUARD_SETTINGS_H
#define ENGRAM_GUARD_SETTINGS_H

#include "engram/config.h"

typedef struct {
    double max_rate; /**< Hz, 0: none */
    double min_rate; /**< Hz, 0: none */
} guard_settings;
extern const param_table guard_common;

#endif
