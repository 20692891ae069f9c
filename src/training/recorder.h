/* What is recorded of a loop: spikes and traces of variables, for any system. */
#ifndef ENGRAM_RECORDER_H
#define ENGRAM_RECORDER_H

#include "engram/output.h"
#include "engram/system.h"

/** Spikes of this rank's neurons. */
typedef struct {
    int64_t count, room;
    int32_t *neuron; /* [count] local index */
    int64_t *step;   /* [count] step since the recorder was made */
    int64_t base;    /* added to steps: length of the trials before */
} spike_recorder;
void spike_recorder_step(void *recorder, int64_t step, const int32_t *fired, int count); /* observer */
void spike_recorder_clear(spike_recorder *recorder);

/** Traces of some neurons. */
typedef struct {
    const output_settings *settings;
    const learning_system *system;
    void *self;           /* the system's, borrowed */
    variable *variable;   /* [settings->report.count] */
    int mine;             /* recorded neurons of this rank */
    int32_t *neuron;      /* [mine] local indices */
    int64_t interval;     /* steps */
    int64_t samples;      /* of a loop */
    int64_t taken;
    float **data;         /* [variables][samples][mine] */
} report_recorder;

/** The default of output.report names a variable that not every system has: nothing is traced there unless the file says what. Not collective. */
void report_settle(config *config, const learning_system *system);

/** Check output.report against what the system offers. Not collective. @return STATUS_INPUT (not agreed) for a variable that there is not, or that is named
 *  twice */
status report_check(config *config, const learning_system *system);

/** @param settings checked. Not collective. */
void report_recorder_init(report_recorder *recorder, const learning_system *system, void *self, const system_facts *facts, const output_settings *settings);
void report_recorder_step(void *recorder, int64_t step, const int32_t *fired, int count); /* observer */
void report_recorder_clear(report_recorder *recorder);

#endif
