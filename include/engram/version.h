/** @file version.h
 *  What this program is made of; compiled in by CMake. Not collective.
 */
#ifndef ENGRAM_VERSION_H
#define ENGRAM_VERSION_H

extern const char *const version_number;   /**< "0.1.0" */
extern const char *const version_revision; /**< git revision, "-dirty" behind it if files were changed; "unknown" outside a checkout */
extern const char *const version_compiler; /**< name and version */
extern const char *const version_flags;    /**< compiler flags */
extern const char *const version_hdf5;     /**< headers compiled against */
/** MPI library in use, first line. Borrowed. */
const char *version_mpi(void);
/** BLAS library in use. Borrowed. */
const char *version_blas(void);

#endif
