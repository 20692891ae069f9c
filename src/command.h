/* The command line. */
#ifndef ENGRAM_COMMAND_H
#define ENGRAM_COMMAND_H

#include "engram/context.h"

/** Whether this is "engram status" or another @p command that does without MPI: begun before it, so that it runs where MPI does not (a login node). */
bool command_is(const char *command, int argc, char **argv);

/** Do what the command line says. Collective. @return the exit code, the same on every rank */
int command_run(context *context, int argc, char **argv);

#endif
