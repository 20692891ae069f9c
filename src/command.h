/* The command line. */
#ifndef ENGRAM_COMMAND_H
#define ENGRAM_COMMAND_H

#include "engram/context.h"

/** Do what the command line says. Collective. @return the exit code, the same on every rank */
int command_run(context *context, int argc, char **argv);

#endif
