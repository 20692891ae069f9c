/* White noise into the currents of a batch, in tests. */
#include "engram/gradient.h"
#include "engram/random.h"

enum { STEP_BITS = 24 };

void gradient_noise_add(const gradient_noise *noise, const uint64_t id[LANES], int samples, int neuron, int64_t step, float current[LANES]) {
    if (noise->silent && noise->silent[neuron]) return;
    for (int l = 0; l < samples; l++)
        current[l] += (float)(noise->sd * random_normal(noise->seed, RANDOM_TEST_NOISE, id[l], (uint64_t)neuron << STEP_BITS | (uint64_t)step));
}
