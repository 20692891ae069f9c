/* "engram watch": the page about a run that goes on, which tools/plot --live writes. */
#ifndef ENGRAM_COMMAND_WATCH_H
#define ENGRAM_COMMAND_WATCH_H

/** Become tools/plot --live of the run that the command line names; its first word that is no option is "watch". For one process, before MPI.
 *  @return the exit code, where that cannot be done */
int command_watch(int argc, char **argv);

#endif
