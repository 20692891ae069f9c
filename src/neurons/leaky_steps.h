/* The step of a leaky membrane in one precision: included by leaky.c once for each, which defines
 *     REAL         the type of v and of the input
 *     WHOLE        a signed integer as wide, so that lanes stay lanes
 *     NEVER        no voltage is above this threshold
 *     STEPS(name)  functions of this precision */

/** Some of these neurons have just fired or are refractory. Those have rate 0 and no threshold, which compiles to less than keeping them apart. */
static void STEPS(advance_resting)(leaky_step step, int32_t rest, int count, const REAL *restrict input, REAL *restrict v, int32_t *restrict since) {
    const REAL rate = (REAL)step.rate, threshold = (REAL)step.threshold, reset = (REAL)step.reset;
    for (int i = 0; i < count; i++) { /* branch-free vector code */
        const REAL before = v[i];
        const int32_t waited = since[i], longer = waited < rest ? waited + 1 : waited;
        const REAL next = before + (waited >= step.refractory ? rate : 0) * (input[i] - before);
        const REAL limit = waited >= step.refractory ? threshold : NEVER;
        v[i] = next > limit ? reset : next;
        since[i] = next > limit ? 0 : longer;
    }
}

static void STEPS(reset_fired)(leaky_step step, int count, REAL *restrict v, int32_t *restrict since) {
    const REAL threshold = (REAL)step.threshold, reset = (REAL)step.reset;
    int i = 0;
    for (; i + FEW <= count; i += FEW)
        for (uint32_t bits = STEPS(bits_above)(v + i, threshold); bits; bits &= bits - 1) {
            const int fired = i + __builtin_ctz(bits);
            v[fired] = reset;
            since[fired] = 0;
        }
    for (; i < count; i++) {
        if (!(v[i] > threshold)) continue;
        v[i] = reset;
        since[i] = 0;
    }
}

/** None has: their since_spike, once at rest, is written only where one fires, as stores are what this loop takes. @return whether one does */
static bool STEPS(advance_rested)(leaky_step step, int count, const REAL *restrict input, REAL *restrict v, int32_t *restrict since) {
    const REAL rate = (REAL)step.rate, threshold = (REAL)step.threshold;
    WHOLE above = 0;
    for (int i = 0; i < count; i++) {
        const REAL next = v[i] + rate * (input[i] - v[i]);
        v[i] = next;
        above |= next > threshold;
    }
    if (above) STEPS(reset_fired)(step, count, v, since);
    return above;
}

static void STEPS(advance)(const leaky_step *step, neurons *neurons, int first, int end, const REAL *input, REAL *all_v) {
    const int32_t rest = step->refractory > 1 ? step->refractory : 1; /* from here on since is not counted any further; whoever fired must stop being 0 */
    for (int begin = first, next; begin < end; begin = next) {
        uint8_t *stirred = &neurons->stirred[begin / NEURON_BLOCK];
        int32_t *since = neurons->since_spike + begin;
        REAL *v = all_v + begin;
        next = (begin / NEURON_BLOCK + 1) * NEURON_BLOCK;
        if (next > end) next = end;
        if (*stirred) {
            STEPS(advance_resting)(*step, rest, next - begin, input + (begin - first), v, since);
            const bool whole = begin % NEURON_BLOCK == 0 && (next % NEURON_BLOCK == 0 || next == neurons->part.mine);
            if (whole) *stirred = any_resting(since, next - begin, rest);
        } else {
            *stirred = STEPS(advance_rested)(*step, next - begin, input + (begin - first), v, since);
        }
    }
}

#undef REAL
#undef WHOLE
#undef NEVER
#undef STEPS
