/** @file version.h
 *  What this program is made of; compiled in by CMake. Not collective.
 */
#ifndef ENGRAM_VERSION_H
#define ENGRAM_VERSION_H

extern const char *const version_number;   /**< "0.1.0" */
extern const char *const version_revision; /**< git revision, "-dirty" behind it if files were changed; "unknown" outside a checkout */
extern const char *const version_compiler; /**< name and version */
extern const char *const version_flags;    /**< compiler flags */
extern const char *const version_architecture; /**< what -march=native stood for ("znver4"), or another -march; "" where no flag says */
/** MPI library in use, first line. Borrowed. */
const char *version_mpi(void);
/** HDF5 library in use. Borrowed. */
const char *version_hdf5(void);
/** BLAS library in use, as its maker names it; "unknown maker" if it does not say. Borrowed. */
const char *version_blas(void);
/** The shared library that a function of this program comes from, through all links; "linked in" if from none. Borrowed, until the next call. */
const char *version_file(const char *function);

/** Keep BLAS to one thread: one rank a core, where threads would only fight. */
void version_blas_one_thread(void);
/** C library in use, which computes exponentials and the like: "glibc 2.36". Borrowed. */
const char *version_libc(void);
/** Instructions that the program was compiled for, as far as they compute, and the bits of its vectors: "x86-64 (znver4): sse4.2 avx ...; vectors of 512 bits".
 *  Borrowed. */
const char *version_instructions(void);
/** Bits of the vectors that the program was compiled for. */
int version_vector_bits(void);
/** What bits may depend on besides the revision, a line each: "compiler: ...", flags, instructions, libc, BLAS and the processor that it chose. Borrowed. */
const char *version_build(void);

#endif
