#include "delays.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engram/memory.h"
#include "engram/random.h"

enum { SPREAD = 6 }; /* standard deviations above the mean at which a draw is clipped: one of 1e9 is */

static double value_of(const param_numbers *numbers, int type, double none) {
    return numbers->count == 0 ? none : numbers->values[numbers->count > 1 ? type : 0];
}

static status check_list(const config *config, const char *section, const char *key, const param_numbers *numbers) {
    if (numbers->count <= 2) return STATUS_OK;
    return config_complain(config, section, key, "%d values; give one, or two, [of excitatory sources, of inhibitory ones]", numbers->count);
}

/** @param ms shortest that is asked for */
static status check_shortest(const config *config, const char *section, const char *key, double ms, double dt) {
    return ms >= dt * (1 - 1e-9) ? STATUS_OK : config_complain(config, section, key, "%g ms is below the time step, %g ms", ms, dt);
}

static status check_longest(const config *config, const char *section, const char *key, double ms, double dt) {
    if (ms / dt < DELAY_MAX + 0.5) return STATUS_OK;
    return config_complain(config, section, key, "leads to delays of %.0f time steps of %g ms; at most %d are kept", ms / dt, dt, DELAY_MAX);
}

static status check_range(const config *config, const char *section, const delay_settings *settings, double dt) {
    const param_numbers *range = &settings->range;
    if (settings->mean.count || settings->sd.count)
        return config_complain(config, section, "delay_range", "is given beside %s; give one of them (%s.%s=[] takes that back)",
                               settings->mean.count ? "delay" : "delay_sd", section, settings->mean.count ? "delay" : "delay_sd");
    if (range->count != 2)
        return config_complain(config, section, "delay_range", "%d value%s; needs two, [low, high]", range->count, range->count == 1 ? "" : "s");
    if (range->values[0] > range->values[1])
        return config_complain(config, section, "delay_range", "[%g, %g] ms is the wrong way round, its low end is above its high end; write [%g, %g]",
                               range->values[0], range->values[1], range->values[1], range->values[0]);
    return status_worse(check_shortest(config, section, "delay_range", range->values[0], dt),
                        check_longest(config, section, "delay_range", range->values[1], dt));
}

status delays_check(const config *config, const char *section, const delay_settings *settings, double dt) {
    status result = status_worse(check_list(config, section, "delay", &settings->mean), check_list(config, section, "delay_sd", &settings->sd));
    if (result != STATUS_OK) return result;
    if (settings->range.count) return check_range(config, section, settings, dt);
    if (settings->sd.count && !settings->mean.count)
        return config_complain(config, section, "delay_sd", "needs delay, the mean (or %s.delay_sd=[] takes it back)", section);
    for (int type = 0; type < 2 && result == STATUS_OK; type++) {
        const double mean = value_of(&settings->mean, type, dt), sd = value_of(&settings->sd, type, 0);
        result = check_shortest(config, section, "delay", mean, dt);
        if (result == STATUS_OK) result = check_longest(config, section, sd > 0 ? "delay_sd" : "delay", mean + SPREAD * sd, dt);
    }
    return result;
}

static int steps_of(double steps) {
    return steps < 1 ? 1 : (int)llround(steps);
}

delay_rule delays_rule(const delay_settings *settings, double dt) {
    delay_rule rule = {.by_source = settings->by == DELAY_BY_SOURCE};
    if (settings->range.count) rule.low = settings->range.values[0] / dt, rule.high = settings->range.values[1] / dt;
    for (int type = 0; type < 2; type++) {
        rule.mean[type] = value_of(&settings->mean, type, dt) / dt;
        rule.sd[type] = value_of(&settings->sd, type, 0) / dt;
        rule.most[type] = rule.high > 0 ? steps_of(rule.high) : steps_of(rule.mean[type] + SPREAD * rule.sd[type]);
        const int least = rule.high > 0 ? steps_of(rule.low) : rule.sd[type] > 0 ? 1 : rule.most[type];
        if (rule.most[type] > rule.longest) rule.longest = rule.most[type];
        if (type == 0 || least < rule.least) rule.least = least;
    }
    rule.drawn = rule.sd[0] > 0 || rule.sd[1] > 0 || rule.most[0] != rule.most[1] || (rule.high > 0 && steps_of(rule.low) != steps_of(rule.high));
    return rule;
}

