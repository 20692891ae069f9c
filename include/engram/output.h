/** @file output.h
 *  Section `output`: what is measured and written.
 */
#ifndef ENGRAM_OUTPUT_H
#define ENGRAM_OUTPUT_H

#include "engram/config.h"

typedef struct {
    char *directory;
    int spikes;              /**< SPIKES_* */
    param_texts report;      /**< variables */
    int64_t report_neurons;
    double report_every;     /**< ms */
    int edges;               /**< EDGES_* */
    int64_t correlation_every; /**< loops */
    int timers;              /**< TIMERS_* */
} output_settings;
enum { TIMERS_PLAIN, TIMERS_DETAILED };
enum { SPIKES_NONE, SPIKES_LAST, SPIKES_ALL };
enum { EDGES_NONE, EDGES_PLASTIC, EDGES_ALL };
extern const param_table output_common;

#endif
