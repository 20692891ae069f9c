/** @file guard_settings.h
 *  Section `guards`: when a run has gone wrong and is ended.
 */
#ifndef ENGRAM_GUARD_SETTINGS_H
#define ENGRAM_GUARD_SETTINGS_H

#include "engram/config.h"

typedef struct {
    double max_rate;        /**< Hz, 0: none */
    double min_rate;        /**< Hz, 0: none */
    double min_window_rate; /**< Hz, 0: none */
    int silent_window;      /**< SILENT_* */
} guard_settings;
enum { SILENT_WARN, SILENT_STOP };
extern const param_table guard_common;

#endif
