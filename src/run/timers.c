#include "engram/timers.h"

#include <math.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

#include "engram/clock.h"

const char *const phase_names[PHASES] = {"build", "baseline", "update", "wait", "exchange", "deliver", "learn", "record", "checkpoint", "write"};

/** Does the processor count at one rate, whatever its frequency, and also while it sleeps? */
static bool counts_evenly(void) {
#ifdef __x86_64__
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx) && edx >> 8 & 1;
#else
    return false;
#endif
}

/** Ticks of the processor's counter, which takes a third of the time that the clock does; of the clock where that cannot be had. */
static uint64_t ticks(bool counter) {
#ifdef __x86_64__
    if (counter) return __builtin_ia32_rdtsc();
#endif
    (void)counter;
    return (uint64_t)(clock_seconds() * 1e9);
}

/** Both at one moment: between two looks at the clock, the closest of some, as who is interrupted there is milliseconds late. @return s */
static double look_at_both(bool counter, uint64_t *count) {
    double closest = HUGE_VAL, moment = 0;
    for (int k = 0; k < 8; k++) {
        const double before = clock_seconds();
        const uint64_t now = ticks(counter);
        const double gap = clock_seconds() - before;
        if (!(gap < closest)) continue;
        closest = gap;
        moment = before + gap / 2;
        *count = now;
    }
    return moment;
}

/** By the clock, for two thousandths of a second. @return s */
static double measure_tick(bool counter) {
    uint64_t first = 0, last = 0;
    const double started = look_at_both(counter, &first);
    while (clock_seconds() < started + 2e-3) continue;
    const double passed = look_at_both(counter, &last) - started;
    return passed / (double)(last - first);
}

stopwatch stopwatch_start(timers *timers) {
    static bool counter;
    static double tick; /* s; 0: not measured yet */
    if (!(tick > 0)) {
        counter = counts_evenly();
        tick = counter ? measure_tick(counter) : 1e-9;
    }
    return (stopwatch){.timers = timers, .tick = tick, .counter = counter, .last = ticks(counter)};
}

void stopwatch_charge(stopwatch *watch, phase phase) {
    const uint64_t now = ticks(watch->counter);
    watch->timers->seconds[phase] += (double)(int64_t)(now - watch->last) * watch->tick;
    watch->last = now;
}
