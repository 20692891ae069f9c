/** @file test_settings.h
 *  Section `test`: trials with frozen weights.
 */
#ifndef ENGRAM_TEST_SETTINGS_H
#define ENGRAM_TEST_SETTINGS_H

#include "engram/config.h"

typedef struct {
    int64_t trials;  /**< of each task, after training; 0: none */
    int64_t every;   /**< loops between tests during training; 0: none */
    double stop_at;  /**< score of such a test at which training ends; auto: at none */
    double psth_bin; /**< ms */
} test_settings;

extern const param_table test_common;

#endif
