/** @file mpi_files.h
 *  MPI-IO as HDF5 sees it (MPI's profiling interface): its writes never fail. HDF5 does not agree with the other ranks on a failed write: they would go on out
 *  of step, hang, or crash in MPI_Finalize() over a file that cannot be closed. So the failure is kept here, for h5.c to ask for after every HDF5 call and to
 *  agree on.
 */
#ifndef ENGRAM_IO_MPI_FILES_H
#define ENGRAM_IO_MPI_FILES_H

/** The first error since it was last asked for, MPI_SUCCESS for none. Not collective. */
int mpi_files_error(void);

#endif
