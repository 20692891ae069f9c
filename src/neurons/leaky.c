#include "leaky.h"

#include <math.h>
#include <stdbool.h>

/** Some of these neurons have just fired or are refractory. Those have rate 0 and no threshold, which compiles to less than keeping them apart. */
static void advance_resting(leaky_step step, int32_t rest, int count, const double *restrict input, double *restrict v, int32_t *restrict since) {
    for (int i = 0; i < count; i++) { /* branch-free vector code */
        const double before = v[i];
        const int32_t waited = since[i], longer = waited < rest ? waited + 1 : waited;
        const double next = before + (waited >= step.refractory ? step.rate : 0) * (input[i] - before);
        const double limit = waited >= step.refractory ? step.threshold : HUGE_VAL;
        v[i] = next > limit ? step.reset : next;
        since[i] = next > limit ? 0 : longer;
    }
}

/** None has: their since_spike, once at rest, is written only where one fires, as stores are what this loop takes. */
static void advance_rested(leaky_step step, int32_t rest, int count, const double *restrict input, double *restrict v, int32_t *restrict since) {
    (void)rest;
    int64_t above = 0; /* as wide as v, so that lanes stay lanes */
    for (int i = 0; i < count; i++) {
        const double next = v[i] + step.rate * (input[i] - v[i]);
        v[i] = next;
        above |= next > step.threshold;
    }
    for (int i = 0; i < count && above; i++) {
        if (!(v[i] > step.threshold)) continue;
        v[i] = step.reset;
        since[i] = 0;
    }
}

static bool any_resting(const int32_t *since, int count, int32_t rest) {
    int32_t any = 0;
    for (int i = 0; i < count; i++) any |= since[i] < rest;
    return any;
}

void leaky_advance(const leaky_step *step, int count, const double *input, double *v, int32_t *since) {
    enum { BLOCK = 256 }; /* so many that one of them rarely rests */
    const int32_t rest = step->refractory > 1 ? step->refractory : 1; /* from here on since is not counted any further; whoever fired must stop being 0 */
    for (int begin = 0; begin < count; begin += BLOCK) {
        const int some = count - begin < BLOCK ? count - begin : BLOCK;
        (any_resting(since + begin, some, rest) ? advance_resting : advance_rested)(*step, rest, some, input + begin, v + begin, since + begin);
    }
}
