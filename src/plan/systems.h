/* Systems that are planned and calibrated. */
#ifndef ENGRAM_PLAN_SYSTEMS_H
#define ENGRAM_PLAN_SYSTEMS_H

#include "engram/plan.h"

/** NULL-terminated; the first is that of files without learning.rule. */
extern const plan_hooks *const plan_systems[];

#endif
