/** @file run_settings.h
 *  Section `simulation`: what every run has. Not patterns' struct of that name, its network (systems/patterns/simulation.h).
 */
#ifndef ENGRAM_RUN_SETTINGS_H
#define ENGRAM_RUN_SETTINGS_H

#include "engram/config.h"

typedef struct {
    double dt;            /**< ms */
    int64_t seed;
    int reset;            /**< RESET_* */
    double loop_duration; /**< ms; auto: end of the target window */
    double baseline;      /**< ms of the baseline run; auto */
} simulation_settings;
enum { RESET_AUTO, RESET_EVERY_LOOP, RESET_NEVER };
extern const param_table simulation_common;

#endif