int delays_draw(const delay_rule *rule, uint64_t seed, int kind, int64_t source, bool inhibitory, int64_t target) {
    const uint64_t counter = rule->by_source ? (uint64_t)kind << 32 : (uint64_t)target;
    double steps = rule->mean[inhibitory];
    if (rule->high > 0) steps = rule->low + (rule->high - rule->low) * random_uniform(seed, RANDOM_DELAY, (uint64_t)source, counter);
    else if (rule->sd[inhibitory] > 0) steps += rule->sd[inhibitory] * random_normal(seed, RANDOM_DELAY, (uint64_t)source, counter);
    const int whole = steps_of(steps);
    return whole < rule->most[inhibitory] ? whole : rule->most[inhibitory];
}

static double clipped(double mean, double sd) {
    return sd > 0 ? 50 * erfc((mean - 0.5) / (sd * sqrt(2))) : 0; /* percent */
}

void delays_tell(const context *context, const char *section, const delay_settings *settings, double dt) {
    static const char *const of[2] = {" of excitatory sources", " of inhibitory sources"};
    const delay_rule rule = delays_rule(settings, dt);
    const int types = settings->mean.count == 2 || settings->sd.count == 2 ? 2 : 1;
    const char *whose = rule.by_source ? "source" : "synapse";
    if (settings->range.count)
        log_line(context, "%s.delay_range: uniform in [%g, %g] ms: %d to %d time steps of %g ms, drawn for every %s", section, rule.low * dt, rule.high * dt,
                 steps_of(rule.low), steps_of(rule.high), dt, whose);
    for (int type = 0; type < types && settings->mean.count; type++)
        if (rule.sd[type] > 0)
            log_line(context, "%s.delay%s: normal, %g +- %g ms: 1 to %d time steps of %g ms, drawn for every %s; %.2g %% of draws are raised to one step",
                     section, types == 2 ? of[type] : "", rule.mean[type] * dt, rule.sd[type] * dt, rule.most[type], dt, whose,
                     clipped(rule.mean[type], rule.sd[type]));
        else
            log_line(context, "%s.delay%s: %g ms%s %d time step%s of %g ms", section, types == 2 ? of[type] : "", rule.mean[type] * dt,
                     config_is_whole_steps(rule.mean[type] * dt, dt) ? " is" : " is rounded to", rule.most[type], rule.most[type] == 1 ? "" : "s", dt);
}

/* ---- plastic synapses: one delay for all of a source ---- */

void plastic_draw_delays(const context *context, const delay_settings *settings, const network *network, plastic_synapses *plastic) {
    delay_rule rule = delays_rule(settings, network->dt);
    rule.by_source = true;
    plastic->longest = rule.longest;
    delay_settings told = *settings;
    told.by = DELAY_BY_SOURCE;
    delays_tell(context, "plastic", &told, network->dt);
    if (!rule.drawn) return;
    plastic->delay = memory_new(MEMORY_WEIGHTS, (size_t)plastic->neurons, sizeof *plastic->delay);
    for (int64_t j = 0; j < plastic->neurons; j++)
        plastic->delay[j] = (uint16_t)delays_draw(&rule, network->seed, DELAYS_PLASTIC, j, !cell_is_excitatory(network->cells, j), 0);
}

status plastic_take_delays(const context *context, const synapse_rows *rows, const plastic_request *request, const char *advice, plastic_synapses *plastic) {
    const size_t neurons = (size_t)plastic->neurons;
    int any = rows->delay != NULL;
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &any, 1, MPI_INT, MPI_MAX, context->comm));
    plastic->longest = rows->longest > 0 ? rows->longest : 1;
    if (!any) return STATUS_OK;
    uint16_t *most = memory_new(MEMORY_BUFFERS, 2 * neurons, sizeof *most), *least = most + neurons; /* least: of DELAY_MAX minus the delay, the most */
    for (int i = 0; i < rows->targets; i++)
        for (int64_t s = rows->start[i]; s < rows->start[i + 1] && request->trained[request->network->part.first + i]; s++) {
            const int delay = rows->delay[s], j = rows->source[s];
            if (delay > most[j]) most[j] = (uint16_t)delay;
            if (DELAY_MAX - delay >= least[j]) least[j] = (uint16_t)(DELAY_MAX - delay);
        }
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, most, 2 * (int)neurons, MPI_UINT16_T, MPI_MAX, context->comm));
    status result = STATUS_OK;
    plastic->delay = memory_new(MEMORY_WEIGHTS, neurons, sizeof *plastic->delay);
    for (size_t j = 0; j < neurons; j++) {
        plastic->delay[j] = most[j] ? most[j] : 1;
        if (!most[j] || most[j] == DELAY_MAX - least[j] || result != STATUS_OK) continue;
        result = status_fail(STATUS_INPUT,
                             "plastic: synapses of neuron %lld have delays from %d to %d time steps, but plastic ones of a source have one delay%s",
                             (long long)j, DELAY_MAX - least[j], most[j], advice);
    }
    memory_free(most);
    return result;
}
