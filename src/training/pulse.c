#include "engram/pulse.h"

#include <stdarg.h>
#include <stdio.h>

#include "engram/clock.h"
#include "engram/context.h"
#include "guard.h"

/** What ranks tell each other with an exchange. */
enum { RAISE_STOP = 1, RAISE_ABANDON = 2, RAISE_FAULT = 4 };

void pulse_begin(pulse *pulse) {
    pulse->raise = 0;
    pulse->spikes = 0;
    pulse->whole = true;
    pulse->fault[0] = '\0';
    pulse->started = clock_seconds();
    if (pulse->guard) guard_begin(pulse->guard);
}

void pulse_observe(pulse *pulse, void *self, void (*step)(void *, int64_t, const int32_t *, int)) {
    if (pulse->observers == OBSERVERS_MAX) context_abort("pulse: more than %d observers", OBSERVERS_MAX);
    pulse->observer[pulse->observers++] = (observer){self, step};
}

unsigned pulse_bits(pulse *pulse) {
    unsigned bits = pulse->raise;
    pulse->raise = 0;
    return bits;
}

bool pulse_heed(pulse *pulse, unsigned raised, int64_t step) {
    if (raised & (RAISE_FAULT | RAISE_ABANDON)) return pulse->whole = false;
    if (pulse->watch && (raised & RAISE_STOP)) {
        pulse->watch->asked = true;
        double seconds = clock_seconds() - pulse->started;
        if (pulse->rank == 0 && watch_abandons(pulse->watch, seconds, (double)step, (double)pulse->steps)) pulse->raise |= RAISE_ABANDON;
    }
    return true;
}

void pulse_fault(pulse *pulse, const char *format, ...) {
    va_list arguments;
    pulse->raise |= RAISE_FAULT;
    if (pulse->fault[0]) return;
    va_start(arguments, format);
    vsnprintf(pulse->fault, FAULT_BYTES, format, arguments);
    va_end(arguments);
}

bool pulse_counts(const pulse *pulse, int64_t step) {
    return pulse->guard && guard_window_ends(pulse->guard, step);
}

void pulse_step(pulse *pulse, int64_t step, const int32_t *fired, int count, int64_t of_network) {
    pulse->spikes += of_network;
    for (int o = 0; o < pulse->observers; o++) pulse->observer[o].step(pulse->observer[o].self, step, fired, count);
    if (!pulse->guard && !pulse->watch) return;
    bool look = step % pulse->look_every == 0;
    if (pulse->guard) {
        guard_count(pulse->guard, fired, count, of_network);
        bool runs_away = guard_window_ends(pulse->guard, step) && guard_find_runaway(pulse->guard, pulse, step);
        if (look && !runs_away) guard_find_infinite(pulse->guard, pulse, step);
    }
    if (look && pulse->watch && !pulse->watch->asked && watch_wants_end(pulse->watch, pulse->rank)) pulse->raise |= RAISE_STOP;
}
