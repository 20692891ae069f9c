#include "encoders.h"

#include <math.h>

static void spike(const task_sample *sample, int inputs, int step, int channel) {
    sample->spikes[(int64_t)step * inputs + channel] |= (uint16_t)(1u << sample->lane);
}

void encode_poisson(const task_sample *sample, encoder_span span, double chance, encoder_draws draws) {
    if (!(chance > 0)) return;
    const double scale = 1 / log1p(-chance);
    const uint64_t base = (uint64_t)span.channel << 32 | (uint64_t)span.first;
    double at = -1;
    for (uint64_t n = 0;; n++) {
        at += 1 + floor(log(random_uniform(draws.seed, RANDOM_TASK_SPIKE, draws.sample, base + (n << 48))) * scale);
        if (!(at < span.steps)) return;
        spike(sample, span.inputs, span.first + (int)at, span.channel);
    }
}

void encode_population(const task_sample *sample, encoder_span span, encoder_population population, double place, encoder_draws draws) {
    static const double FURTHEST = 5;
    for (int c = 0; c < population.count; c++) {
        const double off = (place - (double)c / (population.count - 1)) / population.width;
        span.channel = population.first + c;
        if (fabs(off) < FURTHEST) encode_poisson(sample, span, population.chance * exp(-off * off / 2), draws);
    }
}

void encode_crossings(const task_sample *sample, int inputs, int thresholds, const float *value, int count) {
    for (int n = 0; n < count; n++) {
        for (int k = 0; n < count - 1 && value[n] != value[n + 1] && k < thresholds - 1; k++) {
            const float threshold = (float)k / (float)(thresholds - 1);
            if (value[n] < threshold && threshold <= value[n + 1]) spike(sample, inputs, n, 2 * k);
            if (value[n] >= threshold && threshold > value[n + 1]) spike(sample, inputs, n, 2 * k + 1);
        }
        if (value[n] == 1) spike(sample, inputs, n, 2 * (thresholds - 1));
    }
}
