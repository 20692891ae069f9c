#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "command_status.h"
#include "command_watch.h"
#include "engram/h5.h"
#include "engram/memory.h"
#include "io/h5_server.h"

int main(int argc, char **argv) {
    setvbuf(stderr, NULL, _IOLBF, BUFSIZ); /* a message is one write: nothing of other ranks, or of stdout, comes between where a launcher joins them */
    signal(SIGXFSZ, SIG_IGN); /* a file beyond a limit (ulimit -f) is told as a full disk is, and does not end the program without a word */
    if (server_is_wanted(argc, argv)) return server_run(); /* no rank, but the process that reads a foreign HDF5 file for one */
    if (command_is("status", argc, argv)) return command_status(argc, argv);
    if (command_is("watch", argc, argv)) return command_watch(argc, argv);
    /* Open MPI opens shared file pointers beside every file, which nobody uses here. Its component "sm" takes a semaphore of the node, named after the file
     * alone: one left by a killed program would be waited for by every later one. "individual" makes two more files a rank, which a killed program leaves;
     * "lockedfile" ends the program on paths of more than 206 bytes. None is taken where the only one allowed has no priority. */
    setenv("OMPI_MCA_sharedfp", "sm", 1);
    setenv("OMPI_MCA_sharedfp_sm_priority", "-1", 1);
    MPI_Init(&argc, &argv);
    context context = context_of(MPI_COMM_WORLD);
    memory_begin(&context);
    int code = command_run(&context, argc, argv);
    int ruined = h5_left_open();
    MPI_Allreduce(MPI_IN_PLACE, &ruined, 1, MPI_INT, MPI_LOR, MPI_COMM_WORLD);
    if (ruined) {
        fflush(NULL);
        _Exit(code);
    }
    MPI_Finalize();
    return code;
}
