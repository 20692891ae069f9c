#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "command_status.h"
#include "engram/h5.h"
#include "engram/memory.h"
#include "io/h5_server.h"

int main(int argc, char **argv) {
    if (server_is_wanted(argc, argv)) return server_run(); /* no rank, but the process that reads a foreign HDF5 file for one */
    if (command_is_status(argc, argv)) return command_status(argc, argv);
    /* Open MPI opens shared file pointers beside every file, which nobody uses here. Those of "lockedfile" end the program on paths of more than 206 bytes;
     * those of "sm" take a semaphore named after the file alone: one left by a killed program would be waited for by every later one of the node. */
    setenv("OMPI_MCA_sharedfp", "individual", 1);
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
