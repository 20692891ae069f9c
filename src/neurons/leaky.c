#include "leaky.h"

#include <math.h>
#include <stdbool.h>

enum { FEW = 32 }; /* neurons that are looked at one by one where one of them fires */

static bool any_resting(const int32_t *since, int count, int32_t rest) {
    int32_t any = 0;
    for (int i = 0; i < count; i++) any |= since[i] < rest;
    return any;
}

#define REAL double
#define WHOLE int64_t
#define NEVER HUGE_VAL
#define STEPS(name) name##_double
#include "leaky_steps.h"

#define REAL float
#define WHOLE int32_t
#define NEVER HUGE_VALF
#define STEPS(name) name##_single
#include "leaky_steps.h"

void leaky_advance(const leaky_step *step, neurons *neurons, int first, int end, const double *input) {
    advance_double(step, neurons, first, end, input, neurons->field[0]);
}

void leaky_advance_single(const leaky_step *step, neurons *neurons, int first, int end, const float *input) {
    advance_single(step, neurons, first, end, input, neurons->single[0]);
}
