#include "command.h"
#include "engram/memory.h"

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    context context = context_of(MPI_COMM_WORLD);
    memory_begin(&context);
    int code = command_run(&context, argc, argv);
    MPI_Finalize();
    return code;
}
