/* Seconds of a phase, told by the processor's counter, beside those of the clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engram/clock.h"
#include "engram/timers.h"

static void pass(double seconds) {
    const double until = clock_seconds() + seconds;
    while (clock_seconds() < until) continue;
}

/** Each phase has as much as passes between looks at the clock inside it, and no more than between those around it. */
static void test_beside_the_clock(void **state) {
    (void)state;
    timers timers = {{0}};
    const phase order[] = {PHASE_UPDATE, PHASE_DELIVER, PHASE_UPDATE};
    double least[PHASES] = {0}, most[PHASES] = {0}, around = clock_seconds();
    stopwatch watch = stopwatch_start(&timers); /* measures the tick, which is none of the phases' */
    for (int k = 0; k < 3; k++) {
        const double inside = clock_seconds();
        pass(0.04);
        const double passed = clock_seconds();
        stopwatch_charge(&watch, order[k]);
        least[order[k]] += passed - inside;
        most[order[k]] += clock_seconds() - around;
        around = passed;
    }
    for (int phase = 0; phase < PHASES; phase++)
        if (timers.seconds[phase] < 0.999 * least[phase] || timers.seconds[phase] > 1.001 * most[phase])
            fail_msg("%s: %g s, not between %g and %g", phase_names[phase], timers.seconds[phase], least[phase], most[phase]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_beside_the_clock)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
