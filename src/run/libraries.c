#include <cblas.h>
#include <mpi.h>
#include <string.h>

#include "engram/version.h"

const char *version_mpi(void) {
    static char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    MPI_Get_library_version(text, &length);
    text[strcspn(text, ",\n")] = '\0';
    return text;
}

const char *version_blas(void) {
    return openblas_get_config();
}
