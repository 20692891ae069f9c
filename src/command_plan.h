#ifndef ENGRAM_COMMAND_PLAN_H
#define ENGRAM_COMMAND_PLAN_H

#include "engram/context.h"

/** "engram plan CONFIG ...". Collective. @return exit code, agreed */
int command_plan(const context *context, int argc, char **argv);

/** "engram calibrate ...". Collective. @return exit code, agreed */
int command_calibrate(const context *context, int argc, char **argv);

#endif
