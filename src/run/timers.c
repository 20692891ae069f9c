#include "engram/timers.h"

#include "engram/clock.h"

const char *const phase_names[PHASES] = {"build", "baseline", "update", "wait", "exchange", "deliver", "learn", "record", "checkpoint", "write"};

stopwatch stopwatch_start(timers *timers) {
    return (stopwatch){.timers = timers, .last = clock_seconds()};
}

void stopwatch_charge(stopwatch *watch, phase phase) {
    double now = clock_seconds();
    watch->timers->seconds[phase] += now - watch->last;
    watch->last = now;
}
