/** @file filter.h
 *  Filtered spike trains r_j of the presynaptic sources, needed only at learning instants.
 *
 *  The filter is linear, so between two learning instants only sources that spike cost anything:
 *      r_j  <-  A_j r_j + s_j ,   A_j = a_j^n over the n steps of the interval,   s_j = sum over its spikes of jump_j a_j^(steps since it entered r).
 *  a and jump per step (patterns/README.md 2):  Euler (Arthur et al.)  a = 1 - dt/tau, jump = unit/tau;
 *  RK4 (Kim & Chow)  a = 1 - x + x^2/2 - x^3/6 + x^4/24 with x = dt/tau, jump = unit/tau.  unit: the model's time unit, 1 or 10 ms.
 *  Exact (Rotter & Diesmann 1999)  a = e^(-dt/tau), jump = f unit/tau, where f = filter_within_step().
 *  Every rank filters all sources. Not collective.
 */
#ifndef ENGRAM_FILTER_H
#define ENGRAM_FILTER_H

#include <stdint.h>

#include "engram/state.h"

/** Decay and jump of one step of a first-order filter. */
typedef struct { double decay, jump; } filter_step;

typedef enum { FILTER_EULER, FILTER_RUNGE_KUTTA, FILTER_EXACT } filter_method;

/** How a filter is stepped. */
typedef struct {
    filter_method method;
    double dt;           /**< ms */
    double unit;         /**< ms: filtered spikes have area 1 in it; NAN: they begin with 1 */
    double membrane_tau; /**< ms, of the neurons that the filtered spikes drive; FILTER_EXACT only */
} filter_form;

filter_step filter_step_of(const filter_form *form, double tau);

/** The constant input over a step that moves a leaky membrane of @p membrane_tau as one does that begins as 1 and decays with @p tau; all in ms. */
double filter_within_step(double dt, double tau, double membrane_tau);

typedef struct {
    int64_t sources;
    int uniform;       /**< one time constant for all */
    filter_step step;  /**< when uniform */
    double *decay;     /**< [sources] when not uniform, else NULL */
    double *jump;      /**< [sources] when not uniform, else NULL */
    double *r;         /**< [sources] as of the last learning instant */
    double *arrived;   /**< [sources] s_j of the interval */
    int32_t *touched;  /**< [sources] sources with s_j != 0 */
    int touched_count;
    double *power;     /**< [power_count] a^m when uniform */
    int64_t power_count;
    double interval_decay; /**< A of the interval that filter_advance() closed last (uniform) */
} spike_filter;

/** @param tau [sources] ms, or NULL: tau_all for all; @param longest number of steps for which powers are kept ready */
spike_filter *filter_new(int64_t sources, const filter_form *form, const double *tau, double tau_all, int64_t longest);
void filter_free(spike_filter *filter);

/** Forget all spikes: r = 0. */
void filter_reset(spike_filter *filter);

/** What has to be kept to go on from here, in the middle of an interval too. */
void filter_state(spike_filter *filter, state_list *list);

/** Spikes that enter r in one step. @param decays steps of decay between that step and the coming learning instant (>= 0) */
void filter_spikes(spike_filter *filter, const int32_t *spike, int count, int64_t decays);

/** Reach the learning instant: r <- A r + s over @p steps. touched and arrived stay readable until filter_clear_interval(). */
void filter_advance(spike_filter *filter, int64_t steps);
void filter_clear_interval(spike_filter *filter);

#endif
