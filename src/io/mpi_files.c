#include "mpi_files.h"

#include <mpi.h>

static int failure = MPI_SUCCESS;

int mpi_files_error(void) {
    int error = failure;
    failure = MPI_SUCCESS;
    return error;
}

static int keep(int error) {
    if (error != MPI_SUCCESS && failure == MPI_SUCCESS) failure = error;
    return MPI_SUCCESS;
}

/** Keep the error of a write, or that it was too short, and let the status tell of a complete one. */
static int keep_write(int error, int count, MPI_Datatype type, MPI_Status *status) {
    int size, put = 0;
    PMPI_Type_size(type, &size);
    if (status == MPI_STATUS_IGNORE) return keep(error);
    if (error == MPI_SUCCESS && size > 0) PMPI_Get_elements(status, MPI_BYTE, &put);
    if (error == MPI_SUCCESS && (size == 0 || put == MPI_UNDEFINED || (long long)put == (long long)count * size)) return MPI_SUCCESS;
    PMPI_Status_set_elements(status, MPI_BYTE, count * size);
    return keep(error == MPI_SUCCESS ? MPI_ERR_IO : error);
}

int MPI_File_write_at(MPI_File file, MPI_Offset offset, const void *data, int count, MPI_Datatype type, MPI_Status *status) {
    return keep_write(PMPI_File_write_at(file, offset, data, count, type, status), count, type, status);
}

int MPI_File_write_at_all(MPI_File file, MPI_Offset offset, const void *data, int count, MPI_Datatype type, MPI_Status *status) {
    return keep_write(PMPI_File_write_at_all(file, offset, data, count, type, status), count, type, status);
}

int MPI_File_set_size(MPI_File file, MPI_Offset size) {
    return keep(PMPI_File_set_size(file, size));
}

int MPI_File_sync(MPI_File file) {
    return keep(PMPI_File_sync(file));
}

int MPI_File_close(MPI_File *file) {
    return keep(PMPI_File_close(file));
}
