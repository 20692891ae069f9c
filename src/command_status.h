/* The command line of "engram status". */
#ifndef ENGRAM_COMMAND_STATUS_H
#define ENGRAM_COMMAND_STATUS_H

/** Do what the command line says; its first word that is no option is "status". Reads files only; for one process, before MPI. @return the exit code */
int command_status(int argc, char **argv);

#endif
