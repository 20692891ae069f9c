#include "engram/feedforward.h"

#include <math.h>

#include "engram/memory.h"
#include "engram/random.h"

#define NUMBER(key, unit, fallback, low, high, help, member) {key, PARAM_NUMBER, unit, fallback, low, high, NULL, help, offsetof(feedforward_settings, member)}
static const param params[] = {
    {"units", PARAM_INTEGER, UNIT_NONE, "0", 0, 1 << 24, NULL, "Poisson units, each connected to every trained neuron by plastic synapses",
     offsetof(feedforward_settings, units)},
    NUMBER("rate", UNIT_RATE, "5 Hz", 0, 1e4, "mean rate", rate),
    NUMBER("tau", UNIT_TIME, "400 ms", 1e-3, 1e9, "correlation time of the rate", tau),
    NUMBER("sigma", UNIT_NONE, "0.2", 0, 1e6, "noise amplitude of the rate, Hz per sqrt(ms)", sigma),
    NUMBER("smoothing", UNIT_TIME, "50 ms", 0, 1e6, "the rate is averaged over this time to either side", smoothing),
    NUMBER("weight", UNIT_NONE, "0", -1e6, 1e6, "initial weight", weight),
    NUMBER("lambda", UNIT_NONE, "1", 1e-12, 1e12, "ridge penalty of feed-forward weights", lambda),
};
#undef NUMBER
const param_table feedforward_common = {"feedforward", "Poisson feed-forward units (Arthur et al. 2023, Kim et al. 2023)", params,
                                        sizeof params / sizeof *params, sizeof(feedforward_settings)};

struct feedforward {
    int64_t units, first_step, samples;
    int tasks;
    uint64_t seed;
    float *probability; /* [tasks][samples][units] of a spike in a step */
};

/** Rate of one unit: OU from the mean, centred moving average, clamped at 0. @param raw [samples+1] scratch for cumulative sums */
static void draw_rate(feedforward *units, const feedforward_settings *settings, int task, int64_t unit, double dt, double *sum) {
    int64_t half = llround(settings->smoothing / dt);
    double x = settings->rate;
    sum[0] = 0;
    for (int64_t n = 0; n < units->samples; n++) {
        sum[n + 1] = sum[n] + x;
        x += dt / settings->tau * (settings->rate - x) +
             settings->sigma * sqrt(dt) * random_normal(units->seed, RANDOM_FEEDFORWARD_RATE, (uint64_t)unit, ((uint64_t)task << 32) + (uint64_t)n);
    }
    for (int64_t n = 0; n < units->samples; n++) {
        int64_t low = n - half < 0 ? 0 : n - half, high = n + half + 1 > units->samples ? units->samples : n + half + 1;
        double rate = (sum[high] - sum[low]) / (double)(high - low);
        units->probability[((int64_t)task * units->samples + n) * units->units + unit] = (float)(rate > 0 ? rate * dt / 1000 : 0);
    }
}

feedforward *feedforward_new(const feedforward_settings *settings, int tasks, uint64_t seed, double dt, int64_t first_step, int64_t steps) {
    if (settings->units == 0) return NULL;
    feedforward *units = memory_new(MEMORY_TARGETS, 1, sizeof *units);
    *units = (feedforward){.units = settings->units, .first_step = first_step, .tasks = tasks, .seed = seed};
    units->samples = steps > first_step ? steps - first_step : 0;
    units->probability = memory_new(MEMORY_TARGETS, (size_t)(tasks * units->samples * units->units), sizeof(float));
    double *sum = memory_new(MEMORY_BUFFERS, (size_t)units->samples + 1, sizeof(double));
    for (int task = 0; task < tasks; task++)
        for (int64_t unit = 0; unit < units->units; unit++) draw_rate(units, settings, task, unit, dt, sum);
    memory_free(sum);
    return units;
}

void feedforward_free(feedforward *units) {
    if (!units) return;
    memory_free(units->probability);
    memory_free(units);
}

int feedforward_spikes(const feedforward *units, int task, uint64_t stream, int64_t step, int32_t offset, int32_t *spike) {
    int64_t sample = step - units->first_step - 1; /* rateX[1] belongs to the first step after stim_off */
    if (sample < 0 || sample >= units->samples) return 0;
    const float *probability = units->probability + ((int64_t)task * units->samples + sample) * units->units;
    int count = 0;
    for (int64_t unit = 0; unit < units->units; unit++)
        if (random_uniform(units->seed, RANDOM_FEEDFORWARD_SPIKE, (uint64_t)unit, (stream << 40) + (uint64_t)step) < (double)probability[unit])
            spike[count++] = offset + (int32_t)unit;
    return count;
}
