/* Compiled and run by libraries.cmake, to see whether libraries belong to the MPI of the build. No rank is started.
 * Prints a line for every shared library that an MPI comes from ("mpi FILE"), and what is wrong otherwise. */
#include <dlfcn.h>
#include <link.h>
#include <mpi.h>
#include <stdio.h>
#include <string.h>

#ifdef PROBE_HDF5
#include <hdf5.h>
#ifndef H5_HAVE_PARALLEL
#error this HDF5 was built without MPI
#endif
#endif
#ifdef PROBE_SCALAPACK
int Csys2blacs_handle(MPI_Comm comm);
void Cblacs_gridinit(int *context, const char *order, int rows, int columns);
void Cpdgemr2d(int m, int n, double *a, int ia, int ja, int *desca, double *b, int ib, int jb, int *descb, int context);
void pdpotrf_(const char *uplo, const int *n, double *a, const int *ia, const int *ja, const int *desc, int *info);
#endif

enum { SOME = 16 };
static const char *files[SOME];
static int count;

/** Where a loaded library, or what it was linked with, has its MPI from. */
static int look(struct dl_phdr_info *object, size_t size, void *unused) {
    (void)size, (void)unused;
    void *library = dlopen(*object->dlpi_name ? object->dlpi_name : NULL, RTLD_LAZY | RTLD_NOLOAD);
    void *init = library ? dlsym(library, "PMPI_Init") : NULL;
    Dl_info from;
    if (!init || !dladdr(init, &from)) return 0;
    for (int i = 0; i < count; i++)
        if (strcmp(files[i], from.dli_fname) == 0) return 0;
    if (count < SOME) files[count++] = from.dli_fname;
    return 0;
}

int main(int argc, char **argv) {
    (void)argv;
    char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    MPI_Get_library_version(text, &length);
#ifdef PROBE_HDF5
    unsigned major, minor, release;
    if (H5get_libversion(&major, &minor, &release) < 0) return 1;
    if (major != H5_VERS_MAJOR || minor != H5_VERS_MINOR || release != H5_VERS_RELEASE)
        printf("its header is of version %d.%d.%d, its library of %u.%u.%u\n", H5_VERS_MAJOR, H5_VERS_MINOR, H5_VERS_RELEASE, major, minor, release);
    if (argc > 1000) H5Pset_fapl_mpio(0, MPI_COMM_WORLD, MPI_INFO_NULL);
#endif
#ifdef PROBE_SCALAPACK
    if (argc > 1000) { /* never: it is to be linked */
        int n = Csys2blacs_handle(MPI_COMM_WORLD);
        double a = 0;
        Cblacs_gridinit(&n, "R", 1, 1);
        Cpdgemr2d(1, 1, &a, 1, 1, &n, &a, 1, 1, &n, n);
        pdpotrf_("L", &n, &a, &n, &n, &n, &n);
    }
#endif
    dl_iterate_phdr(look, NULL);
    for (int i = 0; i < count; i++) printf("mpi %s\n", files[i]);
    return 0;
}
