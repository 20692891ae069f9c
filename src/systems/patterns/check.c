#include <math.h>

#include "build.h"
#include "tracker.h"

static status check_times(config *config) {
    const simulation_settings *simulation = config_common(config, "simulation");
    const stimulus_settings *stimulus = config_common(config, "stimulus");
    const learning_settings *learning = config_common(config, "learning");
    const added_output *output = config_added(config, "output");
    double dt = simulation->dt;
    status result = STATUS_OK;
    result = status_worse(result, config_check_steps(config, "stimulus", "start", stimulus->start, dt));
    result = status_worse(result, config_check_steps(config, "stimulus", "stop", stimulus->stop, dt));
    result = status_worse(result, config_check_steps(config, "learning", "every", learning->every, dt));
    if (!isnan(simulation->loop_duration))
        result = status_worse(result, config_check_steps(config, "simulation", "loop_duration", simulation->loop_duration, dt));
    if (!isnan(simulation->baseline)) result = status_worse(result, config_check_steps(config, "simulation", "baseline", simulation->baseline, dt));
    if (!isnan(simulation->baseline) && simulation->baseline < 10 * dt)
        result = status_worse(result, config_complain(config, "simulation", "baseline", "%g ms is shorter than 10 time steps", simulation->baseline));
    if (stimulus->stop < stimulus->start)
        result = status_worse(result, config_complain(config, "stimulus", "stop", "%g ms is before the start, %g ms", stimulus->stop, stimulus->start));
    if (output->correlation_window > 0 && output->correlation_window < fmax(learning->every / 2, 0.5))
        result = status_worse(result, config_complain(config, "output", "correlation_window",
                                                      "%g ms would leave gaps between bins of %g ms; give 0, or at least half of learning.every and 0.5 ms",
                                                      output->correlation_window, learning->every));
    if (output->correlation_window > 0 && !config_is_whole_steps(1, dt))
        result = status_worse(
            result, config_complain(config, "output", "correlation_window", "averages samples of whole ms, which time steps of %g ms do not hit; give 0", dt));
    return result;
}

/** First-order filters are stepped: a time constant below the step would overshoot. */
static status check_tau(const config *config, const char *section, const char *key, double tau, double step) {
    return tau >= step ? STATUS_OK : config_complain(config, section, key, "%g ms is below the time step, %g ms", tau, step);
}

static status check_filters(config *config) {
    const network_settings *network = config_common(config, "network");
    const plastic_settings *plastic = config_common(config, "plastic");
    const feedforward_settings *feedforward = config_common(config, "feedforward");
    double dt = ((const simulation_settings *)config_common(config, "simulation"))->dt;
    status result = check_tau(config, "network", "tau_excitatory", network->tau_excitatory, dt);
    result = status_worse(result, check_tau(config, "network", "tau_inhibitory", network->tau_inhibitory, dt));
    result = status_worse(result, check_tau(config, "plastic", "tau", plastic->tau, dt));
    if (plastic->tau_range.count) result = status_worse(result, check_tau(config, "plastic", "tau_range", plastic->tau_range.values[0], dt));
    if (feedforward->units) result = status_worse(result, check_tau(config, "feedforward", "tau", feedforward->tau, dt));
    return result;
}

static status check_plastic(config *config) {
    const plastic_settings *plastic = config_common(config, "plastic");
    const param_numbers *range = &plastic->tau_range;
    if (range->count == 0) return STATUS_OK;
    if (range->count != 2)
        return config_complain(config, "plastic", "tau_range", "%d value%s; needs two, [low, high]", range->count, range->count == 1 ? "" : "s");
    if (range->values[0] > range->values[1])
        return config_complain(config, "plastic", "tau_range", "[%g, %g] ms is the wrong way round, its low end is above its high end; write [%g, %g]",
                               range->values[0], range->values[1], range->values[1], range->values[0]);
    return STATUS_OK;
}

/** Learning moves the sums of the readout form in double precision. */
static status check_precision(config *config, const neuron_model *model) {
    if (!model->single || !model->single(config_variant(config, "neuron")) || !build_readout_form(config)) return STATUS_OK;
    return config_complain(config, "neuron", "precision",
                           "single needs plastic.drive: spike_time; a drive read out as W r is a sum that learning moves: give double");
}

status build_check(const context *context, config *config) {
    (void)context;
    const network_settings *network = config_common(config, "network");
    const simulation_settings *simulation = config_common(config, "simulation");
    status result = status_worse(status_worse(check_times(config), check_plastic(config)), check_filters(config));
    const neuron_model *model = neuron_models[config_variant_index(config, "neuron")];
    const network_kind *kind = network_kinds[config_variant_index(config, "network")];
    const plastic_kind *plastic = plastic_kinds[config_variant_index(config, "plastic")];
    if (model->check) result = status_worse(result, model->check(config, config_variant(config, "neuron"), simulation->dt, &network->cells));
    result = status_worse(result, check_precision(config, model));
    const stimulus_kind *stimulus = stimulus_kinds[config_variant_index(config, "stimulus")];
    if (stimulus->check) result = status_worse(result, stimulus->check(config, config_variant(config, "stimulus"), simulation->dt));
    if (kind->check) result = status_worse(result, kind->check(config, config_variant(config, "network"), network));
    if (plastic->check) result = status_worse(result, plastic->check(config, config_variant(config, "plastic"), network));
    return result;
}
