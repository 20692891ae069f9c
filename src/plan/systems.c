#include "systems.h"

#include "../systems/patterns/plan/sizes.h"

const plan_hooks *const plan_systems[] = {&patterns_plan, NULL};
