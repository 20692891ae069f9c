#include "command.h"

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    context context = context_of(MPI_COMM_WORLD);
    int code = command_run(&context, argc, argv);
    MPI_Finalize();
    return code;
}
