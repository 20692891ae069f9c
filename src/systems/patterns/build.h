/* Steps of simulation_build(). */
#ifndef ENGRAM_BUILD_H
#define ENGRAM_BUILD_H

#include "simulation.h"

/** Check what only shows when sections are seen together, and let every selected module check its own. Not collective; not agreed. */
status build_check(const context *context, config *config);

/** Is the plastic drive read out as W r with the current weights (plastic.drive, "auto" resolved)? Not collective. */
bool build_readout_form(config *config);

/** Does a neuron learn (plastic.trained)? Not collective. @param targets open, and paired if their kind pairs recorded units with neurons */
bool build_learns(config *config, const targets *targets, int64_t gid);

/** Length of the baseline run in ms; 0: nothing needs one. Not collective. @param rates_by_siegert rates are learned through Siegert's formula in a network
 *  with static synapses */
double build_baseline(config *config, bool rates_by_siegert, double loop_duration);

/** What delays need, and synapses in blocks, of static synapses and of plastic ones, if there are any yet: made anew where the plastic set has taken synapses
 *  out of the network, or a test has, which may leave so few that they are in lists. Spikes in flight are forgotten. Collective. */
void build_flight(simulation *sim);

/** What the baseline run found. */
typedef struct {
    double *mean_drive;  /**< [mine] mean static drive after the first second (or half of the run) */
    uint32_t *activity;  /**< [N] spikes */
    double seconds;      /**< model time */
} baseline;

/** Run the static network for @p duration ms without stimulus, fill sim->baseline_*, log the rates. Collective. */
void baseline_run(simulation *simulation, double duration, baseline *result);
void baseline_clear(baseline *baseline);

/** Warn if the untrained network, whole but for its learning rule, will be near silence in the target window, and say what would carry it. Collective. */
void silence_warn(simulation *simulation);

/** target_request.record_untrained. Collective. */
void record_untrained(void *simulation, double settle, int instants, double every, double *rows);

#endif
