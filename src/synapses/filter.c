#include "engram/filter.h"

#include <math.h>
#include <string.h>

#include "engram/memory.h"

double filter_within_step(double dt, double tau, double membrane_tau) {
    const double x = dt / tau, y = dt / membrane_tau, d = y - x;
    const double decaying = d == 0 ? y : y * expm1(d) / d; /* y times the integral of e^(d s) over s from 0 to 1 */
    return decaying * exp(-y) / -expm1(-y);
}

filter_step filter_step_of(const filter_form *form, double tau) {
    const double x = form->dt / tau, jump = isnan(form->unit) ? 1 : form->unit / tau;
    switch (form->method) {
    case FILTER_EXACT: return (filter_step){.decay = exp(-x), .jump = jump * filter_within_step(form->dt, tau, form->membrane_tau)};
    case FILTER_RUNGE_KUTTA: return (filter_step){.decay = 1 - x + x * x / 2 - x * x * x / 6 + x * x * x * x / 24, .jump = jump};
    default: return (filter_step){.decay = 1 - x, .jump = jump};
    }
}

spike_filter *filter_new(int64_t sources, const filter_form *form, const double *tau, double tau_all, int64_t longest) {
    spike_filter *filter = memory_new(MEMORY_STATE, 1, sizeof *filter);
    filter->sources = sources;
    filter->uniform = !tau;
    filter->step = filter_step_of(form, tau_all);
    if (tau) {
        filter->decay = memory_new(MEMORY_STATE, (size_t)sources, sizeof(double));
        filter->jump = memory_new(MEMORY_STATE, (size_t)sources, sizeof(double));
        for (int64_t j = 0; j < sources; j++) {
            filter_step step = filter_step_of(form, tau[j]);
            filter->decay[j] = step.decay;
            filter->jump[j] = step.jump;
        }
    } else {
        filter->power_count = longest + 1;
        filter->power = memory_new(MEMORY_STATE, (size_t)filter->power_count, sizeof(double));
        for (int64_t m = 0; m < filter->power_count; m++) filter->power[m] = pow(filter->step.decay, (double)m);
    }
    filter->r = memory_new(MEMORY_STATE, (size_t)sources, sizeof(double));
    filter->arrived = memory_new(MEMORY_STATE, (size_t)sources, sizeof(double));
    filter->touched = memory_new(MEMORY_STATE, (size_t)sources, sizeof(int32_t));
    return filter;
}

void filter_free(spike_filter *filter) {
    if (!filter) return;
    memory_free(filter->decay);
    memory_free(filter->jump);
    memory_free(filter->power);
    memory_free(filter->r);
    memory_free(filter->arrived);
    memory_free(filter->touched);
    memory_free(filter);
}

void filter_clear_interval(spike_filter *filter) {
    for (int k = 0; k < filter->touched_count; k++) filter->arrived[filter->touched[k]] = 0;
    filter->touched_count = 0;
}

void filter_reset(spike_filter *filter) {
    filter_clear_interval(filter);
    memset(filter->r, 0, (size_t)filter->sources * sizeof(double));
}

void filter_state(spike_filter *filter, state_list *list) {
    state_add(list, "filter", "r", H5_FLOAT64, LAYOUT_SHARED, filter->sources, filter->r);
    state_add(list, "filter", "arrived", H5_FLOAT64, LAYOUT_SHARED, filter->sources, filter->arrived);
    state_add(list, "filter", "touched", H5_INT32, LAYOUT_SHARED, filter->sources, filter->touched);
    state_add(list, "filter", "touched_count", H5_INT32, LAYOUT_SHARED, 1, &filter->touched_count);
    state_add(list, "filter", "interval_decay", H5_FLOAT64, LAYOUT_SHARED, 1, &filter->interval_decay);
}

static double uniform_power(const spike_filter *filter, int64_t steps) {
    return steps < filter->power_count ? filter->power[steps] : pow(filter->step.decay, (double)steps);
}

void filter_spikes(spike_filter *filter, const int32_t *spike, int count, int64_t decays) {
    double shared = filter->uniform ? filter->step.jump * uniform_power(filter, decays) : 0;
    for (int k = 0; k < count; k++) {
        int32_t j = spike[k];
        double value = filter->uniform ? shared : filter->jump[j] * pow(filter->decay[j], (double)decays);
        if (value == 0) continue; /* so long ago that it underflowed */
        if (filter->arrived[j] == 0) filter->touched[filter->touched_count++] = j;
        filter->arrived[j] += value;
    }
}

void filter_advance(spike_filter *filter, int64_t steps) {
    double *restrict r = filter->r;
    const double *restrict arrived = filter->arrived;
    if (filter->uniform) {
        double a = filter->interval_decay = uniform_power(filter, steps);
        for (int64_t j = 0; j < filter->sources; j++) r[j] = a * r[j] + arrived[j];
    } else {
        for (int64_t j = 0; j < filter->sources; j++) r[j] = pow(filter->decay[j], (double)steps) * r[j] + arrived[j];
    }
}
