#include "prepare.h"

#include <math.h>

#include "checkpoint.h"
#include "engram/guard_settings.h"
#include "engram/output.h"
#include "engram/run_settings.h"
#include "engram/test_settings.h"
#include "recorder.h"

static status check_guards(const config *config, const guard_settings *guards) {
    if (guards->max_rate == 0 || guards->min_rate <= guards->max_rate) return STATUS_OK;
    return config_complain(config, "guards", config_given(config, "guards", "min_rate") ? "min_rate" : "max_rate",
                           "no rate is allowed: min_rate, %g Hz, is above max_rate, %g Hz", guards->min_rate, guards->max_rate);
}

static status check_output(config *config) {
    const output_settings *output = config_common(config, "output");
    const test_settings *test = config_common(config, "test");
    double dt = ((const simulation_settings *)config_common(config, "simulation"))->dt;
    int64_t loops = config_get_integer(config, "learning", "loops");
    status result = STATUS_OK;
    if (output->report.count) result = status_worse(result, config_check_steps(config, "output", "report_every", output->report_every, dt));
    if (test->trials) result = status_worse(result, config_check_steps(config, "test", "psth_bin", test->psth_bin, dt));
    if (loops > STREAM_BASELINE - 1)
        result = status_worse(result, config_complain(config, "learning", "loops", "%lld; at most %d", (long long)loops, STREAM_BASELINE - 1));
    return result;
}

static status check_tests(config *config, const learning_system *system) {
    const test_settings *test = config_common(config, "test");
    if (test->trials > 0 && !system->test_trial) return config_complain(config, "test", "trials", "the system %s has no tests", system->name);
    if (test->every > 0 && test->trials == 0)
        return config_complain(config, "test", "every", "%lld loops between tests, but they have no trials; give test.trials", (long long)test->every);
    const checkpoint_settings *checkpoint = config_common(config, "checkpoint");
    status result = STATUS_OK;
    if (checkpoint->keep_best && test->every == 0)
        result = config_complain(config, "checkpoint", "keep_best", "there are no tests between loops of which one could be the best; give test.every");
    if (!isnan(test->stop_at) && test->every == 0)
        result = status_worse(result, config_complain(config, "test", "stop_at", "there are no tests between loops that could reach it; give test.every"));
    return result;
}

status run_prepare(const context *context, config *config, const learning_system *system) {
    status result = system->resolve ? system->resolve(context, config) : STATUS_OK;
    if (result != STATUS_OK) return result;
    report_settle(config, system);
    result = status_worse(report_check(config, system), status_worse(check_guards(config, config_common(config, "guards")), check_output(config)));
    result = status_worse(result, check_tests(config, system));
    if (system->check) result = status_worse(result, system->check(context, config));
    return status_agree(context, result);
}
