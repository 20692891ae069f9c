/* The command line. */
#ifndef ENGRAM_COMMAND_H
#define ENGRAM_COMMAND_H

#include "engram/context.h"

/** Whether this is "engram status", which reads files only: for command_status(), before MPI begins, so that it runs where MPI does not (a login node). */
bool command_is_status(int argc, char **argv);

/** Do what the command line says. Collective. @return the exit code, the same on every rank */
int command_run(context *context, int argc, char **argv);

#endif
