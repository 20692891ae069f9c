/** @file stimulus.h
 *  External input, the same in every loop: a pure function of (seed, task, gid, time), not stored.
 *  It cues a task before its target window (patterns/README.md 4.7); in the window and behind it there may be frozen noise, an Ornstein-Uhlenbeck path for
 *  every neuron (Kim & Chow 2018, Fig. 3 supplement 3). A kind is one `const stimulus_kind` in src/stimuli/ plus one line in its table. Not collective.
 */
#ifndef ENGRAM_STIMULUS_H
#define ENGRAM_STIMULUS_H

#include "engram/config.h"
#include "engram/partition.h"

/** Common parameters of section `stimulus`. */
typedef struct {
    double start, stop;           /**< ms from the start of a loop */
    double noise_sd, noise_tau;   /**< SD and correlation time (ms) of the frozen noise behind stop; 0: none */
} stimulus_settings;
extern const param_table stimulus_common;

typedef struct stimulus {
    const struct stimulus_kind *kind;
    const void *parameters;      /**< of the kind, borrowed from the config */
    const stimulus_settings *settings;
    partition part;
    uint64_t seed;
    double dt;                   /**< ms */
    int64_t on, off;             /**< settings in steps */
    int task;
    double *value;               /**< [mine] now; owned */
    double *noise;               /**< [4][mine] scratch; owned */
} stimulus;

typedef struct stimulus_kind {
    const param_table *parameters;
    status (*check)(const config *config, const void *parameters, double dt); /**< config_complain() about parameters; NULL: nothing to check */
    int64_t (*last)(const stimulus *stimulus); /**< last step (1-based) on which it acts */
    void (*begin)(stimulus *stimulus);         /**< first step of the stimulus: set value[] to the sample before the first */
    void (*next)(stimulus *stimulus, int64_t sample); /**< set value[] to sample 1, 2, ... */
} stimulus_kind;

extern const stimulus_kind *const stimulus_kinds[];

stimulus *stimulus_new(config *config, partition part, uint64_t seed, double dt);
void stimulus_free(stimulus *stimulus);

/** Last step of a loop of @p loop_steps on which there may be input; 0: there is none. */
int64_t stimulus_last(const stimulus *stimulus, int64_t loop_steps);

/** Input at step @p step (1-based; call for every step of a loop in turn). @return [mine], or NULL when it is off */
const double *stimulus_at(stimulus *stimulus, int task, int64_t step);

#endif
