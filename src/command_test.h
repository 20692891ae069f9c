/* The command line of "engram test". */
#ifndef ENGRAM_COMMAND_TEST_H
#define ENGRAM_COMMAND_TEST_H

#include "engram/context.h"

/** Do what the command line says; its first word that is no option is "test". Collective. @return the exit code, the same on every rank */
int command_test(const context *context, int argc, char **argv);

#endif
