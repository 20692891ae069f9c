#include "engram/timers.h"

const char *const phase_names[PHASES] = {"build", "baseline", "update", "wait", "exchange", "deliver", "learn", "record", "checkpoint", "write"};
