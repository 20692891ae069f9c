#include <math.h>

#include "engram/gradient.h"
#include "engram/memory.h"

void adam_new(adam *adam, int64_t count, double beta1, double beta2, double epsilon) {
    *adam = (struct adam){.beta1 = beta1, .beta2 = beta2, .epsilon = epsilon, .count = count};
    adam->mean = memory_new(MEMORY_WEIGHTS, (size_t)count, sizeof(float));
    adam->square = memory_new(MEMORY_WEIGHTS, (size_t)count, sizeof(float));
}

void adam_clear(adam *adam) {
    memory_free(adam->mean), memory_free(adam->square);
}

void adam_step(adam *adam, double rate, const float *gradient, float *weight) {
    const adam_group all = {adam->count, 1};
    adam_step_groups(adam, rate, &all, 1, gradient, weight);
}

void adam_step_groups(adam *adam, double rate, const adam_group *group, int groups, const float *gradient, float *weight) {
    const double n = (double)++adam->updates, corrected = rate * sqrt(1 - pow(adam->beta2, n)) / (1 - pow(adam->beta1, n));
    const float b1 = (float)adam->beta1, b2 = (float)adam->beta2, r1 = (float)(1 - adam->beta1), r2 = (float)(1 - adam->beta2);
    const float epsilon = (float)adam->epsilon;
    int64_t k = 0;
    for (int number = 0; number < groups; number++) {
        const float step = (float)(corrected * group[number].factor);
        for (const int64_t end = k + group[number].count; k < end; k++) {
            const float g = gradient[k], m = b1 * adam->mean[k] + r1 * g, s = b2 * adam->square[k] + r2 * g * g;
            adam->mean[k] = m, adam->square[k] = s;
            weight[k] -= step * m / (__builtin_sqrtf(s) + epsilon);
        }
    }
}

void adam_state(adam *adam, const char *module, state_list *list) {
    state_add(list, module, "adam_mean", H5_FLOAT32, LAYOUT_SHARED, adam->count, adam->mean);
    state_add(list, module, "adam_square", H5_FLOAT32, LAYOUT_SHARED, adam->count, adam->square);
    state_add(list, module, "adam_updates", H5_INT64, LAYOUT_SHARED, 1, &adam->updates);
}
